/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mien-fuzz.h"

#include "nn/ops/mien-ops.h"
#include "onnx/mien-onnx.h"

static const MienOp *const families[] = { mien_ops_binary, mien_ops_cast, mien_ops_conv, mien_ops_gemm, mien_ops_instance, mien_ops_move, mien_ops_norm,
                                          mien_ops_pool, mien_ops_reduce, mien_ops_resize, mien_ops_select, mien_ops_shape, mien_ops_slice, mien_ops_softmax,
                                          mien_ops_unary };

static int
add_f32 (MienGraph *graph, const MienShape *shape)
{
  MienTensor *tensor = mien_tensor_new (MIEN_F32, shape);

  for (gsize i = 0; i < tensor->n_elems; i++)
    mien_tensor_f32 (tensor)[i] = (float) ((int) (i * 7 % 11) - 5) * 0.125f;
  return mien_graph_add_constant (graph, NULL, tensor);
}

static int
add_ints (MienGraph *graph, gint64 a, gint64 b, gint64 c, gint64 d, int n)
{
  const gint64 values[] = { a, b, c, d };

  return mien_graph_add_constant (graph, NULL, mien_tensor_new_i64 (values, n));
}

/* Second inputs and attributes that the operator can do something with; what stands here is tried first, what does not fit is
 * refused and still worth a byte. */
static int
add_second (MienGraph *graph, const char *op)
{
  static const char *const with_shape[] = { "Reshape", "Expand", NULL }, *const with_axes[] = { "Squeeze", "Unsqueeze", "ReduceSum", NULL };
  static const char *const with_pads[] = { "Pad", NULL }, *const with_one[] = { "TopK", "Gather", NULL };
  const MienShape like = mien_shape (4, 1, 2, 6, 6), kernel = mien_shape (4, 2, 2, 3, 3), channel = mien_shape (1, 2);
  const MienShape matrix = mien_shape (2, 6, 5), boxes = mien_shape (3, 1, 1, 6);

  if (g_strv_contains (with_shape, op))
    return add_ints (graph, 1, 2, 6, 6, 4);
  if (g_strv_contains (with_axes, op))
    return add_ints (graph, 0, 0, 0, 0, 1);
  if (g_strv_contains (with_pads, op))
    return mien_graph_add_constant (graph, NULL, mien_tensor_new_i64 ((const gint64[]) { 0, 0, 1, 1, 0, 0, 2, -1 }, 8));
  if (g_strv_contains (with_one, op))
    return add_ints (graph, 1, 0, 0, 0, 1);
  if (g_str_equal (op, "Tile") || g_str_equal (op, "Slice"))
    return add_ints (graph, 1, 1, 2, 1, 4);
  if (g_str_equal (op, "Split"))
    return add_ints (graph, 1, 1, 0, 0, 2);
  if (g_str_has_prefix (op, "Conv"))
    return add_f32 (graph, &kernel);
  if (g_str_equal (op, "Gemm") || g_str_equal (op, "MatMul"))
    return add_f32 (graph, &matrix);
  if (g_str_equal (op, "NonMaxSuppression"))
    return add_f32 (graph, &boxes);
  if (g_str_equal (op, "BatchNormalization") || g_str_equal (op, "InstanceNormalization") || g_str_equal (op, "PRelu"))
    return add_f32 (graph, &channel);
  return add_f32 (graph, &like);
}

static GBytes *
make_network (const MienOp *op, gboolean empty)
{
  const gboolean flat = g_str_equal (op->name, "Gemm"), boxes = g_str_equal (op->name, "NonMaxSuppression");
  g_autoptr (MienGraph) graph = mien_graph_new ("seed", op->until != 0 ? MIN (op->until, 17) : MAX (op->since, 13));
  const MienShape shape = flat ? mien_shape (2, 4, 6) : boxes ? mien_shape (3, 1, 6, 4) : mien_shape (4, 1, 2, empty ? 0 : 6, 6);
  const int x = mien_graph_add_input (graph, "x", MIEN_F32, &shape);
  int inputs[5] = { x }, n = CLAMP (op->min_inputs, 0, 5);
  const gint64 twos[] = { 2, 2 }, one[] = { 1 };

  if (op->max_inputs < 0 || (op->max_inputs > 1 && n == 1 && g_str_equal (op->name, "Split")))
    n = 2;
  for (int i = 1; i < n; i++)
    inputs[i] = add_second (graph, op->name);
  const int before = n > 0 ? mien_graph_op (graph, "", "Relu", "before", &x, 1) : -1;
  if (n > 0)
    inputs[0] = before;
  const int y = mien_graph_op (graph, op->domain, op->name, "node", inputs, n);
  MienNode *node = mien_graph_producer (graph, y);
  if (g_str_has_suffix (op->name, "Pool") && !g_str_has_prefix (op->name, "Global"))
    mien_node_set_ints (node, "kernel_shape", twos, 2);
  if (g_str_has_prefix (op->name, "Conv"))
    mien_node_set_ints (node, "strides", twos, 2);
  if (g_str_equal (op->name, "LRN"))
    mien_node_set_int (node, "size", 3);
  if (g_str_equal (op->name, "Cast"))
    mien_node_set_int (node, "to", MIEN_I32);
  if (g_str_equal (op->name, "DepthToSpace") || g_str_equal (op->name, "SpaceToDepth"))
    mien_node_set_int (node, "blocksize", 2);
  if (g_str_equal (op->name, "Constant"))
    mien_node_set_ints (node, "value_ints", twos, 2);
  if (op->until != 0 && (g_str_equal (op->name, "Squeeze") || g_str_equal (op->name, "Unsqueeze")))
    mien_node_set_ints (node, "axes", one, 1);
  if (op->until != 0 && g_str_equal (op->name, "Reshape"))
    mien_node_set_ints (node, "shape", (const gint64[]) { 2, -1 }, 2);
  mien_graph_add_output (graph, y);
  return mien_onnx_write_bytes (graph, NULL);
}

