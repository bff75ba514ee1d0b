/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The card of a model in words: where it comes from, what it was trained with, how good it is. */
#include "mien-config.h"

#include "mien-cli.h"

#include <math.h>
#include <string.h>

static const struct {
  const char *key, *title;
} lines[] = {
  { "mien.recipe", "recipe" },   { "mien.training", "trained" }, { "mien.recipe.settings", "settings" },
  { "mien.start", "started as" }, { "mien.teachers", "teachers" }, { "mien.dataset", "data" }, { "mien.cost", "cost" },
};
static const char *const scores[] = { "mien.scores", "mien.scores.mirrored" };

/* A number of a flat JSON object as the trainer writes it; NAN when there is none. */
static double
find_number (const char *json, const char *key)
{
  g_autofree char *quoted = g_strdup_printf ("\"%s\":", key);
  const char *at = strstr (json, quoted);
  char *end;

  if (at == NULL)
    return NAN;
  const double value = g_ascii_strtod (at + strlen (quoted), &end);
  return end > at + strlen (quoted) ? value : NAN;
}

static void
append_share (GString *text, const char *before, const char *json, const char *key)
{
  g_autofree char *low_key = g_strconcat (key, "_low", NULL), *high_key = g_strconcat (key, "_high", NULL);
  const double share = find_number (json, key), low = find_number (json, low_key), high = find_number (json, high_key);

  if (isfinite (share))
    g_string_append_printf (text, "%s%.2f %%", before, 100 * share);
  if (isfinite (share) && isfinite (low) && isfinite (high))
    g_string_append_printf (text, " (%.1f to %.1f %%)", 100 * low, 100 * high);
}

static void
append_scores (GString *text, const char *json)
{
  const double views = find_number (json, "views"), f1 = find_number (json, "macro_f1"), loss = find_number (json, "log_loss"), ece = find_number (json, "ece");

  g_string_append_printf (text, "  %-12s %.0f view%s: ", "accuracy", views, views == 1 ? "" : "s");
  append_share (text, "", json, "accuracy");
  append_share (text, ", without twins ", json, "accuracy_without_twins");
  if (isfinite (f1) && isfinite (loss) && isfinite (ece))
    g_string_append_printf (text, "; macro F1 %.3f, log loss %.3f, calibration error %.1f %%", f1, loss, 100 * ece);
  g_string_append_c (text, '\n');
}

/* Found among those with the label: the array "recall", in the order of the labels. */
static void
append_recall (GString *text, const MienModel *model, const char *json)
{
  const char *at = strstr (json, "\"recall\":[");

  if (at == NULL)
    return;
  at += strlen ("\"recall\":[");
  g_string_append_printf (text, "  %-12s ", "recall");
  for (int i = 0; i < mien_model_get_n_labels (model); i++) {
    char *end;
    const double share = g_ascii_strtod (at, &end);

    if (end == at)
      break;
    g_string_append_printf (text, "%s%s %.0f %%", i > 0 ? ", " : "", mien_model_get_label (model, i), 100 * share);
    at = *end == ',' ? end + 1 : end;
  }
  g_string_append_c (text, '\n');
}

gboolean
mien_cli_card_has (const char *key)
{
  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++)
    if (strcmp (lines[i].key, key) == 0)
      return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (scores); i++)
    if (strcmp (scores[i], key) == 0)
      return TRUE;
  return strcmp (key, "mien.temperature") == 0 || strcmp (key, "mien.temperature.views") == 0 || strcmp (key, "mien.calibration") == 0 ||
         strcmp (key, "mien.bfloat16") == 0;
}

void
mien_cli_append_card (GString *text, const MienModel *model)
{
  const char *temperature = mien_model_get_metadata (model, "mien.temperature"), *calibration = mien_model_get_metadata (model, "mien.calibration");
  const char *of_views = mien_model_get_metadata (model, "mien.temperature.views"), *bfloat16 = mien_model_get_metadata (model, "mien.bfloat16");

  if (mien_model_get_metadata (model, "mien.recipe") == NULL)
    return;
  g_string_append (text, "\nmodel card\n");
  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++)
    if (mien_model_get_metadata (model, lines[i].key) != NULL)
      g_string_append_printf (text, "  %-12s %s\n", lines[i].title, mien_model_get_metadata (model, lines[i].key));
  for (gsize i = 0; i < G_N_ELEMENTS (scores); i++)
    if (mien_model_get_metadata (model, scores[i]) != NULL)
      append_scores (text, mien_model_get_metadata (model, scores[i]));
  if (mien_model_get_metadata (model, scores[0]) != NULL)
    append_recall (text, model, mien_model_get_metadata (model, scores[0]));
  if (temperature != NULL)
    g_string_append_printf (text, "  %-12s %s%s%s%s%s\n", "temperature", temperature, of_views != NULL ? ", of several views " : "",
                            of_views != NULL ? of_views : "", calibration != NULL ? ": " : "", calibration != NULL ? calibration : "");
  if (bfloat16 != NULL)
    g_string_append_printf (text, "  %-12s %.2f %% of the public pictures called the same\n", "bfloat16", 100 * g_ascii_strtod (bfloat16, NULL));
}
