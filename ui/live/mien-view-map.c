/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Picture to widget and back; see the header. */
#include "mien-config.h"

#include "live/mien-view-map.h"

void
mien_view_map_init (MienViewMap *map, double image_width, double image_height, double view_width, double view_height, gboolean mirrored)
{
  *map = (MienViewMap) { .mirrored = mirrored };
  if (image_width <= 0 || image_height <= 0 || view_width <= 0 || view_height <= 0)
    return;

  map->scale = MIN (view_width / image_width, view_height / image_height);
  map->width = image_width * map->scale;
  map->height = image_height * map->scale;
  map->x = (view_width - map->width) / 2;
  map->y = (view_height - map->height) / 2;
}

void
mien_view_map_box (const MienViewMap *map, const MienBox *box, graphene_rect_t *rect)
{
  double width = box->width * map->scale, left = box->x * map->scale;

  if (map->mirrored)
    left = map->width - left - width;
  graphene_rect_init (rect, map->x + left, map->y + box->y * map->scale, width, box->height * map->scale);
}

gboolean
mien_view_map_point (const MienViewMap *map, double x, double y, double *image_x, double *image_y)
{
  x -= map->x;
  y -= map->y;
  if (map->scale <= 0 || x < 0 || y < 0 || x >= map->width || y >= map->height)
    return FALSE;
  *image_x = (map->mirrored ? map->width - x : x) / map->scale;
  *image_y = y / map->scale;
  return TRUE;
}
