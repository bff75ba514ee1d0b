/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The training loop. */
#include "mien-config.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "nn/mien-autodiff.h"
#include "nn/mien-passes.h"
#include "train/mien-train-private.h"

#define STATS_MOMENTUM 0.99f /* running statistics follow at this pace, like the weights' average */
#define PROGRESS_PERIOD_US (200 * G_TIME_SPAN_MILLISECOND)

G_DEFINE_QUARK (mien-train-error-quark, mien_train_error)

void
mien_run_free (MienRun *self)
{
  for (guint i = 0; self->parameters != NULL && i < self->parameters->len; i++)
    mien_tensor_unref (g_array_index (self->parameters, MienRunParameter, i).velocity);
  g_clear_pointer (&self->parameters, g_array_unref);
  g_clear_pointer (&self->batcher, mien_batcher_free);
  g_clear_pointer (&self->context, mien_context_free);
  g_clear_pointer (&self->plan, mien_plan_unref);
  g_clear_pointer (&self->net, mien_net_free);
  g_clear_pointer (&self->use, mien_net_free);
  g_clear_pointer (&self->model, mien_model_unref);
  g_clear_pointer (&self->training, mien_dataset_unref);
  g_clear_pointer (&self->validation, mien_dataset_unref);
  g_clear_pointer (&self->threads, mien_threads_free);
  g_free (self->data_hash);
  g_free (self->twins);
  g_free (self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienRun, mien_run_free)

static void
measure_pixels (MienRun *self)
{
  const gsize n = (gsize) self->training->n * self->training->size * self->training->size;
  double sum = 0, squares = 0;

  for (gsize i = 0; i < n; i++) {
    const double x = self->training->pixels[i] / 255.0;
    sum += x;
    squares += x * x;
  }
  self->mean = (float) (sum / (double) n);
  self->std = (float) MAX (sqrt (MAX (squares / (double) n - (sum / (double) n) * (sum / (double) n), 0)), 1e-3);
}

static gboolean
take_data (MienRun *self, const MienDataset *data, GError **error)
{
  int counts[MIEN_DATASET_N_LABELS];

  self->training = mien_dataset_subset (data, MIEN_SPLIT_TRAINING);
  self->validation = mien_dataset_subset (data, MIEN_SPLIT_PUBLIC);
  self->data_hash = mien_dataset_dup_hash (data);
  if (data->size != 48) {
    g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_DATA, _("%s: the faces are %d pixels wide; training takes 48"), data->source, data->size);
    return FALSE;
  }
  if (self->training->n < self->recipe.batch) {
    g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_DATA, _("%s: %d training pictures are too few for batches of %d; give more data or a smaller batch"),
                 data->source, self->training->n, self->recipe.batch);
    return FALSE;
  }
  if (self->validation->n == 0) {
    g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_DATA,
                 _("%s: there is no public split to choose the best epoch by; add PublicTest rows or a test folder"), data->source);
    return FALSE;
  }
  mien_dataset_count (data, MIEN_SPLIT_TRAINING, counts);
  for (int i = 0; i < MIEN_DATASET_N_LABELS; i++) {
    if (counts[i] == 0) {
      g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_DATA, _("%s: there are no training pictures labelled “%s”; every label needs some"),
                   data->source, mien_dataset_labels[i]);
      return FALSE;
    }
  }
  g_autofree guint8 *flags = g_new0 (guint8, data->n);
  int at = 0;
  mien_dataset_find_twins (data, MIEN_SPLIT_PUBLIC, MIEN_SPLIT_TRAINING, flags);
  self->twins = g_new0 (guint8, self->validation->n);
  for (int i = 0; i < data->n; i++)
    if (data->splits[i] == MIEN_SPLIT_PUBLIC)
      self->twins[at++] = flags[i];
  measure_pixels (self);
  return TRUE;
}

static void
add_parameters (MienRun *self, const GArray *values, gboolean decays)
{
  for (guint i = 0; i < values->len; i++) {
    const MienValue *value = mien_graph_value (self->net->graph, g_array_index (values, int, i));
    const MienValue *twin = mien_graph_value (self->use->graph, mien_graph_find (self->use->graph, value->name));
    const MienRunParameter parameter = {
      .weight = value->tensor,
      .average = twin->tensor,
      .velocity = mien_tensor_new (MIEN_F32, &value->tensor->shape),
      .decays = decays,
    };
    g_array_append_val (self->parameters, parameter);
  }
}

