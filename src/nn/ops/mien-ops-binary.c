/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators on several inputs element by element, with broadcasting.
 *
 * Operators  Add Sub Mul Div Pow PRelu; Max Min Sum Mean of any number of inputs; Equal Greater GreaterOrEqual Less
 *            LessOrEqual; And Or Xor; Where
 * Source     ONNX, opset 1 to 22. Before opset 7 only the second input is broadcast: with attribute broadcast = 1 it lies along
 *            the first one's dimensions from attribute axis on, by default along the last ones
 * Integers   wrap around; dividing by zero is an error */
#include "nn/mien-kernels.h"
#include "nn/ops/mien-ops.h"

#include <tgmath.h>

#if defined __GNUC__ && !defined __clang__
#pragma GCC optimize("O3") /* for its vectoriser: at -O2 gcc 12 leaves loops of unknown length alone */
#endif

/* y[i] = f (a[i * step_a], b[i * step_b]). Steps are 0 or 1, as broadcasting makes them; y may be a or b. */
typedef void (*BinaryFn) (void *y, const void *a, const void *b, gsize n, gssize step_a, gssize step_b);

#define N_TYPES 17

/* In EXPR a and b are the elements, T is their type. */
#define DEFINE_FN(NAME, TYPE, R, EXPR) \
  static void NAME##_##TYPE (void *y_, const void *a_, const void *b_, gsize n, gssize step_a, gssize step_b) \
  { \
    typedef TYPE T; \
    R *to = y_; \
    const T *from_a = a_, *from_b = b_; \
    for (gsize i = 0; i < n; i++) { \
      const T a = from_a[i * step_a], b = from_b[i * step_b]; \
      to[i] = (R) (EXPR); \
    } \
  }

/* The same with a vectorisable loop for each way of stepping. */
#define DEFINE_FAST_FN(NAME, TYPE, R, EXPR) \
  static void NAME##_##TYPE (void *y_, const void *a_, const void *b_, gsize n, gssize step_a, gssize step_b) \
  { \
    typedef TYPE T; \
    R *to = y_; \
    const T *from_a = a_, *from_b = b_; \
    if (step_a == 1 && step_b == 1) { \
      MIEN_OPS_INDEPENDENT \
      for (gsize i = 0; i < n; i++) { \
        const T a = from_a[i], b = from_b[i]; \
        to[i] = (EXPR); \
      } \
    } else if (step_a == 1) { \
      const T b = *from_b; \
      MIEN_OPS_INDEPENDENT \
      for (gsize i = 0; i < n; i++) { \
        const T a = from_a[i]; \
        to[i] = (EXPR); \
      } \
    } else { \
      const T a = *from_a; \
      MIEN_OPS_INDEPENDENT \
      for (gsize i = 0; i < n; i++) { \
        const T b = from_b[i * step_b]; \
        to[i] = (EXPR); \
      } \
    } \
  }

#define TABLE_FLOATS(NAME) [MIEN_F32] = NAME##_float, [MIEN_F64] = NAME##_double
#define TABLE_NUMBERS(NAME) \
  TABLE_FLOATS (NAME), [MIEN_U8] = NAME##_guint8, [MIEN_I8] = NAME##_gint8, [MIEN_U16] = NAME##_guint16, [MIEN_I16] = NAME##_gint16, \
                       [MIEN_U32] = NAME##_guint32, [MIEN_I32] = NAME##_gint32, [MIEN_U64] = NAME##_guint64, [MIEN_I64] = NAME##_gint64

/* Results of the inputs' type. */
#define DEFINE_ARITHMETIC(NAME, FLOAT, SIGNED, UNSIGNED) \
  DEFINE_FAST_FN (NAME, float, float, FLOAT) \
  DEFINE_FN (NAME, double, double, FLOAT) \
  DEFINE_FN (NAME, gint8, gint8, SIGNED) \
  DEFINE_FN (NAME, gint16, gint16, SIGNED) \
  DEFINE_FN (NAME, gint32, gint32, SIGNED) \
  DEFINE_FN (NAME, gint64, gint64, SIGNED) \
  DEFINE_FN (NAME, guint8, guint8, UNSIGNED) \
  DEFINE_FN (NAME, guint16, guint16, UNSIGNED) \
  DEFINE_FN (NAME, guint32, guint32, UNSIGNED) \
  DEFINE_FN (NAME, guint64, guint64, UNSIGNED)

