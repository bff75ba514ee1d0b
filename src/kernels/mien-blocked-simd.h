/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernels of mien-blocked.h written once with the compiler's vector types; a file per instruction set sets
 *   LANES     channels in a block
 *   WIDTH     floats in a vector register, LANES when not set; with less than LANES, conv must be another one (TILES)
 *   GROUP     most blocks of output channels a tile computes (2 or 4)
 *   REGISTERS 16 with a GROUP of 4: few sums a tile; when not set, 32 for 4 and 16 for 2
 *   NAME(x)   name of function x
 *   BF16      1: activations and the weights of conv are bfloat16, sums stay f32 (needs AVX-512 BF16); 0: everything is f32
 *   PAIRS     as mien-lanes-simd.h says
 *   TILES     1: conv computes on tile registers, x86/mien-blocked-tiles.h; 0 when not set
 * and includes this. A tile keeps GROUP x 6 (or fewer blocks x more pixels) sums in registers: for every input channel it loads GROUP
 * vectors of weights and multiplies them with one broadcast value a pixel. */
#include "kernels/mien-lanes-simd.h"

#ifndef TILES
#define TILES 0
#endif
#ifndef REGISTERS
#define REGISTERS (GROUP == 4 ? 32 : 16)
#endif

enum { CHUNK_FLOATS = 80 * 1024 }; /* weights of as many channels as stay in cache are used for all rows, then the next */

/* What all tiles of a row share. Steps in elements. */
typedef struct {
  const MienBlockedShape *shape;
  const Elem *x;
  const void *w;
  const float *bias;
  const Elem *residual;
  Elem *y;
  ptrdiff_t x_row, x_plane;            /* rows (with dilation) and blocks of x */
  ptrdiff_t x_tap;                     /* neighbouring taps of a row */
  ptrdiff_t y_plane, residual_plane;
  int n_channels;                      /* input channels; spare ones of the last block are skipped */
  bool first, last;                    /* chunk of input channels */
} Row;

INLINE bool
has_clamp (const MienBlockedShape *shape)
{
  return shape->lo > -__builtin_inff () || shape->hi < __builtin_inff ();
}

/* What row points to is read before the first store: for the compiler, a store may change any of it. */
INLINE void
finish_tile (const Row *row, const int G, const int QT, Vec acc[4][12], int q)
{
  const bool last = row->last;
  const Elem *residual = last ? row->residual : NULL;
  const ptrdiff_t residual_plane = row->residual_plane, y_plane = row->y_plane;
  const Vec lo = splat (row->shape->lo), hi = splat (row->shape->hi);
  const bool clamps = last && has_clamp (row->shape);
  Elem *y = row->y + q * LANES;

  if (residual != NULL)
#pragma GCC unroll 4
    for (int g = 0; g < G; g++)
#pragma GCC unroll 12
      for (int i = 0; i < QT; i++)
        acc[g][i] += read_elems (residual + g * residual_plane + (q + i) * LANES);
  if (clamps)
#pragma GCC unroll 4
    for (int g = 0; g < G; g++)
#pragma GCC unroll 12
      for (int i = 0; i < QT; i++)
        acc[g][i] = min_vec (hi, max_vec (lo, acc[g][i]));
#pragma GCC unroll 4
  for (int g = 0; g < G; g++)
#pragma GCC unroll 12
    for (int i = 0; i < QT; i++)
      write_elems (y + g * y_plane + i * LANES, acc[g][i]);
}

INLINE void
start_tile (const Row *row, const int G, const int QT, Vec acc[4][12], int q)
{
#pragma GCC unroll 4
  for (int g = 0; g < G; g++) {
    const Vec bias = row->bias != NULL ? load (row->bias + g * LANES) : (Vec) { 0 };
#pragma GCC unroll 12
    for (int i = 0; i < QT; i++)
      acc[g][i] = row->first ? bias : read_elems (row->y + g * row->y_plane + (q + i) * LANES);
  }
}

/* How many sums a tile keeps for each of its results, so that the additions of small tiles wait for each other less. */
#define PARTS(G, QT) ((G) * (QT) >= 6 ? 1 : (G) * (QT) >= 3 ? 2 : 4)

enum { STEP = 1 + BF16 }; /* input channels whose weights lie together */

