/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keras models: each kind of layer against plain loops in Keras's own layout (rows, columns, channels), networks by others against
 * their known answers, and odd files by their index. */
#include <math.h>
#include <string.h>

#include "hdf5-writer.h"
#include "keras/mien-keras.h"
#include "mien-test.h"
#include "model/mien-model.h"
#include "model/mien-npy.h"
#include "nn/mien-plan.h"

enum { H = 7, W = 8, C = 3, N_IN = H * W * C, MAX_OUT = 4096 };

static const char INPUT[] = "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"in\",\"batch_input_shape\":[null,7,8,3]}}";

/* Numbers that are the same wherever they are asked for. */
static float
number (int kind, int i)
{
  return (float) (((i * 7919 + kind * 104729) % 2003) / 1001.5 - 1);
}

static float
input_at (int y, int x, int c)
{
  return y < 0 || y >= H || x < 0 || x >= W ? 0 : number (0, (y * W + x) * C + c);
}

/* A layer and its weights. */
typedef struct {
  const char *json; /* the layer */
  const char *weights[3];
  int dims[3][4], rank[3];
} Case;

static GByteArray *
make_file (const char *config, const char *layer, const Case *c)
{
  HdfArray arrays[3];
  GByteArray *file;
  float *values[3];
  int n = 0;

  for (; n < 3 && c->weights[n] != NULL; n++) {
    int n_elems = 1;
    for (int i = 0; i < c->rank[n]; i++)
      n_elems *= c->dims[n][i];
    values[n] = g_new (float, n_elems);
    for (int i = 0; i < n_elems; i++)
      values[n][i] = strstr (c->weights[n], "variance") != NULL ? 1.5f + number (n + 1, i) : number (n + 1, i);
    arrays[n] = (HdfArray) { c->weights[n], c->rank[n], c->dims[n], values[n] };
  }
  file = hdf_write (config, layer, arrays, n, NULL);
  while (n > 0)
    g_free (values[--n]);
  return file;
}

static char *
write_bytes (const char *dir, const char *name, const void *data, gsize n)
{
  char *path = g_build_filename (dir, name, NULL);

  g_assert_true (g_file_set_contents_full (path, data, (gssize) n, G_FILE_SET_CONTENTS_NONE, 0600, NULL)); /* no waiting for the disc */
  return path;
}

/* The answer of a network to one picture, flattened in Keras's order. */
static int
run (MienGraph *graph, const MienTensor *input, float *out)
{
  const MienPlanOptions options = { .cpu = mien_cpu_level () };
  g_autoptr (GError) error = NULL;
  g_autoptr (MienPlan) plan = mien_plan_new (graph, &input->shape, &options, &error);
  g_autoptr (MienContext) context = NULL;
  const MienTensor *inputs[] = { input };

  g_assert_no_error (error);
  context = mien_context_new (plan, &error);
  g_assert_no_error (error);
  g_assert_true (mien_context_run (context, inputs, &error));
  const MienTensor *answer = mien_context_output (context, 0);
  g_assert_cmpuint (answer->n_elems, <=, MAX_OUT);
  memcpy (out, answer->data, mien_tensor_n_bytes (answer));
  return (int) answer->n_elems;
}

static int
run_case (const Case *c, float *out)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *config = g_strdup_printf ("{\"class_name\":\"Sequential\",\"config\":{\"name\":\"s\",\"layers\":[%s,%s,"
                                             "{\"class_name\":\"Flatten\",\"config\":{\"name\":\"flat\"}}]}}", INPUT, c->json);
  g_autoptr (GByteArray) file = make_file (config, "l", c);
  g_autofree char *path = write_bytes (dir, "m.h5", file->data, file->len);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienGraph) graph = mien_keras_read (path, NULL, &error);
  const MienShape shape = mien_shape (4, 1, H, W, C);
  g_autoptr (MienTensor) input = mien_tensor_new (MIEN_F32, &shape);

  mien_test_remove_dir (dir);
  g_assert_no_error (error);
  for (int i = 0; i < N_IN; i++)
    mien_tensor_f32 (input)[i] = number (0, i);
  return run (graph, input, out);
}

static void
assert_near (const float *got, int n_got, const double *want, int n_want)
{
  g_assert_cmpint (n_got, ==, n_want);
  for (int i = 0; i < n_got; i++)
    g_assert_cmpfloat_with_epsilon (got[i], want[i], 2e-5);
}

