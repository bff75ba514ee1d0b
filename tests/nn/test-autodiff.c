/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gradients against central differences, one operator at a time and for values that several operators read. Inputs stay clear
 * of kinks by more than the step: Relu sees nothing near 0, MaxPool no two values near each other. */
#include <math.h>
#include <string.h>

#include "mien-test.h"
#include "nn/mien-autodiff.h"
#include "nn/mien-plan.h"

#define STEP 0.01

typedef struct {
  MienGraph *graph;
  GRand *random;
  int parameters[4];
  int n_parameters;
  int y;
} Net;

static Net
net_new (guint32 seed)
{
  return (Net) { mien_graph_new ("test", 13), g_rand_new_with_seed (seed) };
}

/* A permutation of evenly spaced values in about -1 .. 1, none nearer to 0 or to another than 2 / n / 2. */
static int
add_spread (Net *net, const MienShape *shape)
{
  MienTensor *tensor = mien_tensor_new (MIEN_F32, shape);
  const int n = (int) tensor->n_elems;
  float *x = mien_tensor_f32 (tensor);

  for (int i = 0; i < n; i++)
    x[i] = (float) ((i + 0.5 - n / 2) * MAX (2.0 / n, 5 * STEP));
  for (int i = n - 1; i > 0; i--) {
    const int j = g_rand_int_range (net->random, 0, i + 1);
    const float t = x[i];
    x[i] = x[j];
    x[j] = t;
  }
  return net->parameters[net->n_parameters++] = mien_graph_add_parameter (net->graph, NULL, tensor);
}

static MienTensor *
random_tensor (GRand *random, const MienShape *shape)
{
  MienTensor *tensor = mien_tensor_new (MIEN_F32, shape);

  for (gsize i = 0; i < tensor->n_elems; i++)
    mien_tensor_f32 (tensor)[i] = (float) g_rand_double_range (random, -1, 1);
  return tensor;
}

/* sum (dy * y) in double precision. */
static double
run_loss (MienContext *context, const MienTensor *dy)
{
  GError *error = NULL;
  double loss = 0;

  mien_context_run (context, NULL, &error);
  g_assert_no_error (error);
  const MienTensor *y = mien_context_output (context, 0);
  for (gsize i = 0; i < y->n_elems; i++)
    loss += (double) mien_tensor_f32 (y)[i] * mien_tensor_f32 (dy)[i];
  return loss;
}

static void
check_gradients (Net *net, const MienShape *y_shape)
{
  MienGraph *graph = net->graph;
  MienTensor *dy = random_tensor (net->random, y_shape);
  const int seed = mien_graph_add_parameter (graph, "dy", dy);
  g_autoptr (GError) error = NULL;
  int grads[4];

  mien_autodiff (graph, net->y, seed, net->parameters, net->n_parameters, grads, &error);
  g_assert_no_error (error);
  mien_graph_add_output (graph, net->y);
  for (int i = 0; i < net->n_parameters; i++)
    mien_graph_add_output (graph, grads[i]);
  for (int level = 0; level <= (int) mien_cpu_detect (); level++) {
    const MienPlanOptions options = { .cpu = (MienCpuLevel) level };
    g_autoptr (MienPlan) plan = mien_plan_new (graph, NULL, &options, &error);
    g_assert_no_error (error);
    g_autoptr (MienContext) context = mien_context_new (plan, &error);
    g_assert_no_error (error);
    for (int p = 0; p < net->n_parameters; p++) {
      MienTensor *x = mien_graph_value (graph, net->parameters[p])->tensor;
      g_assert_cmpint (grads[p], >=, 0);
      run_loss (context, dy);
      g_autoptr (MienTensor) got = mien_tensor_dup (mien_context_output (context, 1 + p));
      g_assert_true (mien_shape_equal (&got->shape, &x->shape));
      for (gsize i = 0; i < x->n_elems; i++) {
        float *at = mien_tensor_f32 (x) + i;
        const float before = *at;
        *at = (float) (before + STEP);
        const double above = run_loss (context, dy), high = *at;
        *at = (float) (before - STEP);
        const double below = run_loss (context, dy), low = *at;
        *at = before;
        const double want = (above - below) / (high - low), found = mien_tensor_f32 (got)[i];
        /* Rounding of the losses (2e-6 here) over the step, and the third derivative's share for smooth operators. */
        if (fabs (want - found) > 2e-3 * (1 + fabs (want)))
          g_error ("level %s, parameter %d, element %d: %.6f instead of %.6f", mien_cpu_level_name (level), p, (int) i, found, want);
      }
    }
  }
  g_rand_free (net->random);
  mien_graph_unref (graph);
}

