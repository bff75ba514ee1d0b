/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The worker with a fake network and the demo camera's face, which the detector really finds. */
#include <string.h>

#include "data/mien-demo.h"
#include "fake-model.h"
#include "stream/mien-analyzer.h"

static int frames_alive;

typedef struct {
  MienAnalyzer *analyzer;
  GPtrArray *results;
  GPtrArray *failures;
} Fixture;

static void
free_frame (gpointer pixels)
{
  g_free (pixels);
  g_atomic_int_add (&frames_alive, -1);
}

static MienImage *
make_frame (gint64 time_us)
{
  static MienDemo *demo;
  guint8 *pixels = g_malloc (MIEN_DEMO_WIDTH * MIEN_DEMO_HEIGHT * 4);

  if (demo == NULL)
    demo = mien_demo_new (NULL);
  mien_demo_render (demo, time_us, pixels, MIEN_DEMO_WIDTH * 4);
  g_atomic_int_inc (&frames_alive);
  return mien_image_new_take (MIEN_DEMO_WIDTH, MIEN_DEMO_HEIGHT, MIEN_DEMO_WIDTH * 4, pixels, free_frame, pixels);
}

/* The same, an eighth as large in the middle of a grey frame: the face is some 35 pixels wide. */
static MienImage *
make_small_frame (gint64 time_us)
{
  MienImage *large = make_frame (time_us), *frame = make_frame (0);

  memset (frame->pixels, 160, (gsize) frame->stride_bytes * (gsize) frame->height);
  for (int y = 0; y < 60; y++)
    for (int x = 0; x < 80; x++)
      for (int c = 0; c < 3; c++) {
        int sum = 0;

        for (int k = 0; k < 64; k++)
          sum += large->pixels[(y * 8 + k / 8) * large->stride_bytes + (x * 8 + k % 8) * 4 + c];
        frame->pixels[(y + 210) * frame->stride_bytes + (x + 280) * 4 + c] = (guint8) (sum / 64);
      }
  mien_image_unref (large);
  return frame;
}

static MienImage *
make_empty_frame (void)
{
  guint8 *pixels = g_malloc0 (64 * 64 * 4);

  g_atomic_int_inc (&frames_alive);
  return mien_image_new_take (64, 64, 64 * 4, pixels, free_frame, pixels);
}

static void
result_cb (MienAnalyzer *analyzer, MienResult *result, Fixture *fixture)
{
  g_ptr_array_add (fixture->results, mien_result_ref (result));
}

static void
failed_cb (MienAnalyzer *analyzer, const char *message, Fixture *fixture)
{
  g_ptr_array_add (fixture->failures, g_strdup (message));
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autoptr (MienModel) model = fake_model_new ();

  fixture->results = g_ptr_array_new_with_free_func ((GDestroyNotify) mien_result_unref);
  fixture->failures = g_ptr_array_new_with_free_func (g_free);
  fixture->analyzer = mien_analyzer_new ();
  g_signal_connect (fixture->analyzer, "result", G_CALLBACK (result_cb), fixture);
  g_signal_connect (fixture->analyzer, "failed", G_CALLBACK (failed_cb), fixture);
  mien_analyzer_set_model (fixture->analyzer, model);
  g_atomic_int_set (&fake_predictor_delay_us, 0);
  g_atomic_int_set (&fake_predictor_fails, 0);
}

/* Everything must be gone, whatever the test left in the mailboxes. */
static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_assert_finalize_object (fixture->analyzer);
  g_ptr_array_unref (fixture->results);
  g_ptr_array_unref (fixture->failures);
  g_assert_cmpint (g_atomic_int_get (&frames_alive), ==, 0);
  g_assert_cmpint (g_atomic_int_get (&fake_model_count), ==, 0);
  g_assert_cmpint (g_atomic_int_get (&fake_predictor_count), ==, 0);
}

