/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mien-cli evaluate: a model's scores on a data set. */
#include "mien-config.h"

#include "mien-cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/mien-evaluate.h"

typedef struct {
  const MienEvaluation *evaluation;
  const char *split;
  int views;
  double images_per_s;
  int n_without_twins;           /* -1: the training split is not in the data, or is what was evaluated */
  double accuracy_without_twins;
} Report;

static void
append_list (GString *text, const char *key, const double *values, int n)
{
  mien_json_key (text, key);
  for (int i = 0; i < n; i++) {
    g_string_append_c (text, i == 0 ? '[' : ',');
    mien_json_number (text, values[i], 6);
  }
  g_string_append_c (text, ']');
}

static char *
format_json (const Report *report)
{
  const MienMetrics *m = &report->evaluation->metrics;
  GString *text = g_string_new ("{");
  const struct {
    const char *key;
    double value;
  } scores[] = {
    { "accuracy", m->accuracy },  { "accuracy_low", m->accuracy_low }, { "accuracy_high", m->accuracy_high },
    { "macro_f1", m->macro_f1 },  { "log_loss", m->log_loss },         { "ece", m->ece },
    { "images_per_s", report->images_per_s },
  };

  mien_json_key (text, "split");
  mien_json_string (text, report->split);
  g_string_append_printf (text, ",\"views\":%d,\"n\":%d", report->views, m->n);
  for (gsize i = 0; i < G_N_ELEMENTS (scores); i++) {
    mien_json_key (text, scores[i].key);
    mien_json_number (text, scores[i].value, 6);
  }
  if (report->n_without_twins >= 0) {
    g_string_append_printf (text, ",\"n_without_twins\":%d,\"accuracy_without_twins\":", report->n_without_twins);
    mien_json_number (text, report->accuracy_without_twins, 6);
  }
  mien_json_key (text, "labels");
  for (int i = 0; i < m->n_labels; i++) {
    g_string_append_c (text, i == 0 ? '[' : ',');
    mien_json_string (text, report->evaluation->labels[i]);
  }
  g_string_append_c (text, ']');
  append_list (text, "precision", m->precision, m->n_labels);
  append_list (text, "recall", m->recall, m->n_labels);
  append_list (text, "f1", m->f1, m->n_labels);
  mien_json_key (text, "confusion");
  for (int i = 0; i < m->n_labels; i++) {
    g_string_append (text, i == 0 ? "[[" : ",[");
    for (int j = 0; j < m->n_labels; j++)
      g_string_append_printf (text, j == 0 ? "%d" : ",%d", m->confusion[i][j]);
    g_string_append_c (text, ']');
  }
  g_string_append (text, "]}");
  return g_string_free (text, FALSE);
}

static char *
format_text (const Report *report)
{
  const MienMetrics *m = &report->evaluation->metrics;
  GString *text = g_string_new (NULL);

  g_string_append_printf (text, "%d pictures of the split “%s”, %d view%s each, %.0f pictures a second\n", m->n, report->split,
                          report->views, report->views == 1 ? "" : "s", report->images_per_s);
  g_string_append_printf (text, "accuracy   %.2f %%  (95 %% interval %.2f to %.2f)\n", 100 * m->accuracy, 100 * m->accuracy_low,
                          100 * m->accuracy_high);
  if (report->n_without_twins >= 0)
    g_string_append_printf (text, "           %.2f %%  on the %d pictures that have no twin in the training split\n",
                            100 * report->accuracy_without_twins, report->n_without_twins);
  g_string_append_printf (text, "macro F1   %.4f\nlog loss   %.4f\nECE        %.4f\n\n", m->macro_f1, m->log_loss, m->ece);
  g_string_append_printf (text, "%-10s %9s %9s %9s   answered as (rows are the truth)\n", "", "precision", "recall", "F1");
  g_string_append_printf (text, "%-10s %9s %9s %9s ", "", "", "", "");
  for (int j = 0; j < m->n_labels; j++)
    g_string_append_printf (text, " %7.7s", report->evaluation->labels[j]);
  g_string_append_c (text, '\n');
  for (int i = 0; i < m->n_labels; i++) {
    g_string_append_printf (text, "%-10s %9.4f %9.4f %9.4f ", report->evaluation->labels[i], m->precision[i], m->recall[i], m->f1[i]);
    for (int j = 0; j < m->n_labels; j++)
      g_string_append_printf (text, " %7d", m->confusion[i][j]);
    if (i + 1 < m->n_labels)
      g_string_append_c (text, '\n');
  }
  return g_string_free (text, FALSE);
}

