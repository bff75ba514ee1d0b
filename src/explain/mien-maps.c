/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-maps.h. */
#include "mien-config.h"

#include "explain/mien-maps.h"

#include <math.h>
#include <string.h>
#include <glib/gi18n-lib.h>

struct _MienMaps {
  MienModel *model;
  MienPlan *plan;
  MienContext *context;
  MienPredictor *predictor; /* probabilities exactly as everywhere else in the program */
  MienTensor *input;
  GPtrArray *layers; /* MienMapLayer */
  GArray *values;    /* int: the kept value of each layer */
};

typedef struct {
  int channels, height, width;
  float *values; /* [channels][height][width] */
  MienMapStats *stats;
} Layer;

struct _MienActivations {
  int n_layers;
  Layer *layers;
  int size;
  float *pixels;
  int n_labels;
  float *probabilities;
  gatomicrefcount ref_count;
};

G_DEFINE_BOXED_TYPE (MienActivations, mien_activations, mien_activations_ref, mien_activations_unref)

/* Operators that are part of "what the layer answers" when they follow a convolution directly. */
static const char *const followers[] = {
  "BatchNormalization", "Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh",
  "Softplus", "Softsign", "Mish", "Gelu", "ThresholdedRelu", "Clip", "Identity", "Dropout", NULL,
};

static void
layer_info_free (gpointer data)
{
  MienMapLayer *layer = data;

  g_free (layer->name);
  g_free (layer->title);
  g_free (layer);
}

static gboolean
is_constant (const MienGraph *graph, int value)
{
  return value < 0 || mien_graph_value (graph, value)->kind != MIEN_VALUE_PLAIN;
}

static gboolean
is_output (const MienGraph *graph, int value)
{
  for (guint i = 0; i < graph->outputs->len; i++)
    if (g_array_index (graph->outputs, int, i) == value)
      return TRUE;
  return FALSE;
}

/* The only node that reads value, NULL when there are none or several. */
static const MienNode *
only_reader (const MienGraph *graph, int value)
{
  const MienNode *reader = NULL;

  for (guint i = 0; i < graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (graph, (int) i);

    for (int j = 0; j < node->n_inputs; j++) {
      if (node->inputs[j] != value)
        continue;
      if (reader != NULL)
        return NULL;
      reader = node;
    }
  }
  return reader;
}

static gboolean
is_follower (const MienGraph *graph, const MienNode *node, int value)
{
  if (node->n_inputs < 1 || node->n_outputs < 1 || node->outputs[0] < 0)
    return FALSE;

  /* A bias or a normalisation written out: x + constant, x * constant. */
  if (*node->domain == '\0' && (g_str_equal (node->op, "Add") || g_str_equal (node->op, "Mul")) && node->n_inputs == 2)
    return is_constant (graph, node->inputs[node->inputs[0] == value ? 1 : 0]);
  return node->inputs[0] == value && g_strv_contains (followers, node->op);
}

static int
follow (const MienGraph *graph, int value)
{
  const MienNode *reader;

  while (!is_output (graph, value) && (reader = only_reader (graph, value)) != NULL && is_follower (graph, reader, value))
    value = reader->outputs[0];
  return value;
}

static gboolean
is_conv (const MienGraph *graph, const MienNode *node)
{
  return *node->domain == '\0' && g_str_equal (node->op, "Conv") && node->n_inputs >= 2 && node->inputs[1] >= 0 &&
         mien_graph_value (graph, node->inputs[1])->tensor != NULL &&
         mien_graph_value (graph, node->inputs[1])->tensor->shape.rank == 4;
}

static void
find_layers (MienMaps *self, const MienGraph *graph)
{
  int number = 0;

  for (guint i = 0; i < graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (graph, (int) i);
    const MienTensor *kernel;
    MienMapLayer *layer;
    int value;

    if (!is_conv (graph, node))
      continue;
    kernel = mien_graph_value (graph, node->inputs[1])->tensor;
    layer = g_new0 (MienMapLayer, 1);
    number++;
    layer->name = *node->name != '\0' ? g_strdup (node->name) : g_strdup_printf ("conv %d", number);
    layer->kernel_h = (int) kernel->shape.dim[2];
    layer->kernel_w = (int) kernel->shape.dim[3];
    layer->in_channels = (int) kernel->shape.dim[1];
    layer->kernel = kernel->type == MIEN_F32 ? mien_tensor_f32 (kernel) : NULL;
    layer->title = g_strdup_printf ("%d×%d", layer->kernel_h, layer->kernel_w);
    layer->params = (gint64) kernel->n_elems;
    if (node->n_inputs > 2 && node->inputs[2] >= 0 && mien_graph_value (graph, node->inputs[2])->tensor != NULL)
      layer->params += (gint64) mien_graph_value (graph, node->inputs[2])->tensor->n_elems;
    g_ptr_array_add (self->layers, layer);
    value = follow (graph, node->outputs[0]);
    g_array_append_val (self->values, value);
  }
}

