/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frame and plate of one face. The plate is nearly black whatever the style and the picture, and its text white: about
 * 12:1 even over a white picture. The mark and the frame carry the expression's colour, with a dark seam on both sides. */
#include "mien-config.h"

#include "live/mien-face-mark.h"

#include <glib/gi18n.h>
#include <math.h>

#include "charts/mien-label.h"

#define PLATE_PAD 6
#define PLATE_GAP 4
#define ANNOUNCE_US (G_USEC_PER_SEC) /* how often the accessible text may follow the confidence */

struct _MienFaceMark {
  GtkWidget parent_instance;

  int number;
  char *label;
  double confidence;
  int percent;
  gboolean chosen;
  PangoLayout *layout;
  GskRenderNode *plate; /* (nullable): to be drawn anew */
  graphene_rect_t rect, limits;
  gint64 told_us;
};

G_DEFINE_FINAL_TYPE (MienFaceMark, mien_face_mark, GTK_TYPE_WIDGET)

static void
rounded_rectangle (cairo_t *cr, double x, double y, double width, double height, double radius)
{
  radius = MIN (radius, MIN (width, height) / 2);
  cairo_new_sub_path (cr);
  cairo_arc (cr, x + width - radius, y + radius, radius, -G_PI_2, 0);
  cairo_arc (cr, x + width - radius, y + height - radius, radius, 0, G_PI_2);
  cairo_arc (cr, x + radius, y + height - radius, radius, G_PI_2, G_PI);
  cairo_arc (cr, x + radius, y + radius, radius, G_PI, 3 * G_PI_2);
  cairo_close_path (cr);
}

static void
tell_name (MienFaceMark *self)
{
  g_autofree char *percent = mien_label_format_percent (self->confidence);
  /* Translators: read aloud by screen readers, as in "Face 1: Happy, 93 %". */
  g_autofree char *name = g_strdup_printf (_("Face %d: %s, %s"), self->number, mien_label_display (self->label), percent);

  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  self->told_us = g_get_monotonic_time ();
}

static void
write_text (MienFaceMark *self)
{
  g_autofree char *percent = mien_label_format_percent (self->confidence);
  g_autofree char *text = g_strdup_printf ("%s\u2002%s", mien_label_display (self->label), percent);
  PangoAttrList *attributes = pango_attr_list_new ();

  if (self->layout == NULL)
    self->layout = gtk_widget_create_pango_layout (GTK_WIDGET (self), NULL);
  pango_attr_list_insert (attributes, pango_attr_weight_new (PANGO_WEIGHT_BOLD));
  pango_attr_list_insert (attributes, pango_attr_font_features_new ("tnum=1"));
  pango_layout_set_attributes (self->layout, attributes);
  pango_attr_list_unref (attributes);
  pango_layout_set_text (self->layout, text, -1);
}

static void
redraw (MienFaceMark *self)
{
  g_clear_pointer (&self->plate, gsk_render_node_unref);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
mien_face_mark_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  MienFaceMark *self = MIEN_FACE_MARK (widget);
  const double width = gtk_widget_get_width (widget), height = gtk_widget_get_height (widget), line = self->chosen ? 4 : 2.5;
  GdkRGBA color;
  cairo_t *cr;

  if (self->label == NULL || width < 1 || height < 1)
    return;
  mien_label_get_color (self->label, TRUE, &color);
  cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (-line, -line, width + 2 * line, height + 2 * line));
  rounded_rectangle (cr, 0, 0, width, height, 10);
  cairo_set_source_rgba (cr, 0, 0, 0, .55);
  cairo_set_line_width (cr, line + 2);
  cairo_stroke_preserve (cr);
  gdk_cairo_set_source_rgba (cr, &color);
  cairo_set_line_width (cr, line);
  cairo_stroke (cr);
  cairo_destroy (cr);
}

