/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-hdf5.h. Every access to the file goes through at(), which knows where it ends. */
#include "mien-config.h"

#include "keras/mien-hdf5.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "nn/mien-file.h"
#include "nn/mien-graph.h"

#define UNDEFINED G_MAXUINT64
#define MAX_FILE (G_GUINT64_CONSTANT (1) << 30)
#define MAX_TEXT (G_GUINT64_CONSTANT (64) << 20)
enum {
  MAX_MESSAGES = 4096,
  MAX_PIECES = 64,
  MAX_DEPTH = 32,     /* of B-trees, and of paths */
  MAX_STRINGS = 65536,
  MAX_WORK = 20000000, /* things looked at: messages, links, heap objects */
};

enum { /* header messages */
  MESSAGE_DATASPACE = 0x1,
  MESSAGE_LINK_INFO = 0x2,
  MESSAGE_DATATYPE = 0x3,
  MESSAGE_LINK = 0x6,
  MESSAGE_LAYOUT = 0x8,
  MESSAGE_FILTERS = 0xb,
  MESSAGE_ATTRIBUTE = 0xc,
  MESSAGE_CONTINUATION = 0x10,
  MESSAGE_SYMBOL_TABLE = 0x11,
};
enum { CLASS_FLOAT = 1, CLASS_STRING = 3, CLASS_VARIABLE = 9 };

struct _MienHdf5 {
  GBytes *bytes;
  const guint8 *data;
  guint64 n;
  guint64 base; /* where addresses begin */
  MienHdf5Object root;
  int work;     /* done so far */
};

/* Part of the file, inside it. */
typedef struct {
  const guint8 *data;
  guint64 n;
} Piece;

typedef struct {
  int type;
  Piece body;
} Message;

static gboolean
fail_damaged (GError **error)
{
  return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("is damaged or cut off inside; download it again"));
}

static gboolean
fail_unsupported (GError **error, const char *what)
{
  g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_UNSUPPORTED, _("%s, which this program does not read; save the model again with Keras's model.save ('name.h5')"),
               what);
  return FALSE;
}

/* NULL when that is not inside the file. */
static const guint8 *
at (const MienHdf5 *self, guint64 address, guint64 n)
{
  if (address > self->n - self->base || n > self->n - self->base - address)
    return NULL;
  return self->data + self->base + address;
}

static gboolean
count_work (MienHdf5 *self, GError **error)
{
  if (++self->work <= MAX_WORK)
    return TRUE;
  return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("is tangled beyond measure; it is no file that Keras wrote"));
}

static guint64
get (const guint8 *p, int n)
{
  guint64 value = 0;

  for (int i = n - 1; i >= 0; i--)
    value = value << 8 | p[i];
  return value;
}

MienHdf5 *
mien_hdf5_open (const char *path, GError **error)
{
  static const guint8 signature[8] = { 0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n' };
  g_autoptr (MienHdf5) self = g_new0 (MienHdf5, 1);
  const guint8 *head;
  gsize n;

  self->bytes = mien_file_load (path, MAX_FILE, error);
  if (self->bytes == NULL)
    return NULL;
  self->data = g_bytes_get_data (self->bytes, &n);
  self->n = n;
  if (n < 16 || memcmp (self->data, signature, sizeof signature) != 0) {
    mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("is no HDF5 file; Keras's models end in .h5 or .hdf5"));
    return NULL;
  }
  if (self->data[8] > 1) {
    fail_unsupported (error, _("is written in HDF5's newer form"));
    return NULL;
  }
  head = at (self, 0, self->data[8] == 0 ? 96 : 100);
  if (head == NULL || head[13] != 8 || head[14] != 8) {
    fail_damaged (error);
    return NULL;
  }
  head += self->data[8] == 0 ? 24 : 28;
  self->base = get (head, 8);
  /* the end of the file as it was written: one that is cut off is told as such */
  if (self->base > self->n || get (head + 16, 8) > self->n - self->base) {
    fail_damaged (error);
    return NULL;
  }
  self->root = get (head + 40, 8);
  return g_steal_pointer (&self);
}

