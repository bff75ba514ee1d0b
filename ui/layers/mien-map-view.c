/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-map-view.h. */
#include "mien-config.h"

#include "layers/mien-map-view.h"

#include <math.h>
#include <glib/gi18n.h>

struct _MienMapView {
  GtkWidget parent_instance;

  /* owned */
  MienMapSource *source;
  GdkTexture *texture; /* NULL: to be made at the next drawing */
  int texture_scale;

  int channel;
  int size;            /* the source's cell size when last asked */
  gboolean fill;
  double face_share;
};

G_DEFINE_FINAL_TYPE (MienMapView, mien_map_view, GTK_TYPE_WIDGET)

enum { PROP_0, PROP_CHANNEL, PROP_FACE_SHARE, N_PROPS };
static GParamSpec *props[N_PROPS];

static void
stale (MienMapView *self)
{
  g_clear_object (&self->texture);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
source_changed_cb (MienMapView *self)
{
  const int size = mien_map_source_get_cell_size (self->source);

  if (!self->fill && size != self->size) {
    self->size = size;
    gtk_widget_queue_resize (GTK_WIDGET (self));
  }
  stale (self);
}

/* The map as large as it fits with its own proportions, in the middle. */
static gboolean
get_frame (MienMapView *self, graphene_rect_t *frame, int *rows, int *columns)
{
  const float width = gtk_widget_get_width (GTK_WIDGET (self)), height = gtk_widget_get_height (GTK_WIDGET (self));
  float scale;

  if (self->source == NULL || self->channel < 0 || self->channel >= mien_map_source_get_n_channels (self->source) || width < 1 || height < 1)
    return FALSE;
  mien_activations_get_map (mien_map_source_get_activations (self->source), mien_map_source_get_layer (self->source), self->channel, rows, columns);
  scale = MIN (width / *columns, height / *rows);
  *frame = GRAPHENE_RECT_INIT (floorf ((width - *columns * scale) / 2), floorf ((height - *rows * scale) / 2), floorf (*columns * scale),
                               floorf (*rows * scale));
  return TRUE;
}

static void
mien_map_view_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  MienMapView *self = MIEN_MAP_VIEW (widget);
  graphene_rect_t frame;
  int rows, columns, scale;

  if (!get_frame (self, &frame, &rows, &columns))
    return;

  /* GTK enlarges with soft edges; enlarging to at least the drawn size first keeps the map's pixels sharp. */
  scale = (int) ceilf (frame.size.width * gtk_widget_get_scale_factor (widget) / columns);
  scale = CLAMP (scale, 1, MAX (1, 2048 / MAX (rows, columns)));
  if (self->texture == NULL || scale != self->texture_scale) {
    g_clear_object (&self->texture);
    self->texture = mien_map_source_render (self->source, self->channel, scale);
    self->texture_scale = scale;
  }
  if (self->texture == NULL)
    return;
  if (self->face_share < 1)
    gtk_snapshot_append_texture (snapshot, self->texture, &frame);
  if (self->face_share > 0) {
    g_autoptr (GdkTexture) face = mien_map_source_render_face (self->source);

    gtk_snapshot_push_opacity (snapshot, self->face_share);
    gtk_snapshot_append_texture (snapshot, face, &frame);
    gtk_snapshot_pop (snapshot);
  }
}

static void
mien_map_view_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *minimum_baseline,
                       int *natural_baseline)
{
  MienMapView *self = MIEN_MAP_VIEW (widget);

  if (self->fill) {
    *minimum = 16;
    *natural = orientation == GTK_ORIENTATION_VERTICAL && for_size > 0 ? for_size : 288;
    *minimum = orientation == GTK_ORIENTATION_VERTICAL && for_size > 0 ? MIN (for_size, 160) : 16;
  } else {
    *minimum = *natural = self->size;
  }
}

static GtkSizeRequestMode
mien_map_view_get_request_mode (GtkWidget *widget)
{
  return MIEN_MAP_VIEW (widget)->fill ? GTK_SIZE_REQUEST_HEIGHT_FOR_WIDTH : GTK_SIZE_REQUEST_CONSTANT_SIZE;
}

