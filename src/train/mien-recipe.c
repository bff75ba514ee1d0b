/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The recipes: everything that decides a run, by name. What was tried and what it gave: resources/models/README.md. */
#include "train/mien-trainer.h"

/* What all of them have in common. Nearly every face of FER2013 fills its picture, so shifts and zooms stay small. */
#define COMMON                 \
  .batch = 128,                \
  .lr = 0.1f,                  \
  .momentum = 0.9f,            \
  .weight_decay = 5e-4f,       \
  .warmup_epochs = 1,          \
  .seed = 1

static const MienRecipe recipes[] = {
  {
    COMMON,
    .name = "nano",
    .summary = "The smallest network, for slow processors",
    .arch = "nano",
    .epochs = 60,
    .label_smoothing = 0.05f,
    .dropout = 0.1f,
    .ema = 0.999f,
    .augment = { .flip = TRUE, .shift = 0.06f, .rotate_deg = 10, .scale = 0.1f, .contrast = 0.2f, .brightness = 0.05f },
  },
  {
    COMMON,
    .name = "small",
    .summary = "A good network in half an hour",
    .arch = "small",
    .epochs = 45,
    .label_smoothing = 0.1f,
    .dropout = 0.4f,
    .mixup_alpha = 0.2f,
    .ema = 0.999f,
    .augment = { .flip = TRUE, .shift = 0.08f, .rotate_deg = 12, .scale = 0.12f, .contrast = 0.25f, .brightness = 0.05f, .erase = 0.25f, .erase_area = 0.15f },
  },
  {
    COMMON,
    .name = "best",
    .summary = "The most accurate network, in an hour or two",
    .arch = "best",
    .epochs = 60,
    .label_smoothing = 0.1f,
    .dropout = 0.4f,
    .mixup_alpha = 0.2f,
    .ema = 0.999f,
    .augment = { .flip = TRUE, .shift = 0.08f, .rotate_deg = 12, .scale = 0.12f, .contrast = 0.25f, .brightness = 0.05f, .erase = 0.3f, .erase_area = 0.2f },
  },
  {
    COMMON,
    .name = "simple3",
    .summary = "Three convolution layers, as simple as it gets",
    .arch = "simple3",
    .epochs = 45,
    .label_smoothing = 0.1f,
    .dropout = 0.5f,
    .ema = 0.999f,
    .augment = { .flip = TRUE, .shift = 0.08f, .rotate_deg = 10, .scale = 0.1f, .contrast = 0.2f, .brightness = 0.05f, .erase = 0.2f, .erase_area = 0.15f },
  },
  {
    COMMON,
    .name = "quick",
    .summary = "Three convolution layers in a few minutes, a little less accurate",
    .arch = "simple3",
    .epochs = 8,
    .label_smoothing = 0.05f,
    .dropout = 0.3f,
    .ema = 0.99f,
    .augment = { .flip = TRUE, .shift = 0.06f, .rotate_deg = 8, .scale = 0.08f, .contrast = 0.2f },
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
