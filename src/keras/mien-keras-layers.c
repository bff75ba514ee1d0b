/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each kind of Keras layer becomes, and how its weights have to be turned. */
#include "mien-config.h"

#include "keras/mien-keras-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

enum { MAX_UNITS = 1 << 20, MAX_WINDOW = 1024, MAX_PADDING = 1024 };

typedef struct {
  MienKerasBuilder *builder;
  const MienKerasLayer *layer;
  const MienKerasTensor *inputs;
  int n_inputs;
  MienKerasTensor now; /* what has come out so far */
} Step;

static gboolean
fail_unsupported (const Step *self, const char *what, GError **error)
{
  return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("%s: %s is not supported"), self->layer->shown, what);
}

/* A node behind what there is; extra: further inputs. Returns it for its attributes. */
static MienNode *
append (Step *self, const char *op, const char *suffix, const int *extra, int n_extra)
{
  g_autofree char *name = g_strconcat (self->layer->name, suffix, NULL);
  int inputs[5] = { self->now.value };

  for (int i = 0; i < n_extra; i++)
    inputs[i + 1] = extra[i];
  self->now.value = mien_graph_op (self->builder->graph, "", op, name, inputs, n_extra + 1);
  return mien_graph_producer (self->builder->graph, self->now.value);
}

static int
add_constant (Step *self, const char *what, MienTensor *tensor)
{
  g_autofree char *name = g_strdup_printf ("%s.%s", self->layer->name, what);

  return mien_graph_add_constant (self->builder->graph, name, tensor);
}

static int
add_number (Step *self, const char *what, float value)
{
  const MienShape shape = { .rank = 0 };
  MienTensor *tensor = mien_tensor_new (MIEN_F32, &shape);

  *mien_tensor_f32 (tensor) = value;
  return add_constant (self, what, tensor);
}

/* The last part of "dense_1/kernel:0" without its number. */
static gboolean
is_weight (const char *path, const char *name)
{
  const char *base = strrchr (path, '/');
  const gsize n = strlen (name);

  base = base != NULL ? base + 1 : path;
  return strncmp (base, name, n) == 0 && (base[n] == '\0' || base[n] == ':');
}

/* The layer's weight of that name with exactly that shape; other: (nullable) what newer versions call it. */
static MienTensor *
read_weight (Step *self, const char *name, const char *other, MienShape shape, GError **error)
{
  const MienHdf5 *file = self->builder->file;
  const char *layer = self->layer->name;
  g_autoptr (GError) problem = NULL;
  g_autoptr (MienTensor) tensor = NULL;
  const int n = mien_hdf5_count_weights (file, layer, &problem);
  int found = -1;

  for (int i = 0; i < n && found < 0; i++) {
    const char *path = mien_hdf5_get_weight_name (file, layer, i);

    if (is_weight (path, name) || (other != NULL && is_weight (path, other)))
      found = i;
  }
  if (found >= 0)
    tensor = mien_hdf5_ref_weight (file, layer, found, &problem);
  if (problem != NULL) {
    g_propagate_prefixed_error (error, g_steal_pointer (&problem), "%s: %s: ", self->layer->shown, name);
    return NULL;
  }
  if (tensor == NULL) {
    mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("%s has no weight “%s” in the file; the file is incomplete or belongs to another model"), self->layer->shown, name);
    return NULL;
  }
  if (!mien_shape_equal (&tensor->shape, &shape)) {
    g_autofree char *got = mien_shape_to_string (&tensor->shape), *want = mien_shape_to_string (&shape);

    mien_file_fail (error, MIEN_NN_ERROR_SHAPE, _("%s: its weight “%s” is %s, but the description needs %s; the weights belong to another model"),
                     self->layer->shown, name, got, want);
    return NULL;
  }
  return g_steal_pointer (&tensor);
}

