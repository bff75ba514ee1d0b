/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A model: an ONNX network that takes a face and answers with one probability per label.
 *
 * What FER needs beyond the graph stands in the file's metadata_props under keys mien.*: labels, input.size,
 * input.channels, input.scale, input.mean, input.std, crop.margin, temperature, temperature.views, bfloat16, version; and the card: recipe,
 * recipe.settings, training, teachers, dataset, cost, calibration, scores (one view) and scores.mirrored (two).
 * Where they are missing, documented guesses fill in (FER2013's seven labels when there are seven outputs, size and
 * channels from the graph's input, scale 1/255, mean 0, std 1, temperature 1; class-1, class-2, ... for any other number of
 * outputs) and mien_model_is_guessed() says so when labels, scale, or an open size were not given.
 *
 * Input    a face crop, grey, size x size, 0..255 as float; fed as (pixel * scale - mean) / std
 * Output   probabilities: softmax (logits / temperature), or the network's own softmax output; sums to 1
 * Thread   MienModel is immutable and shared; MienPredictor belongs to one thread at a time */
#pragma once

#include <glib-object.h>

#include "nn/mien-plan.h"

G_BEGIN_DECLS

#define MIEN_MODEL_MAX_LABELS 64

typedef struct _MienModel MienModel;

/* An ONNX file, a Keras model in one HDF5 file, or the name of a shipped network (where no file is called so). Reads and validates everything,
 * and makes a first plan, so that what opens also runs. Errors: MIEN_NN_ERROR, G_FILE_ERROR, G_IO_ERROR; each
 * message begins with the file's name. */
MienModel *mien_model_load (const char *path, GError **error);

/* The names of the networks that come with the program, NULL-terminated, the most accurate first: it is the default. They lie in
 * resources/models, as installed or in the build tree; those that only taught others in a folder teachers below it. */
const char *const *mien_model_list_shipped (void);
char *mien_model_shipped_path (const char *name); /* (transfer full) */

/* What mien_model_load() opens: the path, or where the shipped network of that name lies. (transfer full) */
char *mien_model_find (const char *path_or_name);

/* MIEN_MODEL in the environment, or else the first of them. */
MienModel *mien_model_load_default (GError **error);
char *mien_model_default_path (void); /* (transfer full) */

/* Takes a graph (not consumed) with its metadata. */
MienModel *mien_model_new (MienGraph *graph, GError **error);

/* Writes graph and metadata atomically (write, fsync, rename). */
gboolean mien_model_save (const MienModel *self, const char *path, GError **error);
MienModel *mien_model_ref (MienModel *self);
void mien_model_unref (MienModel *self);
#define MIEN_TYPE_MODEL (mien_model_get_type ())
GType mien_model_get_type (void); /* boxed */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienModel, mien_model_unref)

const char *mien_model_get_path (const MienModel *self);  /* (nullable) */
char *mien_model_dup_title (const MienModel *self);       /* a short name to show: file name without folder and suffix */
int mien_model_get_n_labels (const MienModel *self);
const char *mien_model_get_label (const MienModel *self, int i); /* machine name: "angry"; translate with mien_label_display() in ui */
int mien_model_get_input_size (const MienModel *self);    /* pixels a side */
int mien_model_get_channels (const MienModel *self);      /* 1 or 3 */
float mien_model_get_crop_margin (const MienModel *self); /* share of the face box added on each side */

/* What makes the probabilities of one view honest; those that a predictor gives have it in them. For the mean of several views of a face each
 * one's should be at the temperature for as many: temperature.views, as for one where the file has none. */
float mien_model_get_temperature (const MienModel *self, int n_views);
const char *mien_model_get_metadata (const MienModel *self, const char *key); /* "mien.recipe"; (nullable) */
gboolean mien_model_is_guessed (const MienModel *self);
MienGraph *mien_model_get_graph (const MienModel *self);  /* (transfer none) */

/* Shape of the network's input for batch faces: [batch][channels][size][size], or channels last. */
void mien_model_get_input_shape (const MienModel *self, int batch, MienShape *shape);

/* Pixels 0..255 in (size * size, grey) to network input out (channels * size * size, in the network's own layout). */
void mien_model_normalise (const MienModel *self, const float *pixels, float *out);

/* Describes the layers for info(1) and the layer browser. */
typedef struct {
  char *name;
  char *op;          /* "Conv 3x3", "MaxPool 2x2", "Gemm", ... */
  MienShape output;
  gint64 params;
  gint64 macs;       /* multiply-adds for one face */
} MienLayerInfo;
GPtrArray *mien_model_dup_layers (const MienModel *self, GError **error); /* MienLayerInfo, (transfer full) */

/* Runs faces through the model, up to max_batch at a time. */
typedef struct _MienPredictor MienPredictor;
MienPredictor *mien_predictor_new (MienModel *model, int max_batch, MienCpuLevel cpu, MienPrecision precision, MienThreads *threads, GError **error);

/* Opens a network for this predictor alone, which takes one face at a time: the weights exist once only, packed as the processor wants them.
 * Layers and metadata of its model are there; further plans, another precision for instance, are refused. Errors as mien_model_load(). */
MienPredictor *mien_predictor_open (const char *path_or_name, MienCpuLevel cpu, MienPrecision precision, MienThreads *threads, GError **error);
void mien_predictor_free (MienPredictor *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MienPredictor, mien_predictor_free)

/* bfloat16 only where the processor has it (level bf16), f32 elsewhere. MIEN_PRECISION_AUTO: bfloat16 where the network was measured to call at least
 * so many of the public pictures the same with it (metadata bfloat16, made by training). */
#define MIEN_MODEL_SAME_ENOUGH 0.99f

MienPrecision mien_predictor_get_precision (const MienPredictor *self); /* as it runs: MIEN_PRECISION_F32 or BF16 */
MienModel *mien_predictor_get_model (const MienPredictor *self); /* (transfer none) */

/* pixels[n][size][size], 0..255; probabilities[n][n_labels]. n 1 .. any number: done in batches. */
gboolean mien_predictor_run (MienPredictor *self, const float *pixels, int n, float *probabilities, GError **error);

G_END_DECLS
