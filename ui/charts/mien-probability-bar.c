/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One row of the probabilities; see the header. */
#include "mien-config.h"

#include "charts/mien-probability-bar.h"

#include <adwaita.h>
#include <glib/gi18n.h>
#include <math.h>

#include "charts/mien-label.h"

#define MARK 18
#define GAP 8
#define BAR_HEIGHT 10
#define BAR_MIN_WIDTH 48
#define BAR_NATURAL_WIDTH 120
#define ARRIVED .002
#define TELL_US (G_USEC_PER_SEC / 2) /* how often screen readers and the like hear of a new value */

struct _MienProbabilityBar {
  GtkWidget parent_instance;

  char *label;
  GtkWidget *name, *number;
  double value;  /* below 0: none */
  double shown;  /* what the bar stands at */
  gboolean top;
  int percent;
  gint64 told_us;
  guint tell_id;
};

G_DEFINE_FINAL_TYPE (MienProbabilityBar, mien_probability_bar, GTK_TYPE_WIDGET)

static void
tell_value (MienProbabilityBar *self)
{
  g_autofree char *text = self->value < 0 ? g_strdup (_("No value")) : mien_label_format_percent (self->value);

  self->told_us = g_get_monotonic_time ();
  /* GTK 4.8 tells screen readers the values of its own widgets only; the description carries it to them. */
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_VALUE_NOW, MAX (0, self->value) * 100,
                                  GTK_ACCESSIBLE_PROPERTY_VALUE_TEXT, text, GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, text, -1);
}

static gboolean
tell_cb (gpointer user_data)
{
  MienProbabilityBar *self = user_data;

  self->tell_id = 0;
  tell_value (self);
  return G_SOURCE_REMOVE;
}

/* At once when it is quiet, else once the pause is over, so that the last value is always told. */
static void
tell_value_soon (MienProbabilityBar *self)
{
  gint64 wait_us = self->told_us + TELL_US - g_get_monotonic_time ();

  if (self->tell_id != 0)
    return;
  if (wait_us <= 0)
    tell_value (self);
  else
    self->tell_id = g_timeout_add (wait_us / 1000 + 1, tell_cb, self);
}

static void
mien_probability_bar_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *minimum_baseline,
                              int *natural_baseline)
{
  MienProbabilityBar *self = MIEN_PROBABILITY_BAR (widget);
  int name_min, name_nat, number_min, number_nat;

  gtk_widget_measure (self->name, orientation, -1, &name_min, &name_nat, NULL, NULL);
  gtk_widget_measure (self->number, orientation, -1, &number_min, &number_nat, NULL, NULL);
  if (orientation == GTK_ORIENTATION_VERTICAL) {
    *minimum = *natural = MAX (MARK, MAX (name_min, number_min));
    return;
  }
  *minimum = MARK + name_min + number_min + BAR_MIN_WIDTH + 3 * GAP;
  *natural = MARK + name_nat + number_nat + BAR_NATURAL_WIDTH + 3 * GAP;
}

/* Columns from the reading side: mark, name, bar, number. */
static void
find_columns (MienProbabilityBar *self, int width, int *name_width, int *number_width, int *bar_x, int *bar_width)
{
  int name_min, number_min, name_nat, spare;

  gtk_widget_measure (self->name, GTK_ORIENTATION_HORIZONTAL, -1, &name_min, &name_nat, NULL, NULL);
  gtk_widget_measure (self->number, GTK_ORIENTATION_HORIZONTAL, -1, &number_min, number_width, NULL, NULL);
  spare = width - MARK - 3 * GAP - *number_width - BAR_MIN_WIDTH;
  *name_width = CLAMP (spare, name_min, name_nat);
  *bar_x = MARK + GAP + *name_width + GAP;
  *bar_width = MAX (0, width - *bar_x - GAP - *number_width);
}

static void
allocate_child (GtkWidget *child, int x, int width, int total_width, int height, gboolean reverse)
{
  gtk_widget_size_allocate (child, &(GtkAllocation) { reverse ? total_width - x - width : x, 0, width, height }, -1);
}

static void
mien_probability_bar_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  MienProbabilityBar *self = MIEN_PROBABILITY_BAR (widget);
  gboolean reverse = gtk_widget_get_direction (widget) == GTK_TEXT_DIR_RTL;
  int name_width, number_width, bar_x, bar_width;

  find_columns (self, width, &name_width, &number_width, &bar_x, &bar_width);
  allocate_child (self->name, MARK + GAP, name_width, width, height, reverse);
  allocate_child (self->number, width - number_width, number_width, width, height, reverse);
}

