/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators that compute each element from one element: activations, arithmetic, rounding, Clip, Not.
 *
 * Operators  Abs Acos Acosh Asin Asinh Atan Atanh Ceil Celu Clip Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish
 *            IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Tan Tanh
 *            ThresholdedRelu
 * Source     ONNX, opset 1 to 22. Before opset 6 the attribute consumed_inputs allowed sharing of memory; it has no meaning.
 *            Clip: attributes before opset 11, inputs from then on */
#include "nn/mien-kernels.h"
#include "nn/ops/mien-ops.h"

#include <tgmath.h>

#if defined __GNUC__ && !defined __clang__
#pragma GCC optimize("O3") /* for its vectoriser: at -O2 gcc 12 leaves loops of unknown length alone */
#endif

/* exp and its kin pick the function for the type of their argument (tgmath.h), so one expression serves float and double.
 * Comparisons are written so that NaN passes through. */

static gboolean
infer_floats (MienOpCtx *ctx, GError **error)
{
  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_FLOATS, 0))
    return FALSE;
  mien_op_out_like (ctx, 0, 0);
  return TRUE;
}

static gboolean
infer_numbers (MienOpCtx *ctx, GError **error)
{
  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_NUMBERS, 0))
    return FALSE;
  mien_op_out_like (ctx, 0, 0);
  return TRUE;
}

static gboolean
infer_bool (MienOpCtx *ctx, GError **error)
{
  if (!mien_op_check_type (ctx, error, 0, MIEN_BOOL, 0))
    return FALSE;
  mien_op_out_like (ctx, 0, 0);
  return TRUE;
}

static gboolean
infer_float_to_bool (MienOpCtx *ctx, GError **error)
{
  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_FLOATS, 0))
    return FALSE;
  mien_op_out (ctx, 0, MIEN_BOOL, &ctx->in[0]->shape);
  return TRUE;
}

/* One case of a switch over types; T is the C type, x the element. */
#define CASE(TYPE, CTYPE, TO, EXPR) \
  case TYPE: { \
    typedef CTYPE T; \
    const T *from = in->data; \
    TO *to = out->data; \
    MIEN_OPS_INDEPENDENT \
    for (gsize i = 0; i < n; i++) { \
      const T x = from[i]; \
      to[i] = (EXPR); \
    } \
    break; \
  }

#define BEGIN(NAME) \
  static gboolean run_##NAME (MienOpCtx *ctx, GError **error) \
  { \
    const MienTensor *in = ctx->in[0]; \
    MienTensor *out = ctx->out[0]; \
    const gsize n = in->n_elems;

#define END \
    default: \
      g_return_val_if_reached (FALSE); \
    } \
    return TRUE; \
  }

