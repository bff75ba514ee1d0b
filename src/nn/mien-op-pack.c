/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Weights on their way into a plan, see mien_op_pack(). */
#include "mien-config.h"

#include "nn/mien-op.h"

/* Of a part: half of a second cache, as what it is packed to wants some of it, too. */
#define PART_BYTES ((gsize) 512 << 10)

typedef struct {
  const MienTensor *weights;
  int n_rows, part; /* rows of all, and of a part */
  gsize row;        /* elements */
  MienOpPackFn pack;
  gconstpointer data;
  guint8 *buffer;   /* (nullable) a part for each thread */
  GError **errors;  /* of each thread */
} Job;

static void
pack_part (void *data, int task, int thread)
{
  const Job *job = data;
  const int first = task * job->part, n = MIN (job->part, job->n_rows - first);
  const float *rows = job->weights->data;

  if (job->buffer == NULL) {
    job->pack (job->data, first, n, rows + first * job->row);
  } else if (job->errors[thread] == NULL) {
    float *to = (float *) (gpointer) (job->buffer + thread * job->part * job->row * sizeof (float));
    if (mien_tensor_read (job->weights, first * job->row, n * job->row, to, &job->errors[thread]))
      job->pack (job->data, first, n, to);
  }
}

static gboolean
make_room (MienOpCtx *ctx, gsize n_bytes, GError **error)
{
  MienOpBuffer *buffer = ctx->buffer;

  if (buffer->n_bytes >= n_bytes)
    return TRUE;
  mien_op_buffer_clear (buffer);
  n_bytes = MAX (n_bytes, MIEN_PAGES_LARGE);
  buffer->data = mien_pages_map (n_bytes);
  if (buffer->data == NULL)
    return mien_op_fail (ctx, error, MIEN_NN_ERROR_SIZE, "no memory for its weights");
  buffer->n_bytes = n_bytes;
  return TRUE;
}

void
mien_op_buffer_clear (MienOpBuffer *self)
{
  if (self->data != NULL)
    mien_pages_unmap (self->data, self->n_bytes);
  *self = (MienOpBuffer) { 0 };
}

gboolean
mien_op_pack (MienOpCtx *ctx, int step, MienOpPackFn pack, gconstpointer data, GError **error)
{
  const MienTensor *weights = ctx->in[1];
  const int n_rows = (int) weights->shape.dim[0], n_threads = mien_threads_count (ctx->threads), n_steps = (n_rows + step - 1) / step;
  const gsize row = weights->n_elems / MAX (n_rows, 1), step_bytes = MAX (step * row * sizeof (float), 1);
  const gboolean away = mien_tensor_is_away (weights);
  const int fit = (int) MAX (PART_BYTES / step_bytes, 1), share = (n_steps + n_threads - 1) / n_threads;
  g_autofree GError **errors = g_new0 (GError *, n_threads);
  Job job = { weights, n_rows, MIN (n_rows, step * (away ? MIN (fit, share) : share)), row, pack, data, NULL, errors };

  if (weights->n_elems == 0)
    return TRUE;
  if (away && !make_room (ctx, n_threads * job.part * row * sizeof (float), error))
    return FALSE;
  job.buffer = away ? ctx->buffer->data : NULL;
  mien_threads_run (ctx->threads, pack_part, &job, (n_rows + job.part - 1) / job.part);
  GError *problem = NULL;
  for (int i = 0; i < n_threads; i++) {
    if (problem == NULL)
      problem = g_steal_pointer (&errors[i]);
    g_clear_error (&errors[i]);
  }
  if (problem != NULL)
    g_propagate_error (error, problem);
  return problem == NULL;
}
