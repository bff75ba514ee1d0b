/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One row of a bar chart: mark, name, bar and percentage of one expression. To assistive technology a meter with a name,
 * a value and a value text. */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define MIEN_TYPE_PROBABILITY_BAR (mien_probability_bar_get_type ())
G_DECLARE_FINAL_TYPE (MienProbabilityBar, mien_probability_bar, MIEN, PROBABILITY_BAR, GtkWidget)

/* label: the model's machine name. names, values: size groups that line up the columns of all rows. */
GtkWidget *mien_probability_bar_new (const char *label, GtkSizeGroup *names, GtkSizeGroup *values);
const char *mien_probability_bar_get_label (MienProbabilityBar *self);

/* Below 0: no value. The number changes at once, the bar moves by mien_probability_bar_step(). top: the largest of all. */
void mien_probability_bar_set_value (MienProbabilityBar *self, double value, gboolean top);
double mien_probability_bar_get_value (MienProbabilityBar *self);

/* Moves the drawn bar by share (0..1; 1: all the way) of what is left. TRUE when it has arrived. */
gboolean mien_probability_bar_step (MienProbabilityBar *self, double share);

G_END_DECLS
