/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A fork-join pool: the caller fills the shares and raises `generation`, everybody takes the indices of a share of its own and then
 * what is left of the others', and the caller waits until all indices are done: not for workers that took none, which may be asleep, or wait for a
 * processor. Such a worker may come when the next loop is under way, and helps with that one: whoever takes an index out of a share finds the loop
 * that it belongs to, because that loop cannot end before.
 *
 * Spinning bridges the gaps between the layers of one network, and takes no lock: who goes to sleep says so (n_sleeping, waiting) before a last
 * look at what is waited for, and who changes that looks for sleepers afterwards. Both in sequentially consistent order, so that one of the two sees
 * the other. */
#include "kernels/mien-threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define pause_cpu() __builtin_ia32_pause ()
#elif defined(__aarch64__)
#define pause_cpu() __asm__ volatile("yield")
#else
#define pause_cpu() ((void) 0)
#endif

enum { SPINS = 4000, MAX_THREADS = 256, LINE = 64 /* of a cache */ };

typedef struct {
  MienThreads *pool;
  pthread_t id;
  int index; /* 1 .. n_threads - 1; the caller is 0 */
} Worker;

/* Thread t has the t-th of n_threads equal parts of the indices: the same pictures, rows or channels from loop to loop, which are in its cache. */
typedef struct {
  _Alignas (LINE) atomic_int n_left; /* to be taken; less than 0 when others found none */
} Share;

struct _MienThreads {
  /* What workers look at: the loop at hand, written by the caller before it fills the shares. */
  _Alignas (LINE) atomic_uint generation;
  MienTaskFn fn;
  void *data;
  int n_tasks;

  /* what the caller looks at: tasks that are not done */
  _Alignas (LINE) atomic_int n_open;

  _Alignas (LINE) int n_threads;
  Worker *workers;
  Share *shares;
  pthread_mutex_t running; /* held by the caller of a loop; a second caller runs its loop alone */
  pthread_mutex_t lock;
  pthread_cond_t wake, done;
  atomic_int n_sleeping; /* workers; changed under lock */
  atomic_bool waiting;   /* the caller sleeps; changed under lock */
  atomic_bool stop;
  cpu_set_t allowed; /* processors of the process */
  int caller_cpu;    /* the processor that the workers keep off, -1: none yet */
};

static int
first_of (const MienThreads *self, int n_tasks, int owner)
{
  return (int) ((long) n_tasks * owner / self->n_threads);
}

/* The own share first. A processor that others use too, or that runs slower, is then not waited for. */
static void
run_tasks (MienThreads *self, int thread)
{
  const int n = self->n_threads;
  int n_done = 0;

  for (int k = 0; k < n; k++) {
    const int owner = (thread + k) % n;
    atomic_int *n_left = &self->shares[owner].n_left;
    while (atomic_load_explicit (n_left, memory_order_relaxed) > 0) {
      const int left = atomic_fetch_sub_explicit (n_left, 1, memory_order_acquire);
      if (left <= 0)
        break;
      self->fn (self->data, first_of (self, self->n_tasks, owner + 1) - left, thread);
      n_done++;
    }
  }
  if (n_done > 0 && atomic_fetch_sub (&self->n_open, n_done) == n_done && atomic_load (&self->waiting)) {
    pthread_mutex_lock (&self->lock);
    pthread_cond_signal (&self->done);
    pthread_mutex_unlock (&self->lock);
  }
}

static unsigned
await_generation (MienThreads *self, unsigned seen)
{
  for (int i = 0; i < SPINS; i++) {
    unsigned now = atomic_load_explicit (&self->generation, memory_order_acquire);
    if (now != seen)
      return now;
    pause_cpu ();
  }
  pthread_mutex_lock (&self->lock);
  atomic_fetch_add (&self->n_sleeping, 1);
  while (atomic_load (&self->generation) == seen)
    pthread_cond_wait (&self->wake, &self->lock);
  atomic_fetch_sub (&self->n_sleeping, 1);
  pthread_mutex_unlock (&self->lock);
  return atomic_load (&self->generation);
}

static void *
work (void *data)
{
  Worker *worker = data;
  MienThreads *self = worker->pool;
  unsigned seen = 0;

  for (;;) {
    seen = await_generation (self, seen);
    if (atomic_load (&self->stop))
      return NULL;
    run_tasks (self, worker->index);
  }
}

/* A thread that is woken up tends to land on the processor of who woke it, and waits there until the loop it should share is over.
 * So sleeping workers are told to stay off the caller's processor. Under lock. */