static gboolean
wake_cb (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

static void
wait_for (GPtrArray *array, guint n)
{
  const gint64 deadline_us = g_get_monotonic_time () + 30 * G_USEC_PER_SEC;
  const guint id = g_timeout_add (20, wake_cb, NULL);

  while (array->len < n) {
    g_assert_cmpint (g_get_monotonic_time (), <, deadline_us);
    g_main_context_iteration (NULL, TRUE);
  }
  g_source_remove (id);
}

static void
spin (int ms)
{
  const gint64 end_us = g_get_monotonic_time () + ms * 1000;
  const guint id = g_timeout_add (5, wake_cb, NULL);

  while (g_get_monotonic_time () < end_us)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (id);
}

static void
test_result (Fixture *fixture, gconstpointer data)
{
  const MienResult *result;
  int x, y, width, height;
  MienBox truth;
  float sum = 0;

  mien_analyzer_push (fixture->analyzer, make_frame (500000), 500000);
  wait_for (fixture->results, 1);
  result = fixture->results->pdata[0];
  g_assert_cmpint (result->time_us, ==, 500000);
  g_assert_cmpint (result->width, ==, MIEN_DEMO_WIDTH);
  g_assert_cmpint (result->height, ==, MIEN_DEMO_HEIGHT);
  g_assert_null (result->image);
  g_assert_cmpint (result->n_faces, ==, 1);
  g_assert_cmpint (result->faces[0].track, ==, 1);
  mien_demo_box (500000, &x, &y, &width, &height);
  truth = (MienBox) { (float) x, (float) y, (float) width, (float) height, 0 };
  g_assert_cmpfloat (mien_box_iou (&truth, &result->faces[0].box), >, .5);
  for (int i = 0; i < 64; i++)
    sum += result->faces[0].pixels[i];
  g_assert_cmpfloat_with_epsilon (result->faces[0].probabilities[0], sum / 64 / 255, 1e-5);
  g_assert_cmpint (result->faces[0].label, ==, sum / 64 > 127.5 ? 0 : 1);
  g_assert_cmpfloat (result->faces[0].confidence, ==, result->faces[0].probabilities[result->faces[0].label]);
  g_assert_cmpint (result->latency_us, >, 0);
  g_assert_cmpint (result->detect_us, >, 0);
  g_assert_cmpint (fixture->failures->len, ==, 0);
}

/* While the worker is busy with one frame many come: of those only the newest is analysed. */
static void
test_newest_wins (Fixture *fixture, gconstpointer data)
{
  MienImage *frames[20];

  for (int i = 0; i < 20; i++)
    frames[i] = make_frame (0);
  g_atomic_int_set (&fake_predictor_delay_us, 300 * 1000);
  g_atomic_int_set (&fake_predictor_runs, 0);
  mien_analyzer_push (fixture->analyzer, frames[0], 1);
  while (g_atomic_int_get (&fake_predictor_runs) == 0)
    g_usleep (1000);
  for (int i = 1; i < 20; i++)
    mien_analyzer_push (fixture->analyzer, frames[i], i + 1);
  g_assert_cmpint (g_atomic_int_get (&frames_alive), ==, 2); /* the one in work, the one that waits */
  wait_for (fixture->results, 2);
  spin (500);
  g_assert_cmpuint (fixture->results->len, ==, 2);
  g_assert_cmpint (((MienResult *) fixture->results->pdata[0])->time_us, ==, 1);
  g_assert_cmpint (((MienResult *) fixture->results->pdata[1])->time_us, ==, 20);
}

/* A main thread that sleeps gets one result when it wakes, the newest. */
static void
test_one_pending (Fixture *fixture, gconstpointer data)
{
  g_atomic_int_set (&fake_predictor_runs, 0);
  for (int i = 1; i <= 4; i++) {
    mien_analyzer_push (fixture->analyzer, make_frame (0), i);
    while (g_atomic_int_get (&fake_predictor_runs) < i)
      g_usleep (1000);
  }
  g_usleep (600 * 1000); /* the fourth is published by then */
  spin (100);
  g_assert_cmpuint (fixture->results->len, ==, 1);
  g_assert_cmpint (((MienResult *) fixture->results->pdata[0])->time_us, ==, 4);
}

static void
test_reset (Fixture *fixture, gconstpointer data)
{
  g_atomic_int_set (&fake_predictor_delay_us, 200 * 1000);
  g_atomic_int_set (&fake_predictor_runs, 0);
  mien_analyzer_push (fixture->analyzer, make_frame (0), 1);
  while (g_atomic_int_get (&fake_predictor_runs) == 0)
    g_usleep (1000);
  mien_analyzer_push (fixture->analyzer, make_frame (0), 2);
  mien_analyzer_reset (fixture->analyzer); /* one in work, one waiting: neither may arrive */
  spin (600);
  g_assert_cmpuint (fixture->results->len, ==, 0);
  mien_analyzer_push (fixture->analyzer, make_frame (0), 0);
  wait_for (fixture->results, 1);
  g_assert_cmpint (((MienResult *) fixture->results->pdata[0])->faces[0].track, ==, 1);
}

/* A small face, once seen, is seen in every frame. */
static void
test_small_face (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 12; i++) {
    const MienResult *result;

    mien_analyzer_push (fixture->analyzer, make_small_frame (i * 33000), i * 33000);
    wait_for (fixture->results, i + 1);
    result = fixture->results->pdata[i];
    g_assert_cmpint (result->n_faces, ==, 1);
    g_assert_cmpint (result->faces[0].track, ==, 1);
    g_assert_cmpfloat (result->faces[0].box.width, <, 45);
  }
}

static void
test_no_model (Fixture *fixture, gconstpointer data)
{
  g_autoptr (MienModel) model = fake_model_new ();

  mien_analyzer_set_model (fixture->analyzer, NULL);
  mien_analyzer_push (fixture->analyzer, make_empty_frame (), 1);
  spin (100);
  g_assert_cmpuint (fixture->results->len, ==, 0);
  g_assert_cmpint (g_atomic_int_get (&frames_alive), ==, 0);
  mien_analyzer_set_model (fixture->analyzer, model);
  mien_analyzer_push (fixture->analyzer, make_empty_frame (), 2);
  wait_for (fixture->results, 1);
  g_assert_true (((MienResult *) fixture->results->pdata[0])->model == model);
  g_assert_cmpint (((MienResult *) fixture->results->pdata[0])->n_faces, ==, 0);
}

