/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files as Keras writes them, in any of HDF5's forms, made by libhdf5. */
#pragma once

#include <glib.h>
#include <hdf5.h>

G_BEGIN_DECLS

typedef struct {
  const char *name;
  int rank;
  const int *dims;
  const float *values;
} HdfArray;

typedef struct {
  int superblock;           /* its version: 0 .. 3, each with the kinds of groups and headers that come with it */
  int bits;                 /* 32 when 0; 16 and 64 */
  gboolean big_endian;
  gboolean packed;          /* in chunks, shuffled, deflated, with a checksum */
  gboolean variable;        /* texts of variable length */
  gboolean split;           /* weight_names is cut into weight_names0, … with one name each */
  gboolean weights_alone;   /* right below the root */
  gboolean layer_names;     /* the list of layers */
  void (*spoil) (hid_t layer); /* (nullable) changes the group of the layer at the end */
} HdfForm;

/* config: (nullable). arrays: of the one layer. form: (nullable) */
GByteArray *hdf_write (const char *config, const char *layer, const HdfArray *arrays, int n_arrays, const HdfForm *form);

/* An attribute of texts. */
void hdf_add_texts (hid_t object, const char *name, const char *const *values, int n, gboolean variable);

G_END_DECLS
