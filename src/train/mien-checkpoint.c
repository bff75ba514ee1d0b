/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checkpoints: weights, momentum, averages and running statistics after an epoch. Order and augmentation follow from seed and
 * epoch, so nothing else is needed to go on bit for bit.
 *
 * File     a serialised GVariant (a{sv}), little endian: "format" s, "run" s, "epoch" i, "step" x, "seconds" d, "best-epoch" i,
 *          "best" (ddd), "tensors" a(say): name, floats */
#include "mien-config.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "train/mien-train-private.h"

#define FORMAT "mien checkpoint 1"

/* Everything that must be equal for a run to go on as if it had never stopped. */
static char *
describe_run (const MienRun *self)
{
  const MienRecipe *r = &self->recipe;
  const MienAugment *a = &r->augment;

  return g_strdup_printf ("%s epochs %d batch %d lr %a momentum %a decay %a smoothing %a dropout %a path %a mixup %a ema %a warmup %d seed %" G_GUINT64_FORMAT
                          " augment %d %a %a %a %a %a %a %a %a %a data %s threads %d cpu %s",
                          r->arch, r->epochs, r->batch, r->lr, r->momentum, r->weight_decay, r->label_smoothing, r->dropout, r->drop_path, r->mixup_alpha,
                          r->ema, r->warmup_epochs, r->seed, a->flip, a->shift, a->rotate_deg, a->scale, a->shear, a->brightness, a->contrast,
                          a->noise, a->erase, a->erase_area, self->data_hash, mien_threads_count (self->threads),
                          mien_cpu_level_name (mien_cpu_level ()));
}

/* Every tensor of the run by name, in order. */
static void
for_each_tensor (const MienRun *self, void (*fn) (const char *name, MienTensor *tensor, gpointer data), gpointer data)
{
  for (guint i = 0; i < self->net->graph->values->len; i++) {
    const MienValue *value = mien_graph_value (self->net->graph, i);
    if (value->kind == MIEN_VALUE_PARAMETER)
      fn (value->name, value->tensor, data);
  }
  for (guint i = 0; i < self->use->graph->values->len; i++) {
    const MienValue *value = mien_graph_value (self->use->graph, i);
    g_autofree char *name = g_strdup_printf ("average.%s", value->name);
    if (value->kind == MIEN_VALUE_PARAMETER)
      fn (name, value->tensor, data);
  }
  for (guint i = 0; i < self->parameters->len; i++) {
    g_autofree char *name = g_strdup_printf ("velocity.%u", i);
    fn (name, g_array_index (self->parameters, MienRunParameter, i).velocity, data);
  }
}

static void
add_tensor (const char *name, MienTensor *tensor, gpointer data)
{
  g_variant_builder_add (data, "(s@ay)", name, g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, tensor->data, mien_tensor_n_bytes (tensor), 1));
}

gboolean
mien_run_save_checkpoint (const MienRun *self, const char *path, GError **error)
{
  g_autofree char *run = describe_run (self);
  GVariantBuilder tensors;
  GVariantDict dict;

  g_variant_builder_init (&tensors, G_VARIANT_TYPE ("a(say)"));
  for_each_tensor (self, add_tensor, &tensors);
  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert (&dict, "format", "s", FORMAT);
  g_variant_dict_insert (&dict, "run", "s", run);
  g_variant_dict_insert (&dict, "epoch", "i", self->epoch);
  g_variant_dict_insert (&dict, "step", "x", self->step);
  g_variant_dict_insert (&dict, "seconds", "d", self->seconds);
  g_variant_dict_insert (&dict, "best-epoch", "i", self->best_epoch);
  g_variant_dict_insert (&dict, "best", "(ddd)", self->best.val_loss, self->best.val_accuracy, self->best.val_accuracy_clean);
  g_variant_dict_insert_value (&dict, "tensors", g_variant_builder_end (&tensors));
  g_autoptr (GVariant) checkpoint = g_variant_ref_sink (g_variant_dict_end (&dict));
  return g_file_set_contents_full (path, g_variant_get_data (checkpoint), (gssize) g_variant_get_size (checkpoint),
                                   G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0666, error);
}

typedef struct {
  GHashTable *bytes; /* name to GVariant */
  gboolean ok;
} Restore;

static void
check_tensor (const char *name, MienTensor *tensor, gpointer data)
{
  Restore *restore = data;
  GVariant *bytes = g_hash_table_lookup (restore->bytes, name);

  restore->ok &= bytes != NULL && g_variant_get_size (bytes) == mien_tensor_n_bytes (tensor);
}

static void
take_tensor (const char *name, MienTensor *tensor, gpointer data)
{
  Restore *restore = data;
  GVariant *bytes = g_hash_table_lookup (restore->bytes, name);

  memcpy (tensor->data, g_variant_get_data (bytes), mien_tensor_n_bytes (tensor));
}

static gboolean
restore_tensors (const MienRun *self, GVariant *list)
{
  g_autoptr (GHashTable) bytes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_variant_unref);
  Restore restore = { bytes, TRUE };
  GVariantIter iter;
  char *name;
  GVariant *value;

  g_variant_iter_init (&iter, list);
  while (g_variant_iter_next (&iter, "(s@ay)", &name, &value))
    g_hash_table_insert (bytes, name, value);
  for_each_tensor (self, check_tensor, &restore);
  if (restore.ok)
    for_each_tensor (self, take_tensor, &restore);
  return restore.ok;
}

gboolean
mien_run_load_checkpoint (MienRun *self, const char *path, GError **error)
{
  g_autofree char *run = describe_run (self), *contents = NULL;
  g_autoptr (GVariant) checkpoint = NULL, tensors = NULL;
  g_autoptr (GBytes) bytes = NULL;
  const char *format, *written_by;
  gsize n_bytes;
  gint epoch, best_epoch;
  gint64 step;
  double seconds;

  if (!g_file_get_contents (path, &contents, &n_bytes, error))
    return FALSE;
  bytes = g_bytes_new_take (g_steal_pointer (&contents), n_bytes);
  checkpoint = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_VARDICT, bytes, FALSE));
  if (!g_variant_is_normal_form (checkpoint) || !g_variant_lookup (checkpoint, "format", "&s", &format) || !g_str_equal (format, FORMAT) ||
      !g_variant_lookup (checkpoint, "run", "&s", &written_by) || !g_variant_lookup (checkpoint, "epoch", "i", &epoch) ||
      !g_variant_lookup (checkpoint, "step", "x", &step) || !g_variant_lookup (checkpoint, "seconds", "d", &seconds) ||
      !g_variant_lookup (checkpoint, "best-epoch", "i", &best_epoch) ||
      !g_variant_lookup (checkpoint, "best", "(ddd)", &self->best.val_loss, &self->best.val_accuracy, &self->best.val_accuracy_clean) ||
      (tensors = g_variant_lookup_value (checkpoint, "tensors", G_VARIANT_TYPE ("a(say)"))) == NULL) {
    g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_CHECKPOINT,
                 _("%s: this is no checkpoint, or it is damaged; start again without resuming"), path);
    return FALSE;
  }
  if (!g_str_equal (written_by, run) || !restore_tensors (self, tensors)) {
    g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_CHECKPOINT,
                 _("%s: this checkpoint belongs to a run with other settings, data or threads; use those, or start again without resuming"), path);
    return FALSE;
  }
  self->epoch = epoch;
  self->step = step;
  self->seconds = seconds;
  self->best_epoch = best_epoch;
  return TRUE;
}
