/* SPDX-License-Identifier: GPL-3.0-or-later */
/* BatchNormalization (opset 1, 6, 7, 9, 14, 15; inference, and training_mode = 1 from opset 14), f32; and for training
 * (domain mien), statistics over batch and pixels, biased variance:
 *
 *   BatchNormTrain (X, scale, bias) -> Y, mean, var       Y = max ((X - mean) / sqrt (var + epsilon) * scale + bias, lo); lo: attribute mien.lo
 *   BatchNormGrad (X, scale, mean, var, dY, Y?) -> dX, dscale, dbias     with Y given, dY counts only where Y > 0 (fused Relu)
 *
 * Source: Ioffe and Szegedy, "Batch Normalization", 2015 */
#include "mien-config.h"

#include <math.h>

#include "nn/mien-kernels.h"
#include "nn/ops/mien-ops.h"

typedef struct {
  MienOpCtx *ctx;
  gsize n, c, plane; /* images, channels, elements of a plane */
  float epsilon, momentum, lo;
} Norm;

static Norm
describe (MienOpCtx *ctx)
{
  const MienShape *x = &ctx->in[0]->shape;
  Norm norm = { .ctx = ctx, .n = x->dim[0], .c = x->rank > 1 ? x->dim[1] : 1, .plane = 1 };

  for (int d = 2; d < x->rank; d++)
    norm.plane *= x->dim[d];
  if (norm.plane == 0)
    norm.n = 0; /* nothing to walk over, and perhaps not even memory */
  norm.epsilon = mien_node_float (ctx->node, "epsilon", 1e-5f);
  norm.momentum = mien_node_float (ctx->node, "momentum", 0.9f);
  norm.lo = mien_node_float (ctx->node, "mien.lo", -INFINITY);
  return norm;
}

static const float *
floats (const Norm *norm, int i)
{
  return norm->ctx->in[i]->data;
}

static void
run_channels (const Norm *norm, MienTaskFn task)
{
  mien_threads_run (norm->n * norm->c * norm->plane < 50000 ? NULL : norm->ctx->threads, task, (void *) norm, (int) norm->c);
}

static gboolean
infer_norm (MienOpCtx *ctx, GError **error)
{
  for (int i = 0; i < ctx->n_in; i++)
    if (!mien_op_check_type (ctx, error, i, MIEN_F32, 0))
      return FALSE;
  for (int i = 0; i < ctx->n_out; i++)
    mien_op_out_unknown (ctx, i, MIEN_F32);
  if (!mien_op_shapes_known (ctx))
    return TRUE;
  const MienShape *x = &ctx->in[0]->shape;
  if (x->rank < 1)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the input is a single number");
  const MienShape per_channel = { .rank = 1, .dim = { x->rank > 1 ? x->dim[1] : 1 } };
  for (int i = 1; i < ctx->n_in; i++)
    if (!mien_shape_equal (&ctx->in[i]->shape, &per_channel))
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input %d does not have one number for each of %ld channels", i,
                           (long) per_channel.dim[0]);
  mien_op_out_like (ctx, 0, 0);
  for (int i = 1; i < ctx->n_out; i++)
    mien_op_out (ctx, i, MIEN_F32, &per_channel);
  return TRUE;
}

static gboolean
infer_onnx (MienOpCtx *ctx, GError **error)
{
  const gboolean training = mien_node_int (ctx->node, "training_mode", 0) != 0;

  if (mien_node_int (ctx->node, "spatial", 1) == 0)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "normalisation with spatial = 0, which opset 9 abolished");
  for (int i = 1; i < ctx->n_out && !training; i++)
    if (ctx->out[i] != NULL)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "outputs of statistics without training_mode");
  return infer_norm (ctx, error);
}

static void
normalise_task (void *data, int c, int thread)
{
  const Norm *norm = data;
  const float scale = floats (norm, 1)[c] / sqrtf (floats (norm, 4)[c] + norm->epsilon);
  const float shift = floats (norm, 2)[c] - floats (norm, 3)[c] * scale;

  for (gsize n = 0; n < norm->n; n++) {
    const gsize at = (n * norm->c + c) * norm->plane;
    norm->ctx->kernels->vector.scale_shift_f32 ((float *) norm->ctx->out[0]->data + at, floats (norm, 0) + at, scale, shift, norm->lo,
                                                norm->plane);
  }
}

/* Mean and biased variance of a channel, in two passes: the second about the mean, so that nothing cancels. */
static void
measure (const Norm *norm, int c, double *mean, double *var)
{
  const double count = (double) (norm->n * norm->plane);
  double sums[2] = { 0, 0 }, about[2] = { 0, 0 };

  for (gsize n = 0; n < norm->n; n++)
    norm->ctx->kernels->vector.moments_f32 (floats (norm, 0) + (n * norm->c + c) * norm->plane, 0, norm->plane, sums);
  *mean = sums[0] / count;
  for (gsize n = 0; n < norm->n; n++)
    norm->ctx->kernels->vector.moments_f32 (floats (norm, 0) + (n * norm->c + c) * norm->plane, (float) *mean, norm->plane, about);
  *var = about[1] / count;
}

