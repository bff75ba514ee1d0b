/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Networks that no exporter would write: the models of ONNX's backend tests with attributes, shapes, types, contents and
 * connections changed at random. Whatever happens, it is an answer or one sentence; sanitizers and asserts see the rest.
 *
 * MIEN_FUZZ_SECONDS goes on for that long, from another seed each time; MIEN_FUZZ_SEED repeats one network. */
#include <math.h>
#include <string.h>

#include "mien-test.h"
#include "nn/mien-plan.h"
#include "onnx/mien-onnx.h"

#define DATA "/usr/share/libonnx-testdata/data"
#define MAX_BYTES ((gsize) 64 << 20)
#define SLOW_US (20 * G_USEC_PER_SEC)
#define N_NETWORKS 4000

static const gint64 ints[] = { 0, 1, -1, 2, -2, 3, 4, 5, 7, -7, 8, 16, 100, 4097, G_MAXINT32, G_MININT32, G_GINT64_CONSTANT (1) << 33, G_MAXINT64, G_MININT64 };
static const float floats[] = { 0, 1, -1, 0.5f, 2, 3.7f, -2.5f, 1e-30f, 1e30f, INFINITY, -INFINITY, NAN };
static const MienType types[] = { MIEN_F32, MIEN_U8, MIEN_I8, MIEN_U16, MIEN_I16, MIEN_I32, MIEN_I64, MIEN_BOOL, MIEN_F16, MIEN_F64, MIEN_U32, MIEN_U64, MIEN_BF16 };

#define PICK(rand, array) ((array)[g_rand_int_range ((rand), 0, G_N_ELEMENTS (array))])

static gboolean
chance (GRand *rand, int one_in)
{
  return g_rand_int_range (rand, 0, one_in) == 0;
}

static gint64
pick_int (GRand *rand)
{
  return chance (rand, 2) ? g_rand_int_range (rand, -4, 9) : PICK (rand, ints);
}

static void
change_attr (MienNode *node, GRand *rand)
{
  static const char *const names[] = { "axis", "axes", "keepdims", "pads", "perm", "split", "blocksize", "size", "strides", "dilations", "kernel_shape",
                                       "group", "ceil_mode", "to", "starts", "ends", "start", "end", "output_shape", "output_padding", "storage_order", "count_include_pad",
                                       "broadcast", "k", "largest", "allowzero", "transA", "transB", "training_mode", "select_last_index", "shape" };
  const char *name = names[g_rand_int_range (rand, 0, G_N_ELEMENTS (names))];
  gint64 list[10];
  const gsize n = g_rand_int_range (rand, 0, G_N_ELEMENTS (list) + 1);

  if (node->attrs->len > 0 && !chance (rand, 3)) {
    MienAttr *attr = g_ptr_array_index (node->attrs, g_rand_int_range (rand, 0, node->attrs->len));

    if (attr->type == MIEN_ATTR_INT)
      attr->i = pick_int (rand);
    else if (attr->type == MIEN_ATTR_FLOAT)
      attr->f = PICK (rand, floats);
    else if (attr->type == MIEN_ATTR_INTS && attr->n > 0)
      attr->ints[g_rand_int_range (rand, 0, attr->n)] = pick_int (rand);
    else if (attr->type == MIEN_ATTR_FLOATS && attr->n > 0)
      attr->floats[g_rand_int_range (rand, 0, attr->n)] = PICK (rand, floats);
    return;
  }
  if (chance (rand, 2)) {
    mien_node_set_int (node, name, pick_int (rand));
  } else {
    for (gsize i = 0; i < n; i++)
      list[i] = pick_int (rand);
    mien_node_set_ints (node, name, list, n);
  }
}

static void
change_links (MienGraph *graph, MienNode *node, GRand *rand)
{
  const int v = g_rand_int_range (rand, 0, graph->values->len);

  if (node->n_inputs == 0)
    return;
  switch (g_rand_int_range (rand, 0, 4)) {
  case 0:
    node->inputs[g_rand_int_range (rand, 0, node->n_inputs)] = -1;
    break;
  case 1: /* an omitted output stays omitted, so that indices into inputs stay right */
    node->inputs[g_rand_int_range (rand, 0, node->n_inputs)] = v;
    break;
  case 2:
    node->n_inputs--;
    break;
  default:
    node->inputs[g_rand_int_range (rand, 0, node->n_inputs)] = node->inputs[0];
    break;
  }
}

