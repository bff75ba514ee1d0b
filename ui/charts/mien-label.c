/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names, colours and marks of expressions; see the header. */
#include "mien-config.h"

#include "charts/mien-label.h"

#include <glib/gi18n.h>
#include <math.h>

/* Strokes of a mark, in units of its size: how far the mouth's corners and middle stand from its height (down is
 * positive), the mouth's half width, whether it is open, and the height of each brow's outer and inner end. */
typedef struct {
  float corner, middle, half_width;
  gboolean open;
  float brow_outer, brow_inner; /* 0, 0: no brows */
} Mark;

static const struct {
  const char *label;
  const char *name;
  guint32 on_light, on_dark; /* 0xRRGGBB */
  Mark mark;
} looks[] = {
  { "angry", N_ ("Angry"), 0xb84d00, 0xf0793a, { .07f, -.03f, .17f, FALSE, .20f, .32f } },
  { "disgust", N_ ("Disgusted"), 0x007a58, 0x2fc39a, { .05f, .00f, .19f, FALSE, .26f, .30f } },
  { "fear", N_ ("Afraid"), 0xa44a7c, 0xe59ac6, { .06f, -.05f, .14f, TRUE, .29f, .20f } },
  { "happy", N_ ("Happy"), 0x946300, 0xf2b632, { -.09f, .10f, .22f, FALSE, 0, 0 } },
  { "sad", N_ ("Sad"), 0x0064a0, 0x5aa7ea, { .09f, -.05f, .18f, FALSE, .31f, .23f } },
  { "surprise", N_ ("Surprised"), 0x1f7fb8, 0x7fd0ff, { .00f, .00f, .10f, TRUE, .19f, .17f } },
  { "neutral", N_ ("Neutral"), 0x6b6b6b, 0xb5b5b5, { .00f, .00f, .18f, FALSE, 0, 0 } },
  /* Seen in models of other makers. */
  { "contempt", N_ ("Contemptuous"), 0x8a7a00, 0xe6dc4c, { .02f, .02f, .17f, FALSE, .24f, .24f } },
};

/* The same expressions by the other names in use. */
static const struct {
  const char *other, *label;
} aliases[] = {
  { "anger", "angry" }, { "disgusted", "disgust" }, { "scared", "fear" }, { "fearful", "fear" }, { "afraid", "fear" },
  { "happiness", "happy" }, { "sadness", "sad" }, { "surprised", "surprise" },
};

static int
find_look (const char *label)
{
  if (label == NULL)
    return -1;
  for (int i = 0; i < G_N_ELEMENTS (looks); i++) {
    if (g_ascii_strcasecmp (looks[i].label, label) == 0)
      return i;
  }
  for (int i = 0; i < G_N_ELEMENTS (aliases); i++) {
    if (g_ascii_strcasecmp (aliases[i].other, label) == 0)
      return find_look (aliases[i].label);
  }
  return -1;
}

const char *
mien_label_display (const char *label)
{
  int i = find_look (label);

  if (i >= 0)
    return g_dgettext (GETTEXT_PACKAGE, looks[i].name);
  return label != NULL ? label : "";
}

void
mien_label_get_color (const char *label, gboolean dark, GdkRGBA *color)
{
  int i = find_look (label);
  guint32 rgb = i < 0 ? (dark ? 0xb5b5b5 : 0x6b6b6b) : dark ? looks[i].on_dark : looks[i].on_light;

  *color = (GdkRGBA) { (rgb >> 16 & 0xff) / 255.f, (rgb >> 8 & 0xff) / 255.f, (rgb & 0xff) / 255.f, 1 };
}

void
mien_label_draw_mark (const char *label, cairo_t *cr, double size)
{
  int i = find_look (label);
  const double stroke = .09, mouth_y = .68;

  cairo_save (cr);
  cairo_scale (cr, size, size);
  cairo_set_line_width (cr, stroke);
  cairo_set_line_cap (cr, CAIRO_LINE_CAP_ROUND);
  cairo_new_path (cr);
  cairo_arc (cr, .5, .5, .5 - stroke / 2, 0, 2 * G_PI);
  cairo_stroke (cr);

  if (i >= 0) {
    const Mark *m = &looks[i].mark;

    for (int side = -1; side <= 1; side += 2) {
      cairo_arc (cr, .5 + side * .17, .43, .065, 0, 2 * G_PI);
      cairo_fill (cr);
      if (m->brow_outer > 0) {
        cairo_move_to (cr, .5 + side * .27, m->brow_outer);
        cairo_line_to (cr, .5 + side * .10, m->brow_inner);
        cairo_stroke (cr);
      }
    }
    if (m->open) {
      cairo_save (cr);
      cairo_translate (cr, .5, mouth_y + .01);
      cairo_scale (cr, m->half_width, .11);
      cairo_arc (cr, 0, 0, 1, 0, 2 * G_PI);
      cairo_restore (cr);
      cairo_fill (cr);
    } else {
      cairo_move_to (cr, .5 - m->half_width, mouth_y + m->corner);
      cairo_curve_to (cr, .5 - m->half_width / 2, mouth_y + m->middle, .5 + m->half_width / 2, mouth_y + m->middle,
                      .5 + m->half_width, mouth_y + m->corner);
      cairo_stroke (cr);
    }
  }
  cairo_restore (cr);
}

char *
mien_label_format_percent (double share)
{
  /* Translators: a probability; many languages put a no-break space before the sign. */
  return g_strdup_printf (_("%d%%"), (int) lrint (CLAMP (share, 0, 1) * 100));
}
