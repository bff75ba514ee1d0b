/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transforms of mien-winograd.h in one direction, for m = 2 or 4 results; what needs them sets LANES and BF16 as for mien-lanes-simd.h. */
#pragma once

#include "kernels/mien-lanes-simd.h"

#define HALF_ROOT 0.70710678f /* 1 / sqrt 2 */
#define ROOT 1.41421356f

/* B^T d, of values that lie step apart */
INLINE void
transform_in (const int m, const Vec *d, const int step, Vec *v, const int v_step)
{
  if (m == 2) {
    v[0] = d[0] - d[2 * step];
    v[v_step] = d[step] + d[2 * step];
    v[2 * v_step] = d[2 * step] - d[step];
    v[3 * v_step] = d[step] - d[3 * step];
  } else {
    const Vec even_a = d[4 * step] - 2 * d[2 * step], odd_a = d[3 * step] - 2 * d[step];
    const Vec even_b = d[4 * step] - 0.5f * d[2 * step], odd_b = d[3 * step] - 0.5f * d[step];
    v[0] = d[0] + d[4 * step] - 2.5f * d[2 * step];
    v[v_step] = even_a + HALF_ROOT * odd_a;
    v[2 * v_step] = even_a - HALF_ROOT * odd_a;
    v[3 * v_step] = even_b + ROOT * odd_b;
    v[4 * v_step] = even_b - ROOT * odd_b;
    v[5 * v_step] = d[step] + d[5 * step] - 2.5f * d[3 * step];
  }
}

/* A^T v */
INLINE void
transform_out (const int m, const Vec *v, const int step, Vec *y, const int y_step)
{
  const Vec sum_a = v[step] + v[2 * step], difference_a = v[step] - v[2 * step];

  if (m == 2) {
    y[0] = v[0] + sum_a;
    y[y_step] = difference_a - v[3 * step];
  } else {
    const Vec sum_b = v[3 * step] + v[4 * step], difference_b = v[3 * step] - v[4 * step];
    y[0] = v[0] + sum_a + sum_b;
    y[y_step] = HALF_ROOT * difference_a + ROOT * difference_b;
    y[2 * y_step] = 0.5f * sum_a + 2 * sum_b;
    y[3 * y_step] = v[5 * step] + 0.5f * HALF_ROOT * difference_a + 2 * ROOT * difference_b;
  }
}
