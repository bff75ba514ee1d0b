/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocked convolution and pooling on bfloat16, 32 channels a block: what a row of a tile register holds. Convolutions compute on tiles, all else
 * on vectors, half a block at a time, and in f32: processors with tiles are slow at pairs of bfloat16 on vectors (mien_cpu_bf16_pays()). */
#if !defined(__AVX512BF16__) || (!defined(__AMX_BF16__) && !defined(__AMXBF16__) && !defined(MIEN_EMULATED_TILES)) /* gcc, clang 14 */
#error "needs -mavx512bf16 -mamx-tile -mamx-bf16"
#endif
#define LANES 32
#define WIDTH 16
#define GROUP 4
#define BF16 1
#define PAIRS 0
#define TILES 1
#define NAME(x) mien_##x##_amx
#include "kernels/x86/mien-x86.h"

#include "kernels/mien-blocked-simd.h"