void
mien_hdf5_free (MienHdf5 *self)
{
  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_free (self);
}

MienHdf5Object
mien_hdf5_root (const MienHdf5 *self)
{
  return self->root;
}

/* All messages of an object header, version 1. (transfer full) */
static GArray *
list_messages (MienHdf5 *self, MienHdf5Object object, GError **error)
{
  g_autoptr (GArray) messages = g_array_new (FALSE, FALSE, sizeof (Message));
  const guint8 *head = at (self, object, 16);
  Piece pieces[MAX_PIECES];
  int n_pieces = 1;

  if (head == NULL || head[0] != 1) {
    if (head != NULL && memcmp (head, "OHDR", 4) == 0)
      fail_unsupported (error, _("holds objects in HDF5's newer form"));
    else
      fail_damaged (error);
    return NULL;
  }
  pieces[0] = (Piece) { at (self, object + 16, get (head + 8, 4)), get (head + 8, 4) };
  for (int i = 0; i < n_pieces; i++) {
    const Piece piece = pieces[i];

    if (piece.data == NULL) {
      fail_damaged (error);
      return NULL;
    }
    for (guint64 p = 0; p + 8 <= piece.n;) {
      const Message message = { (int) get (piece.data + p, 2), { piece.data + p + 8, get (piece.data + p + 2, 2) } };

      if (!count_work (self, error))
        return NULL;
      if (message.body.n > piece.n - p - 8 || messages->len >= MAX_MESSAGES) {
        fail_damaged (error);
        return NULL;
      }
      if (message.type == MESSAGE_CONTINUATION) {
        if (message.body.n < 16 || n_pieces == MAX_PIECES) {
          fail_damaged (error);
          return NULL;
        }
        pieces[n_pieces].n = get (message.body.data + 8, 8);
        pieces[n_pieces].data = at (self, get (message.body.data, 8), pieces[n_pieces].n);
        n_pieces++;
      } else {
        g_array_append_val (messages, message);
      }
      p += 8 + message.body.n;
    }
  }
  return g_steal_pointer (&messages);
}

/* The first message of a type; NULL without error set when there is none. */
static const Message *
find_message (const GArray *messages, int type)
{
  for (guint i = 0; i < messages->len; i++)
    if (g_array_index (messages, Message, i).type == type)
      return &g_array_index (messages, Message, i);
  return NULL;
}

typedef struct {
  const char *name;
  gsize n_name;
  MienHdf5Object object;
  gboolean found;
} Search;

/* One node of links. */
static gboolean
search_node (MienHdf5 *self, guint64 address, Piece names, Search *search, GError **error)
{
  const guint8 *head = at (self, address, 8);
  const int n = head != NULL ? (int) get (head + 6, 2) : 0;
  const guint8 *entries = at (self, address + 8, (guint64) n * 40);

  if (head == NULL || memcmp (head, "SNOD", 4) != 0 || entries == NULL)
    return fail_damaged (error);
  for (int i = 0; i < n; i++) {
    const guint8 *entry = entries + 40 * i;
    const guint64 name = get (entry, 8);

    if (!count_work (self, error))
      return FALSE;
    if (name >= names.n)
      return fail_damaged (error);
    if (names.n - name <= search->n_name || memcmp (names.data + name, search->name, search->n_name) != 0 ||
        names.data[name + search->n_name] != 0)
      continue;
    if (get (entry + 16, 4) == 2)
      return fail_unsupported (error, _("holds a link to another place by name"));
    search->object = get (entry + 8, 8);
    search->found = TRUE;
    return TRUE;
  }
  return TRUE;
}

