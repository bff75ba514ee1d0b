/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guard before protobuf-c: one pass over the wire format, driven by the same descriptors, with a fixed stack.
 * Source: Protocol Buffers "Encoding". */
#include "mien-config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "onnx/mien-onnx-private.h"

#define MAX_DEPTH 32               /* a network without subgraphs needs 7 */
#define MAX_FIELDS 8000000         /* each costs protobuf-c some 40 bytes while it unpacks */
#define MAX_MESSAGES 1000000       /* each costs some 200 bytes */
#define MAX_UNPACKED (G_GUINT64_CONSTANT (1) << 30)
#define MAX_FIELD_NUMBER 1000      /* ONNX stays far below; larger ones are garbage */

enum { WIRE_VARINT = 0, WIRE_64BIT = 1, WIRE_LENGTH = 2, WIRE_32BIT = 5 };

typedef struct {
  const ProtobufCMessageDescriptor *descriptor; /* NULL in messages that are not known */
  gsize end;
  guint64 seen; /* bit per singular message or oneof */
} Level;

static gboolean
fail_damaged (GError **error, gsize position, const char *what)
{
  g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT, _("is not an ONNX network, or is damaged: %s at byte %zu"),
               what, position);
  return FALSE;
}

static gboolean
fail_cut (GError **error, gsize missing)
{
  g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT,
               _("is cut off, or is not an ONNX network (missing bytes: %zu); get the file again"),
               missing);
  return FALSE;
}

static gboolean
read_varint (const guint8 *data, gsize end, gsize *position, guint64 *value)
{
  *value = 0;
  for (int shift = 0; shift < 70 && *position < end; shift += 7) {
    const guint8 byte = data[(*position)++];

    *value |= shift < 64 ? (guint64) (byte & 0x7f) << shift : 0;
    if (!(byte & 0x80))
      return TRUE;
  }
  return FALSE;
}

static int
wire_type_of (ProtobufCType type)
{
  switch (type) {
  case PROTOBUF_C_TYPE_SFIXED32:
  case PROTOBUF_C_TYPE_FIXED32:
  case PROTOBUF_C_TYPE_FLOAT:
    return WIRE_32BIT;
  case PROTOBUF_C_TYPE_SFIXED64:
  case PROTOBUF_C_TYPE_FIXED64:
  case PROTOBUF_C_TYPE_DOUBLE:
    return WIRE_64BIT;
  case PROTOBUF_C_TYPE_STRING:
  case PROTOBUF_C_TYPE_BYTES:
  case PROTOBUF_C_TYPE_MESSAGE:
    return WIRE_LENGTH;
  default:
    return WIRE_VARINT;
  }
}

/* A bit for fields that may stand in a message once only; fields of one "oneof" share theirs. */
static guint64
bit_of (const ProtobufCMessageDescriptor *descriptor, const ProtobufCFieldDescriptor *field)
{
  if (field->label == PROTOBUF_C_LABEL_REPEATED)
    return 0;
  if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
    for (unsigned i = 0; i < descriptor->n_fields && i < 64; i++)
      if ((descriptor->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
          descriptor->fields[i].quantifier_offset == field->quantifier_offset)
        return G_GUINT64_CONSTANT (1) << i;
  }
  if (field->type == PROTOBUF_C_TYPE_MESSAGE && field - descriptor->fields < 64)
    return G_GUINT64_CONSTANT (1) << (field - descriptor->fields);
  return 0;
}

