/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading a video file: every frame in order, with its time and its pixels; files that are no video. */
#include "mien-test.h"

#include <glib/gstdio.h>
#include <gst/gst.h>

#include "stream/mien-video-reader.h"

static char *folder;

static char *
make_path (const char *name)
{
  return g_build_filename (folder, name, NULL);
}

/* n_frames of one colour (0xAARRGGBB) at ten a second. */
static char *
make_video (const char *name, int n_frames, int width, int height, guint32 colour)
{
  char *path = make_path (name);
  g_autofree char *description = g_strdup_printf (
      "videotestsrc num-buffers=%d pattern=solid-color foreground-color=%u ! video/x-raw,format=I420,width=%d,height=%d,framerate=10/1 ! "
      "jpegenc quality=100 ! avimux ! filesink name=sink", n_frames, colour, width, height);
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = gst_parse_launch (description, &error);
  g_autoptr (GstElement) sink = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstMessage) message = NULL;

  g_assert_no_error (error);
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_object_set (sink, "location", path, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  bus = gst_element_get_bus (pipeline);
  message = gst_bus_timed_pop_filtered (bus, 30 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_assert_nonnull (message);
  g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_EOS);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return path;
}

static void
test_every_frame (void)
{
  g_autofree char *path = make_video ("red.avi", 25, 333, 78, 0xffff0000u); /* rows end inside a word */
  g_autoptr (GError) error = NULL;
  g_autoptr (MienVideoReader) reader = mien_video_reader_new (path, &error);
  MienImage *first = NULL;
  gint64 time_us = -1;

  g_assert_no_error (error);
  for (int i = 0; i < 25; i++) {
    MienImage *frame = mien_video_reader_next (reader, &time_us, &error);

    g_assert_no_error (error);
    g_assert_nonnull (frame);
    g_assert_cmpint (time_us, ==, i * 100000);
    g_assert_cmpint (frame->width, ==, 333);
    g_assert_cmpint (frame->height, ==, 78);
    if (i == 0) {
      first = frame;
      g_assert_cmpint (mien_video_reader_get_duration_us (reader), ==, 2500000);
    } else {
      mien_image_unref (frame);
    }
  }
  g_assert_null (mien_video_reader_next (reader, &time_us, &error));
  g_assert_no_error (error);
  g_assert_null (mien_video_reader_next (reader, &time_us, &error)); /* and stays at the end */
  g_assert_no_error (error);

  g_clear_pointer (&reader, mien_video_reader_free);
  for (int y = 0; y < first->height; y++) { /* still valid, and red: bytes B G R A */
    const guint8 *pixel = first->pixels + (gsize) y * first->stride_bytes + 4 * 332;

    g_assert_cmpint (pixel[0], <, 40);
    g_assert_cmpint (pixel[1], <, 40);
    g_assert_cmpint (pixel[2], >, 215);
    g_assert_cmpint (pixel[3], ==, 255);
  }
  mien_image_unref (first);
}

static void
test_leaving_early (void)
{
  g_autofree char *path = make_video ("early.avi", 200, 64, 48, 0xff00ff00u);
  g_autoptr (GError) error = NULL;
  MienVideoReader *reader = mien_video_reader_new (path, &error);
  gint64 time_us;

  g_assert_no_error (error);
  mien_image_unref (mien_video_reader_next (reader, &time_us, &error));
  mien_video_reader_free (reader); /* must neither hang nor leak the waiting frames */

  reader = mien_video_reader_new (path, &error);
  mien_video_reader_free (reader);
}

static void
expect_failure (const char *path, int code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MienVideoReader) reader = mien_video_reader_new (path, &error);
  g_autofree char *name = g_path_get_basename (path);
  gint64 time_us;

  if (reader != NULL) {
    MienImage *frame;

    while ((frame = mien_video_reader_next (reader, &time_us, &error)) != NULL)
      mien_image_unref (frame);
  }
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, name));
  g_assert_null (strchr (error->message, '\n'));
  if (code >= 0)
    g_assert_error (error, MIEN_VIDEO_READER_ERROR, code);
}

static void
test_not_a_video (void)
{
  g_autofree char *text = make_path ("text.mp4");
  g_autofree char *empty = make_path ("empty.webm");
  g_autofree char *missing = make_path ("missing.mp4");

  g_assert_true (g_file_set_contents (text, "just a few words, not a film", -1, NULL));
  g_assert_true (g_file_set_contents (empty, "", 0, NULL));
  expect_failure (text, MIEN_VIDEO_READER_ERROR_NOT_A_VIDEO);
  expect_failure (empty, MIEN_VIDEO_READER_ERROR_NOT_A_VIDEO);
  expect_failure (missing, -1);
  expect_failure (folder, -1);
}

/* A video without pictures must end with a sentence, not with a wait. */
static void
test_sound_only (void)
{
  g_autofree char *path = make_path ("sound.ogg");
  g_autofree char *description = g_strdup_printf ("audiotestsrc num-buffers=20 ! audioconvert ! vorbisenc ! oggmux ! filesink location=%s", path);
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = gst_parse_launch (description, &error);
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstMessage) message = NULL;

  g_assert_no_error (error);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  bus = gst_element_get_bus (pipeline);
  message = gst_bus_timed_pop_filtered (bus, 30 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  expect_failure (path, MIEN_VIDEO_READER_ERROR_NOT_A_VIDEO);
}

static void
test_is_video (void)
{
  static const struct {
    const char *name;
    const char *bytes;
    gsize n_bytes;
    gboolean want;
  } cases[] = {
    { "a.bin", "\x1a\x45\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1f\x42\x86\x81\x01", 16, TRUE },
    { "b.bin", "\x00\x00\x00\x20" "ftypisom\x00\x00\x02\x00", 16, TRUE },
    { "c.bin", "\x00\x00\x00\x20" "ftypavif\x00\x00\x00\x00", 16, FALSE },
    { "d.mp4", "\x00\x00\x00\x20" "ftypavif\x00\x00\x00\x00", 16, FALSE },
    { "e.bin", "RIFF\x00\x00\x00\x00" "AVI LIST", 16, TRUE },
    { "f.bin", "RIFF\x00\x00\x00\x00" "WEBPVP8 ", 16, FALSE },
    { "g.png", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", 16, FALSE },
    { "h.MP4", "", 0, TRUE },
    { "i.jpg", "", 0, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = make_path (cases[i].name);

    g_assert_true (g_file_set_contents (path, cases[i].bytes, cases[i].n_bytes, NULL));
    if (mien_video_reader_is_video (path) != cases[i].want)
      g_error ("%s: want %d", cases[i].name, cases[i].want);
  }
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  gst_init (NULL, NULL);
  folder = mien_test_make_dir ();
  g_test_add_func ("/video-reader/every-frame", test_every_frame);
  g_test_add_func ("/video-reader/leaving-early", test_leaving_early);
  g_test_add_func ("/video-reader/not-a-video", test_not_a_video);
  g_test_add_func ("/video-reader/sound-only", test_sound_only);
  g_test_add_func ("/video-reader/is-video", test_is_video);
  status = g_test_run ();
  mien_test_remove_dir (folder);
  g_free (folder);
  return status;
}
