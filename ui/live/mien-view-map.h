/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a picture lies in a widget: scaled to fit, centred, sides left free, optionally mirrored as in a looking glass.
 * The one place that turns pixels of the picture into widget coordinates and back. */
#pragma once

#include <gtk/gtk.h>

#include "vision/mien-faces.h"

G_BEGIN_DECLS

typedef struct {
  double x, y;          /* top left corner of the picture in the widget */
  double scale;         /* widget units for one pixel of the picture; 0: nothing to see */
  double width, height; /* of the picture in the widget */
  gboolean mirrored;
} MienViewMap;

/* Any size 0 or below gives a map with scale 0. */
void mien_view_map_init (MienViewMap *map, double image_width, double image_height, double view_width, double view_height, gboolean mirrored);

/* A box in pixels of the picture, to widget coordinates. */
void mien_view_map_box (const MienViewMap *map, const MienBox *box, graphene_rect_t *rect);

/* A point of the widget, to pixels of the picture. FALSE when it lies outside the picture. */
gboolean mien_view_map_point (const MienViewMap *map, double x, double y, double *image_x, double *image_y);

G_END_DECLS
