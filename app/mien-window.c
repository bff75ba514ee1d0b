/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The main window: its panes, the camera and the network behind them; see the header. */
#include "mien-config.h"

#include "mien-window-private.h"

#include <glib/gi18n.h>

#include "common/mien-name-buttons.h"

#define CAMERAS_WAIT_MS 400 /* how long the automatic source waits to hear of a camera before it takes the demo camera */

enum { PROP_0, PROP_SOURCE, PROP_SETTINGS, N_PROPS };
static GParamSpec *props[N_PROPS];
enum { RESULT, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (MienWindow, mien_window, ADW_TYPE_APPLICATION_WINDOW)

/* Telling the user */

void
mien_window_toast (MienWindow *self, const char *text)
{
  g_autofree char *escaped = g_markup_escape_text (text, -1);

  adw_toast_overlay_add_toast (self->toasts, adw_toast_new (escaped));
}

void
mien_window_toast_failure (MienWindow *self, const char *text, const char *details)
{
  g_autofree char *escaped = g_markup_escape_text (text, -1);
  AdwToast *toast = adw_toast_new (escaped);

  g_message ("%s: %s", text, details);
  g_free (self->details);
  self->details = g_strdup (details);
  adw_toast_set_button_label (toast, _("Details"));
  adw_toast_set_action_name (toast, "win.show-details");
  adw_toast_set_timeout (toast, 10);
  adw_toast_overlay_add_toast (self->toasts, toast);
}

/* The camera */

static const char *
get_view (MienWindow *self)
{
  const char *view = adw_view_stack_get_visible_child_name (self->views);

  return view != NULL ? view : "live";
}

static gboolean
is_action_on (MienWindow *self, const char *name)
{
  g_autoptr (GVariant) state = g_action_group_get_action_state (G_ACTION_GROUP (self), name);

  return state != NULL && g_variant_get_boolean (state);
}

static gboolean
layers_show_live (MienWindow *self)
{
  g_autofree char *source = g_settings_get_string (self->settings, "layers-source");

  return g_str_equal (source, "live");
}

/* Whether anybody could see the picture now. */
static gboolean
is_picture_visible (MienWindow *self)
{
  GdkSurface *surface = gtk_native_get_surface (GTK_NATIVE (self));
  GtkApplication *application = gtk_window_get_application (GTK_WINDOW (self));
  const char *view = get_view (self);
  gboolean locked = FALSE;

  if (!gtk_widget_get_mapped (GTK_WIDGET (self)) || surface == NULL)
    return FALSE;
  if (gdk_toplevel_get_state (GDK_TOPLEVEL (surface)) & GDK_TOPLEVEL_STATE_MINIMIZED)
    return FALSE;
  if (application != NULL)
    g_object_get (application, "screensaver-active", &locked, NULL);
  return !locked && (g_str_equal (view, "live") || (g_str_equal (view, "layers") && layers_show_live (self)));
}

static gboolean
wait_over_cb (gpointer user_data)
{
  MienWindow *self = user_data;

  self->wait_id = 0;
  mien_window_update_capture (self);
  return G_SOURCE_REMOVE;
}

/* The source that the choice means now; NULL: to be seen in a moment. */
static const char *
resolve_source (MienWindow *self)
{
  if (self->source[0] != '\0')
    return self->source;
  if (g_list_model_get_n_items (G_LIST_MODEL (self->cameras)) > 0)
    return "camera:";
  if (mien_camera_list_is_ready (self->cameras))
    return "demo";
  return NULL;
}

static char *
dup_source_title (const char *source)
{
  if (g_str_equal (source, "demo"))
    return g_strdup (_("Demo Camera"));
  if (g_str_equal (source, "camera:"))
    return g_strdup (_("Camera"));
  if (g_str_has_prefix (source, "camera:"))
    return g_strdup (source + strlen ("camera:"));
  if (g_str_has_prefix (source, "file:")) {
    g_autofree char *unescaped = g_uri_unescape_string (source + strlen ("file:"), NULL);
    g_autofree char *name = g_path_get_basename (unescaped != NULL ? unescaped : source);

    return g_filename_display_name (name);
  }
  return g_strdup (source);
}

static void
start_capture (MienWindow *self, const char *source)
{
  g_autofree char *title = dup_source_title (source);
  gboolean is_camera = g_str_has_prefix (source, "camera:");

  self->started = TRUE;
  g_object_set (self->live, "mirrored", is_camera && g_settings_get_boolean (self->settings, "mirror"), NULL);
  mien_analyzer_reset (self->analyzer);
  mien_capture_start (self->capture, source);
  mien_live_pane_set_source_title (self->live, title);
}

void
mien_window_update_capture (MienWindow *self)
{
  gboolean want = self->capture != NULL && is_action_on (self, "running") && is_picture_visible (self);
  const char *source;

  if (!want) {
    g_clear_handle_id (&self->wait_id, g_source_remove);
    if (self->started) {
      self->started = FALSE;
      mien_capture_stop (self->capture);
      mien_analyzer_reset (self->analyzer);
    }
    return;
  }
  if (self->started)
    return;
  source = resolve_source (self);
  if (source == NULL && self->wait_id == 0) {
    self->wait_id = g_timeout_add (CAMERAS_WAIT_MS, wait_over_cb, self);
    return;
  }
  g_clear_handle_id (&self->wait_id, g_source_remove);
  start_capture (self, source != NULL ? source : "demo");
}

void
mien_window_restart_capture (MienWindow *self)
{
  self->started = FALSE;
  if (!is_action_on (self, "running"))
    mien_window_set_action_state (self, "running", g_variant_new_boolean (TRUE));
  mien_window_update_capture (self);
}

static void
update_capture_cb (MienWindow *self)
{
  mien_window_update_capture (self);
}

static void
state_changed_cb (MienWindow *self)
{
  MienCaptureState state = mien_capture_get_state (self->capture);
  gboolean running = is_action_on (self, "running");
  gboolean picture = state == MIEN_CAPTURE_LIVE || state == MIEN_CAPTURE_PAUSED;

  mien_window_set_action_state (self, "freeze", g_variant_new_boolean (state == MIEN_CAPTURE_PAUSED));
  g_simple_action_set_enabled (G_SIMPLE_ACTION (g_action_map_lookup_action (G_ACTION_MAP (self), "freeze")), picture);
  gtk_button_set_icon_name (GTK_BUTTON (self->run_button), running ? "media-playback-stop-symbolic" : "media-playback-start-symbolic");
  gtk_widget_set_tooltip_text (self->run_button, running ? _("Stop (Ctrl+.)") : _("Start (Ctrl+.)"));
}

/* Sources to choose from */

static void
append_source (GMenu *menu, const char *title, const char *source)
{
  g_autoptr (GMenuItem) item = g_menu_item_new (NULL, NULL);
  g_autoptr (GString) label = g_string_new (title);

  g_string_replace (label, "_", "__", 0); /* a camera's name has no mnemonic */
  g_menu_item_set_label (item, label->str);
  g_menu_item_set_action_and_target (item, "win.source", "s", source);
  g_menu_append_item (menu, item);
}

static void
update_source_menu (MienWindow *self)
{
  g_autoptr (GMenu) sources = g_menu_new (), more = g_menu_new ();
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->cameras));

  append_source (sources, _("Automatic"), "");
  for (guint i = 0; i < n; i++) {
    g_autoptr (MienCamera) camera = g_list_model_get_item (G_LIST_MODEL (self->cameras), i);

    append_source (sources, mien_camera_get_name (camera), mien_camera_get_source (camera));
  }
  append_source (sources, _("Demo Camera"), "demo");
  if (g_str_has_prefix (self->source, "file:")) {
    g_autofree char *title = dup_source_title (self->source);

    append_source (sources, title, self->source);
  }
  g_menu_append (more, _("Open _Video…"), "win.open-video");
  g_menu_remove_all (self->source_menu);
  g_menu_append_section (self->source_menu, NULL, G_MENU_MODEL (sources));
  g_menu_append_section (self->source_menu, NULL, G_MENU_MODEL (more));
}

