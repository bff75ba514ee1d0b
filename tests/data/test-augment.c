/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random numbers against the published algorithm, geometry against pictures whose result is known. */
#include "data/mien-augment.h"

#include <math.h>
#include <string.h>

enum { SIZE = 48, N_PIXELS = SIZE * SIZE };

static void
fill_picture (guint8 in[N_PIXELS])
{
  for (int y = 0; y < SIZE; y++)
    for (int x = 0; x < SIZE; x++)
      in[y * SIZE + x] = (guint8) ((x * 37 + y * 101 + x * y) % 256);
}

/* From a Python transcription of splitmix64 and xoshiro256** as published. */
static void
test_random_vectors (void)
{
  static const guint64 from_state[] = { 11520, 0, 1509978240, G_GUINT64_CONSTANT (1215971899390074240) };
  static const guint64 seeds_of_zero[] = {
    G_GUINT64_CONSTANT (0xe220a8397b1dcdaf), G_GUINT64_CONSTANT (0x6e789e6aa1b965f4), G_GUINT64_CONSTANT (0x06c45d188009454f),
    G_GUINT64_CONSTANT (0xf88bb8a8724c81ec),
  };
  static const guint64 from_seed[] = { 
    G_GUINT64_CONSTANT (0x0f5028c28f5771b2),
    G_GUINT64_CONSTANT (0xf788cd765d71b316), G_GUINT64_CONSTANT (0xb3ba01f2fc2f296c),
   };
  MienRandom random = { { 1, 2, 3, 4 } };

  for (int i = 0; i < (int) G_N_ELEMENTS (from_state); i++)
    g_assert_cmpuint (mien_random_next (&random), ==, from_state[i]);
  mien_random_seed (&random, 0);
  for (int i = 0; i < 4; i++)
    g_assert_cmpuint (random.s[i], ==, seeds_of_zero[i]);
  mien_random_seed (&random, 42);
  for (int i = 0; i < 1000 + (int) G_N_ELEMENTS (from_seed); i++) {
    const guint64 value = mien_random_next (&random);
    if (i >= 1000)
      g_assert_cmpuint (value, ==, from_seed[i - 1000]);
  }
}

static void
test_random_statistics (void)
{
  enum { N = 200000 };
  MienRandom random;
  double sum = 0, sum2 = 0, normal = 0, normal2 = 0, normal4 = 0;
  int counts[10] = { 0 };

  mien_random_seed (&random, 7);
  for (int i = 0; i < N; i++) {
    const float u = mien_random_uniform (&random), z = mien_random_normal (&random);
    g_assert_true (u >= 0 && u < 1 && isfinite (z));
    sum += u;
    sum2 += (double) u * u;
    normal += z;
    normal2 += (double) z * z;
    normal4 += (double) z * z * z * z;
    counts[mien_random_below (&random, 10)]++;
  }
  /* five standard errors */
  g_assert_cmpfloat (fabs (sum / N - 0.5), <, 5 * sqrt (1. / 12 / N));
  g_assert_cmpfloat (fabs (sum2 / N - 1. / 3), <, 5 * sqrt (4. / 45 / N));
  g_assert_cmpfloat (fabs (normal / N), <, 5 / sqrt (N));
  g_assert_cmpfloat (fabs (normal2 / N - 1), <, 5 * sqrt (2. / N));
  g_assert_cmpfloat (fabs (normal4 / N - 3), <, 5 * sqrt (96. / N));
  for (int i = 0; i < 10; i++)
    g_assert_cmpfloat (fabs (counts[i] - N / 10.), <, 5 * sqrt (N * .1 * .9));
  for (int i = 0; i < 1000; i++)
    g_assert_cmpuint (mien_random_below (&random, 1), ==, 0);
}

static void
test_shuffle (void)
{
  enum { N = 5, ROUNDS = 50000 };
  MienRandom random;
  int at[N][N] = { { 0 } };

  mien_random_seed (&random, 1);
  for (int round = 0; round < ROUNDS; round++) {
    int values[N] = { 0, 1, 2, 3, 4 }, seen = 0;
    mien_random_shuffle (&random, values, N);
    for (int i = 0; i < N; i++) {
      seen |= 1 << values[i];
      at[i][values[i]]++;
    }
    g_assert_cmpint (seen, ==, 31);
  }
  for (int i = 0; i < N * N; i++)
    g_assert_cmpfloat (fabs (at[i / N][i % N] - ROUNDS / (double) N), <, 5 * sqrt (ROUNDS * .2 * .8));
}

