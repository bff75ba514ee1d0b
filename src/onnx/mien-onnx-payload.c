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
  guint8 bytes[10];
  guint n = 0;

  for (; value >= 0x80; value >>= 7)
    bytes[n++] = (guint8) value | 0x80;
  bytes[n++] = (guint8) value;
  g_byte_array_append (to, bytes, n);
}

static gsize
varint_length (guint64 value)
{
  gsize n = 1;

  while (value >>= 7)
    n++;
  return n;
}

/* A field of a message depth fields below the model. */
typedef struct {
  guint64 tag;
  gsize content, end; /* where it begins behind its tag and length, and where it ends */
  gboolean leads_on;  /* towards a payload */
  gboolean is_payload;
} Field;

static Field
read_field (const Cutter *self, gsize start, int depth)
{
  gsize position = start;
  const guint64 tag = read_varint (self->data, &position);
  guint64 length = 0;
  gboolean wanted;

  if ((tag & 7) == 0)
    read_varint (self->data, &position);
  else
    length = (tag & 7) == 2 ? read_varint (self->data, &position) : (tag & 7) == 1 ? 8 : 4;
  wanted = tag == (fields[depth] << 3 | 2);
  return (Field) {
    .tag = tag,
    .content = position,
    .end = position + length,
    .leads_on = wanted && depth < TO_PAYLOAD - 1,
    .is_payload = wanted && depth == TO_PAYLOAD - 1 && length >= MIEN_ONNX_TAKEN_BYTES,
  };
}

static void
find_payloads (Cutter *self, gsize start, gsize end, int depth)
{
  for (gsize position = start; position < end;) {
    const Field field = read_field (self, position, depth);

    if (field.leads_on && depth == TO_PAYLOAD - 2)
      g_array_append_val (self->payloads, ((MienOnnxPayload) { NULL, 0 }));
    if (field.leads_on)
      find_payloads (self, field.content, field.end, depth + 1);
    if (field.is_payload) {
      MienOnnxPayload *payload = &g_array_index (self->payloads, MienOnnxPayload, self->payloads->len - 1);
      self->twice |= payload->data != NULL;
      *payload = (MienOnnxPayload) { self->data + field.content, field.end - field.content };
      self->n_cut += payload->n;
    }
    position = field.end;
  }
}

/* Of the message from start to end without its payloads. */
static gsize
rest_length (const Cutter *self, gsize start, gsize end, int depth)
{
  gsize n = 0;

  for (gsize position = start; position < end;) {
    const Field field = read_field (self, position, depth);
    const gsize inner = field.leads_on ? rest_length (self, field.content, field.end, depth + 1) : 0;

    if (field.leads_on)
      n += varint_length (field.tag) + varint_length (inner) + inner;
    else if (!field.is_payload)
      n += field.end - position;
    position = field.end;
  }
  return n;
}

static void
copy_rest (const Cutter *self, gsize start, gsize end, int depth, GByteArray *to)
{
  for (gsize position = start; position < end;) {
    const Field field = read_field (self, position, depth);

    if (field.leads_on) {
      append_varint (to, field.tag);
      append_varint (to, rest_length (self, field.content, field.end, depth + 1));
      copy_rest (self, field.content, field.end, depth + 1, to);
    } else if (!field.is_payload) {
      g_byte_array_append (to, self->data + position, (guint) (field.end - position));
    }
    position = field.end;
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

  find_payloads (&self, 0, n, 0);
  if (self.twice || self.n_cut < n / 2)
    return NULL;
  rest = g_byte_array_sized_new ((guint) rest_length (&self, 0, n, 0));
  copy_rest (&self, 0, n, 0, rest);
  if (!align (data, payloads))
    g_clear_pointer (&rest, g_byte_array_unref);
  return rest;
}
