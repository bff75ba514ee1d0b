/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures in memory, and reading them from files.
 *
 * Format   8 bits a channel, bytes B G R A, A always 255: what Cairo calls ARGB32 and GStreamer BGRA on little endian,
 *          GDK_MEMORY_B8G8R8A8_PREMULTIPLIED. Rows are stride_bytes apart, first row on top, upright (EXIF applied).
 * Files    decoded by gdk-pixbuf in a process of its own (mien-decode) with limits on time, memory and pixels, so that
 *          a hostile file costs neither the window nor the program. Pictures over MIEN_IMAGE_MAX_SIDE are scaled down.
 * Thread   immutable once shared; the reference count is atomic; loading works on any thread */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define MIEN_IMAGE_MAX_SIDE 8192      /* longest side of a loaded picture, larger ones are reduced */
#define MIEN_IMAGE_TIME_LIMIT_S 10    /* processor seconds a file may take */

typedef struct {
  int width;
  int height;
  int stride_bytes;
  guint8 *pixels;
  /*< private >*/
  gatomicrefcount ref_count;
  GDestroyNotify free_func;
  gpointer free_data;
} MienImage;

/* Zeroed (transparent black): the maker fills in every pixel. NULL when width * height is not 1 .. 2^28. */
MienImage *mien_image_new (int width, int height);

/* Borrows pixels until free_func (free_data). */
MienImage *mien_image_new_take (int width, int height, int stride_bytes, guint8 *pixels, GDestroyNotify free_func, gpointer free_data);
MienImage *mien_image_ref (MienImage *self);
void mien_image_unref (MienImage *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienImage, mien_image_unref)
#define MIEN_TYPE_IMAGE (mien_image_get_type ())
GType mien_image_get_type (void); /* boxed */

/* Errors, each one sentence that names the file and what to do. */
#define MIEN_IMAGE_ERROR (mien_image_error_quark ())
GQuark mien_image_error_quark (void);
typedef enum {
  MIEN_IMAGE_ERROR_DAMAGED,     /* not a picture, or broken */
  MIEN_IMAGE_ERROR_UNSUPPORTED, /* a picture in a format that is not read here */
  MIEN_IMAGE_ERROR_TOO_LARGE,   /* over the limits on pixels, memory or time */
} MienImageError;

MienImage *mien_image_load (GFile *file, GCancellable *cancellable, GError **error);
MienImage *mien_image_load_bytes (GBytes *bytes, const char *name, GCancellable *cancellable, GError **error); /* clipboard; name for messages */
void mien_image_load_async (GFile *file, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
MienImage *mien_image_load_finish (GAsyncResult *result, GError **error);

/* Lossless copy as PNG. */
gboolean mien_image_save_png (const MienImage *self, const char *path, GError **error);

G_END_DECLS
