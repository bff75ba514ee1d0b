/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making a plan: passes over a copy of the graph, shapes, constant folding, preparation of every operator, memory. */
#include "mien-config.h"

#include <glib/gi18n-lib.h>
#include <stdlib.h>

#include "nn/mien-passes.h"
#include "nn/mien-plan-private.h"

/* Constants worth computing once, all together; what is beyond (a ConstantOfShape of a gigabyte) is left to the run. */
#define MAX_FOLDED_BYTES ((gsize) 64 << 20)

static gboolean
set_input_shapes (MienPlan *self, const MienShape *shapes, GError **error)
{
  for (guint i = 0; i < self->graph->inputs->len; i++) {
    const int v = g_array_index (self->graph->inputs, int, i);
    const MienValue *value = mien_graph_value (self->graph, v);
    MienTensor *desc = &self->values[v].desc;

    desc->type = value->type;
    desc->shape = value->shape;
    if (shapes != NULL) {
      gboolean fits = value->shape.rank < 0 || value->shape.rank == shapes[i].rank;
      for (int d = 0; fits && d < value->shape.rank; d++)
        fits = value->shape.dim[d] < 0 || value->shape.dim[d] == shapes[i].dim[d];
      if (!fits) {
        g_autofree char *want = mien_shape_to_string (&value->shape);
        g_autofree char *got = mien_shape_to_string (&shapes[i]);
        g_autofree char *name = mien_graph_quote (value->name);
        g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_INPUT, _("input %s takes %s, not %s"), name, want, got);
        return FALSE;
      }
      desc->shape = shapes[i];
    } else {
      for (int d = 0; d < desc->shape.rank; d++)
        desc->shape.dim[d] = MAX (desc->shape.dim[d], 1) * (desc->shape.dim[d] != 0);
    }
    if (mien_type_size (desc->type) == 0 || !mien_shape_is_known (&desc->shape) ||
        !mien_shape_n_elems (&desc->shape, &desc->n_elems) || desc->n_elems > MIEN_TENSOR_MAX_BYTES / mien_type_size (desc->type)) {
      g_autofree char *shape = mien_shape_to_string (&desc->shape);
      g_autofree char *name = mien_graph_quote (value->name);
      g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_INPUT, _("input %s has no usable type or size (%s, %s)"), name,
                   mien_type_name (desc->type), shape);
      return FALSE;
    }
    self->values[v].kind = MIEN_STORE_INPUT;
    self->values[v].index = (int) i;
  }
  return TRUE;
}

static gboolean
fetch_tensor (const MienPlan *self, int v, GError **error)
{
  const MienValue *value = v >= 0 ? mien_graph_value (self->graph, v) : NULL;
  g_autofree char *name = NULL;

  if (value == NULL || value->tensor == NULL || mien_tensor_fetch (value->tensor, error))
    return TRUE;
  name = mien_graph_quote (value->name);
  g_prefix_error (error, _("tensor %s: "), name);
  return FALSE;
}

/* All but the weights that are read while they are packed. */
static gboolean
fetch_tensors (const MienPlan *self, GError **error)
{
  for (guint i = 0; i < self->graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (self->graph, i);
    const MienOp *op = mien_op_find (node->domain, node->op, self->graph->opset);

    for (int k = 0; k < node->n_inputs; k++)
      if (!(k == 1 && op != NULL && (op->flags & MIEN_OP_PACKS) != 0) && !fetch_tensor (self, node->inputs[k], error))
        return FALSE;
  }
  for (guint i = 0; i < self->graph->outputs->len; i++)
    if (!fetch_tensor (self, g_array_index (self->graph->outputs, int, i), error))
      return FALSE;
  return TRUE;
}

