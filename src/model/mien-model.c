/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Model = graph + how to feed it + how to read it. Opening ends with a trial run, so that what opens also runs; the
 * first predictor goes on with what was made ready for it. */
#include "mien-config.h"

#include "model/mien-model.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "keras/mien-keras.h"
#include "model/mien-model-metadata.h"
#include "model/mien-model-private.h"
#include "nn/mien-file.h"
#include "onnx/mien-onnx.h"

#define MIN_SIZE 8
#define MAX_SIZE 1024
#define DEFAULT_SIZE 48
#define DEFAULT_MARGIN 0.1f
#define MAX_THREADS 16 /* of the predictor that takes over the plan of the trial run */

G_DEFINE_BOXED_TYPE (MienModel, mien_model, mien_model_ref, mien_model_unref)

static const char *const fer2013_labels[] = { "angry", "disgust", "fear", "happy", "sad", "surprise", "neutral" };

MienModel *
mien_model_ref (MienModel *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
mien_model_unref (MienModel *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  g_clear_pointer (&self->tried, mien_context_free);
  g_clear_pointer (&self->graph, mien_graph_unref);
  for (int i = 0; i < self->n_labels; i++)
    g_free (self->labels[i]);
  g_free (self->path);
  g_free (self);
}

static gboolean
is_channels (gint64 n)
{
  return n == 1 || n == 3;
}

/* Layout, size, channels and batch from the only input; -1 for what the file leaves open. */
static gboolean
read_input (MienModel *self, GError **error)
{
  const MienGraph *graph = self->graph;
  const MienValue *input;
  g_autofree char *name = NULL, *shape = NULL;
  gint64 height, width, channels;

  if (graph->inputs->len == 0)
    return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("the network has no input"));
  input = mien_graph_value (graph, g_array_index (graph->inputs, int, 0));
  name = mien_graph_quote (input->name);
  shape = mien_shape_to_string (&input->shape);
  if (graph->inputs->len > 1) {
    g_autofree char *second = mien_graph_quote (mien_graph_value (graph, g_array_index (graph->inputs, int, 1))->name);

    return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("the network has several inputs (%s, %s); a face network has one, the picture"), name, second);
  }
  if (input->type != MIEN_F32)
    return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("input %s is %s; a face network takes float32"), name, mien_type_name (input->type));
  if (input->shape.rank != 4)
    return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("input %s is %s; a face network takes pictures, 1x1x48x48 for instance"), name, shape);

  /* Channels first unless only the last dimension can be channels. */
  self->channels_last = !is_channels (input->shape.dim[1]) && is_channels (input->shape.dim[3]);
  channels = input->shape.dim[self->channels_last ? 3 : 1];
  height = input->shape.dim[self->channels_last ? 1 : 2];
  width = input->shape.dim[self->channels_last ? 2 : 3];
  if (channels >= 0 && !is_channels (channels))
    return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("input %s is %s; a face network takes one channel (grey) or three (colour)"), name, shape);
  if (height >= 0 && width >= 0 && height != width)
    return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("input %s is %s; only square pictures are supported"), name, shape);
  if (MAX (height, width) >= 0 && (MAX (height, width) < MIN_SIZE || MAX (height, width) > MAX_SIZE))
    return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("input %s is %s; pictures must have %d to %d pixels a side"), name, shape, MIN_SIZE, MAX_SIZE);
  if (input->shape.dim[0] > 256)
    return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("input %s is %s; that many pictures at a time are not supported"), name, shape);
  self->fixed_batch = MAX (input->shape.dim[0], 0);
  self->channels = channels;
  self->size = MAX (height, width);
  return TRUE;
}