static void
cameras_changed_cb (MienWindow *self, guint position, guint removed, guint added)
{
  MienCaptureState state = mien_capture_get_state (self->capture);

  update_source_menu (self);
  if (self->wait_id != 0)
    mien_window_update_capture (self);
  else if (added > 0 && self->started && (state == MIEN_CAPTURE_LOST || state == MIEN_CAPTURE_NO_CAMERA))
    mien_window_restart_capture (self);
}

void
mien_window_choose_source (MienWindow *self, const char *source, gboolean keep)
{
  char *copy = g_strdup (source);

  g_free (self->source);
  self->source = copy;
  mien_window_set_action_state (self, "source", g_variant_new_string (copy));
  if (keep && !g_str_has_prefix (copy, "file:"))
    g_settings_set_string (self->settings, "source", copy);
  update_source_menu (self);
  mien_window_restart_capture (self);
}

/* The network */

typedef struct {
  char *path; /* NULL: the shipped one */
  gboolean keep;
} ModelJob;

static void
model_job_free (ModelJob *job)
{
  g_free (job->path);
  g_free (job);
}

static void
load_model_thread (GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
  ModelJob *job = task_data;
  GError *error = NULL;
  MienModel *model = job->path != NULL ? mien_model_load (job->path, &error) : mien_model_load_default (&error);

  if (model != NULL)
    g_task_return_pointer (task, model, (GDestroyNotify) mien_model_unref);
  else
    g_task_return_error (task, error);
}

