/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gradients on blocked tensors against the formulas. Small whole numbers are exact in bfloat16 and so are their sums in f32: gradients of weights
 * and pools must agree to the last bit. Normalisation is compared in double precision. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/mien-backward.h"
#include "mien-test.h"

typedef struct {
  MienBlockedKernels blocked;
  MienBackwardKernels backward;
  GRand *random;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  const int code = GPOINTER_TO_INT (data);

  if (code >= 768) {
    mien_blocked_kernels_init_widened (&self->blocked, code & 0xff);
    mien_backward_kernels_init_widened (&self->backward, code & 0xff);
  } else if (code >= 512) {
    mien_blocked_kernels_init_tiles (&self->blocked, code & 0xff);
    mien_backward_kernels_init_tiles (&self->backward, code & 0xff);
  } else if (code >= 256) {
    mien_blocked_kernels_init_bf16 (&self->blocked, code & 0xff);
    mien_backward_kernels_init_bf16 (&self->backward, code & 0xff);
  } else {
    mien_blocked_kernels_init (&self->blocked, code);
    mien_backward_kernels_init (&self->backward, code);
  }
  self->random = g_rand_new_with_seed (7);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_rand_free (self->random);
}

static float *
whole_numbers (Fixture *self, gsize n)
{
  float *x = g_new (float, n);

  for (gsize i = 0; i < n; i++)
    x[i] = (float) g_rand_int_range (self->random, -3, 4);
  return x;
}

static void *
aligned_new0 (gsize n_bytes)
{
  void *memory = aligned_alloc (64, (n_bytes + 127) / 64 * 64);

  g_assert_nonnull (memory);
  memset (memory, 0, (n_bytes + 127) / 64 * 64);
  return memory;
}

static void *
to_blocked (const Fixture *self, int n, int c, int h, int w, int halo, const float *plain)
{
  void *blocked = aligned_new0 (mien_blocked_size (self->blocked.lanes, n, c, h, w, halo) * sizeof (float));

  mien_blocked_from_plain (&self->blocked, n, c, h, w, halo, plain, blocked);
  return blocked;
}

static MienBlockedShape
random_shape (Fixture *self, gboolean stem)
{
  GRand *random = self->random;
  MienBlockedShape shape = {
    .n = g_rand_int_range (random, 1, 5),
    .c = stem ? g_rand_int_range (random, 1, 4) : g_rand_int_range (random, 1, 70),
    .h = g_rand_int_range (random, 4, 20),
    .w = g_rand_int_range (random, 4, 40),
    .k = g_rand_int_range (random, 1, 140),
    .r = g_rand_boolean (random) ? 3 : 1 + 2 * g_rand_int_range (random, 0, 3),
    .stride_h = g_rand_int_range (random, 1, 3),
    .dilation_h = 1,
    .dilation_w = 1,
    .y_halo = g_rand_int_range (random, 0, 3),
  };

  shape.s = shape.r;
  shape.stride_w = shape.stride_h;
  shape.pad_top = shape.pad_left = shape.r / 2;
  shape.x_halo = stem ? 0 : shape.r / 2 + g_rand_int_range (random, 0, 2);
  shape.p = (shape.h - 1) / shape.stride_h + 1;
  shape.q = (shape.w - 1) / shape.stride_w + 1;
  return shape;
}

static double
weight_gradient (const MienBlockedShape *shape, const float *x, const float *dy, int k, int c, int r, int s)
{
  double sum = 0;

  for (int n = 0; n < shape->n; n++)
    for (int p = 0; p < shape->p; p++)
      for (int q = 0; q < shape->q; q++) {
        const int i = p * shape->stride_h + r * shape->dilation_h - shape->pad_top, j = q * shape->stride_w + s * shape->dilation_w - shape->pad_left;
        if (i >= 0 && i < shape->h && j >= 0 && j < shape->w)
          sum += (double) x[(((gsize) n * shape->c + c) * shape->h + i) * shape->w + j] * dy[(((gsize) n * shape->k + k) * shape->p + p) * shape->q + q];
      }
  return sum;
}

