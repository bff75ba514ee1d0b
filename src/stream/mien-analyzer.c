/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The analysis worker: mailbox in, mailbox out, one thread between them. Contract in mien-analyzer.h. */
#include "mien-config.h"

#include <glib/gi18n-lib.h>

#include "stream/mien-analyzer-private.h"
#include "stream/mien-face-search.h"
#include "vision/mien-tracker.h"

#define MAX_BATCH 4          /* faces at once; more go in turns */
#define FPS_WINDOW 64        /* frames; more than pass in a second on any camera */

struct _MienAnalyzer {
  GObject parent_instance;

  GMainContext *context; /* where signals are emitted */
  GThread *thread;

  GMutex lock;
  GCond wake;

  /* under lock: orders for the worker */
  gboolean quit;
  MienModel *model;      /* (nullable) */
  guint model_serial;    /* changes with model */
  char *detector;        /* (nullable): the default */
  guint detector_serial;
  int smoothing_ms;
  guint epoch;           /* changes with each reset: results of older frames are dropped */
  MienImage *frame;      /* the waiting one, (nullable) */
  gint64 frame_time_us;
  gint64 frame_arrival_us;

  /* under lock: written by the worker, taken by deliver_cb */
  MienResult *result;
  char *failure;
  GSource *delivery;     /* pending */
};

G_DEFINE_FINAL_TYPE (MienAnalyzer, mien_analyzer, G_TYPE_OBJECT)

enum { PROP_0, PROP_MODEL, PROP_DETECTOR, PROP_SMOOTHING, N_PROPERTIES };
static GParamSpec *properties[N_PROPERTIES];

enum { SIGNAL_RESULT, SIGNAL_FAILED, N_SIGNALS };
static guint signals[N_SIGNALS];

/* Everything that lives on the worker alone. */
typedef struct {
  MienPredictor *predictor;
  guint model_serial;
  MienFaceSearch *search;
  guint detector_serial;
  MienTracker *tracker;
  guint epoch;
  char *last_failure;   /* each is told once until something works again */
  gint64 done_us[FPS_WINDOW];
  guint n_done;
} Worker;

/* One order as the worker takes it from under the lock. */
typedef struct {
  MienImage *frame;
  gint64 time_us;
  gint64 arrival_us;
  MienModel *model;
  guint model_serial;
  char *detector;
  guint detector_serial;
  int smoothing_ms;
  guint epoch;
} Order;

static gboolean
deliver_cb (gpointer user_data)
{
  g_autoptr (MienAnalyzer) self = g_object_ref (user_data); /* a handler may drop the last reference */
  g_autoptr (MienResult) result = NULL;
  g_autofree char *failure = NULL;

  g_mutex_lock (&self->lock);
  result = g_steal_pointer (&self->result);
  failure = g_steal_pointer (&self->failure);
  g_clear_pointer (&self->delivery, g_source_unref);
  g_mutex_unlock (&self->lock);

  if (result != NULL)
    g_signal_emit (self, signals[SIGNAL_RESULT], 0, result);
  if (failure != NULL)
    g_signal_emit (self, signals[SIGNAL_FAILED], 0, failure);
  return G_SOURCE_REMOVE;
}

/* Worker. The source holds no reference: dispose, on the main thread as deliver_cb, destroys it. */
static void
publish (MienAnalyzer *self, guint epoch, MienResult *result, char *failure)
{
  g_mutex_lock (&self->lock);
  if (epoch == self->epoch && !self->quit) {
    if (result != NULL) {
      MienResult *stale = self->result;

      self->result = g_steal_pointer (&result);
      result = stale;
    }
    if (failure != NULL) {
      char *stale = self->failure;

      self->failure = g_steal_pointer (&failure);
      failure = stale;
    }
    if (self->delivery == NULL) {
      self->delivery = g_idle_source_new ();
      g_source_set_priority (self->delivery, G_PRIORITY_DEFAULT);
      g_source_set_static_name (self->delivery, "mien-analyzer");
      g_source_set_callback (self->delivery, deliver_cb, self, NULL);
      g_source_attach (self->delivery, self->context);
    }
  }
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&result, mien_result_unref);
  g_free (failure);
}

