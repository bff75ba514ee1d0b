/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators about shapes, which move no data, and constants.
 *
 * Operators  Flatten Identity Reshape Squeeze Unsqueeze (views); Shape Size; Constant ConstantOfShape; Dropout
 * Source     ONNX, opset 1 to 22. Reshape: the shape is an attribute before opset 5. Squeeze, Unsqueeze: axes are an attribute before
 *            opset 13. Dropout: trains only where input training_mode (from opset 12) says so; older forms are the identity */
#include "nn/ops/mien-ops.h"

#include <string.h>

/* Views */

static gboolean
infer_identity (MienOpCtx *ctx, GError **error)
{
  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0))
    return FALSE;
  mien_op_out_like (ctx, 0, 0);
  return TRUE;
}

static gboolean
infer_flatten (MienOpCtx *ctx, GError **error)
{
  const MienShape *in = &ctx->in[0]->shape;
  const gint64 attr = mien_node_int (ctx->node, "axis", 1);
  MienShape out = { .rank = 2 };
  int axis;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0))
    return FALSE;
  mien_op_out_unknown (ctx, 0, ctx->in[0]->type);
  if (in->rank < 0)
    return TRUE;
  if (attr == in->rank)
    axis = in->rank;
  else if (!mien_op_axis (ctx, error, attr, in->rank, &axis))
    return FALSE;
  /* A span may be larger than memory where another dimension is 0. */
  for (int part = 0; part < 2; part++) {
    out.dim[part] = 1;
    for (int d = part == 0 ? 0 : axis; d < (part == 0 ? axis : in->rank); d++)
      if (__builtin_mul_overflow (out.dim[part], in->dim[d], &out.dim[part]))
        return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the output would be too large");
  }
  mien_op_out (ctx, 0, ctx->in[0]->type, &out);
  return TRUE;
}

static gboolean
reshape_to (MienOpCtx *ctx, GError **error, const gint64 *dims, gsize n, gboolean allow_zero)
{
  const MienTensor *in = ctx->in[0];
  MienShape out = { .rank = (int) n };
  gsize n_elems, known = 1;
  int open = -1;

  if (n > MIEN_MAX_RANK)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "more than %d dimensions", MIEN_MAX_RANK);
  if (!mien_shape_n_elems (&in->shape, &n_elems))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the input is too large");
  for (int d = 0; d < out.rank; d++) {
    gint64 dim = dims[d];

    if (dim == 0 && !allow_zero) {
      if (d >= in->shape.rank)
        return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "dimension %d is to be copied from the input, which has only %d", d, in->shape.rank);
      dim = in->shape.dim[d];
    }
    out.dim[d] = dim;
    if (dim == -1 && open < 0) {
      open = d;
      continue;
    }
    if (dim < 0)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "dimension %d of the new shape is %ld", d, (long) dim);
    if (!g_size_checked_mul (&known, known, (gsize) dim))
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the output would be too large");
  }
  if (open >= 0) {
    if (known == 0 || n_elems % known != 0)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "%ld elements cannot be divided among the given dimensions", (long) n_elems);
    out.dim[open] = (gint64) (n_elems / known);
  } else if (known != n_elems) {
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the input has %ld elements, the new shape %ld", (long) n_elems, (long) known);
  }
  mien_op_out (ctx, 0, in->type, &out);
  return TRUE;
}

static gboolean
infer_reshape (MienOpCtx *ctx, GError **error)
{
  gint64 dims[MIEN_MAX_RANK];
  int n;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0))
    return FALSE;
  mien_op_out_unknown (ctx, 0, ctx->in[0]->type);
  if (ctx->opset < 5) {
    gsize n_attr;
    const gint64 *attr = mien_node_ints (ctx->node, "shape", &n_attr);

    return ctx->in[0]->shape.rank < 0 || reshape_to (ctx, error, attr, n_attr, FALSE);
  }
  if (!mien_op_read_ints (ctx, error, 1, dims, MIEN_MAX_RANK, &n))
    return FALSE;
  if (n < 0 || ctx->in[0]->shape.rank < 0)
    return TRUE;
  return reshape_to (ctx, error, dims, n, mien_node_int (ctx->node, "allowzero", 0) != 0);
}

