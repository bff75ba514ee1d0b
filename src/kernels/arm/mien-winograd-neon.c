/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Winograd convolution, 4 channels a block. */
#if !defined(__aarch64__) || !defined(__ARM_NEON)
#error "needs AArch64 with NEON"
#endif
#define LANES 4
#define MOST 12
#define BF16 0
#define NAME(x) mien_##x##_neon
#include "kernels/arm/mien-arm.h"

#include "kernels/mien-winograd-simd.h"
