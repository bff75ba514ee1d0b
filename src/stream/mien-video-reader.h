/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A video file frame by frame: every frame, in order, as fast as they are asked for. (The live path drops frames instead.)
 *
 * Frames   BGRA, upright (rotation tags applied), square pixels; sound is not decoded
 * Limits   a frame over MIEN_IMAGE_MAX_SIDE a side is refused; a file that gives nothing for MIEN_VIDEO_READER_PATIENCE_S
 *          seconds too
 * Errors   MIEN_VIDEO_READER_ERROR; each message begins with the file's name
 * Thread   any, one at a time; initialises GStreamer when needed */
#pragma once

#include "vision/mien-image.h"

G_BEGIN_DECLS

#define MIEN_VIDEO_READER_PATIENCE_S 20

#define MIEN_VIDEO_READER_ERROR (mien_video_reader_error_quark ())
GQuark mien_video_reader_error_quark (void);
typedef enum {
  MIEN_VIDEO_READER_ERROR_NOT_A_VIDEO,    /* no video in it, damaged, or not there */
  MIEN_VIDEO_READER_ERROR_MISSING_PLUGIN, /* GStreamer lacks a part; names it and the package */
  MIEN_VIDEO_READER_ERROR_TOO_LARGE,
  MIEN_VIDEO_READER_ERROR_STUCK,          /* no frame for too long */
} MienVideoReaderError;

/* Whether a path is a video by its first bytes (Matroska, MP4, AVI, Ogg, MPEG, FLV, ASF) or, failing that, its suffix. */
gboolean mien_video_reader_is_video (const char *path);

typedef struct _MienVideoReader MienVideoReader;
MienVideoReader *mien_video_reader_new (const char *path, GError **error);
void mien_video_reader_free (MienVideoReader *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienVideoReader, mien_video_reader_free)

/* The next frame (transfer full) and its time from the start; NULL at the end, and with error set when reading failed.
 * A frame stays valid after the reader is freed. */
MienImage *mien_video_reader_next (MienVideoReader *self, gint64 *time_us, GError **error);

/* 0 when it is not known. */
gint64 mien_video_reader_get_duration_us (MienVideoReader *self);

G_END_DECLS
