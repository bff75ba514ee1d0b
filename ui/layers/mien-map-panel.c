/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-map-panel.h. */
#include "mien-config.h"

#include "layers/mien-map-panel.h"

#include <glib/gi18n.h>

#include "charts/mien-label.h"
#include "layers/mien-map-view.h"

struct _MienMapPanel {
  AdwBin parent_instance;

  /* template children */
  GtkLabel *title, *readout, *min, *max, *mean, *dead;
  GtkWidget *previous, *next, *kernel_row;
  GtkPicture *kernel;
  MienMapView *view;

  /* owned */
  MienMapSource *source;

  int channel;
  double pointer_x, pointer_y; /* negative: not over the map */
};

G_DEFINE_FINAL_TYPE (MienMapPanel, mien_map_panel, ADW_TYPE_BIN)

enum { CLOSED, STEP, N_SIGNALS };
static guint signals[N_SIGNALS];

static void
set_number (GtkLabel *label, double value)
{
  g_autofree char *text = g_strdup_printf ("%.3g", value);

  gtk_label_set_label (label, text);
}

static void
update_readout (MienMapPanel *self)
{
  int row, column;
  float value;

  if (self->pointer_x >= 0 && mien_map_view_pick (self->view, self->pointer_x, self->pointer_y, &row, &column, &value)) {
    /* Translators: a place in a feature map and the value there. */
    g_autofree char *text = g_strdup_printf (_("Column %d, row %d: %.3g"), column + 1, row + 1, value);
    gtk_label_set_label (self->readout, text);
  } else {
    gtk_label_set_label (self->readout, _("Point at the map to read its values"));
  }
}

static void
update (MienMapPanel *self)
{
  const int n = self->source != NULL ? mien_map_source_get_n_channels (self->source) : 0;
  g_autofree char *title = NULL, *share = NULL, *description = NULL;
  MienMapStats stats;

  if (self->channel < 0 || self->channel >= n)
    return;
  mien_activations_get_stats (mien_map_source_get_activations (self->source), mien_map_source_get_layer (self->source), self->channel, &stats);
  /* Translators: "Map 3 of 32" of a layer. */
  title = g_strdup_printf (_("Map %d of %d"), self->channel + 1, n);
  share = mien_label_format_percent (stats.dead);
  gtk_label_set_label (self->title, title);
  set_number (self->min, stats.min);
  set_number (self->max, stats.max);
  set_number (self->mean, stats.mean);
  gtk_label_set_label (self->dead, share);
  description = g_strdup_printf (_("From %.3g to %.3g, mean %.3g, silent share %s"), stats.min, stats.max, stats.mean, share);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->view), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, description, -1);
  update_readout (self);
}

static void
motion_cb (MienMapPanel *self, double x, double y)
{
  self->pointer_x = x;
  self->pointer_y = y;
  update_readout (self);
}

static void
leave_cb (MienMapPanel *self)
{
  self->pointer_x = -1;
  update_readout (self);
}

static void
previous_cb (MienMapPanel *self)
{
  g_signal_emit (self, signals[STEP], 0, -1);
}

static void
next_cb (MienMapPanel *self)
{
  g_signal_emit (self, signals[STEP], 0, 1);
}

static void
close_cb (MienMapPanel *self)
{
  g_signal_emit (self, signals[CLOSED], 0);
}

/* Drag a map out: the picture as it would be pasted, 8 pixels a value at least. */
static GdkContentProvider *
drag_prepare_cb (GtkDragSource *source, double x, double y, gpointer data)
{
  MienMapPanel *self = data;
  g_autoptr (GdkTexture) texture = self->source != NULL ? mien_map_source_render (self->source, self->channel, 8) : NULL;

  if (texture == NULL)
    return NULL;
  gtk_drag_source_set_icon (source, GDK_PAINTABLE (texture), 0, 0);
  return gdk_content_provider_new_typed (GDK_TYPE_TEXTURE, texture);
}

