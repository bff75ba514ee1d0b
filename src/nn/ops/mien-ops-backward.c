/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators of training graphs on blocked tensors (domain mien; kernels/mien-backward.h). mien-passes-train.c puts the forward ones where
 * Conv and BatchNormTrain stood, mien-autodiff.c adds the others; files never hold them.
 *
 *   TrainStem (X, W, B?) -> Y                    X plain                    TrainConv (X, W, B?) -> Y            Y at least mien.lo
 *   TrainConvGradX (W, dY, X) -> dX              X for its shape            TrainConvGradW (X, dY, W) -> dW      X plain: of TrainStem
 *   TrainBiasGrad (Y, dY, B) -> dZ, dB           of B and mien.lo above
 *   TrainNorm (X, scale, bias, residual?) -> Y, mean, var                   Y = max ((X - mean) / sqrt (var + epsilon) * scale + bias + residual, lo)
 *   TrainNormGrad (X, scale, bias, mean, var, dY, Y?) -> dX, dscale, dbias, dresidual?      with Y or mien.lo, dY counts only where Y > 0
 *   TrainMaxPoolGrad (X, dY) -> dX               2 x 2                      TrainAverageGrad (X, dY) -> dX       dY[N][C][1][1]
 *   TrainAdd (A, B) -> Y
 *
 * W and its gradient, scale, bias, mean and var are plain f32. All blocked tensors have the same halo. Attributes: channels (of the first blocked
 * tensor), halo, bf16, tiles, and those of the plain operators. Sums are taken in one part for each thread, so results depend on their number. */
#include "mien-config.h"

#include <math.h>
#include <string.h>

#include "nn/mien-kernels.h"
#include "nn/ops/mien-ops-window.h"
#include "nn/ops/mien-ops.h"

typedef struct {
  MienOpCtx *ctx;
  const MienBlockedKernels *blocked;
  const MienBackwardKernels *backward;
  MienBlockedShape shape; /* convolutions */
  MienPlanes planes;      /* the others: of X */
  int n_tasks;
  /* Regions of scratch. */
  char *packed, *scratch;
  float *parts;
  gsize part_size; /* elements */
  double *sums;
  MienNormArgs norm;
  MienNormGradArgs grad;
} Train;

static int
attr (const MienOpCtx *ctx, const char *name)
{
  return (int) mien_node_int (ctx->node, name, 0);
}

static gboolean
is_bf16 (const MienOpCtx *ctx)
{
  return attr (ctx, "bf16") != 0;
}

static const MienBackwardKernels *
backward_of (const MienOpCtx *ctx)
{
  if (is_bf16 (ctx))
    return attr (ctx, "tiles") != 0 ? &ctx->kernels->backward_tiles : &ctx->kernels->backward_bf16;
  return &ctx->kernels->backward;
}

static const MienBlockedKernels *
blocked_of (const MienOpCtx *ctx)
{
  if (is_bf16 (ctx))
    return attr (ctx, "tiles") != 0 ? &ctx->kernels->blocked_tiles : &ctx->kernels->blocked_bf16;
  return &ctx->kernels->blocked;
}

static int
lanes_of (const MienOpCtx *ctx)
{
  return backward_of (ctx)->lanes;
}

static gsize
aligned (gsize n_bytes)
{
  return (n_bytes + 63) / 64 * 64;
}

static gsize
rounded (const Train *self, int channels)
{
  return (gsize) (channels + self->blocked->lanes - 1) / self->blocked->lanes * self->blocked->lanes;
}

static MienShape
blocked_shape (const MienOpCtx *ctx, gint64 n, gint64 c, gint64 h, gint64 w)
{
  const int lanes = lanes_of (ctx), halo = attr (ctx, "halo");

  return (MienShape) { .rank = 5, .dim = { n, (c + lanes - 1) / lanes, h + 2 * halo, w + 2 * halo, lanes } };
}

