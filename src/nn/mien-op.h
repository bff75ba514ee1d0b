/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators: one table entry says how an operator infers the shapes of its outputs, what it prepares once, and how it
 * runs. Adding an operator is one file (or a few lines in the file of its family) and one line in mien-op.c.
 *
 *   infer    (at plan time, and again at run time where an input's shape or value was not known then)
 *            in[i]->data is NULL while the contents are not known; in[i]->shape.rank is -1 while the shape is not known.
 *            Fills type and shape of every out[i]; leaves shape.rank -1 when it needs contents it does not have.
 *            Checks everything that run() relies on: number of inputs, types, ranks, attributes.
 *   prepare  (once, optional, only when all shapes are known) packs constant weights, chooses kernels, asks for scratch
 *   run      computes; in and out tensors have shapes and memory. Errors only from contents (an index out of range).
 *
 * Memory   outputs never overlap inputs, except out[0] and in[0] where MIEN_OP_IN_PLACE is set
 * Thread   infer and run touch nothing but their MienOpCtx; contexts run on several threads at once
 * Source   ONNX Operators.md; each file names operator and opset */
#pragma once

#include "kernels/mien-cpu.h"
#include "kernels/mien-threads.h"
#include "nn/mien-graph.h"
#include "nn/mien-pages.h"

G_BEGIN_DECLS

typedef struct _MienKernels MienKernels; /* nn/mien-kernels.h: the tables of kernels/ for one level */

/* Grows, and serves one weight after the other. */
typedef struct {
  guint8 *data;
  gsize n_bytes;
} MienOpBuffer;

typedef struct {
  const MienGraph *graph;
  const MienNode *node;
  int opset;
  int n_in;
  int n_out;
  const MienTensor **in; /* NULL for an omitted input */
  MienTensor **out;      /* NULL for an omitted output */
  const MienKernels *kernels;
  MienThreads *threads; /* (nullable) */
  int n_threads;        /* prepare(): the most that contexts may have; scratch must do for as many and for fewer */
  MienPages *pages;     /* prepare(): for packed weights, lives as long as the plan */
  MienOpBuffer *buffer; /* prepare(): (nullable) what mien_op_pack() reads into */
  void *state;          /* what prepare() made, read-only in run(); NULL when prepare() did not run */
  void *scratch;        /* as many bytes as prepare() asked for, 64-byte aligned; per context */
  gsize scratch_bytes;  /* run(): at least as many */
  guint64 seed;         /* changes at every run of a training plan: dropout */
} MienOpCtx;

typedef struct {
  void *state;
  GDestroyNotify free_state;
  gsize scratch_bytes;
} MienOpPrep;

enum {
  MIEN_OP_IN_PLACE = 1 << 0,  /* run() is correct when out[0] shares the memory of in[0] (same type and shape) */
  MIEN_OP_IMPURE = 1 << 1,    /* never folded, though its inputs are constant: random, or reads parameters */
  MIEN_OP_SHAPE_ONLY = 1 << 3, /* reads its inputs' shapes, never their contents (Shape, Size): folded when shapes are known */
  MIEN_OP_PACKS = 1 << 4,     /* prepare() packs in[1] by mien_op_pack(), its data may be away; run() does not read it */
  MIEN_OP_VIEW = 1 << 2,      /* out[0] has in[0]'s bytes in the same order: the planner shares memory, run() is NULL */
};

typedef struct {
  const char *domain; /* "" or "mien" */
  const char *name;
  int since;          /* first opset this entry is for */
  int until;          /* last one, 0: no end */
  int min_inputs, max_inputs; /* max -1: any number */
  int max_outputs;
  guint flags;
  gboolean (*infer) (MienOpCtx *ctx, GError **error);
  gboolean (*prepare) (MienOpCtx *ctx, MienOpPrep *prep, GError **error); /* (nullable) */
  gboolean (*run) (MienOpCtx *ctx, GError **error);
} MienOp;

/* NULL when there is no such operator at that opset. */
const MienOp *mien_op_find (const char *domain, const char *name, int opset);

/* op->infer() between the checks that all operators share: the number of inputs and outputs against the table before,
 * known types and sizes within MIEN_TENSOR_MAX_BYTES after. Sets n_elems of every output whose shape is known. This is
 * what a planner calls. */
gboolean mien_op_infer (const MienOp *op, MienOpCtx *ctx, GError **error);

/* The number of inputs and outputs of every node whose operator there is: passes rely on it. */
gboolean mien_op_check_graph (const MienGraph *graph, GError **error);

/* "Conv \"conv_3\"": operator and node name, for messages; only the operator for a node without name. (transfer full) */
char *mien_op_describe (const MienNode *node);

/* Sets error to "Conv "conv_3": <message>" and returns FALSE. A node without name is known by its first output. The
 * format is translated here: xgettext needs --keyword=mien_op_fail:4. */
gboolean mien_op_fail (const MienOpCtx *ctx, GError **error, MienNnError code, const char *format, ...) G_GNUC_PRINTF (4, 5);

void mien_op_buffer_clear (MienOpBuffer *self);

/* Weights on their way into a plan. Calls pack (data, first, n, rows) for parts of the rows of in[1] (f32, its first dimension), several at once on the
 * context's threads: each of step rows or a multiple, the last one of what is left. Those that are in a file are read part by part, each into a
 * cache. Errors: of reading, without the node's name; memory. */
typedef void (*MienOpPackFn) (gconstpointer data, int first, int n, const float *rows);
gboolean mien_op_pack (MienOpCtx *ctx, int step, MienOpPackFn pack, gconstpointer data, GError **error);

/* Helpers. */
static inline gboolean
mien_op_has (const MienOpCtx *ctx, int i)
{
  return i < ctx->n_in && ctx->in[i] != NULL;
}

/* run(): from one thread's part of the scratch to the next one's, in whole pages; the same in all steps of a plan, so that each thread finds what it
 * has written last in its own cache. */
static inline gsize
mien_op_scratch_step (const MienOpCtx *ctx)
{
  return ctx->scratch_bytes / (gsize) ctx->n_threads / MIEN_THREADS_PAGE * MIEN_THREADS_PAGE;
}

/* TRUE when the shape of every input that is not omitted is known. */
gboolean mien_op_shapes_known (const MienOpCtx *ctx);

/* TRUE when the contents of in[i] can be read; also when there are none to read (no elements). */
static inline gboolean
mien_op_contents_known (const MienOpCtx *ctx, int i)
{
  return ctx->in[i]->shape.rank >= 0 && (ctx->in[i]->data != NULL || ctx->in[i]->n_elems == 0);
}

/* These do nothing for an omitted output.
 * out[i] like in[j]: type and shape. */
void mien_op_out_like (MienOpCtx *ctx, int i, int j);
void mien_op_out (MienOpCtx *ctx, int i, MienType type, const MienShape *shape);
void mien_op_out_unknown (MienOpCtx *ctx, int i, MienType type); /* the shape is not known yet */

/* in[i] must be there and of one of the types (end with 0). */
gboolean mien_op_check_type (MienOpCtx *ctx, GError **error, int i, ...);

/* The contents of in[i] (int64 or int32, rank 0 or 1) as int64. n is the number found; -1 when contents are unknown.
 * FALSE with error set for a wrong type or more than max elements. */
gboolean mien_op_read_ints (MienOpCtx *ctx, GError **error, int i, gint64 *values, int max, int *n);

/* Multidirectional broadcasting (NumPy's rule) of n shapes. FALSE with error set when they do not fit. */
gboolean mien_op_broadcast (MienOpCtx *ctx, GError **error, const MienShape *const *shapes, int n, MienShape *result);

/* -rank .. rank-1 to 0 .. rank-1. FALSE with error set when outside. */
gboolean mien_op_axis (MienOpCtx *ctx, GError **error, gint64 axis, int rank, int *result);

G_END_DECLS
