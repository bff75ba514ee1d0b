/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading and writing of good files, and of files that are wrong in one place. */
#include <math.h>
#include <string.h>
#include <unistd.h>
#include <glib/gstdio.h>

#include "mien-test.h"
#include "onnx-bytes.h"
#include "onnx/mien-onnx.h"

static MienGraph *
read_model (GByteArray *model, GError **error)
{
  return mien_onnx_read_bytes (model->data, model->len, "model.onnx", NULL, error);
}

static void
assert_refused (GByteArray *model, MienNnError code, const char *word)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MienGraph) graph = read_model (model, &error);

  g_assert_null (graph);
  g_assert_error (error, MIEN_NN_ERROR, code);
  g_assert_true (g_str_has_prefix (error->message, "model.onnx: "));
  if (strstr (error->message, word) == NULL)
    g_error ("\"%s\" is not in \"%s\"", word, error->message);
  g_byte_array_unref (model);
}

static MienTensor *
counting_tensor (MienType type)
{
  const MienShape shape = mien_shape (2, 2, 3);
  MienTensor *tensor = mien_tensor_new (type, &shape);

  for (gsize i = 0; i < mien_tensor_n_bytes (tensor); i++)
    ((guint8 *) tensor->data)[i] = type == MIEN_BOOL ? i % 2 : 7 + i;
  return tensor;
}

static const MienType all_types[] = { MIEN_F32, MIEN_U8, MIEN_I8, MIEN_U16, MIEN_I16, MIEN_I32, MIEN_I64,
                                      MIEN_BOOL, MIEN_F16, MIEN_F64, MIEN_U32, MIEN_U64, MIEN_BF16 };

static MienGraph *
rich_graph (void)
{
  MienGraph *graph = mien_graph_new ("rich", 13);
  const MienShape open = { .rank = 4, .dim = { -1, 1, 48, 48 } }, scalar = mien_shape (0);
  const int x = mien_graph_add_input (graph, "x", MIEN_F32, &open);
  const int p = mien_graph_add_parameter (graph, "p", counting_tensor (MIEN_F32));
  const gint64 ints[] = { 0, -1, G_MAXINT64, G_MININT64 };
  const float floats[] = { 0.1f, -INFINITY, 1e-45f };
  const char *const strings[] = { "grün", "", "b" };
  int inputs[] = { x, -1, p }, middle, outputs[2];
  MienNode *node;

  for (gsize i = 0; i < G_N_ELEMENTS (all_types); i++)
    mien_graph_add_constant (graph, mien_type_name (all_types[i]), counting_tensor (all_types[i]));
  middle = mien_graph_op (graph, "", "First", "", inputs, 3);
  mien_graph_value (graph, middle)->type = MIEN_F64;
  mien_graph_value (graph, middle)->shape = scalar;
  outputs[0] = mien_graph_add_value (graph, "y", MIEN_F32, &open);
  outputs[1] = -1;
  mien_graph_add_node (graph, "", "Second", "knöten", &middle, 1, outputs, 2);
  mien_graph_add_output (graph, outputs[0]);
  node = mien_graph_node (graph, 1);
  mien_node_set_int (node, "int", G_MININT64);
  mien_node_set_float (node, "float", -0.1f);
  mien_node_set_string (node, "string", "naïve");
  mien_node_set_string (node, "empty", "");
  mien_node_set_ints (node, "ints", ints, 4);
  mien_node_set_ints (node, "no ints", ints, 0);
  mien_node_set_floats (node, "floats", floats, 3);
  mien_node_set_strings (node, "strings", strings, 3);
  mien_node_set_tensor (node, "tensor", counting_tensor (MIEN_F16));
  g_hash_table_insert (graph->metadata, g_strdup ("mien.labels"), g_strdup ("fröhlich,neutral"));
  g_hash_table_insert (graph->metadata, g_strdup ("a"), g_strdup (""));
  return graph;
}

static void
assert_tensors_equal (const MienTensor *a, const MienTensor *b)
{
  g_assert_cmpint (a->type, ==, b->type);
  g_assert_true (mien_shape_equal (&a->shape, &b->shape));
  g_assert_cmpmem (a->data, mien_tensor_n_bytes (a), b->data, mien_tensor_n_bytes (b));
}