static void
mien_probability_bar_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  MienProbabilityBar *self = MIEN_PROBABILITY_BAR (widget);
  const int width = gtk_widget_get_width (widget), height = gtk_widget_get_height (widget);
  gboolean reverse = gtk_widget_get_direction (widget) == GTK_TEXT_DIR_RTL;
  gboolean dark = adw_style_manager_get_dark (adw_style_manager_get_default ());
  int name_width, number_width, bar_x, bar_width, mark_x;
  GskRoundedRect track;
  graphene_rect_t fill;
  GdkRGBA color, ink;
  cairo_t *cr;
  double length;

  if (width < 1 || height < 1)
    return;
  find_columns (self, width, &name_width, &number_width, &bar_x, &bar_width);
  mark_x = reverse ? width - MARK : 0;
  if (reverse)
    bar_x = width - bar_x - bar_width;
  mien_label_get_color (self->label, dark, &color);
  gtk_style_context_get_color (gtk_widget_get_style_context (widget), &ink);

  cr = gtk_snapshot_append_cairo (snapshot, &GRAPHENE_RECT_INIT (mark_x, (height - MARK) / 2., MARK, MARK));
  cairo_translate (cr, mark_x, (height - MARK) / 2.);
  gdk_cairo_set_source_rgba (cr, &color);
  mien_label_draw_mark (self->label, cr, MARK);
  cairo_destroy (cr);

  gsk_rounded_rect_init_from_rect (&track, &GRAPHENE_RECT_INIT (bar_x, (height - BAR_HEIGHT) / 2., bar_width, BAR_HEIGHT), BAR_HEIGHT / 2.);
  gtk_snapshot_push_rounded_clip (snapshot, &track);
  ink.alpha *= .13;
  gtk_snapshot_append_color (snapshot, &ink, &track.bounds);
  length = bar_width * CLAMP (self->shown, 0, 1);
  if (length > .5) {
    graphene_rect_init (&fill, reverse ? bar_x + bar_width - length : bar_x, track.bounds.origin.y, length, BAR_HEIGHT);
    gtk_snapshot_append_color (snapshot, &color, &fill);
  }
  gtk_snapshot_pop (snapshot);

  gtk_widget_snapshot_child (widget, self->name, snapshot);
  gtk_widget_snapshot_child (widget, self->number, snapshot);
}

static void
mien_probability_bar_dispose (GObject *object)
{
  MienProbabilityBar *self = MIEN_PROBABILITY_BAR (object);

  g_clear_handle_id (&self->tell_id, g_source_remove);
  g_clear_pointer (&self->name, gtk_widget_unparent);
  g_clear_pointer (&self->number, gtk_widget_unparent);
  G_OBJECT_CLASS (mien_probability_bar_parent_class)->dispose (object);
}

static void
mien_probability_bar_finalize (GObject *object)
{
  g_free (MIEN_PROBABILITY_BAR (object)->label);
  G_OBJECT_CLASS (mien_probability_bar_parent_class)->finalize (object);
}

static void
mien_probability_bar_class_init (MienProbabilityBarClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = mien_probability_bar_dispose;
  G_OBJECT_CLASS (klass)->finalize = mien_probability_bar_finalize;
  widget_class->measure = mien_probability_bar_measure;
  widget_class->size_allocate = mien_probability_bar_size_allocate;
  widget_class->snapshot = mien_probability_bar_snapshot;
  gtk_widget_class_set_css_name (widget_class, "probabilitybar");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_METER);
}

static void
mien_probability_bar_init (MienProbabilityBar *self)
{
  /* The row itself speaks for its two texts. */
  self->name = g_object_new (GTK_TYPE_LABEL, "accessible-role", GTK_ACCESSIBLE_ROLE_PRESENTATION, "xalign", 0.f, "ellipsize",
                             PANGO_ELLIPSIZE_END, "width-chars", 4, NULL);
  self->number = g_object_new (GTK_TYPE_LABEL, "accessible-role", GTK_ACCESSIBLE_ROLE_PRESENTATION, "xalign", 1.f, "width-chars", 5, NULL);
  gtk_widget_add_css_class (self->number, "numeric");
  gtk_widget_set_parent (self->name, GTK_WIDGET (self));
  gtk_widget_set_parent (self->number, GTK_WIDGET (self));
  g_signal_connect_object (adw_style_manager_get_default (), "notify::dark", G_CALLBACK (gtk_widget_queue_draw), self, G_CONNECT_SWAPPED);
  self->percent = -2;
}

GtkWidget *
mien_probability_bar_new (const char *label, GtkSizeGroup *names, GtkSizeGroup *values)
{
  MienProbabilityBar *self = g_object_new (MIEN_TYPE_PROBABILITY_BAR, NULL);

  self->label = g_strdup (label);
  gtk_label_set_label (GTK_LABEL (self->name), mien_label_display (label));
  gtk_size_group_add_widget (names, self->name);
  gtk_size_group_add_widget (values, self->number);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, mien_label_display (label),
                                  GTK_ACCESSIBLE_PROPERTY_VALUE_MIN, 0., GTK_ACCESSIBLE_PROPERTY_VALUE_MAX, 100., -1);
  mien_probability_bar_set_value (self, -1, FALSE);
  return GTK_WIDGET (self);
}

const char *
mien_probability_bar_get_label (MienProbabilityBar *self)
{
  return self->label;
}

void
mien_probability_bar_set_value (MienProbabilityBar *self, double value, gboolean top)
{
  int percent = value < 0 ? -1 : (int) lrint (value * 100);

  self->value = value < 0 ? -1 : MIN (value, 1);
  if (self->top != top) {
    self->top = top;
    if (top)
      gtk_widget_add_css_class (GTK_WIDGET (self), "top");
    else
      gtk_widget_remove_css_class (GTK_WIDGET (self), "top");
  }
  if (self->percent == percent)
    return;
  self->percent = percent;
  if (percent < 0) {
    gtk_label_set_label (GTK_LABEL (self->number), "–");
  } else {
    g_autofree char *text = mien_label_format_percent (value);

    gtk_label_set_label (GTK_LABEL (self->number), text);
  }
  tell_value_soon (self);
}

double
mien_probability_bar_get_value (MienProbabilityBar *self)
{
  return self->value;
}

gboolean
mien_probability_bar_step (MienProbabilityBar *self, double share)
{
  double goal = MAX (0, self->value), before = self->shown;

  self->shown += (goal - self->shown) * CLAMP (share, 0, 1);
  if (fabs (goal - self->shown) < ARRIVED)
    self->shown = goal;
  if (self->shown != before)
    gtk_widget_queue_draw (GTK_WIDGET (self));
  return self->shown == goal;
}
