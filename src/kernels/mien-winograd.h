/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Winograd convolution on blocked tensors (mien-blocked.h): 3 x 3 windows, stride 1, no dilation, every channel with every channel.
 *
 * A tile of m x m results takes t x t products a pair of channels, t = m + 2, instead of 9 m x m:
 *
 *   y tile = A^T [sum over c of (G w[k][c] G^T) * (B^T x tile[c] B)] A        * element by element
 *
 * so that a layer is three steps: tiles of x are transformed to V, t x t matrix products with the transformed weights U give M, and M is
 * transformed to y, together with bias, residual and clamp. Tiles go through in blocks whose V stays in cache.
 *
 *   V[t * t][C / lanes][tiles][lanes]     M[t * t][tiles][group * lanes]     U[K / (group * lanes)][t * t][C][group * lanes]
 *
 * Points   m 2: 0, +-1. m 4: 0, +-1/sqrt 2, +-sqrt 2, whose matrices have smaller entries than those of 0, +-1, +-2: less is rounded away
 * Memory   as Conv of mien-blocked.h; scratch is the caller's, mien_winograd_scratch() bytes, 64-byte aligned
 * Errors   none: the caller asks mien_winograd_choose() first
 * Thread   several threads share a layer; results do not depend on how many
 * Source   Lavin and Gray 2016, Fast algorithms for convolutional neural networks (arXiv 1509.09308) */
#pragma once

#include "kernels/mien-blocked.h"
#include "kernels/mien-threads.h"

/* Some tiles of a layer, and where their V and M lie. */
typedef struct {
  const MienBlockedShape *shape;
  const MienBlockedArgs *args; /* w: U */
  int m;
  int tile, n_tiles; /* the first one, numbered [n][tile row][tile column] */
  float *v, *products;
} MienWinogradBlock;

/* Steps of a block: inputs writes V of blocks of input channels first .. end - 1; outputs computes M and y of groups of output
 * channels first .. end - 1. */
typedef void (*MienWinogradFn) (const MienWinogradBlock *block, int first, int end);

typedef struct {
  int lanes; /* 0: this level has none */
  int group; /* blocks of output channels that are computed together; the last group may have fewer */
  MienWinogradFn inputs, outputs;
} MienWinogradKernels;

/* m of the tiles with which this layer is fastest, 0: none, the direct kernel is faster or the shape is another one. Depends on the
 * shape alone. */
int mien_winograd_choose (const MienWinogradKernels *self, const MienBlockedShape *shape);

/* Floats of U, and computing it from w[K][C][3][3]. */
size_t mien_winograd_size (const MienWinogradKernels *self, const MienBlockedShape *shape, int m);
void mien_winograd_pack (const MienWinogradKernels *self, const MienBlockedShape *shape, int m, const float *w, float *packed);

size_t mien_winograd_scratch (const MienWinogradKernels *self, const MienBlockedShape *shape, int m, int n_threads);
void mien_winograd_run (const MienWinogradKernels *self, const MienBlockedShape *shape, int m, const MienBlockedArgs *args, void *scratch,
                        MienThreads *threads);

/* Floats from one of the t * t parts of V and M to the next: a little more than they need, so that the parts of a tile do not all fall
 * into the same lines of a cache. */
static inline size_t
mien_winograd_v_step (const MienBlockedShape *shape, int lanes, int n_tiles)
{
  return ((size_t) (shape->c + lanes - 1) / lanes * n_tiles + 1) * lanes;
}

static inline size_t
mien_winograd_m_step (int group, int lanes, int n_tiles)
{
  return ((size_t) group * n_tiles + 1) * lanes;
}

void mien_winograd_kernels_init (MienWinogradKernels *self, MienCpuLevel cpu);      /* f32 */
void mien_winograd_kernels_init_bf16 (MienWinogradKernels *self, MienCpuLevel cpu); /* activations in bfloat16, all else f32 */
