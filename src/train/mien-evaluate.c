/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A data set through a model: views, batches, labels matched by name. */
#include "mien-config.h"

#include "train/mien-evaluate.h"

#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <string.h>

#include "train/mien-calibrate.h"
#include "vision/mien-faces.h"

G_DEFINE_QUARK (mien-evaluate-error-quark, mien_evaluate_error)

#define BATCH 64 /* pictures; views of one picture stand in one batch */

typedef struct {
  int dx, dy; /* pixels of the data */
  gboolean mirror;
} View;

void
mien_evaluation_free (MienEvaluation *self)
{
  for (int i = 0; i < MIEN_METRICS_MAX_LABELS; i++)
    g_free (self->labels[i]);
  g_free (self->mistakes);
  g_free (self);
}

static int
list_views (int views, int size, View *list)
{
  static const int corners[5][2] = { { 0, 0 }, { -1, -1 }, { 1, -1 }, { -1, 1 }, { 1, 1 } };
  const int shift = MAX (1, (int) (size * MIEN_EVALUATE_SHIFT + 0.5f));
  int n = 0;

  for (int corner = 0; corner < (views == 10 ? 5 : 1); corner++) {
    for (int mirror = 0; mirror < (views == 1 ? 1 : 2); mirror++)
      list[n++] = (View) { corners[corner][0] * shift, corners[corner][1] * shift, mirror };
  }
  return n;
}

/* One view at the data's own size, still 0..255. */
static void
make_view (const guint8 *in, int size, const View *view, float *out)
{
  for (int y = 0; y < size; y++) {
    const int from_y = CLAMP (y - view->dy, 0, size - 1);

    for (int x = 0; x < size; x++) {
      const int from_x = CLAMP (x - view->dx, 0, size - 1);

      out[y * size + (view->mirror ? size - 1 - x : x)] = in[from_y * size + from_x];
    }
  }
}

/* The same resampling as for faces in photos: the face box is the whole picture. */
static void
resample (const float *in, int size, MienImage *scratch, int out_size, float *out)
{
  const MienBox all = { 0, 0, size, size, 1 };

  for (int y = 0; y < size; y++) {
    guint8 *row = scratch->pixels + (gsize) y * scratch->stride_bytes;

    for (int x = 0; x < size; x++) {
      memset (row + 4 * x, (int) in[y * size + x], 3);
      row[4 * x + 3] = 255;
    }
  }
  mien_faces_crop (scratch, &all, 0, out_size, out);
}

gboolean
mien_evaluate_predict (MienPredictor *predictor, const MienDataset *data, int views, float *probabilities,
                       MienProgressFn progress, gpointer progress_data, GCancellable *cancellable, GError **error)
{
  MienModel *model = mien_predictor_get_model (predictor);
  const int n_labels = mien_model_get_n_labels (model);
  const int size = data->size;
  const int model_size = mien_model_get_input_size (model);
  const gsize n_pixels = (gsize) model_size * model_size;
  View list[10];
  const int n_views = list_views (views, size, list);
  const double power = mien_model_get_temperature (model, 1) / mien_model_get_temperature (model, n_views);
  g_autofree float *view = g_new (float, (gsize) size * size);
  g_autofree float *batch = g_new (float, BATCH * n_views * n_pixels);
  g_autofree float *answers = g_new (float, (gsize) BATCH * n_views * n_labels);
  g_autoptr (MienImage) scratch = mien_image_new (size, size);

  g_return_val_if_fail (views == 1 || views == 2 || views == 10, FALSE);

  for (int first = 0; first < data->n; first += BATCH) {
    const int n = MIN (BATCH, data->n - first);

    if (g_cancellable_set_error_if_cancelled (cancellable, error))
      return FALSE;
    if (progress != NULL)
      progress ((double) first / data->n, progress_data);

    for (int i = 0; i < n * n_views; i++) {
      const guint8 *pixels = data->pixels + (gsize) (first + i / n_views) * size * size;
      float *out = batch + (gsize) i * n_pixels;

      if (model_size == size) {
        make_view (pixels, size, &list[i % n_views], out);
      } else {
        make_view (pixels, size, &list[i % n_views], view);
        resample (view, size, scratch, model_size, out);
      }
    }
    if (!mien_predictor_run (predictor, batch, n * n_views, answers, error))
      return FALSE;

    memset (probabilities + (gsize) first * n_labels, 0, sizeof (float) * n * n_labels);
    for (int i = 0; i < n * n_views; i++) {
      float *sum = probabilities + (gsize) (first + i / n_views) * n_labels, *answer = answers + (gsize) i * n_labels;

      if (power != 1)
        mien_calibrate_soften (answer, n_labels, power);
      for (int c = 0; c < n_labels; c++)
        sum[c] += answer[c] / n_views;
    }
  }
  if (progress != NULL)
    progress (1, progress_data);
  return TRUE;
}

