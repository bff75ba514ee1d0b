/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Seven still figures (mien-demo-figure.c), cross-faded and laid over the room by one affine map a frame. */
#include "mien-config.h"

#include "data/mien-demo-figure.h"
#include "data/mien-demo.h"

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

#include "mien-demo-resource.h"

enum { N_EXPRESSIONS = 7, N_FIGURE_PIXELS = MIEN_FIGURE_WIDTH * MIEN_FIGURE_HEIGHT };

/* In the order shown; numbers are FER2013's. */
static const int order[N_EXPRESSIONS] = { 6, 3, 5, 4, 0, 2, 1 };

struct _MienDemo {
  guint32 *figures[N_EXPRESSIONS]; /* by FER2013's number */
  guint32 *room;
};

/* Where the figure stands in the frame. */
typedef struct {
  double x, y;   /* the face's centre */
  double zoom;
  double roll;   /* radians */
} Pose;

static Pose
get_pose (gint64 time_us)
{
  const double t = 2 * G_PI * (double) time_us / G_USEC_PER_SEC;

  return (Pose){
    .x = 0.5 * MIEN_DEMO_WIDTH + 36 * sin (t / 11),
    .y = 0.46 * MIEN_DEMO_HEIGHT + 9 * sin (t / 7.3),
    .zoom = 1 + 0.05 * sin (t / 13),
    .roll = 0.045 * sin (t / 8.7),
  };
}

/* from and to: places in the order; morph 0..1 between them. */
static void
get_phase (gint64 time_us, int *from, int *to, double *morph)
{
  const gint64 step_us = (MIEN_DEMO_HOLD_MS + MIEN_DEMO_MORPH_MS) * G_GINT64_CONSTANT (1000);
  const gint64 step = MAX (time_us, 0) / step_us;
  const gint64 into_us = MAX (time_us, 0) % step_us - MIEN_DEMO_HOLD_MS * G_GINT64_CONSTANT (1000);
  const double t = into_us < 0 ? 0 : (double) into_us / (MIEN_DEMO_MORPH_MS * 1000.0);

  *from = (int) (step % N_EXPRESSIONS);
  *to = (*from + 1) % N_EXPRESSIONS;
  *morph = t * t * (3 - 2 * t);
}

int
mien_demo_expression (gint64 time_us)
{
  int from, to;
  double morph;

  get_phase (time_us, &from, &to, &morph);
  return morph > 0 ? -1 : order[from];
}

void
mien_demo_box (gint64 time_us, int *x, int *y, int *width, int *height)
{
  /* FER2013's pictures are what a frontal-face detector marks, so their averages are too */
  const Pose pose = get_pose (time_us);
  const double side = (double) MIEN_FIGURE_FACE * pose.zoom;

  *width = *height = (int) lrint (side);
  *x = (int) lrint (pose.x - 0.5 * side);
  *y = (int) lrint (pose.y - 0.5 * side);
}

MienDemo *
mien_demo_new (GError **error)
{
  g_autoptr (MienDemo) self = g_new0 (MienDemo, 1);
  g_autoptr (GInputStream) stream = g_resource_open_stream (mien_demo_data_get_resource (), "/io/github/mien/Mien/demo/faces.png",
                                                           G_RESOURCE_LOOKUP_FLAGS_NONE, error);
  g_autoptr (GdkPixbuf) faces = stream != NULL ? gdk_pixbuf_new_from_stream (stream, NULL, error) : NULL;

  if (faces == NULL) {
    g_prefix_error (error, "%s: ", _("The faces of the demo camera cannot be read; reinstall gdk-pixbuf with its PNG reader"));
    return NULL;
  }

  /* one row of squares, grey stored as RGB */
  const int size = gdk_pixbuf_get_height (faces), n_channels = gdk_pixbuf_get_n_channels (faces);
  const int stride_bytes = gdk_pixbuf_get_rowstride (faces);
  const guint8 *pixels = gdk_pixbuf_read_pixels (faces);
  g_autofree guint8 *grey = g_malloc ((gsize) size * (gsize) size * N_EXPRESSIONS);
  g_assert (gdk_pixbuf_get_width (faces) == N_EXPRESSIONS * size);
  for (int y = 0; y < size; y++)
    for (int x = 0; x < N_EXPRESSIONS * size; x++)
      grey[y * N_EXPRESSIONS * size + x] = pixels[y * stride_bytes + x * n_channels];

  g_autofree guint32 *body = mien_figure_draw_body ();
  for (int i = 0; i < N_EXPRESSIONS; i++)
    self->figures[i] = mien_figure_draw (body, grey + i * size, size, N_EXPRESSIONS * size);
  self->room = mien_figure_draw_room (MIEN_DEMO_WIDTH, MIEN_DEMO_HEIGHT);
  return g_steal_pointer (&self);
}

