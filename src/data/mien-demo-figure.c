/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hair, neck and shoulders are a few soft shapes; the face is laid over them through a feathered oval. Its grey levels
 * stay what they are: the tint changes colour and leaves the luma (Rec. 601). */
#include "data/mien-demo-figure.h"

#include <cairo.h>
#include <math.h>
#include <string.h>

/* Three running means, close to a Gaussian, in place; edges repeat. */
static void
blur_lines (guint8 *pixels, int n_lines, int line_bytes, int n, int step_bytes, int radius)
{
  g_autofree guint8 *line = g_malloc ((gsize) n);
  const int width = 2 * radius + 1;

  for (int pass = 0; pass < 3; pass++)
    for (int l = 0; l < n_lines; l++)
      for (int c = 0; c < 4; c++) {
        guint8 *p = pixels + (gsize) l * (gsize) line_bytes + c;
        int sum = width / 2;
        for (int i = 0; i < n; i++)
          line[i] = p[(gsize) i * (gsize) step_bytes];
        for (int i = -radius; i <= radius; i++)
          sum += line[CLAMP (i, 0, n - 1)];
        for (int i = 0; i < n; i++) {
          p[(gsize) i * (gsize) step_bytes] = (guint8) (sum / width);
          sum += line[MIN (i + radius + 1, n - 1)] - line[MAX (i - radius, 0)];
        }
      }
}

static void
blur (cairo_surface_t *surface, int radius)
{
  const int width = cairo_image_surface_get_width (surface), height = cairo_image_surface_get_height (surface);
  const int stride_bytes = cairo_image_surface_get_stride (surface);

  cairo_surface_flush (surface);
  blur_lines (cairo_image_surface_get_data (surface), height, stride_bytes, width, 4, radius);
  blur_lines (cairo_image_surface_get_data (surface), width, 4, height, stride_bytes, radius);
  cairo_surface_mark_dirty (surface);
}

static void
fill_ellipse (cairo_t *cr, double x, double y, double radius_x, double radius_y)
{
  cairo_save (cr);
  cairo_translate (cr, x, y);
  cairo_scale (cr, radius_x, radius_y);
  cairo_arc (cr, 0, 0, 1, 0, 2 * G_PI);
  cairo_restore (cr);
  cairo_fill (cr);
}

static void
draw_shoulders (cairo_t *cr, double x, double y)
{
  cairo_pattern_t *cloth = cairo_pattern_create_linear (x, y + 170, x, y + 330);

  cairo_pattern_add_color_stop_rgb (cloth, 0, 0.27, 0.36, 0.43);
  cairo_pattern_add_color_stop_rgb (cloth, 1, 0.17, 0.24, 0.31);
  cairo_set_source (cr, cloth);
  cairo_move_to (cr, x - 70, y + 168);
  cairo_curve_to (cr, x - 110, y + 205, x - 215, y + 190, x - 235, y + 290);
  cairo_line_to (cr, x - 260, y + 700);
  cairo_line_to (cr, x + 260, y + 700);
  cairo_line_to (cr, x + 235, y + 290);
  cairo_curve_to (cr, x + 215, y + 190, x + 110, y + 205, x + 70, y + 168);
  cairo_close_path (cr);
  cairo_fill (cr);
  cairo_pattern_destroy (cloth);
}

static void
draw_neck (cairo_t *cr, double x, double y)
{
  cairo_pattern_t *skin = cairo_pattern_create_linear (x, y + 80, x, y + 215);

  cairo_pattern_add_color_stop_rgb (skin, 0, 0.44, 0.32, 0.26);
  cairo_pattern_add_color_stop_rgb (skin, 0.5, 0.52, 0.39, 0.32);
  cairo_pattern_add_color_stop_rgb (skin, 1, 0.62, 0.48, 0.40);
  cairo_set_source (cr, skin);
  cairo_move_to (cr, x - 56, y + 60);
  cairo_curve_to (cr, x - 56, y + 130, x - 50, y + 165, x - 84, y + 180);
  cairo_curve_to (cr, x - 40, y + 232, x + 40, y + 232, x + 84, y + 180);
  cairo_curve_to (cr, x + 50, y + 165, x + 56, y + 130, x + 56, y + 60);
  cairo_close_path (cr);
  cairo_fill (cr);
  cairo_pattern_destroy (skin);
}

