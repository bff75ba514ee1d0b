/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A pool of worker threads for short parallel loops.
 *
 * The calling thread takes part in the work: a pool of n threads starts n - 1 workers. Workers spin for a few
 * microseconds after a loop and then sleep, so that consecutive loops of one network start without a system call.
 * Which index runs on which thread depends on who is free, so sums must be kept per index: then they are reproducible.
 *
 * Memory   no allocation after mien_threads_new()
 * Thread   any; while one loop runs, a second caller runs its own loop alone, on its own thread (thread 0) */
#pragma once

#include <stddef.h>

typedef struct _MienThreads MienThreads;

/* task: index 0 .. n_tasks - 1; thread: 0 .. n_threads - 1, for per-thread scratch. */
typedef void (*MienTaskFn) (void *data, int task, int thread);

/* n_threads 1 .. 256; 0 means one per processor this process may run on. Returns NULL without memory or threads. */
MienThreads *mien_threads_new (int n_threads);

/* Joins the workers. NULL is allowed. */
void mien_threads_free (MienThreads *self);

/* 1 for NULL. */
int mien_threads_count (const MienThreads *self);

/* Runs fn for every index and returns when all are done. With self NULL, or one task, everything runs on the calling
 * thread, in order. */
void mien_threads_run (MienThreads *self, MienTaskFn fn, void *data, int n_tasks);

enum { MIEN_THREADS_PAGE = 4096 };

/* Bytes from what one thread writes to what another does. Prefetchers run ahead into what lies behind, up to four pages on Zen 5: there they would take
 * lines out of the other's cache, again and again. */
static inline size_t
mien_threads_apart (size_t n_bytes)
{
  return (n_bytes + MIEN_THREADS_PAGE - 1) / MIEN_THREADS_PAGE * MIEN_THREADS_PAGE + 8 * MIEN_THREADS_PAGE;
}
