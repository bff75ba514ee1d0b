/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What mien-faces.c finds in the module mien-faces-opencv. OpenCV brings thirty libraries, ten megabytes and as many milliseconds along; who
 * does not look for faces does not load it. */
#pragma once

#include "vision/mien-faces.h"

G_BEGIN_DECLS

/* As the functions of mien-faces.h. */
typedef struct {
  MienFaces *(*new_faces) (const char *detector, GError **error);
  void (*free_faces) (MienFaces *self);
  void (*set_min_size) (MienFaces *self, int pixels);
  GArray *(*detect) (MienFaces *self, const MienImage *image, GError **error);
  gboolean (*follow) (MienFaces *self, const MienImage *image, const MienBox *faces, int n, MienBox *found, GError **error);
} MienFacesModule;

#define MIEN_FACES_MODULE "mien_faces_module"
__attribute__ ((visibility ("default"))) extern const MienFacesModule mien_faces_module;

G_END_DECLS