static void
draw_hair (cairo_t *cr, double x, double y)
{
  cairo_pattern_t *hair = cairo_pattern_create_radial (x - 30, y - 120, 10, x, y - 30, 190);

  cairo_pattern_add_color_stop_rgb (hair, 0, 0.36, 0.26, 0.21);
  cairo_pattern_add_color_stop_rgb (hair, 0.5, 0.25, 0.18, 0.15);
  cairo_pattern_add_color_stop_rgb (hair, 1, 0.19, 0.14, 0.12);
  cairo_set_source (cr, hair);
  cairo_move_to (cr, x, y - 158);
  cairo_curve_to (cr, x + 92, y - 160, x + 134, y - 100, x + 130, y - 20);
  cairo_curve_to (cr, x + 128, y + 50, x + 134, y + 90, x + 112, y + 122);
  cairo_curve_to (cr, x + 70, y + 140, x - 70, y + 140, x - 112, y + 122);
  cairo_curve_to (cr, x - 134, y + 90, x - 128, y + 50, x - 130, y - 20);
  cairo_curve_to (cr, x - 134, y - 100, x - 92, y - 160, x, y - 158);
  cairo_close_path (cr);
  cairo_fill (cr);
  cairo_pattern_destroy (hair);
}

static void
draw_body (cairo_t *cr, double x, double y)
{
  draw_hair (cr, x, y);
  draw_shoulders (cr, x, y);
  draw_neck (cr, x, y);
  cairo_set_source_rgb (cr, 0.55, 0.42, 0.35); /* under the face */
  fill_ellipse (cr, x, y + 4, 96, 122);
}

/* Catmull-Rom, edges repeated */
static double
sample_cubic (const guint8 *face, int size, int stride_bytes, double x, double y)
{
  const int x0 = (int) floor (x), y0 = (int) floor (y);
  double weights[2][4], sum = 0;

  for (int axis = 0; axis < 2; axis++) {
    const double t = axis == 0 ? x - x0 : y - y0;
    weights[axis][0] = t * (-0.5 + t * (1 - 0.5 * t));
    weights[axis][1] = 1 + t * t * (-2.5 + 1.5 * t);
    weights[axis][2] = t * (0.5 + t * (2 - 1.5 * t));
    weights[axis][3] = t * t * (-0.5 + 0.5 * t);
  }
  for (int j = 0; j < 4; j++)
    for (int i = 0; i < 4; i++)
      sum += weights[0][i] * weights[1][j]
             * face[CLAMP (y0 + j - 1, 0, size - 1) * stride_bytes + CLAMP (x0 + i - 1, 0, size - 1)];
  return CLAMP (sum, 0, 255);
}

static double
smooth_step (double from, double to, double x)
{
  const double t = CLAMP ((x - from) / (to - from), 0, 1);
  return t * t * (3 - 2 * t);
}

/* 1 on the face, 0 outside; x and y from -1 to 1 over the square. The jaw is narrower than the forehead. */
static double
get_mask (double x, double y)
{
  const double width = y > 0 ? 0.86 - 0.14 * y * y : 0.86;
  const double height = y > 0 ? 1.02 : 0.98;

  return 1 - smooth_step (0.76, 1.0, sqrt (x * x / (width * width) + y * y / (height * height)));
}

/* Warm, with the luma of the grey. */
static void
tint (double grey, double rgb[3])
{
  const double warmth = sin (G_PI * grey / 255); /* none in black and white */

  rgb[0] = grey * (1 + 0.20 * warmth);
  rgb[1] = grey * (1 - 0.06 * warmth);
  rgb[2] = grey * (1 - 0.22 * warmth);
  const double luma = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
  for (int c = 0; c < 3; c++)
    rgb[c] = MIN (rgb[c] * grey / MAX (luma, 1), 255);
}

