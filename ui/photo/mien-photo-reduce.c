/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reducing large photos; see the header. */
#include "mien-config.h"

#include "photo/mien-photo-reduce.h"

MienImage *
mien_photo_reduce (MienImage *image, int min_side)
{
  int n = MAX (image->width, image->height) / min_side;
  MienImage *small;

  n = MIN (n, MIN (image->width, image->height));
  if (n < 2)
    return mien_image_ref (image);
  small = mien_image_new (image->width / n, image->height / n);
  if (small == NULL)
    return mien_image_ref (image);
  for (int y = 0; y < small->height; y++) {
    for (int x = 0; x < small->width; x++) {
      guint8 *to = small->pixels + (gsize) y * small->stride_bytes + x * 4;
      guint sums[4] = { 0 };

      for (int j = 0; j < n; j++) {
        const guint8 *from = image->pixels + (gsize) (y * n + j) * image->stride_bytes + (gsize) x * n * 4;

        for (int i = 0; i < n; i++, from += 4) {
          for (int c = 0; c < 4; c++)
            sums[c] += from[c];
        }
      }
      for (int c = 0; c < 4; c++)
        to[c] = (sums[c] + n * n / 2) / (n * n);
    }
  }
  return small;
}
