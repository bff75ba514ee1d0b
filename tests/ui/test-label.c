/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names, colours and marks of expressions. Contrast is computed here by the formula of WCAG 2.1, 1.4.11. */
#include <math.h>
#include <string.h>

#include "charts/mien-label.h"

static const char *const labels[] = { "angry", "disgust", "fear", "happy", "sad", "surprise", "neutral" };

static double
luminance (const GdkRGBA *color)
{
  const double channels[] = { color->red, color->green, color->blue }, weights[] = { .2126, .7152, .0722 };
  double sum = 0;

  for (int i = 0; i < 3; i++)
    sum += weights[i] * (channels[i] <= .03928 ? channels[i] / 12.92 : pow ((channels[i] + .055) / 1.055, 2.4));
  return sum;
}

static double
contrast (const GdkRGBA *a, const GdkRGBA *b)
{
  double la = luminance (a), lb = luminance (b);

  return (MAX (la, lb) + .05) / (MIN (la, lb) + .05);
}

static void
test_names (void)
{
  g_assert_cmpstr (mien_label_display ("angry"), ==, "Angry");
  g_assert_cmpstr (mien_label_display ("fear"), ==, "Afraid");
  g_assert_cmpstr (mien_label_display ("Happiness"), ==, "Happy");
  g_assert_cmpstr (mien_label_display ("class 7"), ==, "class 7");
  g_assert_cmpstr (mien_label_display (NULL), ==, "");
  for (int i = 0; i < G_N_ELEMENTS (labels); i++) {
    for (int j = 0; j < i; j++)
      g_assert_cmpstr (mien_label_display (labels[i]), !=, mien_label_display (labels[j]));
  }
}

static void
test_contrast (void)
{
  /* Adwaita's light and dark backgrounds of windows, views and cards. */
  const char *const light[] = { "#ffffff", "#fafafa", "#ebebeb" }, *const dark[] = { "#1e1e1e", "#242424", "#383838" };

  for (int i = 0; i < G_N_ELEMENTS (labels); i++) {
    for (int k = 0; k < 3; k++) {
      GdkRGBA background, color;

      gdk_rgba_parse (&background, light[k]);
      mien_label_get_color (labels[i], FALSE, &color);
      g_assert_cmpfloat (contrast (&color, &background), >=, 3);
      gdk_rgba_parse (&background, dark[k]);
      mien_label_get_color (labels[i], TRUE, &color);
      g_assert_cmpfloat (contrast (&color, &background), >=, 3);
    }
  }
}

static void
test_colors_differ (void)
{
  for (int i = 0; i < G_N_ELEMENTS (labels); i++) {
    for (int j = 0; j < i; j++) {
      for (int dark = 0; dark < 2; dark++) {
        GdkRGBA a, b;

        mien_label_get_color (labels[i], dark, &a);
        mien_label_get_color (labels[j], dark, &b);
        g_assert_cmpfloat (fabs (a.red - b.red) + fabs (a.green - b.green) + fabs (a.blue - b.blue), >, .15);
      }
    }
  }
}

/* Draws a mark of 24 with a border of 8 round it; returns the picture. */
static cairo_surface_t *
draw (const char *label)
{
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_A8, 40, 40);
  cairo_t *cr = cairo_create (surface);

  cairo_translate (cr, 8, 8);
  mien_label_draw_mark (label, cr, 24);
  cairo_destroy (cr);
  cairo_surface_flush (surface);
  return surface;
}

static void
test_marks (void)
{
  for (int i = 0; i < G_N_ELEMENTS (labels); i++) {
    cairo_surface_t *mark = draw (labels[i]);
    const unsigned char *pixels = cairo_image_surface_get_data (mark);
    int stride = cairo_image_surface_get_stride (mark), inside = 0, outside = 0;

    for (int y = 0; y < 40; y++) {
      for (int x = 0; x < 40; x++) {
        if (x >= 8 && x < 32 && y >= 8 && y < 32)
          inside += pixels[y * stride + x];
        else
          outside += pixels[y * stride + x];
      }
    }
    g_assert_cmpint (inside, >, 0);
    g_assert_cmpint (outside, ==, 0);
    for (int j = 0; j < i; j++) {
      cairo_surface_t *other = draw (labels[j]);
      int difference = 0;

      for (int k = 0; k < 40 * stride; k++)
        difference += abs (pixels[k] - cairo_image_surface_get_data (other)[k]);
      g_assert_cmpint (difference, >, 8 * 255); /* at least some eight pixels */
      cairo_surface_destroy (other);
    }
    cairo_surface_destroy (mark);
  }
}

static void
test_percent (void)
{
  const struct {
    double share;
    const char *text;
  } cases[] = { { 0, "0%" }, { .004, "0%" }, { .006, "1%" }, { .934, "93%" }, { .996, "100%" }, { 1, "100%" }, { 1.5, "100%" }, { -1, "0%" } };

  for (int i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *text = mien_label_format_percent (cases[i].share);

    g_assert_cmpstr (text, ==, cases[i].text);
  }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/label/names", test_names);
  g_test_add_func ("/label/contrast", test_contrast);
  g_test_add_func ("/label/colors-differ", test_colors_differ);
  g_test_add_func ("/label/marks", test_marks);
  g_test_add_func ("/label/percent", test_percent);
  return g_test_run ();
}
