/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-layers-pane.h. */
#include "mien-config.h"

#include "layers/mien-layers-pane.h"

#include <glib/gi18n.h>

#include "charts/mien-label.h"
#include "explain/mien-maps.h"
#include "layers/mien-color-legend.h"
#include "layers/mien-layer-row.h"
#include "layers/mien-map-grid.h"
#include "layers/mien-map-panel.h"
#include "layers/mien-map-source.h"
#include "layers/mien-map-worker.h"

struct _MienLayersPane {
  AdwBin parent_instance;

  /* template children */
  GtkStack *stack, *maps_stack;
  AdwStatusPage *failed_page;
  AdwLeaflet *leaflet;
  AdwFlap *flap;
  GtkListBox *list;
  MienMapGrid *grid;
  GtkWidget *face_box, *legend_box;
  GtkPicture *face;
  GtkLabel *answer, *model_label, *layer_title, *layer_summary, *legend_lo, *legend_hi;
  MienColorLegend *legend;
  MienMapPanel *panel;

  /* owned */
  MienMapWorker *worker;    /* has the model and computes its maps */
  MienMapSource *source;
  GtkEventController *keys; /* good in the whole window while the pane is in view */
  GArray *kernels;          /* MienMapLayer of every layer, only their kernels are looked at: they live as long as model */

  gboolean frozen;
  gboolean strongest_first;
};

G_DEFINE_FINAL_TYPE (MienLayersPane, mien_layers_pane, ADW_TYPE_BIN)

enum { PROP_0, PROP_MODEL, PROP_FROZEN, PROP_COLOR_MAP, PROP_SHARED_RANGE, PROP_STRONGEST_FIRST, PROP_CELL_SIZE, N_PROPS };
static GParamSpec *props[N_PROPS];
enum { FACE_REQUESTED, N_SIGNALS };
static guint signals[N_SIGNALS];

static void
failed_cb (MienLayersPane *self, const GError *error)
{
  g_autofree char *text = g_markup_escape_text (error->message, -1);

  g_warning ("Maps of the layers: %s", error->message);
  adw_status_page_set_description (self->failed_page, text);
  gtk_stack_set_visible_child_name (self->stack, "failed");
}

/* "32 maps of 48×48 · 5 silent": maps that answer nothing to this face are worth knowing about. */
static void
update_summary (MienLayersPane *self)
{
  GtkListBoxRow *row = gtk_list_box_get_selected_row (self->list);
  const int n = mien_map_source_get_n_channels (self->source);
  g_autofree char *text = NULL, *silent = NULL;
  int n_silent = 0;

  if (row == NULL)
    return;
  for (int c = 0; c < n; c++) {
    MienMapStats stats;

    mien_activations_get_stats (mien_map_source_get_activations (self->source), mien_map_source_get_layer (self->source), c, &stats);
    n_silent += stats.dead >= 1;
  }
  /* Translators: how many maps of a layer have no answer to the face. */
  silent = g_strdup_printf (ngettext ("%d silent", "%d silent", n_silent), n_silent);
  text = n_silent > 0 ? g_strdup_printf ("%s · %s", mien_layer_row_get_summary (MIEN_LAYER_ROW (row)), silent)
                      : g_strdup (mien_layer_row_get_summary (MIEN_LAYER_ROW (row)));
  gtk_label_set_label (self->layer_summary, text);
}

static void
update_legend (MienLayersPane *self)
{
  const gboolean shared = mien_map_source_get_shared_range (self->source);
  float lo, hi;

  if (!mien_map_source_get_range (self->source, -1, &lo, &hi)) {
    gtk_widget_set_visible (self->legend_box, FALSE);
    return;
  }
  gtk_widget_set_visible (self->legend_box, TRUE);
  if (shared) {
    g_autofree char *lo_text = g_strdup_printf ("%.3g", lo), *hi_text = g_strdup_printf ("%.3g", hi);

    gtk_label_set_label (self->legend_lo, lo_text);
    gtk_label_set_label (self->legend_hi, hi_text);
  } else if (mien_map_source_get_color_map (self->source) == MIEN_COLOR_MAP_SIGNED) {
    gtk_label_set_label (self->legend_lo, _("Below zero"));
    gtk_label_set_label (self->legend_hi, _("Above zero"));
  } else {
    gtk_label_set_label (self->legend_lo, _("Lowest"));
    gtk_label_set_label (self->legend_hi, _("Highest"));
  }
}

