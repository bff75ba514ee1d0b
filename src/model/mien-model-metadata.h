/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading of metadata_props "mien.*": strict, whole strings, finite numbers.
 * Errors   MIEN_NN_ERROR_FORMAT, naming key and value */
#pragma once

#include "nn/mien-graph.h"

G_BEGIN_DECLS

/* All return TRUE and leave the result alone when the key is absent; found (nullable) says which. */
gboolean mien_metadata_int (const MienGraph *graph, const char *key, int min, int max, int *value, gboolean *found, GError **error);
gboolean mien_metadata_float (const MienGraph *graph, const char *key, double min, double max, float *value, gboolean *found, GError **error);

/* One number for all three channels, or three. */
gboolean mien_metadata_floats3 (const MienGraph *graph, const char *key, double min, double max, float values[3], GError **error);

/* (transfer full), NULL with no error when absent. */
char **mien_metadata_labels (const MienGraph *graph, const char *key, GError **error);

G_END_DECLS
