/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The gradient of a strided convolution by its input. Pixels of dX whose row and column leave the same rests when divided by the stride, a phase,
 * see the same taps: every stride-th one, from another first one. So dX is made of stride x stride small convolutions of dY without stride, which
 * together multiply no more than the forward pass did, and is woven from their results. */
#include "mien-config.h"

#include <math.h>

#include "nn/ops/mien-ops-backward.h"

enum { MOST = MIEN_BACKWARD_MAX_STRIDE * MIEN_BACKWARD_MAX_STRIDE };

/* One direction of a phase: dX[i * stride + phase] = sum over t of dY[i - pad + t] w[last - t * stride] */
typedef struct {
  int n_taps, last, pad, size;
} Side;

typedef struct {
  Side rows, columns;
  MienBlockedShape shape; /* of one picture */
  gsize filters, packed, image; /* where they lie: floats, bytes, bytes */
} Phase;

typedef struct {
  const MienBackwardOp *op;
  Phase phases[MOST];
  int n_phases;
  gsize n_filters, packed_bytes, images_bytes; /* images: of one thread */
  float *filters;
  char *packed, *images;
} Strided;

static Side
side_of (int size, int n_taps, int stride, int pad, int phase)
{
  const int rest = (phase + pad) % stride;
  Side side = { .size = (size - phase + stride - 1) / stride };

  if (rest < n_taps) {
    side.n_taps = (n_taps - rest + stride - 1) / stride;
    side.last = rest + (side.n_taps - 1) * stride;
    side.pad = (side.last - phase - pad) / stride;
  }
  return side;
}

static MienBlockedShape
shape_of (const MienBlockedShape *forward, const Side *rows, const Side *columns)
{
  return (MienBlockedShape) {
    .n = 1,
    .c = forward->k,
    .h = forward->p,
    .w = forward->q,
    .x_halo = forward->y_halo,
    .k = forward->c,
    .p = rows->size,
    .q = columns->size,
    .y_halo = forward->y_halo,
    .r = rows->n_taps,
    .s = columns->n_taps,
    .stride_h = 1,
    .stride_w = 1,
    .dilation_h = 1,
    .dilation_w = 1,
    .pad_top = rows->pad,
    .pad_left = columns->pad,
    .lo = -INFINITY,
    .hi = INFINITY,
  };
}

static gsize
elem_size (const MienBackwardOp *op)
{
  return op->blocked->bf16 ? sizeof (guint16) : sizeof (float);
}

static gboolean
is_empty (const MienBlockedShape *shape)
{
  return shape->p == 0 || shape->q == 0 || shape->r == 0 || shape->s == 0;
}

static Strided
strided_of (const MienBackwardOp *op)
{
  const MienBlockedShape *forward = &op->shape;
  const int stride = forward->stride_h;
  Strided self = { .op = op, .n_phases = stride * stride };

  for (int i = 0; i < self.n_phases; i++) {
    Phase *phase = &self.phases[i];
    phase->rows = side_of (forward->h, forward->r, stride, forward->pad_top, i / stride);
    phase->columns = side_of (forward->w, forward->s, stride, forward->pad_left, i % stride);
    phase->shape = shape_of (forward, &phase->rows, &phase->columns);
    phase->filters = self.n_filters;
    phase->packed = self.packed_bytes;
    phase->image = self.images_bytes;
    if (is_empty (&phase->shape))
      continue;
    self.n_filters += (gsize) forward->c * forward->k * phase->shape.r * phase->shape.s;
    self.packed_bytes += mien_backward_aligned (mien_blocked_conv_size (op->blocked, &phase->shape) * elem_size (op));
    self.images_bytes += mien_backward_aligned (mien_blocked_size (op->blocked->lanes, 1, forward->c, phase->shape.p, phase->shape.q, forward->y_halo) * elem_size (op));
  }
  self.images_bytes = mien_threads_apart (self.images_bytes);
  self.filters = op->ctx->scratch;
  self.packed = (char *) self.filters + mien_backward_aligned (self.n_filters * sizeof (float));
  self.images = self.packed + self.packed_bytes;
  return self;
}

