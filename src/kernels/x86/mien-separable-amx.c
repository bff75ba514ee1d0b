/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Separable of mien-blocked.h in blocks of 16 channels with the 1 x 1 convolution on tile registers. Networks of thin depthwise layers keep f32 and
 * blocks of 16, but half and more of their multiplications are in these convolutions. What the depthwise one gives is rounded while it is in cache; a
 * tile is 16 pixels x 16 channels of it (half rows), 16 x 16 of the weights as they are packed for vectors, 16 x 16 sums. */
#if !defined(__AVX512BF16__) || (!defined(__AMX_BF16__) && !defined(__AMXBF16__) && !defined(MIEN_EMULATED_TILES)) /* gcc, clang 14 */
#error "needs -mavx512bf16 -mamx-tile -mamx-bf16"
#endif
#define LANES 16
#define BF16 0
#include "kernels/mien-lanes-simd.h"
#include "kernels/x86/mien-tiles.h"
#include "kernels/x86/mien-x86.h"

enum { TILE_ROWS = 16, TILE_BYTES = 64, MOST_GROUP = 4, BF16_BYTES = 2 };

typedef struct {
  const MienBlockedSeparable *layer;
  const float *residual; /* or NULL */
  float *y;
  const unsigned short *pixels; /* [C / 16][rows x q][16] of the rows that are computed */
  int n, p0, n_rows;
  int group; /* blocks of output channels whose weights lie together */
  float sums[MOST_GROUP][TILE_ROWS][LANES] __attribute__ ((aligned (TILE_BYTES)));
} Strip;

static void
configure_tiles (int n_pixels)
{
  TileConfig config = { .palette = 1 };

  for (int t = 0; t < 6; t++) { /* 0 .. 3: sums; 4: pixels; 5: weights, pairs of channels */
    config.row_bytes[t] = t == 4 ? LANES * BF16_BYTES : TILE_BYTES;
    config.rows[t] = (uint8_t) (t == 5 ? LANES / 2 : n_pixels);
  }
  tile_configure (&config);
}

/* Sums of n_pixels from pixel `at` on, for a group of blocks. */
INLINE void
multiply_pixels (Strip *strip, const unsigned short *w, int at)
{
  const MienBlockedShape *shape = &strip->layer->point;
  const int group = strip->group, c_blocks = blocks_of (shape->c);
  const ptrdiff_t plane = (ptrdiff_t) strip->n_rows * shape->q * LANES, w_step = group * TILE_BYTES;

  tile_zero (0);
  tile_zero (1);
  tile_zero (2);
  tile_zero (3);
  for (int c = 0; c < c_blocks; c++, w += LANES * group * LANES) {
    tile_load (4, strip->pixels + c * plane + (ptrdiff_t) at * LANES, LANES * BF16_BYTES);
    tile_load (5, w, w_step);
    tile_multiply (0, 4, 5);
    if (group > 1) {
      tile_load (5, w + 2 * LANES, w_step);
      tile_multiply (1, 4, 5);
    }
    if (group > 2) {
      tile_load (5, w + 4 * LANES, w_step);
      tile_multiply (2, 4, 5);
    }
    if (group > 3) {
      tile_load (5, w + 6 * LANES, w_step);
      tile_multiply (3, 4, 5);
    }
  }
  tile_store (0, strip->sums[0], TILE_BYTES);
  tile_store (1, strip->sums[1], TILE_BYTES);
  tile_store (2, strip->sums[2], TILE_BYTES);
  tile_store (3, strip->sums[3], TILE_BYTES);
}

