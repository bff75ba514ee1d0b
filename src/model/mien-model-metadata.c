/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mien-config.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "model/mien-model-metadata.h"
#include "model/mien-model.h"

#define MAX_LABEL_CHARS 40

static gboolean
fail (GError **error, const char *key, const char *text, const char *why)
{
  g_autofree char *shown = mien_graph_quote (text);

  g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT, _("its metadata say %s = %s, but %s"), key, shown, why);
  return FALSE;
}

static gboolean
parse_number (const char *key, const char *whole, const char *text, double min, double max, double *value, GError **error)
{
  g_autofree char *trimmed = g_strstrip (g_strdup (text)), *why = NULL;
  char *end;

  *value = g_ascii_strtod (trimmed, &end);
  if (*trimmed == '\0' || *end != '\0' || !isfinite (*value))
    return fail (error, key, whole, _("that is not a number"));
  if (*value >= min && *value <= max)
    return TRUE;
  why = g_strdup_printf (_("it must lie between %g and %g"), min, max);
  return fail (error, key, whole, why);
}

gboolean
mien_metadata_float (const MienGraph *graph, const char *key, double min, double max, float *value, gboolean *found, GError **error)
{
  const char *text = g_hash_table_lookup (graph->metadata, key);
  double number;

  if (found != NULL)
    *found = text != NULL;
  if (text == NULL)
    return TRUE;
  if (!parse_number (key, text, text, min, max, &number, error))
    return FALSE;
  *value = number;
  return TRUE;
}

gboolean
mien_metadata_int (const MienGraph *graph, const char *key, int min, int max, int *value, gboolean *found, GError **error)
{
  float number = *value;

  if (!mien_metadata_float (graph, key, min, max, &number, found, error))
    return FALSE;
  *value = number;
  if (*value != number)
    return fail (error, key, g_hash_table_lookup (graph->metadata, key), _("that is not a whole number"));
  return TRUE;
}

gboolean
mien_metadata_floats3 (const MienGraph *graph, const char *key, double min, double max, float values[3], GError **error)
{
  const char *text = g_hash_table_lookup (graph->metadata, key);
  g_auto (GStrv) parts = text != NULL ? g_strsplit (text, ",", 5) : NULL;
  const guint n = text != NULL ? g_strv_length (parts) : 0;

  if (text == NULL)
    return TRUE;
  if (n != 1 && n != 3)
    return fail (error, key, text, _("there must be one number, or three"));
  for (guint i = 0; i < 3; i++) {
    double number;

    if (!parse_number (key, text, parts[n == 3 ? i : 0], min, max, &number, error))
      return FALSE;
    values[i] = number;
  }
  return TRUE;
}

char **
mien_metadata_labels (const MienGraph *graph, const char *key, GError **error)
{
  const char *text = g_hash_table_lookup (graph->metadata, key);
  g_auto (GStrv) labels = text != NULL ? g_strsplit (text, ",", MIEN_MODEL_MAX_LABELS + 1) : NULL;

  for (int i = 0; labels != NULL && labels[i] != NULL; i++) {
    g_strstrip (labels[i]);
    if (*labels[i] == '\0' || g_utf8_strlen (labels[i], -1) > MAX_LABEL_CHARS) {
      fail (error, key, text, _("a label is empty or too long"));
      return NULL;
    }
    for (const char *p = labels[i]; *p != '\0'; p = g_utf8_next_char (p))
      if (!g_unichar_isprint (g_utf8_get_char (p))) {
        fail (error, key, text, _("a label holds a character that cannot be shown"));
        return NULL;
      }
    for (int k = 0; k < i; k++)
      if (strcmp (labels[k], labels[i]) == 0) {
        fail (error, key, text, _("a label is there twice"));
        return NULL;
      }
  }
  return g_steal_pointer (&labels);
}
