/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plan and context: a graph made ready to run for given input shapes.
 *
 * A MienPlan holds the nodes in order with their shapes, the packed weights and where each value lies in memory; it is
 * immutable and shared. A MienContext is the memory of one run at a time: one context per thread. Running allocates
 * nothing, except for values whose size depends on the data (NonMaxSuppression and the like), whose buffers grow once.
 *
 * Limits   memory (max_bytes) and arithmetic (max_macs): a file of a hundred bytes can describe a convolution that would take
 *          days. Estimated from shapes alone and from above: output elements times the length of the sum for convolutions, matrix
 *          products and pools, elements read or written otherwise. Values whose size depends on the data count at run time
 *
 * Errors   MIEN_NN_ERROR; messages name node and operator
 * Thread   a plan may be used by any number of contexts on any threads; a context by one thread at a time */
#pragma once

#include "nn/mien-op.h"

G_BEGIN_DECLS

#define MIEN_PLAN_MAX_MACS 2e12 /* about a minute on one core: 500 pictures through ResNet-50 */

typedef struct _MienPlan MienPlan;
typedef struct _MienContext MienContext;

typedef enum {
  MIEN_PRECISION_F32,
  MIEN_PRECISION_BF16, /* activations and weights of convolutions and dense layers may be bfloat16 where that is faster; sums are f32 */
  MIEN_PRECISION_AUTO, /* to be decided by who knows how the network answers with either; f32 for a plan */
} MienPrecision;

typedef struct {
  MienCpuLevel cpu;     /* kernels up to this level; mien_cpu_level() is the usual choice */
  MienThreads *threads; /* (nullable) borrowed, must outlive plan and contexts */
  int n_threads;        /* contexts may be given pools of up to so many threads by mien_context_set_threads(); 0: what `threads` has */
  const int *keep;      /* value indices, besides the outputs, whose contents must be there after a run */
  int n_keep;
  gsize max_bytes;      /* refuse plans that need more memory; 0: MIEN_TENSOR_MAX_BYTES */
  double max_macs;      /* refuse plans that need more multiply-adds a run; 0: MIEN_PLAN_MAX_MACS */
  gboolean no_fusion;   /* every node stands for itself, though constants are folded: the shapes of all layers */
  MienPrecision precision;
  gboolean shapes_only; /* for mien_plan_get_value(); nothing is packed, and contexts of it do not run */
  gboolean let_go;      /* weights that were packed lose their contents (mien_tensor_let_go()): nobody else may need the graph's tensors */
  gboolean paced;       /* contexts take one thread where more are not faster (nn/mien-pace.h); answers are the same */
  gboolean no_passes;   /* run the graph as it is: no folding, no fusion (tests) */
} MienPlanOptions;

/* shapes: one per graph input, all known; NULL takes the declared shapes with open dimensions set to 1.
 * The plan works on a copy of graph that shares its tensors; value indices are those of graph. */
MienPlan *mien_plan_new (MienGraph *graph, const MienShape *shapes, const MienPlanOptions *options, GError **error);
MienPlan *mien_plan_ref (MienPlan *self);
void mien_plan_unref (MienPlan *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienPlan, mien_plan_unref)

/* Bytes of the arena every context has. */
gsize mien_plan_arena_bytes (const MienPlan *self);

/* Type and shape of any value as planned; rank -1 where it depends on the data. */
void mien_plan_get_value (const MienPlan *self, int value, MienType *type, MienShape *shape);

MienContext *mien_context_new (MienPlan *plan, GError **error);
void mien_context_free (MienContext *self);

/* Runs on other threads from now on, if the plan foresaw as many: FALSE otherwise. threads: (nullable) borrowed. */
gboolean mien_context_set_threads (MienContext *self, MienThreads *threads);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienContext, mien_context_free)

/* inputs: one per graph input, of the planned type and shape; borrowed until the next run. */
gboolean mien_context_run (MienContext *self, const MienTensor *const *inputs, GError **error);

/* What random operators (Dropout in training) draw from at the next runs; 0 until set. */
void mien_context_set_seed (MienContext *self, guint64 seed);

/* Output i, valid until the next run. (transfer none) */
const MienTensor *mien_context_output (const MienContext *self, int i);

/* A kept value, an output, an input or a constant that is read while running, by value index, valid until the next run; NULL for values whose
 * memory has been reused. (transfer none) */
const MienTensor *mien_context_value (const MienContext *self, int value);

G_END_DECLS
