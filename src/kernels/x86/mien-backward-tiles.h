/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conv_grad of mien-backward.h on tile registers, for blocks of 32 channels; part of mien-backward-simd.h.
 *
 * One step multiplies 16 output channels x 32 pixels of dy with 32 pixels x 16 input channels of x, for one tap. Two times two of them, which are
 * a block of dy and a block of x, are computed together: four multiplications of 16 cycles each for four loads of 8 cycles.
 *
 * Laid out   for multiplication, once for all taps and for the blocks of the other side; pixels are numbered [row][picture][column]
 *              dy[block][step of 32 pixels][half of the block][16 channels][32 pixels]
 *              x[block][rows that some stride apart][column of taps][half of the block][pair of pixels][16 channels][2]
 *            Every column of taps has its own copy of x, and every remainder of the rows by the stride: then the pixels of x that belong to
 *            consecutive pixels of dy are consecutive too, through rows and pictures, for any stride, and no zeros are multiplied but in the
 *            last step. A row of taps further down is a fixed number of pixels away
 * Chunk      pictures, or rows of one, and groups of blocks whose layouts and sums stay in the second cache together
 * Segment    steps whose dy stays in the first cache while blocks of x and taps change; between two of them, sums are in memory
 *
 * The sums of a block of dy, a block of x and a tap are dw[32 output channels][32 input channels].
 *
 * Tiles are full: the test kernels-tiles-emulated counts 100 % for the reference networks. Laying out takes a tenth to a third of the time of
 * the multiplications, more than half with 32 channels on both sides; and of a segment's 576 cycles of multiplications, loading and storing the
 * sums may add a fifth. (Estimated; measured was only laying out, on a processor without tiles.) */
#include "kernels/x86/mien-tiles.h"

enum {
  TILE_ROWS = 16,
  TILE_BYTES = 64,
  TILE_PIXELS = 32,
  TILE_ELEMS = TILE_ROWS * TILE_PIXELS,
  SEGMENT_STEPS = 9,             /* 288 pixels are whole rows or pictures where they have 48, 24, 12 or 6 columns */
  CACHE_BYTES = 1792 * 1024,     /* of 2 MB */
  GROUP_OF_DY = 8,               /* blocks at a time, at most */
  GROUP_SUMS = 9 * 4 * GROUP_OF_DY, /* blocks of sums at a time, at most, or a block of each side */
  SUMS = LANES * LANES,          /* of two blocks and a tap */
};

/* What of a convolution is computed at a time. */
typedef struct {
  const MienBlockedShape *shape;
  int dy_blocks, x_blocks;    /* in a group */
  int n_pictures, n_rows;     /* in a chunk; one picture where it is not all rows */
  int n_classes;              /* remainders of the rows of x by the stride that taps have */
  int n_lines;                /* rows of x of a class */
  int line;                   /* pixels of a row of all pictures, even */
  int n_steps;                /* of all rows */
} Chunk;

static int
least (int a, int b)
{
  return a < b ? a : b;
}

static void
set_rows (Chunk *chunk, int n_rows)
{
  const MienBlockedShape *shape = chunk->shape;

  chunk->n_rows = n_rows;
  chunk->n_lines = n_rows + (shape->r - 1) * shape->dilation_h / shape->stride_h;
  chunk->line = (chunk->n_pictures * shape->q + 1) / 2 * 2;
  chunk->n_steps = (n_rows * chunk->line + TILE_PIXELS - 1) / TILE_PIXELS;
}

/* Elements of half a block of one class and column of taps; the last step may read beyond the last row. */
static ptrdiff_t
half_elems (const Chunk *chunk)
{
  return ((ptrdiff_t) chunk->n_lines * chunk->line + TILE_PIXELS) * (LANES / 2);
}

static ptrdiff_t
x_elems (const Chunk *chunk)
{
  return chunk->x_blocks * chunk->n_classes * chunk->shape->s * 2 * half_elems (chunk);
}

static ptrdiff_t
dy_elems (const Chunk *chunk)
{
  return (ptrdiff_t) chunk->dy_blocks * chunk->n_steps * 2 * TILE_ELEMS;
}

