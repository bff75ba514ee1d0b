/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A network that goes on with a model gives what the model gives, whatever its normalisation is measured on. */
#include <math.h>
#include <string.h>

#include "mien-test.h"
#include "data/mien-random.h"
#include "train/mien-start.h"
#include "train/mien-trainer.h"

enum { N = 200, SIZE = 48, N_PIXELS = SIZE * SIZE, N_LABELS = MIEN_DATASET_N_LABELS, N_SHOWN = 8 };

static const float mean = 0.5f, std = 0.3f;
static const MienRecipe plain = { .batch = 32, .seed = 1 };

/* Weights, scales, shifts and statistics unlike those of any training. */
static MienNet *
make_net (const char *arch)
{
  const MienNetOptions use = { 0 };
  MienNet *net = mien_net_new (mien_arch_find (arch), &use);
  MienRandom random;

  mien_net_initialise (net, 5);
  mien_random_seed (&random, 11);
  for (guint i = 0; i < net->graph->values->len; i++) {
    const MienValue *value = mien_graph_value (net->graph, i);
    const gboolean positive = value->kind == MIEN_VALUE_PARAMETER && (g_str_has_suffix (value->name, ".scale") || g_str_has_suffix (value->name, ".var"));
    if (value->kind != MIEN_VALUE_PARAMETER || g_str_has_suffix (value->name, ".weight"))
      continue;
    for (gsize k = 0; k < value->tensor->n_elems; k++)
      mien_tensor_f32 (value->tensor)[k] = positive ? 0.5f + mien_random_uniform (&random) : 0.3f * (float) mien_random_normal (&random);
  }
  return net;
}

static MienModel *
deploy (const MienNet *net)
{
  g_autoptr (MienGraph) graph = mien_net_deploy (net);
  g_autoptr (GError) error = NULL;
  MienModel *model;

  g_hash_table_insert (graph->metadata, g_strdup ("mien.labels"), g_strjoinv (",", (char **) mien_dataset_labels));
  model = mien_model_new (graph, &error);
  g_assert_no_error (error);
  return model;
}

static void
predict (MienModel *model, const MienDataset *data, float *answers)
{
  g_autofree float *pixels = g_new (float, N_SHOWN * N_PIXELS);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienPredictor) predictor = mien_predictor_new (model, N_SHOWN, MIEN_CPU_C, MIEN_PRECISION_F32, NULL, &error);

  g_assert_no_error (error);
  for (int i = 0; i < N_SHOWN * N_PIXELS; i++)
    pixels[i] = data->pixels[i];
  g_assert_true (mien_predictor_run (predictor, pixels, N_SHOWN, answers, &error));
  g_assert_no_error (error);
}

static MienDataset *
make_pictures (guint64 seed)
{
  MienDataset *data = mien_dataset_new (SIZE, N);
  MienRandom random;

  mien_random_seed (&random, seed);
  for (int i = 0; i < N * N_PIXELS; i++)
    data->pixels[i] = (guint8) mien_random_below (&random, 32 + 28 * (guint) (i / N_PIXELS % 8)); /* from dark to bright */
  return data;
}

/* net, of architecture arch, goes on with the model. */
static gboolean
start (MienNet *net, const char *arch, MienModel *model, const MienDataset *data, GError **error)
{
  g_autoptr (GError) problem = NULL;
  g_autoptr (MienSettle) settle = mien_settle_new (mien_arch_find (arch), data, &plain, mean, std, NULL, &problem);

  g_assert_no_error (problem);
  return mien_start (net, model, settle, error);
}

