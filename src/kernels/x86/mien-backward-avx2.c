/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gradients on blocked tensors, 8 channels a block. */
#if !defined(__AVX2__) || !defined(__FMA__)
#error "needs -mavx2 -mfma"
#endif
#define LANES 8
#define GROUP 2
#define BF16 0
#define NAME(x) mien_##x##_avx2
#include "kernels/x86/mien-x86.h"

#include "kernels/mien-backward-simd.h"
