/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layers that look at a picture through windows: convolutions, pooling, padding. */
#include "mien-config.h"

#include "keras/mien-keras-step.h"

#include <glib/gi18n-lib.h>
#include <string.h>

enum { MAX_WINDOW = 1024, MAX_PADDING = 1024 };

/* y[k][c][r][s] = x[r][s][c][k], or for a depthwise kernel y[c * M + m][0][r][s] = x[r][s][c][m]. */
static MienTensor *
turn_kernel (const MienTensor *x, gboolean depthwise, GError **error)
{
  const gint64 *d = x->shape.dim;
  const gint64 n_taps = d[0] * d[1], n_in = d[2], n_out = d[3];
  const MienShape shape = depthwise ? mien_shape (4, (int) (n_in * n_out), 1, (int) d[0], (int) d[1])
                                    : mien_shape (4, (int) n_out, (int) n_in, (int) d[0], (int) d[1]);
  MienTensor *y = mien_tensor_try_new (MIEN_F32, &shape, error);
  const float *from = mien_tensor_f32 (x);
  float *to = y != NULL ? mien_tensor_f32 (y) : NULL;

  if (y == NULL)
    return NULL;

  for (gint64 t = 0; t < n_taps; t++)
    for (gint64 c = 0; c < n_in; c++)
      for (gint64 k = 0; k < n_out; k++, from++)
        to[depthwise ? (c * n_out + k) * n_taps + t : (k * n_in + c) * n_taps + t] = *from;
  return y;
}

/* Windows over one side: pads before and behind as TensorFlow lays them, and what comes out. */
static gboolean
lay_windows (const MienKerasStep *self, gboolean same, int side, int window, int stride, int dilation, gint64 *before, gint64 *behind, int *out, GError **error)
{
  const int reach = (window - 1) * dilation + 1; /* at most 1024 * 1024 */

  *before = *behind = 0;
  if (same) {
    const int pads = MAX (((side + stride - 1) / stride - 1) * stride + reach - side, 0);

    *out = (side + stride - 1) / stride;
    *before = pads / 2;
    *behind = pads - pads / 2; /* the odd one comes last */
    return TRUE;
  }
  *out = (side - reach) / stride + 1;
  return side >= reach || mien_file_fail (error, MIEN_NN_ERROR_SHAPE, _("%s: its window of %d pixels is larger than the picture of %d that it gets"),
                                           self->layer->shown, reach, side);
}

typedef struct {
  int window[2], strides[2], dilation[2];
  gint64 pads[4]; /* ONNX: top, left, bottom, right */
  int height, width;
} Windows;

static gboolean
read_windows (const MienKerasStep *self, const char *key, int fallback, Windows *w, GError **error)
{
  const MienKerasLayer *layer = self->layer;
  const gboolean pool = strcmp (key, "pool_size") == 0;
  const char *padding = mien_keras_get_string (layer, "padding", mien_keras_get_string (layer, "border_mode", "valid"));
  const gboolean same = strcmp (padding, "same") == 0;

  if (self->now.rank != 3)
    return mien_keras_step_fail (self, _("a layer for pictures behind numbers in a row"), error);
  if (!same && strcmp (padding, "valid") != 0)
    return mien_keras_step_fail (self, padding, error);
  if (!mien_keras_get_pair (layer, key, 1, MAX_WINDOW, fallback, w->window, error) ||
      !mien_keras_get_pair (layer, "dilation_rate", 1, MAX_WINDOW, 1, w->dilation, error))
    return FALSE;
  /* a pool's strides are its window unless said */
  if (pool && mien_keras_get_node (layer->config, "strides") == NULL)
    memcpy (w->strides, w->window, sizeof w->strides);
  else if (!mien_keras_get_pair (layer, "strides", 1, MAX_WINDOW, 1, w->strides, error))
    return FALSE;
  return lay_windows (self, same, self->now.height, w->window[0], w->strides[0], w->dilation[0], &w->pads[0], &w->pads[2], &w->height, error) &&
         lay_windows (self, same, self->now.width, w->window[1], w->strides[1], w->dilation[1], &w->pads[1], &w->pads[3], &w->width, error);
}

