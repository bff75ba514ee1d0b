/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Training on blocked tensors against training on plain ones, whose gradients test-autodiff.c checks against differences: random networks with
 * strides, odd sizes, residual sums, spare channels, several threads. */
#include <math.h>
#include <string.h>

#include "mien-test.h"
#include "nn/mien-autodiff.h"
#include "nn/mien-kernels.h"
#include "nn/mien-passes.h"
#include "nn/mien-plan.h"

typedef struct {
  MienGraph *graph;
  GArray *wanted;
  guint32 seed;
  int value, channels;
} Net;

static int
add_parameter (Net *net, const MienShape *shape, float about, float around)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (net->seed++);
  MienTensor *tensor = mien_tensor_new (MIEN_F32, shape);

  for (gsize i = 0; i < tensor->n_elems; i++)
    mien_tensor_f32 (tensor)[i] = about + around * (float) g_rand_double_range (random, -1, 1);
  const int value = mien_graph_add_parameter (net->graph, NULL, tensor);
  g_array_append_val (net->wanted, value);
  return value;
}

static void
conv (Net *net, int channels, int size, int stride)
{
  const MienShape shape = mien_shape (4, channels, net->channels, size, size);
  const int inputs[] = { net->value, add_parameter (net, &shape, 0, sqrtf (4.0f / (float) (net->channels * size * size))) };
  const gint64 strides[] = { stride, stride }, pads[] = { size / 2, size / 2, size / 2, size / 2 };

  net->value = mien_graph_op (net->graph, "", "Conv", NULL, inputs, 2);
  mien_node_set_ints (mien_graph_producer (net->graph, net->value), "strides", strides, 2);
  mien_node_set_ints (mien_graph_producer (net->graph, net->value), "pads", pads, 4);
  net->channels = channels;
}

/* With a bias, and perhaps Relu, instead of normalisation. */
static void
biased_conv (Net *net, int channels, gboolean rectified)
{
  conv (net, channels, 3, 1);
  MienNode *node = mien_graph_producer (net->graph, net->value);
  const MienShape shape = mien_shape (1, channels);
  node->inputs = g_renew (int, node->inputs, 3);
  node->inputs[node->n_inputs++] = add_parameter (net, &shape, 0, 0.5f);
  if (rectified)
    net->value = mien_graph_op (net->graph, "", "Relu", NULL, &net->value, 1);
}

static void
norm (Net *net, gboolean rectified)
{
  const MienShape shape = mien_shape (1, net->channels);
  const int inputs[] = { net->value, add_parameter (net, &shape, 1, 0.5f), add_parameter (net, &shape, 0, 0.5f) };
  int outputs[3];

  for (int i = 0; i < 3; i++)
    outputs[i] = mien_graph_add_value (net->graph, NULL, MIEN_F32, NULL);
  MienNode *node = mien_graph_node (net->graph, mien_graph_add_node (net->graph, "mien", "BatchNormTrain", NULL, inputs, 3, outputs, 3));
  if (rectified)
    mien_node_set_float (node, "mien.lo", 0);
  net->value = outputs[0];
}

static void
op (Net *net, const char *name)
{
  net->value = mien_graph_op (net->graph, "", name, NULL, &net->value, 1);
}

static void
max_pool (Net *net)
{
  const gint64 two[] = { 2, 2 };

  op (net, "MaxPool");
  mien_node_set_ints (mien_graph_producer (net->graph, net->value), "kernel_shape", two, 2);
  mien_node_set_ints (mien_graph_producer (net->graph, net->value), "strides", two, 2);
}

static void
residual_block (Net *net, int stride)
{
  const int from = net->value, channels = net->channels;
  int both[2];

  conv (net, channels, 3, stride);
  norm (net, TRUE);
  conv (net, channels, 3, 1);
  norm (net, FALSE);
  both[0] = net->value;
  net->value = from;
  if (stride != 1) {
    conv (net, channels, 1, stride);
    norm (net, FALSE);
  }
  both[1] = net->value;
  net->value = mien_graph_op (net->graph, "", "Add", NULL, both, 2);
  op (net, "Relu");
}

