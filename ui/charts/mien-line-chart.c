/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The chart as a widget: properties, pointer, keys, clipboard. What it looks like is in mien-line-chart-draw.c. */
#include "mien-config.h"

#include "charts/mien-line-chart-private.h"

#include <math.h>
#include <glib/gi18n.h>

G_DEFINE_FINAL_TYPE (MienLineChart, mien_line_chart, GTK_TYPE_WIDGET)

enum { PROP_0, PROP_DATA, PROP_TITLE, PROP_X_TITLE, PROP_FORMAT, N_PROPS };
static GParamSpec *props[N_PROPS];

GType
mien_chart_format_get_type (void)
{
  static GType type;

  if (g_once_init_enter (&type)) {
    static const GEnumValue values[] = {
      { MIEN_CHART_NUMBER, "MIEN_CHART_NUMBER", "number" },
      { MIEN_CHART_PERCENT, "MIEN_CHART_PERCENT", "percent" },
      { 0, NULL, NULL },
    };
    g_once_init_leave (&type, g_enum_register_static ("MienChartFormat", values));
  }
  return type;
}

/* "Training 0.81, Validation 0.93" at x, or the newest values for x NAN. */
static char *
describe (MienLineChart *self, double x)
{
  GString *text = g_string_new (NULL);

  for (int i = 0; self->data != NULL && i < mien_line_data_get_n_series (self->data); i++) {
    double y = mien_line_data_get_last (self->data, i);
    g_autofree char *value = NULL;

    if (!isnan (x)) {
      int n;
      const MienPoint *points = mien_line_data_get_points (self->data, i, &n);
      const int at = mien_line_data_find (self->data, i, x);

      if (at < 0 || points[at].x != x)
        continue;
      y = points[at].y;
    }
    if (!isfinite (y))
      continue;
    value = mien_chart_format (y, MIEN_CHART_VALUE_DIGITS, self->format);
    if (text->len > 0)
      g_string_append (text, ", ");
    /* Translators: the name of a curve and its value: "Validation 0.93". */
    g_string_append_printf (text, _("%s %s"), mien_line_data_get_name (self->data, i), value);
  }
  return g_string_free (text, FALSE);
}

static gboolean
describe_cb (gpointer data)
{
  MienLineChart *self = data;
  g_autofree char *cursor = mien_line_chart_dup_cursor_text (self);
  g_autofree char *newest = describe (self, NAN);
  const char *text = cursor != NULL ? cursor : *newest != '\0' ? newest : _("No values yet");

  self->describe_id = 0;
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, self->title != NULL ? self->title : "",
                                  GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, text, -1);
  return G_SOURCE_REMOVE;
}

static void
changed (MienLineChart *self)
{
  gtk_widget_queue_draw (GTK_WIDGET (self));
  if (self->describe_id == 0)
    self->describe_id = g_idle_add_full (G_PRIORITY_LOW, describe_cb, self, NULL);
}

static void
data_changed_cb (MienLineChart *self)
{
  if (!isnan (self->cursor))
    mien_line_chart_set_cursor (self, self->cursor); /* its point may be gone */
  changed (self);
}

static void
motion_cb (MienLineChart *self, double x, double y)
{
  MienPoint lo, hi;

  if (self->data == NULL || !mien_line_data_get_range (self->data, &lo, &hi) || self->plot.size.width <= 0)
    return;
  mien_line_chart_set_cursor (self, mien_chart_map (x, self->plot.origin.x, self->plot.origin.x + self->plot.size.width, lo.x, hi.x));
}

static void
leave_cb (MienLineChart *self)
{
  mien_line_chart_set_cursor (self, NAN);
}

