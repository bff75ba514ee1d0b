/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators that cut pieces out or add a border.
 *
 * Operators  Slice Split Pad
 * Source     ONNX, opset 1 to 22. Slice: attributes before opset 10, inputs since. Split: attribute before opset 13, input since; from opset
 *            18 on the last of equal pieces may be smaller. Pad: attributes (named paddings in opset 1) before opset 11, inputs since, with
 *            axes from opset 18 on; negative pads cut off */
#include "nn/ops/mien-ops.h"

#include <string.h>

#define LIMIT (G_GINT64_CONSTANT (1) << 40) /* sums of values within it do not overflow */

static gboolean
get_attr_list (MienOpCtx *ctx, GError **error, const char *name, gint64 *values, int *n)
{
  gsize n_attr;
  const gint64 *attr = mien_node_ints (ctx->node, name, &n_attr);

  if (n_attr > MIEN_MAX_RANK)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "attribute %s has %ld elements", name, (long) n_attr);
  for (gsize i = 0; i < n_attr; i++)
    values[i] = attr[i];
  *n = attr != NULL ? (int) n_attr : -1;
  return TRUE;
}

/* Slice */

typedef struct {
  gint64 start[MIEN_MAX_RANK]; /* of each dimension of the input, within it */
  gint64 step[MIEN_MAX_RANK];
  MienShape out;
} Slice;

/* *known is FALSE, and nothing else set, while contents are missing. */
static gboolean
get_slice (MienOpCtx *ctx, GError **error, Slice *slice, gboolean *known)
{
  const MienShape *in = &ctx->in[0]->shape;
  gint64 starts[MIEN_MAX_RANK], ends[MIEN_MAX_RANK], axes[MIEN_MAX_RANK], steps[MIEN_MAX_RANK];
  gboolean seen[MIEN_MAX_RANK] = { FALSE };
  int n, n_ends, n_axes, n_steps;

  *known = FALSE;
  if (ctx->opset < 10) {
    if (!get_attr_list (ctx, error, "starts", starts, &n) || !get_attr_list (ctx, error, "ends", ends, &n_ends)
        || !get_attr_list (ctx, error, "axes", axes, &n_axes))
      return FALSE;
    if (n < 0 || n_ends < 0)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "attribute starts or ends is missing");
    n_steps = -1;
  } else {
    if (!mien_op_read_ints (ctx, error, 1, starts, MIEN_MAX_RANK, &n) || !mien_op_read_ints (ctx, error, 2, ends, MIEN_MAX_RANK, &n_ends))
      return FALSE;
    if (n < 0 || n_ends < 0)
      return TRUE;
    n_axes = n_steps = -1;
    if (mien_op_has (ctx, 3)) {
      if (!mien_op_read_ints (ctx, error, 3, axes, MIEN_MAX_RANK, &n_axes))
        return FALSE;
      if (n_axes < 0)
        return TRUE;
    }
    if (mien_op_has (ctx, 4)) {
      if (!mien_op_read_ints (ctx, error, 4, steps, MIEN_MAX_RANK, &n_steps))
        return FALSE;
      if (n_steps < 0)
        return TRUE;
    }
  }
  if (in->rank < 0)
    return TRUE;
  if (n_ends != n || (n_axes >= 0 && n_axes != n) || (n_steps >= 0 && n_steps != n))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "starts, ends, axes and steps differ in length");

  slice->out = *in;
  for (int d = 0; d < in->rank; d++) {
    slice->start[d] = 0;
    slice->step[d] = 1;
  }
  for (int i = 0; i < n; i++) {
    const gint64 step = n_steps >= 0 ? steps[i] : 1;
    gint64 dim, start = starts[i], end = ends[i];
    int axis;

    if (!mien_op_axis (ctx, error, n_axes >= 0 ? axes[i] : i, in->rank, &axis))
      return FALSE;
    if (seen[axis])
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "axis %d is given twice", axis);
    seen[axis] = TRUE;
    if (step == 0)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "a step of 0");
    dim = in->dim[axis];
    if (start < 0)
      start += dim;
    if (end < 0)
      end += dim;
    if (step > 0) {
      start = CLAMP (start, 0, dim);
      end = CLAMP (end, 0, dim);
      slice->out.dim[axis] = start < end ? (end - start - 1) / step + 1 : 0;
    } else {
      start = CLAMP (start, -1, dim - 1);
      end = CLAMP (end, -1, dim - 1);
      slice->out.dim[axis] = start > end ? (gint64) ((guint64) (start - end - 1) / (0 - (guint64) step)) + 1 : 0;
    }
    slice->start[axis] = start;
    slice->step[axis] = step;
  }
  *known = TRUE;
  return TRUE;
}

