/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that are cut off, changed at random, or made to exhaust stack, memory or time; and the collection of odd files. */
#include "mien-test.h"
#include "onnx-bytes.h"
#include "onnx/mien-onnx.h"

static void
assert_sound (const MienGraph *graph)
{
  for (guint i = 0; i < graph->values->len; i++) {
    const MienValue *value = mien_graph_value (graph, i);
    gsize n;

    g_assert_true (g_utf8_validate (value->name, -1, NULL));
    g_assert_cmpint (value->shape.rank, <=, MIEN_MAX_RANK);
    if (value->tensor == NULL)
      continue;
    g_assert_true (mien_shape_n_elems (&value->tensor->shape, &n));
    g_assert_cmpuint (n, ==, value->tensor->n_elems);
    g_assert_cmpuint (mien_type_size (value->tensor->type), >, 0);
  }
  g_assert_cmpuint (graph->outputs->len, >, 0);
}

static void
assert_message (const GError *error)
{
  g_assert_nonnull (error);
  g_assert_true (g_str_has_prefix (error->message, "m.onnx: "));
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_cmpuint (strlen (error->message), <, 1000);
  g_assert_null (strchr (error->message, '\n'));
}

/* A small model in which every kind of field occurs. */
static GByteArray *
sample_model (void)
{
  static const gint64 dims[] = { -1, 2 };
  GByteArray *graph = g_byte_array_new (), *node = make_node ("Gemm", "x", "w", "m"), *w = make_tensor ("w", 1, 2), *model, *entry;
  GByteArray *tensor = make_tensor ("t", 7, 2), *half = make_tensor ("h", 10, 2);

  put_bytes (w, 9, "\0\0\x80\x3f\0\0\0\xc0", 8);
  put_bytes (tensor, 7, "\1\177", 2);
  put_bytes (half, 5, "\200\170\0", 3);
  for (int type = 1; type <= 8; type++) {
    GByteArray *attr = g_byte_array_new ();
    g_autofree char *name = g_strdup_printf ("attr%d", type);

    if (type == 5)
      continue;
    put_text (attr, 1, name);
    put_int (attr, 20, type);
    if (type == 2)
      put_int (attr, 3, -3);
    if (type == 3)
      put_text (attr, 4, "text");
    if (type == 4) {
      put_bytes (attr, 5, tensor->data, tensor->len);
    }
    if (type == 7)
      put_bytes (attr, 8, "\1\2\3", 3);
    if (type == 8)
      put_text (attr, 9, "one");
    put_message (node, 5, attr);
  }
  g_byte_array_unref (tensor);
  put_message (graph, 1, node);
  put_message (graph, 1, make_node ("Relu", "m", NULL, "y"));
  put_text (graph, 2, "g");
  put_message (graph, 5, w);
  put_message (graph, 5, half);
  put_message (graph, 11, make_value_info ("x", 1, dims, 2));
  put_message (graph, 12, make_value_info ("y", 1, dims, 2));
  put_message (graph, 13, make_value_info ("m", 1, dims, 2));
  model = make_model (7, 13, graph);
  entry = g_byte_array_new ();
  put_text (entry, 1, "mien.labels");
  put_text (entry, 2, "a,b");
  put_message (model, 14, entry);
  return model;
}

static void
test_truncated (void)
{
  g_autoptr (GByteArray) model = sample_model ();
  const guint metadata_start = model->len - 20; /* tag, length, then 2 + 11 and 2 + 3 */
  guint n_opened = 0;

  for (guint n = 0; n <= model->len; n++) {
    g_autofree guint8 *copy = g_memdup2 (model->data, n); /* of exactly that size: reading beyond is seen by the sanitizer */
    g_autoptr (GError) error = NULL;
    g_autoptr (MienGraph) graph = mien_onnx_read_bytes (copy, n, "m.onnx", NULL, &error);

    if (graph == NULL) {
      assert_message (error);
      continue;
    }
    assert_sound (graph);
    g_assert_true (n == model->len || n == metadata_start);
    n_opened++;
  }
  g_assert_cmpuint (n_opened, ==, 2);
}

