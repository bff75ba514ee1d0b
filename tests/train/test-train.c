/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Training on faces that anybody can tell apart: it learns, the same seed gives the same file, a run that was stopped goes on to
 * the same file, and what is wrong with the data is said. */
#include <math.h>
#include <string.h>

#include "mien-test.h"
#include "train/mien-train-private.h"
#include "train/mien-trainer.h"

enum { N_TRAINING = 140, N_PUBLIC = 35, EPOCHS = 4 };

/* Stripes whose direction and width tell the label, with noise and a random phase. */
static MienDataset *
make_stripes (void)
{
  MienDataset *data = mien_dataset_new (48, N_TRAINING + N_PUBLIC);
  MienRandom random;

  mien_random_seed (&random, 7);
  for (int i = 0; i < data->n; i++) {
    const int label = i % 7;
    const double angle = G_PI * label / 7, pitch = 0.4 + 0.1 * (label % 3), phase = 6.28 * mien_random_uniform (&random);
    data->labels[i] = (guint8) label;
    data->splits[i] = i < N_TRAINING ? MIEN_SPLIT_TRAINING : MIEN_SPLIT_PUBLIC;
    for (int y = 0; y < 48; y++)
      for (int x = 0; x < 48; x++)
        data->pixels[((gsize) i * 48 + y) * 48 + x] =
          (guint8) (128 + 80 * sin (pitch * (x * cos (angle) + y * sin (angle)) + phase) + 20 * mien_random_normal (&random));
  }
  return data;
}

static MienRecipe
make_recipe (void)
{
  MienRecipe recipe = *mien_recipe_find ("quick");

  recipe.arch = "nano";
  recipe.epochs = EPOCHS;
  recipe.batch = 14;
  recipe.augment.flip = FALSE; /* a mirrored stripe is another label */
  recipe.augment.rotate_deg = 0;
  return recipe;
}

typedef struct {
  GCancellable *cancellable;
  int stop_after; /* epochs; 0: never */
  int n_epochs;
  double first_loss, last_loss, accuracy;
} Watch;

static void
watch_cb (const MienTrainProgress *progress, gpointer data)
{
  Watch *watch = data;

  if (!progress->epoch_done)
    return;
  watch->n_epochs++;
  if (progress->epoch == 1)
    watch->first_loss = progress->train_loss;
  watch->last_loss = progress->train_loss;
  watch->accuracy = MAX (watch->accuracy, progress->val_accuracy);
  if (progress->epoch == watch->stop_after)
    g_cancellable_cancel (watch->cancellable);
}

static Watch
run (MienDataset *data, const char *path, gboolean resume, int stop_after)
{
  const MienRecipe recipe = make_recipe ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  Watch watch = { cancellable, stop_after };
  g_autoptr (MienModel) model = mien_train (&recipe, data, path, resume, 2, watch_cb, &watch, cancellable, &error);

  g_assert_no_error (error);
  g_assert_nonnull (model);
  return watch;
}

static void
assert_same_file (const char *a, const char *b)
{
  g_autofree char *left = NULL, *right = NULL;
  gsize n_left, n_right;

  g_assert_true (g_file_get_contents (a, &left, &n_left, NULL));
  g_assert_true (g_file_get_contents (b, &right, &n_right, NULL));
  g_assert_cmpmem (left, n_left, right, n_right);
}

