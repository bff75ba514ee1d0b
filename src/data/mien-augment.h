/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Augmentation: a random, label-keeping change of one face.
 *
 * Thread   pure; randomness comes from the caller's generator state, so that a seed gives the same pictures */
#pragma once

#include "data/mien-random.h"

G_BEGIN_DECLS

typedef struct {
  gboolean flip;     /* mirror, one time in two */
  float shift;       /* largest shift, share of the side: 0.1 */
  float rotate_deg;  /* largest rotation either way */
  float scale;       /* largest zoom either way: 0.15 */
  float shear;       /* largest shear either way */
  float brightness;  /* largest change, share of 255 */
  float contrast;    /* largest change of gain about the picture's mean: 0.2 */
  float noise;       /* standard deviation, grey levels, at most (drawn 0..noise) */
  float erase;       /* chance of one erased rectangle (random erasing, Zhong et al. 2017) */
  float erase_area;  /* its largest area, share of the picture */
  float crop;        /* smallest area of a random part that is stretched over the whole, share of the picture: 0.7; 0: none */
} MienAugment;

/* in[size][size] 0..255, out[size][size] as float 0..255 (not rounded). One bilinear resampling for all geometry; outside
 * the picture the edge repeats. NULL settings copy. */
void mien_augment_apply (const MienAugment *settings, MienRandom *random, const guint8 *in, int size, float *out);

/* The resampling alone. out at (x, y) is in at (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]), all coordinates measured
 * from the picture's centre; whole-pixel results are exact. */
void mien_augment_resample (const float m[6], const guint8 *in, int size, float *out);

G_END_DECLS