static void
test_mutated (void)
{
  g_autoptr (GByteArray) model = sample_model ();
  g_autoptr (GRand) rand = g_rand_new_with_seed (20130717);
  guint n_opened = 0, n_refused = 0;

  for (int round = 0; round < 40000; round++) {
    guint n = model->len;
    g_autofree guint8 *copy = g_malloc (n + 16);
    g_autoptr (GError) error = NULL;
    g_autoptr (MienGraph) graph = NULL;
    const int n_changes = g_rand_int_range (rand, 1, 4);

    memcpy (copy, model->data, n);
    for (int i = 0; i < n_changes; i++) {
      const guint at = g_rand_int_range (rand, 0, n);

      switch (g_rand_int_range (rand, 0, 5)) {
      case 0: /* one bit */
        copy[at] ^= 1 << g_rand_int_range (rand, 0, 8);
        break;
      case 1: /* one byte */
        copy[at] = g_rand_int_range (rand, 0, 256);
        break;
      case 2: /* a byte that continues a number */
        copy[at] |= 0x80;
        break;
      case 3: /* a byte more */
        memmove (copy + at + 1, copy + at, n - at);
        n++;
        break;
      default: /* a byte less */
        memmove (copy + at, copy + at + 1, n - at - 1);
        n--;
        break;
      }
    }
    copy = g_realloc (copy, n);
    graph = mien_onnx_read_bytes (copy, n, "m.onnx", NULL, &error);
    if (graph != NULL) {
      g_autoptr (GBytes) written = mien_onnx_write_bytes (graph, NULL);

      assert_sound (graph);
      g_assert_nonnull (written); /* what opens can be saved */
      n_opened++;
    } else {
      assert_message (error);
      n_refused++;
    }
  }
  g_test_message ("%u opened, %u refused", n_opened, n_refused);
  g_assert_cmpuint (n_opened, >, 1000);
  g_assert_cmpuint (n_refused, >, 1000);
}

static void
assert_refused (GByteArray *model, const char *word)
{
  g_autoptr (GError) error = NULL;
  const gint64 start = g_get_monotonic_time ();

  g_assert_null (mien_onnx_read_bytes (model->data, model->len, "m.onnx", NULL, &error));
  assert_message (error);
  if (strstr (error->message, word) == NULL)
    g_error ("\"%s\" is not in \"%s\"", word, error->message);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 20 * G_USEC_PER_SEC);
  g_byte_array_unref (model);
}

/* Puts a message into itself, depth times. The innermost stands at the end, so the lengths are known from behind. */
static GByteArray *
nest (const int *fields, int n_fields, int depth)
{
  g_autoptr (GArray) lengths = g_array_new (FALSE, FALSE, sizeof (gsize));
  GByteArray *bytes = g_byte_array_new ();
  gsize length = 0;

  for (int i = 0; i < depth; i++) {
    g_array_append_val (lengths, length);
    length += 1;
    for (gsize rest = length - 1;; rest >>= 7) {
      length++;
      if (rest <= 0x7f)
        break;
    }
  }
  for (int i = depth - 1; i >= 0; i--) {
    put_varint (bytes, fields[(depth - 1 - i) % n_fields] << 3 | 2);
    put_varint (bytes, g_array_index (lengths, gsize, i));
  }
  return bytes;
}

static void
test_nested (void)
{
  static const int graphs[] = { 1, 5, 6 }; /* GraphProto.node, NodeProto.attribute, AttributeProto.g */
  static const int types[] = { 4, 1 };     /* TypeProto.sequence_type, Sequence.elem_type */
  GByteArray *model = g_byte_array_new (), *info = g_byte_array_new (), *graph = g_byte_array_new ();

  put_int (model, 1, 7);
  put_message (model, 7, nest (graphs, 3, 1000000));
  assert_refused (model, "nested");
  put_text (info, 1, "x");
  put_message (info, 2, nest (types, 2, 1000000));
  put_message (graph, 11, info);
  assert_refused (make_model (7, 13, graph), "nested");
}

