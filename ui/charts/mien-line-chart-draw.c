/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a line chart looks: title and legend on top, then the plot with its axes, then the cursor's plate above all. */
#include "mien-config.h"

#include "charts/mien-line-chart-private.h"

#include <adwaita.h>
#include <math.h>
#include <glib/gi18n.h>

#define GAP 8          /* between neighbours */
#define SAMPLE 24      /* length of a legend's line */
#define LINE_WIDTH 2.0
#define MIN_PLOT 48    /* below this the axes make room for the curves */

typedef struct {
  MienLineChart *chart;
  cairo_t *cr;
  GdkRGBA text, dim, grid, plate;
  gboolean dark;
  double width, height;
  MienPoint lo, hi; /* of the plot, after rounding to ticks */
  MienTicks x_ticks, y_ticks;
} Painter;

/* The theme's names, and what stands in for them in a theme that lacks them. */
static const struct {
  const char *light, *dark;
  GdkRGBA fallback;
} palette[] = {
  { "blue_4", "blue_2", { .11f, .44f, .85f, 1 } },
  { "orange_5", "orange_2", { .78f, .27f, 0, 1 } },
  { "green_5", "green_3", { .15f, .64f, .41f, 1 } },
  { "purple_3", "purple_1", { .57f, .25f, .67f, 1 } },
  { "dark_2", "light_3", { .5f, .5f, .5f, 1 } },
};

static PangoLayout *
make_text (Painter *p, const char *text, gboolean bold)
{
  PangoLayout *layout = gtk_widget_create_pango_layout (GTK_WIDGET (p->chart), text);
  PangoAttrList *attrs = pango_attr_list_new ();

  pango_attr_list_insert (attrs, pango_attr_scale_new (bold ? 1.0 : 0.9));
  pango_attr_list_insert (attrs, pango_attr_font_features_new ("tnum=1"));
  if (bold)
    pango_attr_list_insert (attrs, pango_attr_weight_new (PANGO_WEIGHT_BOLD));
  pango_layout_set_attributes (layout, attrs);
  pango_attr_list_unref (attrs);
  return layout;
}

/* x is the text's left (0), middle (0.5) or right (1) edge by align; y its top. */
static void
draw_layout (Painter *p, PangoLayout *layout, const GdkRGBA *colour, double x, double y, double align)
{
  int width;

  pango_layout_get_pixel_size (layout, &width, NULL);
  gdk_cairo_set_source_rgba (p->cr, colour);
  cairo_move_to (p->cr, round (x - align * width), round (y));
  pango_cairo_show_layout (p->cr, layout);
}

static void
series_style (Painter *p, int series, double scale)
{
  static const struct {
    int n;
    double dash[4];
  } dashes[] = {
    [MIEN_LINE_SOLID] = { 0, { 0 } },
    [MIEN_LINE_DASHED] = { 2, { 7, 4 } },
    [MIEN_LINE_DOTTED] = { 2, { 1, 4 } },
    [MIEN_LINE_DASH_DOTTED] = { 4, { 8, 4, 1, 4 } },
  };
  const int i = CLAMP (mien_line_data_get_colour (p->chart->data, series), 0, (int) G_N_ELEMENTS (palette) - 1);
  const MienLinePattern pattern = mien_line_data_get_pattern (p->chart->data, series);
  GdkRGBA colour = palette[i].fallback;

  gtk_style_context_lookup_color (gtk_widget_get_style_context (GTK_WIDGET (p->chart)), p->dark ? palette[i].dark : palette[i].light, &colour);
  gdk_cairo_set_source_rgba (p->cr, &colour);
  cairo_set_line_width (p->cr, LINE_WIDTH * scale);
  cairo_set_line_join (p->cr, CAIRO_LINE_JOIN_ROUND);
  cairo_set_line_cap (p->cr, pattern == MIEN_LINE_SOLID || pattern == MIEN_LINE_DASHED ? CAIRO_LINE_CAP_BUTT : CAIRO_LINE_CAP_ROUND);
  cairo_set_dash (p->cr, dashes[pattern].dash, dashes[pattern].n, 0);
}

