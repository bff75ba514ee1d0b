/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Programs of our own that look at files from outside, so that a hostile file costs only them: the caller's side. A helper reads the
 * file from its standard input and writes what it made of it to its standard output; its own side is mien-helper-program.h.
 *
 * Trust    whoever reads what a helper says believes nothing of it, and waits for it only until a deadline
 * Errors   G_IO_ERROR; messages are the end of a sentence
 * Thread   works on any thread; one MienHelper at a time */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef struct {
  /*< private >*/
  pid_t pid;
  int fd; /* reads what it writes */
} MienHelper;

/* Where a file of ours lies: the folder below src where it is built, and its name ("vision/mien-decode"). Looked for in $MIEN_LIBEXECDIR if
 * set, in the build tree for programs that run from there, else where it is installed. (transfer full) */
char *mien_helper_find (const char *file);

/* program: as for mien_helper_find(). input_fd is borrowed. */
gboolean mien_helper_start (MienHelper *self, const char *program, int input_fd, GError **error);

typedef enum {
  MIEN_HELPER_DONE,
  MIEN_HELPER_SHORT, /* the helper ended first */
  MIEN_HELPER_LATE,
  MIEN_HELPER_CANCELLED,
} MienHelperEnd;

/* Exactly n_bytes, by the time g_get_monotonic_time() is deadline_us. cancellable: (nullable) */
MienHelperEnd mien_helper_read (MienHelper *self, void *data, gsize n_bytes, gint64 deadline_us, GCancellable *cancellable);

/* Ends the helper, whatever it is doing. Returns its wait status. */
int mien_helper_end (MienHelper *self, gboolean kill_it);

/* Whether a helper that ended with this had used up its processor time. */
gboolean mien_helper_was_late (MienHelperEnd end, int wait_status);

G_END_DECLS