/* A weight of one dimension, as it is. -1 with error set. */
static int
add_vector (Step *self, const char *name, int n, GError **error)
{
  MienTensor *tensor = read_weight (self, name, NULL, mien_shape (1, n), error);

  return tensor != NULL ? add_constant (self, name, tensor) : -1;
}

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
lay_windows (const Step *self, gboolean same, int side, int window, int stride, int dilation, gint64 *before, gint64 *behind, int *out, GError **error)
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
read_windows (const Step *self, const char *key, int fallback, Windows *w, GError **error)
{
  const MienKerasLayer *layer = self->layer;
  const gboolean pool = strcmp (key, "pool_size") == 0;
  const char *padding = mien_keras_get_string (layer, "padding", mien_keras_get_string (layer, "border_mode", "valid"));
  const gboolean same = strcmp (padding, "same") == 0;

  if (self->now.rank != 3)
    return fail_unsupported (self, _("a layer for pictures behind numbers in a row"), error);
  if (!same && strcmp (padding, "valid") != 0)
    return fail_unsupported (self, padding, error);
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

static gboolean
append_activation (Step *self, const char *name, GError **error)
{
  static const struct {
    const char *keras, *onnx;
  } plain[] = {
    { "relu", "Relu" }, { "sigmoid", "Sigmoid" }, { "tanh", "Tanh" }, { "softplus", "Softplus" }, { "softsign", "Softsign" },
    { "elu", "Elu" }, { "selu", "Selu" }, { "exponential", "Exp" }, { "hard_sigmoid", "HardSigmoid" },
  };
  const int input = self->now.value;

  if (strcmp (name, "linear") == 0)
    return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (plain); i++) {
    if (strcmp (name, plain[i].keras) == 0) {
      append (self, plain[i].onnx, ".activation", NULL, 0);
      return TRUE;
    }
  }
  if (strcmp (name, "softmax") == 0) {
    if (self->now.rank != 1)
      return fail_unsupported (self, _("softmax over a picture"), error);
    mien_node_set_int (append (self, "Softmax", ".activation", NULL, 0), "axis", 1);
    return TRUE;
  }
  if (strcmp (name, "relu6") == 0) {
    const int limits[] = { add_number (self, "lo", 0), add_number (self, "hi", 6) };

    append (self, "Clip", ".activation", limits, 2);
    return TRUE;
  }
  if (strcmp (name, "swish") == 0 || strcmp (name, "silu") == 0) {
    append (self, "Sigmoid", ".sigmoid", NULL, 0);
    append (self, "Mul", ".activation", &input, 1);
    return TRUE;
  }
  g_autofree char *quoted = mien_graph_quote (name);
  g_autofree char *what = g_strdup_printf (_("the activation %s"), quoted);
  return fail_unsupported (self, what, error);
}

/* "relu", or since Keras 3 {"class_name": "function", "config": "relu"}. */
static gboolean
append_own_activation (Step *self, GError **error)
{
  JsonNode *node = mien_keras_get_node (self->layer->config, "activation");
  const char *name = node == NULL ? "linear" : NULL;

  if (node != NULL && JSON_NODE_HOLDS_OBJECT (node))
    node = mien_keras_get_node (json_node_get_object (node), "config");
  if (node != NULL && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING)
    name = json_node_get_string (node);
  return name != NULL ? append_activation (self, name, error) : fail_unsupported (self, _("its activation"), error);
}

/* Convolution with what is at hand, without activation. groups 0: depthwise. */
static gboolean
append_conv (Step *self, MienTensor *kernel, const Windows *w, int n_out, int groups, const char *bias, const char *suffix, GError **error)
{
  const gboolean depthwise = groups == 0;
  g_autoptr (MienTensor) owned = kernel;
  g_autofree char *name = g_strconcat ("kernel", suffix, NULL);
  MienTensor *turned = turn_kernel (kernel, depthwise, error);
  int extra[2], n_extra = 1;

  if (turned == NULL)
    return FALSE;
  extra[0] = add_constant (self, name, turned);
  if (bias != NULL) {
    extra[n_extra++] = add_vector (self, bias, n_out, error);
    if (extra[1] < 0)
      return FALSE;
  }
  MienNode *node = append (self, "Conv", suffix, extra, n_extra);
  set_windows (node, w, TRUE);
  mien_node_set_int (node, "group", depthwise ? self->now.channels : groups);
  self->now.channels = n_out;
  self->now.height = w->height;
  self->now.width = w->width;
  return TRUE;
}

