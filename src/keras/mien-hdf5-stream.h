/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What mien-hdf5-reader and its caller agree on; private to mien-hdf5.c, mien-hdf5-reader.c and their tests.
 *
 * mien-hdf5-reader  reads an HDF5 file that is its standard input (a file, not a pipe) and writes records to its standard output: the
 *                   description, each layer followed by its weights, the end; or only one that refuses the file
 * Record            a MienHdf5Record, n_text bytes of UTF-8 without a NUL, and for a weight with status MIEN_HDF5_OK the elements of dims as
 *                   f32, the last dimension running fastest
 * Trust             the caller checks all of it */
#pragma once

#include <glib.h>

#define MIEN_HDF5_MAGIC 0x4446484du                                  /* "MHFD" */
#define MIEN_HDF5_MAX_FILE (G_GUINT64_CONSTANT (1) << 30)
#define MIEN_HDF5_MAX_TEXT (G_GUINT64_CONSTANT (64) << 20)           /* bytes, together */
#define MIEN_HDF5_MAX_ELEMS (G_GUINT64_CONSTANT (1) << 28)           /* together */
#define MIEN_HDF5_MAX_RECORDS 65536
#define MIEN_HDF5_MAX_RANK 8
#define MIEN_HDF5_MAX_MEMORY (G_GUINT64_CONSTANT (2048) << 20)       /* address space of the reader */

/* Processor seconds that a file may take: what a good one of that size takes on a slow computer, many times over. */
static inline guint
mien_hdf5_time_limit_s (guint64 n_bytes)
{
  return 2 + (guint) (n_bytes >> 26);
}

typedef enum {
  MIEN_HDF5_FILE,   /* refused as a whole; the only record */
  MIEN_HDF5_CONFIG, /* text: the description */
  MIEN_HDF5_LAYER,  /* text: its name */
  MIEN_HDF5_WEIGHT, /* of the layer before; text: its name */
  MIEN_HDF5_END,
} MienHdf5Kind;

typedef enum {
  MIEN_HDF5_OK,
  MIEN_HDF5_ABSENT,
  MIEN_HDF5_NO_HDF5,
  MIEN_HDF5_DAMAGED,
  MIEN_HDF5_TOO_LARGE,
  MIEN_HDF5_LINK,      /* by name, or into another file */
  MIEN_HDF5_ELSEWHERE, /* numbers in other files */
  MIEN_HDF5_NOT_TEXT,
  MIEN_HDF5_NOT_UTF8,
  MIEN_HDF5_NOT_ARRAY,
  MIEN_HDF5_NOT_FLOAT,
  MIEN_HDF5_RANK,
  MIEN_HDF5_FILTER,    /* compressed in a way that this libhdf5 does not know */
  MIEN_HDF5_N_STATUS,
} MienHdf5Status;

typedef struct {
  guint32 magic;
  guint32 kind;
  guint32 status;
  guint32 rank;
  guint64 n_text;
  guint64 dims[MIEN_HDF5_MAX_RANK];
} MienHdf5Record;