/* Results are bool. */
#define DEFINE_COMPARISON(NAME, EXPR) \
  DEFINE_FN (NAME, float, guint8, EXPR) \
  DEFINE_FN (NAME, double, guint8, EXPR) \
  DEFINE_FN (NAME, gint8, guint8, EXPR) \
  DEFINE_FN (NAME, gint16, guint8, EXPR) \
  DEFINE_FN (NAME, gint32, guint8, EXPR) \
  DEFINE_FN (NAME, gint64, guint8, EXPR) \
  DEFINE_FN (NAME, guint8, guint8, EXPR) \
  DEFINE_FN (NAME, guint16, guint8, EXPR) \
  DEFINE_FN (NAME, guint32, guint8, EXPR) \
  DEFINE_FN (NAME, guint64, guint8, EXPR)

#define WIDE(OP) ((T) ((guint64) a OP (guint64) b))          /* wraps where the signed operation would overflow */
#define QUOTIENT (b == (T) -1 ? (T) (0 - (guint64) a) : a / b) /* the smallest value divided by -1 wraps */

DEFINE_ARITHMETIC (add, a + b, WIDE (+), WIDE (+))
DEFINE_ARITHMETIC (sub, a - b, WIDE (-), WIDE (-))
DEFINE_ARITHMETIC (mul, a * b, WIDE (*), WIDE (*))
DEFINE_ARITHMETIC (div, a / b, QUOTIENT, a / b)
DEFINE_ARITHMETIC (max, a > b || a != a ? a : b, a > b ? a : b, a > b ? a : b) /* NaN wins */
DEFINE_ARITHMETIC (min, a < b || a != a ? a : b, a < b ? a : b, a < b ? a : b)
DEFINE_COMPARISON (equal, a == b)
DEFINE_COMPARISON (greater, a > b)
DEFINE_COMPARISON (greater_equal, a >= b)
DEFINE_COMPARISON (less, a < b)
DEFINE_COMPARISON (less_equal, a <= b)
DEFINE_FAST_FN (prelu, float, float, a < 0 ? a * b : a)
DEFINE_FN (prelu, double, double, a < 0 ? a * b : a)
DEFINE_FN (pow, float, float, pow (a, b))
DEFINE_FN (pow, double, double, pow (a, b))

/* Half precision is ordered like a number of sign and magnitude. */
typedef guint16 Half;
#define IS_NAN(h) (((h) & 0x7fff) > 0x7c00)
#define ORDER(h) ((h) & 0x8000 ? -((h) & 0x7fff) : (h))
DEFINE_FN (max, Half, guint16, (ORDER (a) > ORDER (b) && !IS_NAN (b)) || IS_NAN (a) ? a : b)
DEFINE_FN (min, Half, guint16, (ORDER (a) < ORDER (b) && !IS_NAN (b)) || IS_NAN (a) ? a : b)

typedef guint8 Bool;
DEFINE_FN (both, Bool, guint8, a && b)
DEFINE_FN (either, Bool, guint8, a || b)
DEFINE_FN (one, Bool, guint8, !a != !b)
DEFINE_FN (same, Bool, guint8, !a == !b)

