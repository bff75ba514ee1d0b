/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The worker behind the layers' maps: once ready, the newest face wins, nothing happens while it is not active, and another model
 * makes it begin again. */
#include "layers/mien-map-worker.h"

#include "mien-test-model.h"
#include "mien-ui-test.h"

typedef struct {
  int n_ready, n_layers, n_activations, n_failed;
  float last; /* first pixel of the face that was shown last */
} Seen;

static void
ready_cb (MienMapWorker *worker, const MienMaps *maps, GPtrArray *layers, Seen *seen)
{
  seen->n_ready++;
  seen->n_layers = mien_maps_get_n_layers (maps);
}

static void
activations_cb (MienMapWorker *worker, MienActivations *activations, Seen *seen)
{
  int size;

  g_assert_cmpint (seen->n_ready, >, 0);
  seen->n_activations++;
  seen->last = mien_activations_get_pixels (activations, &size)[0];
  g_assert_cmpint (size, ==, 8);
}

static void
failed_cb (MienMapWorker *worker, const GError *error, Seen *seen)
{
  seen->n_failed++;
}

static MienMapWorker *
make_worker (Seen *seen)
{
  MienMapWorker *worker = mien_map_worker_new ();

  g_signal_connect (worker, "ready", G_CALLBACK (ready_cb), seen);
  g_signal_connect (worker, "activations", G_CALLBACK (activations_cb), seen);
  g_signal_connect (worker, "failed", G_CALLBACK (failed_cb), seen);
  return worker;
}

static void
set_face (MienMapWorker *worker, float value)
{
  float pixels[64];

  for (int i = 0; i < 64; i++)
    pixels[i] = value;
  mien_map_worker_set_face (worker, pixels);
}

static void
test_newest_wins (void)
{
  Seen seen = { 0 };
  MienMapWorker *worker = make_worker (&seen);
  g_autoptr (MienModel) model = mien_test_model ();

  mien_map_worker_set_active (worker, TRUE);
  mien_map_worker_set_model (worker, model);
  for (int i = 1; i <= 9; i++)
    set_face (worker, i); /* the first goes to the thread or waits, the last always waits for its turn */
  mien_ui_wait (seen.last == 9);
  mien_ui_settle (30);
  g_assert_cmpint (seen.n_ready, ==, 1);
  g_assert_cmpint (seen.n_layers, ==, 2);
  g_assert_cmpint (seen.n_activations, >=, 1);
  g_assert_cmpint (seen.n_activations, <=, 2);
  g_assert_cmpint (seen.n_failed, ==, 0);
  g_assert_finalize_object (worker);
}

static void
test_only_while_active (void)
{
  Seen seen = { 0 };
  MienMapWorker *worker = make_worker (&seen);
  g_autoptr (MienModel) model = mien_test_model ();

  mien_map_worker_set_model (worker, model);
  set_face (worker, 3);
  mien_ui_settle (30);
  g_assert_cmpint (seen.n_ready, ==, 0);
  mien_map_worker_set_active (worker, TRUE);
  mien_ui_wait (seen.last == 3);
  mien_map_worker_set_active (worker, FALSE);
  set_face (worker, 4);
  mien_ui_settle (30);
  g_assert_cmpfloat (seen.last, ==, 3);
  set_face (worker, 5);
  mien_map_worker_set_face (worker, NULL); /* forgotten */
  mien_map_worker_set_active (worker, TRUE);
  mien_ui_settle (30);
  g_assert_cmpfloat (seen.last, ==, 3);
  g_assert_cmpint (seen.n_activations, ==, 1);
  g_assert_finalize_object (worker);
}

static void
test_other_model (void)
{
  Seen seen = { 0 };
  MienMapWorker *worker = make_worker (&seen);
  g_autoptr (MienModel) model = mien_test_model (), other = mien_test_model ();

  mien_map_worker_set_active (worker, TRUE);
  mien_map_worker_set_model (worker, model);
  set_face (worker, 3);
  mien_map_worker_set_model (worker, other); /* before the thread is done with the first */
  g_assert_true (mien_map_worker_get_model (worker) == other);
  mien_ui_wait (seen.n_ready == 1);
  mien_ui_settle (30);
  g_assert_cmpint (seen.n_activations, ==, 0); /* that face was meant for the other */
  set_face (worker, 7);
  mien_ui_wait (seen.last == 7);
  mien_map_worker_set_model (worker, NULL);
  mien_ui_settle (30);
  g_assert_cmpint (seen.n_ready, ==, 1);
  g_assert_finalize_object (worker);
}

int
main (int argc, char **argv)
{
  mien_ui_init (&argc, &argv);
  g_test_add_func ("/map-worker/newest-wins", test_newest_wins);
  g_test_add_func ("/map-worker/only-while-active", test_only_while_active);
  g_test_add_func ("/map-worker/other-model", test_other_model);
  return g_test_run ();
}
