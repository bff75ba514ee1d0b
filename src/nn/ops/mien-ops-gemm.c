/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gemm (opset 1, 6, 7, 9, 11, 13) and MatMul (opset 1, 9, 13), f32. Constant right sides are packed when the plan is made.
 * Attributes mien.lo and mien.hi of Gemm are the bounds of a fused activation. */
#include "mien-config.h"

#include <math.h>
#include <string.h>

#include "nn/mien-kernels.h"
#include "nn/ops/mien-ops.h"

typedef struct {
  MienGemmShape shape;
  MienGemmTail tail;
  float alpha, beta;
  float *packed; /* (nullable) */
  int n_batches;
  gssize *a_offset, *b_offset; /* (nullable) by batch */
} GemmState;

static void
free_gemm (gpointer data)
{
  GemmState *state = data;

  g_free (state->packed);
  g_free (state->a_offset);
  g_free (state->b_offset);
  g_free (state);
}

static gboolean
check_sizes (MienOpCtx *ctx, gint64 m, gint64 n, gint64 k, GError **error)
{
  if (m > G_MAXINT32 / 128 || n > G_MAXINT32 / 128 || k > G_MAXINT32 / 128 || m * n > (gint64) 1 << 30 || (m + 128) * k > (gint64) 1 << 30 ||
      (n + 128) * k > (gint64) 1 << 30)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the matrices are too large");
  return TRUE;
}

static gboolean
read_gemm (MienOpCtx *ctx, MienGemmShape *shape, GError **error)
{
  const MienShape *a = &ctx->in[0]->shape, *b = &ctx->in[1]->shape;
  const gboolean ta = mien_node_int (ctx->node, "transA", 0) != 0, tb = mien_node_int (ctx->node, "transB", 0) != 0;

  if (a->rank != 2 || b->rank != 2)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "inputs of %d and %d dimensions instead of 2", a->rank, b->rank);
  const gint64 m = a->dim[ta], k = a->dim[!ta], n = b->dim[!tb];
  if (b->dim[tb] != k) {
    g_autofree char *as = mien_shape_to_string (a);
    g_autofree char *bs = mien_shape_to_string (b);
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "matrices %s and %s (transposed: %d, %d) do not fit together", as, bs, ta, tb);
  }
  if (!check_sizes (ctx, m, n, k, error))
    return FALSE;
  *shape = (MienGemmShape) { (int) m, (int) n, (int) k, ta, tb, a->dim[1], b->dim[1], n };
  return TRUE;
}

static gboolean
infer_gemm (MienOpCtx *ctx, GError **error)
{
  MienGemmShape shape;

  for (int i = 0; i < ctx->n_in; i++)
    if (ctx->in[i] != NULL && !mien_op_check_type (ctx, error, i, MIEN_F32, 0))
      return FALSE;
  mien_op_out_unknown (ctx, 0, MIEN_F32);
  if (!mien_op_shapes_known (ctx))
    return TRUE;
  if (!read_gemm (ctx, &shape, error))
    return FALSE;
  const MienShape out = mien_shape (2, shape.m, shape.n);
  if (mien_op_has (ctx, 2)) {
    const MienShape *const both[] = { &out, &ctx->in[2]->shape };
    MienShape result;
    if (!mien_op_broadcast (ctx, error, both, 2, &result))
      return FALSE;
    if (!mien_shape_equal (&result, &out))
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the third input is larger than the result");
  }
  mien_op_out (ctx, 0, MIEN_F32, &out);
  return TRUE;
}

static void
pack_constant (MienOpCtx *ctx, GemmState *state)
{
  if (ctx->in[1]->data == NULL)
    return;
  state->packed = g_new (float, MAX (mien_gemm_packed_b_size (&ctx->kernels->gemm, &state->shape), 1));
  mien_gemm_pack_b (&ctx->kernels->gemm, &state->shape, ctx->in[1]->data, state->packed);
}

