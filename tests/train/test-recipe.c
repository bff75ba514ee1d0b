/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What recipes are made of, each against its formula worked out here: settings by name, learning rates, optimiser steps, batches and
 * their targets, temperature. */
#include <math.h>
#include <string.h>

#include "mien-test.h"
#include "model/mien-model.h"
#include "train/mien-batch.h"
#include "train/mien-calibrate.h"
#include "train/mien-metrics.h"
#include "train/mien-optimiser.h"
#include "train/mien-schedule.h"

static void
test_settings (void)
{
  MienRecipe recipe = *mien_recipe_find ("small"), other;
  g_autoptr (GError) error = NULL;

  g_assert_true (mien_recipe_set (&recipe, "dropout=0.125", &error));
  g_assert_cmpfloat (recipe.dropout, ==, 0.125f);
  g_assert_true (mien_recipe_set (&recipe, "schedule=plateau", &error));
  g_assert_cmpint (recipe.schedule, ==, MIEN_SCHEDULE_PLATEAU);
  g_assert_true (mien_recipe_set (&recipe, "optimiser=adamw", &error));
  g_assert_cmpint (recipe.optimiser, ==, MIEN_OPTIMISER_ADAMW);
  g_assert_true (mien_recipe_set (&recipe, "seed=9007199254740993", &error)); /* no double holds it */
  g_assert_cmpuint (recipe.seed, ==, G_GUINT64_CONSTANT (9007199254740993));
  g_assert_true (mien_recipe_set (&recipe, "rotate=30", &error));
  g_assert_cmpfloat (recipe.augment.rotate_deg, ==, 30);

  static const char *const wrong[] = { "", "dropout", "dropout=", "dropout=1", "dropout=nan", "dropout=0.1x", "epochs=1.5", "epochs=0", "flip=2",
                                       "schedule=fast", "seed=-1", "taste=sweet", "batch=1e99" };
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++) {
    other = recipe;
    g_assert_false (mien_recipe_set (&other, wrong[i], &error));
    g_assert_error (error, MIEN_RECIPE_ERROR, MIEN_RECIPE_ERROR_SETTING);
    g_assert_cmpmem (&other, sizeof other, &recipe, sizeof recipe);
    g_clear_error (&error);
  }
  g_assert_true (mien_recipe_check (&recipe, &error));
  recipe.dropout = 1;
  g_assert_false (mien_recipe_check (&recipe, &error));
  g_assert_nonnull (strstr (error->message, "dropout"));
}

/* A description, set word by word, makes the same recipe of an empty one; teachers are files and stand apart. */
static void
test_description (void)
{
  for (const char *const *name = mien_recipe_list (); *name != NULL; name++) {
    const MienRecipe *recipe = mien_recipe_find (*name);
    MienRecipe again = { .name = recipe->name, .summary = recipe->summary, .arch = recipe->arch, .start = recipe->start, .teachers = recipe->teachers };
    g_autofree char *text = mien_recipe_describe (recipe);
    g_auto (GStrv) words = g_strsplit (text, " ", -1);
    g_autoptr (GError) error = NULL;
    for (int i = 1; words[i] != NULL; i++) {
      g_assert_true (mien_recipe_set (&again, words[i], &error));
      g_assert_no_error (error);
    }
    g_assert_true (mien_recipe_check (recipe, &error));
    g_assert_no_error (error);
    g_assert_cmpmem (&again, sizeof again, recipe, sizeof again);
  }
}

/* A recipe's teachers come with the program. */
static void
test_teachers (void)
{
  int n = 0;

  for (const char *const *name = mien_recipe_list (); *name != NULL; name++) {
    const char *const *teachers = mien_recipe_find (*name)->teachers;
    for (int i = 0; teachers != NULL && teachers[i] != NULL; i++, n++) {
      g_autofree char *path = mien_model_find (teachers[i]);
      if (!g_file_test (path, G_FILE_TEST_IS_REGULAR))
        g_error ("recipe %s: there is no teacher %s", *name, teachers[i]);
    }
  }
  g_assert_cmpint (n, >, 0);
}

