/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The steps of mien_winograd_grad(), for files that have included mien-winograd-simd.h. */

enum { GRAD_ROWS = LANES > 4 ? LANES / 2 : LANES }; /* output channels whose sums, with 2 blocks of input channels, fit the registers */

/* A d of 2 or 4 results. */
INLINE void
spread_results (const int size, const Vec *d, const int step, Vec *z, const int z_step)
{
  z[0] = d[0];
  if (size == 2) {
    z[z_step] = d[0] + d[step];
    z[2 * z_step] = d[0] - d[step];
    z[3 * z_step] = -d[step];
  } else {
    const Vec even_a = d[0] + 0.5f * d[2 * step], odd_a = HALF_ROOT * (d[step] + 0.5f * d[3 * step]);
    const Vec even_b = d[0] + 2 * d[2 * step], odd_b = ROOT * (d[step] + 2 * d[3 * step]);
    z[z_step] = even_a + odd_a;
    z[2 * z_step] = even_a - odd_a;
    z[3 * z_step] = even_b + odd_b;
    z[4 * z_step] = even_b - odd_b;
    z[5 * z_step] = d[3 * step];
  }
}

/* B^T d of a column or row of x, A d of one of dy. */
INLINE void
transform_line (const int size, const bool is_x, const Vec *d, const int step, Vec *out, const int out_step)
{
  if (is_x)
    transform_in (size, d, step, out, out_step);
  else
    spread_results (size, d, step, out, out_step);
}

/* The columns of a tile, n_rows x n_columns pixels of which exist. */
INLINE void
transform_pixels (const int size, const bool is_x, const Elem *from, ptrdiff_t row_step, int n_rows, int n_columns, Vec *half)
{
  const int across = is_x ? size + 2 : size;
  Vec d[6];

#pragma GCC unroll 6
  for (int c = 0; c < across; c++) {
#pragma GCC unroll 6
    for (int r = 0; r < across; r++)
      d[r] = r < n_rows && c < n_columns ? read_elems (from + r * row_step + c * LANES) : (Vec) { 0 };
    transform_line (size, is_x, d, 1, half + c, across);
  }
}

/* Columns of a tile of x or dy, transformed: half[wide][pixels across]. */
INLINE void
transform_columns (const MienWinogradGradBlock *block, const int size, const bool is_x, int channel, Place at, Vec *half)
{
  const MienBlockedShape *shape = block->shape;
  const int across = is_x ? size + 2 : size;
  const int height = is_x ? shape->h : shape->p, width = is_x ? shape->w : shape->q, halo = is_x ? shape->x_halo : shape->y_halo;
  const int row = is_x ? at.p - shape->pad_top : at.p, column = is_x ? at.q - shape->pad_left : at.q;
  const int n_rows = height + (is_x ? halo : 0) - row, n_columns = width + (is_x ? halo : 0) - column;
  const ptrdiff_t row_step = (ptrdiff_t) (width + 2 * halo) * LANES;
  const Elem *from = (const Elem *) (is_x ? block->x : block->dy) + offset_of (blocks_of (is_x ? shape->c : shape->k), height, width, halo, at.n, channel, row) +
                     (ptrdiff_t) column * LANES;
  if (n_rows >= across && n_columns >= across)
    transform_pixels (size, is_x, from, row_step, across, across, half);
  else
    transform_pixels (size, is_x, from, row_step, n_rows, n_columns, half);
}

