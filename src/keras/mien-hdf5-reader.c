/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reader of HDF5 files, a program of its own: a file on standard input, records on standard output (mien-hdf5-stream.h).
 *
 * libhdf5 believes what a file says and has known faults on damaged ones, so this process gives up what it does not need first.
 * Beside the three standard descriptors it can have one more open, the file: whatever a file asks for, no other is opened. */
#include "mien-config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hdf5.h>

#include "helper/mien-helper-program.h"
#include "keras/mien-hdf5-stream.h"

enum { MAX_DEPTH = 32, MAX_PARTS = 4096 };

typedef struct {
  guint64 n_text, n_elems; /* so far */
  guint64 max_elems;
  guint n_records;
} Reader;

static void
send (MienHdf5Kind kind, MienHdf5Status status, const char *text)
{
  const MienHdf5Record record = { .magic = MIEN_HDF5_MAGIC, .kind = kind, .status = status, .n_text = text != NULL ? strlen (text) : 0 };

  mien_helper_write (&record, sizeof record);
  mien_helper_write (text, record.n_text);
}

G_NORETURN static void
refuse (MienHdf5Status status)
{
  send (MIEN_HDF5_FILE, status, NULL);
  _exit (EXIT_SUCCESS); /* not exit(): libhdf5 would tidy up what the file made of it */
}

static hid_t
open_file (void)
{
  static const char signature[8] = "\x89HDF\r\n\x1a\n";
  const hid_t access = H5Pcreate (H5P_FILE_ACCESS);
  char head[sizeof signature] = "";
  hid_t file;

  if (pread (STDIN_FILENO, head, sizeof head, 0) != sizeof head || memcmp (head, signature, sizeof head) != 0)
    refuse (MIEN_HDF5_NO_HDF5);
  H5Pset_fapl_sec2 (access);
  H5Pset_file_locking (access, FALSE, TRUE);
  file = H5Fopen ("/proc/self/fd/0", H5F_ACC_RDONLY, access);
  if (file < 0)
    refuse (MIEN_HDF5_DAMAGED);
  return file;
}

/* One step of a path. */
static MienHdf5Status
open_child (hid_t group, const char *name, hid_t *child)
{
  H5L_info_t info;
  htri_t exists;

  if (H5Iget_type (group) != H5I_GROUP && H5Iget_type (group) != H5I_FILE)
    return MIEN_HDF5_ABSENT;
  exists = H5Lexists (group, name, H5P_DEFAULT);
  if (exists == 0)
    return MIEN_HDF5_ABSENT;
  if (exists < 0 || H5Lget_info (group, name, &info, H5P_DEFAULT) < 0)
    return MIEN_HDF5_DAMAGED;
  if (info.type != H5L_TYPE_HARD)
    return MIEN_HDF5_LINK;
  *child = H5Oopen (group, name, H5P_DEFAULT);
  return *child >= 0 ? MIEN_HDF5_OK : MIEN_HDF5_DAMAGED;
}

/* Step by step, so that every link on the way is seen. found: to be closed with H5Oclose() */
static MienHdf5Status
open_path (hid_t group, const char *path, hid_t *found)
{
  g_auto (GStrv) names = g_strsplit (path, "/", MAX_DEPTH + 1);
  MienHdf5Status status = MIEN_HDF5_ABSENT;

  for (int i = 0; names[i] != NULL; i++) {
    hid_t child = H5I_INVALID_HID;

    if (names[i][0] == '\0')
      continue;
    if (i >= MAX_DEPTH)
      status = MIEN_HDF5_ABSENT;
    else
      status = open_child (status == MIEN_HDF5_OK ? *found : group, names[i], &child);
    if (*found >= 0)
      H5Oclose (*found);
    *found = child;
    if (status != MIEN_HDF5_OK)
      return status;
  }
  return status;
}

