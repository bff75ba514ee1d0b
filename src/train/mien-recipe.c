/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The recipes: everything that decides a run, by name. What was tried and what it gave: resources/models/README.md. */
#include "train/mien-trainer.h"

static const MienRecipe recipes[] = {
  {
    .name = "simple3",
    .summary = "Three convolution layers, made in about half an hour on two cores",
    .arch = "simple3",
    .epochs = 30,
    .batch = 128,
    .lr = 0.1f,
    .momentum = 0.9f,
    .weight_decay = 5e-4f,
    .label_smoothing = 0.05f,
    .dropout = 0.4f,
    .ema = 0.998f,
    .warmup_epochs = 1,
    .augment = {
      .flip = TRUE,
      .shift = 0.08f,
      .rotate_deg = 10,
      .scale = 0.1f,
      .brightness = 0.05f,
      .contrast = 0.2f,
    },
    .seed = 1,
  },
  {
    .name = "quick",
    .summary = "The same network in a few minutes, a little less accurate",
    .arch = "simple3",
    .epochs = 10,
    .batch = 128,
    .lr = 0.05f,
    .momentum = 0.9f,
    .weight_decay = 5e-4f,
    .label_smoothing = 0.05f,
    .dropout = 0.3f,
    .ema = 0.99f,
    .warmup_epochs = 1,
    .augment = { .flip = TRUE, .shift = 0.06f, .rotate_deg = 8, .scale = 0.08f, .contrast = 0.2f },
    .seed = 1,
  },
};

const MienRecipe *
mien_recipe_find (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (recipes); i++)
    if (g_str_equal (recipes[i].name, name))
      return &recipes[i];
  return NULL;
}

const char *const *
mien_recipe_list (void)
{
  static const char *names[G_N_ELEMENTS (recipes) + 1];

  for (gsize i = 0; i < G_N_ELEMENTS (recipes); i++)
    names[i] = recipes[i].name;
  return names;
}
