/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "mien-test.h"
#include "model/mien-model.h"
#include "onnx/mien-onnx.h"

/* The network of most tests: global average of each channel, then y = x W + b with W one row a channel. Its answers are
 * easy to compute by hand. */
typedef struct {
  MienShape input;
  gboolean channels_last;
  int n_classes;
  const char *ending; /* (nullable) operator behind the last layer */
} Recipe;

static float
weight (int c, int k)
{
  return (c + 1) * (k - 1) * .5f;
}

static MienGraph *
make_graph (const Recipe *recipe)
{
  MienGraph *graph = mien_graph_new ("tiny", 13);
  const int channels = recipe->input.dim[recipe->channels_last ? 3 : 1];
  const MienShape w_shape = mien_shape (2, channels, recipe->n_classes), b_shape = mien_shape (1, recipe->n_classes);
  MienTensor *w = mien_tensor_new (MIEN_F32, &w_shape), *b = mien_tensor_new (MIEN_F32, &b_shape);
  const gint64 to_first[] = { 0, 3, 1, 2 };
  int x = mien_graph_add_input (graph, "x", MIEN_F32, &recipe->input), inputs[3];

  for (int c = 0; c < channels; c++)
    for (int k = 0; k < recipe->n_classes; k++)
      mien_tensor_f32 (w)[c * recipe->n_classes + k] = weight (c, k);
  for (int k = 0; k < recipe->n_classes; k++)
    mien_tensor_f32 (b)[k] = .25f * k;
  if (recipe->channels_last) {
    x = mien_graph_op (graph, "", "Transpose", "first", &x, 1);
    mien_node_set_ints (mien_graph_producer (graph, x), "perm", to_first, 4);
  }
  x = mien_graph_op (graph, "", "GlobalAveragePool", "average", &x, 1);
  x = mien_graph_op (graph, "", "Flatten", "flatten", &x, 1);
  inputs[0] = x;
  inputs[1] = mien_graph_add_parameter (graph, "w", w);
  inputs[2] = mien_graph_add_parameter (graph, "b", b);
  x = mien_graph_op (graph, "", "Gemm", "dense", inputs, 3);
  if (recipe->ending != NULL)
    x = mien_graph_op (graph, "", recipe->ending, "ending", &x, 1);
  mien_graph_add_output (graph, x);
  return graph;
}

static void
set (MienGraph *graph, const char *key, const char *value)
{
  g_hash_table_insert (graph->metadata, g_strdup (key), g_strdup (value));
}

/* Softmax of the answers to a picture whose normalised average in channel c is average[c]. */
static void
expect (const float *average, int channels, int n_classes, double temperature, double *probabilities)
{
  double sum = 0;

  for (int k = 0; k < n_classes; k++) {
    double logit = .25 * k;

    for (int c = 0; c < channels; c++)
      logit += average[c] * weight (c, k);
    sum += probabilities[k] = exp (logit / temperature);
  }
  for (int k = 0; k < n_classes; k++)
    probabilities[k] /= sum;
}

static const Recipe grey = { { 4, { -1, 1, 48, 48 } }, FALSE, 7, NULL };

static void
test_guesses (void)
{
  static const char *const fer2013[] = { "angry", "disgust", "fear", "happy", "sad", "surprise", "neutral" };
  g_autoptr (MienGraph) graph = make_graph (&grey);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienModel) model = mien_model_new (graph, &error), three = NULL;
  g_autoptr (MienGraph) other = NULL;
  Recipe recipe = grey;

  g_assert_no_error (error);
  g_assert_cmpint (mien_model_get_n_labels (model), ==, 7);
  for (int i = 0; i < 7; i++)
    g_assert_cmpstr (mien_model_get_label (model, i), ==, fer2013[i]);
  g_assert_cmpint (mien_model_get_input_size (model), ==, 48);
  g_assert_cmpint (mien_model_get_channels (model), ==, 1);
  g_assert_true (mien_model_is_guessed (model));
  g_assert_null (mien_model_get_path (model));
  g_assert_null (mien_model_get_metadata (model, "mien.recipe"));

  recipe.n_classes = 3;
  other = make_graph (&recipe);
  three = mien_model_new (other, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (mien_model_get_label (three, 0), ==, "class-1");
  g_assert_cmpstr (mien_model_get_label (three, 2), ==, "class-3");
}

