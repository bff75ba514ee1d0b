/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The training window: reading data, what a run shows, its ends, and closing. Mostly the
 * test says what the trainer would say; one test trains in earnest, on a few faces for one epoch. */
#include <math.h>

#include "charts/mien-line-chart.h"
#include "mien-test-model.h"
#include "mien-test.h"
#include "mien-ui-test.h"
#include "training/mien-training-data.h"
#include "training/mien-training-run.h"
#include "training/mien-training-window-private.h"

/* n faces of every expression for training and one for validation; a mark makes every row different. */
static char *
write_faces (const char *dir, int n)
{
  char *path = g_build_filename (dir, "faces.csv", NULL);
  GString *csv = g_string_new ("emotion,pixels,Usage\n");
  g_autoptr (GError) error = NULL;

  for (int label = 0; label < 7; label++) {
    for (int i = 0; i <= n; i++) {
      g_string_append_printf (csv, "%d,", label);
      for (int p = 0; p < 48 * 48; p++)
        g_string_append_printf (csv, "%s%d", p > 0 ? " " : "", (p * (label + 2) + 37 * i) % 256);
      g_string_append_printf (csv, ",%s\n", i < n ? "Training" : "PublicTest");
    }
  }
  g_file_set_contents (path, csv->str, (gssize) csv->len, &error);
  g_assert_no_error (error);
  g_string_free (csv, TRUE);
  return path;
}

static void
count_cb (int *count)
{
  (*count)++;
}

static void
test_time_left (void)
{
  static const struct {
    double seconds;
    const char *text;
  } cases[] = {
    { NAN, "Estimating the time left" },
    { -1, "Estimating the time left" },
    { 3, "Less than a minute left" },
    { 60, "About 1 minute left" },
    { 61 * 60, "About 61 minutes left" },
    { 100 * 60, "About 2 hours left" },
    { 10 * 3600, "About 10 hours left" },
  };

  for (int i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *text = mien_training_format_time_left (cases[i].seconds);
    g_assert_cmpstr (text, ==, cases[i].text);
  }
}

static void
test_shorten (void)
{
  g_autofree char *inside = g_build_filename (g_get_home_dir (), "a", "b.onnx", NULL);
  g_autofree char *beside = g_strconcat (g_get_home_dir (), "2/b.onnx", NULL);
  g_autofree char *a = mien_training_shorten_path (inside), *b = mien_training_shorten_path (beside);

  g_assert_cmpstr (a, ==, "~/a/b.onnx");
  g_assert_cmpstr (b, ==, beside);
}

static MienTrainProgress
make_progress (int epoch, int step, gboolean done, gboolean best)
{
  return (MienTrainProgress) {
    .epoch = epoch,
    .epochs = 4,
    .step = step,
    .steps = 100,
    .train_loss = 2. / epoch,
    .train_accuracy = .2 * epoch,
    .val_loss = done ? 2.5 / epoch : NAN,
    .val_accuracy = done ? .125 * epoch : NAN,
    .val_accuracy_clean = NAN,
    .seconds_left = 120,
    .epoch_done = done,
    .best = best,
  };
}

