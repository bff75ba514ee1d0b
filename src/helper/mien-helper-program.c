/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-helper-program.h. */
#include "mien-config.h"

#include "helper/mien-helper-program.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void
limit (int resource, rlim_t soft, rlim_t hard)
{
  const struct rlimit value = { soft, hard };

  if (setrlimit (resource, &value) != 0)
    _exit (EXIT_FAILURE); /* without its limits this process does not look at a file */
}

void
mien_helper_give_up_rights (guint time_limit_s, guint64 max_memory_bytes, guint max_files)
{
  limit (RLIMIT_CORE, 0, 0);
  limit (RLIMIT_FSIZE, 0, 0);
  limit (RLIMIT_CPU, time_limit_s, time_limit_s + 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* their shadow memory needs terabytes of addresses */
  limit (RLIMIT_AS, max_memory_bytes, max_memory_bytes);
#endif
  if (max_files > 0)
    limit (RLIMIT_NOFILE, max_files, max_files);
  prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl (PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void
mien_helper_write (const void *data, gsize n_bytes)
{
  const char *p = data;

  while (n_bytes > 0) {
    const ssize_t n = write (STDOUT_FILENO, p, n_bytes);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      exit (EXIT_FAILURE); /* the caller lost interest */
    p += n;
    n_bytes -= (gsize) n;
  }
}
