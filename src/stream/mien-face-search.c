/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stream/mien-face-search.h"

#define MIN_FACE 24          /* smallest face in what the detector looks through, whose longer side is ... */
#define COARSE_SIDE 320      /* ... this: fast, finds a person at the desk */
#define FINE_SIDE 640        /* ... or this: three times as slow, finds the people behind */
#define WHOLE_EVERY 4        /* frames between looks at the whole one while all known faces are there */
#define FINE_EVERY 2         /* looks at the whole frame; while there is no face: */
#define FINE_EVERY_EMPTY 3
#define MAX_OVERLAP .4f      /* IoU of one face's two boxes */
#define MAX_MISSED 3         /* looks in a row that should have found a face and did not: it never was one, or is none any more */

typedef struct {
  MienBox box;
  int n_missed;
} Known;

struct _MienFaceSearch {
  MienFaces *faces;
  GArray *known;         /* Known, those of the last answer and the ones found since */
  int width, height;     /* of the last frame */
  guint n_looks;         /* at whole frames */
  guint n_since_look;    /* frames */
  gboolean has_small;    /* in the last answer there was a face that only a fine look finds */
};

MienFaceSearch *
mien_face_search_new (const char *detector, GError **error)
{
  MienFaces *faces = mien_faces_new (detector, error);
  MienFaceSearch *self;

  if (faces == NULL)
    return NULL;
  self = g_new0 (MienFaceSearch, 1);
  self->faces = faces;
  self->known = g_array_new (FALSE, FALSE, sizeof (Known));
  return self;
}

void
mien_face_search_free (MienFaceSearch *self)
{
  if (self == NULL)
    return;
  mien_faces_free (self->faces);
  g_array_unref (self->known);
  g_free (self);
}

void
mien_face_search_reset (MienFaceSearch *self)
{
  g_array_set_size (self->known, 0);
  self->n_looks = self->n_since_look = 0;
  self->has_small = FALSE;
}

static Known *
find_known (MienFaceSearch *self, const MienBox *box)
{
  for (guint i = 0; i < self->known->len; i++)
    if (mien_box_iou (&g_array_index (self->known, Known, i).box, box) > MAX_OVERLAP)
      return &g_array_index (self->known, Known, i);
  return NULL;
}

/* Smallest face that is looked for. */
static int
least_width (const MienImage *frame, gboolean fine)
{
  return MAX (MIN_FACE, MAX (frame->width, frame->height) * MIN_FACE / (fine ? FINE_SIDE : COARSE_SIDE));
}

/* Faces of this width are found if they are any. */
static float
certain_width (const MienImage *frame, gboolean fine)
{
  return 1.4f * (float) least_width (frame, fine);
}

/* Through the whole frame. Who is known stays where following saw him; who is new joins. */
static gboolean
look (MienFaceSearch *self, const MienImage *frame, GError **error)
{
  const gboolean fine = self->has_small || self->n_looks % (self->known->len > 0 ? FINE_EVERY : FINE_EVERY_EMPTY) == 0;
  g_autoptr (GArray) boxes = NULL;

  mien_faces_set_min_size (self->faces, least_width (frame, fine));
  boxes = mien_faces_detect (self->faces, frame, error);
  if (boxes == NULL)
    return FALSE;
  self->n_looks++;
  self->n_since_look = 0;
  for (guint i = 0; i < self->known->len; i++) {
    Known *known = &g_array_index (self->known, Known, i);
    known->n_missed += known->box.width >= certain_width (frame, fine);
  }
  for (guint i = 0; i < boxes->len; i++) {
    const MienBox *box = &g_array_index (boxes, MienBox, i);
    Known *known = find_known (self, box);
    if (known != NULL)
      known->n_missed = 0;
    else
      g_array_append_val (self->known, ((Known) { *box, 0 }));
  }
  for (guint i = self->known->len; i-- > 0;)
    if (g_array_index (self->known, Known, i).n_missed >= MAX_MISSED)
      g_array_remove_index (self->known, i);
  return TRUE;
}

/* Moves the known faces to where they are now and drops those that are not there. all: whether there are none of these. */
static gboolean
follow (MienFaceSearch *self, const MienImage *frame, gboolean *all, GError **error)
{
  const guint n = self->known->len;
  g_autofree MienBox *before = g_new (MienBox, n + 1), *now = g_new (MienBox, n + 1);

  for (guint i = 0; i < n; i++)
    before[i] = g_array_index (self->known, Known, i).box;
  if (!mien_faces_follow (self->faces, frame, before, (int) n, now, error))
    return FALSE;
  for (guint i = n; i-- > 0;) {
    Known *known = &g_array_index (self->known, Known, i);
    known->box = now[i];
    if (now[i].score > 0 && find_known (self, &now[i]) == known) /* two that have become one are one */
      continue;
    g_array_remove_index (self->known, i);
    *all = FALSE;
  }
  return TRUE;
}

static int
compare_left (gconstpointer a, gconstpointer b)
{
  const float x = ((const MienBox *) a)->x, y = ((const MienBox *) b)->x;

  return x < y ? -1 : x > y;
}

GArray *
mien_face_search_find (MienFaceSearch *self, const MienImage *frame, GError **error)
{
  gboolean all;
  GArray *boxes;

  if (frame->width != self->width || frame->height != self->height)
    mien_face_search_reset (self);
  self->width = frame->width;
  self->height = frame->height;
  all = self->known->len > 0;
  self->n_since_look++;
  if (!follow (self, frame, &all, error) || (!all && !look (self, frame, error)))
    return NULL;
  boxes = g_array_new (FALSE, FALSE, sizeof (MienBox));
  self->has_small = FALSE;
  for (guint i = 0; i < self->known->len; i++) {
    const MienBox *box = &g_array_index (self->known, Known, i).box;
    self->has_small |= box->width < certain_width (frame, FALSE);
    g_array_append_val (boxes, *box);
  }
  g_array_sort (boxes, compare_left);
  return boxes;
}

gboolean
mien_face_search_look_around (MienFaceSearch *self, const MienImage *frame, GError **error)
{
  return self->n_since_look < WHOLE_EVERY || look (self, frame, error);
}
