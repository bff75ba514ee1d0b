/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory of a plan: every value gets a place in one arena; values that do not live at the same time share places. */
#include "mien-config.h"

#include "nn/mien-plan-private.h"

#include <glib/gi18n-lib.h>

enum { ALIGN = 64, KEEP_FOREVER = G_MAXINT };

int
mien_plan_root (const MienPlan *self, int value)
{
  while (self->values[value].kind == MIEN_STORE_ALIAS)
    value = self->values[value].index;
  return value;
}

static MienPlanStep *
step_at (const MienPlan *self, int i)
{
  return &g_array_index (self->steps, MienPlanStep, i);
}

/* last[v]: the last step that reads v itself (not its aliases), -1: none. */
static int *
find_last_uses (const MienPlan *self)
{
  int *last = g_new (int, self->n_values);

  for (int v = 0; v < self->n_values; v++)
    last[v] = self->values[v].kept ? KEEP_FOREVER : -1;
  for (guint i = 0; i < self->steps->len; i++) {
    const MienNode *node = step_at (self, i)->node;
    for (int k = 0; k < node->n_inputs; k++)
      if (node->inputs[k] >= 0)
        last[node->inputs[k]] = MAX (last[node->inputs[k]], (int) i);
  }
  return last;
}

/* Views share their input's memory; an operator that can work in place does so when nobody reads its input afterwards. */
static void
choose_aliases (MienPlan *self, int *last)
{
  for (guint i = 0; i < self->steps->len; i++) {
    MienPlanStep *step = step_at (self, i);
    const int from = step->node->n_inputs > 0 ? step->node->inputs[0] : -1, to = step->node->outputs[0];

    if (from < 0 || to < 0)
      continue;
    const int root = mien_plan_root (self, from);
    const gboolean view = (step->op->flags & MIEN_OP_VIEW) != 0;
    if (!view) {
      MienTensor *in = &self->values[from].desc, *out = &self->values[to].desc;
      if ((step->op->flags & MIEN_OP_IN_PLACE) == 0 || step->dynamic || self->values[root].kind != MIEN_STORE_ARENA ||
          last[root] > (int) i || in->type != out->type || !mien_shape_equal (&in->shape, &out->shape))
        continue;
      gboolean read_twice = FALSE;
      for (int k = 1; k < step->node->n_inputs; k++)
        read_twice |= step->node->inputs[k] >= 0 && mien_plan_root (self, step->node->inputs[k]) == root;
      if (read_twice)
        continue;
    }
    self->values[to].kind = MIEN_STORE_ALIAS;
    self->values[to].index = root; /* chains stay one link long */
    last[root] = MAX (last[root], last[to]);
  }
}

static void
assign_kinds (MienPlan *self)
{
  for (guint i = 0; i < self->steps->len; i++) {
    MienPlanStep *step = step_at (self, i);
    for (int k = 0; k < step->node->n_outputs; k++) {
      const int v = step->node->outputs[k];
      if (v >= 0)
        self->values[v].kind = self->values[v].desc.shape.rank < 0 ? MIEN_STORE_DYNAMIC : MIEN_STORE_ARENA;
    }
  }
}

/* Free pieces of the arena, ordered by offset, neighbours joined. */
typedef struct {
  gsize offset, n_bytes;
} Piece;

/* whole: pieces stay as they were made, for values of just that size. Threads share out equal tensors in the same way, so that each finds in its cache
 * what it writes; where another one has written last, a line takes 0.1 to 0.5 us. */
typedef struct {
  GArray *pieces;
  gboolean whole;
  gsize end;
} Arena;

static gsize
take (Arena *self, gsize n_bytes)
{
  GArray *pieces = self->pieces;
  int best = -1;

  for (guint i = 0; i < pieces->len; i++) {
    const Piece *piece = &g_array_index (pieces, Piece, i);
    if (self->whole ? piece->n_bytes == n_bytes
                    : piece->n_bytes >= n_bytes && (best < 0 || piece->n_bytes < g_array_index (pieces, Piece, best).n_bytes))
      best = i;
  }
  if (best < 0) {
    gsize offset = self->end;
    if (pieces->len > 0 && !self->whole) { /* a free piece at the end grows */
      Piece *last = &g_array_index (pieces, Piece, pieces->len - 1);
      if (last->offset + last->n_bytes == offset) {
        offset = last->offset;
        g_array_set_size (pieces, pieces->len - 1);
      }
    }
    self->end = offset + n_bytes;
    return offset;
  }
  Piece *piece = &g_array_index (pieces, Piece, best);
  const gsize offset = piece->offset;
  piece->offset += n_bytes;
  piece->n_bytes -= n_bytes;
  if (piece->n_bytes == 0)
    g_array_remove_index (pieces, best);
  return offset;
}

