/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Level amx on emulated tiles: that it is tried out before it is believed in, that nothing is loaded across cache lines, and which share of the
 * multipliers' peak the convolutions of the reference networks and their gradients can reach. Results are test-blocked.c's and test-backward.c's
 * matter. */
#include "kernels/mien-backward.h"
#include "kernels/mien-check.h"
#include "kernels/mien-emulated-tiles.h"

#include <math.h>
#include <string.h>

static gboolean
kernels_init (MienBlockedKernels *tiles)
{
  mien_blocked_kernels_init_tiles (tiles, mien_cpu_detect ());
  if (tiles->lanes == 0)
    g_test_skip ("this processor has no AVX-512 BF16, which the kernels use beside tiles");
  return tiles->lanes != 0;
}

static void
test_try_out (void)
{
  MienBlockedKernels vectors, tiles;
  MienBackwardKernels back_vectors, back_tiles;

  if (!kernels_init (&tiles))
    return;
  mien_backward_kernels_init_bf16 (&back_vectors, MIEN_CPU_BF16);
  mien_backward_kernels_init_tiles (&back_tiles, MIEN_CPU_AMX);
  mien_blocked_kernels_init_bf16 (&vectors, MIEN_CPU_BF16);
  g_assert_true (mien_blocked_agree (&vectors, &tiles));
  g_assert_true (mien_backward_agree (&vectors, &back_vectors, &tiles, &back_tiles));
  mien_tiles_broken = true;
  g_assert_false (mien_blocked_agree (&vectors, &tiles));
  g_assert_false (mien_backward_agree (&vectors, &back_vectors, &tiles, &back_tiles));
  mien_tiles_broken = false;
}

typedef struct {
  const char *network;
  int n_layers; /* of this shape */
  int c, k, size, kernel, stride; /* size: of the output */
} Layer;

/* Conv with more than one input channel, in the order of tests/bench/make-reference-networks.c. */
static const Layer layers[] = {
  { "ref-simple3", 1, 32, 64, 24, 3, 1 },  { "ref-simple3", 1, 64, 128, 12, 3, 1 },

  { "ref-vgg", 1, 64, 64, 48, 3, 1 },      { "ref-vgg", 1, 64, 128, 24, 3, 1 },    { "ref-vgg", 1, 128, 128, 24, 3, 1 },
  { "ref-vgg", 1, 128, 256, 12, 3, 1 },    { "ref-vgg", 1, 256, 256, 12, 3, 1 },   { "ref-vgg", 1, 256, 512, 6, 3, 1 },
  { "ref-vgg", 1, 512, 512, 6, 3, 1 },

  { "ref-resnet", 4, 32, 32, 48, 3, 1 },   { "ref-resnet", 1, 32, 64, 24, 3, 2 },  { "ref-resnet", 1, 32, 64, 24, 1, 2 },
  { "ref-resnet", 3, 64, 64, 24, 3, 1 },   { "ref-resnet", 1, 64, 128, 12, 3, 2 }, { "ref-resnet", 1, 64, 128, 12, 1, 2 },
  { "ref-resnet", 3, 128, 128, 12, 3, 1 },
};

typedef enum {
  FORWARD,
  GRAD_X,
  GRAD_W,
  N_WAYS
} Way;

static void
run_on_zeros (const MienBlockedKernels *tiles, const MienBackwardKernels *backward, const MienBlockedShape *shape, Way way)
{
  const gsize sizes[] = {
    mien_blocked_size (tiles->lanes, shape->n, shape->c, shape->h, shape->w, 1), mien_blocked_size (tiles->lanes, shape->n, shape->k, shape->p, shape->q, 1),
    mien_blocked_conv_size (tiles, shape) * (way == GRAD_W ? 2 : 1), mien_backward_scratch (backward, shape) / 2,
  };
  void *arrays[G_N_ELEMENTS (sizes)];

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++) {
    const gsize n_bytes = (2 * sizes[i] + 63) / 64 * 64;
    arrays[i] = memset (g_aligned_alloc (1, n_bytes, 64), 0, n_bytes);
  }
  if (way == GRAD_W)
    backward->conv_grad (shape, arrays[0], arrays[1], 0, shape->n, arrays[3], arrays[2]);
  else
    tiles->conv (shape, &(MienBlockedArgs) { .x = arrays[0], .w = arrays[2], .y = arrays[1] }, 0, mien_blocked_rows (tiles, shape, TRUE));
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    g_aligned_free (arrays[i]);
}

