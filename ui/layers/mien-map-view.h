/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One feature map as a picture with sharp pixels. In the grid it has the source's cell size; alone it fills its place.
 *
 * Properties   "channel" (int, -1: none), "face-share" (double, 0: the map alone .. 1: the face alone) */
#pragma once

#include "layers/mien-map-source.h"

G_BEGIN_DECLS

#define MIEN_TYPE_MAP_VIEW (mien_map_view_get_type ())
G_DECLARE_FINAL_TYPE (MienMapView, mien_map_view, MIEN, MAP_VIEW, GtkWidget)

GtkWidget *mien_map_view_new (MienMapSource *source, gboolean fill);
void mien_map_view_set_source (MienMapView *self, MienMapSource *source); /* (nullable) */
void mien_map_view_set_channel (MienMapView *self, int channel);
int mien_map_view_get_channel (MienMapView *self);
void mien_map_view_set_face_share (MienMapView *self, double share);
double mien_map_view_get_face_share (MienMapView *self);

/* The value drawn at (x, y) in widget coordinates. FALSE outside of the map. */
gboolean mien_map_view_pick (MienMapView *self, double x, double y, int *row, int *column, float *value);

G_END_DECLS
