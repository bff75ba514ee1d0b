/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rewriting a graph so that it runs faster and answers the same. Value indices stay valid; values in keep stay computed.
 *
 *   fold     Conv, Gemm + BatchNormalization (inference) become one operator, where weights are constants
 *   fuse     Conv, Gemm + Relu or Clip: the activation joins the operator (attributes mien.lo, mien.hi)
 *   block    convolutions and pools exchange blocked tensors (kernels/mien-blocked.h); sums join the convolution before them
 *
 * Thread   pure, but for the graph */
#pragma once

#include "kernels/mien-cpu.h"
#include "nn/mien-graph.h"

G_BEGIN_DECLS

typedef enum {
  MIEN_BLOCK_NONE, /* the kernels to come know no blocked tensors */
  MIEN_BLOCK_F32,
  MIEN_BLOCK_BF16,
  MIEN_BLOCK_TILES, /* bfloat16 on tile registers */
} MienBlocking;

/* What the kernels to come are good at. */
typedef struct {
  MienBlocking blocking;
  MienBlocking without_tiles; /* blocking of a network whose channels are too few for tiles */
  gboolean narrow;            /* weights that are bound by reading them are kept in 16 or 8 bits, whatever the blocking */
  gboolean pairs;             /* two narrow convolutions can be computed at once */
} MienPassesForm;

void mien_passes_run (MienGraph *graph, const int *keep, int n_keep, const MienPassesForm *form);

/* The first of them alone: what an exported model wants. */
void mien_passes_fold_norm (MienGraph *graph, const int *keep, int n_keep);

void mien_passes_block (MienGraph *graph, const int *keep, int n_keep, const MienPassesForm *form);

/* For a training graph (BatchNormTrain and the like), before mien_autodiff(): result is the value that will be differentiated, the only one that must
 * stay; other plain values between blocked ones are gone. Plan it with no_fusion. */
void mien_passes_block_training (MienGraph *graph, int result, const MienPassesForm *form);

/* The fastest form of training that a level has kernels for. */
MienPassesForm mien_passes_training_form (MienCpuLevel cpu);

G_END_DECLS
