/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A model that the tests know by heart: three labels, faces of 8 x 8; takes the place of the real one when linked first.
 * Probability of the first label is the mean grey level / 255; of the second the rest; of the third nothing. */
#include "fake-model.h"

#include <gio/gio.h>

struct _MienModel {
  gatomicrefcount ref_count;
};

struct _MienPredictor {
  MienModel *model;
};

int fake_model_count;
int fake_predictor_count;
int fake_predictor_delay_us;
int fake_predictor_fails;
int fake_predictor_runs;

G_DEFINE_BOXED_TYPE (MienModel, mien_model, mien_model_ref, mien_model_unref)

MienModel *
fake_model_new (void)
{
  MienModel *self = g_new0 (MienModel, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_atomic_int_inc (&fake_model_count);
  return self;
}

MienModel *
mien_model_ref (MienModel *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
mien_model_unref (MienModel *self)
{
  if (g_atomic_ref_count_dec (&self->ref_count)) {
    g_atomic_int_add (&fake_model_count, -1);
    g_free (self);
  }
}

int
mien_model_get_n_labels (const MienModel *self)
{
  return 3;
}

const char *
mien_model_get_label (const MienModel *self, int i)
{
  static const char *const labels[] = { "bright", "da\"rk", "never, ever" };

  return labels[i];
}

int
mien_model_get_input_size (const MienModel *self)
{
  return 8;
}

float
mien_model_get_crop_margin (const MienModel *self)
{
  return 0;
}

MienPredictor *
mien_predictor_new (MienModel *model, int max_batch, MienCpuLevel cpu, MienPrecision precision, MienThreads *threads, GError **error)
{
  MienPredictor *self = g_new0 (MienPredictor, 1);

  self->model = mien_model_ref (model);
  g_atomic_int_inc (&fake_predictor_count);
  return self;
}

void
mien_predictor_free (MienPredictor *self)
{
  if (self == NULL)
    return;
  mien_model_unref (self->model);
  g_atomic_int_add (&fake_predictor_count, -1);
  g_free (self);
}

MienModel *
mien_predictor_get_model (const MienPredictor *self)
{
  return self->model;
}

gboolean
mien_predictor_run (MienPredictor *self, const float *pixels, int n, float *probabilities, GError **error)
{
  g_atomic_int_inc (&fake_predictor_runs);
  if (g_atomic_int_get (&fake_predictor_delay_us) > 0)
    g_usleep ((gulong) g_atomic_int_get (&fake_predictor_delay_us));
  if (g_atomic_int_get (&fake_predictor_fails)) {
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "The network failed.");
    return FALSE;
  }
  for (int i = 0; i < n; i++) {
    float sum = 0;

    for (int k = 0; k < 64; k++)
      sum += pixels[i * 64 + k];
    probabilities[i * 3] = sum / 64 / 255;
    probabilities[i * 3 + 1] = 1 - probabilities[i * 3];
    probabilities[i * 3 + 2] = 0;
  }
  return TRUE;
}
