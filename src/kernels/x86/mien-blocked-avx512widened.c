/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocked convolution and pooling on bfloat16, 16 channels a block, multiplied as f32. */
#ifndef __AVX512BF16__
#error "needs -mavx512bf16"
#endif
#define LANES 16
#define GROUP 4
#define BF16 1
#define PAIRS 0
#define NAME(x) mien_##x##_avx512widened
#include "kernels/x86/mien-x86.h"

#include "kernels/mien-blocked-simd.h"