/* The next x with a point to the left (-1) or right (1) of the cursor, over all series. */
static double
step_cursor (MienLineChart *self, int direction)
{
  double best = NAN;

  for (int i = 0; i < mien_line_data_get_n_series (self->data); i++) {
    int n;
    const MienPoint *points = mien_line_data_get_points (self->data, i, &n);
    int at = mien_line_data_find (self->data, i, self->cursor);

    while (at >= 0 && at < n && (points[at].x - self->cursor) * direction <= 0)
      at += direction;
    if (at >= 0 && at < n && (isnan (best) || (points[at].x - best) * direction < 0))
      best = points[at].x;
  }
  return isnan (best) ? self->cursor : best;
}

static gboolean
key_pressed_cb (MienLineChart *self, guint key, guint code, GdkModifierType state)
{
  MienPoint lo, hi;

  if ((state & gtk_accelerator_get_default_mod_mask ()) != 0 || self->data == NULL || !mien_line_data_get_range (self->data, &lo, &hi))
    return FALSE;
  switch (key) {
  case GDK_KEY_Left:
  case GDK_KEY_KP_Left:
    mien_line_chart_set_cursor (self, isnan (self->cursor) ? hi.x : step_cursor (self, -1));
    return TRUE;
  case GDK_KEY_Right:
  case GDK_KEY_KP_Right:
    mien_line_chart_set_cursor (self, isnan (self->cursor) ? lo.x : step_cursor (self, 1));
    return TRUE;
  case GDK_KEY_Home:
    mien_line_chart_set_cursor (self, lo.x);
    return TRUE;
  case GDK_KEY_End:
    mien_line_chart_set_cursor (self, hi.x);
    return TRUE;
  case GDK_KEY_Escape:
    if (isnan (self->cursor))
      return FALSE;
    mien_line_chart_set_cursor (self, NAN);
    return TRUE;
  default:
    return FALSE;
  }
}

/* As drawn now, on the window's background, so that it is readable wherever it is pasted. */
static GdkTexture *
make_texture (MienLineChart *self)
{
  GtkNative *native = gtk_widget_get_native (GTK_WIDGET (self));
  const int width = gtk_widget_get_width (GTK_WIDGET (self)), height = gtk_widget_get_height (GTK_WIDGET (self));
  const int scale = MAX (2, gtk_widget_get_scale_factor (GTK_WIDGET (self)));
  g_autoptr (GtkSnapshot) snapshot = gtk_snapshot_new ();
  g_autoptr (GskRenderNode) node = NULL;
  GdkRGBA background = { 1, 1, 1, 1 };

  if (native == NULL || width <= 0 || height <= 0)
    return NULL;
  gtk_style_context_lookup_color (gtk_widget_get_style_context (GTK_WIDGET (self)), "window_bg_color", &background);
  gtk_snapshot_scale (snapshot, scale, scale);
  gtk_snapshot_append_color (snapshot, &background, &GRAPHENE_RECT_INIT (0, 0, width, height));
  mien_line_chart_draw (self, snapshot);
  node = gtk_snapshot_free_to_node (g_steal_pointer (&snapshot));
  return gsk_renderer_render_texture (gtk_native_get_renderer (native), node, &GRAPHENE_RECT_INIT (0, 0, width * scale, height * scale));
}

static GdkContentProvider *
make_csv_provider (MienLineChart *self)
{
  g_autofree char *csv = mien_line_data_to_csv (self->data, self->x_title != NULL ? self->x_title : "x");
  g_autoptr (GBytes) bytes = g_bytes_new (csv, strlen (csv));
  GdkContentProvider *both[] = {
    gdk_content_provider_new_for_bytes ("text/csv", bytes),
    gdk_content_provider_new_typed (G_TYPE_STRING, csv),
  };

  return gdk_content_provider_new_union (both, G_N_ELEMENTS (both));
}

static GdkContentProvider *
make_provider (MienLineChart *self)
{
  g_autoptr (GdkTexture) texture = self->data != NULL ? make_texture (self) : NULL;
  GdkContentProvider *both[2];

  if (texture == NULL)
    return NULL;
  both[0] = gdk_content_provider_new_typed (GDK_TYPE_TEXTURE, texture);
  both[1] = make_csv_provider (self);
  return gdk_content_provider_new_union (both, G_N_ELEMENTS (both));
}