/* 3x2 windows, stride 2, same: 7 rows give 4 (3 more above and below: 1 and 1), 8 columns give 4 (no more needed). */
static void
test_conv (void)
{
  const Case c = { "{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"l\",\"filters\":5,\"kernel_size\":[3,2],\"strides\":[2,2],"
                   "\"padding\":\"same\",\"activation\":\"relu\",\"use_bias\":true}}",
                   { "kernel:0", "bias:0" }, { { 3, 2, C, 5 }, { 5 } }, { 4, 1 } };
  float got[MAX_OUT];
  double want[4 * 4 * 5];
  int n = 0;

  for (int p = 0; p < 4; p++)
    for (int q = 0; q < 4; q++)
      for (int k = 0; k < 5; k++) {
        double sum = number (2, k);
        for (int r = 0; r < 3; r++)
          for (int s = 0; s < 2; s++)
            for (int ch = 0; ch < C; ch++)
              sum += input_at (2 * p + r - 1, 2 * q + s, ch) * number (1, ((r * 2 + s) * C + ch) * 5 + k);
        want[n++] = MAX (sum, 0);
      }
  assert_near (got, run_case (&c, got), want, n);
}

/* Two outputs a channel, dilation 2, valid; then all channels mixed (separable). */
static void
test_depthwise (gconstpointer data)
{
  const gboolean separable = GPOINTER_TO_INT (data);
  const Case one = { "{\"class_name\":\"DepthwiseConv2D\",\"config\":{\"name\":\"l\",\"kernel_size\":[2,3],\"strides\":[1,1],"
                     "\"dilation_rate\":[2,2],\"depth_multiplier\":2,\"padding\":\"valid\",\"use_bias\":true,\"activation\":\"linear\"}}",
                     { "depthwise_kernel:0", "bias:0" }, { { 2, 3, C, 2 }, { C * 2 } }, { 4, 1 } };
  const Case two = { "{\"class_name\":\"SeparableConv2D\",\"config\":{\"name\":\"l\",\"filters\":4,\"kernel_size\":[2,3],\"strides\":[1,1],"
                     "\"dilation_rate\":[2,2],\"depth_multiplier\":2,\"padding\":\"valid\",\"use_bias\":true,\"activation\":\"tanh\"}}",
                     { "depthwise_kernel:0", "pointwise_kernel:0", "bias:0" }, { { 2, 3, C, 2 }, { 1, 1, C * 2, 4 }, { 4 } }, { 4, 4, 1 } };
  const int rows = H - 2, columns = W - 4;
  float got[MAX_OUT];
  double want[MAX_OUT];
  int n = 0;

  for (int p = 0; p < rows; p++)
    for (int q = 0; q < columns; q++) {
      double middle[C * 2];
      for (int ch = 0; ch < C; ch++)
        for (int m = 0; m < 2; m++) {
          middle[ch * 2 + m] = 0;
          for (int r = 0; r < 2; r++)
            for (int s = 0; s < 3; s++)
              middle[ch * 2 + m] += input_at (p + 2 * r, q + 2 * s, ch) * number (1, ((r * 3 + s) * C + ch) * 2 + m);
        }
      for (int k = 0; !separable && k < C * 2; k++)
        want[n++] = middle[k] + number (2, k);
      for (int k = 0; separable && k < 4; k++) {
        double sum = number (3, k);
        for (int i = 0; i < C * 2; i++)
          sum += middle[i] * number (2, i * 4 + k);
        want[n++] = tanh (sum);
      }
    }
  assert_near (got, run_case (separable ? &two : &one, got), want, n);
}

