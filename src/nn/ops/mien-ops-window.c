/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mien-config.h"

#include "nn/ops/mien-ops-window.h"

enum { MAX_EXTENT = 1 << 24 };

gboolean
mien_window_read_ints (MienOpCtx *ctx, const char *name, int n, gint64 fallback, gint64 min, gint64 *values, GError **error)
{
  gsize found;
  const gint64 *list = mien_node_ints (ctx->node, name, &found);

  if (list != NULL && found != (gsize) n)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "attribute %s has %d numbers instead of %d", name, (int) found, n);
  for (int i = 0; i < n; i++) {
    values[i] = list != NULL ? list[i] : fallback;
    if (values[i] < min || values[i] > MAX_EXTENT)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "attribute %s has the impossible value %ld", name, (long) values[i]);
  }
  return TRUE;
}

static gboolean
read_sizes (MienOpCtx *ctx, const MienTensor *x, MienWindow *self, GError **error)
{
  gint64 total = 1;

  for (int d = 0; d < self->n_dims; d++) {
    const gint64 extent = x->shape.dim[2 + d];
    if (extent < 1 || extent > MAX_EXTENT || (total *= extent) > G_MAXINT32 / 4)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the input is empty or too large in dimension %d", 2 + d);
    self->in[MIEN_WINDOW_DIMS - self->n_dims + d] = (int) extent;
  }
  return TRUE;
}

/* TensorFlow's SAME: as many outputs as input / stride, the odd pixel of padding at the end (UPPER) or the beginning (LOWER). */
static void
pad_same (MienWindow *self, int d, gboolean lower)
{
  const int span = (self->kernel[d] - 1) * self->dilation[d] + 1;
  const int out = (self->in[d] + self->stride[d] - 1) / self->stride[d];
  const int pad = MAX (0, (out - 1) * self->stride[d] + span - self->in[d]);

  self->pad_begin[d] = lower ? pad - pad / 2 : pad / 2;
  self->pad_end[d] = pad - self->pad_begin[d];
}

gboolean
mien_window_read (MienOpCtx *ctx, const MienTensor *x, const gint64 *kernel, MienWindow *self, GError **error)
{
  const int n = x->shape.rank - 2, first = MIEN_WINDOW_DIMS - n;
  const char *auto_pad = mien_node_string (ctx->node, "auto_pad", "NOTSET");
  const gboolean same = g_str_has_prefix (auto_pad, "SAME_"), lower = g_str_equal (auto_pad, "SAME_LOWER");
  const gboolean ceil_mode = mien_node_int (ctx->node, "ceil_mode", 0) != 0;
  gint64 kernel_shape[MIEN_WINDOW_DIMS], strides[MIEN_WINDOW_DIMS], dilations[MIEN_WINDOW_DIMS], pads[2 * MIEN_WINDOW_DIMS];
  gint64 padded = 1;

  if (n < 1 || n > MIEN_WINDOW_DIMS)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "%d spatial dimensions; this program has 1 to 3", n);
  *self = (MienWindow) { .n_dims = n };
  for (int d = 0; d < MIEN_WINDOW_DIMS; d++)
    self->in[d] = self->out[d] = self->kernel[d] = self->stride[d] = self->dilation[d] = 1;
  if (!read_sizes (ctx, x, self, error) || !mien_window_read_ints (ctx, "kernel_shape", n, kernel != NULL ? 1 : 0, 1, kernel_shape, error) ||
      !mien_window_read_ints (ctx, "strides", n, 1, 1, strides, error) ||
      !mien_window_read_ints (ctx, "dilations", n, 1, 1, dilations, error) || !mien_window_read_ints (ctx, "pads", 2 * n, 0, 0, pads, error))
    return FALSE;
  for (int i = 0; i < n; i++) {
    const int d = first + i;
    if (kernel != NULL && mien_node_attr (ctx->node, "kernel_shape") != NULL && kernel_shape[i] != kernel[i])
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "kernel_shape and the weights' shape are not the same");
    const gint64 extent = kernel != NULL ? kernel[i] : kernel_shape[i];
    if (extent < 1 || (extent - 1) * dilations[i] + 1 > MAX_EXTENT)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the kernel is empty or too large");
    self->kernel[d] = (int) extent;
    self->stride[d] = (int) strides[i];
    self->dilation[d] = (int) dilations[i];
    self->pad_begin[d] = (int) pads[i];
    self->pad_end[d] = (int) pads[n + i];
    if (same)
      pad_same (self, d, lower);
    else if (g_str_equal (auto_pad, "VALID"))
      self->pad_begin[d] = self->pad_end[d] = 0;
    const gint64 span = (gint64) (self->kernel[d] - 1) * self->dilation[d] + 1;
    const gint64 room = (gint64) self->in[d] + self->pad_begin[d] + self->pad_end[d] - span;
    if (room < 0)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the kernel (%ld) is larger than the padded input (%ld)", (long) span, (long) (room + span));
    self->out[d] = (int) (room / self->stride[d] + 1);
    /* Rounded up, but a window that would begin in the padding behind the input does not count. */
    if (ceil_mode && !same && room % self->stride[d] != 0 && (gint64) self->out[d] * self->stride[d] < (gint64) self->in[d] + self->pad_begin[d])
      self->out[d]++;
    padded *= (gint64) self->in[d] + self->pad_begin[d] + self->pad_end[d];
    if (padded > G_MAXINT32 / 4)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the padded input is too large");
  }
  return TRUE;
}

MienShape
mien_window_shape (const MienWindow *self, gint64 n, gint64 c)
{
  MienShape shape = { .rank = 2 + self->n_dims, .dim = { n, c } };

  for (int d = 0; d < self->n_dims; d++)
    shape.dim[2 + d] = self->out[MIEN_WINDOW_DIMS - self->n_dims + d];
  return shape;
}