/* The declared input with its open dimensions filled in from the model's metadata. */
static MienShape
input_shape (const MienModel *model, const MienGraph *graph)
{
  const int size = mien_model_get_input_size (model);
  MienShape shape = mien_graph_value (graph, g_array_index (graph->inputs, int, 0))->shape;

  if (shape.rank != 4)
    return mien_shape (4, 1, mien_model_get_channels (model), size, size);
  for (int i = 0; i < 4; i++)
    if (shape.dim[i] < 0)
      shape.dim[i] = i == 0 ? 1 : i == 1 ? mien_model_get_channels (model) : size;
  return shape;
}

/* Sizes are known only once planned; drops layers whose output is no picture. */
static void
measure_layers (MienMaps *self, const MienGraph *graph)
{
  for (guint i = 0; i < self->layers->len;) {
    MienMapLayer *layer = g_ptr_array_index (self->layers, i);
    MienType type;
    MienShape shape;

    mien_plan_get_value (self->plan, g_array_index (self->values, int, i), &type, &shape);
    if (type != MIEN_F32 || shape.rank != 4 || !mien_shape_is_known (&shape) || shape.dim[1] < 1 || shape.dim[2] < 1 || shape.dim[3] < 1) {
      g_ptr_array_remove_index (self->layers, i);
      g_array_remove_index (self->values, i);
      continue;
    }
    layer->channels = (int) shape.dim[1];
    layer->height = (int) shape.dim[2];
    layer->width = (int) shape.dim[3];
    i++;
  }

  /* Multiply-adds: each output needs the kernel of its channel once. The bias is no multiplication. */
  for (guint i = 0, at = 0; i < graph->nodes->len && at < self->layers->len; i++) {
    const MienNode *node = mien_graph_node (graph, (int) i);
    MienMapLayer *layer = g_ptr_array_index (self->layers, at);

    if (!is_conv (graph, node) || follow (graph, node->outputs[0]) != g_array_index (self->values, int, at))
      continue;
    layer->macs = (gint64) mien_graph_value (graph, node->inputs[1])->tensor->n_elems * layer->height * layer->width;
    at++;
  }
}

MienMaps *
mien_maps_new (MienModel *model, GError **error)
{
  g_autoptr (MienMaps) self = NULL;
  MienGraph *graph;
  MienPlanOptions options = { .cpu = mien_cpu_level () };
  MienShape shape;
  gsize n_elems, n_wanted;

  g_return_val_if_fail (model != NULL, NULL);
  graph = mien_model_get_graph (model);
  if (graph->inputs->len != 1) {
    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_UNSUPPORTED,
                 _("The layers of a network with %u inputs cannot be shown; choose a network with one input."), graph->inputs->len);
    return NULL;
  }

  self = g_new0 (MienMaps, 1);
  self->model = mien_model_ref (model);
  self->layers = g_ptr_array_new_with_free_func (layer_info_free);
  self->values = g_array_new (FALSE, FALSE, sizeof (int));
  find_layers (self, graph);

  shape = input_shape (model, graph);
  n_wanted = (gsize) mien_model_get_channels (model) * mien_model_get_input_size (model) * mien_model_get_input_size (model);
  if (!mien_shape_n_elems (&shape, &n_elems) || shape.dim[0] < 1 || n_elems / shape.dim[0] != n_wanted) {
    g_autofree char *text = mien_shape_to_string (&shape);
    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_INPUT,
                 _("The network's input is %s, which is not one picture of the size that the model's description names."), text);
    return NULL;
  }
  self->input = mien_tensor_try_new (MIEN_F32, &shape, error);
  if (self->input == NULL)
    return NULL;

  options.keep = (const int *) (gpointer) self->values->data;
  options.n_keep = (int) self->values->len;
  self->plan = mien_plan_new (graph, &shape, &options, error);
  if (self->plan == NULL)
    return NULL;
  self->context = mien_context_new (self->plan, error);
  if (self->context == NULL)
    return NULL;
  self->predictor = mien_predictor_new (model, 1, options.cpu, MIEN_PRECISION_F32, NULL, error);
  if (self->predictor == NULL)
    return NULL;
  measure_layers (self, graph);
  return g_steal_pointer (&self);
}

void
mien_maps_free (MienMaps *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->predictor, mien_predictor_free);
  g_clear_pointer (&self->context, mien_context_free);
  g_clear_pointer (&self->plan, mien_plan_unref);
  g_clear_pointer (&self->input, mien_tensor_unref);
  g_ptr_array_unref (self->layers);
  g_array_unref (self->values);
  mien_model_unref (self->model);
  g_free (self);
}

int
mien_maps_get_n_layers (const MienMaps *self)
{
  return (int) self->layers->len;
}

