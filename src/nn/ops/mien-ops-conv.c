/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Conv (opset 1, 11) and ConvTranspose (opset 1, 11), one and two spatial dimensions, f32; and their gradients for training
 * (domain mien):
 *
 *   ConvGradX (W, dY, X) -> dX        X gives the shape only
 *   ConvGradW (X, dY, W) -> dW, dB    W gives the shape only; dB may be omitted
 *
 * Attributes mien.lo and mien.hi of Conv are the bounds of a fused activation. */
#include "mien-config.h"

#include <math.h>

#include "nn/mien-kernels.h"
#include "nn/ops/mien-ops-window.h"
#include "nn/ops/mien-ops.h"

typedef struct {
  MienConvShape shape;
  float *packed; /* (nullable) of constant weights */
  float lo, hi;
  gsize packed_bytes; /* room in scratch for weights that are not constant */
} ConvState;

static gboolean
check_weights (MienOpCtx *ctx, const MienTensor *x, const MienTensor *w, gboolean transposed, gint64 *group, GError **error)
{
  *group = mien_node_int (ctx->node, "group", 1);
  if (x->shape.rank != 3 && x->shape.rank != 4)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "an input of %d dimensions; this program convolves in 3 (N, C, W) and 4 (N, C, H, W)",
                         x->shape.rank);
  if (w->shape.rank != x->shape.rank)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input and weights have %d and %d dimensions", x->shape.rank, w->shape.rank);
  const gint64 c = x->shape.dim[1], k = w->shape.dim[transposed ? 1 : 0];
  if (*group < 1 || c < 1 || k < 1 || c % *group != 0 || (!transposed && k % *group != 0) ||
      w->shape.dim[transposed ? 0 : 1] != (transposed ? c : c / *group)) {
    g_autofree char *xs = mien_shape_to_string (&x->shape);
    g_autofree char *ws = mien_shape_to_string (&w->shape);
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input %s, weights %s and group %ld do not fit together", xs, ws, (long) *group);
  }
  if (c > G_MAXINT32 / 4 || k > G_MAXINT32 / 4 || x->shape.dim[0] > G_MAXINT32 / 4)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "too many channels or images");
  return TRUE;
}

static gboolean
check_bias (MienOpCtx *ctx, gint64 k, GError **error)
{
  if (!mien_op_has (ctx, 2))
    return TRUE;
  if (!mien_op_check_type (ctx, error, 2, MIEN_F32, 0))
    return FALSE;
  if (ctx->in[2]->shape.rank != 1 || ctx->in[2]->shape.dim[0] != k)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the bias does not have one number for each of %ld channels", (long) k);
  return TRUE;
}

static MienConvShape
make_shape (const MienWindow *window, const MienTensor *x, gint64 k, gint64 group)
{
  return (MienConvShape) {
    .n = (int) x->shape.dim[0],
    .c = (int) x->shape.dim[1],
    .h = window->in[1],
    .w = window->in[2],
    .k = (int) k,
    .p = window->out[1],
    .q = window->out[2],
    .r = window->kernel[1],
    .s = window->kernel[2],
    .groups = (int) group,
    .stride_h = window->stride[1],
    .stride_w = window->stride[2],
    .dilation_h = window->dilation[1],
    .dilation_w = window->dilation[2],
    .pad_top = window->pad_begin[1],
    .pad_left = window->pad_begin[2],
    .inflate_h = 1,
    .inflate_w = 1,
  };
}

/* The forward convolution of x by w. */
static gboolean
read_conv (MienOpCtx *ctx, const MienTensor *x, const MienTensor *w, MienConvShape *shape, MienWindow *window, GError **error)
{
  gint64 group;

  if (!check_weights (ctx, x, w, FALSE, &group, error) || !mien_window_read (ctx, x, w->shape.dim + 2, window, error))
    return FALSE;
  *shape = make_shape (window, x, w->shape.dim[0], group);
  return TRUE;
}

static gboolean
infer_conv (MienOpCtx *ctx, GError **error)
{
  MienConvShape shape;
  MienWindow window;

  if (!mien_op_check_type (ctx, error, 0, MIEN_F32, 0) || !mien_op_check_type (ctx, error, 1, MIEN_F32, 0))
    return FALSE;
  mien_op_out_unknown (ctx, 0, MIEN_F32);
  if (!mien_op_shapes_known (ctx))
    return TRUE;
  if (!read_conv (ctx, ctx->in[0], ctx->in[1], &shape, &window, error) || !check_bias (ctx, shape.k, error))
    return FALSE;
  const MienShape out = mien_window_shape (&window, shape.n, shape.k);
  mien_op_out (ctx, 0, MIEN_F32, &out);
  return TRUE;
}

static void
free_conv (gpointer data)
{
  ConvState *state = data;

  g_free (state->packed);
  g_free (state);
}

static void
pack (const ConvState *state, const MienKernels *kernels, gboolean transposed, const float *w, float *packed)
{
  if (transposed)
    mien_conv_pack_transposed (&kernels->gemm, &state->shape, w, packed);
  else
    mien_conv_pack (&kernels->gemm, &state->shape, w, packed);
}

