/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators that copy elements to other places, whatever their type.
 *
 * Operators  Concat DepthToSpace Expand Gather SpaceToDepth Tile Transpose
 * Source     ONNX, opset 1 to 22. Concat: axis is 1 by default before opset 4. Tile: from opset 6 on */
#include "nn/ops/mien-ops.h"

#include <string.h>

/* Shape of what is not known yet: type only. TRUE when infer() has to stop. */
static gboolean
is_unknown (MienOpCtx *ctx, MienType type)
{
  mien_op_out_unknown (ctx, 0, type);
  return !mien_op_shapes_known (ctx);
}

/* Transpose */

static gboolean
get_permutation (MienOpCtx *ctx, GError **error, int *perm)
{
  const int rank = ctx->in[0]->shape.rank;
  gboolean seen[MIEN_MAX_RANK] = { FALSE };
  gsize n;
  const gint64 *attr = mien_node_ints (ctx->node, "perm", &n);

  if (attr != NULL && n != (gsize) rank)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "attribute perm has %ld elements, the input %d dimensions", (long) n, rank);
  for (int d = 0; d < rank; d++) {
    perm[d] = rank - 1 - d;
    if (attr == NULL)
      continue;
    if (attr[d] < 0 || attr[d] >= rank || seen[attr[d]])
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "attribute perm is no permutation of 0 to %d", rank - 1);
    perm[d] = (int) attr[d];
    seen[perm[d]] = TRUE;
  }
  return TRUE;
}

static gboolean
infer_transpose (MienOpCtx *ctx, GError **error)
{
  const MienShape *in = &ctx->in[0]->shape;
  MienShape out = { .rank = in->rank };
  int perm[MIEN_MAX_RANK];

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0))
    return FALSE;
  if (is_unknown (ctx, ctx->in[0]->type))
    return TRUE;
  if (!get_permutation (ctx, error, perm))
    return FALSE;
  for (int d = 0; d < out.rank; d++)
    out.dim[d] = in->dim[perm[d]];
  mien_op_out (ctx, 0, ctx->in[0]->type, &out);
  return TRUE;
}

static gboolean
run_transpose (MienOpCtx *ctx, GError **error)
{
  const MienTensor *in = ctx->in[0];
  MienTensor *out = ctx->out[0];
  gssize from[MIEN_MAX_RANK], to[MIEN_MAX_RANK];
  int perm[MIEN_MAX_RANK];
  MienLoop loop;

  if (!get_permutation (ctx, error, perm))
    return FALSE;
  mien_ops_strides (&in->shape, from);
  mien_ops_strides (&out->shape, to);
  mien_loop_init (&loop, 2);
  for (int d = 0; d < out->shape.rank; d++)
    mien_loop_add (&loop, out->shape.dim[d], (const gssize[]) { to[d], from[perm[d]] });
  mien_loop_copy (&loop, out->data, in->data, mien_type_size (in->type));
  return TRUE;
}

/* Concat */

static gboolean
get_concat_axis (MienOpCtx *ctx, GError **error, int *axis)
{
  if (ctx->opset >= 4 && mien_node_attr (ctx->node, "axis") == NULL)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "attribute axis is missing");
  return mien_op_axis (ctx, error, mien_node_int (ctx->node, "axis", 1), ctx->in[0]->shape.rank, axis);
}

static gboolean
infer_concat (MienOpCtx *ctx, GError **error)
{
  MienShape out;
  int axis;

  for (int i = 0; i < ctx->n_in; i++)
    if (!mien_op_check_type (ctx, error, i, MIEN_OPS_ANY, 0) || !mien_op_check_type (ctx, error, i, ctx->in[0]->type, 0))
      return FALSE;
  if (is_unknown (ctx, ctx->in[0]->type))
    return TRUE;
  if (!get_concat_axis (ctx, error, &axis))
    return FALSE;
  out = ctx->in[0]->shape;
  for (int i = 1; i < ctx->n_in; i++) {
    MienShape other = ctx->in[i]->shape;
    gint64 sum = 0;

    if (other.rank == out.rank) {
      if (__builtin_add_overflow (out.dim[axis], other.dim[axis], &sum))
        return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the output would be too large");
      other.dim[axis] = out.dim[axis];
    }
    if (!mien_shape_equal (&other, &out)) {
      g_autofree char *a = mien_shape_to_string (&ctx->in[0]->shape);
      g_autofree char *b = mien_shape_to_string (&ctx->in[i]->shape);

      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "inputs of shapes %s and %s cannot be joined along axis %d", a, b, axis);
    }
    out.dim[axis] = sum;
  }
  mien_op_out (ctx, 0, ctx->in[0]->type, &out);
  return TRUE;
}

