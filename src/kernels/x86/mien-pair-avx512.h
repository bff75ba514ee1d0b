/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pair of mien-blocked.h for blocks of 16 channels: two convolutions 3 x 3 of eight channels or less, which would leave half of every
 * vector empty if a vector were a pixel. Here a vector is 16 pixels of one channel. The rows of the first convolution's results that the second
 * one needs next are kept in cache; its sums are turned into pixels as they are stored.
 *
 * A file per instruction set sets BF16 and NAME(x), as for mien-blocked-simd.h. With bfloat16 the second convolution multiplies pairs of
 * channels, the first one is computed in f32. With f32 the second one takes four rows at once, six sums of products instead of twelve. */
#define LANES 16
#include "kernels/mien-transform-simd.h"

enum {
  CHANNELS = MIEN_BLOCKED_PAIR_CHANNELS,
  VECTORS = 3,               /* of a tile: CHANNELS * VECTORS sums in registers */
  COLUMNS = VECTORS * 16 - 2, /* of the result that one tile of the first convolution is enough for */
  LENGTH = VECTORS * 16 + 16, /* of a row that is kept; what lies behind the tile is 0 */
  COPIES = 4,                /* rows of x: those of a window, and the one to come: written now it would be waited for */
  TALL = BF16 ? 1 : 4,       /* rows of the result that are computed together */
  HELD = TALL + 2,
  ROW = CHANNELS * LENGTH + 16, /* not a power of two: neighbouring rows would get in each other's way in the cache */
};

typedef struct {
  const MienBlockedPair *pair;
  const MienBlockedShape *second;
  const float *x; /* the picture */
  Elem *y;        /* row p0 */
  int p0, p1;     /* rows that are wanted */
  int copied;     /* the row of x to come */
  _Alignas (64) float copy[COPIES][MIEN_BLOCKED_STEM_CHANNELS][LENGTH]; /* row h in copy[h % COPIES], 0 where the picture has none */
  _Alignas (64) float rows[HELD][ROW]; /* row h of the first convolution in rows[h % HELD], bfloat16 in pairs: as many bytes or less */
#if !BF16
  _Alignas (64) float parts[HELD][ROW]; /* of six rows, transformed */
  Vec sums[HELD][CHANNELS][VECTORS];
#endif
} Work;

typedef int IntA __attribute__ ((may_alias));

/* The same value in all lanes of a register: left alone, the compiler loads it again for every multiplication, more than can be loaded. */
INLINE __m512i
splat_once (const void *x)
{
  __m512i value = _mm512_set1_epi32 (*(const IntA *) x);

  __asm__("" : "+v"(value));
  return value;
}

/* begin .. end - 1 of 0 .. 15 */
INLINE __mmask16
lanes_between (int begin, int end)
{
  const unsigned below = begin < 0 ? 0 : begin > 16 ? 16 : begin, most = end < 0 ? 0 : end > 16 ? 16 : end;

  return (__mmask16) (((1u << most) - 1) & ~((1u << below) - 1));
}

