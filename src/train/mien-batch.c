/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/mien-batch.h"

#include <math.h>
#include <string.h>

#define N_LABELS MIEN_DATASET_N_LABELS

struct _MienBatcher {
  const MienDataset *data;
  const MienRecipe *recipe;
  float mean, std;
  float class_weight[N_LABELS];

  /* the thread's alone */
  int *order;
  int order_epoch; /* that order is for */
  guint8 *part_of; /* (nullable) [n] when batches are to hold one part each: then order has one part after the other */
  int part_starts[MIEN_RECIPE_MAX_PARTS + 1]; /* in order */
  int *batch_starts;
  float *other;    /* a second picture to mix with */

  GThread *thread;
  GMutex lock;
  GCond changed;
  /* under lock */
  int epoch, step; /* what to prepare, or what is prepared */
  gboolean is_wanted, is_ready, quits;
  MienBatch batches[2]; /* the one taken and the thread's, turn about */
  int own;              /* the thread's */
  int n_steps;
};

static void
sort_by_part (MienBatcher *self, MienRandom *random)
{
  g_autofree int *shuffled = g_memdup2 (self->order, (gsize) self->data->n * sizeof *self->order);
  int n_steps = 0;

  for (int part = 0, at = 0; part < self->recipe->parts; part++) {
    self->part_starts[part] = at;
    for (int i = 0; i < self->data->n; i++)
      if (self->part_of[shuffled[i]] == part)
        self->order[at++] = shuffled[i];
    self->part_starts[part + 1] = at;
    for (int start = self->part_starts[part]; start + self->recipe->batch <= at; start += self->recipe->batch)
      self->batch_starts[n_steps++] = start;
  }
  mien_random_shuffle (random, self->batch_starts, n_steps);
}

