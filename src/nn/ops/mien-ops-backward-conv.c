/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolution forward, and its gradients by input and weights. */
#include "mien-config.h"

#include <math.h>
#include <string.h>

#include "nn/ops/mien-ops-backward.h"
#include "nn/ops/mien-ops-window.h"
#include "nn/ops/mien-ops.h"

/* x and w: which inputs. */
static gboolean
train_conv (MienOpCtx *ctx, int x, int w, MienBackwardOp *self, GError **error)
{
  const MienTensor plain = mien_backward_plain_input (ctx, x, mien_backward_attr (ctx, "channels"));
  const MienShape *weights = &ctx->in[w]->shape;
  const int halo = mien_backward_attr (ctx, "halo");
  MienWindow window;

  *self = mien_backward_op (ctx);
  if (plain.shape.rank != 4 || weights->rank != 4 || weights->dim[1] != plain.shape.dim[1])
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input and weights do not fit together");
  if (!mien_window_read (ctx, &plain, weights->dim + 2, &window, error))
    return FALSE;
  self->shape = (MienBlockedShape) {
    .n = (int) plain.shape.dim[0],
    .c = (int) plain.shape.dim[1],
    .h = window.in[1],
    .w = window.in[2],
    .x_halo = ctx->in[x]->shape.rank == 5 ? halo : 0,
    .k = (int) weights->dim[0],
    .p = window.out[1],
    .q = window.out[2],
    .y_halo = halo,
    .r = window.kernel[1],
    .s = window.kernel[2],
    .stride_h = window.stride[1],
    .stride_w = window.stride[2],
    .dilation_h = 1,
    .dilation_w = 1,
    .pad_top = window.pad_begin[1],
    .pad_left = window.pad_begin[2],
    .lo = mien_node_float (ctx->node, "mien.lo", -INFINITY),
    .hi = INFINITY,
  };
  self->n_tasks = MIN (self->n_tasks, self->shape.n);
  return TRUE;
}

/* Groups of output channels: packed weights and their gradients lie in as many pieces, which threads can share. */
static int
n_groups (const MienBackwardOp *self, int k)
{
  return (int) (mien_backward_rounded (self, k) / (mien_blocked_group (self->blocked, k) * self->blocked->lanes));
}

static MienBlockedShape
shape_of_group (const MienBackwardOp *self, const MienBlockedShape *all, int group)
{
  const int width = mien_blocked_group (self->blocked, all->k) * self->blocked->lanes;
  MienBlockedShape shape = *all;

  shape.k = MIN (width, all->k - group * width);
  return shape;
}

/* Winograd's way where it is faster: with many pictures nearly always. Its weights are packed at every run, too, which takes next to nothing. */

static MienWinogradKind
winograd_kind (const MienBackwardOp *self, const MienBlockedShape *shape)
{
  return self->winograd != NULL ? mien_winograd_choose (self->winograd, shape, FALSE) : (MienWinogradKind) { 0 };
}

/* What lies behind them is asked for in advance by all threads, and so must be written by none. */
static gsize
filter_bytes (const MienBackwardOp *self, const MienBlockedShape *shape)
{
  return mien_backward_aligned (mien_winograd_size (self->winograd, shape, winograd_kind (self, shape)) + MIEN_WINOGRAD_AHEAD);
}

static gsize
winograd_bytes (const MienBackwardOp *self, const MienBlockedShape *shape)
{
  return filter_bytes (self, shape) + mien_winograd_scratch (self->winograd, shape, winograd_kind (self, shape), self->ctx->n_threads);
}

/* scratch: winograd_bytes() */
static void
run_winograd (const MienBackwardOp *self, const MienBlockedShape *shape, const float *w, gboolean flipped, MienBlockedArgs args, char *scratch)
{
  const MienWinogradKind kind = winograd_kind (self, shape);
  MienThreads *threads = self->ctx->threads;

  args.w = scratch;
  mien_winograd_pack (self->winograd, shape, kind, w, flipped, scratch, threads);
  mien_winograd_run (self->winograd, shape, kind, &args, scratch + filter_bytes (self, shape), mien_winograd_step (self->winograd, shape, kind, self->ctx->n_threads), threads);
}

/* Forward convolution: weights are packed at every run, for they change. */

