/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The line chart: ticks (worked out by hand), mapping, gaps, and drawing anything from nothing to many points. */
#include "charts/mien-line-chart.h"

#include <adwaita.h>
#include <math.h>
#include <string.h>

static void
check_ticks (double lo, double hi, int max_ticks, gboolean integers, double first, double step, int n, int digits)
{
  const MienTicks ticks = mien_ticks_choose (lo, hi, max_ticks, integers);

  g_assert_cmpint (ticks.n, ==, n);
  if (n == 0)
    return;
  g_assert_cmpfloat_with_epsilon (ticks.first, first, step * 1e-9);
  g_assert_cmpfloat_with_epsilon (ticks.step, step, step * 1e-9);
  g_assert_cmpint (ticks.digits, ==, digits);
}

static void
test_ticks (void)
{
  check_ticks (0, 1, 6, FALSE, 0, .2, 6, 1);
  check_ticks (0, 1, 5, FALSE, 0, .5, 3, 1);
  check_ticks (0, .3, 4, FALSE, 0, .1, 4, 1); /* 0.3 / 0.1 is 2.999… in binary */
  check_ticks (.03, .97, 10, FALSE, .1, .1, 9, 1);
  check_ticks (-1, 1, 5, FALSE, -1, .5, 5, 1);
  check_ticks (1, 60, 8, TRUE, 10, 10, 6, 0);
  check_ticks (1, 3, 12, TRUE, 1, 1, 3, 0);
  check_ticks (1, 3, 12, FALSE, 1, .2, 11, 1);
  check_ticks (1234567, 1234570, 5, FALSE, 1234567, 1, 4, 0);
  check_ticks (0, 1e-7, 5, FALSE, 0, 5e-8, 3, 8);
  check_ticks (0, 9e12, 4, FALSE, 0, 5e12, 2, 0);
  check_ticks (4, 4, 5, FALSE, 4, 1, 1, 0);
  check_ticks (NAN, 1, 5, FALSE, 0, 0, 0, 0);
  check_ticks (0, INFINITY, 5, FALSE, 0, 0, 0, 0);
  check_ticks (2, 1, 5, FALSE, 0, 0, 0, 0);
}

static void
test_tick_values (void)
{
  const MienTicks ticks = mien_ticks_choose (-.3, .3, 7, FALSE);

  g_assert_cmpint (ticks.n, ==, 7);
  g_assert_true (mien_ticks_value (&ticks, 3) == 0); /* not 5.6e-17 */
  g_assert_cmpfloat_with_epsilon (mien_ticks_value (&ticks, 6), .3, 1e-12);
}

static void
test_map (void)
{
  g_assert_cmpfloat (mien_chart_map (5, 0, 10, 100, 0), ==, 50);
  g_assert_cmpfloat (mien_chart_map (0, 0, 10, 100, 0), ==, 100);
  g_assert_cmpfloat (mien_chart_map (15, 0, 10, 0, 20), ==, 30);
  g_assert_cmpfloat (mien_chart_map (3, 3, 3, 0, 20), ==, 10);
}

static void
check_text (char *text, const char *expected)
{
  g_assert_cmpstr (text, ==, expected);
  g_free (text);
}

static void
test_format (void)
{
  check_text (mien_chart_format (.625, 3, MIEN_CHART_PERCENT), "62.5 %");
  check_text (mien_chart_format (.6, 1, MIEN_CHART_PERCENT), "60 %");
  check_text (mien_chart_format (1.2345, 3, MIEN_CHART_NUMBER), "1.234");
  check_text (mien_chart_format (20, 0, MIEN_CHART_NUMBER), "20");
  check_text (mien_chart_format (NAN, 2, MIEN_CHART_NUMBER), "–");
}

static void
count_cb (int *count)
{
  (*count)++;
}

