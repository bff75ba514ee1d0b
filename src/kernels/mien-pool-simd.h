/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pools of mien-blocked.h, part of mien-blocked-simd.h. */

/* Pools: only pixels of the picture count, the halo does not. v: the first of WIDTH channels. */
INLINE Vec
pool_pixel (const MienBlockedShape *shape, const Elem *const *rows, int n_rows, int v, int q, const bool average)
{
  Vec result = (Vec) { 0 };
  int found = 0;

  for (int r = 0; r < n_rows; r++) {
    for (int s = 0; s < shape->s; s++) {
      const int w = q * shape->stride_w + s * shape->dilation_w - shape->pad_left;
      if (w < 0 || w >= shape->w)
        continue;
      const Vec value = read_elems (rows[r] + v + (ptrdiff_t) w * LANES);
      result = average ? result + value : found == 0 ? value : max_vec (value, result);
      found++;
    }
  }
  return average && found > 0 ? result / splat ((float) found) : result;
}

/* Pixels from .. to - 1 of a row, whose windows of S columns side by side lie within the picture. */
INLINE void
pool_inside (const MienBlockedShape *shape, const Elem *const *rows, int n_rows, int v, const int S, int from, int to, Elem *y, const bool average)
{
  const Vec share = splat (1.f / (float) (n_rows * S));

  for (int q = from; q < to; q++) {
    const ptrdiff_t at = ((ptrdiff_t) q * shape->stride_w - shape->pad_left) * LANES;
    Vec result = read_elems (rows[0] + v + at);
#pragma GCC unroll 3
    for (int s = 1; s < S; s++) {
      const Vec value = read_elems (rows[0] + v + at + s * LANES);
      result = average ? result + value : max_vec (value, result);
    }
    for (int r = 1; r < n_rows; r++)
#pragma GCC unroll 3
      for (int s = 0; s < S; s++) {
        const Vec value = read_elems (rows[r] + v + at + s * LANES);
        result = average ? result + value : max_vec (value, result);
      }
    write_elems (y + (ptrdiff_t) q * LANES, average ? result * share : result);
  }
}

/* A row of the largest in windows of S x S pixels, two columns apart: a column's largest value is found once for the two windows that it is
 * part of. A row or column of the window that the picture does not have is one that it has once more. v: as in pool_pixel(). */
#if BF16 && LANES == WIDTH
/* bfloat16 as whole numbers of the same order, and back. */
INLINE __m512i
whole_numbers (__m512i x)
{
  return _mm512_ternarylogic_epi32 (x, _mm512_srai_epi16 (x, 15), _mm512_set1_epi16 (0x7fff), 0x78); /* x ^ (sign & 0x7fff) */
}

/* The largest of n columns side by side, 1 or 2. */
INLINE __m512i
max_columns (const Elem *const *rows, const int S, const int n, ptrdiff_t at)
{
  const __mmask16 there = n == 2 ? 0xffff : 0xff;
  __m512i most = whole_numbers (_mm512_maskz_loadu_epi32 (there, rows[0] + at));

#pragma GCC unroll 3
  for (int r = 1; r < S; r++)
    most = _mm512_max_epi16 (most, whole_numbers (_mm512_maskz_loadu_epi32 (there, rows[r] + at)));
  return most;
}

INLINE void
max_row (const MienBlockedShape *shape, const Elem *const *rows, int v, const int S, Elem *y)
{
  const int n_pairs = (shape->w + shape->pad_left - S + 2) / 2; /* windows whose last two columns are there */
  __m512i before = max_columns (rows, S, 1, 0);
  ptrdiff_t at = (S - 2 - shape->pad_left) * LANES;

  for (int q = 0; q < shape->q; q++, at += 2 * LANES) {
    const __m512i pair = q < n_pairs ? max_columns (rows, S, 2, at) : max_columns (rows, S, 1, at);
    const __m512i right = q < n_pairs ? _mm512_castsi256_si512 (_mm512_extracti64x4_epi64 (pair, 1)) : pair;
    __m512i most = _mm512_max_epi16 (pair, right);
    if (S == 3)
      most = _mm512_max_epi16 (most, before);
    _mm256_storeu_si256 ((__m256i *) (y + (ptrdiff_t) q * LANES), _mm512_castsi512_si256 (whole_numbers (most)));
    before = right;
  }
}
#else
INLINE Vec
max_column (const Elem *const *rows, const int S, ptrdiff_t at)
{
  Vec most = read_elems (rows[0] + at);

#pragma GCC unroll 3
  for (int r = 1; r < S; r++)
    most = max_vec (read_elems (rows[r] + at), most);
  return most;
}

