/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each kind of Keras layer becomes. */
#include "mien-config.h"

#include "keras/mien-keras-step.h"

#include <glib/gi18n-lib.h>
#include <string.h>

static gboolean
add_dense (MienKerasStep *self, GError **error)
{
  int extra[2], n_extra = 1, units;
  MienTensor *kernel;

  if (!mien_keras_get_int (self->layer, "units", 1, MIEN_KERAS_MAX_UNITS, 0, &units, error))
    return FALSE;
  if (self->now.rank != 1)
    return mien_keras_step_fail (self, _("a dense layer over a picture, without Flatten or pooling in front,"), error);
  kernel = mien_keras_step_read_weight (self, "kernel", NULL, mien_shape (2, self->now.channels, units), error);
  if (kernel == NULL)
    return FALSE;
  extra[0] = mien_keras_step_add_constant (self, "kernel", kernel);
  if (mien_keras_get_bool (self->layer, "use_bias", TRUE)) {
    extra[n_extra++] = mien_keras_step_add_vector (self, "bias", units, error);
    if (extra[1] < 0)
      return FALSE;
  }
  mien_keras_step_append (self, "Gemm", "", extra, n_extra);
  self->now.channels = units;
  return mien_keras_step_activate_own (self, error);
}

/* Ones for a scale, zeros for a shift that the layer does without. */
static int
add_constant_vector (MienKerasStep *self, const char *name, int n, float value)
{
  const MienShape shape = mien_shape (1, n);
  MienTensor *tensor = mien_tensor_new (MIEN_F32, &shape);

  for (int i = 0; i < n; i++)
    mien_tensor_f32 (tensor)[i] = value;
  return mien_keras_step_add_constant (self, name, tensor);
}

static gboolean
add_batch_normalization (MienKerasStep *self, GError **error)
{
  JsonNode *axis_node = mien_keras_get_node (self->layer->config, "axis");
  const int n = self->now.channels, rank = self->now.rank;
  const int channel_axis = rank == 3 && self->builder->channels_first ? 1 : rank;
  double epsilon, axis;
  int extra[4];

  if (!mien_keras_get_float (self->layer, "epsilon", 1e-3, &epsilon, error) || !mien_keras_get_float (self->layer, "axis", -1, &axis, error))
    return FALSE;
  if (axis_node != NULL && axis != channel_axis && axis + rank + 1 != channel_axis)
    return mien_keras_step_fail (self, _("normalisation over another axis than the channels"), error);
  /* the two that are always in the file come first: from here on n is no more than what the file holds */
  if ((extra[2] = mien_keras_step_add_vector (self, "moving_mean", n, error)) < 0 || (extra[3] = mien_keras_step_add_vector (self, "moving_variance", n, error)) < 0)
    return FALSE;
  extra[0] = mien_keras_get_bool (self->layer, "scale", TRUE) ? mien_keras_step_add_vector (self, "gamma", n, error) : add_constant_vector (self, "gamma", n, 1);
  if (extra[0] < 0)
    return FALSE;
  extra[1] = mien_keras_get_bool (self->layer, "center", TRUE) ? mien_keras_step_add_vector (self, "beta", n, error) : add_constant_vector (self, "beta", n, 0);
  if (extra[1] < 0)
    return FALSE;
  mien_node_set_float (mien_keras_step_append (self, "BatchNormalization", "", extra, 4), "epsilon", (float) epsilon);
  return TRUE;
}

static gboolean
add_global_pooling (MienKerasStep *self, const char *op, GError **error)
{
  if (self->now.rank != 3)
    return mien_keras_step_fail (self, _("a layer for pictures behind numbers in a row"), error);
  mien_keras_step_append (self, op, "", NULL, 0);
  self->now.height = self->now.width = 1;
  if (!mien_keras_get_bool (self->layer, "keepdims", FALSE)) {
    mien_keras_step_append (self, "Flatten", ".flatten", NULL, 0);
    self->now.rank = 1;
  }
  return TRUE;
}

static gboolean
add_global_average_pooling (MienKerasStep *self, GError **error)
{
  return add_global_pooling (self, "GlobalAveragePool", error);
}

