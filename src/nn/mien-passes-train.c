/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocked layouts for training: before differentiation, the convolutions, normalisations and pools of a training graph are exchanged for forms on
 * blocked tensors (nn/ops/mien-ops-backward.c), whose gradients mien-autodiff.c knows. What has no such form reads plain values.
 *
 * All blocked values get the same halo, as wide as the widest padding of any convolution, so that gradients have room for theirs. */
#include <string.h>

#include "nn/mien-kernels.h"
#include "nn/mien-passes.h"

enum { MAX_STEM_CHANNELS = 4, MAX_STEM_TAPS = 8, MAX_HALO = 4 };

typedef struct {
  MienGraph *graph;
  int *blocked;     /* by plain value: its blocked twin, -1: none */
  int *uses;        /* by plain value */
  gboolean *exists; /* by plain value: something writes it as it is */
  int n_values;
  int halo;
  MienBlocking blocking;
} Layout;

static int
twin_of (const Layout *self, int value)
{
  return value >= 0 && value < self->n_values ? self->blocked[value] : -1;
}

static MienNode *
producer_of_twin (const Layout *self, int value)
{
  const int twin = twin_of (self, value);

  return twin >= 0 ? mien_graph_producer (self->graph, twin) : NULL;
}

static gint64
channels_of (const Layout *self, int twin)
{
  return mien_graph_value (self->graph, twin)->shape.dim[1];
}

static int
new_twin (Layout *self, int plain, gint64 channels)
{
  const MienShape note = { .rank = 4, .dim = { -1, channels, -1, -1 } };

  return self->blocked[plain] = mien_graph_add_value (self->graph, NULL, MIEN_F32, &note);
}

/* The halo stands under all names: forms that are shared with inference have one for each side. */
static MienNode *
add (Layout *self, const char *op, const MienNode *like, const int *inputs, int n_inputs, const int *outputs, int n_outputs, gint64 channels)
{
  static const char *const halos[] = { "halo", "x_halo", "y_halo" };
  MienNode *node = mien_graph_node (
    self->graph, mien_graph_add_node (self->graph, "mien", op, like != NULL ? like->name : NULL, inputs, n_inputs, outputs, n_outputs));

  mien_node_set_int (node, "channels", channels);
  mien_node_set_int (node, "bf16", self->blocking != MIEN_BLOCK_F32);
  mien_node_set_int (node, "tiles", self->blocking == MIEN_BLOCK_TILES);
  for (gsize i = 0; i < G_N_ELEMENTS (halos); i++)
    mien_node_set_int (node, halos[i], self->halo);
  return node;
}

static void
copy_ints (const MienNode *from, MienNode *to)
{
  static const char *const names[] = { "kernel_shape", "strides", "pads" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    gsize n;
    const gint64 *values = mien_node_ints (from, names[i], &n);
    if (values != NULL)
      mien_node_set_ints (to, names[i], values, n);
  }
}

static void
need_plain (Layout *self, int value)
{
  if (value < 0 || value >= self->n_values || self->exists[value] || self->blocked[value] < 0)
    return;
  add (self, "FromBlocked", NULL, &self->blocked[value], 1, &value, 1, channels_of (self, self->blocked[value]));
  self->exists[value] = TRUE;
}

/* All of a list the same; fallback where it is absent; -1 where they differ. */
static gint64
one_of (const MienNode *node, const char *name, gint64 fallback)
{
  gsize n;
  const gint64 *values = mien_node_ints (node, name, &n);

  for (gsize i = 1; values != NULL && i < n; i++)
    if (values[i] != values[0])
      return -1;
  return values != NULL && n > 0 ? values[0] : fallback;
}

static const MienTensor *
weights_of (const Layout *self, const MienNode *node)
{
  const MienTensor *w = node->n_inputs >= 2 ? mien_graph_value (self->graph, node->inputs[1])->tensor : NULL;

  return w != NULL && w->type == MIEN_F32 && w->shape.rank == 4 && w->n_elems > 0 ? w : NULL;
}

/* Square windows of odd size with the same padding all round, which keeps the size but for the stride. */
static gboolean
is_simple_conv (const Layout *self, const MienNode *node)
{
  const MienTensor *w = weights_of (self, node);
  const gint64 stride = one_of (node, "strides", 1);

  return g_str_equal (node->op, "Conv") && *node->domain == '\0' && w != NULL && w->shape.dim[2] == w->shape.dim[3] && w->shape.dim[2] % 2 == 1 &&
         one_of (node, "pads", 0) == w->shape.dim[2] / 2 && w->shape.dim[2] / 2 <= MAX_HALO && (stride == 1 || stride == 2) &&
         one_of (node, "dilations", 1) == 1 && mien_node_int (node, "group", 1) == 1 && mien_node_attr (node, "auto_pad") == NULL;
}

