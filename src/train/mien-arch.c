/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The architectures, and the layers they are made of. */
#include "train/mien-arch.h"

#include <math.h>
#include <string.h>

#include "data/mien-dataset.h"
#include "data/mien-random.h"
#include "nn/mien-passes.h"

static int
add_parameter (MienNet *net, GArray *list, const char *layer, const char *what, int rank, int a, int b, int c, int d)
{
  const MienShape shape = mien_shape (rank, a, b, c, d);
  g_autofree char *name = g_strdup_printf ("%s.%s", layer, what);
  const int value = mien_graph_add_parameter (net->graph, name, mien_tensor_new (MIEN_F32, &shape));

  g_array_append_val (list, value);
  return value;
}

static MienNode *
append (MienNet *net, const char *domain, const char *op, const char *name, const int *inputs, int n_inputs)
{
  net->value = mien_graph_op (net->graph, domain, op, name, inputs, n_inputs);
  return mien_graph_producer (net->graph, net->value);
}

/* A layer of n_outputs numbers a pixel, each a sum of n_terms products and, once the normalisation is folded, a bias. */
static void
count (MienNet *net, gint64 n_terms, gint64 n_outputs)
{
  net->cost.params += (n_terms + 1) * n_outputs;
  net->cost.macs += n_terms * n_outputs * net->height * net->width;
}

/* Batch normalisation and, if asked for, Relu (in training graphs in the same node). */
static void
normalise (MienNet *net, const char *layer, gboolean rectify)
{
  const int scale = add_parameter (net, net->others, layer, "scale", 1, net->channels, 0, 0, 0);
  const int shift = add_parameter (net, net->others, layer, "shift", 1, net->channels, 0, 0, 0);
  g_autofree char *mean_name = g_strdup_printf ("%s.mean", layer), *var_name = g_strdup_printf ("%s.var", layer);
  g_autofree char *norm_name = g_strdup_printf ("%s.norm", layer), *relu_name = g_strdup_printf ("%s.relu", layer);
  const MienShape shape = mien_shape (1, net->channels);
  MienNetStats stats = { .batch_mean = -1, .batch_var = -1 };

  stats.mean = mien_graph_add_parameter (net->graph, mean_name, mien_tensor_new (MIEN_F32, &shape));
  stats.var = mien_graph_add_parameter (net->graph, var_name, mien_tensor_new (MIEN_F32, &shape));
  if (net->training) {
    const int inputs[] = { net->value, scale, shift };
    int outputs[3];
    for (int i = 0; i < 3; i++)
      outputs[i] = mien_graph_add_value (net->graph, NULL, MIEN_F32, NULL);
    MienNode *node = mien_graph_node (net->graph, mien_graph_add_node (net->graph, "mien", "BatchNormTrain", norm_name, inputs, 3, outputs, 3));
    if (rectify)
      mien_node_set_float (node, "mien.lo", 0);
    net->value = outputs[0];
    stats.batch_mean = outputs[1];
    stats.batch_var = outputs[2];
  } else {
    const int inputs[] = { net->value, scale, shift, stats.mean, stats.var };
    append (net, "", "BatchNormalization", norm_name, inputs, 5);
    if (rectify)
      append (net, "", "Relu", relu_name, &net->value, 1);
  }
  g_array_append_val (net->stats, stats);
}

static void
add_conv (MienNet *net, int channels, int size, gboolean rectify)
{
  g_autofree char *layer = g_strdup_printf ("conv%d", ++net->n_convs);
  const int w = add_parameter (net, net->weights, layer, "weight", 4, channels, net->channels, size, size);
  const int inputs[] = { net->value, w };
  const gint64 kernel[] = { size, size }, pads[] = { size / 2, size / 2, size / 2, size / 2 };
  MienNode *node = append (net, "", "Conv", layer, inputs, 2);

  mien_node_set_ints (node, "kernel_shape", kernel, 2);
  mien_node_set_ints (node, "pads", pads, 4);
  count (net, (gint64) net->channels * size * size, channels);
  net->channels = channels;
  normalise (net, layer, rectify);
}

