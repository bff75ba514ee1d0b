/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Buttons that show only an icon have a tooltip; GTK 4.8 does not tell it to screen readers. */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* Gives every button below root that has a tooltip the tooltip as its accessible name, now and when the tooltip changes. */
void mien_name_buttons (GtkWidget *root);

G_END_DECLS
