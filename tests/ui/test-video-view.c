/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where faces stand in the widget. Expected places are worked out by hand: a picture of 640 x 480 in a widget of 800 x 480
 * keeps its size and leaves 80 on both sides; in 320 x 400 it is halved and leaves 80 above and below. */
#include <adwaita.h>

#include "live/mien-view-map.h"

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
  return g_test_run ();
}
