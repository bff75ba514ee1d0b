/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tensors: typed, dense, row-major arrays (last dimension runs fastest).
 *
 * Shapes   rank 0 (one element) .. MIEN_MAX_RANK; dimensions of 0 are allowed (no elements)
 * Memory   data of a tensor made here is aligned to 64 bytes; reference counted; a tensor may also borrow memory
 * Errors   sizes are checked for overflow; MIEN_TENSOR_MAX_BYTES is the largest a tensor may be
 * Thread   the reference count is atomic; the contents are the holder's business
 * Source   the type numbers are ONNX TensorProto.DataType */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define MIEN_MAX_RANK 8
#define MIEN_TENSOR_MAX_BYTES (G_GUINT64_CONSTANT (1) << 32)

typedef enum {
  MIEN_TYPE_UNKNOWN = 0,
  MIEN_F32 = 1,
  MIEN_U8 = 2,
  MIEN_I8 = 3,
  MIEN_U16 = 4,
  MIEN_I16 = 5,
  MIEN_I32 = 6,
  MIEN_I64 = 7,
  MIEN_STRING = 8, /* named in messages only, never held */
  MIEN_BOOL = 9,
  MIEN_F16 = 10,
  MIEN_F64 = 11,
  MIEN_U32 = 12,
  MIEN_U64 = 13,
  MIEN_BF16 = 16,
} MienType;

/* Bytes of one element; 0 for types that no tensor can hold. */
gsize mien_type_size (MienType type);

/* "float32", "int64", ...; "unknown" otherwise. */
const char *mien_type_name (MienType type);

typedef struct {
  int rank;                   /* -1: not even the rank is known (graphs only, never tensors) */
  gint64 dim[MIEN_MAX_RANK]; /* -1: not known (graphs only, never tensors) */
} MienShape;

#define MIEN_SHAPE_UNKNOWN ((MienShape) { .rank = -1 })
MienShape mien_shape (int rank, ...); /* dimensions as int */
gboolean mien_shape_equal (const MienShape *a, const MienShape *b);
gboolean mien_shape_is_known (const MienShape *self); /* rank and every dimension known */

/* Number of elements, 1 for rank 0. FALSE when a dimension is unknown or the product overflows. */
gboolean mien_shape_n_elems (const MienShape *self, gsize *n_elems);

/* "1x1x48x48", "scalar", "?x48x48". (transfer full) */
char *mien_shape_to_string (const MienShape *self);

/* n_bytes from `offset` of contents that lie elsewhere. On any thread, on several at once. */
typedef gboolean (*MienTensorReadFn) (gpointer source, gsize offset, void *to, gsize n_bytes, GError **error);

typedef struct {
  MienType type;
  MienShape shape;
  gsize n_elems;
  void *data; /* NULL where there are no elements, and while the contents are away or after they were let go */
  /*< private >*/
  gatomicrefcount ref_count;
  MienTensorReadFn read;
  GDestroyNotify free_func;
  gpointer free_data; /* of data, or what `read` reads from */
} MienTensor;

/* Zeroed. NULL with error set when the size overflows, exceeds MIEN_TENSOR_MAX_BYTES or there is no memory. */
MienTensor *mien_tensor_try_new (MienType type, const MienShape *shape, GError **error);

/* The same for sizes the program itself chose; aborts without memory, as g_malloc does. */
MienTensor *mien_tensor_new (MienType type, const MienShape *shape);

/* Borrows data, which must hold n_elems elements and live until free_func (free_data) is called (may be NULL). */
MienTensor *mien_tensor_new_take (MienType type, const MienShape *shape, void *data, GDestroyNotify free_func, gpointer free_data);

/* Its contents stay where they are, in a file for instance, until they are fetched; whoever looks at data before asks for that. source: (transfer full). */
MienTensor *mien_tensor_new_away (MienType type, const MienShape *shape, MienTensorReadFn read, gpointer source, GDestroyNotify free_source);

static inline gboolean
mien_tensor_is_away (const MienTensor *self)
{
  return self->read != NULL;
}

/* Into memory, for everybody who has the tensor; does nothing where they are there. One thread at a time. */
gboolean mien_tensor_fetch (MienTensor *self, GError **error);

/* Elements first .. first + n - 1 of a tensor that is away. */
gboolean mien_tensor_read (const MienTensor *self, gsize first, gsize n, void *to, GError **error);

MienTensor *mien_tensor_new_i64 (const gint64 *values, int n); /* rank 1 */
MienTensor *mien_tensor_ref (MienTensor *self);
void mien_tensor_unref (MienTensor *self);

/* Frees the contents for everybody who has the tensor; type and shape stay, data is NULL. */
void mien_tensor_let_go (MienTensor *self);
MienTensor *mien_tensor_dup (const MienTensor *self); /* deep copy */

static inline float *
mien_tensor_f32 (const MienTensor *self)
{
  g_assert (self->type == MIEN_F32);
  return (float *) self->data;
}

static inline gsize
mien_tensor_n_bytes (const MienTensor *self)
{
  return self->n_elems * mien_type_size (self->type);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienTensor, mien_tensor_unref)

/* Errors of everything in nn/, onnx/ and model/. */
#define MIEN_NN_ERROR (mien_nn_error_quark ())
GQuark mien_nn_error_quark (void);
typedef enum {
  MIEN_NN_ERROR_FORMAT,      /* the file is not what it should be: damaged, cut off, another format */
  MIEN_NN_ERROR_UNSUPPORTED, /* valid, but uses an operator, a type or a feature this program does not have */
  MIEN_NN_ERROR_SHAPE,       /* shapes, types or attributes of a node do not fit together */
  MIEN_NN_ERROR_SIZE,        /* larger than the limits */
  MIEN_NN_ERROR_INPUT,       /* what the caller fed does not fit the network */
} MienNnError;

G_END_DECLS
