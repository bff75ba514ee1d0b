/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Winograd convolution: which layers, transformed weights, and how blocks of tiles are shared out. The kernels are in
 * mien-winograd-simd.h. */
#include "kernels/mien-winograd.h"
#include "kernels/portable/mien-portable.h"

#include <string.h>

#if MIEN_HAVE_X86
#include "kernels/x86/mien-x86.h"
#elif MIEN_HAVE_ARM
#include "kernels/arm/mien-arm.h"
#endif

enum {
  CACHE_BYTES = 448 * 1024, /* for V and M of a block */
  MIN_TILES = 12, /* of a block: what one pass over the weights is worth */
};

/* How the tiles of a layer are shared out. */
typedef struct {
  int n_tiles, n_blocks;
  int most;         /* tiles of a block */
  bool by_channels; /* each thread computes some of the output channels of all blocks, else some blocks */
  size_t v, products; /* bytes of scratch for a block */
} Split;

typedef struct {
  const MienWinogradKernels *kernels;
  const MienBlockedShape *shape;
  const MienBlockedArgs *args;
  Split split;
  MienWinogradKind kind;
  int n_tasks;
  char *scratch;
  size_t step; /* from a thread's scratch to the next one's */
} Job;

void
mien_winograd_kernels_init (MienWinogradKernels *self, MienCpuLevel cpu)
{
  mien_winograd_kernels_init_portable (self);
#if MIEN_HAVE_X86
  if (cpu < MIEN_CPU_AVX2)
    return;
  mien_winograd_kernels_init_avx2 (self);
  if (cpu < MIEN_CPU_AVX512)
    return;
  mien_winograd_kernels_init_avx512 (self);
#elif MIEN_HAVE_ARM
  if (cpu < MIEN_CPU_NEON)
    return;
  mien_winograd_kernels_init_neon (self);
#endif
}

void
mien_winograd_kernels_init_bf16 (MienWinogradKernels *self, MienCpuLevel cpu)
{
  *self = (MienWinogradKernels) { 0 };
#if MIEN_HAVE_X86
  if (cpu < MIEN_CPU_BF16)
    return;
  mien_winograd_kernels_init_avx512bf16 (self);
#endif
}

void
mien_winograd_kernels_init_widened (MienWinogradKernels *self, MienCpuLevel cpu)
{
  *self = (MienWinogradKernels) { 0 };
#if MIEN_HAVE_X86
  if (cpu < MIEN_CPU_BF16)
    return;
  mien_winograd_kernels_init_avx512widened (self);
#endif
}

static int
round_up (int n, int step)
{
  return (n + step - 1) / step * step;
}

static int
tiles_of (const MienBlockedShape *shape, MienWinogradKind kind)
{
  return shape->n * ((shape->p + kind.rows - 1) / kind.rows) * ((shape->q + kind.columns - 1) / kind.columns);
}

static int
parts_of (MienWinogradKind kind)
{
  return (kind.rows + 2) * (kind.columns + 2);
}

static int
groups_of (const MienWinogradKernels *self, const MienBlockedShape *shape)
{
  return (shape->k + self->lanes * self->group - 1) / (self->lanes * self->group);
}

static Split
split_of (const MienWinogradKernels *self, const MienBlockedShape *shape, MienWinogradKind kind, int n_threads)
{
  const int parts = parts_of (kind), n_tiles = tiles_of (shape, kind);
  const size_t v_elem = kind.bf16 ? 2 : 4;
  const size_t tile_bytes = parts * (v_elem * round_up (shape->c, self->lanes) + sizeof (float) * self->group * self->lanes);
  const int fit = CACHE_BYTES / tile_bytes < MIN_TILES ? MIN_TILES : (int) (CACHE_BYTES / tile_bytes);
  Split split = { .n_tiles = n_tiles, .by_channels = n_threads > 1 && n_tiles < MIN_TILES * n_threads && groups_of (self, shape) >= n_threads };

  split.n_blocks = (n_tiles + fit - 1) / fit;
  if (n_threads > 1 && !split.by_channels)
    split.n_blocks = round_up (split.n_blocks, n_threads) < n_tiles ? round_up (split.n_blocks, n_threads) : n_tiles;
  split.most = (n_tiles + split.n_blocks - 1) / split.n_blocks;
  split.v = mien_threads_apart (parts * mien_winograd_v_step (shape, self->lanes, split.most) * v_elem);
  split.products = mien_threads_apart (parts * mien_winograd_m_step (self->group, self->lanes, split.most) * sizeof (float));
  return split;
}