/* Without the training split no twin can be told: NULL, which is no error. (transfer full) */
static guint8 *
find_twins (const MienDataset *data, MienSplit split)
{
  int counts[MIEN_DATASET_N_LABELS];
  int n_training = 0;
  guint8 *flags;

  mien_dataset_count (data, MIEN_SPLIT_TRAINING, counts);
  for (int i = 0; i < MIEN_DATASET_N_LABELS; i++)
    n_training += counts[i];
  if (n_training == 0)
    return NULL;
  flags = g_new0 (guint8, data->n);
  mien_dataset_find_twins (data, split, MIEN_SPLIT_TRAINING, flags);
  return flags;
}

/* Keeps the flags of one split, in the order of its subset. (transfer full) */
static guint8 *
take_split (const MienDataset *data, MienSplit split, const guint8 *flags)
{
  guint8 *kept = g_new0 (guint8, data->n + 1);
  int n = 0;

  for (int i = 0; i < data->n; i++) {
    if (data->splits[i] == split)
      kept[n++] = flags[i];
  }
  return kept;
}

/* evaluated: what is scored; twins: (nullable) its pictures that are also in the training split. */
static gboolean
load (const char *path, const char *split_name, MienDataset **evaluated, guint8 **twins, GError **error)
{
  g_autoptr (MienDataset) all = NULL;
  g_autofree guint8 *flags = NULL;
  MienSplit split = MIEN_SPLIT_PUBLIC;
  const gboolean everything = g_str_equal (split_name, "all");
  guint mask = (1u << MIEN_SPLIT_TRAINING) | (1u << MIEN_SPLIT_PUBLIC) | (1u << MIEN_SPLIT_PRIVATE);

  if (!everything) {
    mien_split_parse (split_name, &split);
    mask = (1u << split) | (1u << MIEN_SPLIT_TRAINING);
  }
  all = mien_dataset_load (path, mask, mien_cli_progress, (gpointer) "Reading", NULL, error);
  if (all == NULL)
    return FALSE;
  mien_cli_progress (-1, NULL);
  for (guint i = 0; i < all->skipped->len; i++)
    g_printerr ("mien-cli: %s\n", (const char *) g_ptr_array_index (all->skipped, i));
  if (everything) {
    *evaluated = g_steal_pointer (&all);
    return TRUE;
  }
  *evaluated = mien_dataset_subset (all, split);
  if ((*evaluated)->n == 0) {
    g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_EMPTY, "%s has no picture of the split “%s”; choose another with --split",
                 path, split_name);
    return FALSE;
  }
  if (split != MIEN_SPLIT_TRAINING)
    flags = find_twins (all, split);
  if (flags != NULL)
    *twins = take_split (all, split, flags);
  return TRUE;
}

static int
evaluate (MienPredictor *predictor, const MienDataset *data, const guint8 *twins, const char *split, int views, gboolean json)
{
  MienModel *model = mien_predictor_get_model (predictor);
  g_autofree float *probabilities = g_new (float, (gsize) data->n * mien_model_get_n_labels (model));
  g_autoptr (MienEvaluation) evaluation = NULL;
  g_autoptr (MienEvaluation) clean = NULL;
  g_autofree char *text = NULL;
  GError *error = NULL;
  gint64 start_us;
  gint64 taken_us;
  Report report;

  start_us = g_get_monotonic_time ();
  if (!mien_evaluate_predict (predictor, data, views, probabilities, mien_cli_progress, (gpointer) "Evaluating", NULL, &error))
    return mien_cli_fail (error);
  taken_us = MAX (1, g_get_monotonic_time () - start_us);
  mien_cli_progress (-1, NULL);

  evaluation = mien_evaluate_score (model, data, probabilities, NULL, &error);
  if (evaluation == NULL)
    return mien_cli_fail (error);
  report = (Report) { evaluation, split, views, data->n * (double) G_USEC_PER_SEC / taken_us, -1, NAN };
  if (twins != NULL) {
    clean = mien_evaluate_score (model, data, probabilities, twins, NULL);
    report.n_without_twins = clean != NULL ? clean->metrics.n : 0;
    report.accuracy_without_twins = clean != NULL ? clean->metrics.accuracy : NAN;
  }
  text = json ? format_json (&report) : format_text (&report);
  mien_cli_print_line (text);
  return MIEN_CLI_DONE;
}

