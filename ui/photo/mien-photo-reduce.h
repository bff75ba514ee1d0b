/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A smaller copy of a large picture for the screen: GPUs shrink by looking at few pixels only, which makes large photos
 * shimmer, and they refuse textures beyond some size. */
#pragma once

#include "vision/mien-image.h"

G_BEGIN_DECLS

/* The picture divided by the largest whole number that leaves its longer side at least min_side; each pixel the mean of
 * those it stands for, what is left over at the right and the bottom is cut off. The same picture, with a new reference,
 * when that number is 1. Any thread. (transfer full) */
MienImage *mien_photo_reduce (MienImage *image, int min_side);

G_END_DECLS
