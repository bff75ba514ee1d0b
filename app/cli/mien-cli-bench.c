/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mien-cli bench: how long a model takes here. */
#include "mien-config.h"

#include "mien-cli.h"

#include <math.h>
#include <time.h>


#define MIN_RUNS 20
#define MAX_RUNS 1000000

static int
compare_times (gconstpointer a, gconstpointer b)
{
  const double x = *(const double *) a;
  const double y = *(const double *) b;

  return (x > y) - (x < y);
}

/* One time in microseconds per run, sorted; runs until seconds have passed. NULL with error set. */
static GArray *
measure (MienPredictor *predictor, int batch, double seconds, GError **error)
{
  MienModel *model = mien_predictor_get_model (predictor);
  const int size = mien_model_get_input_size (model);
  const gsize n_pixels = (gsize) batch * size * size;
  g_autofree float *pixels = g_new (float, n_pixels);
  g_autofree float *probabilities = g_new (float, (gsize) batch * mien_model_get_n_labels (model));
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (double));
  const gint64 warm_us = (gint64) (seconds * G_USEC_PER_SEC / 5);
  gint64 start_us = g_get_monotonic_time ();
  guint32 state = 1;

  for (gsize i = 0; i < n_pixels; i++) {
    state = state * 1664525u + 1013904223u;
    pixels[i] = state >> 24;
  }
  do {
    if (!mien_predictor_run (predictor, pixels, batch, probabilities, error))
      return NULL;
  } while (g_get_monotonic_time () - start_us < warm_us);

  start_us = g_get_monotonic_time ();
  while (times->len < MAX_RUNS
         && (times->len < MIN_RUNS || g_get_monotonic_time () - start_us < (gint64) (seconds * G_USEC_PER_SEC))) {
    struct timespec before, after;
    double taken_us;

    clock_gettime (CLOCK_MONOTONIC, &before);
    if (!mien_predictor_run (predictor, pixels, batch, probabilities, error))
      return NULL;
    clock_gettime (CLOCK_MONOTONIC, &after);
    taken_us = (after.tv_sec - before.tv_sec) * 1e6 + (after.tv_nsec - before.tv_nsec) / 1e3;
    g_array_append_val (times, taken_us);
  }
  g_array_sort (times, compare_times);
  return g_steal_pointer (&times);
}

static gint64
count_macs (MienModel *model)
{
  g_autoptr (GPtrArray) layers = mien_model_dup_layers (model, NULL);
  gint64 macs = 0;

  for (guint i = 0; layers != NULL && i < layers->len; i++)
    macs += ((const MienLayerInfo *) g_ptr_array_index (layers, i))->macs;
  return macs;
}

/* The weights once only: so much memory is what a program takes that reads one face after the other. */
static MienPredictor *
open_one (const char *model_path, MienCpuLevel cpu, MienPrecision precision, MienThreads *threads, GError **error)
{
  g_autofree char *path = model_path != NULL ? g_strdup (model_path) : mien_model_default_path ();

  return mien_predictor_open (path, cpu, precision, threads, error);
}