static void
set_windows (MienNode *node, const Windows *w, gboolean dilation)
{
  const gint64 window[] = { w->window[0], w->window[1] }, strides[] = { w->strides[0], w->strides[1] };
  const gint64 dilations[] = { w->dilation[0], w->dilation[1] };

  mien_node_set_ints (node, "kernel_shape", window, 2);
  mien_node_set_ints (node, "strides", strides, 2);
  mien_node_set_ints (node, "pads", w->pads, 4);
  if (dilation)
    mien_node_set_ints (node, "dilations", dilations, 2);
}

/* Convolution with what is at hand, without activation. groups 0: depthwise. */
static gboolean
append_conv (MienKerasStep *self, MienTensor *kernel, const Windows *w, int n_out, int groups, const char *bias, const char *suffix, GError **error)
{
  const gboolean depthwise = groups == 0;
  g_autoptr (MienTensor) owned = kernel;
  g_autofree char *name = g_strconcat ("kernel", suffix, NULL);
  MienTensor *turned = turn_kernel (kernel, depthwise, error);
  int extra[2], n_extra = 1;

  if (turned == NULL)
    return FALSE;
  extra[0] = mien_keras_step_add_constant (self, name, turned);
  if (bias != NULL) {
    extra[n_extra++] = mien_keras_step_add_vector (self, bias, n_out, error);
    if (extra[1] < 0)
      return FALSE;
  }
  MienNode *node = mien_keras_step_append (self, "Conv", suffix, extra, n_extra);
  set_windows (node, w, TRUE);
  mien_node_set_int (node, "group", depthwise ? self->now.channels : groups);
  self->now.channels = n_out;
  self->now.height = w->height;
  self->now.width = w->width;
  return TRUE;
}

gboolean
mien_keras_add_conv (MienKerasStep *self, GError **error)
{
  const char *bias = mien_keras_get_bool (self->layer, "use_bias", TRUE) ? "bias" : NULL;
  int filters, groups;
  Windows w;
  MienTensor *kernel;

  if (!read_windows (self, "kernel_size", 0, &w, error) || !mien_keras_get_int (self->layer, "filters", 1, MIEN_KERAS_MAX_UNITS, 0, &filters, error) ||
      !mien_keras_get_int (self->layer, "groups", 1, MIEN_KERAS_MAX_UNITS, 1, &groups, error))
    return FALSE;
  if (self->now.channels % groups != 0 || filters % groups != 0)
    return mien_keras_step_fail (self, _("a number of groups that does not divide the channels"), error);
  kernel = mien_keras_step_read_weight (self, "kernel", NULL, mien_shape (4, w.window[0], w.window[1], self->now.channels / groups, filters), error);
  return kernel != NULL && append_conv (self, kernel, &w, filters, groups, bias, "", error) && mien_keras_step_activate_own (self, error);
}

