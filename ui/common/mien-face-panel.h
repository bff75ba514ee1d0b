/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is known of the chosen face: its expression in words, the bars of all probabilities, and facts below. Shared by
 * the live pane and the photo pane. */
#pragma once

#include <adwaita.h>

#include "stream/mien-result.h"

G_BEGIN_DECLS

#define MIEN_TYPE_FACE_PANEL (mien_face_panel_get_type ())
G_DECLARE_FINAL_TYPE (MienFacePanel, mien_face_panel, MIEN, FACE_PANEL, AdwBin)

GtkWidget *mien_face_panel_new (void);

/* Gives the bars their labels before there is a face. */
void mien_face_panel_set_model (MienFacePanel *self, MienModel *model);

/* result: (nullable). index: the chosen face in it, -1: none. */
void mien_face_panel_set_face (MienFacePanel *self, MienResult *result, int index);

/* What the panel says when there is no face: a title (NULL: that there is none) and one sentence. */
void mien_face_panel_set_hint (MienFacePanel *self, const char *title, const char *hint);

/* Lines of small print: frames a second, times, size. (nullable) */
void mien_face_panel_set_facts (MienFacePanel *self, const char *facts);

/* Probabilities as text for the clipboard, NULL without a face. (transfer full) */
char *mien_face_panel_dup_text (MienFacePanel *self);

G_END_DECLS
