/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A depthwise convolution and the 1 x 1 convolution behind it, at once, against one after the other in double precision: windows, strides,
 * borders, residuals, rows in parts, buffers of one row and of many. */
#include "kernels/mien-blocked.h"
#include "kernels/mien-check.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* y[n][c][p][q], and the magnitude of each sum. */
static void
convolve_depth (const MienBlockedShape *shape, const float *x, const float *w, const float *bias, double *y, double *magnitude)
{
  gsize to = 0;

  for (int plane = 0; plane < shape->n * shape->k; plane++)
    for (int p = 0; p < shape->p; p++)
      for (int q = 0; q < shape->q; q++, to++) {
        const int c = plane % shape->k;
        double sum = bias != NULL ? bias[c] : 0, size = fabs (sum);
        for (int r = 0; r < shape->r; r++)
          for (int s = 0; s < shape->s; s++) {
            const int i = p * shape->stride_h + r * shape->dilation_h - shape->pad_top;
            const int j = q * shape->stride_w + s * shape->dilation_w - shape->pad_left;
            if (i < 0 || i >= shape->h || j < 0 || j >= shape->w)
              continue;
            const double product = (double) x[((gsize) plane * shape->h + i) * shape->w + j] * w[(c * shape->r + r) * shape->s + s];
            sum += product;
            size += fabs (product);
          }
        y[to] = MIN (MAX (sum, shape->lo), shape->hi);
        magnitude[to] = size;
      }
}

/* y[n][k][p][q]. sizes: magnitudes of x, for all that was added up on the way. */
static void
convolve_point (const MienBlockedShape *shape, const double *x, const double *sizes, const float *w, const float *bias, const float *residual, float *y,
                double *magnitude)
{
  const gsize area = (gsize) shape->p * shape->q;

  for (gsize to = 0; to < area * shape->k * shape->n; to++) {
    const gsize n = to / area / shape->k, k = to / area % shape->k;
    double sum = bias != NULL ? bias[k] : 0, size = fabs (sum);
    for (int c = 0; c < shape->c; c++) {
      const gsize from = (n * shape->c + c) * area + to % area;
      sum += x[from] * w[k * shape->c + c];
      size += sizes[from] * fabs ((double) w[k * shape->c + c]);
    }
    if (residual != NULL) {
      sum += residual[to];
      size += fabs (residual[to]);
    }
    y[to] = (float) MIN (MAX (sum, shape->lo), shape->hi);
    magnitude[to] = size;
  }
}

static MienBlockedShape
random_depth (MienCheck *check)
{
  GRand *random = check->random;
  MienBlockedShape shape;

  do {
    const int size = g_rand_boolean (random) ? 3 : g_rand_int_range (random, 1, 6), pad = g_rand_int_range (random, 0, size);
    const int dilation = g_rand_int_range (random, 0, 4) == 0 ? 2 : 1;
    shape = (MienBlockedShape) {
      .n = g_rand_int_range (random, 1, 3),
      .c = mien_check_size (check, 1, 70),
      .h = g_rand_int_range (random, 1, 14),
      .w = mien_check_size (check, 1, 47),
      .r = size,
      .s = size,
      .stride_h = g_rand_int_range (random, 1, 3),
      .stride_w = g_rand_int_range (random, 1, 4),
      .dilation_h = dilation,
      .dilation_w = dilation,
      .pad_top = pad,
      .pad_left = pad,
      .x_halo = pad + g_rand_int_range (random, 0, 2),
      .lo = g_rand_boolean (random) ? 0 : -INFINITY,
      .hi = g_rand_boolean (random) ? 6 : INFINITY,
    };
    shape.k = shape.c;
    shape.p = shape.h + 2 * pad - (size - 1) * dilation - 1;
    shape.q = shape.w + 2 * pad - (size - 1) * dilation - 1;
    shape.p = shape.p < 0 ? 0 : shape.p / shape.stride_h + 1;
    shape.q = shape.q < 0 ? 0 : shape.q / shape.stride_w + 1;
  } while (shape.p < 1 || shape.q < 1);
  return shape;
}

static void
round_to_bf16 (float *x, gsize n)
{
  for (gsize i = 0; i < n; i++)
    x[i] = mien_bf16_to_float (mien_bf16_from_float (x[i]));
}

static float *
bias_of (MienCheck *check, int n, int spare)
{
  if (g_rand_int_range (check->random, 0, 3) == 0)
    return NULL;
  float *bias = mien_check_input (check, spare);
  memset (bias + n, 0, (spare - n) * sizeof *bias);
  return bias;
}

