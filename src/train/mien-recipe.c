/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The recipes: everything that decides a run, by name. What was tried and what it gave: resources/models/README.md. */
#include "mien-config.h"

#include "train/mien-recipe.h"

#include <glib/gi18n-lib.h>

/* What all of them have in common. Nearly every face of FER2013 fills its picture, so shifts and zooms stay small. */
#define COMMON(rate)           \
  .lr = rate,                  \
  .batch = 128,                \
  .momentum = 0.9f,            \
  .weight_decay = 5e-4f,       \
  .beta2 = 0.999f,             \
  .warmup_epochs = 1,          \
  .cycle_growth = 2,           \
  .plateau_factor = 0.3f,      \
  .rollbacks = 3,              \
  .seed = 1

/* What large networks need, which would learn the faces by heart without. */
#define STRONG_CHANGES   \
  .dropout = 0.4f,       \
  .mixup_alpha = 0.2f,   \
  .ema = 0.999f,         \
  .augment = { .flip = TRUE, .shift = 0.08f, .rotate_deg = 12, .scale = 0.12f, .contrast = 0.25f, .brightness = 0.05f, .erase = 0.3f, .erase_area = 0.2f }

/* Networks also learn from the answers of others, which come with the program. */
static const char *const taught_by_master[] = { "master", NULL };
static const char *const taught_by_two[] = { "master", "mentor", NULL };
static const char *const taught_by_tutor[] = { "tutor", NULL };

