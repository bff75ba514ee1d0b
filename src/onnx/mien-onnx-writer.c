/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Graph to ModelProto. The messages borrow names and weights from the graph; an arena of plain blocks holds the rest until
 * everything is packed. */
#include "mien-config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "nn/mien-file.h"
#include "onnx/mien-onnx.h"
#include "onnx/mien-onnx-private.h"

#define IR_VERSION 8

#define FAIL(code, ...) mien_file_fail (error, MIEN_NN_ERROR_##code, __VA_ARGS__)

typedef struct {
  const MienGraph *graph;
  GPtrArray *blocks; /* everything allocated here */
} Writer;

static gpointer
keep (Writer *self, gpointer block)
{
  if (block != NULL)
    g_ptr_array_add (self->blocks, block);
  return block;
}

#define NEW(type, INIT) ((type *) new_message (self, sizeof (type), &(type) INIT))

static gpointer
new_message (Writer *self, gsize size, gconstpointer initial)
{
  return keep (self, g_memdup2 (initial, size));
}

static Onnx__TensorProto *
make_tensor (Writer *self, const char *name, const MienTensor *tensor)
{
  Onnx__TensorProto *proto = NEW (Onnx__TensorProto, ONNX__TENSOR_PROTO__INIT);

  proto->name = (char *) name;
  proto->has_data_type = TRUE;
  proto->data_type = tensor->type;
  proto->n_dims = tensor->shape.rank;
  proto->dims = keep (self, g_memdup2 (tensor->shape.dim, tensor->shape.rank * sizeof *tensor->shape.dim));
  proto->has_raw_data = TRUE;
  proto->raw_data.len = mien_tensor_n_bytes (tensor);
  proto->raw_data.data = tensor->data;
  if (G_BYTE_ORDER == G_BIG_ENDIAN && proto->raw_data.len > 0) {
    const gsize size = mien_type_size (tensor->type);
    guint8 *swapped = keep (self, g_malloc (proto->raw_data.len));

    for (gsize i = 0; i < proto->raw_data.len; i++)
      swapped[i] = ((const guint8 *) tensor->data)[i / size * size + size - 1 - i % size];
    proto->raw_data.data = swapped;
  }
  return proto;
}