static gboolean
infer_conv (MienOpCtx *ctx, GError **error)
{
  MienBackwardOp self;

  if (!mien_backward_check_types (ctx, error) || !train_conv (ctx, 0, 1, &self, error))
    return FALSE;
  if (mien_op_has (ctx, 2) && ctx->in[2]->n_elems != (gsize) self.shape.k)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input and weights do not fit together");
  const MienShape out = mien_backward_shape (ctx, self.shape.n, self.shape.k, self.shape.p, self.shape.q);
  mien_op_out (ctx, 0, mien_backward_attr (ctx, "bf16") ? MIEN_BF16 : MIEN_F32, &out);
  return TRUE;
}

static gsize
packed_bytes (const MienBackwardOp *self, const MienBlockedShape *shape)
{
  return mien_backward_aligned (mien_blocked_conv_size (self->blocked, shape) * (self->blocked->bf16 ? sizeof (guint16) : sizeof (float)));
}

static gsize
bias_bytes (const MienBackwardOp *self)
{
  return mien_backward_aligned (mien_backward_rounded (self, self->shape.k) * sizeof (float));
}

static gboolean
prepare_conv (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  MienBackwardOp self;

  if (!train_conv (ctx, 0, 1, &self, error))
    return FALSE;
  prep->scratch_bytes = bias_bytes (&self);
  if (ctx->in[0]->shape.rank == 4)
    prep->scratch_bytes += mien_blocked_stem_size (self.blocked, &self.shape) * sizeof (float);
  else if (winograd_kind (&self, &self.shape).rows > 0)
    prep->scratch_bytes += winograd_bytes (&self, &self.shape);
  else
    prep->scratch_bytes += packed_bytes (&self, &self.shape);
  return TRUE;
}

static void
pack_task (void *data, int task, int thread)
{
  const MienBackwardOp *self = data;
  const MienBlockedShape shape = shape_of_group (self, &self->shape, task), whole = shape_of_group (self, &self->shape, 0);
  const float *w = self->ctx->in[1]->data;

  mien_blocked_pack_conv (self->blocked, &shape, w + (gsize) task * whole.k * shape.c * shape.r * shape.s,
                          self->packed + task * mien_blocked_conv_size (self->blocked, &whole) * (self->blocked->bf16 ? sizeof (guint16) : sizeof (float)), NULL);
}

static void
conv_task (void *data, int task, int thread)
{
  const MienBackwardOp *self = data;
  const gboolean stem = self->ctx->in[0]->shape.rank == 4;
  const MienBlockedArgs args = { self->ctx->in[0]->data, self->packed, self->norm.shift, NULL, self->ctx->out[0]->data };
  const int n_rows = (stem ? mien_blocked_stem_rows (&self->shape) : mien_blocked_rows (self->blocked, &self->shape, TRUE)) / self->shape.n;
  int first, end;

  mien_backward_piece (self, self->shape.n, task, &first, &end);
  (stem ? self->blocked->stem : self->blocked->conv) (&self->shape, &args, first * n_rows, end * n_rows);
}

static gboolean
run_conv (MienOpCtx *ctx, GError **error)
{
  MienBackwardOp self;

  if (!train_conv (ctx, 0, 1, &self, error))
    return FALSE;
  float *bias = ctx->scratch;
  if (mien_op_has (ctx, 2)) {
    memset (bias, 0, bias_bytes (&self));
    memcpy (bias, ctx->in[2]->data, self.shape.k * sizeof *bias);
    self.norm.shift = bias;
  }
  self.packed = (char *) ctx->scratch + bias_bytes (&self);
  if (ctx->in[0]->shape.rank != 4 && winograd_kind (&self, &self.shape).rows > 0) {
    const MienBlockedArgs args = { ctx->in[0]->data, NULL, self.norm.shift, NULL, ctx->out[0]->data };
    run_winograd (&self, &self.shape, ctx->in[1]->data, FALSE, args, self.packed);
    return TRUE;
  }
  if (ctx->in[0]->shape.rank == 4)
    mien_blocked_pack_stem (self.blocked, &self.shape, ctx->in[1]->data, (float *) self.packed);
  else
    mien_threads_run (ctx->threads, pack_task, &self, n_groups (&self, self.shape.k));
  mien_threads_run (ctx->threads, conv_task, &self, mien_backward_n_pieces (&self));
  return TRUE;
}

/* dX: the convolution of dY with turned weights; with a stride, mien-ops-backward-strided.c. */

