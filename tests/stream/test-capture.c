/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Capture from sources that every computer has: test pictures, the demo camera, files made here. Cameras are not needed:
 * what their errors become is tested on the errors. */
#include <string.h>

#include <glib/gstdio.h>
#include <gst/gst.h>

#include "data/mien-demo.h"
#include "fake-model.h"
#include "mien-test.h"
#include "stream/mien-camera-list.h"
#include "stream/mien-capture-private.h"
#include "stream/mien-capture.h"

#define N_FRAMES 12

typedef struct {
  MienCapture *capture;
  GArray *times; /* gint64, of the frames */
  int width, height;
  MienImage *last;
  gboolean was_live;
} Fixture;

static void
frame_cb (MienCapture *capture, MienImage *frame, gint64 time_us, Fixture *fixture)
{
  g_array_append_val (fixture->times, time_us);
  fixture->width = frame->width;
  fixture->height = frame->height;
  g_clear_pointer (&fixture->last, mien_image_unref);
  fixture->last = mien_image_ref (frame);
}

static void
state_cb (MienCapture *capture, GParamSpec *pspec, Fixture *fixture)
{
  fixture->was_live |= mien_capture_get_state (capture) == MIEN_CAPTURE_LIVE;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->times = g_array_new (FALSE, FALSE, sizeof (gint64));
  fixture->capture = mien_capture_new (NULL);
  g_signal_connect (fixture->capture, "frame", G_CALLBACK (frame_cb), fixture);
  g_signal_connect (fixture->capture, "notify::state", G_CALLBACK (state_cb), fixture);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_assert_finalize_object (fixture->capture);
  g_array_unref (fixture->times);
  g_clear_pointer (&fixture->last, mien_image_unref);
}