static void
test_same_answers (gconstpointer arch)
{
  g_autoptr (MienNet) first = make_net (arch);
  const MienNetOptions use = { 0 };
  g_autoptr (MienNet) second = mien_net_new (mien_arch_find (arch), &use);
  g_autoptr (MienModel) model = deploy (first), again = NULL;
  g_autoptr (MienDataset) measured = make_pictures (1), shown = make_pictures (2);
  g_autoptr (GError) error = NULL;
  float want[N_SHOWN * N_LABELS], got[N_SHOWN * N_LABELS];

  mien_net_initialise (second, 77);
  g_assert_true (start (second, arch, model, measured, &error));
  g_assert_no_error (error);
  again = deploy (second);
  predict (model, shown, want);
  predict (again, shown, got);
  for (int i = 0; i < N_SHOWN * N_LABELS; i++)
    g_assert_cmpfloat_with_epsilon (got[i], want[i], 1e-4);
  g_assert_cmpfloat (fabs (want[0] - want[N_LABELS]), >, 1e-3); /* the answers differ at all */

  /* Filters under normalisation are as long as random ones. */
  const MienTensor *w = mien_graph_value (second->graph, g_array_index (second->weights, int, 0))->tensor;
  double squares = 0;
  for (int i = 0; i < 9; i++)
    squares += mien_tensor_f32 (w)[i] * mien_tensor_f32 (w)[i];
  g_assert_cmpfloat_with_epsilon (squares, 2, 1e-4);
}

static void
test_another_architecture (void)
{
  g_autoptr (MienNet) nano = make_net ("nano");
  const MienNetOptions use = { 0 };
  g_autoptr (MienNet) small = mien_net_new (mien_arch_find ("small"), &use);
  g_autoptr (MienModel) model = deploy (nano);
  g_autoptr (MienDataset) data = make_pictures (1);
  g_autoptr (GError) error = NULL;

  g_assert_false (start (small, "small", model, data, &error));
  g_assert_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_RECIPE);
  g_assert_nonnull (strstr (error->message, "3 of 11 layers")); /* conv1: 1 to 16 maps, conv4: 32 to 64, conv5: 64 to 64 */
}

static const MienTensor *
weights_of (MienModel *model, const char *layer)
{
  const MienGraph *graph = mien_model_get_graph (model);

  for (guint i = 0; i < graph->nodes->len; i++)
    if (g_str_equal (mien_graph_node (graph, i)->name, layer))
      return mien_graph_value (graph, mien_graph_node (graph, i)->inputs[1])->tensor;
  g_assert_not_reached ();
}

/* Layers that the model has are those of the model, the others stay random. */
static void
test_similar_architecture (void)
{
  g_autoptr (MienNet) master = make_net ("master");
  const MienNetOptions use = { 0 };
  g_autoptr (MienNet) best = mien_net_new (mien_arch_find ("best"), &use);
  g_autoptr (MienModel) model = deploy (master);
  g_autoptr (MienDataset) data = make_pictures (1);
  g_autoptr (GError) error = NULL;

  mien_net_initialise (best, 77);
  const MienTensor *answers = mien_graph_value (best->graph, mien_graph_find (best->graph, "fc_out.weight"))->tensor;
  g_autofree float *random = g_memdup2 (answers->data, mien_tensor_n_bytes (answers));
  g_assert_true (start (best, "best", model, data, &error));
  g_assert_no_error (error);
  g_assert_cmpmem (random, mien_tensor_n_bytes (answers), answers->data, mien_tensor_n_bytes (answers));
  g_autoptr (MienModel) started = deploy (best);
  for (int layer = 1; layer <= 9; layer++) {
    g_autofree char *name = g_strdup_printf ("conv%d", layer);
    const MienTensor *want = weights_of (model, name), *got = weights_of (started, name);
    g_assert_cmpuint (got->n_elems, ==, want->n_elems);
    for (gsize i = 0; i < want->n_elems; i++)
      g_assert_cmpfloat_with_epsilon (mien_tensor_f32 (got)[i], mien_tensor_f32 (want)[i], 1e-4);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/start/same-answers-nano", "nano", test_same_answers);
  g_test_add_data_func ("/start/same-answers-residual", "small", test_same_answers);
  g_test_add_data_func ("/start/same-answers-dense", "simple3", test_same_answers);
  g_test_add_func ("/start/similar-architecture", test_similar_architecture);
  g_test_add_func ("/start/another-architecture", test_another_architecture);
  return g_test_run ();
}