static MienBlockedShape
grad_x_shape (const MienBlockedShape *forward)
{
  MienBlockedShape shape = *forward;

  shape.k = forward->c;
  shape.c = forward->k;
  shape.p = forward->h;
  shape.q = forward->w;
  shape.h = forward->p;
  shape.w = forward->q;
  shape.x_halo = forward->y_halo;
  shape.y_halo = shape.residual_halo = forward->x_halo;
  shape.pad_top = forward->r - 1 - forward->pad_top;
  shape.pad_left = forward->s - 1 - forward->pad_left;
  return shape;
}

static gboolean
is_strided (const MienBackwardOp *self)
{
  return self->shape.stride_h != 1 || self->shape.stride_w != 1;
}

static gboolean
infer_grad_x (MienOpCtx *ctx, GError **error)
{
  MienBackwardOp self;

  if (!mien_backward_check_types (ctx, error) || !train_conv (ctx, 2, 0, &self, error))
    return FALSE;
  if (mien_op_has (ctx, 3) && !mien_shape_equal (&ctx->in[2]->shape, &ctx->in[3]->shape))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "inputs that do not fit together");
  if (is_strided (&self) && !mien_backward_strided_fits (&self))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "a stride that has no gradient here");
  mien_op_out_like (ctx, 0, 2);
  return TRUE;
}

static gboolean
prepare_grad_x (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  MienBackwardOp self;

  if (!train_conv (ctx, 2, 0, &self, error))
    return FALSE;
  const MienBlockedShape shape = grad_x_shape (&self.shape);
  if (is_strided (&self))
    prep->scratch_bytes = mien_backward_strided_scratch (&self);
  else
    prep->scratch_bytes = winograd_kind (&self, &shape).rows > 0 ? winograd_bytes (&self, &shape) : packed_bytes (&self, &shape);
  return TRUE;
}

static void
flip_task (void *data, int task, int thread)
{
  const MienBackwardOp *self = data;
  const MienBlockedShape all = grad_x_shape (&self->shape), shape = shape_of_group (self, &all, task), whole = shape_of_group (self, &all, 0);
  const float *w = self->ctx->in[0]->data;

  mien_blocked_pack_conv_flipped (self->blocked, &shape, w + (gsize) task * whole.k * shape.r * shape.s, all.k,
                                  self->packed + task * mien_blocked_conv_size (self->blocked, &whole) * (self->blocked->bf16 ? sizeof (guint16) : sizeof (float)));
}

/* dX may be added to what other nodes have given. */
static MienBlockedArgs
grad_x_args (const MienOpCtx *ctx, const void *packed)
{
  return (MienBlockedArgs) { .x = ctx->in[1]->data, .w = packed, .residual = mien_op_has (ctx, 3) ? ctx->in[3]->data : NULL, .y = ctx->out[0]->data };
}

static void
grad_x_task (void *data, int task, int thread)
{
  const MienBackwardOp *self = data;
  const MienBlockedShape shape = grad_x_shape (&self->shape);
  const MienBlockedArgs args = grad_x_args (self->ctx, self->packed);
  const int n_rows = mien_blocked_rows (self->blocked, &shape, TRUE) / shape.n;
  int first, end;

  mien_backward_piece (self, shape.n, task, &first, &end);
  self->blocked->conv (&shape, &args, first * n_rows, end * n_rows);
}

static gboolean
run_grad_x (MienOpCtx *ctx, GError **error)
{
  MienBackwardOp self;

  if (!train_conv (ctx, 2, 0, &self, error))
    return FALSE;
  const MienBlockedShape shape = grad_x_shape (&self.shape);
  if (is_strided (&self)) {
    mien_backward_strided_run (&self);
    return TRUE;
  }
  if (winograd_kind (&self, &shape).rows > 0) {
    run_winograd (&self, &shape, ctx->in[0]->data, TRUE, grad_x_args (ctx, NULL), ctx->scratch);
    return TRUE;
  }
  self.packed = ctx->scratch;
  mien_threads_run (ctx->threads, flip_task, &self, n_groups (&self, shape.k));
  mien_threads_run (ctx->threads, grad_x_task, &self, mien_backward_n_pieces (&self));
  return TRUE;
}

/* dW */

static gsize
part_size (const MienBackwardOp *self, gboolean stem)
{
  return mien_backward_aligned ((stem ? mien_blocked_stem_size (self->blocked, &self->shape) : mien_blocked_conv_size (self->blocked, &self->shape)) * sizeof (float)) / sizeof (float);
}

static gsize
pairs_bytes (const MienBackwardOp *self, gboolean stem)
{
  return stem ? 0 : mien_backward_aligned (mien_backward_scratch (self->backward, &self->shape));
}