static void
keep_off (MienThreads *self, int cpu)
{
  cpu_set_t others = self->allowed;

  self->caller_cpu = cpu;
  CPU_CLR (cpu, &others);
  if (CPU_COUNT (&others) == 0)
    return;
  for (int i = 1; i < self->n_threads; i++)
    pthread_setaffinity_np (self->workers[i].id, sizeof others, &others);
}

static void
raise_generation (MienThreads *self)
{
  atomic_fetch_add (&self->generation, 1);
  if (atomic_load (&self->n_sleeping) == 0)
    return;
  /* The lock, so that a worker between its last look and its sleep is not missed. */
  pthread_mutex_lock (&self->lock);
  const int cpu = sched_getcpu ();
  if (cpu >= 0 && cpu != self->caller_cpu)
    keep_off (self, cpu);
  pthread_cond_broadcast (&self->wake);
  pthread_mutex_unlock (&self->lock);
}

MienThreads *
mien_threads_new (int n_threads)
{
  MienThreads *self = aligned_alloc (LINE, sizeof *self);

  if (self == NULL)
    return NULL;
  memset (self, 0, sizeof *self);
  self->caller_cpu = -1;
  if (sched_getaffinity (0, sizeof self->allowed, &self->allowed) != 0)
    CPU_ZERO (&self->allowed);
  if (n_threads <= 0)
    n_threads = CPU_COUNT (&self->allowed) > 0 ? CPU_COUNT (&self->allowed) : 1;
  if (n_threads > MAX_THREADS)
    n_threads = MAX_THREADS;
  pthread_mutex_init (&self->running, NULL);
  pthread_mutex_init (&self->lock, NULL);
  pthread_cond_init (&self->wake, NULL);
  pthread_cond_init (&self->done, NULL);
  self->n_threads = 1;
  self->workers = calloc (n_threads, sizeof *self->workers);
  self->shares = aligned_alloc (LINE, n_threads * sizeof *self->shares);
  if (self->workers == NULL || self->shares == NULL) {
    mien_threads_free (self);
    return NULL;
  }
  for (int i = 1; i < n_threads; i++) {
    Worker *worker = &self->workers[i];
    worker->pool = self;
    worker->index = i;
    if (pthread_create (&worker->id, NULL, work, worker) != 0) {
      mien_threads_free (self);
      return NULL;
    }
    self->n_threads = i + 1;
  }
  return self;
}

void
mien_threads_free (MienThreads *self)
{
  if (self == NULL)
    return;
  atomic_store (&self->stop, true);
  raise_generation (self);
  for (int i = 1; i < self->n_threads; i++)
    pthread_join (self->workers[i].id, NULL);
  pthread_mutex_destroy (&self->running);
  pthread_mutex_destroy (&self->lock);
  pthread_cond_destroy (&self->wake);
  pthread_cond_destroy (&self->done);
  free (self->workers);
  free (self->shares);
  free (self);
}

int
mien_threads_count (const MienThreads *self)
{
  return self == NULL ? 1 : self->n_threads;
}

void
mien_threads_run (MienThreads *self, MienTaskFn fn, void *data, int n_tasks)
{
  if (self == NULL || self->n_threads == 1 || n_tasks <= 1 || pthread_mutex_trylock (&self->running) != 0) {
    for (int i = 0; i < n_tasks; i++)
      fn (data, i, 0);
    return;
  }
  self->fn = fn;
  self->data = data;
  self->n_tasks = n_tasks;
  atomic_store_explicit (&self->n_open, n_tasks, memory_order_relaxed);
  for (int i = 0; i < self->n_threads; i++)
    atomic_store_explicit (&self->shares[i].n_left, first_of (self, n_tasks, i + 1) - first_of (self, n_tasks, i), memory_order_release);
  raise_generation (self);
  run_tasks (self, 0);
  for (int i = 0; i < SPINS && atomic_load_explicit (&self->n_open, memory_order_acquire) > 0; i++)
    pause_cpu ();
  if (atomic_load_explicit (&self->n_open, memory_order_acquire) > 0) {
    pthread_mutex_lock (&self->lock);
    atomic_store (&self->waiting, true);
    while (atomic_load (&self->n_open) > 0)
      pthread_cond_wait (&self->done, &self->lock);
    atomic_store (&self->waiting, false);
    pthread_mutex_unlock (&self->lock);
  }
  pthread_mutex_unlock (&self->running);
}
