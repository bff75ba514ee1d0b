/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-training-run.h. */
#include "mien-config.h"

#include "training/mien-training-run.h"

#include <math.h>
#include <string.h>
#include <glib/gi18n.h>
#include <json-glib/json-glib.h>

#include "charts/mien-line-chart.h"
#include "training/mien-training-data.h"

/* One finished epoch, an item of the table. */
#define MIEN_TYPE_TRAINING_EPOCH (mien_training_epoch_get_type ())
G_DECLARE_FINAL_TYPE (MienTrainingEpoch, mien_training_epoch, MIEN, TRAINING_EPOCH, GObject)

struct _MienTrainingEpoch {
  GObject parent_instance;
  MienTrainProgress progress;
};

G_DEFINE_FINAL_TYPE (MienTrainingEpoch, mien_training_epoch, G_TYPE_OBJECT)

static void
mien_training_epoch_class_init (MienTrainingEpochClass *klass)
{
}

static void
mien_training_epoch_init (MienTrainingEpoch *self)
{
}

struct _MienTrainingRun {
  AdwBin parent_instance;

  /* template children */
  GtkLabel *best_label, *status_label;
  GtkProgressBar *bar;
  MienLineChart *accuracy_chart, *loss_chart;
  GtkWidget *table_frame;
  GtkColumnView *table;

  /* owned */
  MienLineData *accuracy, *loss; /* series: 0 training, 1 validation */
  GListStore *epochs;            /* newest first */

  double best;
  int best_epoch;
  guint scroll_id;
};

G_DEFINE_FINAL_TYPE (MienTrainingRun, mien_training_run, ADW_TYPE_BIN)

enum { COLUMN_EPOCH, COLUMN_ACCURACY, COLUMN_VAL_ACCURACY, COLUMN_LOSS, COLUMN_VAL_LOSS, N_COLUMNS };

static char *
format_cell (const MienTrainProgress *p, int column)
{
  switch (column) {
  case COLUMN_EPOCH:
    /* Translators: the number of an epoch with the mark of the best one so far. */
    return g_strdup_printf (p->best ? _("%d ★") : "%d", p->epoch);
  case COLUMN_ACCURACY:
    return mien_chart_format (p->train_accuracy, 3, MIEN_CHART_PERCENT);
  case COLUMN_VAL_ACCURACY:
    return mien_chart_format (p->val_accuracy, 3, MIEN_CHART_PERCENT);
  case COLUMN_LOSS:
    return mien_chart_format (p->train_loss, 3, MIEN_CHART_NUMBER);
  default:
    return mien_chart_format (p->val_loss, 3, MIEN_CHART_NUMBER);
  }
}

static void
cell_setup_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer column)
{
  GtkWidget *label = gtk_label_new (NULL);

  gtk_label_set_xalign (GTK_LABEL (label), 0); /* as the titles, which cannot be moved */
  gtk_widget_add_css_class (label, "numeric");
  gtk_list_item_set_child (item, label);
}

static void
cell_bind_cb (GtkSignalListItemFactory *factory, GtkListItem *item, gpointer column)
{
  MienTrainingEpoch *epoch = gtk_list_item_get_item (item);
  GtkWidget *label = gtk_list_item_get_child (item);
  g_autofree char *text = format_cell (&epoch->progress, GPOINTER_TO_INT (column));

  gtk_label_set_label (GTK_LABEL (label), text);
  gtk_widget_set_tooltip_text (label, GPOINTER_TO_INT (column) == COLUMN_EPOCH && epoch->progress.best ? _("The epoch that is kept so far") : NULL);
}

static void
add_columns (MienTrainingRun *self)
{
  static const char *const titles[N_COLUMNS] = {
    [COLUMN_EPOCH] = N_ ("Epoch"),
    [COLUMN_ACCURACY] = N_ ("Accuracy"),
    [COLUMN_VAL_ACCURACY] = N_ ("Validation"),
    [COLUMN_LOSS] = N_ ("Loss"),
    [COLUMN_VAL_LOSS] = N_ ("Validation"),
  };

  for (int i = 0; i < N_COLUMNS; i++) {
    GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
    GtkColumnViewColumn *column;

    g_signal_connect (factory, "setup", G_CALLBACK (cell_setup_cb), GINT_TO_POINTER (i));
    g_signal_connect (factory, "bind", G_CALLBACK (cell_bind_cb), GINT_TO_POINTER (i));
    column = gtk_column_view_column_new (_(titles[i]), factory);
    gtk_column_view_column_set_expand (column, TRUE);
    gtk_column_view_append_column (self->table, column);
    g_object_unref (column);
  }
}

char *
mien_training_format_time_left (double seconds)
{
  const int minutes = (int) lrint (seconds / 60);

  if (!isfinite (seconds) || seconds < 0)
    return g_strdup (_("Estimating the time left"));
  if (seconds < 45)
    return g_strdup (_("Less than a minute left"));
  if (minutes < 90)
    return g_strdup_printf (ngettext ("About %d minute left", "About %d minutes left", MAX (minutes, 1)), MAX (minutes, 1));
  return g_strdup_printf (ngettext ("About %d hour left", "About %d hours left", (minutes + 30) / 60), (minutes + 30) / 60);
}

