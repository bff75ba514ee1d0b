/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The probabilities of one face as bars, one row a label, in the model's order, the largest emphasised.
 *
 * Bars glide to new values; they jump where the person has asked for less motion. */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define MIEN_TYPE_PROBABILITY_BARS (mien_probability_bars_get_type ())
G_DECLARE_FINAL_TYPE (MienProbabilityBars, mien_probability_bars, MIEN, PROBABILITY_BARS, GtkWidget)

GtkWidget *mien_probability_bars_new (void);

/* The model's machine names; rows are made anew only when they differ from what stands. */
void mien_probability_bars_set_labels (MienProbabilityBars *self, const char *const *labels, int n_labels);

/* values[n_labels], 0..1; NULL: no face. */
void mien_probability_bars_set_values (MienProbabilityBars *self, const float *values);
int mien_probability_bars_get_n_labels (MienProbabilityBars *self);

/* One line a label, tabulator between name and share ("Happy\t0.93"), as for pasting into a table; NULL without values.
 * (transfer full) */
char *mien_probability_bars_dup_text (MienProbabilityBars *self);

G_END_DECLS
