/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "nn/mien-pace.h"

#include <stdlib.h>

#define LEAST_GAIN 0.95 /* of the time of one thread */

static gboolean
is_trial (const MienPace *self)
{
  return self->n_runs < 2 * MIEN_PACE_TRIALS;
}

gboolean
mien_pace_next (const MienPace *self)
{
  return is_trial (self) ? self->n_runs % 2 == 1 : self->together;
}

static int
compare (const void *a, const void *b)
{
  const gint64 x = *(const gint64 *) a, y = *(const gint64 *) b;

  return (x > y) - (x < y);
}

static double
median (gint64 *times)
{
  qsort (times, MIEN_PACE_TRIALS, sizeof *times, compare);
  return (double) times[MIEN_PACE_TRIALS / 2];
}

void
mien_pace_took (MienPace *self, gint64 ns)
{
  if (is_trial (self)) {
    self->took_ns[self->n_runs % 2][self->n_runs / 2] = ns;
    if (self->n_runs == 2 * MIEN_PACE_TRIALS - 1)
      self->together = median (self->took_ns[1]) < LEAST_GAIN * median (self->took_ns[0]);
  }
  self->n_runs = (self->n_runs + 1) % MIEN_PACE_PERIOD;
}
