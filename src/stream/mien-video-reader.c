/* SPDX-License-Identifier: GPL-3.0-or-later */
/* uridecodebin ! videoflip ! videoconvert ! videoscale ! appsink, pulled. */
#include "mien-config.h"

#include "stream/mien-video-reader.h"

#include <glib/gi18n-lib.h>
#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/pbutils/pbutils.h>
#include <gst/video/video.h>
#include <string.h>

G_DEFINE_QUARK (mien-video-reader-error-quark, mien_video_reader_error)

struct _MienVideoReader {
  char *name; /* for messages */
  GstElement *pipeline;
  GstElement *sink;
  GstBus *bus;
};

gboolean
mien_video_reader_is_video (const char *path)
{
  static const char *const suffixes[] = { ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ogv", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".3gp" };
  static const char *const still_brands[] = { "avif", "avis", "heic", "heix", "mif1", "msf1" };
  g_autoptr (GFile) file = g_file_new_for_commandline_arg (path);
  g_autoptr (GFileInputStream) stream = g_file_read (file, NULL, NULL);
  g_autofree char *lower = g_ascii_strdown (path, -1);
  guint8 head[16] = { 0 };
  gsize n = 0;

  if (stream != NULL)
    g_input_stream_read_all (G_INPUT_STREAM (stream), head, sizeof head, &n, NULL, NULL);
  if (n == sizeof head) {
    if (memcmp (head + 4, "ftyp", 4) == 0) { /* MP4 and the still pictures that borrowed its container */
      for (gsize i = 0; i < G_N_ELEMENTS (still_brands); i++) {
        if (memcmp (head + 8, still_brands[i], 4) == 0)
          return FALSE;
      }
      return TRUE;
    }
    if (memcmp (head, "\x1a\x45\xdf\xa3", 4) == 0 || memcmp (head, "OggS", 4) == 0 || memcmp (head, "FLV\x01", 4) == 0
        || memcmp (head, "\x30\x26\xb2\x75", 4) == 0 || memcmp (head, "\x00\x00\x01\xba", 4) == 0
        || (memcmp (head, "RIFF", 4) == 0 && memcmp (head + 8, "AVI ", 4) == 0))
      return TRUE;
  }
  for (gsize i = 0; i < G_N_ELEMENTS (suffixes); i++) {
    if (g_str_has_suffix (lower, suffixes[i]))
      return TRUE;
  }
  return FALSE;
}

static GstElement *
add_element (GstBin *bin, const char *factory, const char *file, GError **error)
{
  GstElement *element = gst_element_factory_make (factory, NULL);

  if (element == NULL) {
    g_set_error (error, MIEN_VIDEO_READER_ERROR, MIEN_VIDEO_READER_ERROR_MISSING_PLUGIN,
                 _("%s: GStreamer has no “%s”; install gstreamer1.0-plugins-base and gstreamer1.0-plugins-good"), file, factory);
    return NULL;
  }
  gst_bin_add (bin, element);
  return element;
}

static void
pad_added_cb (GstElement *source, GstPad *pad, gpointer data)
{
  g_autoptr (GstPad) sink = gst_element_get_static_pad (data, "sink");

  if (!gst_pad_is_linked (sink)) /* the first picture track of several */
    gst_pad_link (pad, sink);
}

static gboolean
build_pipeline (MienVideoReader *self, const char *uri, GError **error)
{
  static const char *const factories[] = { "videoflip", "videoconvert", "videoscale", "appsink" };
  g_autoptr (GstCaps) any_video = gst_caps_from_string ("video/x-raw(ANY)");
  g_autoptr (GstCaps) bgra = gst_caps_from_string ("video/x-raw, format=BGRA, pixel-aspect-ratio=1/1");
  GstElement *elements[G_N_ELEMENTS (factories)];
  GstElement *source;

  self->pipeline = gst_object_ref_sink (gst_pipeline_new (NULL));
  source = add_element (GST_BIN (self->pipeline), "uridecodebin", self->name, error);
  if (source == NULL)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (factories); i++) {
    elements[i] = add_element (GST_BIN (self->pipeline), factories[i], self->name, error);
    if (elements[i] == NULL)
      return FALSE;
    if (i > 0)
      gst_element_link (elements[i - 1], elements[i]);
  }
  g_object_set (source, "uri", uri, "caps", any_video, "expose-all-streams", FALSE, NULL);
  gst_util_set_object_arg (G_OBJECT (elements[0]), "video-direction", "auto");
  self->sink = elements[3];
  g_object_set (self->sink, "caps", bgra, "sync", FALSE, "max-buffers", 4, "drop", FALSE, NULL);
  g_signal_connect (source, "pad-added", G_CALLBACK (pad_added_cb), elements[0]);
  self->bus = gst_element_get_bus (self->pipeline);
  return TRUE;
}

MienVideoReader *
mien_video_reader_new (const char *path, GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_commandline_arg (path);
  g_autofree char *uri = g_file_get_uri (file);
  g_autoptr (GFileInputStream) readable = g_file_read (file, NULL, error);
  g_autoptr (MienVideoReader) self = NULL;

  if (readable == NULL) {
    g_prefix_error (error, "%s: ", path);
    return NULL;
  }
  if (!gst_init_check (NULL, NULL, error))
    return NULL;
  gst_pb_utils_init ();
  self = g_new0 (MienVideoReader, 1);
  self->name = g_strdup (path);
  if (!build_pipeline (self, uri, error))
    return NULL;
  gst_element_set_state (self->pipeline, GST_STATE_PLAYING);
  return g_steal_pointer (&self);
}

