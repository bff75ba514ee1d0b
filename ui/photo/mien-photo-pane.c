/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Photos; see the header. */
#include "mien-config.h"

#include "photo/mien-photo-pane.h"

#include <glib/gi18n.h>

#include "common/mien-face-panel.h"
#include "common/mien-split.h"
#include "live/mien-video-view.h"
#include "photo/mien-photo-reduce.h"
#include "stream/mien-analyzer.h"

#define SPINNER_DELAY_MS 200
#define SHOWN_MIN_SIDE 1600 /* longer side of what is drawn, at least, when a photo is larger */

struct _MienPhotoPane {
  AdwBin parent_instance;

  /* template children */
  GtkStack *stack;
  GtkSpinner *spinner;
  AdwStatusPage *failed;
  MienSplit *split;
  MienVideoView *view;
  MienFacePanel *panel;
  GtkWidget *steps;
  GtkLabel *position;

  /* owned */
  GListModel *files;  /* GFile; NULL when nothing is open or bytes are */
  GBytes *bytes;      /* from the clipboard */
  char *bytes_name;
  MienModel *model;
  MienImage *image;   /* decoded, on show or about to be */
  MienImage *shown;   /* the same, reduced for the screen */
  GCancellable *cancellable; /* of what is being read */

  guint index;
  gboolean no_model;
  guint spinner_id;
};

enum { PROP_0, PROP_PANEL_SHOWN, PROP_TITLE, N_PROPS };
static GParamSpec *props[N_PROPS];
enum { FACE_CHANGED, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (MienPhotoPane, mien_photo_pane, ADW_TYPE_BIN)

static char *
dup_title (MienPhotoPane *self)
{
  if (self->bytes != NULL)
    return g_strdup (self->bytes_name);
  if (self->files != NULL) {
    g_autoptr (GFile) file = g_list_model_get_item (self->files, self->index);

    if (file != NULL) {
      g_autofree char *name = g_file_get_basename (file);

      return g_filename_display_name (name);
    }
  }
  return NULL;
}

static void
show_chosen (MienPhotoPane *self)
{
  mien_face_panel_set_face (self->panel, mien_video_view_get_result (self->view), mien_video_view_get_chosen_index (self->view));
  g_signal_emit (self, signals[FACE_CHANGED], 0);
}

static void
end_wait (MienPhotoPane *self)
{
  g_clear_handle_id (&self->spinner_id, g_source_remove);
  gtk_spinner_stop (self->spinner);
}

static gboolean
spinner_cb (gpointer user_data)
{
  MienPhotoPane *self = user_data;

  self->spinner_id = 0;
  gtk_spinner_start (self->spinner);
  gtk_stack_set_visible_child_name (self->stack, "loading");
  return G_SOURCE_REMOVE;
}

static void
show_failure (MienPhotoPane *self, const GError *error)
{
  g_autofree char *escaped = g_markup_escape_text (error->message, -1);

  end_wait (self);
  g_message ("%s", error->message);
  mien_video_view_set_frame (self->view, NULL);
  show_chosen (self);
  adw_status_page_set_description (self->failed, escaped);
  gtk_stack_set_visible_child_name (self->stack, "failed");
}

static void
show_photo (MienPhotoPane *self, MienResult *result)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  GtkWidget *focus;
  g_autofree char *facts = NULL, *title = dup_title (self);

