/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Depthwise convolutions of mien-blocked.h, part of mien-blocked-simd.h. */

/* Depthwise: one block, QT pixels. */
INLINE void
depth_tile (const Row *row, const int G, const int QT, const ptrdiff_t step, int q)
{
  const Elem *x = row->x + q * step;
  const float *w = row->w;
  Vec acc[4][12];

  start_tile (row, G, QT, acc, q);
  for (int r = 0; r < row->shape->r; r++) {
    const Elem *at = x + r * row->x_row;
    for (int s = 0; s < row->shape->s; s++, at += row->x_tap, w += LANES) {
      const Vec weights = load (w);
#pragma GCC unroll 12
      for (int i = 0; i < QT; i++)
        acc[0][i] += weights * read_elems (at + i * step);
    }
  }
  finish_tile (row, G, QT, acc, q);
}

DEFINE_ROW (depth_1, depth_tile, 1, 12, LANES)
DEFINE_ROW (depth_2, depth_tile, 1, 12, 2 * LANES)
DEFINE_ROW (depth_n, depth_tile, 1, 12, row->shape->stride_w * LANES)

/* Windows of 3 x 3 pixels side by side. The columns of three rows of x go by, each is read once for the three results that it is part of,
 * and the weights stay in registers. PAIRS: the weights are bfloat16, too, and rows of the window are multiplied in pairs. */
#if PAIRS
enum { COLUMN = 2 };
typedef __m512bh Part;

/* Pairs of a[i] and b[i]. */
INLINE Part
pair_elems (__m256i a, __m256i b)
{
  const __m512i order = _mm512_set_epi16 (47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);

  return (__m512bh) _mm512_permutex2var_epi16 (_mm512_castsi256_si512 (a), order, _mm512_castsi256_si512 (b));
}

INLINE void
read_column (const Elem *x, ptrdiff_t x_row, Part column[COLUMN])
{
  column[0] = pair_elems (_mm256_loadu_si256 ((const __m256i *) x), _mm256_loadu_si256 ((const __m256i *) (x + x_row)));
  column[1] = (__m512bh) _mm512_cvtepu16_epi32 (_mm256_loadu_si256 ((const __m256i *) (x + 2 * x_row)));
}

INLINE void
read_column_weights (const float *w, Part column[COLUMN])
{
  const __m256i w0 = (__m256i) _mm512_cvtneps_pbh ((__m512) load (w)), w1 = (__m256i) _mm512_cvtneps_pbh ((__m512) load (w + 3 * LANES));

  column[0] = pair_elems (w0, w1);
  column[1] = (__m512bh) _mm512_cvtepu16_epi32 ((__m256i) _mm512_cvtneps_pbh ((__m512) load (w + 6 * LANES)));
}

INLINE Vec
add_product (Vec sum, Part a, Part b)
{
  return (Vec) _mm512_dpbf16_ps ((__m512) sum, a, b);
}
#else
enum { COLUMN = 3 };
typedef Vec Part;

INLINE void
read_column (const Elem *x, ptrdiff_t x_row, Part column[COLUMN])
{
#pragma GCC unroll 3
  for (int r = 0; r < 3; r++)
    column[r] = read_elems (x + r * x_row);
}

INLINE void
read_column_weights (const float *w, Part column[COLUMN])
{
#pragma GCC unroll 3
  for (int r = 0; r < 3; r++)
    column[r] = load (w + r * 3 * LANES);
}

INLINE Vec
add_product (Vec sum, Part a, Part b)
{
  return sum + a * b;
}
#endif

INLINE Vec
add_column (Vec sum, const Part column[COLUMN], const Part weights[COLUMN])
{
#pragma GCC unroll 3
  for (int i = 0; i < COLUMN; i++)
    sum = add_product (sum, column[i], weights[i]);
  return sum;
}

