/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random numbers that are the same on every machine: xoshiro256**, seeded by splitmix64.
 *
 * Thread   the state belongs to the caller; one thread at a time
 * Source   Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint64 s[4];
} MienRandom;

void mien_random_seed (MienRandom *self, guint64 seed);
guint64 mien_random_next (MienRandom *self);
float mien_random_uniform (MienRandom *self);             /* 0 <= x < 1 */
float mien_random_normal (MienRandom *self);              /* mean 0, variance 1; keeps no spare */
guint mien_random_below (MienRandom *self, guint limit);  /* 0 .. limit - 1, unbiased; limit > 0 */
void mien_random_shuffle (MienRandom *self, int *values, int n);

G_END_DECLS
