/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The gradients of level amx on emulated tiles, like mien-emulated-amx.c. */
#include "mien-emulated-tiles.h"

#include "kernels/x86/mien-backward-amx.c"
