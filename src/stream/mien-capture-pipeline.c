/* SPDX-License-Identifier: GPL-3.0-or-later */
/* source [! decoder] ! videoconvert ! videoscale [! videoflip] ! BGRA ! tee, and behind it two times queue ! appsink.
 *
 * Cameras are live and shown as they come. Everything else is paced by the sinks, which wait for each frame's time. */
#include "mien-config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/pbutils/pbutils.h>
#include <gst/video/video.h>

#include "data/mien-demo.h"
#include "stream/mien-camera-private.h"
#include "stream/mien-capture-private.h"

#define SEQUENCE_FPS 25 /* pictures that are numbered frames say nothing about their rate */

gboolean
mien_source_parse (const char *source, MienSourceKind *kind, char **name)
{
  *name = NULL;
  if (g_strcmp0 (source, "demo") == 0) {
    *kind = MIEN_SOURCE_DEMO;
  } else if (g_strcmp0 (source, "test") == 0) {
    *kind = MIEN_SOURCE_TEST;
  } else if (source != NULL && g_str_has_prefix (source, "camera:")) {
    *kind = MIEN_SOURCE_CAMERA;
    if (source[strlen ("camera:")] != '\0')
      *name = g_strdup (source + strlen ("camera:"));
  } else if (source != NULL && g_str_has_prefix (source, "file:") && source[strlen ("file:")] != '\0') {
    *kind = MIEN_SOURCE_FILE;
    *name = g_str_has_prefix (source, "file:///") ? g_strdup (source) : g_strdup (source + strlen ("file:"));
  } else {
    return FALSE;
  }
  return TRUE;
}

static GstElement *
add (MienPipeline *self, const char *factory, MienCaptureState *state, char **message)
{
  GstElement *element = gst_element_factory_make (factory, NULL);

  if (element == NULL) {
    const gboolean base = g_str_has_prefix (factory, "video") || g_str_has_prefix (factory, "app") || strstr (factory, "decodebin") != NULL;

    *state = MIEN_CAPTURE_MISSING_PLUGIN;
    *message = g_strdup_printf (_("GStreamer has no element “%s”; install the package %s."), factory,
                                base && !g_str_equal (factory, "videoflip") ? "gstreamer1.0-plugins-base" : "gstreamer1.0-plugins-good");
    return NULL;
  }
  gst_bin_add (GST_BIN (self->pipeline), element);
  return element;
}

/* The demo camera. */

typedef struct {
  MienDemo *demo;
  GstBufferPool *pool;
  guint64 n_frames;
} DemoSource;

static void
demo_source_free (gpointer data)
{
  DemoSource *self = data;

  gst_buffer_pool_set_active (self->pool, FALSE);
  gst_object_unref (self->pool);
  mien_demo_free (self->demo);
  g_free (self);
}

static void
demo_need_data_cb (GstAppSrc *source, guint length, gpointer user_data)
{
  DemoSource *self = user_data;
  GstBuffer *buffer = NULL;
  GstMapInfo map;

  if (gst_buffer_pool_acquire_buffer (self->pool, &buffer, NULL) != GST_FLOW_OK)
    return; /* flushing */
  GST_BUFFER_PTS (buffer) = gst_util_uint64_scale (self->n_frames, GST_SECOND, MIEN_DEMO_FPS);
  GST_BUFFER_DURATION (buffer) = GST_SECOND / MIEN_DEMO_FPS;
  if (gst_buffer_map (buffer, &map, GST_MAP_WRITE)) {
    mien_demo_render (self->demo, (gint64) (GST_BUFFER_PTS (buffer) / 1000), map.data, MIEN_DEMO_WIDTH * 4);
    gst_buffer_unmap (buffer, &map);
  }
  self->n_frames++;
  gst_app_src_push_buffer (source, buffer);
}

