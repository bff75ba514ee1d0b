/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gradients on blocked tensors, 16 channels a block. */
#ifndef __AVX512F__
#error "needs -mavx512f"
#endif
#define LANES 16
#define GROUP 4
#define BF16 0
#define NAME(x) mien_##x##_avx512
#include "kernels/x86/mien-x86.h"

#include "kernels/mien-backward-simd.h"