gboolean
mien_backward_strided_fits (const MienBackwardOp *op)
{
  const MienBlockedShape *shape = &op->shape;
  const int stride = shape->stride_h;

  if (stride != shape->stride_w || stride > MIEN_BACKWARD_MAX_STRIDE)
    return FALSE;
  for (int phase = 0; phase < stride; phase++) {
    const Side rows = side_of (shape->h, shape->r, stride, shape->pad_top, phase), columns = side_of (shape->w, shape->s, stride, shape->pad_left, phase);
    if (rows.pad > shape->y_halo || columns.pad > shape->y_halo || rows.size - rows.pad + rows.n_taps - 1 > shape->p + shape->y_halo ||
        columns.size - columns.pad + columns.n_taps - 1 > shape->q + shape->y_halo)
      return FALSE;
  }
  return TRUE;
}

gsize
mien_backward_strided_scratch (const MienBackwardOp *op)
{
  const Strided self = strided_of (op);

  return mien_backward_aligned (self.n_filters * sizeof (float)) + self.packed_bytes + op->ctx->n_threads * self.images_bytes;
}

/* w[K][C][R][S] to the phases' [C][K][taps], turned, for one input channel. */
static void
filters_task (void *data, int c, int thread)
{
  const Strided *self = data;
  const MienBlockedShape *forward = &self->op->shape;
  const int stride = forward->stride_h;
  const float *w = self->op->ctx->in[0]->data;

  for (int i = 0; i < self->n_phases; i++) {
    const Phase *phase = &self->phases[i];
    const int r = phase->shape.r, s = phase->shape.s;
    float *to = self->filters + phase->filters + (gsize) c * forward->k * r * s;
    for (int k = 0; k < forward->k && !is_empty (&phase->shape); k++) {
      const float *from = w + ((gsize) k * forward->c + c) * forward->r * forward->s;
      for (int t = 0; t < r; t++)
        for (int u = 0; u < s; u++)
          *to++ = from[(phase->rows.last - t * stride) * forward->s + phase->columns.last - u * stride];
    }
  }
}

static void
picture_task (void *data, int piece, int thread)
{
  const Strided *self = data;
  const MienBackwardOp *op = self->op;
  const MienOpCtx *ctx = op->ctx;
  const MienBlockedShape *forward = &op->shape;
  const gsize dy_bytes = mien_blocked_size (op->blocked->lanes, 1, forward->k, forward->p, forward->q, forward->y_halo) * elem_size (op);
  const gsize dx_bytes = mien_blocked_size (op->blocked->lanes, 1, forward->c, forward->h, forward->w, forward->x_halo) * elem_size (op);
  const MienPlanes planes = { 1, forward->c, forward->h, forward->w, forward->x_halo };
  char *images = self->images + thread * self->images_bytes;
  const void *phases[MOST];
  int first, end;

  mien_backward_piece (op, forward->n, piece, &first, &end);
  for (int n = first; n < end; n++) {
    for (int i = 0; i < self->n_phases; i++) {
      const Phase *phase = &self->phases[i];
      phases[i] = is_empty (&phase->shape) ? NULL : images + phase->image;
      if (phases[i] == NULL)
        continue;
      const MienBlockedArgs args = { .x = (const char *) ctx->in[1]->data + n * dy_bytes, .w = self->packed + phase->packed, .y = images + phase->image };
      op->blocked->conv (&phase->shape, &args, 0, mien_blocked_rows (op->blocked, &phase->shape, TRUE));
    }
    op->backward->weave (&planes, forward->stride_h, forward->y_halo, phases, mien_op_has (ctx, 3) ? (const char *) ctx->in[3]->data + n * dx_bytes : NULL,
                         (char *) ctx->out[0]->data + n * dx_bytes);
  }
}

void
mien_backward_strided_run (const MienBackwardOp *op)
{
  Strided self = strided_of (op);
  MienThreads *threads = op->ctx->threads;

  mien_threads_run (threads, filters_task, &self, op->shape.c);
  for (int i = 0; i < self.n_phases; i++)
    if (!is_empty (&self.phases[i].shape))
      mien_blocked_pack_conv (op->blocked, &self.phases[i].shape, self.filters + self.phases[i].filters, self.packed + self.phases[i].packed, threads);
  mien_threads_run (threads, picture_task, &self, mien_backward_n_pieces (op));
}