static GstElement *
add_demo (MienPipeline *self, MienCaptureState *state, char **message)
{
  const GstAppSrcCallbacks callbacks = { .need_data = demo_need_data_cb };
  g_autoptr (GError) error = NULL;
  g_autoptr (GstCaps) caps = gst_caps_new_simple ("video/x-raw", "format", G_TYPE_STRING, "BGRA", "width", G_TYPE_INT, MIEN_DEMO_WIDTH,
                                                  "height", G_TYPE_INT, MIEN_DEMO_HEIGHT, "framerate", GST_TYPE_FRACTION, MIEN_DEMO_FPS, 1,
                                                  "pixel-aspect-ratio", GST_TYPE_FRACTION, 1, 1, NULL);
  MienDemo *demo = mien_demo_new (&error);
  GstElement *source;
  GstStructure *config;
  DemoSource *data;

  if (demo == NULL) {
    *state = MIEN_CAPTURE_FAILED;
    *message = g_strdup_printf (_("The demo camera does not start: %s. Install Mien again."), error->message);
    return NULL;
  }
  source = add (self, "appsrc", state, message);
  if (source == NULL) {
    mien_demo_free (demo);
    return NULL;
  }
  data = g_new0 (DemoSource, 1);
  data->demo = demo;
  data->pool = gst_buffer_pool_new ();
  config = gst_buffer_pool_get_config (data->pool);
  gst_buffer_pool_config_set_params (config, caps, MIEN_DEMO_WIDTH * MIEN_DEMO_HEIGHT * 4, 2, 0);
  gst_buffer_pool_set_config (data->pool, config);
  gst_buffer_pool_set_active (data->pool, TRUE);
  g_object_set (source, "caps", caps, "format", GST_FORMAT_TIME, "max-buffers", (guint64) 1, "max-bytes", (guint64) 0, NULL);
  gst_app_src_set_callbacks (GST_APP_SRC (source), (GstAppSrcCallbacks *) &callbacks, data, demo_source_free);
  return source;
}

/* Cameras. */

/* Narrows what the camera offers to a size and rate that live analysis needs; larger pictures cost and add nothing. */
static GstCaps *
choose_camera_caps (GstDevice *device)
{
  static const char *const wishes[] = {
    "video/x-raw(ANY),width=[480,800],height=[360,640],framerate=[24/1,60/1]",
    "image/jpeg,width=[480,1280],height=[360,960],framerate=[24/1,60/1]",
    "video/x-raw(ANY),width=[480,1280],height=[360,960],framerate=[15/1,60/1]",
    "video/x-raw(ANY),width=[160,1920],height=[120,1080]",
    "image/jpeg,width=[160,1920],height=[120,1080]",
  };
  g_autoptr (GstCaps) offered = gst_device_get_caps (device);

  for (gsize i = 0; offered != NULL && i < G_N_ELEMENTS (wishes); i++) {
    g_autoptr (GstCaps) wish = gst_caps_from_string (wishes[i]);

    if (gst_caps_can_intersect (offered, wish))
      return g_steal_pointer (&wish);
  }
  return gst_caps_new_any ();
}

static GstElement *
add_camera (MienPipeline *self, const char *name, MienCaptureState *state, char **message)
{
  g_autofree char *found_name = NULL;
  g_autoptr (GstDevice) device = mien_camera_find (name, &found_name);
  g_autoptr (GstCaps) caps = NULL;
  GstElement *source, *filter, *decoder;

  if (device == NULL) {
    *state = MIEN_CAPTURE_NO_CAMERA;
    *message = name != NULL ? g_strdup_printf (_("The camera “%s” is not there; plug it in or choose another one."), name)
                            : g_strdup (_("No camera was found; plug one in, or use the demo camera or a video file."));
    return NULL;
  }
  g_free (self->shown);
  self->shown = g_steal_pointer (&found_name);
  source = gst_device_create_element (device, NULL);
  if (source == NULL) {
    *state = MIEN_CAPTURE_MISSING_PLUGIN;
    *message = g_strdup_printf (_("The camera “%s” cannot be opened; install the packages gstreamer1.0-plugins-good and gstreamer1.0-pipewire."), self->shown);
    return NULL;
  }
  gst_bin_add (GST_BIN (self->pipeline), source);
  filter = add (self, "capsfilter", state, message);
  decoder = filter != NULL ? add (self, "decodebin", state, message) : NULL;
  if (decoder == NULL)
    return NULL;
  caps = choose_camera_caps (device);
  g_object_set (filter, "caps", caps, NULL);
  gst_element_link_many (source, filter, decoder, NULL);
  return decoder;
}

/* Files. */

/* Whether a path is a pattern for numbered pictures: exactly one %d, %4d or %04d. It becomes a format string later. */
static gboolean
is_sequence (const char *path)
{
  const char *p = strchr (path, '%');

  if (p == NULL || g_file_test (path, G_FILE_TEST_EXISTS))
    return FALSE;
  p++;
  if (*p == '0')
    p++;
  if (g_ascii_isdigit (*p))
    p++;
  return *p == 'd' && strchr (p, '%') == NULL;
}