static gboolean
prepare_gemm (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  GemmState *state = g_new0 (GemmState, 1);

  prep->state = state;
  prep->free_state = free_gemm;
  if (!read_gemm (ctx, &state->shape, error))
    return FALSE;
  state->alpha = mien_node_float (ctx->node, "alpha", 1);
  state->beta = mien_node_float (ctx->node, "beta", 1);
  state->tail.lo = mien_node_float (ctx->node, "mien.lo", -INFINITY);
  state->tail.hi = mien_node_float (ctx->node, "mien.hi", INFINITY);
  pack_constant (ctx, state);
  prep->scratch_bytes = mien_gemm_scratch (&ctx->kernels->gemm, &state->shape, ctx->n_threads) +
                        (state->alpha != 1 ? ctx->in[0]->n_elems * sizeof (float) + 64 : 0);
  return TRUE;
}

/* C of any shape that fits, times beta, into y: the product is then added. */
static void
spread_c (const MienTensor *c, float beta, const MienShape *shape, float *y)
{
  const MienShape *const shapes[] = { &c->shape };
  const float *from = c->data;
  MienLoop loop;

  mien_loop_init_broadcast (&loop, shape, shapes, 1);
  if (!mien_loop_start (&loop))
    return;
  do
    for (gsize i = 0; i < loop.n; i++)
      y[loop.offset[0] + (gssize) i * loop.step[0]] = beta * from[loop.offset[1] + (gssize) i * loop.step[1]];
  while (mien_loop_next (&loop));
}

static gboolean
run_gemm (MienOpCtx *ctx, GError **error)
{
  const GemmState *state = ctx->state;
  const float *a = ctx->in[0]->data;
  float *y = ctx->out[0]->data;
  guint8 *scratch = ctx->scratch;
  MienGemmTail tail = state->tail;

  if (mien_op_has (ctx, 2) && state->beta != 0) {
    const MienTensor *c = ctx->in[2];
    if (state->beta == 1 && c->shape.rank >= 1 && c->n_elems == (gsize) state->shape.n && c->shape.dim[c->shape.rank - 1] == state->shape.n) {
      tail.bias_col = c->data;
    } else {
      spread_c (c, state->beta, &ctx->out[0]->shape, y);
      tail.accumulate = TRUE;
    }
  }
  if (state->alpha != 1) {
    float *scaled = (float *) scratch;
    for (gsize i = 0; i < ctx->in[0]->n_elems; i++)
      scaled[i] = a[i] * state->alpha;
    a = scaled;
    scratch += (ctx->in[0]->n_elems * sizeof (float) + 63) / 64 * 64;
  }
  mien_gemm_f32 (&ctx->kernels->gemm, &state->shape, a, ctx->in[1]->data, state->packed, y, &tail, scratch, ctx->threads);
  return TRUE;
}

/* MatMul: the last two dimensions are matrices, the others broadcast; a vector becomes a row on the left, a column on the right. */
static gboolean
read_matmul (MienOpCtx *ctx, MienGemmShape *shape, MienShape *out, MienShape batches[3], GError **error)
{
  MienShape sides[2] = { ctx->in[0]->shape, ctx->in[1]->shape };
  const gboolean row = sides[0].rank == 1, column = sides[1].rank == 1;

  if (sides[0].rank < 1 || sides[1].rank < 1)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "a single number is no matrix");
  if (row)
    sides[0] = (MienShape) { .rank = 2, .dim = { 1, sides[0].dim[0] } };
  if (column)
    sides[1] = (MienShape) { .rank = 2, .dim = { sides[1].dim[0], 1 } };
  const gint64 m = sides[0].dim[sides[0].rank - 2], k = sides[0].dim[sides[0].rank - 1], n = sides[1].dim[sides[1].rank - 1];
  if (sides[1].dim[sides[1].rank - 2] != k) {
    g_autofree char *a = mien_shape_to_string (&ctx->in[0]->shape);
    g_autofree char *b = mien_shape_to_string (&ctx->in[1]->shape);
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "matrices %s and %s do not fit together", a, b);
  }
  if (!check_sizes (ctx, m, n, k, error))
    return FALSE;
  for (int i = 0; i < 2; i++) {
    batches[i] = sides[i];
    batches[i].rank -= 2;
  }
  const MienShape *const both[] = { &batches[0], &batches[1] };
  if (!mien_op_broadcast (ctx, error, both, 2, &batches[2]))
    return FALSE;
  *out = batches[2];
  if (!row)
    out->dim[out->rank++] = m;
  if (!column)
    out->dim[out->rank++] = n;
  *shape = (MienGemmShape) { (int) m, (int) n, (int) k, FALSE, FALSE, k, n, n };
  return TRUE;
}