static void
test_schedules (void)
{
  const int n = 10; /* steps an epoch */
  MienRecipe recipe = { .epochs = 10, .lr = 0.8f, .warmup_epochs = 2, .rest_epochs = 1, .cycle_growth = 2 };

  for (int step = 0; step < 20; step++) /* a straight line up to the top */
    g_assert_cmpfloat_with_epsilon (mien_schedule_lr (&recipe, step, n), 0.8 * (step + 1) / 20, 1e-7);
  g_assert_cmpfloat_with_epsilon (mien_schedule_lr (&recipe, 20, n), 0.8, 1e-7);
  g_assert_cmpfloat_with_epsilon (mien_schedule_lr (&recipe, 55, n), 0.4, 1e-7);                        /* half of 70 steps */
  g_assert_cmpfloat_with_epsilon (mien_schedule_lr (&recipe, 20 + 17, n), 0.8 * pow (cos (G_PI / 2 * 17 / 70), 2), 1e-6);
  g_assert_cmpfloat (mien_schedule_lr (&recipe, 89, n), >, 0);
  for (int step = 90; step < 100; step++)
    g_assert_cmpfloat (mien_schedule_lr (&recipe, step, n), ==, 0);

  recipe.schedule = MIEN_SCHEDULE_RESTARTS;
  recipe.cycle_epochs = 1; /* cycles of 10, 20 and 40 steps from step 20 on */
  for (int start = 20, length = 10; start < 90; start += length, length *= 2) {
    g_assert_cmpfloat_with_epsilon (mien_schedule_lr (&recipe, start, n), 0.8, 1e-7);
    g_assert_cmpfloat_with_epsilon (mien_schedule_lr (&recipe, start + length / 2, n), 0.4, 1e-7);
    g_assert_cmpfloat_with_epsilon (mien_schedule_lr (&recipe, start + length - 1, n), 0.4 * (1 - cos (G_PI / length)), 1e-7);
  }

  recipe.schedule = MIEN_SCHEDULE_PLATEAU;
  recipe.plateau_epochs = 3;
  g_assert_cmpfloat_with_epsilon (mien_schedule_lr (&recipe, 70, n), 0.8, 1e-7);
  g_assert_false (mien_schedule_cuts (&recipe, 6, 4, 0));
  g_assert_true (mien_schedule_cuts (&recipe, 7, 4, 0));
  g_assert_false (mien_schedule_cuts (&recipe, 8, 4, 7)); /* the lower rate gets its time */
  g_assert_true (mien_schedule_cuts (&recipe, 10, 4, 7));
  recipe.schedule = MIEN_SCHEDULE_COSINE;
  g_assert_false (mien_schedule_cuts (&recipe, 7, 4, 0));
}

/* From the beginning of averaging on, a window of 50 steps grows by one a step: then each weight counts evenly. */
static void
test_averaging (void)
{
  const int n = 10;
  const MienRecipe recipe = { .epochs = 30, .lr = 0.8f, .ema = 0.98f, .warmup_epochs = 1, .swa_epochs = 15, .swa_lr = 0.2f, .rest_epochs = 5 };
  double share[150] = { 0 }; /* of the weights of each step of averaging */

  g_assert_cmpfloat_with_epsilon (mien_schedule_lr (&recipe, 10, n), 0.8, 1e-6);
  g_assert_cmpfloat_with_epsilon (mien_schedule_lr (&recipe, 55, n), 0.5, 1e-6); /* half way down */
  for (int step = 100; step < 250; step++)
    g_assert_cmpfloat_with_epsilon (mien_schedule_lr (&recipe, step, n), 0.2, 1e-7);
  g_assert_cmpfloat (mien_schedule_lr (&recipe, 250, n), ==, 0);

  g_assert_cmpfloat_with_epsilon (mien_schedule_ema (&recipe, 0, n), 0.1, 1e-6);
  g_assert_cmpfloat_with_epsilon (mien_schedule_ema (&recipe, 35, n), 36 / 45.0, 1e-6);
  double before = 1;
  for (int step = 100; step < 250; step++) {
    const double ema = mien_schedule_ema (&recipe, step, n), early = (1 + step) / (10.0 + step), window = 1 / (1 - MIN (early, 0.98));
    g_assert_cmpfloat_with_epsilon (ema, 1 - 1 / (window + step - 100), 1e-5);
    before *= ema;
    for (int i = 0; i < step - 100; i++)
      share[i] *= ema;
    share[step - 100] = 1 - ema;
  }
  g_assert_cmpfloat (before, <, 0.2);
  for (int i = 101; i < 149; i++) /* the early pace has an end at step 441, so these differ by its change alone */
    g_assert_cmpfloat_with_epsilon (share[i] / share[i + 1], 1, 0.02);
}

