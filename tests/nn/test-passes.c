/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What passes change must not change answers: a network with everything they look for, run as it is written and rewritten, at every
 * level and in both precisions; outputs, kept values and values that plain operators read in the middle. */
#include <math.h>
#include <string.h>

#include "mien-test.h"
#include "nn/mien-kernels.h"
#include "nn/mien-passes.h"
#include "nn/mien-plan.h"

enum { N_WANTED = 8 };

typedef struct {
  MienGraph *graph;
  GRand *random;
  int kept, middle, dense, pooled, pair, separable, mean, out;
} Net;

static int
weights (Net *net, const MienShape *shape, double scale, double about)
{
  MienTensor *tensor = mien_tensor_new (MIEN_F32, shape);

  for (gsize i = 0; i < tensor->n_elems; i++)
    mien_tensor_f32 (tensor)[i] = (float) (about + g_rand_double_range (net->random, -scale, scale));
  return mien_graph_add_constant (net->graph, NULL, tensor);
}

static int
conv (Net *net, int x, int c, int k, int size, int stride, int group, gboolean bias)
{
  const MienShape w = mien_shape (4, k, c / group, size, size), b = mien_shape (1, k);
  const int inputs[] = { x, weights (net, &w, sqrt (6.0 / (c / group * size * size)), 0), bias ? weights (net, &b, 0.1, 0) : -1 };
  const gint64 strides[] = { stride, stride }, pads[] = { size / 2, size / 2, size / 2, size / 2 };
  const int y = mien_graph_op (net->graph, "", "Conv", NULL, inputs, bias ? 3 : 2);
  MienNode *node = mien_graph_producer (net->graph, y);

  mien_node_set_ints (node, "strides", strides, 2);
  mien_node_set_ints (node, "pads", pads, 4);
  mien_node_set_int (node, "group", group);
  return y;
}

static int
norm (Net *net, int x, int c)
{
  const MienShape shape = mien_shape (1, c);
  const int inputs[] = { x, weights (net, &shape, 0.2, 1), weights (net, &shape, 0.2, 0), weights (net, &shape, 0.1, 0), weights (net, &shape, 0.2, 0.8) };

  return mien_graph_op (net->graph, "", "BatchNormalization", NULL, inputs, 5);
}

static int
unary (Net *net, const char *op, int x)
{
  return mien_graph_op (net->graph, "", op, NULL, &x, 1);
}

static int
binary (Net *net, const char *op, int a, int b)
{
  const int inputs[] = { a, b };

  return mien_graph_op (net->graph, "", op, NULL, inputs, 2);
}

static int
pool (Net *net, const char *op, int x)
{
  const gint64 kernel[] = { 3, 3 }, strides[] = { 2, 2 }, pads[] = { 1, 1, 1, 1 };
  const int y = unary (net, op, x);
  MienNode *node = mien_graph_producer (net->graph, y);

  mien_node_set_ints (node, "kernel_shape", kernel, 2);
  mien_node_set_ints (node, "strides", strides, 2);
  mien_node_set_ints (node, "pads", pads, 4);
  return y;
}

