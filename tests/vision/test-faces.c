/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "data/mien-demo.h"
#include "mien-test.h"
#include "vision/mien-faces.h"

/* Grey pictures: the three channels alike, so that grey is the value itself. */
static MienImage *
make_grey (int width, int height, const guint8 *values)
{
  MienImage *image = mien_image_new (width, height);

  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) {
      guint8 *p = image->pixels + y * image->stride_bytes + x * 4;

      memset (p, values[y * width + x], 3);
      p[3] = 255;
    }
  return image;
}

static void
assert_crop (const MienImage *image, MienBox box, float margin, int size, const float *expected)
{
  g_autofree float *out = g_new (float, size * size);

  mien_faces_crop (image, &box, margin, size, out);
  for (int i = 0; i < size * size; i++)
    if (!(fabsf (out[i] - expected[i]) < 1e-3f))
      g_error ("pixel %d of %d x %d: %g, expected %g", i, size, size, out[i], expected[i]);
}

static const guint8 ramp[16] = { 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150 };

static void
test_crop_exact (void)
{
  g_autoptr (MienImage) image = make_grey (4, 4, ramp);
  const float same[16] = { 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150 };
  const float halves[4] = { 25, 45, 105, 125 }; /* means of 2 x 2 */
  const float middle[4] = { 50, 60, 90, 100 };

  assert_crop (image, (MienBox) { 0, 0, 4, 4, 0 }, 0, 4, same);
  assert_crop (image, (MienBox) { 0, 0, 4, 4, 0 }, 0, 2, halves);
  assert_crop (image, (MienBox) { 1, 1, 2, 2, 0 }, 0, 2, middle);
  assert_crop (image, (MienBox) { 1, 1, 2, 2, 0 }, .5f, 4, same); /* grown by half a side each way */
  assert_crop (image, (MienBox) { 1.5f, 1, 1, 2, 0 }, 0, 2, middle); /* square around the centre */
}

static void
test_crop_parts (void)
{
  static const guint8 row[3 * 3] = { 0, 90, 240, 0, 90, 240, 0, 90, 240 };
  g_autoptr (MienImage) image = make_grey (3, 3, row);
  /* 3 to 2: (0 + 90 / 2) / 1.5 and (90 / 2 + 240) / 1.5. */
  const float reduced[4] = { 30, 190, 30, 190 };
  /* 3 to 6: centres at -.25, .25, .75, 1.25, 1.75, 2.25 between the pixels. */
  const float enlarged[6] = { 0, 22.5f, 67.5f, 127.5f, 202.5f, 240 };
  float expected[36];

  assert_crop (image, (MienBox) { 0, 0, 3, 3, 0 }, 0, 2, reduced);
  for (int i = 0; i < 36; i++)
    expected[i] = enlarged[i % 6];
  assert_crop (image, (MienBox) { 0, 0, 3, 3, 0 }, 0, 6, expected);
}

static void
test_crop_edges (void)
{
  g_autoptr (MienImage) image = make_grey (4, 4, ramp);
  /* 4 x 4 around the top left corner, reduced to 2 x 2: three quarters repeat the edge. */
  const float corner[4] = { 0, 5, 20, 25 };
  const float outside[4] = { 150, 150, 150, 150 };
  const float left_of[1] = { 60 }; /* x < 0 everywhere: mean of column 0 */

  assert_crop (image, (MienBox) { -2, -2, 4, 4, 0 }, 0, 2, corner);
  assert_crop (image, (MienBox) { 100, 100, 8, 8, 0 }, 0, 2, outside);
  assert_crop (image, (MienBox) { 100, 100, 1, 1, 0 }, 0, 2, outside);
  assert_crop (image, (MienBox) { -50, 0, 4, 4, 0 }, 0, 1, left_of);
}

static void
test_crop_grey (void)
{
  g_autoptr (MienImage) image = mien_image_new (1, 1);
  const float expected[1] = { .114f * 10 + .587f * 100 + .299f * 200 };

  image->pixels[0] = 10;
  image->pixels[1] = 100;
  image->pixels[2] = 200;
  assert_crop (image, (MienBox) { 0, 0, 1, 1, 0 }, 0, 1, expected);
}

static void
test_detectors (void)
{
  g_autoptr (GError) error = NULL;
  const char *const *names = mien_faces_list_detectors ();

  g_assert_cmpstr (names[0], ==, "haar");
  for (int i = 0; names[i] != NULL; i++) {
    g_autoptr (MienFaces) faces = mien_faces_new (names[i], &error);

    g_assert_no_error (error);
    g_assert_nonnull (faces);
  }
  g_assert_null (mien_faces_new ("owl", &error));
  g_assert_error (error, MIEN_FACES_ERROR, MIEN_FACES_ERROR_NO_DETECTOR);
  g_clear_error (&error);

  g_setenv ("MIEN_CASCADE_DIR", "/nonexistent", TRUE);
  g_assert_null (mien_faces_new (NULL, &error));
  g_assert_error (error, MIEN_FACES_ERROR, MIEN_FACES_ERROR_NO_DETECTOR);
  g_assert_nonnull (strstr (error->message, "opencv-data"));
  g_clear_error (&error);
  {
    g_autofree char *folder = mien_test_make_dir (), *sub = g_build_filename (folder, "haarcascades", NULL);
    g_autofree char *path = g_build_filename (sub, "haarcascade_frontalface_alt2.xml", NULL);

    g_mkdir_with_parents (sub, 0700);
    g_file_set_contents (path, "<?xml version=\"1.0\"?>\n<opencv_storage><broken", -1, NULL);
    g_setenv ("MIEN_CASCADE_DIR", folder, TRUE);
    g_assert_null (mien_faces_new (NULL, &error));
    g_assert_error (error, MIEN_FACES_ERROR, MIEN_FACES_ERROR_NO_DETECTOR);
    mien_test_remove_dir (folder);
  }
  g_unsetenv ("MIEN_CASCADE_DIR");
}