/* The training graph gets a loss, the gradients, and as outputs: loss, logits, gradients, batch statistics. */
static gboolean
build_network (MienRun *self, GError **error)
{
  const MienArch *arch = mien_arch_find (self->recipe.arch);
  MienPlanOptions options = { .cpu = mien_cpu_level (), .threads = self->threads, .no_fusion = TRUE };
  const MienShape targets_shape = mien_shape (2, self->recipe.batch, MIEN_DATASET_N_LABELS);

  if (arch == NULL) {
    g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_RECIPE, _("there is no architecture “%s”"), self->recipe.arch);
    return FALSE;
  }
  const MienNetOptions training = { .batch = self->recipe.batch, .training = TRUE, .dropout = self->recipe.dropout, .drop_path = self->recipe.drop_path };
  const MienNetOptions use = { 0 };
  self->net = mien_net_new (arch, &training);
  self->use = mien_net_new (arch, &use);
  mien_net_initialise (self->net, self->recipe.seed);
  mien_net_copy (self->net, self->use);
  self->parameters = g_array_new (FALSE, FALSE, sizeof (MienRunParameter));
  add_parameters (self, self->net->weights, TRUE);
  add_parameters (self, self->net->others, FALSE);

  mien_passes_block_training (self->net->graph, self->net->value, mien_passes_training_form (options.cpu));
  MienGraph *graph = self->net->graph;
  const int logits = self->net->value, targets = mien_graph_add_input (graph, "targets", MIEN_F32, &targets_shape);
  const int loss_inputs[] = { logits, targets };
  const int loss = mien_graph_add_value (graph, "loss", MIEN_F32, NULL), seed = mien_graph_add_value (graph, "loss.grad", MIEN_F32, NULL);
  const int loss_outputs[] = { loss, seed };
  g_autoptr (GArray) wanted = g_array_new (FALSE, FALSE, sizeof (int));
  g_array_append_vals (wanted, self->net->weights->data, self->net->weights->len);
  g_array_append_vals (wanted, self->net->others->data, self->net->others->len);
  g_autofree int *grads = g_new (int, wanted->len);
  mien_graph_add_node (graph, "mien", "SoftmaxLoss", "loss", loss_inputs, 2, loss_outputs, 2);
  if (!mien_autodiff (graph, logits, seed, (const int *) wanted->data, (int) wanted->len, grads, error))
    return FALSE;
  mien_graph_add_output (graph, loss);
  self->logits = (int) graph->outputs->len;
  mien_graph_add_output (graph, logits);
  for (guint i = 0; i < wanted->len; i++) {
    g_array_index (self->parameters, MienRunParameter, i).grad = (int) graph->outputs->len;
    mien_graph_add_output (graph, grads[i]);
  }
  self->first_stat = (int) graph->outputs->len;
  for (guint i = 0; i < self->net->stats->len; i++) {
    mien_graph_add_output (graph, g_array_index (self->net->stats, MienNetStats, i).batch_mean);
    mien_graph_add_output (graph, g_array_index (self->net->stats, MienNetStats, i).batch_var);
  }
  self->plan = mien_plan_new (graph, NULL, &options, error);
  if (self->plan == NULL)
    return FALSE;
  self->context = mien_context_new (self->plan, error);
  return self->context != NULL;
}

static double
learning_rate (const MienRun *self, int n_steps)
{
  const double warm = (double) self->recipe.warmup_epochs * n_steps, all = (double) self->recipe.epochs * n_steps;
  const double at = (double) self->step;

  if (at < warm)
    return self->recipe.lr * (at + 1) / warm;
  return self->recipe.lr * 0.5 * (1 + cos (G_PI * (at - warm) / MAX (all - warm, 1)));
}

static void
follow (float *running, const float *now, gsize n, float momentum)
{
  for (gsize i = 0; i < n; i++)
    running[i] = running[i] * momentum + now[i] * (1 - momentum);
}

static void
update (MienRun *self, double lr)
{
  MienVectorKernels vector;
  /* Early on the averages follow faster, so that the random start is soon forgotten. */
  const float pace = (float) (1 + self->step) / (float) (10 + self->step);
  MienSgdStep step = { .lr = (float) lr, .momentum = self->recipe.momentum, .ema = MIN (self->recipe.ema, pace) };

  mien_vector_kernels_init (&vector, mien_cpu_level ());
  for (guint i = 0; i < self->parameters->len; i++) {
    const MienRunParameter *parameter = &g_array_index (self->parameters, MienRunParameter, i);
    step.decay = parameter->decays ? self->recipe.weight_decay : 0;
    vector.sgd_f32 (parameter->weight->data, parameter->velocity->data, parameter->average->data,
                    mien_context_output (self->context, parameter->grad)->data, parameter->weight->n_elems, &step);
  }
  for (guint i = 0; i < self->use->stats->len; i++) {
    const MienNetStats *stats = &g_array_index (self->use->stats, MienNetStats, i);
    MienTensor *mean = mien_graph_value (self->use->graph, stats->mean)->tensor, *var = mien_graph_value (self->use->graph, stats->var)->tensor;
    follow (mien_tensor_f32 (mean), mien_context_output (self->context, self->first_stat + 2 * (int) i)->data, mean->n_elems,
            MIN (STATS_MOMENTUM, pace));
    follow (mien_tensor_f32 (var), mien_context_output (self->context, self->first_stat + 2 * (int) i + 1)->data, var->n_elems,
            MIN (STATS_MOMENTUM, pace));
  }
}