static void
fill_grid (MienLayersPane *self)
{
  mien_map_grid_fill (self->grid, self->strongest_first, mien_map_panel_get_channel (self->panel));
}

static void
activations_cb (MienLayersPane *self, MienActivations *activations)
{
  g_autoptr (GdkTexture) face = NULL;
  g_autofree char *percent = NULL, *answer = NULL;
  const float *probabilities;
  int n, best = 0;

  mien_map_source_set_activations (self->source, activations);
  if (mien_map_grid_get_n_maps (self->grid) != mien_map_source_get_n_channels (self->source))
    fill_grid (self);
  update_legend (self);
  update_summary (self);
  gtk_stack_set_visible_child_name (self->maps_stack, "maps");

  face = mien_map_source_render_face (self->source);
  gtk_picture_set_paintable (self->face, GDK_PAINTABLE (face));
  probabilities = mien_activations_get_probabilities (activations, &n);
  for (int i = 1; i < n; i++)
    if (probabilities[i] > probabilities[best])
      best = i;
  percent = mien_label_format_percent (n > 0 ? probabilities[best] : 0);
  /* Translators: the expression that the network sees, and its probability: "Happy 93 %". */
  answer = n > 0 ? g_strdup_printf (C_("answer", "%s %s"), mien_label_display (mien_model_get_label (mien_map_worker_get_model (self->worker), best)), percent) : NULL;
  gtk_label_set_label (self->answer, answer != NULL ? answer : "");
  gtk_widget_set_visible (GTK_WIDGET (self->face), TRUE);
}

static void
ready_cb (MienLayersPane *self, const MienMaps *maps, GPtrArray *layers)
{
  g_autofree char *title = mien_model_dup_title (mien_map_worker_get_model (self->worker));

  g_array_set_size (self->kernels, 0);
  for (int i = 0; i < mien_maps_get_n_layers (maps); i++)
    g_array_append_vals (self->kernels, mien_maps_get_layer (maps, i), 1);
  gtk_label_set_label (self->model_label, title);
  if (mien_maps_get_n_layers (maps) == 0) {
    adw_status_page_set_description (self->failed_page, _("This network has no convolution layers, so there are no maps to see."));
    gtk_stack_set_visible_child_name (self->stack, "failed");
    return;
  }
  mien_layer_row_build (self->list, maps, layers);
  gtk_stack_set_visible_child_name (self->stack, "layers");
  mien_layers_pane_select (self, 0, -1);
}

static void
show_map (MienLayersPane *self, int channel)
{
  const int layer = mien_map_source_get_layer (self->source);
  const MienMapLayer *info = layer < (int) self->kernels->len ? &g_array_index (self->kernels, MienMapLayer, layer) : NULL;

  mien_map_panel_set_channel (self->panel, channel);
  /* A filter over many maps is no picture; one that sees the face alone is. */
  if (channel >= 0 && info != NULL && info->kernel != NULL && info->in_channels == 1 && channel < info->channels && info->kernel_h * info->kernel_w > 1)
    mien_map_panel_set_kernel (self->panel, info->kernel + (gsize) channel * info->kernel_h * info->kernel_w, info->kernel_h, info->kernel_w);
  else
    mien_map_panel_set_kernel (self->panel, NULL, 0, 0);
  adw_flap_set_reveal_flap (self->flap, channel >= 0);
}

/* With the large map open, moving through the grid shows the map one stands on. */
static void
selected_cb (MienLayersPane *self, int channel)
{
  if (adw_flap_get_reveal_flap (self->flap))
    show_map (self, channel);
}

static void
panel_closed_cb (MienLayersPane *self)
{
  adw_flap_set_reveal_flap (self->flap, FALSE);
  gtk_widget_grab_focus (GTK_WIDGET (self->grid));
}

static void
reveal_cb (MienLayersPane *self)
{
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "layers.close-map", adw_flap_get_reveal_flap (self->flap));
}

static void
panel_step_cb (MienLayersPane *self, int step)
{
  mien_map_grid_step (self->grid, step);
}