static void
assert_attrs_equal (const MienAttr *a, const MienAttr *b)
{
  g_assert_cmpstr (a->name, ==, b->name);
  g_assert_cmpint (a->type, ==, b->type);
  g_assert_cmpuint (a->n, ==, b->n);
  switch (a->type) {
  case MIEN_ATTR_INT:
    g_assert_cmpint (a->i, ==, b->i);
    break;
  case MIEN_ATTR_FLOAT:
    g_assert_cmpmem (&a->f, 4, &b->f, 4);
    break;
  case MIEN_ATTR_STRING:
    g_assert_cmpstr (a->s, ==, b->s);
    break;
  case MIEN_ATTR_TENSOR:
    assert_tensors_equal (a->t, b->t);
    break;
  case MIEN_ATTR_INTS:
    g_assert_cmpmem (a->ints, 8 * a->n, b->ints, 8 * b->n);
    break;
  case MIEN_ATTR_FLOATS:
    g_assert_cmpmem (a->floats, 4 * a->n, b->floats, 4 * b->n);
    break;
  case MIEN_ATTR_STRINGS:
    g_assert_cmpstrv (a->strings, b->strings);
    break;
  }
}

static void
test_round_trip (void)
{
  g_autofree char *folder = mien_test_make_dir (), *path = g_build_filename (folder, "rich.onnx", NULL);
  g_autoptr (MienGraph) graph = rich_graph (), copy = NULL;
  g_autoptr (GBytes) first = NULL, second = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (mien_onnx_write (graph, path, &error));
  g_assert_no_error (error);
  copy = mien_onnx_read (path, &error);
  g_assert_no_error (error);

  g_assert_cmpstr (copy->name, ==, "rich");
  g_assert_cmpint (copy->opset, ==, 13);
  g_assert_cmpuint (copy->inputs->len, ==, 1);
  g_assert_cmpuint (copy->outputs->len, ==, 1);
  g_assert_cmpuint (copy->values->len, ==, graph->values->len);
  for (guint i = 0; i < graph->values->len; i++) {
    const MienValue *a = mien_graph_value (graph, i), *b = NULL;

    g_assert_cmpint (mien_graph_find (copy, a->name), >=, 0);
    b = mien_graph_value (copy, mien_graph_find (copy, a->name));
    g_assert_cmpint (a->type, ==, b->type);
    g_assert_true (mien_shape_equal (&a->shape, &b->shape));
    g_assert_true ((a->tensor != NULL) == (b->tensor != NULL));
    if (a->tensor != NULL)
      assert_tensors_equal (a->tensor, b->tensor);
  }
  g_assert_cmpuint (copy->nodes->len, ==, 2);
  for (guint i = 0; i < 2; i++) {
    const MienNode *a = mien_graph_node (graph, i), *b = mien_graph_node (copy, i);

    g_assert_cmpstr (a->op, ==, b->op);
    g_assert_cmpstr (a->name, ==, b->name);
    g_assert_cmpint (a->n_inputs, ==, b->n_inputs);
    g_assert_cmpint (a->n_outputs, ==, b->n_outputs);
    for (int k = 0; k < a->n_inputs; k++) {
      g_assert_cmpint (a->inputs[k] < 0, ==, b->inputs[k] < 0);
      if (a->inputs[k] >= 0)
        g_assert_cmpstr (mien_graph_value (graph, a->inputs[k])->name, ==, mien_graph_value (copy, b->inputs[k])->name);
    }
    g_assert_cmpuint (a->attrs->len, ==, b->attrs->len);
    for (guint k = 0; k < a->attrs->len; k++)
      assert_attrs_equal (g_ptr_array_index (a->attrs, k), g_ptr_array_index (b->attrs, k));
  }
  g_assert_cmpuint (g_hash_table_size (copy->metadata), ==, 2);
  g_assert_cmpstr (g_hash_table_lookup (copy->metadata, "mien.labels"), ==, "fröhlich,neutral");
  g_assert_cmpstr (g_hash_table_lookup (copy->metadata, "a"), ==, "");

  /* The same network gives the same bytes. */
  first = mien_onnx_write_bytes (graph, NULL);
  second = mien_onnx_write_bytes (graph, NULL);
  g_assert_true (g_bytes_equal (first, second));
  mien_test_remove_dir (folder);
}

