/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Normalisation by what one picture itself contains.
 *
 * Operators  InstanceNormalization  y = scale[c] * (x - mean) / sqrt (variance + epsilon) + bias[c], over all of x[n][c]
 *            LRN                    y = x / (bias + alpha / size * sum of x^2 over size neighbouring channels)^beta
 * Shapes     x[N][C]..., f32
 * Source     ONNX, opset 1 to 22 */
#include "nn/ops/mien-ops.h"

#include <math.h>

#define LRN_MAX_SIZE 4096

static gboolean
check_channels (MienOpCtx *ctx, GError **error)
{
  if (ctx->in[0]->shape.rank < 2)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the input has %d dimensions; at least 2 are needed", ctx->in[0]->shape.rank);
  return TRUE;
}

static gboolean
infer_instance_norm (MienOpCtx *ctx, GError **error)
{
  for (int i = 0; i < 3; i++)
    if (!mien_op_check_type (ctx, error, i, MIEN_F32, 0))
      return FALSE;
  mien_op_out_unknown (ctx, 0, MIEN_F32);
  if (!mien_op_shapes_known (ctx))
    return TRUE;
  if (!check_channels (ctx, error))
    return FALSE;
  for (int i = 1; i < 3; i++)
    if (ctx->in[i]->shape.rank != 1 || ctx->in[i]->shape.dim[0] != ctx->in[0]->shape.dim[1])
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input %d does not have one element for each of the %ld channels", i,
                           (long) ctx->in[0]->shape.dim[1]);
  mien_op_out_like (ctx, 0, 0);
  return TRUE;
}

static gboolean
run_instance_norm (MienOpCtx *ctx, GError **error)
{
  const MienTensor *in = ctx->in[0];
  const float *scale = ctx->in[1]->data, *bias = ctx->in[2]->data;
  const float epsilon = mien_node_float (ctx->node, "epsilon", 1e-5f);
  gsize n_channels, n;

  if (in->n_elems == 0)
    return TRUE;
  n_channels = (gsize) in->shape.dim[1];
  n = mien_ops_span (&in->shape, 2, in->shape.rank);
  for (gsize at = 0, c = 0; at < in->n_elems; at += n, c = (c + 1) % n_channels) {
    const float *x = (const float *) in->data + at;
    float *y = (float *) ctx->out[0]->data + at;
    double mean = 0, variance = 0;
    float factor;

    for (gsize i = 0; i < n; i++)
      mean += x[i];
    mean /= (double) n;
    for (gsize i = 0; i < n; i++)
      variance += (x[i] - mean) * (x[i] - mean);
    variance /= (double) n;
    factor = (float) (scale[c] / sqrt (variance + epsilon));
    for (gsize i = 0; i < n; i++)
      y[i] = (x[i] - (float) mean) * factor + bias[c];
  }
  return TRUE;
}

static gboolean
infer_lrn (MienOpCtx *ctx, GError **error)
{
  const gint64 size = mien_node_int (ctx->node, "size", 0);

  if (!mien_op_check_type (ctx, error, 0, MIEN_F32, 0))
    return FALSE;
  if (size < 1 || size > LRN_MAX_SIZE)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "attribute size is %ld; 1 to %d are possible", (long) size, LRN_MAX_SIZE);
  if (ctx->in[0]->shape.rank >= 0 && !check_channels (ctx, error))
    return FALSE;
  mien_op_out_like (ctx, 0, 0);
  return TRUE;
}

static gboolean
run_lrn (MienOpCtx *ctx, GError **error)
{
  const MienTensor *in = ctx->in[0];
  const gint64 size = mien_node_int (ctx->node, "size", 1);
  const float alpha = mien_node_float (ctx->node, "alpha", 1e-4f) / (float) size;
  const float beta = mien_node_float (ctx->node, "beta", 0.75f);
  const float bias = mien_node_float (ctx->node, "bias", 1.0f);
  gint64 n_channels;
  gsize n;

  if (in->n_elems == 0)
    return TRUE;
  n_channels = in->shape.dim[1];
  n = mien_ops_span (&in->shape, 2, in->shape.rank);
  for (gint64 image = 0; image < in->shape.dim[0]; image++)
    for (gint64 c = 0; c < n_channels; c++) {
      const float *x = (const float *) in->data + (gsize) (image * n_channels) * n;
      float *y = (float *) ctx->out[0]->data + (gsize) (image * n_channels + c) * n;
      const gint64 first = MAX (0, c - (size - 1) / 2);
      const gint64 last = MIN (n_channels - 1, c + size / 2);

      for (gsize i = 0; i < n; i++)
        y[i] = 0;
      for (gint64 k = first; k <= last; k++)
        for (gsize i = 0; i < n; i++)
          y[i] += x[(gsize) k * n + i] * x[(gsize) k * n + i];
      for (gsize i = 0; i < n; i++)
        y[i] = x[(gsize) c * n + i] / powf (bias + alpha * y[i], beta);
    }
  return TRUE;
}

const MienOp mien_ops_instance[] = {
  { "", "InstanceNormalization", 1, 0, 3, 3, 1, MIEN_OP_IN_PLACE, infer_instance_norm, NULL, run_instance_norm },
  { "", "LRN", 1, 0, 1, 1, 1, 0, infer_lrn, NULL, run_lrn },
  { NULL },
};
