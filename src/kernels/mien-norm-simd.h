/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Norm and Moments of mien-backward.h, part of mien-backward-simd.h. Rows of a plane are read without a gap, with what of the halo lies between them: its
 * zeros add nothing to sums, and what they become is cleared afterwards. bfloat16 is taken apart into its even and its odd elements, which costs an
 * instruction each, and put together again. */
#pragma once

#if BF16
enum { PARTS = 2, UNIT = 2 * WIDTH }; /* vectors at once, and how many elements they hold */
#else
enum { PARTS = 1, UNIT = WIDTH };
#endif
enum {
  CHAINS = 8 / PARTS, /* of sums, which wait for the one before */
  AHEAD = 4096,       /* bytes to be fetched before they are needed: several tensors at once are more than prefetchers follow */
};

typedef struct {
  Vec part[PARTS];
} Unit;

/* By its number, as the address may be behind the array. */
INLINE const void *
ahead (const void *at)
{
  return (const void *) ((size_t) at + AHEAD);
}

INLINE Unit
read_unit (const Elem *x)
{
  __builtin_prefetch (ahead (x));
#if BF16
  const __m512i bits = _mm512_loadu_si512 (x);

  return (Unit) { { (Vec) _mm512_slli_epi32 (bits, 16), (Vec) _mm512_and_si512 (bits, _mm512_set1_epi32 ((int) 0xffff0000)) } };
#else
  return (Unit) { { load (x) } };
#endif
}

INLINE void
write_unit (Elem *y, Unit unit)
{
  __builtin_prefetch (ahead (y), 1);
#if BF16
  const __m512i order = _mm512_set_epi32 (0x1f000f, 0x1e000e, 0x1d000d, 0x1c000c, 0x1b000b, 0x1a000a, 0x190009, 0x180008, 0x170007, 0x160006, 0x150005, 0x140004,
                                          0x130003, 0x120002, 0x110001, 0x100000) /* of the first half and the second in turn */;

  _mm512_storeu_si512 (y, _mm512_permutexvar_epi16 (order, (__m512i) _mm512_cvtne2ps_pbh ((__m512) unit.part[1], (__m512) unit.part[0])));
#else
  store (y, unit.part[0]);
#endif
}

/* One value a channel, for a unit that begins with a pixel; also the other way round, added. */
INLINE Unit
spread (const float *channels)
{
  float parts[PARTS][WIDTH];
  Unit unit;

  for (int i = 0; i < UNIT; i++)
    parts[i % PARTS][i / PARTS] = channels[i % LANES];
  for (int part = 0; part < PARTS; part++)
    unit.part[part] = load (parts[part]);
  return unit;
}

INLINE void
add_by_channel (double *sums, const Unit *chains)
{
  float part[WIDTH];

  for (int k = 0; k < PARTS; k++) {
    Vec sum = { 0 };
    for (int i = 0; i < CHAINS; i++)
      sum += chains[i].part[k];
    store (part, sum);
    for (int i = 0; i < WIDTH; i++)
      sums[(i * PARTS + k) % LANES] += part[i];
  }
}

/* Elements from the beginning of a plane to its first row, and from there to behind its last one. */
INLINE ptrdiff_t
rows_at (const MienPlanes *planes)
{
  return (ptrdiff_t) planes->halo * (planes->w + 2 * planes->halo) * LANES;
}

INLINE ptrdiff_t
rows_elems (const MienPlanes *planes)
{
  return (ptrdiff_t) planes->h * (planes->w + 2 * planes->halo) * LANES;
}

/* The n elements that are left, fewer than a unit, and zeros. */
INLINE const Elem *
rest (const Elem *x, ptrdiff_t n, Elem *room)
{
  memset (room, 0, UNIT * sizeof *room);
  if (x != NULL)
    memcpy (room, x, n * sizeof *x);
  return x != NULL ? room : NULL;
}

INLINE void
add_moments (const Elem *x, Unit *sum, Unit *square)
{
  const Unit value = read_unit (x);

#pragma GCC unroll 2
  for (int k = 0; k < PARTS; k++) {
    sum->part[k] += value.part[k];
    square->part[k] += value.part[k] * value.part[k];
  }
}

static void
moments (const MienPlanes *planes, const void *x, int first, int end, double *sums)
{
  const int blocks = blocks_of (planes->c);
  const ptrdiff_t n = rows_elems (planes);
  Elem room[UNIT];

  for (int i = first * blocks; i < end * blocks; i++) {
    const Elem *from = (const Elem *) x + i * plane_elems (planes) + rows_at (planes);
    Unit sum[CHAINS] = { 0 }, square[CHAINS] = { 0 };
    ptrdiff_t at = 0;
    for (; at + CHAINS * UNIT <= n; at += CHAINS * UNIT) {
#pragma GCC unroll 8
      for (int k = 0; k < CHAINS; k++)
        add_moments (from + at + k * UNIT, &sum[k], &square[k]);
    }
    for (; at + UNIT <= n; at += UNIT)
      add_moments (from + at, &sum[0], &square[0]);
    if (at < n)
      add_moments (rest (from + at, n - at, room), &sum[0], &square[0]);
    add_by_channel (sums + i % blocks * LANES, sum);
    add_by_channel (sums + (blocks + i % blocks) * LANES, square);
  }
}

