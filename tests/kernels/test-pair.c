/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two narrow convolutions at once against one after the other in double precision: sizes around the tiles, paddings, rows in parts. */
#include "kernels/mien-blocked.h"
#include "kernels/mien-check.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { N = MIEN_BLOCKED_PAIR_CHANNELS };

/* y[n][k][p][q], and the magnitude of each sum. */
static void
convolve (const MienBlockedShape *shape, const double *x, const float *w, const float *bias, double *y, double *magnitude)
{
  gsize to = 0;

  for (int n = 0; n < shape->n; n++)
    for (int k = 0; k < shape->k; k++)
      for (int p = 0; p < shape->p; p++)
        for (int q = 0; q < shape->q; q++, to++) {
          double sum = bias[k], size = fabs (sum);
          for (int c = 0; c < shape->c; c++)
            for (int r = 0; r < 3; r++)
              for (int s = 0; s < 3; s++) {
                const int i = p + r - shape->pad_top, j = q + s - shape->pad_left;
                if (i < 0 || i >= shape->h || j < 0 || j >= shape->w)
                  continue;
                const double product = x[(((gsize) n * shape->c + c) * shape->h + i) * shape->w + j] * w[((k * shape->c + c) * 3 + r) * 3 + s];
                sum += product;
                size += fabs (product);
              }
          y[to] = MIN (MAX (sum, shape->lo), shape->hi);
          magnitude[to] = size;
        }
}

/* Where four rows are computed together, all products of the six rows that they read and any row of the window are added up and cancel, also
 * those that are part of no result or of one above or below. Adds to magnitudes the largest sum of eight rows in which they all occur. */
static void
add_fours (const MienBlockedShape *shape, const double *x, const float *w, double *magnitude)
{
  const float none[N] = { 0 };
  MienBlockedShape tall = *shape;

  tall.lo = -INFINITY;
  tall.hi = INFINITY;
  tall.pad_top += 2;
  tall.p = (shape->p + 3) / 4 * 4 + 4;
  const gsize n_tall = (gsize) tall.n * tall.k * tall.p * tall.q;
  g_autofree double *sums = g_new (double, n_tall), *unused = g_new (double, n_tall);
  convolve (&tall, x, w, none, sums, unused);
  for (int plane = 0; plane < shape->n * shape->k; plane++)
    for (int p = 0; p < shape->p; p++)
      for (int q = 0; q < shape->q; q++) {
        double most = 0;
        for (int i = p / 4 * 4; i < p / 4 * 4 + 8; i++)
          most = MAX (most, sums[((gsize) plane * tall.p + i) * tall.q + q]);
        magnitude[((gsize) plane * shape->p + p) * shape->q + q] += most;
      }
}

static MienBlockedShape
shape_of (MienCheck *check, int n, int c, int h, int w, int k, int pad)
{
  return (MienBlockedShape) {
    .n = n, .c = c, .h = h, .w = w, .k = k, .p = h + 2 * pad - 2, .q = w + 2 * pad - 2, .r = 3, .s = 3, .stride_h = 1, .stride_w = 1,
    .dilation_h = 1, .dilation_w = 1, .pad_top = pad, .pad_left = pad, .lo = g_rand_boolean (check->random) ? 0 : -INFINITY,
    .hi = g_rand_boolean (check->random) ? 6 : INFINITY,
  };
}

