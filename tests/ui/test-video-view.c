/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where faces stand in the widget. Expected places are worked out by hand: a picture of 640 x 480 in a widget of 800 x 480
 * keeps its size and leaves 80 on both sides; in 320 x 400 it is halved and leaves 80 above and below. */
#include <adwaita.h>

#include "live/mien-face-mark.h"
#include "live/mien-video-view.h"
#include "live/mien-view-map.h"
#include "mien-test-model.h"
#include "mien-ui-test.h"

static void
check_box (const MienViewMap *map, const MienBox *box, float x, float y, float width, float height)
{
  graphene_rect_t rect;

  mien_view_map_box (map, box, &rect);
  g_assert_cmpfloat_with_epsilon (rect.origin.x, x, 1e-4);
  g_assert_cmpfloat_with_epsilon (rect.origin.y, y, 1e-4);
  g_assert_cmpfloat_with_epsilon (rect.size.width, width, 1e-4);
  g_assert_cmpfloat_with_epsilon (rect.size.height, height, 1e-4);
}

static void
test_wide (void)
{
  const MienBox box = { 100, 50, 200, 120, 1 };
  MienViewMap map;

  mien_view_map_init (&map, 640, 480, 800, 480, FALSE);
  check_box (&map, &box, 180, 50, 200, 120);
  mien_view_map_init (&map, 640, 480, 800, 480, TRUE); /* 640 - 100 - 200 = 340 from the left */
  check_box (&map, &box, 420, 50, 200, 120);
}

static void
test_tall (void)
{
  const MienBox box = { 100, 50, 200, 120, 1 };
  MienViewMap map;

  mien_view_map_init (&map, 640, 480, 320, 400, FALSE);
  check_box (&map, &box, 50, 105, 100, 60);
  mien_view_map_init (&map, 640, 480, 320, 400, TRUE);
  check_box (&map, &box, 170, 105, 100, 60);
}

static void
test_point (void)
{
  MienViewMap map;
  double x, y;

  mien_view_map_init (&map, 640, 480, 320, 400, FALSE);
  g_assert_true (mien_view_map_point (&map, 50, 105, &x, &y));
  g_assert_cmpfloat_with_epsilon (x, 100, 1e-9);
  g_assert_cmpfloat_with_epsilon (y, 50, 1e-9);
  g_assert_false (mien_view_map_point (&map, 50, 79, &x, &y));
  g_assert_false (mien_view_map_point (&map, 50, 320, &x, &y));
  g_assert_false (mien_view_map_point (&map, 320, 105, &x, &y));

  mien_view_map_init (&map, 640, 480, 320, 400, TRUE);
  g_assert_true (mien_view_map_point (&map, 50, 105, &x, &y));
  g_assert_cmpfloat_with_epsilon (x, 540, 1e-9);
}

/* A box's corner, mapped and mapped back, is where it was, whatever the sizes. */
static void
test_there_and_back (void)
{
  for (int i = 0; i < 200; i++) {
    MienBox box = { g_test_rand_int_range (0, 500), g_test_rand_int_range (0, 300), g_test_rand_int_range (1, 100),
                    g_test_rand_int_range (1, 100), 1 };
    gboolean mirrored = g_test_rand_int_range (0, 2);
    MienViewMap map;
    graphene_rect_t rect;
    double x, y;

    mien_view_map_init (&map, 640, 480, g_test_rand_int_range (20, 2000), g_test_rand_int_range (20, 2000), mirrored);
    mien_view_map_box (&map, &box, &rect);
    g_assert_true (mien_view_map_point (&map, rect.origin.x + rect.size.width / 2, rect.origin.y + rect.size.height / 2, &x, &y));
    g_assert_cmpfloat_with_epsilon (x, box.x + box.width / 2, .05);
    g_assert_cmpfloat_with_epsilon (y, box.y + box.height / 2, .05);
  }
}

static void
test_nothing (void)
{
  const MienBox box = { 1, 2, 3, 4, 1 };
  MienViewMap map;
  double x, y;

  mien_view_map_init (&map, 0, 480, 320, 400, FALSE);
  check_box (&map, &box, 0, 0, 0, 0);
  g_assert_false (mien_view_map_point (&map, 0, 0, &x, &y));
  mien_view_map_init (&map, 640, 480, 0, 400, TRUE);
  g_assert_false (mien_view_map_point (&map, 0, 0, &x, &y));
}

/* Faces of the given tracks, from left to right; each is larger than the one before. */
static MienResult *
make_result (MienModel *model, const int *tracks, int n)
{
  MienResult *result = mien_result_new (model, n);

  result->width = 640;
  result->height = 480;
  for (int i = 0; i < n; i++) {
    result->faces[i].track = tracks[i];
    result->faces[i].box = (MienBox) { 100 * i, 50, 40 + 10 * i, 40 + 10 * i, 1 };
    result->faces[i].label = i % 3;
    result->faces[i].confidence = .75f;
  }
  return result;
}

static void
count_cb (int *count)
{
  (*count)++;
}

