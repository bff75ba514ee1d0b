/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/mien-settle.h"

#include "nn/mien-passes.h"
#include "nn/mien-plan.h"

struct _MienSettle {
  MienBatcher *batcher;
  MienNet *net; /* training form without dropout */
  MienPlan *plan;
  MienContext *context;
};

static gboolean
build (MienSettle *self, const MienArch *arch, int batch, MienThreads *threads, GError **error)
{
  const MienNetOptions training = { .batch = batch, .training = TRUE };
  const MienPlanOptions options = { .cpu = mien_cpu_level (), .threads = threads, .no_fusion = TRUE };
  const MienPassesForm form = mien_passes_training_form (options.cpu);

  self->net = mien_net_new (arch, &training);
  mien_passes_block_training (self->net->graph, self->net->value, &form);
  for (guint i = 0; i < self->net->stats->len; i++) {
    mien_graph_add_output (self->net->graph, g_array_index (self->net->stats, MienNetStats, i).batch_mean);
    mien_graph_add_output (self->net->graph, g_array_index (self->net->stats, MienNetStats, i).batch_var);
  }
  self->plan = mien_plan_new (self->net->graph, NULL, &options, error);
  if (self->plan == NULL)
    return FALSE;
  self->context = mien_context_new (self->plan, error);
  return self->context != NULL;
}

MienSettle *
mien_settle_new (const MienArch *arch, const MienDataset *data, const MienRecipe *recipe, float mean, float std, MienThreads *threads, GError **error)
{
  g_autoptr (MienSettle) self = g_new0 (MienSettle, 1);

  self->batcher = mien_batcher_new (data, recipe, mean, std);
  return build (self, arch, recipe->batch, threads, error) ? g_steal_pointer (&self) : NULL;
}

void
mien_settle_free (MienSettle *self)
{
  g_clear_pointer (&self->batcher, mien_batcher_free);
  g_clear_pointer (&self->context, mien_context_free);
  g_clear_pointer (&self->plan, mien_plan_unref);
  g_clear_pointer (&self->net, mien_net_free);
  g_free (self);
}

typedef struct {
  double *sums, *squares;
  gsize n;
} Sums;

/* Moments of each normalisation of the batch at hand. */
static void
add_moments (MienSettle *self, Sums *sums)
{
  for (guint i = 0; i < self->net->stats->len; i++) {
    const float *mean = mien_context_output (self->context, 2 * (int) i)->data, *var = mien_context_output (self->context, 2 * (int) i + 1)->data;
    for (gsize c = 0; c < sums[i].n; c++) {
      sums[i].sums[c] += mean[c];
      sums[i].squares[c] += (double) var[c] + (double) mean[c] * mean[c];
    }
  }
}

gboolean
mien_settle_run (MienSettle *self, MienNet *net, int n_batches, GError **error)
{
  const guint n_stats = net->stats->len;
  g_autofree Sums *sums = g_new0 (Sums, n_stats);
  const int n_steps = mien_batcher_get_n_steps (self->batcher);
  gboolean ok = TRUE;

  mien_net_copy (net, self->net);
  for (guint i = 0; i < n_stats; i++) {
    sums[i].n = mien_graph_value (net->graph, g_array_index (net->stats, MienNetStats, i).mean)->tensor->n_elems;
    sums[i].sums = g_new0 (double, sums[i].n);
    sums[i].squares = g_new0 (double, sums[i].n);
  }
  for (int batch = 0; batch < n_batches && ok; batch++) {
    const MienTensor *inputs[] = { mien_batcher_take (self->batcher, 1 + batch / n_steps, batch % n_steps)->faces };
    ok = mien_context_run (self->context, inputs, error);
    if (ok)
      add_moments (self, sums);
  }
  for (guint i = 0; i < n_stats; i++) {
    const MienNetStats *stats = &g_array_index (net->stats, MienNetStats, i);
    float *mean = mien_tensor_f32 (mien_graph_value (net->graph, stats->mean)->tensor), *var = mien_tensor_f32 (mien_graph_value (net->graph, stats->var)->tensor);
    for (gsize c = 0; ok && c < sums[i].n; c++) {
      const double m = sums[i].sums[c] / n_batches;
      mean[c] = (float) m;
      var[c] = (float) MAX (sums[i].squares[c] / n_batches - m * m, 0);
    }
    g_free (sums[i].sums);
    g_free (sums[i].squares);
  }
  return ok;
}
