/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prototypes of the kernels that any processor runs: level c. Only the tables' init functions use them. They are the vector kernels,
 * compiled for four lanes without a flag: SSE2 on x86-64, Advanced SIMD on 64-bit ARM, single floats where there are no vectors. */
#pragma once

#include "kernels/mien-backward.h"
#include "kernels/mien-blocked.h"
#include "kernels/mien-dense.h"
#include "kernels/mien-winograd.h"

void mien_backward_kernels_init_portable (MienBackwardKernels *self);
void mien_blocked_kernels_init_portable (MienBlockedKernels *self);
void mien_dense_kernels_init_portable (MienDenseKernels *self);
void mien_winograd_kernels_init_portable (MienWinogradKernels *self);
