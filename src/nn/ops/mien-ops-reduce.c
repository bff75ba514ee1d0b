/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators that make one element from all elements along some dimensions.
 *
 * Operators  ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
 *            ReduceSumSquare ArgMax ArgMin
 * Source     ONNX, opset 1 to 22. Axes are an attribute before opset 18 (ReduceSum: 13), input 1 from then on. No elements: 0 for sums, 1 for the
 *            product, the type's last value for Max and Min
 * Rounding   floats are summed in double precision, so the order does not matter in practice; integers wrap around */
#include "nn/ops/mien-ops.h"

#include <math.h>

typedef enum {
  REDUCE_SUM,
  REDUCE_MEAN,
  REDUCE_PROD,
  REDUCE_MAX,
  REDUCE_MIN,
  REDUCE_L1,
  REDUCE_L2,
  REDUCE_SUM_SQUARE,
  REDUCE_LOG_SUM,
  REDUCE_LOG_SUM_EXP,
} Reduction;

/* Which dimensions are reduced. *known is FALSE while contents are missing. */
static gboolean
get_reduced (MienOpCtx *ctx, GError **error, gboolean *reduced, gboolean *known)
{
  const int rank = ctx->in[0]->shape.rank;
  gint64 axes[MIEN_MAX_RANK];
  const gint64 *list = axes;
  gsize n_attr = 0;
  int n = 0;

  *known = FALSE;
  if (mien_op_has (ctx, 1)) {
    if (!mien_op_read_ints (ctx, error, 1, axes, MIEN_MAX_RANK, &n))
      return FALSE;
    if (n < 0)
      return TRUE;
  } else if ((list = mien_node_ints (ctx->node, "axes", &n_attr)) != NULL) {
    if (n_attr > MIEN_MAX_RANK)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "attribute axes has %ld elements", (long) n_attr);
    n = (int) n_attr;
  }
  if (rank < 0)
    return TRUE;
  for (int d = 0; d < rank; d++)
    reduced[d] = n == 0 && mien_node_int (ctx->node, "noop_with_empty_axes", 0) == 0;
  for (int i = 0; i < n; i++) {
    int axis;

    if (!mien_op_axis (ctx, error, list[i], rank, &axis))
      return FALSE;
    reduced[axis] = TRUE;
  }
  *known = TRUE;
  return TRUE;
}

static void
get_reduced_shape (const MienOpCtx *ctx, const gboolean *reduced, MienShape *out)
{
  const MienShape *in = &ctx->in[0]->shape;
  const gboolean keep = mien_node_int (ctx->node, "keepdims", 1) != 0;

  out->rank = 0;
  for (int d = 0; d < in->rank; d++)
    if (!reduced[d])
      out->dim[out->rank++] = in->dim[d];
    else if (keep)
      out->dim[out->rank++] = 1;
}

static gboolean
infer_reduce_checked (MienOpCtx *ctx, GError **error)
{
  gboolean reduced[MIEN_MAX_RANK];
  MienShape out;
  gboolean known;

  if (!get_reduced (ctx, error, reduced, &known))
    return FALSE;
  mien_op_out_unknown (ctx, 0, ctx->in[0]->type);
  if (!known)
    return TRUE;
  get_reduced_shape (ctx, reduced, &out);
  mien_op_out (ctx, 0, ctx->in[0]->type, &out);
  return TRUE;
}

static gboolean
infer_reduce (MienOpCtx *ctx, GError **error)
{
  return mien_op_check_type (ctx, error, 0, MIEN_OPS_NUMBERS, 0) && infer_reduce_checked (ctx, error);
}

static gboolean
infer_reduce_floats (MienOpCtx *ctx, GError **error)
{
  return mien_op_check_type (ctx, error, 0, MIEN_OPS_FLOATS, 0) && infer_reduce_checked (ctx, error);
}

