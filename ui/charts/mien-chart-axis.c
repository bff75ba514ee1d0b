/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-chart-axis.h. */
#include "mien-config.h"

#include "charts/mien-chart-axis.h"

#include <math.h>
#include <glib/gi18n-lib.h>

/* What floating point may be off by, as a share of a step: 0.3 / 0.1 must count as 3. */
#define SLACK 1e-9

static int
count_ticks (double lo, double hi, double step, double *first)
{
  const double a = ceil (lo / step - SLACK);
  const double b = floor (hi / step + SLACK);

  *first = a * step;
  return b < a ? 0 : b - a > 1000 ? 1001 : (int) (b - a) + 1;
}

MienTicks
mien_ticks_choose (double lo, double hi, int max_ticks, gboolean integers)
{
  static const double mantissa[] = { 1, 2, 5 };
  MienTicks ticks = { .step = 1 };
  int exponent;

  if (!isfinite (lo) || !isfinite (hi) || hi < lo || !isfinite (hi - lo))
    return ticks;
  if (hi - lo <= fabs (hi) * 1e-12) {
    ticks.first = lo;
    ticks.n = 1;
    ticks.digits = lo == floor (lo) ? 0 : 3;
    return ticks;
  }

  /* No step below range / max_ticks can be small enough; start there and go up. */
  exponent = (int) floor (log10 ((hi - lo) / MAX (max_ticks, 2))) - 1;
  for (;; exponent++) {
    for (int i = 0; i < 3; i++) {
      const double step = mantissa[i] * pow (10, exponent);
      double first;
      int n;

      if (integers && step < 1)
        continue;
      n = count_ticks (lo, hi, step, &first);
      if (n <= MAX (max_ticks, 2)) {
        ticks.first = first;
        ticks.step = step;
        ticks.n = n;
        ticks.digits = exponent < 0 ? -exponent : 0;
        return ticks;
      }
    }
  }
}

double
mien_ticks_value (const MienTicks *self, int i)
{
  const double value = self->first + i * self->step;

  return fabs (value) < self->step * 1e-6 ? 0 : value;
}

char *
mien_chart_format (double value, int digits, MienChartFormat format)
{
  if (!isfinite (value))
    return g_strdup ("–");
  if (format == MIEN_CHART_PERCENT) {
    g_autofree char *number = g_strdup_printf ("%.*f", MAX (digits - 2, 0), value * 100);
    /* Translators: a percentage, such as 62.5 %. */
    return g_strdup_printf (_("%s %%"), number);
  }
  return g_strdup_printf ("%.*f", MAX (digits, 0), value);
}

double
mien_chart_map (double value, double lo, double hi, double from, double to)
{
  if (!(hi > lo))
    return (from + to) / 2;
  return from + (value - lo) / (hi - lo) * (to - from);
}
