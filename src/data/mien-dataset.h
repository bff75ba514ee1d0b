/* SPDX-License-Identifier: GPL-3.0-or-later */
/* FER2013 and its like: grey faces with labels and splits, read from whatever form people have.
 *
 * Forms    fer2013.csv "emotion,pixels,Usage" and icml_face_data.csv "emotion, Usage, pixels" (columns by name, any
 *          order, spaces, CRLF, quotes, byte-order mark), plain, .gz, or inside .zip / .tar.gz; image folders or
 *          archives of <anything>/train/<class>/<file> + test/<class>/<file> in which a Training_ / PublicTest_ / PrivateTest_
 *          file name prefix tells the split (without one: train/ is training, test/ or validation/ is public, private/ is
 *          private); <class>/<file> is training. Pictures are JPEG, PNG or BMP, brought to 48 x 48 grey (centre square)
 * Order    CSV: as the rows stand; pictures: by split, then by name
 * Limits   1,000,000 pictures, 32 MB and 4096 pixels a side a picture, 8 GB unpacked
 * Classes  class folders are matched by name (angry|anger, disgust, fear, happy|happiness, sad|sadness, surprise,
 *          neutral; any case), never by their order; other folders are reported
 * Errors   MIEN_DATASET_ERROR; file, line (the header is line 1) or member, and what to do
 * Thread   immutable after loading */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define MIEN_DATASET_N_LABELS 7
extern const char *const mien_dataset_labels[MIEN_DATASET_N_LABELS + 1]; /* "angry" .. "neutral", FER2013's order */

typedef enum {
  MIEN_SPLIT_TRAINING,
  MIEN_SPLIT_PUBLIC,
  MIEN_SPLIT_PRIVATE,
} MienSplit;
#define MIEN_N_SPLITS 3
const char *mien_split_name (MienSplit split); /* "training", "public", "private" */
gboolean mien_split_parse (const char *name, MienSplit *split); /* also FER2013's Usage spellings */

#define MIEN_DATASET_ERROR (mien_dataset_error_quark ())
GQuark mien_dataset_error_quark (void);
typedef enum {
  MIEN_DATASET_ERROR_FORMAT,  /* a broken row, an unknown form */
  MIEN_DATASET_ERROR_EMPTY,   /* nothing usable in it */
  MIEN_DATASET_ERROR_SIZE,    /* over the limits */
  MIEN_DATASET_ERROR_DAMAGED, /* a picture that breaks off or is wrong inside */
} MienDatasetError;

/* Why files are left out. */
typedef enum {
  MIEN_SKIP_NO_PICTURE,   /* not JPEG, PNG or BMP */
  MIEN_SKIP_DAMAGED,
  MIEN_SKIP_LIMITS,
  MIEN_SKIP_UNREADABLE,   /* permissions, discs */
  MIEN_SKIP_OTHER_FOLDER, /* in a folder that is none of the seven classes */
} MienSkipReason;
#define MIEN_N_SKIP_REASONS 5
#define MIEN_SKIP_PLACES 3

typedef struct {
  int n_files;
  char *places[MIEN_SKIP_PLACES]; /* (nullable) the first files, or folders, (owned) */
} MienSkip;

typedef struct {
  int size;       /* pixels a side: 48 */
  int n;
  guint8 *pixels; /* [n][size][size] */
  guint8 *labels; /* [n], 0..6 */
  guint8 *splits; /* [n], MienSplit */
  char **names;   /* (nullable) [n] "happy/PublicTest_1.jpg" for image forms; NULL for CSV */
  char *source;   /* the path it was read from */
  GPtrArray *skipped; /* char *: what was left out and why, one sentence each (at most 100, then a count) */
  int n_skipped;      /* files left out */
  MienSkip skips[MIEN_N_SKIP_REASONS]; /* the same by reason */
  /*< private >*/
  gatomicrefcount ref_count;
} MienDataset;

/* splits: bit mask (1u << MIEN_SPLIT_...) of what to read; rows of other splits are not even parsed. progress: (nullable)
 * called now and then with 0..1 on the calling thread. */
typedef void (*MienProgressFn) (double fraction, gpointer data);
MienDataset *mien_dataset_load (const char *path, guint splits, MienProgressFn progress, gpointer progress_data,
                                GCancellable *cancellable, GError **error);
MienDataset *mien_dataset_new (int size, int n); /* zeroed, to be filled in by the caller */
MienDataset *mien_dataset_ref (MienDataset *self);
void mien_dataset_unref (MienDataset *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienDataset, mien_dataset_unref)

/* What was left out, by reason, a line each: "140 files are no JPEG, PNG or BMP picture: sad/000.jpg, sad/001.jpg, …".
 * NULL-terminated, empty when nothing was. (transfer full) */
char **mien_dataset_dup_report (const MienDataset *self);

/* The images of one split, in order. (transfer full) */
MienDataset *mien_dataset_subset (const MienDataset *self, MienSplit split);
void mien_dataset_count (const MienDataset *self, MienSplit split, int counts[MIEN_DATASET_N_LABELS]);

/* For each image of self in split: whether an equal picture (all pixels) is also in other_split. flags[n], 1 or 0. */
void mien_dataset_find_twins (const MienDataset *self, MienSplit split, MienSplit other_split, guint8 *flags);

/* Which of n parts (1 to 256) each image belongs to, from its pixels alone: equal pictures belong to the same. parts[n], 0 .. n - 1. */
void mien_dataset_part (const MienDataset *self, int n, guint8 *parts);

/* The images whose flag (flags[n]) is not 0, in order. (transfer full) */
MienDataset *mien_dataset_pick (const MienDataset *self, const guint8 *flags);

/* SHA-256 over pixels, labels and splits, in hex: which data a model was trained on. (transfer full) */
char *mien_dataset_dup_hash (const MienDataset *self);

G_END_DECLS
