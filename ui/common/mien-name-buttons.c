/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Accessible names for buttons that show only an icon; see the header. */
#include "mien-config.h"

#include "common/mien-name-buttons.h"

static void
tooltip_changed_cb (GtkWidget *button)
{
  const char *text = gtk_widget_get_tooltip_text (button);

  if (text == NULL)
    return;
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, text, -1);
  if (GTK_IS_MENU_BUTTON (button)) /* what takes the focus is the button inside it */
    gtk_accessible_update_property (GTK_ACCESSIBLE (gtk_widget_get_first_child (button)), GTK_ACCESSIBLE_PROPERTY_LABEL, text, -1);
}

static gboolean
shows_only_icon (GtkWidget *widget)
{
  if (GTK_IS_BUTTON (widget))
    return gtk_button_get_icon_name (GTK_BUTTON (widget)) != NULL;
  return GTK_IS_MENU_BUTTON (widget) && gtk_menu_button_get_icon_name (GTK_MENU_BUTTON (widget)) != NULL;
}

void
mien_name_buttons (GtkWidget *root)
{
  if (shows_only_icon (root)) {
    g_signal_connect (root, "notify::tooltip-text", G_CALLBACK (tooltip_changed_cb), NULL);
    tooltip_changed_cb (root);
  }
  for (GtkWidget *child = gtk_widget_get_first_child (root); child != NULL; child = gtk_widget_get_next_sibling (child))
    mien_name_buttons (child);
}
