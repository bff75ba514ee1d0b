/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocked layouts: convolutions and pools are exchanged for their blocked forms, a value is brought back to the plain layout where
 * something else reads it. Sums of two blocked values join the convolution that comes last, and a Relu behind it too; a 1 x 1 convolution
 * joins the depthwise one before it, a mean of all pixels the convolution. Dense layers with constant weights read blocked values as they are, through Flatten.
 *
 * Every plain value keeps its index: where it is still needed, FromBlocked writes it. */
#include "nn/mien-passes.h"

#include "kernels/mien-blocked.h"

#include <math.h>
#include <string.h>

enum { MAX_HALO = 16 };

typedef struct {
  MienGraph *graph;
  int *blocked;     /* by plain value: its blocked twin, -1: none */
  int *uses;        /* by plain value: readers, outputs and keeps count double */
  gboolean *exists; /* by plain value: something writes it as it is */
  int *flat;        /* by plain value: the one that it is the flat form of, whose twin will do for dense layers; -1: none */
  int n_values;     /* plain ones */
  MienBlocking blocking;
  const MienPassesForm *form;
} Layout;

static const MienTensor *
constant (const Layout *self, int value)
{
  const MienValue *v = value >= 0 ? mien_graph_value (self->graph, value) : NULL;

  return v != NULL && v->kind == MIEN_VALUE_CONSTANT && v->tensor != NULL && v->tensor->type == MIEN_F32 ? v->tensor : NULL;
}

static int
twin_of (const Layout *self, int value)
{
  return value >= 0 && value < self->n_values ? self->blocked[value] : -1;
}

static gint64
channels_of (const Layout *self, int blocked)
{
  return mien_graph_value (self->graph, blocked)->shape.dim[1]; /* noted by new_twin() */
}

static int
new_twin (Layout *self, int plain, gint64 channels)
{
  const MienShape note = { .rank = 4, .dim = { -1, channels, -1, -1 } };

  return self->blocked[plain] = mien_graph_add_value (self->graph, NULL, MIEN_F32, &note);
}

static void
copy_attrs (const MienNode *from, MienNode *to)
{
  static const char *const lists[] = { "kernel_shape", "strides", "pads", "dilations" };
  static const char *const floats[] = { "mien.lo", "mien.hi" };

  for (gsize i = 0; i < G_N_ELEMENTS (lists); i++) {
    gsize n;
    const gint64 *values = mien_node_ints (from, lists[i], &n);
    if (values != NULL)
      mien_node_set_ints (to, lists[i], values, n);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (floats); i++)
    if (mien_node_attr (from, floats[i]) != NULL)
      mien_node_set_float (to, floats[i], mien_node_float (from, floats[i], 0));
  if (mien_node_attr (from, "auto_pad") != NULL)
    mien_node_set_string (to, "auto_pad", mien_node_string (from, "auto_pad", ""));
  mien_node_set_int (to, "ceil_mode", mien_node_int (from, "ceil_mode", 0));
}

static MienNode *
add (Layout *self, const char *op, const MienNode *like, const int *inputs, int n_inputs, int output, gint64 channels)
{
  const int index = mien_graph_add_node (self->graph, "mien", op, like != NULL ? like->name : NULL, inputs, n_inputs, &output, 1);
  MienNode *node = mien_graph_node (self->graph, index);

  mien_node_set_int (node, "channels", channels);
  if (like != NULL)
    copy_attrs (like, node);
  return node;
}

/* Sees to it that the plain form of a value is there. */
static void
need_plain (Layout *self, int value)
{
  if (value < 0 || value >= self->n_values || self->exists[value])
    return;
  if (self->flat[value] >= 0) {
    need_plain (self, self->flat[value]);
    mien_graph_add_node (self->graph, "", "Flatten", NULL, &self->flat[value], 1, &value, 1);
    self->exists[value] = TRUE;
    return;
  }
  if (self->blocked[value] < 0)
    return;
  add (self, "FromBlocked", NULL, &self->blocked[value], 1, value, channels_of (self, self->blocked[value]));
  self->exists[value] = TRUE;
}

