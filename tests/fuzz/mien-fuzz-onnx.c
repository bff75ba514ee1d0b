/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mien-fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/mien-model.h"
#include "onnx/mien-onnx.h"

#define MAX_BYTES ((gsize) 64 << 20)
#define MAX_MACS 2e8
#define MAX_INPUT_ELEMS (1 << 18)

/* Small numbers of both signs, so that indices and sizes are possible ones. */
static MienTensor *
make_input (const MienValue *value)
{
  MienShape shape = value->shape;
  MienTensor *tensor;
  gsize n;

  for (int d = 0; d < shape.rank; d++)
    shape.dim[d] = shape.dim[d] < 0 ? 1 : shape.dim[d];
  if (mien_type_size (value->type) == 0 || !mien_shape_n_elems (&shape, &n) || n > MAX_INPUT_ELEMS)
    return NULL;
  tensor = mien_tensor_new (value->type, &shape);
  for (gsize i = 0; i < n; i++) {
    const int small = (int) (i * 2654435761u >> 7 & 15) - 4;

    switch (value->type) {
    case MIEN_F32:
      ((float *) tensor->data)[i] = (float) small * 0.25f;
      break;
    case MIEN_F64:
      ((double *) tensor->data)[i] = small * 0.25;
      break;
    case MIEN_I32:
    case MIEN_U32:
      ((gint32 *) tensor->data)[i] = small;
      break;
    case MIEN_I64:
    case MIEN_U64:
      ((gint64 *) tensor->data)[i] = small;
      break;
    case MIEN_BOOL:
      ((guint8 *) tensor->data)[i] = small & 1;
      break;
    default:
      memset ((guint8 *) tensor->data + i * mien_type_size (value->type), small, mien_type_size (value->type));
      break;
    }
  }
  return tensor;
}

/* TRUE when it gave an answer. */
static gboolean
run_at (MienGraph *graph, const GPtrArray *inputs, const MienShape *shapes, MienCpuLevel cpu, MienPrecision precision, gboolean no_passes)
{
  const MienPlanOptions options = { .cpu = cpu, .max_bytes = MAX_BYTES, .max_macs = MAX_MACS, .precision = precision, .no_passes = no_passes };
  g_autoptr (GError) error = NULL;
  g_autoptr (MienPlan) plan = mien_plan_new (graph, shapes, &options, &error);
  g_autoptr (MienContext) context = plan != NULL ? mien_context_new (plan, &error) : NULL;

  if (context == NULL || !mien_context_run (context, (const MienTensor *const *) inputs->pdata, &error)) {
    mien_fuzz_check_sentence (error);
    return FALSE;
  }
  for (guint i = 0; i < graph->outputs->len; i++) { /* every byte of every output can be read */
    const MienTensor *out = mien_context_output (context, (int) i);
    g_autofree char *sum = g_compute_checksum_for_data (G_CHECKSUM_MD5, out->data, mien_tensor_n_bytes (out));

    g_assert_nonnull (sum);
  }
  return TRUE;
}

/* What was read can be written, and read again. */
static void
check_round_trip (const MienGraph *graph)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = mien_onnx_write_bytes (graph, &error);
  g_autoptr (MienGraph) again = NULL;
  gsize n;
  const void *data;

  if (bytes == NULL) {
    mien_fuzz_check_sentence (error);
    return;
  }
  data = g_bytes_get_data (bytes, &n);
  again = mien_onnx_read_bytes (data, n, "again", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (again->nodes->len, ==, graph->nodes->len);
  g_assert_cmpuint (again->inputs->len, ==, graph->inputs->len);
  g_assert_cmpuint (again->outputs->len, ==, graph->outputs->len);
}

/* A face network? Only those of which the planner says that they are quick, since the loader runs them once. */
static void
try_model (MienGraph *graph)
{
  const MienPlanOptions options = { .max_bytes = MAX_BYTES, .max_macs = MAX_MACS };
  const MienValue *input = graph->inputs->len == 1 ? mien_graph_value (graph, g_array_index (graph->inputs, int, 0)) : NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (MienModel) model = NULL;

  if (input != NULL && input->shape.rank == 4 && g_hash_table_lookup (graph->metadata, "mien.input.size") == NULL) {
    const int open[] = { 1, input->shape.dim[3] == 1 || input->shape.dim[3] == 3 ? 48 : 3, 48, 48 };
    g_autoptr (MienPlan) plan = NULL;
    MienShape shape = input->shape;

    for (int d = 0; d < 4; d++)
      shape.dim[d] = shape.dim[d] < 0 ? open[d] : shape.dim[d];
    plan = mien_plan_new (graph, &shape, &options, &error);
    if (plan == NULL && g_error_matches (error, MIEN_NN_ERROR, MIEN_NN_ERROR_SIZE))
      return;
    g_clear_error (&error);
  }
  model = mien_model_new (graph, &error);
  if (model == NULL) {
    mien_fuzz_check_sentence (error);
  } else {
    g_autoptr (GPtrArray) layers = mien_model_dup_layers (model, &error);

    if (layers == NULL)
      mien_fuzz_check_sentence (error);
  }
}

/* The same from a file whose weights are read later. */
static void
check_away (const guint8 *data, gsize n_bytes, gboolean opens)
{
  const int fd = memfd_create ("model", MFD_CLOEXEC);
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autoptr (MienGraph) graph = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (write (fd, data, n_bytes), ==, n_bytes);
  graph = mien_onnx_read_away (path, &error);
  g_assert_cmpint (graph != NULL, ==, opens);
  for (guint i = 0; graph != NULL && i < graph->values->len; i++) {
    MienTensor *tensor = mien_graph_value (graph, (int) i)->tensor;
    if (tensor != NULL)
      g_assert_true (mien_tensor_fetch (tensor, NULL));
  }
  if (graph == NULL)
    mien_fuzz_check_sentence (error);
  close (fd);
}

void
mien_fuzz_onnx (const guint8 *data, gsize n_bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MienGraph) graph = mien_onnx_read_bytes (data, n_bytes, "model.onnx", NULL, &error);
  g_autoptr (GPtrArray) inputs = g_ptr_array_new_with_free_func ((GDestroyNotify) mien_tensor_unref);
  g_autofree MienShape *shapes = NULL;
  gboolean answered = TRUE;

  check_away (data, n_bytes, graph != NULL);
  if (graph == NULL) {
    mien_fuzz_check_sentence (error);
    return;
  }
  check_round_trip (graph);
  try_model (graph);
  shapes = g_new0 (MienShape, graph->inputs->len + 1);
  for (guint i = 0; i < graph->inputs->len; i++) {
    MienTensor *tensor = make_input (mien_graph_value (graph, g_array_index (graph->inputs, int, i)));

    if (tensor == NULL)
      return;
    shapes[i] = tensor->shape;
    g_ptr_array_add (inputs, tensor);
  }
  for (MienCpuLevel cpu = MIEN_CPU_C; cpu <= mien_cpu_detect () && answered; cpu++)
    answered = run_at (graph, inputs, shapes, cpu, MIEN_PRECISION_F32, FALSE);
  if (answered)
    run_at (graph, inputs, shapes, mien_cpu_detect (), MIEN_PRECISION_BF16, FALSE);
  run_at (graph, inputs, shapes, mien_cpu_detect (), MIEN_PRECISION_F32, TRUE);
}
