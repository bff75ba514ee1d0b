/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-line-data.h. */
#include "mien-config.h"

#include "charts/mien-line-data.h"

#include <math.h>
#include <string.h>

typedef struct {
  char *name;
  int colour;
  MienLinePattern pattern;
  GArray *points; /* MienPoint */
} Series;

struct _MienLineData {
  GObject parent_instance;
  GPtrArray *series; /* Series */
};

G_DEFINE_FINAL_TYPE (MienLineData, mien_line_data, G_TYPE_OBJECT)

enum { CHANGED, N_SIGNALS };
static guint signals[N_SIGNALS];

static void
series_free (gpointer data)
{
  Series *series = data;

  g_free (series->name);
  g_array_unref (series->points);
  g_free (series);
}

static Series *
get_series (MienLineData *self, int i)
{
  return g_ptr_array_index (self->series, i);
}

static void
mien_line_data_finalize (GObject *object)
{
  g_ptr_array_unref (MIEN_LINE_DATA (object)->series);
  G_OBJECT_CLASS (mien_line_data_parent_class)->finalize (object);
}

static void
mien_line_data_class_init (MienLineDataClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = mien_line_data_finalize;
  signals[CHANGED] = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
mien_line_data_init (MienLineData *self)
{
  self->series = g_ptr_array_new_with_free_func (series_free);
}

MienLineData *
mien_line_data_new (void)
{
  return g_object_new (MIEN_TYPE_LINE_DATA, NULL);
}

int
mien_line_data_add_series (MienLineData *self, const char *name, int colour, MienLinePattern pattern)
{
  Series *series;

  g_return_val_if_fail (MIEN_IS_LINE_DATA (self), -1);
  series = g_new0 (Series, 1);
  series->name = g_strdup (name);
  series->colour = colour;
  series->pattern = pattern;
  series->points = g_array_new (FALSE, FALSE, sizeof (MienPoint));
  g_ptr_array_add (self->series, series);
  g_signal_emit (self, signals[CHANGED], 0);
  return (int) self->series->len - 1;
}

int
mien_line_data_get_n_series (MienLineData *self)
{
  g_return_val_if_fail (MIEN_IS_LINE_DATA (self), 0);
  return (int) self->series->len;
}

const char *
mien_line_data_get_name (MienLineData *self, int series)
{
  return get_series (self, series)->name;
}

int
mien_line_data_get_colour (MienLineData *self, int series)
{
  return get_series (self, series)->colour;
}

MienLinePattern
mien_line_data_get_pattern (MienLineData *self, int series)
{
  return get_series (self, series)->pattern;
}

void
mien_line_data_append (MienLineData *self, int series, double x, double y)
{
  GArray *points;
  MienPoint point = { x, y };

  g_return_if_fail (MIEN_IS_LINE_DATA (self));
  g_return_if_fail (isfinite (x));
  points = get_series (self, series)->points;
  if (points->len > 0) {
    MienPoint *last = &g_array_index (points, MienPoint, points->len - 1);

    g_return_if_fail (x >= last->x);
    if (x == last->x) {
      last->y = y;
      g_signal_emit (self, signals[CHANGED], 0);
      return;
    }
  }
  g_array_append_val (points, point);
  g_signal_emit (self, signals[CHANGED], 0);
}

const MienPoint *
mien_line_data_get_points (MienLineData *self, int series, int *n)
{
  GArray *points = get_series (self, series)->points;

  *n = (int) points->len;
  return (const MienPoint *) (gpointer) points->data;
}

void
mien_line_data_clear (MienLineData *self)
{
  g_return_if_fail (MIEN_IS_LINE_DATA (self));
  for (guint i = 0; i < self->series->len; i++)
    g_array_set_size (get_series (self, (int) i)->points, 0);
  g_signal_emit (self, signals[CHANGED], 0);
}

gboolean
mien_line_data_get_range (MienLineData *self, MienPoint *lo, MienPoint *hi)
{
  gboolean any = FALSE;

  *lo = (MienPoint) { INFINITY, INFINITY };
  *hi = (MienPoint) { -INFINITY, -INFINITY };
  for (guint i = 0; i < self->series->len; i++) {
    int n;
    const MienPoint *points = mien_line_data_get_points (self, (int) i, &n);

    for (int j = 0; j < n; j++) {
      if (!isfinite (points[j].y))
        continue;
      lo->x = MIN (lo->x, points[j].x);
      lo->y = MIN (lo->y, points[j].y);
      hi->x = MAX (hi->x, points[j].x);
      hi->y = MAX (hi->y, points[j].y);
      any = TRUE;
    }
  }
  return any;
}

double
mien_line_data_get_last (MienLineData *self, int series)
{
  int n;
  const MienPoint *points = mien_line_data_get_points (self, series, &n);

  while (n > 0 && !isfinite (points[n - 1].y))
    n--;
  return n > 0 ? points[n - 1].y : NAN;
}

/* The first point at or after x. */
static int
lower_bound (const MienPoint *points, int n, double x)
{
  int a = 0, b = n;

  while (a < b) {
    const int middle = (a + b) / 2;

    if (points[middle].x < x)
      a = middle + 1;
    else
      b = middle;
  }
  return a;
}

int
mien_line_data_find (MienLineData *self, int series, double x)
{
  int n, i;
  const MienPoint *points = mien_line_data_get_points (self, series, &n);

  if (n == 0)
    return -1;
  i = lower_bound (points, n, x);
  if (i == n || (i > 0 && x - points[i - 1].x < points[i].x - x))
    i--;
  return i;
}

static int
compare_doubles (gconstpointer a, gconstpointer b)
{
  const double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

static void
append_field (GString *csv, const char *text)
{
  if (strpbrk (text, ",\"\n") == NULL) {
    g_string_append (csv, text);
    return;
  }
  g_string_append_c (csv, '"');
  for (; *text != '\0'; text++) {
    if (*text == '"')
      g_string_append_c (csv, '"');
    g_string_append_c (csv, *text);
  }
  g_string_append_c (csv, '"');
}

char *
mien_line_data_to_csv (MienLineData *self, const char *x_name)
{
  g_autoptr (GArray) xs = g_array_new (FALSE, FALSE, sizeof (double));
  GString *csv = g_string_new (NULL);
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];

  append_field (csv, x_name);
  for (guint i = 0; i < self->series->len; i++) {
    GArray *points = get_series (self, (int) i)->points;

    g_string_append_c (csv, ',');
    append_field (csv, get_series (self, (int) i)->name);
    for (guint j = 0; j < points->len; j++)
      g_array_append_val (xs, g_array_index (points, MienPoint, j).x);
  }
  g_string_append_c (csv, '\n');
  g_array_sort (xs, compare_doubles);
  for (guint row = 0; row < xs->len; row++) {
    const double x = g_array_index (xs, double, row);

    if (row > 0 && x == g_array_index (xs, double, row - 1))
      continue;
    g_string_append (csv, g_ascii_formatd (buffer, sizeof buffer, "%.10g", x));
    for (guint i = 0; i < self->series->len; i++) {
      int n;
      const MienPoint *points = mien_line_data_get_points (self, (int) i, &n);
      const int at = lower_bound (points, n, x);

      g_string_append_c (csv, ',');
      if (at < n && points[at].x == x && isfinite (points[at].y))
        g_string_append (csv, g_ascii_formatd (buffer, sizeof buffer, "%.10g", points[at].y));
    }
    g_string_append_c (csv, '\n');
  }
  return g_string_free (csv, FALSE);
}
