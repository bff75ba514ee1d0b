/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What helper programs share (mien-helper.h): giving up rights, reading nothing but what they were given, writing. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Before the first byte of the file is looked at: no file can be written, max_files descriptors can be open (0: no limit), no memory and
 * no time without end, no core file. Ends the program when a limit cannot be set. */
void mien_helper_give_up_rights (guint time_limit_s, guint64 max_memory_bytes, guint max_files);

/* To standard output. Ends the program when nobody reads any more. */
void mien_helper_write (const void *data, gsize n_bytes);

G_END_DECLS