enum { N_SMALL = 5, N_LARGE = 40001, N_STEPS = 20 };

typedef struct {
  float weight[N_LARGE], average[N_LARGE], first[N_LARGE], second[N_LARGE], grad[N_LARGE];
} Arrays;

/* Algorithms 1 and 2 of the papers in double precision, parameter by parameter. */
static void
test_optimisers (gconstpointer data)
{
  const MienOptimiser kind = GPOINTER_TO_INT (data);
  g_autofree Arrays *small = g_new0 (Arrays, 1), *large = g_new0 (Arrays, 1);
  g_autofree double *want = g_new (double, 4 * N_LARGE); /* weight, average, first, second */
  MienThreads *threads = mien_threads_new (3);
  const MienOptimiserSlot slots[] = {
    { small->weight, small->average, small->first, small->second, small->grad, N_SMALL, FALSE },
    { large->weight, large->average, large->first, large->second, large->grad, N_LARGE, TRUE },
  };
  MienOptimiserStep step = { .kind = kind, .lr = 0.01f, .momentum = 0.9f, .beta2 = 0.99f, .decay = 0.1f, .ema = 0.8f };
  MienRandom random;

  mien_random_seed (&random, 11);
  for (int i = 0; i < N_LARGE; i++) {
    want[4 * i] = want[4 * i + 1] = large->weight[i] = large->average[i] = mien_random_normal (&random);
    want[4 * i + 2] = want[4 * i + 3] = 0;
    if (i < N_SMALL)
      small->weight[i] = large->weight[i];
  }
  for (step.step = 0; step.step < N_STEPS; step.step++) {
    for (int i = 0; i < N_LARGE; i++) {
      double *w = want + 4 * i;
      const double g = large->grad[i] = 0.1f * mien_random_normal (&random);
      const double t = (double) step.step + 1;
      if (i < N_SMALL)
        small->grad[i] = large->grad[i];
      w[0] -= 0.01 * 0.1 * w[0];
      if (kind == MIEN_OPTIMISER_SGD) {
        w[2] = 0.9 * w[2] + g;
        w[0] -= 0.01 * (g + 0.9 * w[2]);
      } else {
        w[2] = 0.9 * w[2] + 0.1 * g;
        w[3] = 0.99 * w[3] + 0.01 * g * g;
        w[0] -= 0.01 * (w[2] / (1 - pow (0.9, t))) / (sqrt (w[3] / (1 - pow (0.99, t))) + 1e-8);
      }
      w[1] = 0.8 * w[1] + 0.2 * w[0];
    }
    mien_optimiser_update (slots, 2, &step, threads);
  }
  for (int i = 0; i < N_LARGE; i++) {
    g_assert_cmpfloat_with_epsilon (large->weight[i], want[4 * i], 2e-5);
    g_assert_cmpfloat_with_epsilon (large->average[i], want[4 * i + 1], 2e-5);
  }
  for (int i = 0; i < N_SMALL; i++) /* without decay they have drifted away */
    g_assert_cmpfloat (fabs (small->weight[i] - large->weight[i]), >, 0.005 * fabs (large->weight[i]));
  mien_threads_free (threads);
}