static gboolean
read_metadata (MienModel *self, GError **error)
{
  const int size = self->size, channels = self->channels;
  gboolean has_size, has_channels, has_scale;

  self->scale = 1.0f / 255;
  self->temperature = 1;
  self->crop_margin = DEFAULT_MARGIN;
  for (int c = 0; c < 3; c++)
    self->std[c] = 1;
  if (size < 0)
    self->size = DEFAULT_SIZE;
  if (channels < 0)
    self->channels = 1;
  if (!mien_metadata_int (self->graph, "mien.input.size", MIN_SIZE, MAX_SIZE, &self->size, &has_size, error) ||
      !mien_metadata_int (self->graph, "mien.input.channels", 1, 3, &self->channels, &has_channels, error) ||
      !mien_metadata_float (self->graph, "mien.input.scale", 1e-6, 1e6, &self->scale, &has_scale, error) ||
      !mien_metadata_floats3 (self->graph, "mien.input.mean", -1e6, 1e6, self->mean, error) ||
      !mien_metadata_floats3 (self->graph, "mien.input.std", 1e-6, 1e6, self->std, error) ||
      !mien_metadata_float (self->graph, "mien.crop.margin", -0.4, 2, &self->crop_margin, NULL, error) ||
      !mien_metadata_float (self->graph, "mien.temperature", 0.01, 100, &self->temperature, NULL, error))
    return FALSE;
  self->views_temperature = self->temperature;
  if (!mien_metadata_float (self->graph, "mien.temperature.views", 0.01, 100, &self->views_temperature, NULL, error) ||
      !mien_metadata_float (self->graph, "mien.bfloat16", 0, 1, &self->bfloat16, NULL, error))
    return FALSE;
  if ((size >= 0 && size != self->size) || (channels >= 0 && channels != self->channels) || !is_channels (self->channels))
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("its metadata speak of pictures of %dx%d pixels with %d channels, which the network does not take"),
                 self->size, self->size, self->channels);
  self->guessed = !has_scale || (size < 0 && !has_size) || (channels < 0 && !has_channels);
  return TRUE;
}

/* Does what comes out consist of probabilities already? Looked for behind operators that only pass them on. */
static MienOutputKind
find_output_kind (const MienGraph *graph, int value)
{
  static const char *const passing[] = { "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Cast", "Transpose", NULL };
  const MienNode *node = mien_graph_producer (graph, value);

  while (node != NULL && g_strv_contains (passing, node->op) && node->n_inputs > 0 && node->inputs[0] >= 0)
    node = mien_graph_producer (graph, node->inputs[0]);
  return node != NULL && (strcmp (node->op, "Softmax") == 0 || strcmp (node->op, "Sigmoid") == 0) ? MIEN_OUTPUT_PROBABILITIES : MIEN_OUTPUT_LOGITS;
}

/* Classes a picture when the shape is [batch][n], or that with ones behind or in between; 0 otherwise. */
static gint64
count_classes (const MienShape *shape, int batch)
{
  gint64 n = 0;

  if (shape->rank < 2 || shape->dim[0] != batch)
    return 0;
  for (int i = 1; i < shape->rank; i++) {
    if (shape->dim[i] == 1)
      continue;
    if (shape->dim[i] < 1 || n != 0)
      return 0;
    n = shape->dim[i];
  }
  return n == 0 ? 1 : n;
}

void
mien_model_get_input_shape (const MienModel *self, int batch, MienShape *shape)
{
  *shape = self->channels_last ? mien_shape (4, batch, self->size, self->size, self->channels)
                               : mien_shape (4, batch, self->channels, self->size, self->size);
}

static MienPlan *
make_plan (const MienModel *self, int batch, MienPlanOptions options, GError **error)
{
  g_autoptr (MienPlan) plan = NULL;
  MienShape shape;
  MienType type;

  if (self->lean && !options.shapes_only) {
    mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("this network was opened for one predictor alone"));
    return NULL;
  }
  options.max_bytes = MIEN_MODEL_MAX_PLAN_BYTES;
  options.paced = TRUE;
  options.max_macs = MIN (MIEN_MODEL_MAX_MACS * batch, MIEN_PLAN_MAX_MACS);
  mien_model_get_input_shape (self, batch, &shape);
  plan = mien_plan_new (self->graph, &shape, &options, error);
  if (plan == NULL || self->n_labels == 0)
    return g_steal_pointer (&plan);
  mien_plan_get_value (plan, g_array_index (self->graph->outputs, int, self->output), &type, &shape);
  if (type != MIEN_F32 || count_classes (&shape, batch) != self->n_labels) {
    mien_file_fail (error, MIEN_NN_ERROR_SHAPE, _("the network does not answer %d pictures one by one"), batch);
    return NULL;
  }
  return g_steal_pointer (&plan);
}

MienPlan *
mien_model_make_plan (const MienModel *self, int batch, MienCpuLevel cpu, MienPrecision precision, MienThreads *threads, gboolean no_fusion,
                      GError **error)
{
  const MienPlanOptions options = { .cpu = cpu, .threads = threads, .precision = precision, .no_fusion = no_fusion, .shapes_only = no_fusion };

  return make_plan (self, batch, options, error);
}

