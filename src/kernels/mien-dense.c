/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dense layers: packing, the table and sharing out. */
#include "kernels/mien-dense.h"

#include <string.h>

#include "kernels/mien-blocked.h"
#include "kernels/portable/mien-portable.h"

#if MIEN_HAVE_X86
#include "kernels/x86/mien-x86.h"
#elif MIEN_HAVE_ARM
#include "kernels/arm/mien-arm.h"
#endif

void
mien_dense_kernels_init (MienDenseKernels *self, MienCpuLevel cpu)
{
  mien_dense_kernels_init_portable (self);
#if MIEN_HAVE_X86
  if (cpu < MIEN_CPU_AVX2)
    return;
  mien_dense_kernels_init_avx2 (self);
  if (cpu < MIEN_CPU_AVX512)
    return;
  mien_dense_kernels_init_avx512 (self);
#elif MIEN_HAVE_ARM
  if (cpu < MIEN_CPU_NEON)
    return;
  mien_dense_kernels_init_neon (self);
#endif
}

void
mien_dense_kernels_init_bf16 (MienDenseKernels *self, MienCpuLevel cpu)
{
  *self = (MienDenseKernels) { 0 };
#if MIEN_HAVE_X86
  if (cpu < MIEN_CPU_BF16)
    return;
  mien_dense_kernels_init_avx512bf16 (self);
#endif
}

/* Numbers of a panel that stand for one column. */
static int
depth_of (const MienDenseKernels *self, const MienDenseShape *shape)
{
  return self->bf16 ? (shape->k + 1) / 2 * 2 : shape->k;
}

static int
panels_of (const MienDenseKernels *self, const MienDenseShape *shape)
{
  return (shape->n + self->width - 1) / self->width;
}

static size_t
panel_bytes (const MienDenseKernels *self, const MienDenseShape *shape)
{
  return (size_t) depth_of (self, shape) * self->width * (self->bf16 ? sizeof (unsigned short) : sizeof (float));
}

size_t
mien_dense_packed_bytes (const MienDenseKernels *self, const MienDenseShape *shape)
{
  return panels_of (self, shape) * panel_bytes (self, shape);
}

void
mien_dense_pack (const MienDenseKernels *self, const MienDenseShape *shape, const float *w, ptrdiff_t step_k, ptrdiff_t step_n, const int *order,
                 void *packed)
{
  const int width = self->width;
  float *f32 = packed;
  unsigned short *bf16 = packed;

  memset (packed, 0, mien_dense_packed_bytes (self, shape));
  for (int first = 0; first < shape->n; first += width) {
    const int n = shape->n - first < width ? shape->n - first : width;
    for (int k = 0; k < shape->k; k++) {
      const float *from = order == NULL ? w + k * step_k : order[k] >= 0 ? w + order[k] * step_k : NULL;
      for (int j = 0; j < n && from != NULL; j++) {
        const float value = from[(first + j) * step_n];
        if (self->bf16)
          bf16[((size_t) (k / 2) * width + j) * 2 + k % 2] = mien_bf16_from_float (value);
        else
          f32[(size_t) k * width + j] = value;
      }
    }
    f32 += (size_t) shape->k * width;
    bf16 += (size_t) depth_of (self, shape) * width;
  }
}

typedef struct {
  const MienDenseKernels *kernels;
  const MienDenseShape *shape;
  const void *x, *packed;
  const float *bias;
  float *y;
  int n_panels, n_tasks;
} Job;

static void
run_task (void *data, int task, int thread)
{
  const Job *job = data;
  const int width = job->kernels->width;

  for (int i = (int) ((long) job->n_panels * task / job->n_tasks); i < (int) ((long) job->n_panels * (task + 1) / job->n_tasks); i++) {
    const int first = i * width;
    job->kernels->panel (job->shape, job->shape->n - first < width ? job->shape->n - first : width, job->x,
                         (const char *) job->packed + i * panel_bytes (job->kernels, job->shape), job->bias != NULL ? job->bias + first : NULL,
                         job->y + first);
  }
}

void
mien_dense_run (const MienDenseKernels *self, const MienDenseShape *shape, const void *x, const void *packed, const float *bias, float *y,
                MienThreads *threads)
{
  Job job = { self, shape, x, packed, bias, y, panels_of (self, shape), 1 };

  /* Under a quarter of a million multiply-adds a second thread costs more than it gives. */
  if ((double) shape->m * shape->n * shape->k >= 250e3) {
    job.n_tasks = mien_threads_count (threads);
    job.n_tasks = job.n_tasks < job.n_panels ? job.n_tasks : job.n_panels;
  }
  mien_threads_run (threads, run_task, &job, job.n_tasks);
}
