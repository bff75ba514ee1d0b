/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-autodiff.h. One function per operator: given the gradient of its output, it adds the nodes for the gradients of its
 * inputs and hands each to give(). */
#include "mien-config.h"

#include "nn/mien-autodiff.h"

#include <glib/gi18n-lib.h>
#include <string.h>

typedef struct {
  MienGraph *graph;
  gboolean *needed; /* by value: something wanted flows through it */
  int *grad;        /* by value: where its gradient stands, -1: none yet */
} Tape;

typedef void (*GradFn) (Tape *tape, const MienNode *node, int dy);

static gboolean
is_needed (const Tape *tape, const MienNode *node, int input)
{
  return input < node->n_inputs && node->inputs[input] >= 0 && tape->needed[node->inputs[input]];
}

/* The node that makes a value, if that is a blocked one. */
static const MienNode *
blocked_producer (const MienGraph *graph, int value)
{
  static const char *const ops[] = { "ToBlocked", "TrainConvGradX", "TrainNormGrad", "TrainMaxPoolGrad", "TrainAverageGrad", "TrainAdd", "TrainBiasGrad", NULL };
  const MienNode *node = mien_graph_producer (graph, value);

  return node != NULL && g_str_equal (node->domain, "mien") && g_strv_contains (ops, node->op) ? node : NULL;
}