static void
give_back (Arena *self, gsize offset, gsize n_bytes)
{
  GArray *pieces = self->pieces;
  guint i = 0;

  while (i < pieces->len && g_array_index (pieces, Piece, i).offset < offset)
    i++;
  g_array_insert_val (pieces, i, ((Piece) { offset, n_bytes }));
  if (self->whole)
    return;
  if (i + 1 < pieces->len) {
    Piece *piece = &g_array_index (pieces, Piece, i), *next = &g_array_index (pieces, Piece, i + 1);
    if (piece->offset + piece->n_bytes == next->offset) {
      piece->n_bytes += next->n_bytes;
      g_array_remove_index (pieces, i + 1);
    }
  }
  if (i > 0) {
    Piece *piece = &g_array_index (pieces, Piece, i), *before = &g_array_index (pieces, Piece, i - 1);
    if (before->offset + before->n_bytes == piece->offset) {
      before->n_bytes += piece->n_bytes;
      g_array_remove_index (pieces, i);
    }
  }
}

static gsize
padded (gsize n_bytes)
{
  return (MAX (n_bytes, 1) + ALIGN - 1) / ALIGN * ALIGN;
}

/* Walks the steps once: makes room for what a step writes, then takes back what was read for the last time. */
static gsize
assign_offsets (MienPlan *self, const int *last, gboolean whole)
{
  g_autoptr (GArray) pieces = g_array_new (FALSE, FALSE, sizeof (Piece));
  Arena arena = { pieces, whole, 0 };
  g_autofree GSList **dying = g_new0 (GSList *, self->steps->len); /* roots by the step that reads them last */

  for (guint i = 0; i < self->steps->len; i++) {
    const MienNode *node = step_at (self, i)->node;
    for (int k = 0; k < node->n_outputs; k++) {
      MienPlanValue *value = node->outputs[k] >= 0 ? &self->values[node->outputs[k]] : NULL;
      if (value == NULL || value->kind != MIEN_STORE_ARENA)
        continue;
      value->offset = take (&arena, padded (mien_tensor_n_bytes (&value->desc)));
      const int death = MAX (last[node->outputs[k]], (int) i);
      if (death != KEEP_FOREVER)
        dying[death] = g_slist_prepend (dying[death], GINT_TO_POINTER (node->outputs[k]));
    }
    for (GSList *l = dying[i]; l != NULL; l = l->next) {
      const MienPlanValue *value = &self->values[GPOINTER_TO_INT (l->data)];
      give_back (&arena, value->offset, padded (mien_tensor_n_bytes (&value->desc)));
    }
    g_slist_free (dying[i]);
  }
  return arena.end;
}

gboolean
mien_plan_lay_out (MienPlan *self, GError **error)
{
  g_autofree int *last = find_last_uses (self);
  gsize scratch = 0;

  assign_kinds (self);
  choose_aliases (self, last);
  for (guint i = 0; i < self->steps->len; i++)
    scratch = MAX (scratch, step_at (self, i)->prep.scratch_bytes);
  const gboolean whole = self->paced && self->n_threads > 1;
  self->scratch_offset = assign_offsets (self, last, whole);
  if (whole && (scratch > self->max_bytes || self->scratch_offset > self->max_bytes - scratch)) /* it takes more memory */
    self->scratch_offset = assign_offsets (self, last, FALSE);
  if (!g_size_checked_add (&self->arena_bytes, self->scratch_offset, scratch) || self->arena_bytes > self->max_bytes) {
    g_set_error (error, MIEN_NN_ERROR, MIEN_NN_ERROR_SIZE, _("the network needs %.1f GB of memory; the limit is %.1f GB"),
                 (double) self->arena_bytes / 1e9, (double) self->max_bytes / 1e9);
    return FALSE;
  }
  return TRUE;
}