static void
test_data (void)
{
  MienLineData *data = mien_line_data_new ();
  MienPoint lo, hi;
  int n, changed = 0;
  int a = mien_line_data_add_series (data, "Training", 0, MIEN_LINE_SOLID);
  int b = mien_line_data_add_series (data, "Odd, \"name\"", 1, MIEN_LINE_DASHED);

  g_signal_connect_swapped (data, "changed", G_CALLBACK (count_cb), &changed);
  g_assert_false (mien_line_data_get_range (data, &lo, &hi));
  g_assert_true (isnan (mien_line_data_get_last (data, a)));
  g_assert_cmpint (mien_line_data_find (data, a, 1), ==, -1);

  mien_line_data_append (data, a, 1, 2.5);
  mien_line_data_append (data, a, 2, 1.5);
  mien_line_data_append (data, a, 2, 1.25); /* replaces */
  mien_line_data_append (data, a, 3, NAN);
  mien_line_data_append (data, b, 2, -1);
  g_assert_cmpint (changed, ==, 5);
  mien_line_data_get_points (data, a, &n);
  g_assert_cmpint (n, ==, 3);
  g_assert_cmpfloat (mien_line_data_get_last (data, a), ==, 1.25);
  g_assert_true (mien_line_data_get_range (data, &lo, &hi));
  g_assert_cmpfloat (lo.x, ==, 1);
  g_assert_cmpfloat (hi.x, ==, 2); /* the gap at 3 does not count */
  g_assert_cmpfloat (lo.y, ==, -1);
  g_assert_cmpfloat (hi.y, ==, 2.5);
  g_assert_cmpint (mien_line_data_find (data, a, -5), ==, 0);
  g_assert_cmpint (mien_line_data_find (data, a, 1.4), ==, 0);
  g_assert_cmpint (mien_line_data_find (data, a, 1.6), ==, 1);
  g_assert_cmpint (mien_line_data_find (data, a, 99), ==, 2);
  check_text (mien_line_data_to_csv (data, "epoch"), "epoch,Training,\"Odd, \"\"name\"\"\"\n1,2.5,\n2,1.25,-1\n3,,\n");

  mien_line_data_clear (data);
  g_assert_false (mien_line_data_get_range (data, &lo, &hi));
  g_assert_finalize_object (data);
}

static void
draw (GtkWidget *chart, int width, int height)
{
  g_autoptr (GdkPaintable) paintable = NULL;
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  GskRenderNode *node;

  gtk_widget_measure (chart, GTK_ORIENTATION_HORIZONTAL, -1, NULL, NULL, NULL, NULL);
  gtk_widget_allocate (chart, width, height, -1, NULL);
  GTK_WIDGET_GET_CLASS (chart)->snapshot (chart, snapshot);
  node = gtk_snapshot_free_to_node (snapshot);
  if (width >= 160 && height >= 120)
    g_assert_nonnull (node);
  g_clear_pointer (&node, gsk_render_node_unref);
}

static void
test_draw (void)
{
  static const int sizes[][2] = { { 380, 230 }, { 160, 120 }, { 1, 1 }, { 60, 40 }, { 3000, 2000 } };
  MienLineData *data = mien_line_data_new ();
  GtkWidget *chart = g_object_ref_sink (mien_line_chart_new ());
  int a, b;

  mien_line_chart_set_title (MIEN_LINE_CHART (chart), "Loss");
  mien_line_chart_set_x_title (MIEN_LINE_CHART (chart), "Epoch");
  draw (chart, 380, 230);
  mien_line_chart_set_data (MIEN_LINE_CHART (chart), data);
  draw (chart, 380, 230);
  a = mien_line_data_add_series (data, "Training", 0, MIEN_LINE_SOLID);
  b = mien_line_data_add_series (data, "Validation", 1, MIEN_LINE_DASHED);
  draw (chart, 380, 230);
  mien_line_data_append (data, a, 0, NAN);
  draw (chart, 380, 230);
  mien_line_data_append (data, a, 1, 2);
  draw (chart, 380, 230);
  mien_line_chart_set_format (MIEN_LINE_CHART (chart), MIEN_CHART_PERCENT);
  for (int i = 0; i < 20000; i++) {
    mien_line_data_append (data, a, 2 + i, sin (i));
    mien_line_data_append (data, b, 2 + i, i % 3 == 0 ? INFINITY : 1e-6 * i);
  }
  for (int i = 0; i < G_N_ELEMENTS (sizes); i++) {
    mien_line_chart_set_cursor (MIEN_LINE_CHART (chart), i * 5000);
    draw (chart, sizes[i][0], sizes[i][1]);
  }
  g_object_unref (data);
  g_assert_finalize_object (chart);
}

