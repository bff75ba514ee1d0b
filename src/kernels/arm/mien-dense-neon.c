/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dense layers, 8 columns a panel. */
#if !defined(__ARM_NEON)
#error "needs Advanced SIMD"
#endif
#define LANES 4
#define MR 12
#define BF16 0
#define NAME(x) mien_##x##_neon
#include "kernels/arm/mien-arm.h"

#include "kernels/mien-dense-simd.h"