/* The first output that can be classes. */
static gboolean
find_output (MienModel *self, const MienPlan *plan, int batch, GError **error)
{
  const GArray *outputs = self->graph->outputs;
  g_autofree char *name = NULL, *text = NULL;
  MienShape shape;
  MienType type;

  for (guint i = 0; i < outputs->len; i++) {
    gint64 n;

    mien_plan_get_value (plan, g_array_index (outputs, int, i), &type, &shape);
    n = type == MIEN_F32 ? count_classes (&shape, batch) : 0;
    if (n < 2 || n > MIEN_MODEL_MAX_LABELS)
      continue;
    self->output = i;
    self->n_labels = n;
    self->output_kind = find_output_kind (self->graph, g_array_index (outputs, int, i));
    return TRUE;
  }
  mien_plan_get_value (plan, g_array_index (outputs, int, 0), &type, &shape);
  name = mien_graph_quote (mien_graph_value (self->graph, g_array_index (outputs, int, 0))->name);
  text = mien_shape_to_string (&shape);
  return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("output %s is %s %s; a face network answers with 2 to %d classes"),
               name, text, mien_type_name (type), MIEN_MODEL_MAX_LABELS);
}

static gboolean
read_labels (MienModel *self, GError **error)
{
  g_autoptr (GError) problem = NULL;
  g_auto (GStrv) labels = mien_metadata_labels (self->graph, "mien.labels", &problem);

  if (problem != NULL) {
    g_propagate_error (error, g_steal_pointer (&problem));
    return FALSE;
  }
  if (labels != NULL && (int) g_strv_length (labels) != self->n_labels)
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("its metadata name %u labels, but the network has %d classes"), g_strv_length (labels), self->n_labels);
  for (int i = 0; i < self->n_labels; i++)
    if (labels != NULL)
      self->labels[i] = g_strdup (labels[i]);
    else if (self->n_labels == (int) G_N_ELEMENTS (fer2013_labels))
      self->labels[i] = g_strdup (fer2013_labels[i]);
    else
      self->labels[i] = g_strdup_printf ("class-%d", i + 1);
  self->guessed |= labels == NULL;
  return TRUE;
}

gboolean
mien_model_finish (const MienModel *self, const float *numbers, float *probabilities)
{
  double values[MIEN_MODEL_MAX_LABELS], largest = -INFINITY, sum = 0;

  for (int i = 0; i < self->n_labels; i++) {
    values[i] = numbers[i];
    if (!isfinite (values[i]))
      return FALSE;
    /* p^(1/T), renormalised, is softmax (log p / T). */
    if (self->output_kind == MIEN_OUTPUT_PROBABILITIES)
      values[i] = log (MAX (values[i], 1e-30));
    values[i] /= self->temperature;
    largest = MAX (largest, values[i]);
  }
  for (int i = 0; i < self->n_labels; i++)
    sum += values[i] = exp (values[i] - largest);
  for (int i = 0; i < self->n_labels; i++)
    probabilities[i] = values[i] / sum;
  return TRUE;
}

/* A picture of even grey goes through once. */
static MienContext *
try_run (const MienModel *self, MienPlan *plan, int batch, GError **error)
{
  g_autoptr (MienContext) context = mien_context_new (plan, error);
  g_autoptr (MienTensor) input = NULL;
  g_autofree float *grey = NULL;
  float probabilities[MIEN_MODEL_MAX_LABELS];
  const MienTensor *inputs[1];
  const gsize n_pixels = (gsize) self->size * self->size;
  MienShape shape;

  if (context == NULL)
    return NULL;
  mien_model_get_input_shape (self, batch, &shape);
  inputs[0] = input = mien_tensor_new (MIEN_F32, &shape);
  grey = g_new (float, n_pixels);
  for (gsize i = 0; i < n_pixels; i++)
    grey[i] = 127;
  for (int i = 0; i < batch; i++)
    mien_model_normalise (self, grey, mien_tensor_f32 (input) + i * n_pixels * self->channels);
  if (!mien_context_run (context, inputs, error))
    return NULL;
  if (!mien_model_finish (self, mien_tensor_f32 (mien_context_output (context, self->output)), probabilities)) {
    mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("the network answers with values that are not numbers; its weights are damaged"));
    return NULL;
  }
  return g_steal_pointer (&context);
}