static void
test_climb (void)
{
  float a[2] = { 1, 2 }, b[1] = { 3 }, grad_a[2] = { 2, -1 }, grad_b[1] = { 2 }, saved[3]; /* a gradient of length 3 */
  const MienOptimiserSlot slots[] = { { .weight = a, .grad = grad_a, .n_elems = 2 }, { .weight = b, .grad = grad_b, .n_elems = 1 } };

  mien_optimiser_climb (slots, 2, 0.3f, saved);
  g_assert_cmpfloat_with_epsilon (a[0], 1.2, 1e-6);
  g_assert_cmpfloat_with_epsilon (a[1], 1.9, 1e-6);
  g_assert_cmpfloat_with_epsilon (b[0], 3.2, 1e-6);
  mien_optimiser_return (slots, 2, saved);
  g_assert_cmpfloat (a[0], ==, 1);
  g_assert_cmpfloat (a[1], ==, 2);
  g_assert_cmpfloat (b[0], ==, 3);
}

enum { N_FACES = 30, SIZE = 48, N_PIXELS = SIZE * SIZE };

/* Every face has a grey of its own, 2 to 60, and label i % 7 but for the last nine, which are happy. */
static MienDataset *
make_greys (void)
{
  MienDataset *data = mien_dataset_new (SIZE, N_FACES);

  for (int i = 0; i < N_FACES; i++) {
    memset (data->pixels + i * N_PIXELS, 2 * (i + 1), N_PIXELS);
    data->labels[i] = (guint8) (i < 21 ? i % 7 : 3);
  }
  return data;
}

static int
find_face (float value)
{
  return (int) lrintf (value * 255) / 2 - 1;
}

/* Every face once an epoch, in another order each time; whatever is taken first, a batch is the same. */
static void
test_batches (void)
{
  g_autoptr (MienDataset) data = make_greys ();
  const MienRecipe recipe = { .batch = 10, .seed = 5, .mixup_alpha = 0, .augment = { .noise = 4 } };
  const MienRecipe plain = { .batch = 10, .seed = 5 };
  g_autoptr (MienBatcher) batcher = mien_batcher_new (data, &plain, 0, 1);
  int orders[2][N_FACES];

  g_assert_cmpint (mien_batcher_get_n_steps (batcher), ==, 3);
  for (int epoch = 1; epoch <= 2; epoch++) {
    guint seen = 0;
    for (int i = 0; i < N_FACES; i++) {
      const MienBatch *batch = mien_batcher_take (batcher, epoch, i / 10);
      const int face = find_face (mien_tensor_f32 (batch->faces)[i % 10 * N_PIXELS]);
      seen |= 1u << face;
      orders[epoch - 1][i] = face;
      g_assert_cmpint (batch->labels[i % 10], ==, data->labels[face]);
      for (int j = 0; j < 7; j++)
        g_assert_cmpfloat (mien_tensor_f32 (batch->targets)[i % 10 * 7 + j], ==, j == data->labels[face]);
    }
    g_assert_cmpuint (seen, ==, (1u << N_FACES) - 1);
  }
  g_assert_cmpint (memcmp (orders[0], orders[1], sizeof orders[0]), !=, 0);

  g_autoptr (MienBatcher) one = mien_batcher_new (data, &recipe, 0.5f, 0.25f), two = mien_batcher_new (data, &recipe, 0.5f, 0.25f);
  static const int places[][2] = { { 2, 2 }, { 1, 0 }, { 1, 1 }, { 2, 0 }, { 2, 0 }, { 1, 2 } };
  for (int step = 0; step < 9; step++)
    mien_batcher_take (two, 1 + step / 3, step % 3);
  for (gsize i = 0; i < G_N_ELEMENTS (places); i++) {
    const MienBatch *a = mien_batcher_take (one, places[i][0], places[i][1]);
    const MienBatch *b = mien_batcher_take (two, places[G_N_ELEMENTS (places) - 1 - i][0], places[G_N_ELEMENTS (places) - 1 - i][1]);
    (void) b;
    b = mien_batcher_take (two, places[i][0], places[i][1]);
    g_assert_cmpmem (a->faces->data, mien_tensor_n_bytes (a->faces), b->faces->data, mien_tensor_n_bytes (b->faces));
  }
}

