/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <glib/gstdio.h>
#include <zlib.h>

#include "mien-test.h"
#include "vision/mien-decode.h"
#include "vision/mien-image.h"

static MienImage *
load (const char *path, GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);

  return mien_image_load (file, NULL, error);
}

static MienImage *
load_bytes (const void *data, gsize n_bytes, GError **error)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, n_bytes);

  return mien_image_load_bytes (bytes, "picture", NULL, error);
}

static void
assert_pixel (const MienImage *image, int x, int y, guint blue, guint green, guint red)
{
  const guint8 *p = image->pixels + y * image->stride_bytes + x * 4;

  g_assert_cmpuint (p[0], ==, blue);
  g_assert_cmpuint (p[1], ==, green);
  g_assert_cmpuint (p[2], ==, red);
  g_assert_cmpuint (p[3], ==, 255);
}

/* One sentence with the file's name, nothing a person could not read. */
static void
assert_sentence (const GError *error, const char *name)
{
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, name));
  g_assert_true (g_str_has_suffix (error->message, "."));
  g_assert_null (strchr (error->message, '\n'));
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_cmpuint (strlen (error->message), <, 500);
}

static void
test_new (void)
{
  static int freed;
  guint8 pixels[4 * 4 * 3] = { 0 };
  MienImage *image;

  g_assert_null (mien_image_new (0, 5));
  g_assert_null (mien_image_new (5, -1));
  g_assert_null (mien_image_new (1 << 15, (1 << 13) + 1));
  image = mien_image_new (3, 2);
  g_assert_cmpint (image->stride_bytes, >=, 12);
  g_assert_cmpuint (image->pixels[0], ==, 0);
  g_assert_true (mien_image_ref (image) == image);
  mien_image_unref (image);
  mien_image_unref (image);

  freed = 0;
  image = mien_image_new_take (3, 3, 16, pixels, (GDestroyNotify) g_atomic_int_inc, &freed);
  mien_image_ref (image);
  mien_image_unref (image);
  g_assert_cmpint (freed, ==, 0);
  mien_image_unref (image);
  g_assert_cmpint (freed, ==, 1);
}

/* 2 x 2, 24 bits, bottom row first, rows padded to 4 bytes. */
static const guint8 bmp_2x2[] = {
  'B', 'M', 70, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 24, 0, 0, 0, 0, 0, 16, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* */ 1, 2, 3, 4, 5, 6, 0, 0, /* */ 7, 8, 9, 10, 11, 12, 0, 0,
};

static void
test_pixels (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MienImage) image = load_bytes (bmp_2x2, sizeof bmp_2x2, &error);

  g_assert_no_error (error);
  g_assert_cmpint (image->width, ==, 2);
  g_assert_cmpint (image->height, ==, 2);
  assert_pixel (image, 0, 0, 7, 8, 9);
  assert_pixel (image, 1, 0, 10, 11, 12);
  assert_pixel (image, 0, 1, 1, 2, 3);
  assert_pixel (image, 1, 1, 4, 5, 6);
}

static void
test_save (void)
{
  g_autofree char *folder = mien_test_make_dir (), *path = g_build_filename (folder, "a b\nü'.png", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienImage) image = mien_image_new (37, 5), again = NULL;

  for (int y = 0; y < image->height; y++)
    for (int x = 0; x < image->width; x++)
      for (int c = 0; c < 4; c++)
        image->pixels[y * image->stride_bytes + x * 4 + c] = (guint8) (c == 3 ? 255 : x * 7 + y * 31 + c * 83);
  g_assert_true (mien_image_save_png (image, path, &error));
  again = load (path, &error);
  g_assert_no_error (error);
  g_assert_cmpint (again->width, ==, 37);
  g_assert_cmpint (again->height, ==, 5);
  for (int y = 0; y < image->height; y++)
    g_assert_cmpmem (again->pixels + y * again->stride_bytes, 37 * 4, image->pixels + y * image->stride_bytes, 37 * 4);

  g_assert_false (mien_image_save_png (image, "/nonexistent/folder/a.png", &error));
  assert_sentence (error, "a.png");
  mien_test_remove_dir (folder);
}

