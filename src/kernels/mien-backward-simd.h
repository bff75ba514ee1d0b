/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernels of mien-backward.h written once with the compiler's vector types, like mien-blocked-simd.h: a file per instruction set sets
 * LANES, WIDTH, GROUP, REGISTERS, BF16, PAIRS, TILES and NAME(x) as there and includes this. With TILES, conv_grad is x86/mien-backward-tiles.h's.
 *
 * The gradient of weights sums over pixels. A tile keeps a few blocks of output channels x a few input channels of one tap in registers
 * and walks along the pixels: a vector of dy for each block, one broadcast value of x for each input channel. bfloat16 products take two
 * pixels at once, so neighbours are laid in pairs first, x[j] with x[j + stride] and dy[2 j] with dy[2 j + 1]; with PAIRS 0 both are widened first. */
#include "kernels/mien-backward.h"
#include "kernels/mien-lanes-simd.h"

#include <string.h>

#ifndef TILES
#define TILES 0
#endif
#ifndef REGISTERS
#define REGISTERS (GROUP == 4 ? 32 : 16)
#endif

enum { VECTORS = LANES / WIDTH }; /* of a pixel */

#if !TILES
enum {
  STRIP = 64,                 /* steps along the pixels between two visits to the sums in memory: their dy stays in the first cache */
  CHUNK_BYTES = 384 * 1024,   /* of units laid out at once: stays in the second cache */
};

static int
group_of (int k)
{
  const int blocks = blocks_of (k);

  for (int g = GROUP; g > 1; g--)
    if (blocks % g == 0)
      return g;
  return 1;
}
#endif

INLINE ptrdiff_t
plane_elems (const MienPlanes *planes)
{
  return (ptrdiff_t) (planes->h + 2 * planes->halo) * (planes->w + 2 * planes->halo) * LANES;
}

INLINE ptrdiff_t
row_at (const MienPlanes *planes, int row)
{
  return ((ptrdiff_t) (row + planes->halo) * (planes->w + 2 * planes->halo) + planes->halo) * LANES;
}

static void
zero_around (const MienPlanes *planes, Elem *plane)
{
  const ptrdiff_t row = (ptrdiff_t) (planes->w + 2 * planes->halo) * LANES, side = (ptrdiff_t) planes->halo * LANES;

  if (planes->halo == 0)
    return;
  memset (plane, 0, planes->halo * row * sizeof *plane);
  memset (plane + (planes->h + planes->halo) * row, 0, planes->halo * row * sizeof *plane);
  for (int y = planes->halo; y < planes->h + planes->halo; y++) {
    memset (plane + y * row, 0, side * sizeof *plane);
    memset (plane + y * row + row - side, 0, side * sizeof *plane);
  }
}

#include "kernels/mien-norm-simd.h"

/* Sums, pools, weaving */

static void
add (const MienPlanes *planes, const void *a, const void *b, void *y, int first, int end)
{
  const ptrdiff_t picture = plane_elems (planes) * blocks_of (planes->c);

  for (ptrdiff_t i = first * picture; i < end * picture; i += WIDTH)
    write_elems ((Elem *) y + i, read_elems ((const Elem *) a + i) + read_elems ((const Elem *) b + i));
}

static void
max_pool_grad (const MienPlanes *planes, const void *x, const void *dy, bool rectified, void *dx, int first, int end)
{
  const Vec above = splat (rectified ? 0 : -__builtin_inff ());

  const int blocks = blocks_of (planes->c);
  const MienPlanes half = { planes->n, planes->c, planes->h / 2, planes->w / 2, planes->halo };
  const ptrdiff_t below = (ptrdiff_t) (planes->w + 2 * planes->halo) * LANES;

  for (int i = first * blocks; i < end * blocks; i++) {
    Elem *plane = (Elem *) dx + i * plane_elems (planes);
    zero_around (planes, plane);
    for (int row = 0; row < half.h; row++) {
      const ptrdiff_t at = row_at (planes, 2 * row);
      const Elem *from = (const Elem *) x + i * plane_elems (planes) + at;
      const Elem *grad = (const Elem *) dy + i * plane_elems (&half) + row_at (&half, row);
      Elem *to = plane + at;
      for (int q = 0; q < half.w; q++) {
        for (int v = 0; v < LANES; v += WIDTH) {
          const Vec dz = read_elems (grad + q * LANES + v);
          const ptrdiff_t left = (ptrdiff_t) 2 * q * LANES + v, places[] = { left, left + LANES, left + below, left + LANES + below };
          Vec value[4], most;
          for (int k = 0; k < 4; k++)
            value[k] = read_elems (from + places[k]);
          most = at_least (at_least (value[0], value[1]), at_least (value[2], value[3]));
          VecI open = most > above;
          for (int k = 0; k < 4; k++) {
            const VecI here = open & (value[k] == most);
            write_elems (to + places[k], (Vec) ((VecI) dz & here));
            open &= ~here;
          }
        }
      }
      if (planes->w % 2 != 0) {
        memset (to + (planes->w - 1) * LANES, 0, LANES * sizeof *to);
        memset (to + (planes->w - 1) * LANES + below, 0, LANES * sizeof *to);
      }
    }
    if (planes->h % 2 != 0)
      memset (plane + row_at (planes, planes->h - 1), 0, planes->w * LANES * sizeof *plane);
  }
}

