/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When plans compute on tile registers: in bfloat16, where the processor has them, and where blocks of 32 channels are not half empty. On
 * emulated tiles, which are counted; with two threads, each of which has its own registers. */
#include <math.h>

#include "kernels/mien-emulated-tiles.h"
#include "mien-test.h"
#include "nn/mien-plan.h"

static int
conv (MienGraph *graph, GRand *random, int x, int c, int k, int group, int size)
{
  const MienShape shape = mien_shape (4, k, c / group, size, size);
  MienTensor *w = mien_tensor_new (MIEN_F32, &shape);
  const int inputs[] = { x, mien_graph_add_constant (graph, NULL, w) };
  const gint64 pads[] = { size / 2, size / 2, size / 2, size / 2 };
  const int y = mien_graph_op (graph, "", "Conv", NULL, inputs, 2);
  MienNode *node = mien_graph_producer (graph, y);

  for (gsize i = 0; i < w->n_elems; i++)
    mien_tensor_f32 (w)[i] = (float) g_rand_double_range (random, -1, 1) / sqrtf ((float) size * c / group);
  mien_node_set_ints (node, "pads", pads, 4);
  mien_node_set_int (node, "group", group);
  return y;
}

/* One channel to `first`, a depthwise convolution there, and one of size x size to `last` channels. */
static MienGraph *
make_graph (int first, int last, int size)
{
  const MienShape in = mien_shape (4, 2, 1, 24, 24);
  g_autoptr (MienGraph) graph = mien_graph_new ("tiles", 13);
  GRand *random = g_rand_new_with_seed (5);
  int x = mien_graph_add_input (graph, "x", MIEN_F32, &in);

  x = conv (graph, random, x, 1, first, 1, 3);
  x = conv (graph, random, x, first, first, first, 3);
  x = conv (graph, random, x, first, last, 1, size);
  mien_graph_add_output (graph, x);
  g_rand_free (random);
  return g_steal_pointer (&graph);
}

/* Runs a plan; how many multiplications of tiles it took. */
static long
multiplications (MienGraph *graph, MienCpuLevel cpu, MienPrecision precision, MienThreads *threads, MienTensor **y)
{
  const MienPlanOptions options = { .cpu = cpu, .precision = precision, .threads = threads };
  const MienShape in = mien_shape (4, 2, 1, 24, 24);
  g_autoptr (MienTensor) x = mien_tensor_new (MIEN_F32, &in);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienPlan) plan = mien_plan_new (graph, NULL, &options, &error);

  g_assert_no_error (error);
  g_autoptr (MienContext) context = mien_context_new (plan, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < x->n_elems; i++)
    mien_tensor_f32 (x)[i] = sinf ((float) i);
  mien_tile_counts.n_multiplied = 0;
  mien_context_run (context, (const MienTensor *const[]) { x }, &error);
  g_assert_no_error (error);
  *y = mien_tensor_dup (mien_context_output (context, 0));
  return mien_tile_counts.n_multiplied;
}

static void
test_choice (void)
{
  const struct {
    int first, last;
    gboolean tiles;
  } cases[] = { { 40, 70, TRUE }, { 20, 17, TRUE }, { 16, 64, FALSE }, { 40, 16, FALSE } };
  MienThreads *threads = mien_threads_new (2);

  if (mien_cpu_detect () < MIEN_CPU_AMX) {
    g_test_skip ("this processor has no AVX-512 BF16, which the kernels use beside tiles");
    return;
  }
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (MienGraph) graph = make_graph (cases[i].first, cases[i].last, 3);
    g_autoptr (MienTensor) f32 = NULL, bf16 = NULL, amx = NULL;
    double error = 0, size = 0;

    g_assert_cmpint (multiplications (graph, MIEN_CPU_AMX, MIEN_PRECISION_F32, threads, &f32), ==, 0);
    g_assert_cmpint (multiplications (graph, MIEN_CPU_BF16, MIEN_PRECISION_BF16, threads, &bf16), ==, 0);
    if (cases[i].tiles)
      g_assert_cmpint (multiplications (graph, MIEN_CPU_AMX, MIEN_PRECISION_BF16, threads, &amx), >, 0);
    else
      g_assert_cmpint (multiplications (graph, MIEN_CPU_AMX, MIEN_PRECISION_BF16, threads, &amx), ==, 0);
    for (gsize k = 0; k < f32->n_elems; k++) {
      error += pow ((double) mien_tensor_f32 (f32)[k] - mien_tensor_f32 (amx)[k], 2);
      size += pow (mien_tensor_f32 (f32)[k], 2);
    }
    g_assert_cmpfloat (sqrt (error / size), <, 0.02); /* half of it from tiles of 4 x 4 */
    if (cases[i].tiles || mien_cpu_bf16_pays (MIEN_CPU_BF16))
      g_assert_cmpfloat (sqrt (error / size), >, 1e-5);
  }
  mien_threads_free (threads);
}

/* Too thin for blocks of 32 channels: what is depthwise stays f32, and the convolution 1 x 1 behind it takes tiles. */
static void
test_separable (void)
{
  enum { PIXELS = 24 * 24, FIRST = 16, LAST = 40, N = 2 };
  const long least = N * ((PIXELS + 15) / 16) * ((LAST + 15) / 16);
  g_autoptr (MienGraph) graph = make_graph (FIRST, LAST, 1);
  g_autoptr (MienTensor) f32 = NULL, bf16 = NULL, amx = NULL;
  double error = 0, size = 0;

  if (mien_cpu_detect () < MIEN_CPU_AMX) {
    g_test_skip ("this processor has no AVX-512 BF16, which the kernels use beside tiles");
    return;
  }
  g_assert_cmpint (multiplications (graph, MIEN_CPU_AMX, MIEN_PRECISION_F32, NULL, &f32), ==, 0);
  g_assert_cmpint (multiplications (graph, MIEN_CPU_BF16, MIEN_PRECISION_BF16, NULL, &bf16), ==, 0);
  if (mien_cpu_bf16_pays (MIEN_CPU_AMX)) /* no processor of this kind is known: bfloat16 throughout */
    return;
  const long n = multiplications (graph, MIEN_CPU_AMX, MIEN_PRECISION_BF16, NULL, &amx);
  g_assert_cmpint (n, >=, least);
  g_assert_cmpint (n, <, least * 3 / 2);
  for (gsize k = 0; k < f32->n_elems; k++) {
    error += pow ((double) mien_tensor_f32 (f32)[k] - mien_tensor_f32 (amx)[k], 2);
    size += pow (mien_tensor_f32 (f32)[k], 2);
  }
  g_assert_cmpfloat (sqrt (error / size), <, 0.01);
  g_assert_cmpfloat (sqrt (error / size), >, 1e-5);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/nn/tiles/separable", test_separable);
  g_test_add_func ("/nn/tiles/choice", test_choice);
  return g_test_run ();
}