static void
test_bombs (void)
{
  GByteArray *model, *graph, *tensor, *part;
  guint8 *zeros;

  /* An empty node takes two bytes here and more than a hundred in memory. */
  graph = g_byte_array_new ();
  for (int i = 0; i < 1500000; i++)
    g_byte_array_append (graph, (const guint8 *) "\x0a", 2);
  assert_refused (make_model (7, 13, graph), "more parts");

  /* Fields that may stand once: merging a million of them would take hours. */
  model = g_byte_array_new ();
  put_int (model, 1, 7);
  for (int i = 0; i < 300000; i++)
    g_byte_array_append (model, (const guint8 *) "\x3a\2\x0a", 4);
  assert_refused (model, "only once");

  /* Small numbers without end, one by one and packed. */
  tensor = make_tensor ("w", 7, 2);
  for (int i = 0; i < 9000000; i++)
    g_byte_array_append (tensor, (const guint8 *) "\x38", 2);
  assert_refused (make_add_model (tensor), "more parts");
  zeros = g_malloc0 (200 << 20);
  tensor = make_tensor ("w", 7, 2);
  put_bytes (tensor, 7, zeros, 200 << 20);
  assert_refused (make_add_model (tensor), "more parts");
  g_free (zeros);

  /* Two shapes for one type; a length that counts round. */
  part = g_byte_array_new ();
  put_message (part, 1, g_byte_array_new ());
  put_message (part, 4, g_byte_array_new ());
  tensor = g_byte_array_new ();
  put_text (tensor, 1, "x");
  put_message (tensor, 2, part);
  graph = g_byte_array_new ();
  put_message (graph, 11, tensor);
  assert_refused (make_model (7, 13, graph), "only once");
  model = g_byte_array_new ();
  put_int (model, 1, 7);
  put_varint (model, 7 << 3 | 2);
  put_varint (model, G_MAXUINT64 - 3);
  put_varint (model, 0);
  assert_refused (model, "cut off");

  /* A zero byte in a name would make two names one. */
  graph = g_byte_array_new ();
  put_bytes (graph, 2, "a\0b", 3);
  assert_refused (make_model (7, 13, graph), "UTF-8");
}

