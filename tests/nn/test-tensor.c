/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "mien-test.h"
#include "nn/mien-tensor.h"

static void
test_types (void)
{
  /* ONNX TensorProto.DataType: number, bytes */
  static const struct { int type; gsize size; const char *name; } types[] = {
    { 0, 0, "unknown" }, { 1, 4, "float32" }, { 2, 1, "uint8" }, { 3, 1, "int8" }, { 4, 2, "uint16" }, { 5, 2, "int16" },
    { 6, 4, "int32" }, { 7, 8, "int64" }, { 8, 0, "string" }, { 9, 1, "bool" }, { 10, 2, "float16" }, { 11, 8, "float64" },
    { 12, 4, "uint32" }, { 13, 8, "uint64" }, { 14, 0, "unknown" }, { 15, 0, "unknown" }, { 16, 2, "bfloat16" }, { 999, 0, "unknown" },
    { -1, 0, "unknown" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++) {
    g_assert_cmpuint (mien_type_size (types[i].type), ==, types[i].size);
    g_assert_cmpstr (mien_type_name (types[i].type), ==, types[i].name);
  }
}

static void
test_shapes (void)
{
  const MienShape a = mien_shape (4, 1, 3, 48, 40), b = mien_shape (4, 1, 3, 48, 41), c = mien_shape (3, 1, 3, 48);
  const MienShape open = { .rank = 3, .dim = { -1, 48, 48 } }, none = MIEN_SHAPE_UNKNOWN, scalar = mien_shape (0);
  static const struct { const char *text; MienShape shape; } texts[] = {
    { "1x3x48x40", { .rank = 4, .dim = { 1, 3, 48, 40 } } },
    { "?x48x48", { .rank = 3, .dim = { -1, 48, 48 } } },
    { "scalar", { .rank = 0 } },
    { "?", { .rank = -1 } },
  };
  gsize n;

  g_assert_true (mien_shape_equal (&a, &a));
  g_assert_false (mien_shape_equal (&a, &b));
  g_assert_false (mien_shape_equal (&a, &c));
  g_assert_true (mien_shape_is_known (&a));
  g_assert_true (mien_shape_is_known (&scalar));
  g_assert_false (mien_shape_is_known (&open));
  g_assert_false (mien_shape_is_known (&none));

  g_assert_true (mien_shape_n_elems (&a, &n));
  g_assert_cmpuint (n, ==, 3 * 48 * 40);
  g_assert_true (mien_shape_n_elems (&scalar, &n));
  g_assert_cmpuint (n, ==, 1);
  g_assert_false (mien_shape_n_elems (&open, &n));
  g_assert_false (mien_shape_n_elems (&none, &n));

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autofree char *text = mien_shape_to_string (&texts[i].shape);

    g_assert_cmpstr (text, ==, texts[i].text);
  }
}

static void
test_overflow (void)
{
  const gint64 big = G_GINT64_CONSTANT (1) << 32;
  const MienShape overflows = { .rank = 4, .dim = { big, big, 3, 3 } }, huge = { .rank = 1, .dim = { big } };
  const MienShape wraps_to_small = { .rank = 2, .dim = { G_MAXINT64, 4 } }, none = { .rank = 3, .dim = { big, 0, big } };
  g_autoptr (MienTensor) empty = NULL;
  gsize n = 99;

  g_assert_false (mien_shape_n_elems (&overflows, &n));
  g_assert_false (mien_shape_n_elems (&wraps_to_small, &n));
  g_assert_true (mien_shape_n_elems (&none, &n));
  g_assert_cmpuint (n, ==, 0);
  {
    g_autoptr (GError) error = NULL;

    g_assert_null (mien_tensor_try_new (MIEN_F32, &overflows, &error));
    g_assert_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_SIZE);
  }
  {
    g_autoptr (GError) error = NULL;

    g_assert_null (mien_tensor_try_new (MIEN_F32, &huge, &error)); /* 16 GiB */
    g_assert_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_SIZE);
    g_assert_nonnull (strstr (error->message, "4294967296"));
  }
  {
    g_autoptr (GError) error = NULL;

    g_assert_null (mien_tensor_try_new (MIEN_STRING, &none, &error));
    g_assert_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_UNSUPPORTED);
  }
  empty = mien_tensor_new (MIEN_F32, &none);
  g_assert_cmpuint (empty->n_elems, ==, 0);
  g_assert_nonnull (empty->data);
}

