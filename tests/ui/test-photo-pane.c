/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The photo pane on files made here: a picture without a face, a broken file, several, and one left before it is read. */
#include "photo/mien-photo-pane.h"

#include "mien-test-model.h"
#include "mien-test.h"
#include "mien-ui-test.h"

typedef struct {
  char *dir;
  GtkWidget *window;
  MienPhotoPane *pane;
  GListStore *files;
} Fixture;

static void
set_up (Fixture *f, gconstpointer user_data)
{
  g_autoptr (MienModel) model = mien_test_model ();
  g_autoptr (MienImage) image = mien_image_new (200, 100);
  const char *const names[] = { "grey.png", "broken.png" };

  for (int i = 0; i < image->stride_bytes * image->height; i++)
    image->pixels[i] = i % 4 == 3 ? 255 : 128;
  f->dir = mien_test_make_dir ();
  f->files = g_list_store_new (G_TYPE_FILE);
  for (int i = 0; i < 2; i++) {
    g_autofree char *path = g_build_filename (f->dir, names[i], NULL);
    g_autoptr (GFile) file = g_file_new_for_path (path);

    g_assert_true (i == 0 ? mien_image_save_png (image, path, NULL) : g_file_set_contents (path, "\x89PNG\r\n\x1a\nno", -1, NULL));
    g_list_store_append (f->files, file);
  }
  f->pane = MIEN_PHOTO_PANE (mien_photo_pane_new ());
  f->window = gtk_window_new ();
  gtk_window_set_default_size (GTK_WINDOW (f->window), 800, 600);
  gtk_window_set_child (GTK_WINDOW (f->window), GTK_WIDGET (f->pane));
  gtk_window_present (GTK_WINDOW (f->window));
  mien_photo_pane_set_model (f->pane, model);
}

static void
tear_down (Fixture *f, gconstpointer user_data)
{
  if (f->window != NULL)
    gtk_window_destroy (GTK_WINDOW (f->window));
  g_object_unref (f->files);
  mien_test_remove_dir (f->dir);
  g_free (f->dir);
}

static void
count_cb (int *count)
{
  (*count)++;
}

static void
test_steps (Fixture *f, gconstpointer user_data)
{
  g_autofree char *title = NULL;
  MienModel *model;
  int changed = 0;

  g_signal_connect_swapped (f->pane, "face-changed", G_CALLBACK (count_cb), &changed);
  mien_ui_wait (mien_ui_find_text (f->window, "Read a Photo") != NULL);
  mien_photo_pane_open (f->pane, G_LIST_MODEL (f->files));
  mien_ui_wait (mien_ui_find_text (f->window, "No Face") != NULL);
  g_assert_cmpint (changed, >, 0);
  g_assert_nonnull (mien_ui_find_text (f->window, "grey.png · 200 × 100*"));
  g_assert_nonnull (mien_ui_find_text (f->window, "1 of 2"));
  g_assert_null (mien_photo_pane_get_face (f->pane, &model));
  g_assert_null (mien_photo_pane_dup_text (f->pane));
  g_object_get (f->pane, "title", &title, NULL);
  g_assert_cmpstr (title, ==, "grey.png");

  g_assert_true (gtk_widget_activate_action (GTK_WIDGET (f->pane), "photo.next", NULL));
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "*broken.png*");
  mien_ui_wait (mien_ui_find_text (f->window, "*broken.png*") != NULL);
  g_test_assert_expected_messages ();
  g_assert_nonnull (mien_ui_find_text (f->window, "This Photo Cannot Be Read"));
  g_assert_nonnull (mien_ui_find_text (f->window, "2 of 2"));

  mien_ui_wait (mien_ui_find_text (f->window, "No Face") == NULL); /* the page before has faded */
  g_assert_true (gtk_widget_activate_action (GTK_WIDGET (f->pane), "photo.previous", NULL));
  mien_ui_wait (mien_ui_find_text (f->window, "No Face") != NULL);
}

static void
test_no_model (Fixture *f, gconstpointer user_data)
{
  g_autoptr (MienModel) model = mien_test_model ();

  mien_photo_pane_set_model (f->pane, NULL);
  g_list_store_remove (f->files, 1);
  g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, "*no network*");
  mien_photo_pane_open (f->pane, G_LIST_MODEL (f->files));
  mien_ui_wait (mien_ui_find_text (f->window, "*no network*") != NULL);
  g_test_assert_expected_messages ();
  mien_photo_pane_set_model (f->pane, model); /* now it is read */
  mien_ui_wait (mien_ui_find_text (f->window, "No Face") != NULL);
}

/* Leaving while a photo is read: nothing is shown, nothing is kept. */
static void
test_leave (Fixture *f, gconstpointer user_data)
{
  gpointer pane = f->pane;

  mien_photo_pane_open (f->pane, G_LIST_MODEL (f->files));
  mien_photo_pane_open (f->pane, G_LIST_MODEL (f->files));
  g_object_add_weak_pointer (G_OBJECT (f->pane), &pane);
  gtk_window_destroy (GTK_WINDOW (g_steal_pointer (&f->window)));
  mien_ui_wait (pane == NULL);
}

int
main (int argc, char *argv[])
{
  mien_ui_init (&argc, &argv);
  g_test_add ("/photo-pane/steps", Fixture, NULL, set_up, test_steps, tear_down);
  g_test_add ("/photo-pane/no-model", Fixture, NULL, set_up, test_no_model, tear_down);
  g_test_add ("/photo-pane/leave", Fixture, NULL, set_up, test_leave, tear_down);
  return g_test_run ();
}
