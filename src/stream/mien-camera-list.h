/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cameras of this computer, as a GListModel of MienCamera items with the
 * properties "name" (what a person reads) and "source" (what mien_capture_start takes). Follows hot-plug.
 *
 * Thread   main thread; the device monitor is started asynchronously, so the list may fill a moment later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define MIEN_TYPE_CAMERA (mien_camera_get_type ())
G_DECLARE_FINAL_TYPE (MienCamera, mien_camera, MIEN, CAMERA, GObject)
const char *mien_camera_get_name (MienCamera *self);
const char *mien_camera_get_source (MienCamera *self);

/* "ready" (signal, once): the first look round is over, an empty list means no camera. */
#define MIEN_TYPE_CAMERA_LIST (mien_camera_list_get_type ())
G_DECLARE_FINAL_TYPE (MienCameraList, mien_camera_list, MIEN, CAMERA_LIST, GObject)
MienCameraList *mien_camera_list_new (void);
gboolean mien_camera_list_is_ready (MienCameraList *self);

G_END_DECLS
