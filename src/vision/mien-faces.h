/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Face detection and cropping. The only door to OpenCV: pixels in, rectangles out; exceptions end inside.
 *
 * Detector "haar" (frontalface_alt2) or "lbp" (lbpcascade_frontalface) of Debian's opencv-data, both with a second look
 *          at each candidate: see mien-faces-opencv.cpp. $MIEN_CASCADE_DIR replaces the folders in which the files are looked for.
 * Thread   a MienFaces belongs to one thread at a time */
#pragma once

#include "vision/mien-image.h"

G_BEGIN_DECLS

typedef struct _MienFaces MienFaces;

typedef struct {
  float x, y, width, height; /* pixels of the image, origin top left; may reach over the edge by crop margins only */
  float score;               /* how often the detector found it; larger is surer */
} MienBox;

#define MIEN_FACES_ERROR (mien_faces_error_quark ())
GQuark mien_faces_error_quark (void);
typedef enum {
  MIEN_FACES_ERROR_NO_DETECTOR, /* the cascade file is not there or not readable: names the package to install */
  MIEN_FACES_ERROR_FAILED,      /* OpenCV refused: its sentence */
} MienFacesError;

const char *const *mien_faces_list_detectors (void); /* NULL-terminated machine names; the first is the default */
MienFaces *mien_faces_new (const char *detector, GError **error); /* NULL: the default */
void mien_faces_free (MienFaces *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienFaces, mien_faces_free)

/* Smallest face looked for, in pixels of the image; default 24. Live: a share of the frame's height, for speed. */
void mien_faces_set_min_size (MienFaces *self, int pixels);

/* Faces from left to right, no two of them overlapping by more than IoU .4. Works on any size, down to 1 x 1: a picture
 * that is itself one face crop (small, about square) and in which nothing is found is answered with no face.
 * boxes: (transfer full) GArray of MienBox; NULL with error set when detection failed. */
GArray *mien_faces_detect (MienFaces *self, const MienImage *image, GError **error);

/* Finds faces again near where they were a frame before (moved by at most a third of their size, a quarter smaller to a third larger), in a
 * fraction of the time of mien_faces_detect() and a little less strictly: faces[n], pixels of this image. found[n]: where each is now; score 0: not there.
 * FALSE with error set when detection failed. */
gboolean mien_faces_follow (MienFaces *self, const MienImage *image, const MienBox *faces, int n, MienBox *found, GError **error);

/* The face as the network wants it: grey (Rec. 601), square around the box's centre, grown by margin (share of the
 * longer side, each side), area-averaged when reduced, bilinear when enlarged, edge pixels repeated outside the image.
 * out[size][size], 0..255. */
void mien_faces_crop (const MienImage *image, const MienBox *box, float margin, int size, float *out);

/* Intersection over union, 0..1. */
float mien_box_iou (const MienBox *a, const MienBox *b);

G_END_DECLS
