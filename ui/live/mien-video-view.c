/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Picture with marked faces; see the header. */
#include "mien-config.h"

#include "live/mien-video-view.h"

#include <glib/gi18n.h>

#include "live/mien-face-mark.h"
#include "live/mien-view-map.h"

#define CORNER 12
#define MISSING_US (600 * 1000) /* a chosen face may be missed by the detector that long before another is chosen */

struct _MienVideoView {
  GtkWidget parent_instance;

  /* owned */
  GdkTexture *texture;
  MienResult *result;
  GPtrArray *marks; /* MienFaceMark, one a face of result; children, so not referenced here */

  int image_width, image_height;
  gboolean mirrored;
  int chosen;      /* track; 0: none */
  gint64 seen_us;  /* when the chosen face was last there */
  gboolean drawn;  /* a picture was on screen already */
};

enum { PROP_0, PROP_MIRRORED, PROP_CHOSEN_FACE, N_PROPS };
static GParamSpec *props[N_PROPS];

G_DEFINE_FINAL_TYPE (MienVideoView, mien_video_view, GTK_TYPE_WIDGET)

static void
make_map (MienVideoView *self, MienViewMap *map)
{
  mien_view_map_init (map, self->image_width, self->image_height, gtk_widget_get_width (GTK_WIDGET (self)),
                      gtk_widget_get_height (GTK_WIDGET (self)), self->mirrored);
}

static void
place_marks (MienVideoView *self)
{
  MienViewMap map;
  graphene_rect_t limits, rect;

  make_map (self, &map);
  graphene_rect_init (&limits, map.x, map.y, map.width, map.height);
  for (guint i = 0; i < self->marks->len; i++) {
    MienBox box = self->result->faces[i].box;
    const double x_scale = (double) self->image_width / MAX (1, self->result->width);
    const double y_scale = (double) self->image_height / MAX (1, self->result->height);

    box.x *= x_scale;
    box.width *= x_scale;
    box.y *= y_scale;
    box.height *= y_scale;
    mien_view_map_box (&map, &box, &rect);
    mien_face_mark_place (g_ptr_array_index (self->marks, i), &rect, &limits);
  }
}

static void
update_marks (MienVideoView *self)
{
  guint n = self->result != NULL ? self->result->n_faces : 0;

  while (self->marks->len > n) {
    gtk_widget_unparent (g_ptr_array_index (self->marks, self->marks->len - 1));
    g_ptr_array_set_size (self->marks, self->marks->len - 1);
  }
  while (self->marks->len < n) {
    GtkWidget *mark = mien_face_mark_new ();

    gtk_widget_set_parent (mark, GTK_WIDGET (self));
    g_ptr_array_add (self->marks, mark);
  }
  for (guint i = 0; i < n; i++) {
    const MienFace *face = &self->result->faces[i];

    mien_face_mark_update (g_ptr_array_index (self->marks, i), i + 1, mien_model_get_label (self->result->model, face->label),
                           face->confidence, face->track == self->chosen);
  }
  gtk_widget_queue_allocate (GTK_WIDGET (self));
}

static int
find_largest (const MienResult *result)
{
  int best = -1;

  for (int i = 0; i < result->n_faces; i++) {
    const MienBox *box = &result->faces[i].box;

    if (best < 0 || box->width * box->height > result->faces[best].box.width * result->faces[best].box.height)
      best = i;
  }
  return best;
}

/* Keeps the chosen face while it is there or only just gone. */
static void
follow_chosen (MienVideoView *self)
{
  gint64 now = g_get_monotonic_time ();
  int largest, chosen = self->chosen;

  if (self->result == NULL) {
    chosen = 0;
  } else if (mien_video_view_get_chosen_index (self) >= 0) {
    self->seen_us = now;
  } else if (chosen == 0 || now - self->seen_us > MISSING_US) {
    largest = find_largest (self->result);
    chosen = largest >= 0 ? self->result->faces[largest].track : 0;
    self->seen_us = now;
  }
  if (chosen != self->chosen) {
    self->chosen = chosen;
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_CHOSEN_FACE]);
  }
}

static void
pressed_cb (GtkGestureClick *gesture, int n_press, double x, double y, MienVideoView *self)
{
  MienViewMap map;
  double image_x, image_y;
  int face;

  gtk_widget_grab_focus (GTK_WIDGET (self));
  make_map (self, &map);
  if (self->result == NULL || !mien_view_map_point (&map, x, y, &image_x, &image_y))
    return;
  face = mien_result_face_at (self->result, image_x * self->result->width / self->image_width,
                              image_y * self->result->height / self->image_height);
  if (face >= 0)
    mien_video_view_set_chosen_face (self, self->result->faces[face].track);
}

