/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keras's part of HDF5: every form that libhdf5 writes, what leads out of the file or claims too much, files changed at random, and a
 * reader that does not do what it should. */
#include <math.h>
#include <string.h>

#include <gio/gio.h>
#include <glib/gstdio.h>

#include "hdf5-writer.h"
#include "keras/mien-hdf5-stream.h"
#include "keras/mien-hdf5.h"
#include "keras/mien-keras.h"
#include "mien-test.h"

enum { N_KERNEL = 3 * 2 * 3 * 5, N_BIAS = 5 };

static const char CONFIG[] = "{\"class_name\":\"Sequential\",\"config\":{\"layers\":["
                             "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"in\",\"batch_input_shape\":[null,7,8,3]}},"
                             "{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"l\",\"filters\":5,\"kernel_size\":[3,2]}}]}}";

/* Exact in 16 bits. */
static float
number (int i)
{
  return (float) ((i * 37 % 101) - 50) / 64;
}

static GByteArray *
make (const char *layer, const HdfForm *form)
{
  static const int kernel_dims[] = { 3, 2, 3, 5 }, bias_dims[] = { N_BIAS };
  float kernel[N_KERNEL], bias[N_BIAS];
  const HdfArray arrays[] = { { "kernel:0", 4, kernel_dims, kernel }, { "bias:0", 1, bias_dims, bias } };

  for (int i = 0; i < N_KERNEL; i++)
    kernel[i] = number (i);
  for (int i = 0; i < N_BIAS; i++)
    bias[i] = number (1000 + i);
  return hdf_write (CONFIG, layer, arrays, 2, form);
}

static char *
write_bytes (const char *dir, const char *name, const void *data, gsize n)
{
  char *path = g_build_filename (dir, name, NULL);

  g_assert_true (g_file_set_contents_full (path, data, (gssize) n, G_FILE_SET_CONTENTS_NONE, 0600, NULL)); /* no waiting for the disc */
  return path;
}

static MienHdf5 *
open_form (const char *layer, const HdfForm *form, GError **error)
{
  g_autofree char *dir = mien_test_make_dir ();
  g_autoptr (GByteArray) bytes = make (layer, form);
  g_autofree char *path = write_bytes (dir, "m.h5", bytes->data, bytes->len);
  MienHdf5 *file;

  g_assert_cmpint (bytes->data[8], ==, form->superblock);
  file = mien_hdf5_open (path, error);
  mien_test_remove_dir (dir);
  return file;
}

static void
test_forms (void)
{
  static const HdfForm forms[] = {
    { .superblock = 0 },
    { .superblock = 0, .bits = 16, .variable = TRUE, .layer_names = TRUE },
    { .superblock = 1, .bits = 64, .big_endian = TRUE, .split = TRUE },
    { .superblock = 2, .bits = 16, .packed = TRUE, .variable = TRUE },
    { .superblock = 3, .packed = TRUE, .variable = TRUE, .layer_names = TRUE },
    { .superblock = 3, .bits = 64, .packed = TRUE, .weights_alone = TRUE },
  };

  for (gsize f = 0; f < G_N_ELEMENTS (forms); f++) {
    const char *layer = forms[f].layer_names ? "block/l" : "l"; /* below another group: only a list tells */
    g_autoptr (GError) error = NULL;
    g_autoptr (MienHdf5) file = open_form (layer, &forms[f], &error);

    g_test_message ("form %zu", f);
    g_assert_no_error (error);
    g_assert_cmpstr (mien_hdf5_get_config (file, &error), ==, CONFIG);
    g_assert_cmpint (mien_hdf5_count_weights (file, "other", &error), ==, 0);
    g_assert_cmpint (mien_hdf5_count_weights (file, layer, &error), ==, 2);
    g_assert_cmpstr (mien_hdf5_get_weight_name (file, layer, 0), ==, "kernel:0");
    g_assert_cmpstr (mien_hdf5_get_weight_name (file, layer, 1), ==, "bias:0");
    g_autoptr (MienTensor) kernel = mien_hdf5_ref_weight (file, layer, 0, &error), bias = mien_hdf5_ref_weight (file, layer, 1, &error);
    g_assert_no_error (error);
    const MienShape kernel_shape = mien_shape (4, 3, 2, 3, 5), bias_shape = mien_shape (1, N_BIAS);
    g_assert_true (mien_shape_equal (&kernel->shape, &kernel_shape));
    g_assert_true (mien_shape_equal (&bias->shape, &bias_shape));
    for (int i = 0; i < N_KERNEL; i++)
      g_assert_cmpfloat (mien_tensor_f32 (kernel)[i], ==, number (i));
    for (int i = 0; i < N_BIAS; i++)
      g_assert_cmpfloat (mien_tensor_f32 (bias)[i], ==, number (1000 + i));
  }
}

