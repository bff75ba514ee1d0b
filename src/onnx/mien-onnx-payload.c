/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nine tenths of a network's file are weights, in ModelProto.graph.initializer.raw_data. protobuf-c would copy them; here the rest is copied
 * instead, with the lengths that it has without them. */
#include "mien-config.h"

#include <string.h>

#include "onnx/mien-onnx-private.h"

enum { ALIGNMENT = 16, TO_PAYLOAD = 3 };

/* What leads to a payload, from the model on: numbers of fields of length-delimited kind. */
static const guint64 fields[TO_PAYLOAD] = { 7, 5, 9 };

typedef struct {
  guint8 *data;
  GArray *payloads;
  gsize n_cut;
  gboolean twice; /* a tensor has two payloads: not worth understanding */
} Cutter;

static guint64
read_varint (const guint8 *data, gsize *position)
{
  guint64 value = 0;

  for (int shift = 0;; shift += 7) {
    const guint8 byte = data[(*position)++];

    value |= shift < 64 ? (guint64) (byte & 0x7f) << shift : 0;
    if (!(byte & 0x80))
      return value;
  }
}

static void
append_varint (GByteArray *to, guint64 value)
{
  guint8 byte;

  for (; value >= 0x80; value >>= 7) {
    byte = (guint8) value | 0x80;
    g_byte_array_append (to, &byte, 1);
  }
  byte = (guint8) value;
  g_byte_array_append (to, &byte, 1);
}

/* The message from start to end, depth fields below the model, to `to`. NULL: only finds the payloads. */
static void
copy_message (Cutter *self, gsize start, gsize end, int depth, GByteArray *to)
{
  for (gsize position = start; position < end;) {
    const gsize field = position;
    const guint64 tag = read_varint (self->data, &position);
    guint64 length = 0;

    if ((tag & 7) == 0)
      read_varint (self->data, &position);
    else
      length = (tag & 7) == 2 ? read_varint (self->data, &position) : (tag & 7) == 1 ? 8 : 4;
    if (tag != (fields[depth] << 3 | 2) || (depth == TO_PAYLOAD - 1 && length < MIEN_ONNX_TAKEN_BYTES)) {
      if (to != NULL)
        g_byte_array_append (to, self->data + field, (guint) (position + length - field));
    } else if (depth < TO_PAYLOAD - 1) {
      g_autoptr (GByteArray) inner = to != NULL ? g_byte_array_new () : NULL;

      if (to == NULL && depth == TO_PAYLOAD - 2)
        g_array_append_val (self->payloads, ((MienOnnxPayload) { NULL, 0 }));
      copy_message (self, position, position + length, depth + 1, inner);
      if (to != NULL) {
        append_varint (to, tag);
        append_varint (to, inner->len);
        g_byte_array_append (to, inner->data, inner->len);
      }
    } else if (to == NULL) {
      MienOnnxPayload *payload = &g_array_index (self->payloads, MienOnnxPayload, self->payloads->len - 1);

      self->twice |= payload->data != NULL;
      *payload = (MienOnnxPayload) { self->data + position, length };
      self->n_cut += length;
    }
    position += length;
  }
}

/* Moves payloads down to the next aligned place, over the tags and lengths in front of them. FALSE when there is no room; nothing is moved then. */
static gboolean
align (const guint8 *data, GArray *payloads)
{
  for (int moving = 0; moving < 2; moving++) {
    const guint8 *end = data; /* of the payload before, where it was */

    for (guint i = 0; i < payloads->len; i++) {
      MienOnnxPayload *payload = &g_array_index (payloads, MienOnnxPayload, i);
      const gsize off = (gsize) payload->data % ALIGNMENT;

      if (payload->data == NULL)
        continue;
      if (off > (gsize) (payload->data - end))
        return FALSE;
      end = payload->data + payload->n;
      if (moving && off > 0)
        memmove (payload->data - off, payload->data, payload->n);
      payload->data -= moving ? off : 0;
    }
  }
  return TRUE;
}

GByteArray *
mien_onnx_cut_payloads (guint8 *data, gsize n, GArray *payloads)
{
  Cutter self = { .data = data, .payloads = payloads };
  GByteArray *rest;

  copy_message (&self, 0, n, 0, NULL);
  if (self.twice || self.n_cut < n / 2)
    return NULL;
  rest = g_byte_array_new ();
  copy_message (&self, 0, n, 0, rest);
  if (!align (data, payloads))
    g_clear_pointer (&rest, g_byte_array_unref);
  return rest;
}