size_t
mien_winograd_step (const MienWinogradKernels *self, const MienBlockedShape *shape, MienWinogradKind kind, int n_threads)
{
  size_t most = 0;

  for (int n = 1; n <= n_threads; n++) {
    const Split split = split_of (self, shape, kind, n);
    most = split.v + split.products > most ? split.v + split.products : most;
  }
  return most;
}

size_t
mien_winograd_scratch (const MienWinogradKernels *self, const MienBlockedShape *shape, MienWinogradKind kind, int n_threads)
{
  return n_threads * mien_winograd_step (self, shape, kind, n_threads);
}

/* Microseconds, roughly: measured on one core of Zen 5 with AVX-512, 250 GFLOP/s; other widths of vector take in proportion. The direct
 * kernel runs near the peak (widening bfloat16 costs two fifths), products of tiles too; transforming an element of V or M takes as long as ten
 * multiply-adds. Weights are read from the last cache or memory, and again from the cache for every further block of tiles. With one face wide
 * layers are bound by that: U has 1.8 (2 x 2) or 4 (4 x 4) times as many weights. */
static double
cost (const MienWinogradKernels *self, const MienBlockedShape *shape, MienWinogradKind kind)
{
  const double c = shape->c, k = round_up (shape->k, self->lanes), slower = 16.0 / self->lanes;

  if (kind.rows == 0)
    return (slower * 0.0077e-3 * shape->n * shape->p * shape->q + 0.03e-3 * sizeof (float)) * 9 * c * k * (self->pairs ? 0.5 : self->bf16 ? 1.4 : 1);
  const Split split = split_of (self, shape, kind, 1);
  return slower * split.n_tiles * parts_of (kind) * (0.008e-3 * c * k * (kind.bf16 ? 0.5 : 1) + 0.075e-3 * (round_up (shape->c, self->lanes) + k)) +
         (0.03e-3 + 0.012e-3 * (split.n_blocks - 1)) * parts_of (kind) * c * k * (kind.narrow ? 2 : 4);
}

MienWinogradKind
mien_winograd_choose (const MienWinogradKernels *self, const MienBlockedShape *shape, bool narrow)
{
  static const MienWinogradKind kinds[] = { { 2, 2, false, false }, { 4, 4, false, false }, { 2, 2, true, false }, { 4, 4, true, false } };
  static const MienWinogradKind pair_kinds[] = { { 2, 2, false, false }, { 4, 4, false, false }, { 2, 2, true, true }, { 2, 4, true, true }, { 4, 4, true, true } };
  const MienWinogradKind *all = self->pairs ? pair_kinds : kinds;
  const int n_kinds = self->pairs ? 5 : narrow ? 4 : 2;
  MienWinogradKind best = { 0 };

  if (self->lanes == 0 || shape->r != 3 || shape->s != 3 || shape->stride_h != 1 || shape->stride_w != 1 || shape->dilation_h != 1 ||
      shape->dilation_w != 1)
    return best;
  for (int i = 0; i < n_kinds; i++)
    if (cost (self, shape, all[i]) < cost (self, shape, best))
      best = all[i];
  return best;
}

/* Pairs of input channels where U is bfloat16. */
static int
channels_of (const MienBlockedShape *shape, MienWinogradKind kind)
{
  return kind.narrow ? round_up (shape->c, 2) : shape->c;
}

size_t
mien_winograd_size (const MienWinogradKernels *self, const MienBlockedShape *shape, MienWinogradKind kind)
{
  return (size_t) parts_of (kind) * channels_of (shape, kind) * round_up (shape->k, self->lanes) * (kind.narrow ? 2 : 4);
}

