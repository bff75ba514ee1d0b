/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the maker of plans (mien-plan.c), their memory layout (mien-memory.c) and their execution (mien-context.c) share. */
#pragma once

#include "nn/mien-kernels.h"
#include "nn/mien-plan.h"

G_BEGIN_DECLS

typedef enum {
  MIEN_STORE_NONE,    /* nobody needs it */
  MIEN_STORE_TENSOR,  /* a constant or parameter: desc.data */
  MIEN_STORE_INPUT,   /* the caller's memory: input `index` */
  MIEN_STORE_ARENA,   /* `offset` in the context's arena */
  MIEN_STORE_ALIAS,   /* the memory of value `index`: views and in-place results */
  MIEN_STORE_DYNAMIC, /* a buffer of the context that grows: the size depends on the data */
} MienStoreKind;

typedef struct {
  MienTensor desc; /* type and shape as planned; data of constants */
  MienStoreKind kind;
  int index;
  gsize offset;
  gboolean kept; /* outputs and MienPlanOptions.keep */
  MienTensor *folded; /* (nullable) (owned) computed at plan time */
} MienPlanValue;

typedef struct {
  const MienNode *node;
  const MienOp *op;
  MienOpPrep prep;
  gboolean dynamic; /* infer again at every run */
} MienPlanStep;

struct _MienPlan {
  MienGraph *graph; /* after passes */
  MienKernels kernels;
  MienThreads *threads; /* (nullable) (borrowed) */
  int n_threads;        /* the most that a context may have */
  gboolean paced;
  MienPages *pages;     /* packed weights */
  MienOpBuffer buffer;  /* of weights on their way there */
  int n_values;
  MienPlanValue *values;
  GArray *steps; /* MienPlanStep */
  gsize max_bytes;    /* for the arena and the buffers that grow, together */
  gsize folded_bytes; /* of all results computed at plan time */
  gsize arena_bytes;
  double max_macs; /* for what is computed at plan time and one run, together */
  double macs;     /* of the steps whose shapes are known, and of what is computed at plan time */
  gsize scratch_offset; /* scratch of the step at hand lies in the arena, behind the values */
  gatomicrefcount ref_count;
};

/* Multiply-adds of a node whose shapes are known, estimated from above; 0 for unknown ones. */
double mien_op_cost (const MienOp *op, const MienOpCtx *ctx);

/* Adds the node's to *macs; FALSE with error set when that is more than the plan allows. */
gboolean mien_plan_spend (const MienPlan *self, const MienOp *op, const MienOpCtx *ctx, double *macs, GError **error);

/* Decides aliases and offsets of every value; arena_bytes becomes the size of all, max_bytes at most. */
gboolean mien_plan_lay_out (MienPlan *self, GError **error);

/* The value whose memory `value` uses: itself, or the end of its chain of aliases. */
int mien_plan_root (const MienPlan *self, int value);

G_END_DECLS
