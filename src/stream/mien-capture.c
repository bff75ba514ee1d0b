/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running a capture: starting on a thread of its own, frames and messages back to the main thread, stopping for good.
 *
 * Each start is a Session. The streaming threads and the starting thread see the session only; the main thread is the only
 * one that sees the MienCapture. Stop marks the session, joins the starting thread and sets the pipeline to NULL, which joins
 * the streaming threads: after that nothing can come any more. */
#include "mien-config.h"

#include <glib/gi18n-lib.h>
#include <gst/app/gstappsink.h>
#include <gst/pbutils/pbutils.h>
#include <gst/video/video.h>

#include "stream/mien-capture-private.h"

#define SETUP_LIMIT_S 60   /* GStreamer may look through all its plug-ins the first time */
#define CAMERA_LIMIT_S 15  /* a source that is set up and gives no frame for so long has failed */
#define FILE_LIMIT_S 6     /* the same; damaged files can make a demuxer end without a word */
#define SILENCE_LIMIT_S 6  /* a camera that gives none for so long while running is lost */
#define RATE_WINDOW 128

typedef struct {
  gatomicrefcount ref_count;
  char *source;
  MienSourceKind kind;
  MienAnalyzer *analyzer; /* (nullable) */
  GMainContext *context;
  GThread *starter;
  MienPipeline pipeline;  /* written by the starter, read elsewhere only after starter_done */
  MienCapture *capture;   /* borrowed; NULL once stopped; main thread only */
  GstMessage *missing;    /* main thread only */

  GMutex lock;
  /* under lock */
  gboolean stopped;
  gboolean starter_done;
  MienCaptureState failure_state;
  char *failure;          /* (nullable): why the pipeline could not be built */
  MienImage *frame;       /* newest, not yet shown */
  gint64 frame_time_us;
  GSource *delivery;      /* pending */
  GSource *watch;         /* of the bus */
} Session;

struct _MienCapture {
  GObject parent_instance;

  MienAnalyzer *analyzer; /* (nullable) */
  Session *session;       /* (nullable) */
  char *source;
  MienCaptureState state;
  char *message;
  gboolean paused;
  gint64 last_frame_us;   /* when it was shown, or when the start began, or when the pipeline was set up */
  gboolean set_up;        /* the starting thread is done */
  guint timer_id;
  gint64 shown_us[RATE_WINDOW];
  guint n_shown;
  double frame_rate;
  gint64 rate_us;         /* when frame_rate was last told */
};

G_DEFINE_FINAL_TYPE (MienCapture, mien_capture, G_TYPE_OBJECT)

enum { PROP_0, PROP_SOURCE, PROP_STATE, PROP_MESSAGE, PROP_FRAME_RATE, N_PROPERTIES };
static GParamSpec *properties[N_PROPERTIES];

static guint frame_signal;

GType
mien_capture_state_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { MIEN_CAPTURE_STOPPED, "MIEN_CAPTURE_STOPPED", "stopped" },
    { MIEN_CAPTURE_STARTING, "MIEN_CAPTURE_STARTING", "starting" },
    { MIEN_CAPTURE_LIVE, "MIEN_CAPTURE_LIVE", "live" },
    { MIEN_CAPTURE_PAUSED, "MIEN_CAPTURE_PAUSED", "paused" },
    { MIEN_CAPTURE_ENDED, "MIEN_CAPTURE_ENDED", "ended" },
    { MIEN_CAPTURE_NO_CAMERA, "MIEN_CAPTURE_NO_CAMERA", "no-camera" },
    { MIEN_CAPTURE_DENIED, "MIEN_CAPTURE_DENIED", "denied" },
    { MIEN_CAPTURE_BUSY, "MIEN_CAPTURE_BUSY", "busy" },
    { MIEN_CAPTURE_LOST, "MIEN_CAPTURE_LOST", "lost" },
    { MIEN_CAPTURE_MISSING_PLUGIN, "MIEN_CAPTURE_MISSING_PLUGIN", "missing-plugin" },
    { MIEN_CAPTURE_FAILED, "MIEN_CAPTURE_FAILED", "failed" },
    { 0, NULL, NULL },
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("MienCaptureState", values));
  return type;
}

/* The session. */

