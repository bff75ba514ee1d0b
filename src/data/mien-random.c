/* SPDX-License-Identifier: GPL-3.0-or-later */
/* xoshiro256** and what is drawn from it. */
#include "data/mien-random.h"

#include <math.h>

static guint64
rotate_left (guint64 x, int k)
{
  return (x << k) | (x >> (64 - k));
}

static guint64
splitmix64 (guint64 *state)
{
  guint64 z = *state += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);

  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return z ^ (z >> 31);
}

void
mien_random_seed (MienRandom *self, guint64 seed)
{
  for (int i = 0; i < 4; i++)
    self->s[i] = splitmix64 (&seed);
}

guint64
mien_random_next (MienRandom *self)
{
  guint64 *s = self->s;
  const guint64 result = rotate_left (s[1] * 5, 7) * 9;
  const guint64 t = s[1] << 17;

  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate_left (s[3], 45);
  return result;
}

float
mien_random_uniform (MienRandom *self)
{
  return (float) (mien_random_next (self) >> 40) * 0x1p-24f;
}

float
mien_random_normal (MienRandom *self)
{
  /* Box and Muller; 1 - u keeps the logarithm away from 0 */
  const double u = (double) (mien_random_next (self) >> 11) * 0x1p-53;
  const double v = (double) (mien_random_next (self) >> 11) * 0x1p-53;

  return (float) (sqrt (-2.0 * log (1.0 - u)) * cos (2.0 * G_PI * v));
}

guint
mien_random_below (MienRandom *self, guint limit)
{
  g_assert (limit > 0);

  /* the upper half of x * limit; the few x that would make some answers likelier are drawn again */
  const guint32 biased = (0u - limit) % limit;
  guint64 product;
  do
    product = (mien_random_next (self) >> 32) * limit;
  while ((guint32) product < biased);
  return (guint) (product >> 32);
}

void
mien_random_shuffle (MienRandom *self, int *values, int n)
{
  for (int i = n - 1; i > 0; i--) {
    const int j = (int) mien_random_below (self, (guint) i + 1);
    const int value = values[i];
    values[i] = values[j];
    values[j] = value;
  }
}