#if PAIRS
typedef __m512bh Weights;

INLINE Weights
load_weights (const Elem *w)
{
  return (__m512bh) _mm512_loadu_si512 (w);
}

INLINE Vec
multiply_add (Vec sum, const Elem *x, Weights w)
{
  return (Vec) _mm512_dpbf16_ps ((__m512) sum, (__m512bh) _mm512_set1_epi32 (*(const PairU *) x), w);
}
#elif !BF16
typedef Vec Weights;
#define load_weights load

INLINE Vec
multiply_add (Vec sum, const Elem *x, Weights w)
{
  return sum + splat (*x) * w;
}
#endif

#if BF16 && !PAIRS
INLINE void
conv_step (const int G, const int QT, const ptrdiff_t step, Vec acc[4][12], const Elem *x, const Elem *w)
{
#pragma GCC unroll 2
  for (int which = 0; which < 2; which++) {
    Vec weights[4];
#pragma GCC unroll 4
    for (int g = 0; g < G; g++)
      weights[g] = widen (load ((const float *) (const void *) (w + g * STEP * LANES)), which);
#pragma GCC unroll 12
    for (int i = 0; i < QT; i++) {
      const Vec value = widen ((Vec) _mm512_set1_epi32 (*(const PairU *) (x + i * step)), which);
#pragma GCC unroll 4
      for (int g = 0; g < G; g++)
        acc[g][i] += value * weights[g];
    }
  }
}
#else
INLINE void
conv_step (const int G, const int QT, const ptrdiff_t step, Vec acc[4][12], const Elem *x, const Elem *w)
{
  Weights weights[4];

#pragma GCC unroll 4
  for (int g = 0; g < G; g++)
    weights[g] = load_weights (w + g * STEP * LANES);
#pragma GCC unroll 12
  for (int i = 0; i < QT; i++)
#pragma GCC unroll 4
    for (int g = 0; g < G; g++)
      acc[g][i] = multiply_add (acc[g][i], x + i * step, weights[g]);
}
#endif

/* G blocks of channels x QT pixels; pixels of x are step floats apart. */
INLINE void
conv_tile (const Row *row, const int G, const int QT, const ptrdiff_t step, int q)
{
  const Elem *x = row->x + q * step, *w = row->w;
  const int n_r = row->shape->r, n_s = row->shape->s;
  Vec acc[4][4][12]; /* by part */

  start_tile (row, G, QT, acc[0], q);
#pragma GCC unroll 4
  for (int part = 1; part < 4; part++)
#pragma GCC unroll 4
    for (int g = 0; g < G; g++)
#pragma GCC unroll 12
      for (int i = 0; i < QT; i++)
        acc[part][g][i] = (Vec) { 0 };
  for (int c = 0; c < row->n_channels; c += LANES, x += row->x_plane) {
    const int n_l = row->n_channels - c < LANES ? row->n_channels - c : LANES;
    const ptrdiff_t skipped = (ptrdiff_t) (LANES - (n_l + STEP - 1) / STEP * STEP) * G * LANES;
    for (int r = 0; r < n_r; r++) {
      const Elem *at = x + r * row->x_row;
      for (int s = 0; s < n_s; s++, at += row->x_tap, w += skipped) {
        int l = 0;
        for (; PARTS (G, QT) > 1 && l + PARTS (G, QT) * STEP <= n_l; l += PARTS (G, QT) * STEP)
#pragma GCC unroll 4
          for (int part = 0; part < 4; part++)
            if (part < PARTS (G, QT)) {
              conv_step (G, QT, step, acc[part], at + l + part * STEP, w);
              w += G * STEP * LANES;
            }
        for (; l < n_l; l += STEP, w += G * STEP * LANES)
          conv_step (G, QT, step, acc[0], at + l, w);
      }
    }
  }
#pragma GCC unroll 4
  for (int part = 1; part < 4; part++)
#pragma GCC unroll 4
    for (int g = 0; g < G; g++)
#pragma GCC unroll 12
      for (int i = 0; i < QT; i++)
        if (part < PARTS (G, QT))
          acc[0][g][i] += acc[part][g][i];
  finish_tile (row, G, QT, acc[0], q);
}

