/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two narrow convolutions at once. */
#ifndef __AVX512F__
#error "needs -mavx512f"
#endif
#define BF16 0
#define NAME(x) mien_##x##_avx512
#include "kernels/x86/mien-x86.h"

#include "kernels/x86/mien-pair-avx512.h"