static void
test_write_fails (void)
{
  g_autofree char *folder = mien_test_make_dir (), *path = g_build_filename (folder, "kept.onnx", NULL);
  g_autofree char *nowhere = g_build_filename (folder, "nothing", "there.onnx", NULL), *contents = NULL;
  g_autoptr (MienGraph) graph = rich_graph (), training = rich_graph ();
  g_autoptr (GError) error = NULL;
  int x = mien_graph_find (training, "x");
  g_autoptr (GDir) dir = NULL;

  g_assert_false (mien_onnx_write (graph, nowhere, &error));
  g_assert_cmpint (error->domain, ==, G_FILE_ERROR);
  g_assert_true (g_str_has_prefix (error->message, "there.onnx: "));
  g_clear_error (&error);

  g_assert_true (g_file_set_contents (path, "what was there", -1, NULL));
  mien_graph_add_output (training, mien_graph_op (training, "mien", "Gradient", "grad", &x, 1));
  g_assert_false (mien_onnx_write (training, path, &error));
  g_assert_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "\"grad\""));
  g_assert_true (g_file_get_contents (path, &contents, NULL, NULL));
  g_assert_cmpstr (contents, ==, "what was there");

  /* Nothing half-written stays behind. */
  dir = g_dir_open (folder, 0, NULL);
  g_assert_cmpstr (g_dir_read_name (dir), ==, "kept.onnx");
  g_assert_null (g_dir_read_name (dir));
  mien_test_remove_dir (folder);
}

/* Numbers in the fields of onnx.proto that belong to each type. */
static void
test_number_fields (void)
{
  static const struct {
    MienType type;
    int field; /* 5 int32_data, 7 int64_data, 11 uint64_data */
    gint64 values[2];
    guint8 bytes[16];
  } cases[] = {
    { MIEN_I32, 5, { -2, G_MAXINT32 }, { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f } },
    { MIEN_I16, 5, { -2, 258 }, { 0xfe, 0xff, 2, 1 } },
    { MIEN_I8, 5, { -128, 127 }, { 0x80, 0x7f } },
    { MIEN_U16, 5, { 65535, 258 }, { 0xff, 0xff, 2, 1 } },
    { MIEN_U8, 5, { 0, 255 }, { 0, 255 } },
    { MIEN_BOOL, 5, { 1, 0 }, { 1, 0 } },
    { MIEN_F16, 5, { 0x3c00, 0xc000 }, { 0, 0x3c, 0, 0xc0 } },  /* 1, -2 */
    { MIEN_BF16, 5, { 0x3f80, 0xc000 }, { 0x80, 0x3f, 0, 0xc0 } }, /* 1, -2 */
    { MIEN_I64, 7, { -2, 258 }, { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1 } },
    { MIEN_U32, 11, { G_MAXUINT32, 258 }, { 0xff, 0xff, 0xff, 0xff, 2, 1 } },
    { MIEN_U64, 11, { -1, 258 }, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 1 } },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    for (int packed = 0; packed < 2; packed++) {
      GByteArray *tensor = make_tensor ("w", cases[i].type, 2), *numbers = g_byte_array_new ();
      g_autoptr (GByteArray) model = NULL;
      g_autoptr (MienGraph) graph = NULL;
      g_autoptr (GError) error = NULL;
      const MienTensor *found;

      for (int k = 0; k < 2; k++)
        if (packed)
          put_varint (numbers, cases[i].values[k]);
        else
          put_int (tensor, cases[i].field, cases[i].values[k]);
      if (packed)
        put_message (tensor, cases[i].field, numbers);
      else
        g_byte_array_unref (numbers);
      model = make_add_model (tensor);
      graph = read_model (model, &error);
      g_assert_no_error (error);
      found = mien_graph_value (graph, mien_graph_find (graph, "w"))->tensor;
      g_assert_cmpint (found->type, ==, cases[i].type);
      g_assert_cmpmem (found->data, mien_tensor_n_bytes (found), cases[i].bytes, 2 * mien_type_size (cases[i].type));
    }
}

static GByteArray *
with_number (MienType type, int field, gint64 value)
{
  GByteArray *tensor = make_tensor ("w", type, 2);

  put_int (tensor, field, value);
  put_int (tensor, field, 0);
  return make_add_model (tensor);
}

static GByteArray *
with_raw (int type, gint64 n, gsize n_bytes)
{
  static const guint8 zeros[64];
  GByteArray *tensor = make_tensor ("w", type, n);

  put_bytes (tensor, 9, zeros, n_bytes);
  return make_add_model (tensor);
}

