/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kernels/mien-check.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
  void *start;
  gsize n_bytes;
} Mapping;

typedef struct {
  MienCheckFn fn;
  MienCpuLevel cpu;
} Case;

static void
unmap (gpointer data)
{
  Mapping *mapping = data;

  munmap (mapping->start, mapping->n_bytes);
  g_free (mapping);
}

static void
run_case (gconstpointer data)
{
  const Case *item = data;

  if (item->cpu > mien_cpu_detect ()) {
    g_autofree char *message = g_strdup_printf ("this processor has no %s", mien_cpu_level_name (item->cpu));
    g_test_skip (message);
    return;
  }
  MienCheck check = { item->cpu, g_rand_new_with_seed (20130713), g_ptr_array_new_with_free_func (unmap) };
  item->fn (&check);
  g_rand_free (check.random);
  g_ptr_array_unref (check.arrays);
}

void
mien_check_add (const char *name, MienCheckFn fn)
{
  for (int level = 0; level < MIEN_CPU_N_LEVELS; level++) {
    g_autofree char *path = g_strdup_printf ("/kernels/%s/%s", name, mien_cpu_level_name (level));
    Case *item = g_new (Case, 1);
    *item = (Case) { fn, (MienCpuLevel) level };
    g_test_add_data_func_full (path, item, run_case, g_free);
  }
}

int
mien_check_size (MienCheck *check, int lo, int hi)
{
  static const int liked[] = { 0, 1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 61, 64, 97, 127, 131 };

  for (int i = 0; i < 4; i++) {
    const int size = liked[g_rand_int_range (check->random, 0, G_N_ELEMENTS (liked))];
    if (size >= lo && size <= hi)
      return size;
  }
  return g_rand_int_range (check->random, lo, hi + 1);
}

static float *
map_array (MienCheck *check, gsize n)
{
  const gsize page = sysconf (_SC_PAGESIZE), n_bytes = n * sizeof (float);
  const gsize body = (n_bytes + page - 1) / page * page;
  Mapping *mapping = g_new (Mapping, 1);

  mapping->n_bytes = body + page;
  mapping->start = mmap (NULL, mapping->n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  g_assert_true (mapping->start != MAP_FAILED);
  g_assert_cmpint (mprotect ((char *) mapping->start + body, page, PROT_NONE), ==, 0);
  g_ptr_array_add (check->arrays, mapping);
  return (float *) ((char *) mapping->start + body - n_bytes);
}

float *
mien_check_input (MienCheck *check, gsize n)
{
  float *x = map_array (check, n);

  for (gsize i = 0; i < n; i++) {
    const guint kind = g_rand_int (check->random) % 32;
    const double value = g_rand_double_range (check->random, -1, 1);
    x[i] = (float) (kind == 0 ? 0 : kind == 1 ? value * 1e-20 : kind == 2 ? value * 1e3 : value);
  }
  return x;
}

float *
mien_check_output (MienCheck *check, gsize n)
{
  float *x = map_array (check, n);

  memset (x, 0xff, n * sizeof *x);
  return x;
}

void
mien_check_clear (MienCheck *check)
{
  g_ptr_array_set_size (check->arrays, 0);
}

void
mien_check_near (const float *want, const float *got, const double *magnitude, gsize n, double tolerance, const char *context)
{
  for (gsize i = 0; i < n; i++) {
    const double allowed = tolerance * (magnitude != NULL ? magnitude[i] : fabs (want[i])) + 1e-30;
    if (!(fabs ((double) want[i] - got[i]) <= allowed) && !(isnan (want[i]) && isnan (got[i])))
      g_error ("%s: element %" G_GSIZE_FORMAT " is %.9g instead of %.9g (allowed difference %.3g)", context, i, got[i], want[i], allowed);
  }
}

void
mien_check_borders (const MienBlockedKernels *kernels, const MienBlockedShape *shape, gsize elem, const float *plain, const void *blocked)
{
  const gsize n = (gsize) mien_blocked_size (kernels->lanes, shape->n, shape->k, shape->p, shape->q, shape->y_halo);
  g_autofree float *clean = g_new (float, (n * elem + 3) / 4);

  mien_blocked_from_plain (kernels, shape->n, shape->k, shape->p, shape->q, shape->y_halo, plain, clean);
  for (gsize i = 0; i < n; i++)
    if (elem == 2) /* zeros may have a sign */
      g_assert_cmpint (((const unsigned short *) (const void *) clean)[i] & 0x7fff, ==, ((const unsigned short *) blocked)[i] & 0x7fff);
    else
      g_assert_cmpfloat (clean[i], ==, ((const float *) blocked)[i]);
}
