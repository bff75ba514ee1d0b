/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/mien-schedule.h"

#include <math.h>

static double
half_wave (double share)
{
  return 0.5 * (1 + cos (G_PI * share));
}

/* Where in its cycle a step stands, 0 .. 1. */
static double
share_of_cycle (const MienRecipe *recipe, double epoch)
{
  double length = MAX (recipe->cycle_epochs, 1);

  while (epoch >= length) {
    epoch -= length;
    length *= MAX (recipe->cycle_growth, 1);
  }
  return epoch / length;
}

double
mien_schedule_lr (const MienRecipe *recipe, gint64 step, int n_steps)
{
  const double at = (double) step, warm = (double) recipe->warmup_epochs * n_steps;
  const double end = (double) MAX (recipe->epochs - recipe->rest_epochs, 0) * n_steps;
  const double swa = (double) MAX (recipe->epochs - recipe->rest_epochs - recipe->swa_epochs, 0) * n_steps;

  if (at >= end)
    return 0;
  if (at >= swa)
    return recipe->swa_lr;
  if (at < warm)
    return recipe->lr * (at + 1) / warm;
  switch (recipe->schedule) {
  case MIEN_SCHEDULE_RESTARTS:
    return recipe->lr * half_wave (share_of_cycle (recipe, (at - warm) / n_steps));
  case MIEN_SCHEDULE_PLATEAU:
    return recipe->lr;
  default:
    return recipe->swa_lr + (recipe->lr - recipe->swa_lr) * half_wave ((at - warm) / (swa - warm));
  }
}

float
mien_schedule_early_pace (gint64 step)
{
  return (float) (1 + step) / (float) (10 + step);
}

float
mien_schedule_ema (const MienRecipe *recipe, gint64 step, int n_steps)
{
  const float pace = MIN (recipe->ema, mien_schedule_early_pace (step));
  const gint64 into = step - (gint64) MAX (recipe->epochs - recipe->rest_epochs - recipe->swa_epochs, 0) * n_steps;

  return recipe->swa_epochs == 0 || into < 0 ? pace : 1 - 1 / (1 / (1 - pace) + (float) into);
}

gboolean
mien_schedule_cuts (const MienRecipe *recipe, int epoch, int best_epoch, int cut_epoch)
{
  return recipe->schedule == MIEN_SCHEDULE_PLATEAU && recipe->plateau_epochs > 0 &&
         epoch - MAX (best_epoch, cut_epoch) >= recipe->plateau_epochs;
}
