/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results and how they are written down. Numbers have a point and never depend on the locale. */
#include "mien-config.h"

#include <math.h>
#include <string.h>

#include "stream/mien-result.h"

G_DEFINE_BOXED_TYPE (MienResult, mien_result, mien_result_ref, mien_result_unref)

MienResult *
mien_result_new (MienModel *model, int n_faces)
{
  MienResult *self;

  g_return_val_if_fail (n_faces >= 0, NULL);
  self = g_new0 (MienResult, 1);
  self->model = mien_model_ref (model);
  self->n_faces = n_faces;
  self->faces = g_new0 (MienFace, n_faces);
  g_atomic_ref_count_init (&self->ref_count);
  return self;
}

MienResult *
mien_result_ref (MienResult *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
mien_result_unref (MienResult *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  for (int i = 0; i < self->n_faces; i++)
    g_free (self->faces[i].pixels);
  g_free (self->faces);
  mien_model_unref (self->model);
  g_clear_pointer (&self->image, mien_image_unref);
  g_free (self);
}

static gint64
time_ms (const MienResult *self)
{
  return (self->time_us + 500) / 1000;
}

/* At most n_decimals of them, without zeros at the end; what is not a number is written as 0. */
static void
append_number (GString *out, double value, int n_decimals)
{
  char format[8], digits[G_ASCII_DTOSTR_BUF_SIZE * 2];
  gsize n;

  g_snprintf (format, sizeof format, "%%.%df", n_decimals);
  g_ascii_formatd (digits, sizeof digits, format, isfinite (value) && fabs (value) < 1e15 ? value : 0);
  n = strlen (digits);
  if (strchr (digits, '.') != NULL) {
    while (digits[n - 1] == '0')
      n--;
    if (digits[n - 1] == '.')
      n--;
  }
  digits[n] = '\0';
  g_string_append (out, strcmp (digits, "-0") == 0 ? "0" : digits);
}

static void
append_json_string (GString *out, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);

  g_string_append_c (out, '"');
  for (const char *p = valid; *p != '\0'; p++) {
    if (*p == '"' || *p == '\\')
      g_string_append_printf (out, "\\%c", *p);
    else if ((guchar) *p < ' ')
      g_string_append_printf (out, "\\u%04x", (guint) *p);
    else
      g_string_append_c (out, *p);
  }
  g_string_append_c (out, '"');
}

static void
append_csv_string (GString *out, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);

  if (strpbrk (valid, ",\"\r\n") == NULL) {
    g_string_append (out, valid);
    return;
  }
  g_string_append_c (out, '"');
  for (const char *p = valid; *p != '\0'; p++) {
    if (*p == '"')
      g_string_append_c (out, '"');
    g_string_append_c (out, *p);
  }
  g_string_append_c (out, '"');
}

static void
append_box (GString *out, const MienBox *box)
{
  const float sides[] = { box->x, box->y, box->width, box->height };

  for (int i = 0; i < 4; i++) {
    if (i > 0)
      g_string_append_c (out, ',');
    append_number (out, sides[i], 1);
  }
}

char *
mien_result_to_json (const MienResult *self, const char *name)
{
  const int n_labels = mien_model_get_n_labels (self->model);
  GString *out = g_string_new ("{\"file\":");

  append_json_string (out, name);
  g_string_append_printf (out, ",\"time_ms\":%" G_GINT64_FORMAT ",\"width\":%d,\"height\":%d,\"faces\":[", time_ms (self), self->width, self->height);
  for (int i = 0; i < self->n_faces; i++) {
    const MienFace *face = &self->faces[i];

    g_string_append_printf (out, "%s{\"track\":%d,\"box\":[", i > 0 ? "," : "", face->track);
    append_box (out, &face->box);
    g_string_append (out, "],\"label\":");
    append_json_string (out, mien_model_get_label (self->model, face->label));
    g_string_append (out, ",\"confidence\":");
    append_number (out, face->confidence, 4);
    g_string_append (out, ",\"probabilities\":{");
    for (int k = 0; k < n_labels; k++) {
      if (k > 0)
        g_string_append_c (out, ',');
      append_json_string (out, mien_model_get_label (self->model, k));
      g_string_append_c (out, ':');
      append_number (out, face->probabilities[k], 4);
    }
    g_string_append (out, "}}");
  }
  g_string_append (out, "]}");
  return g_string_free (out, FALSE);
}

char *
mien_result_csv_header (const MienModel *model)
{
  GString *out = g_string_new ("file,time_ms,track,x,y,width,height,label,confidence");

  for (int i = 0; i < mien_model_get_n_labels (model); i++) {
    g_string_append_c (out, ',');
    append_csv_string (out, mien_model_get_label (model, i));
  }
  g_string_append_c (out, '\n');
  return g_string_free (out, FALSE);
}

char *
mien_result_to_csv (const MienResult *self, const char *name)
{
  const int n_labels = mien_model_get_n_labels (self->model);
  GString *out = g_string_new (NULL);

  for (int i = 0; i < self->n_faces; i++) {
    const MienFace *face = &self->faces[i];

    append_csv_string (out, name);
    g_string_append_printf (out, ",%" G_GINT64_FORMAT ",%d,", time_ms (self), face->track);
    append_box (out, &face->box);
    g_string_append_c (out, ',');
    append_csv_string (out, mien_model_get_label (self->model, face->label));
    g_string_append_c (out, ',');
    append_number (out, face->confidence, 4);
    for (int k = 0; k < n_labels; k++) {
      g_string_append_c (out, ',');
      append_number (out, face->probabilities[k], 4);
    }
    g_string_append_c (out, '\n');
  }
  return g_string_free (out, FALSE);
}

int
mien_result_face_at (const MienResult *self, double x, double y)
{
  int best = -1;

  for (int i = 0; i < self->n_faces; i++) {
    const MienBox *box = &self->faces[i].box;

    if (x < box->x || y < box->y || x >= box->x + box->width || y >= box->y + box->height)
      continue;
    if (best < 0 || box->width * box->height < self->faces[best].box.width * self->faces[best].box.height)
      best = i;
  }
  return best;
}

int
mien_result_find_track (const MienResult *self, int track)
{
  for (int i = 0; i < self->n_faces; i++)
    if (self->faces[i].track == track)
      return i;
  return -1;
}
