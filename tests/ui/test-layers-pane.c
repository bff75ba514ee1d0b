/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The layer browser on a network worked out by hand (mien-test-model.h), and the colours its maps get. */
#include "layers/mien-layers-pane.h"

#include <math.h>

#include "layers/mien-layer-row.h"
#include "layers/mien-map-panel.h"
#include "layers/mien-map-source.h"
#include "layers/mien-map-view.h"
#include "mien-test-model.h"
#include "mien-ui-test.h"

/* Relative luminance as WCAG 2 defines it. */
static double
luminance (guint32 colour)
{
  const double weight[] = { .0722, .7152, .2126 };
  double sum = 0;

  for (int i = 0; i < 3; i++) {
    const double v = (colour >> 8 * i & 255) / 255.;
    sum += weight[i] * (v <= .04045 ? v / 12.92 : pow ((v + .055) / 1.055, 2.4));
  }
  return sum;
}

static void
test_color_maps (void)
{
  guint32 colours[256];

  for (int map = 0; map < MIEN_COLOR_MAP_N; map++) {
    mien_color_map_fill (map, colours);
    for (int i = 0; i < 256; i++)
      g_assert_cmpuint (colours[i] >> 24, ==, 255);
  }
  mien_color_map_fill (MIEN_COLOR_MAP_GREY, colours);
  g_assert_cmphex (colours[0], ==, 0xff000000);
  g_assert_cmphex (colours[51], ==, 0xff333333);
  g_assert_cmphex (colours[255], ==, 0xffffffff);

  /* Order must be readable without seeing hues: never darker as the value grows, and much lighter in the end. */
  mien_color_map_fill (MIEN_COLOR_MAP_GLOW, colours);
  for (int i = 8; i < 256; i++)
    g_assert_cmpfloat (luminance (colours[i]), >, luminance (colours[i - 8]));
  g_assert_cmpfloat (luminance (colours[255]), >, luminance (colours[0]) + .6);

  /* Both signs get darker away from zero, about equally; blue below, orange above. */
  mien_color_map_fill (MIEN_COLOR_MAP_SIGNED, colours);
  for (int i = 8; i < 128; i++) {
    g_assert_cmpfloat (luminance (colours[i]), >, luminance (colours[i - 8]));
    g_assert_cmpfloat (luminance (colours[255 - i]), >, luminance (colours[255 - i + 8]));
    g_assert_cmpfloat (fabs (luminance (colours[i]) - luminance (colours[255 - i])), <, .1);
  }
  g_assert_cmpuint (colours[0] & 255, >, colours[0] >> 16 & 255);
  g_assert_cmpuint (colours[255] & 255, <, colours[255] >> 16 & 255);
  g_assert_cmphex (colours[127], ==, colours[128]);
}

static void
test_shade (void)
{
  g_assert_cmpint (mien_map_source_shade (0, 0, 2), ==, 0);
  g_assert_cmpint (mien_map_source_shade (2, 0, 2), ==, 255);
  g_assert_cmpint (mien_map_source_shade (1, 0, 2), ==, 128);
  g_assert_cmpint (mien_map_source_shade (9, 0, 2), ==, 255);
  g_assert_cmpint (mien_map_source_shade (-9, 0, 2), ==, 0);
  g_assert_cmpint (mien_map_source_shade (NAN, 0, 2), ==, 0);
  g_assert_cmpint (mien_map_source_shade (INFINITY, 0, 2), ==, 255);
  g_assert_cmpint (mien_map_source_shade (0, 0, 0), ==, 0);
  g_assert_cmpint (mien_map_source_shade (3, 3, 3), ==, 255);
}

static void
check_pixel (MienMapSource *source, int channel, int scale, int x, int y, guint32 expected)
{
  g_autoptr (GdkTexture) texture = mien_map_source_render (source, channel, scale);
  const int width = gdk_texture_get_width (texture);
  g_autofree guint32 *pixels = g_new (guint32, (gsize) width * gdk_texture_get_height (texture));

  gdk_texture_download (texture, (guchar *) pixels, (gsize) width * 4);
  g_assert_cmphex (pixels[y * width + x], ==, expected);
}