/* The attributes are a file's, unchecked yet. */
static gint64
widest_padding (const MienNode *node, const MienShape *w)
{
  gint64 most = 0;
  gsize n;
  const gint64 *pads = mien_node_ints (node, "pads", &n);

  for (gsize i = 0; pads != NULL && i < n; i++)
    most = MAX (most, pads[i]);
  if (g_str_has_prefix (mien_node_string (node, "auto_pad", ""), "SAME_")) {
    const gint64 *dilations = mien_node_ints (node, "dilations", &n);
    for (int d = 0; d < 2; d++)
      most = MAX (most, MIN (w->dim[2 + d] - 1, MAX_HALO + 1) * (dilations != NULL && n == 2 ? CLAMP (dilations[d], 0, MAX_HALO + 1) : 1));
  }
  return most;
}

static gboolean
all_are (const MienNode *node, const char *attr, gint64 wanted, gboolean if_absent)
{
  gsize n;
  const gint64 *values = mien_node_ints (node, attr, &n);

  for (gsize i = 0; values != NULL && i < n; i++)
    if (values[i] != wanted)
      return FALSE;
  return values != NULL || if_absent;
}

/* Padding on all sides of a narrow convolution 3 x 3 without strides, -1 when it is another one. */
static int
narrow_padding (const Layout *self, const MienNode *node)
{
  const MienShape *w = &constant (self, node->inputs[1])->shape;

  if (w->dim[0] > MIEN_BLOCKED_PAIR_CHANNELS || w->dim[2] != 3 || w->dim[3] != 3 || !all_are (node, "strides", 1, TRUE) ||
      !all_are (node, "dilations", 1, TRUE) || !all_are (node, "kernel_shape", 3, TRUE) ||
      !g_str_equal (mien_node_string (node, "auto_pad", "NOTSET"), "NOTSET"))
    return -1;
  return all_are (node, "pads", 0, TRUE) ? 0 : all_are (node, "pads", 1, FALSE) ? 1 : -1;
}

/* A narrow convolution behind a narrow stem that nobody else reads joins it. */
static gboolean
join_pair (Layout *self, const MienNode *node, int x)
{
  MienNode *stem = x >= 0 ? mien_graph_producer (self->graph, x) : NULL;
  const int bias = node->n_inputs > 2 ? node->inputs[2] : -1, pad = narrow_padding (self, node);

  if (!self->form->pairs || self->blocking == MIEN_BLOCK_TILES || pad < 0 || stem == NULL || !g_str_equal (stem->op, "BlockedStem") ||
      mien_node_int (stem, "pool", 0) != 0 || narrow_padding (self, stem) < 0 || self->exists[node->inputs[0]] || self->uses[node->inputs[0]] != 1)
    return FALSE;
  mien_node_set_int (stem, "first_pad", narrow_padding (self, stem));
  mien_node_set_int (stem, "second_pad", pad);
  mien_node_set_float (stem, "second.lo", mien_node_float (node, "mien.lo", -INFINITY));
  mien_node_set_float (stem, "second.hi", mien_node_float (node, "mien.hi", INFINITY));
  stem->op = g_intern_static_string ("BlockedPair");
  stem->inputs = g_renew (int, stem->inputs, 5);
  if (stem->n_inputs < 3)
    stem->inputs[2] = -1;
  stem->inputs[3] = node->inputs[1];
  stem->inputs[4] = bias;
  stem->n_inputs = 5;
  mien_graph_value (self->graph, x)->shape.dim[1] = constant (self, node->inputs[1])->shape.dim[0];
  self->blocked[node->outputs[0]] = x;
  return TRUE;
}

static gboolean
is_separable (const MienNode *node)
{
  return g_str_equal (node->op, "BlockedSeparable");
}

