/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tensors: sizes checked once, here, so that everything else may trust n_elems. */
#include "mien-config.h"

#include <glib/gi18n-lib.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "nn/mien-tensor.h"

#define ALIGNMENT 64

G_DEFINE_QUARK (mien-nn-error-quark, mien_nn_error)

static const struct {
  MienType type;
  guint8 size;
  const char *name;
} types[] = {
  { MIEN_F32, 4, "float32" },
  { MIEN_U8, 1, "uint8" },
  { MIEN_I8, 1, "int8" },
  { MIEN_U16, 2, "uint16" },
  { MIEN_I16, 2, "int16" },
  { MIEN_I32, 4, "int32" },
  { MIEN_I64, 8, "int64" },
  { MIEN_STRING, 0, "string" },
  { MIEN_BOOL, 1, "bool" },
  { MIEN_F16, 2, "float16" },
  { MIEN_F64, 8, "float64" },
  { MIEN_U32, 4, "uint32" },
  { MIEN_U64, 8, "uint64" },
  { MIEN_BF16, 2, "bfloat16" },
};

gsize
mien_type_size (MienType type)
{
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    if (types[i].type == type)
      return types[i].size;
  return 0;
}

const char *
mien_type_name (MienType type)
{
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    if (types[i].type == type)
      return types[i].name;
  return "unknown";
}

MienShape
mien_shape (int rank, ...)
{
  MienShape shape = { .rank = rank };
  va_list args;

  g_assert (rank >= 0 && rank <= MIEN_MAX_RANK);
  va_start (args, rank);
  for (int i = 0; i < rank; i++)
    shape.dim[i] = va_arg (args, int);
  va_end (args);
  return shape;
}

gboolean
mien_shape_equal (const MienShape *a, const MienShape *b)
{
  if (a->rank != b->rank)
    return FALSE;
  for (int i = 0; i < a->rank; i++)
    if (a->dim[i] != b->dim[i])
      return FALSE;
  return TRUE;
}

gboolean
mien_shape_is_known (const MienShape *self)
{
  if (self->rank < 0)
    return FALSE;
  for (int i = 0; i < self->rank; i++)
    if (self->dim[i] < 0)
      return FALSE;
  return TRUE;
}

gboolean
mien_shape_n_elems (const MienShape *self, gsize *n_elems)
{
  gsize n = 1;

  *n_elems = 0;
  if (self->rank > MIEN_MAX_RANK || !mien_shape_is_known (self))
    return FALSE;
  /* A dimension of 0 first: 0 elements however large the others are. */
  for (int i = 0; i < self->rank; i++)
    if (self->dim[i] == 0)
      return TRUE;
  for (int i = 0; i < self->rank; i++)
    if (!g_size_checked_mul (&n, n, (gsize) self->dim[i]))
      return FALSE;
  *n_elems = n;
  return TRUE;
}

char *
mien_shape_to_string (const MienShape *self)
{
  GString *text;

  if (self->rank < 0)
    return g_strdup ("?");
  if (self->rank == 0)
    return g_strdup ("scalar");
  text = g_string_new (NULL);
  for (int i = 0; i < self->rank; i++) {
    if (i > 0)
      g_string_append_c (text, 'x');
    if (self->dim[i] < 0)
      g_string_append_c (text, '?');
    else
      g_string_append_printf (text, "%" G_GINT64_FORMAT, self->dim[i]);
  }
  return g_string_free (text, FALSE);
}

static MienTensor *
wrap (MienType type, const MienShape *shape, gsize n_elems, void *data, GDestroyNotify free_func, gpointer free_data)
{
  MienTensor *self = g_new0 (MienTensor, 1);

  self->type = type;
  self->shape = *shape;
  self->n_elems = n_elems;
  self->data = data;
  self->free_func = free_func;
  self->free_data = free_data;
  g_atomic_ref_count_init (&self->ref_count);
  return self;
}

