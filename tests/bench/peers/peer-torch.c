/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PyTorch, in a Python process that peer-torch.py runs; it stands by while others are measured. MIEN_BENCH_PYTHON names the
 * interpreter when it is not the system's. */
#include <stdio.h>
#include <string.h>

#include <gio/gio.h>
#include <glib/gstdio.h>

#include "peers/peer.h"

typedef struct {
  int id;
  int n_outputs;
} Engine;

static GSubprocess *process;
static GDataInputStream *answers;

/* (transfer full) what stands behind "ok". */
static char *
ask (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static char *
read_answer (GError **error)
{
  g_autofree char *line = g_data_input_stream_read_line (answers, NULL, NULL, error);

  if (line != NULL && g_str_has_prefix (line, "ok"))
    return g_strdup (g_strstrip (line + 2));
  if (error == NULL || *error == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s", line != NULL ? line : "not installed");
  return NULL;
}

static char *
ask (GError **error, const char *format, ...)
{
  g_autofree char *question = NULL;
  va_list args;

  va_start (args, format);
  question = g_strdup_vprintf (format, args);
  va_end (args);
  if (!g_output_stream_write_all (g_subprocess_get_stdin_pipe (process), question, strlen (question), NULL, NULL, error))
    return NULL;
  return read_answer (error);
}

static gboolean
parse (const char *answer, double *values, int n, GError **error)
{
  const char *p = answer;

  for (int i = 0; i < n; i++) {
    char *end;
    values[i] = g_ascii_strtod (p, &end);
    if (end == p) {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%d numbers instead of %d", i, n);
      return FALSE;
    }
    p = end;
  }
  return TRUE;
}

static char *
start_torch (MienCpuLevel level, GError **error)
{
  const char *chosen = g_getenv ("MIEN_BENCH_PYTHON");
  const char *const pythons[] = { chosen != NULL ? chosen : "/usr/bin/python3", chosen != NULL ? NULL : "python3", NULL };
  char *version = NULL;

  for (int i = 0; version == NULL && pythons[i] != NULL; i++) {
    g_clear_error (error);
    g_clear_object (&answers);
    g_clear_object (&process);
    process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE,
                                error, pythons[i], PEER_TORCH_SCRIPT, NULL);
    if (process == NULL)
      continue;
    answers = g_data_input_stream_new (g_subprocess_get_stdout_pipe (process));
    version = read_answer (error);
  }
  return version;
}

static void
write_layers (const PeerLayers *layers, GString *text, GByteArray *weights)
{
  static const char *const kinds[] = { "conv", "max-pool", "mean", "dense", "add", "softmax" };

  for (int i = 0; i < layers->n; i++) {
    const PeerLayer *l = &layers->layers[i];
    g_string_append_printf (text, "%s %d %d %d %d %d %d %d %d %d %d %d %d %d %" G_GSIZE_FORMAT "\n", kinds[l->kind], l->input,
                            l->other, l->relu, l->in.channels, l->in.height, l->in.width, l->out.channels, l->out.height,
                            l->out.width, l->kernel, l->stride, l->pad, l->groups, l->n_weights);
    if (l->n_weights > 0) {
      g_byte_array_append (weights, (const guint8 *) l->weight, l->n_weights * sizeof (float));
      g_byte_array_append (weights, (const guint8 *) l->bias, l->out.channels * sizeof (float));
    }
  }
}

static gboolean
put (const char *folder, const char *name, const void *data, gsize n_bytes, GError **error)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  return g_file_set_contents (path, data, n_bytes, error);
}

static void
remove_folder (const char *folder)
{
  static const char *const names[] = { "layers", "weights", "input" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = g_build_filename (folder, names[i], NULL);
    g_unlink (path);
  }
  g_rmdir (folder);
}

static void *
open_torch (const PeerJob *job, GError **error)
{
  g_autofree char *folder = g_dir_make_tmp ("mien-bench-XXXXXX", error), *answer = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GByteArray) weights = g_byte_array_new ();
  Engine *self;

  if (folder == NULL)
    return NULL;
  write_layers (job->layers, text, weights);
  if (put (folder, "layers", text->str, text->len, error) && put (folder, "weights", weights->data, weights->len, error) &&
      put (folder, "input", job->input, sizeof (float) * PEER_INPUT_ELEMS * job->batch, error))
    answer = ask (error, "open\t%s\t%d\t%d\t%s\t%d\n", folder, job->batch, job->threads, job->precision == PEER_BF16 ? "bf16" : "f32",
                  job->core);
  remove_folder (folder);
  if (answer == NULL)
    return NULL;
  self = g_new0 (Engine, 1);
  self->id = atoi (answer);
  self->n_outputs = job->batch * PEER_N_LABELS;
  return self;
}

static gboolean
run_torch (void *engine, int n, double *us, GError **error)
{
  const Engine *self = engine;
  g_autofree char *answer = ask (error, "run\t%d\t%d\n", self->id, n);

  return answer != NULL && parse (answer, us, n, error);
}

static gboolean
read_torch (void *engine, float *probabilities, GError **error)
{
  const Engine *self = engine;
  g_autofree char *answer = ask (error, "read\t%d\n", self->id);
  g_autofree double *values = g_new (double, self->n_outputs);

  if (answer == NULL || !parse (answer, values, self->n_outputs, error))
    return FALSE;
  for (int i = 0; i < self->n_outputs; i++)
    probabilities[i] = values[i];
  return TRUE;
}

static void
close_torch (void *engine)
{
  Engine *self = engine;
  g_autofree char *answer = ask (NULL, "close\t%d\n", self->id);

  g_free (self);
}

const Peer peer_torch = {
  .name = "PyTorch",
  .has_bf16 = TRUE,
  .start = start_torch,
  .open = open_torch,
  .run = run_torch,
  .read = read_torch,
  .close = close_torch,
};
