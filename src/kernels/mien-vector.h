/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loops over f32 vectors: activations, normalisation and the optimiser. Everything here is bound by memory, so one pass
 * does as much as it can.
 *
 * Memory   exactly n_elems elements of each array; y may be the same array as x (not overlapping otherwise); any alignment
 * Errors   none
 * Thread   pure */
#pragma once

#include "kernels/mien-cpu.h"

#include <stddef.h>

typedef struct {
  float lr;
  float momentum;
  float decay; /* w -= lr * decay * w, decoupled from the gradient */
  float ema;   /* average = ema * average + (1 - ema) * w; average may be NULL */
} MienSgdStep;

typedef struct {
  /* y = x + z */
  void (*add_f32) (float *y, const float *x, const float *z, size_t n_elems);

  /* y = max (x, 0); NaN stays NaN */
  void (*relu_f32) (float *y, const float *x, size_t n_elems);

  /* dx = dy where y > 0, else 0 */
  void (*relu_grad_f32) (float *dx, const float *y, const float *dy, size_t n_elems);

  /* y = min (max (x * scale + shift, lo), inf) */
  void (*scale_shift_f32) (float *y, const float *x, float scale, float shift, float lo, size_t n_elems);

  /* dx = dy * a + x * b + c: the data gradient of batch normalisation */
  void (*blend_f32) (float *dx, const float *dy, const float *x, float a, float b, float c, size_t n_elems);

  /* Adds sum (x) to sums[0] and sum ((x - about)^2) to sums[1]. */
  void (*moments_f32) (const float *x, float about, size_t n_elems, double sums[2]);

  /* Adds sum (dy) to sums[0] and sum (dy * (x - about)) to sums[1]. */
  void (*moments_grad_f32) (const float *dy, const float *x, float about, size_t n_elems, double sums[2]);

  /* Max pooling 2 x 2, stride 2, one row of n_out results from two rows of 2 * n_out: y = max (a[2i], a[2i + 1], b[2i], b[2i + 1]) */
  void (*max_2x2_f32) (float *y, const float *a, const float *b, size_t n_out);

  /* Its gradient: dy goes to the first of the four that equals their maximum, the others get 0. */
  void (*max_2x2_grad_f32) (float *da, float *db, const float *a, const float *b, const float *dy, size_t n_out);

  /* Nesterov momentum, as in Sutskever et al. 2013 in the form of PyTorch: v = momentum * v + g; w -= lr * (g + momentum * v) */
  void (*sgd_f32) (float *w, float *v, float *average, const float *g, size_t n_elems, const MienSgdStep *step);
} MienVectorKernels;

void mien_vector_kernels_init (MienVectorKernels *self, MienCpuLevel cpu);
