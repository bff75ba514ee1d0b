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
#define LOOK_SIDE 112        /* the second look: surroundings of this side, */
#define LOOK_FACE 60         /* with the face in the middle at this size */
#define MAX_OVERLAP .4f

struct Detector {
  const char *name;
  const char *file;
  bool equalize;      /* whole picture; the second look is never equalised */
  int n_found;        /* hits that make a candidate */
  int n_sure;         /* hits that need no second look */
  int n_found_again;  /* hits that the second look must have */
};

static const Detector detectors[] = {
  { "haar", "haarcascades/haarcascade_frontalface_alt2.xml", false, 3, 16, 6 },
  { "lbp", "lbpcascades/lbpcascade_frontalface.xml", true, 4, 24, 5 },
};

struct _MienFaces {
  const Detector *detector;
  cv::CascadeClassifier cascade;
  int min_size;
  cv::Mat grey, small, equalized, look; /* kept: no allocation from frame to frame */
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

/* How often the cascade finds the face again in a picture of its surroundings. */
static int
look_again (MienFaces *self, const cv::Rect &face)
{
  const double scale = (double) LOOK_FACE / face.width;
  const int side = MAX (cvRound (LOOK_SIDE / scale), 1);
  const cv::Rect around (face.x + (face.width - side) / 2, face.y + (face.height - side) / 2, side, side);
  const cv::Rect inside = around & cv::Rect (0, 0, self->small.cols, self->small.rows);
  const cv::Rect2f expected ((LOOK_SIDE - LOOK_FACE) / 2.f, (LOOK_SIDE - LOOK_FACE) / 2.f, LOOK_FACE, LOOK_FACE);
  std::vector<cv::Rect> found;
  std::vector<int> counts;
  int best = 0;

  cv::copyMakeBorder (self->small (inside), self->look, inside.y - around.y, around.br ().y - inside.br ().y,
                      inside.x - around.x, around.br ().x - inside.br ().x, cv::BORDER_REPLICATE);
  cv::resize (self->look, self->look, cv::Size (LOOK_SIDE, LOOK_SIDE), 0, 0, scale < 1 ? cv::INTER_AREA : cv::INTER_LINEAR);
  self->cascade.detectMultiScale (self->look, found, counts, 1.1, 1, 0, cv::Size (44, 44), cv::Size (84, 84));
  for (size_t i = 0; i < found.size (); i++) {
    const cv::Rect2f box = found[i], both = box & expected;

    if (both.area () > .4f * (box.area () + expected.area () - both.area ()))
      best = MAX (best, counts[i]);
  }
  return best;
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
    g_set_error (error, MIEN_FACES_ERROR, MIEN_FACES_ERROR_FAILED, _("Looking for faces failed: %s."), exception.what ());
    return NULL;
  }
}

extern "C" const MienFacesModule mien_faces_module = { new_faces, free_faces, set_min_size, detect_faces };
