/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The built-in demo camera: an animated face that goes through the seven expressions.
 *
 * Built from statistics of FER2013's training split, the average face of each class (aligned, contrast-normalised,
 * mirrored and averaged), morphed over time and moved about the frame. A pure function of time: the same time gives the
 * same frame, so tests know which expression is on.
 *
 * Thread   immutable after creation */
#pragma once

#include "vision/mien-image.h"

G_BEGIN_DECLS

#define MIEN_DEMO_WIDTH 640
#define MIEN_DEMO_HEIGHT 480
#define MIEN_DEMO_FPS 30
#define MIEN_DEMO_HOLD_MS 2200  /* each expression stands this long ... */
#define MIEN_DEMO_MORPH_MS 600  /* ... and takes this long to become the next */

typedef struct _MienDemo MienDemo;
MienDemo *mien_demo_new (GError **error); /* reads its faces from the program's data */
void mien_demo_free (MienDemo *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienDemo, mien_demo_free)

/* Fills pixels (MIEN_DEMO_WIDTH x MIEN_DEMO_HEIGHT, BGRA, stride_bytes apart) with the frame at time_us. */
void mien_demo_render (const MienDemo *self, gint64 time_us, guint8 *pixels, int stride_bytes);

/* What stands in that frame: expression 0..6, -1 while morphing; the face's box. */
int mien_demo_expression (gint64 time_us);
void mien_demo_box (gint64 time_us, int *x, int *y, int *width, int *height);

G_END_DECLS
