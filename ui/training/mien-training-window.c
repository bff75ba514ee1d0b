/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-training-window.h. */
#include "mien-config.h"

#include "training/mien-training-window-private.h"

#include <math.h>
#include <glib/gi18n.h>

#include "common/mien-name-buttons.h"
#include "training/mien-training-data.h"
#include "training/mien-training-run.h"

struct _MienTrainingWindow {
  AdwWindow parent_instance;

  /* template children */
  AdwWindowTitle *window_title;
  AdwToastOverlay *toasts;
  GtkStack *stack;
  GtkWidget *again_button, *start_button, *stop_button, *use_button, *save_button, *continue_button;
  GtkInfoBar *error_bar;
  GtkLabel *error_label;
  GtkActionBar *done_bar;
  MienTrainingData *data;
  MienTrainingRun *run;
  AdwComboRow *recipe_row;
  AdwActionRow *out_row, *unfinished_row;
  GtkAdjustment *epochs, *seed;

  /* owned */
  MienTrainer *trainer;
  MienModel *model;  /* (nullable) what came out */
  char *out_path;
  char *unfinished_path; /* (nullable) the model of a training that can go on with what is chosen */
  int unfinished_epochs; /* done by it */
  char *started_data;    /* (nullable) what the last training was started with */
  MienRecipe started;
  GtkFileChooserNative *chooser;

  MienTrainingState state;
  gboolean out_chosen;    /* by the person: a new recipe does not change it */
  gboolean close_when_done;
  gboolean epochs_left;   /* the last training could go on */
  guint inhibit_cookie;
};

G_DEFINE_FINAL_TYPE (MienTrainingWindow, mien_training_window, ADW_TYPE_WINDOW)

enum { PROP_0, PROP_DATA_PATH, PROP_RECIPE, N_PROPS };
static GParamSpec *props[N_PROPS];
enum { MODEL_TRAINED, N_SIGNALS };
static guint signals[N_SIGNALS];

static const MienRecipe *
get_recipe (MienTrainingWindow *self)
{
  GtkStringObject *item = adw_combo_row_get_selected_item (self->recipe_row);

  return item != NULL ? mien_recipe_find (gtk_string_object_get_string (item)) : NULL;
}

/* The recipe with what the form says. FALSE when there is none. */
static gboolean
make_recipe (MienTrainingWindow *self, MienRecipe *recipe)
{
  const MienRecipe *chosen = get_recipe (self);

  if (chosen == NULL)
    return FALSE;
  *recipe = *chosen;
  recipe->epochs = (int) gtk_adjustment_get_value (self->epochs);
  while (recipe->batch > 8 && recipe->batch > mien_training_data_get_n_faces (self->data))
    recipe->batch /= 2; /* the form has no batch size: a small collection must work as it is */
  recipe->seed = (guint64) gtk_adjustment_get_value (self->seed);
  return TRUE;
}

/* Offers to go on with a training of the same faces, recipe, epochs and seed that was stopped, by the person or by a power cut. */
static void
update_unfinished_cb (MienTrainingWindow *self)
{
  const char *hash = mien_training_data_get_hash (self->data);
  g_autofree char *folder = self->out_path != NULL ? g_path_get_dirname (self->out_path) : NULL;
  MienRecipe recipe;
  int epoch = 0;

  if (self->state == MIEN_TRAINING_RUNNING || self->state == MIEN_TRAINING_STOPPING)
    return;
  g_clear_pointer (&self->unfinished_path, g_free);
  if (hash != NULL && folder != NULL && make_recipe (self, &recipe))
    self->unfinished_path = mien_train_find_unfinished (folder, &recipe, hash, 0, &epoch);
  self->unfinished_epochs = epoch;
  gtk_widget_set_visible (GTK_WIDGET (self->unfinished_row), self->unfinished_path != NULL);
  if (self->unfinished_path != NULL) {
    g_autofree char *name = g_path_get_basename (self->unfinished_path);
    /* Translators: "12 of 60 epochs are done · simple3-2026-11-22.onnx". */
    g_autofree char *text = g_strdup_printf (ngettext ("%d of %d epochs is done · %s", "%d of %d epochs are done · %s", epoch), epoch, recipe.epochs, name);
    g_autofree char *markup = g_markup_escape_text (text, -1);

    adw_action_row_set_subtitle (self->unfinished_row, markup);
  }
}

