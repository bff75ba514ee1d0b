// SPDX-License-Identifier: GPL-3.0-or-later
// OpenCV's dnn module, which reads the ONNX file itself.
#include <cstring>
#include <exception>

#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>

#include <gio/gio.h>

#include "peers/peer.h"

namespace {

struct Engine {
  cv::dnn::Net net;
  cv::Mat input, output;
  int threads;
};

bool
fail (const std::exception &e, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, e.what ());
  return false;
}

char *
start_opencv (MienCpuLevel, GError **)
{
  return g_strdup (CV_VERSION);
}

gboolean
run_opencv (void *engine, int n, double *us, GError **error)
{
  auto *self = static_cast<Engine *> (engine);

  try {
    if (cv::getNumThreads () != self->threads)
      cv::setNumThreads (self->threads);
    for (int i = 0; i < n; i++) {
      const double start = peer_now_us ();
      self->net.setInput (self->input);
      self->output = self->net.forward ();
      us[i] = peer_now_us () - start;
    }
  } catch (const std::exception &e) {
    return fail (e, error);
  }
  return true;
}

void *
open_opencv (const PeerJob *job, GError **error)
{
  const int shape[] = { job->batch, 1, 48, 48 };

  try {
    auto *self = new Engine;
    self->threads = job->threads;
    self->net = cv::dnn::readNetFromONNX (job->path);
    self->net.setPreferableBackend (cv::dnn::DNN_BACKEND_OPENCV);
    self->net.setPreferableTarget (cv::dnn::DNN_TARGET_CPU);
    self->input = cv::Mat (4, shape, CV_32F, const_cast<float *> (job->input));
    return self;
  } catch (const std::exception &e) {
    fail (e, error);
    return nullptr;
  }
}

gboolean
read_opencv (void *engine, float *probabilities, GError **)
{
  auto *self = static_cast<Engine *> (engine);

  std::memcpy (probabilities, self->output.ptr<float> (), self->output.total () * sizeof (float));
  return true;
}

void
close_opencv (void *engine)
{
  delete static_cast<Engine *> (engine);
}

} // namespace

const Peer peer_opencv = { "OpenCV", FALSE, start_opencv, open_opencv, run_opencv, read_opencv, close_opencv, nullptr };
