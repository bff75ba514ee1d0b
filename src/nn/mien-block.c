/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "nn/mien-block.h"

#include "nn/mien-pages.h"

struct _MienBlock {
  gatomicrefcount ref_count;
  guint8 *data;
  gsize n_bytes;
  int n_holders[]; /* of parts in each large page */
};

MienBlock *
mien_block_new (gsize n_bytes)
{
  const gsize n_pages = n_bytes / MIEN_PAGES_LARGE + 1;
  guint8 *data = mien_pages_map (n_bytes);
  MienBlock *self;

  if (data == NULL)
    return NULL;
  self = g_malloc0 (sizeof (MienBlock) + n_pages * sizeof (int));
  g_atomic_ref_count_init (&self->ref_count);
  self->data = data;
  self->n_bytes = n_bytes;
  mien_block_hold (self, data, n_bytes);
  return self;
}

MienBlock *
mien_block_ref (MienBlock *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
mien_block_unref (MienBlock *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  mien_pages_unmap (self->data, self->n_bytes);
  g_free (self);
}

guint8 *
mien_block_data (const MienBlock *self)
{
  return self->data;
}

gsize
mien_block_size (const MienBlock *self)
{
  return self->n_bytes;
}

void
mien_block_hold (MienBlock *self, const void *part, gsize n_bytes)
{
  const gsize start = (gsize) ((const guint8 *) part - self->data);

  for (gsize page = start / MIEN_PAGES_LARGE; n_bytes > 0 && page <= (start + n_bytes - 1) / MIEN_PAGES_LARGE; page++)
    g_atomic_int_inc (&self->n_holders[page]);
}

void
mien_block_let_go (MienBlock *self, const void *part, gsize n_bytes)
{
  const gsize start = (gsize) ((const guint8 *) part - self->data);

  for (gsize page = start / MIEN_PAGES_LARGE; n_bytes > 0 && page <= (start + n_bytes - 1) / MIEN_PAGES_LARGE; page++) {
    const gsize at = page * MIEN_PAGES_LARGE;

    if (g_atomic_int_dec_and_test (&self->n_holders[page]))
      mien_pages_discard (self->data + at, MIN (MIEN_PAGES_LARGE, self->n_bytes - at));
  }
}