/* The first CHANNELS x V vectors of row h of the first convolution, from its column `from`. */
INLINE void
first_tile (const Work *work, const int V, int h, int from, float *to)
{
  const MienBlockedShape *shape = &work->pair->first;
  const float *w = work->pair->first_w;
  Vec acc[CHANNELS][VECTORS];

#pragma GCC unroll 8
  for (int k = 0; k < CHANNELS; k++)
#pragma GCC unroll 3
    for (int v = 0; v < V; v++)
      acc[k][v] = splat (work->pair->first_bias[k]);
  for (int c = 0; c < shape->c; c++)
    for (int r = 0; r < 3; r++) {
      const float *x = work->copy[(unsigned) (h + r - shape->pad_top) % COPIES][c];
      for (int s = 0; s < 3; s++, w += CHANNELS) {
        Vec value[VECTORS];
#pragma GCC unroll 3
        for (int v = 0; v < V; v++)
          value[v] = load (x + s + v * 16);
#pragma GCC unroll 8
        for (int k = 0; k < CHANNELS; k++) {
          const Vec weight = (Vec) splat_once (w + k);
#pragma GCC unroll 3
          for (int v = 0; v < V; v++)
            acc[k][v] += value[v] * weight;
        }
      }
    }
#pragma GCC unroll 3
  for (int v = 0; v < V; v++) { /* 0 where the second one's padding is */
    const __mmask16 inside = lanes_between (-from - v * 16, shape->q - from - v * 16);
#if BF16
    const __m512i order = _mm512_set_epi16 (31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
#pragma GCC unroll 4
    for (int k = 0; k < CHANNELS; k += 2) {
      const __m512 even = (__m512) clamp (acc[k][v], shape->lo, shape->hi), odd = (__m512) clamp (acc[k + 1][v], shape->lo, shape->hi);
      _mm512_storeu_si512 (to + k / 2 * LENGTH + v * 16, _mm512_maskz_mov_epi32 (inside, _mm512_permutexvar_epi16 (order, (__m512i) _mm512_cvtne2ps_pbh (odd, even))));
    }
#else
#pragma GCC unroll 8
    for (int k = 0; k < CHANNELS; k++)
      _mm512_storeu_ps (to + k * LENGTH + v * 16, _mm512_maskz_mov_ps (inside, (__m512) clamp (acc[k][v], shape->lo, shape->hi)));
#endif
  }
}

/* Eight vectors of 16 pixels to 16 pixels of eight channels, the other eight 0; n of them are stored. */
INLINE void
store_pixels (const MienBlockedShape *shape, const Vec vectors[CHANNELS], int n, Elem *y)
{
  __m512 sums[8], pairs[8], fours[2][4];

#pragma GCC unroll 8
  for (int k = 0; k < CHANNELS; k++)
    sums[k] = (__m512) clamp (vectors[k], shape->lo, shape->hi);

#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    pairs[2 * i] = _mm512_unpacklo_ps (sums[2 * i], sums[2 * i + 1]);
    pairs[2 * i + 1] = _mm512_unpackhi_ps (sums[2 * i], sums[2 * i + 1]);
  }
#pragma GCC unroll 2
  for (int half = 0; half < 2; half++)
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) { /* quarter l: channels 4 half .. 4 half + 3 of pixel 4 l + 2 i, and of the next */
      fours[half][2 * i] = (__m512) _mm512_unpacklo_pd ((__m512d) pairs[4 * half + i], (__m512d) pairs[4 * half + 2 + i]);
      fours[half][2 * i + 1] = (__m512) _mm512_unpackhi_pd ((__m512d) pairs[4 * half + i], (__m512d) pairs[4 * half + 2 + i]);
    }
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) {
    const int l = i / 4 * 4;
    const __m512i quarter = _mm512_setr_epi32 (l, l + 1, l + 2, l + 3, 16 + l, 17 + l, 18 + l, 19 + l, 0, 0, 0, 0, 0, 0, 0, 0);
    if (i < n)
      write_elems (y + i * LANES, (Vec) _mm512_maskz_permutex2var_ps (0xff, fours[0][i % 4], quarter, fours[1][i % 4]));
  }
}

/* Sums of what V vectors of pixels of one row of the first convolution, or of one part of some rows, give. */
INLINE void
add_row (Vec acc[CHANNELS][VECTORS], const int V, const float *x, const void *weights)
{
#if BF16
  const int *w = weights;

  for (int c = 0; c < CHANNELS / 2; c++, x += LENGTH)
    for (int s = 0; s < 3; s++, w += CHANNELS) {
      __m512bh value[VECTORS];
#pragma GCC unroll 3
      for (int v = 0; v < V; v++)
        value[v] = (__m512bh) _mm512_loadu_si512 (x + s + v * 16);
#pragma GCC unroll 8
      for (int k = 0; k < CHANNELS; k++) {
        const __m512bh weight = (__m512bh) splat_once (w + k);
#pragma GCC unroll 3
        for (int v = 0; v < V; v++)
          acc[k][v] = (Vec) _mm512_dpbf16_ps ((__m512) acc[k][v], value[v], weight);
      }
    }
#else
  const float *w = weights;

  for (int c = 0; c < CHANNELS; c++, x += LENGTH)
    for (int s = 0; s < 3; s++, w += CHANNELS) {
      Vec value[VECTORS];
#pragma GCC unroll 3
      for (int v = 0; v < V; v++)
        value[v] = load (x + s + v * 16);
#pragma GCC unroll 8
      for (int k = 0; k < CHANNELS; k++) {
        const Vec weight = (Vec) splat_once (w + k);
#pragma GCC unroll 3
        for (int v = 0; v < V; v++)
          acc[k][v] += value[v] * weight;
      }
    }
#endif
}