/* Title, then the legend in as many rows as it needs. Returns the y below them. */
static double
draw_head (Painter *p)
{
  MienLineChart *chart = p->chart;
  double x = 0, y = 0;
  int row_height = 0;

  if (chart->title != NULL) {
    g_autoptr (PangoLayout) layout = make_text (p, chart->title, TRUE);
    int height;

    pango_layout_set_width (layout, (int) p->width * PANGO_SCALE);
    pango_layout_set_ellipsize (layout, PANGO_ELLIPSIZE_END);
    pango_layout_get_pixel_size (layout, NULL, &height);
    draw_layout (p, layout, &p->text, 0, y, 0);
    y += height + GAP / 2;
  }
  for (int i = 0; chart->data != NULL && i < mien_line_data_get_n_series (chart->data); i++) {
    const double last = mien_line_data_get_last (chart->data, i);
    g_autofree char *value = isfinite (last) ? mien_chart_format (last, MIEN_CHART_VALUE_DIGITS, chart->format) : NULL;
    g_autofree char *text = value != NULL ? g_strdup_printf (_("%s %s"), mien_line_data_get_name (chart->data, i), value)
                                          : g_strdup (mien_line_data_get_name (chart->data, i));
    g_autoptr (PangoLayout) layout = make_text (p, text, FALSE);
    int width, height;

    pango_layout_get_pixel_size (layout, &width, &height);
    if (x > 0 && x + SAMPLE + GAP + width > p->width) {
      x = 0;
      y += row_height + 2;
    }
    row_height = height;
    series_style (p, i, 1);
    cairo_move_to (p->cr, x + 1, y + height / 2.0);
    cairo_line_to (p->cr, x + SAMPLE, y + height / 2.0);
    cairo_stroke (p->cr);
    draw_layout (p, layout, &p->text, x + SAMPLE + GAP * .75, y, 0);
    x += SAMPLE + width + 3 * GAP;
  }
  return y + row_height + GAP;
}

/* Extends lo..hi to whole ticks. */
static void
choose_y_range (Painter *p, double pixels)
{
  const int max_ticks = CLAMP ((int) (pixels / 34), 2, 8);
  double lo = p->lo.y, hi = p->hi.y;
  MienTicks ticks;

  if (hi - lo <= fabs (hi) * 1e-9) {
    const double room = hi == 0 ? 1 : fabs (hi) * .1;
    lo -= room;
    hi += room;
  }
  ticks = mien_ticks_choose (lo, hi, max_ticks, FALSE);
  p->lo.y = floor (lo / ticks.step + 1e-9) * ticks.step;
  p->hi.y = ceil (hi / ticks.step - 1e-9) * ticks.step;
  p->y_ticks = mien_ticks_choose (p->lo.y, p->hi.y, max_ticks + 2, FALSE);
}

static double
draw_y_axis (Painter *p, double top, double bottom)
{
  int widest = 0, height = 0;

  for (int i = 0; i < p->y_ticks.n; i++) {
    g_autofree char *text = mien_chart_format (mien_ticks_value (&p->y_ticks, i), p->y_ticks.digits, p->chart->format);
    g_autoptr (PangoLayout) layout = make_text (p, text, FALSE);
    int width;

    pango_layout_get_pixel_size (layout, &width, &height);
    widest = MAX (widest, width);
  }
  if (p->width - widest < MIN_PLOT * 1.5)
    widest = 0;
  for (int i = 0; i < p->y_ticks.n; i++) {
    const double value = mien_ticks_value (&p->y_ticks, i);
    const double y = round (mien_chart_map (value, p->lo.y, p->hi.y, bottom, top)) + .5;
    g_autofree char *text = mien_chart_format (value, p->y_ticks.digits, p->chart->format);
    g_autoptr (PangoLayout) layout = make_text (p, text, FALSE);

    cairo_set_dash (p->cr, NULL, 0, 0);
    if (widest > 0)
      draw_layout (p, layout, &p->dim, widest, y - height / 2.0, 1);
    gdk_cairo_set_source_rgba (p->cr, &p->grid);
    cairo_set_line_width (p->cr, 1);
    cairo_move_to (p->cr, widest > 0 ? widest + GAP : 0, y);
    cairo_line_to (p->cr, p->width, y);
    cairo_stroke (p->cr);
  }
  return widest > 0 ? widest + GAP : 0;
}

