/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolution against the formula, written out in double precision, over random shapes: forward, both gradients. */
#include "kernels/mien-check.h"
#include "kernels/mien-conv.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static MienConvShape
random_shape (MienCheck *check)
{
  MienConvShape shape = { .inflate_h = 1, .inflate_w = 1 };
  GRand *random = check->random;

  do {
    shape.groups = g_rand_int_range (random, 0, 3) == 0 ? g_rand_int_range (random, 1, 5) : 1;
    shape.n = g_rand_int_range (random, 1, 4);
    shape.c = shape.groups * g_rand_int_range (random, 1, 10);
    shape.k = shape.groups * mien_check_size (check, 1, 33);
    shape.h = g_rand_int_range (random, 1, 20);
    shape.w = mien_check_size (check, 1, 70);
    shape.r = g_rand_int_range (random, 1, 6);
    shape.s = g_rand_int_range (random, 1, 6);
    shape.stride_h = g_rand_int_range (random, 1, 4);
    shape.stride_w = g_rand_int_range (random, 1, 4);
    shape.dilation_h = g_rand_int_range (random, 1, 3);
    shape.dilation_w = g_rand_int_range (random, 1, 3);
    shape.pad_top = g_rand_int_range (random, 0, 4);
    shape.pad_left = g_rand_int_range (random, 0, 4);
    shape.p = (shape.h + shape.pad_top + g_rand_int_range (random, 0, 4) - (shape.r - 1) * shape.dilation_h - 1) / shape.stride_h + 1;
    shape.q = (shape.w + shape.pad_left + g_rand_int_range (random, 0, 4) - (shape.s - 1) * shape.dilation_w - 1) / shape.stride_w + 1;
  } while (shape.p < 1 || shape.q < 1);
  return shape;
}

/* Calls body for each product of the formula with the flat indices of x, w and y. */
#define FOR_EACH_PRODUCT(shape, ...)                                                                                     \
  for (int n = 0; n < (shape)->n; n++)                                                                                    \
    for (int k = 0; k < (shape)->k; k++)                                                                                  \
      for (int p = 0; p < (shape)->p; p++)                                                                                \
        for (int q = 0; q < (shape)->q; q++)                                                                              \
          for (int c = 0; c < (shape)->c / (shape)->groups; c++)                                                          \
            for (int r = 0; r < (shape)->r; r++)                                                                          \
              for (int s = 0; s < (shape)->s; s++) {                                                                      \
                const int h = p * (shape)->stride_h + r * (shape)->dilation_h - (shape)->pad_top;                         \
                const int w_ = q * (shape)->stride_w + s * (shape)->dilation_w - (shape)->pad_left;                       \
                const int g = k / ((shape)->k / (shape)->groups), cg = (shape)->c / (shape)->groups;                      \
                const gsize ix = (((gsize) n * (shape)->c + g * cg + c) * (shape)->h + h) * (shape)->w + w_;              \
                const gsize iw = (((gsize) k * cg + c) * (shape)->r + r) * (shape)->s + s;                                \
                const gsize iy = (((gsize) n * (shape)->k + k) * (shape)->p + p) * (shape)->q + q;                        \
                if (h >= 0 && h < (shape)->h && w_ >= 0 && w_ < (shape)->w) {                                             \
                  __VA_ARGS__                                                                                             \
                }                                                                                                         \
              }

typedef struct {
  double *sum, *magnitude;
  float *want;
} Reference;

static Reference
reference_new (gsize n)
{
  return (Reference) { g_new0 (double, n), g_new0 (double, n), g_new (float, n) };
}

static void
reference_check (Reference *self, const float *got, gsize n, gsize n_terms, const char *context)
{
  for (gsize i = 0; i < n; i++)
    self->want[i] = (float) self->sum[i];
  /* Each of the n terms may round twice; the sums are of the magnitudes. */
  mien_check_near (self->want, got, self->magnitude, n, ((double) n_terms + 4) * FLT_EPSILON, context);
  g_free (self->sum);
  g_free (self->magnitude);
  g_free (self->want);
}

