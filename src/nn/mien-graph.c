/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Graphs: values and nodes in arrays, names in a hash table; sorting without recursion, since graphs come from files. */
#include "mien-config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "nn/mien-graph.h"

static void
attr_clear (MienAttr *self)
{
  switch (self->type) {
  case MIEN_ATTR_STRING:
    g_free (self->s);
    break;
  case MIEN_ATTR_TENSOR:
    g_clear_pointer (&self->t, mien_tensor_unref);
    break;
  case MIEN_ATTR_INTS:
    g_free (self->ints);
    break;
  case MIEN_ATTR_FLOATS:
    g_free (self->floats);
    break;
  case MIEN_ATTR_STRINGS:
    g_strfreev (self->strings);
    break;
  case MIEN_ATTR_INT:
  case MIEN_ATTR_FLOAT:
    break;
  }
  self->n = 0;
}

static void
attr_free (gpointer data)
{
  MienAttr *self = data;

  attr_clear (self);
  g_free (self->name);
  g_free (self);
}

static void
value_free (gpointer data)
{
  MienValue *self = data;

  g_clear_pointer (&self->tensor, mien_tensor_unref);
  g_free (self->name);
  g_free (self);
}

static void
node_free (gpointer data)
{
  MienNode *self = data;

  if (data == NULL)
    return;

  g_ptr_array_unref (self->attrs);
  g_free (self->inputs);
  g_free (self->outputs);
  g_free (self->name);
  g_free (self);
}

char *
mien_graph_shown (const char *text)
{
  const glong shown = 40, length = g_utf8_strlen (text, -1);
  GString *result = g_string_new (NULL);
  const char *p = text;

  for (glong i = 0; i < length; i++, p = g_utf8_next_char (p)) {
    gunichar c;

    if (length > 2 * shown && i == shown) {
      g_string_append (result, "…");
      p = g_utf8_offset_to_pointer (p, length - 2 * shown);
      i = length - shown;
    }
    c = g_utf8_get_char (p);
    g_string_append_unichar (result, g_unichar_isprint (c) ? c : 0xfffd);
  }
  return g_string_free (result, FALSE);
}

char *
mien_graph_quote (const char *name)
{
  g_autofree char *text = mien_graph_shown (name);

  return g_strdup_printf ("\"%s\"", text);
}

MienGraph *
mien_graph_new (const char *name, int opset)
{
  MienGraph *self = g_new0 (MienGraph, 1);

  self->name = g_strdup (name != NULL ? name : "");
  self->opset = opset;
  self->values = g_ptr_array_new_with_free_func (value_free);
  self->nodes = g_ptr_array_new_with_free_func (node_free);
  self->inputs = g_array_new (FALSE, FALSE, sizeof (int));
  self->outputs = g_array_new (FALSE, FALSE, sizeof (int));
  self->metadata = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  g_atomic_ref_count_init (&self->ref_count);
  return self;
}