static void
update_start_cb (MienTrainingWindow *self)
{
  gtk_widget_set_sensitive (self->start_button, mien_training_data_is_ready (self->data) && get_recipe (self) != NULL);
  update_unfinished_cb (self);
}

static void
set_out_path (MienTrainingWindow *self, const char *path)
{
  g_autofree char *shown = mien_training_shorten_path (path);
  g_autofree char *text = g_markup_escape_text (shown, -1);

  g_free (self->out_path);
  self->out_path = g_strdup (path);
  adw_action_row_set_subtitle (self->out_row, text);
  update_unfinished_cb (self);
}

/* …/mien/models/RECIPE-DATE.onnx, with a number where that is taken: a training never overwrites an older one unasked. */
static void
suggest_out_path (MienTrainingWindow *self)
{
  const MienRecipe *recipe = get_recipe (self);
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *date = g_date_time_format (now, "%Y-%m-%d");
  g_autofree char *path = NULL;

  if (self->out_chosen)
    return;
  for (int i = 1; i < 1000; i++) {
    g_autofree char *number = i > 1 ? g_strdup_printf ("-%d", i) : g_strdup ("");
    g_autofree char *name = g_strdup_printf ("%s-%s%s.onnx", recipe != NULL ? recipe->name : "model", date, number);

    g_free (path);
    path = g_build_filename (g_get_user_data_dir (), "mien", "models", name, NULL);
    if (!g_file_test (path, G_FILE_TEST_EXISTS))
      break;
  }
  set_out_path (self, path);
}

static void
recipe_cb (MienTrainingWindow *self)
{
  const MienRecipe *recipe = get_recipe (self);

  if (recipe != NULL) {
    g_autofree char *summary = g_markup_escape_text (_(recipe->summary), -1);

    adw_action_row_set_subtitle (ADW_ACTION_ROW (self->recipe_row), summary);
    gtk_adjustment_set_value (self->epochs, recipe->epochs);
    gtk_adjustment_set_value (self->seed, (double) recipe->seed);
  }
  suggest_out_path (self);
  update_start_cb (self);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_RECIPE]);
}

static void
data_path_cb (MienTrainingWindow *self)
{
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_DATA_PATH]);
}

static void
set_state (MienTrainingWindow *self, MienTrainingState state)
{
  static const struct {
    const char *page;
    const char *subtitle;
    gboolean start, stop, again, results;
  } looks[] = {
    [MIEN_TRAINING_SETUP] = { "setup", "", TRUE, FALSE, FALSE, FALSE },
    [MIEN_TRAINING_RUNNING] = { "run", "", FALSE, TRUE, FALSE, FALSE },
    [MIEN_TRAINING_STOPPING] = { "run", N_ ("Stopping…"), FALSE, TRUE, FALSE, FALSE },
    [MIEN_TRAINING_DONE] = { "run", N_ ("Finished"), FALSE, FALSE, TRUE, TRUE },
    [MIEN_TRAINING_FAILED] = { "run", N_ ("Failed"), FALSE, FALSE, TRUE, FALSE },
  };
  const gboolean running = state == MIEN_TRAINING_RUNNING || state == MIEN_TRAINING_STOPPING;
  GtkApplication *app = gtk_window_get_application (GTK_WINDOW (self));

  self->state = state;
  gtk_stack_set_visible_child_name (self->stack, looks[state].page);
  adw_window_title_set_subtitle (self->window_title, *looks[state].subtitle != '\0' ? _(looks[state].subtitle) : "");
  gtk_widget_set_visible (self->start_button, looks[state].start);
  gtk_widget_set_visible (self->stop_button, looks[state].stop);
  gtk_widget_set_sensitive (self->stop_button, state == MIEN_TRAINING_RUNNING);
  gtk_widget_set_visible (self->again_button, looks[state].again);
  gtk_widget_set_visible (self->continue_button, state == MIEN_TRAINING_DONE && self->epochs_left);
  gtk_action_bar_set_revealed (self->done_bar, looks[state].results);
  gtk_info_bar_set_revealed (self->error_bar, state == MIEN_TRAINING_FAILED);

  if (app != NULL && running && self->inhibit_cookie == 0)
    self->inhibit_cookie = gtk_application_inhibit (app, GTK_WINDOW (self), GTK_APPLICATION_INHIBIT_SUSPEND | GTK_APPLICATION_INHIBIT_LOGOUT,
                                                    _("A network is being trained"));
  if (!running && self->inhibit_cookie != 0) {
    if (app != NULL)
      gtk_application_uninhibit (app, self->inhibit_cookie);
    self->inhibit_cookie = 0;
  }
}

