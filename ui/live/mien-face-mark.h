/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One face in a picture: a frame round it, which the widget draws, and a plate with the expression's mark, name and confidence.
 *
 * A child of MienVideoView for each face, so that assistive technology finds every face with its name. */
#pragma once

#include <gtk/gtk.h>

#include "stream/mien-result.h"

G_BEGIN_DECLS

#define MIEN_TYPE_FACE_MARK (mien_face_mark_get_type ())
G_DECLARE_FINAL_TYPE (MienFaceMark, mien_face_mark, MIEN, FACE_MARK, GtkWidget)

GtkWidget *mien_face_mark_new (void);

/* number: from 1, left to right. label: the model's machine name. */
void mien_face_mark_update (MienFaceMark *self, int number, const char *label, double confidence, gboolean chosen);

/* rect: the face's box, limits: what the plate must stay in, both in the parent's coordinates. */
void mien_face_mark_place (MienFaceMark *self, const graphene_rect_t *rect, const graphene_rect_t *limits);

/* The plate as a node in the parent's coordinates: the parent draws all plates over all frames. (nullable) (transfer none) */
GskRenderNode *mien_face_mark_get_plate (MienFaceMark *self);
gboolean mien_face_mark_is_chosen (MienFaceMark *self);

G_END_DECLS
