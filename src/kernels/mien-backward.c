/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gradients on blocked tensors: layouts of weights, and the table. The kernels are in mien-backward-simd.h. */
#include "kernels/mien-backward.h"
#include "kernels/portable/mien-portable.h"

#include <string.h>

#if MIEN_HAVE_X86
#include "kernels/x86/mien-x86.h"
#elif MIEN_HAVE_ARM
#include "kernels/arm/mien-arm.h"
#endif

void
mien_backward_kernels_init (MienBackwardKernels *self, MienCpuLevel cpu)
{
  mien_backward_kernels_init_portable (self);
#if MIEN_HAVE_X86
  if (cpu >= MIEN_CPU_AVX512)
    mien_backward_kernels_init_avx512 (self);
  else if (cpu >= MIEN_CPU_AVX2)
    mien_backward_kernels_init_avx2 (self);
#elif MIEN_HAVE_ARM
  if (cpu >= MIEN_CPU_NEON)
    mien_backward_kernels_init_neon (self);
#endif
}

void
mien_backward_kernels_init_bf16 (MienBackwardKernels *self, MienCpuLevel cpu)
{
  *self = (MienBackwardKernels) { 0 };
#if MIEN_HAVE_X86
  if (cpu >= MIEN_CPU_BF16)
    mien_backward_kernels_init_avx512bf16 (self);
#endif
}

void
mien_backward_kernels_init_widened (MienBackwardKernels *self, MienCpuLevel cpu)
{
  *self = (MienBackwardKernels) { 0 };
#if MIEN_HAVE_X86
  if (cpu >= MIEN_CPU_BF16)
    mien_backward_kernels_init_avx512widened (self);
#endif
}

void
mien_backward_kernels_init_tiles (MienBackwardKernels *self, MienCpuLevel cpu)
{
  *self = (MienBackwardKernels) { 0 };
#if MIEN_HAVE_X86
  if (cpu >= MIEN_CPU_AMX)
    mien_backward_kernels_init_amx (self);
#endif
}

/* Sixteen pictures at most are laid out at once: all that fit in the cache, or one. */
size_t
mien_backward_scratch (const MienBackwardKernels *self, const MienBlockedShape *shape)
{
  const size_t c_blocks = (shape->c + self->lanes - 1) / self->lanes, k_blocks = (shape->k + self->lanes - 1) / self->lanes;
  const size_t x = c_blocks * (shape->h + 2 * shape->x_halo) * (shape->w + 2 * shape->x_halo);
  const size_t dy = k_blocks * shape->p * shape->q; /* in pairs it is half */
  const size_t picture = (x + dy) * self->lanes * sizeof (float), chunk = (size_t) 384 * 1024;

  if (self->tile_scratch != NULL)
    return self->tile_scratch (shape);
  return !self->bf16 ? 0 : picture > chunk ? picture : chunk;
}

static float
sum_of (const float *parts, int n_parts, size_t part_size)
{
  float sum = *parts;

  for (int i = 1; i < n_parts; i++)
    sum += parts[i * part_size];
  return sum;
}

enum { MAX_LANES = 64 };

/* One output channel and some input channels of a block: rows of sums, a tap apart. */
static void
unpack_rows (int lanes, int n_c, int taps, const float *parts, int n_parts, size_t part_size, float *dw)
{
  float sums[MAX_LANES];

  for (int tap = 0; tap < taps; tap++, parts += (size_t) lanes * lanes) {
    memcpy (sums, parts, n_c * sizeof *sums);
    for (int i = 1; i < n_parts; i++)
      for (int c = 0; c < n_c; c++)
        sums[c] += parts[i * part_size + c];
    for (int c = 0; c < n_c; c++)
      dw[c * taps + tap] = sums[c];
  }
}

static void
unpack_tiles (int lanes, const MienBlockedShape *shape, const float *parts, int n_parts, size_t part_size, float *dw)
{
  const int taps = shape->r * shape->s, c_blocks = (shape->c + lanes - 1) / lanes;

  for (int k = 0; k < shape->k; k++)
    for (int c = 0; c < shape->c; c += lanes)
      unpack_rows (lanes, shape->c - c < lanes ? shape->c - c : lanes, taps,
                   parts + (((size_t) (k / lanes) * c_blocks + c / lanes) * taps * lanes + k % lanes) * lanes, n_parts, part_size,
                   dw + ((size_t) k * shape->c + c) * taps);
}

void
mien_backward_unpack_conv (const MienBackwardKernels *self, const MienBlockedKernels *blocked, const MienBlockedShape *shape, const float *parts,
                           int n_parts, size_t part_size, float *dw)
{
  if (self->tile_scratch != NULL) {
    unpack_tiles (self->lanes, shape, parts, n_parts, part_size, dw);
    return;
  }
  const int width = mien_blocked_group (blocked, shape->k) * blocked->lanes, taps = shape->r * shape->s;
  const int c_blocks = (shape->c + blocked->lanes - 1) / blocked->lanes;

  for (int k0 = 0; k0 < shape->k; k0 += width)
    for (int c = 0; c < shape->c; c++)
      for (int tap = 0; tap < taps; tap++) {
        const float *from = parts + ((((size_t) (k0 / width) * c_blocks + c / blocked->lanes) * taps + tap) * blocked->lanes + c % blocked->lanes) * width;
        for (int k = k0; k < shape->k && k < k0 + width; k++)
          dw[((size_t) k * shape->c + c) * taps + tap] = sum_of (from + k - k0, n_parts, part_size);
      }
}

void
mien_backward_unpack_stem (const MienBlockedKernels *blocked, const MienBlockedShape *shape, const float *parts, int n_parts, size_t part_size, float *dw)
{
  const size_t per_k = (size_t) shape->c * shape->r * shape->s;

  for (int k = 0; k < shape->k; k++)
    for (size_t i = 0; i < per_k; i++)
      dw[k * per_k + i] = sum_of (parts + (k / blocked->lanes * per_k + i) * blocked->lanes + k % blocked->lanes, n_parts, part_size);
}
