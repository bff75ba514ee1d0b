/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The steps of mien_winograd_grad(), for files that have included mien-winograd-simd.h. */

enum { GRAD_ROWS = LANES > 4 ? LANES / 2 : LANES }; /* output channels whose sums, with 2 blocks of input channels, fit the registers */

/* A tile's pixels, n_rows x n_columns of them that exist. */
INLINE void
read_pixels (const Elem *x, ptrdiff_t x_row, const int size, int n_rows, int n_columns, Vec *d)
{
  for (int r = 0; r < size; r++)
    for (int c = 0; c < size; c++)
      d[r * size + c] = r < n_rows && c < n_columns ? read_elems (x + r * x_row + c * LANES) : (Vec) { 0 };
}

/* B^T d B */
INLINE void
transform_pixels (const Vec *d, Vec *v)
{
  Vec half[16];

  for (int c = 0; c < 4; c++)
    transform_in (2, d + c, 4, half + c, 4);
  for (int r = 0; r < 4; r++)
    transform_in (2, half + r * 4, 1, v + r * 4, 1);
}

INLINE void
spread_results (const Vec *d, const int step, Vec *z, const int z_step)
{
  z[0] = d[0];
  z[z_step] = d[0] + d[step];
  z[2 * z_step] = d[0] - d[step];
  z[3 * z_step] = -d[step];
}

/* A d A^T */
INLINE void
transform_results (const Vec *d, Vec *z)
{
  Vec half[8];

  for (int c = 0; c < 2; c++)
    spread_results (d + c, 2, half + c, 2);
  for (int r = 0; r < 4; r++)
    spread_results (half + r * 2, 1, z + r * 4, 1);
}

/* Part by part; two tiles lie together in bfloat16. */
INLINE void
store_parts (const Vec *even, const Vec *odd, char *to, ptrdiff_t part_bytes)
{
  for (int part = 0; part < 16; part++, to += part_bytes) {
#if BF16
    store_pair ((Elem *) (void *) to, even[part], odd[part]);
#else
    store ((float *) (void *) to, even[part]);
#endif
  }
}

INLINE void
input_parts (const MienWinogradGradBlock *block, int c, Place at, Vec *v)
{
  const MienBlockedShape *shape = block->shape;
  const ptrdiff_t row_step = (ptrdiff_t) (shape->w + 2 * shape->x_halo) * LANES;
  const int row = at.p - shape->pad_top, column = at.q - shape->pad_left;
  const int n_rows = shape->h + shape->x_halo - row, n_columns = shape->w + shape->x_halo - column;
  const Elem *x = (const Elem *) block->x + offset_of (blocks_of (shape->c), shape->h, shape->w, shape->x_halo, at.n, c, row) + (ptrdiff_t) column * LANES;
  Vec d[16];

  if (n_rows >= 4 && n_columns >= 4)
    read_pixels (x, row_step, 4, 4, 4, d);
  else
    read_pixels (x, row_step, 4, n_rows, n_columns, d);
  transform_pixels (d, v);
}

INLINE void
result_parts (const MienWinogradGradBlock *block, int k, Place at, Vec *z)
{
  const MienBlockedShape *shape = block->shape;
  const ptrdiff_t row_step = row_elems (shape);
  const int n_rows = shape->p - at.p, n_columns = shape->q - at.q;
  const Elem *dy = (const Elem *) block->dy + offset_of (blocks_of (shape->k), shape->p, shape->q, shape->y_halo, at.n, k, at.p) + (ptrdiff_t) at.q * LANES;
  Vec d[4];

  if (n_rows >= 2 && n_columns >= 2)
    read_pixels (dy, row_step, 2, 2, 2, d);
  else
    read_pixels (dy, row_step, 2, n_rows, n_columns, d);
  transform_results (d, z);
}

static void
grad_tiles (const MienWinogradGradBlock *block)
{
  const MienBlockedShape *shape = block->shape;
  const int n_c = blocks_of (shape->c), n_k = blocks_of (shape->k), together = 1 + BF16, n_steps = (block->n_tiles + together - 1) / together;
  const ptrdiff_t vec = LANES * 4, v_part = (ptrdiff_t) n_c * n_steps * vec, z_part = (ptrdiff_t) n_k * n_steps * vec;
  Vec even[16], odd[16];

  for (int c = 0; c < n_c + n_k; c++) {
    Place at = place_of (shape, 2, 2, block->tile);
    for (int i = 0; i < n_steps; i++) {
      for (int which = 0; which < together; which++) {
        Vec *parts = which == 0 ? even : odd;
        if (i * together + which >= block->n_tiles)
          memset (parts, 0, sizeof even);
        else if (c < n_c)
          input_parts (block, c, at, parts);
        else
          result_parts (block, c - n_c, at, parts);
        next_place (shape, 2, 2, &at);
      }
      if (c < n_c)
        store_parts (even, odd, (char *) block->v + ((ptrdiff_t) c * n_steps + i) * vec, v_part);
      else
        store_parts (even, odd, (char *) block->z + ((ptrdiff_t) i * n_k + c - n_c) * vec, z_part);
    }
  }
}

