/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Geometry first, in one resampling, then light, noise and the erased rectangle. */
#include "data/mien-augment.h"

#include <math.h>

/* -limit .. limit */
static float
draw_either_way (MienRandom *random, float limit)
{
  return (2.f * mien_random_uniform (random) - 1.f) * limit;
}

void
mien_augment_resample (const float m[6], const guint8 *in, int size, float *out)
{
  const float centre = 0.5f * (float) (size - 1);
  const float last = (float) (size - 1);

  for (int y = 0; y < size; y++) {
    const float v = (float) y - centre;
    for (int x = 0; x < size; x++) {
      const float u = (float) x - centre;
      const float sx = CLAMP (m[0] * u + m[1] * v + m[2] + centre, 0.f, last);
      const float sy = CLAMP (m[3] * u + m[4] * v + m[5] + centre, 0.f, last);
      const int x0 = (int) sx, y0 = (int) sy;
      const int x1 = MIN (x0 + 1, size - 1), y1 = MIN (y0 + 1, size - 1);
      const float fx = sx - (float) x0, fy = sy - (float) y0;
      const guint8 *upper = in + y0 * size, *lower = in + y1 * size;
      const float a = (float) upper[x0] + fx * (float) (upper[x1] - upper[x0]);
      const float b = (float) lower[x0] + fx * (float) (lower[x1] - lower[x0]);
      out[y * size + x] = a + fy * (b - a);
    }
  }
}

/* A part of the picture, anywhere in it, as Szegedy et al. 2015 choose it: area and proportions drawn. What m maps to is first
 * put in there. */
static void
crop_map (const MienAugment *settings, MienRandom *random, int size, float m[6])
{
  const float area = settings->crop + (1.f - settings->crop) * mien_random_uniform (random);
  const float aspect = expf (draw_either_way (random, logf (4.f / 3.f)));
  const float width = MIN (sqrtf (area * aspect), 1.f), height = MIN (sqrtf (area / aspect), 1.f);
  const float x = draw_either_way (random, 0.5f * (1.f - width)) * (float) size;
  const float y = draw_either_way (random, 0.5f * (1.f - height)) * (float) size;

  for (int i = 0; i < 3; i++) {
    m[i] *= width;
    m[3 + i] *= height;
  }
  m[2] += x;
  m[5] += y;
}

/* Inverse map, output to input: shift, then rotation, shear, zoom and mirror about the centre. */
static void
draw_geometry (const MienAugment *settings, MienRandom *random, int size, float m[6])
{
  const gboolean mirror = settings->flip && mien_random_next (random) >> 63;
  const float angle = draw_either_way (random, settings->rotate_deg) * (float) G_PI / 180.f;
  const float zoom = 1.f / MAX (1.f + draw_either_way (random, settings->scale), 0.05f);
  const float shear = draw_either_way (random, settings->shear);
  const float c = cosf (angle) * zoom, s = sinf (angle) * zoom;

  m[0] = mirror ? -c : c;
  m[1] = mirror ? s - c * shear : c * shear - s;
  m[2] = draw_either_way (random, settings->shift) * (float) size;
  m[3] = s;
  m[4] = c + s * shear;
  m[5] = draw_either_way (random, settings->shift) * (float) size;
  if (settings->crop > 0)
    crop_map (settings, random, size, m);
}

static void
change_light (const MienAugment *settings, MienRandom *random, int n_pixels, float *out)
{
  const float gain = 1.f + draw_either_way (random, settings->contrast);
  const float bias = 255.f * draw_either_way (random, settings->brightness);
  double sum = 0;

  for (int i = 0; i < n_pixels; i++)
    sum += out[i];
  const float mean = (float) (sum / n_pixels);
  for (int i = 0; i < n_pixels; i++)
    out[i] = (out[i] - mean) * gain + mean + bias;
}

/* The sum of four 16-bit draws, standardised: near enough to normal for noise, at one draw a pixel. */
static void
add_noise (float sigma, MienRandom *random, int n_pixels, float *out)
{
  const float unit = sigma * sqrtf (3.f) / 65536.f;

  for (int i = 0; i < n_pixels; i++) {
    const guint64 bits = mien_random_next (random);
    const int sum = (int) ((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
    out[i] += (float) (sum - 2 * 65535) * unit;
  }
}

static void
erase_rectangle (const MienAugment *settings, MienRandom *random, int size, float *out)
{
  const float smallest = MIN (0.02f, settings->erase_area);
  const float area = (smallest + (settings->erase_area - smallest) * mien_random_uniform (random)) * (float) (size * size);
  const float aspect = expf (draw_either_way (random, logf (3.3f)));
  const int width = CLAMP ((int) lrintf (sqrtf (area * aspect)), 1, size);
  const int height = CLAMP ((int) lrintf (sqrtf (area / aspect)), 1, size);
  const int left = (int) mien_random_below (random, (guint) (size - width + 1));
  const int top = (int) mien_random_below (random, (guint) (size - height + 1));

  for (int y = top; y < top + height; y++)
    for (int x = left; x < left + width; x++)
      out[y * size + x] = 255.f * mien_random_uniform (random);
}

void
mien_augment_apply (const MienAugment *settings, MienRandom *random, const guint8 *in, int size, float *out)
{
  const int n_pixels = size * size;
  float m[6];

  if (settings == NULL) {
    for (int i = 0; i < n_pixels; i++)
      out[i] = in[i];
    return;
  }

  draw_geometry (settings, random, size, m);
  mien_augment_resample (m, in, size, out);
  if (settings->brightness > 0 || settings->contrast > 0)
    change_light (settings, random, n_pixels, out);
  if (settings->noise > 0)
    add_noise (settings->noise * mien_random_uniform (random), random, n_pixels, out);
  if (settings->erase > 0 && mien_random_uniform (random) < settings->erase)
    erase_rectangle (settings, random, size, out);
  for (int i = 0; i < n_pixels; i++)
    out[i] = CLAMP (out[i], 0.f, 255.f);
}