/* pointwise: a 1x1 convolution follows (SeparableConv2D). */
static gboolean
add_depthwise (MienKerasStep *self, gboolean pointwise, GError **error)
{
  const char *bias = mien_keras_get_bool (self->layer, "use_bias", TRUE) ? "bias" : NULL;
  Windows w, one = { .window = { 1, 1 }, .strides = { 1, 1 }, .dilation = { 1, 1 } };
  int multiplier, filters = 0, middle;
  MienTensor *kernel;

  if (!read_windows (self, "kernel_size", 0, &w, error) || !mien_keras_get_int (self->layer, "depth_multiplier", 1, 64, 1, &multiplier, error) ||
      (pointwise && !mien_keras_get_int (self->layer, "filters", 1, MIEN_KERAS_MAX_UNITS, 0, &filters, error)))
    return FALSE;
  if (self->now.channels > MIEN_KERAS_MAX_UNITS / multiplier)
    return mien_keras_step_fail (self, _("so many channels"), error);
  middle = self->now.channels * multiplier;
  kernel = mien_keras_step_read_weight (self, "depthwise_kernel", pointwise ? NULL : "kernel", mien_shape (4, w.window[0], w.window[1], self->now.channels, multiplier), error);
  if (kernel == NULL || !append_conv (self, kernel, &w, middle, 0, pointwise ? NULL : bias, pointwise ? ".depthwise" : "", error))
    return FALSE;
  if (pointwise) {
    one.height = self->now.height;
    one.width = self->now.width;
    kernel = mien_keras_step_read_weight (self, "pointwise_kernel", NULL, mien_shape (4, 1, 1, middle, filters), error);
    if (kernel == NULL || !append_conv (self, kernel, &one, filters, 1, bias, "", error))
      return FALSE;
  }
  return mien_keras_step_activate_own (self, error);
}

gboolean
mien_keras_add_depthwise_conv (MienKerasStep *self, GError **error)
{
  return add_depthwise (self, FALSE, error);
}

gboolean
mien_keras_add_separable_conv (MienKerasStep *self, GError **error)
{
  return add_depthwise (self, TRUE, error);
}

static gboolean
add_pool (MienKerasStep *self, const char *op, GError **error)
{
  Windows w;

  if (!read_windows (self, "pool_size", 2, &w, error))
    return FALSE;
  set_windows (mien_keras_step_append (self, op, "", NULL, 0), &w, FALSE); /* AveragePool leaves the padding out of its count, as TensorFlow does */
  self->now.height = w.height;
  self->now.width = w.width;
  return TRUE;
}

gboolean
mien_keras_add_max_pooling (MienKerasStep *self, GError **error)
{
  return add_pool (self, "MaxPool", error);
}

gboolean
mien_keras_add_average_pooling (MienKerasStep *self, GError **error)
{
  return add_pool (self, "AveragePool", error);
}

/* padding: 1, [1, 2] or [[1, 2], [3, 4]] (top, bottom; left, right). */
gboolean
mien_keras_add_zero_padding (MienKerasStep *self, GError **error)
{
  JsonNode *node = mien_keras_get_node (self->layer->config, "padding");
  int sides[4] = { 1, 1, 1, 1 }; /* top, left, bottom, right */

  if (self->now.rank != 3)
    return mien_keras_step_fail (self, _("a layer for pictures behind numbers in a row"), error);
  if (node != NULL && JSON_NODE_HOLDS_ARRAY (node) && json_array_get_length (json_node_get_array (node)) == 2 &&
      JSON_NODE_HOLDS_ARRAY (json_array_get_element (json_node_get_array (node), 0))) {
    for (int i = 0; i < 2; i++) {
      g_autoptr (JsonObject) one = json_object_new ();
      MienKerasLayer part = *self->layer;
      int pair[2];

      json_object_set_member (one, "padding", json_node_copy (json_array_get_element (json_node_get_array (node), i)));
      part.config = one;
      if (!mien_keras_get_pair (&part, "padding", 0, MAX_PADDING, -1, pair, error))
        return FALSE;
      sides[i] = pair[0];
      sides[i + 2] = pair[1];
    }
  } else {
    if (!mien_keras_get_pair (self->layer, "padding", 0, MAX_PADDING, 1, sides, error))
      return FALSE;
    sides[2] = sides[0];
    sides[3] = sides[1];
  }
  const gint64 pads[8] = { 0, 0, sides[0], sides[1], 0, 0, sides[2], sides[3] };
  const int extra = mien_keras_step_add_constant (self, "pads", mien_tensor_new_i64 (pads, 8));
  mien_keras_step_append (self, "Pad", "", &extra, 1);
  self->now.height += sides[0] + sides[2];
  self->now.width += sides[1] + sides[3];
  return TRUE;
}
