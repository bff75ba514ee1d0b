/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Normalisation by the batch and its gradients; a bias is the simplest case of them. */
#include "mien-config.h"

#include <math.h>
#include <string.h>

#include "nn/ops/mien-ops-backward.h"
#include "nn/ops/mien-ops.h"

enum { SCALE, SHIFT, MEAN, A, B, C, N_COEFFICIENTS };

static gboolean
infer_norm (MienOpCtx *ctx, GError **error)
{
  const MienShape channels = { .rank = 1, .dim = { mien_backward_attr (ctx, "channels") } };

  if (!mien_backward_check_types (ctx, error))
    return FALSE;
  if (ctx->in[0]->shape.rank != 5 || !mien_shape_equal (&ctx->in[1]->shape, &channels) ||
      (mien_op_has (ctx, 3) && !mien_shape_equal (&ctx->in[0]->shape, &ctx->in[3]->shape)))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "inputs that do not fit together");
  mien_op_out_like (ctx, 0, 0);
  mien_op_out (ctx, 1, MIEN_F32, &channels);
  mien_op_out (ctx, 2, MIEN_F32, &channels);
  return TRUE;
}

static gsize
sums_size (const MienBackwardOp *self)
{
  return (mien_backward_rounded (self, self->planes.c) * 2 + 7) / 8 * 8; /* doubles; threads do not share cache lines */
}

static gboolean
prepare_norm (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  const MienBackwardOp self = mien_backward_planes (ctx, 0);

  prep->scratch_bytes = self.n_tasks * sums_size (&self) * sizeof (double) + N_COEFFICIENTS * mien_backward_aligned (mien_backward_rounded (&self, self.planes.c) * sizeof (float));
  return TRUE;
}

/* Spare channels get coefficients 0, so they stay 0. */
static float *
coefficients (const MienBackwardOp *self, int which)
{
  float *all = (float *) (self->sums + self->n_tasks * sums_size (self));

  return all + which * mien_backward_aligned (mien_backward_rounded (self, self->planes.c) * sizeof (float)) / sizeof (float);
}

static double
total (const MienBackwardOp *self, int which, int channel)
{
  double sum = 0;

  for (int task = 0; task < self->n_tasks; task++)
    sum += self->sums[task * sums_size (self) + which * mien_backward_rounded (self, self->planes.c) + channel];
  return sum;
}

static void
moments_task (void *data, int task, int thread)
{
  const MienBackwardOp *self = data;
  const int first = mien_backward_first_of (self->planes.n, task, self->n_tasks), end = mien_backward_first_of (self->planes.n, task + 1, self->n_tasks);
  double *sums = self->sums + task * sums_size (self);

  memset (sums, 0, sums_size (self) * sizeof *sums);
  for (int n = end - 1; n >= first; n--) { /* what was written last is still in the cache, and what is read last here will be read first by norm_task() */
    if (self->grad.dy != NULL)
      self->backward->grad_moments (&self->planes, &self->grad, n, n + 1, sums);
    else
      self->backward->moments (&self->planes, self->norm.x, n, n + 1, sums);
  }
}

static void
norm_task (void *data, int task, int thread)
{
  const MienBackwardOp *self = data;
  int first, end;

  mien_backward_piece (self, self->planes.n, task, &first, &end);
  if (self->grad.dy != NULL)
    self->backward->norm_grad (&self->planes, &self->grad, first, end);
  else
    self->backward->normalise (&self->planes, &self->norm, first, end);
}