void
mien_winograd_filter_4 (const float w[3], float u[6])
{
  static const float root = 1.41421356f, third = 1 / 3.0f;

  u[0] = w[0];
  u[1] = -third * (2 * w[0] + root * w[1] + w[2]);
  u[2] = -third * (2 * w[0] - root * w[1] + w[2]);
  u[3] = third * (0.5f * (w[0] + root * w[1]) + w[2]);
  u[4] = third * (0.5f * (w[0] - root * w[1]) + w[2]);
  u[5] = w[2];
}

typedef struct {
  const MienWinogradKernels *kernels;
  const MienBlockedShape *shape;
  MienWinogradKind kind;
  MienWinogradFilters filters;
  void *packed;
  int n_tasks;
} PackJob;

static void
pack_task (void *data, int task, int thread)
{
  const PackJob *job = data;
  const int n = groups_of (job->kernels, job->shape);

  job->kernels->weights (job->shape, job->kind, &job->filters, job->packed, n * task / job->n_tasks, n * (task + 1) / job->n_tasks);
}

void
mien_winograd_pack (const MienWinogradKernels *self, const MienBlockedShape *shape, MienWinogradKind kind, const float *w, bool flipped, void *packed,
                    MienThreads *threads)
{
  const ptrdiff_t one = 9, row = 9 * (flipped ? shape->k : shape->c);
  PackJob job = { self, shape, kind, { w, flipped ? one : row, flipped ? row : one, flipped }, packed, mien_threads_count (threads) };

  mien_threads_run (threads, pack_task, &job, job.n_tasks);
}

int
mien_winograd_group (const MienWinogradKernels *self)
{
  return self->lanes * self->group;
}

void
mien_winograd_pack_filters (const MienWinogradKernels *self, const MienBlockedShape *shape, MienWinogradKind kind, int first, int n, const float *w,
                            void *packed)
{
  const MienWinogradFilters filters = { w, 9 * shape->c, 9, false };
  MienBlockedShape before = *shape, part = *shape;

  before.k = first;
  part.k = n;
  self->weights (&part, kind, &filters, (char *) packed + mien_winograd_size (self, &before, kind), 0, groups_of (self, &part));
}

static MienWinogradBlock
block_of (const Job *job, int index, int thread)
{
  const Split *split = &job->split;
  const int first = (int) ((long) split->n_tiles * index / split->n_blocks), end = (int) ((long) split->n_tiles * (index + 1) / split->n_blocks);

  return (MienWinogradBlock) {
    .shape = job->shape,
    .args = job->args,
    .kind = job->kind,
    .tile = first,
    .n_tiles = end - first,
    .v = job->scratch + thread * job->step,
    .products = (float *) (job->scratch + thread * job->step + split->v),
  };
}

static void
run_block (void *data, int task, int thread)
{
  const Job *job = data;
  const MienWinogradBlock block = block_of (job, task, thread);

  job->kernels->inputs (&block, 0, (job->shape->c + job->kernels->lanes - 1) / job->kernels->lanes);
  job->kernels->outputs (&block, 0, groups_of (job->kernels, job->shape));
}

/* V is computed by every thread: reading x out of another's cache takes less time than reading V, which is several times as large. */
static void
run_channels (void *data, int task, int thread)
{
  const Job *job = data;
  const int n_inputs = (job->shape->c + job->kernels->lanes - 1) / job->kernels->lanes, n = groups_of (job->kernels, job->shape);

  for (int i = 0; i < job->split.n_blocks; i++) {
    const MienWinogradBlock block = block_of (job, i, thread);
    job->kernels->inputs (&block, 0, n_inputs);
    job->kernels->outputs (&block, n * task / job->n_tasks, n * (task + 1) / job->n_tasks);
  }
}

void
mien_winograd_run (const MienWinogradKernels *self, const MienBlockedShape *shape, MienWinogradKind kind, const MienBlockedArgs *args,
                   void *scratch, size_t step, MienThreads *threads)
{
  const int n_threads = mien_threads_count (threads);
  Job job = { self, shape, args, split_of (self, shape, kind, n_threads), kind, n_threads, scratch, step };

  if (job.split.by_channels)
    mien_threads_run (threads, run_channels, &job, n_threads);
  else
    mien_threads_run (threads, run_block, &job, job.split.n_blocks);
}
