/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Teachers whose answer to an even grey can be worked out by hand: softmax (slope_i * (grey - mean) / std), labels in an order of their own. */
#include <math.h>
#include <string.h>

#include "mien-test.h"
#include "model/mien-model.h"
#include "train/mien-distil.h"

enum { N = 40, SIZE = 48, N_PIXELS = SIZE * SIZE, N_LABELS = MIEN_DATASET_N_LABELS };

static const float slopes[2][N_LABELS] = { { 0, 0.5f, 1, -1, 1.5f, -0.5f, 0.25f }, { 1, -1, 0, 0.5f, -0.5f, 2, 0.75f } };
static const char *const orders[2] = { "happy,angry,neutral,disgust,surprise,fear,sad", "angry,disgust,fear,happy,sad,surprise,neutral" };

/* corner: it looks at the first pixel alone instead of at their mean. */
static void
save_teacher (const char *path, int which, const char *labels, gboolean corner)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("teacher", 13);
  const MienShape input = mien_shape (4, -1, 1, SIZE, SIZE), w_shape = mien_shape (2, corner ? N_PIXELS : 1, N_LABELS);
  MienTensor *w = mien_tensor_new (MIEN_F32, &w_shape);
  int x = mien_graph_add_input (graph, "face", MIEN_F32, &input), inputs[2];
  g_autoptr (GError) error = NULL;

  memcpy (w->data, slopes[which], sizeof slopes[which]);
  if (!corner)
    x = mien_graph_op (graph, "", "GlobalAveragePool", "average", &x, 1);
  inputs[0] = mien_graph_op (graph, "", "Flatten", "flatten", &x, 1);
  inputs[1] = mien_graph_add_parameter (graph, "w", w);
  mien_graph_add_output (graph, mien_graph_op (graph, "", "Gemm", "dense", inputs, 2));
  g_hash_table_insert (graph->metadata, g_strdup ("mien.labels"), g_strdup (labels));
  g_hash_table_insert (graph->metadata, g_strdup ("mien.input.mean"), g_strdup ("0.25"));
  g_hash_table_insert (graph->metadata, g_strdup ("mien.input.std"), g_strdup ("0.5"));
  g_autoptr (MienModel) model = mien_model_new (graph, &error);
  g_assert_no_error (error);
  g_assert_true (mien_model_save (model, path, &error));
  g_assert_no_error (error);
}

/* The data's number of the teacher's label i. */
static int
place_of (int which, int i)
{
  g_auto (GStrv) names = g_strsplit (orders[which], ",", -1);

  for (int j = 0; j < N_LABELS; j++)
    if (g_str_equal (names[i], mien_dataset_labels[j]))
      return j;
  g_assert_not_reached ();
}

static void
add_answer (int which, double grey, double sum[N_LABELS])
{
  double total = 0;

  for (int i = 0; i < N_LABELS; i++)
    total += exp (slopes[which][i] * (grey - 0.25) / 0.5);
  for (int i = 0; i < N_LABELS; i++)
    sum[place_of (which, i)] += exp (slopes[which][i] * (grey - 0.25) / 0.5) / total;
}

/* Face i is of grey i / N all over, and angry. */
static void
fill (const MienBatch *batch)
{
  for (int i = 0; i < N; i++) {
    for (int k = 0; k < N_PIXELS; k++)
      mien_tensor_f32 (batch->faces)[i * N_PIXELS + k] = (float) i / N;
    for (int j = 0; j < N_LABELS; j++)
      mien_tensor_f32 (batch->targets)[i * N_LABELS + j] = j == 0;
  }
}