/* A TIFF of one row, red then blue, with the given orientation. */
static gsize
make_tiff (guint8 *out, guint8 orientation)
{
  static const guint8 head[] = { 'I', 'I', '*', 0, 8, 0, 0, 0, 10, 0 };
  const struct { guint16 tag, type; guint32 count, value; } entries[] = {
    { 256, 3, 1, 2 }, { 257, 3, 1, 1 }, { 258, 3, 3, 140 }, { 259, 3, 1, 1 }, { 262, 3, 1, 2 }, { 273, 4, 1, 134 },
    { 274, 3, 1, orientation }, { 277, 3, 1, 3 }, { 278, 3, 1, 1 }, { 279, 4, 1, 6 },
  };
  static const guint8 tail[] = { 0, 0, 0, 0, 255, 0, 0, 0, 0, 255, 8, 0, 8, 0, 8, 0 };

  memcpy (out, head, sizeof head);
  out += sizeof head;
  for (gsize i = 0; i < G_N_ELEMENTS (entries); i++, out += 12) {
    memcpy (out, &entries[i].tag, 2);
    memcpy (out + 2, &entries[i].type, 2);
    memcpy (out + 4, &entries[i].count, 4);
    memcpy (out + 8, &entries[i].value, 4);
  }
  memcpy (out, tail, sizeof tail);
  return sizeof head + 120 + sizeof tail;
}

static void
test_orientation (void)
{
  static const gboolean red_first[] = { TRUE, TRUE, FALSE, FALSE, TRUE, TRUE, TRUE, FALSE, FALSE };

  for (int orientation = 1; orientation <= 8; orientation++) {
    guint8 data[256];
    g_autoptr (GError) error = NULL;
    g_autoptr (MienImage) image = load_bytes (data, make_tiff (data, (guint8) orientation), &error);
    const gboolean upright = orientation >= 5, red = red_first[orientation];

    g_assert_no_error (error);
    g_assert_cmpint (image->width, ==, upright ? 1 : 2);
    g_assert_cmpint (image->height, ==, upright ? 2 : 1);
    assert_pixel (image, 0, 0, red ? 0 : 255, 0, red ? 255 : 0);
    assert_pixel (image, upright ? 0 : 1, upright ? 1 : 0, red ? 255 : 0, 0, red ? 0 : 255);
  }
}

static void
append_chunk (GByteArray *png, const char *name, const guint8 *data, guint32 n)
{
  const guint32 size = GUINT32_TO_BE (n);
  guint32 crc = (guint32) crc32 (0, (const guint8 *) name, 4);

  if (n > 0)
    crc = (guint32) crc32 (crc, data, n);
  crc = GUINT32_TO_BE (crc);
  g_byte_array_append (png, (const guint8 *) &size, 4);
  g_byte_array_append (png, (const guint8 *) name, 4);
  if (n > 0)
    g_byte_array_append (png, data, n);
  g_byte_array_append (png, (const guint8 *) &crc, 4);
}

/* 2 x 1, red at half alpha, then blue. */
static GByteArray *
make_png (guint8 orientation, gboolean good_checksum)
{
  static const guint8 signature[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
  static const guint8 header[] = { 0, 0, 0, 2, 0, 0, 0, 1, 8, 6, 0, 0, 0 };
  const guint8 exif[] = { 'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0 };
  static const guint8 pixels[] = { 0, 255, 0, 0, 128, 0, 0, 255, 255 };
  guint8 packed[64];
  uLongf n_packed = sizeof packed;
  GByteArray *png = g_byte_array_new ();

  g_assert_cmpint (compress (packed, &n_packed, pixels, sizeof pixels), ==, Z_OK);
  if (!good_checksum)
    packed[n_packed - 1] ^= 1;
  g_byte_array_append (png, signature, sizeof signature);
  append_chunk (png, "IHDR", header, sizeof header);
  append_chunk (png, "eXIf", exif, sizeof exif);
  append_chunk (png, "IDAT", packed, (guint32) n_packed);
  append_chunk (png, "IEND", NULL, 0);
  return png;
}

static void
test_png (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) good = make_png (1, TRUE), turned = make_png (6, TRUE), bad = make_png (1, FALSE);
  g_autoptr (MienImage) image = load_bytes (good->data, good->len, &error), upright = NULL;

  g_assert_no_error (error);
  g_assert_cmpint (image->width, ==, 2);
  assert_pixel (image, 0, 0, 127, 127, 255); /* on white */
  assert_pixel (image, 1, 0, 255, 0, 0);
  upright = load_bytes (turned->data, turned->len, &error);
  g_assert_no_error (error);
  g_assert_cmpint (upright->width, ==, 1);
  g_assert_cmpint (upright->height, ==, 2);
  assert_pixel (upright, 0, 1, 255, 0, 0);
  g_assert_null (load_bytes (bad->data, bad->len, &error));
  g_assert_error (error, MIEN_IMAGE_ERROR, MIEN_IMAGE_ERROR_DAMAGED);
  assert_sentence (error, "picture");
}

static void
test_reduced (void)
{
  g_autoptr (GByteArray) data = g_byte_array_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (MienImage) image = NULL;

  g_byte_array_append (data, (const guint8 *) "P5 20000 3 255\n", 15);
  for (int i = 0; i < 60000; i++)
    g_byte_array_append (data, (const guint8 *) "\x40", 1);
  image = load_bytes (data->data, data->len, &error);
  g_assert_no_error (error);
  g_assert_cmpint (image->width, ==, MIEN_IMAGE_MAX_SIDE);
  g_assert_cmpint (image->height, ==, 1);
  assert_pixel (image, 5000, 0, 0x40, 0x40, 0x40);
}

static void
assert_refused (const void *data, gsize n_bytes, MienImageError code)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (load_bytes (data, n_bytes, &error));
  g_assert_error (error, MIEN_IMAGE_ERROR, (int) code);
  assert_sentence (error, "picture");
}

