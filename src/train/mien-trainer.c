/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The trainer as an object: mien_train() on a thread of its own, progress through a mailbox to the main thread. */
#include "mien-config.h"

#include <glib/gi18n-lib.h>

#include "train/mien-trainer.h"

typedef struct {
  MienRecipe recipe;
  char *data_path;
  char *out_path;
  gboolean resume;
} Job;

struct _MienTrainer {
  GObject parent_instance;

  GThread *thread; /* (nullable) running, or finished and not yet joined */
  GCancellable *cancellable;
  Job *job; /* owned by the thread while it runs */

  GMutex lock;
  /* written by the trainer's thread, under lock */
  GArray *epochs;          /* MienTrainProgress: epochs done, none is lost */
  MienTrainProgress latest; /* newest step */
  gboolean has_latest;
  gboolean is_over;
  MienModel *model;  /* (nullable) */
  GError *error;     /* (nullable) */
  guint idle_id;
};

enum { SIGNAL_PROGRESS, SIGNAL_FINISHED, N_SIGNALS };

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (MienTrainer, mien_trainer, G_TYPE_OBJECT)

static void
job_free (Job *job)
{
  g_free (job->data_path);
  g_free (job->out_path);
  g_free (job);
}

static gboolean
deliver_cb (gpointer data)
{
  MienTrainer *self = data;
  g_autoptr (GArray) epochs = NULL;
  g_autoptr (MienModel) model = NULL;
  g_autoptr (GError) error = NULL;
  MienTrainProgress latest;
  gboolean has_latest, is_over;

  g_mutex_lock (&self->lock);
  self->idle_id = 0;
  epochs = g_steal_pointer (&self->epochs);
  self->epochs = g_array_new (FALSE, FALSE, sizeof (MienTrainProgress));
  latest = self->latest;
  has_latest = self->has_latest;
  self->has_latest = FALSE;
  is_over = self->is_over;
  model = g_steal_pointer (&self->model);
  error = g_steal_pointer (&self->error);
  g_mutex_unlock (&self->lock);

  for (guint i = 0; i < epochs->len; i++)
    g_signal_emit (self, signals[SIGNAL_PROGRESS], 0, &g_array_index (epochs, MienTrainProgress, i));
  if (has_latest)
    g_signal_emit (self, signals[SIGNAL_PROGRESS], 0, &latest);
  if (is_over) {
    g_clear_pointer (&self->thread, g_thread_join);
    self->is_over = FALSE;
    g_signal_emit (self, signals[SIGNAL_FINISHED], 0, model, error != NULL ? error->message : NULL);
  }
  return G_SOURCE_REMOVE;
}

/* Under lock. */
static void
schedule (MienTrainer *self)
{
  if (self->idle_id == 0)
    self->idle_id = g_idle_add_full (G_PRIORITY_DEFAULT, deliver_cb, self, NULL);
}

static void
progress_cb (const MienTrainProgress *progress, gpointer data)
{
  MienTrainer *self = data;

  g_mutex_lock (&self->lock);
  if (progress->epoch_done) {
    g_array_append_val (self->epochs, *progress);
    self->has_latest = FALSE;
  } else {
    self->latest = *progress;
    self->has_latest = TRUE;
  }
  schedule (self);
  g_mutex_unlock (&self->lock);
}

static gpointer
train_thread (gpointer data)
{
  MienTrainer *self = data;
  Job *job = self->job;
  g_autoptr (MienDataset) dataset = NULL;
  g_autoptr (MienModel) model = NULL;
  GError *error = NULL;

  dataset = mien_dataset_load (job->data_path, 1u << MIEN_SPLIT_TRAINING | 1u << MIEN_SPLIT_PUBLIC, NULL, NULL, self->cancellable, &error);
  if (dataset != NULL)
    model = mien_train (&job->recipe, dataset, job->out_path, job->resume, 0, progress_cb, self, self->cancellable, &error);
  g_mutex_lock (&self->lock);
  self->model = g_steal_pointer (&model);
  self->error = error;
  self->is_over = TRUE;
  schedule (self);
  g_mutex_unlock (&self->lock);
  return NULL;
}

static void
mien_trainer_dispose (GObject *object)
{
  MienTrainer *self = MIEN_TRAINER (object);

  if (self->thread != NULL) {
    g_cancellable_cancel (self->cancellable);
    g_thread_join (g_steal_pointer (&self->thread));
  }
  g_mutex_lock (&self->lock);
  g_clear_handle_id (&self->idle_id, g_source_remove);
  g_mutex_unlock (&self->lock);
  g_clear_object (&self->cancellable);
  G_OBJECT_CLASS (mien_trainer_parent_class)->dispose (object);
}

static void
mien_trainer_finalize (GObject *object)
{
  MienTrainer *self = MIEN_TRAINER (object);

  g_clear_pointer (&self->job, job_free);
  g_clear_pointer (&self->model, mien_model_unref);
  g_clear_error (&self->error);
  g_array_unref (self->epochs);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (mien_trainer_parent_class)->finalize (object);
}

static void
mien_trainer_class_init (MienTrainerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = mien_trainer_dispose;
  object_class->finalize = mien_trainer_finalize;
  signals[SIGNAL_PROGRESS] =
    g_signal_new ("progress", MIEN_TYPE_TRAINER, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_POINTER);
  signals[SIGNAL_FINISHED] =
    g_signal_new ("finished", MIEN_TYPE_TRAINER, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_POINTER, G_TYPE_STRING);
}

static void
mien_trainer_init (MienTrainer *self)
{
  g_mutex_init (&self->lock);
  self->epochs = g_array_new (FALSE, FALSE, sizeof (MienTrainProgress));
}

MienTrainer *
mien_trainer_new (void)
{
  return g_object_new (MIEN_TYPE_TRAINER, NULL);
}

void
mien_trainer_start (MienTrainer *self, const MienRecipe *recipe, const char *data_path, const char *out_path, gboolean resume)
{
  g_return_if_fail (MIEN_IS_TRAINER (self));
  g_return_if_fail (self->thread == NULL);

  g_clear_pointer (&self->job, job_free);
  self->job = g_new0 (Job, 1);
  self->job->recipe = *recipe;
  self->job->data_path = g_strdup (data_path);
  self->job->out_path = g_strdup (out_path);
  self->job->resume = resume;
  g_clear_object (&self->cancellable);
  self->cancellable = g_cancellable_new ();
  self->thread = g_thread_new ("mien-train", train_thread, self);
}

void
mien_trainer_stop (MienTrainer *self)
{
  g_return_if_fail (MIEN_IS_TRAINER (self));

  if (self->cancellable != NULL)
    g_cancellable_cancel (self->cancellable);
}

gboolean
mien_trainer_is_running (MienTrainer *self)
{
  g_return_val_if_fail (MIEN_IS_TRAINER (self), FALSE);

  return self->thread != NULL;
}
