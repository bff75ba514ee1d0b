/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where weights begin in a file follows from what stands before them: the fields of a message are packed in the order of their numbers, so in
 * a GraphProto node (1), name (2), initializer (5), and in a TensorProto dims (1), data_type (2), name (8), raw_data (9), doc_string (12). A doc_string of
 * the node or tensor before moves them on. Source: Protocol Buffers "Encoding", onnx.proto. */
#include "mien-config.h"

#include <string.h>

#include "onnx/mien-onnx-private.h"

static gsize
varint_size (gsize value)
{
  gsize n = 1;

  for (; value >= 0x80; value >>= 7)
    n++;
  return n;
}

/* A field of length-delimited kind with a number below 16. */
static gsize
field_size (gsize length)
{
  return 1 + varint_size (length) + length;
}

static gsize
tensor_size (const Onnx__TensorProto *tensor)
{
  return field_size (onnx__tensor_proto__get_packed_size (tensor));
}

/* The graph itself begins here. */
static gsize
offset_of_graph (const Onnx__ModelProto *model, gsize graph_size)
{
  Onnx__ModelProto before = ONNX__MODEL_PROTO__INIT;

  before.has_ir_version = model->has_ir_version;
  before.ir_version = model->ir_version;
  before.producer_name = model->producer_name;
  before.producer_version = model->producer_version;
  return onnx__model_proto__get_packed_size (&before) + 1 + varint_size (graph_size);
}

/* From the beginning of a tensor's field to its payload, which is followed by a doc_string at most. */
static gsize
offset_of_payload (const Onnx__TensorProto *tensor)
{
  const gsize n = onnx__tensor_proto__get_packed_size (tensor);

  return 1 + varint_size (n) + n - tensor->raw_data.len - (tensor->doc_string != NULL ? field_size (strlen (tensor->doc_string)) : 0);
}

/* Tries ever longer texts for what stands at the end of the `before` bytes, until the payload is aligned. */
static void
pad (char **text, const Onnx__NodeProto *node, const Onnx__TensorProto *tensor, gsize before, gsize to_payload, GPtrArray *blocks)
{
  const gsize without = node != NULL ? field_size (onnx__node_proto__get_packed_size (node)) : tensor_size (tensor);

  for (gsize n = 0; (before + to_payload) % MIEN_ONNX_ALIGNMENT != 0 && n < 2 * MIEN_ONNX_ALIGNMENT; n++) {
    char *spaces = g_strnfill (n, ' ');
    g_ptr_array_add (blocks, spaces);
    *text = spaces;
    const gsize with = node != NULL ? field_size (onnx__node_proto__get_packed_size (node)) : tensor_size (tensor);
    if ((before - without + with + to_payload) % MIEN_ONNX_ALIGNMENT == 0)
      return;
  }
}

void
mien_onnx_align_payloads (Onnx__ModelProto *model, GPtrArray *blocks)
{
  Onnx__GraphProto *graph = model->graph;
  gsize assumed = 0, graph_size = onnx__graph_proto__get_packed_size (graph);

  if (graph->n_node == 0)
    return;
  /* Longer texts can make the length of the graph take a byte more. */
  for (int tries = 0; tries < 3 && varint_size (assumed) != varint_size (graph_size); tries++) {
    Onnx__NodeProto *last = graph->node[graph->n_node - 1];
    assumed = graph_size;
    last->doc_string = NULL;
    for (gsize i = 0; i < graph->n_initializer; i++)
      graph->initializer[i]->doc_string = NULL;

    gsize at = offset_of_graph (model, assumed) + (graph->name != NULL ? field_size (strlen (graph->name)) : 0);
    for (gsize i = 0; i < graph->n_node; i++)
      at += field_size (onnx__node_proto__get_packed_size (graph->node[i]));
    for (gsize i = 0; i < graph->n_initializer; i++) {
      Onnx__TensorProto *tensor = graph->initializer[i], *before = i > 0 ? graph->initializer[i - 1] : NULL;
      const gsize size_before = before != NULL ? tensor_size (before) : field_size (onnx__node_proto__get_packed_size (last));
      if (tensor->raw_data.len >= MIEN_ONNX_TAKEN_BYTES)
        pad (before != NULL ? &before->doc_string : &last->doc_string, before != NULL ? NULL : last, before, at, offset_of_payload (tensor), blocks);
      at += (before != NULL ? tensor_size (before) : field_size (onnx__node_proto__get_packed_size (last))) - size_before;
      at += tensor_size (tensor);
    }
    graph_size = onnx__graph_proto__get_packed_size (graph);
  }
}
