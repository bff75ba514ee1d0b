/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One feature map, large: with the face behind it, its figures, and the value under the pointer.
 *
 * Signals   "closed": the person is done with it; "step" (int -1 or 1): the previous or next map is wanted */
#pragma once

#include <adwaita.h>

#include "layers/mien-map-source.h"

G_BEGIN_DECLS

#define MIEN_TYPE_MAP_PANEL (mien_map_panel_get_type ())
G_DECLARE_FINAL_TYPE (MienMapPanel, mien_map_panel, MIEN, MAP_PANEL, AdwBin)

void mien_map_panel_set_source (MienMapPanel *self, MienMapSource *source);
void mien_map_panel_set_channel (MienMapPanel *self, int channel); /* -1: none */

/* The weights [height][width] that make the shown map, painted beside its figures; NULL: not shown. */
void mien_map_panel_set_kernel (MienMapPanel *self, const float *kernel, int height, int width);
int mien_map_panel_get_channel (MienMapPanel *self);

G_END_DECLS
