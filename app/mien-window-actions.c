/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a person can ask of the main window. */
#include "mien-config.h"

#include "mien-window-private.h"

#include <glib/gi18n.h>

static const char *const view_names[] = { "live", "photo", "layers" };

static gboolean
is_live_on_show (MienWindow *self)
{
  g_autofree char *layers_source = g_settings_get_string (self->settings, "layers-source");
  const char *view = adw_view_stack_get_visible_child_name (self->views);

  return g_str_equal (view, "live") || (g_str_equal (view, "layers") && g_str_equal (layers_source, "live"));
}

static void
open_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  const char *name = g_action_get_name (G_ACTION (action));

  mien_window_choose_files (user_data, g_str_equal (name, "open-photo")   ? MIEN_OPEN_PHOTO
                                       : g_str_equal (name, "open-video") ? MIEN_OPEN_VIDEO
                                       : g_str_equal (name, "open-model") ? MIEN_OPEN_MODEL
                                                                          : MIEN_OPEN_ANY);
}

static void
view_cb (GSimpleAction *action, GVariant *state, gpointer user_data)
{
  mien_window_show_view (user_data, g_variant_get_string (state, NULL));
}

static void
step_view_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  MienWindow *self = user_data;
  const char *view = adw_view_stack_get_visible_child_name (self->views);
  int step = g_str_equal (g_action_get_name (G_ACTION (action)), "next-view") ? 1 : -1, n = G_N_ELEMENTS (view_names);

  for (int i = 0; i < n; i++) {
    if (g_str_equal (view, view_names[i])) {
      mien_window_show_view (self, view_names[(i + step + n) % n]);
      return;
    }
  }
}

static void
running_cb (GSimpleAction *action, GVariant *state, gpointer user_data)
{
  MienWindow *self = user_data;

  g_simple_action_set_state (action, state);
  mien_window_update_capture (self);
  g_object_notify (G_OBJECT (self->capture), "state"); /* the button shows what the person wants, at once */
}

static void
freeze_cb (GSimpleAction *action, GVariant *state, gpointer user_data)
{
  MienWindow *self = user_data;

  mien_capture_set_paused (self->capture, g_variant_get_boolean (state)); /* the capture's state sets the action's */
}

static void
source_cb (GSimpleAction *action, GVariant *state, gpointer user_data)
{
  mien_window_choose_source (user_data, g_variant_get_string (state, NULL), TRUE);
}

static void
restart_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  mien_window_restart_capture (user_data);
}

static void
fullscreen_cb (GSimpleAction *action, GVariant *state, gpointer user_data)
{
  if (g_variant_get_boolean (state))
    gtk_window_fullscreen (user_data);
  else
    gtk_window_unfullscreen (user_data);
}

static void
copy_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  MienWindow *self = user_data;
  gboolean live = is_live_on_show (self);
  g_autofree char *text = live ? mien_live_pane_dup_text (self->live) : mien_photo_pane_dup_text (self->photo);

  if (text == NULL) {
    mien_window_toast (self, _("No face to copy from"));
    return;
  }
  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)), text);
  mien_window_toast (self, _("Probabilities copied"));
}

static void
paste_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  mien_window_paste (user_data);
}

static void
show_details_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  MienWindow *self = user_data;
  GtkWidget *dialog;

  if (self->details == NULL)
    return;
  dialog = adw_message_dialog_new (GTK_WINDOW (self), _("Details"), self->details);
  adw_message_dialog_add_response (ADW_MESSAGE_DIALOG (dialog), "close", _("_Close"));
  gtk_window_present (GTK_WINDOW (dialog));
}

static gboolean
escape_cb (GtkWidget *widget, GVariant *arguments, gpointer user_data)
{
  if (!gtk_window_is_fullscreen (GTK_WINDOW (widget)))
    return GDK_EVENT_PROPAGATE;
  gtk_window_unfullscreen (GTK_WINDOW (widget));
  return GDK_EVENT_STOP;
}

static void
fullscreened_cb (MienWindow *self)
{
  mien_window_set_action_state (self, "fullscreen", g_variant_new_boolean (gtk_window_is_fullscreen (GTK_WINDOW (self))));
}

static const GActionEntry entries[] = {
  { .name = "open", .activate = open_cb },
  { .name = "open-photo", .activate = open_cb },
  { .name = "open-video", .activate = open_cb },
  { .name = "open-model", .activate = open_cb },
  { .name = "view", .parameter_type = "s", .state = "'live'", .change_state = view_cb },
  { .name = "next-view", .activate = step_view_cb },
  { .name = "previous-view", .activate = step_view_cb },
  { .name = "running", .state = "true", .change_state = running_cb },
  { .name = "freeze", .state = "false", .change_state = freeze_cb },
  { .name = "source", .parameter_type = "s", .state = "''", .change_state = source_cb },
  { .name = "restart", .activate = restart_cb },
  { .name = "fullscreen", .state = "false", .change_state = fullscreen_cb },
  { .name = "copy", .activate = copy_cb },
  { .name = "paste", .activate = paste_cb },
  { .name = "show-details", .activate = show_details_cb },
};

/* Keys that others want first go the way from the focused widget up to the window. */
void
mien_window_install_actions (MienWindowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  gtk_widget_class_add_binding (widget_class, GDK_KEY_Escape, 0, escape_cb, NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_c, GDK_CONTROL_MASK, "win.copy", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_v, GDK_CONTROL_MASK, "win.paste", NULL);
}

void
mien_window_add_actions (MienWindow *self)
{
  g_autoptr (GAction) panel = g_settings_create_action (self->settings, "panel-shown");
  g_autoptr (GAction) layers_source = g_settings_create_action (self->settings, "layers-source");

  g_action_map_add_action_entries (G_ACTION_MAP (self), entries, G_N_ELEMENTS (entries), self);
  g_action_map_add_action (G_ACTION_MAP (self), layers_source);
  g_action_map_add_action (G_ACTION_MAP (self), panel);
  g_signal_connect (self, "notify::fullscreened", G_CALLBACK (fullscreened_cb), NULL);
}

void
mien_window_set_action_state (MienWindow *self, const char *name, GVariant *state)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self), name);

  g_variant_ref_sink (state);
  if (action != NULL)
    g_simple_action_set_state (G_SIMPLE_ACTION (action), state);
  g_variant_unref (state);
}