static void
average_grad (const MienPlanes *planes, const float *dy, void *dx, int first, int end)
{
  const int blocks = blocks_of (planes->c);

  for (int i = first * blocks; i < end * blocks; i++) {
    const int channel = i % blocks * LANES, n_channels = planes->c - channel < LANES ? planes->c - channel : LANES;
    Elem *plane = (Elem *) dx + i * plane_elems (planes);
    float grad[LANES] = { 0 };
    for (int l = 0; l < n_channels; l++)
      grad[l] = dy[(ptrdiff_t) (i / blocks) * planes->c + channel + l] / (float) (planes->h * planes->w);
    zero_around (planes, plane);
    for (int row = 0; row < planes->h; row++)
      for (int q = 0; q < planes->w; q++)
        for (int v = 0; v < LANES; v += WIDTH)
          write_elems (plane + row_at (planes, row) + q * LANES + v, load (grad + v));
  }
}

/* Every stride-th pixel of a row. */
INLINE void
weave_row (const Elem *from, int n, int stride, const Elem *residual, Elem *y)
{
  for (int j = 0; j < n; j++)
    for (int v = 0; v < LANES; v += WIDTH) {
      const ptrdiff_t at = (ptrdiff_t) j * stride * LANES + v;
      Vec value = from != NULL ? read_elems (from + j * LANES + v) : (Vec) { 0 };
      if (residual != NULL)
        value += read_elems (residual + at);
      write_elems (y + at, value);
    }
}

static void
weave (const MienPlanes *planes, int stride, int phase_halo, const void *const *phases, const void *residual, void *y)
{
  for (int i = 0; i < blocks_of (planes->c); i++) {
    for (int row = 0; row < planes->h; row++)
      for (int column = 0; column < stride; column++) {
        const MienPlanes part = { 1, planes->c, (planes->h - row % stride + stride - 1) / stride, (planes->w - column + stride - 1) / stride, phase_halo };
        const Elem *phase = phases[row % stride * stride + column];
        const ptrdiff_t at = i * plane_elems (planes) + row_at (planes, row) + (ptrdiff_t) column * LANES;
        weave_row (phase != NULL ? phase + i * plane_elems (&part) + row_at (&part, row / stride) : NULL, part.w, stride,
                   residual != NULL ? (const Elem *) residual + at : NULL, (Elem *) y + at);
      }
    zero_around (planes, (Elem *) y + i * plane_elems (planes));
  }
}

#if TILES
#include "kernels/x86/mien-backward-tiles.h"
#else
/* Gradients of weights. Both forms of x and dy below are made of 32-bit units: a float, or two bfloat16. */

typedef struct {
  const float *x, *dy;          /* at the picture, row and pixel where a strip begins */
  ptrdiff_t x_row, x_picture;   /* from one row of output to the next, from one picture to the next */
  ptrdiff_t dy_row, dy_picture, dy_block;
  ptrdiff_t x_step;             /* from one step along a row to the next; dy: LANES */
  int n_steps;                  /* in a row */
  int row, n_rows;              /* first row in its picture; rows of a picture */
  int count;                    /* rows in the strip */
} Strip;

