/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Softmax and LogSoftmax.
 *
 * Source  ONNX, opset 1 to 22. Before opset 13 the input is a matrix: the dimensions from axis (default 1) on are flattened and
 *         normalised together. Since opset 13 the one dimension axis (default the last) is */
#include "nn/ops/mien-ops.h"

#include <tgmath.h>

/* x[outer][n][inner], normalised along n */
typedef struct {
  gsize outer, n, inner;
} Layout;

static gboolean
get_layout (MienOpCtx *ctx, GError **error, Layout *layout)
{
  const MienShape *in = &ctx->in[0]->shape;
  const gint64 attr = mien_node_int (ctx->node, "axis", ctx->opset < 13 ? 1 : -1);
  int axis;

  if (ctx->opset < 13 && attr == in->rank)
    axis = in->rank;
  else if (!mien_op_axis (ctx, error, attr, in->rank, &axis))
    return FALSE;
  layout->outer = mien_ops_span (in, 0, axis);
  layout->n = ctx->opset < 13 ? mien_ops_span (in, axis, in->rank) : (gsize) in->dim[axis];
  layout->inner = ctx->opset < 13 ? 1 : mien_ops_span (in, axis + 1, in->rank);
  return TRUE;
}

static gboolean
infer_softmax (MienOpCtx *ctx, GError **error)
{
  Layout layout;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_FLOATS, 0))
    return FALSE;
  if (ctx->in[0]->shape.rank >= 0 && !get_layout (ctx, error, &layout))
    return FALSE;
  mien_op_out_like (ctx, 0, 0);
  return TRUE;
}

#define DEFINE_ROW(TYPE, T) \
  static void row_##T (T *y, const T *x, gsize n, gsize step, gboolean is_log) \
  { \
    T largest = x[0], sum = 0; \
    for (gsize i = 1; i < n; i++) \
      largest = x[i * step] > largest ? x[i * step] : largest; \
    if (is_log) { \
      T log_sum; \
      for (gsize i = 0; i < n; i++) \
        sum += exp (x[i * step] - largest); \
      log_sum = log (sum); \
      for (gsize i = 0; i < n; i++) \
        y[i * step] = x[i * step] - largest - log_sum; \
    } else { \
      for (gsize i = 0; i < n; i++) { \
        y[i * step] = exp (x[i * step] - largest); \
        sum += y[i * step]; \
      } \
      for (gsize i = 0; i < n; i++) \
        y[i * step] /= sum; \
    } \
  }
MIEN_OPS_FOR_FLOATS (DEFINE_ROW)

static gboolean
run_softmax_or_log (MienOpCtx *ctx, GError **error, gboolean is_log)
{
  const MienTensor *in = ctx->in[0];
  MienTensor *out = ctx->out[0];
  Layout layout;

  if (!get_layout (ctx, error, &layout))
    return FALSE;
  if (in->n_elems == 0)
    return TRUE;
  for (gsize o = 0; o < layout.outer; o++)
    for (gsize i = 0; i < layout.inner; i++) {
      const gsize at = o * layout.n * layout.inner + i;

      if (in->type == MIEN_F32)
        row_float ((float *) out->data + at, (const float *) in->data + at, layout.n, layout.inner, is_log);
      else
        row_double ((double *) out->data + at, (const double *) in->data + at, layout.n, layout.inner, is_log);
    }
  return TRUE;
}

static gboolean
run_softmax (MienOpCtx *ctx, GError **error)
{
  return run_softmax_or_log (ctx, error, FALSE);
}

static gboolean
run_log_softmax (MienOpCtx *ctx, GError **error)
{
  return run_softmax_or_log (ctx, error, TRUE);
}

const MienOp mien_ops_softmax[] = {
  { "", "Softmax", 1, 0, 1, 1, 1, MIEN_OP_IN_PLACE, infer_softmax, NULL, run_softmax },
  { "", "LogSoftmax", 1, 0, 1, 1, 1, MIEN_OP_IN_PLACE, infer_softmax, NULL, run_log_softmax },
  { NULL },
};
