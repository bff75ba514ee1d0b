/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One layer of a Keras model on its way to nodes of the graph: what has come out so far, its weights from the file, its activation.
 *
 * Errors   MIEN_NN_ERROR, named after the layer; those of the HDF5 reader
 * Thread   one at a time */
#pragma once

#include "keras/mien-keras-private.h"

G_BEGIN_DECLS

enum { MIEN_KERAS_MAX_UNITS = 1 << 20 };

typedef struct {
  MienKerasBuilder *builder;
  const MienKerasLayer *layer;
  const MienKerasTensor *inputs;
  int n_inputs;
  MienKerasTensor now; /* what has come out so far */
} MienKerasStep;

/* "layer “a” (Conv2D): ... is not supported". Returns FALSE. */
gboolean mien_keras_step_fail (const MienKerasStep *self, const char *what, GError **error);

/* A node behind what there is; extra: further inputs. Returns it for its attributes. */
MienNode *mien_keras_step_append (MienKerasStep *self, const char *op, const char *suffix, const int *extra, int n_extra);

/* Values of the graph, named after the layer. tensor: (transfer full) */
int mien_keras_step_add_constant (MienKerasStep *self, const char *what, MienTensor *tensor);
int mien_keras_step_add_number (MienKerasStep *self, const char *what, float value);

/* The layer's weight of that name with exactly that shape; other: (nullable) what newer versions call it. (transfer full) */
MienTensor *mien_keras_step_read_weight (MienKerasStep *self, const char *name, const char *other, MienShape shape, GError **error);

/* A weight of one dimension, as it is, in the graph. -1 with error set. */
int mien_keras_step_add_vector (MienKerasStep *self, const char *name, int n, GError **error);

/* "relu" and its like; the second: what the layer says of its own. */
gboolean mien_keras_step_activate (MienKerasStep *self, const char *name, GError **error);
gboolean mien_keras_step_activate_own (MienKerasStep *self, GError **error);

/* The kinds of layers in mien-keras-windows.c. */
gboolean mien_keras_add_conv (MienKerasStep *self, GError **error);
gboolean mien_keras_add_depthwise_conv (MienKerasStep *self, GError **error);
gboolean mien_keras_add_separable_conv (MienKerasStep *self, GError **error);
gboolean mien_keras_add_max_pooling (MienKerasStep *self, GError **error);
gboolean mien_keras_add_average_pooling (MienKerasStep *self, GError **error);
gboolean mien_keras_add_zero_padding (MienKerasStep *self, GError **error);

G_END_DECLS
