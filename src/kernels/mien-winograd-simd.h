/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernels of mien-winograd.h written once with the compiler's vector types; a file per instruction set sets LANES, NAME and BF16 as
 * for mien-blocked-simd.h, and
 *   MOST      tiles whose products with 2 blocks of output channels fit the registers: 2 x MOST sums, 2 vectors of weights, 1 value */
#include "kernels/mien-lanes-simd.h"
#include "kernels/mien-winograd.h"

enum { GROUP = 2 };

#define HALF_ROOT 0.70710678f /* 1 / sqrt 2 */
#define ROOT 1.41421356f

/* Where a tile lies. */
typedef struct {
  int n, p, q; /* picture, first row and column of y */
} Place;

INLINE Place
place_of (const MienWinogradBlock *block, const int m, int tile)
{
  const int across = (block->shape->q + m - 1) / m, down = (block->shape->p + m - 1) / m;

  return (Place) { tile / (across * down), tile / across % down * m, tile % across * m };
}

INLINE void
next_place (const MienWinogradBlock *block, const int m, Place *at)
{
  at->q += m;
  if (at->q < block->shape->q)
    return;
  at->q = 0;
  at->p += m;
  if (at->p < block->shape->p)
    return;
  at->p = 0;
  at->n++;
}

/* B^T d, of t values that lie step apart */
INLINE void
transform_in (const int m, const Vec *d, const int step, Vec *v, const int v_step)
{
  if (m == 2) {
    v[0] = d[0] - d[2 * step];
    v[v_step] = d[step] + d[2 * step];
    v[2 * v_step] = d[2 * step] - d[step];
    v[3 * v_step] = d[step] - d[3 * step];
  } else {
    const Vec even_a = d[4 * step] - 2 * d[2 * step], odd_a = d[3 * step] - 2 * d[step];
    const Vec even_b = d[4 * step] - 0.5f * d[2 * step], odd_b = d[3 * step] - 0.5f * d[step];
    v[0] = d[0] + d[4 * step] - 2.5f * d[2 * step];
    v[v_step] = even_a + HALF_ROOT * odd_a;
    v[2 * v_step] = even_a - HALF_ROOT * odd_a;
    v[3 * v_step] = even_b + ROOT * odd_b;
    v[4 * v_step] = even_b - ROOT * odd_b;
    v[5 * v_step] = d[step] + d[5 * step] - 2.5f * d[3 * step];
  }
}

/* A^T v */
INLINE void
transform_out (const int m, const Vec *v, const int step, Vec *y, const int y_step)
{
  const Vec sum_a = v[step] + v[2 * step], difference_a = v[step] - v[2 * step];

  if (m == 2) {
    y[0] = v[0] + sum_a;
    y[y_step] = difference_a - v[3 * step];
  } else {
    const Vec sum_b = v[3 * step] + v[4 * step], difference_b = v[3 * step] - v[4 * step];
    y[0] = v[0] + sum_a + sum_b;
    y[y_step] = HALF_ROOT * difference_a + ROOT * difference_b;
    y[2 * y_step] = 0.5f * sum_a + 2 * sum_b;
    y[3 * y_step] = v[5 * step] + 0.5f * HALF_ROOT * difference_a + 2 * ROOT * difference_b;
  }
}

/* B^T d B of one tile and one block of channels; parts of v lie v_step apart. Beyond the halo are zeros. */
INLINE void
transform_tile (const int m, const Elem *x, ptrdiff_t x_row, int n_rows, int n_columns, float *v, ptrdiff_t v_step)
{
  const int t = m + 2;
  Vec d[6], half[36], row[6];

  for (int c = 0; c < t; c++) {
#pragma GCC unroll 6
    for (int r = 0; r < t; r++)
      d[r] = r < n_rows && c < n_columns ? read_elems (x + r * x_row + c * LANES) : (Vec) { 0 };
    transform_in (m, d, 1, half + c, t);
  }
  for (int r = 0; r < t; r++) {
    transform_in (m, half + r * t, 1, row, 1);
#pragma GCC unroll 6
    for (int c = 0; c < t; c++)
      store (v + (r * t + c) * v_step, row[c]);
  }
}

