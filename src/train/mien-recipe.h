/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recipes: everything that decides a training run, by name, and each setting by name.
 *
 * Thread   pure */
#pragma once

#include "data/mien-augment.h"

G_BEGIN_DECLS

typedef enum {
  MIEN_SCHEDULE_COSINE,   /* one half wave down to zero (Loshchilov and Hutter 2017) */
  MIEN_SCHEDULE_RESTARTS, /* half waves that start again at the top, each cycle_growth times as long as the one before */
  MIEN_SCHEDULE_PLATEAU,  /* level; down by plateau_factor after plateau_epochs epochs without a better public score */
} MienSchedule;

typedef enum {
  MIEN_OPTIMISER_SGD,   /* Nesterov momentum, as in Sutskever et al. 2013 in the form of PyTorch */
  MIEN_OPTIMISER_ADAMW, /* Loshchilov and Hutter 2019; beta1 is the momentum */
} MienOptimiser;

enum { MIEN_RECIPE_MAX_PARTS = 16 };

/* Plain data; copy by assignment. What is 0 is off. */
typedef struct {
  const char *name;      /* recipe name, static */
  const char *summary;   /* one sentence, static, to be translated */
  const char *arch;      /* architecture name, static: train/mien-arch.h */
  int epochs;
  int batch;
  guint64 seed;

  int optimiser;         /* MienOptimiser */
  float lr;              /* largest learning rate */
  float momentum;
  float beta2;           /* AdamW: decay of the squares' mean */
  float weight_decay;    /* decoupled, weights only (not biases, not normalisation) */
  float sam;             /* radius of sharpness-aware minimisation (Foret et al. 2021), twice the arithmetic */
  float ema;             /* decay of the weights' moving average a step */
  int settle;            /* after each epoch measure the average's normalisation on so many batches (train/mien-settle.h); 0: follow the training's */

  int schedule;          /* MienSchedule */
  int warmup_epochs;     /* from zero, in a straight line */
  int cycle_epochs;      /* restarts: the first cycle */
  float cycle_growth;
  int plateau_epochs;
  float plateau_factor;
  int swa_epochs;        /* the last epochs at swa_lr: the weights' average takes in all of them evenly (stochastic weight averaging, Izmailov et al. 2018) */
  float swa_lr;          /* where the cosine before them ends */
  int rest_epochs;       /* the last epochs at learning rate 0: averages and running statistics settle */
  int rollbacks;         /* after a loss that is no number: go back an epoch and halve the learning rate, at most so often */
  int patience;          /* stop after so many epochs without a better public score */

  float label_smoothing;
  float class_balance;   /* weight of a class: (1 / its share)^class_balance, with a mean of 1 over the faces */
  float dropout;
  float drop_path;       /* chance that a residual branch is left out for a face */
  float mixup_alpha;     /* Zhang et al. 2018 */
  float cutmix;          /* chance of a rectangle from another face instead (Yun et al. 2019) */

  gboolean keep_last;          /* a finished run keeps its last epoch, not the best one by the public split: that score is then nobody's choice */
  const char *start;           /* (nullable) a model file to go on with, instead of random weights (train/mien-start.h); borrowed, must outlive the run */
  const char *const *teachers; /* (nullable) model files, NULL-terminated; borrowed, must outlive the run */
  float teacher_weight;        /* share of the teachers' answer in the target, the label has the rest */
  gboolean teacher_split;      /* each of several teachers answers for a share of the batch: the time of one, and over the epochs the mean of all */
  int parts;                   /* the training pictures, dealt out by what they show (mien_dataset_part()); 0: not at all */
  int leave_out;               /* this part, 1 to parts, is not learnt from; 0: all are */
  gboolean teacher_parts;      /* a teacher a part, which did not learn from it, answers for its pictures; a batch holds those of one part */
  gboolean teacher_mirror;     /* they are asked about the mirrored picture, too, and the mean is learnt: twice their time */
  float teacher_temperature;   /* softens the answer: p^(1/T), normalised (Hinton et al. 2015) */
  float self_weight;           /* share of what the network's own average says in the target; it rises to that in the first half of the run (train/mien-distil.h) */

  MienAugment augment;
} MienRecipe;

#define MIEN_RECIPE_ERROR (mien_recipe_error_quark ())
GQuark mien_recipe_error_quark (void);
typedef enum {
  MIEN_RECIPE_ERROR_SETTING, /* no such setting, or a value outside its range */
} MienRecipeError;

const MienRecipe *mien_recipe_find (const char *name); /* NULL when there is none */
const char *const *mien_recipe_list (void);            /* NULL-terminated names */

/* "dropout=0.3". Names are those of mien_recipe_describe(). */
gboolean mien_recipe_set (MienRecipe *self, const char *assignment, GError **error);

/* FALSE when a setting is outside its range. */
gboolean mien_recipe_check (const MienRecipe *self, GError **error);

/* "arch=small epochs=45 ...": every setting that is not off, exactly, and without files (start, teachers). (transfer full) */
char *mien_recipe_describe (const MienRecipe *self);

G_END_DECLS