MienPrecision
mien_model_decide_precision (const MienModel *self, MienPrecision precision, MienCpuLevel cpu)
{
  const gboolean same = precision == MIEN_PRECISION_BF16 || (precision == MIEN_PRECISION_AUTO && self->bfloat16 >= MIEN_MODEL_SAME_ENOUGH);

  return same && mien_cpu_has_bf16 (cpu) ? MIEN_PRECISION_BF16 : MIEN_PRECISION_F32;
}

MienContext *
mien_model_take_tried (MienModel *self, int batch, MienCpuLevel cpu, MienPrecision precision, MienThreads *threads)
{
  g_autoptr (MienContext) context = NULL;

  if (batch != MAX (self->fixed_batch, 1) || cpu != mien_cpu_level () || precision != self->tried_as)
    return NULL;
  context = g_atomic_pointer_exchange (&self->tried, NULL);
  return context != NULL && mien_context_set_threads (context, threads) ? g_steal_pointer (&context) : NULL;
}

static MienModel *
take_graph (MienGraph *graph, const char *path, MienPlanOptions options, GError **error)
{
  g_autoptr (MienModel) self = g_new0 (MienModel, 1);
  g_autoptr (MienPlan) plan = NULL;
  int batch;

  g_atomic_ref_count_init (&self->ref_count);
  self->graph = graph;
  self->path = g_strdup (path);
  if (!read_input (self, error) || !read_metadata (self, error))
    return NULL;
  batch = MAX (self->fixed_batch, 1);
  options.precision = self->tried_as = mien_model_decide_precision (self, options.precision, options.cpu);
  plan = make_plan (self, batch, options, error);
  if (plan == NULL || !find_output (self, plan, batch, error) || !read_labels (self, error) ||
      (self->tried = try_run (self, plan, batch, error)) == NULL)
    return NULL;
  self->lean = options.let_go;
  return g_steal_pointer (&self);
}

/* What most predictors want. */
static MienPlanOptions
usual_options (void)
{
  return (MienPlanOptions) { .cpu = mien_cpu_level (), .precision = MIEN_PRECISION_AUTO, .n_threads = MIN ((int) g_get_num_processors (), MAX_THREADS) };
}

MienModel *
mien_model_new (MienGraph *graph, GError **error)
{
  MienGraph *copy = mien_graph_dup (graph);

  /* Nobody trains the copy: its weights are its own, and may be folded and packed. */
  for (guint i = 0; i < copy->values->len; i++) {
    MienValue *value = mien_graph_value (copy, i);
    MienTensor *shared = value->tensor;

    if (value->kind != MIEN_VALUE_PARAMETER)
      continue;
    value->kind = MIEN_VALUE_CONSTANT;
    value->tensor = mien_tensor_dup (shared);
    mien_tensor_unref (shared);
  }
  if (!mien_graph_sort (copy, error)) {
    mien_graph_unref (copy);
    return NULL;
  }
  return take_graph (copy, NULL, usual_options (), error);
}

static const char *const shipped[] = { "best", "small", "simple3", "nano", NULL };

const char *const *
mien_model_list_shipped (void)
{
  return shipped;
}

/* As installed, or else in the source tree; the networks for use, and those that only teach others. */
static const char *const folders[] = { MIEN_PKGDATADIR "/models", MIEN_PKGDATADIR "/models/teachers", MIEN_SOURCE_MODELS, MIEN_SOURCE_MODELS "/teachers" };

char *
mien_model_shipped_path (const char *name)
{
  g_autofree char *file = g_strconcat (name, ".onnx", NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (folders); i++) {
    g_autofree char *path = g_build_filename (folders[i], file, NULL);
    if (g_file_test (path, G_FILE_TEST_EXISTS))
      return g_steal_pointer (&path);
  }
  return g_build_filename (MIEN_SOURCE_MODELS, file, NULL);
}

char *
mien_model_find (const char *path_or_name)
{
  const gboolean may_be_name = strpbrk (path_or_name, "./") == NULL && *path_or_name != '\0' && !g_file_test (path_or_name, G_FILE_TEST_EXISTS);
  g_autofree char *path = may_be_name ? mien_model_shipped_path (path_or_name) : NULL;

  return path != NULL && g_file_test (path, G_FILE_TEST_EXISTS) ? g_steal_pointer (&path) : g_strdup (path_or_name);
}

static MienGraph *
read_graph (const char *path, gboolean lean, GError **error)
{
  if (mien_keras_is_model (path))
    return mien_keras_read (path, NULL, error);
  return lean ? mien_onnx_read_away (path, error) : mien_onnx_read (path, error);
}

