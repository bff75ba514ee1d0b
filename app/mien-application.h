/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program: command line, actions that belong to no window, settings, windows beside the main one. */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define MIEN_TYPE_APPLICATION (mien_application_get_type ())
G_DECLARE_FINAL_TYPE (MienApplication, mien_application, MIEN, APPLICATION, AdwApplication)

MienApplication *mien_application_new (void);

/* 0, or 1 when a run without anybody in front of it could not write its files. */
int mien_application_get_exit_status (MienApplication *self);

G_END_DECLS