/* Windows of 3, stride 2, same: rows have one of padding on each side, columns only behind (0 before, 1 behind). */
static void
test_pools (gconstpointer data)
{
  const gboolean average = GPOINTER_TO_INT (data);
  const Case c = { average ? "{\"class_name\":\"AveragePooling2D\",\"config\":{\"name\":\"l\",\"pool_size\":3,\"strides\":2,\"padding\":\"same\"}}"
                           : "{\"class_name\":\"MaxPooling2D\",\"config\":{\"name\":\"l\",\"pool_size\":[3,3],\"strides\":[2,2],\"padding\":\"same\"}}" };
  float got[MAX_OUT];
  double want[MAX_OUT];
  int n = 0;

  for (int p = 0; p < 4; p++)
    for (int q = 0; q < 4; q++)
      for (int ch = 0; ch < C; ch++) {
        double sum = 0, max = -INFINITY;
        int inside = 0;
        for (int y = 2 * p - 1; y < 2 * p + 2; y++)
          for (int x = 2 * q; x < 2 * q + 3; x++)
            if (y >= 0 && y < H && x < W) {
              sum += input_at (y, x, ch);
              max = MAX (max, input_at (y, x, ch));
              inside++;
            }
        want[n++] = average ? sum / inside : max;
      }
  assert_near (got, run_case (&c, got), want, n);
}

static void
test_zero_padding (void)
{
  const Case c = { "{\"class_name\":\"ZeroPadding2D\",\"config\":{\"name\":\"l\",\"padding\":[[1,2],[0,3]]}}" };
  float got[MAX_OUT];
  double want[MAX_OUT];
  int n = 0;

  for (int y = -1; y < H + 2; y++)
    for (int x = 0; x < W + 3; x++)
      for (int ch = 0; ch < C; ch++)
        want[n++] = input_at (y, x, ch);
  assert_near (got, run_case (&c, got), want, n);
}

static void
test_batch_normalization (void)
{
  const Case c = { "{\"class_name\":\"BatchNormalization\",\"config\":{\"name\":\"l\",\"axis\":[3],\"epsilon\":0.01,\"scale\":false,\"center\":true}}",
                   { "beta:0", "moving_mean:0", "moving_variance:0" }, { { C }, { C }, { C } }, { 1, 1, 1 } };
  float got[MAX_OUT];
  double want[N_IN];

  for (int i = 0; i < N_IN; i++)
    want[i] = (number (0, i) - number (2, i % C)) / sqrt (1.5f + number (3, i % C) + 0.01) + number (1, i % C);
  assert_near (got, run_case (&c, got), want, N_IN);
}

static void
test_pointwise (void)
{
  static const struct {
    const char *json;
    double lo, hi, slope; /* below zero */
  } kinds[] = {
    { "{\"class_name\":\"ReLU\",\"config\":{\"name\":\"l\",\"max_value\":0.5}}", 0, 0.5, 0 },
    { "{\"class_name\":\"LeakyReLU\",\"config\":{\"name\":\"l\"}}", -9, 9, 0.3 },
    { "{\"class_name\":\"LeakyReLU\",\"config\":{\"name\":\"l\",\"alpha\":[0.25]}}", -9, 9, 0.25 },
    { "{\"class_name\":\"Activation\",\"config\":{\"name\":\"l\",\"activation\":{\"class_name\":\"function\",\"config\":\"relu\"}}}", 0, 9, 0 },
    { "{\"class_name\":\"Dropout\",\"config\":{\"name\":\"l\",\"rate\":0.5}}", -9, 9, 1 },
  };
  float got[MAX_OUT];
  double want[N_IN];

  for (gsize k = 0; k < G_N_ELEMENTS (kinds); k++) {
    const Case c = { kinds[k].json };
    for (int i = 0; i < N_IN; i++)
      want[i] = CLAMP (number (0, i) < 0 ? number (0, i) * kinds[k].slope : number (0, i), kinds[k].lo, kinds[k].hi);
    assert_near (got, run_case (&c, got), want, N_IN);
  }
}

