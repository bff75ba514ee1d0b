/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sliding window of convolutions and pools: attributes kernel_shape, strides, dilations, pads, auto_pad, ceil_mode.
 * One to three spatial dimensions; those that are missing stand in front with extent 1.
 * Source: ONNX Conv-11, MaxPool-12, AveragePool-11 */
#pragma once

#include "nn/mien-op.h"

G_BEGIN_DECLS

#define MIEN_WINDOW_DIMS 3

typedef struct {
  int n_dims; /* as in the model: 1 .. 3 */
  int in[MIEN_WINDOW_DIMS], out[MIEN_WINDOW_DIMS];
  int kernel[MIEN_WINDOW_DIMS], stride[MIEN_WINDOW_DIMS], dilation[MIEN_WINDOW_DIMS];
  int pad_begin[MIEN_WINDOW_DIMS], pad_end[MIEN_WINDOW_DIMS];
} MienWindow;

/* x: the input, shape known; kernel: from the weights' shape, or NULL to read kernel_shape. FALSE with error set when attributes
 * are impossible or sizes too large. */
gboolean mien_window_read (MienOpCtx *ctx, const MienTensor *x, const gint64 *kernel, MienWindow *self, GError **error);

/* N, C and the window's output sizes as a shape of the input's rank. */
MienShape mien_window_shape (const MienWindow *self, gint64 n, gint64 c);

/* The attribute as n ints, all of them at least min; the default everywhere when it is absent. */
gboolean mien_window_read_ints (MienOpCtx *ctx, const char *name, int n, gint64 fallback, gint64 min, gint64 *values, GError **error);

G_END_DECLS
