/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A large dense layer for one picture: mien-dense.h with weights of 8 bits, half of what bfloat16 takes. It is bound by reading them.
 *
 *   y[n] = clamp (bias[n] + x_scale * sum over blocks b of scale[b][n] * sum over k in b of x[k] * w[k][n])
 *
 * x and w are whole numbers, x of 16 bits and w of 8, and so are the sums of a block of MIEN_DENSE_INT8_BLOCK inputs. A factor for each block of a column
 * keeps the rounding of weights at 1/254 of the largest of the block: answers of the three-layer network are off by 0.13 % of their size before softmax,
 * with bfloat16 weights by 0.04 %, with tiles of 4 x 4 (mien-winograd.h) before by 0.9 %.
 *
 * Shapes   x[K rounded up to even] (the last one 0 then); packed weights [N / width][K / block]{ float scale[width]; signed char w[block / 2][width][2] }
 * Memory, errors, threads   as mien-dense.h; what is not a finite number makes the columns that it meets NaN
 * Source   blocks with a factor each: Rouhani et al. 2023, Microscaling data formats for deep learning (arXiv 2310.10537), there of 32 and with powers of 2 */
#pragma once

#include "kernels/mien-dense.h"

enum { MIEN_DENSE_INT8_BLOCK = 128 };

typedef struct {
  int width; /* 0: this level has no such kernel */
  /* y[n] of one panel, n <= width. */
  void (*panel) (const MienDenseShape *shape, int n, const short *x, float x_scale, const void *w, const float *bias, float *y);
  /* n_elems bfloat16 values as to[i] times what is returned, to the nearest. */
  float (*quantise) (short *to, const unsigned short *from, size_t n_elems);
} MienDenseInt8Kernels;

void mien_dense_int8_kernels_init (MienDenseInt8Kernels *self, MienCpuLevel cpu); /* width 0 below level bf16 */

size_t mien_dense_int8_packed_bytes (const MienDenseInt8Kernels *self, const MienDenseShape *shape);

/* As mien_dense_pack(). */
void mien_dense_int8_pack (const MienDenseInt8Kernels *self, const MienDenseShape *shape, const float *w, ptrdiff_t step_k, ptrdiff_t step_n,
                           const int *order, void *packed);

/* shape->m is 1. */
void mien_dense_int8_run (const MienDenseInt8Kernels *self, const MienDenseShape *shape, const short *x, float x_scale, const void *packed,
                          const float *bias, float *y, MienThreads *threads);
