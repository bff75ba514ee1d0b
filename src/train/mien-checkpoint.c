/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checkpoints: weights, moments, averages and running statistics after an epoch. Order and augmentation follow from seed and
 * epoch, so nothing else is needed to go on bit for bit.
 *
 * File     a serialised GVariant (a{sv}), little endian: "format" s, "run" s, "epoch" i, "step" x, "seconds" d, "lr-scale" d, "cut-epoch" i,
 *          "rollbacks" i, "best-epoch" i, "best" (ddd), "tensors" a(say): name, floats */
#include "mien-config.h"

#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/stat.h>

#include "nn/mien-file.h"
#include "train/mien-train-private.h"

#define FORMAT "mien checkpoint 2"
#define MAX_BYTES ((guint64) 4 << 30)

/* Everything that must be equal for a run to go on as if it had never stopped: what was asked for, teachers, what it began with, and where it runs. */
static char *
describe_task (const MienRecipe *recipe, const char *data_hash)
{
  g_autofree char *settings = mien_recipe_describe (recipe);

  return g_strdup_printf ("%s data %s teachers ", settings, data_hash);
}

static char *
describe_place (const MienThreads *threads)
{
  return g_strdup_printf (" threads %d cpu %s", mien_threads_count (threads), mien_cpu_level_name (mien_cpu_level ()));
}

static char *
describe_run (const MienRun *self)
{
  g_autofree char *task = describe_task (&self->recipe, self->data_hash), *place = describe_place (self->threads);
  const char *teachers = mien_distil_get_hash (self->teachers);

  return g_strconcat (task, teachers != NULL ? teachers : "none", self->start_hash != NULL ? " start " : "",
                      self->start_hash != NULL ? self->start_hash : "", place, NULL);
}

typedef void (*ArrayFn) (const char *name, float *values, gsize n_elems, gpointer data);

static void
for_each_parameter (const MienNet *net, const char *prefix, ArrayFn fn, gpointer data)
{
  for (guint i = 0; i < net->graph->values->len; i++) {
    const MienValue *value = mien_graph_value (net->graph, i);
    g_autofree char *name = g_strconcat (prefix, value->name, NULL);
    if (value->kind == MIEN_VALUE_PARAMETER)
      fn (name, mien_tensor_f32 (value->tensor), value->tensor->n_elems, data);
  }
}

/* Every array of the run by name, in order. */
static void
for_each_array (const MienRun *self, ArrayFn fn, gpointer data)
{
  for_each_parameter (self->net, "", fn, data);
  for_each_parameter (self->use, "average.", fn, data);
  for (int i = 0; i < self->n_slots; i++) {
    g_autofree char *first = g_strdup_printf ("first.%d", i), *second = g_strdup_printf ("second.%d", i);
    fn (first, self->slots[i].first, self->slots[i].n_elems, data);
    if (self->slots[i].second != NULL)
      fn (second, self->slots[i].second, self->slots[i].n_elems, data);
  }
}

static void
add_array (const char *name, float *values, gsize n_elems, gpointer data)
{
  g_variant_builder_add (data, "(s@ay)", name, g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, values, n_elems * sizeof *values, 1));
}

GBytes *
mien_run_dup_state (const MienRun *self)
{
  g_autofree char *run = describe_run (self);
  GVariantBuilder tensors;
  GVariantDict dict;

  g_variant_builder_init (&tensors, G_VARIANT_TYPE ("a(say)"));
  for_each_array (self, add_array, &tensors);
  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert (&dict, "format", "s", FORMAT);
  g_variant_dict_insert (&dict, "run", "s", run);
  g_variant_dict_insert (&dict, "epoch", "i", self->epoch);
  g_variant_dict_insert (&dict, "step", "x", self->step);
  g_variant_dict_insert (&dict, "seconds", "d", self->seconds);
  g_variant_dict_insert (&dict, "lr-scale", "d", self->lr_scale);
  g_variant_dict_insert (&dict, "cut-epoch", "i", self->cut_epoch);
  g_variant_dict_insert (&dict, "rollbacks", "i", self->n_rollbacks);
  g_variant_dict_insert (&dict, "best-epoch", "i", self->best_epoch);
  g_variant_dict_insert (&dict, "best", "(ddd)", self->best.val_loss, self->best.val_accuracy, self->best.val_accuracy_clean);
  g_variant_dict_insert_value (&dict, "tensors", g_variant_builder_end (&tensors));
  g_autoptr (GVariant) state = g_variant_ref_sink (g_variant_dict_end (&dict));
  return g_variant_get_data_as_bytes (state);
}

gboolean
mien_run_save_checkpoint (const MienRun *self, const char *path, GError **error)
{
  g_autoptr (GBytes) state = mien_run_dup_state (self);
  gsize n_bytes;
  const char *data = g_bytes_get_data (state, &n_bytes);

  return g_file_set_contents_full (path, data, (gssize) n_bytes, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0666, error);
}

typedef struct {
  GHashTable *bytes; /* name to GVariant */
  gboolean ok;
} Restore;

static void
check_array (const char *name, float *values, gsize n_elems, gpointer data)
{
  Restore *restore = data;
  GVariant *bytes = g_hash_table_lookup (restore->bytes, name);

  restore->ok &= bytes != NULL && g_variant_get_size (bytes) == n_elems * sizeof *values;
}

static void
take_array (const char *name, float *values, gsize n_elems, gpointer data)
{
  Restore *restore = data;
  GVariant *bytes = g_hash_table_lookup (restore->bytes, name);

  memcpy (values, g_variant_get_data (bytes), n_elems * sizeof *values);
}

