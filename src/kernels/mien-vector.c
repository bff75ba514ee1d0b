/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loops over vectors: the C reference and the table. */
#include "kernels/mien-vector.h"

#if MIEN_HAVE_X86
#include "kernels/x86/mien-x86.h"
#elif MIEN_HAVE_ARM
#include "kernels/arm/mien-arm.h"
#endif

static void
add_c (float *y, const float *x, const float *z, size_t n_elems)
{
  for (size_t i = 0; i < n_elems; i++)
    y[i] = x[i] + z[i];
}

static void
relu_c (float *y, const float *x, size_t n_elems)
{
  for (size_t i = 0; i < n_elems; i++)
    y[i] = x[i] < 0 ? 0 : x[i];
}

static void
relu_grad_c (float *dx, const float *y, const float *dy, size_t n_elems)
{
  for (size_t i = 0; i < n_elems; i++)
    dx[i] = y[i] > 0 ? dy[i] : 0;
}

static void
scale_shift_c (float *y, const float *x, float scale, float shift, float lo, size_t n_elems)
{
  for (size_t i = 0; i < n_elems; i++) {
    const float v = x[i] * scale + shift;
    y[i] = v < lo ? lo : v;
  }
}

static void
blend_c (float *dx, const float *dy, const float *x, float a, float b, float c, size_t n_elems)
{
  for (size_t i = 0; i < n_elems; i++)
    dx[i] = dy[i] * a + x[i] * b + c;
}

static void
moments_c (const float *x, float about, size_t n_elems, double sums[2])
{
  for (size_t i = 0; i < n_elems; i++) {
    sums[0] += x[i];
    sums[1] += (double) (x[i] - about) * (x[i] - about);
  }
}

static void
moments_grad_c (const float *dy, const float *x, float about, size_t n_elems, double sums[2])
{
  for (size_t i = 0; i < n_elems; i++) {
    sums[0] += dy[i];
    sums[1] += (double) dy[i] * (x[i] - about);
  }
}

static float
larger (float a, float b)
{
  return b > a ? b : a;
}

static void
max_2x2_c (float *y, const float *a, const float *b, size_t n_out)
{
  for (size_t i = 0; i < n_out; i++)
    y[i] = larger (larger (a[2 * i], a[2 * i + 1]), larger (b[2 * i], b[2 * i + 1]));
}

static void
max_2x2_grad_c (float *da, float *db, const float *a, const float *b, const float *dy, size_t n_out)
{
  for (size_t i = 0; i < n_out; i++) {
    const float x[4] = { a[2 * i], a[2 * i + 1], b[2 * i], b[2 * i + 1] };
    const float best = larger (larger (x[0], x[1]), larger (x[2], x[3]));
    float d[4] = { 0 };
    for (int j = 0; j < 4; j++) {
      if (x[j] == best) {
        d[j] = dy[i];
        break;
      }
    }
    da[2 * i] = d[0];
    da[2 * i + 1] = d[1];
    db[2 * i] = d[2];
    db[2 * i + 1] = d[3];
  }
}

static void
sgd_c (float *w, float *v, float *average, const float *g, size_t n_elems, const MienSgdStep *step)
{
  for (size_t i = 0; i < n_elems; i++) {
    v[i] = step->momentum * v[i] + g[i];
    w[i] = w[i] * (1 - step->lr * step->decay) - step->lr * (g[i] + step->momentum * v[i]);
    if (average != NULL)
      average[i] = step->ema * average[i] + (1 - step->ema) * w[i];
  }
}

void
mien_vector_kernels_init (MienVectorKernels *self, MienCpuLevel cpu)
{
  *self = (MienVectorKernels) { add_c, relu_c, relu_grad_c, scale_shift_c, blend_c, moments_c, moments_grad_c, max_2x2_c,
                                 max_2x2_grad_c, sgd_c };
#if MIEN_HAVE_X86
  if (cpu < MIEN_CPU_AVX2)
    return;
  mien_vector_kernels_init_avx2 (self);
  if (cpu < MIEN_CPU_AVX512)
    return;
  mien_vector_kernels_init_avx512 (self);
#elif MIEN_HAVE_ARM
  if (cpu < MIEN_CPU_NEON)
    return;
  mien_vector_kernels_init_neon (self);
#endif
}
