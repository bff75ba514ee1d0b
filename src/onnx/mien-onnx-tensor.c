/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TensorProto to tensor. The size that type and dimensions ask for is compared with what is there before any memory is
 * taken, so that a lie about the size costs nothing. */
#include "mien-config.h"

#include <glib/gi18n-lib.h>
#include <inttypes.h>
#include <string.h>

#include "onnx/mien-onnx-private.h"

#define FAIL(code, ...) mien_file_fail (error, MIEN_NN_ERROR_##code, __VA_ARGS__)

static gboolean
check_type (int number, GError **error)
{
  if (mien_type_size (number) > 0)
    return TRUE;
  if (number == ONNX__TENSOR_PROTO__DATA_TYPE__STRING || number == ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX64 ||
      number == ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX128 || (number > 16 && number < 64))
    return FAIL (UNSUPPORTED, _("its type (number %d) is not supported; use 32-bit floats"), number);
  return FAIL (FORMAT, _("its type has the unknown number %d"), number);
}

static gboolean
read_shape (const Onnx__TensorProto *proto, MienShape *shape, gsize *n_elems, GError **error)
{
  if (proto->n_dims > MIEN_MAX_RANK)
    return FAIL (UNSUPPORTED, _("it has %zu dimensions, more than %d"), proto->n_dims, MIEN_MAX_RANK);
  shape->rank = proto->n_dims;
  for (int i = 0; i < shape->rank; i++) {
    if (proto->dims[i] < 0)
      return FAIL (FORMAT, _("dimension %d is %" PRId64 ", a size cannot be negative"), i, (gint64) proto->dims[i]);
    shape->dim[i] = proto->dims[i];
  }
  if (!mien_shape_n_elems (shape, n_elems) || *n_elems > MIEN_TENSOR_MAX_BYTES / mien_type_size (proto->data_type)) {
    g_autofree char *text = mien_shape_to_string (shape);

    return FAIL (SIZE, _("its size %s is impossibly large"), text);
  }
  return TRUE;
}

static gboolean
parse_number (const char *text, guint64 *value, GError **error)
{
  if (g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT64, value, NULL))
    return TRUE;
  {
    g_autofree char *shown = mien_graph_quote (text);

    return FAIL (FORMAT, _("its place in the data file, %s, is not a number"), shown);
  }
}

static gboolean
read_from_file (const Onnx__TensorProto *proto, MienOnnxExternal *external, MienTensor **tensor, const MienShape *shape, gsize n_elems, GError **error)
{
  const gsize n_bytes = n_elems * mien_type_size (proto->data_type);
  const char *location = NULL;
  guint64 offset = 0, length = 0;
  gboolean has_length = FALSE;

  for (size_t i = 0; i < proto->n_external_data; i++) {
    const char *key = proto->external_data[i]->key, *value = proto->external_data[i]->value;

    if (key == NULL || value == NULL)
      continue;
    if (strcmp (key, "location") == 0)
      location = value;
    else if (strcmp (key, "offset") == 0 && !parse_number (value, &offset, error))
      return FALSE;
    else if (strcmp (key, "length") == 0 && !(has_length = parse_number (value, &length, error)))
      return FALSE;
  }
  if (location == NULL)
    return FAIL (FORMAT, _("its data are said to be in a second file, which is not named"));
  if (has_length && length != n_bytes)
    return FAIL (FORMAT, _("its size asks for %zu bytes, but %" PRIu64 " are announced"), n_bytes, length);
  if (n_bytes > MIEN_ONNX_MAX_FILE - external->n_read)
    return FAIL (SIZE, _("the network's data files hold more than this program reads"));
  *tensor = mien_tensor_try_new (proto->data_type, shape, error);
  return *tensor != NULL && mien_onnx_read_external (external, location, offset, has_length, (*tensor)->data, n_bytes, error);
}