static void
check_pair_of (MienCheck *check, gboolean bf16)
{
  MienBlockedKernels kernels;

  if (bf16)
    mien_blocked_kernels_init_bf16 (&kernels, check->cpu);
  else
    mien_blocked_kernels_init (&kernels, check->cpu);
  if (kernels.pair == NULL) {
    g_test_skip ("this level has no such kernel");
    return;
  }
  for (int round = 0; round < 60; round++) {
    GRand *random = check->random;
    const int n = g_rand_int_range (random, 1, 3), c = g_rand_int_range (random, 1, MIEN_BLOCKED_STEM_CHANNELS + 1), k1 = g_rand_int_range (random, 1, N + 1);
    const int k2 = g_rand_int_range (random, 1, N + 1), h = g_rand_int_range (random, 5, 12), w = mien_check_size (check, 5, 131);
    MienBlockedPair pair = { .first = shape_of (check, n, c, h, w, k1, g_rand_int_range (random, 0, 2)) };
    MienBlockedShape second = shape_of (check, n, k1, pair.first.p, pair.first.q, k2, g_rand_int_range (random, 0, 2));
    const gsize n_x = (gsize) n * c * h * w, n_between = (gsize) n * k1 * pair.first.p * pair.first.q, n_y = (gsize) n * k2 * second.p * second.q;
    const float *x = mien_check_input (check, n_x), *w1 = mien_check_input (check, k1 * c * 9), *w2 = mien_check_input (check, k2 * k1 * 9);
    float *bias1 = mien_check_input (check, N), *bias2 = mien_check_input (check, N), *first = mien_check_output (check, c * 9 * N);
    g_autofree double *wide = g_new (double, n_x), *between = g_new (double, n_between), *size = g_new (double, MAX (n_between, n_y));
    g_autofree double *result = g_new (double, n_y), *sizes = g_new0 (double, n_between), *all = g_new (double, n_y);
    g_autofree float *want = g_new (float, n_y), *got = g_new (float, n_y), *positive = g_new (float, k2 * k1 * 9);
    const float none[N] = { 0 };

    second.y_halo = g_rand_int_range (random, 0, 3);
    memset (bias1 + k1, 0, (N - k1) * sizeof *bias1);
    memset (bias2 + k2, 0, (N - k2) * sizeof *bias2);
    for (gsize i = 0; i < n_x; i++)
      wide[i] = x[i];
    convolve (&pair.first, wide, w1, bias1, between, sizes);
    convolve (&second, between, w2, bias2, result, size);
    /* What is lost in the first one goes through the second one's weights. */
    for (int i = 0; i < k2 * k1 * 9; i++)
      positive[i] = fabsf (w2[i]);
    MienBlockedShape open = second;
    open.lo = -INFINITY;
    open.hi = INFINITY;
    g_autofree double *unused = g_new (double, n_y);
    convolve (&open, sizes, positive, none, all, unused);
    for (gsize i = 0; i < n_y; i++) {
      want[i] = (float) result[i];
      all[i] += size[i];
    }
    if (!bf16)
      add_fours (&second, sizes, positive, all);
    float *second_w = mien_check_output (check, bf16 ? N * 9 * N / 2 : N * MIEN_BLOCKED_PAIR_ROWS * 3 * N);
    mien_blocked_pack_pair (&kernels, c, k1, k2, w1, w2, first, second_w);
    pair.first_w = first;
    pair.first_bias = bias1;
    pair.second_w = second_w;
    pair.second_bias = bias2;

    const gsize n_blocked = mien_blocked_size (kernels.lanes, n, k2, second.p, second.q, second.y_halo), elem = bf16 ? 2 : 4;
    void *y = mien_check_output (check, (n_blocked * elem + 3) / 4), *whole = mien_check_output (check, (n_blocked * elem + 3) / 4);
    const int rows = n * second.p, middle = g_rand_int_range (random, 0, rows + 1);
    kernels.pair (&pair, &second, x, y, middle, rows);
    kernels.pair (&pair, &second, x, y, 0, middle);
    kernels.pair (&pair, &second, x, whole, 0, rows);
    g_assert_cmpmem (y, n_blocked * elem, whole, n_blocked * elem); /* sharing rows out does not change them */
    mien_blocked_to_plain (&kernels, n, k2, second.p, second.q, second.y_halo, y, got);
    g_autofree char *context = g_strdup_printf ("round %d: c=%d %dx%d k1=%d pad %d k2=%d pad %d halo %d", round, c, h, w, k1, pair.first.pad_top, k2,
                                                second.pad_top, second.y_halo);
    mien_check_near (want, got, all, n_y, (k1 * 9 + c * 9 + 8) * FLT_EPSILON + (bf16 ? 1 / 64.0 : 0), context);
    mien_check_borders (&kernels, &second, elem, got, y);
    mien_check_clear (check);
  }
}

static void
check_pair (MienCheck *check)
{
  check_pair_of (check, FALSE);
}

static void
check_pair_bf16 (MienCheck *check)
{
  check_pair_of (check, TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  mien_check_add ("pair", check_pair);
  mien_check_add ("pair-bf16", check_pair_bf16);
  return g_test_run ();
}
