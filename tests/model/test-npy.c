/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files read here are put together byte by byte after numpy.lib.format's description. */
#include <glib/gstdio.h>
#include <string.h>

#include "mien-test.h"
#include "model/mien-npy.h"

static char *folder;

static char *
put_file (int version, const char *header, const void *data, gsize n)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  const gsize length = strlen (header);
  const guint8 start[] = { 0x93, 'N', 'U', 'M', 'P', 'Y', version, 0, length & 0xff, length >> 8, 0, 0 };
  char *path = g_build_filename (folder, "a.npy", NULL);

  g_byte_array_append (bytes, start, version == 1 ? 10 : 12);
  g_byte_array_append (bytes, (const guint8 *) header, length);
  g_byte_array_append (bytes, data, n);
  g_assert_true (g_file_set_contents (path, (const char *) bytes->data, bytes->len, NULL));
  return path;
}

static void
test_read (void)
{
  static const guint8 data[16] = { 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 1, 0, 1 }; /* as f4: 1, -2, ... */
  static const struct {
    int version;
    const char *header;
    gsize n_bytes;
    MienType type;
    MienShape shape;
  } cases[] = {
    { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }     \n", 16, MIEN_F32, { 2, { 2, 2 } } },
    { 2, "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }\n", 16, MIEN_F32, { 1, { 4 } } },
    { 3, "{\"shape\":(1,4),\"descr\":\"<f4\",\"fortran_order\":False}", 16, MIEN_F32, { 2, { 1, 4 } } },
    { 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (4L,), }\n", 16, MIEN_F32, { 1, { 4 } } },
    { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n", 4, MIEN_F32, { 0 } },
    { 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 0), }\n", 0, MIEN_F32, { 2, { 3, 0 } } },
    { 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n", 16, MIEN_F64, { 1, { 2 } } },
    { 1, "{'descr': '<f2', 'fortran_order': False, 'shape': (8,), }\n", 16, MIEN_F16, { 1, { 8 } } },
    { 1, "{'descr': '|i1', 'fortran_order': False, 'shape': (16,), }\n", 16, MIEN_I8, { 1, { 16 } } },
    { 1, "{'descr': '<i2', 'fortran_order': False, 'shape': (8,), }\n", 16, MIEN_I16, { 1, { 8 } } },
    { 1, "{'descr': '<i4', 'fortran_order': False, 'shape': (4,), }\n", 16, MIEN_I32, { 1, { 4 } } },
    { 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }\n", 16, MIEN_I64, { 1, { 2 } } },
    { 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (16,), }\n", 16, MIEN_U8, { 1, { 16 } } },
    { 1, "{'descr': '<u2', 'fortran_order': False, 'shape': (8,), }\n", 16, MIEN_U16, { 1, { 8 } } },
    { 1, "{'descr': '<u4', 'fortran_order': False, 'shape': (4,), }\n", 16, MIEN_U32, { 1, { 4 } } },
    { 1, "{'descr': '<u8', 'fortran_order': False, 'shape': (2,), }\n", 16, MIEN_U64, { 1, { 2 } } },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = put_file (cases[i].version, cases[i].header, data, cases[i].n_bytes);
    g_autoptr (GError) error = NULL;
    g_autoptr (MienTensor) tensor = mien_npy_read (path, &error);

    g_assert_no_error (error);
    g_assert_cmpint (tensor->type, ==, cases[i].type);
    g_assert_true (mien_shape_equal (&tensor->shape, &cases[i].shape));
    g_assert_cmpmem (tensor->data, mien_tensor_n_bytes (tensor), data, cases[i].n_bytes);
    if (tensor->type == MIEN_F32 && tensor->n_elems == 4)
      g_assert_cmpfloat (mien_tensor_f32 (tensor)[1], ==, -2);
  }
}

static void
test_bad (void)
{
  static const struct { const char *header; gsize n_bytes; const char *word; } cases[] = {
    { "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }\n", 15, "15" },
    { "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }\n", 17, "17" },
    { "{'descr': '>f4', 'fortran_order': False, 'shape': (4,), }\n", 16, "\">f4\"" },
    { "{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }\n", 16, "\"<c8\"" },
    { "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }\n", 16, "\"|O\"" },
    { "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }\n", 16, "records" },
    { "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }\n", 16, "column order" },
    { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,4), }\n", 16, "dimensions" },
    { "{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }\n", 16, "shape" },
    { "{'descr': '<f4', 'fortran_order': False, 'shape': (4 4), }\n", 64, "shape" },
    { "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4), }\n", 16, "4294967296" },
    { "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,), }\n", 16, "9223372036854775807" },
    { "{'descr': '<f4', 'fortran_order': False}\n", 16, "header" },
    { "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (4,)}\n", 16, "header" },
    { "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (4,)}\n", 16, "header" },
    { "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), 'more': 1}\n", 16, "header" },
    { "{'descr': '<f4', 'fortran_order': False, 'shape': (4,)} and more\n", 16, "header" },
    { "{'descr': '<f4", 16, "header" },
    { "", 16, "header" },
    { "((((((((", 16, "header" },
  };
  static const guint8 data[64];

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = put_file (1, cases[i].header, data, cases[i].n_bytes);
    g_autoptr (GError) error = NULL;

    g_assert_null (mien_npy_read (path, &error));
    g_assert_cmpint (error->domain, ==, MIEN_NN_ERROR);
    g_assert_true (g_str_has_prefix (error->message, "a.npy: "));
    if (strstr (error->message, cases[i].word) == NULL)
      g_error ("\"%s\" is not in \"%s\"", cases[i].word, error->message);
  }
  {
    g_autofree char *path = put_file (4, "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }\n", data, 16);

    g_assert_null (mien_npy_read (path, NULL));
  }
  g_assert_null (mien_npy_read (folder, NULL));
  g_assert_null (mien_npy_read ("/nothing/there.npy", NULL));
}