/* The same network for the same seed; blocking decides the form. */
static Net
build (guint32 seed, int batch, int size, MienBlocking blocking)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  const MienShape x = mien_shape (4, batch, 1, size, size);
  Net net = { mien_graph_new ("test", 13), g_array_new (FALSE, FALSE, sizeof (int)), seed, 0, 1 };

  net.value = mien_graph_add_input (net.graph, "x", MIEN_F32, &x);
  if (g_rand_boolean (random)) {
    biased_conv (&net, g_rand_int_range (random, 3, 40), TRUE);
    const gboolean rectified = g_rand_boolean (random);
    biased_conv (&net, g_rand_int_range (random, 3, 40), rectified);
    if (rectified)
      max_pool (&net);
  } else {
    conv (&net, g_rand_int_range (random, 3, 40), 3, g_rand_int_range (random, 1, 3));
    norm (&net, TRUE);
  }
  conv (&net, g_rand_int_range (random, 3, 70), g_rand_boolean (random) ? 3 : 5, 1);
  norm (&net, TRUE);
  max_pool (&net);
  residual_block (&net, 1);
  conv (&net, g_rand_int_range (random, 3, 140), 3, 1);
  norm (&net, TRUE);
  residual_block (&net, 2);
  if (g_rand_boolean (random))
    op (&net, "GlobalAveragePool");
  op (&net, "Flatten");
  mien_passes_block_training (net.graph, net.value, &(MienPassesForm) { .blocking = blocking, .without_tiles = MIEN_BLOCK_BF16 });
  return net;
}

/* The largest difference between two lists of numbers, relative to their size. */
static double
distance (const MienTensor *a, const MienTensor *b)
{
  double far = 0, size = 1e-3;

  g_assert_true (mien_shape_equal (&a->shape, &b->shape));
  for (gsize i = 0; i < a->n_elems; i++) {
    const double x = ((const float *) a->data)[i], y = ((const float *) b->data)[i];
    g_assert_true (isfinite (x) && isfinite (y));
    far += (x - y) * (x - y);
    size += y * y;
  }
  return sqrt (far / size);
}

/* Forward, then backward from dy = a fixed pattern. */
static GPtrArray *
run (guint32 seed, int batch, int size, MienBlocking blocking, MienCpuLevel cpu, int n_threads, int *n_blocked)
{
  Net net = build (seed, batch, size, blocking);
  g_autoptr (GRand) random = g_rand_new_with_seed (seed + 1000);
  GPtrArray *results = g_ptr_array_new_with_free_func ((GDestroyNotify) mien_tensor_unref);
  g_autofree int *grads = g_new (int, net.wanted->len);
  MienThreads *threads = mien_threads_new (n_threads);
  const MienPlanOptions options = { .cpu = cpu, .threads = threads, .no_fusion = TRUE };
  const MienShape x_shape = mien_shape (4, batch, 1, size, size);
  g_autoptr (MienTensor) x = mien_tensor_new (MIEN_F32, &x_shape);
  g_autoptr (GError) error = NULL;
  const MienTensor *inputs[] = { x, NULL };
  MienShape y_shape;
  MienType type;

  /* The shape of the result, from a plan of the forward part alone. */
  {
    g_autoptr (MienGraph) forward = mien_graph_dup (net.graph);
    mien_graph_add_output (forward, net.value);
    g_autoptr (MienPlan) plan = mien_plan_new (forward, NULL, &options, &error);
    g_assert_no_error (error);
    mien_plan_get_value (plan, net.value, &type, &y_shape);
  }
  g_autoptr (MienTensor) dy = mien_tensor_new (MIEN_F32, &y_shape);
  for (gsize i = 0; i < x->n_elems; i++)
    mien_tensor_f32 (x)[i] = (float) g_rand_double_range (random, -1, 1);
  for (gsize i = 0; i < dy->n_elems; i++)
    mien_tensor_f32 (dy)[i] = (float) g_rand_double_range (random, -1, 1);
  inputs[1] = dy;
  const int dy_value = mien_graph_add_input (net.graph, "dy", MIEN_F32, &y_shape);
  mien_autodiff (net.graph, net.value, dy_value, (const int *) net.wanted->data, (int) net.wanted->len, grads, &error);
  g_assert_no_error (error);
  mien_graph_add_output (net.graph, net.value);
  for (guint i = 0; i < net.wanted->len; i++)
    mien_graph_add_output (net.graph, grads[i]);
  *n_blocked = 0;
  for (guint i = 0; i < net.graph->nodes->len; i++)
    *n_blocked += g_str_has_prefix (mien_graph_node (net.graph, i)->op, "TrainConvGrad");
  g_autoptr (MienPlan) plan = mien_plan_new (net.graph, NULL, &options, &error);
  g_assert_no_error (error);
  g_autoptr (MienContext) context = mien_context_new (plan, &error);
  g_assert_no_error (error);
  for (int i = 0; i < 2; i++) { /* nothing may be left over from the first run */
    mien_context_run (context, inputs, &error);
    g_assert_no_error (error);
  }
  for (guint i = 0; i < 1 + net.wanted->len; i++)
    g_ptr_array_add (results, mien_tensor_dup (mien_context_output (context, (int) i)));
  g_array_unref (net.wanted);
  mien_graph_unref (net.graph);
  mien_threads_free (threads);
  return results;
}