static void
test_learns_and_repeats (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *whole = g_build_filename (dir, "whole.onnx", NULL), *again = g_build_filename (dir, "again.onnx", NULL);
  g_autofree char *parts = g_build_filename (dir, "parts.onnx", NULL), *log = g_build_filename (dir, "parts.log.jsonl", NULL);
  g_autoptr (MienDataset) data = make_stripes ();
  g_autoptr (GError) error = NULL;
  g_autofree char *lines = NULL;

  const Watch first = run (data, whole, FALSE, 0);
  g_assert_cmpint (first.n_epochs, ==, EPOCHS);
  g_assert_cmpfloat (first.last_loss, <, 0.7 * first.first_loss);
  g_assert_cmpfloat (first.accuracy, >, 0.8); /* chance is 1 in 7 */

  run (data, again, FALSE, 0);
  assert_same_file (whole, again);

  g_assert_cmpint (run (data, parts, FALSE, 2).n_epochs, ==, 2);
  g_assert_cmpint (run (data, parts, TRUE, 0).n_epochs, ==, EPOCHS - 2);
  assert_same_file (whole, parts);
  g_assert_true (g_file_get_contents (log, &lines, NULL, &error));
  g_auto (GStrv) list = g_strsplit (g_strstrip (lines), "\n", -1);
  g_assert_cmpuint (g_strv_length (list), ==, EPOCHS);

  g_autoptr (MienModel) model = mien_model_load (whole, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (mien_model_get_label (model, 3), ==, "happy");
  g_assert_cmpint (mien_model_get_input_size (model), ==, 48);
  static const char *const card[] = { "mien.scores", "mien.scores.mirrored", "mien.recipe", "mien.recipe.settings", "mien.dataset", "mien.training",
                                      "mien.cost", "mien.calibration" };
  for (gsize i = 0; i < G_N_ELEMENTS (card); i++)
    g_assert_nonnull (mien_model_get_metadata (model, card[i]));
  g_assert_false (mien_model_is_guessed (model));
  mien_test_remove_dir (dir);
}

static void
test_resume_refuses (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "m.onnx", NULL), *checkpoint = g_build_filename (dir, "m.ckpt", NULL);
  g_autoptr (MienDataset) data = make_stripes ();
  MienRecipe recipe = make_recipe ();
  g_autoptr (GError) error = NULL;
  g_autofree char *contents = NULL;
  gsize n_bytes;

  recipe.epochs = 1;
  mien_model_unref (mien_train (&recipe, data, path, FALSE, 1, NULL, NULL, NULL, &error));
  g_assert_no_error (error);
  recipe.lr *= 2;
  g_assert_null (mien_train (&recipe, data, path, TRUE, 1, NULL, NULL, NULL, &error));
  g_assert_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_CHECKPOINT);
  g_assert_nonnull (strstr (error->message, "m.ckpt"));
  g_clear_error (&error);

  recipe.lr /= 2;
  g_assert_true (g_file_get_contents (checkpoint, &contents, &n_bytes, NULL));
  for (gsize cut = 0; cut < n_bytes; cut += n_bytes / 7) {
    g_assert_true (g_file_set_contents (checkpoint, contents, (gssize) cut, NULL));
    g_assert_null (mien_train (&recipe, data, path, TRUE, 1, NULL, NULL, NULL, &error));
    g_assert_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_CHECKPOINT);
    g_clear_error (&error);
  }
  mien_test_remove_dir (dir);
}

/* A run of one weight, as a checkpoint sees it. */
static MienRun *
make_bare_run (float first)
{
  const MienShape shape = mien_shape (1, 2);
  MienRun *run = g_new0 (MienRun, 1);

  run->recipe = make_recipe ();
  run->recipe.teachers = NULL;
  run->teachers = mien_distil_new (&run->recipe, NULL, NULL);
  run->data_hash = g_strdup ("none");
  run->net = g_new0 (MienNet, 1);
  run->use = g_new0 (MienNet, 1);
  run->net->graph = mien_graph_new ("train", 13);
  run->use->graph = mien_graph_new ("use", 13);
  MienTensor *weight = mien_tensor_new (MIEN_F32, &shape), *average = mien_tensor_new (MIEN_F32, &shape);
  mien_graph_add_parameter (run->net->graph, "w", weight);
  mien_graph_add_parameter (run->use->graph, "w", average);
  run->slots = g_new0 (MienOptimiserSlot, 1);
  run->n_slots = 1;
  run->slots[0] = (MienOptimiserSlot) { weight->data, average->data, g_new0 (float, 2), g_new0 (float, 2), NULL, 2, TRUE };
  for (int i = 0; i < 2; i++) {
    run->slots[0].weight[i] = first + i;
    run->slots[0].average[i] = first + 2 + i;
    run->slots[0].first[i] = first + 4 + i;
    run->slots[0].second[i] = first + 6 + i;
  }
  return run;
}

