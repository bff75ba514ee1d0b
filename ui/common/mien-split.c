/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Content with a panel; see the header. */
#include "mien-config.h"

#include "common/mien-split.h"

#define STACK_BELOW 620   /* narrower than this: one over the other */
#define PANEL_WIDTH 312
#define CONTENT_SHARE .52 /* of the height, at most, when stacked */

struct _MienSplit {
  GtkWidget parent_instance;

  GtkWidget *content, *panel;
  gboolean panel_shown;
  gboolean stacked;
};

enum { PROP_0, PROP_CONTENT, PROP_PANEL, PROP_PANEL_SHOWN, N_PROPS };
static GParamSpec *props[N_PROPS];

G_DEFINE_FINAL_TYPE (MienSplit, mien_split, GTK_TYPE_WIDGET)

static gboolean
has_panel (MienSplit *self)
{
  return self->panel != NULL && self->panel_shown;
}

static void
measure_child (GtkWidget *child, GtkOrientation orientation, int *minimum, int *natural)
{
  *minimum = *natural = 0;
  if (child != NULL)
    gtk_widget_measure (child, orientation, -1, minimum, natural, NULL, NULL);
}

static void
mien_split_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *minimum_baseline,
                    int *natural_baseline)
{
  MienSplit *self = MIEN_SPLIT (widget);
  int content_min, content_nat, panel_min, panel_nat;

  measure_child (self->content, orientation, &content_min, &content_nat);
  measure_child (has_panel (self) ? self->panel : NULL, orientation, &panel_min, &panel_nat);
  if (orientation == GTK_ORIENTATION_HORIZONTAL) {
    *minimum = MAX (content_min, panel_min);
    *natural = content_nat + (has_panel (self) ? MAX (PANEL_WIDTH, panel_min) : 0);
  } else if (for_size >= 0 && for_size >= STACK_BELOW) {
    *minimum = MAX (content_min, panel_min);
    *natural = MAX (content_nat, panel_nat);
  } else {
    *minimum = content_min + panel_min;
    *natural = content_nat + panel_nat;
  }
}

static void
mien_split_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  MienSplit *self = MIEN_SPLIT (widget);
  GtkAllocation content = { 0, 0, width, height }, panel = { 0, 0, width, height };
  int content_min, content_nat, panel_min, panel_nat;
  gboolean stacked = width < STACK_BELOW;

  if (has_panel (self)) {
    if (stacked) {
      measure_child (self->panel, GTK_ORIENTATION_VERTICAL, &panel_min, &panel_nat);
      gtk_widget_measure (self->content, GTK_ORIENTATION_VERTICAL, width, &content_min, &content_nat, NULL, NULL);
      /* A picture of 4:3 fills the width; the rest is the panel's, which scrolls. */
      content.height = MIN (height * CONTENT_SHARE, width * 3 / 4 + 24);
      content.height = MAX (content.height, height - panel_nat);
      content.height = CLAMP (content.height, content_min, MAX (content_min, height - panel_min));
      panel.y = content.height;
      panel.height = height - content.height;
    } else {
      measure_child (self->panel, GTK_ORIENTATION_HORIZONTAL, &panel_min, &panel_nat);
      panel.width = MAX (PANEL_WIDTH, panel_min);
      content.width = width - panel.width;
      if (gtk_widget_get_direction (widget) == GTK_TEXT_DIR_RTL)
        content.x = panel.width;
      else
        panel.x = content.width;
    }
    if (stacked != self->stacked) {
      self->stacked = stacked;
      if (stacked)
        gtk_widget_add_css_class (widget, "stacked");
      else
        gtk_widget_remove_css_class (widget, "stacked");
    }
    gtk_widget_size_allocate (self->panel, &panel, -1);
  }
  if (self->content != NULL)
    gtk_widget_size_allocate (self->content, &content, -1);
}

static GtkSizeRequestMode
mien_split_get_request_mode (GtkWidget *widget)
{
  return GTK_SIZE_REQUEST_HEIGHT_FOR_WIDTH;
}

static void
mien_split_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  MienSplit *self = MIEN_SPLIT (object);

  switch (id) {
  case PROP_CONTENT:
    mien_split_set_content (self, g_value_get_object (value));
    break;
  case PROP_PANEL:
    mien_split_set_panel (self, g_value_get_object (value));
    break;
  case PROP_PANEL_SHOWN:
    mien_split_set_panel_shown (self, g_value_get_boolean (value));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_split_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  MienSplit *self = MIEN_SPLIT (object);

  switch (id) {
  case PROP_CONTENT:
    g_value_set_object (value, self->content);
    break;
  case PROP_PANEL:
    g_value_set_object (value, self->panel);
    break;
  case PROP_PANEL_SHOWN:
    g_value_set_boolean (value, self->panel_shown);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_split_dispose (GObject *object)
{
  MienSplit *self = MIEN_SPLIT (object);

  g_clear_pointer (&self->content, gtk_widget_unparent);
  g_clear_pointer (&self->panel, gtk_widget_unparent);
  G_OBJECT_CLASS (mien_split_parent_class)->dispose (object);
}

static void
mien_split_class_init (MienSplitClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->set_property = mien_split_set_property;
  object_class->get_property = mien_split_get_property;
  object_class->dispose = mien_split_dispose;
  widget_class->measure = mien_split_measure;
  widget_class->size_allocate = mien_split_size_allocate;
  widget_class->get_request_mode = mien_split_get_request_mode;

  props[PROP_CONTENT] = g_param_spec_object ("content", NULL, NULL, GTK_TYPE_WIDGET, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  props[PROP_PANEL] = g_param_spec_object ("panel", NULL, NULL, GTK_TYPE_WIDGET, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  props[PROP_PANEL_SHOWN] = g_param_spec_boolean ("panel-shown", NULL, NULL, TRUE,
                                                  G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, props);
  gtk_widget_class_set_css_name (widget_class, "split");
}

static void
mien_split_init (MienSplit *self)
{
  self->panel_shown = TRUE;
}

GtkWidget *
mien_split_new (void)
{
  return g_object_new (MIEN_TYPE_SPLIT, NULL);
}

void
mien_split_set_content (MienSplit *self, GtkWidget *content)
{
  g_clear_pointer (&self->content, gtk_widget_unparent);
  self->content = content;
  if (content != NULL)
    gtk_widget_insert_after (content, GTK_WIDGET (self), NULL); /* first in the order of the Tab key */
}

void
mien_split_set_panel (MienSplit *self, GtkWidget *panel)
{
  g_clear_pointer (&self->panel, gtk_widget_unparent);
  self->panel = panel;
  if (panel != NULL) {
    gtk_widget_set_parent (panel, GTK_WIDGET (self));
    gtk_widget_set_child_visible (panel, self->panel_shown);
  }
}

void
mien_split_set_panel_shown (MienSplit *self, gboolean shown)
{
  shown = !!shown;
  if (self->panel_shown == shown)
    return;
  self->panel_shown = shown;
  if (self->panel != NULL)
    gtk_widget_set_child_visible (self->panel, shown);
  gtk_widget_queue_resize (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_PANEL_SHOWN]);
}

gboolean
mien_split_get_panel_shown (MienSplit *self)
{
  return self->panel_shown;
}