/* Tells a person who is elsewhere that the long job has ended. */
static void
notify (MienTrainingWindow *self, const char *title, const char *body)
{
  GtkApplication *app = gtk_window_get_application (GTK_WINDOW (self));
  g_autoptr (GNotification) notification = NULL;

  if (app == NULL || gtk_window_is_active (GTK_WINDOW (self)) || !g_application_get_is_registered (G_APPLICATION (app)))
    return;
  notification = g_notification_new (title);
  g_notification_set_body (notification, body);
  g_notification_set_default_action (notification, "app.train");
  g_application_send_notification (G_APPLICATION (app), "training-finished", notification);
}

static void
toast (MienTrainingWindow *self, const char *text)
{
  adw_toast_overlay_add_toast (self->toasts, adw_toast_new (text));
}

static void
show_result (MienTrainingWindow *self)
{
  g_autofree char *name = g_path_get_basename (self->out_path);
  g_autofree char *text = g_strdup_printf (_("The network is saved as “%s”."), name);

  set_state (self, MIEN_TRAINING_DONE);
  mien_training_run_finish (self->run, self->out_path);
  gtk_widget_grab_focus (self->use_button);
  notify (self, _("Training Finished"), text);
}

static void
progress_cb (MienTrainingWindow *self, const MienTrainProgress *progress)
{
  if (self->state != MIEN_TRAINING_RUNNING && self->state != MIEN_TRAINING_STOPPING)
    return;
  mien_training_run_add (self->run, progress);
  if (progress->epoch_done)
    self->epochs_left = progress->epoch < progress->epochs;
}

static void
finished_cb (MienTrainingWindow *self, MienModel *model, const char *message)
{
  if (self->state != MIEN_TRAINING_RUNNING && self->state != MIEN_TRAINING_STOPPING)
    return;
  g_clear_pointer (&self->model, mien_model_unref);
  if (model != NULL) {
    self->model = mien_model_ref (model);
    self->epochs_left &= self->state == MIEN_TRAINING_STOPPING; /* else it ended of itself: its patience was over */
    show_result (self);
  } else if (message != NULL && (self->state != MIEN_TRAINING_STOPPING || isfinite (mien_training_run_get_best (self->run, NULL)))) {
    g_warning ("Training: %s", message);
    gtk_label_set_label (self->error_label, message);
    mien_training_run_set_status (self->run, _("The training could not go on."), -1);
    set_state (self, MIEN_TRAINING_FAILED);
    notify (self, _("Training Failed"), message);
  } else {
    set_state (self, MIEN_TRAINING_SETUP);
    update_unfinished_cb (self);
    toast (self, _("Stopped before the first epoch was done; there is nothing to keep"));
  }
  if (self->close_when_done)
    gtk_window_destroy (GTK_WINDOW (self));
}

static void
show_started (MienTrainingWindow *self)
{
  g_clear_pointer (&self->model, mien_model_unref);
  self->epochs_left = FALSE;
  mien_training_run_set_status (self->run, _("Reading the faces…"), 0);
  set_state (self, MIEN_TRAINING_RUNNING);
}

void
mien_training_window_enter_run (MienTrainingWindow *self, const char *out_path)
{
  set_out_path (self, out_path);
  mien_training_run_reset (self->run);
  show_started (self);
}

static void
start_cb (MienTrainingWindow *self)
{
  g_autofree char *folder = g_path_get_dirname (self->out_path);
  g_autofree char *out_path = g_strdup (self->out_path);

  if (!mien_training_data_is_ready (self->data) || !make_recipe (self, &self->started))
    return;
  if (g_mkdir_with_parents (folder, 0755) != 0) {
    g_autofree char *text = g_strdup_printf (_("%s: the folder cannot be made; choose another place"), folder);
    toast (self, text);
    return;
  }
  g_free (self->started_data);
  self->started_data = g_strdup (mien_training_data_get_path (self->data));
  mien_training_window_enter_run (self, out_path);
  mien_trainer_start (self->trainer, &self->started, self->started_data, out_path, FALSE);
}

