/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stem of mien-blocked.h, part of mien-blocked-simd.h: few channels of plain pictures in, blocked tensors out. The rows of x that some rows
 * of the result need are copied with zeros around them, so that tiles need not look where the picture ends. A tile has STEM_TILE results
 * of STEM_GROUP vectors of channels: of one row, or, to be pooled while they are in registers, half of them of each of two rows. */

enum {
  STEM_GROUP = GROUP == 4 ? 2 : 1,
  STEM_TILE = GROUP == 4 && REGISTERS == 16 ? 4 : 12,
  STEM_COLUMNS = 48, /* go through at a time */
  STEM_WIDTH = STEM_COLUMNS * MIEN_BLOCKED_STEM_STRIDE + MIEN_BLOCKED_STEM_TAPS, /* of copied rows */
};

typedef struct {
  const MienBlockedShape *shape;
  const float *x;       /* copied rows [C][R][rows of the tile][STEM_WIDTH] */
  const float *w, *bias;
  ptrdiff_t w_next;     /* from one vector of channels to the next */
  Elem *y[STEM_GROUP];
  int n_q;              /* pixels that there are */
} Stem;

INLINE void
stem_begin (const Stem *stem, const int G, const int RT, Vec acc[STEM_GROUP][2][STEM_TILE])
{
#pragma GCC unroll 2
  for (int g = 0; g < G; g++) {
    const Vec bias = stem->bias != NULL ? load (stem->bias + g * WIDTH) : (Vec) { 0 };
#pragma GCC unroll 2
    for (int t = 0; t < RT; t++)
#pragma GCC unroll 12
      for (int i = 0; i < STEM_TILE / RT; i++)
        acc[g][t][i] = bias;
  }
}

INLINE void
stem_end (const Stem *stem, const int G, const int RT, int q, Vec acc[STEM_GROUP][2][STEM_TILE])
{
  const float lo = stem->shape->lo, hi = stem->shape->hi;

#pragma GCC unroll 2
  for (int g = 0; g < G; g++) {
#pragma GCC unroll 12
    for (int i = 0; i < STEM_TILE / RT; i += RT) {
      if (q + i + RT > stem->n_q)
        continue;
      Vec result = acc[g][0][i];
      if (RT == 2)
        result = max_vec (max_vec (acc[g][0][i + 1], result), max_vec (acc[g][1][i + 1], acc[g][1][i]));
      write_elems (stem->y[g] + (ptrdiff_t) ((q + i) / RT) * LANES, clamp (result, lo, hi));
    }
  }
}

INLINE void
stem_tile (const Stem *stem, const int G, const int RT, const ptrdiff_t step, int q)
{
  const int n_c = stem->shape->c, n_r = stem->shape->r, n_s = stem->shape->s;
  const float *x = stem->x + q * step, *w = stem->w;
  Vec acc[STEM_GROUP][2][STEM_TILE];

  stem_begin (stem, G, RT, acc);
  for (int row = 0; row < n_c * n_r; row++, x += RT * STEM_WIDTH) {
    for (int s = 0; s < n_s; s++, w += LANES) {
      Vec weights[STEM_GROUP];
#pragma GCC unroll 2
      for (int g = 0; g < G; g++)
        weights[g] = load (w + g * stem->w_next);
#pragma GCC unroll 2
      for (int t = 0; t < RT; t++)
#pragma GCC unroll 12
        for (int i = 0; i < STEM_TILE / RT; i++) {
          const Vec value = splat (x[t * STEM_WIDTH + i * step + s]);
#pragma GCC unroll 2
          for (int g = 0; g < G; g++)
            acc[g][t][i] += value * weights[g];
        }
    }
  }
  stem_end (stem, G, RT, q, acc);
}

#define DEFINE_STEM(NAME_, G, RT, STEP_)                            \
  static __attribute__ ((noinline)) void NAME_ (const Stem *stem)   \
  {                                                                 \
    for (int q = 0; q < stem->n_q; q += STEM_TILE / RT)             \
      stem_tile (stem, G, RT, STEP_, q);                            \
  }
DEFINE_STEM (stem_1_1, 1, 1, 1)
DEFINE_STEM (stem_1_2, 1, 1, 2)
DEFINE_STEM (stem_1_1_pool, 1, 2, 1)
DEFINE_STEM (stem_1_2_pool, 1, 2, 2)
#if GROUP == 4
DEFINE_STEM (stem_2_1, 2, 1, 1)
DEFINE_STEM (stem_2_2, 2, 1, 2)
DEFINE_STEM (stem_2_1_pool, 2, 2, 1)
DEFINE_STEM (stem_2_2_pool, 2, 2, 2)
#endif

typedef void (*StemFn) (const Stem *stem);

static const StemFn stem_rows[][2][2] = { /* by group, pool, stride */
  { { stem_1_1, stem_1_2 }, { stem_1_1_pool, stem_1_2_pool } },
#if GROUP == 4
  { { stem_2_1, stem_2_2 }, { stem_2_1_pool, stem_2_2_pool } },
#endif
};

#if PAIRS && LANES == WIDTH
#include "kernels/mien-stem-pairs-simd.h"
#define HAS_STEM_PAIRS 1
#else
#define HAS_STEM_PAIRS 0
#endif