static gboolean
is_input (const MienGraph *graph, int value)
{
  for (guint i = 0; i < graph->inputs->len; i++)
    if (g_array_index (graph->inputs, int, i) == value)
      return TRUE;
  return FALSE;
}

static gboolean
convert_conv (Layout *self, const MienNode *node)
{
  const MienTensor *w = weights_of (self, node);
  int x = twin_of (self, node->inputs[0]);

  if (!is_simple_conv (self, node) || (x >= 0 && channels_of (self, x) != w->shape.dim[1]))
    return FALSE;
  const gboolean stem = x < 0 && is_input (self->graph, node->inputs[0]) && w->shape.dim[1] <= MAX_STEM_CHANNELS &&
                        w->shape.dim[2] <= MAX_STEM_TAPS;
  if (x < 0 && !stem) {
    x = new_twin (self, node->inputs[0], w->shape.dim[1]);
    add (self, "ToBlocked", NULL, &node->inputs[0], 1, &x, 1, w->shape.dim[1]);
  }
  const int inputs[] = { stem ? node->inputs[0] : x, node->inputs[1], node->n_inputs > 2 ? node->inputs[2] : -1 };
  const int y = new_twin (self, node->outputs[0], w->shape.dim[0]);
  copy_ints (node, add (self, stem ? "TrainStem" : "TrainConv", node, inputs, inputs[2] >= 0 ? 3 : 2, &y, 1, w->shape.dim[1]));
  return TRUE;
}

static gboolean
convert_norm (Layout *self, const MienNode *node)
{
  const int x = twin_of (self, node->inputs[0]);

  if (x < 0 || !g_str_equal (node->domain, "mien"))
    return FALSE;
  const gint64 channels = channels_of (self, x);
  const int inputs[] = { x, node->inputs[1], node->inputs[2] };
  const int outputs[] = { new_twin (self, node->outputs[0], channels), node->outputs[1], node->outputs[2] };
  MienNode *norm = add (self, "TrainNorm", node, inputs, 3, outputs, 3, channels);
  mien_node_set_float (norm, "epsilon", mien_node_float (node, "epsilon", 1e-5f));
  if (mien_node_attr (node, "mien.lo") != NULL)
    mien_node_set_float (norm, "mien.lo", mien_node_float (node, "mien.lo", 0));
  for (int i = 1; i < 3; i++)
    self->exists[node->outputs[i]] = TRUE;
  return TRUE;
}

static gboolean
convert_max_pool (Layout *self, const MienNode *node)
{
  const int x = twin_of (self, node->inputs[0]);

  if (x < 0 || one_of (node, "kernel_shape", 0) != 2 || one_of (node, "strides", 1) != 2 || one_of (node, "pads", 0) != 0 || node->n_outputs > 1 ||
      mien_node_int (node, "ceil_mode", 0) != 0)
    return FALSE;
  const gint64 channels = channels_of (self, x);
  const int y = new_twin (self, node->outputs[0], channels);
  copy_ints (node, add (self, "BlockedMaxPool", node, &x, 1, &y, 1, channels));
  return TRUE;
}

static gboolean
convert_global_average (Layout *self, const MienNode *node)
{
  const int x = twin_of (self, node->inputs[0]);

  if (x < 0)
    return FALSE;
  add (self, "BlockedGlobalAverage", node, &x, 1, node->outputs, 1, channels_of (self, x));
  self->exists[node->outputs[0]] = TRUE;
  return TRUE;
}

/* A normalisation (or what else takes an activation) whose result only this reads, and that can still take something on. */
static MienNode *
open_node (const Layout *self, int value, gboolean norm)
{
  MienNode *node = producer_of_twin (self, value);

  if (node == NULL || self->uses[value] != 1 || mien_node_attr (node, "mien.lo") != NULL)
    return NULL;
  return g_str_equal (node->op, "TrainNorm") || (!norm && (g_str_equal (node->op, "TrainConv") || g_str_equal (node->op, "TrainStem"))) ? node : NULL;
}