static void
copy_layout (const MienNode *from, MienNode *to)
{
  static const char *const names[] = { "channels", "bf16", "tiles", "halo", "x_halo", "y_halo" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    mien_node_set_int (to, names[i], mien_node_int (from, names[i], 0));
}

/* Adds to what is there: a value that several nodes read gets the sum of their gradients. */
static void
give (Tape *tape, int value, int grad)
{
  if (tape->grad[value] >= 0) {
    const int both[] = { tape->grad[value], grad };
    const MienNode *blocked = blocked_producer (tape->graph, grad);
    grad = mien_graph_op (tape->graph, blocked != NULL ? "mien" : "", blocked != NULL ? "TrainAdd" : "Add", NULL, both, 2);
    if (blocked != NULL)
      copy_layout (blocked, mien_graph_producer (tape->graph, grad));
  }
  tape->grad[value] = grad;
}

/* A node of domain mien with n_outputs fresh outputs. */
static MienNode *
add_grad (Tape *tape, const char *op, const int *inputs, int n_inputs, int *outputs, int n_outputs)
{
  for (int i = 0; i < n_outputs; i++)
    outputs[i] = mien_graph_add_value (tape->graph, NULL, MIEN_F32, NULL);
  return mien_graph_node (tape->graph, mien_graph_add_node (tape->graph, "mien", op, NULL, inputs, n_inputs, outputs, n_outputs));
}

static void
copy_ints (const MienNode *from, MienNode *to, const char *name)
{
  gsize n;
  const gint64 *values = mien_node_ints (from, name, &n);

  if (values != NULL)
    mien_node_set_ints (to, name, values, n);
}

static void
copy_window (const MienNode *from, MienNode *to)
{
  copy_ints (from, to, "kernel_shape");
  copy_ints (from, to, "strides");
  copy_ints (from, to, "pads");
  copy_ints (from, to, "dilations");
  if (mien_node_attr (from, "auto_pad") != NULL)
    mien_node_set_string (to, "auto_pad", mien_node_string (from, "auto_pad", ""));
  mien_node_set_int (to, "group", mien_node_int (from, "group", 1));
  mien_node_set_int (to, "ceil_mode", mien_node_int (from, "ceil_mode", 0));
}

static void
conv_grad (Tape *tape, const MienNode *node, int dy)
{
  const int x = node->inputs[0], w = node->inputs[1];

  if (is_needed (tape, node, 0)) {
    const int inputs[] = { w, dy, x };
    int dx;
    copy_window (node, add_grad (tape, "ConvGradX", inputs, 3, &dx, 1));
    give (tape, x, dx);
  }
  if (is_needed (tape, node, 1) || is_needed (tape, node, 2)) {
    const int inputs[] = { x, dy, w };
    int outputs[2];
    copy_window (node, add_grad (tape, "ConvGradW", inputs, 3, outputs, is_needed (tape, node, 2) ? 2 : 1));
    give (tape, w, outputs[0]);
    if (is_needed (tape, node, 2))
      give (tape, node->inputs[2], outputs[1]);
  }
}

/* Y = A op(B) + C: dA = dY op(B)^T, dB = A^T dY (or its transpose), dC = sum of the rows of dY. */
static void
gemm_grad (Tape *tape, const MienNode *node, int dy)
{
  const int a = node->inputs[0], b = node->inputs[1];
  const gboolean trans_b = mien_node_int (node, "transB", 0) != 0;

  if (is_needed (tape, node, 0)) {
    const int inputs[] = { dy, b };
    const int da = mien_graph_op (tape->graph, "", "Gemm", NULL, inputs, 2);
    mien_node_set_int (mien_graph_producer (tape->graph, da), "transB", !trans_b);
    give (tape, a, da);
  }
  if (is_needed (tape, node, 1)) {
    const int inputs[] = { trans_b ? dy : a, trans_b ? a : dy };
    const int db = mien_graph_op (tape->graph, "", "Gemm", NULL, inputs, 2);
    mien_node_set_int (mien_graph_producer (tape->graph, db), "transA", 1);
    give (tape, b, db);
  }
  if (is_needed (tape, node, 2))
    give (tape, node->inputs[2], mien_graph_op (tape->graph, "mien", "SumRows", NULL, &dy, 1));
}

static void
norm_grad (Tape *tape, const MienNode *node, int dy)
{
  const gboolean rectified = mien_node_attr (node, "mien.lo") != NULL;
  const int inputs[] = { node->inputs[0], node->inputs[1], node->outputs[1], node->outputs[2], dy, node->outputs[0] };
  int outputs[3];
  MienNode *grad = add_grad (tape, "BatchNormGrad", inputs, rectified ? 6 : 5, outputs, 3);

  mien_node_set_float (grad, "epsilon", mien_node_float (node, "epsilon", 1e-5f));
  for (int i = 0; i < 3; i++)
    if (is_needed (tape, node, i))
      give (tape, node->inputs[i], outputs[i]);
}

static void
relu_grad (Tape *tape, const MienNode *node, int dy)
{
  const int inputs[] = { node->outputs[0], dy };

  give (tape, node->inputs[0], mien_graph_op (tape->graph, "mien", "ReluGrad", NULL, inputs, 2));
}

static void
max_pool_grad (Tape *tape, const MienNode *node, int dy)
{
  const int inputs[] = { node->inputs[0], dy };
  int dx;

  copy_window (node, add_grad (tape, "MaxPoolGrad", inputs, 2, &dx, 1));
  give (tape, node->inputs[0], dx);
}

static void
global_average_grad (Tape *tape, const MienNode *node, int dy)
{
  const int inputs[] = { node->inputs[0], dy };

  give (tape, node->inputs[0], mien_graph_op (tape->graph, "mien", "GlobalAveragePoolGrad", NULL, inputs, 2));
}

static void
dropout_grad (Tape *tape, const MienNode *node, int dy)
{
  int dx;
  MienNode *grad = add_grad (tape, "DropoutTrain", &dy, 1, &dx, 1);

  mien_node_set_float (grad, "ratio", mien_node_float (node, "ratio", 0.5f));
  mien_node_set_int (grad, "salt", mien_node_int (node, "salt", 0));
  mien_node_set_int (grad, "rows", mien_node_int (node, "rows", 0));
  give (tape, node->inputs[0], dx);
}

static void
reshape_grad (Tape *tape, const MienNode *node, int dy)
{
  const int inputs[] = { dy, node->inputs[0] };

  give (tape, node->inputs[0], mien_graph_op (tape->graph, "mien", "ReshapeLike", NULL, inputs, 2));
}

static void
sum_grad (Tape *tape, const MienNode *node, int dy)
{
  for (int i = 0; i < node->n_inputs; i++)
    if (is_needed (tape, node, i))
      give (tape, node->inputs[i], dy);
}

/* On blocked tensors (nn/ops/mien-ops-backward.c) */

static int
pooled (const MienGraph *graph, int value)
{
  for (guint i = 0; i < graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (graph, i);
    if (g_str_equal (node->op, "BlockedMaxPool") && node->inputs[0] == value)
      return node->outputs[0];
  }
  return -1;
}

/* Where all that reads a rectified convolution is a pool, the pool's gradient can be cut off at once, and the bias' be summed up over a quarter of the
 * values. */
static gboolean
join_pool_grad (Tape *tape, const MienNode *node, int dy)
{
  MienNode *pool = mien_graph_producer (tape->graph, dy);
  const int y = node->outputs[0];

  if (mien_node_attr (node, "mien.lo") == NULL || pool == NULL || !g_str_equal (pool->op, "TrainMaxPoolGrad") || pool->inputs[0] != y)
    return FALSE;
  mien_node_set_float (pool, "mien.lo", 0);
  if (node->n_inputs > 2 && is_needed (tape, node, 2)) {
    const int inputs[] = { pooled (tape->graph, y), pool->inputs[1], node->inputs[2] };
    int db;
    MienNode *sum = add_grad (tape, "TrainBiasSum", inputs, 3, &db, 1);
    copy_layout (pool, sum);
    mien_node_set_float (sum, "mien.lo", 0);
    give (tape, node->inputs[2], db);
  }
  return TRUE;
}

static void
blocked_conv_grad (Tape *tape, const MienNode *node, int dy)
{
  const int x = node->inputs[0], w = node->inputs[1];
  const gboolean rectified = mien_node_attr (node, "mien.lo") != NULL, biased = node->n_inputs > 2;

  if ((rectified || biased) && !join_pool_grad (tape, node, dy)) {
    const int inputs[] = { node->outputs[0], dy, biased ? node->inputs[2] : -1 };
    int outputs[2];
    MienNode *grad = add_grad (tape, "TrainBiasGrad", inputs, 3, outputs, biased ? 2 : 1);
    copy_layout (node, grad);
    mien_node_set_int (grad, "channels", mien_graph_value (tape->graph, w)->tensor->shape.dim[0]);
    if (rectified)
      mien_node_set_float (grad, "mien.lo", 0);
    dy = outputs[0];
    if (biased && is_needed (tape, node, 2))
      give (tape, node->inputs[2], outputs[1]);
  }
  if (is_needed (tape, node, 0)) { /* adds to what is there on its way */
    const int inputs[] = { w, dy, x, tape->grad[x] };
    int dx;
    MienNode *grad = add_grad (tape, "TrainConvGradX", inputs, inputs[3] >= 0 ? 4 : 3, &dx, 1);
    copy_window (node, grad);
    copy_layout (node, grad);
    tape->grad[x] = dx;
  }
  if (is_needed (tape, node, 1)) {
    const int inputs[] = { x, dy, w };
    int dw;
    MienNode *grad = add_grad (tape, "TrainConvGradW", inputs, 3, &dw, 1);
    copy_window (node, grad);
    copy_layout (node, grad);
    give (tape, w, dw);
  }
}

static void
blocked_norm_grad (Tape *tape, const MienNode *node, int dy)
{
  const gboolean rectified = mien_node_attr (node, "mien.lo") != NULL, residual = node->n_inputs > 3;
  const int inputs[] = { node->inputs[0], node->inputs[1], node->inputs[2], node->outputs[1], node->outputs[2], dy, node->outputs[0] };
  int outputs[4];
  MienNode *grad = add_grad (tape, "TrainNormGrad", inputs, rectified && residual ? 7 : 6, outputs, residual && rectified ? 4 : 3);

  copy_layout (node, grad);
  mien_node_set_float (grad, "epsilon", mien_node_float (node, "epsilon", 1e-5f));
  if (rectified)
    mien_node_set_float (grad, "mien.lo", 0);
  for (int i = 0; i < 3; i++)
    if (is_needed (tape, node, i))
      give (tape, node->inputs[i], outputs[i]);
  if (residual && is_needed (tape, node, 3))
    give (tape, node->inputs[3], rectified ? outputs[3] : dy);
}

/* Same inputs for the gradients of pools: X and dY. */
static void
blocked_grad (Tape *tape, const MienNode *node, int dy)
{
  const int inputs[] = { node->inputs[0], dy };
  int dx;

  copy_layout (node, add_grad (tape, g_str_equal (node->op, "BlockedMaxPool") ? "TrainMaxPoolGrad" : "TrainAverageGrad", inputs, 2, &dx, 1));
  give (tape, node->inputs[0], dx);
}

static void
layout_grad (Tape *tape, const MienNode *node, int dy)
{
  int dx;

  copy_layout (node, add_grad (tape, g_str_equal (node->op, "FromBlocked") ? "ToBlocked" : "FromBlocked", &dy, 1, &dx, 1));
  give (tape, node->inputs[0], dx);
}

static const struct {
  const char *domain, *op;
  GradFn grad;
} rules[] = {
  { "", "Add", sum_grad },
  { "", "Conv", conv_grad },
  { "", "Flatten", reshape_grad },
  { "", "Gemm", gemm_grad },
  { "", "GlobalAveragePool", global_average_grad },
  { "", "Identity", sum_grad },
  { "", "MaxPool", max_pool_grad },
  { "", "Relu", relu_grad },
  { "", "Reshape", reshape_grad },
  { "", "Sum", sum_grad },
  { "mien", "BatchNormTrain", norm_grad },
  { "mien", "BlockedGlobalAverage", blocked_grad },
  { "mien", "BlockedMaxPool", blocked_grad },
  { "mien", "DropoutTrain", dropout_grad },
  { "mien", "FromBlocked", layout_grad },
  { "mien", "ToBlocked", layout_grad },
  { "mien", "TrainAdd", sum_grad },
  { "mien", "TrainConv", blocked_conv_grad },
  { "mien", "TrainNorm", blocked_norm_grad },
  { "mien", "TrainStem", blocked_conv_grad },
};

static GradFn
find_rule (const MienNode *node)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rules); i++)
    if (g_str_equal (rules[i].op, node->op) && g_str_equal (rules[i].domain, node->domain))
      return rules[i].grad;
  return NULL;
}

