/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Architectures by name, each a few lines in mien-arch.c, built either for training (batch statistics, dropout) or for use
 * (running statistics). Both forms have the same parameters under the same names.
 *
 * Thread   building is pure; a MienNet belongs to one thread */
#pragma once

#include "nn/mien-graph.h"

G_BEGIN_DECLS

/* A graph under construction. Channels and size describe the value that the next layer will read. */
typedef struct {
  MienGraph *graph;
  gboolean training;
  float dropout;
  int value;
  int channels, height, width;
  int n_convs, n_fcs, n_dropouts;
  GArray *weights; /* int: parameters under weight decay (kernels, matrices) */
  GArray *others;  /* int: parameters without (biases, normalisation) */
  GArray *stats;   /* MienNetStats */
} MienNet;

/* A normalisation: running statistics, and in training graphs those of the batch. */
typedef struct {
  int mean, var;             /* parameters: running mean, running variance */
  int batch_mean, batch_var; /* values, -1 when not training */
} MienNetStats;

typedef struct {
  const char *name;
  const char *summary;
  void (*build) (MienNet *net); /* from input[N][1][48][48] to logits[N][7] */
} MienArch;

const MienArch *mien_arch_find (const char *name); /* NULL when there is none */
const char *const *mien_arch_list (void);          /* NULL-terminated */

/* batch 0: any (use only). The graph has input "face" and, for use, output "probabilities" (softmax); a training graph has no
 * outputs yet, net->value are the logits. Parameters are zero until mien_net_initialise(). */
MienNet *mien_net_new (const MienArch *arch, int batch, gboolean training, float dropout);
void mien_net_free (MienNet *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienNet, mien_net_free)

/* He et al. 2015 for kernels and matrices, 0 for biases, 1 and 0 for normalisation; the same seed gives the same numbers. */
void mien_net_initialise (MienNet *self, guint64 seed);

/* Parameters of `from` into those of the same name in `to`. */
void mien_net_copy (const MienNet *from, MienNet *to);

G_END_DECLS