  end_wait (self);
  mien_video_view_set_frame (self->view, NULL); /* forgets which face of the photo before was chosen */
  mien_video_view_set_frame (self->view, self->shown);
  mien_face_panel_set_hint (self->panel, NULL, _("None was found in this photo. Faces are found best when they look at the camera."));
  mien_video_view_set_result (self->view, result);
  /* Translators: name of the photo, its width and height, how long finding faces and running the network took. */
  facts = g_strdup_printf (_("%s · %d × %d\nFinding faces %.0f ms · network %.2f ms"), title != NULL ? title : "", self->image->width,
                           self->image->height, result->detect_us / 1000., result->infer_us / 1000.);
  mien_face_panel_set_facts (self->panel, facts);
  show_chosen (self);
  gtk_stack_set_visible_child_name (self->stack, "photo");
  /* So that the keys go through faces and photos; who steps by the buttons stays on them. */
  focus = root != NULL ? gtk_root_get_focus (root) : NULL;
  if (gtk_widget_get_mapped (GTK_WIDGET (self)) && (focus == NULL || !gtk_widget_is_ancestor (focus, GTK_WIDGET (self))))
    gtk_widget_grab_focus (GTK_WIDGET (self->view));
}

static void
analysed_cb (GObject *source, GAsyncResult *async_result, gpointer user_data)
{
  g_autoptr (MienPhotoPane) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (MienResult) result = mien_analyze_image_finish (async_result, &error);

  /* Cancelled means that another photo is on its way: nothing of this one may show. */
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  if (result == NULL) {
    show_failure (self, error);
    return;
  }
  show_photo (self, result);
}

static void
analyse (MienPhotoPane *self)
{
  if (self->image != NULL && self->no_model) {
    g_autoptr (GError) error =
      g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _("There is no network to read faces with; open or train one by the main menu."));

    show_failure (self, error);
    return;
  }
  if (self->image == NULL || self->model == NULL)
    return;
  g_cancellable_cancel (self->cancellable); /* the analysis by the model before, if it still runs */
  g_clear_object (&self->cancellable);
  self->cancellable = g_cancellable_new ();
  mien_analyze_image_async (self->image, self->model, self->cancellable, analysed_cb, g_object_ref (self));
}

static void
reduce_thread (GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
  g_task_return_pointer (task, mien_photo_reduce (task_data, SHOWN_MIN_SIDE), (GDestroyNotify) mien_image_unref);
}

static void
reduced_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  MienPhotoPane *self = MIEN_PHOTO_PANE (source);
  g_autoptr (MienImage) shown = g_task_propagate_pointer (G_TASK (result), NULL);

  if (shown == NULL) /* cancelled: another photo is on its way */
    return;
  g_clear_pointer (&self->image, mien_image_unref);
  g_clear_pointer (&self->shown, mien_image_unref);
  self->image = mien_image_ref (g_task_get_task_data (G_TASK (result)));
  self->shown = g_steal_pointer (&shown);
  analyse (self);
}

static void
take_image (MienPhotoPane *self, MienImage *image, GError *error)
{
  g_autoptr (GTask) task = NULL;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  if (image == NULL) {
    show_failure (self, error);
    return;
  }
  task = g_task_new (self, self->cancellable, reduced_cb, NULL);
  g_task_set_task_data (task, mien_image_ref (image), (GDestroyNotify) mien_image_unref);
  g_task_run_in_thread (task, reduce_thread);
}

static void
loaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (MienPhotoPane) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (MienImage) image = mien_image_load_finish (result, &error);

  take_image (self, image, error);
}

static void
bytes_loaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  MienPhotoPane *self = MIEN_PHOTO_PANE (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienImage) image = g_task_propagate_pointer (G_TASK (result), &error);

  take_image (self, image, error);
}

typedef struct {
  GBytes *bytes;
  char *name;
} Paste;

static void
paste_free (Paste *paste)
{
  g_bytes_unref (paste->bytes);
  g_free (paste->name);
  g_free (paste);
}

static void
load_bytes_thread (GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
  Paste *paste = task_data;
  GError *error = NULL;
  MienImage *image = mien_image_load_bytes (paste->bytes, paste->name, cancellable, &error);

  if (image != NULL)
    g_task_return_pointer (task, image, (GDestroyNotify) mien_image_unref);
  else
    g_task_return_error (task, error);
}