static void
check_conv (MienCheck *check)
{
  MienGemmKernels gemm;
  MienThreads *threads = mien_threads_new (2);

  mien_gemm_kernels_init (&gemm, check->cpu);
  for (int round = 0; round < 60; round++) {
    const MienConvShape shape = random_shape (check), grad = mien_conv_grad_x_shape (&shape);
    const gsize n_x = (gsize) shape.n * shape.c * shape.h * shape.w, n_y = (gsize) shape.n * shape.k * shape.p * shape.q;
    const gsize n_w = (gsize) shape.k * (shape.c / shape.groups) * shape.r * shape.s, rs = (gsize) shape.r * shape.s;
    MienThreads *pool = round % 2 == 0 ? threads : NULL;
    const float lo = round % 3 == 0 ? 0 : -INFINITY;
    const float *x = mien_check_input (check, n_x), *w = mien_check_input (check, n_w), *bias = mien_check_input (check, shape.k);
    const float *dy = mien_check_input (check, n_y);
    float *y = mien_check_output (check, n_y), *dx = mien_check_output (check, n_x), *dw = mien_check_output (check, n_w);
    float *db = mien_check_output (check, shape.k);
    g_autofree char *context =
      g_strdup_printf ("round %d: n=%d c=%d %dx%d k=%d %dx%d kernel %dx%d groups %d stride %d,%d dilation %d,%d pad %d,%d", round, shape.n,
                       shape.c, shape.h, shape.w, shape.k, shape.p, shape.q, shape.r, shape.s, shape.groups, shape.stride_h,
                       shape.stride_w, shape.dilation_h, shape.dilation_w, shape.pad_top, shape.pad_left);
    Reference want_y = reference_new (n_y), want_dx = reference_new (n_x), want_dw = reference_new (n_w), want_db = reference_new (shape.k);

    g_assert_true (mien_conv_shape_is_valid (&shape) && mien_conv_shape_is_valid (&grad));
    for (gsize i = 0; i < n_y; i++) {
      const int k = (int) (i / ((gsize) shape.p * shape.q) % shape.k);
      want_y.sum[i] = bias[k];
      want_y.magnitude[i] = fabs (bias[k]);
      want_db.sum[k] += dy[i];
      want_db.magnitude[k] += fabs (dy[i]);
    }
    FOR_EACH_PRODUCT (&shape, {
      want_y.sum[iy] += (double) x[ix] * w[iw];
      want_y.magnitude[iy] += fabs ((double) x[ix] * w[iw]);
      want_dx.sum[ix] += (double) dy[iy] * w[iw];
      want_dx.magnitude[ix] += fabs ((double) dy[iy] * w[iw]);
      want_dw.sum[iw] += (double) dy[iy] * x[ix];
      want_dw.magnitude[iw] += fabs ((double) dy[iy] * x[ix]);
    });
    for (gsize i = 0; i < n_y; i++)
      want_y.sum[i] = MAX (want_y.sum[i], lo);

    float *packed = mien_check_output (check, MAX (mien_conv_packed_size (&gemm, &shape), mien_conv_packed_size (&gemm, &grad)));
    const gsize scratch_bytes = MAX (MAX (mien_conv_scratch (&gemm, &shape, 2), mien_conv_scratch (&gemm, &grad, 2)),
                                     mien_conv_grad_w_scratch (&gemm, &shape, 2));
    void *scratch = aligned_alloc (64, (scratch_bytes + 63) / 64 * 64);
    memset (scratch, 0xff, scratch_bytes);

    mien_conv_pack (&gemm, &shape, w, packed);
    mien_conv_f32 (&gemm, &shape, x, packed, bias, lo, INFINITY, y, scratch, pool);
    reference_check (&want_y, y, n_y, shape.c / shape.groups * rs + 1, context);

    mien_conv_pack_transposed (&gemm, &grad, w, packed);
    mien_conv_f32 (&gemm, &grad, dy, packed, NULL, -INFINITY, INFINITY, dx, scratch, pool);
    reference_check (&want_dx, dx, n_x, shape.k / shape.groups * rs, context);

    mien_conv_grad_w_f32 (&gemm, &shape, x, dy, dw, db, scratch, pool);
    reference_check (&want_dw, dw, n_w, (gsize) shape.n * shape.p * shape.q, context);
    reference_check (&want_db, db, shape.k, (gsize) shape.n * shape.p * shape.q, context);
    free (scratch);
    mien_check_clear (check);
  }
  mien_threads_free (threads);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  mien_check_add ("conv", check_conv);
  return g_test_run ();
}
