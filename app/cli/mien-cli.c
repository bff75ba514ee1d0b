/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mien-cli: finds the command and runs it. */
#include "mien-config.h"

#include "mien-cli.h"

#include <locale.h>
#include <stdio.h>

static const struct {
  const char *name;
  int (*run) (int argc, char **argv);
  const char *summary;
} commands[] = {
  { "analyze", mien_cli_analyze, "faces and expressions in pictures and videos" },
  { "evaluate", mien_cli_evaluate, "a model's scores on a data set" },
  { "train", mien_cli_train, "a model from a data set" },
  { "run", mien_cli_run, "any ONNX model on NumPy files" },
  { "bench", mien_cli_bench, "how fast a model runs here" },
  { "convert", mien_cli_convert, "a Keras model to ONNX; labels and input of a model by others" },
  { "info", mien_cli_info, "layers, sizes and metadata of a model" },
};

static void
print_help (FILE *stream)
{
  fputs ("Usage: mien-cli COMMAND [OPTION…]\n\n"
         "Reads facial expressions in pictures and videos, and trains and measures the networks that do it.\n\n"
         "Commands:\n",
         stream);
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    fprintf (stream, "  %-10s %s\n", commands[i].name, commands[i].summary);
  fputs ("\nOptions:\n"
         "  --help     this page; “mien-cli COMMAND --help” tells about a command\n"
         "  --version  the program's version\n\n"
         "Results go to standard output, messages to standard error. Exit status: 0 done, 1 the work failed, 2 wrong usage.\n",
         stream);
}

/* A full disk or a closed pipe must not look like success. */
static int
finish (int status)
{
  if (fflush (stdout) != 0 || ferror (stdout)) {
    g_printerr ("mien-cli: the output could not be written: %s\n", g_strerror (errno));
    return MIEN_CLI_FAILED;
  }
  return status;
}

int
main (int argc, char **argv)
{
  /* What people read follows their language; numbers are for programs. */
  setlocale (LC_ALL, "");
  setlocale (LC_NUMERIC, "C");
  g_set_prgname ("mien-cli");

  if (argc < 2) {
    print_help (stderr);
    return MIEN_CLI_USAGE;
  }
  if (g_str_equal (argv[1], "--help") || g_str_equal (argv[1], "-h") || g_str_equal (argv[1], "help")) {
    print_help (stdout);
    return finish (MIEN_CLI_DONE);
  }
  if (g_str_equal (argv[1], "--version")) {
    printf ("mien-cli %s\n", MIEN_VERSION);
    return finish (MIEN_CLI_DONE);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++) {
    if (g_str_equal (argv[1], commands[i].name))
      return finish (commands[i].run (argc - 1, argv + 1));
  }
  g_printerr ("mien-cli: there is no command “%s”. “mien-cli --help” lists the commands.\n", argv[1]);
  return MIEN_CLI_USAGE;
}
