/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Resampling along any dimensions.
 *
 * Operators  Resize (opset 10 to 22, without antialias and keep_aspect_ratio_policy), Upsample (opset 1 to 9)
 * Modes      nearest for every type; linear and cubic for f32. All coordinate transformations and ways of rounding; opset 10 and
 *            Upsample use the asymmetric transformation and round down
 * Method     separable: each output element of a dimension is a weighted sum of 1, 2 or 4 input elements (taps); the tables of all
 *            dimensions are made at the start of a run
 * Source     ONNX Resize-10, -11, -13, -18, -19, Upsample-1, -7, -9 */
#include "nn/ops/mien-ops.h"

#include <math.h>
#include <string.h>

#define MAX_TAPS 4
#define MAX_INTERPOLATED 4 /* dimensions: the work grows with the number of taps to this power */
#define MAX_LENGTH (1 << 24) /* of all dimensions of the output together: the tables stay within 512 MB */

typedef enum { MODE_NEAREST = 1, MODE_LINEAR = 2, MODE_CUBIC = MAX_TAPS } Mode; /* the number of taps */

typedef enum {
  HALF_PIXEL,
  PYTORCH_HALF_PIXEL,
  ALIGN_CORNERS,
  ASYMMETRIC,
  TF_HALF_PIXEL_FOR_NN,
  TF_CROP_AND_RESIZE,
  HALF_PIXEL_SYMMETRIC,
} Transformation;
static const char *const transformations[] = {
  "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize",
  "half_pixel_symmetric", NULL,
};

typedef enum { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, ROUND_FLOOR, ROUND_CEIL } Rounding;
static const char *const roundings[] = { "round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL };

typedef struct {
  Mode mode;
  Transformation transformation;
  Rounding rounding;
  float cubic_a, extrapolation;
  gboolean exclude_outside;
  MienShape out;
  double scale[MIEN_MAX_RANK];
  double roi_start[MIEN_MAX_RANK], roi_end[MIEN_MAX_RANK];
} Resize;

static gboolean
find_word (MienOpCtx *ctx, GError **error, const char *attr, const char *fallback, const char *const *words, int *index)
{
  const char *word = mien_node_string (ctx->node, attr, fallback);

  for (*index = 0; words[*index] != NULL; (*index)++)
    if (g_str_equal (word, words[*index]))
      return TRUE;
  return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "attribute %s has an unknown value", attr);
}

static gboolean
read_options (MienOpCtx *ctx, GError **error, Resize *resize)
{
  static const char *const modes[] = { "nearest", "linear", "bilinear", "cubic", NULL };
  static const Mode mode_of[] = { MODE_NEAREST, MODE_LINEAR, MODE_LINEAR, MODE_CUBIC };
  int mode, transformation = ASYMMETRIC, rounding = ROUND_FLOOR;

  if (!find_word (ctx, error, "mode", "nearest", modes, &mode))
    return FALSE;
  if (ctx->opset >= 11
      && (!find_word (ctx, error, "coordinate_transformation_mode", "half_pixel", transformations, &transformation)
          || !find_word (ctx, error, "nearest_mode", "round_prefer_floor", roundings, &rounding)))
    return FALSE;
  resize->mode = mode_of[mode];
  resize->transformation = (Transformation) transformation;
  resize->rounding = (Rounding) rounding;
  resize->cubic_a = mien_node_float (ctx->node, "cubic_coeff_a", -0.75f);
  resize->extrapolation = mien_node_float (ctx->node, "extrapolation_value", 0.0f);
  if (ctx->opset >= 18
      && (mien_node_int (ctx->node, "antialias", 0) != 0
          || !g_str_equal (mien_node_string (ctx->node, "keep_aspect_ratio_policy", "stretch"), "stretch")))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "attributes antialias and keep_aspect_ratio_policy are not supported");
  resize->exclude_outside = mien_node_int (ctx->node, "exclude_outside", 0) != 0;
  return TRUE;
}

