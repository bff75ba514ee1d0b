/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The preferences window: camera, reading, network. */
#pragma once

#include "mien-window.h"

G_BEGIN_DECLS

#define MIEN_TYPE_PREFERENCES (mien_preferences_get_type ())
G_DECLARE_FINAL_TYPE (MienPreferences, mien_preferences, MIEN, PREFERENCES, AdwPreferencesWindow)

/* Modal above window; its choices take effect at once, through settings and window. */
MienPreferences *mien_preferences_new (MienWindow *window, GSettings *settings);

G_END_DECLS