INLINE void
grad_tile (const Strip *strip, const int G, const int C, float *dw)
{
  const float *x = strip->x, *dy = strip->dy;
  Vec acc[4][16];
  int row = strip->row;

#pragma GCC unroll 4
  for (int g = 0; g < G; g++)
#pragma GCC unroll 16
    for (int c = 0; c < C; c++)
      acc[g][c] = load (dw + (c * G + g) * LANES);
  for (int left = strip->count; left > 0; left--) {
    const float *from = x, *with = dy;
    for (int i = 0; i < strip->n_steps; i++, from += strip->x_step, with += LANES) {
      Vec grads[4];
#pragma GCC unroll 4
      for (int g = 0; g < G; g++)
        grads[g] = load (with + g * strip->dy_block);
#pragma GCC unroll 16
      for (int c = 0; c < C; c++) {
        const Vec value = splat (from[c]);
#pragma GCC unroll 4
        for (int g = 0; g < G; g++)
#if PAIRS
          acc[g][c] = (Vec) _mm512_dpbf16_ps ((__m512) acc[g][c], (__m512bh) value, (__m512bh) grads[g]);
#else
          acc[g][c] += value * grads[g];
#endif
      }
    }
    if (++row == strip->n_rows) {
      row = 0;
      x += strip->x_picture - (strip->n_rows - 1) * strip->x_row;
      dy += strip->dy_picture - (strip->n_rows - 1) * strip->dy_row;
    } else {
      x += strip->x_row;
      dy += strip->dy_row;
    }
  }
#pragma GCC unroll 4
  for (int g = 0; g < G; g++)
#pragma GCC unroll 16
    for (int c = 0; c < C; c++)
      store (dw + (c * G + g) * LANES, acc[g][c]);
}

/* All channels of a block of x. */
#define DEFINE_BLOCK(G, MOST)                                                           \
  static __attribute__ ((noinline)) void grad_block_##G (Strip *strip, float *dw)       \
  {                                                                                     \
    enum { C = MOST < LANES ? MOST : LANES };                                           \
    for (int c = 0; c < LANES; c += C, strip->x += C, dw += C * G * LANES)              \
      grad_tile (strip, G, C, dw);                                                      \
  }

#if GROUP == 4 && REGISTERS == 16
DEFINE_BLOCK (4, 2)
DEFINE_BLOCK (3, 2)
DEFINE_BLOCK (2, 4)
DEFINE_BLOCK (1, 4)
static void (*const grad_blocks[]) (Strip *strip, float *dw) = { grad_block_1, grad_block_2, grad_block_3, grad_block_4 };
#elif GROUP == 4
DEFINE_BLOCK (4, 4)
DEFINE_BLOCK (3, 8)
DEFINE_BLOCK (2, 8)
DEFINE_BLOCK (1, 16)
static void (*const grad_blocks[]) (Strip *strip, float *dw) = { grad_block_1, grad_block_2, grad_block_3, grad_block_4 };
#else
DEFINE_BLOCK (2, 4)
DEFINE_BLOCK (1, 8)
static void (*const grad_blocks[]) (Strip *strip, float *dw) = { grad_block_1, grad_block_2 };
#endif

/* Units: x of the same geometry as the tensor, dy rows of n_steps vectors. */
static void
grad_strips (const MienBlockedShape *shape, const float *x, const float *dy, Strip strip, int n_pictures, float *dw)
{
  const int group = group_of (shape->k), c_blocks = blocks_of (shape->c), n_groups = blocks_of (shape->k) / group;
  const ptrdiff_t x_line = (ptrdiff_t) (shape->w + 2 * shape->x_halo) * LANES, x_plane = x_line * (shape->h + 2 * shape->x_halo);
  const ptrdiff_t x_begin = (shape->x_halo - shape->pad_top) * x_line + (ptrdiff_t) (shape->x_halo - shape->pad_left) * LANES;
  const int all = n_pictures * shape->p, most = strip.n_steps < STRIP ? STRIP / strip.n_steps : 1;

  for (int g = 0; g < n_groups; g++) {
    for (int first = 0; first < all; first += most) {
      const int n = first / shape->p;
      float *to = dw + (ptrdiff_t) g * c_blocks * shape->r * shape->s * LANES * group * LANES;
      strip.row = first % shape->p;
      strip.count = all - first < most ? all - first : most;
      strip.dy = dy + n * strip.dy_picture + (ptrdiff_t) g * group * strip.dy_block + strip.row * strip.dy_row;
      for (int c = 0; c < c_blocks; c++)
        for (int r = 0; r < shape->r; r++)
          for (int s = 0; s < shape->s; s++, to += LANES * group * LANES) {
            strip.x = x + n * strip.x_picture + c * x_plane + x_begin + strip.row * strip.x_row + r * shape->dilation_h * x_line +
                      (ptrdiff_t) s * shape->dilation_w * LANES;
            grad_blocks[group - 1](&strip, to);
          }
    }
  }
}

