/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mien-emulated-tiles.h"

#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_TILES = 8, MAX_ROWS = 16, MAX_BYTES = 64 }; /* palette 1 */

typedef struct {
  bool configured;
  TileConfig config;
  unsigned char data[N_TILES][MAX_ROWS][MAX_BYTES];
} Registers;

static __thread Registers registers;

MienTileCounts mien_tile_counts;
bool mien_tiles_broken;

static void
check (bool ok, const char *instruction, const char *what)
{
  if (!ok) {
    printf ("Bail out! %s faults: %s\n", instruction, what);
    fflush (stdout);
    abort ();
  }
}

static void
check_tile (int t, const char *instruction)
{
  check (registers.configured, instruction, "tiles are not configured");
  check (t >= 0 && t < N_TILES, instruction, "there are registers 0 to 7");
  check (registers.config.rows[t] > 0 && registers.config.row_bytes[t] > 0, instruction, "the register is not configured");
}

void
tile_configure (const TileConfig *config)
{
  const unsigned char *bytes = (const unsigned char *) config;

  /* The layout in memory is looked at byte by byte, not through the structure that the kernels fill. */
  check (bytes[0] == 1, "LDTILECFG", "byte 0, the palette, is not 1"); /* 0 would release them */
  for (int i = 2; i < 16; i++)
    check (bytes[i] == 0, "LDTILECFG", "bytes 2 to 15 are reserved");
  for (int i = 32; i < 48; i++)
    check (bytes[i] == 0, "LDTILECFG", "bytes 32 to 47 are reserved");
  for (int i = 56; i < 64; i++)
    check (bytes[i] == 0, "LDTILECFG", "bytes 56 to 63 are reserved");
  for (int t = 0; t < N_TILES; t++) {
    const int row_bytes = bytes[16 + 2 * t] + 256 * bytes[17 + 2 * t], rows = bytes[48 + t];
    check (row_bytes <= MAX_BYTES && rows <= MAX_ROWS, "LDTILECFG", "a register is too large");
    check ((row_bytes == 0) == (rows == 0), "LDTILECFG", "a register has rows without bytes, or bytes without rows");
  }
  registers.config = *config;
  registers.configured = true;
  memset (registers.data, 0, sizeof registers.data);
}

void
tile_release (void)
{
  registers.configured = false;
  memset (registers.data, 0xff, sizeof registers.data);
}

void
tile_zero (int t)
{
  check_tile (t, "TILEZERO");
  memset (registers.data[t], 0, sizeof registers.data[t]);
}

void
tile_load (int t, const void *from, ptrdiff_t step)
{
  check_tile (t, "TILELOADD");
  memset (registers.data[t], 0, sizeof registers.data[t]);
  for (int m = 0; m < registers.config.rows[t]; m++) {
    const char *row = (const char *) from + m * step;
    memcpy (registers.data[t][m], row, registers.config.row_bytes[t]);
    mien_tile_counts.n_split += ((size_t) row & 63) + registers.config.row_bytes[t] > 64;
  }
  mien_tile_counts.n_loaded++;
}

void
tile_store (int t, void *to, ptrdiff_t step)
{
  check_tile (t, "TILESTORED");
  for (int m = 0; m < registers.config.rows[t]; m++)
    memcpy ((char *) to + m * step, registers.data[t][m], registers.config.row_bytes[t]);
}

/* Sums of even and of odd elements apart, fused, then both together; denormals are 0, MXCSR plays no part in it. */
void
tile_multiply (int sum, int a, int b)
{
  const TileConfig *config = &registers.config;
  const char *const name = "TDPBF16PS";

  check_tile (sum, name);
  check_tile (a, name);
  check_tile (b, name);
  check (sum != a && sum != b && a != b, name, "two operands are the same register");
  check (config->row_bytes[a] % 4 == 0 && config->row_bytes[sum] % 4 == 0, name, "rows of sums or of the first factor are not whole pairs");
  check (config->row_bytes[a] / 4 == config->rows[b], name, "the factors do not fit together");
  check (config->rows[sum] == config->rows[a], name, "the sums have not as many rows as the first factor");
  check (config->row_bytes[sum] == config->row_bytes[b], name, "the sums are not as wide as the second factor");

  const int n_k = config->row_bytes[a] / 4 - mien_tiles_broken, n_n = config->row_bytes[sum] / 4;
  const unsigned int csr = _mm_getcsr ();
  _mm_setcsr ((csr & ~0x6000u) | 0x8040); /* nearest even, FTZ, DAZ */
  for (int m = 0; m < config->rows[sum]; m++) {
    float sums[MAX_BYTES / 4], even[MAX_BYTES / 4] = { 0 }, odd[MAX_BYTES / 4] = { 0 };
    unsigned int pair, factor[MAX_BYTES / 4];
    for (int k = 0; k < n_k; k++) {
      float x[2];
      memcpy (&pair, registers.data[a][m] + 4 * k, 4);
      memcpy (factor, registers.data[b][k], sizeof factor);
      memcpy (&x[0], &(unsigned int) { pair << 16 }, 4);
      memcpy (&x[1], &(unsigned int) { pair & 0xffff0000 }, 4);
      for (int n = 0; n < n_n; n++) {
        float y[2];
        memcpy (&y[0], &(unsigned int) { factor[n] << 16 }, 4);
        memcpy (&y[1], &(unsigned int) { factor[n] & 0xffff0000 }, 4);
        even[n] = __builtin_fmaf (x[0], y[0], even[n]);
        odd[n] = __builtin_fmaf (x[1], y[1], odd[n]);
      }
    }
    memcpy (sums, registers.data[sum][m], sizeof sums);
    for (int n = 0; n < n_n; n++)
      sums[n] += even[n] + odd[n];
    memset (registers.data[sum][m], 0, MAX_BYTES);
    memcpy (registers.data[sum][m], sums, (size_t) n_n * 4);
  }
  for (int m = config->rows[sum]; m < MAX_ROWS; m++)
    memset (registers.data[sum][m], 0, MAX_BYTES);
  _mm_setcsr (csr);
  mien_tile_counts.n_multiplied++;
}