int
mien_cli_evaluate (int argc, char **argv)
{
  static const char *const formats[] = { "json", "text", NULL };
  static const char *const splits[] = { "public", "training", "private", "all", NULL };
  g_autofree char *data_path = NULL;
  g_autofree char *model_path = NULL;
  g_autofree char *split = NULL;
  g_autofree char *cpu_word = NULL;
  g_autofree char *format = NULL;
  int views = 1;
  int n_threads = 0;
  const GOptionEntry entries[] = {
    { "data", 0, 0, G_OPTION_ARG_FILENAME, &data_path, "FER2013 (CSV, .gz, .zip, .tar.gz) or a folder of pictures by class", "PATH" },
    { "split", 0, 0, G_OPTION_ARG_STRING, &split, "public (default), training, private or all", "SPLIT" },
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &model_path, "The network, an ONNX file; default: Mien's own", "FILE" },
    { "views", 0, 0, G_OPTION_ARG_INT, &views, "Views of each picture, averaged: 1 (default), 2 with its mirror image, 10 with shifts too", "1|2|10" },
    { "cpu", 0, 0, G_OPTION_ARG_STRING, &cpu_word, "Use no more of the processor than c, avx2, avx512, bf16 or amx (neon on ARM)", "LEVEL" },
    { "threads", 0, 0, G_OPTION_ARG_INT, &n_threads, "Threads; default: one a processor", "N" },
    { "format", 'f', 0, G_OPTION_ARG_STRING, &format, "json (default) or text", "FORMAT" },
    { NULL },
  };
  g_autoptr (MienModel) model = NULL;
  g_autoptr (MienPredictor) predictor = NULL;
  g_autoptr (MienDataset) data = NULL;
  g_autofree guint8 *twins = NULL;
  MienThreads *threads;
  MienCpuLevel cpu;
  GError *error = NULL;
  int status = MIEN_CLI_DONE;
  int format_chosen, split_chosen;

  if (!mien_cli_parse (&argc, &argv, entries, "--data PATH", "Measures how often a model is right, and how well it knows.", &status))
    return status;
  if (argc > 1)
    return mien_cli_usage ("evaluate", "what is “%s”? The data are named by --data", argv[1]);
  if (data_path == NULL)
    return mien_cli_usage ("evaluate", "--data is missing: FER2013 or a folder of pictures by class");
  format_chosen = mien_cli_choose ("evaluate", "--format", format, formats);
  split_chosen = mien_cli_choose ("evaluate", "--split", split, splits);
  if (format_chosen < 0 || split_chosen < 0 || !mien_cli_parse_cpu ("evaluate", cpu_word, &cpu))
    return MIEN_CLI_USAGE;
  if (views != 1 && views != 2 && views != 10)
    return mien_cli_usage ("evaluate", "--views takes 1, 2 or 10, not %d", views);
  if (n_threads < 0 || n_threads > 256)
    return mien_cli_usage ("evaluate", "--threads takes 1 to 256, or 0 for all, not %d", n_threads);

  model = mien_cli_load_model (model_path, &error);
  if (model == NULL)
    return mien_cli_fail (error);
  if (!load (data_path, splits[split_chosen], &data, &twins, &error))
    return mien_cli_fail (error);

  threads = mien_threads_new (n_threads);
  predictor = mien_predictor_new (model, 64, cpu, threads, &error);
  if (predictor == NULL)
    status = mien_cli_fail (error);
  else
    status = evaluate (predictor, data, twins, splits[split_chosen], views, format_chosen == 0);
  g_clear_pointer (&predictor, mien_predictor_free);
  mien_threads_free (threads);
  return status;
}