static void
test_conv (void)
{
  Net net = net_new (1);
  const MienShape x = mien_shape (4, 2, 4, 7, 6), w = mien_shape (4, 6, 2, 3, 3), b = mien_shape (1, 6), y = mien_shape (4, 2, 6, 4, 3);
  const int inputs[] = { add_spread (&net, &x), add_spread (&net, &w), add_spread (&net, &b) };
  const gint64 strides[] = { 2, 2 }, pads[] = { 1, 1, 1, 1 };

  net.y = mien_graph_op (net.graph, "", "Conv", "conv", inputs, 3);
  MienNode *node = mien_graph_producer (net.graph, net.y);
  mien_node_set_ints (node, "strides", strides, 2);
  mien_node_set_ints (node, "pads", pads, 4);
  mien_node_set_int (node, "group", 2);
  check_gradients (&net, &y);
}

static void
test_gemm (gconstpointer data)
{
  const gboolean trans_b = GPOINTER_TO_INT (data);
  Net net = net_new (2);
  const MienShape a = mien_shape (2, 3, 5), b = trans_b ? mien_shape (2, 4, 5) : mien_shape (2, 5, 4), c = mien_shape (1, 4);
  const MienShape y = mien_shape (2, 3, 4);
  const int inputs[] = { add_spread (&net, &a), add_spread (&net, &b), add_spread (&net, &c) };

  net.y = mien_graph_op (net.graph, "", "Gemm", "fc", inputs, 3);
  mien_node_set_int (mien_graph_producer (net.graph, net.y), "transB", trans_b);
  check_gradients (&net, &y);
}

static void
test_norm (void)
{
  Net net = net_new (3);
  const MienShape x = mien_shape (4, 3, 2, 3, 3), c = mien_shape (1, 2);
  const int inputs[] = { add_spread (&net, &x), add_spread (&net, &c), add_spread (&net, &c) };
  int outputs[3];

  for (int i = 0; i < 3; i++)
    outputs[i] = mien_graph_add_value (net.graph, NULL, MIEN_F32, NULL);
  mien_graph_add_node (net.graph, "mien", "BatchNormTrain", "norm", inputs, 3, outputs, 3);
  net.y = outputs[0];
  check_gradients (&net, &x);
}

/* With the fused Relu: shifted so far that some channels are mostly above zero, some mostly below, none crosses within a step. */
static void
test_norm_relu (void)
{
  Net net = net_new (4);
  const MienShape x = mien_shape (4, 2, 2, 2, 3), c = mien_shape (1, 2);
  const int inputs[] = { add_spread (&net, &x), mien_graph_add_parameter (net.graph, NULL, mien_tensor_new (MIEN_F32, &c)),
                         mien_graph_add_parameter (net.graph, NULL, mien_tensor_new (MIEN_F32, &c)) };
  int outputs[3];

  for (int i = 0; i < 2; i++) {
    mien_tensor_f32 (mien_graph_value (net.graph, inputs[1])->tensor)[i] = i == 0 ? 0.8f : -0.6f;
    mien_tensor_f32 (mien_graph_value (net.graph, inputs[2])->tensor)[i] = i == 0 ? 0.31f : -0.12f;
    net.parameters[net.n_parameters++] = inputs[1 + i];
  }
  for (int i = 0; i < 3; i++)
    outputs[i] = mien_graph_add_value (net.graph, NULL, MIEN_F32, NULL);
  mien_node_set_float (mien_graph_node (net.graph, mien_graph_add_node (net.graph, "mien", "BatchNormTrain", "norm", inputs, 3, outputs, 3)), "mien.lo", 0);
  net.y = outputs[0];
  check_gradients (&net, &x);
}

static void
test_relu (void)
{
  Net net = net_new (5);
  const MienShape x = mien_shape (2, 3, 9);

  add_spread (&net, &x);
  net.y = mien_graph_op (net.graph, "", "Relu", "relu", net.parameters, 1);
  check_gradients (&net, &x);
}

