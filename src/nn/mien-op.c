/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The registry of operators and the helpers that all of them share. */
#include "mien-config.h"

#include "nn/mien-op.h"

#include <stdarg.h>
#include <string.h>

#include "nn/ops/mien-ops.h"

static const MienOp *const families[] = {
  mien_ops_binary,
  mien_ops_cast,
  mien_ops_backward,
  mien_ops_backward_conv,
  mien_ops_backward_norm,
  mien_ops_blocked,
  mien_ops_conv,
  mien_ops_dense,
  mien_ops_gemm,
  mien_ops_instance,
  mien_ops_move,
  mien_ops_norm,
  mien_ops_pair,
  mien_ops_separable,
  mien_ops_pool,
  mien_ops_reduce,
  mien_ops_resize,
  mien_ops_select,
  mien_ops_shape,
  mien_ops_slice,
  mien_ops_softmax,
  mien_ops_train,
  mien_ops_unary,
};

/* Name to GPtrArray of MienOp: one entry for each domain and range of opsets. */
static GHashTable *
get_ops_by_name (void)
{
  static gsize once;

  if (g_once_init_enter (&once)) {
    GHashTable *ops = g_hash_table_new (g_str_hash, g_str_equal);

    for (gsize f = 0; f < G_N_ELEMENTS (families); f++)
      for (const MienOp *op = families[f]; op->name != NULL; op++) {
        GPtrArray *list = g_hash_table_lookup (ops, op->name);

        if (list == NULL) {
          list = g_ptr_array_new ();
          g_hash_table_insert (ops, (gpointer) op->name, list);
        }
        g_ptr_array_add (list, (gpointer) op);
      }
    g_once_init_leave (&once, (gsize) ops);
  }
  return (GHashTable *) once;
}

const MienOp *
mien_op_find (const char *domain, const char *name, int opset)
{
  GPtrArray *list = g_hash_table_lookup (get_ops_by_name (), name);

  for (guint i = 0; list != NULL && i < list->len; i++) {
    const MienOp *op = g_ptr_array_index (list, i);

    if (opset >= op->since && (op->until == 0 || opset <= op->until) && g_str_equal (domain, op->domain))
      return op;
  }
  return NULL;
}

static gboolean
check_arity (const MienOp *op, const MienOpCtx *ctx, GError **error)
{
  const MienNode *node = ctx->node;

  if (node->n_inputs < op->min_inputs || (op->max_inputs >= 0 && node->n_inputs > op->max_inputs))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "%d inputs, which is not a possible number", node->n_inputs);
  if (node->n_outputs < 1 || node->n_outputs > op->max_outputs)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "%d outputs, which is not a possible number", node->n_outputs);
  for (int i = 0; i < op->min_inputs; i++)
    if (node->inputs[i] < 0)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input %d is missing", i);
  if (node->outputs[0] < 0)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "output 0 is missing");
  return TRUE;
}

