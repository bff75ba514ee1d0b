/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-map-grid.h. */
#include "mien-config.h"

#include "layers/mien-map-grid.h"

#include <math.h>
#include <glib/gi18n.h>

#include "layers/mien-map-view.h"

struct _MienMapGrid {
  AdwBin parent_instance;

  GtkGridView *grid;

  /* owned */
  MienMapSource *source;
  GtkSingleSelection *selection; /* of GtkStringObject: the number of a map */

  double scrolled; /* Ctrl+scroll, not yet a whole step */
};

G_DEFINE_FINAL_TYPE (MienMapGrid, mien_map_grid, ADW_TYPE_BIN)

enum { PROP_0, PROP_CELL_SIZE, N_PROPS };
static GParamSpec *props[N_PROPS];
enum { CHOSEN, SELECTED, N_SIGNALS };
static guint signals[N_SIGNALS];

static int
channel_at (MienMapGrid *self, guint position)
{
  g_autoptr (GtkStringObject) item = g_list_model_get_item (G_LIST_MODEL (self->selection), position);

  return item != NULL ? atoi (gtk_string_object_get_string (item)) - 1 : -1;
}

static guint
position_of (MienMapGrid *self, int channel)
{
  const guint n = g_list_model_get_n_items (G_LIST_MODEL (self->selection));

  for (guint i = 0; i < n; i++)
    if (channel_at (self, i) == channel)
      return i;
  return GTK_INVALID_LIST_POSITION;
}

static void
choose (MienMapGrid *self, guint position)
{
  gtk_single_selection_set_selected (self->selection, position);
  g_signal_emit (self, signals[CHOSEN], 0, channel_at (self, position));
}

static void
selected_cb (MienMapGrid *self)
{
  const guint position = gtk_single_selection_get_selected (self->selection);

  if (position != GTK_INVALID_LIST_POSITION)
    g_signal_emit (self, signals[SELECTED], 0, channel_at (self, position));
}

/* A single click chooses a map. Not single-click-activate: with that, a pointer on its way to the large map would choose
 * every map it passes. */
static void
cell_clicked_cb (MienMapGrid *self, int n_press, double x, double y, GtkGesture *gesture)
{
  GtkWidget *cell = gtk_event_controller_get_widget (GTK_EVENT_CONTROLLER (gesture));
  const guint position = position_of (self, mien_map_view_get_channel (MIEN_MAP_VIEW (gtk_widget_get_first_child (cell))));

  if (position != GTK_INVALID_LIST_POSITION)
    choose (self, position);
}

static void
cell_setup_cb (MienMapGrid *self, GtkListItem *item)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 3);
  GtkWidget *view = mien_map_view_new (self->source, FALSE);
  GtkWidget *label = gtk_label_new (NULL);
  GtkGesture *click = gtk_gesture_click_new ();

  g_signal_connect_object (click, "released", G_CALLBACK (cell_clicked_cb), self, G_CONNECT_SWAPPED);
  gtk_widget_add_controller (box, GTK_EVENT_CONTROLLER (click));
  gtk_widget_set_halign (box, GTK_ALIGN_CENTER);
  gtk_widget_set_halign (view, GTK_ALIGN_CENTER);
  gtk_widget_add_css_class (label, "caption");
  gtk_widget_add_css_class (label, "numeric");
  gtk_widget_add_css_class (label, "dim-label");
  gtk_box_append (GTK_BOX (box), view);
  gtk_box_append (GTK_BOX (box), label);
  gtk_list_item_set_child (item, box);
}

static void
cell_bind_cb (MienMapGrid *self, GtkListItem *item)
{
  GtkWidget *view = gtk_widget_get_first_child (gtk_list_item_get_child (item));
  const char *number = gtk_string_object_get_string (gtk_list_item_get_item (item));

  mien_map_view_set_source (MIEN_MAP_VIEW (view), self->source);
  mien_map_view_set_channel (MIEN_MAP_VIEW (view), atoi (number) - 1);
  gtk_label_set_label (GTK_LABEL (gtk_widget_get_next_sibling (view)), number);
}

