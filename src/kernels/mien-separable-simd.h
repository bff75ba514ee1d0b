/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Separable convolutions of mien-blocked.h, part of mien-blocked-simd.h: the depthwise results of some rows go to a buffer that stays in
 * cache, where the tiles of the 1 x 1 convolution read them at once. Either half computes what it would have computed alone, to the bit. */

static void
depth_to_buffer (const MienBlockedSeparable *layer, const Elem *x, Elem *buffer, int n, int p0, int n_rows)
{
  const MienBlockedShape *shape = &layer->depth;
  const int blocks = blocks_of (shape->k);
  const ptrdiff_t line = (ptrdiff_t) shape->q * LANES, x_line = (ptrdiff_t) (shape->w + 2 * shape->x_halo) * LANES;
  Row row = {
    .shape = shape,
    .x_row = x_line * shape->dilation_h,
    .x_tap = (ptrdiff_t) shape->dilation_w * LANES,
    .y = buffer,
    .first = true,
    .last = true,
  };

  for (int block = 0; block < blocks; block++) {
    row.w = (const float *) layer->depth_w + (ptrdiff_t) block * shape->r * shape->s * LANES;
    row.bias = layer->depth_bias != NULL ? layer->depth_bias + (ptrdiff_t) block * LANES : NULL;
    row.x = x + offset_of (blocks, shape->h, shape->w, shape->x_halo, n, block, p0 * shape->stride_h - shape->pad_top) -
            (ptrdiff_t) shape->pad_left * LANES;
    depth_rows (&row, n_rows, x_line * shape->stride_h, line);
    row.y += n_rows * line;
  }
}

static void
separable (const MienBlockedSeparable *layer, const void *x, const void *residual, void *y, void *buffer, int first, int end)
{
  const MienBlockedShape *shape = &layer->point;
  const int group = group_of (shape->k), k_blocks = blocks_of (shape->k), n_groups = k_blocks / group;
  const ptrdiff_t line = (ptrdiff_t) shape->q * LANES, per_group = (ptrdiff_t) blocks_of (shape->c) * LANES * group * LANES;
  const RowFn run = conv_rows[group - 1][0];
  Row row = {
    .shape = shape,
    .y_plane = row_elems (shape) * (shape->p + 2 * shape->y_halo),
    .residual_plane = (ptrdiff_t) (shape->p + 2 * shape->residual_halo) * (shape->q + 2 * shape->residual_halo) * LANES,
    .n_channels = shape->c,
    .first = true,
    .last = true,
  };

  while (first < end) { /* rows of one picture */
    const int n = first / shape->p, p0 = first % shape->p, left = end - first < shape->p - p0 ? end - first : shape->p - p0;
    const int n_rows = left < layer->n_rows ? left : layer->n_rows;
    depth_to_buffer (layer, x, buffer, n, p0, n_rows);
    row.x_plane = n_rows * line;
    for (int g = 0; g < n_groups; g++) {
      row.w = (const Elem *) layer->point_w + g * per_group;
      row.bias = layer->point_bias != NULL ? layer->point_bias + (ptrdiff_t) g * group * LANES : NULL;
      for (int i = 0; i < n_rows; i++) {
        row.x = (const Elem *) buffer + i * line;
        row.y = (Elem *) y + offset_of (k_blocks, shape->p, shape->q, shape->y_halo, n, g * group, p0 + i);
        if (residual != NULL)
          row.residual = (const Elem *) residual + offset_of (k_blocks, shape->p, shape->q, shape->residual_halo, n, g * group, p0 + i);
        run (&row);
        for (int b = 0; b < group; b++)
          zero_halo (shape, row.y + b * row.y_plane, p0 + i);
      }
    }
    first += n_rows;
  }
}
