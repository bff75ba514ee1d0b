/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The preferences window; see the header. */
#include "mien-config.h"

#include "mien-preferences.h"

#include <glib/gi18n.h>

#include "model/mien-model.h"
#include "vision/mien-faces.h"

struct _MienPreferences {
  AdwPreferencesWindow parent_instance;

  /* template children */
  AdwComboRow *source, *detector, *network;
  GtkSwitch *mirror;
  GtkSpinButton *smoothing;

  /* owned */
  GSettings *settings;
  GPtrArray *sources; /* strings, in the order of the rows */
  GtkStringList *networks; /* the shipped ones, and a file if one is used */
  gboolean showing;        /* the rows follow the setting, not a person */
  MienWindow *window; /* borrowed, weak */
};

G_DEFINE_FINAL_TYPE (MienPreferences, mien_preferences, ADW_TYPE_PREFERENCES_WINDOW)

static const char *
describe_detector (const char *detector)
{
  if (g_str_equal (detector, "haar"))
    return _("Thorough");
  if (g_str_equal (detector, "lbp"))
    return _("Quick");
  return detector;
}

static const char *
describe_network (const char *name)
{
  if (g_str_equal (name, "best"))
    return _("Most Accurate");
  if (g_str_equal (name, "small"))
    return _("Small");
  if (g_str_equal (name, "simple3"))
    return _("Three Layers");
  if (g_str_equal (name, "nano"))
    return _("Smallest and Fastest");
  return name;
}

/* The row shows what the setting says; a file is one more choice as long as it is used. */
static void
show_network (MienPreferences *self)
{
  const char *const *shipped = mien_model_list_shipped ();
  const guint n_shipped = g_strv_length ((char **) shipped);
  g_autofree char *path = g_settings_get_string (self->settings, "model");
  guint selected = 0;

  while (path[0] != '\0' && selected < n_shipped && !g_str_equal (shipped[selected], path))
    selected++;
  self->showing = TRUE;
  gtk_string_list_splice (self->networks, n_shipped, g_list_model_get_n_items (G_LIST_MODEL (self->networks)) - n_shipped, NULL);
  if (selected == n_shipped) {
    g_autofree char *name = g_filename_display_basename (path);
    gtk_string_list_append (self->networks, name);
  }
  adw_combo_row_set_selected (self->network, selected);
  self->showing = FALSE;
}

static void
network_selected_cb (MienPreferences *self)
{
  const char *const *shipped = mien_model_list_shipped ();
  const guint i = adw_combo_row_get_selected (self->network);

  if (!self->showing && self->window != NULL && i < g_strv_length ((char **) shipped))
    mien_window_use_model (self->window, i == 0 ? NULL : shipped[i], TRUE);
}

static void
fill_networks (MienPreferences *self)
{
  const char *const *shipped = mien_model_list_shipped ();

  self->networks = gtk_string_list_new (NULL);
  for (int i = 0; shipped[i] != NULL; i++)
    gtk_string_list_append (self->networks, describe_network (shipped[i]));
  adw_combo_row_set_model (self->network, G_LIST_MODEL (self->networks));
  g_signal_connect_object (self->network, "notify::selected", G_CALLBACK (network_selected_cb), self, G_CONNECT_SWAPPED);
}

static void
open_cb (MienPreferences *self)
{
  MienWindow *window = self->window;

  gtk_window_close (GTK_WINDOW (self));
  if (window != NULL)
    gtk_widget_activate_action (GTK_WIDGET (window), "win.open-model", NULL);
}

static void
source_selected_cb (MienPreferences *self)
{
  guint i = adw_combo_row_get_selected (self->source);

  if (i < self->sources->len)
    g_settings_set_string (self->settings, "source", g_ptr_array_index (self->sources, i));
}

static void
detector_selected_cb (MienPreferences *self)
{
  guint i = adw_combo_row_get_selected (self->detector);
  const char *const *detectors = mien_faces_list_detectors ();

  if (i < g_strv_length ((char **) detectors))
    g_settings_set_string (self->settings, "detector", detectors[i]);
}