static gboolean
add_global_max_pooling (MienKerasStep *self, GError **error)
{
  return add_global_pooling (self, "GlobalMaxPool", error);
}

/* Keras counts rows, columns, then channels. */
static gboolean
add_flatten (MienKerasStep *self, GError **error)
{
  static const gint64 to_channels_last[] = { 0, 2, 3, 1 };

  if (self->now.rank == 1)
    return TRUE;
  if (!self->builder->channels_first && self->now.height * self->now.width > 1)
    mien_node_set_ints (mien_keras_step_append (self, "Transpose", ".to_channels_last", NULL, 0), "perm", to_channels_last, 4);
  mien_keras_step_append (self, "Flatten", "", NULL, 0);
  if ((gint64) self->now.channels * self->now.height * self->now.width > G_MAXINT32)
    return mien_keras_step_fail (self, _("so large a picture"), error);
  self->now.channels *= self->now.height * self->now.width;
  self->now.rank = 1;
  return TRUE;
}

static gboolean
add_activation (MienKerasStep *self, GError **error)
{
  return mien_keras_step_activate_own (self, error);
}

static gboolean
add_softmax (MienKerasStep *self, GError **error)
{
  return mien_keras_step_activate (self, "softmax", error);
}

static gboolean
add_relu (MienKerasStep *self, GError **error)
{
  double max, slope, threshold;

  if (!mien_keras_get_float (self->layer, "max_value", -1, &max, error) || !mien_keras_get_float (self->layer, "negative_slope", 0, &slope, error) ||
      !mien_keras_get_float (self->layer, "threshold", 0, &threshold, error))
    return FALSE;
  if (threshold != 0 || (slope != 0 && max >= 0))
    return mien_keras_step_fail (self, _("a threshold, or a slope together with a maximum,"), error);
  if (max >= 0) {
    const int limits[] = { mien_keras_step_add_number (self, "lo", 0), mien_keras_step_add_number (self, "hi", (float) max) };

    mien_keras_step_append (self, "Clip", "", limits, 2);
  } else if (slope != 0) {
    mien_node_set_float (mien_keras_step_append (self, "LeakyRelu", "", NULL, 0), "alpha", (float) slope);
  } else {
    mien_keras_step_append (self, "Relu", "", NULL, 0);
  }
  return TRUE;
}

static gboolean
add_leaky_relu (MienKerasStep *self, GError **error)
{
  double alpha;

  if (!mien_keras_get_float (self->layer, "negative_slope", 0.3, &alpha, error) || !mien_keras_get_float (self->layer, "alpha", alpha, &alpha, error))
    return FALSE;
  mien_node_set_float (mien_keras_step_append (self, "LeakyRelu", "", NULL, 0), "alpha", (float) alpha);
  return TRUE;
}

static gboolean
add_elu (MienKerasStep *self, GError **error)
{
  double alpha;

  if (!mien_keras_get_float (self->layer, "alpha", 1, &alpha, error))
    return FALSE;
  mien_node_set_float (mien_keras_step_append (self, "Elu", "", NULL, 0), "alpha", (float) alpha);
  return TRUE;
}

static gboolean
add_rescaling (MienKerasStep *self, GError **error)
{
  double scale, offset;
  int extra;

  if (!mien_keras_get_float (self->layer, "scale", 1, &scale, error) || !mien_keras_get_float (self->layer, "offset", 0, &offset, error))
    return FALSE;
  extra = mien_keras_step_add_number (self, "scale", (float) scale);
  mien_keras_step_append (self, "Mul", ".scale", &extra, 1);
  extra = mien_keras_step_add_number (self, "offset", (float) offset);
  mien_keras_step_append (self, "Add", "", &extra, 1);
  return TRUE;
}

