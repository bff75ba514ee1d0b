/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the analysis of one frame or photo found. Immutable and reference counted: any thread may read it. */
#pragma once

#include "model/mien-model.h"
#include "vision/mien-faces.h"

G_BEGIN_DECLS

typedef struct {
  int track;             /* from 1; in photos the number of the face from left to right */
  MienBox box;           /* in pixels of the frame */
  int label;             /* index of the largest probability */
  float confidence;      /* that probability */
  float probabilities[MIEN_MODEL_MAX_LABELS];
  float *pixels;         /* [size][size] 0..255: what was fed to the network, before normalisation */
} MienFace;

typedef struct {
  gint64 time_us;        /* the frame's timestamp in the stream; 0 for photos */
  int width, height;     /* of the frame */
  int n_faces;
  MienFace *faces;
  MienModel *model;      /* (owned) the labels' names */
  MienImage *image;      /* (nullable) (owned) the frame analysed; set for photos */
  int detect_us;         /* time that detection took */
  int infer_us;          /* time that cropping and the network took, all faces */
  gint64 latency_us;     /* from the frame's arrival to this result */
  double fps;            /* analysed frames a second, over the last second; 0 for photos */
  /*< private >*/
  gatomicrefcount ref_count;
} MienResult;

/* The maker fills in the fields before sharing. faces: n_faces zeroed entries. */
MienResult *mien_result_new (MienModel *model, int n_faces);
MienResult *mien_result_ref (MienResult *self);
void mien_result_unref (MienResult *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienResult, mien_result_unref)
#define MIEN_TYPE_RESULT (mien_result_get_type ())
GType mien_result_get_type (void); /* boxed */

/* One JSON object on one line, without line end, as `mien-cli analyze` prints it. name: the file. (transfer full) */
char *mien_result_to_json (const MienResult *self, const char *name);

/* CSV, fixed format whatever the locale: file,time_ms,track,x,y,width,height,label,confidence,<one column a label>. */
char *mien_result_csv_header (const MienModel *model);
char *mien_result_to_csv (const MienResult *self, const char *name); /* one line a face, each ended by \n */

/* The face at (x, y) in frame pixels, the smallest if several; -1 if none. */
int mien_result_face_at (const MienResult *self, double x, double y);
int mien_result_find_track (const MienResult *self, int track); /* index, -1 if not there */

G_END_DECLS