static Session *
session_ref (Session *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

static void
session_unref (gpointer data)
{
  Session *self = data;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  mien_pipeline_clear (&self->pipeline);
  g_clear_pointer (&self->missing, gst_message_unref);
  g_clear_pointer (&self->frame, mien_image_unref);
  g_clear_object (&self->analyzer);
  g_main_context_unref (self->context);
  g_free (self->failure);
  g_free (self->source);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static gboolean deliver_cb (gpointer user_data);
static gboolean bus_cb (GstBus *bus, GstMessage *message, gpointer user_data);

/* Under lock. */
static void
schedule_delivery (Session *self)
{
  if (self->delivery != NULL || self->stopped)
    return;
  self->delivery = g_idle_source_new ();
  g_source_set_priority (self->delivery, G_PRIORITY_DEFAULT);
  g_source_set_static_name (self->delivery, "mien-capture");
  g_source_set_callback (self->delivery, deliver_cb, session_ref (self), session_unref);
  g_source_attach (self->delivery, self->context);
}

static void
unmap_frame (gpointer data)
{
  gst_video_frame_unmap (data);
  g_free (data);
}

/* The sample's pixels, not copied: the buffer goes back to its pool when the last user of the picture is done. */
static MienImage *
wrap_sample (GstSample *sample, gint64 *time_us)
{
  GstVideoFrame *frame = g_new (GstVideoFrame, 1);
  GstBuffer *buffer = gst_sample_get_buffer (sample);
  guint64 stream_time;
  GstVideoInfo info;

  if (buffer == NULL || !gst_video_info_from_caps (&info, gst_sample_get_caps (sample))
      || !gst_video_frame_map (frame, &info, buffer, GST_MAP_READ)) {
    g_free (frame);
    return NULL;
  }
  stream_time = gst_segment_to_stream_time (gst_sample_get_segment (sample), GST_FORMAT_TIME, GST_BUFFER_PTS (buffer));
  *time_us = GST_CLOCK_TIME_IS_VALID (stream_time) ? (gint64) (stream_time / 1000) : 0;
  return mien_image_new_take (GST_VIDEO_FRAME_WIDTH (frame), GST_VIDEO_FRAME_HEIGHT (frame), GST_VIDEO_FRAME_PLANE_STRIDE (frame, 0),
                              GST_VIDEO_FRAME_PLANE_DATA (frame, 0), unmap_frame, frame);
}

static GstFlowReturn
view_sample_cb (GstAppSink *sink, gpointer user_data)
{
  Session *self = user_data;
  g_autoptr (GstSample) sample = gst_app_sink_pull_sample (sink);
  gint64 time_us = 0;
  MienImage *frame = sample != NULL ? wrap_sample (sample, &time_us) : NULL;

  if (frame == NULL)
    return sample != NULL ? GST_FLOW_OK : GST_FLOW_EOS;
  g_mutex_lock (&self->lock);
  if (!self->stopped) {
    MienImage *stale = self->frame;

    self->frame = frame;
    self->frame_time_us = time_us;
    frame = stale;
    schedule_delivery (self);
  }
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&frame, mien_image_unref);
  return GST_FLOW_OK;
}

static GstFlowReturn
analysis_sample_cb (GstAppSink *sink, gpointer user_data)
{
  Session *self = user_data;
  g_autoptr (GstSample) sample = gst_app_sink_pull_sample (sink);
  gint64 time_us = 0;
  MienImage *frame = sample != NULL && self->analyzer != NULL ? wrap_sample (sample, &time_us) : NULL;

  if (frame != NULL)
    mien_analyzer_push (self->analyzer, frame, time_us);
  return sample != NULL ? GST_FLOW_OK : GST_FLOW_EOS;
}

static gpointer
starter_thread (gpointer data)
{
  Session *self = data;
  MienPipeline pipeline;
  MienCaptureState state;
  char *message = NULL;
  gboolean stopped;
  const gboolean built = mien_pipeline_build (&pipeline, self->source, &state, &message);

  g_mutex_lock (&self->lock);
  self->pipeline = pipeline;
  stopped = self->stopped;
  if (!built) {
    self->failure_state = state;
    self->failure = message;
    schedule_delivery (self);
  } else if (!stopped) {
    const GstAppSinkCallbacks view = { .new_sample = view_sample_cb }, analysis = { .new_sample = analysis_sample_cb };
    g_autoptr (GstBus) bus = gst_element_get_bus (pipeline.pipeline);

    gst_app_sink_set_callbacks (GST_APP_SINK (pipeline.view), (GstAppSinkCallbacks *) &view, self, NULL);
    gst_app_sink_set_callbacks (GST_APP_SINK (pipeline.analysis), (GstAppSinkCallbacks *) &analysis, self, NULL);
    self->watch = gst_bus_create_watch (bus);
    g_source_set_callback (self->watch, G_SOURCE_FUNC (bus_cb), session_ref (self), session_unref);
    g_source_attach (self->watch, self->context);
  }
  g_mutex_unlock (&self->lock);

  if (built && !stopped)
    gst_element_set_state (pipeline.pipeline, GST_STATE_PLAYING);
  g_mutex_lock (&self->lock);
  self->starter_done = TRUE;
  g_mutex_unlock (&self->lock);
  session_unref (self);
  return NULL;
}

/* Main thread. After it no callback of this session does anything. */
static void
session_stop (Session *self)
{
  MienImage *frame;

  self->capture = NULL;
  g_mutex_lock (&self->lock);
  self->stopped = TRUE;
  frame = g_steal_pointer (&self->frame);
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&frame, mien_image_unref);

  g_thread_join (self->starter);
  if (self->pipeline.pipeline != NULL)
    gst_element_set_state (self->pipeline.pipeline, GST_STATE_NULL);
  if (self->watch != NULL) {
    g_source_destroy (self->watch);
    g_clear_pointer (&self->watch, g_source_unref);
  }
  if (self->delivery != NULL) {
    g_source_destroy (self->delivery);
    g_clear_pointer (&self->delivery, g_source_unref);
  }
  session_unref (self);
}

