/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The learning rate over a run, and how fast averages follow.
 *
 *   warm-up    lr * (step + 1) / n_warm
 *   cosine     swa_lr + (lr - swa_lr) * (1 + cos (pi * t)) / 2, t the share of the steps between warm-up and what comes last that is done
 *   restarts   the same within each cycle; the last one is cut off where the rest begins
 *   plateau    lr; the caller multiplies by what mien_schedule_cuts() asked for
 *   averaging  swa_lr for the last swa_epochs, without those of the rest
 *   rest       0
 *
 * Thread   pure */
#pragma once

#include "train/mien-recipe.h"

G_BEGIN_DECLS

/* step: from 0 over the whole run; n_steps: of an epoch. */
double mien_schedule_lr (const MienRecipe *recipe, gint64 step, int n_steps);

/* What a step leaves of the weights' average: ema, but less early on, so that the random start is soon forgotten, and more from the beginning of
 * averaging on, when the 1 / (1 - ema) steps that the average takes in become all since then. */
float mien_schedule_ema (const MienRecipe *recipe, gint64 step, int n_steps);

/* The early pace alone: (1 + step) / (10 + step). */
float mien_schedule_early_pace (gint64 step);

/* Whether a plateau begins after `epoch` epochs: best_epoch had the best score, cut_epoch is when the rate was last cut. */
gboolean mien_schedule_cuts (const MienRecipe *recipe, int epoch, int best_epoch, int cut_epoch);

G_END_DECLS
