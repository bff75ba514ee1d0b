/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Steps of training (forward, backward, update by SGD with Nesterov momentum) on one of the reference networks, told line by line by
 * bench-train.py:
 *
 *   bench-train NETWORK.onnx BATCH THREADS PRECISION      PRECISION: f32 or bf16
 *   N on standard input -> the seconds that N steps took
 *
 * Constants become parameters, BatchNormalization takes the batch's statistics, the softmax at the end joins the loss. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/mien-random.h"
#include "nn/mien-autodiff.h"
#include "nn/mien-kernels.h"
#include "nn/mien-passes.h"
#include "nn/mien-plan.h"
#include "onnx/mien-onnx.h"

typedef struct {
  MienTensor *weight, *velocity;
} Parameter;

/* Nodes of the default domain as training has them. Returns the value before softmax. */
static int
make_trainable (MienGraph *graph)
{
  int logits = -1;

  for (guint i = 0; i < graph->nodes->len; i++) {
    MienNode *node = mien_graph_node (graph, i);
    if (g_str_equal (node->op, "BatchNormalization")) {
      const int outputs[] = { node->outputs[0], mien_graph_add_value (graph, NULL, MIEN_F32, NULL), mien_graph_add_value (graph, NULL, MIEN_F32, NULL) };
      const int index = mien_graph_add_node (graph, "mien", "BatchNormTrain", NULL, node->inputs, 3, outputs, 3);
      MienNode *norm = g_ptr_array_steal_index (graph->nodes, index);
      graph->nodes->pdata[i] = norm;
    } else if (g_str_equal (node->op, "Softmax")) {
      logits = node->inputs[0];
      g_ptr_array_remove_index (graph->nodes, i--);
    }
  }
  g_array_set_size (graph->outputs, 0);
  return logits;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) wanted = g_array_new (FALSE, FALSE, sizeof (int)), parameters = g_array_new (FALSE, FALSE, sizeof (Parameter));
  MienVectorKernels vector;
  MienRandom random;
  char line[64];

  if (argc != 5)
    return EXIT_FAILURE;
  const int batch = atoi (argv[2]);
  g_autoptr (MienGraph) graph = mien_onnx_read (argv[1], &error);
  if (graph == NULL) {
    fprintf (stderr, "%s\n", error->message);
    return EXIT_FAILURE;
  }
  const int logits = make_trainable (graph);
  for (guint v = 0; v < graph->values->len; v++) {
    MienValue *value = mien_graph_value (graph, (int) v);
    if (value->kind != MIEN_VALUE_CONSTANT || value->tensor == NULL || value->tensor->type != MIEN_F32)
      continue;
    value->kind = MIEN_VALUE_PARAMETER;
    const int index = (int) v;
    g_array_append_val (wanted, index);
  }
  const MienCpuLevel cpu = mien_cpu_level ();
  MienPassesForm form = mien_passes_training_form (cpu);
  if (form.blocking != MIEN_BLOCK_NONE && g_str_equal (argv[4], "f32"))
    form.blocking = MIEN_BLOCK_F32;
  mien_passes_block_training (graph, logits, &form);
  const MienShape shapes[] = { mien_shape (4, batch, 1, 48, 48), mien_shape (2, batch, 7) };
  const int targets = mien_graph_add_input (graph, "targets", MIEN_F32, &shapes[1]);
  const int loss_inputs[] = { logits, targets }, loss = mien_graph_add_value (graph, "loss", MIEN_F32, NULL);
  const int loss_outputs[] = { loss, mien_graph_add_value (graph, "loss.grad", MIEN_F32, NULL) };
  mien_graph_add_node (graph, "mien", "SoftmaxLoss", NULL, loss_inputs, 2, loss_outputs, 2);
  g_autofree int *grads = g_new (int, wanted->len);
  if (!mien_autodiff (graph, logits, loss_outputs[1], (const int *) wanted->data, (int) wanted->len, grads, &error)) {
    fprintf (stderr, "%s\n", error->message);
    return EXIT_FAILURE;
  }
  mien_graph_add_output (graph, loss);
  for (guint i = 0; i < wanted->len; i++) {
    if (grads[i] < 0) /* running statistics */
      continue;
    MienTensor *weight = mien_graph_value (graph, g_array_index (wanted, int, i))->tensor;
    const Parameter parameter = { weight, mien_tensor_new (MIEN_F32, &weight->shape) };
    g_array_append_val (parameters, parameter);
    mien_graph_add_output (graph, grads[i]);
  }
  MienThreads *threads = mien_threads_new (atoi (argv[3]));
  const MienPlanOptions options = { .cpu = cpu, .threads = threads, .no_fusion = TRUE };
  g_autoptr (MienPlan) plan = mien_plan_new (graph, shapes, &options, &error);
  g_autoptr (MienContext) context = plan != NULL ? mien_context_new (plan, &error) : NULL;
  if (context == NULL) {
    fprintf (stderr, "%s\n", error->message);
    return EXIT_FAILURE;
  }
  g_autoptr (MienTensor) x = mien_tensor_new (MIEN_F32, &shapes[0]), t = mien_tensor_new (MIEN_F32, &shapes[1]);
  const MienTensor *inputs[] = { x, t };
  mien_random_seed (&random, 1);
  for (gsize i = 0; i < x->n_elems; i++)
    mien_tensor_f32 (x)[i] = mien_random_normal (&random);
  for (int i = 0; i < batch; i++)
    mien_tensor_f32 (t)[i * 7 + i % 7] = 1;
  mien_vector_kernels_init (&vector, cpu);
  const MienSgdStep step = { .lr = 0.01f, .momentum = 0.9f, .decay = 5e-4f };

  while (fgets (line, sizeof line, stdin) != NULL) {
    const gint64 start = g_get_monotonic_time ();
    for (int n = atoi (line); n > 0; n--) {
      if (!mien_context_run (context, inputs, &error)) {
        fprintf (stderr, "%s\n", error->message);
        return EXIT_FAILURE;
      }
      for (guint i = 0; i < parameters->len; i++) {
        const Parameter *p = &g_array_index (parameters, Parameter, i);
        vector.sgd_f32 (p->weight->data, p->velocity->data, NULL, mien_context_output (context, 1 + (int) i)->data, p->weight->n_elems, &step);
      }
    }
    printf ("%.6f %.5f\n", (double) (g_get_monotonic_time () - start) / 1e6, *(const float *) mien_context_output (context, 0)->data);
    fflush (stdout);
  }
  return EXIT_SUCCESS;
}
