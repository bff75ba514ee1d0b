/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A depthwise convolution with the 1 x 1 convolution behind it (domain mien). mien-passes-layout.c puts it where two Conv stood; files never
 * hold it.
 *
 *   BlockedSeparable (X, W1, W2, residual?, B1?, B2?) -> Y     X and Y blocked
 *
 * Attributes: channels (of X), bf16, x_halo, y_halo, residual_halo, narrow (1: what lies between and W2 may be bfloat16); of the depthwise one those of Conv, mien.lo, mien.hi; second.lo, second.hi. */
#include "mien-config.h"

#include <math.h>

#include "nn/ops/mien-ops-blocked.h"
#include "nn/ops/mien-ops.h"

typedef struct {
  MienBlockedSeparable layer;
  MienBlockedSeparableFn run;
  gsize buffer_bytes; /* of a thread */
  double work;        /* multiply-adds, for sharing out */
} State;

typedef struct {
  const State *state;
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

static gboolean
read_shapes (MienOpCtx *ctx, MienBlockedShape *depth, MienBlockedShape *point, GError **error)
{
  if (!mien_blocked_op_read_shape (ctx, &ctx->in[1]->shape, depth, error))
    return FALSE;
  *point = (MienBlockedShape) {
    .n = depth->n, .c = depth->k, .h = depth->p, .w = depth->q, .k = (int) ctx->in[2]->shape.dim[0], .p = depth->p, .q = depth->q,
    .y_halo = depth->y_halo, .r = 1, .s = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .residual_halo = depth->residual_halo,
    .lo = mien_node_float (ctx->node, "second.lo", -INFINITY), .hi = mien_node_float (ctx->node, "second.hi", INFINITY),
  };
  depth->y_halo = depth->residual_halo = 0;
  return TRUE;
}

static gboolean
infer_separable (MienOpCtx *ctx, GError **error)
{
  const MienType type = mien_blocked_op_type (ctx);
  MienBlockedShape depth, point;

  if (!mien_op_check_type (ctx, error, 0, type, 0))
    return FALSE;
  if (!mien_op_shapes_known (ctx))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "an input whose size depends on the data");
  if (!read_shapes (ctx, &depth, &point, error))
    return FALSE;
  const MienShape out = mien_blocked_op_shape (ctx, point.n, point.k, point.p, point.q);
  mien_op_out (ctx, 0, type, &out);
  return mien_blocked_op_check_residual (ctx, &point, error);
}

static gboolean
prepare_separable (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  const MienBlockedKernels *kernels = mien_blocked_op_kernels (ctx), *point_kernels = kernels;
  State *state = g_new0 (State, 1);
  MienBlockedSeparable *layer = &state->layer;
  MienBlockedShape *depth = &layer->depth, *point = &layer->point;

  prep->state = state;
  prep->free_state = free_state;
  state->run = kernels->separable;
  if (!kernels->bf16 && mien_blocked_op_attr (ctx, "narrow") != 0 && ctx->kernels->separable_tiles != NULL) {
    state->run = ctx->kernels->separable_tiles;
    point_kernels = &ctx->kernels->blocked_bf16;
  }
  if (!read_shapes (ctx, depth, point, error))
    return FALSE;
  float *depth_w = g_aligned_alloc (mien_blocked_depth_size (kernels, depth), sizeof *depth_w, 64);
  void *point_w = g_aligned_alloc (mien_blocked_conv_size (point_kernels, point), point_kernels->bf16 ? 2 : 4, 64);
  mien_blocked_pack_depth (kernels, depth, ctx->in[1]->data, depth_w);
  mien_blocked_pack_conv (point_kernels, point, ctx->in[2]->data, point_w, ctx->threads);
  layer->depth_w = depth_w;
  layer->point_w = point_w;
  layer->depth_bias = mien_blocked_op_dup_bias (ctx, 4, depth->k);
  layer->point_bias = mien_blocked_op_dup_bias (ctx, 5, point->k);
  state->buffer_bytes = (point_kernels != kernels ? mien_blocked_separable_tiles_buffer : mien_blocked_separable_buffer) (kernels, layer);
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

  job->state->run (layer, job->x, job->residual, job->y, job->scratch + thread * job->state->buffer_bytes, (int) (rows * task / job->n_tasks),
            (int) (rows * (task + 1) / job->n_tasks));
}

static gboolean
run_separable (MienOpCtx *ctx, GError **error)
{
  const State *state = ctx->state;
  const void *residual = mien_op_has (ctx, 3) ? ctx->in[3]->data : NULL;
  Job job = { state, ctx->in[0]->data, residual, ctx->out[0]->data, ctx->scratch };

  job.n_tasks = state->work < 500e3 ? 1 : MIN (mien_threads_count (ctx->threads), state->layer.point.n * state->layer.point.p);
  mien_threads_run (ctx->threads, run_task, &job, job.n_tasks);
  return TRUE;
}

const MienOp mien_ops_separable[] = {
  { "mien", "BlockedSeparable", 1, 0, 3, 6, 1, 0, infer_separable, prepare_separable, run_separable },
  { NULL },
};
