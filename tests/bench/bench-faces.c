/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Face detection: recall and precision on photos with known boxes and on clips as the live view sees them, and time. Prints; asserts nothing.
 * Photos   $MIEN_SHARED/photos with gt.json: { "file": { "boxes": [[x, y, width, height], ...] } }; hit from an IoU of .4 */
#include <stdlib.h>

#include <json-glib/json-glib.h>

#include "stream/mien-face-search.h"
#include "stream/mien-video-reader.h"

typedef struct {
  int n_true, n_found, n_hit;
} Score;

static void
count (JsonArray *expected, GArray *found, Score *score)
{
  const guint n_true = json_array_get_length (expected);
  g_autofree gboolean *used = g_new0 (gboolean, found->len + 1);

  score->n_true += (int) n_true;
  score->n_found += (int) found->len;
  for (guint i = 0; i < n_true; i++) {
    JsonArray *numbers = json_array_get_array_element (expected, i);
    const MienBox box = {
      (float) json_array_get_double_element (numbers, 0), (float) json_array_get_double_element (numbers, 1),
      (float) json_array_get_double_element (numbers, 2), (float) json_array_get_double_element (numbers, 3), 0,
    };
    float best_iou = .4f;
    int best = -1;

    for (guint k = 0; k < found->len; k++) {
      const float iou = mien_box_iou (&box, &g_array_index (found, MienBox, k));

      if (!used[k] && iou >= best_iou) {
        best_iou = iou;
        best = (int) k;
      }
    }
    if (best >= 0) {
      used[best] = TRUE;
      score->n_hit++;
    }
  }
}

static void
print_score (const char *detector, const char *what, const Score *score)
{
  g_print ("%-5s %-24s recall %5.1f %%  precision %5.1f %%  (%d faces)\n", detector, what, 100. * score->n_hit / MAX (score->n_true, 1),
           100. * score->n_hit / MAX (score->n_found, 1), score->n_true);
}

static void
measure_photos (const char *detector, const char *folder, JsonObject *truth)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MienFaces) faces = mien_faces_new (detector, &error);
  Score people = { 0 }, agreed = { 0 };
  gint64 spent_us = 0, worst_us = 0;
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;
  int n_photos = 0;

  if (faces == NULL) {
    g_printerr ("%s\n", error->message);
    return;
  }
  json_object_iter_init (&iter, truth);
  while (json_object_iter_next (&iter, &name, &node)) {
    g_autoptr (GFile) file = g_file_new_build_filename (folder, name, NULL);
    g_autoptr (MienImage) image = mien_image_load (file, NULL, &error);
    g_autoptr (GArray) found = NULL;
    gint64 start_us;

    if (image == NULL) {
      g_printerr ("%s\n", error->message);
      g_clear_error (&error);
      continue;
    }
    start_us = g_get_monotonic_time ();
    found = mien_faces_detect (faces, image, NULL);
    start_us = g_get_monotonic_time () - start_us;
    spent_us += start_us;
    worst_us = MAX (worst_us, start_us);
    n_photos++;
    count (json_object_get_array_member (json_node_get_object (node), "boxes"), found, g_str_has_prefix (name, "200") ? &people : &agreed);
    if (g_getenv ("VERBOSE") != NULL)
      g_print ("  %s: %d faces, %d found\n", name, json_array_get_length (json_object_get_array_member (json_node_get_object (node), "boxes")), found->len);
  }
  print_score (detector, "boxes drawn by people", &people);
  print_score (detector, "boxes agreed", &agreed);
  print_score (detector, "all", &(Score) { people.n_true + agreed.n_true, people.n_found + agreed.n_found, people.n_hit + agreed.n_hit });
  g_print ("%-5s a photo takes %.0f ms, at most %.0f ms\n", detector, (double) spent_us / 1000 / MAX (n_photos, 1), (double) worst_us / 1000);
}

/* As the live view does it: the smallest face is a share of the frame's height. */
static void
measure_frame (const char *detector, const char *path, int share)
{
  g_autoptr (MienFaces) faces = mien_faces_new (detector, NULL);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (MienImage) image = mien_image_load (file, NULL, NULL);
  const int n_rounds = 50;
  guint n_found = 0;
  gint64 start_us;

  if (faces == NULL || image == NULL)
    return;
  mien_faces_set_min_size (faces, image->height / share);
  g_array_unref (mien_faces_detect (faces, image, NULL));
  start_us = g_get_monotonic_time ();
  for (int i = 0; i < n_rounds; i++) {
    g_autoptr (GArray) found = mien_faces_detect (faces, image, NULL);

    n_found = found->len;
  }
  g_print ("%-5s live, %d x %d, faces from 1/%d of the height: %.1f ms a frame, %u found\n", detector, image->width, image->height,
           share, (double) (g_get_monotonic_time () - start_us) / 1000 / n_rounds, n_found);
}

