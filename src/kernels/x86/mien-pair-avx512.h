/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pair of mien-blocked.h for blocks of 16 channels: two convolutions 3 x 3 of eight channels or less, which would leave half of every
 * vector empty if a vector were a pixel. Here a vector is 16 pixels of one channel. Three rows of the first convolution's results are kept in
 * cache and used up at once by the second one; its sums are turned into pixels as they are stored.
 *
 * A file per instruction set sets BF16 and NAME(x), as for mien-blocked-simd.h. With bfloat16 the second convolution multiplies pairs of
 * channels, the first one is computed in f32. */
#define LANES 16
#include "kernels/mien-lanes-simd.h"

enum {
  CHANNELS = MIEN_BLOCKED_PAIR_CHANNELS,
  VECTORS = 3,               /* of a tile: CHANNELS * VECTORS sums in registers */
  COLUMNS = VECTORS * 16 - 2, /* of the result that one tile of the first convolution is enough for */
  LENGTH = VECTORS * 16 + 16, /* of a row that is kept; what lies behind the tile is 0 */
};

typedef struct {
  const MienBlockedPair *pair;
  const MienBlockedShape *second;
  const float *x; /* the picture */
  float copy[MIEN_BLOCKED_STEM_CHANNELS * 3 * LENGTH];
  float rows[3][CHANNELS * LENGTH]; /* row h of the first convolution in rows[h % 3], bfloat16 in pairs: as many bytes or less */
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

/* The first CHANNELS x V vectors of a row of the first convolution, from its column `from`. */
INLINE void
first_tile (const Work *work, const int V, int from, float *to)
{
  const MienBlockedShape *shape = &work->pair->first;
  const float *x = work->copy, *w = work->pair->first_w;
  Vec acc[CHANNELS][VECTORS];

#pragma GCC unroll 8
  for (int k = 0; k < CHANNELS; k++)
#pragma GCC unroll 3
    for (int v = 0; v < V; v++)
      acc[k][v] = splat (work->pair->first_bias[k]);
  for (int row = 0; row < shape->c * 3; row++, x += LENGTH)
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
#pragma GCC unroll 3
  for (int v = 0; v < V; v++) { /* 0 where the second one's padding is */
    const __mmask16 inside = lanes_between (-from - v * 16, shape->q - from - v * 16);
#if BF16
#pragma GCC unroll 4
    for (int k = 0; k < CHANNELS; k += 2) {
      const __m512 even = (__m512) clamp (acc[k][v], shape->lo, shape->hi), odd = (__m512) clamp (acc[k + 1][v], shape->lo, shape->hi);
      const __m512i low = _mm512_cvtepu16_epi32 ((__m256i) _mm512_cvtneps_pbh (even)), high = _mm512_cvtepu16_epi32 ((__m256i) _mm512_cvtneps_pbh (odd));
      _mm512_storeu_si512 (to + k / 2 * LENGTH + v * 16, _mm512_maskz_or_epi32 (inside, low, _mm512_slli_epi32 (high, 16)));
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
store_pixels (Vec sums[CHANNELS][VECTORS], const int v, int n, Elem *y)
{
  __m512 pairs[8], fours[2][4];

#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    pairs[2 * i] = _mm512_unpacklo_ps ((__m512) sums[2 * i][v], (__m512) sums[2 * i + 1][v]);
    pairs[2 * i + 1] = _mm512_unpackhi_ps ((__m512) sums[2 * i][v], (__m512) sums[2 * i + 1][v]);
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

/* V vectors of pixels of row p, n of them stored. */
INLINE void
second_tile (const Work *work, const int V, int p, int n, Elem *y)
{
  const MienBlockedShape *shape = work->second;
  Vec acc[CHANNELS][VECTORS];

#pragma GCC unroll 8
  for (int k = 0; k < CHANNELS; k++)
#pragma GCC unroll 3
    for (int v = 0; v < V; v++)
      acc[k][v] = splat (work->pair->second_bias[k]);
  for (int r = 0; r < 3; r++) {
    const float *x = work->rows[(p + r + 3 - shape->pad_top) % 3];
#if BF16
    const int *w = (const int *) work->pair->second_w + r * (CHANNELS / 2) * 3 * CHANNELS;
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
    const float *w = (const float *) work->pair->second_w + r * CHANNELS * 3 * CHANNELS;
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
#pragma GCC unroll 3
  for (int v = 0; v < V; v++) {
#pragma GCC unroll 8
    for (int k = 0; k < CHANNELS; k++)
      acc[k][v] = clamp (acc[k][v], shape->lo, shape->hi);
    store_pixels (acc, v, n - v * 16, y + v * 16 * LANES);
  }
}

#define DEFINE_TILES(V)                                                                       \
  static __attribute__ ((noinline)) void first_##V (const Work *work, int from, float *to)   \
  {                                                                                           \
    first_tile (work, V, from, to);                                                           \
  }                                                                                           \
  static __attribute__ ((noinline)) void second_##V (const Work *work, int p, int n, Elem *y) \
  {                                                                                           \
    second_tile (work, V, p, n, y);                                                           \
  }
DEFINE_TILES (1)
DEFINE_TILES (2)
DEFINE_TILES (3)

/* Row h of the first convolution, n columns from `from`. */
static void
make_row (Work *work, int h, int from, int n)
{
  static void (*const tiles[]) (const Work *work, int from, float *to) = { first_1, first_2, first_3 };
  const MienBlockedShape *shape = &work->pair->first;
  float *to = work->copy;

  if (h < 0 || h >= shape->p) {
    memset (work->rows[(h + 3) % 3], 0, sizeof work->rows[0]);
    return;
  }
  for (int c = 0; c < shape->c; c++)
    for (int r = 0; r < 3; r++, to += LENGTH) {
      const int y = h + r - shape->pad_top, left = from - shape->pad_left;
      const float *row = work->x + ((ptrdiff_t) c * shape->h + y) * shape->w;
      for (int i = 0; i < LENGTH; i += 16) {
        const __mmask16 mask = y < 0 || y >= shape->h ? 0 : lanes_between (-left - i, shape->w - left - i);
        _mm512_storeu_ps (to + i, _mm512_maskz_loadu_ps (mask, row + left + i));
      }
    }
  tiles[(n + 15) / 16 - 1](work, from, work->rows[h % 3]);
}

static void
pair_rows (const MienBlockedPair *pair, const MienBlockedShape *shape, const float *x, Elem *y, int p0, int p1)
{
  static void (*const tiles[]) (const Work *work, int p, int n, Elem *y) = { second_1, second_2, second_3 };
  const int parts = (shape->q + COLUMNS - 1) / COLUMNS, y_row = (int) row_elems (shape);
  Work work;

  work.pair = pair;
  work.second = shape;
  work.x = x;
  memset (work.rows, 0, sizeof work.rows);
  for (int part = 0; part < parts; part++) {
    const int q = (int) ((long) shape->q * part / parts), n = (int) ((long) shape->q * (part + 1) / parts) - q, from = q - shape->pad_left;
    for (int h = p0; h < p0 + 2; h++)
      make_row (&work, h - shape->pad_top, from, n + 2);
    for (int p = p0; p < p1; p++) {
      make_row (&work, p + 2 - shape->pad_top, from, n + 2);
      tiles[(n + 15) / 16 - 1](&work, p, n, y + (ptrdiff_t) (p - p0) * y_row + (ptrdiff_t) q * LANES);
    }
  }
  for (int p = p0; p < p1; p++)
    zero_halo (shape, y + (ptrdiff_t) (p - p0) * y_row, p);
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
