/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gradients on blocked tensors, 4 channels a block. */
#define LANES 4
#define GROUP 4
#define REGISTERS 16
#define BF16 0
#define NAME(x) mien_##x##_portable
#include "kernels/portable/mien-portable.h"

#include "kernels/mien-backward-simd.h"