/* The plain tensor that in[i] stands for. */
static MienTensor
plain_input (const MienOpCtx *ctx, int i, int channels)
{
  MienTensor plain = *ctx->in[i];

  if (plain.shape.rank == 5) {
    plain.shape.rank = 4;
    plain.shape.dim[1] = channels;
    plain.shape.dim[2] -= 2 * attr (ctx, "halo");
    plain.shape.dim[3] -= 2 * attr (ctx, "halo");
  }
  return plain;
}

static Train
train_of (MienOpCtx *ctx)
{
  return (Train) {
    .ctx = ctx,
    .blocked = blocked_of (ctx),
    .backward = backward_of (ctx),
    .n_tasks = ctx->n_threads,
  };
}

/* Planes of in[i], and pictures shared out among the threads. */
static Train
train_planes (MienOpCtx *ctx, int i)
{
  const MienTensor x = plain_input (ctx, i, attr (ctx, "channels"));
  Train self = train_of (ctx);

  self.planes = (MienPlanes) { (int) x.shape.dim[0], (int) x.shape.dim[1], (int) x.shape.dim[2], (int) x.shape.dim[3], attr (ctx, "halo") };
  self.n_tasks = MIN (self.n_tasks, self.planes.n);
  return self;
}

/* x and w: which inputs. */
static gboolean
train_conv (MienOpCtx *ctx, int x, int w, Train *self, GError **error)
{
  const MienTensor plain = plain_input (ctx, x, attr (ctx, "channels"));
  const MienShape *weights = &ctx->in[w]->shape;
  const int halo = attr (ctx, "halo");
  MienWindow window;

  *self = train_of (ctx);
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

static gboolean
check_types (MienOpCtx *ctx, GError **error)
{
  for (int i = 0; i < ctx->n_in; i++)
    if (mien_op_has (ctx, i) && !mien_op_check_type (ctx, error, i, MIEN_F32, MIEN_BF16, 0))
      return FALSE;
  if (!mien_op_shapes_known (ctx) || lanes_of (ctx) == 0)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "a size that depends on the data");
  return TRUE;
}

static int
first_of (int n, int task, int n_tasks)
{
  return (int) ((long) n * task / n_tasks);
}

/* Groups of output channels: packed weights and their gradients lie in as many pieces, which threads can share. */
static int
n_groups (const Train *self, int k)
{
  return (int) (rounded (self, k) / (mien_blocked_group (self->blocked, k) * self->blocked->lanes));
}

static MienBlockedShape
shape_of_group (const Train *self, const MienBlockedShape *all, int group)
{
  const int width = mien_blocked_group (self->blocked, all->k) * self->blocked->lanes;
  MienBlockedShape shape = *all;

  shape.k = MIN (width, all->k - group * width);
  return shape;
}

/* Forward convolution: weights are packed at every run, for they change. */

static gboolean
infer_conv (MienOpCtx *ctx, GError **error)
{
  Train self;

  if (!check_types (ctx, error) || !train_conv (ctx, 0, 1, &self, error))
    return FALSE;
  if (mien_op_has (ctx, 2) && ctx->in[2]->n_elems != (gsize) self.shape.k)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input and weights do not fit together");
  const MienShape out = blocked_shape (ctx, self.shape.n, self.shape.k, self.shape.p, self.shape.q);
  mien_op_out (ctx, 0, is_bf16 (ctx) ? MIEN_BF16 : MIEN_F32, &out);
  return TRUE;
}

static gsize
packed_bytes (const Train *self, const MienBlockedShape *shape)
{
  return aligned (mien_blocked_conv_size (self->blocked, shape) * (self->blocked->bf16 ? sizeof (guint16) : sizeof (float)));
}

static gsize
bias_bytes (const Train *self)
{
  return aligned (rounded (self, self->shape.k) * sizeof (float));
}

static gboolean
prepare_conv (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  Train self;

  if (!train_conv (ctx, 0, 1, &self, error))
    return FALSE;
  prep->scratch_bytes = bias_bytes (&self) + MAX (packed_bytes (&self, &self.shape), mien_blocked_stem_size (self.blocked, &self.shape) * sizeof (float));
  return TRUE;
}