static int
find_sequence_start (const char *pattern)
{
  for (int i = 0; i <= 10000; i++) {
    G_GNUC_BEGIN_IGNORE_DEPRECATIONS
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    g_autofree char *path = g_strdup_printf (pattern, i); /* checked by is_sequence() */
#pragma GCC diagnostic pop
    G_GNUC_END_IGNORE_DEPRECATIONS

    if (g_file_test (path, G_FILE_TEST_IS_REGULAR))
      return i;
  }
  return -1;
}

static GstElement *
add_sequence (MienPipeline *self, const char *pattern, MienCaptureState *state, char **message)
{
  const int start = find_sequence_start (pattern);
  g_autofree char *lower = g_ascii_strdown (pattern, -1);
  g_autoptr (GstCaps) caps = gst_caps_new_simple (g_str_has_suffix (lower, ".png") ? "image/png" : "image/jpeg",
                                                  "framerate", GST_TYPE_FRACTION, SEQUENCE_FPS, 1, NULL);
  GstElement *source, *decoder;

  if (start < 0) {
    *state = MIEN_CAPTURE_FAILED;
    *message = g_strdup_printf (_("There are no pictures named like “%s”; choose a video or numbered pictures."), self->shown);
    return NULL;
  }
  source = add (self, "multifilesrc", state, message);
  decoder = source != NULL ? add (self, "decodebin", state, message) : NULL;
  if (decoder == NULL)
    return NULL;
  g_object_set (source, "location", pattern, "start-index", start, "caps", caps, NULL);
  gst_element_link (source, decoder);
  return decoder;
}

static GstElement *
add_file (MienPipeline *self, const char *name, MienCaptureState *state, char **message)
{
  g_autoptr (GFile) file = g_file_new_for_commandline_arg (name);
  g_autofree char *uri = g_file_get_uri (file), *base = g_file_get_basename (file);
  g_autoptr (GError) error = NULL;
  g_autoptr (GFileInfo) info = NULL;
  g_autoptr (GstCaps) any_video = NULL;
  GstElement *decoder;

  g_free (self->shown);
  self->shown = base != NULL ? g_filename_display_name (base) : g_strdup (name);
  g_strdelimit (self->shown, "\n\r\t", ' ');
  if (is_sequence (name))
    return add_sequence (self, name, state, message);
  *state = MIEN_CAPTURE_FAILED;
  info = g_file_query_info (file, G_FILE_ATTRIBUTE_STANDARD_TYPE, G_FILE_QUERY_INFO_NONE, NULL, &error);
  if (info == NULL) {
    *message = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND)
                   ? g_strdup_printf (_("“%s” is not there; choose another video."), self->shown)
                   : g_strdup_printf (_("“%s” cannot be opened: %s."), self->shown, error->message);
    return NULL;
  }
  if (g_file_info_get_file_type (info) != G_FILE_TYPE_REGULAR) {
    *message = g_strdup_printf (_("“%s” is not a file; choose a video."), self->shown);
    return NULL;
  }
  decoder = add (self, "uridecodebin", state, message);
  if (decoder == NULL)
    return NULL;
  any_video = gst_caps_from_string ("video/x-raw(ANY)");
  g_object_set (decoder, "uri", uri, "caps", any_video, "expose-all-streams", FALSE, NULL); /* no sound */
  return decoder;
}

static void
pad_added_cb (GstElement *decoder, GstPad *pad, gpointer next)
{
  g_autoptr (GstPad) sink = gst_element_get_static_pad (next, "sink");
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);

  if (caps == NULL)
    caps = gst_pad_query_caps (pad, NULL);
  if (!gst_pad_is_linked (sink) && g_str_has_prefix (gst_structure_get_name (gst_caps_get_structure (caps, 0)), "video/"))
    gst_pad_link (pad, sink);
}

