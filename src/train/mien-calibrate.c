/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "train/mien-calibrate.h"

#include <math.h>
#include <string.h>

#include "train/mien-metrics.h"

#define LEAST 0.2
#define MOST 5.0
#define N_STEPS 320 /* one percent each */
#define LOSS_ROOM 1.005

void
mien_calibrate_soften (float *p, int n_labels, double power)
{
  double softened[MIEN_METRICS_MAX_LABELS], sum = 0;

  for (int j = 0; j < n_labels; j++)
    sum += softened[j] = pow (MAX ((double) p[j], 1e-9), power);
  for (int j = 0; j < n_labels; j++)
    p[j] = (float) (softened[j] / sum);
}

void
mien_calibrate_apply (const float *const *views, int n_views, int n, int n_labels, double temperature, float *out)
{
  float view[MIEN_METRICS_MAX_LABELS];

  memset (out, 0, (gsize) n * n_labels * sizeof *out);
  for (int v = 0; v < n_views; v++)
    for (gsize at = 0; at < (gsize) n * n_labels; at += n_labels) {
      memcpy (view, views[v] + at, n_labels * sizeof *view);
      mien_calibrate_soften (view, n_labels, 1 / temperature);
      for (int j = 0; j < n_labels; j++)
        out[at + j] += view[j] / (float) n_views;
    }
}

double
mien_calibrate (const float *const *views, int n_views, const guint8 *labels, int n, int n_labels)
{
  g_autofree float *mean = g_new (float, (gsize) n * n_labels);
  g_autofree double *losses = g_new (double, N_STEPS + 1), *errors = g_new (double, N_STEPS + 1);
  double least_loss = INFINITY;
  int best = -1;

  for (int i = 0; i <= N_STEPS; i++) {
    MienMetrics metrics;
    mien_calibrate_apply (views, n_views, n, n_labels, LEAST * pow (MOST / LEAST, (double) i / N_STEPS), mean);
    mien_metrics_compute (&metrics, mean, labels, NULL, n, n_labels);
    losses[i] = metrics.log_loss;
    errors[i] = metrics.ece;
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