static gboolean
infer_slice (MienOpCtx *ctx, GError **error)
{
  Slice slice;
  gboolean known;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0) || !get_slice (ctx, error, &slice, &known))
    return FALSE;
  if (known)
    mien_op_out (ctx, 0, ctx->in[0]->type, &slice.out);
  else
    mien_op_out_unknown (ctx, 0, ctx->in[0]->type);
  return TRUE;
}

static gboolean
run_slice (MienOpCtx *ctx, GError **error)
{
  const MienTensor *in = ctx->in[0];
  MienTensor *out = ctx->out[0];
  gssize from[MIEN_MAX_RANK], to[MIEN_MAX_RANK];
  Slice slice;
  gboolean known;
  MienLoop loop;

  if (!get_slice (ctx, error, &slice, &known))
    return FALSE;
  if (out->n_elems == 0)
    return TRUE;
  mien_ops_strides (&in->shape, from);
  mien_ops_strides (&out->shape, to);
  mien_loop_init (&loop, 2);
  for (int d = 0; d < in->shape.rank; d++) {
    loop.offset[1] += slice.start[d] * from[d];
    /* The step of a dimension that is not walked may be any number. */
    mien_loop_add (&loop, out->shape.dim[d], (const gssize[]) { to[d], out->shape.dim[d] > 1 ? from[d] * slice.step[d] : 0 });
  }
  mien_loop_copy (&loop, out->data, in->data, mien_type_size (in->type));
  return TRUE;
}

/* Split */

/* The sizes of the pieces: attribute, input, or equal ones. *sizes is NULL while they are not known; else freed by the
 * caller, who gets sizes that fill the dimension. */
static gboolean
get_pieces (MienOpCtx *ctx, GError **error, int *axis, gint64 **sizes)
{
  const MienShape *in = &ctx->in[0]->shape;
  g_autofree gint64 *pieces = NULL;
  gsize n_attr = 0;
  const gint64 *attr = ctx->opset < 13 ? mien_node_ints (ctx->node, "split", &n_attr) : NULL;
  gint64 sum = 0;
  int n = ctx->n_out;

  *sizes = NULL;
  if (in->rank < 0)
    return TRUE;
  if (!mien_op_axis (ctx, error, mien_node_int (ctx->node, "axis", 0), in->rank, axis))
    return FALSE;
  pieces = g_new (gint64, ctx->n_out);
  if (attr != NULL) {
    n = (int) MIN (n_attr, G_MAXINT);
    if (n == ctx->n_out)
      memcpy (pieces, attr, n * sizeof *pieces);
  } else if (mien_op_has (ctx, 1)) {
    if (!mien_op_read_ints (ctx, error, 1, pieces, ctx->n_out, &n))
      return FALSE;
    if (n < 0)
      return TRUE;
  } else {
    const gint64 dim = in->dim[*axis];
    const gint64 piece = dim / n + (dim % n != 0);

    if (dim % n != 0 && (ctx->opset < 18 || dim < piece * (n - 1)))
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "%ld elements cannot be split into %d equal pieces", (long) dim, n);
    for (int i = 0; i < n; i++)
      pieces[i] = i < n - 1 ? piece : dim - piece * (n - 1);
  }
  if (n != ctx->n_out)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "%d pieces for %d outputs", n, ctx->n_out);
  for (int i = 0; i < n; i++)
    if (pieces[i] < 0 || pieces[i] > in->dim[*axis] - sum)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the pieces do not make up the %ld elements of axis %d", (long) in->dim[*axis], *axis);
    else
      sum += pieces[i];
  if (sum != in->dim[*axis])
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the pieces do not make up the %ld elements of axis %d", (long) in->dim[*axis], *axis);
  *sizes = g_steal_pointer (&pieces);
  return TRUE;
}

static gboolean
infer_split (MienOpCtx *ctx, GError **error)
{
  g_autofree gint64 *sizes = NULL;
  int axis;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0) || !get_pieces (ctx, error, &axis, &sizes))
    return FALSE;
  for (int i = 0; i < ctx->n_out; i++) {
    MienShape out = ctx->in[0]->shape;

    if (sizes == NULL) {
      mien_op_out_unknown (ctx, i, ctx->in[0]->type);
      continue;
    }
    out.dim[axis] = sizes[i];
    mien_op_out (ctx, i, ctx->in[0]->type, &out);
  }
  return TRUE;
}

