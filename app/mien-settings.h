/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program's settings, wherever its schema lies: installed where GLib looks, below the installation's own prefix, or,
 * when neither is so, the copy inside the program; settings then last until it ends. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

GSettings *mien_settings_new (void); /* (transfer full), never NULL */

G_END_DECLS