static void
test_run (void)
{
  GtkWidget *window = adw_window_new ();
  MienTrainingRun *run = g_object_new (MIEN_TYPE_TRAINING_RUN, NULL);
  MienLineData *accuracy;
  GListModel *rows;
  MienTrainProgress p;
  int n, epoch;

  g_object_add_weak_pointer (G_OBJECT (run), (gpointer *) &run);
  adw_window_set_content (ADW_WINDOW (window), GTK_WIDGET (run));
  gtk_window_present (GTK_WINDOW (window));
  accuracy = mien_line_chart_get_data (MIEN_LINE_CHART (mien_ui_find (GTK_WIDGET (run), MIEN_TYPE_LINE_CHART)));
  g_assert_true (isnan (mien_training_run_get_best (run, NULL)));

  p = make_progress (1, 3, FALSE, FALSE); /* too early for a point */
  mien_training_run_add (run, &p);
  mien_line_data_get_points (accuracy, 0, &n);
  g_assert_cmpint (n, ==, 0);
  mien_ui_wait (mien_ui_find_text (GTK_WIDGET (run), "Epoch 1 of 4 · About 2 minutes left") != NULL);
  p = make_progress (1, 50, FALSE, FALSE);
  mien_training_run_add (run, &p);
  mien_line_data_get_points (accuracy, 0, &n);
  g_assert_cmpint (n, ==, 1);
  p = make_progress (1, 100, TRUE, TRUE);
  mien_training_run_add (run, &p);
  p = make_progress (2, 100, TRUE, TRUE);
  mien_training_run_add (run, &p);
  p = make_progress (3, 100, TRUE, FALSE);
  p.val_accuracy = .125;
  mien_training_run_add (run, &p);
  mien_line_data_get_points (accuracy, 0, &n);
  g_assert_cmpint (n, ==, 3);
  mien_line_data_get_points (accuracy, 1, &n);
  g_assert_cmpint (n, ==, 3);
  g_assert_cmpfloat (mien_training_run_get_best (run, &epoch), ==, .25);
  g_assert_cmpint (epoch, ==, 2);
  mien_ui_wait (mien_ui_find_text (GTK_WIDGET (run), "Best so far: 25.0 % in epoch 2") != NULL);
  rows = G_LIST_MODEL (gtk_column_view_get_model (GTK_COLUMN_VIEW (mien_ui_find (GTK_WIDGET (run), GTK_TYPE_COLUMN_VIEW))));
  g_assert_cmpuint (g_list_model_get_n_items (rows), ==, 3);
  mien_ui_wait (mien_ui_find_text (GTK_WIDGET (run), "2 ★") != NULL);
  g_assert_null (mien_ui_find_text (GTK_WIDGET (run), "1 ★")); /* only the best one is marked */

  mien_training_run_reset (run);
  g_assert_cmpuint (g_list_model_get_n_items (rows), ==, 0);
  g_assert_true (isnan (mien_training_run_get_best (run, NULL)));

  /* A log: two epochs of three that it should have, a line that is none, one of before, one too many. */
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *model = g_build_filename (dir, "m.onnx", NULL), *log = g_build_filename (dir, "m.log.jsonl", NULL);
  g_assert_true (g_file_set_contents (log, "{\"epoch\":1,\"train_loss\":2,\"val_accuracy\":0.5,\"best\":true}\n[[\n"
                                           "{\"epoch\":2,\"train_loss\":1,\"val_accuracy\":0.625,\"best\":true}\n{\"epoch\":1}\n"
                                           "{\"epoch\":4,\"val_accuracy\":0.75,\"best\":true}\n", -1, NULL));
  mien_training_run_load (run, model, 3);
  g_assert_cmpuint (g_list_model_get_n_items (rows), ==, 2);
  g_assert_cmpfloat (mien_training_run_get_best (run, &epoch), ==, .625);
  g_assert_cmpint (epoch, ==, 2);
  mien_test_remove_dir (dir);
  gtk_window_destroy (GTK_WINDOW (window));
  mien_ui_wait (run == NULL);
}

