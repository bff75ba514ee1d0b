/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dense layers, whose weights are packed once: y[m][n] = clamp (bias[n] + sum over k of x[m][k] * w[k][n])
 *
 * Shapes   x[M][K], y[M][N] f32, dense rows; packed weights [N / width][K][width]
 *          bfloat16: x[M][K rounded up to even] (the last one 0 then), packed [N / width][K / 2][width][2]; sums stay f32
 * Memory   touches exactly these elements (it prefetches beyond); y does not overlap the others; any alignment
 * Errors   none: the caller promises sizes of at least 1
 * Thread   pure; the caller's pool shares the work by panels of columns
 * One row is bound by reading the weights: a panel is one stream from beginning to end. */
#pragma once

#include "kernels/mien-cpu.h"
#include "kernels/mien-threads.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  int m, n, k;
  float lo, hi; /* clamp; -INFINITY, INFINITY: none */
} MienDenseShape;

/* y[m][n] from one panel, n <= width; steps of x and y are a row's. bias: n floats or NULL. */
typedef void (*MienDenseFn) (const MienDenseShape *shape, int n, const void *x, const void *w, const float *bias, float *y);

typedef struct {
  int width; /* 0: this level has no such kernel (bfloat16) */
  bool bf16;
  MienDenseFn panel;
  void (*round) (unsigned short *to, const float *from, size_t n_elems); /* bf16 only: to nearest, ties to even */
  void (*widen) (float *to, const unsigned short *from, size_t n_elems); /* bf16 only: back again */
} MienDenseKernels;

void mien_dense_kernels_init (MienDenseKernels *self, MienCpuLevel cpu);      /* f32 */
void mien_dense_kernels_init_bf16 (MienDenseKernels *self, MienCpuLevel cpu); /* width 0 below level bf16 */

size_t mien_dense_packed_bytes (const MienDenseKernels *self, const MienDenseShape *shape);

/* Element [k][n] of the weights is w[order[k] * step_k + n * step_n], 0 where order[k] is negative; order NULL: 0, 1, 2, ... */
void mien_dense_pack (const MienDenseKernels *self, const MienDenseShape *shape, const float *w, ptrdiff_t step_k, ptrdiff_t step_n,
                      const int *order, void *packed);

/* x of the kernels' type. */
void mien_dense_run (const MienDenseKernels *self, const MienDenseShape *shape, const void *x, const void *packed, const float *bias, float *y,
                     MienThreads *threads);