/* A 1 x 1 convolution behind a depthwise one that nobody else reads joins it. */
static gboolean
join_depth (Layout *self, const MienNode *node, int x)
{
  MienNode *depth = x >= 0 ? mien_graph_producer (self->graph, x) : NULL;
  const MienShape *w = &constant (self, node->inputs[1])->shape;

  if (self->blocking == MIEN_BLOCK_TILES || depth == NULL || !g_str_equal (depth->op, "BlockedDepth") || depth->n_inputs > 3 ||
      self->exists[node->inputs[0]] || self->uses[node->inputs[0]] != 1 || w->dim[2] != 1 || w->dim[3] != 1 ||
      !all_are (node, "strides", 1, TRUE) || !all_are (node, "dilations", 1, TRUE) || !all_are (node, "kernel_shape", 1, TRUE) ||
      !all_are (node, "pads", 0, TRUE) || !g_str_equal (mien_node_string (node, "auto_pad", "NOTSET"), "NOTSET"))
    return FALSE;
  mien_node_set_float (depth, "second.lo", mien_node_float (node, "mien.lo", -INFINITY));
  mien_node_set_float (depth, "second.hi", mien_node_float (node, "mien.hi", INFINITY));
  depth->op = g_intern_static_string ("BlockedSeparable");
  depth->inputs = g_renew (int, depth->inputs, 6);
  depth->inputs[4] = depth->n_inputs > 2 ? depth->inputs[2] : -1;
  depth->inputs[5] = node->n_inputs > 2 ? node->inputs[2] : -1;
  depth->inputs[2] = node->inputs[1];
  depth->inputs[3] = -1;
  depth->n_inputs = 6;
  mien_graph_value (self->graph, x)->shape.dim[1] = w->dim[0];
  self->blocked[node->outputs[0]] = x;
  return TRUE;
}

static gboolean
convert_conv (Layout *self, const MienNode *node)
{
  const MienTensor *w = node->n_inputs > 1 ? constant (self, node->inputs[1]) : NULL;
  const int bias = node->n_inputs > 2 ? node->inputs[2] : -1;
  const gint64 group = mien_node_int (node, "group", 1);

  if (w == NULL || w->shape.rank != 4 || w->n_elems == 0 || (bias >= 0 && (constant (self, bias) == NULL || constant (self, bias)->n_elems != (gsize) w->shape.dim[0])))
    return FALSE;
  if (widest_padding (node, &w->shape) > MAX_HALO)
    return FALSE;
  if (group < 1 || group > w->shape.dim[0])
    return FALSE;
  const gint64 k = w->shape.dim[0], c = w->shape.dim[1] * group;
  const gboolean depthwise = group > 1 && group == k && w->shape.dim[1] == 1;
  int x = twin_of (self, node->inputs[0]);
  if ((group != 1 && !depthwise) || (x >= 0 && channels_of (self, x) != c))
    return FALSE;
  if (group == 1 && (join_pair (self, node, x) || join_depth (self, node, x)))
    return TRUE;
  const gboolean stem = x < 0 && !depthwise && c <= MIEN_BLOCKED_STEM_CHANNELS;
  if (x < 0 && !stem) {
    x = new_twin (self, node->inputs[0], c);
    add (self, "ToBlocked", NULL, &node->inputs[0], 1, x, c);
  }
  const int inputs[] = { stem ? node->inputs[0] : x, node->inputs[1], bias };
  add (self, stem ? "BlockedStem" : depthwise ? "BlockedDepth" : "BlockedConv", node, inputs, bias >= 0 ? 3 : 2, new_twin (self, node->outputs[0], k), c);
  return TRUE;
}

/* Whether a stem is one that can pool: what its kernel knows. */
static gboolean
can_pool_stem (const Layout *self, const MienNode *stem)
{
  const MienShape *w = &constant (self, stem->inputs[1])->shape;
  gsize n;
  const gint64 *strides = mien_node_ints (stem, "strides", &n);

  return w->dim[2] <= MIEN_BLOCKED_STEM_TAPS && w->dim[3] <= MIEN_BLOCKED_STEM_TAPS && all_are (stem, "dilations", 1, TRUE) &&
         (strides == NULL || (n == 2 && MAX (strides[0], strides[1]) <= MIEN_BLOCKED_STEM_STRIDE));
}

