/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The picture decoder, a program of its own: a file on standard input, pixels on standard output (mien-decode.h).
 *
 * Decoders of picture formats are where hostile files strike, so this process gives up what it does not need before the
 * first byte is looked at (mien-helper-program.h). */
#include "mien-config.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <zlib.h>

#include "helper/mien-helper-program.h"
#include "vision/mien-decode.h"
#include "vision/mien-image.h"

/* What is decoded is decided by the first bytes, here and not by gdk-pixbuf: what is not in this table never reaches a
 * loader. A NULL loader is a format that is known and not read. */
typedef struct {
  const char *format;
  const char *loader;
  guint offset;
  guint n_bytes;
  const char *bytes;
} Signature;

static const Signature signatures[] = {
  { "PNG", "png", 0, 8, "\x89PNG\r\n\x1a\n" },
  { "JPEG", "jpeg", 0, 3, "\xff\xd8\xff" },
  { "GIF", "gif", 0, 4, "GIF8" },
  { "WebP", "webp", 8, 4, "WEBP" },
  { "TIFF", "tiff", 0, 4, "II*\0" },
  { "TIFF", "tiff", 0, 4, "MM\0*" },
  { "TIFF", "tiff", 0, 4, "II+\0" }, /* BigTIFF */
  { "TIFF", "tiff", 0, 4, "MM\0+" },
  { "AVIF", "avif", 4, 8, "ftypavif" },
  { "AVIF", "avif", 4, 8, "ftypavis" },
  { "HEIC", "heif/avif", 4, 7, "ftyphei" },
  { "HEIC", "heif/avif", 4, 7, "ftyphev" },
  { "HEIF", "heif/avif", 4, 7, "ftypmif" },
  { "BMP", "bmp", 0, 2, "BM" },
  { "ICO", "ico", 0, 4, "\0\0\1\0" },
  { "PNM", "pnm", 0, 2, "P3" },
  { "PNM", "pnm", 0, 2, "P5" },
  { "PNM", "pnm", 0, 2, "P6" },
  { "JPEG XL", "jxl", 0, 2, "\xff\x0a" },
  { "JPEG XL", "jxl", 4, 8, "JXL \r\n\x87\n" },
  { "JPEG 2000", "jpeg2000", 4, 8, "jP  \r\n\x87\n" },
  { "Photoshop", NULL, 0, 4, "8BPS" },
  { "PDF", NULL, 0, 5, "%PDF-" },
  { "WebM", NULL, 0, 4, "\x1a\x45\xdf\xa3" },
  { "MP4", NULL, 4, 4, "ftyp" },
};

G_NORETURN static void
refuse (MienDecodeStatus status, const char *format, const char *detail)
{
  MienDecodeHeader header = { .magic = MIEN_DECODE_MAGIC, .status = status };

  g_strlcpy (header.format, format != NULL ? format : "", sizeof header.format);
  if (detail != NULL) {
    g_autofree char *valid = g_utf8_make_valid (detail, -1);

    g_strlcpy (header.detail, valid, sizeof header.detail);
  }
  mien_helper_write (&header, sizeof header);
  exit (EXIT_SUCCESS);
}

G_NORETURN static void
refuse_error (const GError *error, const char *format)
{
  if (g_error_matches (error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_INSUFFICIENT_MEMORY))
    refuse (MIEN_DECODE_TOO_LARGE, format, error->message);
  if (g_error_matches (error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_UNKNOWN_TYPE) ||
      g_error_matches (error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_UNSUPPORTED_OPERATION))
    refuse (MIEN_DECODE_UNSUPPORTED, format, error->message);
  if (error != NULL && strstr (error->message, "Unsupported JPEG") != NULL) /* 12 bits, lossless: libjpeg's words, in English always */
    refuse (MIEN_DECODE_UNSUPPORTED, "lossless or 12-bit JPEG", error->message);
  refuse (MIEN_DECODE_DAMAGED, format, error != NULL ? error->message : NULL);
}

static GByteArray *
read_input (void)
{
  GByteArray *data = g_byte_array_new ();
  gsize n_used = 0;

  for (;;) {
    ssize_t n;

    if (data->len - n_used < 65536)
      g_byte_array_set_size (data, MAX (data->len * 2, 1u << 18));
    n = read (STDIN_FILENO, data->data + n_used, data->len - n_used);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      refuse (MIEN_DECODE_DAMAGED, NULL, g_strerror (errno));
    if (n == 0)
      break;
    n_used += (gsize) n;
    if (n_used > MIEN_DECODE_MAX_FILE)
      refuse (MIEN_DECODE_TOO_LARGE, NULL, NULL);
  }
  g_byte_array_set_size (data, n_used);
  return data;
}

