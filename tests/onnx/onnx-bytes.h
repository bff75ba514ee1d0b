/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Protocol Buffers written by hand, so that tests of the reader do not depend on the writer. Field numbers are onnx.proto's. */
#pragma once

#include <glib.h>
#include <string.h>

static inline void
put_varint (GByteArray *to, guint64 value)
{
  do {
    const guint8 byte = (value & 0x7f) | (value > 0x7f ? 0x80 : 0);

    g_byte_array_append (to, &byte, 1);
    value >>= 7;
  } while (value > 0);
}

static inline void
put_int (GByteArray *to, int field, gint64 value)
{
  put_varint (to, field << 3);
  put_varint (to, (guint64) value);
}

static inline void
put_bytes (GByteArray *to, int field, gconstpointer data, gsize n)
{
  put_varint (to, field << 3 | 2);
  put_varint (to, n);
  g_byte_array_append (to, data, n);
}

static inline void
put_text (GByteArray *to, int field, const char *text)
{
  put_bytes (to, field, text, strlen (text));
}

/* Frees the message. */
static inline void
put_message (GByteArray *to, int field, GByteArray *message)
{
  put_bytes (to, field, message->data, message->len);
  g_byte_array_unref (message);
}

static inline GByteArray *
make_value_info (const char *name, int type, const gint64 *dims, int n_dims)
{
  GByteArray *info = g_byte_array_new (), *outer = g_byte_array_new (), *tensor = g_byte_array_new (), *shape = g_byte_array_new ();

  for (int i = 0; i < n_dims; i++) {
    GByteArray *dim = g_byte_array_new ();

    if (dims[i] >= 0)
      put_int (dim, 1, dims[i]);
    else
      put_text (dim, 2, "batch");
    put_message (shape, 1, dim);
  }
  put_int (tensor, 1, type);
  put_message (tensor, 2, shape);
  put_message (outer, 1, tensor);
  put_text (info, 1, name);
  put_message (info, 2, outer);
  return info;
}

static inline GByteArray *
make_node (const char *op, const char *a, const char *b, const char *output)
{
  GByteArray *node = g_byte_array_new ();

  put_text (node, 1, a);
  if (b != NULL)
    put_text (node, 1, b);
  put_text (node, 2, output);
  put_text (node, 3, "n");
  put_text (node, 4, op);
  return node;
}

/* Consumes graph. */
static inline GByteArray *
make_model (int ir, int opset, GByteArray *graph)
{
  GByteArray *model = g_byte_array_new (), *import = g_byte_array_new ();

  put_int (model, 1, ir);
  put_message (model, 7, graph);
  put_int (import, 2, opset);
  put_message (model, 8, import);
  return model;
}

/* y[2] = x[2] + w[2] with the given initializer (field 5), which is consumed and must be called w. */
static inline GByteArray *
make_add_model (GByteArray *w)
{
  static const gint64 dims[] = { 2 };
  GByteArray *graph = g_byte_array_new ();

  put_message (graph, 1, make_node ("Add", "x", "w", "y"));
  put_text (graph, 2, "g");
  put_message (graph, 5, w);
  put_message (graph, 11, make_value_info ("x", 1, dims, 1));
  put_message (graph, 12, make_value_info ("y", 1, dims, 1));
  return make_model (7, 13, graph);
}

/* A TensorProto of the given type and one dimension; its data are for the caller to add. */
static inline GByteArray *
make_tensor (const char *name, int type, gint64 n)
{
  GByteArray *tensor = g_byte_array_new ();

  put_int (tensor, 1, n);
  put_int (tensor, 2, type);
  put_text (tensor, 8, name);
  return tensor;
}

/* x and y, of any number of pairs, and no node yet. */
static inline GByteArray *
make_graph (void)
{
  static const gint64 dims[] = { -1, 2 };
  GByteArray *graph = g_byte_array_new ();

  put_message (graph, 11, make_value_info ("x", 1, dims, 2));
  put_message (graph, 12, make_value_info ("y", 1, dims, 2));
  return graph;
}
