/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bars: rows follow the labels, every row tells assistive technology its name and value, the largest is marked. */
#include <adwaita.h>

#include "charts/mien-probability-bar.h"
#include "charts/mien-probability-bars.h"

static const char *const labels[] = { "angry", "happy", "class 3" };

static MienProbabilityBars *
make_bars (void)
{
  MienProbabilityBars *bars = MIEN_PROBABILITY_BARS (g_object_ref_sink (mien_probability_bars_new ()));

  mien_probability_bars_set_labels (bars, labels, G_N_ELEMENTS (labels));
  return bars;
}

static GtkWidget *
get_row (MienProbabilityBars *bars, int i)
{
  GtkWidget *row = gtk_widget_get_first_child (GTK_WIDGET (bars));

  while (i-- > 0)
    row = gtk_widget_get_next_sibling (row);
  return row;
}

static void
test_rows (void)
{
  MienProbabilityBars *bars = make_bars ();
  GtkWidget *first = get_row (bars, 0);

  g_assert_cmpint (mien_probability_bars_get_n_labels (bars), ==, 3);
  g_assert_cmpstr (mien_probability_bar_get_label (MIEN_PROBABILITY_BAR (get_row (bars, 2))), ==, "class 3");

  mien_probability_bars_set_labels (bars, labels, G_N_ELEMENTS (labels)); /* the same: the rows stay */
  g_assert_true (get_row (bars, 0) == first);
  mien_probability_bars_set_labels (bars, labels + 1, 2);
  g_assert_cmpint (mien_probability_bars_get_n_labels (bars), ==, 2);
  g_assert_cmpstr (mien_probability_bar_get_label (MIEN_PROBABILITY_BAR (get_row (bars, 0))), ==, "happy");
  g_assert_finalize_object (bars);
}

static void
test_values (void)
{
  MienProbabilityBars *bars = make_bars ();
  g_autofree char *text = NULL;

  g_assert_null (mien_probability_bars_dup_text (bars));
  mien_probability_bars_set_values (bars, (const float[]) { .25f, .7f, .05f });
  g_assert_false (gtk_widget_has_css_class (get_row (bars, 0), "top"));
  g_assert_true (gtk_widget_has_css_class (get_row (bars, 1), "top"));
  text = mien_probability_bars_dup_text (bars);
  g_assert_cmpstr (text, ==, "Angry\t0.2500\nHappy\t0.7000\nclass 3\t0.0500\n");

  mien_probability_bars_set_values (bars, (const float[]) { .6f, .3f, .1f });
  g_assert_true (gtk_widget_has_css_class (get_row (bars, 0), "top"));
  g_assert_false (gtk_widget_has_css_class (get_row (bars, 1), "top"));

  mien_probability_bars_set_values (bars, NULL);
  g_assert_false (gtk_widget_has_css_class (get_row (bars, 0), "top"));
  g_assert_null (mien_probability_bars_dup_text (bars));
  g_assert_finalize_object (bars);
}

static void
test_accessible (void)
{
  MienProbabilityBars *bars = make_bars ();
  GtkAccessible *row = GTK_ACCESSIBLE (get_row (bars, 1));

  g_assert_cmpint (gtk_accessible_get_accessible_role (row), ==, GTK_ACCESSIBLE_ROLE_METER);
  g_assert_null (gtk_test_accessible_check_property (row, GTK_ACCESSIBLE_PROPERTY_LABEL, "Happy"));
  g_assert_null (gtk_test_accessible_check_property (row, GTK_ACCESSIBLE_PROPERTY_VALUE_MAX, 100.));
  g_usleep (600 * 1000); /* values are told twice a second at most; the time since the last has passed */
  mien_probability_bars_set_values (bars, (const float[]) { .25f, .75f, 0 });
  g_assert_null (gtk_test_accessible_check_property (row, GTK_ACCESSIBLE_PROPERTY_VALUE_NOW, 75.));
  g_assert_null (gtk_test_accessible_check_property (row, GTK_ACCESSIBLE_PROPERTY_VALUE_TEXT, "75%"));

  /* Too soon: told later, and then the last one. */
  mien_probability_bars_set_values (bars, (const float[]) { .5f, .5f, 0 });
  mien_probability_bars_set_values (bars, (const float[]) { .875f, .125f, 0 });
  g_assert_null (gtk_test_accessible_check_property (row, GTK_ACCESSIBLE_PROPERTY_VALUE_TEXT, "75%"));
  for (gint64 end = g_get_monotonic_time () + 700 * 1000; g_get_monotonic_time () < end;)
    g_main_context_iteration (NULL, FALSE);
  g_assert_null (gtk_test_accessible_check_property (row, GTK_ACCESSIBLE_PROPERTY_VALUE_NOW, 12.5));
  g_assert_finalize_object (bars);
}

static void
test_glide (void)
{
  GtkSizeGroup *group = gtk_size_group_new (GTK_SIZE_GROUP_HORIZONTAL);
  MienProbabilityBar *bar = MIEN_PROBABILITY_BAR (g_object_ref_sink (mien_probability_bar_new ("sad", group, group)));
  int steps = 0;

  g_assert_true (mien_probability_bar_step (bar, .5)); /* nothing to do */
  mien_probability_bar_set_value (bar, .8, TRUE);
  while (!mien_probability_bar_step (bar, .5))
    g_assert_cmpint (++steps, <, 20);
  g_assert_cmpint (steps, >, 5); /* 0.8 halved until below 0.002 */
  mien_probability_bar_set_value (bar, .1, FALSE);
  g_assert_true (mien_probability_bar_step (bar, 1));
  g_assert_finalize_object (bar);
  g_object_unref (group);
}

int
main (int argc, char *argv[])
{
  gtk_test_init (&argc, &argv, NULL);
  adw_init ();
  g_test_add_func ("/probability-bars/rows", test_rows);
  g_test_add_func ("/probability-bars/values", test_values);
  g_test_add_func ("/probability-bars/accessible", test_accessible);
  g_test_add_func ("/probability-bars/glide", test_glide);
  return g_test_run ();
}
