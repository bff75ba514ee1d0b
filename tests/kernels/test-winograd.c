/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Winograd convolution against the formula in double precision: ragged tiles, halos, residuals, blocks of tiles, threads. */
#include "kernels/mien-check.h"
#include "kernels/mien-winograd.h"

#include <float.h>
#include <math.h>
#include <string.h>

static MienBlockedShape
random_shape (MienCheck *check)
{
  GRand *random = check->random;
  MienBlockedShape shape = {
    .n = g_rand_int_range (random, 1, 4),
    .c = mien_check_size (check, 1, 70),
    .k = mien_check_size (check, 1, 131),
    .h = g_rand_int_range (random, 3, 20),
    .w = mien_check_size (check, 3, 33),
    .r = 3,
    .s = 3,
    .stride_h = 1,
    .stride_w = 1,
    .dilation_h = 1,
    .dilation_w = 1,
    .pad_top = g_rand_int_range (random, 0, 3),
    .pad_left = g_rand_int_range (random, 0, 3),
    .y_halo = g_rand_int_range (random, 0, 3),
    .residual_halo = g_rand_int_range (random, 0, 3),
    .lo = g_rand_boolean (random) ? 0 : -INFINITY,
    .hi = g_rand_boolean (random) ? 6 : INFINITY,
  };
  const int below = g_rand_int_range (random, 0, 3), right = g_rand_int_range (random, 0, 3);

  shape.x_halo = MAX (MAX (shape.pad_top, shape.pad_left), MAX (below, right)) + g_rand_int_range (random, 0, 2);
  shape.p = shape.h + shape.pad_top + below - 2;
  shape.q = shape.w + shape.pad_left + right - 2;
  return shape;
}

/* Plain results in double precision. Products of a whole tile are added up, and cancel: the error of a result is measured against the
 * largest sum of magnitudes of its plane. */
static void
compute (const MienBlockedShape *shape, const float *x, const float *w, const float *bias, const float *residual, float *y, double *magnitude)
{
  gsize to = 0;

  for (int n = 0; n < shape->n; n++)
    for (int k = 0; k < shape->k; k++) {
      const gsize plane = to;
      double most = 0;
      for (int p = 0; p < shape->p; p++)
        for (int q = 0; q < shape->q; q++, to++) {
          double sum = bias[k], size = fabs (sum);
          for (int c = 0; c < shape->c; c++)
            for (int r = 0; r < 3; r++)
              for (int s = 0; s < 3; s++) {
                const int i = p + r - shape->pad_top, j = q + s - shape->pad_left;
                if (i < 0 || i >= shape->h || j < 0 || j >= shape->w)
                  continue;
                const double value = (double) x[(((gsize) n * shape->c + c) * shape->h + i) * shape->w + j] * w[((gsize) k * shape->c + c) * 9 + r * 3 + s];
                sum += value;
                size += fabs (value);
              }
          if (residual != NULL) {
            sum += residual[to];
            size += fabs (residual[to]);
          }
          y[to] = (float) MIN (MAX (sum, shape->lo), shape->hi);
          most = MAX (most, size);
        }
      for (gsize i = plane; i < to; i++)
        magnitude[i] = most;
    }
}

/* Transforms mix the values of a tile before they meet their weights: one that is a thousand times larger than the rest drowns them. */
static float *
even_input (MienCheck *check, gsize n)
{
  float *x = mien_check_input (check, n);

  for (gsize i = 0; i < n; i++)
    x[i] = fabsf (x[i]) > 1 ? x[i] / 1000 : x[i];
  return x;
}

static float *
to_blocked (MienCheck *check, const MienBlockedKernels *kernels, const MienBlockedShape *like, int c, int h, int w, int halo, const float *plain)
{
  const gsize n = mien_blocked_size (kernels->lanes, like->n, c, h, w, halo);
  float *blocked = mien_check_output (check, kernels->bf16 ? (n + 1) / 2 : n);

  mien_blocked_from_plain (kernels, like->n, c, h, w, halo, plain, blocked);
  return blocked;
}

static void
round_to_bf16 (float *x, gsize n)
{
  for (gsize i = 0; i < n; i++)
    x[i] = mien_bf16_to_float (mien_bf16_from_float (x[i]));
}