static const Signature *
find_signature (const GByteArray *data)
{
  for (gsize i = 0; i < G_N_ELEMENTS (signatures); i++) {
    const Signature *s = &signatures[i];

    if (data->len >= s->offset + s->n_bytes && memcmp (data->data + s->offset, s->bytes, s->n_bytes) == 0)
      return s;
  }
  return NULL;
}

static gboolean
looks_like_svg (const GByteArray *data)
{
  const gsize n = MIN (data->len, 4096);

  return g_strstr_len ((const char *) data->data, n, "<svg") != NULL ||
         g_strstr_len ((const char *) data->data, n, "<!DOCTYPE svg") != NULL;
}

/* The orientation 1..8 in an EXIF block (a small TIFF file), 0 where there is none. */
static int
exif_orientation (const guint8 *exif, gsize n)
{
  gboolean big;
  gsize ifd, n_entries;

#define U16(at) (big ? exif[at] << 8 | exif[(at) + 1] : exif[(at) + 1] << 8 | exif[at])
  if (n >= 6 && memcmp (exif, "Exif\0\0", 6) == 0) {
    exif += 6;
    n -= 6;
  }
  if (n < 8 || (memcmp (exif, "II*\0", 4) != 0 && memcmp (exif, "MM\0*", 4) != 0))
    return 0;
  big = exif[0] == 'M';
  ifd = big ? (gsize) U16 (4) << 16 | U16 (6) : (gsize) U16 (6) << 16 | U16 (4);
  if (ifd > n - 2)
    return 0;
  n_entries = U16 (ifd);
  for (gsize i = 0; i < n_entries; i++) {
    const gsize entry = ifd + 2 + i * 12;

    if (entry + 12 > n)
      return 0;
    if (U16 (entry) == 0x0112 && U16 (entry + 2) == 3) { /* Orientation, SHORT */
      const int value = U16 (entry + 8);

      return value >= 1 && value <= 8 ? value : 0;
    }
  }
#undef U16
  return 0;
}

/* For the containers in which gdk-pixbuf does not look for EXIF. */
static int
container_orientation (const GByteArray *file, const char *format)
{
  const guint8 *data = file->data;
  const gsize n = file->len;

  if (g_str_equal (format, "WebP")) {
    for (gsize at = 12; at + 8 <= n;) {
      const gsize size = (gsize) data[at + 4] | (gsize) data[at + 5] << 8 | (gsize) data[at + 6] << 16 | (gsize) data[at + 7] << 24;

      if (size > n - at - 8)
        return 0;
      if (memcmp (data + at, "EXIF", 4) == 0)
        return exif_orientation (data + at + 8, size);
      at += 8 + size + (size & 1);
    }
  } else if (g_str_equal (format, "PNG")) {
    for (gsize at = 8; at + 12 <= n;) {
      const gsize size = (gsize) data[at] << 24 | (gsize) data[at + 1] << 16 | (gsize) data[at + 2] << 8 | data[at + 3];

      if (size > n - at - 12)
        return 0;
      if (memcmp (data + at + 4, "eXIf", 4) == 0)
        return exif_orientation (data + at + 8, size);
      at += 12 + size;
    }
  }
  return 0;
}

/* libpng says nothing when the pixels' checksum is wrong. */
static gboolean
png_checksum_is_right (const GByteArray *file)
{
  const guint8 *data = file->data;
  const gsize n = file->len;
  guint8 out[1 << 16];
  z_stream stream = { 0 };
  int state = Z_OK;

  if (inflateInit (&stream) != Z_OK)
    return TRUE;
  for (gsize at = 8; at + 12 <= n && (state == Z_OK || state == Z_BUF_ERROR);) {
    const gsize size = (gsize) data[at] << 24 | (gsize) data[at + 1] << 16 | (gsize) data[at + 2] << 8 | data[at + 3];

    if (size > n - at - 12)
      break;
    if (memcmp (data + at + 4, "IDAT", 4) == 0) {
      stream.next_in = (guint8 *) data + at + 8;
      stream.avail_in = (guint) size;
      do {
        stream.next_out = out;
        stream.avail_out = sizeof out;
        state = inflate (&stream, Z_NO_FLUSH);
      } while (state == Z_OK && (stream.avail_in > 0 || stream.avail_out == 0));
    }
    at += 12 + size;
  }
  inflateEnd (&stream);
  return state != Z_DATA_ERROR;
}

