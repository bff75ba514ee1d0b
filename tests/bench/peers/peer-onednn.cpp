// SPDX-License-Identifier: GPL-3.0-or-later
// oneDNN: one primitive a layer; layouts of its own choice or blocks of channels, whichever is faster here; activation and residual sum joined to the convolutions, weights
// brought into its layout beforehand. Bfloat16 means activations and weights; biases and the answer are f32. Between the
// layouts of two layers it reorders where it must, and so does the input; both count.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <vector>

#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>

#include <gio/gio.h>

#include "peers/peer.h"

namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;

struct Step {
  dnnl::primitive primitive;
  std::vector<dnnl_exec_arg_t> args;
};

class Engine {
public:
  Engine (const PeerJob &job, int block);
  void run_once ();
  const memory &output () const { return outputs.back (); }

  const int threads;

private:
  memory make (const memory::desc &desc) { return keep (memory (desc, engine)); }
  memory keep (const memory &m);
  void push (const dnnl::primitive &primitive, const std::map<int, memory> &args);
  memory as (const memory &from, const memory::desc &desc);
  memory weights (const float *data, const memory::dims &dims, Tag tag, const memory::desc &desc);
  memory add_conv (const PeerLayer &layer, int index, const memory &src);
  memory add_pool (const PeerLayer &layer, const memory &src);
  memory add_dense (const PeerLayer &layer, const memory &src, Type dst_type);
  memory add_softmax (const memory &src);
  memory add_sum (const PeerLayer &layer, const memory &src);
  Tag tag_for (int channels) const;
  dnnl::primitive_attr activation (const PeerLayer &layer) const;

  const int batch;
  const int block; // of channels; 0: the library chooses
  const Type type;
  const PeerLayer *const all;
  dnnl::engine engine { dnnl::engine::kind::cpu, 0 };
  dnnl::stream stream { engine };
  std::vector<Step> steps;
  std::vector<memory> kept;    // what the steps point to
  std::vector<memory> outputs; // by layer
};

memory
Engine::keep (const memory &m)
{
  kept.push_back (m);
  return m;
}

void
Engine::push (const dnnl::primitive &primitive, const std::map<int, memory> &args)
{
  Step step { primitive, {} };

  for (const auto &[arg, m] : args)
    step.args.push_back ({ arg, m.get () });
  steps.push_back (step);
}

memory
Engine::as (const memory &from, const memory::desc &desc)
{
  if (from.get_desc () == desc)
    return from;
  const memory to = make (desc);
  push (dnnl::reorder (from, to), { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } });
  return to;
}

memory
Engine::weights (const float *data, const memory::dims &dims, Tag tag, const memory::desc &desc)
{
  memory from ({ dims, Type::f32, tag }, engine, const_cast<float *> (data));
  memory to = make (desc);

  dnnl::reorder (from, to).execute (stream, from, to);
  stream.wait ();
  return to;
}

Tag
Engine::tag_for (int channels) const
{
  if (block == 0 || channels % block != 0)
    return Tag::any;
  return block == 16 ? Tag::nChw16c : Tag::nChw8c;
}

dnnl::primitive_attr
Engine::activation (const PeerLayer &layer) const
{
  dnnl::primitive_attr attr;
  dnnl::post_ops ops;

  if (layer.kind == PEER_CONV && layer.other >= 0)
    ops.append_sum (1.f);
  if (layer.relu)
    ops.append_eltwise (1.f, dnnl::algorithm::eltwise_relu, 0.f, 0.f);
  attr.set_post_ops (ops);
  return attr;
}