static void
test_failures (Fixture *fixture, gconstpointer data)
{
  g_atomic_int_set (&fake_predictor_fails, TRUE);
  for (int i = 0; i < 3; i++) {
    mien_analyzer_push (fixture->analyzer, make_frame (0), i);
    spin (200);
  }
  g_assert_cmpuint (fixture->failures->len, ==, 1); /* told once */
  g_assert_cmpstr (fixture->failures->pdata[0], ==, "The network failed.");
  g_atomic_int_set (&fake_predictor_fails, FALSE);
  mien_analyzer_push (fixture->analyzer, make_frame (0), 10);
  wait_for (fixture->results, 1); /* work goes on */
  mien_analyzer_set_detector (fixture->analyzer, "owl");
  mien_analyzer_push (fixture->analyzer, make_frame (0), 11);
  wait_for (fixture->failures, 2);
  g_assert_nonnull (strstr (fixture->failures->pdata[1], "owl"));
  mien_analyzer_set_detector (fixture->analyzer, "lbp");
  mien_analyzer_push (fixture->analyzer, make_frame (0), 12);
  wait_for (fixture->results, 2);
}

static void
dispose_cb (MienAnalyzer *analyzer, MienResult *result, MienAnalyzer **mine)
{
  g_clear_object (mine);
}

/* Dropping the analyser from its own handler, and with work in every place. */
static void
test_dispose (void)
{
  for (int i = 0; i < 20; i++) {
    MienAnalyzer *analyzer = mien_analyzer_new ();
    g_autoptr (MienModel) model = fake_model_new ();

    mien_analyzer_set_model (analyzer, model);
    g_signal_connect (analyzer, "result", G_CALLBACK (dispose_cb), &analyzer);
    mien_analyzer_push (analyzer, make_empty_frame (), 1);
    g_usleep ((gulong) (i % 5) * 2000);
    mien_analyzer_push (analyzer, make_empty_frame (), 2);
    if (i % 2 == 0)
      g_clear_object (&analyzer);
    while (analyzer != NULL)
      g_main_context_iteration (NULL, TRUE);
  }
  g_assert_cmpint (g_atomic_int_get (&frames_alive), ==, 0);
  g_assert_cmpint (g_atomic_int_get (&fake_model_count), ==, 0);
}

static void
async_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

static void
test_image (void)
{
  g_autoptr (MienModel) model = fake_model_new ();
  g_autoptr (MienPredictor) predictor = mien_predictor_new (model, 4, MIEN_CPU_C, MIEN_PRECISION_F32, NULL, NULL);
  g_autoptr (MienImage) frame = make_frame (0), face = mien_image_new (48, 48), strip = mien_image_new (30, 120), large = mien_image_new (400, 400);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienResult) result = NULL, whole = NULL, none = NULL, not_face = NULL, too_large = NULL, later = NULL;
  g_autoptr (GAsyncResult) async = NULL;

  result = mien_analyze_image (frame, predictor, NULL, TRUE, &error);
  g_assert_no_error (error);
  g_assert_cmpint (result->n_faces, ==, 1);
  g_assert_cmpint (result->faces[0].track, ==, 1);
  g_assert_true (result->image == frame);
  g_assert_cmpint (result->time_us, ==, 0);

  memset (face->pixels, 51, (gsize) face->stride_bytes * 48);
  whole = mien_analyze_image (face, predictor, NULL, TRUE, &error);
  g_assert_cmpint (whole->n_faces, ==, 1);
  g_assert_cmpfloat (whole->faces[0].box.width, ==, 48);
  g_assert_cmpfloat_with_epsilon (whole->faces[0].probabilities[0], .2, 1e-5);
  none = mien_analyze_image (face, predictor, NULL, FALSE, &error);
  g_assert_cmpint (none->n_faces, ==, 0);
  not_face = mien_analyze_image (strip, predictor, NULL, TRUE, &error);
  g_assert_cmpint (not_face->n_faces, ==, 0);
  too_large = mien_analyze_image (large, predictor, NULL, TRUE, &error);
  g_assert_cmpint (too_large->n_faces, ==, 0);

  mien_analyze_image_async (frame, model, NULL, async_cb, &async);
  while (async == NULL)
    g_main_context_iteration (NULL, TRUE);
  later = mien_analyze_image_finish (async, &error);
  g_assert_no_error (error);
  g_assert_cmpint (later->n_faces, ==, 1);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add ("/analyzer/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("result", test_result);
  ADD ("newest-wins", test_newest_wins);
  ADD ("one-pending", test_one_pending);
  ADD ("reset", test_reset);
  ADD ("small-face", test_small_face);
  ADD ("no-model", test_no_model);
  ADD ("failures", test_failures);
  g_test_add_func ("/analyzer/dispose", test_dispose);
  g_test_add_func ("/analyzer/image", test_image);
  return g_test_run ();
}
