/* SPDX-License-Identifier: GPL-3.0-or-later */
/* MaxPool (opset 1, 8, 10, 11, 12), AveragePool (1, 7, 10, 11), GlobalAveragePool, GlobalMaxPool (1); one to three spatial
 * dimensions. And their gradients for training, f32 (domain mien):
 *
 *   MaxPoolGrad (X, dY) -> dX                  the first of equal maxima gets the gradient
 *   GlobalAveragePoolGrad (X, dY) -> dX        X gives the shape only
 *
 * MaxPool's ties: the first index in row-major order wins, as in ONNX Runtime. */
#include "mien-config.h"

#include <math.h>
#include <string.h>

#include "nn/mien-kernels.h"
#include "nn/ops/mien-ops-window.h"
#include "nn/ops/mien-ops.h"

typedef struct {
  MienWindow window;
  int n_planes;
  gsize in_elems, out_elems; /* of a plane */
  gboolean count_pads, column_major;
  MienOpCtx *ctx;
} Pool;

static gboolean
prepare_pool (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  Pool *pool = g_new0 (Pool, 1);
  const MienTensor *x = ctx->in[0];

  prep->state = pool;
  prep->free_state = g_free;
  if (!mien_window_read (ctx, x, NULL, &pool->window, error))
    return FALSE;
  pool->n_planes = (int) (x->shape.dim[0] * x->shape.dim[1]);
  pool->in_elems = (gsize) pool->window.in[0] * pool->window.in[1] * pool->window.in[2];
  pool->out_elems = (gsize) pool->window.out[0] * pool->window.out[1] * pool->window.out[2];
  pool->count_pads = mien_node_int (ctx->node, "count_include_pad", 0) != 0;
  pool->column_major = mien_node_int (ctx->node, "storage_order", 0) != 0;
  return TRUE;
}

static gboolean
infer_pool_of (MienOpCtx *ctx, MienType type, GError **error)
{
  MienWindow window;

  mien_op_out_unknown (ctx, 0, type);
  mien_op_out_unknown (ctx, 1, MIEN_I64);
  if (!mien_op_shapes_known (ctx))
    return TRUE;
  const MienShape *x = &ctx->in[0]->shape;
  if (x->rank < 3)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "an input of %d dimensions instead of 3 (N, C, W) or more", x->rank);
  if (x->dim[0] * x->dim[1] > G_MAXINT32 / 4)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "too many channels or images");
  if (!mien_window_read (ctx, ctx->in[0], NULL, &window, error))
    return FALSE;
  const MienShape out = mien_window_shape (&window, x->dim[0], x->dim[1]);
  mien_op_out (ctx, 0, type, &out);
  mien_op_out (ctx, 1, MIEN_I64, &out);
  return TRUE;
}

static gboolean
infer_max_pool (MienOpCtx *ctx, GError **error)
{
  return mien_op_check_type (ctx, error, 0, MIEN_F32, MIEN_F64, MIEN_U8, MIEN_I8, 0) && infer_pool_of (ctx, ctx->in[0]->type, error);
}

static gboolean
infer_average_pool (MienOpCtx *ctx, GError **error)
{
  return mien_op_check_type (ctx, error, 0, MIEN_F32, 0) && infer_pool_of (ctx, MIEN_F32, error);
}

/* The part of a window that lies inside the input, in one dimension: kernel positions from .. to - 1. */
static inline void
clip_window (const MienWindow *window, int d, int out, int *start, int *from, int *to)
{
  const int dilation = window->dilation[d];

  *start = out * window->stride[d] - window->pad_begin[d];
  *from = *start < 0 ? (-*start + dilation - 1) / dilation : 0;
  *to = MIN (window->kernel[d], (window->in[d] - *start + dilation - 1) / dilation);
}

/* body sees `at`, the flat index of a pixel within the plane, for each pixel under the window of output (o0, o1, o2). */
#define FOR_EACH_PIXEL(window, o0, o1, o2, body)                                                          \
  do {                                                                                                    \
    int s0, f0, t0, s1, f1, t1, s2, f2, t2;                                                               \
    clip_window (window, 0, o0, &s0, &f0, &t0);                                                           \
    clip_window (window, 1, o1, &s1, &f1, &t1);                                                           \
    clip_window (window, 2, o2, &s2, &f2, &t2);                                                           \
    for (int k0 = f0; k0 < t0; k0++)                                                                      \
      for (int k1 = f1; k1 < t1; k1++)                                                                    \
        for (int k2 = f2; k2 < t2; k2++) {                                                                \
          const gsize at = ((gsize) (s0 + k0 * (window)->dilation[0]) * (window)->in[1] + s1 + k1 * (window)->dilation[1]) * (window)->in[2] + \
                           s2 + k2 * (window)->dilation[2];                                               \
          body                                                                                            \
        }                                                                                                 \
  } while (0)

/* body sees o0, o1, o2 and `to`, the flat index of the output. */
#define FOR_EACH_OUTPUT(window, ...)                              \
  do {                                                            \
    gsize to = 0;                                                 \
    for (int o0 = 0; o0 < (window)->out[0]; o0++)                 \
      for (int o1 = 0; o1 < (window)->out[1]; o1++)               \
        for (int o2 = 0; o2 < (window)->out[2]; o2++, to++) {     \
          __VA_ARGS__                                             \
        }                                                         \
  } while (0)

