/* SPDX-License-Identifier: GPL-3.0-or-later */
/* make-seeds DIR: writes what a fuzzer begins with into DIR/onnx, DIR/dataset, DIR/files and DIR/picture. */
#include <glib/gstdio.h>

#include "mien-fuzz.h"

static const char *const kinds[] = { "dataset", "files", "picture" };

static void
put_all (const char *dir, const char *kind, GPtrArray *files)
{
  g_autofree char *folder = g_build_filename (dir, kind, NULL);

  g_mkdir_with_parents (folder, 0777);
  for (guint i = 0; i < files->len; i++) {
    g_autofree char *name = g_strdup_printf ("%s/seed-%03u", folder, i);
    g_autoptr (GError) error = NULL;
    if (!g_file_set_contents (name, g_bytes_get_data (files->pdata[i], NULL), (gssize) g_bytes_get_size (files->pdata[i]), &error))
      g_printerr ("%s\n", error->message);
  }
}

int
main (int argc, char **argv)
{
  if (argc != 2) {
    g_printerr ("usage: make-seeds DIR\n");
    return 2;
  }
  g_autoptr (GPtrArray) networks = mien_fuzz_make_networks ();
  put_all (argv[1], "onnx", networks);
  for (gsize k = 0; k < G_N_ELEMENTS (kinds); k++) {
    g_autoptr (GPtrArray) files = mien_fuzz_make_files (kinds[k]);
    put_all (argv[1], kinds[k], files);
  }
  return 0;
}
