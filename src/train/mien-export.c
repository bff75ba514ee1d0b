/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a training run to a model file: constants instead of parameters, normalisation folded, metadata, temperature, scores. */
#include "mien-config.h"

#include <math.h>
#include <string.h>

#include "train/mien-calibrate.h"
#include "train/mien-evaluate.h"
#include "train/mien-metrics.h"
#include "train/mien-train-private.h"

/* What the frames of FER2013's training pictures add to a detected face on each side: the median over 405 of 500 pictures in which the
 * frontal cascade (alt2) finds one face is a box of .964 of the picture's side. */
#define CROP_MARGIN 0.02

static void
set_text (MienGraph *graph, const char *key, const char *text)
{
  g_hash_table_insert (graph->metadata, g_strdup (key), g_strdup (text));
}

static void
set_number (MienGraph *graph, const char *key, double value)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  set_text (graph, key, g_ascii_formatd (text, sizeof text, "%.9g", value));
}

MienModel *
mien_run_export (const MienRun *self, GError **error)
{
  g_autoptr (MienGraph) graph = mien_net_deploy (self->use);
  g_autofree char *labels = g_strjoinv (",", (char **) mien_dataset_labels);
  g_autofree char *recipe = g_strdup_printf ("%s seed %" G_GUINT64_FORMAT, self->recipe.name, self->recipe.seed);
  g_autofree char *dataset = g_strdup_printf ("sha256 %s, %d training, %d public (%d of them also in training)", self->data_hash,
                                              self->training->n, self->validation->n, self->n_twins);
  g_autofree char *settings = mien_recipe_describe (&self->recipe);
  g_autofree char *training = g_strdup_printf ("epoch %d of %d, %s; %d threads, %s", self->epoch + 1, self->recipe.epochs,
                                               self->recipe.keep_last && self->epoch + 1 == self->recipe.epochs
                                                 ? "the last" : "chosen by accuracy on the public pictures that are not in training",
                                               mien_threads_count (self->threads),
                                               mien_cpu_level_name (mien_cpu_level ()));
  g_autofree char *cost = g_strdup_printf ("%" G_GINT64_FORMAT " multiply-adds, %" G_GINT64_FORMAT " parameters", self->use->cost.macs, self->use->cost.params);

  set_text (graph, "mien.version", "1");
  set_text (graph, "mien.labels", labels);
  set_number (graph, "mien.input.size", self->training->size);
  set_number (graph, "mien.input.channels", 1);
  set_number (graph, "mien.input.scale", 1.0 / 255);
  set_number (graph, "mien.input.mean", self->mean);
  set_number (graph, "mien.input.std", self->std);
  set_number (graph, "mien.crop.margin", CROP_MARGIN);
  set_number (graph, "mien.temperature", 1);
  set_number (graph, "mien.temperature.views", 1);
  set_text (graph, "mien.recipe", recipe);
  set_text (graph, "mien.recipe.settings", settings);
  set_text (graph, "mien.training", training);
  set_text (graph, "mien.cost", cost);
  set_text (graph, "mien.dataset", dataset);
  if (self->start_hash != NULL) {
    g_autofree char *start = g_strdup_printf ("sha256 %s", self->start_hash);
    set_text (graph, "mien.start", start);
  }
  if (mien_distil_get_hash (self->teachers) != NULL) {
    g_autofree char *teachers = g_strdup_printf ("%u, sha256 %s", g_strv_length ((char **) self->recipe.teachers), mien_distil_get_hash (self->teachers));
    set_text (graph, "mien.teachers", teachers);
  }
  return mien_model_new (graph, error);
}

/* clean: without twins, NULL when there are none but twins. */
static gboolean
score (const MienRun *self, MienModel *model, const float *probabilities, MienEvaluation **all, MienEvaluation **clean, GError **error)
{
  *all = mien_evaluate_score (model, self->validation, probabilities, NULL, error);
  *clean = *all != NULL && self->n_twins < self->validation->n
             ? mien_evaluate_score (model, self->validation, probabilities, self->twins, error) : NULL;
  return *all != NULL && (*clean != NULL || self->n_twins == self->validation->n);
}

static float *
predict (const MienRun *self, MienModel *model, int max_batch, MienPrecision precision, int views, GError **error)
{
  g_autoptr (MienPredictor) predictor = mien_predictor_new (model, max_batch, mien_cpu_level (), precision, self->threads, error);
  g_autofree float *probabilities = g_new (float, (gsize) self->validation->n * MIEN_DATASET_N_LABELS);

  if (predictor == NULL || !mien_evaluate_predict (predictor, self->validation, views, probabilities, NULL, NULL, NULL, error))
    return NULL;
  return g_steal_pointer (&probabilities);
}

float *
mien_run_predict (const MienRun *self, MienModel *model, int views, GError **error)
{
  return predict (self, model, 32, MIEN_PRECISION_F32, views, error);
}