/* Dense behind Flatten, in both orders of channels: the same numbers in, the same weights, different answers. */
static void
test_dense (gconstpointer data)
{
  const gboolean first = GPOINTER_TO_INT (data);
  const Case c = { NULL, { "kernel", "bias" }, { { N_IN, 4 }, { 4 } }, { 2, 1 } };
  g_autofree char *config = g_strdup_printf ("{\"class_name\":\"Sequential\",\"config\":[{\"class_name\":\"Flatten\",\"config\":{\"name\":\"f\","
                                             "\"data_format\":\"%s\",\"batch_input_shape\":%s}},"
                                             "{\"class_name\":\"Dense\",\"config\":{\"name\":\"l\",\"units\":4,\"activation\":\"linear\"}}]}",
                                             first ? "channels_first" : "channels_last", first ? "[null,3,7,8]" : "[null,7,8,3]");
  g_autofree char *dir = mien_test_make_dir ();
  g_autoptr (GByteArray) file = make_file (config, "l", &c);
  g_autofree char *path = write_bytes (dir, "m.h5", file->data, file->len);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienGraph) graph = mien_keras_read (path, NULL, &error);
  const MienShape shape = first ? mien_shape (4, 1, C, H, W) : mien_shape (4, 1, H, W, C);
  g_autoptr (MienTensor) input = mien_tensor_new (MIEN_F32, &shape);
  float got[MAX_OUT];
  double want[4];

  g_assert_no_error (error);
  for (int k = 0; k < 4; k++) {
    want[k] = number (2, k);
    for (int i = 0; i < N_IN; i++)
      want[k] += number (0, i) * number (1, i * 4 + k);
  }
  for (int i = 0; i < N_IN; i++)
    mien_tensor_f32 (input)[i] = number (0, i);
  assert_near (got, run (graph, input, got), want, 4);
  mien_test_remove_dir (dir);
}

/* Branches, layers out of order, and the newest way to write what comes from where. */
static void
test_functional (void)
{
  static const char config[] =
    "{\"class_name\":\"Functional\",\"config\":{\"name\":\"f\",\"layers\":["
    "{\"class_name\":\"Flatten\",\"name\":\"flat\",\"config\":{\"name\":\"flat\"},\"inbound_nodes\":[[[\"sum\",0,0,{}]]]},"
    "{\"class_name\":\"InputLayer\",\"name\":\"in\",\"config\":{\"name\":\"in\",\"batch_shape\":[null,7,8,3]},\"inbound_nodes\":[]},"
    "{\"class_name\":\"ReLU\",\"name\":\"l\",\"config\":{\"name\":\"l\"},\"inbound_nodes\":[{\"args\":[{\"class_name\":\"__keras_tensor__\","
    "\"config\":{\"shape\":[null,7,8,3],\"keras_history\":[\"in\",0,0]}}],\"kwargs\":{}}]},"
    "{\"class_name\":\"Concatenate\",\"name\":\"both\",\"config\":{\"name\":\"both\",\"axis\":-1},\"inbound_nodes\":[[[\"in\",0,0,{}],[\"l\",0,0,{}]]]},"
    "{\"class_name\":\"Concatenate\",\"name\":\"other\",\"config\":{\"name\":\"other\",\"axis\":3},\"inbound_nodes\":[[[\"l\",0,0,{}],[\"l\",0,0,{}]]]},"
    "{\"class_name\":\"Add\",\"name\":\"sum\",\"config\":{\"name\":\"sum\"},\"inbound_nodes\":[[[\"both\",0,0,{}],[\"other\",0,0,{}]]]}],"
    "\"input_layers\":[[\"in\",0,0]],\"output_layers\":[\"flat\",0,0]}}";
  const Case none = { NULL };
  g_autofree char *dir = mien_test_make_dir ();
  g_autoptr (GByteArray) file = make_file (config, "l", &none);
  g_autofree char *path = write_bytes (dir, "m.h5", file->data, file->len);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienGraph) graph = mien_keras_read (path, NULL, &error);
  const MienShape shape = mien_shape (4, 1, H, W, C);
  g_autoptr (MienTensor) input = mien_tensor_new (MIEN_F32, &shape);
  float got[MAX_OUT];
  double want[2 * N_IN];

  g_assert_no_error (error);
  for (int i = 0; i < N_IN; i++) {
    const float x = mien_tensor_f32 (input)[i] = number (0, i);
    want[i / C * 2 * C + i % C] = x + MAX (x, 0);
    want[i / C * 2 * C + C + i % C] = 2 * MAX (x, 0);
  }
  assert_near (got, run (graph, input, got), want, 2 * N_IN);
  mien_test_remove_dir (dir);
}

static void
assert_sentence (const GError *error, const char *path)
{
  g_autofree char *name = g_path_get_basename (path);

  g_assert_nonnull (error);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_null (strchr (error->message, '\n'));
  g_assert_cmpuint (strlen (error->message), <, 1000);
  g_assert_true (g_str_has_prefix (error->message, name));
}

