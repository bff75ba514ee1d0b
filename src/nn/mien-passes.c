/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Folding and fusing, see mien-passes.h. */
#include "nn/mien-passes.h"

#include <math.h>
#include <string.h>

typedef struct {
  MienGraph *graph;
  int *n_uses;   /* by value: nodes that read it, plus outputs and kept values */
  int *reader;   /* by value: the node that reads it, where there is one */
} Rewrite;

static void
count_uses (Rewrite *self, const int *keep, int n_keep)
{
  MienGraph *graph = self->graph;

  self->n_uses = g_new0 (int, graph->values->len + 1);
  self->reader = g_new (int, graph->values->len + 1);
  memset (self->reader, 0xff, graph->values->len * sizeof (int));
  for (guint i = 0; i < graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (graph, i);
    for (int k = 0; k < node->n_inputs; k++) {
      if (node->inputs[k] >= 0) {
        self->n_uses[node->inputs[k]]++;
        self->reader[node->inputs[k]] = (int) i;
      }
    }
  }
  for (guint i = 0; i < graph->outputs->len; i++)
    self->n_uses[g_array_index (graph->outputs, int, i)] += 2;
  for (int i = 0; i < n_keep; i++)
    self->n_uses[keep[i]] += 2;
}

/* The node that alone reads the only output of node, if it is an `op` reading it as its first input. */
static MienNode *
only_reader (const Rewrite *self, const MienNode *node, const char *op)
{
  const int out = node->outputs[0];

  if (node->n_outputs != 1 || out < 0 || self->n_uses[out] != 1)
    return NULL;
  MienNode *reader = mien_graph_node (self->graph, self->reader[out]);
  if (!g_str_equal (reader->op, op) || *reader->domain != '\0' || reader->inputs[0] != out || reader->outputs[0] < 0)
    return NULL;
  for (int i = 1; i < reader->n_outputs; i++)
    if (reader->outputs[i] >= 0)
      return NULL;
  return reader;
}

/* node writes what reader wrote, reader is left without outputs: remove_idle() takes it away. */
static void
take_over (Rewrite *self, MienNode *node, MienNode *reader)
{
  node->outputs[0] = reader->outputs[0];
  reader->outputs[0] = -1;
  reader->inputs[0] = -1;
}

static void
remove_idle (MienGraph *graph)
{
  for (guint i = 0; i < graph->nodes->len;) {
    const MienNode *node = mien_graph_node (graph, i);
    gboolean idle = TRUE;
    for (int k = 0; k < node->n_outputs; k++)
      idle &= node->outputs[k] < 0;
    if (idle)
      g_ptr_array_remove_index (graph->nodes, i);
    else
      i++;
  }
  for (guint i = 0; i < graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (graph, i);
    for (int k = 0; k < node->n_outputs; k++)
      if (node->outputs[k] >= 0)
        mien_graph_value (graph, node->outputs[k])->producer = (int) i;
  }
}

/* With its contents. */
static const MienTensor *
constant_f32 (const MienGraph *graph, int value)
{
  const MienValue *v = value >= 0 ? mien_graph_value (graph, value) : NULL;

  if (v == NULL || v->kind != MIEN_VALUE_CONSTANT || v->tensor == NULL || v->tensor->type != MIEN_F32)
    return NULL;
  return mien_tensor_fetch (v->tensor, NULL) ? v->tensor : NULL;
}

/* ONNX BatchNormalization: y = (x - mean) / sqrt (var + epsilon) * scale + bias. Weights of Conv and of Gemm with transB have their
 * output channels in front. */
static gboolean
takes_norm (const MienNode *node)
{
  if (*node->domain != '\0' || node->n_inputs < 2)
    return FALSE;
  return g_str_equal (node->op, "Conv") ||
         (g_str_equal (node->op, "Gemm") && mien_node_int (node, "transB", 0) != 0 && mien_node_float (node, "alpha", 1) == 1 &&
          mien_node_float (node, "beta", 1) == 1);
}

