/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators on blocked tensors (domain mien, f32 or bfloat16; layout: kernels/mien-blocked.h). mien-passes-layout.c puts them where Conv and pools
 * stood; files never hold them.
 *
 *   BlockedConv (X, W, B?, residual?) -> Y      X and Y blocked; attribute pool 1, without residual: a maximum over 2 x 2 follows
 *   BlockedStem (X, W, B?) -> Y                 X plain; pool likewise
 *   BlockedDepth (X, W, B?, residual?) -> Y     depthwise              BlockedMaxPool, BlockedAveragePool (X) -> Y
 *   BlockedGlobalAverage (X) -> Y               Y plain [N][C][1][1]
 *   BlockedConvMean (X, W, B?) -> Y             the same of what BlockedConv gives, without clamp and residual
 *   ToBlocked (X) -> Y, FromBlocked (X) -> Y
 *
 * A blocked tensor has rank 5: [N][C / lanes][H + 2 halo][W + 2 halo][lanes]. Attributes besides those of the plain operator: channels
 * (of X, as in the model), x_halo, y_halo, residual_halo, bf16 (1: blocked values are
 * bfloat16), tiles (1: in blocks for tile registers), narrow (1: weights may be bfloat16 even if values are not), mien.lo, mien.hi. */
#include "mien-config.h"

#include <math.h>
#include <string.h>

#include "nn/ops/mien-ops-blocked.h"
#include "nn/ops/mien-ops-window.h"
#include "nn/ops/mien-ops.h"

typedef struct {
  MienBlockedShape shape;
  const MienBlockedKernels *kernels;
  MienBlockedFn run;
  const MienWinogradKernels *winograd;
  MienWinogradKind kind; /* by these kernels instead of run, rows 0: not */
  void *packed; /* (nullable) in pages of the plan */
  float *bias;  /* (nullable) */
  int n_rows;
  int n_slabs; /* of as many rows, each of which the threads share: those of a picture, where they have its rows from before; 1: all rows at once */
  MienBlockedShape pool; /* n 0: none; a maximum over what the convolution left in scratch */
  double work; /* multiply-adds, for sharing out */
} State;

typedef struct {
  const MienBlockedShape *shape;
  MienBlockedFn run;
  MienBlockedArgs args;
  int n_rows, n_slabs, n_tasks;
} Job;

static void
free_state (gpointer data)
{
  State *state = data;

  g_free (state->bias);
  g_free (state);
}

int
mien_blocked_op_attr (const MienOpCtx *ctx, const char *name)
{
  return (int) mien_node_int (ctx->node, name, 0);
}

const MienBlockedKernels *
mien_blocked_op_kernels (const MienOpCtx *ctx)
{
  if (mien_blocked_op_attr (ctx, "bf16") != 0)
    return mien_blocked_op_attr (ctx, "tiles") != 0 ? &ctx->kernels->blocked_tiles : &ctx->kernels->blocked_bf16;
  return &ctx->kernels->blocked;
}

MienType
mien_blocked_op_type (const MienOpCtx *ctx)
{
  return mien_blocked_op_attr (ctx, "bf16") != 0 ? MIEN_BF16 : MIEN_F32;
}

MienTensor
mien_blocked_op_plain (const MienOpCtx *ctx)
{
  MienTensor plain = *ctx->in[0];
  const int halo = mien_blocked_op_attr (ctx, "x_halo");

  /* A stem reads what the graph gets, which may have any rank. */
  if (plain.shape.rank == 5 && !g_str_equal (ctx->node->op, "BlockedStem")) {
    plain.shape.rank = 4;
    plain.shape.dim[1] = mien_blocked_op_attr (ctx, "channels");
    plain.shape.dim[2] -= 2 * halo;
    plain.shape.dim[3] -= 2 * halo;
  }
  return plain;
}