static void
check_weights (Fixture *self, MienBlockedShape shape, gboolean stem)
{
  g_autofree float *x = whole_numbers (self, (gsize) shape.n * shape.c * shape.h * shape.w);
  g_autofree float *dy = whole_numbers (self, (gsize) shape.n * shape.k * shape.p * shape.q);
  g_autofree float *got = g_new (float, (gsize) shape.k * shape.c * shape.r * shape.s);
  const gsize size = stem ? mien_blocked_stem_size (&self->blocked, &shape) : mien_blocked_conv_size (&self->blocked, &shape);
  void *blocked_x = to_blocked (self, shape.n, shape.c, shape.h, shape.w, shape.x_halo, x);
  void *blocked_dy = to_blocked (self, shape.n, shape.k, shape.p, shape.q, shape.y_halo, dy);
  void *scratch = aligned_new0 (mien_backward_scratch (&self->backward, &shape));
  float *parts = aligned_new0 (2 * size * sizeof (float));
  const int middle = shape.n / 2;

  if (stem) {
    self->backward.stem_grad (&shape, x, blocked_dy, 0, middle, parts);
    self->backward.stem_grad (&shape, x, blocked_dy, middle, shape.n, parts + size);
    mien_backward_unpack_stem (&self->blocked, &shape, parts, 2, size, got);
  } else {
    self->backward.conv_grad (&shape, blocked_x, blocked_dy, 0, middle, scratch, parts);
    self->backward.conv_grad (&shape, blocked_x, blocked_dy, middle, shape.n, scratch, parts + size);
    mien_backward_unpack_conv (&self->backward, &self->blocked, &shape, parts, 2, size, got);
  }
  for (int i = 0; i < 300; i++) {
    const int k = g_rand_int_range (self->random, 0, shape.k), c = g_rand_int_range (self->random, 0, shape.c);
    const int r = g_rand_int_range (self->random, 0, shape.r), s = g_rand_int_range (self->random, 0, shape.s);
    g_assert_cmpfloat (got[(((gsize) k * shape.c + c) * shape.r + r) * shape.s + s], ==, weight_gradient (&shape, x, dy, k, c, r, s));
  }
  free (blocked_x);
  free (blocked_dy);
  free (scratch);
  free (parts);
}

static void
test_conv (Fixture *self, gconstpointer data)
{
  for (int i = 0; i < 60; i++)
    check_weights (self, random_shape (self, FALSE), FALSE);
}

