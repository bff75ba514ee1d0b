/* SPDX-License-Identifier: GPL-3.0-or-later */
/* XNNPACK's subgraphs, channels last. The input has one channel, so its layout is the same both ways. */
#include <math.h>
#include <string.h>

#include <pthreadpool.h>
#include <xnnpack.h>

#include <gio/gio.h>

#include "peers/peer.h"

typedef struct {
  xnn_subgraph_t subgraph;
  xnn_runtime_t runtime;
  pthreadpool_t pool;
  const PeerLayers *layers;
  GPtrArray *packed; /* weights, borrowed by the subgraph */
  guint32 *values;   /* by layer */
  float *output;
  int batch;
} Engine;

enum {
  ID_INPUT,
  ID_OUTPUT,
  N_IDS,
};

static char *
start_xnnpack (MienCpuLevel level, GError **error)
{
  if (level < MIN (mien_cpu_detect (), MIEN_CPU_AVX512)) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "cannot be held to the level %s", mien_cpu_level_name (level));
    return NULL;
  }
  if (xnn_initialize (NULL) != xnn_status_success) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "does not start on this processor");
    return NULL;
  }
  return g_strdup ("as packaged");
}

static void
close_xnnpack (void *engine)
{
  Engine *self = engine;

  if (self->runtime != NULL)
    xnn_delete_runtime (self->runtime);
  if (self->subgraph != NULL)
    xnn_delete_subgraph (self->subgraph);
  if (self->pool != NULL)
    pthreadpool_destroy (self->pool);
  g_ptr_array_unref (self->packed);
  g_free (self->values);
  g_free (self->output);
  g_free (self);
}

/* [K][C][P] to [K][P][C]; for a depthwise kernel (last_k) to [P][C][K]. */
static const float *
pack (Engine *self, const float *w, int n_k, int n_c, int n_p, gboolean last_k)
{
  float *packed = g_new (float, (gsize) n_k * n_c * n_p);

  for (int k = 0; k < n_k; k++)
    for (int c = 0; c < n_c; c++)
      for (int p = 0; p < n_p; p++)
        packed[last_k ? (p * n_c + c) * n_k + k : (k * n_p + p) * n_c + c] = w[(k * n_c + c) * n_p + p];
  g_ptr_array_add (self->packed, packed);
  return packed;
}

static enum xnn_status
define_constant (Engine *self, const float *data, int rank, const gsize *dims, guint32 *id)
{
  return xnn_define_tensor_value (self->subgraph, xnn_datatype_fp32, rank, dims, data, XNN_INVALID_VALUE_ID, 0, id);
}

static enum xnn_status
define_output (Engine *self, const PeerLayer *layer, guint32 *id)
{
  const gsize dims[] = { self->batch, layer->out.height, layer->out.width, layer->out.channels };
  const gboolean is_last = layer->last_use == self->layers->n;
  const gboolean is_flat = layer->kind == PEER_DENSE || (layer->kind == PEER_SOFTMAX && layer->in.height == 1);

  if (is_flat) {
    const gsize flat[] = { self->batch, layer->out.channels };
    return xnn_define_tensor_value (self->subgraph, xnn_datatype_fp32, 2, flat, NULL, is_last ? ID_OUTPUT : XNN_INVALID_VALUE_ID,
                                    is_last ? XNN_VALUE_FLAG_EXTERNAL_OUTPUT : 0, id);
  }
  return xnn_define_tensor_value (self->subgraph, xnn_datatype_fp32, 4, dims, NULL, is_last ? ID_OUTPUT : XNN_INVALID_VALUE_ID,
                                  is_last ? XNN_VALUE_FLAG_EXTERNAL_OUTPUT : 0, id);
}

static enum xnn_status
define_conv (Engine *self, const PeerLayer *l, guint32 input, guint32 output, float low)
{
  const int k = l->out.channels, c = l->in.channels / l->groups, r = l->kernel;
  const gboolean is_depthwise = l->groups > 1 && l->groups == l->in.channels;
  const gsize bias_dims[] = { k };
  const gsize dims[] = { k, r, r, c }, depthwise_dims[] = { 1, r, r, k };
  guint32 weight, bias;
  enum xnn_status status;

  status = define_constant (self, pack (self, l->weight, k, c, r * r, is_depthwise), 4, is_depthwise ? depthwise_dims : dims, &weight);
  if (status == xnn_status_success)
    status = define_constant (self, l->bias, 1, bias_dims, &bias);
  if (status != xnn_status_success)
    return status;
  if (is_depthwise)
    return xnn_define_depthwise_convolution_2d (self->subgraph, l->pad, l->pad, l->pad, l->pad, r, r, l->stride, l->stride, 1, 1,
                                                k / l->groups, l->in.channels, low, INFINITY, input, weight, bias, output, 0);
  return xnn_define_convolution_2d (self->subgraph, l->pad, l->pad, l->pad, l->pad, r, r, l->stride, l->stride, 1, 1, l->groups, c,
                                    k / l->groups, low, INFINITY, input, weight, bias, output, 0);
}

