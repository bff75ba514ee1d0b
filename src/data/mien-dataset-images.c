/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The picture forms: what a path says about class and split, decoding, and walking through a folder. */
#include "mien-config.h"

#include "data/mien-dataset-private.h"

#include <errno.h>
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gi18n-lib.h>
#include <inttypes.h>
#include <glib/gstdio.h>
#include <string.h>

enum { MAX_SIDE = 4096, MAX_DEPTH = 16, PIECE = 1 << 14 };

static const struct {
  const char *folder;
  int label;
} class_folders[] = {
  { "angry", 0 }, { "anger", 0 }, { "disgust", 1 }, { "disgusted", 1 }, { "fear", 2 }, { "fearful", 2 }, { "happy", 3 },
  { "happiness", 3 }, { "sad", 4 }, { "sadness", 4 }, { "surprise", 5 }, { "surprised", 5 }, { "neutral", 6 },
};

static const struct {
  const char *folder;
  MienSplit split;
} split_folders[] = {
  { "train", MIEN_SPLIT_TRAINING }, { "training", MIEN_SPLIT_TRAINING }, { "test", MIEN_SPLIT_PUBLIC },
  { "public", MIEN_SPLIT_PUBLIC }, { "publictest", MIEN_SPLIT_PUBLIC }, { "val", MIEN_SPLIT_PUBLIC },
  { "valid", MIEN_SPLIT_PUBLIC }, { "validation", MIEN_SPLIT_PUBLIC }, { "private", MIEN_SPLIT_PRIVATE },
  { "privatetest", MIEN_SPLIT_PRIVATE },
};

static const struct {
  const char *prefix;
  MienSplit split;
} split_prefixes[] = {
  { "Training_", MIEN_SPLIT_TRAINING }, { "PublicTest_", MIEN_SPLIT_PUBLIC }, { "PrivateTest_", MIEN_SPLIT_PRIVATE },
};

gboolean
mien_dataset_classify (MienDatasetLoader *self, const char *member, int *label, MienSplit *split, char **name)
{
  g_auto (GStrv) parts = g_strsplit (member, "/", -1);
  const int n = (int) g_strv_length (parts);
  const char *file = n > 0 ? parts[n - 1] : "";

  /* what file managers and archivers leave behind, and anything hidden */
  if (file[0] == '\0' || g_str_equal (parts[0], "__MACOSX") || g_ascii_strcasecmp (file, "thumbs.db") == 0)
    return FALSE;
  for (int p = 0; p < n; p++)
    if (parts[p][0] == '.' && !g_str_equal (parts[p], ".") && !g_str_equal (parts[p], ".."))
      return FALSE;

  *label = -1;
  for (int i = 0; n >= 2 && i < (int) G_N_ELEMENTS (class_folders); i++)
    if (g_ascii_strcasecmp (parts[n - 2], class_folders[i].folder) == 0)
      *label = class_folders[i].label;
  if (*label < 0) {
    char *folder = g_path_get_dirname (member);
    const int n_files = GPOINTER_TO_INT (g_hash_table_lookup (self->other_folders, folder));
    g_hash_table_replace (self->other_folders, folder, GINT_TO_POINTER (n_files + 1));
    return FALSE;
  }

  *split = MIEN_SPLIT_TRAINING;
  for (int p = 0; p < n - 2; p++) /* the innermost one counts */
    for (int i = 0; i < (int) G_N_ELEMENTS (split_folders); i++)
      if (g_ascii_strcasecmp (parts[p], split_folders[i].folder) == 0)
        *split = split_folders[i].split;
  for (int i = 0; i < (int) G_N_ELEMENTS (split_prefixes); i++)
    if (g_str_has_prefix (file, split_prefixes[i].prefix))
      *split = split_prefixes[i].split;
  *name = g_strconcat (parts[n - 2], "/", file, NULL);
  return TRUE;
}

/* Only formats whose decoders have been looked at hard: a data set is downloaded, its members are strangers. */
static const char *
sniff_format (const guint8 *data, gsize n_bytes)
{
  if (n_bytes >= 3 && memcmp (data, "\xff\xd8\xff", 3) == 0)
    return "jpeg";
  if (n_bytes >= 8 && memcmp (data, "\x89PNG\r\n\x1a\n", 8) == 0)
    return "png";
  if (n_bytes >= 2 && memcmp (data, "BM", 2) == 0)
    return "bmp";
  return NULL;
}

typedef struct {
  gsize n_bytes;
  int width, height;
  gboolean over_limits;
} Announced;

static gboolean
check_limits (Announced *size, int width, int height)
{
  size->width = width;
  size->height = height;
  /* far more bytes than the pixels could need are scans that keep the decoder busy */
  size->over_limits = width > MAX_SIDE || height > MAX_SIDE
                      || size->n_bytes > 65536 + (gsize) 8 * (gsize) width * (gsize) height;
  return !size->over_limits;
}