/* Stem, residual block with a shortcut, depthwise, odd numbers of channels, both pools, a plain operator between blocked ones. */
static Net
make_net (void)
{
  Net net = { mien_graph_new ("test", 13), g_rand_new_with_seed (11) };
  const MienShape in = mien_shape (4, 2, 1, 17, 13), fc_w = mien_shape (2, 20, 7), fc_b = mien_shape (1, 7);
  const MienShape flat_w = mien_shape (2, 35, 400), flat_b = mien_shape (1, 35), product_w = mien_shape (2, 400, 35);
  int x = mien_graph_add_input (net.graph, "x", MIEN_F32, &in);

  /* A stem that can be pooled at once. */
  const gint64 two[] = { 2, 2 };
  net.pooled = unary (&net, "MaxPool", unary (&net, "Relu", conv (&net, x, 1, 20, 3, 1, 1, TRUE)));
  mien_node_set_ints (mien_graph_producer (net.graph, net.pooled), "kernel_shape", two, 2);
  mien_node_set_ints (mien_graph_producer (net.graph, net.pooled), "strides", two, 2);
  /* Convolutions behind it: the Winograd way, and one that cannot be; Add behind a pool stays where it is. */
  for (int size = 3; size <= 5; size += 2) {
    const int pooled = unary (&net, "MaxPool", unary (&net, "Relu", conv (&net, conv (&net, net.pooled, 20, 20, 3, 1, 1, TRUE), 20, 20, size, 1, 1, TRUE)));
    mien_node_set_ints (mien_graph_producer (net.graph, pooled), "kernel_shape", two, 2);
    mien_node_set_ints (mien_graph_producer (net.graph, pooled), "strides", two, 2);
    const int other = unary (&net, "MaxPool", conv (&net, net.pooled, 20, 20, 3, 1, 1, TRUE));
    mien_node_set_ints (mien_graph_producer (net.graph, other), "kernel_shape", two, 2);
    mien_node_set_ints (mien_graph_producer (net.graph, other), "strides", two, 2);
    const int sum = binary (&net, "Add", conv (&net, other, 20, 20, 1, 1, 1, FALSE), binary (&net, "Add", pooled, other));
    const gint64 ones[] = { 1, 1 };
    net.pooled = unary (&net, "MaxPool", sum); /* of one pixel: as large as before */
    mien_node_set_ints (mien_graph_producer (net.graph, net.pooled), "kernel_shape", ones, 2);
    mien_node_set_ints (mien_graph_producer (net.graph, net.pooled), "strides", ones, 2);
  }
  net.pooled = unary (&net, "Sigmoid", conv (&net, net.pooled, 20, 20, 3, 1, 1, TRUE));
  /* Two narrow convolutions at the beginning, and one that reads them with a border. */
  net.pair = unary (&net, "Relu", conv (&net, x, 1, 6, 3, 1, 1, FALSE));
  net.pair = unary (&net, "Relu", conv (&net, net.pair, 6, 7, 3, 1, 1, TRUE));
  net.pair = unary (&net, "Sigmoid", conv (&net, net.pair, 7, 20, 3, 1, 1, TRUE));
  /* Separable convolutions: with all that can come between and behind, and one whose middle somebody else reads. */
  net.separable = unary (&net, "Sigmoid", conv (&net, x, 1, 20, 3, 1, 1, TRUE));
  const int first = conv (&net, unary (&net, "Relu", norm (&net, conv (&net, net.separable, 20, 20, 3, 1, 20, TRUE), 20)), 20, 20, 1, 1, 1, TRUE);
  const int second = conv (&net, conv (&net, unary (&net, "Relu", binary (&net, "Add", first, net.separable)), 20, 20, 5, 2, 20, FALSE), 20, 37, 1, 1, 1, FALSE);
  const int third = conv (&net, unary (&net, "Relu", second), 37, 37, 3, 1, 37, TRUE);
  const int fourth = unary (&net, "Relu", conv (&net, third, 37, 37, 1, 1, 1, TRUE));
  net.separable = binary (&net, "Mul", unary (&net, "Sigmoid", fourth), unary (&net, "Sigmoid", third));
  /* The mean of a convolution. */
  net.mean = unary (&net, "GlobalAveragePool", conv (&net, unary (&net, "Relu", conv (&net, x, 1, 20, 3, 1, 1, TRUE)), 20, 9, 3, 2, 1, TRUE));
  x = unary (&net, "Relu", norm (&net, conv (&net, x, 1, 24, 3, 1, 1, FALSE), 24));
  net.kept = x;
  x = pool (&net, "MaxPool", x);
  const int shortcut = norm (&net, conv (&net, x, 24, 40, 1, 2, 1, FALSE), 40);
  int branch = unary (&net, "Relu", norm (&net, conv (&net, x, 24, 40, 3, 2, 1, FALSE), 40));
  branch = conv (&net, branch, 40, 40, 3, 1, 1, TRUE);
  x = unary (&net, "Relu", binary (&net, "Add", branch, shortcut));
  x = unary (&net, "Sigmoid", conv (&net, x, 40, 40, 3, 1, 40, TRUE)); /* plain in the middle */
  net.middle = x;
  x = conv (&net, x, 40, 20, 1, 1, 1, TRUE);
  /* A dense layer on a blocked value that has a border, because a convolution reads it too. */
  const int flat[] = { unary (&net, "Flatten", x), weights (&net, &flat_w, 0.02, 0), weights (&net, &flat_b, 0.1, 0) };
  net.dense = mien_graph_op (net.graph, "", "Gemm", NULL, flat, 3);
  mien_node_set_int (mien_graph_producer (net.graph, net.dense), "transB", 1);
  const int product[] = { flat[0], weights (&net, &product_w, 0.02, 0) };
  net.dense = binary (&net, "Add", unary (&net, "Relu", net.dense), mien_graph_op (net.graph, "", "MatMul", NULL, product, 2));
  x = conv (&net, x, 20, 20, 3, 1, 20, TRUE);
  x = unary (&net, "GlobalAveragePool", pool (&net, "AveragePool", x));
  const int fc[] = { unary (&net, "Flatten", x), weights (&net, &fc_w, 2, 0), weights (&net, &fc_b, 0.1, 0) };
  net.out = unary (&net, "Softmax", mien_graph_op (net.graph, "", "Gemm", NULL, fc, 3));
  mien_graph_add_output (net.graph, net.out);
  mien_graph_add_output (net.graph, net.dense);
  mien_graph_add_output (net.graph, net.pooled);
  mien_graph_add_output (net.graph, net.pair);
  mien_graph_add_output (net.graph, net.separable);
  mien_graph_add_output (net.graph, net.mean);
  return net;
}

