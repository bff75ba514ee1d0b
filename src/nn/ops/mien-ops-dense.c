/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dense layers with constant weights (domain mien). mien-passes-layout.c puts them where Gemm and MatMul stood; files never hold them.
 *
 *   BlockedDense (X, W, B?) -> Y     X[M][K] f32, or blocked: then a picture is a row, in the order of its plain form; Y[M][N] f32
 *
 * Attributes: transB (W is [N][K]), narrow (1: weights are bfloat16 where that is faster, and X is rounded to it; weights of 8 bits where one picture
 * would take longer to read them than to multiply), mien.lo, mien.hi; and where X is blocked channels, x_halo, bf16 (X is bfloat16). The weights of a
 * blocked X are put into its order, with zeros where its border and its spare channels lie, so that it is read as it is. */
#include "mien-config.h"

#include <math.h>

#include "nn/mien-kernels.h"
#include "nn/ops/mien-ops.h"

enum {
  CACHED_BYTES = 1024 * 1024, /* of bfloat16 weights: what a second cache may keep from run to run */
  FEW_ROWS = 8, /* take as long to multiply in bfloat16 as the weights take to read, where its products are slow */
};

typedef struct {
  MienDenseShape shape;
  const MienDenseKernels *kernels;
  const MienDenseInt8Kernels *int8; /* (nullable) instead of these */
  gint64 step_k, step_n; /* of W */
  int *order;   /* (nullable) only while packing */
  void *packed; /* in pages of the plan */
  gboolean round; /* X is f32, the kernel takes bfloat16 */
  gboolean widen; /* the other way round */
} State;

static int
attr (const MienOpCtx *ctx, const char *name)
{
  return (int) mien_node_int (ctx->node, name, 0);
}

static gboolean
is_blocked (const MienOpCtx *ctx)
{
  return attr (ctx, "channels") != 0;
}

/* Rows, columns, and the length of a row as it lies in memory and as in the model. */
static gboolean
read_dense (MienOpCtx *ctx, MienDenseShape *shape, gint64 *length, GError **error)
{
  const MienShape *x = &ctx->in[0]->shape, *w = &ctx->in[1]->shape;
  const int trans_b = attr (ctx, "transB") != 0, halo = attr (ctx, "x_halo");
  gint64 stored;

  if (x->rank != (is_blocked (ctx) ? 5 : 2))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "an input of %d dimensions instead of 2", x->rank);
  *length = is_blocked (ctx) ? attr (ctx, "channels") * (x->dim[2] - 2 * halo) * (x->dim[3] - 2 * halo) : x->dim[1];
  stored = is_blocked (ctx) ? x->dim[1] * x->dim[2] * x->dim[3] * x->dim[4] : x->dim[1];
  if (w->dim[trans_b] != *length) {
    g_autofree char *xs = mien_shape_to_string (x);
    g_autofree char *ws = mien_shape_to_string (w);
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "matrices %s and %s do not fit together", xs, ws);
  }
  const gint64 n = w->dim[!trans_b];
  if (x->dim[0] < 1 || n < 1 || stored < 1 || x->dim[0] > G_MAXINT32 / 128 || n > G_MAXINT32 / 128 || stored > G_MAXINT32 / 128 ||
      x->dim[0] * n > (gint64) 1 << 30 || (n + 128) * stored > (gint64) 1 << 30)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the matrices are empty or too large");
  *shape = (MienDenseShape) {
    .m = (int) x->dim[0],
    .n = (int) n,
    .k = (int) stored,
    .lo = mien_node_float (ctx->node, "mien.lo", -INFINITY),
    .hi = mien_node_float (ctx->node, "mien.hi", INFINITY),
  };
  return TRUE;
}

static gboolean
infer_dense (MienOpCtx *ctx, GError **error)
{
  MienDenseShape shape;
  gint64 length;

  if (!mien_op_check_type (ctx, error, 0, is_blocked (ctx) && attr (ctx, "bf16") != 0 ? MIEN_BF16 : MIEN_F32, 0))
    return FALSE;
  if (!mien_op_shapes_known (ctx))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "an input whose size depends on the data");
  if (!read_dense (ctx, &shape, &length, error))
    return FALSE;
  const MienShape out = mien_shape (2, shape.m, shape.n);
  mien_op_out (ctx, 0, MIEN_F32, &out);
  return TRUE;
}

/* By place in a blocked picture: the place in the plain one, -1 for what is not of the picture. */
static int *
order_of (const MienOpCtx *ctx)
{
  const gint64 *dim = ctx->in[0]->shape.dim;
  const int halo = attr (ctx, "x_halo"), channels = attr (ctx, "channels"), lanes = (int) dim[4];
  const int h = (int) dim[2] - 2 * halo, w = (int) dim[3] - 2 * halo;
  int *order = g_new (int, dim[1] * dim[2] * dim[3] * dim[4]), *to = order;

  for (int block = 0; block < dim[1]; block++)
    for (int y = -halo; y < h + halo; y++)
      for (int x = -halo; x < w + halo; x++)
        for (int l = 0; l < lanes; l++) {
          const int c = block * lanes + l;
          *to++ = c < channels && y >= 0 && y < h && x >= 0 && x < w ? (c * h + y) * w + x : -1;
        }
  return order;
}