gboolean
mien_blocked_op_read_shape (MienOpCtx *ctx, const MienShape *weights, MienBlockedShape *shape, GError **error)
{
  const MienTensor x = mien_blocked_op_plain (ctx);
  MienWindow window;

  if (x.shape.rank != 4)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "an input of %d dimensions instead of 4 (N, C, H, W)", x.shape.rank);
  if (!mien_window_read (ctx, &x, weights != NULL ? weights->dim + 2 : NULL, &window, error))
    return FALSE;
  *shape = (MienBlockedShape) {
    .n = (int) x.shape.dim[0],
    .c = (int) x.shape.dim[1],
    .h = window.in[1],
    .w = window.in[2],
    .x_halo = mien_blocked_op_attr (ctx, "x_halo"),
    .k = (int) (weights != NULL ? weights->dim[0] : x.shape.dim[1]),
    .p = window.out[1],
    .q = window.out[2],
    .y_halo = mien_blocked_op_attr (ctx, "y_halo"),
    .r = window.kernel[1],
    .s = window.kernel[2],
    .stride_h = window.stride[1],
    .stride_w = window.stride[2],
    .dilation_h = window.dilation[1],
    .dilation_w = window.dilation[2],
    .pad_top = window.pad_begin[1],
    .pad_left = window.pad_begin[2],
    .residual_halo = mien_blocked_op_attr (ctx, "residual_halo"),
    .lo = mien_node_float (ctx->node, "mien.lo", -INFINITY),
    .hi = mien_node_float (ctx->node, "mien.hi", INFINITY),
  };
  return TRUE;
}

MienShape
mien_blocked_op_shape (const MienOpCtx *ctx, gint64 n, gint64 c, gint64 h, gint64 w)
{
  const int lanes = mien_blocked_op_kernels (ctx)->lanes, halo = mien_blocked_op_attr (ctx, "y_halo");

  return (MienShape) { .rank = 5, .dim = { n, (c + lanes - 1) / lanes, h + 2 * halo, w + 2 * halo, lanes } };
}

gboolean
mien_blocked_op_check_residual (MienOpCtx *ctx, const MienBlockedShape *shape, GError **error)
{
  const int lanes = mien_blocked_op_kernels (ctx)->lanes, halo = shape->residual_halo;
  const MienShape *r = mien_op_has (ctx, 3) ? &ctx->in[3]->shape : NULL;

  if (r == NULL || (r->rank == 5 && r->dim[0] == shape->n && r->dim[1] == (shape->k + lanes - 1) / lanes && r->dim[2] - 2 * halo == shape->p &&
                    r->dim[3] - 2 * halo == shape->q))
    return TRUE;
  return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the two inputs of the sum have different shapes");
}

float *
mien_blocked_op_dup_bias (const MienOpCtx *ctx, int input, int n)
{
  const int lanes = mien_blocked_op_kernels (ctx)->lanes;

  if (!mien_op_has (ctx, input))
    return NULL;
  float *bias = g_new0 (float, (n + lanes - 1) / lanes * lanes);
  memcpy (bias, ctx->in[input]->data, n * sizeof *bias);
  return bias;
}

static gboolean
is (const MienOpCtx *ctx, const char *op)
{
  return g_str_equal (ctx->node->op, op);
}

static gboolean
has_weights (const MienOpCtx *ctx)
{
  return is (ctx, "BlockedConv") || is (ctx, "BlockedConvMean") || is (ctx, "BlockedStem") || is (ctx, "BlockedDepth");
}

static gboolean
read_shape (MienOpCtx *ctx, MienBlockedShape *shape, GError **error)
{
  const MienShape x = mien_blocked_op_plain (ctx).shape, *w = has_weights (ctx) ? &ctx->in[1]->shape : NULL;

  if (w != NULL && x.rank == 4 && !is (ctx, "BlockedDepth") && w->dim[1] != x.dim[1]) {
    g_autofree char *xs = mien_shape_to_string (&x);
    g_autofree char *ws = mien_shape_to_string (w);
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input %s and weights %s do not fit together", xs, ws);
  }
  if (!mien_blocked_op_read_shape (ctx, w, shape, error))
    return FALSE;
  shape->pool = mien_blocked_op_attr (ctx, "pool") != 0;
  if (shape->pool && (shape->p < 2 || shape->q < 2 || mien_op_has (ctx, 3) || (is (ctx, "BlockedStem") && !mien_blocked_stem_can_pool (shape))))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "a shape that cannot be pooled");
  return TRUE;
}