static void
mien_map_view_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  MienMapView *self = MIEN_MAP_VIEW (object);

  switch (id) {
  case PROP_CHANNEL:
    g_value_set_int (value, self->channel);
    break;
  case PROP_FACE_SHARE:
    g_value_set_double (value, self->face_share);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_map_view_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  switch (id) {
  case PROP_CHANNEL:
    mien_map_view_set_channel (MIEN_MAP_VIEW (object), g_value_get_int (value));
    break;
  case PROP_FACE_SHARE:
    mien_map_view_set_face_share (MIEN_MAP_VIEW (object), g_value_get_double (value));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_map_view_dispose (GObject *object)
{
  MienMapView *self = MIEN_MAP_VIEW (object);

  mien_map_view_set_source (self, NULL);
  g_clear_object (&self->texture);
  G_OBJECT_CLASS (mien_map_view_parent_class)->dispose (object);
}

static void
mien_map_view_class_init (MienMapViewClass *klass)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = mien_map_view_dispose;
  object_class->get_property = mien_map_view_get_property;
  object_class->set_property = mien_map_view_set_property;
  widget_class->snapshot = mien_map_view_snapshot;
  widget_class->measure = mien_map_view_measure;
  widget_class->get_request_mode = mien_map_view_get_request_mode;
  props[PROP_CHANNEL] = g_param_spec_int ("channel", NULL, NULL, -1, G_MAXINT, -1, flags);
  props[PROP_FACE_SHARE] = g_param_spec_double ("face-share", NULL, NULL, 0, 1, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
  gtk_widget_class_set_css_name (widget_class, "mapview");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
mien_map_view_init (MienMapView *self)
{
  self->channel = -1;
  self->fill = TRUE;
  self->size = 96;
}

GtkWidget *
mien_map_view_new (MienMapSource *source, gboolean fill)
{
  MienMapView *self = g_object_new (MIEN_TYPE_MAP_VIEW, NULL);

  self->fill = fill;
  mien_map_view_set_source (self, source);
  return GTK_WIDGET (self);
}

void
mien_map_view_set_source (MienMapView *self, MienMapSource *source)
{
  g_return_if_fail (MIEN_IS_MAP_VIEW (self));
  if (self->source == source)
    return;
  if (self->source != NULL)
    g_signal_handlers_disconnect_by_data (self->source, self);
  g_set_object (&self->source, source);
  if (source != NULL) {
    g_signal_connect_object (source, "changed", G_CALLBACK (source_changed_cb), self, G_CONNECT_SWAPPED);
    source_changed_cb (self);
  }
}

void
mien_map_view_set_channel (MienMapView *self, int channel)
{
  g_autofree char *label = NULL;

  g_return_if_fail (MIEN_IS_MAP_VIEW (self));
  if (self->channel == channel)
    return;
  self->channel = channel;
  /* Translators: the number of a feature map within its layer. */
  label = g_strdup_printf (_("Map %d"), channel + 1);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
  stale (self);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_CHANNEL]);
}

int
mien_map_view_get_channel (MienMapView *self)
{
  g_return_val_if_fail (MIEN_IS_MAP_VIEW (self), -1);
  return self->channel;
}

void
mien_map_view_set_face_share (MienMapView *self, double share)
{
  g_return_if_fail (MIEN_IS_MAP_VIEW (self));
  if (self->face_share == share)
    return;
  self->face_share = share;
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_FACE_SHARE]);
}

double
mien_map_view_get_face_share (MienMapView *self)
{
  g_return_val_if_fail (MIEN_IS_MAP_VIEW (self), 0);
  return self->face_share;
}

gboolean
mien_map_view_pick (MienMapView *self, double x, double y, int *row, int *column, float *value)
{
  const float *values;
  graphene_rect_t frame;
  int rows, columns;

  g_return_val_if_fail (MIEN_IS_MAP_VIEW (self), FALSE);
  if (!get_frame (self, &frame, &rows, &columns) || !graphene_rect_contains_point (&frame, &GRAPHENE_POINT_INIT ((float) x, (float) y)))
    return FALSE;
  values = mien_activations_get_map (mien_map_source_get_activations (self->source), mien_map_source_get_layer (self->source), self->channel, &rows,
                                     &columns);
  *column = CLAMP ((int) ((x - frame.origin.x) / frame.size.width * columns), 0, columns - 1);
  *row = CLAMP ((int) ((y - frame.origin.y) / frame.size.height * rows), 0, rows - 1);
  *value = values[*row * columns + *column];
  return TRUE;
}
