/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The caller's side of mien-hdf5-reader: start it, wait for it within limits, believe nothing. */
#include "mien-config.h"

#include "keras/mien-hdf5.h"

#include <glib/gi18n-lib.h>
#include <string.h>
#include <unistd.h>

#include "helper/mien-helper.h"
#include "keras/mien-hdf5-stream.h"
#include "nn/mien-file.h"

enum { WALL_FACTOR = 5 }; /* on a busy computer seconds of the processor take longer */

G_STATIC_ASSERT (MIEN_HDF5_MAX_RANK == MIEN_MAX_RANK);

typedef struct {
  char *name;
  MienHdf5Status status;
  MienTensor *tensor; /* (nullable) */
} Weight;

typedef struct {
  MienHdf5Status status;
  GPtrArray *weights; /* Weight */
} Layer;

struct _MienHdf5 {
  char *config; /* (nullable) */
  MienHdf5Status config_status;
  GHashTable *layers; /* char * -> Layer */
};

/* What is being read. */
typedef struct {
  MienHelper helper;
  gint64 deadline_us;
  MienHelperEnd end;
  guint64 n_text, n_elems;
  guint n_records;
  Layer *layer; /* (borrowed) the one before */
} Stream;

static void
weight_free (gpointer data)
{
  Weight *weight = data;

  g_free (weight->name);
  g_clear_pointer (&weight->tensor, mien_tensor_unref);
  g_free (weight);
}

static void
layer_free (gpointer data)
{
  Layer *layer = data;

  g_ptr_array_unref (layer->weights);
  g_free (layer);
}

static gboolean
fail_unsupported (GError **error, const char *what)
{
  g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_UNSUPPORTED, _("%s, which this program does not read; save the model again with Keras's model.save ('name.h5')"),
               what);
  return FALSE;
}

static gboolean
fail_status (GError **error, MienHdf5Status status)
{
  switch (status) {
  case MIEN_HDF5_NO_HDF5:
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("is no HDF5 file; Keras's models end in .h5 or .hdf5"));
  case MIEN_HDF5_TOO_LARGE:
    return mien_file_fail (error, MIEN_NN_ERROR_SIZE, "%s", _("holds more text or numbers than a model in a file of its size can; it is no file that Keras wrote"));
  case MIEN_HDF5_LINK:
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("holds a link to another place or file, which is not followed; save the model again in one file"));
  case MIEN_HDF5_ELSEWHERE:
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("keeps numbers in other files, which are not read; save the model again in one file"));
  case MIEN_HDF5_NOT_TEXT:
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("holds an attribute that should be text and is not"));
  case MIEN_HDF5_NOT_UTF8:
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("holds text that is not UTF-8"));
  case MIEN_HDF5_NOT_ARRAY:
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("holds a group where an array of numbers should be"));
  case MIEN_HDF5_NOT_FLOAT:
    return fail_unsupported (error, _("holds an array that is not of floating-point numbers"));
  case MIEN_HDF5_RANK:
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("holds an array of more than %d dimensions"), MIEN_HDF5_MAX_RANK);
  case MIEN_HDF5_FILTER:
    return fail_unsupported (error, _("holds numbers compressed in a rare way"));
  default:
    return mien_file_fail (error, MIEN_NN_ERROR_FORMAT, "%s", _("is damaged or cut off inside; download it again"));
  }
}

static gboolean
read_bytes (Stream *stream, void *data, gsize n, GError **error)
{
  stream->end = mien_helper_read (&stream->helper, data, n, stream->deadline_us, NULL);
  return stream->end == MIEN_HELPER_DONE || fail_status (error, MIEN_HDF5_DAMAGED);
}

/* text: UTF-8. (transfer full) */
static gboolean
read_record (Stream *stream, MienHdf5Record *record, char **text, GError **error)
{
  if (!read_bytes (stream, record, sizeof *record, error))
    return FALSE;
  if (record->magic != MIEN_HDF5_MAGIC || record->kind > MIEN_HDF5_END || record->status >= MIEN_HDF5_N_STATUS)
    return fail_status (error, MIEN_HDF5_DAMAGED);
  /* the description and the end count too */
  if (++stream->n_records > MIEN_HDF5_MAX_RECORDS + 2 || record->n_text > MIEN_HDF5_MAX_TEXT - stream->n_text)
    return fail_status (error, MIEN_HDF5_TOO_LARGE);
  stream->n_text += record->n_text;
  *text = g_malloc (record->n_text + 1);
  (*text)[record->n_text] = '\0';
  if (!read_bytes (stream, *text, record->n_text, error))
    return FALSE;
  return g_utf8_validate (*text, (gssize) record->n_text, NULL) || fail_status (error, MIEN_HDF5_NOT_UTF8);
}

static MienTensor *
read_tensor (Stream *stream, const MienHdf5Record *record, GError **error)
{
  g_autoptr (MienTensor) tensor = NULL;
  MienShape shape = { .rank = (int) record->rank };
  gsize n_elems = 0;

  if (record->rank > MIEN_MAX_RANK) {
    fail_status (error, MIEN_HDF5_DAMAGED);
    return NULL;
  }
  for (guint i = 0; i < record->rank; i++)
    shape.dim[i] = record->dims[i] <= MIEN_HDF5_MAX_ELEMS ? (gint64) record->dims[i] : -1;
  if (!mien_shape_n_elems (&shape, &n_elems) || n_elems > MIEN_HDF5_MAX_ELEMS - stream->n_elems) {
    fail_status (error, MIEN_HDF5_TOO_LARGE);
    return NULL;
  }
  stream->n_elems += n_elems;
  tensor = mien_tensor_try_new (MIEN_F32, &shape, error);
  return tensor != NULL && read_bytes (stream, tensor->data, mien_tensor_n_bytes (tensor), error) ? g_steal_pointer (&tensor) : NULL;
}