/* Two nested loops: outer over the elements of the output, inner over those that each is made of. */
static void
init_loops (const MienShape *in, const gboolean *reduced, MienLoop *outer, MienLoop *inner)
{
  gssize strides[MIEN_MAX_RANK];

  mien_ops_strides (in, strides);
  mien_loop_init (outer, 1);
  mien_loop_init (inner, 1);
  for (int d = 0; d < in->rank; d++)
    mien_loop_add (reduced[d] ? inner : outer, in->dim[d], &strides[d]);
}

/* Runs BODY for each element x (of type T) of the inner loop that starts at offset. */
#define FOR_INNER(BODY) \
  do { \
    MienLoop in_loop = *inner; \
    in_loop.offset[0] = offset; \
    if (mien_loop_start (&in_loop)) \
      do { \
        const T *part = from + in_loop.offset[0]; \
        for (gsize i = 0; i < in_loop.n; i++) { \
          const T x = part[(gssize) i * in_loop.step[0]]; \
          BODY; \
        } \
      } while (mien_loop_next (&in_loop)); \
  } while (0)

#define DEFINE_REDUCE_FLOAT(TYPE, CTYPE) \
  static CTYPE reduce_##CTYPE (Reduction how, const CTYPE *from, gssize offset, const MienLoop *inner, gsize n) \
  { \
    typedef CTYPE T; \
    double y = 0, largest; \
    switch (how) { \
    case REDUCE_SUM: \
    case REDUCE_MEAN: \
    case REDUCE_LOG_SUM: \
    default: \
      FOR_INNER (y += x); \
      return (T) (how == REDUCE_MEAN ? y / (double) n : how == REDUCE_LOG_SUM ? log (y) : y); \
    case REDUCE_L1: \
      FOR_INNER (y += fabs (x)); \
      return (T) y; \
    case REDUCE_L2: \
    case REDUCE_SUM_SQUARE: \
      FOR_INNER (y += (double) x * x); \
      return (T) (how == REDUCE_L2 ? sqrt (y) : y); \
    case REDUCE_PROD: \
      y = 1; \
      FOR_INNER (y *= x); \
      return (T) y; \
    case REDUCE_MAX: \
      y = -INFINITY; \
      FOR_INNER (y = x > y || x != x ? x : y); \
      return (T) y; \
    case REDUCE_MIN: \
      y = INFINITY; \
      FOR_INNER (y = x < y || x != x ? x : y); \
      return (T) y; \
    case REDUCE_LOG_SUM_EXP: \
      largest = -INFINITY; \
      FOR_INNER (largest = x > largest ? x : largest); \
      if (isinf (largest)) \
        return (T) largest; \
      FOR_INNER (y += exp (x - largest)); \
      return (T) (largest + log (y)); \
    } \
  }

/* MEAN and MAGNITUDE depend on the sign: y / n and |x|. */
#define DEFINE_REDUCE_INT(CTYPE, MEAN, MAGNITUDE) \
  static CTYPE reduce_##CTYPE (Reduction how, const CTYPE *from, gssize offset, const MienLoop *inner, gsize n) \
  { \
    typedef CTYPE T; \
    guint64 y = 0; \
    gboolean first = TRUE; \
    T best = 0; \
    switch (how) { \
    case REDUCE_SUM: \
    case REDUCE_MEAN: \
    default: \
      FOR_INNER (y += (guint64) x); \
      if (how != REDUCE_MEAN) \
        return (T) y; \
      return n == 0 ? 0 : (T) (MEAN); \
    case REDUCE_L1: \
      FOR_INNER (y += MAGNITUDE); \
      return (T) y; \
    case REDUCE_SUM_SQUARE: \
      FOR_INNER (y += (guint64) x * (guint64) x); \
      return (T) y; \
    case REDUCE_PROD: \
      y = 1; \
      FOR_INNER (y *= (guint64) x); \
      return (T) y; \
    case REDUCE_MAX: \
      FOR_INNER (best = first || x > best ? x : best; first = FALSE); \
      return first ? smallest_##CTYPE : best; \
    case REDUCE_MIN: \
      FOR_INNER (best = first || x < best ? x : best; first = FALSE); \
      return first ? largest_##CTYPE : best; \
    } \
  }