static gboolean
run_split (MienOpCtx *ctx, GError **error)
{
  const MienTensor *in = ctx->in[0];
  const gsize size = mien_type_size (in->type);
  g_autofree gint64 *sizes = NULL;
  gsize offset = 0, outer, in_row;
  int axis;

  if (in->n_elems == 0)
    return TRUE;
  if (!get_pieces (ctx, error, &axis, &sizes))
    return FALSE;
  outer = mien_ops_span (&in->shape, 0, axis);
  in_row = mien_ops_span (&in->shape, axis, in->shape.rank) * size;
  for (int i = 0; i < ctx->n_out; i++) {
    const gsize row = (gsize) sizes[i] * mien_ops_span (&in->shape, axis + 1, in->shape.rank) * size;

    for (gsize o = 0; o < outer && row > 0 && ctx->out[i] != NULL; o++)
      memcpy ((char *) ctx->out[i]->data + o * row, (const char *) in->data + o * in_row + offset, row);
    offset += row;
  }
  return TRUE;
}

/* Pad */

typedef enum { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE } PadMode;

typedef struct {
  PadMode mode;
  gint64 before[MIEN_MAX_RANK];
  MienShape out;
} Pad;

static gboolean
get_pad (MienOpCtx *ctx, GError **error, Pad *pad, gboolean *known)
{
  const MienShape *in = &ctx->in[0]->shape;
  const char *mode = mien_node_string (ctx->node, "mode", "constant");
  gint64 pads[2 * MIEN_MAX_RANK], axes[MIEN_MAX_RANK];
  int n, n_axes = in->rank;

  *known = FALSE;
  if (g_str_equal (mode, "constant"))
    pad->mode = PAD_CONSTANT;
  else if (g_str_equal (mode, "reflect"))
    pad->mode = PAD_REFLECT;
  else if (g_str_equal (mode, "edge"))
    pad->mode = PAD_EDGE;
  else
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "attribute mode is neither constant, reflect nor edge");
  if (ctx->opset < 11) {
    gsize n_attr;
    const gint64 *attr = mien_node_ints (ctx->node, ctx->opset < 2 ? "paddings" : "pads", &n_attr);

    n = (int) MIN (n_attr, 2 * MIEN_MAX_RANK + 1);
    for (int i = 0; i < MIN (n, 2 * MIEN_MAX_RANK); i++)
      pads[i] = attr[i];
  } else if (!mien_op_read_ints (ctx, error, 1, pads, 2 * MIEN_MAX_RANK, &n)) {
    return FALSE;
  }
  if (mien_op_has (ctx, 3) && !mien_op_read_ints (ctx, error, 3, axes, MIEN_MAX_RANK, &n_axes))
    return FALSE;
  if (in->rank < 0 || n < 0 || n_axes < 0)
    return TRUE;
  if (n != 2 * n_axes)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "%d pads for %d dimensions", n, n_axes);
  pad->out = *in;
  memset (pad->before, 0, sizeof pad->before);
  for (int i = 0; i < n_axes; i++) {
    const gint64 before = pads[i], after = pads[i + n_axes];
    gint64 dim;
    int d = i;

    if (mien_op_has (ctx, 3) && !mien_op_axis (ctx, error, axes[i], in->rank, &d))
      return FALSE;
    dim = in->dim[d];
    if (before < -LIMIT || before > LIMIT || after < -LIMIT || after > LIMIT || dim > LIMIT)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the output would be too large");
    pad->before[d] = before;
    pad->out.dim[d] = dim + before + after;
    if (pad->out.dim[d] < 0 || before < -dim || after < -dim)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the pads cut more from dimension %d than it has", d);
    if (pad->mode == PAD_REFLECT && (before >= MAX (dim, 1) || after >= MAX (dim, 1)))
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "dimension %d is too small for what is to be reflected", d);
    if (pad->mode == PAD_EDGE && dim == 0 && pad->out.dim[d] > 0)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "dimension %d has no edge that could be repeated", d);
  }
  *known = TRUE;
  return TRUE;
}

