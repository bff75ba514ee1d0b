/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes the four networks that the engines are compared on, into a folder:
 *
 *   make-reference-networks FOLDER [STAMP]
 *
 *   ref-simple3   convolution 3x3 to 32, pool, to 64, pool, to 128, pool, dense 256, dense 7
 *   ref-vgg       four stages of two convolutions 3x3 and a pool, 64-128-256-512; mean of each map; dense 7
 *   ref-resnet    stem 32; three stages of two residual blocks, 32-64-128, half the size at each new stage; mean; dense 7
 *   ref-xception  two convolutions 3x3 to 8 without padding; four residual blocks of two separable convolutions and a
 *                 pool, 16-32-64-128, beside a 1x1 convolution with stride 2; convolution 3x3 to 7; mean
 *
 * Input [N][1][48][48], N open; output probabilities[N][7]. Batch normalisation stands as nodes of its own, as exporters
 * write it. Weights after He et al. 2015 from a fixed seed, so that every computer gets the same files. The multiply-adds are
 * counted and must be those that the networks are known by. STAMP is a file that is written when all went well. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/mien-random.h"
#include "model/mien-model.h"
#include "onnx/mien-onnx.h"

#define N_LABELS 7

typedef struct {
  MienGraph *graph;
  MienRandom random;
  int value;
  int channels, size;
  int n_layers;
  float last_gain; /* of the last layer's weights: probabilities should be neither even nor all 0 and 1 */
} Net;

static int
constant (Net *net, const char *layer, const char *what, float mean, float deviation, float least, int rank, int a, int b, int c, int d)
{
  const MienShape shape = mien_shape (rank, a, b, c, d);
  g_autofree char *name = g_strdup_printf ("%s.%s", layer, what);
  MienTensor *tensor = mien_tensor_new (MIEN_F32, &shape);
  float *x = tensor->data;

  for (gsize i = 0; i < tensor->n_elems; i++)
    x[i] = MAX (mean + deviation * mien_random_normal (&net->random), least);
  return mien_graph_add_constant (net->graph, name, tensor);
}

static MienNode *
append (Net *net, const char *op, const char *name, const int *inputs, int n_inputs)
{
  net->value = mien_graph_op (net->graph, "", op, name, inputs, n_inputs);
  return mien_graph_producer (net->graph, net->value);
}

static void
set_window (MienNode *node, int kernel, int stride, int pad)
{
  mien_node_set_ints (node, "kernel_shape", (const gint64[]) { kernel, kernel }, 2);
  mien_node_set_ints (node, "strides", (const gint64[]) { stride, stride }, 2);
  mien_node_set_ints (node, "pads", (const gint64[]) { pad, pad, pad, pad }, 4);
}

static float
deviation_for (const Net *net, int fan_in, int channels)
{
  return sqrtf (2.f / fan_in) * (channels == N_LABELS ? net->last_gain : 1);
}

/* biased: with a bias, where no normalisation follows. */
static void
conv (Net *net, int channels, int kernel, int stride, int pad, int groups, gboolean biased)
{
  g_autofree char *name = g_strdup_printf ("conv%d", ++net->n_layers);
  const int fan_in = net->channels / groups * kernel * kernel;
  int inputs[3] = { net->value };
  MienNode *node;

  inputs[1] = constant (net, name, "weight", 0, deviation_for (net, fan_in, channels), -INFINITY, 4, channels, net->channels / groups, kernel, kernel);
  if (biased)
    inputs[2] = constant (net, name, "bias", 0, .05f, -INFINITY, 1, channels, 0, 0, 0);
  node = append (net, "Conv", name, inputs, biased ? 3 : 2);
  set_window (node, kernel, stride, pad);
  mien_node_set_int (node, "group", groups);
  net->channels = channels;
  net->size = (net->size + 2 * pad - kernel) / stride + 1;
}

