/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Batches for training: order, augmentation, normalisation and targets. What a batch holds depends on (seed, epoch, step) alone, so
 * that a run can be resumed anywhere. A thread of the batcher's own prepares the next batch while the network works on this one.
 *
 * Targets  row of a face: weight of its class * smoothed label; mixup and cutmix add two such rows by their shares.
 *          Smoothing: (1 - s) for the label + s / 7 for each
 * Thread   a batcher belongs to one thread */
#pragma once

#include "data/mien-dataset.h"
#include "nn/mien-tensor.h"
#include "train/mien-recipe.h"

G_BEGIN_DECLS

typedef struct _MienBatcher MienBatcher;

typedef struct {
  MienTensor *faces;   /* [batch][1][size][size], (pixel / 255 - mean) / std */
  MienTensor *targets; /* [batch][7] */
  guint8 *labels;      /* [batch]: the larger share's label */
  int part;            /* the recipe's teacher_parts: where all of these pictures come from, 0 to parts - 1 */
} MienBatch;

/* data: the training pictures, all of them used. Both must outlive it. */
MienBatcher *mien_batcher_new (const MienDataset *data, const MienRecipe *recipe, float mean, float std);
void mien_batcher_free (MienBatcher *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienBatcher, mien_batcher_free)

int mien_batcher_get_n_steps (const MienBatcher *self); /* whole batches an epoch */

/* epoch from 1, step from 0, in any order; the one that follows is prepared already. Valid until the next call. */
const MienBatch *mien_batcher_take (MienBatcher *self, int epoch, int step);

G_END_DECLS
