/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-training-data.h. */
#include "mien-config.h"

#include "training/mien-training-data.h"

#include <string.h>
#include <glib/gi18n.h>

#include "charts/mien-label.h"

struct _MienTrainingData {
  AdwPreferencesGroup parent_instance;

  /* template children */
  AdwActionRow *row, *problem_row;
  AdwExpanderRow *found_row, *skipped_row;
  GtkSpinner *spinner;
  GtkGrid *counts;
  GtkLabel *skipped;

  /* owned */
  char *path;
  GCancellable *reading; /* (nullable) */
  GtkFileChooserNative *chooser;

  gboolean ready;
  int n_faces; /* to train on */
  char *hash;  /* (nullable) */
};

G_DEFINE_FINAL_TYPE (MienTrainingData, mien_training_data, ADW_TYPE_PREFERENCES_GROUP)

enum { PROP_0, PROP_PATH, PROP_READY, N_PROPS };
static GParamSpec *props[N_PROPS];

static void
set_ready (MienTrainingData *self, gboolean ready)
{
  if (self->ready == ready)
    return;
  self->ready = ready;
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_READY]);
}

static void
show_problem (MienTrainingData *self, const char *message)
{
  gtk_widget_set_visible (GTK_WIDGET (self->problem_row), message != NULL);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->problem_row), message != NULL ? message : "");
}

static void
attach (MienTrainingData *self, const char *text, int column, int row, const char *class_name)
{
  GtkWidget *label = gtk_label_new (text);

  gtk_label_set_xalign (GTK_LABEL (label), column == 0 ? 0 : 1);
  gtk_widget_set_hexpand (label, column == 0);
  if (column > 0)
    gtk_widget_add_css_class (label, "numeric");
  if (class_name != NULL)
    gtk_widget_add_css_class (label, class_name);
  gtk_grid_attach (self->counts, label, column, row, 1, 1);
}

static void
attach_count (MienTrainingData *self, int count, int column, int row, const char *class_name)
{
  g_autofree char *text = g_strdup_printf ("%'d", count);

  attach (self, text, column, row, class_name);
}

static void
show_counts (MienTrainingData *self, const int training[MIEN_DATASET_N_LABELS], const int validation[MIEN_DATASET_N_LABELS])
{
  GtkWidget *child;

  while ((child = gtk_widget_get_first_child (GTK_WIDGET (self->counts))) != NULL)
    gtk_grid_remove (self->counts, child);
  attach (self, _("Expression"), 0, 0, "dim-label");
  attach (self, _("Training"), 1, 0, "dim-label");
  attach (self, _("Validation"), 2, 0, "dim-label");
  for (int i = 0; i < MIEN_DATASET_N_LABELS; i++) {
    attach (self, mien_label_display (mien_dataset_labels[i]), 0, i + 1, NULL);
    attach_count (self, training[i], 1, i + 1, NULL);
    attach_count (self, validation[i], 2, i + 1, NULL);
  }
}

static void
show_skipped (MienTrainingData *self, const MienDataset *data)
{
  GString *text = g_string_new (NULL);
  g_autofree char *title = g_strdup_printf (ngettext ("%d Picture Was Left Out", "%d Pictures Were Left Out", data->n_skipped), data->n_skipped);

  for (guint i = 0; data->skipped != NULL && i < data->skipped->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? "\n" : "", (const char *) g_ptr_array_index (data->skipped, i));
  gtk_label_set_label (self->skipped, text->str);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->skipped_row), title);
  gtk_widget_set_visible (GTK_WIDGET (self->skipped_row), data->n_skipped > 0 || text->len > 0);
  g_string_free (text, TRUE);
}

static void
show_data (MienTrainingData *self, const MienDataset *data)
{
  int training[MIEN_DATASET_N_LABELS], validation[MIEN_DATASET_N_LABELS];
  int n_training = 0, n_validation = 0, n_classes = 0;
  g_autofree char *title = NULL;

  mien_dataset_count (data, MIEN_SPLIT_TRAINING, training);
  mien_dataset_count (data, MIEN_SPLIT_PUBLIC, validation);
  for (int i = 0; i < MIEN_DATASET_N_LABELS; i++) {
    n_training += training[i];
    n_validation += validation[i];
    n_classes += training[i] > 0;
  }
  title = g_strdup_printf (_("%'d Faces to Train on, %'d to Validate with"), n_training, n_validation);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->found_row), title);
  gtk_widget_set_visible (GTK_WIDGET (self->found_row), TRUE);
  show_counts (self, training, validation);
  show_skipped (self, data);

  if (n_training == 0)
    show_problem (self, _("There are no faces to train on; choose data with a training part."));
  else if (n_validation == 0)
    show_problem (self, _("There are no faces to validate with; choose data with a public test part or a “test” folder."));
  else if (n_classes < MIEN_DATASET_N_LABELS)
    show_problem (self, _("Some expressions have no faces; the network cannot learn those."));
  self->n_faces = n_training;
  set_ready (self, n_training > 0 && n_validation > 0);
}