static void
set_tensors (MienPlan *self)
{
  for (int v = 0; v < self->n_values; v++) {
    const MienValue *value = mien_graph_value (self->graph, v);
    self->values[v].desc.shape = MIEN_SHAPE_UNKNOWN;
    if (value->tensor == NULL)
      continue;
    self->values[v].desc = *value->tensor;
    self->values[v].kind = MIEN_STORE_TENSOR;
    if (value->kind == MIEN_VALUE_PARAMETER) /* its contents are not to be relied on */
      self->values[v].desc.data = NULL;
  }
}

/* Points ctx at the planned descriptions of a node's values. in and out have room for all. */
static void
point_at (MienPlan *self, const MienNode *node, MienOpCtx *ctx, const MienTensor **in, MienTensor **out)
{
  *ctx = (MienOpCtx) {
    .graph = self->graph,
    .node = node,
    .opset = self->graph->opset,
    .n_in = node->n_inputs,
    .n_out = node->n_outputs,
    .in = in,
    .out = out,
    .kernels = &self->kernels,
    .threads = self->threads,
    .n_threads = self->n_threads,
    .pages = self->pages,
    .buffer = &self->buffer,
  };
  for (int i = 0; i < node->n_inputs; i++)
    in[i] = node->inputs[i] >= 0 ? &self->values[node->inputs[i]].desc : NULL;
  for (int i = 0; i < node->n_outputs; i++)
    out[i] = node->outputs[i] >= 0 ? &self->values[node->outputs[i]].desc : NULL;
}

/* All contents known (or not needed), all results of known and moderate size. */
static gboolean
can_fold (const MienPlan *self, const MienOp *op, const MienOpCtx *ctx)
{
  gsize n_bytes = self->folded_bytes;

  if (op->flags & MIEN_OP_IMPURE)
    return FALSE;
  for (int i = 0; i < ctx->n_in; i++) {
    if (ctx->in[i] == NULL)
      continue;
    if (ctx->in[i]->shape.rank < 0 || (ctx->in[i]->data == NULL && ctx->in[i]->n_elems > 0 && !(op->flags & MIEN_OP_SHAPE_ONLY)))
      return FALSE;
  }
  for (int i = 0; i < ctx->n_out; i++) {
    if (ctx->out[i] == NULL)
      continue;
    if (ctx->out[i]->shape.rank < 0 || mien_tensor_n_bytes (ctx->out[i]) > MAX_FOLDED_BYTES - n_bytes)
      return FALSE;
    n_bytes += mien_tensor_n_bytes (ctx->out[i]);
  }
  return TRUE;
}

static gboolean
fold (MienPlan *self, const MienOp *op, MienOpCtx *ctx, GError **error)
{
  for (int i = 0; i < ctx->n_out; i++) {
    if (ctx->out[i] == NULL)
      continue;
    MienPlanValue *value = &self->values[ctx->node->outputs[i]];
    value->folded = mien_tensor_try_new (value->desc.type, &value->desc.shape, error);
    if (value->folded == NULL)
      return FALSE;
    value->desc.data = value->folded->data;
    self->folded_bytes += mien_tensor_n_bytes (value->folded);
    value->kind = MIEN_STORE_TENSOR;
  }
  if (op->flags & MIEN_OP_VIEW) {
    if (ctx->in[0]->n_elems > 0)
      memcpy (ctx->out[0]->data, ctx->in[0]->data, mien_tensor_n_bytes (ctx->in[0]));
    return TRUE;
  }
  MienOpPrep prep = { 0 };
  if (op->prepare != NULL && !op->prepare (ctx, &prep, error))
    return FALSE;
  ctx->state = prep.state;
  void *scratch = prep.scratch_bytes > 0 ? aligned_alloc (64, (prep.scratch_bytes + 63) / 64 * 64) : NULL;
  gboolean ok = prep.scratch_bytes == 0 || scratch != NULL;
  if (!ok)
    mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "no memory for its intermediate results");
  ctx->scratch = scratch;
  ctx->scratch_bytes = prep.scratch_bytes;
  ok = ok && op->run (ctx, error);
  free (scratch);
  if (prep.free_state != NULL)
    prep.free_state (prep.state);
  return ok;
}