/* Batches of one part each, mixed with pictures of the same part. */
static void
test_parts (void)
{
  g_autoptr (MienDataset) data = make_greys ();
  const MienRecipe recipe = { .batch = 4, .seed = 5, .parts = 3, .teacher_parts = TRUE, .cutmix = 0.5f };
  g_autoptr (MienBatcher) batcher = mien_batcher_new (data, &recipe, 0, 1);
  guint8 parts[N_FACES];
  int counts[3] = { 0 }, n_steps = 0;

  mien_dataset_part (data, 3, parts);
  for (int i = 0; i < N_FACES; i++)
    counts[parts[i]]++;
  for (int part = 0; part < 3; part++)
    n_steps += counts[part] / 4;
  g_assert_cmpint (mien_batcher_get_n_steps (batcher), ==, n_steps);
  for (int epoch = 1; epoch <= 3; epoch++) {
    guint seen = 0, parts_seen = 0;
    for (int step = 0; step < n_steps; step++) {
      const MienBatch *batch = mien_batcher_take (batcher, epoch, step);
      const float *pixels = mien_tensor_f32 (batch->faces);
      for (int k = 0; k < 4 * N_PIXELS; k++)
        g_assert_cmpint (parts[find_face (pixels[k])], ==, batch->part);
      for (int i = 0; i < 4; i++) { /* what stays of a face is most of its border */
        int border[N_FACES] = { 0 }, face = 0;
        for (int k = 0; k < SIZE; k++)
          border[find_face (pixels[i * N_PIXELS + k])]++, border[find_face (pixels[i * N_PIXELS + k * SIZE])]++;
        for (int k = 0; k < N_FACES; k++)
          face = border[k] > border[face] ? k : face;
        g_assert_cmpuint (seen & 1u << face, ==, 0);
        seen |= 1u << face;
      }
      parts_seen |= 1u << batch->part;
    }
    g_assert_cmpuint (parts_seen, ==, 7);
  }
}

static void
test_parts_that_are_not (void)
{
  MienRecipe recipe = *mien_recipe_find ("nano");
  g_autoptr (GError) error = NULL;

  recipe.parts = 3;
  recipe.leave_out = 3;
  g_assert_true (mien_recipe_check (&recipe, &error));
  recipe.leave_out = 4;
  g_assert_false (mien_recipe_check (&recipe, &error));
  g_assert_nonnull (strstr (error->message, "part 4"));
  g_clear_error (&error);
  recipe.parts = recipe.leave_out = 0;
  recipe.teacher_parts = TRUE;
  g_assert_false (mien_recipe_check (&recipe, &error));
  g_assert_nonnull (strstr (error->message, "teacher-parts"));
}

/* Smoothing and class weights, by the formula of the header. */
static void
test_targets (void)
{
  g_autoptr (MienDataset) data = make_greys ();
  const MienRecipe recipe = { .batch = 10, .seed = 5, .label_smoothing = 0.14f, .class_balance = 0.5f };
  double weights[7], sum = 0;

  for (int j = 0; j < 7; j++) { /* 12 happy faces, 3 of each other kind */
    weights[j] = sqrt (30. / (j == 3 ? 12 : 3));
    sum += weights[j] * (j == 3 ? 12 : 3);
  }
  g_autoptr (MienBatcher) batcher = mien_batcher_new (data, &recipe, 0, 1);
  for (int i = 0; i < N_FACES; i++) {
    const MienBatch *batch = mien_batcher_take (batcher, 1, i / 10);
    const int face = find_face (mien_tensor_f32 (batch->faces)[i % 10 * N_PIXELS]), label = data->labels[face];
    for (int j = 0; j < 7; j++) {
      const double smoothed = 0.02 + (j == label ? 0.86 : 0);
      g_assert_cmpfloat_with_epsilon (mien_tensor_f32 (batch->targets)[i % 10 * 7 + j], weights[label] * 30 / sum * smoothed, 1e-6);
    }
  }
}

