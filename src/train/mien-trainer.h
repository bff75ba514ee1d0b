/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The trainer: data, architecture and recipe in, an ONNX model out, with progress on the way.
 *
 * mien_train() does the work on the calling thread (mien-cli). MienTrainer runs it on a thread of its own and reports on
 * the main thread (the training window). The model written is the best epoch by the public split (early stopping), or of a run that
 * was not stopped the last one where the recipe says so (keep_last), with
 * batch normalisation folded and metadata mien.* filled in.
 *
 * Files    OUT.onnx (best epoch so far, written atomically), OUT.log.jsonl (one object an epoch), OUT.ckpt (everything needed
 *          to resume bit for bit)
 * Errors   MIEN_TRAIN_ERROR, MIEN_RECIPE_ERROR, and those of the dataset and files
 * Thread   see each function */
#pragma once

#include "data/mien-dataset.h"
#include "model/mien-model.h"
#include "train/mien-recipe.h"

G_BEGIN_DECLS

#define MIEN_TRAIN_ERROR (mien_train_error_quark ())
GQuark mien_train_error_quark (void);
typedef enum {
  MIEN_TRAIN_ERROR_RECIPE,   /* no such architecture, a teacher of other labels */
  MIEN_TRAIN_ERROR_DATA,     /* too little data, a class missing, no public split, private pictures among it */
  MIEN_TRAIN_ERROR_DIVERGED, /* the loss is not a number any more */
  MIEN_TRAIN_ERROR_CHECKPOINT, /* damaged, or of another run */
} MienTrainError;

typedef struct {
  int epoch;             /* from 1 */
  int epochs;
  int step, steps;       /* within the epoch */
  double train_loss, train_accuracy; /* over the epoch so far (augmented images) */
  double val_loss, val_accuracy;     /* public split after the epoch; NAN before */
  double val_accuracy_clean;         /* public split without exact twins of training images; NAN before */
  double lr;
  double images_per_s;
  double seconds;        /* since the start */
  double seconds_left;   /* estimate */
  gboolean epoch_done;
  gboolean best;         /* this epoch is the best so far */
  int rollbacks;         /* how often the run went back an epoch after a loss that was no number */
} MienTrainProgress;

typedef void (*MienTrainProgressFn) (const MienTrainProgress *progress, gpointer data);

/* Trains on the calling thread; progress several times a second and at the end of each epoch. threads 0: all.
 * out_path NULL: nothing is written. resume: continue from OUT.ckpt. On cancellation the best model so far is kept and
 * returned with error unset if at least one epoch was done. (transfer full) */
MienModel *mien_train (const MienRecipe *recipe, MienDataset *data, const char *out_path, gboolean resume, int threads,
                       MienTrainProgressFn progress, gpointer progress_data, GCancellable *cancellable, GError **error);

/* The model OUT.onnx of the newest checkpoint in folder from which a run of this recipe on data of this hash, with so many threads,
 * can go on; epoch: done so far. NULL when there is none. (transfer full) */
char *mien_train_find_unfinished (const char *folder, const MienRecipe *recipe, const char *data_hash, int threads, int *epoch);

/* The same as an object for the window. Signals (main thread): "progress" (pointer MienTrainProgress, newest wins for steps,
 * every epoch delivered), "finished" (MienModel as pointer or NULL, char *message or NULL). Dispose cancels and joins. */
#define MIEN_TYPE_TRAINER (mien_trainer_get_type ())
G_DECLARE_FINAL_TYPE (MienTrainer, mien_trainer, MIEN, TRAINER, GObject)
MienTrainer *mien_trainer_new (void);
void mien_trainer_start (MienTrainer *self, const MienRecipe *recipe, const char *data_path, const char *out_path, gboolean resume);
void mien_trainer_stop (MienTrainer *self); /* finishes with the best model so far */
gboolean mien_trainer_is_running (MienTrainer *self);


G_END_DECLS
