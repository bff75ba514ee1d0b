/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Computes the maps of faces on another thread, one face at a time: while one is under way the newest one waits, older ones
 * are forgotten. Works only while it is active, so that a pane nobody sees costs nothing.
 *
 * Signals (main thread)
 *   "ready"        (MienMaps *, GPtrArray * of MienLayerInfo, nullable): once for each model, before its first maps
 *   "activations"  (MienActivations *): of the newest face that was taken up
 *   "failed"       (GError *): the model has no maps; nothing more comes until another is set
 * Thread   main; the work is done in a GTask that holds the object */
#pragma once

#include <gio/gio.h>

#include "explain/mien-maps.h"

G_BEGIN_DECLS

#define MIEN_TYPE_MAP_WORKER (mien_map_worker_get_type ())
G_DECLARE_FINAL_TYPE (MienMapWorker, mien_map_worker, MIEN, MAP_WORKER, GObject)

MienMapWorker *mien_map_worker_new (void);

/* model: (nullable). What waits and what is under way for another model is dropped. */
void mien_map_worker_set_model (MienMapWorker *self, MienModel *model);
MienModel *mien_map_worker_get_model (MienMapWorker *self); /* (transfer none) (nullable) */
void mien_map_worker_set_active (MienMapWorker *self, gboolean active);

/* pixels[size][size] of the model's input, copied; NULL forgets the one that waits. */
void mien_map_worker_set_face (MienMapWorker *self, const float *pixels);

G_END_DECLS