/* Targets tell the shares, and the pixels have the same. */
static void
test_mixing (gconstpointer cuts)
{
  g_autoptr (MienDataset) data = make_greys ();
  const MienRecipe recipe = { .batch = 10, .seed = 6, .mixup_alpha = cuts != NULL ? 0 : 0.8f, .cutmix = cuts != NULL ? 1 : 0 };
  g_autoptr (MienBatcher) batcher = mien_batcher_new (data, &recipe, 0, 1);
  double least_share = 1;
  int n_mixed = 0;

  for (int i = 0; i < 20 * N_FACES; i++) {
    const MienBatch *batch = mien_batcher_take (batcher, 1 + i / N_FACES, i % N_FACES / 10);
    const float *face = mien_tensor_f32 (batch->faces) + i % 10 * N_PIXELS, *target = mien_tensor_f32 (batch->targets) + i % 10 * 7;
    const double share = target[batch->labels[i % 10]];
    double sum = 0, low = 1, high = 0;
    int n_low = 0;
    for (int j = 0; j < 7; j++)
      sum += target[j];
    g_assert_cmpfloat_with_epsilon (sum, 1, 1e-5);
    for (int k = 0; k < N_PIXELS; k++) {
      low = MIN (low, face[k]);
      high = MAX (high, face[k]);
    }
    for (int k = 0; k < N_PIXELS; k++)
      n_low += face[k] == (float) low;
    g_assert_cmpfloat (share, >=, 0.5 - 1e-6);
    least_share = MIN (least_share, share);
    if (cuts != NULL && high - low > 1e-6 && share < 1) {
      const double of_low = (double) n_low / N_PIXELS; /* the rectangle has the smaller part */
      g_assert_cmpfloat_with_epsilon (MAX (of_low, 1 - of_low), share, 1e-5);
      n_mixed++;
    }
    if (cuts == NULL) { /* an even grey between that of two faces */
      g_assert_cmpfloat_with_epsilon (high, low, 1e-6);
      n_mixed += fabs (high * 255 / 2 - rint (high * 255 / 2)) > 1e-3;
    }
  }
  g_assert_cmpint (n_mixed, >, 12 * N_FACES);
  g_assert_cmpfloat (least_share, <, 0.6);
}

/* Answers that are surer than they are right: with sharpness 2 true probabilities p come out as p^2, normalised, and T = 2 mends it. */
static void
test_calibration (void)
{
  enum { N = 20000 };
  g_autofree float *one = g_new (float, N * 7), *a = g_new (float, N * 7);
  const float *const views[] = { one };
  g_autofree guint8 *labels = g_new (guint8, N);
  MienMetrics before, after;
  MienRandom random;

  mien_random_seed (&random, 12);
  for (int i = 0; i < N; i++) {
    double p[7], sum = 0, squares = 0, u = mien_random_uniform (&random);
    for (int j = 0; j < 7; j++)
      sum += p[j] = exp (1.5 * mien_random_normal (&random));
    for (int j = 0; j < 7; j++)
      squares += (p[j] / sum) * (p[j] / sum);
    labels[i] = 6;
    for (int j = 0; j < 7; j++) {
      if (u >= 0 && u < p[j] / sum)
        labels[i] = (guint8) j;
      u -= p[j] / sum;
      one[i * 7 + j] = (float) ((p[j] / sum) * (p[j] / sum) / squares);
    }
  }
  const double temperature = mien_calibrate (views, 1, labels, N, 7);
  g_assert_cmpfloat_with_epsilon (temperature, 2, 0.1);
  mien_calibrate_apply (views, 1, N, 7, temperature, a);
  mien_metrics_compute (&before, one, labels, NULL, N, 7);
  mien_metrics_compute (&after, a, labels, NULL, N, 7);
  g_assert_cmpfloat (before.ece, >, 0.1);
  g_assert_cmpfloat (after.ece, <, 0.01);
}

