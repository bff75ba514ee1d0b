/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the ONNX reader share. All errors are MIEN_NN_ERROR or G_FILE_ERROR, without the file's name in front:
 * the public functions add it. */
#pragma once

#include "nn/mien-file.h"
#include "nn/mien-graph.h"
#include "onnx.pb-c.h"

G_BEGIN_DECLS

#define MIEN_ONNX_MAX_FILE (G_GUINT64_CONSTANT (1) << 30) /* also the limit of all external data together */
#define MIEN_ONNX_MAX_NODES 100000
#define MIEN_ONNX_MAX_VALUES 100000
#define MIEN_ONNX_MAX_OPSET 22 /* what belongs to IR version 10 */
#define MIEN_ONNX_MIN_IR 3
#define MIEN_ONNX_MAX_IR 10

/* Walks over a serialised message without unpacking it and refuses what protobuf-c must not see: messages nested so deeply
 * that recursion would exhaust the stack, lengths beyond the end, so many fields that unpacking would exhaust the memory,
 * singular messages that come twice (merging them takes quadratic time), names that are not UTF-8 or hold a zero byte.
 * Takes no memory and time linear in n. */
gboolean mien_onnx_scan (const ProtobufCMessageDescriptor *descriptor, const guint8 *data, gsize n, GError **error);

/* What else than ONNX the bytes seem to be, as a sentence's end ("is a web page, not a network"); NULL when nothing known. */
const char *mien_onnx_sniff (const guint8 *data, gsize n);

/* Where external data may come from, and how much of it has been read. */
typedef struct {
  const char *folder; /* (nullable) borrowed: NULL refuses external data */
  guint64 n_read;
} MienOnnxExternal;

/* n_bytes at offset of the file called location below the folder, into data. has_length: the file said n_bytes itself; if
 * not, the data must end where the file ends. */
gboolean mien_onnx_read_external (MienOnnxExternal *external, const char *location, guint64 offset, gboolean has_length,
                                  guint8 *data, gsize n_bytes, GError **error);

/* From this size on a tensor takes the memory in which its bytes are instead of a copy, or leaves them in the file: touching new pages is most of the
 * time of reading. */
#ifndef MIEN_ONNX_TAKEN_BYTES /* less for fuzzers, whose files are small */
#define MIEN_ONNX_TAKEN_BYTES (64 * 1024)
#endif

/* The payload of an initializer; n is 0 where it is in the proto. */
typedef struct {
  gsize offset; /* in the file */
  gsize n;
} MienOnnxPayload;

/* An open file, for as long as tensors are in it: a g_atomic_rc_box_new(). */
typedef struct {
  int fd;
} MienOnnxFile;

void mien_onnx_file_unref (MienOnnxFile *self); /* the last one closes it */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienOnnxFile, mien_onnx_file_unref)

/* Payloads that were cut out, of each initializer, and where they are. */
typedef struct {
  GArray *payloads;   /* MienOnnxPayload */
  GBytes *bytes;      /* NULL: in the file */
  MienOnnxFile *file; /* NULL: in the bytes */
} MienOnnxCut;

/* payload: (nullable) of proto, in cut. Frees the payload that proto itself has once it is copied, to keep the peak of memory low. */
MienTensor *mien_onnx_tensor (Onnx__TensorProto *proto, MienOnnxExternal *external, const MienOnnxCut *cut, const MienOnnxPayload *payload, GError **error);

/* A copy of a serialised ModelProto that mien_onnx_scan() has passed, without the large payloads (raw_data) of its initializers, so that
 * protobuf-c does not copy those; payloads gets a MienOnnxPayload for each initializer. They are moved to where they are 16-byte aligned: data is only
 * good for them afterwards. NULL with data untouched when most of it is something else, or when there is no room to move. */
GByteArray *mien_onnx_cut_payloads (guint8 *data, gsize n_bytes, GArray *payloads);

/* The same of a file that nobody has looked at, without its payloads: they are not read. The copy is still to be scanned; NULL for what is no such
 * message, too, and when the file cannot be read. */
GByteArray *mien_onnx_cut_file (int fd, gsize n_bytes, GArray *payloads);

/* Where payloads that stay in place begin in a file: at a cache line. */
enum { MIEN_ONNX_ALIGNMENT = 64 };

/* Aligns the large payloads of initializers in the file that the model will be packed to: spaces as doc_string of what stands before them. To be called
 * when everything else is there. blocks: owns the spaces, and must outlive the packing. */
void mien_onnx_align_payloads (Onnx__ModelProto *model, GPtrArray *blocks);

G_END_DECLS
