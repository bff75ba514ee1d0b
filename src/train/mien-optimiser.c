/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/mien-optimiser.h"

#include <math.h>
#include <string.h>

#include "kernels/mien-vector.h"

#define CHUNK 16384 /* elements a task: its arrays fit into the second cache */

typedef struct {
  const MienOptimiserSlot *slot;
  gsize from, n;
} Chunk;

typedef struct {
  const MienOptimiserStep *step;
  MienVectorKernels vector;
  GArray *chunks;
  double unbias_first, unbias_second;
} Job;

static void
adamw (const MienOptimiserSlot *slot, gsize from, gsize n, const MienOptimiserStep *step, float unbias_first, float unbias_second)
{
  float *restrict w = slot->weight + from, *restrict average = slot->average + from;
  float *restrict m = slot->first + from, *restrict s = slot->second + from;
  const float *restrict g = slot->grad + from;
  const float keep = 1 - step->lr * (slot->decays ? step->decay : 0);

  for (gsize i = 0; i < n; i++) {
    m[i] = step->momentum * m[i] + (1 - step->momentum) * g[i];
    s[i] = step->beta2 * s[i] + (1 - step->beta2) * g[i] * g[i];
    w[i] = keep * w[i] - step->lr * (m[i] * unbias_first) / (sqrtf (s[i] * unbias_second) + 1e-8f);
    average[i] = step->ema * average[i] + (1 - step->ema) * w[i];
  }
}

static void
update_chunk (void *data, int task, int thread)
{
  const Job *job = data;
  const Chunk *chunk = &g_array_index (job->chunks, Chunk, task);
  const MienOptimiserSlot *slot = chunk->slot;
  const MienOptimiserStep *step = job->step;

  if (step->kind == MIEN_OPTIMISER_ADAMW) {
    adamw (slot, chunk->from, chunk->n, step, (float) job->unbias_first, (float) job->unbias_second);
  } else {
    const MienSgdStep sgd = { .lr = step->lr, .momentum = step->momentum, .decay = slot->decays ? step->decay : 0, .ema = step->ema };
    job->vector.sgd_f32 (slot->weight + chunk->from, slot->first + chunk->from, slot->average + chunk->from, slot->grad + chunk->from, chunk->n, &sgd);
  }
}

void
mien_optimiser_update (const MienOptimiserSlot *slots, int n_slots, const MienOptimiserStep *step, MienThreads *threads)
{
  g_autoptr (GArray) chunks = g_array_new (FALSE, FALSE, sizeof (Chunk));
  Job job = {
    .step = step,
    .chunks = chunks,
    .unbias_first = 1 / (1 - pow (step->momentum, (double) step->step + 1)),
    .unbias_second = 1 / (1 - pow (step->beta2, (double) step->step + 1)),
  };

  mien_vector_kernels_init (&job.vector, mien_cpu_level ());
  for (int i = 0; i < n_slots; i++) {
    for (gsize from = 0; from < slots[i].n_elems; from += CHUNK) {
      const Chunk chunk = { &slots[i], from, MIN (CHUNK, slots[i].n_elems - from) };
      g_array_append_val (chunks, chunk);
    }
  }
  mien_threads_run (threads, update_chunk, &job, (int) chunks->len);
}

void
mien_optimiser_climb (const MienOptimiserSlot *slots, int n_slots, float radius, float *saved)
{
  double squares = 0;

  for (int i = 0; i < n_slots; i++)
    for (gsize k = 0; k < slots[i].n_elems; k++)
      squares += (double) slots[i].grad[k] * slots[i].grad[k];
  const float factor = (float) (radius / (sqrt (squares) + 1e-12));
  for (int i = 0; i < n_slots; saved += slots[i++].n_elems) {
    memcpy (saved, slots[i].weight, slots[i].n_elems * sizeof *saved);
    for (gsize k = 0; k < slots[i].n_elems; k++)
      slots[i].weight[k] += factor * slots[i].grad[k];
  }
}

void
mien_optimiser_return (const MienOptimiserSlot *slots, int n_slots, const float *saved)
{
  for (int i = 0; i < n_slots; saved += slots[i++].n_elems)
    memcpy (slots[i].weight, saved, slots[i].n_elems * sizeof *saved);
}
