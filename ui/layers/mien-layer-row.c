/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See mien-layer-row.h. */
#include "mien-config.h"

#include "layers/mien-layer-row.h"

#include <string.h>
#include <glib/gi18n.h>

#include "charts/mien-label.h"

struct _MienLayerRow {
  GtkListBoxRow parent_instance;
  int layer;
  char *title;
  char *summary;
};

G_DEFINE_FINAL_TYPE (MienLayerRow, mien_layer_row, GTK_TYPE_LIST_BOX_ROW)

static const struct {
  const char *op;
  const char *name;
} plain_names[] = {
  { "MaxPool", N_ ("Max pooling") },
  { "AveragePool", N_ ("Average pooling") },
  { "GlobalAveragePool", N_ ("Mean of each map") },
  { "GlobalMaxPool", N_ ("Highest value of each map") },
  { "Gemm", N_ ("Dense layer") },
  { "MatMul", N_ ("Dense layer") },
  { "Softmax", N_ ("Probabilities") },
  { "Conv", N_ ("Convolution") },
  { "ConvTranspose", N_ ("Transposed convolution") },
  { "Resize", N_ ("Enlargement") },
  { "Upsample", N_ ("Enlargement") },
  { "Concat", N_ ("Joined paths") },
};

static void
mien_layer_row_finalize (GObject *object)
{
  g_free (MIEN_LAYER_ROW (object)->title);
  g_free (MIEN_LAYER_ROW (object)->summary);
  G_OBJECT_CLASS (mien_layer_row_parent_class)->finalize (object);
}

static void
mien_layer_row_class_init (MienLayerRowClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = mien_layer_row_finalize;
}

static void
mien_layer_row_init (MienLayerRow *self)
{
  self->layer = -1;
}

static gboolean
op_is (const char *op, const char *name)
{
  const gsize n = strlen (name);

  return g_str_has_prefix (op, name) && (op[n] == '\0' || op[n] == ' ');
}

const char *
mien_layer_row_plain_name (const char *op)
{
  for (int i = 0; i < G_N_ELEMENTS (plain_names); i++)
    if (op_is (op, plain_names[i].op))
      return _(plain_names[i].name);
  return NULL;
}

static GtkWidget *
add_label (GtkWidget *box, const char *text, ...)
{
  GtkWidget *label = gtk_label_new (text);
  const char *class_name;
  va_list classes;

  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
  va_start (classes, text);
  while ((class_name = va_arg (classes, const char *)) != NULL)
    gtk_widget_add_css_class (label, class_name);
  va_end (classes);
  gtk_box_append (GTK_BOX (box), label);
  return label;
}

static char *
format_count (gint64 count)
{
  if (count >= 1000000)
    /* Translators: a count in millions: "1.2 million". */
    return g_strdup_printf (_("%.1f million"), count / 1e6);
  /* ' groups digits as the person's locale does */
  return g_strdup_printf ("%'" G_GINT64_FORMAT, count);
}

/* "9,248 parameters · 12 % of the work" */
static char *
describe_cost (gint64 params, gint64 macs, gint64 total)
{
  g_autofree char *count = format_count (params);
  g_autofree char *weights = NULL, *share = NULL;

  if (params == 0 && macs == 0)
    return NULL;
  weights = g_strdup_printf (ngettext ("%s parameter", "%s parameters", (gulong) MIN (params, G_MAXINT)), count);
  if (total <= 0 || macs <= 0)
    return g_steal_pointer (&weights);
  share = mien_label_format_percent ((double) macs / total);
  /* Translators: first "9,248 parameters", then a percentage of the network's arithmetic. */
  return g_strdup_printf (_("%s · %s of the work"), weights, share);
}