static void
test_metadata (void)
{
  g_autoptr (MienGraph) graph = make_graph (&(Recipe) { { 4, { -1, 3, -1, -1 } }, FALSE, 2, NULL });
  g_autoptr (GError) error = NULL;
  g_autoptr (MienModel) model = NULL;
  float pixels[64 * 64], out[3 * 64 * 64];

  set (graph, "mien.labels", "happy, sad");
  set (graph, "mien.input.size", "64");
  set (graph, "mien.input.scale", "0.5");
  set (graph, "mien.input.mean", "1,2,3");
  set (graph, "mien.input.std", "2");
  set (graph, "mien.crop.margin", "0.25");
  set (graph, "mien.temperature", "2");
  set (graph, "mien.recipe", "small");
  model = mien_model_new (graph, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (mien_model_get_label (model, 1), ==, "sad");
  g_assert_cmpint (mien_model_get_input_size (model), ==, 64);
  g_assert_cmpint (mien_model_get_channels (model), ==, 3);
  g_assert_cmpfloat (mien_model_get_crop_margin (model), ==, .25f);
  g_assert_cmpstr (mien_model_get_metadata (model, "mien.recipe"), ==, "small");
  g_assert_false (mien_model_is_guessed (model));

  for (int i = 0; i < 64 * 64; i++)
    pixels[i] = i % 200;
  mien_model_normalise (model, pixels, out);
  for (int c = 0; c < 3; c++)
    for (int i = 0; i < 64 * 64; i++)
      g_assert_cmpfloat_with_epsilon (out[c * 64 * 64 + i], (i % 200 * .5 - (c + 1)) / 2, 1e-5);
}

static void
test_bad_metadata (void)
{
  static const struct { const char *key, *value; } cases[] = {
    { "mien.labels", "a,b" }, { "mien.labels", "" }, { "mien.labels", "a,b,c,d,e,f,a" }, { "mien.labels", "a,b,,d,e,f,g" },
    { "mien.labels", "a,b,c,d,e,f,g,h" }, { "mien.labels", "a,b,c\n,d,e,f\001,g" }, { "mien.input.size", "-48" }, { "mien.input.size", "64" },
    { "mien.input.size", "48.5" }, { "mien.input.size", "forty" }, { "mien.input.size", "" }, { "mien.input.size", "1e30" },
    { "mien.input.channels", "3" }, { "mien.input.channels", "2" }, { "mien.input.channels", "0" }, { "mien.input.scale", "0" },
    { "mien.input.scale", "nan" }, { "mien.input.scale", "inf" }, { "mien.input.scale", "1/255" }, { "mien.input.mean", "1,2" },
    { "mien.input.mean", "nan" }, { "mien.input.mean", "1,2,3,4" }, { "mien.input.std", "0" }, { "mien.input.std", "-1" },
    { "mien.input.std", "nan" }, { "mien.crop.margin", "9" }, { "mien.crop.margin", "x" }, { "mien.temperature", "0" },
    { "mien.temperature", "-1" }, { "mien.temperature", "nan" }, { "mien.temperature", "1e-30" },
    { "mien.bfloat16", "1.01" }, { "mien.bfloat16", "-0.1" }, { "mien.bfloat16", "nan" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (MienGraph) graph = make_graph (&grey);
    g_autoptr (MienModel) model = NULL;
    g_autoptr (GError) error = NULL;

    set (graph, cases[i].key, cases[i].value);
    model = mien_model_new (graph, &error);
    if (model != NULL)
      g_error ("%s = \"%s\" opened", cases[i].key, cases[i].value);
    g_assert_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT);
    g_assert_nonnull (strstr (error->message, "metadata"));
  }
}

static void
test_refused (void)
{
  static const struct { MienShape input; int n_classes; const char *word; } cases[] = {
    { { 4, { 1, 2, 48, 48 } }, 7, "channel" }, { { 4, { 1, 1, 48, 40 } }, 7, "square" }, { { 4, { 1, 1, 4, 4 } }, 7, "pixels" },
    { { 4, { 1, 1, 5000, 5000 } }, 7, "pixels" }, { { 4, { 1, 1, 48, 48 } }, 1, "classes" }, { { 4, { 1, 1, 48, 48 } }, 1000, "classes" },
    { { 4, { 100000, 1, 48, 48 } }, 7, "pictures" },
  };
  g_autoptr (MienGraph) two = make_graph (&grey), doubles = make_graph (&grey), nothing = make_graph (&grey);
  g_autoptr (GError) error = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (MienGraph) graph = make_graph (&(Recipe) { cases[i].input, FALSE, cases[i].n_classes, NULL });

    g_assert_null (mien_model_new (graph, &error));
    if (error->domain != MIEN_NN_ERROR || strstr (error->message, cases[i].word) == NULL)
      g_error ("\"%s\" is not in \"%s\"", cases[i].word, error->message);
    g_clear_error (&error);
  }
  mien_graph_add_input (two, "heart", MIEN_F32, &grey.input);
  g_assert_null (mien_model_new (two, &error));
  g_assert_nonnull (strstr (error->message, "\"heart\""));
  g_clear_error (&error);
  mien_graph_value (doubles, 0)->type = MIEN_F64;
  g_assert_null (mien_model_new (doubles, &error));
  g_assert_nonnull (strstr (error->message, "float64"));
  g_clear_error (&error);
  mien_tensor_f32 (mien_graph_value (nothing, mien_graph_find (nothing, "b"))->tensor)[3] = NAN;
  g_assert_null (mien_model_new (nothing, &error));
  g_assert_nonnull (strstr (error->message, "not numbers"));
}