static gboolean
add_conv (Step *self, GError **error)
{
  const char *bias = mien_keras_get_bool (self->layer, "use_bias", TRUE) ? "bias" : NULL;
  int filters, groups;
  Windows w;
  MienTensor *kernel;

  if (!read_windows (self, "kernel_size", 0, &w, error) || !mien_keras_get_int (self->layer, "filters", 1, MAX_UNITS, 0, &filters, error) ||
      !mien_keras_get_int (self->layer, "groups", 1, MAX_UNITS, 1, &groups, error))
    return FALSE;
  if (self->now.channels % groups != 0 || filters % groups != 0)
    return fail_unsupported (self, _("a number of groups that does not divide the channels"), error);
  kernel = read_weight (self, "kernel", NULL, mien_shape (4, w.window[0], w.window[1], self->now.channels / groups, filters), error);
  return kernel != NULL && append_conv (self, kernel, &w, filters, groups, bias, "", error) && append_own_activation (self, error);
}

/* pointwise: a 1x1 convolution follows (SeparableConv2D). */
static gboolean
add_depthwise (Step *self, gboolean pointwise, GError **error)
{
  const char *bias = mien_keras_get_bool (self->layer, "use_bias", TRUE) ? "bias" : NULL;
  Windows w, one = { .window = { 1, 1 }, .strides = { 1, 1 }, .dilation = { 1, 1 } };
  int multiplier, filters = 0, middle;
  MienTensor *kernel;

  if (!read_windows (self, "kernel_size", 0, &w, error) || !mien_keras_get_int (self->layer, "depth_multiplier", 1, 64, 1, &multiplier, error) ||
      (pointwise && !mien_keras_get_int (self->layer, "filters", 1, MAX_UNITS, 0, &filters, error)))
    return FALSE;
  if (self->now.channels > MAX_UNITS / multiplier)
    return fail_unsupported (self, _("so many channels"), error);
  middle = self->now.channels * multiplier;
  kernel = read_weight (self, "depthwise_kernel", pointwise ? NULL : "kernel", mien_shape (4, w.window[0], w.window[1], self->now.channels, multiplier), error);
  if (kernel == NULL || !append_conv (self, kernel, &w, middle, 0, pointwise ? NULL : bias, pointwise ? ".depthwise" : "", error))
    return FALSE;
  if (pointwise) {
    one.height = self->now.height;
    one.width = self->now.width;
    kernel = read_weight (self, "pointwise_kernel", NULL, mien_shape (4, 1, 1, middle, filters), error);
    if (kernel == NULL || !append_conv (self, kernel, &one, filters, 1, bias, "", error))
      return FALSE;
  }
  return append_own_activation (self, error);
}

static gboolean
add_conv2d (Step *self, GError **error)
{
  return add_conv (self, error);
}

static gboolean
add_depthwise_conv2d (Step *self, GError **error)
{
  return add_depthwise (self, FALSE, error);
}

static gboolean
add_separable_conv2d (Step *self, GError **error)
{
  return add_depthwise (self, TRUE, error);
}

static gboolean
add_dense (Step *self, GError **error)
{
  int extra[2], n_extra = 1, units;
  MienTensor *kernel;

  if (!mien_keras_get_int (self->layer, "units", 1, MAX_UNITS, 0, &units, error))
    return FALSE;
  if (self->now.rank != 1)
    return fail_unsupported (self, _("a dense layer over a picture, without Flatten or pooling in front,"), error);
  kernel = read_weight (self, "kernel", NULL, mien_shape (2, self->now.channels, units), error);
  if (kernel == NULL)
    return FALSE;
  extra[0] = add_constant (self, "kernel", kernel);
  if (mien_keras_get_bool (self->layer, "use_bias", TRUE)) {
    extra[n_extra++] = add_vector (self, "bias", units, error);
    if (extra[1] < 0)
      return FALSE;
  }
  append (self, "Gemm", "", extra, n_extra);
  self->now.channels = units;
  return append_own_activation (self, error);
}

/* Ones for a scale, zeros for a shift that the layer does without. */
static int
add_constant_vector (Step *self, const char *name, int n, float value)
{
  const MienShape shape = mien_shape (1, n);
  MienTensor *tensor = mien_tensor_new (MIEN_F32, &shape);

  for (int i = 0; i < n; i++)
    mien_tensor_f32 (tensor)[i] = value;
  return add_constant (self, name, tensor);
}

