/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where tensors keep their numbers: files beside the network, files of their own, the memory that the network's file was read to. */
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mien-test.h"
#include "onnx-bytes.h"
#include "onnx/mien-onnx.h"

typedef struct {
  const char *location, *offset, *length;
  const char *word; /* in the message; NULL: opens */
} External;

static GByteArray *
external_model (const External *external)
{
  const char *const keys[] = { "location", "offset", "length" }, *const values[] = { external->location, external->offset, external->length };
  GByteArray *w = make_tensor ("w", 1, 2);

  put_int (w, 14, 1);
  for (int i = 0; i < 3; i++)
    if (values[i] != NULL) {
      GByteArray *entry = g_byte_array_new ();

      put_text (entry, 1, keys[i]);
      put_text (entry, 2, values[i]);
      put_message (w, 13, entry);
    }
  return make_add_model (w);
}

static void
test_external (void)
{
  static const External cases[] = {
    { "w.bin", NULL, NULL, NULL },
    { "./sub/long.bin", "4", "8", NULL },
    { "sub/long.bin", "0", "8", NULL },
    { "sub//long.bin", "8", NULL, NULL },
    { "sub/long.bin", NULL, NULL, "16" },      /* what is left of the file is too much */
    { "sub/long.bin", "9", "8", "16" },
    { "sub/long.bin", "17", "8", "16" },
    { "w.bin", "0", "4", "4" },
    { "w.bin", "-1", "8", "\"-1\"" },
    { "w.bin", "18446744073709551616", "8", "18446744073709551616" },
    { "w.bin", "9223372036854775807", "8", "9223372036854775807" },
    { "w.bin", "0x0", "8", "\"0x0\"" },
    { "missing.bin", NULL, NULL, "\"missing.bin\"" },
    { "../outside.bin", NULL, NULL, "own folder" },
    { "sub/../w.bin", NULL, NULL, "own folder" },
    { "/etc/passwd", NULL, NULL, "own folder" },
    { "", NULL, NULL, "own folder" },
    { NULL, NULL, NULL, "not named" },
    { "link.bin", NULL, NULL, "link" },
    { "folderlink/outside.bin", NULL, NULL, "\"folderlink/outside.bin\"" },
    { "sub", NULL, NULL, "not a file" },
    { "pipe", NULL, NULL, "not a file" },
  };
  g_autofree char *outer = mien_test_make_dir (), *folder = g_build_filename (outer, "net", NULL), *sub = g_build_filename (folder, "sub", NULL);
  g_autofree char *path = g_build_filename (folder, "net.onnx", NULL), *weights = g_build_filename (folder, "w.bin", NULL);
  g_autofree char *longer = g_build_filename (sub, "long.bin", NULL), *outside = g_build_filename (outer, "outside.bin", NULL);
  g_autofree char *link = g_build_filename (folder, "link.bin", NULL), *folder_link = g_build_filename (folder, "folderlink", NULL);
  g_autofree char *pipe = g_build_filename (folder, "pipe", NULL);
  const float two[] = { 5, 6 }, four[] = { 4, 5, 6, 7 };

  g_assert_cmpint (g_mkdir_with_parents (sub, 0700), ==, 0);
  g_assert_true (g_file_set_contents (weights, (const char *) two, sizeof two, NULL));
  g_assert_true (g_file_set_contents (outside, (const char *) two, sizeof two, NULL));
  g_assert_true (g_file_set_contents (longer, (const char *) four, sizeof four, NULL));
  g_assert_cmpint (symlink (outside, link), ==, 0);
  g_assert_cmpint (symlink (outer, folder_link), ==, 0);
  g_assert_cmpint (mkfifo (pipe, 0600), ==, 0);

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GByteArray) model = external_model (&cases[i]);
    g_autoptr (MienGraph) graph = NULL;
    g_autoptr (GError) error = NULL;

    g_assert_true (g_file_set_contents (path, (const char *) model->data, model->len, NULL));
    graph = mien_onnx_read (path, &error);
    if (cases[i].word == NULL) {
      const float first = cases[i].offset != NULL ? 4 + atoi (cases[i].offset) / 4 : 5;

      g_assert_no_error (error);
      g_assert_cmpfloat (mien_tensor_f32 (mien_graph_value (graph, mien_graph_find (graph, "w"))->tensor)[0], ==, first);
      g_assert_cmpfloat (mien_tensor_f32 (mien_graph_value (graph, mien_graph_find (graph, "w"))->tensor)[1], ==, first + 1);
      /* From bytes alone there is no folder. */
      g_assert_null (mien_onnx_read_bytes (model->data, model->len, "bytes", NULL, NULL));
    } else {
      g_assert_nonnull (error);
      g_assert_true (g_str_has_prefix (error->message, "net.onnx: tensor \"w\": "));
      if (strstr (error->message, cases[i].word) == NULL)
        g_error ("\"%s\" is not in \"%s\"", cases[i].word, error->message);
    }
  }
  mien_test_remove_dir (outer);
}

