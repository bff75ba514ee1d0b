/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Means of mien-blocked.h, part of mien-blocked-simd.h: of planes, and of the planes that a convolution would give. */

static void
mean (const MienBlockedShape *shape, const void *x, float *y)
{
  const int blocks = blocks_of (shape->c);

  for (int i = 0; i < shape->n * blocks; i++) {
    const int c = i % blocks * LANES, n_lanes = shape->c - c < LANES ? shape->c - c : LANES;
    float means[LANES];
    for (int v = 0; v < LANES; v += WIDTH) {
      Vec sum = (Vec) { 0 };
      for (int h = 0; h < shape->h; h++) {
        const Elem *row = (const Elem *) x + offset_of (1, shape->h, shape->w, shape->x_halo, i, 0, h) + v;
        for (int w = 0; w < shape->w; w++)
          sum += read_elems (row + (ptrdiff_t) w * LANES);
      }
      store (means + v, sum / splat ((float) shape->h * (float) shape->w));
    }
    memcpy (y, means, n_lanes * sizeof *y);
    y += n_lanes;
  }
}

#if TILES
#define conv_mean NULL
#else
/* One vector of weights of Conv: channel l of the input, or l and l + 1, times the sums. */
INLINE Vec
add_weights (Vec sum, const float *x, const Elem *w)
{
#if BF16
  const Vec pairs = load ((const float *) (const void *) w);

  sum += splat (x[0]) * widen (pairs, 0);
  return sum + splat (x[1]) * widen (pairs, 1);
#else
  return sum + splat (*x) * load (w);
#endif
}

/* Sums of x over all places of the window, in the order of the weights. */
static void
sum_windows (const MienBlockedShape *shape, const Elem *x, int n, float *sums)
{
  const int blocks = blocks_of (shape->c);
  const ptrdiff_t x_row = (ptrdiff_t) (shape->w + 2 * shape->x_halo) * LANES;

  for (int block = 0; block < blocks; block++)
    for (int r = 0; r < shape->r; r++)
      for (int s = 0; s < shape->s; s++, sums += LANES) {
        const Elem *at = x + offset_of (blocks, shape->h, shape->w, shape->x_halo, n, block, r * shape->dilation_h - shape->pad_top) +
                         ((ptrdiff_t) s * shape->dilation_w - shape->pad_left) * LANES;
        Vec sum = (Vec) { 0 };
        for (int p = 0; p < shape->p; p++, at += x_row * shape->stride_h)
          for (int q = 0; q < shape->q; q++)
            sum += read_elems (at + (ptrdiff_t) q * shape->stride_w * LANES);
        store (sums, sum);
      }
}

static void
conv_mean (const MienBlockedShape *shape, const MienBlockedArgs *args, float *sums)
{
  enum { PARTS = LANES < 8 ? 4 : 8 }; /* additions wait for each other less */
  const int group = group_of (shape->k), n_sums = blocks_of (shape->c) * shape->r * shape->s * LANES;
  const Vec share = splat (1 / ((float) shape->p * (float) shape->q));
  float *y = args->y;

  for (int n = 0; n < shape->n; n++, y += shape->k) {
    sum_windows (shape, args->x, n, sums);
    for (int k = 0; k < shape->k; k += LANES) {
      const int block = k / LANES, n_lanes = shape->k - k < LANES ? shape->k - k : LANES;
      const Elem *w = (const Elem *) args->w + (ptrdiff_t) (block / group) * n_sums * group * LANES + block % group * LANES * STEP;
      Vec parts[PARTS] = { 0 };
      float means[LANES];
      for (int i = 0; i < n_sums; i += PARTS * STEP)
#pragma GCC unroll 8
        for (int part = 0; part < PARTS; part++, w += group * LANES * STEP)
          parts[part] = add_weights (parts[part], sums + i + part * STEP, w);
#pragma GCC unroll 3
      for (int half = PARTS / 2; half > 0; half /= 2)
#pragma GCC unroll 4
        for (int part = 0; part < half; part++)
          parts[part] += parts[part + half];
      const Vec sum = parts[0] * share;
      store (means, args->bias != NULL ? sum + load (args->bias + k) : sum);
      memcpy (y + k, means, n_lanes * sizeof *y);
    }
  }
}
#endif