static gboolean
is_2x2 (const MienWindow *window)
{
  return window->in[0] == 1 && window->kernel[0] == 1 && window->kernel[1] == 2 && window->kernel[2] == 2 && window->stride[1] == 2 &&
         window->stride[2] == 2 && window->dilation[1] == 1 && window->dilation[2] == 1 && window->pad_begin[1] == 0 &&
         window->pad_begin[2] == 0 && window->out[1] * 2 <= window->in[1] && window->out[2] * 2 <= window->in[2];
}

static void
max_2x2 (const Pool *pool, const float *x, float *y)
{
  const MienWindow *window = &pool->window;

  for (int p = 0; p < window->out[1]; p++, x += (gsize) 2 * window->in[2], y += window->out[2])
    pool->ctx->kernels->vector.max_2x2_f32 (y, x, x + window->in[2], window->out[2]);
}

static gint64
index_of (const Pool *pool, gsize at, int plane)
{
  if (pool->column_major) {
    const gsize w = pool->window.in[2], h = pool->window.in[1], d = at / (h * w);
    at = ((at % w) * h + at / w % h) * pool->window.in[0] + d;
  }
  return (gint64) at + (gint64) plane * (gint64) pool->in_elems;
}

#define MAX_PLANE(T, name)                                                                     \
  static void name (const Pool *pool, int plane, const T *x, T *y, gint64 *indices)           \
  {                                                                                            \
    FOR_EACH_OUTPUT (&pool->window, {                                                          \
      gsize best = 0;                                                                          \
      gboolean found = FALSE;                                                                  \
      FOR_EACH_PIXEL (&pool->window, o0, o1, o2, {                                             \
        if (!found || x[at] > x[best]) {                                                       \
          best = at;                                                                           \
          found = TRUE;                                                                        \
        }                                                                                      \
      });                                                                                      \
      y[to] = found ? x[best] : 0;                                                             \
      if (indices != NULL)                                                                     \
        indices[to] = index_of (pool, best, plane);                                            \
    });                                                                                        \
  }
MAX_PLANE (float, max_f32)
MAX_PLANE (double, max_f64)
MAX_PLANE (guint8, max_u8)
MAX_PLANE (gint8, max_i8)

static void
max_pool_task (void *data, int plane, int thread)
{
  const Pool *pool = data;
  const MienTensor *x = pool->ctx->in[0];
  const MienTensor *y = pool->ctx->out[0];
  const gsize from = plane * pool->in_elems, to = plane * pool->out_elems;
  gint64 *indices = pool->ctx->n_out > 1 && pool->ctx->out[1] != NULL ? (gint64 *) pool->ctx->out[1]->data + to : NULL;

  switch (x->type) {
  case MIEN_F32:
    if (indices == NULL && is_2x2 (&pool->window))
      max_2x2 (pool, (const float *) x->data + from, (float *) y->data + to);
    else
      max_f32 (pool, plane, (const float *) x->data + from, (float *) y->data + to, indices);
    break;
  case MIEN_F64:
    max_f64 (pool, plane, (const double *) x->data + from, (double *) y->data + to, indices);
    break;
  case MIEN_U8:
    max_u8 (pool, plane, (const guint8 *) x->data + from, (guint8 *) y->data + to, indices);
    break;
  default:
    max_i8 (pool, plane, (const gint8 *) x->data + from, (gint8 *) y->data + to, indices);
  }
}

static void
average_pool_task (void *data, int plane, int thread)
{
  const Pool *pool = data;
  const MienWindow *window = &pool->window;
  const float *x = (const float *) pool->ctx->in[0]->data + plane * pool->in_elems;
  float *y = (float *) pool->ctx->out[0]->data + plane * pool->out_elems;

  FOR_EACH_OUTPUT (window, {
    const int o[MIEN_WINDOW_DIMS] = { o0, o1, o2 };
    float sum = 0;
    int n = 0;
    FOR_EACH_PIXEL (window, o0, o1, o2, {
      sum += x[at];
      n++;
    });
    if (pool->count_pads) { /* what the window covers of the padded input */
      n = 1;
      for (int d = 0; d < MIEN_WINDOW_DIMS; d++) {
        const int start = o[d] * window->stride[d] - window->pad_begin[d];
        n *= MIN (start + window->kernel[d], window->in[d] + window->pad_end[d]) - start;
      }
    }
    y[to] = n > 0 ? sum / n : 0;
  });
}

/* Planes are shared out among threads; small layers are done at once. */
static gboolean
run_planes (MienOpCtx *ctx, MienTaskFn task)
{
  Pool pool = *(const Pool *) ctx->state;

  pool.ctx = ctx;
  mien_threads_run (ctx->out[0]->n_elems * (gsize) pool.window.kernel[1] * pool.window.kernel[2] < 100000 ? NULL : ctx->threads, task, &pool,
                    pool.n_planes);
  return TRUE;
}

