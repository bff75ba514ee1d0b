/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolution and pooling on blocked tensors, f32 or bfloat16 with f32 sums: the channels of a pixel lie together in groups of `lanes`, one vector
 * register wide, and every plane carries a border (halo) of zeros as wide as the widest padding that is read from it.
 *
 *   x[N][C / lanes][H + 2 halo][W + 2 halo][lanes]      channels beyond C in the last block are 0
 *
 * Conv     y = clamp (bias + sum over c, r, s of w[k][c][r][s] * x[c][p * stride + r * dilation - pad][likewise] + residual)
 *          weights packed [K / (group * lanes)][C / lanes][R][S][lanes][group * lanes], group = mien_blocked_group()
 * Stem     the same with x a plain tensor [N][C][H][W]: first layers of one or three channels; weights [K / lanes][C][R][S][lanes]
 *          and with pool set, where mien_blocked_stem_can_pool(), pooled at once
 * Pair     a stem and a convolution behind it, both 3 x 3 with stride 1, no dilation and up to MIEN_BLOCKED_PAIR_CHANNELS results (the stem of up to
 *          MIEN_BLOCKED_STEM_CHANNELS): half of a wide vector would be empty. Rows are n * p; four of a picture (0 .. 3, 4 .. 7) are computed
 *          together, the Winograd way in one direction (mien-winograd.h), unless it is bfloat16
 * Depth    depthwise, w packed [C / lanes][R][S][lanes]
 * Separable  Depth and a 1 x 1 convolution behind it, some rows at a time, so that what lies between them stays in cache. Rows are n * p
 * Pool     maximum, or average over the pixels of the input that the window covers; windows of MIEN_BLOCKED_MAX_POOL rows at most
 * bfloat16 activations and the weights of Conv are bfloat16 (rounded to nearest even); pairs of input channels lie together in packed
 *          weights: [..][lanes / 2][group * lanes][2]; x of Stem, the weights of Stem and Depth, and biases are f32, but
 *          Depth rounds its weights where it multiplies pairs of pixels: 3 x 3, no stride and no dilation from column to column
 * Memory   writes every pixel of y, its halo and its spare channels included; arrays do not overlap, except residual and y
 * Errors   none: the caller promises that no padding is wider than x_halo (stem: x is padded while it is read)
 * Thread   pure; the functions compute rows first .. end - 1 of the n * k-groups * P rows they number, so that a caller can share them out */
#pragma once

#include "kernels/mien-cpu.h"
#include "kernels/mien-threads.h"

#include <stdbool.h>
#include <stddef.h>

enum {
  MIEN_BLOCKED_MAX_POOL = 32,
  MIEN_BLOCKED_STEM_CHANNELS = 4,
  MIEN_BLOCKED_STEM_TAPS = 7,
  MIEN_BLOCKED_STEM_STRIDE = 2,
  MIEN_BLOCKED_PAIR_CHANNELS = 8,
  MIEN_BLOCKED_PAIR_ROWS = 6,
};

typedef struct {
  int n;
  int c, h, w, x_halo; /* channels as in the model */
  int k, p, q, y_halo;
  int r, s, stride_h, stride_w, dilation_h, dilation_w;
  int pad_top, pad_left;
  int residual_halo;
  float lo, hi; /* clamp */
  bool stem_bf16; /* Stem, a hint: x and w may be rounded to bfloat16, where that is faster */
  bool pool;    /* Stem and mien-winograd.h only: y is the maximum of each 2 x 2 results, p / 2 rows of q / 2 pixels */
} MienBlockedShape;

typedef struct {
  const void *x;
  const void *w;
  const float *bias;    /* [K rounded up to lanes] or NULL */
  const void *residual; /* like y, with its own halo, or NULL */
  void *y;
} MienBlockedArgs;

typedef void (*MienBlockedFn) (const MienBlockedShape *shape, const MienBlockedArgs *args, int first, int end);

/* What lies before the second convolution. Weights as packed by mien_blocked_pack_pair(); biases of MIEN_BLOCKED_PAIR_CHANNELS. */
typedef struct {
  MienBlockedShape first; /* x plain; no pool, no halos */
  const float *first_w, *first_bias, *second_bias;
  const void *second_w;
} MienBlockedPair;

typedef void (*MienBlockedPairFn) (const MienBlockedPair *pair, const MienBlockedShape *second, const float *x, void *y, int first, int end);

/* A depthwise convolution and the one behind it; weights packed as for Depth and Conv, biases filled up to whole blocks or NULL. */
typedef struct {
  MienBlockedShape depth, point; /* depth: y_halo 0; point: 1 x 1, stride 1, as large as depth's result */
  const float *depth_w, *depth_bias;
  const void *point_w;
  const float *point_bias;
  int n_rows; /* at a time: mien_blocked_separable_buffer() sets it */
} MienBlockedSeparable;

/* buffer: the caller's, one for each thread. */
typedef void (*MienBlockedSeparableFn) (const MienBlockedSeparable *layer, const void *x, const void *residual, void *y, void *buffer, int first, int end);

enum { MIEN_BLOCKED_PACK_TAPS = 9 };

typedef struct {
  int lanes;     /* 0: this level has no such kernels */
  int max_group; /* most blocks of output channels in a tile */
  bool bf16;     /* elements are bfloat16 */
  MienBlockedFn conv, stem, depth, max_pool, average_pool;
  /* What mien_blocked_pack_conv() does, for n_groups of width output channels and up to MIEN_BLOCKED_PACK_TAPS taps. */
  void (*pack) (const MienBlockedShape *shape, int width, const float *w, void *packed, int n_groups);
  /* y[N][C], the mean of every plane of x; n, c, h, w and x_halo of the shape are read. */
  void (*mean) (const MienBlockedShape *shape, const void *x, float *y);
  /* y[N][K] of floats, the mean of every plane that conv would give, which is linear: w once times what all windows add up to. Weights as for
   * conv; no clamp, no residual. sums: the caller's, C in whole blocks x R x S floats. (nullable) */
  void (*conv_mean) (const MienBlockedShape *shape, const MienBlockedArgs *args, float *sums);
  MienBlockedSeparableFn separable; /* (nullable) */
  MienBlockedPairFn pair; /* (nullable) */
} MienBlockedKernels;

