// SPDX-License-Identifier: GPL-3.0-or-later
// The peer: the same network, the same input, one thread, in OpenCV's dnn module. Prints median and 99th percentile in
// microseconds.
//
//   bench-opencv MODEL.onnx CHANNELS SIZE [SECONDS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>

int
main (int argc, char **argv)
{
  if (argc < 4) {
    std::fputs ("usage: bench-opencv MODEL.onnx CHANNELS SIZE [SECONDS]\n", stderr);
    return 2;
  }
  const double seconds = argc > 4 ? std::atof (argv[4]) : 2;

  try {
    const int size[] = { 1, std::atoi (argv[2]), std::atoi (argv[3]), std::atoi (argv[3]) };
    cv::setNumThreads (1);
    cv::dnn::Net net = cv::dnn::readNetFromONNX (argv[1]);
    cv::Mat input (4, size, CV_32F);
    cv::randu (input, -1.f, 1.f);
    std::vector<double> times;
    const auto begin = std::chrono::steady_clock::now ();

    for (int i = 0;; i++) {
      const auto start = std::chrono::steady_clock::now ();
      net.setInput (input);
      const cv::Mat output = net.forward ();
      const auto end = std::chrono::steady_clock::now ();

      if (i >= 10)
        times.push_back (std::chrono::duration<double, std::micro> (end - start).count ());
      if (times.size () >= 20 && std::chrono::duration<double> (end - begin).count () > seconds)
        break;
    }
    std::sort (times.begin (), times.end ());
    std::printf ("%.1f %.1f\n", times[times.size () / 2], times[times.size () * 99 / 100]);
  } catch (const std::exception &e) {
    std::fprintf (stderr, "%s\n", e.what ());
    return 1;
  }
  return 0;
}
