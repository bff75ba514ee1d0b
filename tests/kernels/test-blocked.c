/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Blocked convolution and pooling against the formula in double precision: random shapes, halos, residuals, rows in parts. What lies
 * in halos and spare channels must be 0 afterwards, since the next layer reads it. */
#include "kernels/mien-blocked.h"
#include "kernels/mien-check.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef enum { CONV, STEM, DEPTH, MAX_POOL, AVERAGE_POOL, N_KINDS } Kind;
typedef enum { F32, BF16, WIDENED, TILES } Table;

static MienBlockedShape
random_shape (MienCheck *check, Kind kind)
{
  GRand *random = check->random;
  MienBlockedShape shape;

  do {
    shape = (MienBlockedShape) {
      .n = g_rand_int_range (random, 1, 3),
      .c = kind == STEM ? g_rand_int_range (random, 1, 4) : mien_check_size (check, 1, 70),
      .k = mien_check_size (check, 1, 131),
      .h = g_rand_int_range (random, 1, 12),
      .w = mien_check_size (check, 1, kind == STEM ? 131 : 33),
      .r = g_rand_int_range (random, 1, 5),
      .s = g_rand_int_range (random, 1, 5),
      .stride_h = g_rand_int_range (random, 1, 4),
      .stride_w = g_rand_int_range (random, 1, 4),
      .dilation_h = g_rand_int_range (random, 1, 3),
      .dilation_w = g_rand_int_range (random, 1, 3),
      .y_halo = g_rand_int_range (random, 0, 3),
      .residual_halo = g_rand_int_range (random, 0, 3),
      .lo = g_rand_boolean (random) ? 0 : -INFINITY,
      .hi = g_rand_boolean (random) ? 6 : INFINITY,
    };
    if (kind >= DEPTH)
      shape.k = shape.c;
    const gboolean usual = (kind == DEPTH || kind == MAX_POOL) && g_rand_boolean (random); /* what has kernels of its own */
    if (usual) {
      shape.r = shape.s = kind == DEPTH ? 3 : g_rand_int_range (random, 2, 4);
      shape.stride_h = shape.stride_w = kind == DEPTH ? 1 : 2;
      shape.dilation_h = shape.dilation_w = 1;
    }
    shape.pad_top = g_rand_int_range (random, 0, shape.r);
    shape.pad_left = g_rand_int_range (random, 0, usual && kind == MAX_POOL ? shape.s - 1 : shape.s);
    const int below = g_rand_int_range (random, 0, shape.r), right = g_rand_int_range (random, 0, shape.s);
    shape.x_halo = MAX (MAX (shape.pad_top, shape.pad_left), MAX (below, right)) + g_rand_int_range (random, 0, 2);
    shape.p = (shape.h + shape.pad_top + below - (shape.r - 1) * shape.dilation_h - 1);
    shape.q = (shape.w + shape.pad_left + right - (shape.s - 1) * shape.dilation_w - 1);
    shape.p = shape.p < 0 ? 0 : shape.p / shape.stride_h + 1;
    shape.q = shape.q < 0 ? 0 : shape.q / shape.stride_w + 1;
  } while (shape.p < 1 || shape.q < 1);
  return shape;
}

/* Plain results in double precision and the magnitude of each sum. */
static void
compute (const MienBlockedShape *shape, Kind kind, const float *x, const float *w, const float *bias, const float *residual, float *y,
         double *magnitude)
{
  gsize to = 0;

  for (int n = 0; n < shape->n; n++)
    for (int k = 0; k < shape->k; k++)
      for (int p = 0; p < shape->p; p++)
        for (int q = 0; q < shape->q; q++, to++) {
          double sum = bias != NULL ? bias[k] : 0, size = fabs (sum), most = -INFINITY, total = 0, mass = 0;
          int count = 0;
          for (int c = kind >= DEPTH ? k : 0; c < (kind >= DEPTH ? k + 1 : shape->c); c++)
            for (int r = 0; r < shape->r; r++)
              for (int s = 0; s < shape->s; s++) {
                const int i = p * shape->stride_h + r * shape->dilation_h - shape->pad_top;
                const int j = q * shape->stride_w + s * shape->dilation_w - shape->pad_left;
                if (i < 0 || i >= shape->h || j < 0 || j >= shape->w)
                  continue;
                const double value = x[(((gsize) n * shape->c + c) * shape->h + i) * shape->w + j];
                const double weight = w[((gsize) k * (kind >= DEPTH ? 1 : shape->c) + (kind >= DEPTH ? 0 : c)) * shape->r * shape->s + r * shape->s + s];
                sum += value * weight;
                size += fabs (value * weight);
                most = MAX (most, value);
                total += value;
                mass += fabs (value);
                count++;
              }
          if (kind == MAX_POOL || kind == AVERAGE_POOL) {
            y[to] = (float) (count == 0 ? 0 : kind == MAX_POOL ? most : total / count);
            magnitude[to] = kind == MAX_POOL || count == 0 ? 0 : mass / count;
            continue;
          }
          if (residual != NULL) {
            sum += residual[to];
            size += fabs (residual[to]);
          }
          y[to] = (float) MIN (MAX (sum, shape->lo), shape->hi);
          magnitude[to] = size;
        }
}

