/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-map-worker.h. run_thread() is on the other thread; everything else is on the main one. */
#include "layers/mien-map-worker.h"

struct _MienMapWorker {
  GObject parent_instance;

  /* owned */
  MienModel *model; /* (nullable) */
  MienMaps *maps;   /* of model; NULL while the thread has it, before it is made, and when it cannot be */
  float *waiting;   /* (nullable) the newest face, not yet fed */

  gboolean active, running;
  gboolean ready;   /* maps of model were made, or cannot be */
};

G_DEFINE_FINAL_TYPE (MienMapWorker, mien_map_worker, G_TYPE_OBJECT)

enum { READY, ACTIVATIONS, FAILED, N_SIGNALS };
static guint signals[N_SIGNALS];

/* What the thread works on, and what it hands back. */
typedef struct {
  MienModel *model;
  float *pixels;             /* (nullable) */
  MienMaps *maps;            /* (nullable) */
  GPtrArray *layers;         /* (nullable) MienLayerInfo: only when maps were made by this job */
  MienActivations *activations;
} Job;

static void
job_free (gpointer data)
{
  Job *job = data;

  mien_model_unref (job->model);
  g_clear_pointer (&job->maps, mien_maps_free);
  g_clear_pointer (&job->layers, g_ptr_array_unref);
  g_clear_pointer (&job->activations, mien_activations_unref);
  g_free (job->pixels);
  g_free (job);
}

static void
run_thread (GTask *task, gpointer object, gpointer data, GCancellable *cancellable)
{
  Job *job = data;
  GError *error = NULL;

  if (job->maps == NULL) {
    job->maps = mien_maps_new (job->model, &error);
    if (job->maps == NULL) {
      g_task_return_error (task, error);
      return;
    }
    job->layers = mien_model_dup_layers (job->model, NULL);
  }
  if (job->pixels != NULL) {
    job->activations = mien_maps_run (job->maps, job->pixels, &error);
    if (job->activations == NULL) {
      g_task_return_error (task, error);
      return;
    }
  }
  g_task_return_boolean (task, TRUE);
}

static void start_job (MienMapWorker *self);

/* Listeners may set another model at any signal. */
static void
deliver (MienMapWorker *self, Job *job, const GError *error)
{
  const gboolean first = !self->ready;

  if (job->model != self->model)
    return;
  self->ready = TRUE;
  if (error != NULL) {
    g_signal_emit (self, signals[FAILED], 0, error);
    return;
  }
  if (first)
    g_signal_emit (self, signals[READY], 0, job->maps, job->layers);
  if (job->model != self->model)
    return;
  self->maps = g_steal_pointer (&job->maps);
  if (job->activations != NULL && mien_maps_get_n_layers (self->maps) > 0)
    g_signal_emit (self, signals[ACTIVATIONS], 0, job->activations);
}

static void
job_done_cb (GObject *object, GAsyncResult *result, gpointer user_data)
{
  MienMapWorker *self = MIEN_MAP_WORKER (object);
  g_autoptr (GError) error = NULL;

  g_task_propagate_boolean (G_TASK (result), &error);
  self->running = FALSE;
  deliver (self, g_task_get_task_data (G_TASK (result)), error);
  start_job (self);
}

/* Starts when there is something to do and nobody doing it. */
static void
start_job (MienMapWorker *self)
{
  g_autoptr (GTask) task = NULL;
  Job *job;

  if (self->running || self->model == NULL || !self->active)
    return;
  if (self->ready && (self->maps == NULL || self->waiting == NULL))
    return; /* broken, or nothing new */
  job = g_new0 (Job, 1);
  job->model = mien_model_ref (self->model);
  job->maps = g_steal_pointer (&self->maps);
  job->pixels = g_steal_pointer (&self->waiting);
  task = g_task_new (self, NULL, job_done_cb, NULL);
  g_task_set_source_tag (task, start_job);
  g_task_set_task_data (task, job, job_free);
  self->running = TRUE;
  g_task_run_in_thread (task, run_thread);
}

static void
mien_map_worker_finalize (GObject *object)
{
  MienMapWorker *self = MIEN_MAP_WORKER (object);

  g_clear_pointer (&self->maps, mien_maps_free);
  g_clear_pointer (&self->model, mien_model_unref);
  g_free (self->waiting);
  G_OBJECT_CLASS (mien_map_worker_parent_class)->finalize (object);
}

static void
mien_map_worker_class_init (MienMapWorkerClass *klass)
{
  const GType type = G_TYPE_FROM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = mien_map_worker_finalize;
  signals[READY] = g_signal_new ("ready", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_POINTER, G_TYPE_POINTER);
  signals[ACTIVATIONS] = g_signal_new ("activations", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_POINTER);
  signals[FAILED] = g_signal_new ("failed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_POINTER);
}

static void
mien_map_worker_init (MienMapWorker *self)
{
}

MienMapWorker *
mien_map_worker_new (void)
{
  return g_object_new (MIEN_TYPE_MAP_WORKER, NULL);
}

void
mien_map_worker_set_model (MienMapWorker *self, MienModel *model)
{
  g_return_if_fail (MIEN_IS_MAP_WORKER (self));
  if (self->model == model)
    return;
  g_clear_pointer (&self->maps, mien_maps_free);
  g_clear_pointer (&self->model, mien_model_unref);
  g_clear_pointer (&self->waiting, g_free);
  self->model = model != NULL ? mien_model_ref (model) : NULL;
  self->ready = FALSE;
  start_job (self);
}

MienModel *
mien_map_worker_get_model (MienMapWorker *self)
{
  g_return_val_if_fail (MIEN_IS_MAP_WORKER (self), NULL);
  return self->model;
}

void
mien_map_worker_set_active (MienMapWorker *self, gboolean active)
{
  g_return_if_fail (MIEN_IS_MAP_WORKER (self));
  self->active = active;
  start_job (self);
}

void
mien_map_worker_set_face (MienMapWorker *self, const float *pixels)
{
  gsize n;

  g_return_if_fail (MIEN_IS_MAP_WORKER (self));
  g_return_if_fail (pixels == NULL || self->model != NULL);
  g_clear_pointer (&self->waiting, g_free);
  if (pixels == NULL)
    return;
  n = (gsize) mien_model_get_input_size (self->model) * mien_model_get_input_size (self->model);
  self->waiting = g_memdup2 (pixels, n * sizeof *pixels);
  start_job (self);
}
