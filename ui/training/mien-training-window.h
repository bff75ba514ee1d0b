/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Training a network: choose faces and a recipe, watch it learn, use or keep what came out.
 *
 * Properties "data-path", "recipe" (strings): what an application may want to remember
 * Signal     "model-trained" (char *path): the person wants to use the new model; the window then closes
 * Closing while training asks first; the best network so far is always kept in its file. */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define MIEN_TYPE_TRAINING_WINDOW (mien_training_window_get_type ())
G_DECLARE_FINAL_TYPE (MienTrainingWindow, mien_training_window, MIEN, TRAINING_WINDOW, AdwWindow)

MienTrainingWindow *mien_training_window_new (GtkApplication *app);

G_END_DECLS
