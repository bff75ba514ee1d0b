/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures in memory, and the caller's side of mien-decode: start it, wait for it within limits, believe nothing. */
#include "mien-config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <png.h>

#include "helper/mien-helper.h"
#include "vision/mien-decode.h"
#include "vision/mien-image.h"

#define MAX_PIXELS (1 << 28)
#define WALL_LIMIT_S (3 * MIEN_IMAGE_TIME_LIMIT_S) /* on a busy computer ten processor seconds take longer */

G_DEFINE_QUARK (mien-image-error-quark, mien_image_error)
G_DEFINE_BOXED_TYPE (MienImage, mien_image, mien_image_ref, mien_image_unref)

MienImage *
mien_image_new (int width, int height)
{
  guint8 *pixels;

  if (width < 1 || height < 1 || (gint64) width * height > MAX_PIXELS)
    return NULL;
  pixels = g_try_malloc0 ((gsize) width * (gsize) height * 4);
  if (pixels == NULL)
    return NULL;
  return mien_image_new_take (width, height, width * 4, pixels, g_free, pixels);
}

MienImage *
mien_image_new_take (int width, int height, int stride_bytes, guint8 *pixels, GDestroyNotify free_func, gpointer free_data)
{
  MienImage *self;

  g_return_val_if_fail (width >= 1 && height >= 1 && stride_bytes >= width * 4 && pixels != NULL, NULL);
  self = g_new (MienImage, 1);
  *self = (MienImage) {
    .width = width, .height = height, .stride_bytes = stride_bytes, .pixels = pixels,
    .free_func = free_func, .free_data = free_data,
  };
  g_atomic_ref_count_init (&self->ref_count);
  return self;
}

MienImage *
mien_image_ref (MienImage *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
mien_image_unref (MienImage *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;
  if (self->free_func != NULL)
    self->free_func (self->free_data);
  g_free (self);
}

/* A short name for messages, on one line whatever the file is called. */
static char *
make_display_name (const char *name)
{
  g_autofree char *base = g_filename_display_basename (name);

  for (char *p = base; *p != '\0'; p++)
    if ((guchar) *p < ' ' || *p == 127)
      *p = ' ';
  return g_steal_pointer (&base);
}

static void
set_refusal (GError **error, const MienDecodeHeader *header, const char *name)
{
  const gboolean has_detail = header->detail[0] != '\0';

  switch (header->status) {
  case MIEN_DECODE_UNSUPPORTED:
    g_set_error (error, MIEN_IMAGE_ERROR, MIEN_IMAGE_ERROR_UNSUPPORTED,
                 _("“%s” is in the format %s, which is not read here; save it as PNG or JPEG and open that."), name, header->format);
    break;
  case MIEN_DECODE_TOO_LARGE:
    if (has_detail)
      g_set_error (error, MIEN_IMAGE_ERROR, MIEN_IMAGE_ERROR_TOO_LARGE,
                   _("“%s” is too large to be opened (%s); save a smaller copy and open that."), name, header->detail);
    else
      g_set_error (error, MIEN_IMAGE_ERROR, MIEN_IMAGE_ERROR_TOO_LARGE,
                   _("“%s” is too large to be opened; save a smaller copy and open that."), name);
    break;
  default:
    if (header->format[0] == '\0')
      g_set_error (error, MIEN_IMAGE_ERROR, MIEN_IMAGE_ERROR_DAMAGED,
                   _("“%s” is not a picture; open a PNG, JPEG, WebP, GIF, TIFF or BMP file."), name);
    else if (has_detail)
      g_set_error (error, MIEN_IMAGE_ERROR, MIEN_IMAGE_ERROR_DAMAGED,
                   _("“%s” is a damaged %s picture (%s); try another copy of it."), name, header->format, header->detail);
    else
      g_set_error (error, MIEN_IMAGE_ERROR, MIEN_IMAGE_ERROR_DAMAGED,
                   _("“%s” is a damaged %s picture; try another copy of it."), name, header->format);
    break;
  }
}

static void
set_broken (GError **error, MienHelperEnd end, int wait_status, const char *name)
{
  if (end == MIEN_HELPER_CANCELLED)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, _("Opening the picture was cancelled."));
  else if (mien_helper_was_late (end, wait_status))
    g_set_error (error, MIEN_IMAGE_ERROR, MIEN_IMAGE_ERROR_TOO_LARGE,
                 _("“%s” takes longer than %d seconds to read; save it again with another program and open that."),
                 name, MIEN_IMAGE_TIME_LIMIT_S);
  else
    g_set_error (error, MIEN_IMAGE_ERROR, MIEN_IMAGE_ERROR_DAMAGED, _("“%s” is a damaged picture; try another copy of it."), name);
}

