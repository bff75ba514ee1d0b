/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checking kernels: every test body runs once a processor level with the same seed; arrays end at an unmapped page, so that
 * reading or writing one element too many is found in the optimised build too. The seed is --seed's or fixed. */
#pragma once

#include <glib.h>

#include "kernels/mien-blocked.h"

typedef struct {
  MienCpuLevel cpu;
  GRand *random;
  GPtrArray *arrays; /* freed by mien_check_clear() */
} MienCheck;

typedef void (*MienCheckFn) (MienCheck *check);

/* Adds /kernels/<name>/<level> for every level; those that this processor lacks are skipped, with a line that says so. */
void mien_check_add (const char *name, MienCheckFn fn);

/* A size from lo to hi that likes the edges of vectors: 0, 1, 15, 16, 17, 31, primes. */
int mien_check_size (MienCheck *check, int lo, int hi);

/* n floats in -1 .. 1, some of them tiny, huge (within 1e3) or zero; freed by mien_check_clear(). */
float *mien_check_input (MienCheck *check, gsize n);
float *mien_check_output (MienCheck *check, gsize n); /* filled with a NaN pattern */
void mien_check_clear (MienCheck *check);

/* |want - got| <= tolerance * magnitude + 1e-30 for each; magnitude NULL: |want|. Names index and context on failure. */
void mien_check_near (const float *want, const float *got, const double *magnitude, gsize n, double tolerance, const char *context);

/* blocked, the output of a kernel for that shape, holds plain (what mien_blocked_to_plain() made of it) and else zeros: in its borders and in
 * channels beyond k. elem: bytes of an element, 2 for bfloat16. */
void mien_check_borders (const MienBlockedKernels *kernels, const MienBlockedShape *shape, gsize elem, const float *plain, const void *blocked);
