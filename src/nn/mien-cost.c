/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much arithmetic a node costs: so that a small file cannot ask for hours of it. Estimates from above, and cheap: elements of the
 * output times length of the sum for the operators that sum, elements read or written for the others. */
#include "mien-config.h"

#include <string.h>

#include "nn/mien-plan-private.h"

static double
n_elems (const MienTensor *tensor)
{
  return tensor != NULL && tensor->shape.rank >= 0 ? (double) tensor->n_elems : 0;
}

static double
dim (const MienTensor *tensor, int d)
{
  return d >= 0 && d < tensor->shape.rank ? (double) MAX (tensor->shape.dim[d], 1) : 1;
}

static double
window_size (const MienOpCtx *ctx)
{
  gsize n;
  const gint64 *kernel = mien_node_ints (ctx->node, "kernel_shape", &n);
  double size = 1;

  for (gsize i = 0; i < n; i++)
    size *= (double) kernel[i];
  return size;
}

/* Terms that each element of output 0 sums up; infer() has checked inputs and attributes. */
static double
sum_length (const MienOpCtx *ctx)
{
  const char *op = g_str_has_prefix (ctx->node->op, "Blocked") ? ctx->node->op + strlen ("Blocked") : ctx->node->op;
  const MienTensor *a = ctx->in[0], *b = ctx->n_in > 1 ? ctx->in[1] : NULL;

  if (g_str_equal (op, "Conv") || g_str_equal (op, "Stem") || g_str_equal (op, "Depth")) /* w[K][C / group][R][S] */
    return n_elems (b) / dim (b, 0);
  if (g_str_equal (op, "ConvTranspose")) /* w[C][K / group][R][S], computed with zeros between the pixels of x */
    return n_elems (b) / dim (ctx->out[0], 1);
  if (g_str_equal (op, "ConvGradX"))
    return n_elems (a) / dim (ctx->out[0], 1);
  if (g_str_equal (op, "ConvGradW"))
    return n_elems (b) / dim (b, 1);
  if (g_str_equal (op, "Gemm"))
    return dim (a, mien_node_int (ctx->node, "transA", 0) != 0 ? 0 : 1);
  if (g_str_equal (op, "Pair")) /* two convolutions */
    return n_elems (b) + n_elems (ctx->in[3]) / dim (ctx->in[3], 0);
  if (g_str_equal (op, "Separable")) /* depthwise for C channels, and 1 x 1 of C for K */
    return (n_elems (b) + n_elems (ctx->in[2])) / dim (ctx->in[2], 0);
  if (g_str_equal (op, "ConvMean")) /* all windows of x, and their sums times w */
    return n_elems (b) / dim (b, 0) + n_elems (a) * dim (b, 2) * dim (b, 3) / MAX (n_elems (ctx->out[0]), 1);
  if (g_str_equal (op, "Dense"))
    return n_elems (a) / dim (a, 0);
  if (g_str_equal (op, "MatMul"))
    return dim (a, a->shape.rank - 1);
  if (g_str_equal (op, "MaxPool") || g_str_equal (op, "AveragePool"))
    return window_size (ctx);
  if (g_str_equal (op, "LRN"))
    return (double) mien_node_int (ctx->node, "size", 1);
  if (g_str_equal (op, "Resize") || g_str_equal (op, "Upsample")) {
    const char *mode = mien_node_string (ctx->node, "mode", "nearest");
    const double taps = g_str_equal (mode, "nearest") ? 1 : g_str_equal (mode, "cubic") ? 4 : 2;
    double sum = 1;
    for (int d = 0; d < MIN (a->shape.rank, 4); d++)
      sum *= taps;
    return sum;
  }
  return 0;
}

double
mien_op_cost (const MienOp *op, const MienOpCtx *ctx)
{
  double in = 0, out = 0;

  if (op->flags & (MIEN_OP_VIEW | MIEN_OP_SHAPE_ONLY))
    return 0;
  for (int i = 0; i < ctx->n_in; i++)
    in += n_elems (ctx->in[i]);
  for (int i = 0; i < ctx->n_out; i++)
    out += n_elems (ctx->out[i]);
  if (g_str_equal (ctx->node->op, "NonMaxSuppression") && ctx->in[0]->shape.rank == 3) /* each box against those that were chosen */
    return n_elems (ctx->in[1]) * dim (ctx->in[0], 1);
  const int pooled = mien_node_int (ctx->node, "pool", 0) != 0 ? 9 : 1; /* for one result, with what the last row and column leave over */
  return MAX (in, out) + (out > 0 && mien_op_shapes_known (ctx) ? n_elems (ctx->out[0]) * pooled * sum_length (ctx) : 0);
}
