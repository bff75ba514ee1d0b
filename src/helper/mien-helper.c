/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-helper.h. */
#include "mien-config.h"

#include "helper/mien-helper.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

char *
mien_helper_find (const char *file)
{
  const char *libexecdir = g_getenv ("MIEN_LIBEXECDIR");
  g_autofree char *name = g_path_get_basename (file), *built = g_build_filename (MIEN_BUILD_ROOT, "src", file, NULL);
  g_autofree char *own = NULL;

  if (libexecdir != NULL && libexecdir[0] != '\0')
    return g_build_filename (libexecdir, name, NULL);
  own = g_file_read_link ("/proc/self/exe", NULL);
  if (own != NULL && g_str_has_prefix (own, MIEN_BUILD_ROOT "/") && g_file_test (built, G_FILE_TEST_IS_EXECUTABLE))
    return g_steal_pointer (&built);
  return g_build_filename (MIEN_LIBEXECDIR, name, NULL);
}

gboolean
mien_helper_start (MienHelper *self, const char *program, int input_fd, GError **error)
{
  g_autofree char *path = mien_helper_find (program);
  g_auto (GStrv) environment = g_get_environ ();
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, defaults;
  int pipe_fds[2], failed;
  char *const argv[] = { path, NULL };

  if (pipe2 (pipe_fds, O_CLOEXEC) != 0) {
    failed = errno;
    g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (failed), g_strerror (failed));
    return FALSE;
  }
  fcntl (pipe_fds[1], F_SETPIPE_SZ, 1 << 20); /* fewer switches; if refused, only slower */

  /* Fatal warnings are for our own code, not for what a library says about somebody's file. */
  environment = g_environ_unsetenv (environment, "G_DEBUG");
  environment = g_environ_unsetenv (environment, "G_MESSAGES_DEBUG");

  sigemptyset (&none);
  sigemptyset (&defaults);
  sigaddset (&defaults, SIGPIPE);
  posix_spawnattr_init (&attributes);
  posix_spawnattr_setsigmask (&attributes, &none);
  posix_spawnattr_setsigdefault (&attributes, &defaults);
  posix_spawnattr_setflags (&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_adddup2 (&actions, input_fd, STDIN_FILENO);
  posix_spawn_file_actions_adddup2 (&actions, pipe_fds[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen (&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclosefrom_np (&actions, STDERR_FILENO + 1);
  failed = posix_spawn (&self->pid, path, &actions, &attributes, argv, environment);
  posix_spawn_file_actions_destroy (&actions);
  posix_spawnattr_destroy (&attributes);
  close (pipe_fds[1]);
  if (failed != 0) {
    close (pipe_fds[0]);
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _("the program %s does not start (%s); install Mien again"), path, g_strerror (failed));
    return FALSE;
  }
  self->fd = pipe_fds[0];
  return TRUE;
}

int
mien_helper_end (MienHelper *self, gboolean kill_it)
{
  int status = 0;

  close (self->fd);
  if (kill_it)
    kill (self->pid, SIGKILL);
  while (waitpid (self->pid, &status, 0) < 0 && errno == EINTR)
    ;
  return status;
}

MienHelperEnd
mien_helper_read (MienHelper *self, void *data, gsize n_bytes, gint64 deadline_us, GCancellable *cancellable)
{
  guint8 *p = data;
  GPollFD fds[2] = { { .fd = self->fd, .events = G_IO_IN } };
  guint n_fds = 1;
  MienHelperEnd end = MIEN_HELPER_DONE;

  if (cancellable != NULL && g_cancellable_make_pollfd (cancellable, &fds[1]))
    n_fds = 2;
  while (n_bytes > 0 && end == MIEN_HELPER_DONE) {
    const gint64 left_us = deadline_us - g_get_monotonic_time ();
    ssize_t n;

    if (g_cancellable_is_cancelled (cancellable)) {
      end = MIEN_HELPER_CANCELLED;
    } else if (left_us <= 0) {
      end = MIEN_HELPER_LATE;
    } else if (g_poll (fds, n_fds, (int) (left_us / 1000) + 1) > 0 && fds[0].revents != 0) {
      n = read (self->fd, p, n_bytes);
      if (n > 0) {
        p += n;
        n_bytes -= (gsize) n;
      } else if (n == 0 || errno != EINTR) {
        end = MIEN_HELPER_SHORT;
      }
    }
  }
  if (n_fds == 2)
    g_cancellable_release_fd (cancellable);
  return end;
}

gboolean
mien_helper_was_late (MienHelperEnd end, int wait_status)
{
  return end == MIEN_HELPER_LATE || (WIFSIGNALED (wait_status) && WTERMSIG (wait_status) == SIGXCPU);
}
