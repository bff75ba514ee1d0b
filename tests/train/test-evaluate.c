/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Evaluation in views, with a network simple enough to be worked out here: logit c is pixel c of the picture. */
#include "mien-test.h"

#include <math.h>

#include "train/mien-evaluate.h"

#define SIZE 8
#define N_PIXELS (SIZE * SIZE)

static const char FER_ORDER[] = "angry,disgust,fear,happy,sad,surprise,neutral";

static MienModel *
make_model (const char *labels)
{
  g_auto (GStrv) names = g_strsplit (labels, ",", -1);
  const int n_labels = (int) g_strv_length (names);
  g_autoptr (MienGraph) graph = mien_graph_new ("pixels", 13);
  const MienShape input_shape = { 4, { -1, 1, SIZE, SIZE } };
  const MienShape weight_shape = { 2, { N_PIXELS, n_labels } };
  MienTensor *weight = mien_tensor_new (MIEN_F32, &weight_shape);
  const char *const metadata[][2] = {
    { "mien.labels", labels }, { "mien.input.size", "8" }, { "mien.input.channels", "1" }, { "mien.input.scale", "0.01" },
    { "mien.input.mean", "0" }, { "mien.input.std", "1" }, { "mien.temperature", "2" }, { "mien.temperature.views", "0.8" },
  };
  g_autoptr (GError) error = NULL;
  MienModel *model;
  int values[2];

  for (int c = 0; c < n_labels; c++)
    mien_tensor_f32 (weight)[c * n_labels + c] = 1;
  values[0] = mien_graph_add_input (graph, "face", MIEN_F32, &input_shape);
  values[0] = mien_graph_op (graph, "", "Flatten", "flatten", values, 1);
  values[1] = mien_graph_add_constant (graph, "weight", weight);
  mien_graph_add_output (graph, mien_graph_op (graph, "", "MatMul", "pick", values, 2));
  for (gsize i = 0; i < G_N_ELEMENTS (metadata); i++)
    g_hash_table_insert (graph->metadata, g_strdup (metadata[i][0]), g_strdup (metadata[i][1]));
  model = mien_model_new (graph, &error);
  g_assert_no_error (error);
  return model;
}

static MienDataset *
make_data (int n)
{
  MienDataset *data = mien_dataset_new (SIZE, n);
  GRand *rand = g_rand_new_with_seed (5);

  for (int i = 0; i < n * N_PIXELS; i++)
    data->pixels[i] = (guint8) g_rand_int_range (rand, 0, 256);
  for (int i = 0; i < n; i++)
    data->labels[i] = (guint8) (i % 7);
  g_rand_free (rand);
  return data;
}

/* Adds softmax (pixels / 100 / temperature) of the picture moved by (dx, dy), then mirrored if asked. */
static void
add_view (const guint8 *pixels, int dx, int dy, gboolean mirror, int n_labels, double temperature, double *sum)
{
  double logits[16];
  double total = 0;

  for (int c = 0; c < n_labels; c++) {
    const int y = c / SIZE;
    const int x = mirror ? SIZE - 1 - c % SIZE : c % SIZE;
    const int from_y = MIN (MAX (y - dy, 0), SIZE - 1);
    const int from_x = MIN (MAX (x - dx, 0), SIZE - 1);

    logits[c] = exp (pixels[from_y * SIZE + from_x] * 0.01 / temperature);
    total += logits[c];
  }
  for (int c = 0; c < n_labels; c++)
    sum[c] += logits[c] / total;
}

static void
test_views (gconstpointer data)
{
  const int views = GPOINTER_TO_INT (data);
  const int n = 130; /* two batches and a bit */
  const double temperature = views > 1 ? 0.8 : 2;
  g_autoptr (MienModel) model = make_model (FER_ORDER);
  g_autoptr (MienDataset) pictures = make_data (n);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienPredictor) predictor = mien_predictor_new (model, 32, MIEN_CPU_C, MIEN_PRECISION_F32, NULL, &error);
  g_autofree float *got = g_new (float, n * 7);

  g_assert_no_error (error);
  mien_evaluate_predict (predictor, pictures, views, got, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  for (int i = 0; i < n; i++) {
    const guint8 *pixels = pictures->pixels + i * N_PIXELS;
    double want[7] = { 0 };

    for (int mirror = 0; mirror < (views > 1 ? 2 : 1); mirror++) {
      add_view (pixels, 0, 0, mirror, 7, temperature, want);
      if (views == 10) {
        for (int corner = 0; corner < 4; corner++)
          add_view (pixels, corner % 2 ? 1 : -1, corner / 2 ? 1 : -1, mirror, 7, temperature, want);
      }
    }
    for (int c = 0; c < 7; c++)
      g_assert_cmpfloat_with_epsilon (got[i * 7 + c], want[c] / views, 1e-5);
  }
}

