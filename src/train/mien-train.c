/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The training loop. */
#include "mien-config.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "nn/mien-autodiff.h"
#include "nn/mien-passes.h"
#include "train/mien-schedule.h"
#include "train/mien-start.h"
#include "train/mien-train-private.h"

#define STATS_MOMENTUM 0.99f /* running statistics follow at this pace, like the weights' average */
#define PROGRESS_PERIOD_US (200 * G_TIME_SPAN_MILLISECOND)

G_DEFINE_QUARK (mien-train-error-quark, mien_train_error)

void
mien_run_free (MienRun *self)
{
  for (int i = 0; i < self->n_slots; i++) {
    g_free (self->slots[i].first);
    g_free (self->slots[i].second);
  }
  g_free (self->slots);
  g_free (self->before_climb);
  g_clear_pointer (&self->batcher, mien_batcher_free);
  g_clear_pointer (&self->context, mien_context_free);
  g_clear_pointer (&self->plan, mien_plan_unref);
  g_clear_pointer (&self->net, mien_net_free);
  g_clear_pointer (&self->use, mien_net_free);
  g_clear_pointer (&self->model, mien_model_unref);
  g_clear_pointer (&self->training, mien_dataset_unref);
  g_clear_pointer (&self->validation, mien_dataset_unref);
  g_clear_pointer (&self->teachers, mien_distil_free);
  g_clear_pointer (&self->settle, mien_settle_free);
  g_clear_pointer (&self->threads, mien_threads_free);
  g_free (self->start_hash);
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
  g_autofree guint8 *learnt = g_new0 (guint8, MAX (data->n, 1));

  if (self->recipe.leave_out > 0)
    mien_dataset_part (data, self->recipe.parts, learnt);
  for (int i = 0; i < data->n; i++)
    learnt[i] = data->splits[i] == MIEN_SPLIT_TRAINING && (self->recipe.leave_out == 0 || learnt[i] != self->recipe.leave_out - 1);
  self->training = mien_dataset_pick (data, learnt);
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
  mien_dataset_count (data, MIEN_SPLIT_PRIVATE, counts);
  for (int i = 0; i < MIEN_DATASET_N_LABELS; i++) {
    if (counts[i] > 0) {
      g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_DATA,
                   _("%s: private test pictures must not come near training; load the training and public splits alone"), data->source);
      return FALSE;
    }
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
      self->n_twins += self->twins[at++] = flags[i];
  measure_pixels (self);
  return TRUE;
}

