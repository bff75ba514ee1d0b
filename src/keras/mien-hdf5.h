/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HDF5 files as Keras writes them (h5py's default form), read from memory. A reader of its own instead of libhdf5: that is made
 * for files one trusts, and what people download is not.
 *
 * File     superblock (version 0 or 1) -> root group; a group is an object header with a symbol table (B-tree of nodes of links, names in
 *          a local heap) or with link messages; a data set is an object header with a dataspace, a datatype and a data layout; object
 *          headers hold attributes; strings of variable length lie in global heaps
 * Subset   object headers version 1; B-trees version 1; links of groups in symbol tables or link messages; data sets of little-endian
 *          16, 32 and 64 bit floats, contiguous or compact; attributes of strings, fixed or variable length. Not: superblocks 2 and 3,
 *          chunked or compressed data, soft links; links into other files are refused, never followed
 * Limits   file 1 GiB, path of links 32 deep, object headers of 4,096 messages in 64 pieces, text 64 MiB; the work of one open file is
 *          counted, so that no structure, however tangled, keeps the reader busy for long
 * Errors   MIEN_NN_ERROR, G_FILE_ERROR; messages are the end of a sentence that begins with the file's name
 * Thread   one at a time
 * Source   HDF5 File Format Specification Version 3.0 (sections II, III.A, III.D, III.E, IV.A) */
#pragma once

#include "nn/mien-tensor.h"

G_BEGIN_DECLS

typedef struct _MienHdf5 MienHdf5;
typedef guint64 MienHdf5Object; /* where an object header lies */

MienHdf5 *mien_hdf5_open (const char *path, GError **error);
void mien_hdf5_free (MienHdf5 *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienHdf5, mien_hdf5_free)

MienHdf5Object mien_hdf5_root (const MienHdf5 *self);

/* The object at path ("dense_1/kernel:0") below a group. FALSE without error set when there is none. */
gboolean mien_hdf5_find (MienHdf5 *self, MienHdf5Object group, const char *path, MienHdf5Object *found, GError **error);

/* An attribute of strings; NULL without error set when there is none. What h5py cut into NAME0, NAME1, … is put together.
 * NULL-terminated, UTF-8, (transfer full) */
char **mien_hdf5_dup_strings (MienHdf5 *self, MienHdf5Object object, const char *name, GError **error);

/* A data set as f32. (transfer full) */
MienTensor *mien_hdf5_read_tensor (MienHdf5 *self, MienHdf5Object object, GError **error);

G_END_DECLS
