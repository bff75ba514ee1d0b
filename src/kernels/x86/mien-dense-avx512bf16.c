/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dense layers on bfloat16, 32 columns a panel. */
#if !defined(__AVX512BF16__)
#error "needs -mavx512bf16"
#endif
#define LANES 16
#define MR 12
#define BF16 1
#define NAME(x) mien_##x##_avx512bf16
#include "kernels/x86/mien-x86.h"

#include "kernels/mien-dense-simd.h"
