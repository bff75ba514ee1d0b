/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ONNX's own backend tests (Debian's libonnx-testdata): every model with its inputs and expected outputs, at every processor
 * level this machine has. What is out of scope stands in conformance-scope.txt, with reasons; everything else must pass.
 *
 * Each case runs three times: inputs fed at run time; all but the first constant, as weights are; all constant, so that
 * everything folds. */
#include <math.h>
#include <string.h>

#include "mien-test.h"
#include "nn/mien-plan.h"
#include "onnx.pb-c.h"
#include "onnx/mien-onnx.h"

#define DATA "/usr/share/libonnx-testdata/data"
static const char *const suites[] = { "node", "simple", "pytorch-converted", "pytorch-operator" };

typedef enum { FEED_ALL, FEED_FIRST, FEED_NONE, N_FEEDS } Feed;
static const char *const feed_names[] = { "all inputs fed", "first input fed", "all inputs constant" };

/* One line of the scope file: "op NAME reason", "type NAME reason" or "case NAME reason". */
typedef struct {
  char *kind, *name, *reason;
  guint n_cases;
} Rule;

typedef struct {
  char *suite, *name, *dir;
  const Rule *out_of_scope; /* (nullable) */
} Case;

static GPtrArray *rules, *cases;

/* What the models use, read straight from the files: the reader under test has no say in what is in scope. */

static Rule *
find_rule (const char *kind, const char *name)
{
  for (guint i = 0; i < rules->len; i++) {
    Rule *rule = g_ptr_array_index (rules, i);

    if (g_str_equal (rule->kind, kind) && g_str_equal (rule->name, name))
      return rule;
  }
  return NULL;
}

static Rule *
find_rule_for_value (const Onnx__ValueInfoProto *value)
{
  const Onnx__TypeProto *type = value->type;

  if (type == NULL || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
    return find_rule ("type", "sequence-or-optional");
  return find_rule ("type", mien_type_name ((MienType) type->tensor_type->elem_type));
}

static Rule *
find_rule_for_case (const char *name, const Onnx__GraphProto *graph)
{
  Rule *rule = find_rule ("case", name);

  for (size_t i = 0; i < graph->n_node && rule == NULL; i++) {
    const char *domain = graph->node[i]->domain;
    g_autofree char *op = domain != NULL && *domain != '\0' ? g_strdup_printf ("%s:%s", domain, graph->node[i]->op_type)
                                                            : g_strdup (graph->node[i]->op_type);

    rule = find_rule ("op", op);
  }
  for (size_t i = 0; i < graph->n_input && rule == NULL; i++)
    rule = find_rule_for_value (graph->input[i]);
  for (size_t i = 0; i < graph->n_output && rule == NULL; i++)
    rule = find_rule_for_value (graph->output[i]);
  return rule;
}

static void
read_rules (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("MIEN_SOURCE_ROOT"), "tests", "nn", "conformance-scope.txt", NULL);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  g_autoptr (GError) error = NULL;

  rules = g_ptr_array_new ();
  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++) {
    g_auto (GStrv) words = NULL;
    Rule *rule;

    if (**line == '\0' || **line == '#')
      continue;
    words = g_strsplit (*line, " ", 3);
    g_assert_cmpuint (g_strv_length (words), ==, 3);
    rule = g_new0 (Rule, 1);
    rule->kind = g_strdup (words[0]);
    rule->name = g_strdup (words[1]);
    rule->reason = g_strdup (words[2]);
    g_ptr_array_add (rules, rule);
  }
}

static int
compare_cases (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(Case *const *) a)->dir, (*(Case *const *) b)->dir);
}

static void
read_cases (void)
{
  cases = g_ptr_array_new ();
  for (gsize s = 0; s < G_N_ELEMENTS (suites); s++) {
    g_autofree char *suite_dir = g_build_filename (DATA, suites[s], NULL);
    GDir *dir = g_dir_open (suite_dir, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
      Case *c = g_new0 (Case, 1);
      g_autofree char *path = g_build_filename (suite_dir, name, "model.onnx", NULL);
      g_autofree char *bytes = NULL;
      Onnx__ModelProto *model;
      Rule *rule;
      gsize n;

      g_assert_true (g_file_get_contents (path, &bytes, &n, NULL));
      model = onnx__model_proto__unpack (NULL, n, (const guint8 *) bytes);
      g_assert_nonnull (model);
      rule = find_rule_for_case (name, model->graph);
      onnx__model_proto__free_unpacked (model, NULL);
      c->suite = g_strdup (suites[s]);
      c->name = g_strdup (name);
      c->dir = g_build_filename (suite_dir, name, NULL);
      c->out_of_scope = rule;
      if (rule != NULL)
        rule->n_cases++;
      g_ptr_array_add (cases, c);
    }
    g_clear_pointer (&dir, g_dir_close);
  }
  g_ptr_array_sort (cases, compare_cases);
}

