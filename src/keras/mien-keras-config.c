/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The description of a Keras model: which layers, from where to where. Nothing in it is trusted to have the type it should. */
#include "mien-config.h"

#include "keras/mien-keras-private.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

enum { MAX_BYTES = 4 << 20, MAX_DEPTH = 64, MAX_LAYERS = 4096, MAX_INPUTS = 64, MAX_SIDE = 4096 };

static gboolean
fail_format (GError **error)
{
  return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("the description of the network is not one of Keras; save the model again"));
}

static void
layer_free (gpointer data)
{
  MienKerasLayer *layer = data;

  g_free (layer->name);
  g_free (layer->class_name);
  g_free (layer->shown);
  g_ptr_array_unref (layer->inputs);
  g_free (layer);
}

void
mien_keras_config_free (MienKerasConfig *self)
{
  g_clear_pointer (&self->layers, g_ptr_array_unref);
  g_clear_object (&self->parser);
  g_free (self);
}

JsonNode *
mien_keras_get_node (JsonObject *object, const char *key)
{
  JsonNode *node = json_object_get_member (object, key);

  return node != NULL && !JSON_NODE_HOLDS_NULL (node) ? node : NULL;
}

static JsonObject *
get_object (JsonObject *object, const char *key)
{
  JsonNode *node = mien_keras_get_node (object, key);

  return node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static JsonArray *
get_array (JsonObject *object, const char *key)
{
  JsonNode *node = mien_keras_get_node (object, key);

  return node != NULL && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}

static const char *
node_string (JsonNode *node)
{
  return node != NULL && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING ? json_node_get_string (node) : NULL;
}

static const char *
get_string (JsonObject *object, const char *key)
{
  return node_string (mien_keras_get_node (object, key));
}

/* A whole number; FALSE when it is none, or outside. */
static gboolean
node_int (JsonNode *node, int min, int max, int *value)
{
  double number;

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node) ||
      (json_node_get_value_type (node) != G_TYPE_INT64 && json_node_get_value_type (node) != G_TYPE_DOUBLE))
    return FALSE;
  number = json_node_get_double (node);
  if (!(number >= min && number <= max) || number != floor (number))
    return FALSE;
  *value = (int) number;
  return TRUE;
}

static gboolean
fail_value (const MienKerasLayer *layer, const char *key, GError **error)
{
  JsonNode *node = mien_keras_get_node (layer->config, key);
  g_autofree char *text = node != NULL ? json_to_string (node, FALSE) : NULL;
  g_autofree char *shown = mien_graph_shown (text != NULL ? text : "");

  return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("%s has %s = %s, which makes no sense; the description is damaged"), layer->shown, key, shown);
}

gboolean
mien_keras_get_int (const MienKerasLayer *layer, const char *key, int min, int max, int fallback, int *value, GError **error)
{
  JsonNode *node = mien_keras_get_node (layer->config, key);

  *value = fallback;
  if (node == NULL && fallback >= min)
    return TRUE;
  return node_int (node, min, max, value) || fail_value (layer, key, error);
}

gboolean
mien_keras_get_float (const MienKerasLayer *layer, const char *key, double fallback, double *value, GError **error)
{
  JsonNode *node = mien_keras_get_node (layer->config, key);

  *value = fallback;
  if (node == NULL)
    return TRUE;
  if (JSON_NODE_HOLDS_ARRAY (node) && json_array_get_length (json_node_get_array (node)) == 1)
    node = json_array_get_element (json_node_get_array (node), 0); /* some versions wrap single numbers */
  if (!JSON_NODE_HOLDS_VALUE (node) || (json_node_get_value_type (node) != G_TYPE_INT64 && json_node_get_value_type (node) != G_TYPE_DOUBLE))
    return fail_value (layer, key, error);
  *value = json_node_get_double (node);
  return isfinite (*value) || fail_value (layer, key, error);
}

gboolean
mien_keras_get_bool (const MienKerasLayer *layer, const char *key, gboolean fallback)
{
  JsonNode *node = mien_keras_get_node (layer->config, key);

  return node != NULL && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_BOOLEAN ? json_node_get_boolean (node) : fallback;
}

