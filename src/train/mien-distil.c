/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mien-config.h"

#include "train/mien-distil.h"

#include <glib/gi18n-lib.h>
#include <math.h>

#include "nn/mien-file.h"
#include "train/mien-evaluate.h"
#include "train/mien-trainer.h"

#define N_LABELS MIEN_DATASET_N_LABELS
#define MAX_FILE_BYTES ((guint64) 1 << 30)

/* place[i]: the data's number of the model's label i. */
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
  if (n_found == N_LABELS && mien_model_get_n_labels (model) == N_LABELS)
    return TRUE;
  g_autofree char *name = mien_file_shown_name (path);
  g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_RECIPE, _("%s: a teacher must answer with the seven expressions that are learnt; choose a model trained here"), name);
  return FALSE;
}

static gboolean
ask (const char *path, const MienDataset *data, float *sum, MienThreads *threads, GCancellable *cancellable, GError **error)
{
  g_autofree float *answers = g_new (float, (gsize) data->n * N_LABELS);
  g_autoptr (MienPredictor) predictor = NULL;
  g_autoptr (MienModel) model = mien_model_load (path, error);
  int place[N_LABELS];

  if (model == NULL || !match_labels (model, path, place, error))
    return FALSE;
  predictor = mien_predictor_new (model, 32, mien_cpu_level (), threads, error);
  if (predictor == NULL)
    return FALSE;
  mien_predictor_set_precision (predictor, MIEN_PRECISION_BF16);
  if (!mien_evaluate_predict (predictor, data, 2, answers, NULL, NULL, cancellable, error))
    return FALSE;
  for (int i = 0; i < data->n; i++)
    for (int j = 0; j < N_LABELS; j++)
      sum[(gsize) i * N_LABELS + place[j]] += answers[(gsize) i * N_LABELS + j];
  return TRUE;
}

float *
mien_distil_ask (const char *const *teachers, const MienDataset *data, float temperature, MienThreads *threads,
                 GCancellable *cancellable, GError **error)
{
  g_autofree float *soft = g_new0 (float, (gsize) data->n * N_LABELS);

  for (int i = 0; teachers[i] != NULL; i++)
    if (!ask (teachers[i], data, soft, threads, cancellable, error))
      return NULL;
  for (int i = 0; i < data->n; i++) {
    float *row = soft + (gsize) i * N_LABELS;
    double sum = 0;
    for (int j = 0; j < N_LABELS; j++)
      sum += row[j] = (float) pow (MAX (row[j], 1e-9), 1 / temperature);
    for (int j = 0; j < N_LABELS; j++)
      row[j] = (float) (row[j] / sum);
  }
  return g_steal_pointer (&soft);
}

char *
mien_distil_dup_hash (const char *const *teachers, GError **error)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);

  for (int i = 0; teachers[i] != NULL; i++) {
    g_autofree char *path = mien_model_find (teachers[i]);
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
