/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the cells of the layer browser show: the newest answers of one layer and how to paint them. Cells ask for a
 * texture when they draw; nothing is painted for maps that are not on screen.
 *
 * Signal   "changed": cells draw again (new answers, another layer, other colours, another size)
 * Thread   main thread */
#pragma once

#include <gtk/gtk.h>

#include "explain/mien-maps.h"
#include "layers/mien-color-map.h"

G_BEGIN_DECLS

#define MIEN_TYPE_MAP_SOURCE (mien_map_source_get_type ())
G_DECLARE_FINAL_TYPE (MienMapSource, mien_map_source, MIEN, MAP_SOURCE, GObject)

MienMapSource *mien_map_source_new (void);
void mien_map_source_set_activations (MienMapSource *self, MienActivations *activations); /* (nullable), takes a reference */
MienActivations *mien_map_source_get_activations (MienMapSource *self); /* (nullable) (transfer none) */
void mien_map_source_set_layer (MienMapSource *self, int layer);
int mien_map_source_get_layer (MienMapSource *self);
void mien_map_source_set_color_map (MienMapSource *self, MienColorMap map);
MienColorMap mien_map_source_get_color_map (MienMapSource *self);

/* TRUE: one range of values for the whole layer, so that maps can be compared; FALSE: each map uses all colours. */
void mien_map_source_set_shared_range (MienMapSource *self, gboolean shared);
gboolean mien_map_source_get_shared_range (MienMapSource *self);
void mien_map_source_set_cell_size (MienMapSource *self, int pixels);
int mien_map_source_get_cell_size (MienMapSource *self);

/* 0 when there are no answers for the layer. */
int mien_map_source_get_n_channels (MienMapSource *self);

/* Values that get the first and the last colour; the signed colours lie evenly around zero. channel -1: the layer's. */
gboolean mien_map_source_get_range (MienMapSource *self, int channel, float *lo, float *hi);

/* Index 0..255 of value's colour. Not a number: 0. A range of no width: the last colour above zero, else the first. */
int mien_map_source_shade (float value, float lo, float hi);

/* Each value painted as scale x scale pixels. NULL without answers. (transfer full) */
GdkTexture *mien_map_source_render (MienMapSource *self, int channel, int scale);

/* The face that was fed. NULL without answers. (transfer full) */
GdkTexture *mien_map_source_render_face (MienMapSource *self);

/* The height x width weights of one filter, [height][width], painted with the signed colours. (transfer full) */
GdkTexture *mien_map_source_render_kernel (const float *kernel, int height, int width, int scale);

/* Channels of the layer from the strongest mean answer to the weakest, equal ones by number. (transfer full), ints */
GArray *mien_map_source_rank (MienMapSource *self);

G_END_DECLS