static GstElement *
add_branch (MienPipeline *self, GstElement *tee, gboolean live, gboolean drop, MienCaptureState *state, char **message)
{
  GstElement *queue = add (self, "queue", state, message);
  GstElement *sink = queue != NULL ? add (self, "appsink", state, message) : NULL;

  if (sink == NULL)
    return NULL;
  g_object_set (queue, "max-size-buffers", 2, "max-size-bytes", 0, "max-size-time", (guint64) 0, NULL);
  if (live) /* newest first; a file waits instead, or its frames would be lost */
    gst_util_set_object_arg (G_OBJECT (queue), "leaky", "downstream");
  g_object_set (sink, "sync", !live, "max-buffers", 1, "drop", drop, "enable-last-sample", FALSE, "qos", FALSE, NULL);
  gst_element_link_many (tee, queue, sink, NULL);
  return sink;
}

gboolean
mien_pipeline_build (MienPipeline *self, const char *source, MienCaptureState *state, char **message)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;
  g_autoptr (GstCaps) bgra = NULL;
  GstElement *head = NULL, *flip = NULL, *convert, *scale, *filter, *tee;
  MienSourceKind kind;
  gboolean dynamic;

  *self = (MienPipeline) { 0 };
  *state = MIEN_CAPTURE_FAILED;
  if (!mien_source_parse (source, &kind, &name)) {
    *message = g_strdup_printf (_("“%s” is no source; use demo, test, camera:NAME or file:PATH."), source);
    return FALSE;
  }
  self->shown = g_strdup (name != NULL ? name : source);
  if (!gst_init_check (NULL, NULL, &error)) {
    *message = g_strdup_printf (_("GStreamer does not start: %s."), error->message);
    return FALSE;
  }
  gst_pb_utils_init ();

  self->pipeline = gst_object_ref_sink (gst_pipeline_new (NULL));
  switch (kind) {
  case MIEN_SOURCE_DEMO:
    head = add_demo (self, state, message);
    break;
  case MIEN_SOURCE_TEST:
    head = add (self, "videotestsrc", state, message);
    break;
  case MIEN_SOURCE_CAMERA:
    head = add_camera (self, name, state, message);
    break;
  case MIEN_SOURCE_FILE:
    head = add_file (self, name, state, message);
    break;
  }
  dynamic = kind == MIEN_SOURCE_CAMERA || kind == MIEN_SOURCE_FILE;
  if (head == NULL || (dynamic && (flip = add (self, "videoflip", state, message)) == NULL)
      || (convert = add (self, "videoconvert", state, message)) == NULL || (scale = add (self, "videoscale", state, message)) == NULL
      || (filter = add (self, "capsfilter", state, message)) == NULL || (tee = add (self, "tee", state, message)) == NULL
      || (self->view = add_branch (self, tee, kind == MIEN_SOURCE_CAMERA, FALSE, state, message)) == NULL
      || (self->analysis = add_branch (self, tee, kind == MIEN_SOURCE_CAMERA, TRUE, state, message)) == NULL)
    return FALSE;

  /* Square pixels, no transparency, and no more of them than a picture may have. */
  bgra = gst_caps_from_string ("video/x-raw,format=BGRA,pixel-aspect-ratio=1/1,width=[1," G_STRINGIFY (MIEN_IMAGE_MAX_SIDE) "],height=[1," G_STRINGIFY (MIEN_IMAGE_MAX_SIDE) "]");
  g_object_set (filter, "caps", bgra, NULL);
  if (kind != MIEN_SOURCE_DEMO)
    gst_util_set_object_arg (G_OBJECT (convert), "alpha-mode", "set");
  if (dynamic) {
    gst_util_set_object_arg (G_OBJECT (flip), "video-direction", "auto"); /* telephones record lying down */
    gst_element_link_many (convert, scale, flip, filter, tee, NULL);
    g_signal_connect (head, "pad-added", G_CALLBACK (pad_added_cb), convert);
  } else {
    gst_element_link_many (head, convert, scale, filter, tee, NULL);
  }
  return TRUE;
}

void
mien_pipeline_clear (MienPipeline *self)
{
  if (self->pipeline != NULL)
    gst_element_set_state (self->pipeline, GST_STATE_NULL);
  gst_clear_object (&self->pipeline);
  self->view = self->analysis = NULL;
  g_clear_pointer (&self->shown, g_free);
}