static void
read_thread (GTask *task, gpointer object, gpointer path, GCancellable *cancellable)
{
  GError *error = NULL;
  MienDataset *data = mien_dataset_load (path, 1u << MIEN_SPLIT_TRAINING | 1u << MIEN_SPLIT_PUBLIC, NULL, NULL, cancellable, &error);

  if (data == NULL) {
    g_task_return_error (task, error);
    return;
  }
  g_object_set_data_full (G_OBJECT (task), "hash", mien_dataset_dup_hash (data), g_free); /* takes a while, too */
  g_task_return_pointer (task, data, (GDestroyNotify) mien_dataset_unref);
}

static void
read_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  MienTrainingData *self = MIEN_TRAINING_DATA (object);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienDataset) data = g_task_propagate_pointer (G_TASK (result), &error);

  if (g_task_get_cancellable (G_TASK (result)) != self->reading)
    return; /* something else was chosen since */
  g_clear_object (&self->reading);
  gtk_spinner_stop (self->spinner);
  if (data == NULL) {
    g_message ("Training data: %s", error->message);
    show_problem (self, error->message);
  } else {
    self->hash = g_strdup (g_object_get_data (G_OBJECT (result), "hash"));
    show_data (self, data);
  }
}

static void
stop_reading (MienTrainingData *self)
{
  if (self->reading != NULL)
    g_cancellable_cancel (self->reading);
  g_clear_object (&self->reading);
}

static void
start_reading (MienTrainingData *self)
{
  g_autoptr (GTask) task = NULL;

  stop_reading (self);
  g_clear_pointer (&self->hash, g_free);
  set_ready (self, FALSE);
  show_problem (self, NULL);
  gtk_widget_set_visible (GTK_WIDGET (self->found_row), FALSE);
  gtk_widget_set_visible (GTK_WIDGET (self->skipped_row), FALSE);
  if (self->path == NULL) {
    gtk_spinner_stop (self->spinner);
    return;
  }
  gtk_spinner_start (self->spinner);
  self->reading = g_cancellable_new ();
  task = g_task_new (self, self->reading, read_cb, NULL);
  g_task_set_task_data (task, g_strdup (self->path), g_free);
  g_task_run_in_thread (task, read_thread);
}

static void
chosen_cb (MienTrainingData *self, int response)
{
  g_autoptr (GFile) file = response == GTK_RESPONSE_ACCEPT ? gtk_file_chooser_get_file (GTK_FILE_CHOOSER (self->chooser)) : NULL;

  g_clear_object (&self->chooser);
  if (file != NULL && g_file_peek_path (file) != NULL)
    mien_training_data_set_path (self, g_file_peek_path (file));
}

static void
choose (MienTrainingData *self, const char *title, GtkFileChooserAction action)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));

  g_clear_object (&self->chooser);
  self->chooser = gtk_file_chooser_native_new (title, GTK_WINDOW (root), action, _("_Choose"), _("_Cancel"));
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (self->chooser), TRUE);
  if (self->path != NULL) {
    g_autoptr (GFile) file = g_file_new_for_path (self->path);
    gtk_file_chooser_set_file (GTK_FILE_CHOOSER (self->chooser), file, NULL);
  }
  if (action == GTK_FILE_CHOOSER_ACTION_OPEN) {
    static const char *const patterns[] = { "*.csv", "*.gz", "*.zip", "*.tar", "*.tgz", NULL };
    g_autoptr (GtkFileFilter) filter = gtk_file_filter_new ();

    for (int i = 0; patterns[i] != NULL; i++)
      gtk_file_filter_add_pattern (filter, patterns[i]);
    gtk_file_filter_set_name (filter, _("Tables and Archives"));
    gtk_file_chooser_add_filter (GTK_FILE_CHOOSER (self->chooser), filter);
  }
  g_signal_connect_swapped (self->chooser, "response", G_CALLBACK (chosen_cb), self);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (self->chooser));
}

static void
choose_file_cb (MienTrainingData *self)
{
  choose (self, _("Choose Faces with Labels"), GTK_FILE_CHOOSER_ACTION_OPEN);
}