static gboolean
infer_grad_w (MienOpCtx *ctx, GError **error)
{
  MienBackwardOp self;

  if (!mien_backward_check_types (ctx, error) || !train_conv (ctx, 0, 2, &self, error))
    return FALSE;
  mien_op_out_like (ctx, 0, 2);
  return TRUE;
}

/* Of tiles; 0: not Winograd's way. */
static int
grad_w_tile (const MienBackwardOp *self)
{
  return self->winograd != NULL && self->ctx->in[0]->shape.rank == 5 ? mien_winograd_grad_tile (self->winograd, &self->shape) : 0;
}

static gboolean
prepare_grad_w (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  const gboolean stem = ctx->in[0]->shape.rank == 4;
  MienBackwardOp self;

  if (!train_conv (ctx, 0, 2, &self, error))
    return FALSE;
  const int tile = grad_w_tile (&self);
  if (tile > 0)
    prep->scratch_bytes = mien_winograd_grad_scratch (self.winograd, &self.shape, tile, ctx->n_threads);
  else
    prep->scratch_bytes = self.n_tasks * (part_size (&self, stem) * sizeof (float) + pairs_bytes (&self, stem));
  return TRUE;
}

static void
grad_w_task (void *data, int task, int thread)
{
  const MienBackwardOp *self = data;
  const gboolean stem = self->ctx->in[0]->shape.rank == 4;
  const int first = mien_backward_first_of (self->shape.n, task, self->n_tasks), end = mien_backward_first_of (self->shape.n, task + 1, self->n_tasks);
  float *dw = self->parts + task * self->part_size;

  memset (dw, 0, self->part_size * sizeof *dw);
  if (stem)
    self->backward->stem_grad (&self->shape, self->ctx->in[0]->data, self->ctx->in[1]->data, first, end, dw);
  else
    self->backward->conv_grad (&self->shape, self->ctx->in[0]->data, self->ctx->in[1]->data, first, end, self->scratch + task * pairs_bytes (self, FALSE), dw);
}

static void
unpack_task (void *data, int task, int thread)
{
  const MienBackwardOp *self = data;
  const MienBlockedShape shape = shape_of_group (self, &self->shape, task), whole = shape_of_group (self, &self->shape, 0);

  mien_backward_unpack_conv (self->backward, self->blocked, &shape, self->parts + task * mien_blocked_conv_size (self->blocked, &whole), self->n_tasks, self->part_size,
                             (float *) self->ctx->out[0]->data + (gsize) task * whole.k * shape.c * shape.r * shape.s);
}

static gboolean
run_grad_w (MienOpCtx *ctx, GError **error)
{
  const gboolean stem = ctx->in[0]->shape.rank == 4;
  MienBackwardOp self;

  if (!train_conv (ctx, 0, 2, &self, error))
    return FALSE;
  const int tile = grad_w_tile (&self);
  if (tile > 0) {
    mien_winograd_grad (self.winograd, &self.shape, tile, ctx->in[0]->data, ctx->in[1]->data, ctx->out[0]->data, ctx->scratch, ctx->threads);
    return TRUE;
  }
  self.part_size = part_size (&self, stem);
  self.parts = ctx->scratch;
  self.scratch = (char *) (self.parts + self.n_tasks * self.part_size);
  mien_threads_run (ctx->threads, grad_w_task, &self, self.n_tasks);
  if (stem)
    mien_backward_unpack_stem (self.blocked, &self.shape, self.parts, self.n_tasks, self.part_size, ctx->out[0]->data);
  else
    mien_threads_run (ctx->threads, unpack_task, &self, n_groups (&self, self.shape.k));
  return TRUE;
}

const MienOp mien_ops_backward_conv[] = {
  { "mien", "TrainStem", 1, 0, 2, 3, 1, MIEN_OP_IMPURE, infer_conv, prepare_conv, run_conv },
  { "mien", "TrainConv", 1, 0, 2, 3, 1, MIEN_OP_IMPURE, infer_conv, prepare_conv, run_conv },
  { "mien", "TrainConvGradX", 1, 0, 3, 4, 1, MIEN_OP_IMPURE, infer_grad_x, prepare_grad_x, run_grad_x },
  { "mien", "TrainConvGradW", 1, 0, 3, 3, 1, MIEN_OP_IMPURE, infer_grad_w, prepare_grad_w, run_grad_w },
  { NULL },
};