/* The contents of in[i] (float or double) as double. n as for mien_op_read_ints(). */
static gboolean
read_floats (MienOpCtx *ctx, GError **error, int i, double *values, int max, int *n)
{
  const MienTensor *in;

  if (!mien_op_check_type (ctx, error, i, MIEN_OPS_FLOATS, 0))
    return FALSE;
  in = ctx->in[i];
  *n = -1;
  if (in->shape.rank < 0)
    return TRUE;
  if (in->n_elems > (gsize) max)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input %d has %ld elements; at most %d are possible", i, (long) in->n_elems, max);
  if (!mien_op_contents_known (ctx, i))
    return TRUE;
  *n = (int) in->n_elems;
  for (int k = 0; k < *n; k++)
    values[k] = in->type == MIEN_F32 ? ((const float *) in->data)[k] : ((const double *) in->data)[k];
  return TRUE;
}

/* The dimensions that scales, sizes and region are for: all, or, from opset 18 on, attribute axes. */
static gboolean
get_axes (MienOpCtx *ctx, GError **error, int *axes, int *n)
{
  const int rank = ctx->in[0]->shape.rank;
  gsize n_attr = 0;
  const gint64 *attr = ctx->opset >= 18 ? mien_node_ints (ctx->node, "axes", &n_attr) : NULL;

  if (n_attr > (gsize) rank)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "attribute axes has %ld elements", (long) n_attr);
  *n = attr != NULL ? (int) n_attr : rank;
  for (int i = 0; i < *n; i++) {
    axes[i] = i;
    if (attr != NULL && !mien_op_axis (ctx, error, attr[i], rank, &axes[i]))
      return FALSE;
  }
  return TRUE;
}

static gboolean
use_scales (MienOpCtx *ctx, GError **error, Resize *resize, const int *axes, int n_axes, const double *scales, int n)
{
  if (n != n_axes)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "%d scales for %d dimensions", n, n_axes);
  for (int i = 0; i < n; i++) {
    const int d = axes[i];
    const double dim = floor ((double) ctx->in[0]->shape.dim[d] * scales[i]);

    if (!(scales[i] > 0) || !isfinite (scales[i]))
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "dimension %d has the scale %g", d, scales[i]);
    if (!(dim < (double) MIEN_TENSOR_MAX_BYTES))
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the output would be too large");
    resize->scale[d] = scales[i];
    resize->out.dim[d] = (gint64) dim;
  }
  return TRUE;
}

static gboolean
use_sizes (MienOpCtx *ctx, GError **error, Resize *resize, const int *axes, int n_axes, const gint64 *sizes, int n)
{
  if (n != n_axes)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "%d sizes for %d dimensions", n, n_axes);
  for (int i = 0; i < n; i++) {
    const int d = axes[i];
    const gint64 dim = ctx->in[0]->shape.dim[d];

    if (sizes[i] < 0 || (guint64) sizes[i] > MIEN_TENSOR_MAX_BYTES)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "dimension %d would have %ld elements", d, (long) sizes[i]);
    resize->scale[d] = dim > 0 ? (double) sizes[i] / (double) dim : 1;
    resize->out.dim[d] = sizes[i];
  }
  return TRUE;
}

