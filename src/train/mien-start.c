/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mien-config.h"

#include "train/mien-start.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "train/mien-trainer.h"

#define EPSILON 1e-5 /* of BatchNormalization */

enum { BATCHES = 16 }; /* for the statistics of a layer */

static MienTensor *
parameter (const MienNet *net, const char *layer, const char *what)
{
  g_autofree char *name = g_strdup_printf ("%s.%s", layer, what);
  const int value = mien_graph_find (net->graph, name);

  return value >= 0 ? mien_graph_value (net->graph, value)->tensor : NULL;
}

/* Input i of the model's node of that name. */
static const MienTensor *
constant (const MienGraph *graph, const char *layer, int i)
{
  for (guint k = 0; k < graph->nodes->len; k++) {
    const MienNode *node = mien_graph_node (graph, k);
    if (g_str_equal (node->name, layer) && node->n_inputs > i && node->inputs[i] >= 0)
      return mien_graph_value (graph, node->inputs[i])->tensor;
  }
  return NULL;
}

static gboolean
fits (const MienTensor *from, const MienTensor *to)
{
  return from != NULL && from->type == MIEN_F32 && from->data != NULL && mien_shape_equal (&from->shape, &to->shape);
}

static double
length_of (const float *w, gsize n)
{
  double squares = 0;

  for (gsize i = 0; i < n; i++)
    squares += (double) w[i] * w[i];
  return sqrt (squares);
}

/* Weights without normalisation behind them stay as they are; factors[] is what the filters of the others were multiplied by. FALSE when the
 * model has no such layer of that size: then nothing is changed. */
static gboolean
take_weights (MienNet *net, const MienGraph *graph, const char *layer, double **factors)
{
  MienTensor *w = parameter (net, layer, "weight"), *bias = parameter (net, layer, "bias");
  const MienTensor *model_w = constant (graph, layer, 1), *model_bias = constant (graph, layer, 2);
  const gboolean normalised = parameter (net, layer, "scale") != NULL;
  const gsize n_filters = (gsize) w->shape.dim[0], n = w->n_elems / n_filters;

  if (!fits (model_w, w) || !fits (model_bias, normalised ? parameter (net, layer, "shift") : bias))
    return FALSE;
  memcpy (w->data, model_w->data, mien_tensor_n_bytes (w));
  if (!normalised) {
    memcpy (bias->data, model_bias->data, mien_tensor_n_bytes (bias));
    return TRUE;
  }
  *factors = g_new (double, n_filters);
  for (gsize k = 0; k < n_filters; k++) {
    float *filter = mien_tensor_f32 (w) + k * n;
    const double length = length_of (filter, n), factor = length > 0 ? G_SQRT2 / length : 1;
    for (gsize i = 0; i < n; i++)
      filter[i] = (float) (filter[i] * factor);
    (*factors)[k] = factor;
  }
  return TRUE;
}

/* scale and shift, when mean and var are right. */
static void
choose_normalisation (MienNet *net, const MienGraph *graph, const char *layer, const double *factors)
{
  const MienTensor *mean = parameter (net, layer, "mean"), *var = parameter (net, layer, "var"), *bias = constant (graph, layer, 2);
  float *scale = mien_tensor_f32 (parameter (net, layer, "scale")), *shift = mien_tensor_f32 (parameter (net, layer, "shift"));

  for (gsize k = 0; k < mean->n_elems; k++) {
    scale[k] = (float) (sqrt (mien_tensor_f32 (var)[k] + EPSILON) / factors[k]);
    shift[k] = (float) (mien_tensor_f32 (mean)[k] / factors[k] + mien_tensor_f32 (bias)[k]);
  }
}

/* "conv1" of "conv1.mean". (transfer full) */
static char *
layer_of (const MienNet *net, int value)
{
  const char *name = mien_graph_value (net->graph, value)->name;

  return g_strndup (name, strrchr (name, '.') - name);
}

gboolean
mien_start (MienNet *net, const MienModel *model, MienSettle *settle, GError **error)
{
  const MienGraph *graph = mien_model_get_graph (model);
  g_autoptr (GHashTable) factors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free); /* by layer */
  guint n_taken = 0;

  for (guint i = 0; i < net->weights->len; i++) {
    g_autofree char *layer = layer_of (net, g_array_index (net->weights, int, i));
    double *of_layer = NULL;
    n_taken += take_weights (net, graph, layer, &of_layer);
    if (of_layer != NULL)
      g_hash_table_insert (factors, g_steal_pointer (&layer), of_layer);
  }
  if (2 * n_taken < net->weights->len) {
    g_autofree char *title = mien_model_dup_title (model);
    g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_RECIPE,
                 _("the model “%s” cannot be the start of this training: %u of %u layers fit; choose a model of a similar architecture"), title, n_taken,
                 net->weights->len);
    return FALSE;
  }
  /* A layer's statistics need those before it to be right. */
  for (guint i = 0; i < net->stats->len; i++) {
    g_autofree char *layer = layer_of (net, g_array_index (net->stats, MienNetStats, i).mean);
    const double *of_layer = g_hash_table_lookup (factors, layer);
    if (!mien_settle_run (settle, net, BATCHES, error))
      return FALSE;
    if (of_layer != NULL)
      choose_normalisation (net, graph, layer, of_layer);
  }
  return TRUE;
}