gboolean
mien_plan_spend (const MienPlan *self, const MienOp *op, const MienOpCtx *ctx, double *macs, GError **error)
{
  *macs += mien_op_cost (op, ctx);
  if (*macs <= self->max_macs)
    return TRUE;
  return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "with it the network takes %.3g multiply-adds; the limit is %.3g", *macs, self->max_macs);
}

static gboolean
plan_node (MienPlan *self, const MienNode *node, gboolean may_fold, GError **error)
{
  const MienOp *op = mien_op_find (node->domain, node->op, self->graph->opset);
  g_autofree const MienTensor **in = g_new (const MienTensor *, MAX (node->n_inputs, 1));
  g_autofree MienTensor **out = g_new (MienTensor *, MAX (node->n_outputs, 1));
  MienPlanStep step = { .node = node, .op = op };
  MienOpCtx ctx;

  point_at (self, node, &ctx, in, out);
  if (op == NULL) {
    g_autofree char *domain = mien_graph_quote (node->domain);
    return mien_op_fail (&ctx, error, MIEN_NN_ERROR_UNSUPPORTED, "this program has no operator of that name (domain %s, opset %d)", domain,
                         self->graph->opset);
  }
  if (!mien_op_infer (op, &ctx, error))
    return FALSE;
  if (!mien_plan_spend (self, op, &ctx, &self->macs, error))
    return FALSE;
  if (may_fold && can_fold (self, op, &ctx))
    return fold (self, op, &ctx, error);
  for (int i = 0; i < ctx.n_in; i++)
    step.dynamic |= in[i] != NULL && in[i]->shape.rank < 0;
  for (int i = 0; i < ctx.n_out; i++)
    step.dynamic |= out[i] != NULL && out[i]->shape.rank < 0;
  g_array_append_val (self->steps, step);
  return TRUE;
}

/* How many nodes read each value. */
static int *
count_readers (const MienPlan *self)
{
  int *n = g_new0 (int, self->n_values + 1);

  for (guint i = 0; i < self->graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (self->graph, i);
    for (int k = 0; k < node->n_inputs; k++)
      if (node->inputs[k] >= 0)
        n[node->inputs[k]]++;
  }
  return n;
}

static void
let_go_of (MienPlan *self, int v)
{
  MienValue *value = mien_graph_value (self->graph, v);

  if (value->kind != MIEN_VALUE_CONSTANT || value->tensor == NULL || self->values[v].kept)
    return;
  mien_tensor_let_go (value->tensor);
  self->values[v].kind = MIEN_STORE_NONE;
  self->values[v].desc = *value->tensor;
}

/* After everything that can fail for the blocked layouts alone, so that weights are there for a second plan. */
static gboolean
prepare_steps (MienPlan *self, gboolean let_go, GError **error)
{
  g_autofree int *n_readers = count_readers (self);

  for (guint i = 0; i < self->steps->len; i++) {
    MienPlanStep *step = &g_array_index (self->steps, MienPlanStep, i);
    const MienNode *node = step->node;
    g_autofree const MienTensor **in = g_new (const MienTensor *, MAX (node->n_inputs, 1));
    g_autofree MienTensor **out = g_new (MienTensor *, MAX (node->n_outputs, 1));
    MienOpCtx ctx;

    if (step->dynamic || step->op->prepare == NULL)
      continue;
    point_at (self, node, &ctx, in, out);
    if (!step->op->prepare (&ctx, &step->prep, error))
      return FALSE;
    if (let_go && (step->op->flags & MIEN_OP_PACKS) && n_readers[node->inputs[1]] == 1)
      let_go_of (self, node->inputs[1]);
  }
  return TRUE;
}

