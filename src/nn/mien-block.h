/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory of one piece, a file for instance, parts of which go their own ways: tensors refer to them, and it goes back to the system while they let go
 * of it. A large page is given back whole, with the last part in it: what is left of one that was split is slow to reach.
 *
 * Thread   any */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _MienBlock MienBlock;

/* 64-byte aligned, contents undefined; NULL when there is no memory. All of it is held. */
MienBlock *mien_block_new (gsize n_bytes);
MienBlock *mien_block_ref (MienBlock *self);
void mien_block_unref (MienBlock *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienBlock, mien_block_unref)

guint8 *mien_block_data (const MienBlock *self);
gsize mien_block_size (const MienBlock *self);

/* Each part that is held, and the whole as it is held from the start, must be let go of once; then nobody may look at what is in no other part. */
void mien_block_hold (MienBlock *self, const void *part, gsize n_bytes);
void mien_block_let_go (MienBlock *self, const void *part, gsize n_bytes);

G_END_DECLS