static gboolean
run_concat (MienOpCtx *ctx, GError **error)
{
  MienTensor *out = ctx->out[0];
  const gsize size = mien_type_size (out->type);
  gsize offset = 0, outer, out_row;
  int axis;

  if (!get_concat_axis (ctx, error, &axis))
    return FALSE;
  if (out->n_elems == 0)
    return TRUE;
  outer = mien_ops_span (&out->shape, 0, axis);
  out_row = mien_ops_span (&out->shape, axis, out->shape.rank) * size;
  for (int i = 0; i < ctx->n_in; i++) {
    const gsize row = mien_ops_span (&ctx->in[i]->shape, axis, out->shape.rank) * size;

    if (row == 0)
      continue;
    for (gsize o = 0; o < outer; o++)
      memcpy ((char *) out->data + o * out_row + offset, (const char *) ctx->in[i]->data + o * row, row);
    offset += row;
  }
  return TRUE;
}

/* Expand, Tile */

static gboolean
infer_expand (MienOpCtx *ctx, GError **error)
{
  MienShape wanted, out;
  const MienShape *shapes[] = { &ctx->in[0]->shape, &wanted };
  int n;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0) || !mien_op_read_ints (ctx, error, 1, wanted.dim, MIEN_MAX_RANK, &n))
    return FALSE;
  if (is_unknown (ctx, ctx->in[0]->type) || n < 0)
    return TRUE;
  wanted.rank = n;
  for (int d = 0; d < n; d++)
    if (wanted.dim[d] < 0)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "dimension %d of the new shape is %ld", d, (long) wanted.dim[d]);
  if (!mien_op_broadcast (ctx, error, shapes, 2, &out))
    return FALSE;
  mien_op_out (ctx, 0, ctx->in[0]->type, &out);
  return TRUE;
}

static gboolean
run_expand (MienOpCtx *ctx, GError **error)
{
  const MienShape *shapes[] = { &ctx->in[0]->shape };
  MienLoop loop;

  mien_loop_init_broadcast (&loop, &ctx->out[0]->shape, shapes, 1);
  mien_loop_copy (&loop, ctx->out[0]->data, ctx->in[0]->data, mien_type_size (ctx->out[0]->type));
  return TRUE;
}

static gboolean
infer_tile (MienOpCtx *ctx, GError **error)
{
  gint64 repeats[MIEN_MAX_RANK];
  MienShape out;
  int n;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0) || !mien_op_read_ints (ctx, error, 1, repeats, MIEN_MAX_RANK, &n))
    return FALSE;
  if (is_unknown (ctx, ctx->in[0]->type) || n < 0)
    return TRUE;
  out = ctx->in[0]->shape;
  if (n != out.rank)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "%d repeats for %d dimensions", n, out.rank);
  for (int d = 0; d < n; d++) {
    if (repeats[d] < 0)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "dimension %d is repeated %ld times", d, (long) repeats[d]);
    if (__builtin_mul_overflow (out.dim[d], repeats[d], &out.dim[d]))
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the output would be too large");
  }
  mien_op_out (ctx, 0, ctx->in[0]->type, &out);
  return TRUE;
}

static gboolean
run_tile (MienOpCtx *ctx, GError **error)
{
  const MienTensor *in = ctx->in[0];
  MienTensor *out = ctx->out[0];
  gssize from[MIEN_MAX_RANK], to[MIEN_MAX_RANK];
  MienLoop loop;

  if (out->n_elems == 0)
    return TRUE;
  mien_ops_strides (&in->shape, from);
  mien_ops_strides (&out->shape, to);
  mien_loop_init (&loop, 2);
  for (int d = 0; d < in->shape.rank; d++) {
    const gint64 dim = in->shape.dim[d];

    mien_loop_add (&loop, out->shape.dim[d] / dim, (const gssize[]) { to[d] * dim, 0 });
    mien_loop_add (&loop, dim, (const gssize[]) { to[d], from[d] });
  }
  mien_loop_copy (&loop, out->data, in->data, mien_type_size (in->type));
  return TRUE;
}

/* Gather: y[outer][index...][inner] = x[outer][indices[index...]][inner] */

