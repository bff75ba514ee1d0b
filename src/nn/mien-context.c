/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running a plan: every step finds its tensors and scratch already in place. */
#include "mien-config.h"

#include <glib/gi18n-lib.h>
#include <stdlib.h>
#include <time.h>

#include "nn/mien-pace.h"
#include "nn/mien-pages.h"
#include "nn/mien-plan-private.h"

typedef struct {
  MienOpCtx ctx;
  const MienPlanStep *step;
} Ready;

struct _MienContext {
  MienPlan *plan;
  guint8 *arena;
  MienTensor *tensors; /* one a value */
  gsize *room;         /* bytes that the buffer of a dynamic value has */
  gsize room_bytes;    /* of all of them */
  double macs;         /* of this run */
  MienThreads *threads;
  MienPace pace;
  Ready *ready;        /* one a step */
  const MienTensor **in;
  MienTensor **out;
};

static void
place_tensors (MienContext *self)
{
  const MienPlan *plan = self->plan;

  for (int v = 0; v < plan->n_values; v++) {
    self->tensors[v] = plan->values[v].desc;
    if (plan->values[v].kind == MIEN_STORE_ARENA)
      self->tensors[v].data = self->arena + plan->values[v].offset;
  }
  for (int v = 0; v < plan->n_values; v++)
    if (plan->values[v].kind == MIEN_STORE_ALIAS)
      self->tensors[v].data = self->tensors[mien_plan_root (plan, v)].data;
}

static void
get_steps_ready (MienContext *self)
{
  const MienPlan *plan = self->plan;
  gsize n_in = 0, n_out = 0;

  for (guint i = 0; i < plan->steps->len; i++) {
    const MienNode *node = g_array_index (plan->steps, MienPlanStep, i).node;
    n_in += node->n_inputs;
    n_out += node->n_outputs;
  }
  self->in = g_new (const MienTensor *, n_in + 1);
  self->out = g_new (MienTensor *, n_out + 1);
  self->ready = g_new0 (Ready, plan->steps->len + 1);
  n_in = n_out = 0;
  for (guint i = 0; i < plan->steps->len; i++) {
    const MienPlanStep *step = &g_array_index (plan->steps, MienPlanStep, i);
    const MienNode *node = step->node;
    self->ready[i].step = step;
    self->ready[i].ctx = (MienOpCtx) {
      .graph = plan->graph,
      .node = node,
      .opset = plan->graph->opset,
      .n_in = node->n_inputs,
      .n_out = node->n_outputs,
      .in = self->in + n_in,
      .out = self->out + n_out,
      .kernels = &plan->kernels,
      .threads = plan->threads,
      .n_threads = plan->n_threads,
      .pages = plan->pages,
      .state = step->prep.state,
      .scratch = self->arena + plan->scratch_offset,
      .scratch_bytes = plan->arena_bytes - plan->scratch_offset,
    };
    for (int k = 0; k < node->n_inputs; k++)
      self->in[n_in++] = node->inputs[k] >= 0 ? &self->tensors[node->inputs[k]] : NULL;
    for (int k = 0; k < node->n_outputs; k++)
      self->out[n_out++] = node->outputs[k] >= 0 ? &self->tensors[node->outputs[k]] : NULL;
  }
}

MienContext *
mien_context_new (MienPlan *plan, GError **error)
{
  MienContext *self = g_new0 (MienContext, 1);

  self->plan = mien_plan_ref (plan);
  self->threads = plan->threads;
  self->arena = mien_pages_map (plan->arena_bytes + 64);
  if (self->arena == NULL) {
    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_SIZE, _("no memory: the network needs %.2f GB"), (double) plan->arena_bytes / 1e9);
    mien_context_free (self);
    return NULL;
  }
  self->tensors = g_new0 (MienTensor, plan->n_values + 1);
  self->room = g_new0 (gsize, plan->n_values + 1);
  place_tensors (self);
  get_steps_ready (self);
  return self;
}

void
mien_context_free (MienContext *self)
{
  if (self == NULL)
    return;
  for (int v = 0; self->room != NULL && v < self->plan->n_values; v++)
    if (self->room[v] > 0)
      free (self->tensors[v].data);
  if (self->arena != NULL)
    mien_pages_unmap (self->arena, self->plan->arena_bytes + 64);
  g_free (self->tensors);
  g_free (self->room);
  g_free (self->ready);
  g_free (self->in);
  g_free (self->out);
  mien_plan_unref (self->plan);
  g_free (self);
}

static void
give_threads (MienContext *self, MienThreads *threads)
{
  for (guint i = 0; i < self->plan->steps->len; i++)
    self->ready[i].ctx.threads = threads;
}

gboolean
mien_context_set_threads (MienContext *self, MienThreads *threads)
{
  if (mien_threads_count (threads) > self->plan->n_threads)
    return FALSE;
  self->threads = threads;
  self->pace = MIEN_PACE_INIT;
  give_threads (self, threads);
  return TRUE;
}

void
mien_context_set_seed (MienContext *self, guint64 seed)
{
  for (guint i = 0; i < self->plan->steps->len; i++)
    self->ready[i].ctx.seed = seed;
}

static gboolean
check_limit (const MienContext *self, const Ready *ready, gsize more, GError **error)
{
  const gsize max = self->plan->max_bytes;

  if (self->room_bytes <= max - self->plan->arena_bytes && more <= max - self->plan->arena_bytes - self->room_bytes)
    return TRUE;
  return mien_op_fail (&ready->ctx, error, MIEN_NN_ERROR_SIZE, "it needs %.2f GB more; the limit for the network is %.2f GB",
                       (double) more / 1e9, (double) max / 1e9);
}