static void
free_bare_run (MienRun *run)
{
  mien_graph_unref (run->net->graph);
  mien_graph_unref (run->use->graph);
  g_clear_pointer (&run->net, g_free);
  g_clear_pointer (&run->use, g_free);
  mien_run_free (run);
}

/* Every number of a run's state comes back. */
static void
test_state (void)
{
  MienRun *run = make_bare_run (10), *other = make_bare_run (90);
  g_autoptr (GError) error = NULL;

  run->epoch = 7;
  run->step = G_GINT64_CONSTANT (5000000000);
  run->lr_scale = 0.3;
  run->cut_epoch = 5;
  run->n_rollbacks = 2;
  run->seconds = 12.5;
  run->best_epoch = 6;
  run->best.val_loss = 1.25;
  run->best.val_accuracy = 0.5;
  run->best.val_accuracy_clean = 0.25;
  g_autoptr (GBytes) state = mien_run_dup_state (run);
  g_assert_true (mien_run_set_state (other, state, "state", &error));
  g_assert_no_error (error);
  g_assert_cmpint (other->epoch, ==, 7);
  g_assert_cmpint (other->step, ==, run->step);
  g_assert_cmpfloat (other->lr_scale, ==, 0.3);
  g_assert_cmpint (other->cut_epoch, ==, 5);
  g_assert_cmpint (other->n_rollbacks, ==, 2);
  g_assert_cmpfloat (other->seconds, ==, 12.5);
  g_assert_cmpint (other->best_epoch, ==, 6);
  g_assert_cmpfloat (other->best.val_loss, ==, 1.25);
  g_assert_cmpfloat (other->best.val_accuracy, ==, 0.5);
  g_assert_cmpfloat (other->best.val_accuracy_clean, ==, 0.25);
  for (int i = 0; i < 2; i++) {
    g_assert_cmpfloat (other->slots[0].weight[i], ==, 10 + i);
    g_assert_cmpfloat (other->slots[0].average[i], ==, 12 + i);
    g_assert_cmpfloat (other->slots[0].first[i], ==, 14 + i);
    g_assert_cmpfloat (other->slots[0].second[i], ==, 16 + i);
  }
  free_bare_run (run);
  free_bare_run (other);
}

static void
expect_data_error (MienDataset *data, const char *word)
{
  const MienRecipe recipe = make_recipe ();
  g_autoptr (GError) error = NULL;

  g_assert_null (mien_train (&recipe, data, NULL, FALSE, 1, NULL, NULL, NULL, &error));
  g_assert_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_DATA);
  g_assert_nonnull (strstr (error->message, word));
}

static void
test_bad_data (void)
{
  g_autoptr (MienDataset) data = make_stripes ();

  for (int i = 0; i < data->n; i++)
    if (data->labels[i] == 1)
      data->labels[i] = 2;
  expect_data_error (data, "disgust");
  for (int i = 0; i < data->n; i++)
    data->splits[i] = MIEN_SPLIT_TRAINING;
  expect_data_error (data, "public");
  for (int i = 0; i < data->n; i++)
    data->splits[i] = i < 10 ? MIEN_SPLIT_TRAINING : MIEN_SPLIT_PUBLIC;
  expect_data_error (data, "10 training pictures");
}

/* One private picture among the data, and nothing is trained. */
static void
test_private_is_refused (void)
{
  g_autoptr (MienDataset) data = make_stripes ();

  data->splits[3] = MIEN_SPLIT_PRIVATE;
  expect_data_error (data, "private");
}