static void
append_conv (GtkListBox *list, const MienMapLayer *info, int layer, gint64 params, gint64 total)
{
  MienLayerRow *row = g_object_new (MIEN_TYPE_LAYER_ROW, NULL);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2);
  g_autofree char *cost = describe_cost (params, info->macs, total);
  g_autofree char *shape = NULL;

  row->layer = layer;
  row->title = g_strdup_printf (_("Convolution %d"), layer + 1);
  /* Translators: how many feature maps, and their width and height in pixels. */
  row->summary = g_strdup_printf (ngettext ("%d map of %d×%d", "%d maps of %d×%d", info->channels), info->channels, info->width, info->height);
  /* Translators: "32 maps of 48×48", then the size of the filter. */
  shape = g_strdup_printf (_("%s, %d×%d filter"), row->summary, info->kernel_w, info->kernel_h);
  add_label (box, row->title, "heading", NULL);
  add_label (box, shape, "caption", NULL);
  if (cost != NULL)
    add_label (box, cost, "caption", "dim-label", NULL);
  gtk_widget_set_margin_top (box, 6);
  gtk_widget_set_margin_bottom (box, 6);
  gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (row), box);
  gtk_widget_set_tooltip_text (GTK_WIDGET (row), info->name);
  gtk_list_box_append (list, GTK_WIDGET (row));
}

static void
append_step (GtkListBox *list, const char *name, const MienLayerInfo *info, gint64 total)
{
  MienLayerRow *row = g_object_new (MIEN_TYPE_LAYER_ROW, NULL);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  GtkWidget *icon = gtk_image_new_from_icon_name ("go-down-symbolic");
  const MienShape *shape = &info->output;
  g_autofree char *cost = describe_cost (info->params, info->macs, total);
  g_autofree char *text = NULL;

  if (shape->rank == 4)
    /* Translators: a step of the network, and the width and height it leaves. */
    text = g_strdup_printf (_("%s to %d×%d"), name, (int) shape->dim[3], (int) shape->dim[2]);
  else if (shape->rank == 2 && !op_is (info->op, "Softmax"))
    /* Translators: a step of the network, and how many numbers it leaves. */
    text = g_strdup_printf (ngettext ("%s to %d number", "%s to %d numbers", (gulong) MAX (shape->dim[1], 0)), name, (int) shape->dim[1]);
  else
    text = g_strdup (name);
  gtk_widget_add_css_class (icon, "dim-label");
  gtk_box_append (GTK_BOX (box), icon);
  add_label (box, text, "caption", "dim-label", NULL);
  gtk_list_box_row_set_selectable (GTK_LIST_BOX_ROW (row), FALSE);
  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), FALSE);
  gtk_widget_set_focusable (GTK_WIDGET (row), FALSE);
  gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (row), box);
  gtk_widget_set_tooltip_text (GTK_WIDGET (row), cost != NULL ? cost : info->name);
  gtk_list_box_append (list, GTK_WIDGET (row));
}

void
mien_layer_row_build (GtkListBox *list, const MienMaps *maps, GPtrArray *layers)
{
  const int n_maps = mien_maps_get_n_layers (maps);
  GtkWidget *child;
  gint64 total = 0;
  int n_conv = 0;

  while ((child = gtk_widget_get_first_child (GTK_WIDGET (list))) != NULL)
    gtk_list_box_remove (list, child);
  for (guint i = 0; layers != NULL && i < layers->len; i++) {
    const MienLayerInfo *info = g_ptr_array_index (layers, i);

    total += info->macs;
    n_conv += op_is (info->op, "Conv");
  }

  /* Where the two lists disagree about convolutions, the maps are what can be shown. */
  if (layers == NULL || n_conv != n_maps) {
    for (int i = 0; i < n_maps; i++)
      append_conv (list, mien_maps_get_layer (maps, i), i, mien_maps_get_layer (maps, i)->params, total);
    return;
  }
  for (guint i = 0, layer = 0; i < layers->len; i++) {
    const MienLayerInfo *info = g_ptr_array_index (layers, i);
    const char *name = mien_layer_row_plain_name (info->op);

    if (op_is (info->op, "Conv")) {
      append_conv (list, mien_maps_get_layer (maps, (int) layer), (int) layer, info->params, total);
      layer++;
    } else if (name != NULL) {
      append_step (list, name, info, total);
    }
  }
}

int
mien_layer_row_get_layer (MienLayerRow *self)
{
  g_return_val_if_fail (MIEN_IS_LAYER_ROW (self), -1);
  return self->layer;
}

const char *
mien_layer_row_get_title (MienLayerRow *self)
{
  g_return_val_if_fail (MIEN_IS_LAYER_ROW (self), NULL);
  return self->title;
}

const char *
mien_layer_row_get_summary (MienLayerRow *self)
{
  g_return_val_if_fail (MIEN_IS_LAYER_ROW (self), NULL);
  return self->summary;
}