/* A face network in little: convolution, normalisation, residual, pooling, shape arithmetic, dense layer, softmax. */
static GBytes *
make_face_network (gboolean open)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("faces", 13);
  MienShape shape = mien_shape (4, 1, 1, 8, 8);
  const MienShape first = mien_shape (4, 4, 1, 3, 3), next = mien_shape (4, 4, 4, 3, 3), channel = mien_shape (1, 4), dense = mien_shape (2, 64, 7);
  const gint64 pads[] = { 1, 1, 1, 1 }, two[] = { 2, 2 };

  if (open)
    shape.dim[0] = -1;
  const int x = mien_graph_add_input (graph, "face", MIEN_F32, &shape);
  const int conv = mien_graph_op (graph, "", "Conv", "conv_1", (const int[]) { x, add_f32 (graph, &first), add_f32 (graph, &channel) }, 3);
  mien_node_set_ints (mien_graph_producer (graph, conv), "pads", pads, 4);
  const int scale = add_f32 (graph, &channel);
  MienTensor *var = mien_tensor_new (MIEN_F32, &channel);
  for (int i = 0; i < 4; i++)
    mien_tensor_f32 (var)[i] = 0.5f + (float) i;
  const int variance = mien_graph_add_constant (graph, NULL, var);
  const int norm = mien_graph_op (graph, "", "BatchNormalization", "norm_1", (const int[]) { conv, scale, scale, scale, variance }, 5);
  const int relu = mien_graph_op (graph, "", "Relu", "relu_1", &norm, 1);
  const int conv_2 = mien_graph_op (graph, "", "Conv", "conv_2", (const int[]) { relu, add_f32 (graph, &next) }, 2);
  mien_node_set_ints (mien_graph_producer (graph, conv_2), "pads", pads, 4);
  const int sum = mien_graph_op (graph, "", "Add", "add", (const int[]) { conv_2, relu }, 2);
  const int pool = mien_graph_op (graph, "", "MaxPool", "pool", &sum, 1);
  mien_node_set_ints (mien_graph_producer (graph, pool), "kernel_shape", two, 2);
  mien_node_set_ints (mien_graph_producer (graph, pool), "strides", two, 2);
  const int all = mien_graph_op (graph, "", "Shape", "shape", &pool, 1);
  const int batch = mien_graph_op (graph, "", "Gather", "batch", (const int[]) { all, add_ints (graph, 0, 0, 0, 0, 1) }, 2);
  const int to = mien_graph_op (graph, "", "Concat", "to", (const int[]) { batch, add_ints (graph, -1, 0, 0, 0, 1) }, 2);
  mien_node_set_int (mien_graph_producer (graph, to), "axis", 0);
  const int flat = mien_graph_op (graph, "", "Reshape", "flat", (const int[]) { pool, to }, 2);
  const int fc = mien_graph_op (graph, "", "Gemm", "fc", (const int[]) { flat, add_f32 (graph, &dense) }, 2);
  mien_graph_add_output (graph, mien_graph_op (graph, "", "Softmax", "softmax", &fc, 1));
  if (open)
    g_hash_table_insert (graph->metadata, g_strdup ("mien.labels"), g_strdup ("a,b,c,d,e,f,g"));
  return mien_onnx_write_bytes (graph, NULL);
}

/* Sizes that depend on the data: Expand by an input, TopK by an input, and what follows. */
static GBytes *
make_dynamic_network (void)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("dynamic", 13);
  const MienShape shape = mien_shape (4, 1, 2, 6, 6), one = mien_shape (1, 1), kernel = mien_shape (4, 2, 2, 3, 3);
  const int x = mien_graph_add_input (graph, "x", MIEN_F32, &shape), n = mien_graph_add_input (graph, "n", MIEN_I64, &one);
  const int size = mien_graph_op (graph, "", "Abs", "size", &n, 1);
  const int tail = add_ints (graph, 2, 6, 6, 0, 3);
  const int to = mien_graph_op (graph, "", "Concat", "to", (const int[]) { size, tail }, 2);
  mien_node_set_int (mien_graph_producer (graph, to), "axis", 0);
  const int wide = mien_graph_op (graph, "", "Expand", "wide", (const int[]) { x, to }, 2);
  const int conv = mien_graph_op (graph, "", "Conv", "conv", (const int[]) { wide, add_f32 (graph, &kernel) }, 2);
  mien_graph_add_output (graph, mien_graph_op (graph, "", "Sigmoid", "y", &conv, 1));
  return mien_onnx_write_bytes (graph, NULL);
}

GPtrArray *
mien_fuzz_make_networks (void)
{
  GPtrArray *networks = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  for (gsize f = 0; f < G_N_ELEMENTS (families); f++)
    for (const MienOp *op = families[f]; op->name != NULL; op++) {
      for (int empty = 0; empty < 2 && *op->domain == '\0'; empty++) {
        GBytes *bytes = make_network (op, empty);
        if (bytes != NULL)
          g_ptr_array_add (networks, bytes);
      }
    }
  g_ptr_array_add (networks, make_face_network (FALSE));
  g_ptr_array_add (networks, make_face_network (TRUE));
  g_ptr_array_add (networks, make_dynamic_network ());
  return networks;
}
