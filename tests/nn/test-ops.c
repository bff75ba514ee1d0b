/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What ONNX's backend tests leave out: attributes of early opsets, changes of opset 18, borders of types, contradictions.
 * Expected values are worked out by hand from the definition of each operator. */
#include <math.h>
#include <string.h>

#include "mien-test.h"
#include "nn/mien-plan.h"

static MienTensor *
make (MienType type, MienShape shape, const void *values)
{
  MienTensor *tensor = mien_tensor_new (type, &shape);

  memcpy (tensor->data, values, mien_tensor_n_bytes (tensor));
  return tensor;
}

#define ROW(n) mien_shape (1, n)
#define F32(shape, ...) make (MIEN_F32, shape, (const float[]) { __VA_ARGS__ })
#define I64(shape, ...) make (MIEN_I64, shape, (const gint64[]) { __VA_ARGS__ })
#define I32(shape, ...) make (MIEN_I32, shape, (const gint32[]) { __VA_ARGS__ })
#define SCALAR mien_shape (0)

/* A network of one node named "n", built and run step by step. */
typedef struct {
  MienGraph *graph;
  MienNode *node;
  MienPlan *plan;
  MienContext *context;
  GError *error;
} Net;

/* Inputs (transfer full) are constants; nothing is folded. */
static Net *
net_new (int opset, const char *op, int n_out, int n_in, MienTensor *const *inputs)
{
  Net *net = g_new0 (Net, 1);
  int in[8], out[8];

  net->graph = mien_graph_new ("test", opset);
  for (int i = 0; i < n_in; i++)
    in[i] = inputs[i] != NULL ? mien_graph_add_constant (net->graph, NULL, inputs[i]) : -1;
  for (int i = 0; i < n_out; i++) {
    out[i] = mien_graph_add_value (net->graph, NULL, MIEN_TYPE_UNKNOWN, &MIEN_SHAPE_UNKNOWN);
    mien_graph_add_output (net->graph, out[i]);
  }
  net->node = mien_graph_node (net->graph, mien_graph_add_node (net->graph, "", op, "n", in, n_in, out, n_out));
  return net;
}
#define NET(opset, op, n_out, ...) \
  net_new (opset, op, n_out, G_N_ELEMENTS (((MienTensor *[]) { __VA_ARGS__ })), (MienTensor *[]) { __VA_ARGS__ })

static gboolean
net_run (Net *net)
{
  const MienPlanOptions options = { .no_passes = TRUE };

  net->plan = mien_plan_new (net->graph, NULL, &options, &net->error);
  if (net->plan != NULL)
    net->context = mien_context_new (net->plan, &net->error);
  return net->context != NULL && mien_context_run (net->context, NULL, &net->error);
}

static void
net_free (Net *net)
{
  g_clear_pointer (&net->context, mien_context_free);
  g_clear_pointer (&net->plan, mien_plan_unref);
  g_clear_error (&net->error);
  mien_graph_unref (net->graph);
  g_free (net);
}

static void
check_output (Net *net, int i, MienTensor *want)
{
  const MienTensor *got = mien_context_output (net->context, i);

  g_assert_cmpint (got->type, ==, want->type);
  g_assert_true (mien_shape_equal (&got->shape, &want->shape));
  if (want->type == MIEN_F32)
    for (gsize e = 0; e < want->n_elems; e++) {
      const float a = mien_tensor_f32 (got)[e], b = mien_tensor_f32 (want)[e];

      if (isnan (b))
        g_assert_true (isnan (a));
      else if (isinf (b))
        g_assert_true (a == b);
      else
        g_assert_cmpfloat_with_epsilon (a, b, 1e-6f * fmaxf (1, fabsf (b)));
    }
  else
    g_assert_cmpmem (got->data, mien_tensor_n_bytes (got), want->data, mien_tensor_n_bytes (want));
  mien_tensor_unref (want);
}

/* Runs and frees net. want (transfer full) */
static void
expect (Net *net, MienTensor *want)
{
  net_run (net);
  g_assert_no_error (net->error);
  check_output (net, 0, want);
  net_free (net);
}

static void
expect_error (Net *net, MienNnError code, const char *part)
{
  g_assert_false (net_run (net));
  g_assert_error (net->error, MIEN_NN_ERROR, (int) code);
  g_assert_nonnull (strstr (net->error->message, " \"n\": "));
  if (strstr (net->error->message, part) == NULL)
    g_error ("\"%s\" does not contain \"%s\"", net->error->message, part);
  net_free (net);
}

