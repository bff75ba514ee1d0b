/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The layer browser: the network as a list of steps, and what each convolution answers to the newest face.
 *
 * Actions    layers.freeze (also Space), layers.zoom-in, layers.zoom-out, layers.zoom-reset (Ctrl with plus, minus, 0),
 *            layers.previous-layer, layers.next-layer (Alt with Up, Down), layers.close-map (Escape)
 * Properties "model" (boxed MienModel, writable), "frozen", "color-map" (uint, MienColorMap), "shared-range",
 *            "strongest-first", "cell-size" (int): what a window may want to remember
 * Signal     "face-requested": the person wants to give the network a face; the window shows where
 * Thread     main thread; maps are computed on another, one face at a time: while one is under way only the newest waits */
#pragma once

#include <adwaita.h>

#include "model/mien-model.h"

G_BEGIN_DECLS

#define MIEN_TYPE_LAYERS_PANE (mien_layers_pane_get_type ())
G_DECLARE_FINAL_TYPE (MienLayersPane, mien_layers_pane, MIEN, LAYERS_PANE, AdwBin)

GtkWidget *mien_layers_pane_new (void);
void mien_layers_pane_set_model (MienLayersPane *self, MienModel *model); /* (nullable) */
MienModel *mien_layers_pane_get_model (MienLayersPane *self);             /* (nullable) (transfer none) */

/* A face as MienFace.pixels of that model's input size, copied; model replaces the pane's if it is another. While frozen
 * or not on screen nothing is computed; the newest face is kept for later. */
void mien_layers_pane_set_face (MienLayersPane *self, MienModel *model, const float *pixels);
gboolean mien_layers_pane_get_frozen (MienLayersPane *self);
void mien_layers_pane_set_frozen (MienLayersPane *self, gboolean frozen);

/* Chooses a convolution, from 0, and the map shown large, -1 for none. For tests and for restoring a state. */
void mien_layers_pane_select (MienLayersPane *self, int layer, int channel);

G_END_DECLS
