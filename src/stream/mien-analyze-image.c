/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One picture: faces, network, result. Used for photos, and by the worker for what it shares with them. */
#include "mien-config.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "stream/mien-analyzer-private.h"

#define CROP_MAX_SIDE 128   /* a picture that is itself a face */
#define CROP_MAX_RATIO 1.3
#define MIN_SIZE_SHARE 56   /* smallest face in a photo: this part of the longer side, but never under 24 pixels */
#define ASYNC_BATCH 8

static int
find_largest (const float *values, int n)
{
  int best = 0;

  for (int i = 1; i < n; i++)
    if (values[i] > values[best])
      best = i;
  return best;
}

void
mien_face_decide (MienFace *face, int n_labels)
{
  face->label = find_largest (face->probabilities, n_labels);
  face->confidence = face->probabilities[face->label];
}

gboolean
mien_analyze_faces (MienResult *result, const MienImage *image, MienPredictor *predictor, float margin, GError **error)
{
  const int n_labels = mien_model_get_n_labels (result->model), size = mien_model_get_input_size (result->model);
  const gsize n_pixels = (gsize) size * (gsize) size;
  g_autofree float *pixels = NULL, *probabilities = NULL;

  if (result->n_faces == 0)
    return TRUE;
  pixels = g_new (float, n_pixels * (gsize) result->n_faces);
  probabilities = g_new (float, (gsize) n_labels * (gsize) result->n_faces);
  for (int i = 0; i < result->n_faces; i++) {
    float *crop = pixels + n_pixels * (gsize) i;

    mien_faces_crop (image, &result->faces[i].box, margin, size, crop);
    result->faces[i].pixels = g_memdup2 (crop, n_pixels * sizeof *crop);
  }
  if (!mien_predictor_run (predictor, pixels, result->n_faces, probabilities, error))
    return FALSE;
  for (int i = 0; i < result->n_faces; i++) {
    memcpy (result->faces[i].probabilities, probabilities + i * n_labels, sizeof (float) * (gsize) n_labels);
    mien_face_decide (&result->faces[i], n_labels);
  }
  return TRUE;
}

static gboolean
is_a_face_itself (const MienImage *image)
{
  const int longer = MAX (image->width, image->height), shorter = MIN (image->width, image->height);

  return longer <= CROP_MAX_SIDE && longer <= shorter * CROP_MAX_RATIO;
}

MienResult *
mien_analyze_image (MienImage *image, MienPredictor *predictor, MienFaces *faces, gboolean whole_if_none, GError **error)
{
  MienModel *model = mien_predictor_get_model (predictor);
  float margin = mien_model_get_crop_margin (model);
  g_autoptr (MienFaces) own_faces = NULL;
  g_autoptr (GArray) boxes = NULL;
  g_autoptr (MienResult) result = NULL;
  const gint64 start_us = g_get_monotonic_time ();
  gint64 detected_us;

  if (faces == NULL)
    faces = own_faces = mien_faces_new (NULL, error);
  if (faces == NULL)
    return NULL;
  mien_faces_set_min_size (faces, MAX (24, MAX (image->width, image->height) / MIN_SIZE_SHARE));
  boxes = mien_faces_detect (faces, image, error);
  if (boxes == NULL)
    return NULL;
  if (boxes->len == 0 && whole_if_none && is_a_face_itself (image)) {
    const MienBox whole = { 0, 0, (float) image->width, (float) image->height, 0 };

    g_array_append_val (boxes, whole);
    margin = 0; /* it was cropped before */
  }
  detected_us = g_get_monotonic_time ();

  result = mien_result_new (model, (int) boxes->len);
  result->width = image->width;
  result->height = image->height;
  result->image = mien_image_ref (image);
  for (guint i = 0; i < boxes->len; i++) {
    result->faces[i].track = (int) i + 1;
    result->faces[i].box = g_array_index (boxes, MienBox, i);
  }
  if (!mien_analyze_faces (result, image, predictor, margin, error))
    return NULL;
  result->detect_us = (int) (detected_us - start_us);
  result->infer_us = (int) (g_get_monotonic_time () - detected_us);
  result->latency_us = g_get_monotonic_time () - start_us;
  return g_steal_pointer (&result);
}

typedef struct {
  MienImage *image;
  MienModel *model;
} Job;

static void
job_free (gpointer data)
{
  Job *job = data;

  mien_image_unref (job->image);
  mien_model_unref (job->model);
  g_free (job);
}

static void
analyze_thread (GTask *task, gpointer source_object, gpointer task_data, GCancellable *cancellable)
{
  Job *job = task_data;
  GError *error = NULL;
  g_autoptr (MienPredictor) predictor = NULL;
  MienResult *result = NULL;

  if (g_task_return_error_if_cancelled (task))
    return;
  predictor = mien_predictor_new (job->model, ASYNC_BATCH, mien_cpu_level (), MIEN_PRECISION_F32, NULL, &error);
  if (predictor != NULL)
    result = mien_analyze_image (job->image, predictor, NULL, TRUE, &error);
  if (result != NULL)
    g_task_return_pointer (task, result, (GDestroyNotify) mien_result_unref);
  else
    g_task_return_error (task, error);
}

void
mien_analyze_image_async (MienImage *image, MienModel *model, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  Job *job = g_new (Job, 1);

  job->image = mien_image_ref (image);
  job->model = mien_model_ref (model);
  g_task_set_source_tag (task, mien_analyze_image_async);
  g_task_set_task_data (task, job, job_free);
  g_task_run_in_thread (task, analyze_thread);
}

MienResult *
mien_analyze_image_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}