/* The largest of each 2 x 2 results, in place. */
static void
pool_2x2 (const MienBlockedShape *shape, float *y, double *magnitude)
{
  gsize to = 0;

  for (int plane = 0; plane < shape->n * shape->k; plane++)
    for (int p = 0; p + 1 < shape->p; p += 2)
      for (int q = 0; q + 1 < shape->q; q += 2, to++) {
        const gsize at = ((gsize) plane * shape->p + p) * shape->q + q;
        magnitude[to] = magnitude[at]; /* one for the whole plane */
        y[to] = MAX (MAX (y[at], y[at + 1]), MAX (y[at + shape->q], y[at + shape->q + 1]));
      }
}

/* w[K][C][9] to [C][K][9], from the last to the first: as the layer has it that this one is the gradient of. */
static float *
flip (MienCheck *check, const MienBlockedShape *shape, const float *w)
{
  float *flipped = mien_check_output (check, (gsize) shape->k * shape->c * 9);

  for (int k = 0; k < shape->k; k++)
    for (int c = 0; c < shape->c; c++)
      for (int tap = 0; tap < 9; tap++)
        flipped[((gsize) c * shape->k + k) * 9 + 8 - tap] = w[((gsize) k * shape->c + c) * 9 + tap];
  return flipped;
}

/* What bfloat16 costs, of the largest sum of magnitudes. */
static double
rounding (const MienBlockedKernels *kernels, MienWinogradKind kind)
{
  if (kind.bf16)
    return kind.rows == 4 ? 1 / 16.0 : 1 / 32.0;
  if (kind.narrow)
    return kind.rows == 4 ? 1 / 64.0 : 1 / 128.0;
  return kernels->bf16 ? 1 / 256.0 : 0;
}

/* U in bfloat16, pairs of channels together, is U in f32 rounded. */
static void
check_narrow (MienCheck *check, const MienWinogradKernels *winograd, const MienBlockedShape *shape, MienWinogradKind kind, const float *w, const void *packed)
{
  const MienWinogradKind wide_kind = { kind.rows, kind.columns, FALSE, FALSE };
  const int spare = (shape->k + winograd->lanes - 1) / winograd->lanes * winograd->lanes, group = mien_winograd_group (winograd), even = (shape->c + 1) / 2 * 2;
  float *wide = mien_check_output (check, mien_winograd_size (winograd, shape, wide_kind) / 4);
  const unsigned short *narrow = packed;

  mien_winograd_pack (winograd, shape, wide_kind, w, FALSE, wide, NULL);
  for (int first = 0; first < spare; first += group) {
    const int width = MIN (group, spare - first);
    for (int part = 0; part < (kind.rows + 2) * (kind.columns + 2); part++, narrow += even * width, wide += shape->c * width)
      for (int c = 0; c < even; c++)
        for (int k = 0; k < width; k++)
          if (c < shape->c)
            g_assert_cmpint (narrow[(c / 2 * width + k) * 2 + c % 2], ==, mien_bf16_from_float (wide[c * width + k]));
          else
            g_assert_cmpfloat (mien_bf16_to_float (narrow[(c / 2 * width + k) * 2 + 1]), ==, 0);
  }
}