/* Faces of one grey each, so the averages are known: 10, 20, 30, ... */
static void
check_predictions (MienModel *model, int max_batch, int n, double scale, double temperature)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MienPredictor) predictor = mien_predictor_new (model, max_batch, mien_cpu_level (), MIEN_PRECISION_F32, NULL, &error);
  const int size = mien_model_get_input_size (model), n_labels = mien_model_get_n_labels (model), channels = mien_model_get_channels (model);
  g_autofree float *pixels = g_new (float, n * size * size), *got = g_new (float, n * n_labels);

  g_assert_no_error (error);
  g_assert_true (mien_predictor_get_model (predictor) == model);
  for (int i = 0; i < n * size * size; i++)
    pixels[i] = 10 * (i / (size * size) + 1);
  for (int round = 0; round < 2; round++) {
    memset (got, 0xff, n * n_labels * sizeof *got);
    g_assert_true (mien_predictor_run (predictor, pixels, n, got, &error));
    for (int i = 0; i < n; i++) {
      const float average = 10 * (i + 1) * scale, averages[] = { average, average, average };
      double want[MIEN_MODEL_MAX_LABELS], sum = 0;

      expect (averages, channels, n_labels, temperature, want);
      for (int k = 0; k < n_labels; k++) {
        g_assert_cmpfloat_with_epsilon (got[i * n_labels + k], want[k], 2e-6);
        sum += got[i * n_labels + k];
      }
      g_assert_cmpfloat_with_epsilon (sum, 1, 1e-5);
    }
  }
}

