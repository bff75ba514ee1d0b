/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loops of mien-vector.h written once with the compiler's vector types; a file per instruction set sets LANES and
 * NAME(x) and includes this. Rests are computed on a padded copy of the last vector. */
#include "kernels/mien-vector.h"

#include <string.h>

typedef float Vec __attribute__ ((vector_size (LANES * 4)));
typedef float VecU __attribute__ ((vector_size (LANES * 4), aligned (4), may_alias));
typedef int VecI __attribute__ ((vector_size (LANES * 4)));

static inline Vec
load (const float *x)
{
  return (Vec) * (const VecU *) x;
}

static inline void
store (float *y, Vec x)
{
  *(VecU *) y = (VecU) x;
}

static inline Vec
splat (float x)
{
  return x - (Vec) { 0 };
}

static inline Vec
load_part (const float *x, size_t n)
{
  Vec v = { 0 };

  memcpy (&v, x, n * sizeof *x);
  return v;
}

static inline void
store_part (float *y, Vec x, size_t n)
{
  memcpy (y, &x, n * sizeof *y);
}

static inline Vec
at_least (Vec x, Vec lo)
{
  VecI low = x < lo;

  return (Vec) (((VecI) lo & low) | ((VecI) x & ~low));
}

static inline double
total (Vec x)
{
  double sum = 0;

  for (int i = 0; i < LANES; i++)
    sum += x[i];
  return sum;
}

/* Runs `expression` of the vectors A (and B) over all elements. */
#define MAP2(y, x, z, expression)                                \
  do {                                                           \
    size_t i = 0;                                                \
    for (; i + LANES <= n_elems; i += LANES) {                   \
      const Vec A = load (x + i), B = load (z + i);              \
      (void) B;                                                  \
      store (y + i, expression);                                 \
    }                                                            \
    if (i < n_elems) {                                           \
      const size_t rest = n_elems - i;                           \
      const Vec A = load_part (x + i, rest), B = load_part (z + i, rest); \
      (void) B;                                                  \
      store_part (y + i, expression, rest);                      \
    }                                                            \
  } while (0)

static void
add (float *y, const float *x, const float *z, size_t n_elems)
{
  MAP2 (y, x, z, A + B);
}

static void
relu (float *y, const float *x, size_t n_elems)
{
  MAP2 (y, x, x, at_least (A, (Vec) { 0 }));
}

static void
relu_grad (float *dx, const float *y, const float *dy, size_t n_elems)
{
  MAP2 (dx, y, dy, (Vec) ((A > (Vec) { 0 }) & (VecI) B));
}

static void
scale_shift (float *y, const float *x, float scale, float shift, float lo, size_t n_elems)
{
  const Vec s = splat (scale), t = splat (shift), l = splat (lo);

  MAP2 (y, x, x, at_least (A * s + t, l));
}

static void
blend (float *dx, const float *dy, const float *x, float a, float b, float c, size_t n_elems)
{
  const Vec va = splat (a), vb = splat (b), vc = splat (c);

  MAP2 (dx, dy, x, A * va + B * vb + vc);
}

/* Two pairs of sums hide the adders' latency; runs of BLOCK elements are summed in float, blocks in double. */
enum { BLOCK = 64 * LANES };

static void
moments (const float *x, float about, size_t n_elems, double sums[2])
{
  const Vec mean = splat (about);

  for (size_t first = 0; first < n_elems; first += BLOCK) {
    const size_t end = n_elems - first < BLOCK ? n_elems : first + BLOCK;
    Vec s0 = { 0 }, s1 = { 0 }, q0 = { 0 }, q1 = { 0 };
    size_t i = first;
    for (; i + 2 * LANES <= end; i += 2 * LANES) {
      const Vec a = load (x + i), b = load (x + i + LANES), da = a - mean, db = b - mean;
      s0 += a;
      s1 += b;
      q0 += da * da;
      q1 += db * db;
    }
    sums[0] += total (s0 + s1);
    sums[1] += total (q0 + q1);
    for (; i < end; i++) {
      sums[0] += x[i];
      sums[1] += (double) (x[i] - about) * (x[i] - about);
    }
  }
}

static void
moments_grad (const float *dy, const float *x, float about, size_t n_elems, double sums[2])
{
  const Vec mean = splat (about);

  for (size_t first = 0; first < n_elems; first += BLOCK) {
    const size_t end = n_elems - first < BLOCK ? n_elems : first + BLOCK;
    Vec s0 = { 0 }, s1 = { 0 }, q0 = { 0 }, q1 = { 0 };
    size_t i = first;
    for (; i + 2 * LANES <= end; i += 2 * LANES) {
      const Vec a = load (dy + i), b = load (dy + i + LANES);
      s0 += a;
      s1 += b;
      q0 += a * (load (x + i) - mean);
      q1 += b * (load (x + i + LANES) - mean);
    }
    sums[0] += total (s0 + s1);
    sums[1] += total (q0 + q1);
    for (; i < end; i++) {
      sums[0] += dy[i];
      sums[1] += (double) dy[i] * (x[i] - about);
    }
  }
}