INLINE Vec
at_least (Vec x, Vec lo)
{
  const VecI low = x < lo;

  return (Vec) (((VecI) lo & low) | ((VecI) x & ~low));
}

INLINE void
normalise_unit (const Elem *x, const Elem *residual, Elem *y, const Unit *scale, const Unit *shift, Vec lo)
{
  const Unit value = read_unit (x), more = residual != NULL ? read_unit (residual) : (Unit) { 0 };
  Unit result;

#pragma GCC unroll 2
  for (int k = 0; k < PARTS; k++) {
    const Vec normal = value.part[k] * scale->part[k] + shift->part[k];
    result.part[k] = at_least (residual != NULL ? normal + more.part[k] : normal, lo);
  }
  write_unit (y, result);
}

static void
normalise (const MienPlanes *planes, const MienNormArgs *args, int first, int end)
{
  const int blocks = blocks_of (planes->c);
  const ptrdiff_t n = rows_elems (planes);
  const Vec lo = splat (args->lo);
  Elem room[3][UNIT];

  for (int i = first * blocks; i < end * blocks; i++) {
    const ptrdiff_t plane = i * plane_elems (planes), begin = plane + rows_at (planes);
    const Unit scale = spread (args->scale + i % blocks * LANES), shift = spread (args->shift + i % blocks * LANES);
    const Elem *x = (const Elem *) args->x + begin, *residual = args->residual != NULL ? (const Elem *) args->residual + begin : NULL;
    Elem *y = (Elem *) args->y + begin;
    ptrdiff_t at = 0;
    for (; residual == NULL && at + UNIT <= n; at += UNIT)
      normalise_unit (x + at, NULL, y + at, &scale, &shift, lo);
    for (; at + UNIT <= n; at += UNIT)
      normalise_unit (x + at, residual + at, y + at, &scale, &shift, lo);
    if (at < n) {
      normalise_unit (rest (x + at, n - at, room[0]), rest (residual != NULL ? residual + at : NULL, n - at, room[1]), room[2], &scale, &shift, lo);
      memcpy (y + at, room[2], (n - at) * sizeof *y);
    }
    zero_around (planes, (Elem *) args->y + plane);
  }
}

/* Gradients. What of one plane goes into them: */
typedef struct {
  const Elem *x, *y, *dy; /* y or NULL, as in MienNormGradArgs */
  Elem *dx, *dresidual;   /* or NULL */
} GradRows;

INLINE GradRows
grad_rows (const MienPlanes *planes, const MienNormGradArgs *args, ptrdiff_t plane)
{
  const ptrdiff_t begin = plane + rows_at (planes);

  return (GradRows) {
    .x = (const Elem *) args->x + begin,
    .y = args->y != NULL ? (const Elem *) args->y + begin : NULL,
    .dy = (const Elem *) args->dy + begin,
    .dx = args->dx != NULL ? (Elem *) args->dx + begin : NULL,
    .dresidual = args->dresidual != NULL ? (Elem *) args->dresidual + begin : NULL,
  };
}

/* Where the forward pass was cut off dy counts for nothing. */
enum Cut { CUT_NONE, CUT_BY_X, CUT_BY_Y };

INLINE enum Cut
cut_of (const MienNormGradArgs *args)
{
  return !args->rectified ? CUT_NONE : args->y != NULL ? CUT_BY_Y : CUT_BY_X;
}

/* dz at at. */
INLINE Unit
read_dz (const GradRows *rows, ptrdiff_t at, const enum Cut cut, const Unit *x, const Unit *scale, const Unit *shift)
{
  const Unit y = cut == CUT_BY_Y ? read_unit (rows->y + at) : (Unit) { 0 };
  Unit dz = read_unit (rows->dy + at);

#pragma GCC unroll 2
  for (int k = 0; k < PARTS && cut != CUT_NONE; k++) {
    const Vec kept = cut == CUT_BY_Y ? y.part[k] : x->part[k] * scale->part[k] + shift->part[k];
    dz.part[k] = (Vec) ((VecI) dz.part[k] & (kept > (Vec) { 0 }));
  }
  return dz;
}

INLINE void
add_grad_moments (const GradRows *rows, ptrdiff_t at, const enum Cut cut, const Unit *scale, const Unit *shift, const Unit *mean, Unit *sum, Unit *product)
{
  const Unit x = read_unit (rows->x + at), dz = read_dz (rows, at, cut, &x, scale, shift);

#pragma GCC unroll 2
  for (int k = 0; k < PARTS; k++) {
    sum->part[k] += dz.part[k];
    product->part[k] += dz.part[k] * (x.part[k] - mean->part[k]);
  }
}

