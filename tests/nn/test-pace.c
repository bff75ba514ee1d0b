/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The choice between one thread and all: by what runs take, looked at anew now and then, not moved by single slow runs. */
#include "mien-test.h"
#include "nn/mien-pace.h"

enum { FAST = 40000, SLOW = 60000, HELD_UP = 9000000 };

/* Runs of one period; how many of them took all threads. */
static int
run_period (MienPace *pace, gint64 alone, gint64 together, int held_up)
{
  int n = 0;

  for (int i = 0; i < MIEN_PACE_PERIOD; i++) {
    const gboolean all = mien_pace_next (pace);
    n += all;
    mien_pace_took (pace, i / 2 < held_up ? HELD_UP : all ? together : alone);
  }
  return n;
}

static void
test_faster_way (void)
{
  MienPace pace = MIEN_PACE_INIT;

  g_assert_cmpint (run_period (&pace, FAST, SLOW, 0), ==, MIEN_PACE_TRIALS);
  /* The computer has changed: */
  g_assert_cmpint (run_period (&pace, SLOW, FAST, 0), ==, MIEN_PACE_PERIOD - MIEN_PACE_TRIALS);
  g_assert_cmpint (run_period (&pace, FAST, SLOW, 0), ==, MIEN_PACE_TRIALS);
  /* Nothing gained: */
  g_assert_cmpint (run_period (&pace, FAST, FAST, 0), ==, MIEN_PACE_TRIALS);
}

static void
test_held_up (void)
{
  MienPace pace = MIEN_PACE_INIT;

  g_assert_cmpint (run_period (&pace, SLOW, FAST, 1), ==, MIEN_PACE_PERIOD - MIEN_PACE_TRIALS);
  g_assert_cmpint (run_period (&pace, FAST, SLOW, 1), ==, MIEN_PACE_TRIALS);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pace/faster-way", test_faster_way);
  g_test_add_func ("/pace/held-up", test_held_up);
  return g_test_run ();
}
