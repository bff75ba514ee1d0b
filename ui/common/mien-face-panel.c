/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Panel of the chosen face; see the header. */
#include "mien-config.h"

#include "common/mien-face-panel.h"

#include <glib/gi18n.h>

#include "charts/mien-label.h"
#include "charts/mien-probability-bars.h"

struct _MienFacePanel {
  AdwBin parent_instance;

  /* template children */
  GtkDrawingArea *mark;
  GtkLabel *title, *subtitle, *facts;
  MienProbabilityBars *bars;

  char *no_face, *hint;
  const char *label; /* borrowed from model */
  MienModel *model;
  gboolean has_face;
};

G_DEFINE_FINAL_TYPE (MienFacePanel, mien_face_panel, ADW_TYPE_BIN)

static void
draw_mark_cb (GtkDrawingArea *area, cairo_t *cr, int width, int height, gpointer user_data)
{
  MienFacePanel *self = user_data;
  GdkRGBA color;

  if (self->label != NULL) {
    mien_label_get_color (self->label, adw_style_manager_get_dark (adw_style_manager_get_default ()), &color);
  } else {
    gtk_style_context_get_color (gtk_widget_get_style_context (GTK_WIDGET (area)), &color);
    color.alpha *= .3;
  }
  gdk_cairo_set_source_rgba (cr, &color);
  mien_label_draw_mark (self->label, cr, MIN (width, height));
}

static void
set_text (GtkLabel *label, const char *text)
{
  if (g_strcmp0 (gtk_label_get_label (label), text) != 0)
    gtk_label_set_label (label, text);
}

static void
show_no_face (MienFacePanel *self)
{
  self->has_face = FALSE;
  self->label = NULL;
  set_text (self->title, self->no_face != NULL ? self->no_face : _("No Face"));
  set_text (self->subtitle, self->hint != NULL ? self->hint : "");
  mien_probability_bars_set_values (self->bars, NULL);
  gtk_widget_queue_draw (GTK_WIDGET (self->mark));
}

static void
mien_face_panel_dispose (GObject *object)
{
  MienFacePanel *self = MIEN_FACE_PANEL (object);

  g_clear_pointer (&self->model, mien_model_unref);
  gtk_widget_dispose_template (GTK_WIDGET (self), MIEN_TYPE_FACE_PANEL);
  G_OBJECT_CLASS (mien_face_panel_parent_class)->dispose (object);
}

static void
mien_face_panel_finalize (GObject *object)
{
  g_free (MIEN_FACE_PANEL (object)->no_face);
  g_free (MIEN_FACE_PANEL (object)->hint);
  G_OBJECT_CLASS (mien_face_panel_parent_class)->finalize (object);
}

static void
mien_face_panel_class_init (MienFacePanelClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = mien_face_panel_dispose;
  G_OBJECT_CLASS (klass)->finalize = mien_face_panel_finalize;
  g_type_ensure (MIEN_TYPE_PROBABILITY_BARS);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/mien/Mien/ui/mien-face-panel.ui");
  gtk_widget_class_bind_template_child (widget_class, MienFacePanel, mark);
  gtk_widget_class_bind_template_child (widget_class, MienFacePanel, title);
  gtk_widget_class_bind_template_child (widget_class, MienFacePanel, subtitle);
  gtk_widget_class_bind_template_child (widget_class, MienFacePanel, facts);
  gtk_widget_class_bind_template_child (widget_class, MienFacePanel, bars);
}

static void
mien_face_panel_init (MienFacePanel *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  gtk_drawing_area_set_draw_func (self->mark, draw_mark_cb, self, NULL);
  g_signal_connect_object (adw_style_manager_get_default (), "notify::dark", G_CALLBACK (gtk_widget_queue_draw), self->mark,
                           G_CONNECT_SWAPPED);
  mien_face_panel_set_facts (self, NULL);
  show_no_face (self);
}

GtkWidget *
mien_face_panel_new (void)
{
  return g_object_new (MIEN_TYPE_FACE_PANEL, NULL);
}

void
mien_face_panel_set_model (MienFacePanel *self, MienModel *model)
{
  const char *labels[MIEN_MODEL_MAX_LABELS];
  int n;

  if (model == NULL || model == self->model)
    return;
  n = mien_model_get_n_labels (model);
  for (int i = 0; i < n; i++)
    labels[i] = mien_model_get_label (model, i);
  self->label = NULL;
  g_clear_pointer (&self->model, mien_model_unref);
  self->model = mien_model_ref (model);
  mien_probability_bars_set_labels (self->bars, labels, n);
  show_no_face (self);
}

void
mien_face_panel_set_face (MienFacePanel *self, MienResult *result, int index)
{
  const MienFace *face;
  const char *label;
  g_autofree char *subtitle = NULL, *percent = NULL;

  if (result != NULL)
    mien_face_panel_set_model (self, result->model);
  if (result == NULL || index < 0 || index >= result->n_faces) {
    if (self->has_face || result == NULL)
      show_no_face (self);
    return;
  }
  face = &result->faces[index];
  label = mien_model_get_label (result->model, face->label);
  if (self->label != label) {
    self->label = label;
    gtk_widget_queue_draw (GTK_WIDGET (self->mark));
  }
  self->has_face = TRUE;
  set_text (self->title, mien_label_display (label));
  percent = mien_label_format_percent (face->confidence);
  if (result->n_faces > 1)
    /* Translators: "Face 2 of 3, 93 % sure" */
    subtitle = g_strdup_printf (_("Face %d of %d, %s sure"), index + 1, result->n_faces, percent);
  else
    /* Translators: "93 % sure" */
    subtitle = g_strdup_printf (_("%s sure"), percent);
  set_text (self->subtitle, subtitle);
  mien_probability_bars_set_values (self->bars, face->probabilities);
}

void
mien_face_panel_set_hint (MienFacePanel *self, const char *title, const char *hint)
{
  g_free (self->no_face);
  self->no_face = g_strdup (title);
  g_free (self->hint);
  self->hint = g_strdup (hint);
  if (!self->has_face)
    show_no_face (self);
}

void
mien_face_panel_set_facts (MienFacePanel *self, const char *facts)
{
  set_text (self->facts, facts != NULL ? facts : "");
  gtk_widget_set_visible (GTK_WIDGET (self->facts), facts != NULL && facts[0] != '\0');
}

char *
mien_face_panel_dup_text (MienFacePanel *self)
{
  return mien_probability_bars_dup_text (self->bars);
}