memory
Engine::add_conv (const PeerLayer &layer, int index, const memory &src)
{
  const auto &[k, p, q] = layer.out;
  const memory::dims src_dims { batch, layer.in.channels, layer.in.height, layer.in.width }, dst_dims { batch, k, p, q };
  const int g = layer.groups, r = layer.kernel, c = layer.in.channels;
  const memory::dims w_dims = g > 1 ? memory::dims { g, k / g, c / g, r, r } : memory::dims { k, c, r, r };
  const memory::dims strides { layer.stride, layer.stride }, pads { layer.pad, layer.pad };
  const dnnl::convolution_forward::desc desc (
    dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_auto, memory::desc (src_dims, type, tag_for (c)),
    memory::desc (w_dims, type, Tag::any), memory::desc ({ k }, Type::f32, Tag::x),
    memory::desc (dst_dims, type, tag_for (k)), strides, pads, pads);
  const dnnl::convolution_forward::primitive_desc pd (desc, activation (layer), engine);
  const memory in = as (src, pd.src_desc ());
  const memory w = weights (layer.weight, w_dims, g > 1 ? Tag::goihw : Tag::oihw, pd.weights_desc ());
  const memory b = weights (layer.bias, { k }, Tag::x, pd.bias_desc ());
  memory dst;

  if (layer.other < 0) {
    dst = make (pd.dst_desc ());
  } else {
    // The sum happens in the memory of the summand, unless somebody else reads that later.
    const PeerLayer &other = all[layer.other];
    dst = outputs[layer.other];
    if (dst.get_desc () != pd.dst_desc () || other.last_use > index) {
      const memory copy = make (pd.dst_desc ());
      push (dnnl::reorder (dst, copy), { { DNNL_ARG_FROM, dst }, { DNNL_ARG_TO, copy } });
      dst = copy;
    }
  }
  push (dnnl::convolution_forward (pd),
        { { DNNL_ARG_SRC, in }, { DNNL_ARG_WEIGHTS, w }, { DNNL_ARG_BIAS, b }, { DNNL_ARG_DST, dst } });
  return dst;
}

memory
Engine::add_pool (const PeerLayer &layer, const memory &src)
{
  const bool is_max = layer.kind == PEER_MAX_POOL;
  const memory::dims dst_dims { batch, layer.out.channels, layer.out.height, layer.out.width };
  const memory::dims window = is_max ? memory::dims { layer.kernel, layer.kernel }
                                     : memory::dims { layer.in.height, layer.in.width };
  const memory::dims strides = is_max ? memory::dims { layer.stride, layer.stride } : window, pads { layer.pad, layer.pad };
  const dnnl::pooling_forward::desc desc (
    dnnl::prop_kind::forward_inference,
    is_max ? dnnl::algorithm::pooling_max : dnnl::algorithm::pooling_avg_exclude_padding, src.get_desc (),
    memory::desc (dst_dims, type, Tag::any), strides, window, pads, pads);
  const dnnl::pooling_forward::primitive_desc pd (desc, engine);
  const memory dst = make (pd.dst_desc ());

  push (dnnl::pooling_forward (pd), { { DNNL_ARG_SRC, src }, { DNNL_ARG_DST, dst } });
  return dst;
}

memory
Engine::add_dense (const PeerLayer &layer, const memory &src, Type dst_type)
{
  const int k = layer.out.channels;
  // What was flattened keeps its four dimensions: the weights follow its layout.
  const memory::dims src_dims { batch, layer.in.channels, layer.in.height, layer.in.width };
  const memory::dims w_dims { k, layer.in.channels, layer.in.height, layer.in.width };
  const bool is_flat = src.get_desc ().dims ().size () == 2;
  const memory::dims flat_src { batch, layer.in.channels }, flat_w { k, layer.in.channels };
  const dnnl::inner_product_forward::desc desc (
    dnnl::prop_kind::forward_inference, memory::desc (is_flat ? flat_src : src_dims, type, Tag::any),
    memory::desc (is_flat ? flat_w : w_dims, type, Tag::any), memory::desc ({ k }, Type::f32, Tag::x),
    memory::desc ({ batch, k }, dst_type, Tag::nc));
  const dnnl::inner_product_forward::primitive_desc pd (desc, activation (layer), engine);
  const memory in = as (src, pd.src_desc ());
  const memory w = weights (layer.weight, is_flat ? flat_w : w_dims, is_flat ? Tag::oi : Tag::oihw, pd.weights_desc ());
  const memory b = weights (layer.bias, { k }, Tag::x, pd.bias_desc ());
  const memory dst = make (pd.dst_desc ());

  push (dnnl::inner_product_forward (pd),
        { { DNNL_ARG_SRC, in }, { DNNL_ARG_WEIGHTS, w }, { DNNL_ARG_BIAS, b }, { DNNL_ARG_DST, dst } });
  return dst;
}

memory
Engine::add_softmax (const memory &src)
{
  const memory::dims dims = src.get_desc ().dims ();
  const memory in = as (src, memory::desc (dims, Type::f32, dims.size () == 2 ? Tag::nc : Tag::nchw));
  const dnnl::softmax_forward::desc desc (dnnl::prop_kind::forward_inference, in.get_desc (), 1);
  const memory dst = make (in.get_desc ());

  push (dnnl::softmax_forward (dnnl::softmax_forward::primitive_desc (desc, engine)),
        { { DNNL_ARG_SRC, in }, { DNNL_ARG_DST, dst } });
  return dst;
}

