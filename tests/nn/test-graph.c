/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "mien-test.h"
#include "nn/mien-graph.h"

static MienTensor *
scalar (float value)
{
  const MienShape shape = mien_shape (0);
  MienTensor *tensor = mien_tensor_new (MIEN_F32, &shape);

  *mien_tensor_f32 (tensor) = value;
  return tensor;
}

static int
plain (MienGraph *graph, const char *name)
{
  return mien_graph_add_value (graph, name, MIEN_F32, NULL);
}

static void
join (MienGraph *graph, const char *name, int a, int b, int output)
{
  const int inputs[] = { a, b };

  mien_graph_add_node (graph, "", "Add", name, inputs, 2, &output, 1);
}

/* Names of the nodes in order: "a b c". */
static char *
order (const MienGraph *graph)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < graph->nodes->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? " " : "", mien_graph_node (graph, i)->name);
  return g_string_free (text, FALSE);
}

static void
assert_order (const MienGraph *graph, const char *expected)
{
  g_autofree char *text = order (graph);

  g_assert_cmpstr (text, ==, expected);
  for (guint i = 0; i < graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (graph, i);

    for (int k = 0; k < node->n_outputs; k++)
      g_assert_true (mien_graph_producer (graph, node->outputs[k]) == node);
  }
}

static void
test_names (void)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("g", 17);
  const int a = plain (graph, "a"), again = plain (graph, "a"), b = plain (graph, NULL), c = plain (graph, "");

  g_assert_cmpint (mien_graph_find (graph, "a"), ==, a);
  g_assert_cmpint (mien_graph_find (graph, "nothing"), ==, -1);
  for (int i = a; i <= c; i++) {
    g_assert_cmpint (mien_graph_find (graph, mien_graph_value (graph, i)->name), ==, i);
    g_assert_cmpstr (mien_graph_value (graph, i)->name, !=, "");
  }
  g_assert_true (g_str_has_prefix (mien_graph_value (graph, again)->name, "a_"));
  g_assert_cmpint (b, ==, 2);
}

static void
test_quote (void)
{
  g_autofree char *odd = mien_graph_quote ("a\nb\033[1mü"), *edge = g_strnfill (81, 'y'), *cut = mien_graph_shown (edge);
  g_autofree char *letters = g_strnfill (100000, 'x'), *shown = mien_graph_quote (letters), *little = mien_graph_quote ("conv");

  g_assert_cmpstr (little, ==, "\"conv\"");
  g_assert_cmpstr (odd, ==, "\"a\357\277\275b\357\277\275[1mü\"");
  g_assert_cmpint (g_utf8_strlen (cut, -1), ==, 81); /* 40, an ellipsis, 40 */
  g_assert_cmpuint (strlen (shown), <, 100);
  g_assert_true (g_utf8_validate (shown, -1, NULL));
}

static void
test_sort (void)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("g", 17);
  g_autoptr (GError) error = NULL;
  const int x = mien_graph_add_input (graph, "x", MIEN_F32, NULL);
  const int w = mien_graph_add_constant (graph, "w", scalar (2));
  const int a = plain (graph, "a"), b = plain (graph, "b"), c = plain (graph, "c"), d = plain (graph, "d");

  /* d = b + c, c = a + w, a = x + w, b = a + x */
  join (graph, "D", b, c, d);
  join (graph, "C", a, w, c);
  join (graph, "A", x, w, a);
  join (graph, "B", a, x, b);
  mien_graph_add_output (graph, d);
  g_assert_true (mien_graph_sort (graph, &error));
  g_assert_no_error (error);
  assert_order (graph, "A B C D"); /* B before C: D reads it first */
  g_assert_true (mien_graph_sort (graph, NULL));
  assert_order (graph, "A B C D");
  g_assert_null (mien_graph_producer (graph, x));
}

static void
test_sort_keeps_order (void)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("g", 17);
  const int x = mien_graph_add_input (graph, "x", MIEN_F32, NULL);
  const int a = plain (graph, "a"), b = plain (graph, "b"), c = plain (graph, "c");

  join (graph, "C", x, x, c);
  join (graph, "A", x, x, a);
  join (graph, "B", a, c, b);
  mien_graph_add_output (graph, b);
  g_assert_true (mien_graph_sort (graph, NULL));
  assert_order (graph, "C A B");
}

static void
assert_refused (MienGraph *graph, const char *node, const char *value)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (mien_graph_sort (graph, &error));
  g_assert_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT);
  g_assert_nonnull (strstr (error->message, node));
  g_assert_nonnull (strstr (error->message, value));
}

static void
test_cycle (void)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("g", 17);
  const int x = mien_graph_add_input (graph, "x", MIEN_F32, NULL), a = plain (graph, "av"), b = plain (graph, "bv");

  join (graph, "A", x, b, a);
  join (graph, "B", a, x, b);
  mien_graph_add_output (graph, b);
  assert_refused (graph, "Add \"B\"", "\"av\"");
}