MienGraph *
mien_graph_ref (MienGraph *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
mien_graph_unref (MienGraph *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  g_hash_table_unref (self->by_name); /* borrows the names of the values */
  g_hash_table_unref (self->metadata);
  g_ptr_array_unref (self->values);
  g_ptr_array_unref (self->nodes);
  g_array_unref (self->inputs);
  g_array_unref (self->outputs);
  g_free (self->name);
  g_free (self);
}

int
mien_graph_find (const MienGraph *self, const char *name)
{
  return GPOINTER_TO_INT (g_hash_table_lookup (self->by_name, name)) - 1;
}

static char *
unique_name (const MienGraph *self, const char *wish)
{
  if (wish != NULL && *wish != '\0' && mien_graph_find (self, wish) < 0)
    return g_strdup (wish);
  /* Starting at the number of values keeps this short however many share the wish. */
  for (guint i = self->values->len;; i++) {
    g_autofree char *name = g_strdup_printf ("%s_%u", wish != NULL && *wish != '\0' ? wish : "value", i);

    if (mien_graph_find (self, name) < 0)
      return g_steal_pointer (&name);
  }
}

int
mien_graph_add_value (MienGraph *self, const char *name, MienType type, const MienShape *shape)
{
  MienValue *value = g_new0 (MienValue, 1);
  const int index = self->values->len;

  value->name = unique_name (self, name);
  value->type = type;
  value->shape = shape != NULL ? *shape : MIEN_SHAPE_UNKNOWN;
  value->producer = -1;
  g_ptr_array_add (self->values, value);
  g_hash_table_insert (self->by_name, value->name, GINT_TO_POINTER (index + 1));
  return index;
}

int
mien_graph_add_input (MienGraph *self, const char *name, MienType type, const MienShape *shape)
{
  const int index = mien_graph_add_value (self, name, type, shape);

  g_array_append_val (self->inputs, index);
  return index;
}

static int
add_with_tensor (MienGraph *self, const char *name, MienValueKind kind, MienTensor *tensor)
{
  const int index = mien_graph_add_value (self, name, tensor->type, &tensor->shape);
  MienValue *value = mien_graph_value (self, index);

  value->kind = kind;
  value->tensor = tensor;
  return index;
}

int
mien_graph_add_constant (MienGraph *self, const char *name, MienTensor *tensor)
{
  return add_with_tensor (self, name, MIEN_VALUE_CONSTANT, tensor);
}

int
mien_graph_add_parameter (MienGraph *self, const char *name, MienTensor *tensor)
{
  return add_with_tensor (self, name, MIEN_VALUE_PARAMETER, tensor);
}

void
mien_graph_add_output (MienGraph *self, int value)
{
  g_assert (value >= 0 && value < (int) self->values->len);
  g_array_append_val (self->outputs, value);
}

int
mien_graph_add_node (MienGraph *self, const char *domain, const char *op, const char *name,
                     const int *inputs, int n_inputs, const int *outputs, int n_outputs)
{
  MienNode *node = g_new0 (MienNode, 1);
  const int index = self->nodes->len;

  node->name = g_strdup (name != NULL ? name : "");
  node->op = g_intern_string (op);
  node->domain = g_intern_string (domain != NULL ? domain : "");
  node->n_inputs = n_inputs;
  node->n_outputs = n_outputs;
  node->inputs = g_memdup2 (inputs, n_inputs * sizeof *inputs);
  node->outputs = g_memdup2 (outputs, n_outputs * sizeof *outputs);
  node->attrs = g_ptr_array_new_with_free_func (attr_free);
  g_ptr_array_add (self->nodes, node);
  for (int i = 0; i < n_outputs; i++)
    if (outputs[i] >= 0)
      mien_graph_value (self, outputs[i])->producer = index;
  return index;
}

int
mien_graph_op (MienGraph *self, const char *domain, const char *op, const char *name, const int *inputs, int n_inputs)
{
  g_autofree char *wish = name != NULL && *name != '\0' ? g_strdup (name) : g_ascii_strdown (op, -1);
  const int output = mien_graph_add_value (self, wish, MIEN_TYPE_UNKNOWN, NULL);

  mien_graph_add_node (self, domain, op, name, inputs, n_inputs, &output, 1);
  return output;
}

MienNode *
mien_graph_producer (const MienGraph *self, int value)
{
  const int producer = mien_graph_value (self, value)->producer;

  return producer >= 0 ? mien_graph_node (self, producer) : NULL;
}

static void
copy_attr (MienNode *to, const MienAttr *attr)
{
  switch (attr->type) {
  case MIEN_ATTR_INT:
    mien_node_set_int (to, attr->name, attr->i);
    break;
  case MIEN_ATTR_FLOAT:
    mien_node_set_float (to, attr->name, attr->f);
    break;
  case MIEN_ATTR_STRING:
    mien_node_set_string (to, attr->name, attr->s);
    break;
  case MIEN_ATTR_TENSOR:
    mien_node_set_tensor (to, attr->name, mien_tensor_ref (attr->t));
    break;
  case MIEN_ATTR_INTS:
    mien_node_set_ints (to, attr->name, attr->ints, attr->n);
    break;
  case MIEN_ATTR_FLOATS:
    mien_node_set_floats (to, attr->name, attr->floats, attr->n);
    break;
  case MIEN_ATTR_STRINGS:
    mien_node_set_strings (to, attr->name, (const char *const *) attr->strings, attr->n);
    break;
  }
}

MienGraph *
mien_graph_dup (const MienGraph *self)
{
  MienGraph *copy = mien_graph_new (self->name, self->opset);
  GHashTableIter iter;
  gpointer key, value;

  for (guint i = 0; i < self->values->len; i++) {
    const MienValue *from = mien_graph_value (self, i);
    MienValue *to = mien_graph_value (copy, mien_graph_add_value (copy, from->name, from->type, &from->shape));

    to->kind = from->kind;
    if (from->tensor != NULL)
      to->tensor = mien_tensor_ref (from->tensor);
  }
  for (guint i = 0; i < self->nodes->len; i++) {
    const MienNode *from = mien_graph_node (self, i);
    MienNode *to;

    mien_graph_add_node (copy, from->domain, from->op, from->name, from->inputs, from->n_inputs, from->outputs, from->n_outputs);
    to = mien_graph_node (copy, i);
    for (guint k = 0; k < from->attrs->len; k++)
      copy_attr (to, g_ptr_array_index (from->attrs, k));
  }
  g_array_append_vals (copy->inputs, self->inputs->data, self->inputs->len);
  g_array_append_vals (copy->outputs, self->outputs->data, self->outputs->len);
  g_hash_table_iter_init (&iter, self->metadata);
  while (g_hash_table_iter_next (&iter, &key, &value))
    g_hash_table_insert (copy->metadata, g_strdup (key), g_strdup (value));
  return copy;
}

static char *
describe (const MienNode *node)
{
  g_autofree char *op = mien_graph_shown (node->op), *name = mien_graph_quote (node->name);

  return *node->name != '\0' ? g_strdup_printf ("%s %s", op, name) : g_steal_pointer (&op);
}

/* Sets the producer of every value; FALSE when one is made twice. */
static gboolean
set_producers (MienGraph *self, const gboolean *is_input, GError **error)
{
  for (guint i = 0; i < self->values->len; i++)
    mien_graph_value (self, i)->producer = -1;
  for (guint i = 0; i < self->nodes->len; i++) {
    const MienNode *node = mien_graph_node (self, i);

    for (int k = 0; k < node->n_outputs; k++) {
      MienValue *value = node->outputs[k] >= 0 ? mien_graph_value (self, node->outputs[k]) : NULL;

      if (value == NULL)
        continue;
      if (value->producer >= 0 || value->kind != MIEN_VALUE_PLAIN || is_input[node->outputs[k]]) {
        g_autofree char *what = describe (node), *name = mien_graph_quote (value->name);

        g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT, _("%s: value %s is made a second time"), what, name);
        return FALSE;
      }
      value->producer = i;
    }
  }
  return TRUE;
}