static void
draw_x_axis (Painter *p, double left, double right, double bottom)
{
  for (int i = 0; i < p->x_ticks.n; i++) {
    const double value = mien_ticks_value (&p->x_ticks, i);
    const double x = mien_chart_map (value, p->lo.x, p->hi.x, left, right);
    g_autofree char *text = mien_chart_format (value, p->x_ticks.digits, MIEN_CHART_NUMBER);
    g_autoptr (PangoLayout) layout = make_text (p, text, FALSE);
    int width;

    gdk_cairo_set_source_rgba (p->cr, &p->grid);
    cairo_set_line_width (p->cr, 1);
    cairo_move_to (p->cr, round (x) + .5, bottom);
    cairo_line_to (p->cr, round (x) + .5, bottom + 4);
    cairo_stroke (p->cr);
    pango_layout_get_pixel_size (layout, &width, NULL);
    draw_layout (p, layout, &p->dim, CLAMP (x - width / 2.0, 0, p->width - width), bottom + 4, 0);
  }
}

/* With more points than pixels, a column is drawn as its first, lowest, highest and last point: what one would see. */
static void
draw_series (Painter *p, int series, double left, double right, double top, double bottom)
{
  int n, n_drawn = 0;
  const MienPoint *points = mien_line_data_get_points (p->chart->data, series, &n);
  const gboolean dense = n > 2 * (right - left);
  gboolean pen_down = FALSE;
  double column = -1, column_lo = 0, column_hi = 0, y = 0;

  series_style (p, series, 1);
  for (int i = 0; i < n; i++) {
    const double x = mien_chart_map (points[i].x, p->lo.x, p->hi.x, left, right);

    if (!isfinite (points[i].y)) {
      pen_down = FALSE;
      continue;
    }
    y = mien_chart_map (points[i].y, p->lo.y, p->hi.y, bottom, top);
    n_drawn++;
    if (dense && pen_down && floor (x) == column) {
      column_lo = MIN (column_lo, y);
      column_hi = MAX (column_hi, y);
      if (i + 1 < n)
        continue;
    }
    if (dense && pen_down) {
      cairo_line_to (p->cr, column + .5, column_lo);
      cairo_line_to (p->cr, column + .5, column_hi);
    }
    if (pen_down)
      cairo_line_to (p->cr, x, y);
    else
      cairo_move_to (p->cr, x, y);
    pen_down = TRUE;
    column = floor (x);
    column_lo = column_hi = y;
  }
  cairo_stroke (p->cr);

  /* A lone point would be no line at all; a few points are easier to hit when they are seen. */
  if (n_drawn > 24)
    return;
  for (int i = 0; i < n; i++) {
    if (!isfinite (points[i].y))
      continue;
    cairo_arc (p->cr, mien_chart_map (points[i].x, p->lo.x, p->hi.x, left, right),
               mien_chart_map (points[i].y, p->lo.y, p->hi.y, bottom, top), 2.5, 0, 2 * G_PI);
    cairo_fill (p->cr);
  }
}

static void
draw_cursor (Painter *p, double left, double right, double top, double bottom)
{
  MienLineChart *chart = p->chart;
  const double x = mien_chart_map (chart->cursor, p->lo.x, p->hi.x, left, right);
  g_autofree char *at = g_strdup_printf ("%s %g", chart->x_title != NULL ? chart->x_title : "", chart->cursor);
  GString *text = g_string_new (g_strstrip (at));
  g_autoptr (PangoLayout) layout = NULL;
  int width, height;
  double plate_x;

  gdk_cairo_set_source_rgba (p->cr, &p->dim);
  cairo_set_dash (p->cr, NULL, 0, 0);
  cairo_set_line_width (p->cr, 1);
  cairo_move_to (p->cr, round (x) + .5, top);
  cairo_line_to (p->cr, round (x) + .5, bottom);
  cairo_stroke (p->cr);
  for (int i = 0; i < mien_line_data_get_n_series (chart->data); i++) {
    int n;
    const MienPoint *points = mien_line_data_get_points (chart->data, i, &n);
    const int index = mien_line_data_find (chart->data, i, chart->cursor);
    g_autofree char *value = NULL;

    if (index < 0 || points[index].x != chart->cursor || !isfinite (points[index].y))
      continue;
    value = mien_chart_format (points[index].y, MIEN_CHART_VALUE_DIGITS, chart->format);
    g_string_append_c (text, '\n');
    g_string_append_printf (text, _("%s %s"), mien_line_data_get_name (chart->data, i), value);
    series_style (p, i, 1);
    cairo_arc (p->cr, x, mien_chart_map (points[index].y, p->lo.y, p->hi.y, bottom, top), 4, 0, 2 * G_PI);
    cairo_fill (p->cr);
  }

  layout = make_text (p, text->str, FALSE);
  g_string_free (text, TRUE);
  pango_layout_get_pixel_size (layout, &width, &height);
  plate_x = x + 10 + width + 12 <= right ? x + 10 : x - 10 - width - 12;
  plate_x = MAX (plate_x, 0);
  cairo_set_dash (p->cr, NULL, 0, 0);
  cairo_set_line_width (p->cr, 1);
  gdk_cairo_set_source_rgba (p->cr, &p->plate);
  cairo_rectangle (p->cr, round (plate_x), round (top), width + 12, height + 8);
  cairo_fill_preserve (p->cr);
  gdk_cairo_set_source_rgba (p->cr, &p->grid);
  cairo_stroke (p->cr);
  draw_layout (p, layout, &p->text, plate_x + 6, top + 4, 0);
}

