/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gradients on blocked bfloat16 tensors, 32 channels a block: those of weights on tiles, all else as at level bf16, half a block at a time. */
#if !defined(__AVX512BF16__) || (!defined(__AMX_BF16__) && !defined(__AMXBF16__) && !defined(MIEN_EMULATED_TILES)) /* gcc, clang 14 */
#error "needs -mavx512bf16 -mamx-tile -mamx-bf16"
#endif
#define LANES 32
#define WIDTH 16
#define GROUP 4
#define BF16 1
#define TILES 1
#define NAME(x) mien_##x##_amx
#include "kernels/x86/mien-x86.h"

#include "kernels/mien-backward-simd.h"