#if BF16
/* V vectors of pixels of row p, n of them stored. */
INLINE void
second_tile (Work *work, const int V, int p, int n)
{
  const MienBlockedShape *shape = work->second;
  Vec acc[CHANNELS][VECTORS];

#pragma GCC unroll 8
  for (int k = 0; k < CHANNELS; k++)
#pragma GCC unroll 3
    for (int v = 0; v < V; v++)
      acc[k][v] = splat (work->pair->second_bias[k]);
  for (int r = 0; r < 3; r++)
    add_row (acc, V, work->rows[(p + r + HELD - shape->pad_top) % HELD], (const int *) work->pair->second_w + r * (CHANNELS / 2) * 3 * CHANNELS);
#pragma GCC unroll 3
  for (int v = 0; v < V; v++) {
    Vec pixels[CHANNELS];
#pragma GCC unroll 8
    for (int k = 0; k < CHANNELS; k++)
      pixels[k] = acc[k][v];
    store_pixels (shape, pixels, n - v * 16, work->y + (ptrdiff_t) (p - work->p0) * row_elems (shape) + v * 16 * LANES);
  }
}
#else
/* The same of rows p .. p + 3, of which there may be fewer. */
INLINE void
second_tile (Work *work, const int V, int p, int n)
{
  const MienBlockedShape *shape = work->second;
  const float *rows[HELD];
  Vec d[HELD], transformed[HELD], y[TALL];

#pragma GCC unroll 6
  for (int i = 0; i < HELD; i++)
    rows[i] = work->rows[(p + i + HELD - shape->pad_top) % HELD];
  for (int c = 0; c < CHANNELS; c++)
    for (int at = c * LENGTH; at <= c * LENGTH + V * 16; at += 16) {
#pragma GCC unroll 6
      for (int i = 0; i < HELD; i++)
        d[i] = load (rows[i] + at);
      transform_in (TALL, d, 1, transformed, 1);
#pragma GCC unroll 6
      for (int i = 0; i < HELD; i++)
        store (work->parts[i] + at, transformed[i]);
    }
  for (int part = 0; part < HELD; part++) {
    Vec acc[CHANNELS][VECTORS];
#pragma GCC unroll 8
    for (int k = 0; k < CHANNELS; k++)
#pragma GCC unroll 3
      for (int v = 0; v < V; v++)
        acc[k][v] = (Vec) { 0 };
    add_row (acc, V, work->parts[part], (const float *) work->pair->second_w + part * CHANNELS * 3 * CHANNELS);
#pragma GCC unroll 8
    for (int k = 0; k < CHANNELS; k++)
#pragma GCC unroll 3
      for (int v = 0; v < V; v++)
        work->sums[part][k][v] = acc[k][v];
  }
  for (int v = 0; v < V; v++) {
    Vec pixels[TALL][CHANNELS];
    for (int k = 0; k < CHANNELS; k++) {
      const Vec bias = splat (work->pair->second_bias[k]);
#pragma GCC unroll 6
      for (int i = 0; i < HELD; i++)
        d[i] = work->sums[i][k][v];
      transform_out (TALL, d, 1, y, 1);
#pragma GCC unroll 4
      for (int i = 0; i < TALL; i++)
        pixels[i][k] = y[i] + bias;
    }
    for (int i = 0; i < TALL; i++)
      if (p + i >= work->p0 && p + i < work->p1)
        store_pixels (shape, pixels[i], n - v * 16, work->y + (ptrdiff_t) (p + i - work->p0) * row_elems (shape) + v * 16 * LANES);
  }
}
#endif

