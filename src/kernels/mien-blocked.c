/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocked tensors: packing, layouts and the table. The kernels are in mien-blocked-simd.h; their reference is the plain convolution
 * of mien-conv.h. */
#include "kernels/mien-blocked.h"

#include <string.h>

#if MIEN_HAVE_X86
#include "kernels/x86/mien-x86.h"
#elif MIEN_HAVE_ARM
#include "kernels/arm/mien-arm.h"
#endif

void
mien_blocked_kernels_init (MienBlockedKernels *self, MienCpuLevel cpu)
{
  *self = (MienBlockedKernels) { 0 };
#if MIEN_HAVE_X86
  if (cpu < MIEN_CPU_AVX2)
    return;
  mien_blocked_kernels_init_avx2 (self);
  if (cpu < MIEN_CPU_AVX512)
    return;
  mien_blocked_kernels_init_avx512 (self);
  self->pair = mien_blocked_pair_avx512;
#elif MIEN_HAVE_ARM
  if (cpu < MIEN_CPU_NEON)
    return;
  mien_blocked_kernels_init_neon (self);
#endif
}

void
mien_blocked_kernels_init_bf16 (MienBlockedKernels *self, MienCpuLevel cpu)
{
  *self = (MienBlockedKernels) { 0 };
#if MIEN_HAVE_X86
  if (cpu < MIEN_CPU_BF16)
    return;
  mien_blocked_kernels_init_avx512bf16 (self);
  self->pair = mien_blocked_pair_avx512bf16;
#endif
}

void
mien_blocked_kernels_init_tiles (MienBlockedKernels *self, MienCpuLevel cpu)
{
  *self = (MienBlockedKernels) { 0 };
#if MIEN_HAVE_X86
  if (cpu < MIEN_CPU_AMX)
    return;
  mien_blocked_kernels_init_amx (self);
#endif
}