static void
test_self_cycle (void)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("g", 17);
  const int a = plain (graph, "av");

  join (graph, "A", a, a, a);
  assert_refused (graph, "Add \"A\"", "\"av\"");
}

static void
test_missing (void)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("g", 17);
  const int x = mien_graph_add_input (graph, "x", MIEN_F32, NULL), a = plain (graph, "av"), b = plain (graph, "bv");

  join (graph, "A", x, b, a);
  assert_refused (graph, "Add \"A\"", "\"bv\"");
}

static void
test_output_missing (void)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("g", 17);

  mien_graph_add_output (graph, plain (graph, "av"));
  assert_refused (graph, "output", "\"av\"");
}

static void
test_made_twice (void)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("g", 17);
  const int x = mien_graph_add_input (graph, "x", MIEN_F32, NULL), a = plain (graph, "av");

  join (graph, "A", x, x, a);
  join (graph, "B", x, x, a);
  assert_refused (graph, "Add \"B\"", "\"av\"");
}

static void
test_made_from_outside (void)
{
  g_autoptr (MienGraph) input = mien_graph_new ("g", 17), constant = mien_graph_new ("g", 17);
  const int x = mien_graph_add_input (input, "xv", MIEN_F32, NULL);
  const int w = mien_graph_add_constant (constant, "wv", scalar (1));

  join (input, "A", x, x, x);
  assert_refused (input, "Add \"A\"", "\"xv\"");
  join (constant, "A", w, w, w);
  assert_refused (constant, "Add \"A\"", "\"wv\"");
}

/* A recursive sort would run out of stack here, a quadratic one out of patience. */
static void
test_long_chain (void)
{
  const int n = 100000;
  g_autoptr (MienGraph) graph = mien_graph_new ("g", 17);
  g_autofree int *values = g_new (int, n + 1);

  values[0] = mien_graph_add_input (graph, "x", MIEN_F32, NULL);
  for (int i = 1; i <= n; i++)
    values[i] = plain (graph, "same");
  for (int i = n; i >= 1; i--) {
    g_autofree char *name = g_strdup_printf ("%d", i);

    join (graph, name, values[i - 1], values[i - 1], values[i]);
  }
  mien_graph_add_output (graph, values[n]);
  g_assert_true (mien_graph_sort (graph, NULL));
  for (int i = 1; i <= n; i++)
    g_assert_cmpint (atoi (mien_graph_node (graph, i - 1)->name), ==, i);
}

static void
test_prune (void)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("g", 17);
  const int x = mien_graph_add_input (graph, "x", MIEN_F32, NULL);
  const int used = mien_graph_add_constant (graph, "used", scalar (1)), unused = mien_graph_add_constant (graph, "unused", scalar (1));
  const int learnt = mien_graph_add_parameter (graph, "learnt", scalar (1));
  const int a = plain (graph, "a"), dead = plain (graph, "dead"), deader = plain (graph, "deader"), b = plain (graph, "b");

  join (graph, "A", x, used, a);
  join (graph, "Dead", a, unused, dead);
  join (graph, "Deader", dead, -1, deader);
  join (graph, "B", a, -1, b);
  mien_graph_add_output (graph, b);
  g_assert_true (mien_graph_sort (graph, NULL));
  mien_graph_prune (graph);
  assert_order (graph, "A B");
  g_assert_nonnull (mien_graph_value (graph, used)->tensor);
  g_assert_null (mien_graph_value (graph, unused)->tensor);
  g_assert_nonnull (mien_graph_value (graph, learnt)->tensor);
  g_assert_cmpint (mien_graph_value (graph, dead)->producer, ==, -1);
  g_assert_cmpint (mien_graph_find (graph, "b"), ==, b);
  g_assert_true (mien_graph_sort (graph, NULL));
}

