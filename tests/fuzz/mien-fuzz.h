/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a fuzzer throws bytes at. Each function takes any bytes and returns; an assertion, a sanitizer's report, a critical warning or
 * a long wait is a bug. tests/fuzz/run feeds them with libFuzzer, test-corpus with the inputs that are kept.
 *
 * Thread   one at a time */
#pragma once

#include <glib.h>
#include <string.h>

G_BEGIN_DECLS

/* ONNX reader, planner and executor at every processor level, model loader, writer. */
void mien_fuzz_onnx (const guint8 *data, gsize n_bytes);

/* Data sets: CSV, archives of CSV and of pictures. */
void mien_fuzz_dataset (const guint8 *data, gsize n_bytes);

/* First byte even: .npy files; odd: checkpoints of a training run. */
void mien_fuzz_files (const guint8 *data, gsize n_bytes);

/* Pictures of data sets. */
void mien_fuzz_picture (const guint8 *data, gsize n_bytes);

/* An ONNX file changed by someone who knows what messages it consists of: fields removed, repeated, exchanged, numbers and names
 * replaced, lengths right again. change: applied to single byte strings, returns the new length, max_n at most.
 * (transfer full) */
typedef gsize (*MienFuzzChangeFn) (guint8 *data, gsize n, gsize max_n);
GByteArray *mien_fuzz_mutate_onnx (const guint8 *data, gsize n_bytes, guint32 seed, MienFuzzChangeFn change);

/* Two small networks for each operator there is, one of them on pictures without pixels, and some of several layers: GBytes. (transfer full) */
GPtrArray *mien_fuzz_make_networks (void);

/* Small files for the other functions; kind: "dataset", "files", "picture". (transfer full) */
GPtrArray *mien_fuzz_make_files (const char *kind);

/* Every refusal is one. MIEN_FUZZ_VERBOSE in the environment shows it. */
static inline void
mien_fuzz_check_sentence (const GError *error)
{
  g_assert_nonnull (error);
  if (G_UNLIKELY (g_getenv ("MIEN_FUZZ_VERBOSE") != NULL))
    g_printerr ("%s\n", error->message);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_cmpuint (strlen (error->message), >, 5);
  g_assert_cmpuint (strlen (error->message), <, 2000);
  g_assert_null (strchr (error->message, '\n'));
}

G_END_DECLS