/* From the form: the training that was found, with its curves so far. */
static void
continue_found_cb (MienTrainingWindow *self)
{
  g_autofree char *out_path = g_strdup (self->unfinished_path); /* entering the run looks for others */
  const int n_epochs = self->unfinished_epochs;

  if (out_path == NULL || !make_recipe (self, &self->started))
    return;
  g_free (self->started_data);
  self->started_data = g_strdup (mien_training_data_get_path (self->data));
  mien_training_window_enter_run (self, out_path);
  mien_training_run_load (self->run, out_path, n_epochs);
  mien_training_run_set_status (self->run, _("Reading the faces…"), 0);
  mien_trainer_start (self->trainer, &self->started, self->started_data, out_path, TRUE);
}

/* From the result: the training that was just stopped. */
static void
continue_cb (MienTrainingWindow *self)
{
  if (self->state != MIEN_TRAINING_DONE || !self->epochs_left)
    return;
  show_started (self);
  gtk_widget_grab_focus (self->stop_button);
  mien_trainer_start (self->trainer, &self->started, self->started_data, self->out_path, TRUE);
}

static void
stop_cb (MienTrainingWindow *self)
{
  if (self->state != MIEN_TRAINING_RUNNING)
    return;
  set_state (self, MIEN_TRAINING_STOPPING);
  mien_trainer_stop (self->trainer);
}

static void
again_cb (MienTrainingWindow *self)
{
  self->out_chosen = FALSE;
  set_state (self, MIEN_TRAINING_SETUP);
  suggest_out_path (self);
}

static void
use_cb (MienTrainingWindow *self)
{
  g_signal_emit (self, signals[MODEL_TRAINED], 0, self->out_path);
  gtk_window_close (GTK_WINDOW (self));
}

static GtkFileChooserNative *
make_save_dialog (MienTrainingWindow *self, const char *title)
{
  g_autofree char *folder_path = g_path_get_dirname (self->out_path), *name = g_path_get_basename (self->out_path);
  g_autoptr (GFile) folder = g_file_new_for_path (folder_path);
  GtkFileChooserNative *chooser = gtk_file_chooser_native_new (title, GTK_WINDOW (self), GTK_FILE_CHOOSER_ACTION_SAVE, _("_Save"), _("_Cancel"));

  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (chooser), TRUE);
  gtk_file_chooser_set_current_folder (GTK_FILE_CHOOSER (chooser), folder, NULL);
  gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (chooser), name);
  g_clear_object (&self->chooser);
  self->chooser = chooser;
  return chooser;
}

/* The chosen path with .onnx at its end, NULL when nothing was chosen. Closes the dialog. (transfer full) */
static char *
take_chosen (MienTrainingWindow *self, int response)
{
  g_autoptr (GtkFileChooserNative) chooser = g_steal_pointer (&self->chooser);
  g_autoptr (GFile) file = response == GTK_RESPONSE_ACCEPT ? gtk_file_chooser_get_file (GTK_FILE_CHOOSER (chooser)) : NULL;
  const char *path = file != NULL ? g_file_peek_path (file) : NULL;

  if (path == NULL)
    return NULL;
  return g_str_has_suffix (path, ".onnx") ? g_strdup (path) : g_strconcat (path, ".onnx", NULL);
}

static void
out_chosen_cb (MienTrainingWindow *self, int response)
{
  g_autofree char *path = take_chosen (self, response);

  if (path != NULL) {
    self->out_chosen = TRUE;
    set_out_path (self, path);
  }
}

static void
choose_out_cb (MienTrainingWindow *self)
{
  GtkFileChooserNative *chooser = make_save_dialog (self, _("Save the Network As"));

  g_signal_connect_swapped (chooser, "response", G_CALLBACK (out_chosen_cb), self);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (chooser));
}

static void
save_as_chosen_cb (MienTrainingWindow *self, int response)
{
  g_autofree char *path = take_chosen (self, response);
  g_autoptr (GError) error = NULL;

  if (path == NULL || self->model == NULL)
    return;
  if (mien_model_save (self->model, path, &error)) {
    g_autofree char *name = g_path_get_basename (path);
    g_autofree char *text = g_strdup_printf (_("Saved as “%s”"), name);

    toast (self, text);
  } else {
    AdwToast *failed = adw_toast_new (error->message);

    g_warning ("Saving the network: %s", error->message);
    adw_toast_set_timeout (failed, 0);
    adw_toast_overlay_add_toast (self->toasts, failed);
  }
}

