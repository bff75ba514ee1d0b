/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Architectures by name, each a few lines in mien-arch.c, built either for training (batch statistics, dropout) or for use
 * (running statistics). Both forms have the same parameters under the same names.
 *
 * Thread   building is pure; a MienNet belongs to one thread */
#pragma once

#include "nn/mien-graph.h"

G_BEGIN_DECLS

/* What a network costs as it is written to files. */
typedef struct {
  gint64 params; /* weights and biases */
  gint64 macs;   /* multiply-adds of convolutions and matrices for one face */
} MienArchCost;

/* A graph under construction. Channels and size describe the value that the next layer will read. */
typedef struct {
  MienGraph *graph;
  gboolean training;
  float dropout;
  float drop_path;
  int value;
  int channels, height, width;
  int n_convs, n_fcs, n_dropouts, n_joins;
  MienArchCost cost;
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

typedef struct {
  int batch;         /* 0: any (use only) */
  gboolean training;
  float dropout;     /* training: largest ratio of a layer */
  float drop_path;   /* training: chance that a residual branch is left out for a face (Huang et al. 2016) */
} MienNetOptions;

/* The graph has input "face" and, for use, output "probabilities" (softmax); a training graph has no outputs yet, net->value are
 * the logits. Parameters are zero until mien_net_initialise(). */
MienNet *mien_net_new (const MienArch *arch, const MienNetOptions *options);
void mien_net_free (MienNet *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienNet, mien_net_free)

/* He et al. 2015 for kernels and matrices, 0 for biases, 1 and 0 for normalisation; the same seed gives the same numbers. */
void mien_net_initialise (MienNet *self, guint64 seed);

/* Parameters of `from` into those of the same name in `to`. */
void mien_net_copy (const MienNet *from, MienNet *to);

/* A network for use as it is written to files: a copy of the graph with constants for parameters and the normalisation folded
 * into the layers before it. (transfer full) */
MienGraph *mien_net_deploy (const MienNet *self);

MienArchCost mien_arch_cost (const MienArch *arch);

G_END_DECLS
