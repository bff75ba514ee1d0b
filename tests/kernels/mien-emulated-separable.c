/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Separable convolutions of level amx on emulated tiles, like mien-emulated-amx.c. */
#include "mien-emulated-tiles.h"

#include "kernels/x86/mien-separable-amx.c"
