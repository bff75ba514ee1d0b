/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mien-config.h"

#include <glib/gi18n-lib.h>
#include <inttypes.h>
#include <string.h>

#include "model/mien-npy.h"
#include "nn/mien-file.h"
#include "nn/mien-graph.h"

#define MAX_HEADER 65536
#define ALIGNMENT 64

static const struct {
  MienType type;
  const char *descr; /* without byte order */
} types[] = {
  { MIEN_F32, "f4" }, { MIEN_F64, "f8" }, { MIEN_F16, "f2" }, { MIEN_BOOL, "b1" },
  { MIEN_I8, "i1" }, { MIEN_I16, "i2" }, { MIEN_I32, "i4" }, { MIEN_I64, "i8" },
  { MIEN_U8, "u1" }, { MIEN_U16, "u2" }, { MIEN_U32, "u4" }, { MIEN_U64, "u8" },
};

static void
skip_spaces (const char **p)
{
  while (g_ascii_isspace (**p))
    (*p)++;
}

static gboolean
skip_char (const char **p, char c)
{
  skip_spaces (p);
  if (**p != c)
    return FALSE;
  (*p)++;
  return TRUE;
}

/* A Python string without escapes. (transfer full) */
static char *
read_string (const char **p)
{
  const char *start, *end;
  char quote;

  skip_spaces (p);
  quote = **p;
  if (quote != '\'' && quote != '"')
    return NULL;
  start = *p + 1;
  end = strchr (start, quote);
  if (end == NULL || memchr (start, '\\', end - start) != NULL)
    return NULL;
  *p = end + 1;
  return g_strndup (start, end - start);
}

static gboolean
read_shape (const char **p, MienShape *shape)
{
  shape->rank = 0;
  if (!skip_char (p, '('))
    return FALSE;
  while (!skip_char (p, ')')) {
    char *end;

    if (!g_ascii_isdigit (**p) || shape->rank == MIEN_MAX_RANK)
      return FALSE;
    shape->dim[shape->rank++] = g_ascii_strtoll (*p, &end, 10);
    *p = end;
    if (**p == 'L') /* written by Python 2 */
      (*p)++;
    if (!skip_char (p, ',')) {
      skip_spaces (p);
      if (**p != ')')
        return FALSE;
    }
  }
  return TRUE;
}

static gboolean
read_bool (const char **p, gboolean *value)
{
  skip_spaces (p);
  *value = g_str_has_prefix (*p, "True");
  if (!*value && !g_str_has_prefix (*p, "False"))
    return FALSE;
  *p += *value ? 4 : 5;
  return TRUE;
}

static gboolean
find_type (const char *descr, MienType *type, GError **error)
{
  g_autofree char *shown = mien_graph_quote (descr);

  if (strlen (descr) == 3 && (*descr == '<' || *descr == '|' || (*descr == '=' && G_BYTE_ORDER == G_LITTLE_ENDIAN)))
    for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
      if (strcmp (descr + 1, types[i].descr) == 0) {
        *type = types[i].type;
        return TRUE;
      }
  return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("numbers of type %s are not supported; save it with astype(np.float32)"), shown);
}

/* {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } */
static gboolean
read_header (const char *text, MienType *type, MienShape *shape, GError **error)
{
  gboolean has_descr = FALSE, has_order = FALSE, has_shape = FALSE, fortran = FALSE;
  const char *p = text;

  if (!g_utf8_validate (text, -1, NULL) || !skip_char (&p, '{'))
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("its header cannot be understood"));
  while (!skip_char (&p, '}')) {
    g_autofree char *key = read_string (&p), *descr = NULL;

    if (key == NULL || !skip_char (&p, ':'))
      return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("its header cannot be understood"));
    skip_spaces (&p);
    if (strcmp (key, "descr") == 0 && !has_descr) {
      if (*p == '[')
        return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("it holds records, not plain numbers"));
      has_descr = (descr = read_string (&p)) != NULL;
      if (has_descr && !find_type (descr, type, error))
        return FALSE;
    } else if (strcmp (key, "fortran_order") == 0 && !has_order) {
      has_order = read_bool (&p, &fortran);
    } else if (strcmp (key, "shape") == 0 && !has_shape) {
      has_shape = read_shape (&p, shape);
      if (!has_shape)
        return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("its shape cannot be understood, or has more than %d dimensions"), MIEN_MAX_RANK);
    } else {
      return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("its header cannot be understood"));
    }
    skip_char (&p, ',');
  }
  skip_spaces (&p);
  if (!has_descr || !has_order || !has_shape || *p != '\0')
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("its header cannot be understood"));
  if (fortran && shape->rank > 1)
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("its numbers stand in column order; save it with np.ascontiguousarray()"));
  return TRUE;
}