static void
test_no_face (void)
{
  static const int sizes[][2] = { { 1, 1 }, { 1, 500 }, { 500, 1 }, { 20, 20 }, { 24, 24 }, { 48, 48 }, { 33, 128 }, { 640, 480 } };
  GRand *random = g_rand_new_with_seed (1);

  for (const char *const *name = mien_faces_list_detectors (); *name != NULL; name++) {
    g_autoptr (MienFaces) faces = mien_faces_new (*name, NULL);

    for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
      for (int min_size = 1; min_size < 400; min_size *= 6) {
        g_autoptr (MienImage) image = mien_image_new (sizes[i][0], sizes[i][1]);
        g_autoptr (GError) error = NULL;
        g_autoptr (GArray) boxes = NULL;

        for (gsize k = 0; k < (gsize) image->stride_bytes * (gsize) image->height; k++)
          image->pixels[k] = (guint8) g_rand_int (random);
        mien_faces_set_min_size (faces, min_size);
        boxes = mien_faces_detect (faces, image, &error);
        g_assert_no_error (error);
        g_assert_cmpuint (boxes->len, ==, 0);
      }
  }
  g_rand_free (random);
}

/* A photo with one large face, at several sizes and smallest sizes: always that face. */
/* Where a whole look sees the demo's face, following does, from starts that are off by a third of its size or a quarter too large. */
static void
test_follow (void)
{
  static const struct { float dx, dy, size; } starts[] = { { 0, 0, 1 }, { .3f, 0, 1 }, { -.2f, .2f, 1 }, { 0, 0, 1.25f }, { 0, 0, .8f } };
  g_autoptr (MienFaces) faces = mien_faces_new (NULL, NULL);
  g_autoptr (MienImage) frame = mien_image_new (MIEN_DEMO_WIDTH, MIEN_DEMO_HEIGHT), grey = mien_image_new (640, 480);
  g_autoptr (MienDemo) demo = mien_demo_new (NULL);
  g_autoptr (GError) error = NULL;
  MienBox found[7];

  mien_demo_render (demo, 500000, frame->pixels, frame->stride_bytes);
  g_autoptr (GArray) whole = mien_faces_detect (faces, frame, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (whole->len, ==, 1);
  const MienBox truth = g_array_index (whole, MienBox, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (starts); i++) {
    const float size = truth.width * starts[i].size;
    const MienBox start = { truth.x + (truth.width - size) / 2 + starts[i].dx * size, truth.y + (truth.height - size) / 2 + starts[i].dy * size, size, size, 1 };
    g_assert_true (mien_faces_follow (faces, frame, &start, 1, found, &error));
    g_assert_cmpfloat (found[0].score, >, 0);
    g_assert_cmpfloat (mien_box_iou (&found[0], &truth), >, .65);
  }
  /* Elsewhere, outside, of no size, and in an empty frame there is nothing. */
  const MienBox nothing[] = { { 0, 0, 60, 60, 1 }, { -500, 3, 90, 90, 1 }, { 1e6f, 1e6f, 50, 50, 1 }, { 30, 30, 0, 0, 1 }, { 639, 479, 1, 1, 1 }, truth };
  g_assert_true (mien_faces_follow (faces, frame, nothing, 5, found, &error));
  for (int i = 0; i < 5; i++)
    g_assert_cmpfloat (found[i].score, ==, 0);
  memset (grey->pixels, 128, (gsize) grey->stride_bytes * 480);
  g_assert_true (mien_faces_follow (faces, grey, nothing, 6, found, &error));
  for (int i = 0; i < 6; i++)
    g_assert_cmpfloat (found[i].score, ==, 0);
  g_assert_true (mien_faces_follow (faces, grey, NULL, 0, NULL, &error));
}

static void
test_photo (void)
{
  g_autofree char *path = mien_test_shared ("photos/08_happy.png");
  g_autoptr (GFile) file = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (MienImage) image = NULL;
  g_autoptr (MienFaces) faces = NULL;
  MienBox first = { 0 };

  if (path == NULL)
    return;
  file = g_file_new_for_path (path);
  image = mien_image_load (file, NULL, &error);
  g_assert_no_error (error);
  faces = mien_faces_new (NULL, &error);
  g_assert_no_error (error);
  for (int min_size = 24; min_size <= image->height / 6; min_size += 10) {
    g_autoptr (GArray) boxes = NULL;

    mien_faces_set_min_size (faces, min_size);
    boxes = mien_faces_detect (faces, image, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (boxes->len, ==, 1);
    if (first.width > 0)
      g_assert_cmpfloat (mien_box_iou (&first, &g_array_index (boxes, MienBox, 0)), >, .7);
    else
      first = g_array_index (boxes, MienBox, 0);
  }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/faces/crop/exact", test_crop_exact);
  g_test_add_func ("/faces/crop/parts", test_crop_parts);
  g_test_add_func ("/faces/crop/edges", test_crop_edges);
  g_test_add_func ("/faces/crop/grey", test_crop_grey);
  g_test_add_func ("/faces/detectors", test_detectors);
  g_test_add_func ("/faces/no-face", test_no_face);
  g_test_add_func ("/faces/follow", test_follow);
  g_test_add_func ("/faces/photo", test_photo);
  return g_test_run ();
}
