/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading and writing ONNX files.
 *
 * File     a serialised ModelProto (onnx.proto of libonnx-dev, parsed by protobuf-c): ir_version, opset_import, graph { node,
 *          initializer, input, output, value_info }, metadata_props
 * Subset   IR version 3..10, default domain opset 1..22 (operators are looked up when the plan is made); no subgraphs, no
 *          functions, no sparse or string tensors; external data only inside the model's own folder, not through links.
 *          doc strings, training info and quantisation annotations are passed over
 * Limits   file 1 GiB, external data 1 GiB; 100,000 nodes; 100,000 values; messages nested 32 deep; names, types and that every
 *          tensor's size matches its shape exactly are checked before memory is taken
 * Errors   MIEN_NN_ERROR; the message begins with the file's name and names node, tensor or field
 * Thread   pure
 * Source   onnx.proto (IR specification), ONNX External Data specification */
#pragma once

#include "nn/mien-graph.h"

G_BEGIN_DECLS

MienGraph *mien_onnx_read (const char *path, GError **error);

/* The same for who packs the weights right away: large ones stay in the file, open until then (mien_tensor_is_away()). */
MienGraph *mien_onnx_read_away (const char *path, GError **error);

/* name: for messages; folder: where external data may lie, NULL to refuse it. */
MienGraph *mien_onnx_read_bytes (const void *data, gsize n_bytes, const char *name, const char *folder, GError **error);

/* A serialised TensorProto (the conformance tests' .pb files). */
MienTensor *mien_onnx_read_tensor (const char *path, GError **error);

/* IR version 8, the graph's opset, weights inside. Written atomically (write, fsync, rename). Parameters are written as
 * initializers. Nodes of domain "mien" cannot be written: MIEN_NN_ERROR_UNSUPPORTED. */
gboolean mien_onnx_write (const MienGraph *graph, const char *path, GError **error);
GBytes *mien_onnx_write_bytes (const MienGraph *graph, GError **error);

G_END_DECLS
