/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stems with products of bfloat16, part of mien-stem-simd.h: two taps at once, the first two of all, the next two, ... in the order of the weights. For
 * each pair of them the pixels that they meet lie side by side in a row of pairs, one for each result. */

enum { STEM_PAIRS = 16 };

typedef struct {
  int pixels[STEM_PAIRS][2][STEM_COLUMNS]; /* of row t of the tile */
  unsigned short w[STEM_PAIRS][STEM_GROUP][2 * WIDTH];
  int n;
} StemPairs;

INLINE bool
stem_has_pairs (const MienBlockedShape *shape)
{
  return shape->stem_bf16 && shape->stride_w == 1 && shape->c * shape->r * shape->s <= 2 * STEM_PAIRS;
}

/* The pixels of copied rows that tap meets, from the one for the first result on. */
INLINE const float *
stem_pixels (const Stem *stem, const int RT, int tap, int t)
{
  return stem->x + (tap / stem->shape->s * RT + t) * STEM_WIDTH + tap % stem->shape->s;
}

static void
pair_pixels (const Stem *stem, const int RT, StemPairs *pairs)
{
  const int n_taps = stem->shape->c * stem->shape->r * stem->shape->s;

  pairs->n = (n_taps + 1) / 2;
  for (int j = 0; j < pairs->n; j++)
    for (int t = 0; t < RT; t++) {
      const float *first = stem_pixels (stem, RT, 2 * j, t), *second = 2 * j + 1 < n_taps ? stem_pixels (stem, RT, 2 * j + 1, t) : NULL;
      for (int q = 0; q < stem->n_q; q += WIDTH)
        write_zipped (pairs->pixels[j][t] + q, load (first + q), second != NULL ? load (second + q) : (Vec) { 0 });
    }
}

static void
pair_weights (const Stem *stem, int G, StemPairs *pairs)
{
  const int n_taps = stem->shape->c * stem->shape->r * stem->shape->s;

  for (int j = 0; j < pairs->n; j++)
    for (int g = 0; g < G; g++) {
      const float *w = stem->w + g * stem->w_next + 2 * j * LANES;
      write_zipped (pairs->w[j][g], load (w), 2 * j + 1 < n_taps ? load (w + LANES) : (Vec) { 0 });
    }
}

INLINE void
stem_pairs_tile (const Stem *stem, const StemPairs *pairs, const int G, const int RT, int q)
{
  Vec acc[STEM_GROUP][2][STEM_TILE];

  stem_begin (stem, G, RT, acc);
  for (int j = 0; j < pairs->n; j++) {
    const __m512bh w0 = (__m512bh) _mm512_loadu_si512 (pairs->w[j][0]), w1 = (__m512bh) _mm512_loadu_si512 (pairs->w[j][G - 1]);
#pragma GCC unroll 2
    for (int t = 0; t < RT; t++)
#pragma GCC unroll 12
      for (int i = 0; i < STEM_TILE / RT; i++) {
        const __m512bh pair = (__m512bh) _mm512_set1_epi32 (pairs->pixels[j][t][q + i]);
        acc[0][t][i] = (Vec) _mm512_dpbf16_ps ((__m512) acc[0][t][i], pair, w0);
        if (G > 1)
          acc[1][t][i] = (Vec) _mm512_dpbf16_ps ((__m512) acc[1][t][i], pair, w1);
      }
  }
  stem_end (stem, G, RT, q, acc);
}

#define DEFINE_STEM_PAIRS(NAME_, G, RT)                                                   \
  static __attribute__ ((noinline)) void NAME_ (const Stem *stem, const StemPairs *pairs) \
  {                                                                                       \
    for (int q = 0; q < stem->n_q; q += STEM_TILE / RT)                                   \
      stem_pairs_tile (stem, pairs, G, RT, q);                                            \
  }
DEFINE_STEM_PAIRS (stem_pairs_1, 1, 1)
DEFINE_STEM_PAIRS (stem_pairs_1_pool, 1, 2)
DEFINE_STEM_PAIRS (stem_pairs_2, 2, 1)
DEFINE_STEM_PAIRS (stem_pairs_2_pool, 2, 2)

static void (*const stem_pairs_rows[2][2]) (const Stem *stem, const StemPairs *pairs) = { /* by group, pool */
  { stem_pairs_1, stem_pairs_1_pool },
  { stem_pairs_2, stem_pairs_2_pool },
};
