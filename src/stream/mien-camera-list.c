/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cameras of this computer. The first look round (it may start GStreamer, and asks PipeWire and udev) happens on a
 * thread of its own; after that, messages of the monitor keep the list up to date. */
#include "mien-config.h"

#include "stream/mien-camera-list.h"
#include "stream/mien-camera-private.h"

struct _MienCamera {
  GObject parent_instance;
  char *name;
  char *source;
  GstDevice *device;
};

G_DEFINE_FINAL_TYPE (MienCamera, mien_camera, G_TYPE_OBJECT)

enum { CAMERA_PROP_0, CAMERA_PROP_NAME, CAMERA_PROP_SOURCE, N_CAMERA_PROPERTIES };
static GParamSpec *camera_properties[N_CAMERA_PROPERTIES];

static void
mien_camera_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  MienCamera *self = MIEN_CAMERA (object);

  if (id == CAMERA_PROP_NAME)
    g_value_set_string (value, self->name);
  else
    g_value_set_string (value, self->source);
}

static void
mien_camera_finalize (GObject *object)
{
  MienCamera *self = MIEN_CAMERA (object);

  g_free (self->name);
  g_free (self->source);
  gst_clear_object (&self->device);
  G_OBJECT_CLASS (mien_camera_parent_class)->finalize (object);
}

static void
mien_camera_class_init (MienCameraClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->get_property = mien_camera_get_property;
  object_class->finalize = mien_camera_finalize;
  camera_properties[CAMERA_PROP_NAME] = g_param_spec_string ("name", NULL, NULL, NULL, flags);
  camera_properties[CAMERA_PROP_SOURCE] = g_param_spec_string ("source", NULL, NULL, NULL, flags);
  g_object_class_install_properties (object_class, N_CAMERA_PROPERTIES, camera_properties);
}

static void
mien_camera_init (MienCamera *self)
{
}

const char *
mien_camera_get_name (MienCamera *self)
{
  return self->name;
}

const char *
mien_camera_get_source (MienCamera *self)
{
  return self->source;
}

static MienCamera *
make_camera (GstDevice *device, const char *name)
{
  MienCamera *self = g_object_new (MIEN_TYPE_CAMERA, NULL);

  self->name = g_strdup (name);
  self->source = g_strconcat ("camera:", name, NULL);
  self->device = gst_object_ref (device);
  return self;
}

GstDeviceMonitor *
mien_camera_monitor_new (void)
{
  GstDeviceMonitor *monitor = gst_object_ref_sink (gst_device_monitor_new ());

  gst_device_monitor_add_filter (monitor, "Video/Source", NULL);
  return monitor;
}

GPtrArray *
mien_camera_make_names (GList *devices)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);

  for (GList *l = devices; l != NULL; l = l->next) {
    g_autofree char *name = gst_device_get_display_name (l->data);
    g_autofree char *unique = g_strdup (name);

    for (int n = 2; g_ptr_array_find_with_equal_func (names, unique, g_str_equal, NULL); n++) {
      g_free (unique);
      unique = g_strdup_printf ("%s (%d)", name, n);
    }
    g_ptr_array_add (names, g_steal_pointer (&unique));
  }
  return names;
}

GstDevice *
mien_camera_find (const char *name, char **found_name)
{
  GstDeviceMonitor *monitor = mien_camera_monitor_new ();
  GList *devices = gst_device_monitor_get_devices (monitor);
  g_autoptr (GPtrArray) names = mien_camera_make_names (devices);
  GstDevice *found = NULL;
  guint i = 0;

  for (GList *l = devices; l != NULL && found == NULL; l = l->next, i++) {
    if (name == NULL || g_str_equal (name, names->pdata[i])) {
      found = gst_object_ref (l->data);
      *found_name = g_strdup (names->pdata[i]);
    }
  }
  g_list_free_full (devices, gst_object_unref);
  gst_object_unref (monitor);
  return found;
}

struct _MienCameraList {
  GObject parent_instance;

  GListStore *cameras;
  GstDeviceMonitor *monitor; /* (nullable) until the first look round is over */
  GSource *watch;
  GCancellable *cancellable;
  gboolean ready;
};

static void mien_camera_list_model_init (GListModelInterface *iface);
G_DEFINE_FINAL_TYPE_WITH_CODE (MienCameraList, mien_camera_list, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, mien_camera_list_model_init))

static guint ready_signal;

static GType
mien_camera_list_get_item_type (GListModel *model)
{
  return MIEN_TYPE_CAMERA;
}

static guint
mien_camera_list_get_n_items (GListModel *model)
{
  return g_list_model_get_n_items (G_LIST_MODEL (MIEN_CAMERA_LIST (model)->cameras));
}

static gpointer
mien_camera_list_get_item (GListModel *model, guint position)
{
  return g_list_model_get_item (G_LIST_MODEL (MIEN_CAMERA_LIST (model)->cameras), position);
}

static void
mien_camera_list_model_init (GListModelInterface *iface)
{
  iface->get_item_type = mien_camera_list_get_item_type;
  iface->get_n_items = mien_camera_list_get_n_items;
  iface->get_item = mien_camera_list_get_item;
}