static void
test_other_formats (void)
{
  static const struct { const char *bytes; gsize n; const char *word; } cases[] = {
    { "", 0, "empty" },
    { "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", 64, "git lfs pull" },
    { "<!DOCTYPE html><html>", 21, "web page" },
    { "\n  <html lang=\"en\">", 19, "web page" },
    { "some text\n", 10, "text" },
    { "\x89HDF\r\n\x1a\n\0\0", 10, "mien-cli convert" },
    { "PK\3\4\x14\0\0\0", 8, "ZIP" },
    { "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", 16, "picture" },
    { "\xff\xd8\xff\xe0\0\x10JFIF", 10, "picture" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    GByteArray *bytes = g_byte_array_new ();

    g_byte_array_append (bytes, (const guint8 *) cases[i].bytes, cases[i].n);
    assert_refused (bytes, cases[i].word);
  }
}

/* Reading without the weights comes to the same. */
static void
check_away (const char *path, const MienGraph *graph, const GError *error)
{
  g_autoptr (GError) problem = NULL;
  g_autoptr (MienGraph) away = mien_onnx_read_away (path, &problem);

  if (graph == NULL) {
    g_assert_null (away);
    g_assert_cmpstr (problem->message, ==, error->message);
    return;
  }
  g_assert_no_error (problem);
  g_assert_cmpuint (away->values->len, ==, graph->values->len);
  for (guint i = 0; i < graph->values->len; i++) {
    const MienTensor *want = mien_graph_value (graph, i)->tensor;
    MienTensor *got = mien_graph_value (away, i)->tensor;
    if (want == NULL)
      continue;
    g_assert_true (mien_tensor_fetch (got, &problem));
    g_assert_cmpmem (got->data, mien_tensor_n_bytes (got), want->data, mien_tensor_n_bytes (want));
  }
}

/* The collection of odd files: those that the reader alone must refuse, with a word of the message. Others that the index
 * says to refuse are for the plan to refuse (shapes, attributes, operators) or for the model (metadata, labels); test-model
 * takes all of them through mien_model_load(). */
static void
test_odd_files (void)
{
  static const struct { const char *file, *word; } refused[] = {
    { "html-instead-of-model.onnx", "web page" }, { "lfs-pointer.onnx", "Git LFS" }, { "lfs-pointer.keras", "Git LFS" },
    { "external-data-absent.onnx", "emotion" }, { "zero-byte.onnx", "empty" }, { "one-byte.onnx", "cut off" },
    { "random.onnx", "damaged" }, { "text.onnx", "text" }, { "png.onnx", "picture" }, { "truncated-1000.onnx", "cut off" },
    { "truncated-100000.onnx", "cut off" }, { "truncated-last-byte.onnx", "cut off" }, { "trailing-garbage.onnx", "617" },
    { "meta-not-utf8.onnx", "UTF-8" }, { "no-graph.onnx", "no output" }, { "no-output.onnx", "no output" }, { "no-input.onnx", "\"x\"" },
    { "unknown-domain.onnx", "com.example" }, { "opset-999.onnx", "999" }, { "ir-999.onnx", "999" }, { "missing-tensor.onnx", "\"nowhere\"" },
    { "cycle.onnx", "cycle" }, { "two-writers.onnx", "second time" }, { "output-not-computed.onnx", "\"nothing\"" },
    { "weight-too-short.onnx", "\"w\"" }, { "weight-too-long.onnx", "\"w\"" }, { "weight-negative-size.onnx", "-4" },
    { "weight-size-overflow.onnx", "\"w\"" }, { "weight-size-huge.onnx", "\"w\"" }, { "weight-type-999.onnx", "999" },
    { "external-data-climbs.onnx", "own folder" }, { "external-data-absolute.onnx", "own folder" }, { "external-data-offset.onnx", "1000000" },
    { "endless-loop.onnx", "Loop" }, { "nested-5000.onnx", "nested" }, { "text-input.onnx", "string" }, { "keras-good-tiny.h5", "Keras" },
  };
  g_autofree char *index = mien_test_shared ("odd/index.tsv"), *contents = NULL;
  g_auto (GStrv) lines = NULL;
  guint n_open = 0, n_refused = 0;

  if (index == NULL)
    return;
  g_assert_true (g_file_get_contents (index, &contents, NULL, NULL));
  lines = g_strsplit (contents, "\n", -1);
  for (int i = 0; lines[i] != NULL; i++) {
    g_auto (GStrv) fields = g_strsplit (lines[i], "\t", -1);
    g_autofree char *path = NULL, *name = NULL;
    g_autoptr (GError) error = NULL;
    g_autoptr (MienGraph) graph = NULL;
    const char *word = NULL;

    if (g_strv_length (fields) < 3 || !g_str_has_prefix (fields[0], "models/"))
      continue;
    name = g_path_get_basename (fields[0]);
    for (gsize k = 0; k < G_N_ELEMENTS (refused); k++)
      if (strcmp (refused[k].file, name) == 0)
        word = refused[k].word;
    if (!g_str_has_suffix (name, ".onnx") && word == NULL)
      continue;
    {
      g_autofree char *inside = g_build_filename ("odd", fields[0], NULL);

      path = mien_test_shared (inside);
    }
    g_assert_nonnull (path);
    graph = mien_onnx_read (path, &error);
    check_away (path, graph, error);
    if (word != NULL) {
      if (g_str_has_suffix (name, ".onnx")) /* Keras files are for their own reader */
        g_assert_cmpstr (fields[1], !=, "open");
      if (error == NULL || strstr (error->message, word) == NULL || !g_str_has_prefix (error->message, name))
        g_error ("%s: %s", name, error != NULL ? error->message : "opened");
      n_refused++;
    } else {
      g_assert_no_error (error);
      assert_sound (graph);
      n_open++;
    }
  }
  g_test_message ("%u opened, %u refused", n_open, n_refused);
  g_assert_cmpuint (n_refused, ==, G_N_ELEMENTS (refused));
  g_assert_cmpuint (n_open, >, 30);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/onnx-hostile/truncated", test_truncated);
  g_test_add_func ("/onnx-hostile/mutated", test_mutated);
  g_test_add_func ("/onnx-hostile/nested", test_nested);
  g_test_add_func ("/onnx-hostile/bombs", test_bombs);
  g_test_add_func ("/onnx-hostile/other-formats", test_other_formats);
  g_test_add_func ("/onnx-hostile/odd-files", test_odd_files);
  return g_test_run ();
}