static gboolean
fold_norm (MienGraph *graph, MienNode *conv, const MienNode *norm)
{
  const MienTensor *w = constant_f32 (graph, conv->inputs[1]), *p[4];
  const MienTensor *bias = conv->n_inputs > 2 && conv->inputs[2] >= 0 ? constant_f32 (graph, conv->inputs[2]) : NULL;

  if (w == NULL || w->shape.rank < 2 || (conv->n_inputs > 2 && conv->inputs[2] >= 0 && bias == NULL) || norm->n_inputs != 5 ||
      mien_node_int (norm, "training_mode", 0) != 0)
    return FALSE;
  const gint64 k = w->shape.dim[0];
  for (int i = 0; i < 4; i++) {
    p[i] = constant_f32 (graph, norm->inputs[i + 1]);
    if (p[i] == NULL || p[i]->shape.rank != 1 || p[i]->shape.dim[0] != k)
      return FALSE;
  }
  if (k == 0 || (bias != NULL && bias->n_elems != (gsize) k))
    return FALSE;

  const float epsilon = mien_node_float (norm, "epsilon", 1e-5f);
  const MienShape bias_shape = mien_shape (1, (int) k);
  MienTensor *new_w = mien_tensor_dup (w), *new_bias = mien_tensor_new (MIEN_F32, &bias_shape);
  const gsize per_channel = w->n_elems / k;
  for (gint64 i = 0; i < k; i++) {
    const double scale = mien_tensor_f32 (p[0])[i] / sqrt ((double) mien_tensor_f32 (p[3])[i] + epsilon);
    const double before = bias != NULL ? mien_tensor_f32 (bias)[i] : 0;
    for (gsize j = 0; j < per_channel; j++)
      mien_tensor_f32 (new_w)[i * per_channel + j] = (float) (mien_tensor_f32 (w)[i * per_channel + j] * scale);
    mien_tensor_f32 (new_bias)[i] = (float) ((before - mien_tensor_f32 (p[2])[i]) * scale + mien_tensor_f32 (p[1])[i]);
  }
  const int inputs[] = { conv->inputs[0], mien_graph_add_constant (graph, NULL, new_w), mien_graph_add_constant (graph, NULL, new_bias) };
  conv->inputs = g_renew (int, conv->inputs, 3);
  memcpy (conv->inputs, inputs, sizeof inputs);
  conv->n_inputs = 3;
  return TRUE;
}

void
mien_passes_fold_norm (MienGraph *graph, const int *keep, int n_keep)
{
  Rewrite self = { graph };

  count_uses (&self, keep, n_keep);
  for (guint i = 0; i < graph->nodes->len; i++) {
    MienNode *conv = mien_graph_node (graph, i), *norm;
    if (!takes_norm (conv) || (norm = only_reader (&self, conv, "BatchNormalization")) == NULL)
      continue;
    if (fold_norm (graph, conv, norm))
      take_over (&self, conv, norm);
  }
  remove_idle (graph);
  g_free (self.n_uses);
  g_free (self.reader);
}

/* The bounds of a Clip, from attributes (opset < 11) or constant inputs. */
static gboolean
read_bounds (const MienGraph *graph, const MienNode *clip, float *lo, float *hi)
{
  *lo = mien_node_float (clip, "min", -INFINITY);
  *hi = mien_node_float (clip, "max", INFINITY);
  for (int i = 1; i < clip->n_inputs; i++) {
    if (clip->inputs[i] < 0)
      continue;
    const MienTensor *bound = constant_f32 (graph, clip->inputs[i]);
    if (bound == NULL || bound->n_elems != 1)
      return FALSE;
    *(i == 1 ? lo : hi) = mien_tensor_f32 (bound)[0];
  }
  return *lo <= *hi;
}

static void
fuse_activations (MienGraph *graph, const int *keep, int n_keep)
{
  Rewrite self = { graph };

  count_uses (&self, keep, n_keep);
  for (guint i = 0; i < graph->nodes->len; i++) {
    MienNode *node = mien_graph_node (graph, i), *reader;
    float lo = 0, hi = INFINITY;
    if (*node->domain != '\0' || (!g_str_equal (node->op, "Conv") && !g_str_equal (node->op, "Gemm")))
      continue;
    if ((reader = only_reader (&self, node, "Relu")) == NULL &&
        ((reader = only_reader (&self, node, "Clip")) == NULL || !read_bounds (graph, reader, &lo, &hi)))
      continue;
    mien_node_set_float (node, "mien.lo", lo);
    mien_node_set_float (node, "mien.hi", hi);
    take_over (&self, node, reader);
  }
  remove_idle (graph);
  g_free (self.n_uses);
  g_free (self.reader);
}

void
mien_passes_run (MienGraph *graph, const int *keep, int n_keep, const MienPassesForm *form)
{
  mien_passes_fold_norm (graph, keep, n_keep);
  fuse_activations (graph, keep, n_keep);
  if (form->blocking != MIEN_BLOCK_NONE)
    mien_passes_block (graph, keep, n_keep, form);
}
