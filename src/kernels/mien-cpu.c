/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which instruction sets may be used: CPUID says what the processor has, XCR0 what the kernel saves, and for AMX the
 * kernel is asked for permission as well. */
#include "kernels/mien-cpu.h"

#include "kernels/mien-backward.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

static const char *const level_names[MIEN_CPU_N_LEVELS] = {
  "c",
#if defined(__x86_64__)
  "avx2", "avx512", "bf16", "amx",
#elif defined(__aarch64__)
  "neon",
#endif
};

#if defined(__x86_64__)
static uint64_t
read_xcr0 (void)
{
  uint32_t low, high;

  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t) high << 32 | low;
}

/* Linux hands out tile state on request only: ARCH_REQ_XCOMP_PERM for XFEATURE_XTILEDATA. */
static bool
ask_for_tiles (void)
{
  enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };

  return syscall (SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

/* Convolutions on tiles and their gradients are tried out, once, before they are relied on. */
static bool
tiles_work (void)
{
  MienBlockedKernels vectors, tiles;
  MienBackwardKernels back_vectors, back_tiles;

  mien_blocked_kernels_init_bf16 (&vectors, MIEN_CPU_BF16);
  mien_blocked_kernels_init_tiles (&tiles, MIEN_CPU_AMX);
  mien_backward_kernels_init_bf16 (&back_vectors, MIEN_CPU_BF16);
  mien_backward_kernels_init_tiles (&back_tiles, MIEN_CPU_AMX);
  return mien_blocked_agree (&vectors, &tiles) && mien_backward_agree (&vectors, &back_vectors, &tiles, &back_tiles);
}

static bool
all_of (uint64_t value, uint64_t bits)
{
  return (value & bits) == bits;
}
#endif

static MienCpuLevel
probe (void)
{
#if defined(__x86_64__)
  enum { XCR0_YMM = 0x6, XCR0_ZMM = 0xe6, XCR0_TILES = 0x60000 };
  uint32_t a, b, c, d, b7, c7, d7, a71 = 0, unused;

  if (!__get_cpuid (1, &a, &b, &c, &d) || !all_of (c, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C))
    return MIEN_CPU_C;
  const uint64_t xcr0 = read_xcr0 ();
  if (!__get_cpuid_count (7, 0, &a, &b7, &c7, &d7) || !all_of (b7, bit_AVX2) || !all_of (xcr0, XCR0_YMM))
    return MIEN_CPU_C;
  if (!all_of (b7, (uint32_t) (bit_AVX512F | bit_AVX512BW | bit_AVX512DQ) | 1u << 31) || !all_of (xcr0, XCR0_ZMM))
    return MIEN_CPU_AVX2;
  if (a >= 1)
    __get_cpuid_count (7, 1, &a71, &unused, &unused, &unused);
  if (!all_of (a71, 1u << 5) || !all_of (c7, 1u << 11)) /* AVX512_BF16, AVX512_VNNI */
    return MIEN_CPU_AVX512;
  if (!all_of (d7, 1u << 24 | 1u << 22) || !all_of (xcr0, XCR0_TILES) || !ask_for_tiles () || !tiles_work ()) /* AMX-TILE, AMX-BF16 */
    return MIEN_CPU_BF16;
  return MIEN_CPU_AMX;
#elif defined(__aarch64__)
  return MIEN_CPU_NEON;
#else
  return MIEN_CPU_C;
#endif
}

static bool
made_by_intel (void)
{
#if defined(__x86_64__)
  uint32_t most, b, c, d;

  return __get_cpuid (0, &most, &b, &c, &d) && b == signature_INTEL_ebx && d == signature_INTEL_edx && c == signature_INTEL_ecx;
#else
  return false;
#endif
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct {
  MienCpuLevel level;
  bool intel;
} detected;

/* In a virtual machine each CPUID leaves it, which takes about ten microseconds. */
static void
detect (void)
{
  detected.level = probe ();
  detected.intel = made_by_intel ();
}

MienCpuLevel
mien_cpu_detect (void)
{
  pthread_once (&once, detect);
  return detected.level;
}

MienCpuLevel
mien_cpu_level (void)
{
  const char *name = getenv ("MIEN_CPU");
  MienCpuLevel has = mien_cpu_detect (), cap;

  if (name != NULL && mien_cpu_level_parse (name, &cap) && cap < has)
    return cap;
  return has;
}

bool
mien_cpu_has_bf16 (MienCpuLevel level)
{
#if defined(__x86_64__)
  return level >= MIEN_CPU_AVX2;
#else
  return false;
#endif
}

bool
mien_cpu_bf16_pays (MienCpuLevel level)
{
#if defined(__x86_64__)
  pthread_once (&once, detect);
  return level >= MIEN_CPU_BF16 && !detected.intel;
#else
  return false;
#endif
}

const char *
mien_cpu_level_name (MienCpuLevel level)
{
  return level < MIEN_CPU_N_LEVELS ? level_names[level] : NULL;
}

bool
mien_cpu_level_parse (const char *name, MienCpuLevel *level)
{
  for (int i = 0; i < MIEN_CPU_N_LEVELS; i++) {
    if (strcmp (name, level_names[i]) == 0) {
      *level = (MienCpuLevel) i;
      return true;
    }
  }
  return false;
}
