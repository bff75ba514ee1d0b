/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The learning rate over a run.
 *
 *   warm-up    lr * (step + 1) / n_warm
 *   cosine     lr * (1 + cos (pi * t)) / 2, t the share of the steps between warm-up and rest that is done
 *   restarts   the same within each cycle; the last one is cut off where the rest begins
 *   plateau    lr; the caller multiplies by what mien_schedule_cuts() asked for
 *   rest       0
 *
 * Thread   pure */
#pragma once

#include "train/mien-recipe.h"

G_BEGIN_DECLS

/* step: from 0 over the whole run; n_steps: of an epoch. */
double mien_schedule_lr (const MienRecipe *recipe, gint64 step, int n_steps);

/* Whether a plateau begins after `epoch` epochs: best_epoch had the best score, cut_epoch is when the rate was last cut. */
gboolean mien_schedule_cuts (const MienRecipe *recipe, int epoch, int best_epoch, int cut_epoch);

G_END_DECLS
