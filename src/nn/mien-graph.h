/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A network as a graph: values (named tensors, known or not) and nodes (operators) between them, as in ONNX.
 *
 * Values and nodes are owned by the graph and addressed by index; a value's index stays valid until the graph is freed, a
 * node's until the next mien_graph_sort() or mien_graph_prune().
 * Node order is execution order once mien_graph_sort() has succeeded.
 *
 * Thread   not synchronised; build on one thread, then share it read-only
 * Source   ONNX GraphProto, NodeProto, ValueInfoProto, AttributeProto */
#pragma once

#include "nn/mien-tensor.h"

G_BEGIN_DECLS

typedef enum {
  MIEN_ATTR_INT,
  MIEN_ATTR_FLOAT,
  MIEN_ATTR_STRING,
  MIEN_ATTR_TENSOR,
  MIEN_ATTR_INTS,
  MIEN_ATTR_FLOATS,
  MIEN_ATTR_STRINGS,
} MienAttrType;

typedef struct {
  char *name;
  MienAttrType type;
  gsize n; /* elements of the lists; 1 otherwise */
  union {
    gint64 i;
    float f;
    char *s; /* UTF-8 */
    MienTensor *t;
    gint64 *ints;
    float *floats;
    char **strings;
  };
} MienAttr;

typedef enum {
  MIEN_VALUE_PLAIN,     /* computed by a node, or a graph input */
  MIEN_VALUE_CONSTANT,  /* tensor set, never changes: may be folded and packed */
  MIEN_VALUE_PARAMETER, /* tensor set, a trainer changes its contents between runs: read at every run */
} MienValueKind;

typedef struct {
  char *name; /* unique in the graph */
  MienValueKind kind;
  MienType type;   /* MIEN_TYPE_UNKNOWN until declared or inferred */
  MienShape shape; /* as declared in the file; -1 for open dimensions */
  MienTensor *tensor; /* (nullable) constants and parameters */
  int producer;    /* node index, -1 for inputs, constants and parameters */
} MienValue;

typedef struct {
  char *name;         /* may be "" */
  const char *op;     /* operator type, interned */
  const char *domain; /* "" for ai.onnx; "mien" for the engine's own; interned */
  int n_inputs;
  int n_outputs;
  int *inputs;  /* value indices; -1 for an omitted optional input */
  int *outputs; /* value indices; -1 for an omitted optional output */
  GPtrArray *attrs; /* MienAttr */
} MienNode;

typedef struct {
  char *name;
  int opset; /* of the default domain */
  GPtrArray *values;   /* MienValue */
  GPtrArray *nodes;    /* MienNode */
  GArray *inputs;      /* int; without constants, even where the file lists them as inputs (IR version 3) */
  GArray *outputs;     /* int */
  GHashTable *metadata; /* char* to char*: ONNX metadata_props */
  /*< private >*/
  GHashTable *by_name;
  gatomicrefcount ref_count;
} MienGraph;

MienGraph *mien_graph_new (const char *name, int opset);
MienGraph *mien_graph_ref (MienGraph *self);
void mien_graph_unref (MienGraph *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienGraph, mien_graph_unref)

/* A copy of values and nodes; the tensors are shared, so that a plan sees what a trainer writes. */
MienGraph *mien_graph_dup (const MienGraph *self);

static inline MienValue *
mien_graph_value (const MienGraph *self, int index)
{
  return (MienValue *) g_ptr_array_index (self->values, index);
}

static inline MienNode *
mien_graph_node (const MienGraph *self, int index)
{
  return (MienNode *) g_ptr_array_index (self->nodes, index);
}

/* -1 when there is none of that name. */
int mien_graph_find (const MienGraph *self, const char *name);

/* A new value; name NULL makes up a unique one; an existing name gets a suffix. Returns its index. */
int mien_graph_add_value (MienGraph *self, const char *name, MienType type, const MienShape *shape);
int mien_graph_add_input (MienGraph *self, const char *name, MienType type, const MienShape *shape);
int mien_graph_add_constant (MienGraph *self, const char *name, MienTensor *tensor);  /* (transfer full) */
int mien_graph_add_parameter (MienGraph *self, const char *name, MienTensor *tensor); /* (transfer full) */
void mien_graph_add_output (MienGraph *self, int value);

/* A new node with n_inputs and n_outputs value indices, copied; sets the producer of each output. Returns its index. */
int mien_graph_add_node (MienGraph *self, const char *domain, const char *op, const char *name,
                         const int *inputs, int n_inputs, const int *outputs, int n_outputs);

/* A node with one fresh output. Returns the VALUE index of the output. */
int mien_graph_op (MienGraph *self, const char *domain, const char *op, const char *name, const int *inputs, int n_inputs);
MienNode *mien_graph_producer (const MienGraph *self, int value); /* NULL when none */

/* Orders nodes so that each stands behind those it reads from, keeping the order otherwise; sets producers.
 * Errors: a value read but never made, made twice, or a cycle; the message names node and value. */
gboolean mien_graph_sort (MienGraph *self, GError **error);

/* Removes nodes that no graph output depends on, and the tensors of constants that nobody uses; values keep their index. The
 * graph must be sorted or built in order. */
void mien_graph_prune (MienGraph *self);

/* The nodes, and a graph without any: for passes that write the list anew. Nodes that are added again are replaced by NULL in
 * the old list, the others go with it. (transfer full) */
GPtrArray *mien_graph_steal_nodes (MienGraph *self);

/* Node i of that old list, as it is, behind the present ones. */
void mien_graph_keep_node (MienGraph *self, GPtrArray *old, guint i);

/* A name from a file made fit for a message: very long ones are shortened in the middle, control characters replaced;
 * mien_graph_quote() adds quotation marks. name is UTF-8. (transfer full) */
char *mien_graph_shown (const char *name);
char *mien_graph_quote (const char *name);

/* Attributes. Setters replace; getters return the default when the attribute is absent. */
void mien_node_set_int (MienNode *self, const char *name, gint64 value);
void mien_node_set_float (MienNode *self, const char *name, float value);
void mien_node_set_string (MienNode *self, const char *name, const char *value);
void mien_node_set_ints (MienNode *self, const char *name, const gint64 *values, gsize n);
void mien_node_set_floats (MienNode *self, const char *name, const float *values, gsize n);
void mien_node_set_strings (MienNode *self, const char *name, const char *const *values, gsize n);
void mien_node_set_tensor (MienNode *self, const char *name, MienTensor *value); /* (transfer full) */
const MienAttr *mien_node_attr (const MienNode *self, const char *name);         /* NULL when absent */
gint64 mien_node_int (const MienNode *self, const char *name, gint64 fallback);
float mien_node_float (const MienNode *self, const char *name, float fallback);
const char *mien_node_string (const MienNode *self, const char *name, const char *fallback);
const gint64 *mien_node_ints (const MienNode *self, const char *name, gsize *n); /* NULL, n = 0 when absent */

G_END_DECLS
