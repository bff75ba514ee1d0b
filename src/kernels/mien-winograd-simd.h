/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernels of mien-winograd.h written once with the compiler's vector types; a file per instruction set sets LANES, NAME, BF16 and PAIRS as
 * for mien-blocked-simd.h, and
 *   MOST      tiles whose products with 2 blocks of output channels fit the registers: 2 x MOST sums, 2 vectors of weights, 1 value */
#include "kernels/mien-pack-simd.h"
#include "kernels/mien-transform-simd.h"
#include "kernels/mien-winograd.h"

enum {
  GROUP = 2,
  AHEAD = 96, /* vectors of weights asked for before they are needed, beyond the end of a part too, where the next one begins: they come from
               * the last cache or memory, and a whole network with few pictures waits for them up to half of its time */
};

_Static_assert (AHEAD * GROUP * LANES * 4 <= MIEN_WINOGRAD_AHEAD, "what lies behind U is fetched");

/* Where a tile lies. */
typedef struct {
  int n, p, q; /* picture, first row and column of y */
} Place;

INLINE Place
place_of (const MienBlockedShape *shape, const int rows, const int columns, int tile)
{
  const int across = (shape->q + columns - 1) / columns, down = (shape->p + rows - 1) / rows;

  return (Place) { tile / (across * down), tile / across % down * rows, tile % across * columns };
}

INLINE void
next_place (const MienBlockedShape *shape, const int rows, const int columns, Place *at)
{
  at->q += columns;
  if (at->q < shape->q)
    return;
  at->q = 0;
  at->p += rows;
  if (at->p < shape->p)
    return;
  at->p = 0;
  at->n++;
}

/* G w, of values that lie step apart. Rows of G: 1, p, p^2 for a point p, divided by the product of its distances from the other finite
 * points. */
INLINE void
transform_filter (const int m, const Vec *w, const int step, Vec *u, const int u_step)
{
  const Vec ends = w[0] + w[2 * step];

  u[0] = w[0];
  if (m == 2) {
    u[u_step] = 0.5f * (ends + w[step]);
    u[2 * u_step] = 0.5f * (ends - w[step]);
    u[3 * u_step] = w[2 * step];
  } else {
    const Vec near = (-1 / 3.0f) * (ends + w[0]), far = (1 / 6.0f) * (ends + w[2 * step]), middle = (ROOT / 6) * w[step];
    u[u_step] = near - 2 * middle;
    u[2 * u_step] = near + 2 * middle;
    u[3 * u_step] = far + middle;
    u[4 * u_step] = far - middle;
    u[5 * u_step] = w[2 * step];
  }
}

/* Filters of the gradient: w[C][K][3][3], turned. */
INLINE void
read_flipped (const MienWinogradFilters *filters, int n_k, int n_c, Vec *taps)
{
  for (int c = 0; c < LANES; c++)
    for (int tap = 0; tap < 9; tap++, taps++) {
      float lanes[LANES] = { 0 };
      for (int l = 0; l < n_k && c < n_c; l++)
        lanes[l] = filters->w[c * filters->c_step + l * filters->k_step + 8 - tap];
      *taps = load (lanes);
    }
}

/* G w G^T of a block of output channels and an input channel. */
INLINE void
transform_filters (const int rows, const int columns, const Vec *taps, Vec *u)
{
  const int wide = columns + 2;
  Vec half[18];

  for (int s = 0; s < 3; s++)
    transform_filter (rows, taps + s, 3, half + s, 3);
  for (int r = 0; r < rows + 2; r++)
    transform_filter (columns, half + r * 3, 1, u + r * wide, 1);
}

