/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernels of mien-dense.h written once with the compiler's vector types; a file per instruction set sets
 *   LANES    floats in a vector register
 *   MR       most rows at once: 2 * MR sums and two vectors of weights stay in registers
 *   BF16     1: x and weights are bfloat16 (needs AVX-512 BF16)
 *   NAME(x)  name of function x
 * and includes this. */
#include "kernels/mien-dense.h"

#include <string.h>

typedef float Vec __attribute__ ((vector_size (LANES * 4)));
typedef float VecU __attribute__ ((vector_size (LANES * 4), aligned (4), may_alias));

#define INLINE static inline __attribute__ ((always_inline))

/* AHEAD: bytes; what the prefetchers of the processor do not fetch in time. */
enum { WIDTH = 2 * LANES, UNROLL = 4, AHEAD = 2048 };

#if BF16
#include <immintrin.h>

typedef unsigned short Elem;
typedef int PairU __attribute__ ((aligned (2), may_alias));
typedef __m512bh Weights;
enum { STEP = 2 }; /* elements of x that meet one vector of weights */

INLINE Weights
load_weights (const Elem *w)
{
  return (__m512bh) _mm512_loadu_si512 (w);
}

INLINE Vec
multiply_add (Vec sum, const Elem *x, Weights w)
{
  return (Vec) _mm512_dpbf16_ps ((__m512) sum, (__m512bh) _mm512_set1_epi32 (*(const PairU *) x), w);
}
#else
typedef float Elem;
typedef Vec Weights;
enum { STEP = 1 };

INLINE Weights
load_weights (const Elem *w)
{
  return (Vec) * (const VecU *) w;
}

INLINE Vec
multiply_add (Vec sum, const Elem *x, Weights w)
{
  return sum + (*x - (Vec) { 0 }) * w;
}
#endif

INLINE void
finish (const MienDenseShape *shape, int n, const Vec sums[2], const float *bias, float *y)
{
  float out[WIDTH];

  memcpy (out, sums, sizeof out);
  for (int j = 0; j < n; j++) {
    const float sum = out[j] + (bias != NULL ? bias[j] : 0);
    y[j] = sum < shape->lo ? shape->lo : sum > shape->hi ? shape->hi : sum;
  }
}

/* One row: four pairs of sums in turn hide the latency of the additions. */
INLINE void
one_row (const MienDenseShape *shape, int n, const Elem *x, const Elem *w, const float *bias, float *y)
{
  const int n_steps = (shape->k + STEP - 1) / STEP;
  Vec sums[UNROLL][2] = { 0 };
  int i = 0;

  for (; i + UNROLL <= n_steps; i += UNROLL, x += UNROLL * STEP, w += UNROLL * STEP * WIDTH) {
#pragma GCC unroll 4
    for (int u = 0; u < UNROLL; u++) {
      __builtin_prefetch ((const char *) (w + u * STEP * WIDTH) + AHEAD);
      if (LANES == 16)
        __builtin_prefetch ((const char *) (w + u * STEP * WIDTH) + AHEAD + 64);
#pragma GCC unroll 2
      for (int v = 0; v < 2; v++)
        sums[u][v] = multiply_add (sums[u][v], x + u * STEP, load_weights (w + (u * WIDTH + v * LANES) * STEP));
    }
  }
  for (; i < n_steps; i++, x += STEP, w += STEP * WIDTH)
    for (int v = 0; v < 2; v++)
      sums[0][v] = multiply_add (sums[0][v], x, load_weights (w + v * LANES * STEP));
  for (int v = 0; v < 2; v++)
    sums[0][v] = (sums[0][v] + sums[1][v]) + (sums[2][v] + sums[3][v]);
  finish (shape, n, sums[0], bias, y);
}

INLINE void
some_rows (const MienDenseShape *shape, const int M, int n, const Elem *x, const Elem *w, const float *bias, float *y)
{
  const int n_steps = (shape->k + STEP - 1) / STEP;
  const ptrdiff_t row = (ptrdiff_t) n_steps * STEP;
  Vec sums[MR][2];

#pragma GCC unroll 12
  for (int i = 0; i < M; i++)
    sums[i][0] = sums[i][1] = (Vec) { 0 };
  for (int k = 0; k < n_steps; k++, x += STEP, w += STEP * WIDTH) {
    const Weights w0 = load_weights (w), w1 = load_weights (w + LANES * STEP);
    __builtin_prefetch ((const char *) w + AHEAD);
    if (LANES == 16)
      __builtin_prefetch ((const char *) w + AHEAD + 64);
#pragma GCC unroll 12
    for (int i = 0; i < M; i++) {
      sums[i][0] = multiply_add (sums[i][0], x + i * row, w0);
      sums[i][1] = multiply_add (sums[i][1], x + i * row, w1);
    }
  }
  for (int i = 0; i < M; i++)
    finish (shape, n, sums[i], bias, y + (ptrdiff_t) i * shape->n);
}

static void
panel (const MienDenseShape *shape, int n, const void *x, const void *w, const float *bias, float *y)
{
  const ptrdiff_t row = (ptrdiff_t) (shape->k + STEP - 1) / STEP * STEP;
  const Elem *from = x;
  int m = shape->m;

  for (; m >= MR; m -= MR, from += MR * row, y += (ptrdiff_t) MR * shape->n)
    some_rows (shape, MR, n, from, w, bias, y);
#if MR > 8
  for (; m >= 8; m -= 8, from += 8 * row, y += (ptrdiff_t) 8 * shape->n)
    some_rows (shape, 8, n, from, w, bias, y);
#endif
  for (; m >= 4; m -= 4, from += 4 * row, y += (ptrdiff_t) 4 * shape->n)
    some_rows (shape, 4, n, from, w, bias, y);
  for (; m >= 2; m -= 2, from += 2 * row, y += (ptrdiff_t) 2 * shape->n)
    some_rows (shape, 2, n, from, w, bias, y);
  if (m > 0)
    one_row (shape, n, from, w, bias, y);
}

#if BF16
static void
round_elems (unsigned short *to, const float *from, size_t n_elems)
{
  for (size_t i = 0; i < n_elems; i += LANES) {
    const size_t left = n_elems - i;
    const __mmask16 mask = left >= LANES ? 0xffff : (__mmask16) ((1u << left) - 1);
    _mm256_mask_storeu_epi16 (to + i, mask, (__m256i) _mm512_cvtneps_pbh (_mm512_maskz_loadu_ps (mask, from + i)));
  }
}

static void
widen_elems (float *to, const unsigned short *from, size_t n_elems)
{
  for (size_t i = 0; i < n_elems; i += LANES) {
    const size_t left = n_elems - i;
    const __mmask16 mask = left >= LANES ? 0xffff : (__mmask16) ((1u << left) - 1);
    _mm512_mask_storeu_epi32 (to + i, mask, _mm512_slli_epi32 (_mm512_cvtepu16_epi32 (_mm256_maskz_loadu_epi16 (mask, from + i)), 16));
  }
}
#else
#define round_elems NULL
#define widen_elems NULL
#endif

void
NAME (dense_kernels_init) (MienDenseKernels *self)
{
  *self = (MienDenseKernels) { WIDTH, BF16, panel, round_elems, widen_elems };
}
