/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "peers/peer-layers.h"

#include <string.h>

#include "nn/mien-passes.h"

typedef struct {
  const MienGraph *graph;
  GArray *layers;
  int *layer_of; /* by value; -2: none */
  int *n_uses;   /* by value */
  GPtrArray *zeros;
} Walk;

static PeerLayer *
layer_at (Walk *walk, int i)
{
  return &g_array_index (walk->layers, PeerLayer, i);
}

static PeerDims
dims_of (Walk *walk, int layer)
{
  return layer >= 0 ? layer_at (walk, layer)->out : (PeerDims) { 1, 48, 48 };
}

static const MienTensor *
constant (Walk *walk, const MienNode *node, int i)
{
  return i < node->n_inputs && node->inputs[i] >= 0 ? mien_graph_value (walk->graph, node->inputs[i])->tensor : NULL;
}

static gboolean
fail (const MienNode *node, const char *why, GError **error)
{
  g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_UNSUPPORTED, "%s \"%s\": %s", node->op, node->name, why);
  return FALSE;
}

/* FALSE when the window is not square and evenly padded. */
static gboolean
read_window (const MienNode *node, PeerLayer *layer)
{
  gsize n_kernel, n_strides, n_pads;
  const gint64 *kernel = mien_node_ints (node, "kernel_shape", &n_kernel);
  const gint64 *strides = mien_node_ints (node, "strides", &n_strides);
  const gint64 *pads = mien_node_ints (node, "pads", &n_pads);

  if (n_kernel != 2 || n_strides != 2 || n_pads != 4 || kernel[0] != kernel[1] || strides[0] != strides[1] ||
      pads[0] != pads[1] || pads[0] != pads[2] || pads[0] != pads[3])
    return FALSE;
  layer->kernel = kernel[0];
  layer->stride = strides[0];
  layer->pad = pads[0];
  layer->out.height = (layer->in.height + 2 * layer->pad - layer->kernel) / layer->stride + 1;
  layer->out.width = (layer->in.width + 2 * layer->pad - layer->kernel) / layer->stride + 1;
  return TRUE;
}

static void
read_weights (Walk *walk, const MienNode *node, PeerLayer *layer)
{
  const MienTensor *weight = constant (walk, node, 1), *bias = constant (walk, node, 2);

  layer->weight = weight->data;
  layer->n_weights = weight->n_elems;
  layer->out.channels = weight->shape.dim[0];
  if (bias != NULL) {
    layer->bias = bias->data;
  } else {
    float *zeros = g_new0 (float, layer->out.channels);
    g_ptr_array_add (walk->zeros, zeros);
    layer->bias = zeros;
  }
}

static gboolean
add_node (Walk *walk, const MienNode *node, GError **error)
{
  const int input = walk->layer_of[node->inputs[0]];
  PeerLayer layer = { .input = input, .other = -1, .groups = 1 };
  int *made = &walk->layer_of[node->outputs[0]];

  if (input < -1)
    return fail (node, "reads a constant", error);
  layer.in = layer.out = dims_of (walk, input);
  if (g_str_equal (node->op, "Conv")) {
    layer.kind = PEER_CONV;
    layer.groups = mien_node_int (node, "group", 1);
    if (constant (walk, node, 1) == NULL || !read_window (node, &layer))
      return fail (node, "not a plain convolution", error);
    read_weights (walk, node, &layer);
  } else if (g_str_equal (node->op, "MaxPool")) {
    layer.kind = PEER_MAX_POOL;
    if (!read_window (node, &layer))
      return fail (node, "not a plain window", error);
  } else if (g_str_equal (node->op, "GlobalAveragePool")) {
    layer.kind = PEER_MEAN;
    layer.out.height = layer.out.width = 1;
  } else if (g_str_equal (node->op, "Gemm")) {
    layer.kind = PEER_DENSE;
    layer.out.height = layer.out.width = 1;
    if (constant (walk, node, 1) == NULL || mien_node_int (node, "transB", 0) != 1)
      return fail (node, "not a plain dense layer", error);
    read_weights (walk, node, &layer);
  } else if (g_str_equal (node->op, "Softmax")) {
    layer.kind = PEER_SOFTMAX;
  } else if (g_str_equal (node->op, "Flatten")) {
    *made = input; /* dense layers keep the shape that they flatten */
    return TRUE;
  } else if (g_str_equal (node->op, "Relu")) {
    if (input < 0 || walk->n_uses[node->inputs[0]] != 1)
      return fail (node, "stands alone", error);
    layer_at (walk, input)->relu = TRUE;
    *made = input;
    return TRUE;
  } else if (g_str_equal (node->op, "Add")) {
    const int other = walk->layer_of[node->inputs[1]], last = MAX (input, other);
    const int last_value = node->inputs[input == last ? 0 : 1];
    PeerLayer *joined;

    if (other < 0 || input < 0)
      return fail (node, "adds no two layers", error);
    joined = layer_at (walk, last);
    if (joined->kind == PEER_CONV && !joined->relu && joined->other < 0 && walk->n_uses[last_value] == 1) {
      joined->other = MIN (input, other);
      *made = last;
      return TRUE;
    }
    layer.kind = PEER_ADD;
    layer.other = other;
  } else {
    return fail (node, "not among the layers of the reference networks", error);
  }
  *made = walk->layers->len;
  g_array_append_val (walk->layers, layer);
  return TRUE;
}

static void
find_last_uses (PeerLayer *layers, int n)
{
  for (int i = 0; i < n; i++) {
    if (layers[i].input >= 0)
      layers[layers[i].input].last_use = i;
    if (layers[i].other >= 0)
      layers[layers[i].other].last_use = i;
  }
  layers[n - 1].last_use = n;
}

PeerLayers *
peer_layers_new (const MienGraph *graph, GError **error)
{
  PeerLayers *self = g_new0 (PeerLayers, 1);
  Walk walk = { .layers = g_array_new (FALSE, TRUE, sizeof (PeerLayer)) };
  gboolean is_ok = TRUE;

  self->graph = mien_graph_dup (graph);
  self->zeros = g_ptr_array_new_with_free_func (g_free);
  mien_passes_fold_norm (self->graph, NULL, 0);
  walk.graph = self->graph;
  walk.zeros = self->zeros;
  walk.layer_of = g_new (int, self->graph->values->len);
  walk.n_uses = g_new0 (int, self->graph->values->len);
  for (guint v = 0; v < self->graph->values->len; v++)
    walk.layer_of[v] = -2;
  walk.layer_of[g_array_index (self->graph->inputs, int, 0)] = -1;
  for (guint n = 0; n < self->graph->nodes->len; n++) {
    const MienNode *node = mien_graph_node (self->graph, n);
    for (int i = 0; i < node->n_inputs; i++)
      walk.n_uses[MAX (node->inputs[i], 0)]++;
  }
  for (guint n = 0; is_ok && n < self->graph->nodes->len; n++)
    is_ok = add_node (&walk, mien_graph_node (self->graph, n), error);
  g_free (walk.layer_of);
  g_free (walk.n_uses);
  self->n = walk.layers->len;
  self->layers = (PeerLayer *) g_array_free (walk.layers, FALSE);
  if (!is_ok) {
    peer_layers_free (self);
    return NULL;
  }
  find_last_uses (self->layers, self->n);
  return self;
}

void
peer_layers_free (PeerLayers *self)
{
  g_free (self->layers);
  g_ptr_array_unref (self->zeros);
  mien_graph_unref (self->graph);
  g_free (self);
}
