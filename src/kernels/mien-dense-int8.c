/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dense layers with weights of 8 bits: packing, the table and sharing out. */
#include "kernels/mien-dense-int8.h"

#include <float.h>
#include <math.h>
#include <string.h>

#if MIEN_HAVE_X86
#include "kernels/x86/mien-x86.h"
#endif

enum { BLOCK = MIEN_DENSE_INT8_BLOCK, MOST = 127, HEAD = sizeof (float) + sizeof (int) /* of a block and column */ };

void
mien_dense_int8_kernels_init (MienDenseInt8Kernels *self, MienCpuLevel cpu)
{
  *self = (MienDenseInt8Kernels) { 0 };
#if MIEN_HAVE_X86
  if (cpu >= MIEN_CPU_BF16)
    mien_dense_int8_kernels_init_avx512vnni (self);
#endif
}

static int
panels_of (const MienDenseInt8Kernels *self, const MienDenseShape *shape)
{
  return (shape->n + self->width - 1) / self->width;
}

static size_t
panel_bytes (const MienDenseInt8Kernels *self, const MienDenseShape *shape)
{
  const size_t n_blocks = ((size_t) shape->k + BLOCK - 1) / BLOCK, depth = ((size_t) shape->k + 3) / 4 * 4;

  return self->width * (n_blocks * HEAD + depth);
}

size_t
mien_dense_int8_packed_bytes (const MienDenseInt8Kernels *self, const MienDenseShape *shape)
{
  return panels_of (self, shape) * panel_bytes (self, shape);
}

/* n weights of one column as whole numbers times the factor that is returned; fours lie together. */
static float
pack_column (const float *values, int n, int width, signed char *to, int *less)
{
  float most = 0;

  *less = 0;
  for (int k = 0; k < n; k++)
    most = isfinite (values[k]) && !isnan (most) ? fmaxf (most, fabsf (values[k])) : NAN;
  const float scale = most / MOST;
  for (int k = 0; k < n; k++) {
    const int whole = scale >= FLT_MIN ? (int) rintf (values[k] / scale) : 0;
    to[k / 4 * 4 * width + k % 4] = (signed char) whole;
    *less -= MIEN_DENSE_INT8_ZERO * whole;
  }
  return scale;
}

void
mien_dense_int8_pack (const MienDenseInt8Kernels *self, const MienDenseShape *shape, const float *w, ptrdiff_t step_k, ptrdiff_t step_n,
                      const int *order, void *packed)
{
  const int width = self->width;
  char *to = packed;
  float values[BLOCK];

  memset (packed, 0, mien_dense_int8_packed_bytes (self, shape));
  for (int first = 0; first < shape->n; first += width) {
    for (int k = 0; k < shape->k; k += BLOCK) {
      const int n_k = shape->k - k < BLOCK ? shape->k - k : BLOCK;
      for (int j = 0; j < width && first + j < shape->n; j++) {
        for (int i = 0; i < n_k; i++) {
          const int place = order != NULL ? order[k + i] : k + i;
          values[i] = place >= 0 ? w[place * step_k + (first + j) * step_n] : 0;
        }
        float *scale = (float *) to;
        int *less = (int *) (scale + width);
        scale[j] = pack_column (values, n_k, width, (signed char *) (less + width) + 4 * j, &less[j]);
      }
      to += width * (HEAD + (n_k + 3) / 4 * 4);
    }
  }
}

typedef struct {
  const MienDenseInt8Kernels *kernels;
  const MienDenseShape *shape;
  const unsigned char *x;
  float x_scale;
  const void *packed;
  const float *bias;
  float *y;
} Job;

static void
run_panel (void *data, int i, int thread)
{
  const Job *job = data;
  const int width = job->kernels->width, first = i * width, left = job->shape->n - first;

  job->kernels->panel (job->shape, left < width ? left : width, job->x, job->x_scale, (const char *) job->packed + i * panel_bytes (job->kernels, job->shape),
                       job->bias != NULL ? job->bias + first : NULL, job->y + first);
}

void
mien_dense_int8_run (const MienDenseInt8Kernels *self, const MienDenseShape *shape, const unsigned char *x, float x_scale, const void *packed,
                     const float *bias, float *y, MienThreads *threads)
{
  Job job = { self, shape, x, x_scale, packed, bias, y };

  mien_threads_run (threads, run_panel, &job, panels_of (self, shape));
}