/* Convolution size x size (odd) that keeps height and width, batch normalisation, Relu. */
static void
conv (MienNet *net, int channels, int size)
{
  add_conv (net, channels, size, TRUE);
}

/* x + two 3x3 convolutions of x, then Relu (He et al. 2016). In training the branch is left out now and then. */
static void
residual (MienNet *net)
{
  const int x = net->value, join = ++net->n_joins;
  g_autofree char *add_name = g_strdup_printf ("join%d", join), *relu_name = g_strdup_printf ("join%d.relu", join);

  add_conv (net, net->channels, 3, TRUE);
  add_conv (net, net->channels, 3, FALSE);
  if (net->training && net->drop_path > 0) {
    MienNode *node = append (net, "mien", "DropoutTrain", NULL, &net->value, 1);
    mien_node_set_float (node, "ratio", net->drop_path);
    mien_node_set_int (node, "salt", 1000 + join);
    mien_node_set_int (node, "rows", 1);
  }
  const int both[] = { x, net->value };
  append (net, "", "Add", add_name, both, 2);
  append (net, "", "Relu", relu_name, &net->value, 1);
}

static void
max_pool (MienNet *net)
{
  g_autofree char *name = g_strdup_printf ("pool%d", net->n_convs);
  const gint64 two[] = { 2, 2 };
  MienNode *node = append (net, "", "MaxPool", name, &net->value, 1);

  mien_node_set_ints (node, "kernel_shape", two, 2);
  mien_node_set_ints (node, "strides", two, 2);
  net->height /= 2;
  net->width /= 2;
}

/* A convolution, residual blocks, half the height and width. */
static void
stage (MienNet *net, int channels, int n_residuals)
{
  conv (net, channels, 3);
  for (int i = 0; i < n_residuals; i++)
    residual (net);
  max_pool (net);
}

/* share: of the recipe's dropout. Gone from networks for use. */
static void
dropout (MienNet *net, float share)
{
  net->n_dropouts++;
  if (!net->training || net->dropout <= 0)
    return;
  MienNode *node = append (net, "mien", "DropoutTrain", NULL, &net->value, 1);
  mien_node_set_float (node, "ratio", net->dropout * share);
  mien_node_set_int (node, "salt", net->n_dropouts);
}

static void
average_all (MienNet *net)
{
  append (net, "", "GlobalAveragePool", "average", &net->value, 1);
  append (net, "", "Flatten", "flatten", &net->value, 1);
  net->height = net->width = 1;
}

static void
flatten (MienNet *net)
{
  append (net, "", "Flatten", "flatten", &net->value, 1);
  net->channels *= net->height * net->width;
  net->height = net->width = 1;
}

/* The last layer: answers before softmax. */
static void
classify (MienNet *net)
{
  const int w = add_parameter (net, net->weights, "fc_out", "weight", 2, MIEN_DATASET_N_LABELS, net->channels, 0, 0);
  const int b = add_parameter (net, net->others, "fc_out", "bias", 1, MIEN_DATASET_N_LABELS, 0, 0, 0);
  const int inputs[] = { net->value, w, b };

  mien_node_set_int (append (net, "", "Gemm", "fc_out", inputs, 3), "transB", 1);
  count (net, net->channels, MIEN_DATASET_N_LABELS);
  net->channels = MIEN_DATASET_N_LABELS;
}

/* A hidden dense layer with batch normalisation and Relu. */
static void
dense (MienNet *net, int n_outputs)
{
  g_autofree char *layer = g_strdup_printf ("fc%d", ++net->n_fcs);
  const int w = add_parameter (net, net->weights, layer, "weight", 2, n_outputs, net->channels, 0, 0);
  const int inputs[] = { net->value, w };

  mien_node_set_int (append (net, "", "Gemm", layer, inputs, 2), "transB", 1);
  count (net, net->channels, n_outputs);
  net->channels = n_outputs;
  normalise (net, layer, TRUE);
}