static const BinaryFn add_fns[N_TYPES] = { TABLE_NUMBERS (add) };
static const BinaryFn sub_fns[N_TYPES] = { TABLE_NUMBERS (sub) };
static const BinaryFn mul_fns[N_TYPES] = { TABLE_NUMBERS (mul) };
static const BinaryFn div_fns[N_TYPES] = { TABLE_NUMBERS (div) };
static const BinaryFn max_fns[N_TYPES] = { TABLE_NUMBERS (max), [MIEN_F16] = max_Half };
static const BinaryFn min_fns[N_TYPES] = { TABLE_NUMBERS (min), [MIEN_F16] = min_Half };
static const BinaryFn equal_fns[N_TYPES] = { TABLE_NUMBERS (equal), [MIEN_BOOL] = same_Bool };
static const BinaryFn greater_fns[N_TYPES] = { TABLE_NUMBERS (greater) };
static const BinaryFn greater_equal_fns[N_TYPES] = { TABLE_NUMBERS (greater_equal) };
static const BinaryFn less_fns[N_TYPES] = { TABLE_NUMBERS (less) };
static const BinaryFn less_equal_fns[N_TYPES] = { TABLE_NUMBERS (less_equal) };
static const BinaryFn and_fns[N_TYPES] = { [MIEN_BOOL] = both_Bool };
static const BinaryFn or_fns[N_TYPES] = { [MIEN_BOOL] = either_Bool };
static const BinaryFn xor_fns[N_TYPES] = { [MIEN_BOOL] = one_Bool };
static const BinaryFn prelu_fns[N_TYPES] = { TABLE_FLOATS (prelu) };
static const BinaryFn pow_fns[N_TYPES] = { TABLE_FLOATS (pow) };

/* The second input's shape in today's terms: with ones behind it where attribute axis moved it to the left. */
static gboolean
get_second_shape (MienOpCtx *ctx, GError **error, MienShape *shape)
{
  const MienShape *a = &ctx->in[0]->shape;
  const MienShape *b = &ctx->in[1]->shape;
  gint64 axis;

  *shape = *b;
  if (ctx->opset >= 7 || mien_node_int (ctx->node, "broadcast", 0) == 0 || mien_node_attr (ctx->node, "axis") == NULL)
    return TRUE;
  axis = mien_node_int (ctx->node, "axis", 0);
  if (axis < 0)
    axis += a->rank;
  if (axis < 0 || axis > a->rank - b->rank)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "axis %ld leaves no room for the second input", (long) axis);
  shape->rank = a->rank - (int) axis;
  for (int d = b->rank; d < shape->rank; d++)
    shape->dim[d] = 1;
  return TRUE;
}

static gboolean
infer_pair (MienOpCtx *ctx, GError **error, MienType result)
{
  MienShape second, shape;
  const MienShape *shapes[] = { &ctx->in[0]->shape, &second };

  if (!mien_op_shapes_known (ctx)) {
    mien_op_out_unknown (ctx, 0, result);
    return TRUE;
  }
  if (!get_second_shape (ctx, error, &second) || !mien_op_broadcast (ctx, error, shapes, 2, &shape))
    return FALSE;
  mien_op_out (ctx, 0, result, &shape);
  return TRUE;
}

static gboolean
infer_arithmetic (MienOpCtx *ctx, GError **error)
{
  return mien_op_check_type (ctx, error, 0, MIEN_OPS_NUMBERS, 0) && mien_op_check_type (ctx, error, 1, ctx->in[0]->type, 0)
         && infer_pair (ctx, error, ctx->in[0]->type);
}

static gboolean
infer_compare (MienOpCtx *ctx, GError **error)
{
  return mien_op_check_type (ctx, error, 0, MIEN_OPS_NUMBERS, 0) && mien_op_check_type (ctx, error, 1, ctx->in[0]->type, 0)
         && infer_pair (ctx, error, MIEN_BOOL);
}

static gboolean
infer_equal (MienOpCtx *ctx, GError **error)
{
  return mien_op_check_type (ctx, error, 0, MIEN_OPS_NUMBERS, MIEN_BOOL, 0)
         && mien_op_check_type (ctx, error, 1, ctx->in[0]->type, 0) && infer_pair (ctx, error, MIEN_BOOL);
}

static gboolean
infer_logic (MienOpCtx *ctx, GError **error)
{
  return mien_op_check_type (ctx, error, 0, MIEN_BOOL, 0) && mien_op_check_type (ctx, error, 1, MIEN_BOOL, 0)
         && infer_pair (ctx, error, MIEN_BOOL);
}

