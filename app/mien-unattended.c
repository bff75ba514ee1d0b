/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A run without anybody in front of it; see the header. */
#include "mien-config.h"

#include "mien-unattended.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <stdio.h>

typedef struct {
  MienWindow *window; /* borrowed: the run belongs to it */
  char *picture, *results;
  FILE *lines;        /* (nullable) */
  int *exit_status;
  double seconds;
  guint over_id;
} Run;

static void
run_free (Run *run)
{
  g_clear_handle_id (&run->over_id, g_source_remove);
  if (run->lines != NULL && fclose (run->lines) != 0) {
    g_printerr ("mien: %s: %s\n", run->results, g_strerror (errno));
    *run->exit_status = 1;
  }
  g_free (run->picture);
  g_free (run->results);
  g_free (run);
}

static void
result_cb (MienWindow *window, MienResult *result, const char *name, Run *run)
{
  g_autofree char *line = mien_result_to_json (result, name);

  fprintf (run->lines, "%s\n", line);
  fflush (run->lines);
}

gboolean
mien_window_save_picture (GtkWidget *window, const char *path, GError **error)
{
  g_autoptr (GdkPaintable) paintable = gtk_widget_paintable_new (window);
  g_autoptr (GtkSnapshot) snapshot = gtk_snapshot_new ();
  g_autoptr (GskRenderNode) node = NULL;
  g_autoptr (GdkTexture) texture = NULL;
  GskRenderer *renderer = gtk_native_get_renderer (GTK_NATIVE (window));
  int width = gdk_paintable_get_intrinsic_width (paintable), height = gdk_paintable_get_intrinsic_height (paintable);
  g_autoptr (GBytes) png = NULL;

  gdk_paintable_snapshot (paintable, snapshot, width, height);
  node = gtk_snapshot_to_node (snapshot);
  if (node == NULL || renderer == NULL) {
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, _("The window has not been drawn yet"));
    return FALSE;
  }
  texture = gsk_renderer_render_texture (renderer, node, &GRAPHENE_RECT_INIT (0, 0, width, height));
  png = gdk_texture_save_to_png_bytes (texture);
  return g_file_set_contents (path, g_bytes_get_data (png, NULL), g_bytes_get_size (png), error);
}

static gboolean
close_cb (gpointer user_data)
{
  Run *run = user_data;

  run->over_id = 0;
  gtk_window_close (GTK_WINDOW (run->window));
  return G_SOURCE_REMOVE;
}

/* Only straight after it was painted can a window be asked what it shows: while it waits to be drawn it has nothing. */
static void
painted_cb (GdkFrameClock *clock, Run *run)
{
  g_autoptr (GError) error = NULL;

  g_signal_handlers_disconnect_by_func (clock, painted_cb, run);
  if (run->picture != NULL && !mien_window_save_picture (GTK_WIDGET (run->window), run->picture, &error)) {
    g_printerr ("mien: %s: %s\n", run->picture, error->message);
    *run->exit_status = 1;
  }
  run->over_id = g_idle_add (close_cb, run);
}

static gboolean
over_cb (gpointer user_data)
{
  Run *run = user_data;
  GdkFrameClock *clock = gtk_widget_get_frame_clock (GTK_WIDGET (run->window));

  run->over_id = 0;
  g_signal_connect (clock, "after-paint", G_CALLBACK (painted_cb), run);
  gtk_widget_queue_draw (GTK_WIDGET (run->window));
  return G_SOURCE_REMOVE;
}

/* The time counts from when the window stands, however slow the machine. */
static void
mapped_cb (MienWindow *window, Run *run)
{
  if (run->over_id == 0)
    run->over_id = g_timeout_add_full (G_PRIORITY_LOW, (guint) (run->seconds * 1000), over_cb, run, NULL);
}

void
mien_unattended_start (MienWindow *window, double seconds, const char *picture, const char *results, int *exit_status)
{
  Run *run;

  if (g_object_get_data (G_OBJECT (window), "mien-unattended") != NULL) /* the first run goes on */
    return;
  run = g_new0 (Run, 1);
  run->window = window;
  run->picture = g_strdup (picture);
  run->results = g_strdup (results);
  run->exit_status = exit_status;
  if (results != NULL) {
    run->lines = fopen (results, "we");
    if (run->lines == NULL) {
      g_printerr ("mien: %s: %s\n", results, g_strerror (errno));
      *exit_status = 1;
    } else {
      g_signal_connect (window, "result", G_CALLBACK (result_cb), run);
    }
  }
  run->seconds = seconds;
  if (seconds > 0 && gtk_widget_get_mapped (GTK_WIDGET (window)))
    mapped_cb (window, run);
  else if (seconds > 0)
    g_signal_connect (window, "map", G_CALLBACK (mapped_cb), run);
  g_object_set_data_full (G_OBJECT (window), "mien-unattended", run, (GDestroyNotify) run_free);
}