/* Parts of the tiles of a block of channels; with PAIRS two tiles lie together. */
INLINE void
write_parts (const MienWinogradGradBlock *block, const int size, const bool is_x, int channel)
{
  const MienBlockedShape *shape = block->shape;
  const int wide = size + 2, across = is_x ? wide : size, together = 1 + PAIRS, n_steps = (block->n_tiles + together - 1) / together;
  const ptrdiff_t vec = LANES * 4, part_step = (ptrdiff_t) mien_winograd_grad_part (blocks_of (is_x ? shape->c : shape->k), n_steps) * vec;
  char *to = (char *) (is_x ? block->v : block->z) + (ptrdiff_t) channel * n_steps * vec;
  Place at = place_of (shape, size, size, block->tile);
  Vec half[2][36] = { 0 }, parts[2][6];

  for (int i = 0; i < n_steps; i++, to += vec) {
    for (int which = 0; which < together; which++) {
      if (i * together + which >= block->n_tiles)
        memset (half[which], 0, sizeof half[which]);
      else
        transform_columns (block, size, is_x, channel, at, half[which]);
      next_place (shape, size, size, &at);
    }
    for (int r = 0; r < wide; r++) {
      for (int which = 0; which < together; which++)
        transform_line (size, is_x, half[which] + r * across, 1, parts[which], 1);
#pragma GCC unroll 6
      for (int c = 0; c < wide; c++) {
        char *part = to + (r * wide + c) * part_step;
#if PAIRS
        write_zipped (part, parts[0][c], parts[1][c]);
#else
        store ((float *) (void *) part, parts[0][c]);
#endif
        __builtin_prefetch (part + 3 * vec, 1);
      }
    }
  }
}

static void
grad_tiles (const MienWinogradGradBlock *block)
{
  const MienBlockedShape *shape = block->shape;

  for (int c = 0; c < blocks_of (shape->c); c++) {
    if (block->size == 2)
      write_parts (block, 2, true, c);
    else
      write_parts (block, 4, true, c);
  }
  for (int k = 0; k < blocks_of (shape->k); k++) {
    if (block->size == 2)
      write_parts (block, 2, false, k);
    else
      write_parts (block, 4, false, k);
  }
}

/* GRAD_ROWS output channels x G blocks of input channels: m = or += sum over tiles */
INLINE void
grad_product (const int G, int n_steps, const char *v, const char *z, float *m, bool add)
{
  const ptrdiff_t v_block = n_steps * LANES * 4;
  Vec sums[GRAD_ROWS][2];

#pragma GCC unroll 16
  for (int i = 0; i < GRAD_ROWS; i++)
    for (int g = 0; g < G; g++)
      sums[i][g] = add ? load (m + (i * 2 + g) * LANES) : (Vec) { 0 };
#pragma GCC unroll 32
  for (int i = 0; i < 2 * GRAD_ROWS; i += 64 / (4 * LANES))
    __builtin_prefetch (m + (2 * GRAD_ROWS + i) * LANES, 1);
  for (int step = 0; step < n_steps; step++, v += LANES * 4, z += LANES * 4) {
#if PAIRS
    const __m512bh v0 = (__m512bh) _mm512_loadu_si512 (v), v1 = G > 1 ? (__m512bh) _mm512_loadu_si512 (v + v_block) : v0;
#pragma GCC unroll 16
    for (int i = 0; i < GRAD_ROWS; i++) {
      const __m512bh pair = (__m512bh) _mm512_set1_epi32 (*(const PairU *) (z + 4 * i));
      sums[i][0] = (Vec) _mm512_dpbf16_ps ((__m512) sums[i][0], v0, pair);
      if (G > 1)
        sums[i][1] = (Vec) _mm512_dpbf16_ps ((__m512) sums[i][1], v1, pair);
    }
#else
    const Vec v0 = load ((const float *) v), v1 = G > 1 ? load ((const float *) (v + v_block)) : v0;
#pragma GCC unroll 16
    for (int i = 0; i < GRAD_ROWS; i++) {
      const Vec value = splat (((const float *) z)[i]);
      sums[i][0] += value * v0;
      if (G > 1)
        sums[i][1] += value * v1;
    }
#endif
  }
#pragma GCC unroll 16
  for (int i = 0; i < GRAD_ROWS; i++)
    for (int g = 0; g < G; g++)
      store (m + (i * 2 + g) * LANES, sums[i][g]);
}

static __attribute__ ((noinline)) void
grad_product_1 (int n_steps, const char *v, const char *z, float *m, bool add)
{
  grad_product (1, n_steps, v, z, m, add);
}

static __attribute__ ((noinline)) void
grad_product_2 (int n_steps, const char *v, const char *z, float *m, bool add)
{
  grad_product (2, n_steps, v, z, m, add);
}

