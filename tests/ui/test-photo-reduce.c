/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reducing photos: means worked out by hand on a picture of 5 x 4. */
#include "photo/mien-photo-reduce.h"

static void
test_means (void)
{
  MienImage *image = mien_image_new (5, 4);
  MienImage *small, *same;

  for (int y = 0; y < 4; y++) {
    for (int x = 0; x < 5; x++) {
      guint8 *pixel = image->pixels + y * image->stride_bytes + x * 4;

      pixel[0] = 10 * x;
      pixel[1] = 100 * (y / 2);
      pixel[2] = x == 0 && y == 0 ? 255 : 0;
      pixel[3] = 255;
    }
  }
  small = mien_photo_reduce (image, 2); /* 5 / 2 = 2: pairs; the fifth column is left over */
  g_assert_cmpint (small->width, ==, 2);
  g_assert_cmpint (small->height, ==, 2);
  g_assert_cmpint (small->pixels[0], ==, 5);      /* (0 + 10) / 2 */
  g_assert_cmpint (small->pixels[4], ==, 25);     /* (20 + 30) / 2 */
  g_assert_cmpint (small->pixels[2], ==, 64);     /* 255 / 4 = 63.75 */
  g_assert_cmpint (small->pixels[3], ==, 255);
  g_assert_cmpint (small->pixels[small->stride_bytes + 1], ==, 100);
  mien_image_unref (small);

  same = mien_photo_reduce (image, 3); /* 5 / 3 = 1 */
  g_assert_true (same == image);
  mien_image_unref (same);
  mien_image_unref (image);
}

static void
test_long (void)
{
  MienImage *image = mien_image_new (900, 1); /* cannot become less than one pixel high */
  MienImage *same = mien_photo_reduce (image, 100);

  g_assert_true (same == image);
  mien_image_unref (same);
  mien_image_unref (image);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/photo-reduce/means", test_means);
  g_test_add_func ("/photo-reduce/long", test_long);
  return g_test_run ();
}
