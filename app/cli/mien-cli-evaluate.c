/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mien-cli evaluate: a model's scores on a data set. */
#include "mien-config.h"

#include "mien-cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/mien-evaluate.h"

typedef struct {
  const MienDataset *data;
  const MienEvaluation *evaluation;
  const MienEvaluation *clean; /* (nullable) without twins; NULL: no training split in the data, or all are twins */
  int n_without_twins;         /* -1: the training split is not in the data, or is what was evaluated */
  const char *split;
  int views;
  int n_mistakes; /* to be listed */
  double images_per_s;
} Report;

/* What the views of a picture are, for people. */
static const char *
describe_views (int views)
{
  switch (views) {
  case 1: return "1 view each";
  case 2: return "2 views each (the picture and its mirror image)";
  default: return "10 views each (in its place and moved by 5 % to the four corners, each with its mirror image)";
  }
}

/* What a number of the data set's pictures is known by: its file, or its place in the split. (transfer full) */
static char *
name_picture (const MienDataset *data, int i)
{
  return data->names != NULL ? g_strdup (data->names[i]) : g_strdup_printf ("no. %d", i);
}

/* The scores that a split has in whole and without twins; suffix is part of the keys. */
static void
append_scores (GString *text, const MienMetrics *m, const char *suffix)
{
  const struct {
    const char *key;
    double value;
  } scores[] = {
    { "accuracy", m != NULL ? m->accuracy : NAN },
    { "accuracy_low", m != NULL ? m->accuracy_low : NAN },
    { "accuracy_high", m != NULL ? m->accuracy_high : NAN },
    { "macro_f1", m != NULL ? m->macro_f1 : NAN },
    { "log_loss", m != NULL ? m->log_loss : NAN },
    { "ece", m != NULL ? m->ece : NAN },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (scores); i++) {
    g_autofree char *key = g_strconcat (scores[i].key, suffix, NULL);

    mien_json_key (text, key);
    mien_json_number (text, scores[i].value, 6);
  }
}

static void
append_mistakes (GString *text, const Report *report)
{
  const MienEvaluation *evaluation = report->evaluation;

  g_string_append_printf (text, ",\"n_mistakes\":%d,\"mistakes\":[", evaluation->n_mistakes);
  for (int i = 0; i < MIN (report->n_mistakes, evaluation->n_mistakes); i++) {
    const MienMistake *mistake = &evaluation->mistakes[i];

    g_string_append_printf (text, "%s{\"index\":%d,\"file\":", i > 0 ? "," : "", mistake->index);
    if (report->data->names != NULL)
      mien_json_string (text, report->data->names[mistake->index]);
    else
      g_string_append (text, "null");
    g_string_append (text, ",\"label\":");
    mien_json_string (text, evaluation->labels[mistake->label]);
    g_string_append (text, ",\"answer\":");
    mien_json_string (text, evaluation->labels[mistake->answer]);
    g_string_append (text, ",\"confidence\":");
    mien_json_number (text, mistake->confidence, 6);
    g_string_append_c (text, '}');
  }
  g_string_append_c (text, ']');
}

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

  mien_json_key (text, "split");
  mien_json_string (text, report->split);
  g_string_append_printf (text, ",\"views\":%d,\"n\":%d", report->views, m->n);
  append_scores (text, m, "");
  g_string_append_printf (text, ",\"ece_bins\":%d", MIEN_METRICS_ECE_BINS);
  mien_json_key (text, "images_per_s");
  mien_json_number (text, report->images_per_s, 6);
  if (report->n_without_twins >= 0) {
    g_string_append_printf (text, ",\"n_without_twins\":%d", report->n_without_twins);
    append_scores (text, report->clean != NULL ? &report->clean->metrics : NULL, "_without_twins");
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
  g_string_append_c (text, ']');
  append_mistakes (text, report);
  g_string_append_c (text, '}');
  return g_string_free (text, FALSE);
}

