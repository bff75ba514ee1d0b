/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernels of level amx on emulated tiles. Linked into a program, they take the place of the real ones in the library. */
#include "mien-emulated-tiles.h"

#include "kernels/x86/mien-blocked-amx.c"