static void
row_selected_cb (MienLayersPane *self, GtkListBoxRow *row)
{
  if (row == NULL || !MIEN_IS_LAYER_ROW (row) || mien_layer_row_get_layer (MIEN_LAYER_ROW (row)) < 0)
    return;
  gtk_label_set_label (self->layer_title, mien_layer_row_get_title (MIEN_LAYER_ROW (row)));
  update_summary (self);
  if (mien_map_source_get_layer (self->source) == mien_layer_row_get_layer (MIEN_LAYER_ROW (row)))
    return;
  show_map (self, -1);
  mien_map_source_set_layer (self->source, mien_layer_row_get_layer (MIEN_LAYER_ROW (row)));
  fill_grid (self);
  mien_map_grid_scroll_to_start (self->grid);
  update_legend (self);
  update_summary (self);
}

static void
row_activated_cb (MienLayersPane *self, GtkListBoxRow *row)
{
  adw_leaflet_set_visible_child_name (self->leaflet, "maps");
}

static void
back_cb (MienLayersPane *self)
{
  adw_leaflet_set_visible_child_name (self->leaflet, "list");
}

static void
folded_cb (MienLayersPane *self)
{
  if (adw_leaflet_get_folded (self->leaflet))
    adw_leaflet_set_visible_child_name (self->leaflet, "maps");
}

static void
request_face_cb (MienLayersPane *self)
{
  g_signal_emit (self, signals[FACE_REQUESTED], 0);
}

static void
zoomed_cb (MienLayersPane *self)
{
  const int size = mien_map_source_get_cell_size (self->source);

  gtk_widget_action_set_enabled (GTK_WIDGET (self), "layers.zoom-in", size < MIEN_MAP_GRID_SIZE_MAX);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "layers.zoom-out", size > MIEN_MAP_GRID_SIZE_MIN);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_CELL_SIZE]);
}

static void
zoom_action (GtkWidget *widget, const char *name, GVariant *parameter)
{
  MienLayersPane *self = MIEN_LAYERS_PANE (widget);

  if (g_str_equal (name, "layers.zoom-in"))
    mien_map_grid_zoom (self->grid, 1);
  else if (g_str_equal (name, "layers.zoom-out"))
    mien_map_grid_zoom (self->grid, -1);
  else
    mien_map_grid_set_cell_size (self->grid, MIEN_MAP_GRID_SIZE_DEFAULT);
}

static void
layer_action (GtkWidget *widget, const char *name, GVariant *parameter)
{
  MienLayersPane *self = MIEN_LAYERS_PANE (widget);
  const int step = g_str_equal (name, "layers.next-layer") ? 1 : -1;
  GtkListBoxRow *row = gtk_list_box_get_selected_row (self->list);

  for (int i = row != NULL ? gtk_list_box_row_get_index (row) + step : 0; (row = gtk_list_box_get_row_at_index (self->list, i)) != NULL; i += step) {
    if (gtk_list_box_row_get_selectable (row)) {
      gtk_list_box_select_row (self->list, row);
      return;
    }
  }
}

static void
close_action (GtkWidget *widget, const char *name, GVariant *parameter)
{
  panel_closed_cb (MIEN_LAYERS_PANE (widget));
}

static gboolean
freeze_shortcut_cb (GtkWidget *widget, GVariant *args, gpointer data)
{
  MienLayersPane *self = data;

  mien_layers_pane_set_frozen (self, !self->frozen);
  return TRUE;
}

static GtkEventController *
make_keys (void)
{
  static const struct {
    guint key;
    GdkModifierType modifiers;
    const char *action;
  } keys[] = {
    { GDK_KEY_plus, GDK_CONTROL_MASK, "layers.zoom-in" },
    { GDK_KEY_equal, GDK_CONTROL_MASK, "layers.zoom-in" },
    { GDK_KEY_KP_Add, GDK_CONTROL_MASK, "layers.zoom-in" },
    { GDK_KEY_minus, GDK_CONTROL_MASK, "layers.zoom-out" },
    { GDK_KEY_KP_Subtract, GDK_CONTROL_MASK, "layers.zoom-out" },
    { GDK_KEY_0, GDK_CONTROL_MASK, "layers.zoom-reset" },
    { GDK_KEY_KP_0, GDK_CONTROL_MASK, "layers.zoom-reset" },
    { GDK_KEY_Up, GDK_ALT_MASK, "layers.previous-layer" },
    { GDK_KEY_Down, GDK_ALT_MASK, "layers.next-layer" },
  };
  GtkEventController *self = gtk_shortcut_controller_new ();

  gtk_shortcut_controller_set_scope (GTK_SHORTCUT_CONTROLLER (self), GTK_SHORTCUT_SCOPE_GLOBAL);
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    gtk_shortcut_controller_add_shortcut (GTK_SHORTCUT_CONTROLLER (self),
                                          gtk_shortcut_new (gtk_keyval_trigger_new (keys[i].key, keys[i].modifiers),
                                                            gtk_named_action_new (keys[i].action)));
  return self;
}