/* Pixels first .. end - 1 of block k, whose sums begin with pixel `at`. */
INLINE void
store_sums (const Strip *strip, int k, float sums[TILE_ROWS][LANES], int at, int first, int end)
{
  const MienBlockedShape *shape = &strip->layer->point;
  const float *bias = strip->layer->point_bias;
  const Vec shift = bias != NULL ? load (bias + (ptrdiff_t) k * LANES) : (Vec) { 0 };
  const int k_blocks = blocks_of (shape->k);

  for (int i = first; i < end;) { /* a row or what is of it */
    const int p = strip->p0 + i / shape->q, q = i % shape->q, stop = i + shape->q - q < end ? i + shape->q - q : end;
    float *y = strip->y + offset_of (k_blocks, shape->p, shape->q, shape->y_halo, strip->n, k, p) + (ptrdiff_t) q * LANES;
    const float *residual = NULL;
    if (strip->residual != NULL)
      residual = strip->residual + offset_of (k_blocks, shape->p, shape->q, shape->residual_halo, strip->n, k, p) + (ptrdiff_t) q * LANES;
    for (; i < stop; i++, y += LANES) {
      Vec sum = load (sums[i - at]) + shift;
      if (residual != NULL) {
        sum += load (residual);
        residual += LANES;
      }
      store (y, clamp (sum, shape->lo, shape->hi));
    }
  }
}

static void
point (Strip *strip)
{
  const MienBlockedShape *shape = &strip->layer->point;
  const int n = strip->n_rows * shape->q, size = n < TILE_ROWS ? n : TILE_ROWS, k_blocks = blocks_of (shape->k), group = strip->group;
  const unsigned short *w = strip->layer->point_w;

  configure_tiles (size);
  for (int k = 0; k < k_blocks; k += group, w += (ptrdiff_t) blocks_of (shape->c) * LANES * group * LANES) {
    for (int first = 0; first < n; first += size) { /* the last tile begins earlier instead of being shorter */
      const int at = first + size <= n ? first : n - size;
      multiply_pixels (strip, w, at);
      for (int g = 0; g < group; g++)
        store_sums (strip, k + g, strip->sums[g], at, first, at + size);
    }
    for (int g = 0; g < group; g++)
      for (int p = strip->p0; p < strip->p0 + strip->n_rows; p++)
        zero_halo (shape, strip->y + offset_of (k_blocks, shape->p, shape->q, shape->y_halo, strip->n, k + g, p), p);
  }
  tile_release ();
}

/* In the order in which they lie. */
static void
round_pixels (const float *from, unsigned short *to, ptrdiff_t n)
{
  for (ptrdiff_t i = 0; i < n; i += LANES)
    _mm256_storeu_si256 ((__m256i *) (to + i), (__m256i) _mm512_cvtneps_pbh ((__m512) load (from + i)));
}

void
mien_blocked_separable_amx (const MienBlockedSeparable *layer, const void *x, const void *residual, void *y, void *buffer, int first, int end)
{
  const MienBlockedShape *shape = &layer->point;
  const ptrdiff_t x_row = (ptrdiff_t) (layer->depth.w + 2 * layer->depth.x_halo) * LANES, x_picture = x_row * (layer->depth.h + 2 * layer->depth.x_halo) * blocks_of (shape->c);
  const ptrdiff_t n_pixels = (ptrdiff_t) blocks_of (shape->c) * layer->n_rows * shape->q * LANES;
  MienBlockedKernels vectors;
  Strip strip = { .layer = layer, .residual = residual, .y = y };

  mien_blocked_kernels_init_avx512 (&vectors);
  strip.group = mien_blocked_group (&vectors, shape->k);
  while (first < end) { /* rows of one picture */
    const int n = first / shape->p, p0 = first % shape->p, left = end - first < shape->p - p0 ? end - first : shape->p - p0;
    const int n_rows = left < layer->n_rows ? left : layer->n_rows;
    MienBlockedShape rows = layer->depth;
    const MienBlockedArgs args = {
      .x = (const float *) x + n * x_picture + p0 * rows.stride_h * x_row, .w = layer->depth_w, .bias = layer->depth_bias, .y = buffer,
    };
    rows.n = 1;
    rows.p = n_rows;
    vectors.depth (&rows, &args, 0, blocks_of (shape->c) * n_rows);
    strip.pixels = (unsigned short *) ((float *) buffer + n_pixels);
    round_pixels (buffer, (unsigned short *) ((float *) buffer + n_pixels), (ptrdiff_t) blocks_of (shape->c) * n_rows * shape->q * LANES);
    strip.n = n;
    strip.p0 = p0;
    strip.n_rows = n_rows;
    point (&strip);
    first += n_rows;
  }
}