static gboolean
add_merge (MienKerasStep *self, GError **error)
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
      return mien_keras_step_fail (self, _("joining values of different sizes"), error);
  }
  for (gsize k = 0; k < G_N_ELEMENTS (kinds); k++) {
    if (strcmp (self->layer->class_name, kinds[k].keras) != 0)
      continue;
    if (!kinds[k].two)
      self->now.value = mien_graph_op (self->builder->graph, "", kinds[k].onnx, self->layer->name, values, self->n_inputs);
    for (int i = 1; kinds[k].two && i < self->n_inputs; i++)
      mien_keras_step_append (self, kinds[k].onnx, "", &values[i], 1);
  }
  return TRUE;
}

static gboolean
add_concatenate (MienKerasStep *self, GError **error)
{
  const int rank = self->now.rank, channel_axis = rank == 3 && self->builder->channels_first ? 1 : rank;
  g_autofree int *values = g_new (int, self->n_inputs);
  gint64 channels = 0;
  double axis;

  if (!mien_keras_get_float (self->layer, "axis", -1, &axis, error))
    return FALSE;
  if (axis != channel_axis && axis + rank + 1 != channel_axis)
    return mien_keras_step_fail (self, _("joining along another axis than the channels"), error);
  for (int i = 0; i < self->n_inputs; i++) {
    const MienKerasTensor *b = &self->inputs[i];

    values[i] = b->value;
    channels += b->channels;
    if (b->rank != rank || b->height != self->now.height || b->width != self->now.width)
      return mien_keras_step_fail (self, _("joining values of different sizes"), error);
  }
  if (channels > MIEN_KERAS_MAX_UNITS)
    return mien_keras_step_fail (self, _("so many channels"), error);
  self->now.value = mien_graph_op (self->builder->graph, "", "Concat", self->layer->name, values, self->n_inputs);
  mien_node_set_int (mien_graph_producer (self->builder->graph, self->now.value), "axis", 1);
  self->now.channels = (int) channels;
  return TRUE;
}

/* Layers that do nothing once a network is trained. */
static gboolean
add_nothing (MienKerasStep *self, GError **error)
{
  return TRUE;
}

static const struct {
  const char *class_name;
  gboolean (*add) (MienKerasStep *self, GError **error);
  gboolean joins; /* takes several inputs */
} kinds_of_layers[] = {
  { "Activation", add_activation },
  { "ActivityRegularization", add_nothing },
  { "Add", add_merge, TRUE },
  { "AlphaDropout", add_nothing },
  { "Average", add_merge, TRUE },
  { "AveragePooling2D", mien_keras_add_average_pooling },
  { "BatchNormalization", add_batch_normalization },
  { "BatchNormalizationV1", add_batch_normalization },
  { "Concatenate", add_concatenate, TRUE },
  { "Conv2D", mien_keras_add_conv },
  { "Convolution2D", mien_keras_add_conv },
  { "Dense", add_dense },
  { "DepthwiseConv2D", mien_keras_add_depthwise_conv },
  { "Dropout", add_nothing },
  { "ELU", add_elu },
  { "Flatten", add_flatten },
  { "GaussianDropout", add_nothing },
  { "GaussianNoise", add_nothing },
  { "GlobalAveragePooling2D", add_global_average_pooling },
  { "GlobalMaxPooling2D", add_global_max_pooling },
  { "InputLayer", add_nothing },
  { "LeakyReLU", add_leaky_relu },
  { "MaxPooling2D", mien_keras_add_max_pooling },
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
  { "SeparableConv2D", mien_keras_add_separable_conv },
  { "Softmax", add_softmax },
  { "SpatialDropout2D", add_nothing },
  { "Subtract", add_merge, TRUE },
  { "ZeroPadding2D", mien_keras_add_zero_padding },
};

gboolean
mien_keras_add_layer (MienKerasBuilder *self, const MienKerasLayer *layer, const MienKerasTensor *inputs, int n_inputs,
                      MienKerasTensor *output, GError **error)
{
  MienKerasStep step = { self, layer, inputs, n_inputs, inputs[0] };

  for (gsize i = 0; i < G_N_ELEMENTS (kinds_of_layers); i++) {
    if (strcmp (layer->class_name, kinds_of_layers[i].class_name) != 0)
      continue;
    if (n_inputs > 1 && !kinds_of_layers[i].joins)
      return mien_keras_step_fail (&step, _("more than one input"), error);
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