/* float and double; a and b are attributes. */
#define FLOATS_2(NAME, A, A_DEFAULT, B, B_DEFAULT, EXPR) \
  BEGIN (NAME) \
  const float a = mien_node_float (ctx->node, A, A_DEFAULT); \
  const float b = mien_node_float (ctx->node, B, B_DEFAULT); \
  switch (in->type) { \
    CASE (MIEN_F32, float, float, EXPR) \
    CASE (MIEN_F64, double, double, EXPR) \
  END

#define FLOATS_1(NAME, A, A_DEFAULT, EXPR) \
  BEGIN (NAME) \
  const float a = mien_node_float (ctx->node, A, A_DEFAULT); \
  switch (in->type) { \
    CASE (MIEN_F32, float, float, EXPR) \
    CASE (MIEN_F64, double, double, EXPR) \
  END

#define FLOATS(NAME, EXPR) \
  BEGIN (NAME) \
  switch (in->type) { \
    CASE (MIEN_F32, float, float, EXPR) \
    CASE (MIEN_F64, double, double, EXPR) \
  END

/* Floats one way, signed integers another, unsigned ones a third. */
#define NUMBERS(NAME, EXPR, SIGNED, UNSIGNED) \
  BEGIN (NAME) \
  switch (in->type) { \
    CASE (MIEN_F32, float, float, EXPR) \
    CASE (MIEN_F64, double, double, EXPR) \
    CASE (MIEN_I8, gint8, gint8, SIGNED) \
    CASE (MIEN_I16, gint16, gint16, SIGNED) \
    CASE (MIEN_I32, gint32, gint32, SIGNED) \
    CASE (MIEN_I64, gint64, gint64, SIGNED) \
    CASE (MIEN_U8, guint8, guint8, UNSIGNED) \
    CASE (MIEN_U16, guint16, guint16, UNSIGNED) \
    CASE (MIEN_U32, guint32, guint32, UNSIGNED) \
    CASE (MIEN_U64, guint64, guint64, UNSIGNED) \
  END

#define NEGATED(x) ((T) (0 - (guint64) (x))) /* defined for the smallest value, too: it stays */
#define ONE ((T) 1)
#define UNIT_CLAMP(x) ((x) < 0 ? 0 : (x) > 1 ? 1 : (x))

NUMBERS (relu_any, x < 0 ? 0 : x, x < 0 ? 0 : x, x)
NUMBERS (neg, -x, NEGATED (x), NEGATED (x))
NUMBERS (abs, fabs (x), x < 0 ? NEGATED (x) : x, x)
NUMBERS (sign, x > 0 ? 1 : x < 0 ? -1 : x, (x > 0) - (x < 0), x > 0)

FLOATS (sqrt, sqrt (x))
FLOATS (exp, exp (x))
FLOATS (log, log (x))
FLOATS (reciprocal, ONE / x)
FLOATS (floor, floor (x))
FLOATS (ceil, ceil (x))
FLOATS (round, rint (x)) /* halves to even */
FLOATS (sin, sin (x))
FLOATS (cos, cos (x))
FLOATS (tan, tan (x))
FLOATS (asin, asin (x))
FLOATS (acos, acos (x))
FLOATS (atan, atan (x))
FLOATS (sinh, sinh (x))
FLOATS (cosh, cosh (x))
FLOATS (asinh, asinh (x))
FLOATS (acosh, acosh (x))
FLOATS (atanh, atanh (x))
FLOATS (erf, erf (x))
FLOATS (tanh, tanh (x))
FLOATS (sigmoid, ONE / (ONE + exp (-x)))
FLOATS (softplus, x > 0 ? x + log1p (exp (-x)) : log1p (exp (x)))
FLOATS (softsign, x / (ONE + fabs (x)))
FLOATS (hard_swish, x * UNIT_CLAMP (x / 6 + (T) 0.5))
FLOATS (mish, x * tanh (x > 0 ? x + log1p (exp (-x)) : log1p (exp (x))))
FLOATS (gelu_erf, (T) 0.5 * x * (ONE + erf (x * (T) M_SQRT1_2)))
FLOATS (gelu_tanh, (T) 0.5 * x * (ONE + tanh ((T) (M_2_SQRTPI * M_SQRT1_2) * (x + (T) 0.044715 * x * x * x))))
FLOATS_1 (leaky_relu, "alpha", 0.01f, x < 0 ? a * x : x)
FLOATS_1 (elu, "alpha", 1.0f, x < 0 ? a * expm1 (x) : x)
FLOATS_1 (celu, "alpha", 1.0f, x < 0 ? a * expm1 (x / a) : x)
FLOATS_1 (thresholded_relu, "alpha", 1.0f, x > a ? x : x != x ? x : 0)
FLOATS_2 (selu, "alpha", 1.67326319217681884765625f, "gamma", 1.05070102214813232421875f, b * (x < 0 ? a * expm1 (x) : x))
FLOATS_2 (selu_1, "alpha", 1.6732f, "gamma", 1.0507f, b * (x < 0 ? a * expm1 (x) : x))
FLOATS_2 (hard_sigmoid, "alpha", 0.2f, "beta", 0.5f, UNIT_CLAMP (a * x + b))
FLOATS_2 (shrink, "lambd", 0.5f, "bias", 0.0f, x < -a ? x + b : x > a ? x - b : 0)

static gboolean
run_relu (MienOpCtx *ctx, GError **error)
{
  if (ctx->in[0]->type != MIEN_F32)
    return run_relu_any (ctx, error);
  ctx->kernels->vector.relu_f32 (ctx->out[0]->data, ctx->in[0]->data, ctx->in[0]->n_elems);
  return TRUE;
}

static gboolean
run_gelu (MienOpCtx *ctx, GError **error)
{
  return g_str_equal (mien_node_string (ctx->node, "approximate", "none"), "tanh") ? run_gelu_tanh (ctx, error) : run_gelu_erf (ctx, error);
}

BEGIN (is_nan)
  switch (in->type) {
    CASE (MIEN_F32, float, guint8, x != x)
    CASE (MIEN_F64, double, guint8, x != x)
  END

BEGIN (not)
  switch (in->type) {
    CASE (MIEN_BOOL, guint8, guint8, x == 0)
  END

/* Clip, before opset 11: limits are attributes. */
BEGIN (clip_attrs)
  const float lo = mien_node_float (ctx->node, "min", -G_MAXFLOAT);
  const float hi = mien_node_float (ctx->node, "max", G_MAXFLOAT);

  switch (in->type) {
    CASE (MIEN_F32, float, float, x < lo ? lo : x > hi ? hi : x)
    CASE (MIEN_F64, double, double, x < lo ? lo : x > hi ? hi : x)
  END

/* Clip, from opset 11: limits are optional inputs of one element. */
static gboolean
infer_clip (MienOpCtx *ctx, GError **error)
{
  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_NUMBERS, 0))
    return FALSE;
  for (int i = 1; i < 3; i++) {
    if (!mien_op_has (ctx, i))
      continue;
    if (!mien_op_check_type (ctx, error, i, ctx->in[0]->type, 0))
      return FALSE;
    if (ctx->in[i]->shape.rank >= 0 && ctx->in[i]->n_elems != 1)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input %d must have one element", i);
  }
  if (mien_op_shapes_known (ctx))
    mien_op_out_like (ctx, 0, 0);
  else
    mien_op_out_unknown (ctx, 0, ctx->in[0]->type);
  return TRUE;
}

/* The upper limit wins where the two contradict each other. */
#define CLIP(TYPE, CTYPE) \
  case TYPE: { \
    const CTYPE *lo = mien_op_has (ctx, 1) ? ctx->in[1]->data : NULL; \
    const CTYPE *hi = mien_op_has (ctx, 2) ? ctx->in[2]->data : NULL; \
    const CTYPE *from = in->data; \
    CTYPE *to = out->data; \
    if (lo != NULL && hi != NULL) { \
      const CTYPE l = *lo, h = *hi; \
      MIEN_OPS_INDEPENDENT \
      for (gsize i = 0; i < n; i++) { \
        const CTYPE x = from[i] < l ? l : from[i]; \
        to[i] = x > h ? h : x; \
      } \
    } else if (lo != NULL) { \
      const CTYPE l = *lo; \
      for (gsize i = 0; i < n; i++) \
        to[i] = from[i] < l ? l : from[i]; \
    } else if (hi != NULL) { \
      const CTYPE h = *hi; \
      for (gsize i = 0; i < n; i++) \
        to[i] = from[i] > h ? h : from[i]; \
    } else if (to != from) { \
      for (gsize i = 0; i < n; i++) \
        to[i] = from[i]; \
    } \
    break; \
  }

BEGIN (clip)
  switch (in->type) {
    MIEN_OPS_FOR_FLOATS (CLIP)
    MIEN_OPS_FOR_INTS (CLIP)
  END

#define UNARY(NAME, SINCE, INFER, RUN) { "", NAME, SINCE, 0, 1, 1, 1, MIEN_OP_IN_PLACE, INFER, NULL, RUN }

const MienOp mien_ops_unary[] = {
  UNARY ("Relu", 1, infer_numbers, run_relu),
  UNARY ("Sigmoid", 1, infer_floats, run_sigmoid),
  UNARY ("Tanh", 1, infer_floats, run_tanh),
  UNARY ("LeakyRelu", 1, infer_floats, run_leaky_relu),
  UNARY ("Elu", 1, infer_floats, run_elu),
  { "", "Selu", 1, 5, 1, 1, 1, MIEN_OP_IN_PLACE, infer_floats, NULL, run_selu_1 },
  UNARY ("Selu", 6, infer_floats, run_selu),
  UNARY ("Celu", 12, infer_floats, run_celu),
  UNARY ("ThresholdedRelu", 10, infer_floats, run_thresholded_relu),
  UNARY ("HardSigmoid", 1, infer_floats, run_hard_sigmoid),
  UNARY ("HardSwish", 14, infer_floats, run_hard_swish),
  UNARY ("Mish", 18, infer_floats, run_mish),
  UNARY ("Gelu", 20, infer_floats, run_gelu),
  UNARY ("Softplus", 1, infer_floats, run_softplus),
  UNARY ("Softsign", 1, infer_floats, run_softsign),
  UNARY ("Shrink", 9, infer_floats, run_shrink),
  UNARY ("Neg", 1, infer_numbers, run_neg),
  UNARY ("Abs", 1, infer_numbers, run_abs),
  UNARY ("Sign", 9, infer_numbers, run_sign),
  UNARY ("Sqrt", 1, infer_floats, run_sqrt),
  UNARY ("Exp", 1, infer_floats, run_exp),
  UNARY ("Log", 1, infer_floats, run_log),
  UNARY ("Reciprocal", 1, infer_floats, run_reciprocal),
  UNARY ("Erf", 9, infer_floats, run_erf),
  UNARY ("Floor", 1, infer_floats, run_floor),
  UNARY ("Ceil", 1, infer_floats, run_ceil),
  UNARY ("Round", 11, infer_floats, run_round),
  UNARY ("Sin", 7, infer_floats, run_sin),
  UNARY ("Cos", 7, infer_floats, run_cos),
  UNARY ("Tan", 7, infer_floats, run_tan),
  UNARY ("Asin", 7, infer_floats, run_asin),
  UNARY ("Acos", 7, infer_floats, run_acos),
  UNARY ("Atan", 7, infer_floats, run_atan),
  UNARY ("Sinh", 9, infer_floats, run_sinh),
  UNARY ("Cosh", 9, infer_floats, run_cosh),
  UNARY ("Asinh", 9, infer_floats, run_asinh),
  UNARY ("Acosh", 9, infer_floats, run_acosh),
  UNARY ("Atanh", 9, infer_floats, run_atanh),
  UNARY ("Not", 1, infer_bool, run_not),
  { "", "IsNaN", 9, 0, 1, 1, 1, 0, infer_float_to_bool, NULL, run_is_nan },
  { "", "Clip", 1, 10, 1, 1, 1, MIEN_OP_IN_PLACE, infer_floats, NULL, run_clip_attrs },
  { "", "Clip", 11, 0, 1, 3, 1, MIEN_OP_IN_PLACE, infer_clip, NULL, run_clip },
  { NULL },
};
