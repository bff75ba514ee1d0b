/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files from outside: read whole, with a limit, and never waiting for what is no file (a pipe, a device, a folder).
 *
 * Errors   MIEN_NN_ERROR, G_FILE_ERROR; messages are the end of a sentence that begins with the file's name
 * Thread   pure */
#pragma once

#include "nn/mien-tensor.h"

G_BEGIN_DECLS

/* In memory of its own: whoever alone has it may write to it. (transfer full) */
GBytes *mien_file_load (const char *path, guint64 max_bytes, GError **error);

/* The same without reading: a descriptor, -1 with error set. */
int mien_file_open (const char *path, guint64 max_bytes, gsize *n_bytes, GError **error);

/* n bytes from `offset` on, on any thread. */
gboolean mien_file_read (int fd, gsize offset, void *data, gsize n, GError **error);

/* Sets error to MIEN_NN_ERROR of that code and returns FALSE. */
gboolean mien_file_fail (GError **error, MienNnError code, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* n_elems of size bytes, each turned round: from the other byte order. */
void mien_file_swap_bytes (guint8 *data, gsize n_elems, gsize size);

/* Name without folder, as a message shows it: UTF-8, not overlong, no control characters. (transfer full) */
char *mien_file_shown_name (const char *path);

G_END_DECLS
