/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Choosing faces to train on: a file, a folder, or what is dropped; then what was found in it, by expression and split.
 *
 * Properties "path" (string, nullable), "ready" (boolean, read only): there are faces to train and to validate on
 * Reading happens on another thread; choosing something else drops the reading under way. */
#pragma once

#include <adwaita.h>

#include "data/mien-dataset.h"

G_BEGIN_DECLS

#define MIEN_TYPE_TRAINING_DATA (mien_training_data_get_type ())
G_DECLARE_FINAL_TYPE (MienTrainingData, mien_training_data, MIEN, TRAINING_DATA, AdwPreferencesGroup)

void mien_training_data_set_path (MienTrainingData *self, const char *path);
const char *mien_training_data_get_path (MienTrainingData *self);
gboolean mien_training_data_is_ready (MienTrainingData *self);
int mien_training_data_get_n_faces (MienTrainingData *self); /* to train on; 0 unless ready */
const char *mien_training_data_get_hash (MienTrainingData *self); /* as mien_dataset_dup_hash(); (nullable) unless ready */
gboolean mien_training_data_is_reading (MienTrainingData *self);

/* A path as people read it: the home folder is "~". (transfer full) */
char *mien_training_shorten_path (const char *path);

G_END_DECLS