static void
spoil_external_link (hid_t layer)
{
  H5Ldelete (layer, "kernel:0", H5P_DEFAULT);
  H5Lcreate_external ("/etc/passwd", "/kernel", layer, "kernel:0", H5P_DEFAULT, H5P_DEFAULT);
}

static void
spoil_soft_link (hid_t layer)
{
  H5Ldelete (layer, "kernel:0", H5P_DEFAULT);
  H5Lcreate_soft ("bias:0", layer, "kernel:0", H5P_DEFAULT, H5P_DEFAULT);
}

/* Another array in place of the kernel, never written to. */
static void
replace_kernel (hid_t layer, hid_t type, int rank, const hsize_t *dims, hid_t properties)
{
  const hid_t space = H5Screate_simple (rank, dims, NULL);

  H5Ldelete (layer, "kernel:0", H5P_DEFAULT);
  const hid_t dataset = H5Dcreate2 (layer, "kernel:0", type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  g_assert_cmpint (dataset, >=, 0);
  H5Dclose (dataset);
  H5Sclose (space);
}

static void
spoil_external_storage (hid_t layer)
{
  const hsize_t dim = 8;
  const hid_t properties = H5Pcreate (H5P_DATASET_CREATE);

  H5Pset_external (properties, "/etc/passwd", 0, 32);
  replace_kernel (layer, H5T_IEEE_F32LE, 1, &dim, properties);
  H5Pclose (properties);
}

static void
spoil_virtual (hid_t layer)
{
  const hsize_t dim = 8;
  const hid_t properties = H5Pcreate (H5P_DATASET_CREATE), space = H5Screate_simple (1, &dim, NULL);

  H5Pset_virtual (properties, space, "/tmp/other.h5", "/kernel", space);
  replace_kernel (layer, H5T_IEEE_F32LE, 1, &dim, properties);
  H5Sclose (space);
  H5Pclose (properties);
}

static void
spoil_group (hid_t layer)
{
  H5Ldelete (layer, "kernel:0", H5P_DEFAULT);
  H5Gclose (H5Gcreate2 (layer, "kernel:0", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void
spoil_integers (hid_t layer)
{
  const hsize_t dim = 8;

  replace_kernel (layer, H5T_STD_I32LE, 1, &dim, H5P_DEFAULT);
}

static void
spoil_rank (hid_t layer)
{
  const hsize_t dims[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };

  replace_kernel (layer, H5T_IEEE_F32LE, 9, dims, H5P_DEFAULT);
}

static void
claim (hid_t layer, hsize_t side)
{
  const hsize_t dims[2] = { side, side }, chunk[2] = { 16, 16 };
  const hid_t properties = H5Pcreate (H5P_DATASET_CREATE);

  H5Pset_chunk (properties, 2, chunk);
  replace_kernel (layer, H5T_IEEE_F32LE, 2, dims, properties);
  H5Pclose (properties);
}

static void
spoil_claims_all (hid_t layer)
{
  claim (layer, (hsize_t) 1 << 31);
}

static void
spoil_claims_more (hid_t layer)
{
  claim (layer, 10000); /* 400 MB */
}

static void
spoil_unwritten (hid_t layer)
{
  claim (layer, 16);
}

static void
spoil_names (hid_t layer)
{
  const int zero = 0;
  const hid_t space = H5Screate (H5S_SCALAR);

  H5Adelete (layer, "weight_names");
  const hid_t attribute = H5Acreate2 (layer, "weight_names", H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite (attribute, H5T_NATIVE_INT, &zero);
  H5Aclose (attribute);
  H5Sclose (space);
}

static void
spoil_encoding (hid_t layer)
{
  const char *name = "kernel\xff";

  H5Adelete (layer, "weight_names");
  hdf_add_texts (layer, "weight_names", &name, 1, FALSE);
}

static void
spoil_absent (hid_t layer)
{
  H5Ldelete (layer, "kernel:0", H5P_DEFAULT);
}

/* As h5py writes an empty list. */
static void
spoil_empty (hid_t layer)
{
  const hsize_t none = 0;
  const hid_t space = H5Screate_simple (1, &none, NULL);

  H5Adelete (layer, "weight_names");
  H5Aclose (H5Acreate2 (layer, "weight_names", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT));
  H5Sclose (space);
}

static void
test_spoilt (void)
{
  static const struct {
    void (*spoil) (hid_t layer);
    const char *says; /* NULL: not there, which is no error */
  } cases[] = {
    { spoil_external_link, "not followed" }, { spoil_soft_link, "not followed" }, { spoil_external_storage, "other files" },
    { spoil_virtual, "other files" }, { spoil_group, "a group where" }, { spoil_integers, "not of floating-point numbers" },
    { spoil_rank, "dimensions" }, { spoil_claims_all, "more text or numbers" }, { spoil_claims_more, "more text or numbers" },
    { spoil_unwritten, "damaged" }, { spoil_names, "should be text" }, { spoil_encoding, "UTF-8" }, { spoil_absent, NULL }, { spoil_empty, NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    for (int superblock = 0; superblock <= 3; superblock += 3) {
      const HdfForm form = { .superblock = superblock, .spoil = cases[i].spoil };
      g_autoptr (GError) error = NULL;
      g_autoptr (MienHdf5) file = open_form ("l", &form, &error);
      g_autoptr (MienTensor) kernel = NULL;

      g_test_message ("case %zu, superblock %d", i, superblock);
      g_assert_no_error (error);
      if (mien_hdf5_count_weights (file, "l", &error) > 0)
        kernel = mien_hdf5_ref_weight (file, "l", 0, &error);
      g_assert_null (kernel);
      g_assert_cmpint (error != NULL, ==, cases[i].says != NULL);
      if (error != NULL && strstr (error->message, cases[i].says) == NULL)
        g_error ("%s does not say %s", error->message, cases[i].says);
    }
  }
}

typedef struct {
  const guint8 *data;
  gsize n;
  const char *dir;
  int seed;
  gint n_read; /* atomic */
} Change;

enum { N_CHANGES = 1000, N_CUTS = 200 };

static void
change_once (gpointer data, gpointer user_data)
{
  Change *c = user_data;
  const int round = GPOINTER_TO_INT (data) - 1;
  const gsize cut = round < N_CUTS ? c->n * (gsize) round / N_CUTS : c->n;
  g_autofree guint8 *changed = g_memdup2 (c->data, c->n);
  g_autofree char *name = g_strdup_printf ("%d.h5", round);
  g_autoptr (GRand) random = g_rand_new_with_seed ((guint32) (c->seed + round));
  g_autoptr (GError) error = NULL;

  for (int i = g_rand_int_range (random, 0, 4); round >= N_CUTS && i >= 0; i--)
    changed[g_rand_int_range (random, 0, (int) c->n)] = (guint8) (g_rand_boolean (random) ? g_rand_int_range (random, 0, 256) : 255 * g_rand_boolean (random));
  g_autofree char *path = write_bytes (c->dir, name, changed, cut);
  const gint64 start = g_get_monotonic_time ();
  g_autoptr (MienGraph) graph = mien_keras_read (path, NULL, &error);
  const gint64 took = g_get_monotonic_time () - start;
  /* the reader's own limits, and something for a busy computer */
  g_assert_cmpint (took, <, 12 * G_USEC_PER_SEC);
  if (took > G_USEC_PER_SEC)
    g_test_message ("%d: %.1f s: %s", round, (double) took / G_USEC_PER_SEC, error != NULL ? error->message : "read");
  if (graph != NULL) {
    g_assert_cmpint (round, >=, N_CUTS); /* what is cut is never whole */
    g_atomic_int_inc (&c->n_read);
  } else {
    g_assert_true (g_utf8_validate (error->message, -1, NULL));
    g_assert_null (strchr (error->message, '\n'));
    g_assert_cmpuint (strlen (error->message), <, 1000);
    g_assert_true (g_str_has_prefix (error->message, name));
  }
  g_unlink (path);
}

/* Cut anywhere and changed anywhere: an answer or a sentence, soon. */
static void
test_hostile (gconstpointer data)
{
  static const HdfForm forms[] = { { .superblock = 0, .variable = TRUE }, { .superblock = 2, .bits = 64, .variable = TRUE }, { .superblock = 3, .packed = TRUE } };
  const int form = GPOINTER_TO_INT (data);
  g_autofree char *dir = mien_test_make_dir ();
  g_autoptr (GByteArray) bytes = make ("l", &forms[form]);
  Change change = { bytes->data, bytes->len, dir, 5000 * form, 0 };
  GThreadPool *pool = g_thread_pool_new (change_once, &change, 4, TRUE, NULL);

  for (int round = 0; round < N_CHANGES; round++)
    g_thread_pool_push (pool, GINT_TO_POINTER (round + 1), NULL);
  g_thread_pool_free (pool, FALSE, TRUE);
  g_test_message ("%d of %d were read", change.n_read, N_CHANGES);
  g_assert_cmpint (change.n_read, >, 20); /* changed weights, for instance */
  mien_test_remove_dir (dir);
}

/* A reader that was taken over, or is not ours. */
static void
test_hostile_reader (void)
{
#define RECORD(kind, status, rank, n_text) "printf 'MHFD\\" kind "\\0\\0\\0\\" status "\\0\\0\\0\\" rank "\\0\\0\\0" n_text "';"
#define ZEROS(n) "head -c " n " /dev/zero;"
#define SHORT_TEXT "\\1\\0\\0\\0\\0\\0\\0\\0"
  static const char *const answers[] = {
    "exit 0", "kill -SEGV $$", "echo something else; yes", "yes",
    RECORD ("1", "0", "0", SHORT_TEXT) ZEROS ("64") "printf 'a'",                                    /* no end */
    RECORD ("1", "0", "0", "\\0\\0\\0\\0\\0\\0\\0\\1") ZEROS ("64") "yes",                          /* a text of 2^56 bytes */
    RECORD ("1", "0", "0", "\\377\\377\\377\\377\\377\\377\\377\\377") ZEROS ("64") "yes",
    RECORD ("2", "0", "0", SHORT_TEXT) ZEROS ("64") "printf '\\377';" RECORD ("4", "0", "0", "") ZEROS ("72"), /* no UTF-8 */
    RECORD ("3", "0", "0", SHORT_TEXT) ZEROS ("64") "printf 'a';" ZEROS ("4") RECORD ("4", "0", "0", "") ZEROS ("72"), /* no layer before */
    RECORD ("2", "0", "0", SHORT_TEXT) ZEROS ("64") "printf 'a';" RECORD ("3", "0", "11", SHORT_TEXT) ZEROS ("64") "printf 'b'; yes", /* rank 9 */
    RECORD ("2", "0", "0", SHORT_TEXT) ZEROS ("64") "printf 'a';" RECORD ("3", "0", "1", SHORT_TEXT) "head -c 64 /dev/zero | tr '\\0' '\\377'; printf 'b'; yes",
    RECORD ("5", "0", "0", SHORT_TEXT) ZEROS ("65"), RECORD ("0", "0", "0", "") ZEROS ("72"), RECORD ("0", "77", "0", "") ZEROS ("72"),
  };
  g_autofree char *dir = mien_test_make_dir ();
  g_autofree char *program = g_build_filename (dir, "mien-hdf5-reader", NULL);
  const HdfForm plain = { 0 };

  g_setenv ("MIEN_LIBEXECDIR", dir, TRUE);
  for (gsize i = 0; i < G_N_ELEMENTS (answers); i++) {
    g_autofree char *script = g_strdup_printf ("#!/bin/sh\n%s\n", answers[i]);
    g_autoptr (GError) error = NULL;
    g_autoptr (MienHdf5) file = NULL;

    g_unlink (program); /* a shell that still reads the one before must not see this one */
    g_assert_true (g_file_set_contents_full (program, script, -1, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
    file = open_form ("l", &plain, &error);
    g_test_message ("answer %zu: %s", i, error != NULL ? error->message : "believed");
    g_assert_null (file);
    g_assert_nonnull (error);
  }
  for (int i = 0; i < 2; i++) { /* what the limit on processor time does; and one that only waits */
    const char *script = i == 0 ? "#!/bin/sh\nkill -XCPU $$\n" : "#!/bin/sh\nexec sleep 1000\n";
    g_autoptr (GError) late = NULL;

    g_unlink (program);
    g_assert_true (g_file_set_contents_full (program, script, -1, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
    g_assert_null (open_form ("l", &plain, &late));
    g_assert_nonnull (strstr (late->message, "2 seconds"));
  }
  g_autoptr (GError) gone = NULL;
  g_setenv ("MIEN_LIBEXECDIR", "/nonexistent", TRUE);
  g_assert_null (open_form ("l", &plain, &gone));
  g_assert_nonnull (strstr (gone->message, "/nonexistent/mien-hdf5-reader"));
  g_unsetenv ("MIEN_LIBEXECDIR");
  mien_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hdf5/forms", test_forms);
  g_test_add_func ("/hdf5/spoilt", test_spoilt);
  g_test_add_data_func ("/hdf5/hostile/first-form", GINT_TO_POINTER (0), test_hostile);
  g_test_add_data_func ("/hdf5/hostile/second-form", GINT_TO_POINTER (1), test_hostile);
  g_test_add_data_func ("/hdf5/hostile/newest-form", GINT_TO_POINTER (2), test_hostile);
  g_test_add_func ("/hdf5/hostile-reader", test_hostile_reader);
  return g_test_run ();
}
