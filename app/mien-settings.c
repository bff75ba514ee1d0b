/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finding the settings' schema; see the header. */
#include "mien-config.h"

#include "mien-settings.h"

#define G_SETTINGS_ENABLE_BACKEND
#include <gio/gsettingsbackend.h>
#include <glib/gstdio.h>

static GSettingsSchema *
look_in (const char *dir)
{
  g_autoptr (GSettingsSchemaSource) source = g_settings_schema_source_new_from_directory (dir, NULL, TRUE, NULL);

  return source != NULL ? g_settings_schema_source_lookup (source, MIEN_APP_ID, FALSE) : NULL;
}

/* GLib reads compiled schemas from a folder only; it maps the file, which may be deleted afterwards. */
static GSettingsSchema *
unpack_schema (void)
{
  g_autoptr (GBytes) bytes = g_resources_lookup_data ("/io/github/mien/Mien/gschemas.compiled", 0, NULL);
  g_autofree char *dir = g_dir_make_tmp ("mien-XXXXXX", NULL);
  g_autofree char *path = dir != NULL ? g_build_filename (dir, "gschemas.compiled", NULL) : NULL;
  GSettingsSchema *schema = NULL;

  if (bytes == NULL || path == NULL)
    return NULL;
  if (g_file_set_contents (path, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), NULL))
    schema = look_in (dir);
  g_unlink (path);
  g_rmdir (dir);
  return schema;
}

GSettings *
mien_settings_new (void)
{
  GSettingsSchemaSource *standard = g_settings_schema_source_get_default ();
  g_autoptr (GSettingsSchema) schema = standard != NULL ? g_settings_schema_source_lookup (standard, MIEN_APP_ID, TRUE) : NULL;
  g_autoptr (GSettingsBackend) memory = NULL;

  if (schema == NULL)
    schema = look_in (MIEN_PKGDATADIR "/../glib-2.0/schemas");
  if (schema == NULL) {
    schema = unpack_schema ();
    memory = g_memory_settings_backend_new ();
    g_message ("The settings' schema is not installed: settings are forgotten at the end.");
  }
  return g_settings_new_full (schema, memory, NULL);
}
