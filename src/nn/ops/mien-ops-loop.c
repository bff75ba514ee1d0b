/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nested loops with strides: broadcasting and every kind of copying are made of them. */
#include "nn/ops/mien-ops.h"

#include <string.h>

void
mien_ops_strides (const MienShape *shape, gssize *strides)
{
  gsize step = 1; /* unsigned: a shape without elements may have any other dimensions */

  for (int d = shape->rank - 1; d >= 0; d--) {
    strides[d] = (gssize) step;
    step *= (gsize) shape->dim[d];
  }
}

gsize
mien_ops_span (const MienShape *shape, int from, int to)
{
  gsize n = 1;

  for (int d = from; d < to; d++)
    n *= shape->dim[d];
  return n;
}

void
mien_loop_init (MienLoop *self, int n_operands)
{
  g_assert (n_operands <= MIEN_LOOP_MAX_OPERANDS);
  *self = (MienLoop) { .n_operands = n_operands };
}

/* Dimensions are collected in dim[] and stride[]; mien_loop_start() takes the last one out. */
void
mien_loop_add (MienLoop *self, gsize dim, const gssize *strides)
{
  gboolean joins = self->n_dims > 0;
  int d = self->n_dims;

  if (dim == 1)
    return;
  for (int k = 0; k < self->n_operands && joins; k++)
    joins = self->stride[d - 1][k] == (gssize) ((gsize) strides[k] * dim);
  if (joins) {
    d--;
    self->dim[d] *= dim;
  } else {
    g_assert (d < MIEN_LOOP_MAX_DIMS);
    self->dim[d] = dim;
    self->n_dims++;
  }
  memcpy (self->stride[d], strides, self->n_operands * sizeof *strides);
}

gboolean
mien_loop_start (MienLoop *self)
{
  for (int d = 0; d < self->n_dims; d++) {
    if (self->dim[d] == 0)
      return FALSE;
    self->index[d] = 0;
  }
  self->n = 1;
  if (self->n_dims > 0) {
    self->n_dims--;
    self->n = self->dim[self->n_dims];
    memcpy (self->step, self->stride[self->n_dims], sizeof self->step);
  }
  return TRUE;
}

gboolean
mien_loop_next (MienLoop *self)
{
  for (int d = self->n_dims - 1; d >= 0; d--) {
    self->index[d]++;
    for (int k = 0; k < self->n_operands; k++)
      self->offset[k] += self->stride[d][k];
    if (self->index[d] < self->dim[d])
      return TRUE;
    for (int k = 0; k < self->n_operands; k++)
      self->offset[k] -= self->stride[d][k] * (gssize) self->dim[d];
    self->index[d] = 0;
  }
  return FALSE;
}

void
mien_loop_init_broadcast (MienLoop *self, const MienShape *out, const MienShape *const *shapes, int n)
{
  gssize strides[MIEN_LOOP_MAX_OPERANDS][MIEN_MAX_RANK];

  mien_loop_init (self, n + 1);
  mien_ops_strides (out, strides[0]);
  for (int k = 0; k < n; k++)
    mien_ops_strides (shapes[k], strides[k + 1]);
  for (int d = 0; d < out->rank; d++) {
    gssize step[MIEN_LOOP_MAX_OPERANDS];

    step[0] = strides[0][d];
    for (int k = 0; k < n; k++) {
      const int own = d - (out->rank - shapes[k]->rank);

      step[k + 1] = own < 0 || shapes[k]->dim[own] == 1 ? 0 : strides[k + 1][own];
    }
    mien_loop_add (self, out->dim[d], step);
  }
}

#define COPY(T) \
  for (gsize i = 0; i < self->n; i++) \
    ((T *) to)[self->offset[0] + (gssize) i * self->step[0]] = ((const T *) from)[self->offset[1] + (gssize) i * self->step[1]]

void
mien_loop_copy (MienLoop *self, void *to, const void *from, gsize elem_size)
{
  if (!mien_loop_start (self))
    return;
  do {
    if (self->step[0] == 1 && self->step[1] == 1) {
      memcpy ((char *) to + self->offset[0] * (gssize) elem_size, (const char *) from + self->offset[1] * (gssize) elem_size,
              self->n * elem_size);
      continue;
    }
    switch (elem_size) {
    case 1:
      COPY (guint8);
      break;
    case 2:
      COPY (guint16);
      break;
    case 4:
      COPY (guint32);
      break;
    case 8:
      COPY (guint64);
      break;
    default:
      g_assert_not_reached ();
    }
  } while (mien_loop_next (self));
}