static MienHdf5Status
add_text (Reader *self, GPtrArray *texts, const char *text, gsize max)
{
  const gsize n = strnlen (text, max);

  self->n_text += n;
  if (texts->len >= MIEN_HDF5_MAX_RECORDS || self->n_text > MIEN_HDF5_MAX_TEXT)
    return MIEN_HDF5_TOO_LARGE;
  g_ptr_array_add (texts, g_strndup (text, n));
  return g_utf8_validate (text, (gssize) n, NULL) ? MIEN_HDF5_OK : MIEN_HDF5_NOT_UTF8;
}

static MienHdf5Status
read_fixed (Reader *self, hid_t attribute, hid_t type, gsize size, gsize n, GPtrArray *texts)
{
  g_autofree char *values = NULL;
  MienHdf5Status status = MIEN_HDF5_OK;

  if (size == 0 || n > MIEN_HDF5_MAX_TEXT / size)
    return MIEN_HDF5_TOO_LARGE;
  values = g_try_malloc0 (n * size);
  if (values == NULL || H5Aread (attribute, type, values) < 0)
    return MIEN_HDF5_DAMAGED;
  for (gsize i = 0; i < n && status == MIEN_HDF5_OK; i++)
    status = add_text (self, texts, values + i * size, size);
  return status;
}

static MienHdf5Status
read_variable (Reader *self, hid_t attribute, hid_t type, gsize n, GPtrArray *texts)
{
  g_autofree char **values = g_new0 (char *, n);
  MienHdf5Status status = MIEN_HDF5_OK;

  if (H5Aread (attribute, type, values) < 0)
    return MIEN_HDF5_DAMAGED;
  for (gsize i = 0; i < n; i++) {
    if (status == MIEN_HDF5_OK)
      status = add_text (self, texts, values[i] != NULL ? values[i] : "", G_MAXSSIZE);
    H5free_memory (values[i]);
  }
  return status;
}

static MienHdf5Status
read_attribute (Reader *self, hid_t attribute, GPtrArray *texts)
{
  const hid_t space = H5Aget_space (attribute), stored = H5Aget_type (attribute), type = H5Tcopy (H5T_C_S1);
  const hssize_t n = H5Sget_simple_extent_npoints (space);
  const htri_t variable = H5Tis_variable_str (stored);
  MienHdf5Status status;

  if (n < 0 || stored < 0 || variable < 0)
    status = MIEN_HDF5_DAMAGED;
  else if (n == 0) /* Keras makes empty lists of numbers */
    status = MIEN_HDF5_OK;
  else if (H5Tget_class (stored) != H5T_STRING)
    status = MIEN_HDF5_NOT_TEXT;
  else if (n > MIEN_HDF5_MAX_RECORDS)
    status = MIEN_HDF5_TOO_LARGE;
  else if (H5Tset_size (type, variable ? H5T_VARIABLE : H5Tget_size (stored)) < 0 || H5Tset_cset (type, H5Tget_cset (stored)) < 0 ||
           (!variable && H5Tset_strpad (type, H5T_STR_NULLPAD) < 0))
    status = MIEN_HDF5_DAMAGED;
  else
    status = variable ? read_variable (self, attribute, type, (gsize) n, texts) : read_fixed (self, attribute, type, H5Tget_size (stored), (gsize) n, texts);
  H5Tclose (type);
  H5Tclose (stored);
  H5Sclose (space);
  return status;
}

/* The attribute, or the pieces into which h5py's callers cut long ones. */
static MienHdf5Status
read_texts (Reader *self, hid_t object, const char *name, GPtrArray *texts)
{
  MienHdf5Status status = MIEN_HDF5_ABSENT;

  for (int part = -1; part < MAX_PARTS; part++) {
    g_autofree char *key = part < 0 ? g_strdup (name) : g_strdup_printf ("%s%d", name, part);
    const htri_t exists = H5Aexists (object, key);
    hid_t attribute;

    if (exists == 0 && part < 0)
      continue;
    if (exists == 0)
      break;
    attribute = exists > 0 ? H5Aopen (object, key, H5P_DEFAULT) : H5I_INVALID_HID;
    if (attribute < 0)
      return MIEN_HDF5_DAMAGED;
    status = read_attribute (self, attribute, texts);
    H5Aclose (attribute);
    if (status != MIEN_HDF5_OK || part < 0)
      break;
  }
  return status;
}