/* Another order, other spellings, one label more: the scores stand in FER2013's order all the same. */
static void
test_labels_by_name (void)
{
  g_autoptr (MienModel) plain = make_model (FER_ORDER);
  g_autoptr (MienModel) other = make_model ("Neutral,Happiness,contempt,anger,Sadness,surprise,disgust,fear");
  const int place[8] = { 6, 3, 7, 0, 4, 5, 1, 2 };
  g_autoptr (MienDataset) pictures = make_data (7);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienEvaluation) want = NULL;
  g_autoptr (MienEvaluation) got = NULL;
  float probabilities[7 * 7], shuffled[7 * 8];

  for (int i = 0; i < 7 * 7; i++)
    probabilities[i] = (float) ((i * 37) % 11) / 40;
  for (int i = 0; i < 7; i++) {
    for (int c = 0; c < 8; c++)
      shuffled[i * 8 + c] = place[c] < 7 ? probabilities[i * 7 + place[c]] : 0;
  }
  want = mien_evaluate_score (plain, pictures, probabilities, NULL, &error);
  g_assert_no_error (error);
  got = mien_evaluate_score (other, pictures, shuffled, NULL, &error);
  g_assert_no_error (error);

  g_assert_cmpint (got->metrics.n_labels, ==, 8);
  g_assert_cmpstr (got->labels[0], ==, "angry");
  g_assert_cmpstr (got->labels[6], ==, "neutral");
  g_assert_cmpstr (got->labels[7], ==, "contempt");
  g_assert_cmpfloat (got->metrics.accuracy, ==, want->metrics.accuracy);
  g_assert_cmpfloat (got->metrics.log_loss, ==, want->metrics.log_loss);
  for (int i = 0; i < 7; i++) {
    for (int j = 0; j < 7; j++)
      g_assert_cmpint (got->metrics.confusion[i][j], ==, want->metrics.confusion[i][j]);
  }
}

/* Four mistakes in seven answers, two of them as sure as each other, and one picture left out; written down by hand. */
static void
test_mistakes (void)
{
  g_autoptr (MienModel) model = make_model ("neutral,angry,disgust,fear,happy,sad,surprise");
  g_autoptr (MienDataset) pictures = make_data (7); /* labels 0 .. 6: angry .. neutral */
  const guint8 leave_out[7] = { 0, 0, 0, 0, 0, 1, 0 };
  static const struct {
    int label, answer;
    float confidence;
  } want[7] = { /* in FER2013's order */
    { 0, 0, .9f }, { 1, 4, .6f }, { 2, 2, .5f }, { 3, 6, .8f }, { 4, 0, .6f }, { 5, 1, .99f }, { 6, 6, .4f },
  };
  const struct {
    int index, label, answer;
    float confidence;
  } order[3] = { { 3, 3, 6, .8f }, { 1, 1, 4, .6f }, { 4, 4, 0, .6f } };
  float probabilities[7 * 7];
  g_autoptr (GError) error = NULL;

  for (int i = 0; i < 7; i++) {
    for (int c = 0; c < 7; c++)
      probabilities[i * 7 + (c + 1) % 7] = c == want[i].answer ? want[i].confidence : (1 - want[i].confidence) / 6;
  }
  g_autoptr (MienEvaluation) some = mien_evaluate_score (model, pictures, probabilities, leave_out, &error);
  g_assert_no_error (error);
  g_assert_cmpint (some->n_mistakes, ==, 3);
  for (int i = 0; i < 3; i++) {
    g_assert_cmpint (some->mistakes[i].index, ==, order[i].index);
    g_assert_cmpint (some->mistakes[i].label, ==, order[i].label);
    g_assert_cmpint (some->mistakes[i].answer, ==, order[i].answer);
    g_assert_cmpfloat (some->mistakes[i].confidence, ==, order[i].confidence);
  }
  g_autoptr (MienEvaluation) all = mien_evaluate_score (model, pictures, probabilities, NULL, &error);
  g_assert_cmpint (all->n_mistakes, ==, 4);
  g_assert_cmpint (all->mistakes[0].index, ==, 5);
  g_assert_cmpstr (all->labels[all->mistakes[0].answer], ==, "disgust");
}

static void
test_missing_label (void)
{
  g_autoptr (MienModel) model = make_model ("angry,contempt,fear,happy,sad,surprise,neutral");
  g_autoptr (MienDataset) pictures = make_data (2);
  g_autoptr (GError) error = NULL;
  const float probabilities[14] = { 0 };

  g_assert_null (mien_evaluate_score (model, pictures, probabilities, NULL, &error));
  g_assert_error (error, MIEN_EVALUATE_ERROR, MIEN_EVALUATE_ERROR_LABELS);
  g_assert_nonnull (strstr (error->message, "disgust"));
}

static void
test_nothing_left (void)
{
  g_autoptr (MienModel) model = make_model (FER_ORDER);
  g_autoptr (MienDataset) pictures = make_data (2);
  g_autoptr (GError) error = NULL;
  const float probabilities[14] = { 0 };
  const guint8 leave_out[2] = { 1, 1 };

  pictures->source = g_strdup ("faces.csv");
  g_assert_null (mien_evaluate_score (model, pictures, probabilities, leave_out, &error));
  g_assert_error (error, MIEN_EVALUATE_ERROR, MIEN_EVALUATE_ERROR_EMPTY);
  g_assert_nonnull (strstr (error->message, "faces.csv"));
}

static void
test_cancelled (void)
{
  g_autoptr (MienModel) model = make_model (FER_ORDER);
  g_autoptr (MienDataset) pictures = make_data (2);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (MienPredictor) predictor = mien_predictor_new (model, 32, MIEN_CPU_C, MIEN_PRECISION_F32, NULL, &error);
  float probabilities[14];

  g_cancellable_cancel (cancellable);
  g_assert_false (mien_evaluate_predict (predictor, pictures, 1, probabilities, NULL, NULL, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/evaluate/views/1", GINT_TO_POINTER (1), test_views);
  g_test_add_data_func ("/evaluate/views/2", GINT_TO_POINTER (2), test_views);
  g_test_add_data_func ("/evaluate/views/10", GINT_TO_POINTER (10), test_views);
  g_test_add_func ("/evaluate/labels-by-name", test_labels_by_name);
  g_test_add_func ("/evaluate/mistakes", test_mistakes);
  g_test_add_func ("/evaluate/missing-label", test_missing_label);
  g_test_add_func ("/evaluate/nothing-left", test_nothing_left);
  g_test_add_func ("/evaluate/cancelled", test_cancelled);
  return g_test_run ();
}