static gboolean
prepare (Worker *worker, const Order *order, GError **error)
{
  if (worker->predictor == NULL || worker->model_serial != order->model_serial) {
    g_clear_pointer (&worker->predictor, mien_predictor_free);
    worker->model_serial = order->model_serial;
    worker->predictor = mien_predictor_new (order->model, MAX_BATCH, mien_cpu_level (), MIEN_PRECISION_AUTO, NULL, error);
  }
  if (worker->predictor == NULL)
    return FALSE;
  if (worker->search == NULL || worker->detector_serial != order->detector_serial) {
    g_clear_pointer (&worker->search, mien_face_search_free);
    worker->detector_serial = order->detector_serial;
    worker->search = mien_face_search_new (order->detector, error);
  }
  if (worker->search == NULL)
    return FALSE;
  if (worker->epoch != order->epoch) {
    worker->epoch = order->epoch;
    worker->n_done = 0;
    mien_face_search_reset (worker->search);
    mien_tracker_reset (worker->tracker);
  }
  mien_tracker_set_smoothing (worker->tracker, order->smoothing_ms);
  return TRUE;
}

static double
count_frame (Worker *worker, gint64 now_us)
{
  const guint newest = worker->n_done++;
  guint n = 1;

  worker->done_us[newest % FPS_WINDOW] = now_us;
  while (n < FPS_WINDOW && n <= newest && now_us - worker->done_us[(newest - n) % FPS_WINDOW] <= G_USEC_PER_SEC)
    n++;
  if (n == 1)
    return 0;
  return (n - 1) * (double) G_USEC_PER_SEC / (double) MAX (now_us - worker->done_us[(newest - (n - 1)) % FPS_WINDOW], 1);
}

static MienResult *
analyze (Worker *worker, const Order *order, GError **error)
{
  const MienImage *frame = order->frame;
  const int n_labels = mien_model_get_n_labels (order->model);
  const gint64 start_us = g_get_monotonic_time ();
  g_autoptr (GArray) boxes = NULL;
  g_autoptr (MienResult) result = NULL;
  g_autofree int *tracks = NULL;
  g_autofree MienBox *smoothed = NULL;
  gint64 detected_us;

  boxes = mien_face_search_find (worker->search, frame, error);
  if (boxes == NULL)
    return NULL;
  detected_us = g_get_monotonic_time ();

  result = mien_result_new (order->model, (int) boxes->len);
  result->time_us = order->time_us;
  result->width = frame->width;
  result->height = frame->height;
  tracks = g_new (int, boxes->len + 1);
  smoothed = g_new (MienBox, boxes->len + 1);
  mien_tracker_update (worker->tracker, order->time_us, (const MienBox *) (gpointer) boxes->data, (int) boxes->len, tracks, smoothed);
  for (guint i = 0; i < boxes->len; i++) {
    result->faces[i].track = tracks[i];
    result->faces[i].box = smoothed[i];
  }
  if (!mien_analyze_faces (result, frame, worker->predictor, mien_model_get_crop_margin (order->model), error))
    return NULL;
  for (int i = 0; i < result->n_faces; i++) {
    mien_tracker_smooth (worker->tracker, tracks[i], result->faces[i].probabilities, n_labels);
    mien_face_decide (&result->faces[i], n_labels);
  }
  result->detect_us = (int) (detected_us - start_us);
  result->infer_us = (int) (g_get_monotonic_time () - detected_us);
  result->latency_us = g_get_monotonic_time () - order->arrival_us;
  result->fps = count_frame (worker, g_get_monotonic_time ());
  return g_steal_pointer (&result);
}