static gboolean
infer_pad (MienOpCtx *ctx, GError **error)
{
  Pad pad;
  gboolean known;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0) || !get_pad (ctx, error, &pad, &known))
    return FALSE;
  if (ctx->opset < 11 && ctx->in[0]->type != MIEN_F32 && ctx->in[0]->type != MIEN_F64)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "the type %s came with opset 11", mien_type_name (ctx->in[0]->type));
  if (mien_op_has (ctx, 2)) {
    if (!mien_op_check_type (ctx, error, 2, ctx->in[0]->type, 0))
      return FALSE;
    if (ctx->in[2]->shape.rank >= 0 && ctx->in[2]->n_elems != 1)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the constant must be one element");
    known = known && ctx->in[2]->shape.rank >= 0;
  }
  if (known)
    mien_op_out (ctx, 0, ctx->in[0]->type, &pad.out);
  else
    mien_op_out_unknown (ctx, 0, ctx->in[0]->type);
  return TRUE;
}

/* Where element o of the padded dimension comes from; -1: from the constant. */
static inline gint64
get_source (PadMode mode, gint64 o, gint64 before, gint64 dim)
{
  const gint64 i = o - before;

  if (i >= 0 && i < dim)
    return i;
  switch (mode) {
  case PAD_REFLECT:
    return i < 0 ? -i : 2 * (dim - 1) - i;
  case PAD_EDGE:
    return i < 0 ? 0 : dim - 1;
  case PAD_CONSTANT:
  default:
    return -1;
  }
}

typedef struct {
  const Pad *pad;
  const MienShape *in;
  gsize size;
  const char *value; /* of the constant */
} PadJob;

/* Dimensions d .. rank - 1. from is NULL where only the constant is. Returns the place behind what was written. */
static char *
pad_part (const PadJob *job, int d, char *to, const char *from)
{
  const MienShape *in = job->in;

  if (d == in->rank) {
    memcpy (to, from != NULL ? from : job->value, job->size);
    return to + job->size;
  }
  for (gint64 o = 0; o < job->pad->out.dim[d]; o++) {
    const gint64 i = from != NULL ? get_source (job->pad->mode, o, job->pad->before[d], in->dim[d]) : -1;
    const char *part = i >= 0 ? from + (gsize) i * mien_ops_span (in, d + 1, in->rank) * job->size : NULL;

    if (d == in->rank - 1 && i >= 0 && i == o - job->pad->before[d]) {
      /* The whole run that is copied as it is. */
      const gint64 n = MIN (in->dim[d] - i, job->pad->out.dim[d] - o);

      memcpy (to, part, n * job->size);
      to += n * job->size;
      o += n - 1;
    } else {
      to = pad_part (job, d + 1, to, part);
    }
  }
  return to;
}

static gboolean
run_pad (MienOpCtx *ctx, GError **error)
{
  const MienTensor *in = ctx->in[0];
  MienTensor *out = ctx->out[0];
  const float value_f32 = mien_node_float (ctx->node, "value", 0.0f);
  const double value_f64 = value_f32;
  const guint64 zero = 0;
  gboolean known;
  Pad pad;
  PadJob job = { .pad = &pad, .in = &in->shape, .size = mien_type_size (in->type), .value = (const char *) &zero };

  if (!get_pad (ctx, error, &pad, &known))
    return FALSE;
  if (out->n_elems == 0)
    return TRUE;
  if (ctx->opset < 11)
    job.value = in->type == MIEN_F32 ? (const char *) &value_f32 : (const char *) &value_f64;
  else if (mien_op_has (ctx, 2))
    job.value = ctx->in[2]->data;
  pad_part (&job, 0, out->data, in->n_elems > 0 ? in->data : NULL);
  return TRUE;
}

const MienOp mien_ops_slice[] = {
  { "", "Slice", 1, 9, 1, 1, 1, 0, infer_slice, NULL, run_slice },
  { "", "Slice", 10, 0, 3, 5, 1, 0, infer_slice, NULL, run_slice },
  { "", "Split", 1, 12, 1, 2, G_MAXINT, 0, infer_split, NULL, run_split },
  { "", "Split", 13, 0, 1, 2, G_MAXINT, 0, infer_split, NULL, run_split },
  { "", "Pad", 1, 10, 1, 1, 1, 0, infer_pad, NULL, run_pad },
  { "", "Pad", 11, 17, 2, 3, 1, 0, infer_pad, NULL, run_pad },
  { "", "Pad", 18, 0, 2, 4, 1, 0, infer_pad, NULL, run_pad },
  { NULL },
};
