/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What Keras keeps in an HDF5 file: the description of the network and the weights of its layers.
 *
 * Reading  by libhdf5, in a process of its own (mien-hdf5-reader) with limits on memory and time: that library is made for files one
 *          trusts, and what people download is not. Everything is read when the file is opened
 * File     attribute model_config of the root; below the group model_weights, or the root where there is none, the groups that
 *          attribute layer_names lists, or all; attribute weight_names of such a group lists its arrays. Texts of fixed or
 *          variable length, in one attribute or cut into NAME0, NAME1, …; floats of any width, byte order and storage that libhdf5 knows
 * Refused  links by name and links into other files, arrays kept in other files, virtual arrays: none is followed
 * Limits   file 1 GiB; text 64 MiB and arrays 1 GiB as f32, together, and arrays no more than 64 times the file; 65,536 layers and arrays;
 *          paths 32 deep; 2 seconds of the processor, and 16 more for a GiB
 * Errors   MIEN_NN_ERROR, G_FILE_ERROR, G_IO_ERROR; messages are the end of a sentence that begins with the file's name. What is wrong
 *          with one layer is told to whoever asks for that layer
 * Thread   immutable once open */
#pragma once

#include "nn/mien-tensor.h"

G_BEGIN_DECLS

typedef struct _MienHdf5 MienHdf5;

MienHdf5 *mien_hdf5_open (const char *path, GError **error);
void mien_hdf5_free (MienHdf5 *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienHdf5, mien_hdf5_free)

/* UTF-8; NULL without error set when there is none. */
const char *mien_hdf5_get_config (const MienHdf5 *self, GError **error);

/* How many arrays a layer lists, 0 when it is not there; -1 with error set. */
int mien_hdf5_count_weights (const MienHdf5 *self, const char *layer, GError **error);

/* "dense_1/kernel:0", for index below that number. */
const char *mien_hdf5_get_weight_name (const MienHdf5 *self, const char *layer, int index);

/* As f32. NULL without error set when it is listed, but not there. (transfer full) */
MienTensor *mien_hdf5_ref_weight (const MienHdf5 *self, const char *layer, int index, GError **error);

G_END_DECLS
