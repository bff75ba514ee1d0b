/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a training run to a model file: constants instead of parameters, normalisation folded, metadata, temperature, scores. */
#include "mien-config.h"

#include <math.h>
#include <string.h>

#include "train/mien-evaluate.h"
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
  g_autofree char *dataset = g_strdup_printf ("sha256 %s, %d training, %d public", self->data_hash, self->training->n, self->validation->n);

  set_text (graph, "mien.version", "1");
  set_text (graph, "mien.labels", labels);
  set_number (graph, "mien.input.size", self->training->size);
  set_number (graph, "mien.input.channels", 1);
  set_number (graph, "mien.input.scale", 1.0 / 255);
  set_number (graph, "mien.input.mean", self->mean);
  set_number (graph, "mien.input.std", self->std);
  set_number (graph, "mien.crop.margin", CROP_MARGIN);
  set_number (graph, "mien.temperature", 1);
  set_text (graph, "mien.recipe", recipe);
  set_text (graph, "mien.dataset", dataset);
  return mien_model_new (graph, error);
}

static float *
predict (const MienRun *self, MienModel *model, GError **error)
{
  g_autoptr (MienPredictor) predictor = mien_predictor_new (model, 32, mien_cpu_level (), self->threads, error);
  g_autofree float *probabilities = g_new (float, (gsize) self->validation->n * MIEN_DATASET_N_LABELS);

  if (predictor == NULL || !mien_evaluate_predict (predictor, self->validation, 1, probabilities, NULL, NULL, NULL, error))
    return NULL;
  return g_steal_pointer (&probabilities);
}

gboolean
mien_run_evaluate (const MienRun *self, MienModel *model, MienTrainProgress *progress, GError **error)
{
  g_autofree float *probabilities = predict (self, model, error);
  g_autoptr (MienEvaluation) all = NULL, clean = NULL;

  if (probabilities == NULL || (all = mien_evaluate_score (model, self->validation, probabilities, NULL, error)) == NULL ||
      (clean = mien_evaluate_score (model, self->validation, probabilities, self->twins, error)) == NULL)
    return FALSE;
  progress->val_loss = all->metrics.log_loss;
  progress->val_accuracy = all->metrics.accuracy;
  progress->val_accuracy_clean = clean->metrics.n > 0 ? clean->metrics.accuracy : all->metrics.accuracy;
  return TRUE;
}

/* Log loss of probabilities sharpened or softened by a temperature: p^(1/T), normalised. */
static double
loss_at (const float *probabilities, const guint8 *labels, int n, double temperature)
{
  double loss = 0;

  for (int i = 0; i < n; i++) {
    const float *p = probabilities + (gsize) i * MIEN_DATASET_N_LABELS;
    double total = 0;
    for (int j = 0; j < MIEN_DATASET_N_LABELS; j++)
      total += pow (MAX (p[j], 1e-9), 1 / temperature);
    loss += log (total) - log (MAX (p[labels[i]], 1e-9)) / temperature;
  }
  return loss / n;
}

/* Golden-section search: the loss has one minimum in the temperature (Guo et al. 2017). */
static double
fit_temperature (const float *probabilities, const guint8 *labels, int n)
{
  const double ratio = (sqrt (5) - 1) / 2;
  double lo = log (0.2), hi = log (5);
  double a = hi - ratio * (hi - lo), b = lo + ratio * (hi - lo);
  double fa = loss_at (probabilities, labels, n, exp (a)), fb = loss_at (probabilities, labels, n, exp (b));

  while (hi - lo > 1e-4) {
    if (fa < fb) {
      hi = b, b = a, fb = fa;
      a = hi - ratio * (hi - lo);
      fa = loss_at (probabilities, labels, n, exp (a));
    } else {
      lo = a, a = b, fa = fb;
      b = lo + ratio * (hi - lo);
      fb = loss_at (probabilities, labels, n, exp (b));
    }
  }
  return exp ((lo + hi) / 2);
}

static char *
describe_scores (const MienMetrics *all, const MienMetrics *clean)
{
  const struct {
    const char *key;
    double value;
  } scores[] = {
    { "accuracy", all->accuracy },
    { "accuracy_low", all->accuracy_low },
    { "accuracy_high", all->accuracy_high },
    { "accuracy_without_twins", clean->accuracy },
    { "macro_f1", all->macro_f1 },
    { "log_loss", all->log_loss },
    { "ece", all->ece },
  };
  GString *text = g_string_new ("{\"split\":\"public\",\"views\":1");
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append_printf (text, ",\"n\":%d", all->n);
  for (gsize i = 0; i < G_N_ELEMENTS (scores); i++)
    if (isfinite (scores[i].value))
      g_string_append_printf (text, ",\"%s\":%s", scores[i].key, g_ascii_formatd (number, sizeof number, "%.4f", scores[i].value));
  g_string_append_c (text, '}');
  return g_string_free (text, FALSE);
}

MienModel *
mien_run_finish_model (const MienRun *self, MienModel *model, GError **error)
{
  g_autoptr (MienGraph) graph = mien_graph_dup (mien_model_get_graph (model));
  g_autofree float *probabilities = NULL, *calibrated = NULL;
  g_autoptr (MienModel) finished = NULL;
  g_autoptr (MienEvaluation) all = NULL, clean = NULL;
  g_autofree char *scores = NULL;

  set_number (graph, "mien.temperature", 1);
  finished = mien_model_new (graph, error);
  if (finished == NULL || (probabilities = predict (self, finished, error)) == NULL)
    return NULL;
  set_number (graph, "mien.temperature", fit_temperature (probabilities, self->validation->labels, self->validation->n));
  g_clear_pointer (&finished, mien_model_unref);
  finished = mien_model_new (graph, error);
  if (finished == NULL || (calibrated = predict (self, finished, error)) == NULL ||
      (all = mien_evaluate_score (finished, self->validation, calibrated, NULL, error)) == NULL ||
      (clean = mien_evaluate_score (finished, self->validation, calibrated, self->twins, error)) == NULL)
    return NULL;
  scores = describe_scores (&all->metrics, &clean->metrics);
  set_text (graph, "mien.scores", scores);
  return mien_model_new (graph, error);
}