static GdkContentProvider *
drag_prepare_cb (GtkDragSource *source, double x, double y, gpointer data)
{
  MienLineChart *self = data;
  g_autoptr (GdkPaintable) icon = gtk_widget_paintable_new (GTK_WIDGET (self));

  gtk_drag_source_set_icon (source, icon, (int) x, (int) y);
  return make_provider (self);
}

static void
copy_action (GtkWidget *widget, const char *name, GVariant *parameter)
{
  MienLineChart *self = MIEN_LINE_CHART (widget);
  GdkClipboard *clipboard = gtk_widget_get_clipboard (widget);
  g_autoptr (GdkContentProvider) provider = NULL;

  if (self->data == NULL)
    return;
  if (g_str_equal (name, "chart.copy-values")) {
    provider = make_csv_provider (self);
  } else if (g_str_equal (name, "chart.copy-picture")) {
    g_autoptr (GdkTexture) texture = make_texture (self);
    if (texture != NULL)
      provider = gdk_content_provider_new_typed (GDK_TYPE_TEXTURE, texture);
  } else {
    provider = make_provider (self);
  }
  if (provider != NULL)
    gdk_clipboard_set_content (clipboard, provider);
}

static void
show_menu (MienLineChart *self, const GdkRectangle *at)
{
  if (self->menu == NULL) {
    g_autoptr (GMenu) menu = g_menu_new ();

    g_menu_append (menu, _("Copy _Picture"), "chart.copy-picture");
    g_menu_append (menu, _("Copy _Values"), "chart.copy-values");
    self->menu = gtk_popover_menu_new_from_model (G_MENU_MODEL (menu));
    gtk_popover_set_has_arrow (GTK_POPOVER (self->menu), FALSE);
    gtk_widget_set_halign (self->menu, GTK_ALIGN_START);
    gtk_widget_set_parent (self->menu, GTK_WIDGET (self));
  }
  gtk_popover_set_pointing_to (GTK_POPOVER (self->menu), at);
  gtk_popover_popup (GTK_POPOVER (self->menu));
}

static void
secondary_cb (MienLineChart *self, int n_press, double x, double y)
{
  show_menu (self, &(GdkRectangle) { (int) x, (int) y, 1, 1 });
}

static void
menu_action (GtkWidget *widget, const char *name, GVariant *parameter)
{
  show_menu (MIEN_LINE_CHART (widget), &(GdkRectangle) { gtk_widget_get_width (widget) / 2, gtk_widget_get_height (widget) / 2, 1, 1 });
}

static void
primary_cb (GtkWidget *widget)
{
  gtk_widget_grab_focus (widget);
}

static void
mien_line_chart_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *minimum_baseline,
                         int *natural_baseline)
{
  *minimum = orientation == GTK_ORIENTATION_HORIZONTAL ? 160 : 120;
  *natural = orientation == GTK_ORIENTATION_HORIZONTAL ? 380 : 230;
}

static void
mien_line_chart_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  if (MIEN_LINE_CHART (widget)->menu != NULL)
    gtk_popover_present (GTK_POPOVER (MIEN_LINE_CHART (widget)->menu));
}

static void
mien_line_chart_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  mien_line_chart_draw (MIEN_LINE_CHART (widget), snapshot);
}

