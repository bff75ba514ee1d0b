/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The CSV forms, read line by line from pieces of any size. Quotes may enclose a field but not a line end. */
#include "mien-config.h"

#include "data/mien-dataset-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  MAX_LINE = 1 << 16, /* a row takes 9,300 bytes at most, unless it is padded with spaces */
  MAX_FIELDS = 32,
  PIECE = 1 << 20,
};

enum { COLUMN_EMOTION, COLUMN_PIXELS, COLUMN_USAGE, N_COLUMNS };
static const char *const column_names[N_COLUMNS] = { "emotion", "pixels", "Usage" };

typedef struct {
  const char *text;
  gsize length;
} Field;

struct _MienCsv {
  MienDatasetLoader *loader;
  char *name;
  int line;             /* number of the line at hand, from 1 */
  int n_fields;         /* of the header; 0 before it was read */
  int column[N_COLUMNS];
  GString *rest;        /* the beginning of a line that the last piece cut */
};

static gboolean G_GNUC_PRINTF (3, 4)
fail (const MienCsv *self, GError **error, const char *format, ...)
{
  g_autofree char *reason = NULL;
  va_list args;

  va_start (args, format);
  reason = g_strdup_vprintf (format, args);
  va_end (args);
  /* TRANSLATORS: file, line number, what is wrong there */
  g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_FORMAT, _("%s, line %d: %s"), self->name, self->line, reason);
  return FALSE;
}

/* A field for a message: short, and printable whatever it holds. */
static char *
quote_field (Field field)
{
  g_autofree char *text = g_utf8_make_valid (field.text, (gssize) MIN (field.length, 24));

  mien_dataset_flatten (text);
  return g_strconcat (text, field.length > 24 ? "…" : "", NULL);
}

static Field
trim (const char *text, gsize length)
{
  while (length > 0 && (*text == ' ' || *text == '\t')) {
    text++;
    length--;
  }
  while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
    length--;
  return (Field){ text, length };
}

static gboolean
field_is (Field field, const char *word)
{
  return field.length == strlen (word) && g_ascii_strncasecmp (field.text, word, field.length) == 0;
}

/* Number of fields, more than MAX_FIELDS counted but not kept; -1 with error set. */
static int
split_fields (MienCsv *self, const char *line, gsize length, Field fields[MAX_FIELDS], GError **error)
{
  const char *end = line + length;
  int n = 0;

  for (;;) {
    const char *stop;
    Field field;

    while (line < end && *line == ' ')
      line++;
    if (line < end && *line == '"') {
      const char *close = memchr (line + 1, '"', (gsize) (end - line - 1));
      if (close == NULL) {
        fail (self, error, "%s", _("a quotation mark is opened and not closed; add the missing one"));
        return -1;
      }
      field = trim (line + 1, (gsize) (close - line - 1));
      for (stop = close + 1; stop < end && (*stop == ' ' || *stop == '\t'); stop++)
        ;
      if (stop < end && *stop != ',') {
        fail (self, error, "%s", _("text follows a closing quotation mark; put a comma between the fields"));
        return -1;
      }
    } else {
      stop = memchr (line, ',', (gsize) (end - line));
      if (stop == NULL)
        stop = end;
      field = trim (line, (gsize) (stop - line));
    }
    if (n < MAX_FIELDS)
      fields[n] = field;
    n++;
    if (stop == end)
      return n;
    line = stop + 1;
  }
}

static gboolean
read_header (MienCsv *self, const char *line, gsize length, GError **error)
{
  Field fields[MAX_FIELDS];

  if (length >= 3 && memcmp (line, "\xef\xbb\xbf", 3) == 0) {
    line += 3;
    length -= 3;
  } else if (length >= 2 && (memcmp (line, "\xff\xfe", 2) == 0 || memcmp (line, "\xfe\xff", 2) == 0)) {
    return fail (self, error, "%s", _("the text is in UTF-16; save it as UTF-8"));
  }
  if (memchr (line, '\r', length) != NULL)
    return fail (self, error, "%s", _("lines end in carriage returns alone; save the file with Unix or Windows line ends"));

  const int n = split_fields (self, line, length, fields, error);
  if (n < 0)
    return FALSE;
  if (n > MAX_FIELDS)
    return fail (self, error, _("%d columns; expected emotion, pixels and Usage"), n);

  for (int c = 0; c < N_COLUMNS; c++) {
    self->column[c] = -1;
    for (int i = 0; i < n; i++) {
      if (!field_is (fields[i], column_names[c]))
        continue;
      if (self->column[c] >= 0)
        return fail (self, error, _("two columns are named “%s”; remove one"), column_names[c]);
      self->column[c] = i;
    }
  }
  if (n == 1 && self->column[COLUMN_PIXELS] < 0 && (memchr (line, ';', length) != NULL || memchr (line, '\t', length) != NULL))
    return fail (self, error, "%s", _("no column named “emotion”; separate the columns by commas, not by semicolons or tabs"));
  for (int c = 0; c < N_COLUMNS; c++)
    if (self->column[c] < 0)
      return fail (self, error, c == COLUMN_USAGE
                     ? _("no column named “%s”; add one that says Training, PublicTest or PrivateTest in every row")
                     : _("no column named “%s”; the first line must name the columns emotion, pixels and Usage"),
                   column_names[c]);
  self->n_fields = n;
  return TRUE;
}