static void
test_cursor (void)
{
  MienLineData *data = mien_line_data_new ();
  MienLineChart *chart = g_object_ref_sink (MIEN_LINE_CHART (mien_line_chart_new ()));
  int notified = 0;
  int a = mien_line_data_add_series (data, "Training", 0, MIEN_LINE_SOLID);
  int b = mien_line_data_add_series (data, "Validation", 1, MIEN_LINE_DASHED);

  g_signal_connect_swapped (chart, "notify::data", G_CALLBACK (count_cb), &notified);
  g_object_set (chart, "data", data, "x-title", "Epoch", NULL);
  mien_line_chart_set_data (chart, data);
  g_assert_cmpint (notified, ==, 1);
  mien_line_chart_set_cursor (chart, 3);
  g_assert_true (isnan (mien_line_chart_get_cursor (chart)));
  g_assert_null (mien_line_chart_dup_cursor_text (chart));

  mien_line_data_append (data, a, 1, .5);
  mien_line_data_append (data, a, 2, .25);
  mien_line_data_append (data, b, 2, .75);
  mien_line_chart_set_cursor (chart, 1.7);
  g_assert_cmpfloat (mien_line_chart_get_cursor (chart), ==, 2);
  check_text (mien_line_chart_dup_cursor_text (chart), "Epoch 2: Training 0.250, Validation 0.750");
  mien_line_chart_set_cursor (chart, -7);
  check_text (mien_line_chart_dup_cursor_text (chart), "Epoch 1: Training 0.500");
  mien_line_data_clear (data);
  g_assert_true (isnan (mien_line_chart_get_cursor (chart)));

  g_object_unref (data);
  g_assert_finalize_object (chart);
}

static void
check_copied (GtkWidget *chart, const char *action, gboolean picture, gboolean values)
{
  GdkContentProvider *content;
  g_autoptr (GdkContentFormats) formats = NULL;

  g_assert_true (gtk_widget_activate_action (chart, action, NULL));
  content = gdk_clipboard_get_content (gtk_widget_get_clipboard (chart));
  g_assert_nonnull (content);
  formats = gdk_content_provider_ref_formats (content);
  g_assert_true (gdk_content_formats_contain_gtype (formats, GDK_TYPE_TEXTURE) == picture);
  g_assert_true (gdk_content_formats_contain_mime_type (formats, "text/csv") == values);
}

static void
test_copy (void)
{
  GtkWidget *window = adw_window_new ();
  GtkWidget *chart = mien_line_chart_new ();
  MienLineData *data = mien_line_data_new ();
  const gint64 end = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
  g_auto (GValue) value = G_VALUE_INIT;

  mien_line_data_append (data, mien_line_data_add_series (data, "Training", 0, MIEN_LINE_SOLID), 1, .5);
  mien_line_chart_set_data (MIEN_LINE_CHART (chart), data);
  mien_line_chart_set_x_title (MIEN_LINE_CHART (chart), "Epoch");
  adw_window_set_content (ADW_WINDOW (window), chart);
  gtk_window_present (GTK_WINDOW (window));
  while (gtk_widget_get_width (chart) == 0 && g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (gtk_widget_get_width (chart), >, 0);

  check_copied (chart, "chart.copy", TRUE, TRUE);
  check_copied (chart, "chart.copy-picture", TRUE, FALSE);
  check_copied (chart, "chart.copy-values", FALSE, TRUE);
  g_value_init (&value, G_TYPE_STRING);
  g_assert_true (gdk_content_provider_get_value (gdk_clipboard_get_content (gtk_widget_get_clipboard (chart)), &value, NULL));
  g_assert_cmpstr (g_value_get_string (&value), ==, "Epoch,Training\n1,0.5\n");
  g_object_unref (data);
  gtk_window_destroy (GTK_WINDOW (window));
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);
  adw_init ();
  g_test_add_func ("/line-chart/ticks", test_ticks);
  g_test_add_func ("/line-chart/tick-values", test_tick_values);
  g_test_add_func ("/line-chart/map", test_map);
  g_test_add_func ("/line-chart/format", test_format);
  g_test_add_func ("/line-chart/data", test_data);
  g_test_add_func ("/line-chart/draw", test_draw);
  g_test_add_func ("/line-chart/cursor", test_cursor);
  g_test_add_func ("/line-chart/copy", test_copy);
  return g_test_run ();
}
