/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changes to ONNX files that keep them Protocol Buffers: one message on the way down from the root is changed, and the lengths of all
 * around it are written anew. */
#include "mien-fuzz.h"

#include "nn/ops/mien-ops.h"
#include "onnx/onnx-bytes.h"

#define MAX_STRING 4096
#define MAX_TOTAL (64 << 10)

typedef enum { LEAF, MODEL, GRAPH, NODE, ATTR, TENSOR, INFO, TYPE, TENSOR_TYPE, SHAPE, DIM, OPSET, ENTRY } Kind;

/* Which fields of which messages are messages; field numbers are onnx.proto's. */
static const struct {
  Kind in;
  int field;
  Kind is;
} children[] = {
  { MODEL, 7, GRAPH }, { MODEL, 8, OPSET }, { MODEL, 14, ENTRY }, { GRAPH, 1, NODE }, { GRAPH, 5, TENSOR },
  { GRAPH, 11, INFO }, { GRAPH, 12, INFO }, { GRAPH, 13, INFO }, { NODE, 5, ATTR }, { ATTR, 5, TENSOR },
  { INFO, 2, TYPE }, { TYPE, 1, TENSOR_TYPE }, { TENSOR_TYPE, 2, SHAPE }, { SHAPE, 1, DIM },
};

static const gint64 numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 16, 17, 48, 64, 255, 4097, 65536, -1, -2, -3, -4, 1 << 20, G_MAXINT32, G_MININT32,
                                  G_GINT64_CONSTANT (1) << 33, G_MAXINT64, G_MININT64, 0x3f800000, 0x7f800000 };

static const char *const attributes[] = {
  "axis", "axes", "keepdims", "pads", "perm", "split", "blocksize", "size", "strides", "dilations", "kernel_shape", "group", "ceil_mode", "to",
  "starts", "ends", "output_shape", "output_padding", "storage_order", "count_include_pad", "broadcast", "k", "largest", "sorted", "allowzero",
  "transA", "transB", "training_mode", "select_last_index", "shape", "value", "value_int", "value_ints", "value_float", "value_floats", "alpha",
  "beta", "gamma", "min", "max", "auto_pad", "mode", "coordinate_transformation_mode", "nearest_mode", "cubic_coeff_a", "exclude_outside",
  "extrapolation_value", "scales", "height_scale", "width_scale", "center_point_box", "ratio", "seed", "momentum", "epsilon", "spatial", "fmod",
  "direction", "num_outputs", "noop_with_empty_axes", "keep_aspect_ratio_policy", "antialias", "start", "end", "bias", "is_test", "dtype", "slope",
};

static const char *const words[] = {
  "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "nearest", "linear", "cubic", "bilinear", "constant", "reflect", "edge", "wrap", "half_pixel",
  "align_corners", "asymmetric", "pytorch_half_pixel", "tf_crop_and_resize", "tf_half_pixel_for_nn", "half_pixel_symmetric", "floor", "ceil",
  "round_prefer_floor", "round_prefer_ceil", "DCR", "CRD", "LEFT", "RIGHT", "FLOAT", "INT64", "mien", "ai.onnx", "mien.labels", "mien.input.size",
  "a,b,c,d,e,f,g", "48", "", "x", "y", "w", "mien.input.scale", "mien.temperature", "0.5",
};

#define PICK(rand, array) ((array)[g_rand_int_range ((rand), 0, G_N_ELEMENTS (array))])

typedef struct {
  int number, wire;
  guint64 value; /* varint and fixed */
  const guint8 *data;
  gsize start, end, length; /* of the whole field; of the content */
} Field;

static gboolean
read_varint (const guint8 *data, gsize n, gsize *at, guint64 *value)
{
  *value = 0;
  for (int shift = 0; shift < 64 && *at < n; shift += 7) {
    const guint8 byte = data[(*at)++];
    *value |= (guint64) (byte & 0x7f) << shift;
    if (byte < 0x80)
      return TRUE;
  }
  return FALSE;
}