/* FALSE: time to quit. */
static gboolean
take_order (MienAnalyzer *self, Order *order)
{
  gboolean quit;

  g_mutex_lock (&self->lock);
  while (!self->quit && (self->frame == NULL || self->model == NULL))
    g_cond_wait (&self->wake, &self->lock);
  quit = self->quit;
  if (!quit)
    *order = (Order) {
      .frame = g_steal_pointer (&self->frame), .time_us = self->frame_time_us, .arrival_us = self->frame_arrival_us,
      .model = mien_model_ref (self->model), .model_serial = self->model_serial,
      .detector = g_strdup (self->detector), .detector_serial = self->detector_serial,
      .smoothing_ms = self->smoothing_ms, .epoch = self->epoch,
    };
  g_mutex_unlock (&self->lock);
  return !quit;
}

static gpointer
worker_thread (gpointer data)
{
  MienAnalyzer *self = data; /* no reference: dispose joins */
  Worker worker = { .tracker = mien_tracker_new () };
  Order order;

  while (take_order (self, &order)) {
    g_autoptr (GError) error = NULL;
    MienResult *result = NULL;

    if (prepare (&worker, &order, &error))
      result = analyze (&worker, &order, &error);
    if (result != NULL)
      publish (self, order.epoch, result, NULL);
    if (result != NULL && mien_face_search_look_around (worker.search, order.frame, &error)) {
      g_clear_pointer (&worker.last_failure, g_free);
    } else if (g_strcmp0 (worker.last_failure, error->message) != 0) {
      g_free (worker.last_failure);
      worker.last_failure = g_strdup (error->message);
      publish (self, order.epoch, NULL, g_strdup (error->message));
    }
    mien_image_unref (order.frame);
    mien_model_unref (order.model);
    g_free (order.detector);
  }
  g_clear_pointer (&worker.predictor, mien_predictor_free);
  g_clear_pointer (&worker.search, mien_face_search_free);
  mien_tracker_free (worker.tracker);
  g_free (worker.last_failure);
  return NULL;
}

void
mien_analyzer_set_model (MienAnalyzer *self, MienModel *model)
{
  MienModel *old;

  g_return_if_fail (MIEN_IS_ANALYZER (self));
  g_mutex_lock (&self->lock);
  if (model == self->model) {
    g_mutex_unlock (&self->lock);
    return;
  }
  old = self->model;
  self->model = model != NULL ? mien_model_ref (model) : NULL;
  self->model_serial++;
  if (model == NULL)
    self->epoch++; /* what the worker has in hand is not wanted any more */
  g_cond_signal (&self->wake);
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&old, mien_model_unref);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_MODEL]);
}

void
mien_analyzer_set_detector (MienAnalyzer *self, const char *detector)
{
  char *old;

  g_return_if_fail (MIEN_IS_ANALYZER (self));
  g_mutex_lock (&self->lock);
  if (g_strcmp0 (detector, self->detector) == 0) {
    g_mutex_unlock (&self->lock);
    return;
  }
  old = self->detector;
  self->detector = g_strdup (detector);
  self->detector_serial++;
  g_mutex_unlock (&self->lock);
  g_free (old);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_DETECTOR]);
}

void
mien_analyzer_set_smoothing (MienAnalyzer *self, int tau_ms)
{
  gboolean changed;

  g_return_if_fail (MIEN_IS_ANALYZER (self));
  g_mutex_lock (&self->lock);
  changed = self->smoothing_ms != MAX (tau_ms, 0);
  self->smoothing_ms = MAX (tau_ms, 0);
  g_mutex_unlock (&self->lock);
  if (changed)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SMOOTHING]);
}

void
mien_analyzer_push (MienAnalyzer *self, MienImage *frame, gint64 time_us)
{
  MienImage *stale = frame;

  g_mutex_lock (&self->lock);
  if (!self->quit && self->model != NULL) {
    stale = self->frame;
    self->frame = frame;
    self->frame_time_us = time_us;
    self->frame_arrival_us = g_get_monotonic_time ();
    g_cond_signal (&self->wake);
  }
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&stale, mien_image_unref);
}