static void
prepare_state (MienOpCtx *ctx, const MienConvShape *shape, const MienTensor *w, gboolean transposed, MienOpPrep *prep)
{
  ConvState *state = g_new0 (ConvState, 1);
  const gsize n_packed = mien_conv_packed_size (&ctx->kernels->gemm, shape);

  state->shape = *shape;
  state->lo = mien_node_float (ctx->node, "mien.lo", -INFINITY);
  state->hi = mien_node_float (ctx->node, "mien.hi", INFINITY);
  if (w->data != NULL) {
    state->packed = g_new (float, n_packed);
    pack (state, ctx->kernels, transposed, w->data, state->packed);
  } else {
    state->packed_bytes = (n_packed * sizeof (float) + 63) / 64 * 64;
  }
  prep->state = state;
  prep->free_state = free_conv;
  prep->scratch_bytes = state->packed_bytes + mien_conv_scratch (&ctx->kernels->gemm, shape, ctx->n_threads);
}

static void
run_state (MienOpCtx *ctx, const float *x, const float *w, const float *bias, gboolean transposed, float *y)
{
  const ConvState *state = ctx->state;
  const float *packed = state->packed;

  if (packed == NULL) {
    pack (state, ctx->kernels, transposed, w, ctx->scratch);
    packed = ctx->scratch;
  }
  mien_conv_f32 (&ctx->kernels->gemm, &state->shape, x, packed, bias, state->lo, state->hi, y,
                 (guint8 *) ctx->scratch + state->packed_bytes, ctx->threads);
}

static gboolean
prepare_conv (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  MienConvShape shape;
  MienWindow window;

  if (!read_conv (ctx, ctx->in[0], ctx->in[1], &shape, &window, error))
    return FALSE;
  prepare_state (ctx, &shape, ctx->in[1], FALSE, prep);
  return TRUE;
}

static gboolean
run_conv (MienOpCtx *ctx, GError **error)
{
  run_state (ctx, ctx->in[0]->data, ctx->in[1]->data, mien_op_has (ctx, 2) ? ctx->in[2]->data : NULL, FALSE, ctx->out[0]->data);
  return TRUE;
}

/* ConvTranspose: out = stride * (in - 1) + output_padding + (kernel - 1) * dilation + 1 - pads, per dimension. */
static gboolean
read_transpose (MienOpCtx *ctx, MienConvShape *shape, MienShape *out, GError **error)
{
  const MienTensor *x = ctx->in[0], *w = ctx->in[1];
  const int n = x->shape.rank - 2;
  const char *auto_pad = mien_node_string (ctx->node, "auto_pad", "NOTSET");
  gint64 group, strides[2], dilations[2], pads[4], extra[2], wanted[2], kernel[2];
  int in[2] = { 1, 1 }, size[2] = { 1, 1 }, stride[2] = { 1, 1 }, dilation[2] = { 1, 1 }, begin[2] = { 0, 0 }, span[2] = { 1, 1 };

  if (!check_weights (ctx, x, w, TRUE, &group, error) || !mien_window_read_ints (ctx, "strides", n, 1, 1, strides, error) ||
      !mien_window_read_ints (ctx, "dilations", n, 1, 1, dilations, error) || !mien_window_read_ints (ctx, "pads", 2 * n, 0, 0, pads, error) ||
      !mien_window_read_ints (ctx, "output_padding", n, 0, 0, extra, error) ||
      !mien_window_read_ints (ctx, "output_shape", n, 0, 0, wanted, error))
    return FALSE;
  *out = x->shape;
  out->dim[1] = w->shape.dim[1] * group;
  for (int i = 0; i < n; i++) {
    const int d = 2 - n + i;
    kernel[i] = w->shape.dim[2 + i];
    if (x->shape.dim[2 + i] < 1 || x->shape.dim[2 + i] > 1 << 20 || kernel[i] < 1 || kernel[i] > 1 << 20 || strides[i] > 1 << 10 ||
        (kernel[i] - 1) * dilations[i] > 1 << 20)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the input or the kernel is empty or too large");
    gint64 pad_begin = pads[i], pad_end = pads[n + i];
    const gint64 full = strides[i] * (x->shape.dim[2 + i] - 1) + extra[i] + (kernel[i] - 1) * dilations[i] + 1;
    gint64 length = full - pad_begin - pad_end;
    const gboolean same = g_str_has_prefix (auto_pad, "SAME_");
    if (mien_node_attr (ctx->node, "output_shape") != NULL || same) {
      length = mien_node_attr (ctx->node, "output_shape") != NULL ? wanted[i] : x->shape.dim[2 + i] * strides[i];
      const gint64 total = MAX (0, full - length);
      pad_begin = g_str_equal (auto_pad, "SAME_UPPER") ? total / 2 : total - total / 2;
    } else if (g_str_equal (auto_pad, "VALID")) {
      pad_begin = 0;
      length = full;
    }
    if (length < 1 || length > 1 << 24)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the output would be empty or too large in dimension %d", 2 + i);
    in[d] = (int) x->shape.dim[2 + i];
    size[d] = (int) length;
    stride[d] = (int) strides[i];
    dilation[d] = (int) dilations[i];
    span[d] = (int) kernel[i];
    begin[d] = (int) ((kernel[i] - 1) * dilations[i] - pad_begin);
    out->dim[2 + i] = length;
  }
  if ((gint64) size[0] * size[1] > G_MAXINT32 / 4 ||
      ((gint64) size[0] + span[0] * dilation[0]) * ((gint64) size[1] + span[1] * dilation[1]) > G_MAXINT32 / 4)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the output would be too large");
  *shape = (MienConvShape) { (int) x->shape.dim[0], (int) x->shape.dim[1], in[0], in[1], (int) out->dim[1], size[0], size[1], span[0], span[1],
                             (int) group, 1, 1, dilation[0], dilation[1], begin[0], begin[1], stride[0], stride[1] };
  return TRUE;
}