INLINE void
transform_inputs (const MienWinogradBlock *block, const int m, int first, int end)
{
  const MienBlockedShape *shape = block->shape;
  const int t = m + 2, blocks = blocks_of (shape->c);
  const ptrdiff_t x_row = (ptrdiff_t) (shape->w + 2 * shape->x_halo) * LANES;
  const ptrdiff_t v_step = (ptrdiff_t) mien_winograd_v_step (shape, LANES, block->n_tiles);

  for (int c = first; c < end; c++) {
    Place at = place_of (block, m, block->tile);
    float *v = block->v + (ptrdiff_t) c * block->n_tiles * LANES;
    for (int i = 0; i < block->n_tiles; i++, v += LANES, next_place (block, m, &at)) {
      const int row = at.p - shape->pad_top, column = at.q - shape->pad_left;
      const int n_rows = shape->h + shape->x_halo - row, n_columns = shape->w + shape->x_halo - column;
      const Elem *x = (const Elem *) block->args->x + offset_of (blocks, shape->h, shape->w, shape->x_halo, at.n, c, row) + (ptrdiff_t) column * LANES;
      if (n_rows >= t && n_columns >= t)
        transform_tile (m, x, x_row, t, t, v, v_step);
      else
        transform_tile (m, x, x_row, n_rows, n_columns, v, v_step);
    }
  }
}

