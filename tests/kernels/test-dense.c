/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dense layers against the formula in double precision: sizes around the tiles, both orders of the weights, holes in the order of the
 * inputs, threads. */
#include "kernels/mien-blocked.h"
#include "kernels/mien-check.h"
#include "kernels/mien-dense.h"

#include <float.h>
#include <math.h>
#include <string.h>

static void
check_dense_of (MienCheck *check, gboolean bf16)
{
  MienDenseKernels kernels;
  MienThreads *threads = mien_threads_new (2);

  if (bf16)
    mien_dense_kernels_init_bf16 (&kernels, check->cpu);
  else
    mien_dense_kernels_init (&kernels, check->cpu);
  for (int round = 0; kernels.width > 0 && round < 100; round++) {
    const int m = mien_check_size (check, 1, 33), n = mien_check_size (check, 1, 131), k = round == 0 ? 2500 : mien_check_size (check, 1, 131);
    const gboolean transposed = g_rand_boolean (check->random), holes = g_rand_boolean (check->random);
    const int row = bf16 ? (k + 1) / 2 * 2 : k, step_k = transposed ? 1 : n, step_n = transposed ? k : 1;
    const MienDenseShape shape = { m, n, k, g_rand_boolean (check->random) ? 0 : -INFINITY, g_rand_boolean (check->random) ? 0.75f : INFINITY };
    float *x = mien_check_input (check, (gsize) m * k), *w = mien_check_input (check, (gsize) k * n);
    const float *bias = g_rand_boolean (check->random) ? mien_check_input (check, n) : NULL;
    float *y = mien_check_output (check, (gsize) m * n), *want = mien_check_output (check, (gsize) m * n);
    g_autofree double *magnitude = g_new0 (double, m * n);
    g_autofree int *order = g_new (int, k);
    const void *from = x;

    for (int i = 0; i < k; i++)
      order[i] = holes && i % 3 == 1 ? -1 : k - 1 - i;
    if (bf16) {
      unsigned short *rounded = (unsigned short *) mien_check_output (check, ((gsize) m * row + 1) / 2);
      for (int i = 0; i < m; i++) {
        float *back = mien_check_output (check, k);
        kernels.round (rounded + (gsize) i * row, x + (gsize) i * k, k);
        kernels.widen (back, rounded + (gsize) i * row, k);
        for (int j = 0; j < k; j++) {
          g_assert_cmpfloat (back[j], ==, mien_bf16_to_float (rounded[i * row + j]));
          x[i * k + j] = mien_bf16_to_float (mien_bf16_from_float (x[i * k + j]));
          if (fabsf (x[i * k + j]) >= FLT_MIN) /* smaller ones the processor takes for 0 */
            g_assert_cmpfloat (mien_bf16_to_float (rounded[i * row + j]), ==, x[i * k + j]);
        }
        if (k < row)
          rounded[i * row + k] = 0;
      }
      for (int i = 0; i < k * n; i++)
        w[i] = mien_bf16_to_float (mien_bf16_from_float (w[i]));
      from = rounded;
    }
    for (int i = 0; i < m; i++)
      for (int j = 0; j < n; j++) {
        double sum = bias != NULL ? bias[j] : 0, size = fabs (sum);
        for (int l = 0; l < k; l++) {
          const int place = holes ? order[l] : l;
          const double product = place < 0 ? 0 : (double) x[i * k + l] * w[place * step_k + j * step_n];
          sum += product;
          size += fabs (product);
        }
        want[i * n + j] = (float) MIN (MAX (sum, shape.lo), shape.hi);
        magnitude[i * n + j] = size;
      }
    void *packed = mien_check_output (check, (mien_dense_packed_bytes (&kernels, &shape) + 3) / 4);
    /* In two parts, as weights come out of a file. */
    const int first = g_rand_int_range (check->random, 0, (n + kernels.width - 1) / kernels.width) * kernels.width;
    MienDenseShape before = shape, rest = shape;
    before.n = first;
    rest.n = n - first;
    mien_dense_pack (&kernels, &before, w, step_k, step_n, holes ? order : NULL, packed);
    mien_dense_pack (&kernels, &rest, w + (gsize) first * step_n, step_k, step_n, holes ? order : NULL, (char *) packed + mien_dense_packed_bytes (&kernels, &before));
    mien_dense_run (&kernels, &shape, from, packed, bias, y, round % 2 == 0 ? threads : NULL);
    g_autofree char *context = g_strdup_printf ("round %d: m=%d n=%d k=%d transposed %d holes %d", round, m, n, k, transposed, holes);
    mien_check_near (want, y, magnitude, (gsize) m * n, (k + 4) * FLT_EPSILON, context);
    mien_check_clear (check);
  }
  if (kernels.width == 0)
    g_test_skip ("this level has no such kernel");
  mien_threads_free (threads);
}

static void
check_dense (MienCheck *check)
{
  check_dense_of (check, FALSE);
}

static void
check_dense_bf16 (MienCheck *check)
{
  check_dense_of (check, TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  mien_check_add ("dense", check_dense);
  mien_check_add ("dense-bf16", check_dense_bf16);
  return g_test_run ();
}
