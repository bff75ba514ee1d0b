/* SPDX-License-Identifier: GPL-3.0-or-later */
/* f32 matrix tiles for AArch64 NEON: 8 x 12 in 24 of 32 registers; in place 12 x 8 in 24. */
#if !defined(__aarch64__) || !defined(__ARM_NEON)
#error "needs AArch64 with NEON"
#endif
#define LANES 4
#define MR 8
#define NV 3
#define ROWS_MR 12
#define ROWS_NV 2
#define NAME(x) mien_##x##_neon
#include "kernels/arm/mien-arm.h"

#include "kernels/mien-gemm-simd.h"