static gboolean
infer_blocked (MienOpCtx *ctx, GError **error)
{
  MienBlockedShape shape;

  if (!mien_op_check_type (ctx, error, 0, is (ctx, "BlockedStem") ? MIEN_F32 : mien_blocked_op_type (ctx), 0))
    return FALSE;
  if (!mien_op_shapes_known (ctx))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "an input whose size depends on the data");
  if (!read_shape (ctx, &shape, error))
    return FALSE;
  const MienShape mean = mien_shape (4, shape.n, shape.k, 1, 1);
  const MienShape out = mien_blocked_op_shape (ctx, shape.n, shape.k, shape.pool ? shape.p / 2 : shape.p, shape.pool ? shape.q / 2 : shape.q);
  if (is (ctx, "BlockedConvMean"))
    mien_op_out (ctx, 0, MIEN_F32, &mean);
  else
    mien_op_out (ctx, 0, mien_blocked_op_type (ctx), &out);
  return mien_blocked_op_check_residual (ctx, &shape, error);
}

/* A kernel that does not pool writes to scratch, without a border. */
static void
prepare_pool (const MienOpCtx *ctx, State *state, MienOpPrep *prep)
{
  MienBlockedShape *shape = &state->shape;

  state->pool = (MienBlockedShape) {
    .n = shape->n, .c = shape->k, .h = shape->p, .w = shape->q, .k = shape->k, .p = shape->p / 2, .q = shape->q / 2, .y_halo = shape->y_halo,
    .r = 2, .s = 2, .stride_h = 2, .stride_w = 2, .dilation_h = 1, .dilation_w = 1, .lo = -INFINITY, .hi = INFINITY,
  };
  shape->pool = FALSE;
  shape->y_halo = 0;
  prep->scratch_bytes = mien_blocked_size (state->kernels->lanes, shape->n, shape->k, shape->p, shape->q, 0) * mien_type_size (mien_blocked_op_type (ctx));
}

static void
pack_filters (gconstpointer data, int first, int n, const float *rows)
{
  const State *state = data;

  if (state->kind.rows == 0)
    mien_blocked_pack_filters (state->kernels, &state->shape, first, n, rows, state->packed);
  else
    mien_winograd_pack_filters (state->winograd, &state->shape, state->kind, first, n, rows, state->packed);
}

static gboolean
prepare_conv (MienOpCtx *ctx, State *state, MienOpPrep *prep, GError **error)
{
  const MienBlockedKernels *kernels = state->kernels;
  const MienBlockedShape *shape = &state->shape;

  state->run = kernels->conv;
  state->work *= shape->c;
  state->winograd = kernels->bf16 ? &ctx->kernels->winograd_bf16 : &ctx->kernels->winograd;
  if (kernels->lanes == state->winograd->lanes && !is (ctx, "BlockedConvMean")) /* not on tiles */
    state->kind = mien_winograd_choose (state->winograd, shape, mien_blocked_op_attr (ctx, "narrow") != 0);
  if (state->kind.rows == 0) {
    state->packed = mien_pages_take (ctx->pages, mien_blocked_conv_size (kernels, shape) * mien_type_size (mien_blocked_op_type (ctx)));
    if (shape->pool)
      prepare_pool (ctx, state, prep);
    return mien_op_pack (ctx, mien_blocked_group (kernels, shape->k) * kernels->lanes, pack_filters, state, error);
  }
  state->packed = mien_pages_take (ctx->pages, mien_winograd_size (state->winograd, shape, state->kind));
  prep->scratch_bytes = mien_winograd_scratch (state->winograd, shape, state->kind, ctx->n_threads);
  return mien_op_pack (ctx, mien_winograd_group (state->winograd), pack_filters, state, error);
}

/* Rows are numbered block by block: shared out all at once, each thread would take some of the blocks and read all of the picture, half of which is in
 * another's cache. Where weights are larger than the picture that is the better way, though, and tiles run on from row to row. */
static int
slabs_of (const MienOpCtx *ctx, const State *state)
{
  const MienBlockedShape *shape = &state->shape;
  const gsize weights = has_weights (ctx) ? ctx->in[1]->n_elems : 0, picture = mien_blocked_size (1, 1, shape->c, shape->h, shape->w, shape->x_halo);

  if (shape->n != 1 || shape->p < 1 || weights > picture || is (ctx, "BlockedStem") || mien_blocked_op_attr (ctx, "tiles") != 0)
    return 1;
  return state->n_rows / shape->p;
}

