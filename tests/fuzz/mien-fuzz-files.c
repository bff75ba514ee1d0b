/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mien-fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/mien-dataset-private.h"
#include "model/mien-npy.h"
#include "train/mien-train-private.h"

/* The bytes as a file in memory; its path in *path. */
static int
make_file (const guint8 *data, gsize n_bytes, char **path)
{
  const int fd = memfd_create ("fuzz", MFD_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, data, n_bytes), ==, (gssize) n_bytes);
  *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  return fd;
}

void
mien_fuzz_dataset (const guint8 *data, gsize n_bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MienDataset) set = NULL;
  g_autofree char *path = NULL;
  const int fd = make_file (data, n_bytes, &path);

  set = mien_dataset_load (path, 7, NULL, NULL, NULL, &error);
  close (fd);
  if (set == NULL) {
    mien_fuzz_check_sentence (error);
    return;
  }
  g_assert_cmpint (set->n, >, 0);
  for (int i = 0; i < set->n; i++) {
    g_assert_cmpint (set->labels[i], <, MIEN_DATASET_N_LABELS);
    g_assert_cmpint (set->splits[i], <, MIEN_N_SPLITS);
    g_assert_true (set->names == NULL || g_utf8_validate (set->names[i], -1, NULL));
  }
  for (guint i = 0; i < set->skipped->len; i++) {
    g_assert_true (g_utf8_validate (set->skipped->pdata[i], -1, NULL));
    g_assert_null (strchr (set->skipped->pdata[i], '\n'));
  }
}

void
mien_fuzz_picture (const guint8 *data, gsize n_bytes)
{
  g_autoptr (GError) error = NULL;
  guint8 pixels[MIEN_FACE_PIXELS];

  if (!mien_face_decode (data, n_bytes, pixels, &error))
    g_assert_nonnull (error);
}

static void
read_npy (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MienTensor) tensor = mien_npy_read (path, &error);

  if (tensor == NULL)
    mien_fuzz_check_sentence (error);
  else
    g_assert_cmpuint (tensor->n_elems * mien_type_size (tensor->type), ==, mien_tensor_n_bytes (tensor));
}

/* A run with one weight, so that small files can be whole. */
static MienRun *
make_run (void)
{
  const MienShape shape = mien_shape (1, 4);
  MienRun *run = g_new0 (MienRun, 1);

  run->recipe = *mien_recipe_find (mien_recipe_list ()[0]);
  run->recipe.teachers = NULL;
  run->teachers = mien_distil_new (&run->recipe, NULL, NULL);
  run->data_hash = g_strdup ("none");
  run->net = g_new0 (MienNet, 1);
  run->use = g_new0 (MienNet, 1);
  run->net->graph = mien_graph_new ("train", 13);
  run->use->graph = mien_graph_new ("use", 13);
  mien_graph_add_parameter (run->net->graph, "w", mien_tensor_new (MIEN_F32, &shape));
  mien_graph_add_parameter (run->use->graph, "w", mien_tensor_new (MIEN_F32, &shape));
  return run;
}

static void
read_checkpoint (const char *path)
{
  static MienRun *run;
  g_autoptr (GError) error = NULL;

  if (run == NULL)
    run = make_run ();
  if (!mien_run_load_checkpoint (run, path, &error))
    mien_fuzz_check_sentence (error);
}

void
mien_fuzz_files (const guint8 *data, gsize n_bytes)
{
  g_autofree char *path = NULL;
  int fd;

  if (n_bytes == 0)
    return;
  fd = make_file (data + 1, n_bytes - 1, &path);
  if (data[0] & 1)
    read_checkpoint (path);
  else
    read_npy (path);
  close (fd);
}
