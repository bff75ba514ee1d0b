/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the faces are in a stream of frames, with the answer as early as possible: what was there a frame ago is looked for near where it
 * was. The whole frame, ten times as much work, is looked through when a face is lost or none is known, and else now and then after the answer
 * was given: whom that finds is in the next one.
 *
 * Errors   MIEN_FACES_ERROR
 * Thread   belongs to one thread at a time */
#pragma once

#include "vision/mien-faces.h"

G_BEGIN_DECLS

typedef struct _MienFaceSearch MienFaceSearch;

MienFaceSearch *mien_face_search_new (const char *detector, GError **error); /* NULL: the default */
void mien_face_search_free (MienFaceSearch *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienFaceSearch, mien_face_search_free)
void mien_face_search_reset (MienFaceSearch *self); /* a new source: nobody is known */

/* The faces of the next frame, from left to right. (transfer full) GArray of MienBox; NULL with error set. */
GArray *mien_face_search_find (MienFaceSearch *self, const MienImage *frame, GError **error);

/* When there is time, after find() with the same frame: looks through all of it if that is due. FALSE with error set. */
gboolean mien_face_search_look_around (MienFaceSearch *self, const MienImage *frame, GError **error);

G_END_DECLS
