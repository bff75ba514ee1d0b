/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "model/mien-model.h"

G_BEGIN_DECLS

#define MIEN_MODEL_MAX_MACS 2e11 /* of one picture: ten times what the largest networks for faces take */
#define MIEN_MODEL_MAX_PLAN_BYTES ((gsize) 1 << 30) /* of one plan: a network that needs more is no face network */

typedef enum {
  MIEN_OUTPUT_LOGITS,        /* any numbers: softmax is ours to apply; also LogSoftmax */
  MIEN_OUTPUT_PROBABILITIES, /* the network ends in Softmax or Sigmoid */
} MienOutputKind;

struct _MienModel {
  gatomicrefcount ref_count;
  MienGraph *graph;
  char *path; /* (nullable) */
  char *labels[MIEN_MODEL_MAX_LABELS];
  int n_labels;
  int size, channels;
  gboolean channels_last; /* [N][H][W][C], as Keras and tf2onnx write it */
  int fixed_batch;        /* the number of pictures the file fixes; 0 when open */
  int output;             /* which of the graph's outputs holds the classes */
  MienOutputKind output_kind;
  float scale, mean[3], std[3];
  float crop_margin;
  float temperature, views_temperature;
  float bfloat16;     /* share of pictures that it was seen to call the same with bfloat16; 0: not measured */
  gboolean guessed;
  gboolean lean;      /* the weights are gone, in the plan of `tried` alone */
  MienContext *tried; /* (nullable) (owned) atomic: of the trial run, until a predictor takes it */
  MienPrecision tried_as;
};

/* A plan for batch pictures, with no_fusion one for the shapes of all layers alone; NULL with error set also when output does not come out as n_labels
 * numbers a picture. */
MienPlan *mien_model_make_plan (const MienModel *self, int batch, MienCpuLevel cpu, MienPrecision precision, MienThreads *threads,
                                gboolean no_fusion, GError **error);

/* AUTO to what it is on a processor of this level. */
MienPrecision mien_model_decide_precision (const MienModel *self, MienPrecision precision, MienCpuLevel cpu);

/* What the trial run at the end of opening has made ready, once, when that is what is wanted; else NULL. (transfer full) */
MienContext *mien_model_take_tried (MienModel *self, int batch, MienCpuLevel cpu, MienPrecision precision, MienThreads *threads); /* precision: decided */

/* As mien_model_load(), with a trial run under these options, whose plan alone has the weights afterwards; its context is in `tried`. */
MienModel *mien_model_load_lean (const char *path_or_name, MienCpuLevel cpu, MienPrecision precision, MienThreads *threads, GError **error);

/* The class numbers of one picture to probabilities. FALSE when they are not numbers. */
gboolean mien_model_finish (const MienModel *self, const float *numbers, float *probabilities);

G_END_DECLS
