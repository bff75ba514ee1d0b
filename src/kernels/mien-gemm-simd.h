/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tiles of mien-gemm.h written once with the compiler's vector types; each instruction set's file sets
 *   LANES    floats in a vector register
 *   MR, NV   rows of the tile, vectors a row      (MR * NV + NV + 1 registers)
 *   ROWS_MR, ROWS_NV    the same for the in-place tile
 *   NAME(x)  name of function x
 * and includes this file. -ffp-contract=fast makes fused multiply-adds of it. */
#include "kernels/mien-gemm.h"

#include <string.h>

typedef float Vec __attribute__ ((vector_size (LANES * 4)));
typedef float VecU __attribute__ ((vector_size (LANES * 4), aligned (4), may_alias));
typedef int VecI __attribute__ ((vector_size (LANES * 4)));

enum { NR = NV * LANES, ROWS_NR = ROWS_NV * LANES };

static inline Vec
load (const float *x)
{
  return (Vec) * (const VecU *) x;
}

static inline void
store (float *y, Vec x)
{
  *(VecU *) y = (VecU) x;
}

static inline Vec
splat (float x)
{
  return x - (Vec) { 0 };
}

/* NaN stays NaN: the comparison is false and the value is kept. */
static inline Vec
clamp (Vec x, Vec lo, Vec hi)
{
  VecI low = x < lo, high = x > hi;

  x = (Vec) (((VecI) lo & low) | ((VecI) x & ~low));
  return (Vec) (((VecI) hi & high) | ((VecI) x & ~high));
}

static inline __attribute__ ((always_inline)) void
finish (int m, int n, Vec acc[MR][NV], float *c, ptrdiff_t ldc, const MienGemmTail *tail)
{
  const bool whole = n == NR;
  const Vec lo = splat (tail->lo), hi = splat (tail->hi);
  float edge[NR] __attribute__ ((aligned (64)));

#pragma GCC unroll 16
  for (int i = 0; i < m; i++) {
    float *to = whole ? c + i * ldc : edge;
    const float *bias_col = tail->bias_col;
    float bias_edge[NR] __attribute__ ((aligned (64)));

    if (!whole && tail->accumulate)
      memcpy (edge, c + i * ldc, n * sizeof *c);
    if (!whole && bias_col != NULL) {
      memcpy (bias_edge, bias_col, n * sizeof *c);
      bias_col = bias_edge;
    }
    const Vec row = splat (tail->bias_row != NULL ? tail->bias_row[i] : 0);
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) {
      Vec x = acc[i][v] + row;
      if (tail->accumulate)
        x += load (to + v * LANES);
      if (bias_col != NULL)
        x += load (bias_col + v * LANES);
      store (to + v * LANES, clamp (x, lo, hi));
    }
    if (!whole)
      memcpy (c + i * ldc, edge, n * sizeof *c);
  }
}

static inline __attribute__ ((always_inline)) void
tile_of (int m, int n, int k, const float *a, const float *b, float *c, ptrdiff_t ldc, const MienGemmTail *tail)
{
  Vec acc[MR][NV];

#pragma GCC unroll 16
  for (int i = 0; i < m; i++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++)
      acc[i][v] = (Vec) { 0 };

  for (int l = 0; l < k; l++, a += MR, b += NR) {
    Vec bv[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++)
      bv[v] = load (b + v * LANES);
#pragma GCC unroll 16
    for (int i = 0; i < m; i++) {
      const Vec av = splat (a[i]);
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++)
        acc[i][v] += av * bv[v];
    }
  }
  finish (m, n, acc, c, ldc, tail);
}

/* Every number of rows is a loop of its own, so that short tiles cost what they compute. */
void
NAME (gemm_f32_tile) (int m, int n, int k, const float *a, const float *b, float *c, ptrdiff_t ldc, const MienGemmTail *tail)
{
  switch (m) {
#define CASE(M)                              \
  case M:                                    \
    tile_of (M, n, k, a, b, c, ldc, tail);   \
    break;
    CASE (1)
    CASE (2)
    CASE (3)
    CASE (4)
#if MR > 4
    CASE (5)
    CASE (6)
#endif
#if MR > 6
    CASE (7)
    CASE (8)
#endif
#undef CASE
  }
}

/* Four sums in turn hide the latency of the additions. */
void
NAME (gemm_f32_row) (int n, int k, const float *a, const float *b, float *c, const MienGemmTail *tail)
{
  Vec part[4][NV], acc[MR][NV];
  int l = 0;

#pragma GCC unroll 4
  for (int i = 0; i < 4; i++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++)
      part[i][v] = (Vec) { 0 };
  for (; l + 4 <= k; l += 4, b += 4 * NR)
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++)
        part[i][v] += splat (a[l + i]) * load (b + i * NR + v * LANES);
  for (; l < k; l++, b += NR)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++)
      part[0][v] += splat (a[l]) * load (b + v * LANES);
#pragma GCC unroll 4
  for (int v = 0; v < NV; v++)
    acc[0][v] = (part[0][v] + part[1][v]) + (part[2][v] + part[3][v]);
  finish (1, n, acc, c, 0, tail);
}

static inline __attribute__ ((always_inline)) void
rows_of (int m, int n, int n_p, int n_q, const float *const *rows, ptrdiff_t row_step, int step, const float *b, ptrdiff_t ldb,
         float *c, ptrdiff_t ldc)
{
  Vec acc[ROWS_MR][ROWS_NV];
  const float *row[ROWS_MR];

#pragma GCC unroll 16
  for (int i = 0; i < m; i++) {
    row[i] = rows[i];
#pragma GCC unroll 4
    for (int v = 0; v < ROWS_NV; v++)
      acc[i][v] = (Vec) { 0 };
  }
  for (int p = 0; p < n_p; p++) {
    const ptrdiff_t first = p * row_step;
    for (int q = 0; q < n_q; q++, b += ldb) {
      Vec bv[ROWS_NV];
#pragma GCC unroll 4
      for (int v = 0; v < ROWS_NV; v++)
        bv[v] = load (b + v * LANES);
#pragma GCC unroll 16
      for (int i = 0; i < m; i++) {
        const Vec av = splat (row[i][first + (ptrdiff_t) q * step]);
#pragma GCC unroll 4
        for (int v = 0; v < ROWS_NV; v++)
          acc[i][v] += av * bv[v];
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < m; i++) {
    float edge[ROWS_NR] __attribute__ ((aligned (64)));
#pragma GCC unroll 4
    for (int v = 0; v < ROWS_NV; v++)
      store (edge + v * LANES, acc[i][v]);
    for (int j = 0; j < n; j++)
      c[i * ldc + j] += edge[j];
  }
}

void
NAME (gemm_f32_rows) (int m, int n, int n_p, int n_q, const float *const *rows, ptrdiff_t row_step, int step, const float *b,
                      ptrdiff_t ldb, float *c, ptrdiff_t ldc)
{
  const float *padded[ROWS_MR];

  if (m == ROWS_MR) {
    rows_of (ROWS_MR, n, n_p, n_q, rows, row_step, step, b, ldb, c, ldc);
    return;
  }
  while (m > 0) { /* the rest in threes and ones: 3 x 3 kernels of few channels end here */
    const int now = m >= 3 ? 3 : 1;
    for (int i = 0; i < now; i++)
      padded[i] = rows[i];
    if (now == 3)
      rows_of (3, n, n_p, n_q, padded, row_step, step, b, ldb, c, ldc);
    else
      rows_of (1, n, n_p, n_q, padded, row_step, step, b, ldb, c, ldc);
    rows += now;
    c += now * ldc;
    m -= now;
  }
}