/* A maximum over 2 x 2 pixels behind a stem or a convolution that nobody else reads joins it. */
static gboolean
join_pool (Layout *self, const MienNode *node, int x)
{
  MienNode *conv = mien_graph_producer (self->graph, x);

  if (conv == NULL || mien_node_int (conv, "pool", 0) != 0 || self->exists[node->inputs[0]] || self->uses[node->inputs[0]] != 1)
    return FALSE;
  if (g_str_equal (conv->op, "BlockedStem") ? !can_pool_stem (self, conv)
                                            : !g_str_equal (conv->op, "BlockedConv") || conv->n_inputs > 3 || self->blocking == MIEN_BLOCK_TILES)
    return FALSE;
  if (!all_are (node, "kernel_shape", 2, FALSE) || !all_are (node, "strides", 2, FALSE) || !all_are (node, "pads", 0, TRUE) ||
      !all_are (node, "dilations", 1, TRUE) || mien_node_int (node, "ceil_mode", 0) != 0 ||
      g_str_has_prefix (mien_node_string (node, "auto_pad", ""), "SAME_"))
    return FALSE;
  mien_node_set_int (conv, "pool", 1);
  self->blocked[node->outputs[0]] = x;
  return TRUE;
}

static gboolean
convert_pool (Layout *self, const MienNode *node)
{
  const int x = twin_of (self, node->inputs[0]);
  const gboolean max = g_str_equal (node->op, "MaxPool");
  gsize n_dims;
  const gint64 *kernel = mien_node_ints (node, "kernel_shape", &n_dims);

  if (x < 0 || (node->n_outputs > 1 && node->outputs[1] >= 0) || mien_node_int (node, "count_include_pad", 0) != 0 ||
      kernel == NULL || n_dims != 2 || kernel[0] > MIEN_BLOCKED_MAX_POOL)
    return FALSE;
  if (max && join_pool (self, node, x))
    return TRUE;
  const gint64 channels = channels_of (self, x);
  add (self, max ? "BlockedMaxPool" : "BlockedAveragePool", node, &x, 1, new_twin (self, node->outputs[0], channels), channels);
  return TRUE;
}

/* The convolution that alone writes the blocked twin of value, can still take something on, and that nobody else reads. */
static MienNode *
open_conv (const Layout *self, int value)
{
  const int twin = twin_of (self, value);
  MienNode *node = twin >= 0 ? mien_graph_producer (self->graph, twin) : NULL;

  if (node == NULL || self->exists[value] || self->uses[value] != 1)
    return NULL;
  if (is_separable (node))
    return mien_node_float (node, "second.lo", 0) == -INFINITY && mien_node_float (node, "second.hi", 0) == INFINITY ? node : NULL;
  if (mien_node_attr (node, "mien.lo") != NULL || (g_str_equal (node->op, "BlockedConv") && mien_node_int (node, "pool", 0) != 0) ||
      (!g_str_equal (node->op, "BlockedConv") && !g_str_equal (node->op, "BlockedDepth") && !g_str_equal (node->op, "BlockedStem")))
    return NULL;
  return node;
}

/* Behind a convolution with nothing between, the two become one. */
static gboolean
convert_global_average (Layout *self, const MienNode *node)
{
  const int x = twin_of (self, node->inputs[0]), y = node->outputs[0];
  MienNode *conv = self->blocking != MIEN_BLOCK_TILES ? open_conv (self, node->inputs[0]) : NULL;

  if (x < 0)
    return FALSE;
  if (conv != NULL && g_str_equal (conv->op, "BlockedConv") && conv->n_inputs < 4) {
    conv->op = g_intern_static_string ("BlockedConvMean");
    conv->outputs[0] = y;
    mien_graph_value (self->graph, y)->producer = mien_graph_value (self->graph, x)->producer;
  } else {
    add (self, "BlockedGlobalAverage", node, &x, 1, y, channels_of (self, x));
  }
  self->exists[y] = TRUE;
  return TRUE;
}

static gboolean
convert_add (Layout *self, const MienNode *node)
{
  const int a = node->n_inputs == 2 ? twin_of (self, node->inputs[0]) : -1, b = node->n_inputs == 2 ? twin_of (self, node->inputs[1]) : -1;

  if (a < 0 || b < 0 || a == b || channels_of (self, a) != channels_of (self, b))
    return FALSE;
  /* The later of the two: the other one is there when it runs. */
  const int later = mien_graph_value (self->graph, a)->producer > mien_graph_value (self->graph, b)->producer ? 0 : 1;
  MienNode *conv = open_conv (self, node->inputs[later]);
  if (conv == NULL || conv->n_inputs == 4 || (is_separable (conv) && conv->inputs[3] >= 0) || g_str_equal (conv->op, "BlockedStem"))
    return FALSE;
  const int residual = later == 0 ? b : a, old = conv->outputs[0];
  conv->inputs = g_renew (int, conv->inputs, MAX (conv->n_inputs, 4));
  for (int i = conv->n_inputs; i < 3; i++)
    conv->inputs[i] = -1;
  conv->inputs[3] = residual;
  conv->n_inputs = MAX (conv->n_inputs, 4);
  self->blocked[node->outputs[0]] = old;
  return TRUE;
}