static void
test_identity (void)
{
  const MienAugment nothing = { 0 };
  guint8 in[N_PIXELS];
  float out[N_PIXELS];
  MienRandom random;

  fill_picture (in);
  mien_random_seed (&random, 3);
  mien_augment_apply (NULL, &random, in, SIZE, out);
  for (int i = 0; i < N_PIXELS; i++)
    g_assert_cmpfloat (out[i], ==, in[i]);
  memset (out, 0, sizeof out);
  mien_augment_apply (&nothing, &random, in, SIZE, out);
  for (int i = 0; i < N_PIXELS; i++)
    g_assert_cmpfloat (out[i], ==, in[i]);
}

static void
test_flip (void)
{
  const MienAugment flip = { .flip = TRUE };
  enum { ROUNDS = 2000 };
  guint8 in[N_PIXELS];
  float out[N_PIXELS];
  MienRandom random;
  int mirrored = 0;

  fill_picture (in);
  mien_random_seed (&random, 4);
  for (int round = 0; round < ROUNDS; round++) {
    mien_augment_apply (&flip, &random, in, SIZE, out);
    const gboolean is_mirrored = out[0] != in[0];
    for (int y = 0; y < SIZE; y++)
      for (int x = 0; x < SIZE; x++)
        g_assert_cmpfloat (out[y * SIZE + x], ==, in[y * SIZE + (is_mirrored ? SIZE - 1 - x : x)]);
    mirrored += is_mirrored;
  }
  g_assert_cmpfloat (fabs (mirrored - ROUNDS / 2.), <, 5 * sqrt (ROUNDS * .25));
}

static void
test_resample (void)
{
  const float shift[6] = { 1, 0, -5, 0, 1, 3 }, turn[6] = { 0, 1, 0, -1, 0, 0 }, half[6] = { 1, 0, .5f, 0, 1, 0 };
  guint8 in[N_PIXELS];
  float out[N_PIXELS];

  fill_picture (in);
  mien_augment_resample (shift, in, SIZE, out);
  for (int y = 0; y < SIZE; y++)
    for (int x = 0; x < SIZE; x++)
      g_assert_cmpfloat (out[y * SIZE + x], ==, in[MIN (y + 3, SIZE - 1) * SIZE + MAX (x - 5, 0)]);
  mien_augment_resample (turn, in, SIZE, out);
  for (int y = 0; y < SIZE; y++)
    for (int x = 0; x < SIZE; x++)
      g_assert_cmpfloat (out[y * SIZE + x], ==, in[(SIZE - 1 - x) * SIZE + y]);
  mien_augment_resample (half, in, SIZE, out);
  for (int y = 0; y < SIZE; y++)
    for (int x = 0; x < SIZE - 1; x++)
      g_assert_cmpfloat (out[y * SIZE + x], ==, .5f * (float) (in[y * SIZE + x] + in[y * SIZE + x + 1]));
}

/* A dot moves as far as the settings allow and no further, and reaches both sides. */
static void
test_geometry_limits (void)
{
  const struct {
    MienAugment settings;
    double limit, reach; /* distance in pixels of a dot 12 pixels right of the centre */
  } cases[] = {
    { { .shift = .1f }, 4.8 * G_SQRT2, 4. },
    { { .rotate_deg = 20 }, 2 * 12 * sin (10 * G_PI / 180), 3. },
    { { .scale = .2f }, 12 * .2, 2. },
    { { .crop = .8f }, 12 * (1 / .77 - 1) + 5.7 / .77, 3. }, /* sides from sqrt (.8 * .75), 49 / 2 * (1 - .77) to either side */
  };

  for (int c = 0; c < (int) G_N_ELEMENTS (cases); c++) {
    double farthest = 0;
    MienRandom random;

    mien_random_seed (&random, 5);
    for (int round = 0; round < 500; round++) {
      guint8 in[49 * 49] = { 0 };
      float out[49 * 49];
      double sum = 0, sum_x = 0, sum_y = 0;
      for (int y = -1; y <= 1; y++)
        for (int x = -1; x <= 1; x++)
          in[(24 + y) * 49 + 36 + x] = 200;
      mien_augment_apply (&cases[c].settings, &random, in, 49, out);
      for (int i = 0; i < 49 * 49; i++) {
        sum += out[i];
        sum_x += out[i] * (i % 49);
        sum_y += out[i] * (i / 49);
      }
      const double distance = hypot (sum_x / sum - 36, sum_y / sum - 24);
      g_assert_cmpfloat (distance, <, cases[c].limit + .1);
      farthest = MAX (farthest, distance);
    }
    g_assert_cmpfloat (farthest, >, cases[c].reach);
  }
}

