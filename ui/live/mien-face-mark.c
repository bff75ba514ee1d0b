/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frame and plate of one face. The plate is nearly black whatever the style and the picture, and its text white: about
 * 12:1 even over a white picture. The mark and the frame carry the expression's colour, with a dark seam on both sides. */
#include "mien-config.h"

#include "live/mien-face-mark.h"

#include <glib/gi18n.h>

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
mien_face_mark_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  MienFaceMark *self = MIEN_FACE_MARK (widget);
  const double width = gtk_widget_get_width (widget), height = gtk_widget_get_height (widget);
  const double line = self->chosen ? 4 : 2.5;
  graphene_rect_t bounds, frame, plate;
  int text_width, text_height;
  double mark, plate_x, plate_y, plate_width, plate_height;
  gboolean brief;
  GdkRGBA color;
  cairo_t *cr;

  if (self->label == NULL || width < 1 || height < 1)
    return;
  if (self->layout == NULL)
    write_text (self);
  pango_layout_get_pixel_size (self->layout, &text_width, &text_height);
  mark = text_height * 1.05;
  plate_height = MAX (text_height, mark) + 2 * PLATE_PAD - 2;
  plate_width = mark + text_width + 3 * PLATE_PAD;
  /* Little faces in a crowd: only the mark, so that plates do not cover each other; the chosen one says all. */
  brief = !self->chosen && width < plate_width * .6;
  if (brief)
    plate_width = mark + 2 * PLATE_PAD;

  /* Above the frame; inside its top where there is no room; never over the picture's edge. */
  plate_x = 0;
  plate_y = -plate_height - PLATE_GAP;
  if (self->rect.origin.y + plate_y < self->limits.origin.y)
    plate_y = MAX (PLATE_GAP, self->limits.origin.y - self->rect.origin.y + PLATE_GAP);
  plate_x = MIN (plate_x, self->limits.origin.x + self->limits.size.width - self->rect.origin.x - plate_width);
  plate_x = MAX (plate_x, self->limits.origin.x - self->rect.origin.x);

  mien_label_get_color (self->label, TRUE, &color);
  graphene_rect_init (&frame, -line, -line, width + 2 * line, height + 2 * line);
  graphene_rect_init (&plate, plate_x - 1, plate_y - 1, plate_width + 2, plate_height + 2);
  graphene_rect_union (&frame, &plate, &bounds);
  cr = gtk_snapshot_append_cairo (snapshot, &bounds);

  cairo_set_source_rgba (cr, 0, 0, 0, .55);
  cairo_set_line_width (cr, line + 2);
  rounded_rectangle (cr, 0, 0, width, height, 10);
  cairo_stroke_preserve (cr);
  gdk_cairo_set_source_rgba (cr, &color);
  cairo_set_line_width (cr, line);
  cairo_stroke (cr);

  cairo_set_source_rgba (cr, .06, .06, .07, .82);
  rounded_rectangle (cr, plate_x, plate_y, plate_width, plate_height, plate_height / 2);
  cairo_fill (cr);
  cairo_save (cr);
  cairo_translate (cr, plate_x + PLATE_PAD, plate_y + (plate_height - mark) / 2);
  gdk_cairo_set_source_rgba (cr, &color);
  mien_label_draw_mark (self->label, cr, mark);
  cairo_restore (cr);
  if (!brief) {
    cairo_move_to (cr, plate_x + 2 * PLATE_PAD + mark, plate_y + (plate_height - text_height) / 2);
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
  gtk_widget_queue_draw (widget);
}

static void
mien_face_mark_system_setting_changed (GtkWidget *widget, GtkSystemSetting setting)
{
  GTK_WIDGET_CLASS (mien_face_mark_parent_class)->system_setting_changed (widget, setting);
  g_clear_object (&MIEN_FACE_MARK (widget)->layout);
  gtk_widget_queue_draw (widget);
}

static void
mien_face_mark_finalize (GObject *object)
{
  MienFaceMark *self = MIEN_FACE_MARK (object);

  g_clear_object (&self->layout);
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
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

void
mien_face_mark_place (MienFaceMark *self, const graphene_rect_t *rect, const graphene_rect_t *limits)
{
  GskTransform *place = gsk_transform_translate (NULL, &rect->origin);
  int baseline = -1, ignored;

  if (!graphene_rect_equal (rect, &self->rect) || !graphene_rect_equal (limits, &self->limits)) {
    self->rect = *rect;
    self->limits = *limits;
    gtk_widget_queue_draw (GTK_WIDGET (self));
  }
  gtk_widget_measure (GTK_WIDGET (self), GTK_ORIENTATION_HORIZONTAL, -1, &ignored, NULL, NULL, NULL);
  gtk_widget_allocate (GTK_WIDGET (self), MAX (1, (int) rect->size.width), MAX (1, (int) rect->size.height), baseline, place);
}
