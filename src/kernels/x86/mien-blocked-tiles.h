/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conv of mien-blocked.h on tile registers, for blocks of 32 channels; part of mien-blocked-simd.h.
 *
 * One step multiplies 16 positions of the output x 32 input channels of one tap (a tile of 16 rows of 64 bytes, which are pixels of x as they
 * lie) with 32 input x 16 output channels (packed weights as they lie). Two runs of 16 positions and the two halves of a block
 * of output channels are computed together: four multiplications, which take 16 cycles each, for four loads of 8 cycles.
 *
 * Positions   pixels of one row, or, where that takes fewer tiles, of many rows: the pixels of x step on evenly from one row to the next
 *             if the border between them is computed as well and not stored. 6 x 6 pixels with a border of 1 are 46 positions, 3 tiles
 *             instead of 6; 24 x 24 are 39 instead of 48. The last tile of a run begins earlier instead of being shorter
 *
 * Of the multipliers' peak this permits 85 % for all of ref-vgg (the test kernels-tiles-emulated counts multiplications and loads). In blocks of 16
 * channels two taps would share a row of a tile, three taps waste a quarter, and every other pixel crosses a cache line. */
#include "kernels/x86/mien-tiles.h"

enum { TILE_ROWS = 16, TILE_BYTES = 64 };

/* Up to TILE_ROWS positions. Position i of a run of rows is its pixel (i / pitch, i % pitch). */
typedef struct {
  const Elem *x;        /* first tap of the first position */
  Elem *y;              /* the row of the first position that no tile before this one has stored */
  const Elem *residual; /* likewise, or NULL */
  int q, skipped;       /* its column, and how many positions lie before it */
} Tile;

/* Sums that are there and not stored yet: that is done between the next multiplications, when the vector units have nothing to do. */
typedef struct {
  float sums[2][2][TILE_ROWS][WIDTH] __attribute__ ((aligned (TILE_BYTES))); /* [tile][half of the block] */
  Tile tiles[2];
  int n_tiles, n_rows;
  int tile, i; /* the next position; the tile's y, residual and q move with it */
} Results;

typedef struct {
  const MienBlockedShape *shape;
  const Elem *w;
  const float *bias;
  ptrdiff_t x_step, x_tap, x_row, x_plane; /* elements from position, tap, row of taps, block to the next */
  ptrdiff_t y_row, residual_row;
  int c_blocks;
  int pitch;
  int n_rows;  /* of the registers as they are configured; 0: not yet */
  int n_tiles; /* waiting for another one */
  Tile tiles[2];
  Results results[2];
  int newer; /* of the results: the other ones are being stored */
} TileConv;

/* n pixels side by side. */
INLINE void
store_pixels (const MienBlockedShape *shape, float sums[2][TILE_ROWS][WIDTH], int first, const Elem *residual, Elem *y, int n)
{
  const __m512 lo = _mm512_set1_ps (shape->lo), hi = _mm512_set1_ps (shape->hi);

  for (int i = first; i < first + n; i++, y += LANES) {
    __m512 low = _mm512_load_ps (sums[0][i]), high = _mm512_load_ps (sums[1][i]);
    if (residual != NULL) {
      low = _mm512_add_ps (low, (__m512) read_elems (residual));
      high = _mm512_add_ps (high, (__m512) read_elems (residual + WIDTH));
      residual += LANES;
    }
    low = _mm512_min_ps (hi, _mm512_max_ps (lo, low)); /* in this order NaN stays NaN */
    high = _mm512_min_ps (hi, _mm512_max_ps (lo, high));
    _mm512_storeu_si512 (y, (__m512i) _mm512_cvtne2ps_pbh (high, low));
  }
}

INLINE int
least (int a, int b)
{
  return a < b ? a : b;
}