static gboolean
run_norm (MienOpCtx *ctx, GError **error)
{
  MienBackwardOp self = mien_backward_planes (ctx, 0);
  const double count = (double) self.planes.n * self.planes.h * self.planes.w, epsilon = mien_node_float (ctx->node, "epsilon", 1e-5f);
  const float *scale = ctx->in[1]->data, *bias = ctx->in[2]->data;

  self.sums = ctx->scratch;
  float *a = coefficients (&self, SCALE), *b = coefficients (&self, SHIFT), *mean = ctx->out[1]->data, *var = ctx->out[2]->data;
  self.norm = (MienNormArgs) {
    .x = ctx->in[0]->data,
    .residual = mien_op_has (ctx, 3) ? ctx->in[3]->data : NULL,
    .scale = a,
    .shift = b,
    .lo = mien_node_float (ctx->node, "mien.lo", -INFINITY),
    .y = ctx->out[0]->data,
  };
  mien_threads_run (ctx->threads, moments_task, &self, self.n_tasks);
  memset (a, 0, mien_backward_rounded (&self, self.planes.c) * sizeof *a);
  memset (b, 0, mien_backward_rounded (&self, self.planes.c) * sizeof *b);
  for (int c = 0; c < self.planes.c; c++) {
    const double m = total (&self, 0, c) / count, v = MAX (total (&self, 1, c) / count - m * m, 0);
    mean[c] = (float) m;
    var[c] = (float) v;
    a[c] = (float) (scale[c] / sqrt (v + epsilon));
    b[c] = (float) (bias[c] - m * scale[c] / sqrt (v + epsilon));
  }
  mien_threads_run (ctx->threads, norm_task, &self, mien_backward_n_pieces (&self));
  return TRUE;
}

static gboolean
infer_norm_grad (MienOpCtx *ctx, GError **error)
{
  if (!mien_backward_check_types (ctx, error))
    return FALSE;
  if (ctx->in[0]->shape.rank != 5 || !mien_shape_equal (&ctx->in[0]->shape, &ctx->in[5]->shape))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "inputs that do not fit together");
  mien_op_out_like (ctx, 0, 0);
  mien_op_out_like (ctx, 1, 1);
  mien_op_out_like (ctx, 2, 1);
  if (ctx->n_out > 3)
    mien_op_out_like (ctx, 3, 0);
  return TRUE;
}

/* Coefficients of 0, and what both gradients share; dy and the rest are the caller's to add. */
static MienBackwardOp
begin_grad (MienOpCtx *ctx)
{
  MienBackwardOp self = mien_backward_planes (ctx, 0);

  self.sums = ctx->scratch;
  memset (coefficients (&self, 0), 0, N_COEFFICIENTS * mien_backward_aligned (mien_backward_rounded (&self, self.planes.c) * sizeof (float)));
  self.grad = (MienNormGradArgs) {
    .x = ctx->in[0]->data,
    .scale = coefficients (&self, SCALE),
    .shift = coefficients (&self, SHIFT),
    .mean = coefficients (&self, MEAN),
    .a = coefficients (&self, A),
    .b = coefficients (&self, B),
    .c = coefficients (&self, C),
    .rectified = mien_node_attr (ctx->node, "mien.lo") != NULL,
    .dx = ctx->out[0]->data,
  };
  return self;
}

/* With sums S = sum dz and T = sum dz (x - mean) over m elements and i = 1 / sqrt (var + epsilon):
 * dx = scale i (dz - S / m - (x - mean) i^2 T / m); dscale = i T; dbias = S */