void
mien_video_reader_free (MienVideoReader *self)
{
  if (self->pipeline != NULL)
    gst_element_set_state (self->pipeline, GST_STATE_NULL);
  gst_clear_object (&self->bus);
  gst_clear_object (&self->pipeline);
  g_free (self->name);
  g_free (self);
}

/* Sets error when the pipeline posted one. */
static gboolean
take_bus_error (MienVideoReader *self, GError **error)
{
  g_autofree char *missing = NULL;
  g_autoptr (GError) cause = NULL;

  for (;;) {
    g_autoptr (GstMessage) message = gst_bus_pop_filtered (self->bus, GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT);

    if (message == NULL)
      break;
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR && cause == NULL)
      gst_message_parse_error (message, &cause, NULL);
    else if (gst_is_missing_plugin_message (message) && missing == NULL)
      missing = gst_missing_plugin_message_get_description (message);
  }
  if (missing != NULL) {
    g_set_error (error, MIEN_VIDEO_READER_ERROR, MIEN_VIDEO_READER_ERROR_MISSING_PLUGIN,
                 _("%s: GStreamer has no “%s”; install gstreamer1.0-libav"), self->name, missing);
    return TRUE;
  }
  if (cause != NULL) {
    g_set_error (error, MIEN_VIDEO_READER_ERROR, MIEN_VIDEO_READER_ERROR_NOT_A_VIDEO,
                 _("%s: this is not a video that can be read, or it is damaged (%s)"), self->name, cause->message);
    return TRUE;
  }
  return FALSE;
}

typedef struct {
  GstVideoFrame frame;
} MappedFrame;

static void
unmap_cb (gpointer data)
{
  MappedFrame *mapped = data;

  gst_video_frame_unmap (&mapped->frame);
  g_free (mapped);
}

static MienImage *
take_frame (MienVideoReader *self, GstSample *sample, GError **error)
{
  MappedFrame *mapped = g_new0 (MappedFrame, 1);
  GstVideoInfo info;

  if (!gst_video_info_from_caps (&info, gst_sample_get_caps (sample))
      || !gst_video_frame_map (&mapped->frame, &info, gst_sample_get_buffer (sample), GST_MAP_READ)) {
    g_free (mapped);
    g_set_error (error, MIEN_VIDEO_READER_ERROR, MIEN_VIDEO_READER_ERROR_NOT_A_VIDEO, _("%s: a frame cannot be read"), self->name);
    return NULL;
  }
  if (GST_VIDEO_INFO_WIDTH (&info) > MIEN_IMAGE_MAX_SIDE || GST_VIDEO_INFO_HEIGHT (&info) > MIEN_IMAGE_MAX_SIDE) {
    unmap_cb (mapped);
    g_set_error (error, MIEN_VIDEO_READER_ERROR, MIEN_VIDEO_READER_ERROR_TOO_LARGE,
                 _("%s: its frames are %d × %d pixels; at most %d a side can be read"), self->name, GST_VIDEO_INFO_WIDTH (&info),
                 GST_VIDEO_INFO_HEIGHT (&info), MIEN_IMAGE_MAX_SIDE);
    return NULL;
  }
  return mien_image_new_take (GST_VIDEO_INFO_WIDTH (&info), GST_VIDEO_INFO_HEIGHT (&info),
                              GST_VIDEO_FRAME_PLANE_STRIDE (&mapped->frame, 0), GST_VIDEO_FRAME_PLANE_DATA (&mapped->frame, 0), unmap_cb,
                              mapped);
}

MienImage *
mien_video_reader_next (MienVideoReader *self, gint64 *time_us, GError **error)
{
  const gint64 start_us = g_get_monotonic_time ();

  for (;;) {
    g_autoptr (GstSample) sample = gst_app_sink_try_pull_sample (GST_APP_SINK (self->sink), GST_SECOND / 10);

    if (sample != NULL) {
      const GstBuffer *buffer = gst_sample_get_buffer (sample);
      const guint64 stream_ns = gst_segment_to_stream_time (gst_sample_get_segment (sample), GST_FORMAT_TIME, GST_BUFFER_PTS (buffer));

      *time_us = GST_CLOCK_TIME_IS_VALID (stream_ns) ? (gint64) (stream_ns / 1000) : 0;
      return take_frame (self, sample, error);
    }
    if (take_bus_error (self, error) || gst_app_sink_is_eos (GST_APP_SINK (self->sink)))
      return NULL;
    if (g_get_monotonic_time () - start_us > MIEN_VIDEO_READER_PATIENCE_S * G_USEC_PER_SEC) {
      g_set_error (error, MIEN_VIDEO_READER_ERROR, MIEN_VIDEO_READER_ERROR_STUCK, _("%s: no frame came for %d seconds; the file may be damaged"),
                   self->name, MIEN_VIDEO_READER_PATIENCE_S);
      return NULL;
    }
  }
}

gint64
mien_video_reader_get_duration_us (MienVideoReader *self)
{
  gint64 duration_ns = 0;

  if (!gst_element_query_duration (self->pipeline, GST_FORMAT_TIME, &duration_ns))
    return 0;
  return MAX (0, duration_ns / 1000);
}
