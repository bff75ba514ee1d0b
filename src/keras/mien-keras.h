/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keras models as graphs.
 *
 * File     .h5 or .hdf5: attribute model_config of the root is the description (JSON), the group model_weights holds a group for each
 *          layer, whose attribute weight_names lists its arrays. Weights alone: the same groups right below the root; the description is a
 *          .json file then (Keras 1.2 .. 3 in their HDF5 form; not the .keras archive)
 * Subset   Sequential and functional models with one picture in and one answer out, without shared or nested layers:
 *          InputLayer, Conv2D, DepthwiseConv2D, SeparableConv2D, Dense, BatchNormalization, Activation, ReLU, LeakyReLU, ELU, Softmax,
 *          MaxPooling2D, AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, ZeroPadding2D, Rescaling, Flatten, Add, Subtract,
 *          Multiply, Average, Maximum, Minimum, Concatenate; Dropout and the like are left out. Lambda layers hold Python code, which is
 *          never run: refused by name, as is every layer that is not in this list
 * Result   a graph of operator set 13. Its input is what Keras fed, [?][height][width][channels] (or channels first, if the model is);
 *          inside, channels come first. Padding "same" puts the odd row last, as TensorFlow does. No metadata: what the pixels
 *          are scaled to and the order of classes do not stand in a Keras file
 * Limits   description 4 MiB, nested 64 deep, 4,096 layers; those of mien-hdf5.h
 * Errors   MIEN_NN_ERROR, G_FILE_ERROR, G_IO_ERROR; messages begin with the file's name and name the layer
 * Thread   works on any thread; a hostile file of a few kilobytes may take some seconds
 * Source   Keras' saving/hdf5_format.py and layers; the shapes of weights as its layers create them */
#pragma once

#include "nn/mien-graph.h"

G_BEGIN_DECLS

/* weights_path: (nullable) the .h5 file when path is a .json file. (transfer full) */
MienGraph *mien_keras_read (const char *path, const char *weights_path, GError **error);

/* Whether the file begins as HDF5 or JSON does. */
gboolean mien_keras_is_model (const char *path);

G_END_DECLS
