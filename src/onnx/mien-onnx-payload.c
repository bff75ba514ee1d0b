/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nine tenths of a network's file are weights, in ModelProto.graph.initializer.raw_data. protobuf-c would copy them; here the rest is copied
 * instead, with the lengths that it has without them. */
#include "mien-config.h"

#include <string.h>

#include "onnx/mien-onnx-private.h"

enum { ALIGNMENT = 16, TO_PAYLOAD = 3, WINDOW_BYTES = 4096 };

/* What leads to a payload, from the model on: numbers of fields of length-delimited kind. */
static const guint64 fields[TO_PAYLOAD] = { 7, 5, 9 };

typedef struct {
  int fd;              /* -1: the window holds all */
  const guint8 *window;
  gsize start, n_here; /* the part of the file that the window holds */
  gsize n_bytes;
  GArray *payloads;
  gsize n_cut;
  gboolean odd; /* not worth understanding, or no serialised message at all */
  guint8 buffer[WINDOW_BYTES];
} Cutter;

static guint8
byte_at (Cutter *self, gsize position)
{
  if (position - self->start < self->n_here)
    return self->window[position - self->start];
  if (self->fd < 0 || position >= self->n_bytes) {
    self->odd = TRUE;
    return 0;
  }
  self->window = self->buffer;
  self->start = position;
  self->n_here = MIN (WINDOW_BYTES, self->n_bytes - position);
  if (!mien_file_read (self->fd, position, self->buffer, self->n_here, NULL)) {
    self->odd = TRUE;
    self->n_here = 0;
    return 0;
  }
  return self->buffer[0];
}

static guint64
read_varint (Cutter *self, gsize *position)
{
  guint64 value = 0;

  for (int shift = 0; shift < 70; shift += 7) {
    const guint8 byte = byte_at (self, (*position)++);

    value |= shift < 64 ? (guint64) (byte & 0x7f) << shift : 0;
    if (!(byte & 0x80))
      return value;
  }
  self->odd = TRUE;
  return 0;
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

/* A field of a message depth fields below the model. */
typedef struct {
  guint64 tag;
  gsize content, end; /* where it begins behind its tag and length, and where it ends */
  gboolean leads_on;  /* towards a payload */
  gboolean is_payload;
} Field;

static Field
read_field (Cutter *self, gsize start, gsize end, int depth)
{
  static const guint64 lengths[8] = { [1] = 8, [5] = 4 };
  gsize position = start;
  const guint64 tag = read_varint (self, &position);
  const int wire = tag & 7;
  const gboolean wanted = tag == (fields[depth] << 3 | 2);
  guint64 length = lengths[wire];

  if (wire == 0)
    read_varint (self, &position);
  else if (wire == 2)
    length = read_varint (self, &position);
  self->odd |= wire == 3 || wire == 4 || wire > 5 || position > end || length > end - position;
  return (Field) {
    .tag = tag,
    .content = position,
    .end = self->odd ? end : position + length,
    .leads_on = wanted && depth < TO_PAYLOAD - 1,
    .is_payload = wanted && depth == TO_PAYLOAD - 1 && length >= MIEN_ONNX_TAKEN_BYTES,
  };
}

static void
append_part (Cutter *self, gsize start, gsize end, GByteArray *to)
{
  const guint before = to->len;

  g_byte_array_set_size (to, before + (guint) (end - start));
  if (start >= self->start && end - self->start <= self->n_here)
    memcpy (to->data + before, self->window + (start - self->start), end - start);
  else
    self->odd |= !mien_file_read (self->fd, start, to->data + before, end - start, NULL);
}

/* The message from start to end without its payloads. */
static void
append_rest (Cutter *self, gsize start, gsize end, int depth, GByteArray *to)
{
  for (gsize position = start; position < end && !self->odd;) {
    const Field field = read_field (self, position, end, depth);

    if (field.leads_on && depth == TO_PAYLOAD - 2)
      g_array_append_val (self->payloads, ((MienOnnxPayload) { 0 }));
    if (field.leads_on) {
      g_autoptr (GByteArray) inner = g_byte_array_new ();

      append_rest (self, field.content, field.end, depth + 1, inner);
      append_varint (to, field.tag);
      append_varint (to, inner->len);
      g_byte_array_append (to, inner->data, inner->len);
    } else if (field.is_payload) {
      MienOnnxPayload *payload = &g_array_index (self->payloads, MienOnnxPayload, self->payloads->len - 1);
      self->odd |= payload->n > 0;
      *payload = (MienOnnxPayload) { field.content, field.end - field.content };
      self->n_cut += payload->n;
    } else if (field.end - position <= self->n_bytes / 2 - MIN (to->len, self->n_bytes / 2)) {
      append_part (self, position, field.end, to);
    } else {
      self->odd = TRUE;
    }
    position = field.end;
  }
}

static GByteArray *
cut (Cutter *self)
{
  g_autoptr (GByteArray) rest = g_byte_array_new ();

  append_rest (self, 0, self->n_bytes, 0, rest);
  return self->odd || self->n_cut < self->n_bytes / 2 ? NULL : g_steal_pointer (&rest);
}

/* Moves payloads down to the next aligned place, over the tags and lengths in front of them. FALSE when there is no room; nothing is moved then. */
static gboolean
align (guint8 *data, GArray *payloads)
{
  for (int moving = 0; moving < 2; moving++) {
    gsize end = 0; /* of the payload before, where it was */

    for (guint i = 0; i < payloads->len; i++) {
      MienOnnxPayload *payload = &g_array_index (payloads, MienOnnxPayload, i);
      const gsize off = payload->offset % ALIGNMENT;

      if (payload->n == 0)
        continue;
      if (off > payload->offset - end)
        return FALSE;
      end = payload->offset + payload->n;
      if (moving && off > 0)
        memmove (data + payload->offset - off, data + payload->offset, payload->n);
      payload->offset -= moving ? off : 0;
    }
  }
  return TRUE;
}

GByteArray *
mien_onnx_cut_payloads (guint8 *data, gsize n_bytes, GArray *payloads)
{
  Cutter self = { .fd = -1, .window = data, .n_here = n_bytes, .n_bytes = n_bytes, .payloads = payloads };
  g_autoptr (GByteArray) rest = cut (&self);

  return rest != NULL && align (data, payloads) ? g_steal_pointer (&rest) : NULL;
}

GByteArray *
mien_onnx_cut_file (int fd, gsize n_bytes, GArray *payloads)
{
  Cutter self = { .fd = fd, .n_bytes = n_bytes, .payloads = payloads };

  return cut (&self);
}
