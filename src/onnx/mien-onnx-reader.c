/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ModelProto to graph. Steps: scan the bytes, unpack, check versions, take tensors, inputs, nodes and outputs, sort. */
#include "mien-config.h"

#include <glib/gi18n-lib.h>
#include <inttypes.h>
#include <string.h>

#include "nn/mien-file.h"
#include "onnx/mien-onnx.h"
#include "onnx/mien-onnx-private.h"

#define MAX_ATTRS 1000    /* a node's */
#define MAX_OP_LENGTH 128 /* operator names are interned, so their memory never comes back */
#define MAX_OPS 1000

#define FAIL(code, ...) mien_file_fail (error, MIEN_NN_ERROR_##code, __VA_ARGS__)

typedef struct {
  MienGraph *graph;
  MienOnnxExternal external;
  GHashTable *ops; /* borrowed char*: operator types seen */
  const MienOnnxCut *cut; /* (nullable) what is not in the proto */
} Reader;

static const char *
text_or_empty (const char *text)
{
  return text != NULL ? text : "";
}

/* Conv "conv_3" */
static char *
describe (const Onnx__NodeProto *node)
{
  g_autofree char *op = mien_graph_shown (text_or_empty (node->op_type)), *name = NULL;

  if (node->name != NULL && *node->name != '\0') {
    name = mien_graph_quote (node->name);
  } else if (node->n_output > 0) {
    g_autofree char *output = mien_graph_quote (node->output[0]);

    name = g_strdup_printf ("(%s)", output);
  }
  return name != NULL ? g_strdup_printf ("%s %s", op, name) : g_steal_pointer (&op);
}

static gboolean
is_default_domain (const char *domain)
{
  return domain == NULL || *domain == '\0' || strcmp (domain, "ai.onnx") == 0;
}

static gboolean
read_versions (const Onnx__ModelProto *model, int *opset, GError **error)
{
  gint64 found = 0;

  if (!model->has_ir_version || model->ir_version <= 0)
    return FAIL (FORMAT, _("does not say its IR version; it is damaged or no ONNX network"));
  if (model->ir_version < MIEN_ONNX_MIN_IR || model->ir_version > MIEN_ONNX_MAX_IR)
    return FAIL (UNSUPPORTED, _("has IR version %" PRId64 "; this program reads %d to %d"),
                 (gint64) model->ir_version, MIEN_ONNX_MIN_IR, MIEN_ONNX_MAX_IR);
  for (size_t i = 0; i < model->n_opset_import; i++) {
    if (!is_default_domain (model->opset_import[i]->domain))
      continue; /* imported, perhaps not used: nodes are looked at one by one */
    if (found != 0 && found != model->opset_import[i]->version)
      return FAIL (FORMAT, _("names two versions of ONNX's operator set"));
    found = model->opset_import[i]->version;
    if (found < 1)
      return FAIL (FORMAT, _("names the impossible operator set version %" PRId64), found);
  }
  if (found == 0)
    return FAIL (FORMAT, _("does not say which version of ONNX's operator set it uses"));
  if (found > MIEN_ONNX_MAX_OPSET)
    return FAIL (UNSUPPORTED, _("uses ONNX operator set %" PRId64 "; this program knows up to %d: export it again with that version"),
                 found, MIEN_ONNX_MAX_OPSET);
  *opset = found;
  return TRUE;
}