static void
test_broadcast (void)
{
  Net *net = NET (6, "Add", 1, F32 (mien_shape (3, 2, 2, 2), 0, 0, 0, 0, 0, 0, 0, 0), F32 (ROW (2), 1, 2));
  mien_node_set_int (net->node, "broadcast", 1);
  mien_node_set_int (net->node, "axis", 1);
  expect (net, F32 (mien_shape (3, 2, 2, 2), 1, 1, 2, 2, 1, 1, 2, 2));

  net = NET (6, "Add", 1, F32 (mien_shape (2, 2, 2), 0, 0, 0, 0), F32 (ROW (2), 1, 2));
  mien_node_set_int (net->node, "broadcast", 1);
  mien_node_set_int (net->node, "axis", 2);
  expect_error (net, MIEN_NN_ERROR_SHAPE, "axis 2");

  expect (NET (13, "Mul", 1, F32 (mien_shape (2, 2, 1), 2, 3), F32 (mien_shape (2, 1, 3), 1, 2, 3)),
          F32 (mien_shape (2, 2, 3), 2, 4, 6, 3, 6, 9));
  expect (NET (13, "Sub", 1, F32 (SCALAR, 1), F32 (mien_shape (2, 2, 0), 0)), F32 (mien_shape (2, 2, 0), 0));
  expect_error (NET (13, "Mul", 1, F32 (ROW (2), 1, 2), F32 (ROW (3), 1, 2, 3)), MIEN_NN_ERROR_SHAPE, "2 and 3");
  expect (NET (6, "PRelu", 1, F32 (mien_shape (3, 1, 2, 2), -1, -2, -3, 4), F32 (ROW (2), 10, 0.5f)),
          F32 (mien_shape (3, 1, 2, 2), -10, -20, -1.5f, 4));
  expect (NET (13, "Sum", 1, F32 (ROW (2), 1, 2), F32 (SCALAR, 10), F32 (mien_shape (2, 2, 1), 100, 200)),
          F32 (mien_shape (2, 2, 2), 111, 112, 211, 212));
  expect (NET (13, "Max", 1, F32 (ROW (3), 1, NAN, 3), F32 (ROW (3), NAN, 2, 2)), F32 (ROW (3), NAN, NAN, 3));
  expect (NET (13, "Mean", 1, F32 (ROW (2), 1, 2), F32 (ROW (2), 3, 5)), F32 (ROW (2), 2, 3.5f));
}

static void
test_integers (void)
{
  expect (NET (13, "Add", 1, I32 (ROW (2), G_MAXINT32, 1), I32 (ROW (2), 1, 2)), I32 (ROW (2), G_MININT32, 3));
  expect (NET (13, "Div", 1, I32 (ROW (3), G_MININT32, -7, 7), I32 (ROW (3), -1, 2, -2)), I32 (ROW (3), G_MININT32, -3, -3));
  expect_error (NET (13, "Div", 1, I64 (ROW (2), 1, 2), I64 (ROW (2), 1, 0)), MIEN_NN_ERROR_INPUT, "division by zero in element 1");
  expect (NET (13, "Neg", 1, I64 (ROW (2), G_MININT64, 5)), I64 (ROW (2), G_MININT64, -5));
  expect (NET (13, "Abs", 1, I32 (ROW (2), G_MININT32, -5)), I32 (ROW (2), G_MININT32, 5));
  expect (NET (13, "Pow", 1, I64 (ROW (4), 3, -2, 2, -1), I64 (ROW (4), 4, 3, -1, -3)), I64 (ROW (4), 81, -8, 0, -1));
  expect_error (NET (13, "Add", 1, I64 (ROW (1), 1), I32 (ROW (1), 1)), MIEN_NN_ERROR_UNSUPPORTED, "int32");
}

