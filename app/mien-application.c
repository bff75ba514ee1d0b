/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program; see the header. */
#include "mien-config.h"

#include "mien-application.h"

#include <glib/gi18n.h>
#include <gst/gst.h>

#include "kernels/mien-cpu.h"
#include "mien-preferences.h"
#include "mien-settings.h"
#include "mien-unattended.h"
#include "mien-window.h"
#include "training/mien-training-window.h"

struct _MienApplication {
  AdwApplication parent_instance;

  GSettings *settings;
  GtkWindow *training; /* borrowed, weak */
  int exit_status;
};

G_DEFINE_FINAL_TYPE (MienApplication, mien_application, ADW_TYPE_APPLICATION)

/* Defined by the generated mien-ui-resources.c. */
extern GResource *mien_ui_get_resource (void);

static const GOptionEntry options[] = {
  { "version", 'v', 0, G_OPTION_ARG_NONE, NULL, N_ ("Print the version and exit"), NULL },
  { "source", 's', 0, G_OPTION_ARG_STRING, NULL, N_ ("Live picture: demo, camera:NAME or file:PATH"), N_ ("SOURCE") },
  { "view", 0, 0, G_OPTION_ARG_STRING, NULL, N_ ("View to begin with: live, photo or layers"), N_ ("VIEW") },
  /* For runs that nobody watches: make run without a display, tests, pictures of the program for its description. */
  { "screenshot", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, NULL, NULL, NULL },
  { "results", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, NULL, NULL, NULL },
  { "seconds", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_DOUBLE, NULL, NULL, NULL },
  { "size", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, NULL, NULL, NULL },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, NULL, NULL, N_ ("[FILE…]") },
  { NULL },
};

static MienWindow *
find_window (MienApplication *self)
{
  for (GList *l = gtk_application_get_windows (GTK_APPLICATION (self)); l != NULL; l = l->next) {
    if (MIEN_IS_WINDOW (l->data))
      return l->data;
  }
  return NULL;
}

static MienWindow *
ensure_window (MienApplication *self, const char *source)
{
  MienWindow *window = find_window (self);

  return window != NULL ? window : mien_window_new (GTK_APPLICATION (self), self->settings, source);
}

/* Actions */

static void
about_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  MienApplication *self = user_data;
  MienWindow *window = find_window (self);
  MienModel *model = window != NULL ? mien_window_get_model (window) : NULL;
  const char *path = model != NULL ? mien_model_get_path (model) : NULL;
  const char *const developers[] = { _("The Mien developers"), NULL };
  g_autofree char *gst = gst_version_string ();
  g_autofree char *debug = g_strdup_printf ("Mien %s\nGTK %u.%u.%u, libadwaita %u.%u.%u, %s\nProcessor level: %s\nNetwork: %s\n", MIEN_VERSION,
                                            gtk_get_major_version (), gtk_get_minor_version (), gtk_get_micro_version (),
                                            adw_get_major_version (), adw_get_minor_version (), adw_get_micro_version (), gst,
                                            mien_cpu_level_name (mien_cpu_detect ()), path != NULL ? path : "none");

  adw_show_about_window (
    window != NULL ? GTK_WINDOW (window) : NULL, "application-name", "Mien", "application-icon", MIEN_APP_ID, "version", MIEN_VERSION,
    "developer-name", _("The Mien developers"), "developers", developers, "license-type", GTK_LICENSE_GPL_3_0, "copyright",
    "© 2026 The Mien developers", "debug-info", debug, "debug-info-filename", "mien-debug.txt", "translator-credits",
    /* Translators: your names, one a line. */
    _("translator-credits"), "comments",
    _("Mien reads facial expressions from a camera, a video or a photo, and shows how it comes to its answer.\n\n"
      "<b>What a label means</b>\nA label is a network’s guess about an expression. It is not a feeling: people feel what their faces do "
      "not show, and show what they do not feel. Mien is made for learning, research and play. Do not use it to decide about people, and "
      "not at work or in education, where European law forbids it.\n\n"
      "<b>Privacy</b>\nPictures are looked at on this computer only and none is kept. Mien makes no use of the network."),
    NULL);
}

