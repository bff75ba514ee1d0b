/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators that choose.
 *
 * Operators  TopK                the k largest or smallest along a dimension; of equal elements the one with the lower index first
 *            NonMaxSuppression   boxes[B][N][4], scores[B][C][N] -> [n][3]: batch, class, box. n is known only once it has been
 *                                computed, so infer() does the work as well
 * Source     ONNX, TopK-1 (k is an attribute), -10 (an input), -11; NonMaxSuppression-10, -11 */
#include "nn/ops/mien-ops.h"

#include <math.h>
#include <string.h>

/* TopK */

static gboolean
get_k (MienOpCtx *ctx, GError **error, gint64 *k, int *axis, gboolean *known)
{
  const MienShape *in = &ctx->in[0]->shape;
  int n = 1;

  *known = FALSE;
  if (ctx->opset < 10) {
    *k = mien_node_int (ctx->node, "k", -1);
  } else {
    if (!mien_op_check_type (ctx, error, 1, MIEN_I64, 0) || !mien_op_read_ints (ctx, error, 1, k, 1, &n))
      return FALSE;
    if (n == 0)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "k is missing");
  }
  if (in->rank < 0 || n < 0)
    return TRUE;
  if (!mien_op_axis (ctx, error, mien_node_int (ctx->node, "axis", -1), in->rank, axis))
    return FALSE;
  if (*k < 0 || *k > in->dim[*axis])
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "%ld of %ld elements cannot be chosen", (long) *k, (long) in->dim[*axis]);
  if (in->dim[*axis] > G_MAXINT32)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "too many elements to choose from");
  *known = TRUE;
  return TRUE;
}

static gboolean
infer_top_k (MienOpCtx *ctx, GError **error)
{
  const MienType type = ctx->in[0]->type;
  MienShape out;
  gboolean known;
  gint64 k;
  int axis;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_NUMBERS, 0) || !get_k (ctx, error, &k, &axis, &known))
    return FALSE;
  mien_op_out_unknown (ctx, 0, type);
  mien_op_out_unknown (ctx, 1, MIEN_I64);
  if (!known)
    return TRUE;
  out = ctx->in[0]->shape;
  out.dim[axis] = k;
  mien_op_out (ctx, 0, type, &out);
  mien_op_out (ctx, 1, MIEN_I64, &out);
  return TRUE;
}

typedef struct {
  const void *from;
  gsize step;
  int sign; /* 1: largest first */
} Order;

#define COMPARE(TYPE, T) \
  static int compare_##T (const void *a_, const void *b_, void *data) \
  { \
    const Order *order = data; \
    const gint32 a = *(const gint32 *) a_, b = *(const gint32 *) b_; \
    const T x = ((const T *) order->from)[(gsize) a * order->step], y = ((const T *) order->from)[(gsize) b * order->step]; \
    return x > y ? -order->sign : x < y ? order->sign : a < b ? -1 : a > b; \
  }
MIEN_OPS_FOR_FLOATS (COMPARE)
MIEN_OPS_FOR_INTS (COMPARE)

#define COMPARE_ENTRY(TYPE, T) [TYPE] = compare_##T,
static const GCompareDataFunc compare_fns[] = { MIEN_OPS_FOR_FLOATS (COMPARE_ENTRY) MIEN_OPS_FOR_INTS (COMPARE_ENTRY) };

static gboolean
prepare_top_k (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  const MienShape *in = &ctx->in[0]->shape;
  int axis;

  if (!mien_op_axis (ctx, error, mien_node_int (ctx->node, "axis", -1), in->rank, &axis))
    return FALSE;
  prep->scratch_bytes = (gsize) in->dim[axis] * sizeof (gint32);
  prep->state = GSIZE_TO_POINTER (in->dim[axis]);
  return TRUE;
}