static void
test_blocked (gconstpointer data)
{
  const MienCpuLevel cpu = GPOINTER_TO_INT (data) & 0xff;
  const MienBlocking blocking = GPOINTER_TO_INT (data) >> 8;
  const gboolean bf16 = blocking != MIEN_BLOCK_F32;
  static const int batches[] = { 3, 5, 10, 4 }, sizes[] = { 12, 13, 17, 24 };
  double worst = 0;

  for (guint32 seed = 1; seed <= 8; seed++) {
    const int batch = batches[seed % 4], size = sizes[seed / 2 % 4];
    int n_plain, n_blocked;
    g_autoptr (GPtrArray) want = run (seed, batch, size, MIEN_BLOCK_NONE, MIEN_CPU_C, 1, &n_plain);
    g_autoptr (GPtrArray) got = run (seed, batch, size, blocking, cpu, 1 + (int) seed % 3, &n_blocked);
    g_assert_cmpint (n_plain, ==, 0);
    g_assert_cmpint (n_blocked, >, 8);
    for (guint i = 0; i < want->len; i++) {
      const double far = distance (got->pdata[i], want->pdata[i]);
      worst = MAX (worst, far);
      /* bfloat16, more so with Winograd's sums, turns some Relus the other way, each a whole gradient off. */
      if (far > (i == 0 ? (bf16 ? 0.06 : 1e-5) : bf16 ? 0.6 : 2e-4))
        g_error ("seed %u, batch %d, size %d: result %u is %.3g away", seed, batch, size, i, far);
    }
  }
  g_test_message ("largest distance %.3g", worst);
}

int
main (int argc, char **argv)
{
  static const char *const forms[] = { [MIEN_BLOCK_F32] = "f32", [MIEN_BLOCK_BF16] = "bf16", [MIEN_BLOCK_TILES] = "tiles" };

  g_test_init (&argc, &argv, NULL);
  for (int cpu = 1; cpu <= (int) mien_cpu_detect (); cpu++) {
    MienKernels kernels;
    mien_kernels_init (&kernels, cpu);
    const int lanes[] = { [MIEN_BLOCK_F32] = kernels.backward.lanes, [MIEN_BLOCK_BF16] = kernels.backward_bf16.lanes, [MIEN_BLOCK_TILES] = kernels.backward_tiles.lanes };
    for (MienBlocking blocking = MIEN_BLOCK_F32; blocking <= MIEN_BLOCK_TILES; blocking++) {
      if (lanes[blocking] == 0)
        continue;
      g_autofree char *path = g_strdup_printf ("/nn/backward/%s/%s", forms[blocking], mien_cpu_level_name (cpu));
      g_test_add_data_func (path, GINT_TO_POINTER (cpu + 256 * (int) blocking), test_blocked);
    }
  }
  return g_test_run ();
}