static gboolean
run_norm_grad (MienOpCtx *ctx, GError **error)
{
  MienBackwardOp self = begin_grad (ctx);
  const double count = (double) self.planes.n * self.planes.h * self.planes.w, epsilon = mien_node_float (ctx->node, "epsilon", 1e-5f);
  const float *scale = ctx->in[1]->data, *bias = ctx->in[2]->data, *mean = ctx->in[3]->data, *var = ctx->in[4]->data;
  float *dscale = ctx->out[1] != NULL ? ctx->out[1]->data : NULL, *dbias = ctx->out[2] != NULL ? ctx->out[2]->data : NULL;

  for (int c = 0; c < self.planes.c; c++) {
    const double inverse = 1 / sqrt (var[c] + epsilon);
    coefficients (&self, SCALE)[c] = (float) (scale[c] * inverse);
    coefficients (&self, SHIFT)[c] = (float) (bias[c] - mean[c] * scale[c] * inverse);
    coefficients (&self, MEAN)[c] = mean[c];
  }
  self.grad.y = mien_op_has (ctx, 6) ? ctx->in[6]->data : NULL;
  self.grad.dy = ctx->in[5]->data;
  self.grad.dresidual = ctx->n_out > 3 && ctx->out[3] != NULL ? ctx->out[3]->data : NULL;
  mien_threads_run (ctx->threads, moments_task, &self, self.n_tasks);
  for (int c = 0; c < self.planes.c; c++) {
    const double inverse = 1 / sqrt (var[c] + epsilon), s = total (&self, 0, c), t = total (&self, 1, c);
    const double a = scale[c] * inverse, b = -a * inverse * inverse * t / count;
    coefficients (&self, A)[c] = (float) a;
    coefficients (&self, B)[c] = (float) b;
    coefficients (&self, C)[c] = (float) (-a * s / count - b * mean[c]);
    if (dscale != NULL)
      dscale[c] = (float) (t * inverse);
    if (dbias != NULL)
      dbias[c] = (float) s;
  }
  mien_threads_run (ctx->threads, norm_task, &self, mien_backward_n_pieces (&self));
  return TRUE;
}

/* What a convolution did to its sums: norm_grad with x = Y, scale 1 and shift 0, so that the sign of Y decides. */
static gboolean
infer_bias_grad (MienOpCtx *ctx, GError **error)
{
  if (!mien_backward_check_types (ctx, error))
    return FALSE;
  if (ctx->in[0]->shape.rank != 5 || !mien_shape_equal (&ctx->in[0]->shape, &ctx->in[1]->shape))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "inputs that do not fit together");
  mien_op_out_like (ctx, 0, 0);
  if (ctx->n_out > 1)
    mien_op_out_like (ctx, 1, 2);
  return TRUE;
}

static MienBackwardOp
begin_bias (MienOpCtx *ctx)
{
  MienBackwardOp self = begin_grad (ctx);

  for (int c = 0; c < self.planes.c; c++)
    coefficients (&self, SCALE)[c] = coefficients (&self, A)[c] = 1;
  self.grad.dy = ctx->in[1]->data;
  return self;
}

static void
sum_bias (MienBackwardOp *self, float *db)
{
  mien_threads_run (self->ctx->threads, moments_task, self, self->n_tasks);
  for (int c = 0; c < self->planes.c; c++)
    db[c] = (float) total (self, 0, c);
}

static gboolean
run_bias_grad (MienOpCtx *ctx, GError **error)
{
  MienBackwardOp self = begin_bias (ctx);

  if (ctx->n_out > 1)
    sum_bias (&self, ctx->out[1]->data);
  mien_threads_run (ctx->threads, norm_task, &self, mien_backward_n_pieces (&self));
  return TRUE;
}

static gboolean
infer_bias_sum (MienOpCtx *ctx, GError **error)
{
  if (!infer_bias_grad (ctx, error))
    return FALSE;
  mien_op_out_like (ctx, 0, 2);
  return TRUE;
}

static gboolean
run_bias_sum (MienOpCtx *ctx, GError **error)
{
  MienBackwardOp self = begin_bias (ctx);

  sum_bias (&self, ctx->out[0]->data);
  return TRUE;
}

const MienOp mien_ops_backward_norm[] = {
  { "mien", "TrainBiasGrad", 1, 0, 3, 3, 2, MIEN_OP_IMPURE, infer_bias_grad, prepare_norm, run_bias_grad },
  { "mien", "TrainBiasSum", 1, 0, 3, 3, 1, MIEN_OP_IMPURE, infer_bias_sum, prepare_norm, run_bias_sum },
  { "mien", "TrainNorm", 1, 0, 3, 4, 3, MIEN_OP_IMPURE, infer_norm, prepare_norm, run_norm },
  { "mien", "TrainNormGrad", 1, 0, 6, 7, 4, MIEN_OP_IMPURE, infer_norm_grad, prepare_norm, run_norm_grad },
  { NULL },
};
