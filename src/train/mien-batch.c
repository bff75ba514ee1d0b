/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/mien-batch.h"

#include <math.h>
#include <string.h>

struct _MienBatcher {
  const MienDataset *data;
  const MienRecipe *recipe;
  float mean, std;
  int *order;
  int epoch; /* that order is for */
  float *mixed; /* one picture a thread slot of the batch */

  /* the fill at hand */
  int step;
  float *faces, *targets;
  guint8 *labels;
};

MienBatcher *
mien_batcher_new (const MienDataset *data, const MienRecipe *recipe, float mean, float std)
{
  MienBatcher *self = g_new0 (MienBatcher, 1);

  self->data = data;
  self->recipe = recipe;
  self->mean = mean;
  self->std = std;
  self->order = g_new (int, data->n);
  self->mixed = g_new (float, (gsize) recipe->batch * data->size * data->size);
  return self;
}

void
mien_batcher_free (MienBatcher *self)
{
  g_free (self->order);
  g_free (self->mixed);
  g_free (self);
}

int
mien_batcher_get_n_steps (const MienBatcher *self)
{
  return self->data->n / self->recipe->batch;
}

static void
shuffle_for (MienBatcher *self, int epoch)
{
  MienRandom random;

  for (int i = 0; i < self->data->n; i++)
    self->order[i] = i;
  mien_random_seed (&random, self->recipe->seed * 1000003u + (guint64) epoch);
  mien_random_shuffle (&random, self->order, self->data->n);
  self->epoch = epoch;
}

/* Gamma (alpha) by Marsaglia and Tsang 2000, for alpha < 1 by the power of a uniform number. */
static double
draw_gamma (MienRandom *random, double alpha)
{
  const double d = alpha + 1 - 1.0 / 3, c = 1 / sqrt (9 * d);

  for (;;) {
    const double x = mien_random_normal (random), v = pow (1 + c * x, 3), u = mien_random_uniform (random);
    if (v > 0 && log (MAX (u, 1e-12)) < 0.5 * x * x + d - d * v + d * log (v))
      return d * v * pow (MAX (mien_random_uniform (random), 1e-12), 1 / alpha);
  }
}

static void
set_target (const MienRecipe *recipe, float *target, int label, float share)
{
  for (int j = 0; j < MIEN_DATASET_N_LABELS; j++)
    target[j] += share * recipe->label_smoothing / MIEN_DATASET_N_LABELS;
  target[label] += share * (1 - recipe->label_smoothing);
}

static void
fill_one (void *data, int i, int thread)
{
  MienBatcher *self = data;
  const MienRecipe *recipe = self->recipe;
  const gsize n_pixels = (gsize) self->data->size * self->data->size;
  const int at = self->step * recipe->batch + i, index = self->order[at];
  float *face = self->faces + i * n_pixels, *target = self->targets + (gsize) i * MIEN_DATASET_N_LABELS;
  MienRandom random;

  mien_random_seed (&random, recipe->seed * 7368787u + (guint64) self->epoch * 1000000007u + (guint64) at);
  mien_augment_apply (&recipe->augment, &random, self->data->pixels + index * n_pixels, self->data->size, face);
  memset (target, 0, MIEN_DATASET_N_LABELS * sizeof *target);
  self->labels[i] = self->data->labels[index];
  if (recipe->mixup_alpha > 0) { /* Zhang et al. 2018 */
    const double a = draw_gamma (&random, recipe->mixup_alpha), b = draw_gamma (&random, recipe->mixup_alpha);
    const float share = (float) MAX (a / MAX (a + b, 1e-12), b / MAX (a + b, 1e-12));
    const int other = self->order[mien_random_below (&random, (guint) self->data->n)];
    float *mixed = self->mixed + i * n_pixels;
    mien_augment_apply (&recipe->augment, &random, self->data->pixels + other * n_pixels, self->data->size, mixed);
    for (gsize k = 0; k < n_pixels; k++)
      face[k] = face[k] * share + mixed[k] * (1 - share);
    set_target (recipe, target, self->labels[i], share);
    set_target (recipe, target, self->data->labels[other], 1 - share);
  } else {
    set_target (recipe, target, self->labels[i], 1);
  }
  const float scale = 1 / (255 * self->std), shift = -self->mean / self->std;
  for (gsize k = 0; k < n_pixels; k++)
    face[k] = face[k] * scale + shift;
}

void
mien_batcher_fill (MienBatcher *self, int epoch, int step, float *faces, float *targets, guint8 *labels, MienThreads *threads)
{
  if (self->epoch != epoch)
    shuffle_for (self, epoch);
  self->step = step;
  self->faces = faces;
  self->targets = targets;
  self->labels = labels;
  mien_threads_run (threads, fill_one, self, self->recipe->batch);
}