#if BF16
/* A unit of the pixels of a step: two of them, or one. */
INLINE void
lay_out_unit (float *to, const Elem *even, const Elem *odd)
{
#if !PAIRS
  store (to, read_elems (even));
  return;
#endif
  const __m512i a = _mm512_cvtepu16_epi32 (_mm256_loadu_si256 ((const __m256i *) even));
  const __m512i b = odd != NULL ? _mm512_slli_epi32 (_mm512_cvtepu16_epi32 (_mm256_loadu_si256 ((const __m256i *) odd)), 16) : _mm512_setzero_si512 ();

  _mm512_storeu_si512 (to, _mm512_or_si512 (a, b));
}

static void
conv_grad (const MienBlockedShape *shape, const void *x, const void *dy, int first, int end, void *scratch, float *dw)
{
  const int c_blocks = blocks_of (shape->c), k_blocks = blocks_of (shape->k), n_steps = (shape->q + PAIRS) / (1 + PAIRS);
  const int x_h = shape->h + 2 * shape->x_halo, x_w = shape->w + 2 * shape->x_halo;
  const ptrdiff_t x_picture = (ptrdiff_t) c_blocks * x_h * x_w * LANES, dy_picture = (ptrdiff_t) k_blocks * shape->p * n_steps * LANES;
  const int fit = (int) (CHUNK_BYTES / ((x_picture + dy_picture) * (ptrdiff_t) sizeof (float))), at_once = fit < 1 ? 1 : fit > 16 ? 16 : fit;
  float *x_units = scratch, *dy_units = x_units + at_once * x_picture;
  const Strip strip = {
    .x_row = (ptrdiff_t) x_w * LANES * shape->stride_h,
    .x_picture = x_picture,
    .dy_row = (ptrdiff_t) n_steps * LANES,
    .dy_picture = dy_picture,
    .dy_block = (ptrdiff_t) shape->p * n_steps * LANES,
    .x_step = (ptrdiff_t) (1 + PAIRS) * shape->stride_w * LANES,
    .n_steps = n_steps,
    .n_rows = shape->p,
  };

  for (; first < end; first += at_once) {
    const int now = end - first < at_once ? end - first : at_once;
    float *to = x_units;
    for (int line = 0; line < now * c_blocks * x_h; line++) {
      const Elem *from = (const Elem *) x + first * x_picture + (ptrdiff_t) line * x_w * LANES;
      for (int j = 0; j < x_w; j++, to += LANES)
        lay_out_unit (to, from + j * LANES, j + shape->stride_w < x_w ? from + (j + shape->stride_w) * LANES : NULL);
    }
    to = dy_units;
    for (int i = 0; i < now * k_blocks; i++) {
      for (int p = 0; p < shape->p; p++) {
        const Elem *from = (const Elem *) dy + offset_of (k_blocks, shape->p, shape->q, shape->y_halo, first, i, p);
        for (int j = 0; j < n_steps; j++, to += LANES)
          lay_out_unit (to, from + (1 + PAIRS) * j * LANES, 2 * j + 1 < shape->q ? from + (2 * j + 1) * LANES : NULL);
      }
    }
    grad_strips (shape, x_units, dy_units, strip, now, dw);
  }
}
#else
static void
conv_grad (const MienBlockedShape *shape, const void *x, const void *dy, int first, int end, void *scratch, float *dw)
{
  const int c_blocks = blocks_of (shape->c), k_blocks = blocks_of (shape->k);
  const ptrdiff_t x_line = (ptrdiff_t) (shape->w + 2 * shape->x_halo) * LANES, dy_line = (ptrdiff_t) (shape->q + 2 * shape->y_halo) * LANES;
  const Strip strip = {
    .x_row = x_line * shape->stride_h,
    .x_picture = x_line * (shape->h + 2 * shape->x_halo) * c_blocks,
    .dy_row = dy_line,
    .dy_picture = dy_line * (shape->p + 2 * shape->y_halo) * k_blocks,
    .dy_block = dy_line * (shape->p + 2 * shape->y_halo),
    .x_step = (ptrdiff_t) shape->stride_w * LANES,
    .n_steps = shape->q,
    .n_rows = shape->p,
  };
  const int fit = (int) (CHUNK_BYTES / ((strip.x_picture + strip.dy_picture) * (ptrdiff_t) sizeof (float))), at_once = fit < 1 ? 1 : fit;

  for (; first < end; first += at_once)
    grad_strips (shape, (const float *) x + first * strip.x_picture, (const float *) dy + offset_of (k_blocks, shape->p, shape->q, shape->y_halo, first, 0, 0),
                 strip, end - first < at_once ? end - first : at_once, dw);
}
#endif
#endif

