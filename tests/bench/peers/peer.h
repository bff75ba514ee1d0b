/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What bench-peers asks of every engine: one table of functions, one file an engine. Engines lie beside each other in one
 * process (or have a process of their own, and measure there), so that they can take turns.
 *
 * Errors   GError; the message is the reason why the engine is left out
 * Thread   everything is called from the main thread */
#pragma once

#include <time.h>

#include "peers/peer-layers.h"

G_BEGIN_DECLS

#include "kernels/mien-cpu.h" /* knows nothing of C++ */

#define PEER_N_LABELS 7
#define PEER_INPUT_ELEMS (48 * 48)

typedef enum {
  PEER_F32,
  PEER_BF16,
} PeerPrecision;

typedef struct {
  const char *path;         /* the ONNX file, batch open */
  MienGraph *graph;         /* the same, read */
  const PeerLayers *layers; /* the same as a list */
  int batch;
  int threads;
  PeerPrecision precision;
  int core;                 /* where a single thread runs; for engines in a process of their own */
  MienCpuLevel level;
  const float *input;       /* [batch][1][48][48], outlives the engine */
} PeerJob;

typedef struct {
  const char *name;
  gboolean has_bf16;
  /* Once, before anything else, with all processors allowed. (transfer full) the version. */
  char *(*start) (MienCpuLevel level, GError **error);
  void *(*open) (const PeerJob *job, GError **error);
  /* n runs, each timed. */
  gboolean (*run) (void *engine, int n, double *us, GError **error);
  /* probabilities[batch][7] of the last run */
  gboolean (*read) (void *engine, float *probabilities, GError **error);
  void (*close) (void *engine);
  /* What an engine really computes in when asked for bfloat16; NULL: what it was asked for. */
  PeerPrecision (*precision) (void *engine);
} Peer;

/* Reasons found when the build was configured. */
typedef struct {
  const char *name;
  const Peer *peer;   /* NULL: not built */
  const char *reason; /* why not */
} PeerEntry;

extern const Peer peer_mien, peer_onednn, peer_opencv, peer_xnnpack, peer_ort, peer_torch;

static inline double
peer_now_us (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e6 + now.tv_nsec * 1e-3;
}

G_END_DECLS
