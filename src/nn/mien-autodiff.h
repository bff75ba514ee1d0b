/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reverse-mode differentiation: appends to a graph the nodes that compute gradients, so that the executor runs training as it
 * runs everything else.
 *
 * Knows    Conv, Gemm (alpha = beta = 1, not transposed on the left), Add and Sum of equal shapes, Relu, MaxPool,
 *          GlobalAveragePool, Flatten, Reshape, Identity, and from domain mien BatchNormTrain and DropoutTrain
 * Errors   MIEN_NN_ERROR_UNSUPPORTED names the operator that has no gradient here
 * Thread   pure, but for the graph
 * Source   Baydin et al., "Automatic Differentiation in Machine Learning: a Survey", 2018, section 3.2 */
#pragma once

#include "nn/mien-graph.h"

G_BEGIN_DECLS

/* seed: the value that holds the gradient of `of` (d loss / d of). wanted: values to differentiate by; grads[i] becomes the index of the
 * value that holds d loss / d wanted[i], -1 where the loss does not depend on it. The graph must be sorted. */
gboolean mien_autodiff (MienGraph *graph, int of, int seed, const int *wanted, int n_wanted, int *grads, GError **error);

G_END_DECLS
