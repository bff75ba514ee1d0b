/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The data set itself, and the choice of the reader. */
#include "mien-config.h"

#include "data/mien-dataset-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

G_DEFINE_QUARK (mien-dataset-error-quark, mien_dataset_error)

const char *const mien_dataset_labels[MIEN_DATASET_N_LABELS + 1] = {
  "angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", NULL,
};

static const struct {
  const char *name, *usage;
} split_names[MIEN_N_SPLITS] = {
  [MIEN_SPLIT_TRAINING] = { "training", "Training" },
  [MIEN_SPLIT_PUBLIC] = { "public", "PublicTest" },
  [MIEN_SPLIT_PRIVATE] = { "private", "PrivateTest" },
};

const char *
mien_split_name (MienSplit split)
{
  g_return_val_if_fail (split < MIEN_N_SPLITS, NULL);

  return split_names[split].name;
}

gboolean
mien_split_parse (const char *name, MienSplit *split)
{
  for (int i = 0; i < MIEN_N_SPLITS; i++) {
    if (g_ascii_strcasecmp (name, split_names[i].name) == 0 || g_ascii_strcasecmp (name, split_names[i].usage) == 0) {
      *split = (MienSplit) i;
      return TRUE;
    }
  }
  return FALSE;
}

gboolean
mien_split_wanted (const MienDatasetLoader *self, MienSplit split)
{
  return (self->wanted & 1u << split) != 0;
}

guint8 *
mien_dataset_loader_add (MienDatasetLoader *self, int label, MienSplit split, char *name, GError **error)
{
  if (self->n == MIEN_DATASET_MAX_IMAGES) {
    g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_SIZE, _("%s: more than %d pictures; take a part of them"), self->path,
                 MIEN_DATASET_MAX_IMAGES);
    g_free (name);
    return NULL;
  }
  if (self->n == self->capacity) {
    self->capacity = self->capacity > 0 ? self->capacity * 2 : 1024;
    self->pixels = g_realloc_n (self->pixels, (gsize) self->capacity, MIEN_FACE_PIXELS);
    self->labels = g_realloc (self->labels, (gsize) self->capacity);
    self->splits = g_realloc (self->splits, (gsize) self->capacity);
  }
  if (name != NULL) {
    if (self->names == NULL)
      self->names = g_ptr_array_new_with_free_func (g_free);
    g_ptr_array_add (self->names, name);
  }
  self->labels[self->n] = (guint8) label;
  self->splits[self->n] = (guint8) split;
  return self->pixels + (gsize) self->n++ * MIEN_FACE_PIXELS;
}

void
mien_dataset_flatten (char *text)
{
  for (char *c = text; *c != '\0'; c++)
    if (g_ascii_iscntrl (*c))
      *c = ' ';
}

void
mien_dataset_loader_skip (MienDatasetLoader *self, MienSkipReason reason, int n_files, const char *place, const char *format, ...)
{
  MienSkip *skip = &self->skips[reason];

  self->n_skipped += n_files;
  skip->n_files += n_files;
  for (int i = 0; i < MIEN_SKIP_PLACES; i++) {
    if (skip->places[i] == NULL) {
      skip->places[i] = g_strdup (place);
      mien_dataset_flatten (skip->places[i]);
      break;
    }
  }
  if (self->skipped->len >= MIEN_DATASET_MAX_SKIPPED) {
    g_ptr_array_set_size (self->skipped, MIEN_DATASET_MAX_SKIPPED);
    g_ptr_array_add (self->skipped, g_strdup_printf (_("… %d files left out in all"), self->n_skipped));
    return;
  }
  va_list args;
  va_start (args, format);
  char *sentence = g_strdup_vprintf (format, args);
  va_end (args);
  mien_dataset_flatten (sentence);
  g_ptr_array_add (self->skipped, sentence);
}

gboolean
mien_dataset_loader_tick (MienDatasetLoader *self, double fraction, GError **error)
{
  if (g_cancellable_set_error_if_cancelled (self->cancellable, error))
    return FALSE;
  fraction = CLAMP (fraction, self->fraction, 1.0); /* never backwards */
  if (self->progress != NULL && fraction > self->fraction)
    self->progress (fraction, self->progress_data);
  self->fraction = fraction;
  return TRUE;
}

static void
clear_skips (MienSkip *skips)
{
  for (int reason = 0; reason < MIEN_N_SKIP_REASONS; reason++)
    for (int i = 0; i < MIEN_SKIP_PLACES; i++)
      g_clear_pointer (&skips[reason].places[i], g_free);
}