static gboolean
prepare_blocked (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  const MienBlockedKernels *kernels = mien_blocked_op_kernels (ctx);
  State *state = g_new0 (State, 1);
  MienBlockedShape *shape = &state->shape;

  prep->state = state;
  prep->free_state = free_state;
  state->kernels = kernels;
  if (!read_shape (ctx, shape, error))
    return FALSE;
  state->n_rows = mien_blocked_rows (kernels, shape, is (ctx, "BlockedConv"));
  state->work = (double) shape->n * shape->k * shape->p * shape->q * shape->r * shape->s;
  if (is (ctx, "BlockedConv") || is (ctx, "BlockedConvMean")) {
    if (!prepare_conv (ctx, state, prep, error))
      return FALSE;
  } else if (is (ctx, "BlockedStem")) {
    shape->stem_bf16 = kernels->bf16;
    state->run = kernels->stem;
    state->n_rows = mien_blocked_stem_rows (shape);
    state->work *= shape->c;
    state->packed = mien_pages_take (ctx->pages, mien_blocked_stem_size (kernels, shape) * sizeof (float));
    mien_blocked_pack_stem (kernels, shape, ctx->in[1]->data, state->packed);
  } else if (is (ctx, "BlockedDepth")) {
    state->run = kernels->depth;
    state->packed = mien_pages_take (ctx->pages, mien_blocked_depth_size (kernels, shape) * sizeof (float));
    mien_blocked_pack_depth (kernels, shape, ctx->in[1]->data, state->packed);
  } else {
    state->run = is (ctx, "BlockedMaxPool") ? kernels->max_pool : kernels->average_pool;
  }
  state->n_slabs = slabs_of (ctx, state);
  if (is (ctx, "BlockedConvMean"))
    prep->scratch_bytes = mien_blocked_size (kernels->lanes, 1, shape->c, shape->r, shape->s, 0) * sizeof (float);
  state->bias = mien_blocked_op_dup_bias (ctx, 2, shape->k);
  return TRUE;
}

static void
run_task (void *data, int task, int thread)
{
  const Job *job = data;
  const int rows = job->n_rows / job->n_slabs, first = (int) ((long) rows * task / job->n_tasks), end = (int) ((long) rows * (task + 1) / job->n_tasks);

  for (int slab = 0; slab < job->n_slabs; slab++)
    job->run (job->shape, &job->args, slab * rows + first, slab * rows + end);
}

static gboolean
run_blocked (MienOpCtx *ctx, GError **error)
{
  const State *state = ctx->state;
  const int n_threads = mien_threads_count (ctx->threads);
  Job job = {
    .shape = &state->shape,
    .run = state->run,
    .args = { ctx->in[0]->data, state->packed, state->bias, mien_op_has (ctx, 3) ? ctx->in[3]->data : NULL, ctx->out[0]->data },
    .n_rows = state->n_rows,
    .n_slabs = state->n_slabs,
  };

  if (state->kind.rows > 0) {
    mien_winograd_run (state->winograd, &state->shape, state->kind, &job.args, ctx->scratch, mien_op_scratch_step (ctx), state->work < 500e3 ? NULL : ctx->threads);
    return TRUE;
  }
  if (state->pool.n > 0)
    job.args.y = ctx->scratch;
  /* Half a million multiply-adds are some five microseconds: less is not worth waking a thread. */
  job.n_tasks = state->work < 500e3 ? 1 : MIN (n_threads, job.n_rows / job.n_slabs);
  mien_threads_run (ctx->threads, run_task, &job, job.n_tasks);
  if (state->pool.n > 0) {
    const int n_rows = mien_blocked_rows (state->kernels, &state->pool, FALSE);
    const int n_slabs = state->n_slabs > 1 ? n_rows / state->pool.p : 1;
    Job pool = { &state->pool, state->kernels->max_pool, { .x = ctx->scratch, .y = ctx->out[0]->data }, n_rows, n_slabs, MIN (job.n_tasks, n_rows / n_slabs) };
    mien_threads_run (ctx->threads, run_task, &pool, pool.n_tasks);
  }
  return TRUE;
}

static gboolean
run_conv_mean (MienOpCtx *ctx, GError **error)
{
  const State *state = ctx->state;
  const MienBlockedArgs args = { ctx->in[0]->data, state->packed, state->bias, NULL, ctx->out[0]->data };

  state->kernels->conv_mean (&state->shape, &args, ctx->scratch);
  return TRUE;
}

