/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The step from gradients to weights, and the weights' moving average.
 *
 *   sgd      v = momentum v + g; w -= lr decay w; w -= lr (g + momentum v)
 *   adamw    m = momentum m + (1 - momentum) g; s = beta2 s + (1 - beta2) g^2; w -= lr decay w;
 *            w -= lr (m / (1 - momentum^t)) / (sqrt (s / (1 - beta2^t)) + 1e-8), t = step + 1
 *   average  = ema average + (1 - ema) w
 *
 * Every number is computed from its own place alone, so that threads change nothing.
 *
 * Thread   uses the caller's pool */
#pragma once

#include "kernels/mien-threads.h"
#include "train/mien-recipe.h"

G_BEGIN_DECLS

typedef struct {
  float *weight, *average;
  float *first;  /* velocity, or mean of the gradients */
  float *second; /* mean of their squares; AdamW only */
  const float *grad;
  gsize n_elems;
  gboolean decays;
} MienOptimiserSlot;

typedef struct {
  MienOptimiser kind;
  float lr, momentum, beta2, decay, ema;
  gint64 step; /* from 0 */
} MienOptimiserStep;

void mien_optimiser_update (const MienOptimiserSlot *slots, int n_slots, const MienOptimiserStep *step, MienThreads *threads);

/* Sharpness-aware minimisation: moves the weights by radius along the gradient (all slots together), keeping them in saved, which has
 * room for all elements; the gradient there is the one to descend by, after mien_optimiser_return(). */
void mien_optimiser_climb (const MienOptimiserSlot *slots, int n_slots, float radius, float *saved);
void mien_optimiser_return (const MienOptimiserSlot *slots, int n_slots, const float *saved);

G_END_DECLS
