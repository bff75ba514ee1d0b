/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Processor levels. Every level includes the ones below it, so a kernel table is filled from C upward and stops at
 * the first level that is missing. Each architecture has its own ladder; the words of another one are not known.
 *
 *   c        portable C, on vectors of four             (the only level of other architectures)
 *
 * x86-64
 *   avx2     AVX2, FMA, F16C                            (YMM state in XCR0)
 *   avx512   AVX-512 F, BW, DQ, VL                      (ZMM and mask state in XCR0)
 *   bf16     AVX-512 BF16 and VNNI
 *   amx      AMX-TILE, AMX-BF16                         (tile state in XCR0, granted by the kernel: arch_prctl; and convolutions on
 *                                                       tiles give the same answers as those of level bf16)
 *
 * AArch64
 *   neon     Advanced SIMD                              (every such processor has it)
 *
 * Products of bfloat16 on vectors (VDPBF16PS) are two multiply-adds in one. AMD's processors make them in the time of one or two multiply-adds of f32,
 * Intel's in that of four (Emerald Rapids: 0.75 and 0.18 ns): there f32 is twice as fast, and bfloat16 is for tiles and for weights that
 * are bound by reading them.
 *
 * Thread   all functions are pure except mien_cpu_detect(), which, called by others too, finds out once and asks the kernel for tile state, which
 *          all threads of the process then have, earlier ones too; any thread. */
#pragma once

#include <stdbool.h>

typedef enum {
  MIEN_CPU_C = 0,
#if defined(__x86_64__)
  MIEN_CPU_AVX2 = 1,
  MIEN_CPU_AVX512 = 2,
  MIEN_CPU_BF16 = 3,
  MIEN_CPU_AMX = 4,
#elif defined(__aarch64__)
  MIEN_CPU_NEON = 1,
#endif
  MIEN_CPU_N_LEVELS
} MienCpuLevel;

/* What this processor and kernel permit, ignoring the environment. */
MienCpuLevel mien_cpu_detect (void);

/* mien_cpu_detect(), lowered by the name of a level in MIEN_CPU in the environment. An unknown word is ignored. */
MienCpuLevel mien_cpu_level (void);

/* Whether there is anything to gain from bfloat16: weights of half the size from avx2 on, products further up. */
bool mien_cpu_has_bf16 (MienCpuLevel level);

/* Whether products of bfloat16 on vectors are no slower than those of f32; false where there are none. Who made the processor decides, no clock. */
bool mien_cpu_bf16_pays (MienCpuLevel level);

/* "c", "avx2", "neon", ...; never NULL for a valid level. */
const char *mien_cpu_level_name (MienCpuLevel level);

/* false, and *level untouched, when name is not a level. */
bool mien_cpu_level_parse (const char *name, MienCpuLevel *level);