gboolean
mien_op_check_graph (const MienGraph *graph, GError **error)
{
  for (guint i = 0; i < graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (graph, i);
    const MienOp *op = mien_op_find (node->domain, node->op, graph->opset);
    if (op != NULL && !check_arity (op, &(MienOpCtx) { .graph = graph, .node = node, .opset = graph->opset }, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
mien_op_infer (const MienOp *op, MienOpCtx *ctx, GError **error)
{
  if (!check_arity (op, ctx, error) || !op->infer (ctx, error))
    return FALSE;

  for (int i = 0; i < ctx->n_out; i++) {
    MienTensor *out = ctx->out[i];
    gsize size, n_bytes;

    if (out == NULL)
      continue;
    size = mien_type_size (out->type);
    if (size == 0)
      return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "output %d would have the type %s, which this program does not have", i,
                           mien_type_name (out->type));
    out->n_elems = 0;
    if (out->shape.rank < 0)
      continue;
    if (!mien_shape_n_elems (&out->shape, &out->n_elems) || !g_size_checked_mul (&n_bytes, out->n_elems, size)
        || n_bytes > MIEN_TENSOR_MAX_BYTES) {
      g_autofree char *shape = mien_shape_to_string (&out->shape);

      return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "output %d would be too large (%s)", i, shape);
    }
  }
  return TRUE;
}

/* What stood in the file before it was exchanged for a blocked form. */
static char *
describe (const char *op, const char *name)
{
  g_autofree char *shown = mien_graph_shown (g_str_has_prefix (op, "Blocked") ? op + strlen ("Blocked") : op);
  g_autofree char *quoted = mien_graph_quote (name);

  return g_strdup_printf ("%s %s", shown, quoted);
}

char *
mien_op_describe (const MienNode *node)
{
  return node->name != NULL && *node->name != '\0' ? describe (node->op, node->name) : mien_graph_shown (node->op);
}

gboolean
mien_op_fail (const MienOpCtx *ctx, GError **error, MienNnError code, const char *format, ...)
{
  const MienNode *node = ctx->node;
  g_autofree char *who = NULL;
  g_autofree char *message = NULL;
  va_list args;

  if (error == NULL)
    return FALSE;
  if ((node->name == NULL || *node->name == '\0') && node->n_outputs > 0 && node->outputs[0] >= 0)
    who = describe (node->op, mien_graph_value (ctx->graph, node->outputs[0])->name);
  else
    who = mien_op_describe (node);
  va_start (args, format);
  message = g_strdup_vprintf (g_dgettext (GETTEXT_PACKAGE, format), args);
  va_end (args);
  g_set_error (error, MIEN_NN_ERROR, code, "%s: %s", who, message);
  return FALSE;
}

gboolean
mien_op_shapes_known (const MienOpCtx *ctx)
{
  for (int i = 0; i < ctx->n_in; i++)
    if (ctx->in[i] != NULL && ctx->in[i]->shape.rank < 0)
      return FALSE;
  return TRUE;
}

void
mien_op_out (MienOpCtx *ctx, int i, MienType type, const MienShape *shape)
{
  if (i >= ctx->n_out || ctx->out[i] == NULL)
    return;
  ctx->out[i]->type = type;
  ctx->out[i]->shape = *shape;
}

void
mien_op_out_like (MienOpCtx *ctx, int i, int j)
{
  mien_op_out (ctx, i, ctx->in[j]->type, &ctx->in[j]->shape);
}

void
mien_op_out_unknown (MienOpCtx *ctx, int i, MienType type)
{
  mien_op_out (ctx, i, type, &MIEN_SHAPE_UNKNOWN);
}

gboolean
mien_op_check_type (MienOpCtx *ctx, GError **error, int i, ...)
{
  va_list args;
  int type;
  gboolean found = FALSE;

  if (!mien_op_has (ctx, i))
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input %d is missing", i);
  va_start (args, i);
  while (!found && (type = va_arg (args, int)) != 0)
    found = ctx->in[i]->type == (MienType) type;
  va_end (args);
  if (!found)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "input %d has the type %s, which this operator does not take here", i,
                         mien_type_name (ctx->in[i]->type));
  return TRUE;
}

gboolean
mien_op_read_ints (MienOpCtx *ctx, GError **error, int i, gint64 *values, int max, int *n)
{
  const MienTensor *in;

  if (!mien_op_check_type (ctx, error, i, MIEN_I64, MIEN_I32, 0))
    return FALSE;
  in = ctx->in[i];
  *n = -1;
  if (in->shape.rank < 0)
    return TRUE;
  if (in->shape.rank > 1)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input %d has %d dimensions where a list is needed", i, in->shape.rank);
  if (in->n_elems > (gsize) max)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "input %d has %ld elements; at most %d are possible", i,
                         (long) in->n_elems, max);
  if (!mien_op_contents_known (ctx, i))
    return TRUE;
  *n = (int) in->n_elems;
  for (int k = 0; k < *n; k++)
    values[k] = in->type == MIEN_I64 ? ((const gint64 *) in->data)[k] : ((const gint32 *) in->data)[k];
  return TRUE;
}

gboolean
mien_op_broadcast (MienOpCtx *ctx, GError **error, const MienShape *const *shapes, int n, MienShape *result)
{
  MienShape to = { .rank = 0 };

  for (int i = 0; i < n; i++)
    to.rank = MAX (to.rank, shapes[i]->rank);
  for (int d = 0; d < to.rank; d++) {
    to.dim[d] = 1;
    for (int i = 0; i < n; i++) {
      const int k = d - (to.rank - shapes[i]->rank);

      if (k < 0 || shapes[i]->dim[k] == 1 || shapes[i]->dim[k] == to.dim[d])
        continue;
      if (to.dim[d] != 1) {
        g_autofree char *a = mien_shape_to_string (shapes[0]);
        g_autofree char *b = mien_shape_to_string (shapes[i]);

        return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "inputs of shapes %s and %s do not fit together", a, b);
      }
      to.dim[d] = shapes[i]->dim[k];
    }
  }
  *result = to;
  return TRUE;
}

gboolean
mien_op_axis (MienOpCtx *ctx, GError **error, gint64 axis, int rank, int *result)
{
  if (axis < -rank || axis >= rank)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SHAPE, "axis %ld is outside the %d dimensions of the input", (long) axis, rank);
  *result = (int) (axis < 0 ? axis + rank : axis);
  return TRUE;
}