static void
test_bad_tensors (void)
{
  GByteArray *tensor;

  assert_refused (with_number (MIEN_U8, 5, 256), MIEN_NN_ERROR_FORMAT, "256");
  assert_refused (with_number (MIEN_U8, 5, -1), MIEN_NN_ERROR_FORMAT, "-1");
  assert_refused (with_number (MIEN_I8, 5, 128), MIEN_NN_ERROR_FORMAT, "128");
  assert_refused (with_number (MIEN_BOOL, 5, 2), MIEN_NN_ERROR_FORMAT, "bool");
  assert_refused (with_number (MIEN_F16, 5, 65536), MIEN_NN_ERROR_FORMAT, "65536");
  assert_refused (with_number (MIEN_U32, 11, G_GINT64_CONSTANT (1) << 32), MIEN_NN_ERROR_FORMAT, "uint32");
  assert_refused (with_number (MIEN_F32, 5, 1), MIEN_NN_ERROR_FORMAT, "\"w\"");  /* in the field of another type */
  assert_refused (with_number (MIEN_I64, 11, 1), MIEN_NN_ERROR_FORMAT, "\"w\"");
  assert_refused (with_raw (MIEN_F32, 2, 7), MIEN_NN_ERROR_FORMAT, "\"w\"");
  assert_refused (with_raw (MIEN_F32, 2, 9), MIEN_NN_ERROR_FORMAT, "9");
  assert_refused (with_raw (MIEN_F32, 2, 0), MIEN_NN_ERROR_FORMAT, "2");
  assert_refused (with_raw (MIEN_F32, 0, 4), MIEN_NN_ERROR_FORMAT, "\"w\"");
  assert_refused (with_raw (MIEN_F32, -1, 4), MIEN_NN_ERROR_FORMAT, "negative");
  assert_refused (with_raw (MIEN_F32, G_MAXINT64, 4), MIEN_NN_ERROR_SIZE, "large");
  assert_refused (with_raw (0, 2, 8), MIEN_NN_ERROR_FORMAT, "type");
  assert_refused (with_raw (8, 2, 8), MIEN_NN_ERROR_UNSUPPORTED, "type");
  assert_refused (with_raw (14, 2, 16), MIEN_NN_ERROR_UNSUPPORTED, "type");
  assert_refused (with_raw (999, 2, 8), MIEN_NN_ERROR_FORMAT, "999");

  tensor = make_tensor ("w", MIEN_BOOL, 2);
  put_bytes (tensor, 9, "\1\2", 2);
  assert_refused (make_add_model (tensor), MIEN_NN_ERROR_FORMAT, "true");
  tensor = make_tensor ("w", MIEN_I64, 1);
  put_bytes (tensor, 9, "\0\0\0\0\0\0\0\0", 8);
  put_int (tensor, 7, 0);
  assert_refused (make_add_model (tensor), MIEN_NN_ERROR_FORMAT, "more than one");
  tensor = make_tensor ("w", MIEN_U8, 1);
  for (int i = 0; i < MIEN_MAX_RANK; i++)
    put_int (tensor, 1, 1);
  put_bytes (tensor, 9, "\0", 1);
  assert_refused (make_add_model (tensor), MIEN_NN_ERROR_UNSUPPORTED, "dimensions");
  tensor = make_tensor ("w", MIEN_U8, 1);
  put_message (tensor, 3, g_byte_array_new ());
  put_bytes (tensor, 9, "\0", 1);
  assert_refused (make_add_model (tensor), MIEN_NN_ERROR_UNSUPPORTED, "segments");
  assert_refused (make_add_model (make_tensor ("", MIEN_F32, 0)), MIEN_NN_ERROR_FORMAT, "no name");
}

static GByteArray *
model_with (GByteArray *node)
{
  GByteArray *graph = make_graph ();

  put_message (graph, 1, node);
  return make_model (8, 17, graph);
}

static GByteArray *
model_with_attr (int type, int field)
{
  GByteArray *node = make_node ("Loop", "x", NULL, "y"), *attr = g_byte_array_new ();

  put_text (attr, 1, "body");
  if (type >= 0)
    put_int (attr, 20, type);
  if (field > 0)
    put_message (attr, field, g_byte_array_new ());
  put_message (node, 5, attr);
  return model_with (node);
}