const MienMapLayer *
mien_maps_get_layer (const MienMaps *self, int layer)
{
  g_return_val_if_fail (layer >= 0 && layer < (int) self->layers->len, NULL);
  return g_ptr_array_index (self->layers, layer);
}

MienModel *
mien_maps_get_model (const MienMaps *self)
{
  return self->model;
}

/* A map with values that are no numbers gets the statistics of its numbers. */
static void
measure_map (const float *values, gsize n, MienMapStats *stats)
{
  double sum = 0;
  gsize n_finite = 0, n_dead = 0;

  *stats = (MienMapStats) { INFINITY, -INFINITY, 0, 0 };
  for (gsize i = 0; i < n; i++) {
    if (!isfinite (values[i]))
      continue;
    stats->min = MIN (stats->min, values[i]);
    stats->max = MAX (stats->max, values[i]);
    sum += values[i];
    n_dead += values[i] <= 0;
    n_finite++;
  }
  if (n_finite == 0) {
    *stats = (MienMapStats) { 0, 0, 0, 1 };
    return;
  }
  stats->mean = (float) (sum / n_finite);
  stats->dead = (float) n_dead / n_finite;
}

static gboolean
copy_layer (Layer *layer, const MienMapLayer *info, const MienTensor *tensor)
{
  const gsize n = (gsize) info->height * info->width;

  if (tensor == NULL || tensor->type != MIEN_F32 || tensor->n_elems < n * info->channels)
    return FALSE;
  layer->channels = info->channels;
  layer->height = info->height;
  layer->width = info->width;
  layer->values = g_memdup2 (tensor->data, n * info->channels * sizeof (float));
  layer->stats = g_new (MienMapStats, info->channels);
  for (int c = 0; c < info->channels; c++)
    measure_map (layer->values + c * n, n, &layer->stats[c]);
  return TRUE;
}

MienActivations *
mien_maps_run (MienMaps *self, const float *pixels, GError **error)
{
  g_autoptr (MienActivations) result = g_new0 (MienActivations, 1);
  const MienTensor *inputs[] = { self->input };
  const int size = mien_model_get_input_size (self->model);

  g_atomic_ref_count_init (&result->ref_count);
  mien_model_normalise (self->model, pixels, mien_tensor_f32 (self->input));
  if (!mien_context_run (self->context, inputs, error))
    return NULL;
  result->n_layers = (int) self->layers->len;
  result->layers = g_new0 (Layer, result->n_layers);
  for (int i = 0; i < result->n_layers; i++) {
    const MienMapLayer *info = g_ptr_array_index (self->layers, i);

    if (!copy_layer (&result->layers[i], info, mien_context_value (self->context, g_array_index (self->values, int, i)))) {
      g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_SHAPE, _("The maps of layer “%s” are not available."), info->name);
      return NULL;
    }
  }
  result->size = size;
  result->pixels = g_memdup2 (pixels, sizeof (float) * size * size);
  result->n_labels = mien_model_get_n_labels (self->model);
  result->probabilities = g_new0 (float, result->n_labels);
  if (!mien_predictor_run (self->predictor, pixels, 1, result->probabilities, error))
    return NULL;
  return g_steal_pointer (&result);
}

MienActivations *
mien_activations_ref (MienActivations *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
mien_activations_unref (MienActivations *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  for (int i = 0; self->layers != NULL && i < self->n_layers; i++) {
    g_free (self->layers[i].values);
    g_free (self->layers[i].stats);
  }
  g_free (self->layers);
  g_free (self->pixels);
  g_free (self->probabilities);
  g_free (self);
}

int
mien_activations_get_n_layers (const MienActivations *self)
{
  return self->n_layers;
}

int
mien_activations_get_n_channels (const MienActivations *self, int layer)
{
  g_return_val_if_fail (layer >= 0 && layer < self->n_layers, 0);
  return self->layers[layer].channels;
}

const float *
mien_activations_get_map (const MienActivations *self, int layer, int channel, int *height, int *width)
{
  const Layer *l;

  g_return_val_if_fail (layer >= 0 && layer < self->n_layers, NULL);
  l = &self->layers[layer];
  g_return_val_if_fail (channel >= 0 && channel < l->channels, NULL);
  *height = l->height;
  *width = l->width;
  return l->values + (gsize) channel * l->height * l->width;
}

void
mien_activations_get_stats (const MienActivations *self, int layer, int channel, MienMapStats *stats)
{
  g_return_if_fail (layer >= 0 && layer < self->n_layers);
  g_return_if_fail (channel >= 0 && channel < self->layers[layer].channels);
  *stats = self->layers[layer].stats[channel];
}

const float *
mien_activations_get_pixels (const MienActivations *self, int *size)
{
  *size = self->size;
  return self->pixels;
}

const float *
mien_activations_get_probabilities (const MienActivations *self, int *n_labels)
{
  *n_labels = self->n_labels;
  return self->probabilities;
}