static void
relu (Net *net)
{
  append (net, "Relu", NULL, &net->value, 1);
}

static void
norm (Net *net, float gain)
{
  g_autofree char *name = g_strdup_printf ("norm%d", net->n_layers);
  const int c = net->channels;
  const int inputs[] = {
    net->value,
    constant (net, name, "scale", gain, .1f * gain, .1f * gain, 1, c, 0, 0, 0),
    constant (net, name, "shift", 0, .1f, -INFINITY, 1, c, 0, 0, 0),
    constant (net, name, "mean", 0, .2f, -INFINITY, 1, c, 0, 0, 0),
    constant (net, name, "var", 1, .2f, .3f, 1, c, 0, 0, 0),
  };

  append (net, "BatchNormalization", name, inputs, G_N_ELEMENTS (inputs));
}

static void
conv_norm_relu (Net *net, int channels, int stride)
{
  conv (net, channels, 3, stride, 1, 1, FALSE);
  norm (net, 1);
  relu (net);
}

static void
max_pool (Net *net, int kernel, int pad)
{
  set_window (append (net, "MaxPool", NULL, &net->value, 1), kernel, 2, pad);
  net->size = (net->size + 2 * pad - kernel) / 2 + 1;
}

static void
flatten (Net *net)
{
  append (net, "Flatten", NULL, &net->value, 1);
  net->channels *= net->size * net->size;
  net->size = 1;
}

static void
mean_of_maps (Net *net)
{
  append (net, "GlobalAveragePool", NULL, &net->value, 1);
  net->size = 1;
  flatten (net);
}

static void
dense (Net *net, int channels)
{
  g_autofree char *name = g_strdup_printf ("dense%d", ++net->n_layers);
  const int inputs[] = {
    net->value,
    constant (net, name, "weight", 0, deviation_for (net, net->channels, channels), -INFINITY, 2, channels, net->channels, 0, 0),
    constant (net, name, "bias", 0, .05f, -INFINITY, 1, channels, 0, 0, 0),
  };

  mien_node_set_int (append (net, "Gemm", name, inputs, 3), "transB", 1);
  net->channels = channels;
}

static void
build_simple3 (Net *net)
{
  for (int channels = 32; channels <= 128; channels *= 2) {
    conv (net, channels, 3, 1, 1, 1, TRUE);
    relu (net);
    max_pool (net, 2, 0);
  }
  flatten (net);
  dense (net, 256);
  relu (net);
  dense (net, N_LABELS);
}

static void
build_vgg (Net *net)
{
  for (int channels = 64; channels <= 512; channels *= 2) {
    conv_norm_relu (net, channels, 1);
    conv_norm_relu (net, channels, 1);
    max_pool (net, 2, 0);
  }
  mean_of_maps (net);
  dense (net, N_LABELS);
}

/* Where size or channels change, the shortcut is a 1x1 convolution with its own normalisation. */
static void
residual_block (Net *net, int channels, int stride)
{
  const Net before = *net;
  int shortcut = net->value, sum[2];

  if (stride != 1 || channels != net->channels) {
    conv (net, channels, 1, stride, 0, 1, FALSE);
    norm (net, 1);
    shortcut = net->value;
    net->value = before.value;
    net->channels = before.channels;
    net->size = before.size;
  }
  conv_norm_relu (net, channels, stride);
  conv (net, channels, 3, 1, 1, 1, FALSE);
  norm (net, .5f);
  sum[0] = net->value;
  sum[1] = shortcut;
  append (net, "Add", NULL, sum, 2);
  relu (net);
}

static void
build_resnet (Net *net)
{
  conv_norm_relu (net, 32, 1);
  for (int channels = 32; channels <= 128; channels *= 2) {
    residual_block (net, channels, channels == 32 ? 1 : 2);
    residual_block (net, channels, 1);
  }
  mean_of_maps (net);
  dense (net, N_LABELS);
}

