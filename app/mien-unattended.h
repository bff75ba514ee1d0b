/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A run that somebody else watches: every result is written as a JSON line as it comes, and after some seconds a picture
 * of the window is written and the program ends. */
#pragma once

#include "mien-window.h"

G_BEGIN_DECLS

/* picture, results: (nullable) paths. seconds 0: does not end by itself, and takes no picture. Otherwise ends the application;
 * exit status 1 and a sentence on stderr when a file could not be written. exit_status outlives the window. */
void mien_unattended_start (MienWindow *window, double seconds, const char *picture, const char *results, int *exit_status);

/* Writes what the window shows as PNG. */
gboolean mien_window_save_picture (GtkWidget *window, const char *path, GError **error);

G_END_DECLS
