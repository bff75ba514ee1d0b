/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Batches for training: order, augmentation, normalisation and targets. What a batch holds depends on (seed, epoch, step) alone,
 * not on threads, so that a run can be resumed anywhere.
 *
 * Thread   filling uses the caller's pool; one fill at a time */
#pragma once

#include "kernels/mien-threads.h"
#include "train/mien-trainer.h"

G_BEGIN_DECLS

typedef struct _MienBatcher MienBatcher;

/* data: the training pictures, all of them used; recipe: batch, augment, label_smoothing, mixup_alpha, seed. Both must outlive it. */
MienBatcher *mien_batcher_new (const MienDataset *data, const MienRecipe *recipe, float mean, float std);
void mien_batcher_free (MienBatcher *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienBatcher, mien_batcher_free)

int mien_batcher_get_n_steps (const MienBatcher *self); /* whole batches an epoch */

/* faces[batch][size][size] normalised as (pixel / 255 - mean) / std; targets[batch][7], each row sums to 1; labels[batch]: the
 * larger part's label. epoch from 1, step from 0. */
void mien_batcher_fill (MienBatcher *self, int epoch, int step, float *faces, float *targets, guint8 *labels, MienThreads *threads);

G_END_DECLS