/* The largest of each 2 x 2 results, in place. */
static void
pool_2x2 (const MienBlockedShape *shape, float *y, double *magnitude)
{
  gsize to = 0;

  for (int plane = 0; plane < shape->n * shape->k; plane++)
    for (int p = 0; p + 1 < shape->p; p += 2)
      for (int q = 0; q + 1 < shape->q; q += 2, to++) {
        const gsize at = ((gsize) plane * shape->p + p) * shape->q + q, four[] = { at, at + 1, at + shape->q, at + shape->q + 1 };
        float most = -INFINITY;
        double size = 0;
        for (int i = 0; i < 4; i++) {
          most = MAX (most, y[four[i]]);
          size = MAX (size, magnitude[four[i]]);
        }
        y[to] = most;
        magnitude[to] = size;
      }
}

static void
round_to_bf16 (float *x, gsize n)
{
  for (gsize i = 0; i < n; i++)
    x[i] = mien_bf16_to_float (mien_bf16_from_float (x[i]));
}

/* 1 + 2^-8 lies between 1 and 1 + 2^-7: to even, down; 1 + 3 * 2^-8 goes up. */
static void
check_rounding (MienCheck *check)
{
  const struct {
    float x, want;
  } cases[] = { { 1, 1 }, { -2.5f, -2.5f }, { 1.00390625f, 1 }, { 1.01171875f, 1.015625f }, { 1.0040f, 1.0078125f }, { 0, 0 } };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpfloat (mien_bf16_to_float (mien_bf16_from_float (cases[i].x)), ==, cases[i].want);
  g_assert_true (isnan (mien_bf16_to_float (mien_bf16_from_float (NAN))));
  g_assert_true (isinf (mien_bf16_to_float (mien_bf16_from_float (3.4e38f))));
}

static void
init_table (MienBlockedKernels *kernels, Table table, MienCpuLevel cpu)
{
  void (*const init[]) (MienBlockedKernels *self, MienCpuLevel cpu) = {
    mien_blocked_kernels_init, mien_blocked_kernels_init_bf16, mien_blocked_kernels_init_widened, mien_blocked_kernels_init_tiles,
  };

  init[table](kernels, cpu);
}

static void
check_mean (MienCheck *check)
{
  for (Table table = F32; table <= TILES; table++) {
    MienBlockedKernels kernels;

    init_table (&kernels, table, check->cpu);
    for (int round = 0; round < 20 && kernels.lanes > 0; round++) {
      const MienBlockedShape shape = {
        .n = g_rand_int_range (check->random, 1, 3),
        .c = mien_check_size (check, 1, 70),
        .h = g_rand_int_range (check->random, 1, 9),
        .w = mien_check_size (check, 1, 33),
        .x_halo = g_rand_int_range (check->random, 0, 3),
      };
      const int n_planes = shape.n * shape.c, size = shape.h * shape.w;
      float *x = mien_check_input (check, (gsize) n_planes * size), *got = mien_check_output (check, n_planes);
      void *blocked = mien_check_output (check, mien_blocked_size (kernels.lanes, shape.n, shape.c, shape.h, shape.w, shape.x_halo));
      g_autofree float *want = g_new (float, n_planes);
      g_autofree double *magnitude = g_new0 (double, n_planes);

      if (kernels.bf16)
        round_to_bf16 (x, (gsize) n_planes * size);
      for (int i = 0; i < n_planes; i++) {
        double sum = 0;
        for (int k = 0; k < size; k++) {
          sum += x[i * size + k];
          magnitude[i] += fabs (x[i * size + k]) / size;
        }
        want[i] = (float) (sum / size);
      }
      mien_blocked_from_plain (&kernels, shape.n, shape.c, shape.h, shape.w, shape.x_halo, x, blocked);
      kernels.mean (&shape, blocked, got);
      mien_check_near (want, got, magnitude, n_planes, (size + 4) * FLT_EPSILON, "mean");
      mien_check_clear (check);
    }
  }
}