static void
test_cast (void)
{
  Net *net = NET (13, "Cast", 1, F32 (ROW (6), 300, -300, NAN, 1.9f, -1.9f, INFINITY));
  mien_node_set_int (net->node, "to", MIEN_I8);
  expect (net, make (MIEN_I8, ROW (6), (const gint8[]) { 127, -128, 0, 1, -1, 127 }));

  net = NET (13, "Cast", 1, F32 (ROW (3), 1e30f, -1e30f, 9.9f));
  mien_node_set_int (net->node, "to", MIEN_I64);
  expect (net, I64 (ROW (3), G_MAXINT64, G_MININT64, 9));

  net = NET (1, "Cast", 1, I64 (ROW (2), 3, 0));
  mien_node_set_string (net->node, "to", "BOOL");
  expect (net, make (MIEN_BOOL, ROW (2), (const guint8[]) { 1, 0 }));

  /* Half precision: 1; the largest; just below and at what rounds to infinity; 2^-24; half of it (to even); 1 + 2^-11 (to even). */
  net = NET (13, "Cast", 1, F32 (ROW (8), 1, 65504, 65519, 65520, 0x1p-24f, 0x1p-25f, 1 + 0x1p-11f, -0.0f));
  mien_node_set_int (net->node, "to", MIEN_F16);
  expect (net, make (MIEN_F16, ROW (8), (const guint16[]) { 0x3c00, 0x7bff, 0x7bff, 0x7c00, 1, 0, 0x3c00, 0x8000 }));

  net = NET (13, "Cast", 1, make (MIEN_F16, ROW (4), (const guint16[]) { 1, 0x0400, 0x7c00, 0xbc00 }));
  mien_node_set_int (net->node, "to", MIEN_F32);
  expect (net, F32 (ROW (4), 0x1p-24f, 0x1p-14f, INFINITY, -1));

  net = NET (13, "Cast", 1, F32 (ROW (3), 1, 1 + 0x1p-8f, 1 + 0x3p-8f)); /* to even, both ways */
  mien_node_set_int (net->node, "to", MIEN_BF16);
  expect (net, make (MIEN_BF16, ROW (3), (const guint16[]) { 0x3f80, 0x3f80, 0x3f82 }));

  net = NET (13, "Cast", 1, F32 (ROW (1), 1));
  mien_node_set_int (net->node, "to", 8);
  expect_error (net, MIEN_NN_ERROR_UNSUPPORTED, "string");
}

static void
test_softmax (void)
{
  const float l2 = logf (2), l3 = logf (3);
  Net *net = NET (11, "Softmax", 1, F32 (mien_shape (3, 1, 2, 2), 0, l2, l3, l2));

  expect (net, F32 (mien_shape (3, 1, 2, 2), 1 / 8.0f, 2 / 8.0f, 3 / 8.0f, 2 / 8.0f));
  expect (NET (13, "Softmax", 1, F32 (mien_shape (3, 1, 2, 2), 0, l2, l3, l2)),
          F32 (mien_shape (3, 1, 2, 2), 1 / 3.0f, 2 / 3.0f, 3 / 5.0f, 2 / 5.0f));
  net = NET (13, "Softmax", 1, F32 (mien_shape (2, 2, 2), 0, l2, l3, l2));
  mien_node_set_int (net->node, "axis", -2);
  expect (net, F32 (mien_shape (2, 2, 2), 1 / 4.0f, 2 / 4.0f, 3 / 4.0f, 2 / 4.0f));
  net = NET (13, "Softmax", 1, F32 (ROW (2), 0, 0));
  mien_node_set_int (net->node, "axis", 1);
  expect_error (net, MIEN_NN_ERROR_SHAPE, "axis 1");
}

static void
test_activations (void)
{
  Net *net = NET (6, "Clip", 1, F32 (ROW (4), -2, 0.5f, 2, NAN));

  mien_node_set_float (net->node, "min", -1);
  mien_node_set_float (net->node, "max", 1);
  expect (net, F32 (ROW (4), -1, 0.5f, 1, NAN));
  expect (NET (11, "Clip", 1, F32 (ROW (3), -2, 0.5f, 2), F32 (SCALAR, 0)), F32 (ROW (3), 0, 0.5f, 2));
  expect (NET (11, "Clip", 1, F32 (ROW (3), -2, 0.5f, 2), NULL, F32 (SCALAR, 1)), F32 (ROW (3), -2, 0.5f, 1));
  expect_error (NET (11, "Clip", 1, F32 (ROW (1), 0), F32 (ROW (2), 0, 1)), MIEN_NN_ERROR_SHAPE, "input 1");
  expect (NET (14, "Relu", 1, F32 (ROW (3), -1, NAN, 2)), F32 (ROW (3), 0, NAN, 2));
  expect (NET (11, "Round", 1, F32 (ROW (4), 0.5f, 1.5f, -0.5f, -2.5f)), F32 (ROW (4), 0, 2, 0, -2));
  expect (NET (13, "Softplus", 1, F32 (ROW (3), 200, -200, 0)), F32 (ROW (3), 200, 0, 0.69314718f));
  expect (NET (18, "Mish", 1, F32 (ROW (2), 1, 0)), F32 (ROW (2), 0.86509839f, 0));
  expect (NET (20, "Gelu", 1, F32 (ROW (2), 1, -1)), F32 (ROW (2), 0.84134475f, -0.15865525f));
  net = NET (20, "Gelu", 1, F32 (ROW (1), 1));
  mien_node_set_string (net->node, "approximate", "tanh");
  expect (net, F32 (ROW (1), 0.84119199f));
}