/* Descriptions that are wrong in one place. */
static void
test_refused (void)
{
  static const struct {
    const char *layers, *says;
  } cases[] = {
    { "{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"l\",\"filters\":3000000000,\"kernel_size\":3}}", "filters" },
    { "{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"l\",\"filters\":2}}", "kernel_size" },
    { "{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"l\",\"filters\":2,\"kernel_size\":[3,3],\"strides\":[0,1]}}", "strides" },
    { "{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"l\",\"filters\":2,\"kernel_size\":9}}", "larger than the picture" },
    { "{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"l\",\"filters\":2,\"kernel_size\":3}}", "no weight “kernel”" },
    { "{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"l\",\"filters\":\"two\",\"kernel_size\":3}}", "filters" },
    { "{\"class_name\":\"MaxPooling2D\",\"config\":{\"name\":\"l\",\"padding\":\"causal\"}}", "causal" },
    { "{\"class_name\":\"Activation\",\"config\":{\"name\":\"l\",\"activation\":\"magic\"}}", "magic" },
    { "{\"class_name\":\"Dense\",\"config\":{\"name\":\"l\",\"units\":2}}", "dense layer over a picture" },
    { "{\"class_name\":\"Flatten\",\"config\":{\"name\":\"in\"}}", "one name" },
    { "{\"class_name\":\"BatchNormalization\",\"config\":{\"name\":\"l\",\"axis\":1}}", "axis" },
    { "{\"class_name\":\"LSTM\",\"config\":{\"name\":\"l\"}}", "(LSTM)" },
    { "{\"class_name\":\"Lambda\",\"config\":{\"name\":\"l\"}}", "never run" },
    { "{\"class_name\":7,\"config\":{\"name\":\"l\"}}", "not one of Keras" },
    { "17", "not one of Keras" },
  };
  g_autofree char *dir = mien_test_make_dir ();

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *config = g_strdup_printf ("{\"class_name\":\"Sequential\",\"config\":{\"layers\":[%s,%s]}}", INPUT, cases[i].layers);
    const Case none = { NULL };
    g_autoptr (GByteArray) file = make_file (config, "l", &none);
    g_autofree char *path = write_bytes (dir, "m.h5", file->data, file->len);
    g_autoptr (GError) error = NULL;

    g_assert_null (mien_keras_read (path, NULL, &error));
    assert_sentence (error, path);
    if (strstr (error->message, cases[i].says) == NULL)
      g_error ("%s does not say %s", error->message, cases[i].says);
  }
  mien_test_remove_dir (dir);
}

static int
find_largest (const float *p, int n)
{
  int largest = 0;

  for (int i = 1; i < n; i++)
    if (p[i] > p[largest])
      largest = i;
  return largest;
}

/* Networks by others: 32 faces each, the answers of other programs. */
static void
test_real (gconstpointer data)
{
  const char *const *files = data; /* folder, model, weights */
  g_autofree char *folder = mien_test_shared (files[0]);
  g_autoptr (GError) error = NULL;
  MienTensor *arrays[2];
  float got[32 * 7];

  if (folder == NULL)
    return;
  g_autofree char *path = g_build_filename (folder, files[1], NULL);
  g_autofree char *weights = files[2] != NULL ? g_build_filename (folder, files[2], NULL) : NULL;
  for (int i = 0; i < 2; i++) {
    g_autofree char *name = g_build_filename (folder, i == 0 ? "input.npy" : "expected.npy", NULL);
    arrays[i] = mien_npy_read (name, &error);
    g_assert_no_error (error);
  }
  g_autoptr (MienTensor) input = arrays[0], expected = arrays[1];
  g_autoptr (MienGraph) graph = mien_keras_read (path, weights, &error);
  g_assert_no_error (error);
  g_assert_cmpint (run (graph, input, got), ==, 32 * 7);
  const float *want = mien_tensor_f32 (expected);
  for (int i = 0; i < 32; i++)
    g_assert_cmpint (find_largest (got + 7 * i, 7), ==, find_largest (want + 7 * i, 7));
  for (int i = 0; i < 32 * 7; i++)
    g_assert_cmpfloat_with_epsilon (got[i], want[i], 1e-5);
  if (weights == NULL) { /* the whole program opens it as it is */
    g_autoptr (MienModel) model = mien_model_load (path, &error);
    g_assert_no_error (error);
    g_assert_cmpint (mien_model_get_n_labels (model), ==, 7);
    g_assert_true (mien_model_is_guessed (model));
  }
}