static gboolean
run_max_pool (MienOpCtx *ctx, GError **error)
{
  return run_planes (ctx, max_pool_task);
}

static gboolean
run_average_pool (MienOpCtx *ctx, GError **error)
{
  return run_planes (ctx, average_pool_task);
}

/* Global pools */

static gboolean
infer_global (MienOpCtx *ctx, GError **error)
{
  if (!mien_op_check_type (ctx, error, 0, MIEN_F32, 0))
    return FALSE;
  mien_op_out_unknown (ctx, 0, MIEN_F32);
  if (!mien_op_shapes_known (ctx))
    return TRUE;
  MienShape out = ctx->in[0]->shape;
  if (out.rank < 2)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "an input of %d dimensions instead of 3 (N, C, W) or more", out.rank);
  for (int d = 2; d < out.rank; d++) {
    if (out.dim[d] == 0)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the input is empty");
    out.dim[d] = 1;
  }
  mien_op_out (ctx, 0, MIEN_F32, &out);
  return TRUE;
}

static gboolean
run_global_average (MienOpCtx *ctx, GError **error)
{
  const gsize n = ctx->out[0]->n_elems > 0 ? ctx->in[0]->n_elems / ctx->out[0]->n_elems : 0;
  const float *x = ctx->in[0]->data;
  float *y = ctx->out[0]->data;

  for (gsize i = 0; i < ctx->out[0]->n_elems; i++, x += n) {
    double sums[2] = { 0, 0 };
    ctx->kernels->vector.moments_f32 (x, 0, n, sums);
    y[i] = (float) (sums[0] / (double) n);
  }
  return TRUE;
}

static gboolean
run_global_max (MienOpCtx *ctx, GError **error)
{
  const gsize n = ctx->out[0]->n_elems > 0 ? ctx->in[0]->n_elems / ctx->out[0]->n_elems : 0;
  const float *x = ctx->in[0]->data;
  float *y = ctx->out[0]->data;

  for (gsize i = 0; i < ctx->out[0]->n_elems; i++, x += n) {
    y[i] = x[0];
    for (gsize j = 1; j < n; j++)
      y[i] = x[j] > y[i] ? x[j] : y[i];
  }
  return TRUE;
}

/* Gradients */

static gboolean
infer_like_x (MienOpCtx *ctx, GError **error)
{
  mien_op_out_like (ctx, 0, 0);
  return TRUE;
}

static void
max_grad_task (void *data, int plane, int thread)
{
  const Pool *pool = data;
  const MienWindow *window = &pool->window;
  const float *x = (const float *) pool->ctx->in[0]->data + plane * pool->in_elems;
  const float *dy = (const float *) pool->ctx->in[1]->data + plane * pool->out_elems;
  float *dx = (float *) pool->ctx->out[0]->data + plane * pool->in_elems;

  memset (dx, 0, pool->in_elems * sizeof *dx);
  if (is_2x2 (window)) {
    for (int p = 0; p < window->out[1]; p++, dy += window->out[2]) {
      const gsize row = (gsize) 2 * p * window->in[2];
      pool->ctx->kernels->vector.max_2x2_grad_f32 (dx + row, dx + row + window->in[2], x + row, x + row + window->in[2], dy, window->out[2]);
    }
    return;
  }
  FOR_EACH_OUTPUT (window, {
    gsize best = 0;
    gboolean found = FALSE;
    FOR_EACH_PIXEL (window, o0, o1, o2, {
      if (!found || x[at] > x[best]) {
        best = at;
        found = TRUE;
      }
    });
    if (found)
      dx[best] += dy[to];
  });
}

static gboolean
run_max_grad (MienOpCtx *ctx, GError **error)
{
  return run_planes (ctx, max_grad_task);
}

static gboolean
run_global_average_grad (MienOpCtx *ctx, GError **error)
{
  const gsize n_planes = ctx->in[1]->n_elems, n = n_planes > 0 ? ctx->in[0]->n_elems / n_planes : 0;
  const float *dy = ctx->in[1]->data;
  float *dx = ctx->out[0]->data;

  for (gsize i = 0; i < n_planes; i++)
    for (gsize j = 0; j < n; j++)
      dx[i * n + j] = dy[i] / (float) n;
  return TRUE;
}

const MienOp mien_ops_pool[] = {
  { "", "MaxPool", 1, 0, 1, 1, 2, 0, infer_max_pool, prepare_pool, run_max_pool },
  { "", "AveragePool", 1, 0, 1, 1, 1, 0, infer_average_pool, prepare_pool, run_average_pool },
  { "", "GlobalAveragePool", 1, 0, 1, 1, 1, 0, infer_global, NULL, run_global_average },
  { "", "GlobalMaxPool", 1, 0, 1, 1, 1, 0, infer_global, NULL, run_global_max },
  { "mien", "MaxPoolGrad", 1, 0, 2, 2, 1, 0, infer_like_x, prepare_pool, run_max_grad },
  { "mien", "GlobalAveragePoolGrad", 1, 0, 2, 2, 1, 0, infer_like_x, NULL, run_global_average_grad },
  { NULL },
};
