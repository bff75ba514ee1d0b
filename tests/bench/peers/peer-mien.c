/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mien's own engine. */
#include "mien-config.h"

#include <string.h>

#include "nn/mien-plan.h"
#include "peers/peer.h"

typedef struct {
  MienThreads *threads;
  MienPlan *plan;
  MienContext *context;
  MienTensor *input;
} Engine;

static char *
start_mien (MienCpuLevel level, GError **error)
{
  return g_strdup_printf ("%s, kernels for %s", MIEN_VERSION, mien_cpu_level_name (level));
}

static void
close_mien (void *engine)
{
  Engine *self = engine;

  g_clear_pointer (&self->context, mien_context_free);
  g_clear_pointer (&self->plan, mien_plan_unref);
  g_clear_pointer (&self->input, mien_tensor_unref);
  mien_threads_free (self->threads);
  g_free (self);
}

static void *
open_mien (const PeerJob *job, GError **error)
{
  const MienShape shape = mien_shape (4, job->batch, 1, 48, 48);
  MienPlanOptions options = { .cpu = job->level };
  Engine *self = g_new0 (Engine, 1);

  if (job->threads > 1)
    self->threads = mien_threads_new (job->threads);
  options.threads = self->threads;
  self->input = mien_tensor_new_take (MIEN_F32, &shape, (void *) job->input, NULL, NULL);
  self->plan = mien_plan_new (job->graph, &shape, &options, error);
  if (self->plan != NULL)
    self->context = mien_context_new (self->plan, error);
  if (self->context == NULL)
    g_clear_pointer (&self, close_mien);
  return self;
}

static gboolean
run_mien (void *engine, int n, double *us, GError **error)
{
  Engine *self = engine;
  const MienTensor *const inputs[] = { self->input };

  for (int i = 0; i < n; i++) {
    const double start = peer_now_us ();
    if (!mien_context_run (self->context, inputs, error))
      return FALSE;
    us[i] = peer_now_us () - start;
  }
  return TRUE;
}

static gboolean
read_mien (void *engine, float *probabilities, GError **error)
{
  const Engine *self = engine;
  const MienTensor *output = mien_context_output (self->context, 0);

  memcpy (probabilities, output->data, output->n_elems * sizeof (float));
  return TRUE;
}

static PeerPrecision
precision_of_mien (void *engine)
{
  return PEER_F32; /* plans have no other precision yet */
}

const Peer peer_mien = {
  .name = "Mien",
  .has_bf16 = TRUE,
  .start = start_mien,
  .open = open_mien,
  .run = run_mien,
  .read = read_mien,
  .close = close_mien,
  .precision = precision_of_mien,
};
