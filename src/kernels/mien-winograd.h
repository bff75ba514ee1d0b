/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Winograd convolution on blocked tensors (mien-blocked.h): 3 x 3 windows, stride 1, no dilation, every channel with every channel.
 *
 * A tile of m x n results takes (m + 2) x (n + 2) products a pair of channels instead of 9 m x n:
 *
 *   y tile = A^T [sum over c of (G w[k][c] G^T) * (B^T x tile[c] B)] A        * element by element
 *
 * so that a layer is three steps: tiles of x are transformed to V, one matrix product for each of the (m + 2) x (n + 2) parts with the transformed
 * weights U gives M, and M is transformed to y, together with bias, residual and clamp. Tiles go through in blocks whose V stays in cache.
 *
 *   V[parts][C / lanes][tiles][lanes]     M[parts][tiles][group * lanes]     U[K / (group * lanes)][parts][C][group * lanes]
 *
 * bfloat16 where activations are, V and U may be, too (pairs): products are twice as fast, M and sums stay f32. Pairs of channels lie together:
 *          U[..][C / 2][group * lanes][2]. A result is then wrong by 1.5 (2 x 2), 2.5 (2 x 4) or 4.5 times (4 x 4) as much as with the direct
 *          kernel on bfloat16, whose own error is small beside that of rounding activations
 * narrow   U alone may be bfloat16, laid out likewise, where activations are f32: with few pictures wide layers are bound by reading it. It is widened as
 *          it is multiplied
 * Points   2: 0, +-1. 4: 0, +-1/sqrt 2, +-sqrt 2, whose matrices have smaller entries than those of 0, +-1, +-2: less is rounded away
 * Pool     with pool set, and no residual, only the largest of each 2 x 2 results is stored: a tile has whole ones
 * Memory   as Conv of mien-blocked.h; scratch is the caller's, mien_winograd_scratch() bytes, 64-byte aligned: mien_winograd_step() for each thread
 * Errors   none: the caller asks mien_winograd_choose() first
 * Thread   several threads share a layer; results do not depend on how many
 * Source   Lavin and Gray 2016, Fast algorithms for convolutional neural networks (arXiv 1509.09308) */
#pragma once

#include "kernels/mien-blocked.h"
#include "kernels/mien-threads.h"

typedef struct {
  int rows, columns; /* of a tile of results: 2 x 2 or 4 x 4, with bf16 also 2 x 4; 0: the direct kernel is faster, or the shape is another one */
  bool narrow;       /* U is bfloat16 */
  bool bf16;         /* and so is V */
} MienWinogradKind;

/* Some tiles of a layer, and where their V and M lie. */
typedef struct {
  const MienBlockedShape *shape;
  const MienBlockedArgs *args; /* w: U */
  MienWinogradKind kind;
  int tile, n_tiles; /* the first one, numbered [n][tile row][tile column] */
  void *v;
  float *products;
} MienWinogradBlock;

/* Where the filters are: w[k * k_step + c * c_step] is the first of nine floats. */
typedef struct {
  const float *w;
  ptrdiff_t k_step, c_step;
  bool flipped; /* the nine from the last one to the first: for gradients */
} MienWinogradFilters;

/* U of groups of output channels first .. end - 1. */
typedef void (*MienWinogradWeightsFn) (const MienBlockedShape *shape, MienWinogradKind kind, const MienWinogradFilters *filters, void *packed, int first, int end);

/* Steps of a block: inputs writes V of blocks of input channels first .. end - 1; outputs computes M and y of groups of output
 * channels first .. end - 1. */
typedef void (*MienWinogradFn) (const MienWinogradBlock *block, int first, int end);

/* Some tiles of size x size of the gradient by weights: V[parts][C / lanes][tiles][lanes] of x, Z[parts][K / lanes][tiles][lanes] of dy, in bfloat16 (pairs) two tiles
 * together: [tiles / 2][lanes][2]. M[parts][C / (2 lanes)][K][2 lanes], C and K rounded up. */
typedef struct {
  const MienBlockedShape *shape;
  const void *x, *dy;
  int size, tile, n_tiles;
  bool add; /* to what M holds */
  void *v, *z;
  float *m;
} MienWinogradGradBlock;

/* V and Z of the block; their products in M; and for filters first .. end - 1 plain dw of the sum of the threads' M, thread_step floats apart. */
typedef void (*MienWinogradGradFn) (const MienWinogradGradBlock *block);
typedef void (*MienWinogradGradWeightsFn) (const MienBlockedShape *shape, int size, const float *m, int n_threads, ptrdiff_t thread_step, float *dw, int first, int end);

