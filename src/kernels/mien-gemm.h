/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Matrix product, f32.      C[M][N] = clamp (C' + A · B + bias), C' = C when accumulating, else 0
 *
 * Shapes   A[M][K], or A[K][M] with trans_a; B[K][N], or B[N][K] with trans_b; C[M][N]; row strides in elements
 * Tail     bias_row[M] or bias_col[N], each may be NULL; then min (max (x, lo), hi), NaN stays NaN
 * Memory   touches exactly these elements; C does not overlap A or B; any alignment. scratch: mien_gemm_scratch() bytes,
 *          64-byte aligned. Packed B (mien_gemm_pack_b) may be kept for constant matrices.
 * Errors   none: arguments are the caller's promise
 * Thread   pure; the caller's pool shares the work by columns, or by rows where those are more
 * Source   Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008; ONNX operator Gemm (opset 13) */
#pragma once

#include "kernels/mien-cpu.h"
#include "kernels/mien-threads.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  const float *bias_row; /* added to row i; NULL: none */
  const float *bias_col; /* added to column j; NULL: none */
  float lo, hi;          /* clamp; -INFINITY, INFINITY: none */
  bool accumulate;       /* add to what C holds */
} MienGemmTail;

/* One tile: C[m][n] from panels a[k][mr] and b[k][nr]; m <= mr, n <= nr, panels padded to mr and nr. */
typedef void (*MienGemmTileFn) (int m, int n, int k, const float *a, const float *b, float *c, ptrdiff_t ldc, const MienGemmTail *tail);

/* One row: C[1][n] from a[k] as it lies and the panel b[k][nr]: bound by reading b. */
typedef void (*MienGemmRowFn) (int n, int k, const float *a, const float *b, float *c, const MienGemmTail *tail);

/* One tile that reads its left side in place: C[m][n] += sum over p, q of rows[i][p * row_step + q * step] * b[p * n_q + q][ldb].
 * m <= wide_mr, n <= wide_nr: convolution's gradient by its weights. C is written with stride ldc. */
typedef void (*MienGemmRowsFn) (int m, int n, int n_p, int n_q, const float *const *rows, ptrdiff_t row_step, int step,
                                const float *b, ptrdiff_t ldb, float *c, ptrdiff_t ldc);

typedef struct {
  int mr, nr;
  MienGemmTileFn tile;
  MienGemmRowFn row;
  int rows_mr, rows_nr;
  MienGemmRowsFn rows;
} MienGemmKernels;

void mien_gemm_kernels_init (MienGemmKernels *self, MienCpuLevel cpu);

enum { MIEN_GEMM_MAX_MR = 16, MIEN_GEMM_MAX_NR = 64, MIEN_GEMM_KC = 512 };

typedef struct {
  int m, n, k;
  bool trans_a, trans_b;
  ptrdiff_t lda, ldb, ldc;
} MienGemmShape;

/* Bytes of scratch for one product with n_threads. */
size_t mien_gemm_scratch (const MienGemmKernels *self, const MienGemmShape *shape, int n_threads);

/* Floats that packed B takes, and packing it: [N / nr][K][nr]. */
size_t mien_gemm_packed_b_size (const MienGemmKernels *self, const MienGemmShape *shape);
void mien_gemm_pack_b (const MienGemmKernels *self, const MienGemmShape *shape, const float *b, float *packed);

/* packed_b: NULL, or what mien_gemm_pack_b() made of b; then b may be NULL. */
void mien_gemm_f32 (const MienGemmKernels *self, const MienGemmShape *shape, const float *a, const float *b, const float *packed_b,
                    float *c, const MienGemmTail *tail, void *scratch, MienThreads *threads);