/* Two views that see the truth through noise of their own: the mean of their exact posteriors is right more often than it says, and wants a
 * lower temperature than one of them does. */
static void
test_calibration_of_views (void)
{
  enum { N = 20000 };
  g_autofree float *one = g_new (float, N * 7), *other = g_new (float, N * 7), *mean = g_new (float, N * 7);
  const float *const views[] = { one, other };
  g_autofree guint8 *labels = g_new (guint8, N);
  MienMetrics before, after;
  MienRandom random;

  mien_random_seed (&random, 13);
  for (int i = 0; i < N; i++) {
    labels[i] = (guint8) mien_random_below (&random, 7);
    for (int v = 0; v < 2; v++) {
      double p[7], sum = 0;
      for (int j = 0; j < 7; j++) /* the exact posterior of a step of 1 in noise of deviation 1 is softmax (x) */
        sum += p[j] = exp ((j == labels[i]) + mien_random_normal (&random));
      for (int j = 0; j < 7; j++)
        (v == 0 ? one : other)[i * 7 + j] = (float) (p[j] / sum);
    }
  }
  g_assert_cmpfloat_with_epsilon (mien_calibrate (views, 1, labels, N, 7), 1, 0.05);
  const double temperature = mien_calibrate (views, 2, labels, N, 7);
  g_assert_cmpfloat (temperature, <, 0.9);
  mien_calibrate_apply (views, 2, N, 7, 1, mean);
  for (int k = 0; k < N * 7; k++)
    g_assert_cmpfloat_with_epsilon (mean[k], (one[k] + other[k]) / 2, 1e-6);
  mien_metrics_compute (&before, mean, labels, NULL, N, 7);
  mien_calibrate_apply (views, 2, N, 7, temperature, mean);
  mien_metrics_compute (&after, mean, labels, NULL, N, 7);
  g_test_message ("temperature %g, calibration error %g to %g", temperature, before.ece, after.ece);
  g_assert_cmpfloat (after.ece, <, 0.6 * before.ece);
  g_assert_cmpfloat (after.log_loss, <, before.log_loss - 0.005);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/recipe/settings", test_settings);
  g_test_add_func ("/recipe/description", test_description);
  g_test_add_func ("/recipe/teachers", test_teachers);
  g_test_add_func ("/recipe/schedules", test_schedules);
  g_test_add_func ("/recipe/averaging", test_averaging);
  g_test_add_data_func ("/recipe/sgd", GINT_TO_POINTER (MIEN_OPTIMISER_SGD), test_optimisers);
  g_test_add_data_func ("/recipe/adamw", GINT_TO_POINTER (MIEN_OPTIMISER_ADAMW), test_optimisers);
  g_test_add_func ("/recipe/climb", test_climb);
  g_test_add_func ("/recipe/batches", test_batches);
  g_test_add_func ("/recipe/parts", test_parts);
  g_test_add_func ("/recipe/parts-that-are-not", test_parts_that_are_not);
  g_test_add_func ("/recipe/targets", test_targets);
  g_test_add_data_func ("/recipe/mixup", NULL, test_mixing);
  g_test_add_data_func ("/recipe/cutmix", GINT_TO_POINTER (1), test_mixing);
  g_test_add_func ("/recipe/calibration", test_calibration);
  g_test_add_func ("/recipe/calibration-of-views", test_calibration_of_views);
  return g_test_run ();
}
