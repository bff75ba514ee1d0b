/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The gradient of a convolution by its weights, Winograd's way: where it pays, and how tiles are shared out. The kernels are in
 * mien-winograd-grad-simd.h. */
#include "kernels/mien-winograd.h"

enum {
  BLOCK_BYTES = 1024 * 1024, /* of V and Z */
  LEAST_TILES = 128,         /* of a block */
  MERGE = 150,               /* tiles that take as long to multiply as M to be written, read and put together */
};

typedef struct {
  const MienWinogradKernels *kernels;
  const MienBlockedShape *shape;
  const void *x, *dy;
  float *dw;
  char *scratch;
  size_t m_size, v_bytes, z_bytes; /* of a thread; m_size in floats */
  int size, most, n_tasks;
} Job;

static int
parts_of (int size)
{
  return (size + 2) * (size + 2);
}

static int
tiles_of_picture (const MienBlockedShape *shape, int size)
{
  return ((shape->p + size - 1) / size) * ((shape->q + size - 1) / size);
}

static Job
job_of (const MienWinogradKernels *self, const MienBlockedShape *shape, int size, int n_threads)
{
  const int n_c = (shape->c + self->lanes - 1) / self->lanes, n_k = (shape->k + self->lanes - 1) / self->lanes, together = self->pairs ? 2 : 1;
  const size_t vec = self->lanes * sizeof (float);
  Job job = { .kernels = self, .shape = shape, .size = size };

  job.n_tasks = shape->n < n_threads ? shape->n : n_threads;
  job.m_size = mien_threads_apart ((size_t) parts_of (size) * ((n_c + 1) / 2 * 2) * n_k * self->lanes * vec) / sizeof (float);
  job.most = (int) (BLOCK_BYTES * together / (parts_of (size) * vec * (n_c + n_k)));
  job.most = job.most < LEAST_TILES ? LEAST_TILES : job.most / 2 * 2;
  job.v_bytes = parts_of (size) * mien_winograd_grad_part (n_c, job.most / together) * vec;
  job.z_bytes = mien_threads_apart (parts_of (size) * mien_winograd_grad_part (n_k, job.most / together) * vec);
  return job;
}

static double
cost_of (const MienBlockedShape *shape, int size)
{
  return parts_of (size) * (tiles_of_picture (shape, size) + (double) MERGE / shape->n);
}

int
mien_winograd_grad_tile (const MienWinogradKernels *self, const MienBlockedShape *shape)
{
  const bool large = cost_of (shape, 4) < cost_of (shape, 2);
  const bool fits = self->lanes > 0 && shape->r == 3 && shape->s == 3 && shape->stride_h == 1 && shape->stride_w == 1 && shape->dilation_h == 1 &&
                    shape->dilation_w == 1 && shape->c >= 2 * self->lanes && shape->k >= 2 * self->lanes;

  return fits && 1.5 * cost_of (shape, large ? 4 : 2) < 9.0 * shape->p * shape->q ? large ? 4 : 2 : 0;
}

size_t
mien_winograd_grad_scratch (const MienWinogradKernels *self, const MienBlockedShape *shape, int size, int n_threads)
{
  const Job job = job_of (self, shape, size, n_threads);

  return job.n_tasks * (job.m_size * sizeof (float) + job.v_bytes + job.z_bytes);
}

static float *
m_of (const Job *job, int task)
{
  return (float *) job->scratch + task * job->m_size;
}

static void
run_tiles (void *data, int task, int thread)
{
  const Job *job = data;
  const int per_picture = tiles_of_picture (job->shape, job->size);
  const int first = (int) ((long) job->shape->n * task / job->n_tasks) * per_picture, end = (int) ((long) job->shape->n * (task + 1) / job->n_tasks) * per_picture;
  const int n_blocks = (end - first + job->most - 1) / job->most;
  char *v = job->scratch + job->n_tasks * job->m_size * sizeof (float) + task * (job->v_bytes + job->z_bytes);

  for (int i = 0, tile = first; i < n_blocks; i++) {
    const int now = (end - tile + n_blocks - i - 1) / (n_blocks - i), even = (now + 1) / 2 * 2 < end - tile ? (now + 1) / 2 * 2 : end - tile;
    const MienWinogradGradBlock block = { job->shape, job->x, job->dy, job->size, tile, even, i > 0, v, v + job->v_bytes, m_of (job, task) };
    job->kernels->grad_tiles (&block);
    job->kernels->grad_products (&block);
    tile += even;
  }
}

static void
run_weights (void *data, int task, int thread)
{
  const Job *job = data;
  const int k = job->shape->k;

  job->kernels->grad_weights (job->shape, job->size, m_of (job, 0), job->n_tasks, (ptrdiff_t) job->m_size, job->dw, (int) ((long) k * task / job->n_tasks),
                              (int) ((long) k * (task + 1) / job->n_tasks));
}

void
mien_winograd_grad (const MienWinogradKernels *self, const MienBlockedShape *shape, int size, const void *x, const void *dy, float *dw, void *scratch,
                    MienThreads *threads)
{
  Job job = job_of (self, shape, size, mien_threads_count (threads));

  job.x = x;
  job.dy = dy;
  job.dw = dw;
  job.scratch = scratch;
  mien_threads_run (threads, run_tiles, &job, job.n_tasks);
  mien_threads_run (threads, run_weights, &job, job.n_tasks);
}