/* G blocks of output channels x T tiles of one part: products[tile][G] = sum over channels. */
INLINE void
multiply_tiles (const int G, const int T, int n_channels, const float *v, ptrdiff_t v_block, const float *u, float *products)
{
  Vec acc[2][MOST];

#pragma GCC unroll 16
  for (int i = 0; i < T; i++)
    for (int g = 0; g < G; g++)
      acc[g][i] = (Vec) { 0 };
  for (; n_channels > 0; n_channels -= LANES, v += v_block) {
    const int n_l = n_channels < LANES ? n_channels : LANES;
    for (int l = 0; l < n_l; l++, u += G * LANES) {
      const Vec u0 = load (u), u1 = G > 1 ? load (u + LANES) : u0;
#pragma GCC unroll 16
      for (int i = 0; i < T; i++) {
        const Vec value = splat (v[i * LANES + l]);
        acc[0][i] += value * u0;
        if (G > 1)
          acc[1][i] += value * u1;
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < T; i++)
    for (int g = 0; g < G; g++)
      store (products + (i * G + g) * LANES, acc[g][i]);
}

typedef void (*MultiplyFn) (int n_channels, const float *v, ptrdiff_t v_block, const float *u, float *products);

#define DEFINE_MULTIPLY(G, T)                                                                                                  \
  static __attribute__ ((noinline)) void multiply_##G##_##T (int n_channels, const float *v, ptrdiff_t v_block, const float *u, \
                                                             float *products)                                                  \
  {                                                                                                                            \
    multiply_tiles (G, T, n_channels, v, v_block, u, products);                                                                \
  }
#define DEFINE_MULTIPLIES(G) \
  DEFINE_MULTIPLY (G, 1)     \
  DEFINE_MULTIPLY (G, 2)     \
  DEFINE_MULTIPLY (G, 3)     \
  DEFINE_MULTIPLY (G, 4)     \
  DEFINE_MULTIPLY (G, 5)     \
  DEFINE_MULTIPLY (G, 6)
#define DEFINE_MORE(G)    \
  DEFINE_MULTIPLY (G, 7)  \
  DEFINE_MULTIPLY (G, 8)  \
  DEFINE_MULTIPLY (G, 9)  \
  DEFINE_MULTIPLY (G, 10) \
  DEFINE_MULTIPLY (G, 11) \
  DEFINE_MULTIPLY (G, 12)
DEFINE_MULTIPLIES (1)
DEFINE_MULTIPLIES (2)
#if MOST == 12
DEFINE_MORE (1)
DEFINE_MORE (2)
#endif

static const MultiplyFn multiplies[2][MOST] = {
  { multiply_1_1, multiply_1_2, multiply_1_3, multiply_1_4, multiply_1_5, multiply_1_6,
#if MOST == 12
    multiply_1_7, multiply_1_8, multiply_1_9, multiply_1_10, multiply_1_11, multiply_1_12,
#endif
  },
  { multiply_2_1, multiply_2_2, multiply_2_3, multiply_2_4, multiply_2_5, multiply_2_6,
#if MOST == 12
    multiply_2_7, multiply_2_8, multiply_2_9, multiply_2_10, multiply_2_11, multiply_2_12,
#endif
  },
};

/* One part of all tiles of the block, evenly in as few pieces as the registers allow. */
INLINE void
multiply (const MienWinogradBlock *block, int G, const float *v, const float *u, float *products)
{
  const int n_tiles = block->n_tiles, n_pieces = (n_tiles + MOST - 1) / MOST;

  for (int i = 0, at = 0; i < n_pieces; i++) {
    const int now = (n_tiles - at) / (n_pieces - i);
    multiplies[G - 1][now - 1](block->shape->c, v + (ptrdiff_t) at * LANES, (ptrdiff_t) n_tiles * LANES, u, products + (ptrdiff_t) at * G * LANES);
    at += now;
  }
}

/* A^T M A of one tile and one block of channels, with what comes behind; rows and columns of y beyond the picture are left out. */
INLINE void
finish_tile (const MienBlockedShape *shape, const int m, const float *products, ptrdiff_t m_step, Vec bias, const Elem *residual, Elem *y,
             const int n_rows, const int n_columns)
{
  const ptrdiff_t y_row = row_elems (shape), residual_row = (ptrdiff_t) (shape->q + 2 * shape->residual_halo) * LANES;
  const int t = m + 2;
  Vec v[6], half[24], row[4];

  for (int c = 0; c < t; c++) {
#pragma GCC unroll 6
    for (int r = 0; r < t; r++)
      v[r] = load (products + (r * t + c) * m_step);
    transform_out (m, v, 1, half + c, t);
  }
  for (int r = 0; r < n_rows; r++) {
    transform_out (m, half + r * t, 1, row, 1);
#pragma GCC unroll 4
    for (int c = 0; c < m; c++) {
      if (c >= n_columns)
        break;
      Vec sum = row[c] + bias;
      if (residual != NULL)
        sum += read_elems (residual + r * residual_row + c * LANES);
      write_elems (y + r * y_row + c * LANES, clamp (sum, shape->lo, shape->hi));
    }
  }
}

INLINE void
finish_block (const MienWinogradBlock *block, const int m, int G, int k, int g, ptrdiff_t m_step)
{
  const MienBlockedShape *shape = block->shape;
  const MienBlockedArgs *args = block->args;
  const int blocks = blocks_of (shape->k);
  const Vec bias = args->bias != NULL ? load (args->bias + (ptrdiff_t) k * LANES) : (Vec) { 0 };
  const float *products = block->products + g * LANES;
  Place at = place_of (block, m, block->tile);

  for (int i = 0; i < block->n_tiles; i++, products += G * LANES, next_place (block, m, &at)) {
    const int n_rows = shape->p - at.p < m ? shape->p - at.p : m, n_columns = shape->q - at.q < m ? shape->q - at.q : m;
    Elem *y = (Elem *) args->y + offset_of (blocks, shape->p, shape->q, shape->y_halo, at.n, k, at.p);
    const Elem *residual = NULL;
    if (args->residual != NULL)
      residual = (const Elem *) args->residual + offset_of (blocks, shape->p, shape->q, shape->residual_halo, at.n, k, at.p) + (ptrdiff_t) at.q * LANES;
    if (n_rows == m && n_columns == m)
      finish_tile (shape, m, products, m_step, bias, residual, y + (ptrdiff_t) at.q * LANES, m, m);
    else
      finish_tile (shape, m, products, m_step, bias, residual, y + (ptrdiff_t) at.q * LANES, n_rows, n_columns);
    for (int r = 0; at.q == 0 && r < n_rows; r++)
      zero_halo (shape, y + r * row_elems (shape), at.p + r);
  }
}

INLINE void
compute_outputs (const MienWinogradBlock *block, const int m, int first, int end)
{
  const MienBlockedShape *shape = block->shape;
  const int parts = (m + 2) * (m + 2), blocks = blocks_of (shape->k);
  const ptrdiff_t v_step = (ptrdiff_t) mien_winograd_v_step (shape, LANES, block->n_tiles);
  const ptrdiff_t m_step = (ptrdiff_t) mien_winograd_m_step (GROUP, LANES, block->n_tiles);

  for (int k = first * GROUP; k < end * GROUP && k < blocks; k += GROUP) {
    const int G = blocks - k < GROUP ? blocks - k : GROUP;
    const float *u = (const float *) block->args->w + (ptrdiff_t) k * LANES * parts * shape->c;
    for (int part = 0; part < parts; part++, u += (ptrdiff_t) shape->c * G * LANES)
      multiply (block, G, block->v + part * v_step, u, block->products + part * m_step);
    for (int g = 0; g < G; g++)
      finish_block (block, m, G, k + g, g, m_step);
  }
}

static void
inputs (const MienWinogradBlock *block, int first, int end)
{
  if (block->m == 2)
    transform_inputs (block, 2, first, end);
  else
    transform_inputs (block, 4, first, end);
}

static void
outputs (const MienWinogradBlock *block, int first, int end)
{
  if (block->m == 2)
    compute_outputs (block, 2, first, end);
  else
    compute_outputs (block, 4, first, end);
}

void
NAME (winograd_kernels_init) (MienWinogradKernels *self)
{
  *self = (MienWinogradKernels) { LANES, GROUP, inputs, outputs };
}
