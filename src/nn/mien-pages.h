/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory for much at once that stays: packed weights, whole files. The kernel hands out fresh memory in pages of 4 KiB and takes about two
 * microseconds for each, several times as long as it takes to fill them; so here it is asked for large pages (2 MiB on x86-64) where it has any.
 *
 * Errors   mien_pages_take() ends the program when there is no memory, as g_malloc() does
 * Thread   one at a time */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Grows, and is freed as a whole. */
typedef struct _MienPages MienPages;

MienPages *mien_pages_new (void);
void mien_pages_free (MienPages *self); /* NULL is allowed */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienPages, mien_pages_free)

/* 64-byte aligned, contents undefined, valid until all is freed. */
void *mien_pages_take (MienPages *self, gsize n_bytes);

/* One piece, 64-byte aligned, zero or undefined; NULL when there is no memory. To be freed with mien_pages_unmap() and the same size. */
void *mien_pages_map (gsize n_bytes);
void mien_pages_unmap (void *piece, gsize n_bytes);

/* Gives back the memory of a part of any piece, whose contents nobody wants any more; the piece stays. */
void mien_pages_discard (void *part, gsize n_bytes);

G_END_DECLS
