/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mien, the desktop program. */
#include "mien-config.h"

#include <glib/gi18n.h>
#include <locale.h>

#include "mien-application.h"

int
main (int argc, char *argv[])
{
  g_autoptr (MienApplication) application = NULL;
  /* Run from the build tree, translations lie there; MIEN_LOCALEDIR is where they are installed. */
  const char *localedir = g_getenv ("MIEN_LOCALE_DIR");
  int status;

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, localedir != NULL ? localedir : MIEN_LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);

  application = mien_application_new ();
  status = g_application_run (G_APPLICATION (application), argc, argv);
  return status != 0 ? status : mien_application_get_exit_status (application);
}
