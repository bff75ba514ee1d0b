/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocked convolution and pooling, 4 channels a block; tiles for 16 registers and no fused multiply-add, whose products need one, too. */
#define LANES 4
#define GROUP 4
#define REGISTERS 16
#define BF16 0
#define NAME(x) mien_##x##_portable
#include "kernels/portable/mien-portable.h"

#include "kernels/mien-blocked-simd.h"
