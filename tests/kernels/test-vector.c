/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loops over vectors against their formulas, over sizes around the vectors' length. */
#include "kernels/mien-check.h"
#include "kernels/mien-vector.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define EPS (8 * FLT_EPSILON)

static void
check_maps (MienCheck *check)
{
  MienVectorKernels k;

  mien_vector_kernels_init (&k, check->cpu);
  for (int round = 0; round < 60; round++) {
    const gsize n = mien_check_size (check, 0, 300);
    const float *x = mien_check_input (check, n), *z = mien_check_input (check, n);
    float *want = mien_check_output (check, n), *got = mien_check_output (check, n);
    g_autofree double *size = g_new (double, n + 1);

    for (gsize i = 0; i < n; i++)
      want[i] = x[i] + z[i];
    k.add_f32 (got, x, z, n);
    mien_check_near (want, got, NULL, n, 0, "add");

    for (gsize i = 0; i < n; i++)
      want[i] = x[i] > 0 ? x[i] : 0;
    k.relu_f32 (got, x, n);
    mien_check_near (want, got, NULL, n, 0, "relu");

    for (gsize i = 0; i < n; i++)
      want[i] = x[i] > 0 ? z[i] : 0;
    k.relu_grad_f32 (got, x, z, n);
    mien_check_near (want, got, NULL, n, 0, "relu_grad");

    for (gsize i = 0; i < n; i++) {
      want[i] = (float) fmax ((double) x[i] * 1.7f + 0.3f, 0.1f);
      size[i] = fabs (x[i] * 1.7) + 0.4;
    }
    k.scale_shift_f32 (got, x, 1.7f, 0.3f, 0.1f, n);
    mien_check_near (want, got, size, n, EPS, "scale_shift");

    for (gsize i = 0; i < n; i++) {
      want[i] = (float) ((double) x[i] * 0.5f + (double) z[i] * -1.25f + 0.75f);
      size[i] = fabs (x[i] * 0.5) + fabs (z[i] * 1.25) + 0.75;
    }
    k.blend_f32 (got, x, z, 0.5f, -1.25f, 0.75f, n);
    mien_check_near (want, got, size, n, EPS, "blend");
    mien_check_clear (check);
  }
}

static void
check_nan (MienCheck *check)
{
  MienVectorKernels k;
  float x[19], y[19];

  mien_vector_kernels_init (&k, check->cpu);
  for (int i = 0; i < 19; i++)
    x[i] = NAN;
  k.relu_f32 (y, x, 19);
  for (int i = 0; i < 19; i++)
    g_assert_true (isnan (y[i]));
}

static void
check_moments (MienCheck *check)
{
  MienVectorKernels k;

  mien_vector_kernels_init (&k, check->cpu);
  for (int round = 0; round < 40; round++) {
    const gsize n = round == 0 ? 10007 : mien_check_size (check, 0, 3000);
    const float *x = mien_check_input (check, n), *dy = mien_check_input (check, n);
    double got[2] = { 1, 2 }, got_grad[2] = { 3, 4 }, want[4] = { 1, 2, 3, 4 }, size[4] = { 1, 2, 3, 4 };

    for (gsize i = 0; i < n; i++) {
      const double d = (double) x[i] - 0.25;
      want[0] += x[i], size[0] += fabs (x[i]);
      want[1] += d * d, size[1] += d * d;
      want[2] += dy[i], size[2] += fabs (dy[i]);
      want[3] += dy[i] * d, size[3] += fabs (dy[i] * d);
    }
    k.moments_f32 (x, 0.25f, n, got);
    k.moments_grad_f32 (dy, x, 0.25f, n, got_grad);
    for (int i = 0; i < 2; i++) {
      g_assert_cmpfloat_with_epsilon (got[i], want[i], size[i] * 64 * FLT_EPSILON);
      g_assert_cmpfloat_with_epsilon (got_grad[i], want[2 + i], size[2 + i] * 64 * FLT_EPSILON);
    }
    mien_check_clear (check);
  }
}

/* Few different values, so that ties are common; the first of the four in reading order gets the gradient. */
static void
check_max_2x2 (MienCheck *check)
{
  MienVectorKernels k;

  mien_vector_kernels_init (&k, check->cpu);
  for (int round = 0; round < 40; round++) {
    const gsize n = mien_check_size (check, 0, 70);
    float *a = mien_check_output (check, 2 * n), *b = mien_check_output (check, 2 * n), *y = mien_check_output (check, n);
    float *da = mien_check_output (check, 2 * n), *db = mien_check_output (check, 2 * n);
    const float *dy = mien_check_input (check, n);

    for (gsize i = 0; i < 2 * n; i++) {
      a[i] = (float) g_rand_int_range (check->random, -2, 3);
      b[i] = (float) g_rand_int_range (check->random, -2, 3);
    }
    k.max_2x2_f32 (y, a, b, n);
    k.max_2x2_grad_f32 (da, db, a, b, dy, n);
    for (gsize i = 0; i < n; i++) {
      const float x[] = { a[2 * i], a[2 * i + 1], b[2 * i], b[2 * i + 1] }, d[] = { da[2 * i], da[2 * i + 1], db[2 * i], db[2 * i + 1] };
      int best = 0;
      for (int j = 1; j < 4; j++)
        if (x[j] > x[best])
          best = j;
      g_assert_cmpfloat (y[i], ==, x[best]);
      for (int j = 0; j < 4; j++)
        g_assert_cmpfloat (d[j], ==, j == best ? dy[i] : 0);
    }
    mien_check_clear (check);
  }
}

static void
check_sgd (MienCheck *check)
{
  const MienSgdStep step = { .lr = 0.1f, .momentum = 0.9f, .decay = 0.01f, .ema = 0.75f };
  MienVectorKernels k;

  mien_vector_kernels_init (&k, check->cpu);
  for (int round = 0; round < 30; round++) {
    const gsize n = mien_check_size (check, 0, 200);
    const float *g = mien_check_input (check, n);
    float *w = mien_check_input (check, n), *v = mien_check_input (check, n), *average = round % 2 == 0 ? mien_check_input (check, n) : NULL;
    float *want_w = mien_check_output (check, n), *want_v = mien_check_output (check, n), *want_a = mien_check_output (check, n);
    g_autofree double *size = g_new (double, n + 1);

    for (gsize i = 0; i < n; i++) {
      const double velocity = 0.9f * (double) v[i] + g[i];
      const double weight = w[i] * (1 - 0.1f * 0.01f) - 0.1f * (g[i] + 0.9f * velocity);
      size[i] = fabs (w[i]) + fabs (v[i]) + fabs (g[i]) + (average != NULL ? fabs (average[i]) : 0);
      want_v[i] = (float) velocity;
      want_w[i] = (float) weight;
      want_a[i] = average != NULL ? (float) (0.75 * average[i] + 0.25 * weight) : 0;
    }
    k.sgd_f32 (w, v, average, g, n, &step);
    mien_check_near (want_v, v, size, n, EPS, "velocity");
    mien_check_near (want_w, w, size, n, EPS, "weights");
    if (average != NULL)
      mien_check_near (want_a, average, size, n, EPS, "average");
    mien_check_clear (check);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  mien_check_add ("vector/maps", check_maps);
  mien_check_add ("vector/nan", check_nan);
  mien_check_add ("vector/moments", check_moments);
  mien_check_add ("vector/max-2x2", check_max_2x2);
  mien_check_add ("vector/sgd", check_sgd);
  return g_test_run ();
}