typedef struct {
  int lanes; /* 0: this level has none */
  int group; /* blocks of output channels that are computed together; the last group may have fewer */
  bool bf16;  /* activations are bfloat16 */
  bool pairs; /* and products of V and U, Z may be; else they are f32 */
  MienWinogradWeightsFn weights;
  MienWinogradFn inputs, outputs;
  MienWinogradGradFn grad_tiles, grad_products;
  MienWinogradGradWeightsFn grad_weights;
} MienWinogradKernels;

/* How this layer is fastest. Depends on the shape alone. narrow: weights may be rounded to bfloat16 even if activations are f32. */
MienWinogradKind mien_winograd_choose (const MienWinogradKernels *self, const MienBlockedShape *shape, bool narrow);

/* So many bytes behind U may be fetched into caches, though not read. */
enum { MIEN_WINOGRAD_AHEAD = 16384 };

/* Bytes of U, and computing it from w[K][C][3][3], or for the gradient: from w[C][K][3][3], flipped. */
size_t mien_winograd_size (const MienWinogradKernels *self, const MienBlockedShape *shape, MienWinogradKind kind);
void mien_winograd_pack (const MienWinogradKernels *self, const MienBlockedShape *shape, MienWinogradKind kind, const float *w, bool flipped, void *packed,
                         MienThreads *threads);

/* Filters first .. first + n - 1 of them, w[n][C][3][3]. first is a multiple of mien_winograd_group(), and so is n but for the last ones. */
int mien_winograd_group (const MienWinogradKernels *self); /* output channels */
void mien_winograd_pack_filters (const MienWinogradKernels *self, const MienBlockedShape *shape, MienWinogradKind kind, int first, int n, const float *w,
                                 void *packed);

/* Enough for n_threads and for fewer. step: from a thread's scratch to the next one's; where layers that follow each other have the same, what a thread
 * writes stays in its cache. */
size_t mien_winograd_step (const MienWinogradKernels *self, const MienBlockedShape *shape, MienWinogradKind kind, int n_threads);
size_t mien_winograd_scratch (const MienWinogradKernels *self, const MienBlockedShape *shape, MienWinogradKind kind, int n_threads);
void mien_winograd_run (const MienWinogradKernels *self, const MienBlockedShape *shape, MienWinogradKind kind, const MienBlockedArgs *args,
                        void *scratch, size_t step, MienThreads *threads);

/* The gradient by weights, of the forward shape: dw[K][C][3][3] = sum over n, p, q of dy[k][p][q] * x[c][p + r - pad][likewise]. With tiles of m x m
 * results
 *
 *   dw = G^T [sum over tiles of (A dy tile A^T) * (B^T x tile B)] G
 *
 * takes (m + 2)^2 products instead of 9 m^2. V and Z are bfloat16 where the tensors are (pairs): rounding is noise of mean 0 here, which the sum over all tiles
 * evens out, so that 4 x 4 serves as well.
 * mien_winograd_grad_tile() is the faster m, 2 or 4; 0: sums without tiles are faster, or the shape is another one.
 * dw depends on the number of threads: each adds up its own pictures. scratch: 64-byte aligned. */
int mien_winograd_grad_tile (const MienWinogradKernels *self, const MienBlockedShape *shape);
size_t mien_winograd_grad_scratch (const MienWinogradKernels *self, const MienBlockedShape *shape, int size, int n_threads);
void mien_winograd_grad (const MienWinogradKernels *self, const MienBlockedShape *shape, int size, const void *x, const void *dy, float *dw, void *scratch,
                         MienThreads *threads);

/* Elements from one of the parts of V and M to the next: a little more than they need, so that the parts of a tile do not all fall
 * into the same lines of a cache. */
static inline size_t
mien_winograd_v_step (const MienBlockedShape *shape, int lanes, int n_tiles)
{
  return ((size_t) (shape->c + lanes - 1) / lanes * n_tiles + 1) * lanes;
}

static inline size_t
mien_winograd_grad_part (int n_blocks, int n_steps) /* vectors */
{
  return (size_t) n_blocks * n_steps + 1;
}

static inline size_t
mien_winograd_m_step (int group, int lanes, int n_tiles)
{
  return ((size_t) group * n_tiles + 1) * lanes;
}

void mien_winograd_kernels_init (MienWinogradKernels *self, MienCpuLevel cpu);      /* f32 */
void mien_winograd_kernels_init_bf16 (MienWinogradKernels *self, MienCpuLevel cpu); /* activations in bfloat16; lanes 0 below level bf16 */
void mien_winograd_kernels_init_widened (MienWinogradKernels *self, MienCpuLevel cpu); /* the same with products in f32 */

/* G w for tiles of four results in one direction: kernels that do the rest themselves (Pair of mien-blocked.h). */
void mien_winograd_filter_4 (const float w[3], float u[6]);
