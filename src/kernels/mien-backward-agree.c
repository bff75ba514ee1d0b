/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two levels of kernels, the same gradients of weights, of small whole numbers, like mien-blocked-agree.c. */
#include "kernels/mien-backward.h"

#include <stdlib.h>
#include <string.h>

static const MienBlockedShape shapes[] = {
  /* several pictures and steps, rows of odd length, spare channels */
  { .n = 3, .c = 40, .h = 6, .w = 7, .x_halo = 1, .k = 70, .p = 6, .q = 7, .y_halo = 1, .r = 3, .s = 3, .stride_h = 1, .stride_w = 1,
    .dilation_h = 1, .dilation_w = 1, .pad_top = 1, .pad_left = 1 },
  /* stride 2 */
  { .n = 1, .c = 64, .h = 5, .w = 35, .x_halo = 1, .k = 32, .p = 3, .q = 18, .y_halo = 2, .r = 3, .s = 3, .stride_h = 2, .stride_w = 2,
    .dilation_h = 1, .dilation_w = 1, .pad_top = 1, .pad_left = 1 },
};

enum { N_SHAPES = sizeof shapes / sizeof shapes[0] };

static void
fill (float *to, size_t n, unsigned *state)
{
  for (size_t i = 0; i < n; i++) {
    *state = *state * 1664525u + 1013904223u;
    to[i] = (float) ((int) ((*state >> 16) % 5) - 2);
  }
}

/* dw: plain. */
static bool
compute (const MienBlockedKernels *blocked, const MienBackwardKernels *backward, const MienBlockedShape *shape, const float *x, const float *dy, float *dw)
{
  const size_t n_sums = mien_blocked_conv_size (blocked, shape);
  const size_t n_bytes[] = {
    mien_blocked_size (blocked->lanes, shape->n, shape->c, shape->h, shape->w, shape->x_halo) * sizeof (float),
    mien_blocked_size (blocked->lanes, shape->n, shape->k, shape->p, shape->q, shape->y_halo) * sizeof (float),
    mien_backward_scratch (backward, shape),
    n_sums * sizeof (float),
  };
  void *arrays[4];
  bool ok = true;

  for (int i = 0; i < 4; i++) {
    arrays[i] = aligned_alloc (64, (n_bytes[i] + 64) / 64 * 64);
    ok = ok && arrays[i] != NULL;
  }
  if (ok) {
    mien_blocked_from_plain (blocked, shape->n, shape->c, shape->h, shape->w, shape->x_halo, x, arrays[0]);
    mien_blocked_from_plain (blocked, shape->n, shape->k, shape->p, shape->q, shape->y_halo, dy, arrays[1]);
    memset (arrays[3], 0, n_bytes[3]);
    backward->conv_grad (shape, arrays[0], arrays[1], 0, shape->n, arrays[2], arrays[3]);
    mien_backward_unpack_conv (backward, blocked, shape, arrays[3], 1, n_sums, dw);
  }
  for (int i = 0; i < 4; i++)
    free (arrays[i]);
  return ok;
}

bool
mien_backward_agree (const MienBlockedKernels *blocked_a, const MienBackwardKernels *a, const MienBlockedKernels *blocked_b, const MienBackwardKernels *b)
{
  unsigned state = 1;
  bool ok = true;

  for (int i = 0; i < N_SHAPES && ok; i++) {
    const MienBlockedShape *shape = &shapes[i];
    const size_t n_x = (size_t) shape->n * shape->c * shape->h * shape->w, n_dy = (size_t) shape->n * shape->k * shape->p * shape->q;
    const size_t n_w = (size_t) shape->k * shape->c * shape->r * shape->s;
    float *x = malloc ((n_x + n_dy + 2 * n_w) * sizeof *x);
    if (x == NULL)
      return false;
    float *dy = x + n_x, *dw_a = dy + n_dy, *dw_b = dw_a + n_w;
    fill (x, n_x, &state);
    fill (dy, n_dy, &state);
    ok = compute (blocked_a, a, shape, x, dy, dw_a) && compute (blocked_b, b, shape, x, dy, dw_b) && memcmp (dw_a, dw_b, n_w * sizeof *dw_a) == 0;
    free (x);
  }
  return ok;
}