static void
grad_products (const MienWinogradGradBlock *block)
{
  const int n_c = blocks_of (block->shape->c), n_k = blocks_of (block->shape->k), n_steps = (block->n_tiles + PAIRS) / (1 + PAIRS);
  const ptrdiff_t vec = LANES * 4, v_part = (ptrdiff_t) mien_winograd_grad_part (n_c, n_steps) * vec, z_part = (ptrdiff_t) mien_winograd_grad_part (n_k, n_steps) * vec;
  const int parts = (block->size + 2) * (block->size + 2);
  float *m = block->m;

  for (int part = 0; part < parts; part++) {
    const char *v = (const char *) block->v + part * v_part, *z = (const char *) block->z + part * z_part;
    for (int c = 0; c < n_c; c += 2)
      for (int k = 0; k < n_k * LANES; k += GRAD_ROWS, m += GRAD_ROWS * 2 * LANES)
        (n_c - c > 1 ? grad_product_2 : grad_product_1) (n_steps, v + c * n_steps * vec, z + k / LANES * n_steps * vec + k % LANES * 4, m, block->add);
  }
}

/* G^T of values that lie step apart */
INLINE void
gather_taps (const int size, const Vec *m, const int step, Vec *w, const int w_step)
{
  const Vec sum = m[step] + m[2 * step], difference = m[step] - m[2 * step];

  if (size == 2) {
    w[0] = m[0] + 0.5f * sum;
    w[w_step] = 0.5f * difference;
    w[2 * w_step] = 0.5f * sum + m[3 * step];
  } else {
    const Vec far_sum = m[3 * step] + m[4 * step], far_difference = m[3 * step] - m[4 * step];
    w[0] = m[0] - (2 / 3.0f) * sum + (1 / 6.0f) * far_sum;
    w[w_step] = (ROOT / 6) * (far_difference - 2 * difference);
    w[2 * w_step] = (1 / 3.0f) * (far_sum - sum) + m[5 * step];
  }
}

INLINE void
gather_weights (const MienBlockedShape *shape, const int size, const float *m, int n_threads, ptrdiff_t thread_step, float *dw, int k)
{
  const int n_c = blocks_of (shape->c), n_k = blocks_of (shape->k), wide = size + 2;
  const ptrdiff_t part_step = (ptrdiff_t) (n_c + 1) / 2 * 2 * n_k * LANES * LANES;

  for (int c = 0; c < n_c; c++) {
    const int n_lanes = shape->c - c * LANES < LANES ? shape->c - c * LANES : LANES;
    const float *from = m + ((ptrdiff_t) c / 2 * n_k * LANES + k) * 2 * LANES + c % 2 * LANES;
    float *to = dw + ((ptrdiff_t) k * shape->c + c * LANES) * 9, taps[9][LANES];
    Vec sums[36], half[18], w[9];
    for (int part = 0; part < wide * wide; part++) {
      sums[part] = load (from + part * part_step);
      for (int thread = 1; thread < n_threads; thread++)
        sums[part] += load (from + part * part_step + thread * thread_step);
    }
    for (int j = 0; j < wide; j++)
      gather_taps (size, sums + j, wide, half + j, wide);
    for (int r = 0; r < 3; r++)
      gather_taps (size, half + r * wide, 1, w + r * 3, 1);
    for (int tap = 0; tap < 9; tap++)
      store (taps[tap], w[tap]);
    for (int l = 0; l < n_lanes; l++)
      for (int tap = 0; tap < 9; tap++)
        to[l * 9 + tap] = taps[tap][l];
  }
}

static void
grad_weights (const MienBlockedShape *shape, int size, const float *m, int n_threads, ptrdiff_t thread_step, float *dw, int first, int end)
{
  for (int k = first; k < end; k++) {
    if (size == 2)
      gather_weights (shape, 2, m, n_threads, thread_step, dw, k);
    else
      gather_weights (shape, 4, m, n_threads, thread_step, dw, k);
  }
}
