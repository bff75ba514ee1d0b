/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dense layers with weights of 8 bits, 64 columns a panel. */
#if !defined(__AVX512VNNI__)
#error "needs -mavx512vnni"
#endif
#include <immintrin.h>
#include <string.h>

#include "kernels/mien-dense-int8.h"
#include "kernels/x86/mien-x86.h"

enum {
  LANES = 16,
  VECTORS = 4,
  WIDTH = VECTORS * LANES,
  CHAINS = 2,   /* of sums, which wait for the one before */
  AHEAD = 3072, /* bytes; what the prefetchers of the processor do not fetch in time */
  LINE = 64,
};

typedef int PairU __attribute__ ((aligned (2), may_alias));

/* Two inputs times the weights of both for 64 columns. */
static inline __attribute__ ((always_inline)) void
add_pair (__m512i sums[VECTORS], const short *x, const signed char *w)
{
  const __m512i pair = _mm512_set1_epi32 (*(const PairU *) x);

#pragma GCC unroll 4
  for (int v = 0; v < VECTORS; v++) {
    const __m512i weights = _mm512_cvtepi8_epi16 (_mm256_loadu_si256 ((const __m256i *) (w + v * 2 * LANES)));
    sums[v] = _mm512_dpwssd_epi32 (sums[v], pair, weights);
  }
  _mm_prefetch ((const char *) ((size_t) w + AHEAD), _MM_HINT_T0);
  _mm_prefetch ((const char *) ((size_t) w + AHEAD + LINE), _MM_HINT_T0);
}

static void
panel (const MienDenseShape *shape, int n, const short *x, float x_scale, const void *packed, const float *bias, float *y)
{
  const char *from = packed;
  __m512 sums[VECTORS];
  float out[WIDTH];

  for (int v = 0; v < VECTORS; v++)
    sums[v] = _mm512_setzero_ps ();
  for (int k = 0; k < shape->k; k += MIEN_DENSE_INT8_BLOCK) {
    const int left = shape->k - k, n_pairs = left < MIEN_DENSE_INT8_BLOCK ? (left + 1) / 2 : MIEN_DENSE_INT8_BLOCK / 2;
    const float *scales = (const float *) from;
    const signed char *w = (const signed char *) from + WIDTH * sizeof (float);
    __m512i block[CHAINS][VECTORS];
    int i = 0;
    for (int c = 0; c < CHAINS; c++)
      for (int v = 0; v < VECTORS; v++)
        block[c][v] = _mm512_setzero_si512 ();
    for (; i + CHAINS <= n_pairs; i += CHAINS) {
#pragma GCC unroll 2
      for (int c = 0; c < CHAINS; c++)
        add_pair (block[c], x + 2 * (i + c), w + (i + c) * 2 * WIDTH);
    }
    if (i < n_pairs)
      add_pair (block[0], x + 2 * i, w + i * 2 * WIDTH);
    for (int v = 0; v < VECTORS; v++)
      sums[v] = _mm512_fmadd_ps (_mm512_cvtepi32_ps (_mm512_add_epi32 (block[0][v], block[1][v])), _mm512_loadu_ps (scales + v * LANES), sums[v]);
    x += 2 * n_pairs;
    from += WIDTH * (sizeof (float) + 2 * n_pairs);
  }
  for (int v = 0; v < VECTORS; v++)
    _mm512_storeu_ps (out + v * LANES, sums[v]);
  for (int j = 0; j < n; j++) {
    const float sum = x_scale * out[j] + (bias != NULL ? bias[j] : 0);
    y[j] = sum < shape->lo ? shape->lo : sum > shape->hi ? shape->hi : sum;
  }
}

/* 16 of them, or the first ones of mask. */
static inline __m512i
read_bits (const unsigned short *from, __mmask16 mask)
{
  return _mm512_slli_epi32 (_mm512_cvtepu16_epi32 (_mm256_maskz_loadu_epi16 (mask, from)), 16);
}

static inline __mmask16
mask_of (size_t left)
{
  return left >= LANES ? 0xffff : (__mmask16) ((1u << left) - 1);
}

static float
quantise (short *to, const unsigned short *from, size_t n_elems)
{
  enum { MOST = 32767 };
  __m512i largest = _mm512_setzero_si512 (); /* without their sign numbers compare like their bits, and NaN is the largest */
  float most;

  for (size_t i = 0; i < n_elems; i += LANES)
    largest = _mm512_max_epi32 (largest, _mm512_and_epi32 (read_bits (from + i, mask_of (n_elems - i)), _mm512_set1_epi32 (0x7fffffff)));
  const int bits = _mm512_reduce_max_epi32 (largest);
  memcpy (&most, &bits, sizeof most);
  const __m512 factor = _mm512_set1_ps (most > 0 ? MOST / most : 0);
  for (size_t i = 0; i < n_elems; i += LANES) {
    const __mmask16 mask = mask_of (n_elems - i);
    const __m512i whole = _mm512_cvtps_epi32 (_mm512_mul_ps (_mm512_castsi512_ps (read_bits (from + i, mask)), factor));
    _mm256_mask_storeu_epi16 (to + i, mask, _mm512_cvtsepi32_epi16 (whole));
  }
  return most / MOST;
}

void
mien_dense_int8_kernels_init_avx512vnni (MienDenseInt8Kernels *self)
{
  *self = (MienDenseInt8Kernels) { WIDTH, panel, quantise };
}
