/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the readers of CSV, folders and archives share: where pictures, reports and progress go.
 *
 * Thread   one thread, that of mien_dataset_load() */
#pragma once

#include "data/mien-dataset.h"

G_BEGIN_DECLS

#define MIEN_FACE_SIZE 48
#define MIEN_FACE_PIXELS (MIEN_FACE_SIZE * MIEN_FACE_SIZE)

enum {
  MIEN_DATASET_MAX_IMAGES = 1000000,
  MIEN_DATASET_MAX_ENTRIES = 2000000,      /* files looked at, in a folder or an archive */
  MIEN_DATASET_MAX_FILE = 32 << 20,        /* bytes of one picture file */
  MIEN_DATASET_MAX_SKIPPED = 100,
};
#define MIEN_DATASET_MAX_BYTES (G_GINT64_CONSTANT (8) << 30) /* unpacked, of one archive */

typedef struct {
  const char *path;  /* for messages, UTF-8 */
  guint wanted;      /* bit mask of splits */
  MienProgressFn progress;
  gpointer progress_data;
  double fraction;   /* told last */
  GCancellable *cancellable;

  int n, capacity;
  guint8 *pixels, *labels, *splits;
  GPtrArray *names;  /* (nullable) char *, as long as n: image forms */
  GHashTable *other_folders; /* char * folder that is no class: GINT_TO_POINTER files in it */
  GPtrArray *skipped;
  int n_skipped;
  MienSkip skips[MIEN_N_SKIP_REASONS];
} MienDatasetLoader;

/* Room for one more picture: MIEN_FACE_PIXELS bytes for the caller to fill in at once. name: (transfer full) (nullable).
 * NULL when there are too many. */
guint8 *mien_dataset_loader_add (MienDatasetLoader *self, int label, MienSplit split, char *name, GError **error);

/* Control characters become spaces: what is left of a name or a reason can stand in a sentence. text is UTF-8. */
void mien_dataset_flatten (char *text);

/* Reports files left out: place is the file, or the folder that they are in; format: the whole sentence. */
void mien_dataset_loader_skip (MienDatasetLoader *self, MienSkipReason reason, int n_files, const char *place, const char *format, ...)
  G_GNUC_PRINTF (5, 6);

/* Reports progress; FALSE with error set when cancelled. */
gboolean mien_dataset_loader_tick (MienDatasetLoader *self, double fraction, GError **error);

gboolean mien_split_wanted (const MienDatasetLoader *self, MienSplit split);

/* CSV, fed piece by piece. name is what messages begin with. finish: after the last piece. */
typedef struct _MienCsv MienCsv;
MienCsv *mien_csv_new (MienDatasetLoader *loader, const char *name);
void mien_csv_free (MienCsv *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienCsv, mien_csv_free)
gboolean mien_csv_feed (MienCsv *self, const char *data, gsize n_bytes, GError **error);
gboolean mien_csv_finish (MienCsv *self, GError **error);

/* Where a picture belongs by its path "a/train/happy/x.jpg". TRUE when it is a picture in a class folder; otherwise the
 * path is noted for the report, if it is worth one. name: (transfer full), "happy/x.jpg". */
gboolean mien_dataset_classify (MienDatasetLoader *self, const char *member, int *label, MienSplit *split, char **name);

/* JPEG, PNG or BMP to grey, 48 x 48 (centre square, Rec. 601). The error is half a sentence: "is not a picture ...". */
gboolean mien_face_decode (const guint8 *data, gsize n_bytes, guint8 *out, GError **error);

/* Adds the picture, or reports why not; FALSE only when loading has to stop. name: (transfer full) */
gboolean mien_dataset_add_picture (MienDatasetLoader *self, const guint8 *data, gsize n_bytes, const char *member, int label,
                                   MienSplit split, char *name, GError **error);

gboolean mien_dataset_load_folder (MienDatasetLoader *self, const char *path, GError **error);
gboolean mien_dataset_load_archive (MienDatasetLoader *self, const char *path, gboolean zip, GError **error);
gboolean mien_dataset_load_csv (MienDatasetLoader *self, const char *path, GError **error);

G_END_DECLS