int
mien_cli_bench (int argc, char **argv)
{
  static const char *const formats[] = { "json", "text", NULL };
  static const char *const precisions[] = { "auto", "f32", "bf16", NULL };
  static const MienPrecision precision_of[] = { MIEN_PRECISION_AUTO, MIEN_PRECISION_F32, MIEN_PRECISION_BF16 };
  g_autofree char *model_path = NULL;
  g_autofree char *cpu_word = NULL;
  g_autofree char *precision = NULL;
  g_autofree char *format = NULL;
  double seconds = 2;
  int batch = 1;
  int n_threads = 1;
  const GOptionEntry entries[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &model_path, "The network, an ONNX file; default: Mien's own", "FILE" },
    { "batch", 'b', 0, G_OPTION_ARG_INT, &batch, "Faces at a time; default: 1", "N" },
    { "threads", 0, 0, G_OPTION_ARG_INT, &n_threads, "Threads; default: 1; 0: one a processor", "N" },
    { "cpu", 0, 0, G_OPTION_ARG_STRING, &cpu_word, "Use no more of the processor than c, avx2, avx512, bf16 or amx (neon on ARM)", "LEVEL" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &precision, "f32, bf16, or auto (default): as the live view, bf16 where it answers the same", "NAME" },
    { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &seconds, "How long to measure; default: 2", "S" },
    { "format", 'f', 0, G_OPTION_ARG_STRING, &format, "json (default) or text", "FORMAT" },
    { NULL },
  };
  g_autoptr (MienModel) model = NULL;
  g_autoptr (MienPredictor) predictor = NULL;
  g_autoptr (GArray) times = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  MienThreads *threads;
  MienCpuLevel cpu;
  MienPrecision chosen_precision;
  GError *error = NULL;
  gint64 opening_us;
  int status = MIEN_CLI_DONE;
  int format_chosen, precision_chosen;

  if (!mien_cli_parse (&argc, &argv, entries, "[--model FILE]", "Measures how long the network takes here, without finding faces.", &status))
    return status;
  if (argc > 1)
    return mien_cli_usage ("bench", "what is “%s”? The model is named by --model", argv[1]);
  format_chosen = mien_cli_choose ("bench", "--format", format, formats);
  precision_chosen = mien_cli_choose ("bench", "--precision", precision, precisions);
  if (format_chosen < 0 || precision_chosen < 0 || !mien_cli_parse_cpu ("bench", cpu_word, &cpu))
    return MIEN_CLI_USAGE;
  chosen_precision = precision_of[precision_chosen];
  if (batch < 1 || batch > 4096)
    return mien_cli_usage ("bench", "--batch takes 1 to 4096, not %d", batch);
  if (n_threads < 0 || n_threads > 256)
    return mien_cli_usage ("bench", "--threads takes 1 to 256, or 0 for all, not %d", n_threads);
  if (!(seconds > 0 && seconds <= 3600))
    return mien_cli_usage ("bench", "--seconds takes more than 0 up to 3600");
  if (chosen_precision == MIEN_PRECISION_BF16 && !mien_cpu_has_bf16 (MIN (cpu, mien_cpu_detect ())))
    return mien_cli_fail (g_error_new (MIEN_NN_ERROR, MIEN_NN_ERROR_UNSUPPORTED, "the level %s has no bfloat16; use --precision f32",
                                       mien_cpu_level_name (MIN (cpu, mien_cpu_detect ()))));

  threads = mien_threads_new (n_threads);
  opening_us = g_get_monotonic_time ();
  if (batch == 1)
    predictor = open_one (model_path, cpu, chosen_precision, threads, &error);
  else if ((model = mien_cli_load_model (model_path, &error)) != NULL)
    predictor = mien_predictor_new (model, batch, cpu, chosen_precision, threads, &error);
  if (predictor == NULL) {
    mien_threads_free (threads);
    return mien_cli_fail (error);
  }
  opening_us = g_get_monotonic_time () - opening_us;
  times = measure (predictor, batch, seconds, &error);
  if (times == NULL) {
    status = mien_cli_fail (error);
  } else {
    const char *ran = mien_predictor_get_precision (predictor) == MIEN_PRECISION_BF16 ? "bf16" : "f32";
    const double *sorted = (const double *) (gpointer) times->data;
    const double median_us = sorted[times->len / 2];
    const double p99_us = sorted[MIN (times->len - 1, (guint) ceil (times->len * 0.99))];
    const double gflop_per_s = 2.0 * count_macs (mien_predictor_get_model (predictor)) * batch / (median_us * 1e3);

    if (format_chosen == 0) {
      const struct {
        const char *key;
        double value;
      } numbers[] = {
        { "median_us", median_us }, { "p99_us", p99_us }, { "min_us", sorted[0] },
        { "images_per_s", batch * 1e6 / median_us }, { "gflop_per_s", gflop_per_s },
        { "open_ms", (double) opening_us / 1000 }, /* reading, planning and a trial run */
      };

      g_string_append_c (text, '{');
      for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++) {
        mien_json_key (text, numbers[i].key);
        mien_json_number (text, numbers[i].value, 6);
      }
      g_string_append_printf (text, ",\"batch\":%d,\"threads\":%d,\"runs\":%u,\"cpu\":\"%s\",\"precision\":\"%s\"}", batch,
                              mien_threads_count (threads), times->len, mien_cpu_level_name (cpu), ran);
    } else {
      g_string_append_printf (text, "median %.1f us, 99th percentile %.1f us, fastest %.1f us of %u runs\n", median_us, p99_us,
                              sorted[0], times->len);
      g_string_append_printf (text, "%.0f faces a second, %.2f GFLOP a second; batch %d, threads %d, cpu %s, %s; opened and tried in %.1f ms", batch * 1e6 / median_us,
                              gflop_per_s, batch, mien_threads_count (threads), mien_cpu_level_name (cpu), ran, (double) opening_us / 1000);
    }
    mien_cli_print_line (text->str);
  }
  g_clear_pointer (&predictor, mien_predictor_free);
  mien_threads_free (threads);
  return status;
}
