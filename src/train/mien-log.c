/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The log of a run: OUT.log.jsonl, one object an epoch. */
#include "mien-config.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "nn/mien-file.h"
#include "train/mien-train-private.h"

char *
mien_run_path (const char *out_path, const char *suffix)
{
  g_autofree char *stem = g_str_has_suffix (out_path, ".onnx") ? g_strndup (out_path, strlen (out_path) - 5) : g_strdup (out_path);

  return g_strconcat (stem, suffix, NULL);
}

static gboolean
fail (const char *path, GError **error)
{
  const int code = errno;
  g_autofree char *shown = mien_file_shown_name (path);

  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (code), _("%s: cannot be written: %s"), shown, g_strerror (code));
  return FALSE;
}

gboolean
mien_run_append_log (const char *out_path, const MienTrainProgress *p, GError **error)
{
  const double numbers[] = { p->train_loss, p->train_accuracy, p->val_loss, p->val_accuracy, p->val_accuracy_clean, p->lr, p->images_per_s, p->seconds };
  const char *const names[] = { "train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_accuracy_clean", "lr", "images_per_s", "seconds" };
  g_autofree char *path = mien_run_path (out_path, ".log.jsonl");
  g_autoptr (GString) line = g_string_new (NULL);
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  FILE *file = g_fopen (path, "a");

  g_string_append_printf (line, "{\"epoch\":%d", p->epoch);
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    g_string_append_printf (line, ",\"%s\":%s", names[i], g_ascii_formatd (text, sizeof text, "%.6g", numbers[i]));
  g_string_append_printf (line, ",\"best\":%s}\n", p->best ? "true" : "false");
  const gboolean ok = file != NULL && fputs (line->str, file) >= 0;
  if (file == NULL || fclose (file) != 0 || !ok)
    return fail (path, error);
  return TRUE;
}

gboolean
mien_run_cut_log (const char *out_path, int n_epochs, GError **error)
{
  g_autofree char *path = mien_run_path (out_path, ".log.jsonl"), *contents = NULL;

  if (n_epochs == 0)
    return g_unlink (path) == 0 || errno == ENOENT || fail (path, error);
  if (!g_file_get_contents (path, &contents, NULL, NULL))
    return TRUE; /* somebody took it away: it begins anew */
  char *end = contents;
  for (int i = 0; i < n_epochs; i++) {
    char *newline = strchr (end, '\n');
    if (newline == NULL)
      break;
    end = newline + 1;
  }
  if (*end == '\0')
    return TRUE;
  *end = '\0';
  return g_file_set_contents (path, contents, -1, error);
}
