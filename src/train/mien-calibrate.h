/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The temperature that makes probabilities honest (Guo et al. 2017): p^(1/T), normalised, view by view and then averaged.
 *
 * Averaging over views makes answers less sure and more often right, so that several views want another temperature than one: each is fitted
 * for itself. The one chosen has the least calibration error (mien-metrics.h) among the temperatures whose log loss is within half a percent
 * of the least; log loss decides alone where the errors are the same. Between 0.2 and 5.
 *
 * Thread   pure */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* views: n_views arrays [n][n_labels] of answers at temperature 1, of the same n pictures seen in as many ways. */
double mien_calibrate (const float *const *views, int n_views, const guint8 *labels, int n, int n_labels);

/* The mean of the views at a temperature, to out[n][n_labels]. */
void mien_calibrate_apply (const float *const *views, int n_views, int n, int n_labels, double temperature, float *out);

/* p^power, normalised; in place. */
void mien_calibrate_soften (float *p, int n_labels, double power);

G_END_DECLS