/* The capture, main thread from here on. */

static void
set_state (MienCapture *self, MienCaptureState state, const char *message)
{
  const gboolean state_changed = self->state != state, message_changed = g_strcmp0 (self->message, message) != 0;

  self->state = state;
  if (message_changed) {
    char *copy = g_strdup (message);

    g_free (self->message);
    self->message = copy;
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_MESSAGE]);
  }
  if (state_changed)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STATE]);
}

static void
set_frame_rate (MienCapture *self, double frame_rate)
{
  if (self->frame_rate == frame_rate)
    return;
  self->frame_rate = frame_rate;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_FRAME_RATE]);
}

static void
end_session (MienCapture *self)
{
  g_clear_handle_id (&self->timer_id, g_source_remove);
  if (self->session != NULL)
    session_stop (g_steal_pointer (&self->session));
}

static void
fail (MienCapture *self, MienCaptureState state, const char *message)
{
  g_autofree char *copy = g_strdup (message); /* may live in the session */

  end_session (self);
  g_message ("%s", copy);
  set_frame_rate (self, 0);
  set_state (self, state, copy);
}

static void
count_frame (MienCapture *self)
{
  const gint64 now_us = g_get_monotonic_time ();
  const guint newest = self->n_shown++;
  guint n = 1;

  self->last_frame_us = now_us;
  self->shown_us[newest % RATE_WINDOW] = now_us;
  if (now_us - self->rate_us < G_USEC_PER_SEC / 2)
    return;
  while (n < RATE_WINDOW && n <= newest && now_us - self->shown_us[(newest - n) % RATE_WINDOW] <= G_USEC_PER_SEC)
    n++;
  self->rate_us = now_us;
  if (n > 1)
    set_frame_rate (self, (n - 1) * (double) G_USEC_PER_SEC / (double) MAX (now_us - self->shown_us[(newest - (n - 1)) % RATE_WINDOW], 1));
}

/* Shows the waiting frame, if any. */
static void
flush_frame (MienCapture *self, Session *session)
{
  g_autoptr (MienImage) frame = NULL;
  gint64 time_us;

  g_mutex_lock (&session->lock);
  frame = g_steal_pointer (&session->frame);
  time_us = session->frame_time_us;
  g_mutex_unlock (&session->lock);
  if (frame == NULL)
    return;
  count_frame (self);
  if (self->state == MIEN_CAPTURE_STARTING) {
    if (self->paused)
      gst_element_set_state (session->pipeline.pipeline, GST_STATE_PAUSED);
    set_state (self, self->paused ? MIEN_CAPTURE_PAUSED : MIEN_CAPTURE_LIVE, NULL);
  }
  g_signal_emit (self, frame_signal, 0, frame, time_us);
}

static gboolean
deliver_cb (gpointer user_data)
{
  Session *session = user_data;
  g_autoptr (MienCapture) self = session->capture != NULL ? g_object_ref (session->capture) : NULL;
  g_autofree char *failure = NULL;

  g_mutex_lock (&session->lock);
  g_clear_pointer (&session->delivery, g_source_unref);
  failure = g_steal_pointer (&session->failure);
  g_mutex_unlock (&session->lock);
  if (self == NULL)
    return G_SOURCE_REMOVE;
  if (failure != NULL)
    fail (self, session->failure_state, failure);
  else
    flush_frame (self, session);
  return G_SOURCE_REMOVE;
}

