/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How an expression is shown to a person: its name, its colour and its mark.
 *
 * Names    the model's label ("angry") in the person's language; an unknown label is shown as it stands
 * Colours  after Okabe and Ito (told apart by colour-blind people), darkened or lightened so that each has at least 3:1
 *          against the light or dark background; never the only sign: the name or the mark always stands beside
 * Marks    a face of a few strokes, drawn with the current Cairo colour; no emoji, no font needed */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* (transfer none); lives as long as label does, or for ever. */
const char *mien_label_display (const char *label);

/* dark: for a dark background. */
void mien_label_get_color (const char *label, gboolean dark, GdkRGBA *color);

/* Draws into the square (0, 0, size, size) of the current coordinates with the current source. */
void mien_label_draw_mark (const char *label, cairo_t *cr, double size);

/* A probability as a whole percentage in the reader's language: "93 %". (transfer full) */
char *mien_label_format_percent (double share);

G_END_DECLS
