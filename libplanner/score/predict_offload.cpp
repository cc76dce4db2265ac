#include "score/predict_offload.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "memory/ledger.h"
#include "network/topology.h"
#include "timing/host_experts.h"
#include "timing/replica_time.h"

namespace fathom {

namespace {

// Every operator of one step on every stage, in turn.
class Programs {
 public:
  Programs(const Setup& s, const Layout& layout) {
    for (const Stage& stage : stages(s.model->architecture, s.model->tensors, layout)) {
      programs_.emplace_back(s.model->architecture, s.model->tensors, layout, stage);
    }
  }

  template <class Each>
  void operators(const Batch& batch, Each each) const {
    for (const StageProgram& program : programs_) {
      for (const Operator& op : program.operators(batch)) each(op);
    }
  }

 private:
  std::vector<StageProgram> programs_;
};

Batch decoding(double sequences, double context) { return {.sequences = sequences, .context = context}; }

// The mean chunk sees half of its prompt in the cache.
template <class Time>
Seconds in_chunks(double tokens, double chunk, Time time) {
  const double n = std::max(1.0, tokens), chunks = std::ceil(n / chunk), each = n / chunks;
  return time(Batch{.prefill_tokens = each, .prefill_context = (n - each) / 2}) * chunks;
}

// ---- Routed experts on the processors, everything else on accelerators

bool is_routed(const Operator& op) { return op.kind == OperatorKind::kGroupedLinear; }

// Wakes the host's threads, copies activations in and out: a judgement.
constexpr Seconds kHandOver = 20_us;

// Layer-wise prefill gets 0.6 of a slot through one card, and n cards together n / (1 + 0.3 (n-1)) times that: experts are cut
// on the host and copied one by one. Fit to Kimi-K2 int4 and MiniMax-M2.1 fp8 on one and two RTX 4090 (base of prefill time
// over lengths: 15.6 and 22.9, 25 and 34 GB/s).
constexpr double kStreamShare = 0.6, kCardsShareHost = 0.3;
BytesPerSecond streaming(const Setup& s) {
  const double cards = s.pools[0].layout.devices_per_replica();
  return pcie_rate(s.pools[0].pool.group->node) * (kStreamShare * cards / (1 + kCardsShareHost * (cards - 1)));
}

// From how many prompt tokens on KTransformers streams experts to the cards: 4,096 by its command line's default, 400 in the
// recipe for int4 checkpoints. Releases before 0.5 do not, and GGUF experts have no such path.
std::optional<double> streams_from(const Setup& s) {
  if (s.engine != "ktransformers") return std::nullopt;
  if (version_in(s.row->engine_version, "", "0.5")) return std::nullopt;
  // Experts that the host keeps in a format of its own are not what the cards multiply.
  if (s.row->weight_format.rfind("mixed:", 0) == 0) return std::nullopt;
  switch (s.pools[0].layout.weights.experts) {
    case Format::kInt4G32:
      return 400;
    case Format::kBf16:
    case Format::kFp16:
    case Format::kFp8:
    case Format::kFp8Block128:
    case Format::kInt4G128:
      return 4096;
    default:
      return std::nullopt;
  }
}
constexpr double kStreamedChunk = 65'536;  // chunked-prefill-size of the recipes, memory allowing

double share_on_cards(const Setup& s) {
  const Offload& offload = s.row->offload;
  if (offload.kind == Offload::Kind::kExpertShare) return std::min(1.0, offload.on_gpu);
  if (offload.kind != Offload::Kind::kExpertsPerLayer || !s.model->architecture.moe) return 0;
  return std::min(1.0, offload.on_gpu / s.model->architecture.moe->routed_experts);
}

Bytes routed_bytes(const Setup& s) {
  Bytes sum{};
  for (const Tensor& t : s.model->tensors) {
    if (t.role == Role::kRoutedExpert && t.where != Where::kMtp)
      sum += stored_bytes(t, s.pools[0].layout.weights) * (t.experts * layers_with(s.model->architecture, t.where));
  }
  return sum;
}

class HybridTimer {
 public:
  HybridTimer(const Setup& s, const EngineProfile& engine, const HostRates& host)
      : host_(host),
        rates_(device_rates(s.pools[0].pool, engine)),
        layout_(s.pools[0].layout),
        on_cards_(s.pools[0].layout),
        offloaded_(s, layout_),
        resident_(s, without_offload(on_cards_)),
        overhead_(engine.step_overhead.value),
        card_share_(share_on_cards(s)) {}

