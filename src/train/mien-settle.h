/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Normalisation statistics of averaged weights. What running statistics follow are the batches that the network in training saw, changed and mixed;
 * the averaged network gives other values, most of all when the average is a wide one, and its pictures will be unchanged ones. So they are measured:
 * forward passes of the network as it will be used, on training pictures, every second one mirrored (Izmailov et al. 2018, section 3.2).
 *
 * Memory   some activations of a batch, for as long as it lives
 * Thread   the caller's, with its pool */
#pragma once

#include "data/mien-dataset.h"
#include "kernels/mien-threads.h"
#include "train/mien-arch.h"

G_BEGIN_DECLS

typedef struct _MienSettle MienSettle;

/* data: training pictures, at least one, 48 pixels wide; mean, std: their normalisation. All are borrowed and must outlive it. */
MienSettle *mien_settle_new (const MienArch *arch, const MienDataset *data, float mean, float std, MienThreads *threads, GError **error);
void mien_settle_free (MienSettle *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienSettle, mien_settle_free)

/* Means and variances of net, a network for use, over n_batches times 128 pictures, always the same ones. */
gboolean mien_settle_run (MienSettle *self, MienNet *net, int n_batches, GError **error);

G_END_DECLS
