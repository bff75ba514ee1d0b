/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mien-cli run: any ONNX model on NumPy files, as it is: no metadata, no normalisation. */
#include "mien-config.h"

#include "mien-cli.h"

#include <math.h>
#include <string.h>

#include "model/mien-npy.h"
#include "nn/mien-plan.h"
#include "onnx/mien-onnx.h"

#define MAX_PRINTED 1024 /* elements; larger outputs need -o */

static double
get_element (const MienTensor *tensor, gsize i)
{
  switch (tensor->type) {
  case MIEN_F32: return ((const float *) tensor->data)[i];
  case MIEN_F64: return ((const double *) tensor->data)[i];
  case MIEN_U8:
  case MIEN_BOOL: return ((const guint8 *) tensor->data)[i];
  case MIEN_I8: return ((const gint8 *) tensor->data)[i];
  case MIEN_U16: return ((const guint16 *) tensor->data)[i];
  case MIEN_I16: return ((const gint16 *) tensor->data)[i];
  case MIEN_U32: return ((const guint32 *) tensor->data)[i];
  case MIEN_I32: return ((const gint32 *) tensor->data)[i];
  case MIEN_U64: return ((const guint64 *) tensor->data)[i];
  case MIEN_I64: return ((const gint64 *) tensor->data)[i];
  default: return NAN;
  }
}

/* NumPy makes float64 and pixels are uint8: where the model wants float32, any number becomes one. */
static MienTensor *
read_input (const char *path, const MienValue *input, GError **error)
{
  g_autoptr (MienTensor) read = mien_npy_read (path, error);
  MienTensor *converted;

  if (read == NULL)
    return NULL;
  if (read->type == input->type || input->type != MIEN_F32)
    return g_steal_pointer (&read);
  converted = mien_tensor_try_new (MIEN_F32, &read->shape, error);
  for (gsize i = 0; converted != NULL && i < read->n_elems; i++)
    mien_tensor_f32 (converted)[i] = (float) get_element (read, i);
  return converted;
}

/* Whether a tensor fits the graph's input as declared; what is open there may be anything. */
static gboolean
check_input (const char *path, const MienTensor *tensor, const MienValue *input, GError **error)
{
  gboolean fits = input->shape.rank < 0 || input->shape.rank == tensor->shape.rank;
  g_autofree char *want = mien_shape_to_string (&input->shape);
  g_autofree char *got = mien_shape_to_string (&tensor->shape);

  for (int i = 0; fits && i < input->shape.rank; i++)
    fits = input->shape.dim[i] < 0 || input->shape.dim[i] == tensor->shape.dim[i];
  if (!fits)
    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_INPUT, "%s: the model's input “%s” is %s, but this file holds %s; reshape it",
                 path, input->name, want, got);
  else if (input->type != MIEN_TYPE_UNKNOWN && input->type != tensor->type)
    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_INPUT, "%s: the model's input “%s” is %s, but this file holds %s; convert it",
                 path, input->name, mien_type_name (input->type), mien_type_name (tensor->type));
  else
    return TRUE;
  return FALSE;
}

static void
append_output (GString *text, const MienValue *value, const MienTensor *tensor, gboolean with_values)
{
  if (text->str[text->len - 1] == '}')
    g_string_append_c (text, ',');
  g_string_append (text, "{\"name\":");
  mien_json_string (text, value->name);
  g_string_append_printf (text, ",\"type\":\"%s\",\"shape\":[", mien_type_name (tensor->type));
  for (int i = 0; i < tensor->shape.rank; i++)
    g_string_append_printf (text, i == 0 ? "%" G_GINT64_FORMAT : ",%" G_GINT64_FORMAT, tensor->shape.dim[i]);
  g_string_append_c (text, ']');
  if (with_values && tensor->n_elems <= MAX_PRINTED) {
    g_string_append (text, ",\"values\":[");
    for (gsize i = 0; i < tensor->n_elems; i++) {
      if (i > 0)
        g_string_append_c (text, ',');
      mien_json_number (text, get_element (tensor, i), 9);
    }
    g_string_append_c (text, ']');
  }
  g_string_append_c (text, '}');
}