/* The mean of what the formula of CONV gives. */
static void
check_conv_mean (MienCheck *check)
{
  for (Table table = F32; table <= BF16; table++) {
    MienBlockedKernels kernels;

    init_table (&kernels, table, check->cpu);
    for (int round = 0; round < 60 && kernels.lanes > 0; round++) {
      MienBlockedShape shape = random_shape (check, CONV);
      shape.lo = -INFINITY;
      shape.hi = INFINITY;
      const int n_means = shape.n * shape.k, area = shape.p * shape.q, taps = shape.r * shape.s, lanes = kernels.lanes;
      const gsize n_x = (gsize) shape.n * shape.c * shape.h * shape.w, n_w = (gsize) shape.k * shape.c * taps;
      const gsize spare = (gsize) (shape.k + lanes - 1) / lanes * lanes;
      float *x = mien_check_input (check, n_x), *w = mien_check_input (check, n_w), *bias = mien_check_input (check, spare);
      g_autofree float *y = g_new (float, n_means * area), *want = g_new0 (float, n_means);
      g_autofree double *magnitude = g_new (double, n_means * area), *size = g_new0 (double, n_means);
      void *packed = mien_check_output (check, mien_blocked_conv_size (&kernels, &shape));
      void *blocked = mien_check_output (check, mien_blocked_size (lanes, shape.n, shape.c, shape.h, shape.w, shape.x_halo));
      float *sums = mien_check_output (check, mien_blocked_size (lanes, 1, shape.c, shape.r, shape.s, 0)), *got = mien_check_output (check, n_means);

      for (gsize i = shape.k; i < spare; i++)
        bias[i] = 0;
      if (kernels.bf16) {
        round_to_bf16 (x, n_x);
        round_to_bf16 (w, n_w);
      }
      compute (&shape, CONV, x, w, round % 3 == 0 ? NULL : bias, NULL, y, magnitude);
      for (int i = 0; i < n_means; i++) {
        double sum = 0;
        for (int k = 0; k < area; k++) {
          sum += y[i * area + k];
          size[i] += magnitude[i * area + k] / area;
        }
        want[i] = (float) (sum / area);
      }
      mien_blocked_pack_conv (&kernels, &shape, w, packed, NULL);
      mien_blocked_from_plain (&kernels, shape.n, shape.c, shape.h, shape.w, shape.x_halo, x, blocked);
      const MienBlockedArgs args = { blocked, packed, round % 3 == 0 ? NULL : bias, NULL, got };
      kernels.conv_mean (&shape, &args, sums);
      mien_check_near (want, got, size, n_means, ((double) shape.c * taps + area + 8) * FLT_EPSILON, "conv-mean");
      mien_check_clear (check);
    }
  }
}

/* As weights come out of a file. */
static void
pack_in_parts (MienCheck *check, const MienBlockedKernels *kernels, const MienBlockedShape *shape, const float *w, void *packed)
{
  const int step = mien_blocked_group (kernels, shape->k) * kernels->lanes * g_rand_int_range (check->random, 1, 4);

  for (int first = 0; first < shape->k; first += step)
    mien_blocked_pack_filters (kernels, shape, first, MIN (step, shape->k - first), w + (gsize) first * shape->c * shape->r * shape->s, packed);
}