/* A learning rate out of all proportion: the loss leaves the numbers, the run says so; what was good before is still there. */
static void
test_diverges (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "m.onnx", NULL), *checkpoint = g_build_filename (dir, "m.ckpt", NULL);
  g_autofree char *before = NULL, *after = NULL;
  g_autoptr (MienDataset) data = make_stripes ();
  MienRecipe recipe = make_recipe ();
  g_autoptr (GError) error = NULL;
  gsize n_before, n_after;

  recipe.epochs = 1;
  mien_model_unref (mien_train (&recipe, data, path, FALSE, 1, NULL, NULL, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (checkpoint, &before, &n_before, NULL));

  recipe.lr = 1e30f;
  recipe.warmup_epochs = 0;
  recipe.rollbacks = 2; /* a quarter of too much is too much */
  g_assert_null (mien_train (&recipe, data, path, FALSE, 1, NULL, NULL, NULL, &error));
  g_assert_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_DIVERGED);
  g_assert_nonnull (strstr (error->message, "epoch 1"));
  g_assert_true (g_file_get_contents (checkpoint, &after, &n_after, NULL));
  g_assert_cmpmem (before, n_before, after, n_after);
  mien_test_remove_dir (dir);
}

static void
count_rollbacks_cb (const MienTrainProgress *progress, gpointer data)
{
  int *n_rollbacks = data;

  *n_rollbacks = progress->rollbacks;
}

/* The same halved until it is bearable, and the run ends with a network that answers. */
static void
test_rolls_back (void)
{
  g_autoptr (MienDataset) data = make_stripes ();
  MienRecipe recipe = make_recipe ();
  g_autoptr (GError) error = NULL;
  int n_rollbacks = 0;

  recipe.lr = 1e30f;
  recipe.warmup_epochs = 0;
  recipe.epochs = 1;
  recipe.rollbacks = 100;
  g_autoptr (MienModel) model = mien_train (&recipe, data, NULL, FALSE, 1, count_rollbacks_cb, &n_rollbacks, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (model);
  g_assert_cmpint (n_rollbacks, >, 3);
  g_assert_cmpint (n_rollbacks, <=, 100);
}

static MienModel *
train_with (const MienRecipe *recipe, MienDataset *data, const char *path, gboolean resume, int stop_after)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  Watch watch = { cancellable, stop_after };
  MienModel *model = mien_train (recipe, data, path, resume, 2, watch_cb, &watch, cancellable, &error);

  g_assert_no_error (error);
  g_assert_nonnull (model);
  if (stop_after == 0)
    g_assert_cmpfloat (watch.accuracy, >, 0.4); /* chance is 1 in 7 */
  return model;
}

/* Everything a recipe can ask for, at once: learns, and goes on to the same file after a stop. */
static void
test_all_settings (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *teacher = g_build_filename (dir, "teacher.onnx", NULL), *whole = g_build_filename (dir, "whole.onnx", NULL);
  g_autofree char *parts = g_build_filename (dir, "parts.onnx", NULL);
  const char *const teachers[] = { teacher, teacher, NULL };
  g_autoptr (MienDataset) data = make_stripes ();
  MienRecipe recipe = make_recipe ();

  mien_model_unref (train_with (&recipe, data, teacher, FALSE, 0));
  recipe.teachers = teachers;
  recipe.teacher_weight = 0.5f;
  recipe.teacher_temperature = 2;
  recipe.self_weight = 0.2f;
  recipe.parts = 2;
  recipe.teacher_parts = TRUE;
  recipe.arch = "small"; /* with residual blocks */
  recipe.optimiser = MIEN_OPTIMISER_ADAMW;
  recipe.lr = 0.003f;
  recipe.schedule = MIEN_SCHEDULE_PLATEAU;
  recipe.plateau_epochs = 1;
  recipe.rest_epochs = 1;
  recipe.swa_epochs = 1;
  recipe.swa_lr = 0.001f;
  recipe.settle = 1;
  recipe.sam = 0.05f;
  recipe.ema = 0.9f;
  recipe.keep_last = TRUE;
  recipe.class_balance = 0.5f;
  recipe.drop_path = 0.1f;
  recipe.mixup_alpha = 0.2f;
  recipe.cutmix = 0.2f;
  recipe.augment = (MienAugment) { .shift = 0.03f, .crop = 0.9f, .noise = 3, .erase = 0.2f, .erase_area = 0.1f };
  g_autoptr (MienModel) model = train_with (&recipe, data, whole, FALSE, 0);
  mien_model_unref (train_with (&recipe, data, parts, FALSE, 2));
  mien_model_unref (train_with (&recipe, data, parts, TRUE, 0));
  assert_same_file (whole, parts);

  recipe.start = whole;
  g_autofree char *further = g_build_filename (dir, "further.onnx", NULL);
  mien_model_unref (train_with (&recipe, data, further, FALSE, 2));
  g_autoptr (MienModel) last = train_with (&recipe, data, further, TRUE, 0);
  g_assert_true (g_str_has_prefix (mien_model_get_metadata (last, "mien.start"), "sha256 "));
  g_assert_null (mien_model_get_metadata (model, "mien.start"));
  g_assert_nonnull (strstr (mien_model_get_metadata (model, "mien.recipe.settings"), "optimiser=adamw"));
  g_assert_true (g_str_has_prefix (mien_model_get_metadata (model, "mien.teachers"), "2, sha256 "));
  g_autofree char *kept = g_strdup_printf ("epoch %d of %d, the last; ", recipe.epochs, recipe.epochs);
  g_assert_true (g_str_has_prefix (mien_model_get_metadata (model, "mien.training"), kept));
  mien_test_remove_dir (dir);
}

