/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small writer of HDF5 for tests: superblock 0, object headers 1, groups of link messages, contiguous arrays of f32. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  const char *name;
  guint64 object;
} HdfLink;

typedef struct {
  const char *name;
  const char *const *values; /* NULL-terminated */
} HdfAttr;

GByteArray *hdf_new (void);
guint64 hdf_add_array (GByteArray *file, const float *values, int rank, const int *dims);
guint64 hdf_add_group (GByteArray *file, const HdfLink *links, int n_links, const HdfAttr *attr);
void hdf_finish (GByteArray *file, guint64 root);

G_END_DECLS