gboolean
mien_onnx_scan (const ProtobufCMessageDescriptor *descriptor, const guint8 *data, gsize n, GError **error)
{
  Level levels[MAX_DEPTH] = { { .descriptor = descriptor, .end = n } };
  int depth = 1;
  gsize position = 0;
  guint64 n_fields = 0, n_messages = 0, unpacked = 0;

  while (depth > 0) {
    Level *level = &levels[depth - 1];
    const ProtobufCFieldDescriptor *field = NULL;
    const gsize start = position;
    guint64 tag, length;
    int wire;

    if (position == level->end) {
      depth--;
      continue;
    }
    if (!read_varint (data, level->end, &position, &tag))
      return position == n ? fail_cut (error, 1) : fail_damaged (error, start, _("an unfinished number"));
    wire = tag & 7;
    if (tag >> 3 == 0 || tag >> 3 > MAX_FIELD_NUMBER)
      return fail_damaged (error, start, _("an impossible field"));
    if (level->descriptor != NULL)
      field = protobuf_c_message_descriptor_get_field (level->descriptor, tag >> 3);
    if (field != NULL && wire != wire_type_of (field->type) &&
        !(wire == WIRE_LENGTH && field->label == PROTOBUF_C_LABEL_REPEATED && wire_type_of (field->type) != WIRE_LENGTH))
      return fail_damaged (error, start, _("a field of the wrong kind"));
    if (field != NULL) {
      const guint64 bit = bit_of (level->descriptor, field);

      if (level->seen & bit)
        return fail_damaged (error, start, _("a field that may stand there only once"));
      level->seen |= bit;
    }
    if (++n_fields > MAX_FIELDS)
      goto too_many;

    switch (wire) {
    case WIRE_VARINT:
      if (!read_varint (data, level->end, &position, &length))
        return position == n ? fail_cut (error, 1) : fail_damaged (error, start, _("an unfinished number"));
      continue;
    case WIRE_64BIT:
      length = 8;
      break;
    case WIRE_32BIT:
      length = 4;
      break;
    case WIRE_LENGTH:
      if (!read_varint (data, level->end, &position, &length))
        return position == n ? fail_cut (error, 1) : fail_damaged (error, start, _("an unfinished number"));
      break;
    default:
      return fail_damaged (error, start, _("an impossible field"));
    }
    if (length > level->end - position) {
      if (level->end == n)
        return fail_cut (error, length - (n - position));
      return fail_damaged (error, start, _("a length beyond the end of its field"));
    }
    if (field != NULL && field->type == PROTOBUF_C_TYPE_MESSAGE) {
      if (++n_messages > MAX_MESSAGES)
        goto too_many;
      if (depth == MAX_DEPTH) {
        g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_UNSUPPORTED,
                     _("holds graphs nested too deeply (at byte %zu); networks with branches or loops are not supported"), start);
        return FALSE;
      }
      levels[depth++] = (Level) { .descriptor = field->descriptor, .end = position + length };
      continue;
    }
    if (field != NULL && field->type == PROTOBUF_C_TYPE_STRING && strcmp (field->name, "doc_string") != 0 &&
        !g_utf8_validate_len ((const char *) data + position, length, NULL)) {
      g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT, _("is damaged: field \"%s\" at byte %zu is not UTF-8 text"),
                   field->name, start);
      return FALSE;
    }
    /* Packed numbers: a byte each on the wire, up to eight in memory. */
    if (field != NULL && field->label == PROTOBUF_C_LABEL_REPEATED && wire_type_of (field->type) == WIRE_VARINT) {
      unpacked += 8 * length;
      if (unpacked > MAX_UNPACKED)
        goto too_many;
    }
    position += length;
  }
  return TRUE;

too_many:
  g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_SIZE, _("has more parts than a network of this program may have (at byte %zu)"),
               position);
  return FALSE;
}

static gboolean
starts_with (const guint8 *data, gsize n, const char *start, gsize length)
{
  return n >= length && memcmp (data, start, length) == 0;
}

const char *
mien_onnx_sniff (const guint8 *data, gsize n)
{
  const gsize looked_at = MIN (n, 256);
  gsize n_text = 0;

  if (n == 0)
    return _("is empty; get the file again");
  if (starts_with (data, n, "version https://git-lfs", 23))
    return _("is a Git LFS pointer, not the network itself; fetch the real file with “git lfs pull” or from the project's page");
  if (starts_with (data, n, "\x89HDF\r\n", 6))
    return _("is an HDF5 file (Keras), not ONNX; convert it with “mien-cli convert”");
  if (starts_with (data, n, "PK\3\4", 4))
    return _("is a ZIP archive (PyTorch and Keras save such files), not ONNX; export the network as ONNX");
  if (starts_with (data, n, "\x89PNG", 4) || starts_with (data, n, "\xff\xd8\xff", 3) || starts_with (data, n, "GIF8", 4))
    return _("is a picture, not an ONNX network");
  while (n_text < looked_at && (data[n_text] >= 0x20 ? data[n_text] != 0x7f : strchr ("\t\n\r", data[n_text]) != NULL && data[n_text] != 0))
    n_text++;
  if (n_text < looked_at)
    return NULL;
  while (n_text > 0 && g_ascii_isspace (*data)) {
    data++;
    n_text--;
  }
  if (n_text > 1 && data[0] == '<' && (data[1] == '!' || g_ascii_isalpha (data[1])))
    return _("is a web page, not an ONNX network; the download went wrong, get the file itself");
  return _("is text, not an ONNX network");
}
