/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The live view; see the header. */
#include "mien-config.h"

#include "live/mien-live-pane.h"

#include <glib/gi18n.h>

#include "common/mien-face-panel.h"
#include "common/mien-split.h"
#include "live/mien-video-view.h"

#define SPINNER_DELAY_MS 250
#define FACTS_US (G_USEC_PER_SEC / 2)

struct _MienLivePane {
  AdwBin parent_instance;

  /* template children */
  GtkStack *stack;
  GtkSpinner *spinner;
  AdwStatusPage *status;
  GtkButton *status_button, *again;
  GtkToggleButton *freeze;
  GtkOverlay *overlay;
  MienSplit *split;
  MienVideoView *view;
  MienFacePanel *panel;

  /* owned */
  MienCapture *capture;
  char *source_title;

  guint spinner_id;
  gint64 facts_us;
  int frame_width, frame_height;
};

enum { PROP_0, PROP_MIRRORED, PROP_PANEL_SHOWN, N_PROPS };
static GParamSpec *props[N_PROPS];
enum { FACE_CHANGED, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (MienLivePane, mien_live_pane, ADW_TYPE_BIN)

/* What is said in the states that have no picture. Without a description the capture's own sentence stands there. */
static const struct {
  MienCaptureState state;
  const char *icon, *title, *description, *button, *action, *target;
} states[] = {
  { MIEN_CAPTURE_STOPPED, "camera-disabled-symbolic", N_ ("The Camera Is Off"),
    N_ ("Pictures are looked at on this computer only, and none is kept."), N_ ("_Start"), "win.running", NULL },
  { MIEN_CAPTURE_NO_CAMERA, "camera-web-symbolic", N_ ("No Camera Found"),
    N_ ("Connect a camera, or watch an animated face go through the expressions."), N_ ("Use _Demo Camera"), "win.source", "demo" },
  { MIEN_CAPTURE_DENIED, "camera-hardware-disabled-symbolic", N_ ("No Access to the Camera"),
    N_ ("Allow access to the camera in the privacy settings of your system, then try again."), N_ ("_Try Again"), "win.restart", NULL },
  { MIEN_CAPTURE_BUSY, "camera-hardware-disabled-symbolic", N_ ("The Camera Is Busy"),
    N_ ("Another program is using it. Close that program, then try again."), N_ ("_Try Again"), "win.restart", NULL },
  { MIEN_CAPTURE_LOST, "camera-web-symbolic", N_ ("The Camera Is Gone"),
    N_ ("It was unplugged or switched off. Connect it again, then try again."), N_ ("_Try Again"), "win.restart", NULL },
  { MIEN_CAPTURE_MISSING_PLUGIN, "dialog-warning-symbolic", N_ ("A Plug-in Is Missing"), NULL, N_ ("_Try Again"), "win.restart", NULL },
  { MIEN_CAPTURE_FAILED, "dialog-error-symbolic", N_ ("No Picture"), NULL, N_ ("Use _Demo Camera"), "win.source", "demo" },
};

static void
show_facts (MienLivePane *self, const MienResult *result)
{
  g_autoptr (GString) text = g_string_new (self->source_title);
  double rate = 0;
  gint64 now = g_get_monotonic_time ();

  if (now - self->facts_us < FACTS_US)
    return;
  self->facts_us = now;
  g_object_get (self->capture, "frame-rate", &rate, NULL);
  if (rate >= 1) {
    if (text->len > 0)
      g_string_append_c (text, '\n');
    g_string_append_printf (text, ngettext ("%d frame per second", "%d frames per second", (int) (rate + .5)), (int) (rate + .5));
  }
  if (result != NULL) {
    g_string_append_c (text, '\n');
    /* Translators: how often faces are read, and how long finding faces and running the network take. */
    g_string_append_printf (text, _("Read %.0f times a second\nFinding faces %.1f ms · network %.2f ms"), result->fps,
                            result->detect_us / 1000., result->infer_us / 1000.);
  }
  mien_face_panel_set_facts (self->panel, text->str);
}

static void
show_chosen (MienLivePane *self)
{
  mien_face_panel_set_face (self->panel, mien_video_view_get_result (self->view), mien_video_view_get_chosen_index (self->view));
  g_signal_emit (self, signals[FACE_CHANGED], 0);
}

static gboolean
spinner_cb (gpointer user_data)
{
  MienLivePane *self = user_data;

  self->spinner_id = 0;
  gtk_widget_set_visible (GTK_WIDGET (self->spinner), TRUE);
  gtk_spinner_start (self->spinner);
  return G_SOURCE_REMOVE;
}

static void
stop_spinner (MienLivePane *self)
{
  g_clear_handle_id (&self->spinner_id, g_source_remove);
  gtk_spinner_stop (self->spinner);
  gtk_widget_set_visible (GTK_WIDGET (self->spinner), FALSE);
}

/* So that Space freezes and the arrows choose faces, not what stands first in the header bar; unless somebody is walking
 * through the window with the keyboard. */
static void
focus_view (MienLivePane *self)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));

  if (GTK_IS_WINDOW (root) && !gtk_window_get_focus_visible (GTK_WINDOW (root)) && gtk_widget_get_mapped (GTK_WIDGET (self)))
    gtk_widget_grab_focus (GTK_WIDGET (self->view));
}

