/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Archives as downloads come, read by libarchive without unpacking anything to disk. Two passes: the first looks at names
 * alone and decides between the CSV and the pictures, the second reads. */
#include "mien-config.h"

#include "data/mien-dataset-private.h"

#include <archive.h>
#include <archive_entry.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE = 1 << 18 };

typedef struct archive Archive;

static void
free_archive (Archive *archive)
{
  archive_read_free (archive);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Archive, free_archive)

/* libarchive's words end in a newline at times and may quote the file's bytes. (transfer full) */
static char *
dup_reason (Archive *archive)
{
  const char *reason = archive_error_string (archive);
  char *text = g_utf8_make_valid (reason != NULL ? reason : _("no reason given"), -1);

  mien_dataset_flatten (text);
  return g_strchomp (text);
}

static gboolean
fail_damaged (const MienDatasetLoader *self, Archive *archive, GError **error)
{
  g_autofree char *reason = dup_reason (archive);

  g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_FORMAT,
               _("%s: the archive cannot be read to its end (%s); download it again"), self->path, reason);
  return FALSE;
}

static Archive *
open_archive (const MienDatasetLoader *self, const char *path, gboolean zip, GError **error)
{
  g_autoptr (Archive) archive = archive_read_new ();

  if (zip) {
    archive_read_support_format_zip_seekable (archive); /* the streaming reader takes a cut archive for a whole one */
  } else {
    archive_read_support_filter_gzip (archive);
    archive_read_support_filter_bzip2 (archive);
    archive_read_support_filter_xz (archive);
    archive_read_support_filter_zstd (archive);
    archive_read_support_format_tar (archive);
    archive_read_support_format_raw (archive); /* fer2013.csv.gz */
  }
  if (archive_read_open_filename (archive, path, PIECE) == ARCHIVE_OK)
    return g_steal_pointer (&archive);
  fail_damaged (self, archive, error);
  return NULL;
}

/* 1: an entry, 0: the end, -1: error */
static int
next_entry (const MienDatasetLoader *self, Archive *archive, struct archive_entry **entry, GError **error)
{
  const int answer = archive_read_next_header (archive, entry);

  if (answer == ARCHIVE_EOF)
    return 0;
  if (answer == ARCHIVE_OK || answer == ARCHIVE_WARN)
    return 1;
  fail_damaged (self, archive, error);
  return -1;
}

/* The member's name, UTF-8, (transfer full); what cannot be converted or shown is replaced. */
static char *
dup_member_name (struct archive_entry *entry)
{
  const char *name = archive_entry_pathname_utf8 (entry);

  if (name == NULL)
    name = archive_entry_pathname (entry);
  char *text = g_utf8_make_valid (name != NULL ? name : "?", -1);
  mien_dataset_flatten (text);
  return text;
}

static gboolean
is_raw (Archive *archive)
{
  return archive_format (archive) == ARCHIVE_FORMAT_RAW;
}

static int
rate_csv (const char *member)
{
  g_autofree char *base = g_path_get_basename (member);

  if (g_ascii_strcasecmp (base, "fer2013.csv") == 0)
    return 3;
  if (g_ascii_strcasecmp (base, "icml_face_data.csv") == 0)
    return 2;
  return base[0] != '.' && g_str_has_prefix (member, "__MACOSX/") == FALSE && strlen (base) > 4
             && g_ascii_strcasecmp (base + strlen (base) - 4, ".csv") == 0
           ? 1 : 0;
}

typedef struct {
  char *csv;        /* best CSV member */
  int rating;
  int n_best;       /* members with that rating */
  int n_pictures;
  gboolean raw;     /* no archive, one compressed file */
} Contents;

static gboolean
list_contents (MienDatasetLoader *self, const char *path, gboolean zip, Contents *contents, GError **error)
{
  g_autoptr (Archive) archive = open_archive (self, path, zip, error);
  struct archive_entry *entry;
  int more;

  if (archive == NULL)
    return FALSE;
  for (int n = 0; (more = next_entry (self, archive, &entry, error)) > 0; n++) {
    g_autofree char *member = dup_member_name (entry);
    g_autofree char *name = NULL;
    MienSplit split;
    int label;

    if (is_raw (archive)) {
      contents->raw = TRUE;
      return TRUE;
    }
    if (n >= MIEN_DATASET_MAX_ENTRIES) {
      g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_SIZE, _("%s: more than %d files in the archive"), self->path,
                   MIEN_DATASET_MAX_ENTRIES);
      return FALSE;
    }
    if (n % 1024 == 0 && !mien_dataset_loader_tick (self, 0, error))
      return FALSE;
    if (archive_entry_filetype (entry) != AE_IFREG)
      continue;
    const int rating = rate_csv (member);
    if (rating > contents->rating) {
      contents->rating = rating;
      contents->n_best = 0;
      g_free (contents->csv);
      contents->csv = g_strdup (member);
    }
    if (rating > 0 && rating == contents->rating)
      contents->n_best++;
    contents->n_pictures += mien_dataset_classify (self, member, &label, &split, &name);
  }
  return more == 0;
}

/* Bytes of the archive read so far as a share of its size. */
static double
get_fraction (Archive *archive, gint64 n_bytes)
{
  return (double) archive_filter_bytes (archive, -1) / (double) MAX (n_bytes, 1);
}

