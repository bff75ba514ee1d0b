/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the commands share: options, messages, the progress bar, JSON. */
#include "mien-config.h"

#include "mien-cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/mien-cpu.h"

gboolean
mien_cli_parse (int *argc, char ***argv, const GOptionEntry *entries, const char *parameters, const char *summary, int *status)
{
  const char *command = (*argv)[0];
  g_autofree char *usage = g_strdup_printf ("%s - %s", parameters, summary);
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  gboolean help = FALSE;
  const GOptionEntry own[] = {
    { "help", 'h', 0, G_OPTION_ARG_NONE, &help, "This page", NULL },
    { NULL },
  };
  g_autofree char *name = g_strdup_printf ("mien-cli %s", command);

  g_option_context_set_help_enabled (context, FALSE); /* GLib's own would call exit() */
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_main_entries (context, own, NULL);
  if (!g_option_context_parse (context, argc, argv, &error)) {
    *status = mien_cli_usage (command, "%s", error->message);
    return FALSE;
  }
  if (help) {
    g_autoptr (GString) text = g_string_new (NULL);
    g_autofree char *options = g_option_context_get_help (context, FALSE, NULL);
    const char *list = strstr (options, "\n\n");

    g_string_append_printf (text, "Usage: %s [OPTION…] %s\n\n%s", name, parameters, summary);
    g_string_append (text, list != NULL ? list : "\n");
    fputs (text->str, stdout);
    *status = MIEN_CLI_DONE;
    return FALSE;
  }
  for (int i = 1; i < *argc; i++) { /* GOption leaves it behind in front of names that begin with "-" */
    if (g_str_equal ((*argv)[i], "--")) {
      memmove (*argv + i, *argv + i + 1, sizeof (char *) * (*argc - i));
      (*argc)--;
      break;
    }
  }
  return TRUE;
}

int
mien_cli_usage (const char *command, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_printerr ("mien-cli %s: %s. “mien-cli %s --help” tells more.\n", command, message, command);
  return MIEN_CLI_USAGE;
}

int
mien_cli_fail (GError *error)
{
  mien_cli_progress (-1, NULL);
  g_printerr ("mien-cli: %s\n", error->message);
  g_error_free (error);
  return MIEN_CLI_FAILED;
}

int
mien_cli_choose (const char *command, const char *option, const char *word, const char *const *words)
{
  g_autofree char *all = g_strjoinv (", ", (char **) words);

  if (word == NULL)
    return 0;
  for (int i = 0; words[i] != NULL; i++) {
    if (g_str_equal (words[i], word))
      return i;
  }
  mien_cli_usage (command, "%s must be one of %s, not “%s”", option, all, word);
  return -1;
}

MienModel *
mien_cli_load_model (const char *path, GError **error)
{
  return path != NULL ? mien_model_load (path, error) : mien_model_load_default (error);
}

gboolean
mien_cli_parse_cpu (const char *command, const char *word, MienCpuLevel *level)
{
  *level = mien_cpu_level ();
  if (word == NULL)
    return TRUE;
  if (!mien_cpu_level_parse (word, level)) {
    g_autoptr (GString) names = g_string_new (NULL);
    for (int i = 0; i < MIEN_CPU_N_LEVELS; i++)
      g_string_append_printf (names, "%s%s", i > 0 ? ", " : "", mien_cpu_level_name ((MienCpuLevel) i));
    mien_cli_usage (command, "--cpu must be one of %s, not “%s”", names->str, word);
    return FALSE;
  }
  if (*level > mien_cpu_detect ()) {
    mien_cli_usage (command, "This processor has no %s; its best level is %s", word, mien_cpu_level_name (mien_cpu_detect ()));
    return FALSE;
  }
  return TRUE;
}

void
mien_cli_progress (double fraction, gpointer what)
{
  static gboolean drawn;
  static gint64 last_us;
  const gint64 now_us = g_get_monotonic_time ();
  char bar[31];

  if (!isatty (STDERR_FILENO))
    return;
  if (fraction < 0 || fraction >= 1 || what == NULL) {
    if (drawn)
      fputs ("\r\033[K", stderr);
    drawn = FALSE;
    last_us = 0;
    return;
  }
  if (now_us - last_us < G_USEC_PER_SEC / 10)
    return;
  for (int i = 0; i < 30; i++)
    bar[i] = i < (int) (fraction * 30) ? '#' : '.';
  bar[30] = '\0';
  fprintf (stderr, "\r\033[K%s [%s] %.0f %%", (const char *) what, bar, fraction * 100);
  fflush (stderr);
  drawn = TRUE;
  last_us = now_us;
}

void
mien_cli_report_skipped (const MienDataset *data)
{
  g_auto (GStrv) lines = mien_dataset_dup_report (data);

  for (int i = 0; lines[i] != NULL; i++)
    g_printerr ("mien-cli: %s\n", lines[i]);
}

void
mien_json_string (GString *text, const char *value)
{
  g_autofree char *valid = g_utf8_make_valid (value, -1);

  g_string_append_c (text, '"');
  for (const char *p = valid; *p != '\0'; p++) {
    switch (*p) {
    case '"':
    case '\\':
      g_string_append_c (text, '\\');
      g_string_append_c (text, *p);
      break;
    case '\n':
      g_string_append (text, "\\n");
      break;
    case '\t':
      g_string_append (text, "\\t");
      break;
    default:
      if ((guchar) *p < 0x20 || *p == 0x7f)
        g_string_append_printf (text, "\\u%04x", *p);
      else
        g_string_append_c (text, *p);
    }
  }
  g_string_append_c (text, '"');
}

void
mien_json_number (GString *text, double value, int digits)
{
  char format[8];
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  if (!isfinite (value)) {
    g_string_append (text, "null");
    return;
  }
  g_snprintf (format, sizeof format, "%%.%dg", CLAMP (digits, 1, 17));
  g_string_append (text, g_ascii_formatd (number, sizeof number, format, value));
}

void
mien_json_key (GString *text, const char *key)
{
  const char last = text->len > 0 ? text->str[text->len - 1] : '{';

  if (last != '{' && last != '[')
    g_string_append_c (text, ',');
  mien_json_string (text, key);
  g_string_append_c (text, ':');
}

void
mien_cli_print_line (const char *text)
{
  mien_cli_progress (-1, NULL);
  fputs (text, stdout);
  fputc ('\n', stdout);
  fflush (stdout);
}
