/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A processor that has tiles because they are emulated: takes the place of kernels/mien-cpu.c in the library. */
#define mien_cpu_detect detect_real
#define mien_cpu_level level_real
#include "kernels/mien-cpu.c"
#undef mien_cpu_detect
#undef mien_cpu_level

MienCpuLevel mien_cpu_detect (void);
MienCpuLevel mien_cpu_level (void);

/* Level amx of a real processor is emulated as well; one without level bf16 has nothing that the emulation could rest on. */
MienCpuLevel
mien_cpu_detect (void)
{
  return detect_real () >= MIEN_CPU_BF16 ? MIEN_CPU_AMX : detect_real ();
}

MienCpuLevel
mien_cpu_level (void)
{
  MienCpuLevel cap = MIEN_CPU_AMX;

  mien_cpu_level_parse (getenv ("MIEN_CPU") != NULL ? getenv ("MIEN_CPU") : "amx", &cap);
  return cap < mien_cpu_detect () ? cap : mien_cpu_detect ();
}