static int
count_right (const float *logits, const guint8 *labels, int n)
{
  int right = 0;

  for (int i = 0; i < n; i++, logits += MIEN_DATASET_N_LABELS) {
    int best = 0;
    for (int j = 1; j < MIEN_DATASET_N_LABELS; j++)
      if (logits[j] > logits[best])
        best = j;
    right += best == labels[i];
  }
  return right;
}

/* One pass over the training split. FALSE with error set when the loss diverges, or on cancellation. */
static gboolean
run_epoch (MienRun *self, MienTrainProgress *progress, gint64 start, MienTrainProgressFn report, gpointer report_data,
           GCancellable *cancellable, GError **error)
{
  const int batch = self->recipe.batch, n_steps = mien_batcher_get_n_steps (self->batcher);
  const MienShape faces_shape = mien_shape (4, batch, 1, 48, 48), targets_shape = mien_shape (2, batch, MIEN_DATASET_N_LABELS);
  g_autoptr (MienTensor) faces = mien_tensor_new (MIEN_F32, &faces_shape);
  g_autoptr (MienTensor) targets = mien_tensor_new (MIEN_F32, &targets_shape);
  const MienTensor *inputs[] = { faces, targets };
  g_autofree guint8 *labels = g_new (guint8, batch);
  const gint64 epoch_start = g_get_monotonic_time ();
  gint64 next_report = epoch_start + PROGRESS_PERIOD_US;
  double loss = 0;
  int right = 0;

  for (int step = 0; step < n_steps; step++, self->step++) {
    if (g_cancellable_set_error_if_cancelled (cancellable, error))
      return FALSE;
    mien_batcher_fill (self->batcher, self->epoch + 1, step, mien_tensor_f32 (faces), mien_tensor_f32 (targets), labels, self->threads);
    mien_context_set_seed (self->context, self->recipe.seed * 1000003u + (guint64) self->step);
    if (!mien_context_run (self->context, inputs, error))
      return FALSE;
    const float now = *mien_tensor_f32 (mien_context_output (self->context, 0));
    if (!isfinite (now)) {
      g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_DIVERGED,
                   _("the loss is not a number any more in epoch %d: the learning rate is too high; the best model so far is kept"), self->epoch + 1);
      return FALSE;
    }
    progress->lr = learning_rate (self, n_steps);
    update (self, progress->lr);
    loss += now;
    right += count_right (mien_context_output (self->context, self->logits)->data, labels, batch);

    const gint64 time = g_get_monotonic_time ();
    progress->step = step + 1;
    progress->steps = n_steps;
    progress->train_loss = loss / (step + 1);
    progress->train_accuracy = (double) right / ((double) batch * (step + 1));
    progress->images_per_s = (double) batch * (step + 1) / ((double) (time - epoch_start) / G_USEC_PER_SEC);
    progress->seconds = self->seconds + (double) (time - start) / G_USEC_PER_SEC;
    progress->seconds_left = ((double) (self->recipe.epochs - self->epoch) * n_steps - step - 1) * batch / progress->images_per_s;
    if (report != NULL && time >= next_report) {
      report (progress, report_data);
      next_report = time + PROGRESS_PERIOD_US;
    }
  }
  return TRUE;
}

static char *
with_suffix (const char *out_path, const char *suffix)
{
  g_autofree char *stem = g_str_has_suffix (out_path, ".onnx") ? g_strndup (out_path, strlen (out_path) - 5) : g_strdup (out_path);

  return g_strconcat (stem, suffix, NULL);
}