static void
model_loaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  MienWindow *self = MIEN_WINDOW (source);
  ModelJob *job = g_task_get_task_data (G_TASK (result));
  g_autoptr (GError) error = NULL;
  g_autoptr (MienModel) model = g_task_propagate_pointer (G_TASK (result), &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  if (model == NULL) {
    mien_window_toast_failure (self, _("This network cannot be used"), error->message);
    /* The file of the setting may be gone: then the shipped one serves, and the setting stays for the file's return. */
    if (job->path != NULL && self->model == NULL) {
      mien_window_use_model (self, NULL, FALSE);
    } else if (self->model == NULL) {
      mien_live_pane_set_model (self->live, NULL);
      mien_photo_pane_set_model (self->photo, NULL);
    }
    return;
  }
  g_clear_pointer (&self->model, mien_model_unref);
  self->model = mien_model_ref (model);
  mien_analyzer_set_model (self->analyzer, model);
  mien_live_pane_set_model (self->live, model);
  mien_photo_pane_set_model (self->photo, model);
  mien_window_feed_layers (self);
  if (job->keep) {
    g_autofree char *title = mien_model_dup_title (model);
    g_autofree char *text = g_strdup_printf (_("Now using “%s”"), title);

    g_settings_set_string (self->settings, "model", job->path != NULL ? job->path : "");
    if (mien_model_is_guessed (model))
      mien_window_toast_failure (self, text, _("This network does not say how it wants its faces. Mien takes usual values for size, "
                                               "brightness and names, which may not be the right ones."));
    else
      mien_window_toast (self, text);
  }
}

void
mien_window_use_model (MienWindow *self, const char *path, gboolean keep)
{
  g_autoptr (GTask) task = NULL;
  ModelJob *job = g_new (ModelJob, 1);

  *job = (ModelJob) { g_strdup (path), keep };
  g_cancellable_cancel (self->model_cancellable);
  g_clear_object (&self->model_cancellable);
  self->model_cancellable = g_cancellable_new ();
  task = g_task_new (self, self->model_cancellable, model_loaded_cb, NULL);
  g_task_set_task_data (task, job, (GDestroyNotify) model_job_free);
  g_task_run_in_thread (task, load_model_thread);
}

MienModel *
mien_window_get_model (MienWindow *self)
{
  return self->model;
}

MienCameraList *
mien_window_get_cameras (MienWindow *self)
{
  return self->cameras;
}

/* Faces for the layer browser */

void
mien_window_feed_layers (MienWindow *self)
{
  MienModel *model = self->model;
  const MienFace *face;

  if (!g_str_equal (get_view (self), "layers") || model == NULL)
    return;
  face = layers_show_live (self) ? mien_live_pane_get_face (self->live, &model) : mien_photo_pane_get_face (self->photo, &model);
  if (face != NULL && face->pixels != NULL)
    mien_layers_pane_set_face (self->layers, model, face->pixels);
  else
    mien_layers_pane_set_model (self->layers, model);
}