static gboolean
search_tree (MienHdf5 *self, guint64 address, int max_level, Piece names, Search *search, GError **error)
{
  const guint8 *head = at (self, address, 24);
  const int level = head != NULL ? head[5] : 0, n = head != NULL ? (int) get (head + 6, 2) : 0;
  const guint8 *entries = at (self, address + 24, (guint64) n * 16 + 8);

  /* a child is one level below its parent, so that there are no circles */
  if (head == NULL || memcmp (head, "TREE", 4) != 0 || head[4] != 0 || level > max_level || entries == NULL)
    return fail_damaged (error);
  for (int i = 0; i < n && !search->found; i++) {
    const guint64 child = get (entries + 16 * i + 8, 8);

    if (!count_work (self, error))
      return FALSE;
    if (level == 0 ? !search_node (self, child, names, search, error) : !search_tree (self, child, level - 1, names, search, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
search_symbol_table (MienHdf5 *self, Piece message, Search *search, GError **error)
{
  const guint8 *heap = message.n >= 16 ? at (self, get (message.data + 8, 8), 32) : NULL;
  Piece names;

  if (heap == NULL || memcmp (heap, "HEAP", 4) != 0)
    return fail_damaged (error);
  names.n = get (heap + 8, 8);
  names.data = at (self, get (heap + 24, 8), names.n);
  if (names.data == NULL)
    return fail_damaged (error);
  return search_tree (self, get (message.data, 8), MAX_DEPTH, names, search, error);
}

static gboolean
search_link (Piece message, Search *search, GError **error)
{
  const guint8 *p = message.data, *end = message.data + message.n;
  guint64 n_name;
  int flags, kind = 0, width;

  if (message.n < 4 || p[0] != 1)
    return fail_damaged (error);
  flags = p[1];
  width = 1 << (flags & 3);
  p += 2;
  if (flags & 0x08)
    kind = *p++;
  p += (flags & 0x04 ? 8 : 0) + (flags & 0x10 ? 1 : 0);
  if (p > end || end - p < width)
    return fail_damaged (error);
  n_name = get (p, width);
  p += width;
  if (n_name > (guint64) (end - p))
    return fail_damaged (error);
  if (n_name != search->n_name || memcmp (p, search->name, n_name) != 0)
    return TRUE;
  p += n_name;
  if (kind != 0)
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, kind == 1 ? _("holds a link to another place by name (“%.*s”); save the model again with Keras")
                                  : _("holds “%.*s” as a link into another file, which is not followed; save the model again in one file"),
                 (int) MIN (n_name, 100), search->name);
  if (end - p < 8)
    return fail_damaged (error);
  search->object = get (p, 8);
  search->found = TRUE;
  return TRUE;
}

/* One step of a path. */
static gboolean
search_group (MienHdf5 *self, MienHdf5Object group, Search *search, GError **error)
{
  g_autoptr (GArray) messages = list_messages (self, group, error);

  if (messages == NULL)
    return FALSE;
  for (guint i = 0; i < messages->len && !search->found; i++) {
    const Message *message = &g_array_index (messages, Message, i);

    switch (message->type) {
    case MESSAGE_SYMBOL_TABLE:
      if (!search_symbol_table (self, message->body, search, error))
        return FALSE;
      break;
    case MESSAGE_LINK:
      if (!search_link (message->body, search, error))
        return FALSE;
      break;
    case MESSAGE_LINK_INFO: {
      const guint64 skip = message->body.n >= 2 && message->body.data[1] & 1 ? 10 : 2;

      if (message->body.n < skip + 8)
        return fail_damaged (error);
      if (get (message->body.data + skip, 8) != UNDEFINED)
        return fail_unsupported (error, _("holds groups in HDF5's newer form"));
      break;
    }
    default:
      break;
    }
  }
  return TRUE;
}

gboolean
mien_hdf5_find (MienHdf5 *self, MienHdf5Object group, const char *path, MienHdf5Object *found, GError **error)
{
  for (int depth = 0; depth < MAX_DEPTH; depth++) {
    Search search = { 0 };
    const char *stop;

    while (*path == '/')
      path++;
    if (*path == '\0') {
      *found = group;
      return TRUE;
    }
    stop = strchr (path, '/');
    search.name = path;
    search.n_name = stop != NULL ? (gsize) (stop - path) : strlen (path);
    if (!search_group (self, group, &search, error) || !search.found)
      return FALSE;
    group = search.object;
    path += search.n_name;
  }
  return FALSE;
}

/* The number of elements and, when dims is given, the shape. */
static gboolean
read_dataspace (Piece message, MienShape *shape, guint64 *n_elems, GError **error)
{
  const int version = message.n >= 4 ? message.data[0] : 0, skip = version == 1 ? 8 : 4;
  const int rank = message.n >= 4 ? message.data[1] : 0;

  *n_elems = 1;
  if ((version != 1 && version != 2) || message.n < (guint64) skip + 8u * rank)
    return fail_damaged (error);
  if (rank > MIEN_MAX_RANK)
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("holds an array of %d dimensions, but at most %d make sense"), rank, MIEN_MAX_RANK);
  shape->rank = rank;
  for (int i = 0; i < rank; i++) {
    const guint64 dim = get (message.data + skip + 8 * i, 8);

    if (dim > MAX_FILE || (dim > 0 && *n_elems > MAX_FILE / dim))
      return fail_damaged (error); /* more elements than bytes in the largest file */
    *n_elems *= dim;
    shape->dim[i] = (gint64) dim;
  }
  return TRUE;
}

typedef struct {
  int class;
  guint32 bits;
  guint64 size;
  Piece properties;
} Datatype;

static gboolean
read_datatype (Piece message, Datatype *type, GError **error)
{
  if (message.n < 8)
    return fail_damaged (error);
  type->class = message.data[0] & 15;
  type->bits = (guint32) get (message.data + 1, 3);
  type->size = get (message.data + 4, 4);
  type->properties = (Piece) { message.data + 8, message.n - 8 };
  return type->size > 0 || fail_damaged (error);
}

/* An object of a global heap. */
static gboolean
read_heap_object (MienHdf5 *self, guint64 address, guint64 index, Piece *found, GError **error)
{
  const guint8 *head = at (self, address, 16);
  const guint64 n = head != NULL ? get (head + 8, 8) : 0;
  const guint8 *heap = at (self, address, n);

  if (head == NULL || memcmp (head, "GCOL", 4) != 0 || heap == NULL)
    return fail_damaged (error);
  for (guint64 p = 16; p + 16 <= n;) {
    const guint64 number = get (heap + p, 2), size = get (heap + p + 8, 8);

    if (!count_work (self, error))
      return FALSE;
    if (number == 0 || size > n - p - 16)
      break;
    if (number == index) {
      *found = (Piece) { heap + p + 16, size };
      return TRUE;
    }
    p += 16 + (size + 7) / 8 * 8;
  }
  return fail_damaged (error);
}

static gboolean
add_string (GPtrArray *strings, Piece text, guint64 *total, GError **error)
{
  gsize n = 0;
  char *string;

  while (n < text.n && text.data[n] != 0)
    n++;
  *total += n;
  if (strings->len >= MAX_STRINGS || *total > MAX_TEXT)
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("holds more text than any model"));
  string = g_strndup ((const char *) text.data, n);
  g_ptr_array_add (strings, string);
  return g_utf8_validate (string, (gssize) n, NULL) || mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("holds text that is not UTF-8"));
}

