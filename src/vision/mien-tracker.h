/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Links the faces of consecutive frames into tracks and smooths boxes and probabilities along each track, so that
 * labels neither flicker nor lag: exponential smoothing by time (not by frame count).
 *
 * Thread   belongs to one thread at a time */
#pragma once

#include "vision/mien-faces.h"

G_BEGIN_DECLS

typedef struct _MienTracker MienTracker;

MienTracker *mien_tracker_new (void);
void mien_tracker_free (MienTracker *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienTracker, mien_tracker_free)
void mien_tracker_reset (MienTracker *self); /* a new source: numbers start at 1 again */

/* Time constant of the probabilities' smoothing in milliseconds; 0: none. Default 250. */
void mien_tracker_set_smoothing (MienTracker *self, int tau_ms);

/* boxes[n] of the frame at time_us; track[n] gets a number from 1 that stays with the face (linked by IoU, kept over
 * gaps of up to half a second); smoothed[n] the smoothed box. */
void mien_tracker_update (MienTracker *self, gint64 time_us, const MienBox *boxes, int n, int *track, MienBox *smoothed);

/* Replaces probabilities[n_labels] of a track by their smoothed values; call after update, once a face and frame. */
void mien_tracker_smooth (MienTracker *self, int track, float *probabilities, int n_labels);

G_END_DECLS
