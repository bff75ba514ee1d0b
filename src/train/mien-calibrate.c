/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/mien-calibrate.h"

#include <math.h>

#include "train/mien-metrics.h"

#define LEAST 0.2
#define MOST 5.0
#define N_STEPS 320 /* one percent each */
#define LOSS_ROOM 1.005

static void
soften (const double *p, int n_labels, double temperature, double *out)
{
  double sum = 0;

  for (int j = 0; j < n_labels; j++)
    sum += out[j] = pow (MAX (p[j], 1e-9), 1 / temperature);
  for (int j = 0; j < n_labels; j++)
    out[j] /= sum;
}

void
mien_calibrate_apply (const float *one, const float *two, int n, int n_labels, double temperature, float *out_one, float *out_two)
{
  double view[MIEN_METRICS_MAX_LABELS], a[MIEN_METRICS_MAX_LABELS], b[MIEN_METRICS_MAX_LABELS];

  for (gsize at = 0; at < (gsize) n * n_labels; at += n_labels) {
    for (int j = 0; j < n_labels; j++)
      view[j] = one[at + j];
    soften (view, n_labels, temperature, a);
    for (int j = 0; j < n_labels; j++)
      view[j] = 2.0 * two[at + j] - one[at + j]; /* the mirror image's */
    soften (view, n_labels, temperature, b);
    for (int j = 0; j < n_labels; j++) {
      out_one[at + j] = (float) a[j];
      out_two[at + j] = (float) (0.5 * (a[j] + b[j]));
    }
  }
}

double
mien_calibrate (const float *one, const float *two, const guint8 *labels, int n, int n_labels)
{
  g_autofree float *a = g_new (float, (gsize) n * n_labels), *b = g_new (float, (gsize) n * n_labels);
  g_autofree double *losses = g_new (double, N_STEPS + 1), *errors = g_new (double, N_STEPS + 1);
  double least_loss = INFINITY;
  int best = -1;

  for (int i = 0; i <= N_STEPS; i++) {
    MienMetrics of_one, of_two;
    mien_calibrate_apply (one, two, n, n_labels, LEAST * pow (MOST / LEAST, (double) i / N_STEPS), a, b);
    mien_metrics_compute (&of_one, a, labels, NULL, n, n_labels);
    mien_metrics_compute (&of_two, b, labels, NULL, n, n_labels);
    losses[i] = of_one.log_loss + of_two.log_loss;
    errors[i] = of_one.ece + of_two.ece;
    least_loss = MIN (least_loss, losses[i]);
  }
  for (int i = 0; i <= N_STEPS; i++) {
    if (losses[i] > least_loss * LOSS_ROOM)
      continue;
    if (best < 0 || errors[i] < errors[best] || (errors[i] == errors[best] && losses[i] < losses[best]))
      best = i;
  }
  return LEAST * pow (MOST / LEAST, (double) MAX (best, 0) / N_STEPS);
}