#define DEFINE_TILES(V)                                                                            \
  static __attribute__ ((noinline)) void first_##V (const Work *work, int h, int from, float *to) \
  {                                                                                                \
    first_tile (work, V, h, from, to);                                                             \
  }                                                                                                \
  static __attribute__ ((noinline)) void second_##V (Work *work, int p, int n)                     \
  {                                                                                                \
    second_tile (work, V, p, n);                                                                   \
  }
DEFINE_TILES (1)
DEFINE_TILES (2)
DEFINE_TILES (3)

/* What the first convolution reads of row h from column `left`. */
static void
copy_row (Work *work, int h, int left)
{
  const MienBlockedShape *shape = &work->pair->first;

  for (int c = 0; c < shape->c; c++) {
    const float *row = work->x + ((ptrdiff_t) c * shape->h + h) * shape->w;
    for (int i = 0; i < LENGTH; i += 16) {
      const __mmask16 mask = h < 0 || h >= shape->h ? 0 : lanes_between (-left - i, shape->w - left - i);
      _mm512_storeu_ps (work->copy[(unsigned) h % COPIES][c] + i, _mm512_maskz_loadu_ps (mask, row + left + i));
    }
  }
}

/* Row h of the first convolution, n columns from `from`. */
static void
make_row (Work *work, int h, int from, int n)
{
  static void (*const tiles[]) (const Work *work, int h, int from, float *to) = { first_1, first_2, first_3 };
  const MienBlockedShape *shape = &work->pair->first;
  float *to = work->rows[(h + HELD) % HELD];

  for (; work->copied <= h - shape->pad_top + 3; work->copied++)
    copy_row (work, work->copied, from - shape->pad_left);
  if (h < 0 || h >= shape->p)
    memset (to, 0, sizeof work->rows[0]);
  else
    tiles[(n + 15) / 16 - 1](work, h, from, to);
}

/* Rows p0 .. p1 - 1 of one picture. */
static void
pair_rows (const MienBlockedPair *pair, const MienBlockedShape *shape, const float *x, Elem *y, int p0, int p1)
{
  static void (*const tiles[]) (Work *work, int p, int n) = { second_1, second_2, second_3 };
  const int parts = (shape->q + COLUMNS - 1) / COLUMNS, start = p0 / TALL * TALL - shape->pad_top;
  Work work;

  work.pair = pair;
  work.second = shape;
  work.x = x;
  work.y = y;
  work.p0 = p0;
  work.p1 = p1;
  for (int part = 0; part < parts; part++) {
    const int q = (int) ((long) shape->q * part / parts), n = (int) ((long) shape->q * (part + 1) / parts) - q, from = q - shape->pad_left;
    work.copied = start - pair->first.pad_top;
    for (int i = 0; i < HELD; i++) /* behind the tile; with bfloat16 half of this */
      for (int k = 0; k < CHANNELS; k++)
        store (work.rows[i] + k * LENGTH + (n + 2 + 15) / 16 * 16, (Vec) { 0 });
    work.y = y + (ptrdiff_t) q * LANES;
    for (int h = start; h < start + 2; h++)
      make_row (&work, h, from, n + 2);
    for (int p = p0 / TALL * TALL; p < p1; p += TALL) {
      for (int h = p + 2; h < p + HELD; h++)
        make_row (&work, h - shape->pad_top, from, n + 2);
      tiles[(n + 15) / 16 - 1](&work, p, n);
    }
  }
  for (int p = p0; p < p1; p++)
    zero_halo (shape, y + (ptrdiff_t) (p - p0) * row_elems (shape), p);
}

void
NAME (blocked_pair) (const MienBlockedPair *pair, const MienBlockedShape *shape, const float *x, void *y, int first, int end)
{
  while (first < end) { /* rows of one picture */
    const int n = first / shape->p, p0 = first % shape->p, p1 = end - first < shape->p - p0 ? p0 + end - first : shape->p;
    pair_rows (pair, shape, x + (ptrdiff_t) n * pair->first.c * pair->first.h * pair->first.w,
               (Elem *) y + offset_of (1, shape->p, shape->q, shape->y_halo, n, 0, p0), p0, p1);
    first += p1 - p0;
  }
}