void
mien_demo_free (MienDemo *self)
{
  if (self == NULL)
    return;
  for (int i = 0; i < N_EXPRESSIONS; i++)
    g_free (self->figures[i]);
  g_free (self->room);
  g_free (self);
}

/* a + (b - a) t / 256 in all four bytes at once, two by two. t 0..256 */
static inline guint32
mix (guint32 a, guint32 b, guint32 t)
{
  const guint32 low = ((a & 0x00ff00ffu) * (256 - t) + (b & 0x00ff00ffu) * t) >> 8 & 0x00ff00ffu;
  const guint32 high = ((a >> 8 & 0x00ff00ffu) * (256 - t) + (b >> 8 & 0x00ff00ffu) * t) & 0xff00ff00u;

  return low | high;
}

static inline guint32
lay_over (guint32 upper, guint32 lower)
{
  const guint32 alpha = upper >> 24;

  return alpha == 255 ? upper : (upper + mix (0, lower, 256 - alpha - (alpha >> 7))) | 0xff000000u;
}

void
mien_demo_render (const MienDemo *self, gint64 time_us, guint8 *pixels, int stride_bytes)
{
  const Pose pose = get_pose (time_us);
  g_autofree guint32 *mixed = NULL;
  const guint32 *figure;
  int from, to;
  double morph;

  get_phase (time_us, &from, &to, &morph);
  figure = self->figures[order[from]];
  if (morph > 0) {
    const guint32 *next = self->figures[order[to]];
    const guint32 t = (guint32) lrint (morph * 256);
    mixed = g_new (guint32, N_FIGURE_PIXELS);
    for (int i = 0; i < N_FIGURE_PIXELS; i++)
      mixed[i] = mix (figure[i], next[i], t);
    figure = mixed;
  }

  /* frame to figure, 16.16 fixed point */
  const int step_u = (int) lrint (65536 * cos (pose.roll) / pose.zoom), step_v = (int) lrint (-65536 * sin (pose.roll) / pose.zoom);
  const guint32 last_u = (MIEN_FIGURE_WIDTH - 1) << 16, last_v = (MIEN_FIGURE_HEIGHT - 1) << 16;
  for (int y = 0; y < MIEN_DEMO_HEIGHT; y++) {
    guint32 *out = (guint32 *) (void *) (pixels + (gsize) y * (gsize) stride_bytes);
    const guint32 *behind = self->room + y * MIEN_DEMO_WIDTH;
    const double dx = -pose.x, dy = y - pose.y;
    int u = (int) lrint (65536 * (MIEN_FIGURE_FACE_X + (cos (pose.roll) * dx + sin (pose.roll) * dy) / pose.zoom));
    int v = (int) lrint (65536 * (MIEN_FIGURE_FACE_Y + (cos (pose.roll) * dy - sin (pose.roll) * dx) / pose.zoom));
    for (int x = 0; x < MIEN_DEMO_WIDTH; x++, u += step_u, v += step_v) {
      if ((guint32) u >= last_u || (guint32) v >= last_v) { /* negative ones are large */
        out[x] = behind[x];
        continue;
      }
      const guint32 *p = figure + (v >> 16) * MIEN_FIGURE_WIDTH + (u >> 16);
      if ((p[0] | p[1] | p[MIEN_FIGURE_WIDTH] | p[MIEN_FIGURE_WIDTH + 1]) == 0) {
        out[x] = behind[x];
        continue;
      }
      const guint32 fu = (guint32) u >> 8 & 0xff, fv = (guint32) v >> 8 & 0xff;
      const guint32 pixel = mix (mix (p[0], p[1], fu), mix (p[MIEN_FIGURE_WIDTH], p[MIEN_FIGURE_WIDTH + 1], fu), fv);
      out[x] = lay_over (pixel, behind[x]);
    }
  }
}
