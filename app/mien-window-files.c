/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that come to the main window: chosen, dropped, pasted or from the command line. */
#include "mien-config.h"

#include "mien-window-private.h"

#include <glib/gi18n.h>

#define PASTE_LIMIT (256 * 1024 * 1024)

static const char *const photo_types[] = { "image/png", "image/jpeg", "image/webp", "image/tiff", "image/bmp", "image/gif", "image/avif", NULL };

static const char *const network_patterns[] = { "*.onnx", "*.h5", "*.hdf5", NULL };

/* By the name alone: asking the file system could block on a slow disk. What a photo truly is, its decoder finds out. */
static MienOpenKind
guess_kind (GFile *file)
{
  g_autofree char *name = g_file_get_basename (file);
  g_autofree char *lower = name != NULL ? g_ascii_strdown (name, -1) : g_strdup ("");
  g_autofree char *type = g_content_type_guess (lower, NULL, 0, NULL);

  for (int i = 0; network_patterns[i] != NULL; i++)
    if (g_str_has_suffix (lower, network_patterns[i] + 1))
      return MIEN_OPEN_MODEL;
  if (g_content_type_is_a (type, "video/*") || g_str_has_prefix (type, "video/") || g_str_equal (type, "application/x-matroska") ||
      g_str_equal (type, "application/ogg"))
    return MIEN_OPEN_VIDEO;
  return MIEN_OPEN_PHOTO;
}

static void
open_video (MienWindow *self, GFile *file)
{
  g_autofree char *path = g_file_get_path (file), *uri = g_file_get_uri (file);
  g_autofree char *source = g_strconcat ("file:", path != NULL ? path : uri, NULL);

  mien_window_choose_source (self, source, FALSE);
  mien_window_show_view (self, "live");
}

static void
open_model (MienWindow *self, GFile *file)
{
  g_autofree char *path = g_file_get_path (file);

  if (path == NULL) {
    g_autofree char *uri = g_file_get_uri (file);

    mien_window_toast_failure (self, _("Networks are read from this computer only"), uri);
    return;
  }
  mien_window_use_model (self, path, TRUE);
}

static void
open_as (MienWindow *self, GFile **files, int n_files, MienOpenKind wanted)
{
  g_autoptr (GListStore) photos = g_list_store_new (G_TYPE_FILE);

  for (int i = 0; i < n_files; i++) {
    MienOpenKind kind = wanted == MIEN_OPEN_ANY ? guess_kind (files[i]) : wanted;

    if (kind == MIEN_OPEN_VIDEO)
      open_video (self, files[i]);
    else if (kind == MIEN_OPEN_MODEL)
      open_model (self, files[i]);
    else
      g_list_store_append (photos, files[i]);
  }
  if (g_list_model_get_n_items (G_LIST_MODEL (photos)) > 0) {
    mien_photo_pane_open (self->photo, G_LIST_MODEL (photos));
    mien_window_show_view (self, "photo");
  }
}

void
mien_window_open (MienWindow *self, GFile **files, int n_files)
{
  open_as (self, files, n_files, MIEN_OPEN_ANY);
}

/* Choosing */

static void
add_filter (GtkFileChooser *chooser, const char *name, const char *const *mime_types, const char *const *patterns)
{
  g_autoptr (GtkFileFilter) filter = gtk_file_filter_new ();

  gtk_file_filter_set_name (filter, name);
  for (int i = 0; mime_types != NULL && mime_types[i] != NULL; i++)
    gtk_file_filter_add_mime_type (filter, mime_types[i]);
  for (int i = 0; patterns != NULL && patterns[i] != NULL; i++)
    gtk_file_filter_add_pattern (filter, patterns[i]);
  gtk_file_chooser_add_filter (chooser, filter);
}

static void
chosen_cb (GtkNativeDialog *dialog, int response, MienWindow *self)
{
  MienOpenKind kind = GPOINTER_TO_INT (g_object_get_data (G_OBJECT (dialog), "kind"));

  if (response == GTK_RESPONSE_ACCEPT) {
    g_autoptr (GListModel) list = gtk_file_chooser_get_files (GTK_FILE_CHOOSER (dialog));
    g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_object_unref);

    for (guint i = 0; i < g_list_model_get_n_items (list); i++)
      g_ptr_array_add (files, g_list_model_get_item (list, i));
    open_as (self, (GFile **) files->pdata, files->len, kind);
  }
  gtk_native_dialog_hide (dialog);
}

void
mien_window_choose_files (MienWindow *self, MienOpenKind kind)
{
  static const char *const all_patterns[] = { "*", NULL };
  static const char *const video_types[] = { "video/*", NULL };
  static const char *const image_types[] = { "image/*", NULL };
  static const char *const any_types[] = { "image/*", "video/*", NULL };
  const char *const titles[] = { _("Open"), _("Open Photos"), _("Open Video"), _("Open Network") };
  GtkFileChooser *chooser;

  g_clear_object (&self->chooser);
  self->chooser = gtk_file_chooser_native_new (titles[kind], GTK_WINDOW (self), GTK_FILE_CHOOSER_ACTION_OPEN, NULL, NULL);
  chooser = GTK_FILE_CHOOSER (self->chooser);
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (self->chooser), TRUE);
  gtk_file_chooser_set_select_multiple (chooser, kind == MIEN_OPEN_PHOTO || kind == MIEN_OPEN_ANY);
  if (kind == MIEN_OPEN_ANY)
    add_filter (chooser, _("Photos, Videos and Networks"), any_types, network_patterns);
  if (kind == MIEN_OPEN_PHOTO)
    add_filter (chooser, _("Photos"), image_types, NULL);
  if (kind == MIEN_OPEN_VIDEO)
    add_filter (chooser, _("Videos"), video_types, NULL);
  if (kind == MIEN_OPEN_MODEL)
    add_filter (chooser, _("Networks (ONNX, Keras)"), NULL, network_patterns);
  add_filter (chooser, _("All Files"), NULL, all_patterns);
  g_object_set_data (G_OBJECT (chooser), "kind", GINT_TO_POINTER (kind));
  g_signal_connect_object (chooser, "response", G_CALLBACK (chosen_cb), self, 0);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (self->chooser));
}

