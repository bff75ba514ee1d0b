/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether several threads are faster than one for what is done again and again. That depends on the network and on the computer at that moment: what
 * one processor has written takes another 0.1 to 0.5 us a line to read, which small layers do not earn back, and shared computers have processors
 * that come and go.
 *
 * Now and then a few runs are made in both ways in turn, and the way with the smaller median is taken until then; one thread where there is nothing
 * between them.
 *
 * Thread   one at a time */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

enum { MIEN_PACE_TRIALS = 3, MIEN_PACE_PERIOD = 400 }; /* runs in either way, and runs from trials to trials */

typedef struct {
  int n_runs;                           /* of this period */
  gboolean together;                    /* what the last trials said */
  gint64 took_ns[2][MIEN_PACE_TRIALS]; /* alone, together */
} MienPace;

#define MIEN_PACE_INIT ((MienPace) { 0 })

/* TRUE: the next run takes all threads. */
gboolean mien_pace_next (const MienPace *self);
void mien_pace_took (MienPace *self, gint64 ns);

G_END_DECLS