gboolean
mien_keras_get_pair (const MienKerasLayer *layer, const char *key, int min, int max, int fallback, int value[2], GError **error)
{
  JsonNode *node = mien_keras_get_node (layer->config, key);

  value[0] = value[1] = fallback;
  if (node == NULL && fallback >= min)
    return TRUE;
  if (node != NULL && JSON_NODE_HOLDS_ARRAY (node)) {
    JsonArray *array = json_node_get_array (node);
    const gboolean two = json_array_get_length (array) == 2;

    return (two && node_int (json_array_get_element (array, 0), min, max, &value[0]) && node_int (json_array_get_element (array, 1), min, max, &value[1])) ||
           fail_value (layer, key, error);
  }
  if (!node_int (node, min, max, &value[0]))
    return fail_value (layer, key, error);
  value[1] = value[0];
  return TRUE;
}

const char *
mien_keras_get_string (const MienKerasLayer *layer, const char *key, const char *fallback)
{
  const char *text = get_string (layer->config, key);

  return text != NULL ? text : fallback;
}

/* json-glib's reader calls itself for every bracket. */
static gboolean
check_depth (const char *text, gsize n, GError **error)
{
  gboolean quoted = FALSE;
  int depth = 0;

  for (gsize i = 0; i < n; i++) {
    if (quoted) {
      if (text[i] == '\\')
        i++;
      else if (text[i] == '"')
        quoted = FALSE;
    } else if (text[i] == '"') {
      quoted = TRUE;
    } else if (text[i] == '[' || text[i] == '{') {
      if (++depth > MAX_DEPTH)
        return mien_file_fail (error, MIEN_NN_ERROR_SIZE, _("the description of the network is nested more than %d deep"), MAX_DEPTH);
    } else if (text[i] == ']' || text[i] == '}') {
      depth--;
    }
  }
  return TRUE;
}

/* The name in ["input_1", 0, 0, …], or in what Keras 3 makes of it. */
static const char *
read_reference (JsonNode *node)
{
  if (node != NULL && JSON_NODE_HOLDS_OBJECT (node)) { /* {"class_name": "__keras_tensor__", "config": {"keras_history": [...]}} */
    JsonObject *config = get_object (json_node_get_object (node), "config");

    node = config != NULL ? mien_keras_get_node (config, "keras_history") : NULL;
  }
  if (node == NULL || !JSON_NODE_HOLDS_ARRAY (node) || json_array_get_length (json_node_get_array (node)) < 1)
    return NULL;
  return node_string (json_array_get_element (json_node_get_array (node), 0));
}

/* References of one call of a layer, however deep they are wrapped. */
static gboolean
add_references (MienKerasLayer *layer, JsonNode *node, int depth, GError **error)
{
  const char *name = read_reference (node);

  if (name != NULL) {
    if (layer->inputs->len >= MAX_INPUTS)
      return fail_format (error);
    g_ptr_array_add (layer->inputs, g_strdup (name));
    return TRUE;
  }
  if (!JSON_NODE_HOLDS_ARRAY (node) || depth > 3)
    return TRUE;
  for (guint i = 0; i < json_array_get_length (json_node_get_array (node)); i++)
    if (!add_references (layer, json_array_get_element (json_node_get_array (node), i), depth + 1, error))
      return FALSE;
  return TRUE;
}

static gboolean
read_inbound (MienKerasLayer *layer, JsonObject *object, GError **error)
{
  JsonArray *calls = get_array (object, "inbound_nodes");
  JsonNode *call;

  if (calls == NULL || json_array_get_length (calls) == 0)
    return TRUE;
  if (json_array_get_length (calls) > 1)
    return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("%s is used at several places, which is not supported"), layer->shown);
  call = json_array_get_element (calls, 0);
  if (JSON_NODE_HOLDS_OBJECT (call)) { /* Keras 3: {"args": [...], "kwargs": {...}} */
    JsonArray *args = get_array (json_node_get_object (call), "args");

    for (guint i = 0; args != NULL && i < json_array_get_length (args); i++)
      if (!add_references (layer, json_array_get_element (args, i), 0, error))
        return FALSE;
    return TRUE;
  }
  if (!JSON_NODE_HOLDS_ARRAY (call))
    return fail_format (error);
  for (guint i = 0; i < json_array_get_length (json_node_get_array (call)); i++)
    if (!add_references (layer, json_array_get_element (json_node_get_array (call), i), 0, error))
      return FALSE;
  return TRUE;
}