/* Inputs x, roi, scales, sizes (opset 11 on) or x, scales, or attributes. *known is FALSE while contents are missing. */
static gboolean
get_resize (MienOpCtx *ctx, GError **error, Resize *resize, gboolean *known)
{
  const MienShape *in = &ctx->in[0]->shape;
  const int scales_at = ctx->opset >= 11 ? 2 : 1;
  double values[2 * MIEN_MAX_RANK];
  gint64 sizes[MIEN_MAX_RANK];
  int axes[MIEN_MAX_RANK];
  int n, n_axes = 0, n_sizes = 0;

  *known = FALSE;
  if (!read_options (ctx, error, resize) || (in->rank >= 0 && !get_axes (ctx, error, axes, &n_axes)))
    return FALSE;
  resize->out = *in;
  for (int d = 0; d < MIEN_MAX_RANK; d++) {
    resize->scale[d] = 1;
    resize->roi_start[d] = 0;
    resize->roi_end[d] = 1;
  }
  if (resize->transformation == TF_CROP_AND_RESIZE) {
    if (!read_floats (ctx, error, 1, values, 2 * MIEN_MAX_RANK, &n))
      return FALSE;
    if (n < 0 || in->rank < 0)
      return TRUE;
    if (n != 2 * n_axes)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the region has %d elements for %d dimensions", n, n_axes);
    for (int i = 0; i < n_axes; i++) {
      resize->roi_start[axes[i]] = values[i];
      resize->roi_end[axes[i]] = values[i + n_axes];
      if (!isfinite (values[i]) || !isfinite (values[i + n_axes]))
        return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "the region is not finite");
    }
  }
  if (ctx->opset >= 11 && mien_op_has (ctx, 3)) {
    if (!mien_op_read_ints (ctx, error, 3, sizes, MIEN_MAX_RANK, &n_sizes))
      return FALSE;
    if (n_sizes < 0 || in->rank < 0)
      return TRUE;
    if (n_sizes > 0) {
      *known = TRUE;
      return use_sizes (ctx, error, resize, axes, n_axes, sizes, n_sizes);
    }
  }
  if (ctx->opset < 7) {
    n = 4;
    values[0] = values[1] = 1;
    values[2] = mien_node_float (ctx->node, "height_scale", 1.0f);
    values[3] = mien_node_float (ctx->node, "width_scale", 1.0f);
  } else if (ctx->opset < 9) {
    const MienAttr *attr = mien_node_attr (ctx->node, "scales");

    if (attr == NULL || attr->type != MIEN_ATTR_FLOATS || attr->n > MIEN_MAX_RANK)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "attribute scales is missing or no list of %d floats at most", MIEN_MAX_RANK);
    n = (int) attr->n;
    for (int d = 0; d < n; d++)
      values[d] = attr->floats[d];
  } else if (!read_floats (ctx, error, scales_at, values, MIEN_MAX_RANK, &n)) {
    return FALSE;
  }
  if (n < 0 || in->rank < 0)
    return TRUE;
  *known = TRUE;
  return use_scales (ctx, error, resize, axes, n_axes, values, n);
}

/* Output elements of all dimensions together. */
static gsize
count_elems (const MienShape *out)
{
  gsize n = 0;

  for (int d = 0; d < out->rank; d++)
    n += (gsize) out->dim[d];
  return n;
}

static int
count_interpolated (const Resize *resize)
{
  int n = 0;

  for (int d = 0; d < resize->out.rank && resize->mode != MODE_NEAREST; d++)
    n += resize->scale[d] != 1 || resize->transformation == TF_CROP_AND_RESIZE;
  return n;
}

static gboolean
infer_resize (MienOpCtx *ctx, GError **error)
{
  Resize resize;
  gboolean known;

  if (!mien_op_check_type (ctx, error, 0, MIEN_OPS_ANY, 0) || !get_resize (ctx, error, &resize, &known))
    return FALSE;
  if (resize.mode != MODE_NEAREST && ctx->in[0]->type != MIEN_F32)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "the type %s cannot be interpolated", mien_type_name (ctx->in[0]->type));
  if (resize.transformation == TF_CROP_AND_RESIZE && ctx->in[0]->type != MIEN_F32)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "the type %s cannot be cropped and resized", mien_type_name (ctx->in[0]->type));
  mien_op_out_unknown (ctx, 0, ctx->in[0]->type);
  if (!known)
    return TRUE;
  for (int d = 0; d < resize.out.rank; d++)
    if (ctx->in[0]->shape.dim[d] == 0 && resize.out.dim[d] > 0)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "dimension %d has no elements to resize", d);
    else if (ctx->in[0]->shape.dim[d] > G_MAXINT32)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "dimension %d is too large", d);
  if (count_interpolated (&resize) > MAX_INTERPOLATED)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "more than %d dimensions", MAX_INTERPOLATED);
  if (count_elems (&resize.out) > MAX_LENGTH)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "the output would be too large");
  mien_op_out (ctx, 0, ctx->in[0]->type, &resize.out);
  return TRUE;
}

/* As many for each output element of a dimension as the mode has; the first index is -1 where the extrapolation value is. */
typedef struct {
  gint32 index;
  float weight;
} Tap;