INLINE void
transform_weights (const MienBlockedShape *shape, const int rows, const int columns, const bool narrow, const bool bf16,
                   const MienWinogradFilters *filters, void *packed, int first, int end)
{
  const int parts = (rows + 2) * (columns + 2), blocks = blocks_of (shape->k), n_channels = narrow ? (shape->c + 1) / 2 * 2 : shape->c;
  const int together = narrow ? 2 : 1;

  for (int k = first * GROUP; k < end * GROUP && k < blocks; k++) {
    const int start = k / GROUP * GROUP, g = k - start, G = blocks - start < GROUP ? blocks - start : GROUP;
    const int n_k = shape->k - k * LANES < LANES ? shape->k - k * LANES : LANES;
    const ptrdiff_t part_step = (ptrdiff_t) n_channels * G * LANES, at = (ptrdiff_t) start * LANES * parts * n_channels;
    Vec taps[LANES * 9];
    for (int c = 0; c < n_channels; c += together) {
      if (c % LANES == 0) {
        const int n_c = shape->c - c < LANES ? shape->c - c : LANES;
        MienWinogradFilters here = *filters;
        here.w += (ptrdiff_t) k * LANES * filters->k_step + c * filters->c_step;
        if (filters->flipped)
          read_flipped (&here, n_k, n_c, taps);
        else
          read_filters (here.w, here.k_step, 9, n_k, n_c, taps);
      }
      Vec even[36];
      transform_filters (rows, columns, taps + c % LANES * 9, even);
      if (narrow) {
        unsigned short *u = (unsigned short *) packed + at + (c * G + 2 * g) * LANES;
        Vec odd[36];
        transform_filters (rows, columns, taps + (c % LANES + 1) * 9, odd);
        for (int part = 0; part < parts; part++, u += part_step)
          write_zipped (u, even[part], odd[part]);
        continue;
      }
      float *u = (float *) packed + at + (c * G + g) * LANES;
      for (int part = 0; part < parts; part++, u += part_step)
        store (u, even[part]);
    }
  }
}

/* V is floats, or bfloat16. */
INLINE void
store_v (const bool bf16, void *v, ptrdiff_t at, Vec x)
{
#if BF16
  if (bf16) {
    write_elems ((Elem *) v + at, x);
    return;
  }
#endif
  store ((float *) v + at, x);
}

INLINE void *
v_at (const bool bf16, void *v, ptrdiff_t at)
{
  return (char *) v + at * (bf16 ? 2 : 4);
}

/* B^T d B of one tile and one block of channels; parts of v lie v_step apart. Beyond the halo are zeros.
 *
 * Here and below: each line that is written lies far from the one before, which no prefetcher of the processor foresees, and each write
 * would wait for its line. So what the next tile needs is asked for; a tenth to a fifth of the time of a layer. */
INLINE void
transform_tile (const int rows, const int columns, const bool bf16, const Elem *x, ptrdiff_t x_row, int n_rows, int n_columns, void *v,
                ptrdiff_t v_step)
{
  const int tall = rows + 2, wide = columns + 2;
  Vec d[6], half[36], row[6];

  for (int c = 0; c < wide; c++) {
#pragma GCC unroll 6
    for (int r = 0; r < tall; r++) {
      d[r] = r < n_rows && c < n_columns ? read_elems (x + r * x_row + c * LANES) : (Vec) { 0 };
      if (c >= 2)
        __builtin_prefetch (x + r * x_row + (c + 2 * columns) * LANES);
    }
    transform_in (rows, d, 1, half + c, wide);
  }
  for (int r = 0; r < tall; r++) {
    transform_in (columns, half + r * wide, 1, row, 1);
#pragma GCC unroll 6
    for (int c = 0; c < wide; c++) {
      store_v (bf16, v, (r * wide + c) * v_step, row[c]);
      __builtin_prefetch (v_at (bf16, v, (r * wide + c) * v_step + LANES), 1);
    }
  }
}