/* gdk-pixbuf's reader shows what a short file does not hold as black, however little there is. Half a picture may be
 * worth a look; less is a claim. */
static gboolean
bmp_holds_its_pixels (const GByteArray *file)
{
  const guint8 *data = file->data;
  guint64 width, height, bits;

#define U16(at) ((guint32) data[at] | (guint32) data[(at) + 1] << 8)
#define U32(at) (U16 (at) | U16 ((at) + 2) << 16)
  if (file->len < 34)
    return FALSE;
  if (U32 (14) == 12) {
    width = U16 (18);
    height = U16 (20);
    bits = U16 (24);
  } else {
    width = U32 (18);
    height = (guint64) ABS ((gint64) (gint32) U32 (22));
    bits = U16 (28);
    if (U32 (30) == 1 || U32 (30) == 2) /* run lengths */
      return TRUE;
  }
#undef U32
#undef U16
  return width * height / 8 * bits / 2 <= file->len;
}

static void
fit (int *width, int *height)
{
  const int longest = MAX (*width, *height);

  if (longest > MIEN_IMAGE_MAX_SIDE) {
    const double factor = (double) MIEN_IMAGE_MAX_SIDE / longest;

    *width = CLAMP ((int) (*width * factor + .5), 1, MIEN_IMAGE_MAX_SIDE);
    *height = CLAMP ((int) (*height * factor + .5), 1, MIEN_IMAGE_MAX_SIDE);
  }
}

static void
size_prepared_cb (GdkPixbufLoader *loader, int width, int height, gpointer user_data)
{
  const Signature *signature = user_data;

  if (width < 1 || height < 1)
    refuse (MIEN_DECODE_DAMAGED, signature->format, NULL);
  if (g_str_equal (signature->format, "JPEG")) { /* its loader reduces while it decodes */
    fit (&width, &height);
    gdk_pixbuf_loader_set_size (loader, width, height);
  } else if ((guint64) width * (guint64) height > MIEN_DECODE_MAX_PIXELS) {
    g_autofree char *detail = g_strdup_printf ("%d × %d", width, height);

    refuse (MIEN_DECODE_TOO_LARGE, signature->format, detail);
  }
}

static gboolean
first_frame_is_complete (GdkPixbufLoader *loader)
{
  GdkPixbufAnimation *animation = gdk_pixbuf_loader_get_animation (loader);
  g_autoptr (GdkPixbufAnimationIter) iter = NULL;

  if (animation == NULL)
    return FALSE;
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS /* GTimeVal: NULL is "now" */
  iter = gdk_pixbuf_animation_get_iter (animation, NULL);
  G_GNUC_END_IGNORE_DEPRECATIONS
  return iter != NULL && !gdk_pixbuf_animation_iter_on_currently_loading_frame (iter);
}

static GdkPixbuf *
decode (const GByteArray *data, const Signature *signature)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GdkPixbufLoader) loader = NULL;
  const gboolean may_be_long = g_str_equal (signature->format, "GIF");
  const gsize step = may_be_long ? 1u << 14 : 1u << 20;
  GdkPixbuf *pixbuf;
  gboolean complete = FALSE;

  if (g_str_equal (signature->format, "BMP") && !bmp_holds_its_pixels (data))
    refuse (MIEN_DECODE_DAMAGED, signature->format, NULL);
  loader = gdk_pixbuf_loader_new_with_type (signature->loader, &error);
  if (loader == NULL)
    refuse (MIEN_DECODE_UNSUPPORTED, signature->format, error->message);
  g_signal_connect (loader, "size-prepared", G_CALLBACK (size_prepared_cb), (gpointer) signature);
  for (gsize at = 0; at < data->len && !complete; at += step) {
    if (!gdk_pixbuf_loader_write (loader, data->data + at, MIN (step, data->len - at), &error)) {
      gdk_pixbuf_loader_close (loader, NULL);
      refuse_error (error, signature->format);
    }
    complete = may_be_long && first_frame_is_complete (loader);
  }
  /* A film of which only the first picture was read ends too early, and that is fine. */
  if (!gdk_pixbuf_loader_close (loader, complete ? NULL : &error) && !complete)
    refuse_error (error, signature->format);
  pixbuf = gdk_pixbuf_loader_get_pixbuf (loader);
  if (pixbuf == NULL || (g_str_equal (signature->format, "PNG") && !png_checksum_is_right (data)))
    refuse (MIEN_DECODE_DAMAGED, signature->format, NULL);
  return g_object_ref (pixbuf);
}