static const MienRecipe recipes[] = {
  {
    COMMON (0.1f),
    .name = "nano",
    .summary = N_ ("The smallest network, for slow processors"),
    .arch = "nano",
    .epochs = 110,
    .keep_last = TRUE,
    .teachers = taught_by_two,
    .teacher_split = TRUE,
    .teacher_weight = 0.75f,
    .teacher_temperature = 1,
    .mixup_alpha = 0.2f,
    .ema = 0.999f,
    .augment = { .flip = TRUE, .shift = 0.06f, .rotate_deg = 10, .scale = 0.1f, .contrast = 0.25f, .brightness = 0.05f },
  },
  {
    COMMON (0.1f),
    .name = "small",
    .summary = N_ ("A good network in half an hour"),
    .arch = "small",
    .epochs = 115,
    .keep_last = TRUE,
    .teachers = taught_by_two,
    .teacher_split = TRUE,
    .teacher_weight = 0.75f,
    .teacher_temperature = 1,
    .dropout = 0.2f,
    .mixup_alpha = 0.3f,
    .ema = 0.999f,
    .augment = { .flip = TRUE, .shift = 0.08f, .rotate_deg = 12, .scale = 0.12f, .contrast = 0.25f, .brightness = 0.05f, .erase = 0.2f, .erase_area = 0.15f },
  },
  {
    COMMON (0.05f),
    .name = "best",
    .summary = N_ ("The most accurate network in half an hour: it goes on with one that comes along"),
    .arch = "best",
    .epochs = 32,
    .sam = 0.1f,
    .keep_last = TRUE,
    .start = "master",
    .teachers = taught_by_two,
    .teacher_split = TRUE,
    .teacher_weight = 0.7f,
    .teacher_temperature = 1,
    STRONG_CHANGES,
  },
  {
    COMMON (0.1f),
    .name = "master",
    .summary = N_ ("A large network that teaches others, and that the most accurate one goes on with"),
    .arch = "master",
    .epochs = 115,
    .keep_last = TRUE,
    .teachers = taught_by_tutor,
    .teacher_weight = 0.5f,
    .teacher_temperature = 1,
    STRONG_CHANGES,
  },
  {
    COMMON (0.1f),
    .name = "mentor",
    .summary = N_ ("A second network that teaches others, deeper and slower"),
    .arch = "mentor",
    .epochs = 100,
    .keep_last = TRUE,
    .teachers = taught_by_master,
    .teacher_weight = 0.7f,
    .teacher_mirror = TRUE,
    .teacher_temperature = 1,
    STRONG_CHANGES,
  },
  {
    COMMON (0.1f),
    .name = "tutor",
    .summary = N_ ("The network that teaches the large one"),
    .arch = "tutor",
    .epochs = 60,
    .label_smoothing = 0.1f,
    STRONG_CHANGES,
  },
  {
    COMMON (0.1f),
    .name = "simple3",
    .summary = N_ ("Three convolution layers, as simple as it gets"),
    .arch = "simple3",
    .epochs = 90,
    .keep_last = TRUE,
    .teachers = taught_by_two,
    .teacher_split = TRUE,
    .teacher_weight = 0.75f,
    .teacher_temperature = 1,
    .dropout = 0.4f,
    .ema = 0.999f,
    .augment = { .flip = TRUE, .shift = 0.08f, .rotate_deg = 10, .scale = 0.1f, .contrast = 0.2f, .brightness = 0.05f },
  },
  {
    COMMON (0.1f),
    .name = "quick",
    .summary = N_ ("Three convolution layers in a few minutes, a little less accurate"),
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

enum { TYPE_INT, TYPE_FLOAT, TYPE_SWITCH, TYPE_SCHEDULE, TYPE_OPTIMISER, TYPE_SEED };

static const char *const schedule_names[] = { "cosine", "restarts", "plateau", NULL };
static const char *const optimiser_names[] = { "sgd", "adamw", NULL };

#define AT(member) G_STRUCT_OFFSET (MienRecipe, member)

static const struct {
  const char *name;
  gsize at;
  int type;
  double least, most;
} settings[] = {
  { "epochs", AT (epochs), TYPE_INT, 1, 100000 },
  { "batch", AT (batch), TYPE_INT, 2, 8192 },
  { "seed", AT (seed), TYPE_SEED, 0, 9e18 },
  { "optimiser", AT (optimiser), TYPE_OPTIMISER, 0, G_N_ELEMENTS (optimiser_names) - 2 },
  { "lr", AT (lr), TYPE_FLOAT, 1e-30, 1e38 },
  { "momentum", AT (momentum), TYPE_FLOAT, 0, 0.9999 },
  { "beta2", AT (beta2), TYPE_FLOAT, 0, 0.999999 },
  { "weight-decay", AT (weight_decay), TYPE_FLOAT, 0, 10 },
  { "sam", AT (sam), TYPE_FLOAT, 0, 10 },
  { "ema", AT (ema), TYPE_FLOAT, 0, 0.999999 },
  { "schedule", AT (schedule), TYPE_SCHEDULE, 0, G_N_ELEMENTS (schedule_names) - 2 },
  { "warmup-epochs", AT (warmup_epochs), TYPE_INT, 0, 100000 },
  { "cycle-epochs", AT (cycle_epochs), TYPE_INT, 0, 100000 },
  { "cycle-growth", AT (cycle_growth), TYPE_FLOAT, 0, 100 },
  { "plateau-epochs", AT (plateau_epochs), TYPE_INT, 0, 100000 },
  { "plateau-factor", AT (plateau_factor), TYPE_FLOAT, 0, 1 },
  { "swa-epochs", AT (swa_epochs), TYPE_INT, 0, 100000 },
  { "swa-lr", AT (swa_lr), TYPE_FLOAT, 0, 1e38 },
  { "settle", AT (settle), TYPE_INT, 0, 100000 },
  { "rest-epochs", AT (rest_epochs), TYPE_INT, 0, 100000 },
  { "rollbacks", AT (rollbacks), TYPE_INT, 0, 100 },
  { "patience", AT (patience), TYPE_INT, 0, 100000 },
  { "keep-last", AT (keep_last), TYPE_SWITCH, 0, 1 },
  { "label-smoothing", AT (label_smoothing), TYPE_FLOAT, 0, 0.9 },
  { "class-balance", AT (class_balance), TYPE_FLOAT, 0, 1 },
  { "dropout", AT (dropout), TYPE_FLOAT, 0, 0.95 },
  { "drop-path", AT (drop_path), TYPE_FLOAT, 0, 0.9 },
  { "mixup-alpha", AT (mixup_alpha), TYPE_FLOAT, 0, 1 },
  { "cutmix", AT (cutmix), TYPE_FLOAT, 0, 1 },
  { "teacher-weight", AT (teacher_weight), TYPE_FLOAT, 0, 1 },
  { "teacher-split", AT (teacher_split), TYPE_SWITCH, 0, 1 },
  { "parts", AT (parts), TYPE_INT, 0, MIEN_RECIPE_MAX_PARTS },
  { "leave-out", AT (leave_out), TYPE_INT, 0, MIEN_RECIPE_MAX_PARTS },
  { "teacher-parts", AT (teacher_parts), TYPE_SWITCH, 0, 1 },
  { "teacher-mirror", AT (teacher_mirror), TYPE_SWITCH, 0, 1 },
  { "teacher-temperature", AT (teacher_temperature), TYPE_FLOAT, 0, 100 },
  { "self-weight", AT (self_weight), TYPE_FLOAT, 0, 1 },
  { "flip", AT (augment.flip), TYPE_SWITCH, 0, 1 },
  { "shift", AT (augment.shift), TYPE_FLOAT, 0, 1 },
  { "rotate", AT (augment.rotate_deg), TYPE_FLOAT, 0, 180 },
  { "scale", AT (augment.scale), TYPE_FLOAT, 0, 0.9 },
  { "shear", AT (augment.shear), TYPE_FLOAT, 0, 1 },
  { "crop", AT (augment.crop), TYPE_FLOAT, 0, 0.99 },
  { "brightness", AT (augment.brightness), TYPE_FLOAT, 0, 1 },
  { "contrast", AT (augment.contrast), TYPE_FLOAT, 0, 1 },
  { "noise", AT (augment.noise), TYPE_FLOAT, 0, 255 },
  { "erase", AT (augment.erase), TYPE_FLOAT, 0, 1 },
  { "erase-area", AT (augment.erase_area), TYPE_FLOAT, 0, 1 },
};

G_DEFINE_QUARK (mien-recipe-error-quark, mien_recipe_error)

static double
get_number (const MienRecipe *self, gsize setting)
{
  gconstpointer at = G_STRUCT_MEMBER_P (self, settings[setting].at);

  if (settings[setting].type == TYPE_FLOAT)
    return *(const float *) at;
  if (settings[setting].type == TYPE_SEED)
    return (double) *(const guint64 *) at;
  return *(const int *) at;
}

static int
find_word (const char *const *words, const char *word)
{
  for (int i = 0; words[i] != NULL; i++)
    if (g_str_equal (words[i], word))
      return i;
  return -1;
}

/* The text as the setting's number; FALSE for what is none, or outside the range. */
static gboolean
parse (gsize setting, const char *text, MienRecipe *self)
{
  gpointer at = G_STRUCT_MEMBER_P (self, settings[setting].at);
  const int type = settings[setting].type;
  char *end = (char *) text;
  double number = 0;

  if (type == TYPE_SEED) {
    guint64 seed;
    if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT64, &seed, NULL))
      return FALSE;
    *(guint64 *) at = seed;
    return TRUE;
  }
  if (type == TYPE_SCHEDULE || type == TYPE_OPTIMISER)
    number = find_word (type == TYPE_SCHEDULE ? schedule_names : optimiser_names, text);
  else
    number = g_ascii_strtod (text, &end);
  if ((type != TYPE_SCHEDULE && type != TYPE_OPTIMISER && (end == text || *end != '\0')) || !(number >= settings[setting].least) ||
      !(number <= settings[setting].most))
    return FALSE;
  if (type == TYPE_FLOAT) {
    *(float *) at = (float) number;
    return TRUE;
  }
  if (number != (int) number)
    return FALSE;
  *(int *) at = (int) number;
  return TRUE;
}

