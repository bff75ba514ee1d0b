/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A training run: what the loop (mien-train.c), its checkpoints (mien-checkpoint.c) and the making of the model
 * (mien-export.c) share. */
#pragma once

#include "kernels/mien-vector.h"
#include "nn/mien-plan.h"
#include "train/mien-arch.h"
#include "train/mien-batch.h"
#include "train/mien-trainer.h"

G_BEGIN_DECLS

/* One parameter: where it stands in the training graph, its momentum, its gradient, and its twin in the network for use. */
typedef struct {
  MienTensor *weight;   /* (borrowed) */
  MienTensor *average;  /* (borrowed) the moving average, a parameter of run->use */
  MienTensor *velocity; /* (owned) */
  int grad;             /* index among the training graph's outputs */
  gboolean decays;
} MienRunParameter;

typedef struct {
  MienRecipe recipe;
  MienDataset *training, *validation; /* (owned) */
  char *data_hash;
  guint8 *twins; /* [validation->n]: also in training */
  float mean, std; /* of the training pixels, 0 .. 1 */

  MienThreads *threads;
  MienNet *net;  /* training form */
  MienNet *use;  /* form for use: holds the averaged weights and running statistics */
  MienPlan *plan;
  MienContext *context;
  GArray *parameters; /* MienRunParameter */
  int first_stat;     /* index among the outputs: mean and variance of each normalisation in turn */
  int logits;         /* index among the outputs */
  MienBatcher *batcher;

  int epoch; /* done so far */
  gint64 step;
  double seconds; /* of earlier sessions of a resumed run */
  int best_epoch;
  MienTrainProgress best;
  MienModel *model; /* (nullable) the best so far */
} MienRun;

void mien_run_free (MienRun *self);

/* The best-so-far network as a model: constants, folded, with metadata. */
MienModel *mien_run_export (const MienRun *self, GError **error);

/* Fits the temperature on the validation split (least log loss) and writes scores into the metadata. */
MienModel *mien_run_finish_model (const MienRun *self, MienModel *model, GError **error);

/* Scores of the model on the validation split. */
gboolean mien_run_evaluate (const MienRun *self, MienModel *model, MienTrainProgress *progress, GError **error);

/* Atomic (write, fsync, rename). The checkpoint names recipe, data and threads; loading one of another run is an error. */
gboolean mien_run_save_checkpoint (const MienRun *self, const char *path, GError **error);
gboolean mien_run_load_checkpoint (MienRun *self, const char *path, GError **error);

G_END_DECLS
