/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolution, f32, as matrix products over panels of pixels.
 *
 *   y[n][k][p][q] = clamp (bias[k] + sum over c, r, s of w[k][c][r][s] * x[n][c][p * stride_h + r * dilation_h - pad_top][likewise q, s])
 *
 * Shapes   x[N][C][H][W], w[K][C / groups][R][S], y[N][K][P][Q]; pixels outside x are 0. With inflate_h, inflate_w > 1, x is read
 *          as if that many minus one zeros stood between its rows and columns: transposed convolution and the data
 *          gradient of strided convolution.
 * Method   panels of nr output pixels are gathered into [C * R * S][nr] in cache and multiplied with packed weights; the weight
 *          gradient reads padded x in place and y's gradient transposed
 * Memory   no allocation: scratch is the caller's, mien_conv_scratch() bytes, 64-byte aligned; arrays do not overlap
 * Errors   none: the shape is the caller's promise (mien_conv_shape_is_valid() is what it promises)
 * Thread   pure; the caller's pool shares the work
 * Source   ONNX operators Conv (opset 11), ConvTranspose (opset 11) */
#pragma once

#include "kernels/mien-gemm.h"

typedef struct {
  int n, c, h, w;
  int k, p, q;
  int r, s;
  int groups;
  int stride_h, stride_w;
  int dilation_h, dilation_w;
  int pad_top, pad_left; /* may be negative: the window starts inside x */
  int inflate_h, inflate_w;
} MienConvShape;

bool mien_conv_shape_is_valid (const MienConvShape *self);

/* Weights as the tiles want them: [groups][K / groups / mr][C / groups * R * S][mr]. */
size_t mien_conv_packed_size (const MienGemmKernels *gemm, const MienConvShape *self); /* floats */
void mien_conv_pack (const MienGemmKernels *gemm, const MienConvShape *self, const float *w, float *packed);

/* The same from the weights w[C'][K' / groups][R][S] of the convolution whose data gradient (or transpose) self computes: in and out
 * channels exchanged, kernel turned by 180 degrees. */
void mien_conv_pack_transposed (const MienGemmKernels *gemm, const MienConvShape *self, const float *w, float *packed);

size_t mien_conv_scratch (const MienGemmKernels *gemm, const MienConvShape *self, int n_threads);

void mien_conv_f32 (const MienGemmKernels *gemm, const MienConvShape *self, const float *x, const float *packed, const float *bias,
                    float lo, float hi, float *y, void *scratch, MienThreads *threads);

/* dw[K][C / groups][R][S] and (unless NULL) db[K], overwritten. inflate must be 1. */
size_t mien_conv_grad_w_scratch (const MienGemmKernels *gemm, const MienConvShape *self, int n_threads);
void mien_conv_grad_w_f32 (const MienGemmKernels *gemm, const MienConvShape *self, const float *x, const float *dy, float *dw, float *db,
                           void *scratch, MienThreads *threads);

/* The shape whose forward pass is the data gradient of self: x and y change places. */
MienConvShape mien_conv_grad_x_shape (const MienConvShape *self);
