/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A network small enough to be worked out by hand.
 *
 *   x [1][1][8][8] -> edges: 2 horizontal differences, right minus left and left minus right, 3 x 3, padded by 1
 *   -> 2 v + 0.5 on the first map -> relu -> 2 x 2 maximum -> mix: 1 x 1, (a, b, 0.25 - a - b) -> mean of each map */
#pragma once

#include <string.h>

#include "model/mien-model.h"

static inline MienTensor *
mien_test_tensor (const float *values, int rank, ...)
{
  MienShape shape = { .rank = rank };
  MienTensor *tensor;
  va_list dims;

  va_start (dims, rank);
  for (int i = 0; i < rank; i++)
    shape.dim[i] = va_arg (dims, int);
  va_end (dims);
  tensor = mien_tensor_new (MIEN_F32, &shape);
  memcpy (tensor->data, values, mien_tensor_n_bytes (tensor));
  return tensor;
}

static inline MienModel *
mien_test_model (void)
{
  static const float edges[] = { 0, 0, 0, -1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, -1, 0, 0, 0 };
  static const float scale[] = { 2, 1 }, shift[] = { .5f, 0 }, zeros[] = { 0, 0 }, ones[] = { 1, 1 };
  static const float mix[] = { 1, 0, 0, 1, -1, -1 }, mix_bias[] = { 0, 0, .25f };
  g_autoptr (MienGraph) graph = mien_graph_new ("tiny", 13);
  const MienShape input = mien_shape (4, 1, 1, 8, 8);
  GError *error = NULL;
  MienModel *model;
  int in[5], v;

  in[0] = mien_graph_add_input (graph, "x", MIEN_F32, &input);
  in[1] = mien_graph_add_constant (graph, "edges.weight", mien_test_tensor (edges, 4, 2, 1, 3, 3));
  v = mien_graph_op (graph, "", "Conv", "edges", in, 2);
  mien_node_set_ints (mien_graph_producer (graph, v), "pads", (const gint64[]) { 1, 1, 1, 1 }, 4);
  in[0] = v;
  in[1] = mien_graph_add_constant (graph, "scale", mien_test_tensor (scale, 1, 2));
  in[2] = mien_graph_add_constant (graph, "shift", mien_test_tensor (shift, 1, 2));
  in[3] = mien_graph_add_constant (graph, "mean", mien_test_tensor (zeros, 1, 2));
  in[4] = mien_graph_add_constant (graph, "var", mien_test_tensor (ones, 1, 2));
  v = mien_graph_op (graph, "", "BatchNormalization", "norm", in, 5);
  mien_node_set_float (mien_graph_producer (graph, v), "epsilon", 0);
  v = mien_graph_op (graph, "", "Relu", "relu", &v, 1);
  v = mien_graph_op (graph, "", "MaxPool", "pool", &v, 1);
  mien_node_set_ints (mien_graph_producer (graph, v), "kernel_shape", (const gint64[]) { 2, 2 }, 2);
  mien_node_set_ints (mien_graph_producer (graph, v), "strides", (const gint64[]) { 2, 2 }, 2);
  in[0] = v;
  in[1] = mien_graph_add_constant (graph, "mix.weight", mien_test_tensor (mix, 4, 3, 2, 1, 1));
  in[2] = mien_graph_add_constant (graph, "mix.bias", mien_test_tensor (mix_bias, 1, 3));
  v = mien_graph_op (graph, "", "Conv", "", in, 3);
  v = mien_graph_op (graph, "", "GlobalAveragePool", "mean_of_map", &v, 1);
  v = mien_graph_op (graph, "", "Flatten", "flat", &v, 1);
  mien_graph_add_output (graph, v);
  g_hash_table_insert (graph->metadata, g_strdup ("mien.labels"), g_strdup ("happy,sad,neutral"));
  g_assert_true (mien_graph_sort (graph, &error));
  g_assert_no_error (error);
  model = mien_model_new (graph, &error);
  g_assert_no_error (error);
  g_assert_nonnull (model);
  return model;
}

/* Left half black, right half white. */
static inline void
mien_test_step_face (float pixels[64])
{
  for (int i = 0; i < 64; i++)
    pixels[i] = i % 8 < 4 ? 0 : 255;
}
