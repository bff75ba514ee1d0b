/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prototypes of the kernels that stand in files per instruction set; only the tables' init functions use them. */
#pragma once

#include "kernels/mien-backward.h"
#include "kernels/mien-blocked.h"
#include "kernels/mien-dense.h"
#include "kernels/mien-gemm.h"
#include "kernels/mien-vector.h"
#include "kernels/mien-winograd.h"

void mien_gemm_f32_tile_neon (int m, int n, int k, const float *a, const float *b, float *c, ptrdiff_t ldc, const MienGemmTail *tail);
void mien_gemm_f32_row_neon (int n, int k, const float *a, const float *b, float *c, const MienGemmTail *tail);
void mien_gemm_f32_rows_neon (int m, int n, int n_p, int n_q, const float *const *rows, ptrdiff_t row_step, int step, const float *b,
                              ptrdiff_t ldb, float *c, ptrdiff_t ldc);
void mien_vector_kernels_init_neon (MienVectorKernels *self);
void mien_blocked_kernels_init_neon (MienBlockedKernels *self);
void mien_dense_kernels_init_neon (MienDenseKernels *self);
void mien_winograd_kernels_init_neon (MienWinogradKernels *self);
void mien_backward_kernels_init_neon (MienBackwardKernels *self);
