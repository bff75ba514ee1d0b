/* SPDX-License-Identifier: GPL-3.0-or-later */
/* NumPy's .npy files: magic "\x93NUMPY", version 1..3, header dictionary {'descr', 'fortran_order', 'shape'}, then the data.
 * Read: little-endian f2, f4, f8, i1..i8, u1..u8, b1 in C order, rank up to MIEN_MAX_RANK. Written: version 1.
 * Errors   MIEN_NN_ERROR_FORMAT, G_FILE_ERROR; messages begin with the file's name
 * Source   numpy.lib.format, version 1.0 - 3.0 */
#pragma once

#include "nn/mien-tensor.h"

G_BEGIN_DECLS

MienTensor *mien_npy_read (const char *path, GError **error);
gboolean mien_npy_write (const MienTensor *tensor, const char *path, GError **error); /* atomic */

G_END_DECLS
