/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that tensors lie in: the network's own, and external data, which may only lie below its folder. */
#include "mien-config.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nn/mien-file.h"
#include "onnx/mien-onnx-private.h"

static void
close_file (gpointer data)
{
  close (((MienOnnxFile *) data)->fd);
}

void
mien_onnx_file_unref (MienOnnxFile *self)
{
  g_atomic_rc_box_release_full (self, close_file);
}

static gboolean
fail_errno (GError **error, int code, const char *what)
{
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (code), "%s: %s", what, g_strerror (code));
  return FALSE;
}

/* Every step with O_NOFOLLOW: neither a path nor a link leads out of the folder, and nobody can swap one in between. */
static int
open_below (const char *folder, const char *location, GError **error)
{
  g_auto (GStrv) parts = NULL;
  g_autofree char *shown = mien_graph_quote (location);
  int fd;

  if (*location == '\0' || g_path_is_absolute (location)) {
    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT,
                 _("its data are said to be in %s, but a network may only use files in its own folder"), shown);
    return -1;
  }
  parts = g_strsplit (location, "/", -1);
  for (int i = 0; parts[i] != NULL; i++)
    if (strcmp (parts[i], "..") == 0) {
      g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT,
                   _("its data are said to be in %s, but a network may only use files in its own folder"), shown);
      return -1;
    }
  fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; parts[i] != NULL && fd >= 0; i++) {
    const gboolean last = parts[i + 1] == NULL;
    int next;

    if (!last && (*parts[i] == '\0' || strcmp (parts[i], ".") == 0))
      continue;
    next = openat (fd, parts[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | (last ? O_NONBLOCK : O_DIRECTORY));
    if (next < 0) {
      const int code = errno;

      close (fd);
      if (code == ELOOP)
        g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT, _("its data file %s is a link; put the file itself there"), shown);
      else if (code == ENOENT)
        g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
                     _("its data are in a second file, %s, which is missing; put that file beside the network"), shown);
      else
        g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (code), _("its data file %s cannot be opened: %s"), shown, g_strerror (code));
      return -1;
    }
    close (fd);
    fd = next;
  }
  if (fd < 0)
    fail_errno (error, errno, _("the network's folder cannot be opened"));
  return fd;
}

gboolean
mien_onnx_read_external (MienOnnxExternal *external, const char *location, guint64 offset, gboolean has_length,
                         guint8 *data, gsize n_bytes, GError **error)
{
  g_autofree char *shown = mien_graph_quote (location);
  gboolean ok = FALSE;
  struct stat info;
  int fd;

  if (external->folder == NULL) {
    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_UNSUPPORTED, _("its data are in a second file, %s, which cannot be reached from here"), shown);
    return FALSE;
  }
  if (n_bytes > MIEN_ONNX_MAX_FILE - external->n_read) {
    g_set_error_literal (error, MIEN_NN_ERROR, MIEN_NN_ERROR_SIZE, _("the network's data files hold more than this program reads"));
    return FALSE;
  }
  external->n_read += n_bytes;
  fd = open_below (external->folder, location, error);
  if (fd < 0)
    return FALSE;
  if (fstat (fd, &info) < 0) {
    fail_errno (error, errno, _("its data file cannot be read"));
  } else if (!S_ISREG (info.st_mode)) {
    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT, _("its data file %s is not a file"), shown);
  } else if (offset > (guint64) info.st_size || n_bytes > (guint64) info.st_size - offset ||
             (!has_length && n_bytes != (guint64) info.st_size - offset)) {
    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT,
                 _("its data file %s has %" PRIu64 " bytes, but %zu are wanted from byte %" PRIu64),
                 shown, (guint64) info.st_size, n_bytes, offset);
  } else {
    ok = mien_file_read (fd, offset, data, n_bytes, error);
  }
  close (fd);
  return ok;
}
