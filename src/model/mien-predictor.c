/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Faces in batches. Plans are for fixed shapes, so there is one for each of a few batch sizes, made when first needed; a
 * batch that is not full is filled up with zeros. */
#include "mien-config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "model/mien-model-private.h"

#define STEP 4 /* batch sizes 1, 4, 16, ...: at most four times the work of the faces there are */
#define MAX_BATCH 16 /* more at a time do not stay in cache, and are slower */
#define MAX_ENGINES 4

typedef struct {
  int batch;
  MienContext *context;
  MienTensor *input;
} Engine;

struct _MienPredictor {
  MienModel *model;
  MienCpuLevel cpu;
  MienPrecision precision;
  MienThreads *threads; /* borrowed */
  Engine engines[MAX_ENGINES]; /* by rising batch; context NULL until needed */
  int n_engines;
};

static void
make_input (const MienPredictor *self, Engine *engine)
{
  MienShape shape;

  mien_model_get_input_shape (self->model, engine->batch, &shape);
  engine->input = mien_tensor_new (MIEN_F32, &shape);
}

static gboolean
start_engine (MienPredictor *self, Engine *engine, GError **error)
{
  g_autoptr (MienPlan) plan = NULL;

  if (engine->context != NULL)
    return TRUE;
  engine->context = mien_model_take_tried (self->model, engine->batch, self->cpu, self->precision, self->threads);
  if (engine->context == NULL)
    plan = mien_model_make_plan (self->model, engine->batch, self->cpu, self->precision, self->threads, FALSE, error);
  if (plan != NULL)
    engine->context = mien_context_new (plan, error);
  if (engine->context == NULL)
    return FALSE;
  make_input (self, engine);
  return TRUE;
}

MienPredictor *
mien_predictor_new (MienModel *model, int max_batch, MienCpuLevel cpu, MienPrecision precision, MienThreads *threads, GError **error)
{
  MienPredictor *self = g_new0 (MienPredictor, 1);

  self->model = mien_model_ref (model);
  self->cpu = cpu;
  self->precision = mien_model_decide_precision (model, precision, cpu);
  self->threads = threads;
  max_batch = CLAMP (max_batch, 1, MAX_BATCH);
  if (model->fixed_batch > 0) {
    self->engines[self->n_engines++].batch = model->fixed_batch;
  } else {
    for (int batch = 1; batch < max_batch; batch *= STEP)
      self->engines[self->n_engines++].batch = batch;
    self->engines[self->n_engines++].batch = max_batch;
  }
  /* The largest shows whether the network takes several pictures at all: some have "one picture" built in. */
  if (self->n_engines > 1 && !start_engine (self, &self->engines[self->n_engines - 1], NULL))
    self->n_engines = 1;
  if (!start_engine (self, &self->engines[0], error))
    g_clear_pointer (&self, mien_predictor_free);
  return self;
}

MienPredictor *
mien_predictor_open (const char *path_or_name, MienCpuLevel cpu, MienPrecision precision, MienThreads *threads, GError **error)
{
  MienModel *model = mien_model_load_lean (path_or_name, cpu, precision, threads, error);
  MienPredictor *self;

  if (model == NULL)
    return NULL;
  self = g_new0 (MienPredictor, 1);
  self->model = model;
  self->cpu = cpu;
  self->precision = model->tried_as;
  self->threads = threads;
  self->n_engines = 1;
  self->engines[0].batch = MAX (model->fixed_batch, 1);
  self->engines[0].context = g_steal_pointer (&model->tried);
  make_input (self, &self->engines[0]);
  return self;
}

MienPrecision
mien_predictor_get_precision (const MienPredictor *self)
{
  return self->precision;
}

void
mien_predictor_free (MienPredictor *self)
{
  for (int i = 0; i < self->n_engines; i++) {
    g_clear_pointer (&self->engines[i].context, mien_context_free);
    g_clear_pointer (&self->engines[i].input, mien_tensor_unref);
  }
  mien_model_unref (self->model);
  g_free (self);
}

MienModel *
mien_predictor_get_model (const MienPredictor *self)
{
  return self->model;
}

static gboolean
run_batch (MienPredictor *self, Engine *engine, const float *pixels, int n, float *probabilities, GError **error)
{
  const MienModel *model = self->model;
  const gsize n_pixels = (gsize) model->size * model->size, n_inputs = n_pixels * model->channels;
  const MienTensor *const inputs[] = { engine->input };
  float *to = mien_tensor_f32 (engine->input);
  const float *answers;

  for (int i = 0; i < n; i++)
    mien_model_normalise (model, pixels + i * n_pixels, to + i * n_inputs);
  memset (to + n * n_inputs, 0, (engine->batch - n) * n_inputs * sizeof *to);
  if (!mien_context_run (engine->context, inputs, error))
    return FALSE;
  answers = mien_tensor_f32 (mien_context_output (engine->context, model->output));
  for (int i = 0; i < n; i++)
    if (!mien_model_finish (model, answers + i * model->n_labels, probabilities + i * model->n_labels)) {
      g_set_error_literal (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT, _("the network answers with values that are not numbers; its weights are damaged"));
      return FALSE;
    }
  return TRUE;
}

gboolean
mien_predictor_run (MienPredictor *self, const float *pixels, int n, float *probabilities, GError **error)
{
  const gsize n_pixels = (gsize) self->model->size * self->model->size;

  for (int done = 0; done < n;) {
    Engine *engine = &self->engines[0];
    int now;

    while (engine->batch < n - done && engine + 1 < self->engines + self->n_engines)
      engine++;
    now = MIN (engine->batch, n - done);
    if (!start_engine (self, engine, error) ||
        !run_batch (self, engine, pixels + done * n_pixels, now, probabilities + (gsize) done * self->model->n_labels, error))
      return FALSE;
    done += now;
  }
  return TRUE;
}