static gboolean
check_available (const MienGraph *self, const gboolean *is_input, int index, const MienNode *reader, GError **error)
{
  const MienValue *value = mien_graph_value (self, index);
  g_autofree char *name = NULL;

  if (value->producer >= 0 || value->tensor != NULL || is_input[index])
    return TRUE;
  name = mien_graph_quote (value->name);
  if (reader != NULL) {
    g_autofree char *what = describe (reader);

    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT, _("%s: value %s is read, but nothing makes it"), what, name);
  } else {
    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT, _("output %s is computed by no node"), name);
  }
  return FALSE;
}

gboolean
mien_graph_sort (MienGraph *self, GError **error)
{
  const guint n = self->nodes->len;
  enum { NEW, OPEN, DONE };
  g_autofree gboolean *is_input = g_new0 (gboolean, self->values->len + 1);
  g_autofree guint8 *state = g_new0 (guint8, n + 1);
  g_autofree int *next_input = g_new0 (int, n + 1); /* where the walk through the inputs of an open node stands */
  g_autofree guint *stack = g_new (guint, n + 1);
  g_autofree gpointer *order = g_new (gpointer, n + 1);
  guint n_done = 0;

  for (guint i = 0; i < self->inputs->len; i++)
    is_input[g_array_index (self->inputs, int, i)] = TRUE;
  if (!set_producers (self, is_input, error))
    return FALSE;
  for (guint i = 0; i < n; i++) {
    const MienNode *node = mien_graph_node (self, i);

    for (int k = 0; k < node->n_inputs; k++)
      if (node->inputs[k] >= 0 && !check_available (self, is_input, node->inputs[k], node, error))
        return FALSE;
  }
  for (guint i = 0; i < self->outputs->len; i++)
    if (!check_available (self, is_input, g_array_index (self->outputs, int, i), NULL, error))
      return FALSE;

  /* Depth first from each node in turn: what is in order already stays where it is. */
  for (guint start = 0; start < n; start++) {
    guint depth = 0;

    if (state[start] != NEW)
      continue;
    stack[depth++] = start;
    state[start] = OPEN;
    while (depth > 0) {
      const guint current = stack[depth - 1];
      const MienNode *node = mien_graph_node (self, current);
      int needs = -1;

      while (needs < 0 && next_input[current] < node->n_inputs) {
        const int input = node->inputs[next_input[current]++];

        needs = input >= 0 ? mien_graph_value (self, input)->producer : -1;
        if (needs >= 0 && state[needs] == DONE)
          needs = -1;
      }
      if (needs < 0) {
        state[current] = DONE;
        order[n_done++] = (gpointer) node;
        depth--;
      } else if (state[needs] == OPEN) {
        g_autofree char *what = describe (node);
        g_autofree char *name = mien_graph_quote (mien_graph_value (self, node->inputs[next_input[current] - 1])->name);

        g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT, _("%s: value %s depends on this node's own output (a cycle)"), what, name);
        return FALSE;
      } else {
        state[needs] = OPEN;
        stack[depth++] = needs;
      }
    }
  }
  if (n > 0)
    memcpy (self->nodes->pdata, order, n * sizeof *order);
  return set_producers (self, is_input, error);
}

