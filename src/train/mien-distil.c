/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mien-config.h"

#include "train/mien-distil.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "model/mien-model.h"
#include "nn/mien-file.h"
#include "train/mien-trainer.h"

#define N_LABELS MIEN_DATASET_N_LABELS
#define MAX_FILE_BYTES ((guint64) 1 << 30)
#define MAX_BATCH 32

typedef struct {
  MienPredictor *predictor;
  int place[N_LABELS]; /* the data's number of the model's label i */
} Teacher;

struct _MienDistil {
  const MienRecipe *recipe;
  MienThreads *threads;
  Teacher *teachers;
  int n_teachers;
  char *hash; /* (nullable) */
  Teacher own; /* the network that learns, as it was after the last epoch */
  float own_weight;
  /* of one batch */
  float *pixels, *answers, *sums, *mirrored;
  int room;
};

static gboolean
match_labels (const MienModel *model, const char *path, int place[N_LABELS], GError **error)
{
  int n_found = 0;

  for (int i = 0; i < mien_model_get_n_labels (model); i++)
    for (int j = 0; j < N_LABELS; j++)
      if (i < N_LABELS && g_str_equal (mien_model_get_label (model, i), mien_dataset_labels[j])) {
        place[i] = j;
        n_found++;
      }
  if (n_found == N_LABELS && mien_model_get_n_labels (model) == N_LABELS && mien_model_get_input_size (model) == 48)
    return TRUE;
  g_autofree char *name = mien_file_shown_name (path);
  g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_RECIPE, _("%s: a teacher must answer with the seven expressions that are learnt; choose a model trained here"), name);
  return FALSE;
}

static gboolean
call (Teacher *teacher, MienModel *model, const char *path, MienThreads *threads, GError **error)
{
  if (model == NULL || !match_labels (model, path, teacher->place, error))
    return FALSE;
  g_clear_pointer (&teacher->predictor, mien_predictor_free);
  teacher->predictor = mien_predictor_new (model, MAX_BATCH, mien_cpu_level (), MIEN_PRECISION_BF16, threads, error);
  if (teacher->predictor == NULL)
    return FALSE;
  return TRUE;
}

char *
mien_distil_dup_hash (const char *const *files, GError **error)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);

  for (int i = 0; files[i] != NULL; i++) {
    g_autofree char *path = mien_model_find (files[i]);
    g_autofree char *name = mien_file_shown_name (path);
    g_autoptr (GBytes) bytes = mien_file_load (path, MAX_FILE_BYTES, error);
    if (bytes == NULL) {
      g_prefix_error (error, "%s: ", name);
      return NULL;
    }
    g_checksum_update (checksum, g_bytes_get_data (bytes, NULL), (gssize) g_bytes_get_size (bytes));
  }
  return g_strdup (g_checksum_get_string (checksum));
}

MienDistil *
mien_distil_new (const MienRecipe *recipe, MienThreads *threads, GError **error)
{
  g_autoptr (MienDistil) self = g_new0 (MienDistil, 1);
  const char *const *teachers = recipe->teachers;

  self->recipe = recipe;
  self->threads = threads;
  if (teachers == NULL || teachers[0] == NULL || recipe->teacher_weight <= 0)
    return g_steal_pointer (&self);
  self->hash = mien_distil_dup_hash (teachers, error);
  if (self->hash == NULL)
    return NULL;
  if (recipe->teacher_parts && (int) g_strv_length ((char **) teachers) != recipe->parts) {
    g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_RECIPE, _("the recipe has %d parts and so wants %d teachers, the first of which left out part 1; there are %u"),
                 recipe->parts, recipe->parts, g_strv_length ((char **) teachers));
    return NULL;
  }
  self->teachers = g_new0 (Teacher, g_strv_length ((char **) teachers));
  while (teachers[self->n_teachers] != NULL) {
    const char *path = teachers[self->n_teachers];
    g_autoptr (MienModel) model = mien_model_load (path, error);
    if (!call (&self->teachers[self->n_teachers++], model, path, threads, error)) /* what there is of it is freed, too */
      return NULL;
  }
  return g_steal_pointer (&self);
}

gboolean
mien_distil_follow (MienDistil *self, MienModel *model, int epoch, GError **error)
{
  self->own_weight = self->recipe->self_weight * MIN (1, 2 * (float) epoch / (float) self->recipe->epochs);
  return self->own_weight <= 0 || call (&self->own, model, "", self->threads, error);
}

void
mien_distil_free (MienDistil *self)
{
  for (int i = 0; i < self->n_teachers; i++)
    g_clear_pointer (&self->teachers[i].predictor, mien_predictor_free);
  g_clear_pointer (&self->own.predictor, mien_predictor_free);
  g_free (self->teachers);
  g_free (self->hash);
  g_free (self->pixels);
  g_free (self->answers);
  g_free (self->sums);
  g_free (self->mirrored);
  g_free (self);
}

