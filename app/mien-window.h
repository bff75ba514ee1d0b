/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The main window: Live, Photo and Layers in a view switcher. It owns camera, analysis and network, and wires them to the
 * panes. The camera runs only while somebody can see its picture.
 *
 * Actions (win.)  open, open-photo, open-video, open-model, view (s), next-view, previous-view, running (b), freeze (b),
 *                 source (s), restart, layers-source (s), panel-shown (b), fullscreen (b), copy, paste, show-details
 * Signal          "result" (MienResult, string name): something was read, live or from a photo
 * Thread          main thread */
#pragma once

#include <adwaita.h>

#include "stream/mien-camera-list.h"
#include "stream/mien-result.h"

G_BEGIN_DECLS

#define MIEN_TYPE_WINDOW (mien_window_get_type ())
G_DECLARE_FINAL_TYPE (MienWindow, mien_window, MIEN, WINDOW, AdwApplicationWindow)

/* source: (nullable) overrides the setting for this run, as in stream/mien-capture.h. */
MienWindow *mien_window_new (GtkApplication *application, GSettings *settings, const char *source);

/* Opens photos, a video or a network, each in its place. */
void mien_window_open (MienWindow *self, GFile **files, int n_files);

void mien_window_show_view (MienWindow *self, const char *view); /* "live", "photo", "layers" */

/* Reads a network in the background and uses it; NULL: the one that comes with the program. keep: as the new setting. */
void mien_window_use_model (MienWindow *self, const char *path, gboolean keep);
MienModel *mien_window_get_model (MienWindow *self); /* (nullable) (transfer none) */
MienCameraList *mien_window_get_cameras (MienWindow *self);

G_END_DECLS