static void
choose_colours (Painter *p)
{
  GtkStyleContext *style = gtk_widget_get_style_context (GTK_WIDGET (p->chart));
  const gboolean strong = adw_style_manager_get_high_contrast (adw_style_manager_get_default ());

  gtk_style_context_get_color (style, &p->text);
  p->dark = p->text.red * .3 + p->text.green * .59 + p->text.blue * .11 > .5;
  p->dim = p->grid = p->text;
  p->dim.alpha *= strong ? 1 : .7f;
  p->grid.alpha *= strong ? .5f : .15f;
  if (!gtk_style_context_lookup_color (style, "popover_bg_color", &p->plate))
    p->plate = p->dark ? (GdkRGBA) { .2f, .2f, .2f, 1 } : (GdkRGBA) { 1, 1, 1, 1 };
}

void
mien_line_chart_draw (MienLineChart *self, GtkSnapshot *snapshot)
{
  Painter p = {
    .chart = self,
    .width = gtk_widget_get_width (GTK_WIDGET (self)),
    .height = gtk_widget_get_height (GTK_WIDGET (self)),
  };
  double left, right, top, bottom;
  g_autoptr (PangoLayout) axis_title = NULL;
  int text_height;

  self->plot = *graphene_rect_zero ();
  if (p.width < 16 || p.height < 16)
    return;
  choose_colours (&p);
  p.cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (-2, -2, (float) p.width + 4, (float) p.height + 4));
  top = draw_head (&p) + GAP / 2;
  axis_title = make_text (&p, self->x_title != NULL ? self->x_title : "0", FALSE);
  pango_layout_get_pixel_size (axis_title, NULL, &text_height);
  bottom = p.height - 4 - text_height * (self->x_title != NULL && p.height - top > 3 * MIN_PLOT ? 2 : 1);
  if (bottom - top < MIN_PLOT / 2) {
    cairo_destroy (p.cr);
    return;
  }

  if (self->data == NULL || !mien_line_data_get_range (self->data, &p.lo, &p.hi)) {
    g_autoptr (PangoLayout) layout = make_text (&p, _("No values yet"), FALSE);

    draw_layout (&p, layout, &p.dim, p.width / 2, (top + bottom - text_height) / 2, .5);
    cairo_destroy (p.cr);
    return;
  }
  choose_y_range (&p, bottom - top);
  left = draw_y_axis (&p, top, bottom);
  right = p.width - 4;
  p.x_ticks = mien_ticks_choose (p.lo.x, p.hi.x, CLAMP ((int) ((right - left) / 48), 2, 12), TRUE);
  draw_x_axis (&p, left, right, bottom);
  if (self->x_title != NULL && p.height - bottom > text_height * 1.5)
    draw_layout (&p, axis_title, &p.dim, (left + right) / 2, bottom + 4 + text_height, .5);
  self->plot = GRAPHENE_RECT_INIT ((float) left, (float) top, (float) (right - left), (float) (bottom - top));

  cairo_save (p.cr);
  cairo_rectangle (p.cr, left - 3, top - 3, right - left + 6, bottom - top + 6);
  cairo_clip (p.cr);
  for (int i = 0; i < mien_line_data_get_n_series (self->data); i++)
    draw_series (&p, i, left, right, top, bottom);
  cairo_restore (p.cr);
  if (!isnan (self->cursor))
    draw_cursor (&p, left, right, top, bottom);
  cairo_destroy (p.cr);
}
