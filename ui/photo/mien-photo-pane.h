/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Photos: one at a time out of those opened, its faces marked, the bars of the chosen face.
 *
 * Decoding and analysis run off the window's thread; opening others abandons them.
 * Actions   photo.previous, photo.next; wishes leave it as win.open
 * Signal    "face-changed" (): another chosen face, or none */
#pragma once

#include <adwaita.h>

#include "stream/mien-result.h"

G_BEGIN_DECLS

#define MIEN_TYPE_PHOTO_PANE (mien_photo_pane_get_type ())
G_DECLARE_FINAL_TYPE (MienPhotoPane, mien_photo_pane, MIEN, PHOTO_PANE, AdwBin)

GtkWidget *mien_photo_pane_new (void);

/* Replaces what is open and shows the first; files: GFile. */
void mien_photo_pane_open (MienPhotoPane *self, GListModel *files);

/* A picture from the clipboard: an encoded file's content. */
void mien_photo_pane_open_bytes (MienPhotoPane *self, GBytes *bytes, const char *name);

/* What is on show is analysed again with another model. Photos wait for the first one; NULL tells that there is none. */
void mien_photo_pane_set_model (MienPhotoPane *self, MienModel *model);

/* Properties "panel-shown" (boolean), "title" (string, nullable, read only: name of the photo on show). */

const MienFace *mien_photo_pane_get_face (MienPhotoPane *self, MienModel **model); /* (nullable) (transfer none) */
MienResult *mien_photo_pane_get_result (MienPhotoPane *self); /* (nullable) (transfer none) */
char *mien_photo_pane_dup_text (MienPhotoPane *self); /* for the clipboard; (nullable) */

G_END_DECLS