/* Blocks of output channels that one tile of conv computes together: packed weights keep them side by side. */
int mien_blocked_group (const MienBlockedKernels *self, int k);

/* Rows that conv, depth and the pools number: n * (k in groups or blocks) * p; stem's are all channels: n * p. */
int mien_blocked_rows (const MienBlockedKernels *self, const MienBlockedShape *shape, bool grouped);
int mien_blocked_stem_rows (const MienBlockedShape *shape);

/* Up to MIEN_BLOCKED_STEM_ channels, taps a side and strides, no dilation: these stems are fast and can pool. */
bool mien_blocked_stem_can_pool (const MienBlockedShape *shape);

/* Elements of packed weights (conv: of the kernels' type, else floats), and packing w[K][C][R][S] (depthwise: w[C][1][R][S]). */
size_t mien_blocked_conv_size (const MienBlockedKernels *self, const MienBlockedShape *shape);
void mien_blocked_pack_conv (const MienBlockedKernels *self, const MienBlockedShape *shape, const float *w, void *packed, MienThreads *threads);

/* Filters first .. first + n - 1 of them, w[n][C][R][S]. first is a multiple of the group's channels, and so is n but for the last ones. */
void mien_blocked_pack_filters (const MienBlockedKernels *self, const MienBlockedShape *shape, int first, int n, const float *w, void *packed);

/* As pack_conv() of v[K][C][R][S], where v[k][c][r][s] = w[c][k][R - 1 - r][S - 1 - s] and w[C][n_planes][R][S]: for gradients. */
void mien_blocked_pack_conv_flipped (const MienBlockedKernels *self, const MienBlockedShape *shape, const float *w, int n_planes, void *packed);

size_t mien_blocked_stem_size (const MienBlockedKernels *self, const MienBlockedShape *shape);
void mien_blocked_pack_stem (const MienBlockedKernels *self, const MienBlockedShape *shape, const float *w, float *packed);
size_t mien_blocked_depth_size (const MienBlockedKernels *self, const MienBlockedShape *shape);
void mien_blocked_pack_depth (const MienBlockedKernels *self, const MienBlockedShape *shape, const float *w, float *packed);

/* Chooses how many rows go through at a time, from the shapes alone; returns the bytes of a buffer for them. */
size_t mien_blocked_separable_buffer (const MienBlockedKernels *self, MienBlockedSeparable *layer);

/* Separable of the kernels of f32 with the 1 x 1 convolution on tile registers, rounded to bfloat16 before it: point_w is packed by those of
 * mien_blocked_kernels_init_widened(), the buffer has a size of its own (self: the kernels of f32). NULL below level amx. */
MienBlockedSeparableFn mien_blocked_separable_tiles (MienCpuLevel cpu);
size_t mien_blocked_separable_tiles_buffer (const MienBlockedKernels *self, MienBlockedSeparable *layer);

/* w1[K1][C][3][3] and w2[K2][K1][3][3] to floats [C][3][3][PAIR_CHANNELS], and to [PAIR_ROWS][K1][3][PAIR_CHANNELS] floats, or three rows of
 * bfloat16, pairs of K1 together. PAIR_ROWS: columns of the second one's filters are transformed as mien_winograd_filter_4() says. K1, K2 filled
 * up with zeros to PAIR_CHANNELS. */
void mien_blocked_pack_pair (const MienBlockedKernels *self, int c, int k1, int k2, const float *w1, const float *w2, float *first, void *second);

/* Plain x[N][C][H][W] to blocked and back. */
size_t mien_blocked_size (int lanes, int n, int c, int h, int w, int halo); /* elements */
void mien_blocked_from_plain (const MienBlockedKernels *self, int n, int c, int h, int w, int halo, const float *plain, void *blocked);
void mien_blocked_to_plain (const MienBlockedKernels *self, int n, int c, int h, int w, int halo, const void *blocked, float *plain);

/* bfloat16 is the upper half of f32. To nearest, ties to even; NaN stays NaN. */
unsigned short mien_bf16_from_float (float x);
float mien_bf16_to_float (unsigned short x);

void mien_blocked_kernels_init (MienBlockedKernels *self, MienCpuLevel cpu);      /* f32 */
void mien_blocked_kernels_init_bf16 (MienBlockedKernels *self, MienCpuLevel cpu); /* lanes 0 below level bf16 */

/* bfloat16 in memory, in the same layouts, that is multiplied as f32: where pairs of products do not pay (mien_cpu_bf16_pays()). Lanes 0 below level
 * bf16. */
void mien_blocked_kernels_init_widened (MienBlockedKernels *self, MienCpuLevel cpu);

/* bfloat16 with 32 channels a block, conv on tile registers; lanes 0 below level amx. Where most layers have 16 channels or fewer, half of every
 * block is spare and other kernels are the better ones. */
void mien_blocked_kernels_init_tiles (MienBlockedKernels *self, MienCpuLevel cpu);

/* Whether conv of two tables (both f32 or both bfloat16) gives the same answers, to the last bit, for a few small convolutions of whole numbers.
 * false without memory, too. mien_cpu_detect() asks before it believes in tiles: kernels there are tested on computers that emulate them. */
bool mien_blocked_agree (const MienBlockedKernels *a, const MienBlockedKernels *b);
