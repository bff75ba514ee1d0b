/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conversion between types of numbers.
 *
 * Operators  Cast CastLike
 * Source     ONNX, opset 1 to 22; attribute "to" is a word before opset 6 and a number since
 * Rounding   to floats: to nearest, halves to even. To integers: toward zero; what lies outside becomes the nearest value the type has, NaN
 *            becomes 0 (ONNX leaves both open). Between integers: the low bits */
#include "nn/ops/mien-ops.h"

#include <math.h>
#include <string.h>

static double
half_to_double (guint16 h)
{
  const int exponent = (h >> 10) & 31;
  const int mantissa = h & 1023;
  double x;

  if (exponent == 31)
    x = mantissa == 0 ? INFINITY : NAN;
  else if (exponent == 0)
    x = ldexp (mantissa, -24);
  else
    x = ldexp (1024 + mantissa, exponent - 25);
  return h & 0x8000 ? -x : x;
}

static guint16
half_from_double (double x)
{
  const guint16 sign = signbit (x) ? 0x8000 : 0;
  const double a = fabs (x);
  int exponent;

  if (isnan (x))
    return sign | 0x7e00;
  if (a >= 65520) /* the first that rounds up to what half precision does not have */
    return sign | 0x7c00;
  if (a < 0x1p-14)
    return sign | (guint16) rint (a * 0x1p24);
  exponent = ilogb (a);
  /* A mantissa that rounds up to 2 carries into the exponent. */
  return sign | (guint16) (((exponent + 15) << 10) + ((int) rint (ldexp (a, 10 - exponent)) - 1024));
}

static double
bfloat_to_double (guint16 b)
{
  const guint32 bits = (guint32) b << 16;
  float x;

  memcpy (&x, &bits, sizeof x);
  return x;
}

static guint16
bfloat_from_double (double x)
{
  const float f = (float) x;
  guint32 bits;

  memcpy (&bits, &f, sizeof bits);
  if (isnan (f))
    return (guint16) (bits >> 16) | 0x40;
  return (guint16) ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/* A block of elements on its way, in the widest type of its kind: no value is lost before the last step. */
#define BLOCK 256
typedef union {
  double f[BLOCK];
  gint64 i[BLOCK];
  guint64 u[BLOCK];
} Block;
typedef enum { KIND_FLOAT, KIND_SIGNED, KIND_UNSIGNED } Kind;

#define LOAD(TYPE, CTYPE, FIELD, KIND) \
  case TYPE: \
    for (gsize i = 0; i < n; i++) \
      block->FIELD[i] = ((const CTYPE *) from)[i]; \
    return KIND;
#define LOAD_FLOAT(TYPE, CTYPE) LOAD (TYPE, CTYPE, f, KIND_FLOAT)
#define LOAD_SIGNED(TYPE, CTYPE) LOAD (TYPE, CTYPE, i, KIND_SIGNED)
#define LOAD_UNSIGNED(TYPE, CTYPE) LOAD (TYPE, CTYPE, u, KIND_UNSIGNED)

static Kind
load_block (Block *block, MienType type, const void *from, gsize n)
{
  switch (type) {
    MIEN_OPS_FOR_FLOATS (LOAD_FLOAT)
    MIEN_OPS_FOR_SIGNED (LOAD_SIGNED)
    MIEN_OPS_FOR_UNSIGNED (LOAD_UNSIGNED)
  case MIEN_BOOL:
    for (gsize i = 0; i < n; i++)
      block->u[i] = ((const guint8 *) from)[i] != 0;
    return KIND_UNSIGNED;
  case MIEN_F16:
    for (gsize i = 0; i < n; i++)
      block->f[i] = half_to_double (((const guint16 *) from)[i]);
    return KIND_FLOAT;
  case MIEN_BF16:
    for (gsize i = 0; i < n; i++)
      block->f[i] = bfloat_to_double (((const guint16 *) from)[i]);
    return KIND_FLOAT;
  default:
    g_return_val_if_reached (KIND_FLOAT);
  }
}

/* lo and hi: the first values on either side that do not fit. */
static inline gint64
to_signed (double x, double lo, double hi, gint64 min, gint64 max)
{
  return isnan (x) ? 0 : x <= lo ? min : x >= hi ? max : (gint64) x;
}

static inline guint64
to_unsigned (double x, double hi, guint64 max)
{
  return !(x > 0) ? 0 : x >= hi ? max : (guint64) x;
}

#define STORE(CTYPE, FROM_FLOAT) \
  for (gsize i = 0; i < n; i++) \
    ((CTYPE *) to)[i] = kind == KIND_FLOAT ? (CTYPE) (FROM_FLOAT) : kind == KIND_SIGNED ? (CTYPE) block->i[i] : (CTYPE) block->u[i]; \
  break

#define STORE_HALF(CONVERT) \
  for (gsize i = 0; i < n; i++) \
    ((guint16 *) to)[i] = CONVERT (kind == KIND_FLOAT ? block->f[i] : kind == KIND_SIGNED ? (double) block->i[i] : (double) block->u[i]); \
  break

static void
store_block (MienType type, void *to, const Block *block, Kind kind, gsize n)
{
  switch (type) {
  case MIEN_F32:
    STORE (float, block->f[i]);
  case MIEN_F64:
    STORE (double, block->f[i]);
  case MIEN_I8:
    STORE (gint8, to_signed (block->f[i], G_MININT8, G_MAXINT8, G_MININT8, G_MAXINT8));
  case MIEN_I16:
    STORE (gint16, to_signed (block->f[i], G_MININT16, G_MAXINT16, G_MININT16, G_MAXINT16));
  case MIEN_I32:
    STORE (gint32, to_signed (block->f[i], G_MININT32, G_MAXINT32, G_MININT32, G_MAXINT32));
  case MIEN_I64:
    STORE (gint64, to_signed (block->f[i], -0x1p63, 0x1p63, G_MININT64, G_MAXINT64));
  case MIEN_U8:
    STORE (guint8, to_unsigned (block->f[i], G_MAXUINT8, G_MAXUINT8));
  case MIEN_U16:
    STORE (guint16, to_unsigned (block->f[i], G_MAXUINT16, G_MAXUINT16));
  case MIEN_U32:
    STORE (guint32, to_unsigned (block->f[i], G_MAXUINT32, G_MAXUINT32));
  case MIEN_U64:
    STORE (guint64, to_unsigned (block->f[i], 0x1p64, G_MAXUINT64));
  case MIEN_BOOL:
    for (gsize i = 0; i < n; i++)
      ((guint8 *) to)[i] = kind == KIND_FLOAT ? block->f[i] != 0 : block->u[i] != 0;
    break;
  case MIEN_F16:
    STORE_HALF (half_from_double);
  case MIEN_BF16:
    STORE_HALF (bfloat_from_double);
  default:
    g_return_if_reached ();
  }
}

static gboolean
run_cast (MienOpCtx *ctx, GError **error)
{
  const MienTensor *in = ctx->in[0];
  MienTensor *out = ctx->out[0];
  const gsize in_size = mien_type_size (in->type);
  const gsize out_size = mien_type_size (out->type);
  Block block;

  if (in->type == out->type) {
    if (in->n_elems > 0)
      memcpy (out->data, in->data, mien_tensor_n_bytes (in));
    return TRUE;
  }
  for (gsize i = 0; i < in->n_elems; i += BLOCK) {
    const gsize n = MIN (BLOCK, in->n_elems - i);
    const Kind kind = load_block (&block, in->type, (const char *) in->data + i * in_size, n);

    store_block (out->type, (char *) out->data + i * out_size, &block, kind, n);
  }
  return TRUE;
}

static gboolean
infer_cast_to (MienOpCtx *ctx, GError **error, MienType to)
{
  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0))
    return FALSE;
  if (mien_type_size (to) == 0)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "casting to the type %s is not possible", mien_type_name (to));
  mien_op_out (ctx, 0, to, &ctx->in[0]->shape);
  return TRUE;
}