memory
Engine::add_sum (const PeerLayer &layer, const memory &src)
{
  const memory other = as (outputs[layer.other], src.get_desc ());
  const dnnl::binary::desc desc (dnnl::algorithm::binary_add, src.get_desc (), other.get_desc (), src.get_desc ());
  const memory dst = make (src.get_desc ());

  push (dnnl::binary (dnnl::binary::primitive_desc (desc, activation (layer), engine)),
        { { DNNL_ARG_SRC_0, src }, { DNNL_ARG_SRC_1, other }, { DNNL_ARG_DST, dst } });
  return dst;
}

Engine::Engine (const PeerJob &job, int block)
  : threads (job.threads), batch (job.batch), block (block), type (job.precision == PEER_BF16 ? Type::bf16 : Type::f32),
    all (job.layers->layers)
{
  const PeerLayers &layers = *job.layers;
  const memory input = keep (memory ({ { batch, 1, 48, 48 }, Type::f32, Tag::nchw }, engine, const_cast<float *> (job.input)));

  omp_set_num_threads (threads); // layouts are chosen for a number of threads
  for (int i = 0; i < layers.n; i++) {
    const PeerLayer &layer = layers.layers[i];
    const memory src = layer.input >= 0 ? outputs[layer.input] : input;

    switch (layer.kind) {
    case PEER_CONV:
      outputs.push_back (add_conv (layer, i, src));
      break;
    case PEER_MAX_POOL:
    case PEER_MEAN:
      outputs.push_back (add_pool (layer, src));
      break;
    case PEER_DENSE:
      outputs.push_back (add_dense (layer, src, i == layers.n - 2 ? Type::f32 : type));
      break;
    case PEER_ADD:
      outputs.push_back (add_sum (layer, src));
      break;
    case PEER_SOFTMAX:
      outputs.push_back (add_softmax (src));
      break;
    }
  }
}

void
Engine::run_once ()
{
  for (const Step &step : steps)
    dnnl::error::wrap_c_api (
      dnnl_primitive_execute (step.primitive.get (), stream.get (), static_cast<int> (step.args.size ()), step.args.data ()),
      "a layer could not run");
  stream.wait ();
}

bool
fail (const std::exception &e, GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, e.what ());
  return false;
}

char *
start_onednn (MienCpuLevel, GError **)
{
  const dnnl_version_t *v = dnnl_version ();

  return g_strdup_printf ("%d.%d.%d", v->major, v->minor, v->patch);
}

gboolean
run_onednn (void *engine, int n, double *us, GError **error)
{
  auto *self = static_cast<Engine *> (engine);

  try {
    omp_set_num_threads (self->threads);
    for (int i = 0; i < n; i++) {
      const double start = peer_now_us ();
      self->run_once ();
      us[i] = peer_now_us () - start;
    }
  } catch (const std::exception &e) {
    return fail (e, error);
  }
  return true;
}

// Tries both layouts; one that the library has no code for loses.
void *
open_onednn (const PeerJob *job, GError **error)
{
  const int blocks[] = { 0, job->level >= MIEN_CPU_AVX512 ? 16 : 8 };
  std::unique_ptr<Engine> engines[2];
  double least[2] = { HUGE_VAL, HUGE_VAL };

  for (int i = 0; i < 2; i++) {
    try {
      engines[i] = std::make_unique<Engine> (*job, blocks[i]);
    } catch (const std::exception &e) {
      if (i == 0) {
        fail (e, error);
        return nullptr;
      }
    }
  }
  for (int turn = 0; turn < 4; turn++) {
    for (int i = 0; i < 2; i++) {
      double us[2];
      if (engines[i] != nullptr && run_onednn (engines[i].get (), 2, us, nullptr))
        least[i] = std::min ({ least[i], us[0], us[1] });
    }
  }
  if (g_getenv ("BENCH_PEERS_VERBOSE") != nullptr)
    g_printerr ("oneDNN: its own layouts %.1f us, blocks of channels %.1f us\n", least[0], least[1]);
  return engines[least[1] < least[0] ? 1 : 0].release ();
}

gboolean
read_onednn (void *engine, float *probabilities, GError **)
{
  const memory &output = static_cast<Engine *> (engine)->output ();

  std::memcpy (probabilities, output.get_data_handle (), output.get_desc ().get_size ());
  return true;
}

void
close_onednn (void *engine)
{
  delete static_cast<Engine *> (engine);
}

} // namespace

const Peer peer_onednn = { "oneDNN", TRUE, start_onednn, open_onednn, run_onednn, read_onednn, close_onednn, nullptr };