/* n pixels of row h of channel c from column `from`, with zeros where there are none. */
INLINE void
copy_row (const MienBlockedShape *shape, const float *x, int c, int h, int from, int n, float *to)
{
  const int inside = h >= 0 && h < shape->h;
  const int first = from < 0 ? (-from < n ? -from : n) : 0, end = inside && shape->w - from < n ? shape->w - from : n;
  const float *row = x + ((ptrdiff_t) c * shape->h + h) * shape->w + from;

  for (int i = 0; i < (inside ? first : n); i++)
    to[i] = 0;
  for (int i = first; inside && i < end; i++)
    to[i] = row[i];
  for (int i = end > first ? end : first; inside && i < n; i++)
    to[i] = 0;
}

/* One result of any shape. */
INLINE Vec
stem_pixel (const MienBlockedShape *shape, const float *x, const float *w, Vec sum, int p, int q)
{
  for (int c = 0; c < shape->c; c++) {
    for (int r = 0; r < shape->r; r++) {
      const int h = p * shape->stride_h + r * shape->dilation_h - shape->pad_top;
      for (int s = 0; s < shape->s; s++, w += LANES) {
        const int at = q * shape->stride_w + s * shape->dilation_w - shape->pad_left;
        if (h >= 0 && h < shape->h && at >= 0 && at < shape->w)
          sum += load (w) * splat (x[((ptrdiff_t) c * shape->h + h) * shape->w + at]);
      }
    }
  }
  return sum;
}

/* Rows p .. p + n_rows - 1 of one picture, all channels. out: y's shape, y_row its row. */
static void
stem_row (const MienBlockedShape *shape, const MienBlockedShape *out, const MienBlockedArgs *args, const float *x, Elem *y_row, int p, int n_rows)
{
  const ptrdiff_t w_block = (ptrdiff_t) shape->c * shape->r * shape->s * LANES, y_plane = row_elems (out) * (out->p + 2 * out->y_halo);
  const int n_channels = blocks_of (shape->k) * LANES;
  float copy[MIEN_BLOCKED_STEM_CHANNELS * MIEN_BLOCKED_STEM_TAPS * 2 * STEM_WIDTH];
  Stem stem = { .shape = shape, .x = copy };
#if HAS_STEM_PAIRS
  const bool by_pairs = stem_has_pairs (shape);
  StemPairs pairs;
#endif

  for (int q = 0; q < shape->q; q += STEM_COLUMNS) {
    float *to = copy;
    stem.n_q = shape->q - q < STEM_COLUMNS ? shape->q - q : STEM_COLUMNS;
    const int step = HAS_STEM_PAIRS ? 16 : STEM_TILE; /* whole tiles, and whole vectors of pairs */
    const int n = ((stem.n_q + step - 1) / step * step - 1) * shape->stride_w + shape->s;
    for (int c = 0; c < shape->c; c++)
      for (int r = 0; r < shape->r; r++)
        for (int t = 0; t < n_rows; t++, to += STEM_WIDTH)
          copy_row (shape, x, c, (p + t) * shape->stride_h + r * shape->dilation_h - shape->pad_top, q * shape->stride_w - shape->pad_left, n, to);
#if HAS_STEM_PAIRS
    if (by_pairs)
      pair_pixels (&stem, n_rows, &pairs);
#endif
    for (int k = 0; k < n_channels;) {
      const int group = k + STEM_GROUP * WIDTH <= n_channels ? STEM_GROUP : 1;
      stem.w = (const float *) args->w + k / LANES * w_block + k % LANES;
      stem.w_next = LANES == WIDTH ? w_block : WIDTH;
      stem.bias = args->bias != NULL ? args->bias + k : NULL;
      for (int g = 0; g < group; g++, k += WIDTH)
        stem.y[g] = y_row + k / LANES * y_plane + k % LANES + (ptrdiff_t) (q / n_rows) * LANES;
#if HAS_STEM_PAIRS
      if (by_pairs) {
        pair_weights (&stem, group, &pairs);
        stem_pairs_rows[group - 1][n_rows - 1](&stem, &pairs);
        continue;
      }
#endif
      stem_rows[group - 1][n_rows - 1][shape->stride_w - 1](&stem);
    }
  }
}

static void
stem (const MienBlockedShape *shape, const MienBlockedArgs *args, int first, int end)
{
  const int n_rows = shape->pool ? 2 : 1, k_blocks = blocks_of (shape->k);
  const bool fast = mien_blocked_stem_can_pool (shape);
  MienBlockedShape out = *shape; /* as it is stored */

  out.p /= n_rows;
  out.q /= n_rows;
  for (int unit = first; unit < end; unit++) {
    const int n = unit / out.p, p = unit % out.p;
    const float *x = (const float *) args->x + (ptrdiff_t) n * shape->c * shape->h * shape->w;
    Elem *y = (Elem *) args->y + offset_of (k_blocks, out.p, out.q, out.y_halo, n, 0, p);
    if (fast)
      stem_row (shape, &out, args, x, y, p * n_rows, n_rows);
    for (int block = 0; block < k_blocks; block++, y += row_elems (&out) * (out.p + 2 * out.y_halo)) {
      const float *w = (const float *) args->w + (ptrdiff_t) block * shape->c * shape->r * shape->s * LANES;
      for (int v = 0; v < LANES && !fast; v += WIDTH) {
        const Vec bias = args->bias != NULL ? load (args->bias + (ptrdiff_t) block * LANES + v) : (Vec) { 0 };
        for (int q = 0; q < shape->q; q++)
          write_elems (y + v + (ptrdiff_t) q * LANES, clamp (stem_pixel (shape, x, w + v, bias, p, q), shape->lo, shape->hi));
      }
      zero_halo (&out, y, p);
    }
  }
}