static void
handle_end (MienCapture *self, Session *session)
{
  g_autofree char *message = NULL;

  flush_frame (self, session); /* the last frame may still be waiting */
  if (self->session != session)
    return; /* a handler has started something else */
  if (session->kind == MIEN_SOURCE_CAMERA) {
    message = g_strdup_printf (_("The camera “%s” is gone; plug it in again or choose another one."), session->pipeline.shown);
    fail (self, MIEN_CAPTURE_LOST, message);
  } else if (self->state == MIEN_CAPTURE_STARTING) {
    message = g_strdup_printf (_("“%s” has no pictures in it; choose a video."), session->pipeline.shown);
    fail (self, MIEN_CAPTURE_FAILED, message);
  } else {
    end_session (self);
    set_frame_rate (self, 0);
    set_state (self, MIEN_CAPTURE_ENDED, NULL);
  }
}

static gboolean
bus_cb (GstBus *bus, GstMessage *message, gpointer user_data)
{
  g_autoptr (MienCapture) self = NULL;
  Session *session = user_data;

  if (session->capture == NULL)
    return G_SOURCE_REMOVE;
  self = g_object_ref (session->capture);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS) {
    handle_end (self, session);
  } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_autofree char *text = NULL;
    MienCaptureState state;

    flush_frame (self, session);
    if (self->session != session)
      return G_SOURCE_REMOVE;
    state = mien_pipeline_explain (&session->pipeline, session->kind, message, session->missing, self->state != MIEN_CAPTURE_STARTING, &text);
    fail (self, state, text);
  } else if (gst_is_missing_plugin_message (message) && session->missing == NULL) {
    session->missing = gst_message_ref (message);
  }
  return self->session == session ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static gboolean
timer_cb (gpointer user_data)
{
  MienCapture *self = user_data;
  const gint64 now_us = g_get_monotonic_time ();
  const int limit_s = !self->set_up ? SETUP_LIMIT_S : self->session->kind == MIEN_SOURCE_CAMERA ? CAMERA_LIMIT_S : FILE_LIMIT_S;
  const gint64 silence_us = now_us - self->last_frame_us;
  g_autofree char *message = NULL;
  gboolean done;

  g_mutex_lock (&self->session->lock);
  done = self->session->starter_done;
  g_mutex_unlock (&self->session->lock);
  if (done && !self->set_up) {
    self->set_up = TRUE;
    self->last_frame_us = now_us;
    return G_SOURCE_CONTINUE;
  }
  if (self->state == MIEN_CAPTURE_STARTING && silence_us > limit_s * G_USEC_PER_SEC) {
    message = g_strdup_printf (_("“%s” gives no pictures; choose another source."), done ? self->session->pipeline.shown : self->source);
    self->timer_id = 0;
    fail (self, MIEN_CAPTURE_FAILED, message);
    return G_SOURCE_REMOVE;
  }
  if (self->state == MIEN_CAPTURE_LIVE && self->session->kind == MIEN_SOURCE_CAMERA && silence_us > SILENCE_LIMIT_S * G_USEC_PER_SEC) {
    message = g_strdup_printf (_("The camera “%s” sends no pictures any more; plug it in again or choose another one."), self->session->pipeline.shown);
    self->timer_id = 0;
    fail (self, MIEN_CAPTURE_LOST, message);
    return G_SOURCE_REMOVE;
  }
  return G_SOURCE_CONTINUE;
}

void
mien_capture_start (MienCapture *self, const char *source)
{
  g_autofree char *copy = g_strdup (source), *name = NULL;
  Session *session;

  g_return_if_fail (MIEN_IS_CAPTURE (self) && source != NULL);
  end_session (self);
  if (self->analyzer != NULL)
    mien_analyzer_reset (self->analyzer);
  self->paused = self->set_up = FALSE;
  self->n_shown = 0;
  self->last_frame_us = self->rate_us = g_get_monotonic_time ();
  if (g_strcmp0 (self->source, copy) != 0) {
    g_free (self->source);
    self->source = g_steal_pointer (&copy);
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SOURCE]);
  }

  session = g_new0 (Session, 1);
  g_atomic_ref_count_init (&session->ref_count);
  g_mutex_init (&session->lock);
  session->source = g_strdup (self->source);
  mien_source_parse (session->source, &session->kind, &name); /* if it is none, building the pipeline says so */
  session->analyzer = self->analyzer != NULL ? g_object_ref (self->analyzer) : NULL;
  session->context = g_main_context_ref_thread_default ();
  session->capture = self;
  session->starter = g_thread_new ("mien-capture", starter_thread, session_ref (session));
  self->session = session;
  self->timer_id = g_timeout_add_seconds (1, timer_cb, self);
  set_frame_rate (self, 0);
  set_state (self, MIEN_CAPTURE_STARTING, NULL);
}