/* Walks the segments up to the frame header: libjpeg can be kept busy even before it announces a size. */
static gboolean
check_jpeg_limits (Announced *size, const guint8 *data)
{
  for (gsize at = 2; at + 9 < size->n_bytes;) {
    const guint8 marker = data[at + 1];
    if (data[at] != 0xff || marker == 0x00 || marker == 0xff || marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at++; /* rubbish between segments, fill bytes, markers without a segment: as lenient as libjpeg */
      continue;
    }
    if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc)
      return check_limits (size, data[at + 7] << 8 | data[at + 8], data[at + 5] << 8 | data[at + 6]);
    at += 2 + (gsize) (data[at + 2] << 8 | data[at + 3]);
  }
  return TRUE; /* no frame: the decoder says so, or finds one */
}

static void
size_prepared_cb (GdkPixbufLoader *loader, int width, int height, gpointer data)
{
  Announced *size = data;

  if (!check_limits (size, width, height))
    gdk_pixbuf_loader_set_size (loader, 0, 0); /* makes the decoder stop before it allocates */
}

static void
reduce_to_grey (const GdkPixbuf *pixbuf, guint8 *out)
{
  const guint8 *pixels = gdk_pixbuf_read_pixels (pixbuf);
  const int stride_bytes = gdk_pixbuf_get_rowstride (pixbuf), n_channels = gdk_pixbuf_get_n_channels (pixbuf);

  for (int y = 0; y < MIEN_FACE_SIZE; y++) {
    const guint8 *p = pixels + (gsize) y * (gsize) stride_bytes;
    for (int x = 0; x < MIEN_FACE_SIZE; x++, p += n_channels) {
      const guint32 grey = (19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 32768u) >> 16; /* weights add up to 2^16 */
      *out++ = (guint8) (n_channels == 4 ? (grey * p[3] + 127) / 255 : grey);
    }
  }
}

gboolean
mien_face_decode (const guint8 *data, gsize n_bytes, guint8 *out, GError **error)
{
  const char *format = sniff_format (data, n_bytes);
  g_autoptr (GError) reason = NULL;
  Announced size = { .n_bytes = n_bytes };

  if (format == NULL) {
    g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_FORMAT, "%s", _("is not a JPEG, PNG or BMP picture"));
    return FALSE;
  }

  g_autoptr (GdkPixbufLoader) loader = gdk_pixbuf_loader_new_with_type (format, &reason);
  gboolean ok = loader != NULL && (format[0] != 'j' || check_jpeg_limits (&size, data));
  if (ok)
    g_signal_connect (loader, "size-prepared", G_CALLBACK (size_prepared_cb), &size);
  for (gsize at = 0; ok && at < n_bytes; at += PIECE) {
    ok = gdk_pixbuf_loader_write (loader, data + at, MIN (n_bytes - at, (gsize) PIECE), &reason);
    ok = ok && !size.over_limits;
  }
  if (loader != NULL && !gdk_pixbuf_loader_close (loader, ok ? &reason : NULL))
    ok = FALSE;

  GdkPixbuf *decoded = ok ? gdk_pixbuf_loader_get_pixbuf (loader) : NULL;
  if (decoded == NULL) {
    if (size.over_limits)
      g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_SIZE,
                   _("is over the limits (%d × %d pixels in %zu bytes)"), size.width, size.height, n_bytes);
    else
      g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_DAMAGED, _("is damaged (%s)"),
                   reason != NULL ? reason->message : format);
    return FALSE;
  }

  const int width = gdk_pixbuf_get_width (decoded), height = gdk_pixbuf_get_height (decoded);
  if (width == MIEN_FACE_SIZE && height == MIEN_FACE_SIZE) {
    reduce_to_grey (decoded, out);
    return TRUE;
  }

  const int side = MIN (width, height);
  g_autoptr (GdkPixbuf) square = gdk_pixbuf_new_subpixbuf (decoded, (width - side) / 2, (height - side) / 2, side, side);
  g_autoptr (GdkPixbuf) scaled = gdk_pixbuf_scale_simple (square, MIEN_FACE_SIZE, MIEN_FACE_SIZE, GDK_INTERP_BILINEAR);
  if (scaled == NULL) {
    g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_SIZE, "%s", _("does not fit into memory"));
    return FALSE;
  }
  reduce_to_grey (scaled, out);
  return TRUE;
}

gboolean
mien_dataset_add_picture (MienDatasetLoader *self, const guint8 *data, gsize n_bytes, const char *member, int label,
                          MienSplit split, char *name, GError **error)
{
  guint8 face[MIEN_FACE_PIXELS];
  g_autofree char *owned_name = name;
  g_autoptr (GError) reason = NULL;

  if (!mien_face_decode (data, n_bytes, face, &reason)) {
    /* TRANSLATORS: file, what is wrong with it */
    mien_dataset_loader_skip (self,
                              g_error_matches (reason, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_SIZE)      ? MIEN_SKIP_LIMITS
                              : g_error_matches (reason, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_DAMAGED) ? MIEN_SKIP_DAMAGED
                                                                                                         : MIEN_SKIP_NO_PICTURE,
                              1, member, _("%s %s"), member, reason->message);
    return TRUE;
  }

  guint8 *out = mien_dataset_loader_add (self, label, split, g_steal_pointer (&owned_name), error);
  if (out == NULL)
    return FALSE;
  memcpy (out, face, sizeof face);
  return TRUE;
}

