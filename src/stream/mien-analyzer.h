/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The analysis worker: one thread (named mien-analyze) that detects, tracks, crops, classifies and smooths.
 *
 * Frames come through a one-slot mailbox in which the newest wins; results leave through "result" on the main context,
 * one pending at a time, newest wins. Slow analysis means fewer results, never a queue.
 *
 * Thread   create, connect, set and dispose on the main thread; push from any thread. Dispose joins the worker. */
#pragma once

#include "stream/mien-result.h"

G_BEGIN_DECLS

#define MIEN_TYPE_ANALYZER (mien_analyzer_get_type ())
G_DECLARE_FINAL_TYPE (MienAnalyzer, mien_analyzer, MIEN, ANALYZER, GObject)

/* Signals (main thread): "result" (MienResult), "failed" (char *message: detection or inference failed, work goes on).
 * Properties: "smoothing" (int, ms), "detector" (string), "model" (boxed as pointer through the setter only). */
MienAnalyzer *mien_analyzer_new (void);

/* Swaps the model between two frames; NULL stops analysis until one is set. */
void mien_analyzer_set_model (MienAnalyzer *self, MienModel *model);
void mien_analyzer_set_detector (MienAnalyzer *self, const char *detector);
void mien_analyzer_set_smoothing (MienAnalyzer *self, int tau_ms);

/* Hands over a frame (transfer full); time_us is its timestamp in the stream. Never waits. */
void mien_analyzer_push (MienAnalyzer *self, MienImage *frame, gint64 time_us);

/* Forgets tracks and the waiting frame: a new source begins. */
void mien_analyzer_reset (MienAnalyzer *self);

/* One picture, now, on the calling thread: what the worker does, without tracking. Used for photos and by mien-cli.
 * faces may be NULL: a detector is made for this call. whole_if_none: a picture with no face found that is about the
 * size and form of a face crop (at most 128 pixels a side, nearly square) is taken as one face. */
MienResult *mien_analyze_image (MienImage *image, MienPredictor *predictor, MienFaces *faces, gboolean whole_if_none, GError **error);

/* The same off the main thread, with a model; the result has its image set. */
void mien_analyze_image_async (MienImage *image, MienModel *model, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
MienResult *mien_analyze_image_finish (GAsyncResult *result, GError **error);

G_END_DECLS