#if BF16
/* Two tiles side by side, both whole: the columns that they share are transformed once, and what lies together in V is written together. */
INLINE void
transform_two_tiles (const int rows, const int columns, const Elem *x, ptrdiff_t x_row, Elem *v, ptrdiff_t v_step)
{
  const int tall = rows + 2, wide = columns + 2, all = wide + columns;
  Vec d[6], half[60], first[6], second[6];

  for (int c = 0; c < all; c++) {
#pragma GCC unroll 6
    for (int r = 0; r < tall; r++) {
      d[r] = read_elems (x + r * x_row + c * LANES);
      if (c >= 2 && c % 2 == 0)
        __builtin_prefetch (x + r * x_row + (c + 2 * columns) * LANES);
    }
    transform_in (rows, d, 1, half + c, all);
  }
  for (int r = 0; r < tall; r++) {
    transform_in (columns, half + r * all, 1, first, 1);
    transform_in (columns, half + r * all + columns, 1, second, 1);
#pragma GCC unroll 6
    for (int c = 0; c < wide; c++) {
      Elem *to = v + (r * wide + c) * v_step;
      write_two (to, first[c], second[c]);
      __builtin_prefetch (to + 2 * LANES, 1);
    }
  }
}
#endif

INLINE void
transform_inputs (const MienWinogradBlock *block, const int rows, const int columns, const bool narrow, const bool bf16, int first, int end)
{
  const MienBlockedShape *shape = block->shape;
  const int tall = rows + 2, wide = columns + 2, blocks = blocks_of (shape->c);
  const ptrdiff_t x_row = (ptrdiff_t) (shape->w + 2 * shape->x_halo) * LANES;
  const ptrdiff_t v_step = (ptrdiff_t) mien_winograd_v_step (shape, LANES, block->n_tiles);

  for (int c = first; c < end; c++) {
    Place at = place_of (shape, rows, columns, block->tile);
    for (int i = 0; i < block->n_tiles; i++, next_place (shape, rows, columns, &at)) {
      void *v = v_at (bf16, block->v, ((ptrdiff_t) c * block->n_tiles + i) * LANES);
      const int row = at.p - shape->pad_top, column = at.q - shape->pad_left;
      const int n_rows = shape->h + shape->x_halo - row, n_columns = shape->w + shape->x_halo - column;
      const Elem *x = (const Elem *) block->args->x + offset_of (blocks, shape->h, shape->w, shape->x_halo, at.n, c, row) + (ptrdiff_t) column * LANES;
#if BF16
      if (bf16 && i + 1 < block->n_tiles && at.q + columns < shape->q && n_rows >= tall && n_columns >= wide + columns) {
        transform_two_tiles (rows, columns, x, x_row, v, v_step);
        next_place (shape, rows, columns, &at);
        i++;
        continue;
      }
#endif
      if (n_rows >= tall && n_columns >= wide)
        transform_tile (rows, columns, bf16, x, x_row, tall, wide, v, v_step);
      else
        transform_tile (rows, columns, bf16, x, x_row, n_rows, n_columns, v, v_step);
    }
  }
}

