/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Processor levels. Every level includes the ones below it, so a kernel table is filled from C upward and stops at
 * the first level that is missing.
 *
 *   c        portable C
 *   avx2     AVX2, FMA, F16C                            (YMM state in XCR0)
 *   avx512   AVX-512 F, BW, DQ, VL                      (ZMM and mask state in XCR0)
 *   bf16     AVX-512 BF16 and VNNI
 *   amx      AMX-TILE, AMX-BF16                         (tile state in XCR0, and granted by the kernel: arch_prctl)
 *
 * Thread   all functions are pure except mien_cpu_detect(), which asks the kernel for tile state once; any thread. */
#pragma once

#include <stdbool.h>

typedef enum {
  MIEN_CPU_C = 0,
  MIEN_CPU_AVX2 = 1,
  MIEN_CPU_AVX512 = 2,
  MIEN_CPU_BF16 = 3,
  MIEN_CPU_AMX = 4,
} MienCpuLevel;
#define MIEN_CPU_N_LEVELS 5

/* What this processor and kernel permit, ignoring the environment. */
MienCpuLevel mien_cpu_detect (void);

/* mien_cpu_detect(), lowered by MIEN_CPU=c|avx2|avx512|bf16|amx in the environment. An unknown word is ignored. */
MienCpuLevel mien_cpu_level (void);

/* "c", "avx2", ...; never NULL for a valid level. */
const char *mien_cpu_level_name (MienCpuLevel level);

/* false, and *level untouched, when name is not a level. */
bool mien_cpu_level_parse (const char *name, MienCpuLevel *level);