MienTensor *
mien_tensor_try_new (MienType type, const MienShape *shape, GError **error)
{
  const gsize size = mien_type_size (type);
  gsize n_elems, n_bytes;
  void *block;

  if (size == 0) {
    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_UNSUPPORTED, _("tensors of type %s are not supported"), mien_type_name (type));
    return NULL;
  }
  if (!mien_shape_n_elems (shape, &n_elems) || !g_size_checked_mul (&n_bytes, n_elems, size) || n_bytes > MIEN_TENSOR_MAX_BYTES) {
    g_autofree char *text = mien_shape_to_string (shape);

    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_SIZE, _("a tensor of %s %s is larger than a tensor may be"), text, mien_type_name (type));
    return NULL;
  }
  /* calloc and not aligned_alloc + memset: large blocks come as untouched zero pages. */
  block = calloc (1, n_bytes + ALIGNMENT);
  if (block == NULL) {
    g_autofree char *text = g_format_size (n_bytes);

    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_SIZE, _("there is no memory for a tensor of %s"), text);
    return NULL;
  }
  return wrap (type, shape, n_elems, (void *) (((guintptr) block + ALIGNMENT - 1) & ~(guintptr) (ALIGNMENT - 1)), free, block);
}

MienTensor *
mien_tensor_new (MienType type, const MienShape *shape)
{
  g_autoptr (GError) error = NULL;
  MienTensor *self = mien_tensor_try_new (type, shape, &error);

  g_assert_no_error (error);
  return self;
}

MienTensor *
mien_tensor_new_take (MienType type, const MienShape *shape, void *data, GDestroyNotify free_func, gpointer free_data)
{
  gsize n_elems;

  g_assert (mien_type_size (type) > 0);
  if (!mien_shape_n_elems (shape, &n_elems))
    g_assert_not_reached ();
  return wrap (type, shape, n_elems, data, free_func, free_data);
}

MienTensor *
mien_tensor_new_away (MienType type, const MienShape *shape, MienTensorReadFn read, gpointer source, GDestroyNotify free_source)
{
  MienTensor *self = mien_tensor_new_take (type, shape, NULL, free_source, source);

  self->read = read;
  return self;
}

gboolean
mien_tensor_read (const MienTensor *self, gsize first, gsize n, void *to, GError **error)
{
  const gsize size = mien_type_size (self->type);

  g_assert (first <= self->n_elems && n <= self->n_elems - first);
  return self->read (self->free_data, first * size, to, n * size, error);
}

gboolean
mien_tensor_fetch (MienTensor *self, GError **error)
{
  MienTensor *here;

  if (!mien_tensor_is_away (self))
    return TRUE;
  here = mien_tensor_try_new (self->type, &self->shape, error);
  if (here == NULL)
    return FALSE;
  if (!mien_tensor_read (self, 0, self->n_elems, here->data, error)) {
    mien_tensor_unref (here);
    return FALSE;
  }
  mien_tensor_let_go (self);
  self->data = here->data;
  self->free_func = (GDestroyNotify) mien_tensor_unref;
  self->free_data = here;
  return TRUE;
}

MienTensor *
mien_tensor_new_i64 (const gint64 *values, int n)
{
  const MienShape shape = mien_shape (1, n);
  MienTensor *self = mien_tensor_new (MIEN_I64, &shape);

  if (n > 0)
    memcpy (self->data, values, n * sizeof *values);
  return self;
}

MienTensor *
mien_tensor_ref (MienTensor *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
mien_tensor_unref (MienTensor *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  if (self->free_func != NULL)
    self->free_func (self->free_data);
  g_free (self);
}

void
mien_tensor_let_go (MienTensor *self)
{
  if (self->free_func != NULL)
    self->free_func (self->free_data);
  self->free_func = NULL;
  self->read = NULL;
  self->data = NULL;
}

MienTensor *
mien_tensor_dup (const MienTensor *self)
{
  MienTensor *copy = mien_tensor_new (self->type, &self->shape);

  if (self->n_elems > 0)
    memcpy (copy->data, self->data, mien_tensor_n_bytes (self));
  return copy;
}