static void
pack_task (void *data, int task, int thread)
{
  const Train *self = data;
  const MienBlockedShape shape = shape_of_group (self, &self->shape, task), whole = shape_of_group (self, &self->shape, 0);
  const float *w = self->ctx->in[1]->data;

  mien_blocked_pack_conv (self->blocked, &shape, w + (gsize) task * whole.k * shape.c * shape.r * shape.s,
                          self->packed + task * mien_blocked_conv_size (self->blocked, &whole) * (self->blocked->bf16 ? sizeof (guint16) : sizeof (float)));
}

static void
conv_task (void *data, int task, int thread)
{
  const Train *self = data;
  const gboolean stem = self->ctx->in[0]->shape.rank == 4;
  const MienBlockedArgs args = { self->ctx->in[0]->data, self->packed, self->norm.shift, NULL, self->ctx->out[0]->data };
  const int n_rows = (stem ? mien_blocked_stem_rows (&self->shape) : mien_blocked_rows (self->blocked, &self->shape, TRUE)) / self->shape.n;

  (stem ? self->blocked->stem : self->blocked->conv) (&self->shape, &args, first_of (self->shape.n, task, self->n_tasks) * n_rows,
                                                      first_of (self->shape.n, task + 1, self->n_tasks) * n_rows);
}

static gboolean
run_conv (MienOpCtx *ctx, GError **error)
{
  Train self;

  if (!train_conv (ctx, 0, 1, &self, error))
    return FALSE;
  float *bias = ctx->scratch;
  if (mien_op_has (ctx, 2)) {
    memset (bias, 0, bias_bytes (&self));
    memcpy (bias, ctx->in[2]->data, self.shape.k * sizeof *bias);
    self.norm.shift = bias;
  }
  self.packed = (char *) ctx->scratch + bias_bytes (&self);
  if (ctx->in[0]->shape.rank == 4)
    mien_blocked_pack_stem (self.blocked, &self.shape, ctx->in[1]->data, (float *) self.packed);
  else
    mien_threads_run (ctx->threads, pack_task, &self, n_groups (&self, self.shape.k));
  mien_threads_run (ctx->threads, conv_task, &self, self.n_tasks);
  return TRUE;
}

/* dX: the convolution of dY, spread by the stride, with flipped weights. */

static MienBlockedShape
grad_x_shape (const MienBlockedShape *forward)
{
  MienBlockedShape shape = *forward;

  shape.k = forward->c;
  shape.c = forward->k;
  shape.p = forward->h;
  shape.q = forward->w;
  shape.h = (forward->p - 1) * forward->stride_h + 1;
  shape.w = (forward->q - 1) * forward->stride_w + 1;
  shape.stride_h = shape.stride_w = 1;
  shape.pad_top = forward->r - 1 - forward->pad_top;
  shape.pad_left = forward->s - 1 - forward->pad_left;
  return shape;
}

/* dY spread: the border is wide enough for every pixel of dX to find zeros. */
static MienPlanes
spread_planes (const MienBlockedShape *shape)
{
  const int below = shape->p + shape->r - 1 - shape->pad_top - shape->h, right = shape->q + shape->s - 1 - shape->pad_left - shape->w;

  return (MienPlanes) { 1, shape->c, shape->h, shape->w, MAX (MAX (below, right), MAX (MAX (shape->pad_top, shape->pad_left), 0)) };
}

static gboolean
needs_spread (const Train *self)
{
  const MienBlockedShape shape = grad_x_shape (&self->shape);

  return self->shape.stride_h != 1 || self->shape.stride_w != 1 || spread_planes (&shape).halo > self->shape.y_halo;
}

static gsize
spread_bytes (const Train *self)
{
  const MienBlockedShape shape = grad_x_shape (&self->shape);
  const MienPlanes planes = spread_planes (&shape);

  return needs_spread (self) ? aligned (mien_blocked_size (self->blocked->lanes, 1, planes.c, planes.h, planes.w, planes.halo) * sizeof (float)) : 0;
}

