/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dense layers, 8 columns a panel. */
#define LANES 4
#define MR 4
#define BF16 0
#define NAME(x) mien_##x##_portable
#include "kernels/portable/mien-portable.h"

#include "kernels/mien-dense-simd.h"
