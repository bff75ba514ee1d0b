/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See hdf5-writer.h. */
#include "hdf5-writer.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static hid_t
create_file (const char *path, const HdfForm *form)
{
  static const H5F_libver_t oldest[] = { H5F_LIBVER_EARLIEST, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18, H5F_LIBVER_V110 };
  const hid_t access = H5Pcreate (H5P_FILE_ACCESS), creation = H5Pcreate (H5P_FILE_CREATE);
  hid_t file;

  H5Pset_libver_bounds (access, oldest[form->superblock], H5F_LIBVER_V110);
  if (form->superblock == 1)
    H5Pset_istore_k (creation, 64); /* only version 1 can tell */
  file = H5Fcreate (path, H5F_ACC_TRUNC, creation, access);
  g_assert_cmpint (file, >=, 0);
  H5Pclose (creation);
  H5Pclose (access);
  return file;
}

void
hdf_add_texts (hid_t object, const char *name, const char *const *values, int n, gboolean variable)
{
  const hsize_t dim = (hsize_t) n;
  const hid_t space = H5Screate_simple (1, &dim, NULL), type = H5Tcopy (H5T_C_S1);
  g_autofree char *fixed = NULL;
  gsize width = 1;
  hid_t attribute;

  for (int i = 0; i < n; i++)
    width = MAX (width, strlen (values[i]));
  fixed = g_malloc0 (width * (gsize) MAX (n, 1));
  for (int i = 0; i < n; i++)
    memcpy (fixed + width * (gsize) i, values[i], strlen (values[i]));
  H5Tset_size (type, variable ? H5T_VARIABLE : width);
  H5Tset_strpad (type, variable ? H5T_STR_NULLTERM : H5T_STR_NULLPAD);
  H5Tset_cset (type, variable ? H5T_CSET_UTF8 : H5T_CSET_ASCII);
  attribute = H5Acreate2 (object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  g_assert_cmpint (H5Awrite (attribute, type, variable ? (const void *) values : fixed), >=, 0);
  H5Aclose (attribute);
  H5Tclose (type);
  H5Sclose (space);
}

static void
add_array (hid_t group, const HdfArray *array, const HdfForm *form)
{
  const hid_t type = H5Tcopy (form->bits == 64 ? H5T_IEEE_F64LE : H5T_IEEE_F32LE), properties = H5Pcreate (H5P_DATASET_CREATE);
  hsize_t dims[8], chunk[8];
  hid_t space, dataset;

  if (form->bits == 16) {
    H5Tset_fields (type, 15, 10, 5, 0, 10);
    H5Tset_size (type, 2);
    H5Tset_ebias (type, 15);
  }
  if (form->big_endian)
    H5Tset_order (type, H5T_ORDER_BE);
  for (int i = 0; i < array->rank; i++) {
    dims[i] = (hsize_t) array->dims[i];
    chunk[i] = (dims[i] + 1) / 2;
  }
  if (form->packed) {
    H5Pset_chunk (properties, array->rank, chunk);
    H5Pset_shuffle (properties);
    H5Pset_deflate (properties, 6);
    H5Pset_fletcher32 (properties);
  }
  space = H5Screate_simple (array->rank, dims, NULL);
  dataset = H5Dcreate2 (group, array->name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  g_assert_cmpint (H5Dwrite (dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, array->values), >=, 0);
  H5Dclose (dataset);
  H5Sclose (space);
  H5Pclose (properties);
  H5Tclose (type);
}

GByteArray *
hdf_write (const char *config, const char *layer, const HdfArray *arrays, int n_arrays, const HdfForm *form)
{
  static const HdfForm plain = { 0 };
  g_autofree const char **names = g_new0 (const char *, n_arrays + 1);
  g_autofree char *path = g_strdup_printf ("%s/mien-%d-%p.h5", g_get_tmp_dir (), (int) getpid (), (void *) names);
  const hid_t links = H5Pcreate (H5P_LINK_CREATE);
  hid_t file, weights, group;
  char *contents;
  gsize n;

  if (form == NULL)
    form = &plain;
  file = create_file (path, form);
  if (config != NULL)
    hdf_add_texts (file, "model_config", &config, 1, form->variable);
  weights = form->weights_alone ? H5Gopen2 (file, "/", H5P_DEFAULT) : H5Gcreate2 (file, "model_weights", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  if (form->layer_names)
    hdf_add_texts (weights, "layer_names", &layer, 1, form->variable);
  H5Pset_create_intermediate_group (links, 1);
  group = H5Gcreate2 (weights, layer, links, H5P_DEFAULT, H5P_DEFAULT);
  for (int i = 0; i < n_arrays; i++) {
    names[i] = arrays[i].name;
    add_array (group, &arrays[i], form);
  }
  for (int i = 0; i < n_arrays && form->split; i++) {
    g_autofree char *key = g_strdup_printf ("weight_names%d", i);
    hdf_add_texts (group, key, &names[i], 1, form->variable);
  }
  if (!form->split)
    hdf_add_texts (group, "weight_names", names, n_arrays, form->variable);
  if (form->spoil != NULL)
    form->spoil (group);
  H5Gclose (group);
  H5Gclose (weights);
  H5Pclose (links);
  H5Fclose (file);
  g_assert_true (g_file_get_contents (path, &contents, &n, NULL)); /* H5Fget_file_image() leaves wrong checksums in newer forms */
  g_unlink (path);
  return g_byte_array_new_take ((guint8 *) contents, n);
}