typedef struct {
  const char *root;
  GPtrArray *files;     /* char *, relative to root */
  GHashTable *visited;  /* "device:inode" of folders, so that links in a circle end */
  int n_entries;
} Walk;

static gboolean
walk_folder (MienDatasetLoader *self, Walk *walk, const char *folder, int depth, GError **error)
{
  g_autofree char *path = g_build_filename (walk->root, folder, NULL);
  g_autoptr (GDir) dir = NULL;
  GStatBuf info;
  const char *entry;

  if (g_stat (path, &info) != 0)
    return TRUE;
  if (!g_hash_table_add (walk->visited, g_strdup_printf ("%" PRIu64 ":%" PRIu64, (guint64) info.st_dev,
                                                        (guint64) info.st_ino)))
    return TRUE;
  dir = g_dir_open (path, 0, error);
  if (dir == NULL) {
    g_prefix_error (error, "%s: ", self->path);
    return FALSE;
  }
  while ((entry = g_dir_read_name (dir)) != NULL) {
    g_autofree char *member = folder[0] != '\0' ? g_strconcat (folder, "/", entry, NULL) : g_strdup (entry);
    g_autofree char *full = g_build_filename (walk->root, member, NULL);

    if (++walk->n_entries > MIEN_DATASET_MAX_ENTRIES) {
      g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_SIZE,
                   _("%s: more than %d files; choose the folder that holds the pictures alone"), self->path, MIEN_DATASET_MAX_ENTRIES);
      return FALSE;
    }
    if (g_stat (full, &info) != 0 || entry[0] == '.')
      continue;
    if (S_ISREG (info.st_mode))
      g_ptr_array_add (walk->files, g_steal_pointer (&member));
    else if (S_ISDIR (info.st_mode) && depth < MAX_DEPTH
             && (!mien_dataset_loader_tick (self, 0, error) || !walk_folder (self, walk, member, depth + 1, error)))
      return FALSE;
  }
  return TRUE;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

static gboolean
read_picture_file (MienDatasetLoader *self, const char *root, const char *file, GError **error)
{
  g_autofree char *full = g_build_filename (root, file, NULL);
  g_autofree char *shown = g_filename_display_name (file);
  g_autofree char *base = g_path_get_basename (root); /* "train", when that is the folder chosen */
  g_autofree char *member = g_strconcat (base, "/", shown, NULL);
  g_autofree char *data = NULL;
  g_autoptr (GError) reason = NULL;
  GStatBuf info;
  MienSplit split;
  char *name;
  gsize n_bytes;
  int label;

  if (!mien_dataset_classify (self, member, &label, &split, &name))
    return TRUE;
  if (!mien_split_wanted (self, split)) {
    g_free (name);
    return TRUE;
  }
  if (g_stat (full, &info) == 0 && info.st_size > MIEN_DATASET_MAX_FILE) {
    g_free (name);
    mien_dataset_loader_skip (self, MIEN_SKIP_LIMITS, 1, shown, _("%s is over the limits (%" PRId64 " bytes)"), shown, (gint64) info.st_size);
    return TRUE;
  }
  if (!g_file_get_contents (full, &data, &n_bytes, &reason)) {
    g_free (name);
    mien_dataset_loader_skip (self, MIEN_SKIP_UNREADABLE, 1, shown, "%s", reason->message);
    return TRUE;
  }
  return mien_dataset_add_picture (self, (const guint8 *) data, n_bytes, shown, label, split, name, error);
}

gboolean
mien_dataset_load_folder (MienDatasetLoader *self, const char *path, GError **error)
{
  static const char *const csv_names[] = { "fer2013.csv", "icml_face_data.csv" };
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) visited = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *root = g_canonicalize_filename (path, NULL);
  Walk walk = { root, files, visited, 0 };

  for (int i = 0; i < (int) G_N_ELEMENTS (csv_names); i++) {
    g_autofree char *csv = g_build_filename (root, csv_names[i], NULL);
    if (g_file_test (csv, G_FILE_TEST_IS_REGULAR)) {
      g_autofree char *shown = g_filename_display_name (csv);
      const char *folder = self->path;
      self->path = shown;
      const gboolean ok = mien_dataset_load_csv (self, csv, error);
      self->path = folder;
      return ok;
    }
  }

  if (!walk_folder (self, &walk, "", 0, error))
    return FALSE;
  g_ptr_array_sort (files, compare_names);
  for (guint i = 0; i < files->len; i++) {
    if (!read_picture_file (self, root, files->pdata[i], error))
      return FALSE;
    if (i % 64 == 0 && !mien_dataset_loader_tick (self, (double) i / files->len, error))
      return FALSE;
  }
  return TRUE;
}
