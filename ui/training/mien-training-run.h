/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a training goes: progress and time left, the curves, and a table of the epochs. Shows what it is told. */
#pragma once

#include <adwaita.h>

#include "train/mien-trainer.h"

G_BEGIN_DECLS

#define MIEN_TYPE_TRAINING_RUN (mien_training_run_get_type ())
G_DECLARE_FINAL_TYPE (MienTrainingRun, mien_training_run, MIEN, TRAINING_RUN, AdwBin)

void mien_training_run_reset (MienTrainingRun *self);
void mien_training_run_add (MienTrainingRun *self, const MienTrainProgress *progress);

/* The first n_epochs that the log beside OUT.onnx tells of; nothing where there is none. */
void mien_training_run_load (MienTrainingRun *self, const char *out_path, int n_epochs);

/* Replaces the line of progress: "Reading the data…", "Finished". fraction < 0: no bar. */
void mien_training_run_set_status (MienTrainingRun *self, const char *text, double fraction);

/* The end: what was reached, and the file it is in. */
void mien_training_run_finish (MienTrainingRun *self, const char *path);

/* The best public accuracy so far, NAN before the first epoch, and its epoch (nullable). */
double mien_training_run_get_best (MienTrainingRun *self, int *epoch);

/* "About 8 minutes left"; (transfer full). */
char *mien_training_format_time_left (double seconds);

G_END_DECLS