/* The values out, kept, middle, dense, pooled, pair, separable and mean after one run. */
static void
run (Net *net, MienPlanOptions options, const MienTensor *x, MienTensor *values[N_WANTED])
{
  const int keep[] = { net->kept, net->middle }, wanted[] = { net->out, net->kept, net->middle, net->dense, net->pooled, net->pair, net->separable, net->mean };
  g_autoptr (GError) error = NULL;

  options.keep = keep;
  options.n_keep = 2;
  g_autoptr (MienPlan) plan = mien_plan_new (net->graph, NULL, &options, &error);
  g_assert_no_error (error);
  g_autoptr (MienContext) context = mien_context_new (plan, &error);
  g_assert_no_error (error);
  for (int i = 0; i < (options.paced ? 5 : 2); i++) { /* twice: nothing is left over from the first run */
    mien_context_run (context, &x, &error);
    g_assert_no_error (error);
  }
  for (int i = 0; i < N_WANTED; i++)
    values[i] = mien_tensor_dup (mien_context_value (context, wanted[i]));
}

static double
distance (const MienTensor *a, const MienTensor *b)
{
  double most = 0;

  g_assert_true (mien_shape_equal (&a->shape, &b->shape));
  for (gsize i = 0; i < a->n_elems; i++)
    most = MAX (most, fabs ((double) mien_tensor_f32 (a)[i] - mien_tensor_f32 (b)[i]));
  return most;
}

static void
fill (const Net *net, MienTensor *x)
{
  for (gsize i = 0; i < x->n_elems; i++)
    mien_tensor_f32 (x)[i] = (float) g_rand_double_range (net->random, -1, 1);
}

/* However many threads run, and when their number changes from run to run. */
static void
test_same_bits (void)
{
  Net net = make_net ();
  const MienShape in = mien_shape (4, 2, 1, 17, 13);
  g_autoptr (MienTensor) x = mien_tensor_new (MIEN_F32, &in);
  MienTensor *want[N_WANTED], *got[N_WANTED];

  fill (&net, x);
  for (int level = 0; level <= (int) mien_cpu_detect (); level++)
    for (int precision = 0; precision < 2; precision++) {
      MienPlanOptions options = { .cpu = (MienCpuLevel) level, .precision = (MienPrecision) precision };
      run (&net, options, x, want);
      for (int n_threads = 2; n_threads <= 3; n_threads++) {
        options.threads = mien_threads_new (n_threads);
        options.paced = n_threads == 3;
        run (&net, options, x, got);
        for (int i = 0; i < N_WANTED; i++) {
          g_assert_cmpmem (want[i]->data, want[i]->n_elems * sizeof (float), got[i]->data, got[i]->n_elems * sizeof (float));
          mien_tensor_unref (got[i]);
        }
        mien_threads_free (options.threads);
      }
      for (int i = 0; i < N_WANTED; i++)
        mien_tensor_unref (want[i]);
    }
  g_rand_free (net.random);
  mien_graph_unref (net.graph);
}