static gboolean
read_layer (MienKerasConfig *self, JsonNode *node, gboolean sequential, GError **error)
{
  JsonObject *object = node != NULL && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  JsonObject *config = object != NULL ? get_object (object, "config") : NULL;
  const char *class_name = object != NULL ? get_string (object, "class_name") : NULL, *name;
  g_autofree char *quoted = NULL, *class_shown = NULL;
  MienKerasLayer *layer;

  if (config == NULL || class_name == NULL)
    return fail_format (error);
  name = get_string (config, "name");
  if (name == NULL)
    name = get_string (object, "name");
  if (name == NULL || *name == '\0')
    return fail_format (error);
  layer = g_new0 (MienKerasLayer, 1);
  layer->name = g_strdup (name);
  layer->class_name = g_strdup (class_name);
  layer->config = config;
  layer->inputs = g_ptr_array_new_with_free_func (g_free);
  quoted = mien_graph_quote (name);
  class_shown = mien_graph_shown (class_name);
  /* Translators: a layer's name and kind: "layer “conv2d_1” (Conv2D)". */
  layer->shown = g_strdup_printf (_("layer %s (%s)"), quoted, class_shown);
  if (sequential && self->layers->len > 0) {
    const MienKerasLayer *before = g_ptr_array_index (self->layers, self->layers->len - 1);

    g_ptr_array_add (layer->inputs, g_strdup (before->name));
  }
  g_ptr_array_add (self->layers, layer);
  return sequential || read_inbound (layer, object, error);
}

/* [["input_1", 0, 0]], or since Keras 3 ["input_1", 0, 0]. */
static const char *
read_only_end (JsonObject *config, const char *key, GError **error)
{
  JsonArray *list = get_array (config, key);
  JsonNode *first = list != NULL && json_array_get_length (list) > 0 ? json_array_get_element (list, 0) : NULL;
  const char *name = NULL;

  if (first != NULL && node_string (first) != NULL)
    return node_string (first);
  if (first != NULL && json_array_get_length (list) > 1) {
    mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("the network has several inputs or outputs; a face network has one picture in and one answer out"));
    return NULL;
  }
  name = read_reference (first);
  if (name == NULL)
    fail_format (error);
  return name;
}

/* [null, 48, 48, 1] */
static gboolean
read_input_shape (MienKerasConfig *self, JsonObject *config, GError **error)
{
  static const char *const keys[] = { "batch_input_shape", "batch_shape", "build_input_shape" };
  const MienKerasLayer *first = g_ptr_array_index (self->layers, 0);
  JsonArray *shape = NULL;
  int sides[3];

  for (guint i = 0; i < self->layers->len && self->input != NULL; i++) {
    const MienKerasLayer *layer = g_ptr_array_index (self->layers, i);

    if (strcmp (layer->name, self->input) == 0)
      first = layer;
  }
  for (gsize i = 0; i < G_N_ELEMENTS (keys) && shape == NULL; i++) {
    shape = get_array (first->config, keys[i]);
    if (shape == NULL && config != NULL)
      shape = get_array (config, keys[i]);
  }
  if (shape == NULL || json_array_get_length (shape) != 4)
    return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED,
                            _("the description does not say what size of picture the network takes; build the model with an input shape"));
  for (guint i = 0; i < 3; i++) {
    JsonNode *side = json_array_get_element (shape, i + 1);

    if (JSON_NODE_HOLDS_NULL (side))
      return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("the network leaves the size of its pictures open; build the model with a fixed input shape"));
    if (!node_int (side, 1, MAX_SIDE, &sides[i]))
      return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("the size of the network's pictures makes no sense; at most %d pixels a side are read"), MAX_SIDE);
  }
  self->channels = sides[self->channels_first ? 0 : 2];
  self->height = sides[self->channels_first ? 1 : 0];
  self->width = sides[self->channels_first ? 2 : 1];
  return TRUE;
}