static gboolean
key_pressed_cb (GtkEventControllerKey *controller, guint keyval, guint keycode, GdkModifierType state, MienVideoView *self)
{
  if ((state & gtk_accelerator_get_default_mod_mask ()) != 0)
    return GDK_EVENT_PROPAGATE;
  switch (keyval) {
  case GDK_KEY_Left:
  case GDK_KEY_KP_Left:
  case GDK_KEY_Up:
    return mien_video_view_step_face (self, -1);
  case GDK_KEY_Right:
  case GDK_KEY_KP_Right:
  case GDK_KEY_Down:
    return mien_video_view_step_face (self, 1);
  default:
    return GDK_EVENT_PROPAGATE;
  }
}

/* For measuring how long the program takes to start: G_MESSAGES_DEBUG=mien. */
static void
first_painted_cb (GdkFrameClock *clock, gpointer user_data)
{
  g_debug ("first picture on screen at %" G_GINT64_FORMAT " us", g_get_monotonic_time ());
  g_signal_handlers_disconnect_by_func (clock, first_painted_cb, user_data);
}

/* Round the picture, not round the room that it leaves in the widget. */
static void
append_focus_ring (GtkWidget *widget, GtkSnapshot *snapshot, const GskRoundedRect *picture)
{
  const float widths[] = { 2, 2, 2, 2 };
  GskRoundedRect ring = *picture;
  GdkRGBA color;

  if (!gtk_style_context_lookup_color (gtk_widget_get_style_context (widget), "accent_color", &color))
    gtk_style_context_get_color (gtk_widget_get_style_context (widget), &color);
  gsk_rounded_rect_shrink (&ring, -4, -4, -4, -4);
  gtk_snapshot_append_border (snapshot, &ring, widths, (const GdkRGBA[]) { color, color, color, color });
}

static void
mien_video_view_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  MienVideoView *self = MIEN_VIDEO_VIEW (widget);
  MienViewMap map;
  GskRoundedRect clip;
  graphene_rect_t rect;

  make_map (self, &map);
  if (self->texture == NULL || map.scale <= 0)
    return;

  if (!self->drawn && gtk_widget_get_frame_clock (widget) != NULL) {
    self->drawn = TRUE;
    g_signal_connect (gtk_widget_get_frame_clock (widget), "after-paint", G_CALLBACK (first_painted_cb), NULL);
  }
  graphene_rect_init (&rect, map.x, map.y, map.width, map.height);
  gsk_rounded_rect_init_from_rect (&clip, &rect, CORNER);
  gtk_snapshot_push_rounded_clip (snapshot, &clip);
  if (self->mirrored) {
    gtk_snapshot_save (snapshot);
    gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT (2 * map.x + map.width, 0));
    gtk_snapshot_scale (snapshot, -1, 1);
    gtk_snapshot_append_texture (snapshot, self->texture, &rect);
    gtk_snapshot_restore (snapshot);
  } else {
    gtk_snapshot_append_texture (snapshot, self->texture, &rect);
  }
  gtk_snapshot_pop (snapshot);
  if (gtk_widget_has_visible_focus (widget))
    append_focus_ring (widget, snapshot, &clip);

  for (guint i = 0; i < self->marks->len; i++)
    gtk_widget_snapshot_child (widget, g_ptr_array_index (self->marks, i), snapshot);
  /* Where faces are close, no frame crosses a name, and the chosen face's is on top. */
  for (int chosen = FALSE; chosen <= TRUE; chosen++) {
    for (guint i = 0; i < self->marks->len; i++) {
      MienFaceMark *mark = g_ptr_array_index (self->marks, i);
      GskRenderNode *plate = mien_face_mark_is_chosen (mark) == chosen ? mien_face_mark_get_plate (mark) : NULL;

      if (plate != NULL)
        gtk_snapshot_append_node (snapshot, plate);
    }
  }
}

static void
mien_video_view_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *minimum_baseline,
                         int *natural_baseline)
{
  *minimum = orientation == GTK_ORIENTATION_HORIZONTAL ? 160 : 120;
  *natural = orientation == GTK_ORIENTATION_HORIZONTAL ? 640 : 480;
}

static void
mien_video_view_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  place_marks (MIEN_VIDEO_VIEW (widget));
}

static void
mien_video_view_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  MienVideoView *self = MIEN_VIDEO_VIEW (object);

  switch (id) {
  case PROP_MIRRORED:
    mien_video_view_set_mirrored (self, g_value_get_boolean (value));
    break;
  case PROP_CHOSEN_FACE:
    mien_video_view_set_chosen_face (self, g_value_get_int (value));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_video_view_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  MienVideoView *self = MIEN_VIDEO_VIEW (object);

  switch (id) {
  case PROP_MIRRORED:
    g_value_set_boolean (value, self->mirrored);
    break;
  case PROP_CHOSEN_FACE:
    g_value_set_int (value, self->chosen);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  }
}

static void
mien_video_view_dispose (GObject *object)
{
  MienVideoView *self = MIEN_VIDEO_VIEW (object);

  g_clear_object (&self->texture);
  g_clear_pointer (&self->result, mien_result_unref);
  if (self->marks != NULL)
    update_marks (self);
  G_OBJECT_CLASS (mien_video_view_parent_class)->dispose (object);
}

static void
mien_video_view_finalize (GObject *object)
{
  g_ptr_array_unref (MIEN_VIDEO_VIEW (object)->marks);
  G_OBJECT_CLASS (mien_video_view_parent_class)->finalize (object);
}