static gboolean
tick_cb (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

static void
spin (int ms)
{
  const gint64 end_us = g_get_monotonic_time () + ms * 1000;
  const guint id = g_timeout_add (5, tick_cb, NULL);

  while (g_get_monotonic_time () < end_us)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (id);
}

#define SPIN_UNTIL(condition)                                                          \
  G_STMT_START {                                                                       \
    const gint64 deadline_us = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;          \
    const guint tick = g_timeout_add (20, tick_cb, NULL);                              \
    while (!(condition)) {                                                             \
      if (g_get_monotonic_time () > deadline_us)                                       \
        g_error ("waited in vain for " #condition);                                    \
      g_main_context_iteration (NULL, TRUE);                                           \
    }                                                                                  \
    g_source_remove (tick);                                                            \
  } G_STMT_END

static gboolean
is_over (MienCapture *capture)
{
  const MienCaptureState state = mien_capture_get_state (capture);

  return state != MIEN_CAPTURE_STARTING && state != MIEN_CAPTURE_LIVE && state != MIEN_CAPTURE_PAUSED;
}

static void
start_file (Fixture *fixture, const char *path)
{
  g_autofree char *source = g_strconcat ("file:", path, NULL);

  mien_capture_start (fixture->capture, source);
}

static void
assert_failed (Fixture *fixture, MienCaptureState state, const char *name)
{
  const char *message;

  SPIN_UNTIL (is_over (fixture->capture));
  g_assert_cmpint (mien_capture_get_state (fixture->capture), ==, state);
  message = mien_capture_get_message (fixture->capture);
  g_assert_nonnull (message);
  g_assert_nonnull (strstr (message, name));
  g_assert_true (g_str_has_suffix (message, "."));
  g_assert_null (strchr (message, '\n'));
}

/* Runs a pipeline that writes a file, to its end. FALSE and the test skipped when an element is not installed. */
static gboolean
make_file (const char *description, const char *path)
{
  g_autofree char *whole = g_strdup_printf ("%s location=\"%s\"", description, path);
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstMessage) message = NULL;

  gst_init (NULL, NULL);
  pipeline = gst_parse_launch_full (whole, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  if (pipeline == NULL) {
    g_test_skip (error->message);
    return FALSE;
  }
  gst_object_ref_sink (pipeline);
  bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, 30 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  g_assert_nonnull (message);
  g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_EOS);
  return TRUE;
}

#define MAKE_VIDEO "videotestsrc num-buffers=" G_STRINGIFY (N_FRAMES) " ! video/x-raw,width=96,height=64,framerate=24/1 ! "

static void
test_pattern (Fixture *fixture, gconstpointer data)
{
  guint n;

  g_assert_cmpint (mien_capture_get_state (fixture->capture), ==, MIEN_CAPTURE_STOPPED);
  mien_capture_start (fixture->capture, "test");
  g_assert_cmpint (mien_capture_get_state (fixture->capture), ==, MIEN_CAPTURE_STARTING);
  g_assert_cmpstr (mien_capture_get_source (fixture->capture), ==, "test");
  g_assert_false (mien_capture_is_seekable (fixture->capture));
  SPIN_UNTIL (fixture->times->len >= 10);
  g_assert_cmpint (mien_capture_get_state (fixture->capture), ==, MIEN_CAPTURE_LIVE);
  for (guint i = 1; i < fixture->times->len; i++)
    g_assert_cmpint (g_array_index (fixture->times, gint64, i), >, g_array_index (fixture->times, gint64, i - 1));
  g_assert_cmpint (fixture->last->stride_bytes, >=, fixture->width * 4);
  for (int i = 0; i < fixture->width; i++)
    g_assert_cmpuint (fixture->last->pixels[i * 4 + 3], ==, 255);

  mien_capture_stop (fixture->capture);
  g_assert_cmpint (mien_capture_get_state (fixture->capture), ==, MIEN_CAPTURE_STOPPED);
  n = fixture->times->len;
  spin (200);
  g_assert_cmpuint (fixture->times->len, ==, n);
}

/* The picture is the demo's picture of that very time. */
static void
test_demo (Fixture *fixture, gconstpointer data)
{
  g_autoptr (MienDemo) demo = mien_demo_new (NULL);
  g_autofree guint8 *expected = g_malloc (MIEN_DEMO_WIDTH * MIEN_DEMO_HEIGHT * 4);
  double frame_rate;

  mien_capture_start (fixture->capture, "demo");
  SPIN_UNTIL (fixture->times->len >= 40);
  g_assert_cmpint (fixture->width, ==, MIEN_DEMO_WIDTH);
  g_assert_cmpint (fixture->height, ==, MIEN_DEMO_HEIGHT);
  mien_demo_render (demo, g_array_index (fixture->times, gint64, fixture->times->len - 1), expected, MIEN_DEMO_WIDTH * 4);
  for (int y = 0; y < MIEN_DEMO_HEIGHT; y++)
    g_assert_cmpmem (fixture->last->pixels + y * fixture->last->stride_bytes, MIEN_DEMO_WIDTH * 4, expected + y * MIEN_DEMO_WIDTH * 4, MIEN_DEMO_WIDTH * 4);
  g_object_get (fixture->capture, "frame-rate", &frame_rate, NULL);
  g_assert_cmpfloat (frame_rate, >, 1);
  g_assert_cmpfloat (frame_rate, <, 100); /* a stalled computer catches up */
}

static void
test_pause (Fixture *fixture, gconstpointer data)
{
  guint n;

  mien_capture_start (fixture->capture, "demo");
  SPIN_UNTIL (fixture->times->len >= 3);
  mien_capture_set_paused (fixture->capture, TRUE);
  g_assert_cmpint (mien_capture_get_state (fixture->capture), ==, MIEN_CAPTURE_PAUSED);
  spin (200);
  n = fixture->times->len;
  spin (400);
  g_assert_cmpuint (fixture->times->len, <=, n + 1);
  mien_capture_set_paused (fixture->capture, FALSE);
  g_assert_cmpint (mien_capture_get_state (fixture->capture), ==, MIEN_CAPTURE_LIVE);
  SPIN_UNTIL (fixture->times->len >= n + 4);
}

static void
test_file (Fixture *fixture, gconstpointer description)
{
  g_autofree char *folder = mien_test_make_dir (), *path = g_build_filename (folder, "a film with ü'.x", NULL);

  if (make_file (description, path)) {
    start_file (fixture, path);
    SPIN_UNTIL (is_over (fixture->capture));
    g_assert_cmpstr (mien_capture_get_message (fixture->capture), ==, NULL);
    g_assert_cmpint (mien_capture_get_state (fixture->capture), ==, MIEN_CAPTURE_ENDED);
    g_assert_true (fixture->was_live);
    g_assert_true (mien_capture_is_seekable (fixture->capture));
    g_assert_cmpint (fixture->width, ==, 96);
    g_assert_cmpint (fixture->height, ==, 64);
    g_assert_cmpuint (fixture->times->len, >=, 2);
    g_assert_cmpuint (fixture->times->len, <=, N_FRAMES);
    /* The last frame is shown before the end is told. */
    g_assert_cmpint (ABS (g_array_index (fixture->times, gint64, fixture->times->len - 1) - (N_FRAMES - 1) * G_USEC_PER_SEC / 24), <, 50000);
  }
  mien_test_remove_dir (folder);
}

static void
test_sequence (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = mien_test_make_dir (), *pattern = g_build_filename (folder, "f%03d.png", NULL);
  g_autofree char *evil = g_build_filename (folder, "f%s.png", NULL);

  if (make_file (MAKE_VIDEO "pngenc ! multifilesink index=5", pattern)) {
    start_file (fixture, pattern);
    SPIN_UNTIL (is_over (fixture->capture));
    g_assert_cmpint (mien_capture_get_state (fixture->capture), ==, MIEN_CAPTURE_ENDED);
    g_assert_cmpint (fixture->width, ==, 96);
    g_assert_cmpuint (fixture->times->len, >=, 2);
    start_file (fixture, evil); /* never a format string */
    assert_failed (fixture, MIEN_CAPTURE_FAILED, "f%s.png");
  }
  mien_test_remove_dir (folder);
}

static void
test_no_video (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = mien_test_make_dir (), *text = g_build_filename (folder, "text.webm", NULL), *empty = g_build_filename (folder, "empty.mp4", NULL);
  g_autofree char *none = g_build_filename (folder, "none.avi", NULL), *noise = g_build_filename (folder, "noise.mkv", NULL);
  g_autofree char *sound = g_build_filename (folder, "sound.wav", NULL);
  char bytes[5000];

  g_file_set_contents (text, "This is a letter and not a film.\n", -1, NULL);
  g_file_set_contents (empty, "", 0, NULL);
  for (gsize i = 0; i < sizeof bytes; i++)
    bytes[i] = (char) (i * i * 31 + (i >> 3) * 17);
  memcpy (bytes, "\x1a\x45\xdf\xa3", 4);
  g_file_set_contents (noise, bytes, sizeof bytes, NULL);

  start_file (fixture, text);
  assert_failed (fixture, MIEN_CAPTURE_FAILED, "text.webm");
  start_file (fixture, empty);
  assert_failed (fixture, MIEN_CAPTURE_FAILED, "empty.mp4");
  start_file (fixture, none);
  assert_failed (fixture, MIEN_CAPTURE_FAILED, "none.avi");
  start_file (fixture, folder);
  assert_failed (fixture, MIEN_CAPTURE_FAILED, "mien-test-");
  start_file (fixture, noise);
  assert_failed (fixture, MIEN_CAPTURE_FAILED, "noise.mkv");
  if (make_file ("audiotestsrc num-buffers=20 ! wavenc ! filesink", sound)) {
    start_file (fixture, sound);
    assert_failed (fixture, MIEN_CAPTURE_FAILED, "sound.wav");
  }
  g_assert_cmpuint (fixture->times->len, ==, 0);
  mien_capture_start (fixture->capture, "telescope");
  assert_failed (fixture, MIEN_CAPTURE_FAILED, "telescope");
  mien_capture_start (fixture->capture, "camera:One that nobody has");
  assert_failed (fixture, MIEN_CAPTURE_NO_CAMERA, "One that nobody has");
  mien_capture_start (fixture->capture, "test"); /* and the next good one works */
  SPIN_UNTIL (fixture->times->len >= 1);
  g_assert_cmpstr (mien_capture_get_message (fixture->capture), ==, NULL);
  mien_test_remove_dir (folder);
}

/* Every length of a cut film gives an end or a sentence. */
static void
test_truncated (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = mien_test_make_dir (), *path = g_build_filename (folder, "whole.avi", NULL), *cut = g_build_filename (folder, "cut.avi", NULL);
  g_autofree char *bytes = NULL;
  gsize n_bytes;

  if (make_file (MAKE_VIDEO "jpegenc ! avimux ! filesink", path)) {
    g_assert_true (g_file_get_contents (path, &bytes, &n_bytes, NULL));
    for (gsize n = 100; n < n_bytes; n *= 5) {
      g_assert_true (g_file_set_contents (cut, bytes, (gssize) n, NULL));
      start_file (fixture, cut);
      SPIN_UNTIL (is_over (fixture->capture));
      if (mien_capture_get_state (fixture->capture) != MIEN_CAPTURE_ENDED)
        assert_failed (fixture, MIEN_CAPTURE_FAILED, "cut.avi");
    }
  }
  mien_test_remove_dir (folder);
}

static void
set_ranks (const char *const *names, const guint *ranks)
{
  for (int i = 0; names[i] != NULL; i++) {
    g_autoptr (GstPluginFeature) feature = gst_registry_lookup_feature (gst_registry_get (), names[i]);

    if (feature != NULL)
      gst_plugin_feature_set_rank (feature, ranks != NULL ? ranks[i] : GST_RANK_NONE);
  }
}

static void
test_missing_plugin (Fixture *fixture, gconstpointer data)
{
  static const char *const names[] = { "jpegdec", "avdec_mjpeg", "nvjpegdec", "vajpegdec", "vaapijpegdec", NULL };
  static const guint ranks[] = { GST_RANK_PRIMARY, GST_RANK_MARGINAL, GST_RANK_NONE, GST_RANK_NONE, GST_RANK_NONE };
  g_autofree char *folder = mien_test_make_dir (), *path = g_build_filename (folder, "film.avi", NULL);

  if (make_file (MAKE_VIDEO "jpegenc ! avimux ! filesink", path)) {
    set_ranks (names, NULL);
    start_file (fixture, path);
    assert_failed (fixture, MIEN_CAPTURE_MISSING_PLUGIN, "film.avi");
    g_assert_nonnull (strstr (mien_capture_get_message (fixture->capture), "gstreamer1.0-plugins-good"));
    set_ranks (names, ranks);
  }
  mien_test_remove_dir (folder);
}

static void
test_camera_errors (void)
{
  static const struct { int code; gboolean live; MienCaptureState state; } cases[] = {
    { GST_RESOURCE_ERROR_BUSY, FALSE, MIEN_CAPTURE_BUSY },
    { GST_RESOURCE_ERROR_NOT_AUTHORIZED, FALSE, MIEN_CAPTURE_DENIED },
    { GST_RESOURCE_ERROR_NOT_FOUND, FALSE, MIEN_CAPTURE_NO_CAMERA },
    { GST_RESOURCE_ERROR_FAILED, FALSE, MIEN_CAPTURE_FAILED },
    { GST_RESOURCE_ERROR_READ, TRUE, MIEN_CAPTURE_LOST },
    { GST_RESOURCE_ERROR_NOT_FOUND, TRUE, MIEN_CAPTURE_LOST },
  };
  MienPipeline pipeline = { .shown = (char *) "Webcam" };

  gst_init (NULL, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = g_error_new_literal (GST_RESOURCE_ERROR, cases[i].code, "It went wrong.");
    g_autoptr (GstMessage) message = gst_message_new_error (NULL, error, "here");
    g_autofree char *text = NULL;

    g_assert_cmpint (mien_pipeline_explain (&pipeline, MIEN_SOURCE_CAMERA, message, NULL, cases[i].live, &text), ==, cases[i].state);
    g_assert_nonnull (strstr (text, "Webcam"));
    g_assert_true (g_str_has_suffix (text, "."));
  }
}

static void
test_restart (Fixture *fixture, gconstpointer data)
{
  for (int i = 0; i < 20; i++) {
    mien_capture_start (fixture->capture, i % 3 == 0 ? "test" : "demo");
    spin (i * 7 % 50);
    if (i % 2 == 0)
      mien_capture_stop (fixture->capture);
  }
  mien_capture_start (fixture->capture, "demo");
  g_array_set_size (fixture->times, 0);
  SPIN_UNTIL (fixture->times->len >= 3);
}

static void
stop_cb (MienCapture *capture, MienImage *frame, gint64 time_us, gpointer data)
{
  mien_capture_stop (capture);
}

static void
test_stop_from_handler (Fixture *fixture, gconstpointer data)
{
  g_signal_connect (fixture->capture, "frame", G_CALLBACK (stop_cb), NULL);
  mien_capture_start (fixture->capture, "demo");
  SPIN_UNTIL (fixture->times->len >= 1);
  spin (200);
  g_assert_cmpuint (fixture->times->len, ==, 1);
  g_assert_cmpint (mien_capture_get_state (fixture->capture), ==, MIEN_CAPTURE_STOPPED);
}

static void
result_cb (MienAnalyzer *analyzer, MienResult *result, MienResult **newest)
{
  g_clear_pointer (newest, mien_result_unref);
  *newest = mien_result_ref (result);
}

static void
test_analysis (void)
{
  MienAnalyzer *analyzer = mien_analyzer_new ();
  MienCapture *capture = mien_capture_new (analyzer);
  g_autoptr (MienModel) model = fake_model_new ();
  MienResult *newest = NULL;
  int x, y, width, height;
  MienBox truth;

  mien_analyzer_set_model (analyzer, model);
  g_signal_connect (analyzer, "result", G_CALLBACK (result_cb), &newest);
  mien_capture_start (capture, "demo");
  SPIN_UNTIL (newest != NULL && newest->time_us > 300000 && newest->n_faces == 1);
  mien_demo_box (newest->time_us, &x, &y, &width, &height);
  truth = (MienBox) { (float) x, (float) y, (float) width, (float) height, 0 };
  g_assert_cmpfloat (mien_box_iou (&truth, &newest->faces[0].box), >, .5);
  g_assert_cmpint (newest->faces[0].track, ==, 1);
  mien_capture_stop (capture);
  g_clear_pointer (&newest, mien_result_unref);
  spin (200);
  g_assert_null (newest);
  g_assert_finalize_object (capture);
  g_assert_finalize_object (analyzer);
  g_assert_cmpint (g_atomic_int_get (&fake_model_count), ==, 1);
}

static void
test_clip (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = mien_test_shared ("video/head-pose-face-detection-female.webm");

  if (path == NULL)
    return;
  start_file (fixture, path);
  SPIN_UNTIL (is_over (fixture->capture));
  g_assert_cmpint (mien_capture_get_state (fixture->capture), ==, MIEN_CAPTURE_ENDED);
  g_assert_cmpint (fixture->width, ==, 480);
  g_assert_cmpint (fixture->height, ==, 270);
  g_assert_cmpuint (fixture->times->len, >=, 10);
}

static void
ready_cb (MienCameraList *list, gboolean *ready)
{
  *ready = TRUE;
}

static void
test_camera_list (void)
{
  MienCameraList *list = mien_camera_list_new ();
  gboolean ready = FALSE;

  g_assert_false (mien_camera_list_is_ready (list));
  g_signal_connect (list, "ready", G_CALLBACK (ready_cb), &ready);
  SPIN_UNTIL (ready);
  g_assert_true (mien_camera_list_is_ready (list));
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (list)); i++) {
    g_autoptr (MienCamera) camera = g_list_model_get_item (G_LIST_MODEL (list), i);

    g_assert_true (g_str_has_prefix (mien_camera_get_source (camera), "camera:"));
    g_assert_true (g_str_has_suffix (mien_camera_get_source (camera), mien_camera_get_name (camera)));
  }
  g_assert_finalize_object (list);
  g_object_unref (mien_camera_list_new ()); /* before it is ready */
  spin (300);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, data, function) g_test_add ("/capture/" name, Fixture, data, set_up, function, tear_down)
  ADD ("pattern", NULL, test_pattern);
  ADD ("demo", NULL, test_demo);
  ADD ("pause", NULL, test_pause);
  ADD ("file/mjpeg-avi", MAKE_VIDEO "jpegenc ! avimux ! filesink", test_file);
  ADD ("file/vp8-webm", MAKE_VIDEO "vp8enc deadline=1 ! webmmux ! filesink", test_file);
  ADD ("file/theora-ogg", MAKE_VIDEO "theoraenc ! oggmux ! filesink", test_file);
  ADD ("sequence", NULL, test_sequence);
  ADD ("no-video", NULL, test_no_video);
  ADD ("truncated", NULL, test_truncated);
  ADD ("missing-plugin", NULL, test_missing_plugin);
  g_test_add_func ("/capture/camera-errors", test_camera_errors);
  ADD ("restart", NULL, test_restart);
  ADD ("stop-from-handler", NULL, test_stop_from_handler);
  g_test_add_func ("/capture/analysis", test_analysis);
  ADD ("clip", NULL, test_clip);
  g_test_add_func ("/camera-list", test_camera_list);
  return g_test_run ();
}