/* As if the pictures of the part were not there. */
static void
test_leaves_out (void)
{
  g_autoptr (MienDataset) data = make_stripes ();
  g_autofree guint8 *parts = g_new (guint8, data->n);
  MienRecipe recipe = make_recipe ();

  recipe.epochs = 2;
  g_autoptr (MienModel) whole = train_with (&recipe, data, NULL, FALSE, 2);
  recipe.parts = 3;
  recipe.leave_out = 2;
  g_autoptr (MienModel) model = train_with (&recipe, data, NULL, FALSE, 2);
  mien_dataset_part (data, 3, parts);
  for (int i = 0; i < data->n; i++)
    parts[i] = data->splits[i] != MIEN_SPLIT_TRAINING || parts[i] != 1;
  g_autoptr (MienDataset) rest = mien_dataset_pick (data, parts);
  recipe.parts = recipe.leave_out = 0;
  g_autoptr (MienModel) same = train_with (&recipe, rest, NULL, FALSE, 2);
  g_assert_cmpstr (mien_model_get_metadata (model, "mien.scores"), ==, mien_model_get_metadata (same, "mien.scores"));
  g_assert_cmpstr (mien_model_get_metadata (model, "mien.scores"), !=, mien_model_get_metadata (whole, "mien.scores"));
}

static void
test_bad_teacher (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "nobody.onnx", NULL);
  const char *const teachers[] = { path, NULL };
  g_autoptr (MienDataset) data = make_stripes ();
  MienRecipe recipe = make_recipe ();
  g_autoptr (GError) error = NULL;

  recipe.teachers = teachers;
  recipe.teacher_weight = 0.5f;
  g_assert_null (mien_train (&recipe, data, NULL, FALSE, 1, NULL, NULL, NULL, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_nonnull (strstr (error->message, "nobody.onnx"));
  mien_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/learns-and-repeats", test_learns_and_repeats);
  g_test_add_func ("/train/resume-refuses", test_resume_refuses);
  g_test_add_func ("/train/state", test_state);
  g_test_add_func ("/train/bad-data", test_bad_data);
  g_test_add_func ("/train/private-is-refused", test_private_is_refused);
  g_test_add_func ("/train/diverges", test_diverges);
  g_test_add_func ("/train/rolls-back", test_rolls_back);
  g_test_add_func ("/train/all-settings", test_all_settings);
  g_test_add_func ("/train/leaves-out", test_leaves_out);
  g_test_add_func ("/train/bad-teacher", test_bad_teacher);
  return g_test_run ();
}