static void
test_bad_graphs (void)
{
  static const gint64 dims[] = { 2 };
  GByteArray *graph, *node, *model;

  /* versions */
  for (int ir = 3; ir <= 10; ir++) {
    g_autoptr (GByteArray) good = NULL;
    g_autoptr (MienGraph) opened = NULL;

    graph = make_graph ();
    put_message (graph, 1, make_node ("Relu", "x", NULL, "y"));
    good = make_model (ir, 13, graph);
    opened = read_model (good, NULL);
    g_assert_nonnull (opened);
    g_assert_cmpint (mien_graph_value (opened, mien_graph_find (opened, "x"))->shape.dim[0], ==, -1);
  }
  assert_refused (make_model (0, 13, make_graph ()), MIEN_NN_ERROR_FORMAT, "IR version");
  assert_refused (make_model (2, 13, make_graph ()), MIEN_NN_ERROR_UNSUPPORTED, "IR version 2");
  assert_refused (make_model (11, 13, make_graph ()), MIEN_NN_ERROR_UNSUPPORTED, "IR version 11");
  assert_refused (make_model (-1, 13, make_graph ()), MIEN_NN_ERROR_FORMAT, "IR version");
  assert_refused (make_model (8, 0, make_graph ()), MIEN_NN_ERROR_FORMAT, "operator set");
  assert_refused (make_model (8, 23, make_graph ()), MIEN_NN_ERROR_UNSUPPORTED, "operator set 23");
  model = g_byte_array_new ();
  put_int (model, 1, 8);
  put_message (model, 7, make_graph ());
  assert_refused (model, MIEN_NN_ERROR_FORMAT, "operator set");
  model = g_byte_array_new ();
  put_int (model, 1, 8);
  assert_refused (model, MIEN_NN_ERROR_FORMAT, "graph");

  /* values */
  assert_refused (model_with (make_node ("Relu", "nowhere", NULL, "y")), MIEN_NN_ERROR_FORMAT, "\"nowhere\"");
  assert_refused (model_with (make_node ("Relu", "x", NULL, "x")), MIEN_NN_ERROR_FORMAT, "\"x\"");
  assert_refused (model_with (make_node ("Relu", "y", NULL, "y")), MIEN_NN_ERROR_FORMAT, "cycle");
  assert_refused (model_with (make_node ("Relu", "x", NULL, "z")), MIEN_NN_ERROR_FORMAT, "\"y\"");
  assert_refused (model_with (make_node ("", "x", NULL, "y")), MIEN_NN_ERROR_FORMAT, "operator");
  graph = make_graph ();
  put_message (graph, 1, make_node ("Relu", "x", NULL, "y"));
  put_message (graph, 11, make_value_info ("x", 1, dims, 1));
  assert_refused (make_model (8, 17, graph), MIEN_NN_ERROR_FORMAT, "twice");
  graph = make_graph ();
  put_message (graph, 1, make_node ("Relu", "x", NULL, "y"));
  put_message (graph, 12, make_value_info ("y", 1, dims, 1));
  assert_refused (make_model (8, 17, graph), MIEN_NN_ERROR_FORMAT, "twice");
  graph = make_graph ();
  put_message (graph, 1, make_node ("Relu", "x", NULL, "y"));
  put_message (graph, 5, make_tensor ("w", 1, 0));
  put_message (graph, 5, make_tensor ("w", 1, 0));
  assert_refused (make_model (8, 17, graph), MIEN_NN_ERROR_FORMAT, "\"w\"");
  graph = make_graph ();
  put_message (graph, 1, make_node ("Relu", "x", NULL, "y"));
  put_message (graph, 15, g_byte_array_new ());
  assert_refused (make_model (8, 17, graph), MIEN_NN_ERROR_UNSUPPORTED, "sparse");
  graph = make_graph ();
  put_message (graph, 1, make_node ("Relu", "x", NULL, "y"));
  model = make_model (8, 17, graph);
  put_message (model, 25, g_byte_array_new ());
  assert_refused (model, MIEN_NN_ERROR_UNSUPPORTED, "functions");
  graph = make_graph ();
  put_message (graph, 1, make_node ("Relu", "x", NULL, "y"));
  put_message (graph, 11, make_value_info ("text", 8, dims, 1));
  assert_refused (make_model (8, 17, graph), MIEN_NN_ERROR_UNSUPPORTED, "\"text\"");
  node = make_node ("Relu", "x", NULL, "y");
  put_text (node, 7, "com.example");
  assert_refused (model_with (node), MIEN_NN_ERROR_UNSUPPORTED, "\"com.example\"");
  node = make_node ("Relu", "x", NULL, "y");
  put_text (node, 7, "mien");
  assert_refused (model_with (node), MIEN_NN_ERROR_UNSUPPORTED, "\"mien\"");

  /* attributes */
  assert_refused (model_with_attr (5, 6), MIEN_NN_ERROR_UNSUPPORTED, "Loop \"n\": attribute \"body\"");
  assert_refused (model_with_attr (10, 11), MIEN_NN_ERROR_UNSUPPORTED, "Loop \"n\": attribute \"body\"");
  assert_refused (model_with_attr (11, 22), MIEN_NN_ERROR_UNSUPPORTED, "\"body\"");
  assert_refused (model_with_attr (13, 14), MIEN_NN_ERROR_UNSUPPORTED, "\"body\"");
  assert_refused (model_with_attr (4, 0), MIEN_NN_ERROR_FORMAT, "\"body\"");
  assert_refused (model_with_attr (99, 0), MIEN_NN_ERROR_FORMAT, "99");
  assert_refused (model_with_attr (-1, 0), MIEN_NN_ERROR_FORMAT, "\"body\"");
  node = make_node ("Relu", "x", NULL, "y");
  for (int i = 0; i < 2; i++) {
    GByteArray *attr = g_byte_array_new ();

    put_text (attr, 1, "alpha");
    put_int (attr, 20, 2);
    put_message (node, 5, attr);
  }
  assert_refused (model_with (node), MIEN_NN_ERROR_FORMAT, "\"alpha\"");
  node = make_node ("Relu", "x", NULL, "y");
  {
    GByteArray *attr = g_byte_array_new ();

    put_text (attr, 1, "mode");
    put_int (attr, 20, 3);
    put_bytes (attr, 4, "\xff\xfe", 2);
    put_message (node, 5, attr);
  }
  assert_refused (model_with (node), MIEN_NN_ERROR_UNSUPPORTED, "\"mode\"");

  /* metadata */
  graph = make_graph ();
  put_message (graph, 1, make_node ("Relu", "x", NULL, "y"));
  model = make_model (8, 17, graph);
  for (int i = 0; i < 2; i++) {
    GByteArray *entry = g_byte_array_new ();

    put_text (entry, 1, "key");
    put_text (entry, 2, "value");
    put_message (model, 14, entry);
  }
  assert_refused (model, MIEN_NN_ERROR_FORMAT, "\"key\"");
}

