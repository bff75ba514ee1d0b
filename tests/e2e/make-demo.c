/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes what the demo camera shows into a file, for tests from outside.
 *
 *   make-demo picture TIME_MS OUT.png
 *   make-demo video START_MS N_FRAMES FRAMES_PER_S OUT.avi
 *
 * Prints one line a frame: the expression's name ("-" while one becomes the next) and the face's box. */
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/mien-dataset.h"
#include "data/mien-demo.h"

static MienImage *
render (const MienDemo *demo, gint64 time_us)
{
  MienImage *image = mien_image_new (MIEN_DEMO_WIDTH, MIEN_DEMO_HEIGHT);
  const int expression = mien_demo_expression (time_us);
  int x, y, width, height;

  mien_demo_render (demo, time_us, image->pixels, image->stride_bytes);
  mien_demo_box (time_us, &x, &y, &width, &height);
  printf ("%s %d %d %d %d\n", expression < 0 ? "-" : mien_dataset_labels[expression], x, y, width, height);
  return image;
}

static gboolean
write_video (const MienDemo *demo, gint64 start_us, int n_frames, int fps, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *description = g_strdup_printf (
      "appsrc name=source format=time caps=\"video/x-raw,format=BGRA,width=%d,height=%d,framerate=%d/1\" ! videoconvert ! "
      "jpegenc quality=95 ! avimux ! filesink name=sink", MIEN_DEMO_WIDTH, MIEN_DEMO_HEIGHT, fps);
  g_autoptr (GstElement) pipeline = gst_parse_launch (description, &error);
  g_autoptr (GstElement) source = NULL;
  g_autoptr (GstElement) sink = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstMessage) message = NULL;

  if (pipeline == NULL) {
    fprintf (stderr, "%s\n", error->message);
    return FALSE;
  }
  source = gst_bin_get_by_name (GST_BIN (pipeline), "source");
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_object_set (sink, "location", path, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (int i = 0; i < n_frames; i++) {
    const gint64 offset_us = (gint64) i * G_USEC_PER_SEC / fps;
    MienImage *image = render (demo, start_us + offset_us);
    const gsize n_bytes = (gsize) image->stride_bytes * image->height;
    GstBuffer *buffer = gst_buffer_new_wrapped_full (0, image->pixels, n_bytes, 0, n_bytes, image, (GDestroyNotify) mien_image_unref);

    GST_BUFFER_PTS (buffer) = offset_us * 1000;
    GST_BUFFER_DURATION (buffer) = GST_SECOND / fps;
    gst_app_src_push_buffer (GST_APP_SRC (source), buffer);
  }
  gst_app_src_end_of_stream (GST_APP_SRC (source));
  bus = gst_element_get_bus (pipeline);
  message = gst_bus_timed_pop_filtered (bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return message != NULL && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MienDemo) demo = mien_demo_new (&error);

  gst_init (NULL, NULL);
  if (demo == NULL) {
    fprintf (stderr, "%s\n", error->message);
    return 1;
  }
  if (argc == 4 && g_str_equal (argv[1], "picture")) {
    g_autoptr (MienImage) image = render (demo, atoll (argv[2]) * 1000);

    if (mien_image_save_png (image, argv[3], &error))
      return 0;
    fprintf (stderr, "%s\n", error->message);
    return 1;
  }
  if (argc == 6 && g_str_equal (argv[1], "video"))
    return write_video (demo, atoll (argv[2]) * 1000, atoi (argv[3]), atoi (argv[4]), argv[5]) ? 0 : 1;
  fputs ("usage: make-demo picture TIME_MS OUT.png | make-demo video START_MS N_FRAMES FRAMES_PER_S OUT.avi\n", stderr);
  return 2;
}
