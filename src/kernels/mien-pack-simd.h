/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Weights of convolutions, read a vector of output channels at a time; what needs them sets LANES, BF16 and WIDTH as for mien-lanes-simd.h. */
#pragma once

#include "kernels/mien-lanes-simd.h"

#if WIDTH == 16
#define LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif WIDTH == 8
#define LOW 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#endif

/* The transpose of WIDTH vectors: each step interleaves those of the first half with those of the second, and as many steps as a number of a
 * vector has bits bring every element to its place. */
INLINE void
transpose (Vec *rows)
{
  Vec mixed[WIDTH];

#pragma GCC unroll 4
  for (int step = 1; step < WIDTH; step *= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < WIDTH / 2; i++) {
      mixed[2 * i] = __builtin_shufflevector (rows[i], rows[i + WIDTH / 2], LOW);
      mixed[2 * i + 1] = __builtin_shufflevector (rows[i], rows[i + WIDTH / 2], HIGH);
    }
#pragma GCC unroll 16
    for (int i = 0; i < WIDTH; i++)
      rows[i] = mixed[i];
  }
}

#undef LOW
#undef HIGH

/* WIDTH values of which only some exist, the others 0 */
INLINE Vec
load_some (const float *x, int n)
{
  float all[WIDTH] = { 0 };

  memcpy (all, x, n * sizeof *x);
  return load (all);
}

/* From w[K][C][taps], k_step floats from one output channel to the next: filters[WIDTH input channels][taps], each of WIDTH output channels. Only
 * n_k and n_c of them exist, the others are 0. */
INLINE void
read_filters (const float *w, ptrdiff_t k_step, int n_taps, int n_k, int n_c, Vec *filters)
{
  for (int tap = 0; tap < n_taps; tap++) {
    const int left = n_c * n_taps - tap * WIDTH, n = left < 0 ? 0 : left < WIDTH ? left : WIDTH;
    const float *from = w + (ptrdiff_t) tap * WIDTH;
    Vec rows[WIDTH];

    if (n_k >= WIDTH && n == WIDTH) {
#pragma GCC unroll 16
      for (int k = 0; k < WIDTH; k++) {
        rows[k] = load (from + k * k_step);
        __builtin_prefetch (from + k * k_step + n_taps * WIDTH);
      }
    } else {
      for (int k = 0; k < WIDTH; k++)
        rows[k] = k < n_k && n > 0 ? load_some (from + k * k_step, n) : (Vec) { 0 };
    }
    transpose (rows);
#pragma GCC unroll 16
    for (int i = 0; i < WIDTH; i++)
      filters[tap * WIDTH + i] = rows[i];
  }
}

/* As mien_blocked_pack_conv() lays them, for up to MIEN_BLOCKED_PACK_TAPS taps: n_groups of width output channels. */
INLINE void
pack_filters (const MienBlockedShape *shape, int width, const float *w, void *packed, int n_groups)
{
  const int n_taps = shape->r * shape->s, c_blocks = blocks_of (shape->c);
  const ptrdiff_t k_step = (ptrdiff_t) shape->c * n_taps, tap_step = (ptrdiff_t) LANES * width; /* elements */
  Vec filters[WIDTH * MIEN_BLOCKED_PACK_TAPS];

  for (int k = 0; k < n_groups * width; k += WIDTH) {
    const int n_k = k >= shape->k ? 0 : shape->k - k < WIDTH ? shape->k - k : WIDTH;
    for (int c = 0; c < c_blocks * LANES; c += WIDTH) {
      const int n_c = c >= shape->c ? 0 : shape->c - c < WIDTH ? shape->c - c : WIDTH;
      Elem *to = (Elem *) packed + ((ptrdiff_t) k / width * c_blocks + c / LANES) * n_taps * tap_step + (ptrdiff_t) (c % LANES) * width;
      read_filters (w + k * k_step + (ptrdiff_t) c * n_taps, k_step, n_taps, n_k, n_c, filters);
      for (int tap = 0; tap < n_taps; tap++, to += tap_step)
#if BF16 /* pairs of input channels */
        for (int i = 0; i < WIDTH; i += 2)
          write_zipped (to + (ptrdiff_t) i * width + 2 * (k % width), filters[i * n_taps + tap], filters[(i + 1) * n_taps + tap]);
#else
        for (int i = 0; i < WIDTH; i++)
          store (to + (ptrdiff_t) i * width + k % width, filters[i * n_taps + tap]);
#endif
    }
  }
}