/* Nodes out of order are put in order; weights that are listed as inputs are weights. */
static void
test_order_and_old_inputs (void)
{
  static const gint64 dims[] = { 2 };
  GByteArray *graph = g_byte_array_new (), *w = make_tensor ("w", 1, 2);
  g_autoptr (GByteArray) model = NULL;
  g_autoptr (MienGraph) read = NULL;
  g_autoptr (GError) error = NULL;

  put_bytes (w, 9, "\0\0\x80\x3f\0\0\0\xc0", 8); /* 1, -2 */
  put_message (graph, 1, make_node ("Add", "m", "w", "y"));
  put_message (graph, 1, make_node ("Relu", "x", NULL, "m"));
  put_message (graph, 5, w);
  put_message (graph, 11, make_value_info ("w", 1, dims, 1));
  put_message (graph, 11, make_value_info ("x", 1, dims, 1));
  put_message (graph, 12, make_value_info ("y", 1, dims, 1));
  put_message (graph, 13, make_value_info ("m", 1, dims, 1));
  model = make_model (3, 9, graph);
  read = read_model (model, &error);
  g_assert_no_error (error);
  g_assert_cmpint (read->opset, ==, 9);
  g_assert_cmpstr (mien_graph_node (read, 0)->op, ==, "Relu");
  g_assert_cmpstr (mien_graph_node (read, 1)->op, ==, "Add");
  g_assert_cmpuint (read->inputs->len, ==, 1);
  g_assert_cmpstr (mien_graph_value (read, g_array_index (read->inputs, int, 0))->name, ==, "x");
  g_assert_cmpint (mien_graph_value (read, mien_graph_find (read, "w"))->kind, ==, MIEN_VALUE_CONSTANT);
  g_assert_cmpfloat (mien_tensor_f32 (mien_graph_value (read, mien_graph_find (read, "w"))->tensor)[1], ==, -2);
  g_assert_cmpint (mien_graph_value (read, mien_graph_find (read, "m"))->shape.dim[0], ==, 2);
}

