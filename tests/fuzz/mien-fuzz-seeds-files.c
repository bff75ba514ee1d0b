/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mien-fuzz.h"

#include <archive.h>
#include <archive_entry.h>
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <string.h>

static GBytes *
make_csv (const char *header, const char *usage, gboolean usage_first)
{
  g_autoptr (GString) text = g_string_new (header);

  for (int row = 0; row < 2; row++) {
    g_autoptr (GString) pixels = g_string_new (NULL);
    for (int i = 0; i < 48 * 48; i++)
      g_string_append_printf (pixels, "%s%d", i > 0 ? " " : "", (i + row) % 10);
    if (usage_first)
      g_string_append_printf (text, "%d, %s, %s\r\n", row + 3, usage, pixels->str);
    else
      g_string_append_printf (text, "%d,%s,%s\n", row + 3, pixels->str, usage);
  }
  return g_string_free_to_bytes (g_steal_pointer (&text));
}

static GBytes *
make_picture (const char *type)
{
  g_autoptr (GdkPixbuf) pixbuf = gdk_pixbuf_new (GDK_COLORSPACE_RGB, FALSE, 8, 5, 4);
  char *data = NULL;
  gsize n = 0;

  gdk_pixbuf_fill (pixbuf, 0x8040c0ff);
  if (!gdk_pixbuf_save_to_buffer (pixbuf, &data, &n, type, NULL, NULL))
    return g_bytes_new_static ("", 0);
  return g_bytes_new_take (data, n);
}

static GBytes *
make_archive (gboolean zip, const char *member, GBytes *content)
{
  struct archive *archive = archive_write_new ();
  struct archive_entry *entry = archive_entry_new ();
  const gsize n = g_bytes_get_size (content), room = n + (64 << 10);
  char *data = g_malloc0 (room);
  size_t used = 0;

  if (zip) {
    archive_write_set_format_zip (archive);
  } else {
    archive_write_set_format_ustar (archive);
    archive_write_add_filter_gzip (archive);
  }
  archive_write_set_bytes_in_last_block (archive, 1);
  archive_write_open_memory (archive, data, room, &used);
  archive_entry_set_pathname (entry, member);
  archive_entry_set_size (entry, (la_int64_t) n);
  archive_entry_set_filetype (entry, AE_IFREG);
  archive_entry_set_perm (entry, 0644);
  archive_write_header (archive, entry);
  archive_write_data (archive, g_bytes_get_data (content, NULL), n);
  archive_entry_free (entry);
  archive_write_free (archive);
  g_bytes_unref (content);
  return g_bytes_new_take (data, used);
}

static GBytes *
make_npy (const char *dictionary, const void *data, gsize n)
{
  GByteArray *file = g_byte_array_new ();
  const guint8 length[2] = { (guint8) strlen (dictionary), 0 };

  g_byte_array_append (file, (const guint8 *) "\0\x93NUMPY\x01\x00", 9);
  g_byte_array_append (file, length, 2);
  g_byte_array_append (file, (const guint8 *) dictionary, length[0]);
  g_byte_array_append (file, data, (guint) n);
  return g_byte_array_free_to_bytes (file);
}

static GBytes *
make_checkpoint (void)
{
  static const float weights[4] = { 1, 2, 3, 4 };
  static const char *const names[] = { "w", "average.w" };
  GVariantBuilder tensors;
  GVariantDict dict;
  GByteArray *file = g_byte_array_new ();

  g_variant_builder_init (&tensors, G_VARIANT_TYPE ("a(say)"));
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    g_variant_builder_add (&tensors, "(s@ay)", names[i], g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, weights, sizeof weights, 1));
  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert (&dict, "format", "s", "mien checkpoint 2");
  g_variant_dict_insert (&dict, "run", "s", "another");
  g_variant_dict_insert (&dict, "epoch", "i", 3);
  g_variant_dict_insert (&dict, "step", "x", (gint64) 30);
  g_variant_dict_insert (&dict, "seconds", "d", 1.5);
  g_variant_dict_insert (&dict, "lr-scale", "d", 1.0);
  g_variant_dict_insert (&dict, "cut-epoch", "i", 0);
  g_variant_dict_insert (&dict, "rollbacks", "i", 0);
  g_variant_dict_insert (&dict, "best-epoch", "i", 2);
  g_variant_dict_insert (&dict, "best", "(ddd)", 1.0, 0.5, 0.5);
  g_variant_dict_insert_value (&dict, "tensors", g_variant_builder_end (&tensors));
  g_autoptr (GVariant) checkpoint = g_variant_ref_sink (g_variant_dict_end (&dict));
  g_byte_array_append (file, (const guint8 *) "\1", 1);
  g_byte_array_append (file, g_variant_get_data (checkpoint), (guint) g_variant_get_size (checkpoint));
  return g_byte_array_free_to_bytes (file);
}

GPtrArray *
mien_fuzz_make_files (const char *kind)
{
  GPtrArray *files = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  if (g_str_equal (kind, "dataset")) {
    g_ptr_array_add (files, make_csv ("emotion,pixels,Usage\n", "Training", FALSE));
    g_ptr_array_add (files, make_csv ("emotion, Usage, pixels\r\n", "PublicTest", TRUE));
    g_ptr_array_add (files, make_csv ("\xef\xbb\xbf\"emotion\",\"pixels\",\"Usage\"\n", "\"PrivateTest\"", FALSE));
    g_ptr_array_add (files, make_archive (TRUE, "fer2013.csv", make_csv ("emotion,pixels,Usage\n", "Training", FALSE)));
    g_ptr_array_add (files, make_archive (FALSE, "train/happy/a.bmp", make_picture ("bmp")));
    g_ptr_array_add (files, make_archive (TRUE, "test/Fear/PrivateTest_1.png", make_picture ("png")));
    g_ptr_array_add (files, make_archive (TRUE, "contempt/b.jpg", make_picture ("jpeg")));
  } else if (g_str_equal (kind, "picture")) {
    g_ptr_array_add (files, make_picture ("bmp"));
    g_ptr_array_add (files, make_picture ("png"));
    g_ptr_array_add (files, make_picture ("jpeg"));
  } else {
    static const float f32[6] = { 1, 2, 3, 4, 5, 6 };
    g_ptr_array_add (files, make_npy ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", f32, sizeof f32));
    g_ptr_array_add (files, make_npy ("{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }\n", "\0\1\2", 3));
    g_ptr_array_add (files, make_npy ("{'shape': (), 'fortran_order': True, 'descr': \"<i8\"}", f32, 8));
    g_ptr_array_add (files, make_checkpoint ());
  }
  return files;
}