/* One row in as few tiles of MOST pixels or less as can be, all of about one size. */
#define DEFINE_ROW(NAME_, TILE, G, MOST, STEP_)                                    \
  static __attribute__ ((noinline)) void NAME_ (const Row *row)                    \
  {                                                                                \
    const int n_q = row->shape->q, n_tiles = (n_q + MOST - 1) / MOST;              \
    const ptrdiff_t step = STEP_;                                                  \
    for (int tile = 0, q = 0; tile < n_tiles; tile++) {                            \
      const int size = n_q / n_tiles + (tile < n_q % n_tiles);                     \
      switch (size) {                                                              \
        EACH_SIZE_##MOST (TILE, G)                                                 \
      }                                                                            \
      q += size;                                                                   \
    }                                                                              \
  }
#define SIZE(TILE, G, N)           \
  case N:                          \
    TILE (row, G, N, step, q);     \
    break;
#define EACH_SIZE_2(TILE, G) SIZE (TILE, G, 1) SIZE (TILE, G, 2)
#define EACH_SIZE_3(TILE, G) EACH_SIZE_2 (TILE, G) SIZE (TILE, G, 3)
#define EACH_SIZE_6(TILE, G) EACH_SIZE_3 (TILE, G) SIZE (TILE, G, 4) SIZE (TILE, G, 5) SIZE (TILE, G, 6)
#define EACH_SIZE_8(TILE, G) EACH_SIZE_6 (TILE, G) SIZE (TILE, G, 7) SIZE (TILE, G, 8)
#define EACH_SIZE_12(TILE, G) EACH_SIZE_8 (TILE, G) SIZE (TILE, G, 9) SIZE (TILE, G, 10) SIZE (TILE, G, 11) SIZE (TILE, G, 12)

typedef void (*RowFn) (const Row *row);

#if TILES
#include "kernels/x86/mien-blocked-tiles.h"
#else
#if GROUP == 4 && REGISTERS == 16
DEFINE_ROW (conv_4_1, conv_tile, 4, 2, LANES)
DEFINE_ROW (conv_4_2, conv_tile, 4, 2, 2 * LANES)
DEFINE_ROW (conv_4_n, conv_tile, 4, 2, row->shape->stride_w * LANES)
DEFINE_ROW (conv_3_1, conv_tile, 3, 3, LANES)
DEFINE_ROW (conv_3_2, conv_tile, 3, 3, 2 * LANES)
DEFINE_ROW (conv_3_n, conv_tile, 3, 3, row->shape->stride_w * LANES)
DEFINE_ROW (conv_2_1, conv_tile, 2, 6, LANES)
DEFINE_ROW (conv_2_2, conv_tile, 2, 6, 2 * LANES)
DEFINE_ROW (conv_2_n, conv_tile, 2, 6, row->shape->stride_w * LANES)
#elif GROUP == 4
DEFINE_ROW (conv_4_1, conv_tile, 4, 6, LANES)
DEFINE_ROW (conv_4_2, conv_tile, 4, 6, 2 * LANES)
DEFINE_ROW (conv_4_n, conv_tile, 4, 6, row->shape->stride_w * LANES)
DEFINE_ROW (conv_3_1, conv_tile, 3, 8, LANES)
DEFINE_ROW (conv_3_2, conv_tile, 3, 8, 2 * LANES)
DEFINE_ROW (conv_3_n, conv_tile, 3, 8, row->shape->stride_w * LANES)
DEFINE_ROW (conv_2_1, conv_tile, 2, 12, LANES)
DEFINE_ROW (conv_2_2, conv_tile, 2, 12, 2 * LANES)
DEFINE_ROW (conv_2_n, conv_tile, 2, 12, row->shape->stride_w * LANES)
#else
DEFINE_ROW (conv_2_1, conv_tile, 2, 6, LANES)
DEFINE_ROW (conv_2_2, conv_tile, 2, 6, 2 * LANES)
DEFINE_ROW (conv_2_n, conv_tile, 2, 6, row->shape->stride_w * LANES)
#endif
DEFINE_ROW (conv_1_1, conv_tile, 1, 12, LANES)
DEFINE_ROW (conv_1_2, conv_tile, 1, 12, 2 * LANES)
DEFINE_ROW (conv_1_n, conv_tile, 1, 12, row->shape->stride_w * LANES)

