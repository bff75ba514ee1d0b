/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Normalisation statistics of averaged weights. Running statistics follow the network in training; the averaged one gives other values, most of all
 * when the average is a wide one. So they are measured, by forward passes without dropout on batches of the training, changed and mixed
 * (Izmailov et al. 2018, section 3.2). On unchanged pictures they would be others, and the answers worse: scales and shifts were learnt with these.
 *
 * Memory   some activations of a batch, for as long as it lives
 * Thread   the caller's, with its pool, and one that prepares batches */
#pragma once

#include "kernels/mien-threads.h"
#include "train/mien-arch.h"
#include "train/mien-batch.h"

G_BEGIN_DECLS

typedef struct _MienSettle MienSettle;

/* data: training pictures, at least a batch; mean, std: their normalisation. All are borrowed and must outlive it. */
MienSettle *mien_settle_new (const MienArch *arch, const MienDataset *data, const MienRecipe *recipe, float mean, float std, MienThreads *threads, GError **error);
void mien_settle_free (MienSettle *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienSettle, mien_settle_free)

/* Means and variances of net, a network for use, over n_batches of the recipe's, always the same ones. */
gboolean mien_settle_run (MienSettle *self, MienNet *net, int n_batches, GError **error);

G_END_DECLS
