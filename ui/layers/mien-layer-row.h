/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A step of the network in plain words. Convolutions can be chosen; the steps between them are shown smaller.
 *
 * mien_layer_row_build() turns what the model says about itself into rows; steps that only rearrange or normalise
 * numbers are left out, they belong to the layer before them. */
#pragma once

#include <gtk/gtk.h>

#include "explain/mien-maps.h"

G_BEGIN_DECLS

#define MIEN_TYPE_LAYER_ROW (mien_layer_row_get_type ())
G_DECLARE_FINAL_TYPE (MienLayerRow, mien_layer_row, MIEN, LAYER_ROW, GtkListBoxRow)

int mien_layer_row_get_layer (MienLayerRow *self);           /* index of the MienMapLayer, -1: no convolution */
const char *mien_layer_row_get_title (MienLayerRow *self);   /* "Convolution 2" */
const char *mien_layer_row_get_summary (MienLayerRow *self); /* "32 maps of 48×48" */

/* Rows for list, removing the ones it has. layers: MienLayerInfo, (nullable): only the convolutions are shown then. */
void mien_layer_row_build (GtkListBox *list, const MienMaps *maps, GPtrArray *layers);

/* "Max pooling" for "MaxPool 2x2"; NULL for steps not worth a row. (transfer none) */
const char *mien_layer_row_plain_name (const char *op);

G_END_DECLS
