/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mien-cli train: a model from a data set. */
#include "mien-config.h"

#include "mien-cli.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "train/mien-arch.h"
#include "train/mien-trainer.h"

typedef struct {
  GCancellable *cancellable;
  double best_accuracy;
  int best_epoch;
  int rollbacks;
} Run;

static volatile sig_atomic_t interrupted;

/* The first Ctrl+C ends the training with the best model so far; a second one ends the program. */
static void
interrupted_cb (int number)
{
  interrupted = 1;
  signal (number, SIG_DFL);
}

static void
watch_signals (void)
{
  struct sigaction action = { .sa_handler = interrupted_cb, .sa_flags = SA_RESTART };

  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
}

static void
loaded_cb (double fraction, gpointer data)
{
  Run *run = data;

  if (interrupted)
    g_cancellable_cancel (run->cancellable);
  mien_cli_progress (fraction, (gpointer) "Reading");
}

static char *
format_epoch (const MienTrainProgress *p)
{
  GString *text = g_string_new ("{");
  const struct {
    const char *key;
    double value;
  } numbers[] = {
    { "train_loss", p->train_loss }, { "train_accuracy", p->train_accuracy }, { "val_loss", p->val_loss },
    { "val_accuracy", p->val_accuracy }, { "val_accuracy_clean", p->val_accuracy_clean }, { "lr", p->lr },
    { "images_per_s", p->images_per_s }, { "seconds", p->seconds },
  };

  g_string_append_printf (text, "\"epoch\":%d,\"epochs\":%d", p->epoch, p->epochs);
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++) {
    mien_json_key (text, numbers[i].key);
    mien_json_number (text, numbers[i].value, 6);
  }
  g_string_append_printf (text, ",\"best\":%s}", p->best ? "true" : "false");
  return g_string_free (text, FALSE);
}

static void
progress_cb (const MienTrainProgress *p, gpointer data)
{
  Run *run = data;

  if (interrupted && !g_cancellable_is_cancelled (run->cancellable)) {
    mien_cli_progress (-1, NULL);
    g_printerr ("mien-cli: stopping; the best model so far is kept\n");
    g_cancellable_cancel (run->cancellable);
  }
  if (p->rollbacks > run->rollbacks) {
    mien_cli_progress (-1, NULL);
    g_printerr ("mien-cli: the loss was not a number any more in epoch %d; going on from the epoch before with half the learning rate\n", p->epoch);
    run->rollbacks = p->rollbacks;
  }
  if (p->epoch_done) {
    g_autofree char *line = format_epoch (p);

    if (p->best) {
      run->best_accuracy = p->val_accuracy;
      run->best_epoch = p->epoch;
    }
    mien_cli_print_line (line);
  } else if (isatty (STDERR_FILENO)) {
    const double done = (p->epoch - 1 + (p->steps > 0 ? (double) p->step / p->steps : 0)) / MAX (1, p->epochs);
    const int left = isfinite (p->seconds_left) ? (int) MAX (0, p->seconds_left) : 0;
    g_autofree char *what = g_strdup_printf ("Epoch %d of %d, loss %.3f, %d:%02d left", p->epoch, p->epochs, p->train_loss,
                                             left / 60, left % 60);

    mien_cli_progress (MIN (done, 0.999), what);
  }
}

static char *
list_recipes (void)
{
  GString *text = g_string_new ("Trains a network; the best epoch by the public split is written, or the last one where the recipe keeps that. Recipes:\n");

  for (const char *const *name = mien_recipe_list (); *name != NULL; name++) {
    const MienRecipe *recipe = mien_recipe_find (*name);

    g_string_append_printf (text, "  %-12s %s\n", *name, recipe->summary);
  }
  g_string_append (text, "Ctrl+C stops and keeps the best model so far; --resume goes on from there.");
  return g_string_free (text, FALSE);
}

