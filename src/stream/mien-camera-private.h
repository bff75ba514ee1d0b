/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How cameras are named; shared by the list and by the capture that opens them. */
#pragma once

#include <gst/gst.h>

/* A monitor for cameras, not started. (transfer full) */
GstDeviceMonitor *mien_camera_monitor_new (void);

/* Names for n devices, in order, no two alike: "Webcam", "Webcam (2)". devices: GstDevice. (transfer full) */
GPtrArray *mien_camera_make_names (GList *devices);

/* The camera of that name, or the first for NULL; NULL when there is none. Blocks: not on the main thread. (transfer full) */
GstDevice *mien_camera_find (const char *name, char **found_name);