static gboolean
read_pixels (MienCsv *self, Field field, guint8 *out, GError **error)
{
  const char *p = field.text, *end = p + field.length;
  int n = 0;

  while (p < end) {
    const char *start = p;
    guint value = 0;

    for (; p < end && *p >= '0' && *p <= '9'; p++)
      value = MIN (value * 10 + (guint) (*p - '0'), 1000);
    if (p == start || value > 255 || (p < end && *p != ' ')) {
      const char *stop = memchr (start, ' ', (gsize) (end - start));
      g_autofree char *text = quote_field ((Field){ start, (gsize) ((stop != NULL ? stop : end) - start) });
      return fail (self, error, _("pixel %d is “%s”; expected a whole number from 0 to 255"), n + 1, text);
    }
    if (n < MIEN_FACE_PIXELS)
      out[n] = (guint8) value;
    n++;
    while (p < end && *p == ' ')
      p++;
  }
  if (n != MIEN_FACE_PIXELS)
    return fail (self, error, _("%d pixels; expected %d (%d × %d)"), n, MIEN_FACE_PIXELS, MIEN_FACE_SIZE, MIEN_FACE_SIZE);
  return TRUE;
}

static gboolean
read_row (MienCsv *self, const char *line, gsize length, GError **error)
{
  Field fields[MAX_FIELDS];
  MienSplit split;
  char usage[16] = "";

  const int n = split_fields (self, line, length, fields, error);
  if (n < 0)
    return FALSE;
  if (n != self->n_fields)
    return fail (self, error, _("%d fields; expected %d as in the first line"), n, self->n_fields);

  const Field emotion = fields[self->column[COLUMN_EMOTION]], pixels = fields[self->column[COLUMN_PIXELS]];
  const Field usage_field = fields[self->column[COLUMN_USAGE]];
  if (usage_field.length < sizeof usage)
    memcpy (usage, usage_field.text, usage_field.length);
  if (memchr (usage_field.text, '\0', usage_field.length) != NULL || !mien_split_parse (usage, &split)) {
    g_autofree char *text = quote_field (usage_field);
    return fail (self, error, _("Usage is “%s”; expected Training, PublicTest or PrivateTest"), text);
  }
  if (!mien_split_wanted (self->loader, split))
    return TRUE;

  if (emotion.length != 1 || emotion.text[0] < '0' || emotion.text[0] >= '0' + MIEN_DATASET_N_LABELS) {
    g_autofree char *text = quote_field (emotion);
    return fail (self, error, _("emotion is “%s”; expected a number from 0 to 6"), text);
  }

  guint8 *out = mien_dataset_loader_add (self->loader, emotion.text[0] - '0', split, NULL, error);
  return out != NULL && read_pixels (self, pixels, out, error);
}

static gboolean
read_line (MienCsv *self, const char *line, gsize length, GError **error)
{
  self->line++;
  if (length > 0 && line[length - 1] == '\r')
    length--;
  if (length > MAX_LINE)
    return fail (self, error, "%s", _("the line is longer than any row of 48 × 48 pixels; is this FER2013?"));
  if (self->n_fields == 0)
    return read_header (self, line, length, error);
  if (trim (line, length).length == 0)
    return TRUE;
  return read_row (self, line, length, error);
}

MienCsv *
mien_csv_new (MienDatasetLoader *loader, const char *name)
{
  MienCsv *self = g_new0 (MienCsv, 1);

  self->loader = loader;
  self->name = g_strdup (name);
  self->rest = g_string_new (NULL);
  return self;
}

void
mien_csv_free (MienCsv *self)
{
  if (self == NULL)
    return;
  g_string_free (self->rest, TRUE);
  g_free (self->name);
  g_free (self);
}

gboolean
mien_csv_feed (MienCsv *self, const char *data, gsize n_bytes, GError **error)
{
  const char *end = data + n_bytes;

  while (data < end) {
    const char *stop = memchr (data, '\n', (gsize) (end - data));
    const gsize length = (gsize) ((stop != NULL ? stop : end) - data);

    if (stop == NULL || self->rest->len > 0) {
      /* one byte more than the limit is enough to see that the line is too long */
      g_string_append_len (self->rest, data, (gssize) MIN (length, (gsize) MAX_LINE + 2));
      if (stop != NULL || self->rest->len > MAX_LINE + 1) {
        if (!read_line (self, self->rest->str, self->rest->len, error))
          return FALSE;
        g_string_truncate (self->rest, 0);
      }
    } else if (!read_line (self, data, length, error)) {
      return FALSE;
    }
    if (stop == NULL)
      break;
    data = stop + 1;
  }
  return TRUE;
}

gboolean
mien_csv_finish (MienCsv *self, GError **error)
{
  if (self->rest->len > 0 && !read_line (self, self->rest->str, self->rest->len, error))
    return FALSE;
  if (self->n_fields == 0) {
    g_set_error (error, MIEN_DATASET_ERROR, MIEN_DATASET_ERROR_EMPTY, _("%s: the file is empty"), self->name);
    return FALSE;
  }
  return TRUE;
}

gboolean
mien_dataset_load_csv (MienDatasetLoader *self, const char *path, GError **error)
{
  g_autoptr (MienCsv) csv = mien_csv_new (self, self->path);
  g_autofree char *piece = g_malloc (PIECE);
  const int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat info = { 0 };
  gint64 done = 0;
  gboolean ok = fd >= 0 && fstat (fd, &info) == 0;

  if (!ok)
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), "%s: %s", self->path, g_strerror (errno));
  while (ok) {
    const gssize n = read (fd, piece, PIECE);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno), "%s: %s", self->path, g_strerror (errno));
      ok = FALSE;
    } else if (n == 0) {
      ok = mien_csv_finish (csv, error);
      break;
    } else {
      done += n;
      ok = mien_csv_feed (csv, piece, (gsize) n, error)
           && mien_dataset_loader_tick (self, (double) done / (double) MAX (info.st_size, 1), error);
    }
  }
  if (fd >= 0)
    close (fd);
  return ok;
}