static Chunk
chunk_of (const MienBlockedShape *shape)
{
  const int taps = shape->r * shape->s, area = shape->p * shape->q, reach = (shape->r - 1) * shape->dilation_h + 1;
  Chunk chunk = {
    .shape = shape,
    .dy_blocks = least (blocks_of (shape->k), GROUP_OF_DY),
    .n_classes = least (shape->stride_h, reach),
    .n_pictures = (SEGMENT_STEPS * TILE_PIXELS - TILE_PIXELS) / area + 1,
  };
  const int group = GROUP_SUMS / (chunk.dy_blocks * taps);

  chunk.x_blocks = least (blocks_of (shape->c), group < 1 ? 1 : group);
  const ptrdiff_t room = (CACHE_BYTES - (ptrdiff_t) chunk.dy_blocks * chunk.x_blocks * taps * SUMS * (ptrdiff_t) sizeof (float)) / (ptrdiff_t) sizeof (Elem);
  chunk.n_pictures = least (chunk.n_pictures, shape->n);
  set_rows (&chunk, shape->p);
  for (; chunk.n_pictures > 1 && x_elems (&chunk) + dy_elems (&chunk) > room; set_rows (&chunk, shape->p))
    chunk.n_pictures--;
  for (int parts = 2; chunk.n_rows > 1 && x_elems (&chunk) + dy_elems (&chunk) > room; parts++)
    set_rows (&chunk, (shape->p + parts - 1) / parts);
  return chunk;
}

static size_t
conv_grad_scratch (const MienBlockedShape *shape)
{
  const Chunk chunk = chunk_of (shape);

  return (size_t) (x_elems (&chunk) + dy_elems (&chunk)) * sizeof (Elem);
}

/* Laying out */

INLINE __m512i
read_pixel (const Elem *pixel)
{
  return _mm512_loadu_si512 (pixel);
}

/* Channels 0 .. 15 and 16 .. 31 of two pixels, side by side. */
INLINE void
interleave (__m512i even, __m512i odd, __m512i *low, __m512i *high)
{
  const __m512i first = _mm512_set_epi32 (0x2f000f, 0x2e000e, 0x2d000d, 0x2c000c, 0x2b000b, 0x2a000a, 0x290009, 0x280008, 0x270007, 0x260006,
                                          0x250005, 0x240004, 0x230003, 0x220002, 0x210001, 0x200000);

  *low = _mm512_permutex2var_epi16 (even, first, odd);
  *high = _mm512_permutex2var_epi16 (even, _mm512_add_epi16 (first, _mm512_set1_epi16 (LANES / 2)), odd);
}

/* One row of all pictures, picture elements apart, pixels step elements apart. */
static void
lay_out_line (const Chunk *chunk, const Elem *row, ptrdiff_t picture, ptrdiff_t step, Elem *low, Elem *high)
{
  const int n_q = chunk->shape->q;
  __m512i left = _mm512_setzero_si512 (), first, second;
  bool alone = false; /* the pixel before, if it has no partner yet */

#define WRITE_PAIR(even, odd)                  \
  interleave (even, odd, &first, &second);     \
  _mm512_store_si512 (low, first);             \
  _mm512_store_si512 (high, second);           \
  low += LANES;                                \
  high += LANES;
  for (int n = 0; n < chunk->n_pictures; n++, row += picture) {
    int q = 0;
    if (alone) {
      WRITE_PAIR (left, read_pixel (row));
      q = 1;
    }
    for (; q + 2 <= n_q; q += 2) {
      WRITE_PAIR (read_pixel (row + q * step), read_pixel (row + (q + 1) * step));
    }
    alone = q < n_q;
    if (alone)
      left = read_pixel (row + q * step);
  }
  if (alone) {
    WRITE_PAIR (left, _mm512_setzero_si512 ());
  }
#undef WRITE_PAIR
}

/* Rows p .. of the blocks of x from `block` on, of the pictures from n on. */
static void
lay_out_x (const Chunk *chunk, const Elem *x, int n, int p, int block, int n_blocks, Elem *to)
{
  const MienBlockedShape *shape = chunk->shape;
  const int c_blocks = blocks_of (shape->c), reach = (chunk->n_rows - 1) * shape->stride_h + (shape->r - 1) * shape->dilation_h;
  const ptrdiff_t line = (ptrdiff_t) chunk->line / 2 * LANES;
  const ptrdiff_t picture = (ptrdiff_t) c_blocks * (shape->h + 2 * shape->x_halo) * (shape->w + 2 * shape->x_halo) * LANES;

  for (int b = block; b < block + n_blocks; b++) {
    for (int class = 0; class < chunk->n_classes; class++) {
      for (int s = 0; s < shape->s; s++, to += 2 * half_elems (chunk)) {
        Elem *low = to, *high = to + half_elems (chunk);
        for (int i = 0; i < chunk->n_lines; i++, low += line, high += line) {
          const int below = i * shape->stride_h + class; /* the first row that a tap reads */
          const Elem *row = (const Elem *) x + offset_of (c_blocks, shape->h, shape->w, shape->x_halo, n, b, p * shape->stride_h + below - shape->pad_top) +
                            (ptrdiff_t) (s * shape->dilation_w - shape->pad_left) * LANES;
          if (below <= reach) {
            lay_out_line (chunk, row, picture, (ptrdiff_t) shape->stride_w * LANES, low, high);
          } else { /* none of this class */
            memset (low, 0, line * sizeof *low);
            memset (high, 0, line * sizeof *high);
          }
        }
        memset (low, 0, TILE_ELEMS * sizeof *low);
        memset (high, 0, TILE_ELEMS * sizeof *high);
      }
    }
  }
}

