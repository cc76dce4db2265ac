#include "score/predict_slow.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "memory/ledger.h"
#include "score/predict_offload.h"
#include "timing/host_experts.h"
#include "timing/replica_time.h"

namespace fathom {

namespace {

int nodes_of(const Setup& s) { return std::max(1, static_cast<int>(s.row->nodes.value_or(1))); }

// ---- Sockets

// What one program pays to another through the kernel's TCP.
struct Link {
  Seconds wave;     // until a message, or several at once, has arrived and woken its reader
  Seconds message;  // the sender's or reader's own time for each
  BytesPerSecond rate{};
};

// Server cards: 22 us and 6.2 us (distributed-llama on two and four cloud machines, Llama-2-7B: 7.6 and 12.8 ms per token for
// 320 and 1,152 messages in 256 waves). One-gigabit boards on home switches: 150 us and 60 us (2 to 8 Raspberry Pi; the same
// program varies threefold from run to run there, its pull request 46). Radio and the Internet: by their stated latency.
Link link_of(const Setup& s) {
  const Tier& tier = s.pools[0].pool.outside;
  const Fabric* fabric = s.pools[0].pool.fabric;
  const BytesPerSecond rate = tier.bandwidth * std::max(1, s.pools[0].pool.per_node);
  if (fabric != nullptr && fabric->latency) {
    const Seconds latency = fabric->latency->value;
    return {.wave = latency / 2, .message = latency / 4, .rate = rate};
  }
  constexpr BytesPerSecond kServerCard(10e9 / 8);
  if (rate >= kServerCard) return {.wave = 22_us, .message = 6.2_us, .rate = rate};
  return {.wave = 150_us, .message = 60_us, .rate = rate};
}

bool has_link(const Setup& s) {
  return !s.pools.empty() && s.pools[0].pool.fabric != nullptr && s.pools[0].pool.outside.bandwidth > BytesPerSecond(0);
}

// ---- distributed-llama

// Until release 0.7 the root node gathers slices and deals them out again; since 0.8 every node sends sums of the whole width.
bool deals_slices(const Setup& s) { return version_in(s.row->engine_version, "", "0.8"); }

double bytes_per_value(const Setup& s) {
  const std::string buffer = s.row->word("buffer");
  return buffer == "f32" ? 4 : buffer == "f16" ? 2 : 34.0 / 32;  // Q80: 32 values and a 16-bit scale
}

struct Exchange {
  double waves, messages;  // of one layer: one after the other, and in all at the root
};
Exchange exchange(int nodes, bool slices) {
  const double workers = nodes - 1;
  if (workers == 0) return {0, 0};
  if (!slices) return {.waves = 4, .messages = 4 * workers};  // two broadcasts, two gathers
  // Down: input, attention, input, and nodes - 1 slices of the FFN to each worker. Up: q, k, v, projection, FFN twice.
  return {.waves = 8, .messages = workers * (3 + workers) + 6 * workers};
}

// Products reach 0.23 of the vector peak on Cortex-A72 and A76 alike (3.2 and 9.9 GB/s of q4_0 weights); on an EPYC memory binds
// before that. Old releases multiply the output layer from 32-bit activations, at 0.23 of that again, on the root alone.
constexpr double kFullWidthClassifier = 0.23;
// Norms, attention and the meetings of all threads after each of 25 tasks run on the root at one core's speed: 31, 70 and 14 ms
// of a 4,096 wide, 32 layer token on Cortex-A76, A72 and EPYC 9B14 are 37 MFLOP of a core's peak per layer.
constexpr double kRootWorkPerValue = 37e6 / 4096;

class DistributedLlama {
 public:
  DistributedLlama(const Setup& s, const EngineProfile& engine, const HostProcessor& processor)
      : s_(s), nodes_(nodes_of(s)), rates_(processor, engine, 1), core_(processor.vector / processor.cores) {
    const Moe* moe = s.model->architecture.moe ? &*s.model->architecture.moe : nullptr;
    for (const Tensor& t : s.model->tensors) {
      if (t.vector || t.where == Where::kMtp) continue;
      const double used = t.role == Role::kRoutedExpert ? moe->experts_per_token : t.experts;
      const double copies = used * layers_with(s.model->architecture, t.where);
      Work& work = t.op == "head" ? head_ : layers_;
      if (t.op == "embed" && !(t.split == Split::kVocab && s.model->architecture.tied_embeddings)) continue;
      Work& into = t.op == "embed" ? head_ : work;
      into.weights += t.elements() * copies;
      into.bytes += stored_bytes(t, s.pools[0].layout.weights) * copies;
      format_ = format_of(t, s.pools[0].layout.weights);
    }
  }