static void
draw_plate (MienFaceMark *self)
{
  const graphene_rect_t *limits = &self->limits;
  double mark, x, y, width, height;
  int text_width, text_height;
  graphene_rect_t bounds;
  gboolean brief;
  GdkRGBA color;
  cairo_t *cr;

  if (self->layout == NULL)
    write_text (self);
  pango_layout_get_pixel_size (self->layout, &text_width, &text_height);
  mark = text_height * 1.05;
  height = MAX (text_height, mark) + 2 * PLATE_PAD - 2;
  width = mark + text_width + 3 * PLATE_PAD;
  /* Little faces in a crowd: only the mark, so that plates do not cover each other; the chosen one says all. */
  brief = !self->chosen && self->rect.size.width < width * .6;
  if (brief)
    width = mark + 2 * PLATE_PAD;

  /* Above the frame; inside its top where there is no room; never over the picture's edge. */
  y = self->rect.origin.y - height - PLATE_GAP;
  if (y < limits->origin.y)
    y = MAX (self->rect.origin.y, limits->origin.y) + PLATE_GAP;
  x = MIN (self->rect.origin.x, limits->origin.x + limits->size.width - width);
  x = MAX (x, limits->origin.x);

  mien_label_get_color (self->label, TRUE, &color);
  graphene_rect_init (&bounds, floor (x) - 1, floor (y) - 1, ceil (width) + 3, ceil (height) + 3);
  self->plate = gsk_cairo_node_new (&bounds);
  cr = gsk_cairo_node_get_draw_context (self->plate);
  cairo_set_source_rgba (cr, .06, .06, .07, .82);
  rounded_rectangle (cr, x, y, width, height, height / 2);
  cairo_fill (cr);
  cairo_save (cr);
  cairo_translate (cr, x + PLATE_PAD, y + (height - mark) / 2);
  gdk_cairo_set_source_rgba (cr, &color);
  mien_label_draw_mark (self->label, cr, mark);
  cairo_restore (cr);
  if (!brief) {
    cairo_move_to (cr, x + 2 * PLATE_PAD + mark, y + (height - text_height) / 2);
    cairo_set_source_rgb (cr, 1, 1, 1);
    pango_cairo_show_layout (cr, self->layout);
  }
  cairo_destroy (cr);
}

static void
mien_face_mark_css_changed (GtkWidget *widget, GtkCssStyleChange *change)
{
  GTK_WIDGET_CLASS (mien_face_mark_parent_class)->css_changed (widget, change);
  g_clear_object (&MIEN_FACE_MARK (widget)->layout); /* another font */
  redraw (MIEN_FACE_MARK (widget));
}

static void
mien_face_mark_system_setting_changed (GtkWidget *widget, GtkSystemSetting setting)
{
  GTK_WIDGET_CLASS (mien_face_mark_parent_class)->system_setting_changed (widget, setting);
  g_clear_object (&MIEN_FACE_MARK (widget)->layout);
  redraw (MIEN_FACE_MARK (widget));
}

static void
mien_face_mark_finalize (GObject *object)
{
  MienFaceMark *self = MIEN_FACE_MARK (object);

  g_clear_object (&self->layout);
  g_clear_pointer (&self->plate, gsk_render_node_unref);
  g_free (self->label);
  G_OBJECT_CLASS (mien_face_mark_parent_class)->finalize (object);
}

static void
mien_face_mark_class_init (MienFaceMarkClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = mien_face_mark_finalize;
  widget_class->snapshot = mien_face_mark_snapshot;
  widget_class->css_changed = mien_face_mark_css_changed;
  widget_class->system_setting_changed = mien_face_mark_system_setting_changed;
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
  gtk_widget_class_set_css_name (widget_class, "facemark");
}

static void
mien_face_mark_init (MienFaceMark *self)
{
  self->percent = -1;
  gtk_widget_set_can_target (GTK_WIDGET (self), FALSE);
}

GtkWidget *
mien_face_mark_new (void)
{
  return g_object_new (MIEN_TYPE_FACE_MARK, NULL);
}

void
mien_face_mark_update (MienFaceMark *self, int number, const char *label, double confidence, gboolean chosen)
{
  int percent = (int) (confidence * 100 + .5);
  gboolean renamed = self->number != number || g_strcmp0 (self->label, label) != 0;
  gboolean changed = renamed || self->percent != percent;

  self->confidence = confidence;
  if (!changed && self->chosen == chosen)
    return;
  self->number = number;
  self->percent = percent;
  self->chosen = chosen;
  if (renamed) {
    g_free (self->label);
    self->label = g_strdup (label);
  }
  if (changed)
    write_text (self);
  if (renamed || (changed && g_get_monotonic_time () - self->told_us > ANNOUNCE_US))
    tell_name (self);
  redraw (self);
}

void
mien_face_mark_place (MienFaceMark *self, const graphene_rect_t *rect, const graphene_rect_t *limits)
{
  GskTransform *place = gsk_transform_translate (NULL, &rect->origin);
  int baseline = -1, ignored;

  if (!graphene_rect_equal (rect, &self->rect) || !graphene_rect_equal (limits, &self->limits)) {
    self->rect = *rect;
    self->limits = *limits;
    redraw (self);
  }
  gtk_widget_measure (GTK_WIDGET (self), GTK_ORIENTATION_HORIZONTAL, -1, &ignored, NULL, NULL, NULL);
  gtk_widget_allocate (GTK_WIDGET (self), MAX (1, (int) rect->size.width), MAX (1, (int) rect->size.height), baseline, place);
}

GskRenderNode *
mien_face_mark_get_plate (MienFaceMark *self)
{
  if (self->plate == NULL && self->label != NULL && self->limits.size.width > 0)
    draw_plate (self);
  return self->plate;
}

gboolean
mien_face_mark_is_chosen (MienFaceMark *self)
{
  return self->chosen;
}
