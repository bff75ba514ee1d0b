/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tile registers (Intel AMX), as much of them as the kernels use; tests put an emulation in the place of this file. Eight registers 0 .. 7,
 * named by literal numbers, of up to 16 rows of up to 64 bytes.
 *
 *   tile_configure (config)          sizes of all registers, their contents become 0; until then every other use faults
 *   tile_release ()                  back to the state in which a thread has no tiles to save
 *   tile_zero (t), tile_load (t, from, step), tile_store (t, to, step)      rows lie step bytes apart
 *   tile_multiply (sum, a, b)        sum[m][n] += a[m][2k] * b[k][2n] + a[m][2k + 1] * b[k][2n + 1], a and b bfloat16, sum f32
 *
 * Source   Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, LDTILECFG, TILELOADD, TDPBF16PS */
#pragma once

#include <stdint.h>

/* What LDTILECFG reads: 64 bytes; what is unused must be 0. */
typedef struct {
  uint8_t palette; /* 1 */
  uint8_t start_row;
  uint8_t reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} TileConfig;

_Static_assert (sizeof (TileConfig) == 64, "LDTILECFG reads 64 bytes");

#ifndef MIEN_EMULATED_TILES
#include <immintrin.h>

static inline void
tile_configure (const TileConfig *config)
{
  /* GCC 12 believes that the instruction reads eight bytes. */
  __asm__ volatile("" : : "r"(config) : "memory");
  _tile_loadconfig (config);
}

#define tile_release() _tile_release ()
#define tile_zero(t) _tile_zero (t)
#define tile_load(t, from, step) _tile_loadd (t, from, step)
#define tile_store(t, to, step) _tile_stored (t, to, step)
#define tile_multiply(sum, a, b) _tile_dpbf16ps (sum, a, b)
#endif
