/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ONNX Runtime, from a libonnxruntime.so that MIEN_ORT names or the system has. Its C interface is one table of functions
 * whose order never changes; the places of those that are needed stand here, so that no header is. */
#include <dlfcn.h>
#include <string.h>

#include <gio/gio.h>

#include "peers/peer.h"

enum {
  GET_ERROR_MESSAGE = 2,
  CREATE_ENV = 3,
  CREATE_SESSION = 7,
  RUN = 9,
  CREATE_SESSION_OPTIONS = 10,
  SET_INTRA_OP_NUM_THREADS = 24,
  SET_INTER_OP_NUM_THREADS = 25,
  CREATE_TENSOR_WITH_DATA_AS_ORT_VALUE = 49,
  CREATE_CPU_MEMORY_INFO = 69,
  RELEASE_STATUS = 93,
  RELEASE_SESSION = 95,
  RELEASE_VALUE = 96,
  RELEASE_SESSION_OPTIONS = 100,
};

enum {
  LOG_ERROR = 3,
  TYPE_FLOAT = 1,
  ARENA_ALLOCATOR = 1,
  MEMORY_DEFAULT = 0,
};

typedef struct {
  const void *const *(*get_api) (guint32 version);
  const char *(*get_version) (void);
} Base;

typedef struct {
  void *session, *input, *output;
  float *probabilities;
  int batch;
} Engine;

static const void *const *api;
static void *ort_env, *memory_info;

#define SLOT(place, result, ...) ((result (*) (__VA_ARGS__)) api[place])

/* status: what most functions return, NULL for success. */
static gboolean
check (void *status, GError **error)
{
  if (status == NULL)
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, SLOT (GET_ERROR_MESSAGE, const char *, const void *) (status));
  SLOT (RELEASE_STATUS, void, void *) (status);
  return FALSE;
}

static char *
start_ort (MienCpuLevel level, GError **error)
{
  const char *path = g_getenv ("MIEN_ORT");
  const Base *(*get_base) (void);
  const Base *base;
  void *library;

  if (level < MIN (mien_cpu_detect (), MIEN_CPU_AVX512)) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "cannot be held to the level %s", mien_cpu_level_name (level));
    return NULL;
  }
  library = dlopen (path != NULL ? path : "libonnxruntime.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "%s; let MIEN_ORT name the file", dlerror ());
    return NULL;
  }
  get_base = (const Base *(*) (void)) dlsym (library, "OrtGetApiBase");
  base = get_base != NULL ? get_base () : NULL;
  api = base != NULL ? base->get_api (1) : NULL;
  if (api == NULL) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, "the library has no interface");
    return NULL;
  }
  if (!check (SLOT (CREATE_ENV, void *, int, const char *, void **) (LOG_ERROR, "bench", &ort_env), error) ||
      !check (SLOT (CREATE_CPU_MEMORY_INFO, void *, int, int, void **) (ARENA_ALLOCATOR, MEMORY_DEFAULT, &memory_info), error))
    return NULL;
  return g_strdup (base->get_version ());
}

static void
close_ort (void *engine)
{
  Engine *self = engine;

  SLOT (RELEASE_VALUE, void, void *) (self->input);
  SLOT (RELEASE_VALUE, void, void *) (self->output);
  SLOT (RELEASE_SESSION, void, void *) (self->session);
  g_free (self->probabilities);
  g_free (self);
}

static gboolean
make_tensor (float *data, int rank, const gint64 *dims, void **value, GError **error)
{
  gsize n = 1;

  for (int i = 0; i < rank; i++)
    n *= dims[i];
  return check (SLOT (CREATE_TENSOR_WITH_DATA_AS_ORT_VALUE, void *, const void *, void *, gsize, const gint64 *, gsize, int,
                      void **) (memory_info, data, n * sizeof (float), dims, rank, TYPE_FLOAT, value),
                error);
}

static void *
open_ort (const PeerJob *job, GError **error)
{
  Engine *self = g_new0 (Engine, 1);
  const gint64 input_dims[] = { job->batch, 1, 48, 48 }, output_dims[] = { job->batch, PEER_N_LABELS };
  void *options = NULL;
  gboolean is_ok;

  self->batch = job->batch;
  self->probabilities = g_new (float, job->batch * PEER_N_LABELS);
  is_ok = check (SLOT (CREATE_SESSION_OPTIONS, void *, void **) (&options), error) &&
          check (SLOT (SET_INTRA_OP_NUM_THREADS, void *, void *, int) (options, job->threads), error) &&
          check (SLOT (SET_INTER_OP_NUM_THREADS, void *, void *, int) (options, 1), error) &&
          check (SLOT (CREATE_SESSION, void *, void *, const char *, void *, void **) (ort_env, job->path, options, &self->session), error) &&
          make_tensor ((float *) job->input, 4, input_dims, &self->input, error) &&
          make_tensor (self->probabilities, 2, output_dims, &self->output, error);
  SLOT (RELEASE_SESSION_OPTIONS, void, void *) (options);
  if (!is_ok)
    g_clear_pointer (&self, close_ort);
  return self;
}

static gboolean
run_ort (void *engine, int n, double *us, GError **error)
{
  static const char *const input_names[] = { "face" }, *const output_names[] = { "probabilities" };
  Engine *self = engine;

  for (int i = 0; i < n; i++) {
    const double start = peer_now_us ();
    void *status = SLOT (RUN, void *, void *, const void *, const char *const *, void *const *, gsize, const char *const *, gsize,
                         void **) (self->session, NULL, input_names, &self->input, 1, output_names, 1, &self->output);
    us[i] = peer_now_us () - start;
    if (!check (status, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
read_ort (void *engine, float *probabilities, GError **error)
{
  const Engine *self = engine;

  memcpy (probabilities, self->probabilities, sizeof (float) * self->batch * PEER_N_LABELS);
  return TRUE;
}

const Peer peer_ort = {
  .name = "ONNX Runtime",
  .start = start_ort,
  .open = open_ort,
  .run = run_ort,
  .read = read_ort,
  .close = close_ort,
};