static void
face_requested_cb (MienWindow *self)
{
  mien_window_show_view (self, layers_show_live (self) ? "live" : "photo");
}

static void
live_face_changed_cb (MienWindow *self)
{
  if (layers_show_live (self))
    mien_window_feed_layers (self);
}

static void
photo_face_changed_cb (MienWindow *self)
{
  if (!layers_show_live (self))
    mien_window_feed_layers (self);
}

static void
result_cb (MienAnalyzer *analyzer, MienResult *result, MienWindow *self)
{
  const char *source = mien_capture_get_source (self->capture);
  const char *name = source != NULL && g_str_has_prefix (source, "file:") ? source + strlen ("file:") : source;

  g_signal_emit (self, signals[RESULT], 0, result, name);
}

/* The chosen face changes more often than the result. */
static void
photo_result_cb (MienWindow *self)
{
  MienResult *result = mien_photo_pane_get_result (self->photo);
  g_autofree char *title = NULL;

  if (result == NULL || result == self->photo_result)
    return;
  g_clear_pointer (&self->photo_result, mien_result_unref);
  self->photo_result = mien_result_ref (result);
  g_object_get (self->photo, "title", &title, NULL);
  g_signal_emit (self, signals[RESULT], 0, result, title);
}

static void
analysis_failed_cb (MienAnalyzer *analyzer, const char *message, MienWindow *self)
{
  mien_window_toast_failure (self, _("Faces cannot be read at the moment"), message);
}

/* Views */

static void
view_changed_cb (MienWindow *self)
{
  const char *view = get_view (self), *before = self->view;
  GtkWidget *pane = adw_view_stack_get_visible_child (self->views);
  MienModel *model;

  self->view = g_intern_string (view);
  /* The layers show the face that was just looked at. */
  if (g_str_equal (view, "layers") && g_strcmp0 (before, "photo") == 0 && mien_photo_pane_get_face (self->photo, &model) != NULL)
    g_settings_set_string (self->settings, "layers-source", "photo");
  else if (g_str_equal (view, "layers") && g_strcmp0 (before, "live") == 0)
    g_settings_set_string (self->settings, "layers-source", "live");
  gtk_stack_set_visible_child_name (self->start, view);
  g_settings_set_string (self->settings, "view", view);
  mien_window_set_action_state (self, "view", g_variant_new_string (view));
  mien_window_update_capture (self);
  mien_window_feed_layers (self);
  if (pane != NULL && gtk_widget_get_mapped (pane))
    gtk_widget_child_focus (pane, GTK_DIR_TAB_FORWARD);
}

void
mien_window_show_view (MienWindow *self, const char *view)
{
  adw_view_stack_set_visible_child_name (self->views, view);
}

static void
setting_changed_cb (MienWindow *self, const char *key)
{
  if (g_str_equal (key, "detector")) {
    g_autofree char *detector = g_settings_get_string (self->settings, key);

    mien_analyzer_set_detector (self->analyzer, detector);
  } else if (g_str_equal (key, "smoothing")) {
    mien_analyzer_set_smoothing (self->analyzer, g_settings_get_int (self->settings, key));
  } else if (g_str_equal (key, "mirror")) {
    const char *source = mien_capture_get_source (self->capture);

    g_object_set (self->live, "mirrored", source != NULL && g_str_has_prefix (source, "camera:") && g_settings_get_boolean (self->settings, key),
                  NULL);
  } else if (g_str_equal (key, "layers-source")) {
    mien_window_update_capture (self);
    mien_window_feed_layers (self);
  } else if (g_str_equal (key, "source")) {
    g_autofree char *source = g_settings_get_string (self->settings, key);

    if (!g_str_equal (source, self->source))
      mien_window_choose_source (self, source, FALSE);
  }
}

/* Window */

static void
mien_window_map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (mien_window_parent_class)->map (widget);
  mien_window_update_capture (MIEN_WINDOW (widget));
}

static void
mien_window_unmap (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (mien_window_parent_class)->unmap (widget);
  mien_window_update_capture (MIEN_WINDOW (widget));
}