static gboolean
infer_grad_x (MienOpCtx *ctx, GError **error)
{
  Train self;

  if (!check_types (ctx, error) || !train_conv (ctx, 2, 0, &self, error))
    return FALSE;
  mien_op_out_like (ctx, 0, 2);
  return TRUE;
}

static gboolean
prepare_grad_x (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  Train self;

  if (!train_conv (ctx, 2, 0, &self, error))
    return FALSE;
  const MienBlockedShape shape = grad_x_shape (&self.shape);
  prep->scratch_bytes = packed_bytes (&self, &shape) + (gsize) self.n_tasks * spread_bytes (&self);
  return TRUE;
}

static void
flip_task (void *data, int task, int thread)
{
  const Train *self = data;
  const MienBlockedShape all = grad_x_shape (&self->shape), shape = shape_of_group (self, &all, task), whole = shape_of_group (self, &all, 0);
  const float *w = self->ctx->in[0]->data;

  mien_blocked_pack_conv_flipped (self->blocked, &shape, w + (gsize) task * whole.k * shape.r * shape.s, all.k,
                                  self->packed + task * mien_blocked_conv_size (self->blocked, &whole) * (self->blocked->bf16 ? sizeof (guint16) : sizeof (float)));
}

static void
grad_x_task (void *data, int task, int thread)
{
  const Train *self = data;
  MienBlockedShape shape = grad_x_shape (&self->shape);
  const int n_rows = mien_blocked_rows (self->blocked, &shape, TRUE) / shape.n;
  const int first = first_of (shape.n, task, self->n_tasks), end = first_of (shape.n, task + 1, self->n_tasks);
  const gsize elem = self->blocked->bf16 ? sizeof (guint16) : sizeof (float);
  MienBlockedArgs args = { self->ctx->in[1]->data, self->packed, NULL, NULL, self->ctx->out[0]->data };

  shape.x_halo = self->shape.y_halo;
  shape.y_halo = self->shape.x_halo;
  if (!needs_spread (self)) {
    self->blocked->conv (&shape, &args, first * n_rows, end * n_rows);
    return;
  }
  const MienPlanes from = { 1, shape.c, self->shape.p, self->shape.q, self->shape.y_halo }, to = spread_planes (&shape);
  const gsize x_picture = mien_blocked_size (self->blocked->lanes, 1, from.c, from.h, from.w, from.halo) * elem;
  const gsize y_picture = mien_blocked_size (self->blocked->lanes, 1, shape.k, shape.p, shape.q, shape.y_halo) * elem;
  char *spread = self->scratch + task * spread_bytes (self);
  shape.n = 1;
  shape.x_halo = to.halo;
  args.x = spread;
  for (int n = first; n < end; n++) {
    self->backward->spread (&from, (const char *) self->ctx->in[1]->data + n * x_picture, self->shape.stride_h, &to, spread);
    args.y = (char *) self->ctx->out[0]->data + n * y_picture;
    self->blocked->conv (&shape, &args, 0, n_rows);
  }
}

static gboolean
run_grad_x (MienOpCtx *ctx, GError **error)
{
  Train self;

  if (!train_conv (ctx, 2, 0, &self, error))
    return FALSE;
  const MienBlockedShape shape = grad_x_shape (&self.shape);
  self.packed = ctx->scratch;
  self.scratch = self.packed + packed_bytes (&self, &shape);
  mien_threads_run (ctx->threads, flip_task, &self, n_groups (&self, shape.k));
  mien_threads_run (ctx->threads, grad_x_task, &self, self.n_tasks);
  return TRUE;
}

/* dW */

static gsize
part_size (const Train *self, gboolean stem)
{
  return aligned ((stem ? mien_blocked_stem_size (self->blocked, &self->shape) : mien_blocked_conv_size (self->blocked, &self->shape)) * sizeof (float)) / sizeof (float);
}

static gsize
pairs_bytes (const Train *self, gboolean stem)
{
  return stem ? 0 : aligned (mien_backward_scratch (self->backward, &self->shape));
}

static gboolean
infer_grad_w (MienOpCtx *ctx, GError **error)
{
  Train self;

  if (!check_types (ctx, error) || !train_conv (ctx, 0, 2, &self, error))
    return FALSE;
  mien_op_out_like (ctx, 0, 2);
  return TRUE;
}

