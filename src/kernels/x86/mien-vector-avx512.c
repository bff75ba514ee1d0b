/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loops over vectors for AVX-512. */
#ifndef __AVX512F__
#error "needs -mavx512f"
#endif
#define LANES 16
#define NAME(x) mien_##x##_avx512
#include "kernels/x86/mien-x86.h"

#include "kernels/mien-vector-simd.h"
