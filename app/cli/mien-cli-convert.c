/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mien-cli convert: a Keras model to ONNX, and what a file does not say about its input and labels. */
#include "mien-config.h"

#include "mien-cli.h"

#include <string.h>

#include "keras/mien-keras.h"
#include "onnx/mien-onnx.h"

/* The graph, or NULL with error set. */
static MienGraph *
read_network (const char *path, const char *weights_path, GError **error)
{
  return weights_path != NULL || mien_keras_is_model (path) ? mien_keras_read (path, weights_path, error) : mien_onnx_read (path, error);
}

static int
convert (const char *path, const char *weights_path, const char *out_path, const char *const (*metadata)[2], gsize n_metadata)
{
  g_autoptr (MienGraph) graph = NULL;
  g_autoptr (MienModel) model = NULL;
  g_autoptr (GPtrArray) layers = NULL;
  g_autoptr (GString) text = g_string_new ("{");
  GError *error = NULL;
  gint64 n_params = 0;
  MienShape shape;

  graph = read_network (path, weights_path, &error);
  if (graph == NULL)
    return mien_cli_fail (error);
  for (gsize i = 0; i < n_metadata; i++)
    if (metadata[i][1] != NULL)
      g_hash_table_insert (graph->metadata, g_strdup (metadata[i][0]), g_strdup (metadata[i][1]));

  /* What is written also runs. */
  model = mien_model_new (graph, &error);
  if (model == NULL) {
    g_autofree char *name = g_path_get_basename (path);

    g_prefix_error (&error, "%s: ", name);
    return mien_cli_fail (error);
  }
  if (!mien_model_save (model, out_path, &error))
    return mien_cli_fail (error);

  layers = mien_model_dup_layers (model, NULL);
  for (guint i = 0; layers != NULL && i < layers->len; i++)
    n_params += ((const MienLayerInfo *) g_ptr_array_index (layers, i))->params;
  mien_json_key (text, "file");
  mien_json_string (text, out_path);
  mien_json_key (text, "input");
  mien_model_get_input_shape (model, 1, &shape);
  for (int i = 0; i < shape.rank; i++)
    g_string_append_printf (text, "%c%" G_GINT64_FORMAT, i == 0 ? '[' : ',', shape.dim[i]);
  g_string_append_printf (text, "],\"params\":%" G_GINT64_FORMAT, n_params);
  mien_json_key (text, "labels");
  for (int i = 0; i < mien_model_get_n_labels (model); i++) {
    g_string_append_c (text, i == 0 ? '[' : ',');
    mien_json_string (text, mien_model_get_label (model, i));
  }
  g_string_append_printf (text, "],\"guessed\":%s}", mien_model_is_guessed (model) ? "true" : "false");
  mien_cli_print_line (text->str);
  if (mien_model_is_guessed (model))
    g_printerr ("mien-cli: %s does not say what its labels are or how its input is scaled; what is assumed now can be set with --labels, --scale, --mean and --std\n",
                out_path);
  return MIEN_CLI_DONE;
}

int
mien_cli_convert (int argc, char **argv)
{
  g_autofree char *labels = NULL;
  g_autofree char *scale = NULL;
  g_autofree char *mean = NULL;
  g_autofree char *std = NULL;
  g_autofree char *size = NULL;
  g_autofree char *channels = NULL;
  g_autofree char *margin = NULL;
  g_autofree char *temperature = NULL;
  const GOptionEntry entries[] = {
    { "labels", 0, 0, G_OPTION_ARG_STRING, &labels, "What the outputs mean, in their order: angry,disgust,…", "A,B,…" },
    { "scale", 0, 0, G_OPTION_ARG_STRING, &scale, "Pixels 0 to 255 are multiplied by this first (0.003921569 for 0 to 1)", "X" },
    { "mean", 0, 0, G_OPTION_ARG_STRING, &mean, "Then this is taken away: one number, or one for each channel", "X[,X,X]" },
    { "std", 0, 0, G_OPTION_ARG_STRING, &std, "Then they are divided by this", "X[,X,X]" },
    { "size", 0, 0, G_OPTION_ARG_STRING, &size, "Pixels a side, for a network that leaves it open", "N" },
    { "channels", 0, 0, G_OPTION_ARG_STRING, &channels, "1 or 3, for a network that leaves it open", "N" },
    { "crop-margin", 0, 0, G_OPTION_ARG_STRING, &margin, "Share of the face's box that is added on each side", "X" },
    { "temperature", 0, 0, G_OPTION_ARG_STRING, &temperature, "Calibration: answers are divided by this before softmax", "X" },
    { NULL },
  };
  const char *out_path;
  int status = MIEN_CLI_DONE;

  if (!mien_cli_parse (&argc, &argv, entries, "IN [WEIGHTS.h5] OUT.onnx",
                       "Turns a Keras model (.h5, .hdf5, or the description .json and the weights) into ONNX.\n"
                       "IN may be ONNX already: then the options correct what was assumed about a model by others.",
                       &status))
    return status;
  if (argc < 3)
    return mien_cli_usage ("convert", "name the model to read and the .onnx file to write");
  if (argc > 4)
    return mien_cli_usage ("convert", "what is “%s”? There are the model, its weights where they are apart, and the .onnx file to write", argv[4]);
  out_path = argv[argc - 1];
  if (strlen (out_path) < 6 || g_ascii_strcasecmp (out_path + strlen (out_path) - 5, ".onnx") != 0) /* never over somebody's weights */
    return mien_cli_usage ("convert", "the file to write must end in .onnx, and “%s” does not", out_path);

  const char *const metadata[][2] = {
    { "mien.labels", labels }, { "mien.input.scale", scale }, { "mien.input.mean", mean }, { "mien.input.std", std },
    { "mien.input.size", size }, { "mien.input.channels", channels }, { "mien.crop.margin", margin }, { "mien.temperature", temperature },
    { "mien.temperature.views", temperature },
  };
  return convert (argv[1], argc == 4 ? argv[2] : NULL, out_path, metadata, G_N_ELEMENTS (metadata));
}