static void
test_shapes (void)
{
  const MienShape cube = mien_shape (3, 1, 2, 3);
  Net *net = NET (11, "Squeeze", 1, F32 (cube, 1, 2, 3, 4, 5, 6));

  mien_node_set_ints (net->node, "axes", (const gint64[]) { 0 }, 1);
  expect (net, F32 (mien_shape (2, 2, 3), 1, 2, 3, 4, 5, 6));
  net = NET (11, "Squeeze", 1, F32 (cube, 1, 2, 3, 4, 5, 6));
  mien_node_set_ints (net->node, "axes", (const gint64[]) { 1 }, 1);
  expect_error (net, MIEN_NN_ERROR_SHAPE, "dimension 1");
  net = NET (1, "Reshape", 1, F32 (cube, 1, 2, 3, 4, 5, 6));
  mien_node_set_ints (net->node, "shape", (const gint64[]) { 0, -1 }, 2);
  expect (net, F32 (mien_shape (2, 1, 6), 1, 2, 3, 4, 5, 6));
  expect_error (NET (13, "Reshape", 1, F32 (cube, 1, 2, 3, 4, 5, 6), I64 (ROW (2), 4, -1)), MIEN_NN_ERROR_SHAPE, "6 elements");
  expect_error (NET (13, "Reshape", 1, F32 (cube, 1, 2, 3, 4, 5, 6), I64 (ROW (2), G_MAXINT64, G_MAXINT64)), MIEN_NN_ERROR_SIZE, "too large");
  expect_error (NET (13, "Reshape", 1, F32 (cube, 1, 2, 3, 4, 5, 6), I64 (ROW (2), -1, -1)), MIEN_NN_ERROR_SHAPE, "dimension 1");
  expect_error (NET (13, "Expand", 1, F32 (ROW (1), 1), I64 (ROW (2), G_MAXINT64, 2)), MIEN_NN_ERROR_SIZE, "too large");
  expect_error (NET (13, "ConstantOfShape", 1, I64 (ROW (1), -3)), MIEN_NN_ERROR_SHAPE, "-3");
  expect_error (NET (13, "Gather", 1, F32 (ROW (2), 1, 2), I64 (ROW (1), -3)), MIEN_NN_ERROR_INPUT, "index -3");
  net = NET (13, "Transpose", 1, F32 (mien_shape (2, 2, 2), 1, 2, 3, 4));
  mien_node_set_ints (net->node, "perm", (const gint64[]) { 1, 1 }, 2);
  expect_error (net, MIEN_NN_ERROR_SHAPE, "permutation");
  expect_error (NET (13, "Transpose", 1, NULL), MIEN_NN_ERROR_SHAPE, "input 0");
  expect_error (NET (13, "Transpose", 1, F32 (ROW (1), 1), F32 (ROW (1), 1)), MIEN_NN_ERROR_SHAPE, "2 inputs");
  expect_error (NET (13, "NoSuchOperator", 1, F32 (ROW (1), 1)), MIEN_NN_ERROR_UNSUPPORTED, "opset 13");
  expect_error (NET (5, "HardSwish", 1, F32 (ROW (1), 1)), MIEN_NN_ERROR_UNSUPPORTED, "opset 5");
}