INLINE void
max_row (const MienBlockedShape *shape, const Elem *const *rows, int v, const int S, Elem *y)
{
  const int n_pairs = (shape->w + shape->pad_left - S + 2) / 2; /* windows whose last two columns are there */
  Vec before = max_column (rows, S, v);
  ptrdiff_t at = (S - 2 - shape->pad_left) * LANES + v;

  for (int q = 0; q < shape->q; q++, at += 2 * LANES) {
    const Vec left = max_column (rows, S, at), right = q < n_pairs ? max_column (rows, S, at + LANES) : left, most = max_vec (right, left);
    write_elems (y + (ptrdiff_t) q * LANES, S == 3 ? max_vec (most, before) : most);
    before = right;
  }
}
#endif

/* Whether windows begin at column 0 or, if they have three, one before it, and end one behind the last at most. */
INLINE bool
suits_max_row (const MienBlockedShape *shape)
{
  const int behind = (shape->q - 1) * 2 - shape->pad_left + shape->s - shape->w;

  return shape->r == shape->s && (shape->s == 2 || shape->s == 3) && shape->stride_w == 2 && shape->dilation_w == 1 && shape->pad_left <= shape->s - 2 &&
         behind <= 1 && shape->w > 1;
}

INLINE void
pool_row (const MienBlockedShape *shape, const Elem *const *rows, int n_rows, int v, Elem *y, const bool average)
{
  int q = 0;

  if (!average && n_rows > 0 && suits_max_row (shape)) {
    if (shape->s == 2)
      max_row (shape, (const Elem *const[]) { rows[0], rows[n_rows - 1] }, v, 2, y);
    else
      max_row (shape, (const Elem *const[]) { rows[0], rows[n_rows / 2], rows[n_rows - 1] }, v, 3, y);
    return;
  }
  if (shape->dilation_w == 1 && (shape->s == 2 || shape->s == 3) && n_rows > 0) {
    const int inside = shape->w - shape->s + shape->pad_left; /* the last column where a window may begin, pad_left added */
    const int to = inside < 0 ? 0 : inside / shape->stride_w + 1 < shape->q ? inside / shape->stride_w + 1 : shape->q;
    for (; q < shape->q && q * shape->stride_w < shape->pad_left; q++)
      write_elems (y + (ptrdiff_t) q * LANES, pool_pixel (shape, rows, n_rows, v, q, average));
    if (q < to && shape->s == 2)
      pool_inside (shape, rows, n_rows, v, 2, q, to, y, average);
    else if (q < to)
      pool_inside (shape, rows, n_rows, v, 3, q, to, y, average);
    q = q < to ? to : q;
  }
  for (; q < shape->q; q++)
    write_elems (y + (ptrdiff_t) q * LANES, pool_pixel (shape, rows, n_rows, v, q, average));
}

INLINE void
pool (const MienBlockedShape *shape, const MienBlockedArgs *args, int first, int end, const bool average)
{
  const int blocks = blocks_of (shape->k);

  for (int unit = first; unit < end; unit++) {
    const int n = unit / (blocks * shape->p), block = unit / shape->p % blocks, p = unit % shape->p;
    Elem *y = (Elem *) args->y + offset_of (blocks, shape->p, shape->q, shape->y_halo, n, block, p);
    const Elem *rows[MIEN_BLOCKED_MAX_POOL];
    int n_rows = 0;
    for (int r = 0; r < shape->r; r++) {
      const int h = p * shape->stride_h + r * shape->dilation_h - shape->pad_top;
      if (h >= 0 && h < shape->h)
        rows[n_rows++] = (const Elem *) args->x + offset_of (blocks, shape->h, shape->w, shape->x_halo, n, block, h);
    }
    for (int v = 0; v < LANES; v += WIDTH)
      pool_row (shape, rows, n_rows, v, y + v, average);
    zero_halo (shape, y, p);
  }
}

static void
max_pool (const MienBlockedShape *shape, const MienBlockedArgs *args, int first, int end)
{
  pool (shape, args, first, end, false);
}

static void
average_pool (const MienBlockedShape *shape, const MienBlockedArgs *args, int first, int end)
{
  pool (shape, args, first, end, true);
}