static gboolean
infer_gather (MienOpCtx *ctx, GError **error)
{
  const MienShape *in = &ctx->in[0]->shape;
  MienShape out = { .rank = 0 };
  int axis;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0) || !mien_op_check_type (ctx, error, 1, MIEN_I32, MIEN_I64, 0))
    return FALSE;
  if (is_unknown (ctx, ctx->in[0]->type))
    return TRUE;
  if (!mien_op_axis (ctx, error, mien_node_int (ctx->node, "axis", 0), in->rank, &axis))
    return FALSE;
  if (in->rank - 1 + ctx->in[1]->shape.rank > MIEN_MAX_RANK)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "more than %d dimensions", MIEN_MAX_RANK);
  for (int d = 0; d < axis; d++)
    out.dim[out.rank++] = in->dim[d];
  for (int d = 0; d < ctx->in[1]->shape.rank; d++)
    out.dim[out.rank++] = ctx->in[1]->shape.dim[d];
  for (int d = axis + 1; d < in->rank; d++)
    out.dim[out.rank++] = in->dim[d];
  mien_op_out (ctx, 0, ctx->in[0]->type, &out);
  return TRUE;
}

static gboolean
run_gather (MienOpCtx *ctx, GError **error)
{
  const MienTensor *in = ctx->in[0], *indices = ctx->in[1];
  MienTensor *out = ctx->out[0];
  gsize outer, row;
  gint64 n;
  int axis;

  if (!mien_op_axis (ctx, error, mien_node_int (ctx->node, "axis", 0), in->shape.rank, &axis))
    return FALSE;
  if (out->n_elems == 0)
    return TRUE;
  n = in->shape.dim[axis];
  outer = mien_ops_span (&in->shape, 0, axis);
  row = mien_ops_span (&in->shape, axis + 1, in->shape.rank) * mien_type_size (in->type);
  for (gsize i = 0; i < indices->n_elems; i++) {
    gint64 index = indices->type == MIEN_I64 ? ((const gint64 *) indices->data)[i] : ((const gint32 *) indices->data)[i];

    if (index < -n || index >= n)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_INPUT, "index %ld is outside the %ld elements of axis %d", (long) index, (long) n, axis);
    if (index < 0)
      index += n;
    for (gsize o = 0; o < outer; o++)
      memcpy ((char *) out->data + (o * indices->n_elems + i) * row, (const char *) in->data + (o * n + index) * row, row);
  }
  return TRUE;
}

/* DepthToSpace, SpaceToDepth: x[N][C][H][W], blocks of B x B */

static gboolean
get_block (MienOpCtx *ctx, GError **error, gint64 *block)
{
  *block = mien_node_int (ctx->node, "blocksize", 0);
  if (*block < 1 || *block > 1 << 15)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "attribute blocksize is %ld", (long) *block);
  if (ctx->in[0]->shape.rank != 4)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the input has %d dimensions instead of 4", ctx->in[0]->shape.rank);
  return TRUE;
}

static gboolean
is_column_first (MienOpCtx *ctx, GError **error, gboolean *result)
{
  const char *mode = mien_node_string (ctx->node, "mode", "DCR");

  *result = g_str_equal (mode, "CRD");
  return *result || g_str_equal (mode, "DCR") || mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "attribute mode is neither DCR nor CRD");
}

static gboolean
infer_depth_to_space (MienOpCtx *ctx, GError **error)
{
  MienShape out;
  gint64 block;
  gboolean column_first;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0))
    return FALSE;
  if (is_unknown (ctx, ctx->in[0]->type))
    return TRUE;
  if (!get_block (ctx, error, &block) || !is_column_first (ctx, error, &column_first))
    return FALSE;
  out = ctx->in[0]->shape;
  if (out.dim[1] % (block * block) != 0)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "%ld channels cannot be divided by blocks of %ld", (long) out.dim[1], (long) block);
  out.dim[1] /= block * block;
  if (__builtin_mul_overflow (out.dim[2], block, &out.dim[2]) || __builtin_mul_overflow (out.dim[3], block, &out.dim[3]))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the output would be too large");
  mien_op_out (ctx, 0, ctx->in[0]->type, &out);
  return TRUE;
}