/* Attribute axes before opset 13, input 1 from then on. n is -1 when absent, -2 when not known yet. */
static gboolean
read_axes (MienOpCtx *ctx, GError **error, gint64 *axes, int *n)
{
  gsize n_attr;
  const gint64 *attr;

  *n = -1;
  if (ctx->opset >= 13) {
    if (!mien_op_has (ctx, 1))
      return TRUE;
    if (!mien_op_read_ints (ctx, error, 1, axes, MIEN_MAX_RANK, n))
      return FALSE;
    if (*n < 0)
      *n = -2;
    return TRUE;
  }
  attr = mien_node_ints (ctx->node, "axes", &n_attr);
  if (attr == NULL)
    return TRUE;
  if (n_attr > MIEN_MAX_RANK)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "attribute axes has %ld elements", (long) n_attr);
  *n = (int) n_attr;
  for (int i = 0; i < *n; i++)
    axes[i] = attr[i];
  return TRUE;
}

static gboolean
infer_squeeze (MienOpCtx *ctx, GError **error)
{
  const MienShape *in = &ctx->in[0]->shape;
  MienShape out = { .rank = 0 };
  gboolean drop[MIEN_MAX_RANK] = { FALSE };
  gint64 axes[MIEN_MAX_RANK];
  int n;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0) || !read_axes (ctx, error, axes, &n))
    return FALSE;
  mien_op_out_unknown (ctx, 0, ctx->in[0]->type);
  if (in->rank < 0 || n == -2)
    return TRUE;
  for (int d = 0; n == -1 && d < in->rank; d++)
    drop[d] = in->dim[d] == 1;
  for (int i = 0; i < n; i++) {
    int axis;

    if (!mien_op_axis (ctx, error, axes[i], in->rank, &axis))
      return FALSE;
    if (in->dim[axis] != 1)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "dimension %d is to be removed but has %ld elements", axis, (long) in->dim[axis]);
    drop[axis] = TRUE;
  }
  for (int d = 0; d < in->rank; d++)
    if (!drop[d])
      out.dim[out.rank++] = in->dim[d];
  mien_op_out (ctx, 0, ctx->in[0]->type, &out);
  return TRUE;
}

static gboolean
infer_unsqueeze (MienOpCtx *ctx, GError **error)
{
  const MienShape *in = &ctx->in[0]->shape;
  MienShape out;
  gboolean is_new[MIEN_MAX_RANK] = { FALSE };
  gint64 axes[MIEN_MAX_RANK];
  int n;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0) || !read_axes (ctx, error, axes, &n))
    return FALSE;
  if (n == -1)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the axes are missing");
  mien_op_out_unknown (ctx, 0, ctx->in[0]->type);
  if (in->rank < 0 || n == -2)
    return TRUE;
  out.rank = in->rank + n;
  if (out.rank > MIEN_MAX_RANK)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "more than %d dimensions", MIEN_MAX_RANK);
  for (int i = 0; i < n; i++) {
    int axis;

    if (!mien_op_axis (ctx, error, axes[i], out.rank, &axis))
      return FALSE;
    if (is_new[axis])
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "axis %d is given twice", axis);
    is_new[axis] = TRUE;
  }
  for (int d = 0, from = 0; d < out.rank; d++)
    out.dim[d] = is_new[d] ? 1 : in->dim[from++];
  mien_op_out (ctx, 0, ctx->in[0]->type, &out);
  return TRUE;
}

/* Shape, Size */

