/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The arithmetic of a chart's axes: which values get a tick, how they are written, and where they are drawn.
 *
 * Ticks    multiples of 1, 2 or 5 times a power of ten: the smallest such step that gives at most max_ticks ticks inside
 *          lo .. hi
 * Thread   pure; any */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  double first; /* smallest tick >= lo */
  double step;
  int n;        /* number of ticks, 0 when lo or hi is not finite */
  int digits;   /* behind the decimal point, so that all ticks are written exactly */
} MienTicks;

/* lo <= hi; equal limits give one tick. max_ticks >= 2. integers: steps below 1 are not used. */
MienTicks mien_ticks_choose (double lo, double hi, int max_ticks, gboolean integers);

/* Tick i, with the rounding error of the sum removed around zero. */
double mien_ticks_value (const MienTicks *self, int i);

typedef enum {
  MIEN_CHART_NUMBER,  /* 1.25 */
  MIEN_CHART_PERCENT, /* 0.625 is written 62.5 % */
} MienChartFormat;

/* In the person's locale. digits as in MienTicks: for the value itself, before it is made a percentage. (transfer full) */
char *mien_chart_format (double value, int digits, MienChartFormat format);

/* Linear map of lo..hi to from..to. A range of no width lands in the middle. */
double mien_chart_map (double value, double lo, double hi, double from, double to);

G_END_DECLS
