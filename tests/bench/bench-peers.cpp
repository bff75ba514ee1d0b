// SPDX-License-Identifier: GPL-3.0-or-later
// Mien's engine beside others, on the reference networks, in one run. All engines of all settings are opened first, and their
// answers compared with ours; then they take turns, a few runs each, in rounds whose order rotates, until the time is up. So
// whatever disturbs the computer meanwhile disturbs everybody. One thread is held to one processor; two get all of them.
//
// What is printed: per network, batch, threads and precision the median of every engine, and how many times faster than the
// best of the others ours is. With --json the same as JSON lines, for bench-table.py.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <sched.h>
#include <unistd.h>

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include "data/mien-random.h"
#include "onnx/mien-onnx.h"
#include "peers/peer.h"

namespace {

const PeerEntry entries[] = {
  { "Mien", &peer_mien, nullptr },
#ifdef BENCH_ONEDNN
  { "oneDNN", &peer_onednn, nullptr },
#else
  { "oneDNN", nullptr, "libdnnl-dev was not there when the build was configured" },
#endif
  { "OpenCV", &peer_opencv, nullptr },
  { "ONNX Runtime", &peer_ort, nullptr },
#ifdef BENCH_XNNPACK
  { "XNNPACK", &peer_xnnpack, nullptr },
#else
  { "XNNPACK", nullptr, "libxnnpack-dev and libpthreadpool-dev were not there when the build was configured" },
#endif
  { "PyTorch", &peer_torch, nullptr },
  { "ncnn", nullptr, "Debian has no package of it" },
};

const char *const network_names[] = { "ref-simple3", "ref-vgg", "ref-resnet", "ref-xception" };
const char *const precision_names[] = { "f32", "bf16" };

struct Options {
  char *folder; // borrowed
  char *network, *precision, *level, *engine, *json;
  int batch, threads, core = -1;
  double seconds = 120;
  gboolean check;

  ~Options ()
  {
    for (char *text : { network, precision, level, engine, json })
      g_free (text);
  }
};

struct Network {
  std::string name, path;
  MienGraph *graph;
  PeerLayers *layers;
};

struct Cell {
  const Peer *peer;
  void *engine;
  PeerPrecision ran;
  std::vector<double> us;
  double guess_us; // of one run