/* "accuracy   65.21 %  (95 % interval 63.64 to 66.75)" and the other scores, with those without twins beside them. */
static void
append_score_lines (GString *text, const Report *report)
{
  const MienMetrics *m = &report->evaluation->metrics;
  const MienMetrics *clean = report->clean != NULL ? &report->clean->metrics : NULL;
  const struct {
    const char *name;
    double all, clean;
  } rows[] = {
    { "macro F1", m->macro_f1, clean != NULL ? clean->macro_f1 : NAN },
    { "log loss", m->log_loss, clean != NULL ? clean->log_loss : NAN },
    { "ECE", m->ece, clean != NULL ? clean->ece : NAN },
  };

  g_string_append_printf (text, "accuracy   %.2f %%  (95 %% interval %.2f to %.2f)\n", 100 * m->accuracy, 100 * m->accuracy_low,
                          100 * m->accuracy_high);
  if (clean != NULL)
    g_string_append_printf (text, "           %.2f %%  (%.2f to %.2f) on the %d pictures that have no twin in the training split\n",
                            100 * clean->accuracy, 100 * clean->accuracy_low, 100 * clean->accuracy_high, clean->n);
  else if (report->n_without_twins == 0)
    g_string_append (text, "           every picture has a twin in the training split\n");
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_string_append_printf (text, "%-10s %.4f", rows[i].name, rows[i].all);
    if (clean != NULL)
      g_string_append_printf (text, "   %.4f without twins", rows[i].clean);
    if (i + 1 == G_N_ELEMENTS (rows))
      g_string_append_printf (text, "   (expected calibration error, %d bins)", MIEN_METRICS_ECE_BINS);
    g_string_append_c (text, '\n');
  }
}

static void
append_mistake_lines (GString *text, const Report *report)
{
  const MienEvaluation *evaluation = report->evaluation;
  const int n = MIN (report->n_mistakes, evaluation->n_mistakes);

  if (n == 0)
    return;
  g_string_append_printf (text, "\n\nThe most confident of %d mistakes", evaluation->n_mistakes);
  for (int i = 0; i < n; i++) {
    const MienMistake *mistake = &evaluation->mistakes[i];
    g_autofree char *name = name_picture (report->data, mistake->index);

    g_string_append_printf (text, "\n%6.2f %%  %-10s but labelled %-10s %s", 100 * mistake->confidence, evaluation->labels[mistake->answer],
                            evaluation->labels[mistake->label], name);
  }
}

static char *
format_text (const Report *report)
{
  const MienMetrics *m = &report->evaluation->metrics;
  GString *text = g_string_new (NULL);

  g_string_append_printf (text, "%d picture%s of the split “%s”, %s, %.0f pictures a second\n", m->n, m->n == 1 ? "" : "s", report->split,
                          describe_views (report->views), report->images_per_s);
  append_score_lines (text, report);
  g_string_append_c (text, '\n');
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
  append_mistake_lines (text, report);
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
  mien_cli_report_skipped (all);
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
evaluate (MienPredictor *predictor, const MienDataset *data, const guint8 *twins, const char *split, int views, int n_mistakes,
          gboolean json)
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
  if (twins != NULL)
    clean = mien_evaluate_score (model, data, probabilities, twins, NULL);
  report = (Report) {
    .data = data,
    .evaluation = evaluation,
    .clean = clean,
    .n_without_twins = twins == NULL ? -1 : clean != NULL ? clean->metrics.n : 0,
    .split = split,
    .views = views,
    .n_mistakes = n_mistakes,
    .images_per_s = data->n * (double) G_USEC_PER_SEC / taken_us,
  };
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
  int n_mistakes = 10;
  int n_threads = 0;
  const GOptionEntry entries[] = {
    { "data", 0, 0, G_OPTION_ARG_FILENAME, &data_path, "FER2013 (CSV, .gz, .zip, .tar.gz) or a folder of pictures by class", "PATH" },
    { "split", 0, 0, G_OPTION_ARG_STRING, &split, "public (default), training, private or all", "SPLIT" },
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &model_path, "The network, an ONNX file; default: Mien's own", "FILE" },
    { "views", 0, 0, G_OPTION_ARG_INT, &views, "Views of each picture, averaged: 1 (default), 2 with its mirror image, 10: as it is and moved by 5 % to the four corners, each with its mirror image", "1|2|10" },
    { "mistakes", 0, 0, G_OPTION_ARG_INT, &n_mistakes, "List the N most confident mistakes; default: 10", "N" },
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
  if (n_mistakes < 0)
    return mien_cli_usage ("evaluate", "--mistakes takes 0 or more, not %d", n_mistakes);
  if (n_threads < 0 || n_threads > 256)
    return mien_cli_usage ("evaluate", "--threads takes 1 to 256, or 0 for all, not %d", n_threads);

  model = mien_cli_load_model (model_path, &error);
  if (model == NULL)
    return mien_cli_fail (error);
  if (!load (data_path, splits[split_chosen], &data, &twins, &error))
    return mien_cli_fail (error);

  threads = mien_threads_new (n_threads);
  predictor = mien_predictor_new (model, 64, cpu, MIEN_PRECISION_F32, threads, &error);
  if (predictor == NULL)
    status = mien_cli_fail (error);
  else
    status = evaluate (predictor, data, twins, splits[split_chosen], views, n_mistakes, format_chosen == 0);
  g_clear_pointer (&predictor, mien_predictor_free);
  mien_threads_free (threads);
  return status;
}