static void
test_light (void)
{
  const MienAugment bright = { .brightness = .2f }, contrast = { .contrast = .3f }, noise = { .noise = 10 };
  guint8 in[N_PIXELS];
  float out[N_PIXELS];
  MienRandom random;
  double widest = 0, mean_noise = 0;

  for (int i = 0; i < N_PIXELS; i++)
    in[i] = i % 2 ? 108 : 148; /* mean 128, far from the ends */
  mien_random_seed (&random, 6);
  for (int round = 0; round < 300; round++) {
    mien_augment_apply (&bright, &random, in, SIZE, out);
    const float bias = out[0] - in[0];
    g_assert_cmpfloat (fabsf (bias), <=, 51.001f);
    for (int i = 0; i < N_PIXELS; i++)
      g_assert_cmpfloat_with_epsilon (out[i] - in[i], bias, 1e-4);

    mien_augment_apply (&contrast, &random, in, SIZE, out);
    const float gain = (out[0] - out[1]) / 40;
    g_assert_cmpfloat (fabsf (gain - 1), <=, .30001f);
    g_assert_cmpfloat_with_epsilon (out[0] + out[1], 256, 1e-3);

    double sum2 = 0;
    mien_augment_apply (&noise, &random, in, SIZE, out);
    for (int i = 0; i < N_PIXELS; i++) {
      sum2 += (out[i] - in[i]) * (out[i] - in[i]);
      mean_noise += out[i] - in[i];
    }
    widest = MAX (widest, sqrt (sum2 / N_PIXELS));
  }
  g_assert_cmpfloat (widest, >, 9.);
  g_assert_cmpfloat (widest, <, 10.5);
  g_assert_cmpfloat (fabs (mean_noise / (300. * N_PIXELS)), <, 5 * 6 / sqrt (300. * N_PIXELS));
}

static void
test_erase (void)
{
  const MienAugment erase = { .erase = .5f, .erase_area = .25f };
  guint8 in[N_PIXELS] = { 0 };
  float out[N_PIXELS];
  MienRandom random;
  int erased = 0;

  mien_random_seed (&random, 8);
  for (int round = 0; round < 2000; round++) {
    int left = SIZE, right = -1, top = SIZE, bottom = -1, n = 0;
    mien_augment_apply (&erase, &random, in, SIZE, out);
    for (int i = 0; i < N_PIXELS; i++) {
      if (out[i] <= 0)
        continue;
      n++;
      left = MIN (left, i % SIZE);
      right = MAX (right, i % SIZE);
      top = MIN (top, i / SIZE);
      bottom = MAX (bottom, i / SIZE);
    }
    if (n == 0)
      continue;
    erased++;
    const int area = (right - left + 1) * (bottom - top + 1);
    g_assert_cmpint (area - n, <=, 2); /* one rectangle; a random grey may be 0 */
    g_assert_cmpint (area, <=, (int) (.28 * N_PIXELS));
  }
  g_assert_cmpfloat (fabs (erased - 1000.), <, 5 * sqrt (2000 * .25));
}

/* Everything at once stays in range, and a seed gives the same picture. */
static void
test_seed (void)
{
  const MienAugment all = { TRUE, .1f, 15, .15f, .1f, .2f, .3f, 8, .5f, .2f };
  guint8 in[N_PIXELS];
  float a[N_PIXELS], b[N_PIXELS];
  MienRandom first, second;

  fill_picture (in);
  mien_random_seed (&first, 9);
  mien_random_seed (&second, 9);
  for (int round = 0; round < 200; round++) {
    mien_augment_apply (&all, &first, in, SIZE, a);
    mien_augment_apply (&all, &second, in, SIZE, b);
    g_assert_cmpmem (a, sizeof a, b, sizeof b);
    for (int i = 0; i < N_PIXELS; i++)
      g_assert_true (a[i] >= 0 && a[i] <= 255);
  }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/augment/random/vectors", test_random_vectors);
  g_test_add_func ("/augment/random/statistics", test_random_statistics);
  g_test_add_func ("/augment/random/shuffle", test_shuffle);
  g_test_add_func ("/augment/identity", test_identity);
  g_test_add_func ("/augment/flip", test_flip);
  g_test_add_func ("/augment/resample", test_resample);
  g_test_add_func ("/augment/geometry-limits", test_geometry_limits);
  g_test_add_func ("/augment/light", test_light);
  g_test_add_func ("/augment/erase", test_erase);
  g_test_add_func ("/augment/seed", test_seed);
  return g_test_run ();
}
