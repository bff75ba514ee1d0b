/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Building the pipeline for a source; the running of it is mien-capture.c. */
#pragma once

#include <gst/gst.h>

#include "stream/mien-capture.h"

typedef enum {
  MIEN_SOURCE_DEMO,
  MIEN_SOURCE_TEST,
  MIEN_SOURCE_CAMERA,
  MIEN_SOURCE_FILE,
} MienSourceKind;

/* FALSE when the string names no source. name: camera or path or URI, NULL for none. */
gboolean mien_source_parse (const char *source, MienSourceKind *kind, char **name);

typedef struct {
  GstElement *pipeline;
  GstElement *view;       /* appsink, borrowed from the pipeline */
  GstElement *analysis;   /* appsink, borrowed from the pipeline */
  char *shown;            /* the source's name for messages */
} MienPipeline;

/* Blocks (starts GStreamer, looks for cameras): not on the main thread. On failure *state says which kind and *message holds
 * one sentence. */
gboolean mien_pipeline_build (MienPipeline *self, const char *source, MienCaptureState *state, char **message);
void mien_pipeline_clear (MienPipeline *self); /* to NULL state, joins its threads */

/* What went wrong, from a message of type ERROR. missing: (nullable) what a missing-plugin message said before;
 * live: frames have been coming. */
MienCaptureState mien_pipeline_explain (const MienPipeline *self, MienSourceKind kind, GstMessage *error_message, GstMessage *missing,
                                        gboolean live, char **message);