/* Cycles of the multipliers, were they never waiting: 16 a multiplication. */
static double
count (const MienBlockedKernels *tiles, const MienBackwardKernels *backward, const Layer *layer, Way way, int n, double *useful)
{
  const int stride = layer->stride, in = layer->size * stride, pad = layer->kernel / 2;
  const MienBlockedShape shape = {
    .n = n, .c = layer->c, .h = in, .w = in, .x_halo = 1, .k = layer->k, .p = layer->size, .q = layer->size, .y_halo = 1,
    .r = layer->kernel, .s = layer->kernel, .stride_h = stride, .stride_w = stride, .dilation_h = 1, .dilation_w = 1,
    .pad_top = pad, .pad_left = pad, .lo = -INFINITY, .hi = INFINITY,
  };

  memset (&mien_tile_counts, 0, sizeof mien_tile_counts);
  if (way != GRAD_X)
    run_on_zeros (tiles, backward, &shape, way);
  /* As mien-ops-backward-strided.c has it: every stride-th tap, for every stride-th row and column of the input. */
  for (int phase = 0; way == GRAD_X && phase < stride * stride; phase++) {
    const int first[] = { (phase / stride + pad) % stride, (phase % stride + pad) % stride };
    MienBlockedShape part = shape;
    part.c = layer->k;
    part.k = layer->c;
    part.h = part.w = layer->size;
    part.r = (layer->kernel - first[0] + stride - 1) / stride;
    part.s = (layer->kernel - first[1] + stride - 1) / stride;
    part.stride_h = part.stride_w = 1;
    part.pad_top = part.pad_left = stride == 1 ? pad : 0;
    if (part.r > 0 && part.s > 0)
      run_on_zeros (tiles, backward, &part, way);
  }
  g_assert_cmpint (mien_tile_counts.n_split, ==, 0);
  *useful = (double) n * layer->k * layer->size * layer->size * layer->c * layer->kernel * layer->kernel / (16 * 32);
  return 16.0 * (double) mien_tile_counts.n_multiplied;
}

static void
test_share_of_peak (void)
{
  const struct {
    const char *network;
    Way way;
    int n;
    double least; /* share of the peak, in percent */
  } networks[] = {
    { "ref-simple3", FORWARD, 1, 80 }, { "ref-vgg", FORWARD, 1, 85 }, { "ref-resnet", FORWARD, 1, 85 },
    { "ref-simple3", GRAD_X, 1, 80 },  { "ref-vgg", GRAD_X, 1, 85 },  { "ref-resnet", GRAD_X, 1, 85 },
    { "ref-simple3", GRAD_W, 8, 99 },  { "ref-vgg", GRAD_W, 8, 99 },  { "ref-resnet", GRAD_W, 8, 99 },
  };
  static const char *const ways[N_WAYS] = { "forward", "gradient of pictures", "gradient of weights" };
  MienBlockedKernels tiles;
  MienBackwardKernels backward;

  if (!kernels_init (&tiles))
    return;
  mien_backward_kernels_init_tiles (&backward, MIEN_CPU_AMX);
  for (gsize i = 0; i < G_N_ELEMENTS (networks); i++) {
    double all = 0, all_useful = 0, loads = 0;
    for (gsize l = 0; l < G_N_ELEMENTS (layers); l++) {
      double useful, cycles;
      if (!g_str_equal (layers[l].network, networks[i].network))
        continue;
      cycles = count (&tiles, &backward, &layers[l], networks[i].way, networks[i].n, &useful);
      g_test_message ("%s, %s: %d x %d to %d, %dx%d of %dx%d, stride %d: %ld multiplications, %ld loads, %.0f %% of the peak", layers[l].network,
                      ways[networks[i].way], layers[l].n_layers, layers[l].c, layers[l].k, layers[l].size, layers[l].size, layers[l].kernel, layers[l].kernel, layers[l].stride,
                      mien_tile_counts.n_multiplied, mien_tile_counts.n_loaded, 100 * useful / cycles);
      all += layers[l].n_layers * cycles;
      all_useful += layers[l].n_layers * useful;
      loads += layers[l].n_layers * (double) mien_tile_counts.n_loaded;
    }
    g_test_message ("%s, %s, batch %d: %.0f multiplications, %.2f loads for each, %.0f thousand cycles, at most %.0f %% of the peak",
                    networks[i].network, ways[networks[i].way], networks[i].n, all / 16, 16 * loads / all, all / 1000, 100 * all_useful / all);
    g_assert_cmpfloat (100 * all_useful / all, >=, networks[i].least);
    g_assert_cmpfloat (16 * loads / all, <, 1.3); /* two loads take as long as one multiplication */
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kernels/tiles/try-out", test_try_out);
  g_test_add_func ("/kernels/tiles/share-of-peak", test_share_of_peak);
  return g_test_run ();
}