static void
test_slices (void)
{
  Net *net = NET (9, "Slice", 1, F32 (ROW (4), 1, 2, 3, 4));

  mien_node_set_ints (net->node, "starts", (const gint64[]) { -3 }, 1);
  mien_node_set_ints (net->node, "ends", (const gint64[]) { G_MAXINT64 }, 1);
  expect (net, F32 (ROW (3), 2, 3, 4));
  expect (NET (13, "Slice", 1, F32 (ROW (5), 1, 2, 3, 4, 5), I64 (ROW (1), G_MAXINT64), I64 (ROW (1), G_MININT64), NULL, I64 (ROW (1), -2)),
          F32 (ROW (3), 5, 3, 1));
  expect (NET (13, "Slice", 1, F32 (ROW (3), 1, 2, 3), I64 (ROW (1), 0), I64 (ROW (1), 3), NULL, I64 (ROW (1), G_MAXINT64)), F32 (ROW (1), 1));
  expect (NET (13, "Slice", 1, F32 (ROW (3), 1, 2, 3), I64 (ROW (1), 2), I64 (ROW (1), -9), NULL, I64 (ROW (1), G_MININT64)), F32 (ROW (1), 3));
  expect_error (NET (13, "Slice", 1, F32 (ROW (1), 1), I64 (ROW (1), 0), I64 (ROW (1), 1), NULL, I64 (ROW (1), 0)), MIEN_NN_ERROR_SHAPE, "step");

  net = NET (18, "Split", 3, F32 (ROW (5), 1, 2, 3, 4, 5));
  g_assert_true (net_run (net));
  check_output (net, 0, F32 (ROW (2), 1, 2));
  check_output (net, 1, F32 (ROW (2), 3, 4));
  check_output (net, 2, F32 (ROW (1), 5));
  net_free (net);
  expect_error (NET (13, "Split", 3, F32 (ROW (5), 1, 2, 3, 4, 5)), MIEN_NN_ERROR_SHAPE, "3 equal pieces");
  expect_error (NET (13, "Split", 2, F32 (ROW (2), 1, 2), I64 (ROW (2), G_MAXINT64, 3)), MIEN_NN_ERROR_SHAPE, "make up");

  net = NET (2, "Pad", 1, F32 (mien_shape (2, 1, 4), 1, 2, 3, 4));
  mien_node_set_string (net->node, "mode", "reflect");
  mien_node_set_ints (net->node, "pads", (const gint64[]) { 0, 2, 0, -1 }, 4);
  expect (net, F32 (mien_shape (2, 1, 5), 3, 2, 1, 2, 3));
  net = NET (2, "Pad", 1, F32 (mien_shape (2, 1, 2), 1, 2));
  mien_node_set_float (net->node, "value", 9);
  mien_node_set_ints (net->node, "pads", (const gint64[]) { 1, 1, 0, 0 }, 4);
  expect (net, F32 (mien_shape (2, 2, 3), 9, 9, 9, 9, 1, 2));
  expect (NET (18, "Pad", 1, F32 (mien_shape (2, 1, 2), 1, 2), I64 (ROW (2), 1, 1), F32 (SCALAR, 7), I64 (ROW (1), -1)),
          F32 (mien_shape (2, 1, 4), 7, 1, 2, 7));
  net = NET (13, "Pad", 1, F32 (ROW (2), 1, 2), I64 (ROW (2), 0, 2));
  mien_node_set_string (net->node, "mode", "reflect");
  expect_error (net, MIEN_NN_ERROR_SHAPE, "too small");
}

static void
test_resize (void)
{
  Net *net = NET (7, "Upsample", 1, F32 (mien_shape (4, 1, 1, 1, 2), 1, 2));

  mien_node_set_floats (net->node, "scales", (const float[]) { 1, 1, 2, 2 }, 4);
  expect (net, F32 (mien_shape (4, 1, 1, 2, 4), 1, 1, 2, 2, 1, 1, 2, 2));
  net = NET (1, "Upsample", 1, F32 (mien_shape (4, 1, 1, 1, 2), 1, 2));
  mien_node_set_float (net->node, "width_scale", 2);
  mien_node_set_string (net->node, "mode", "bilinear");
  expect (net, F32 (mien_shape (4, 1, 1, 1, 4), 1, 1.5f, 2, 2));
  expect (NET (10, "Resize", 1, F32 (ROW (2), 1, 2), F32 (ROW (1), 1.5f)), F32 (ROW (3), 1, 1, 2));
  net = NET (18, "Resize", 1, F32 (mien_shape (2, 2, 2), 1, 2, 3, 4), NULL, NULL, I64 (ROW (1), 1));
  mien_node_set_ints (net->node, "axes", (const gint64[]) { -1 }, 1);
  mien_node_set_string (net->node, "mode", "linear");
  expect (net, F32 (mien_shape (2, 2, 1), 1.5f, 3.5f));
  expect_error (NET (13, "Resize", 1, F32 (ROW (2), 1, 2), NULL, F32 (ROW (1), -1)), MIEN_NN_ERROR_SHAPE, "scale -1");
  expect_error (NET (13, "Resize", 1, F32 (ROW (2), 1, 2), NULL, F32 (ROW (1), 1e30f)), MIEN_NN_ERROR_SIZE, "too large");
  expect_error (NET (13, "Resize", 1, F32 (ROW (2), 1, 2), NULL, F32 (ROW (1), NAN)), MIEN_NN_ERROR_SHAPE, "scale");
}

