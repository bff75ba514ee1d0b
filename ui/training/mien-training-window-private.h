/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What tests need to see of the training window. */
#pragma once

#include "train/mien-trainer.h"
#include "training/mien-training-window.h"

G_BEGIN_DECLS

typedef enum {
  MIEN_TRAINING_SETUP,
  MIEN_TRAINING_RUNNING,
  MIEN_TRAINING_STOPPING, /* asked to stop, finishing with the best network so far */
  MIEN_TRAINING_DONE,     /* there is a model */
  MIEN_TRAINING_FAILED,
} MienTrainingState;

MienTrainingState mien_training_window_get_state (MienTrainingWindow *self);
MienTrainer *mien_training_window_get_trainer (MienTrainingWindow *self);

/* Everything that Start does, except starting the trainer. */
void mien_training_window_enter_run (MienTrainingWindow *self, const char *out_path);

G_END_DECLS