static gboolean
convert_relu (Layout *self, const MienNode *node)
{
  MienNode *conv = open_conv (self, node->inputs[0]);

  if (conv == NULL)
    return FALSE;
  mien_node_set_float (conv, is_separable (conv) ? "second.lo" : "mien.lo", 0);
  self->blocked[node->outputs[0]] = conv->outputs[0];
  return TRUE;
}

/* Put off until somebody needs it. */
static gboolean
convert_flatten (Layout *self, const MienNode *node)
{
  if (twin_of (self, node->inputs[0]) < 0 || mien_node_int (node, "axis", 1) != 1)
    return FALSE;
  self->flat[node->outputs[0]] = node->inputs[0];
  return TRUE;
}

/* Gemm and MatMul with constant weights. */
static gboolean
convert_dense (Layout *self, const MienNode *node)
{
  const gboolean gemm = g_str_equal (node->op, "Gemm");
  const MienTensor *w = node->n_inputs > 1 ? constant (self, node->inputs[1]) : NULL;
  const int from = node->inputs[0] < self->n_values ? self->flat[node->inputs[0]] : -1, bias = node->n_inputs > 2 ? node->inputs[2] : -1;
  const gboolean trans_b = gemm && mien_node_int (node, "transB", 0) != 0;

  if (w == NULL || w->shape.rank != 2 || w->n_elems == 0 || (bias >= 0 && !gemm))
    return FALSE;
  if (gemm && (mien_node_int (node, "transA", 0) != 0 || mien_node_float (node, "alpha", 1) != 1 || (bias >= 0 && mien_node_float (node, "beta", 1) != 1)))
    return FALSE;
  if (bias >= 0 && (constant (self, bias) == NULL || constant (self, bias)->n_elems != (gsize) w->shape.dim[!trans_b] || constant (self, bias)->shape.rank > 1))
    return FALSE;
  if (!gemm && from < 0) /* of more than two dimensions, as far as can be told */
    return FALSE;
  if (from < 0)
    need_plain (self, node->inputs[0]);
  const int inputs[] = { from >= 0 ? twin_of (self, from) : node->inputs[0], node->inputs[1], bias };
  const int index = mien_graph_add_node (self->graph, "mien", "BlockedDense", node->name, inputs, bias >= 0 ? 3 : 2, node->outputs, 1);
  MienNode *dense = mien_graph_node (self->graph, index);
  if (from >= 0)
    mien_node_set_int (dense, "channels", channels_of (self, inputs[0]));
  mien_node_set_int (dense, "transB", trans_b);
  mien_node_set_int (dense, "narrow", self->form->narrow);
  copy_attrs (node, dense);
  self->exists[node->outputs[0]] = TRUE;
  return TRUE;
}

static gboolean
convert (Layout *self, const MienNode *node)
{
  static const struct {
    const char *op;
    gboolean (*convert) (Layout *self, const MienNode *node);
  } rules[] = {
    { "Conv", convert_conv },       { "MaxPool", convert_pool }, { "AveragePool", convert_pool }, { "GlobalAveragePool", convert_global_average },
    { "Add", convert_add },         { "Sum", convert_add },      { "Relu", convert_relu },        { "Flatten", convert_flatten },
    { "Gemm", convert_dense },      { "MatMul", convert_dense },
  };

  if (*node->domain != '\0' || node->n_inputs < 1 || node->inputs[0] < 0 || node->outputs[0] < 0)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (rules); i++)
    if (g_str_equal (rules[i].op, node->op))
      return rules[i].convert (self, node);
  return FALSE;
}

