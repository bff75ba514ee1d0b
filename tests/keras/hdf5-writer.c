/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See hdf5-writer.h. Written from the format's specification alone. */
#include "hdf5-writer.h"

#include <string.h>

static void
put (GByteArray *file, guint64 value, int n)
{
  for (int i = 0; i < n; i++, value >>= 8)
    g_byte_array_append (file, &(guint8) { (guint8) value }, 1);
}

static void
align (GByteArray *file)
{
  while (file->len % 8 != 0)
    put (file, 0, 1);
}

GByteArray *
hdf_new (void)
{
  static const guint8 signature[] = { 0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n' };
  GByteArray *file = g_byte_array_new ();

  g_byte_array_append (file, signature, 8);
  put (file, 0, 5);
  put (file, 8, 1);
  put (file, 8, 1);
  put (file, 0, 1);
  put (file, 4, 2);
  put (file, 16, 2);
  put (file, 0, 4);
  put (file, 0, 8);          /* base */
  put (file, G_MAXUINT64, 8); /* no free space */
  put (file, 0, 8);          /* end of file, set at the end */
  put (file, G_MAXUINT64, 8); /* no driver */
  put (file, 0, 8);          /* root: name */
  put (file, 0, 8);          /* root: object, set at the end */
  put (file, 0, 24);
  return file;
}

void
hdf_finish (GByteArray *file, guint64 root)
{
  for (int i = 0; i < 8; i++) {
    file->data[40 + i] = (guint8) ((guint64) file->len >> 8 * i);
    file->data[64 + i] = (guint8) (root >> 8 * i);
  }
}

static void
put_message (GByteArray *messages, int type, GByteArray *body)
{
  align (body);
  put (messages, (guint64) type, 2);
  put (messages, body->len, 2);
  put (messages, 0, 4);
  g_byte_array_append (messages, body->data, body->len);
  g_byte_array_set_size (body, 0);
}

static guint64
put_object (GByteArray *file, GByteArray *messages, int n)
{
  guint64 object;

  align (file);
  object = file->len;
  put (file, 1, 2);
  put (file, (guint64) n, 2);
  put (file, 1, 4);
  put (file, messages->len, 4);
  put (file, 0, 4);
  g_byte_array_append (file, messages->data, messages->len);
  return object;
}

static void
put_dataspace (GByteArray *body, int rank, const int *dims)
{
  put (body, 1, 1);
  put (body, (guint64) rank, 1);
  put (body, 0, 6);
  for (int i = 0; i < rank; i++)
    put (body, (guint64) dims[i], 8);
}

guint64
hdf_add_array (GByteArray *file, const float *values, int rank, const int *dims)
{
  g_autoptr (GByteArray) messages = g_byte_array_new (), body = g_byte_array_new ();
  guint64 at, n = 4;

  for (int i = 0; i < rank; i++)
    n *= (guint64) dims[i];
  align (file);
  at = file->len;
  g_byte_array_append (file, (const guint8 *) values, (guint) n);

  put_dataspace (body, rank, dims);
  put_message (messages, 1, body);
  put (body, 0x11, 1); /* version 1, floating point */
  put (body, 0x1f20, 3); /* little endian, sign in bit 31, leading one implied */
  put (body, 4, 4);
  put (body, 0, 2);
  put (body, 32, 2);
  put (body, 0x00170817, 4); /* exponent at 23, 8 bits; mantissa at 0, 23 bits */
  body->data[body->len - 4] = 23;
  body->data[body->len - 3] = 8;
  body->data[body->len - 2] = 0;
  body->data[body->len - 1] = 23;
  put (body, 127, 4);
  put_message (messages, 3, body);
  put (body, 0x0103, 2); /* version 3, contiguous */
  put (body, at, 8);
  put (body, n, 8);
  put_message (messages, 8, body);
  return put_object (file, messages, 3);
}

guint64
hdf_add_group (GByteArray *file, const HdfLink *links, int n_links, const HdfAttr *attr)
{
  g_autoptr (GByteArray) messages = g_byte_array_new (), body = g_byte_array_new ();

  put (body, 0, 2);
  put (body, G_MAXUINT64, 8);
  put (body, G_MAXUINT64, 8);
  put_message (messages, 2, body);
  for (int i = 0; i < n_links; i++) {
    put (body, 1, 2);
    put (body, strlen (links[i].name), 1);
    g_byte_array_append (body, (const guint8 *) links[i].name, (guint) strlen (links[i].name));
    put (body, links[i].object, 8);
    put_message (messages, 6, body);
  }
  if (attr != NULL) {
    int n = 0, width = 1;

    for (; attr->values[n] != NULL; n++)
      width = MAX (width, (int) strlen (attr->values[n]));
    put (body, 1, 2);
    put (body, strlen (attr->name) + 1, 2);
    put (body, 8, 2);
    put (body, 16, 2);
    g_byte_array_append (body, (const guint8 *) attr->name, (guint) strlen (attr->name) + 1);
    align (body);
    put (body, 0x13, 1); /* version 1, string */
    put (body, 1, 3);    /* padded with zeros */
    put (body, (guint64) width, 4);
    put_dataspace (body, 1, &n);
    for (int i = 0; i < n; i++) {
      g_byte_array_append (body, (const guint8 *) attr->values[i], (guint) strlen (attr->values[i]));
      put (body, 0, width - (int) strlen (attr->values[i]));
    }
    put_message (messages, 0xc, body);
  }
  return put_object (file, messages, 1 + n_links + (attr != NULL));
}
