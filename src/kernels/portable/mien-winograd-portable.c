/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Winograd convolution, 4 channels a block. */
#define LANES 4
#define MOST 6
#define BF16 0
#define NAME(x) mien_##x##_portable
#include "kernels/portable/mien-portable.h"

#include "kernels/mien-winograd-simd.h"
