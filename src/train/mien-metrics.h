/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How good a model's answers are: scores of probabilities against true labels.
 *
 *   accuracy   share of samples whose largest probability is the true label's; the first of equals wins
 *   low, high  95 % interval of it, Wilson 1927
 *   precision  of class c: true among those answered c; 0 when c was never answered
 *   recall     of class c: answered c among those that are c; 0 when there is none
 *   f1         harmonic mean of the two, 0 when both are; macro_f1 is its mean over the classes that occur, as truth or
 *              as answer
 *   log_loss   mean of -ln p(truth), p not below FLT_EPSILON, so that one sure mistake does not make it infinite
 *   ece        expected calibration error, Guo et al. 2017: 15 equal bins of confidence, (b/15, (b+1)/15]; the mean
 *              distance of a bin's accuracy from its mean confidence, weighted by samples
 *
 * Thread   pure */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define MIEN_METRICS_MAX_LABELS 64
#define MIEN_METRICS_ECE_BINS 15

typedef struct {
  int n;
  int n_labels;
  double accuracy, accuracy_low, accuracy_high;
  double macro_f1;
  double log_loss;
  double ece;
  double precision[MIEN_METRICS_MAX_LABELS];
  double recall[MIEN_METRICS_MAX_LABELS];
  double f1[MIEN_METRICS_MAX_LABELS];
  int support[MIEN_METRICS_MAX_LABELS]; /* samples whose truth it is */
  int confusion[MIEN_METRICS_MAX_LABELS][MIEN_METRICS_MAX_LABELS]; /* [truth][answer] */
} MienMetrics;

/* The largest of n_labels numbers; the first of equals. */
int mien_metrics_answer (const float *probabilities, int n_labels);

/* probabilities[n][n_labels], labels[n] below n_labels; leave_out: (nullable) [n], samples with 1 are not counted.
 * With nothing to count n is 0 and every score NAN. */
void mien_metrics_compute (MienMetrics *self, const float *probabilities, const guint8 *labels, const guint8 *leave_out,
                           int n, int n_labels);

/* 95 % interval of n_right out of n, n at least 1. */
void mien_metrics_wilson (int n_right, int n, double *low, double *high);

G_END_DECLS