static void
update_steps (MienPhotoPane *self)
{
  guint n = self->files != NULL ? g_list_model_get_n_items (self->files) : 0;
  /* Translators: which photo of how many is on show. */
  g_autofree char *text = g_strdup_printf (_("%u of %u"), self->index + 1, n);

  gtk_label_set_label (self->position, text);
  gtk_widget_set_visible (self->steps, n > 1);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "photo.previous", n > 1 && self->index > 0);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "photo.next", n > 1 && self->index + 1 < n);
}

static void
begin (MienPhotoPane *self)
{
  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  self->cancellable = g_cancellable_new ();
  g_clear_pointer (&self->image, mien_image_unref);
  end_wait (self);
  self->spinner_id = g_timeout_add (SPINNER_DELAY_MS, spinner_cb, self);
  update_steps (self);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_TITLE]);

  if (self->bytes != NULL) {
    g_autoptr (GTask) task = g_task_new (self, self->cancellable, bytes_loaded_cb, NULL);
    Paste *paste = g_new (Paste, 1);

    *paste = (Paste) { g_bytes_ref (self->bytes), g_strdup (self->bytes_name) };
    g_task_set_task_data (task, paste, (GDestroyNotify) paste_free);
    g_task_run_in_thread (task, load_bytes_thread);
  } else {
    g_autoptr (GFile) file = g_list_model_get_item (self->files, self->index);

    mien_image_load_async (file, self->cancellable, loaded_cb, g_object_ref (self));
  }
}

static void
step_cb (GtkWidget *widget, const char *action, GVariant *parameter)
{
  MienPhotoPane *self = MIEN_PHOTO_PANE (widget);
  int to = (int) self->index + (g_str_equal (action, "photo.next") ? 1 : -1);

  if (self->files == NULL || to < 0 || to >= g_list_model_get_n_items (self->files))
    return;
  self->index = to;
  begin (self);
}

static void
mien_photo_pane_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  if (id == PROP_PANEL_SHOWN)
    mien_split_set_panel_shown (MIEN_PHOTO_PANE (object)->split, g_value_get_boolean (value));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