/* G blocks of output channels x T tiles of one part: products[tile][G] = sum over channels. */
INLINE void
multiply_tiles (const bool narrow, const bool bf16, const int G, const int T, int n_channels, const void *v_, ptrdiff_t v_block, const void *u_, float *products)
{
  const float *v = v_, *u = u_;
  Vec acc[2][MOST];

#pragma GCC unroll 16
  for (int i = 0; i < T; i++)
    for (int g = 0; g < G; g++) {
      acc[g][i] = (Vec) { 0 };
      __builtin_prefetch (products + (i * G + g) * LANES, 1);
    }
#if BF16
  const Elem *v_bf16 = v_, *u_bf16 = u_;
  for (; bf16 && n_channels > 0; n_channels -= LANES, v_bf16 += v_block) {
    const int n_l = n_channels < LANES ? n_channels : LANES;
    for (int l = 0; l < n_l; l += 2, u_bf16 += 2 * G * LANES) { /* two channels at once */
      const __m512bh u0 = (__m512bh) _mm512_loadu_si512 (u_bf16), u1 = G > 1 ? (__m512bh) _mm512_loadu_si512 (u_bf16 + 2 * LANES) : u0;
      __builtin_prefetch (u_bf16 + AHEAD * G * LANES * 2);
      if (G > 1)
        __builtin_prefetch (u_bf16 + AHEAD * G * LANES * 2 + 2 * LANES);
#pragma GCC unroll 16
      for (int i = 0; i < T; i++) {
        const __m512bh pair = (__m512bh) _mm512_set1_epi32 (*(const PairU *) (v_bf16 + i * LANES + l));
        acc[0][i] = (Vec) _mm512_dpbf16_ps ((__m512) acc[0][i], pair, u0);
        if (G > 1)
          acc[1][i] = (Vec) _mm512_dpbf16_ps ((__m512) acc[1][i], pair, u1);
      }
    }
  }
#endif
  for (; !bf16 && n_channels > 0; n_channels -= LANES, v += v_block) {
    const int n_l = n_channels < LANES ? n_channels : LANES, together = narrow ? 2 : 1;
    for (int l = 0; l < n_l; l += together, u += G * LANES) {
      const Vec u0 = load (u), u1 = G > 1 ? load (u + LANES) : u0;
      __builtin_prefetch (u + AHEAD * G * LANES);
      if (G > 1)
        __builtin_prefetch (u + AHEAD * G * LANES + LANES);
#pragma GCC unroll 2
      for (int which = 0; which < together; which++) {
        const Vec w0 = narrow ? widen (u0, which) : u0, w1 = narrow ? widen (u1, which) : u1;
#pragma GCC unroll 16
        for (int i = 0; i < T; i++) {
          const Vec value = splat (v[i * LANES + l + which]);
          acc[0][i] += value * w0;
          if (G > 1)
            acc[1][i] += value * w1;
        }
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < T; i++)
    for (int g = 0; g < G; g++)
      store (products + (i * G + g) * LANES, acc[g][i]);
}

typedef void (*MultiplyFn) (int n_channels, const void *v, ptrdiff_t v_block, const void *u, float *products);

#define DEFINE_MULTIPLY(NAME_, NARROW_, BF16_, G, T)                                                                                           \
  static __attribute__ ((noinline)) void NAME_##G##_##T (int n_channels, const void *v, ptrdiff_t v_block, const void *u, float *products) \
  {                                                                                                                                   \
    multiply_tiles (NARROW_, BF16_, G, T, n_channels, v, v_block, u, products);                                                                \
  }
#if MOST == 12
#define DEFINE_MORE(NAME_, NARROW_, BF16_, G)    \
  DEFINE_MULTIPLY (NAME_, NARROW_, BF16_, G, 7)  \
  DEFINE_MULTIPLY (NAME_, NARROW_, BF16_, G, 8)  \
  DEFINE_MULTIPLY (NAME_, NARROW_, BF16_, G, 9)  \
  DEFINE_MULTIPLY (NAME_, NARROW_, BF16_, G, 10) \
  DEFINE_MULTIPLY (NAME_, NARROW_, BF16_, G, 11) \
  DEFINE_MULTIPLY (NAME_, NARROW_, BF16_, G, 12)
#define LIST_MORE(NAME_, G) NAME_##G##_7, NAME_##G##_8, NAME_##G##_9, NAME_##G##_10, NAME_##G##_11, NAME_##G##_12,
#else
#define DEFINE_MORE(NAME_, NARROW_, BF16_, G)
#define LIST_MORE(NAME_, G)
#endif
#define DEFINE_MULTIPLIES(NAME_, NARROW_, BF16_, G) \
  DEFINE_MULTIPLY (NAME_, NARROW_, BF16_, G, 1)     \
  DEFINE_MULTIPLY (NAME_, NARROW_, BF16_, G, 2)     \
  DEFINE_MULTIPLY (NAME_, NARROW_, BF16_, G, 3)     \
  DEFINE_MULTIPLY (NAME_, NARROW_, BF16_, G, 4)     \
  DEFINE_MULTIPLY (NAME_, NARROW_, BF16_, G, 5)     \
  DEFINE_MULTIPLY (NAME_, NARROW_, BF16_, G, 6)     \
  DEFINE_MORE (NAME_, NARROW_, BF16_, G)
#define LIST_MULTIPLIES(NAME_, G) \
  { NAME_##G##_1, NAME_##G##_2, NAME_##G##_3, NAME_##G##_4, NAME_##G##_5, NAME_##G##_6, LIST_MORE (NAME_, G) }

DEFINE_MULTIPLIES (multiply_, false, false, 1)
DEFINE_MULTIPLIES (multiply_, false, false, 2)
DEFINE_MULTIPLIES (multiply_narrow_, true, PAIRS, 1)
DEFINE_MULTIPLIES (multiply_narrow_, true, PAIRS, 2)

static const MultiplyFn multiplies[2][2][MOST] = { /* by U's type, group */
  { LIST_MULTIPLIES (multiply_, 1), LIST_MULTIPLIES (multiply_, 2) },
  { LIST_MULTIPLIES (multiply_narrow_, 1), LIST_MULTIPLIES (multiply_narrow_, 2) },
};

/* One part of all tiles of the block, evenly in as few pieces as the registers allow. */
INLINE void
multiply (const MienWinogradBlock *block, const bool narrow, const bool bf16, int G, void *v, const void *u, float *products)
{
  const int n_tiles = block->n_tiles, n_pieces = (n_tiles + MOST - 1) / MOST;

  for (int i = 0, at = 0; i < n_pieces; i++) {
    const int now = (n_tiles - at) / (n_pieces - i);
    multiplies[narrow][G - 1][now - 1](block->shape->c, v_at (bf16, v, (ptrdiff_t) at * LANES), (ptrdiff_t) n_tiles * LANES, u,
                                     products + (ptrdiff_t) at * G * LANES);
    at += now;
  }
}

/* Results as they are stored: pooled or not. */
INLINE MienBlockedShape
stored_shape (const MienBlockedShape *shape)
{
  MienBlockedShape out = *shape;

  if (shape->pool) {
    out.p /= 2;
    out.q /= 2;
  }
  return out;
}

/* A^T M A of one tile and one block of channels, with what comes behind; rows and columns of y beyond the picture are left out. */
INLINE void
finish_tile (const MienBlockedShape *shape, const int rows, const int columns, const float *products, ptrdiff_t m_step, Vec bias,
             const Elem *residual, Elem *y, ptrdiff_t y_row, const bool pool, const int n_rows, const int n_columns)
{
  const ptrdiff_t residual_row = (ptrdiff_t) (shape->q + 2 * shape->residual_halo) * LANES;
  const int tall = rows + 2, wide = columns + 2;
  Vec v[6], half[24], row[4], above[4];

  for (int c = 0; c < wide; c++) {
#pragma GCC unroll 6
    for (int r = 0; r < tall; r++)
      v[r] = load (products + (r * wide + c) * m_step);
    transform_out (rows, v, 1, half + c, wide);
  }
  for (int r = 0; pool && r + 1 < n_rows; r += 2) {
    transform_out (columns, half + r * wide, 1, above, 1);
    transform_out (columns, half + (r + 1) * wide, 1, row, 1);
#pragma GCC unroll 2
    for (int c = 0; c < columns; c += 2) {
      if (c + 1 >= n_columns)
        break;
      const Vec most = max_vec (max_vec (above[c], above[c + 1]), max_vec (row[c], row[c + 1]));
      write_elems (y + r / 2 * y_row + c / 2 * LANES, clamp (most + bias, shape->lo, shape->hi));
      __builtin_prefetch (y + r / 2 * y_row + (c + columns) / 2 * LANES, 1);
    }
  }
  for (int r = 0; !pool && r < n_rows; r++) {
    transform_out (columns, half + r * wide, 1, row, 1);
#pragma GCC unroll 4
    for (int c = 0; c < columns; c++) {
      if (c >= n_columns)
        break;
      Vec sum = row[c] + bias;
      if (residual != NULL) {
        sum += read_elems (residual + r * residual_row + c * LANES);
        __builtin_prefetch (residual + r * residual_row + (c + 3 * columns) * LANES);
      }
      write_elems (y + r * y_row + c * LANES, clamp (sum, shape->lo, shape->hi));
      __builtin_prefetch (y + r * y_row + (c + columns) * LANES, 1);
    }
  }
}

INLINE void
finish_block (const MienWinogradBlock *block, const int rows, const int columns, int G, int k, int g, ptrdiff_t m_step)
{
  const MienBlockedShape *shape = block->shape;
  const MienBlockedArgs *args = block->args;
  const int blocks = blocks_of (shape->k);
  const Vec bias = args->bias != NULL ? load (args->bias + (ptrdiff_t) k * LANES) : (Vec) { 0 };
  const float *products = block->products + g * LANES;
  const MienBlockedShape out = stored_shape (shape);
  const ptrdiff_t y_row = row_elems (&out);
  const int pooled = shape->pool ? 2 : 1;
  Place at = place_of (shape, rows, columns, block->tile);

  for (int i = 0; i < block->n_tiles; i++, products += G * LANES, next_place (shape, rows, columns, &at)) {
    const int n_rows = shape->p - at.p < rows ? shape->p - at.p : rows, n_columns = shape->q - at.q < columns ? shape->q - at.q : columns;
    const int p = at.p / pooled, q = at.q / pooled;
    Elem *y = (Elem *) args->y + offset_of (blocks, out.p, out.q, shape->y_halo, at.n, k, p);
    const Elem *residual = NULL;
    if (args->residual != NULL)
      residual = (const Elem *) args->residual + offset_of (blocks, shape->p, shape->q, shape->residual_halo, at.n, k, at.p) + (ptrdiff_t) at.q * LANES;
    if (shape->pool && n_rows == rows && n_columns == columns)
      finish_tile (shape, rows, columns, products, m_step, bias, NULL, y + (ptrdiff_t) q * LANES, y_row, true, rows, columns);
    else if (n_rows == rows && n_columns == columns)
      finish_tile (shape, rows, columns, products, m_step, bias, residual, y + (ptrdiff_t) q * LANES, y_row, false, rows, columns);
    else
      finish_tile (shape, rows, columns, products, m_step, bias, residual, y + (ptrdiff_t) q * LANES, y_row, shape->pool, n_rows, n_columns);
    for (int r = 0; at.q == 0 && r < n_rows / pooled; r++)
      zero_halo (&out, y + r * y_row, p + r);
  }
}

/* What tiles of a tensor lie on: whole rows of tiles of all its blocks of channels, line by line. */
typedef struct {
  const char *at;
  ptrdiff_t band, plane, picture; /* bytes from a row of tiles, block of channels, picture to the next */
  int down, blocks;               /* rows of tiles and blocks of a picture */
} Lines;

INLINE Lines
lines_of (const void *at, int blocks, int h, int w, int halo, int rows)
{
  const ptrdiff_t row = (ptrdiff_t) (w + 2 * halo) * LANES * sizeof (Elem), plane = (h + 2 * halo) * row;

  return (Lines) { (const char *) at + halo * row, rows * row, plane, blocks * plane, (h + rows - 1) / rows, blocks };
}

/* Part part of parts of the rows of tiles first .. end - 1. Products leave the memory alone: so what is needed next comes meanwhile. */
INLINE void
fetch_lines (const Lines *lines, int first, int end, int part, int parts, const bool write)
{
  enum { LINE = 64 };
  const int n_lines = (int) ((lines->band + LINE - 1) / LINE), all = (end - first) * lines->blocks * n_lines, stop = (int) ((long) all * (part + 1) / parts);

  for (int i = (int) ((long) all * part / parts); i < stop;) {
    const int band = first + i / (lines->blocks * n_lines), block = i / n_lines % lines->blocks;
    const char *at = lines->at + band / lines->down * lines->picture + block * lines->plane + band % lines->down * lines->band;
    for (int line = i % n_lines; line < n_lines && i < stop; line++, i++) {
      if (write)
        __builtin_prefetch (at + line * LINE, 1);
      else
        __builtin_prefetch (at + line * LINE);
    }
  }
}

INLINE void
compute_outputs (const MienWinogradBlock *block, const int rows, const int columns, const bool narrow, const bool bf16, int first, int end)
{
  const MienBlockedShape *shape = block->shape;
  const int parts = (rows + 2) * (columns + 2), blocks = blocks_of (shape->k);
  const int elem = narrow ? 2 : 4, n_channels = narrow ? (shape->c + 1) / 2 * 2 : shape->c;
  const ptrdiff_t v_step = (ptrdiff_t) mien_winograd_v_step (shape, LANES, block->n_tiles);
  const ptrdiff_t m_step = (ptrdiff_t) mien_winograd_m_step (GROUP, LANES, block->n_tiles);
  const MienBlockedShape out = stored_shape (shape);
  const int across = (shape->q + columns - 1) / columns, n_bands = shape->n * ((shape->p + rows - 1) / rows);
  const int band = block->tile / across, next = (block->tile + block->n_tiles) / across, after = (block->tile + 2 * block->n_tiles - 1) / across + 1;
  const Lines x = lines_of (block->args->x, blocks_of (shape->c), shape->h, shape->w, shape->x_halo, rows);
  const Lines y = lines_of (block->args->y, blocks, out.p, out.q, shape->y_halo, shape->pool ? rows / 2 : rows);

  for (int k = first * GROUP; k < end * GROUP && k < blocks; k += GROUP) {
    const int G = blocks - k < GROUP ? blocks - k : GROUP;
    const char *u = (const char *) block->args->w + (ptrdiff_t) k * LANES * parts * n_channels * elem;
    for (int part = 0; part < parts; part++, u += (ptrdiff_t) n_channels * G * LANES * elem) {
      if (shape->n > 1 && k == 0) {
        fetch_lines (&y, band, next, part, parts, true);
        fetch_lines (&x, next, after < n_bands ? after : n_bands, part, parts, false);
      }
      multiply (block, narrow, bf16, G, v_at (bf16, block->v, part * v_step), u, block->products + part * m_step);
    }
    for (int g = 0; g < G; g++)
      finish_block (block, rows, columns, G, k + g, g, m_step);
  }
}

#include "kernels/mien-winograd-grad-simd.h"

/* The kinds that mien_winograd_choose() knows: with PAIRS V is what U is, else V is f32. */
#define SWITCH_KIND(CALL, subject, kind, ...)                  \
  if (PAIRS && (kind).narrow && (kind).rows != (kind).columns)  \
    CALL (subject, 2, 4, true, PAIRS, __VA_ARGS__);             \
  else if ((kind).narrow && (kind).rows == 2)                  \
    CALL (subject, 2, 2, true, PAIRS, __VA_ARGS__);             \
  else if ((kind).narrow)                                      \
    CALL (subject, 4, 4, true, PAIRS, __VA_ARGS__);             \
  else if ((kind).rows == 2)                                   \
    CALL (subject, 2, 2, false, false, __VA_ARGS__);           \
  else                                                         \
    CALL (subject, 4, 4, false, false, __VA_ARGS__)

static void
weights (const MienBlockedShape *shape, MienWinogradKind kind, const MienWinogradFilters *filters, void *packed, int first, int end)
{
  SWITCH_KIND (transform_weights, shape, kind, filters, packed, first, end);
}

static void
inputs (const MienWinogradBlock *block, int first, int end)
{
  SWITCH_KIND (transform_inputs, block, block->kind, first, end);
}

static void
outputs (const MienWinogradBlock *block, int first, int end)
{
  SWITCH_KIND (compute_outputs, block, block->kind, first, end);
}

void
NAME (winograd_kernels_init) (MienWinogradKernels *self)
{
  *self = (MienWinogradKernels) { LANES, GROUP, BF16, PAIRS, weights, inputs, outputs, grad_tiles, grad_products, grad_weights };
}
