/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dense layers, 32 columns a panel. */
#if !defined(__AVX512F__)
#error "needs -mavx512f"
#endif
#define LANES 16
#define MR 12
#define BF16 0
#define NAME(x) mien_##x##_avx512
#include "kernels/x86/mien-x86.h"

#include "kernels/mien-dense-simd.h"