static MienShape
change_shape (const MienShape *from, GRand *rand)
{
  static const gint64 dims[] = { 0, 1, 1, 2, 3, 4, 5, 8, 17, 300 };
  MienShape shape = *from;

  switch (g_rand_int_range (rand, 0, 4)) {
  case 0:
    if (shape.rank > 0)
      shape.dim[g_rand_int_range (rand, 0, shape.rank)] = PICK (rand, dims);
    break;
  case 1:
    if (shape.rank > 0)
      shape.rank--;
    break;
  case 2:
    if (shape.rank < MIEN_MAX_RANK)
      shape.dim[shape.rank++] = PICK (rand, dims);
    break;
  default:
    shape.rank = g_rand_int_range (rand, 0, MIEN_MAX_RANK + 1);
    for (int d = 0; d < shape.rank; d++)
      shape.dim[d] = PICK (rand, dims);
    break;
  }
  return shape;
}

static void
fill (MienTensor *tensor, GRand *rand)
{
  for (gsize i = 0; i < tensor->n_elems; i++)
    switch (tensor->type) {
    case MIEN_F32:
      ((float *) tensor->data)[i] = chance (rand, 20) ? PICK (rand, floats) : (float) g_rand_double_range (rand, -3, 3);
      break;
    case MIEN_F64:
      ((double *) tensor->data)[i] = g_rand_double_range (rand, -3, 3);
      break;
    case MIEN_I64:
      ((gint64 *) tensor->data)[i] = pick_int (rand);
      break;
    case MIEN_I32:
      ((gint32 *) tensor->data)[i] = (gint32) pick_int (rand);
      break;
    case MIEN_BOOL:
      ((guint8 *) tensor->data)[i] = chance (rand, 2);
      break;
    default:
      for (gsize b = 0; b < mien_type_size (tensor->type); b++)
        ((guint8 *) tensor->data)[i * mien_type_size (tensor->type) + b] = (guint8) g_rand_int (rand);
      break;
    }
}

/* The tensor an input is fed with: as it was, or of other shape, type or contents. */
static MienTensor *
make_input (const MienTensor *original, GRand *rand)
{
  MienType type = original->type;
  MienShape shape = original->shape;
  MienTensor *tensor;
  gsize n;

  if (chance (rand, 2))
    return mien_tensor_dup (original);
  if (chance (rand, 6))
    type = PICK (rand, types);
  if (chance (rand, 2))
    shape = change_shape (&shape, rand);
  if (!mien_shape_n_elems (&shape, &n) || n > 1 << 20)
    return mien_tensor_dup (original);
  tensor = mien_tensor_new (type, &shape);
  fill (tensor, rand);
  return tensor;
}

static void
check_sentence (const GError *error)
{
  g_assert_nonnull (error);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_cmpuint (strlen (error->message), >, 5);
  g_assert_cmpuint (strlen (error->message), <, 1000);
  g_assert_null (strchr (error->message, '\n'));
}

/* TRUE when it gave an answer. */
static gboolean
run_graph (MienGraph *graph, GPtrArray *fed, GRand *rand)
{
  const MienPlanOptions options = {
    .cpu = (MienCpuLevel) g_rand_int_range (rand, 0, mien_cpu_detect () + 1), .max_bytes = MAX_BYTES, .no_passes = chance (rand, 4)
  };
  g_autofree MienShape *shapes = g_new (MienShape, fed->len + 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (MienPlan) plan = NULL;
  g_autoptr (MienContext) context = NULL;

  for (guint i = 0; i < fed->len; i++)
    shapes[i] = ((MienTensor *) g_ptr_array_index (fed, i))->shape;
  plan = mien_plan_new (graph, shapes, &options, &error);
  if (plan != NULL)
    context = mien_context_new (plan, &error);
  if (context == NULL) {
    check_sentence (error);
    return FALSE;
  }
  for (int round = 0; round < 2; round++) {
    if (!mien_context_run (context, (const MienTensor *const *) fed->pdata, &error)) {
      check_sentence (error);
      return FALSE;
    }
    for (guint i = 0; i < graph->outputs->len; i++) { /* all of every output can be read */
      const MienTensor *out = mien_context_output (context, (int) i);
      volatile guint8 sum = 0;

      for (gsize b = 0; b < mien_tensor_n_bytes (out); b += 64)
        sum += ((const guint8 *) out->data)[b];
    }
  }
  return TRUE;
}

typedef struct {
  char *path;
  MienGraph *graph;
  GPtrArray *inputs; /* MienTensor */
} Model;

static gboolean
run_one (const Model *model, guint32 seed)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  g_autoptr (MienGraph) graph = mien_graph_dup (model->graph);
  g_autoptr (GPtrArray) fed = g_ptr_array_new_with_free_func ((GDestroyNotify) mien_tensor_unref);
  const gint64 begin = g_get_monotonic_time ();
  const int n_changes = g_rand_int_range (rand, 0, 4);
  gboolean answered;

  if (chance (rand, 3))
    graph->opset = g_rand_int_range (rand, 1, 23);
  for (int i = 0; i < n_changes; i++) {
    MienNode *node = g_ptr_array_index (graph->nodes, g_rand_int_range (rand, 0, graph->nodes->len));

    if (chance (rand, 6))
      change_links (graph, node, rand);
    else
      change_attr (node, rand);
  }
  for (guint i = 0; i < model->inputs->len; i++) {
    MienTensor *tensor = make_input (g_ptr_array_index (model->inputs, i), rand);
    MienValue *value = mien_graph_value (graph, g_array_index (graph->inputs, int, fed->len));

    value->type = tensor->type;
    value->shape = tensor->shape;
    if (chance (rand, 3)) {
      value->kind = MIEN_VALUE_CONSTANT;
      value->tensor = tensor;
      g_array_remove_index (graph->inputs, fed->len);
    } else {
      g_ptr_array_add (fed, tensor);
    }
  }
  answered = run_graph (graph, fed, rand);
  if (g_get_monotonic_time () - begin > SLOW_US) {
    g_test_message ("%s, seed %u: %.1f s", model->path, seed, (double) (g_get_monotonic_time () - begin) / G_USEC_PER_SEC);
    g_test_fail ();
  }
  return answered;
}