static void
test_predict (void)
{
  static const Recipe recipes[] = {
    { { 4, { -1, 1, 48, 48 } }, FALSE, 7, NULL },
    { { 4, { -1, 1, 48, 48 } }, FALSE, 7, "Softmax" },
    { { 4, { -1, 1, 48, 48 } }, FALSE, 7, "LogSoftmax" },
    { { 4, { -1, 3, 32, 32 } }, FALSE, 5, "Softmax" },
    { { 4, { -1, 48, 48, 1 } }, TRUE, 7, "Softmax" },
    { { 4, { -1, 24, 24, 3 } }, TRUE, 3, NULL },
    { { 4, { 4, 1, 48, 48 } }, FALSE, 7, NULL }, /* the number of pictures is fixed */
    { { 4, { 1, 1, 48, 48 } }, FALSE, 7, "Softmax" },
  };
  static const char *const temperatures[] = { NULL, "0.5", "1.7" };

  for (gsize i = 0; i < G_N_ELEMENTS (recipes); i++)
    for (gsize t = 0; t < G_N_ELEMENTS (temperatures); t++) {
      g_autoptr (MienGraph) graph = make_graph (&recipes[i]);
      g_autoptr (GError) error = NULL;
      g_autoptr (MienModel) model = NULL;

      if (temperatures[t] != NULL)
        set (graph, "mien.temperature", temperatures[t]);
      model = mien_model_new (graph, &error);
      g_assert_no_error (error);
      for (int max_batch = 1; max_batch <= 7; max_batch += 3)
        for (int n = 1; n <= 9; n += 2)
          check_predictions (model, max_batch, n, 1 / 255.0, temperatures[t] != NULL ? g_ascii_strtod (temperatures[t], NULL) : 1);
    }
}

/* bfloat16 only where the network was measured with it, and where the processor has it. */
static void
test_fast_precision (void)
{
  static const struct { const char *measured; gboolean same; } cases[] = { { NULL, FALSE }, { "0", FALSE }, { "0.98", FALSE }, { "0.995", TRUE }, { "1", TRUE } };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    const MienPrecision fast = cases[i].same && mien_cpu_has_bf16 (mien_cpu_level ()) ? MIEN_PRECISION_BF16 : MIEN_PRECISION_F32;
    g_autoptr (MienGraph) graph = make_graph (&grey);
    g_autoptr (GError) error = NULL;
    if (cases[i].measured != NULL)
      set (graph, "mien.bfloat16", cases[i].measured);
    g_autoptr (MienModel) model = mien_model_new (graph, &error);
    g_assert_no_error (error);
    for (int max_batch = 1; max_batch <= 4; max_batch += 3) {
      g_autoptr (MienPredictor) predictor = mien_predictor_new (model, max_batch, mien_cpu_level (), MIEN_PRECISION_AUTO, NULL, &error);
      g_autoptr (MienPredictor) plain = mien_predictor_new (model, max_batch, mien_cpu_level (), MIEN_PRECISION_F32, NULL, &error);
      g_autoptr (MienPredictor) low = mien_predictor_new (model, max_batch, MIEN_CPU_C, MIEN_PRECISION_AUTO, NULL, &error);
      float pixels[2 * 48 * 48], fast_answers[14], plain_answers[14];

      g_assert_no_error (error);
      g_assert_cmpint (mien_predictor_get_precision (predictor), ==, fast);
      g_assert_cmpint (mien_predictor_get_precision (plain), ==, MIEN_PRECISION_F32);
      g_assert_cmpint (mien_predictor_get_precision (low), ==, MIEN_PRECISION_F32);
      for (int k = 0; k < 2 * 48 * 48; k++)
        pixels[k] = (float) (k * 7 % 256);
      g_assert_true (mien_predictor_run (predictor, pixels, 2, fast_answers, &error));
      g_assert_true (mien_predictor_run (plain, pixels, 2, plain_answers, &error));
      for (int k = 0; k < 14; k++)
        g_assert_cmpfloat_with_epsilon (fast_answers[k], plain_answers[k], fast == MIEN_PRECISION_F32 ? 1e-6 : 0.02);
    }
  }
}

/* The model does not see what happens to the graph it was made from. */
static void
test_own_copy (void)
{
  g_autoptr (MienGraph) graph = make_graph (&grey);
  g_autoptr (MienModel) model = mien_model_new (graph, NULL);
  const MienTensor *w = mien_graph_value (graph, mien_graph_find (graph, "w"))->tensor;

  memset (w->data, 0, mien_tensor_n_bytes (w));
  check_predictions (model, 1, 2, 1 / 255.0, 1);
}

