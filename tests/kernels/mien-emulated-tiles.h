/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tile registers of kernels/x86/mien-tiles.h in plain C, as Intel's manual describes the instructions: for kernels to be tested on
 * computers without AMX. What would fault on a real one ends the program with a sentence.
 *
 * Memory   registers belong to the thread, as they do in reality; counts and the switch below to the process, and are set while nothing runs
 * Source   Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2 (operation and exceptions of LDTILECFG, TILELOADD,
 *          TILESTORED, TILEZERO, TDPBF16PS) */
#pragma once

#define MIEN_EMULATED_TILES 1
#include "kernels/x86/mien-tiles.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
  long n_multiplied; /* TDPBF16PS */
  long n_loaded;     /* TILELOADD */
  long n_split;      /* rows that were loaded across the edge of a cache line */
} MienTileCounts;

extern MienTileCounts mien_tile_counts; /* of threads that run alone */
extern bool mien_tiles_broken;          /* multiplications forget the last row of their second factor */

void tile_configure (const TileConfig *config);
void tile_release (void);
void tile_zero (int t);
void tile_load (int t, const void *from, ptrdiff_t step);
void tile_store (int t, void *to, ptrdiff_t step);
void tile_multiply (int sum, int a, int b);
