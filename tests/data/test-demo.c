/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The demo camera: what its clock says, and what stands in its frames. */
#include "data/mien-demo.h"
#include "vision/mien-faces.h"

#include <stdlib.h>
#include <string.h>

enum { STRIDE = MIEN_DEMO_WIDTH * 4, N_BYTES = STRIDE * MIEN_DEMO_HEIGHT, STEP_MS = MIEN_DEMO_HOLD_MS + MIEN_DEMO_MORPH_MS };

static MienDemo *
make_demo (void)
{
  GError *error = NULL;
  MienDemo *demo = mien_demo_new (&error);

  g_assert_no_error (error);
  return demo;
}

static double
measure_difference (const guint8 *a, const guint8 *b)
{
  double sum = 0;

  for (int i = 0; i < N_BYTES; i++)
    sum += abs (a[i] - b[i]);
  return sum / N_BYTES;
}

static void
test_clock (void)
{
  int seen = 0, held_ms = 0, morph_ms = 0;

  for (int ms = 0; ms < 7 * STEP_MS; ms++) {
    const int expression = mien_demo_expression (ms * G_GINT64_CONSTANT (1000));
    g_assert_cmpint (expression, >=, -1);
    g_assert_cmpint (expression, <, 7);
    if (expression >= 0)
      seen |= 1 << expression;
    held_ms += expression >= 0;
    morph_ms += expression < 0;
    g_assert_cmpint (mien_demo_expression ((ms + 7 * 7 * STEP_MS) * G_GINT64_CONSTANT (1000)), ==, expression);
  }
  g_assert_cmpint (seen, ==, 127);
  g_assert_cmpint (abs (held_ms - 7 * MIEN_DEMO_HOLD_MS), <=, 7);
  g_assert_cmpint (abs (morph_ms - 7 * MIEN_DEMO_MORPH_MS), <=, 7);
}

static void
test_box (void)
{
  for (int ms = 0; ms < 600000; ms += 97) {
    int x, y, width, height;
    mien_demo_box (ms * G_GINT64_CONSTANT (1000), &x, &y, &width, &height);
    g_assert_cmpint (width, ==, height);
    g_assert_cmpint (width, >=, 200);
    g_assert_true (x >= 0 && y >= 0 && x + width <= MIEN_DEMO_WIDTH && y + height <= MIEN_DEMO_HEIGHT);
  }
}

/* Opaque, the same whenever asked, and never outside its rows. */
static void
test_frame (void)
{
  g_autoptr (MienDemo) demo = make_demo ();
  g_autoptr (MienDemo) other = make_demo ();
  g_autofree guint8 *a = g_malloc (N_BYTES), *b = g_malloc (N_BYTES);
  const int wide = STRIDE + 64;
  g_autofree guint8 *padded = g_malloc ((gsize) wide * MIEN_DEMO_HEIGHT);

  for (int ms = 0; ms < 7 * STEP_MS; ms += 701) {
    const gint64 time_us = ms * G_GINT64_CONSTANT (1000);
    mien_demo_render (demo, time_us, a, STRIDE);
    mien_demo_render (other, time_us + 12345678, b, STRIDE);
    mien_demo_render (other, time_us, b, STRIDE);
    g_assert_cmpmem (a, N_BYTES, b, N_BYTES);
    for (int i = 3; i < N_BYTES; i += 4)
      g_assert_cmpint (a[i], ==, 255);

    memset (padded, 0x5a, (gsize) wide * MIEN_DEMO_HEIGHT);
    mien_demo_render (demo, time_us, padded, wide);
    for (int y = 0; y < MIEN_DEMO_HEIGHT; y++) {
      g_assert_cmpmem (padded + y * wide, STRIDE, a + y * STRIDE, STRIDE);
      for (int i = STRIDE; i < wide; i++)
        g_assert_cmpint (padded[y * wide + i], ==, 0x5a);
    }
  }
}