static GArray *
read_fields (const guint8 *data, gsize n)
{
  GArray *fields = g_array_new (FALSE, FALSE, sizeof (Field));
  gsize at = 0;

  while (at < n) {
    Field field = { .start = at };
    guint64 tag, length = 0;
    if (!read_varint (data, n, &at, &tag) || tag >> 3 > 1000)
      break;
    field.number = (int) (tag >> 3);
    field.wire = (int) (tag & 7);
    if (field.wire == 0 ? !read_varint (data, n, &at, &field.value)
                        : field.wire == 2 ? !read_varint (data, n, &at, &length) : field.wire != 1 && field.wire != 5)
      break;
    length = field.wire == 1 ? 8 : field.wire == 5 ? 4 : length;
    if (length > n - at)
      break;
    field.data = data + at;
    field.length = length;
    at += length;
    field.end = at;
    g_array_append_val (fields, field);
  }
  return fields;
}

static Kind
kind_of (Kind in, const Field *field)
{
  for (gsize i = 0; i < G_N_ELEMENTS (children); i++)
    if (children[i].in == in && children[i].field == field->number && field->wire == 2)
      return children[i].is;
  return LEAF;
}

static const char *
pick_op (GRand *rand)
{
  static const MienOp *const families[] = { mien_ops_binary, mien_ops_blocked, mien_ops_cast, mien_ops_conv, mien_ops_gemm, mien_ops_instance, mien_ops_move, mien_ops_norm,
                                            mien_ops_pool, mien_ops_reduce, mien_ops_resize, mien_ops_select, mien_ops_shape, mien_ops_slice, mien_ops_softmax,
                                            mien_ops_train, mien_ops_unary };
  const MienOp *family = PICK (rand, families);
  int n = 0;

  while (family[n].name != NULL)
    n++;
  return family[g_rand_int_range (rand, 0, n)].name;
}

/* The name of some tensor of the graph, so that changed links lead somewhere. */
static void
put_name (GByteArray *to, int field, GPtrArray *names, GRand *rand)
{
  if (names->len > 0)
    put_text (to, field, names->pdata[g_rand_int_range (rand, 0, (int) names->len)]);
  else
    put_text (to, field, "x");
}

static void
put_changed_string (GByteArray *to, const Field *field, GRand *rand, MienFuzzChangeFn change)
{
  guint8 *text = g_malloc0 (MAX_STRING);
  gsize n = MIN (field->length, MAX_STRING - 64);

  memcpy (text, field->data, n);
  n = change (text, n, MAX_STRING - 1);
  put_bytes (to, field->number, text, n);
  g_free (text);
}

static void
put_changed_leaf (GByteArray *to, Kind in, const Field *field, GPtrArray *names, GRand *rand, MienFuzzChangeFn change)
{
  const int kind = g_rand_int_range (rand, 0, 4);

  if (field->wire == 0) {
    put_int (to, field->number, kind == 0 ? (gint64) (field->value + (guint64) g_rand_int_range (rand, -2, 3)) : PICK (rand, numbers));
  } else if (field->wire != 2) {
    const guint32 bits = kind == 0 ? 0x7fc00000 : kind == 1 ? 0xff800000 : kind == 2 ? 0 : g_rand_int (rand);
    put_varint (to, field->number << 3 | 5);
    g_byte_array_append (to, (const guint8 *) &bits, 4);
  } else if (in == NODE && (field->number == 1 || field->number == 2) && kind != 0) {
    put_name (to, field->number, names, rand);
  } else if (in == NODE && field->number == 4 && kind != 0) {
    put_text (to, 4, pick_op (rand));
  } else if (in == ATTR && field->number == 1 && kind != 0) {
    put_text (to, 1, PICK (rand, attributes));
  } else if (kind < 2 && (in == ENTRY || (in == ATTR && field->number == 4))) {
    put_text (to, field->number, PICK (rand, words));
  } else {
    put_changed_string (to, field, rand, change);
  }
}