static gboolean
read_weight (Stream *stream, const MienHdf5Record *record, char **text, GError **error)
{
  Weight *weight;

  if (stream->layer == NULL)
    return fail_status (error, MIEN_HDF5_DAMAGED);
  weight = g_new0 (Weight, 1);
  weight->name = g_steal_pointer (text);
  weight->status = record->status;
  g_ptr_array_add (stream->layer->weights, weight);
  if (record->status == MIEN_HDF5_OK)
    weight->tensor = read_tensor (stream, record, error);
  return record->status != MIEN_HDF5_OK || weight->tensor != NULL;
}

static void
add_layer (MienHdf5 *self, Stream *stream, const MienHdf5Record *record, char **text)
{
  stream->layer = g_new0 (Layer, 1);
  stream->layer->status = record->status;
  stream->layer->weights = g_ptr_array_new_with_free_func (weight_free);
  g_hash_table_replace (self->layers, g_steal_pointer (text), stream->layer);
}

static gboolean
read_all (MienHdf5 *self, Stream *stream, GError **error)
{
  for (;;) {
    g_autofree char *text = NULL;
    MienHdf5Record record;

    if (!read_record (stream, &record, &text, error))
      return FALSE;
    switch ((MienHdf5Kind) record.kind) {
    case MIEN_HDF5_CONFIG:
      self->config_status = record.status;
      g_free (self->config);
      self->config = record.status == MIEN_HDF5_OK ? g_steal_pointer (&text) : NULL;
      break;
    case MIEN_HDF5_LAYER:
      add_layer (self, stream, &record, &text);
      break;
    case MIEN_HDF5_WEIGHT:
      if (!read_weight (stream, &record, &text, error))
        return FALSE;
      break;
    case MIEN_HDF5_END:
      return TRUE;
    case MIEN_HDF5_FILE:
    default:
      return fail_status (error, record.status);
    }
  }
}

MienHdf5 *
mien_hdf5_open (const char *path, GError **error)
{
  g_autoptr (MienHdf5) self = g_new0 (MienHdf5, 1);
  Stream stream = { 0 };
  g_autoptr (GError) problem = NULL;
  gboolean started;
  guint64 n_bytes = 0;
  guint limit_s;
  int fd, status;

  self->config_status = MIEN_HDF5_ABSENT;
  self->layers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, layer_free);
  fd = mien_file_open (path, MIEN_HDF5_MAX_FILE, &n_bytes, error);
  if (fd < 0)
    return NULL;
  limit_s = mien_hdf5_time_limit_s (n_bytes);
  stream.deadline_us = g_get_monotonic_time () + WALL_FACTOR * limit_s * G_USEC_PER_SEC;
  started = mien_helper_start (&stream.helper, "keras/mien-hdf5-reader", fd, error);
  close (fd);
  if (!started)
    return NULL;
  read_all (self, &stream, &problem);
  status = mien_helper_end (&stream.helper, stream.end != MIEN_HELPER_SHORT);
  if (mien_helper_was_late (stream.end, status)) {
    mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("takes longer than %u seconds to read; it is damaged, save the model again with Keras"), limit_s);
    return NULL;
  }
  if (problem != NULL) {
    g_propagate_error (error, g_steal_pointer (&problem));
    return NULL;
  }
  return g_steal_pointer (&self);
}

void
mien_hdf5_free (MienHdf5 *self)
{
  g_clear_pointer (&self->layers, g_hash_table_unref);
  g_free (self->config);
  g_free (self);
}

const char *
mien_hdf5_get_config (const MienHdf5 *self, GError **error)
{
  if (self->config_status != MIEN_HDF5_OK && self->config_status != MIEN_HDF5_ABSENT)
    fail_status (error, self->config_status);
  return self->config;
}

int
mien_hdf5_count_weights (const MienHdf5 *self, const char *layer, GError **error)
{
  const Layer *found = g_hash_table_lookup (self->layers, layer);

  if (found == NULL || found->status == MIEN_HDF5_ABSENT)
    return 0;
  if (found->status != MIEN_HDF5_OK) {
    fail_status (error, found->status);
    return -1;
  }
  return (int) found->weights->len;
}

static const Weight *
get_weight (const MienHdf5 *self, const char *layer, int index)
{
  const Layer *found = g_hash_table_lookup (self->layers, layer);

  return g_ptr_array_index (found->weights, index);
}

const char *
mien_hdf5_get_weight_name (const MienHdf5 *self, const char *layer, int index)
{
  return get_weight (self, layer, index)->name;
}

MienTensor *
mien_hdf5_ref_weight (const MienHdf5 *self, const char *layer, int index, GError **error)
{
  const Weight *weight = get_weight (self, layer, index);

  if (weight->status != MIEN_HDF5_OK && weight->status != MIEN_HDF5_ABSENT)
    fail_status (error, weight->status);
  return weight->tensor != NULL ? mien_tensor_ref (weight->tensor) : NULL;
}