static void
free_model (gpointer data)
{
  Model *model = data;

  g_free (model->path);
  mien_graph_unref (model->graph);
  g_ptr_array_unref (model->inputs);
  g_free (model);
}

static Model *
read_model (const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "model.onnx", NULL);
  g_autoptr (MienGraph) graph = mien_onnx_read (path, NULL);
  g_autoptr (GPtrArray) inputs = g_ptr_array_new_with_free_func ((GDestroyNotify) mien_tensor_unref);
  Model *model;

  for (guint i = 0; graph != NULL && i < graph->inputs->len; i++) {
    g_autofree char *name = g_strdup_printf ("%s/test_data_set_0/input_%u.pb", dir, i);
    MienTensor *tensor = mien_onnx_read_tensor (name, NULL);

    if (tensor == NULL)
      return NULL;
    g_ptr_array_add (inputs, tensor);
  }
  for (guint i = 0; graph != NULL && i < graph->nodes->len; i++) {
    const MienNode *node = mien_graph_node (graph, (int) i);

    if (mien_op_find (node->domain, node->op, graph->opset) == NULL)
      return NULL; /* nothing of ours to break */
  }
  if (graph == NULL || graph->nodes->len == 0)
    return NULL;
  model = g_new0 (Model, 1);
  model->path = g_steal_pointer (&path);
  model->graph = g_steal_pointer (&graph);
  model->inputs = g_steal_pointer (&inputs);
  return model;
}

static int
compare_models (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(Model *const *) a)->path, (*(Model *const *) b)->path);
}

static GPtrArray *
read_models (void)
{
  static const char *const suites[] = { "node", "simple", "pytorch-converted", "pytorch-operator" };
  GPtrArray *models = g_ptr_array_new_with_free_func (free_model);

  for (gsize s = 0; s < G_N_ELEMENTS (suites); s++) {
    g_autofree char *suite = g_build_filename (DATA, suites[s], NULL);
    g_autoptr (GDir) dir = g_dir_open (suite, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
      g_autofree char *path = g_build_filename (suite, name, NULL);
      Model *model = read_model (path);

      if (model != NULL)
        g_ptr_array_add (models, model);
    }
  }
  g_ptr_array_sort (models, compare_models);
  return models;
}

static void
test_hostile (void)
{
  g_autoptr (GPtrArray) models = read_models ();
  const char *seconds = g_getenv ("MIEN_FUZZ_SECONDS");
  const char *only = g_getenv ("MIEN_FUZZ_SEED");
  const gint64 end = g_get_monotonic_time () + (gint64) ((seconds != NULL ? g_ascii_strtod (seconds, NULL) : 0) * G_USEC_PER_SEC);
  guint32 seed = only != NULL ? (guint32) g_ascii_strtoull (only, NULL, 10) : seconds != NULL ? g_random_int () : 1;

  guint n = 0, n_answered = 0;

  if (models->len == 0) {
    g_test_skip (DATA " is not here: install libonnx-testdata");
    return;
  }
  do {
    const Model *model = g_ptr_array_index (models, seed % models->len);

    if (seconds != NULL || only != NULL)
      g_printerr ("\r%u %s\033[K", seed, model->path);
    n_answered += run_one (model, seed);
    n++;
    seed++;
  } while (only == NULL && (seconds != NULL ? g_get_monotonic_time () < end : n < N_NETWORKS));
  g_test_message ("%u networks up to seed %u, %u of them gave an answer", n, seed - 1, n_answered);
  if (only == NULL) {
    g_assert_cmpuint (n_answered, >, 0);
    g_assert_cmpuint (n_answered, <, n);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/nn/ops/hostile", test_hostile);
  return g_test_run ();
}