static const char *
count_reason (MienSkipReason reason, int n)
{
  switch (reason) {
  case MIEN_SKIP_NO_PICTURE:
    return g_dngettext (GETTEXT_PACKAGE, "%d file is no JPEG, PNG or BMP picture", "%d files are no JPEG, PNG or BMP pictures", (gulong) n);
  case MIEN_SKIP_DAMAGED:
    return g_dngettext (GETTEXT_PACKAGE, "%d picture is damaged", "%d pictures are damaged", (gulong) n);
  case MIEN_SKIP_LIMITS:
    return g_dngettext (GETTEXT_PACKAGE, "%d picture is over the limits", "%d pictures are over the limits", (gulong) n);
  case MIEN_SKIP_UNREADABLE:
    return g_dngettext (GETTEXT_PACKAGE, "%d file cannot be read", "%d files cannot be read", (gulong) n);
  default:
    return g_dngettext (GETTEXT_PACKAGE, "%d file is in a folder that is none of the seven classes",
                        "%d files are in folders that are none of the seven classes", (gulong) n);
  }
}

char **
mien_dataset_dup_report (const MienDataset *self)
{
  GStrvBuilder *lines = g_strv_builder_new ();
  char **report;

  for (int reason = 0; reason < MIEN_N_SKIP_REASONS; reason++) {
    const MienSkip *skip = &self->skips[reason];
    g_autoptr (GString) line = g_string_new (NULL);
    int n = 0;

    if (skip->n_files == 0)
      continue;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    g_string_append_printf (line, count_reason ((MienSkipReason) reason, skip->n_files), skip->n_files);
#pragma GCC diagnostic pop
    for (; n < MIEN_SKIP_PLACES && skip->places[n] != NULL; n++)
      g_string_append_printf (line, "%s%s", n == 0 ? ": " : ", ", skip->places[n]);
    if (n < skip->n_files && (reason != MIEN_SKIP_OTHER_FOLDER || n == MIEN_SKIP_PLACES))
      g_string_append (line, ", …");
    g_strv_builder_add (lines, line->str);
  }
  report = g_strv_builder_end (lines);
  g_strv_builder_unref (lines);
  return report;
}

static void
report_other_folders (MienDatasetLoader *self)
{
  g_autoptr (GList) folders = g_list_sort (g_hash_table_get_keys (self->other_folders), (GCompareFunc) strcmp);

  for (GList *l = folders; l != NULL; l = l->next) {
    const int n_files = GPOINTER_TO_INT (g_hash_table_lookup (self->other_folders, l->data));
    mien_dataset_loader_skip (self, MIEN_SKIP_OTHER_FOLDER, n_files, l->data,
                              g_dngettext (GETTEXT_PACKAGE, "%s is none of the seven classes: %d file left out",
                                           "%s is none of the seven classes: %d files left out", (gulong) n_files),
                              (const char *) l->data, n_files);
  }
}

typedef struct {
  guint8 split;
  const char *name;
  int index;
} Place;

static int
compare_places (const void *a, const void *b)
{
  const Place *p = a, *q = b;

  if (p->split != q->split)
    return p->split - q->split;
  const int order = strcmp (p->name, q->name);
  return order != 0 ? order : p->index - q->index;
}

static MienDataset *
finish_loading (MienDatasetLoader *self)
{
  MienDataset *data = mien_dataset_new (MIEN_FACE_SIZE, self->names != NULL ? self->n : 0);

  report_other_folders (self);
  data->n_skipped = self->n_skipped;
  memcpy (data->skips, self->skips, sizeof data->skips);
  memset (self->skips, 0, sizeof self->skips);
  g_ptr_array_unref (data->skipped);
  data->skipped = g_steal_pointer (&self->skipped);
  data->source = g_strdup (self->path);
  if (self->names == NULL) {
    g_free (data->pixels);
    g_free (data->labels);
    g_free (data->splits);
    data->n = self->n;
    data->pixels = g_realloc_n (g_steal_pointer (&self->pixels), (gsize) self->n, MIEN_FACE_PIXELS);
    data->labels = g_steal_pointer (&self->labels);
    data->splits = g_steal_pointer (&self->splits);
    return data;
  }

  g_autofree Place *places = g_new (Place, self->n);
  for (int i = 0; i < self->n; i++)
    places[i] = (Place){ self->splits[i], self->names->pdata[i], i };
  qsort (places, (gsize) self->n, sizeof *places, compare_places);
  data->names = g_new0 (char *, (gsize) self->n + 1);
  for (int i = 0; i < self->n; i++) {
    const int from = places[i].index;
    memcpy (data->pixels + (gsize) i * MIEN_FACE_PIXELS, self->pixels + (gsize) from * MIEN_FACE_PIXELS, MIEN_FACE_PIXELS);
    data->labels[i] = self->labels[from];
    data->splits[i] = self->splits[from];
    data->names[i] = g_strdup (places[i].name);
  }
  return data;
}