/* input_fd is borrowed. name: as shown. */
static MienImage *
decode_fd (int input_fd, const char *name, GCancellable *cancellable, GError **error)
{
  const gint64 deadline_us = g_get_monotonic_time () + WALL_LIMIT_S * G_USEC_PER_SEC;
  g_autoptr (MienImage) image = NULL;
  g_autoptr (GError) problem = NULL;
  MienDecodeHeader header;
  MienHelper decoder;
  MienHelperEnd end;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return NULL;
  if (!mien_helper_start (&decoder, "vision/mien-decode", input_fd, &problem)) {
    g_set_error (error, problem->domain, problem->code, _("“%s” cannot be opened: %s."), name, problem->message);
    return NULL;
  }

  end = mien_helper_read (&decoder, &header, sizeof header, deadline_us, cancellable);
  if (end != MIEN_HELPER_DONE || header.magic != MIEN_DECODE_MAGIC || header.status > MIEN_DECODE_TOO_LARGE) {
    set_broken (error, end, mien_helper_end (&decoder, end != MIEN_HELPER_SHORT), name);
    return NULL;
  }
  header.format[sizeof header.format - 1] = '\0';
  header.detail[sizeof header.detail - 1] = '\0';
  if (header.status != MIEN_DECODE_OK) {
    g_autofree char *detail = g_utf8_make_valid (header.detail, -1);

    g_strlcpy (header.detail, g_strchomp (detail), sizeof header.detail);
    mien_helper_end (&decoder, TRUE);
    set_refusal (error, &header, name);
    return NULL;
  }
  if (header.width < 1 || header.height < 1 || header.width > MIEN_IMAGE_MAX_SIDE || header.height > MIEN_IMAGE_MAX_SIDE) {
    mien_helper_end (&decoder, TRUE);
    set_broken (error, MIEN_HELPER_SHORT, 0, name);
    return NULL;
  }
  image = mien_image_new ((int) header.width, (int) header.height);
  if (image == NULL) {
    mien_helper_end (&decoder, TRUE);
    header.status = MIEN_DECODE_TOO_LARGE;
    header.detail[0] = '\0';
    set_refusal (error, &header, name);
    return NULL;
  }
  end = mien_helper_read (&decoder, image->pixels, (gsize) image->height * (gsize) image->stride_bytes, deadline_us, cancellable);
  if (end != MIEN_HELPER_DONE) {
    set_broken (error, end, mien_helper_end (&decoder, end != MIEN_HELPER_SHORT), name);
    return NULL;
  }
  mien_helper_end (&decoder, TRUE);
  return g_steal_pointer (&image);
}

MienImage *
mien_image_load_bytes (GBytes *bytes, const char *name, GCancellable *cancellable, GError **error)
{
  g_autofree char *shown = make_display_name (name);
  const guint8 *data;
  gsize n_bytes;
  MienImage *image = NULL;
  int fd;

  data = g_bytes_get_data (bytes, &n_bytes);
  fd = memfd_create ("mien-picture", MFD_CLOEXEC);
  while (fd >= 0 && n_bytes > 0) {
    const ssize_t n = write (fd, data, n_bytes);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    data += n;
    n_bytes -= (gsize) n;
  }
  if (fd < 0 || n_bytes > 0 || lseek (fd, 0, SEEK_SET) != 0)
    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), _("“%s” cannot be opened: %s."), shown, g_strerror (errno));
  else
    image = decode_fd (fd, shown, cancellable, error);
  if (fd >= 0)
    close (fd);
  return image;
}