static gboolean
read_cb (gpointer source, gsize offset, void *to, gsize n_bytes, GError **error)
{
  memcpy (to, (const char *) ((const MienTensor *) source)->data + offset, n_bytes);
  return TRUE;
}

/* All constants, as those of a file that has not been read yet. */
static void
send_away (MienGraph *graph)
{
  for (guint i = 0; i < graph->values->len; i++) {
    MienValue *value = mien_graph_value (graph, i);
    if (value->tensor != NULL && value->tensor->n_elems > 0)
      value->tensor = mien_tensor_new_away (value->tensor->type, &value->tensor->shape, read_cb, value->tensor, (GDestroyNotify) mien_tensor_unref);
  }
}

/* Weights that are read while they are packed, all of them or all at once, are the same. */
static void
test_away (void)
{
  const MienShape in = mien_shape (4, 2, 1, 17, 13);
  MienTensor *want[N_WANTED], *got[N_WANTED];

  for (int level = 0; level <= (int) mien_cpu_detect (); level++)
    for (int variant = 0; variant < 8; variant++) {
      MienThreads *threads = mien_threads_new (variant & 2 ? 2 : 1);
      const MienPlanOptions options = {
        .cpu = (MienCpuLevel) level, .precision = (MienPrecision) (variant & 1), .threads = threads, .let_go = variant & 4,
      };
      Net net = make_net ();
      g_autoptr (MienTensor) x = mien_tensor_new (MIEN_F32, &in);

      fill (&net, x);
      run (&net, options, x, want);
      g_rand_free (net.random);
      mien_graph_unref (net.graph);
      net = make_net ();
      send_away (net.graph);
      run (&net, options, x, got);
      for (int i = 0; i < N_WANTED; i++) {
        g_assert_cmpmem (want[i]->data, want[i]->n_elems * sizeof (float), got[i]->data, got[i]->n_elems * sizeof (float));
        mien_tensor_unref (got[i]);
        mien_tensor_unref (want[i]);
      }
      g_rand_free (net.random);
      mien_graph_unref (net.graph);
      mien_threads_free (threads);
    }
}

static gboolean
fail_cb (gpointer source, gsize offset, void *to, gsize n_bytes, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_IO, "the disk is gone");
  return FALSE;
}

/* Packed or not, one sentence says which tensor cannot be read. */
static void
test_unreadable (void)
{
  const MienShape in = mien_shape (4, 1, 8, 9, 9);
  for (int which = 0; which < 2; which++) {
    Net net = { mien_graph_new ("test", 13), g_rand_new_with_seed (1) };
    const MienPlanOptions options = { .cpu = mien_cpu_detect (), .let_go = TRUE };
    g_autoptr (GError) error = NULL;
    const int x = mien_graph_add_input (net.graph, "x", MIEN_F32, &in);
    const int y = conv (&net, x, 8, 8, 3, 1, 1, FALSE), other = weights (&net, &in, 1, 0);
    MienValue *gone = mien_graph_value (net.graph, which == 0 ? mien_graph_producer (net.graph, y)->inputs[1] : other);
    const MienShape shape = gone->tensor->shape;
    g_autofree char *want = g_strdup_printf ("tensor \"%s\": the disk is gone", gone->name);

    mien_graph_add_output (net.graph, binary (&net, "Add", y, other));
    mien_tensor_unref (gone->tensor);
    gone->tensor = mien_tensor_new_away (MIEN_F32, &shape, fail_cb, NULL, NULL);
    g_assert_null (mien_plan_new (net.graph, NULL, &options, &error));
    g_assert_cmpstr (error->message, ==, want);
    g_rand_free (net.random);
    mien_graph_unref (net.graph);
  }
}

static MienTensor *
run_plainly (const Net *net, const MienShape *in, const MienTensor *const *inputs, int value)
{
  const MienPlanOptions options = { .cpu = MIEN_CPU_C, .no_passes = TRUE };
  g_autoptr (GError) error = NULL;
  g_autoptr (MienPlan) plan = mien_plan_new (net->graph, in, &options, &error);
  g_assert_no_error (error);
  g_autoptr (MienContext) context = mien_context_new (plan, &error);

  g_assert_true (mien_context_run (context, inputs, &error));
  return mien_tensor_dup (mien_context_value (context, value));
}

