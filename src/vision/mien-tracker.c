/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Linking and smoothing faces over time. Contract in mien-tracker.h. */
#include <math.h>

#include "vision/mien-tracker.h"

#define GAP_US (500 * 1000)  /* a face that was not found for longer is another face */
#define MIN_IOU .25f
#define BOX_TAU_US 90000.    /* time constant of a resting box; a moving one is followed faster */
#define MAX_LABELS 64

typedef struct {
  int number;
  gint64 seen_us;
  MienBox box;                     /* smoothed */
  MienBox raw;                     /* as last detected: what the next frame is compared with */
  gint64 smoothed_us;              /* of probabilities */
  int n_labels;                    /* 0: no probabilities yet */
  float probabilities[MAX_LABELS];
  gboolean taken;                  /* in the present update */
} Track;

struct _MienTracker {
  GArray *tracks; /* Track */
  int next_number;
  gint64 now_us;
  int tau_ms;
};

typedef struct {
  float iou;
  int track, box;
} Pair;

MienTracker *
mien_tracker_new (void)
{
  MienTracker *self = g_new0 (MienTracker, 1);

  self->tracks = g_array_new (FALSE, FALSE, sizeof (Track));
  self->tau_ms = 250;
  mien_tracker_reset (self);
  return self;
}

void
mien_tracker_free (MienTracker *self)
{
  if (self == NULL)
    return;
  g_array_unref (self->tracks);
  g_free (self);
}

void
mien_tracker_reset (MienTracker *self)
{
  g_array_set_size (self->tracks, 0);
  self->next_number = 1;
  self->now_us = G_MININT64;
}

void
mien_tracker_set_smoothing (MienTracker *self, int tau_ms)
{
  self->tau_ms = MAX (tau_ms, 0);
}

static int
compare_pairs (gconstpointer a, gconstpointer b)
{
  const float x = ((const Pair *) a)->iou, y = ((const Pair *) b)->iou;

  return x > y ? -1 : x < y ? 1 : 0;
}

/* How far towards the new value: 1 - exp (-dt / tau). */
static float
step_towards (gint64 dt_us, double tau_us)
{
  return tau_us <= 0 || dt_us < 0 ? 1 : (float) (1 - exp (-(double) dt_us / tau_us));
}

static void
follow (Track *track, const MienBox *box, gint64 time_us)
{
  /* A detector's box trembles by a few per cent of its size; what moves more than that really moves. */
  const float moved = (fabsf (box->x + box->width / 2 - track->box.x - track->box.width / 2) +
                       fabsf (box->y + box->height / 2 - track->box.y - track->box.height / 2) +
                       fabsf (box->width - track->box.width)) / MAX (track->box.width, 1.f);
  const float rest = step_towards (time_us - track->seen_us, BOX_TAU_US);
  const float step = MIN (1.f, rest + (1 - rest) * moved * 4);

  track->box.x += step * (box->x - track->box.x);
  track->box.y += step * (box->y - track->box.y);
  track->box.width += step * (box->width - track->box.width);
  track->box.height += step * (box->height - track->box.height);
  track->box.score = box->score;
  track->raw = *box;
  track->seen_us = time_us;
}

void
mien_tracker_update (MienTracker *self, gint64 time_us, const MienBox *boxes, int n, int *track, MienBox *smoothed)
{
  g_autoptr (GArray) pairs = g_array_new (FALSE, FALSE, sizeof (Pair));

  if (time_us < self->now_us) /* the film began again, or somebody sought: nothing is where it was */
    g_array_set_size (self->tracks, 0);
  self->now_us = time_us;
  for (guint t = self->tracks->len; t-- > 0;)
    if (time_us - g_array_index (self->tracks, Track, t).seen_us > GAP_US)
      g_array_remove_index (self->tracks, t);

  for (guint t = 0; t < self->tracks->len; t++) {
    Track *old = &g_array_index (self->tracks, Track, t);

    old->taken = FALSE;
    for (int b = 0; b < n; b++) {
      const Pair pair = { mien_box_iou (&old->raw, &boxes[b]), (int) t, b };

      if (pair.iou >= MIN_IOU)
        g_array_append_val (pairs, pair);
    }
  }
  g_array_sort (pairs, compare_pairs);

  for (int b = 0; b < n; b++)
    track[b] = 0;
  for (guint i = 0; i < pairs->len; i++) {
    const Pair *pair = &g_array_index (pairs, Pair, i);
    Track *old = &g_array_index (self->tracks, Track, pair->track);

    if (old->taken || track[pair->box] != 0)
      continue;
    old->taken = TRUE;
    follow (old, &boxes[pair->box], time_us);
    track[pair->box] = old->number;
    smoothed[pair->box] = old->box;
  }
  for (int b = 0; b < n; b++) {
    if (track[b] == 0) {
      const Track born = { .number = self->next_number++, .seen_us = time_us, .box = boxes[b], .raw = boxes[b], .taken = TRUE };

      g_array_append_val (self->tracks, born);
      track[b] = born.number;
      smoothed[b] = boxes[b];
    }
  }
}

void
mien_tracker_smooth (MienTracker *self, int track, float *probabilities, int n_labels)
{
  g_return_if_fail (n_labels >= 1 && n_labels <= MAX_LABELS);

  for (guint t = 0; t < self->tracks->len; t++) {
    Track *known = &g_array_index (self->tracks, Track, t);
    float step;

    if (known->number != track)
      continue;
    step = known->n_labels != n_labels ? 1 : step_towards (self->now_us - known->smoothed_us, self->tau_ms * 1000.);
    for (int i = 0; i < n_labels; i++) {
      if (step < 1)
        probabilities[i] = known->probabilities[i] + step * (probabilities[i] - known->probabilities[i]);
      known->probabilities[i] = probabilities[i];
    }
    known->n_labels = n_labels;
    known->smoothed_us = self->now_us;
    return;
  }
}
