/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel tables of one processor level, together: what a plan hands to its operators. */
#pragma once

#include "kernels/mien-backward.h"
#include "kernels/mien-blocked.h"
#include "kernels/mien-conv.h"
#include "kernels/mien-dense-int8.h"
#include "kernels/mien-dense.h"
#include "kernels/mien-gemm.h"
#include "kernels/mien-vector.h"
#include "kernels/mien-winograd.h"
#include "nn/mien-op.h"

G_BEGIN_DECLS

struct _MienKernels {
  MienCpuLevel cpu;
  MienBlockedKernels blocked;      /* f32 */
  MienBlockedKernels blocked_bf16; /* lanes 0 where there is no bfloat16 */
  MienBlockedKernels blocked_tiles; /* bfloat16; lanes 0 where there are no tiles */
  MienBlockedSeparableFn separable_tiles; /* for blocked; NULL likewise */
  MienDenseKernels dense;          /* f32 */
  MienDenseKernels dense_bf16;     /* width 0 where there is no bfloat16 */
  MienDenseInt8Kernels dense_int8; /* width 0 likewise */
  MienBackwardKernels backward, backward_bf16;
  MienBackwardKernels backward_tiles; /* for blocked_tiles */
  MienGemmKernels gemm;
  MienVectorKernels vector;
  MienWinogradKernels winograd;
  MienWinogradKernels winograd_bf16;
};

/* cpu: the highest level to use; what the processor lacks is left out. */
void mien_kernels_init (MienKernels *self, MienCpuLevel cpu);

G_END_DECLS
