/* SPDX-License-Identifier: GPL-3.0-or-later */
/* As much of GLib as the tests of the kernels use, so that they can be built for another architecture where only its C library is
 * there. Prints TAP. Not GLib's random numbers, but random ones. */
#pragma once

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned guint;
typedef uint8_t guint8;
typedef uint32_t guint32;
typedef int64_t gint64;
typedef size_t gsize;
typedef int gboolean;
typedef void *gpointer;
typedef const void *gconstpointer;
typedef void (*GDestroyNotify) (gpointer);
typedef void (*GTestDataFunc) (gconstpointer);

#define FALSE 0
#define TRUE 1
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define G_N_ELEMENTS(a) (sizeof (a) / sizeof *(a))
#define G_GSIZE_FORMAT "zu"
#define g_new0(type, n) ((type *) calloc ((n) + 1, sizeof (type)))
#define g_new g_new0
#define g_free free
#define g_error(...) (printf ("Bail out! " __VA_ARGS__), putchar ('\n'), exit (1))
#define g_assert_true(x) ((x) ? (void) 0 : g_error ("%s:%d: %s", __FILE__, __LINE__, #x))
#define g_assert_cmpint(a, op, b) g_assert_true ((a) op (b))
#define g_assert_cmpuint(a, op, b) g_assert_true ((a) op (b))
#define g_assert_cmpfloat(a, op, b) g_assert_true ((a) op (b))
#define g_assert_cmpfloat_with_epsilon(a, b, epsilon) g_assert_true (fabs ((double) (a) - (double) (b)) < (epsilon))
#define g_autofree __attribute__ ((cleanup (shim_autofree)))

static inline void
shim_autofree (void *pointer)
{
  free (*(void **) pointer);
}

static inline __attribute__ ((format (printf, 1, 2))) char *
g_strdup_printf (const char *format, ...)
{
  char *text = NULL;
  va_list args;

  va_start (args, format);
  if (vasprintf (&text, format, args) < 0)
    abort ();
  va_end (args);
  return text;
}

/* xorshift64* */
typedef struct {
  uint64_t state;
} GRand;

static inline GRand *
g_rand_new_with_seed (guint32 seed)
{
  GRand *self = g_new0 (GRand, 1);

  self->state = seed * 0x9e3779b97f4a7c15u + 1;
  return self;
}

static inline guint32
g_rand_int (GRand *self)
{
  self->state ^= self->state >> 12;
  self->state ^= self->state << 25;
  self->state ^= self->state >> 27;
  return (guint32) (self->state * 0x2545f4914f6cdd1du >> 32);
}

#define g_rand_free free
#define g_rand_boolean(self) ((gboolean) (g_rand_int (self) >> 31))
#define g_rand_int_range(self, lo, hi) ((int) ((lo) + (gint64) (g_rand_int (self) % (guint32) ((hi) - (lo)))))
#define g_rand_double_range(self, lo, hi) ((lo) + ((hi) - (lo)) * (g_rand_int (self) / 4294967296.0))

typedef struct {
  gpointer *pdata;
  guint len;
  GDestroyNotify free_func;
} GPtrArray;

static inline GPtrArray *
g_ptr_array_new_with_free_func (GDestroyNotify free_func)
{
  GPtrArray *self = g_new0 (GPtrArray, 1);

  self->free_func = free_func;
  return self;
}

static inline void
g_ptr_array_add (GPtrArray *self, gpointer item)
{
  self->pdata = realloc (self->pdata, (self->len + 1) * sizeof *self->pdata);
  self->pdata[self->len++] = item;
}

static inline void
g_ptr_array_set_size (GPtrArray *self, guint len)
{
  while (self->len > len)
    self->free_func (self->pdata[--self->len]);
}

static inline void
g_ptr_array_unref (GPtrArray *self)
{
  g_ptr_array_set_size (self, 0);
  free (self->pdata);
  free (self);
}

/* Tests run as they are added; they are all added by the file that includes this one and mien-check.c, which share these. */
extern int shim_n_tests;
extern const char *shim_skipped;

static inline void
g_test_skip (const char *why)
{
  printf ("# %s\n", why);
  shim_skipped = "SKIP";
}

static inline void
g_test_add_data_func_full (const char *path, gpointer data, GTestDataFunc fn, GDestroyNotify destroy)
{
  shim_skipped = NULL;
  fn (data);
  destroy (data);
  printf ("ok %d %s%s\n", ++shim_n_tests, path, shim_skipped != NULL ? " # SKIP" : "");
}

#define g_test_init(argc, argv, end) ((void) (argc), (void) (argv))
#define g_test_run() (printf ("1..%d\n", shim_n_tests), 0)
