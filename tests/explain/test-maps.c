/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Feature maps of a network worked out by hand: a step from black to white under two edge kernels. */
#include "explain/mien-maps.h"

#include <math.h>

#include "mien-test-model.h"

static void
check_rows (const MienActivations *activations, int layer, int channel, int n_rows, int n_columns, const float *row)
{
  int height, width;
  const float *map = mien_activations_get_map (activations, layer, channel, &height, &width);

  g_assert_cmpint (height, ==, n_rows);
  g_assert_cmpint (width, ==, n_columns);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      g_assert_cmpfloat_with_epsilon (map[y * width + x], row[x], 1e-6);
}

static void
check_stats (const MienActivations *activations, int layer, int channel, double min, double max, double mean, double dead)
{
  MienMapStats stats;

  mien_activations_get_stats (activations, layer, channel, &stats);
  g_assert_cmpfloat_with_epsilon (stats.min, min, 1e-6);
  g_assert_cmpfloat_with_epsilon (stats.max, max, 1e-6);
  g_assert_cmpfloat_with_epsilon (stats.mean, mean, 1e-6);
  g_assert_cmpfloat_with_epsilon (stats.dead, dead, 1e-6);
}

static void
test_layers (void)
{
  g_autoptr (MienModel) model = mien_test_model ();
  g_autoptr (GError) error = NULL;
  g_autoptr (MienMaps) maps = mien_maps_new (model, &error);
  const MienMapLayer *layer;

  g_assert_no_error (error);
  g_assert_true (mien_maps_get_model (maps) == model);
  g_assert_cmpint (mien_maps_get_n_layers (maps), ==, 2);
  layer = mien_maps_get_layer (maps, 0);
  g_assert_cmpstr (layer->name, ==, "edges");
  g_assert_cmpint (layer->channels, ==, 2);
  g_assert_cmpint (layer->height, ==, 8);
  g_assert_cmpint (layer->width, ==, 8);
  g_assert_cmpint (layer->kernel_h, ==, 3);
  g_assert_cmpint (layer->kernel_w, ==, 3);
  g_assert_cmpint (layer->in_channels, ==, 1);
  g_assert_cmpfloat (layer->kernel[9 + 3], ==, 1); /* second map, middle row, left */
  g_assert_cmpint (layer->params, ==, 2 * 9);
  g_assert_cmpint (layer->macs, ==, 2 * 9 * 64);
  layer = mien_maps_get_layer (maps, 1);
  g_assert_cmpstr (layer->name, ==, "conv 2");
  g_assert_cmpint (layer->channels, ==, 3);
  g_assert_cmpint (layer->height, ==, 4);
  g_assert_cmpint (layer->kernel_w, ==, 1);
  g_assert_cmpint (layer->in_channels, ==, 2);
  g_assert_cmpint (layer->params, ==, 3 * 2 + 3);
  g_assert_cmpint (layer->macs, ==, 3 * 2 * 16);
}

static void
test_step (void)
{
  /* Differences of 0 0 0 0 1 1 1 1 with zeros outside: 0 0 0 1 1 0 0 -1; then 2 v + 0.5, and no less than zero. */
  static const float right[] = { .5f, .5f, .5f, 2.5f, 2.5f, .5f, .5f, 0 }, left[] = { 0, 0, 0, 0, 0, 0, 0, 1 };
  /* Maxima of pairs: .5 2.5 2.5 .5 and 0 0 0 1. */
  static const float a[] = { .5f, 2.5f, 2.5f, .5f }, b[] = { 0, 0, 0, 1 }, c[] = { -.25f, -2.25f, -2.25f, -1.25f };
  g_autoptr (MienModel) model = mien_test_model ();
  g_autoptr (GError) error = NULL;
  g_autoptr (MienMaps) maps = mien_maps_new (model, &error);
  g_autoptr (MienActivations) activations = NULL;
  float pixels[64];
  const float *fed, *probabilities;
  const double e[] = { exp (1.5), exp (.25), exp (-1.5) };
  int size, n;

  g_assert_no_error (error);
  mien_test_step_face (pixels);
  activations = mien_maps_run (maps, pixels, &error);
  g_assert_no_error (error);
  g_assert_cmpint (mien_activations_get_n_layers (activations), ==, 2);
  g_assert_cmpint (mien_activations_get_n_channels (activations, 0), ==, 2);
  g_assert_cmpint (mien_activations_get_n_channels (activations, 1), ==, 3);
  check_rows (activations, 0, 0, 8, 8, right);
  check_rows (activations, 0, 1, 8, 8, left);
  check_rows (activations, 1, 0, 4, 4, a);
  check_rows (activations, 1, 1, 4, 4, b);
  check_rows (activations, 1, 2, 4, 4, c);
  check_stats (activations, 0, 0, 0, 2.5, 7.5 / 8, 1. / 8);
  check_stats (activations, 0, 1, 0, 1, 1. / 8, 7. / 8);
  check_stats (activations, 1, 2, -2.25, -.25, -1.5, 1);

  fed = mien_activations_get_pixels (activations, &size);
  g_assert_cmpint (size, ==, 8);
  g_assert_cmpmem (fed, sizeof pixels, pixels, sizeof pixels);
  probabilities = mien_activations_get_probabilities (activations, &n);
  g_assert_cmpint (n, ==, 3);
  for (int i = 0; i < 3; i++)
    g_assert_cmpfloat_with_epsilon (probabilities[i], e[i] / (e[0] + e[1] + e[2]), 1e-6);
}

/* What was handed out stays as it is while the next face runs. */
static void
test_immutable (void)
{
  static const float right[] = { .5f, .5f, .5f, 2.5f, 2.5f, .5f, .5f, 0 }, flat[] = { .5f, .5f, .5f, .5f, .5f, .5f, .5f, .5f };
  g_autoptr (MienModel) model = mien_test_model ();
  g_autoptr (MienMaps) maps = mien_maps_new (model, NULL);
  g_autoptr (MienActivations) first = NULL, second = NULL;
  float pixels[64];

  mien_test_step_face (pixels);
  first = mien_maps_run (maps, pixels, NULL);
  memset (pixels, 0, sizeof pixels);
  second = mien_maps_run (maps, pixels, NULL);
  check_rows (first, 0, 0, 8, 8, right);
  check_rows (second, 0, 0, 8, 8, flat);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/maps/layers", test_layers);
  g_test_add_func ("/maps/step", test_step);
  g_test_add_func ("/maps/immutable", test_immutable);
  return g_test_run ();
}
