/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators of training graphs on blocked tensors (domain mien; kernels/mien-backward.h). mien-passes-train.c puts the forward ones where
 * Conv and BatchNormTrain stood, mien-autodiff.c adds the others; files never hold them.
 *
 *   TrainStem (X, W, B?) -> Y                    X plain                    TrainConv (X, W, B?) -> Y            Y at least mien.lo
 *   TrainConvGradX (W, dY, X, A?) -> dX          X for its shape; A added   TrainConvGradW (X, dY, W) -> dW      X plain: of TrainStem
 *   TrainBiasGrad (Y, dY, B) -> dZ, dB           of B and mien.lo above     TrainBiasSum (Y, dY, B) -> dB          the same without dZ
 *   TrainNorm (X, scale, bias, residual?) -> Y, mean, var                   Y = max ((X - mean) / sqrt (var + epsilon) * scale + bias + residual, lo)
 *   TrainNormGrad (X, scale, bias, mean, var, dY, Y?) -> dX, dscale, dbias, dresidual?      with Y or mien.lo, dY counts only where Y > 0
 *   TrainMaxPoolGrad (X, dY) -> dX               2 x 2; with mien.lo dY counts only where X > 0
 *   TrainAverageGrad (X, dY) -> dX               dY[N][C][1][1]
 *   TrainAdd (A, B) -> Y
 *
 * W and its gradient, scale, bias, mean and var are plain f32. All blocked tensors have the same halo. Attributes: channels (of the first blocked
 * tensor), halo, bf16, tiles, and those of the plain operators. Sums are taken in one part for each thread, so results depend on their number. */
#include "mien-config.h"

#include "nn/ops/mien-ops-backward.h"
#include "nn/ops/mien-ops.h"

enum { PIECES = 4 }; /* a share falls into */

int
mien_backward_attr (const MienOpCtx *ctx, const char *name)
{
  return (int) mien_node_int (ctx->node, name, 0);
}

static gboolean
is_bf16 (const MienOpCtx *ctx)
{
  return mien_backward_attr (ctx, "bf16") != 0;
}

static const MienBackwardKernels *
backward_of (const MienOpCtx *ctx)
{
  if (is_bf16 (ctx))
    return mien_backward_attr (ctx, "tiles") != 0 ? &ctx->kernels->backward_tiles : &ctx->kernels->backward_bf16;
  return &ctx->kernels->backward;
}

static const MienBlockedKernels *
blocked_of (const MienOpCtx *ctx)
{
  if (is_bf16 (ctx))
    return mien_backward_attr (ctx, "tiles") != 0 ? &ctx->kernels->blocked_tiles : &ctx->kernels->blocked_bf16;
  return &ctx->kernels->blocked;
}

static int
lanes_of (const MienOpCtx *ctx)
{
  return backward_of (ctx)->lanes;
}

gsize
mien_backward_aligned (gsize n_bytes)
{
  return (n_bytes + 63) / 64 * 64;
}

gsize
mien_backward_rounded (const MienBackwardOp *self, int channels)
{
  return (gsize) (channels + self->blocked->lanes - 1) / self->blocked->lanes * self->blocked->lanes;
}

MienShape
mien_backward_shape (const MienOpCtx *ctx, gint64 n, gint64 c, gint64 h, gint64 w)
{
  const int lanes = lanes_of (ctx), halo = mien_backward_attr (ctx, "halo");

  return (MienShape) { .rank = 5, .dim = { n, (c + lanes - 1) / lanes, h + 2 * halo, w + 2 * halo, lanes } };
}

/* The plain tensor that in[i] stands for. */
MienTensor
mien_backward_plain_input (const MienOpCtx *ctx, int i, int channels)
{
  MienTensor plain = *ctx->in[i];

  if (plain.shape.rank == 5) {
    plain.shape.rank = 4;
    plain.shape.dim[1] = channels;
    plain.shape.dim[2] -= 2 * mien_backward_attr (ctx, "halo");
    plain.shape.dim[3] -= 2 * mien_backward_attr (ctx, "halo");
  }
  return plain;
}