  // Processors and cards work on their experts at the same time.
  Seconds together(const Batch& batch) const {
    Seconds rest{}, host{}, cards{};
    offloaded_.operators(batch, [&](const Operator& op) {
      if (!op.on_host) rest += operator_time(op, rates_, layout_).time * op.count;
      // Ranks hold a slice of each expert and work at once: as long as one rank takes alone on its share of the sockets.
      if (op.on_host && is_routed(op)) host += (host_.time(op) * layout_.devices_per_replica() + kHandOver) * op.count;
    });
    if (card_share_ > 0) {
      resident_.operators(batch, [&](const Operator& op) {
        if (is_routed(op)) cards += operator_time(op, rates_, on_cards_).time * op.count;
      });
    }
    return rest + std::max(host * (1 - card_share_), cards * card_share_) + overhead_;
  }

  // Every layer's experts are copied in, then multiplied: times over prompt lengths are a line, not a maximum of two.
  Seconds streamed(const Batch& batch, Seconds copying) const {
    Seconds sum = copying + overhead_;
    resident_.operators(batch,
                        [&](const Operator& op) { sum += operator_time(op, rates_, on_cards_).time * op.count; });
    return sum;
  }

  double card_share() const { return card_share_; }

 private:
  static const Layout& without_offload(Layout& layout) {
    layout.offload_experts = false;
    return layout;
  }

  HostRates host_;
  DeviceRates rates_;
  Layout layout_, on_cards_;
  Programs offloaded_, resident_;
  Seconds overhead_;
  double card_share_;
};

}  // namespace

bool has_offloaded_experts(const Setup& s) {
  return s.model && !s.pools.empty() && s.pools[0].layout.offload_experts && s.model->architecture.moe;
}

SlowTimes offload_times(const Setup& s, const EngineProfile& engine) {
  const std::optional<HostProcessor> processor = host_processor(s.pools[0].pool);
  if (!processor) return {};
  const auto timer = std::make_shared<HybridTimer>(s, engine, HostRates(*processor, engine, 1));
  const Seconds copying = routed_bytes(s) * (1 - timer->card_share()) / streaming(s);
  const std::optional<double> threshold = streams_from(s);
  const double chunk = engine.chunk_tokens;
  return {.prefill =
              [=](double tokens) {
                if (threshold && tokens > *threshold)
                  return in_chunks(tokens, kStreamedChunk, [&](const Batch& b) { return timer->streamed(b, copying); });
                return in_chunks(tokens, chunk, [&](const Batch& b) { return timer->together(b); });
              },
          .step = [=](double b, double context) { return timer->together(decoding(b, context)); }};
}

// ---- Whole models on processors

namespace {

class ProcessorTimer {
 public:
  ProcessorTimer(const Setup& s, const EngineProfile& engine, const HostRates& rates)
      : rates_(rates), layout_(one_rank(s)), programs_(s, layout_), overhead_(engine.step_overhead.value) {}

  Seconds time(const Batch& batch) const {
    Seconds sum = overhead_;
    programs_.operators(batch, [&](const Operator& op) { sum += (time(op) + rates_.barrier()) * op.count; });
    return sum;
  }

 private:
  static Layout one_rank(const Setup& s) {
    Layout layout = s.pools[0].layout;
    layout.tp = layout.pp = layout.ep = layout.attention_dp = 1;
    layout.offload_experts = false;
    return layout;
  }

  Seconds time(const Operator& op) const {
    switch (op.kind) {
      case OperatorKind::kAttention:
      case OperatorKind::kMlaAttention:
      case OperatorKind::kIndexer:
        return std::max(flops(op) / rates_.products(Format::kFp32, false), bytes_moved(op) / rates_.memory());
      default:
        return rates_.time(op);
    }
  }