static void
test_max_pool (gconstpointer data)
{
  const int size = GPOINTER_TO_INT (data);
  Net net = net_new (6);
  const MienShape x = mien_shape (4, 1, 2, 6, 5), y = size == 2 ? mien_shape (4, 1, 2, 3, 2) : mien_shape (4, 1, 2, 3, 3);
  const gint64 kernel[] = { size, size }, strides[] = { 2, 2 }, pads[] = { 1, 1, 1, 1 };

  add_spread (&net, &x);
  net.y = mien_graph_op (net.graph, "", "MaxPool", "pool", net.parameters, 1);
  MienNode *node = mien_graph_producer (net.graph, net.y);
  mien_node_set_ints (node, "kernel_shape", kernel, 2);
  mien_node_set_ints (node, "strides", strides, 2);
  if (size == 3)
    mien_node_set_ints (node, "pads", pads, 4);
  check_gradients (&net, &y);
}

static void
test_global_average (void)
{
  Net net = net_new (7);
  const MienShape x = mien_shape (4, 2, 3, 3, 4), y = mien_shape (4, 2, 3, 1, 1);

  add_spread (&net, &x);
  net.y = mien_graph_op (net.graph, "", "GlobalAveragePool", "pool", net.parameters, 1);
  check_gradients (&net, &y);
}

/* y = relu (x) + x w, flattened before: x is read twice, its gradients add up. */
static void
test_two_readers (void)
{
  Net net = net_new (8);
  const MienShape x = mien_shape (4, 2, 2, 2, 1), w = mien_shape (2, 4, 4), y = mien_shape (2, 2, 4);

  add_spread (&net, &x);
  add_spread (&net, &w);
  const int flat = mien_graph_op (net.graph, "", "Flatten", "flatten", net.parameters, 1);
  const int product[] = { flat, net.parameters[1] };
  const int both[] = { mien_graph_op (net.graph, "", "Relu", "relu", &flat, 1), mien_graph_op (net.graph, "", "Gemm", "fc", product, 2) };
  net.y = mien_graph_op (net.graph, "", "Add", "add", both, 2);
  check_gradients (&net, &y);
}

/* Dropout keeps its choice for a seed, forward and backward, and about the share it should; of whole rows if that is asked for. */
static void
test_dropout (gconstpointer rows)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("test", 13);
  const MienShape shape = mien_shape (2, 100, 100);
  MienTensor *x = mien_tensor_new (MIEN_F32, &shape), *dy = mien_tensor_new (MIEN_F32, &shape);
  g_autoptr (GError) error = NULL;
  const MienPlanOptions options = { .cpu = MIEN_CPU_C };
  int grad, kept = 0;

  for (gsize i = 0; i < x->n_elems; i++)
    mien_tensor_f32 (x)[i] = mien_tensor_f32 (dy)[i] = 1;
  const int p = mien_graph_add_parameter (graph, "x", x), seed = mien_graph_add_parameter (graph, "dy", dy);
  const int y = mien_graph_op (graph, "mien", "DropoutTrain", "drop", &p, 1);
  mien_node_set_float (mien_graph_producer (graph, y), "ratio", 0.3f);
  mien_node_set_int (mien_graph_producer (graph, y), "rows", rows != NULL);
  g_assert_true (mien_autodiff (graph, y, seed, &p, 1, &grad, &error));
  mien_graph_add_output (graph, y);
  mien_graph_add_output (graph, grad);
  g_autoptr (MienPlan) plan = mien_plan_new (graph, NULL, &options, &error);
  g_assert_no_error (error);
  g_autoptr (MienContext) context = mien_context_new (plan, &error);
  mien_context_set_seed (context, 5);
  g_assert_true (mien_context_run (context, NULL, &error));
  g_autoptr (MienTensor) first = mien_tensor_dup (mien_context_output (context, 0));
  for (gsize i = 0; i < x->n_elems; i++) {
    const float value = mien_tensor_f32 (first)[i];
    g_assert_true (value == 0 || fabsf (value - 1 / 0.7f) < 1e-5f);
    g_assert_cmpfloat (mien_tensor_f32 (mien_context_output (context, 1))[i], ==, value);
    kept += value != 0;
    if (rows != NULL)
      g_assert_cmpfloat (value, ==, mien_tensor_f32 (first)[i / 100 * 100]);
  }
  g_assert_cmpint (ABS (kept - 7000), <, rows != NULL ? 1840 : 200); /* 4 standard deviations */
  mien_context_set_seed (context, 6);
  g_assert_true (mien_context_run (context, NULL, &error));
  g_assert_cmpint (memcmp (mien_context_output (context, 0)->data, first->data, mien_tensor_n_bytes (first)), !=, 0);
}