/* Where the numbers lie and how they are packed. */
static MienHdf5Status
check_storage (hid_t array)
{
  const hid_t properties = H5Dget_create_plist (array);
  const int n_filters = H5Pget_nfilters (properties);
  MienHdf5Status status = MIEN_HDF5_OK;

  if (properties < 0 || n_filters < 0)
    status = MIEN_HDF5_DAMAGED;
  else if (H5Pget_layout (properties) == H5D_VIRTUAL || H5Pget_external_count (properties) != 0)
    status = MIEN_HDF5_ELSEWHERE;
  for (int i = 0; i < n_filters && status == MIEN_HDF5_OK; i++) {
    size_t n_values = 0;
    unsigned int flags;
    const H5Z_filter_t filter = H5Pget_filter2 (properties, (unsigned int) i, &flags, &n_values, NULL, 0, NULL, NULL);

    if (filter < 0)
      status = MIEN_HDF5_DAMAGED;
    else if (H5Zfilter_avail (filter) <= 0)
      status = MIEN_HDF5_FILTER;
  }
  H5Pclose (properties);
  return status;
}

static MienHdf5Status
check_shape (Reader *self, hid_t array, MienHdf5Record *record, guint64 *n_elems)
{
  const hid_t space = H5Dget_space (array);
  const int rank = H5Sget_simple_extent_ndims (space);
  MienHdf5Status status = MIEN_HDF5_OK;
  hsize_t dims[H5S_MAX_RANK];

  *n_elems = 1;
  if (rank < 0 || rank > H5S_MAX_RANK || H5Sget_simple_extent_dims (space, dims, NULL) < 0 || H5Sget_simple_extent_type (space) == H5S_NULL)
    status = MIEN_HDF5_DAMAGED;
  else if (rank > MIEN_HDF5_MAX_RANK)
    status = MIEN_HDF5_RANK;
  for (int i = 0; i < rank && status == MIEN_HDF5_OK; i++) {
    if (dims[i] > MIEN_HDF5_MAX_ELEMS || (dims[i] > 0 && *n_elems > MIEN_HDF5_MAX_ELEMS / dims[i])) {
      status = MIEN_HDF5_TOO_LARGE;
      break;
    }
    *n_elems *= dims[i];
    record->dims[i] = dims[i];
  }
  record->rank = (guint32) MAX (rank, 0);
  self->n_elems += *n_elems;
  if (status == MIEN_HDF5_OK && self->n_elems > self->max_elems)
    status = MIEN_HDF5_TOO_LARGE;
  H5Sclose (space);
  return status;
}

static MienHdf5Status
read_array (Reader *self, hid_t array, MienHdf5Record *record, float **values, guint64 *n_elems)
{
  MienHdf5Status status;
  hid_t type;

  if (H5Iget_type (array) != H5I_DATASET)
    return MIEN_HDF5_NOT_ARRAY;
  status = check_storage (array);
  if (status == MIEN_HDF5_OK)
    status = check_shape (self, array, record, n_elems);
  if (status != MIEN_HDF5_OK)
    return status;
  type = H5Dget_type (array);
  if (H5Tget_class (type) != H5T_FLOAT)
    status = MIEN_HDF5_NOT_FLOAT;
  else if (*n_elems > 0 && H5Dget_storage_size (array) == 0) /* libhdf5 would make numbers up */
    status = MIEN_HDF5_DAMAGED;
  H5Tclose (type);
  if (status != MIEN_HDF5_OK)
    return status;
  *values = g_try_malloc (*n_elems * sizeof **values + 1);
  if (*values == NULL)
    return MIEN_HDF5_TOO_LARGE;
  return H5Dread (array, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, *values) >= 0 ? MIEN_HDF5_OK : MIEN_HDF5_DAMAGED;
}