typedef enum { FORM_CSV, FORM_ZIP, FORM_TAR } Form;

/* By the first bytes; TAR: tar or anything compressed. Everything else is taken for CSV, whose reader complains well. */
static Form
sniff_form (const char *path)
{
  guint8 head[512] = { 0 };
  const int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

  if (fd < 0)
    return FORM_CSV;
  const gssize n = read (fd, head, sizeof head);
  close (fd);
  if (n > 4 && head[0] == 'P' && head[1] == 'K' && head[2] < 10)
    return FORM_ZIP;
  if (n > 4 && (memcmp (head, "\x1f\x8b", 2) == 0 || memcmp (head, "BZh", 3) == 0 || memcmp (head, "\xfd" "7zXZ", 5) == 0
                || memcmp (head, "\x28\xb5\x2f\xfd", 4) == 0 || memcmp (head + 257, "ustar", 5) == 0))
    return FORM_TAR;
  return FORM_CSV;
}

static gboolean
read_source (MienDatasetLoader *self, const char *path, GError **error)
{
  struct stat info;

  if (stat (path, &info) != 0) {
    const int code = errno;
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (code), "%s: %s", self->path, g_strerror (code));
    return FALSE;
  }
  if (S_ISDIR (info.st_mode))
    return mien_dataset_load_folder (self, path, error);
  if (!S_ISREG (info.st_mode)) {
    g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_FORMAT, _("%s: neither a file nor a folder"), self->path);
    return FALSE;
  }

  const Form form = sniff_form (path);
  return form == FORM_CSV ? mien_dataset_load_csv (self, path, error)
                          : mien_dataset_load_archive (self, path, form == FORM_ZIP, error);
}

/* "training and public": the splits of a mask, for messages */
static char *
describe_splits (guint wanted)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (int i = 0; i < MIEN_N_SPLITS; i++)
    if (wanted & 1u << i)
      g_string_append_printf (text, "%s%s", text->len > 0 ? ", " : "", split_names[i].name);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

MienDataset *
mien_dataset_load (const char *path, guint splits, MienProgressFn progress, gpointer progress_data, GCancellable *cancellable,
                   GError **error)
{
  g_autofree char *shown = g_filename_display_name (path);
  MienDatasetLoader loader = {
    .path = shown,
    .wanted = splits,
    .progress = progress,
    .progress_data = progress_data,
    .cancellable = cancellable,
    .other_folders = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
    .skipped = g_ptr_array_new_with_free_func (g_free),
  };
  MienDataset *data = NULL;

  if (read_source (&loader, path, error)) {
    if (loader.n > 0) {
      data = finish_loading (&loader);
      mien_dataset_loader_tick (&loader, 1, NULL);
    } else {
      g_autofree char *wanted = describe_splits (splits);
      g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_EMPTY,
                   _("%s: no usable picture of this split (%s) in it; expected fer2013.csv or pictures in folders angry … neutral"),
                   shown, wanted);
    }
  }
  g_hash_table_unref (loader.other_folders);
  clear_skips (loader.skips);
  g_clear_pointer (&loader.skipped, g_ptr_array_unref);
  g_clear_pointer (&loader.names, g_ptr_array_unref);
  g_free (loader.pixels);
  g_free (loader.labels);
  g_free (loader.splits);
  return data;
}