/* Where output o lies in the input, in elements. */
static double
get_source (const Resize *resize, int d, gint64 o, gint64 in_dim)
{
  const double scale = resize->scale[d];
  const gint64 out_dim = resize->out.dim[d];
  double length;

  switch (resize->transformation) {
  case HALF_PIXEL:
  default:
    return (o + 0.5) / scale - 0.5;
  case HALF_PIXEL_SYMMETRIC: /* around the middle, though the output's length was rounded */
    length = (double) in_dim * scale;
    return (double) in_dim / 2 * (1 - out_dim / length) + (o + 0.5) / scale - 0.5;
  case PYTORCH_HALF_PIXEL:
    return out_dim > 1 ? (o + 0.5) / scale - 0.5 : 0;
  case ALIGN_CORNERS:
    /* With scales, ONNX's tests take the length before it is rounded down to a whole number. */
    length = (double) in_dim * scale;
    return out_dim > 1 && length > 1 ? (double) o * (double) (in_dim - 1) / (length - 1) : 0;
  case ASYMMETRIC:
    return o / scale;
  case TF_HALF_PIXEL_FOR_NN:
    return (o + 0.5) / scale;
  case TF_CROP_AND_RESIZE:
    if (out_dim > 1)
      return (resize->roi_start[d] + o * (resize->roi_end[d] - resize->roi_start[d]) / (out_dim - 1)) * (in_dim - 1);
    return 0.5 * (resize->roi_start[d] + resize->roi_end[d]) * (in_dim - 1);
  }
}

