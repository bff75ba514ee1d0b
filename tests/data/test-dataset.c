/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Readers of data sets, on files made here and on outside ones where they are. Pictures are gradients: picture k has
 * (x + 2 y + 30 k) modulo 256 at (x, y). */
#include "data/mien-dataset.h"
#include "mien-test.h"

#include <archive.h>
#include <archive_entry.h>
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <string.h>

enum { SIDE = 48, N_PIXELS = SIDE * SIDE, ALL = 7 };

static guint8
pixel (int k, int i)
{
  return (guint8) ((i % SIDE + 2 * (i / SIDE) + 30 * k) % 256);
}

static void
assert_picture (const MienDataset *data, int i, int k, int label, MienSplit split)
{
  g_assert_cmpint (data->labels[i], ==, label);
  g_assert_cmpint (data->splits[i], ==, split);
  for (int p = 0; p < N_PIXELS; p++)
    g_assert_cmpint (data->pixels[i * N_PIXELS + p], ==, pixel (k, p));
}

static char *
make_pixels (int k)
{
  GString *text = g_string_new (NULL);

  for (int i = 0; i < N_PIXELS; i++)
    g_string_append_printf (text, "%s%d", i > 0 ? " " : "", pixel (k, i));
  return g_string_free (text, FALSE);
}

/* Header and three rows: angry, happy in training, neutral in public. Row 2 (line 3) is row_3 when given. */
static char *
make_csv (const char *row_3)
{
  g_autofree char *p0 = make_pixels (0), *p1 = make_pixels (1), *p2 = make_pixels (2);
  g_autofree char *happy = g_strconcat ("3,", p1, ",Training", NULL);

  return g_strconcat ("emotion,pixels,Usage\n0,", p0, ",Training\n", row_3 != NULL ? row_3 : happy, "\n6,", p2, ",PublicTest\n", NULL);
}