static Onnx__ValueInfoProto *
make_info (Writer *self, const MienValue *value)
{
  Onnx__ValueInfoProto *info = NEW (Onnx__ValueInfoProto, ONNX__VALUE_INFO_PROTO__INIT);
  Onnx__TypeProto *type;
  Onnx__TensorShapeProto *shape;

  info->name = value->name;
  if (value->type == MIEN_TYPE_UNKNOWN)
    return info;
  info->type = type = NEW (Onnx__TypeProto, ONNX__TYPE_PROTO__INIT);
  type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
  type->tensor_type = NEW (Onnx__TypeProto__Tensor, ONNX__TYPE_PROTO__TENSOR__INIT);
  type->tensor_type->has_elem_type = TRUE;
  type->tensor_type->elem_type = value->type;
  if (value->shape.rank < 0)
    return info;
  type->tensor_type->shape = shape = NEW (Onnx__TensorShapeProto, ONNX__TENSOR_SHAPE_PROTO__INIT);
  shape->n_dim = value->shape.rank;
  shape->dim = keep (self, g_new0 (Onnx__TensorShapeProto__Dimension *, value->shape.rank + 1));
  for (int i = 0; i < value->shape.rank; i++) {
    shape->dim[i] = NEW (Onnx__TensorShapeProto__Dimension, ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT);
    if (value->shape.dim[i] < 0)
      continue;
    shape->dim[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    shape->dim[i]->dim_value = value->shape.dim[i];
  }
  return info;
}

static ProtobufCBinaryData
binary (const char *text)
{
  return (ProtobufCBinaryData) { .len = strlen (text), .data = (uint8_t *) text };
}

static Onnx__AttributeProto *
make_attribute (Writer *self, const MienAttr *attr)
{
  Onnx__AttributeProto *proto = NEW (Onnx__AttributeProto, ONNX__ATTRIBUTE_PROTO__INIT);

  proto->name = attr->name;
  proto->has_type = TRUE;
  switch (attr->type) {
  case MIEN_ATTR_INT:
    proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    proto->has_i = TRUE;
    proto->i = attr->i;
    break;
  case MIEN_ATTR_FLOAT:
    proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    proto->has_f = TRUE;
    proto->f = attr->f;
    break;
  case MIEN_ATTR_STRING:
    proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    proto->has_s = TRUE;
    proto->s = binary (attr->s);
    break;
  case MIEN_ATTR_TENSOR:
    proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    proto->t = make_tensor (self, NULL, attr->t);
    break;
  case MIEN_ATTR_INTS:
    proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
    proto->n_ints = attr->n;
    proto->ints = attr->ints;
    break;
  case MIEN_ATTR_FLOATS:
    proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
    proto->n_floats = attr->n;
    proto->floats = attr->floats;
    break;
  case MIEN_ATTR_STRINGS:
    proto->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS;
    proto->n_strings = attr->n;
    proto->strings = keep (self, g_new0 (ProtobufCBinaryData, attr->n + 1));
    for (gsize i = 0; i < attr->n; i++)
      proto->strings[i] = binary (attr->strings[i]);
    break;
  }
  return proto;
}

static char **
make_names (Writer *self, const int *indices, int n)
{
  char **names = keep (self, g_new0 (char *, n + 1));

  for (int i = 0; i < n; i++)
    names[i] = indices[i] >= 0 ? mien_graph_value (self->graph, indices[i])->name : (char *) "";
  return names;
}

static Onnx__NodeProto *
make_node (Writer *self, const MienNode *node)
{
  Onnx__NodeProto *proto = NEW (Onnx__NodeProto, ONNX__NODE_PROTO__INIT);

  proto->name = *node->name != '\0' ? node->name : NULL;
  proto->op_type = (char *) node->op;
  proto->n_input = node->n_inputs;
  proto->input = make_names (self, node->inputs, node->n_inputs);
  proto->n_output = node->n_outputs;
  proto->output = make_names (self, node->outputs, node->n_outputs);
  proto->n_attribute = node->attrs->len;
  proto->attribute = keep (self, g_new0 (Onnx__AttributeProto *, node->attrs->len + 1));
  for (guint i = 0; i < node->attrs->len; i++)
    proto->attribute[i] = make_attribute (self, g_ptr_array_index (node->attrs, i));
  return proto;
}

static Onnx__ValueInfoProto **
make_infos (Writer *self, const GArray *indices)
{
  Onnx__ValueInfoProto **infos = keep (self, g_new0 (Onnx__ValueInfoProto *, indices->len + 1));

  for (guint i = 0; i < indices->len; i++)
    infos[i] = make_info (self, mien_graph_value (self->graph, g_array_index (indices, int, i)));
  return infos;
}

static gboolean
contains (const GArray *indices, int index)
{
  for (guint i = 0; i < indices->len; i++)
    if (g_array_index (indices, int, i) == index)
      return TRUE;
  return FALSE;
}

static Onnx__GraphProto *
make_graph (Writer *self)
{
  const MienGraph *graph = self->graph;
  Onnx__GraphProto *proto = NEW (Onnx__GraphProto, ONNX__GRAPH_PROTO__INIT);

  proto->name = *graph->name != '\0' ? graph->name : (char *) "network"; /* the checker of ONNX wants one */
  proto->n_input = graph->inputs->len;
  proto->input = make_infos (self, graph->inputs);
  proto->n_output = graph->outputs->len;
  proto->output = make_infos (self, graph->outputs);
  proto->node = keep (self, g_new0 (Onnx__NodeProto *, graph->nodes->len + 1));
  for (guint i = 0; i < graph->nodes->len; i++)
    proto->node[proto->n_node++] = make_node (self, mien_graph_node (graph, i));
  proto->initializer = keep (self, g_new0 (Onnx__TensorProto *, graph->values->len + 1));
  proto->value_info = keep (self, g_new0 (Onnx__ValueInfoProto *, graph->values->len + 1));
  for (guint i = 0; i < graph->values->len; i++) {
    const MienValue *value = mien_graph_value (graph, i);

    if (value->tensor != NULL)
      proto->initializer[proto->n_initializer++] = make_tensor (self, value->name, value->tensor);
    else if (value->producer >= 0 && value->type != MIEN_TYPE_UNKNOWN && !contains (graph->outputs, i))
      proto->value_info[proto->n_value_info++] = make_info (self, value);
  }
  return proto;
}

static int
compare_strings_cb (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* In order of their keys, so that the same network always gives the same bytes. */
static void
make_metadata (Writer *self, Onnx__ModelProto *model)
{
  guint n;
  gpointer *keys = keep (self, g_hash_table_get_keys_as_array (self->graph->metadata, &n));

  if (n > 0)
    qsort (keys, n, sizeof *keys, compare_strings_cb);
  model->metadata_props = keep (self, g_new0 (Onnx__StringStringEntryProto *, n + 1));
  for (guint i = 0; i < n; i++) {
    Onnx__StringStringEntryProto *entry = NEW (Onnx__StringStringEntryProto, ONNX__STRING_STRING_ENTRY_PROTO__INIT);

    entry->key = keys[i];
    entry->value = g_hash_table_lookup (self->graph->metadata, keys[i]);
    model->metadata_props[model->n_metadata_props++] = entry;
  }
}

static GBytes *
pack (Writer *self, GError **error)
{
  Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
  Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets[] = { &opset };
  guint8 *data;
  gsize n_bytes;

  model.has_ir_version = TRUE;
  model.ir_version = IR_VERSION;
  model.producer_name = (char *) "mien";
  model.producer_version = (char *) MIEN_VERSION;
  opset.domain = (char *) "";
  opset.has_version = TRUE;
  opset.version = self->graph->opset;
  model.n_opset_import = 1;
  model.opset_import = opsets;
  model.graph = make_graph (self);
  make_metadata (self, &model);
  mien_onnx_align_payloads (&model, self->blocks);

  n_bytes = onnx__model_proto__get_packed_size (&model);
  if (n_bytes > MIEN_ONNX_MAX_FILE || (data = g_try_malloc (n_bytes)) == NULL) {
    FAIL (SIZE, _("the network is too large to be written as one file"));
    return NULL;
  }
  onnx__model_proto__pack (&model, data);
  return g_bytes_new_take (data, n_bytes);
}

GBytes *
mien_onnx_write_bytes (const MienGraph *graph, GError **error)
{
  g_autoptr (MienGraph) sorted = mien_graph_dup (graph); /* ONNX wants nodes in order */
  g_autoptr (GPtrArray) blocks = g_ptr_array_new_with_free_func (g_free);
  Writer self = { .graph = sorted, .blocks = blocks };

  for (guint i = 0; i < graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (graph, i);

    if (*node->domain != '\0') {
      g_autofree char *name = mien_graph_quote (node->name);

      FAIL (UNSUPPORTED, _("%s %s belongs to training only and cannot be written to an ONNX file"), node->op, name);
      return NULL;
    }
  }
  if (!mien_graph_sort (sorted, error))
    return NULL;
  return pack (&self, error);
}

gboolean
mien_onnx_write (const MienGraph *graph, const char *path, GError **error)
{
  g_autofree char *name = mien_file_shown_name (path);
  g_autoptr (GBytes) bytes = mien_onnx_write_bytes (graph, error);
  gsize n;
  const char *data = bytes != NULL ? g_bytes_get_data (bytes, &n) : NULL;

  if (data != NULL && g_file_set_contents_full (path, data, n, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0666, error))
    return TRUE;
  g_prefix_error (error, "%s: ", name);
  return FALSE;
}