static void
mien_layers_pane_map (GtkWidget *widget)
{
  MienLayersPane *self = MIEN_LAYERS_PANE (widget);

  GTK_WIDGET_CLASS (mien_layers_pane_parent_class)->map (widget);
  mien_map_worker_set_active (self->worker, TRUE);
  self->keys = make_keys ();
  gtk_widget_add_controller (widget, self->keys);
}

static void
mien_layers_pane_unmap (GtkWidget *widget)
{
  MienLayersPane *self = MIEN_LAYERS_PANE (widget);

  gtk_widget_remove_controller (widget, g_steal_pointer (&self->keys));
  mien_map_worker_set_active (self->worker, FALSE);
  GTK_WIDGET_CLASS (mien_layers_pane_parent_class)->unmap (widget);
}

static void
mien_layers_pane_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  MienLayersPane *self = MIEN_LAYERS_PANE (object);

  switch (id) {
  case PROP_MODEL:
    g_value_set_boxed (value, mien_map_worker_get_model (self->worker));
    break;
  case PROP_FROZEN:
    g_value_set_boolean (value, self->frozen);
    break;
  case PROP_COLOR_MAP:
    g_value_set_uint (value, mien_map_source_get_color_map (self->source));
    break;
  case PROP_SHARED_RANGE:
    g_value_set_boolean (value, mien_map_source_get_shared_range (self->source));
    break;
  case PROP_STRONGEST_FIRST:
    g_value_set_boolean (value, self->strongest_first);
    break;
  case PROP_CELL_SIZE:
    g_value_set_int (value, mien_map_source_get_cell_size (self->source));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_layers_pane_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  MienLayersPane *self = MIEN_LAYERS_PANE (object);

  switch (id) {
  case PROP_MODEL:
    mien_layers_pane_set_model (self, g_value_get_boxed (value));
    return;
  case PROP_FROZEN:
    mien_layers_pane_set_frozen (self, g_value_get_boolean (value));
    return;
  case PROP_COLOR_MAP:
    if (g_value_get_uint (value) == mien_map_source_get_color_map (self->source))
      return;
    mien_map_source_set_color_map (self->source, g_value_get_uint (value));
    mien_color_legend_set_map (self->legend, g_value_get_uint (value));
    update_legend (self);
    break;
  case PROP_SHARED_RANGE:
    if (g_value_get_boolean (value) == mien_map_source_get_shared_range (self->source))
      return;
    mien_map_source_set_shared_range (self->source, g_value_get_boolean (value));
    update_legend (self);
    break;
  case PROP_STRONGEST_FIRST:
    if (g_value_get_boolean (value) == self->strongest_first)
      return;
    self->strongest_first = g_value_get_boolean (value);
    fill_grid (self);
    break;
  case PROP_CELL_SIZE:
    mien_map_grid_set_cell_size (self->grid, g_value_get_int (value));
    return;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    return;
  }
  g_object_notify_by_pspec (object, pspec);
}

static void
mien_layers_pane_dispose (GObject *object)
{
  MienLayersPane *self = MIEN_LAYERS_PANE (object);

  g_signal_handlers_disconnect_by_data (self->worker, self);
  mien_map_worker_set_model (self->worker, NULL);
  if (self->panel != NULL)
    mien_map_panel_set_source (self->panel, NULL);
  if (self->grid != NULL)
    g_signal_handlers_disconnect_by_data (self->grid, self);
  G_OBJECT_CLASS (mien_layers_pane_parent_class)->dispose (object);
}

