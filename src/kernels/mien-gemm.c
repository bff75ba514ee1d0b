/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Matrix product: the C reference tiles, the tables, and the loops around the tiles (packing, cache blocks, threads). */
#include "kernels/mien-gemm.h"

#include <math.h>
#include <string.h>

#if MIEN_HAVE_X86
#include "kernels/x86/mien-x86.h"
#elif MIEN_HAVE_ARM
#include "kernels/arm/mien-arm.h"
#endif

enum { C_MR = 4, C_NR = 16, ALIGN = 64 };

static void
tile_c (int m, int n, int k, const float *a, const float *b, float *c, ptrdiff_t ldc, const MienGemmTail *tail)
{
  for (int i = 0; i < m; i++) {
    for (int j = 0; j < n; j++) {
      float sum = 0;
      for (int l = 0; l < k; l++)
        sum += a[l * C_MR + i] * b[l * C_NR + j];
      if (tail->accumulate)
        sum += c[i * ldc + j];
      if (tail->bias_row != NULL)
        sum += tail->bias_row[i];
      if (tail->bias_col != NULL)
        sum += tail->bias_col[j];
      c[i * ldc + j] = sum < tail->lo ? tail->lo : sum > tail->hi ? tail->hi : sum;
    }
  }
}

static void
row_c (int n, int k, const float *a, const float *b, float *c, const MienGemmTail *tail)
{
  for (int j = 0; j < n; j++) {
    float sum = 0;
    for (int l = 0; l < k; l++)
      sum += a[l] * b[l * C_NR + j];
    if (tail->accumulate)
      sum += c[j];
    if (tail->bias_row != NULL)
      sum += tail->bias_row[0];
    if (tail->bias_col != NULL)
      sum += tail->bias_col[j];
    c[j] = sum < tail->lo ? tail->lo : sum > tail->hi ? tail->hi : sum;
  }
}

static void
rows_c (int m, int n, int n_p, int n_q, const float *const *rows, ptrdiff_t row_step, int step, const float *b, ptrdiff_t ldb,
        float *c, ptrdiff_t ldc)
{
  for (int i = 0; i < m; i++)
    for (int p = 0; p < n_p; p++)
      for (int q = 0; q < n_q; q++)
        for (int j = 0; j < n; j++)
          c[i * ldc + j] += rows[i][p * row_step + (ptrdiff_t) q * step] * b[((ptrdiff_t) p * n_q + q) * ldb + j];
}

void
mien_gemm_kernels_init (MienGemmKernels *self, MienCpuLevel cpu)
{
  *self = (MienGemmKernels) { C_MR, C_NR, tile_c, row_c, C_MR, C_NR, rows_c };
#if MIEN_HAVE_X86
  if (cpu < MIEN_CPU_AVX2)
    return;
  *self = (MienGemmKernels) { 4, 24, mien_gemm_f32_tile_avx2, mien_gemm_f32_row_avx2, 6, 16, mien_gemm_f32_rows_avx2 };
  if (cpu < MIEN_CPU_AVX512)
    return;
  *self = (MienGemmKernels) { 8, 48, mien_gemm_f32_tile_avx512, mien_gemm_f32_row_avx512, 12, 32, mien_gemm_f32_rows_avx512 };
#elif MIEN_HAVE_ARM
  if (cpu < MIEN_CPU_NEON)
    return;
  *self = (MienGemmKernels) { 8, 12, mien_gemm_f32_tile_neon, mien_gemm_f32_row_neon, 12, 8, mien_gemm_f32_rows_neon };
#endif
}

static int
div_up (int a, int b)
{
  return (a + b - 1) / b;
}

static int
min_int (int a, int b)
{
  return a < b ? a : b;
}

size_t
mien_gemm_packed_b_size (const MienGemmKernels *self, const MienGemmShape *shape)
{
  return (size_t) div_up (shape->n, self->nr) * self->nr * shape->k;
}

static size_t
packed_a_size (const MienGemmKernels *self, const MienGemmShape *shape)
{
  return (size_t) div_up (shape->m, self->mr) * self->mr * shape->k;
}

size_t
mien_gemm_scratch (const MienGemmKernels *self, const MienGemmShape *shape, int n_threads)
{
  return (packed_a_size (self, shape) + mien_gemm_packed_b_size (self, shape)) * sizeof (float) + 2 * ALIGN;
}

/* Panels of width columns: to[panel][k][width] from x[k][n] (or x[n][k] when the stored matrix is transposed). */
static void
pack_panel (float *to, const float *x, ptrdiff_t step_k, ptrdiff_t step_n, int k, int n, int width)
{
  if (step_n == 1 && n == width) {
    for (int l = 0; l < k; l++)
      memcpy (to + (ptrdiff_t) l * width, x + l * step_k, width * sizeof *to);
    return;
  }
  for (int j = 0; j < n; j++)
    for (int l = 0; l < k; l++)
      to[(ptrdiff_t) l * width + j] = x[l * step_k + j * step_n];
  for (int j = n; j < width; j++)
    for (int l = 0; l < k; l++)
      to[(ptrdiff_t) l * width + j] = 0;
}

static void
pack_b_panel (const MienGemmKernels *self, const MienGemmShape *shape, const float *b, float *packed, int panel)
{
  const ptrdiff_t step_k = shape->trans_b ? 1 : shape->ldb, step_n = shape->trans_b ? shape->ldb : 1;
  const int first = panel * self->nr;

  pack_panel (packed + (size_t) first * shape->k, b + first * step_n, step_k, step_n, shape->k,
              min_int (self->nr, shape->n - first), self->nr);
}

