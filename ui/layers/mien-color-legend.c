/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-color-legend.h. */
#include "mien-config.h"

#include "layers/mien-color-legend.h"

#include <glib/gi18n.h>

struct _MienColorLegend {
  GtkWidget parent_instance;
  GdkTexture *texture; /* 256 x 1 */
};

G_DEFINE_FINAL_TYPE (MienColorLegend, mien_color_legend, GTK_TYPE_WIDGET)

static void
mien_color_legend_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  const graphene_rect_t area = GRAPHENE_RECT_INIT (0, 0, (float) gtk_widget_get_width (widget), (float) gtk_widget_get_height (widget));
  GskRoundedRect outline;

  gsk_rounded_rect_init_from_rect (&outline, &area, 4);
  gtk_snapshot_push_rounded_clip (snapshot, &outline);
  gtk_snapshot_append_texture (snapshot, MIEN_COLOR_LEGEND (widget)->texture, &area);
  gtk_snapshot_pop (snapshot);
}

static void
mien_color_legend_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *minimum_baseline,
                           int *natural_baseline)
{
  *minimum = orientation == GTK_ORIENTATION_HORIZONTAL ? 48 : 10;
  *natural = orientation == GTK_ORIENTATION_HORIZONTAL ? 160 : 10;
}

static void
mien_color_legend_dispose (GObject *object)
{
  g_clear_object (&MIEN_COLOR_LEGEND (object)->texture);
  G_OBJECT_CLASS (mien_color_legend_parent_class)->dispose (object);
}

static void
mien_color_legend_class_init (MienColorLegendClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = mien_color_legend_dispose;
  widget_class->snapshot = mien_color_legend_snapshot;
  widget_class->measure = mien_color_legend_measure;
  gtk_widget_class_set_css_name (widget_class, "colorlegend");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
mien_color_legend_init (MienColorLegend *self)
{
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Colors from the lowest to the highest value"), -1);
  mien_color_legend_set_map (self, MIEN_COLOR_MAP_GLOW);
}

void
mien_color_legend_set_map (MienColorLegend *self, MienColorMap map)
{
  guint32 colours[256];
  g_autoptr (GBytes) bytes = NULL;

  g_return_if_fail (MIEN_IS_COLOR_LEGEND (self));
  mien_color_map_fill (map, colours);
  bytes = g_bytes_new (colours, sizeof colours);
  g_clear_object (&self->texture);
  self->texture = gdk_memory_texture_new (256, 1, GDK_MEMORY_DEFAULT, bytes, sizeof colours);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}