static void
mien_layers_pane_finalize (GObject *object)
{
  MienLayersPane *self = MIEN_LAYERS_PANE (object);

  g_clear_object (&self->worker);
  g_clear_object (&self->source);
  g_array_unref (self->kernels);
  G_OBJECT_CLASS (mien_layers_pane_parent_class)->finalize (object);
}

static void
mien_layers_pane_class_init (MienLayersPaneClass *klass)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = mien_layers_pane_dispose;
  object_class->finalize = mien_layers_pane_finalize;
  object_class->get_property = mien_layers_pane_get_property;
  object_class->set_property = mien_layers_pane_set_property;
  widget_class->map = mien_layers_pane_map;
  widget_class->unmap = mien_layers_pane_unmap;

  props[PROP_MODEL] = g_param_spec_boxed ("model", NULL, NULL, MIEN_TYPE_MODEL, flags);
  props[PROP_FROZEN] = g_param_spec_boolean ("frozen", NULL, NULL, FALSE, flags);
  props[PROP_COLOR_MAP] = g_param_spec_uint ("color-map", NULL, NULL, 0, MIEN_COLOR_MAP_N - 1, 0, flags);
  props[PROP_SHARED_RANGE] = g_param_spec_boolean ("shared-range", NULL, NULL, FALSE, flags);
  props[PROP_STRONGEST_FIRST] = g_param_spec_boolean ("strongest-first", NULL, NULL, FALSE, flags);
  props[PROP_CELL_SIZE] = g_param_spec_int ("cell-size", NULL, NULL, MIEN_MAP_GRID_SIZE_MIN, MIEN_MAP_GRID_SIZE_MAX,
                                             MIEN_MAP_GRID_SIZE_DEFAULT, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
  signals[FACE_REQUESTED] = g_signal_new ("face-requested", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);

  gtk_widget_class_install_property_action (widget_class, "layers.freeze", "frozen");
  gtk_widget_class_install_action (widget_class, "layers.zoom-in", NULL, zoom_action);
  gtk_widget_class_install_action (widget_class, "layers.zoom-out", NULL, zoom_action);
  gtk_widget_class_install_action (widget_class, "layers.zoom-reset", NULL, zoom_action);
  gtk_widget_class_install_action (widget_class, "layers.previous-layer", NULL, layer_action);
  gtk_widget_class_install_action (widget_class, "layers.next-layer", NULL, layer_action);
  gtk_widget_class_install_action (widget_class, "layers.close-map", NULL, close_action);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "layers.close-map", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_space, 0, "layers.freeze", NULL);

  g_type_ensure (MIEN_TYPE_COLOR_LEGEND);
  g_type_ensure (MIEN_TYPE_MAP_GRID);
  g_type_ensure (MIEN_TYPE_MAP_PANEL);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/mien/Mien/ui/mien-layers-pane.ui");
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, stack);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, maps_stack);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, failed_page);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, leaflet);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, flap);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, list);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, grid);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, face_box);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, legend_box);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, face);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, answer);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, model_label);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, layer_title);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, layer_summary);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, legend_lo);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, legend_hi);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, legend);
  gtk_widget_class_bind_template_child (widget_class, MienLayersPane, panel);
  gtk_widget_class_bind_template_callback (widget_class, folded_cb);
  gtk_widget_class_bind_template_callback (widget_class, row_selected_cb);
  gtk_widget_class_bind_template_callback (widget_class, row_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, back_cb);
  gtk_widget_class_bind_template_callback (widget_class, reveal_cb);
  gtk_widget_class_bind_template_callback (widget_class, request_face_cb);
  gtk_widget_class_bind_template_callback (widget_class, show_map);
  gtk_widget_class_bind_template_callback (widget_class, selected_cb);
  gtk_widget_class_bind_template_callback (widget_class, zoomed_cb);
  gtk_widget_class_bind_template_callback (widget_class, panel_closed_cb);
  gtk_widget_class_bind_template_callback (widget_class, panel_step_cb);
}