static void
mien_video_view_class_init (MienVideoViewClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->set_property = mien_video_view_set_property;
  object_class->get_property = mien_video_view_get_property;
  object_class->dispose = mien_video_view_dispose;
  object_class->finalize = mien_video_view_finalize;
  widget_class->snapshot = mien_video_view_snapshot;
  widget_class->measure = mien_video_view_measure;
  widget_class->size_allocate = mien_video_view_size_allocate;

  props[PROP_MIRRORED] = g_param_spec_boolean ("mirrored", NULL, NULL, FALSE,
                                               G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);
  props[PROP_CHOSEN_FACE] = g_param_spec_int ("chosen-face", NULL, NULL, 0, G_MAXINT, 0,
                                              G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, props);
  gtk_widget_class_set_css_name (widget_class, "videoview");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_GROUP);
}

static void
mien_video_view_init (MienVideoView *self)
{
  GtkGesture *click = gtk_gesture_click_new ();
  GtkEventController *keys = gtk_event_controller_key_new ();

  self->marks = g_ptr_array_new ();
  g_signal_connect (click, "pressed", G_CALLBACK (pressed_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (click));
  g_signal_connect (keys, "key-pressed", G_CALLBACK (key_pressed_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (self), keys);
  gtk_widget_set_focusable (GTK_WIDGET (self), TRUE);
  g_signal_connect (self, "state-flags-changed", G_CALLBACK (gtk_widget_queue_draw), NULL); /* the focus ring */
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Picture"), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                  _("Faces found in the picture. The arrow keys choose one."), -1);
}

GtkWidget *
mien_video_view_new (void)
{
  return g_object_new (MIEN_TYPE_VIDEO_VIEW, NULL);
}

void
mien_video_view_set_frame (MienVideoView *self, MienImage *frame)
{
  g_autoptr (GBytes) bytes = NULL;

  g_clear_object (&self->texture);
  if (frame == NULL) {
    mien_video_view_set_result (self, NULL);
    self->image_width = self->image_height = 0;
    gtk_widget_queue_draw (GTK_WIDGET (self));
    return;
  }
  /* The last row may end before the stride does. */
  bytes = g_bytes_new_with_free_func (frame->pixels, (gsize) frame->stride_bytes * (frame->height - 1) + (gsize) frame->width * 4,
                                      (GDestroyNotify) mien_image_unref, mien_image_ref (frame));
  self->texture = gdk_memory_texture_new (frame->width, frame->height, GDK_MEMORY_B8G8R8A8_PREMULTIPLIED, bytes, frame->stride_bytes);
  if (frame->width != self->image_width || frame->height != self->image_height) {
    self->image_width = frame->width;
    self->image_height = frame->height;
    gtk_widget_queue_allocate (GTK_WIDGET (self));
  }
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

void
mien_video_view_set_result (MienVideoView *self, MienResult *result)
{
  if (self->result == result)
    return;
  if (result != NULL)
    mien_result_ref (result);
  g_clear_pointer (&self->result, mien_result_unref);
  self->result = result;
  follow_chosen (self);
  update_marks (self);
}

MienResult *
mien_video_view_get_result (MienVideoView *self)
{
  return self->result;
}

void
mien_video_view_set_mirrored (MienVideoView *self, gboolean mirrored)
{
  mirrored = !!mirrored;
  if (self->mirrored == mirrored)
    return;
  self->mirrored = mirrored;
  gtk_widget_queue_allocate (GTK_WIDGET (self));
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_MIRRORED]);
}

gboolean
mien_video_view_get_mirrored (MienVideoView *self)
{
  return self->mirrored;
}

void
mien_video_view_set_chosen_face (MienVideoView *self, int track)
{
  if (self->chosen == track)
    return;
  self->chosen = track;
  self->seen_us = g_get_monotonic_time ();
  update_marks (self);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_CHOSEN_FACE]);
}

int
mien_video_view_get_chosen_face (MienVideoView *self)
{
  return self->chosen;
}

int
mien_video_view_get_chosen_index (MienVideoView *self)
{
  return self->result != NULL && self->chosen != 0 ? mien_result_find_track (self->result, self->chosen) : -1;
}

void
mien_video_view_get_picture_area (MienVideoView *self, GdkRectangle *area)
{
  MienViewMap map;

  make_map (self, &map);
  *area = (GdkRectangle) { (int) map.x, (int) map.y, (int) map.width, (int) map.height };
}

gboolean
mien_video_view_step_face (MienVideoView *self, int step)
{
  int n = self->result != NULL ? self->result->n_faces : 0;
  int index = mien_video_view_get_chosen_index (self);

  if (n == 0 || (n == 1 && index == 0))
    return FALSE;
  if (self->mirrored)
    step = -step; /* faces stand from left to right in the picture */
  index = index < 0 ? 0 : (index + step + n) % n;
  mien_video_view_set_chosen_face (self, self->result->faces[index].track);
  return TRUE;
}
