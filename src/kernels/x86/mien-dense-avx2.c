/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dense layers, 16 columns a panel. */
#if !defined(__AVX2__)
#error "needs -mavx2"
#endif
#define LANES 8
#define MR 6
#define BF16 0
#define NAME(x) mien_##x##_avx2
#include "kernels/x86/mien-x86.h"

#include "kernels/mien-dense-simd.h"
