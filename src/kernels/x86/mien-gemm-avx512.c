/* SPDX-License-Identifier: GPL-3.0-or-later */
/* f32 matrix tiles for AVX-512: 8 x 48 in 24 registers; in place 12 x 32 in 24. */
#ifndef __AVX512F__
#error "needs -mavx512f"
#endif
#define LANES 16
#define MR 8
#define NV 3
#define ROWS_MR 12
#define ROWS_NV 2
#define NAME(x) mien_##x##_avx512
#include "kernels/x86/mien-x86.h"

#include "kernels/mien-gemm-simd.h"