static int
compare_times (gconstpointer a, gconstpointer b)
{
  const gint64 x = *(const gint64 *) a, y = *(const gint64 *) b;

  return x < y ? -1 : x > y;
}

/* Boxes of a clip's frame: those that must be found, and those that may be (turned, very small). */
static void
split_boxes (JsonArray *faces, JsonArray *clear, JsonArray *all)
{
  for (guint i = 0; i < json_array_get_length (faces); i++) {
    JsonObject *face = json_array_get_object_element (faces, i);
    JsonArray *box = json_object_get_array_member (face, "box");
    if (json_object_get_boolean_member (face, "clear"))
      json_array_add_array_element (clear, json_array_ref (box));
    json_array_add_array_element (all, json_array_ref (box));
  }
}

static void
measure_clip (const char *detector, const char *folder, const char *name)
{
  g_autofree char *file = g_strconcat (name, ".webm", NULL), *path = g_build_filename (folder, file, NULL);
  g_autofree char *truth_file = g_strconcat (name, ".json", NULL), *truth_path = g_build_filename (folder, truth_file, NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (MienFaceSearch) search = mien_face_search_new (detector, NULL);
  g_autoptr (MienVideoReader) reader = mien_video_reader_new (path, NULL);
  g_autoptr (GArray) times = g_array_new (FALSE, FALSE, sizeof (gint64));
  Score clear = { 0 }, all = { 0 };
  gint64 time_us, after_us = 0;
  MienImage *frame;

  if (search == NULL || reader == NULL || !json_parser_load_from_file (parser, truth_path, NULL))
    return;
  JsonArray *frames = json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)), "frames");
  for (guint i = 0; i < json_array_get_length (frames) && (frame = mien_video_reader_next (reader, &time_us, NULL)) != NULL; i++) {
    g_autoptr (JsonArray) must = json_array_new (), may = json_array_new ();
    const gint64 start_us = g_get_monotonic_time ();
    g_autoptr (GArray) found = mien_face_search_find (search, frame, NULL);
    const gint64 found_us = g_get_monotonic_time (), spent_us = found_us - start_us;

    mien_face_search_look_around (search, frame, NULL);
    after_us += g_get_monotonic_time () - found_us;
    g_array_append_val (times, spent_us);
    split_boxes (json_object_get_array_member (json_array_get_object_element (frames, i), "faces"), must, may);
    count (must, found, &clear);
    count (may, found, &all);
    mien_image_unref (frame);
  }
  if (times->len == 0)
    return;
  g_array_sort (times, compare_times);
  g_print ("%-5s %s: recall %.0f %% of %d clear faces, %.0f %% of all %d, precision %.0f %%; median %.1f ms, 90th percentile %.1f ms, and %.1f ms after the answer\n",
           detector, name, 100. * clear.n_hit / MAX (clear.n_true, 1), clear.n_true, 100. * all.n_hit / MAX (all.n_true, 1), all.n_true,
           100. * all.n_hit / MAX (all.n_found, 1), g_array_index (times, gint64, times->len / 2) / 1000., g_array_index (times, gint64, times->len * 9 / 10) / 1000.,
           after_us / 1000. / times->len);
}

int
main (void)
{
  static const char *const clips[] = { "head-pose-face-detection-female", "head-pose-face-detection-male", "face-demographics-walking" };

  const char *shared = g_getenv ("MIEN_SHARED");
  g_autofree char *folder = shared != NULL ? g_build_filename (shared, "photos", NULL) : NULL;
  g_autofree char *videos = shared != NULL ? g_build_filename (shared, "video", NULL) : NULL;
  g_autofree char *truth = folder != NULL ? g_build_filename (folder, "gt.json", NULL) : NULL;
  g_autofree char *photo = folder != NULL ? g_build_filename (folder, "18_sample4.png", NULL) : NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();

  if (truth == NULL || !json_parser_load_from_file (parser, truth, NULL)) {
    g_print ("no photos with boxes here (set MIEN_SHARED)\n");
    return 77; /* skipped */
  }
  for (const char *const *detector = mien_faces_list_detectors (); *detector != NULL; detector++) {
    measure_photos (*detector, folder, json_node_get_object (json_parser_get_root (parser)));
    measure_frame (*detector, photo, 8);
    measure_frame (*detector, photo, 6);
    for (gsize i = 0; i < G_N_ELEMENTS (clips); i++)
      measure_clip (*detector, videos, clips[i]);
  }
  return EXIT_SUCCESS;
}
