/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Networks that others have trained and exported, with inputs and the answers of ONNX Runtime. */
#include <math.h>
#include <string.h>

#include "mien-test.h"
#include "model/mien-model.h"
#include "model/mien-npy.h"
#include "onnx/mien-onnx.h"

#define TOLERANCE 2e-5f /* relative to the larger of 1 and the value */

static MienTensor *
read_array (const char *folder, const char *name)
{
  g_autofree char *inside = g_build_filename ("models", folder, name, NULL), *path = mien_test_shared (inside);
  g_autoptr (GError) error = NULL;
  MienTensor *tensor;

  g_assert_nonnull (path);
  tensor = mien_npy_read (path, &error);
  g_assert_no_error (error);
  return tensor;
}

static int
largest (const float *values, gsize n)
{
  int best = 0;

  for (gsize i = 1; i < n; i++)
    if (values[i] > values[best])
      best = i;
  return best;
}

static void
check_network (const char *folder, const char *file)
{
  g_autofree char *inside = g_build_filename ("models", folder, file, NULL), *path = mien_test_shared (inside);
  const MienCpuLevel top = mien_cpu_level ();

  for (int level = MIEN_CPU_C; path != NULL && level <= (int) top; level++) {
    const MienPlanOptions options = { .cpu = level };
    g_autoptr (MienTensor) input = read_array (folder, "input.npy");
    g_autoptr (GError) error = NULL;
    g_autoptr (MienGraph) graph = mien_onnx_read (path, &error);
    g_autoptr (MienPlan) plan = NULL;
    g_autoptr (MienContext) context = NULL;
    const MienTensor *inputs[] = { input };

    g_assert_no_error (error);
    plan = mien_plan_new (graph, &input->shape, &options, &error);
    g_assert_no_error (error);
    context = mien_context_new (plan, &error);
    g_assert_no_error (error);
    g_assert_true (mien_context_run (context, inputs, &error));
    g_assert_no_error (error);
    for (guint i = 0; i < graph->outputs->len; i++) {
      const char *output = mien_graph_value (graph, g_array_index (graph->outputs, int, i))->name;
      g_autofree char *name = graph->outputs->len > 1 ? g_strdup_printf ("expected_%s.npy", output) : g_strdup ("expected.npy");
      g_autoptr (MienTensor) expected = read_array (folder, name);
      const MienTensor *got = mien_context_output (context, i);
      const gsize row = expected->shape.dim[expected->shape.rank - 1];
      float worst = 0;

      g_assert_cmpint (got->type, ==, MIEN_F32);
      g_assert_true (mien_shape_equal (&got->shape, &expected->shape));
      for (gsize k = 0; k < got->n_elems; k++) {
        const float want = mien_tensor_f32 (expected)[k], off = fabsf (mien_tensor_f32 (got)[k] - want) / MAX (1, fabsf (want));

        g_assert_false (isnan (off));
        worst = MAX (worst, off);
      }
      g_test_message ("%s %s at level %s: off by %g", folder, output, mien_cpu_level_name (level), worst);
      g_assert_cmpfloat (worst, <, TOLERANCE);
      for (gsize k = 0; graph->outputs->len == 1 && k < got->n_elems; k += row)
        g_assert_cmpint (largest (mien_tensor_f32 (got) + k, row), ==, largest (mien_tensor_f32 (expected) + k, row));
    }
  }
}

static void
test_symtons (void)
{
  check_network ("symtons-tf2onnx-nhwc", "emotion_model1.onnx");
}

static void
test_yunet_2022 (void)
{
  check_network ("yunet-2022mar", "face_detection_yunet_2022mar.onnx");
}

static void
test_yunet_2023 (void)
{
  check_network ("yunet-2023mar", "face_detection_yunet_2023mar.onnx");
}

static void
test_rfb (void)
{
  check_network ("rfb-320", "version-RFB-320.onnx");
}

/* The same emotion network as a model: grey faces in, probabilities out, classes in the network's own order. */
static void
test_as_model (void)
{
  g_autofree char *path = mien_test_shared ("models/symtons-tf2onnx-nhwc/emotion_model1.onnx"), *faces_path = NULL;
  g_autoptr (MienTensor) faces = NULL, expected = NULL;
  g_autoptr (MienModel) model = NULL;
  g_autoptr (MienPredictor) predictor = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree float *pixels = NULL, *got = NULL;

  if (path == NULL)
    return;
  faces_path = mien_test_shared ("models/faces.npy");
  faces = mien_npy_read (faces_path, &error);
  g_assert_no_error (error);
  expected = read_array ("symtons-tf2onnx-nhwc", "expected.npy");
  model = mien_model_load (path, &error);
  g_assert_no_error (error);
  g_assert_cmpint (mien_model_get_input_size (model), ==, 48);
  g_assert_cmpint (mien_model_get_channels (model), ==, 1);
  g_assert_true (mien_model_is_guessed (model));
  predictor = mien_predictor_new (model, 8, mien_cpu_level (), MIEN_PRECISION_F32, NULL, &error);
  g_assert_no_error (error);
  pixels = g_new (float, faces->n_elems);
  for (gsize i = 0; i < faces->n_elems; i++)
    pixels[i] = ((const guint8 *) faces->data)[i];
  got = g_new0 (float, 32 * 7);
  g_assert_true (mien_predictor_run (predictor, pixels, 32, got, &error));
  for (int i = 0; i < 32 * 7; i++)
    g_assert_cmpfloat_with_epsilon (got[i], mien_tensor_f32 (expected)[i], 1e-4);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/real-networks/symtons", test_symtons);
  g_test_add_func ("/real-networks/yunet-2022", test_yunet_2022);
  g_test_add_func ("/real-networks/yunet-2023", test_yunet_2023);
  g_test_add_func ("/real-networks/rfb", test_rfb);
  g_test_add_func ("/real-networks/as-model", test_as_model);
  return g_test_run ();
}