static MienModel *
load (const char *path_or_name, MienPlanOptions options, GError **error)
{
  g_autofree char *path = mien_model_find (path_or_name);
  MienGraph *graph = read_graph (path, options.let_go, error);
  MienModel *self = graph != NULL ? take_graph (graph, path, options, error) : NULL;

  if (graph != NULL && self == NULL) {
    g_autofree char *name = mien_file_shown_name (path);
    g_prefix_error (error, "%s: ", name);
  }
  return self;
}

MienModel *
mien_model_load (const char *path_or_name, GError **error)
{
  return load (path_or_name, usual_options (), error);
}

MienModel *
mien_model_load_lean (const char *path_or_name, MienCpuLevel cpu, MienPrecision precision, MienThreads *threads, GError **error)
{
  return load (path_or_name, (MienPlanOptions) { .cpu = cpu, .precision = precision, .threads = threads, .let_go = TRUE }, error);
}

char *
mien_model_default_path (void)
{
  const char *chosen = g_getenv ("MIEN_MODEL");

  return chosen != NULL && *chosen != '\0' ? g_strdup (chosen) : mien_model_shipped_path (shipped[0]);
}

MienModel *
mien_model_load_default (GError **error)
{
  g_autofree char *path = mien_model_default_path ();

  return mien_model_load (path, error);
}

gboolean
mien_model_save (const MienModel *self, const char *path, GError **error)
{
  const int batch = MAX (self->fixed_batch, 1);
  g_autofree char *name = mien_file_shown_name (path);
  g_autoptr (MienGraph) graph = mien_graph_dup (self->graph);
  g_autoptr (MienPlan) plan = mien_model_make_plan (self, batch, mien_cpu_level (), MIEN_PRECISION_F32, NULL, FALSE, error);

  if (plan == NULL) {
    g_prefix_error (error, "%s: ", name);
    return FALSE;
  }
  /* ONNX wants types on outputs; a graph that was built here may have none yet. */
  for (guint i = 0; i < graph->outputs->len; i++) {
    MienValue *value = mien_graph_value (graph, g_array_index (graph->outputs, int, i));

    if (value->type != MIEN_TYPE_UNKNOWN && value->shape.rank >= 0)
      continue;
    mien_plan_get_value (plan, g_array_index (graph->outputs, int, i), &value->type, &value->shape);
    if (self->fixed_batch == 0 && value->shape.rank > 0 && value->shape.dim[0] == batch)
      value->shape.dim[0] = -1;
  }
  return mien_onnx_write (graph, path, error);
}

const char *
mien_model_get_path (const MienModel *self)
{
  return self->path;
}

char *
mien_model_dup_title (const MienModel *self)
{
  g_autofree char *title = self->path != NULL ? mien_file_shown_name (self->path) : mien_graph_shown (self->graph->name);
  char *dot = strrchr (title, '.');

  if (self->path != NULL && dot != NULL && dot != title)
    *dot = '\0';
  return g_steal_pointer (&title);
}

int
mien_model_get_n_labels (const MienModel *self)
{
  return self->n_labels;
}

const char *
mien_model_get_label (const MienModel *self, int i)
{
  g_return_val_if_fail (i >= 0 && i < self->n_labels, NULL);
  return self->labels[i];
}

int
mien_model_get_input_size (const MienModel *self)
{
  return self->size;
}

int
mien_model_get_channels (const MienModel *self)
{
  return self->channels;
}

float
mien_model_get_crop_margin (const MienModel *self)
{
  return self->crop_margin;
}

float
mien_model_get_temperature (const MienModel *self, int n_views)
{
  return n_views > 1 ? self->views_temperature : self->temperature;
}

const char *
mien_model_get_metadata (const MienModel *self, const char *key)
{
  return g_hash_table_lookup (self->graph->metadata, key);
}

gboolean
mien_model_is_guessed (const MienModel *self)
{
  return self->guessed;
}

MienGraph *
mien_model_get_graph (const MienModel *self)
{
  return self->graph;
}

void
mien_model_normalise (const MienModel *self, const float *pixels, float *out)
{
  const gsize n_pixels = (gsize) self->size * self->size;
  const gsize pixel_step = self->channels_last ? self->channels : 1, channel_step = self->channels_last ? 1 : n_pixels;

  for (int c = 0; c < self->channels; c++)
    for (gsize i = 0; i < n_pixels; i++)
      out[c * channel_step + i * pixel_step] = (pixels[i] * self->scale - self->mean[c]) / self->std[c];
}
