/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All rows of the probabilities; see the header. */
#include "mien-config.h"

#include "charts/mien-probability-bars.h"

#include <adwaita.h>
#include <glib/gi18n.h>
#include <math.h>

#include "charts/mien-label.h"
#include "charts/mien-probability-bar.h"

#define GLIDE_US 90000. /* time constant */

struct _MienProbabilityBars {
  GtkWidget parent_instance;

  GPtrArray *rows; /* MienProbabilityBar, children */
  GtkSizeGroup *names, *numbers;
  guint tick_id;
  gint64 last_us;
};

G_DEFINE_FINAL_TYPE (MienProbabilityBars, mien_probability_bars, GTK_TYPE_WIDGET)

static gboolean
step_rows (MienProbabilityBars *self, double share)
{
  gboolean arrived = TRUE;

  for (guint i = 0; i < self->rows->len; i++)
    arrived &= mien_probability_bar_step (g_ptr_array_index (self->rows, i), share);
  return arrived;
}

static gboolean
tick_cb (GtkWidget *widget, GdkFrameClock *clock, gpointer user_data)
{
  MienProbabilityBars *self = MIEN_PROBABILITY_BARS (widget);
  gint64 now = gdk_frame_clock_get_frame_time (clock);
  gint64 passed = self->last_us == 0 ? 16667 : now - self->last_us;

  self->last_us = now;
  passed = MAX (passed, 1000); /* the clock foretells times and may step back a little */
  if (!step_rows (self, 1 - exp (-passed / GLIDE_US)))
    return G_SOURCE_CONTINUE;
  self->tick_id = 0;
  return G_SOURCE_REMOVE;
}

static void
remove_rows (MienProbabilityBars *self)
{
  for (guint i = 0; i < self->rows->len; i++)
    gtk_widget_unparent (g_ptr_array_index (self->rows, i));
  g_ptr_array_set_size (self->rows, 0);
}

/* What comes on screen stands where it belongs; only what is seen glides. */
static void
mien_probability_bars_map (GtkWidget *widget)
{
  step_rows (MIEN_PROBABILITY_BARS (widget), 1);
  GTK_WIDGET_CLASS (mien_probability_bars_parent_class)->map (widget);
}

static void
mien_probability_bars_unmap (GtkWidget *widget)
{
  MienProbabilityBars *self = MIEN_PROBABILITY_BARS (widget);

  if (self->tick_id != 0)
    gtk_widget_remove_tick_callback (widget, self->tick_id);
  self->tick_id = 0;
  GTK_WIDGET_CLASS (mien_probability_bars_parent_class)->unmap (widget);
}

static void
mien_probability_bars_dispose (GObject *object)
{
  MienProbabilityBars *self = MIEN_PROBABILITY_BARS (object);

  if (self->tick_id != 0)
    gtk_widget_remove_tick_callback (GTK_WIDGET (self), self->tick_id);
  self->tick_id = 0;
  remove_rows (self);
  g_clear_object (&self->names);
  g_clear_object (&self->numbers);
  G_OBJECT_CLASS (mien_probability_bars_parent_class)->dispose (object);
}

static void
mien_probability_bars_finalize (GObject *object)
{
  g_ptr_array_unref (MIEN_PROBABILITY_BARS (object)->rows);
  G_OBJECT_CLASS (mien_probability_bars_parent_class)->finalize (object);
}

static void
mien_probability_bars_class_init (MienProbabilityBarsClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = mien_probability_bars_dispose;
  G_OBJECT_CLASS (klass)->finalize = mien_probability_bars_finalize;
  widget_class->map = mien_probability_bars_map;
  widget_class->unmap = mien_probability_bars_unmap;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BOX_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "probabilitybars");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_GROUP);
}

static void
mien_probability_bars_init (MienProbabilityBars *self)
{
  GtkLayoutManager *layout = gtk_widget_get_layout_manager (GTK_WIDGET (self));

  self->rows = g_ptr_array_new ();
  self->names = gtk_size_group_new (GTK_SIZE_GROUP_HORIZONTAL);
  self->numbers = gtk_size_group_new (GTK_SIZE_GROUP_HORIZONTAL);
  gtk_orientable_set_orientation (GTK_ORIENTABLE (layout), GTK_ORIENTATION_VERTICAL);
  gtk_box_layout_set_spacing (GTK_BOX_LAYOUT (layout), 10);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Probabilities"), -1);
}

GtkWidget *
mien_probability_bars_new (void)
{
  return g_object_new (MIEN_TYPE_PROBABILITY_BARS, NULL);
}

void
mien_probability_bars_set_labels (MienProbabilityBars *self, const char *const *labels, int n_labels)
{
  gboolean same = self->rows->len == n_labels;

  for (int i = 0; same && i < n_labels; i++)
    same = g_str_equal (labels[i], mien_probability_bar_get_label (g_ptr_array_index (self->rows, i)));
  if (same)
    return;
  remove_rows (self);
  for (int i = 0; i < n_labels; i++) {
    GtkWidget *row = mien_probability_bar_new (labels[i], self->names, self->numbers);

    gtk_widget_set_parent (row, GTK_WIDGET (self));
    g_ptr_array_add (self->rows, row);
  }
}

void
mien_probability_bars_set_values (MienProbabilityBars *self, const float *values)
{
  int top = 0;

  for (int i = 1; values != NULL && i < self->rows->len; i++) {
    if (values[i] > values[top])
      top = i;
  }
  for (int i = 0; i < self->rows->len; i++)
    mien_probability_bar_set_value (g_ptr_array_index (self->rows, i), values != NULL ? values[i] : -1, values != NULL && i == top);

  if (!gtk_widget_get_mapped (GTK_WIDGET (self)) || !adw_get_enable_animations (GTK_WIDGET (self))) {
    step_rows (self, 1);
  } else if (self->tick_id == 0) {
    self->last_us = 0;
    self->tick_id = gtk_widget_add_tick_callback (GTK_WIDGET (self), tick_cb, NULL, NULL);
  }
}

int
mien_probability_bars_get_n_labels (MienProbabilityBars *self)
{
  return self->rows->len;
}

char *
mien_probability_bars_dup_text (MienProbabilityBars *self)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < self->rows->len; i++) {
    MienProbabilityBar *row = g_ptr_array_index (self->rows, i);
    char number[G_ASCII_DTOSTR_BUF_SIZE];

    if (mien_probability_bar_get_value (row) < 0)
      return NULL;
    g_ascii_formatd (number, sizeof number, "%.4f", mien_probability_bar_get_value (row));
    g_string_append_printf (text, "%s\t%s\n", mien_label_display (mien_probability_bar_get_label (row)), number);
  }
  return self->rows->len > 0 ? g_string_free (g_steal_pointer (&text), FALSE) : NULL;
}