static void
check_separable_of (MienCheck *check, void (*init) (MienBlockedKernels *self, MienCpuLevel cpu), gboolean tiles)
{
  const gboolean bf16 = init != mien_blocked_kernels_init;
  MienBlockedKernels kernels, point_kernels;

  init (&kernels, check->cpu);
  (tiles ? mien_blocked_kernels_init_widened : init) (&point_kernels, check->cpu);
  MienBlockedSeparableFn separable = tiles ? mien_blocked_separable_tiles (check->cpu) : kernels.separable;
  if (separable == NULL) {
    g_test_skip ("this level has no such kernel");
    return;
  }
  const int lanes = kernels.lanes;
  for (int round = 0; round < 100; round++) {
    GRand *random = check->random;
    const MienBlockedShape depth = random_depth (check);
    const int n = depth.n, c = depth.c, p = depth.p, q = depth.q;
    MienBlockedShape point = {
      .n = n, .c = c, .h = p, .w = q, .k = mien_check_size (check, 1, 131), .p = p, .q = q, .r = 1, .s = 1, .stride_h = 1, .stride_w = 1,
      .dilation_h = 1, .dilation_w = 1, .y_halo = g_rand_int_range (random, 0, 3), .residual_halo = g_rand_int_range (random, 0, 3),
      .lo = g_rand_boolean (random) ? 0 : -INFINITY, .hi = g_rand_boolean (random) ? 6 : INFINITY,
    };
    const int k = point.k;
    const gsize n_x = (gsize) n * c * depth.h * depth.w, n_between = (gsize) n * c * p * q, n_y = (gsize) n * k * p * q, elem = bf16 ? 2 : 4;
    float *x = mien_check_input (check, n_x), *w1 = mien_check_input (check, c * depth.r * depth.s), *w2 = mien_check_input (check, k * c);
    float *bias1 = bias_of (check, c, (c + lanes - 1) / lanes * lanes), *bias2 = bias_of (check, k, (k + lanes - 1) / lanes * lanes);
    float *residual = round % 2 == 0 ? mien_check_input (check, n_y) : NULL;
    g_autofree double *between = g_new (double, n_between), *sizes = g_new (double, n_between), *magnitude = g_new (double, n_y);
    g_autofree float *want = g_new (float, n_y), *got = g_new (float, n_y);

    if (tiles)
      round_to_bf16 (w2, k * c);
    if (bf16) {
      round_to_bf16 (x, n_x);
      round_to_bf16 (w2, k * c);
      if (depth.r == 3 && depth.s == 3 && depth.stride_w == 1 && depth.dilation_w == 1)
        round_to_bf16 (w1, c * 9);
      if (residual != NULL)
        round_to_bf16 (residual, n_y);
    }
    convolve_depth (&depth, x, w1, bias1, between, sizes);
    convolve_point (&point, between, sizes, w2, bias2, residual, want, magnitude);

    float *depth_w = mien_check_output (check, mien_blocked_depth_size (&kernels, &depth));
    float *point_w = mien_check_output (check, (mien_blocked_conv_size (&kernels, &point) * elem + 3) / 4);
    mien_blocked_pack_depth (&kernels, &depth, w1, depth_w);
    mien_blocked_pack_conv (&point_kernels, &point, w2, point_w, NULL);
    MienBlockedSeparable layer = { depth, point, depth_w, bias1, point_w, bias2, 0 };
    const gsize buffer_bytes = (tiles ? mien_blocked_separable_tiles_buffer : mien_blocked_separable_buffer) (&kernels, &layer);
    g_assert_cmpint (layer.n_rows, >, 0);
    g_assert_cmpint (layer.n_rows, <=, p);
    g_assert_cmpint (buffer_bytes, >=, layer.n_rows * mien_blocked_size (lanes, 1, c, 1, q, 0) * elem);

    void *from = mien_check_output (check, (mien_blocked_size (lanes, n, c, depth.h, depth.w, depth.x_halo) * elem + 3) / 4), *other = NULL;
    const gsize n_blocked = mien_blocked_size (lanes, n, k, p, q, point.y_halo);
    void *y = mien_check_output (check, (n_blocked * elem + 3) / 4), *buffer = mien_check_output (check, (buffer_bytes + 3) / 4);
    mien_blocked_from_plain (&kernels, n, c, depth.h, depth.w, depth.x_halo, x, from);
    if (residual != NULL) {
      other = mien_check_output (check, (mien_blocked_size (lanes, n, k, p, q, point.residual_halo) * elem + 3) / 4);
      mien_blocked_from_plain (&kernels, n, k, p, q, point.residual_halo, residual, other);
    }
    const int rows = n * p, middle = g_rand_int_range (random, 0, rows + 1);
    separable (&layer, from, other, y, buffer, middle, rows);
    separable (&layer, from, other, y, buffer, 0, middle);
    mien_blocked_to_plain (&kernels, n, k, p, q, point.y_halo, y, got);
    g_autofree char *context = g_strdup_printf ("round %d: c=%d %dx%d halo %d kernel %d stride %d,%d dilation %d pad %d k=%d halo %d rows %d", round, c,
                                                depth.h, depth.w, depth.x_halo, depth.r, depth.stride_h, depth.stride_w, depth.dilation_h, depth.pad_top, k,
                                                point.y_halo, layer.n_rows);
    mien_check_near (want, got, magnitude, n_y, (depth.r * depth.s + c + 8) * FLT_EPSILON + (bf16 || tiles ? 1 / 100.0 : 0), context);
    mien_check_borders (&kernels, &point, elem, got, y);
    mien_check_clear (check);
  }
}

static void
check_separable (MienCheck *check)
{
  check_separable_of (check, mien_blocked_kernels_init, FALSE);
}

static void
check_separable_bf16 (MienCheck *check)
{
  check_separable_of (check, mien_blocked_kernels_init_bf16, FALSE);
}

static void
check_separable_widened (MienCheck *check)
{
  check_separable_of (check, mien_blocked_kernels_init_widened, FALSE);
}

static void
check_separable_tiles (MienCheck *check)
{
  check_separable_of (check, mien_blocked_kernels_init, TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  mien_check_add ("separable", check_separable);
  mien_check_add ("separable-bf16", check_separable_bf16);
  mien_check_add ("separable-widened", check_separable_widened);
  mien_check_add ("separable-tiles", check_separable_tiles);
  return g_test_run ();
}
