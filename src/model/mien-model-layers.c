/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What mien-cli info and the layer browser tell about each layer. Counted on the graph as it stands in the file: constants are known, but nothing is
 * fused, so that the reader finds his own layers again. */
#include "mien-config.h"

#include <string.h>

#include "model/mien-model-private.h"

static void
layer_free (gpointer data)
{
  MienLayerInfo *layer = data;

  g_free (layer->name);
  g_free (layer->op);
  g_free (layer);
}

static const MienShape *
constant_shape (const MienGraph *graph, const MienNode *node, int i)
{
  const MienValue *value = i < node->n_inputs && node->inputs[i] >= 0 ? mien_graph_value (graph, node->inputs[i]) : NULL;

  return value != NULL && value->tensor != NULL ? &value->tensor->shape : NULL;
}

/* "Conv 3x3", "MaxPool 2x2", "Conv 3x3 depthwise" */
static char *
describe_op (const MienGraph *graph, const MienNode *node)
{
  const MienShape *weight = strcmp (node->op, "Conv") == 0 || strcmp (node->op, "ConvTranspose") == 0 ? constant_shape (graph, node, 1) : NULL;
  GString *text = g_string_new (node->op);
  gsize n;
  const gint64 *kernel = mien_node_ints (node, "kernel_shape", &n);

  if (weight != NULL && weight->rank > 2) {
    kernel = weight->dim + 2;
    n = weight->rank - 2;
  }
  for (gsize i = 0; i < MIN (n, 3); i++)
    g_string_append_printf (text, "%c%" G_GINT64_FORMAT, i == 0 ? ' ' : 'x', kernel[i]);
  if (weight != NULL && weight->rank > 2 && weight->dim[1] == 1 && mien_node_int (node, "group", 1) > 1)
    g_string_append (text, " depthwise");
  return g_string_free (text, FALSE);
}

/* Weights no earlier layer has counted. */
static gint64
count_params (const MienGraph *graph, const MienNode *node, gboolean *counted)
{
  gint64 n = 0;

  for (int i = 0; i < node->n_inputs; i++) {
    const MienValue *value = node->inputs[i] >= 0 ? mien_graph_value (graph, node->inputs[i]) : NULL;

    if (value == NULL || value->tensor == NULL || counted[node->inputs[i]] ||
        (value->type != MIEN_F32 && value->type != MIEN_F16 && value->type != MIEN_F64 && value->type != MIEN_BF16))
      continue;
    counted[node->inputs[i]] = TRUE;
    n += value->tensor->n_elems;
  }
  return n;
}

static gint64
count_macs (const MienPlan *plan, const MienNode *node, const MienShape *output)
{
  MienShape a, b;
  MienType type;
  gsize n_in, n_weights, n_out;

  if (node->n_inputs < 2 || node->inputs[0] < 0 || node->inputs[1] < 0)
    return 0;
  mien_plan_get_value (plan, node->inputs[0], &type, &a);
  mien_plan_get_value (plan, node->inputs[1], &type, &b);
  if (!mien_shape_n_elems (&a, &n_in) || !mien_shape_n_elems (&b, &n_weights) || !mien_shape_n_elems (output, &n_out))
    return 0;
  if (strcmp (node->op, "Conv") == 0 && b.rank > 2 && b.dim[0] > 0) /* w[K][C / group][R][S] */
    return (gint64) n_out * (gint64) (n_weights / b.dim[0]);
  if (strcmp (node->op, "ConvTranspose") == 0 && b.rank > 2 && b.dim[0] > 0) /* w[C][K / group][R][S] */
    return (gint64) n_in * (gint64) (n_weights / b.dim[0]);
  if (strcmp (node->op, "Gemm") == 0 && a.rank == 2)
    return (gint64) n_out * a.dim[mien_node_int (node, "transA", 0) ? 0 : 1];
  if (strcmp (node->op, "MatMul") == 0 && a.rank > 0)
    return (gint64) n_out * a.dim[a.rank - 1];
  return 0;
}

static gboolean
is_layer (const MienPlan *plan, const MienNode *node)
{
  MienShape shape;
  MienType type;

  if (strcmp (node->op, "Constant") == 0 || strcmp (node->op, "Identity") == 0 || node->n_outputs == 0 || node->outputs[0] < 0)
    return FALSE;
  /* Shape arithmetic is in integers. */
  mien_plan_get_value (plan, node->outputs[0], &type, &shape);
  return type == MIEN_F32 || type == MIEN_F16 || type == MIEN_BF16 || type == MIEN_F64;
}

GPtrArray *
mien_model_dup_layers (const MienModel *self, GError **error)
{
  const int batch = MAX (self->fixed_batch, 1);
  g_autoptr (MienPlan) plan = mien_model_make_plan (self, batch, mien_cpu_level (), MIEN_PRECISION_F32, NULL, TRUE, error);
  g_autofree gboolean *counted = g_new0 (gboolean, self->graph->values->len + 1);
  GPtrArray *layers;

  if (plan == NULL)
    return NULL;
  layers = g_ptr_array_new_with_free_func (layer_free);
  for (guint i = 0; i < self->graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (self->graph, i);
    MienLayerInfo *layer;
    MienType type;

    if (!is_layer (plan, node))
      continue;
    layer = g_new0 (MienLayerInfo, 1);
    layer->name = mien_graph_shown (*node->name != '\0' ? node->name : mien_graph_value (self->graph, node->outputs[0])->name);
    layer->op = describe_op (self->graph, node);
    mien_plan_get_value (plan, node->outputs[0], &type, &layer->output);
    layer->params = count_params (self->graph, node, counted);
    layer->macs = count_macs (plan, node, &layer->output) / batch;
    g_ptr_array_add (layers, layer);
  }
  return layers;
}