static void
test_attributes (void)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("g", 17);
  const int x = mien_graph_add_input (graph, "x", MIEN_F32, NULL);
  MienNode *node = mien_graph_producer (graph, mien_graph_op (graph, "", "Conv", "conv", &x, 1));
  const gint64 ints[] = { 1, -2, G_MAXINT64 };
  const float floats[] = { .5f, -1 };
  const char *const strings[] = { "eins", "", "drei" };
  gsize n;

  g_assert_cmpint (mien_node_int (node, "group", 7), ==, 7);
  mien_node_set_int (node, "group", 2);
  mien_node_set_int (node, "group", 3);
  g_assert_cmpint (mien_node_int (node, "group", 7), ==, 3);
  g_assert_cmpuint (node->attrs->len, ==, 1);
  g_assert_cmpfloat (mien_node_float (node, "group", .25f), ==, .25f); /* another type counts as absent */
  mien_node_set_ints (node, "pads", ints, 3);
  g_assert_cmpmem (mien_node_ints (node, "pads", &n), sizeof ints, ints, sizeof ints);
  g_assert_cmpuint (n, ==, 3);
  g_assert_null (mien_node_ints (node, "strides", &n));
  g_assert_cmpuint (n, ==, 0);
  mien_node_set_string (node, "pads", "now a string");
  g_assert_cmpstr (mien_node_string (node, "pads", NULL), ==, "now a string");
  mien_node_set_string (node, "pads", mien_node_string (node, "pads", NULL));
  g_assert_cmpstr (mien_node_string (node, "pads", NULL), ==, "now a string");
  mien_node_set_floats (node, "scales", floats, 2);
  g_assert_cmpmem (mien_node_attr (node, "scales")->floats, sizeof floats, floats, sizeof floats);
  mien_node_set_strings (node, "names", strings, 3);
  g_assert_cmpuint (mien_node_attr (node, "names")->n, ==, 3);
  g_assert_cmpstr (mien_node_attr (node, "names")->strings[2], ==, "drei");
  mien_node_set_float (node, "alpha", .5f);
  g_assert_cmpfloat (mien_node_float (node, "alpha", 0), ==, .5f);
  mien_node_set_tensor (node, "value", scalar (4));
  g_assert_cmpfloat (*mien_tensor_f32 (mien_node_attr (node, "value")->t), ==, 4);
}

static void
test_dup (void)
{
  g_autoptr (MienGraph) graph = mien_graph_new ("g", 13), copy = NULL;
  const int x = mien_graph_add_input (graph, "x", MIEN_F32, NULL);
  const int w = mien_graph_add_constant (graph, "w", scalar (2)), p = mien_graph_add_parameter (graph, "p", scalar (3));
  const int inputs[] = { x, w, p };
  const int y = mien_graph_op (graph, "mien", "Sum", "sum", inputs, 3);
  const gint64 ints[] = { 4, 5 };

  mien_graph_add_output (graph, y);
  mien_node_set_ints (mien_graph_producer (graph, y), "axes", ints, 2);
  mien_node_set_tensor (mien_graph_producer (graph, y), "value", scalar (4));
  g_hash_table_insert (graph->metadata, g_strdup ("key"), g_strdup ("text"));
  copy = mien_graph_dup (graph);
  mien_graph_value (graph, x)->shape = mien_shape (1, 5);
  *mien_tensor_f32 (mien_graph_value (graph, p)->tensor) = 30;
  g_clear_pointer (&graph, mien_graph_unref);

  g_assert_cmpint (copy->opset, ==, 13);
  g_assert_cmpstr (copy->name, ==, "g");
  g_assert_cmpint (mien_graph_value (copy, x)->shape.rank, ==, -1);
  g_assert_cmpfloat (*mien_tensor_f32 (mien_graph_value (copy, w)->tensor), ==, 2);
  g_assert_cmpfloat (*mien_tensor_f32 (mien_graph_value (copy, p)->tensor), ==, 30); /* shared with the original */
  g_assert_cmpint (mien_graph_value (copy, p)->kind, ==, MIEN_VALUE_PARAMETER);
  g_assert_cmpint (mien_graph_find (copy, "p"), ==, p);
  g_assert_cmpstr (g_hash_table_lookup (copy->metadata, "key"), ==, "text");
  g_assert_cmpuint (copy->inputs->len, ==, 1);
  g_assert_cmpint (g_array_index (copy->outputs, int, 0), ==, y);
  g_assert_cmpstr (mien_graph_producer (copy, y)->domain, ==, "mien");
  g_assert_cmpstr (mien_graph_producer (copy, y)->op, ==, "Sum");
  g_assert_cmpmem (mien_graph_producer (copy, y)->inputs, sizeof inputs, inputs, sizeof inputs);
  g_assert_cmpmem (mien_node_attr (mien_graph_producer (copy, y), "axes")->ints, sizeof ints, ints, sizeof ints);
  g_assert_cmpfloat (*mien_tensor_f32 (mien_node_attr (mien_graph_producer (copy, y), "value")->t), ==, 4);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/graph/names", test_names);
  g_test_add_func ("/graph/quote", test_quote);
  g_test_add_func ("/graph/sort", test_sort);
  g_test_add_func ("/graph/sort-keeps-order", test_sort_keeps_order);
  g_test_add_func ("/graph/cycle", test_cycle);
  g_test_add_func ("/graph/self-cycle", test_self_cycle);
  g_test_add_func ("/graph/missing", test_missing);
  g_test_add_func ("/graph/output-missing", test_output_missing);
  g_test_add_func ("/graph/made-twice", test_made_twice);
  g_test_add_func ("/graph/made-from-outside", test_made_from_outside);
  g_test_add_func ("/graph/long-chain", test_long_chain);
  g_test_add_func ("/graph/prune", test_prune);
  g_test_add_func ("/graph/attributes", test_attributes);
  g_test_add_func ("/graph/dup", test_dup);
  return g_test_run ();
}