static enum xnn_status
define_dense (Engine *self, const PeerLayer *l, guint32 input, guint32 output, float low)
{
  const int k = l->out.channels, pixels = l->in.height * l->in.width;
  const gsize bias_dims[] = { k }, dims[] = { k, (gsize) pixels * l->in.channels };
  guint32 weight, bias;
  enum xnn_status status;

  status = define_constant (self, pack (self, l->weight, k, l->in.channels, pixels, FALSE), 2, dims, &weight);
  if (status == xnn_status_success)
    status = define_constant (self, l->bias, 1, bias_dims, &bias);
  if (status != xnn_status_success)
    return status;
  return xnn_define_fully_connected (self->subgraph, low, INFINITY, input, weight, bias, output, XNN_FLAG_TENSORFLOW_RESHAPE_2D);
}

static enum xnn_status
define_layer (Engine *self, int i)
{
  const PeerLayer *l = &self->layers->layers[i];
  const guint32 input = l->input >= 0 ? self->values[l->input] : ID_INPUT;
  const float low = l->relu ? 0 : -INFINITY;
  guint32 output, sum;
  enum xnn_status status = define_output (self, l, &output);

  if (status != xnn_status_success)
    return status;
  self->values[i] = output;
  switch (l->kind) {
  case PEER_CONV:
    status = define_conv (self, l, input, output, l->other < 0 ? low : -INFINITY);
    if (status != xnn_status_success || l->other < 0)
      return status;
    status = define_output (self, l, &sum);
    if (status != xnn_status_success)
      return status;
    self->values[i] = sum;
    return xnn_define_add2 (self->subgraph, low, INFINITY, output, self->values[l->other], sum, 0);
  case PEER_MAX_POOL:
    return xnn_define_max_pooling_2d (self->subgraph, l->pad, l->pad, l->pad, l->pad, l->kernel, l->kernel, l->stride, l->stride, 1, 1,
                                      low, INFINITY, input, output, 0);
  case PEER_MEAN:
    return xnn_define_global_average_pooling_2d (self->subgraph, low, INFINITY, input, output, 0);
  case PEER_DENSE:
    return define_dense (self, l, input, output, low);
  case PEER_ADD:
    return xnn_define_add2 (self->subgraph, low, INFINITY, input, self->values[l->other], output, 0);
  case PEER_SOFTMAX:
    return xnn_define_softmax (self->subgraph, input, output, 0);
  }
  return xnn_status_invalid_parameter;
}

static void *
open_xnnpack (const PeerJob *job, GError **error)
{
  Engine *self = g_new0 (Engine, 1);
  const gsize input_dims[] = { job->batch, 48, 48, 1 };
  enum xnn_status status;
  guint32 id;

  self->layers = job->layers;
  self->batch = job->batch;
  self->packed = g_ptr_array_new_with_free_func (g_free);
  self->values = g_new (guint32, job->layers->n);
  self->output = g_new (float, job->batch * PEER_N_LABELS);
  if (job->threads > 1)
    self->pool = pthreadpool_create (job->threads);

  status = xnn_create_subgraph (N_IDS, 0, &self->subgraph);
  if (status == xnn_status_success)
    status = xnn_define_tensor_value (self->subgraph, xnn_datatype_fp32, 4, input_dims, NULL, ID_INPUT, XNN_VALUE_FLAG_EXTERNAL_INPUT, &id);
  for (int i = 0; status == xnn_status_success && i < job->layers->n; i++)
    status = define_layer (self, i);
  if (status == xnn_status_success)
    status = xnn_create_runtime_v2 (self->subgraph, self->pool, 0, &self->runtime);
  if (status == xnn_status_success) {
    const struct xnn_external_value values[] = { { ID_INPUT, (void *) job->input }, { ID_OUTPUT, self->output } };
    status = xnn_setup_runtime (self->runtime, G_N_ELEMENTS (values), values);
  }
  if (status != xnn_status_success) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "XNNPACK's status %d", status);
    g_clear_pointer (&self, close_xnnpack);
  }
  return self;
}

static gboolean
run_xnnpack (void *engine, int n, double *us, GError **error)
{
  Engine *self = engine;

  for (int i = 0; i < n; i++) {
    const double start = peer_now_us ();
    if (xnn_invoke_runtime (self->runtime) != xnn_status_success) {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "a layer could not run");
      return FALSE;
    }
    us[i] = peer_now_us () - start;
  }
  return TRUE;
}

static gboolean
read_xnnpack (void *engine, float *probabilities, GError **error)
{
  const Engine *self = engine;

  memcpy (probabilities, self->output, sizeof (float) * self->batch * PEER_N_LABELS);
  return TRUE;
}

const Peer peer_xnnpack = {
  .name = "XNNPACK",
  .start = start_xnnpack,
  .open = open_xnnpack,
  .run = run_xnnpack,
  .read = read_xnnpack,
  .close = close_xnnpack,
};
