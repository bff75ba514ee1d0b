/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Vectors of WIDTH floats and elements of blocked tensors (float, or bfloat16 where BF16 is 1): what the kernels of mien-blocked-simd.h,
 * mien-winograd-simd.h and mien-backward-simd.h share. A file per instruction set sets LANES and BF16 before, and WIDTH, the floats in a vector
 * register, where a block of LANES channels is more than one of them. PAIRS 0 with BF16 1: bfloat16 is widened to f32 where it is multiplied, instead of
 * two products at once (needs AVX-512 BF16 even so, for rounding). */
#pragma once

#include "kernels/mien-blocked.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#ifndef WIDTH
#define WIDTH LANES
#endif
#ifndef PAIRS
#define PAIRS BF16
#endif

typedef float Vec __attribute__ ((vector_size (WIDTH * 4)));
typedef float VecU __attribute__ ((vector_size (WIDTH * 4), aligned (4), may_alias));
typedef int VecI __attribute__ ((vector_size (WIDTH * 4)));
typedef unsigned VecW __attribute__ ((vector_size (WIDTH * 4)));

#define INLINE static inline __attribute__ ((always_inline))

INLINE Vec
load (const float *x)
{
  return (Vec) * (const VecU *) x;
}

INLINE void
store (float *y, Vec x)
{
  *(VecU *) y = (VecU) x;
}

#if BF16
typedef unsigned short Elem;
typedef int PairU __attribute__ ((aligned (2), may_alias));

INLINE Vec
read_elems (const Elem *x)
{
  return (Vec) _mm512_slli_epi32 (_mm512_cvtepu16_epi32 (_mm256_loadu_si256 ((const __m256i *) x)), 16);
}

INLINE void
write_elems (Elem *y, Vec x)
{
  _mm256_storeu_si256 ((__m256i *) y, (__m256i) _mm512_cvtneps_pbh ((__m512) x));
}

/* Two vectors, one behind the other. */
INLINE void
write_two (Elem *y, Vec first, Vec second)
{
  _mm512_storeu_si512 (y, (__m512i) _mm512_cvtne2ps_pbh ((__m512) second, (__m512) first));
}

/* The same element by element, the first before the second. */
INLINE void
write_zipped (void *y, Vec first, Vec second)
{
  const __m512i low = _mm512_cvtepu16_epi32 ((__m256i) _mm512_cvtneps_pbh ((__m512) first));
  const __m512i high = _mm512_cvtepu16_epi32 ((__m256i) _mm512_cvtneps_pbh ((__m512) second));

  _mm512_storeu_si512 (y, _mm512_or_si512 (low, _mm512_slli_epi32 (high, 16)));
}
#else
typedef float Elem;
#define read_elems load
#define write_elems store

/* Bits of bfloat16 in the upper half; what the lower one holds means nothing. To nearest, ties to even; NaN stays NaN. */
INLINE VecW
round_bits (Vec x)
{
  const VecW bits = (VecW) x, nan = (VecW) (x != x);

  return ((bits + 0x7fff + ((bits >> 16) & 1)) & ~nan) | ((bits | 0x400000) & nan);
}

/* bfloat16 of two vectors element by element, the first before the second. */
INLINE void
write_zipped (void *y, Vec first, Vec second)
{
  store (y, (Vec) ((round_bits (first) >> 16) | (round_bits (second) & 0xffff0000u)));
}
#endif

/* The first (0) or second (1) of each pair that write_zipped() wrote. */
INLINE Vec
widen (Vec pairs, int which)
{
  return which == 0 ? (Vec) ((VecW) pairs << 16) : (Vec) ((VecW) pairs & 0xffff0000u);
}

INLINE Vec
splat (float x)
{
  return x - (Vec) { 0 };
}

/* a > b ? a : b, a < b ? a : b: b where one of them is NaN. */
INLINE Vec
max_vec (Vec a, Vec b)
{
#if defined(__AVX512F__) && WIDTH == 16
  return (Vec) _mm512_max_ps ((__m512) a, (__m512) b);
#elif defined(__AVX__) && WIDTH == 8
  return (Vec) _mm256_max_ps ((__m256) a, (__m256) b);
#elif defined(__SSE__) && WIDTH == 4
  return (Vec) _mm_max_ps ((__m128) a, (__m128) b);
#else
  const VecI more = a > b;

  return (Vec) (((VecI) a & more) | ((VecI) b & ~more));
#endif
}

INLINE Vec
min_vec (Vec a, Vec b)
{
#if defined(__AVX512F__) && WIDTH == 16
  return (Vec) _mm512_min_ps ((__m512) a, (__m512) b);
#elif defined(__AVX__) && WIDTH == 8
  return (Vec) _mm256_min_ps ((__m256) a, (__m256) b);
#elif defined(__SSE__) && WIDTH == 4
  return (Vec) _mm_min_ps ((__m128) a, (__m128) b);
#else
  const VecI less = a < b;

  return (Vec) (((VecI) a & less) | ((VecI) b & ~less));
#endif
}

/* NaN stays NaN. */
INLINE Vec
clamp (Vec x, float lo, float hi)
{
  return min_vec (splat (hi), max_vec (splat (lo), x));
}

/* Where a pixel row of a blocked tensor begins, behind the halo. */
INLINE ptrdiff_t
offset_of (int blocks, int h, int w, int halo, int n, int block, int row)
{
  return ((((ptrdiff_t) n * blocks + block) * (h + 2 * halo) + row + halo) * (w + 2 * halo) + halo) * LANES;
}

INLINE int
blocks_of (int channels)
{
  return (channels + LANES - 1) / LANES;
}

/* Sizes of y's rows and planes, and zeros around row p. */
INLINE ptrdiff_t
row_elems (const MienBlockedShape *shape)
{
  return (ptrdiff_t) (shape->q + 2 * shape->y_halo) * LANES;
}

INLINE void
zero_elems (Elem *y, ptrdiff_t n)
{
  for (ptrdiff_t i = 0; i < n; i += WIDTH)
    write_elems (y + i, (Vec) { 0 });
}

static inline void
zero_halo (const MienBlockedShape *shape, Elem *y_row, int p)
{
  const ptrdiff_t row = row_elems (shape), side = (ptrdiff_t) shape->y_halo * LANES;

  zero_elems (y_row - side, side);
  zero_elems (y_row - side + row - side, side);
  if (p == 0)
    zero_elems (y_row - side - shape->y_halo * row, shape->y_halo * row);
  if (p == shape->p - 1)
    zero_elems (y_row - side + row, shape->y_halo * row);
}