gboolean
mien_run_evaluate (const MienRun *self, MienModel *model, MienTrainProgress *progress, GError **error)
{
  g_autofree float *probabilities = mien_run_predict (self, model, 1, error);
  g_autoptr (MienEvaluation) all = NULL, clean = NULL;

  if (probabilities == NULL || !score (self, model, probabilities, &all, &clean, error))
    return FALSE;
  progress->val_loss = all->metrics.log_loss;
  progress->val_accuracy = all->metrics.accuracy;
  progress->val_accuracy_clean = clean != NULL ? clean->metrics.accuracy : all->metrics.accuracy;
  return TRUE;
}

static char *
describe_scores (int views, const MienMetrics *all, const MienMetrics *clean)
{
  const struct {
    const char *key;
    double value;
  } scores[] = {
    { "accuracy", all->accuracy },
    { "accuracy_low", all->accuracy_low },
    { "accuracy_high", all->accuracy_high },
    { "accuracy_without_twins", clean != NULL ? clean->accuracy : NAN },
    { "accuracy_without_twins_low", clean != NULL ? clean->accuracy_low : NAN },
    { "accuracy_without_twins_high", clean != NULL ? clean->accuracy_high : NAN },
    { "macro_f1", all->macro_f1 },
    { "log_loss", all->log_loss },
    { "ece", all->ece },
  };
  GString *text = g_string_new (NULL);
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append_printf (text, "{\"split\":\"public\",\"views\":%d,\"n\":%d", views, all->n);
  for (gsize i = 0; i < G_N_ELEMENTS (scores); i++)
    if (isfinite (scores[i].value))
      g_string_append_printf (text, ",\"%s\":%s", scores[i].key, g_ascii_formatd (number, sizeof number, "%.4f", scores[i].value));
  g_string_append (text, ",\"recall\":[");
  for (int c = 0; c < all->n_labels; c++)
    g_string_append_printf (text, "%s%s", c > 0 ? "," : "", g_ascii_formatd (number, sizeof number, "%.4f", all->recall[c]));
  g_string_append (text, "]}");
  return g_string_free (text, FALSE);
}

static gboolean
add_scores (const MienRun *self, MienGraph *graph, MienModel *model, int views, const char *key, GError **error)
{
  g_autofree float *probabilities = mien_run_predict (self, model, views, error);
  g_autoptr (MienEvaluation) all = NULL, clean = NULL;

  if (probabilities == NULL || !score (self, model, probabilities, &all, &clean, error))
    return FALSE;
  g_autofree char *text = describe_scores (views, &all->metrics, clean != NULL ? &clean->metrics : NULL);
  set_text (graph, key, text);
  return TRUE;
}

/* The share of the public pictures that the network calls the same with bfloat16, if this processor has any; one by one, as faces come, because batches
 * may take other ways to an answer. f32: its answers to one view, at any temperature. */
static gboolean
add_agreement (const MienRun *self, MienGraph *graph, MienModel *model, const float *f32, GError **error)
{
  const int n = self->validation->n;
  int n_same = 0;

  if (!mien_cpu_has_bf16 (mien_cpu_level ()))
    return TRUE;
  g_autofree float *bf16 = predict (self, model, 1, MIEN_PRECISION_BF16, 1, error);
  if (bf16 == NULL)
    return FALSE;
  for (int i = 0; i < n * MIEN_DATASET_N_LABELS; i += MIEN_DATASET_N_LABELS)
    n_same += mien_metrics_answer (f32 + i, MIEN_DATASET_N_LABELS) == mien_metrics_answer (bf16 + i, MIEN_DATASET_N_LABELS);
  set_number (graph, "mien.bfloat16", (double) n_same / n);
  return TRUE;
}

MienModel *
mien_run_finish_model (const MienRun *self, MienModel *model, GError **error)
{
  g_autoptr (MienGraph) graph = mien_graph_dup (mien_model_get_graph (model));
  g_autofree float *one = NULL, *other = NULL;
  g_autoptr (MienModel) plain = NULL, calibrated = NULL;

  set_number (graph, "mien.temperature", 1);
  set_number (graph, "mien.temperature.views", 1);
  plain = mien_model_new (graph, error);
  if (plain == NULL || (one = mien_run_predict (self, plain, 1, error)) == NULL || (other = mien_run_predict (self, plain, 2, error)) == NULL)
    return NULL;
  if (!add_agreement (self, graph, plain, one, error))
    return NULL;
  const int n = self->validation->n;
  const float *const views[] = { one, other };
  for (int k = 0; k < n * MIEN_DATASET_N_LABELS; k++)
    other[k] = MAX (2 * other[k] - one[k], 0); /* the mirror image's, of the mean of both */
  set_number (graph, "mien.temperature", mien_calibrate (views, 1, self->validation->labels, n, MIEN_DATASET_N_LABELS));
  set_number (graph, "mien.temperature.views", mien_calibrate (views, 2, self->validation->labels, n, MIEN_DATASET_N_LABELS));
  set_text (graph, "mien.calibration", "fitted on the public split, to one view and to the mean of two");
  calibrated = mien_model_new (graph, error);
  if (calibrated == NULL || !add_scores (self, graph, calibrated, 1, "mien.scores", error) ||
      !add_scores (self, graph, calibrated, 2, "mien.scores.mirrored", error))
    return NULL;
  return mien_model_new (graph, error);
}
