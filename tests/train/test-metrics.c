/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Scores, against values worked out by hand. */
#include "mien-test.h"

#include <math.h>

#include "train/mien-metrics.h"

#define assert_close(a, b) g_assert_cmpfloat_with_epsilon ((a), (b), 1e-6)

/* Eight samples of three classes. Answers: 0 0 1 | 1 1 | 2 2 0, truths: 0 0 0 | 1 1 | 2 2 2, so six of eight are right.
 *            answered 0  1  2
 *   truth 0           2  1  0    precision 2/3, recall 2/3, f1 2/3
 *   truth 1           0  2  0    precision 2/3, recall 1,   f1 4/5
 *   truth 2           1  0  2    precision 1,   recall 2/3, f1 4/5 */
static const guint8 truths[8] = { 0, 0, 0, 1, 1, 2, 2, 2 };
static const float answers[8][3] = {
  { .8f, .1f, .1f }, { .6f, .2f, .2f }, { .3f, .5f, .2f }, { .1f, .8f, .1f },
  { .3f, .4f, .3f }, { 0, .1f, .9f },   { .2f, .2f, .6f }, { .5f, .25f, .25f },
};

static void
test_confusion (void)
{
  const int want[3][3] = { { 2, 1, 0 }, { 0, 2, 0 }, { 1, 0, 2 } };
  MienMetrics m;

  mien_metrics_compute (&m, &answers[0][0], truths, NULL, 8, 3);
  g_assert_cmpint (m.n, ==, 8);
  for (int i = 0; i < 3; i++) {
    for (int j = 0; j < 3; j++)
      g_assert_cmpint (m.confusion[i][j], ==, want[i][j]);
  }
  g_assert_cmpint (m.support[0], ==, 3);
  g_assert_cmpint (m.support[1], ==, 2);
  assert_close (m.accuracy, 0.75);
}

static void
test_classes (void)
{
  MienMetrics m;

  mien_metrics_compute (&m, &answers[0][0], truths, NULL, 8, 3);
  assert_close (m.precision[0], 2.0 / 3);
  assert_close (m.precision[1], 2.0 / 3);
  assert_close (m.precision[2], 1);
  assert_close (m.recall[0], 2.0 / 3);
  assert_close (m.recall[1], 1);
  assert_close (m.recall[2], 2.0 / 3);
  assert_close (m.f1[0], 2.0 / 3);
  assert_close (m.f1[1], 0.8);
  assert_close (m.f1[2], 0.8);
  assert_close (m.macro_f1, (2.0 / 3 + 0.8 + 0.8) / 3);
}

static void
test_log_loss (void)
{
  MienMetrics m;

  mien_metrics_compute (&m, &answers[0][0], truths, NULL, 8, 3);
  /* probabilities of the truth: .8 .6 .3 .8 .4 .9 .6 .25; their product is .0062208 */
  assert_close (m.log_loss, -log (0.0062208) / 8);
}

/* A probability of 0 for the truth costs ln 2^23, not infinity. */
static void
test_log_loss_of_zero (void)
{
  const guint8 truth[1] = { 0 };
  const float answer[2] = { 0, 1 };
  MienMetrics m;

  mien_metrics_compute (&m, answer, truth, NULL, 1, 2);
  assert_close (m.log_loss, 23 * log (2));
}

/* Confidences: .8 right, .6 right, .5 wrong, .8 right, .4 right, .9 right, .6 right, .5 wrong.
 * Bins of 1/15: .4 = 6/15 in (5/15, 6/15], .5 in (7/15, 8/15], .6 = 9/15, .8 = 12/15, .9 in (13/15, 14/15].
 * Sums |right - confidence|: .4 bin |1 - .4| = .6; .5 bin |0 - 1| = 1; .6 bin |2 - 1.2| = .8; .8 bin |2 - 1.6| = .4;
 * .9 bin .1. Total 2.9 of 8. */
static void
test_ece (void)
{
  MienMetrics m;

  mien_metrics_compute (&m, &answers[0][0], truths, NULL, 8, 3);
  assert_close (m.ece, 2.9 / 8);
}

/* Two samples share a bin and cancel there: .52 right and .52 wrong give |1 - 1.04| of 2. */
static void
test_ece_shares_bins (void)
{
  const guint8 truth[2] = { 0, 1 };
  const float answer[2][2] = { { .52f, .48f }, { .52f, .48f } };
  MienMetrics m;

  mien_metrics_compute (&m, &answer[0][0], truth, NULL, 2, 2);
  assert_close (m.ece, 0.02);
}