/* what: to be translated, for messages. */
static gboolean
read_type (const Onnx__ValueInfoProto *info, const char *what, MienType *type, MienShape *shape, GError **error)
{
  g_autofree char *name = mien_graph_quote (text_or_empty (info->name));
  const Onnx__TensorShapeProto *dims;

  *type = MIEN_TYPE_UNKNOWN;
  *shape = MIEN_SHAPE_UNKNOWN;
  if (info->type == NULL || info->type->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET)
    return TRUE;
  if (info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
    return FAIL (UNSUPPORTED, _("%s %s is a list or a map, not a tensor; export the network without it"), _(what), name);
  *type = info->type->tensor_type->elem_type;
  if (*type != MIEN_TYPE_UNKNOWN && mien_type_size (*type) == 0) {
    const int number = *type;

    return FAIL (UNSUPPORTED, _("%s %s has type %s (number %d), which is not supported"), _(what), name, mien_type_name (number), number);
  }
  dims = info->type->tensor_type->shape;
  if (dims == NULL)
    return TRUE;
  if (dims->n_dim > MIEN_MAX_RANK)
    return FAIL (UNSUPPORTED, _("%s %s has %zu dimensions, more than %d"), _(what), name, dims->n_dim, MIEN_MAX_RANK);
  shape->rank = dims->n_dim;
  for (int i = 0; i < shape->rank; i++) {
    const Onnx__TensorShapeProto__Dimension *dim = dims->dim[i];

    /* Some exporters write -1 for "open". */
    shape->dim[i] = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE ? MAX (dim->dim_value, -1) : -1;
  }
  return TRUE;
}

static gboolean
check_n_values (const Reader *self, GError **error)
{
  if (self->graph->values->len >= MIEN_ONNX_MAX_VALUES)
    return FAIL (SIZE, _("has more than %d values"), MIEN_ONNX_MAX_VALUES);
  return TRUE;
}

static gboolean
read_initializers (Reader *self, const Onnx__GraphProto *proto, GError **error)
{
  for (size_t i = 0; i < proto->n_initializer; i++) {
    const char *name = text_or_empty (proto->initializer[i]->name);
    g_autofree char *shown = mien_graph_quote (name);
    MienTensor *tensor;

    if (!check_n_values (self, error))
      return FALSE;
    if (*name == '\0')
      return FAIL (FORMAT, _("tensor %zu has no name"), i);
    if (mien_graph_find (self->graph, name) >= 0)
      return FAIL (FORMAT, _("tensor %s is there twice"), shown);
    const MienOnnxPayload *payload = self->cut != NULL ? &g_array_index (self->cut->payloads, MienOnnxPayload, i) : NULL;
    tensor = mien_onnx_tensor (proto->initializer[i], &self->external, self->cut, payload != NULL && payload->n > 0 ? payload : NULL, error);
    if (tensor == NULL) {
      g_prefix_error (error, _("tensor %s: "), shown);
      return FALSE;
    }
    mien_graph_add_constant (self->graph, name, tensor);
  }
  return TRUE;
}

static gboolean
read_inputs (Reader *self, const Onnx__GraphProto *proto, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (size_t i = 0; i < proto->n_input; i++) {
    const char *name = text_or_empty (proto->input[i]->name);
    g_autofree char *shown = mien_graph_quote (name);
    const int index = mien_graph_find (self->graph, name);
    MienType type;
    MienShape shape;

    if (!check_n_values (self, error))
      return FALSE;
    if (*name == '\0')
      return FAIL (FORMAT, _("input %zu has no name"), i);
    if (!g_hash_table_add (seen, (gpointer) name))
      return FAIL (FORMAT, _("input %s is there twice"), shown);
    if (!read_type (proto->input[i], N_("input"), &type, &shape, error))
      return FALSE;
    if (index >= 0) { /* a weight that is listed as an input too, as all were in IR version 3 */
      const MienTensor *tensor = mien_graph_value (self->graph, index)->tensor;

      if (type != MIEN_TYPE_UNKNOWN && type != tensor->type)
        return FAIL (FORMAT, _("tensor %s is %s, but is declared as %s"), shown, mien_type_name (tensor->type), mien_type_name (type));
      continue;
    }
    if (type == MIEN_TYPE_UNKNOWN)
      return FAIL (FORMAT, _("input %s has no type"), shown);
    mien_graph_add_input (self->graph, name, type, &shape);
  }
  return TRUE;
}

/* (transfer full); NULL with error set when it is not UTF-8. */
static char *
dup_text (const ProtobufCBinaryData *text, const char *name, GError **error)
{
  if (text->len == 0)
    return g_strdup ("");
  if (g_utf8_validate_len ((const char *) text->data, text->len, NULL))
    return g_strndup ((const char *) text->data, text->len);
  FAIL (UNSUPPORTED, _("attribute %s is not UTF-8 text"), name);
  return NULL;
}

static gboolean
read_attribute (Reader *self, MienNode *node, const Onnx__AttributeProto *attr, GError **error)
{
  g_autofree char *shown = mien_graph_quote (text_or_empty (attr->name));
  g_autofree char *text = NULL;
  g_auto (GStrv) list = NULL;
  MienTensor *tensor;

  if (attr->name == NULL || *attr->name == '\0')
    return FAIL (FORMAT, _("an attribute has no name"));
  if (mien_node_attr (node, attr->name) != NULL)
    return FAIL (FORMAT, _("attribute %s is there twice"), shown);
  if (attr->ref_attr_name != NULL && *attr->ref_attr_name != '\0')
    return FAIL (FORMAT, _("attribute %s refers to a function's, but stands in no function"), shown);

  switch (attr->has_type ? (int) attr->type : 0) {
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
    mien_node_set_int (node, attr->name, attr->i);
    return TRUE;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
    mien_node_set_float (node, attr->name, attr->f);
    return TRUE;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
    text = dup_text (&attr->s, shown, error);
    if (text == NULL)
      return FALSE;
    mien_node_set_string (node, attr->name, text);
    return TRUE;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
    if (attr->t == NULL)
      return FAIL (FORMAT, _("attribute %s has no tensor"), shown);
    tensor = mien_onnx_tensor (attr->t, &self->external, NULL, NULL, error);
    if (tensor == NULL) {
      g_prefix_error (error, _("attribute %s: "), shown);
      return FALSE;
    }
    mien_node_set_tensor (node, attr->name, tensor);
    return TRUE;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
    mien_node_set_ints (node, attr->name, attr->ints, attr->n_ints);
    return TRUE;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
    mien_node_set_floats (node, attr->name, attr->floats, attr->n_floats);
    return TRUE;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
    list = g_new0 (char *, attr->n_strings + 1);
    for (size_t i = 0; i < attr->n_strings; i++) {
      list[i] = dup_text (&attr->strings[i], shown, error);
      if (list[i] == NULL)
        return FALSE;
    }
    mien_node_set_strings (node, attr->name, (const char *const *) list, attr->n_strings);
    return TRUE;
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS:
    return FAIL (UNSUPPORTED, _("attribute %s holds a network of its own; networks with branches or loops are not supported"), shown);
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSORS:
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR:
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSORS:
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO:
  case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTOS:
    return FAIL (UNSUPPORTED, _("attribute %s is of a kind that is not supported (number %d)"), shown, (int) attr->type);
  default:
    return FAIL (FORMAT, _("attribute %s is of no known kind (number %d)"), shown, attr->has_type ? (int) attr->type : 0);
  }
}

static gboolean
check_op (Reader *self, const Onnx__NodeProto *node, GError **error)
{
  if (node->op_type == NULL || *node->op_type == '\0')
    return FAIL (FORMAT, _("it names no operator"));
  if (!is_default_domain (node->domain)) {
    g_autofree char *domain = mien_graph_quote (node->domain);

    return FAIL (UNSUPPORTED, _("the operator belongs to %s; only ONNX's own operators are supported"), domain);
  }
  g_hash_table_add (self->ops, node->op_type);
  if (strlen (node->op_type) > MAX_OP_LENGTH || g_hash_table_size (self->ops) > MAX_OPS)
    return FAIL (UNSUPPORTED, _("there is no such operator"));
  if (node->n_output == 0)
    return FAIL (FORMAT, _("it has no output"));
  if (node->n_attribute > MAX_ATTRS)
    return FAIL (SIZE, _("it has more than %d attributes"), MAX_ATTRS);
  return TRUE;
}

/* Types and shapes that the file declares for values in the middle; they are hints, so what we cannot hold is left out. */
static void
declare (const Reader *self, GHashTable *infos, int index)
{
  MienValue *value = mien_graph_value (self->graph, index);
  const Onnx__ValueInfoProto *info = g_hash_table_lookup (infos, value->name);

  if (info != NULL && !read_type (info, "", &value->type, &value->shape, NULL)) {
    value->type = MIEN_TYPE_UNKNOWN;
    value->shape = MIEN_SHAPE_UNKNOWN;
  }
}

static gboolean
make_outputs (Reader *self, const Onnx__NodeProto *node, GHashTable *infos, GError **error)
{
  for (size_t k = 0; k < node->n_output; k++) {
    if (*node->output[k] == '\0')
      continue;
    if (!check_n_values (self, error))
      return FALSE;
    if (mien_graph_find (self->graph, node->output[k]) >= 0) {
      g_autofree char *name = mien_graph_quote (node->output[k]);

      return FAIL (FORMAT, _("value %s is made a second time"), name);
    }
    declare (self, infos, mien_graph_add_value (self->graph, node->output[k], MIEN_TYPE_UNKNOWN, NULL));
  }
  return TRUE;
}

static gboolean
find_all (const Reader *self, char **names, size_t n, int *indices, GError **error)
{
  for (size_t i = 0; i < n; i++) {
    indices[i] = *names[i] != '\0' ? mien_graph_find (self->graph, names[i]) : -1;
    if (indices[i] < 0 && *names[i] != '\0') {
      g_autofree char *name = mien_graph_quote (names[i]);

      return FAIL (FORMAT, _("value %s is read, but nothing makes it"), name);
    }
  }
  return TRUE;
}

static gboolean
read_node (Reader *self, const Onnx__NodeProto *proto, GError **error)
{
  g_autofree int *inputs = g_new (int, proto->n_input + 1), *outputs = g_new (int, proto->n_output + 1);
  MienNode *node;

  if (!find_all (self, proto->input, proto->n_input, inputs, error) ||
      !find_all (self, proto->output, proto->n_output, outputs, error))
    return FALSE;
  node = mien_graph_node (self->graph, mien_graph_add_node (self->graph, "", proto->op_type, proto->name,
                                                            inputs, proto->n_input, outputs, proto->n_output));
  for (size_t k = 0; k < proto->n_attribute; k++)
    if (!read_attribute (self, node, proto->attribute[k], error))
      return FALSE;
  return TRUE;
}

static gboolean
read_nodes (Reader *self, const Onnx__GraphProto *proto, GError **error)
{
  g_autoptr (GHashTable) infos = g_hash_table_new (g_str_hash, g_str_equal);

  if (proto->n_node > MIEN_ONNX_MAX_NODES)
    return FAIL (SIZE, _("has more than %d nodes"), MIEN_ONNX_MAX_NODES);
  for (size_t i = 0; i < proto->n_value_info; i++)
    if (proto->value_info[i]->name != NULL)
      g_hash_table_insert (infos, proto->value_info[i]->name, proto->value_info[i]);
  /* All outputs before all inputs: the file need not be in order, mien_graph_sort() puts it in order. */
  for (int pass = 0; pass < 2; pass++)
    for (size_t i = 0; i < proto->n_node; i++) {
      const Onnx__NodeProto *node = proto->node[i];

      if (pass == 0 ? !check_op (self, node, error) || !make_outputs (self, node, infos, error) : !read_node (self, node, error)) {
        g_autofree char *what = describe (node);

        g_prefix_error (error, "%s: ", what);
        return FALSE;
      }
    }
  return TRUE;
}

static gboolean
read_outputs (Reader *self, const Onnx__GraphProto *proto, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  if (proto->n_output == 0)
    return FAIL (FORMAT, _("has no output"));
  for (size_t i = 0; i < proto->n_output; i++) {
    const char *name = text_or_empty (proto->output[i]->name);
    g_autofree char *shown = mien_graph_quote (name);
    const int index = mien_graph_find (self->graph, name);
    MienValue *value;
    MienType type;
    MienShape shape;

    if (!read_type (proto->output[i], N_("output"), &type, &shape, error))
      return FALSE;
    if (index < 0)
      return FAIL (FORMAT, _("output %s is computed by no node"), shown);
    if (!g_hash_table_add (seen, (gpointer) name))
      return FAIL (FORMAT, _("output %s is there twice"), shown);
    value = mien_graph_value (self->graph, index);
    if (value->tensor == NULL && value->type == MIEN_TYPE_UNKNOWN)
      value->type = type;
    if (value->tensor == NULL && value->shape.rank < 0)
      value->shape = shape;
    mien_graph_add_output (self->graph, index);
  }
  return TRUE;
}

static gboolean
read_metadata (Reader *self, const Onnx__ModelProto *model, GError **error)
{
  for (size_t i = 0; i < model->n_metadata_props; i++) {
    const char *key = text_or_empty (model->metadata_props[i]->key), *value = text_or_empty (model->metadata_props[i]->value);

    if (!g_hash_table_insert (self->graph->metadata, g_strdup (key), g_strdup (value))) {
      g_autofree char *shown = mien_graph_quote (key);

      return FAIL (FORMAT, _("metadata %s are there twice"), shown);
    }
  }
  return TRUE;
}

static MienGraph *
read_model (const Onnx__ModelProto *model, const char *folder, const MienOnnxCut *cut, GError **error)
{
  g_autoptr (GHashTable) ops = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (MienGraph) graph = NULL;
  Reader self = { .external = { .folder = folder }, .ops = ops, .cut = cut };
  int opset = 0;

  if (!read_versions (model, &opset, error))
    return NULL;
  if (model->n_functions > 0) {
    FAIL (UNSUPPORTED, _("defines functions of its own, which is not supported; export it with them inlined"));
    return NULL;
  }
  if (model->graph->n_sparse_initializer > 0) {
    FAIL (UNSUPPORTED, _("has sparse tensors, which are not supported"));
    return NULL;
  }
  self.graph = graph = mien_graph_new (model->graph->name, opset);
  if (!read_initializers (&self, model->graph, error) || !read_inputs (&self, model->graph, error) ||
      !read_nodes (&self, model->graph, error) || !read_outputs (&self, model->graph, error) ||
      !read_metadata (&self, model, error) || !mien_graph_sort (graph, error))
    return NULL;
  return g_steal_pointer (&graph);
}

/* Sizes and structure, before protobuf-c sees it. */
static gboolean
check_bytes (const ProtobufCMessageDescriptor *descriptor, const guint8 *data, gsize n, GError **error)
{
  g_autoptr (GError) problem = NULL;
  const char *other;

  if (n > MIEN_ONNX_MAX_FILE)
    return FAIL (SIZE, _("is larger than this program reads"));
  if (n > 0 && mien_onnx_scan (descriptor, data, n, &problem))
    return TRUE;
  other = mien_onnx_sniff (data, n);
  if (other != NULL)
    g_set_error_literal (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT, other);
  else
    g_propagate_error (error, g_steal_pointer (&problem));
  return FALSE;
}

/* (transfer full), to be freed with protobuf_c_message_free_unpacked(); NULL with error set. */
static ProtobufCMessage *
unpack (const ProtobufCMessageDescriptor *descriptor, const guint8 *data, gsize n, GError **error)
{
  ProtobufCMessage *message = protobuf_c_message_unpack (descriptor, NULL, n, data);

  if (message == NULL)
    FAIL (FORMAT, _("is damaged, or too large for the memory of this computer"));
  return message;
}

/* Names are made for messages only where there is one: fresh programs take their time with text. */
static void
prefix_name (const char *path, GError **error)
{
  g_autofree char *name = mien_file_shown_name (path);

  g_prefix_error (error, "%s: ", name);
}

/* A scanned message; cut: (nullable) what is not in it. */
static MienGraph *
read_message (const guint8 *data, gsize n_bytes, const MienOnnxCut *cut, const char *folder, GError **error)
{
  Onnx__ModelProto *model = (Onnx__ModelProto *) unpack (&onnx__model_proto__descriptor, data, n_bytes, error);
  MienGraph *graph = NULL;

  if (model == NULL)
    return NULL;
  if (model->graph != NULL) {
    graph = read_model (model, folder, cut, error);
  } else {
    const char *other = mien_onnx_sniff (data, n_bytes);
    FAIL (FORMAT, "%s", other != NULL ? other : _("is not an ONNX network: there is no graph in it"));
  }
  onnx__model_proto__free_unpacked (model, NULL);
  return graph;
}

MienGraph *
mien_onnx_read_bytes (const void *data, gsize n_bytes, const char *name, const char *folder, GError **error)
{
  MienGraph *graph = NULL;

  if (check_bytes (&onnx__model_proto__descriptor, data, n_bytes, error))
    graph = read_message (data, n_bytes, NULL, folder, error);
  if (graph == NULL)
    g_prefix_error (error, "%s: ", name);
  return graph;
}

static MienGraph *
read_whole (const char *path, const char *folder, GError **error)
{
  g_autoptr (GBytes) bytes = mien_file_load (path, MIEN_ONNX_MAX_FILE, error);
  g_autoptr (GArray) payloads = g_array_new (FALSE, FALSE, sizeof (MienOnnxPayload));
  g_autoptr (GByteArray) rest = NULL;
  gsize n_bytes;
  guint8 *data;

  if (bytes == NULL)
    return NULL;
  data = (guint8 *) g_bytes_get_data (bytes, &n_bytes); /* nobody else has it */
  if (!check_bytes (&onnx__model_proto__descriptor, data, n_bytes, error))
    return NULL;
  rest = mien_onnx_cut_payloads (data, n_bytes, payloads);
  if (rest != NULL)
    return read_message (rest->data, rest->len, &(MienOnnxCut) { .payloads = payloads, .bytes = bytes }, folder, error);
  return read_message (data, n_bytes, NULL, folder, error);
}

MienGraph *
mien_onnx_read (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  MienGraph *graph = read_whole (path, folder, error);

  if (graph == NULL)
    prefix_name (path, error);
  return graph;
}

/* NULL for what is better read whole: whatever is wrong with it, that tells. */
static MienGraph *
read_in_parts (const char *path, const char *folder)
{
  gsize n_bytes;
  const int fd = mien_file_open (path, MIEN_ONNX_MAX_FILE, &n_bytes, NULL);
  g_autoptr (MienOnnxFile) file = NULL;
  g_autoptr (GArray) payloads = g_array_new (FALSE, FALSE, sizeof (MienOnnxPayload));
  g_autoptr (GByteArray) rest = NULL;

  if (fd < 0)
    return NULL;
  file = g_atomic_rc_box_new (MienOnnxFile);
  file->fd = fd;
  rest = mien_onnx_cut_file (fd, n_bytes, payloads);
  if (rest == NULL || !mien_onnx_scan (&onnx__model_proto__descriptor, rest->data, rest->len, NULL))
    return NULL;
  return read_message (rest->data, rest->len, &(MienOnnxCut) { .payloads = payloads, .file = file }, folder, NULL);
}

MienGraph *
mien_onnx_read_away (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  MienGraph *graph = read_in_parts (path, folder);

  return graph != NULL ? graph : mien_onnx_read (path, error);
}

MienTensor *
mien_onnx_read_tensor (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autoptr (GBytes) bytes = mien_file_load (path, MIEN_ONNX_MAX_FILE, error);
  MienOnnxExternal external = { .folder = folder };
  Onnx__TensorProto *proto = NULL;
  MienTensor *tensor = NULL;

  if (bytes != NULL) {
    gsize n;
    const guint8 *data = g_bytes_get_data (bytes, &n);

    if (check_bytes (&onnx__tensor_proto__descriptor, data, n, error))
      proto = (Onnx__TensorProto *) unpack (&onnx__tensor_proto__descriptor, data, n, error);
  }
  if (proto != NULL) {
    tensor = mien_onnx_tensor (proto, &external, NULL, NULL, error);
    onnx__tensor_proto__free_unpacked (proto, NULL);
  }
  if (tensor == NULL)
    prefix_name (path, error);
  return tensor;
}
