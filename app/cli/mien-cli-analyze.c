/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mien-cli analyze: one JSON object a line (or CSV lines) per picture or video frame. */
#include "mien-config.h"

#include "mien-cli.h"

#include <stdio.h>
#include <string.h>

#include "stream/mien-analyzer.h"
#include "stream/mien-video-reader.h"
#include "vision/mien-tracker.h"

typedef struct {
  MienPredictor *predictor;
  MienFaces *faces;
  gboolean csv;
  int smooth_ms;
} Analysis;

static void
print_result (const Analysis *self, const MienResult *result, const char *file)
{
  g_autofree char *text = self->csv ? mien_result_to_csv (result, file) : mien_result_to_json (result, file);

  if (self->csv)
    fputs (text, stdout);
  else
    mien_cli_print_line (text);
}

/* Numbers the faces of a frame along their tracks, and smooths where that is wanted. */
static void
link_faces (const Analysis *self, MienTracker *tracker, MienResult *result)
{
  const int n_labels = mien_model_get_n_labels (result->model);
  g_autofree MienBox *boxes = g_new (MienBox, result->n_faces + 1);
  g_autofree MienBox *smoothed = g_new (MienBox, result->n_faces + 1);
  g_autofree int *tracks = g_new (int, result->n_faces + 1);

  for (int i = 0; i < result->n_faces; i++)
    boxes[i] = result->faces[i].box;
  mien_tracker_update (tracker, result->time_us, boxes, result->n_faces, tracks, smoothed);
  for (int i = 0; i < result->n_faces; i++) {
    MienFace *face = &result->faces[i];

    face->track = tracks[i];
    if (self->smooth_ms == 0)
      continue;
    mien_tracker_smooth (tracker, face->track, face->probabilities, n_labels);
    face->label = 0;
    for (int c = 1; c < n_labels; c++) {
      if (face->probabilities[c] > face->probabilities[face->label])
        face->label = c;
    }
    face->confidence = face->probabilities[face->label];
  }
}

static gboolean
analyze_video (const Analysis *self, const char *file, GError **error)
{
  g_autoptr (MienVideoReader) reader = mien_video_reader_new (file, error);
  g_autoptr (MienTracker) tracker = mien_tracker_new ();
  GError *local = NULL;
  gint64 time_us;

  if (reader == NULL)
    return FALSE;
  mien_tracker_set_smoothing (tracker, self->smooth_ms);
  for (;;) {
    g_autoptr (MienImage) frame = mien_video_reader_next (reader, &time_us, &local);
    g_autoptr (MienResult) result = NULL;
    const gint64 duration_us = mien_video_reader_get_duration_us (reader);

    if (frame == NULL)
      break;
    if (duration_us > 0)
      mien_cli_progress ((double) time_us / duration_us, (gpointer) file);
    result = mien_analyze_image (frame, self->predictor, self->faces, FALSE, error);
    if (result == NULL)
      return FALSE;
    result->time_us = time_us;
    link_faces (self, tracker, result);
    print_result (self, result, file);
  }
  mien_cli_progress (-1, NULL);
  if (local != NULL) {
    g_propagate_error (error, local);
    return FALSE;
  }
  return TRUE;
}

static gboolean
analyze_file (const Analysis *self, const char *name, GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_commandline_arg (name);
  g_autoptr (MienImage) image = NULL;
  g_autoptr (MienResult) result = NULL;

  if (mien_video_reader_is_video (name))
    return analyze_video (self, name, error);
  image = mien_image_load (file, NULL, error);
  if (image == NULL)
    return FALSE;
  result = mien_analyze_image (image, self->predictor, self->faces, TRUE, error);
  if (result == NULL)
    return FALSE;
  print_result (self, result, name);
  return TRUE;
}

int
mien_cli_analyze (int argc, char **argv)
{
  static const char *const formats[] = { "json", "csv", NULL };
  g_autofree char *model_path = NULL;
  g_autofree char *detector = NULL;
  g_autofree char *format = NULL;
  int smooth_ms = 0;
  const GOptionEntry entries[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &model_path, "The network, an ONNX file; default: Mien's own", "FILE" },
    { "detector", 'd', 0, G_OPTION_ARG_STRING, &detector, "How faces are found: haar or lbp", "NAME" },
    { "format", 'f', 0, G_OPTION_ARG_STRING, &format, "json (default): one object a line; csv: one line a face", "FORMAT" },
    { "smooth", 0, 0, G_OPTION_ARG_INT, &smooth_ms, "Smooth probabilities in videos over this time; default: 0, not at all", "MS" },
    { NULL },
  };
  g_autoptr (MienModel) model = NULL;
  g_autoptr (MienPredictor) predictor = NULL;
  g_autoptr (MienFaces) faces = NULL;
  GError *error = NULL;
  Analysis self = { 0 };
  int status = MIEN_CLI_DONE;
  int chosen;

  if (!mien_cli_parse (&argc, &argv, entries, "FILE…", "Finds the faces in pictures and videos and reads their expressions.", &status))
    return status;
  chosen = mien_cli_choose ("analyze", "--format", format, formats);
  if (chosen < 0 || mien_cli_choose ("analyze", "--detector", detector, mien_faces_list_detectors ()) < 0)
    return MIEN_CLI_USAGE;
  if (smooth_ms < 0 || smooth_ms > 60000)
    return mien_cli_usage ("analyze", "--smooth takes 0 to 60000 milliseconds");
  if (argc < 2)
    return mien_cli_usage ("analyze", "name at least one picture or video");

  model = mien_cli_load_model (model_path, &error);
  if (model != NULL)
    predictor = mien_predictor_new (model, 8, mien_cpu_level (), MIEN_PRECISION_F32, NULL, &error);
  if (predictor != NULL)
    faces = mien_faces_new (detector, &error);
  if (faces == NULL)
    return mien_cli_fail (error);

  self = (Analysis) { predictor, faces, chosen == 1, smooth_ms };
  if (self.csv) {
    g_autofree char *header = mien_result_csv_header (model);

    fputs (header, stdout);
    if (!g_str_has_suffix (header, "\n"))
      fputc ('\n', stdout);
  }
  for (int i = 1; i < argc; i++) {
    if (!analyze_file (&self, argv[i], &error)) {
      status = mien_cli_fail (g_steal_pointer (&error)); /* the others are still read */
    }
  }
  return status;
}