static void
test_odd (void)
{
  g_autofree char *index_path = mien_test_shared ("odd/index.tsv");
  g_autofree char *index = NULL, *folder = NULL;
  int n_files = 0;

  if (index_path == NULL)
    return;
  g_assert_true (g_file_get_contents (index_path, &index, NULL, NULL));
  folder = g_path_get_dirname (index_path);
  g_auto (GStrv) rows = g_strsplit (index, "\n", -1);
  for (int i = 0; rows[i] != NULL; i++) {
    g_auto (GStrv) fields = g_strsplit (rows[i], "\t", 4);
    if (!g_str_has_prefix (rows[i], "models/keras-"))
      continue;
    g_autofree char *path = g_build_filename (folder, fields[0], NULL);
    g_autoptr (GError) error = NULL;
    g_autoptr (MienModel) model = mien_model_load (path, &error);
    n_files++;
    g_test_message ("%s: %s", fields[0], error != NULL ? error->message : "opened");
    if (model == NULL)
      assert_sentence (error, path);
    if (!g_str_equal (fields[1], "either"))
      g_assert_cmpint (model != NULL, ==, g_str_equal (fields[1], "open"));
  }
  g_assert_cmpint (n_files, ==, 14);

  /* The control, fed 0.5 everywhere. */
  static const float want[] = { 0.0016f, 0.0043f, 0.0116f, 0.0315f, 0.0856f, 0.2328f, 0.6327f };
  g_autofree char *path = g_build_filename (folder, "models/keras-good-tiny.h5", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienGraph) graph = mien_keras_read (path, NULL, &error);
  const MienShape shape = mien_shape (4, 1, 48, 48, 1);
  g_autoptr (MienTensor) input = mien_tensor_new (MIEN_F32, &shape);
  float got[7];
  for (gsize i = 0; i < input->n_elems; i++)
    mien_tensor_f32 (input)[i] = 0.5f;
  g_assert_cmpint (run (graph, input, got), ==, 7);
  for (int i = 0; i < 7; i++)
    g_assert_cmpfloat_with_epsilon (got[i], want[i], 6e-5);
}

int
main (int argc, char **argv)
{
  static const char *const mini_102[] = { "models/oarriaga-mini-xception-102", "fer2013_mini_XCEPTION.102-0.66.hdf5", NULL };
  static const char *const mini_119[] = { "models/oarriaga-mini-xception-119", "fer2013_mini_XCEPTION.119-0.65.hdf5", NULL };
  static const char *const sequential[] = { "models/yashsharan-sequential", "emotion_model.hdf5", NULL };
  static const char *const two_files[] = { "models/akipekoren-weights-and-json", "fer.json", "fer.h5" };

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/keras/conv", test_conv);
  g_test_add_data_func ("/keras/depthwise", GINT_TO_POINTER (FALSE), test_depthwise);
  g_test_add_data_func ("/keras/separable", GINT_TO_POINTER (TRUE), test_depthwise);
  g_test_add_data_func ("/keras/max-pooling", GINT_TO_POINTER (FALSE), test_pools);
  g_test_add_data_func ("/keras/average-pooling", GINT_TO_POINTER (TRUE), test_pools);
  g_test_add_func ("/keras/zero-padding", test_zero_padding);
  g_test_add_func ("/keras/batch-normalization", test_batch_normalization);
  g_test_add_func ("/keras/pointwise", test_pointwise);
  g_test_add_data_func ("/keras/dense/channels-last", GINT_TO_POINTER (FALSE), test_dense);
  g_test_add_data_func ("/keras/dense/channels-first", GINT_TO_POINTER (TRUE), test_dense);
  g_test_add_func ("/keras/functional", test_functional);
  g_test_add_func ("/keras/refused", test_refused);
  g_test_add_data_func ("/keras/real/mini-xception-102", mini_102, test_real);
  g_test_add_data_func ("/keras/real/mini-xception-119", mini_119, test_real);
  g_test_add_data_func ("/keras/real/sequential", sequential, test_real);
  g_test_add_data_func ("/keras/real/two-files", two_files, test_real);
  g_test_add_func ("/keras/odd", test_odd);
  return g_test_run ();
}
