/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Evaluation: a data set through a model, in one or several views of each picture, and the scores of the answers.
 *
 * Views    1: the picture. 2: it and its mirror image, probabilities averaged. 10: the same for the picture in its
 *          place and moved by MIEN_EVALUATE_SHIFT of its side to each of the four corners (the edge repeats)
 * Labels   matched by name between data set and model, so that another order of classes costs nothing. The scores are in
 *          the data set's order; labels that only the model has come after those, as answers that are never right
 * Size     pictures are resampled when the model wants another size than the data has
 * Mistakes the answers that are not the label, the most confident first; of equals the one that stands first in the data
 * Errors   MIEN_EVALUATE_ERROR, MIEN_NN_ERROR, G_IO_ERROR_CANCELLED
 * Thread   any; a predictor belongs to one thread at a time */
#pragma once

#include "data/mien-dataset.h"
#include "model/mien-model.h"
#include "train/mien-metrics.h"

G_BEGIN_DECLS

#define MIEN_EVALUATE_SHIFT 0.05f

#define MIEN_EVALUATE_ERROR (mien_evaluate_error_quark ())
GQuark mien_evaluate_error_quark (void);
typedef enum {
  MIEN_EVALUATE_ERROR_LABELS, /* the model does not know one of the data's labels */
  MIEN_EVALUATE_ERROR_EMPTY,  /* nothing to evaluate on */
} MienEvaluateError;

typedef struct {
  int index;         /* in the data set, from 0 */
  int label, answer; /* places in MienEvaluation.labels */
  float confidence;  /* probability of the answer */
} MienMistake;

typedef struct {
  MienMetrics metrics;
  char *labels[MIEN_METRICS_MAX_LABELS]; /* metrics.n_labels names, (owned) */
  MienMistake *mistakes;                 /* all of them, (owned) */
  int n_mistakes;
} MienEvaluation;
void mien_evaluation_free (MienEvaluation *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienEvaluation, mien_evaluation_free)

/* probabilities[data->n][labels of the model], in the model's order, averaged over the views (1, 2 or 10).
 * progress: (nullable) called on this thread now and then. */
gboolean mien_evaluate_predict (MienPredictor *predictor, const MienDataset *data, int views, float *probabilities,
                                MienProgressFn progress, gpointer progress_data, GCancellable *cancellable, GError **error);

/* probabilities as above; leave_out: (nullable) [data->n], pictures with 1 are not counted. (transfer full) */
MienEvaluation *mien_evaluate_score (MienModel *model, const MienDataset *data, const float *probabilities,
                                     const guint8 *leave_out, GError **error);

G_END_DECLS