/* One row of output of the stem: G vectors of dy against S taps of a row of x, which has room on both sides. */
INLINE void
stem_row (const float *x, const Elem *dy, ptrdiff_t dy_next, int n_q, int stride, const int G, const int S, float *dw, ptrdiff_t dw_next)
{
  Vec acc[2][8];

  for (int g = 0; g < G; g++)
    for (int s = 0; s < S; s++)
      acc[g][s] = load (dw + g * dw_next + s * LANES);
  for (int q = 0; q < n_q; q++, x += stride) {
    Vec grads[2];
    for (int g = 0; g < G; g++)
      grads[g] = read_elems (dy + g * dy_next + q * LANES);
    for (int s = 0; s < S; s++)
      for (int g = 0; g < G; g++)
        acc[g][s] += splat (x[s]) * grads[g];
  }
  for (int g = 0; g < G; g++)
    for (int s = 0; s < S; s++)
      store (dw + g * dw_next + s * LANES, acc[g][s]);
}

enum { STEM_WIDTH = 1024 };

static void
stem_grad (const MienBlockedShape *shape, const float *x, const void *dy, int first, int end, float *dw)
{
  const int blocks = blocks_of (shape->k);
  const ptrdiff_t dy_block = (ptrdiff_t) (shape->p + 2 * shape->y_halo) * (shape->q + 2 * shape->y_halo) * LANES;
  const ptrdiff_t dw_block = (ptrdiff_t) shape->c * shape->r * shape->s * LANES;
  const ptrdiff_t dy_next = VECTORS > 1 ? WIDTH : dy_block, dw_next = VECTORS > 1 ? WIDTH : dw_block; /* vector of channels */
  float line[STEM_WIDTH + 64];

  for (int n = first; n < end; n++)
    for (int c = 0; c < shape->c; c++)
      for (int h = 0; h < shape->h; h++) {
        memset (line, 0, sizeof line);
        memcpy (line + shape->pad_left, x + (((ptrdiff_t) n * shape->c + c) * shape->h + h) * shape->w, shape->w * sizeof (float));
        for (int r = 0; r < shape->r; r++) {
          const int at = h + shape->pad_top - r, p = at / shape->stride_h;
          if (at < 0 || at % shape->stride_h != 0 || p >= shape->p)
            continue;
          const Elem *grads = (const Elem *) dy + offset_of (blocks, shape->p, shape->q, shape->y_halo, n, 0, p);
          for (int k = 0; k < blocks * LANES;) {
            const int g = k + 2 * WIDTH <= blocks * LANES ? 2 : 1;
            const Elem *with = grads + k / LANES * dy_block + k % LANES;
            float *to = dw + k / LANES * dw_block + ((ptrdiff_t) c * shape->r + r) * shape->s * LANES + k % LANES;
            if (shape->s == 3 && g == 2)
              stem_row (line, with, dy_next, shape->q, shape->stride_w, 2, 3, to, dw_next);
            else if (g == 2)
              stem_row (line, with, dy_next, shape->q, shape->stride_w, 2, shape->s, to, dw_next);
            else
              stem_row (line, with, dy_next, shape->q, shape->stride_w, 1, shape->s, to, dw_next);
            k += g * WIDTH;
          }
        }
      }
}

void
NAME (backward_kernels_init) (MienBackwardKernels *self)
{
  *self = (MienBackwardKernels) {
    LANES, BF16, moments, normalise, grad_moments, norm_grad, add, max_pool_grad, average_grad, weave, conv_grad, stem_grad,
#if TILES
    conv_grad_scratch,
#else
    NULL,
#endif
  };
}
