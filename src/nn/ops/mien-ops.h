/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The families of operators, and what their files share. Private to nn/.
 *
 * Every infer() follows one pattern: check types; when an input's shape is unknown, give types only; then check shapes
 * and attributes and give shapes. What run() reads from contents (an index, a divisor) it checks itself. */
#pragma once

#include "nn/mien-op.h"

G_BEGIN_DECLS

/* Each table ends with an entry without name. */
extern const MienOp mien_ops_backward[];
extern const MienOp mien_ops_backward_conv[];
extern const MienOp mien_ops_backward_norm[];
extern const MienOp mien_ops_blocked[];
extern const MienOp mien_ops_conv[];
extern const MienOp mien_ops_dense[];
extern const MienOp mien_ops_gemm[];
extern const MienOp mien_ops_norm[];
extern const MienOp mien_ops_pair[];
extern const MienOp mien_ops_separable[];
extern const MienOp mien_ops_pool[];
extern const MienOp mien_ops_train[];
extern const MienOp mien_ops_unary[];
extern const MienOp mien_ops_binary[];
extern const MienOp mien_ops_shape[];
extern const MienOp mien_ops_move[];
extern const MienOp mien_ops_slice[];
extern const MienOp mien_ops_reduce[];
extern const MienOp mien_ops_softmax[];
extern const MienOp mien_ops_instance[];
extern const MienOp mien_ops_resize[];
extern const MienOp mien_ops_cast[];
extern const MienOp mien_ops_select[];

/* Types for mien_op_check_type(). */
#define MIEN_OPS_FLOATS MIEN_F32, MIEN_F64
#define MIEN_OPS_NUMBERS MIEN_F32, MIEN_F64, MIEN_U8, MIEN_I8, MIEN_U16, MIEN_I16, MIEN_U32, MIEN_I32, MIEN_U64, MIEN_I64
#define MIEN_OPS_ANY MIEN_OPS_NUMBERS, MIEN_BOOL, MIEN_F16, MIEN_BF16

/* X (type number, C type) for each. */
#define MIEN_OPS_FOR_FLOATS(X) X (MIEN_F32, float) X (MIEN_F64, double)
#define MIEN_OPS_FOR_SIGNED(X) X (MIEN_I8, gint8) X (MIEN_I16, gint16) X (MIEN_I32, gint32) X (MIEN_I64, gint64)
#define MIEN_OPS_FOR_UNSIGNED(X) X (MIEN_U8, guint8) X (MIEN_U16, guint16) X (MIEN_U32, guint32) X (MIEN_U64, guint64)
#define MIEN_OPS_FOR_INTS(X) MIEN_OPS_FOR_SIGNED (X) MIEN_OPS_FOR_UNSIGNED (X)

/* Before a loop: its arrays are the same memory or apart, so that an element depends on none that the loop wrote before. */
#ifdef __clang__
#define MIEN_OPS_INDEPENDENT
#else
#define MIEN_OPS_INDEPENDENT _Pragma ("GCC ivdep")
#endif

/* Nested loops over up to MIEN_LOOP_MAX_OPERANDS arrays at once, each with its own stride (in elements; 0 repeats,
 * negative runs backward) in every dimension. Dimensions that all arrays walk without a jump become one.
 *
 *   MienLoop loop;
 *   mien_loop_init (&loop, n_operands);
 *   for each dimension, outermost first: mien_loop_add (&loop, dim, strides);
 *   if (mien_loop_start (&loop))
 *     do
 *       ... loop.n elements from loop.offset[k], loop.step[k] apart ...
 *     while (mien_loop_next (&loop)); */
#define MIEN_LOOP_MAX_OPERANDS 4
#define MIEN_LOOP_MAX_DIMS (2 * MIEN_MAX_RANK)

typedef struct {
  gsize n;                               /* of the innermost dimension */
  gssize step[MIEN_LOOP_MAX_OPERANDS];   /* of the innermost dimension */
  gssize offset[MIEN_LOOP_MAX_OPERANDS]; /* where it begins now; may be set before mien_loop_start() */
  /*< private >*/
  int n_operands;
  int n_dims; /* without the innermost */
  gsize dim[MIEN_LOOP_MAX_DIMS];
  gsize index[MIEN_LOOP_MAX_DIMS];
  gssize stride[MIEN_LOOP_MAX_DIMS][MIEN_LOOP_MAX_OPERANDS];
} MienLoop;

void mien_loop_init (MienLoop *self, int n_operands);
void mien_loop_add (MienLoop *self, gsize dim, const gssize *strides);
gboolean mien_loop_start (MienLoop *self); /* FALSE when there are no elements */
gboolean mien_loop_next (MienLoop *self);  /* FALSE at the end */

/* Operand 0 is a dense array of shape out; operands 1 .. n are arrays of shapes[k - 1], broadcast to out (NumPy's rule,
 * which they must satisfy). n < MIEN_LOOP_MAX_OPERANDS. */
void mien_loop_init_broadcast (MienLoop *self, const MienShape *out, const MienShape *const *shapes, int n);

/* Copies operand 1 to operand 0, elements of 1, 2, 4 or 8 bytes. The loop has not been started. */
void mien_loop_copy (MienLoop *self, void *to, const void *from, gsize elem_size);

/* Strides of a dense array. */
void mien_ops_strides (const MienShape *shape, gssize *strides);

/* The product of the dimensions from .. to - 1 of a known shape that fits in memory. */
gsize mien_ops_span (const MienShape *shape, int from, int to);

G_END_DECLS