/* Keys' cubic convolution kernel; distance from the sample. */
static double
get_cubic_weight (double a, double distance)
{
  const double x = fabs (distance);

  if (x <= 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2)
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

static void
make_taps (const Resize *resize, int d, gint64 o, gint64 in_dim, Tap *taps)
{
  /* Far outside is as good as just outside, and fits an integer; so does what is no number. */
  const double x = fmin (fmax (get_source (resize, d, o, in_dim), -16.0), (double) in_dim + 16.0);
  const double base = floor (x);
  double sum = 0;

  if (resize->transformation == TF_CROP_AND_RESIZE && (x < 0 || x > (double) (in_dim - 1))) {
    taps->index = -1;
    return;
  }
  if (resize->mode == MODE_NEAREST) {
    const double rounded = resize->rounding == ROUND_FLOOR          ? base
                           : resize->rounding == ROUND_CEIL         ? ceil (x)
                           : resize->rounding == ROUND_PREFER_FLOOR ? ceil (x - 0.5)
                                                                    : floor (x + 0.5);

    taps->index = (gint32) CLAMP ((gint64) rounded, 0, in_dim - 1);
    taps->weight = 1;
    return;
  }
  for (int t = 0; t < (int) resize->mode; t++) {
    const gint64 i = (gint64) base + t - (resize->mode == MODE_CUBIC ? 1 : 0);
    double weight = resize->mode == MODE_CUBIC ? get_cubic_weight (resize->cubic_a, x - (double) i) : 1 - fabs (x - (double) i);

    if (resize->mode == MODE_CUBIC && resize->exclude_outside && (i < 0 || i >= in_dim))
      weight = 0;
    sum += weight;
    taps[t].weight = (float) weight;
    taps[t].index = (gint32) CLAMP (i, 0, in_dim - 1);
  }
  if (resize->mode == MODE_CUBIC && resize->exclude_outside && sum != 0)
    for (int t = 0; t < MODE_CUBIC; t++)
      taps[t].weight = (float) (taps[t].weight / sum);
}

typedef struct {
  const Resize *resize;
  const MienShape *in;
  const Tap *taps[MIEN_MAX_RANK];
  gsize elem_size;
} Job;

/* One row: dimension d is the last one. */
static void
add_row (const Job *job, float *to, const float *from, float weight)
{
  const int d = job->in->rank - 1;
  const int n_taps = (int) job->resize->mode;
  const Tap *taps = job->taps[d];

  for (gint64 o = 0; o < job->resize->out.dim[d]; o++, taps += n_taps)
    for (int t = 0; t < n_taps && taps->index >= 0; t++)
      to[o] += weight * taps[t].weight * from[taps[t].index];
}

/* Adds the input's part from, of dimensions d .., to the output's row; index says where the row lies. */
static void
add_part (const Job *job, int d, const gint64 *index, float *to, const float *from, float weight)
{
  const int n_taps = (int) job->resize->mode;
  const Tap *taps;

  if (d >= job->in->rank - 1) {
    add_row (job, to, from, weight);
    return;
  }
  taps = job->taps[d] + index[d] * n_taps;
  for (int t = 0; t < n_taps; t++)
    if (taps[t].weight != 0)
      add_part (job, d + 1, index, to, from + (gsize) taps[t].index * mien_ops_span (job->in, d + 1, job->in->rank), weight * taps[t].weight);
}

static void
make_row (const Job *job, const gint64 *index, float *to, const float *from)
{
  const int last = job->in->rank - 1;
  const gint64 n = job->resize->out.dim[last];
  const int n_taps = (int) job->resize->mode;
  gboolean outside = FALSE;

  for (int d = 0; d < last; d++)
    outside |= job->taps[d][index[d] * n_taps].index < 0;
  for (gint64 o = 0; o < n; o++)
    to[o] = outside || job->taps[last][o * n_taps].index < 0 ? job->resize->extrapolation : 0;
  if (!outside)
    add_part (job, 0, index, to, from, 1);
}

static void
copy_row (const Job *job, const gint64 *index, char *to, const char *from)
{
  const int last = job->in->rank - 1;
  const Tap *tap = job->taps[last];
  gsize offset = 0;

  for (int d = 0; d < last; d++)
    offset = (offset + (gsize) job->taps[d][index[d]].index) * (gsize) job->in->dim[d + 1];
  from += offset * job->elem_size;
  for (gint64 o = 0; o < job->resize->out.dim[last]; o++, tap++)
    memcpy (to + (gsize) o * job->elem_size, from + (gsize) tap->index * job->elem_size, job->elem_size);
}

static gboolean
prepare_resize (MienOpCtx *ctx, MienOpPrep *prep, GError **error)
{
  const gsize n = count_elems (&ctx->out[0]->shape) * MAX_TAPS;

  prep->scratch_bytes = n * sizeof (Tap);
  prep->state = GSIZE_TO_POINTER (n);
  return TRUE;
}

static gboolean
run_resize (MienOpCtx *ctx, GError **error)
{
  const MienTensor *in = ctx->in[0];
  MienTensor *out = ctx->out[0];
  Resize resize;
  Job job = { .resize = &resize, .in = &in->shape, .elem_size = mien_type_size (in->type) };
  gint64 index[MIEN_MAX_RANK] = { 0 };
  g_autofree Tap *own = NULL;
  Tap *tap = ctx->scratch;
  gboolean known;
  gsize row;

  if (!get_resize (ctx, error, &resize, &known))
    return FALSE;
  if (out->n_elems == 0)
    return TRUE;
  if (in->shape.rank == 0) {
    memcpy (out->data, in->data, job.elem_size);
    return TRUE;
  }
  if (tap == NULL || GPOINTER_TO_SIZE (ctx->state) < count_elems (&resize.out) * (gsize) resize.mode) {
    tap = own = g_try_new (Tap, count_elems (&resize.out) * (gsize) resize.mode);
    if (tap == NULL)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "not enough memory");
  }
  for (int d = 0; d < resize.out.rank; d++) {
    job.taps[d] = tap;
    for (gint64 o = 0; o < resize.out.dim[d]; o++, tap += resize.mode)
      make_taps (&resize, d, o, in->shape.dim[d], tap);
  }
  row = (gsize) resize.out.dim[resize.out.rank - 1];
  for (gsize at = 0; at < out->n_elems; at += row) {
    if (resize.mode == MODE_NEAREST && resize.transformation != TF_CROP_AND_RESIZE)
      copy_row (&job, index, (char *) out->data + at * job.elem_size, in->data);
    else
      make_row (&job, index, (float *) out->data + at, in->data);
    for (int d = resize.out.rank - 2; d >= 0 && ++index[d] == resize.out.dim[d]; d--)
      index[d] = 0;
  }
  return TRUE;
}

#define RESIZE(NAME, SINCE, UNTIL, MIN_IN, MAX_IN) \
  { "", NAME, SINCE, UNTIL, MIN_IN, MAX_IN, 1, 0, infer_resize, prepare_resize, run_resize }

const MienOp mien_ops_resize[] = {
  RESIZE ("Upsample", 1, 8, 1, 1),
  RESIZE ("Upsample", 9, 9, 2, 2),
  RESIZE ("Resize", 10, 10, 2, 2),
  RESIZE ("Resize", 11, 12, 3, 4),
  RESIZE ("Resize", 13, 0, 1, 4),
  { NULL },
};