static void
test_blend (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *first = g_build_filename (dir, "first.onnx", NULL), *second = g_build_filename (dir, "second.onnx", NULL);
  const char *const teachers[] = { first, second, NULL };
  const MienShape faces_shape = mien_shape (4, N, 1, SIZE, SIZE), targets_shape = mien_shape (2, N, N_LABELS);
  const MienBatch batch = { .faces = mien_tensor_new (MIEN_F32, &faces_shape), .targets = mien_tensor_new (MIEN_F32, &targets_shape) };
  const double mean = 0.4, std = 0.2, weight = 0.75, temperature = 2;
  const MienRecipe recipe = { .teachers = teachers, .teacher_weight = (float) weight, .teacher_temperature = (float) temperature };
  MienThreads *threads = mien_threads_new (2);
  g_autoptr (GError) error = NULL;

  save_teacher (first, 0, orders[0], FALSE);
  save_teacher (second, 1, orders[1], FALSE);
  g_autoptr (MienDistil) distil = mien_distil_new (&recipe, threads, &error);
  g_assert_no_error (error);
  for (int i = 0; i < N; i++) {
    for (int k = 0; k < N_PIXELS; k++)
      mien_tensor_f32 (batch.faces)[i * N_PIXELS + k] = (float) ((i / (double) N - mean) / std);
    for (int j = 0; j < N_LABELS; j++)
      mien_tensor_f32 (batch.targets)[i * N_LABELS + j] = j == i % N_LABELS ? 1.4f : 0.1f;
  }
  for (int time = 0; time < 2; time++) { /* the second time upon what the first one left */
    g_assert_true (mien_distil_blend (distil, &batch, (float) mean, (float) std, &error));
    g_assert_no_error (error);
  }
  for (int i = 0; i < N; i++) {
    double sum[N_LABELS] = { 0 }, total = 0;
    add_answer (0, i / (double) N, sum);
    add_answer (1, i / (double) N, sum);
    for (int j = 0; j < N_LABELS; j++)
      total += sqrt (sum[j] / 2);
    for (int j = 0; j < N_LABELS; j++) {
      double want = j == i % N_LABELS ? 1.4 : 0.1;
      for (int time = 0; time < 2; time++)
        want = (1 - weight) * want + weight * 2 * sqrt (sum[j] / 2) / total; /* each row of targets sums to 2 */
      g_assert_cmpfloat_with_epsilon (mien_tensor_f32 (batch.targets)[i * N_LABELS + j], want, 8e-3); /* teachers answer in bfloat16 */
    }
  }
  g_assert_cmpuint (strlen (mien_distil_get_hash (distil)), ==, 64);
  mien_tensor_unref (batch.faces);
  mien_tensor_unref (batch.targets);
  g_clear_pointer (&distil, mien_distil_free);
  mien_threads_free (threads);
  mien_test_remove_dir (dir);
}

/* Three teachers and 40 faces: the first has 13 of them, the next 13, the last 14. */
static void
test_split (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *first = g_build_filename (dir, "first.onnx", NULL), *second = g_build_filename (dir, "second.onnx", NULL);
  const char *const teachers[] = { first, second, first, NULL };
  const MienRecipe recipe = { .teachers = teachers, .teacher_weight = 1, .teacher_temperature = 1, .teacher_split = TRUE };
  const MienShape faces_shape = mien_shape (4, N, 1, SIZE, SIZE), targets_shape = mien_shape (2, N, N_LABELS);
  const MienBatch batch = { .faces = mien_tensor_new (MIEN_F32, &faces_shape), .targets = mien_tensor_new (MIEN_F32, &targets_shape) };
  g_autoptr (GError) error = NULL;

  save_teacher (first, 0, orders[0], FALSE);
  save_teacher (second, 1, orders[1], FALSE);
  g_autoptr (MienDistil) distil = mien_distil_new (&recipe, NULL, &error);
  g_assert_no_error (error);
  fill (&batch);
  g_assert_true (mien_distil_blend (distil, &batch, 0, 1, &error));
  g_assert_no_error (error);
  for (int i = 0; i < N; i++) {
    double want[N_LABELS] = { 0 };
    add_answer (i >= 13 && i < 26, i / (double) N, want);
    for (int j = 0; j < N_LABELS; j++)
      g_assert_cmpfloat_with_epsilon (mien_tensor_f32 (batch.targets)[i * N_LABELS + j], want[j], 8e-3);
  }
  mien_tensor_unref (batch.faces);
  mien_tensor_unref (batch.targets);
  mien_test_remove_dir (dir);
}

/* The teacher of the batch's part answers alone. */
static void
test_parts (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *first = g_build_filename (dir, "first.onnx", NULL), *second = g_build_filename (dir, "second.onnx", NULL);
  const char *const teachers[] = { first, second, NULL };
  MienRecipe recipe = { .teachers = teachers, .teacher_weight = 1, .teacher_temperature = 1, .parts = 2, .teacher_parts = TRUE, .teacher_mirror = TRUE };
  const MienShape faces_shape = mien_shape (4, N, 1, SIZE, SIZE), targets_shape = mien_shape (2, N, N_LABELS);
  MienBatch batch = { .faces = mien_tensor_new (MIEN_F32, &faces_shape), .targets = mien_tensor_new (MIEN_F32, &targets_shape) };
  g_autoptr (GError) error = NULL;

  save_teacher (first, 0, orders[0], FALSE);
  save_teacher (second, 1, orders[1], FALSE);
  g_autoptr (MienDistil) distil = mien_distil_new (&recipe, NULL, &error);
  g_assert_no_error (error);
  for (batch.part = 0; batch.part < 2; batch.part++) {
    fill (&batch);
    g_assert_true (mien_distil_blend (distil, &batch, 0, 1, &error));
    g_assert_no_error (error);
    for (int i = 0; i < N; i++) {
      double want[N_LABELS] = { 0 };
      add_answer (batch.part, i / (double) N, want);
      for (int j = 0; j < N_LABELS; j++)
        g_assert_cmpfloat_with_epsilon (mien_tensor_f32 (batch.targets)[i * N_LABELS + j], want[j], 8e-3);
    }
  }
  recipe.parts = 3;
  g_assert_null (mien_distil_new (&recipe, NULL, &error));
  g_assert_nonnull (strstr (error->message, "3 parts"));
  mien_tensor_unref (batch.faces);
  mien_tensor_unref (batch.targets);
  mien_test_remove_dir (dir);
}

