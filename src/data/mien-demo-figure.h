/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The still pictures that the demo camera animates, drawn once. All are BGRA, premultiplied, rows without gaps.
 *
 * Thread   pure */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

enum {
  MIEN_FIGURE_WIDTH = 560,
  MIEN_FIGURE_HEIGHT = 600,
  MIEN_FIGURE_FACE = 250,   /* side of the square that a face of faces.png covers */
  MIEN_FIGURE_FACE_X = 280, /* its centre */
  MIEN_FIGURE_FACE_Y = 205,
};

/* A person without a face. (transfer full) */
guint32 *mien_figure_draw_body (void);

/* A copy with one expression. face[size][size], grey. (transfer full) */
guint32 *mien_figure_draw (const guint32 *body, const guint8 *face, int size, int stride_bytes);

/* What is behind. (transfer full) */
guint32 *mien_figure_draw_room (int width, int height);

G_END_DECLS