/* Large weights of any size behind names of any length, small ones between them: where the bytes of each stand in the file. */
static void
test_aligned (void)
{
  for (int round = 0; round < 40; round++) {
    g_autofree char *long_name = g_strnfill (round * round, 'n');
    g_autoptr (MienGraph) graph = mien_graph_new (long_name, 13), again = NULL;
    const MienShape open = { .rank = 1, .dim = { -1 } };
    int sum = mien_graph_add_input (graph, "x", MIEN_F32, &open);
    g_autofree char *dir = mien_test_make_dir (), *path = g_build_filename (dir, "aligned.onnx", NULL);
    g_autoptr (GError) error = NULL;
    g_autoptr (GBytes) bytes = NULL;
    gsize n_bytes, n_large = 0;

    for (int i = 0; i < 6; i++) {
      const gboolean large = (round + i) % 3 != 0;
      const MienShape shape = mien_shape (1, large ? 16384 + 37 * round + (i == 5 ? 700000 : 0) : 1 + i);
      MienTensor *tensor = mien_tensor_new (MIEN_F32, &shape);
      g_autofree char *name = g_strnfill (1 + (round * 7 + i * 31) % 200, (char) ('a' + i));
      for (gsize k = 0; k < tensor->n_elems; k++)
        mien_tensor_f32 (tensor)[k] = (float) (i * 1e6 + k);
      const int inputs[] = { sum, mien_graph_add_constant (graph, name, tensor) };
      sum = mien_graph_op (graph, "", "Add", "", inputs, 2);
    }
    mien_graph_add_output (graph, sum);
    bytes = mien_onnx_write_bytes (graph, &error);
    g_assert_no_error (error);
    const char *data = g_bytes_get_data (bytes, &n_bytes);
    for (guint i = 0; i < graph->values->len; i++) {
      const MienTensor *tensor = mien_graph_value (graph, i)->tensor;
      if (tensor == NULL || mien_tensor_n_bytes (tensor) < 65536)
        continue;
      const char *found = memmem (data, n_bytes, tensor->data, mien_tensor_n_bytes (tensor));
      g_assert_nonnull (found);
      g_assert_cmpuint ((gsize) (found - data) % 64, ==, 0);
      n_large++;
    }
    g_assert_cmpuint (n_large, ==, 4);

    g_assert_true (mien_onnx_write (graph, path, &error));
    again = mien_onnx_read (path, &error);
    g_assert_no_error (error);
    for (guint i = 0; i < graph->values->len; i++) {
      const MienTensor *tensor = mien_graph_value (graph, i)->tensor;
      const int same = tensor != NULL ? mien_graph_find (again, mien_graph_value (graph, i)->name) : -1;
      if (tensor != NULL)
        g_assert_cmpmem (mien_graph_value (again, same)->tensor->data, mien_tensor_n_bytes (tensor), tensor->data, mien_tensor_n_bytes (tensor));
    }
    mien_test_remove_dir (dir);
  }
}

/* Weights of a large file live on by themselves, in whatever order the others go. */
static void
test_parts_of_a_file (void)
{
  enum { N = 7, N_FLOATS = 340000 }; /* 1.3 MiB each: large pages are shared by two */
  static const int order[N] = { 3, 0, 6, 2, 1, 5, 4 };
  g_autoptr (MienGraph) graph = mien_graph_new ("parts", 13), again = NULL;
  g_autofree char *dir = mien_test_make_dir (), *path = g_build_filename (dir, "parts.onnx", NULL);
  g_autoptr (GError) error = NULL;
  const MienShape shape = mien_shape (1, N_FLOATS);
  MienTensor *tensors[N];
  int sum = mien_graph_add_input (graph, "x", MIEN_F32, &shape);

  for (int i = 0; i < N; i++) {
    g_autofree char *name = g_strdup_printf ("w%d", i);
    MienTensor *tensor = mien_tensor_new (MIEN_F32, &shape);
    for (int k = 0; k < N_FLOATS; k++)
      mien_tensor_f32 (tensor)[k] = (float) (i * 1000 + k % 1000);
    sum = mien_graph_op (graph, "", "Add", "", (const int[]) { sum, mien_graph_add_constant (graph, name, tensor) }, 2);
  }
  mien_graph_add_output (graph, sum);
  g_assert_true (mien_onnx_write (graph, path, &error));
  again = mien_onnx_read (path, &error);
  g_assert_no_error (error);
  for (int i = 0; i < N; i++) {
    g_autofree char *name = g_strdup_printf ("w%d", i);
    tensors[i] = mien_tensor_ref (mien_graph_value (again, mien_graph_find (again, name))->tensor);
  }
  g_clear_pointer (&again, mien_graph_unref);
  for (int gone = 0; gone < N; gone++) {
    for (int i = gone; i < N; i++)
      for (int k = 0; k < N_FLOATS; k++)
        if (mien_tensor_f32 (tensors[order[i]])[k] != (float) (order[i] * 1000 + k % 1000))
          g_error ("w%d[%d] is %g with %d others gone", order[i], k, mien_tensor_f32 (tensors[order[i]])[k], gone);
    mien_tensor_unref (tensors[order[gone]]);
  }
  mien_test_remove_dir (dir);
}

