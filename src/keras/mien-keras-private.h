/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the reader of descriptions, the layers and the reader of models share. */
#pragma once

#include <json-glib/json-glib.h>

#include "keras/mien-hdf5.h"
#include "nn/mien-file.h"
#include "nn/mien-graph.h"

G_BEGIN_DECLS

/* One layer as described. */
typedef struct {
  char *name, *class_name;
  JsonObject *config; /* (borrowed) */
  GPtrArray *inputs;  /* char *: names of layers */
  char *shown;        /* layer “conv2d_1” (Conv2D), for messages */
} MienKerasLayer;

typedef struct {
  JsonParser *parser;
  GPtrArray *layers;       /* MienKerasLayer */
  const char *input, *output; /* (borrowed) names of layers */
  gboolean channels_first;
  int height, width, channels;
} MienKerasConfig;

MienKerasConfig *mien_keras_config_parse (const char *text, gsize n_bytes, GError **error);
void mien_keras_config_free (MienKerasConfig *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienKerasConfig, mien_keras_config_free)

/* Members of a layer's description; an absent one or null gives the fallback. FALSE with error set when it is of another
 * type or outside min .. max. */
gboolean mien_keras_get_int (const MienKerasLayer *layer, const char *key, int min, int max, int fallback, int *value, GError **error);
gboolean mien_keras_get_float (const MienKerasLayer *layer, const char *key, double fallback, double *value, GError **error);
gboolean mien_keras_get_bool (const MienKerasLayer *layer, const char *key, gboolean fallback);

/* One number for both, or two: height, width. */
gboolean mien_keras_get_pair (const MienKerasLayer *layer, const char *key, int min, int max, int fallback, int value[2], GError **error);
const char *mien_keras_get_string (const MienKerasLayer *layer, const char *key, const char *fallback);

/* NULL when absent or null. */
JsonNode *mien_keras_get_node (JsonObject *object, const char *key);

/* What a layer gives: a picture of height x width x channels (rank 3; the value in the graph is [N][C][H][W]), or a row of
 * channels numbers (rank 1, [N][C]). */
typedef struct {
  int value;
  int rank;
  int height, width, channels;
} MienKerasTensor;

typedef struct {
  MienGraph *graph;
  const MienHdf5 *file;
  gboolean channels_first;
} MienKerasBuilder;

gboolean mien_keras_add_layer (MienKerasBuilder *self, const MienKerasLayer *layer, const MienKerasTensor *inputs, int n_inputs,
                               MienKerasTensor *output, GError **error);

G_END_DECLS
