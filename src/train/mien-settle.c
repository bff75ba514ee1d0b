/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/mien-settle.h"

#include "data/mien-random.h"
#include "nn/mien-passes.h"
#include "nn/mien-plan.h"

enum { BATCH = 128 };

struct _MienSettle {
  const MienDataset *data;
  float mean, std;
  int *order;
  MienTensor *faces;
  MienNet *net; /* training form without dropout */
  MienPlan *plan;
  MienContext *context;
};

static gboolean
build (MienSettle *self, const MienArch *arch, MienThreads *threads, GError **error)
{
  const MienNetOptions training = { .batch = BATCH, .training = TRUE };
  const MienPlanOptions options = { .cpu = mien_cpu_level (), .threads = threads, .no_fusion = TRUE };

  self->net = mien_net_new (arch, &training);
  mien_passes_block_training (self->net->graph, self->net->value, mien_passes_training_form (options.cpu));
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
mien_settle_new (const MienArch *arch, const MienDataset *data, float mean, float std, MienThreads *threads, GError **error)
{
  g_autoptr (MienSettle) self = g_new0 (MienSettle, 1);
  const MienShape shape = mien_shape (4, BATCH, 1, data->size, data->size);
  MienRandom random;

  self->data = data;
  self->mean = mean;
  self->std = std;
  self->order = g_new (int, data->n);
  for (int i = 0; i < data->n; i++)
    self->order[i] = i;
  mien_random_seed (&random, 1);
  mien_random_shuffle (&random, self->order, data->n);
  self->faces = mien_tensor_new (MIEN_F32, &shape);
  return build (self, arch, threads, error) ? g_steal_pointer (&self) : NULL;
}

void
mien_settle_free (MienSettle *self)
{
  g_clear_pointer (&self->context, mien_context_free);
  g_clear_pointer (&self->plan, mien_plan_unref);
  g_clear_pointer (&self->net, mien_net_free);
  mien_tensor_unref (self->faces);
  g_free (self->order);
  g_free (self);
}

static void
fill (MienSettle *self, int batch)
{
  const int size = self->data->size;
  float *face = mien_tensor_f32 (self->faces);

  for (int i = 0; i < BATCH; i++) {
    const int index = self->order[(batch * BATCH + i) % self->data->n];
    const guint8 *row = self->data->pixels + (gsize) index * size * size;
    for (int y = 0; y < size; y++, row += size, face += size)
      for (int x = 0; x < size; x++)
        face[x] = (row[i % 2 != 0 ? size - 1 - x : x] / 255.0f - self->mean) / self->std;
  }
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
  const MienTensor *inputs[] = { self->faces };
  gboolean ok = TRUE;

  mien_net_copy (net, self->net);
  for (guint i = 0; i < n_stats; i++) {
    sums[i].n = mien_graph_value (net->graph, g_array_index (net->stats, MienNetStats, i).mean)->tensor->n_elems;
    sums[i].sums = g_new0 (double, sums[i].n);
    sums[i].squares = g_new0 (double, sums[i].n);
  }
  for (int batch = 0; batch < n_batches && ok; batch++) {
    fill (self, batch);
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