/* Which Debian package decodes what is missing. */
static const char *
find_package (const char *detail)
{
  static const struct { const char *what, *package; } known[] = {
    { "element-", "gstreamer1.0-plugins-good" },
    { "vp8", "gstreamer1.0-plugins-good" },
    { "vp9", "gstreamer1.0-plugins-good" },
    { "image/jpeg", "gstreamer1.0-plugins-good" },
    { "image/png", "gstreamer1.0-plugins-good" },
    { "matroska", "gstreamer1.0-plugins-good" },
    { "quicktime", "gstreamer1.0-plugins-good" },
    { "theora", "gstreamer1.0-plugins-base" },
    { "mpegts", "gstreamer1.0-plugins-bad" },
    { "av1", "gstreamer1.0-plugins-bad" },
  };

  for (gsize i = 0; detail != NULL && i < G_N_ELEMENTS (known); i++)
    if (strstr (detail, known[i].what) != NULL)
      return known[i].package;
  return "gstreamer1.0-libav";
}

static gboolean
is_forbidden (GstElement *pipeline)
{
  g_autoptr (GstIterator) sources = pipeline != NULL ? gst_bin_iterate_sources (GST_BIN (pipeline)) : NULL;
  g_auto (GValue) item = G_VALUE_INIT;
  gboolean forbidden = FALSE;

  while (sources != NULL && gst_iterator_next (sources, &item) == GST_ITERATOR_OK) {
    GObject *source = g_value_get_object (&item);
    g_autofree char *path = NULL;

    if (g_object_class_find_property (G_OBJECT_GET_CLASS (source), "device") != NULL)
      g_object_get (source, "device", &path, NULL);
    forbidden |= path != NULL && access (path, R_OK | W_OK) != 0 && errno == EACCES;
    g_value_reset (&item);
  }
  return forbidden;
}

static MienCaptureState
explain_camera (const MienPipeline *self, const GError *error, gboolean live, char **message)
{
  if (live) {
    *message = g_strdup_printf (_("The camera “%s” is gone; plug it in again or choose another one."), self->shown);
    return MIEN_CAPTURE_LOST;
  }
  if (g_error_matches (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_AUTHORIZED) || is_forbidden (self->pipeline)) {
    *message = g_strdup_printf (_("Mien may not use the camera “%s”; allow it in the system's settings, or add yourself to the group video."), self->shown);
    return MIEN_CAPTURE_DENIED;
  }
  if (g_error_matches (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY)) {
    *message = g_strdup_printf (_("Another program is using the camera “%s”; close it and try again."), self->shown);
    return MIEN_CAPTURE_BUSY;
  }
  if (g_error_matches (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND)) {
    *message = g_strdup_printf (_("The camera “%s” is not there; plug it in or choose another one."), self->shown);
    return MIEN_CAPTURE_NO_CAMERA;
  }
  *message = g_strdup_printf (_("The camera “%s” does not start (%s); plug it in again or choose another one."), self->shown, error->message);
  return MIEN_CAPTURE_FAILED;
}

MienCaptureState
mien_pipeline_explain (const MienPipeline *self, MienSourceKind kind, GstMessage *error_message, GstMessage *missing, gboolean live, char **message)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *debug = NULL, *reason = NULL;

  gst_message_parse_error (error_message, &error, &debug);
  g_debug ("%s: %s (%s)", self->shown, error->message, debug);
  reason = g_strdup (error->message);
  g_strdelimit (reason, "\n\r\t", ' ');
  g_strstrip (reason);
  if (g_str_has_suffix (reason, "."))
    reason[strlen (reason) - 1] = '\0';

  if (missing != NULL && !live) {
    g_autofree char *what = gst_missing_plugin_message_get_description (missing);
    g_autofree char *detail = gst_missing_plugin_message_get_installer_detail (missing);

    *message = g_strdup_printf (_("“%s” needs a part of GStreamer that is not installed (%s); install the package %s."), self->shown, what, find_package (detail));
    return MIEN_CAPTURE_MISSING_PLUGIN;
  }
  if (kind == MIEN_SOURCE_CAMERA)
    return explain_camera (self, error, live, message);
  if (live)
    *message = g_strdup_printf (_("“%s” is damaged from here on (%s); try another copy of it."), self->shown, reason);
  else if (kind == MIEN_SOURCE_FILE)
    *message = g_strdup_printf (_("“%s” is not a video that can be shown (%s); choose another file."), self->shown, reason);
  else
    *message = g_strdup_printf (_("The source “%s” failed: %s."), self->shown, reason);
  return MIEN_CAPTURE_FAILED;
}
