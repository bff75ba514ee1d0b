/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The temperature that makes probabilities honest (Guo et al. 2017): p^(1/T), normalised, view by view and then averaged.
 *
 * Averaging over views makes answers less sure, so that no temperature is right for one view and for two. The one chosen has the
 * least mean of both calibration errors (mien-metrics.h) among the temperatures whose log loss, summed over both, is within half
 * a percent of the least; log loss decides alone where the errors are the same. Between 0.2 and 5.
 *
 * Thread   pure */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* one[n][n_labels]: answers to each picture at temperature 1; two: the mean of those and of the mirror image's. */
double mien_calibrate (const float *one, const float *two, const guint8 *labels, int n, int n_labels);

/* The answers at a temperature. out_one, out_two: as the above. */
void mien_calibrate_apply (const float *one, const float *two, int n, int n_labels, double temperature, float *out_one, float *out_two);

G_END_DECLS