static void
lay_face (guint32 *pixels, const guint8 *face, int size, int stride_bytes)
{
  const double half = 0.5 * MIEN_FIGURE_FACE, scale = (double) size / MIEN_FIGURE_FACE;

  for (int y = 0; y < MIEN_FIGURE_FACE; y++) {
    guint32 *row = pixels + (MIEN_FIGURE_FACE_Y - MIEN_FIGURE_FACE / 2 + y) * MIEN_FIGURE_WIDTH + MIEN_FIGURE_FACE_X
                   - MIEN_FIGURE_FACE / 2;
    for (int x = 0; x < MIEN_FIGURE_FACE; x++) {
      const double alpha = get_mask ((x + 0.5 - half) / half, (y + 0.5 - half) / half);
      double rgb[3];
      guint32 pixel = 0;
      if (alpha <= 0)
        continue;
      tint (sample_cubic (face, size, stride_bytes, (x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5), rgb);
      for (int c = 0; c < 3; c++) {
        const double under = row[x] >> (16 - 8 * c) & 0xff;
        pixel = pixel << 8 | (guint32) lrint (under + alpha * (rgb[c] - under));
      }
      row[x] = 0xff000000u | pixel;
    }
  }
}

guint32 *
mien_figure_draw_body (void)
{
  guint32 *pixels = g_new0 (guint32, MIEN_FIGURE_WIDTH * MIEN_FIGURE_HEIGHT);
  cairo_surface_t *surface = cairo_image_surface_create_for_data ((guchar *) pixels, CAIRO_FORMAT_ARGB32, MIEN_FIGURE_WIDTH,
                                                                  MIEN_FIGURE_HEIGHT, 4 * MIEN_FIGURE_WIDTH);
  cairo_t *cr = cairo_create (surface);

  draw_body (cr, MIEN_FIGURE_FACE_X, MIEN_FIGURE_FACE_Y);
  cairo_destroy (cr);
  blur (surface, 4);
  cairo_surface_destroy (surface);
  return pixels;
}

/* Hair falls from a parting over the upper corners of the forehead: strands, so thin that their edge is soft. */
static void
draw_fringe (cairo_t *cr, double x, double y)
{
  static const struct {
    double root_x, tip_x, tip_y;
  } sides[] = { { 26, -112, 20 }, { 34, 112, 20 } };

  cairo_set_line_cap (cr, CAIRO_LINE_CAP_ROUND);
  for (int side = 0; side < 2; side++)
    for (int i = 0; i < 60; i++) {
      const double t = i / 59.0; /* 0 at the hairline, 1 well inside the hair */
      const double light = 1 + 0.25 * sin (i * 2.4);
      cairo_set_source_rgba (cr, 0.255 * light, 0.185 * light, 0.152 * light, 0.06 + 0.34 * sin (G_PI * pow (t, 0.7)));
      cairo_set_line_width (cr, 3.5);
      cairo_move_to (cr, x + sides[side].root_x, y - 104 - 30 * t);
      cairo_curve_to (cr, x + sides[side].root_x + (sides[side].tip_x - sides[side].root_x) * 0.45, y - 98 - 38 * t,
                      x + sides[side].tip_x * (0.86 + 0.14 * t), y - 74 - 34 * t, x + sides[side].tip_x * (0.90 + 0.12 * t),
                      y + sides[side].tip_y);
      cairo_stroke (cr);
    }
}

guint32 *
mien_figure_draw (const guint32 *body, const guint8 *face, int size, int stride_bytes)
{
  guint32 *pixels = g_memdup2 (body, sizeof *body * MIEN_FIGURE_WIDTH * MIEN_FIGURE_HEIGHT);

  lay_face (pixels, face, size, stride_bytes);

  cairo_surface_t *surface = cairo_image_surface_create_for_data ((guchar *) pixels, CAIRO_FORMAT_ARGB32, MIEN_FIGURE_WIDTH,
                                                                  MIEN_FIGURE_HEIGHT, 4 * MIEN_FIGURE_WIDTH);
  cairo_t *cr = cairo_create (surface);
  draw_fringe (cr, MIEN_FIGURE_FACE_X, MIEN_FIGURE_FACE_Y);
  cairo_destroy (cr);
  cairo_surface_flush (surface);
  cairo_surface_destroy (surface);
  return pixels;
}

guint32 *
mien_figure_draw_room (int width, int height)
{
  guint32 *pixels = g_new0 (guint32, (gsize) width * (gsize) height);
  cairo_surface_t *surface = cairo_image_surface_create_for_data ((guchar *) pixels, CAIRO_FORMAT_ARGB32, width, height, 4 * width);
  cairo_t *cr = cairo_create (surface);
  cairo_pattern_t *light = cairo_pattern_create_radial (width * 0.42, height * 0.34, 20, width * 0.5, height * 0.5, width * 0.72);

  cairo_pattern_add_color_stop_rgb (light, 0, 0.83, 0.85, 0.86);
  cairo_pattern_add_color_stop_rgb (light, 1, 0.55, 0.60, 0.64);
  cairo_set_source (cr, light);
  cairo_paint (cr);
  cairo_pattern_destroy (light);
  cairo_destroy (cr);
  cairo_surface_flush (surface);
  cairo_surface_destroy (surface);
  return pixels;
}