static gboolean
infer_matmul (MienOpCtx *ctx, GError **error)
{
  MienGemmShape shape;
  MienShape out, batches[3];

  if (!mien_op_check_type (ctx, error, 0, MIEN_F32, 0) || !mien_op_check_type (ctx, error, 1, MIEN_F32, 0))
    return FALSE;
  mien_op_out_unknown (ctx, 0, MIEN_F32);
  if (!mien_op_shapes_known (ctx))
    return TRUE;
  if (!read_matmul (ctx, &shape, &out, batches, error))
    return FALSE;
  mien_op_out (ctx, 0, MIEN_F32, &out);
  return TRUE;
}

static gboolean
prepare_matmul (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  GemmState *state = g_new0 (GemmState, 1);
  MienShape out, batches[3];
  gsize n_batches = 0;

  prep->state = state;
  prep->free_state = free_gemm;
  if (!read_matmul (ctx, &state->shape, &out, batches, error))
    return FALSE;
  state->tail = (MienGemmTail) { .lo = -INFINITY, .hi = INFINITY };
  mien_shape_n_elems (&batches[2], &n_batches);
  if (n_batches > G_MAXINT32 / 16)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "too many matrices");
  state->n_batches = (int) n_batches;
  state->a_offset = g_new (gssize, n_batches + 1);
  state->b_offset = g_new (gssize, n_batches + 1);

  const MienShape *const both[] = { &batches[0], &batches[1] };
  MienLoop loop;
  int batch = 0;
  mien_loop_init_broadcast (&loop, &batches[2], both, 2);
  if (mien_loop_start (&loop))
    do
      for (gsize i = 0; i < loop.n; i++, batch++) {
        state->a_offset[batch] = (loop.offset[1] + (gssize) i * loop.step[1]) * state->shape.m * state->shape.k;
        state->b_offset[batch] = (loop.offset[2] + (gssize) i * loop.step[2]) * state->shape.k * state->shape.n;
      }
    while (mien_loop_next (&loop));
  if (ctx->in[1]->shape.rank <= 2 && ctx->in[1]->n_elems > 0)
    pack_constant (ctx, state);
  /* One product instead of many rows, where the right side is the same for all. */
  if (state->packed != NULL && ctx->in[0]->shape.rank > 2 && (gint64) state->shape.m * state->n_batches < G_MAXINT32 / 128) {
    state->shape.m *= state->n_batches;
    state->n_batches = state->n_batches > 0;
  }
  prep->scratch_bytes = mien_gemm_scratch (&ctx->kernels->gemm, &state->shape, ctx->n_threads);
  return TRUE;
}

static gboolean
run_matmul (MienOpCtx *ctx, GError **error)
{
  const GemmState *state = ctx->state;
  const float *a = ctx->in[0]->data, *b = ctx->in[1]->data;
  float *y = ctx->out[0]->data;

  if (ctx->in[0]->n_elems == 0 || ctx->in[1]->n_elems == 0) { /* there may be no a or b to point into; sums of nothing are 0 */
    for (gsize i = 0; i < ctx->out[0]->n_elems; i++)
      y[i] = 0;
    return TRUE;
  }
  for (int i = 0; i < state->n_batches; i++)
    mien_gemm_f32 (&ctx->kernels->gemm, &state->shape, a + state->a_offset[i], b + state->b_offset[i], state->packed,
                   y + (gsize) i * state->shape.m * state->shape.n, &state->tail, ctx->scratch, ctx->threads);
  return TRUE;
}

const MienOp mien_ops_gemm[] = {
  { "", "Gemm", 1, 0, 2, 3, 1, 0, infer_gemm, prepare_gemm, run_gemm },
  { "", "MatMul", 1, 0, 2, 2, 1, 0, infer_matmul, prepare_matmul, run_matmul },
  { NULL },
};
