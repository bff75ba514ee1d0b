/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cropping a face to the square grey picture that the network takes. Contract in mien-faces.h. */
#include <math.h>

#include "vision/mien-faces.h"

#define MAX_SIDE 65536.f /* of the square that is cropped; a box from anywhere must not cost more than a moment */

/* For each of n outputs the span of inputs that it averages: first[i] .. first[i] + count[i] - 1 with weights. Inputs
 * outside 0 .. limit - 1 are folded onto the edge, which is what repeating the edge means. */
typedef struct {
  int first;
  int count;
  int weights_at;
} Span;

static void
make_spans (Span *spans, GArray *weights, double start, double step, int n, int limit)
{
  for (int i = 0; i < n; i++) {
    const int at = (int) weights->len;
    int first, last;

    if (step > 1) { /* area: the integral over [from, to) */
      const double from = start + i * step, to = from + step;

      first = (int) CLAMP (floor (from), 0, limit - 1);
      last = (int) CLAMP (ceil (to) - 1, first, limit - 1);
      for (int k = first; k <= last; k++) {
        const double low = k == first ? from : MAX (from, k); /* the first and last input stand for all beyond the edge */
        const double high = k == last ? to : MIN (to, k + 1);
        const float weight = (float) ((high - low) / step);

        g_array_append_val (weights, weight);
      }
    } else { /* two neighbours of the centre */
      const double centre = start + (i + .5) * step - .5;
      const double base = floor (centre);
      const float after = (float) (centre - base), before = 1 - after;

      first = (int) CLAMP (base, 0, limit - 1);
      last = (int) CLAMP (base + 1, 0, limit - 1);
      if (first == last) {
        const float one = 1;

        g_array_append_val (weights, one);
      } else {
        g_array_append_val (weights, before);
        g_array_append_val (weights, after);
      }
    }
    spans[i] = (Span) { first, last - first + 1, at };
  }
}

void
mien_faces_crop (const MienImage *image, const MienBox *box, float margin, int size, float *out)
{
  const float longer = MAX (box->width, box->height);
  const double side = CLAMP (longer * (1 + 2 * margin), 1e-3f, MAX_SIDE);
  const double left = box->x + box->width / 2. - side / 2, top = box->y + box->height / 2. - side / 2;
  const double step = side / size;
  g_autoptr (GArray) weights = g_array_new (FALSE, FALSE, sizeof (float));
  g_autofree Span *columns = g_new (Span, size), *rows = g_new (Span, size);
  g_autofree float *line = NULL; /* grey, columns of one row */
  int line_first, line_last;

  g_return_if_fail (size >= 1 && isfinite (left) && isfinite (top) && isfinite (side));
  make_spans (columns, weights, left, step, size, image->width);
  make_spans (rows, weights, top, step, size, image->height);
  line_first = columns[0].first;
  line_last = columns[size - 1].first + columns[size - 1].count - 1;
  line = g_new (float, line_last - line_first + 1);

  for (int i = 0; i < size * size; i++)
    out[i] = 0;
  for (int p = 0; p < size; p++) {
    for (int k = 0; k < rows[p].count; k++) {
      const guint8 *in = image->pixels + (gsize) (rows[p].first + k) * (gsize) image->stride_bytes + (gsize) line_first * 4;
      const float row_weight = g_array_index (weights, float, rows[p].weights_at + k);

      for (int x = 0; x <= line_last - line_first; x++, in += 4)
        line[x] = (.114f * in[0] + .587f * in[1] + .299f * in[2]) * row_weight;
      for (int q = 0; q < size; q++) {
        const float *w = &g_array_index (weights, float, columns[q].weights_at);
        const float *values = line + (columns[q].first - line_first);
        float sum = 0;

        for (int x = 0; x < columns[q].count; x++)
          sum += w[x] * values[x];
        out[p * size + q] += sum;
      }
    }
  }
  for (int i = 0; i < size * size; i++)
    out[i] = CLAMP (out[i], 0.f, 255.f); /* weights sum to 1 but for rounding */
}

float
mien_box_iou (const MienBox *a, const MienBox *b)
{
  const float width = MIN (a->x + a->width, b->x + b->width) - MAX (a->x, b->x);
  const float height = MIN (a->y + a->height, b->y + b->height) - MAX (a->y, b->y);
  float both;

  if (width <= 0 || height <= 0)
    return 0;
  both = width * height;
  return both / (a->width * a->height + b->width * b->height - both);
}