unsigned short
mien_bf16_from_float (float x)
{
  unsigned int bits;

  memcpy (&bits, &x, sizeof bits);
  if (x != x)
    return (unsigned short) (bits >> 16 | 0x40);
  return (unsigned short) ((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float
mien_bf16_to_float (unsigned short x)
{
  const unsigned int bits = (unsigned int) x << 16;
  float value;

  memcpy (&value, &bits, sizeof value);
  return value;
}

static int
blocks_of (const MienBlockedKernels *self, int channels)
{
  return (channels + self->lanes - 1) / self->lanes;
}

int
mien_blocked_group (const MienBlockedKernels *self, int k)
{
  for (int group = self->max_group; group > 1; group--)
    if (blocks_of (self, k) % group == 0)
      return group;
  return 1;
}

int
mien_blocked_rows (const MienBlockedKernels *self, const MienBlockedShape *shape, bool grouped)
{
  return shape->n * (blocks_of (self, shape->k) / (grouped ? mien_blocked_group (self, shape->k) : 1)) * shape->p;
}

int
mien_blocked_stem_rows (const MienBlockedShape *shape)
{
  return shape->n * (shape->pool ? shape->p / 2 : shape->p);
}

bool
mien_blocked_stem_can_pool (const MienBlockedShape *shape)
{
  return shape->c <= MIEN_BLOCKED_STEM_CHANNELS && shape->r <= MIEN_BLOCKED_STEM_TAPS && shape->s <= MIEN_BLOCKED_STEM_TAPS &&
         shape->stride_h <= MIEN_BLOCKED_STEM_STRIDE && shape->stride_w <= MIEN_BLOCKED_STEM_STRIDE && shape->dilation_h == 1 &&
         shape->dilation_w == 1;
}

size_t
mien_blocked_conv_size (const MienBlockedKernels *self, const MienBlockedShape *shape)
{
  return (size_t) blocks_of (self, shape->k) * self->lanes * blocks_of (self, shape->c) * self->lanes * shape->r * shape->s;
}

/* One weight, 0 beyond the model's channels. */
static float
weight_at (const MienBlockedShape *shape, const float *w, int k, int c, int tap)
{
  return k < shape->k && c < shape->c ? w[((size_t) k * shape->c + c) * shape->r * shape->s + tap] : 0;
}

void
mien_blocked_pack_conv (const MienBlockedKernels *self, const MienBlockedShape *shape, const float *w, void *packed)
{
  const int lanes = self->lanes, width = mien_blocked_group (self, shape->k) * lanes;
  float *to = packed;
  unsigned short *to_bf16 = packed;

  for (int k = 0; k < blocks_of (self, shape->k) * lanes; k += width)
    for (int c = 0; c < blocks_of (self, shape->c) * lanes; c += lanes)
      for (int tap = 0; tap < shape->r * shape->s; tap++) {
        for (int l = 0; l < lanes && !self->bf16; l++)
          for (int i = 0; i < width; i++)
            *to++ = weight_at (shape, w, k + i, c + l, tap);
        for (int l = 0; l < lanes && self->bf16; l += 2)
          for (int i = 0; i < 2 * width; i++)
            *to_bf16++ = mien_bf16_from_float (weight_at (shape, w, k + i / 2, c + l + i % 2, tap));
      }
}

size_t
mien_blocked_stem_size (const MienBlockedKernels *self, const MienBlockedShape *shape)
{
  return (size_t) blocks_of (self, shape->k) * self->lanes * shape->c * shape->r * shape->s;
}

void
mien_blocked_pack_stem (const MienBlockedKernels *self, const MienBlockedShape *shape, const float *w, float *packed)
{
  for (int k = 0; k < blocks_of (self, shape->k) * self->lanes; k += self->lanes)
    for (int c = 0; c < shape->c; c++)
      for (int tap = 0; tap < shape->r * shape->s; tap++)
        for (int i = 0; i < self->lanes; i++)
          *packed++ = weight_at (shape, w, k + i, c, tap);
}

size_t
mien_blocked_depth_size (const MienBlockedKernels *self, const MienBlockedShape *shape)
{
  return (size_t) blocks_of (self, shape->k) * self->lanes * shape->r * shape->s;
}

void
mien_blocked_pack_depth (const MienBlockedKernels *self, const MienBlockedShape *shape, const float *w, float *packed)
{
  const int n_taps = shape->r * shape->s;

  for (int c = 0; c < blocks_of (self, shape->k) * self->lanes; c += self->lanes)
    for (int tap = 0; tap < n_taps; tap++)
      for (int i = 0; i < self->lanes; i++)
        *packed++ = c + i < shape->k ? w[(size_t) (c + i) * n_taps + tap] : 0;
}

void
mien_blocked_pack_pair (const MienBlockedKernels *self, int c, int k1, int k2, const float *w1, const float *w2, float *first, void *second)
{
  enum { N = MIEN_BLOCKED_PAIR_CHANNELS, TAPS = 9 };
  float *f32 = second;
  unsigned short *bf16 = second;

  for (int i = 0; i < c * TAPS; i++)
    for (int k = 0; k < N; k++)
      *first++ = k < k1 ? w1[k * c * TAPS + i] : 0;
  for (int r = 0; r < 3; r++)
    for (int i = 0; i < N; i++)
      for (int s = 0; s < 3; s++)
        for (int k = 0; k < N; k++) {
          const float value = i < k1 && k < k2 ? w2[(k * k1 + i) * TAPS + r * 3 + s] : 0;
          if (self->bf16)
            bf16[(((r * (N / 2) + i / 2) * 3 + s) * N + k) * 2 + i % 2] = mien_bf16_from_float (value);
          else
            f32[((r * N + i) * 3 + s) * N + k] = value;
        }
}

size_t
mien_blocked_size (int lanes, int n, int c, int h, int w, int halo)
{
  return (size_t) n * ((c + lanes - 1) / lanes) * (h + 2 * halo) * (w + 2 * halo) * lanes;
}

/* Where channel l of block i of a row lies: rows of the plain and of the blocked tensor belong together. */
static size_t
blocked_row (const MienBlockedKernels *self, int i, int h, int w, int halo, int y)
{
  return (((size_t) i * (h + 2 * halo) + y + halo) * (w + 2 * halo) + halo) * self->lanes;
}

void
mien_blocked_from_plain (const MienBlockedKernels *self, int n, int c, int h, int w, int halo, const float *plain, void *blocked)
{
  const int lanes = self->lanes, blocks = blocks_of (self, c);
  float *f32 = blocked;
  unsigned short *bf16 = blocked;

  memset (blocked, 0, mien_blocked_size (lanes, n, c, h, w, halo) * (self->bf16 ? sizeof *bf16 : sizeof *f32));
  for (int i = 0; i < n * blocks; i++) {
    for (int l = 0; l < lanes && i % blocks * lanes + l < c; l++) {
      const float *from = plain + ((size_t) (i / blocks) * c + i % blocks * lanes + l) * h * w;
      for (int y = 0; y < h; y++, from += w) {
        const size_t to = blocked_row (self, i, h, w, halo, y) + l;
        for (int x = 0; x < w && !self->bf16; x++)
          f32[to + (size_t) x * lanes] = from[x];
        for (int x = 0; x < w && self->bf16; x++)
          bf16[to + (size_t) x * lanes] = mien_bf16_from_float (from[x]);
      }
    }
  }
}

void
mien_blocked_to_plain (const MienBlockedKernels *self, int n, int c, int h, int w, int halo, const void *blocked, float *plain)
{
  const int lanes = self->lanes, blocks = blocks_of (self, c);
  const float *f32 = blocked;
  const unsigned short *bf16 = blocked;

  for (int i = 0; i < n * blocks; i++) {
    for (int l = 0; l < lanes && i % blocks * lanes + l < c; l++) {
      float *to = plain + ((size_t) (i / blocks) * c + i % blocks * lanes + l) * h * w;
      for (int y = 0; y < h; y++, to += w) {
        const size_t from = blocked_row (self, i, h, w, halo, y) + l;
        for (int x = 0; x < w && !self->bf16; x++)
          to[x] = f32[from + (size_t) x * lanes];
        for (int x = 0; x < w && self->bf16; x++)
          to[x] = mien_bf16_to_float (bf16[from + (size_t) x * lanes]);
      }
    }
  }
}