static MienTensor *
find_tensor (const MienGraph *graph, const char *name)
{
  return mien_graph_value (graph, mien_graph_find (graph, name))->tensor;
}

/* Large weights stay in the file until they are fetched, whatever its name is then; what is read of it later must still be there. */
static void
test_away (void)
{
  enum { N = 20000 }; /* 80 KB */
  const MienShape large = mien_shape (1, N), small = mien_shape (1, 1), ints = mien_shape (1, N);
  g_autoptr (MienGraph) graph = mien_graph_new ("away", 13), here = NULL, away = NULL;
  g_autofree char *dir = mien_test_make_dir (), *path = g_build_filename (dir, "away.onnx", NULL), *moved = g_build_filename (dir, "moved.onnx", NULL);
  g_autoptr (GError) error = NULL;
  MienTensor *tensors[3] = { mien_tensor_new (MIEN_F32, &large), mien_tensor_new (MIEN_F32, &small), mien_tensor_new (MIEN_I64, &ints) };
  static const char *const names[3] = { "large", "small", "ints" };
  int sum = mien_graph_add_input (graph, "x", MIEN_F32, &large);

  for (int i = 0; i < N; i++) {
    mien_tensor_f32 (tensors[0])[i] = (float) i / 7;
    ((gint64 *) tensors[2]->data)[i] = i % 20 == 3 ? G_MAXINT64 - i : -i;
  }
  mien_tensor_f32 (tensors[1])[0] = 0.25f;
  for (int i = 0; i < 2; i++)
    sum = mien_graph_op (graph, "", "Add", "", (const int[]) { sum, mien_graph_add_constant (graph, names[i], tensors[i]) }, 2);
  mien_graph_add_output (graph, sum);
  mien_graph_add_output (graph, mien_graph_op (graph, "", "Gather", "", (const int[]) { sum, mien_graph_add_constant (graph, names[2], tensors[2]) }, 2));
  g_assert_true (mien_onnx_write (graph, path, &error));

  here = mien_onnx_read (path, &error);
  g_assert_no_error (error);
  away = mien_onnx_read_away (path, &error);
  g_assert_no_error (error);
  g_assert_true (mien_tensor_is_away (find_tensor (away, "large")));
  g_assert_false (mien_tensor_is_away (find_tensor (away, "small")));
  g_assert_false (mien_tensor_is_away (find_tensor (away, "ints"))); /* nobody packs those */
  g_assert_cmpuint (away->nodes->len, ==, here->nodes->len);
  g_assert_cmpuint (away->values->len, ==, here->values->len);
  g_assert_cmpint (g_rename (path, moved), ==, 0);
  g_assert_true (mien_tensor_fetch (find_tensor (away, "large"), &error));
  for (int i = 0; i < 3; i++)
    g_assert_cmpmem (find_tensor (away, names[i])->data, mien_tensor_n_bytes (tensors[i]), tensors[i]->data, mien_tensor_n_bytes (tensors[i]));

  g_clear_pointer (&away, mien_graph_unref);
  away = mien_onnx_read_away (moved, &error);
  g_assert_no_error (error);
  g_assert_cmpint (truncate (moved, 30000), ==, 0);
  g_assert_false (mien_tensor_fetch (find_tensor (away, "large"), &error));
  g_assert_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT);
  g_clear_error (&error);
  g_assert_null (mien_onnx_read_away (moved, &error));
  g_assert_true (strstr (error->message, "moved.onnx: is cut off") == error->message);
  mien_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/onnx/round-trip", test_round_trip);
  g_test_add_func ("/onnx/write-fails", test_write_fails);
  g_test_add_func ("/onnx/aligned", test_aligned);
  g_test_add_func ("/onnx/parts-of-a-file", test_parts_of_a_file);
  g_test_add_func ("/onnx/away", test_away);
  g_test_add_func ("/onnx/number-fields", test_number_fields);
  g_test_add_func ("/onnx/bad-tensors", test_bad_tensors);
  g_test_add_func ("/onnx/bad-graphs", test_bad_graphs);
  g_test_add_func ("/onnx/order-and-old-inputs", test_order_and_old_inputs);
  return g_test_run ();
}
