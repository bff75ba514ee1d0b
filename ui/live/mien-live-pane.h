/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The live view: moving picture, marked faces, bars of the chosen face, and what to do when there is no picture.
 *
 * Wishes leave it as actions of the window: win.running, win.freeze, win.restart, win.source.
 * Signal "face-changed" (): the chosen face has new numbers, or is another, or is gone. */
#pragma once

#include <adwaita.h>

#include "stream/mien-capture.h"

G_BEGIN_DECLS

#define MIEN_TYPE_LIVE_PANE (mien_live_pane_get_type ())
G_DECLARE_FINAL_TYPE (MienLivePane, mien_live_pane, MIEN, LIVE_PANE, AdwBin)

GtkWidget *mien_live_pane_new (void);

/* Shows the frames and states of capture and the results of analyzer; once. */
void mien_live_pane_connect (MienLivePane *self, MienCapture *capture, MienAnalyzer *analyzer);
void mien_live_pane_set_model (MienLivePane *self, MienModel *model); /* NULL: there is none */

/* What a person calls the source: "Demo Camera". */
void mien_live_pane_set_source_title (MienLivePane *self, const char *title);

/* Properties "mirrored", "panel-shown" (boolean). */

/* The newest result and the chosen face in it; NULL and -1 without one. (transfer none) */
const MienFace *mien_live_pane_get_face (MienLivePane *self, MienModel **model);
char *mien_live_pane_dup_text (MienLivePane *self); /* for the clipboard; (nullable) */

G_END_DECLS