static void
mien_training_run_dispose (GObject *object)
{
  MienTrainingRun *self = MIEN_TRAINING_RUN (object);

  g_clear_handle_id (&self->scroll_id, g_source_remove);
  gtk_widget_dispose_template (GTK_WIDGET (self), MIEN_TYPE_TRAINING_RUN);
  g_clear_object (&self->accuracy);
  g_clear_object (&self->loss);
  g_clear_object (&self->epochs);
  G_OBJECT_CLASS (mien_training_run_parent_class)->dispose (object);
}

static void
mien_training_run_class_init (MienTrainingRunClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = mien_training_run_dispose;
  g_type_ensure (MIEN_TYPE_LINE_CHART);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/mien/Mien/ui/mien-training-run.ui");
  gtk_widget_class_bind_template_child (widget_class, MienTrainingRun, best_label);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingRun, status_label);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingRun, bar);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingRun, accuracy_chart);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingRun, loss_chart);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingRun, table_frame);
  gtk_widget_class_bind_template_child (widget_class, MienTrainingRun, table);
}

static MienLineData *
make_data (MienLineChart *chart)
{
  MienLineData *data = mien_line_data_new ();

  mien_line_data_add_series (data, _("Training"), 0, MIEN_LINE_SOLID);
  mien_line_data_add_series (data, _("Validation"), 1, MIEN_LINE_DASHED);
  mien_line_chart_set_data (chart, data);
  return data;
}

static void
mien_training_run_init (MienTrainingRun *self)
{
  g_autoptr (GtkNoSelection) selection = NULL;

  gtk_widget_init_template (GTK_WIDGET (self));
  self->best = NAN;
  self->accuracy = make_data (self->accuracy_chart);
  self->loss = make_data (self->loss_chart);
  self->epochs = g_list_store_new (MIEN_TYPE_TRAINING_EPOCH);
  selection = gtk_no_selection_new (g_object_ref (G_LIST_MODEL (self->epochs)));
  add_columns (self);
  gtk_column_view_set_model (self->table, GTK_SELECTION_MODEL (selection));
}

void
mien_training_run_reset (MienTrainingRun *self)
{
  g_return_if_fail (MIEN_IS_TRAINING_RUN (self));
  mien_line_data_clear (self->accuracy);
  mien_line_data_clear (self->loss);
  g_list_store_remove_all (self->epochs);
  self->best = NAN;
  self->best_epoch = 0;
  gtk_widget_set_visible (GTK_WIDGET (self->best_label), FALSE);
  gtk_widget_set_visible (self->table_frame, FALSE);
  mien_training_run_set_status (self, "", 0);
}

/* Takes the mark from the epoch that was the best until now. */
static void
unmark_best (MienTrainingRun *self)
{
  const guint n = g_list_model_get_n_items (G_LIST_MODEL (self->epochs));

  for (guint i = 0; i < n; i++) {
    g_autoptr (MienTrainingEpoch) item = g_list_model_get_item (G_LIST_MODEL (self->epochs), i);

    if (item->progress.best) {
      g_autoptr (MienTrainingEpoch) plain = g_object_new (MIEN_TYPE_TRAINING_EPOCH, NULL);

      plain->progress = item->progress;
      plain->progress.best = FALSE;
      g_list_store_splice (self->epochs, i, 1, (gpointer *) &plain, 1);
      return;
    }
  }
}

/* The list keeps the row one looks at in its place; who looks at the newest wants to see the next one too. */
static gboolean
scroll_up_cb (gpointer data)
{
  MienTrainingRun *self = data;

  self->scroll_id = 0;
  gtk_adjustment_set_value (gtk_scrollable_get_vadjustment (GTK_SCROLLABLE (self->table)), 0);
  return G_SOURCE_REMOVE;
}

static void
add_epoch (MienTrainingRun *self, const MienTrainProgress *progress)
{
  g_autoptr (MienTrainingEpoch) item = g_object_new (MIEN_TYPE_TRAINING_EPOCH, NULL);

  item->progress = *progress;
  if (progress->best)
    unmark_best (self);
  if (gtk_adjustment_get_value (gtk_scrollable_get_vadjustment (GTK_SCROLLABLE (self->table))) < 1 && self->scroll_id == 0)
    self->scroll_id = g_idle_add (scroll_up_cb, self);
  g_list_store_insert (self->epochs, 0, item);
  gtk_widget_set_visible (self->table_frame, TRUE);
  if (progress->best) {
    g_autofree char *accuracy = mien_chart_format (progress->val_accuracy, 3, MIEN_CHART_PERCENT);
    g_autofree char *text = NULL;

    self->best = progress->val_accuracy;
    self->best_epoch = progress->epoch;
    /* Translators: the best score on the validation faces, and the number of its epoch. */
    text = g_strdup_printf (_("Best so far: %s in epoch %d"), accuracy, progress->epoch);
    gtk_label_set_label (self->best_label, text);
    gtk_widget_set_visible (GTK_WIDGET (self->best_label), TRUE);
  }
}