/* Loss and gradient by hand: logits 0, ln 2, ln 5 are probabilities 1/8, 2/8, 5/8. The second row has a weight of 3. */
static void
test_loss (void)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("test", 13);
  const MienShape shape = mien_shape (2, 2, 3);
  MienTensor *z = mien_tensor_new (MIEN_F32, &shape), *t = mien_tensor_new (MIEN_F32, &shape);
  const float logits[] = { 0, logf (2), logf (5), 1, 1, 1 }, targets[] = { 0, 1, 0, 1.5f, 1.5f, 0 };
  const double want_loss = (log (4) + 3 * log (3)) / 2, want_grad[] = { 1 / 16., -6 / 16., 5 / 16., -3 / 12., -3 / 12., 6 / 12. };
  g_autoptr (GError) error = NULL;
  const MienPlanOptions options = { .cpu = MIEN_CPU_C };

  memcpy (z->data, logits, sizeof logits);
  memcpy (t->data, targets, sizeof targets);
  const int inputs[] = { mien_graph_add_parameter (graph, "z", z), mien_graph_add_parameter (graph, "t", t) };
  const int outputs[] = { mien_graph_add_value (graph, "loss", MIEN_F32, NULL), mien_graph_add_value (graph, "dz", MIEN_F32, NULL) };
  mien_graph_add_node (graph, "mien", "SoftmaxLoss", "loss", inputs, 2, outputs, 2);
  mien_graph_add_output (graph, outputs[0]);
  mien_graph_add_output (graph, outputs[1]);
  g_autoptr (MienPlan) plan = mien_plan_new (graph, NULL, &options, &error);
  g_assert_no_error (error);
  g_autoptr (MienContext) context = mien_context_new (plan, &error);
  g_assert_true (mien_context_run (context, NULL, &error));
  g_assert_cmpfloat_with_epsilon (*mien_tensor_f32 (mien_context_output (context, 0)), want_loss, 1e-6);
  for (int i = 0; i < 6; i++)
    g_assert_cmpfloat_with_epsilon (mien_tensor_f32 (mien_context_output (context, 1))[i], want_grad[i], 1e-6);
}

static void
test_unknown (void)
{
  Net net = net_new (9);
  const MienShape x = mien_shape (1, 4);
  g_autoptr (GError) error = NULL;
  int grad;

  add_spread (&net, &x);
  net.y = mien_graph_op (net.graph, "", "Erf", "erf", net.parameters, 1);
  g_assert_false (mien_autodiff (net.graph, net.y, net.y, net.parameters, 1, &grad, &error));
  g_assert_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "Erf"));
  g_rand_free (net.random);
  mien_graph_unref (net.graph);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/autodiff/conv", test_conv);
  g_test_add_data_func ("/autodiff/gemm", GINT_TO_POINTER (FALSE), test_gemm);
  g_test_add_data_func ("/autodiff/gemm-transposed", GINT_TO_POINTER (TRUE), test_gemm);
  g_test_add_func ("/autodiff/norm", test_norm);
  g_test_add_func ("/autodiff/norm-relu", test_norm_relu);
  g_test_add_func ("/autodiff/relu", test_relu);
  g_test_add_data_func ("/autodiff/max-pool-2", GINT_TO_POINTER (2), test_max_pool);
  g_test_add_data_func ("/autodiff/max-pool-3", GINT_TO_POINTER (3), test_max_pool);
  g_test_add_func ("/autodiff/global-average", test_global_average);
  g_test_add_func ("/autodiff/two-readers", test_two_readers);
  g_test_add_data_func ("/autodiff/dropout", NULL, test_dropout);
  g_test_add_data_func ("/autodiff/dropout-of-rows", GINT_TO_POINTER (1), test_dropout);
  g_test_add_func ("/autodiff/loss", test_loss);
  g_test_add_func ("/autodiff/unknown", test_unknown);
  return g_test_run ();
}
