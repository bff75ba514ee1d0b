/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files from outside: read whole, with a limit, and never waiting for what is no file (a pipe, a device, a folder).
 *
 * Errors   MIEN_NN_ERROR, G_FILE_ERROR; messages are the end of a sentence that begins with the file's name
 * Thread   pure */
#pragma once

#include "nn/mien-tensor.h"

G_BEGIN_DECLS

GBytes *mien_file_load (const char *path, guint64 max_bytes, GError **error);

/* n bytes from where fd stands. */
gboolean mien_file_read (int fd, void *data, gsize n, GError **error);

/* Name without folder, as a message shows it: UTF-8, not overlong, no control characters. (transfer full) */
char *mien_file_shown_name (const char *path);

G_END_DECLS
