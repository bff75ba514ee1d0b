/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Matrix products against the formula in double precision, over random shapes, transpositions, tails and threads. */
#include "kernels/mien-check.h"
#include "kernels/mien-gemm.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void
check_gemm (MienCheck *check)
{
  MienGemmKernels gemm;
  MienThreads *threads = mien_threads_new (2);

  mien_gemm_kernels_init (&gemm, check->cpu);
  for (int round = 0; round < 120; round++) {
    const int m = mien_check_size (check, 1, 40), n = mien_check_size (check, 1, 131), k = round == 0 ? 1100 : mien_check_size (check, 0, 131);
    const int gap = g_rand_int_range (check->random, 0, 4);
    MienGemmShape shape = { m, n, k, g_rand_boolean (check->random), g_rand_boolean (check->random) };
    shape.lda = (shape.trans_a ? m : k) + gap;
    shape.ldb = (shape.trans_b ? k : n) + gap;
    shape.ldc = n + gap;
    const gsize n_a = (gsize) shape.lda * (shape.trans_a ? k : m), n_b = (gsize) shape.ldb * (shape.trans_b ? n : k), n_c = (gsize) shape.ldc * m;
    const float *a = mien_check_input (check, n_a), *b = mien_check_input (check, n_b), *before = mien_check_input (check, n_c);
    const MienGemmTail tail = {
      .bias_row = g_rand_boolean (check->random) ? mien_check_input (check, m) : NULL,
      .bias_col = g_rand_boolean (check->random) ? mien_check_input (check, n) : NULL,
      .lo = g_rand_boolean (check->random) ? -0.5f : -INFINITY,
      .hi = g_rand_boolean (check->random) ? 0.75f : INFINITY,
      .accumulate = g_rand_boolean (check->random),
    };
    float *c = mien_check_output (check, n_c), *want = mien_check_output (check, n_c);
    g_autofree double *magnitude = g_new0 (double, n_c);
    g_autofree char *context = g_strdup_printf ("round %d: m=%d n=%d k=%d transposed %d,%d", round, m, n, k, shape.trans_a, shape.trans_b);

    memcpy (c, before, n_c * sizeof *c);
    memcpy (want, before, n_c * sizeof *c);
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        double sum = tail.accumulate ? before[i * shape.ldc + j] : 0, size = fabs (sum);
        for (int l = 0; l < k; l++) {
          const double product = (double) a[shape.trans_a ? l * shape.lda + i : i * shape.lda + l] *
                                 b[shape.trans_b ? j * shape.ldb + l : l * shape.ldb + j];
          sum += product;
          size += fabs (product);
        }
        sum += (tail.bias_row != NULL ? tail.bias_row[i] : 0) + (tail.bias_col != NULL ? tail.bias_col[j] : 0);
        size += (tail.bias_row != NULL ? fabs (tail.bias_row[i]) : 0) + (tail.bias_col != NULL ? fabs (tail.bias_col[j]) : 0);
        want[i * shape.ldc + j] = (float) MIN (MAX (sum, tail.lo), tail.hi);
        magnitude[i * shape.ldc + j] = size;
      }
    }
    void *scratch = aligned_alloc (64, (mien_gemm_scratch (&gemm, &shape, 2) + 127) / 64 * 64);
    float *packed = NULL;
    if (round % 3 == 0) {
      packed = mien_check_output (check, mien_gemm_packed_b_size (&gemm, &shape));
      mien_gemm_pack_b (&gemm, &shape, b, packed);
    }
    mien_gemm_f32 (&gemm, &shape, a, packed == NULL ? b : NULL, packed, c, &tail, scratch, round % 2 == 0 ? threads : NULL);
    mien_check_near (want, c, magnitude, n_c, (k + 4) * FLT_EPSILON, context);
    free (scratch);
    mien_check_clear (check);
  }
  mien_threads_free (threads);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  mien_check_add ("gemm", check_gemm);
  return g_test_run ();
}