static void
check_round (MienCheck *check, const MienBlockedKernels *kernels, const MienWinogradKernels *winograd, const MienBlockedShape *shape, MienWinogradKind kind,
             MienThreads *threads, const char *context)
{
  const int lanes = kernels->lanes, spare = (shape->k + lanes - 1) / lanes * lanes, n_threads = mien_threads_count (threads);
  const int p = shape->pool ? shape->p / 2 : shape->p, q = shape->pool ? shape->q / 2 : shape->q;
  const gsize n_x = (gsize) shape->n * shape->c * shape->h * shape->w, n_y = (gsize) shape->n * shape->k * shape->p * shape->q;
  const gsize elem = kernels->bf16 ? 2 : 4, n_blocked = mien_blocked_size (lanes, shape->n, shape->k, p, q, shape->y_halo);
  float *x = even_input (check, n_x), *w = even_input (check, (gsize) shape->k * shape->c * 9), *bias = even_input (check, spare);
  float *residual = g_rand_boolean (check->random) && !shape->pool ? even_input (check, n_y) : NULL;
  g_autofree float *want = g_new (float, n_y), *got = g_new (float, n_y), *clean = g_new (float, n_blocked);
  g_autofree double *magnitude = g_new (double, n_y);
  float *packed = mien_check_output (check, mien_winograd_size (winograd, shape, kind) / 4);
  float *y = mien_check_output (check, (n_blocked * elem + 3) / 4), *alone = mien_check_output (check, (n_blocked * elem + 3) / 4);

  for (int i = shape->k; i < spare; i++)
    bias[i] = 0;
  if (kernels->bf16) {
    round_to_bf16 (x, n_x);
    if (residual != NULL)
      round_to_bf16 (residual, n_y);
  }
  compute (shape, x, w, bias, residual, want, magnitude);
  if (shape->pool)
    pool_2x2 (shape, want, magnitude);
  const gboolean flipped = g_rand_boolean (check->random);
  mien_winograd_pack (winograd, shape, kind, flipped ? flip (check, shape, w) : w, flipped, packed, threads);
  if (!flipped) { /* part by part the same */
    const int group = mien_winograd_group (winograd), step = group * g_rand_int_range (check->random, 1, 4);
    float *parts = mien_check_output (check, mien_winograd_size (winograd, shape, kind) / 4);
    for (int first = 0; first < shape->k; first += step)
      mien_winograd_pack_filters (winograd, shape, kind, first, MIN (step, shape->k - first), w + (gsize) first * shape->c * 9, parts);
    g_assert_cmpint (memcmp (parts, packed, mien_winograd_size (winograd, shape, kind)), ==, 0);
    if (kind.narrow && kind.rows == kind.columns)
      check_narrow (check, winograd, shape, kind, w, packed);
  }
  const MienBlockedArgs args = {
    .x = to_blocked (check, kernels, shape, shape->c, shape->h, shape->w, shape->x_halo, x),
    .w = packed,
    .bias = bias,
    .residual = residual != NULL ? to_blocked (check, kernels, shape, shape->k, shape->p, shape->q, shape->residual_halo, residual) : NULL,
    .y = y,
  };
  mien_winograd_run (winograd, shape, kind, &args, mien_check_output (check, mien_winograd_scratch (winograd, shape, kind, n_threads) / 4),
                     mien_winograd_step (winograd, shape, kind, n_threads), threads);
  mien_blocked_to_plain (kernels, shape->n, shape->k, p, q, shape->y_halo, y, got);
  mien_check_near (want, got, magnitude, (gsize) shape->n * shape->k * p * q, 4 * sqrt (shape->c * 9 + 36) * FLT_EPSILON + rounding (kernels, kind),
                   context);

  /* Halo and spare channels are 0. */
  mien_blocked_from_plain (kernels, shape->n, shape->k, p, q, shape->y_halo, got, clean);
  if (memcmp (clean, y, n_blocked * elem) != 0) /* -0 and 0 differ here */
    for (gsize i = 0; i < n_blocked; i++)
      g_assert_cmpfloat (kernels->bf16 ? mien_bf16_to_float (((unsigned short *) (void *) clean)[i]) : clean[i], ==,
                         kernels->bf16 ? mien_bf16_to_float (((unsigned short *) (void *) y)[i]) : y[i]);

  /* Threads do not change a bit. */
  MienBlockedArgs once = args;
  once.y = alone;
  mien_winograd_run (winograd, shape, kind, &once, mien_check_output (check, mien_winograd_scratch (winograd, shape, kind, 1) / 4), 0, NULL);
  g_assert_cmpint (memcmp (alone, y, n_blocked * elem), ==, 0);
}

typedef enum { F32, BF16, WIDENED } Table;

static void
init_tables (MienBlockedKernels *kernels, MienWinogradKernels *winograd, Table table, MienCpuLevel cpu)
{
  void (*const init[]) (MienBlockedKernels *self, MienCpuLevel cpu) = { mien_blocked_kernels_init, mien_blocked_kernels_init_bf16, mien_blocked_kernels_init_widened };
  void (*const init_winograd[]) (MienWinogradKernels *self, MienCpuLevel cpu) = {
    mien_winograd_kernels_init, mien_winograd_kernels_init_bf16, mien_winograd_kernels_init_widened,
  };

  init[table](kernels, cpu);
  init_winograd[table](winograd, cpu);
}