/* input_0.pb, input_1.pb, ... */
static GPtrArray *
read_tensors (const char *dir, const char *stem, GError **error)
{
  g_autoptr (GPtrArray) tensors = g_ptr_array_new_with_free_func ((GDestroyNotify) mien_tensor_unref);

  for (int i = 0;; i++) {
    g_autofree char *name = g_strdup_printf ("%s_%d.pb", stem, i);
    g_autofree char *path = g_build_filename (dir, name, NULL);
    MienTensor *tensor;

    if (!g_file_test (path, G_FILE_TEST_EXISTS))
      return g_steal_pointer (&tensors);
    tensor = mien_onnx_read_tensor (path, error);
    if (tensor == NULL)
      return NULL;
    g_ptr_array_add (tensors, tensor);
  }
}

static gboolean
fail (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
fail (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error != NULL)
    *error = g_error_new_valist (MIEN_NN_ERROR, MIEN_NN_ERROR_INPUT, format, args);
  va_end (args);
  return FALSE;
}

/* ONNX's own runner allows rtol 1e-3 and atol 1e-7. */
#define RELATIVE 1e-5
#define ABSOLUTE 1e-7

static gboolean
is_near (double got, double want)
{
  if (isnan (want) || isnan (got))
    return isnan (want) && isnan (got);
  if (isinf (want) || isinf (got))
    return want == got;
  return fabs (got - want) <= ABSOLUTE + RELATIVE * fabs (want);
}

static gboolean
compare (const MienTensor *got, const MienTensor *want, int output, GError **error)
{
  const gsize size = mien_type_size (want->type);

  if (got->type != want->type || !mien_shape_equal (&got->shape, &want->shape)) {
    g_autofree char *a = mien_shape_to_string (&got->shape);
    g_autofree char *b = mien_shape_to_string (&want->shape);

    return fail (error, "output %d is %s %s instead of %s %s", output, mien_type_name (got->type), a, mien_type_name (want->type), b);
  }
  for (gsize i = 0; i < want->n_elems; i++)
    if (want->type == MIEN_F32 || want->type == MIEN_F64) {
      const double a = want->type == MIEN_F32 ? ((const float *) got->data)[i] : ((const double *) got->data)[i];
      const double b = want->type == MIEN_F32 ? ((const float *) want->data)[i] : ((const double *) want->data)[i];

      if (!is_near (a, b))
        return fail (error, "output %d, element %ld: %.9g instead of %.9g", output, (long) i, a, b);
    } else if (memcmp ((const char *) got->data + i * size, (const char *) want->data + i * size, size) != 0) {
      return fail (error, "output %d, element %ld differs", output, (long) i);
    }
  return TRUE;
}

/* The suite keeps bfloat16 as uint16. */
static MienTensor *
get_as (MienTensor *tensor, MienType type)
{
  if (tensor->type == MIEN_U16 && type == MIEN_BF16)
    return mien_tensor_new_take (type, &tensor->shape, tensor->data, (GDestroyNotify) mien_tensor_unref, mien_tensor_ref (tensor));
  return mien_tensor_ref (tensor);
}

static void
fix_types (const MienGraph *graph, const GArray *values, GPtrArray *tensors)
{
  for (guint i = 0; i < tensors->len; i++) {
    MienTensor *tensor = g_ptr_array_index (tensors, i);

    g_ptr_array_index (tensors, i) = get_as (tensor, mien_graph_value (graph, g_array_index (values, int, i))->type);
    mien_tensor_unref (tensor);
  }
}

static gboolean
run_graph (MienGraph *graph, const GPtrArray *fed, const GPtrArray *want, MienCpuLevel level, GError **error)
{
  const MienPlanOptions options = { .cpu = level };
  g_autofree MienShape *shapes = g_new (MienShape, fed->len + 1);
  g_autoptr (MienPlan) plan = NULL;
  g_autoptr (MienContext) context = NULL;

  for (guint i = 0; i < fed->len; i++)
    shapes[i] = ((MienTensor *) g_ptr_array_index (fed, i))->shape;
  plan = mien_plan_new (graph, shapes, &options, error);
  if (plan == NULL)
    return FALSE;
  context = mien_context_new (plan, error);
  if (context == NULL)
    return FALSE;
  for (int round = 0; round < 2; round++) { /* twice: a run leaves nothing behind that the next one trips over */
    if (!mien_context_run (context, (const MienTensor *const *) fed->pdata, error))
      return FALSE;
    for (guint i = 0; i < want->len; i++)
      if (!compare (mien_context_output (context, (int) i), g_ptr_array_index (want, i), (int) i, error))
        return FALSE;
  }
  return TRUE;
}