static gboolean
infer_size (MienOpCtx *ctx, GError **error)
{
  mien_op_out (ctx, 0, MIEN_I64, &(MienShape) { .rank = 0 });
  return TRUE;
}

static gboolean
run_size (MienOpCtx *ctx, GError **error)
{
  *(gint64 *) ctx->out[0]->data = (gint64) ctx->in[0]->n_elems;
  return TRUE;
}

/* From opset 15 on, start and end cut out a part; both are clamped. */
static void
get_shape_part (const MienOpCtx *ctx, int *start, int *end)
{
  const int rank = ctx->in[0]->shape.rank;
  gint64 from = mien_node_int (ctx->node, "start", 0);
  gint64 to = mien_node_int (ctx->node, "end", rank);

  if (from < 0)
    from += rank;
  if (to < 0)
    to += rank;
  *start = (int) CLAMP (from, 0, rank);
  *end = (int) CLAMP (to, 0, rank);
}

static gboolean
infer_shape (MienOpCtx *ctx, GError **error)
{
  int start, end;

  mien_op_out_unknown (ctx, 0, MIEN_I64);
  if (ctx->in[0]->shape.rank < 0)
    return TRUE;
  get_shape_part (ctx, &start, &end);
  mien_op_out (ctx, 0, MIEN_I64, &(MienShape) { .rank = 1, .dim = { MAX (0, end - start) } });
  return TRUE;
}

static gboolean
run_shape (MienOpCtx *ctx, GError **error)
{
  int start, end;

  get_shape_part (ctx, &start, &end);
  for (int d = start; d < end; d++)
    ((gint64 *) ctx->out[0]->data)[d - start] = ctx->in[0]->shape.dim[d];
  return TRUE;
}

/* Constants */

static const MienAttr *
find_value (const MienOpCtx *ctx)
{
  static const char *const names[] = { "value", "value_float", "value_floats", "value_int", "value_ints" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    const MienAttr *attr = mien_node_attr (ctx->node, names[i]);

    if (attr != NULL)
      return attr;
  }
  return NULL;
}

static gboolean
infer_constant (MienOpCtx *ctx, GError **error)
{
  const MienAttr *attr = find_value (ctx);
  MienShape list = { .rank = 1 };

  if (attr == NULL)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "there is no value of a kind this program has");
  list.dim[0] = (gint64) attr->n;
  switch (attr->type) {
  case MIEN_ATTR_TENSOR:
    mien_op_out (ctx, 0, attr->t->type, &attr->t->shape);
    return TRUE;
  case MIEN_ATTR_FLOAT:
    mien_op_out (ctx, 0, MIEN_F32, &(MienShape) { .rank = 0 });
    return TRUE;
  case MIEN_ATTR_INT:
    mien_op_out (ctx, 0, MIEN_I64, &(MienShape) { .rank = 0 });
    return TRUE;
  case MIEN_ATTR_FLOATS:
    mien_op_out (ctx, 0, MIEN_F32, &list);
    return TRUE;
  case MIEN_ATTR_INTS:
    mien_op_out (ctx, 0, MIEN_I64, &list);
    return TRUE;
  case MIEN_ATTR_STRING:
  case MIEN_ATTR_STRINGS:
  default:
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "there is no value of a kind this program has");
  }
}

static gboolean
run_constant (MienOpCtx *ctx, GError **error)
{
  const MienAttr *attr = find_value (ctx);
  MienTensor *out = ctx->out[0];
  const void *from;

  if (out->n_elems == 0)
    return TRUE;
  switch (attr->type) {
  case MIEN_ATTR_TENSOR:
    from = attr->t->data;
    break;
  case MIEN_ATTR_FLOAT:
    from = &attr->f;
    break;
  case MIEN_ATTR_INT:
    from = &attr->i;
    break;
  case MIEN_ATTR_FLOATS:
    from = attr->floats;
    break;
  default:
    from = attr->ints;
    break;
  }
  memcpy (out->data, from, mien_tensor_n_bytes (out));
  return TRUE;
}