static gboolean
read_layout (MienKerasConfig *self, GError **error)
{
  const MienKerasLayer *said = NULL;

  for (guint i = 0; i < self->layers->len; i++) {
    const MienKerasLayer *layer = g_ptr_array_index (self->layers, i);
    const char *format = mien_keras_get_string (layer, "data_format", NULL);

    if (format == NULL)
      continue;
    if (strcmp (format, "channels_first") != 0 && strcmp (format, "channels_last") != 0)
      return fail_value (layer, "data_format", error);
    if (said != NULL && strcmp (format, mien_keras_get_string (said, "data_format", "")) != 0)
      return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("%s and %s differ in data_format, which is not supported"), said->shown, layer->shown);
    said = layer;
    self->channels_first = strcmp (format, "channels_first") == 0;
  }
  return TRUE;
}

static gboolean
read_layers (MienKerasConfig *self, JsonObject *root, GError **error)
{
  const char *class_name = get_string (root, "class_name");
  const gboolean sequential = g_strcmp0 (class_name, "Sequential") == 0;
  JsonObject *config = get_object (root, "config");
  JsonArray *layers = config != NULL ? get_array (config, "layers") : sequential ? get_array (root, "config") : NULL;
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);

  if (!sequential && g_strcmp0 (class_name, "Model") != 0 && g_strcmp0 (class_name, "Functional") != 0) {
    g_autofree char *shown = mien_graph_quote (class_name != NULL ? class_name : "");

    return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("the description is of a %s; Sequential and functional models can be read"), shown);
  }
  if (layers == NULL || json_array_get_length (layers) == 0 || json_array_get_length (layers) > MAX_LAYERS)
    return fail_format (error);
  for (guint i = 0; i < json_array_get_length (layers); i++) {
    if (!read_layer (self, json_array_get_element (layers, i), sequential, error))
      return FALSE;
    const MienKerasLayer *layer = g_ptr_array_index (self->layers, i);
    if (!g_hash_table_add (names, layer->name))
      return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("two layers have one name: %s"), layer->shown);
  }
  if (sequential) {
    self->input = ((MienKerasLayer *) g_ptr_array_index (self->layers, 0))->name;
    self->output = ((MienKerasLayer *) g_ptr_array_index (self->layers, self->layers->len - 1))->name;
  } else {
    self->input = read_only_end (config, "input_layers", error);
    self->output = self->input != NULL ? read_only_end (config, "output_layers", error) : NULL;
    if (self->output == NULL)
      return FALSE;
  }
  return read_layout (self, error) && read_input_shape (self, config, error);
}

MienKerasConfig *
mien_keras_config_parse (const char *text, gsize n_bytes, GError **error)
{
  g_autoptr (MienKerasConfig) self = g_new0 (MienKerasConfig, 1);
  JsonNode *root;

  self->parser = json_parser_new_immutable ();
  self->layers = g_ptr_array_new_with_free_func (layer_free);
  if (n_bytes > MAX_BYTES) {
    mien_file_fail (error, MIEN_NN_ERROR_SIZE, _("the description of the network is larger than %d MiB"), MAX_BYTES >> 20);
    return NULL;
  }
  if (!check_depth (text, n_bytes, error))
    return NULL;
  if (!g_utf8_validate (text, (gssize) n_bytes, NULL) || !json_parser_load_from_data (self->parser, text, (gssize) n_bytes, NULL)) {
    mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("the description of the network is not JSON; it is damaged, save the model again"));
    return NULL;
  }
  root = json_parser_get_root (self->parser);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root)) {
    fail_format (error);
    return NULL;
  }
  return read_layers (self, json_node_get_object (root), error) ? g_steal_pointer (&self) : NULL;
}
