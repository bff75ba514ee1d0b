/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scores of probabilities against true labels. */
#include "train/mien-metrics.h"

#include <float.h>
#include <math.h>
#include <string.h>

int
mien_metrics_answer (const float *probabilities, int n_labels)
{
  int answer = 0;

  for (int i = 1; i < n_labels; i++)
    if (probabilities[i] > probabilities[answer])
      answer = i;
  return answer;
}

static void
set_empty (MienMetrics *self)
{
  self->accuracy = self->accuracy_low = self->accuracy_high = NAN;
  self->macro_f1 = self->log_loss = self->ece = NAN;
}

/* From the confusion table: precision, recall, f1 and their mean. */
static void
compute_classes (MienMetrics *self)
{
  double f1_sum = 0;
  int n_occurring = 0;

  for (int c = 0; c < self->n_labels; c++) {
    const int right = self->confusion[c][c];
    int answered = 0;
    int true_ones = 0;

    for (int i = 0; i < self->n_labels; i++) {
      answered += self->confusion[i][c];
      true_ones += self->confusion[c][i];
    }
    self->support[c] = true_ones;
    self->precision[c] = answered > 0 ? (double) right / answered : 0;
    self->recall[c] = true_ones > 0 ? (double) right / true_ones : 0;
    self->f1[c] = answered + true_ones > 0 ? 2.0 * right / (answered + true_ones) : 0;
    if (answered + true_ones > 0) {
      f1_sum += self->f1[c];
      n_occurring++;
    }
  }
  self->macro_f1 = f1_sum / n_occurring;
}

void
mien_metrics_wilson (int n_right, int n, double *low, double *high)
{
  const double z = 1.959963984540054; /* 97.5th percentile of the normal distribution */
  const double p = (double) n_right / n;
  const double centre = p + z * z / (2.0 * n);
  const double reach = z * sqrt (p * (1 - p) / n + z * z / (4.0 * n * n));
  const double scale = 1 + z * z / n;

  g_assert (n > 0 && n_right >= 0 && n_right <= n);
  *low = MAX (0, (centre - reach) / scale);
  *high = MIN (1, (centre + reach) / scale);
}

void
mien_metrics_compute (MienMetrics *self, const float *probabilities, const guint8 *labels, const guint8 *leave_out,
                      int n, int n_labels)
{
  double bin_confidence[MIEN_METRICS_ECE_BINS] = { 0 };
  int bin_right[MIEN_METRICS_ECE_BINS] = { 0 };
  int bin_n[MIEN_METRICS_ECE_BINS] = { 0 };
  double loss = 0;
  int n_right = 0;

  g_assert (n_labels > 0 && n_labels <= MIEN_METRICS_MAX_LABELS);
  memset (self, 0, sizeof *self);
  self->n_labels = n_labels;

  for (int i = 0; i < n; i++) {
    const float *p = probabilities + (gsize) i * n_labels;
    const int truth = labels[i];

    g_assert (truth < n_labels);
    if (leave_out != NULL && leave_out[i] != 0)
      continue;

    const int answer = mien_metrics_answer (p, n_labels);
    const int bin = CLAMP ((int) ceil ((double) p[answer] * MIEN_METRICS_ECE_BINS) - 1, 0, MIEN_METRICS_ECE_BINS - 1);

    self->n++;
    self->confusion[truth][answer]++;
    n_right += answer == truth;
    loss -= log (MAX (p[truth], FLT_EPSILON));
    bin_n[bin]++;
    bin_right[bin] += answer == truth;
    bin_confidence[bin] += p[answer];
  }

  if (self->n == 0) {
    set_empty (self);
    return;
  }
  self->accuracy = (double) n_right / self->n;
  mien_metrics_wilson (n_right, self->n, &self->accuracy_low, &self->accuracy_high);
  self->log_loss = loss / self->n;
  for (int bin = 0; bin < MIEN_METRICS_ECE_BINS; bin++)
    self->ece += fabs (bin_right[bin] - bin_confidence[bin]) / self->n;
  compute_classes (self);
}