gboolean
mien_autodiff (MienGraph *graph, int of, int seed, const int *wanted, int n_wanted, int *grads, GError **error)
{
  const int n_values = (int) graph->values->len, n_nodes = (int) graph->nodes->len;
  g_autofree gboolean *needed = g_new0 (gboolean, n_values);
  g_autofree int *grad = g_new (int, n_values);
  Tape tape = { graph, needed, grad };

  memset (grad, 0xff, n_values * sizeof *grad);
  for (int i = 0; i < n_wanted; i++)
    needed[wanted[i]] = TRUE;
  for (int i = 0; i < n_nodes; i++) {
    const MienNode *node = mien_graph_node (graph, i);
    gboolean flows = FALSE;
    for (int k = 0; k < node->n_inputs; k++)
      flows |= node->inputs[k] >= 0 && needed[node->inputs[k]];
    if (flows && node->outputs[0] >= 0)
      needed[node->outputs[0]] = TRUE;
  }
  grad[of] = seed;
  for (int i = n_nodes - 1; i >= 0; i--) {
    const MienNode *node = mien_graph_node (graph, i);
    const int out = node->outputs[0];
    if (out < 0 || !needed[out] || grad[out] < 0)
      continue;
    const GradFn rule = find_rule (node);
    if (rule == NULL) {
      g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_UNSUPPORTED, _("%s cannot be trained: it has no gradient here"), node->op);
      return FALSE;
    }
    rule (&tape, node, grad[out]);
  }
  for (int i = 0; i < n_wanted; i++)
    grads[i] = grad[wanted[i]];
  return TRUE;
}
