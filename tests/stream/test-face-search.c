/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The demo camera's face: there, joined by a second one, gone. */
#include <string.h>

#include "data/mien-demo.h"
#include "stream/mien-face-search.h"

enum { WIDTH = 2 * MIEN_DEMO_WIDTH, HEIGHT = MIEN_DEMO_HEIGHT };

static MienDemo *demo;

/* Two places side by side; in each the demo's face at that time, or nothing. */
static MienImage *
make_frame (gboolean left, gboolean right, gint64 time_us)
{
  MienImage *frame = mien_image_new (WIDTH, HEIGHT);

  memset (frame->pixels, 160, (gsize) frame->stride_bytes * HEIGHT);
  if (left)
    mien_demo_render (demo, time_us, frame->pixels, frame->stride_bytes);
  if (right)
    mien_demo_render (demo, time_us, frame->pixels + 4 * MIEN_DEMO_WIDTH, frame->stride_bytes);
  return frame;
}

/* The truth, moved by dx. */
static void
check_box (const MienBox *box, gint64 time_us, int dx)
{
  int x, y, width, height;

  mien_demo_box (time_us, &x, &y, &width, &height);
  const MienBox truth = { (float) (x + dx), (float) y, (float) width, (float) height, 0 };
  g_assert_cmpfloat (mien_box_iou (box, &truth), >, .5);
}

static guint
step (MienFaceSearch *search, gboolean left, gboolean right, int i, gboolean look_around)
{
  const gint64 time_us = i * 33000;
  g_autoptr (GError) error = NULL;
  g_autoptr (MienImage) frame = make_frame (left, right, time_us);
  g_autoptr (GArray) boxes = mien_face_search_find (search, frame, &error);

  g_assert_no_error (error);
  if (look_around)
    g_assert_true (mien_face_search_look_around (search, frame, &error));
  for (guint k = 0; k < boxes->len; k++)
    check_box (&g_array_index (boxes, MienBox, k), time_us, k == 1 || !left ? MIEN_DEMO_WIDTH : 0);
  return boxes->len;
}

static void
test_frames (void)
{
  g_autoptr (MienFaceSearch) search = mien_face_search_new (NULL, NULL);
  int i = 0, n_alone = 0;

  for (; i < 20; i++)
    g_assert_cmpuint (step (search, TRUE, FALSE, i, TRUE), ==, 1);
  /* Somebody joins: in sight after a few frames at the most, and to stay. */
  while (step (search, TRUE, TRUE, i++, TRUE) == 1)
    g_assert_cmpint (++n_alone, <, 12);
  for (int until = i + 10; i < until; i++)
    g_assert_cmpuint (step (search, TRUE, TRUE, i, TRUE), ==, 2);
  /* Who goes is gone in the same frame. */
  for (int until = i + 5; i < until; i++)
    g_assert_cmpuint (step (search, FALSE, TRUE, i, TRUE), ==, 1);
  g_assert_cmpuint (step (search, FALSE, FALSE, i++, TRUE), ==, 0);
  g_assert_cmpuint (step (search, TRUE, FALSE, i, TRUE), ==, 1); /* at once: while nobody is known, every frame is looked through */
}

/* Without a look around nobody new is found as long as somebody is known; after a reset, or in frames of another size, everybody is. */
static void
test_reset (void)
{
  g_autoptr (MienFaceSearch) search = mien_face_search_new (NULL, NULL);
  g_autoptr (MienImage) small = mien_image_new (320, 240);

  g_assert_cmpuint (step (search, TRUE, FALSE, 0, FALSE), ==, 1);
  for (int i = 0; i < 12; i++)
    g_assert_cmpuint (step (search, TRUE, TRUE, 0, FALSE), ==, 1);
  mien_face_search_reset (search);
  g_assert_cmpuint (step (search, TRUE, TRUE, 0, FALSE), ==, 2);
  memset (small->pixels, 90, (gsize) small->stride_bytes * 240);
  g_autoptr (GArray) none = mien_face_search_find (search, small, NULL);
  g_assert_cmpuint (none->len, ==, 0);
  g_assert_cmpuint (step (search, TRUE, TRUE, 0, FALSE), ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  demo = mien_demo_new (NULL);
  g_test_add_func ("/face-search/frames", test_frames);
  g_test_add_func ("/face-search/reset", test_reset);
  const int status = g_test_run ();
  mien_demo_free (demo);
  return status;
}