static const RowFn conv_rows[][3] = {
  { conv_1_1, conv_1_2, conv_1_n },
  { conv_2_1, conv_2_2, conv_2_n },
#if GROUP == 4
  { conv_3_1, conv_3_2, conv_3_n },
  { conv_4_1, conv_4_2, conv_4_n },
#endif
};

static int
group_of (int k)
{
  const int blocks = (k + LANES - 1) / LANES;

  for (int g = GROUP; g > 1; g--)
    if (blocks % g == 0)
      return g;
  return 1;
}

static void
conv (const MienBlockedShape *shape, const MienBlockedArgs *args, int first, int end)
{
  const int group = group_of (shape->k), c_blocks = blocks_of (shape->c), k_blocks = blocks_of (shape->k), n_groups = k_blocks / group;
  const RowFn run = conv_rows[group - 1][shape->stride_w <= 2 ? shape->stride_w - 1 : 2];
  const ptrdiff_t per_block = (ptrdiff_t) LANES * shape->r * shape->s * group * LANES; /* weights of a block of input channels */
  /* bfloat16 weights are half as large, and sums must not be rounded between chunks: all channels at once. */
  const int at_once = BF16 || per_block * c_blocks <= CHUNK_FLOATS ? c_blocks : (int) (per_block > CHUNK_FLOATS ? 1 : CHUNK_FLOATS / per_block);
  const ptrdiff_t x_row = (ptrdiff_t) (shape->w + 2 * shape->x_halo) * LANES;
  Row row = {
    .shape = shape,
    .x_row = x_row * shape->dilation_h,
    .x_plane = x_row * (shape->h + 2 * shape->x_halo),
    .x_tap = (ptrdiff_t) shape->dilation_w * LANES,
    .y_plane = row_elems (shape) * (shape->p + 2 * shape->y_halo),
    .residual_plane = (ptrdiff_t) (shape->p + 2 * shape->residual_halo) * (shape->q + 2 * shape->residual_halo) * LANES,
  };

  while (first < end) { /* rows of one picture and one group of channels */
    const int n = first / (n_groups * shape->p), g = first / shape->p % n_groups, p0 = first % shape->p;
    const int p1 = end - first < shape->p - p0 ? p0 + end - first : shape->p;
    row.bias = args->bias != NULL ? args->bias + (ptrdiff_t) g * group * LANES : NULL;
    for (int c = 0; c < c_blocks; c += at_once) {
      const int now = c_blocks - c < at_once ? c_blocks - c : at_once;
      row.n_channels = c + now == c_blocks ? shape->c - c * LANES : now * LANES;
      row.first = c == 0;
      row.last = c + now == c_blocks;
      row.w = (const Elem *) args->w + ((ptrdiff_t) g * c_blocks + c) * per_block;
      for (int p = p0; p < p1; p++) {
        row.x = (const Elem *) args->x + offset_of (c_blocks, shape->h, shape->w, shape->x_halo, n, c, p * shape->stride_h - shape->pad_top) -
                (ptrdiff_t) shape->pad_left * LANES;
        row.y = (Elem *) args->y + offset_of (k_blocks, shape->p, shape->q, shape->y_halo, n, g * group, p);
        if (args->residual != NULL)
          row.residual = (const Elem *) args->residual + offset_of (k_blocks, shape->p, shape->q, shape->residual_halo, n, g * group, p);
        run (&row);
        for (int b = 0; row.last && b < group; b++)
          zero_halo (shape, row.y + b * row.y_plane, p);
      }
    }
    first += p1 - p0;
  }
}

#endif

#include "kernels/mien-stem-simd.h"

#include "kernels/mien-depth-simd.h"

#if TILES
#define separable NULL
#else
#include "kernels/mien-separable-simd.h"
#endif

#include "kernels/mien-pool-simd.h"
#include "kernels/mien-mean-simd.h"
#include "kernels/mien-pack-simd.h"

static void
pack (const MienBlockedShape *shape, int width, const float *w, void *packed, int n_groups)
{
  pack_filters (shape, width, w, packed, n_groups);
}

void
NAME (blocked_kernels_init) (MienBlockedKernels *self)
{
  *self = (MienBlockedKernels) { LANES, TILES ? 1 : GROUP, BF16, conv, stem, depth, max_pool, average_pool, pack, mean, conv_mean, separable };
}
