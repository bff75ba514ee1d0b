/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loops over vectors for AVX2 and FMA. */
#if !defined(__AVX2__) || !defined(__FMA__)
#error "needs -mavx2 -mfma"
#endif
#define LANES 8
#define NAME(x) mien_##x##_avx2
#include "kernels/x86/mien-x86.h"

#include "kernels/mien-vector-simd.h"
