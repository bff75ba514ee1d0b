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
  AHEAD = 3072, /* bytes; what the prefetchers of the processor do not fetch in time */
  LINE = 64,
};

typedef int FourU __attribute__ ((aligned (1), may_alias));

/* Four inputs times the weights of all of them for 64 columns; high and low bytes are summed up apart. */
static inline __attribute__ ((always_inline)) void
add_four (__m512i high[VECTORS], __m512i low[VECTORS], const unsigned char *x, const signed char *w)
{
  const __m512i x_high = _mm512_set1_epi32 (((const FourU *) x)[0]), x_low = _mm512_set1_epi32 (((const FourU *) x)[1]);

#pragma GCC unroll 4
  for (int v = 0; v < VECTORS; v++) {
    const __m512i weights = _mm512_loadu_si512 (w + v * LINE);
    high[v] = _mm512_dpbusd_epi32 (high[v], x_high, weights);
    low[v] = _mm512_dpbusd_epi32 (low[v], x_low, weights);
    _mm_prefetch ((const char *) ((size_t) w + v * LINE + AHEAD), _MM_HINT_T0);
  }
}

static void
panel (const MienDenseShape *shape, int n, const unsigned char *x, float x_scale, const void *packed, const float *bias, float *y)
{
  const char *from = packed;
  __m512 sums[VECTORS];
  float out[WIDTH];

  for (int v = 0; v < VECTORS; v++)
    sums[v] = _mm512_setzero_ps ();
  for (int k = 0; k < shape->k; k += MIEN_DENSE_INT8_BLOCK) {
    const int left = shape->k - k, n_fours = left < MIEN_DENSE_INT8_BLOCK ? (left + 3) / 4 : MIEN_DENSE_INT8_BLOCK / 4;
    const float *scales = (const float *) from;
    const int *less = (const int *) (scales + WIDTH);
    const signed char *w = (const signed char *) (less + WIDTH);
    __m512i high[VECTORS], low[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
      high[v] = _mm512_setzero_si512 ();
      low[v] = _mm512_loadu_si512 (less + v * LANES);
    }
    for (int i = 0; i < n_fours; i++, x += 8, w += 4 * WIDTH)
      add_four (high, low, x, w);
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++)
      sums[v] = _mm512_fmadd_ps (_mm512_cvtepi32_ps (_mm512_add_epi32 (_mm512_slli_epi32 (high[v], 8), low[v])), _mm512_loadu_ps (scales + v * LANES), sums[v]);
    from = (const char *) w;
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
quantise (unsigned char *to, const unsigned short *from, size_t n_elems)
{
  enum { MOST = 32767 };
  /* Of four numbers the second bytes, then the first ones. */
  const __m512i apart = _mm512_broadcast_i32x4 (_mm_set_epi8 (-1, -1, -1, -1, -1, -1, -1, -1, 12, 8, 4, 0, 13, 9, 5, 1));
  __m512i largest = _mm512_setzero_si512 (); /* without their sign numbers compare like their bits, and NaN is the largest */
  float most;

  for (size_t i = 0; i < n_elems; i += LANES)
    largest = _mm512_max_epi32 (largest, _mm512_and_epi32 (read_bits (from + i, mask_of (n_elems - i)), _mm512_set1_epi32 (0x7fffffff)));
  const int bits = _mm512_reduce_max_epi32 (largest);
  memcpy (&most, &bits, sizeof most);
  const __m512 factor = _mm512_set1_ps (most > 0 ? MOST / most : 0);
  for (size_t i = 0; i < n_elems; i += LANES) {
    const size_t left = n_elems - i;
    const __mmask16 mask = mask_of (left);
    const __m512i signs = _mm512_cvtps_epi32 (_mm512_mul_ps (_mm512_castsi512_ps (read_bits (from + i, mask)), factor));
    const __m512i whole = _mm512_add_epi32 (_mm512_max_epi32 (signs, _mm512_set1_epi32 (-MOST)), _mm512_set1_epi32 (MIEN_DENSE_INT8_ZERO));
    const __m512i fours = _mm512_maskz_compress_epi64 (0x55, _mm512_shuffle_epi8 (whole, apart));
    _mm512_mask_storeu_epi64 (to + 2 * i, left >= LANES ? 0xf : (__mmask8) ((1u << (left + 3) / 4) - 1), fours);
  }
  return most / MOST;
}

void
mien_dense_int8_kernels_init_avx512vnni (MienDenseInt8Kernels *self)
{
  *self = (MienDenseInt8Kernels) { WIDTH, panel, quantise };
}