/* Buffers of values whose size is known only now. */
static gboolean
make_room (MienContext *self, const Ready *ready, GError **error)
{
  for (int i = 0; i < ready->ctx.n_out; i++) {
    const int v = ready->ctx.node->outputs[i];
    MienTensor *tensor = ready->ctx.out[i];

    if (v < 0 || self->plan->values[v].kind == MIEN_STORE_NONE)
      continue;
    if (tensor->shape.rank < 0)
      return mien_op_fail (&ready->ctx, error, MIEN_NN_ERROR_SHAPE, "the size of output %d cannot be told", i);
    if (self->plan->values[v].kind != MIEN_STORE_DYNAMIC) {
      if (!mien_shape_equal (&tensor->shape, &self->plan->values[v].desc.shape) && self->plan->values[v].kind == MIEN_STORE_ARENA)
        return mien_op_fail (&ready->ctx, error, MIEN_NN_ERROR_SHAPE, "output %d has another size than planned", i);
      continue;
    }
    const gsize need = MAX (mien_tensor_n_bytes (tensor), 1);
    if (self->room[v] >= need)
      continue;
    if (self->room[v] > 0)
      free (tensor->data);
    tensor->data = NULL;
    self->room_bytes -= self->room[v];
    self->room[v] = 0;
    if (!check_limit (self, ready, need, error))
      return FALSE;
    tensor->data = aligned_alloc (64, (need + 63) / 64 * 64);
    if (tensor->data == NULL)
      return mien_op_fail (&ready->ctx, error, MIEN_NN_ERROR_SIZE, "no memory for output %d (%.2f GB)", i, (double) need / 1e9);
    self->room[v] = need;
    self->room_bytes += need;
  }
  return TRUE;
}

static gboolean
run_dynamic (MienContext *self, Ready *ready, GError **error)
{
  const MienOp *op = ready->step->op;
  MienOpPrep prep = { 0 };
  void *scratch = NULL;
  gboolean ok;

  if (!mien_op_infer (op, &ready->ctx, error) || !make_room (self, ready, error) ||
      !mien_plan_spend (self->plan, op, &ready->ctx, &self->macs, error))
    return FALSE;
  if (op->flags & MIEN_OP_VIEW) {
    ready->ctx.out[0]->data = ready->ctx.in[0]->data;
    return TRUE;
  }
  if (op->prepare != NULL && !op->prepare (&ready->ctx, &prep, error))
    return FALSE;
  if (prep.scratch_bytes > 0) {
    ok = check_limit (self, ready, prep.scratch_bytes, error);
    scratch = ok ? aligned_alloc (64, (prep.scratch_bytes + 63) / 64 * 64) : NULL;
    if (ok && scratch == NULL)
      mien_op_fail (&ready->ctx, error, MIEN_NN_ERROR_SIZE, "no memory for its intermediate results");
    if (scratch == NULL) {
      if (prep.free_state != NULL)
        prep.free_state (prep.state);
      return FALSE;
    }
  }
  MienOpCtx ctx = ready->ctx;
  ctx.state = prep.state;
  ctx.scratch = scratch;
  ctx.scratch_bytes = prep.scratch_bytes;
  ok = op->run (&ctx, error);
  free (scratch);
  if (prep.free_state != NULL)
    prep.free_state (prep.state);
  return ok;
}

static gboolean
bind_inputs (MienContext *self, const MienTensor *const *inputs, GError **error)
{
  const MienGraph *graph = self->plan->graph;

  for (guint i = 0; i < graph->inputs->len; i++) {
    MienTensor *tensor = &self->tensors[g_array_index (graph->inputs, int, i)];
    if (inputs[i]->type != tensor->type || !mien_shape_equal (&inputs[i]->shape, &tensor->shape)) {
      g_autofree char *want = mien_shape_to_string (&tensor->shape);
      g_autofree char *got = mien_shape_to_string (&inputs[i]->shape);
      g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_INPUT, _("input %u is %s %s; the network takes %s %s"), i,
                   mien_type_name (inputs[i]->type), got, mien_type_name (tensor->type), want);
      return FALSE;
    }
    tensor->data = inputs[i]->data;
  }
  return TRUE;
}

static gboolean
run_steps (MienContext *self, GError **error)
{
  self->macs = self->plan->macs;
  for (guint i = 0; i < self->plan->steps->len; i++) {
    Ready *ready = &self->ready[i];
    if (ready->step->dynamic) {
      if (!run_dynamic (self, ready, error))
        return FALSE;
    } else if (ready->step->op->flags & MIEN_OP_VIEW) {
      ready->ctx.out[0]->data = ready->ctx.in[0]->data;
    } else if (!ready->step->op->run (&ready->ctx, error)) {
      return FALSE;
    }
  }
  return TRUE;
}

static gint64
now_ns (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (gint64) now.tv_sec * 1000000000 + now.tv_nsec;
}

gboolean
mien_context_run (MienContext *self, const MienTensor *const *inputs, GError **error)
{
  if (!bind_inputs (self, inputs, error))
    return FALSE;
  if (!self->plan->paced || mien_threads_count (self->threads) == 1)
    return run_steps (self, error);

  const gint64 start = now_ns ();
  give_threads (self, mien_pace_next (&self->pace) ? self->threads : NULL);
  if (!run_steps (self, error))
    return FALSE;
  mien_pace_took (&self->pace, now_ns () - start);
  return TRUE;
}

const MienTensor *
mien_context_output (const MienContext *self, int i)
{
  return &self->tensors[g_array_index (self->plan->graph->outputs, int, i)];
}

const MienTensor *
mien_context_value (const MienContext *self, int value)
{
  const MienPlanValue *planned = &self->plan->values[value];

  return planned->kept || planned->kind == MIEN_STORE_TENSOR || planned->kind == MIEN_STORE_INPUT ? &self->tensors[value] : NULL;
}
