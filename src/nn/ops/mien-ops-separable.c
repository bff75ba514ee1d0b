/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A depthwise convolution with the 1 x 1 convolution behind it (domain mien). mien-passes-layout.c puts it where two Conv stood; files never
 * hold it.
 *
 *   BlockedSeparable (X, W1, W2, residual?, B1?, B2?) -> Y     X and Y blocked
 *
 * Attributes: channels (of X), bf16, x_halo, y_halo, residual_halo; of the depthwise one those of Conv, mien.lo, mien.hi; second.lo, second.hi. */
#include "mien-config.h"

#include <math.h>
#include <string.h>

#include "nn/mien-kernels.h"
#include "nn/ops/mien-ops-window.h"
#include "nn/ops/mien-ops.h"

typedef struct {
  MienBlockedSeparable layer;
  gsize buffer_bytes; /* of a thread */
  double work;        /* multiply-adds, for sharing out */
} State;

typedef struct {
  const State *state;
  MienBlockedSeparableFn run;
  const void *x, *residual;
  void *y;
  char *scratch;
  int n_tasks;
} Job;

static void
free_state (gpointer data)
{
  State *state = data;

  g_aligned_free ((gpointer) state->layer.depth_w);
  g_aligned_free ((gpointer) state->layer.point_w);
  g_free ((gpointer) state->layer.depth_bias);
  g_free ((gpointer) state->layer.point_bias);
  g_free (state);
}

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

static const MienBlockedKernels *
kernels_of (const MienOpCtx *ctx)
{
  return is_bf16 (ctx) ? &ctx->kernels->blocked_bf16 : &ctx->kernels->blocked;
}

static gboolean
read_shapes (MienOpCtx *ctx, MienBlockedShape *depth, MienBlockedShape *point, GError **error)
{
  MienTensor x = *ctx->in[0];
  const int halo = attr (ctx, "x_halo");
  MienWindow window;

  if (x.shape.rank != 5)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "an input of %d dimensions instead of 4 (N, C, H, W)", x.shape.rank);
  x.shape.rank = 4;
  x.shape.dim[1] = attr (ctx, "channels");
  x.shape.dim[2] -= 2 * halo;
  x.shape.dim[3] -= 2 * halo;
  if (!mien_window_read (ctx, &x, ctx->in[1]->shape.dim + 2, &window, error))
    return FALSE;
  *depth = (MienBlockedShape) {
    .n = (int) x.shape.dim[0],
    .c = (int) x.shape.dim[1],
    .h = window.in[1],
    .w = window.in[2],
    .x_halo = halo,
    .k = (int) x.shape.dim[1],
    .p = window.out[1],
    .q = window.out[2],
    .r = window.kernel[1],
    .s = window.kernel[2],
    .stride_h = window.stride[1],
    .stride_w = window.stride[2],
    .dilation_h = window.dilation[1],
    .dilation_w = window.dilation[2],
    .pad_top = window.pad_begin[1],
    .pad_left = window.pad_begin[2],
    .lo = mien_node_float (ctx->node, "mien.lo", -INFINITY),
    .hi = mien_node_float (ctx->node, "mien.hi", INFINITY),
  };
  *point = (MienBlockedShape) {
    .n = depth->n, .c = depth->k, .h = depth->p, .w = depth->q, .k = (int) ctx->in[2]->shape.dim[0], .p = depth->p, .q = depth->q,
    .y_halo = attr (ctx, "y_halo"), .r = 1, .s = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1,
    .residual_halo = attr (ctx, "residual_halo"),
    .lo = mien_node_float (ctx->node, "second.lo", -INFINITY), .hi = mien_node_float (ctx->node, "second.hi", INFINITY),
  };
  return TRUE;
}