/* The value of an attribute of strings. */
static gboolean
read_strings (MienHdf5 *self, const Datatype *type, guint64 n_elems, Piece value, GPtrArray *strings, guint64 *total, GError **error)
{
  if ((type->class != CLASS_STRING && !(type->class == CLASS_VARIABLE && (type->bits & 15) == 1)) ||
      (type->class == CLASS_VARIABLE && type->size != 16))
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("holds an attribute that should be text and is not"));
  if (n_elems > MAX_STRINGS || n_elems * type->size > value.n)
    return fail_damaged (error);
  for (guint64 i = 0; i < n_elems; i++) {
    Piece text = { value.data + i * type->size, type->size };

    if (type->class == CLASS_VARIABLE) {
      const guint64 length = get (text.data, 4), heap = get (text.data + 4, 8), index = get (text.data + 12, 4);

      if (length == 0)
        text.n = 0;
      else if (!read_heap_object (self, heap, index, &text, error))
        return FALSE;
      text.n = MIN (text.n, length);
    }
    if (!add_string (strings, text, total, error))
      return FALSE;
  }
  return TRUE;
}

/* Reads the attribute if this message is the one of that name. */
static gboolean
read_attribute (MienHdf5 *self, Piece message, const char *name, GPtrArray *strings, guint64 *total, gboolean *found, GError **error)
{
  const int version = message.n >= 8 ? message.data[0] : 0;
  const guint64 align = version == 1 ? 8 : 1, head = version == 3 ? 9 : 8;
  guint64 sizes[3], starts[4] = { head };
  Datatype type;
  MienShape shape;
  guint64 n_elems;

  if (version < 1 || version > 3 || message.n < head)
    return fail_damaged (error);
  for (int i = 0; i < 3; i++) { /* name, datatype, dataspace; the value follows */
    sizes[i] = get (message.data + 2 + 2 * i, 2);
    starts[i + 1] = starts[i] + (sizes[i] + align - 1) / align * align;
  }
  if (starts[3] > message.n || sizes[0] < 1)
    return fail_damaged (error);
  if (sizes[0] != strlen (name) + 1 || memcmp (message.data + head, name, sizes[0] - 1) != 0)
    return TRUE;
  if (version > 1 && (message.data[1] & 3) != 0)
    return fail_unsupported (error, _("holds an attribute of a shared type"));
  *found = TRUE;
  return read_datatype ((Piece) { message.data + starts[1], sizes[1] }, &type, error) &&
         read_dataspace ((Piece) { message.data + starts[2], sizes[2] }, &shape, &n_elems, error) &&
         read_strings (self, &type, n_elems, (Piece) { message.data + starts[3], message.n - starts[3] }, strings, total, error);
}