/* The first row's ends are of two greys, all else is of a third. */
static void
test_mirror (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "teacher.onnx", NULL);
  const char *const teachers[] = { path, NULL };
  const MienRecipe recipe = { .teachers = teachers, .teacher_weight = 1, .teacher_temperature = 1, .teacher_mirror = TRUE };
  const MienShape faces_shape = mien_shape (4, N, 1, SIZE, SIZE), targets_shape = mien_shape (2, N, N_LABELS);
  const MienBatch batch = { .faces = mien_tensor_new (MIEN_F32, &faces_shape), .targets = mien_tensor_new (MIEN_F32, &targets_shape) };
  g_autoptr (GError) error = NULL;

  save_teacher (path, 0, orders[0], TRUE);
  g_autoptr (MienDistil) distil = mien_distil_new (&recipe, NULL, &error);
  g_assert_no_error (error);
  for (int i = 0; i < N; i++) {
    float *face = mien_tensor_f32 (batch.faces) + i * N_PIXELS;
    for (int k = 0; k < N_PIXELS; k++)
      face[k] = 0.5f;
    face[0] = (float) i / N;
    face[SIZE - 1] = 1 - face[0];
    mien_tensor_f32 (batch.targets)[i * N_LABELS] = 1;
  }
  g_assert_true (mien_distil_blend (distil, &batch, 0, 1, &error));
  g_assert_no_error (error);
  for (int i = 0; i < N; i++) {
    double sum[N_LABELS] = { 0 };
    add_answer (0, i / (double) N, sum);
    add_answer (0, 1 - i / (double) N, sum);
    for (int j = 0; j < N_LABELS; j++)
      g_assert_cmpfloat_with_epsilon (mien_tensor_f32 (batch.targets)[i * N_LABELS + j], sum[j] / 2, 8e-3);
  }
  mien_tensor_unref (batch.faces);
  mien_tensor_unref (batch.targets);
  mien_test_remove_dir (dir);
}

/* A network that teaches itself from the second of four epochs on: half of its weight then, all of it an epoch later, of what it is by then. */
static void
test_own (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  const MienRecipe recipe = { .epochs = 4, .self_weight = 0.8f };
  const double weights[] = { 0, 0.4, 0.8, 0.8 };
  const MienShape faces_shape = mien_shape (4, N, 1, SIZE, SIZE), targets_shape = mien_shape (2, N, N_LABELS);
  const MienBatch batch = { .faces = mien_tensor_new (MIEN_F32, &faces_shape), .targets = mien_tensor_new (MIEN_F32, &targets_shape) };
  g_autoptr (GError) error = NULL;
  g_autoptr (MienDistil) distil = mien_distil_new (&recipe, NULL, &error);

  g_assert_no_error (error);
  g_assert_null (mien_distil_get_hash (distil));
  for (int epoch = 0; epoch < 4; epoch++) {
    if (epoch > 0) {
      g_autofree char *path = g_build_filename (dir, "own.onnx", NULL);
      save_teacher (path, epoch % 2, orders[epoch % 2], FALSE);
      g_autoptr (MienModel) model = mien_model_load (path, &error);
      g_assert_no_error (error);
      g_assert_true (mien_distil_follow (distil, model, epoch, &error));
      g_assert_no_error (error);
    }
    fill (&batch);
    g_assert_true (mien_distil_blend (distil, &batch, 0, 1, &error));
    g_assert_no_error (error);
    for (int i = 0; i < N; i++) {
      double answer[N_LABELS] = { 0 };
      add_answer (epoch % 2, i / (double) N, answer);
      for (int j = 0; j < N_LABELS; j++)
        g_assert_cmpfloat_with_epsilon (mien_tensor_f32 (batch.targets)[i * N_LABELS + j],
                                        (1 - weights[epoch]) * (j == 0) + weights[epoch] * answer[j], 8e-3);
    }
  }
  mien_tensor_unref (batch.faces);
  mien_tensor_unref (batch.targets);
  mien_test_remove_dir (dir);
}

static void
test_other_labels (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "cats.onnx", NULL);
  const char *const teachers[] = { path, NULL };
  const MienRecipe recipe = { .teachers = teachers, .teacher_weight = 1, .teacher_temperature = 1 };
  g_autoptr (GError) error = NULL;

  save_teacher (path, 0, "angry,disgust,fear,happy,sad,surprise,cat", FALSE);
  g_assert_null (mien_distil_new (&recipe, NULL, &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, "cats.onnx: a teacher must answer with the seven expressions"));
  mien_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/distil/blend", test_blend);
  g_test_add_func ("/distil/mirror", test_mirror);
  g_test_add_func ("/distil/split", test_split);
  g_test_add_func ("/distil/parts", test_parts);
  g_test_add_func ("/distil/own", test_own);
  g_test_add_func ("/distil/other-labels", test_other_labels);
  return g_test_run ();
}