static void
show_status (MienLivePane *self, MienCaptureState state)
{
  const char *message = mien_capture_get_message (self->capture);

  for (int i = 0; i < G_N_ELEMENTS (states); i++) {
    g_autofree char *escaped = NULL;

    if (states[i].state != state)
      continue;
    escaped = g_markup_escape_text (states[i].description != NULL ? _(states[i].description) : message != NULL ? message : "", -1);
    adw_status_page_set_icon_name (self->status, states[i].icon);
    adw_status_page_set_title (self->status, _(states[i].title));
    adw_status_page_set_description (self->status, escaped);
    gtk_button_set_label (self->status_button, _(states[i].button));
    /* Name and target must fit at every moment. */
    gtk_actionable_set_action_name (GTK_ACTIONABLE (self->status_button), NULL);
    gtk_actionable_set_action_target_value (GTK_ACTIONABLE (self->status_button),
                                            states[i].target != NULL ? g_variant_new_string (states[i].target) : NULL);
    gtk_actionable_set_action_name (GTK_ACTIONABLE (self->status_button), states[i].action);
    gtk_stack_set_visible_child_name (self->stack, "status");
    return;
  }
}

static void
state_changed_cb (MienLivePane *self)
{
  MienCaptureState state = mien_capture_get_state (self->capture);
  gboolean paused = state == MIEN_CAPTURE_PAUSED;

  if (state != MIEN_CAPTURE_STARTING)
    stop_spinner (self);
  gtk_button_set_icon_name (GTK_BUTTON (self->freeze), paused ? "media-playback-start-symbolic" : "media-playback-pause-symbolic");
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->freeze), paused ? _("Continue (Space)") : _("Freeze (Space)"));
  gtk_widget_set_visible (GTK_WIDGET (self->freeze), state != MIEN_CAPTURE_ENDED);
  gtk_widget_set_visible (GTK_WIDGET (self->again), state == MIEN_CAPTURE_ENDED);

  switch (state) {
  case MIEN_CAPTURE_STARTING:
    mien_video_view_set_frame (self->view, NULL);
    show_chosen (self);
    gtk_stack_set_visible_child_name (self->stack, "starting");
    if (self->spinner_id == 0)
      self->spinner_id = g_timeout_add (SPINNER_DELAY_MS, spinner_cb, self);
    break;
  case MIEN_CAPTURE_LIVE:
  case MIEN_CAPTURE_PAUSED:
  case MIEN_CAPTURE_ENDED:
    if (g_strcmp0 (gtk_stack_get_visible_child_name (self->stack), "live") != 0) {
      gtk_stack_set_visible_child_name (self->stack, "live");
      focus_view (self);
    }
    break;
  default:
    mien_video_view_set_frame (self->view, NULL);
    show_chosen (self);
    show_status (self, state);
  }
}

/* The controls lie in the corner of the picture, not of the room around it. */
static gboolean
place_controls_cb (GtkOverlay *overlay, GtkWidget *controls, GdkRectangle *place, MienLivePane *self)
{
  const int gap = 12;
  GdkRectangle area;
  double x = 0, y = 0;

  mien_video_view_get_picture_area (self->view, &area);
  if (area.width == 0 || !gtk_widget_translate_coordinates (GTK_WIDGET (self->view), GTK_WIDGET (overlay), area.x, area.y, &x, &y))
    return FALSE;
  gtk_widget_measure (controls, GTK_ORIENTATION_HORIZONTAL, -1, NULL, &place->width, NULL, NULL);
  gtk_widget_measure (controls, GTK_ORIENTATION_VERTICAL, place->width, NULL, &place->height, NULL, NULL);
  place->x = gtk_widget_get_direction (controls) == GTK_TEXT_DIR_RTL ? (int) x + gap : (int) x + area.width - place->width - gap;
  place->y = (int) y + area.height - place->height - gap;
  return TRUE;
}

static void
frame_cb (MienCapture *capture, MienImage *frame, gint64 time_us, MienLivePane *self)
{
  mien_video_view_set_frame (self->view, frame);
  if (frame->width != self->frame_width || frame->height != self->frame_height) {
    self->frame_width = frame->width;
    self->frame_height = frame->height;
    gtk_widget_queue_resize (GTK_WIDGET (self->overlay));
  }
}

static void
result_cb (MienAnalyzer *analyzer, MienResult *result, MienLivePane *self)
{
  MienCaptureState state = mien_capture_get_state (self->capture);

  /* The last one may arrive after the source is gone. */
  if (state != MIEN_CAPTURE_LIVE && state != MIEN_CAPTURE_PAUSED && state != MIEN_CAPTURE_ENDED)
    return;
  mien_video_view_set_result (self->view, result);
  show_facts (self, result);
  show_chosen (self);
}