static void
test_source (void)
{
  g_autoptr (MienModel) model = mien_test_model ();
  g_autoptr (MienMaps) maps = mien_maps_new (model, NULL);
  g_autoptr (MienActivations) activations = NULL;
  MienMapSource *source = mien_map_source_new ();
  g_autoptr (GArray) order = NULL;
  float pixels[64], lo, hi;

  mien_test_step_face (pixels);
  activations = mien_maps_run (maps, pixels, NULL);
  g_assert_null (mien_map_source_render (source, 0, 1));
  g_assert_cmpint (mien_map_source_get_n_channels (source), ==, 0);
  mien_map_source_set_activations (source, activations);
  mien_map_source_set_color_map (source, MIEN_COLOR_MAP_GREY);
  g_assert_cmpint (mien_map_source_get_n_channels (source), ==, 2);

  /* First map: .5 .5 .5 2.5 2.5 .5 .5 0; .5 of 2.5 is 51 of 255. Pixel (3, 3) enlarged twice begins at (6, 6). */
  check_pixel (source, 0, 1, 0, 0, 0xff333333);
  check_pixel (source, 0, 1, 3, 7, 0xffffffff);
  check_pixel (source, 0, 2, 5, 6, 0xff333333);
  check_pixel (source, 0, 2, 6, 6, 0xffffffff);
  check_pixel (source, 0, 2, 15, 15, 0xff000000);

  /* Second map: 1 at the right. Of its own range all, of the layer's 102 of 255. */
  check_pixel (source, 1, 1, 7, 0, 0xffffffff);
  mien_map_source_set_shared_range (source, TRUE);
  check_pixel (source, 1, 1, 7, 0, 0xff666666);

  mien_map_source_set_layer (source, 1);
  mien_map_source_set_color_map (source, MIEN_COLOR_MAP_SIGNED);
  g_assert_true (mien_map_source_get_range (source, 0, &lo, &hi));
  g_assert_cmpfloat_with_epsilon (lo, -2.5, 1e-6);
  g_assert_cmpfloat_with_epsilon (hi, 2.5, 1e-6);
  order = mien_map_source_rank (source); /* means 1.5, .25, -1.5 */
  g_assert_cmpint (order->len, ==, 3);
  for (int i = 0; i < 3; i++)
    g_assert_cmpint (g_array_index (order, int, i), ==, i);
  mien_map_source_set_layer (source, 7);
  g_assert_false (mien_map_source_get_range (source, 0, &lo, &hi));
  g_assert_finalize_object (source);
}

static void
test_names (void)
{
  g_assert_cmpstr (mien_layer_row_plain_name ("MaxPool 2x2"), ==, "Max pooling");
  g_assert_cmpstr (mien_layer_row_plain_name ("Conv 3x3"), ==, "Convolution");
  g_assert_cmpstr (mien_layer_row_plain_name ("ConvTranspose 3x3"), ==, "Transposed convolution");
  g_assert_cmpstr (mien_layer_row_plain_name ("Gemm"), ==, "Dense layer");
  g_assert_null (mien_layer_row_plain_name ("Relu"));
}

static guint
n_cells (GtkWidget *pane)
{
  GtkGridView *grid = GTK_GRID_VIEW (mien_ui_find (pane, GTK_TYPE_GRID_VIEW));

  return g_list_model_get_n_items (G_LIST_MODEL (gtk_grid_view_get_model (grid)));
}

static const char *
page (GtkWidget *pane)
{
  return gtk_stack_get_visible_child_name (GTK_STACK (mien_ui_find (pane, GTK_TYPE_STACK)));
}

static void
count_cb (int *count)
{
  (*count)++;
}