static gboolean
infer_constant_of_shape (MienOpCtx *ctx, GError **error)
{
  const MienAttr *attr = mien_node_attr (ctx->node, "value");
  const MienType type = attr != NULL && attr->type == MIEN_ATTR_TENSOR ? attr->t->type : MIEN_F32;
  MienShape shape;
  int n;

  if (attr != NULL && (attr->type != MIEN_ATTR_TENSOR || attr->t->n_elems != 1))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "attribute value must be a tensor of one element");
  if (!mien_op_read_ints (ctx, error, 0, shape.dim, MIEN_MAX_RANK, &n))
    return FALSE;
  mien_op_out_unknown (ctx, 0, type);
  if (n < 0)
    return TRUE;
  shape.rank = n;
  for (int d = 0; d < n; d++)
    if (shape.dim[d] < 0)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "dimension %d is %ld", d, (long) shape.dim[d]);
  mien_op_out (ctx, 0, type, &shape);
  return TRUE;
}

static gboolean
run_constant_of_shape (MienOpCtx *ctx, GError **error)
{
  const MienAttr *attr = mien_node_attr (ctx->node, "value");
  MienTensor *out = ctx->out[0];
  const gsize size = mien_type_size (out->type);

  if (attr == NULL) {
    if (out->n_elems > 0)
      memset (out->data, 0, mien_tensor_n_bytes (out));
    return TRUE;
  }
  for (gsize i = 0; i < out->n_elems; i++)
    memcpy ((char *) out->data + i * size, attr->t->data, size);
  return TRUE;
}

/* Dropout: y = x, or, when training, y = x * mask / (1 - ratio). The mask is of x's type before opset 10, bool since. */

static gboolean
infer_dropout (MienOpCtx *ctx, GError **error)
{
  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_FLOATS, MIEN_F16, MIEN_BF16, 0))
    return FALSE;
  for (int i = 1; i < 3 && ctx->opset >= 12; i++) {
    if (!mien_op_has (ctx, i))
      continue;
    if (i == 1 ? !mien_op_check_type (ctx, error, i, MIEN_OPS_FLOATS, 0) : !mien_op_check_type (ctx, error, i, MIEN_BOOL, 0))
      return FALSE;
    if (ctx->in[i]->shape.rank >= 0 && ctx->in[i]->n_elems != 1)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input %d must have one element", i);
  }
  if (mien_op_shapes_known (ctx)) {
    mien_op_out_like (ctx, 0, 0);
    mien_op_out (ctx, 1, ctx->opset >= 10 ? MIEN_BOOL : ctx->in[0]->type, &ctx->in[0]->shape);
  } else {
    mien_op_out_unknown (ctx, 0, ctx->in[0]->type);
    mien_op_out_unknown (ctx, 1, ctx->opset >= 10 ? MIEN_BOOL : ctx->in[0]->type);
  }
  return TRUE;
}

static void
set_one (const MienTensor *tensor, gsize i, gboolean one)
{
  switch (tensor->type) {
  case MIEN_F32:
    ((float *) tensor->data)[i] = one;
    break;
  case MIEN_F64:
    ((double *) tensor->data)[i] = one;
    break;
  case MIEN_F16:
    ((guint16 *) tensor->data)[i] = one ? 0x3c00 : 0;
    break;
  case MIEN_BF16:
    ((guint16 *) tensor->data)[i] = one ? 0x3f80 : 0;
    break;
  case MIEN_BOOL:
    ((guint8 *) tensor->data)[i] = one ? 1 : 0;
    break;
  default:
    g_return_if_reached ();
  }
}