INLINE void
transpose (__m512i rows[16])
{
  __m512i t[16];

#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32 (rows[i], rows[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32 (rows[i], rows[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    rows[i] = _mm512_unpacklo_epi64 (t[i], t[i + 2]);
    rows[i + 1] = _mm512_unpackhi_epi64 (t[i], t[i + 2]);
    rows[i + 2] = _mm512_unpacklo_epi64 (t[i + 1], t[i + 3]);
    rows[i + 3] = _mm512_unpackhi_epi64 (t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    const __m512i a = _mm512_shuffle_i32x4 (rows[j], rows[j + 4], 0x88), b = _mm512_shuffle_i32x4 (rows[j + 8], rows[j + 12], 0x88);
    const __m512i c = _mm512_shuffle_i32x4 (rows[j], rows[j + 4], 0xdd), d = _mm512_shuffle_i32x4 (rows[j + 8], rows[j + 12], 0xdd);
    t[j] = _mm512_shuffle_i32x4 (a, b, 0x88);
    t[j + 4] = _mm512_shuffle_i32x4 (c, d, 0x88);
    t[j + 8] = _mm512_shuffle_i32x4 (a, b, 0xdd);
    t[j + 12] = _mm512_shuffle_i32x4 (c, d, 0xdd);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++)
    rows[i] = t[i];
}

/* One step of some blocks of dy, which lie plane elements apart: the channels of each pixel, NULL: 0. */
static void
lay_out_step (const Elem *const *pixels, int n_blocks, ptrdiff_t plane, Elem *to, ptrdiff_t next)
{
  __m512i low[16], high[16];

  for (int b = 0; b < n_blocks; b++, to += next) {
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
      const Elem *even = pixels[2 * i], *odd = pixels[2 * i + 1];
      interleave (even != NULL ? read_pixel (even + b * plane) : _mm512_setzero_si512 (),
                  odd != NULL ? read_pixel (odd + b * plane) : _mm512_setzero_si512 (), &low[i], &high[i]);
    }
    transpose (low);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
      _mm512_store_si512 (to + i * TILE_PIXELS, low[i]);
    transpose (high);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
      _mm512_store_si512 (to + TILE_ELEMS + i * TILE_PIXELS, high[i]);
  }
}

static void
lay_out_dy (const Chunk *chunk, const Elem *dy, int n, int p, int block, int n_blocks, Elem *to)
{
  const MienBlockedShape *shape = chunk->shape;
  const int k_blocks = blocks_of (shape->k);
  const ptrdiff_t plane = row_elems (shape) * (shape->p + 2 * shape->y_halo), next = (ptrdiff_t) chunk->n_steps * 2 * TILE_ELEMS;
  const Elem *pixels[TILE_PIXELS];
  int n_pixels = 0;

  for (int row = 0; row < chunk->n_rows; row++) {
    for (int i = 0; i <= chunk->n_pictures; i++) {
      const bool there = i < chunk->n_pictures;
      const int n_q = there ? shape->q : chunk->line - chunk->n_pictures * shape->q;
      const Elem *pixel = there ? dy + offset_of (k_blocks, shape->p, shape->q, shape->y_halo, n + i, block, p + row) : NULL;
      for (int q = 0; q < n_q; q++) {
        pixels[n_pixels++] = there ? pixel + (ptrdiff_t) q * LANES : NULL;
        if (n_pixels == TILE_PIXELS) {
          lay_out_step (pixels, n_blocks, plane, to, next);
          to += 2 * TILE_ELEMS;
          n_pixels = 0;
        }
      }
    }
  }
  if (n_pixels > 0) {
    while (n_pixels < TILE_PIXELS)
      pixels[n_pixels++] = NULL;
    lay_out_step (pixels, n_blocks, plane, to, next);
  }
}

/* Multiplying */