/* .62 and .68 lie in neighbouring bins of 1/15 (of 1/10 they would share one): |0 - .62| + |1 - .68| of 2. */
static void
test_ece_has_15_bins (void)
{
  const guint8 truth[2] = { 1, 0 };
  const float answer[2][2] = { { .62f, .38f }, { .68f, .32f } };
  MienMetrics m;

  mien_metrics_compute (&m, &answer[0][0], truth, NULL, 2, 2);
  assert_close (m.ece, 0.47);
}

/* Wilson's interval for 8 of 10 at 95 % is a textbook example: .4902 to .9433; 0 of 10: 0 to .2775; 10 of 10: .7225 to 1. */
static void
test_wilson (void)
{
  double low, high;

  mien_metrics_wilson (8, 10, &low, &high);
  g_assert_cmpfloat_with_epsilon (low, 0.4902, 5e-5);
  g_assert_cmpfloat_with_epsilon (high, 0.9433, 5e-5);
  mien_metrics_wilson (0, 10, &low, &high);
  g_assert_cmpfloat (low, ==, 0);
  g_assert_cmpfloat_with_epsilon (high, 0.2775, 5e-5);
  mien_metrics_wilson (10, 10, &low, &high);
  g_assert_cmpfloat_with_epsilon (low, 0.7225, 5e-5);
  g_assert_cmpfloat_with_epsilon (high, 1, 1e-12);
  g_assert_cmpfloat (high, <=, 1);
}

static void
test_leave_out (void)
{
  const guint8 leave_out[8] = { 0, 0, 1, 0, 0, 0, 0, 1 };
  MienMetrics m;

  mien_metrics_compute (&m, &answers[0][0], truths, leave_out, 8, 3);
  g_assert_cmpint (m.n, ==, 6);
  assert_close (m.accuracy, 1);
  assert_close (m.macro_f1, 1);
  g_assert_cmpint (m.confusion[0][1], ==, 0);
}

static void
test_nothing (void)
{
  MienMetrics m;

  mien_metrics_compute (&m, NULL, NULL, NULL, 0, 7);
  g_assert_cmpint (m.n, ==, 0);
  g_assert_true (isnan (m.accuracy));
  g_assert_true (isnan (m.macro_f1));
  g_assert_true (isnan (m.log_loss));
  g_assert_true (isnan (m.ece));
}

/* A class that is neither truth nor answer does not count in the mean; one that is only answered does, with 0. */
static void
test_absent_class (void)
{
  const guint8 truth[2] = { 0, 0 };
  const float answer[2][4] = { { .7f, .1f, .1f, .1f }, { .1f, .7f, .1f, .1f } };
  MienMetrics m;

  mien_metrics_compute (&m, &answer[0][0], truth, NULL, 2, 4);
  assert_close (m.f1[0], 2.0 / 3);
  assert_close (m.macro_f1, 1.0 / 3);
  assert_close (m.precision[1], 0);
  assert_close (m.recall[1], 0);
}

static void
test_ties (void)
{
  const guint8 truth[1] = { 0 };
  const float answer[2] = { .5f, .5f };
  MienMetrics m;

  mien_metrics_compute (&m, answer, truth, NULL, 1, 2);
  assert_close (m.accuracy, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/metrics/confusion", test_confusion);
  g_test_add_func ("/metrics/classes", test_classes);
  g_test_add_func ("/metrics/log-loss", test_log_loss);
  g_test_add_func ("/metrics/log-loss-of-zero", test_log_loss_of_zero);
  g_test_add_func ("/metrics/ece", test_ece);
  g_test_add_func ("/metrics/ece-shares-bins", test_ece_shares_bins);
  g_test_add_func ("/metrics/ece-has-15-bins", test_ece_has_15_bins);
  g_test_add_func ("/metrics/wilson", test_wilson);
  g_test_add_func ("/metrics/leave-out", test_leave_out);
  g_test_add_func ("/metrics/nothing", test_nothing);
  g_test_add_func ("/metrics/absent-class", test_absent_class);
  g_test_add_func ("/metrics/ties", test_ties);
  return g_test_run ();
}