static void
test_refused (void)
{
  static const char svg[] = "<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>";
  static const char bomb[] = "P5 30000 30000 255\n";
  guint8 huge[sizeof bmp_2x2];

  assert_refused ("", 0, MIEN_IMAGE_ERROR_DAMAGED);
  assert_refused ("hello", 5, MIEN_IMAGE_ERROR_DAMAGED);
  assert_refused (svg, strlen (svg), MIEN_IMAGE_ERROR_UNSUPPORTED);
  assert_refused ("%PDF-1.7\n", 9, MIEN_IMAGE_ERROR_UNSUPPORTED);
  assert_refused ("\xff\xd8\xff\xe0", 4, MIEN_IMAGE_ERROR_DAMAGED);
  assert_refused (bomb, strlen (bomb), MIEN_IMAGE_ERROR_TOO_LARGE);
  memcpy (huge, bmp_2x2, sizeof huge);
  huge[20] = 1; /* 65538 wide */
  assert_refused (huge, sizeof huge, MIEN_IMAGE_ERROR_DAMAGED);
}

static void
test_files (void)
{
  g_autofree char *folder = mien_test_make_dir (), *pipe_path = g_build_filename (folder, "pipe.png", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GFile) none = g_file_new_build_filename (folder, "none.png", NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  g_assert_null (load (folder, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY);
  g_clear_error (&error);
  g_assert_null (mien_image_load (none, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  assert_sentence (error, "none.png");
  g_clear_error (&error);
  g_assert_cmpint (mkfifo (pipe_path, 0600), ==, 0);
  g_assert_null (load (pipe_path, &error)); /* and does not wait for a writer */
  assert_sentence (error, "pipe.png");
  g_clear_error (&error);
  g_cancellable_cancel (cancellable);
  g_assert_null (mien_image_load (none, cancellable, &error));
  g_assert_nonnull (error);
  mien_test_remove_dir (folder);
}

/* A decoder that was taken over, or is not ours. */
static void
use_decoder (const char *folder, const char *script)
{
  g_autofree char *path = g_build_filename (folder, "mien-decode", NULL);
  g_autoptr (GError) error = NULL;

  g_unlink (path); /* a shell that still reads the one before must not see this one */
  g_file_set_contents_full (path, script, -1, G_FILE_SET_CONTENTS_NONE, 0700, &error);
  g_assert_no_error (error);
  g_setenv ("MIEN_LIBEXECDIR", folder, TRUE);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (200 * 1000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_hostile_decoder (void)
{
  static const char *const answers[] = {
    "#!/bin/sh\nexit 0\n",
    "#!/bin/sh\nkill -SEGV $$\n",
    "#!/bin/sh\necho something else; yes\n",
    "#!/bin/sh\nprintf 'MIEN\\0\\0\\0\\0\\377\\377\\377\\377\\377\\377\\377\\377'; head -c 256 /dev/zero; yes\n", /* 2^32 - 1 wide */
    "#!/bin/sh\nprintf 'MIEN\\0\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0'; head -c 256 /dev/zero\n",                  /* 0 wide */
    "#!/bin/sh\nprintf 'MIEN\\0\\0\\0\\0\\2\\0\\0\\0\\2\\0\\0\\0'; head -c 260 /dev/zero\n",                  /* a row missing */
    "#!/bin/sh\nprintf 'MIEN\\377\\0\\0\\0'; head -c 264 /dev/zero\n",
    "#!/bin/sh\nprintf 'MIEN\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0'; yes | head -c 256\n", /* text without an end */
  };
  g_autofree char *folder = mien_test_make_dir ();

  for (gsize i = 0; i < G_N_ELEMENTS (answers); i++) {
    g_autoptr (GError) error = NULL;

    use_decoder (folder, answers[i]);
    g_test_message ("answer %zu", i);
    g_assert_null (load_bytes (bmp_2x2, sizeof bmp_2x2, &error));
    g_assert_error (error, MIEN_IMAGE_ERROR, MIEN_IMAGE_ERROR_DAMAGED);
    if (i < G_N_ELEMENTS (answers) - 1)
      assert_sentence (error, "picture");
  }
  {
    g_autoptr (GError) error = NULL;
    g_autoptr (GCancellable) cancellable = g_cancellable_new ();
    g_autoptr (GBytes) bytes = g_bytes_new_static (bmp_2x2, sizeof bmp_2x2);
    GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);
    const gint64 start_us = g_get_monotonic_time ();

    use_decoder (folder, "#!/bin/sh\nexec sleep 1000\n");
    g_assert_null (mien_image_load_bytes (bytes, "picture", cancellable, &error));
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_assert_cmpint (g_get_monotonic_time () - start_us, <, 5 * G_USEC_PER_SEC);
    g_thread_join (thread);
  }
  {
    g_autoptr (GError) error = NULL;

    use_decoder (folder, "#!/bin/sh\nkill -XCPU $$\n"); /* what the limit on processor time does */
    g_assert_null (load_bytes (bmp_2x2, sizeof bmp_2x2, &error));
    g_assert_error (error, MIEN_IMAGE_ERROR, MIEN_IMAGE_ERROR_TOO_LARGE);
    assert_sentence (error, "picture");
  }
  {
    g_autoptr (GError) error = NULL;

    g_setenv ("MIEN_LIBEXECDIR", "/nonexistent", TRUE);
    g_assert_null (load_bytes (bmp_2x2, sizeof bmp_2x2, &error));
    assert_sentence (error, "/nonexistent/mien-decode");
  }
  g_unsetenv ("MIEN_LIBEXECDIR");
  mien_test_remove_dir (folder);
}

/* The rights that mien-decode has while it waits for a file. */
static void
test_limits (void)
{
  static const struct { const char *name; guint64 soft; } limits[] = {
    { "Max cpu time", MIEN_IMAGE_TIME_LIMIT_S }, { "Max file size", 0 }, { "Max core file size", 0 },
#ifndef __SANITIZE_ADDRESS__
    { "Max address space", MIEN_DECODE_MAX_MEMORY },
#endif
  };
  g_autofree char *decoder = g_build_filename (g_getenv ("MIEN_BUILD_ROOT") != NULL ? g_getenv ("MIEN_BUILD_ROOT") : "_build", "src/vision/mien-decode", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, decoder, NULL);
  g_autofree char *path = NULL;
  gboolean all = FALSE;

  g_assert_no_error (error);
  path = g_strdup_printf ("/proc/%s/limits", g_subprocess_get_identifier (process));
  for (int tries = 0; tries < 1000 && !all; tries++) { /* it may not have come so far */
    g_autofree char *text = NULL;

    g_usleep (5000);
    all = g_file_get_contents (path, &text, NULL, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS (limits) && all; i++) {
      const char *line = strstr (text, limits[i].name);

      g_assert_nonnull (line);
      line += strlen (limits[i].name);
      all &= strncmp (g_strchug ((char *) line), "unlimited", 9) != 0 && g_ascii_strtoull (line, NULL, 10) == limits[i].soft;
    }
  }
  g_subprocess_force_exit (process);
  g_subprocess_wait (process, NULL, NULL);
  g_assert_true (all);
}

static void
loaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

static void
test_async (void)
{
  g_autofree char *folder = mien_test_make_dir ();
  g_autoptr (GFile) file = g_file_new_build_filename (folder, "a.bmp", NULL);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (MienImage) image = NULL;

  g_file_set_contents (g_file_peek_path (file), (const char *) bmp_2x2, sizeof bmp_2x2, &error);
  g_assert_no_error (error);
  mien_image_load_async (file, NULL, loaded_cb, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  image = mien_image_load_finish (result, &error);
  g_assert_no_error (error);
  assert_pixel (image, 0, 0, 7, 8, 9);
  mien_test_remove_dir (folder);
}

/* Mean difference of two pictures of one size, grey levels. */
static double
difference (const MienImage *a, const MienImage *b)
{
  double sum = 0;

  if (a->width != b->width || a->height != b->height)
    return 255;
  for (int y = 0; y < a->height; y++)
    for (int i = 0; i < a->width * 4; i++)
      sum += ABS (a->pixels[y * a->stride_bytes + i] - b->pixels[y * b->stride_bytes + i]);
  return sum / (a->width * a->height * 3.);
}

static void
test_odd_files (void)
{
  g_autofree char *index_path = mien_test_shared ("odd/index.tsv"), *folder = NULL, *text = NULL;
  g_auto (GStrv) lines = NULL;
  int n_images = 0;

  if (index_path == NULL)
    return;
  folder = g_path_get_dirname (index_path);
  g_assert_true (g_file_get_contents (index_path, &text, NULL, NULL));
  lines = g_strsplit (text, "\n", -1);
  for (int i = 1; lines[i] != NULL && lines[i][0] != '\0'; i++) {
    g_auto (GStrv) fields = g_strsplit (lines[i], "\t", -1);
    g_autofree char *path = g_build_filename (folder, fields[0], NULL), *base = g_path_get_basename (path);
    g_autoptr (GError) error = NULL;
    g_autoptr (MienImage) image = NULL;
    const gint64 start_us = g_get_monotonic_time ();

    if (g_str_has_prefix (fields[0], "models/") || g_str_has_prefix (fields[0], "csv/"))
      continue;
    n_images++;
    image = load (path, &error);
    if (image == NULL)
      assert_sentence (error, base);
    else
      g_assert_true (image->width <= MIEN_IMAGE_MAX_SIDE && image->height <= MIEN_IMAGE_MAX_SIDE);
    if ((g_str_equal (fields[1], "open") && image == NULL) || (g_str_equal (fields[1], "refuse") && image != NULL)) {
      g_test_message ("%s: expected %s (%s): %s", fields[0], fields[1], fields[2], error != NULL ? error->message : "opened");
      g_test_fail ();
    }
    if (g_get_monotonic_time () - start_us > 2 * G_USEC_PER_SEC)
      g_test_message ("%s took %.1f s", fields[0], (double) (g_get_monotonic_time () - start_us) / G_USEC_PER_SEC);
  }
  g_assert_cmpint (n_images, >, 100);
}

static void
test_odd_upright (void)
{
  g_autofree char *folder = mien_test_shared ("odd/jpeg");
  g_autofree char *webp = NULL, *webp_turned = NULL, *rectangle = NULL;
  g_autoptr (MienImage) first = NULL, lying = NULL, standing = NULL, tall = NULL;
  g_autoptr (GError) error = NULL;

  if (folder == NULL)
    return;
  for (int orientation = 2; orientation <= 8; orientation++) {
    g_autofree char *path = g_strdup_printf ("%s/orientation-%d.jpg", folder, orientation);
    g_autoptr (MienImage) image = load (path, &error);

    g_assert_no_error (error);
    if (first == NULL)
      first = mien_image_ref (image);
    g_assert_cmpfloat (difference (first, image), <, 8);
  }
  webp = g_build_filename (folder, "../webp/hopper.webp", NULL);
  webp_turned = g_build_filename (folder, "../webp/hopper_orientation_6.webp", NULL);
  standing = load (webp, &error);
  g_assert_no_error (error);
  lying = load (webp_turned, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (difference (standing, lying), <, 16);
  rectangle = g_build_filename (folder, "orientation-rectangle.jpg", NULL);
  tall = load (rectangle, &error);
  g_assert_no_error (error);
  g_assert_cmpint (tall->width, ==, 1);
  g_assert_cmpint (tall->height, ==, 2);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpuint (sizeof (MienDecodeHeader), ==, 272); /* what the scripts above write */
  g_test_add_func ("/image/new", test_new);
  g_test_add_func ("/image/pixels", test_pixels);
  g_test_add_func ("/image/save", test_save);
  g_test_add_func ("/image/orientation", test_orientation);
  g_test_add_func ("/image/png", test_png);
  g_test_add_func ("/image/reduced", test_reduced);
  g_test_add_func ("/image/refused", test_refused);
  g_test_add_func ("/image/files", test_files);
  g_test_add_func ("/image/hostile-decoder", test_hostile_decoder);
  g_test_add_func ("/image/limits", test_limits);
  g_test_add_func ("/image/async", test_async);
  g_test_add_func ("/image/odd-files", test_odd_files);
  g_test_add_func ("/image/odd-upright", test_odd_upright);
  return g_test_run ();
}