GPtrArray *
mien_graph_steal_nodes (MienGraph *self)
{
  GPtrArray *nodes = self->nodes;

  self->nodes = g_ptr_array_new_with_free_func (node_free);
  return nodes;
}

void
mien_graph_keep_node (MienGraph *self, GPtrArray *old, guint i)
{
  MienNode *node = g_steal_pointer (&old->pdata[i]);

  for (int k = 0; k < node->n_outputs; k++)
    if (node->outputs[k] >= 0)
      mien_graph_value (self, node->outputs[k])->producer = (int) self->nodes->len;
  g_ptr_array_add (self->nodes, node);
}

void
mien_graph_prune (MienGraph *self)
{
  g_autofree gboolean *needed = g_new0 (gboolean, self->values->len + 1);
  g_autofree gboolean *live = g_new0 (gboolean, self->nodes->len + 1);
  g_autoptr (GArray) stack = g_array_new (FALSE, FALSE, sizeof (int));
  guint kept = 0;

  g_array_append_vals (stack, self->outputs->data, self->outputs->len);
  while (stack->len > 0) {
    const int index = g_array_index (stack, int, stack->len - 1);
    const int producer = mien_graph_value (self, index)->producer;

    g_array_set_size (stack, stack->len - 1);
    needed[index] = TRUE;
    if (producer < 0 || live[producer])
      continue;
    live[producer] = TRUE;
    for (int k = 0; k < mien_graph_node (self, producer)->n_inputs; k++) {
      const int input = mien_graph_node (self, producer)->inputs[k];

      if (input >= 0 && !needed[input])
        g_array_append_val (stack, input);
    }
  }

  for (guint i = 0; i < self->values->len; i++) {
    MienValue *value = mien_graph_value (self, i);

    value->producer = -1;
    if (value->kind == MIEN_VALUE_CONSTANT && !needed[i]) {
      value->kind = MIEN_VALUE_PLAIN;
      g_clear_pointer (&value->tensor, mien_tensor_unref);
    }
  }
  for (guint i = 0; i < self->nodes->len; i++) {
    MienNode *node = mien_graph_node (self, i);

    if (!live[i]) {
      node_free (node);
      continue;
    }
    for (int k = 0; k < node->n_outputs; k++)
      if (node->outputs[k] >= 0)
        mien_graph_value (self, node->outputs[k])->producer = kept;
    self->nodes->pdata[kept++] = node;
  }
  for (guint i = kept; i < self->nodes->len; i++)
    self->nodes->pdata[i] = NULL;
  g_ptr_array_set_free_func (self->nodes, NULL);
  g_ptr_array_set_size (self->nodes, kept);
  g_ptr_array_set_free_func (self->nodes, node_free);
}

