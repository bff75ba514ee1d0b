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

/* To the nearest whole number, even where two are, of what is much smaller than ROUNDING: beside it a float has no room for fractions. */
#define ROUNDING 0x1.8p23f

/* n weights of one column as whole numbers times the factor that is returned, NaN if one is not finite; fours lie together. */
static float
pack_column (const float *values, int n, int width, signed char *to, int *less)
{
  float most = 0, nothing = 0;

  *less = 0;
  for (int k = 0; k < n; k++) {
    most = fabsf (values[k]) > most ? fabsf (values[k]) : most;
    nothing += values[k] * 0;
  }
  const float scale = (most + nothing) / MOST;
  for (int k = 0; k < n && scale >= FLT_MIN; k++) {
    const int whole = (int) (values[k] / scale + ROUNDING - ROUNDING);
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
  float values[BLOCK];

  memset (packed, 0, mien_dense_int8_packed_bytes (self, shape));
  for (int n = 0; n < shape->n; n++) { /* a column to its end: blocked orders take its neighbours from all over it */
    char *to = (char *) packed + n / width * panel_bytes (self, shape);

    for (int k = 0; k < shape->k; k += BLOCK) {
      const int n_k = shape->k - k < BLOCK ? shape->k - k : BLOCK;
      float *scale = (float *) to;
      int *less = (int *) (scale + width);

      for (int i = 0; i < n_k; i++) {
        const int place = order != NULL ? order[k + i] : k + i;
        values[i] = place >= 0 ? w[place * step_k + n * step_n] : 0;
      }
      scale[n % width] = pack_column (values, n_k, width, (signed char *) (less + width) + n % width * 4, &less[n % width]);
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
