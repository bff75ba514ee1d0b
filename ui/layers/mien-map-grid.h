/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The maps of one layer side by side, by number or by strength, zoomed with Ctrl and the wheel.
 *
 * Property "cell-size" (int): pixels a side, of a source alone
 * Signals  "chosen" (int channel): a map was clicked or activated; "selected" (int channel): another one has the selection
 * Thread   main thread */
#pragma once

#include <adwaita.h>

#include "layers/mien-map-source.h"

G_BEGIN_DECLS

#define MIEN_MAP_GRID_SIZE_DEFAULT 96
#define MIEN_MAP_GRID_SIZE_MIN 32
#define MIEN_MAP_GRID_SIZE_MAX 320

#define MIEN_TYPE_MAP_GRID (mien_map_grid_get_type ())
G_DECLARE_FINAL_TYPE (MienMapGrid, mien_map_grid, MIEN, MAP_GRID, AdwBin)

/* What the cells show, and whose cell size is changed. Before everything else. */
void mien_map_grid_set_source (MienMapGrid *self, MienMapSource *source);

/* Lists the maps of the source's layer anew, with channel selected if there is one; else the first. By strength means by the strength of this moment: maps
 * that changed places with every frame could not be followed. */
void mien_map_grid_fill (MienMapGrid *self, gboolean strongest_first, int channel);
int mien_map_grid_get_n_maps (MienMapGrid *self); /* listed */

void mien_map_grid_select (MienMapGrid *self, int channel);
void mien_map_grid_step (MienMapGrid *self, int step); /* selects the next map (1) or the one before (-1), round and round */
void mien_map_grid_scroll_to_start (MienMapGrid *self);

void mien_map_grid_set_cell_size (MienMapGrid *self, int pixels); /* clamped */
void mien_map_grid_zoom (MienMapGrid *self, int steps);          /* a quarter larger each, or smaller */

G_END_DECLS