static void
check_winograd (MienCheck *check, Table table)
{
  MienBlockedKernels kernels;
  MienWinogradKernels winograd;
  MienThreads *threads = mien_threads_new (3);
  static const MienWinogradKind kinds[] = { { 4, 4, FALSE, FALSE }, { 2, 2, FALSE, FALSE }, { 2, 2, TRUE, FALSE }, { 4, 4, TRUE, FALSE } };
  static const MienWinogradKind pair_kinds[] = { { 4, 4, FALSE, FALSE }, { 2, 2, FALSE, FALSE }, { 2, 2, TRUE, TRUE }, { 2, 4, TRUE, TRUE }, { 4, 4, TRUE, TRUE } };

  init_tables (&kernels, &winograd, table, check->cpu);
  g_assert_cmpint (winograd.lanes, ==, kernels.lanes);
  for (int round = 0; kernels.lanes > 0 && round < 60; round++) {
    MienBlockedShape shape = random_shape (check);
    const MienWinogradKind kind = table == BF16 ? pair_kinds[round % 5] : kinds[round % 4];
    if (round == 50) { /* several blocks */
      shape.n = 3;
      shape.c = 300;
      shape.k = 40;
    }
    shape.pool = round / 4 % 2 == 1 && shape.p > 1 && shape.q > 1;
    g_autofree char *context = g_strdup_printf ("round %d: %dx%d%s n=%d c=%d %dx%d halo %d k=%d %dx%d halo %d pad %d,%d", round, kind.rows, kind.columns, kind.bf16 ? " bf16" : kind.narrow ? " narrow" : "", shape.n, shape.c, shape.h,
                                                shape.w, shape.x_halo, shape.k, shape.p, shape.q, shape.y_halo, shape.pad_top, shape.pad_left);
    check_round (check, &kernels, &winograd, &shape, kind, round % 3 == 0 ? NULL : threads, context);
    mien_check_clear (check);
  }
  if (kernels.lanes == 0)
    g_test_skip ("this level has no Winograd kernels");
  mien_threads_free (threads);
}

static void
check_f32 (MienCheck *check)
{
  check_winograd (check, F32);
}

static void
check_bf16 (MienCheck *check)
{
  check_winograd (check, BF16);
}

static void
check_widened (MienCheck *check)
{
  check_winograd (check, WIDENED);
}

/* By the definition, in double precision. */
static void
compute_grad (const MienBlockedShape *shape, const float *x, const float *dy, float *dw, double *magnitude)
{
  const gsize n_w = (gsize) shape->k * shape->c * 9;
  double most = 0;

  for (gsize at = 0; at < n_w; at++) {
    const int k = (int) (at / 9) / shape->c, c = (int) (at / 9) % shape->c, r = (int) (at % 9) / 3, s = (int) at % 3;
    double sum = 0, size = 0;
    for (int n = 0; n < shape->n; n++)
      for (int p = 0; p < shape->p; p++)
        for (int q = 0; q < shape->q; q++) {
          const int i = p + r - shape->pad_top, j = q + s - shape->pad_left;
          if (i < 0 || i >= shape->h || j < 0 || j >= shape->w)
            continue;
          const double value = (double) x[(((gsize) n * shape->c + c) * shape->h + i) * shape->w + j] *
                               dy[(((gsize) n * shape->k + k) * shape->p + p) * shape->q + q];
          sum += value;
          size += fabs (value);
        }
    dw[at] = (float) sum;
    most = MAX (most, size);
  }
  for (gsize at = 0; at < n_w; at++)
    magnitude[at] = most;
}

static void
check_grad (MienCheck *check, Table table)
{
  MienBlockedKernels kernels;
  MienWinogradKernels winograd;
  MienThreads *threads = mien_threads_new (3);

  init_tables (&kernels, &winograd, table, check->cpu);
  for (int round = 0; kernels.lanes > 0 && round < 30; round++) {
    MienBlockedShape shape = random_shape (check);
    if (round % 10 == 0) { /* several blocks for a thread */
      shape.n = 9;
      shape.c = 5;
    }
    const gsize n_x = (gsize) shape.n * shape.c * shape.h * shape.w, n_y = (gsize) shape.n * shape.k * shape.p * shape.q, n_w = (gsize) shape.k * shape.c * 9;
    MienThreads *pool = round % 3 == 0 ? NULL : threads;
    const int size = round % 4 < 2 ? 2 : 4;
    float *x = even_input (check, n_x), *dy = even_input (check, n_y), *got = mien_check_output (check, n_w);
    g_autofree float *want = g_new (float, n_w);
    g_autofree double *magnitude = g_new (double, n_w);
    g_autofree char *context = g_strdup_printf ("round %d: tile %d n=%d c=%d %dx%d halo %d k=%d %dx%d halo %d pad %d,%d", round, size, shape.n, shape.c, shape.h, shape.w,
                                                shape.x_halo, shape.k, shape.p, shape.q, shape.y_halo, shape.pad_top, shape.pad_left);
    if (table != F32) {
      round_to_bf16 (x, n_x);
      round_to_bf16 (dy, n_y);
    }
    compute_grad (&shape, x, dy, want, magnitude);
    mien_winograd_grad (&winograd, &shape, size, to_blocked (check, &kernels, &shape, shape.c, shape.h, shape.w, shape.x_halo, x),
                        to_blocked (check, &kernels, &shape, shape.k, shape.p, shape.q, shape.y_halo, dy), got,
                        mien_check_output (check, mien_winograd_grad_scratch (&winograd, &shape, size, mien_threads_count (pool)) / 4), pool);
    mien_check_near (want, got, magnitude, n_w, table == BF16 ? 1 / 64.0 : 16 * FLT_EPSILON * sqrt (shape.n * shape.p * shape.q), context);
    mien_check_clear (check);
  }
  if (kernels.lanes == 0)
    g_test_skip ("this level has no Winograd kernels");
  mien_threads_free (threads);
}