#define DEFINE_REDUCE_SIGNED(TYPE, CTYPE) DEFINE_REDUCE_INT (CTYPE, (gint64) y / (gint64) n, x < 0 ? 0 - (guint64) x : (guint64) x)
#define DEFINE_REDUCE_UNSIGNED(TYPE, CTYPE) DEFINE_REDUCE_INT (CTYPE, y / n, (guint64) x)

#define DEFINE_SIGNED_LIMITS(TYPE, CTYPE) \
  static const CTYPE smallest_##CTYPE = (CTYPE) (G_GUINT64_CONSTANT (1) << (8 * sizeof (CTYPE) - 1)); \
  static const CTYPE largest_##CTYPE = (CTYPE) ((G_GUINT64_CONSTANT (1) << (8 * sizeof (CTYPE) - 1)) - 1);
#define DEFINE_UNSIGNED_LIMITS(TYPE, CTYPE) \
  static const CTYPE smallest_##CTYPE = 0; \
  static const CTYPE largest_##CTYPE = (CTYPE) G_MAXUINT64;

MIEN_OPS_FOR_SIGNED (DEFINE_SIGNED_LIMITS)
MIEN_OPS_FOR_UNSIGNED (DEFINE_UNSIGNED_LIMITS)
MIEN_OPS_FOR_FLOATS (DEFINE_REDUCE_FLOAT)
MIEN_OPS_FOR_SIGNED (DEFINE_REDUCE_SIGNED)
MIEN_OPS_FOR_UNSIGNED (DEFINE_REDUCE_UNSIGNED)

#define REDUCE_CASE(TYPE, CTYPE) \
  case TYPE: \
    ((CTYPE *) out->data)[to] = reduce_##CTYPE (how, in->data, outer.offset[0] + (gssize) i * outer.step[0], &inner, n); \
    break;

static gboolean
run_reduce (MienOpCtx *ctx, GError **error, Reduction how)
{
  const MienTensor *in = ctx->in[0];
  MienTensor *out = ctx->out[0];
  gboolean reduced[MIEN_MAX_RANK];
  MienLoop outer, inner;
  gboolean known;
  gsize to = 0, n;

  if (!get_reduced (ctx, error, reduced, &known))
    return FALSE;
  if (out->n_elems == 0)
    return TRUE;
  n = in->n_elems / out->n_elems;
  init_loops (&in->shape, reduced, &outer, &inner);
  if (!mien_loop_start (&outer))
    return TRUE;
  do
    for (gsize i = 0; i < outer.n; i++, to++)
      switch (in->type) {
        MIEN_OPS_FOR_FLOATS (REDUCE_CASE)
        MIEN_OPS_FOR_INTS (REDUCE_CASE)
      default:
        g_return_val_if_reached (FALSE);
      }
  while (mien_loop_next (&outer));
  return TRUE;
}

#define DEFINE_RUN(NAME, HOW) \
  static gboolean run_##NAME (MienOpCtx *ctx, GError **error) \
  { \
    return run_reduce (ctx, error, HOW); \
  }

DEFINE_RUN (sum, REDUCE_SUM)
DEFINE_RUN (mean, REDUCE_MEAN)
DEFINE_RUN (prod, REDUCE_PROD)
DEFINE_RUN (max, REDUCE_MAX)
DEFINE_RUN (min, REDUCE_MIN)
DEFINE_RUN (l1, REDUCE_L1)
DEFINE_RUN (l2, REDUCE_L2)
DEFINE_RUN (sum_square, REDUCE_SUM_SQUARE)
DEFINE_RUN (log_sum, REDUCE_LOG_SUM)
DEFINE_RUN (log_sum_exp, REDUCE_LOG_SUM_EXP)

/* ArgMax, ArgMin: the first of equal elements, or the last with select_last_index (opset 12). */

