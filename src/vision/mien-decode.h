/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What mien-decode and its caller agree on; private to mien-image.c, mien-decode.c and their tests.
 *
 * mien-decode   reads one picture file from its standard input and writes one MienDecodeHeader to its standard output;
 *               with status MIEN_DECODE_OK, height rows of width * 4 bytes (B G R A, A = 255) follow without gaps
 * Trust         the caller believes nothing: magic, status and sizes are checked before memory is allocated, and a
 *               decoder that says too little, too much or nothing is a damaged picture */
#pragma once

#include <glib.h>

#define MIEN_DECODE_MAGIC 0x4e45494du            /* "MIEN" */
#define MIEN_DECODE_MAX_FILE (512u << 20)        /* bytes of a file */
#define MIEN_DECODE_MAX_PIXELS (160u << 20)      /* decoded at full size; JPEG is reduced while decoding and may have more */
#define MIEN_DECODE_MAX_MEMORY (2048ull << 20)   /* address space of the decoder */

typedef enum {
  MIEN_DECODE_OK,
  MIEN_DECODE_DAMAGED,     /* format: what it claims to be, or empty when it is no picture at all */
  MIEN_DECODE_UNSUPPORTED, /* format: what it is */
  MIEN_DECODE_TOO_LARGE,   /* detail: which limit */
} MienDecodeStatus;

typedef struct {
  guint32 magic;
  guint32 status;
  guint32 width;
  guint32 height;
  char format[32];  /* "PNG"; NUL-terminated UTF-8 */
  char detail[224]; /* the decoding library's words, in the reader's language; NUL-terminated UTF-8, may be empty */
} MienDecodeHeader;