static void
pack_a_panel (const MienGemmKernels *self, const MienGemmShape *shape, const float *a, float *packed, int panel)
{
  const ptrdiff_t step_k = shape->trans_a ? shape->lda : 1, step_m = shape->trans_a ? 1 : shape->lda;
  const int first = panel * self->mr;

  pack_panel (packed + (size_t) first * shape->k, a + first * step_m, step_k, step_m, shape->k,
              min_int (self->mr, shape->m - first), self->mr);
}

void
mien_gemm_pack_b (const MienGemmKernels *self, const MienGemmShape *shape, const float *b, float *packed)
{
  for (int panel = 0; panel < div_up (shape->n, self->nr); panel++)
    pack_b_panel (self, shape, b, packed, panel);
}

typedef struct {
  const MienGemmKernels *kernels;
  const MienGemmShape *shape;
  const float *a, *b, *packed_b;
  float *to_a, *to_b;
  float *c;
  const MienGemmTail *tail;
  int n_a_panels, n_b_panels, n_tasks;
} Product;

/* Panels of A, then panels of B, by index. */
static void
pack_task (void *data, int task, int thread)
{
  Product *job = data;

  for (int i = task; i < job->n_a_panels + (job->b != NULL ? job->n_b_panels : 0); i += job->n_tasks) {
    if (i < job->n_a_panels)
      pack_a_panel (job->kernels, job->shape, job->a, job->to_a, i);
    else
      pack_b_panel (job->kernels, job->shape, job->b, job->to_b, i - job->n_a_panels);
  }
}

/* A single row is read where it lies. */
static bool
is_row (const MienGemmShape *shape)
{
  return shape->m == 1 && (!shape->trans_a || shape->lda == 1);
}

static void
row_task (void *data, int task, int thread)
{
  const Product *job = data;
  const int nr = job->kernels->nr, n = job->shape->n;

  for (int panel = (int) ((long) job->n_b_panels * task / job->n_tasks); panel < (int) ((long) job->n_b_panels * (task + 1) / job->n_tasks);
       panel++) {
    MienGemmTail tail = *job->tail;
    if (tail.bias_col != NULL)
      tail.bias_col += panel * nr;
    job->kernels->row (min_int (nr, n - panel * nr), job->shape->k, job->a, job->packed_b + (size_t) panel * job->shape->k * nr,
                       job->c + panel * nr, &tail);
  }
}

static void
multiply_task (void *data, int task, int thread)
{
  Product *job = data;
  const MienGemmShape *shape = job->shape;
  const int mr = job->kernels->mr, nr = job->kernels->nr;
  const int first = (int) ((long) job->n_b_panels * task / job->n_tasks);
  const int end = (int) ((long) job->n_b_panels * (task + 1) / job->n_tasks);

  for (int l = 0; l < shape->k; l += MIEN_GEMM_KC) {
    const int depth = min_int (MIEN_GEMM_KC, shape->k - l);
    const bool last = l + depth == shape->k;
    for (int panel = first; panel < end; panel++) {
      const float *b = job->packed_b + ((size_t) panel * shape->k + l) * nr;
      const int n = min_int (nr, shape->n - panel * nr);
      for (int i = 0; i < shape->m; i += mr) {
        MienGemmTail tail = { .lo = -INFINITY, .hi = INFINITY, .accumulate = l > 0 || job->tail->accumulate };
        if (last) {
          tail.lo = job->tail->lo;
          tail.hi = job->tail->hi;
          tail.bias_row = job->tail->bias_row != NULL ? job->tail->bias_row + i : NULL;
          tail.bias_col = job->tail->bias_col != NULL ? job->tail->bias_col + panel * nr : NULL;
        }
        job->kernels->tile (min_int (mr, shape->m - i), n, depth, job->to_a + (size_t) i * shape->k + (size_t) l * mr, b,
                            job->c + i * shape->ldc + panel * nr, shape->ldc, &tail);
      }
    }
  }
}

void
mien_gemm_f32 (const MienGemmKernels *self, const MienGemmShape *shape, const float *a, const float *b, const float *packed_b,
               float *c, const MienGemmTail *tail, void *scratch, MienThreads *threads)
{
  const int n_threads = mien_threads_count (threads);
  Product job = { self, shape, a, packed_b == NULL ? b : NULL, packed_b, .c = c, .tail = tail };

  job.to_a = scratch;
  job.to_b = job.to_a + packed_a_size (self, shape);
  if (packed_b == NULL)
    job.packed_b = job.to_b;
  job.n_a_panels = is_row (shape) ? 0 : div_up (shape->m, self->mr);
  job.n_b_panels = div_up (shape->n, self->nr);
  /* Under a quarter of a million multiply-adds a second thread costs more than it gives. */
  job.n_tasks = (double) shape->m * shape->n * shape->k < 250e3 ? 1 : min_int (n_threads, job.n_b_panels);
  if (job.n_a_panels > 0 || job.b != NULL)
    mien_threads_run (threads, pack_task, &job, job.n_tasks);
  if (shape->k == 0) {
    MienGemmTail empty = *tail;
    for (int i = 0; i < shape->m; i++) {
      empty.bias_row = tail->bias_row != NULL ? tail->bias_row + i : NULL;
      for (int j = 0; j < shape->n; j++) {
        empty.bias_col = tail->bias_col != NULL ? tail->bias_col + j : NULL;
        tile_c (1, 1, 0, a, b, c + i * shape->ldc + j, shape->ldc, &empty);
      }
    }
    return;
  }
  mien_threads_run (threads, is_row (shape) ? row_task : multiply_task, &job, job.n_tasks);
}
