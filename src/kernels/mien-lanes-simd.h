/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Vectors of WIDTH floats and elements of blocked tensors (float, or bfloat16 where BF16 is 1): what the kernels of mien-blocked-simd.h,
 * mien-winograd-simd.h and mien-backward-simd.h share. A file per instruction set sets LANES and BF16 before, and WIDTH, the floats in a vector
 * register, where a block of LANES channels is more than one of them. */
#pragma once

#include "kernels/mien-blocked.h"

#include <string.h>

#ifndef WIDTH
#define WIDTH LANES
#endif

typedef float Vec __attribute__ ((vector_size (WIDTH * 4)));
typedef float VecU __attribute__ ((vector_size (WIDTH * 4), aligned (4), may_alias));
typedef int VecI __attribute__ ((vector_size (WIDTH * 4)));

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
#include <immintrin.h>

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
#else
typedef float Elem;
#define read_elems load
#define write_elems store
#endif

INLINE Vec
splat (float x)
{
  return x - (Vec) { 0 };
}

INLINE Vec
clamp (Vec x, float lo, float hi)
{
  const Vec l = splat (lo), h = splat (hi);
  VecI low = x < l, high = x > h;

  x = (Vec) (((VecI) l & low) | ((VecI) x & ~low));
  return (Vec) (((VecI) h & high) | ((VecI) x & ~high));
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

static inline void
zero_halo (const MienBlockedShape *shape, Elem *y_row, int p)
{
  const ptrdiff_t row = row_elems (shape), side = (ptrdiff_t) shape->y_halo * LANES;

  if (shape->y_halo == 0)
    return;
  memset (y_row - side, 0, side * sizeof *y_row);
  memset (y_row - side + row - side, 0, side * sizeof *y_row);
  if (p == 0)
    memset (y_row - side - shape->y_halo * row, 0, shape->y_halo * row * sizeof *y_row);
  if (p == shape->p - 1)
    memset (y_row - side + row, 0, shape->y_halo * row * sizeof *y_row);
}