static void
save_as_cb (MienTrainingWindow *self)
{
  GtkFileChooserNative *chooser = make_save_dialog (self, _("Save a Copy of the Network"));

  g_signal_connect_swapped (chooser, "response", G_CALLBACK (save_as_chosen_cb), self);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (chooser));
}

static void
close_response_cb (MienTrainingWindow *self, const char *response)
{
  if (!g_str_equal (response, "stop"))
    return;
  self->close_when_done = TRUE;
  if (self->state == MIEN_TRAINING_RUNNING)
    stop_cb (self);
  else if (self->state != MIEN_TRAINING_STOPPING)
    gtk_window_destroy (GTK_WINDOW (self)); /* it ended while the question stood */
}

static gboolean
mien_training_window_close_request (GtkWindow *window)
{
  MienTrainingWindow *self = MIEN_TRAINING_WINDOW (window);
  GtkWidget *dialog;

  if (self->state != MIEN_TRAINING_RUNNING && self->state != MIEN_TRAINING_STOPPING)
    return GTK_WINDOW_CLASS (mien_training_window_parent_class)->close_request (window);
  dialog = adw_message_dialog_new (window, _("Stop Training?"), _("The best network so far stays in its file."));
  adw_message_dialog_add_responses (ADW_MESSAGE_DIALOG (dialog), "continue", _("_Continue Training"), "stop", _("_Stop and Close"), NULL);
  adw_message_dialog_set_response_appearance (ADW_MESSAGE_DIALOG (dialog), "stop", ADW_RESPONSE_DESTRUCTIVE);
  adw_message_dialog_set_default_response (ADW_MESSAGE_DIALOG (dialog), "continue");
  adw_message_dialog_set_close_response (ADW_MESSAGE_DIALOG (dialog), "continue");
  g_signal_connect_object (dialog, "response", G_CALLBACK (close_response_cb), self, G_CONNECT_SWAPPED);
  gtk_window_present (GTK_WINDOW (dialog));
  return TRUE;
}

static gboolean
drop_cb (MienTrainingWindow *self, const GValue *value)
{
  GSList *files = g_value_get_boxed (value);

  if (self->state != MIEN_TRAINING_SETUP || files == NULL || g_file_peek_path (files->data) == NULL)
    return FALSE;
  mien_training_data_set_path (self->data, g_file_peek_path (files->data));
  return TRUE;
}