static gboolean
add_batch_normalization (Step *self, GError **error)
{
  JsonNode *axis_node = mien_keras_get_node (self->layer->config, "axis");
  const int n = self->now.channels, rank = self->now.rank;
  const int channel_axis = rank == 3 && self->builder->channels_first ? 1 : rank;
  double epsilon, axis;
  int extra[4];

  if (!mien_keras_get_float (self->layer, "epsilon", 1e-3, &epsilon, error) || !mien_keras_get_float (self->layer, "axis", -1, &axis, error))
    return FALSE;
  if (axis_node != NULL && axis != channel_axis && axis + rank + 1 != channel_axis)
    return fail_unsupported (self, _("normalisation over another axis than the channels"), error);
  /* the two that are always in the file come first: from here on n is no more than what the file holds */
  if ((extra[2] = add_vector (self, "moving_mean", n, error)) < 0 || (extra[3] = add_vector (self, "moving_variance", n, error)) < 0)
    return FALSE;
  extra[0] = mien_keras_get_bool (self->layer, "scale", TRUE) ? add_vector (self, "gamma", n, error) : add_constant_vector (self, "gamma", n, 1);
  if (extra[0] < 0)
    return FALSE;
  extra[1] = mien_keras_get_bool (self->layer, "center", TRUE) ? add_vector (self, "beta", n, error) : add_constant_vector (self, "beta", n, 0);
  if (extra[1] < 0)
    return FALSE;
  mien_node_set_float (append (self, "BatchNormalization", "", extra, 4), "epsilon", (float) epsilon);
  return TRUE;
}

static gboolean
add_pool (Step *self, const char *op, GError **error)
{
  Windows w;

  if (!read_windows (self, "pool_size", 2, &w, error))
    return FALSE;
  set_windows (append (self, op, "", NULL, 0), &w, FALSE); /* AveragePool leaves the padding out of its count, as TensorFlow does */
  self->now.height = w.height;
  self->now.width = w.width;
  return TRUE;
}

static gboolean
add_max_pooling (Step *self, GError **error)
{
  return add_pool (self, "MaxPool", error);
}

static gboolean
add_average_pooling (Step *self, GError **error)
{
  return add_pool (self, "AveragePool", error);
}

static gboolean
add_global_pooling (Step *self, const char *op, GError **error)
{
  if (self->now.rank != 3)
    return fail_unsupported (self, _("a layer for pictures behind numbers in a row"), error);
  append (self, op, "", NULL, 0);
  self->now.height = self->now.width = 1;
  if (!mien_keras_get_bool (self->layer, "keepdims", FALSE)) {
    append (self, "Flatten", ".flatten", NULL, 0);
    self->now.rank = 1;
  }
  return TRUE;
}

static gboolean
add_global_average_pooling (Step *self, GError **error)
{
  return add_global_pooling (self, "GlobalAveragePool", error);
}

static gboolean
add_global_max_pooling (Step *self, GError **error)
{
  return add_global_pooling (self, "GlobalMaxPool", error);
}

/* padding: 1, [1, 2] or [[1, 2], [3, 4]] (top, bottom; left, right). */
static gboolean
add_zero_padding (Step *self, GError **error)
{
  JsonNode *node = mien_keras_get_node (self->layer->config, "padding");
  int sides[4] = { 1, 1, 1, 1 }; /* top, left, bottom, right */

  if (self->now.rank != 3)
    return fail_unsupported (self, _("a layer for pictures behind numbers in a row"), error);
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
  const int extra = add_constant (self, "pads", mien_tensor_new_i64 (pads, 8));
  append (self, "Pad", "", &extra, 1);
  self->now.height += sides[0] + sides[2];
  self->now.width += sides[1] + sides[3];
  return TRUE;
}

/* Keras counts rows, columns, then channels. */
static gboolean
add_flatten (Step *self, GError **error)
{
  static const gint64 to_channels_last[] = { 0, 2, 3, 1 };

  if (self->now.rank == 1)
    return TRUE;
  if (!self->builder->channels_first && self->now.height * self->now.width > 1)
    mien_node_set_ints (append (self, "Transpose", ".to_channels_last", NULL, 0), "perm", to_channels_last, 4);
  append (self, "Flatten", "", NULL, 0);
  if ((gint64) self->now.channels * self->now.height * self->now.width > G_MAXINT32)
    return fail_unsupported (self, _("so large a picture"), error);
  self->now.channels *= self->now.height * self->now.width;
  self->now.rank = 1;
  return TRUE;
}