static gboolean
convert_add (Layout *self, const MienNode *node)
{
  const int a = twin_of (self, node->inputs[0]), b = node->n_inputs == 2 ? twin_of (self, node->inputs[1]) : -1;

  if (a < 0 || b < 0 || a == b || channels_of (self, a) != channels_of (self, b))
    return FALSE;
  /* The later of the two: the other one is there when it runs. */
  const int later = mien_graph_value (self->graph, a)->producer > mien_graph_value (self->graph, b)->producer ? 0 : 1;
  MienNode *norm = open_node (self, node->inputs[later], TRUE);
  if (norm != NULL && norm->n_inputs == 3) {
    norm->inputs = g_renew (int, norm->inputs, 4);
    norm->inputs[norm->n_inputs++] = later == 0 ? b : a;
    self->blocked[node->outputs[0]] = norm->outputs[0];
    return TRUE;
  }
  const int inputs[] = { a, b }, y = new_twin (self, node->outputs[0], channels_of (self, a));
  add (self, "TrainAdd", node, inputs, 2, &y, 1, channels_of (self, a));
  return TRUE;
}

static gboolean
convert_relu (Layout *self, const MienNode *node)
{
  MienNode *open = open_node (self, node->inputs[0], FALSE);

  if (open == NULL)
    return FALSE;
  mien_node_set_float (open, "mien.lo", 0);
  self->blocked[node->outputs[0]] = open->outputs[0];
  return TRUE;
}

static gboolean
convert (Layout *self, const MienNode *node)
{
  static const struct {
    const char *op;
    gboolean (*convert) (Layout *self, const MienNode *node);
  } rules[] = {
    { "Conv", convert_conv },
    { "BatchNormTrain", convert_norm },
    { "MaxPool", convert_max_pool },
    { "GlobalAveragePool", convert_global_average },
    { "Add", convert_add },
    { "Relu", convert_relu },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rules); i++)
    if (g_str_equal (rules[i].op, node->op))
      return rules[i].convert (self, node);
  return FALSE;
}

/* Sizes, and whether tiles pay: some convolution must fill more than half of a block of 32 channels on both sides. */
static void
look_around (Layout *self, const MienPassesForm *form)
{
  enum { HALF = 16 };
  gboolean wide = FALSE;

  for (guint i = 0; i < self->graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (self->graph, i);
    if (is_simple_conv (self, node)) {
      const MienShape *w = &weights_of (self, node)->shape;
      self->halo = MAX (self->halo, (int) w->dim[2] / 2);
      wide = wide || (w->dim[0] > HALF && w->dim[1] > HALF);
    }
    for (int k = 0; k < node->n_inputs; k++)
      if (node->inputs[k] >= 0)
        self->uses[node->inputs[k]]++;
  }
  if (form->blocking == MIEN_BLOCK_TILES && !wide)
    self->blocking = form->without_tiles;
}

void
mien_passes_block_training (MienGraph *graph, int result, const MienPassesForm *form)
{
  const int n_values = (int) graph->values->len;
  g_autofree int *blocked = g_new (int, n_values + 1), *uses = g_new0 (int, n_values + 1);
  g_autofree gboolean *exists = g_new0 (gboolean, n_values + 1);
  Layout self = { graph, blocked, uses, exists, n_values, 0, form->blocking };
  g_autoptr (GPtrArray) old = NULL;

  if (form->blocking == MIEN_BLOCK_NONE)
    return;
  look_around (&self, form);
  uses[result] += 2;
  memset (blocked, 0xff, n_values * sizeof *blocked);
  old = mien_graph_steal_nodes (graph);
  for (guint i = 0; i < old->len; i++) {
    MienNode *node = g_ptr_array_index (old, i);
    if (convert (&self, node))
      continue;
    for (int k = 0; k < node->n_inputs; k++)
      need_plain (&self, node->inputs[k]);
    for (int k = 0; k < node->n_outputs; k++)
      if (node->outputs[k] >= 0)
        exists[node->outputs[k]] = TRUE;
    mien_graph_keep_node (graph, old, i);
  }
  need_plain (&self, result);
}

MienPassesForm
mien_passes_training_form (MienCpuLevel cpu)
{
  MienKernels kernels;

  mien_kernels_init (&kernels, cpu);
  const MienBlocking vectors = kernels.backward_bf16.lanes > 0 ? MIEN_BLOCK_BF16 : kernels.backward.lanes > 0 ? MIEN_BLOCK_F32 : MIEN_BLOCK_NONE;

  return (MienPassesForm) { .blocking = kernels.backward_tiles.lanes > 0 ? MIEN_BLOCK_TILES : vectors, .without_tiles = vectors };
}