static gboolean
run_depth_to_space (MienOpCtx *ctx, GError **error)
{
  const MienTensor *in = ctx->in[0];
  MienTensor *out = ctx->out[0];
  gssize from[MIEN_MAX_RANK], to[MIEN_MAX_RANK];
  gssize row_of_block, channel;
  gboolean column_first;
  gint64 block;
  MienLoop loop;

  if (!get_block (ctx, error, &block) || !is_column_first (ctx, error, &column_first))
    return FALSE;
  mien_ops_strides (&in->shape, from);
  mien_ops_strides (&out->shape, to);
  /* The input's channel is (row in block, column in block, channel), or, column first, (channel, row, column). */
  channel = column_first ? from[1] * block * block : from[1];
  row_of_block = column_first ? from[1] * block : from[1] * out->shape.dim[1] * block;
  mien_loop_init (&loop, 2);
  mien_loop_add (&loop, out->shape.dim[0], (const gssize[]) { to[0], from[0] });
  mien_loop_add (&loop, out->shape.dim[1], (const gssize[]) { to[1], channel });
  mien_loop_add (&loop, in->shape.dim[2], (const gssize[]) { to[2] * block, from[2] });
  mien_loop_add (&loop, block, (const gssize[]) { to[2], row_of_block });
  mien_loop_add (&loop, in->shape.dim[3], (const gssize[]) { to[3] * block, from[3] });
  mien_loop_add (&loop, block, (const gssize[]) { to[3], row_of_block / block });
  mien_loop_copy (&loop, out->data, in->data, mien_type_size (in->type));
  return TRUE;
}

static gboolean
infer_space_to_depth (MienOpCtx *ctx, GError **error)
{
  MienShape out;
  gint64 block;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0))
    return FALSE;
  if (is_unknown (ctx, ctx->in[0]->type))
    return TRUE;
  if (!get_block (ctx, error, &block))
    return FALSE;
  out = ctx->in[0]->shape;
  if (out.dim[2] % block != 0 || out.dim[3] % block != 0)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "%ld rows and %ld columns cannot be divided by blocks of %ld", (long) out.dim[2],
                         (long) out.dim[3], (long) block);
  if (__builtin_mul_overflow (out.dim[1], block * block, &out.dim[1]))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the output would be too large");
  out.dim[2] /= block;
  out.dim[3] /= block;
  mien_op_out (ctx, 0, ctx->in[0]->type, &out);
  return TRUE;
}

static gboolean
run_space_to_depth (MienOpCtx *ctx, GError **error)
{
  const MienTensor *in = ctx->in[0];
  MienTensor *out = ctx->out[0];
  gssize from[MIEN_MAX_RANK], to[MIEN_MAX_RANK];
  gint64 block;
  MienLoop loop;

  if (!get_block (ctx, error, &block))
    return FALSE;
  mien_ops_strides (&in->shape, from);
  mien_ops_strides (&out->shape, to);
  /* The output's channel is (row in block, column in block, channel). */
  mien_loop_init (&loop, 2);
  mien_loop_add (&loop, out->shape.dim[0], (const gssize[]) { to[0], from[0] });
  mien_loop_add (&loop, block, (const gssize[]) { to[1] * in->shape.dim[1] * block, from[2] });
  mien_loop_add (&loop, block, (const gssize[]) { to[1] * in->shape.dim[1], from[3] });
  mien_loop_add (&loop, in->shape.dim[1], (const gssize[]) { to[1], from[1] });
  mien_loop_add (&loop, out->shape.dim[2], (const gssize[]) { to[2], from[2] * block });
  mien_loop_add (&loop, out->shape.dim[3], (const gssize[]) { to[3], from[3] * block });
  mien_loop_copy (&loop, out->data, in->data, mien_type_size (in->type));
  return TRUE;
}

const MienOp mien_ops_move[] = {
  { "", "Transpose", 1, 0, 1, 1, 1, 0, infer_transpose, NULL, run_transpose },
  { "", "Concat", 1, 0, 1, -1, 1, 0, infer_concat, NULL, run_concat },
  { "", "Expand", 8, 0, 2, 2, 1, 0, infer_expand, NULL, run_expand },
  { "", "Tile", 6, 0, 2, 2, 1, 0, infer_tile, NULL, run_tile },
  { "", "Gather", 1, 0, 2, 2, 1, 0, infer_gather, NULL, run_gather },
  { "", "DepthToSpace", 1, 0, 1, 1, 1, 0, infer_depth_to_space, NULL, run_depth_to_space },
  { "", "SpaceToDepth", 1, 0, 1, 1, 1, 0, infer_space_to_depth, NULL, run_space_to_depth },
  { NULL },
};
