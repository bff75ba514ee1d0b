/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mien's own engine. */
#include "mien-config.h"

#include <string.h>

#include "nn/mien-plan.h"
#include "peers/peer.h"

/* Larger batches go through in slices whose intermediate results stay in cache. */
enum { SLICE = 8 };

typedef struct {
  int n_slices;
  const float *faces;
  float *probabilities; /* of all slices */
  gsize n_faces, n_answers; /* floats a slice */
  MienPrecision precision;
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
  g_free (self->probabilities);
  g_free (self);
}

static void *
open_mien (const PeerJob *job, GError **error)
{
  const int slice = job->batch % SLICE == 0 ? SLICE : job->batch;
  const MienShape shape = mien_shape (4, slice, 1, 48, 48);
  MienPlanOptions options = { .cpu = job->level, .paced = TRUE };
  Engine *self = g_new0 (Engine, 1);

  if (job->precision == PEER_BF16 && job->level >= MIEN_CPU_BF16 && mien_cpu_detect () >= MIEN_CPU_BF16)
    options.precision = self->precision = MIEN_PRECISION_BF16;
  self->n_slices = job->batch / slice;
  self->faces = job->input;
  self->n_faces = (gsize) slice * 48 * 48;
  self->n_answers = (gsize) slice * 7;
  self->probabilities = g_new (float, self->n_answers * self->n_slices);

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
    for (int slice = 0; slice < self->n_slices; slice++) {
      self->input->data = (void *) (self->faces + slice * self->n_faces);
      if (!mien_context_run (self->context, inputs, error))
        return FALSE;
      memcpy (self->probabilities + slice * self->n_answers, mien_context_output (self->context, 0)->data, self->n_answers * sizeof (float));
    }
    us[i] = peer_now_us () - start;
  }
  return TRUE;
}

static gboolean
read_mien (void *engine, float *probabilities, GError **error)
{
  const Engine *self = engine;

  memcpy (probabilities, self->probabilities, self->n_answers * self->n_slices * sizeof (float));
  return TRUE;
}

static PeerPrecision
precision_of_mien (void *engine)
{
  const Engine *self = engine;

  return self->precision == MIEN_PRECISION_BF16 ? PEER_BF16 : PEER_F32;
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
