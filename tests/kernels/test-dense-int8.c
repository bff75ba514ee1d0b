/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dense layers with weights of 8 bits against the formula in double precision: numbers that they hold exactly, and any numbers within what rounding
 * may do. */
#include "kernels/mien-blocked.h"
#include "kernels/mien-check.h"
#include "kernels/mien-dense-int8.h"

#include <float.h>
#include <math.h>

enum { BLOCK = MIEN_DENSE_INT8_BLOCK };

typedef struct {
  MienCheck *check;
  MienDenseInt8Kernels kernels;
  MienDenseShape shape;
  int step_k, step_n;
  int *order; /* or NULL */
  float *x, *w, *bias, *y;
} Case;

static int
place_of (const Case *self, int k)
{
  return self->order != NULL ? self->order[k] : k;
}

static float
weight_at (const Case *self, int k, int n)
{
  return place_of (self, k) < 0 ? 0 : self->w[place_of (self, k) * self->step_k + n * self->step_n];
}

static void
run (Case *self, MienThreads *threads)
{
  const int k = self->shape.k;
  unsigned short *bf16 = (unsigned short *) mien_check_output (self->check, (k + 1) / 2);
  guint8 *whole = (guint8 *) mien_check_output (self->check, (mien_dense_int8_input_bytes (k) + 3) / 4);
  void *packed = mien_check_output (self->check, (mien_dense_int8_packed_bytes (&self->kernels, &self->shape) + 3) / 4);

  for (int i = 0; i < k; i++) {
    bf16[i] = mien_bf16_from_float (self->x[i]);
    self->x[i] = mien_bf16_to_float (bf16[i]);
  }
  const float scale = self->kernels.quantise (whole, bf16, k);
  for (int i = 0; i < k; i++) {
    const guint8 *four = whole + i / 4 * 8;
    const int number = 256 * four[i % 4] + four[4 + i % 4] - MIEN_DENSE_INT8_ZERO;
    g_assert_cmpfloat (fabs (number * (double) scale - self->x[i]), <=, (0.5 + 32768 * FLT_EPSILON) * scale);
  }
  /* In two parts, as weights come out of a file. */
  MienDenseShape before = self->shape, rest = self->shape;
  before.n = g_rand_int_range (self->check->random, 0, (self->shape.n + self->kernels.width - 1) / self->kernels.width) * self->kernels.width;
  rest.n -= before.n;
  mien_dense_int8_pack (&self->kernels, &before, self->w, self->step_k, self->step_n, self->order, packed);
  mien_dense_int8_pack (&self->kernels, &rest, self->w + before.n * self->step_n, self->step_k, self->step_n, self->order,
                        (char *) packed + mien_dense_int8_packed_bytes (&self->kernels, &before));
  mien_dense_int8_run (&self->kernels, &self->shape, whole, scale, packed, self->bias, self->y, threads);
}

/* exact: no rounding but that of sums; else half a step of every weight and every input. */
static void
compare (const Case *self, gboolean exact)
{
  for (int n = 0; n < self->shape.n; n++) {
    double sum = self->bias != NULL ? self->bias[n] : 0, size = fabs (sum), may = 0, largest_x = 0;
    for (int k = 0; k < self->shape.k; k++)
      largest_x = MAX (largest_x, fabsf (self->x[k]));
    for (int first = 0; first < self->shape.k; first += BLOCK) {
      double largest = 0;
      for (int k = first; k < MIN (first + BLOCK, self->shape.k); k++)
        largest = MAX (largest, fabsf (weight_at (self, k, n)));
      for (int k = first; k < MIN (first + BLOCK, self->shape.k); k++) {
        const double product = (double) self->x[k] * weight_at (self, k, n);
        sum += product;
        size += fabs (product);
        may += fabsf (self->x[k]) * largest / 254 + largest_x / 65534 * (largest + fabsf (weight_at (self, k, n)));
      }
    }
    sum = MIN (MAX (sum, self->shape.lo), self->shape.hi);
    g_assert_cmpfloat (fabs (self->y[n] - sum), <=, (exact ? 0 : may) + 64 * FLT_EPSILON * size);
  }
}

/* Inputs of 0 and the largest; whole numbers of 64ths as weights, the largest of every block and column 127 of them. */
static void
make_exact (Case *self)
{
  GRand *random = self->check->random;
  int largest = -1; /* the block that has one */

  for (int k = 0; k < self->shape.k; k++)
    self->x[k] = (float) (127 * g_rand_int_range (random, -1, 2));
  for (int i = 0; i < self->shape.n * self->shape.k; i++)
    self->w[i] = (float) g_rand_int_range (random, -127, 128) / 64;
  for (int k = 0; k < self->shape.k; k++) {
    if (place_of (self, k) < 0 || k / BLOCK == largest)
      continue;
    largest = k / BLOCK;
    for (int n = 0; n < self->shape.n; n++)
      self->w[place_of (self, k) * self->step_k + n * self->step_n] = (k + n) % 2 == 0 ? 127.0f / 64 : -127.0f / 64;
  }
}

static void
check_dense_int8 (MienCheck *check)
{
  Case self = { check };
  MienThreads *threads = mien_threads_new (2);

  mien_dense_int8_kernels_init (&self.kernels, check->cpu);
  for (int round = 0; self.kernels.width > 0 && round < 100; round++) {
    const int n = mien_check_size (check, 1, 200), k = round == 0 ? 2500 : mien_check_size (check, 1, 400);
    const gboolean transposed = g_rand_boolean (check->random), exact = round % 2 == 0;
    g_autofree int *order = g_new (int, k);

    self.shape = (MienDenseShape) { 1, n, k, g_rand_boolean (check->random) ? 0 : -INFINITY, g_rand_boolean (check->random) ? 0.75f : INFINITY };
    self.step_k = transposed ? 1 : n;
    self.step_n = transposed ? k : 1;
    for (int i = 0; i < k; i++)
      order[i] = i % 3 == 1 ? -1 : k - 1 - i;
    self.order = g_rand_boolean (check->random) ? order : NULL;
    self.x = mien_check_input (check, k);
    self.w = mien_check_input (check, (gsize) k * n);
    self.bias = g_rand_boolean (check->random) ? mien_check_input (check, n) : NULL;
    self.y = mien_check_output (check, n);
    if (exact)
      make_exact (&self);
    run (&self, round % 4 < 2 ? threads : NULL);
    compare (&self, exact);
    mien_check_clear (check);
  }
  if (self.kernels.width == 0)
    g_test_skip ("this level has no such kernel");
  mien_threads_free (threads);
}

/* What is no finite number is not hidden. */
static void
check_not_finite (MienCheck *check)
{
  Case self = { check, .shape = { 1, 3, 200, -INFINITY, INFINITY }, .step_k = 3, .step_n = 1 };

  mien_dense_int8_kernels_init (&self.kernels, check->cpu);
  if (self.kernels.width == 0) {
    g_test_skip ("this level has no such kernel");
    return;
  }
  self.x = mien_check_input (check, 200);
  self.w = mien_check_input (check, 600);
  self.y = mien_check_output (check, 3);
  self.w[150 * 3 + 1] = NAN;
  self.w[10 * 3 + 2] = INFINITY;
  run (&self, NULL);
  g_assert_true (isfinite (self.y[0]));
  g_assert_true (isnan (self.y[1]));
  g_assert_true (isnan (self.y[2]));
  mien_check_clear (check);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  mien_check_add ("dense-int8", check_dense_int8);
  mien_check_add ("dense-int8/not-finite", check_not_finite);
  return g_test_run ();
}