static void
test_reductions (void)
{
  const MienShape square = mien_shape (2, 2, 2);
  Net *net = NET (13, "ReduceSum", 1, F32 (square, 1, 2, 3, 4), I64 (ROW (1), -1));

  mien_node_set_int (net->node, "keepdims", 0);
  expect (net, F32 (ROW (2), 3, 7));
  expect (NET (18, "ReduceMean", 1, F32 (square, 1, 2, 3, 4), I64 (ROW (1), 0)), F32 (mien_shape (2, 1, 2), 2, 3));
  expect (NET (13, "ReduceSum", 1, F32 (square, 1, 2, 3, 4)), F32 (mien_shape (2, 1, 1), 10));
  net = NET (13, "ReduceMax", 1, F32 (mien_shape (2, 2, 0), 0));
  mien_node_set_ints (net->node, "axes", (const gint64[]) { 1 }, 1);
  expect (net, F32 (mien_shape (2, 2, 1), -INFINITY, -INFINITY));
  expect (NET (13, "ReduceMean", 1, I32 (ROW (2), -3, -4)), I32 (ROW (1), -3));
  net = NET (13, "ArgMax", 1, F32 (ROW (4), 1, 3, 3, 2));
  mien_node_set_int (net->node, "select_last_index", 1);
  expect (net, I64 (ROW (1), 2));
  net = NET (13, "ReduceMax", 1, F32 (square, 1, 2, 3, 4));
  mien_node_set_ints (net->node, "axes", (const gint64[]) { 2 }, 1);
  expect_error (net, MIEN_NN_ERROR_SHAPE, "axis 2");
}

static void
test_top_k (void)
{
  Net *net = NET (11, "TopK", 2, F32 (ROW (5), 1, 3, 2, 3, 0), I64 (ROW (1), 3));

  g_assert_true (net_run (net));
  check_output (net, 0, F32 (ROW (3), 3, 3, 2));
  check_output (net, 1, I64 (ROW (3), 1, 3, 2));
  net_free (net);
  net = NET (1, "TopK", 2, F32 (mien_shape (2, 2, 2), 1, 4, 3, 2));
  mien_node_set_int (net->node, "k", 1);
  mien_node_set_int (net->node, "axis", 0);
  g_assert_true (net_run (net));
  check_output (net, 0, F32 (mien_shape (2, 1, 2), 3, 4));
  check_output (net, 1, I64 (mien_shape (2, 1, 2), 1, 0));
  net_free (net);
  expect_error (NET (11, "TopK", 2, F32 (ROW (2), 1, 3), I64 (ROW (1), 3)), MIEN_NN_ERROR_SHAPE, "3 of 2");
}

static void
test_dropout (void)
{
  const float ratio = 0.25f;
  const int n = 10000;
  const MienShape shape = mien_shape (1, n);
  MienTensor *ones = mien_tensor_new (MIEN_F32, &shape);
  Net *net;
  int n_kept = 0;

  for (int i = 0; i < n; i++)
    mien_tensor_f32 (ones)[i] = 3;
  net = NET (13, "Dropout", 2, mien_tensor_ref (ones), F32 (SCALAR, ratio), make (MIEN_BOOL, SCALAR, (const guint8[]) { 1 }));
  g_assert_true (net_run (net));
  for (int i = 0; i < n; i++) {
    const gboolean kept = ((const guint8 *) mien_context_output (net->context, 1)->data)[i];

    g_assert_cmpfloat_with_epsilon (mien_tensor_f32 (mien_context_output (net->context, 0))[i], kept ? 4 : 0, 1e-6f);
    n_kept += kept;
  }
  g_assert_cmpint (n_kept, >, 7500 - 5 * 44); /* five standard deviations */
  g_assert_cmpint (n_kept, <, 7500 + 5 * 44);
  net_free (net);
  expect (NET (7, "Dropout", 1, mien_tensor_ref (ones)), mien_tensor_dup (ones));
  expect_error (NET (13, "Dropout", 1, ones, F32 (SCALAR, 1.5f), make (MIEN_BOOL, SCALAR, (const guint8[]) { 1 })), MIEN_NN_ERROR_INPUT, "1.5");
}