static void
clear_step (gpointer data)
{
  MienPlanStep *step = data;

  if (step->prep.free_state != NULL)
    step->prep.free_state (step->prep.state);
}

static void
mark_kept (MienPlan *self, const MienPlanOptions *options)
{
  for (guint i = 0; i < self->graph->outputs->len; i++)
    self->values[g_array_index (self->graph->outputs, int, i)].kept = TRUE;
  for (int i = 0; i < options->n_keep; i++)
    self->values[options->keep[i]].kept = TRUE;
}

/* bfloat16 where it is asked for, there and faster, on tiles where there are any; else f32 where there are blocked kernels at all. */
static MienPassesForm
form_of (const MienKernels *kernels, const MienPlanOptions *options, gboolean blocked)
{
  const gboolean bf16 = options->precision == MIEN_PRECISION_BF16 && mien_cpu_has_bf16 (kernels->cpu);
  const gboolean bf16_vectors = bf16 && mien_cpu_bf16_pays (kernels->cpu);
  const MienBlockedKernels *vectors = bf16_vectors ? &kernels->blocked_bf16 : &kernels->blocked;
  MienPassesForm form = {
    .without_tiles = bf16_vectors ? MIEN_BLOCK_BF16 : MIEN_BLOCK_F32,
    .narrow = bf16,
    .pairs = vectors->pair != NULL,
  };

  if (blocked && vectors->lanes > 0)
    form.blocking = bf16 && kernels->blocked_tiles.lanes > 0 ? MIEN_BLOCK_TILES : form.without_tiles;
  return form;
}

/* Constants that were packed and that no step reads: their owner may let go of them while the plan lives on. */
static void
release_packed (MienPlan *self, gboolean let_go)
{
  g_autofree gboolean *needed = g_new0 (gboolean, self->n_values + 1);

  for (guint i = 0; i < self->steps->len; i++) {
    const MienPlanStep *step = &g_array_index (self->steps, MienPlanStep, i);
    const gboolean packs = (step->op->flags & MIEN_OP_PACKS) != 0 && !step->dynamic;
    for (int k = 0; k < step->node->n_inputs; k++)
      if (step->node->inputs[k] >= 0 && !(packs && k == 1))
        needed[step->node->inputs[k]] = TRUE;
  }
  for (int v = 0; v < self->n_values; v++) {
    MienValue *value = mien_graph_value (self->graph, v);
    if (value->kind != MIEN_VALUE_CONSTANT || value->tensor == NULL || needed[v] || self->values[v].kept)
      continue;
    if (let_go)
      let_go_of (self, v);
    self->values[v].kind = MIEN_STORE_NONE;
    self->values[v].desc.data = NULL;
    g_clear_pointer (&value->tensor, mien_tensor_unref);
  }
}

static gsize
constant_bytes (const MienGraph *graph)
{
  gsize n = 0;

  for (guint i = 0; i < graph->values->len; i++) {
    const MienValue *value = mien_graph_value (graph, i);
    n += value->kind == MIEN_VALUE_CONSTANT && value->tensor != NULL ? mien_tensor_n_bytes (value->tensor) : 0;
  }
  return n;
}