static gboolean
infer_cast (MienOpCtx *ctx, GError **error)
{
  const gint64 to = mien_node_int (ctx->node, "to", 0);

  return infer_cast_to (ctx, error, to < 0 || to > MIEN_BF16 ? MIEN_TYPE_UNKNOWN : (MienType) to);
}

static gboolean
infer_cast_word (MienOpCtx *ctx, GError **error)
{
  static const char *const words[] = {
    [MIEN_F32] = "FLOAT", [MIEN_U8] = "UINT8",    [MIEN_I8] = "INT8",     [MIEN_U16] = "UINT16", [MIEN_I16] = "INT16",   [MIEN_I32] = "INT32",
    [MIEN_I64] = "INT64", [MIEN_STRING] = "STRING", [MIEN_BOOL] = "BOOL", [MIEN_F16] = "FLOAT16", [MIEN_F64] = "DOUBLE", [MIEN_U32] = "UINT32",
    [MIEN_U64] = "UINT64",
  };
  const char *to = mien_node_string (ctx->node, "to", "");

  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    if (words[i] != NULL && g_ascii_strcasecmp (to, words[i]) == 0)
      return infer_cast_to (ctx, error, (MienType) i);
  return infer_cast_to (ctx, error, MIEN_TYPE_UNKNOWN);
}

static gboolean
infer_cast_like (MienOpCtx *ctx, GError **error)
{
  return infer_cast_to (ctx, error, ctx->in[1]->type);
}

const MienOp mien_ops_cast[] = {
  { "", "Cast", 1, 5, 1, 1, 1, 0, infer_cast_word, NULL, run_cast },
  { "", "Cast", 6, 0, 1, 1, 1, 0, infer_cast, NULL, run_cast },
  { "", "CastLike", 15, 0, 2, 2, 1, 0, infer_cast_like, NULL, run_cast },
  { NULL },
};