/* Consecutive frames are close to each other, at the seams of hold, morph and round as well. */
static void
test_smooth (void)
{
  g_autoptr (MienDemo) demo = make_demo ();
  g_autofree guint8 *a = g_malloc (N_BYTES), *b = g_malloc (N_BYTES);
  double largest = 0, least = G_MAXDOUBLE;

  mien_demo_render (demo, 0, a, STRIDE);
  for (int i = 1; i < 8 * STEP_MS * MIEN_DEMO_FPS / 1000; i++) {
    mien_demo_render (demo, i * G_GINT64_CONSTANT (1000000) / MIEN_DEMO_FPS, b, STRIDE);
    const double difference = measure_difference (a, b);
    largest = MAX (largest, difference);
    least = MIN (least, difference);
    memcpy (a, b, N_BYTES);
  }
  g_test_message ("mean change from frame to frame: %.2f to %.2f", least, largest);
  g_assert_cmpfloat (largest, <, 2);
  g_assert_cmpfloat (least, >, 0); /* always a little movement */
}

/* Each expression is another face, and the skin is warm. */
static void
test_expressions (void)
{
  enum { SIDE = 64 };
  g_autoptr (MienDemo) demo = make_demo ();
  g_autofree guint8 *frame = g_malloc (N_BYTES);
  static int faces[7][SIDE * SIDE];

  for (int step = 0; step < 7; step++) {
    const gint64 time_us = (step * STEP_MS + MIEN_DEMO_HOLD_MS / 2) * G_GINT64_CONSTANT (1000);
    const int expression = mien_demo_expression (time_us);
    double red = 0, blue = 0;
    int x, y, width, height;

    g_assert_cmpint (expression, >=, 0);
    mien_demo_render (demo, time_us, frame, STRIDE);
    mien_demo_box (time_us, &x, &y, &width, &height);
    for (int i = 0; i < SIDE * SIDE; i++) {
      /* the middle half of the box */
      const int px = x + width / 4 + i % SIDE * width / (2 * SIDE), py = y + height / 4 + i / SIDE * height / (2 * SIDE);
      const guint8 *pixel = frame + py * STRIDE + px * 4;
      faces[expression][i] = pixel[0] + pixel[1] + pixel[2];
      blue += pixel[0];
      red += pixel[2];
    }
    g_assert_cmpfloat (red, >, 1.1 * blue);
  }
  for (int a = 0; a < 7; a++)
    for (int b = 0; b < a; b++) {
      double sum = 0;
      for (int i = 0; i < SIDE * SIDE; i++)
        sum += abs (faces[a][i] - faces[b][i]) / 3.;
      g_assert_cmpfloat (sum / (SIDE * SIDE), >, 8);
    }
}

/* The detector of the live view finds exactly one face in every held frame, where the clock says. */
static void
test_detector (void)
{
  g_autoptr (MienDemo) demo = make_demo ();
  g_autoptr (GError) error = NULL;
  g_autoptr (MienFaces) faces = mien_faces_new (NULL, &error);
  g_autoptr (MienImage) image = mien_image_new (MIEN_DEMO_WIDTH, MIEN_DEMO_HEIGHT);
  float worst = 1;

  if (g_error_matches (error, MIEN_FACES_ERROR, MIEN_FACES_ERROR_NO_DETECTOR)) {
    g_test_skip (error->message);
    return;
  }
  g_assert_no_error (error);
  mien_faces_set_min_size (faces, MIEN_DEMO_HEIGHT / 10);
  for (int step = 0; step < 3 * 7; step++) { /* three rounds: each expression at three places */
    const gint64 time_us = (step * STEP_MS + MIEN_DEMO_HOLD_MS / 2) * G_GINT64_CONSTANT (1000);
    int x, y, width, height;

    mien_demo_render (demo, time_us, image->pixels, image->stride_bytes);
    mien_demo_box (time_us, &x, &y, &width, &height);
    g_autoptr (GArray) boxes = mien_faces_detect (faces, image, &error);
    g_assert_no_error (error);
    g_assert_cmpint (boxes->len, ==, 1);
    const MienBox expected = { x, y, width, height, 0 };
    const float iou = mien_box_iou (&g_array_index (boxes, MienBox, 0), &expected);
    worst = MIN (worst, iou);
    g_assert_cmpfloat (iou, >, .7f);
  }
  g_test_message ("smallest intersection over union: %.2f", worst);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/demo/clock", test_clock);
  g_test_add_func ("/demo/box", test_box);
  g_test_add_func ("/demo/frame", test_frame);
  g_test_add_func ("/demo/smooth", test_smooth);
  g_test_add_func ("/demo/expressions", test_expressions);
  g_test_add_func ("/demo/detector", test_detector);
  return g_test_run ();
}