/* "0 to 1", "cosine, restarts, plateau" */
static char *
describe_range (gsize setting)
{
  const int type = settings[setting].type;

  if (type == TYPE_SCHEDULE || type == TYPE_OPTIMISER)
    return g_strjoinv (", ", (char **) (type == TYPE_SCHEDULE ? schedule_names : optimiser_names));
  return g_strdup_printf (_("%g to %g"), settings[setting].least, settings[setting].most);
}

gboolean
mien_recipe_set (MienRecipe *self, const char *assignment, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (assignment, "=", 2);
  const char *name = parts[0] != NULL ? parts[0] : "";

  for (gsize i = 0; i < G_N_ELEMENTS (settings); i++) {
    if (!g_str_equal (settings[i].name, name))
      continue;
    if (parts[1] != NULL && parse (i, parts[1], self))
      return TRUE;
    g_autofree char *range = describe_range (i);
    g_set_error (error, MIEN_RECIPE_ERROR, MIEN_RECIPE_ERROR_SETTING, _("the setting %s takes %s, not “%s”"), name, range,
                 parts[1] != NULL ? parts[1] : "");
    return FALSE;
  }
  g_autoptr (GString) names = g_string_new (settings[0].name);
  for (gsize i = 1; i < G_N_ELEMENTS (settings); i++)
    g_string_append_printf (names, ", %s", settings[i].name);
  g_set_error (error, MIEN_RECIPE_ERROR, MIEN_RECIPE_ERROR_SETTING, _("there is no setting “%s”; there are %s"), name, names->str);
  return FALSE;
}

