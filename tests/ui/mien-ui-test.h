/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What widget tests share: waiting for something to become true, and finding widgets. */
#pragma once

#include <adwaita.h>

/* Defined by the generated mien-ui-resources.c. */
extern GResource *mien_ui_get_resource (void);

/* Tests link only what they use; this uses the templates. */
static inline void
mien_ui_init (int *argc, char ***argv)
{
  gtk_test_init (argc, argv, NULL);
  adw_init ();
  g_assert_nonnull (mien_ui_get_resource ());
}

/* Runs the main loop until condition, at most ten seconds; a test that waits longer has failed. */
#define mien_ui_wait(condition)                                                                \
  G_STMT_START {                                                                               \
    const gint64 end_ = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;                         \
    while (!(condition) && g_get_monotonic_time () < end_) {                                   \
      if (!g_main_context_iteration (NULL, FALSE))                                             \
        g_usleep (1000);                                                                       \
    }                                                                                          \
    g_assert_true (condition);                                                                 \
  } G_STMT_END

/* Everything that is ready now, and whatever that makes ready. */
static inline void
mien_ui_settle (int ms)
{
  const gint64 end = g_get_monotonic_time () + ms * 1000;

  do {
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (1000);
  } while (g_get_monotonic_time () < end);
}

/* The nth widget of a type below root, depth first; NULL when there are fewer. */
static inline GtkWidget *
mien_ui_find_nth (GtkWidget *root, GType type, int *n)
{
  if (G_TYPE_CHECK_INSTANCE_TYPE (root, type) && (*n)-- == 0)
    return root;
  for (GtkWidget *child = gtk_widget_get_first_child (root); child != NULL; child = gtk_widget_get_next_sibling (child)) {
    GtkWidget *found = mien_ui_find_nth (child, type, n);

    if (found != NULL)
      return found;
  }
  return NULL;
}

static inline GtkWidget *
mien_ui_find (GtkWidget *root, GType type)
{
  int n = 0;

  return mien_ui_find_nth (root, type, &n);
}

static inline int
mien_ui_count (GtkWidget *root, GType type)
{
  int n = 0, left;

  for (left = n; mien_ui_find_nth (root, type, &left) != NULL; left = ++n)
    ;
  return n;
}

/* The label on screen whose text matches a pattern with * and ?; mnemonic underscores are no part of the text. */
static inline GtkWidget *
mien_ui_find_text (GtkWidget *root, const char *pattern)
{
  if (GTK_IS_LABEL (root) && gtk_widget_get_mapped (root) && g_pattern_match_simple (pattern, gtk_label_get_text (GTK_LABEL (root))))
    return root;
  for (GtkWidget *child = gtk_widget_get_first_child (root); child != NULL; child = gtk_widget_get_next_sibling (child)) {
    GtkWidget *found = mien_ui_find_text (child, pattern);

    if (found != NULL)
      return found;
  }
  return NULL;
}

/* Presses the button with this text; it must be on screen and sensitive. */
static inline void
mien_ui_press (GtkWidget *root, const char *text)
{
  GtkWidget *label = mien_ui_find_text (root, text);
  GtkWidget *button = label != NULL ? gtk_widget_get_ancestor (label, GTK_TYPE_BUTTON) : NULL;

  g_assert_nonnull (button);
  g_assert_true (gtk_widget_is_sensitive (button));
  g_signal_emit_by_name (button, "clicked");
}
