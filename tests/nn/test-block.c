/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parts of a block that are let go of one by one: what is held keeps its contents, the memory of the rest goes back. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mien-test.h"
#include "nn/mien-block.h"
#include "nn/mien-pages.h"

/* Under AddressSanitizer the heap is taken instead, which gives nothing back. */
static gboolean
is_mapped (const MienBlock *block)
{
  return (gsize) mien_block_data (block) % MIEN_PAGES_LARGE == 0;
}

static gsize
resident_bytes (const guint8 *start, gsize n)
{
  const gsize page = (gsize) sysconf (_SC_PAGESIZE);
  g_autofree unsigned char *there = g_malloc0 (n / page + 1);
  gsize n_there = 0;

  g_assert_cmpint (mincore ((void *) start, n, there), ==, 0);
  for (gsize i = 0; i < n / page; i++)
    n_there += (there[i] & 1) * page;
  return n_there;
}

static void
check_filled (const guint8 *part, gsize n, int with)
{
  for (gsize i = 0; i < n; i++)
    g_assert_cmpint (part[i], ==, with);
}

static void
test_parts (void)
{
  enum { N = 4 * MIEN_PAGES_LARGE, BORDER = MIEN_PAGES_LARGE + 12345, END = 3 * MIEN_PAGES_LARGE };
  g_autoptr (MienBlock) block = mien_block_new (N);
  guint8 *data = mien_block_data (block);

  memset (data, 1, N);
  memset (data + BORDER, 2, END - BORDER);
  mien_block_hold (block, data, BORDER);
  mien_block_hold (block, data + BORDER, END - BORDER);
  mien_block_let_go (block, data, N);
  check_filled (data, BORDER, 1);
  check_filled (data + BORDER, END - BORDER, 2);
  if (is_mapped (block))
    g_assert_cmpuint (resident_bytes (data, N), ==, END);

  mien_block_let_go (block, data, BORDER);
  check_filled (data + BORDER, END - BORDER, 2);
  if (is_mapped (block))
    g_assert_cmpuint (resident_bytes (data, N), ==, 2 * MIEN_PAGES_LARGE);

  mien_block_let_go (block, data + BORDER, END - BORDER);
  if (is_mapped (block))
    g_assert_cmpuint (resident_bytes (data, N), ==, 0);
  else
    g_test_skip ("memory is from the heap here, and stays");
}

/* Any size can be written to from end to end, and is aligned for vectors. */
static void
test_sizes (void)
{
  static const gsize sizes[] = { 0, 1, 4095, 4096, 100000, MIEN_PAGES_LARGE / 4, MIEN_PAGES_LARGE / 4 + 1, MIEN_PAGES_LARGE, MIEN_PAGES_LARGE + 1, 5 * (gsize) MIEN_PAGES_LARGE - 7 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++) {
    MienBlock *block = mien_block_new (sizes[i]), *again = mien_block_ref (block);
    guint8 *data = mien_block_data (block);

    g_assert_cmpuint (mien_block_size (block), ==, sizes[i]);
    g_assert_cmpuint ((gsize) data % 64, ==, 0);
    memset (data, 7, sizes[i]);
    mien_block_unref (block);
    check_filled (data, sizes[i], 7);
    mien_block_let_go (again, data, sizes[i]);
    mien_block_unref (again);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/block/parts", test_parts);
  g_test_add_func ("/block/sizes", test_sizes);
  return g_test_run ();
}
