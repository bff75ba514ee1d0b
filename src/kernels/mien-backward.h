/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What training needs on blocked tensors (mien-blocked.h) besides the forward kernels: normalisation by the batch, and gradients.
 * All tensors of one picture size here have the same halo, of zeros; whoever writes a tensor writes its halo too.
 *
 * Norm     y = max (x * scale + shift + residual, lo), scale and shift by channel
 *          dz = dy where y > lo (rectified), else dy;  dx = dz * a + x * b + c by channel;  dresidual = dz
 * Moments  sums by channel, [2][C rounded up to lanes] doubles, added to: of x and x^2, or of dz and dz * (x - mean)
 * Conv     dw of mien_blocked_pack_conv()'s layout, f32 also for bfloat16 tensors (on tiles [K / lanes][C / lanes][R][S][lanes of K][lanes of C]):
 *          dw[k][c][r][s] = sum over n, p, q of dy[k][p][q] * x[c][p * stride + r * dilation - pad][likewise]; stem: the same with x plain
 *          f32, layout of mien_blocked_pack_stem()
 *          dx is a convolution of dy with weights of mien_blocked_pack_conv_flipped(); with a stride, woven from several
 * Pool     maximum of 2 x 2: dy goes to the first pixel that equals the maximum
 *
 * Memory   arrays do not overlap; scratch: mien_backward_scratch() bytes, 64-byte aligned, one for each thread
 * Thread   pure; functions work on the pictures first .. end - 1, so that a caller can share them out
 * Source   Ioffe and Szegedy, "Batch Normalization", 2015 */
#pragma once

#include "kernels/mien-blocked.h"

typedef struct {
  int n, c, h, w, halo;
} MienPlanes;

typedef struct {
  const void *x;
  const void *residual; /* or NULL */
  const float *scale, *shift;
  float lo;
  void *y;
} MienNormArgs;

typedef struct {
  const void *x;
  const void *y;              /* for rectified with a residual, else NULL: its sign is found from x */
  const void *dy;
  const float *scale, *shift; /* as forward; for rectified */
  const float *mean;          /* for moments */
  const float *a, *b, *c;
  bool rectified;             /* lo was 0 */
  void *dx;
  void *dresidual;            /* or NULL */
} MienNormGradArgs;

typedef struct {
  int lanes; /* 0: this level has none */
  bool bf16;
  void (*moments) (const MienPlanes *planes, const void *x, int first, int end, double *sums);
  void (*normalise) (const MienPlanes *planes, const MienNormArgs *args, int first, int end);
  void (*grad_moments) (const MienPlanes *planes, const MienNormGradArgs *args, int first, int end, double *sums);
  void (*norm_grad) (const MienPlanes *planes, const MienNormGradArgs *args, int first, int end);
  void (*add) (const MienPlanes *planes, const void *a, const void *b, void *y, int first, int end);
  /* planes of x; rectified: dy counts only where x is above 0 */
  void (*max_pool_grad) (const MienPlanes *planes, const void *x, const void *dy, bool rectified, void *dx, int first, int end);
  void (*average_grad) (const MienPlanes *planes, const float *dy, void *dx, int first, int end);                /* dy[N][C], of means over planes */
  /* One picture: y[i][j] = phases[i % stride * stride + j % stride][i / stride][j / stride] + residual[i][j]. Phases are as large as their part of
   * planes, with a halo of their own; NULL: 0. */
  void (*weave) (const MienPlanes *planes, int stride, int phase_halo, const void *const *phases, const void *residual, void *y);
  void (*conv_grad) (const MienBlockedShape *shape, const void *x, const void *dy, int first, int end, void *scratch, float *dw); /* adds */
  void (*stem_grad) (const MienBlockedShape *shape, const float *x, const void *dy, int first, int end, float *dw);              /* adds */
  size_t (*tile_scratch) (const MienBlockedShape *shape); /* of conv_grad on tiles; NULL: it is not on tiles */
} MienBackwardKernels;

/* Of conv_grad, for one thread. */
size_t mien_backward_scratch (const MienBackwardKernels *self, const MienBlockedShape *shape);

/* The sum of n_parts packed gradients, part_size floats apart, as plain dw[K][C][R][S]. */
void mien_backward_unpack_conv (const MienBackwardKernels *self, const MienBlockedKernels *blocked, const MienBlockedShape *shape, const float *parts,
                                int n_parts, size_t part_size, float *dw);
void mien_backward_unpack_stem (const MienBlockedKernels *blocked, const MienBlockedShape *shape, const float *parts, int n_parts, size_t part_size, float *dw);

void mien_backward_kernels_init (MienBackwardKernels *self, MienCpuLevel cpu);      /* f32 */
void mien_backward_kernels_init_bf16 (MienBackwardKernels *self, MienCpuLevel cpu); /* lanes 0 below level bf16 */
void mien_backward_kernels_init_widened (MienBackwardKernels *self, MienCpuLevel cpu); /* as mien_blocked_kernels_init_widened() */

/* For the tensors of mien_blocked_kernels_init_tiles(); lanes 0 below level amx. */
void mien_backward_kernels_init_tiles (MienBackwardKernels *self, MienCpuLevel cpu);

/* Whether conv_grad of two levels gives the same answers, to the last bit, for a few small gradients of whole numbers; false without memory, too.
 * Like mien_blocked_agree(), for mien_cpu_detect(). */
bool mien_backward_agree (const MienBlockedKernels *blocked_a, const MienBackwardKernels *a, const MienBlockedKernels *blocked_b, const MienBackwardKernels *b);