static void
mien_live_pane_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  MienLivePane *self = MIEN_LIVE_PANE (object);

  switch (id) {
  case PROP_MIRRORED:
    mien_video_view_set_mirrored (self->view, g_value_get_boolean (value));
    break;
  case PROP_PANEL_SHOWN:
    mien_split_set_panel_shown (self->split, g_value_get_boolean (value));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_live_pane_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  MienLivePane *self = MIEN_LIVE_PANE (object);

  switch (id) {
  case PROP_MIRRORED:
    g_value_set_boolean (value, mien_video_view_get_mirrored (self->view));
    break;
  case PROP_PANEL_SHOWN:
    g_value_set_boolean (value, mien_split_get_panel_shown (self->split));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_live_pane_dispose (GObject *object)
{
  MienLivePane *self = MIEN_LIVE_PANE (object);

  g_clear_handle_id (&self->spinner_id, g_source_remove);
  g_clear_object (&self->capture);
  /* No gtk_widget_dispose_template() here: it would take the stack away before AdwBin, whose child it is. */
  G_OBJECT_CLASS (mien_live_pane_parent_class)->dispose (object);
}

static void
mien_live_pane_finalize (GObject *object)
{
  g_free (MIEN_LIVE_PANE (object)->source_title);
  G_OBJECT_CLASS (mien_live_pane_parent_class)->finalize (object);
}

static void
mien_live_pane_class_init (MienLivePaneClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->set_property = mien_live_pane_set_property;
  object_class->get_property = mien_live_pane_get_property;
  object_class->dispose = mien_live_pane_dispose;
  object_class->finalize = mien_live_pane_finalize;
  props[PROP_MIRRORED] = g_param_spec_boolean ("mirrored", NULL, NULL, FALSE, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  props[PROP_PANEL_SHOWN] = g_param_spec_boolean ("panel-shown", NULL, NULL, TRUE, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, props);
  signals[FACE_CHANGED] = g_signal_new ("face-changed", MIEN_TYPE_LIVE_PANE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);

  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_space, 0, "win.freeze", NULL);
  g_type_ensure (MIEN_TYPE_FACE_PANEL);
  g_type_ensure (MIEN_TYPE_SPLIT);
  g_type_ensure (MIEN_TYPE_VIDEO_VIEW);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/mien/Mien/ui/mien-live-pane.ui");
  gtk_widget_class_bind_template_child (widget_class, MienLivePane, stack);
  gtk_widget_class_bind_template_child (widget_class, MienLivePane, spinner);
  gtk_widget_class_bind_template_child (widget_class, MienLivePane, status);
  gtk_widget_class_bind_template_child (widget_class, MienLivePane, status_button);
  gtk_widget_class_bind_template_child (widget_class, MienLivePane, again);
  gtk_widget_class_bind_template_child (widget_class, MienLivePane, freeze);
  gtk_widget_class_bind_template_child (widget_class, MienLivePane, overlay);
  gtk_widget_class_bind_template_callback (widget_class, place_controls_cb);
  gtk_widget_class_bind_template_child (widget_class, MienLivePane, split);
  gtk_widget_class_bind_template_child (widget_class, MienLivePane, view);
  gtk_widget_class_bind_template_child (widget_class, MienLivePane, panel);
}

static void
mien_live_pane_init (MienLivePane *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  mien_face_panel_set_hint (self->panel, NULL, _("Waiting for a face in the picture"));
  g_signal_connect_object (self->view, "notify::chosen-face", G_CALLBACK (show_chosen), self, G_CONNECT_SWAPPED);
}

GtkWidget *
mien_live_pane_new (void)
{
  return g_object_new (MIEN_TYPE_LIVE_PANE, NULL);
}

void
mien_live_pane_connect (MienLivePane *self, MienCapture *capture, MienAnalyzer *analyzer)
{
  g_return_if_fail (self->capture == NULL);

  self->capture = g_object_ref (capture);
  g_signal_connect_object (capture, "frame", G_CALLBACK (frame_cb), self, 0);
  g_signal_connect_object (capture, "notify::state", G_CALLBACK (state_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (analyzer, "result", G_CALLBACK (result_cb), self, 0);
}

void
mien_live_pane_set_model (MienLivePane *self, MienModel *model)
{
  if (model == NULL) {
    mien_face_panel_set_hint (self->panel, _("No Network"), _("Open or train one by the main menu, and faces will be read."));
    return;
  }
  mien_face_panel_set_hint (self->panel, NULL, _("Waiting for a face in the picture"));
  mien_face_panel_set_model (self->panel, model);
}

void
mien_live_pane_set_source_title (MienLivePane *self, const char *title)
{
  g_free (self->source_title);
  self->source_title = g_strdup (title);
  self->facts_us = 0;
  show_facts (self, NULL);
}

const MienFace *
mien_live_pane_get_face (MienLivePane *self, MienModel **model)
{
  MienResult *result = mien_video_view_get_result (self->view);
  int index = mien_video_view_get_chosen_index (self->view);

  if (index < 0)
    return NULL;
  *model = result->model;
  return &result->faces[index];
}

char *
mien_live_pane_dup_text (MienLivePane *self)
{
  return mien_face_panel_dup_text (self->panel);
}
