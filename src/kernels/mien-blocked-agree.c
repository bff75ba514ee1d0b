/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two tables of blocked kernels, the same convolutions. All numbers are small and whole, so that no order of summing rounds and the results are
 * equal to the last bit. */
#include "kernels/mien-blocked.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const MienBlockedShape shapes[] = {
  /* rows joined, spare channels, two pictures */
  { .n = 2, .c = 40, .h = 6, .w = 7, .x_halo = 1, .k = 70, .p = 6, .q = 7, .y_halo = 1, .r = 3, .s = 3, .stride_h = 1, .stride_w = 1,
    .dilation_h = 1, .dilation_w = 1, .pad_top = 1, .pad_left = 1, .lo = 0, .hi = 200 },
  /* rows one by one, longer than a tile, stride 2 */
  { .n = 1, .c = 64, .h = 5, .w = 35, .x_halo = 1, .k = 32, .p = 3, .q = 18, .r = 3, .s = 3, .stride_h = 2, .stride_w = 2,
    .dilation_h = 1, .dilation_w = 1, .pad_top = 1, .pad_left = 1, .residual_halo = 2, .lo = -INFINITY, .hi = INFINITY },
  /* 1x1, fewer positions than a tile has rows */
  { .n = 1, .c = 33, .h = 3, .w = 3, .k = 16, .p = 3, .q = 3, .r = 1, .s = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1,
    .lo = -INFINITY, .hi = INFINITY },
};

enum { N_SHAPES = sizeof shapes / sizeof shapes[0], LANES_AT_MOST = 64 };

/* Plain arrays of one convolution. */
typedef struct {
  float *x, *w, *residual, *bias;
} Problem;

static void
fill (float *to, size_t n, int most, unsigned *state)
{
  for (size_t i = 0; i < n; i++) {
    *state = *state * 1664525u + 1013904223u;
    to[i] = (float) ((int) ((*state >> 16) % (unsigned) (2 * most + 1)) - most);
  }
}

/* y: plain, n_y floats. */
static bool
compute (const MienBlockedKernels *kernels, const MienBlockedShape *shape, const Problem *problem, float *y)
{
  const size_t n_x = mien_blocked_size (kernels->lanes, shape->n, shape->c, shape->h, shape->w, shape->x_halo);
  const size_t n_y = mien_blocked_size (kernels->lanes, shape->n, shape->k, shape->p, shape->q, shape->y_halo);
  const size_t n_residual = mien_blocked_size (kernels->lanes, shape->n, shape->k, shape->p, shape->q, shape->residual_halo);
  const size_t sizes[] = { n_x, mien_blocked_conv_size (kernels, shape), n_residual, n_y };
  void *arrays[4];
  bool ok = true;

  for (int i = 0; i < 4; i++) {
    arrays[i] = aligned_alloc (64, (sizes[i] * sizeof (float) + 63) / 64 * 64);
    ok = ok && arrays[i] != NULL;
  }
  if (ok) {
    const MienBlockedArgs args = { arrays[0], arrays[1], problem->bias, arrays[2], arrays[3] };
    mien_blocked_from_plain (kernels, shape->n, shape->c, shape->h, shape->w, shape->x_halo, problem->x, arrays[0]);
    mien_blocked_pack_conv (kernels, shape, problem->w, arrays[1], NULL);
    mien_blocked_from_plain (kernels, shape->n, shape->k, shape->p, shape->q, shape->residual_halo, problem->residual, arrays[2]);
    kernels->conv (shape, &args, 0, mien_blocked_rows (kernels, shape, true));
    mien_blocked_to_plain (kernels, shape->n, shape->k, shape->p, shape->q, shape->y_halo, arrays[3], y);
  }
  for (int i = 0; i < 4; i++)
    free (arrays[i]);
  return ok;
}

static bool
agree_on (const MienBlockedKernels *a, const MienBlockedKernels *b, const MienBlockedShape *shape, unsigned *state)
{
  const size_t n_x = (size_t) shape->n * shape->c * shape->h * shape->w, n_w = (size_t) shape->k * shape->c * shape->r * shape->s;
  const size_t n_y = (size_t) shape->n * shape->k * shape->p * shape->q, n_bias = (size_t) shape->k + LANES_AT_MOST;
  float *all = calloc (n_x + n_w + 3 * n_y + n_bias, sizeof *all);
  bool ok = all != NULL;

  if (ok) {
    const Problem problem = { all, all + n_x, all + n_x + n_w, all + n_x + n_w + n_y };
    float *y_a = problem.bias + n_bias, *y_b = y_a + n_y;
    fill (problem.x, n_x, 2, state);
    fill (problem.w, n_w, 1, state);
    fill (problem.residual, n_y, 9, state);
    fill (problem.bias, (size_t) shape->k, 9, state); /* spare channels: 0 */
    ok = compute (a, shape, &problem, y_a) && compute (b, shape, &problem, y_b) && memcmp (y_a, y_b, n_y * sizeof *y_a) == 0;
  }
  free (all);
  return ok;
}

bool
mien_blocked_agree (const MienBlockedKernels *a, const MienBlockedKernels *b)
{
  unsigned state = 1;

  for (int i = 0; i < N_SHAPES; i++)
    if (!agree_on (a, b, &shapes[i], &state))
      return false;
  return true;
}
