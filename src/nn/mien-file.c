/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mien-config.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nn/mien-file.h"
#include "nn/mien-graph.h"
#include "nn/mien-pages.h"

char *
mien_file_shown_name (const char *path)
{
  g_autofree char *name = g_filename_display_basename (path);

  return mien_graph_shown (name);
}

gboolean
mien_file_fail (GError **error, MienNnError code, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_propagate_error (error, g_error_new_valist (MIEN_NN_ERROR, code, format, args));
  va_end (args);
  return FALSE;
}

void
mien_file_swap_bytes (guint8 *data, gsize n_elems, gsize size)
{
  for (gsize i = 0; i < n_elems; i++)
    for (gsize k = 0; k < size / 2; k++) {
      const guint8 byte = data[i * size + k];

      data[i * size + k] = data[i * size + size - 1 - k];
      data[i * size + size - 1 - k] = byte;
    }
}

static gboolean
fail_errno (GError **error, int code, const char *what)
{
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (code), "%s: %s", what, g_strerror (code));
  return FALSE;
}

gboolean
mien_file_read (int fd, gsize offset, void *data, gsize n, GError **error)
{
  guint8 *to = data;

  while (n > 0) {
    const gssize got = pread (fd, to, MIN (n, 1 << 30), (off_t) offset);

    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return fail_errno (error, errno, _("cannot be read"));
    if (got == 0) {
      g_set_error_literal (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT, _("became shorter while it was read; try again"));
      return FALSE;
    }
    to += got;
    offset += got;
    n -= got;
  }
  return TRUE;
}

int
mien_file_open (const char *path, guint64 max_bytes, gsize *n_bytes, GError **error)
{
  const int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* O_NONBLOCK: a named pipe must not hang us */
  struct stat info;

  if (fd < 0) {
    fail_errno (error, errno, _("cannot be opened"));
    return -1;
  }
  if (fstat (fd, &info) < 0) {
    fail_errno (error, errno, _("cannot be read"));
  } else if (!S_ISREG (info.st_mode)) {
    g_set_error_literal (error, MIEN_NN_ERROR, MIEN_NN_ERROR_FORMAT, _("is not a file; choose the file itself"));
  } else if ((guint64) info.st_size > max_bytes) {
    g_autofree char *limit = g_format_size_full (max_bytes, G_FORMAT_SIZE_IEC_UNITS);

    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_SIZE, _("is larger than %s, the most this program reads"), limit);
  } else {
    *n_bytes = (gsize) info.st_size;
    return fd;
  }
  close (fd);
  return -1;
}

typedef struct {
  guint8 *data;
  gsize n_bytes;
} Pages;

static void
free_pages (gpointer data)
{
  Pages *pages = data;

  mien_pages_unmap (pages->data, pages->n_bytes);
  g_free (pages);
}

GBytes *
mien_file_load (const char *path, guint64 max_bytes, GError **error)
{
  Pages pages = { 0 };
  const int fd = mien_file_open (path, max_bytes, &pages.n_bytes, error);
  GBytes *bytes = NULL;

  if (fd < 0)
    return NULL;
  pages.data = mien_pages_map (pages.n_bytes);
  if (pages.data == NULL)
    g_set_error_literal (error, MIEN_NN_ERROR, MIEN_NN_ERROR_SIZE, _("is too large for the memory of this computer"));
  else if (!mien_file_read (fd, 0, pages.data, pages.n_bytes, error))
    mien_pages_unmap (pages.data, pages.n_bytes);
  else
    bytes = g_bytes_new_with_free_func (pages.data, pages.n_bytes, free_pages, g_memdup2 (&pages, sizeof pages));
  close (fd);
  return bytes;
}