static void
check_kind (MienCheck *check, Kind kind, Table table)
{
  const gboolean bf16 = table != F32;
  MienBlockedKernels kernels;

  init_table (&kernels, table, check->cpu);
  if (kernels.lanes == 0) {
    g_test_skip ("this level has no blocked kernels");
    return;
  }
  const int lanes = kernels.lanes;
  const MienBlockedFn fn[] = { kernels.conv, kernels.stem, kernels.depth, kernels.max_pool, kernels.average_pool };
  for (int round = 0; round < (kind == STEM ? 300 : 80); round++) {
    MienBlockedShape shape = random_shape (check, kind);
    const gsize n_x = (gsize) shape.n * shape.c * shape.h * shape.w, n_y = (gsize) shape.n * shape.k * shape.p * shape.q;
    const gsize n_w = (gsize) shape.k * (kind >= DEPTH ? 1 : shape.c) * shape.r * shape.s, spare = (gsize) (shape.k + lanes - 1) / lanes * lanes;
    const gboolean pools = kind == MAX_POOL || kind == AVERAGE_POOL;
    float *x = mien_check_input (check, n_x), *w = mien_check_input (check, n_w);
    float *bias = mien_check_input (check, spare);
    float *residual = (kind == CONV || kind == DEPTH) && round % 2 == 0 ? mien_check_input (check, n_y) : NULL;
    g_autofree double *magnitude = g_new (double, n_y);
    g_autofree float *want = g_new (float, n_y), *got = g_new (float, n_y);
    g_autofree char *context = g_strdup_printf ("round %d: c=%d %dx%d halo %d k=%d %dx%d halo %d kernel %dx%d stride %d,%d dilation %d,%d pad %d,%d", round,
                                                shape.c, shape.h, shape.w, shape.x_halo, shape.k, shape.p, shape.q, shape.y_halo, shape.r, shape.s,
                                                shape.stride_h, shape.stride_w, shape.dilation_h, shape.dilation_w, shape.pad_top, shape.pad_left);

    for (gsize i = shape.k; i < spare; i++)
      bias[i] = 0;
    if (bf16) { /* the formula gets what the kernel gets */
      shape.stem_bf16 = kind == STEM && round % 3 != 0;
      if (kind != STEM || shape.stem_bf16)
        round_to_bf16 (x, n_x);
      if (kind == CONV || shape.stem_bf16 || (kind == DEPTH && shape.r == 3 && shape.s == 3 && shape.stride_w == 1 && shape.dilation_w == 1))
        round_to_bf16 (w, n_w);
      if (residual != NULL)
        round_to_bf16 (residual, n_y);
    }
    if (pools)
      shape.lo = -INFINITY, shape.hi = INFINITY;
    compute (&shape, kind, x, w, pools ? NULL : bias, residual, want, magnitude);
    shape.pool = kind == STEM && round % 2 == 0 && shape.p > 1 && shape.q > 1 && mien_blocked_stem_can_pool (&shape);
    if (shape.pool)
      pool_2x2 (&shape, want, magnitude);
    const int out_p = shape.pool ? shape.p / 2 : shape.p, out_q = shape.pool ? shape.q / 2 : shape.q;

    const gsize elem = bf16 ? 2 : 4; /* arrays of floats below are as long as they must be in bytes */
    if (bf16 && kind == MAX_POOL)
      for (gsize i = 0; i < n_y; i++)
        magnitude[i] = 0; /* nothing is rounded */
    const gsize n_blocked = mien_blocked_size (lanes, shape.n, shape.k, out_p, out_q, shape.y_halo);
    void *y = mien_check_output (check, (n_blocked * elem + 3) / 4);
    const void *blocked_x = x, *blocked_residual = NULL;
    if (kind != STEM) {
      float *to = mien_check_output (check, mien_blocked_size (lanes, shape.n, shape.c, shape.h, shape.w, shape.x_halo));
      mien_blocked_from_plain (&kernels, shape.n, shape.c, shape.h, shape.w, shape.x_halo, x, to);
      blocked_x = to;
    }
    if (residual != NULL) {
      float *to = mien_check_output (check, mien_blocked_size (lanes, shape.n, shape.k, shape.p, shape.q, shape.residual_halo));
      mien_blocked_from_plain (&kernels, shape.n, shape.k, shape.p, shape.q, shape.residual_halo, residual, to);
      blocked_residual = to;
      if (shape.residual_halo == shape.y_halo)
        y = to; /* sums may be written over it */
    }
    void *packed = NULL;
    if (kind == CONV) {
      packed = mien_check_output (check, mien_blocked_conv_size (&kernels, &shape));
      if (g_rand_boolean (check->random))
        mien_blocked_pack_conv (&kernels, &shape, w, packed, NULL);
      else
        pack_in_parts (check, &kernels, &shape, w, packed);
    } else if (kind == STEM) {
      packed = mien_check_output (check, mien_blocked_stem_size (&kernels, &shape));
      mien_blocked_pack_stem (&kernels, &shape, w, packed);
    } else if (kind == DEPTH) {
      packed = mien_check_output (check, mien_blocked_depth_size (&kernels, &shape));
      mien_blocked_pack_depth (&kernels, &shape, w, packed);
    }
    const MienBlockedArgs args = { blocked_x, packed, pools ? NULL : bias, blocked_residual, y };
    const int rows = kind == STEM ? mien_blocked_stem_rows (&shape) : mien_blocked_rows (&kernels, &shape, kind == CONV), middle = g_rand_int_range (check->random, 0, rows + 1);
    fn[kind](&shape, &args, middle, rows);
    fn[kind](&shape, &args, 0, middle);
    mien_blocked_to_plain (&kernels, shape.n, shape.k, out_p, out_q, shape.y_halo, y, got);
    mien_check_near (want, got, magnitude, (gsize) shape.n * shape.k * out_p * out_q, ((double) shape.c * shape.r * shape.s + 4) * FLT_EPSILON + (bf16 ? 1 / 256.0 : 0), context);

    /* Putting the pixels back with zeros all round must give y again. */
    g_autofree float *clean = g_new (float, (n_blocked * elem + 3) / 4);
    mien_blocked_from_plain (&kernels, shape.n, shape.k, out_p, out_q, shape.y_halo, got, clean);
    for (gsize i = 0; i < n_blocked; i++)
      if (bf16)
        g_assert_cmpfloat (mien_bf16_to_float (((const unsigned short *) (const void *) clean)[i]), ==, mien_bf16_to_float (((const unsigned short *) y)[i]));
      else
        g_assert_cmpfloat (clean[i], ==, ((const float *) y)[i]);
    mien_check_clear (check);
  }
}