/* Products of bfloat16 may be slower than those of f32: a few rows are bound by reading the weights even so. */
static const MienDenseKernels *
kernels_of (const MienOpCtx *ctx, const MienDenseShape *shape)
{
  const gboolean narrow = attr (ctx, "narrow") != 0 && ctx->kernels->dense_bf16.width > 0 &&
                          (mien_cpu_bf16_pays (ctx->kernels->cpu) || shape->m <= FEW_ROWS);

  return narrow ? &ctx->kernels->dense_bf16 : &ctx->kernels->dense;
}

/* One picture meets every weight once. With several, or with less to read, multiplying is what takes long. */
static gboolean
suits_int8 (const MienOpCtx *ctx, const MienDenseShape *shape)
{
  return attr (ctx, "narrow") != 0 && ctx->kernels->dense_int8.width > 0 && shape->m == 1 && (gsize) shape->k * shape->n * 2 > CACHED_BYTES;
}

static void
pack_columns (gconstpointer data, int first, int n, const float *rows)
{
  const State *state = data;
  MienDenseShape before = state->shape, part = state->shape;

  before.n = first;
  part.n = n;
  if (state->int8 != NULL)
    mien_dense_int8_pack (state->int8, &part, rows, state->step_k, state->step_n, state->order,
                          (char *) state->packed + mien_dense_int8_packed_bytes (state->int8, &before));
  else
    mien_dense_pack (state->kernels, &part, rows, state->step_k, state->step_n, state->order,
                     (char *) state->packed + mien_dense_packed_bytes (state->kernels, &before));
}

static void
pack_all (gconstpointer data, int first, int n, const float *rows)
{
  pack_columns (data, 0, ((const State *) data)->shape.n, rows);
}

static gsize
row_length (const MienDenseShape *shape)
{
  return (shape->k + (gsize) 1) / 2 * 2;
}

static gboolean
prepare_dense (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  State *state = g_new0 (State, 1);
  const gint64 columns = ctx->in[1]->shape.dim[1];
  const gboolean trans_b = attr (ctx, "transB") != 0;
  gint64 length;

  prep->state = state;
  prep->free_state = g_free;
  if (!read_dense (ctx, &state->shape, &length, error))
    return FALSE;
  const MienDenseKernels *kernels = state->kernels = kernels_of (ctx, &state->shape);
  state->step_k = trans_b ? 1 : columns;
  state->step_n = trans_b ? columns : 1;
  if (suits_int8 (ctx, &state->shape)) {
    state->int8 = &ctx->kernels->dense_int8;
    state->packed = mien_pages_take (ctx->pages, mien_dense_int8_packed_bytes (state->int8, &state->shape));
    prep->scratch_bytes = mien_dense_int8_input_bytes (state->shape.k);
  } else {
    state->packed = mien_pages_take (ctx->pages, mien_dense_packed_bytes (kernels, &state->shape));
  }
  const int width = state->int8 != NULL ? state->int8->width : kernels->width;
  g_autofree int *order = is_blocked (ctx) ? order_of (ctx) : NULL;
  state->order = order;
  const gboolean packed = trans_b ? mien_op_pack (ctx, width, pack_columns, state, error)
                                  : mien_op_pack (ctx, (int) ctx->in[1]->shape.dim[0], pack_all, state, error);
  state->order = NULL;
  if (!packed)
    return FALSE;
  state->round = kernels->bf16 && ctx->in[0]->type == MIEN_F32;
  state->widen = !kernels->bf16 && ctx->in[0]->type == MIEN_BF16;
  if (state->round)
    prep->scratch_bytes += state->shape.m * row_length (&state->shape) * sizeof (unsigned short);
  if (state->widen)
    prep->scratch_bytes += (gsize) state->shape.m * state->shape.k * sizeof (float);
  return TRUE;
}

static gboolean
run_dense (MienOpCtx *ctx, GError **error)
{
  const State *state = ctx->state;
  const MienDenseKernels *kernels = state->kernels;
  const void *x = ctx->in[0]->data, *bias = mien_op_has (ctx, 2) ? ctx->in[2]->data : NULL;
  const int k = state->shape.k;
  const gsize row = row_length (&state->shape);
  unsigned short *to = ctx->scratch;

  if (state->widen) { /* blocked, whose rows have whole vectors */
    ctx->kernels->dense_bf16.widen (ctx->scratch, x, (gsize) state->shape.m * k);
    x = ctx->scratch;
  }
  if (state->round) {
    for (int i = 0; i < state->shape.m; i++) {
      kernels->round (to + (gsize) i * row, (const float *) x + (gsize) i * k, k);
      if (k < row)
        to[(gsize) i * row + k] = 0;
    }
    x = to;
    to += state->shape.m * row;
  }
  if (state->int8 != NULL) {
    guint8 *whole = (guint8 *) to;
    const float scale = state->int8->quantise (whole, x, k);
    mien_dense_int8_run (state->int8, &state->shape, whole, scale, state->packed, bias, ctx->out[0]->data, ctx->threads);
    return TRUE;
  }
  mien_dense_run (kernels, &state->shape, x, state->packed, bias, ctx->out[0]->data, ctx->threads);
  return TRUE;
}

const MienOp mien_ops_dense[] = {
  { "mien", "BlockedDense", 1, 0, 2, 3, 1, MIEN_OP_PACKS, infer_dense, prepare_dense, run_dense },
  { NULL },
};