static MienPlan *
make_plan (MienGraph *graph, const MienShape *shapes, const MienPlanOptions *options, gboolean blocked, GError **error)
{
  g_autoptr (MienPlan) self = g_new0 (MienPlan, 1);

  g_atomic_ref_count_init (&self->ref_count);
  mien_kernels_init (&self->kernels, options->cpu);
  self->threads = options->threads;
  self->paced = options->paced;
  self->n_threads = MAX (options->n_threads, mien_threads_count (options->threads));
  self->pages = mien_pages_new (constant_bytes (graph));
  self->max_bytes = options->max_bytes != 0 ? options->max_bytes : MIEN_TENSOR_MAX_BYTES;
  self->max_macs = options->max_macs != 0 ? options->max_macs : MIEN_PLAN_MAX_MACS;
  self->graph = mien_graph_dup (graph);
  self->steps = g_array_new (FALSE, TRUE, sizeof (MienPlanStep));
  g_array_set_clear_func (self->steps, clear_step);
  if (!mien_graph_sort (self->graph, error) || !mien_op_check_graph (self->graph, error))
    return NULL;
  const MienPassesForm form = form_of (&self->kernels, options, blocked);
  if (!options->no_passes && !options->no_fusion)
    mien_passes_run (self->graph, options->keep, options->n_keep, &form);
  self->n_values = (int) self->graph->values->len;
  self->values = g_new0 (MienPlanValue, self->n_values);
  if (!options->shapes_only && !fetch_tensors (self, error))
    return NULL;
  set_tensors (self);
  mark_kept (self, options);
  if (!set_input_shapes (self, shapes, error))
    return NULL;
  for (guint i = 0; i < self->graph->nodes->len; i++)
    if (!plan_node (self, mien_graph_node (self->graph, i), !options->no_passes, error))
      return NULL;
  /* Before parameters show their contents, which change from run to run: nothing may be packed from them. */
  if (!options->shapes_only && !prepare_steps (self, options->let_go, error))
    return NULL;
  mien_op_buffer_clear (&self->buffer);
  for (int v = 0; v < self->n_values; v++) {
    const MienValue *value = mien_graph_value (self->graph, v);
    if (value->kind == MIEN_VALUE_PARAMETER)
      self->values[v].desc.data = value->tensor->data;
    if (self->values[v].kept && self->values[v].desc.type == MIEN_TYPE_UNKNOWN) {
      g_autofree char *name = mien_graph_quote (value->name);
      g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT, _("output %s is computed by no node"), name);
      return NULL;
    }
  }
  if (options->shapes_only)
    return g_steal_pointer (&self);
  if (!mien_plan_lay_out (self, error))
    return NULL;
  release_packed (self, options->let_go);
  return g_steal_pointer (&self);
}

static gboolean
has_let_go (const MienGraph *graph)
{
  for (guint i = 0; i < graph->values->len; i++) {
    const MienTensor *tensor = mien_graph_value (graph, i)->tensor;
    if (tensor != NULL && tensor->data == NULL && tensor->n_elems > 0 && !mien_tensor_is_away (tensor))
      return TRUE;
  }
  return FALSE;
}

MienPlan *
mien_plan_new (MienGraph *graph, const MienShape *shapes, const MienPlanOptions *options, GError **error)
{
  g_autoptr (GError) problem = NULL;
  const gboolean plain = options->no_passes || options->no_fusion;
  MienPlan *self = make_plan (graph, shapes, options, TRUE, plain ? error : &problem);

  /* Blocked layouts are chosen before shapes are known, and do without sizes that depend on the data. The plain layout has the last
   * word, in the operators' own names. */
  if (self != NULL || plain)
    return self;
  if (options->let_go && has_let_go (graph)) {
    g_propagate_error (error, g_steal_pointer (&problem));
    return NULL;
  }
  return make_plan (graph, shapes, options, FALSE, error);
}

MienPlan *
mien_plan_ref (MienPlan *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
mien_plan_unref (MienPlan *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  for (int v = 0; v < self->n_values; v++)
    g_clear_pointer (&self->values[v].folded, mien_tensor_unref);
  g_array_unref (self->steps);
  mien_op_buffer_clear (&self->buffer);
  mien_pages_free (self->pages);
  g_clear_pointer (&self->graph, mien_graph_unref);
  g_free (self->values);
  g_free (self);
}

gsize
mien_plan_arena_bytes (const MienPlan *self)
{
  return self->arena_bytes;
}

void
mien_plan_get_value (const MienPlan *self, int value, MienType *type, MienShape *shape)
{
  *type = self->values[value].desc.type;
  *shape = self->values[value].desc.shape;
}
