/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is told of pictures by what they show: the hash of all, which are equal, which part each belongs to. */
#include <string.h>

#include "data/mien-dataset.h"
#include "data/mien-random.h"

enum { SIDE = 48, N_PIXELS = SIDE * SIDE };

static void
test_hash_and_twins (void)
{
  g_autoptr (MienDataset) data = mien_dataset_new (SIDE, 3);
  guint8 flags[3];

  for (int i = 0; i < 3 * N_PIXELS; i++)
    data->pixels[i] = (guint8) (i * 7);
  for (int i = 0; i < 3; i++) {
    data->labels[i] = (guint8) (3 * i);
    data->splits[i] = (guint8) i;
  }
  /* sha256 by another program over the same bytes */
  g_autofree char *hash = mien_dataset_dup_hash (data);
  g_assert_cmpstr (hash, ==, "b0e274b9bc9758c9187586b90419e5d176a8daeabd68b4f2ea873e35c2c70c58");

  /* 3 x 2304 pixels of period 256: all pictures are equal (2304 = 9 x 256) */
  mien_dataset_find_twins (data, MIEN_SPLIT_PUBLIC, MIEN_SPLIT_TRAINING, flags);
  g_assert_cmpmem (flags, 3, "\0\1\0", 3);
  mien_dataset_find_twins (data, MIEN_SPLIT_TRAINING, MIEN_SPLIT_TRAINING, flags);
  g_assert_cmpmem (flags, 3, "\0\0\0", 3);
  data->pixels[N_PIXELS + 100]++;
  mien_dataset_find_twins (data, MIEN_SPLIT_PUBLIC, MIEN_SPLIT_TRAINING, flags);
  g_assert_cmpmem (flags, 3, "\0\0\0", 3);

  g_autoptr (MienDataset) again = mien_dataset_ref (data);
  g_assert_true (again == data);
}

/* Equal pictures come into the same part, and parts are about equally large. */
static void
test_parts (void)
{
  enum { N = 400, N_PARTS = 4 };
  g_autoptr (MienDataset) data = mien_dataset_new (SIDE, N + 50);
  guint8 parts[N + 50];
  int counts[N_PARTS] = { 0 };
  MienRandom random;

  mien_random_seed (&random, 3);
  for (int i = 0; i < N * N_PIXELS; i++)
    data->pixels[i] = (guint8) mien_random_below (&random, 256);
  memcpy (data->pixels + N * N_PIXELS, data->pixels + 10 * N_PIXELS, 50 * N_PIXELS);
  mien_dataset_part (data, N_PARTS, parts);
  for (int i = 0; i < N; i++)
    counts[parts[i]]++;
  for (int part = 0; part < N_PARTS; part++) { /* 100, with a deviation of 8.7 */
    g_assert_cmpint (counts[part], >, 60);
    g_assert_cmpint (counts[part], <, 140);
  }
  g_assert_cmpmem (parts + N, 50, parts + 10, 50);
  for (int i = 0; i < N + 50; i++)
    data->labels[i] = 6; /* not the labels' matter */
  guint8 again[N + 50];
  mien_dataset_part (data, N_PARTS, again);
  g_assert_cmpmem (again, N + 50, parts, N + 50);

  g_autoptr (MienDataset) last = mien_dataset_pick (data, again);
  int at = 0;
  for (int i = 0; i < N + 50; i++)
    if (parts[i] != 0)
      g_assert_cmpmem (last->pixels + at++ * N_PIXELS, N_PIXELS, data->pixels + i * N_PIXELS, N_PIXELS);
  g_assert_cmpint (last->n, ==, at);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dataset-twins/hash-and-twins", test_hash_and_twins);
  g_test_add_func ("/dataset-twins/parts", test_parts);
  return g_test_run ();
}