/* The border that a node reads of its first input. */
static gint64
padding_of (const MienGraph *graph, const MienNode *node)
{
  if (!g_str_equal (node->op, "BlockedConv") && !g_str_equal (node->op, "BlockedConvMean") && !g_str_equal (node->op, "BlockedDepth") &&
      !is_separable (node))
    return 0;
  return widest_padding (node, &mien_graph_value (graph, node->inputs[1])->tensor->shape);
}

/* One that add() made. */
static gboolean
is_blocked (const MienNode *node)
{
  return g_str_equal (node->domain, "mien") && mien_node_attr (node, "channels") != NULL && node->n_inputs > 0 && node->inputs[0] >= 0 &&
         node->outputs[0] >= 0;
}

static void
finish_nodes (MienGraph *graph, MienBlocking blocking, gboolean narrow)
{
  g_autofree gint64 *halo = g_new0 (gint64, graph->values->len + 1);

  for (guint i = 0; i < graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (graph, i);
    if (is_blocked (node))
      halo[node->inputs[0]] = MAX (halo[node->inputs[0]], padding_of (graph, node));
  }
  for (guint i = 0; i < graph->nodes->len; i++) {
    MienNode *node = mien_graph_node (graph, i);
    if (!is_blocked (node))
      continue;
    mien_node_set_int (node, "bf16", blocking != MIEN_BLOCK_F32);
    mien_node_set_int (node, "tiles", blocking == MIEN_BLOCK_TILES);
    mien_node_set_int (node, "narrow", narrow);
    mien_node_set_int (node, "x_halo", halo[node->inputs[0]]);
    mien_node_set_int (node, "y_halo", halo[node->outputs[0]]);
    if ((node->n_inputs == 4 || is_separable (node)) && node->inputs[3] >= 0)
      mien_node_set_int (node, "residual_halo", halo[node->inputs[3]]);
  }
}

static void
count_uses (Layout *self, const int *keep, int n_keep)
{
  MienGraph *graph = self->graph;

  for (guint i = 0; i < graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (graph, i);
    for (int k = 0; k < node->n_inputs; k++)
      if (node->inputs[k] >= 0)
        self->uses[node->inputs[k]]++;
  }
  for (guint i = 0; i < graph->outputs->len; i++)
    self->uses[g_array_index (graph->outputs, int, i)] += 2;
  for (int i = 0; i < n_keep; i++)
    self->uses[keep[i]] += 2;
}

/* Tiles mean blocks of 32 channels. A convolution that fills half of them is still faster on tiles, where one multiplication does the work of
 * 16; but depthwise layers and pools, on vectors, take twice the time for nothing. */
static gboolean
suits_tiles (const Layout *self)
{
  enum { HALF = 16 };
  gboolean any = FALSE;

  for (guint i = 0; i < self->graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (self->graph, i);
    const MienTensor *w = g_str_equal (node->op, "Conv") && node->n_inputs > 1 ? constant (self, node->inputs[1]) : NULL;
    if (w == NULL || w->shape.rank != 4)
      continue;
    if (mien_node_int (node, "group", 1) > 1 && w->shape.dim[0] <= HALF)
      return FALSE;
    any = any || (w->shape.dim[0] > HALF && w->shape.dim[1] > HALF);
  }
  return any;
}

void
mien_passes_block (MienGraph *graph, const int *keep, int n_keep, const MienPassesForm *form)
{
  const int n_values = (int) graph->values->len;
  g_autofree int *blocked = g_new (int, n_values + 1), *uses = g_new0 (int, n_values + 1), *flat = g_new (int, n_values + 1);
  g_autofree gboolean *exists = g_new0 (gboolean, n_values + 1);
  Layout self = { graph, blocked, uses, exists, flat, n_values, form->blocking, form };
  g_autoptr (GPtrArray) old = NULL;

  count_uses (&self, keep, n_keep);
  memset (blocked, 0xff, n_values * sizeof *blocked);
  memset (flat, 0xff, n_values * sizeof *flat);
  if (form->blocking == MIEN_BLOCK_TILES && !suits_tiles (&self))
    self.blocking = form->without_tiles;
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
  for (guint i = 0; i < graph->outputs->len; i++)
    need_plain (&self, g_array_index (graph->outputs, int, i));
  for (int i = 0; i < n_keep; i++)
    need_plain (&self, keep[i]);
  finish_nodes (graph, self.blocking, form->narrow);
}
