/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small amounts come from the heap, large ones from mappings of their own that begin at a large page's border. */
#include "nn/mien-pages.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGNMENT 64
#define LARGE_PAGE ((gsize) MIEN_PAGES_LARGE)
#define FEW_BYTES ((gsize) 256 << 10) /* from the heap, where no more than that is expected or was asked for */
#define REGION_BYTES ((gsize) 32 << 20) /* addresses; memory is taken as it is written to */

/* Sanitizers watch over the borders of what comes from the heap. */
#if defined(__SANITIZE_ADDRESS__)
#define USE_MAPPINGS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define USE_MAPPINGS 0
#endif
#endif
#ifndef USE_MAPPINGS
#define USE_MAPPINGS 1
#endif

typedef struct {
  void *start; /* of the mapping */
  gsize n_bytes;
} Region;

struct _MienPages {
  GPtrArray *pieces; /* from the heap */
  GArray *regions;   /* Region; the last one is being filled */
  char *next, *end;  /* what is left of it */
  gsize about_bytes;
};

static gsize
round_up (gsize n, gsize step)
{
  return (n + step - 1) / step * step;
}

static void *
map (gsize n_bytes)
{
  void *start = mmap (NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  return start != MAP_FAILED ? start : NULL;
}

/* n_bytes a multiple of large pages; from the border of one on. */
static void *
map_large (gsize n_bytes)
{
  char *start = USE_MAPPINGS ? map (n_bytes + LARGE_PAGE) : NULL, *first;

  if (start == NULL)
    return NULL;
  first = (char *) round_up ((gsize) start, LARGE_PAGE);
  if (first > start)
    munmap (start, first - start);
  if (first < start + LARGE_PAGE)
    munmap (first + n_bytes, start + LARGE_PAGE - first);
  return first;
}

/* Only hints. */
static void
want_large_pages (void *start, gsize n_bytes)
{
#ifdef MADV_HUGEPAGE
  madvise (start, n_bytes, MADV_HUGEPAGE);
#endif
}

static void
want_now (void *start, gsize n_bytes)
{
#ifdef MADV_POPULATE_WRITE
  if (n_bytes > 0)
    madvise (start, n_bytes, MADV_POPULATE_WRITE);
#endif
}

static void
unmap_region (gpointer data)
{
  const Region *region = data;

  munmap (region->start, region->n_bytes);
}

MienPages *
mien_pages_new (gsize about_bytes)
{
  MienPages *self = g_new0 (MienPages, 1);

  self->about_bytes = about_bytes;
  self->pieces = g_ptr_array_new_with_free_func (g_aligned_free);
  self->regions = g_array_new (FALSE, FALSE, sizeof (Region));
  g_array_set_clear_func (self->regions, unmap_region);
  return self;
}

void
mien_pages_free (MienPages *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->pieces);
  g_array_unref (self->regions);
  g_free (self);
}

static void *
take_from_heap (MienPages *self, gsize n_bytes)
{
  void *piece = g_aligned_alloc (1, n_bytes, ALIGNMENT);

  g_ptr_array_add (self->pieces, piece);
  return piece;
}

void *
mien_pages_take (MienPages *self, gsize n_bytes)
{
  const gsize n = round_up (MAX (n_bytes, 1), ALIGNMENT);
  char *piece;

  if (n > (gsize) (self->end - self->next)) {
    const gsize wanted = MAX (REGION_BYTES, round_up (n, LARGE_PAGE));
    void *start = self->next == NULL && MAX (n, self->about_bytes) <= FEW_BYTES ? NULL : map_large (wanted);

    if (start == NULL)
      return take_from_heap (self, n);
    want_large_pages (start, wanted);
    g_array_append_val (self->regions, ((Region) { start, wanted }));
    self->next = start;
    self->end = self->next + wanted;
  }
  piece = self->next;
  self->next += n;
  return piece;
}

/* How much of a piece is in large pages: a last one that would be almost empty is left to small ones. */
static gsize
in_large_pages (gsize n_bytes)
{
  const gsize beyond = n_bytes % LARGE_PAGE;

  return beyond > LARGE_PAGE / 4 ? n_bytes - beyond + LARGE_PAGE : n_bytes - beyond;
}

static gsize
mapped_bytes (gsize n_bytes)
{
  return round_up (MAX (n_bytes, 1), in_large_pages (n_bytes) > 0 ? LARGE_PAGE : (gsize) sysconf (_SC_PAGESIZE));
}

void *
mien_pages_map (gsize n_bytes)
{
  const gsize n = mapped_bytes (n_bytes), large = in_large_pages (n_bytes);
  char *start;

  if (!USE_MAPPINGS)
    return aligned_alloc (ALIGNMENT, round_up (MAX (n_bytes, 1), ALIGNMENT));
  start = large > 0 ? map_large (n) : map (n);
  if (start == NULL)
    return NULL;
  want_large_pages (start, large);
  if (large < n_bytes)
    want_now (start + large, n_bytes - large);
  return start;
}

void
mien_pages_unmap (void *piece, gsize n_bytes)
{
  if (USE_MAPPINGS)
    munmap (piece, mapped_bytes (n_bytes));
  else
    free (piece);
}