static void
separable (Net *net, int channels)
{
  conv (net, net->channels, 3, 1, 1, net->channels, FALSE);
  conv (net, channels, 1, 1, 0, 1, FALSE);
  norm (net, 1);
}

static void
build_xception (Net *net)
{
  for (int i = 0; i < 2; i++) {
    conv (net, 8, 3, 1, 0, 1, FALSE);
    norm (net, 1);
    relu (net);
  }
  for (int channels = 16; channels <= 128; channels *= 2) {
    const Net before = *net;
    int sum[2];

    separable (net, channels);
    relu (net);
    separable (net, channels);
    max_pool (net, 3, 1);
    sum[0] = net->value;
    net->value = before.value;
    net->channels = before.channels;
    net->size = before.size;
    conv (net, channels, 1, 2, 0, 1, FALSE);
    norm (net, .5f);
    sum[1] = net->value;
    append (net, "Add", NULL, sum, 2);
  }
  conv (net, N_LABELS, 3, 1, 1, 1, TRUE);
  mean_of_maps (net);
}

static const struct {
  const char *name;
  int mflop; /* two for each multiply-add */
  float last_gain;
  void (*build) (Net *net);
} networks[] = {
  { "ref-simple3", 46, .5f, build_simple3 },
  { "ref-vgg", 937, .5f, build_vgg },
  { "ref-resnet", 473, .4f, build_resnet },
  { "ref-xception", 11, .02f, build_xception },
};

static gboolean
write_network (const char *folder, int i, GError **error)
{
  g_autofree char *file = g_strconcat (networks[i].name, ".onnx", NULL), *path = g_build_filename (folder, file, NULL);
  const MienShape input = mien_shape (4, -1, 1, 48, 48), output = mien_shape (2, -1, N_LABELS);
  g_autoptr (MienGraph) graph = mien_graph_new (networks[i].name, 13);
  Net net = { .graph = graph, .channels = 1, .size = 48, .last_gain = networks[i].last_gain };
  g_autoptr (MienModel) model = NULL;
  g_autoptr (GPtrArray) layers = NULL;
  double mflop = 0;
  int probabilities;

  mien_random_seed (&net.random, 48 + i);
  net.value = mien_graph_add_input (graph, "face", MIEN_F32, &input);
  networks[i].build (&net);
  probabilities = mien_graph_add_value (graph, "probabilities", MIEN_F32, &output);
  mien_node_set_int (mien_graph_node (graph, mien_graph_add_node (graph, "", "Softmax", "softmax", &net.value, 1, &probabilities, 1)),
                     "axis", 1);
  mien_graph_add_output (graph, probabilities);

  if (!mien_graph_sort (graph, error) || !mien_onnx_write (graph, path, error))
    return FALSE;
  model = mien_model_load (path, error);
  layers = model != NULL ? mien_model_dup_layers (model, error) : NULL;
  if (layers == NULL)
    return FALSE;
  for (guint l = 0; l < layers->len; l++)
    mflop += 2e-6 * ((MienLayerInfo *) g_ptr_array_index (layers, l))->macs;
  g_print ("%s: %.1f MFLOP a face\n", file, mflop);
  if (fabs (mflop - networks[i].mflop) > .5) {
    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_SHAPE, "%s: %.1f MFLOP a face, but it should be %d", file, mflop,
                 networks[i].mflop);
    return FALSE;
  }
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  if (argc < 2) {
    g_printerr ("usage: make-reference-networks FOLDER [STAMP]\n");
    return 2;
  }
  g_mkdir_with_parents (argv[1], 0777);
  for (guint i = 0; i < G_N_ELEMENTS (networks); i++) {
    if (!write_network (argv[1], i, &error)) {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  }
  if (argc > 2 && !g_file_set_contents (argv[2], "", 0, &error)) {
    g_printerr ("%s\n", error->message);
    return 1;
  }
  return 0;
}