void
mien_analyzer_reset (MienAnalyzer *self)
{
  MienImage *frame;
  MienResult *result;

  g_return_if_fail (MIEN_IS_ANALYZER (self));
  g_mutex_lock (&self->lock);
  self->epoch++;
  frame = g_steal_pointer (&self->frame);
  result = g_steal_pointer (&self->result);
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&frame, mien_image_unref);
  g_clear_pointer (&result, mien_result_unref);
}

static void
mien_analyzer_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  MienAnalyzer *self = MIEN_ANALYZER (object);

  g_mutex_lock (&self->lock);
  switch (id) {
  case PROP_MODEL:
    g_value_set_boxed (value, self->model);
    break;
  case PROP_DETECTOR:
    g_value_set_string (value, self->detector);
    break;
  case PROP_SMOOTHING:
    g_value_set_int (value, self->smoothing_ms);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
  g_mutex_unlock (&self->lock);
}

static void
mien_analyzer_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  MienAnalyzer *self = MIEN_ANALYZER (object);

  switch (id) {
  case PROP_MODEL:
    mien_analyzer_set_model (self, g_value_get_boxed (value));
    break;
  case PROP_DETECTOR:
    mien_analyzer_set_detector (self, g_value_get_string (value));
    break;
  case PROP_SMOOTHING:
    mien_analyzer_set_smoothing (self, g_value_get_int (value));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_analyzer_dispose (GObject *object)
{
  MienAnalyzer *self = MIEN_ANALYZER (object);

  if (self->thread != NULL) {
    g_mutex_lock (&self->lock);
    self->quit = TRUE;
    g_cond_signal (&self->wake);
    g_mutex_unlock (&self->lock);
    g_thread_join (g_steal_pointer (&self->thread));
  }
  if (self->delivery != NULL) {
    g_source_destroy (self->delivery);
    g_clear_pointer (&self->delivery, g_source_unref);
  }
  g_clear_pointer (&self->frame, mien_image_unref);
  g_clear_pointer (&self->result, mien_result_unref);
  g_clear_pointer (&self->failure, g_free);
  g_clear_pointer (&self->model, mien_model_unref);
  G_OBJECT_CLASS (mien_analyzer_parent_class)->dispose (object);
}

static void
mien_analyzer_finalize (GObject *object)
{
  MienAnalyzer *self = MIEN_ANALYZER (object);

  g_free (self->detector);
  g_main_context_unref (self->context);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->wake);
  G_OBJECT_CLASS (mien_analyzer_parent_class)->finalize (object);
}

static void
mien_analyzer_class_init (MienAnalyzerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  object_class->get_property = mien_analyzer_get_property;
  object_class->set_property = mien_analyzer_set_property;
  object_class->dispose = mien_analyzer_dispose;
  object_class->finalize = mien_analyzer_finalize;

  properties[PROP_MODEL] = g_param_spec_boxed ("model", NULL, NULL, MIEN_TYPE_MODEL, flags);
  properties[PROP_DETECTOR] = g_param_spec_string ("detector", NULL, NULL, NULL, flags);
  properties[PROP_SMOOTHING] = g_param_spec_int ("smoothing", NULL, NULL, 0, 10000, 250, flags);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);

  signals[SIGNAL_RESULT] = g_signal_new ("result", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, MIEN_TYPE_RESULT);
  signals[SIGNAL_FAILED] = g_signal_new ("failed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
mien_analyzer_init (MienAnalyzer *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->wake);
  self->context = g_main_context_ref_thread_default ();
  self->smoothing_ms = 250;
  self->thread = g_thread_new ("mien-analyze", worker_thread, self);
}

MienAnalyzer *
mien_analyzer_new (void)
{
  return g_object_new (MIEN_TYPE_ANALYZER, NULL);
}