/* Registers 0 .. 3: sums of [half of dy][half of x]; 4, 5: dy; 6, 7: x. */
static void
multiply_segment (const Elem *dy, const Elem *x, ptrdiff_t half, int n_steps, float *dw)
{
  enum { ROW = LANES * (int) sizeof (float) };

  tile_load (0, dw, ROW);
  tile_load (1, dw + WIDTH, ROW);
  tile_load (2, dw + SUMS / 2, ROW);
  tile_load (3, dw + SUMS / 2 + WIDTH, ROW);
  for (int i = 0; i < n_steps; i++, dy += 2 * TILE_ELEMS, x += TILE_ELEMS) {
    tile_load (4, dy, TILE_BYTES);
    tile_load (6, x, TILE_BYTES);
    tile_multiply (0, 4, 6);
    tile_load (7, x + half, TILE_BYTES);
    tile_multiply (1, 4, 7);
    tile_load (5, dy + TILE_ELEMS, TILE_BYTES);
    tile_multiply (2, 5, 6);
    tile_multiply (3, 5, 7);
  }
  tile_store (0, dw, ROW);
  tile_store (1, dw + WIDTH, ROW);
  tile_store (2, dw + SUMS / 2, ROW);
  tile_store (3, dw + SUMS / 2 + WIDTH, ROW);
}

/* dw: of the first of both blocks. */
static void
multiply_chunk (const Chunk *chunk, const Elem *dy, const Elem *x, int k_blocks, int c_blocks, float *dw)
{
  const MienBlockedShape *shape = chunk->shape;
  const int taps = shape->r * shape->s, n_segments = (chunk->n_steps + SEGMENT_STEPS - 1) / SEGMENT_STEPS;
  const ptrdiff_t half = half_elems (chunk);

  for (int k = 0; k < k_blocks; k++, dy += (ptrdiff_t) chunk->n_steps * 2 * TILE_ELEMS) {
    for (int i = 0; i < n_segments; i++) {
      const int first = chunk->n_steps * i / n_segments, n_steps = chunk->n_steps * (i + 1) / n_segments - first;
      for (int c = 0; c < c_blocks; c++) {
        float *to = dw + ((ptrdiff_t) k * blocks_of (shape->c) + c) * taps * SUMS;
        for (int s = 0; s < shape->s; s++) {
          for (int r = 0; r < shape->r; r++) {
            const int below = r * shape->dilation_h, class = below % shape->stride_h, line = below / shape->stride_h;
            const Elem *copy = x + ((ptrdiff_t) (c * chunk->n_classes + class) * shape->s + s) * 2 * half;
            multiply_segment (dy + (ptrdiff_t) first * 2 * TILE_ELEMS, copy + ((ptrdiff_t) line * chunk->line + first * TILE_PIXELS) * (LANES / 2), half,
                              n_steps, to + (ptrdiff_t) (r * shape->s + s) * SUMS);
          }
        }
      }
    }
  }
}

static void
configure_tiles (void)
{
  TileConfig config = { .palette = 1 };

  for (int t = 0; t < 8; t++) {
    config.row_bytes[t] = TILE_BYTES;
    config.rows[t] = TILE_ROWS;
  }
  tile_configure (&config);
}

static void
conv_grad (const MienBlockedShape *shape, const void *x, const void *dy, int first, int end, void *scratch, float *dw)
{
  const int c_blocks = blocks_of (shape->c), k_blocks = blocks_of (shape->k), taps = shape->r * shape->s;
  const Chunk most = chunk_of (shape);
  Elem *x_laid_out = scratch, *dy_laid_out = x_laid_out + x_elems (&most);

  configure_tiles ();
  for (int k = 0; k < k_blocks; k += most.dy_blocks) {
    for (int c = 0; c < c_blocks; c += most.x_blocks) {
      const int now_k = least (most.dy_blocks, k_blocks - k), now_c = least (most.x_blocks, c_blocks - c);
      for (int n = first; n < end; n += most.n_pictures) {
        for (int p = 0; p < shape->p; p += most.n_rows) {
          Chunk chunk = most;
          chunk.n_pictures = least (most.n_pictures, end - n);
          set_rows (&chunk, least (most.n_rows, shape->p - p));
          lay_out_x (&chunk, x, n, p, c, now_c, x_laid_out);
          lay_out_dy (&chunk, dy, n, p, k, now_k, dy_laid_out);
          multiply_chunk (&chunk, dy_laid_out, x_laid_out, now_k, now_c, dw + ((ptrdiff_t) k * c_blocks + c) * taps * SUMS);
        }
      }
    }
  }
  tile_release ();
}
