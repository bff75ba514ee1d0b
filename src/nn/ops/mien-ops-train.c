/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators that only training needs (domain mien), f32:
 *
 *   ReluGrad (Y, dY) -> dX
 *   DropoutTrain (X) -> Y           attributes ratio, salt; kept elements are scaled by 1 / (1 - ratio); the choice depends on the run's
 *                                   seed, salt and position only, so the same operator applied to dY is its gradient; with attribute
 *                                   rows = 1 whole rows X[n] are kept or not (stochastic depth)
 *   SoftmaxLoss (Z, T) -> loss, dZ  Z[N][L] logits, T[N][L] targets (each row sums to that face's weight); loss = mean of
 *                                   -sum (T log softmax (Z)); dZ = (sum (T) softmax (Z) - T) / N
 *   SumRows (dY) -> db              dY[N][K], db[K] = sum over N
 *   ReshapeLike (dY, X) -> dX       dY's elements in X's shape */
#include "mien-config.h"

#include <math.h>
#include <string.h>

#include "nn/mien-kernels.h"
#include "nn/ops/mien-ops.h"

static gboolean
infer_like_first (MienOpCtx *ctx, GError **error)
{
  mien_op_out_like (ctx, 0, 0);
  return TRUE;
}

static gboolean
run_relu_grad (MienOpCtx *ctx, GError **error)
{
  ctx->kernels->vector.relu_grad_f32 (ctx->out[0]->data, ctx->in[0]->data, ctx->in[1]->data, ctx->in[0]->n_elems);
  return TRUE;
}

/* splitmix64 (Steele, Lea, Flood 2014): a good hash of a counter. */
static inline guint64
mix (guint64 x)
{
  x += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  x = (x ^ (x >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return x ^ (x >> 31);
}

static void
drop_rows (const MienOpCtx *ctx, guint64 start, guint32 limit, float scale)
{
  const gsize n_rows = ctx->in[0]->shape.rank > 0 ? ctx->in[0]->shape.dim[0] : 1, n = ctx->in[0]->n_elems / MAX (n_rows, 1);
  const float *x = ctx->in[0]->data;
  float *y = ctx->out[0]->data;

  for (gsize row = 0; row < n_rows; row++, x += n, y += n) {
    const float factor = (guint32) mix (start + row) < limit ? 0 : scale;
    for (gsize i = 0; i < n; i++)
      y[i] = factor == 0 ? 0 : x[i] * factor;
  }
}

static gboolean
run_dropout (MienOpCtx *ctx, GError **error)
{
  const double ratio = mien_node_float (ctx->node, "ratio", 0.5f);
  const guint64 start = mix (ctx->seed ^ mix ((guint64) mien_node_int (ctx->node, "salt", 0)));
  const guint32 limit = (guint32) (ratio * 4294967295.0);
  const float scale = (float) (1 / (1 - ratio));
  const float *x = ctx->in[0]->data;
  float *y = ctx->out[0]->data;

  if (mien_node_int (ctx->node, "rows", 0) != 0) {
    drop_rows (ctx, start, limit, scale);
    return TRUE;
  }
  for (gsize i = 0; i < ctx->in[0]->n_elems; i += 2) {
    const guint64 bits = mix (start + i);
    y[i] = (guint32) bits < limit ? 0 : x[i] * scale;
    if (i + 1 < ctx->in[0]->n_elems)
      y[i + 1] = (guint32) (bits >> 32) < limit ? 0 : x[i + 1] * scale;
  }
  return TRUE;
}

static gboolean
infer_loss (MienOpCtx *ctx, GError **error)
{
  const MienShape scalar = { .rank = 0 };

  if (ctx->in[0]->shape.rank != 2 || !mien_shape_equal (&ctx->in[0]->shape, &ctx->in[1]->shape))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "answers and targets have different shapes");
  mien_op_out (ctx, 0, MIEN_F32, &scalar);
  mien_op_out_like (ctx, 1, 0);
  return TRUE;
}

static gboolean
run_loss (MienOpCtx *ctx, GError **error)
{
  const int n = (int) ctx->in[0]->shape.dim[0], n_labels = (int) ctx->in[0]->shape.dim[1];
  const float *z = ctx->in[0]->data, *t = ctx->in[1]->data;
  float *dz = ctx->out[1]->data;
  double loss = 0;

  for (int i = 0; i < n; i++, z += n_labels, t += n_labels, dz += n_labels) {
    double highest = z[0], total = 0, weight = 0;
    for (int j = 1; j < n_labels; j++)
      highest = MAX (highest, z[j]);
    for (int j = 0; j < n_labels; j++)
      total += exp (z[j] - highest), weight += t[j];
    for (int j = 0; j < n_labels; j++) {
      const double log_p = z[j] - highest - log (total);
      if (t[j] != 0)
        loss -= t[j] * log_p;
      dz[j] = (float) ((weight * exp (log_p) - t[j]) / n);
    }
  }
  *(float *) ctx->out[0]->data = (float) (loss / n);
  return TRUE;
}

static gboolean
infer_sum_rows (MienOpCtx *ctx, GError **error)
{
  const MienShape out = { .rank = 1, .dim = { ctx->in[0]->shape.dim[1] } };

  mien_op_out (ctx, 0, MIEN_F32, &out);
  return TRUE;
}

static gboolean
run_sum_rows (MienOpCtx *ctx, GError **error)
{
  const gsize n = ctx->in[0]->shape.dim[0], k = ctx->in[0]->shape.dim[1];
  const float *dy = ctx->in[0]->data;
  float *db = ctx->out[0]->data;

  memset (db, 0, k * sizeof *db);
  for (gsize i = 0; i < n; i++)
    for (gsize j = 0; j < k; j++)
      db[j] += dy[i * k + j];
  return TRUE;
}

static gboolean
infer_reshape_like (MienOpCtx *ctx, GError **error)
{
  mien_op_out_like (ctx, 0, 1);
  return TRUE;
}

const MienOp mien_ops_train[] = {
  { "mien", "ReluGrad", 1, 0, 2, 2, 1, 0, infer_like_first, NULL, run_relu_grad },
  { "mien", "DropoutTrain", 1, 0, 1, 1, 1, MIEN_OP_IN_PLACE | MIEN_OP_IMPURE, infer_like_first, NULL, run_dropout },
  { "mien", "SoftmaxLoss", 1, 0, 2, 2, 2, 0, infer_loss, NULL, run_loss },
  { "mien", "SumRows", 1, 0, 1, 1, 1, 0, infer_sum_rows, NULL, run_sum_rows },
  { "mien", "ReshapeLike", 1, 0, 2, 2, 1, MIEN_OP_VIEW, infer_reshape_like, NULL, NULL },
  { NULL },
};