static int
print_list (void)
{
  GString *text = g_string_new (NULL);

  g_string_append_printf (text, "%-12s %14s %12s  %s\n", "architecture", "multiply-adds", "parameters", "what it is");
  for (const char *const *name = mien_arch_list (); *name != NULL; name++) {
    const MienArch *arch = mien_arch_find (*name);
    const MienArchCost cost = mien_arch_cost (arch);

    g_string_append_printf (text, "%-12s %14" G_GINT64_FORMAT " %12" G_GINT64_FORMAT "  %s\n", *name, cost.macs, cost.params, arch->summary);
  }
  g_string_append_printf (text, "\n%-12s %-14s %12s  %s\n", "recipe", "architecture", "epochs", "what it gives");
  for (const char *const *name = mien_recipe_list (); *name != NULL; name++) {
    const MienRecipe *recipe = mien_recipe_find (*name);

    g_string_append_printf (text, "%-12s %-14s %12d  %s\n", *name, recipe->arch, recipe->epochs, recipe->summary);
  }
  g_string_append (text, "\nsettings (--set NAME=VALUE changes one)\n");
  for (const char *const *name = mien_recipe_list (); *name != NULL; name++) {
    g_autofree char *settings = mien_recipe_describe (mien_recipe_find (*name));

    g_string_append_printf (text, "%-12s %s\n", *name, settings);
  }
  g_string_truncate (text, text->len - 1);
  g_autofree char *lines = g_string_free (text, FALSE);
  mien_cli_print_line (lines);
  return MIEN_CLI_DONE;
}

static int
train (const MienRecipe *recipe, const char *data_path, const char *out_path, gboolean resume, int n_threads)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (MienDataset) data = NULL;
  g_autoptr (MienModel) model = NULL;
  Run run = { cancellable, NAN, 0, 0 };
  GError *error = NULL;

  watch_signals ();
  data = mien_dataset_load (data_path, (1u << MIEN_SPLIT_TRAINING) | (1u << MIEN_SPLIT_PUBLIC), loaded_cb, &run, cancellable, &error);
  if (data == NULL)
    return mien_cli_fail (error);
  mien_cli_progress (-1, NULL);
  mien_cli_report_skipped (data);

  model = mien_train (recipe, data, out_path, resume, n_threads, progress_cb, &run, cancellable, &error);
  if (model == NULL)
    return mien_cli_fail (error);
  mien_cli_progress (-1, NULL);
  if (run.best_epoch > 0)
    g_printerr ("mien-cli: %s is written: %.2f %% right on the public split, in epoch %d\n", out_path, 100 * run.best_accuracy, run.best_epoch);
  else
    g_printerr ("mien-cli: %s is written\n", out_path);
  return MIEN_CLI_DONE;
}