static void
check_grad_f32 (MienCheck *check)
{
  check_grad (check, F32);
}

static void
check_grad_bf16 (MienCheck *check)
{
  check_grad (check, BF16);
}

static void
check_grad_widened (MienCheck *check)
{
  check_grad (check, WIDENED);
}

/* Shapes that are none of ours, and some for which the answer is clear. */
static void
check_choice (MienCheck *check)
{
  const MienBlockedShape large = { .n = 8, .c = 64, .k = 64, .h = 48, .w = 48, .p = 48, .q = 48, .r = 3, .s = 3, .stride_h = 1, .stride_w = 1,
                                   .dilation_h = 1, .dilation_w = 1 };
  MienBlockedShape shape;
  MienWinogradKernels winograd;

  mien_winograd_kernels_init (&winograd, check->cpu);
  if (winograd.lanes == 0) {
    g_assert_cmpint (mien_winograd_choose (&winograd, &large, FALSE).rows, ==, 0);
    g_assert_cmpint (mien_winograd_grad_tile (&winograd, &large), ==, 0);
    return;
  }
  g_assert_cmpint (mien_winograd_choose (&winograd, &large, FALSE).rows, ==, 4);
  shape = large, shape.stride_w = 2;
  g_assert_cmpint (mien_winograd_choose (&winograd, &shape, FALSE).rows, ==, 0);
  shape = large, shape.dilation_h = 2;
  g_assert_cmpint (mien_winograd_choose (&winograd, &shape, FALSE).rows, ==, 0);
  shape = large, shape.r = 1;
  g_assert_cmpint (mien_winograd_choose (&winograd, &shape, FALSE).rows, ==, 0);
  shape = large, shape.n = 1, shape.p = shape.q = 1, shape.h = shape.w = 3; /* one pixel */
  g_assert_cmpint (mien_winograd_choose (&winograd, &shape, FALSE).rows, ==, 0);

  /* Gradients by weights: of 6 x 6 pixels both tiles take as many products, and M has fewer parts with the small one. */
  g_assert_cmpint (mien_winograd_grad_tile (&winograd, &large), ==, 4);
  shape = large, shape.stride_w = 2;
  g_assert_cmpint (mien_winograd_grad_tile (&winograd, &shape), ==, 0);
  shape = large, shape.c = 2 * winograd.lanes - 1;
  g_assert_cmpint (mien_winograd_grad_tile (&winograd, &shape), ==, 0);
  shape = large, shape.n = 128, shape.p = shape.q = 6, shape.h = shape.w = 6;
  g_assert_cmpint (mien_winograd_grad_tile (&winograd, &shape), ==, 2);
  shape.n = 1; /* M of one picture is more work than its products */
  g_assert_cmpint (mien_winograd_grad_tile (&winograd, &shape), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  mien_check_add ("winograd/f32", check_f32);
  mien_check_add ("winograd/bf16", check_bf16);
  mien_check_add ("winograd/widened", check_widened);
  mien_check_add ("winograd/grad-f32", check_grad_f32);
  mien_check_add ("winograd/grad-bf16", check_grad_bf16);
  mien_check_add ("winograd/grad-widened", check_grad_widened);
  mien_check_add ("winograd/choice", check_choice);
  return g_test_run ();
}