static void
test_memory (void)
{
  for (int n = 0; n < 70; n++) {
    const MienShape shape = mien_shape (2, n, 3);
    g_autoptr (MienTensor) tensor = mien_tensor_new (MIEN_F32, &shape);
    g_autoptr (MienTensor) copy = NULL;

    g_assert_cmpuint ((guintptr) tensor->data % 64, ==, 0);
    g_assert_cmpuint (mien_tensor_n_bytes (tensor), ==, n * 12);
    for (int i = 0; i < 3 * n; i++) {
      g_assert_cmpfloat (mien_tensor_f32 (tensor)[i], ==, 0);
      mien_tensor_f32 (tensor)[i] = i;
    }
    copy = mien_tensor_dup (tensor);
    g_assert_true (mien_shape_equal (&copy->shape, &tensor->shape));
    g_assert_cmpmem (copy->data, 12 * n, tensor->data, 12 * n);
    g_assert_true (copy->data != tensor->data);
  }
}

static void
freed_cb (gpointer data)
{
  ++*(int *) data;
}

static void
test_borrow (void)
{
  float values[6] = { 1, 2, 3, 4, 5, 6 };
  const MienShape shape = mien_shape (2, 2, 3);
  int n_freed = 0;
  MienTensor *tensor = mien_tensor_new_take (MIEN_F32, &shape, values, freed_cb, &n_freed);
  const gint64 numbers[] = { 3, -1, G_MAXINT64 };
  g_autoptr (MienTensor) ints = mien_tensor_new_i64 (numbers, 3);

  g_assert_true (tensor->data == values);
  g_assert_cmpuint (tensor->n_elems, ==, 6);
  g_assert_true (mien_tensor_ref (tensor) == tensor);
  mien_tensor_unref (tensor);
  g_assert_cmpint (n_freed, ==, 0);
  mien_tensor_unref (tensor);
  g_assert_cmpint (n_freed, ==, 1);

  g_assert_cmpint (ints->type, ==, MIEN_I64);
  g_assert_cmpint (ints->shape.rank, ==, 1);
  g_assert_cmpmem (ints->data, sizeof numbers, numbers, sizeof numbers);
}

typedef struct {
  const float *values;
  int n_freed;
  gboolean fails;
} Elsewhere;

static gboolean
read_cb (gpointer data, gsize offset, void *to, gsize n_bytes, GError **error)
{
  const Elsewhere *self = data;

  if (self->fails)
    g_set_error_literal (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT, "gone");
  else
    memcpy (to, (const char *) self->values + offset, n_bytes);
  return !self->fails;
}

static void
free_cb (gpointer data)
{
  ((Elsewhere *) data)->n_freed++;
}

static void
test_away (void)
{
  const float values[6] = { 1, 2, 3, 4, 5, 6 };
  const MienShape shape = mien_shape (2, 2, 3);
  Elsewhere source = { values, 0, TRUE };
  g_autoptr (MienTensor) tensor = mien_tensor_new_away (MIEN_F32, &shape, read_cb, &source, free_cb);
  g_autoptr (MienTensor) other = mien_tensor_new_away (MIEN_F32, &shape, read_cb, &source, free_cb);
  g_autoptr (GError) error = NULL;
  float some[2];

  g_assert_true (mien_tensor_is_away (tensor));
  g_assert_null (tensor->data);
  g_assert_false (mien_tensor_fetch (tensor, &error));
  g_assert_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT);
  g_clear_error (&error);
  g_assert_true (mien_tensor_is_away (tensor)); /* it may be tried again */

  source.fails = FALSE;
  g_assert_true (mien_tensor_read (tensor, 3, 2, some, &error));
  g_assert_cmpmem (some, sizeof some, values + 3, sizeof some);
  g_assert_cmpint (source.n_freed, ==, 0);
  g_assert_true (mien_tensor_fetch (tensor, &error));
  g_assert_false (mien_tensor_is_away (tensor));
  g_assert_cmpint (source.n_freed, ==, 1);
  g_assert_cmpmem (tensor->data, sizeof values, values, sizeof values);
  g_assert_true (mien_tensor_fetch (tensor, &error));
  g_assert_cmpmem (tensor->data, sizeof values, values, sizeof values);

  mien_tensor_let_go (other);
  g_assert_cmpint (source.n_freed, ==, 2);
  g_assert_false (mien_tensor_is_away (other));
  g_assert_null (other->data);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tensor/types", test_types);
  g_test_add_func ("/tensor/shapes", test_shapes);
  g_test_add_func ("/tensor/overflow", test_overflow);
  g_test_add_func ("/tensor/memory", test_memory);
  g_test_add_func ("/tensor/borrow", test_borrow);
  g_test_add_func ("/tensor/away", test_away);
  return g_test_run ();
}