void
mien_training_run_add (MienTrainingRun *self, const MienTrainProgress *progress)
{
  g_autofree char *left = NULL, *text = NULL;
  double done;

  g_return_if_fail (MIEN_IS_TRAINING_RUN (self));

  /* The first steps of an epoch are too few pictures for a point that would only jump. */
  if (progress->epoch_done || progress->step * 4 >= progress->steps) {
    mien_line_data_append (self->loss, 0, progress->epoch, progress->train_loss);
    mien_line_data_append (self->accuracy, 0, progress->epoch, progress->train_accuracy);
  }
  if (progress->epoch_done) {
    mien_line_data_append (self->loss, 1, progress->epoch, progress->val_loss);
    mien_line_data_append (self->accuracy, 1, progress->epoch, progress->val_accuracy);
    add_epoch (self, progress);
  }
  left = mien_training_format_time_left (progress->seconds_left);
  /* Translators: "Epoch 3 of 60 · About 8 minutes left". */
  text = g_strdup_printf (_("Epoch %d of %d · %s"), progress->epoch, progress->epochs, left);
  done = progress->epoch - 1 + (progress->epoch_done ? 1 : (double) progress->step / MAX (progress->steps, 1));
  mien_training_run_set_status (self, text, done / MAX (progress->epochs, 1));
}

/* A line of the log, as mien_train() writes it: one flat object. */
static gboolean
parse_epoch (const char *line, MienTrainProgress *p)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonNode *root;
  JsonObject *object;
  const struct {
    const char *key;
    double *value;
  } numbers[] = {
    { "train_loss", &p->train_loss }, { "train_accuracy", &p->train_accuracy },
    { "val_loss", &p->val_loss },     { "val_accuracy", &p->val_accuracy },
  };

  if (strlen (line) > 4096 || !json_parser_load_from_data (parser, line, -1, NULL))
    return FALSE;
  root = json_parser_get_root (parser);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root))
    return FALSE;
  object = json_node_get_object (root);
  p->epoch = (int) CLAMP (json_object_get_int_member_with_default (object, "epoch", 0), 0, 1000000);
  p->epoch_done = TRUE;
  p->best = json_object_get_boolean_member_with_default (object, "best", FALSE);
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    *numbers[i].value = json_object_get_double_member_with_default (object, numbers[i].key, NAN);
  return p->epoch > 0;
}

void
mien_training_run_load (MienTrainingRun *self, const char *out_path, int n_epochs)
{
  g_autofree char *stem = g_str_has_suffix (out_path, ".onnx") ? g_strndup (out_path, strlen (out_path) - 5) : g_strdup (out_path);
  g_autofree char *path = g_strconcat (stem, ".log.jsonl", NULL), *contents = NULL;
  int last = 0;

  g_return_if_fail (MIEN_IS_TRAINING_RUN (self));
  if (!g_file_get_contents (path, &contents, NULL, NULL))
    return;
  g_auto (GStrv) lines = g_strsplit (contents, "\n", -1);
  for (int i = 0; lines[i] != NULL; i++) {
    MienTrainProgress progress = { 0 };

    if (!parse_epoch (lines[i], &progress) || progress.epoch <= last || progress.epoch > n_epochs)
      continue; /* a power cut can leave a line too many, which will be written again */
    last = progress.epoch;
    mien_training_run_add (self, &progress);
  }
}

void
mien_training_run_set_status (MienTrainingRun *self, const char *text, double fraction)
{
  g_return_if_fail (MIEN_IS_TRAINING_RUN (self));
  gtk_label_set_label (self->status_label, text);
  gtk_widget_set_visible (GTK_WIDGET (self->bar), fraction >= 0);
  if (fraction >= 0)
    gtk_progress_bar_set_fraction (self->bar, CLAMP (fraction, 0, 1));
}

void
mien_training_run_finish (MienTrainingRun *self, const char *path)
{
  g_autofree char *shown = mien_training_shorten_path (path);
  g_autofree char *text = NULL;

  g_return_if_fail (MIEN_IS_TRAINING_RUN (self));
  if (isfinite (self->best)) {
    g_autofree char *accuracy = mien_chart_format (self->best, 3, MIEN_CHART_PERCENT);
    /* Translators: the share of the validation faces that the finished network reads right. */
    g_autofree char *title = g_strdup_printf (_("Reads %s of the Validation Faces Right"), accuracy);

    gtk_label_set_label (self->best_label, title);
    /* Translators: the number of the epoch that is kept, and the file that its network is in. */
    text = g_strdup_printf (_("The network of epoch %d is saved in %s."), self->best_epoch, shown);
  } else {
    text = g_strdup_printf (_("The network is saved in %s."), shown);
  }
  mien_training_run_set_status (self, text, -1);
}

double
mien_training_run_get_best (MienTrainingRun *self, int *epoch)
{
  g_return_val_if_fail (MIEN_IS_TRAINING_RUN (self), NAN);
  if (epoch != NULL)
    *epoch = self->best_epoch;
  return self->best;
}
