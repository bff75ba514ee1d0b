/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prototypes of the kernels that stand in files per instruction set; only the tables' init functions use them. */
#pragma once

#include "kernels/mien-backward.h"
#include "kernels/mien-blocked.h"
#include "kernels/mien-dense-int8.h"
#include "kernels/mien-dense.h"
#include "kernels/mien-gemm.h"
#include "kernels/mien-vector.h"
#include "kernels/mien-winograd.h"

#define MIEN_X86_KERNELS(isa)                                                                                            \
  void mien_gemm_f32_tile_##isa (int m, int n, int k, const float *a, const float *b, float *c, ptrdiff_t ldc,           \
                                 const MienGemmTail *tail);                                                              \
  void mien_gemm_f32_row_##isa (int n, int k, const float *a, const float *b, float *c, const MienGemmTail *tail);        \
  void mien_gemm_f32_rows_##isa (int m, int n, int n_p, int n_q, const float *const *rows, ptrdiff_t row_step, int step, \
                                 const float *b, ptrdiff_t ldb, float *c, ptrdiff_t ldc);                                \
  void mien_vector_kernels_init_##isa (MienVectorKernels *self);                                                         \
  void mien_backward_kernels_init_##isa (MienBackwardKernels *self);                                                     \
  void mien_blocked_kernels_init_##isa (MienBlockedKernels *self);                                                       \
  void mien_dense_kernels_init_##isa (MienDenseKernels *self);                                                           \
  void mien_winograd_kernels_init_##isa (MienWinogradKernels *self);

MIEN_X86_KERNELS (avx2)
MIEN_X86_KERNELS (avx512)

void mien_blocked_pair_avx512 (const MienBlockedPair *pair, const MienBlockedShape *second, const float *x, void *y, int first, int end);
void mien_blocked_pair_avx512bf16 (const MienBlockedPair *pair, const MienBlockedShape *second, const float *x, void *y, int first, int end);
void mien_blocked_kernels_init_avx512bf16 (MienBlockedKernels *self);
void mien_blocked_kernels_init_avx512widened (MienBlockedKernels *self);
void mien_dense_kernels_init_avx512bf16 (MienDenseKernels *self);
void mien_dense_int8_kernels_init_avx512vnni (MienDenseInt8Kernels *self);
void mien_winograd_kernels_init_avx512bf16 (MienWinogradKernels *self);
void mien_winograd_kernels_init_avx512widened (MienWinogradKernels *self);
void mien_backward_kernels_init_avx512bf16 (MienBackwardKernels *self);
void mien_backward_kernels_init_avx512widened (MienBackwardKernels *self);
void mien_blocked_kernels_init_amx (MienBlockedKernels *self);
void mien_blocked_separable_amx (const MienBlockedSeparable *layer, const void *x, const void *residual, void *y, void *buffer, int first, int end);
void mien_backward_kernels_init_amx (MienBackwardKernels *self);