static void
mien_window_realize (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (mien_window_parent_class)->realize (widget);
  g_signal_connect_object (gtk_native_get_surface (GTK_NATIVE (widget)), "notify::state", G_CALLBACK (update_capture_cb), widget,
                           G_CONNECT_SWAPPED);
}

static gboolean
mien_window_close_request (GtkWindow *window)
{
  MienWindow *self = MIEN_WINDOW (window);
  int width, height;

  if (!gtk_window_is_fullscreen (window)) {
    gtk_window_get_default_size (window, &width, &height);
    g_settings_set (self->settings, "window-size", "(ii)", width, height);
    g_settings_set_boolean (self->settings, "maximized", gtk_window_is_maximized (window));
  }
  return GTK_WINDOW_CLASS (mien_window_parent_class)->close_request (window);
}

static void
mien_window_constructed (GObject *object)
{
  MienWindow *self = MIEN_WINDOW (object);
  g_autofree char *view = g_settings_get_string (self->settings, "view");
  g_autofree char *model = g_settings_get_string (self->settings, "model");
  g_autofree char *detector = g_settings_get_string (self->settings, "detector");
  int width, height;

  G_OBJECT_CLASS (mien_window_parent_class)->constructed (object);

  mien_window_use_model (self, model[0] != '\0' ? model : NULL, FALSE); /* first: it is read while the window is made */
  g_settings_get (self->settings, "window-size", "(ii)", &width, &height);
  gtk_window_set_default_size (GTK_WINDOW (self), MAX (width, 360), MAX (height, 360));
  if (g_settings_get_boolean (self->settings, "maximized"))
    gtk_window_maximize (GTK_WINDOW (self));

  self->analyzer = mien_analyzer_new ();
  mien_analyzer_set_detector (self->analyzer, detector);
  mien_analyzer_set_smoothing (self->analyzer, g_settings_get_int (self->settings, "smoothing"));
  self->capture = mien_capture_new (self->analyzer);
  self->cameras = mien_camera_list_new ();
  if (self->source == NULL)
    self->source = g_settings_get_string (self->settings, "source");

  mien_window_add_actions (self);
  mien_window_accept_drops (self);
  mien_window_set_action_state (self, "source", g_variant_new_string (self->source));
  self->source_menu = g_menu_new ();
  gtk_menu_button_set_menu_model (self->source_button, G_MENU_MODEL (self->source_menu));
  update_source_menu (self);

  mien_live_pane_connect (self->live, self->capture, self->analyzer);
  g_signal_connect_object (self->analyzer, "result", G_CALLBACK (result_cb), self, 0);
  g_signal_connect_object (self->analyzer, "failed", G_CALLBACK (analysis_failed_cb), self, 0);
  g_signal_connect_object (self->capture, "notify::state", G_CALLBACK (state_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->cameras, "items-changed", G_CALLBACK (cameras_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->cameras, "ready", G_CALLBACK (update_capture_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->live, "face-changed", G_CALLBACK (live_face_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->photo, "face-changed", G_CALLBACK (photo_face_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->photo, "face-changed", G_CALLBACK (photo_result_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->layers, "face-requested", G_CALLBACK (face_requested_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->settings, "changed", G_CALLBACK (setting_changed_cb), self, G_CONNECT_SWAPPED);
  g_settings_bind (self->settings, "layers-colors", self->layers, "color-map", G_SETTINGS_BIND_DEFAULT);
  g_settings_bind (self->settings, "layers-shared-range", self->layers, "shared-range", G_SETTINGS_BIND_DEFAULT);
  g_settings_bind (self->settings, "layers-strongest-first", self->layers, "strongest-first", G_SETTINGS_BIND_DEFAULT);
  g_settings_bind (self->settings, "layers-cell-size", self->layers, "cell-size", G_SETTINGS_BIND_DEFAULT);
  g_settings_bind (self->settings, "panel-shown", self->live, "panel-shown", G_SETTINGS_BIND_GET);
  g_settings_bind (self->settings, "panel-shown", self->photo, "panel-shown", G_SETTINGS_BIND_GET);
  if (gtk_window_get_application (GTK_WINDOW (self)) != NULL)
    g_signal_connect_object (gtk_window_get_application (GTK_WINDOW (self)), "notify::screensaver-active", G_CALLBACK (update_capture_cb),
                             self, G_CONNECT_SWAPPED);

  adw_view_stack_set_visible_child_name (self->views, view);
  g_signal_connect_object (self->views, "notify::visible-child", G_CALLBACK (view_changed_cb), self, G_CONNECT_SWAPPED);
  view_changed_cb (self);
  state_changed_cb (self);
}

static void
mien_window_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  MienWindow *self = MIEN_WINDOW (object);

  switch (id) {
  case PROP_SOURCE:
    self->source = g_value_dup_string (value);
    break;
  case PROP_SETTINGS:
    self->settings = g_value_dup_object (value);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_window_dispose (GObject *object)
{
  MienWindow *self = MIEN_WINDOW (object);

  g_cancellable_cancel (self->model_cancellable);
  g_clear_object (&self->model_cancellable);
  g_clear_handle_id (&self->wait_id, g_source_remove);
  if (self->capture != NULL)
    mien_capture_stop (self->capture);
  g_clear_object (&self->capture);
  g_clear_object (&self->analyzer);
  g_clear_object (&self->cameras);
  g_clear_object (&self->chooser);
  g_clear_object (&self->source_menu);
  g_clear_pointer (&self->model, mien_model_unref);
  g_clear_pointer (&self->photo_result, mien_result_unref);
  gtk_widget_dispose_template (GTK_WIDGET (self), MIEN_TYPE_WINDOW);
  G_OBJECT_CLASS (mien_window_parent_class)->dispose (object);
}

static void
mien_window_finalize (GObject *object)
{
  MienWindow *self = MIEN_WINDOW (object);

  g_clear_object (&self->settings);
  g_free (self->source);
  g_free (self->details);
  G_OBJECT_CLASS (mien_window_parent_class)->finalize (object);
}

static void
mien_window_class_init (MienWindowClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->constructed = mien_window_constructed;
  object_class->set_property = mien_window_set_property;
  object_class->dispose = mien_window_dispose;
  object_class->finalize = mien_window_finalize;
  widget_class->map = mien_window_map;
  widget_class->unmap = mien_window_unmap;
  widget_class->realize = mien_window_realize;
  GTK_WINDOW_CLASS (klass)->close_request = mien_window_close_request;

  props[PROP_SOURCE] = g_param_spec_string ("source", NULL, NULL, NULL, G_PARAM_WRITABLE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);
  props[PROP_SETTINGS] = g_param_spec_object ("settings", NULL, NULL, G_TYPE_SETTINGS,
                                              G_PARAM_WRITABLE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, props);
  signals[RESULT] = g_signal_new ("result", MIEN_TYPE_WINDOW, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, MIEN_TYPE_RESULT,
                                  G_TYPE_STRING);

  g_type_ensure (MIEN_TYPE_LIVE_PANE);
  g_type_ensure (MIEN_TYPE_PHOTO_PANE);
  g_type_ensure (MIEN_TYPE_LAYERS_PANE);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/mien/Mien/mien-window.ui");
  gtk_widget_class_bind_template_child (widget_class, MienWindow, toasts);
  gtk_widget_class_bind_template_child (widget_class, MienWindow, views);
  gtk_widget_class_bind_template_child (widget_class, MienWindow, header);
  gtk_widget_class_bind_template_child (widget_class, MienWindow, drop_hint);
  gtk_widget_class_bind_template_child (widget_class, MienWindow, start);
  gtk_widget_class_bind_template_child (widget_class, MienWindow, run_button);
  gtk_widget_class_bind_template_child (widget_class, MienWindow, source_button);
  gtk_widget_class_bind_template_child (widget_class, MienWindow, live);
  gtk_widget_class_bind_template_child (widget_class, MienWindow, photo);
  gtk_widget_class_bind_template_child (widget_class, MienWindow, layers);
  mien_window_install_actions (klass);
}

static void
mien_window_init (MienWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  mien_name_buttons (GTK_WIDGET (self));
}

MienWindow *
mien_window_new (GtkApplication *application, GSettings *settings, const char *source)
{
  return g_object_new (MIEN_TYPE_WINDOW, "application", application, "settings", settings, "source", source, NULL);
}
