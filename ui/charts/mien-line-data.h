/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The numbers of a line chart: named series of points, x ascending. Points may be appended at any time; a y that is not a
 * number is a gap in the line.
 *
 * Signal   "changed": something was added or removed; many changes in a row may be one redraw for the listener
 * Thread   main thread */
#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

/* How a line is told from others besides its colour. */
typedef enum {
  MIEN_LINE_SOLID,
  MIEN_LINE_DASHED,
  MIEN_LINE_DOTTED,
  MIEN_LINE_DASH_DOTTED,
} MienLinePattern;

typedef struct {
  double x, y;
} MienPoint;

#define MIEN_TYPE_LINE_DATA (mien_line_data_get_type ())
G_DECLARE_FINAL_TYPE (MienLineData, mien_line_data, MIEN, LINE_DATA, GObject)

MienLineData *mien_line_data_new (void);

/* colour: 0 .. 4, an entry of the chart's palette. Returns the series' number. */
int mien_line_data_add_series (MienLineData *self, const char *name, int colour, MienLinePattern pattern);
int mien_line_data_get_n_series (MienLineData *self);
const char *mien_line_data_get_name (MienLineData *self, int series);
int mien_line_data_get_colour (MienLineData *self, int series);
MienLinePattern mien_line_data_get_pattern (MienLineData *self, int series);

/* A point with the x of the last one replaces it: a value that is still moving. */
void mien_line_data_append (MienLineData *self, int series, double x, double y);
const MienPoint *mien_line_data_get_points (MienLineData *self, int series, int *n); /* until the next change */

/* Removes the points of all series, not the series. */
void mien_line_data_clear (MienLineData *self);

/* Over all finite points. FALSE when there is none. */
gboolean mien_line_data_get_range (MienLineData *self, MienPoint *lo, MienPoint *hi);

/* The last finite y of a series; NAN when there is none. */
double mien_line_data_get_last (MienLineData *self, int series);

/* Index of the point of a series nearest to x, -1 when it is empty. */
int mien_line_data_find (MienLineData *self, int series, double x);

/* "x_name,<series>,…" and one line an x, fixed number format whatever the locale, empty where there is no value. (transfer full) */
char *mien_line_data_to_csv (MienLineData *self, const char *x_name);

G_END_DECLS