/* At most so many positions. */
INLINE void
store_positions (const TileConv *conv, Results *results, int most)
{
  const int width = conv->shape->q;

  while (most > 0 && results->tile < results->n_tiles) {
    Tile *tile = &results->tiles[results->tile];
    const int q = tile->q, i = results->i, n = least (least (most, results->n_rows - i), conv->pitch - q);
    const ptrdiff_t at = (ptrdiff_t) q * LANES;

    store_pixels (conv->shape, results->sums[results->tile], i, tile->residual != NULL ? tile->residual + at : NULL, tile->y + at,
                  least (n, width - q));
    tile->q = q + n;
    if (q + n == conv->pitch) {
      tile->q = 0;
      tile->y += conv->y_row;
      if (tile->residual != NULL)
        tile->residual += conv->residual_row;
    }
    results->i = i + n;
    if (i + n == results->n_rows) {
      results->tile++;
      results->i = results->tiles[1].skipped;
    }
    most -= n;
  }
}

/* Registers 0 .. 3: sums of [tile][half of the block]; 4, 5: x; 6, 7: weights. Stores the older results meanwhile. */
INLINE void
multiply_tiles (const TileConv *conv, Results *older, const int n)
{
  const int n_r = conv->shape->r, n_s = conv->shape->s, n_steps = conv->c_blocks * n_r * n_s;
  const int share = (2 * TILE_ROWS + n_steps - 1) / n_steps, at_once = share > 4 ? share : 4;
  const ptrdiff_t step = conv->x_step * (ptrdiff_t) sizeof (Elem);
  const Elem *a = conv->tiles[0].x, *b = conv->tiles[1].x, *w = conv->w;

  if (conv->bias != NULL) { /* the same row again and again */
    tile_load (0, conv->bias, 0);
    tile_load (1, conv->bias + WIDTH, 0);
    if (n == 2) {
      tile_load (2, conv->bias, 0);
      tile_load (3, conv->bias + WIDTH, 0);
    }
  } else {
    tile_zero (0);
    tile_zero (1);
    tile_zero (2);
    tile_zero (3);
  }
  for (int c = 0; c < conv->c_blocks; c++) {
    for (int r = 0; r < n_r; r++) {
      ptrdiff_t at = c * conv->x_plane + r * conv->x_row;
      for (int s = 0; s < n_s; s++, at += conv->x_tap, w += LANES * LANES) {
        tile_load (6, w, 2 * TILE_BYTES);
        tile_load (4, a + at, step);
        tile_multiply (0, 4, 6);
        tile_load (7, w + LANES, 2 * TILE_BYTES);
        tile_multiply (1, 4, 7);
        if (n == 2) {
          tile_load (5, b + at, step);
          tile_multiply (2, 5, 6);
          tile_multiply (3, 5, 7);
        }
        store_positions (conv, older, at_once);
      }
    }
  }
}

/* Computes what waits. */
static void
flush_tiles (TileConv *conv)
{
  Results *older = &conv->results[conv->newer], *newer = &conv->results[!conv->newer];

  if (conv->n_tiles == 0)
    return;
  if (conv->n_tiles == 2)
    multiply_tiles (conv, older, 2);
  else
    multiply_tiles (conv, older, 1);
  tile_store (0, newer->sums[0][0], TILE_BYTES);
  tile_store (1, newer->sums[0][1], TILE_BYTES);
  if (conv->n_tiles == 2) {
    tile_store (2, newer->sums[1][0], TILE_BYTES);
    tile_store (3, newer->sums[1][1], TILE_BYTES);
  }
  newer->tiles[0] = conv->tiles[0];
  newer->tiles[1] = conv->tiles[1];
  newer->n_tiles = conv->n_tiles;
  newer->n_rows = conv->n_rows;
  newer->tile = 0;
  newer->i = newer->tiles[0].skipped;
  conv->newer = !conv->newer;
  conv->n_tiles = 0;
}

static void
configure_tiles (TileConv *conv, int n_rows)
{
  TileConfig config = { .palette = 1 };

  for (int t = 0; t < 8; t++) {
    config.row_bytes[t] = TILE_BYTES;
    config.rows[t] = (uint8_t) (t < 6 ? n_rows : TILE_ROWS);
  }
  tile_configure (&config);
  conv->n_rows = n_rows;
}