static void
mien_line_chart_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  MienLineChart *self = MIEN_LINE_CHART (object);

  switch (id) {
  case PROP_DATA:
    g_value_set_object (value, self->data);
    break;
  case PROP_TITLE:
    g_value_set_string (value, self->title);
    break;
  case PROP_X_TITLE:
    g_value_set_string (value, self->x_title);
    break;
  case PROP_FORMAT:
    g_value_set_enum (value, self->format);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_line_chart_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  MienLineChart *self = MIEN_LINE_CHART (object);

  switch (id) {
  case PROP_DATA:
    mien_line_chart_set_data (self, g_value_get_object (value));
    break;
  case PROP_TITLE:
    mien_line_chart_set_title (self, g_value_get_string (value));
    break;
  case PROP_X_TITLE:
    mien_line_chart_set_x_title (self, g_value_get_string (value));
    break;
  case PROP_FORMAT:
    mien_line_chart_set_format (self, g_value_get_enum (value));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_line_chart_dispose (GObject *object)
{
  MienLineChart *self = MIEN_LINE_CHART (object);

  g_clear_handle_id (&self->describe_id, g_source_remove);
  g_clear_pointer (&self->menu, gtk_widget_unparent);
  if (self->data != NULL)
    g_signal_handlers_disconnect_by_data (self->data, self);
  g_clear_object (&self->data);
  G_OBJECT_CLASS (mien_line_chart_parent_class)->dispose (object);
}

static void
mien_line_chart_finalize (GObject *object)
{
  g_free (MIEN_LINE_CHART (object)->title);
  g_free (MIEN_LINE_CHART (object)->x_title);
  G_OBJECT_CLASS (mien_line_chart_parent_class)->finalize (object);
}

static void
mien_line_chart_class_init (MienLineChartClass *klass)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = mien_line_chart_dispose;
  object_class->finalize = mien_line_chart_finalize;
  object_class->get_property = mien_line_chart_get_property;
  object_class->set_property = mien_line_chart_set_property;
  widget_class->measure = mien_line_chart_measure;
  widget_class->size_allocate = mien_line_chart_size_allocate;
  widget_class->snapshot = mien_line_chart_snapshot;

  props[PROP_DATA] = g_param_spec_object ("data", NULL, NULL, MIEN_TYPE_LINE_DATA, flags);
  props[PROP_TITLE] = g_param_spec_string ("title", NULL, NULL, NULL, flags);
  props[PROP_X_TITLE] = g_param_spec_string ("x-title", NULL, NULL, NULL, flags);
  props[PROP_FORMAT] = g_param_spec_enum ("format", NULL, NULL, MIEN_TYPE_CHART_FORMAT, MIEN_CHART_NUMBER, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);

  gtk_widget_class_install_action (widget_class, "chart.copy", NULL, copy_action);
  gtk_widget_class_install_action (widget_class, "chart.copy-picture", NULL, copy_action);
  gtk_widget_class_install_action (widget_class, "chart.copy-values", NULL, copy_action);
  gtk_widget_class_install_action (widget_class, "chart.menu", NULL, menu_action);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_c, GDK_CONTROL_MASK, "chart.copy", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_F10, GDK_SHIFT_MASK, "chart.menu", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Menu, 0, "chart.menu", NULL);
  gtk_widget_class_set_css_name (widget_class, "linechart");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
mien_line_chart_init (MienLineChart *self)
{
  GtkEventController *motion = gtk_event_controller_motion_new ();
  GtkEventController *key = gtk_event_controller_key_new ();
  GtkGesture *secondary = gtk_gesture_click_new ();
  GtkGesture *primary = gtk_gesture_click_new ();
  GtkDragSource *drag = gtk_drag_source_new ();

  self->cursor = NAN;
  gtk_widget_set_focusable (GTK_WIDGET (self), TRUE);
  g_signal_connect_swapped (motion, "motion", G_CALLBACK (motion_cb), self);
  g_signal_connect_swapped (motion, "leave", G_CALLBACK (leave_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), motion);
  g_signal_connect_swapped (key, "key-pressed", G_CALLBACK (key_pressed_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), key);
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (secondary), GDK_BUTTON_SECONDARY);
  g_signal_connect_swapped (secondary, "pressed", G_CALLBACK (secondary_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (secondary));
  g_signal_connect_swapped (primary, "pressed", G_CALLBACK (primary_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (primary));
  g_signal_connect (drag, "prepare", G_CALLBACK (drag_prepare_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (drag));
  changed (self);
}

GtkWidget *
mien_line_chart_new (void)
{
  return g_object_new (MIEN_TYPE_LINE_CHART, NULL);
}

void
mien_line_chart_set_data (MienLineChart *self, MienLineData *data)
{
  g_return_if_fail (MIEN_IS_LINE_CHART (self));
  if (self->data == data)
    return;
  if (self->data != NULL)
    g_signal_handlers_disconnect_by_data (self->data, self);
  g_set_object (&self->data, data);
  if (data != NULL)
    g_signal_connect_object (data, "changed", G_CALLBACK (data_changed_cb), self, G_CONNECT_SWAPPED);
  self->cursor = NAN;
  changed (self);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_DATA]);
}

MienLineData *
mien_line_chart_get_data (MienLineChart *self)
{
  g_return_val_if_fail (MIEN_IS_LINE_CHART (self), NULL);
  return self->data;
}

static void
set_text (MienLineChart *self, char **field, const char *text, GParamSpec *pspec)
{
  if (g_strcmp0 (*field, text) == 0)
    return;
  g_free (*field);
  *field = g_strdup (text);
  changed (self);
  g_object_notify_by_pspec (G_OBJECT (self), pspec);
}

void
mien_line_chart_set_title (MienLineChart *self, const char *title)
{
  g_return_if_fail (MIEN_IS_LINE_CHART (self));
  set_text (self, &self->title, title, props[PROP_TITLE]);
}

const char *
mien_line_chart_get_title (MienLineChart *self)
{
  g_return_val_if_fail (MIEN_IS_LINE_CHART (self), NULL);
  return self->title;
}

void
mien_line_chart_set_x_title (MienLineChart *self, const char *x_title)
{
  g_return_if_fail (MIEN_IS_LINE_CHART (self));
  set_text (self, &self->x_title, x_title, props[PROP_X_TITLE]);
}

const char *
mien_line_chart_get_x_title (MienLineChart *self)
{
  g_return_val_if_fail (MIEN_IS_LINE_CHART (self), NULL);
  return self->x_title;
}

void
mien_line_chart_set_format (MienLineChart *self, MienChartFormat format)
{
  g_return_if_fail (MIEN_IS_LINE_CHART (self));
  if (self->format == format)
    return;
  self->format = format;
  changed (self);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_FORMAT]);
}

