/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mien-cli info: what is inside a model. */
#include "mien-config.h"

#include "mien-cli.h"

#include <stdio.h>
#include <string.h>

typedef struct {
  MienModel *model;
  GPtrArray *layers; /* MienLayerInfo */
  GList *keys;       /* of the metadata, in order */
  gint64 params, macs;
} Info;

static const char *
get_metadata (const Info *self, const char *key)
{
  return g_hash_table_lookup (mien_model_get_graph (self->model)->metadata, key);
}

static void
append_layer (GString *text, const MienLayerInfo *layer)
{
  g_string_append (text, "{\"name\":");
  mien_json_string (text, layer->name != NULL ? layer->name : "");
  g_string_append (text, ",\"op\":");
  mien_json_string (text, layer->op);
  g_string_append (text, ",\"output\":[");
  for (int i = 0; i < layer->output.rank; i++)
    g_string_append_printf (text, i == 0 ? "%" G_GINT64_FORMAT : ",%" G_GINT64_FORMAT, layer->output.dim[i]);
  g_string_append_printf (text, "],\"params\":%" G_GINT64_FORMAT ",\"macs\":%" G_GINT64_FORMAT "}", layer->params, layer->macs);
}

static char *
format_json (const Info *self)
{
  GString *text = g_string_new ("{");

  mien_json_key (text, "file");
  mien_json_string (text, mien_model_get_path (self->model) != NULL ? mien_model_get_path (self->model) : "");
  g_string_append_printf (text, ",\"input_size\":%d,\"channels\":%d,\"crop_margin\":", mien_model_get_input_size (self->model),
                          mien_model_get_channels (self->model));
  mien_json_number (text, mien_model_get_crop_margin (self->model), 6);
  g_string_append_printf (text, ",\"guessed\":%s", mien_model_is_guessed (self->model) ? "true" : "false");
  g_string_append_printf (text, ",\"params\":%" G_GINT64_FORMAT ",\"macs\":%" G_GINT64_FORMAT, self->params, self->macs);
  mien_json_key (text, "labels");
  for (int i = 0; i < mien_model_get_n_labels (self->model); i++) {
    g_string_append_c (text, i == 0 ? '[' : ',');
    mien_json_string (text, mien_model_get_label (self->model, i));
  }
  g_string_append_c (text, ']');
  mien_json_key (text, "metadata");
  g_string_append_c (text, '{');
  for (GList *l = self->keys; l != NULL; l = l->next) {
    mien_json_key (text, l->data);
    mien_json_string (text, get_metadata (self, l->data));
  }
  g_string_append_c (text, '}');
  mien_json_key (text, "layers");
  g_string_append_c (text, '[');
  for (guint i = 0; i < self->layers->len; i++) {
    if (i > 0)
      g_string_append_c (text, ',');
    append_layer (text, g_ptr_array_index (self->layers, i));
  }
  g_string_append (text, "]}");
  return g_string_free (text, FALSE);
}

static char *
format_text (const Info *self)
{
  GString *text = g_string_new (NULL);
  const char *path = mien_model_get_path (self->model);
  const gboolean has_card = get_metadata (self, "mien.recipe") != NULL;

  g_string_append_printf (text, "%s\n", path != NULL ? path : "");
  g_string_append_printf (text, "input      %d x %d, %d channel%s%s\n", mien_model_get_input_size (self->model),
                          mien_model_get_input_size (self->model), mien_model_get_channels (self->model),
                          mien_model_get_channels (self->model) == 1 ? "" : "s",
                          mien_model_is_guessed (self->model) ? " (guessed: the file has no mien.* metadata)" : "");
  g_string_append (text, "labels     ");
  for (int i = 0; i < mien_model_get_n_labels (self->model); i++)
    g_string_append_printf (text, i == 0 ? "%s" : ", %s", mien_model_get_label (self->model, i));
  g_string_append_printf (text, "\nparameters %" G_GINT64_FORMAT "\nmultiply-adds for one face %" G_GINT64_FORMAT "\n\n", self->params, self->macs);
  g_string_append_printf (text, "%-24s %-18s %16s %12s %14s\n", "layer", "operator", "output", "parameters", "multiply-adds");
  for (guint i = 0; i < self->layers->len; i++) {
    const MienLayerInfo *layer = g_ptr_array_index (self->layers, i);
    g_autofree char *shape = mien_shape_to_string (&layer->output);

    g_string_append_printf (text, "%-24s %-18s %16s %12" G_GINT64_FORMAT " %14" G_GINT64_FORMAT "\n",
                            layer->name != NULL ? layer->name : "", layer->op, shape, layer->params, layer->macs);
  }
  mien_cli_append_card (text, self->model);
  if (self->keys != NULL)
    g_string_append (text, "\nmetadata\n");
  for (GList *l = self->keys; l != NULL; l = l->next)
    if (!has_card || !mien_cli_card_has (l->data))
      g_string_append_printf (text, "  %s = %s\n", (const char *) l->data, get_metadata (self, l->data));
  g_string_truncate (text, text->len - 1);
  return g_string_free (text, FALSE);
}

int
mien_cli_info (int argc, char **argv)
{
  static const char *const formats[] = { "json", "text", NULL };
  g_autofree char *format = NULL;
  const GOptionEntry entries[] = {
    { "format", 'f', 0, G_OPTION_ARG_STRING, &format, "json (default) or text", "FORMAT" },
    { NULL },
  };
  g_autoptr (MienModel) model = NULL;
  g_autoptr (GPtrArray) layers = NULL;
  g_autofree char *text = NULL;
  GError *error = NULL;
  int status = MIEN_CLI_DONE;
  int chosen;
  Info self;

  if (!mien_cli_parse (&argc, &argv, entries, "[MODEL]", "Shows what is inside a model; without a name, Mien's own.", &status))
    return status;
  chosen = mien_cli_choose ("info", "--format", format, formats);
  if (chosen < 0)
    return MIEN_CLI_USAGE;
  if (argc > 2)
    return mien_cli_usage ("info", "one model at a time");

  model = mien_cli_load_model (argc == 2 ? argv[1] : NULL, &error);
  if (model != NULL)
    layers = mien_model_dup_layers (model, &error);
  if (layers == NULL)
    return mien_cli_fail (error);

  self = (Info) { model, layers, NULL, 0, 0 };
  for (guint i = 0; i < layers->len; i++) {
    const MienLayerInfo *layer = g_ptr_array_index (layers, i);

    self.params += layer->params;
    self.macs += layer->macs;
  }
  self.keys = g_list_sort (g_hash_table_get_keys (mien_model_get_graph (model)->metadata), (GCompareFunc) g_strcmp0);
  text = chosen == 0 ? format_json (&self) : format_text (&self);
  mien_cli_print_line (text);
  g_list_free (self.keys);
  return MIEN_CLI_DONE;
}
