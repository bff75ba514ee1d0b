/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loops over vectors for AArch64 NEON. */
#if !defined(__aarch64__) || !defined(__ARM_NEON)
#error "needs AArch64 with NEON"
#endif
#define LANES 4
#define NAME(x) mien_##x##_neon
#include "kernels/arm/mien-arm.h"

#include "kernels/mien-vector-simd.h"