static void
test_pane (void)
{
  GtkWidget *window = adw_window_new ();
  GtkWidget *pane = mien_layers_pane_new ();
  MienMapPanel *panel;
  g_autoptr (MienModel) model = mien_test_model ();
  float pixels[64];
  int n_models = 0, requested = 0, frozen = 0;

  g_object_add_weak_pointer (G_OBJECT (pane), (gpointer *) &pane);
  adw_window_set_content (ADW_WINDOW (window), pane);
  gtk_window_set_default_size (GTK_WINDOW (window), 1000, 700);
  gtk_window_present (GTK_WINDOW (window));
  g_assert_cmpstr (page (pane), ==, "no-model");
  g_signal_connect_swapped (pane, "notify::model", G_CALLBACK (count_cb), &n_models);
  g_signal_connect_swapped (pane, "notify::frozen", G_CALLBACK (count_cb), &frozen);
  g_signal_connect_swapped (pane, "face-requested", G_CALLBACK (count_cb), &requested);

  /* The network alone: its layers, and an invitation. Two convolutions and four steps between and behind them; the mean
   * of each map and the pooling are told, the rest belongs to the convolutions. */
  g_object_set (pane, "model", model, NULL);
  mien_layers_pane_set_model (MIEN_LAYERS_PANE (pane), model);
  g_assert_cmpint (n_models, ==, 1);
  mien_ui_wait (g_str_equal (page (pane), "layers"));
  g_assert_cmpint (mien_ui_count (pane, MIEN_TYPE_LAYER_ROW), ==, 4);
  mien_ui_wait (mien_ui_find_text (pane, "Choose a Face") != NULL);
  mien_ui_press (pane, "Choose a Face");
  g_assert_cmpint (requested, ==, 1);

  /* A face: two maps in the first layer, three in the second. */
  mien_test_step_face (pixels);
  mien_layers_pane_set_face (MIEN_LAYERS_PANE (pane), model, pixels);
  mien_ui_wait (n_cells (pane) == 2);
  mien_ui_wait (mien_ui_find_text (pane, "Convolution 1") != NULL);
  g_assert_nonnull (mien_ui_find_text (pane, "2 maps of 8×8"));
  mien_layers_pane_select (MIEN_LAYERS_PANE (pane), 1, -1);
  g_assert_cmpuint (n_cells (pane), ==, 3);
  mien_ui_wait (mien_ui_find_text (pane, "3 maps of 4×4 · 1 silent") != NULL);

  /* One map, large; then the next ones, round and round. */
  panel = MIEN_MAP_PANEL (mien_ui_find (pane, MIEN_TYPE_MAP_PANEL));
  mien_layers_pane_select (MIEN_LAYERS_PANE (pane), 1, 2);
  g_assert_cmpint (mien_map_panel_get_channel (panel), ==, 2);
  mien_ui_wait (mien_ui_find_text (pane, "-2.25") != NULL);
  g_signal_emit_by_name (panel, "step", 1);
  g_assert_cmpint (mien_map_panel_get_channel (panel), ==, 0);
  g_signal_emit_by_name (panel, "step", -1);
  g_assert_cmpint (mien_map_panel_get_channel (panel), ==, 2);

  /* Frozen: another face changes nothing. */
  g_object_set (pane, "frozen", TRUE, NULL);
  g_assert_cmpint (frozen, ==, 1);
  memset (pixels, 0, sizeof pixels);
  mien_layers_pane_set_face (MIEN_LAYERS_PANE (pane), model, pixels);
  mien_ui_settle (150);
  g_assert_nonnull (mien_ui_find_text (pane, "-2.25"));
  gtk_widget_activate_action (pane, "layers.freeze", NULL);
  g_assert_cmpint (frozen, ==, 2);

  /* A black face: the first layer's first map is .5 everywhere, so the last layer's third is .25 - .5. Many faces at
   * once: the newest one stays. */
  for (int i = 0; i < 50; i++) {
    mien_test_step_face (pixels);
    mien_layers_pane_set_face (MIEN_LAYERS_PANE (pane), model, pixels);
  }
  memset (pixels, 0, sizeof pixels);
  mien_layers_pane_set_face (MIEN_LAYERS_PANE (pane), model, pixels);
  mien_ui_wait (mien_ui_find_text (pane, "-0.25") != NULL);

  /* Sizes stop at their limits; the colours are what a window would remember. */
  for (int i = 0; i < 40; i++)
    gtk_widget_activate_action (pane, "layers.zoom-in", NULL);
  {
    int size;
    guint colours;

    g_object_get (pane, "cell-size", &size, NULL);
    g_assert_cmpint (size, ==, 320);
    gtk_widget_activate_action (pane, "layers.zoom-reset", NULL);
    g_object_get (pane, "cell-size", &size, NULL);
    g_assert_cmpint (size, ==, 96);
    g_object_set (pane, "color-map", MIEN_COLOR_MAP_SIGNED, "strongest-first", TRUE, "shared-range", TRUE, NULL);
    g_object_get (pane, "color-map", &colours, NULL);
    g_assert_cmpuint (colours, ==, MIEN_COLOR_MAP_SIGNED);
  }
  mien_ui_settle (50);
  gtk_widget_activate_action (pane, "layers.previous-layer", NULL);
  g_assert_cmpuint (n_cells (pane), ==, 2);
  gtk_widget_activate_action (pane, "layers.previous-layer", NULL);
  g_assert_cmpuint (n_cells (pane), ==, 2);

  g_object_set (pane, "model", NULL, NULL);
  g_assert_cmpstr (page (pane), ==, "no-model");
  gtk_window_destroy (GTK_WINDOW (window));
  mien_ui_wait (pane == NULL);
}

/* Thrown away while its thread is at work. */
static void
test_dispose_while_running (void)
{
  GtkWidget *window = adw_window_new ();
  GtkWidget *pane = mien_layers_pane_new ();
  g_autoptr (MienModel) model = mien_test_model ();
  float pixels[64];

  g_object_add_weak_pointer (G_OBJECT (pane), (gpointer *) &pane);
  adw_window_set_content (ADW_WINDOW (window), pane);
  gtk_window_present (GTK_WINDOW (window));
  mien_test_step_face (pixels);
  mien_layers_pane_set_face (MIEN_LAYERS_PANE (pane), model, pixels);
  gtk_window_destroy (GTK_WINDOW (window));
  mien_ui_wait (pane == NULL);
}

int
main (int argc, char **argv)
{
  mien_ui_init (&argc, &argv);
  g_test_add_func ("/layers/color-maps", test_color_maps);
  g_test_add_func ("/layers/shade", test_shade);
  g_test_add_func ("/layers/source", test_source);
  g_test_add_func ("/layers/names", test_names);
  g_test_add_func ("/layers/pane", test_pane);
  g_test_add_func ("/layers/dispose-while-running", test_dispose_while_running);
  return g_test_run ();
}