static MienImage *
load_path (const char *path, const char *shown, GCancellable *cancellable, GError **error)
{
  MienImage *image = NULL;
  struct stat info;
  int fd;

  fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a named pipe must not hold us up */
  if (fd < 0 || fstat (fd, &info) != 0) {
    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), _("“%s” cannot be opened: %s."), shown, g_strerror (errno));
  } else if (S_ISDIR (info.st_mode)) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY, _("“%s” is a folder; open a picture in it."), shown);
  } else if (!S_ISREG (info.st_mode)) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE, _("“%s” is not a file; open a picture."), shown);
  } else if (info.st_size > (off_t) MIEN_DECODE_MAX_FILE) {
    g_set_error (error, MIEN_IMAGE_ERROR, MIEN_IMAGE_ERROR_TOO_LARGE,
                 _("“%s” is too large to be opened; save a smaller copy and open that."), shown);
  } else {
    image = decode_fd (fd, shown, cancellable, error);
  }
  if (fd >= 0)
    close (fd);
  return image;
}

MienImage *
mien_image_load (GFile *file, GCancellable *cancellable, GError **error)
{
  const char *path = g_file_peek_path (file);
  g_autofree char *base = g_file_get_basename (file);
  g_autofree char *shown = make_display_name (base != NULL ? base : "?");
  g_autoptr (GError) local_error = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (path != NULL)
    return load_path (path, shown, cancellable, error);
  bytes = g_file_load_bytes (file, cancellable, NULL, &local_error);
  if (bytes == NULL) {
    g_set_error (error, local_error->domain, local_error->code, _("“%s” cannot be opened: %s."), shown, local_error->message);
    return NULL;
  }
  return mien_image_load_bytes (bytes, shown, cancellable, error);
}

static void
load_thread (GTask *task, gpointer source_object, gpointer task_data, GCancellable *cancellable)
{
  GError *error = NULL;
  MienImage *image = mien_image_load (task_data, cancellable, &error);

  if (image != NULL)
    g_task_return_pointer (task, image, (GDestroyNotify) mien_image_unref);
  else
    g_task_return_error (task, error);
}

void
mien_image_load_async (GFile *file, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);

  g_task_set_source_tag (task, mien_image_load_async);
  g_task_set_task_data (task, g_object_ref (file), g_object_unref);
  g_task_run_in_thread (task, load_thread);
}

MienImage *
mien_image_load_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  return g_task_propagate_pointer (G_TASK (result), error);
}

gboolean
mien_image_save_png (const MienImage *self, const char *path, GError **error)
{
  png_image png = { .version = PNG_IMAGE_VERSION, .width = (png_uint_32) self->width, .height = (png_uint_32) self->height, .format = PNG_FORMAT_RGB };
  g_autofree char *shown = make_display_name (path);
  g_autofree guint8 *rgb = g_try_malloc ((gsize) self->width * (gsize) self->height * 3);
  g_autofree guint8 *data = NULL;
  g_autoptr (GError) local_error = NULL;
  png_alloc_size_t n_bytes = 0;
  guint8 *out = rgb;

  if (rgb != NULL) {
    for (int y = 0; y < self->height; y++) {
      const guint8 *in = self->pixels + (gsize) y * (gsize) self->stride_bytes;

      for (int x = 0; x < self->width; x++, in += 4, out += 3) {
        out[0] = in[2];
        out[1] = in[1];
        out[2] = in[0];
      }
    }
    n_bytes = PNG_IMAGE_PNG_SIZE_MAX (png);
    data = g_try_malloc (n_bytes);
  }
  if (data == NULL || !png_image_write_to_memory (&png, data, &n_bytes, 0, rgb, 0, NULL)) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _("“%s” cannot be saved: %s."), shown, data == NULL ? g_strerror (ENOMEM) : png.message);
    return FALSE;
  }
  if (!g_file_set_contents_full (path, (const char *) data, (gssize) n_bytes, G_FILE_SET_CONTENTS_CONSISTENT, 0666, &local_error)) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _("“%s” cannot be saved: %s."), shown, local_error->message);
    return FALSE;
  }
  return TRUE;
}
