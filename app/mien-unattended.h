/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A run without anybody in front of it: for some seconds the window does what it always does, then a picture of it and
 * the JSON lines of what was read are written, and the program ends. */
#pragma once

#include "mien-window.h"

G_BEGIN_DECLS

/* picture, results: (nullable) paths. Ends the application; exit status 1 and a sentence on stderr when a file could not
 * be written. exit_status outlives the run. */
void mien_unattended_start (MienWindow *window, double seconds, const char *picture, const char *results, int *exit_status);

/* Writes what the window shows as PNG. */
gboolean mien_window_save_picture (GtkWidget *window, const char *path, GError **error);

G_END_DECLS
