/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A large dense layer for one picture: mien-dense.h with weights of 8 bits, half of what bfloat16 takes. It is bound by reading them.
 *
 *   y[n] = clamp (bias[n] + x_scale * sum over blocks b of scale[b][n] * sum over k in b of x[k] * w[k][n])
 *
 * x and w are whole numbers, x of 16 bits and w of 8, and so are the sums of a block of MIEN_DENSE_INT8_BLOCK inputs. A factor for each block of a column
 * keeps the rounding of weights at 1/254 of the largest of the block: answers of the three-layer network are off by 0.13 % of their size before softmax,
 * with bfloat16 weights by 0.04 %, with tiles of 4 x 4 (mien-winograd.h) before by 0.9 %.
 *
 * Shapes   x[K / 4][high bytes, low bytes][4] of x + MIEN_DENSE_INT8_ZERO; packed weights [N / width][K / block]{ float scale[width];
 *          int less[width]; signed char w[block / 4][width][4] }, less: what MIEN_DENSE_INT8_ZERO adds to the sums. Both are filled up to fours
 *          with 0. Products are of unsigned bytes with signed ones, as processors have them
 * Memory, errors, threads   as mien-dense.h; what is not a finite number makes the columns that it meets NaN
 * Source   blocks with a factor each: Rouhani et al. 2023, Microscaling data formats for deep learning (arXiv 2310.10537), there of 32 and with powers of 2 */
#pragma once

#include "kernels/mien-dense.h"

enum { MIEN_DENSE_INT8_BLOCK = 128, MIEN_DENSE_INT8_ZERO = 32768 };

typedef struct {
  int width; /* 0: this level has no such kernel */
  /* y[n] of one panel, n <= width. */
  void (*panel) (const MienDenseShape *shape, int n, const unsigned char *x, float x_scale, const void *w, const float *bias, float *y);
  /* n_elems bfloat16 values as whole numbers times what is returned, to the nearest; to: mien_dense_int8_input_bytes(). */
  float (*quantise) (unsigned char *to, const unsigned short *from, size_t n_elems);
} MienDenseInt8Kernels;

void mien_dense_int8_kernels_init (MienDenseInt8Kernels *self, MienCpuLevel cpu); /* width 0 below level bf16 */

size_t mien_dense_int8_packed_bytes (const MienDenseInt8Kernels *self, const MienDenseShape *shape);

/* As mien_dense_pack(). */
void mien_dense_int8_pack (const MienDenseInt8Kernels *self, const MienDenseShape *shape, const float *w, ptrdiff_t step_k, ptrdiff_t step_n,
                           const int *order, void *packed);

static inline size_t
mien_dense_int8_input_bytes (size_t n_elems)
{
  return (n_elems + 3) / 4 * 8;
}

/* shape->m is 1. */
void mien_dense_int8_run (const MienDenseInt8Kernels *self, const MienDenseShape *shape, const unsigned char *x, float x_scale, const void *packed,
                          const float *bias, float *y, MienThreads *threads);