static void
test_read_tensor (void)
{
  g_autofree char *folder = mien_test_make_dir (), *path = g_build_filename (folder, "input_0.pb", NULL);
  g_autoptr (GByteArray) bytes = make_tensor ("", MIEN_F32, 2);
  g_autoptr (MienTensor) tensor = NULL;
  g_autoptr (GError) error = NULL;
  const float values[] = { 1, -2 };

  put_bytes (bytes, 4, values, sizeof values);
  g_assert_true (g_file_set_contents (path, (const char *) bytes->data, bytes->len, NULL));
  tensor = mien_onnx_read_tensor (path, &error);
  g_assert_no_error (error);
  g_assert_cmpint (tensor->shape.rank, ==, 1);
  g_assert_cmpmem (tensor->data, mien_tensor_n_bytes (tensor), values, sizeof values);

  g_assert_true (g_file_set_contents (path, (const char *) bytes->data, bytes->len - 1, NULL));
  g_assert_null (mien_onnx_read_tensor (path, &error));
  g_assert_true (g_str_has_prefix (error->message, "input_0.pb: "));
  mien_test_remove_dir (folder);
}

/* A tensor of floats 0, 1, 2, ... with its payload before or behind its name. */
static GByteArray *
make_large (const char *name, int n, gsize n_bytes, gboolean name_last)
{
  g_autofree float *values = g_new (float, n);
  GByteArray *tensor = name_last ? g_byte_array_new () : make_tensor (name, MIEN_F32, n);

  for (int i = 0; i < n; i++)
    values[i] = (float) i;
  if (name_last) {
    put_int (tensor, 1, n);
    put_int (tensor, 2, MIEN_F32);
  }
  put_bytes (tensor, 9, values, n_bytes);
  if (name_last)
    put_text (tensor, 8, name);
  return tensor;
}

static void
check_large (const MienGraph *graph, const char *name, int n)
{
  const int index = mien_graph_find (graph, name);

  g_assert_cmpint (index, >=, 0);
  const MienTensor *tensor = mien_graph_value (graph, index)->tensor;
  g_assert_cmpuint (tensor->n_elems, ==, n);
  g_assert_cmpuint ((guintptr) tensor->data % 16, ==, 0);
  for (int i = 0; i < n; i++)
    g_assert_cmpfloat (mien_tensor_f32 (tensor)[i], ==, i);
}

/* Payloads that stay where the file was read to, at any distance from an aligned place; small ones and such as follow each other closely. */
static void
test_payloads (void)
{
  g_autofree char *folder = mien_test_make_dir (), *path = g_build_filename (folder, "large.onnx", NULL);

  for (int length = 1; length <= 20; length++) {
    g_autofree char *first = g_strnfill (length, 'a'), *second = g_strnfill (length, 'b');
    g_autoptr (MienGraph) graph = NULL;
    g_autoptr (GError) error = NULL;
    GByteArray *bytes = make_graph ();

    put_message (bytes, 5, make_large (first, 20000, 80000, length % 2));
    put_message (bytes, 5, make_large ("small", 30, 120, FALSE));
    put_message (bytes, 5, make_large (second, 30000 + length, 4 * (30000 + length), FALSE));
    put_message (bytes, 5, make_large ("c", 20000, 80000, length % 3 == 0));
    put_message (bytes, 1, make_node ("Identity", "x", NULL, "y"));
    g_autoptr (GByteArray) model = make_model (8, 17, bytes);
    g_assert_true (g_file_set_contents (path, (const char *) model->data, model->len, NULL));
    graph = mien_onnx_read (path, &error);
    g_assert_no_error (error);
    check_large (graph, first, 20000);
    check_large (graph, "small", 30);
    check_large (graph, second, 30000 + length);
    check_large (graph, "c", 20000);
    g_assert_cmpuint (graph->nodes->len, ==, 1);
  }
  for (int twice = 0; twice < 2; twice++) { /* too short; two payloads, of which the last one counts */
    g_autoptr (MienGraph) graph = NULL;
    g_autoptr (GError) error = NULL;
    GByteArray *bytes = make_graph (), *tensor = make_large ("w", 20000, 80000 - 4 * !twice, FALSE);
    const float ones[20000] = { 1 };

    if (twice)
      put_bytes (tensor, 9, ones, sizeof ones);
    put_message (bytes, 5, tensor);
    put_message (bytes, 1, make_node ("Identity", "x", NULL, "y"));
    g_autoptr (GByteArray) model = make_model (8, 17, bytes);
    g_assert_true (g_file_set_contents (path, (const char *) model->data, model->len, NULL));
    graph = mien_onnx_read (path, &error);
    if (twice) {
      g_assert_no_error (error);
      g_assert_cmpfloat (mien_tensor_f32 (mien_graph_value (graph, mien_graph_find (graph, "w"))->tensor)[0], ==, 1);
    } else {
      g_assert_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT);
      g_assert_nonnull (strstr (error->message, "79996"));
    }
  }
  mien_test_remove_dir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/onnx-data/external", test_external);
  g_test_add_func ("/onnx-data/read-tensor", test_read_tensor);
  g_test_add_func ("/onnx-data/payloads", test_payloads);
  return g_test_run ();
}
