/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A short run of what the fuzzers run: the seeds, the seeds cut off and with changed bytes, networks changed field by field, and the inputs
 * that once found something (tests/fuzz/found/, where the first word of the file name says whose they are). */
#include "mien-fuzz.h"

#define SECONDS 3 /* for each test */

typedef void (*FeedFn) (const guint8 *data, gsize n_bytes);

static const struct {
  const char *kind;
  FeedFn feed;
} kinds[] = {
  { "onnx", mien_fuzz_onnx },
  { "dataset", mien_fuzz_dataset },
  { "files", mien_fuzz_files },
  { "picture", mien_fuzz_picture },
};

/* libFuzzer's place when it is not there. */
static gsize
change_bytes (guint8 *data, gsize n, gsize max_n)
{
  for (int i = g_random_int_range (1, 4); i > 0 && n > 0; i--)
    data[g_random_int_range (0, (gint32) n)] = (guint8) g_random_int ();
  return n < max_n && g_random_boolean () ? n + 1 : n;
}

/* From a copy of exactly its size, so that a sanitizer sees the first byte too many. */
static void
feed_copy (FeedFn feed, const guint8 *data, gsize n)
{
  g_autofree guint8 *copy = g_memdup2 (data, n);

  feed (copy, n);
}

static GPtrArray *
make_seeds (const char *kind)
{
  return g_str_equal (kind, "onnx") ? mien_fuzz_make_networks () : mien_fuzz_make_files (kind);
}

static void
test_seeds (gconstpointer data)
{
  const gsize k = GPOINTER_TO_SIZE (data);
  g_autoptr (GPtrArray) seeds = make_seeds (kinds[k].kind);
  const gint64 end = g_get_monotonic_time () + SECONDS * G_USEC_PER_SEC;
  guint n_runs = 0;

  g_random_set_seed (20130713);
  g_assert_cmpuint (seeds->len, >, 2);
  for (guint i = 0; i < seeds->len; i++)
    feed_copy (kinds[k].feed, g_bytes_get_data (seeds->pdata[i], NULL), g_bytes_get_size (seeds->pdata[i]));
  for (; g_get_monotonic_time () < end && n_runs < 4000; n_runs++) {
    GBytes *seed = seeds->pdata[g_random_int_range (0, (gint32) seeds->len)];
    gsize n = g_bytes_get_size (seed);
    g_autofree guint8 *copy = g_malloc0 (n + 2);
    memcpy (copy, g_bytes_get_data (seed, NULL), n);
    if (n_runs % 4 == 0)
      feed_copy (kinds[k].feed, copy, (gsize) g_random_int_range (0, (gint32) n + 1));
    else
      feed_copy (kinds[k].feed, copy, change_bytes (copy, n, n + 1));
  }
  g_test_message ("%u changed inputs", n_runs);
}

static void
test_changed_networks (void)
{
  g_autoptr (GPtrArray) seeds = mien_fuzz_make_networks ();
  const gint64 end = g_get_monotonic_time () + SECONDS * G_USEC_PER_SEC;
  guint32 n_runs = 0;

  g_random_set_seed (20130714);
  for (; g_get_monotonic_time () < end && n_runs < 20000; n_runs++) {
    GBytes *seed = seeds->pdata[n_runs % seeds->len];
    GByteArray *changed = mien_fuzz_mutate_onnx (g_bytes_get_data (seed, NULL), g_bytes_get_size (seed), n_runs, change_bytes);
    feed_copy (mien_fuzz_onnx, changed->data, changed->len);
    g_byte_array_unref (changed);
  }
  g_test_message ("%u changed networks", n_runs);
}

static void
test_found (void)
{
  g_autofree char *folder = g_build_filename (g_getenv ("MIEN_SOURCE_ROOT"), "tests", "fuzz", "found", NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  if (dir == NULL) {
    g_test_skip ("nothing is kept");
    return;
  }
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (folder, name, NULL), *data = NULL;
    gsize n;

    g_assert_true (g_file_get_contents (path, &data, &n, NULL));
    for (gsize k = 0; k < G_N_ELEMENTS (kinds); k++)
      if (g_str_has_prefix (name, kinds[k].kind)) {
        g_test_message ("%s", name);
        feed_copy (kinds[k].feed, (const guint8 *) data, n);
      }
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize k = 0; k < G_N_ELEMENTS (kinds); k++) {
    g_autofree char *path = g_strdup_printf ("/fuzz/seeds/%s", kinds[k].kind);
    g_test_add_data_func (path, GSIZE_TO_POINTER (k), test_seeds);
  }
  g_test_add_func ("/fuzz/changed-networks", test_changed_networks);
  g_test_add_func ("/fuzz/found", test_found);
  return g_test_run ();
}