int
mien_cli_train (int argc, char **argv)
{
  g_autofree char *data_path = NULL;
  g_autofree char *recipe_name = NULL;
  g_autofree char *arch = NULL;
  g_autofree char *out_path = NULL;
  g_auto (GStrv) changes = NULL;
  g_auto (GStrv) teachers = NULL;
  g_autofree char *start = NULL;
  g_autofree char *summary = list_recipes ();
  gint64 seed = -1;
  double lr = NAN;
  int epochs = -1;
  int batch = -1;
  int n_threads = 0;
  gboolean resume = FALSE;
  gboolean list = FALSE;
  const GOptionEntry entries[] = {
    { "list", 0, 0, G_OPTION_ARG_NONE, &list, "Show architectures and recipes, and what they cost", NULL },
    { "data", 0, 0, G_OPTION_ARG_FILENAME, &data_path, "FER2013 (CSV, .gz, .zip, .tar.gz) or a folder of pictures by class", "PATH" },
    { "recipe", 0, 0, G_OPTION_ARG_STRING, &recipe_name, "Architecture and all settings by one name", "NAME" },
    { "arch", 0, 0, G_OPTION_ARG_STRING, &arch, "The architecture, instead of the recipe's", "NAME" },
    { "epochs", 0, 0, G_OPTION_ARG_INT, &epochs, "Times through the data, instead of the recipe's", "N" },
    { "batch", 0, 0, G_OPTION_ARG_INT, &batch, "Faces a step, instead of the recipe's", "N" },
    { "lr", 0, 0, G_OPTION_ARG_DOUBLE, &lr, "Largest learning rate, instead of the recipe's", "X" },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &seed, "Where the random numbers begin, instead of the recipe's", "N" },
    { "set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &changes, "Another setting of the recipe; may be repeated, --list names them", "NAME=VALUE" },
    { "teacher", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &teachers, "A model whose answers are learnt along with the labels; may be repeated", "FILE" },
    { "start", 0, 0, G_OPTION_ARG_FILENAME, &start, "A model to go on with, instead of random weights; layers that do not fit stay random", "FILE" },
    { "threads", 0, 0, G_OPTION_ARG_INT, &n_threads, "Threads; default: one a processor", "N" },
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &out_path, "The model to write; M.log.jsonl and M.ckpt lie beside it", "M.onnx" },
    { "resume", 0, 0, G_OPTION_ARG_NONE, &resume, "Go on where a run to the same --out stopped", NULL },
    { NULL },
  };
  const MienRecipe *found;
  MienRecipe recipe;
  int status = MIEN_CLI_DONE;

  if (!mien_cli_parse (&argc, &argv, entries, "--data PATH --recipe NAME --out M.onnx", summary, &status))
    return status;
  if (argc > 1)
    return mien_cli_usage ("train", "what is “%s”? The data are named by --data, the model by --out", argv[1]);
  if (list)
    return print_list ();
  if (data_path == NULL)
    return mien_cli_usage ("train", "--data is missing: FER2013 or a folder of pictures by class");
  if (out_path == NULL)
    return mien_cli_usage ("train", "--out is missing: the model to write");
  if (recipe_name == NULL && arch == NULL)
    return mien_cli_usage ("train", "--recipe or --arch is missing");

  if (arch != NULL && mien_arch_find (arch) == NULL) {
    g_autofree char *all = g_strjoinv (", ", (char **) mien_arch_list ());

    return mien_cli_usage ("train", "--arch must be one of %s, not “%s”", all, arch);
  }
  found = mien_recipe_find (recipe_name != NULL ? recipe_name : arch);
  if (found == NULL) {
    g_autofree char *all = g_strjoinv (", ", (char **) mien_recipe_list ());

    return mien_cli_usage ("train", "--recipe must be one of %s, not “%s”", all, recipe_name);
  }
  recipe = *found;
  if (arch != NULL && !g_str_equal (arch, recipe.arch)) {
    recipe.arch = arch;
    recipe.start = NULL; /* of the recipe's own network */
  }
  if (epochs != -1)
    recipe.epochs = epochs;
  if (batch != -1)
    recipe.batch = batch;
  if (!isnan (lr))
    recipe.lr = (float) lr;
  if (seed != -1)
    recipe.seed = (guint64) seed;
  if (teachers != NULL)
    recipe.teachers = (const char *const *) teachers;
  if (start != NULL)
    recipe.start = start;
  for (char **change = changes; change != NULL && *change != NULL; change++) {
    g_autoptr (GError) error = NULL;

    if (!mien_recipe_set (&recipe, *change, &error))
      return mien_cli_usage ("train", "%s", error->message);
  }
  if (recipe.epochs < 1 || recipe.epochs > 100000)
    return mien_cli_usage ("train", "--epochs takes 1 to 100000, not %d", recipe.epochs);
  if (recipe.batch < 2 || recipe.batch > 8192)
    return mien_cli_usage ("train", "--batch takes 2 to 8192, not %d", recipe.batch);
  if (!isnan (lr) && !(lr > 0 && lr <= 100))
    return mien_cli_usage ("train", "--lr takes more than 0 up to 100");
  if (n_threads < 0 || n_threads > 256)
    return mien_cli_usage ("train", "--threads takes 1 to 256, or 0 for all, not %d", n_threads);
  return train (&recipe, data_path, out_path, resume, n_threads);
}