/* n positions from a run's first pixel on, in tiles. */
static void
add_positions (TileConv *conv, const Elem *x, const Elem *residual, Elem *y, int n)
{
  const int n_rows = least (n, TILE_ROWS);

  if (n_rows != conv->n_rows) {
    flush_tiles (conv);
    configure_tiles (conv, n_rows);
  }
  for (int from = 0, p = 0, q = 0; from < n; from += n_rows, q += n_rows) {
    const int first = from + n_rows <= n ? from : n - n_rows;
    for (; q >= conv->pitch; q -= conv->pitch)
      p++;
    conv->tiles[conv->n_tiles++] = (Tile) {
      .x = x + first * conv->x_step,
      .y = y + p * conv->y_row,
      .residual = residual != NULL ? residual + p * conv->residual_row : NULL,
      .q = q,
      .skipped = from - first,
    };
    if (conv->n_tiles == 2)
      flush_tiles (conv);
  }
}

static int
tiles_of (int n)
{
  return (n + TILE_ROWS - 1) / TILE_ROWS;
}

/* Rows are numbered [block][picture] or [picture][block], so that the larger of weights and picture comes from memory once. */
static void
conv (const MienBlockedShape *shape, const MienBlockedArgs *args, int first, int end)
{
  const int c_blocks = blocks_of (shape->c), k_blocks = blocks_of (shape->k);
  const int x_pixels = shape->w + 2 * shape->x_halo, x_row = x_pixels * LANES;
  const ptrdiff_t per_block = (ptrdiff_t) LANES * shape->r * shape->s * c_blocks * LANES; /* weights of a block of output channels */
  const ptrdiff_t x_plane = (ptrdiff_t) x_row * (shape->h + 2 * shape->x_halo);
  const bool by_picture = per_block * k_blocks < x_plane * c_blocks;
  const int between = shape->stride_h * x_pixels; /* pixels of x from row to row of y */
  const int pitch = between % shape->stride_w == 0 ? between / shape->stride_w : 0;
  const bool joined = pitch > 0 && tiles_of ((shape->p - 1) * pitch + shape->q) < shape->p * tiles_of (shape->q);
  int before = -1;
  TileConv self = {
    .shape = shape,
    .x_step = (ptrdiff_t) shape->stride_w * LANES,
    .x_tap = (ptrdiff_t) shape->dilation_w * LANES,
    .x_row = (ptrdiff_t) shape->dilation_h * x_row,
    .x_plane = x_plane,
    .y_row = row_elems (shape),
    .residual_row = (ptrdiff_t) (shape->q + 2 * shape->residual_halo) * LANES,
    .c_blocks = c_blocks,
    .pitch = joined ? pitch : shape->q,
  };

  while (first < end) { /* rows of one picture and one block of output channels */
    const int unit = first / shape->p, p0 = first % shape->p, left = end - first;
    const int n = by_picture ? unit / k_blocks : unit % shape->n, k = by_picture ? unit % k_blocks : unit / shape->n;
    const int p1 = joined ? least (p0 + left, shape->p) : p0 + 1;
    const Elem *x = (const Elem *) args->x + offset_of (c_blocks, shape->h, shape->w, shape->x_halo, n, 0, p0 * shape->stride_h - shape->pad_top) -
                    (ptrdiff_t) shape->pad_left * LANES;
    const Elem *residual = NULL;
    Elem *y = (Elem *) args->y + offset_of (k_blocks, shape->p, shape->q, shape->y_halo, n, k, p0);

    if (args->residual != NULL)
      residual = (const Elem *) args->residual + offset_of (k_blocks, shape->p, shape->q, shape->residual_halo, n, k, p0);
    if (k != before) {
      flush_tiles (&self);
      self.w = (const Elem *) args->w + k * per_block;
      self.bias = args->bias != NULL ? args->bias + (ptrdiff_t) k * LANES : NULL;
      before = k;
    }
    add_positions (&self, x, residual, y, (p1 - p0 - 1) * self.pitch + shape->q);
    for (int p = p0; p < p1; p++)
      zero_halo (shape, y + (p - p0) * self.y_row, p);
    first += p1 - p0;
  }
  flush_tiles (&self);
  tile_release ();
  store_positions (&self, &self.results[self.newer], 2 * TILE_ROWS);
}