/* A slot for each parameter: its gradient is known once the plan runs. */
static void
add_slots (MienRun *self, const GArray *values, gboolean decays)
{
  for (guint i = 0; i < values->len; i++) {
    const MienTensor *weight = mien_graph_value (self->net->graph, g_array_index (values, int, i))->tensor;
    const char *name = mien_graph_value (self->net->graph, g_array_index (values, int, i))->name;
    const MienTensor *average = mien_graph_value (self->use->graph, mien_graph_find (self->use->graph, name))->tensor;
    self->slots[self->n_slots++] = (MienOptimiserSlot) {
      .weight = weight->data,
      .average = average->data,
      .first = g_new0 (float, weight->n_elems),
      .second = self->recipe.optimiser == MIEN_OPTIMISER_ADAMW ? g_new0 (float, weight->n_elems) : NULL,
      .n_elems = weight->n_elems,
      .decays = decays,
    };
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
  self->slots = g_new0 (MienOptimiserSlot, self->net->weights->len + self->net->others->len);
  add_slots (self, self->net->weights, TRUE);
  add_slots (self, self->net->others, FALSE);

  const MienPassesForm form = mien_passes_training_form (options.cpu);
  mien_passes_block_training (self->net->graph, self->net->value, &form);
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
  self->first_grad = (int) graph->outputs->len;
  for (guint i = 0; i < wanted->len; i++)
    mien_graph_add_output (graph, grads[i]);
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

static gboolean
prepare_settling (MienRun *self, GError **error)
{
  if (self->recipe.settle == 0)
    return TRUE;
  self->settle = mien_settle_new (mien_arch_find (self->recipe.arch), self->training, &self->recipe, self->mean, self->std, self->threads, error);
  return self->settle != NULL;
}

/* A resumed run has its weights from the checkpoint. */
static gboolean
start_network (MienRun *self, gboolean resume, GError **error)
{
  const char *const files[] = { self->recipe.start, NULL };
  g_autoptr (MienSettle) settle = NULL;
  g_autoptr (MienModel) model = NULL;

  if (self->recipe.start == NULL)
    return TRUE;
  self->start_hash = mien_distil_dup_hash (files, error);
  if (self->start_hash == NULL || resume)
    return self->start_hash != NULL;
  model = mien_model_load (self->recipe.start, error);
  settle = model != NULL ? mien_settle_new (mien_arch_find (self->recipe.arch), self->training, &self->recipe, self->mean, self->std, self->threads, error) : NULL;
  if (settle == NULL || !mien_start (self->use, model, settle, error))
    return FALSE;
  mien_net_copy (self->use, self->net);
  return TRUE;
}

static gboolean
call_teachers (MienRun *self, GError **error)
{
  self->teachers = mien_distil_new (&self->recipe, self->threads, error);
  return self->teachers != NULL;
}

/* The teachers look at what the network is about to see. */
static gboolean
ask_teachers (MienRun *self, const MienBatch *batch, GError **error)
{
  return mien_distil_blend (self->teachers, batch, self->mean, self->std, error);
}

static void
follow (float *running, const float *now, gsize n, float momentum)
{
  for (gsize i = 0; i < n; i++)
    running[i] = running[i] * momentum + now[i] * (1 - momentum);
}

/* The running statistics of the network for use follow those of the batch. */
static void
follow_stats (MienRun *self, float momentum)
{
  for (guint i = 0; i < self->use->stats->len; i++) {
    const MienNetStats *stats = &g_array_index (self->use->stats, MienNetStats, i);
    MienTensor *mean = mien_graph_value (self->use->graph, stats->mean)->tensor, *var = mien_graph_value (self->use->graph, stats->var)->tensor;
    follow (mien_tensor_f32 (mean), mien_context_output (self->context, self->first_stat + 2 * (int) i)->data, mean->n_elems, momentum);
    follow (mien_tensor_f32 (var), mien_context_output (self->context, self->first_stat + 2 * (int) i + 1)->data, var->n_elems, momentum);
  }
}

/* Forward and backward; the gradients stand in the slots. */
static gboolean
run_network (MienRun *self, const MienBatch *batch, GError **error)
{
  const MienTensor *inputs[] = { batch->faces, batch->targets };

  mien_context_set_seed (self->context, self->recipe.seed * 1000003u + (guint64) self->step);
  if (!mien_context_run (self->context, inputs, error))
    return FALSE;
  for (int i = 0; i < self->n_slots; i++)
    self->slots[i].grad = mien_context_output (self->context, self->first_grad + i)->data;
  return TRUE;
}

/* One step with the batch, after run_network(). */
static gboolean
update (MienRun *self, const MienBatch *batch, double lr, GError **error)
{
  const MienOptimiserStep step = {
    .kind = self->recipe.optimiser,
    .lr = (float) lr,
    .momentum = self->recipe.momentum,
    .beta2 = self->recipe.beta2,
    .decay = self->recipe.weight_decay,
    .ema = mien_schedule_ema (&self->recipe, self->step, mien_batcher_get_n_steps (self->batcher)),
    .step = self->step,
  };

  if (self->settle == NULL)
    follow_stats (self, MIN (STATS_MOMENTUM, mien_schedule_early_pace (self->step)));
  if (self->recipe.sam > 0) {
    if (self->before_climb == NULL) {
      gsize n = 0;
      for (int i = 0; i < self->n_slots; i++)
        n += self->slots[i].n_elems;
      self->before_climb = g_new (float, n);
    }
    mien_optimiser_climb (self->slots, self->n_slots, self->recipe.sam, self->before_climb);
    if (!run_network (self, batch, error))
      return FALSE;
    mien_optimiser_return (self->slots, self->n_slots, self->before_climb);
  }
  mien_optimiser_update (self->slots, self->n_slots, &step, self->threads);
  return TRUE;
}

/* Also the weights: the last step of an epoch can break them without a loss to tell. */
static gboolean
is_sound (const MienRun *self)
{
  for (int i = 0; i < self->n_slots; i++)
    for (gsize k = 0; k < self->slots[i].n_elems; k++)
      if (!isfinite (self->slots[i].weight[k]))
        return FALSE;
  return TRUE;
}

static gboolean
fail_diverged (const MienRun *self, GError **error)
{
  g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_DIVERGED,
               _("the loss is not a number any more in epoch %d: the learning rate is too high; the best model and the checkpoint before it are kept"),
               self->epoch + 1);
  return FALSE;
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
  const gint64 epoch_start = g_get_monotonic_time ();
  gint64 next_report = epoch_start + PROGRESS_PERIOD_US;
  double loss = 0;
  int right = 0;

  for (int step = 0; step < n_steps; step++, self->step++) {
    if (g_cancellable_set_error_if_cancelled (cancellable, error))
      return FALSE;
    const MienBatch *now = mien_batcher_take (self->batcher, self->epoch + 1, step);
    if (!ask_teachers (self, now, error) || !run_network (self, now, error))
      return FALSE;
    const float step_loss = *mien_tensor_f32 (mien_context_output (self->context, 0));
    if (!isfinite (step_loss))
      return fail_diverged (self, error);
    loss += step_loss;
    right += count_right (mien_context_output (self->context, self->logits)->data, now->labels, batch);
    progress->lr = self->lr_scale * mien_schedule_lr (&self->recipe, self->step, n_steps);
    if (!update (self, now, progress->lr, error))
      return FALSE;

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
  return is_sound (self) || fail_diverged (self, error);
}

/* From now on the network is taught by itself as it is. model: (nullable) what mien_run_export() gives now */
static gboolean
follow_itself (MienRun *self, MienModel *model, GError **error)
{
  g_autoptr (MienModel) own = NULL;

  if (self->recipe.self_weight <= 0)
    return TRUE;
  own = model != NULL ? mien_model_ref (model) : mien_run_export (self, error);
  return own != NULL && mien_distil_follow (self->teachers, own, self->epoch, error);
}

static gboolean
is_kept (const MienRun *self, int epoch)
{
  return self->recipe.keep_last && epoch == self->recipe.epochs;
}

/* After an epoch: scores, best model, checkpoint, log. */
static gboolean
finish_epoch (MienRun *self, MienTrainProgress *progress, const char *out_path, GError **error)
{
  if (self->settle != NULL && !mien_settle_run (self->settle, self->use, self->recipe.settle, error))
    return FALSE;
  g_autoptr (MienModel) model = mien_run_export (self, error);
  if (model == NULL || !mien_run_evaluate (self, model, progress, error))
    return FALSE;
  self->epoch++;
  if (!follow_itself (self, model, error))
    return FALSE;
  progress->epoch_done = TRUE;
  progress->best = self->best_epoch == 0 || progress->val_accuracy_clean > self->best.val_accuracy_clean || is_kept (self, self->epoch);
  if (progress->best) {
    self->best = *progress;
    self->best_epoch = self->epoch;
    g_clear_pointer (&self->model, mien_model_unref);
    self->model = g_steal_pointer (&model);
    if (out_path != NULL && !mien_model_save (self->model, out_path, error))
      return FALSE;
  }
  if (mien_schedule_cuts (&self->recipe, self->epoch, self->best_epoch, self->cut_epoch)) {
    self->lr_scale *= self->recipe.plateau_factor;
    self->cut_epoch = self->epoch;
  }
  if (out_path == NULL)
    return TRUE;
  g_autofree char *checkpoint_path = mien_run_path (out_path, ".ckpt");
  if (!mien_run_append_log (out_path, progress, error))
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
  g_autofree char *checkpoint_path = mien_run_path (out_path, ".ckpt");

  if (!mien_run_load_checkpoint (self, checkpoint_path, error) || !mien_run_cut_log (out_path, self->epoch, error))
    return FALSE;
  self->model = mien_model_load (out_path, error);
  return self->model != NULL && follow_itself (self, NULL, error);
}

/* After a loss that is no number: the state before this epoch, at half the learning rate. FALSE when the recipe has had enough. */
static gboolean
roll_back (MienRun *self, GBytes *sound)
{
  const int n_rollbacks = self->n_rollbacks + 1;
  const double lr_scale = self->lr_scale / 2, seconds = self->seconds;

  if (n_rollbacks > self->recipe.rollbacks || !mien_run_set_state (self, sound, "", NULL))
    return FALSE;
  self->n_rollbacks = n_rollbacks;
  self->lr_scale = lr_scale;
  self->seconds = seconds;
  return TRUE;
}

/* An epoch, from the start again as often as it takes. */
static gboolean
run_sound_epoch (MienRun *self, MienTrainProgress *progress, gint64 start, MienTrainProgressFn report, gpointer report_data,
                 GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) sound = self->recipe.rollbacks > 0 ? mien_run_dup_state (self) : NULL;

  for (;;) {
    GError *problem = NULL;
    progress->rollbacks = self->n_rollbacks;
    if (run_epoch (self, progress, start, report, report_data, cancellable, &problem))
      return TRUE;
    if (!g_error_matches (problem, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_DIVERGED) || sound == NULL || !roll_back (self, sound)) {
      g_propagate_error (error, problem);
      return FALSE;
    }
    g_error_free (problem);
  }
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
    if (!run_sound_epoch (self, &progress, start, report, report_data, cancellable, error) || !finish_epoch (self, &progress, out_path, error))
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
  self->lr_scale = 1;
  if (!mien_recipe_check (recipe, error))
    return NULL;
  self->threads = mien_threads_new (threads);
  if (!take_data (self, data, error) || !build_network (self, error) || !call_teachers (self, error) || !prepare_settling (self, error) ||
      !start_network (self, resume && out_path != NULL, error))
    return NULL;
  self->batcher = mien_batcher_new (self->training, &self->recipe, self->mean, self->std);
  if (mien_batcher_get_n_steps (self->batcher) == 0) {
    g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_DATA, _("%s: none of %d parts has the %d pictures of a batch; give more data, fewer parts or a smaller batch"),
                 data->source, self->recipe.parts, self->recipe.batch);
    return NULL;
  }
  if (resume && out_path != NULL) {
    if (!resume_run (self, out_path, error))
      return NULL;
  } else if (out_path != NULL && !mien_run_cut_log (out_path, 0, error)) {
    return NULL;
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