static gboolean
run_case (const Case *c, MienCpuLevel level, Feed feed, GError **error)
{
  g_autofree char *path = g_build_filename (c->dir, "model.onnx", NULL);
  g_autofree char *data = g_build_filename (c->dir, "test_data_set_0", NULL);
  g_autoptr (MienGraph) graph = mien_onnx_read (path, error);
  g_autoptr (GPtrArray) inputs = NULL, want = NULL;
  g_autoptr (GPtrArray) fed = g_ptr_array_new ();

  if (graph == NULL || (inputs = read_tensors (data, "input", error)) == NULL || (want = read_tensors (data, "output", error)) == NULL)
    return FALSE;
  if (inputs->len != graph->inputs->len || want->len != graph->outputs->len)
    return fail (error, "%u inputs and %u outputs for a network of %u and %u", inputs->len, want->len, graph->inputs->len,
                 graph->outputs->len);
  fix_types (graph, graph->inputs, inputs);
  fix_types (graph, graph->outputs, want);
  for (guint i = 0; i < inputs->len; i++) {
    MienTensor *tensor = g_ptr_array_index (inputs, i);

    if (feed == FEED_ALL || (feed == FEED_FIRST && i == 0)) {
      g_ptr_array_add (fed, tensor);
    } else {
      MienValue *value = mien_graph_value (graph, g_array_index (graph->inputs, int, fed->len));

      value->kind = MIEN_VALUE_CONSTANT;
      value->tensor = mien_tensor_ref (tensor);
      g_array_remove_index (graph->inputs, fed->len);
    }
  }
  return run_graph (graph, fed, want, level, error);
}

static void
test_level (gconstpointer data)
{
  const MienCpuLevel level = (MienCpuLevel) GPOINTER_TO_INT (data);
  guint n_in_scope = 0, n_passed = 0;

  if (cases->len == 0) {
    g_test_skip (DATA " is not here: install libonnx-testdata");
    return;
  }
  if (level > mien_cpu_detect ()) {
    g_test_skip ("this processor does not have the level");
    return;
  }
  for (guint i = 0; i < cases->len; i++) {
    const Case *c = g_ptr_array_index (cases, i);
    gboolean ok = TRUE;

    if (c->out_of_scope != NULL)
      continue;
    n_in_scope++;
    for (int feed = 0; feed < N_FEEDS; feed++) {
      g_autoptr (GError) error = NULL;

      if (!run_case (c, level, feed, &error)) {
        ok = FALSE;
        g_test_message ("FAILED %s/%s, %s: %s", c->suite, c->name, feed_names[feed], error->message);
      }
    }
    n_passed += ok;
  }
  g_test_message ("level %s: %u cases exist, %u in scope, %u passed", mien_cpu_level_name (level), cases->len, n_in_scope, n_passed);
  g_assert_cmpuint (n_in_scope, >, 0);
  g_assert_cmpuint (n_passed, ==, n_in_scope);
}

/* Names what is left out and why; a line that fits no case any more is an error. */
static void
test_scope (void)
{
  if (cases->len == 0) {
    g_test_skip (DATA " is not here: install libonnx-testdata");
    return;
  }
  for (guint i = 0; i < cases->len; i++) {
    const Case *c = g_ptr_array_index (cases, i);

    if (c->out_of_scope != NULL)
      g_test_message ("out of scope: %s/%s: %s %s: %s", c->suite, c->name, c->out_of_scope->kind, c->out_of_scope->name, c->out_of_scope->reason);
  }
  for (guint i = 0; i < rules->len; i++) {
    const Rule *rule = g_ptr_array_index (rules, i);

    if (rule->n_cases == 0) {
      g_test_message ("conformance-scope.txt: \"%s %s\" fits no case", rule->kind, rule->name);
      g_test_fail ();
    }
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  read_rules ();
  read_cases ();
  g_test_add_func ("/nn/conformance/scope", test_scope);
  for (int level = 0; level < MIEN_CPU_N_LEVELS; level++) {
    g_autofree char *path = g_strdup_printf ("/nn/conformance/%s", mien_cpu_level_name (level));

    g_test_add_data_func (path, GINT_TO_POINTER (level), test_level);
  }
  return g_test_run ();
}