/* n_rows of them; their x and y lie x_next and y_next elements apart. */
static __attribute__ ((noinline)) void
depth_3 (const Row *row, int n_rows, ptrdiff_t x_next, ptrdiff_t y_next)
{
  const int n_q = row->shape->q;
  const ptrdiff_t x_row = row->x_row;
  const bool clamps = has_clamp (row->shape);
  const Vec bias = row->bias != NULL ? load (row->bias) : (Vec) { 0 }, lo = splat (row->shape->lo), hi = splat (row->shape->hi);
  const Elem *x = row->x, *residual = row->residual;
  Elem *y = row->y;
  Part weights[3][COLUMN], column[COLUMN];

#pragma GCC unroll 3
  for (int s = 0; s < 3; s++)
    read_column_weights ((const float *) row->w + s * LANES, weights[s]);
  for (int i = 0; i < n_rows; i++, x += x_next, y += y_next) {
    read_column (x, x_row, column);
    Vec next = add_column (bias, column, weights[0]);
    read_column (x + LANES, x_row, column);
    Vec sum = add_column (next, column, weights[1]);
    next = add_column (bias, column, weights[0]);
#pragma GCC unroll 3
    for (int q = 0; q < n_q; q++) {
      read_column (x + (q + 2) * LANES, x_row, column);
      sum = add_column (sum, column, weights[2]);
      if (residual != NULL)
        sum += read_elems (residual + q * LANES);
      if (clamps)
        sum = min_vec (hi, max_vec (lo, sum));
      write_elems (y + q * LANES, sum);
      sum = add_column (next, column, weights[1]);
      next = add_column (bias, column, weights[0]);
    }
  }
}

/* Rows of a block, as depth_3(); residual only with one of them. */
static void
depth_rows (const Row *row, int n_rows, ptrdiff_t x_next, ptrdiff_t y_next)
{
  const MienBlockedShape *shape = row->shape;
  const RowFn run = shape->stride_w == 1 ? depth_1 : shape->stride_w == 2 ? depth_2 : depth_n;
  Row one = *row;

  if (shape->r == 3 && shape->s == 3 && shape->stride_w == 1 && shape->dilation_w == 1) {
    depth_3 (row, n_rows, x_next, y_next);
    return;
  }
  for (int i = 0; i < n_rows; i++, one.x += x_next, one.y += y_next)
    run (&one);
}

static void
depth (const MienBlockedShape *shape, const MienBlockedArgs *args, int first, int end)
{
  const int blocks = blocks_of (shape->k);
  Row row = {
    .shape = shape,
    .x_row = (ptrdiff_t) (shape->w + 2 * shape->x_halo) * LANES * shape->dilation_h,
    .x_tap = (ptrdiff_t) shape->dilation_w * LANES,
    .first = true,
    .last = true,
  };

  for (int unit = first; unit < end; unit++) {
    const int n = unit / (blocks * shape->p), block = unit / shape->p % blocks, p = unit % shape->p;
    const float *w = (const float *) args->w + (ptrdiff_t) block * shape->r * shape->s * LANES;
    const Elem *x = (const Elem *) args->x + offset_of (blocks, shape->h, shape->w, shape->x_halo, n, block, p * shape->stride_h - shape->pad_top) -
                    (ptrdiff_t) shape->pad_left * LANES;
    Elem *y = (Elem *) args->y + offset_of (blocks, shape->p, shape->q, shape->y_halo, n, block, p);
    const ptrdiff_t residual = offset_of (blocks, shape->p, shape->q, shape->residual_halo, n, block, p);
    for (int v = 0; v < LANES; v += WIDTH) {
      row.x = x + v;
      row.w = w + v;
      row.y = y + v;
      row.bias = args->bias != NULL ? args->bias + (ptrdiff_t) block * LANES + v : NULL;
      row.residual = args->residual != NULL ? (const Elem *) args->residual + residual + v : NULL;
      depth_rows (&row, 1, 0, 0);
    }
    zero_halo (shape, y, p);
  }
}
