/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-color-map.h. */
#include "mien-config.h"

#include "layers/mien-color-map.h"

#include <math.h>

/* OKLab lightness, chroma and hue (degrees) to linear RGB. */
static void
to_linear (double lightness, double chroma, double hue, double rgb[3])
{
  const double a = chroma * cos (hue * G_PI / 180), b = chroma * sin (hue * G_PI / 180);
  const double l = pow (lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
  const double m = pow (lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
  const double s = pow (lightness - 0.0894841775 * a - 1.2914855480 * b, 3);

  rgb[0] = 4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s;
  rgb[1] = -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s;
  rgb[2] = -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s;
}

static guint32
encode (double linear)
{
  const double v = CLAMP (linear, 0, 1);

  return (guint32) lrint (255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * pow (v, 1 / 2.4) - 0.055));
}

/* A colour outside sRGB gives up chroma, never lightness or hue. */
static guint32
make_colour (double lightness, double chroma, double hue)
{
  double rgb[3];

  for (;; chroma *= .95) {
    const double slack = 1e-4;

    to_linear (lightness, chroma, hue, rgb);
    if (chroma < 1e-3 || (MIN (rgb[0], MIN (rgb[1], rgb[2])) >= -slack && MAX (rgb[0], MAX (rgb[1], rgb[2])) <= 1 + slack))
      break;
  }
  return 0xff000000 | encode (rgb[0]) << 16 | encode (rgb[1]) << 8 | encode (rgb[2]);
}

void
mien_color_map_fill (MienColorMap map, guint32 colours[256])
{
  for (int i = 0; i < 256; i++) {
    const double t = i / 255.0;

    switch (map) {
    case MIEN_COLOR_MAP_GREY:
      colours[i] = 0xff000000 | (guint32) i * 0x010101;
      break;
    case MIEN_COLOR_MAP_SIGNED: {
      /* 127 and 128 are both zero: the middle lies between them. */
      const double away = MAX (fabs (2 * t - 1) - 1 / 255., 0) / (1 - 1 / 255.);
      colours[i] = make_colour (.97 - .47 * away, .20 * away, t < .5 ? 255 : 45);
      break;
    }
    case MIEN_COLOR_MAP_GLOW:
    default:
      colours[i] = make_colour (.20 + .75 * t, .07 + .09 * sin (G_PI * (.15 + .7 * t)), 305 - 200 * t);
      break;
    }
  }
}