static void
preferences_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  MienApplication *self = user_data;
  MienWindow *window = find_window (self);

  if (window != NULL)
    gtk_window_present (GTK_WINDOW (mien_preferences_new (window, self->settings)));
}

static void
model_trained_cb (MienTrainingWindow *training, const char *path, MienApplication *self)
{
  MienWindow *window = ensure_window (self, NULL);

  mien_window_use_model (window, path, TRUE);
  gtk_window_present (GTK_WINDOW (window));
}

static void
train_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  MienApplication *self = user_data;

  if (self->training == NULL) {
    g_set_weak_pointer (&self->training, GTK_WINDOW (mien_training_window_new (GTK_APPLICATION (self))));
    g_settings_bind (self->settings, "training-recipe", self->training, "recipe", G_SETTINGS_BIND_DEFAULT);
    g_settings_bind (self->settings, "training-data", self->training, "data-path", G_SETTINGS_BIND_DEFAULT);
    g_signal_connect_object (self->training, "model-trained", G_CALLBACK (model_trained_cb), self, 0);
  }
  gtk_window_present (self->training);
}

static void
help_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  MienWindow *window = find_window (user_data);

  if (window != NULL)
    gtk_widget_activate_action (GTK_WIDGET (window), "win.show-help-overlay", NULL);
}

static void
quit_cb (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  MienWindow *window = find_window (user_data);

  if (window != NULL)
    gtk_window_close (GTK_WINDOW (window)); /* remembers its size; the program ends with its last window */
  else
    g_application_quit (user_data);
}

static const GActionEntry actions[] = {
  { .name = "about", .activate = about_cb },       { .name = "preferences", .activate = preferences_cb },
  { .name = "help", .activate = help_cb },
  { .name = "train", .activate = train_cb },
  { .name = "quit", .activate = quit_cb },
};

static const struct {
  const char *action;
  const char *keys[3];
} accels[] = {
  { "app.quit", { "<Control>q" } },
  { "app.preferences", { "<Control>comma" } },
  { "app.help", { "F1" } },
  { "app.train", { "<Control>t" } },
  { "win.show-help-overlay", { "<Control>question" } },
  { "window.close", { "<Control>w" } },
  { "win.open", { "<Control>o" } },
  { "win.open-video", { "<Control><Shift>o" } },
  { "win.running", { "<Control>period" } },
  { "win.panel-shown", { "F9" } },
  { "win.fullscreen", { "F11" } },
  { "win.view::live", { "<Alt>1" } },
  { "win.view::photo", { "<Alt>2" } },
  { "win.view::layers", { "<Alt>3" } },
  { "win.next-view", { "<Control>Page_Down" } },
  { "win.previous-view", { "<Control>Page_Up" } },
};

/* Application */

static void
mien_application_startup (GApplication *application)
{
  MienApplication *self = MIEN_APPLICATION (application);

  g_set_prgname (MIEN_APP_ID); /* what the shell matches windows by; not earlier, for --help says it too */
  G_APPLICATION_CLASS (mien_application_parent_class)->startup (application);
  mien_ui_get_resource (); /* links the panes' templates */
  gtk_window_set_default_icon_name (MIEN_APP_ID);
  self->settings = mien_settings_new ();
  g_action_map_add_action_entries (G_ACTION_MAP (self), actions, G_N_ELEMENTS (actions), self);
  for (int i = 0; i < G_N_ELEMENTS (accels); i++)
    gtk_application_set_accels_for_action (GTK_APPLICATION (self), accels[i].action, (const char **) accels[i].keys);
}

static void
mien_application_activate (GApplication *application)
{
  gtk_window_present (GTK_WINDOW (ensure_window (MIEN_APPLICATION (application), NULL)));
}

static void
mien_application_open (GApplication *application, GFile **files, int n_files, const char *hint)
{
  MienWindow *window = ensure_window (MIEN_APPLICATION (application), NULL);

  mien_window_open (window, files, n_files);
  gtk_window_present (GTK_WINDOW (window));
}

