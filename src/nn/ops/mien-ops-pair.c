/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two narrow convolutions at the beginning of a network (domain mien). mien-passes-layout.c puts it where two Conv stood; files never hold it.
 *
 *   BlockedPair (X, W1, B1?, W2, B2?) -> Y     X plain, Y blocked
 *
 * Attributes: channels (of X), bf16, y_halo; first_pad and second_pad (on all sides), mien.lo, mien.hi, second.lo, second.hi (clamps). */
#include "mien-config.h"

#include <math.h>

#include "nn/ops/mien-ops-blocked.h"
#include "nn/ops/mien-ops.h"

enum { N = MIEN_BLOCKED_PAIR_CHANNELS, TAPS = 9 };

typedef struct {
  MienBlockedPair pair;
  MienBlockedPairFn run;
  MienBlockedShape second;
  float first_w[MIEN_BLOCKED_STEM_CHANNELS * TAPS * N], second_w[N * MIEN_BLOCKED_PAIR_ROWS * 3 * N]; /* bfloat16: a quarter of it */
  float first_bias[N], second_bias[N];
} State;

typedef struct {
  const State *state;
  const float *x;
  void *y;
  int n_tasks;
} Job;

static gboolean
read_pair (MienOpCtx *ctx, MienBlockedShape *first, MienBlockedShape *second, GError **error)
{
  const MienShape *x = &ctx->in[0]->shape, *w1 = &ctx->in[1]->shape, *w2 = &ctx->in[3]->shape;
  const int pad1 = mien_blocked_op_attr (ctx, "first_pad"), pad2 = mien_blocked_op_attr (ctx, "second_pad");

  if (x->rank != 4 || x->dim[1] != w1->dim[1])
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "an input that does not fit the weights");
  const gint64 n = x->dim[0], p = x->dim[2] + 2 * pad1 - 2, q = x->dim[3] + 2 * pad1 - 2;
  if (n < 1 || p + 2 * pad2 - 2 < 1 || q + 2 * pad2 - 2 < 1)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the input is smaller than the kernel");
  if (n * (p + 2) * (q + 2) > G_MAXINT32 / 64)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the input is too large");
  *first = (MienBlockedShape) {
    .n = (int) n, .c = (int) x->dim[1], .h = (int) x->dim[2], .w = (int) x->dim[3], .k = (int) w1->dim[0], .p = (int) p, .q = (int) q,
    .r = 3, .s = 3, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .pad_top = pad1, .pad_left = pad1,
    .lo = mien_node_float (ctx->node, "mien.lo", -INFINITY), .hi = mien_node_float (ctx->node, "mien.hi", INFINITY),
  };
  *second = (MienBlockedShape) {
    .n = first->n, .c = first->k, .h = first->p, .w = first->q, .k = (int) w2->dim[0], .p = first->p + 2 * pad2 - 2, .q = first->q + 2 * pad2 - 2,
    .y_halo = mien_blocked_op_attr (ctx, "y_halo"),
    .r = 3, .s = 3, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .pad_top = pad2, .pad_left = pad2,
    .lo = mien_node_float (ctx->node, "second.lo", -INFINITY), .hi = mien_node_float (ctx->node, "second.hi", INFINITY),
  };
  return TRUE;
}

static gboolean
infer_pair (MienOpCtx *ctx, GError **error)
{
  MienBlockedShape first, second;

  if (!mien_op_check_type (ctx, error, 0, MIEN_F32, 0))
    return FALSE;
  if (!mien_op_shapes_known (ctx))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "an input whose size depends on the data");
  if (!read_pair (ctx, &first, &second, error))
    return FALSE;
  const MienShape out = mien_blocked_op_shape (ctx, second.n, second.k, second.p, second.q);
  mien_op_out (ctx, 0, mien_blocked_op_type (ctx), &out);
  return TRUE;
}

static gboolean
prepare_pair (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  const MienBlockedKernels *kernels = mien_blocked_op_kernels (ctx);
  State *state = g_new0 (State, 1);
  MienBlockedPair *pair = &state->pair;

  prep->state = state;
  prep->free_state = g_free;
  state->run = kernels->pair;
  if (!read_pair (ctx, &pair->first, &state->second, error))
    return FALSE;
  mien_blocked_pack_pair (kernels, pair->first.c, pair->first.k, state->second.k, ctx->in[1]->data, ctx->in[3]->data, state->first_w,
                          state->second_w);
  for (int k = 0; mien_op_has (ctx, 2) && k < pair->first.k; k++)
    state->first_bias[k] = ((const float *) ctx->in[2]->data)[k];
  for (int k = 0; mien_op_has (ctx, 4) && k < state->second.k; k++)
    state->second_bias[k] = ((const float *) ctx->in[4]->data)[k];
  pair->first_w = state->first_w;
  pair->first_bias = state->first_bias;
  pair->second_w = state->second_w;
  pair->second_bias = state->second_bias;
  return TRUE;
}

static void
run_task (void *data, int task, int thread)
{
  const Job *job = data;
  const long rows = (long) job->state->second.n * job->state->second.p;

  job->state->run (&job->state->pair, &job->state->second, job->x, job->y, (int) (rows * task / job->n_tasks), (int) (rows * (task + 1) / job->n_tasks));
}

static gboolean
run_pair (MienOpCtx *ctx, GError **error)
{
  const State *state = ctx->state;
  const MienBlockedShape *second = &state->second;
  const double work = (double) second->n * second->p * second->q * N * TAPS * (N + state->pair.first.c);
  Job job = { state, ctx->in[0]->data, ctx->out[0]->data };

  job.n_tasks = work < 500e3 ? 1 : MIN (mien_threads_count (ctx->threads), second->p);
  mien_threads_run (ctx->threads, run_task, &job, job.n_tasks);
  return TRUE;
}

const MienOp mien_ops_pair[] = {
  { "mien", "BlockedPair", 1, 0, 2, 5, 1, 0, infer_pair, prepare_pair, run_pair },
  { NULL },
};