static gboolean
count_unpacked (const MienDatasetLoader *self, gint64 *total, gint64 n_bytes, GError **error)
{
  *total += n_bytes;
  if (*total <= MIEN_DATASET_MAX_BYTES)
    return TRUE;
  g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_SIZE, _("%s: the archive unpacks to more than %d GB"), self->path,
               (int) (MIEN_DATASET_MAX_BYTES >> 30));
  return FALSE;
}

static gboolean
read_csv_member (MienDatasetLoader *self, Archive *archive, const char *member, gint64 n_archive_bytes, GError **error)
{
  g_autofree char *name = member != NULL ? g_strdup_printf ("%s: %s", self->path, member) : g_strdup (self->path);
  g_autoptr (MienCsv) csv = mien_csv_new (self, name);
  g_autofree char *piece = g_malloc (PIECE);
  gint64 total = 0;
  gssize n;

  while ((n = archive_read_data (archive, piece, PIECE)) > 0)
    if (!count_unpacked (self, &total, n, error) || !mien_csv_feed (csv, piece, (gsize) n, error)
        || !mien_dataset_loader_tick (self, get_fraction (archive, n_archive_bytes), error))
      return FALSE;
  if (n < 0)
    return fail_damaged (self, archive, error);
  return mien_csv_finish (csv, error);
}

static gboolean
read_picture_member (MienDatasetLoader *self, Archive *archive, const char *member, GByteArray *buffer, gint64 *total,
                     GError **error)
{
  MienSplit split;
  char *name = NULL;
  gssize n;
  int label;

  if (!mien_dataset_classify (self, member, &label, &split, &name))
    return TRUE;
  if (!mien_split_wanted (self, split)) {
    g_free (name);
    return TRUE;
  }

  gsize n_bytes = 0;
  do {
    g_byte_array_set_size (buffer, (guint) n_bytes + PIECE);
    n = archive_read_data (archive, buffer->data + n_bytes, PIECE);
    n_bytes += (gsize) MAX (n, 0);
  } while (n > 0 && n_bytes <= MIEN_DATASET_MAX_FILE);
  if (n == ARCHIVE_FATAL) {
    g_free (name);
    return fail_damaged (self, archive, error);
  }
  if (!count_unpacked (self, total, (gint64) n_bytes, error)) {
    g_free (name);
    return FALSE;
  }
  if (n != 0) {
    g_autofree char *reason = dup_reason (archive);
    g_free (name);
    mien_dataset_loader_skip (self, n < 0 ? MIEN_SKIP_DAMAGED : MIEN_SKIP_LIMITS, 1, member,
                              n < 0 ? _("%s is damaged (%s)") : _("%s is over the limits (%s)"), member, n < 0 ? reason : "32 MB");
    return TRUE;
  }
  return mien_dataset_add_picture (self, buffer->data, n_bytes, member, label, split, name, error);
}

static gboolean
read_contents (MienDatasetLoader *self, const char *path, gboolean zip, const Contents *contents, GError **error)
{
  g_autoptr (Archive) archive = open_archive (self, path, zip, error);
  g_autoptr (GByteArray) buffer = g_byte_array_new ();
  struct archive_entry *entry;
  struct stat info = { 0 };
  gint64 total = 0;
  int more;

  if (archive == NULL)
    return FALSE;
  stat (path, &info);
  for (int n = 0; (more = next_entry (self, archive, &entry, error)) > 0; n++) {
    g_autofree char *member = dup_member_name (entry);

    if (contents->raw)
      return read_csv_member (self, archive, NULL, info.st_size, error);
    if (archive_entry_filetype (entry) != AE_IFREG)
      continue;
    if (contents->csv != NULL) {
      if (g_str_equal (member, contents->csv))
        return read_csv_member (self, archive, member, info.st_size, error);
    } else if (!read_picture_member (self, archive, member, buffer, &total, error)) {
      return FALSE;
    }
    if (n % 64 == 0 && !mien_dataset_loader_tick (self, get_fraction (archive, info.st_size), error))
      return FALSE;
  }
  return more == 0;
}

gboolean
mien_dataset_load_archive (MienDatasetLoader *self, const char *path, gboolean zip, GError **error)
{
  Contents contents = { 0 };
  g_autofree char *csv = NULL;

  const gboolean listed = list_contents (self, path, zip, &contents, error);
  csv = contents.csv;
  g_hash_table_remove_all (self->other_folders); /* noted again while reading */
  if (!listed)
    return FALSE;

  if (!contents.raw && contents.csv == NULL && contents.n_pictures == 0) {
    g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_EMPTY,
                 _("%s: the archive holds neither fer2013.csv nor pictures in folders angry … neutral"), self->path);
    return FALSE;
  }
  if (contents.rating == 1 && contents.n_pictures > 0)
    contents.csv = NULL; /* a list beside the pictures */
  else if (contents.rating == 1 && contents.n_best > 1) {
    g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_FORMAT,
                 _("%s: the archive holds %d CSV files and none is named fer2013.csv; unpack it and open the right one"),
                 self->path, contents.n_best);
    return FALSE;
  }
  return read_contents (self, path, zip, &contents, error);
}
