/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Normalisation statistics of the first layer, against those of its convolution computed here, pixel by pixel. */
#include <math.h>
#include <string.h>

#include "mien-test.h"
#include "data/mien-random.h"
#include "train/mien-settle.h"

enum { N = 128, SIZE = 48 };

static const float mean = 0.45f, std = 0.25f;

static const MienRecipe plain = { .batch = N, .seed = 1 };

static MienDataset *
make_pictures (void)
{
  MienDataset *data = mien_dataset_new (SIZE, N);
  MienRandom random;

  mien_random_seed (&random, 7);
  for (int i = 0; i < N * SIZE; i++)
    for (int x = 0; x < SIZE; x++)
      data->pixels[i * SIZE + x] = (guint8) mien_random_below (&random, 40 + 200u * (guint) (i / SIZE) / N);
  return data;
}

static double
pixel (const MienDataset *data, int i, int y, int x)
{
  if (y < 0 || y >= SIZE || x < 0 || x >= SIZE)
    return 0;
  return (data->pixels[(i * SIZE + y) * SIZE + x] / 255.0 - mean) / std;
}

static void
expect (const MienDataset *data, const float w[9], double *want_mean, double *want_var)
{
  double sum = 0, squares = 0;

  for (int i = 0; i < N; i++)
    for (int y = 0; y < SIZE; y++)
      for (int x = 0; x < SIZE; x++) {
        double z = 0;
        for (int tap = 0; tap < 9; tap++)
          z += w[tap] * pixel (data, i, y + tap / 3 - 1, x + tap % 3 - 1);
        sum += z;
        squares += z * z;
      }
  *want_mean = sum / (N * SIZE * SIZE);
  *want_var = squares / (N * SIZE * SIZE) - *want_mean * *want_mean;
}

static float *
parameter (const MienNet *net, int value)
{
  return mien_tensor_f32 (mien_graph_value (net->graph, value)->tensor);
}

static void
test_first_layer (gconstpointer n_batches)
{
  g_autoptr (MienDataset) data = make_pictures ();
  const MienArch *arch = mien_arch_find ("nano");
  const MienNetOptions use = { 0 };
  g_autoptr (MienNet) net = mien_net_new (arch, &use);
  MienThreads *threads = mien_threads_new (2);
  g_autoptr (GError) error = NULL;

  mien_net_initialise (net, 3);
  g_autoptr (MienSettle) settle = mien_settle_new (arch, data, &plain, mean, std, threads, &error);
  g_assert_no_error (error);
  g_assert_true (mien_settle_run (settle, net, GPOINTER_TO_INT (n_batches), &error));
  g_assert_no_error (error);

  const MienNetStats *stats = &g_array_index (net->stats, MienNetStats, 0);
  const float *w = parameter (net, g_array_index (net->weights, int, 0));
  for (int k = 0; k < 16; k += 5) {
    double want_mean, want_var;
    expect (data, w + 9 * k, &want_mean, &want_var);
    /* the convolution may be kept in bfloat16, wrong by 2^-9 a value */
    g_assert_cmpfloat_with_epsilon (parameter (net, stats->mean)[k], want_mean, 2e-3 * sqrt (want_var) + 1e-3 * fabs (want_mean));
    g_assert_cmpfloat_with_epsilon (parameter (net, stats->var)[k] / want_var, 1, 5e-3);
  }
  mien_threads_free (threads);
}

/* Pictures of two halves that differ: the variance is that of all, not the mean of the batches'. */
static void
test_between_batches (void)
{
  g_autoptr (MienDataset) data = mien_dataset_new (SIZE, 2 * N), half = mien_dataset_new (SIZE, N);
  const MienArch *arch = mien_arch_find ("nano");
  const MienNetOptions use = { 0 };
  g_autoptr (MienNet) net = mien_net_new (arch, &use);
  g_autoptr (GError) error = NULL;

  mien_net_initialise (net, 3);
  for (int i = 0; i < 2 * N; i++)
    memset (data->pixels + i * SIZE * SIZE, i % 2 != 0 ? 200 : 20, SIZE * SIZE);
  memcpy (half->pixels, data->pixels, N * SIZE * SIZE); /* as many of each */
  g_autoptr (MienSettle) settle = mien_settle_new (arch, data, &plain, mean, std, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (mien_settle_run (settle, net, 2, &error));
  g_assert_no_error (error);
  double want_mean, want_var;
  expect (half, parameter (net, g_array_index (net->weights, int, 0)), &want_mean, &want_var);
  const MienNetStats *stats = &g_array_index (net->stats, MienNetStats, 0);
  g_assert_cmpfloat_with_epsilon (parameter (net, stats->mean)[0], want_mean, 5e-3 * sqrt (want_var));
  g_assert_cmpfloat_with_epsilon (parameter (net, stats->var)[0] / want_var, 1, 1e-2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/settle/first-layer", GINT_TO_POINTER (1), test_first_layer);
  g_test_add_data_func ("/settle/first-layer-twice-the-same", GINT_TO_POINTER (2), test_first_layer);
  g_test_add_func ("/settle/between-batches", test_between_batches);
  return g_test_run ();
}