/* FER2013's number of a label as models spell it ("anger", "Happiness", "surprised"), -1 when it is none of the seven. */
static int
parse_label (const char *name)
{
  static const char *const stems[MIEN_DATASET_N_LABELS] = { "ang", "disgust", "fear", "happ", "sad", "surpris", "neutral" };

  for (int c = 0; c < MIEN_DATASET_N_LABELS; c++) {
    if (g_ascii_strncasecmp (name, stems[c], strlen (stems[c])) == 0)
      return c;
  }
  return -1;
}

/* place[i]: where the model's label i stands in the scores. */
static gboolean
match_labels (MienModel *model, MienEvaluation *self, int *place, GError **error)
{
  const int n_labels = mien_model_get_n_labels (model);
  int n = MIEN_DATASET_N_LABELS;

  for (int i = 0; i < n_labels; i++)
    place[i] = -1;
  for (int c = 0; c < MIEN_DATASET_N_LABELS; c++) {
    int found = -1;

    for (int i = 0; i < n_labels && found < 0; i++) {
      if (place[i] < 0 && parse_label (mien_model_get_label (model, i)) == c)
        found = i;
    }
    if (found < 0) {
      g_autofree char *title = mien_model_dup_title (model);

      g_set_error (error, MIEN_EVALUATE_ERROR, MIEN_EVALUATE_ERROR_LABELS,
                   _("The model “%s” has no label “%s”; choose a model of the seven expressions, or name its outputs in mien.labels"),
                   title, mien_dataset_labels[c]);
      return FALSE;
    }
    place[found] = c;
    self->labels[c] = g_strdup (mien_dataset_labels[c]);
  }
  for (int i = 0; i < n_labels; i++) {
    if (place[i] < 0) {
      self->labels[n] = g_strdup (mien_model_get_label (model, i));
      place[i] = n++;
    }
  }
  return TRUE;
}

static int
compare_mistakes (const void *a, const void *b)
{
  const MienMistake *p = a, *q = b;

  return p->confidence != q->confidence ? (p->confidence < q->confidence ? 1 : -1) : p->index - q->index;
}

/* ordered[n][n_labels]: probabilities in the order of the scores. */
static void
list_mistakes (MienEvaluation *self, const float *ordered, const guint8 *labels, const guint8 *leave_out, int n)
{
  const int n_labels = self->metrics.n_labels;

  self->mistakes = g_new (MienMistake, n);
  for (int i = 0; i < n; i++) {
    const float *p = ordered + (gsize) i * n_labels;
    int answer = 0;

    for (int c = 1; c < n_labels; c++)
      if (p[c] > p[answer])
        answer = c;
    if (answer != labels[i] && (leave_out == NULL || leave_out[i] == 0))
      self->mistakes[self->n_mistakes++] = (MienMistake) { i, labels[i], answer, p[answer] };
  }
  qsort (self->mistakes, (gsize) self->n_mistakes, sizeof *self->mistakes, compare_mistakes);
}

MienEvaluation *
mien_evaluate_score (MienModel *model, const MienDataset *data, const float *probabilities, const guint8 *leave_out, GError **error)
{
  const int n_labels = mien_model_get_n_labels (model);
  g_autoptr (MienEvaluation) self = g_new0 (MienEvaluation, 1);
  g_autofree float *ordered = g_new (float, (gsize) data->n * n_labels);
  int place[MIEN_MODEL_MAX_LABELS];

  if (!match_labels (model, self, place, error))
    return NULL;
  for (int i = 0; i < data->n; i++) {
    for (int c = 0; c < n_labels; c++)
      ordered[(gsize) i * n_labels + place[c]] = probabilities[(gsize) i * n_labels + c];
  }
  mien_metrics_compute (&self->metrics, ordered, data->labels, leave_out, data->n, n_labels);
  if (self->metrics.n == 0) {
    g_set_error (error, MIEN_EVALUATE_ERROR, MIEN_EVALUATE_ERROR_EMPTY, _("%s: no picture to evaluate on"), data->source);
    return NULL;
  }
  list_mistakes (self, ordered, data->labels, leave_out, data->n);
  return g_steal_pointer (&self);
}
