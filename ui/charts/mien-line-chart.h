/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A line chart: axes with round ticks, a legend with the newest values, and a cursor that reads the values at one x.
 *
 * Keys     Left, Right, Home, End move the cursor, Escape hides it; Ctrl+C copies the chart (a picture and CSV); the menu
 *          of the secondary button and of the Menu key has both apart. The chart can be dragged into other programs.
 * Colours  from the theme's named colours, brighter on dark backgrounds; lines also differ by pattern
 * Reading aloud  the label is the title, the description tells the newest values */
#pragma once

#include <gtk/gtk.h>

#include "charts/mien-chart-axis.h"
#include "charts/mien-line-data.h"

G_BEGIN_DECLS

#define MIEN_TYPE_LINE_CHART (mien_line_chart_get_type ())
G_DECLARE_FINAL_TYPE (MienLineChart, mien_line_chart, MIEN, LINE_CHART, GtkWidget)

#define MIEN_TYPE_CHART_FORMAT (mien_chart_format_get_type ())
GType mien_chart_format_get_type (void);

/* Properties: "data" (MienLineData), "title", "x-title", "format" (MienChartFormat of the y values). */
GtkWidget *mien_line_chart_new (void);
void mien_line_chart_set_data (MienLineChart *self, MienLineData *data);
MienLineData *mien_line_chart_get_data (MienLineChart *self);
void mien_line_chart_set_title (MienLineChart *self, const char *title);
const char *mien_line_chart_get_title (MienLineChart *self);
void mien_line_chart_set_x_title (MienLineChart *self, const char *x_title);
const char *mien_line_chart_get_x_title (MienLineChart *self);
void mien_line_chart_set_format (MienLineChart *self, MienChartFormat format);
MienChartFormat mien_line_chart_get_format (MienLineChart *self);

/* The x at which values are read; NAN: hidden. Setting snaps to the nearest x that has a point. */
void mien_line_chart_set_cursor (MienLineChart *self, double x);
double mien_line_chart_get_cursor (MienLineChart *self);

/* What the cursor shows: "Epoch 12: Training 0.81, Validation 0.93". NULL when hidden. (transfer full) */
char *mien_line_chart_dup_cursor_text (MienLineChart *self);

G_END_DECLS