/* OUT.npy for the first output, OUT-1.npy for the second, and so on. (transfer full) */
static char *
name_output (const char *path, int i)
{
  const char *suffix = g_str_has_suffix (path, ".npy") ? ".npy" : "";

  if (i == 0)
    return g_strdup (path);
  return g_strdup_printf ("%.*s-%d%s", (int) (strlen (path) - strlen (suffix)), path, i, suffix);
}

static gboolean
run_graph (MienGraph *graph, const char *name, const MienTensor *const *inputs, const char *out_path, MienCpuLevel cpu,
           GString *text, GError **error)
{
  g_autofree MienShape *shapes = g_new (MienShape, graph->inputs->len + 1);
  const MienPlanOptions options = { .cpu = cpu };
  g_autoptr (MienPlan) plan = NULL;
  g_autoptr (MienContext) context = NULL;

  for (guint i = 0; i < graph->inputs->len; i++)
    shapes[i] = inputs[i]->shape;
  plan = mien_plan_new (graph, shapes, &options, error);
  if (plan != NULL)
    context = mien_context_new (plan, error);
  if (context == NULL || !mien_context_run (context, inputs, error)) {
    g_prefix_error (error, "%s: ", name);
    return FALSE;
  }

  g_string_append (text, "{\"outputs\":[");
  for (guint i = 0; i < graph->outputs->len; i++) {
    const MienTensor *tensor = mien_context_output (context, i);

    append_output (text, mien_graph_value (graph, g_array_index (graph->outputs, int, i)), tensor, out_path == NULL);
    if (out_path != NULL) {
      g_autofree char *path = name_output (out_path, i);

      if (!mien_npy_write (tensor, path, error))
        return FALSE;
    }
  }
  g_string_append (text, "]}");
  return TRUE;
}

int
mien_cli_run (int argc, char **argv)
{
  g_autofree char *out_path = NULL;
  g_autofree char *cpu_word = NULL;
  const GOptionEntry entries[] = {
    { "output", 'o', 0, G_OPTION_ARG_FILENAME, &out_path, "Write the first output here, further ones to OUT-1.npy and so on; default: print the values", "OUT.npy" },
    { "cpu", 0, 0, G_OPTION_ARG_STRING, &cpu_word, "Use no more of the processor than c, avx2, avx512, bf16 or amx (neon on ARM)", "LEVEL" },
    { NULL },
  };
  g_autoptr (MienGraph) graph = NULL;
  g_autoptr (GPtrArray) inputs = g_ptr_array_new_with_free_func ((GDestroyNotify) mien_tensor_unref);
  g_autoptr (GString) text = g_string_new (NULL);
  MienCpuLevel cpu;
  GError *error = NULL;
  int status = MIEN_CLI_DONE;

  if (!mien_cli_parse (&argc, &argv, entries, "MODEL.onnx INPUT.npy…", "Runs any ONNX model on raw tensors, one NumPy file an input.", &status))
    return status;
  if (!mien_cli_parse_cpu ("run", cpu_word, &cpu))
    return MIEN_CLI_USAGE;
  if (argc < 2)
    return mien_cli_usage ("run", "name a model and one NumPy file for each of its inputs");

  graph = mien_onnx_read (argv[1], &error);
  if (graph == NULL)
    return mien_cli_fail (error);
  if ((int) graph->inputs->len != argc - 2) {
    g_set_error (&error, MIEN_NN_ERROR, MIEN_NN_ERROR_INPUT, "%s has %u input%s, but %d NumPy file%s named", argv[1], graph->inputs->len,
                 graph->inputs->len == 1 ? "" : "s", argc - 2, argc == 3 ? " is" : "s are");
    return mien_cli_fail (error);
  }
  for (guint i = 0; i < graph->inputs->len; i++) {
    const MienValue *input = mien_graph_value (graph, g_array_index (graph->inputs, int, i));
    MienTensor *tensor = read_input (argv[2 + i], input, &error);

    if (tensor == NULL)
      return mien_cli_fail (error);
    g_ptr_array_add (inputs, tensor);
    if (!check_input (argv[2 + i], tensor, input, &error))
      return mien_cli_fail (error);
  }
  if (!run_graph (graph, argv[1], (const MienTensor *const *) inputs->pdata, out_path, cpu, text, &error))
    return mien_cli_fail (error);
  mien_cli_print_line (text->str);
  return MIEN_CLI_DONE;
}