/* Narrow integers, booleans and 16-bit floats are stored one to an int32. */
static gboolean
read_int32s (const Onnx__TensorProto *proto, MienTensor *tensor, GError **error)
{
  static const struct { MienType type; gint32 min, max; } ranges[] = {
    { MIEN_U8, 0, G_MAXUINT8 }, { MIEN_I8, G_MININT8, G_MAXINT8 }, { MIEN_U16, 0, G_MAXUINT16 }, { MIEN_I16, G_MININT16, G_MAXINT16 },
    { MIEN_BOOL, 0, 1 }, { MIEN_F16, 0, G_MAXUINT16 }, { MIEN_BF16, 0, G_MAXUINT16 }, { MIEN_I32, G_MININT32, G_MAXINT32 },
  };
  const gsize size = mien_type_size (tensor->type);
  gsize r = 0;

  while (ranges[r].type != tensor->type)
    r++;
  for (gsize i = 0; i < tensor->n_elems; i++) {
    const gint32 value = proto->int32_data[i];

    if (value < ranges[r].min || value > ranges[r].max)
      return FAIL (FORMAT, _("its number %zu, %d, does not fit its type %s"), i, value, mien_type_name (tensor->type));
    if (size == 1)
      ((guint8 *) tensor->data)[i] = (guint8) value;
    else if (size == 2)
      ((guint16 *) tensor->data)[i] = (guint16) value;
    else
      ((gint32 *) tensor->data)[i] = value;
  }
  return TRUE;
}

static gboolean
check_bools (const MienTensor *tensor, GError **error)
{
  for (gsize i = 0; tensor->type == MIEN_BOOL && i < tensor->n_elems; i++)
    if (((const guint8 *) tensor->data)[i] > 1)
      return FAIL (FORMAT, _("its number %zu is neither true nor false"), i);
  return TRUE;
}

static gboolean
copy_values (const Onnx__TensorProto *proto, MienTensor *tensor, GError **error)
{
  switch (tensor->type) {
  case MIEN_F32:
    memcpy (tensor->data, proto->float_data, mien_tensor_n_bytes (tensor));
    return TRUE;
  case MIEN_F64:
    memcpy (tensor->data, proto->double_data, mien_tensor_n_bytes (tensor));
    return TRUE;
  case MIEN_I64:
    memcpy (tensor->data, proto->int64_data, mien_tensor_n_bytes (tensor));
    return TRUE;
  case MIEN_U64:
    memcpy (tensor->data, proto->uint64_data, mien_tensor_n_bytes (tensor));
    return TRUE;
  case MIEN_U32:
    for (gsize i = 0; i < tensor->n_elems; i++) {
      if (proto->uint64_data[i] > G_MAXUINT32)
        return FAIL (FORMAT, _("its number %zu does not fit its type %s"), i, mien_type_name (tensor->type));
      ((guint32 *) tensor->data)[i] = proto->uint64_data[i];
    }
    return TRUE;
  default:
    return read_int32s (proto, tensor, error);
  }
}

/* Elements in the field that belongs to the type. */
static gsize
n_values (const Onnx__TensorProto *proto)
{
  switch ((MienType) proto->data_type) {
  case MIEN_F32:
    return proto->n_float_data;
  case MIEN_F64:
    return proto->n_double_data;
  case MIEN_I64:
    return proto->n_int64_data;
  case MIEN_U32:
  case MIEN_U64:
    return proto->n_uint64_data;
  default:
    return proto->n_int32_data;
  }
}

/* The part of a file that is a tensor's contents. */
typedef struct {
  MienOnnxFile *file;
  gsize offset;
} Part;

static gboolean
read_part (gpointer source, gsize offset, void *to, gsize n_bytes, GError **error)
{
  const Part *part = source;

  return mien_file_read (part->file->fd, part->offset + offset, to, n_bytes, error);
}

static void
free_part (gpointer data)
{
  Part *part = data;

  mien_onnx_file_unref (part->file);
  g_free (part);
}