char **
mien_hdf5_dup_strings (MienHdf5 *self, MienHdf5Object object, const char *name, GError **error)
{
  g_autoptr (GArray) messages = list_messages (self, object, error);
  g_autoptr (GPtrArray) strings = g_ptr_array_new_with_free_func (g_free);
  gboolean any = FALSE;
  guint64 total = 0;

  if (messages == NULL)
    return NULL;
  for (int part = -1; part < MAX_MESSAGES; part++) {
    g_autofree char *key = part < 0 ? g_strdup (name) : g_strdup_printf ("%s%d", name, part);
    gboolean found = FALSE;

    for (guint i = 0; i < messages->len && !found; i++) {
      const Message *message = &g_array_index (messages, Message, i);

      if (message->type == MESSAGE_ATTRIBUTE &&
          (!count_work (self, error) || !read_attribute (self, message->body, key, strings, &total, &found, error)))
        return NULL;
    }
    any |= found;
    if (found ? part < 0 : part >= 0)
      break;
  }
  if (!any)
    return NULL;
  g_ptr_array_add (strings, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&strings), FALSE);
}

/* IEEE 754, little endian: where sign, exponent and mantissa lie. */
static gboolean
is_plain_float (const Datatype *type)
{
  static const struct {
    guint64 size;
    guint8 exponent_at, n_exponent, n_mantissa;
    guint32 bias;
  } forms[] = { { 2, 10, 5, 10, 15 }, { 4, 23, 8, 23, 127 }, { 8, 52, 11, 52, 1023 } };

  for (gsize i = 0; i < G_N_ELEMENTS (forms); i++) {
    const guint8 *p = type->properties.data;

    if (type->class == CLASS_FLOAT && type->size == forms[i].size && type->properties.n >= 12 && (type->bits & 0x41) == 0 &&
        get (p, 2) == 0 && get (p + 2, 2) == 8 * forms[i].size && p[4] == forms[i].exponent_at && p[5] == forms[i].n_exponent &&
        p[6] == 0 && p[7] == forms[i].n_mantissa && get (p + 8, 4) == forms[i].bias)
      return TRUE;
  }
  return FALSE;
}