/* Even and odd elements of two vectors side by side, and back. */
#if LANES == 16
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define MERGE_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define MERGE_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif LANES == 8
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define ODD 1, 3, 5, 7, 9, 11, 13, 15
#define MERGE_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define MERGE_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#elif LANES == 4
#define EVEN 0, 2, 4, 6
#define ODD 1, 3, 5, 7
#define MERGE_LOW 0, 4, 1, 5
#define MERGE_HIGH 2, 6, 3, 7
#endif
#define SHUFFLE(a, b, ...) __builtin_shufflevector (a, b, __VA_ARGS__) /* GCC 12 and clang */

static inline Vec
larger (Vec a, Vec b)
{
  VecI more = b > a;

  return (Vec) (((VecI) b & more) | ((VecI) a & ~more));
}

static void
max_2x2 (float *y, const float *a, const float *b, size_t n_out)
{
  size_t i = 0;

  for (; i + LANES <= n_out; i += LANES) {
    const Vec a0 = load (a + 2 * i), a1 = load (a + 2 * i + LANES), b0 = load (b + 2 * i), b1 = load (b + 2 * i + LANES);
    store (y + i, larger (larger (SHUFFLE (a0, a1, EVEN), SHUFFLE (a0, a1, ODD)),
                          larger (SHUFFLE (b0, b1, EVEN), SHUFFLE (b0, b1, ODD))));
  }
  if (i < n_out) {
    const size_t rest = n_out - i, first = 2 * rest < LANES ? 2 * rest : LANES, second = 2 * rest - first;
    const Vec a0 = load_part (a + 2 * i, first), a1 = load_part (a + 2 * i + first, second);
    const Vec b0 = load_part (b + 2 * i, first), b1 = load_part (b + 2 * i + first, second);
    store_part (y + i,
                larger (larger (SHUFFLE (a0, a1, EVEN), SHUFFLE (a0, a1, ODD)),
                        larger (SHUFFLE (b0, b1, EVEN), SHUFFLE (b0, b1, ODD))),
                rest);
  }
}

typedef struct {
  Vec a0, a1, b0, b1;
} Quad;

static inline Quad
max_2x2_grad_of (Quad x, Vec dy)
{
  const Vec p = SHUFFLE (x.a0, x.a1, EVEN), q = SHUFFLE (x.a0, x.a1, ODD);
  const Vec r = SHUFFLE (x.b0, x.b1, EVEN), s = SHUFFLE (x.b0, x.b1, ODD);
  const Vec best = larger (larger (p, q), larger (r, s));
  const VecI is_p = p == best, is_q = (q == best) & ~is_p, is_r = (r == best) & ~is_p & ~is_q;
  const VecI is_s = (s == best) & ~is_p & ~is_q & ~is_r;
  const Vec dp = (Vec) ((VecI) dy & is_p), dq = (Vec) ((VecI) dy & is_q), dr = (Vec) ((VecI) dy & is_r), ds = (Vec) ((VecI) dy & is_s);

  return (Quad) { SHUFFLE (dp, dq, MERGE_LOW), SHUFFLE (dp, dq, MERGE_HIGH), SHUFFLE (dr, ds, MERGE_LOW),
                  SHUFFLE (dr, ds, MERGE_HIGH) };
}

static void
max_2x2_grad (float *da, float *db, const float *a, const float *b, const float *dy, size_t n_out)
{
  size_t i = 0;

  for (; i + LANES <= n_out; i += LANES) {
    const Quad x = { load (a + 2 * i), load (a + 2 * i + LANES), load (b + 2 * i), load (b + 2 * i + LANES) };
    const Quad d = max_2x2_grad_of (x, load (dy + i));
    store (da + 2 * i, d.a0);
    store (da + 2 * i + LANES, d.a1);
    store (db + 2 * i, d.b0);
    store (db + 2 * i + LANES, d.b1);
  }
  if (i < n_out) {
    const size_t rest = n_out - i, first = 2 * rest < LANES ? 2 * rest : LANES, second = 2 * rest - first;
    const Quad x = { load_part (a + 2 * i, first), load_part (a + 2 * i + first, second), load_part (b + 2 * i, first),
                     load_part (b + 2 * i + first, second) };
    const Quad d = max_2x2_grad_of (x, load_part (dy + i, rest));
    store_part (da + 2 * i, d.a0, first);
    store_part (da + 2 * i + first, d.a1, second);
    store_part (db + 2 * i, d.b0, first);
    store_part (db + 2 * i + first, d.b1, second);
  }
}

static void
sgd (float *w, float *v, float *average, const float *g, size_t n_elems, const MienSgdStep *step)
{
  const float keep = 1 - step->lr * step->decay;
  size_t i = 0;

  for (; i + LANES <= n_elems; i += LANES) {
    const Vec grad = load (g + i), vel = load (v + i) * step->momentum + grad;
    const Vec weight = load (w + i) * keep - (grad + vel * step->momentum) * step->lr;
    store (v + i, vel);
    store (w + i, weight);
    if (average != NULL)
      store (average + i, load (average + i) * step->ema + weight * (1 - step->ema));
  }
  for (; i < n_elems; i++) {
    v[i] = v[i] * step->momentum + g[i];
    w[i] = w[i] * keep - (g[i] + v[i] * step->momentum) * step->lr;
    if (average != NULL)
      average[i] = average[i] * step->ema + w[i] * (1 - step->ema);
  }
}

void
NAME (vector_kernels_init) (MienVectorKernels *self)
{
  *self = (MienVectorKernels) { add, relu, relu_grad, scale_shift, blend, moments, moments_grad, max_2x2, max_2x2_grad, sgd };
}