/* An answer from the mean of every map. */
static void
answer (MienNet *net)
{
  average_all (net);
  dropout (net, 1);
  classify (net);
}

static void
build_nano (MienNet *net)
{
  stage (net, 16, 0); /* to 24 x 24 */
  stage (net, 16, 0); /* 12 x 12 */
  stage (net, 32, 0); /* 6 x 6 */
  conv (net, 64, 3);
  stage (net, 64, 0); /* 3 x 3 */
  conv (net, 128, 3);
  flatten (net);
  dropout (net, 1);
  classify (net);
}

static void
build_tutor (MienNet *net)
{
  stage (net, 32, 0); /* to 24 x 24 */
  stage (net, 48, 1); /* 12 x 12 */
  stage (net, 96, 2); /* 6 x 6 */
  conv (net, 192, 3);
  residual (net);
  answer (net);
}

/* Maps double with every halving of the picture. */
static void
pyramid (MienNet *net, int width)
{
  stage (net, width, 0); /* to 24 x 24 */
  conv (net, 2 * width, 3);
  stage (net, 2 * width, 0); /* 12 x 12 */
  stage (net, 4 * width, 1); /* 6 x 6 */
  stage (net, 8 * width, 1); /* 3 x 3 */
}

static void
build_small (MienNet *net)
{
  pyramid (net, 16);
  conv (net, 256, 3);
  answer (net);
}

static void
build_best (MienNet *net)
{
  pyramid (net, 32);
  answer (net);
}

static void
build_master (MienNet *net)
{
  pyramid (net, 32);
  conv (net, 512, 3);
  answer (net);
}

static void
build_mentor (MienNet *net)
{
  stage (net, 32, 0);  /* to 24 x 24 */
  stage (net, 64, 1);  /* 12 x 12 */
  stage (net, 128, 2); /* 6 x 6 */
  stage (net, 256, 1); /* 3 x 3 */
  conv (net, 512, 3);
  answer (net);
}

static void
build_simple3 (MienNet *net)
{
  stage (net, 32, 0);
  stage (net, 64, 0);
  stage (net, 128, 0);
  flatten (net);
  dropout (net, 0.5f);
  dense (net, 256);
  dropout (net, 1);
  classify (net);
}

static const MienArch archs[] = {
  { "nano", "six 3x3 convolutions, 16 to 128 maps", build_nano },
  { "small", "ten 3x3 convolutions, 16 to 256 maps, two residual blocks", build_small },
  { "best", "nine 3x3 convolutions, 32 to 256 maps, two residual blocks", build_best },
  { "master", "ten 3x3 convolutions, 32 to 512 maps, two residual blocks", build_master },
  { "mentor", "thirteen 3x3 convolutions, 32 to 512 maps, four residual blocks", build_mentor },
  { "tutor", "twelve 3x3 convolutions, 32 to 192 maps, four residual blocks", build_tutor },
  { "simple3", "three 3x3 convolutions, 32, 64 and 128 maps, and two dense layers", build_simple3 },
};

const MienArch *
mien_arch_find (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (archs); i++)
    if (g_str_equal (archs[i].name, name))
      return &archs[i];
  return NULL;
}

const char *const *
mien_arch_list (void)
{
  static const char *names[G_N_ELEMENTS (archs) + 1];

  for (gsize i = 0; i < G_N_ELEMENTS (archs); i++)
    names[i] = archs[i].name;
  return names;
}