  HostRates rates_;
  Layout layout_;
  Programs programs_;
  Seconds overhead_;
};

}  // namespace

SlowTimes processor_times(const Setup& s, const EngineProfile& engine) {
  const std::optional<HostProcessor> processor = host_processor(s.pools[0].pool);
  if (!processor || processor->vector <= FlopsPerSecond(0)) return {};
  const HostRates rates(*processor, engine, s.row->tp.value_or(1));
  const auto timer = std::make_shared<ProcessorTimer>(s, engine, rates);
  return {.prefill =
              [=, chunk = engine.chunk_tokens](double tokens) {
                return in_chunks(tokens, chunk, [&](const Batch& b) { return timer->time(b); });
              },
          .step = [=](double b, double context) { return timer->time(decoding(b, context)); }};
}

SlowTimes split_layers_times(const Setup& s, const EngineProfile& engine) {
  const SlowTimes host = processor_times(s, engine), card = card_after_card_times(s, engine);
  if (!host.step) return {};
  const double on_card = std::clamp(s.row->offload.on_gpu / s.model->architecture.num_layers, 0.0, 1.0);
  return {
      .prefill = [=](double tokens) { return card.prefill(tokens) * on_card + host.prefill(tokens) * (1 - on_card); },
      .step = [=](double b,
                  double context) { return card.step(b, context) * on_card + host.step(b, context) * (1 - on_card); }};
}

SlowTimes card_after_card_times(const Setup& s, const EngineProfile& engine) {
  const ScoredPool& pool = s.pools[0];
  const auto timer = std::make_shared<ReplicaTimer>(s.model->architecture, s.model->tensors, pool.layout,
                                                    stages(s.model->architecture, s.model->tensors, pool.layout),
                                                    device_rates(pool.pool, engine), host_work(engine));
  return {.prefill =
              [=, chunk = engine.chunk_tokens](double tokens) {
                return in_chunks(tokens, chunk, [&](const Batch& b) { return timer->step(b).latency; });
              },
          .step = [=](double b, double context) { return timer->decode_step(b, context); }};
}

// ---- Memory

namespace {

bool is_reserve(const LedgerRow& row) {
  return row.name == "runtime context" || row.name == "communicator buffers" || row.name == "workspace and graphs";
}

// PyTorch's own peak, which Hugging Face results print, counts tensors only: no driver context, no workspaces of libraries.
bool counts_tensors_only(const Setup& s) { return s.engine == "hf-transformers"; }

Bytes in_use(const Setup& s, const Ledger& ledger, double tokens, double sequences) {
  Bytes sum = ledger.kv_per_token * tokens + ledger.kv_per_sequence * sequences;
  for (const LedgerRow& row : ledger.rows) {
    if (!is_reserve(row) || !counts_tensors_only(s)) sum += row.bytes;
  }
  return sum;
}

}  // namespace

std::optional<double> memory_value(const Setup& s, const EngineProfile& engine) {
  const std::string name = s.row->metric->name;
  const Architecture& a = s.model->architecture;
  if (s.pools.empty()) return std::nullopt;
  const ScoredPool& pool = s.pools[0];
  if (name == "weight_bytes") return checkpoint_bytes(a, pool.layout.weights, true).value;
  const double sequences = std::max(1.0, s.row->load.value_or(1)), tokens = (s.input + s.output) * sequences;
  // What a machine needs, no request named: room for a whole chunk.
  const double step = s.input > 0 ? s.input : engine.chunk_tokens;
  const MemoryInput input{.architecture = a,
                          .tensors = s.model->tensors,
                          .layout = pool.layout,
                          .device_capacity = pool.pool.accelerator->memory.value,
                          .reserves = engine.reserves,
                          .chunk_tokens = std::min(step, engine.chunk_tokens),
                          .sequences = sequences};
  const ReplicaMemory memory = replica_memory(input, stages(a, s.model->tensors, pool.layout));
  Bytes used{}, host{}, kv{};
  for (const Ledger& ledger : memory.stages) {
    const double devices = ledger.alike * pool.layout.stage_width();
    used += in_use(s, ledger, tokens, sequences) * devices;
    host += ledger.host * devices;
    kv += (ledger.kv_per_token * tokens + ledger.kv_per_sequence * sequences) * ledger.alike;
  }
  const Ledger& fullest = memory.worst();
  if (name == "memory_bytes") return used.value;
  if (name == "host_memory_bytes" && host > Bytes(0)) return host.value;
  if (name == "kv_bytes_per_request" && tokens > 0) return kv.value / sequences;
  if (name == "kv_pool_bytes_per_gpu" && memory.fits()) return fullest.kv_room().value;
  if (name == "weight_activation_bytes_per_gpu") {
    return (fullest.weights() + fullest.rows.back().bytes).value;
  }
  return std::nullopt;
}

}  // namespace fathom
