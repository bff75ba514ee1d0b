/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The colours of a map from its lowest to its highest value, as a bar. */
#pragma once

#include <gtk/gtk.h>

#include "layers/mien-color-map.h"

G_BEGIN_DECLS

#define MIEN_TYPE_COLOR_LEGEND (mien_color_legend_get_type ())
G_DECLARE_FINAL_TYPE (MienColorLegend, mien_color_legend, MIEN, COLOR_LEGEND, GtkWidget)

void mien_color_legend_set_map (MienColorLegend *self, MienColorMap map);

G_END_DECLS