#define DEFINE_CHECK(name, kind, table) \
  static void name (MienCheck *check)   \
  {                                     \
    check_kind (check, kind, table);    \
  }
DEFINE_CHECK (check_conv, CONV, F32)
DEFINE_CHECK (check_stem, STEM, F32)
DEFINE_CHECK (check_depth, DEPTH, F32)
DEFINE_CHECK (check_max_pool, MAX_POOL, F32)
DEFINE_CHECK (check_average_pool, AVERAGE_POOL, F32)
DEFINE_CHECK (check_conv_bf16, CONV, BF16)
DEFINE_CHECK (check_stem_bf16, STEM, BF16)
DEFINE_CHECK (check_depth_bf16, DEPTH, BF16)
DEFINE_CHECK (check_max_pool_bf16, MAX_POOL, BF16)
DEFINE_CHECK (check_average_pool_bf16, AVERAGE_POOL, BF16)
DEFINE_CHECK (check_conv_widened, CONV, WIDENED)
DEFINE_CHECK (check_stem_widened, STEM, WIDENED)
DEFINE_CHECK (check_depth_widened, DEPTH, WIDENED)
DEFINE_CHECK (check_conv_tiles, CONV, TILES)
DEFINE_CHECK (check_stem_tiles, STEM, TILES)
DEFINE_CHECK (check_depth_tiles, DEPTH, TILES)
DEFINE_CHECK (check_max_pool_tiles, MAX_POOL, TILES)
DEFINE_CHECK (check_average_pool_tiles, AVERAGE_POOL, TILES)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  mien_check_add ("blocked/conv", check_conv);
  mien_check_add ("blocked/stem", check_stem);
  mien_check_add ("blocked/depth", check_depth);
  mien_check_add ("blocked/max-pool", check_max_pool);
  mien_check_add ("blocked/average-pool", check_average_pool);
  mien_check_add ("blocked/mean", check_mean);
  mien_check_add ("blocked/conv-mean", check_conv_mean);
  mien_check_add ("blocked-bf16/rounding", check_rounding);
  mien_check_add ("blocked-bf16/conv", check_conv_bf16);
  mien_check_add ("blocked-bf16/stem", check_stem_bf16);
  mien_check_add ("blocked-bf16/depth", check_depth_bf16);
  mien_check_add ("blocked-bf16/max-pool", check_max_pool_bf16);
  mien_check_add ("blocked-bf16/average-pool", check_average_pool_bf16);
  mien_check_add ("blocked-widened/conv", check_conv_widened);
  mien_check_add ("blocked-widened/stem", check_stem_widened);
  mien_check_add ("blocked-widened/depth", check_depth_widened);
  mien_check_add ("blocked-tiles/conv", check_conv_tiles);
  mien_check_add ("blocked-tiles/stem", check_stem_tiles);
  mien_check_add ("blocked-tiles/depth", check_depth_tiles);
  mien_check_add ("blocked-tiles/max-pool", check_max_pool_tiles);
  mien_check_add ("blocked-tiles/average-pool", check_average_pool_tiles);
  return g_test_run ();
}