/* Sizes that depend on contents: from run to run they change, and the buffers with them. */
static void
test_changing_sizes (void)
{
  static const gint64 sizes[] = { 3, 900, 0, 20 };
  g_autoptr (MienGraph) graph = mien_graph_new ("test", 13);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienPlan) plan = NULL;
  g_autoptr (MienContext) context = NULL;
  g_autoptr (MienTensor) size = I64 (ROW (1), 0);
  const MienShape one = ROW (1);
  const int in = mien_graph_add_input (graph, "size", MIEN_I64, &one);
  const int value = mien_graph_add_constant (graph, NULL, F32 (ROW (1), -2));
  const int wide = mien_graph_op (graph, "", "Expand", "wide", (const int[]) { value, in }, 2);
  const int positive = mien_graph_op (graph, "", "Abs", "positive", &wide, 1);

  mien_graph_add_output (graph, positive);
  plan = mien_plan_new (graph, NULL, &(MienPlanOptions) { .max_bytes = 10000 }, &error);
  g_assert_no_error (error);
  context = mien_context_new (plan, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++) {
    const MienTensor *out;

    *(gint64 *) size->data = sizes[i];
    g_assert_true (mien_context_run (context, (const MienTensor *const[]) { size }, &error));
    g_assert_no_error (error);
    out = mien_context_output (context, 0);
    g_assert_cmpuint (out->n_elems, ==, sizes[i]);
    for (gsize e = 0; e < out->n_elems; e++)
      g_assert_cmpfloat (mien_tensor_f32 (out)[e], ==, 2);
  }
  *(gint64 *) size->data = 100000;
  g_assert_false (mien_context_run (context, (const MienTensor *const[]) { size }, &error));
  g_assert_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_SIZE);
  g_assert_true (g_str_has_prefix (error->message, "Expand \"wide\": "));
}

/* A convolution, with and without activation, whose input gets its size at run time. */
static void
test_convolution_of_changing_size (void)
{
  g_autoptr (MienTensor) n = I64 (ROW (1), 3);
  const MienShape one = ROW (1), picture = mien_shape (4, 1, 2, 4, 4), kernel = mien_shape (4, 1, 2, 3, 3);

  for (int level = 0; level <= (int) mien_cpu_detect (); level++) {
    g_autoptr (MienGraph) graph = mien_graph_new ("test", 13);
    g_autoptr (GError) error = NULL;
    g_autoptr (MienPlan) plan = NULL;
    g_autoptr (MienContext) context = NULL;
    MienTensor *weights = mien_tensor_new (MIEN_F32, &kernel), *pixels = mien_tensor_new (MIEN_F32, &picture);
    const int in = mien_graph_add_input (graph, "n", MIEN_I64, &one), tail = mien_graph_add_constant (graph, NULL, I64 (ROW (3), 2, 4, 4));
    const int to = mien_graph_op (graph, "", "Concat", "to", (const int[]) { in, tail }, 2);

    for (int i = 0; i < 18; i++)
      mien_tensor_f32 (weights)[i] = 1;
    for (int i = 0; i < 32; i++)
      mien_tensor_f32 (pixels)[i] = 1;
    mien_node_set_int (mien_graph_producer (graph, to), "axis", 0);
    const int x = mien_graph_op (graph, "", "Expand", "x", (const int[]) { mien_graph_add_constant (graph, NULL, pixels), to }, 2);
    const int y = mien_graph_op (graph, "", "Conv", "conv", (const int[]) { x, mien_graph_add_constant (graph, NULL, weights) }, 2);
    mien_graph_add_output (graph, mien_graph_op (graph, "", "Relu", "relu", &y, 1));
    plan = mien_plan_new (graph, NULL, &(MienPlanOptions) { .cpu = (MienCpuLevel) level }, &error);
    g_assert_no_error (error);
    context = mien_context_new (plan, &error);
    g_assert_no_error (error);
    mien_context_run (context, (const MienTensor *const[]) { n }, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (mien_context_output (context, 0)->n_elems, ==, 3 * 2 * 2);
    for (int i = 0; i < 12; i++)
      g_assert_cmpfloat (mien_tensor_f32 (mien_context_output (context, 0))[i], ==, 18);
  }
}

static MienPlan *
plan_product (int m, int k, int n, double max_macs, gboolean constant, GError **error)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("test", 13);
  const MienShape left = { 2, { m, k } }, right = { 2, { k, n } };
  const int a = constant ? mien_graph_add_constant (graph, "a", mien_tensor_new (MIEN_F32, &left)) : mien_graph_add_input (graph, "a", MIEN_F32, &left);
  const int b = constant ? mien_graph_add_constant (graph, "b", mien_tensor_new (MIEN_F32, &right)) : mien_graph_add_input (graph, "b", MIEN_F32, &right);

  mien_graph_add_output (graph, mien_graph_op (graph, "", "MatMul", "product", (const int[]) { a, b }, 2));
  return mien_plan_new (graph, NULL, &(MienPlanOptions) { .max_macs = max_macs }, error);
}