static void
run_pair (MienOpCtx *ctx, const MienTensor *a, const MienShape *b_shape, const void *b, const BinaryFn *fns)
{
  MienTensor *out = ctx->out[0];
  const gsize size = mien_type_size (a->type);
  const gsize out_size = mien_type_size (out->type);
  const MienShape *shapes[] = { &a->shape, b_shape };
  MienLoop loop;

  mien_loop_init_broadcast (&loop, &out->shape, shapes, 2);
  if (!mien_loop_start (&loop))
    return;
  do
    fns[a->type]((char *) out->data + loop.offset[0] * (gssize) out_size, (const char *) a->data + loop.offset[1] * (gssize) size,
                 (const char *) b + loop.offset[2] * (gssize) size, loop.n, loop.step[1], loop.step[2]);
  while (mien_loop_next (&loop));
}

static gboolean
run_two (MienOpCtx *ctx, GError **error, const BinaryFn *fns)
{
  MienShape second;

  if (!get_second_shape (ctx, error, &second))
    return FALSE;
  run_pair (ctx, ctx->in[0], &second, ctx->in[1]->data, fns);
  return TRUE;
}

#define DEFINE_RUN(NAME) \
  static gboolean run_##NAME (MienOpCtx *ctx, GError **error) \
  { \
    return run_two (ctx, error, NAME##_fns); \
  }

DEFINE_RUN (sub)
DEFINE_RUN (mul)
DEFINE_RUN (equal)
DEFINE_RUN (greater)
DEFINE_RUN (greater_equal)
DEFINE_RUN (less)
DEFINE_RUN (less_equal)
DEFINE_RUN (and)
DEFINE_RUN (or)
DEFINE_RUN (xor)

static gboolean
run_add (MienOpCtx *ctx, GError **error)
{
  const MienTensor *a = ctx->in[0], *b = ctx->in[1];

  if (a->type != MIEN_F32 || !mien_shape_equal (&a->shape, &b->shape))
    return run_two (ctx, error, add_fns);
  ctx->kernels->vector.add_f32 (ctx->out[0]->data, a->data, b->data, a->n_elems); /* the sum at the end of a residual block */
  return TRUE;
}

#define HAS_ZERO(TYPE, CTYPE) \
  case TYPE: \
    for (gsize i = 0; i < b->n_elems; i++) \
      if (((const CTYPE *) b->data)[i] == 0) \
        return mien_op_fail (ctx, error, MIEN_NN_ERROR_INPUT, "division by zero in element %ld of input 1", (long) i); \
    break;

static gboolean
run_div (MienOpCtx *ctx, GError **error)
{
  const MienTensor *b = ctx->in[1];

  switch (b->type) {
    MIEN_OPS_FOR_INTS (HAS_ZERO)
  default:
    break;
  }
  return run_two (ctx, error, div_fns);
}

/* Pow: base and exponent may have different types from opset 12 on. */

static gboolean
infer_pow (MienOpCtx *ctx, GError **error)
{
  return mien_op_check_type (ctx, error, 0, MIEN_OPS_FLOATS, MIEN_I32, MIEN_I64, 0)
         && mien_op_check_type (ctx, error, 1, MIEN_OPS_NUMBERS, 0) && infer_pair (ctx, error, ctx->in[0]->type);
}

static gint64
integer_power (gint64 base, gint64 exponent)
{
  guint64 result = 1, square = (guint64) base;

  if (exponent < 0)
    return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1)
      result *= square;
    square *= square;
  }
  return (gint64) result;
}

#define GET(TYPE, CTYPE) \
  case TYPE: \
    *as_double = (double) ((const CTYPE *) from->data)[i]; \
    *as_int = (gint64) ((const CTYPE *) from->data)[i]; \
    return TRUE;