  double
  at (double share) const
  {
    std::vector<double> sorted = us;
    std::sort (sorted.begin (), sorted.end ());
    return sorted[std::min (sorted.size () - 1, static_cast<size_t> (share * sorted.size ()))];
  }
};

// What is compared with each other.
struct Group {
  const Network *network;
  int batch, threads;
  PeerPrecision precision;
  std::vector<Cell> cells; // ours is the first
  int period;              // visited every so many rounds
};

struct Bench {
  Options options;
  MienCpuLevel level;
  cpu_set_t all, one;
  int core;
  std::vector<float> input;
  std::vector<Network> networks;
  std::vector<const Peer *> peers;
  std::vector<std::string> versions;
  std::vector<Group> groups;
  std::vector<std::string> json;
  bool has_failed = false;
  int n_checks = 0;
};

// The variables that cap the others are read while their libraries load: set them and start again.
void
cap_others (MienCpuLevel level, char **argv)
{
  static const char marker[] = "MIEN_BENCH_LEVEL";
  const char *name = mien_cpu_level_name (level);

  if (g_strcmp0 (g_getenv (marker), name) == 0)
    return;
  g_setenv (marker, name, TRUE);
  if (level <= MIEN_CPU_AVX512) {
    g_setenv ("DNNL_MAX_CPU_ISA", level == MIEN_CPU_C ? "SSE41" : level == MIEN_CPU_AVX2 ? "AVX2" : "AVX512_CORE", TRUE);
    g_setenv ("ATEN_CPU_CAPABILITY", level == MIEN_CPU_C ? "default" : "avx2", TRUE);
  } else if (level == MIEN_CPU_BF16) {
    g_setenv ("DNNL_MAX_CPU_ISA", "AVX512_CORE_BF16", TRUE);
  }
  if (level <= MIEN_CPU_AVX2)
    g_setenv ("OPENCV_CPU_DISABLE", level == MIEN_CPU_C ? "AVX512-SKX,AVX512-COMMON,AVX2,FMA3,AVX,FP16,SSE4.1,SSE4.2,SSSE3,POPCNT"
                                                        : "AVX512-SKX,AVX512-COMMON", TRUE);
  execv ("/proc/self/exe", argv);
}

bool
is_wanted (const char *list, const char *name)
{
  if (list == nullptr)
    return true;
  g_auto (GStrv) words = g_strsplit (list, ",", -1);
  for (char **word = words; *word != nullptr; word++)
    if (g_ascii_strcasecmp (*word, name) == 0 || (g_str_has_prefix (name, "ref-") && g_str_equal (*word, name + 4)))
      return true;
  return false;
}

class Line {
public:
  explicit Line (const char *type)
  {
    json_builder_begin_object (builder);
    add ("type", type);
  }
  ~Line () { g_object_unref (builder); }
  Line &
  add (const char *name, const char *value)
  {
    json_builder_set_member_name (builder, name);
    json_builder_add_string_value (builder, value);
    return *this;
  }
  Line &
  add (const char *name, double value)
  {
    json_builder_set_member_name (builder, name);
    json_builder_add_double_value (builder, value);
    return *this;
  }
  Line &
  add (const char *name, int value)
  {
    json_builder_set_member_name (builder, name);
    json_builder_add_int_value (builder, value);
    return *this;
  }
  std::string
  text ()
  {
    json_builder_end_object (builder);
    JsonNode *root = json_builder_get_root (builder);
    char *line = json_to_string (root, FALSE);
    std::string result = line;
    g_free (line);
    json_node_unref (root);
    return result;
  }

private:
  JsonBuilder *builder = json_builder_new ();
};

Line
line_of (const Group &group, const char *type)
{
  Line line (type);
  line.add ("network", group.network->name.c_str ()).add ("batch", group.batch).add ("threads", group.threads)
    .add ("precision", precision_names[group.precision]);
  return line;
}

std::string
name_of (const Group &group)
{
  return group.network->name + ", batch " + std::to_string (group.batch) + ", " + std::to_string (group.threads) +
         (group.threads == 1 ? " thread, " : " threads, ") + precision_names[group.precision];
}

std::string
processor_name ()
{
  g_autofree char *text = nullptr;

  if (g_file_get_contents ("/proc/cpuinfo", &text, nullptr, nullptr)) {
    const char *line = std::strstr (text, "model name");
    const char *value = line != nullptr ? std::strchr (line, ':') : nullptr;
    if (value != nullptr)
      return std::string (value + 2, std::strcspn (value + 2, "\n"));
  }
  return "unknown";
}

void
start_peers (Bench &bench)
{
  const std::string processor = processor_name ();

  bench.json.push_back (Line ("machine").add ("processor", processor.c_str ()).add ("level", mien_cpu_level_name (bench.level))
                          .add ("processors", static_cast<int> (g_get_num_processors ())).text ());
  g_print ("# %s, level %s\n", processor.c_str (), mien_cpu_level_name (bench.level));
  for (const PeerEntry &entry : entries) {
    g_autoptr (GError) error = nullptr;
    g_autofree char *version = nullptr;
    const char *reason = entry.reason;

    if (entry.peer != &peer_mien && !is_wanted (bench.options.engine, entry.name))
      reason = "not asked for";
    else if (entry.peer != nullptr)
      version = entry.peer->start (bench.level, &error);
    if (version != nullptr) {
      bench.peers.push_back (entry.peer);
      g_print ("# %-13s %s\n", entry.name, version);
      bench.json.push_back (Line ("engine").add ("name", entry.name).add ("version", version).text ());
    } else {
      reason = error != nullptr ? error->message : reason;
      g_print ("# %-13s left out: %s\n", entry.name, reason);
      bench.json.push_back (Line ("engine").add ("name", entry.name).add ("skipped", reason).text ());
    }
  }
}

bool
read_networks (Bench &bench)
{
  for (const char *name : network_names) {
    g_autoptr (GError) error = nullptr;
    Network network {};

    if (!is_wanted (bench.options.network, name))
      continue;
    network.name = name;
    network.path = std::string (bench.options.folder) + "/" + name + ".onnx";
    network.graph = mien_onnx_read (network.path.c_str (), &error);
    if (network.graph != nullptr && mien_graph_sort (network.graph, &error))
      network.layers = peer_layers_new (network.graph, &error);
    if (error != nullptr) {
      g_printerr ("%s\n", error->message);
      return false;
    }
    bench.networks.push_back (network);
  }
  return !bench.networks.empty ();
}

void
pin (const Bench &bench, int threads)
{
  sched_setaffinity (0, sizeof (cpu_set_t), threads == 1 ? &bench.one : &bench.all);
}

// The largest difference; bfloat16 must also agree about the most likely label, where ours is clear about it.
bool
is_same (const std::vector<float> &ours, const std::vector<float> &theirs, PeerPrecision precision, double *difference)
{
  const double most = precision == PEER_BF16 ? 2e-2 : 1e-4;
  bool agrees = true;

  *difference = 0;
  for (size_t face = 0; face < ours.size (); face += PEER_N_LABELS) {
    const float *a = &ours[face], *b = &theirs[face];
    const auto first = std::max_element (a, a + PEER_N_LABELS);
    float second = 0;
    for (int i = 0; i < PEER_N_LABELS; i++) {
      const double d = std::fabs (a[i] - b[i]);
      *difference = d <= *difference ? *difference : d; // NaN stays
      if (a + i != first)
        second = std::max (second, a[i]);
    }
    if (*first - second > 2 * most && std::max_element (b, b + PEER_N_LABELS) - b != first - a)
      agrees = false;
  }
  return agrees && *difference <= most;
}

// What is of interest only with --check, whose output is TAP.
G_GNUC_PRINTF (2, 3) void
say (const Bench &bench, const char *format, ...)
{
  va_list args;

  if (!bench.options.check)
    return;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_print ("%s", text);
}

std::string
not_ok (Bench &bench)
{
  bench.has_failed = true;
  return "not ok " + std::to_string (++bench.n_checks) + " - ";
}

std::string
likeliest (const std::vector<float> &probabilities)
{
  std::string text;

  for (size_t face = 0; face < probabilities.size () && face < 5 * PEER_N_LABELS; face += PEER_N_LABELS) {
    const auto begin = probabilities.begin () + face, best = std::max_element (begin, begin + PEER_N_LABELS);
    char field[32];
    g_snprintf (field, sizeof field, "%s%d (%.3f)", face > 0 ? ", " : "", static_cast<int> (best - begin), *best);
    text += field;
  }
  return text;
}

// Opens, runs and compares; an engine that fails is named and takes no part in the group.
bool
open_cell (Bench &bench, Group &group, const Peer *peer, const std::vector<float> *ours,
           std::vector<float> *probabilities)
{
  const Network &network = *group.network;
  const PeerJob job = { network.path.c_str (), network.graph, network.layers, group.batch, group.threads, group.precision,
                        bench.core, bench.level, bench.input.data () };
  g_autoptr (GError) error = nullptr;
  Cell cell = { peer, nullptr, group.precision, {}, 0 };
  double us[2], difference = 0;

  pin (bench, group.threads);
  cell.engine = peer->open (&job, &error);
  if (cell.engine != nullptr) {
    probabilities->resize (group.batch * PEER_N_LABELS);
    if (peer->run (cell.engine, 2, us, &error) && peer->read (cell.engine, probabilities->data (), &error)) {
      cell.guess_us = us[1];
      if (peer->precision != nullptr)
        cell.ran = peer->precision (cell.engine);
      if (ours == nullptr || is_same (*ours, *probabilities, cell.ran, &difference)) {
        if (ours != nullptr)
          bench.json.push_back (line_of (group, "check").add ("engine", peer->name).add ("difference", difference).text ());
        if (ours == nullptr)
          say (bench, "# %s: %s\n", name_of (group).c_str (), likeliest (*probabilities).c_str ());
        else
          say (bench, "ok %d - %s as %s, to %.1e\n", ++bench.n_checks, name_of (group).c_str (), peer->name, difference);
        group.cells.push_back (cell);
        return true;
      }
      g_print ("%s%s as %s: differs by %g\n", not_ok (bench).c_str (), name_of (group).c_str (), peer->name, difference);
    }
    peer->close (cell.engine);
  }
  if (error != nullptr) {
    if (peer == &peer_mien)
      g_print ("%s%s: %s\n", not_ok (bench).c_str (), name_of (group).c_str (), error->message);
    else
      g_print ("# %s: %s left out: %s\n", name_of (group).c_str (), peer->name, error->message);
    bench.json.push_back (line_of (group, "left-out").add ("engine", peer->name).add ("reason", error->message).text ());
  }
  return false;
}

void
open_group (Bench &bench, Group group)
{
  std::vector<float> ours, theirs;
  double slowest = 0;

  for (const Peer *peer : bench.peers) {
    if (group.precision == PEER_BF16 && !peer->has_bf16)
      continue;
    const bool is_ours = peer == &peer_mien;
    if (!open_cell (bench, group, peer, is_ours ? nullptr : &ours, is_ours ? &ours : &theirs) && is_ours)
      return; // nothing to compare with
    slowest = std::max (slowest, group.cells.back ().guess_us);
  }
  group.period = CLAMP (static_cast<int> (slowest / 50e3), 1, 4);
  bench.groups.push_back (std::move (group));
}

void
visit (const Bench &bench, const Group &group, Cell &cell)
{
  // A processor that was idle takes some milliseconds until it is at full speed, and all but one were, before several threads' turn.
  const double warm_us = group.threads > 1 ? 10e3 : 0;
  const int n = CLAMP (static_cast<int> (4000 / cell.guess_us), 1, 32), n_warm = cell.guess_us < 20e3 ? 2 + static_cast<int> (warm_us / cell.guess_us) : 0;
  std::vector<double> us (n + n_warm);

  pin (bench, group.threads);
  if (cell.peer->run (cell.engine, n + n_warm, us.data (), nullptr)) {
    cell.us.insert (cell.us.end (), us.begin () + n_warm, us.end ());
    cell.guess_us = std::min (cell.guess_us, *std::min_element (us.begin (), us.end ()));
  }
  if (group.threads > 1)
    g_usleep (40000); // until the threads of this engine have stopped spinning and gone to sleep (pthreadpool: a million pauses)
}

// How long this thread has stood in line for a processor: the second number; 0 where the kernel does not count.
double
waited_us ()
{
  g_autofree char *text = nullptr;
  const char *second = nullptr;

  if (g_file_get_contents ("/proc/thread-self/schedstat", &text, nullptr, nullptr))
    second = std::strchr (text, ' ');
  return second != nullptr ? g_ascii_strtod (second, nullptr) / 1e3 : 0;
}

void
measure (Bench &bench)
{
  const double begin = peer_now_us (), waited = waited_us ();
  const double end = peer_now_us () + bench.options.seconds * 1e6;

  for (int round = 0; round == 0 || peer_now_us () < end; round++) {
    for (size_t i = 0; i < bench.groups.size (); i++) {
      Group &group = bench.groups[(i + round) % bench.groups.size ()];
      const int turn = round / group.period;
      if (round > 0 && ((round + static_cast<int> (&group - bench.groups.data ())) % group.period != 0 || peer_now_us () > end))
        continue;
      for (size_t c = 0; c < group.cells.size (); c++)
        visit (bench, group, group.cells[(c + turn) % group.cells.size ()]);
    }
  }
  const double share = 100 * (waited_us () - waited) / (peer_now_us () - begin);
  g_print ("# stood in line for a processor %.1f %% of the time%s\n", share,
           share < 2 ? "" : ": this computer is busy with something else, two threads mean little");
  bench.json.push_back (Line ("conditions").add ("waited_percent", share).text ());
}

void
report_group (Bench &bench, const Group &group)
{
  const Cell *best = nullptr, &ours = group.cells[0];
  std::string text;

  for (const Cell &cell : group.cells) {
    const double median = cell.at (.5);
    if (&cell != &ours && (best == nullptr || median < best->at (.5)))
      best = &cell;
    bench.json.push_back (line_of (group, "result").add ("engine", cell.peer->name).add ("ran", precision_names[cell.ran])
                            .add ("median_us", median).add ("p10_us", cell.at (.1)).add ("p99_us", cell.at (.99)).add ("images_per_s", group.batch * 1e6 / median)
                            .add ("n", static_cast<int> (cell.us.size ())).text ());
  }
  for (const PeerEntry &entry : entries) {
    const auto cell = std::find_if (group.cells.begin (), group.cells.end (), [&] (const Cell &c) { return c.peer == entry.peer; });
    if (std::find (bench.peers.begin (), bench.peers.end (), entry.peer) == bench.peers.end ())
      continue;
    char field[40] = "";
    if (cell != group.cells.end ())
      g_snprintf (field, sizeof field, "%.*f%s%s", group.batch == 1 ? 1 : 0,
                  group.batch == 1 ? cell->at (.5) : group.batch * 1e6 / cell->at (.5), &*cell == best ? "*" : " ",
                  cell->ran != group.precision ? "~" : " ");
    char padded[48];
    g_snprintf (padded, sizeof padded, " %13s", field);
    text += padded;
    if (entry.peer == &peer_mien) {
      g_snprintf (padded, sizeof padded, " %9.1f", ours.at (.99));
      text += padded;
    }
  }
  g_print ("%-13s %5d %7d %5s%s", group.network->name.c_str (), group.batch, group.threads, precision_names[group.precision],
           text.c_str ());
  if (best != nullptr) {
    const double ratio = best->at (.5) / ours.at (.5);
    g_print ("  %6.2f", ratio);
    bench.json.push_back (line_of (group, "ratio").add ("best", best->peer->name).add ("ratio", ratio)
                            .add ("ran", precision_names[ours.ran]).text ());
  }
  g_print ("\n");
}

void
report (Bench &bench)
{
  std::string head;

  for (const Peer *peer : bench.peers) {
    char padded[32];
    g_snprintf (padded, sizeof padded, " %12s ", peer->name);
    head += padded;
    if (peer == &peer_mien)
      head += "  99 % us";
  }
  g_print ("\nbatch 1: median in us; larger batches: faces a second; *: the best of the others; ~: computed in f32\n");
  g_print ("%-13s %5s %7s %5s%s   ratio\n", "network", "batch", "threads", "type", head.c_str ());
  std::stable_sort (bench.groups.begin (), bench.groups.end (), [] (const Group &a, const Group &b) {
    return std::make_tuple (a.batch, a.threads, a.precision) < std::make_tuple (b.batch, b.threads, b.precision);
  });
  for (const Group &group : bench.groups)
    report_group (bench, group);
}

// What a second thread brings Mien.
void
report_threads (Bench &bench)
{
  const char *title = "\nMien on two threads, times as fast as on one:\n";

  for (const Group &two : bench.groups)
    for (const Group &one : bench.groups)
      if (two.threads == 2 && one.threads == 1 && two.network == one.network && two.batch == one.batch && two.precision == one.precision) {
        const double speedup = one.cells[0].at (.5) / two.cells[0].at (.5);
        g_print ("%s%-13s %5d %13s  %6.2f\n", title, two.network->name.c_str (), two.batch, precision_names[two.precision], speedup);
        title = "";
        bench.json.push_back (line_of (two, "speedup").add ("ratio", speedup).text ());
      }
}

bool
write_json (const Bench &bench)
{
  g_autoptr (GError) error = nullptr;
  std::string text;

  for (const std::string &line : bench.json)
    text += line + "\n";
  if (bench.options.json == nullptr || g_file_set_contents (bench.options.json, text.data (), text.size (), &error))
    return true;
  g_printerr ("%s\n", error->message);
  return false;
}

// Waves of another direction, length and phase in every face, and some noise: the answers differ.
void
make_input (Bench &bench)
{
  MienRandom random;
  float wave[4] = {};

  mien_random_seed (&random, 64);
  bench.input.resize (std::max (64, bench.options.batch) * PEER_INPUT_ELEMS);
  for (size_t i = 0; i < bench.input.size (); i++) {
    const int x = i % 48, y = i / 48 % 48;
    if (x == 0 && y == 0)
      for (float &w : wave)
        w = mien_random_normal (&random);
    bench.input[i] = wave[3] * std::sin (.4f * (wave[0] * x + wave[1] * y) + 3 * wave[2]) + .3f * mien_random_normal (&random);
  }
}

void
choose_core (Bench &bench)
{
  sched_getaffinity (0, sizeof bench.all, &bench.all);
  bench.core = bench.options.core;
  for (int i = CPU_SETSIZE - 1; bench.core < 0; i--)
    if (CPU_ISSET (i, &bench.all))
      bench.core = i;
  CPU_ZERO (&bench.one);
  CPU_SET (bench.core, &bench.one);
}

bool
read_options (Options &o, int *argc, char ***argv)
{
  const GOptionEntry list[] = {
    { "network", 'n', 0, G_OPTION_ARG_STRING, &o.network, "only these: simple3,vgg,resnet,xception", "LIST" },
    { "batch", 'b', 0, G_OPTION_ARG_INT, &o.batch, "only this one; 1 and 64 otherwise", "N" },
    { "threads", 't', 0, G_OPTION_ARG_INT, &o.threads, "only this many; 1 and 2 otherwise", "N" },
    { "precision", 'p', 0, G_OPTION_ARG_STRING, &o.precision, "only f32 or bf16", "P" },
    { "engine", 'e', 0, G_OPTION_ARG_STRING, &o.engine, "only these beside Mien, by name", "LIST" },
    { "level", 'l', 0, G_OPTION_ARG_STRING, &o.level, "hold everybody to c, avx2, avx512 or bf16", "LEVEL" },
    { "core", 0, 0, G_OPTION_ARG_INT, &o.core, "the processor for a single thread; the last one otherwise", "N" },
    { "seconds", 's', 0, G_OPTION_ARG_DOUBLE, &o.seconds, "how long to measure", "S" },
    { "check", 'c', 0, G_OPTION_ARG_NONE, &o.check, "only compare the answers; prints TAP", nullptr },
    { "json", 'j', 0, G_OPTION_ARG_FILENAME, &o.json, "write the results as JSON lines", "FILE" },
    {},
  };
  GOptionContext *context = g_option_context_new ("FOLDER - compare engines on the reference networks in FOLDER");
  g_autoptr (GError) error = nullptr;

  g_option_context_add_main_entries (context, list, nullptr);
  const bool is_ok = g_option_context_parse (context, argc, argv, &error) && *argc == 2;
  if (is_ok)
    o.folder = (*argv)[1];
  else
    g_printerr ("%s\n", error != nullptr ? error->message : "usage: bench-peers [OPTIONS] FOLDER");
  g_option_context_free (context);
  return is_ok;
}

} // namespace