MienChartFormat
mien_line_chart_get_format (MienLineChart *self)
{
  g_return_val_if_fail (MIEN_IS_LINE_CHART (self), MIEN_CHART_NUMBER);
  return self->format;
}

void
mien_line_chart_set_cursor (MienLineChart *self, double x)
{
  double best = NAN;

  g_return_if_fail (MIEN_IS_LINE_CHART (self));
  for (int i = 0; isfinite (x) && self->data != NULL && i < mien_line_data_get_n_series (self->data); i++) {
    int n;
    const MienPoint *points = mien_line_data_get_points (self->data, i, &n);
    const int at = mien_line_data_find (self->data, i, x);

    if (at >= 0 && (isnan (best) || fabs (points[at].x - x) < fabs (best - x)))
      best = points[at].x;
  }
  if (best == self->cursor || (isnan (best) && isnan (self->cursor)))
    return;
  self->cursor = best;
  changed (self);
}

double
mien_line_chart_get_cursor (MienLineChart *self)
{
  g_return_val_if_fail (MIEN_IS_LINE_CHART (self), NAN);
  return self->cursor;
}

char *
mien_line_chart_dup_cursor_text (MienLineChart *self)
{
  g_autofree char *values = NULL;

  g_return_val_if_fail (MIEN_IS_LINE_CHART (self), NULL);
  if (isnan (self->cursor))
    return NULL;
  values = describe (self, self->cursor);
  /* Translators: what is on the horizontal axis, where on it, the values there: "Epoch 12: Training 0.81". */
  return g_strdup_printf (_("%s %g: %s"), self->x_title != NULL ? self->x_title : "x", self->cursor, values);
}
