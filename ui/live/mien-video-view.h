/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A picture, moving or not, with its faces marked; used by the live pane and the photo pane.
 *
 * The newest frame is drawn from where it lies in memory, without a copy. One face is the chosen one: the largest until
 * a person clicks another, or walks with the arrow keys; when it goes, after a moment the largest follows.
 *
 * Properties  "mirrored" (boolean), "chosen-face" (int, track of the chosen face, 0: none; notified on the main thread) */
#pragma once

#include <gtk/gtk.h>

#include "stream/mien-result.h"

G_BEGIN_DECLS

#define MIEN_TYPE_VIDEO_VIEW (mien_video_view_get_type ())
G_DECLARE_FINAL_TYPE (MienVideoView, mien_video_view, MIEN, VIDEO_VIEW, GtkWidget)

GtkWidget *mien_video_view_new (void);

/* frame: (nullable); NULL also forgets the result. */
void mien_video_view_set_frame (MienVideoView *self, MienImage *frame);

/* result: (nullable); its boxes may be in another size than the frame's. */
void mien_video_view_set_result (MienVideoView *self, MienResult *result);
MienResult *mien_video_view_get_result (MienVideoView *self); /* (nullable) (transfer none) */

void mien_video_view_set_mirrored (MienVideoView *self, gboolean mirrored);
gboolean mien_video_view_get_mirrored (MienVideoView *self);
void mien_video_view_set_chosen_face (MienVideoView *self, int track);
int mien_video_view_get_chosen_face (MienVideoView *self);

/* Index of the chosen face in the result, -1 if there is none. */
int mien_video_view_get_chosen_index (MienVideoView *self);

/* Where the picture lies in the widget; empty while there is none. */
void mien_video_view_get_picture_area (MienVideoView *self, GdkRectangle *area);

/* The next (step 1) or previous (-1) face from left to right as seen, round the ends. FALSE if there is no other. */
gboolean mien_video_view_step_face (MienVideoView *self, int step);

G_END_DECLS