static gboolean
infer_transpose (MienOpCtx *ctx, GError **error)
{
  MienConvShape shape;
  MienShape out;

  if (!mien_op_check_type (ctx, error, 0, MIEN_F32, 0) || !mien_op_check_type (ctx, error, 1, MIEN_F32, 0))
    return FALSE;
  mien_op_out_unknown (ctx, 0, MIEN_F32);
  if (!mien_op_shapes_known (ctx))
    return TRUE;
  if (!read_transpose (ctx, &shape, &out, error) || !check_bias (ctx, shape.k, error))
    return FALSE;
  mien_op_out (ctx, 0, MIEN_F32, &out);
  return TRUE;
}

static gboolean
prepare_transpose (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  MienConvShape shape;
  MienShape out;

  if (!read_transpose (ctx, &shape, &out, error))
    return FALSE;
  prepare_state (ctx, &shape, ctx->in[1], TRUE, prep);
  return TRUE;
}

static gboolean
run_transpose (MienOpCtx *ctx, GError **error)
{
  run_state (ctx, ctx->in[0]->data, ctx->in[1]->data, mien_op_has (ctx, 2) ? ctx->in[2]->data : NULL, TRUE, ctx->out[0]->data);
  return TRUE;
}

/* ConvGradX: inputs W, dY, X */
static gboolean
infer_grad_x (MienOpCtx *ctx, GError **error)
{
  mien_op_out_like (ctx, 0, 2);
  return TRUE;
}

static gboolean
prepare_grad_x (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  MienConvShape shape, grad;
  MienWindow window;

  if (!read_conv (ctx, ctx->in[2], ctx->in[0], &shape, &window, error))
    return FALSE;
  grad = mien_conv_grad_x_shape (&shape);
  prepare_state (ctx, &grad, ctx->in[0], TRUE, prep);
  return TRUE;
}

static gboolean
run_grad_x (MienOpCtx *ctx, GError **error)
{
  run_state (ctx, ctx->in[1]->data, ctx->in[0]->data, NULL, TRUE, ctx->out[0]->data);
  return TRUE;
}

/* ConvGradW: inputs X, dY, W */
static gboolean
infer_grad_w (MienOpCtx *ctx, GError **error)
{
  const MienShape bias = { .rank = 1, .dim = { ctx->in[2]->shape.dim[0] } };

  mien_op_out_like (ctx, 0, 2);
  mien_op_out (ctx, 1, MIEN_F32, &bias);
  return TRUE;
}

static gboolean
prepare_grad_w (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  ConvState *state = g_new0 (ConvState, 1);
  MienWindow window;

  prep->state = state;
  prep->free_state = free_conv;
  if (!read_conv (ctx, ctx->in[0], ctx->in[2], &state->shape, &window, error))
    return FALSE;
  prep->scratch_bytes = mien_conv_grad_w_scratch (&ctx->kernels->gemm, &state->shape, ctx->n_threads);
  return TRUE;
}

static gboolean
run_grad_w (MienOpCtx *ctx, GError **error)
{
  const ConvState *state = ctx->state;

  mien_conv_grad_w_f32 (&ctx->kernels->gemm, &state->shape, ctx->in[0]->data, ctx->in[1]->data, ctx->out[0]->data,
                        ctx->n_out > 1 && ctx->out[1] != NULL ? ctx->out[1]->data : NULL, ctx->scratch, ctx->threads);
  return TRUE;
}

const MienOp mien_ops_conv[] = {
  { "", "Conv", 1, 0, 2, 3, 1, 0, infer_conv, prepare_conv, run_conv },
  { "", "ConvTranspose", 1, 0, 2, 3, 1, 0, infer_transpose, prepare_transpose, run_transpose },
  { "mien", "ConvGradX", 1, 0, 3, 3, 1, 0, infer_grad_x, prepare_grad_x, run_grad_x },
  { "mien", "ConvGradW", 1, 0, 3, 3, 2, 0, infer_grad_w, prepare_grad_w, run_grad_w },
  { NULL },
};
