/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How numbers become colours in a feature map.
 *
 * All are made by formula in the OKLab colour space, so that equal steps of a value look like equal steps, and all can be
 * told apart with the common kinds of colour blindness, because lightness alone carries the order.
 *
 * Thread   pure; any */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  MIEN_COLOR_MAP_GLOW,   /* dark violet over green to light yellow */
  MIEN_COLOR_MAP_GREY,   /* black to white */
  MIEN_COLOR_MAP_SIGNED, /* blue below zero, white at zero, orange above */
} MienColorMap;
#define MIEN_COLOR_MAP_N 3

/* 0xAARRGGBB for 256 steps from the lowest to the highest value; alpha 255. */
void mien_color_map_fill (MienColorMap map, guint32 colours[256]);

G_END_DECLS