static void
test_chosen (void)
{
  MienVideoView *view = MIEN_VIDEO_VIEW (g_object_ref_sink (mien_video_view_new ()));
  g_autoptr (MienModel) model = mien_test_model ();
  g_autoptr (MienImage) frame = mien_image_new (640, 480);
  g_autoptr (MienResult) three = make_result (model, (const int[]) { 5, 8, 2 }, 3);
  g_autoptr (MienResult) without = make_result (model, (const int[]) { 5, 2 }, 2);
  g_autoptr (MienResult) none = make_result (model, NULL, 0);
  int notified = 0;

  g_signal_connect_swapped (view, "notify::chosen-face", G_CALLBACK (count_cb), &notified);
  mien_video_view_set_frame (view, frame);
  g_assert_cmpint (mien_video_view_get_chosen_index (view), ==, -1);
  g_assert_false (mien_video_view_step_face (view, 1));

  mien_video_view_set_result (view, three); /* the largest */
  g_assert_cmpint (mien_video_view_get_chosen_face (view), ==, 2);
  g_assert_cmpint (notified, ==, 1);
  g_assert_true (mien_video_view_step_face (view, 1)); /* round the end */
  g_assert_cmpint (mien_video_view_get_chosen_face (view), ==, 5);
  g_object_set (view, "chosen-face", 8, NULL);
  g_object_set (view, "chosen-face", 8, NULL);
  g_assert_cmpint (notified, ==, 3);
  g_assert_cmpint (mien_video_view_get_chosen_index (view), ==, 1);

  /* Missed for a moment: still the chosen one; gone for longer: the largest again. */
  mien_video_view_set_result (view, without);
  g_assert_cmpint (mien_video_view_get_chosen_face (view), ==, 8);
  g_assert_cmpint (mien_video_view_get_chosen_index (view), ==, -1);
  g_usleep (700 * 1000);
  mien_video_view_set_result (view, none);
  g_assert_cmpint (mien_video_view_get_chosen_face (view), ==, 0);
  mien_video_view_set_result (view, without);
  g_assert_cmpint (mien_video_view_get_chosen_face (view), ==, 2);

  mien_video_view_set_mirrored (view, TRUE); /* right as seen is left in the picture */
  g_assert_true (mien_video_view_step_face (view, 1));
  g_assert_cmpint (mien_video_view_get_chosen_face (view), ==, 5);
  mien_video_view_set_frame (view, NULL);
  g_assert_null (mien_video_view_get_result (view));
  g_assert_cmpint (mien_video_view_get_chosen_face (view), ==, 0);
  g_assert_finalize_object (view);
}

/* Every face is a child with a name, in its place; the result may be of a smaller picture than the frame. */
static void
test_marks (void)
{
  GtkWidget *window = gtk_window_new (), *view = mien_video_view_new ();
  g_autoptr (MienModel) model = mien_test_model ();
  g_autoptr (MienImage) frame = mien_image_new (1280, 960);
  g_autoptr (MienResult) result = make_result (model, (const int[]) { 1, 2 }, 2);
  GtkWidget *mark;
  graphene_rect_t bounds;

  gtk_widget_set_size_request (view, 640, 480);
  gtk_window_set_child (GTK_WINDOW (window), view);
  mien_video_view_set_frame (MIEN_VIDEO_VIEW (view), frame);
  mien_video_view_set_result (MIEN_VIDEO_VIEW (view), result);
  gtk_window_present (GTK_WINDOW (window));
  mien_ui_wait (gtk_widget_get_width (view) == 640 && mien_ui_count (view, MIEN_TYPE_FACE_MARK) == 2);
  mien_ui_settle (200);

  mark = gtk_widget_get_last_child (view);
  g_assert_true (gtk_widget_compute_bounds (mark, view, &bounds));
  g_assert_cmpfloat_with_epsilon (bounds.origin.x, 100, 1);
  g_assert_cmpfloat_with_epsilon (bounds.origin.y, 50, 1);
  g_assert_cmpfloat_with_epsilon (bounds.size.width, 50, 1);
  g_assert_null (gtk_test_accessible_check_property (GTK_ACCESSIBLE (mark), GTK_ACCESSIBLE_PROPERTY_LABEL, "Face 2: Sad, 75%"));
  g_assert_true (mien_face_mark_is_chosen (MIEN_FACE_MARK (mark)));

  mien_video_view_set_result (MIEN_VIDEO_VIEW (view), NULL);
  g_assert_cmpint (mien_ui_count (view, MIEN_TYPE_FACE_MARK), ==, 0);
  gtk_window_destroy (GTK_WINDOW (window));
}

int
main (int argc, char *argv[])
{
  gtk_test_init (&argc, &argv, NULL);
  adw_init ();
  g_test_add_func ("/video-view/map/wide", test_wide);
  g_test_add_func ("/video-view/map/tall", test_tall);
  g_test_add_func ("/video-view/map/point", test_point);
  g_test_add_func ("/video-view/map/there-and-back", test_there_and_back);
  g_test_add_func ("/video-view/map/nothing", test_nothing);
  g_test_add_func ("/video-view/chosen", test_chosen);
  g_test_add_func ("/video-view/marks", test_marks);
  return g_test_run ();
}