/* A field that was not there: an attribute, a dimension, an input. */
static void
put_new (GByteArray *to, Kind in, GPtrArray *names, GRand *rand)
{
  GByteArray *message = g_byte_array_new ();
  gint64 dims[4];

  for (gsize i = 0; i < G_N_ELEMENTS (dims); i++)
    dims[i] = g_rand_int_range (rand, 0, 3) == 0 ? PICK (rand, numbers) : g_rand_int_range (rand, 0, 6);
  switch (in) {
  case NODE:
    if (g_rand_boolean (rand)) {
      put_name (to, g_rand_int_range (rand, 1, 3), names, rand);
      break;
    }
    put_text (message, 1, PICK (rand, attributes));
    switch (g_rand_int_range (rand, 0, 4)) {
    case 0:
      put_int (message, 3, PICK (rand, numbers));
      put_int (message, 20, 2);
      break;
    case 1:
      put_text (message, 4, PICK (rand, words));
      put_int (message, 20, 3);
      break;
    default:
      for (int i = g_rand_int_range (rand, 0, 5); i > 0; i--)
        put_int (message, 8, g_rand_boolean (rand) ? g_rand_int_range (rand, 0, 4) : PICK (rand, numbers));
      put_int (message, 20, 7);
      break;
    }
    put_bytes (to, 5, message->data, message->len);
    break;
  case GRAPH: {
    const char *name = names->len > 0 ? names->pdata[g_rand_int_range (rand, 0, (int) names->len)] : "x";
    if (g_rand_boolean (rand))
      put_message (to, g_rand_int_range (rand, 11, 14), make_value_info (name, g_rand_int_range (rand, 1, 17), dims, g_rand_int_range (rand, 0, 5)));
    else
      put_message (to, 1, make_node (pick_op (rand), name, g_rand_boolean (rand) ? name : NULL, PICK (rand, words)));
    break;
  }
  case SHAPE:
    put_int (message, 1, dims[0]);
    put_bytes (to, 1, message->data, message->len);
    break;
  case TENSOR:
    put_int (to, g_rand_int_range (rand, 1, 8), dims[0]);
    break;
  default:
    break;
  }
  g_byte_array_unref (message);
}

static void
copy_field (GByteArray *to, const guint8 *data, const Field *field)
{
  g_byte_array_append (to, data + field->start, field->end - field->start);
}

static GByteArray *
change_message (Kind kind, const guint8 *data, gsize n, GPtrArray *names, GRand *rand, MienFuzzChangeFn change)
{
  g_autoptr (GArray) fields = read_fields (data, n);
  GByteArray *to = g_byte_array_new ();
  const int target = fields->len > 0 ? g_rand_int_range (rand, 0, (int) fields->len) : -1;
  const int other = fields->len > 0 ? g_rand_int_range (rand, 0, (int) fields->len) : -1;
  const int what = g_rand_int_range (rand, 0, 12);

  for (int i = 0; i < (int) fields->len; i++) {
    const Field *field = &g_array_index (fields, Field, i);
    const Kind inner = kind_of (kind, field);
    if (i != target) {
      copy_field (to, data, field);
    } else if (inner != LEAF && what < 9) {
      put_message (to, field->number, change_message (inner, field->data, field->length, names, rand, change));
    } else if (what == 9) { /* twice */
      copy_field (to, data, field);
      copy_field (to, data, field);
    } else if (what == 10) { /* another one instead */
      copy_field (to, data, &g_array_index (fields, Field, other));
    } else if (what != 11 && inner == LEAF) { /* 11: left out */
      put_changed_leaf (to, kind, field, names, rand, change);
    }
  }
  if (target < 0 || g_rand_int_range (rand, 0, 6) == 0)
    put_new (to, kind, names, rand);
  return to;
}

/* Names of what nodes read and write, and of initializers. */
static void
collect_names (Kind kind, const guint8 *data, gsize n, GPtrArray *names)
{
  g_autoptr (GArray) fields = read_fields (data, n);

  for (guint i = 0; i < fields->len && names->len < 200; i++) {
    const Field *field = &g_array_index (fields, Field, i);
    const Kind inner = kind_of (kind, field);
    if (inner == GRAPH || inner == NODE || inner == TENSOR || inner == INFO)
      collect_names (inner, field->data, field->length, names);
    else if (field->wire == 2 && field->length < 200 &&
             ((kind == NODE && field->number <= 2) || (kind == TENSOR && field->number == 8) || (kind == INFO && field->number == 1)))
      g_ptr_array_add (names, g_strndup ((const char *) field->data, field->length));
  }
}

GByteArray *
mien_fuzz_mutate_onnx (const guint8 *data, gsize n_bytes, guint32 seed, MienFuzzChangeFn change)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  GByteArray *now = g_byte_array_new ();

  collect_names (MODEL, data, n_bytes, names);
  g_byte_array_append (now, data, n_bytes);
  for (int i = g_rand_int_range (rand, 1, 4); i > 0 && now->len < MAX_TOTAL; i--) {
    GByteArray *changed = change_message (MODEL, now->data, now->len, names, rand, change);
    g_byte_array_unref (now);
    now = changed;
  }
  return now;
}