static void
items_changed_cb (GListModel *cameras, guint position, guint removed, guint added, MienCameraList *self)
{
  g_list_model_items_changed (G_LIST_MODEL (self), position, removed, added);
}

/* Changes no more than has changed, so that a selection in the window survives. */
static void
update (MienCameraList *self)
{
  GListModel *cameras = G_LIST_MODEL (self->cameras);
  GList *devices = gst_device_monitor_get_devices (self->monitor);
  g_autoptr (GPtrArray) names = mien_camera_make_names (devices);
  guint i = 0;

  for (guint k = g_list_model_get_n_items (cameras); k-- > 0;) {
    g_autoptr (MienCamera) known = g_list_model_get_item (cameras, k);
    const int at = g_list_index (devices, known->device);

    if (at < 0 || !g_str_equal (known->name, names->pdata[at]))
      g_list_store_remove (self->cameras, k);
  }
  for (GList *l = devices; l != NULL; l = l->next, i++) {
    g_autoptr (MienCamera) known = g_list_model_get_item (cameras, i), camera = NULL;

    if (known != NULL && known->device == l->data)
      continue;
    camera = make_camera (l->data, names->pdata[i]);
    g_list_store_insert (self->cameras, i, camera);
  }
  while (g_list_model_get_n_items (cameras) > i) /* those that have moved forward */
    g_list_store_remove (self->cameras, i);
  g_list_free_full (devices, gst_object_unref);
}

static gboolean
monitor_message_cb (GstBus *bus, GstMessage *message, gpointer user_data)
{
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_DEVICE_ADDED || GST_MESSAGE_TYPE (message) == GST_MESSAGE_DEVICE_REMOVED
      || GST_MESSAGE_TYPE (message) == GST_MESSAGE_DEVICE_CHANGED)
    update (user_data);
  return G_SOURCE_CONTINUE;
}

static void
stop_monitor (gpointer monitor)
{
  gst_device_monitor_stop (monitor);
  gst_object_unref (monitor);
}

static void
start_thread (GTask *task, gpointer source_object, gpointer task_data, GCancellable *cancellable)
{
  GError *error = NULL;
  GstDeviceMonitor *monitor;

  if (!gst_init_check (NULL, NULL, &error)) {
    g_task_return_error (task, error);
    return;
  }
  monitor = mien_camera_monitor_new ();
  if (gst_device_monitor_start (monitor)) {
    g_task_return_pointer (task, monitor, stop_monitor);
  } else { /* nobody on this computer knows about cameras: as good as none */
    gst_object_unref (monitor);
    g_task_return_pointer (task, NULL, NULL);
  }
}

static void
started_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  GstDeviceMonitor *monitor = g_task_propagate_pointer (G_TASK (result), &error);
  MienCameraList *self = user_data;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* self is gone */
  if (monitor != NULL) {
    g_autoptr (GstBus) bus = gst_device_monitor_get_bus (monitor);

    self->monitor = monitor;
    self->watch = gst_bus_create_watch (bus);
    g_source_set_callback (self->watch, G_SOURCE_FUNC (monitor_message_cb), self, NULL);
    g_source_attach (self->watch, g_main_context_get_thread_default ());
    update (self);
  } else if (error != NULL) {
    g_message ("cameras: %s", error->message);
  }
  self->ready = TRUE;
  g_signal_emit (self, ready_signal, 0);
}

static void
mien_camera_list_dispose (GObject *object)
{
  MienCameraList *self = MIEN_CAMERA_LIST (object);

  g_cancellable_cancel (self->cancellable);
  if (self->watch != NULL) {
    g_source_destroy (self->watch);
    g_clear_pointer (&self->watch, g_source_unref);
  }
  g_clear_pointer (&self->monitor, stop_monitor);
  g_clear_object (&self->cameras);
  G_OBJECT_CLASS (mien_camera_list_parent_class)->dispose (object);
}

static void
mien_camera_list_finalize (GObject *object)
{
  g_object_unref (MIEN_CAMERA_LIST (object)->cancellable);
  G_OBJECT_CLASS (mien_camera_list_parent_class)->finalize (object);
}

static void
mien_camera_list_class_init (MienCameraListClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = mien_camera_list_dispose;
  object_class->finalize = mien_camera_list_finalize;
  ready_signal = g_signal_new ("ready", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
mien_camera_list_init (MienCameraList *self)
{
  g_autoptr (GTask) task = NULL;

  self->cancellable = g_cancellable_new ();
  self->cameras = g_list_store_new (MIEN_TYPE_CAMERA);
  g_signal_connect_object (self->cameras, "items-changed", G_CALLBACK (items_changed_cb), self, 0);
  task = g_task_new (NULL, self->cancellable, started_cb, self); /* holds no reference: cancelled in dispose */
  g_task_set_source_tag (task, mien_camera_list_init);
  g_task_run_in_thread (task, start_thread);
}

MienCameraList *
mien_camera_list_new (void)
{
  return g_object_new (MIEN_TYPE_CAMERA_LIST, NULL);
}

gboolean
mien_camera_list_is_ready (MienCameraList *self)
{
  return self->ready;
}
