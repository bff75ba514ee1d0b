/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Distillation: what teachers say to the pictures, to be learnt along with the labels (Hinton et al. 2015).
 *
 * The answers are worked out once, before training: the mean of all teachers and of each picture and its mirror image. Asking the
 * teachers again for every changed picture teaches better (Beyer et al. 2022), and costs more than the training itself.
 *
 * Errors   MIEN_TRAIN_ERROR_RECIPE for a teacher that does not know the seven expressions; those of opening a model
 * Thread   the caller's, with its pool */
#pragma once

#include "data/mien-dataset.h"
#include "kernels/mien-threads.h"

G_BEGIN_DECLS

/* soft[data->n][7]: p^(1 / temperature) of the mean p, normalised. teachers: model files, NULL-terminated, at least one. (transfer full) */
float *mien_distil_ask (const char *const *teachers, const MienDataset *data, float temperature, MienThreads *threads,
                        GCancellable *cancellable, GError **error);

/* SHA-256 over the files, in hex: which teachers they were. (transfer full) */
char *mien_distil_dup_hash (const char *const *teachers, GError **error);

G_END_DECLS
