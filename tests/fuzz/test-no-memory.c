/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The first allocation of a network's life fails, then the second, and so on: reading, planning, context and run each end in an error,
 * and go on as if nothing had been once there is memory again. Linked with --wrap for the allocations that may fail; GLib's others
 * end the program by design. */
#include "mien-fuzz.h"

#include <stdlib.h>

#include "nn/mien-plan.h"
#include "onnx/mien-onnx.h"

static int n_allocations, fail_at;

static gboolean
fails (void)
{
  return ++n_allocations == fail_at;
}

#define WRAP(type, name, parameters, arguments) \
  type __real_##name parameters;                \
  type __wrap_##name parameters;                \
  type __wrap_##name parameters                 \
  {                                             \
    return fails () ? NULL : __real_##name arguments; \
  }

WRAP (void *, aligned_alloc, (size_t alignment, size_t n), (alignment, n))
WRAP (void *, mien_pages_map, (gsize n), (n))
WRAP (gpointer, g_try_malloc, (gsize n), (n))
WRAP (gpointer, g_try_malloc_n, (gsize n, gsize size), (n, size))

MienTensor *__real_mien_tensor_try_new (MienType type, const MienShape *shape, GError **error);
MienTensor *__wrap_mien_tensor_try_new (MienType type, const MienShape *shape, GError **error);
MienTensor *
__wrap_mien_tensor_try_new (MienType type, const MienShape *shape, GError **error)
{
  if (!fails ())
    return __real_mien_tensor_try_new (type, shape, error);
  g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_SIZE, "there is no memory for a tensor");
  return NULL;
}

static void
check_error (GError **error)
{
  mien_fuzz_check_sentence (*error);
  g_assert_error (*error, MIEN_NN_ERROR, MIEN_NN_ERROR_SIZE);
  g_clear_error (error);
}

static GPtrArray *
make_inputs (const MienGraph *graph)
{
  GPtrArray *inputs = g_ptr_array_new_with_free_func ((GDestroyNotify) mien_tensor_unref);

  for (guint i = 0; i < graph->inputs->len; i++) {
    const MienValue *value = mien_graph_value (graph, g_array_index (graph->inputs, int, i));
    MienShape shape = value->shape;

    for (int d = 0; d < shape.rank; d++)
      shape.dim[d] = shape.dim[d] < 0 ? 1 : shape.dim[d];
    MienTensor *tensor = mien_tensor_new (value->type, &shape);
    for (gsize e = 0; e < tensor->n_elems; e++)
      if (value->type == MIEN_F32)
        mien_tensor_f32 (tensor)[e] = (float) (e % 5) - 1;
      else if (value->type == MIEN_I64)
        ((gint64 *) tensor->data)[e] = 2;
    g_ptr_array_add (inputs, tensor);
  }
  return inputs;
}

/* Whatever fails is tried again at once. NULL when the network is refused for other reasons than memory. */
static char *
live (GBytes *bytes, MienCpuLevel cpu, int *n_failures)
{
  const MienPlanOptions options = { .cpu = cpu };
  g_autoptr (GError) error = NULL;
  g_autoptr (MienGraph) graph = NULL;
  g_autoptr (MienPlan) plan = NULL;
  g_autoptr (MienContext) context = NULL;
  g_autoptr (GPtrArray) inputs = NULL;

#define TWICE(result, call)                                                 \
  if (!(result = call) && n_allocations >= fail_at && fail_at > 0) {         \
    check_error (&error);                                                   \
    ++*n_failures;                                                          \
    fail_at = 0;                                                            \
    result = call;                                                          \
  }                                                                         \
  if (!result)                                                              \
    return NULL;

  gboolean ok = FALSE;
  TWICE (graph, mien_onnx_read_bytes (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), "model", NULL, &error))
  inputs = make_inputs (graph);
  TWICE (plan, mien_plan_new (graph, NULL, &options, &error))
  TWICE (context, mien_context_new (plan, &error))
  TWICE (ok, mien_context_run (context, (const MienTensor *const *) inputs->pdata, &error))
  const MienTensor *out = mien_context_output (context, 0);
  return g_compute_checksum_for_data (G_CHECKSUM_SHA256, out->data, mien_tensor_n_bytes (out));
#undef TWICE
}

static void
test_level (gconstpointer data)
{
  const MienCpuLevel cpu = (MienCpuLevel) GPOINTER_TO_INT (data);
  g_autoptr (GPtrArray) networks = NULL;
  int n_networks = 0, n_failures = 0;

  fail_at = 0;
  networks = mien_fuzz_make_networks ();
  for (guint i = 0; i < networks->len; i++) {
    fail_at = 0;
    g_autofree char *want = live (networks->pdata[i], cpu, &n_failures);
    if (want == NULL)
      continue;
    n_networks++;
    for (int at = 1;; at++) {
      n_allocations = 0;
      fail_at = at;
      g_autofree char *got = live (networks->pdata[i], cpu, &n_failures);
      g_assert_nonnull (got); /* not the same to the last bit: there is a second way to plan, which rounds in another order */
      if (n_allocations < at)
        break;
    }
  }
  g_test_message ("%d networks, %d failed allocations", n_networks, n_failures);
  g_assert_cmpint (n_networks, >, 100);
  g_assert_cmpint (n_failures, >, n_networks);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (int level = 0; level <= (int) mien_cpu_detect (); level++) {
    g_autofree char *path = g_strdup_printf ("/fuzz/no-memory/%s", mien_cpu_level_name ((MienCpuLevel) level));
    g_test_add_data_func (path, GINT_TO_POINTER (level), test_level);
  }
  return g_test_run ();
}