gboolean
mien_recipe_check (const MienRecipe *self, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (settings); i++) {
    const double number = get_number (self, i);
    if (number >= (float) settings[i].least && number <= settings[i].most)
      continue;
    g_autofree char *range = describe_range (i);
    g_set_error (error, MIEN_RECIPE_ERROR, MIEN_RECIPE_ERROR_SETTING, _("the setting %s takes %s, not %g"), settings[i].name, range, number);
    return FALSE;
  }
  if (self->leave_out > self->parts) {
    g_set_error (error, MIEN_RECIPE_ERROR, MIEN_RECIPE_ERROR_SETTING, _("there is no part %d to leave out of %d; set parts and leave-out"), self->leave_out, self->parts);
    return FALSE;
  }
  if (self->teacher_parts && self->parts == 0) {
    g_set_error (error, MIEN_RECIPE_ERROR, MIEN_RECIPE_ERROR_SETTING, _("teacher-parts needs to know how many parts there are; set parts, too"));
    return FALSE;
  }
  return TRUE;
}

char *
mien_recipe_describe (const MienRecipe *self)
{
  GString *text = g_string_new (NULL);
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append_printf (text, "arch=%s", self->arch);
  for (gsize i = 0; i < G_N_ELEMENTS (settings); i++) {
    const double value = get_number (self, i);
    g_string_append_printf (text, value != 0 ? " %s=" : "", settings[i].name);
    if (settings[i].type == TYPE_SCHEDULE || settings[i].type == TYPE_OPTIMISER)
      g_string_append (text, value == 0 ? "" : settings[i].type == TYPE_SCHEDULE ? schedule_names[(int) value] : optimiser_names[(int) value]);
    else if (settings[i].type == TYPE_SEED && value != 0)
      g_string_append_printf (text, "%" G_GUINT64_FORMAT, self->seed);
    else if (value != 0) /* six digits where they are the same float */
      g_string_append (text, (float) g_ascii_strtod (g_ascii_formatd (number, sizeof number, "%.6g", value), NULL) == (float) value
                               ? number : g_ascii_formatd (number, sizeof number, "%.9g", value));
  }
  return g_string_free (text, FALSE);
}