/* GRAD_ROWS output channels x G blocks of input channels: m += sum over tiles */
INLINE void
grad_product (const int G, int n_steps, const char *v, ptrdiff_t v_block, const char *z, ptrdiff_t z_step, float *m, ptrdiff_t m_row)
{
  Vec sums[GRAD_ROWS][2];

#pragma GCC unroll 16
  for (int i = 0; i < GRAD_ROWS; i++)
    for (int g = 0; g < G; g++)
      sums[i][g] = load (m + i * m_row + g * LANES);
  for (int step = 0; step < n_steps; step++, v += LANES * 4, z += z_step) {
#if BF16
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
      store (m + i * m_row + g * LANES, sums[i][g]);
}

static __attribute__ ((noinline)) void
grad_product_1 (int n_steps, const char *v, ptrdiff_t v_block, const char *z, ptrdiff_t z_step, float *m, ptrdiff_t m_row)
{
  grad_product (1, n_steps, v, v_block, z, z_step, m, m_row);
}

static __attribute__ ((noinline)) void
grad_product_2 (int n_steps, const char *v, ptrdiff_t v_block, const char *z, ptrdiff_t z_step, float *m, ptrdiff_t m_row)
{
  grad_product (2, n_steps, v, v_block, z, z_step, m, m_row);
}

static void
grad_products (const MienWinogradGradBlock *block)
{
  const int n_c = blocks_of (block->shape->c), n_k = blocks_of (block->shape->k), n_steps = (block->n_tiles + BF16) / (1 + BF16);
  const ptrdiff_t vec = LANES * 4, row = (ptrdiff_t) n_c * LANES;

  for (int part = 0; part < 16; part++) {
    const char *v = (const char *) block->v + (ptrdiff_t) part * n_c * n_steps * vec, *z = (const char *) block->z + (ptrdiff_t) part * n_k * n_steps * vec;
    float *m = block->m + part * n_k * LANES * row;
    for (int c = 0; c < n_c; c += 2)
      for (int k = 0; k < n_k * LANES; k += GRAD_ROWS)
        (n_c - c > 1 ? grad_product_2 : grad_product_1) (n_steps, v + c * n_steps * vec, n_steps * vec, z + k * 4, n_k * vec, m + k * row + c * LANES, row);
  }
}

/* G^T of values that lie step apart */
INLINE void
gather_taps (const Vec *m, const int step, Vec *w, const int w_step)
{
  const Vec sum = 0.5f * (m[step] + m[2 * step]);

  w[0] = m[0] + sum;
  w[w_step] = 0.5f * (m[step] - m[2 * step]);
  w[2 * w_step] = sum + m[3 * step];
}

static void
grad_weights (const MienBlockedShape *shape, const float *m, int n_parts, ptrdiff_t part_size, float *dw, int first, int end)
{
  const int n_c = blocks_of (shape->c), n_k = blocks_of (shape->k);
  const ptrdiff_t row = (ptrdiff_t) n_c * LANES, step = n_k * LANES * row;

  for (int k = first; k < end; k++)
    for (int c = 0; c < n_c; c++) {
      const int n_lanes = shape->c - c * LANES < LANES ? shape->c - c * LANES : LANES;
      float *to = dw + ((ptrdiff_t) k * shape->c + c * LANES) * 9, taps[9][LANES];
      Vec sums[16], half[12], w[9];
      for (int i = 0; i < 16; i++) {
        const float *from = m + i * step + k * row + c * LANES;
        sums[i] = load (from);
        for (int part = 1; part < n_parts; part++)
          sums[i] += load (from + part * part_size);
      }
      for (int j = 0; j < 4; j++)
        gather_taps (sums + j, 4, half + j, 4);
      for (int r = 0; r < 3; r++)
        gather_taps (half + r * 4, 1, w + r * 3, 1);
      for (int tap = 0; tap < 9; tap++)
        store (taps[tap], w[tap]);
      for (int l = 0; l < n_lanes; l++)
        for (int tap = 0; tap < 9; tap++)
          to[l * 9 + tap] = taps[tap][l];
    }
}