static void
cell_unbind_cb (MienMapGrid *self, GtkListItem *item)
{
  mien_map_view_set_source (MIEN_MAP_VIEW (gtk_widget_get_first_child (gtk_list_item_get_child (item))), NULL);
}

static gboolean
scroll_cb (MienMapGrid *self, double dx, double dy, GtkEventController *scroll)
{
  int steps;

  if (!(gtk_event_controller_get_current_event_state (scroll) & GDK_CONTROL_MASK))
    return FALSE;
  self->scrolled -= dy;
  steps = (int) self->scrolled;
  self->scrolled -= steps;
  if (steps != 0)
    mien_map_grid_zoom (self, steps);
  return TRUE;
}

static gboolean
mien_map_grid_grab_focus (GtkWidget *widget)
{
  return gtk_widget_grab_focus (GTK_WIDGET (MIEN_MAP_GRID (widget)->grid));
}

static void
mien_map_grid_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  MienMapGrid *self = MIEN_MAP_GRID (object);

  switch (id) {
  case PROP_CELL_SIZE:
    g_value_set_int (value, self->source != NULL ? mien_map_source_get_cell_size (self->source) : MIEN_MAP_GRID_SIZE_DEFAULT);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_map_grid_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  MienMapGrid *self = MIEN_MAP_GRID (object);

  switch (id) {
  case PROP_CELL_SIZE:
    mien_map_grid_set_cell_size (self, g_value_get_int (value));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_map_grid_dispose (GObject *object)
{
  MienMapGrid *self = MIEN_MAP_GRID (object);

  if (self->grid != NULL) {
    gtk_grid_view_set_model (self->grid, NULL);
    gtk_grid_view_set_factory (self->grid, NULL);
    self->grid = NULL;
  }
  if (self->selection != NULL)
    g_signal_handlers_disconnect_by_data (self->selection, self);
  g_clear_object (&self->selection);
  g_clear_object (&self->source);
  G_OBJECT_CLASS (mien_map_grid_parent_class)->dispose (object);
}

static void
mien_map_grid_class_init (MienMapGridClass *klass)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = mien_map_grid_dispose;
  object_class->get_property = mien_map_grid_get_property;
  object_class->set_property = mien_map_grid_set_property;
  GTK_WIDGET_CLASS (klass)->grab_focus = mien_map_grid_grab_focus;

  props[PROP_CELL_SIZE] = g_param_spec_int ("cell-size", NULL, NULL, MIEN_MAP_GRID_SIZE_MIN, MIEN_MAP_GRID_SIZE_MAX, MIEN_MAP_GRID_SIZE_DEFAULT, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
  signals[CHOSEN] = g_signal_new ("chosen", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
  signals[SELECTED] = g_signal_new ("selected", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
}

static void
mien_map_grid_init (MienMapGrid *self)
{
  GtkWidget *scroller = gtk_scrolled_window_new ();
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  GtkEventController *scroll = gtk_event_controller_scroll_new (GTK_EVENT_CONTROLLER_SCROLL_VERTICAL);

  g_signal_connect_swapped (factory, "setup", G_CALLBACK (cell_setup_cb), self);
  g_signal_connect_swapped (factory, "bind", G_CALLBACK (cell_bind_cb), self);
  g_signal_connect_swapped (factory, "unbind", G_CALLBACK (cell_unbind_cb), self);
  self->selection = gtk_single_selection_new (NULL);
  g_signal_connect_swapped (self->selection, "notify::selected", G_CALLBACK (selected_cb), self);
  self->grid = GTK_GRID_VIEW (gtk_grid_view_new (g_object_ref (GTK_SELECTION_MODEL (self->selection)), factory));
  gtk_grid_view_set_min_columns (self->grid, 1);
  gtk_grid_view_set_max_columns (self->grid, 64);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->grid), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Maps of the layer"), -1);
  g_signal_connect_swapped (self->grid, "activate", G_CALLBACK (choose), self);

  gtk_event_controller_set_propagation_phase (scroll, GTK_PHASE_CAPTURE);
  g_signal_connect_swapped (scroll, "scroll", G_CALLBACK (scroll_cb), self);
  gtk_widget_add_controller (scroller, scroll);
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroller), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scroller), GTK_WIDGET (self->grid));
  adw_bin_set_child (ADW_BIN (self), scroller);
}