/* TRUE when the element is an integer, else only as_double is set. */
static gboolean
get_number (const MienTensor *from, gssize i, double *as_double, gint64 *as_int)
{
  switch (from->type) {
  case MIEN_F32:
    *as_double = ((const float *) from->data)[i];
    return FALSE;
  case MIEN_F64:
    *as_double = ((const double *) from->data)[i];
    return FALSE;
    MIEN_OPS_FOR_INTS (GET)
  default:
    g_return_val_if_reached (FALSE);
  }
}

static void
set_power (MienTensor *to, gssize i, double base, double exponent)
{
  const double y = pow (base, exponent);

  switch (to->type) {
  case MIEN_F32:
    ((float *) to->data)[i] = (float) y;
    break;
  case MIEN_F64:
    ((double *) to->data)[i] = y;
    break;
  case MIEN_I32:
    ((gint32 *) to->data)[i] = y != y ? 0 : y >= 0x1p31 ? G_MAXINT32 : y <= -0x1p31 ? G_MININT32 : (gint32) y;
    break;
  case MIEN_I64:
    ((gint64 *) to->data)[i] = y != y ? 0 : y >= 0x1p63 ? G_MAXINT64 : y <= -0x1p63 ? G_MININT64 : (gint64) y;
    break;
  default:
    g_return_if_reached ();
  }
}

static gboolean
run_pow (MienOpCtx *ctx, GError **error)
{
  const MienTensor *a = ctx->in[0], *b = ctx->in[1];
  MienTensor *out = ctx->out[0];
  MienShape second;
  const MienShape *shapes[] = { &a->shape, &second };
  MienLoop loop;

  if (b->type == MIEN_F32 && a->type == MIEN_F32 && b->n_elems == 1 && *mien_tensor_f32 (b) == 2.0f) {
    const float *x = a->data;
    float *y = out->data;

    for (gsize i = 0; i < out->n_elems; i++)
      y[i] = x[i] * x[i];
    return TRUE;
  }
  if (a->type == b->type && pow_fns[a->type] != NULL)
    return run_two (ctx, error, pow_fns);
  if (!get_second_shape (ctx, error, &second))
    return FALSE;
  mien_loop_init_broadcast (&loop, &out->shape, shapes, 2);
  if (!mien_loop_start (&loop))
    return TRUE;
  do
    for (gsize i = 0; i < loop.n; i++) {
      const gssize at = loop.offset[0] + (gssize) i;
      double base, exponent;
      gint64 int_base, int_exponent;
      const gboolean is_int = get_number (a, loop.offset[1] + (gssize) i * loop.step[1], &base, &int_base);

      if (get_number (b, loop.offset[2] + (gssize) i * loop.step[2], &exponent, &int_exponent) && is_int) {
        const gint64 y = b->type == MIEN_U64 && int_exponent < 0 ? integer_power (int_base, G_MAXINT64) : integer_power (int_base, int_exponent);

        if (out->type == MIEN_I32)
          ((gint32 *) out->data)[at] = (gint32) y;
        else
          ((gint64 *) out->data)[at] = y;
      } else {
        set_power (out, at, base, exponent);
      }
    }
  while (mien_loop_next (&loop));
  return TRUE;
}

/* PRelu: the slope is broadcast to the input, never the other way. Before opset 7 a slope of one dimension belongs to the
 * channels. */

static gboolean
get_slope_shape (MienOpCtx *ctx, GError **error, MienShape *shape)
{
  const MienShape *x = &ctx->in[0]->shape;
  const MienShape *shapes[] = { x, shape };
  MienShape both;

  *shape = ctx->in[1]->shape;
  if (ctx->opset < 7 && shape->rank == 1 && shape->dim[0] != 1 && x->rank > 2) {
    shape->rank = x->rank - 1;
    for (int d = 1; d < shape->rank; d++)
      shape->dim[d] = 1;
  }
  if (!mien_op_broadcast (ctx, error, shapes, 2, &both))
    return FALSE;
  if (!mien_shape_equal (&both, x))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the slope has more elements than the input");
  return TRUE;
}