MienNet *
mien_net_new (const MienArch *arch, const MienNetOptions *options)
{
  MienNet *self = g_new0 (MienNet, 1);
  MienShape shape = mien_shape (4, options->batch, 1, 48, 48);

  if (options->batch == 0)
    shape.dim[0] = -1;
  self->graph = mien_graph_new (arch->name, 13);
  self->training = options->training;
  self->dropout = options->dropout;
  self->drop_path = options->drop_path;
  self->channels = 1;
  self->height = self->width = 48;
  self->weights = g_array_new (FALSE, FALSE, sizeof (int));
  self->others = g_array_new (FALSE, FALSE, sizeof (int));
  self->stats = g_array_new (FALSE, FALSE, sizeof (MienNetStats));
  self->value = mien_graph_add_input (self->graph, "face", MIEN_F32, &shape);
  arch->build (self);
  if (!options->training) {
    const MienShape out = { .rank = 2, .dim = { shape.dim[0], MIEN_DATASET_N_LABELS } };
    const int probabilities = mien_graph_add_value (self->graph, "probabilities", MIEN_F32, &out);
    MienNode *node =
      mien_graph_node (self->graph, mien_graph_add_node (self->graph, "", "Softmax", "softmax", &self->value, 1, &probabilities, 1));
    mien_node_set_int (node, "axis", 1);
    mien_graph_add_output (self->graph, probabilities);
  }
  return self;
}

void
mien_net_free (MienNet *self)
{
  mien_graph_unref (self->graph);
  g_array_unref (self->weights);
  g_array_unref (self->others);
  g_array_unref (self->stats);
  g_free (self);
}

static void
fill (const MienNet *net, int value, float with)
{
  MienTensor *tensor = mien_graph_value (net->graph, value)->tensor;

  for (gsize i = 0; i < tensor->n_elems; i++)
    mien_tensor_f32 (tensor)[i] = with;
}

void
mien_net_initialise (MienNet *self, guint64 seed)
{
  MienRandom random;

  mien_random_seed (&random, seed);
  for (guint i = 0; i < self->weights->len; i++) {
    MienTensor *tensor = mien_graph_value (self->graph, g_array_index (self->weights, int, i))->tensor;
    const double deviation = sqrt (2.0 * (double) tensor->shape.dim[0] / (double) tensor->n_elems); /* 2 / fan-in */
    for (gsize k = 0; k < tensor->n_elems; k++)
      mien_tensor_f32 (tensor)[k] = (float) (deviation * mien_random_normal (&random));
  }
  for (guint i = 0; i < self->others->len; i++) {
    const int value = g_array_index (self->others, int, i);
    fill (self, value, g_str_has_suffix (mien_graph_value (self->graph, value)->name, ".scale") ? 1 : 0);
  }
  for (guint i = 0; i < self->stats->len; i++) {
    fill (self, g_array_index (self->stats, MienNetStats, i).mean, 0);
    fill (self, g_array_index (self->stats, MienNetStats, i).var, 1);
  }
}

void
mien_net_copy (const MienNet *from, MienNet *to)
{
  for (guint i = 0; i < from->graph->values->len; i++) {
    const MienValue *value = mien_graph_value (from->graph, i);
    const int other = value->kind == MIEN_VALUE_PARAMETER ? mien_graph_find (to->graph, value->name) : -1;
    if (other >= 0)
      memcpy (mien_graph_value (to->graph, other)->tensor->data, value->tensor->data, mien_tensor_n_bytes (value->tensor));
  }
}

MienGraph *
mien_net_deploy (const MienNet *self)
{
  MienGraph *graph = mien_graph_dup (self->graph);

  for (guint i = 0; i < graph->values->len; i++) {
    MienValue *value = mien_graph_value (graph, i);
    if (value->kind != MIEN_VALUE_PARAMETER)
      continue;
    MienTensor *copy = mien_tensor_dup (value->tensor);
    mien_tensor_unref (value->tensor);
    value->tensor = copy;
    value->kind = MIEN_VALUE_CONSTANT;
  }
  mien_passes_fold_norm (graph, NULL, 0);
  mien_graph_prune (graph);
  return graph;
}

MienArchCost
mien_arch_cost (const MienArch *arch)
{
  const MienNetOptions options = { 0 };
  g_autoptr (MienNet) net = mien_net_new (arch, &options);

  return net->cost;
}