static char *
write_file (const char *dir, const char *name, const char *text, gssize length)
{
  char *path = g_build_filename (dir, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  GError *error = NULL;

  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_file_set_contents (path, text, length, &error);
  g_assert_no_error (error);
  return path;
}

static MienDataset *
load (const char *path, guint splits)
{
  GError *error = NULL;
  MienDataset *data = mien_dataset_load (path, splits, NULL, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (data);
  return data;
}

static void
assert_refused (const char *path, guint splits, int code, const char *part)
{
  g_autoptr (GError) error = NULL;
  MienDataset *data = mien_dataset_load (path, splits, NULL, NULL, NULL, &error);

  g_assert_null (data);
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  if (code >= 0)
    g_assert_error (error, MIEN_DATASET_ERROR, code);
  g_assert_true (g_str_has_prefix (error->message, path));
  g_assert_null (strchr (error->message, '\n'));
  if (part != NULL && strstr (error->message, part) == NULL)
    g_error ("“%s” is not in “%s”", part, error->message);
}

static void
assert_small_csv (const char *path)
{
  g_autoptr (MienDataset) data = load (path, ALL);

  g_assert_cmpint (data->n, ==, 3);
  g_assert_cmpint (data->size, ==, SIDE);
  g_assert_null (data->names);
  g_assert_cmpstr (data->source, ==, path);
  assert_picture (data, 0, 0, 0, MIEN_SPLIT_TRAINING);
  assert_picture (data, 1, 1, 3, MIEN_SPLIT_TRAINING);
  assert_picture (data, 2, 2, 6, MIEN_SPLIT_PUBLIC);
}

static void
test_csv (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *text = make_csv (NULL);
  g_autofree char *path = write_file (dir, "fer2013.csv", text, -1);
  int counts[MIEN_DATASET_N_LABELS];

  assert_small_csv (path);
  g_autoptr (MienDataset) public = load (path, 1u << MIEN_SPLIT_PUBLIC);
  g_assert_cmpint (public->n, ==, 1);
  assert_picture (public, 0, 2, 6, MIEN_SPLIT_PUBLIC);
  assert_refused (path, 1u << MIEN_SPLIT_PRIVATE, MIEN_DATASET_ERROR_EMPTY, "private");

  g_autoptr (MienDataset) data = load (path, ALL);
  mien_dataset_count (data, MIEN_SPLIT_TRAINING, counts);
  g_assert_cmpint (counts[0] + counts[3], ==, 2);
  g_assert_cmpint (counts[3], ==, 1);
  g_assert_cmpint (counts[6], ==, 0);
  g_autoptr (MienDataset) subset = mien_dataset_subset (data, MIEN_SPLIT_PUBLIC);
  g_assert_cmpint (subset->n, ==, 1);
  assert_picture (subset, 0, 2, 6, MIEN_SPLIT_PUBLIC);

  /* the folder that holds it */
  g_autoptr (MienDataset) by_folder = load (dir, ALL);
  g_assert_cmpint (by_folder->n, ==, 3);
  mien_test_remove_dir (dir);
}

static void
test_csv_spellings (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *p0 = make_pixels (0), *p1 = make_pixels (1), *p2 = make_pixels (2);
  g_autofree char *icml = g_strconcat ("emotion, Usage, pixels\r\n0, Training, ", p0, "\r\n\r\n3, Training,  ", p1,
                                       " \r\n6, PublicTest, ", p2, NULL);
  g_autofree char *quoted = g_strconcat ("\xef\xbb\xbf\"id\",\"Usage\",\"emotion\",\"pixels\"\n1,\"Training\",\"0\",\"", p0,
                                         "\"\n2,Training,3,", p1, "\n3,\"PublicTest\",6,\"", p2, "\"\n\n", NULL);
  g_autofree char *a = write_file (dir, "icml_face_data.csv", icml, -1);
  g_autofree char *b = write_file (dir, "quoted \xc3\xbc.csv", quoted, -1);

  assert_small_csv (a);
  assert_small_csv (b);
  mien_test_remove_dir (dir);
}

static void
test_csv_errors (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *p1 = make_pixels (1);
  const struct {
    const char *before, *after, *part;
  } rows[] = {
    { "7,", ",Training", "line 3: emotion is “7”" },
    { ",", ",Training", "line 3: emotion is “”" },
    { "-1,", ",Training", "line 3: emotion is “-1”" },
    { "3,", " 1,Training", "line 3: 2305 pixels" },
    { "3,300 ", ",Training", "line 3: pixel 1 is “300”" },
    { "3,", "x,Training", "line 3: pixel 2304 is" },
    { "3,", "", "line 3: 2 fields" },
    { "3,", ",Training,", "line 3: 4 fields" },
    { "3,", ",Test", "line 3: Usage is “Test”" },
    { "3,\"", ",Training", "line 3: a quotation mark" },
    { "3,\"", "\"1,Training", "line 3: text follows" },
  };

  for (int i = 0; i < (int) G_N_ELEMENTS (rows); i++) {
    g_autofree char *row = g_strconcat (rows[i].before, p1, rows[i].after, NULL);
    g_autofree char *text = make_csv (row);
    g_autofree char *path = write_file (dir, "broken.csv", text, -1);
    assert_refused (path, ALL, MIEN_DATASET_ERROR_FORMAT, rows[i].part);
  }

  /* nothing grows with the length of a line */
  g_autofree char *spaces = g_strnfill (70000, ' ');
  g_autofree char *padded = g_strconcat ("3,", p1, spaces, ",Training", NULL);
  g_autofree char *long_text = make_csv (padded);
  g_autofree char *long_path = write_file (dir, "long.csv", long_text, -1);
  assert_refused (long_path, ALL, MIEN_DATASET_ERROR_FORMAT, "line 3: the line is longer");

  /* a row of another split is not parsed: nobody reads the private rows by mistake */
  g_autofree char *private = make_csv ("9,nobody reads this,PrivateTest");
  g_autofree char *path = write_file (dir, "private.csv", private, -1);
  g_autoptr (MienDataset) data = load (path, 1u << MIEN_SPLIT_TRAINING | 1u << MIEN_SPLIT_PUBLIC);
  g_assert_cmpint (data->n, ==, 2);
  assert_refused (path, ALL, MIEN_DATASET_ERROR_FORMAT, "line 3");

  g_autofree char *missing = g_build_filename (dir, "nothing.csv", NULL);
  g_autoptr (GError) error = NULL;
  g_assert_null (mien_dataset_load (missing, ALL, NULL, NULL, NULL, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_true (g_str_has_prefix (error->message, missing));
  mien_test_remove_dir (dir);
}

typedef struct {
  double last;
  int n_calls;
  GCancellable *cancel_at_half;
} Seen;

static void
progress_cb (double fraction, gpointer data)
{
  Seen *seen = data;

  g_assert_cmpfloat (fraction, >=, seen->last);
  g_assert_cmpfloat (fraction, <=, 1);
  seen->last = fraction;
  seen->n_calls++;
  if (seen->cancel_at_half != NULL && fraction > .5)
    g_cancellable_cancel (seen->cancel_at_half);
}

/* Rows cut by the pieces that the file is read in; progress; cancelling. */
static void
test_csv_large (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autoptr (GString) text = g_string_new ("emotion,pixels,Usage\n");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  Seen seen = { 0, 0, NULL };

  for (int i = 0; i < 500; i++) {
    g_autofree char *pixels = make_pixels (i);
    g_string_append_printf (text, "%d,%s,%s\n", i % 7, pixels, i % 5 ? "Training" : "PublicTest");
  }
  g_autofree char *path = write_file (dir, "many.csv", text->str, (gssize) text->len);
  g_autoptr (MienDataset) data = mien_dataset_load (path, ALL, progress_cb, &seen, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (data->n, ==, 500);
  for (int i = 0; i < 500; i++)
    assert_picture (data, i, i, i % 7, i % 5 ? MIEN_SPLIT_TRAINING : MIEN_SPLIT_PUBLIC);
  g_assert_cmpfloat (seen.last, ==, 1);
  g_assert_cmpint (seen.n_calls, >=, 3);

  seen = (Seen){ 0, 0, cancellable };
  g_assert_null (mien_dataset_load (path, ALL, progress_cb, &seen, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  mien_test_remove_dir (dir);
}

/* Picture k as PNG of side x side; a colour picture has (k, 2 k, 3 k) everywhere. */
static GBytes *
make_png (int k, int side, gboolean colour)
{
  g_autoptr (GdkPixbuf) pixbuf = gdk_pixbuf_new (GDK_COLORSPACE_RGB, FALSE, 8, side, side);
  const int stride_bytes = gdk_pixbuf_get_rowstride (pixbuf);
  guint8 *pixels = gdk_pixbuf_get_pixels (pixbuf);
  GError *error = NULL;
  char *png;
  gsize n_bytes;

  for (int y = 0; y < side; y++)
    for (int x = 0; x < side; x++)
      for (int c = 0; c < 3; c++)
        pixels[y * stride_bytes + 3 * x + c] = colour ? (guint8) (k * (c + 1))
                                                      : pixel (k, y * SIDE / side * SIDE + x * SIDE / side);
  gdk_pixbuf_save_to_buffer (pixbuf, &png, &n_bytes, "png", &error, NULL);
  g_assert_no_error (error);
  return g_bytes_new_take (png, n_bytes);
}

typedef struct {
  const char *name;
  int k, side;       /* side 0: text "hello" */
  gboolean colour;
} Member;

static const Member members[] = {
  { "data/train/happy/b.png", 1, 48, FALSE },
  { "data/train/happy/a.png", 2, 48, FALSE },
  { "data/train/Angry/x.png", 3, 48, FALSE },
  { "data/test/surprise/PublicTest_7.png", 4, 48, FALSE },
  { "data/test/surprise/PrivateTest_8.png", 5, 48, FALSE },
  { "data/test/neutral/y.png", 6, 48, FALSE },
  { "data/validation/sadness/large.png", 7, 96, FALSE },
  { "data/train/disgust/colour.png", 40, 48, TRUE },
  { "data/train/disgust/broken.png", 0, 0, FALSE },
  { "data/train/contempt/a.png", 8, 48, FALSE },
  { "data/train/contempt/b.png", 9, 48, FALSE },
  { "data/.hidden/happy.txt", 0, 0, FALSE },
};

static GBytes *
make_member (const Member *member)
{
  return member->side > 0 ? make_png (member->k, member->side, member->colour) : g_bytes_new_static ("hello", 5);
}

static int
find_picture (const MienDataset *data, const char *name)
{
  for (int i = 0; i < data->n; i++)
    if (g_str_equal (data->names[i], name))
      return i;
  g_error ("no %s", name);
}

static void
assert_members (const MienDataset *data)
{
  /* by split, then by name in byte order */
  static const char *const names[] = { "Angry/x.png", "disgust/colour.png", "happy/a.png", "happy/b.png", "neutral/y.png",
                                       "sadness/large.png", "surprise/PublicTest_7.png", "surprise/PrivateTest_8.png" };

  g_assert_cmpint (data->n, ==, G_N_ELEMENTS (names));
  for (int i = 0; i < data->n; i++)
    g_assert_cmpstr (data->names[i], ==, names[i]);
  assert_picture (data, 0, 3, 0, MIEN_SPLIT_TRAINING);
  assert_picture (data, 2, 2, 3, MIEN_SPLIT_TRAINING);
  assert_picture (data, 3, 1, 3, MIEN_SPLIT_TRAINING);
  assert_picture (data, 4, 6, 6, MIEN_SPLIT_PUBLIC);
  assert_picture (data, 6, 4, 5, MIEN_SPLIT_PUBLIC);
  assert_picture (data, 7, 5, 5, MIEN_SPLIT_PRIVATE);

  const int colour = find_picture (data, "disgust/colour.png"), large = find_picture (data, "sadness/large.png");
  g_assert_cmpint (data->labels[colour], ==, 1);
  g_assert_cmpint (data->pixels[colour * N_PIXELS], ==, 73); /* .299 x 40 + .587 x 80 + .114 x 120 = 72.6 */
  g_assert_cmpint (data->labels[large], ==, 4);
  for (int p = 0; p < N_PIXELS; p++) /* twice as large, each pixel four times */
    g_assert_cmpint (ABS (data->pixels[large * N_PIXELS + p] - pixel (7, p)), <=, 1);

  g_assert_cmpint (data->n_skipped, ==, 3);
  g_assert_cmpint (data->skipped->len, ==, 2);
  g_assert_nonnull (strstr (data->skipped->pdata[0], "broken.png is not a JPEG"));
  g_assert_nonnull (strstr (data->skipped->pdata[1], "train/contempt is none of the seven classes: 2 files"));
}

static void
test_folder (void)
{
  g_autofree char *dir = mien_test_make_dir ();

  for (int i = 0; i < (int) G_N_ELEMENTS (members); i++) {
    g_autoptr (GBytes) bytes = make_member (&members[i]);
    g_autofree char *path = write_file (dir, members[i].name, g_bytes_get_data (bytes, NULL), (gssize) g_bytes_get_size (bytes));
  }
  g_autoptr (MienDataset) data = load (dir, ALL);
  assert_members (data);

  /* the split folder or the class folder itself */
  g_autofree char *train = g_build_filename (dir, "data", "train", NULL);
  g_autoptr (MienDataset) part = load (train, ALL);
  g_assert_cmpint (part->n, ==, 4);
  g_autofree char *test = g_build_filename (dir, "data", "test", "neutral", NULL);
  g_autoptr (MienDataset) one = load (test, ALL);
  g_assert_cmpint (one->n, ==, 1);
  g_assert_cmpint (one->labels[0], ==, 6);

  g_autofree char *contempt = g_build_filename (dir, "data", "train", "contempt", NULL);
  assert_refused (contempt, ALL, MIEN_DATASET_ERROR_EMPTY, NULL);
  mien_test_remove_dir (dir);
}

static void
write_archive (const char *path, gboolean zip, gboolean with_csv)
{
  struct archive *archive = archive_write_new ();
  g_autofree char *csv = make_csv (NULL);

  if (zip)
    archive_write_set_format_zip (archive);
  else {
    archive_write_set_format_pax_restricted (archive);
    archive_write_add_filter_gzip (archive);
  }
  g_assert_cmpint (archive_write_open_filename (archive, path), ==, ARCHIVE_OK);
  for (int i = -1; i < (int) G_N_ELEMENTS (members); i++) {
    g_autoptr (GBytes) bytes = i < 0 ? g_bytes_new (csv, strlen (csv)) : make_member (&members[i]);
    struct archive_entry *entry = archive_entry_new ();
    if (i < 0 && !with_csv) {
      archive_entry_free (entry);
      continue;
    }
    archive_entry_set_pathname (entry, i < 0 ? "fer2013/fer2013.csv" : members[i].name);
    archive_entry_set_filetype (entry, AE_IFREG);
    archive_entry_set_perm (entry, 0644);
    archive_entry_set_size (entry, (gint64) g_bytes_get_size (bytes));
    g_assert_cmpint (archive_write_header (archive, entry), ==, ARCHIVE_OK);
    archive_write_data (archive, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
    archive_entry_free (entry);
  }
  g_assert_cmpint (archive_write_close (archive), ==, ARCHIVE_OK);
  archive_write_free (archive);
}

static void
test_archives (void)
{
  g_autofree char *dir = mien_test_make_dir ();

  for (int i = 0; i < 4; i++) {
    const gboolean zip = i & 1, with_csv = i >> 1;
    g_autofree char *path = g_build_filename (dir, zip ? "faces.zip" : "faces.tar.gz", NULL);
    g_autofree char *bytes = NULL;
    gsize n_bytes;

    write_archive (path, zip, with_csv);
    if (with_csv) {
      assert_small_csv (path);
    } else {
      g_autoptr (MienDataset) data = load (path, ALL);
      assert_members (data);
    }

    /* cut anywhere: an error, never a part of the pictures taken for all of them */
    g_assert_true (g_file_get_contents (path, &bytes, &n_bytes, NULL));
    for (int cut = 1; cut < 8; cut++) {
      g_autofree char *part = write_file (dir, "cut", bytes, (gssize) (n_bytes * (gsize) cut / 8));
      g_autoptr (GError) error = NULL;
      g_autoptr (MienDataset) data = mien_dataset_load (part, ALL, NULL, NULL, NULL, &error);
      g_assert_null (data);
      g_assert_true (g_str_has_prefix (error->message, part));
    }
  }
  mien_test_remove_dir (dir);
}

/* A picture that announces more pixels than any face has is left out before it is decoded. */
static void
test_large_picture (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autoptr (GBytes) good = make_png (1, 48, FALSE), large = make_png (1, 4097, FALSE);
  g_autofree char *a = write_file (dir, "happy/good.png", g_bytes_get_data (good, NULL), (gssize) g_bytes_get_size (good));
  g_autofree char *b = write_file (dir, "happy/large.png", g_bytes_get_data (large, NULL), (gssize) g_bytes_get_size (large));
  g_autoptr (MienDataset) data = load (dir, ALL);

  g_assert_cmpint (data->n, ==, 1);
  g_assert_cmpint (data->n_skipped, ==, 1);
  g_assert_nonnull (strstr (data->skipped->pdata[0], "large.png is over the limits (4097 × 4097"));
  mien_test_remove_dir (dir);
}

static void
test_many_skipped (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autoptr (GBytes) good = make_png (1, 48, FALSE);
  g_autofree char *a = write_file (dir, "happy/good.png", g_bytes_get_data (good, NULL), (gssize) g_bytes_get_size (good));

  for (int i = 0; i < 150; i++) {
    g_autofree char *name = g_strdup_printf ("sad/%03d.jpg", i);
    g_autofree char *path = write_file (dir, name, "x", 1);
  }
  g_autoptr (MienDataset) data = load (dir, ALL);
  g_assert_cmpint (data->n, ==, 1);
  g_assert_cmpint (data->n_skipped, ==, 150);
  g_assert_cmpint (data->skipped->len, ==, 101);
  g_assert_nonnull (strstr (data->skipped->pdata[100], "150 files"));
  g_auto (GStrv) report = mien_dataset_dup_report (data);
  g_assert_cmpuint (g_strv_length (report), ==, 1);
  g_assert_cmpstr (report[0], ==, "150 files are no JPEG, PNG or BMP pictures: sad/000.jpg, sad/001.jpg, sad/002.jpg, …");
  mien_test_remove_dir (dir);
}

/* One file for each reason but permissions: counted apart, the first places named. */
static void
test_report (void)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autoptr (GBytes) good = make_png (1, 48, FALSE), large = make_png (1, 4097, FALSE);
  const char *png = g_bytes_get_data (good, NULL);
  g_autofree char *a = write_file (dir, "happy/good.png", png, (gssize) g_bytes_get_size (good));
  g_autofree char *b = write_file (dir, "happy/large.png", g_bytes_get_data (large, NULL), (gssize) g_bytes_get_size (large));
  g_autofree char *c = write_file (dir, "sad/cut.png", png, 12);
  g_autofree char *d = write_file (dir, "sad/two\nlines.txt", "x", 1);
  g_autofree char *e = write_file (dir, "bored/1.png", png, (gssize) g_bytes_get_size (good));
  g_autofree char *f = write_file (dir, "bored/2.png", png, (gssize) g_bytes_get_size (good));
  g_autoptr (MienDataset) data = load (dir, ALL);
  g_auto (GStrv) report = mien_dataset_dup_report (data);
  g_autofree char *folder = g_path_get_basename (dir);
  g_autofree char *other = g_strdup_printf ("2 files are in folders that are none of the seven classes: %s/bored", folder);

  g_assert_cmpint (data->n, ==, 1);
  g_assert_cmpint (data->n_skipped, ==, 5);
  g_assert_cmpuint (g_strv_length (report), ==, 4);
  g_assert_cmpstr (report[0], ==, "1 file is no JPEG, PNG or BMP picture: sad/two lines.txt");
  g_assert_cmpstr (report[1], ==, "1 picture is damaged: sad/cut.png");
  g_assert_cmpstr (report[2], ==, "1 picture is over the limits: happy/large.png");
  g_assert_cmpstr (report[3], ==, other);
  for (int i = 0; i < MIEN_N_SKIP_REASONS; i++)
    g_assert_cmpint (data->skips[i].n_files, ==, ((const int[]) { 1, 1, 1, 0, 2 })[i]);

  g_autoptr (MienDataset) clean = mien_dataset_new (SIDE, 1);
  g_auto (GStrv) nothing = mien_dataset_dup_report (clean);
  g_assert_null (nothing[0]);
  mien_test_remove_dir (dir);
}

static void
test_split_names (void)
{
  MienSplit split = MIEN_SPLIT_PRIVATE;

  for (int i = 0; i < MIEN_N_SPLITS; i++) {
    g_assert_true (mien_split_parse (mien_split_name ((MienSplit) i), &split));
    g_assert_cmpint (split, ==, i);
  }
  g_assert_true (mien_split_parse ("PublicTest", &split));
  g_assert_cmpint (split, ==, MIEN_SPLIT_PUBLIC);
  g_assert_false (mien_split_parse ("test", &split));
  g_assert_cmpint (split, ==, MIEN_SPLIT_PUBLIC);
}

/* FER2013 itself; the counts are those that come with the file. */
static void
test_fer2013 (void)
{
  static const int training[] = { 3995, 436, 4097, 7215, 4830, 3171, 4965 }, public[] = { 467, 56, 496, 895, 653, 415, 607 };
  g_autofree char *path = mien_test_shared ("data/fer2013.zip");
  int counts[MIEN_DATASET_N_LABELS];
  int n_twins = 0, n_within = 0;

  if (path == NULL)
    return;
  const gint64 start = g_get_monotonic_time ();
  g_autoptr (MienDataset) data = load (path, ALL);
  g_test_message ("%d pictures in %.2f s", data->n, (double) (g_get_monotonic_time () - start) / 1e6);
  g_assert_cmpint (data->n, ==, 28709 + 3589);
  g_assert_cmpint (data->n_skipped, ==, 0);
  mien_dataset_count (data, MIEN_SPLIT_TRAINING, counts);
  g_assert_cmpmem (counts, sizeof counts, training, sizeof training);
  mien_dataset_count (data, MIEN_SPLIT_PUBLIC, counts);
  g_assert_cmpmem (counts, sizeof counts, public, sizeof public);
  for (int i = 1; i < data->n; i++)
    g_assert_true (data->splits[i - 1] < data->splits[i] || strcmp (data->names[i - 1], data->names[i]) <= 0);

  g_autofree guint8 *flags = g_malloc ((gsize) data->n);
  mien_dataset_find_twins (data, MIEN_SPLIT_PUBLIC, MIEN_SPLIT_TRAINING, flags);
  for (int i = 0; i < data->n; i++)
    n_twins += flags[i];
  g_assert_cmpint (n_twins, ==, 280);
  g_autofree char *list_path = mien_test_shared ("data/public-not-in-training.txt"), *list = NULL;
  if (list_path != NULL && g_file_get_contents (list_path, &list, NULL, NULL)) { /* the others, one by one */
    g_autoptr (GHashTable) others = g_hash_table_new (g_str_hash, g_str_equal);
    g_auto (GStrv) lines = g_strsplit (g_strstrip (list), "\n", -1);
    for (int i = 0; lines[i] != NULL; i++)
      g_hash_table_add (others, g_strstrip (lines[i]));
    g_assert_cmpuint (g_hash_table_size (others), ==, 3589 - 280);
    for (int i = 0; i < data->n; i++)
      if (data->splits[i] == MIEN_SPLIT_PUBLIC)
        g_assert_cmpint (flags[i], ==, !g_hash_table_contains (others, data->names[i]));
  }
  mien_dataset_find_twins (data, MIEN_SPLIT_TRAINING, MIEN_SPLIT_TRAINING, flags);
  for (int i = 0; i < data->n; i++)
    n_within += flags[i];
  g_assert_cmpint (n_within, ==, 2271);
}

/* Every file of the collection of odd CSVs does what its index says, in the line that it says. */
static void
test_odd_csv (void)
{
  g_autofree char *index_path = mien_test_shared ("odd/index.tsv");
  g_autofree char *index = NULL;
  g_autoptr (GRegex) line = g_regex_new ("line ([0-9]+)", 0, 0, NULL);
  /* the same three rows, written differently */
  static const char *const equal[] = {
    "crlf.csv", "no-newline-at-end.csv", "bom.csv", "icml-spelling.csv", "spaces-after-comma.csv", "columns-swapped.csv",
    "quoted.csv", "empty-line-at-end.csv", "empty-line-inside.csv", "good.csv.gz", "good.zip", "good.tar.gz",
  };
  int n_files = 0;

  if (index_path == NULL)
    return;
  g_assert_true (g_file_get_contents (index_path, &index, NULL, NULL));
  g_autofree char *folder = g_path_get_dirname (index_path);
  g_auto (GStrv) rows = g_strsplit (index, "\n", -1);
  for (int i = 0; rows[i] != NULL; i++) {
    g_auto (GStrv) fields = g_strsplit (rows[i], "\t", 4);
    if (!g_str_has_prefix (rows[i], "csv/"))
      continue;
    g_autofree char *path = g_build_filename (folder, fields[0], NULL);
    g_autoptr (GMatchInfo) match = NULL;
    n_files++;
    if (g_str_equal (fields[1], "refuse")) {
      g_autofree char *part = g_regex_match (line, fields[2], 0, &match) ? g_match_info_fetch (match, 0) : NULL;
      assert_refused (path, ALL, -1, part);
    } else if (g_str_equal (fields[1], "open")) {
      g_autoptr (MienDataset) data = load (path, ALL);
      g_assert_cmpint (data->n, >=, 1);
    } else {
      g_autoptr (GError) error = NULL;
      g_autoptr (MienDataset) data = mien_dataset_load (path, ALL, NULL, NULL, NULL, &error);
      g_assert_true ((data != NULL && data->n > 0) != (error != NULL));
      g_test_message ("%s: %s", fields[0], error != NULL ? error->message : "read");
    }
  }
  g_assert_cmpint (n_files, ==, 67);

  g_autofree char *good_path = g_build_filename (folder, "csv/good.csv", NULL);
  g_autoptr (MienDataset) good = load (good_path, ALL);
  g_autofree char *good_hash = mien_dataset_dup_hash (good);
  static const guint8 first_pixels[] = { 6, 5, 4, 3, 2, 1, 0, 9, 8, 8, 7, 6, 6, 5, 5, 4 };
  g_assert_cmpmem (good->pixels, sizeof first_pixels, first_pixels, sizeof first_pixels);
  for (int i = 0; i < (int) G_N_ELEMENTS (equal); i++) {
    g_autofree char *path = g_build_filename (folder, "csv", equal[i], NULL);
    g_autoptr (MienDataset) data = load (path, ALL);
    g_autofree char *hash = mien_dataset_dup_hash (data);
    g_assert_cmpstr (hash, ==, good_hash);
  }
}

/* Odd and hostile pictures as members of a data set: each is read or reported, and the good one beside them is read. */
static void
test_odd_pictures (void)
{
  static const char *const folders[] = { "odd/jpeg", "odd/png", "odd/bmp", "odd/gif", "odd/webp", "odd/tiff", "odd/other" };
  g_autofree char *dir = mien_test_make_dir ();
  g_autoptr (GBytes) png = make_png (1, 48, FALSE);
  g_autofree char *good = write_file (dir, "happy/good.png", g_bytes_get_data (png, NULL), (gssize) g_bytes_get_size (png));

  for (int i = 0; i < (int) G_N_ELEMENTS (folders); i++) {
    g_autofree char *folder = mien_test_shared (folders[i]);
    g_autofree char *link = g_build_filename (dir, "happy", NULL);
    g_autoptr (GDir) entries = folder != NULL ? g_dir_open (folder, 0, NULL) : NULL;
    const char *name;
    if (entries == NULL) {
      mien_test_remove_dir (dir);
      return;
    }
    while ((name = g_dir_read_name (entries)) != NULL) {
      g_autofree char *target = g_build_filename (folder, name, NULL);
      g_autofree char *at = g_build_filename (link, name, NULL);
      g_autoptr (GFile) file = g_file_new_for_path (at);
      g_file_make_symbolic_link (file, target, NULL, NULL);
    }
  }

  const gint64 start = g_get_monotonic_time ();
  g_autoptr (MienDataset) data = load (dir, ALL);
  g_test_message ("%d read, %d left out, %.2f s", data->n, data->n_skipped, (double) (g_get_monotonic_time () - start) / 1e6);
  for (guint i = 0; i < data->skipped->len; i++)
    g_test_message ("%s", (char *) data->skipped->pdata[i]);
  assert_picture (data, find_picture (data, "happy/good.png"), 1, 3, MIEN_SPLIT_TRAINING);
  g_assert_cmpint (data->n, >, 50);
  mien_test_remove_dir (dir);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dataset/csv", test_csv);
  g_test_add_func ("/dataset/csv/spellings", test_csv_spellings);
  g_test_add_func ("/dataset/csv/errors", test_csv_errors);
  g_test_add_func ("/dataset/csv/large", test_csv_large);
  g_test_add_func ("/dataset/csv/odd", test_odd_csv);
  g_test_add_func ("/dataset/folder", test_folder);
  g_test_add_func ("/dataset/archives", test_archives);
  g_test_add_func ("/dataset/large-picture", test_large_picture);
  g_test_add_func ("/dataset/many-skipped", test_many_skipped);
  g_test_add_func ("/dataset/report", test_report);
  g_test_add_func ("/dataset/odd-pictures", test_odd_pictures);
  g_test_add_func ("/dataset/split-names", test_split_names);
  g_test_add_func ("/dataset/fer2013", test_fer2013);
  return g_test_run ();
}
