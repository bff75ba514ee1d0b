/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Capture: one GStreamer pipeline from a source to two branches behind a tee, each with its own queue.
 *
 *   view branch      newest frame to "frame" on the main thread, at camera rate
 *   analysis branch  appsink max-buffers=1 drop=true, straight into a MienAnalyzer's mailbox from the streaming thread
 *
 * Source   a string: "demo" (built-in demo camera), "camera:" (first camera), "camera:<display name>", "file:<path or URI>",
 *          "test" (videotestsrc). MienCameraList (stream/mien-camera-list.h) lists cameras and their comings and goings.
 * State    what a pane shows: see MienCaptureState; "message" is one clear sentence in the failed states
 * Thread   main thread only; the signals are emitted there. Stop: pipeline to NULL, no frame after that. */
#pragma once

#include "stream/mien-analyzer.h"

G_BEGIN_DECLS

typedef enum {
  MIEN_CAPTURE_STOPPED,
  MIEN_CAPTURE_STARTING,
  MIEN_CAPTURE_LIVE,
  MIEN_CAPTURE_PAUSED,
  MIEN_CAPTURE_ENDED,     /* the video file is over */
  MIEN_CAPTURE_NO_CAMERA, /* none found */
  MIEN_CAPTURE_DENIED,    /* found, but no permission */
  MIEN_CAPTURE_BUSY,      /* another program has it */
  MIEN_CAPTURE_LOST,      /* it was unplugged while running */
  MIEN_CAPTURE_MISSING_PLUGIN, /* a GStreamer plug-in is not installed; the message names the package */
  MIEN_CAPTURE_FAILED,    /* anything else, unreadable file included */
} MienCaptureState;

#define MIEN_TYPE_CAPTURE_STATE (mien_capture_state_get_type ())
GType mien_capture_state_get_type (void);

#define MIEN_TYPE_CAPTURE (mien_capture_get_type ())
G_DECLARE_FINAL_TYPE (MienCapture, mien_capture, MIEN, CAPTURE, GObject)

/* Signals: "frame" (MienImage, gint64 time_us). Properties: "source" (string, construct-free), "state", "message"
 * (string, nullable), "frame-rate" (double, frames shown a second, over the last second), "mirror" is the view's affair.
 * analyzer: (nullable) gets the frames of the analysis branch. */
MienCapture *mien_capture_new (MienAnalyzer *analyzer);
void mien_capture_start (MienCapture *self, const char *source); /* replaces a running one */
void mien_capture_stop (MienCapture *self);
void mien_capture_set_paused (MienCapture *self, gboolean paused);
MienCaptureState mien_capture_get_state (MienCapture *self);
const char *mien_capture_get_message (MienCapture *self); /* (nullable) */
const char *mien_capture_get_source (MienCapture *self);  /* (nullable) */
gboolean mien_capture_is_seekable (MienCapture *self);    /* a file */

G_END_DECLS
