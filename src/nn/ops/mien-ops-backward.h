/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the operators of mien-ops-backward*.c share. */
#pragma once

#include "nn/mien-kernels.h"
#include "nn/mien-op.h"

G_BEGIN_DECLS

typedef struct {
  MienOpCtx *ctx;
  const MienBlockedKernels *blocked;
  const MienBackwardKernels *backward;
  const MienWinogradKernels *winograd; /* (nullable) */
  MienBlockedShape shape; /* convolutions */
  MienPlanes planes;      /* the others: of X */
  int n_tasks;
  /* Regions of scratch. */
  char *packed, *scratch;
  float *parts;
  gsize part_size; /* elements */
  double *sums;
  MienNormArgs norm;
  MienNormGradArgs grad;
} MienBackwardOp;

int mien_backward_attr (const MienOpCtx *ctx, const char *name); /* 0 without it */
gsize mien_backward_aligned (gsize n_bytes);

/* Channels with the spare ones of the last block. */
gsize mien_backward_rounded (const MienBackwardOp *self, int channels);
MienShape mien_backward_shape (const MienOpCtx *ctx, gint64 n, gint64 c, gint64 h, gint64 w); /* blocked */

/* The plain tensor that in[i] stands for. */
MienTensor mien_backward_plain_input (const MienOpCtx *ctx, int i, int channels);

/* Kernels and a task for each thread. */
MienBackwardOp mien_backward_op (MienOpCtx *ctx);

/* And the planes of in[i], its pictures shared out among the tasks. */
MienBackwardOp mien_backward_planes (MienOpCtx *ctx, int i);
gboolean mien_backward_check_types (MienOpCtx *ctx, GError **error);

/* The gradient of a convolution by its input where it has a stride (TrainConvGradX, mien-ops-backward-strided.c); fits: dY's border is wide enough. */
enum { MIEN_BACKWARD_MAX_STRIDE = 2 };
gboolean mien_backward_strided_fits (const MienBackwardOp *self);
gsize mien_backward_strided_scratch (const MienBackwardOp *self);
void mien_backward_strided_run (const MienBackwardOp *self);

/* The first of a task's share of n. */
int mien_backward_first_of (int n, int task, int n_tasks);

/* The same in smaller pieces, so that who is done can take over from who is not: for what is not added up. */
int mien_backward_n_pieces (const MienBackwardOp *self);
void mien_backward_piece (const MienBackwardOp *self, int n, int piece, int *first, int *end);

G_END_DECLS