static gboolean
infer_prelu (MienOpCtx *ctx, GError **error)
{
  MienShape slope;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_FLOATS, 0) || !mien_op_check_type (ctx, error, 1, ctx->in[0]->type, 0))
    return FALSE;
  if (!mien_op_shapes_known (ctx))
    mien_op_out_unknown (ctx, 0, ctx->in[0]->type);
  else if (get_slope_shape (ctx, error, &slope))
    mien_op_out_like (ctx, 0, 0);
  else
    return FALSE;
  return TRUE;
}

static gboolean
run_prelu (MienOpCtx *ctx, GError **error)
{
  MienShape slope;

  if (!get_slope_shape (ctx, error, &slope))
    return FALSE;
  run_pair (ctx, ctx->in[0], &slope, ctx->in[1]->data, prelu_fns);
  return TRUE;
}

/* Max, Min, Sum, Mean: any number of inputs. Broadcasting came with opset 8; shapes that need it are taken before, too. */

static gboolean
infer_many (MienOpCtx *ctx, GError **error)
{
  MienShape shape = { .rank = 0 };

  for (int i = 1; i < ctx->n_in; i++)
    if (!mien_op_check_type (ctx, error, i, ctx->in[0]->type, 0))
      return FALSE;
  if (!mien_op_shapes_known (ctx)) {
    mien_op_out_unknown (ctx, 0, ctx->in[0]->type);
    return TRUE;
  }
  for (int i = 0; i < ctx->n_in; i++) {
    const MienShape *shapes[] = { &shape, &ctx->in[i]->shape };

    if (!mien_op_broadcast (ctx, error, shapes, 2, &shape))
      return FALSE;
  }
  mien_op_out (ctx, 0, ctx->in[0]->type, &shape);
  return TRUE;
}

static gboolean
infer_many_numbers (MienOpCtx *ctx, GError **error)
{
  return mien_op_check_type (ctx, error, 0, MIEN_OPS_NUMBERS, MIEN_F16, 0) && infer_many (ctx, error);
}

static gboolean
infer_many_floats (MienOpCtx *ctx, GError **error)
{
  return mien_op_check_type (ctx, error, 0, MIEN_OPS_FLOATS, 0) && infer_many (ctx, error);
}

static void
run_many (MienOpCtx *ctx, const BinaryFn *fns)
{
  MienTensor *out = ctx->out[0];

  if (ctx->n_in == 1) {
    const MienShape *shapes[] = { &ctx->in[0]->shape };
    MienLoop loop;

    mien_loop_init_broadcast (&loop, &out->shape, shapes, 1);
    mien_loop_copy (&loop, out->data, ctx->in[0]->data, mien_type_size (out->type));
  }
  for (int i = 1; i < ctx->n_in; i++)
    run_pair (ctx, i == 1 ? ctx->in[0] : out, &ctx->in[i]->shape, ctx->in[i]->data, fns);
}

static gboolean
run_max (MienOpCtx *ctx, GError **error)
{
  run_many (ctx, max_fns);
  return TRUE;
}

static gboolean
run_min (MienOpCtx *ctx, GError **error)
{
  run_many (ctx, min_fns);
  return TRUE;
}

static gboolean
run_sum (MienOpCtx *ctx, GError **error)
{
  run_many (ctx, add_fns);
  return TRUE;
}

static gboolean
run_mean (MienOpCtx *ctx, GError **error)
{
  MienTensor *out = ctx->out[0];

  run_many (ctx, add_fns);
  for (gsize i = 0; i < out->n_elems; i++)
    if (out->type == MIEN_F32)
      ((float *) out->data)[i] /= ctx->n_in;
    else
      ((double *) out->data)[i] /= ctx->n_in;
  return TRUE;
}

/* Where (opset 9): y = condition ? a : b. */