static gboolean
infer_separable (MienOpCtx *ctx, GError **error)
{
  const int lanes = kernels_of (ctx)->lanes;
  const MienType type = is_bf16 (ctx) ? MIEN_BF16 : MIEN_F32;
  MienBlockedShape depth, point;

  if (!mien_op_check_type (ctx, error, 0, type, 0))
    return FALSE;
  if (!mien_op_shapes_known (ctx))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "an input whose size depends on the data");
  if (!read_shapes (ctx, &depth, &point, error))
    return FALSE;
  const int halo = point.y_halo, other = point.residual_halo;
  const MienShape out = mien_shape (5, point.n, (point.k + lanes - 1) / lanes, point.p + 2 * halo, point.q + 2 * halo, lanes);
  mien_op_out (ctx, 0, type, &out);
  if (mien_op_has (ctx, 3)) {
    const MienShape *r = &ctx->in[3]->shape;
    if (r->rank != 5 || r->dim[0] != point.n || r->dim[1] != out.dim[1] || r->dim[2] - 2 * other != point.p || r->dim[3] - 2 * other != point.q)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the two inputs of the sum have different shapes");
  }
  return TRUE;
}

/* Filled up with zeros to whole blocks; NULL when there is no such input. */
static float *
dup_bias (const MienOpCtx *ctx, int input, int n, int lanes)
{
  if (!mien_op_has (ctx, input))
    return NULL;
  float *bias = g_new0 (float, (n + lanes - 1) / lanes * lanes);
  memcpy (bias, ctx->in[input]->data, n * sizeof *bias);
  return bias;
}

static gboolean
prepare_separable (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  const MienBlockedKernels *kernels = kernels_of (ctx);
  State *state = g_new0 (State, 1);
  MienBlockedSeparable *layer = &state->layer;
  MienBlockedShape *depth = &layer->depth, *point = &layer->point;

  prep->state = state;
  prep->free_state = free_state;
  if (!read_shapes (ctx, depth, point, error))
    return FALSE;
  float *depth_w = g_aligned_alloc (mien_blocked_depth_size (kernels, depth), sizeof *depth_w, 64);
  void *point_w = g_aligned_alloc (mien_blocked_conv_size (kernels, point), is_bf16 (ctx) ? 2 : 4, 64);
  mien_blocked_pack_depth (kernels, depth, ctx->in[1]->data, depth_w);
  mien_blocked_pack_conv (kernels, point, ctx->in[2]->data, point_w);
  layer->depth_w = depth_w;
  layer->point_w = point_w;
  layer->depth_bias = dup_bias (ctx, 4, depth->k, kernels->lanes);
  layer->point_bias = dup_bias (ctx, 5, point->k, kernels->lanes);
  state->buffer_bytes = mien_blocked_separable_buffer (kernels, layer);
  state->work = (double) point->n * point->p * point->q * point->c * (depth->r * depth->s + (double) point->k);
  prep->scratch_bytes = state->buffer_bytes * ctx->n_threads;
  return TRUE;
}

static void
run_task (void *data, int task, int thread)
{
  const Job *job = data;
  const MienBlockedSeparable *layer = &job->state->layer;
  const long rows = (long) layer->point.n * layer->point.p;

  job->run (layer, job->x, job->residual, job->y, job->scratch + thread * job->state->buffer_bytes, (int) (rows * task / job->n_tasks),
            (int) (rows * (task + 1) / job->n_tasks));
}

static gboolean
run_separable (MienOpCtx *ctx, GError **error)
{
  const State *state = ctx->state;
  const void *residual = mien_op_has (ctx, 3) ? ctx->in[3]->data : NULL;
  Job job = { state, kernels_of (ctx)->separable, ctx->in[0]->data, residual, ctx->out[0]->data, ctx->scratch };

  job.n_tasks = state->work < 500e3 ? 1 : MIN (mien_threads_count (ctx->threads), state->layer.point.n * state->layer.point.p);
  mien_threads_run (ctx->threads, run_task, &job, job.n_tasks);
  return TRUE;
}

const MienOp mien_ops_separable[] = {
  { "mien", "BlockedSeparable", 1, 0, 3, 6, 1, 0, infer_separable, prepare_separable, run_separable },
  { NULL },
};
