/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "vision/mien-tracker.h"

#define MS G_GINT64_CONSTANT (1000)

static MienBox
box_at (float x, float y, float side)
{
  return (MienBox) { x, y, side, side, 1 };
}

static int
update_one (MienTracker *tracker, gint64 time_us, MienBox box)
{
  MienBox smoothed;
  int track;

  mien_tracker_update (tracker, time_us, &box, 1, &track, &smoothed);
  return track;
}

static void
test_iou (void)
{
  const MienBox a = box_at (0, 0, 10), b = box_at (5, 0, 10), c = box_at (10, 0, 10), inner = box_at (2, 2, 5);

  g_assert_cmpfloat_with_epsilon (mien_box_iou (&a, &a), 1, 1e-6);
  g_assert_cmpfloat_with_epsilon (mien_box_iou (&a, &b), 50.f / 150, 1e-6);
  g_assert_cmpfloat (mien_box_iou (&a, &c), ==, 0);
  g_assert_cmpfloat_with_epsilon (mien_box_iou (&a, &inner), .25, 1e-6);
}

static void
test_numbers (void)
{
  g_autoptr (MienTracker) tracker = mien_tracker_new ();
  MienBox boxes[2] = { box_at (10, 10, 50), box_at (200, 10, 50) }, swapped[2] = { box_at (205, 12, 50), box_at (14, 10, 50) };
  MienBox smoothed[2];
  int track[2];

  mien_tracker_update (tracker, 0, boxes, 2, track, smoothed);
  g_assert_cmpint (track[0], ==, 1);
  g_assert_cmpint (track[1], ==, 2);
  mien_tracker_update (tracker, 33 * MS, swapped, 2, track, smoothed);
  g_assert_cmpint (track[0], ==, 2);
  g_assert_cmpint (track[1], ==, 1);
  mien_tracker_update (tracker, 66 * MS, NULL, 0, NULL, NULL);
  g_assert_cmpint (update_one (tracker, 480 * MS, box_at (14, 10, 50)), ==, 1);  /* a gap of less than half a second */
  g_assert_cmpint (update_one (tracker, 1000 * MS, box_at (14, 10, 50)), ==, 3); /* and of more */
  g_assert_cmpint (update_one (tracker, 1010 * MS, box_at (90, 10, 50)), ==, 4); /* elsewhere */
  g_assert_cmpint (update_one (tracker, 20 * MS, box_at (90, 10, 50)), ==, 5);   /* the film began again */
  mien_tracker_reset (tracker);
  g_assert_cmpint (update_one (tracker, 30 * MS, box_at (90, 10, 50)), ==, 1);
}

/* The best overlap of all wins, not the first box. */
static void
test_best_pair (void)
{
  g_autoptr (MienTracker) tracker = mien_tracker_new ();
  const MienBox rivals[2] = { box_at (30, 0, 100), box_at (5, 0, 100) };
  MienBox smoothed[2];
  int track[2];

  g_assert_cmpint (update_one (tracker, 0, box_at (0, 0, 100)), ==, 1);
  mien_tracker_update (tracker, 10 * MS, rivals, 2, track, smoothed);
  g_assert_cmpint (track[0], ==, 2);
  g_assert_cmpint (track[1], ==, 1);
}

static void
test_boxes (void)
{
  g_autoptr (MienTracker) tracker = mien_tracker_new ();
  MienBox smoothed = { 0 };
  int track;

  /* Trembling by one pixel is damped ... */
  for (int i = 0; i < 60; i++) {
    const MienBox box = box_at (i % 2 == 0 ? 100 : 101, 100, 100);

    mien_tracker_update (tracker, i * 33 * MS, &box, 1, &track, &smoothed);
  }
  g_assert_cmpfloat (fabs (smoothed.x - 100.5), <, .3);
  /* ... and a real movement is followed at once, most of the way. */
  {
    const MienBox box = box_at (130, 100, 100);

    mien_tracker_update (tracker, 60 * 33 * MS, &box, 1, &track, &smoothed);
  }
  g_assert_cmpfloat (smoothed.x, >, 120);
  g_assert_cmpfloat (smoothed.x, <=, 130);
}

static void
test_probabilities (void)
{
  g_autoptr (MienTracker) tracker = mien_tracker_new ();
  float p[2] = { 1, 0 };
  int track;

  mien_tracker_set_smoothing (tracker, 100);
  track = update_one (tracker, 0, box_at (0, 0, 50));
  mien_tracker_smooth (tracker, track, p, 2);
  g_assert_cmpfloat (p[0], ==, 1);

  /* After one time constant 1 / e of the old is left, in one step or in ten. */
  update_one (tracker, 100 * MS, box_at (0, 0, 50));
  p[0] = 0;
  p[1] = 1;
  mien_tracker_smooth (tracker, track, p, 2);
  g_assert_cmpfloat_with_epsilon (p[0], 0.36787944f, 1e-5);
  g_assert_cmpfloat_with_epsilon (p[1], 0.63212056f, 1e-5);
  for (int i = 1; i <= 10; i++) {
    update_one (tracker, (100 + i * 10) * MS, box_at (0, 0, 50));
    p[0] = 0;
    p[1] = 1;
    mien_tracker_smooth (tracker, track, p, 2);
  }
  g_assert_cmpfloat_with_epsilon (p[0], 0.13533528f, 1e-5);

  mien_tracker_set_smoothing (tracker, 0);
  p[0] = .25f;
  p[1] = .75f;
  update_one (tracker, 210 * MS, box_at (0, 0, 50));
  mien_tracker_smooth (tracker, track, p, 2);
  g_assert_cmpfloat (p[0], ==, .25f);
  mien_tracker_smooth (tracker, 99, p, 2); /* no such track: unchanged */
  g_assert_cmpfloat (p[0], ==, .25f);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tracker/iou", test_iou);
  g_test_add_func ("/tracker/numbers", test_numbers);
  g_test_add_func ("/tracker/best-pair", test_best_pair);
  g_test_add_func ("/tracker/boxes", test_boxes);
  g_test_add_func ("/tracker/probabilities", test_probabilities);
  return g_test_run ();
}
