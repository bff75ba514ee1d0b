/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libFuzzer's entry points around one function of mien-fuzz.h: TARGET; MUTATE_ONNX for ONNX files. */
#include <stdint.h>
#include <string.h>

#include "mien-fuzz.h"

int LLVMFuzzerInitialize (int *argc, char ***argv);
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t n_bytes);

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  g_log_set_always_fatal ((GLogLevelFlags) (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING | G_LOG_FATAL_MASK));
  return 0;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t n_bytes)
{
  TARGET (data, n_bytes);
  return 0;
}

#if MUTATE_ONNX
size_t LLVMFuzzerMutate (uint8_t *data, size_t n, size_t max_n);
size_t LLVMFuzzerCustomMutator (uint8_t *data, size_t n, size_t max_n, unsigned int seed);

size_t
LLVMFuzzerCustomMutator (uint8_t *data, size_t n, size_t max_n, unsigned int seed)
{
  if (seed % 8 == 0)
    return LLVMFuzzerMutate (data, n, max_n);
  GByteArray *changed = mien_fuzz_mutate_onnx (data, n, seed, LLVMFuzzerMutate);
  const size_t n_changed = changed->len <= max_n ? changed->len : 0;
  if (n_changed > 0)
    memcpy (data, changed->data, n_changed);
  g_byte_array_unref (changed);
  return n_changed > 0 ? n_changed : LLVMFuzzerMutate (data, n, max_n);
}
#endif
