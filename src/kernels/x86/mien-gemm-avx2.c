/* SPDX-License-Identifier: GPL-3.0-or-later */
/* f32 matrix tiles for AVX2 and FMA: 4 x 24 in 12 registers; in place 6 x 16 in 12. */
#if !defined(__AVX2__) || !defined(__FMA__)
#error "needs -mavx2 -mfma"
#endif
#define LANES 8
#define MR 4
#define NV 3
#define ROWS_MR 6
#define ROWS_NV 2
#define NAME(x) mien_##x##_avx2
#include "kernels/x86/mien-x86.h"

#include "kernels/mien-gemm-simd.h"
