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

  if (at >= end)
    return 0;
  if (at < warm)
    return recipe->lr * (at + 1) / warm;
  switch (recipe->schedule) {
  case MIEN_SCHEDULE_RESTARTS:
    return recipe->lr * half_wave (share_of_cycle (recipe, (at - warm) / n_steps));
  case MIEN_SCHEDULE_PLATEAU:
    return recipe->lr;
  default:
    return recipe->lr * half_wave ((at - warm) / (end - warm));
  }
}

gboolean
mien_schedule_cuts (const MienRecipe *recipe, int epoch, int best_epoch, int cut_epoch)
{
  return recipe->schedule == MIEN_SCHEDULE_PLATEAU && recipe->plateau_epochs > 0 &&
         epoch - MAX (best_epoch, cut_epoch) >= recipe->plateau_epochs;
}
