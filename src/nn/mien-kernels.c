/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "nn/mien-kernels.h"

void
mien_kernels_init (MienKernels *self, MienCpuLevel cpu)
{
  self->cpu = MIN (cpu, mien_cpu_detect ());
  mien_blocked_kernels_init (&self->blocked, self->cpu);
  mien_blocked_kernels_init_tiles (&self->blocked_tiles, self->cpu);
  self->separable_tiles = mien_blocked_separable_tiles (self->cpu);
  mien_dense_kernels_init (&self->dense, self->cpu);
  mien_dense_kernels_init_bf16 (&self->dense_bf16, self->cpu);
  mien_dense_int8_kernels_init (&self->dense_int8, self->cpu);
  mien_backward_kernels_init (&self->backward, self->cpu);
  mien_backward_kernels_init_tiles (&self->backward_tiles, self->cpu);
  mien_gemm_kernels_init (&self->gemm, self->cpu);
  mien_vector_kernels_init (&self->vector, self->cpu);
  mien_winograd_kernels_init (&self->winograd, self->cpu);
  const bool pairs = mien_cpu_bf16_pays (self->cpu);
  (pairs ? mien_blocked_kernels_init_bf16 : mien_blocked_kernels_init_widened) (&self->blocked_bf16, self->cpu);
  (pairs ? mien_backward_kernels_init_bf16 : mien_backward_kernels_init_widened) (&self->backward_bf16, self->cpu);
  (pairs ? mien_winograd_kernels_init_bf16 : mien_winograd_kernels_init_widened) (&self->winograd_bf16, self->cpu);
}