static gboolean
add_activation (Step *self, GError **error)
{
  return append_own_activation (self, error);
}

static gboolean
add_softmax (Step *self, GError **error)
{
  return append_activation (self, "softmax", error);
}

static gboolean
add_relu (Step *self, GError **error)
{
  double max, slope, threshold;

  if (!mien_keras_get_float (self->layer, "max_value", -1, &max, error) || !mien_keras_get_float (self->layer, "negative_slope", 0, &slope, error) ||
      !mien_keras_get_float (self->layer, "threshold", 0, &threshold, error))
    return FALSE;
  if (threshold != 0 || (slope != 0 && max >= 0))
    return fail_unsupported (self, _("a threshold, or a slope together with a maximum,"), error);
  if (max >= 0) {
    const int limits[] = { add_number (self, "lo", 0), add_number (self, "hi", (float) max) };

    append (self, "Clip", "", limits, 2);
  } else if (slope != 0) {
    mien_node_set_float (append (self, "LeakyRelu", "", NULL, 0), "alpha", (float) slope);
  } else {
    append (self, "Relu", "", NULL, 0);
  }
  return TRUE;
}

static gboolean
add_leaky_relu (Step *self, GError **error)
{
  double alpha;

  if (!mien_keras_get_float (self->layer, "negative_slope", 0.3, &alpha, error) || !mien_keras_get_float (self->layer, "alpha", alpha, &alpha, error))
    return FALSE;
  mien_node_set_float (append (self, "LeakyRelu", "", NULL, 0), "alpha", (float) alpha);
  return TRUE;
}

static gboolean
add_elu (Step *self, GError **error)
{
  double alpha;

  if (!mien_keras_get_float (self->layer, "alpha", 1, &alpha, error))
    return FALSE;
  mien_node_set_float (append (self, "Elu", "", NULL, 0), "alpha", (float) alpha);
  return TRUE;
}

static gboolean
add_rescaling (Step *self, GError **error)
{
  double scale, offset;
  int extra;

  if (!mien_keras_get_float (self->layer, "scale", 1, &scale, error) || !mien_keras_get_float (self->layer, "offset", 0, &offset, error))
    return FALSE;
  extra = add_number (self, "scale", (float) scale);
  append (self, "Mul", ".scale", &extra, 1);
  extra = add_number (self, "offset", (float) offset);
  append (self, "Add", "", &extra, 1);
  return TRUE;
}

static gboolean
add_merge (Step *self, GError **error)
{
  static const struct {
    const char *keras, *onnx;
    gboolean two; /* takes two at a time */
  } kinds[] = {
    { "Add", "Add", TRUE }, { "Subtract", "Sub", TRUE }, { "Multiply", "Mul", TRUE },
    { "Average", "Mean", FALSE }, { "Maximum", "Max", FALSE }, { "Minimum", "Min", FALSE },
  };
  g_autofree int *values = g_new (int, self->n_inputs);

  for (int i = 0; i < self->n_inputs; i++) {
    const MienKerasTensor *a = &self->now, *b = &self->inputs[i];

    values[i] = b->value;
    if (a->rank != b->rank || a->channels != b->channels || a->height != b->height || a->width != b->width)
      return fail_unsupported (self, _("joining values of different sizes"), error);
  }
  for (gsize k = 0; k < G_N_ELEMENTS (kinds); k++) {
    if (strcmp (self->layer->class_name, kinds[k].keras) != 0)
      continue;
    if (!kinds[k].two)
      self->now.value = mien_graph_op (self->builder->graph, "", kinds[k].onnx, self->layer->name, values, self->n_inputs);
    for (int i = 1; kinds[k].two && i < self->n_inputs; i++)
      append (self, kinds[k].onnx, "", &values[i], 1);
  }
  return TRUE;
}

