/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A training run: what the loop (mien-train.c), its checkpoints (mien-checkpoint.c) and the making of the model
 * (mien-export.c) share. */
#pragma once

#include "nn/mien-plan.h"
#include "train/mien-arch.h"
#include "train/mien-batch.h"
#include "train/mien-distil.h"
#include "train/mien-optimiser.h"
#include "train/mien-settle.h"
#include "train/mien-trainer.h"

G_BEGIN_DECLS

typedef struct {
  MienRecipe recipe;
  MienDataset *training, *validation; /* (owned) */
  char *data_hash;
  guint8 *twins; /* [validation->n]: also in training */
  int n_twins;
  MienDistil *teachers;
  MienSettle *settle;   /* (nullable) */
  char *start_hash;     /* (nullable) of the model that it began with */
  float mean, std; /* of the training pixels, 0 .. 1 */

  MienThreads *threads;
  MienNet *net;  /* training form */
  MienNet *use;  /* form for use: holds the averaged weights and running statistics */
  MienPlan *plan;
  MienContext *context;
  MienOptimiserSlot *slots; /* one for each parameter: its place in net, its average in use, moments (owned) */
  int n_slots;
  float *before_climb; /* (nullable) the weights while sharpness-aware steps look around */
  int first_grad;      /* index among the training graph's outputs: the gradient of each parameter in turn */
  int first_stat;     /* index among the outputs: mean and variance of each normalisation in turn */
  int logits;         /* index among the outputs */
  MienBatcher *batcher;

  int epoch; /* done so far */
  gint64 step;
  double lr_scale; /* what plateaus and rollbacks have left of the learning rate */
  int cut_epoch;   /* when a plateau last cut it */
  int n_rollbacks;
  double seconds; /* of earlier sessions of a resumed run */
  int best_epoch;
  MienTrainProgress best;
  MienModel *model; /* (nullable) the best so far */
} MienRun;

void mien_run_free (MienRun *self);

/* The best-so-far network as a model: constants, folded, with metadata. */
MienModel *mien_run_export (const MienRun *self, GError **error);

/* Fits the temperature on the validation split and completes the metadata with scores. (transfer full) */
MienModel *mien_run_finish_model (const MienRun *self, MienModel *model, GError **error);

/* Answers of the model to the validation split in 1 or 2 views: [validation->n][7]. (transfer full) */
float *mien_run_predict (const MienRun *self, MienModel *model, int views, GError **error);

/* Scores of the model on the validation split. */
gboolean mien_run_evaluate (const MienRun *self, MienModel *model, MienTrainProgress *progress, GError **error);

/* Everything that a run needs to go on: after an epoch, or before the first. A state names recipe, data and threads; one of another
 * run is an error. shown: what messages call it. */
GBytes *mien_run_dup_state (const MienRun *self);
gboolean mien_run_set_state (MienRun *self, GBytes *state, const char *shown, GError **error);

/* Atomic (write, fsync, rename). */
gboolean mien_run_save_checkpoint (const MienRun *self, const char *path, GError **error);
gboolean mien_run_load_checkpoint (MienRun *self, const char *path, GError **error);

/* Beside the model: OUT.onnx and ".ckpt" give OUT.ckpt. (transfer full) */
char *mien_run_path (const char *out_path, const char *suffix);

/* The log: a line of JSON an epoch. cut leaves those of the first n_epochs, as a resumed run needs it. */
gboolean mien_run_append_log (const char *out_path, const MienTrainProgress *progress, GError **error);
gboolean mien_run_cut_log (const char *out_path, int n_epochs, GError **error);

G_END_DECLS