static void
test_save (void)
{
  g_autofree char *folder = mien_test_make_dir (), *path = g_build_filename (folder, "my face.v2.onnx", NULL), *title = NULL;
  g_autofree char *nowhere = g_build_filename (folder, "nothing", "there.onnx", NULL);
  g_autoptr (MienGraph) graph = make_graph (&(Recipe) { { 4, { -1, 48, 48, 1 } }, TRUE, 7, "Softmax" });
  g_autoptr (GError) error = NULL;
  g_autoptr (MienModel) model = NULL, again = NULL;
  const MienValue *output;

  set (graph, "mien.labels", "g,f,e,d,c,b,a");
  set (graph, "mien.temperature", "1.5");
  set (graph, "mien.input.scale", "0.01");
  model = mien_model_new (graph, &error);
  g_assert_no_error (error);
  g_assert_true (mien_model_save (model, path, &error));
  g_assert_no_error (error);
  again = mien_model_load (path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (mien_model_get_path (again), ==, path);
  title = mien_model_dup_title (again);
  g_assert_cmpstr (title, ==, "my face.v2");
  g_assert_cmpstr (mien_model_get_label (again, 0), ==, "g");
  g_assert_false (mien_model_is_guessed (again));
  check_predictions (again, 4, 5, .01, 1.5);
  output = mien_graph_value (mien_model_get_graph (again), g_array_index (mien_model_get_graph (again)->outputs, int, 0));
  g_assert_cmpint (output->type, ==, MIEN_F32);
  g_assert_cmpint (output->shape.dim[0], ==, -1);
  g_assert_cmpint (output->shape.dim[1], ==, 7);

  g_assert_false (mien_model_save (model, nowhere, &error));
  g_assert_true (g_str_has_prefix (error->message, "there.onnx: "));
  mien_test_remove_dir (folder);
}

static void
test_layers (void)
{
  /* 3 channels of 20 x 20: convolution 3 to 8, 3 x 3, one pixel of padding; depthwise 5 x 5; average; 8 to 4. */
  MienGraph *graph = mien_graph_new ("layers", 13);
  const MienShape input = { 4, { -1, 3, 20, 20 } }, w1 = mien_shape (4, 8, 3, 3, 3), b1 = mien_shape (1, 8), w2 = mien_shape (4, 8, 1, 5, 5);
  const MienShape w3 = mien_shape (2, 8, 4);
  const gint64 pads[] = { 1, 1, 1, 1 }, flat[] = { 0, -1 };
  const int x = mien_graph_add_input (graph, "x", MIEN_F32, &input);
  int inputs[3] = { x, mien_graph_add_constant (graph, "w1", mien_tensor_new (MIEN_F32, &w1)),
                    mien_graph_add_constant (graph, "b1", mien_tensor_new (MIEN_F32, &b1)) };
  int y = mien_graph_op (graph, "", "Conv", "first", inputs, 3);
  static const struct { const char *name, *op; MienShape output; gint64 params, macs; } expected[] = {
    { "first", "Conv 3x3", { 4, { 1, 8, 20, 20 } }, 8 * 27 + 8, 8 * 20 * 20 * 27 },
    { "second", "Conv 5x5 depthwise", { 4, { 1, 8, 16, 16 } }, 8 * 25, 8 * 16 * 16 * 25 },
    { "average", "GlobalAveragePool", { 4, { 1, 8, 1, 1 } }, 0, 0 },
    { "flat", "Reshape", { 2, { 1, 8 } }, 0, 0 },
    { "dense", "MatMul", { 2, { 1, 4 } }, 32, 32 },
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (MienModel) model = NULL;
  g_autoptr (GPtrArray) layers = NULL;

  mien_node_set_ints (mien_graph_producer (graph, y), "pads", pads, 4);
  inputs[0] = y;
  inputs[1] = mien_graph_add_constant (graph, "w2", mien_tensor_new (MIEN_F32, &w2));
  y = mien_graph_op (graph, "", "Conv", "second", inputs, 2);
  mien_node_set_int (mien_graph_producer (graph, y), "group", 8);
  y = mien_graph_op (graph, "", "GlobalAveragePool", "average", &y, 1);
  /* Flattened as PyTorch writes it: the new shape is computed from the old one. */
  const int shape = mien_graph_op (graph, "", "Shape", "shape", &y, 1);
  const int batch = mien_graph_op (graph, "", "Gather", "batch", (const int[]) { shape, mien_graph_add_constant (graph, NULL, mien_tensor_new_i64 (flat, 1)) }, 2);
  inputs[0] = y;
  inputs[1] = mien_graph_op (graph, "", "Concat", "to", (const int[]) { batch, mien_graph_add_constant (graph, NULL, mien_tensor_new_i64 (flat + 1, 1)) }, 2);
  mien_node_set_int (mien_graph_producer (graph, inputs[1]), "axis", 0);
  y = mien_graph_op (graph, "", "Reshape", "flat", inputs, 2);
  inputs[0] = y;
  inputs[1] = mien_graph_add_constant (graph, "w3", mien_tensor_new (MIEN_F32, &w3));
  y = mien_graph_op (graph, "", "MatMul", "dense", inputs, 2);
  mien_graph_add_output (graph, y);
  model = mien_model_new (graph, &error);
  g_assert_no_error (error);
  layers = mien_model_dup_layers (model, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (layers->len, ==, G_N_ELEMENTS (expected));
  for (guint i = 0; i < layers->len; i++) {
    const MienLayerInfo *layer = g_ptr_array_index (layers, i);

    g_assert_cmpstr (layer->name, ==, expected[i].name);
    g_assert_cmpstr (layer->op, ==, expected[i].op);
    g_assert_true (mien_shape_equal (&layer->output, &expected[i].output));
    g_assert_cmpint (layer->params, ==, expected[i].params);
    g_assert_cmpint (layer->macs, ==, expected[i].macs);
  }
  mien_graph_unref (graph);
}

static void
test_default_path (void)
{
  g_autofree char *old = g_strdup (g_getenv ("MIEN_MODEL")), *chosen = NULL, *shipped = NULL;

  g_setenv ("MIEN_MODEL", "/some/where.onnx", TRUE);
  chosen = mien_model_default_path ();
  g_assert_cmpstr (chosen, ==, "/some/where.onnx");
  g_unsetenv ("MIEN_MODEL");
  shipped = mien_model_default_path ();
  g_assert_true (g_str_has_suffix (shipped, "models/best.onnx"));
  if (old != NULL)
    g_setenv ("MIEN_MODEL", old, TRUE);
}

/* Each of them opens by its name, and is what it says. */
static void
test_shipped (void)
{
  const char *const *names = mien_model_list_shipped ();

  g_assert_cmpuint (g_strv_length ((char **) names), ==, 4);
  for (int i = 0; names[i] != NULL; i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (MienModel) model = mien_model_load (names[i], &error);
    g_autofree char *title = NULL;
    g_assert_no_error (error);
    title = mien_model_dup_title (model);
    g_assert_cmpstr (title, ==, names[i]);
    g_assert_cmpint (mien_model_get_n_labels (model), ==, 7);
    g_assert_false (mien_model_is_guessed (model));
    g_assert_true (g_str_has_prefix (mien_model_get_metadata (model, "mien.recipe"), names[i]));
  }
}

/* What a person might bring: the index says which open, which are refused; never a crash. */
static void
test_odd_files (void)
{
  g_autofree char *index = mien_test_shared ("odd/index.tsv"), *contents = NULL;
  g_auto (GStrv) lines = NULL;
  int n_wrong = 0, n_tried = 0;

  if (index == NULL)
    return;
  g_assert_true (g_file_get_contents (index, &contents, NULL, NULL));
  lines = g_strsplit (contents, "\n", -1);
  for (int i = 0; lines[i] != NULL; i++) {
    g_auto (GStrv) fields = g_strsplit (lines[i], "\t", -1);
    g_autofree char *inside = NULL, *path = NULL, *name = NULL;
    g_autoptr (GError) error = NULL;
    g_autoptr (MienModel) model = NULL;

    if (g_strv_length (fields) < 3 || !g_str_has_prefix (fields[0], "models/") || !g_str_has_suffix (fields[0], ".onnx"))
      continue;
    inside = g_build_filename ("odd", fields[0], NULL);
    path = mien_test_shared (inside);
    name = g_path_get_basename (path);
    model = mien_model_load (path, &error);
    n_tried++;
    g_test_message ("%s (%s): %s", name, fields[1], error != NULL ? error->message : "opens");
    g_assert_true ((model == NULL) == (error != NULL));
    if (strcmp (fields[1], model != NULL ? "refuse" : "open") == 0) {
      g_test_message ("WRONG: %s should %s", name, fields[1]);
      n_wrong++;
    }
    if (error != NULL) {
      g_assert_true (g_str_has_prefix (error->message, name));
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      g_assert_cmpuint (strlen (error->message), <, 500);
      continue;
    }
    {
      const int size = mien_model_get_input_size (model), n_labels = mien_model_get_n_labels (model);
      g_autofree float *pixels = g_new0 (float, size * size);
      g_autoptr (MienPredictor) predictor = mien_predictor_new (model, 8, mien_cpu_level (), MIEN_PRECISION_F32, NULL, &error);
      float answer[MIEN_MODEL_MAX_LABELS], sum = 0;

      g_assert_no_error (error);
      for (int k = 0; k < size * size; k++)
        pixels[k] = 127.5f;
      if (!mien_predictor_run (predictor, pixels, 1, answer, &error))
        continue;
      for (int k = 0; k < n_labels; k++)
        sum += answer[k];
      g_assert_cmpfloat_with_epsilon (sum, 1, 1e-5);
      /* Fed .5 everywhere, ONNX Runtime answers .110, .211, .069 at first. */
      if (g_strv_contains ((const char *const[]) { "good-tiny.onnx", "weights-also-inputs.onnx", "any-size.onnx", "unused-weight.onnx",
                                                   "logits.onnx", NULL }, name)) {
        g_assert_cmpfloat_with_epsilon (answer[0], .110, .0006);
        g_assert_cmpfloat_with_epsilon (answer[1], .211, .0006);
        g_assert_cmpfloat_with_epsilon (answer[2], .069, .0006);
      }
      if (g_str_equal (name, "three-classes.onnx"))
        g_assert_cmpstr (mien_model_get_label (model, 0), !=, "angry");
    }
  }
  g_assert_cmpint (n_tried, >, 80);
  g_assert_cmpint (n_wrong, ==, 0);
}

/* The first predictor goes on with the plan of the trial run; others make theirs. */
static void
test_goes_on (void)
{
  static const int n_threads[] = { 1, 2, 17 };

  for (gsize t = 0; t < G_N_ELEMENTS (n_threads); t++) {
    MienThreads *threads = mien_threads_new (n_threads[t]);
    g_autoptr (GError) error = NULL;
    g_autoptr (MienModel) model = mien_model_load ("small", &error);
    g_assert_no_error (error);
    g_autoptr (MienPredictor) first = mien_predictor_new (model, 1, mien_cpu_level (), MIEN_PRECISION_F32, threads, &error);
    g_autoptr (MienPredictor) second = mien_predictor_new (model, 1, mien_cpu_level (), MIEN_PRECISION_F32, threads, &error);
    const int size = mien_model_get_input_size (model);
    g_autofree float *pixels = g_new (float, size * size);
    float want[MIEN_MODEL_MAX_LABELS], got[MIEN_MODEL_MAX_LABELS];

    for (int i = 0; i < size * size; i++)
      pixels[i] = (float) (i * 7919 % 251);
    g_assert_true (mien_predictor_run (second, pixels, 1, want, &error));
    for (int round = 0; round < 3; round++) {
      g_assert_true (mien_predictor_run (first, pixels, 1, got, &error));
      g_assert_cmpmem (got, mien_model_get_n_labels (model) * sizeof *got, want, mien_model_get_n_labels (model) * sizeof *want);
    }
    g_clear_pointer (&first, mien_predictor_free);
    g_clear_pointer (&second, mien_predictor_free);
    mien_threads_free (threads);
  }
}

/* A predictor that has its network for itself answers the same, knows its layers, and refuses what it has no weights for. */
static void
test_open (void)
{
  for (int precision = MIEN_PRECISION_F32; precision <= MIEN_PRECISION_BF16; precision++)
    for (int n_threads = 1; n_threads <= 2; n_threads++) {
      MienThreads *threads = mien_threads_new (n_threads);
      g_autoptr (GError) error = NULL;
      g_autoptr (MienModel) model = mien_model_load ("small", &error);
      g_autoptr (MienPredictor) usual = mien_predictor_new (model, 1, mien_cpu_level (), (MienPrecision) precision, threads, &error);
      g_autoptr (MienPredictor) lean = mien_predictor_open ("small", mien_cpu_level (), (MienPrecision) precision, threads, &error);
      g_assert_no_error (error);
      const int size = mien_model_get_input_size (model), n_bytes = mien_model_get_n_labels (model) * (int) sizeof (float);
      g_autofree float *pixels = g_new (float, 3 * size * size);
      float want[3 * MIEN_MODEL_MAX_LABELS], got[3 * MIEN_MODEL_MAX_LABELS];

      for (int i = 0; i < 3 * size * size; i++)
        pixels[i] = (float) (i * 7919 % 251);
      g_assert_true (mien_predictor_run (usual, pixels, 3, want, &error));
      g_assert_true (mien_predictor_run (lean, pixels, 3, got, &error));
      g_assert_cmpmem (got, 3 * n_bytes, want, 3 * n_bytes);

      g_autoptr (GPtrArray) layers = mien_model_dup_layers (model, &error);
      g_autoptr (GPtrArray) lean_layers = mien_model_dup_layers (mien_predictor_get_model (lean), &error);
      g_assert_no_error (error);
      g_assert_cmpuint (layers->len, ==, lean_layers->len);
      for (guint i = 0; i < layers->len; i++) {
        const MienLayerInfo *a = g_ptr_array_index (layers, i), *b = g_ptr_array_index (lean_layers, i);
        g_assert_cmpstr (a->op, ==, b->op);
        g_assert_cmpint (a->params, ==, b->params);
        g_assert_cmpint (a->macs, ==, b->macs);
      }
      g_assert_null (mien_predictor_new (mien_predictor_get_model (lean), 1, mien_cpu_level (), (MienPrecision) !precision, threads, &error));
      g_assert_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_UNSUPPORTED);
      g_clear_pointer (&usual, mien_predictor_free);
      g_clear_pointer (&lean, mien_predictor_free);
      mien_threads_free (threads);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/model/guesses", test_guesses);
  g_test_add_func ("/model/metadata", test_metadata);
  g_test_add_func ("/model/bad-metadata", test_bad_metadata);
  g_test_add_func ("/model/refused", test_refused);
  g_test_add_func ("/model/predict", test_predict);
  g_test_add_func ("/model/goes-on", test_goes_on);
  g_test_add_func ("/model/open", test_open);
  g_test_add_func ("/model/fast-precision", test_fast_precision);
  g_test_add_func ("/model/own-copy", test_own_copy);
  g_test_add_func ("/model/save", test_save);
  g_test_add_func ("/model/layers", test_layers);
  g_test_add_func ("/model/default-path", test_default_path);
  g_test_add_func ("/model/shipped", test_shipped);
  g_test_add_func ("/model/odd-files", test_odd_files);
  return g_test_run ();
}
