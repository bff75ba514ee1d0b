/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What all tests share: finding outside data, and saying clearly when it is absent. Tests are GLib tests (g_test_*),
 * printed as TAP. */
#pragma once

#include <glib.h>

/* Path below the folder of outside test data ($MIEN_SHARED), or NULL after marking the test skipped. (transfer full) */
static inline char *
mien_test_shared (const char *name)
{
  const char *shared = g_getenv ("MIEN_SHARED");
  g_autofree char *path = shared != NULL ? g_build_filename (shared, name, NULL) : NULL;

  if (path == NULL || !g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_autofree char *message = g_strdup_printf ("%s is not here (set MIEN_SHARED)", name);
    g_test_skip (message);
    return NULL;
  }
  return g_steal_pointer (&path);
}

/* A fresh folder below the temporary one, (transfer full); mien_test_remove_dir() deletes it. */
static inline char *
mien_test_make_dir (void)
{
  GError *error = NULL;
  char *path = g_dir_make_tmp ("mien-test-XXXXXX", &error);

  g_assert_no_error (error);
  return path;
}

static inline void
mien_test_remove_dir (const char *path)
{
  const char *const argv[] = { "rm", "-rf", "--", path, NULL };

  g_assert_true (g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
}