/* So many channels, or so large pictures, that they are worked on piece by piece. */
static void
test_large (Fixture *self, gconstpointer data)
{
  static const MienBlockedShape shapes[] = {
    { .n = 3, .c = 170, .h = 7, .w = 5, .x_halo = 1, .k = 300, .p = 7, .q = 5, .y_halo = 1, .r = 3, .s = 3, .stride_h = 1, .stride_w = 1,
      .dilation_h = 1, .dilation_w = 1, .pad_top = 1, .pad_left = 1 },
    { .n = 2, .c = 40, .h = 90, .w = 151, .x_halo = 1, .k = 70, .p = 90, .q = 151, .y_halo = 1, .r = 3, .s = 3, .stride_h = 1, .stride_w = 1,
      .dilation_h = 1, .dilation_w = 1, .pad_top = 1, .pad_left = 1 },
    { .n = 2, .c = 70, .h = 95, .w = 120, .x_halo = 2, .k = 20, .p = 48, .q = 60, .y_halo = 1, .r = 5, .s = 3, .stride_h = 2, .stride_w = 2,
      .dilation_h = 1, .dilation_w = 1, .pad_top = 2, .pad_left = 1 },
    { .n = 40, .c = 33, .h = 3, .w = 3, .x_halo = 2, .k = 20, .p = 3, .q = 3, .y_halo = 0, .r = 3, .s = 3, .stride_h = 1, .stride_w = 1,
      .dilation_h = 2, .dilation_w = 2, .pad_top = 2, .pad_left = 2 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++)
    check_weights (self, shapes[i], FALSE);
}

static void
test_stem (Fixture *self, gconstpointer data)
{
  for (int i = 0; i < 40; i++)
    check_weights (self, random_shape (self, TRUE), TRUE);
}

static MienPlanes
random_planes (Fixture *self)
{
  return (MienPlanes) {
    .n = g_rand_int_range (self->random, 1, 4),
    .c = g_rand_int_range (self->random, 1, 40),
    .h = g_rand_int_range (self->random, 2, 13),
    .w = g_rand_int_range (self->random, 2, 13),
    .halo = g_rand_int_range (self->random, 0, 3),
  };
}

/* The halo and the spare channels, which the next layer reads, must be 0. */
static float *
to_plain (const Fixture *self, const MienPlanes *planes, const void *blocked)
{
  const gsize n_plain = (gsize) planes->n * planes->c * planes->h * planes->w;
  const gsize n_blocked = mien_blocked_size (self->blocked.lanes, planes->n, planes->c, planes->h, planes->w, planes->halo);
  float *plain = g_new (float, n_plain);

  mien_blocked_to_plain (&self->blocked, planes->n, planes->c, planes->h, planes->w, planes->halo, blocked, plain);
  void *again = to_blocked (self, planes->n, planes->c, planes->h, planes->w, planes->halo, plain);
  g_assert_cmpmem (blocked, n_blocked * (self->blocked.bf16 ? 2 : 4), again, n_blocked * (self->blocked.bf16 ? 2 : 4));
  free (again);
  return plain;
}

static void *
dirty_new (const Fixture *self, const MienPlanes *planes)
{
  const gsize n_bytes = mien_blocked_size (self->blocked.lanes, planes->n, planes->c, planes->h, planes->w, planes->halo) * (self->blocked.bf16 ? 2 : 4);
  void *memory = aligned_new0 (n_bytes);

  memset (memory, 0x3f, n_bytes);
  return memory;
}

static void
test_pools (Fixture *self, gconstpointer data)
{
  for (int i = 0; i < 40; i++) {
    const MienPlanes planes = random_planes (self);
    const int h = planes.h / 2, w = planes.w / 2, n_planes = planes.n * planes.c, area = planes.h * planes.w;
    g_autofree float *x = whole_numbers (self, (gsize) n_planes * area), *dy = whole_numbers (self, (gsize) n_planes * h * w);
    g_autofree float *means = whole_numbers (self, n_planes);
    void *blocked_x = to_blocked (self, planes.n, planes.c, planes.h, planes.w, planes.halo, x);
    void *blocked_dy = to_blocked (self, planes.n, planes.c, h, w, planes.halo, dy);
    void *dx = dirty_new (self, &planes);

    const gboolean rectified = i % 2 == 1;
    self->backward.max_pool_grad (&planes, blocked_x, blocked_dy, rectified, dx, 0, planes.n);
    g_autofree float *got = to_plain (self, &planes, dx);
    for (int k = 0; k < n_planes; k++) {
      g_autofree float *want = g_new0 (float, area);
      for (int p = 0; p < h; p++)
        for (int q = 0; q < w; q++) {
          int most = 2 * p * planes.w + 2 * q;
          const int places[] = { most, most + 1, most + planes.w, most + planes.w + 1 };
          for (int j = 1; j < 4; j++)
            if (x[k * area + places[j]] > x[k * area + most])
              most = places[j];
          want[most] = rectified && x[k * area + most] <= 0 ? 0 : dy[(k * h + p) * w + q];
        }
      for (int j = 0; j < area; j++)
        g_assert_cmpfloat (got[k * area + j], ==, want[j]);
    }
    self->backward.average_grad (&planes, means, dx, 0, planes.n);
    g_autofree float *spread = to_plain (self, &planes, dx);
    for (int j = 0; j < n_planes * area; j++)
      g_assert_cmpfloat_with_epsilon (spread[j], means[j / area] / (float) area, fabs (means[j / area] / (float) area) / (self->blocked.bf16 ? 256 : 1e6) + 1e-30);
    free (blocked_x);
    free (blocked_dy);
    free (dx);
  }
}

/* y = max (x * scale + shift + residual, 0), its moments and its gradient. */
static void
test_norm (Fixture *self, gconstpointer data)
{
  const double rounding = self->blocked.bf16 ? 1 / 256.0 : 1e-6;

  for (int i = 0; i < 40; i++) {
    const MienPlanes planes = random_planes (self);
    const int area = planes.h * planes.w, spare = (planes.c + self->blocked.lanes - 1) / self->blocked.lanes * self->blocked.lanes;
    const gsize n = (gsize) planes.n * planes.c * area;
    const gboolean with_residual = g_rand_boolean (self->random);
    g_autofree float *x = whole_numbers (self, n), *residual = whole_numbers (self, n), *dy = whole_numbers (self, n);
    g_autofree float *scale = g_new0 (float, spare), *shift = g_new0 (float, spare), *mean = g_new0 (float, spare);
    g_autofree float *a = g_new0 (float, spare), *b = g_new0 (float, spare), *c = g_new0 (float, spare);
    g_autofree double *sums = g_new0 (double, 2 * spare);
    void *blocked_x = to_blocked (self, planes.n, planes.c, planes.h, planes.w, planes.halo, x);
    void *blocked_residual = to_blocked (self, planes.n, planes.c, planes.h, planes.w, planes.halo, residual);
    void *blocked_dy = to_blocked (self, planes.n, planes.c, planes.h, planes.w, planes.halo, dy);
    void *y = dirty_new (self, &planes), *dx = dirty_new (self, &planes), *dresidual = dirty_new (self, &planes);

    for (int k = 0; k < planes.c; k++) {
      scale[k] = (float) g_rand_double_range (self->random, 0.5, 2);
      shift[k] = (float) g_rand_double_range (self->random, -1, 1);
      mean[k] = (float) g_rand_int_range (self->random, -1, 2);
      a[k] = (float) g_rand_double_range (self->random, -1, 1);
      b[k] = (float) g_rand_double_range (self->random, -1, 1);
      c[k] = (float) g_rand_double_range (self->random, -1, 1);
    }
    const MienNormArgs args = { blocked_x, with_residual ? blocked_residual : NULL, scale, shift, 0, y };
    const MienNormGradArgs grad = { blocked_x, with_residual ? y : NULL, blocked_dy, scale, shift, mean, a, b, c, TRUE, dx, with_residual ? dresidual : NULL };
    self->backward.moments (&planes, blocked_x, 0, planes.n, sums);
    self->backward.normalise (&planes, &args, 0, planes.n);
    for (int k = 0; k < planes.c; k++) {
      double sum = 0, squares = 0;
      for (gsize j = 0; j < n; j++)
        if ((int) (j / area) % planes.c == k) {
          sum += x[j];
          squares += x[j] * x[j];
        }
      g_assert_cmpfloat (sums[k], ==, sum);
      g_assert_cmpfloat (sums[spare + k], ==, squares);
    }
    memset (sums, 0, 2 * spare * sizeof *sums);
    self->backward.grad_moments (&planes, &grad, 0, planes.n, sums);
    self->backward.norm_grad (&planes, &grad, 0, planes.n);
    g_autofree float *got_y = to_plain (self, &planes, y), *got_dx = to_plain (self, &planes, dx);
    g_autofree float *got_dresidual = with_residual ? to_plain (self, &planes, dresidual) : NULL;
    g_autofree double *want = g_new0 (double, 2 * spare);
    for (gsize j = 0; j < n; j++) {
      const int k = (int) (j / area) % planes.c;
      const double z = (double) x[j] * scale[k] + shift[k] + (with_residual ? residual[j] : 0), dz = z > 0 ? dy[j] : 0;
      g_assert_cmpfloat_with_epsilon (got_y[j], MAX (z, 0), rounding * (fabs (z) + 8));
      g_assert_cmpfloat_with_epsilon (got_dx[j], dz * a[k] + x[j] * b[k] + c[k], rounding * 8);
      if (with_residual)
        g_assert_cmpfloat (got_dresidual[j], ==, dz);
      want[k] += dz;
      want[spare + k] += dz * (x[j] - mean[k]);
    }
    for (int k = 0; k < 2 * spare; k++)
      g_assert_cmpfloat (sums[k], ==, want[k]);
    free (blocked_x);
    free (blocked_residual);
    free (blocked_dy);
    free (y);
    free (dx);
    free (dresidual);
  }
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *name;
    void (*test) (Fixture *self, gconstpointer data);
  } tests[] = { { "conv", test_conv }, { "large", test_large }, { "stem", test_stem }, { "pools", test_pools }, { "norm", test_norm } };
  static const struct {
    const char *name;
    void (*init) (MienBackwardKernels *self, MienCpuLevel cpu);
  } forms[] = {
    { "f32", mien_backward_kernels_init },
    { "bf16", mien_backward_kernels_init_bf16 },
    { "tiles", mien_backward_kernels_init_tiles },
    { "widened", mien_backward_kernels_init_widened },
  };

  g_test_init (&argc, &argv, NULL);
  for (int cpu = 0; cpu <= (int) mien_cpu_detect (); cpu++) {
    for (gsize form = 0; form < G_N_ELEMENTS (forms); form++) {
      MienBackwardKernels kernels;
      forms[form].init (&kernels, cpu);
      for (gsize i = 0; i < G_N_ELEMENTS (tests) && kernels.lanes > 0; i++) {
        g_autofree char *path = g_strdup_printf ("/kernels/backward/%s/%s/%s", forms[form].name, mien_cpu_level_name (cpu), tests[i].name);
        g_test_add (path, Fixture, GINT_TO_POINTER (cpu + 256 * (int) form), set_up, tests[i].test, tear_down);
      }
    }
  }
  return g_test_run ();
}