static gboolean
run_top_k (MienOpCtx *ctx, GError **error)
{
  const MienTensor *in = ctx->in[0];
  MienTensor *out = ctx->out[0];
  MienTensor *out_indices = ctx->n_out > 1 ? ctx->out[1] : NULL;
  const gsize size = mien_type_size (in->type);
  g_autofree gint32 *own = NULL;
  gint32 *indices = ctx->scratch;
  Order order = { .sign = mien_node_int (ctx->node, "largest", 1) != 0 ? 1 : -1 };
  gsize n, outer;
  gboolean known;
  gint64 k;
  int axis;

  if (!get_k (ctx, error, &k, &axis, &known))
    return FALSE;
  if (out->n_elems == 0)
    return TRUE;
  n = (gsize) in->shape.dim[axis];
  outer = mien_ops_span (&in->shape, 0, axis);
  order.step = mien_ops_span (&in->shape, axis + 1, in->shape.rank);
  if (indices == NULL || GPOINTER_TO_SIZE (ctx->state) < n) {
    indices = own = g_try_new (gint32, n);
    if (indices == NULL)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "not enough memory");
  }
  for (gsize o = 0; o < outer; o++)
    for (gsize i = 0; i < order.step; i++) {
      order.from = (const char *) in->data + (o * n * order.step + i) * size;
      for (gsize e = 0; e < n; e++)
        indices[e] = (gint32) e;
      g_qsort_with_data (indices, (gint) n, sizeof *indices, compare_fns[in->type], &order);
      for (gint64 e = 0; e < k; e++) {
        const gsize to = (o * (gsize) k + (gsize) e) * order.step + i;

        memcpy ((char *) out->data + to * size, (const char *) order.from + (gsize) indices[e] * order.step * size, size);
        if (out_indices != NULL)
          ((gint64 *) out_indices->data)[to] = indices[e];
      }
    }
  return TRUE;
}

/* NonMaxSuppression */

static gboolean
check_scalar (MienOpCtx *ctx, GError **error, int i, MienType type, gboolean *known)
{
  if (!mien_op_has (ctx, i))
    return TRUE;
  if (!mien_op_check_type (ctx, error, i, type, 0))
    return FALSE;
  if (ctx->in[i]->shape.rank >= 0 && ctx->in[i]->n_elems != 1)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input %d must have one element", i);
  *known = *known && mien_op_contents_known (ctx, i);
  return TRUE;
}

static gboolean
check_nms (MienOpCtx *ctx, GError **error, gboolean *known)
{
  const MienShape *boxes = &ctx->in[0]->shape, *scores = &ctx->in[1]->shape;

  if (!mien_op_check_type (ctx, error, 0, MIEN_F32, 0) || !mien_op_check_type (ctx, error, 1, MIEN_F32, 0))
    return FALSE;
  *known = mien_op_contents_known (ctx, 0) && mien_op_contents_known (ctx, 1);
  if (!check_scalar (ctx, error, 2, MIEN_I64, known) || !check_scalar (ctx, error, 3, MIEN_F32, known)
      || !check_scalar (ctx, error, 4, MIEN_F32, known))
    return FALSE;
  if (boxes->rank < 0 || scores->rank < 0)
    return TRUE;
  if (boxes->rank != 3 || scores->rank != 3 || boxes->dim[2] != 4 || boxes->dim[0] != scores->dim[0] || boxes->dim[1] != scores->dim[2])
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the shapes of boxes and scores do not fit together");
  if (boxes->dim[1] > G_MAXINT32)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "too many boxes");
  return TRUE;
}

typedef struct {
  float top, left, bottom, right;
} Box;

/* Corners in any order, or, with center_point_box, centre and size (x first). */
static Box
get_box (const float *b, gboolean is_center)
{
  if (is_center)
    return (Box) { b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2 };
  return (Box) { fminf (b[0], b[2]), fminf (b[1], b[3]), fmaxf (b[0], b[2]), fmaxf (b[1], b[3]) };
}