static gboolean
restore_arrays (const MienRun *self, GVariant *list)
{
  g_autoptr (GHashTable) bytes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_variant_unref);
  Restore restore = { bytes, TRUE };
  GVariantIter iter;
  char *name;
  GVariant *value;

  g_variant_iter_init (&iter, list);
  while (g_variant_iter_next (&iter, "(s@ay)", &name, &value))
    g_hash_table_insert (bytes, name, value);
  for_each_array (self, check_array, &restore);
  if (restore.ok)
    for_each_array (self, take_array, &restore);
  return restore.ok;
}

gboolean
mien_run_set_state (MienRun *self, GBytes *state, const char *shown, GError **error)
{
  g_autofree char *run = describe_run (self);
  g_autoptr (GVariant) variant = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_VARDICT, state, FALSE)), tensors = NULL;
  const char *format, *written_by;
  gint epoch, best_epoch, cut_epoch, n_rollbacks;
  gint64 step;
  double seconds, lr_scale, loss, accuracy, clean;

  if (!g_variant_is_normal_form (variant) || !g_variant_lookup (variant, "format", "&s", &format) || !g_str_equal (format, FORMAT) ||
      !g_variant_lookup (variant, "run", "&s", &written_by) || !g_variant_lookup (variant, "epoch", "i", &epoch) ||
      !g_variant_lookup (variant, "step", "x", &step) || !g_variant_lookup (variant, "seconds", "d", &seconds) ||
      !g_variant_lookup (variant, "lr-scale", "d", &lr_scale) || !g_variant_lookup (variant, "cut-epoch", "i", &cut_epoch) ||
      !g_variant_lookup (variant, "rollbacks", "i", &n_rollbacks) || !g_variant_lookup (variant, "best-epoch", "i", &best_epoch) ||
      !g_variant_lookup (variant, "best", "(ddd)", &loss, &accuracy, &clean) ||
      (tensors = g_variant_lookup_value (variant, "tensors", G_VARIANT_TYPE ("a(say)"))) == NULL) {
    g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_CHECKPOINT,
                 _("%s: this is no checkpoint, or it is damaged; start again without resuming"), shown);
    return FALSE;
  }
  if (!g_str_equal (written_by, run) || !restore_arrays (self, tensors)) {
    g_set_error (error, MIEN_TRAIN_ERROR, MIEN_TRAIN_ERROR_CHECKPOINT,
                 _("%s: this checkpoint belongs to a run with other settings, data or threads; use those, or start again without resuming"), shown);
    return FALSE;
  }
  self->epoch = epoch;
  self->step = step;
  self->seconds = seconds;
  self->lr_scale = lr_scale;
  self->cut_epoch = cut_epoch;
  self->n_rollbacks = n_rollbacks;
  self->best_epoch = best_epoch;
  self->best.val_loss = loss;
  self->best.val_accuracy = accuracy;
  self->best.val_accuracy_clean = clean;
  return TRUE;
}

gboolean
mien_run_load_checkpoint (MienRun *self, const char *path, GError **error)
{
  g_autofree char *shown = mien_file_shown_name (path);
  g_autoptr (GBytes) state = mien_file_load (path, MAX_BYTES, error);

  if (state == NULL) {
    g_prefix_error (error, "%s: ", shown);
    return FALSE;
  }
  return mien_run_set_state (self, state, shown, error);
}

/* Epochs done by a checkpoint that such a run would go on from; 0 when it would not. Reads only what it needs. */
static int
count_done (const char *path, const MienRecipe *recipe, const char *task, const char *place)
{
  g_autoptr (GMappedFile) file = g_mapped_file_new (path, FALSE, NULL);
  g_autoptr (GBytes) bytes = file != NULL ? g_mapped_file_get_bytes (file) : NULL;
  g_autoptr (GVariant) variant = NULL;
  const char *format, *run;
  gint epoch, best_epoch;

  if (bytes == NULL)
    return 0;
  variant = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_VARDICT, bytes, FALSE));
  if (!g_variant_lookup (variant, "format", "&s", &format) || !g_str_equal (format, FORMAT) || !g_variant_lookup (variant, "run", "&s", &run) ||
      !g_variant_lookup (variant, "epoch", "i", &epoch) || !g_variant_lookup (variant, "best-epoch", "i", &best_epoch))
    return 0;
  if (!g_str_has_prefix (run, task) || !g_str_has_suffix (run, place) || epoch < 1 || epoch >= recipe->epochs)
    return 0;
  return recipe->patience > 0 && epoch - best_epoch >= recipe->patience ? 0 : epoch; /* it had ended of itself */
}

char *
mien_train_find_unfinished (const char *folder, const MienRecipe *recipe, const char *data_hash, int threads, int *epoch)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  MienThreads *pool = mien_threads_new (threads); /* tells how many "all" are */
  g_autofree char *task = describe_task (recipe, data_hash), *place = describe_place (pool), *found = NULL;
  gint64 newest = G_MININT64;
  const char *name;

  mien_threads_free (pool);
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (folder, name, NULL), *model = NULL;
    struct stat info;
    int done;

    if (!g_str_has_suffix (name, ".ckpt") || stat (path, &info) != 0 || !S_ISREG (info.st_mode) || info.st_mtime < newest)
      continue;
    model = g_strdup_printf ("%.*s.onnx", (int) strlen (path) - 5, path);
    if (!g_file_test (model, G_FILE_TEST_IS_REGULAR) || (done = count_done (path, recipe, task, place)) == 0)
      continue;
    newest = info.st_mtime;
    *epoch = done;
    g_free (found);
    found = g_steal_pointer (&model);
  }
  return g_steal_pointer (&found);
}