void
mien_map_grid_set_source (MienMapGrid *self, MienMapSource *source)
{
  g_return_if_fail (MIEN_IS_MAP_GRID (self));
  g_set_object (&self->source, source);
}

void
mien_map_grid_fill (MienMapGrid *self, gboolean strongest_first, int channel)
{
  g_return_if_fail (MIEN_IS_MAP_GRID (self) && self->source != NULL);
  g_autoptr (GtkStringList) numbers = gtk_string_list_new (NULL);
  g_autoptr (GArray) order = strongest_first ? mien_map_source_rank (self->source) : NULL;
  const int n = mien_map_source_get_n_channels (self->source);

  for (int i = 0; i < n; i++)
    gtk_string_list_take (numbers, g_strdup_printf ("%d", (order != NULL ? g_array_index (order, int, i) : i) + 1));
  gtk_single_selection_set_model (self->selection, G_LIST_MODEL (numbers));
  if (n > 0)
    gtk_single_selection_set_selected (self->selection, channel >= 0 && channel < n ? position_of (self, channel) : 0);
}

int
mien_map_grid_get_n_maps (MienMapGrid *self)
{
  g_return_val_if_fail (MIEN_IS_MAP_GRID (self), 0);
  return (int) g_list_model_get_n_items (G_LIST_MODEL (self->selection));
}

void
mien_map_grid_select (MienMapGrid *self, int channel)
{
  g_return_if_fail (MIEN_IS_MAP_GRID (self));
  gtk_single_selection_set_selected (self->selection, position_of (self, channel));
}

void
mien_map_grid_step (MienMapGrid *self, int step)
{
  g_return_if_fail (MIEN_IS_MAP_GRID (self));
  const int n = mien_map_grid_get_n_maps (self);
  const guint position = gtk_single_selection_get_selected (self->selection);

  if (n == 0 || position == GTK_INVALID_LIST_POSITION)
    return;
  const guint next = (guint) (((int) position + step + n) % n);
  gtk_single_selection_set_selected (self->selection, next);
  gtk_widget_activate_action (GTK_WIDGET (self->grid), "list.scroll-to-item", "u", next);
}

void
mien_map_grid_scroll_to_start (MienMapGrid *self)
{
  g_return_if_fail (MIEN_IS_MAP_GRID (self));
  if (mien_map_grid_get_n_maps (self) > 0)
    gtk_widget_activate_action (GTK_WIDGET (self->grid), "list.scroll-to-item", "u", 0);
}

void
mien_map_grid_set_cell_size (MienMapGrid *self, int pixels)
{
  g_return_if_fail (MIEN_IS_MAP_GRID (self) && self->source != NULL);
  pixels = CLAMP (pixels, MIEN_MAP_GRID_SIZE_MIN, MIEN_MAP_GRID_SIZE_MAX);
  if (pixels == mien_map_source_get_cell_size (self->source))
    return;
  mien_map_source_set_cell_size (self->source, pixels);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_CELL_SIZE]);
}

void
mien_map_grid_zoom (MienMapGrid *self, int steps)
{
  g_return_if_fail (MIEN_IS_MAP_GRID (self) && self->source != NULL);
  mien_map_grid_set_cell_size (self, (int) lrint (mien_map_source_get_cell_size (self->source) * pow (1.25, steps)));
}
