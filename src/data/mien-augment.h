/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Augmentation: a random, label-keeping change of one face.
 *
 * Thread   pure; randomness comes from the caller's generator state, so that a seed gives the same pictures */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  gboolean flip;     /* mirror, one time in two */
  float shift;       /* largest shift, share of the side: 0.1 */
  float rotate_deg;  /* largest rotation either way */
  float scale;       /* largest zoom either way: 0.15 */
  float shear;       /* largest shear either way */
  float brightness;  /* largest change, share of 255 */
  float contrast;    /* largest change of gain: 0.2 */
  float noise;       /* standard deviation, grey levels, at most (drawn 0..noise) */
  float erase;       /* chance of one erased rectangle (random erasing, Zhong et al. 2017) */
  float erase_area;  /* its largest area, share of the picture */
} MienAugment;

/* xoshiro256**, Blackman and Vigna 2018; seeded by splitmix64. */
typedef struct {
  guint64 s[4];
} MienRandom;
void mien_random_seed (MienRandom *self, guint64 seed);
guint64 mien_random_next (MienRandom *self);
float mien_random_uniform (MienRandom *self);             /* 0 <= x < 1 */
float mien_random_normal (MienRandom *self);              /* mean 0, variance 1; keeps no spare */
guint mien_random_below (MienRandom *self, guint limit);  /* 0 .. limit - 1, unbiased */
void mien_random_shuffle (MienRandom *self, int *values, int n);

/* in[size][size] 0..255, out[size][size] as float 0..255 (not rounded). One bilinear resampling for all geometry; outside
 * the picture the edge repeats. NULL settings copy. */
void mien_augment_apply (const MienAugment *settings, MienRandom *random, const guint8 *in, int size, float *out);

G_END_DECLS