static int
mien_application_handle_local_options (GApplication *application, GVariantDict *given)
{
  const char *view = NULL;

  if (g_variant_dict_contains (given, "version")) {
    g_print ("Mien %s\n", MIEN_VERSION);
    return 0;
  }
  if (g_variant_dict_lookup (given, "view", "&s", &view) && !g_strv_contains ((const char *const[]) { "live", "photo", "layers", NULL }, view)) {
    g_printerr (_("mien: “%s” is no view; there are live, photo and layers\n"), view);
    return 2;
  }
  if (g_variant_dict_contains (given, "seconds")) /* a run of its own, whatever else is open */
    g_application_set_flags (application, g_application_get_flags (application) | G_APPLICATION_NON_UNIQUE);
  return -1;
}

/* In the running instance; the folder that names are relative to is the caller's. */
static int
mien_application_command_line (GApplication *application, GApplicationCommandLine *line)
{
  MienApplication *self = MIEN_APPLICATION (application);
  GVariantDict *given = g_application_command_line_get_options_dict (line);
  g_autofree const char **names = NULL;
  const char *source = NULL, *view = NULL, *picture = NULL, *results = NULL, *size = NULL;
  g_autofree char *full_source = NULL;
  double seconds = 0;
  gboolean is_new = find_window (self) == NULL;
  int width, height;
  MienWindow *window;

  g_variant_dict_lookup (given, "source", "&s", &source);
  g_variant_dict_lookup (given, "view", "&s", &view);
  g_variant_dict_lookup (given, "screenshot", "^&ay", &picture);
  g_variant_dict_lookup (given, "results", "^&ay", &results);
  g_variant_dict_lookup (given, "size", "&s", &size);
  g_variant_dict_lookup (given, "seconds", "d", &seconds);
  g_variant_dict_lookup (given, G_OPTION_REMAINING, "^a&ay", &names);

  if (source != NULL && g_str_has_prefix (source, "file:") && strstr (source, "://") == NULL) {
    g_autoptr (GFile) file = g_application_command_line_create_file_for_arg (line, source + strlen ("file:"));
    g_autofree char *path = g_file_get_path (file);

    full_source = g_strconcat ("file:", path, NULL);
    source = full_source;
  }
  window = ensure_window (self, source);
  if (!is_new && source != NULL)
    gtk_widget_activate_action (GTK_WIDGET (window), "win.source", "s", source);
  if (source != NULL && view == NULL)
    view = "live";
  if (size != NULL && sscanf (size, "%dx%d", &width, &height) == 2)
    gtk_window_set_default_size (GTK_WINDOW (window), width, height);
  if (view != NULL)
    mien_window_show_view (window, view);
  if (names != NULL && names[0] != NULL) {
    g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_object_unref);

    for (int i = 0; names[i] != NULL; i++)
      g_ptr_array_add (files, g_application_command_line_create_file_for_arg (line, names[i]));
    mien_window_open (window, (GFile **) files->pdata, files->len);
    if (view != NULL)
      mien_window_show_view (window, view);
  }
  if (seconds > 0 || results != NULL)
    mien_unattended_start (window, seconds, picture, results, &self->exit_status);
  gtk_window_present (GTK_WINDOW (window));
  return 0;
}

static void
mien_application_dispose (GObject *object)
{
  MienApplication *self = MIEN_APPLICATION (object);

  g_clear_weak_pointer (&self->training);
  g_clear_object (&self->settings);
  G_OBJECT_CLASS (mien_application_parent_class)->dispose (object);
}

static void
mien_application_class_init (MienApplicationClass *klass)
{
  GApplicationClass *application_class = G_APPLICATION_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = mien_application_dispose;
  application_class->startup = mien_application_startup;
  application_class->activate = mien_application_activate;
  application_class->open = mien_application_open;
  application_class->handle_local_options = mien_application_handle_local_options;
  application_class->command_line = mien_application_command_line;
}

static void
mien_application_init (MienApplication *self)
{
  g_application_add_main_option_entries (G_APPLICATION (self), options);
  g_application_set_option_context_summary (G_APPLICATION (self), _("Reads facial expressions from a camera, a video or photos."));
}

MienApplication *
mien_application_new (void)
{
  return g_object_new (MIEN_TYPE_APPLICATION, "application-id", MIEN_APP_ID, "resource-base-path", "/io/github/mien/Mien", "flags",
                       G_APPLICATION_HANDLES_OPEN | G_APPLICATION_HANDLES_COMMAND_LINE, NULL);
}

int
mien_application_get_exit_status (MienApplication *self)
{
  return self->exit_status;
}