MienBackwardOp
mien_backward_op (MienOpCtx *ctx)
{
  const MienBlockedKernels *blocked = blocked_of (ctx);
  const MienWinogradKernels *winograd = blocked->bf16 ? &ctx->kernels->winograd_bf16 : &ctx->kernels->winograd;

  return (MienBackwardOp) {
    .ctx = ctx,
    .blocked = blocked,
    .backward = backward_of (ctx),
    .winograd = winograd->lanes == blocked->lanes ? winograd : NULL, /* not on tiles */
    .n_tasks = ctx->n_threads,
  };
}

/* Planes of in[i], and pictures shared out among the threads. */
MienBackwardOp
mien_backward_planes (MienOpCtx *ctx, int i)
{
  const MienTensor x = mien_backward_plain_input (ctx, i, mien_backward_attr (ctx, "channels"));
  MienBackwardOp self = mien_backward_op (ctx);

  self.planes = (MienPlanes) { (int) x.shape.dim[0], (int) x.shape.dim[1], (int) x.shape.dim[2], (int) x.shape.dim[3], mien_backward_attr (ctx, "halo") };
  self.n_tasks = MIN (self.n_tasks, self.planes.n);
  return self;
}
gboolean
mien_backward_check_types (MienOpCtx *ctx, GError **error)
{
  for (int i = 0; i < ctx->n_in; i++)
    if (mien_op_has (ctx, i) && !mien_op_check_type (ctx, error, i, MIEN_F32, MIEN_BF16, 0))
      return FALSE;
  if (!mien_op_shapes_known (ctx) || lanes_of (ctx) == 0)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "a size that depends on the data");
  return TRUE;
}

int
mien_backward_first_of (int n, int task, int n_tasks)
{
  return (int) ((long) n * task / n_tasks);
}

int
mien_backward_n_pieces (const MienBackwardOp *self)
{
  return self->n_tasks * PIECES;
}

void
mien_backward_piece (const MienBackwardOp *self, int n, int piece, int *first, int *end)
{
  *first = mien_backward_first_of (n, piece, mien_backward_n_pieces (self));
  *end = mien_backward_first_of (n, piece + 1, mien_backward_n_pieces (self));
}

/* The small ones */

static gboolean
infer_like_first (MienOpCtx *ctx, GError **error)
{
  if (!mien_backward_check_types (ctx, error))
    return FALSE;
  if (ctx->in[0]->shape.rank != 5 || (g_str_equal (ctx->node->op, "TrainAdd") && !mien_shape_equal (&ctx->in[0]->shape, &ctx->in[1]->shape)))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "inputs that do not fit together");
  mien_op_out_like (ctx, 0, 0);
  return TRUE;
}

static void
small_task (void *data, int task, int thread)
{
  const MienBackwardOp *self = data;
  const MienOpCtx *ctx = self->ctx;
  int first, end;

  mien_backward_piece (self, self->planes.n, task, &first, &end);
  if (g_str_equal (ctx->node->op, "TrainAdd"))
    self->backward->add (&self->planes, ctx->in[0]->data, ctx->in[1]->data, ctx->out[0]->data, first, end);
  else if (g_str_equal (ctx->node->op, "TrainMaxPoolGrad"))
    self->backward->max_pool_grad (&self->planes, ctx->in[0]->data, ctx->in[1]->data, mien_node_attr (ctx->node, "mien.lo") != NULL, ctx->out[0]->data, first, end);
  else
    self->backward->average_grad (&self->planes, ctx->in[1]->data, ctx->out[0]->data, first, end);
}

static gboolean
run_small (MienOpCtx *ctx, GError **error)
{
  MienBackwardOp self = mien_backward_planes (ctx, 0);

  mien_threads_run (ctx->threads, small_task, &self, mien_backward_n_pieces (&self));
  return TRUE;
}

const MienOp mien_ops_backward[] = {
  { "mien", "TrainMaxPoolGrad", 1, 0, 2, 2, 1, 0, infer_like_first, NULL, run_small },
  { "mien", "TrainAverageGrad", 1, 0, 2, 2, 1, 0, infer_like_first, NULL, run_small },
  { "mien", "TrainAdd", 1, 0, 2, 2, 1, 0, infer_like_first, NULL, run_small },
  { NULL },
};
