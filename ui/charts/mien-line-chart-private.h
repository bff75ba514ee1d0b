/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by the parts of the line chart. */
#pragma once

#include "charts/mien-line-chart.h"

G_BEGIN_DECLS

#define MIEN_CHART_VALUE_DIGITS 3

struct _MienLineChart {
  GtkWidget parent_instance;

  /* owned */
  MienLineData *data;
  char *title;
  char *x_title;
  GtkWidget *menu;
  guint describe_id;

  MienChartFormat format;
  double cursor;          /* NAN: hidden */
  graphene_rect_t plot;   /* where values are drawn, as of the last drawing */
};

void mien_line_chart_draw (MienLineChart *self, GtkSnapshot *snapshot);

G_END_DECLS
