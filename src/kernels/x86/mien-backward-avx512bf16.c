/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gradients on blocked bfloat16 tensors, 16 channels a block. */
#ifndef __AVX512BF16__
#error "needs -mavx512bf16"
#endif
#define LANES 16
#define GROUP 4
#define BF16 1
#define NAME(x) mien_##x##_avx512bf16
#include "kernels/x86/mien-x86.h"

#include "kernels/mien-backward-simd.h"