MienDataset *
mien_dataset_new (int size, int n)
{
  MienDataset *self = g_new0 (MienDataset, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->size = size;
  self->n = n;
  self->pixels = g_malloc0_n ((gsize) n, (gsize) size * (gsize) size);
  self->labels = g_malloc0 ((gsize) n);
  self->splits = g_malloc0 ((gsize) n);
  self->skipped = g_ptr_array_new_with_free_func (g_free);
  return self;
}

MienDataset *
mien_dataset_ref (MienDataset *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
mien_dataset_unref (MienDataset *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  for (int i = 0; self->names != NULL && i < self->n; i++)
    g_free (self->names[i]);
  g_free (self->names);
  g_free (self->pixels);
  g_free (self->labels);
  g_free (self->splits);
  g_free (self->source);
  g_clear_pointer (&self->skipped, g_ptr_array_unref);
  clear_skips (self->skips);
  g_free (self);
}

MienDataset *
mien_dataset_pick (const MienDataset *self, const guint8 *flags)
{
  const gsize n_pixels = (gsize) self->size * (gsize) self->size;
  int n = 0;

  for (int i = 0; i < self->n; i++)
    n += flags[i] != 0;

  MienDataset *picked = mien_dataset_new (self->size, n);
  picked->source = g_strdup (self->source);
  if (self->names != NULL)
    picked->names = g_new0 (char *, (gsize) n + 1);
  for (int i = 0, to = 0; i < self->n; i++) {
    if (flags[i] == 0)
      continue;
    memcpy (picked->pixels + (gsize) to * n_pixels, self->pixels + (gsize) i * n_pixels, n_pixels);
    picked->labels[to] = self->labels[i];
    picked->splits[to] = self->splits[i];
    if (self->names != NULL)
      picked->names[to] = g_strdup (self->names[i]);
    to++;
  }
  return picked;
}

MienDataset *
mien_dataset_subset (const MienDataset *self, MienSplit split)
{
  g_autofree guint8 *flags = g_new (guint8, MAX (self->n, 1));

  for (int i = 0; i < self->n; i++)
    flags[i] = self->splits[i] == split;
  return mien_dataset_pick (self, flags);
}

void
mien_dataset_count (const MienDataset *self, MienSplit split, int counts[MIEN_DATASET_N_LABELS])
{
  memset (counts, 0, MIEN_DATASET_N_LABELS * sizeof *counts);
  for (int i = 0; i < self->n; i++)
    if (self->splits[i] == split && self->labels[i] < MIEN_DATASET_N_LABELS)
      counts[self->labels[i]]++;
}

typedef struct {
  guint64 hash;
  int index;
} Print;

static int
compare_prints (const void *a, const void *b)
{
  const Print *p = a, *q = b;

  return p->hash < q->hash ? -1 : p->hash > q->hash;
}

static guint64
hash_pixels (const guint8 *pixels, gsize n)
{
  guint64 hash = G_GUINT64_CONSTANT (0xcbf29ce484222325); /* FNV-1a */

  for (gsize i = 0; i < n; i++)
    hash = (hash ^ pixels[i]) * G_GUINT64_CONSTANT (0x100000001b3);
  return hash;
}

void
mien_dataset_find_twins (const MienDataset *self, MienSplit split, MienSplit other_split, guint8 *flags)
{
  const gsize n_pixels = (gsize) self->size * (gsize) self->size;
  g_autofree Print *prints = g_new (Print, self->n);
  int n = 0;

  for (int i = 0; i < self->n; i++)
    if (self->splits[i] == other_split)
      prints[n++] = (Print){ hash_pixels (self->pixels + (gsize) i * n_pixels, n_pixels), i };
  qsort (prints, (gsize) n, sizeof *prints, compare_prints);

  for (int i = 0; i < self->n; i++) {
    const guint8 *pixels = self->pixels + (gsize) i * n_pixels;
    int low = 0, high = n;

    flags[i] = 0;
    if (self->splits[i] != split)
      continue;
    const guint64 hash = hash_pixels (pixels, n_pixels);
    while (low < high) {
      const int middle = (low + high) / 2;
      if (prints[middle].hash < hash)
        low = middle + 1;
      else
        high = middle;
    }
    for (; low < n && prints[low].hash == hash && !flags[i]; low++)
      flags[i] = prints[low].index != i
                 && memcmp (self->pixels + (gsize) prints[low].index * n_pixels, pixels, n_pixels) == 0;
  }
}

void
mien_dataset_part (const MienDataset *self, int n, guint8 *parts)
{
  const gsize n_pixels = (gsize) self->size * (gsize) self->size;

  for (int i = 0; i < self->n; i++)
    parts[i] = (guint8) ((hash_pixels (self->pixels + (gsize) i * n_pixels, n_pixels) >> 32) % (guint64) n);
}

char *
mien_dataset_dup_hash (const MienDataset *self)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  const gsize n = (gsize) self->n, n_pixels = (gsize) self->size * (gsize) self->size;

  for (gsize i = 0; i < n; i++) /* g_checksum_update() takes a signed length, but it stays small a picture */
    g_checksum_update (checksum, self->pixels + i * n_pixels, (gssize) n_pixels);
  g_checksum_update (checksum, self->labels, (gssize) n);
  g_checksum_update (checksum, self->splits, (gssize) n);
  return g_strdup (g_checksum_get_string (checksum));
}
