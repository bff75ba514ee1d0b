/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gradients on blocked tensors, 4 channels a block. */
#if !defined(__aarch64__) || !defined(__ARM_NEON)
#error "needs AArch64 with NEON"
#endif
#define LANES 4
#define GROUP 4
#define BF16 0
#define NAME(x) mien_##x##_neon
#include "kernels/arm/mien-arm.h"

#include "kernels/mien-backward-simd.h"
