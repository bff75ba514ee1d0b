/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Architectures: both forms have the same parameters, costs are what the deployed layers add up to and within each name's bound,
 * and folding changes no answer. */
#include <math.h>
#include <string.h>

#include "data/mien-random.h"
#include "mien-test.h"
#include "model/mien-model.h"
#include "train/mien-arch.h"
#include "train/mien-trainer.h"

static const MienNetOptions training = { .batch = 4, .training = TRUE, .dropout = 0.3f, .drop_path = 0.1f }, use = { 0 };

static void
test_parameters (gconstpointer name)
{
  g_autoptr (MienNet) net = mien_net_new (mien_arch_find (name), &training), other = mien_net_new (mien_arch_find (name), &use);
  int n_parameters = 0, n_twins = 0;

  for (guint i = 0; i < net->graph->values->len; i++)
    n_parameters += mien_graph_value (net->graph, i)->kind == MIEN_VALUE_PARAMETER;
  for (guint i = 0; i < other->graph->values->len; i++) {
    const MienValue *value = mien_graph_value (other->graph, i);
    const int twin = value->kind == MIEN_VALUE_PARAMETER ? mien_graph_find (net->graph, value->name) : -1;
    n_twins += twin >= 0 && mien_shape_equal (&value->tensor->shape, &mien_graph_value (net->graph, twin)->tensor->shape);
  }
  g_assert_cmpint (n_parameters, >, 0);
  g_assert_cmpint (n_twins, ==, n_parameters);
}

/* Weights and statistics as after some training. */
static MienNet *
make_trained (const char *name)
{
  MienNet *net = mien_net_new (mien_arch_find (name), &use);
  MienRandom random;

  mien_net_initialise (net, 3);
  mien_random_seed (&random, 4);
  for (guint i = 0; i < net->graph->values->len; i++) {
    const MienValue *value = mien_graph_value (net->graph, i);
    if (value->kind != MIEN_VALUE_PARAMETER || g_str_has_suffix (value->name, ".weight"))
      continue;
    const gboolean positive = g_str_has_suffix (value->name, ".var") || g_str_has_suffix (value->name, ".scale");
    for (gsize k = 0; k < value->tensor->n_elems; k++)
      mien_tensor_f32 (value->tensor)[k] = positive ? 0.5f + mien_random_uniform (&random) : 0.2f * mien_random_normal (&random);
  }
  return net;
}

/* One face through a graph as it stands: C kernels, no passes. */
static void
run_plainly (MienGraph *graph, const float *face, float probabilities[7])
{
  const MienPlanOptions options = { .cpu = MIEN_CPU_C, .no_passes = TRUE, .no_fusion = TRUE };
  const MienShape shape = mien_shape (4, 1, 1, 48, 48);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienPlan) plan = mien_plan_new (graph, &shape, &options, &error);
  g_assert_no_error (error);
  g_autoptr (MienContext) context = mien_context_new (plan, &error);
  g_autoptr (MienTensor) input = mien_tensor_new (MIEN_F32, &shape);
  const MienTensor *inputs[] = { input };

  memcpy (input->data, face, 48 * 48 * sizeof *face);
  mien_context_run (context, inputs, &error);
  g_assert_no_error (error);
  memcpy (probabilities, mien_context_output (context, 0)->data, 7 * sizeof *probabilities);
}

static void
test_folding (gconstpointer name)
{
  g_autoptr (MienNet) net = make_trained (name);
  g_autoptr (MienGraph) deployed = mien_net_deploy (net);
  float face[48 * 48], want[7], got[7];
  MienRandom random;
  double spread = 0;

  for (guint i = 0; i < deployed->nodes->len; i++)
    g_assert_cmpstr (mien_graph_node (deployed, i)->op, !=, "BatchNormalization");
  mien_random_seed (&random, 5);
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 48 * 48; i++)
      face[i] = mien_random_normal (&random);
    run_plainly (net->graph, face, want);
    run_plainly (deployed, face, got);
    for (int j = 0; j < 7; j++) {
      g_assert_cmpfloat_with_epsilon (got[j], want[j], 1e-4);
      spread = MAX (spread, fabs (want[j] - 1. / 7));
    }
  }
  g_assert_cmpfloat (spread, >, 0.01); /* answers that mean something */
}

static void
test_cost (gconstpointer name)
{
  static const struct {
    const char *name;
    gint64 most;
  } bounds[] = { { "nano", 5000000 }, { "small", 40000000 }, { "best", 300000000 } };
  g_autoptr (MienNet) net = make_trained (name);
  g_autoptr (MienGraph) deployed = mien_net_deploy (net);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienModel) model = mien_model_new (deployed, &error);
  const MienArchCost cost = mien_arch_cost (mien_arch_find (name));
  gint64 params = 0, macs = 0;
  int n_convs = 0;

  g_assert_no_error (error);
  g_autoptr (GPtrArray) layers = mien_model_dup_layers (model, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < layers->len; i++) {
    const MienLayerInfo *layer = g_ptr_array_index (layers, i);
    params += layer->params;
    macs += layer->macs;
    n_convs += g_str_has_prefix (layer->op, "Conv");
  }
  g_assert_cmpint (cost.params, ==, params);
  g_assert_cmpint (cost.macs, ==, macs);
  for (gsize i = 0; i < G_N_ELEMENTS (bounds); i++)
    if (g_str_equal (bounds[i].name, name))
      g_assert_cmpint (macs, <=, bounds[i].most);
  if (g_str_equal ("simple3", name))
    g_assert_cmpint (n_convs, ==, 3);
}

/* Every network has a recipe of its name, every recipe a network. */
static void
test_names (void)
{
  for (const char *const *name = mien_recipe_list (); *name != NULL; name++)
    g_assert_nonnull (mien_arch_find (mien_recipe_find (*name)->arch));
  for (const char *const *name = mien_arch_list (); *name != NULL; name++)
    g_assert_cmpstr (mien_recipe_find (*name)->arch, ==, *name);
  g_assert_null (mien_recipe_find ("no such recipe"));
  g_assert_null (mien_arch_find ("no such architecture"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (const char *const *name = mien_arch_list (); *name != NULL; name++) {
    g_autofree char *parameters = g_strdup_printf ("/arch/%s/parameters", *name), *cost = g_strdup_printf ("/arch/%s/cost", *name);
    g_autofree char *folding = g_strdup_printf ("/arch/%s/folding", *name);
    g_test_add_data_func (parameters, *name, test_parameters);
    g_test_add_data_func (cost, *name, test_cost);
    g_test_add_data_func (folding, *name, test_folding);
  }
  g_test_add_func ("/arch/names", test_names);
  return g_test_run ();
}