/* Layers that are large enough to be shared out, by rows, by rows of many blocks of channels and by channels, with scratch for every thread: the same
 * bits with any number of threads, near to those of the plain graph. */
static void
test_shared_out (void)
{
  const MienShape in = mien_shape (4, 1, 1, 24, 24);
  Net net = { mien_graph_new ("test", 13), g_rand_new_with_seed (6) };
  g_autoptr (MienTensor) x = mien_tensor_new (MIEN_F32, &in);
  const MienTensor *const inputs[] = { x };
  g_autoptr (GError) error = NULL;
  int y = unary (&net, "Relu", conv (&net, mien_graph_add_input (net.graph, "x", MIEN_F32, &in), 1, 48, 3, 1, 1, TRUE));

  y = unary (&net, "Relu", conv (&net, y, 48, 48, 3, 1, 1, TRUE));
  y = unary (&net, "Relu", conv (&net, y, 48, 160, 1, 1, 1, TRUE));
  const int down = unary (&net, "Relu", conv (&net, y, 160, 96, 3, 2, 1, TRUE));
  y = unary (&net, "Relu", conv (&net, down, 96, 96, 3, 1, 1, TRUE));
  y = binary (&net, "Add", conv (&net, y, 96, 96, 3, 1, 1, TRUE), down);
  mien_graph_add_output (net.graph, y);
  fill (&net, x);
  g_autoptr (MienTensor) plain = run_plainly (&net, &in, inputs, y);
  double size = 0;
  for (gsize i = 0; i < plain->n_elems; i++)
    size = MAX (size, fabs ((double) mien_tensor_f32 (plain)[i]));
  for (int level = 0; level <= (int) mien_cpu_detect (); level++)
    for (int precision = 0; precision < 2; precision++) {
      g_autoptr (MienTensor) want = NULL;
      for (int n_threads = 1; n_threads <= 3; n_threads++) {
        MienThreads *threads = mien_threads_new (n_threads);
        const MienPlanOptions options = {
          .cpu = (MienCpuLevel) level, .precision = (MienPrecision) precision, .threads = threads, .paced = n_threads == 3,
        };
        g_autoptr (MienPlan) plan = mien_plan_new (net.graph, &in, &options, &error);
        g_assert_no_error (error);
        MienContext *context = mien_context_new (plan, &error);
        for (int i = 0; i < 20; i++) {
          g_assert_true (mien_context_run (context, inputs, &error));
          const MienTensor *got = mien_context_value (context, y);
          if (want == NULL) {
            want = mien_tensor_dup (got);
            g_assert_cmpfloat (distance (plain, want), <, (precision == 1 && mien_cpu_has_bf16 (level) ? 0.05 : 1e-4) * size);
          }
          g_assert_cmpmem (want->data, want->n_elems * sizeof (float), got->data, got->n_elems * sizeof (float));
        }
        mien_context_free (context);
        mien_threads_free (threads);
      }
    }
  /* Tensors of other sizes share memory where there would be too little of it. */
  MienPlanOptions options = { .cpu = mien_cpu_detect (), .n_threads = 2 };
  g_autoptr (MienPlan) close = mien_plan_new (net.graph, &in, &options, &error);
  options.paced = TRUE;
  g_autoptr (MienPlan) apart = mien_plan_new (net.graph, &in, &options, &error);
  g_assert_cmpuint (mien_plan_arena_bytes (apart), >, mien_plan_arena_bytes (close));
  options.max_bytes = mien_plan_arena_bytes (close);
  g_autoptr (MienPlan) limited = mien_plan_new (net.graph, &in, &options, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (mien_plan_arena_bytes (limited), ==, mien_plan_arena_bytes (close));
  g_rand_free (net.random);
  mien_graph_unref (net.graph);
}

/* No pictures: nothing is shared out among threads, and the answer is empty. */
static void
test_empty_batch (void)
{
  const MienShape open = { .rank = 4, .dim = { -1, 1, 24, 24 } }, none = mien_shape (4, 0, 1, 24, 24);
  Net net = { mien_graph_new ("test", 13), g_rand_new_with_seed (6) };
  g_autoptr (MienTensor) x = mien_tensor_new (MIEN_F32, &none);
  int y = unary (&net, "Relu", conv (&net, mien_graph_add_input (net.graph, "x", MIEN_F32, &open), 1, 48, 3, 1, 1, TRUE));

  y = conv (&net, unary (&net, "Relu", conv (&net, y, 48, 160, 1, 1, 1, TRUE)), 160, 96, 3, 2, 1, TRUE);
  y = pool (&net, "MaxPool", y);
  mien_graph_add_output (net.graph, y);
  for (int level = 0; level <= (int) mien_cpu_detect (); level++)
    for (int precision = 0; precision < 2; precision++) {
      MienThreads *threads = mien_threads_new (2);
      const MienPlanOptions options = { .cpu = (MienCpuLevel) level, .precision = (MienPrecision) precision, .threads = threads };
      g_autoptr (GError) error = NULL;
      g_autoptr (MienPlan) plan = mien_plan_new (net.graph, &none, &options, &error);
      g_assert_no_error (error);
      MienContext *context = mien_context_new (plan, &error);

      g_assert_true (mien_context_run (context, (const MienTensor *const[]) { x }, &error));
      g_assert_cmpint (mien_context_output (context, 0)->shape.dim[0], ==, 0);
      g_assert_cmpuint (mien_context_output (context, 0)->n_elems, ==, 0);
      mien_context_free (context);
      mien_threads_free (threads);
    }
  g_rand_free (net.random);
  mien_graph_unref (net.graph);
}

static void
test_same_answers (void)
{
  Net net = make_net ();
  const MienShape in = mien_shape (4, 2, 1, 17, 13);
  g_autoptr (MienTensor) x = mien_tensor_new (MIEN_F32, &in);
  MienTensor *want[N_WANTED], *got[N_WANTED];
  MienThreads *threads = mien_threads_new (2);

  fill (&net, x);
  run (&net, (MienPlanOptions) { .cpu = MIEN_CPU_C, .no_passes = TRUE }, x, want);
  for (int level = 0; level <= (int) mien_cpu_detect (); level++) {
    for (int precision = 0; precision < 2; precision++) {
      const gboolean rounded = precision == 1 && mien_cpu_has_bf16 (level);
      run (&net, (MienPlanOptions) { .cpu = (MienCpuLevel) level, .precision = (MienPrecision) precision, .threads = level % 2 ? threads : NULL }, x, got);
      for (int i = 0; i < N_WANTED; i++) {
        const double difference = distance (want[i], got[i]);
        g_test_message ("level %s precision %d value %d: %g", mien_cpu_level_name (level), precision, i, difference);
        /* Values are of the order of 1: f32 keeps five digits through a few layers, bfloat16 two. */
        g_assert_cmpfloat (difference, <, rounded ? 0.03 : 2e-5);
        if (rounded && mien_cpu_bf16_pays (level)) /* or bfloat16 was not used at all */
          g_assert_cmpfloat (difference, >, 1e-5);
        mien_tensor_unref (got[i]);
      }
    }
  }
  for (int i = 0; i < N_WANTED; i++)
    mien_tensor_unref (want[i]);
  mien_threads_free (threads);
  g_rand_free (net.random);
  mien_graph_unref (net.graph);
}

/* Every form that the kernels have, whether or not a plan would choose it on this processor. */
static void
test_forms (void)
{
  static const struct {
    MienPassesForm form;
    double least, most; /* distance from the plain graph, of the largest result */
  } cases[] = {
    { { MIEN_BLOCK_F32, MIEN_BLOCK_F32, FALSE, FALSE }, 0, 1e-5 },
    { { MIEN_BLOCK_F32, MIEN_BLOCK_F32, TRUE, TRUE }, 1e-4, 0.02 },
    { { MIEN_BLOCK_BF16, MIEN_BLOCK_BF16, TRUE, TRUE }, 1e-3, 0.03 },
    { { MIEN_BLOCK_TILES, MIEN_BLOCK_F32, TRUE, TRUE }, 1e-3, 0.03 },
  };
  enum { MANY = 10 }; /* pictures: more than a dense layer takes for few */
  const MienShape w = mien_shape (2, 20, 96 * 6 * 6);
  MienKernels kernels;

  mien_kernels_init (&kernels, mien_cpu_detect ());
  const int lanes[] = { [MIEN_BLOCK_F32] = kernels.blocked.lanes, [MIEN_BLOCK_BF16] = kernels.blocked_bf16.lanes, [MIEN_BLOCK_TILES] = kernels.blocked_tiles.lanes };
  for (gsize i = 0; i < 2 * G_N_ELEMENTS (cases); i++) {
    const MienPassesForm *form = &cases[i / 2].form;
    const MienShape in = mien_shape (4, i % 2 == 0 ? 1 : MANY, 1, 24, 24);
    Net net = { mien_graph_new ("test", 13), g_rand_new_with_seed (7) };
    g_autoptr (MienTensor) x = mien_tensor_new (MIEN_F32, &in);
    const MienTensor *const inputs[] = { x };
    g_autoptr (GError) error = NULL;
    int y = unary (&net, "Relu", conv (&net, mien_graph_add_input (net.graph, "x", MIEN_F32, &in), 1, 48, 3, 1, 1, TRUE));
    double size = 0;

    y = unary (&net, "Relu", conv (&net, y, 48, 64, 3, 2, 1, TRUE));
    y = unary (&net, "Relu", conv (&net, y, 64, 96, 3, 2, 1, TRUE));
    y = unary (&net, "Relu", conv (&net, y, 96, 96, 3, 1, 1, TRUE));
    const int dense[] = { unary (&net, "Flatten", y), weights (&net, &w, 0.03, 0) };
    y = mien_graph_op (net.graph, "", "Gemm", NULL, dense, 2);
    mien_node_set_int (mien_graph_producer (net.graph, y), "transB", 1);
    mien_graph_add_output (net.graph, y);
    fill (&net, x);
    g_autoptr (MienTensor) want = run_plainly (&net, &in, inputs, y);
    for (gsize k = 0; k < want->n_elems; k++)
      size = MAX (size, fabs ((double) mien_tensor_f32 (want)[k]));
    mien_passes_run (net.graph, NULL, 0, form);
    if (lanes[form->blocking] > 0) {
      const MienPlanOptions options = { .cpu = mien_cpu_detect (), .no_passes = TRUE };
      g_autoptr (MienPlan) plan = mien_plan_new (net.graph, &in, &options, &error);
      g_assert_no_error (error);
      g_autoptr (MienContext) context = mien_context_new (plan, &error);
      g_assert_true (mien_context_run (context, inputs, &error));
      const double difference = distance (want, mien_context_value (context, y)) / size;
      g_test_message ("form %d: %g", (int) i / 2, difference);
      g_assert_cmpfloat (difference, <=, cases[i / 2].most);
      if (!form->narrow || mien_cpu_has_bf16 (mien_cpu_detect ()))
        g_assert_cmpfloat (difference, >=, cases[i / 2].least);
    }
    g_rand_free (net.random);
    mien_graph_unref (net.graph);
  }
}

/* Blocked tensors have five dimensions; a picture that has five is not one of them. */
static void
test_five_dimensions (void)
{
  for (MienCpuLevel cpu = MIEN_CPU_C; cpu <= mien_cpu_detect (); cpu++) {
    Net net = { mien_graph_new ("test", 13), g_rand_new_with_seed (1) };
    const MienShape shape = mien_shape (4, 1, 2, 6, 6);
    MienShape five = shape;
    const MienPlanOptions options = { .cpu = cpu };
    g_autoptr (GError) error = NULL;

    five.rank = 5;
    five.dim[4] = 16;
    const int x = mien_graph_add_input (net.graph, "x", MIEN_F32, &five);
    mien_graph_add_output (net.graph, conv (&net, x, 2, 2, 3, 2, 1, FALSE));
    g_autoptr (MienPlan) plan = mien_plan_new (net.graph, NULL, &options, &error);
    g_assert_null (plan);
    g_assert_nonnull (strstr (error->message, "an input of 5 dimensions"));
    g_rand_free (net.random);
    mien_graph_unref (net.graph);
  }
}

/* So large that one picture waits for the weights: with bfloat16 they have 8 bits then, after convolutions and after another dense layer; several
 * pictures take bfloat16. */
static void
test_large_dense (void)
{
  const MienShape w1 = mien_shape (2, 300, 32 * 12 * 11), b1 = mien_shape (1, 300), w2 = mien_shape (2, 300, 2001), w3 = mien_shape (2, 2001, 301);
  const MienShape shape = mien_shape (4, -1, 1, 12, 11);
  Net net = { mien_graph_new ("test", 13), g_rand_new_with_seed (5) };
  MienThreads *threads = mien_threads_new (2);
  g_autoptr (GError) error = NULL;
  const int features = unary (&net, "Relu", conv (&net, mien_graph_add_input (net.graph, "x", MIEN_F32, &shape), 1, 32, 3, 1, 1, TRUE));
  const int first[] = { unary (&net, "Flatten", features), weights (&net, &w1, 0.03, 0), weights (&net, &b1, 0.1, 0) };
  const int hidden = mien_graph_op (net.graph, "", "Gemm", NULL, first, 3);
  const int second[] = { unary (&net, "Tanh", hidden), weights (&net, &w2, 0.1, 0) };

  mien_node_set_int (mien_graph_producer (net.graph, hidden), "transB", 1);
  const int third[] = { mien_graph_op (net.graph, "", "MatMul", NULL, second, 2), weights (&net, &w3, 0.03, 0) };
  const int out = mien_graph_op (net.graph, "", "MatMul", NULL, third, 2);
  mien_graph_add_output (net.graph, out);
  for (int n = 1; n <= 10; n += n == 2 ? 8 : 1) {
    const MienShape in = mien_shape (4, n, 1, 12, 11);
    g_autoptr (MienTensor) x = mien_tensor_new (MIEN_F32, &in);
    const MienTensor *const inputs[] = { x };
    g_autoptr (MienTensor) want = NULL;

    fill (&net, x);
    for (int run = 0; run < 4; run++) { /* exactly; in f32; with bfloat16, one thread and two */
      const MienPlanOptions options = {
        .cpu = run == 0 ? MIEN_CPU_C : mien_cpu_detect (), .no_passes = run == 0, .precision = run < 2 ? MIEN_PRECISION_F32 : MIEN_PRECISION_BF16,
        .threads = run == 3 ? threads : NULL,
      };
      g_autoptr (MienPlan) plan = mien_plan_new (net.graph, &in, &options, &error);
      g_assert_no_error (error);
      g_autoptr (MienContext) context = mien_context_new (plan, &error);
      g_assert_true (mien_context_run (context, inputs, &error));
      g_assert_no_error (error);
      const MienTensor *got = mien_context_value (context, out);
      if (run == 0) {
        want = mien_tensor_dup (got);
        continue;
      }
      double square = 0;
      for (gsize i = 0; i < want->n_elems; i++)
        square += mien_tensor_f32 (want)[i] * mien_tensor_f32 (want)[i] / (double) want->n_elems;
      const double difference = distance (want, got) / sqrt (square);
      g_test_message ("%d pictures, run %d: %g", n, run, difference);
      g_assert_cmpfloat (difference, <, run == 1 || mien_cpu_detect () < MIEN_CPU_BF16 ? 1e-4 : 0.03);
      if (run > 1 && mien_cpu_detect () >= MIEN_CPU_BF16 && (n <= 2 || mien_cpu_bf16_pays (mien_cpu_detect ())))
        g_assert_cmpfloat (difference, >, 1e-4);
    }
  }
  mien_threads_free (threads);
  g_rand_free (net.random);
  mien_graph_unref (net.graph);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/passes/same-answers", test_same_answers);
  g_test_add_func ("/passes/away", test_away);
  g_test_add_func ("/passes/unreadable", test_unreadable);
  g_test_add_func ("/passes/same-bits", test_same_bits);
  g_test_add_func ("/passes/shared-out", test_shared_out);
  g_test_add_func ("/passes/empty-batch", test_empty_batch);
  g_test_add_func ("/passes/forms", test_forms);
  g_test_add_func ("/passes/large-dense", test_large_dense);
  g_test_add_func ("/passes/five-dimensions", test_five_dimensions);
  return g_test_run ();
}