static float
get_overlap (const Box *a, const Box *b)
{
  const float height = fminf (a->bottom, b->bottom) - fmaxf (a->top, b->top);
  const float width = fminf (a->right, b->right) - fmaxf (a->left, b->left);
  const float area = fmaxf (height, 0) * fmaxf (width, 0);
  const float both = (a->bottom - a->top) * (a->right - a->left) + (b->bottom - b->top) * (b->right - b->left) - area;

  return area > 0 && both > 0 ? area / both : 0;
}

/* Writes what is selected, three numbers each, to out (nullable) and returns how many there are; -1 without memory. */
static gssize
select_boxes (const MienOpCtx *ctx, gint64 *out)
{
  const MienShape *shape = &ctx->in[1]->shape;
  const gint64 n = shape->dim[2];
  const gint64 max_output = ctx->n_in > 2 && ctx->in[2] != NULL ? *(const gint64 *) ctx->in[2]->data : 0;
  const float max_overlap = ctx->n_in > 3 && ctx->in[3] != NULL ? *(const float *) ctx->in[3]->data : 0;
  const float *min_score = ctx->n_in > 4 && ctx->in[4] != NULL ? ctx->in[4]->data : NULL;
  const gboolean is_center = mien_node_int (ctx->node, "center_point_box", 0) != 0;
  g_autofree gint32 *order = NULL;
  g_autofree Box *kept = NULL;
  gssize n_selected = 0;

  if (max_output <= 0 || ctx->in[1]->n_elems == 0)
    return 0;
  order = g_try_new (gint32, n);
  kept = g_try_new (Box, MIN (n, max_output));
  if (order == NULL || kept == NULL)
    return -1;
  for (gint64 batch = 0; batch < shape->dim[0]; batch++)
    for (gint64 class = 0; class < shape->dim[1]; class++) {
      const float *scores = (const float *) ctx->in[1]->data + (batch * shape->dim[1] + class) * n;
      gint64 n_candidates = 0, n_kept = 0;

      for (gint64 i = 0; i < n; i++)
        if (!isnan (scores[i]) && (min_score == NULL || scores[i] > *min_score))
          order[n_candidates++] = (gint32) i;
      g_qsort_with_data (order, (gint) n_candidates, sizeof *order, compare_float, &(Order) { .from = scores, .step = 1, .sign = 1 });
      for (gint64 i = 0; i < n_candidates && n_kept < max_output; i++) {
        const Box box = get_box ((const float *) ctx->in[0]->data + (batch * n + order[i]) * 4, is_center);
        gboolean overlaps = FALSE;

        for (gint64 k = 0; k < n_kept && !overlaps; k++)
          overlaps = get_overlap (&box, &kept[k]) > max_overlap;
        if (overlaps)
          continue;
        kept[n_kept++] = box;
        if (out != NULL) {
          *out++ = batch;
          *out++ = class;
          *out++ = order[i];
        }
        n_selected++;
      }
    }
  return n_selected;
}

static gboolean
infer_nms (MienOpCtx *ctx, GError **error)
{
  gboolean known;
  gssize n;

  if (!check_nms (ctx, error, &known))
    return FALSE;
  mien_op_out_unknown (ctx, 0, MIEN_I64);
  if (!known)
    return TRUE;
  n = select_boxes (ctx, NULL);
  if (n < 0)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "not enough memory");
  mien_op_out (ctx, 0, MIEN_I64, &(MienShape) { .rank = 2, .dim = { n, 3 } });
  return TRUE;
}

static gboolean
run_nms (MienOpCtx *ctx, GError **error)
{
  if (ctx->out[0]->n_elems > 0 && select_boxes (ctx, ctx->out[0]->data) < 0)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "not enough memory");
  return TRUE;
}

const MienOp mien_ops_select[] = {
  { "", "TopK", 1, 9, 1, 1, 2, 0, infer_top_k, prepare_top_k, run_top_k },
  { "", "TopK", 10, 0, 2, 2, 2, 0, infer_top_k, prepare_top_k, run_top_k },
  { "", "NonMaxSuppression", 10, 0, 2, 5, 1, 0, infer_nms, NULL, run_nms },
  { NULL },
};