static void
mien_layers_pane_init (MienLayersPane *self)
{
  GtkEventController *keys = gtk_shortcut_controller_new ();

  self->worker = mien_map_worker_new ();
  g_signal_connect_swapped (self->worker, "ready", G_CALLBACK (ready_cb), self);
  g_signal_connect_swapped (self->worker, "activations", G_CALLBACK (activations_cb), self);
  g_signal_connect_swapped (self->worker, "failed", G_CALLBACK (failed_cb), self);
  self->source = mien_map_source_new ();
  self->kernels = g_array_new (FALSE, FALSE, sizeof (MienMapLayer));
  gtk_widget_init_template (GTK_WIDGET (self));
  mien_map_grid_set_source (self->grid, self->source);
  mien_map_panel_set_source (self->panel, self->source);

  /* A grid's cells take Space to select; here it freezes, as everywhere else in the pane. */
  gtk_event_controller_set_propagation_phase (keys, GTK_PHASE_CAPTURE);
  gtk_shortcut_controller_add_shortcut (GTK_SHORTCUT_CONTROLLER (keys),
                                        gtk_shortcut_new (gtk_keyval_trigger_new (GDK_KEY_space, 0),
                                                          gtk_callback_action_new (freeze_shortcut_cb, self, NULL)));
  gtk_widget_add_controller (GTK_WIDGET (self->grid), keys);
  gtk_widget_set_visible (GTK_WIDGET (self->face), FALSE);
  gtk_widget_set_visible (self->legend_box, FALSE);
  reveal_cb (self);
}

GtkWidget *
mien_layers_pane_new (void)
{
  return g_object_new (MIEN_TYPE_LAYERS_PANE, NULL);
}

void
mien_layers_pane_set_model (MienLayersPane *self, MienModel *model)
{
  g_return_if_fail (MIEN_IS_LAYERS_PANE (self));
  if (mien_map_worker_get_model (self->worker) == model)
    return;
  mien_map_worker_set_model (self->worker, model);
  g_array_set_size (self->kernels, 0);
  mien_map_source_set_activations (self->source, NULL);
  fill_grid (self);
  update_legend (self);
  show_map (self, -1);
  gtk_widget_set_visible (GTK_WIDGET (self->face), FALSE);
  gtk_label_set_label (self->answer, "");
  gtk_stack_set_visible_child_name (self->maps_stack, "no-face");
  gtk_stack_set_visible_child_name (self->stack, model == NULL ? "no-model" : "loading");
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_MODEL]);
}

MienModel *
mien_layers_pane_get_model (MienLayersPane *self)
{
  g_return_val_if_fail (MIEN_IS_LAYERS_PANE (self), NULL);
  return mien_map_worker_get_model (self->worker);
}

void
mien_layers_pane_set_face (MienLayersPane *self, MienModel *model, const float *pixels)
{
  g_return_if_fail (MIEN_IS_LAYERS_PANE (self));
  g_return_if_fail (model != NULL && pixels != NULL);
  mien_layers_pane_set_model (self, model);
  if (self->frozen && mien_map_source_get_activations (self->source) != NULL)
    return;
  mien_map_worker_set_face (self->worker, pixels);
}

gboolean
mien_layers_pane_get_frozen (MienLayersPane *self)
{
  g_return_val_if_fail (MIEN_IS_LAYERS_PANE (self), FALSE);
  return self->frozen;
}

void
mien_layers_pane_set_frozen (MienLayersPane *self, gboolean frozen)
{
  g_return_if_fail (MIEN_IS_LAYERS_PANE (self));
  if (self->frozen == frozen)
    return;
  self->frozen = frozen;
  if (frozen)
    mien_map_worker_set_face (self->worker, NULL);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_FROZEN]);
}

void
mien_layers_pane_select (MienLayersPane *self, int layer, int channel)
{
  GtkListBoxRow *row;

  g_return_if_fail (MIEN_IS_LAYERS_PANE (self));
  for (int i = 0; (row = gtk_list_box_get_row_at_index (self->list, i)) != NULL; i++) {
    if (!MIEN_IS_LAYER_ROW (row) || mien_layer_row_get_layer (MIEN_LAYER_ROW (row)) != layer)
      continue;
    gtk_list_box_select_row (self->list, row);
    if (channel >= 0 && channel < mien_map_source_get_n_channels (self->source)) {
      mien_map_grid_select (self->grid, channel);
      show_map (self, channel);
    } else {
      show_map (self, -1);
    }
    return;
  }
}