/* splitmix64: uniform in [0, 1), one independent number for each index. */
static double
uniform (guint64 seed, guint64 index)
{
  guint64 z = seed + (index + 1) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);

  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return (double) ((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static gboolean
run_dropout (MienOpCtx *ctx, GError **error)
{
  const MienTensor *in = ctx->in[0];
  MienTensor *out = ctx->out[0];
  MienTensor *mask = ctx->n_out > 1 ? ctx->out[1] : NULL;
  const gboolean trains = ctx->opset >= 12 && mien_op_has (ctx, 2) && *(const guint8 *) ctx->in[2]->data != 0;
  const guint64 seed = ctx->seed + (guint64) mien_node_int (ctx->node, "seed", 0);
  double ratio = 0.5;

  if (ctx->opset >= 12 && mien_op_has (ctx, 1))
    ratio = ctx->in[1]->type == MIEN_F32 ? *(const float *) ctx->in[1]->data : *(const double *) ctx->in[1]->data;
  if (!trains || ratio == 0) {
    if (out->data != in->data && in->n_elems > 0)
      memcpy (out->data, in->data, mien_tensor_n_bytes (in));
    for (gsize i = 0; mask != NULL && i < in->n_elems; i++)
      set_one (mask, i, TRUE);
    return TRUE;
  }
  if (!(ratio > 0 && ratio < 1))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_INPUT, "the ratio %g is not between 0 and 1", ratio);
  if (in->type != MIEN_F32 && in->type != MIEN_F64)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "training in %s is not possible", mien_type_name (in->type));
  for (gsize i = 0; i < in->n_elems; i++) {
    const gboolean keep = uniform (seed, i) >= ratio;

    if (in->type == MIEN_F32)
      ((float *) out->data)[i] = keep ? ((const float *) in->data)[i] * (float) (1 / (1 - ratio)) : 0;
    else
      ((double *) out->data)[i] = keep ? ((const double *) in->data)[i] * (1 / (1 - ratio)) : 0;
    if (mask != NULL)
      set_one (mask, i, keep);
  }
  return TRUE;
}

const MienOp mien_ops_shape[] = {
  { "", "Identity", 1, 0, 1, 1, 1, MIEN_OP_VIEW, infer_identity, NULL, NULL },
  { "", "Flatten", 1, 0, 1, 1, 1, MIEN_OP_VIEW, infer_flatten, NULL, NULL },
  { "", "Reshape", 1, 4, 1, 1, 1, MIEN_OP_VIEW, infer_reshape, NULL, NULL },
  { "", "Reshape", 5, 0, 2, 2, 1, MIEN_OP_VIEW, infer_reshape, NULL, NULL },
  { "", "Squeeze", 1, 12, 1, 1, 1, MIEN_OP_VIEW, infer_squeeze, NULL, NULL },
  { "", "Squeeze", 13, 0, 1, 2, 1, MIEN_OP_VIEW, infer_squeeze, NULL, NULL },
  { "", "Unsqueeze", 1, 12, 1, 1, 1, MIEN_OP_VIEW, infer_unsqueeze, NULL, NULL },
  { "", "Unsqueeze", 13, 0, 2, 2, 1, MIEN_OP_VIEW, infer_unsqueeze, NULL, NULL },
  { "", "Shape", 1, 0, 1, 1, 1, MIEN_OP_SHAPE_ONLY, infer_shape, NULL, run_shape },
  { "", "Size", 1, 0, 1, 1, 1, MIEN_OP_SHAPE_ONLY, infer_size, NULL, run_size },
  { "", "Constant", 1, 0, 0, 0, 1, 0, infer_constant, NULL, run_constant },
  { "", "ConstantOfShape", 9, 0, 1, 1, 1, 0, infer_constant_of_shape, NULL, run_constant_of_shape },
  { "", "Dropout", 1, 11, 1, 1, 2, MIEN_OP_IN_PLACE, infer_dropout, NULL, run_dropout },
  { "", "Dropout", 12, 0, 1, 3, 2, MIEN_OP_IN_PLACE | MIEN_OP_IMPURE, infer_dropout, NULL, run_dropout },
  { NULL },
};