static void
test_data (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *path = write_faces (dir, 2);
  g_autofree char *broken = g_build_filename (dir, "broken.csv", NULL);
  GtkWidget *window = adw_window_new ();
  MienTrainingData *data = g_object_new (MIEN_TYPE_TRAINING_DATA, NULL);
  int n_ready = 0, n_path = 0;

  g_object_add_weak_pointer (G_OBJECT (data), (gpointer *) &data);
  g_assert_true (g_file_set_contents (broken, "emotion,pixels,Usage\n9,1 2 3,Training\n", -1, NULL));
  adw_window_set_content (ADW_WINDOW (window), GTK_WIDGET (data));
  gtk_window_present (GTK_WINDOW (window));
  g_signal_connect_swapped (data, "notify::ready", G_CALLBACK (count_cb), &n_ready);
  g_signal_connect_swapped (data, "notify::path", G_CALLBACK (count_cb), &n_path);
  g_assert_false (mien_training_data_is_ready (data));

  g_object_set (data, "path", path, NULL);
  g_assert_true (mien_training_data_is_reading (data));
  mien_ui_wait (mien_training_data_is_ready (data));
  g_assert_cmpint (n_path, ==, 1);
  g_assert_cmpint (n_ready, ==, 1);
  mien_ui_wait (mien_ui_find_text (GTK_WIDGET (data), "14 Faces to Train on, 7 to Validate with") != NULL);

  /* What cannot be read: one sentence that names the file, and no start. */
  mien_training_data_set_path (data, broken);
  g_assert_false (mien_training_data_is_ready (data));
  mien_ui_wait (!mien_training_data_is_reading (data));
  g_assert_false (mien_training_data_is_ready (data));
  mien_ui_wait (mien_ui_find_text (GTK_WIDGET (data), "*broken.csv, line 2*") != NULL);

  /* The second choice counts, however fast the first one is read. */
  mien_training_data_set_path (data, broken);
  mien_training_data_set_path (data, path);
  mien_ui_wait (mien_training_data_is_ready (data));
  mien_ui_settle (50);
  g_assert_null (mien_ui_find_text (GTK_WIDGET (data), "*broken.csv*"));
  g_assert_null (mien_ui_find_text (GTK_WIDGET (data), "*cancelled*"));
  mien_training_data_set_path (data, NULL);
  g_assert_false (mien_training_data_is_ready (data));
  mien_training_data_set_path (data, path);
  gtk_window_destroy (GTK_WINDOW (window)); /* while reading */
  mien_ui_wait (data == NULL);
  mien_test_remove_dir (dir);
}

static void
trained_cb (MienTrainingWindow *window, const char *path, char **result)
{
  g_free (*result);
  *result = g_strdup (path);
}

static GtkWidget *
find_dialog (void)
{
  GListModel *windows = gtk_window_get_toplevels ();

  for (guint i = 0; i < g_list_model_get_n_items (windows); i++) {
    g_autoptr (GtkWidget) window = g_list_model_get_item (windows, i);
    if (ADW_IS_MESSAGE_DIALOG (window))
      return window;
  }
  return NULL;
}

