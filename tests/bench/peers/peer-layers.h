/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A reference network as a plain list of layers, for engines that read no ONNX: normalisation folded into the convolutions,
 * activation and residual sum joined to the layer that they belong to.
 *
 * Shapes   one face; all windows are square, with the same padding on every side
 * Thread   pure */
#pragma once

#include "nn/mien-graph.h"

G_BEGIN_DECLS

typedef enum {
  PEER_CONV,
  PEER_MAX_POOL,
  PEER_MEAN,    /* of each map */
  PEER_DENSE,
  PEER_ADD,     /* input + other, where it could not be joined to a convolution */
  PEER_SOFTMAX,
} PeerLayerKind;

typedef struct {
  int channels, height, width;
} PeerDims;

typedef struct {
  PeerLayerKind kind;
  int input;     /* layer; -1: the network's input */
  int other;     /* layer whose output is added before the activation; -1: none */
  gboolean relu;
  PeerDims in, out;
  int kernel, stride, pad, groups;
  const float *weight; /* convolution [K][C / groups][R][S], dense [K][C][H][W] */
  gsize n_weights;
  const float *bias;   /* [K], never NULL with weights */
  int last_use;        /* the last layer that reads the output; the number of layers for the output */
} PeerLayer;

typedef struct {
  PeerLayer *layers;
  int n;
  /*< private >*/
  MienGraph *graph;
  GPtrArray *zeros;
} PeerLayers;

PeerLayers *peer_layers_new (const MienGraph *graph, GError **error);
void peer_layers_free (PeerLayers *self);

G_END_DECLS
