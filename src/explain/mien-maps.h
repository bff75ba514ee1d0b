/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Feature maps: what every convolution layer answers to one face.
 *
 * A MienMaps is a plan of the model in which the outputs of all convolution layers are kept, each after its
 * normalisation and activation where these follow directly (what the next layer sees).
 *
 * Thread   MienMaps belongs to one thread at a time; a MienActivations is immutable and may be read by any */
#pragma once

#include "model/mien-model.h"

G_BEGIN_DECLS

typedef struct {
  char *name;     /* the ONNX node's name or "conv 1" */
  char *title;    /* "3×3 convolution, 32 maps" is built by the ui from these numbers */
  int kernel_h, kernel_w;
  int in_channels;      /* that each map is made from: 1 when it sees the face alone */
  const float *kernel;  /* (nullable) [channels][in_channels][kernel_h][kernel_w], lives as long as the model */
  int channels;   /* C */
  int height, width; /* of each map */
  gint64 params;
  gint64 macs;
} MienMapLayer;

typedef struct _MienMaps MienMaps;
MienMaps *mien_maps_new (MienModel *model, GError **error);
void mien_maps_free (MienMaps *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienMaps, mien_maps_free)
int mien_maps_get_n_layers (const MienMaps *self);
const MienMapLayer *mien_maps_get_layer (const MienMaps *self, int layer); /* lives as long as self */
MienModel *mien_maps_get_model (const MienMaps *self); /* (transfer none) */

typedef struct _MienActivations MienActivations;

/* pixels[size][size] 0..255, as MienFace.pixels. (transfer full) */
MienActivations *mien_maps_run (MienMaps *self, const float *pixels, GError **error);
MienActivations *mien_activations_ref (MienActivations *self);
void mien_activations_unref (MienActivations *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienActivations, mien_activations_unref)
#define MIEN_TYPE_ACTIVATIONS (mien_activations_get_type ())
GType mien_activations_get_type (void); /* boxed */
int mien_activations_get_n_layers (const MienActivations *self);

/* values[height][width] of one channel, (transfer none). */
const float *mien_activations_get_map (const MienActivations *self, int layer, int channel, int *height, int *width);
int mien_activations_get_n_channels (const MienActivations *self, int layer);

/* Over one map: smallest, largest, mean, and the share of zeros and below (0..1). */
typedef struct {
  float min, max, mean, dead;
} MienMapStats;
void mien_activations_get_stats (const MienActivations *self, int layer, int channel, MienMapStats *stats);

/* The face that was fed, [size][size] 0..255. */
const float *mien_activations_get_pixels (const MienActivations *self, int *size);
const float *mien_activations_get_probabilities (const MienActivations *self, int *n_labels);

G_END_DECLS