const MienAttr *
mien_node_attr (const MienNode *self, const char *name)
{
  for (guint i = 0; i < self->attrs->len; i++) {
    const MienAttr *attr = g_ptr_array_index (self->attrs, i);

    if (strcmp (attr->name, name) == 0)
      return attr;
  }
  return NULL;
}

static MienAttr *
set_attr (MienNode *self, const char *name, MienAttrType type, gsize n)
{
  MienAttr *attr = (MienAttr *) mien_node_attr (self, name);

  if (attr == NULL) {
    attr = g_new0 (MienAttr, 1);
    attr->name = g_strdup (name);
    g_ptr_array_add (self->attrs, attr);
  } else {
    attr_clear (attr);
  }
  attr->type = type;
  attr->n = n;
  return attr;
}

void
mien_node_set_int (MienNode *self, const char *name, gint64 value)
{
  set_attr (self, name, MIEN_ATTR_INT, 1)->i = value;
}

void
mien_node_set_float (MienNode *self, const char *name, float value)
{
  set_attr (self, name, MIEN_ATTR_FLOAT, 1)->f = value;
}

void
mien_node_set_string (MienNode *self, const char *name, const char *value)
{
  char *copy = g_strdup (value); /* value may be the attribute's own */

  set_attr (self, name, MIEN_ATTR_STRING, 1)->s = copy;
}

void
mien_node_set_ints (MienNode *self, const char *name, const gint64 *values, gsize n)
{
  gint64 *copy = g_memdup2 (values, n * sizeof *values);

  set_attr (self, name, MIEN_ATTR_INTS, n)->ints = copy;
}

void
mien_node_set_floats (MienNode *self, const char *name, const float *values, gsize n)
{
  float *copy = g_memdup2 (values, n * sizeof *values);

  set_attr (self, name, MIEN_ATTR_FLOATS, n)->floats = copy;
}

void
mien_node_set_strings (MienNode *self, const char *name, const char *const *values, gsize n)
{
  char **copy = g_new0 (char *, n + 1);

  for (gsize i = 0; i < n; i++)
    copy[i] = g_strdup (values[i]);
  set_attr (self, name, MIEN_ATTR_STRINGS, n)->strings = copy;
}

void
mien_node_set_tensor (MienNode *self, const char *name, MienTensor *value)
{
  set_attr (self, name, MIEN_ATTR_TENSOR, 1)->t = value;
}

gint64
mien_node_int (const MienNode *self, const char *name, gint64 fallback)
{
  const MienAttr *attr = mien_node_attr (self, name);

  return attr != NULL && attr->type == MIEN_ATTR_INT ? attr->i : fallback;
}

float
mien_node_float (const MienNode *self, const char *name, float fallback)
{
  const MienAttr *attr = mien_node_attr (self, name);

  return attr != NULL && attr->type == MIEN_ATTR_FLOAT ? attr->f : fallback;
}

const char *
mien_node_string (const MienNode *self, const char *name, const char *fallback)
{
  const MienAttr *attr = mien_node_attr (self, name);

  return attr != NULL && attr->type == MIEN_ATTR_STRING ? attr->s : fallback;
}

const gint64 *
mien_node_ints (const MienNode *self, const char *name, gsize *n)
{
  const MienAttr *attr = mien_node_attr (self, name);
  const gboolean found = attr != NULL && attr->type == MIEN_ATTR_INTS;

  *n = found ? attr->n : 0;
  return found ? attr->ints : NULL;
}