static void
test_window (void)
{
  MienTrainingWindow *window = mien_training_window_new (NULL);
  GtkWidget *widget = GTK_WIDGET (window);
  MienTrainer *trainer = mien_training_window_get_trainer (window);
  g_autoptr (MienModel) model = mien_test_model ();
  g_autofree char *recipe = NULL, *trained = NULL;
  const MienTrainProgress p = make_progress (1, 100, TRUE, TRUE);

  g_object_add_weak_pointer (G_OBJECT (window), (gpointer *) &window);
  g_signal_connect (window, "model-trained", G_CALLBACK (trained_cb), &trained);
  gtk_window_present (GTK_WINDOW (window));
  g_assert_cmpint (mien_training_window_get_state (window), ==, MIEN_TRAINING_SETUP);
  g_object_get (window, "recipe", &recipe, NULL);
  g_assert_cmpstr (recipe, ==, mien_recipe_list ()[0]);
  g_object_set (window, "recipe", "no such recipe", NULL);
  mien_ui_wait (mien_ui_find_text (widget, "Start") != NULL);
  g_assert_false (gtk_widget_is_sensitive (mien_ui_find_text (widget, "Start"))); /* no data yet */

  /* It fails. */
  mien_training_window_enter_run (window, "/somewhere/a.onnx");
  g_assert_cmpint (mien_training_window_get_state (window), ==, MIEN_TRAINING_RUNNING);
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "*not a number*");
  g_signal_emit_by_name (trainer, "finished", NULL, "The loss is not a number any more; lower the learning rate.");
  g_test_assert_expected_messages ();
  g_assert_cmpint (mien_training_window_get_state (window), ==, MIEN_TRAINING_FAILED);
  mien_ui_wait (mien_ui_find_text (widget, "The loss is not a number any more; lower the learning rate.") != NULL);

  /* It is stopped before there is anything. */
  mien_training_window_enter_run (window, "/somewhere/b.onnx");
  g_signal_emit_by_name (trainer, "finished", NULL, NULL);
  g_assert_cmpint (mien_training_window_get_state (window), ==, MIEN_TRAINING_SETUP);

  /* Closing asks first, and going on goes on. */
  mien_training_window_enter_run (window, "/somewhere/c.onnx");
  g_signal_emit_by_name (trainer, "progress", &p);
  gtk_window_close (GTK_WINDOW (window));
  mien_ui_wait (find_dialog () != NULL);
  g_assert_nonnull (window);
  adw_message_dialog_response (ADW_MESSAGE_DIALOG (find_dialog ()), "continue");
  gtk_window_close (GTK_WINDOW (find_dialog ()));
  mien_ui_wait (find_dialog () == NULL);
  g_assert_cmpint (mien_training_window_get_state (window), ==, MIEN_TRAINING_RUNNING);

  /* It succeeds, and the model is used. */
  g_signal_emit_by_name (trainer, "finished", model, NULL);
  g_assert_cmpint (mien_training_window_get_state (window), ==, MIEN_TRAINING_DONE);
  mien_ui_wait (mien_ui_find_text (widget, "Reads 12.5 % of the Validation Faces Right") != NULL);
  mien_ui_wait (mien_ui_find_text (widget, "Use This Model") != NULL);
  mien_ui_press (widget, "Use This Model");
  g_assert_cmpstr (trained, ==, "/somewhere/c.onnx");
  mien_ui_wait (window == NULL);
}

/* From the data to a file that is a model, by the buttons a person presses. */
static void
test_train (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *path = write_faces (dir, 4);
  g_autofree char *trained = NULL;
  g_autoptr (MienModel) model = NULL;
  g_autoptr (GError) error = NULL;
  MienTrainingWindow *window = mien_training_window_new (NULL);
  GtkWidget *widget = GTK_WIDGET (window);
  GtkWidget *start;

  g_object_add_weak_pointer (G_OBJECT (window), (gpointer *) &window);
  g_signal_connect (window, "model-trained", G_CALLBACK (trained_cb), &trained);
  gtk_window_present (GTK_WINDOW (window));
  g_object_set (window, "data-path", path, NULL);
  gtk_spin_button_set_value (GTK_SPIN_BUTTON (mien_ui_find (widget, GTK_TYPE_SPIN_BUTTON)), 1); /* epochs */
  mien_ui_wait ((start = mien_ui_find_text (widget, "Start")) != NULL && gtk_widget_is_sensitive (start));
  mien_ui_press (widget, "Start");
  g_assert_cmpint (mien_training_window_get_state (window), ==, MIEN_TRAINING_RUNNING);
  g_assert_true (mien_trainer_is_running (mien_training_window_get_trainer (window)));
  mien_ui_wait (mien_training_window_get_state (window) == MIEN_TRAINING_DONE);
  mien_ui_wait (mien_ui_find_text (widget, "Use This Model") != NULL);
  mien_ui_press (widget, "Use This Model");
  mien_ui_wait (window == NULL);
  g_assert_nonnull (trained);
  model = mien_model_load (trained, &error);
  g_assert_no_error (error);
  g_assert_cmpint (mien_model_get_n_labels (model), ==, 7);
  mien_test_remove_dir (dir);
}

/* Epochs in the table, the newest of them first. */
static guint
count_epochs (GtkWidget *window)
{
  GtkColumnView *table = GTK_COLUMN_VIEW (mien_ui_find (window, GTK_TYPE_COLUMN_VIEW));

  return g_list_model_get_n_items (G_LIST_MODEL (gtk_column_view_get_model (table)));
}

