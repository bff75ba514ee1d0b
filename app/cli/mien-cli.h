/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The terminal program: one file a command, and what the commands share.
 *
 * Output   machine-readable on stdout, with '.' as the decimal mark in every locale; messages on stderr; a progress bar
 *          on stderr when that is a terminal
 * Exit     0 done, 1 the work failed, 2 wrong usage
 * A new command is a file mien-cli-<name>.c, a line in the table of mien-cli.c and one in meson.build. */
#pragma once

#include <gio/gio.h>

#include "data/mien-dataset.h"
#include "model/mien-model.h"

G_BEGIN_DECLS

enum {
  MIEN_CLI_DONE = 0,
  MIEN_CLI_FAILED = 1,
  MIEN_CLI_USAGE = 2,
};

/* argv[0] is the command's name. Each returns the exit status. */
int mien_cli_analyze (int argc, char **argv);
int mien_cli_bench (int argc, char **argv);
int mien_cli_convert (int argc, char **argv);
int mien_cli_evaluate (int argc, char **argv);
int mien_cli_info (int argc, char **argv);
int mien_cli_run (int argc, char **argv);
int mien_cli_train (int argc, char **argv);

/* Parses the options of a command and removes them from argv. After --help or a mistake FALSE, and *status is the exit
 * status; the message is printed. parameters: "FILE…"; summary: what the command does. */
gboolean mien_cli_parse (int *argc, char ***argv, const GOptionEntry *entries, const char *parameters, const char *summary,
                         int *status);

/* Prints "mien-cli COMMAND: message" and where help is; returns MIEN_CLI_USAGE. */
int mien_cli_usage (const char *command, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Prints the error, frees it and returns MIEN_CLI_FAILED. error: (transfer full) */
int mien_cli_fail (GError *error);

/* One of the words (NULL-terminated) or a message about usage; word NULL gives the first. Returns the index, -1 when wrong. */
int mien_cli_choose (const char *command, const char *option, const char *word, const char *const *words);

/* The model named, or the one that the program ships. */
MienModel *mien_cli_load_model (const char *path, GError **error);

/* --cpu: a level that this processor has; NULL is the best one. FALSE after a message about usage. */
gboolean mien_cli_parse_cpu (const char *command, const char *word, MienCpuLevel *level);

/* Draws, redraws and at fraction 1 or less than 0 removes a progress bar; does nothing when stderr is no terminal.
 * A MienProgressFn with what is being done, a string, as data. */
void mien_cli_progress (double fraction, gpointer what);

/* Says on stderr what a data set left out, a line for each reason. */
void mien_cli_report_skipped (const MienDataset *data);

/* JSON on one line, appended to text. Numbers that JSON cannot write (NAN, infinity) become null. */
void mien_json_string (GString *text, const char *value);          /* quoted; bytes that are not UTF-8 are replaced */
void mien_json_number (GString *text, double value, int digits);   /* significant digits */
void mien_json_key (GString *text, const char *key);               /* a comma where one is due, the key, a colon */

/* Writes text and a line end to stdout. */
void mien_cli_print_line (const char *text);

/* The model's card in words, as far as its metadata have one, and whether a key of the metadata is told there. */
void mien_cli_append_card (GString *text, const MienModel *model);
gboolean mien_cli_card_has (const char *key);

G_END_DECLS