static gboolean
append_log (const char *path, const MienTrainProgress *p, GError **error)
{
  const double numbers[] = { p->train_loss, p->train_accuracy, p->val_loss, p->val_accuracy, p->val_accuracy_clean, p->lr, p->images_per_s, p->seconds };
  const char *const names[] = { "train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_accuracy_clean", "lr", "images_per_s", "seconds" };
  g_autoptr (GString) line = g_string_new (NULL);
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  FILE *file = g_fopen (path, "a");

  g_string_append_printf (line, "{\"epoch\":%d", p->epoch);
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    g_string_append_printf (line, ",\"%s\":%s", names[i], g_ascii_formatd (text, sizeof text, "%.6g", numbers[i]));
  g_string_append_printf (line, ",\"best\":%s}\n", p->best ? "true" : "false");
  const gboolean ok = file != NULL && fputs (line->str, file) >= 0;
  if (file == NULL || fclose (file) != 0 || !ok) {
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), _("%s: cannot be written: %s"), path, g_strerror (errno));
    return FALSE;
  }
  return TRUE;
}

/* After an epoch: scores, best model, checkpoint, log. */
static gboolean
finish_epoch (MienRun *self, MienTrainProgress *progress, const char *out_path, GError **error)
{
  g_autoptr (MienModel) model = mien_run_export (self, error);

  if (model == NULL || !mien_run_evaluate (self, model, progress, error))
    return FALSE;
  self->epoch++;
  progress->epoch_done = TRUE;
  progress->best = self->best_epoch == 0 || progress->val_accuracy_clean > self->best.val_accuracy_clean;
  if (progress->best) {
    self->best = *progress;
    self->best_epoch = self->epoch;
    g_clear_pointer (&self->model, mien_model_unref);
    self->model = g_steal_pointer (&model);
    if (out_path != NULL && !mien_model_save (self->model, out_path, error))
      return FALSE;
  }
  if (out_path == NULL)
    return TRUE;
  g_autofree char *log_path = with_suffix (out_path, ".log.jsonl"), *checkpoint_path = with_suffix (out_path, ".ckpt");
  if (!append_log (log_path, progress, error))
    return FALSE;
  const double before = self->seconds;
  self->seconds = progress->seconds;
  const gboolean ok = mien_run_save_checkpoint (self, checkpoint_path, error);
  self->seconds = before;
  return ok;
}

/* Where an earlier run stopped: its checkpoint, and the best model it had written. */
static gboolean
resume_run (MienRun *self, const char *out_path, GError **error)
{
  g_autofree char *checkpoint_path = with_suffix (out_path, ".ckpt");

  if (!mien_run_load_checkpoint (self, checkpoint_path, error))
    return FALSE;
  self->model = mien_model_load (out_path, error);
  return self->model != NULL;
}

static gboolean
loop (MienRun *self, const char *out_path, MienTrainProgressFn report, gpointer report_data, GCancellable *cancellable, GError **error)
{
  const gint64 start = g_get_monotonic_time ();

  while (self->epoch < self->recipe.epochs) {
    MienTrainProgress progress = {
      .epoch = self->epoch + 1,
      .epochs = self->recipe.epochs,
      .val_loss = NAN,
      .val_accuracy = NAN,
      .val_accuracy_clean = NAN,
    };
    if (!run_epoch (self, &progress, start, report, report_data, cancellable, error) || !finish_epoch (self, &progress, out_path, error))
      return FALSE;
    if (report != NULL)
      report (&progress, report_data);
    if (self->recipe.patience > 0 && self->epoch - self->best_epoch >= self->recipe.patience)
      break;
  }
  return TRUE;
}

MienModel *
mien_train (const MienRecipe *recipe, MienDataset *data, const char *out_path, gboolean resume, int threads, MienTrainProgressFn progress,
            gpointer progress_data, GCancellable *cancellable, GError **error)
{
  g_autoptr (MienRun) self = g_new0 (MienRun, 1);
  g_autoptr (MienModel) finished = NULL;
  GError *local = NULL;

  self->recipe = *recipe;
  self->threads = mien_threads_new (threads);
  if (!take_data (self, data, error) || !build_network (self, error))
    return NULL;
  self->batcher = mien_batcher_new (self->training, &self->recipe, self->mean, self->std);
  if (resume && out_path != NULL) {
    if (!resume_run (self, out_path, error))
      return NULL;
  } else if (out_path != NULL) {
    g_autofree char *log_path = with_suffix (out_path, ".log.jsonl");
    g_unlink (log_path);
  }
  if (!loop (self, out_path, progress, progress_data, cancellable, &local) &&
      (self->model == NULL || !g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))) {
    g_propagate_error (error, local);
    return NULL;
  }
  g_clear_error (&local);
  finished = mien_run_finish_model (self, self->model, error);
  if (finished == NULL || (out_path != NULL && !mien_model_save (finished, out_path, error)))
    return NULL;
  return g_steal_pointer (&finished);
}
