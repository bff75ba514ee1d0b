/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The thread pool: every index once, and nobody waits for a thread that is held up as long as there is something to do. */
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/mien-threads.h"
#include "mien-test.h"

enum { MAX_TASKS = 1000 };

typedef struct {
  atomic_int runs[MAX_TASKS];
  atomic_int n_done;
  int n_threads, n_tasks;
  atomic_bool wrong_thread;
} Counts;

static void
count_task (void *data, int task, int thread)
{
  Counts *counts = data;

  if (thread < 0 || thread >= counts->n_threads)
    atomic_store (&counts->wrong_thread, true);
  atomic_fetch_add (&counts->runs[task], 1);
}

static void
test_every_index_once (void)
{
  static const int sizes[] = { 0, 1, 2, 3, 5, 8, 31, MAX_TASKS };

  for (int n_threads = 1; n_threads <= 5; n_threads++) {
    MienThreads *threads = mien_threads_new (n_threads);
    g_assert_cmpint (mien_threads_count (threads), ==, n_threads);
    for (int round = 0; round < 200; round++) {
      Counts counts = { .n_threads = n_threads, .n_tasks = sizes[round % G_N_ELEMENTS (sizes)] };
      mien_threads_run (threads, count_task, &counts, counts.n_tasks);
      for (int i = 0; i < MAX_TASKS; i++)
        g_assert_cmpint (atomic_load (&counts.runs[i]), ==, i < counts.n_tasks ? 1 : 0);
      g_assert_false (atomic_load (&counts.wrong_thread));
    }
    mien_threads_free (threads);
  }
}

/* The first task to begin ends only when all others are done. */
static void
wait_task (void *data, int task, int thread)
{
  Counts *counts = data;
  const gint64 end = g_get_monotonic_time () + 20 * G_TIME_SPAN_SECOND;

  if (atomic_fetch_add (&counts->runs[0], 1) == 0)
    while (atomic_load (&counts->n_done) < counts->n_tasks - 1 && g_get_monotonic_time () < end)
      g_thread_yield ();
  atomic_fetch_add (&counts->n_done, 1);
  atomic_store (&counts->wrong_thread, g_get_monotonic_time () >= end || atomic_load (&counts->wrong_thread));
}

static void
test_takes_over (void)
{
  for (int n_threads = 2; n_threads <= 4; n_threads++) {
    MienThreads *threads = mien_threads_new (n_threads);
    for (int n_tasks = n_threads; n_tasks < 20; n_tasks++) {
      Counts counts = { .n_tasks = n_tasks };
      mien_threads_run (threads, wait_task, &counts, n_tasks);
      g_assert_cmpint (atomic_load (&counts.n_done), ==, n_tasks);
      g_assert_false (atomic_load (&counts.wrong_thread));
    }
    mien_threads_free (threads);
  }
}

/* Workers that come late for one loop are there for the next, whose data are others. */
static void
test_loops_at_once (void)
{
  enum { LOOPS = 20000, MOST = 9 };

  for (int n_threads = 2; n_threads <= 5; n_threads++) {
    MienThreads *threads = mien_threads_new (n_threads);
    Counts counts[2] = { { .n_threads = n_threads }, { .n_threads = n_threads } };
    int expected[2][MOST] = { 0 };
    for (int loop = 0; loop < LOOPS; loop++) {
      const int n_tasks = 2 + loop % (MOST - 1);
      mien_threads_run (threads, count_task, &counts[loop % 2], n_tasks);
      for (int i = 0; i < MOST; i++)
        g_assert_cmpint (atomic_load (&counts[loop % 2].runs[i]), ==, expected[loop % 2][i] += i < n_tasks);
    }
    g_assert_false (atomic_load (&counts[0].wrong_thread) || atomic_load (&counts[1].wrong_thread));
    mien_threads_free (threads);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/threads/every-index-once", test_every_index_once);
  g_test_add_func ("/threads/takes-over", test_takes_over);
  g_test_add_func ("/threads/loops-at-once", test_loops_at_once);
  return g_test_run ();
}