/* Layouts */

static gboolean
infer_to_blocked (MienOpCtx *ctx, GError **error)
{
  const MienShape *x = &ctx->in[0]->shape;

  if (!mien_op_check_type (ctx, error, 0, MIEN_F32, 0))
    return FALSE;
  if (x->rank != 4)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "an input of %d dimensions instead of 4 (N, C, H, W)", x->rank);
  const MienShape out = mien_blocked_op_shape (ctx, x->dim[0], x->dim[1], x->dim[2], x->dim[3]);
  mien_op_out (ctx, 0, mien_blocked_op_type (ctx), &out);
  return TRUE;
}

static gboolean
run_to_blocked (MienOpCtx *ctx, GError **error)
{
  const gint64 *dim = ctx->in[0]->shape.dim;

  mien_blocked_from_plain (mien_blocked_op_kernels (ctx), (int) dim[0], (int) dim[1], (int) dim[2], (int) dim[3], mien_blocked_op_attr (ctx, "y_halo"),
                           ctx->in[0]->data, ctx->out[0]->data);
  return TRUE;
}

static gboolean
infer_from_blocked (MienOpCtx *ctx, GError **error)
{
  const MienTensor x = mien_blocked_op_plain (ctx);
  MienShape out = x.shape;

  if (is (ctx, "BlockedGlobalAverage"))
    out.dim[2] = out.dim[3] = 1;
  mien_op_out (ctx, 0, MIEN_F32, &out);
  return TRUE;
}

static gboolean
run_from_blocked (MienOpCtx *ctx, GError **error)
{
  const gint64 *dim = ctx->out[0]->shape.dim;

  mien_blocked_to_plain (mien_blocked_op_kernels (ctx), (int) dim[0], (int) dim[1], (int) dim[2], (int) dim[3], mien_blocked_op_attr (ctx, "x_halo"),
                         ctx->in[0]->data, ctx->out[0]->data);
  return TRUE;
}

static gboolean
prepare_global_average (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  const MienTensor plain = mien_blocked_op_plain (ctx);
  const gint64 *dim = plain.shape.dim;
  State *state = g_new0 (State, 1);

  prep->state = state;
  prep->free_state = free_state;
  state->kernels = mien_blocked_op_kernels (ctx);
  state->shape = (MienBlockedShape) {
    .n = (int) dim[0], .c = (int) dim[1], .h = (int) dim[2], .w = (int) dim[3], .x_halo = mien_blocked_op_attr (ctx, "x_halo"),
  };
  return TRUE;
}

static gboolean
run_global_average (MienOpCtx *ctx, GError **error)
{
  const State *state = ctx->state;

  state->kernels->mean (&state->shape, ctx->in[0]->data, ctx->out[0]->data);
  return TRUE;
}

const MienOp mien_ops_blocked[] = {
  { "mien", "BlockedConv", 1, 0, 2, 4, 1, MIEN_OP_PACKS, infer_blocked, prepare_blocked, run_blocked },
  { "mien", "BlockedStem", 1, 0, 2, 3, 1, 0, infer_blocked, prepare_blocked, run_blocked },
  { "mien", "BlockedDepth", 1, 0, 2, 4, 1, 0, infer_blocked, prepare_blocked, run_blocked },
  { "mien", "BlockedMaxPool", 1, 0, 1, 1, 1, 0, infer_blocked, prepare_blocked, run_blocked },
  { "mien", "BlockedAveragePool", 1, 0, 1, 1, 1, 0, infer_blocked, prepare_blocked, run_blocked },
  { "mien", "BlockedGlobalAverage", 1, 0, 1, 1, 1, 0, infer_from_blocked, prepare_global_average, run_global_average },
  { "mien", "BlockedConvMean", 1, 0, 2, 3, 1, 0, infer_blocked, prepare_blocked, run_conv_mean },
  { "mien", "ToBlocked", 1, 0, 1, 1, 1, 0, infer_to_blocked, NULL, run_to_blocked },
  { "mien", "FromBlocked", 1, 0, 1, 1, 1, 0, infer_from_blocked, NULL, run_from_blocked },
  { NULL },
};