static void
choose_folder_cb (MienTrainingData *self)
{
  choose (self, _("Choose a Folder of Faces"), GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER);
}

static void
mien_training_data_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  MienTrainingData *self = MIEN_TRAINING_DATA (object);

  switch (id) {
  case PROP_PATH:
    g_value_set_string (value, self->path);
    break;
  case PROP_READY:
    g_value_set_boolean (value, self->ready);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_training_data_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  switch (id) {
  case PROP_PATH:
    mien_training_data_set_path (MIEN_TRAINING_DATA (object), g_value_get_string (value));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_training_data_dispose (GObject *object)
{
  MienTrainingData *self = MIEN_TRAINING_DATA (object);

  stop_reading (self);
  g_clear_object (&self->chooser);
  gtk_widget_dispose_template (GTK_WIDGET (self), MIEN_TYPE_TRAINING_DATA);
  G_OBJECT_CLASS (mien_training_data_parent_class)->dispose (object);
}

static void
mien_training_data_finalize (GObject *object)
{
  MienTrainingData *self = MIEN_TRAINING_DATA (object);

  g_free (self->path);
  g_free (self->hash);
  G_OBJECT_CLASS (mien_training_data_parent_class)->finalize (object);
}

static void
mien_training_data_class_init (MienTrainingDataClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = mien_training_data_dispose;
  object_class->finalize = mien_training_data_finalize;
  object_class->get_property = mien_training_data_get_property;
  object_class->set_property = mien_training_data_set_property;
  props[PROP_PATH] = g_param_spec_string ("path", NULL, NULL, NULL, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  props[PROP_READY] = g_param_spec_boolean ("ready", NULL, NULL, FALSE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, props);

  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/mien/Mien/ui/mien-training-data.ui");
  gtk_widget_class_bind_template_child (widget_class, MienTrainingData, row);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingData, problem_row);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingData, found_row);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingData, skipped_row);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingData, spinner);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingData, counts);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingData, skipped);
  gtk_widget_class_bind_template_callback (widget_class, choose_file_cb);
  gtk_widget_class_bind_template_callback (widget_class, choose_folder_cb);
}

char *
mien_training_shorten_path (const char *path)
{
  const char *home = g_get_home_dir ();
  const gsize n = strlen (home);

  if (n > 1 && g_str_has_prefix (path, home) && path[n] == G_DIR_SEPARATOR)
    return g_strconcat ("~", path + n, NULL);
  return g_filename_display_name (path);
}

static void
show_path (MienTrainingData *self)
{
  g_autofree char *text = NULL;

  if (self->path == NULL)
    text = g_markup_escape_text (_("Choose or drop a file or a folder"), -1);
  else {
    g_autofree char *shown = mien_training_shorten_path (self->path);
    text = g_markup_escape_text (shown, -1);
  }
  adw_action_row_set_subtitle (self->row, text);
}

static void
mien_training_data_init (MienTrainingData *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  show_path (self);
}

void
mien_training_data_set_path (MienTrainingData *self, const char *path)
{
  g_return_if_fail (MIEN_IS_TRAINING_DATA (self));
  if (path != NULL && *path == '\0')
    path = NULL;
  if (path != NULL && g_strcmp0 (self->path, path) == 0) {
    start_reading (self); /* chosen again: it may have changed */
    return;
  }
  if (path == NULL && self->path == NULL)
    return;
  g_free (self->path);
  self->path = g_strdup (path);
  show_path (self);
  start_reading (self);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_PATH]);
}

const char *
mien_training_data_get_path (MienTrainingData *self)
{
  g_return_val_if_fail (MIEN_IS_TRAINING_DATA (self), NULL);
  return self->path;
}

gboolean
mien_training_data_is_ready (MienTrainingData *self)
{
  g_return_val_if_fail (MIEN_IS_TRAINING_DATA (self), FALSE);
  return self->ready;
}

int
mien_training_data_get_n_faces (MienTrainingData *self)
{
  g_return_val_if_fail (MIEN_IS_TRAINING_DATA (self), 0);
  return self->ready ? self->n_faces : 0;
}

gboolean
mien_training_data_is_reading (MienTrainingData *self)
{
  g_return_val_if_fail (MIEN_IS_TRAINING_DATA (self), FALSE);
  return self->reading != NULL;
}

const char *
mien_training_data_get_hash (MienTrainingData *self)
{
  g_return_val_if_fail (MIEN_IS_TRAINING_DATA (self), NULL);
  return self->ready ? self->hash : NULL;
}