static void
send_weight (Reader *self, hid_t group, const char *name)
{
  MienHdf5Record record = { .magic = MIEN_HDF5_MAGIC, .kind = MIEN_HDF5_WEIGHT, .n_text = strlen (name) };
  g_autofree float *values = NULL;
  hid_t array = H5I_INVALID_HID;
  guint64 n_elems = 0;

  record.status = open_path (group, name, &array);
  if (record.status == MIEN_HDF5_OK)
    record.status = read_array (self, array, &record, &values, &n_elems);
  if (array >= 0)
    H5Oclose (array);
  mien_helper_write (&record, sizeof record);
  mien_helper_write (name, record.n_text);
  if (record.status == MIEN_HDF5_OK)
    mien_helper_write (values, n_elems * sizeof *values);
}

static void
send_layer (Reader *self, hid_t weights, const char *name)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  hid_t group = H5I_INVALID_HID;
  MienHdf5Status status = open_path (weights, name, &group);

  if (status == MIEN_HDF5_OK)
    status = read_texts (self, group, "weight_names", names);
  self->n_records += 1 + names->len;
  if (self->n_records > MIEN_HDF5_MAX_RECORDS)
    refuse (MIEN_HDF5_TOO_LARGE);
  send (MIEN_HDF5_LAYER, status, name);
  for (guint i = 0; i < names->len && status == MIEN_HDF5_OK; i++)
    send_weight (self, group, g_ptr_array_index (names, i));
  if (group >= 0)
    H5Oclose (group);
}

typedef struct {
  Reader *reader;
  GPtrArray *names;
  MienHdf5Status status;
} Listing;

static herr_t
link_seen_cb (hid_t group, const char *name, const H5L_info_t *info, void *data)
{
  Listing *self = data;

  if (g_utf8_validate (name, -1, NULL) && *name != '\0')
    self->status = add_text (self->reader, self->names, name, G_MAXSSIZE);
  return self->status == MIEN_HDF5_OK ? 0 : -1;
}

static void
send_layers (Reader *self, hid_t weights)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  MienHdf5Status status = read_texts (self, weights, "layer_names", names);
  Listing listing = { self, names, MIEN_HDF5_OK };

  if (status == MIEN_HDF5_ABSENT) {
    status = H5Literate (weights, H5_INDEX_NAME, H5_ITER_INC, NULL, link_seen_cb, &listing) < 0 ? MIEN_HDF5_DAMAGED : MIEN_HDF5_OK;
    if (listing.status != MIEN_HDF5_OK)
      status = listing.status;
  }
  if (status != MIEN_HDF5_OK)
    refuse (status);
  for (guint i = 0; i < names->len; i++)
    send_layer (self, weights, g_ptr_array_index (names, i));
}

int
main (void)
{
  g_autoptr (GPtrArray) configs = g_ptr_array_new_with_free_func (g_free);
  hid_t file, weights = H5I_INVALID_HID;
  MienHdf5Status status;
  Reader reader = { 0 };
  struct stat info;

  if (fstat (STDIN_FILENO, &info) != 0)
    return EXIT_FAILURE;
  mien_helper_give_up_rights (mien_hdf5_time_limit_s ((guint64) info.st_size), MIEN_HDF5_MAX_MEMORY, 4);
  reader.max_elems = MIN (MIEN_HDF5_MAX_ELEMS, (guint64) info.st_size * 64 / sizeof (float));
  H5Eset_auto2 (H5E_DEFAULT, NULL, NULL);
  H5PLset_loading_state (0); /* no filters from elsewhere */
  file = open_file ();
  status = read_texts (&reader, file, "model_config", configs);
  if (status == MIEN_HDF5_OK && configs->len == 0)
    status = MIEN_HDF5_ABSENT;
  send (MIEN_HDF5_CONFIG, status, status == MIEN_HDF5_OK ? g_ptr_array_index (configs, 0) : NULL);
  status = open_path (file, "model_weights", &weights);
  if (status != MIEN_HDF5_OK && status != MIEN_HDF5_ABSENT)
    refuse (status);
  send_layers (&reader, status == MIEN_HDF5_OK ? weights : file);
  send (MIEN_HDF5_END, MIEN_HDF5_OK, NULL);
  _exit (EXIT_SUCCESS);
}
