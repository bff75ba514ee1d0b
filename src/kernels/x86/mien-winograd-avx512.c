/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Winograd convolution, 16 channels a block. */
#ifndef __AVX512F__
#error "needs -mavx512f"
#endif
#define LANES 16
#define MOST 12
#define BF16 0
#define NAME(x) mien_##x##_avx512
#include "kernels/x86/mien-x86.h"

#include "kernels/mien-winograd-simd.h"