static float
half_to_float (guint16 half)
{
  const guint32 exponent = half >> 10 & 31, mantissa = half & 1023;
  guint32 bits;
  float value;

  if (exponent == 0) {
    value = (float) mantissa * 0x1p-24f;
    return half & 0x8000 ? -value : value;
  }
  bits = (guint32) (half & 0x8000) << 16 | (exponent == 31 ? 0xffu : exponent + 112) << 23 | mantissa << 13;
  memcpy (&value, &bits, sizeof value);
  return value;
}

static void
convert_floats (float *to, const guint8 *from, gsize n, guint64 size)
{
  if (size == 4) {
    memcpy (to, from, n * sizeof *to);
    return;
  }
  for (gsize i = 0; i < n; i++, from += size) {
    double wide = 0;

    memcpy (&wide, from, size == 8 ? sizeof wide : 0);
    to[i] = size == 8 ? (float) wide : half_to_float ((guint16) get (from, 2));
  }
}

/* Where the numbers lie. */
static gboolean
read_layout (const MienHdf5 *self, Piece message, Piece *data, GError **error)
{
  if (message.n < 4)
    return fail_damaged (error);
  if (message.data[0] != 3)
    return fail_unsupported (error, _("holds numbers in a form of HDF5 that Keras does not use"));
  if (message.data[1] == 0) {
    *data = (Piece) { message.data + 4, get (message.data + 2, 2) };
    return data->n <= message.n - 4 || fail_damaged (error);
  }
  if (message.data[1] != 1)
    return fail_unsupported (error, _("holds numbers in pieces (chunks)"));
  if (message.n < 18)
    return fail_damaged (error);
  data->n = get (message.data + 10, 8);
  data->data = at (self, get (message.data + 2, 8), data->n);
  return data->data != NULL || fail_damaged (error);
}

MienTensor *
mien_hdf5_read_tensor (MienHdf5 *self, MienHdf5Object object, GError **error)
{
  g_autoptr (GArray) messages = list_messages (self, object, error);
  const Message *space, *type_message, *layout;
  MienTensor *tensor;
  MienShape shape;
  Datatype type;
  Piece data = { 0 };
  guint64 n_elems;

  if (messages == NULL)
    return NULL;
  space = find_message (messages, MESSAGE_DATASPACE);
  type_message = find_message (messages, MESSAGE_DATATYPE);
  layout = find_message (messages, MESSAGE_LAYOUT);
  if (space == NULL || type_message == NULL || layout == NULL) {
    mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("holds a group where an array of numbers should be"));
    return NULL;
  }
  if (find_message (messages, MESSAGE_FILTERS) != NULL) {
    fail_unsupported (error, _("holds compressed numbers"));
    return NULL;
  }
  if (!read_dataspace (space->body, &shape, &n_elems, error) || !read_datatype (type_message->body, &type, error) ||
      !read_layout (self, layout->body, &data, error))
    return NULL;
  if (!is_plain_float (&type)) {
    fail_unsupported (error, _("holds an array that is not of floating-point numbers"));
    return NULL;
  }
  if (data.n != n_elems * type.size) { /* n_elems is below 2^30, so that this cannot overflow */
    fail_damaged (error);
    return NULL;
  }
  tensor = mien_tensor_try_new (MIEN_F32, &shape, error);
  if (tensor != NULL)
    convert_floats (mien_tensor_f32 (tensor), data.data, n_elems, type.size);
  return tensor;
}
