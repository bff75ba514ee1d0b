/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Content with a panel: beside it in a wide window, below it in a narrow one.
 *
 * Properties  "content", "panel" (GtkWidget), "panel-shown" (boolean). The style class "stacked" is set while it is narrow. */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define MIEN_TYPE_SPLIT (mien_split_get_type ())
G_DECLARE_FINAL_TYPE (MienSplit, mien_split, MIEN, SPLIT, GtkWidget)

GtkWidget *mien_split_new (void);
void mien_split_set_content (MienSplit *self, GtkWidget *content);
void mien_split_set_panel (MienSplit *self, GtkWidget *panel);
void mien_split_set_panel_shown (MienSplit *self, gboolean shown);
gboolean mien_split_get_panel_shown (MienSplit *self);

G_END_DECLS
