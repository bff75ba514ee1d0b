/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-map-source.h. */
#include "mien-config.h"

#include "layers/mien-map-source.h"

#include <math.h>
#include <string.h>

struct _MienMapSource {
  GObject parent_instance;

  MienActivations *activations; /* (nullable) */
  int layer;
  MienColorMap color_map;
  gboolean shared_range;
  int cell_size;
  guint32 colours[256];
};

G_DEFINE_FINAL_TYPE (MienMapSource, mien_map_source, G_TYPE_OBJECT)

enum { CHANGED, N_SIGNALS };
static guint signals[N_SIGNALS];

static void
mien_map_source_finalize (GObject *object)
{
  g_clear_pointer (&MIEN_MAP_SOURCE (object)->activations, mien_activations_unref);
  G_OBJECT_CLASS (mien_map_source_parent_class)->finalize (object);
}

static void
mien_map_source_class_init (MienMapSourceClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = mien_map_source_finalize;
  signals[CHANGED] = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
mien_map_source_init (MienMapSource *self)
{
  self->cell_size = 96;
  mien_color_map_fill (self->color_map, self->colours);
}

static void
changed (MienMapSource *self)
{
  g_signal_emit (self, signals[CHANGED], 0);
}

MienMapSource *
mien_map_source_new (void)
{
  return g_object_new (MIEN_TYPE_MAP_SOURCE, NULL);
}

void
mien_map_source_set_activations (MienMapSource *self, MienActivations *activations)
{
  g_return_if_fail (MIEN_IS_MAP_SOURCE (self));
  if (self->activations == activations)
    return;
  g_clear_pointer (&self->activations, mien_activations_unref);
  self->activations = activations != NULL ? mien_activations_ref (activations) : NULL;
  changed (self);
}

MienActivations *
mien_map_source_get_activations (MienMapSource *self)
{
  return self->activations;
}

void
mien_map_source_set_layer (MienMapSource *self, int layer)
{
  g_return_if_fail (MIEN_IS_MAP_SOURCE (self));
  if (self->layer == layer)
    return;
  self->layer = layer;
  changed (self);
}

int
mien_map_source_get_layer (MienMapSource *self)
{
  return self->layer;
}

void
mien_map_source_set_color_map (MienMapSource *self, MienColorMap map)
{
  g_return_if_fail (MIEN_IS_MAP_SOURCE (self));
  if (self->color_map == map)
    return;
  self->color_map = map;
  mien_color_map_fill (map, self->colours);
  changed (self);
}

MienColorMap
mien_map_source_get_color_map (MienMapSource *self)
{
  return self->color_map;
}

void
mien_map_source_set_shared_range (MienMapSource *self, gboolean shared)
{
  g_return_if_fail (MIEN_IS_MAP_SOURCE (self));
  if (self->shared_range == shared)
    return;
  self->shared_range = shared;
  changed (self);
}

gboolean
mien_map_source_get_shared_range (MienMapSource *self)
{
  return self->shared_range;
}

void
mien_map_source_set_cell_size (MienMapSource *self, int pixels)
{
  g_return_if_fail (MIEN_IS_MAP_SOURCE (self));
  if (self->cell_size == pixels)
    return;
  self->cell_size = pixels;
  changed (self);
}

int
mien_map_source_get_cell_size (MienMapSource *self)
{
  return self->cell_size;
}

int
mien_map_source_get_n_channels (MienMapSource *self)
{
  if (self->activations == NULL || self->layer < 0 || self->layer >= mien_activations_get_n_layers (self->activations))
    return 0;
  return mien_activations_get_n_channels (self->activations, self->layer);
}

gboolean
mien_map_source_get_range (MienMapSource *self, int channel, float *lo, float *hi)
{
  const int n = mien_map_source_get_n_channels (self);
  const gboolean whole = self->shared_range || channel < 0;
  MienMapStats stats;

  if (channel >= n || n == 0)
    return FALSE;
  *lo = INFINITY;
  *hi = -INFINITY;
  for (int c = whole ? 0 : channel; c < (whole ? n : channel + 1); c++) {
    mien_activations_get_stats (self->activations, self->layer, c, &stats);
    *lo = MIN (*lo, stats.min);
    *hi = MAX (*hi, stats.max);
  }
  if (self->color_map == MIEN_COLOR_MAP_SIGNED) {
    *hi = MAX (fabsf (*lo), fabsf (*hi));
    if (*hi == 0)
      *hi = 1; /* a map of zeros is white, in the middle */
    *lo = -*hi;
  }
  return TRUE;
}

int
mien_map_source_shade (float value, float lo, float hi)
{
  if (!(hi > lo))
    return value > 0 ? 255 : 0;
  if (isnan (value))
    return 0;
  return (int) CLAMP ((value - lo) / (hi - lo) * 255 + .5f, 0, 255);
}

static GdkTexture *
make_texture (guint32 *pixels, int width, int height)
{
  const gsize stride = (gsize) width * sizeof *pixels;
  g_autoptr (GBytes) bytes = g_bytes_new_take (pixels, stride * height);

  return gdk_memory_texture_new (width, height, GDK_MEMORY_DEFAULT, bytes, stride);
}

static GdkTexture *
paint (const float *values, int height, int width, float lo, float hi, const guint32 colours[256], int scale)
{
  guint32 *pixels = g_new (guint32, (gsize) width * scale * height * scale);

  for (int y = 0; y < height; y++) {
    guint32 *row = pixels + (gsize) y * scale * width * scale;

    for (int x = 0; x < width; x++) {
      const guint32 colour = colours[mien_map_source_shade (values[y * width + x], lo, hi)];

      for (int i = 0; i < scale; i++)
        row[x * scale + i] = colour;
    }
    for (int i = 1; i < scale; i++)
      memcpy (row + (gsize) i * width * scale, row, (gsize) width * scale * sizeof *row);
  }
  return make_texture (pixels, width * scale, height * scale);
}

GdkTexture *
mien_map_source_render (MienMapSource *self, int channel, int scale)
{
  const float *values;
  int height, width;
  float lo, hi;

  g_return_val_if_fail (MIEN_IS_MAP_SOURCE (self) && scale > 0, NULL);
  if (channel < 0 || !mien_map_source_get_range (self, channel, &lo, &hi))
    return NULL;
  values = mien_activations_get_map (self->activations, self->layer, channel, &height, &width);
  return paint (values, height, width, lo, hi, self->colours, scale);
}

GdkTexture *
mien_map_source_render_kernel (const float *kernel, int height, int width, int scale)
{
  guint32 colours[256];
  float most = 0;

  for (int i = 0; i < height * width; i++)
    if (isfinite (kernel[i]))
      most = MAX (most, fabsf (kernel[i]));
  if (most == 0)
    most = 1;
  mien_color_map_fill (MIEN_COLOR_MAP_SIGNED, colours);
  return paint (kernel, height, width, -most, most, colours, scale);
}

GdkTexture *
mien_map_source_render_face (MienMapSource *self)
{
  const float *face;
  guint32 *pixels;
  int size;

  if (self->activations == NULL)
    return NULL;
  face = mien_activations_get_pixels (self->activations, &size);
  pixels = g_new (guint32, (gsize) size * size);
  for (int i = 0; i < size * size; i++)
    pixels[i] = 0xff000000 | (guint32) CLAMP (face[i] + .5f, 0, 255) * 0x010101;
  return make_texture (pixels, size, size);
}

typedef struct {
  int channel;
  float mean;
} Rank;

static int
compare_ranks (gconstpointer a, gconstpointer b)
{
  const Rank *x = a, *y = b;

  return x->mean != y->mean ? (x->mean < y->mean) - (x->mean > y->mean) : x->channel - y->channel;
}

GArray *
mien_map_source_rank (MienMapSource *self)
{
  const int n = mien_map_source_get_n_channels (self);
  g_autofree Rank *ranks = g_new (Rank, n);
  GArray *order = g_array_new (FALSE, FALSE, sizeof (int));

  for (int c = 0; c < n; c++) {
    MienMapStats stats;

    mien_activations_get_stats (self->activations, self->layer, c, &stats);
    ranks[c] = (Rank) { c, stats.mean };
  }
  if (n > 0)
    qsort (ranks, n, sizeof *ranks, compare_ranks);
  for (int c = 0; c < n; c++)
    g_array_append_val (order, ranks[c].channel);
  return order;
}