INLINE void
grad_moments_as (const MienPlanes *planes, const MienNormGradArgs *args, const enum Cut cut, int first, int end, double *sums)
{
  const int blocks = blocks_of (planes->c);
  const ptrdiff_t n = rows_elems (planes);
  Elem room[3][UNIT];

  for (int i = first * blocks; i < end * blocks; i++) {
    const int channel = i % blocks * LANES;
    const Unit scale = spread (args->scale + channel), shift = spread (args->shift + channel), mean = spread (args->mean + channel);
    const GradRows rows = grad_rows (planes, args, i * plane_elems (planes));
    Unit sum[CHAINS] = { 0 }, product[CHAINS] = { 0 };
    ptrdiff_t at = 0;
    for (; at + CHAINS * UNIT <= n; at += CHAINS * UNIT) {
#pragma GCC unroll 8
      for (int k = 0; k < CHAINS; k++)
        add_grad_moments (&rows, at + k * UNIT, cut, &scale, &shift, &mean, &sum[k], &product[k]);
    }
    for (; at + UNIT <= n; at += UNIT)
      add_grad_moments (&rows, at, cut, &scale, &shift, &mean, &sum[0], &product[0]);
    if (at < n) {
      const GradRows last = { rest (rows.x + at, n - at, room[0]), rest (rows.y != NULL ? rows.y + at : NULL, n - at, room[1]), rest (rows.dy + at, n - at, room[2]) };
      add_grad_moments (&last, 0, cut, &scale, &shift, &mean, &sum[0], &product[0]);
    }
    add_by_channel (sums + channel, sum);
    add_by_channel (sums + blocks * LANES + channel, product);
  }
}

static void
grad_moments (const MienPlanes *planes, const MienNormGradArgs *args, int first, int end, double *sums)
{
  if (cut_of (args) == CUT_NONE)
    grad_moments_as (planes, args, CUT_NONE, first, end, sums);
  else if (cut_of (args) == CUT_BY_X)
    grad_moments_as (planes, args, CUT_BY_X, first, end, sums);
  else
    grad_moments_as (planes, args, CUT_BY_Y, first, end, sums);
}

enum { BY_SCALE, BY_SHIFT, BY_A, BY_B, BY_C, N_FACTORS }; /* of a unit's channels */

INLINE void
norm_grad_unit (const GradRows *rows, ptrdiff_t at, const enum Cut cut, const Unit with[N_FACTORS])
{
  const Unit x = read_unit (rows->x + at), dz = read_dz (rows, at, cut, &x, &with[BY_SCALE], &with[BY_SHIFT]);
  Unit dx;

#pragma GCC unroll 2
  for (int k = 0; k < PARTS; k++)
    dx.part[k] = dz.part[k] * with[BY_A].part[k] + x.part[k] * with[BY_B].part[k] + with[BY_C].part[k];
  write_unit (rows->dx + at, dx);
  if (rows->dresidual != NULL)
    write_unit (rows->dresidual + at, dz);
}

INLINE void
norm_grad_as (const MienPlanes *planes, const MienNormGradArgs *args, const enum Cut cut, int first, int end)
{
  const int blocks = blocks_of (planes->c);
  const ptrdiff_t n = rows_elems (planes);
  Elem room[5][UNIT];

  for (int i = first * blocks; i < end * blocks; i++) {
    const int channel = i % blocks * LANES;
    const Unit with[N_FACTORS] = { spread (args->scale + channel), spread (args->shift + channel), spread (args->a + channel), spread (args->b + channel),
                                        spread (args->c + channel) };
    const GradRows rows = grad_rows (planes, args, i * plane_elems (planes));
    ptrdiff_t at = 0;
    for (; at + UNIT <= n; at += UNIT)
      norm_grad_unit (&rows, at, cut, with);
    if (at < n) {
      const GradRows last = { rest (rows.x + at, n - at, room[0]), rest (rows.y != NULL ? rows.y + at : NULL, n - at, room[1]), rest (rows.dy + at, n - at, room[2]),
                              room[3], room[4] };
      norm_grad_unit (&last, 0, cut, with);
      memcpy (rows.dx + at, room[3], (n - at) * sizeof *rows.dx);
      if (rows.dresidual != NULL)
        memcpy (rows.dresidual + at, room[4], (n - at) * sizeof *rows.dresidual);
    }
    zero_around (planes, (Elem *) args->dx + i * plane_elems (planes));
    if (args->dresidual != NULL)
      zero_around (planes, (Elem *) args->dresidual + i * plane_elems (planes));
  }
}

static void
norm_grad (const MienPlanes *planes, const MienNormGradArgs *args, int first, int end)
{
  if (cut_of (args) == CUT_NONE)
    norm_grad_as (planes, args, CUT_NONE, first, end);
  else if (cut_of (args) == CUT_BY_X)
    norm_grad_as (planes, args, CUT_BY_X, first, end);
  else
    norm_grad_as (planes, args, CUT_BY_Y, first, end);
}