/* What was cut out. */
static gboolean
take_payload (const MienOnnxCut *cut, const MienOnnxPayload *payload, MienType type, const MienShape *shape, MienTensor **tensor, GError **error)
{
  if (cut->file == NULL) {
    guint8 *all = (guint8 *) g_bytes_get_data (cut->bytes, NULL);

    *tensor = mien_tensor_new_take (type, shape, all + payload->offset, (GDestroyNotify) g_bytes_unref, g_bytes_ref (cut->bytes));
    return TRUE;
  }
  *tensor = mien_tensor_new_away (type, shape, read_part, g_memdup2 (&(Part) { g_atomic_rc_box_acquire (cut->file), payload->offset }, sizeof (Part)), free_part);
  /* Others are checked, or turned round, once they are here. */
  return (type == MIEN_F32 && G_BYTE_ORDER == G_LITTLE_ENDIAN) || mien_tensor_fetch (*tensor, error);
}

static gboolean
read_tensor (Onnx__TensorProto *proto, MienOnnxExternal *external, const MienOnnxCut *cut, const MienOnnxPayload *payload, MienTensor **tensor, GError **error)
{
  const gsize size = mien_type_size (proto->data_type);
  const gsize raw_bytes = payload != NULL ? payload->n : proto->has_raw_data ? proto->raw_data.len : 0;
  const gboolean raw = raw_bytes > 0;
  const gsize n_all = proto->n_float_data + proto->n_double_data + proto->n_int32_data + proto->n_int64_data +
                      proto->n_uint64_data + proto->n_string_data;
  MienShape shape;
  gsize n_elems;

  if (!check_type (proto->data_type, error) || !read_shape (proto, &shape, &n_elems, error))
    return FALSE;
  if (proto->segment != NULL)
    return FAIL (UNSUPPORTED, _("it is stored in segments, which is not supported"));
  if (proto->has_data_location && proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) {
    if (raw || n_all > 0)
      return FAIL (FORMAT, _("it has data in the network's file and in a second file"));
    if (!read_from_file (proto, external, tensor, &shape, n_elems, error))
      return FALSE;
  } else {
    const gsize there = raw ? raw_bytes : n_values (proto), wanted = raw ? n_elems * size : n_elems;

    if ((raw && n_all > 0) || n_all != (raw ? 0 : n_values (proto)))
      return FAIL (FORMAT, _("it has data of more than one kind"));
    if (there != wanted) {
      g_autofree char *text = mien_shape_to_string (&shape);

      return FAIL (FORMAT, raw ? _("its size %s %s asks for %zu bytes, but %zu are there")
                               : _("its size %s %s asks for %zu numbers, but %zu are there"),
                   text, mien_type_name (proto->data_type), wanted, there);
    }
    if (payload != NULL) {
      if (!take_payload (cut, payload, proto->data_type, &shape, tensor, error))
        return FALSE;
      if (mien_tensor_is_away (*tensor))
        return TRUE;
    } else if (raw && wanted >= MIEN_ONNX_TAKEN_BYTES) {
      *tensor = mien_tensor_new_take (proto->data_type, &shape, proto->raw_data.data, free, proto->raw_data.data);
      proto->raw_data.data = NULL;
      proto->raw_data.len = 0;
    } else {
      *tensor = mien_tensor_try_new (proto->data_type, &shape, error);
      if (*tensor == NULL)
        return FALSE;
      if (n_elems == 0)
        return TRUE;
      if (!raw)
        return copy_values (proto, *tensor, error);
      memcpy ((*tensor)->data, proto->raw_data.data, wanted);
    }
  }
  if (G_BYTE_ORDER == G_BIG_ENDIAN)
    mien_file_swap_bytes ((*tensor)->data, n_elems, size);
  return check_bools (*tensor, error);
}

MienTensor *
mien_onnx_tensor (Onnx__TensorProto *proto, MienOnnxExternal *external, const MienOnnxCut *cut, const MienOnnxPayload *payload, GError **error)
{
  MienTensor *tensor = NULL;

  if (!read_tensor (proto, external, cut, payload, &tensor, error))
    g_clear_pointer (&tensor, mien_tensor_unref);
  if (proto->has_raw_data) {
    free (proto->raw_data.data); /* protobuf-c took it with malloc(), as we gave it no other allocator */
    proto->raw_data.data = NULL;
    proto->raw_data.len = 0;
  }
  return tensor;
}