static gboolean
infer_where (MienOpCtx *ctx, GError **error)
{
  MienShape shape;

  if (!mien_op_check_type (ctx, error, 0, MIEN_BOOL, 0) || !mien_op_check_type (ctx, error, 1, MIEN_OPS_ANY, 0)
      || !mien_op_check_type (ctx, error, 2, ctx->in[1]->type, 0))
    return FALSE;
  if (mien_op_shapes_known (ctx)) {
    const MienShape *shapes[] = { &ctx->in[0]->shape, &ctx->in[1]->shape, &ctx->in[2]->shape };

    if (!mien_op_broadcast (ctx, error, shapes, 3, &shape))
      return FALSE;
    mien_op_out (ctx, 0, ctx->in[1]->type, &shape);
  } else {
    mien_op_out_unknown (ctx, 0, ctx->in[1]->type);
  }
  return TRUE;
}

#define CHOOSE(T) \
  for (gsize i = 0; i < loop.n; i++) { \
    const guint8 c = ((const guint8 *) ctx->in[0]->data)[loop.offset[1] + (gssize) i * loop.step[1]]; \
    const T a = ((const T *) ctx->in[1]->data)[loop.offset[2] + (gssize) i * loop.step[2]]; \
    const T b = ((const T *) ctx->in[2]->data)[loop.offset[3] + (gssize) i * loop.step[3]]; \
    ((T *) out->data)[loop.offset[0] + (gssize) i] = c != 0 ? a : b; \
  }

static gboolean
run_where (MienOpCtx *ctx, GError **error)
{
  MienTensor *out = ctx->out[0];
  const MienShape *shapes[] = { &ctx->in[0]->shape, &ctx->in[1]->shape, &ctx->in[2]->shape };
  MienLoop loop;

  mien_loop_init_broadcast (&loop, &out->shape, shapes, 3);
  if (!mien_loop_start (&loop))
    return TRUE;
  do
    switch (mien_type_size (out->type)) {
    case 1:
      CHOOSE (guint8)
      break;
    case 2:
      CHOOSE (guint16)
      break;
    case 4:
      CHOOSE (guint32)
      break;
    case 8:
      CHOOSE (guint64)
      break;
    default:
      g_return_val_if_reached (FALSE);
    }
  while (mien_loop_next (&loop));
  return TRUE;
}

#define PAIR(NAME, SINCE, FLAGS, INFER, RUN) { "", NAME, SINCE, 0, 2, 2, 1, FLAGS, INFER, NULL, RUN }
#define MANY(NAME, INFER, RUN) { "", NAME, 1, 0, 1, -1, 1, 0, INFER, NULL, RUN }

const MienOp mien_ops_binary[] = {
  PAIR ("Add", 1, MIEN_OP_IN_PLACE, infer_arithmetic, run_add),
  PAIR ("Sub", 1, MIEN_OP_IN_PLACE, infer_arithmetic, run_sub),
  PAIR ("Mul", 1, MIEN_OP_IN_PLACE, infer_arithmetic, run_mul),
  PAIR ("Div", 1, MIEN_OP_IN_PLACE, infer_arithmetic, run_div),
  PAIR ("Pow", 1, MIEN_OP_IN_PLACE, infer_pow, run_pow),
  PAIR ("PRelu", 1, MIEN_OP_IN_PLACE, infer_prelu, run_prelu),
  PAIR ("Equal", 1, 0, infer_equal, run_equal),
  PAIR ("Greater", 1, 0, infer_compare, run_greater),
  PAIR ("GreaterOrEqual", 12, 0, infer_compare, run_greater_equal),
  PAIR ("Less", 1, 0, infer_compare, run_less),
  PAIR ("LessOrEqual", 12, 0, infer_compare, run_less_equal),
  PAIR ("And", 1, MIEN_OP_IN_PLACE, infer_logic, run_and),
  PAIR ("Or", 1, MIEN_OP_IN_PLACE, infer_logic, run_or),
  PAIR ("Xor", 1, MIEN_OP_IN_PLACE, infer_logic, run_xor),
  MANY ("Max", infer_many_numbers, run_max), /* not in place: an input may occur twice */
  MANY ("Min", infer_many_numbers, run_min),
  MANY ("Sum", infer_many_floats, run_sum),
  MANY ("Mean", infer_many_floats, run_mean),
  { "", "Where", 9, 0, 3, 3, 1, 0, infer_where, NULL, run_where },
  { NULL },
};
