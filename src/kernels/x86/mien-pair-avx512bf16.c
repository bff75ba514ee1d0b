/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two narrow convolutions at once, the second one on bfloat16. */
#ifndef __AVX512BF16__
#error "needs -mavx512bf16"
#endif
#define BF16 1
#define NAME(x) mien_##x##_avx512bf16
#include "kernels/x86/mien-x86.h"

#include "kernels/x86/mien-pair-avx512.h"