static GdkPixbuf *
make_upright (GdkPixbuf *pixbuf, const GByteArray *data, const char *format)
{
  const int orientation = container_orientation (data, format);
  GdkPixbuf *upright;

  if (orientation != 0 && gdk_pixbuf_get_option (pixbuf, "orientation") == NULL) {
    const char value[2] = { (char) ('0' + orientation), '\0' };

    gdk_pixbuf_set_option (pixbuf, "orientation", value);
  }
  upright = gdk_pixbuf_apply_embedded_orientation (pixbuf);
  if (upright == NULL)
    refuse (MIEN_DECODE_TOO_LARGE, format, NULL);
  g_object_unref (pixbuf);
  return upright;
}

static GdkPixbuf *
reduce (GdkPixbuf *pixbuf, const char *format)
{
  int width = gdk_pixbuf_get_width (pixbuf), height = gdk_pixbuf_get_height (pixbuf);
  GdkPixbuf *small;

  fit (&width, &height);
  if (width == gdk_pixbuf_get_width (pixbuf) && height == gdk_pixbuf_get_height (pixbuf))
    return pixbuf;
  small = gdk_pixbuf_scale_simple (pixbuf, width, height, GDK_INTERP_BILINEAR);
  if (small == NULL)
    refuse (MIEN_DECODE_TOO_LARGE, format, NULL);
  g_object_unref (pixbuf);
  return small;
}

/* To B G R A on white paper. */
static void
write_pixels (GdkPixbuf *pixbuf, const char *format)
{
  const int width = gdk_pixbuf_get_width (pixbuf), height = gdk_pixbuf_get_height (pixbuf);
  const int n_channels = gdk_pixbuf_get_n_channels (pixbuf), stride = gdk_pixbuf_get_rowstride (pixbuf);
  const guint8 *pixels = gdk_pixbuf_read_pixels (pixbuf);
  const int n_rows = CLAMP ((1 << 20) / (width * 4), 1, height);
  g_autofree guint8 *rows = g_try_malloc ((gsize) n_rows * (gsize) width * 4);
  MienDecodeHeader header = { .magic = MIEN_DECODE_MAGIC, .status = MIEN_DECODE_OK, .width = (guint32) width, .height = (guint32) height };

  if (rows == NULL || gdk_pixbuf_get_bits_per_sample (pixbuf) != 8 || n_channels < 3)
    refuse (rows == NULL ? MIEN_DECODE_TOO_LARGE : MIEN_DECODE_UNSUPPORTED, format, NULL);
  g_strlcpy (header.format, format, sizeof header.format);
  mien_helper_write (&header, sizeof header);
  for (int y = 0; y < height; y += n_rows) {
    const int n = MIN (n_rows, height - y);
    guint8 *out = rows;

    for (int r = 0; r < n; r++) {
      const guint8 *in = pixels + (gsize) (y + r) * (gsize) stride;

      for (int x = 0; x < width; x++, in += n_channels, out += 4) {
        const guint alpha = n_channels == 4 ? in[3] : 255;
        const guint paper = (255 - alpha) * 255;

        out[0] = (guint8) ((in[2] * alpha + paper + 127) / 255);
        out[1] = (guint8) ((in[1] * alpha + paper + 127) / 255);
        out[2] = (guint8) ((in[0] * alpha + paper + 127) / 255);
        out[3] = 255;
      }
    }
    mien_helper_write (rows, (gsize) n * (gsize) width * 4);
  }
}

int
main (void)
{
  g_autoptr (GByteArray) data = NULL;
  g_autoptr (GdkPixbuf) pixbuf = NULL;
  const Signature *signature;

  mien_helper_give_up_rights (MIEN_IMAGE_TIME_LIMIT_S, MIEN_DECODE_MAX_MEMORY, 0);
  setlocale (LC_ALL, "");
  data = read_input ();
  signature = find_signature (data);
  if (signature == NULL && looks_like_svg (data))
    refuse (MIEN_DECODE_UNSUPPORTED, "SVG", NULL);
  if (signature == NULL)
    refuse (MIEN_DECODE_DAMAGED, NULL, NULL);
  if (signature->loader == NULL)
    refuse (MIEN_DECODE_UNSUPPORTED, signature->format, NULL);
  pixbuf = decode (data, signature);
  pixbuf = reduce (pixbuf, signature->format);
  pixbuf = make_upright (pixbuf, data, signature->format);
  write_pixels (pixbuf, signature->format);
  return EXIT_SUCCESS;
}
