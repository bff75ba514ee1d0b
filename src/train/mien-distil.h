/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Distillation: what teachers say to the pictures, to be learnt along with the labels (Hinton et al. 2015).
 *
 * The teachers see every picture just as the network that learns sees it, changed and mixed, and their answer goes with that one
 * (Beyer et al. 2022, "a good teacher is patient and consistent"): nothing that could be learnt by heart.
 *
 * What a teacher says of a picture that it learnt from tells what label that has, right or wrong. With teacher_parts each answers for pictures alone
 * that it never saw (cross-fitting: Dao et al. 2021, "Knowledge Distillation as Semiparametric Inference").
 *
 * A network can be its own teacher, too: the average of its weights as an epoch left it answers in the next one (Tarvainen and Valpola 2017,
 * "mean teachers"; against wrong labels Huang et al. 2020, "self-adaptive training").
 *
 * Errors   MIEN_TRAIN_ERROR_RECIPE for a teacher that does not know the seven expressions or takes no faces of 48 pixels; those of opening a model
 * Thread   the caller's, with its pool */
#pragma once

#include "kernels/mien-threads.h"
#include "model/mien-model.h"
#include "train/mien-batch.h"

G_BEGIN_DECLS

typedef struct _MienDistil MienDistil;

/* recipe: its teachers are model files or names of shipped networks, and there may be none. Both are borrowed and must outlive it. */
MienDistil *mien_distil_new (const MienRecipe *recipe, MienThreads *threads, GError **error);
void mien_distil_free (MienDistil *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienDistil, mien_distil_free)

/* What the network is now, after `epoch` epochs: it teaches itself from here on, if the recipe says so. */
gboolean mien_distil_follow (MienDistil *self, MienModel *model, int epoch, GError **error);

/* Each target t of the batch becomes (1 - teacher_weight) * t + teacher_weight * sum (t) * answer. The answer is p^(1 / teacher_temperature),
 * normalised; p: the mean of the teachers' probabilities, or of teacher n * i / n_teachers for the faces from there on if teacher_split says so, or of the
 * teacher of the batch's part if teacher_parts does; to the mirrored pictures as well if teacher_mirror does. Then the same with the network's own answer, of weight self_weight from half of the epochs on.
 * mean, std: of the batch's faces, as the batcher was given them. */
gboolean mien_distil_blend (MienDistil *self, const MienBatch *batch, float mean, float std, GError **error);

/* SHA-256 over model files (paths or names of shipped ones, NULL-terminated), in hex. (transfer full) */
char *mien_distil_dup_hash (const char *const *files, GError **error);

/* That of the teachers: which they are. NULL without any. */
const char *mien_distil_get_hash (const MienDistil *self);

G_END_DECLS
