/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocked tensors: packing, layouts and the table. The kernels are in mien-blocked-simd.h; their reference is the plain convolution
 * of mien-conv.h. */
#include "kernels/mien-blocked.h"
#include "kernels/mien-winograd.h"
#include "kernels/portable/mien-portable.h"

#include <string.h>

#if MIEN_HAVE_X86
#include "kernels/x86/mien-x86.h"
#elif MIEN_HAVE_ARM
#include "kernels/arm/mien-arm.h"
#endif

enum { BUFFER_BYTES = 16 * 1024 };

void
mien_blocked_kernels_init (MienBlockedKernels *self, MienCpuLevel cpu)
{
  mien_blocked_kernels_init_portable (self);
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
mien_blocked_kernels_init_widened (MienBlockedKernels *self, MienCpuLevel cpu)
{
  *self = (MienBlockedKernels) { 0 };
#if MIEN_HAVE_X86
  if (cpu < MIEN_CPU_BF16)
    return;
  mien_blocked_kernels_init_avx512widened (self);
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

/* Where w[k][c][tap] lies. */
typedef struct {
  const float *w;
  ptrdiff_t k_step, c_step, tap_step;
} Weights;

enum { PACK_TAPS = 16, PACK_WIDTH = 64 };

/* The bits of some taps of two input channels, side by side for all output channels; 0 beyond the model's. */
static void
read_rows (const MienBlockedShape *shape, const Weights *from, int k, int c, int tap, int n_taps, int width, unsigned int rows[2][PACK_TAPS][PACK_WIDTH])
{
  const int n_k = shape->k - k < width ? shape->k - k : width;

  for (int half = 0; half < 2; half++) {
    const bool there = c + half < shape->c;
    if (!there || n_k < width)
      memset (rows[half], 0, n_taps * sizeof rows[half][0]);
    for (int i = 0; i < n_k && there; i++) {
      const float *at = from->w + (k + i) * from->k_step + (c + half) * from->c_step + tap * from->tap_step;
      for (int t = 0; t < n_taps; t++, at += from->tap_step)
        memcpy (&rows[half][t][i], at, sizeof *at);
    }
  }
}

/* As mien_bf16_from_float(), left where it is: the lower half means nothing. */
static inline unsigned int
round_bits (unsigned int bits)
{
  return (bits & 0x7fffffff) > 0x7f800000 ? bits | 0x400000 : bits + 0x7fff + (bits >> 16 & 1);
}

static void
pack_conv (const MienBlockedKernels *self, const MienBlockedShape *shape, int width, const Weights *from, void *packed)
{
  const int lanes = self->lanes, taps = shape->r * shape->s, c_blocks = blocks_of (self, shape->c);
  unsigned int rows[2][PACK_TAPS][PACK_WIDTH];

  for (int k = 0; k < shape->k; k += width)
    for (int c = 0; c < c_blocks * lanes; c += 2)
      for (int tap = 0; tap < taps; tap += PACK_TAPS) {
        const int n_taps = taps - tap < PACK_TAPS ? taps - tap : PACK_TAPS;
        read_rows (shape, from, k, c, tap, n_taps, width, rows);
        for (int t = 0; t < n_taps; t++) {
          const size_t at = ((((size_t) (k / width) * c_blocks + c / lanes) * taps + tap + t) * lanes + c % lanes) * width;
          if (self->bf16) {
            unsigned int *to = (unsigned int *) packed + at / 2;
            for (int i = 0; i < width; i++)
              to[i] = round_bits (rows[0][t][i]) >> 16 | (round_bits (rows[1][t][i]) & 0xffff0000);
          } else {
            memcpy ((float *) packed + at, rows[0][t], width * sizeof (float));
            memcpy ((float *) packed + at + width, rows[1][t], width * sizeof (float));
          }
        }
      }
}

void
mien_blocked_pack_filters (const MienBlockedKernels *self, const MienBlockedShape *shape, int first, int n, const float *w, void *packed)
{
  const ptrdiff_t taps = (ptrdiff_t) shape->r * shape->s;
  const int width = mien_blocked_group (self, shape->k) * self->lanes;
  MienBlockedShape before = *shape, part = *shape;

  before.k = first;
  part.k = n;
  packed = (char *) packed + mien_blocked_conv_size (self, &before) * (self->bf16 ? sizeof (unsigned short) : sizeof (float));
  if (taps <= MIEN_BLOCKED_PACK_TAPS)
    self->pack (&part, width, w, packed, (n + width - 1) / width);
  else
    pack_conv (self, &part, width, &(Weights) { w, shape->c * taps, taps, 1 }, packed);
}

typedef struct {
  const MienBlockedKernels *kernels;
  const MienBlockedShape *shape;
  const float *w;
  void *packed;
  int step;
} PackJob;

static void
pack_task (void *data, int task, int thread)
{
  const PackJob *job = data;
  const MienBlockedShape *shape = job->shape;
  const int first = task * job->step, n = shape->k - first < job->step ? shape->k - first : job->step;

  mien_blocked_pack_filters (job->kernels, shape, first, n, job->w + (ptrdiff_t) first * shape->c * shape->r * shape->s, job->packed);
}

void
mien_blocked_pack_conv (const MienBlockedKernels *self, const MienBlockedShape *shape, const float *w, void *packed, MienThreads *threads)
{
  const int width = mien_blocked_group (self, shape->k) * self->lanes, n_groups = (shape->k + width - 1) / width, n_threads = mien_threads_count (threads);
  PackJob job = { self, shape, w, packed, (n_groups + n_threads - 1) / n_threads * width };

  mien_threads_run (threads, pack_task, &job, (shape->k + job.step - 1) / job.step);
}

void
mien_blocked_pack_conv_flipped (const MienBlockedKernels *self, const MienBlockedShape *shape, const float *w, int n_planes, void *packed)
{
  const ptrdiff_t taps = (ptrdiff_t) shape->r * shape->s;

  pack_conv (self, shape, mien_blocked_group (self, shape->k) * self->lanes, &(Weights) { w + taps - 1, taps, n_planes * taps, -1 }, packed);
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

/* Rows are worth the first cache's while; where there are more weights than rows, they would be read too often. */
size_t
mien_blocked_separable_buffer (const MienBlockedKernels *self, MienBlockedSeparable *layer)
{
  const size_t elem = self->bf16 ? sizeof (unsigned short) : sizeof (float);
  const size_t row = mien_blocked_size (self->lanes, 1, layer->depth.k, 1, layer->depth.q, 0) * elem;
  const size_t weights = mien_blocked_conv_size (self, &layer->point) * elem, wanted = weights / 2 > BUFFER_BYTES ? weights / 2 : BUFFER_BYTES;
  const int p = layer->depth.p, most = wanted / row < 1 ? 1 : wanted / row < (size_t) p ? (int) (wanted / row) : p;
  const int n_times = (p + most - 1) / most;

  layer->n_rows = (p + n_times - 1) / n_times;
  return (layer->n_rows * row + 63) / 64 * 64;
}

MienBlockedSeparableFn
mien_blocked_separable_tiles (MienCpuLevel cpu)
{
#if MIEN_HAVE_X86
  if (cpu >= MIEN_CPU_AMX)
    return mien_blocked_separable_amx;
#endif
  return NULL;
}

/* What the depthwise convolution gives, and the same in bfloat16. */
size_t
mien_blocked_separable_tiles_buffer (const MienBlockedKernels *self, MienBlockedSeparable *layer)
{
  return (mien_blocked_separable_buffer (self, layer) * 3 / 2 + 63) / 64 * 64;
}

void
mien_blocked_pack_pair (const MienBlockedKernels *self, int c, int k1, int k2, const float *w1, const float *w2, float *first, void *second)
{
  enum { N = MIEN_BLOCKED_PAIR_CHANNELS, TAPS = 9 };
  const int n_rows = self->bf16 ? 3 : MIEN_BLOCKED_PAIR_ROWS;
  float *f32 = second, column[MIEN_BLOCKED_PAIR_ROWS];
  unsigned short *bf16 = second;

  for (int i = 0; i < c * TAPS; i++)
    for (int k = 0; k < N; k++)
      *first++ = k < k1 ? w1[k * c * TAPS + i] : 0;
  for (int i = 0; i < N; i++)
    for (int s = 0; s < 3; s++)
      for (int k = 0; k < N; k++) {
        for (int r = 0; r < 3; r++)
          column[r] = i < k1 && k < k2 ? w2[(k * k1 + i) * TAPS + r * 3 + s] : 0;
        if (!self->bf16)
          mien_winograd_filter_4 ((const float[]) { column[0], column[1], column[2] }, column);
        for (int r = 0; r < n_rows; r++)
          if (self->bf16)
            bf16[(((r * (N / 2) + i / 2) * 3 + s) * N + k) * 2 + i % 2] = mien_bf16_from_float (column[r]);
          else
            f32[((r * N + i) * 3 + s) * N + k] = column[r];
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