static void
check_too_much (MienPlan *plan, GError **error)
{
  g_assert_null (plan);
  g_assert_error (*error, MIEN_NN_ERROR, MIEN_NN_ERROR_SIZE);
  g_assert_true (g_str_has_prefix ((*error)->message, "MatMul \"product\": "));
  g_clear_error (error);
}

/* 40 * 60 * 50 multiply-adds; the estimate may be higher by what is read and written. */
static void
test_arithmetic_limit (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MienPlan) fits = plan_product (40, 60, 50, 130e3, FALSE, &error);

  g_assert_no_error (error);
  g_assert_nonnull (fits);
  check_too_much (plan_product (40, 60, 50, 119e3, FALSE, &error), &error);
  check_too_much (plan_product (40, 60, 50, 119e3, TRUE, &error), &error); /* before it is computed, not after */
  check_too_much (plan_product (30000, 30000, 30000, 0, FALSE, &error), &error);
}

/* The limit holds where the size is known at run time only. */
static void
test_arithmetic_limit_at_run (void)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("test", 13);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienPlan) plan = NULL;
  g_autoptr (MienContext) context = NULL;
  g_autoptr (MienTensor) size = I64 (ROW (2), 5, 8);
  const MienShape two = ROW (2), square = { 2, { 8, 8 } };
  const int in = mien_graph_add_input (graph, "size", MIEN_I64, &two);
  const int value = mien_graph_add_constant (graph, NULL, F32 (ROW (1), 1));
  const int wide = mien_graph_op (graph, "", "Expand", "wide", (const int[]) { value, in }, 2);
  const int weights = mien_graph_add_constant (graph, NULL, mien_tensor_new (MIEN_F32, &square));

  mien_graph_add_output (graph, mien_graph_op (graph, "", "MatMul", "product", (const int[]) { wide, weights }, 2));
  plan = mien_plan_new (graph, NULL, &(MienPlanOptions) { .max_macs = 10e3 }, &error);
  g_assert_no_error (error);
  context = mien_context_new (plan, &error);
  g_assert_no_error (error);
  for (int i = 0; i < 100; i++) { /* each run anew */
    mien_context_run (context, (const MienTensor *const[]) { size }, &error);
    g_assert_no_error (error);
  }
  *(gint64 *) size->data = 400;
  g_assert_false (mien_context_run (context, (const MienTensor *const[]) { size }, &error));
  check_too_much (NULL, &error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/nn/ops/broadcast", test_broadcast);
  g_test_add_func ("/nn/ops/integers", test_integers);
  g_test_add_func ("/nn/ops/cast", test_cast);
  g_test_add_func ("/nn/ops/softmax", test_softmax);
  g_test_add_func ("/nn/ops/activations", test_activations);
  g_test_add_func ("/nn/ops/shapes", test_shapes);
  g_test_add_func ("/nn/ops/slices", test_slices);
  g_test_add_func ("/nn/ops/resize", test_resize);
  g_test_add_func ("/nn/ops/reductions", test_reductions);
  g_test_add_func ("/nn/ops/top-k", test_top_k);
  g_test_add_func ("/nn/ops/dropout", test_dropout);
  g_test_add_func ("/nn/ops/changing-sizes", test_changing_sizes);
  g_test_add_func ("/nn/ops/convolution-of-changing-size", test_convolution_of_changing_size);
  g_test_add_func ("/nn/ops/arithmetic-limit", test_arithmetic_limit);
  g_test_add_func ("/nn/ops/arithmetic-limit-at-run", test_arithmetic_limit_at_run);
  return g_test_run ();
}