/* Dropping */

static gboolean
drop_cb (GtkDropTarget *target, const GValue *value, double x, double y, MienWindow *self)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new ();

  gtk_widget_set_visible (self->drop_hint, FALSE);
  if (G_VALUE_HOLDS (value, GDK_TYPE_FILE_LIST)) {
    for (GSList *l = g_value_get_boxed (value); l != NULL; l = l->next)
      g_ptr_array_add (files, l->data);
  } else if (G_VALUE_HOLDS (value, G_TYPE_FILE)) {
    g_ptr_array_add (files, g_value_get_object (value));
  }
  if (files->len == 0)
    return FALSE;
  mien_window_open (self, (GFile **) files->pdata, files->len);
  return TRUE;
}

static GdkDragAction
drag_enter_cb (GtkDropTarget *target, double x, double y, MienWindow *self)
{
  gtk_widget_set_visible (self->drop_hint, TRUE);
  return GDK_ACTION_COPY;
}

static void
drag_leave_cb (GtkDropTarget *target, MienWindow *self)
{
  gtk_widget_set_visible (self->drop_hint, FALSE);
}

void
mien_window_accept_drops (MienWindow *self)
{
  GtkDropTarget *target = gtk_drop_target_new (G_TYPE_INVALID, GDK_ACTION_COPY);
  GType types[] = { GDK_TYPE_FILE_LIST, G_TYPE_FILE };

  gtk_drop_target_set_gtypes (target, types, G_N_ELEMENTS (types));
  g_signal_connect_object (target, "drop", G_CALLBACK (drop_cb), self, 0);
  g_signal_connect_object (target, "enter", G_CALLBACK (drag_enter_cb), self, 0);
  g_signal_connect_object (target, "leave", G_CALLBACK (drag_leave_cb), self, 0);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (target));
}

/* Pasting: an encoded picture is handed to the same guarded decoder as a file. */

static void
pasted_picture_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (MienWindow) self = user_data;
  g_autoptr (GError) error = NULL;
  GOutputStream *memory = G_OUTPUT_STREAM (source);
  g_autoptr (GBytes) bytes = NULL;

  if (g_output_stream_splice_finish (memory, result, &error) < 0) {
    mien_window_toast_failure (self, _("Nothing could be pasted"), error->message);
    return;
  }
  bytes = g_memory_output_stream_steal_as_bytes (G_MEMORY_OUTPUT_STREAM (memory));
  if (g_bytes_get_size (bytes) > PASTE_LIMIT)
    return;
  mien_photo_pane_open_bytes (self->photo, bytes, _("Pasted photo"));
  mien_window_show_view (self, "photo");
}

static void
pasted_stream_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (MienWindow) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GInputStream) stream = gdk_clipboard_read_finish (GDK_CLIPBOARD (source), result, NULL, &error);
  g_autoptr (GOutputStream) memory = NULL;

  if (stream == NULL) {
    mien_window_toast_failure (self, _("Nothing could be pasted"), error->message);
    return;
  }
  memory = g_memory_output_stream_new_resizable ();
  g_output_stream_splice_async (memory, stream, G_OUTPUT_STREAM_SPLICE_CLOSE_SOURCE | G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, G_PRIORITY_DEFAULT,
                                NULL, pasted_picture_cb, g_steal_pointer (&self));
}

static void
pasted_files_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (MienWindow) self = user_data;
  g_autoptr (GError) error = NULL;
  const GValue *value = gdk_clipboard_read_value_finish (GDK_CLIPBOARD (source), result, &error);
  g_autoptr (GPtrArray) files = g_ptr_array_new ();

  if (value == NULL) {
    mien_window_toast_failure (self, _("Nothing could be pasted"), error->message);
    return;
  }
  for (GSList *l = g_value_get_boxed (value); l != NULL; l = l->next)
    g_ptr_array_add (files, l->data);
  mien_window_open (self, (GFile **) files->pdata, files->len);
}

void
mien_window_paste (MienWindow *self)
{
  GdkClipboard *clipboard = gtk_widget_get_clipboard (GTK_WIDGET (self));
  GdkContentFormats *formats = gdk_clipboard_get_formats (clipboard);

  if (gdk_content_formats_contain_gtype (formats, GDK_TYPE_FILE_LIST) || gdk_content_formats_contain_mime_type (formats, "text/uri-list")) {
    gdk_clipboard_read_value_async (clipboard, GDK_TYPE_FILE_LIST, G_PRIORITY_DEFAULT, NULL, pasted_files_cb, g_object_ref (self));
    return;
  }
  for (int i = 0; photo_types[i] != NULL; i++) {
    if (gdk_content_formats_contain_mime_type (formats, photo_types[i])) {
      gdk_clipboard_read_async (clipboard, (const char **) photo_types, G_PRIORITY_DEFAULT, NULL, pasted_stream_cb, g_object_ref (self));
      return;
    }
  }
  mien_window_toast (self, _("There is no photo to paste"));
}
