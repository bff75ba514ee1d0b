/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Face detection with OpenCV's cascades, a module of its own. Contract in mien-faces.h.
 *
 * A cascade alone calls many things a face. Each candidate therefore gets a second look: its surroundings are brought
 * to one size, whatever the face's size was, and the same cascade must find it again there, several times over. On
 * photographs that removes four of five false answers for one or two lost faces in a hundred (tests/bench/bench-faces.c). */
#include "mien-config.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

extern "C" {
#include <glib/gi18n-lib.h>

#include "vision/mien-faces-module.h"
}

#define DEFAULT_MIN_SIZE 24
#define WORKING_MIN_SIZE 24  /* the picture is reduced until the smallest face looked for is this large */
#define MAX_OVERLAP .4f

struct Detector {
  const char *name;
  const char *file;
  bool equalize;      /* whole picture; the second look is never equalised */
  int n_found;        /* hits that make a candidate */
  int n_sure;         /* hits that need no second look */
  int n_found_again;  /* hits that the second look must have */
  int n_followed;     /* those that a face must have which was there a frame ago */
};

/* A close look: surroundings of this side, with a face of about this size in the middle; sizes that are looked for. */
struct Look {
  int side, face;
  int smallest, largest;
  double step; /* between sizes */
};

static const Look second_look = { 112, 60, 44, 84, 1.1 };

/* Steps of 1.1 would take twice the time. Less than 42 pixels would be faster, too, but the cascade goes through those in larger steps and
 * makes faces a tenth larger than it does in whole frames. */
static const Look following_look = { 96, 60, 46, 82, 1.2 };

static const Detector detectors[] = {
  { "haar", "haarcascades/haarcascade_frontalface_alt2.xml", false, 3, 16, 6, 3 },
  { "lbp", "lbpcascades/lbpcascade_frontalface.xml", true, 4, 24, 5, 2 },
};

struct _MienFaces {
  const Detector *detector;
  cv::CascadeClassifier cascade;
  int min_size;
  cv::Mat grey, small, equalized, near, look; /* kept: no allocation from frame to frame */
};

/* The same number as the program's. */
extern "C" G_DEFINE_QUARK (mien-faces-error-quark, mien_faces_error)

static char *
find_cascade (const char *file)
{
  const char *const folders[] = {
    g_getenv ("MIEN_CASCADE_DIR"), MIEN_OPENCV_DATADIR, "/usr/share/opencv4", "/usr/local/share/opencv4", "/usr/share/opencv", "/usr/share/OpenCV",
  };

  for (const char *folder : folders) {
    g_autofree char *path = folder != NULL ? g_build_filename (folder, file, NULL) : NULL;

    if (path != NULL && g_file_test (path, G_FILE_TEST_IS_REGULAR))
      return static_cast<char *> (g_steal_pointer (&path));
    if (folder != NULL && folder == folders[0])
      return NULL; /* who names a folder means it */
  }
  return NULL;
}

static MienFaces *
new_faces (const char *name, GError **error)
{
  const Detector *detector = NULL;
  g_autofree char *path = NULL;

  for (const Detector &known : detectors)
    if (detector == NULL && (name == NULL || g_str_equal (name, known.name)))
      detector = &known;
  if (detector == NULL) {
    g_set_error (error, MIEN_FACES_ERROR, MIEN_FACES_ERROR_NO_DETECTOR, _("There is no face detector “%s”; choose haar or lbp."), name);
    return NULL;
  }
  path = find_cascade (detector->file);
  if (path == NULL) {
    g_set_error (error, MIEN_FACES_ERROR, MIEN_FACES_ERROR_NO_DETECTOR,
                 _("The face detector's file %s is not there; install the package opencv-data."), detector->file);
    return NULL;
  }
  try {
    auto self = std::make_unique<MienFaces> ();

    cv::setNumThreads (1); /* its threads would fight ours for the same cores; a frame takes milliseconds anyway */
    self->detector = detector;
    self->min_size = DEFAULT_MIN_SIZE;
    if (self->cascade.load (path))
      return self.release ();
  } catch (const std::exception &) {
  }
  g_set_error (error, MIEN_FACES_ERROR, MIEN_FACES_ERROR_NO_DETECTOR,
               _("The face detector's file %s is damaged; install the package opencv-data again."), path);
  return NULL;
}

static void
free_faces (MienFaces *self)
{
  delete self;
}

static void
set_min_size (MienFaces *self, int pixels)
{
  self->min_size = MAX (pixels, 1);
}

/* A square with the face in its middle. */
static cv::Rect
around_face (const Look &look, const cv::Rect &face)
{
  const int side = MAX (cvRound (look.side * (double) face.width / look.face), 1);

  return cv::Rect (face.x + (face.width - side) / 2, face.y + (face.height - side) / 2, side, side);
}

/* How often the cascade finds the face in grey, the part of its surroundings that is inside the picture; min_overlap: IoU with where it
 * is expected. box: where it is, if anywhere, in shares of the surroundings. */