static gboolean
infer_arg (MienOpCtx *ctx, GError **error)
{
  const MienShape *in = &ctx->in[0]->shape;
  gboolean reduced[MIEN_MAX_RANK] = { FALSE };
  MienShape out;
  int axis;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_NUMBERS, 0))
    return FALSE;
  mien_op_out_unknown (ctx, 0, MIEN_I64);
  if (in->rank < 0)
    return TRUE;
  if (!mien_op_axis (ctx, error, mien_node_int (ctx->node, "axis", 0), in->rank, &axis))
    return FALSE;
  if (in->dim[axis] == 0)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "axis %d has no elements to choose from", axis);
  reduced[axis] = TRUE;
  get_reduced_shape (ctx, reduced, &out);
  mien_op_out (ctx, 0, MIEN_I64, &out);
  return TRUE;
}

#define FIND(COMPARE) \
  for (gint64 e = 1; e < n; e++) \
    if (x[e * step] COMPARE x[best * step] || (last && x[e * step] == x[best * step])) \
      best = e;

#define ARG_CASE(TYPE, CTYPE) \
  case TYPE: { \
    const CTYPE *x = (const CTYPE *) in->data + (o * n * step + i); \
    if (largest) { \
      FIND (>) \
    } else { \
      FIND (<) \
    } \
    break; \
  }

static gboolean
run_arg (MienOpCtx *ctx, GError **error, gboolean largest)
{
  const MienTensor *in = ctx->in[0];
  gint64 *out = ctx->out[0]->data;
  const gboolean last = ctx->opset >= 12 && mien_node_int (ctx->node, "select_last_index", 0) != 0;
  gint64 n, step, outer;
  int axis;

  if (!mien_op_axis (ctx, error, mien_node_int (ctx->node, "axis", 0), in->shape.rank, &axis))
    return FALSE;
  if (in->n_elems == 0)
    return TRUE;
  n = in->shape.dim[axis];
  step = (gint64) mien_ops_span (&in->shape, axis + 1, in->shape.rank);
  outer = (gint64) mien_ops_span (&in->shape, 0, axis);
  for (gint64 o = 0; o < outer; o++)
    for (gint64 i = 0; i < step; i++) {
      gint64 best = 0;

      switch (in->type) {
        MIEN_OPS_FOR_FLOATS (ARG_CASE)
        MIEN_OPS_FOR_INTS (ARG_CASE)
      default:
        g_return_val_if_reached (FALSE);
      }
      *out++ = best;
    }
  return TRUE;
}

static gboolean
run_arg_max (MienOpCtx *ctx, GError **error)
{
  return run_arg (ctx, error, TRUE);
}

static gboolean
run_arg_min (MienOpCtx *ctx, GError **error)
{
  return run_arg (ctx, error, FALSE);
}

#define ARG(NAME, RUN) { "", NAME, 1, 0, 1, 1, 1, 0, infer_arg, NULL, RUN }
#define REDUCE_UNTIL(NAME, UNTIL, INFER, RUN) \
  { "", NAME, 1, UNTIL, 1, 1, 1, 0, INFER, NULL, RUN }, { "", NAME, UNTIL + 1, 0, 1, 2, 1, 0, INFER, NULL, RUN }
#define REDUCE(NAME, INFER, RUN) REDUCE_UNTIL (NAME, 17, INFER, RUN)

const MienOp mien_ops_reduce[] = {
  REDUCE_UNTIL ("ReduceSum", 12, infer_reduce, run_sum),
  REDUCE ("ReduceMean", infer_reduce, run_mean),
  REDUCE ("ReduceMax", infer_reduce, run_max),
  REDUCE ("ReduceMin", infer_reduce, run_min),
  REDUCE ("ReduceProd", infer_reduce, run_prod),
  REDUCE ("ReduceL1", infer_reduce, run_l1),
  REDUCE ("ReduceL2", infer_reduce_floats, run_l2),
  REDUCE ("ReduceSumSquare", infer_reduce, run_sum_square),
  REDUCE ("ReduceLogSum", infer_reduce_floats, run_log_sum),
  REDUCE ("ReduceLogSumExp", infer_reduce_floats, run_log_sum_exp),
  ARG ("ArgMax", run_arg_max),
  ARG ("ArgMin", run_arg_min),
  { NULL },
};