static gboolean
prepare_grad_w (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  const gboolean stem = ctx->in[0]->shape.rank == 4;
  Train self;

  if (!train_conv (ctx, 0, 2, &self, error))
    return FALSE;
  prep->scratch_bytes = self.n_tasks * (part_size (&self, stem) * sizeof (float) + pairs_bytes (&self, stem));
  return TRUE;
}

static void
grad_w_task (void *data, int task, int thread)
{
  const Train *self = data;
  const gboolean stem = self->ctx->in[0]->shape.rank == 4;
  const int first = first_of (self->shape.n, task, self->n_tasks), end = first_of (self->shape.n, task + 1, self->n_tasks);
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
  const Train *self = data;
  const MienBlockedShape shape = shape_of_group (self, &self->shape, task), whole = shape_of_group (self, &self->shape, 0);

  mien_backward_unpack_conv (self->backward, self->blocked, &shape, self->parts + task * mien_blocked_conv_size (self->blocked, &whole), self->n_tasks, self->part_size,
                             (float *) self->ctx->out[0]->data + (gsize) task * whole.k * shape.c * shape.r * shape.s);
}

static gboolean
run_grad_w (MienOpCtx *ctx, GError **error)
{
  const gboolean stem = ctx->in[0]->shape.rank == 4;
  Train self;

  if (!train_conv (ctx, 0, 2, &self, error))
    return FALSE;
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

/* Normalisation by the batch */

enum { SCALE, SHIFT, MEAN, A, B, C, N_COEFFICIENTS };

static gboolean
infer_norm (MienOpCtx *ctx, GError **error)
{
  const MienShape channels = { .rank = 1, .dim = { attr (ctx, "channels") } };

  if (!check_types (ctx, error))
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
sums_size (const Train *self)
{
  return (rounded (self, self->planes.c) * 2 + 7) / 8 * 8; /* doubles; threads do not share cache lines */
}

static gboolean
prepare_norm (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  const Train self = train_planes (ctx, 0);

  prep->scratch_bytes = self.n_tasks * sums_size (&self) * sizeof (double) + N_COEFFICIENTS * aligned (rounded (&self, self.planes.c) * sizeof (float));
  return TRUE;
}

/* Spare channels get coefficients 0, so they stay 0. */
static float *
coefficients (const Train *self, int which)
{
  float *all = (float *) (self->sums + self->n_tasks * sums_size (self));

  return all + which * aligned (rounded (self, self->planes.c) * sizeof (float)) / sizeof (float);
}

static double
total (const Train *self, int which, int channel)
{
  double sum = 0;

  for (int task = 0; task < self->n_tasks; task++)
    sum += self->sums[task * sums_size (self) + which * rounded (self, self->planes.c) + channel];
  return sum;
}

static void
moments_task (void *data, int task, int thread)
{
  const Train *self = data;
  const int first = first_of (self->planes.n, task, self->n_tasks), end = first_of (self->planes.n, task + 1, self->n_tasks);
  double *sums = self->sums + task * sums_size (self);

  memset (sums, 0, sums_size (self) * sizeof *sums);
  if (self->grad.dy != NULL)
    self->backward->grad_moments (&self->planes, &self->grad, first, end, sums);
  else
    self->backward->moments (&self->planes, self->norm.x, first, end, sums);
}

static void
norm_task (void *data, int task, int thread)
{
  const Train *self = data;
  const int first = first_of (self->planes.n, task, self->n_tasks), end = first_of (self->planes.n, task + 1, self->n_tasks);

  if (self->grad.dy != NULL)
    self->backward->norm_grad (&self->planes, &self->grad, first, end);
  else
    self->backward->normalise (&self->planes, &self->norm, first, end);
}

static gboolean
run_norm (MienOpCtx *ctx, GError **error)
{
  Train self = train_planes (ctx, 0);
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
  memset (a, 0, rounded (&self, self.planes.c) * sizeof *a);
  memset (b, 0, rounded (&self, self.planes.c) * sizeof *b);
  for (int c = 0; c < self.planes.c; c++) {
    const double m = total (&self, 0, c) / count, v = MAX (total (&self, 1, c) / count - m * m, 0);
    mean[c] = (float) m;
    var[c] = (float) v;
    a[c] = (float) (scale[c] / sqrt (v + epsilon));
    b[c] = (float) (bias[c] - m * scale[c] / sqrt (v + epsilon));
  }
  mien_threads_run (ctx->threads, norm_task, &self, self.n_tasks);
  return TRUE;
}

static gboolean
infer_norm_grad (MienOpCtx *ctx, GError **error)
{
  if (!check_types (ctx, error))
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

/* With sums S = sum dz and T = sum dz (x - mean) over m elements and i = 1 / sqrt (var + epsilon):
 * dx = scale i (dz - S / m - (x - mean) i^2 T / m); dscale = i T; dbias = S */
static gboolean
run_norm_grad (MienOpCtx *ctx, GError **error)
{
  Train self = train_planes (ctx, 0);
  const double count = (double) self.planes.n * self.planes.h * self.planes.w, epsilon = mien_node_float (ctx->node, "epsilon", 1e-5f);
  const float *scale = ctx->in[1]->data, *bias = ctx->in[2]->data, *mean = ctx->in[3]->data, *var = ctx->in[4]->data;
  float *dscale = ctx->out[1] != NULL ? ctx->out[1]->data : NULL, *dbias = ctx->out[2] != NULL ? ctx->out[2]->data : NULL;

  self.sums = ctx->scratch;
  memset (coefficients (&self, 0), 0, N_COEFFICIENTS * aligned (rounded (&self, self.planes.c) * sizeof (float)));
  for (int c = 0; c < self.planes.c; c++) {
    const double inverse = 1 / sqrt (var[c] + epsilon);
    coefficients (&self, SCALE)[c] = (float) (scale[c] * inverse);
    coefficients (&self, SHIFT)[c] = (float) (bias[c] - mean[c] * scale[c] * inverse);
    coefficients (&self, MEAN)[c] = mean[c];
  }
  self.grad = (MienNormGradArgs) {
    .x = ctx->in[0]->data,
    .y = mien_op_has (ctx, 6) ? ctx->in[6]->data : NULL,
    .dy = ctx->in[5]->data,
    .scale = coefficients (&self, SCALE),
    .shift = coefficients (&self, SHIFT),
    .mean = coefficients (&self, MEAN),
    .a = coefficients (&self, A),
    .b = coefficients (&self, B),
    .c = coefficients (&self, C),
    .rectified = mien_node_attr (ctx->node, "mien.lo") != NULL,
    .dx = ctx->out[0]->data,
    .dresidual = ctx->n_out > 3 && ctx->out[3] != NULL ? ctx->out[3]->data : NULL,
  };
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
  mien_threads_run (ctx->threads, norm_task, &self, self.n_tasks);
  return TRUE;
}

/* What a convolution did to its sums: norm_grad with x = Y, scale 1 and shift 0, so that the sign of Y decides. */

static gboolean
infer_bias_grad (MienOpCtx *ctx, GError **error)
{
  if (!check_types (ctx, error))
    return FALSE;
  if (ctx->in[0]->shape.rank != 5 || !mien_shape_equal (&ctx->in[0]->shape, &ctx->in[1]->shape))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "inputs that do not fit together");
  mien_op_out_like (ctx, 0, 0);
  if (ctx->n_out > 1)
    mien_op_out_like (ctx, 1, 2);
  return TRUE;
}

static gboolean
run_bias_grad (MienOpCtx *ctx, GError **error)
{
  Train self = train_planes (ctx, 0);

  self.sums = ctx->scratch;
  memset (coefficients (&self, 0), 0, N_COEFFICIENTS * aligned (rounded (&self, self.planes.c) * sizeof (float)));
  for (int c = 0; c < self.planes.c; c++)
    coefficients (&self, SCALE)[c] = coefficients (&self, A)[c] = 1;
  self.grad = (MienNormGradArgs) {
    .x = ctx->in[0]->data,
    .dy = ctx->in[1]->data,
    .scale = coefficients (&self, SCALE),
    .shift = coefficients (&self, SHIFT),
    .mean = coefficients (&self, MEAN),
    .a = coefficients (&self, A),
    .b = coefficients (&self, B),
    .c = coefficients (&self, C),
    .rectified = mien_node_attr (ctx->node, "mien.lo") != NULL,
    .dx = ctx->out[0]->data,
  };
  if (ctx->n_out > 1) {
    float *db = ctx->out[1]->data;
    mien_threads_run (ctx->threads, moments_task, &self, self.n_tasks);
    for (int c = 0; c < self.planes.c; c++)
      db[c] = (float) total (&self, 0, c);
  }
  mien_threads_run (ctx->threads, norm_task, &self, self.n_tasks);
  return TRUE;
}

/* The small ones */

static gboolean
infer_like_first (MienOpCtx *ctx, GError **error)
{
  if (!check_types (ctx, error))
    return FALSE;
  if (ctx->in[0]->shape.rank != 5 || (g_str_equal (ctx->node->op, "TrainAdd") && !mien_shape_equal (&ctx->in[0]->shape, &ctx->in[1]->shape)))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "inputs that do not fit together");
  mien_op_out_like (ctx, 0, 0);
  return TRUE;
}

static void
small_task (void *data, int task, int thread)
{
  const Train *self = data;
  const MienOpCtx *ctx = self->ctx;
  const int first = first_of (self->planes.n, task, self->n_tasks), end = first_of (self->planes.n, task + 1, self->n_tasks);

  if (g_str_equal (ctx->node->op, "TrainAdd"))
    self->backward->add (&self->planes, ctx->in[0]->data, ctx->in[1]->data, ctx->out[0]->data, first, end);
  else if (g_str_equal (ctx->node->op, "TrainMaxPoolGrad"))
    self->backward->max_pool_grad (&self->planes, ctx->in[0]->data, ctx->in[1]->data, ctx->out[0]->data, first, end);
  else
    self->backward->average_grad (&self->planes, ctx->in[1]->data, ctx->out[0]->data, first, end);
}

static gboolean
run_small (MienOpCtx *ctx, GError **error)
{
  Train self = train_planes (ctx, 0);

  mien_threads_run (ctx->threads, small_task, &self, self.n_tasks);
  return TRUE;
}

const MienOp mien_ops_backward[] = {
  { "mien", "TrainStem", 1, 0, 2, 3, 1, MIEN_OP_IMPURE, infer_conv, prepare_conv, run_conv },
  { "mien", "TrainConv", 1, 0, 2, 3, 1, MIEN_OP_IMPURE, infer_conv, prepare_conv, run_conv },
  { "mien", "TrainConvGradX", 1, 0, 3, 3, 1, MIEN_OP_IMPURE, infer_grad_x, prepare_grad_x, run_grad_x },
  { "mien", "TrainConvGradW", 1, 0, 3, 3, 1, MIEN_OP_IMPURE, infer_grad_w, prepare_grad_w, run_grad_w },
  { "mien", "TrainBiasGrad", 1, 0, 3, 3, 2, MIEN_OP_IMPURE, infer_bias_grad, prepare_norm, run_bias_grad },
  { "mien", "TrainNorm", 1, 0, 3, 4, 3, MIEN_OP_IMPURE, infer_norm, prepare_norm, run_norm },
  { "mien", "TrainNormGrad", 1, 0, 6, 7, 4, MIEN_OP_IMPURE, infer_norm_grad, prepare_norm, run_norm_grad },
  { "mien", "TrainMaxPoolGrad", 1, 0, 2, 2, 1, 0, infer_like_first, NULL, run_small },
  { "mien", "TrainAverageGrad", 1, 0, 2, 2, 1, 0, infer_like_first, NULL, run_small },
  { "mien", "TrainAdd", 1, 0, 2, 2, 1, 0, infer_like_first, NULL, run_small },
  { NULL },
};