static int
look_closely (MienFaces *self, const Look &look, const cv::Mat &grey, const cv::Rect &around, const cv::Rect &inside, float min_overlap, cv::Rect2f &box)
{
  const float side = (float) look.side, face = (float) look.face;
  const cv::Rect2f expected ((side - face) / 2, (side - face) / 2, face, face);
  std::vector<cv::Rect> found;
  std::vector<int> counts;
  int best = 0;

  cv::copyMakeBorder (grey, self->look, inside.y - around.y, around.br ().y - inside.br ().y,
                      inside.x - around.x, around.br ().x - inside.br ().x, cv::BORDER_REPLICATE);
  cv::resize (self->look, self->look, cv::Size (look.side, look.side), 0, 0, around.width > look.side ? cv::INTER_AREA : cv::INTER_LINEAR);
  self->cascade.detectMultiScale (self->look, found, counts, look.step, 1, 0, cv::Size (look.smallest, look.smallest),
                                  cv::Size (look.largest, look.largest));
  for (size_t i = 0; i < found.size (); i++) {
    const cv::Rect2f here = found[i], both = here & expected;

    if (both.area () <= min_overlap * (here.area () + expected.area () - both.area ()) || counts[i] <= best)
      continue;
    best = counts[i];
    box = cv::Rect2f (here.x / side, here.y / side, here.width / side, here.height / side);
  }
  return best;
}

/* How often the cascade finds the face again in a picture of its surroundings. */
static int
look_again (MienFaces *self, const cv::Rect &face)
{
  const cv::Rect around = around_face (second_look, face), inside = around & cv::Rect (0, 0, self->small.cols, self->small.rows);
  cv::Rect2f box;

  return look_closely (self, second_look, self->small (inside), around, inside, .4f, box);
}

static void
follow (MienFaces *self, const MienImage *image, const MienBox &face, MienBox &found)
{
  const cv::Mat picture (image->height, image->width, CV_8UC4, image->pixels, (size_t) image->stride_bytes);
  const cv::Rect all (0, 0, image->width, image->height), before (cvRound (face.x), cvRound (face.y), cvRound (face.width), cvRound (face.height));
  const cv::Rect around = before.width > 0 ? around_face (following_look, before) : cv::Rect (), inside = around & all;
  cv::Rect2f box;

  found = MienBox ();
  if (inside.empty ())
    return;
  cv::cvtColor (picture (inside), self->near, cv::COLOR_BGRA2GRAY);
  const int n_hits = look_closely (self, following_look, self->near, around, inside, .25f, box);
  if (n_hits >= self->detector->n_followed)
    found = { (float) around.x + box.x * (float) around.width, (float) around.y + box.y * (float) around.height,
              box.width * (float) around.width, box.height * (float) around.height, (float) n_hits };
}

static void
detect (MienFaces *self, const MienImage *image, std::vector<MienBox> &boxes)
{
  const cv::Mat picture (image->height, image->width, CV_8UC4, image->pixels, (size_t) image->stride_bytes);
  const double factor = MAX (1., (double) self->min_size / WORKING_MIN_SIZE);
  const int min_size = MAX (1, cvRound (self->min_size / factor));
  std::vector<cv::Rect> found;
  std::vector<int> counts;

  cv::cvtColor (picture, self->grey, cv::COLOR_BGRA2GRAY);
  if (factor > 1)
    cv::resize (self->grey, self->small,
                cv::Size (MAX (1, cvRound (image->width / factor)), MAX (1, cvRound (image->height / factor))), 0, 0, cv::INTER_AREA);
  else
    self->small = self->grey;
  if (self->detector->equalize)
    cv::equalizeHist (self->small, self->equalized);
  self->cascade.detectMultiScale (self->detector->equalize ? self->equalized : self->small, found, counts, 1.1,
                                  self->detector->n_found - 1, 0, cv::Size (min_size, min_size));
  for (size_t i = 0; i < found.size (); i++) {
    const bool sure = counts[i] >= self->detector->n_sure;
    const int n_hits = sure ? counts[i] : look_again (self, found[i]);
    /* The reduced picture's sides were rounded, so each axis has its own factor. */
    const float fx = (float) image->width / (float) self->small.cols, fy = (float) image->height / (float) self->small.rows;

    if (sure || n_hits >= self->detector->n_found_again)
      boxes.push_back ({ found[i].x * fx, found[i].y * fy, found[i].width * fx, found[i].height * fy, (float) n_hits });
  }
}

static void
keep_best (std::vector<MienBox> &boxes)
{
  std::vector<MienBox> kept;

  std::stable_sort (boxes.begin (), boxes.end (), [] (const MienBox &a, const MienBox &b) { return a.score > b.score; });
  for (const MienBox &box : boxes)
    if (std::none_of (kept.begin (), kept.end (), [&box] (const MienBox &other) { return mien_box_iou (&box, &other) > MAX_OVERLAP; }))
      kept.push_back (box);
  std::stable_sort (kept.begin (), kept.end (), [] (const MienBox &a, const MienBox &b) { return a.x < b.x; });
  boxes = kept;
}

static gboolean
fail (const std::exception &exception, GError **error)
{
  g_set_error (error, MIEN_FACES_ERROR, MIEN_FACES_ERROR_FAILED, _("Looking for faces failed: %s."), exception.what ());
  return FALSE;
}

static GArray *
detect_faces (MienFaces *self, const MienImage *image, GError **error)
{
  try {
    std::vector<MienBox> boxes;
    GArray *result;

    detect (self, image, boxes);
    keep_best (boxes);
    result = g_array_sized_new (FALSE, FALSE, sizeof (MienBox), (guint) boxes.size ());
    if (!boxes.empty ())
      g_array_append_vals (result, boxes.data (), (guint) boxes.size ());
    return result;
  } catch (const std::exception &exception) {
    fail (exception, error);
    return NULL;
  }
}

static gboolean
follow_faces (MienFaces *self, const MienImage *image, const MienBox *faces, int n, MienBox *found, GError **error)
{
  try {
    for (int i = 0; i < n; i++)
      follow (self, image, faces[i], found[i]);
    return TRUE;
  } catch (const std::exception &exception) {
    return fail (exception, error);
  }
}

extern "C" const MienFacesModule mien_faces_module = { new_faces, free_faces, set_min_size, detect_faces, follow_faces };
