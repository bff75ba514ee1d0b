/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mien-config.h"

#include "keras/mien-keras-step.h"

#include <glib/gi18n-lib.h>
#include <string.h>

gboolean
mien_keras_step_fail (const MienKerasStep *self, const char *what, GError **error)
{
  return mien_file_fail (error, MIEN_NN_ERROR_UNSUPPORTED, _("%s: %s is not supported"), self->layer->shown, what);
}

MienNode *
mien_keras_step_append (MienKerasStep *self, const char *op, const char *suffix, const int *extra, int n_extra)
{
  g_autofree char *name = g_strconcat (self->layer->name, suffix, NULL);
  int inputs[5] = { self->now.value };

  for (int i = 0; i < n_extra; i++)
    inputs[i + 1] = extra[i];
  self->now.value = mien_graph_op (self->builder->graph, "", op, name, inputs, n_extra + 1);
  return mien_graph_producer (self->builder->graph, self->now.value);
}

int
mien_keras_step_add_constant (MienKerasStep *self, const char *what, MienTensor *tensor)
{
  g_autofree char *name = g_strdup_printf ("%s.%s", self->layer->name, what);

  return mien_graph_add_constant (self->builder->graph, name, tensor);
}

int
mien_keras_step_add_number (MienKerasStep *self, const char *what, float value)
{
  const MienShape shape = { .rank = 0 };
  MienTensor *tensor = mien_tensor_new (MIEN_F32, &shape);

  *mien_tensor_f32 (tensor) = value;
  return mien_keras_step_add_constant (self, what, tensor);
}

/* The last part of "dense_1/kernel:0" without its number. */
static gboolean
is_weight (const char *path, const char *name)
{
  const char *base = strrchr (path, '/');
  const gsize n = strlen (name);

  base = base != NULL ? base + 1 : path;
  return strncmp (base, name, n) == 0 && (base[n] == '\0' || base[n] == ':');
}

MienTensor *
mien_keras_step_read_weight (MienKerasStep *self, const char *name, const char *other, MienShape shape, GError **error)
{
  const MienHdf5 *file = self->builder->file;
  const char *layer = self->layer->name;
  g_autoptr (GError) problem = NULL;
  g_autoptr (MienTensor) tensor = NULL;
  const int n = mien_hdf5_count_weights (file, layer, &problem);
  int found = -1;

  for (int i = 0; i < n && found < 0; i++) {
    const char *path = mien_hdf5_get_weight_name (file, layer, i);

    if (is_weight (path, name) || (other != NULL && is_weight (path, other)))
      found = i;
  }
  if (found >= 0)
    tensor = mien_hdf5_ref_weight (file, layer, found, &problem);
  if (problem != NULL) {
    g_propagate_prefixed_error (error, g_steal_pointer (&problem), "%s: %s: ", self->layer->shown, name);
    return NULL;
  }
  if (tensor == NULL) {
    mien_file_fail (error, MIEN_NN_ERROR_FORMAT, _("%s has no weight “%s” in the file; the file is incomplete or belongs to another model"), self->layer->shown, name);
    return NULL;
  }
  if (!mien_shape_equal (&tensor->shape, &shape)) {
    g_autofree char *got = mien_shape_to_string (&tensor->shape), *want = mien_shape_to_string (&shape);

    mien_file_fail (error, MIEN_NN_ERROR_SHAPE, _("%s: its weight “%s” is %s, but the description needs %s; the weights belong to another model"),
                     self->layer->shown, name, got, want);
    return NULL;
  }
  return g_steal_pointer (&tensor);
}

int
mien_keras_step_add_vector (MienKerasStep *self, const char *name, int n, GError **error)
{
  MienTensor *tensor = mien_keras_step_read_weight (self, name, NULL, mien_shape (1, n), error);

  return tensor != NULL ? mien_keras_step_add_constant (self, name, tensor) : -1;
}

gboolean
mien_keras_step_activate (MienKerasStep *self, const char *name, GError **error)
{
  static const struct {
    const char *keras, *onnx;
  } plain[] = {
    { "relu", "Relu" }, { "sigmoid", "Sigmoid" }, { "tanh", "Tanh" }, { "softplus", "Softplus" }, { "softsign", "Softsign" },
    { "elu", "Elu" }, { "selu", "Selu" }, { "exponential", "Exp" }, { "hard_sigmoid", "HardSigmoid" },
  };
  const int input = self->now.value;

  if (strcmp (name, "linear") == 0)
    return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (plain); i++) {
    if (strcmp (name, plain[i].keras) == 0) {
      mien_keras_step_append (self, plain[i].onnx, ".activation", NULL, 0);
      return TRUE;
    }
  }
  if (strcmp (name, "softmax") == 0) {
    if (self->now.rank != 1)
      return mien_keras_step_fail (self, _("softmax over a picture"), error);
    mien_node_set_int (mien_keras_step_append (self, "Softmax", ".activation", NULL, 0), "axis", 1);
    return TRUE;
  }
  if (strcmp (name, "relu6") == 0) {
    const int limits[] = { mien_keras_step_add_number (self, "lo", 0), mien_keras_step_add_number (self, "hi", 6) };

    mien_keras_step_append (self, "Clip", ".activation", limits, 2);
    return TRUE;
  }
  if (strcmp (name, "swish") == 0 || strcmp (name, "silu") == 0) {
    mien_keras_step_append (self, "Sigmoid", ".sigmoid", NULL, 0);
    mien_keras_step_append (self, "Mul", ".activation", &input, 1);
    return TRUE;
  }
  g_autofree char *quoted = mien_graph_quote (name);
  g_autofree char *what = g_strdup_printf (_("the activation %s"), quoted);
  return mien_keras_step_fail (self, what, error);
}

/* "relu", or since Keras 3 {"class_name": "function", "config": "relu"}. */
gboolean
mien_keras_step_activate_own (MienKerasStep *self, GError **error)
{
  JsonNode *node = mien_keras_get_node (self->layer->config, "activation");
  const char *name = node == NULL ? "linear" : NULL;

  if (node != NULL && JSON_NODE_HOLDS_OBJECT (node))
    node = mien_keras_get_node (json_node_get_object (node), "config");
  if (node != NULL && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING)
    name = json_node_get_string (node);
  return name != NULL ? mien_keras_step_activate (self, name, error) : mien_keras_step_fail (self, _("its activation"), error);
}
