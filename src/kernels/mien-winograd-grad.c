/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The gradient of a convolution by its weights, Winograd's way: where it pays, and how tiles are shared out. The kernels are in
 * mien-winograd-grad-simd.h. */
#include "kernels/mien-winograd.h"

#include <string.h>

enum {
  BLOCK_BYTES = 1024 * 1024, /* of V and Z */
  LEAST_TILES = 128, /* of a block: what reading and writing all of M is worth */
  PARTS = 16,
};

typedef struct {
  const MienWinogradKernels *kernels;
  const MienBlockedShape *shape;
  const void *x, *dy;
  float *dw;
  char *scratch;
  size_t m_size, v_bytes, z_bytes; /* of a thread; m_size in floats */
  int n_tiles, most, n_tasks;
} Job;

static size_t
padded (const MienWinogradKernels *self, int channels)
{
  return (size_t) (channels + self->lanes - 1) / self->lanes * self->lanes;
}

static int
tiles_of_picture (const MienBlockedShape *shape)
{
  return ((shape->p + 1) / 2) * ((shape->q + 1) / 2);
}

static Job
job_of (const MienWinogradKernels *self, const MienBlockedShape *shape, int n_threads)
{
  const size_t c = padded (self, shape->c), k = padded (self, shape->k), elem = self->bf16 ? 2 : 4;
  Job job = { .kernels = self, .shape = shape, .m_size = PARTS * c * k, .n_tiles = shape->n * tiles_of_picture (shape) };

  job.n_tasks = shape->n < n_threads ? shape->n : n_threads;
  job.most = (int) (BLOCK_BYTES / (PARTS * elem * (c + k)));
  job.most = job.most < LEAST_TILES ? LEAST_TILES : job.most / 2 * 2;
  job.v_bytes = PARTS * elem * c * job.most;
  job.z_bytes = PARTS * elem * k * job.most;
  return job;
}

bool
mien_winograd_grad_pays (const MienWinogradKernels *self, const MienBlockedShape *shape)
{
  const double direct = 9.0 * shape->p * shape->q, winograd = (double) PARTS * tiles_of_picture (shape);

  return self->lanes > 0 && shape->r == 3 && shape->s == 3 && shape->stride_h == 1 && shape->stride_w == 1 && shape->dilation_h == 1 &&
         shape->dilation_w == 1 && shape->c >= 2 * self->lanes && shape->k >= 2 * self->lanes && winograd * 1.5 < direct;
}

size_t
mien_winograd_grad_scratch (const MienWinogradKernels *self, const MienBlockedShape *shape, int n_threads)
{
  const Job job = job_of (self, shape, n_threads);

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
  const int per_picture = tiles_of_picture (job->shape);
  const int first = (int) ((long) job->shape->n * task / job->n_tasks) * per_picture, end = (int) ((long) job->shape->n * (task + 1) / job->n_tasks) * per_picture;
  const int n_blocks = (end - first + job->most - 1) / job->most;
  char *v = job->scratch + job->n_tasks * job->m_size * sizeof (float) + task * (job->v_bytes + job->z_bytes);

  memset (m_of (job, task), 0, job->m_size * sizeof (float));
  for (int i = 0, tile = first; i < n_blocks; i++) {
    const int now = (end - tile + n_blocks - i - 1) / (n_blocks - i), even = (now + 1) / 2 * 2 < end - tile ? (now + 1) / 2 * 2 : end - tile;
    const MienWinogradGradBlock block = { job->shape, job->x, job->dy, tile, even, v, v + job->v_bytes, m_of (job, task) };
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

  job->kernels->grad_weights (job->shape, m_of (job, 0), job->n_tasks, (ptrdiff_t) job->m_size, job->dw, (int) ((long) k * task / job->n_tasks),
                              (int) ((long) k * (task + 1) / job->n_tasks));
}

void
mien_winograd_grad (const MienWinogradKernels *self, const MienBlockedShape *shape, const void *x, const void *dy, float *dw, void *scratch,
                    MienThreads *threads)
{
  Job job = job_of (self, shape, mien_threads_count (threads));

  job.x = x;
  job.dy = dy;
  job.dw = dw;
  job.scratch = scratch;
  mien_threads_run (threads, run_tiles, &job, job.n_tasks);
  mien_threads_run (threads, run_weights, &job, job.n_tasks);
}