static void
mien_map_panel_dispose (GObject *object)
{
  MienMapPanel *self = MIEN_MAP_PANEL (object);

  mien_map_panel_set_source (self, NULL);
  gtk_widget_dispose_template (GTK_WIDGET (self), MIEN_TYPE_MAP_PANEL);
  G_OBJECT_CLASS (mien_map_panel_parent_class)->dispose (object);
}

static void
mien_map_panel_class_init (MienMapPanelClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = mien_map_panel_dispose;
  g_type_ensure (MIEN_TYPE_MAP_VIEW);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/mien/Mien/ui/mien-map-panel.ui");
  gtk_widget_class_bind_template_child (widget_class, MienMapPanel, title);
  gtk_widget_class_bind_template_child (widget_class, MienMapPanel, readout);
  gtk_widget_class_bind_template_child (widget_class, MienMapPanel, min);
  gtk_widget_class_bind_template_child (widget_class, MienMapPanel, max);
  gtk_widget_class_bind_template_child (widget_class, MienMapPanel, mean);
  gtk_widget_class_bind_template_child (widget_class, MienMapPanel, dead);
  gtk_widget_class_bind_template_child (widget_class, MienMapPanel, previous);
  gtk_widget_class_bind_template_child (widget_class, MienMapPanel, next);
  gtk_widget_class_bind_template_child (widget_class, MienMapPanel, kernel_row);
  gtk_widget_class_bind_template_child (widget_class, MienMapPanel, kernel);
  gtk_widget_class_bind_template_child (widget_class, MienMapPanel, view);
  gtk_widget_class_bind_template_callback (widget_class, previous_cb);
  gtk_widget_class_bind_template_callback (widget_class, next_cb);
  gtk_widget_class_bind_template_callback (widget_class, close_cb);
  signals[CLOSED] = g_signal_new ("closed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[STEP] = g_signal_new ("step", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
}

static void
mien_map_panel_init (MienMapPanel *self)
{
  GtkEventController *motion = gtk_event_controller_motion_new ();
  GtkDragSource *drag = gtk_drag_source_new ();

  self->channel = -1;
  self->pointer_x = -1;
  gtk_widget_init_template (GTK_WIDGET (self));
  g_signal_connect_swapped (motion, "motion", G_CALLBACK (motion_cb), self);
  g_signal_connect_swapped (motion, "leave", G_CALLBACK (leave_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self->view), motion);
  g_signal_connect (drag, "prepare", G_CALLBACK (drag_prepare_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self->view), GTK_EVENT_CONTROLLER (drag));
}

void
mien_map_panel_set_source (MienMapPanel *self, MienMapSource *source)
{
  g_return_if_fail (MIEN_IS_MAP_PANEL (self));
  if (self->source == source)
    return;
  if (self->source != NULL)
    g_signal_handlers_disconnect_by_data (self->source, self);
  g_set_object (&self->source, source);
  mien_map_view_set_source (self->view, source);
  if (source != NULL)
    g_signal_connect_object (source, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
}

void
mien_map_panel_set_channel (MienMapPanel *self, int channel)
{
  g_return_if_fail (MIEN_IS_MAP_PANEL (self));
  self->channel = channel;
  mien_map_view_set_channel (self->view, channel);
  update (self);
}

void
mien_map_panel_set_kernel (MienMapPanel *self, const float *kernel, int height, int width)
{
  g_autoptr (GdkTexture) texture = NULL;

  g_return_if_fail (MIEN_IS_MAP_PANEL (self));
  if (kernel != NULL)
    texture = mien_map_source_render_kernel (kernel, height, width, MAX (1, 54 / MAX (height, width)));
  gtk_picture_set_paintable (self->kernel, GDK_PAINTABLE (texture));
  gtk_widget_set_visible (self->kernel_row, kernel != NULL);
}

int
mien_map_panel_get_channel (MienMapPanel *self)
{
  g_return_val_if_fail (MIEN_IS_MAP_PANEL (self), -1);
  return self->channel;
}