static void
fill_sources (MienPreferences *self)
{
  GListModel *cameras = G_LIST_MODEL (mien_window_get_cameras (self->window));
  g_autoptr (GtkStringList) names = gtk_string_list_new (NULL);
  g_autofree char *current = g_settings_get_string (self->settings, "source");
  guint selected = 0;

  gtk_string_list_append (names, _("Automatic"));
  g_ptr_array_add (self->sources, g_strdup (""));
  for (guint i = 0; i < g_list_model_get_n_items (cameras); i++) {
    g_autoptr (MienCamera) camera = g_list_model_get_item (cameras, i);

    gtk_string_list_append (names, mien_camera_get_name (camera));
    g_ptr_array_add (self->sources, g_strdup (mien_camera_get_source (camera)));
  }
  gtk_string_list_append (names, _("Demo Camera"));
  g_ptr_array_add (self->sources, g_strdup ("demo"));
  if (!g_ptr_array_find_with_equal_func (self->sources, current, g_str_equal, &selected)) {
    /* A camera that is not here at the moment stays the choice. */
    gtk_string_list_append (names, g_str_has_prefix (current, "camera:") ? current + strlen ("camera:") : current);
    g_ptr_array_add (self->sources, g_strdup (current));
    selected = self->sources->len - 1;
  }
  adw_combo_row_set_model (self->source, G_LIST_MODEL (names));
  adw_combo_row_set_selected (self->source, selected);
  g_signal_connect_object (self->source, "notify::selected", G_CALLBACK (source_selected_cb), self, G_CONNECT_SWAPPED);
}

static void
fill_detectors (MienPreferences *self)
{
  const char *const *detectors = mien_faces_list_detectors ();
  g_autoptr (GtkStringList) names = gtk_string_list_new (NULL);
  g_autofree char *current = g_settings_get_string (self->settings, "detector");

  for (int i = 0; detectors[i] != NULL; i++)
    gtk_string_list_append (names, describe_detector (detectors[i]));
  adw_combo_row_set_model (self->detector, G_LIST_MODEL (names));
  for (int i = 0; detectors[i] != NULL; i++) {
    if (g_str_equal (detectors[i], current))
      adw_combo_row_set_selected (self->detector, i);
  }
  g_signal_connect_object (self->detector, "notify::selected", G_CALLBACK (detector_selected_cb), self, G_CONNECT_SWAPPED);
}

static void
mien_preferences_dispose (GObject *object)
{
  MienPreferences *self = MIEN_PREFERENCES (object);

  g_clear_object (&self->settings);
  g_clear_object (&self->networks);
  g_clear_weak_pointer (&self->window);
  gtk_widget_dispose_template (GTK_WIDGET (self), MIEN_TYPE_PREFERENCES);
  G_OBJECT_CLASS (mien_preferences_parent_class)->dispose (object);
}

static void
mien_preferences_finalize (GObject *object)
{
  g_ptr_array_unref (MIEN_PREFERENCES (object)->sources);
  G_OBJECT_CLASS (mien_preferences_parent_class)->finalize (object);
}

static void
mien_preferences_class_init (MienPreferencesClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = mien_preferences_dispose;
  G_OBJECT_CLASS (klass)->finalize = mien_preferences_finalize;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/mien/Mien/mien-preferences.ui");
  gtk_widget_class_bind_template_child (widget_class, MienPreferences, source);
  gtk_widget_class_bind_template_child (widget_class, MienPreferences, detector);
  gtk_widget_class_bind_template_child (widget_class, MienPreferences, mirror);
  gtk_widget_class_bind_template_child (widget_class, MienPreferences, smoothing);
  gtk_widget_class_bind_template_child (widget_class, MienPreferences, network);
  gtk_widget_class_bind_template_callback (widget_class, open_cb);
}

static void
mien_preferences_init (MienPreferences *self)
{
  self->sources = g_ptr_array_new_with_free_func (g_free);
  gtk_widget_init_template (GTK_WIDGET (self));
}

MienPreferences *
mien_preferences_new (MienWindow *window, GSettings *settings)
{
  MienPreferences *self = g_object_new (MIEN_TYPE_PREFERENCES, "transient-for", window, NULL);

  g_set_weak_pointer (&self->window, window);
  self->settings = g_object_ref (settings);
  fill_sources (self);
  fill_detectors (self);
  g_settings_bind (settings, "mirror", self->mirror, "active", G_SETTINGS_BIND_DEFAULT);
  g_settings_bind (settings, "smoothing", self->smoothing, "value", G_SETTINGS_BIND_DEFAULT);
  fill_networks (self);
  g_signal_connect_object (settings, "changed::model", G_CALLBACK (show_network), self, G_CONNECT_SWAPPED);
  show_network (self);
  return self;
}
