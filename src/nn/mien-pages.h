/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory for much at once that stays: packed weights, whole files. The kernel hands out fresh memory in pages of 4 KiB and takes two
 * microseconds for each, or ten in some virtual machines, several times as long as it takes to fill them; so here it is asked for large pages (2 MiB on
 * x86-64) where it has any, and for many small ones at once where a large one would be almost empty.
 *
 * Errors   mien_pages_take() ends the program when there is no memory, as g_malloc() does
 * Thread   one at a time */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

enum { MIEN_PAGES_LARGE = 2 << 20 }; /* bytes; a piece of mien_pages_map() begins at the border of a large page, if it has any */

/* Grows, and is freed as a whole. */
typedef struct _MienPages MienPages;

MienPages *mien_pages_new (gsize about_bytes); /* an estimate of what will be taken */
void mien_pages_free (MienPages *self); /* NULL is allowed */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienPages, mien_pages_free)

/* 64-byte aligned, contents undefined, valid until all is freed. */
void *mien_pages_take (MienPages *self, gsize n_bytes);

/* One piece, 64-byte aligned, contents undefined, all of which will be written to; NULL when there is no memory. To be freed with mien_pages_unmap() and the
 * same size. */
void *mien_pages_map (gsize n_bytes);
void mien_pages_unmap (void *piece, gsize n_bytes);

G_END_DECLS