static gboolean
add_concatenate (Step *self, GError **error)
{
  const int rank = self->now.rank, channel_axis = rank == 3 && self->builder->channels_first ? 1 : rank;
  g_autofree int *values = g_new (int, self->n_inputs);
  gint64 channels = 0;
  double axis;

  if (!mien_keras_get_float (self->layer, "axis", -1, &axis, error))
    return FALSE;
  if (axis != channel_axis && axis + rank + 1 != channel_axis)
    return fail_unsupported (self, _("joining along another axis than the channels"), error);
  for (int i = 0; i < self->n_inputs; i++) {
    const MienKerasTensor *b = &self->inputs[i];

    values[i] = b->value;
    channels += b->channels;
    if (b->rank != rank || b->height != self->now.height || b->width != self->now.width)
      return fail_unsupported (self, _("joining values of different sizes"), error);
  }
  if (channels > MAX_UNITS)
    return fail_unsupported (self, _("so many channels"), error);
  self->now.value = mien_graph_op (self->builder->graph, "", "Concat", self->layer->name, values, self->n_inputs);
  mien_node_set_int (mien_graph_producer (self->builder->graph, self->now.value), "axis", 1);
  self->now.channels = (int) channels;
  return TRUE;
}

/* Layers that do nothing once a network is trained. */
static gboolean
add_nothing (Step *self, GError **error)
{
  return TRUE;
}

static const struct {
  const char *class_name;
  gboolean (*add) (Step *self, GError **error);
  gboolean joins; /* takes several inputs */
} kinds_of_layers[] = {
  { "Activation", add_activation },
  { "ActivityRegularization", add_nothing },
  { "Add", add_merge, TRUE },
  { "AlphaDropout", add_nothing },
  { "Average", add_merge, TRUE },
  { "AveragePooling2D", add_average_pooling },
  { "BatchNormalization", add_batch_normalization },
  { "BatchNormalizationV1", add_batch_normalization },
  { "Concatenate", add_concatenate, TRUE },
  { "Conv2D", add_conv2d },
  { "Convolution2D", add_conv2d },
  { "Dense", add_dense },
  { "DepthwiseConv2D", add_depthwise_conv2d },
  { "Dropout", add_nothing },
  { "ELU", add_elu },
  { "Flatten", add_flatten },
  { "GaussianDropout", add_nothing },
  { "GaussianNoise", add_nothing },
  { "GlobalAveragePooling2D", add_global_average_pooling },
  { "GlobalMaxPooling2D", add_global_max_pooling },
  { "InputLayer", add_nothing },
  { "LeakyReLU", add_leaky_relu },
  { "MaxPooling2D", add_max_pooling },
  { "Maximum", add_merge, TRUE },
  { "Minimum", add_merge, TRUE },
  { "Multiply", add_merge, TRUE },
  { "ReLU", add_relu },
  { "RandomBrightness", add_nothing },
  { "RandomContrast", add_nothing },
  { "RandomFlip", add_nothing },
  { "RandomRotation", add_nothing },
  { "RandomTranslation", add_nothing },
  { "RandomZoom", add_nothing },
  { "Rescaling", add_rescaling },
  { "SeparableConv2D", add_separable_conv2d },
  { "Softmax", add_softmax },
  { "SpatialDropout2D", add_nothing },
  { "Subtract", add_merge, TRUE },
  { "ZeroPadding2D", add_zero_padding },
};

gboolean
mien_keras_add_layer (MienKerasBuilder *self, const MienKerasLayer *layer, const MienKerasTensor *inputs, int n_inputs,
                      MienKerasTensor *output, GError **error)
{
  Step step = { self, layer, inputs, n_inputs, inputs[0] };

  for (gsize i = 0; i < G_N_ELEMENTS (kinds_of_layers); i++) {
    if (strcmp (layer->class_name, kinds_of_layers[i].class_name) != 0)
      continue;
    if (n_inputs > 1 && !kinds_of_layers[i].joins)
      return fail_unsupported (&step, _("more than one input"), error);
    if (!kinds_of_layers[i].add (&step, error))
      return FALSE;
    *output = step.now;
    return TRUE;
  }
  if (strcmp (layer->class_name, "Lambda") == 0)
    return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("%s holds Python code, which is never run; train the model without it"), layer->shown);
  return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("%s is of a kind that this program does not know; it can only be converted by Keras itself (tf2onnx)"),
                          layer->shown);
}