static void
mien_training_window_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  MienTrainingWindow *self = MIEN_TRAINING_WINDOW (object);

  switch (id) {
  case PROP_DATA_PATH:
    g_value_set_string (value, mien_training_data_get_path (self->data));
    break;
  case PROP_RECIPE:
    g_value_set_string (value, get_recipe (self) != NULL ? get_recipe (self)->name : NULL);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_training_window_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  MienTrainingWindow *self = MIEN_TRAINING_WINDOW (object);

  switch (id) {
  case PROP_DATA_PATH:
    if (g_strcmp0 (g_value_get_string (value), mien_training_data_get_path (self->data)) != 0)
      mien_training_data_set_path (self->data, g_value_get_string (value));
    break;
  case PROP_RECIPE: {
    const char *const *names = mien_recipe_list ();

    /* A name from an older version is simply not there any more. */
    for (guint i = 0; names[i] != NULL; i++)
      if (g_strcmp0 (names[i], g_value_get_string (value)) == 0)
        adw_combo_row_set_selected (self->recipe_row, i);
    break;
  }
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_training_window_dispose (GObject *object)
{
  MienTrainingWindow *self = MIEN_TRAINING_WINDOW (object);

  if (self->trainer != NULL)
    g_signal_handlers_disconnect_by_data (self->trainer, self);
  g_clear_object (&self->trainer);
  g_clear_object (&self->chooser);
  if (self->inhibit_cookie != 0 && gtk_window_get_application (GTK_WINDOW (self)) != NULL)
    gtk_application_uninhibit (gtk_window_get_application (GTK_WINDOW (self)), self->inhibit_cookie);
  self->inhibit_cookie = 0;
  gtk_widget_dispose_template (GTK_WIDGET (self), MIEN_TYPE_TRAINING_WINDOW);
  G_OBJECT_CLASS (mien_training_window_parent_class)->dispose (object);
}

static void
mien_training_window_finalize (GObject *object)
{
  MienTrainingWindow *self = MIEN_TRAINING_WINDOW (object);

  g_clear_pointer (&self->model, mien_model_unref);
  g_free (self->out_path);
  g_free (self->unfinished_path);
  g_free (self->started_data);
  G_OBJECT_CLASS (mien_training_window_parent_class)->finalize (object);
}

static void
mien_training_window_class_init (MienTrainingWindowClass *klass)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = mien_training_window_dispose;
  object_class->finalize = mien_training_window_finalize;
  object_class->get_property = mien_training_window_get_property;
  object_class->set_property = mien_training_window_set_property;
  GTK_WINDOW_CLASS (klass)->close_request = mien_training_window_close_request;
  props[PROP_DATA_PATH] = g_param_spec_string ("data-path", NULL, NULL, NULL, flags);
  props[PROP_RECIPE] = g_param_spec_string ("recipe", NULL, NULL, NULL, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
  signals[MODEL_TRAINED] = g_signal_new ("model-trained", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                                         G_TYPE_STRING);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_w, GDK_CONTROL_MASK, "window.close", NULL);

  g_type_ensure (MIEN_TYPE_TRAINING_DATA);
  g_type_ensure (MIEN_TYPE_TRAINING_RUN);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/mien/Mien/ui/mien-training-window.ui");
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, window_title);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, toasts);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, stack);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, again_button);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, start_button);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, stop_button);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, use_button);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, save_button);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, continue_button);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, error_bar);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, error_label);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, done_bar);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, data);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, run);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, recipe_row);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, out_row);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, unfinished_row);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, epochs);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingWindow, seed);
  gtk_widget_class_bind_template_callback (widget_class, update_start_cb);
  gtk_widget_class_bind_template_callback (widget_class, data_path_cb);
  gtk_widget_class_bind_template_callback (widget_class, recipe_cb);
  gtk_widget_class_bind_template_callback (widget_class, start_cb);
  gtk_widget_class_bind_template_callback (widget_class, stop_cb);
  gtk_widget_class_bind_template_callback (widget_class, continue_cb);
  gtk_widget_class_bind_template_callback (widget_class, continue_found_cb);
  gtk_widget_class_bind_template_callback (widget_class, update_unfinished_cb);
  gtk_widget_class_bind_template_callback (widget_class, again_cb);
  gtk_widget_class_bind_template_callback (widget_class, use_cb);
  gtk_widget_class_bind_template_callback (widget_class, save_as_cb);
  gtk_widget_class_bind_template_callback (widget_class, choose_out_cb);
}

static void
mien_training_window_init (MienTrainingWindow *self)
{
  g_autoptr (GtkStringList) recipes = gtk_string_list_new (mien_recipe_list ());
  GtkDropTarget *drop = gtk_drop_target_new (GDK_TYPE_FILE_LIST, GDK_ACTION_COPY);

  gtk_widget_init_template (GTK_WIDGET (self));
  mien_name_buttons (GTK_WIDGET (self));
  adw_combo_row_set_model (self->recipe_row, G_LIST_MODEL (recipes));
  recipe_cb (self);
  g_signal_connect_swapped (drop, "drop", G_CALLBACK (drop_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (drop));

  self->trainer = mien_trainer_new ();
  g_signal_connect_object (self->trainer, "progress", G_CALLBACK (progress_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->trainer, "finished", G_CALLBACK (finished_cb), self, G_CONNECT_SWAPPED);
  set_state (self, MIEN_TRAINING_SETUP);
}

MienTrainingWindow *
mien_training_window_new (GtkApplication *app)
{
  return g_object_new (MIEN_TYPE_TRAINING_WINDOW, "application", app, NULL);
}

MienTrainingState
mien_training_window_get_state (MienTrainingWindow *self)
{
  g_return_val_if_fail (MIEN_IS_TRAINING_WINDOW (self), MIEN_TRAINING_SETUP);
  return self->state;
}

MienTrainer *
mien_training_window_get_trainer (MienTrainingWindow *self)
{
  g_return_val_if_fail (MIEN_IS_TRAINING_WINDOW (self), NULL);
  return self->trainer;
}
