/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the operators on blocked tensors share: their attributes (mien-ops-blocked.c), the table of kernels that these choose, shapes. */
#pragma once

#include "nn/mien-kernels.h"
#include "nn/mien-op.h"

G_BEGIN_DECLS

/* 0 when there is none. Looked up by name: for infer() and prepare(). */
int mien_blocked_op_attr (const MienOpCtx *ctx, const char *name);

const MienBlockedKernels *mien_blocked_op_kernels (const MienOpCtx *ctx);
MienType mien_blocked_op_type (const MienOpCtx *ctx);

/* The plain tensor that input 0 stands for, shape only. */
MienTensor mien_blocked_op_plain (const MienOpCtx *ctx);

/* Of input 0 and a window with weights[K][..][R][S], or NULL: then the window is the node's. FALSE with error set. */
gboolean mien_blocked_op_read_shape (MienOpCtx *ctx, const MienShape *weights, MienBlockedShape *shape, GError **error);

/* Blocked form of [N][C][H][W] with the node's y_halo. */
MienShape mien_blocked_op_shape (const MienOpCtx *ctx, gint64 n, gint64 c, gint64 h, gint64 w);

/* Whether input 3, when there is one, can be added to results of this shape. FALSE with error set. */
gboolean mien_blocked_op_check_residual (MienOpCtx *ctx, const MienBlockedShape *shape, GError **error);

/* Filled up with zeros to whole blocks; NULL when there is no such input. (transfer full): g_free */
float *mien_blocked_op_dup_bias (const MienOpCtx *ctx, int input, int n);

G_END_DECLS