static void
test_truncated (void)
{
  const float data[] = { 1, 2, 3, 4 };
  g_autofree char *path = put_file (1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }\n", data, sizeof data), *contents = NULL;
  gsize n;

  g_assert_true (g_file_get_contents (path, &contents, &n, NULL));
  for (gsize i = 0; i < n; i++) {
    g_assert_true (g_file_set_contents (path, contents, i, NULL));
    g_assert_null (mien_npy_read (path, NULL));
  }
}

static void
test_write (void)
{
  /* What NumPy 1.24 writes for np.array([[1, -2]], 'f4'): the header ends on a multiple of 64. */
  static const char expected[] = "\x93NUMPY\1\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }"
                                 "                                                          \n\0\0\x80\x3f\0\0\0\xc0";
  g_autofree char *path = g_build_filename (folder, "written.npy", NULL), *contents = NULL;
  const MienShape shape = mien_shape (2, 1, 2), line = mien_shape (1, 2), scalar = mien_shape (0), none = mien_shape (2, 0, 5);
  const MienShape *const shapes[] = { &shape, &line, &scalar, &none };
  g_autoptr (MienTensor) tensor = mien_tensor_new (MIEN_F32, &shape), half = mien_tensor_new (MIEN_BF16, &shape);
  g_autoptr (GError) error = NULL;
  gsize n;

  mien_tensor_f32 (tensor)[0] = 1;
  mien_tensor_f32 (tensor)[1] = -2;
  g_assert_true (mien_npy_write (tensor, path, &error));
  g_assert_true (g_file_get_contents (path, &contents, &n, NULL));
  g_assert_cmpuint (n, ==, 128 + 8);
  g_assert_cmpmem (contents, n, expected, sizeof expected - 1);

  g_assert_false (mien_npy_write (half, path, &error));
  g_assert_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_UNSUPPORTED);
  g_clear_error (&error);
  g_assert_false (mien_npy_write (tensor, "/nothing/there.npy", &error));
  g_assert_true (g_str_has_prefix (error->message, "there.npy: "));

  for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++)
    for (MienType type = MIEN_F32; type < MIEN_BF16; type++) {
      g_autoptr (MienTensor) from = NULL, to = NULL;

      if (mien_type_size (type) == 0)
        continue;
      from = mien_tensor_new (type, shapes[i]);
      for (gsize k = 0; k < mien_tensor_n_bytes (from); k++)
        ((guint8 *) from->data)[k] = type == MIEN_BOOL ? k % 2 : k + 1;
      g_assert_true (mien_npy_write (from, path, NULL));
      to = mien_npy_read (path, NULL);
      g_assert_nonnull (to);
      g_assert_cmpint (to->type, ==, type);
      g_assert_true (mien_shape_equal (&to->shape, shapes[i]));
      g_assert_cmpmem (to->data, mien_tensor_n_bytes (to), from->data, mien_tensor_n_bytes (from));
    }
}

/* A file written by NumPy itself: 32 faces of 48 x 48 pixels. */
static void
test_real (void)
{
  g_autofree char *path = mien_test_shared ("models/faces.npy");
  g_autoptr (MienTensor) faces = NULL;
  g_autoptr (GError) error = NULL;
  const MienShape expected = mien_shape (3, 32, 48, 48);

  if (path == NULL)
    return;
  faces = mien_npy_read (path, &error);
  g_assert_no_error (error);
  g_assert_cmpint (faces->type, ==, MIEN_U8);
  g_assert_true (mien_shape_equal (&faces->shape, &expected));
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  folder = mien_test_make_dir ();
  g_test_add_func ("/npy/read", test_read);
  g_test_add_func ("/npy/bad", test_bad);
  g_test_add_func ("/npy/truncated", test_truncated);
  g_test_add_func ("/npy/write", test_write);
  g_test_add_func ("/npy/real", test_real);
  result = g_test_run ();
  mien_test_remove_dir (folder);
  return result;
}
