/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-keras.h. */
#include "mien-config.h"

#include "keras/mien-keras.h"

#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <unistd.h>

#include "keras/mien-keras-private.h"
#include "nn/mien-file.h"

#define MAX_JSON (G_GUINT64_CONSTANT (16) << 20)

typedef enum { FILE_OTHER, FILE_HDF5, FILE_JSON } FileKind;

static FileKind
sniff (const char *path)
{
  const int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  char head[64] = "";
  gssize n = 0, i = 0;

  if (fd < 0)
    return FILE_OTHER;
  n = read (fd, head, sizeof head - 1);
  close (fd);
  if (n >= 8 && memcmp (head, "\x89HDF\r\n\x1a\n", 8) == 0)
    return FILE_HDF5;
  while (i < n && g_ascii_isspace (head[i]))
    i++;
  return i < n && (head[i] == '{' || head[i] == '[') ? FILE_JSON : FILE_OTHER;
}

gboolean
mien_keras_is_model (const char *path)
{
  return sniff (path) != FILE_OTHER;
}

static MienKerasConfig *
read_description (const MienHdf5 *file, const char *json_path, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) problem = NULL;
  const char *config;

  if (json_path != NULL) {
    gsize n;

    bytes = mien_file_load (json_path, MAX_JSON, error);
    if (bytes == NULL)
      return NULL;
    const char *text = g_bytes_get_data (bytes, &n);
    return mien_keras_config_parse (text != NULL ? text : "", n, error);
  }
  config = mien_hdf5_get_config (file, &problem);
  if (problem != NULL) {
    g_propagate_error (error, g_steal_pointer (&problem));
    return NULL;
  }
  if (config == NULL) {
    mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s",
                     _("holds weights without a description of the network; name the model's .json file too, in front of this one"));
    return NULL;
  }
  return mien_keras_config_parse (config, strlen (config), error);
}

/* Keras's own layout at the door, channels first behind it. */
static MienKerasTensor
add_input (MienKerasBuilder *self, const MienKerasConfig *config)
{
  static const gint64 to_channels_first[] = { 0, 3, 1, 2 };
  MienKerasTensor tensor = { .rank = 3, .height = config->height, .width = config->width, .channels = config->channels };
  MienShape shape = config->channels_first ? mien_shape (4, -1, config->channels, config->height, config->width)
                                           : mien_shape (4, -1, config->height, config->width, config->channels);

  tensor.value = mien_graph_add_input (self->graph, config->input, MIEN_F32, &shape);
  if (!config->channels_first) {
    tensor.value = mien_graph_op (self->graph, "", "Transpose", "to_channels_first", &tensor.value, 1);
    mien_node_set_ints (mien_graph_producer (self->graph, tensor.value), "perm", to_channels_first, 4);
  }
  return tensor;
}

/* FALSE without error when an input is not there yet. */
static gboolean
find_inputs (const MienKerasLayer *layer, GHashTable *tensors, MienKerasTensor *inputs)
{
  for (guint i = 0; i < layer->inputs->len; i++) {
    const MienKerasTensor *tensor = g_hash_table_lookup (tensors, g_ptr_array_index (layer->inputs, i));

    if (tensor == NULL)
      return FALSE;
    inputs[i] = *tensor;
  }
  return TRUE;
}

static gboolean
add_layer (MienKerasBuilder *self, const MienKerasConfig *config, const MienKerasLayer *layer, GHashTable *tensors, GError **error)
{
  MienKerasTensor inputs[64], output; /* as many as the description may name */
  int n_inputs = (int) layer->inputs->len;

  g_assert (layer->inputs->len <= G_N_ELEMENTS (inputs));
  if (!find_inputs (layer, tensors, inputs))
    return TRUE;
  if (strcmp (layer->name, config->input) == 0) {
    inputs[0] = add_input (self, config);
    n_inputs = 1;
  } else if (n_inputs == 0) {
    return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("%s has no input; a network with several inputs is not supported"), layer->shown);
  }
  if (!mien_keras_add_layer (self, layer, inputs, n_inputs, &output, error))
    return FALSE;
  g_hash_table_insert (tensors, layer->name, g_memdup2 (&output, sizeof output));
  return TRUE;
}

/* Layers usually stand in order, but need not: those whose inputs are there come next, until no more do. */
static gboolean
add_layers (MienKerasBuilder *self, const MienKerasConfig *config, GError **error)
{
  g_autoptr (GHashTable) tensors = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  const MienKerasTensor *output;
  guint before;

  do {
    before = g_hash_table_size (tensors);
    for (guint i = 0; i < config->layers->len; i++) {
      const MienKerasLayer *layer = g_ptr_array_index (config->layers, i);

      if (!g_hash_table_contains (tensors, layer->name) && !add_layer (self, config, layer, tensors, error))
        return FALSE;
    }
  } while (g_hash_table_size (tensors) > before && g_hash_table_size (tensors) < config->layers->len);
  output = g_hash_table_lookup (tensors, config->output);
  if (output == NULL) {
    g_autofree char *name = mien_graph_quote (config->output);

    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("no way leads from the network's input to its output %s"), name);
  }
  mien_graph_add_output (self->graph, output->value);
  return mien_graph_sort (self->graph, error);
}

MienGraph *
mien_keras_read (const char *path, const char *weights_path, GError **error)
{
  const gboolean two_files = sniff (path) == FILE_JSON;
  const char *hdf5_path = two_files ? weights_path : path;
  g_autofree char *name = mien_file_shown_name (path);
  g_autofree char *hdf5_name = mien_file_shown_name (hdf5_path != NULL ? hdf5_path : path);
  g_autoptr (MienKerasConfig) config = NULL;
  g_autoptr (MienHdf5) file = NULL;
  g_autoptr (MienGraph) graph = NULL;
  MienKerasBuilder builder;

  if (two_files) {
    config = read_description (NULL, path, error);
    if (config == NULL) {
      g_prefix_error (error, "%s: ", name);
      return NULL;
    }
    if (weights_path == NULL) {
      mien_file_fail (error, MIEN_NN_ERROR_INPUT, _("%s: this is a description without weights; name the .h5 file with the weights too, behind this one"), name);
      return NULL;
    }
  }
  file = mien_hdf5_open (hdf5_path, error);
  if (file != NULL && config == NULL)
    config = read_description (file, NULL, error);
  if (file == NULL || config == NULL) {
    g_prefix_error (error, "%s: ", hdf5_name);
    return NULL;
  }
  graph = mien_graph_new (name, 13);
  builder = (MienKerasBuilder) { graph, file, config->channels_first };
  if (!add_layers (&builder, config, error)) {
    g_prefix_error (error, "%s: ", hdf5_name);
    return NULL;
  }
  return g_steal_pointer (&graph);
}