mien_photo_pane_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  MienPhotoPane *self = MIEN_PHOTO_PANE (object);

  switch (id) {
  case PROP_PANEL_SHOWN:
    g_value_set_boolean (value, mien_split_get_panel_shown (self->split));
    break;
  case PROP_TITLE:
    g_value_take_string (value, dup_title (self));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

/* What is being read holds a reference, so that this comes before dispose when the window goes. */
static void
mien_photo_pane_unroot (GtkWidget *widget)
{
  g_cancellable_cancel (MIEN_PHOTO_PANE (widget)->cancellable);
  end_wait (MIEN_PHOTO_PANE (widget));
  GTK_WIDGET_CLASS (mien_photo_pane_parent_class)->unroot (widget);
}

static void
mien_photo_pane_dispose (GObject *object)
{
  MienPhotoPane *self = MIEN_PHOTO_PANE (object);

  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  g_clear_handle_id (&self->spinner_id, g_source_remove);
  g_clear_object (&self->files);
  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_clear_pointer (&self->image, mien_image_unref);
  g_clear_pointer (&self->shown, mien_image_unref);
  g_clear_pointer (&self->model, mien_model_unref);
  gtk_widget_dispose_template (GTK_WIDGET (self), MIEN_TYPE_PHOTO_PANE);
  G_OBJECT_CLASS (mien_photo_pane_parent_class)->dispose (object);
}

static void
mien_photo_pane_finalize (GObject *object)
{
  g_free (MIEN_PHOTO_PANE (object)->bytes_name);
  G_OBJECT_CLASS (mien_photo_pane_parent_class)->finalize (object);
}

static void
mien_photo_pane_class_init (MienPhotoPaneClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->set_property = mien_photo_pane_set_property;
  object_class->get_property = mien_photo_pane_get_property;
  object_class->dispose = mien_photo_pane_dispose;
  object_class->finalize = mien_photo_pane_finalize;
  widget_class->unroot = mien_photo_pane_unroot;
  props[PROP_PANEL_SHOWN] = g_param_spec_boolean ("panel-shown", NULL, NULL, TRUE, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  props[PROP_TITLE] = g_param_spec_string ("title", NULL, NULL, NULL, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, props);
  signals[FACE_CHANGED] = g_signal_new ("face-changed", MIEN_TYPE_PHOTO_PANE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);

  g_type_ensure (MIEN_TYPE_FACE_PANEL);
  g_type_ensure (MIEN_TYPE_SPLIT);
  g_type_ensure (MIEN_TYPE_VIDEO_VIEW);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/mien/Mien/ui/mien-photo-pane.ui");
  gtk_widget_class_bind_template_child (widget_class, MienPhotoPane, stack);
  gtk_widget_class_bind_template_child (widget_class, MienPhotoPane, spinner);
  gtk_widget_class_bind_template_child (widget_class, MienPhotoPane, failed);
  gtk_widget_class_bind_template_child (widget_class, MienPhotoPane, split);
  gtk_widget_class_bind_template_child (widget_class, MienPhotoPane, view);
  gtk_widget_class_bind_template_child (widget_class, MienPhotoPane, panel);
  gtk_widget_class_bind_template_child (widget_class, MienPhotoPane, steps);
  gtk_widget_class_bind_template_child (widget_class, MienPhotoPane, position);

  gtk_widget_class_install_action (widget_class, "photo.previous", NULL, step_cb);
  gtk_widget_class_install_action (widget_class, "photo.next", NULL, step_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Page_Up, 0, "photo.previous", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Page_Down, 0, "photo.next", NULL);
  /* The picture itself takes the arrows when there are several faces to walk through. */
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Left, 0, "photo.previous", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Right, 0, "photo.next", NULL);
}

static void
mien_photo_pane_init (MienPhotoPane *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  g_signal_connect_object (self->view, "notify::chosen-face", G_CALLBACK (show_chosen), self, G_CONNECT_SWAPPED);
  update_steps (self);
}

GtkWidget *
mien_photo_pane_new (void)
{
  return g_object_new (MIEN_TYPE_PHOTO_PANE, NULL);
}

void
mien_photo_pane_open (MienPhotoPane *self, GListModel *files)
{
  if (g_list_model_get_n_items (files) == 0)
    return;
  g_set_object (&self->files, files);
  g_clear_pointer (&self->bytes, g_bytes_unref);
  self->index = 0;
  begin (self);
}

void
mien_photo_pane_open_bytes (MienPhotoPane *self, GBytes *bytes, const char *name)
{
  g_bytes_ref (bytes);
  g_clear_pointer (&self->bytes, g_bytes_unref);
  self->bytes = bytes;
  g_free (self->bytes_name);
  self->bytes_name = g_strdup (name);
  g_clear_object (&self->files);
  self->index = 0;
  begin (self);
}

void
mien_photo_pane_set_model (MienPhotoPane *self, MienModel *model)
{
  if (model == self->model && model != NULL)
    return;
  self->no_model = model == NULL;
  g_clear_pointer (&self->model, mien_model_unref);
  if (model == NULL) {
    analyse (self);
    return;
  }
  self->model = mien_model_ref (model);
  mien_face_panel_set_model (self->panel, model);
  analyse (self);
}

const MienFace *
mien_photo_pane_get_face (MienPhotoPane *self, MienModel **model)
{
  MienResult *result = mien_video_view_get_result (self->view);
  int index = mien_video_view_get_chosen_index (self->view);

  if (index < 0)
    return NULL;
  *model = result->model;
  return &result->faces[index];
}

MienResult *
mien_photo_pane_get_result (MienPhotoPane *self)
{
  return mien_video_view_get_result (self->view);
}

char *
mien_photo_pane_dup_text (MienPhotoPane *self)
{
  return mien_face_panel_dup_text (self->panel);
}