static void
set_epochs (GtkWidget *window, double epochs)
{
  gtk_spin_button_set_value (GTK_SPIN_BUTTON (mien_ui_find (window, GTK_TYPE_SPIN_BUTTON)), epochs);
}

/* Waits for an epoch more than n, and stops. Returns the epochs there are then. */
static guint
stop_after (MienTrainingWindow *window, guint n)
{
  mien_ui_wait (count_epochs (GTK_WIDGET (window)) > n);
  mien_ui_wait (mien_ui_find_text (GTK_WIDGET (window), "Stop") != NULL);
  mien_ui_press (GTK_WIDGET (window), "Stop");
  mien_ui_wait (mien_training_window_get_state (window) == MIEN_TRAINING_DONE);
  n = count_epochs (GTK_WIDGET (window));
  g_autofree char *plain = g_strdup_printf ("%u", n), *best = g_strdup_printf ("%u ★", n);
  /* the newest bears the number of all: none is missing and none there twice */
  mien_ui_wait (mien_ui_find_text (GTK_WIDGET (window), plain) != NULL || mien_ui_find_text (GTK_WIDGET (window), best) != NULL);
  return n;
}

/* A training that was stopped goes on: from its result, and from the form of a window opened later. */
static void
test_continue (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *path = write_faces (dir, 4);
  g_autofree char *done = NULL;
  MienTrainingWindow *window = mien_training_window_new (NULL);
  GtkWidget *widget = GTK_WIDGET (window), *button;
  guint n;

  gtk_window_present (GTK_WINDOW (window));
  g_object_set (window, "data-path", path, NULL);
  set_epochs (widget, 900); /* never reached */
  mien_ui_wait ((button = mien_ui_find_text (widget, "Start")) != NULL && gtk_widget_is_sensitive (button));
  g_assert_null (mien_ui_find_text (widget, "Unfinished Training"));
  mien_ui_press (widget, "Start");
  n = stop_after (window, 0);
  g_assert_cmpuint (n, <, 900);
  mien_ui_wait (mien_ui_find_text (widget, "Continue Training") != NULL);
  mien_ui_press (widget, "Continue Training");
  g_assert_cmpint (mien_training_window_get_state (window), ==, MIEN_TRAINING_RUNNING);
  g_assert_cmpuint (count_epochs (widget), ==, n); /* what was there stays */
  n = stop_after (window, n);
  gtk_window_destroy (GTK_WINDOW (window));

  window = mien_training_window_new (NULL);
  widget = GTK_WIDGET (window);
  gtk_window_present (GTK_WINDOW (window));
  g_object_set (window, "data-path", path, NULL);
  set_epochs (widget, 899);
  mien_ui_wait ((button = mien_ui_find_text (widget, "Start")) != NULL && gtk_widget_is_sensitive (button));
  g_assert_null (mien_ui_find_text (widget, "Unfinished Training")); /* with other epochs it is another training */
  set_epochs (widget, 900);
  done = g_strdup_printf ("%u of 900 epochs are done*", n);
  mien_ui_wait (mien_ui_find_text (widget, done) != NULL);
  mien_ui_press (widget, "Continue");
  g_assert_cmpuint (count_epochs (widget), ==, n); /* the earlier ones, from the log */
  g_assert_cmpuint (stop_after (window, n), >, n);
  gtk_window_destroy (GTK_WINDOW (window));
  mien_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  g_autofree char *home = mien_test_make_dir ();
  int result;

  g_setenv ("XDG_DATA_HOME", home, TRUE); /* where models go unless told otherwise */
  mien_ui_init (&argc, &argv);
  g_test_add_func ("/training/time-left", test_time_left);
  g_test_add_func ("/training/shorten", test_shorten);
  g_test_add_func ("/training/run", test_run);
  g_test_add_func ("/training/data", test_data);
  g_test_add_func ("/training/window", test_window);
  g_test_add_func ("/training/train", test_train);
  g_test_add_func ("/training/continue", test_continue);
  result = g_test_run ();
  mien_test_remove_dir (home);
  return result;
}