static void
shuffle_for (MienBatcher *self, int epoch)
{
  MienRandom random;

  for (int i = 0; i < self->data->n; i++)
    self->order[i] = i;
  mien_random_seed (&random, self->recipe->seed * 1000003u + (guint64) epoch);
  mien_random_shuffle (&random, self->order, self->data->n);
  if (self->part_of != NULL)
    sort_by_part (self, &random);
  self->order_epoch = epoch;
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
add_target (const MienBatcher *self, float *target, int index, float share)
{
  const int label = self->data->labels[index];
  const float weight = share * self->class_weight[label], smoothing = self->recipe->label_smoothing;

  for (int j = 0; j < N_LABELS; j++)
    target[j] += weight * smoothing / N_LABELS;
  target[label] += weight * (1 - smoothing);
}

static void
load_face (const MienBatcher *self, MienRandom *random, int index, float *face)
{
  const int size = self->data->size;

  mien_augment_apply (&self->recipe->augment, random, self->data->pixels + (gsize) index * size * size, size, face);
}

/* All of face fades into the other; the share of face that is left, at least a half. */
static float
mix_up (MienBatcher *self, MienRandom *random, float *face)
{
  const double a = draw_gamma (random, self->recipe->mixup_alpha), b = draw_gamma (random, self->recipe->mixup_alpha);
  const float share = (float) MAX (a / MAX (a + b, 1e-12), b / MAX (a + b, 1e-12));
  const gsize n_pixels = (gsize) self->data->size * self->data->size;

  for (gsize k = 0; k < n_pixels; k++)
    face[k] = face[k] * share + self->other[k] * (1 - share);
  return share;
}

/* A rectangle of the other, at most half of the picture, comes into the same place of face. */
static float
cut_mix (MienBatcher *self, MienRandom *random, float *face)
{
  const int size = self->data->size;
  const float side = sqrtf (0.5f * mien_random_uniform (random)) * (float) size;
  const int height = (int) side, width = height;
  const int left = (int) mien_random_below (random, (guint) (size - width + 1));
  const int top = (int) mien_random_below (random, (guint) (size - height + 1));

  for (int y = top; y < top + height; y++)
    memcpy (face + y * size + left, self->other + y * size + left, (gsize) width * sizeof *face);
  return 1 - (float) (width * height) / (float) (size * size);
}

/* Mixed with another one of those from `from` to `to` - 1 in order. */
static void
fill_one (MienBatcher *self, int epoch, int at, int from, int to, float *face, float *target, guint8 *label)
{
  const MienRecipe *recipe = self->recipe;
  const int index = self->order[at];
  const gsize n_pixels = (gsize) self->data->size * self->data->size;
  MienRandom random;

  mien_random_seed (&random, recipe->seed * 7368787u + (guint64) epoch * 1000000007u + (guint64) at);
  load_face (self, &random, index, face);
  memset (target, 0, N_LABELS * sizeof *target);
  *label = self->data->labels[index];
  const gboolean cuts = recipe->cutmix > 0 && mien_random_uniform (&random) < recipe->cutmix;
  if (cuts || recipe->mixup_alpha > 0) {
    const int other = self->order[from + (int) mien_random_below (&random, (guint) (to - from))];
    load_face (self, &random, other, self->other);
    const float share = cuts ? cut_mix (self, &random, face) : mix_up (self, &random, face);
    add_target (self, target, index, share);
    add_target (self, target, other, 1 - share);
  } else {
    add_target (self, target, index, 1);
  }
  const float scale = 1 / (255 * self->std), shift = -self->mean / self->std;
  for (gsize k = 0; k < n_pixels; k++)
    face[k] = face[k] * scale + shift;
}

static void
fill (MienBatcher *self, int epoch, int step, MienBatch *batch)
{
  const gsize n_pixels = (gsize) self->data->size * self->data->size;

  if (self->order_epoch != epoch)
    shuffle_for (self, epoch);
  const int start = self->part_of != NULL ? self->batch_starts[step] : step * self->recipe->batch;
  int from = 0, to = self->data->n;
  if (self->part_of != NULL) {
    batch->part = self->part_of[self->order[start]];
    from = self->part_starts[batch->part];
    to = self->part_starts[batch->part + 1];
  }
  for (int i = 0; i < self->recipe->batch; i++)
    fill_one (self, epoch, start + i, from, to, mien_tensor_f32 (batch->faces) + i * n_pixels, mien_tensor_f32 (batch->targets) + (gsize) i * N_LABELS,
              &batch->labels[i]);
}

static gpointer
prepare_thread (gpointer data)
{
  MienBatcher *self = data;

  g_mutex_lock (&self->lock);
  while (!self->quits) {
    if (!self->is_wanted) {
      g_cond_wait (&self->changed, &self->lock);
      continue;
    }
    const int epoch = self->epoch, step = self->step;
    MienBatch *batch = &self->batches[self->own];
    self->is_wanted = FALSE;
    g_mutex_unlock (&self->lock);
    fill (self, epoch, step, batch);
    g_mutex_lock (&self->lock);
    self->is_ready = TRUE;
    g_cond_broadcast (&self->changed);
  }
  g_mutex_unlock (&self->lock);
  return NULL;
}

/* Under lock. */
static void
want (MienBatcher *self, int epoch, int step)
{
  self->epoch = epoch;
  self->step = step;
  self->is_wanted = TRUE;
  self->is_ready = FALSE;
  g_cond_broadcast (&self->changed);
}

static void
wait_until_ready (MienBatcher *self)
{
  while (!self->is_ready)
    g_cond_wait (&self->changed, &self->lock);
}

static void
weigh_classes (MienBatcher *self)
{
  int counts[N_LABELS];
  double sum = 0;

  mien_dataset_count (self->data, MIEN_SPLIT_TRAINING, counts);
  for (int j = 0; j < N_LABELS; j++) {
    self->class_weight[j] = (float) pow ((double) self->data->n / MAX (counts[j], 1), self->recipe->class_balance);
    sum += (double) self->class_weight[j] * counts[j];
  }
  for (int j = 0; j < N_LABELS; j++)
    self->class_weight[j] = (float) (self->class_weight[j] * self->data->n / sum);
}

static void
divide (MienBatcher *self)
{
  int counts[MIEN_RECIPE_MAX_PARTS] = { 0 };

  self->part_of = g_new (guint8, MAX (self->data->n, 1));
  mien_dataset_part (self->data, self->recipe->parts, self->part_of);
  for (int i = 0; i < self->data->n; i++)
    counts[self->part_of[i]]++;
  self->n_steps = 0;
  for (int part = 0; part < self->recipe->parts; part++)
    self->n_steps += counts[part] / self->recipe->batch;
  self->batch_starts = g_new (int, MAX (self->n_steps, 1));
}

MienBatcher *
mien_batcher_new (const MienDataset *data, const MienRecipe *recipe, float mean, float std)
{
  MienBatcher *self = g_new0 (MienBatcher, 1);
  const MienShape faces = mien_shape (4, recipe->batch, 1, data->size, data->size), targets = mien_shape (2, recipe->batch, N_LABELS);

  self->data = data;
  self->recipe = recipe;
  self->mean = mean;
  self->std = std;
  self->order = g_new (int, data->n);
  self->other = g_new (float, (gsize) data->size * data->size);
  for (int i = 0; i < 2; i++) {
    self->batches[i].faces = mien_tensor_new (MIEN_F32, &faces);
    self->batches[i].targets = mien_tensor_new (MIEN_F32, &targets);
    self->batches[i].labels = g_new0 (guint8, recipe->batch);
  }
  weigh_classes (self);
  self->n_steps = data->n / recipe->batch;
  if (recipe->teacher_parts)
    divide (self);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->thread = g_thread_new ("mien-batch", prepare_thread, self);
  return self;
}

void
mien_batcher_free (MienBatcher *self)
{
  g_mutex_lock (&self->lock);
  self->quits = TRUE;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
  g_thread_join (self->thread);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  for (int i = 0; i < 2; i++) {
    mien_tensor_unref (self->batches[i].faces);
    mien_tensor_unref (self->batches[i].targets);
    g_free (self->batches[i].labels);
  }
  g_free (self->order);
  g_free (self->part_of);
  g_free (self->batch_starts);
  g_free (self->other);
  g_free (self);
}

int
mien_batcher_get_n_steps (const MienBatcher *self)
{
  return self->n_steps;
}

const MienBatch *
mien_batcher_take (MienBatcher *self, int epoch, int step)
{
  const gboolean is_last = step + 1 >= mien_batcher_get_n_steps (self);
  const MienBatch *batch;

  g_mutex_lock (&self->lock);
  if (self->epoch != epoch || self->step != step) { /* the first one, or back after a loss that was no number */
    if (self->epoch != 0)
      wait_until_ready (self);
    want (self, epoch, step);
  }
  wait_until_ready (self);
  batch = &self->batches[self->own];
  self->own = !self->own;
  want (self, is_last ? epoch + 1 : epoch, is_last ? 0 : step + 1);
  g_mutex_unlock (&self->lock);
  return batch;
}
