/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <locale.h>
#include <math.h>
#include <string.h>

#include <json-glib/json-glib.h>

#include "fake-model.h"
#include "stream/mien-result.h"

static MienResult *
make_result (void)
{
  g_autoptr (MienModel) model = fake_model_new ();
  MienResult *result = mien_result_new (model, 2);

  result->time_us = 1233600;
  result->width = 640;
  result->height = 480;
  result->faces[0] = (MienFace) { .track = 7, .box = { 10.25f, -3, 100, 120.5f, 9 }, .label = 1, .confidence = .93f, .probabilities = { .07f, .93f, 0 } };
  result->faces[1] = (MienFace) { .track = 12, .box = { 40, 20, 30, 30, 9 }, .label = 0, .confidence = 1, .probabilities = { 1, 1e-9f, NAN } };
  result->faces[0].pixels = g_new0 (float, 64);
  return result;
}

static void
test_json (void)
{
  static const char name[] = "a \"b\"\\\n\xff/ü.jpg";
  g_autoptr (MienResult) result = make_result ();
  g_autofree char *text = mien_result_to_json (result, name);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GList) keys = NULL;
  JsonObject *object, *face;
  JsonArray *faces, *box;

  g_assert_null (strchr (text, '\n'));
  json_parser_load_from_data (parser, text, -1, &error);
  g_assert_no_error (error);
  object = json_node_get_object (json_parser_get_root (parser));
  g_assert_cmpstr (json_object_get_string_member (object, "file"), ==, "a \"b\"\\\n\xef\xbf\xbd/ü.jpg");
  g_assert_cmpint (json_object_get_int_member (object, "time_ms"), ==, 1234);
  g_assert_cmpint (json_object_get_int_member (object, "width"), ==, 640);
  g_assert_cmpint (json_object_get_int_member (object, "height"), ==, 480);
  faces = json_object_get_array_member (object, "faces");
  g_assert_cmpuint (json_array_get_length (faces), ==, 2);
  face = json_array_get_object_element (faces, 0);
  g_assert_cmpint (json_object_get_int_member (face, "track"), ==, 7);
  box = json_object_get_array_member (face, "box");
  g_assert_cmpuint (json_array_get_length (box), ==, 4);
  g_assert_cmpfloat_with_epsilon (json_array_get_double_element (box, 0), 10.25, .051);
  g_assert_cmpfloat (json_array_get_double_element (box, 1), ==, -3);
  g_assert_cmpfloat (json_array_get_double_element (box, 3), ==, 120.5);
  g_assert_cmpstr (json_object_get_string_member (face, "label"), ==, "da\"rk");
  g_assert_cmpfloat_with_epsilon (json_object_get_double_member (face, "confidence"), .93, 1e-9);
  face = json_object_get_object_member (face, "probabilities");
  keys = json_object_get_members (face);
  g_assert_cmpuint (g_list_length (keys), ==, 3);
  g_assert_cmpstr (keys->data, ==, "bright");
  g_assert_cmpfloat_with_epsilon (json_object_get_double_member (face, "bright"), .07, 1e-9);
}

static void
test_json_literal (void)
{
  g_autoptr (MienModel) model = fake_model_new ();
  g_autoptr (MienResult) empty = mien_result_new (model, 0), one = mien_result_new (model, 1);
  g_autofree char *text = NULL, *face = NULL;

  empty->width = 2;
  empty->height = 1;
  text = mien_result_to_json (empty, "a.jpg");
  g_assert_cmpstr (text, ==, "{\"file\":\"a.jpg\",\"time_ms\":0,\"width\":2,\"height\":1,\"faces\":[]}");
  one->faces[0] = (MienFace) { .track = 1, .box = { 1, 2, 30, 40.04f, 0 }, .label = 0, .confidence = .5f, .probabilities = { .5f, .25f, .25f } };
  face = mien_result_to_json (one, "a.jpg");
  g_assert_cmpstr (strstr (face, "\"faces\""), ==,
                   "\"faces\":[{\"track\":1,\"box\":[1,2,30,40],\"label\":\"bright\",\"confidence\":0.5,"
                   "\"probabilities\":{\"bright\":0.5,\"da\\\"rk\":0.25,\"never, ever\":0.25}}]}");
}

static void
test_csv (void)
{
  g_autoptr (MienResult) result = make_result ();
  g_autofree char *header = mien_result_csv_header (result->model), *text = mien_result_to_csv (result, "a, b.jpg");

  g_assert_cmpstr (header, ==, "file,time_ms,track,x,y,width,height,label,confidence,bright,\"da\"\"rk\",\"never, ever\"\n");
  g_assert_true (g_str_has_prefix (text, "\"a, b.jpg\",1234,7,10."));
  g_assert_nonnull (strstr (text, ",-3,100,120.5,\"da\"\"rk\",0.93,0.07,0.93,0\n\"a, b.jpg\",1234,12,40,20,30,30,bright,1,1,0,0\n"));
}

static void
test_locale (void)
{
  g_autoptr (MienResult) result = make_result ();
  g_autofree char *before = mien_result_to_csv (result, "a"), *after = NULL;

  if (setlocale (LC_ALL, "de_DE.UTF-8") == NULL) {
    g_test_skip ("no locale with a decimal comma here");
    return;
  }
  after = mien_result_to_csv (result, "a");
  setlocale (LC_ALL, "C");
  g_assert_cmpstr (before, ==, after);
}

static void
test_find (void)
{
  g_autoptr (MienResult) result = make_result ();

  g_assert_cmpint (mien_result_find_track (result, 12), ==, 1);
  g_assert_cmpint (mien_result_find_track (result, 1), ==, -1);
  g_assert_cmpint (mien_result_face_at (result, 50, 30), ==, 1); /* both, the smaller */
  g_assert_cmpint (mien_result_face_at (result, 20, 100), ==, 0);
  g_assert_cmpint (mien_result_face_at (result, 500, 100), ==, -1);
  g_assert_cmpint (mien_result_face_at (result, 70, 30), ==, 0); /* the right edge belongs to it no more */
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/result/json", test_json);
  g_test_add_func ("/result/json-literal", test_json_literal);
  g_test_add_func ("/result/csv", test_csv);
  g_test_add_func ("/result/locale", test_locale);
  g_test_add_func ("/result/find", test_find);
  return g_test_run ();
}