int
main (int argc, char **argv)
{
  Bench bench {};
  g_auto (GStrv) original = g_strdupv (argv);

  if (!read_options (bench.options, &argc, &argv))
    return 2;
  bench.level = mien_cpu_detect ();
  if (bench.options.level != nullptr) {
    MienCpuLevel wanted;
    if (!mien_cpu_level_parse (bench.options.level, &wanted) || wanted > bench.level) {
      g_printerr ("level \"%s\" is unknown or not on this processor\n", bench.options.level);
      return 2;
    }
    bench.level = wanted;
    cap_others (wanted, original);
  }
  choose_core (bench);
  start_peers (bench);
  if (!read_networks (bench))
    return 1;
  make_input (bench);

  // Two threads first: libraries start their threads while all processors are allowed.
  for (int threads : { 2, 1 })
    for (int batch : { 1, 64 })
      for (PeerPrecision precision : { PEER_F32, PEER_BF16 })
        for (const Network &network : bench.networks) {
          const int b = bench.options.batch > 0 ? bench.options.batch : batch;
          const int t = bench.options.threads > 0 ? bench.options.threads : threads;
          if ((bench.options.batch > 0 && batch != 1) || (bench.options.threads > 0 && threads != 1) ||
              !is_wanted (bench.options.precision, precision_names[precision]))
            continue;
          open_group (bench, { &network, b, t, precision, {}, 1 });
        }
  if (!bench.options.check && !bench.groups.empty ()) {
    measure (bench);
    report (bench);
    report_threads (bench);
  }
  if (!write_json (bench))
    return 1;
  for (const Group &group : bench.groups)
    for (const Cell &cell : group.cells)
      cell.peer->close (cell.engine);
  for (const Network &network : bench.networks) {
    peer_layers_free (network.layers);
    mien_graph_unref (network.graph);
  }
  say (bench, "1..%d\n", bench.n_checks);
  return bench.has_failed ? 1 : 0;
}