static void
apply (const Norm *norm, int c, double mean, double var)
{
  const double scale = floats (norm, 1)[c] / sqrt (var + norm->epsilon);
  const float shift = (float) (floats (norm, 2)[c] - mean * scale);

  for (gsize n = 0; n < norm->n; n++) {
    const gsize at = (n * norm->c + c) * norm->plane;
    norm->ctx->kernels->vector.scale_shift_f32 ((float *) norm->ctx->out[0]->data + at, floats (norm, 0) + at, (float) scale, shift, norm->lo,
                                                norm->plane);
  }
}

/* ONNX opset 14: running = running * momentum + current * (1 - momentum). */
static void
onnx_train_task (void *data, int c, int thread)
{
  const Norm *norm = data;
  const MienOpCtx *ctx = norm->ctx;
  double mean, var;

  measure (norm, c, &mean, &var);
  apply (norm, c, mean, var);
  if (ctx->n_out > 1 && ctx->out[1] != NULL)
    ((float *) ctx->out[1]->data)[c] = (float) (floats (norm, 3)[c] * norm->momentum + mean * (1 - norm->momentum));
  if (ctx->n_out > 2 && ctx->out[2] != NULL)
    ((float *) ctx->out[2]->data)[c] = (float) (floats (norm, 4)[c] * norm->momentum + var * (1 - norm->momentum));
}

static gboolean
run_onnx (MienOpCtx *ctx, GError **error)
{
  const Norm norm = describe (ctx);

  run_channels (&norm, mien_node_int (ctx->node, "training_mode", 0) != 0 ? onnx_train_task : normalise_task);
  return TRUE;
}

static void
train_task (void *data, int c, int thread)
{
  const Norm *norm = data;
  double mean, var;

  measure (norm, c, &mean, &var);
  apply (norm, c, mean, var);
  ((float *) norm->ctx->out[1]->data)[c] = (float) mean;
  ((float *) norm->ctx->out[2]->data)[c] = (float) var;
}

static gboolean
run_train (MienOpCtx *ctx, GError **error)
{
  const Norm norm = describe (ctx);

  run_channels (&norm, train_task);
  return TRUE;
}

static gboolean
infer_grad (MienOpCtx *ctx, GError **error)
{
  mien_op_out_like (ctx, 0, 0);
  mien_op_out_like (ctx, 1, 1);
  mien_op_out_like (ctx, 2, 1);
  return TRUE;
}

/* With xhat = (x - mean) / std and m elements a channel:
 * dscale = sum (dy xhat), dbias = sum (dy), dx = scale / std (dy - dbias / m - xhat dscale / m) */
static void
grad_task (void *data, int c, int thread)
{
  const Norm *norm = data;
  const MienOpCtx *ctx = norm->ctx;
  const MienVectorKernels *vector = &ctx->kernels->vector;
  const double count = (double) (norm->n * norm->plane), mean = floats (norm, 2)[c];
  const double inverse = 1 / sqrt ((double) floats (norm, 3)[c] + norm->epsilon), scale = floats (norm, 1)[c];
  const gboolean masked = ctx->n_in > 5 && ctx->in[5] != NULL;
  float *dx = ctx->out[0]->data;
  double sums[2] = { 0, 0 };

  for (gsize n = 0; n < norm->n; n++) {
    const gsize at = (n * norm->c + c) * norm->plane;
    const float *dy = floats (norm, 4) + at;
    if (masked) { /* dx holds the masked gradient until the second pass */
      vector->relu_grad_f32 (dx + at, floats (norm, 5) + at, dy, norm->plane);
      dy = dx + at;
    }
    vector->moments_grad_f32 (dy, floats (norm, 0) + at, (float) mean, norm->plane, sums);
  }
  const double dbias = sums[0], dscale = sums[1] * inverse;
  const double a = scale * inverse, b = -a * dscale * inverse / count, shift = -a * dbias / count - b * mean;
  for (gsize n = 0; n < norm->n; n++) {
    const gsize at = (n * norm->c + c) * norm->plane;
    vector->blend_f32 (dx + at, masked ? dx + at : floats (norm, 4) + at, floats (norm, 0) + at, (float) a, (float) b, (float) shift,
                       norm->plane);
  }
  ((float *) ctx->out[1]->data)[c] = (float) dscale;
  ((float *) ctx->out[2]->data)[c] = (float) dbias;
}

static gboolean
run_grad (MienOpCtx *ctx, GError **error)
{
  const Norm norm = describe (ctx);

  run_channels (&norm, grad_task);
  return TRUE;
}

const MienOp mien_ops_norm[] = {
  { "", "BatchNormalization", 1, 0, 5, 5, 5, 0, infer_onnx, NULL, run_onnx },
  { "mien", "BatchNormTrain", 1, 0, 3, 3, 3, 0, infer_norm, NULL, run_train },
  { "mien", "BatchNormGrad", 1, 0, 5, 6, 3, 0, infer_grad, NULL, run_grad },
  { NULL },
};