static MienTensor *
parse (const guint8 *data, gsize n, GError **error)
{
  g_autoptr (MienTensor) tensor = NULL;
  g_autofree char *header = NULL;
  gsize length, start, n_elems, n_bytes;
  MienType type = MIEN_TYPE_UNKNOWN;
  MienShape shape;

  if (n < 10 || memcmp (data, "\x93NUMPY", 6) != 0) {
    mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("is not a NumPy file (.npy)"));
    return NULL;
  }
  if (data[6] < 1 || data[6] > 3) {
    mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("has version %d of the NumPy format; versions 1 to 3 are known"), data[6]);
    return NULL;
  }
  start = data[6] == 1 ? 10 : 12;
  length = data[8] | data[9] << 8;
  if (start == 12 && n >= 12)
    length |= (gsize) data[10] << 16 | (gsize) data[11] << 24;
  if (n < start || length > n - start || length > MAX_HEADER || memchr (data + start, 0, length) != NULL) {
    mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("its header is damaged or cut off"));
    return NULL;
  }
  header = g_strndup ((const char *) data + start, length);
  if (!read_header (header, &type, &shape, error))
    return NULL;
  if (!mien_shape_n_elems (&shape, &n_elems) || !g_size_checked_mul (&n_bytes, n_elems, mien_type_size (type)) ||
      n_bytes != n - start - length) {
    g_autofree char *text = mien_shape_to_string (&shape);

    mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("its shape %s %s does not fit the %zu bytes of numbers there are"), text, mien_type_name (type), n - start - length);
    return NULL;
  }
  tensor = mien_tensor_try_new (type, &shape, error);
  if (tensor == NULL)
    return NULL;
  memcpy (tensor->data, data + start + length, n_bytes);
  if (G_BYTE_ORDER == G_BIG_ENDIAN)
    mien_file_swap_bytes (tensor->data, n_elems, mien_type_size (type));
  for (gsize i = 0; type == MIEN_BOOL && i < n_elems; i++)
    ((guint8 *) tensor->data)[i] = ((guint8 *) tensor->data)[i] != 0;
  return g_steal_pointer (&tensor);
}

MienTensor *
mien_npy_read (const char *path, GError **error)
{
  g_autofree char *name = mien_file_shown_name (path);
  g_autoptr (GBytes) bytes = mien_file_load (path, MIEN_TENSOR_MAX_BYTES, error);
  MienTensor *tensor = NULL;

  if (bytes != NULL) {
    gsize n;
    const guint8 *data = g_bytes_get_data (bytes, &n);

    tensor = parse (data, n, error);
  }
  if (tensor == NULL)
    g_prefix_error (error, "%s: ", name);
  return tensor;
}

gboolean
mien_npy_write (const MienTensor *tensor, const char *path, GError **error)
{
  const gsize n_bytes = mien_tensor_n_bytes (tensor), size = mien_type_size (tensor->type);
  g_autofree char *name = mien_file_shown_name (path);
  g_autoptr (GString) file = g_string_sized_new (n_bytes + 2 * ALIGNMENT);
  const char *descr = NULL;
  gsize length;

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    if (types[i].type == tensor->type)
      descr = types[i].descr;
  if (descr == NULL) {
    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_UNSUPPORTED, _("%s: NumPy files have no numbers of type %s"), name, mien_type_name (tensor->type));
    return FALSE;
  }
  g_string_append_len (file, "\x93NUMPY\1\0\0\0", 10);
  g_string_append_printf (file, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", size == 1 ? '|' : '<', descr);
  for (int i = 0; i < tensor->shape.rank; i++)
    g_string_append_printf (file, "%" PRId64 "%s", tensor->shape.dim[i],
                            i + 1 < tensor->shape.rank ? ", " : tensor->shape.rank == 1 ? "," : "");
  g_string_append (file, "), }");
  while ((file->len + 1) % ALIGNMENT != 0)
    g_string_append_c (file, ' ');
  g_string_append_c (file, '\n');
  length = file->len - 10;
  file->str[8] = (char) (length & 0xff);
  file->str[9] = (char) (length >> 8);
  g_string_append_len (file, tensor->data, n_bytes);
  if (G_BYTE_ORDER == G_BIG_ENDIAN)
    mien_file_swap_bytes ((guint8 *) file->str + length + 10, tensor->n_elems, size);
  if (g_file_set_contents_full (path, file->str, file->len, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0666, error))
    return TRUE;
  g_prefix_error (error, "%s: ", name);
  return FALSE;
}