  Seconds computing() const {
    const Architecture& a = s_.model->architecture;
    const double head_rate = deals_slices(s_) ? kFullWidthClassifier : 1;
    const Flops root(kRootWorkPerValue * a.hidden_size * a.num_layers);
    return time(layers_) / nodes_ + time(head_) / head_rate + root / core_;
  }

  Seconds sending() const {
    if (nodes_ < 2) return {};
    const Architecture& a = s_.model->architecture;
    const Link link = link_of(s_);
    const Exchange e = exchange(nodes_, deals_slices(s_));
    // The root's card sends and receives at once.
    const Bytes one_way(distributed_llama_bytes(a, nodes_, bytes_per_value(s_), deals_slices(s_)) / 2);
    return (link.wave * e.waves + link.message * e.messages) * a.num_layers + one_way / link.rate;
  }

 private:
  struct Work {
    double weights = 0;
    Bytes bytes{};
  };
  Seconds time(const Work& work) const {
    const FlopsPerSecond rate = rates_.products(format_, false);
    return std::max(Flops(2 * work.weights) / rate, work.bytes / rates_.memory());
  }

  const Setup& s_;
  int nodes_;
  HostRates rates_;
  FlopsPerSecond core_;
  Format format_ = Format::kQ4_0;
  Work layers_, head_;
};

std::optional<double> distributed_llama_value(const Setup& s, const EngineProfile& engine) {
  const std::string name = s.row->metric->name;
  if (name == "network_bytes_per_token") {
    return distributed_llama_bytes(s.model->architecture, nodes_of(s), bytes_per_value(s), deals_slices(s));
  }
  if (s.pools.empty() || (nodes_of(s) > 1 && !has_link(s))) return std::nullopt;
  const std::optional<HostProcessor> processor = host_processor(s.pools[0].pool);
  if (!processor || processor->vector <= FlopsPerSecond(0)) return std::nullopt;
  const DistributedLlama run(s, engine, *processor);
  const Seconds token = run.computing() + run.sending();
  if (name == "network_s_per_token" && nodes_of(s) > 1) return run.sending().value;
  if (name == "token_latency_s" || name.rfind("tpot_s", 0) == 0) return token.value;
  if (name == "decode_tok_per_s") return 1 / token.value;
  return std::nullopt;
}

// ---- Layers spread over nodes, one sequence

// llama.cpp sends the whole graph for every token: one 296-byte record for each tensor, operators and weights, about 40 in a
// layer, written at a microsecond each; then the logits come back. Six calls wait for their answers.
constexpr double kTensorsPerLayer = 40, kTensorRecord = 296, kRemoteCalls = 6;
constexpr Seconds kTensorWritten = 0.9_us;
Seconds remote_call(const Setup& s) {
  const Architecture& a = s.model->architecture;
  const Link link = link_of(s);
  const double tensors = kTensorsPerLayer * a.num_layers;
  const Bytes bytes(tensors * kTensorRecord + 4.0 * a.vocab_size);
  const double servers = std::max(1, nodes_of(s) - 1);
  return bytes / link.rate + kTensorWritten * tensors + link.wave * (2 * kRemoteCalls * servers);
}

// prima.cpp, exo and Petals hand activations on from node to node: a message, and what their run time does per hop
// (a judgement: Python and gRPC in exo and Petals, C++ in prima.cpp).
Seconds one_hop(const Setup& s) {
  const Link link = link_of(s);
  const Seconds software = s.engine == "prima.cpp" ? 1_ms : 5_ms;
  return link.wave * 2 + software + Bytes(4.0 * s.model->architecture.hidden_size) / link.rate;
}

bool hands_on(const std::string& engine) { return engine == "prima.cpp" || engine == "exo" || engine == "petals"; }
bool remote_llama(const Setup& s) {
  return s.engine == "llama.cpp" && has_link(s) && (nodes_of(s) > 1 || s.row->scale_out == "loopback");
}

SlowTimes spread_times(const Setup& s, const EngineProfile& engine) {
  if (!has_link(s) && nodes_of(s) > 1) return {};
  SlowTimes times = card_after_card_times(s, engine);
  const Seconds extra = remote_llama(s)                  ? remote_call(s)
                        : has_link(s) && nodes_of(s) > 1 ? one_hop(s) * nodes_of(s)
                                                         : Seconds(0);
  return {.prefill = [=](double tokens) { return times.prefill(tokens) + extra; },
          .step = [=](double b, double context) { return times.step(b, context) + extra; }};
}

// ---- Tensor parallelism over nodes whose accelerators the network card cannot reach

// A chip with unified memory offers no peer memory to the card: NCCL copies every message through the host and a socket.
// Two DGX Spark, Qwen3.6-27B: 0.45 ms for each of 128 all-reduces while decoding, 1.2 GB/s at 512 tokens.
constexpr Seconds kStagedMessage = 0.4_ms;
constexpr BytesPerSecond kStagedRate(1.2e9);

bool staged_collectives(const Setup& s) {
  return s.row->scale_up == "unified" && nodes_of(s) > 1 && !s.pools.empty() && s.pools[0].layout.tp > 1 &&
         s.engine != "distributed-llama" && !hands_on(s.engine);
}

SlowTimes staged_times(const Setup& s, const EngineProfile& engine) {
  struct Timer {
    Layout layout;
    DeviceRates rates;
    std::vector<StageProgram> programs;
    BytesPerSecond wire;
    Seconds overhead;

    Seconds time(const Batch& batch) const {
      Seconds sum = overhead;
      for (const StageProgram& program : programs) {
        for (const Operator& op : program.operators(batch)) sum += time(op) * op.count;
      }
      return sum;
    }
    Seconds time(const Operator& op) const {
      if (is_collective(op.kind)) return kStagedMessage + wire_bytes(op) / wire;
      return operator_time(op, rates, layout).time;
    }
  };
  const ScoredPool& pool = s.pools[0];
  const BytesPerSecond nic = pool.pool.outside.bandwidth;
  auto timer = std::make_shared<Timer>(Timer{.layout = pool.layout,
                                             .rates = device_rates(pool.pool, engine),
                                             .programs = {},
                                             .wire = std::min(kStagedRate, nic),
                                             .overhead = engine.step_overhead.value});
  for (const Stage& stage : stages(s.model->architecture, s.model->tensors, timer->layout)) {
    timer->programs.emplace_back(s.model->architecture, s.model->tensors, timer->layout, stage);
  }
  return {.prefill = [=](double tokens) { return timer->time({.prefill_tokens = tokens}); },
          .step = [=](double b, double context) { return timer->time({.sequences = b, .context = context}); }};
}

// ---- What a row asks for

bool splits_layers(const Setup& s) { return s.row->offload.kind == Offload::Kind::kLayers; }

bool is_memory(const Setup& s) { return s.row->metric->kind == MetricClass::kMemory && s.model && !s.pools.empty(); }

bool fits(const Setup& s, const EngineProfile& engine) {
  const ScoredPool& pool = s.pools[0];
  const MemoryInput input{.architecture = s.model->architecture,
                          .tensors = s.model->tensors,
                          .layout = pool.layout,
                          .device_capacity = pool.pool.accelerator->memory.value,
                          .reserves = engine.reserves,
                          .chunk_tokens = 1,
                          .sequences = 1};
  return replica_memory(input, stages(s.model->architecture, s.model->tensors, pool.layout)).fits();
}

SlowTimes times_of(const Setup& s, const EngineProfile& engine) {
  if (has_offloaded_experts(s)) return offload_times(s, engine);
  if (splits_layers(s)) return split_layers_times(s, engine);
  if (is_processor(s.device())) return processor_times(s, engine);
  if (staged_collectives(s)) return staged_times(s, engine);
  if (s.engine == "ik_llama.cpp") return card_after_card_times(s, engine);
  // Weights that do not fit are read from the disk for every token, at a rate that no row tells.
  if (!fits(s, engine)) return {};
  return spread_times(s, engine);
}

struct Run {
  double sequences = 1;
  Seconds prefill{}, step{};  // of all sequences
};

std::optional<Run> run_of(const Setup& s, const EngineProfile& engine, const SlowTimes& times) {
  const Measurement& row = *s.row;
  if (row.load_kind == LoadKind::kNone || row.load_kind == LoadKind::kOpen) return std::nullopt;
  if (row.load_kind != LoadKind::kSingle && !row.load) return std::nullopt;
  const double together = row.load_kind == LoadKind::kSingle ? 1 : std::min(*row.load, engine.most_sequences);
  const double context = s.context > 0 ? s.context : 1;
  return Run{.sequences = together,
             .prefill = times.prefill(std::max(1.0, s.input - s.cached)) * together,
             .step = times.step(together, context) / row.accept_len.value_or(1)};
}

std::optional<double> value_of(const Run& run, const Setup& s, const EngineProfile& engine) {
  const std::string name = s.row->metric->name;
  const double fresh = std::max(1.0, s.input - s.cached);
  const Seconds ttft = run.prefill + engine.request_overhead.value;
  const Seconds all = ttft + run.step * std::max(0.0, s.output - 1);
  const double answers = run.sequences * s.output;
  if (name == "prefill_tok_per_s") return fresh * run.sequences / run.prefill.value;
  if (name == "decode_tok_per_s") return 1 / run.step.value;
  if (name == "token_latency_s" || name.rfind("tpot_s", 0) == 0) return run.step.value;
  if (name.rfind("ttft_s", 0) == 0) return ttft.value;
  if (s.output <= 0) return std::nullopt;
  if (name == "output_tok_per_s") return answers / all.value;
  if (name == "output_tok_per_s_per_gpu") return answers / all.value / s.row->accelerators.value_or(1);
  if (name == "output_tok_per_s_incl_prefill") return s.output / all.value;
  if (name == "output_tok_per_s_per_user") return 1 / run.step.value;
  if (name == "total_tok_per_s") return run.sequences * (s.input + s.output) / all.value;
  if (name == "e2e_s_mean") return all.value;
  return std::nullopt;
}

}  // namespace

double distributed_llama_bytes(const Architecture& a, int nodes, double bytes_per_value, bool slices) {
  const double n = nodes, workers = n - 1, width = a.hidden_size;
  if (!slices) return 4 * workers * width * bytes_per_value * a.num_layers;
  const double down = 3 * width + a.intermediate_size * workers / n;
  const double up = (3 * width + 2.0 * a.num_kv_heads * a.head_dim + a.intermediate_size) / n;
  return workers * (down + up) * bytes_per_value * a.num_layers;
}

bool is_slow(const Setup& s) {
  if (is_memory(s)) return true;
  if (!s.model) return false;
  if (s.engine == "distributed-llama") return true;
  if (s.pools.empty()) return false;
  return has_offloaded_experts(s) || splits_layers(s) || is_processor(s.device()) || staged_collectives(s) ||
         remote_llama(s) || hands_on(s.engine) || s.engine == "ik_llama.cpp" ||
         s.row->metric->kind == MetricClass::kNetwork;
}

std::optional<double> slow_value(const Setup& s, const EngineProfile& engine) {
  if (is_memory(s)) return memory_value(s, engine);
  if (s.row->metric->percentile > 0 && requests_differ(*s.row)) return std::nullopt;  // no queue is modelled here
  if (s.engine == "distributed-llama") return distributed_llama_value(s, engine);
  const SlowTimes times = times_of(s, engine);
  if (!times.step) return std::nullopt;
  const std::optional<Run> run = run_of(s, engine, times);
  const std::optional<double> value = run ? value_of(*run, s, engine) : std::nullopt;
  return value && std::isfinite(*value) && *value > 0 ? value : std::nullopt;
}

}  // namespace fathom