static void
make_room (MienDistil *self, int n, gsize n_pixels)
{
  if (n <= self->room)
    return;
  self->pixels = g_renew (float, self->pixels, n * n_pixels);
  self->answers = g_renew (float, self->answers, n * N_LABELS);
  self->sums = g_renew (float, self->sums, n * N_LABELS);
  if (self->recipe->teacher_mirror)
    self->mirrored = g_renew (float, self->mirrored, n * n_pixels);
  self->room = n;
}

static void
blend (float *target, const float *sum, float weight, float temperature)
{
  const float power = 1 / MAX (temperature, 0.01f);
  float answer[N_LABELS], of_answer = 0, of_target = 0;

  for (int j = 0; j < N_LABELS; j++) {
    of_answer += answer[j] = powf (MAX (sum[j], 1e-9f), power);
    of_target += target[j];
  }
  for (int j = 0; j < N_LABELS; j++)
    target[j] = (1 - weight) * target[j] + weight * of_target * answer[j] / of_answer;
}

/* Adds what the teacher says to faces first to end - 1. */
static gboolean
ask (MienDistil *self, const Teacher *teacher, const float *pixels, int first, int end, gsize n_pixels, GError **error)
{
  if (!mien_predictor_run (teacher->predictor, pixels + (gsize) first * n_pixels, end - first, self->answers, error))
    return FALSE;
  for (int row = first; row < end; row++)
    for (int j = 0; j < N_LABELS; j++)
      self->sums[row * N_LABELS + teacher->place[j]] += self->answers[(row - first) * N_LABELS + j];
  return TRUE;
}

/* Adds what every teacher says to these pictures, or to those that are its own. */
static gboolean
ask_all (MienDistil *self, const float *pixels, int part, int n, gsize n_pixels, GError **error)
{
  if (self->recipe->teacher_parts)
    return ask (self, &self->teachers[part], pixels, 0, n, n_pixels, error);
  for (int i = 0; i < self->n_teachers; i++) {
    const int first = self->recipe->teacher_split ? n * i / self->n_teachers : 0;
    const int end = self->recipe->teacher_split ? n * (i + 1) / self->n_teachers : n;
    if (!ask (self, &self->teachers[i], pixels, first, end, n_pixels, error))
      return FALSE;
  }
  return TRUE;
}

/* Each row of pixels, width long, back to front. */
static void
mirror (const float *pixels, gsize n_rows, gsize width, float *mirrored)
{
  for (gsize row = 0; row < n_rows; row++, pixels += width, mirrored += width)
    for (gsize x = 0; x < width; x++)
      mirrored[x] = pixels[width - 1 - x];
}

/* Blends what was summed up into the targets, and forgets it. */
static void
blend_sums (MienDistil *self, const MienBatch *batch, float weight, float temperature)
{
  const int n = (int) batch->targets->shape.dim[0];

  for (int row = 0; row < n; row++)
    blend (mien_tensor_f32 (batch->targets) + row * N_LABELS, self->sums + row * N_LABELS, weight, temperature);
  memset (self->sums, 0, (gsize) n * N_LABELS * sizeof *self->sums);
}

gboolean
mien_distil_blend (MienDistil *self, const MienBatch *batch, float mean, float std, GError **error)
{
  const gsize width = (gsize) batch->faces->shape.dim[3];
  const int n = (int) batch->targets->shape.dim[0];
  const gsize n_pixels = batch->faces->n_elems / (gsize) n;
  const float *faces = mien_tensor_f32 (batch->faces);

  if (self->n_teachers == 0 && self->own_weight <= 0)
    return TRUE;
  make_room (self, n, n_pixels);
  for (gsize k = 0; k < n * n_pixels; k++)
    self->pixels[k] = 255 * (faces[k] * std + mean);
  memset (self->sums, 0, (gsize) n * N_LABELS * sizeof *self->sums);
  if (self->n_teachers > 0) {
    if (!ask_all (self, self->pixels, batch->part, n, n_pixels, error))
      return FALSE;
    if (self->recipe->teacher_mirror) {
      mirror (self->pixels, n * n_pixels / width, width, self->mirrored);
      if (!ask_all (self, self->mirrored, batch->part, n, n_pixels, error))
        return FALSE;
    }
    blend_sums (self, batch, self->recipe->teacher_weight, self->recipe->teacher_temperature);
  }
  if (self->own_weight > 0) {
    if (!ask (self, &self->own, self->pixels, 0, n, n_pixels, error))
      return FALSE;
    blend_sums (self, batch, self->own_weight, 1);
  }
  return TRUE;
}

const char *
mien_distil_get_hash (const MienDistil *self)
{
  return self->hash;
}