void
mien_capture_stop (MienCapture *self)
{
  g_return_if_fail (MIEN_IS_CAPTURE (self));
  end_session (self);
  if (self->analyzer != NULL)
    mien_analyzer_reset (self->analyzer);
  set_frame_rate (self, 0);
  set_state (self, MIEN_CAPTURE_STOPPED, NULL);
}

void
mien_capture_set_paused (MienCapture *self, gboolean paused)
{
  gboolean running = FALSE;

  g_return_if_fail (MIEN_IS_CAPTURE (self));
  if (self->session == NULL || self->paused == !!paused)
    return;
  self->paused = !!paused;
  g_mutex_lock (&self->session->lock);
  running = self->session->starter_done && self->session->pipeline.pipeline != NULL;
  g_mutex_unlock (&self->session->lock);
  if (!running || self->state == MIEN_CAPTURE_STARTING)
    return; /* the first frame is waited for; flush_frame() pauses then */
  gst_element_set_state (self->session->pipeline.pipeline, self->paused ? GST_STATE_PAUSED : GST_STATE_PLAYING);
  self->last_frame_us = g_get_monotonic_time ();
  if (self->paused)
    set_frame_rate (self, 0);
  set_state (self, self->paused ? MIEN_CAPTURE_PAUSED : MIEN_CAPTURE_LIVE, NULL);
}

MienCaptureState
mien_capture_get_state (MienCapture *self)
{
  return self->state;
}

const char *
mien_capture_get_message (MienCapture *self)
{
  return self->message;
}

const char *
mien_capture_get_source (MienCapture *self)
{
  return self->source;
}

gboolean
mien_capture_is_seekable (MienCapture *self)
{
  return self->source != NULL && g_str_has_prefix (self->source, "file:");
}

static void
mien_capture_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  MienCapture *self = MIEN_CAPTURE (object);

  switch (id) {
  case PROP_SOURCE:
    g_value_set_string (value, self->source);
    break;
  case PROP_STATE:
    g_value_set_enum (value, (int) self->state);
    break;
  case PROP_MESSAGE:
    g_value_set_string (value, self->message);
    break;
  case PROP_FRAME_RATE:
    g_value_set_double (value, self->frame_rate);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_capture_dispose (GObject *object)
{
  MienCapture *self = MIEN_CAPTURE (object);

  end_session (self);
  g_clear_object (&self->analyzer);
  G_OBJECT_CLASS (mien_capture_parent_class)->dispose (object);
}

static void
mien_capture_finalize (GObject *object)
{
  MienCapture *self = MIEN_CAPTURE (object);

  g_free (self->source);
  g_free (self->message);
  G_OBJECT_CLASS (mien_capture_parent_class)->finalize (object);
}

static void
mien_capture_class_init (MienCaptureClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->get_property = mien_capture_get_property;
  object_class->dispose = mien_capture_dispose;
  object_class->finalize = mien_capture_finalize;
  properties[PROP_SOURCE] = g_param_spec_string ("source", NULL, NULL, NULL, flags);
  properties[PROP_STATE] = g_param_spec_enum ("state", NULL, NULL, MIEN_TYPE_CAPTURE_STATE, MIEN_CAPTURE_STOPPED, flags);
  properties[PROP_MESSAGE] = g_param_spec_string ("message", NULL, NULL, NULL, flags);
  properties[PROP_FRAME_RATE] = g_param_spec_double ("frame-rate", NULL, NULL, 0, G_MAXDOUBLE, 0, flags);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
  frame_signal = g_signal_new ("frame", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, MIEN_TYPE_IMAGE, G_TYPE_INT64);
}

static void
mien_capture_init (MienCapture *self)
{
}

MienCapture *
mien_capture_new (MienAnalyzer *analyzer)
{
  MienCapture *self = g_object_new (MIEN_TYPE_CAPTURE, NULL);

  self->analyzer = analyzer != NULL ? g_object_ref (analyzer) : NULL;
  return self;
}
