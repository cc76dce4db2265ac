#include "score/predict_micro.h"

#include <algorithm>
#include <cmath>

#include "network/collectives.h"
#include "power/accelerator_power.h"
#include "timing/kernel_rates.h"
#include "timing/replica_time.h"

namespace fathom {

namespace {

using Value = std::optional<double>;

bool starts_with(const std::string& text, const char* head) { return text.rfind(head, 0) == 0; }
bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// ---- collectives

// A call through a framework's process group takes the host 40 us, which the kernel hides when it is long. From all-reduces of
// 32 to 512 KiB on 8 H200, all 39 us (stas00/ml-engineering, network chapter @744d01e).
constexpr double kFrameworkCall = 40e-6;
bool through_framework(const Measurement& row) { return row.engine == "torch" || row.notes_framework; }

// Launching one kernel on every card of a node: Hopper and Ada nodes of ai-dynamo/aiconfigurator's nccl_perf are 4 us quicker
// than its A100 and B200 nodes at every rank count.
double launch(const Accelerator& a) {
  return starts_with(a.architecture, "Hopper") || starts_with(a.architecture, "Ada") ? 0 : 4e-6;
}

double as_called(const Measurement& row, const Accelerator& a, Seconds kernel) {
  const double time = kernel.value + launch(a);
  return through_framework(row) ? std::hypot(time, kFrameworkCall) : time;
}

// What NCCL makes of a link of peers: its own constants per link over the data sheet, 0.80 to 0.82 for NVLink; a mesh of
// Infinity Fabric reaches 0.70 (8 ranks) to 0.74 (2 ranks) of MI300X's.
double scale_up_share(const Accelerator& a) {
  const ScaleUp& link = a.scale_up;
  if (link.nccl_bandwidth_per_link && link.links && link.bandwidth_per_direction) {
    return link.nccl_bandwidth_per_link->value * *link.links / link.bandwidth_per_direction->value;
  }
  return link.kind == ScaleUpKind::kMesh ? 0.72 : 0.81;
}

// Collectives over PCIe are the host's affair. Of a card's slot: two cards 20 GB/s of a 27 GB/s slot; four and eight cards on
// a gen-5 host 25 and 23 of 55 GB/s, on a gen-4 host without peer access 5 and 1.5 of 27 GB/s, quartered by each doubling
// (ai-dynamo/aiconfigurator nccl_perf, one host each); pairs on bridges 25 of 2 x 27 GB/s (azurehpc-health-checks).
double host_share(const Span& s) {
  if (s.inner->kind == TierKind::kScaleUp) return 0.46;
  if (s.ranks == 2) return 0.73;
  constexpr BytesPerSecond kFifthGeneration(40e9);
  return s.outer->bandwidth > kFifthGeneration ? 0.43 : 0.73 * 4 / (static_cast<double>(s.ranks) * s.ranks);
}

double wire_share(const Accelerator& a, const Span& s) {
  switch (s.outer->kind) {
    case TierKind::kScaleUp:
      return scale_up_share(a);
    case TierKind::kHost:
      return host_share(s);
    case TierKind::kRdma:
      return 0.96;  // NCCL's constant: 12 of 12.5 GB/s
    case TierKind::kTcp:
      return 0.94;  // headers of 1,500-byte frames
  }
  return 1;
}

// Summing in the NVSwitch: NCCL's efficiencies for it (src/graph/tuning.cc); Hopper's switch is the first that can.
double multicast(const Accelerator& a) {
  if (a.scale_up.kind != ScaleUpKind::kSwitch && a.scale_up.kind != ScaleUpKind::kOther) return 0;
  if (starts_with(a.architecture, "Hopper")) return 0.85;
  return starts_with(a.architecture, "Blackwell") && a.scale_up.links ? 0.74 : 0;
}

NcclChoice choice(const Measurement& row, const Accelerator& a) {
  const std::string algorithm = row.word("algo");
  if (algorithm == "ring") return {.ring = true, .tree = false};
  if (algorithm == "tree") return {.ring = false, .tree = true};
  if (algorithm == "nvls_off") return {};
  return {.multicast = multicast(a)};
}

constexpr double kPlateau = 1024.0 * 1024 * 1024;  // where a row gives a rate without its size

// All devices of the row. In a mesh, cards that the row does not have leave their links idle.
Span everyone(const Setup& s) {
  const Pool& pool = s.pools.front().pool;
  Span all = span(pool, pool.devices(), 1);
  const ScaleUp& link = s.device().scale_up;
  if (all.inner != nullptr && all.inner->mesh && link.domain.value_or(1) > 1) {
    all.inner_bandwidth = all.inner->bandwidth * ((all.per_inner - 1.0) / (*link.domain - 1.0));
  }
  return all;
}

Value collective_time(const Setup& s) {
  const Measurement& row = *s.row;
  const Span group = everyone(s);
  if (group.ranks < 2) return std::nullopt;
  const Bytes payload(row.message_bytes.value_or(kPlateau) / wire_share(s.device(), group));
  const std::string op = row.word("op");
  Seconds time{};
  if (op == "all_reduce") time = nccl_all_reduce_time(group, payload, choice(row, s.device()));
  if (op == "all_gather" || op == "reduce_scatter") time = all_gather_time(group, payload / group.ranks);
  if (op == "all_to_all") time = all_to_all_time(group, payload);
  if (!(time > Seconds(0))) return std::nullopt;
  return as_called(row, s.device(), time);
}

Value bus_bandwidth(const Setup& s) {
  const Value time = collective_time(s);
  if (!time) return std::nullopt;
  return ring_share(s.row->word("op"), s.pools.front().pool.devices()) * s.row->message_bytes.value_or(kPlateau) /
         *time;
}

// ---- links and memory

// Payload of plain copies over the nominal rate: 0.88 between two H200, 0.86 between two A100 (stas00/ml-engineering, FlagPerf).
constexpr double kPeerCopyShare = 0.87;
constexpr double kNetworkCopyShare =
    0.85;  // one stream of sends: 0.77 through PyTorch (FlagPerf), 0.96 in NCCL's reckoning

Value link_rate(const Setup& s) {
  const std::string op = s.row->word("op");
  const Pool& pool = s.pools.front().pool;
  if (op == "h2d" || op == "d2h")
    return s.device().pcie ? Value(attained_pcie_rate(pool.group->node).value) : std::nullopt;
  if (pool.devices() < 2) return std::nullopt;
  const Span pair = everyone(s);
  const double share = pair.outer->kind == TierKind::kScaleUp ? kPeerCopyShare
                       : pair.outer->kind == TierKind::kHost  ? 1
                                                              : kNetworkCopyShare;
  return (op == "p2p_duplex" ? 2 : 1) * share * pair.inner_bandwidth.value;
}

Value memory_rate(const Setup& s) {
  const std::string op = s.row->word("op");
  if (op == "read" || op == "mla_decode_memory_bound") return stream_rate(s.device(), Stream::kRead).value;
  if (op == "scale") return stream_rate(s.device(), Stream::kScale).value;
  if (op == "triad") return stream_rate(s.device(), Stream::kTriad).value;
  if (op == "copy") return stream_rate(s.device(), Stream::kCopy).value;
  return std::nullopt;
}

// The driver keeps about a fiftieth: contexts, page tables, error correction (A100 40 GB 2.0 %, 910B3 2.5 %; FlagPerf).
constexpr double kUsableShare = 0.98;

// ---- products

std::optional<Format> operand_format(const Measurement& row) {
  if (row.weight_format == "bf16") return Format::kBf16;
  if (row.weight_format == "fp16") return Format::kFp16;
  if (row.weight_format == "fp32") return Format::kFp32;
  if (row.weight_format == "fp8") return Format::kFp8;
  if (row.weight_format == "fp8_block") return Format::kFp8Block128;
  if (row.weight_format == "int8") return Format::kInt8;
  if (row.weight_format == "nvfp4") return Format::kNvfp4;
  if (row.weight_format == "mxfp4") return Format::kMxfp4;
  return std::nullopt;
}

MatrixLibrary library(const std::string& engine) {
  if (engine == "deepgemm") return MatrixLibrary::kDeepGemm;
  const bool serves = engine == "vllm" || engine == "sglang" || engine == "tensorrt-llm" || engine == "vllm-ascend";
  return serves ? MatrixLibrary::kEngine : MatrixLibrary::kVendor;
}

Value product(const Setup& s) {
  const Measurement& row = *s.row;
  const Value m = row.number("m"), n = row.number("n"), k = row.number("k");
  const std::optional<Format> format = operand_format(row);
  if (!m || !n || !k || !format) return std::nullopt;
  const MatrixProduct product{.m = *m, .n = *n, .k = *k, .groups = row.number("groups").value_or(1)};
  const std::optional<Seconds> time = matrix_product_time(s.device(), product, *format, library(row.engine));
  if (!time) return std::nullopt;
  return row.metric->name == std::string("gemm_s") ? time->value : flops(product).value / time->value;
}

// ---- attention

Value attention_decode(const Setup& s) {
  const Measurement& row = *s.row;
  if (!row.load || !row.context_len) return std::nullopt;
  const bool fp8 = row.kv_format == "fp8";
  if (row.word("op") == "mla_decode") {
    const Value heads = row.number("q_heads");
    if (!heads) return std::nullopt;
    const std::optional<Seconds> time =
        attention_time(s.device(), LatentAttention{.sequences = *row.load,
                                                   .context = *row.context_len,
                                                   .heads = *heads,
                                                   .latent = row.number("kv_latent").value_or(576),
                                                   .converts_cache = fp8});
    return time ? Value(time->value) : std::nullopt;
  }
  const Value heads = row.number("kv_heads"), width = row.number("head_dim");
  if (!heads || !width) return std::nullopt;
  return attention_time(s.device(), GroupedAttention{.sequences = *row.load,
                                                     .context = *row.context_len,
                                                     .kv_heads = *heads,
                                                     .head_dim = *width,
                                                     .fp8_cache = fp8})
      .value;
}

Value attention_rate(const Setup& s) {
  const std::string op = s.row->word("op");
  const AttentionKernel kernel = op == "mla_decode_compute_bound" ? AttentionKernel::kLatentDecode
                                 : op == "sparse_mla_decode"      ? AttentionKernel::kSparseDecode
                                 : op == "sparse_mla_prefill"     ? AttentionKernel::kSparsePrefill
                                                                  : AttentionKernel::kPrefill;
  const std::optional<FlopsPerSecond> rate = best_rate(s.device(), kernel);
  return rate ? Value(rate->value) : std::nullopt;
}

// ---- experts

Value expert_exchange(const Setup& s) {
  const Measurement& row = *s.row;
  const Span group = everyone(s);
  if (group.ranks < 2) return std::nullopt;
  const bool rate = contains(row.metric->name, "bytes_per_s");
  if (rate && row.word("mode") != "low_latency") return expert_exchange_rate(group).value;
  const Value tokens = row.number("tokens_per_rank"), hidden = row.number("hidden"), topk = row.number("topk");
  if (!tokens || !hidden || !topk) return std::nullopt;
  const double element = row.word("dtype") == "fp8" ? 1 : 2;
  const double payload = *tokens * *topk * *hidden * element;
  const double time = row.word("mode") == "low_latency" ? expert_exchange_time(group, Bytes(payload)).value
                                                        : payload / expert_exchange_rate(group).value;
  return rate ? payload / time : time;
}

// ---- power

std::optional<AcceleratorPowerModel> power_model(const Accelerator& a) {
  if (!a.tdp) return std::nullopt;
  return accelerator_power_model(a.id, a.tdp->value);
}

SteadyWork work(const Measurement& row) {
  const std::string op = row.word("op");
  if (op == "gemm") return SteadyWork::kMatrix;
  if (op == "fp32_fma") return SteadyWork::kVector;
  if (op == "read" || op == "scale" || op == "triad" || op == "copy") return SteadyWork::kMemory;
  return row.nodes.value_or(1) > 1 ? SteadyWork::kNetwork : SteadyWork::kScaleUpLink;
}

// A replica while it serves: what its devices do on average, and how fast answers come.
struct Serving {
  Activity activity;
  double tokens_per_second = 0;  // generated, all replicas
};

// Prompts of ML.ENERGY's chat rows are not published.
constexpr double kAssumedPrompt = 300;

// The power model counts decoding alone: reading prompts hides in its coefficient of arithmetic.
std::optional<Serving> serving(const Setup& s, const EngineProfile& engine) {
  if (!s.model || s.pools.size() != 1 || !s.row->load) return std::nullopt;
  const ScoredPool& pool = s.pools.front();
  const Layout& layout = pool.layout;
  const std::vector<Stage> cut = stages(s.model->architecture, s.model->tensors, layout);
  const ReplicaTimer timer(s.model->architecture, s.model->tensors, layout, cut, device_rates(pool.pool, engine),
                           host_work(engine));
  const double prompt = s.input > 0 ? s.input : kAssumedPrompt, output = std::max(1.0, s.output);
  const double sequences = std::max(1.0, *s.row->load / layout.replicas), context = prompt + output / 2;
  // While one sequence answers, each of the others' prompts is read once.
  const Seconds prefill(prompt / timer.prefill(prompt, 0, engine.chunk_tokens).tokens_per_second);
  const Seconds step = timer.decode_step(sequences, context) + prefill * (sequences / output);
  const DeviceRates& rates = timer.rates();
  const FlopsPerSecond peak = rates.peak(rates.math[static_cast<std::size_t>(Format::kBf16)]);
  Serving out{.activity = {.busy = 1}, .tokens_per_second = sequences / step.value * layout.replicas};
  for (const Operator& op : timer.slowest_decode_operators(sequences, context)) {
    if (op.on_host) continue;
    out.activity.memory += bytes_moved(op) * op.count / step / s.device().memory_bandwidth->value;
    if (peak > FlopsPerSecond(0)) out.activity.compute += flops(op) * op.count / step / peak;
  }
  out.activity.memory = std::min(1.0, out.activity.memory);
  out.activity.compute = std::min(1.0, out.activity.compute);
  return out;
}

// A desktop around one card, at the wall: the card at 0.8 of its TDP while it decodes one stream, 70 W of board, processor
// and fans, a supply of 92 %. Machines whose processor and accelerator share a budget draw that budget. Judgement.
constexpr double kSingleStreamShare = 0.8, kDesktopWatts = 70, kSupply = 0.92;

Value wall_power(const Setup& s) {
  const Accelerator& a = s.device();
  if (!a.tdp) return std::nullopt;
  const bool whole_machine = s.row->scale_up == "unified" || s.row->host.cpu == a.id;
  const double watts = whole_machine ? a.tdp->value.value : kSingleStreamShare * a.tdp->value.value + kDesktopWatts;
  return watts / kSupply;
}

Value power(const Setup& s, const EngineProfile& engine) {
  const Measurement& row = *s.row;
  const std::string metric = row.metric->name;
  if (metric == "power_w_node") return wall_power(s);
  const std::optional<AcceleratorPowerModel> model = power_model(s.device());
  if (!model) return std::nullopt;
  if (row.role == MeasuredRole::kMicro) return steady_power(*model, work(row)).value;
  const std::optional<Serving> load = serving(s, engine);
  if (!load) return std::nullopt;
  const double watts = busy_power(*model, load->activity).likely.value;
  if (metric == "power_frac_of_tdp") return watts / model->cap.value;
  if (metric == "energy_j_per_token") return watts * row.accelerators.value_or(1) / load->tokens_per_second;
  return watts;
}

Value memory(const Setup& s) {
  if (s.row->word("op") != "capacity") return std::nullopt;
  return s.device().memory.value.value * kUsableShare;
}

Value collective(const Setup& s) {
  const std::string metric = s.row->metric->name;
  if (metric == "busbw_bytes_per_s") return bus_bandwidth(s);
  if (metric == "allreduce_s" || metric == "alltoall_s") return collective_time(s);
  return expert_exchange(s);
}

}  // namespace

bool is_micro(const Setup& s) {
  const MetricClass kind = s.row->metric->kind;
  return s.row->role == MeasuredRole::kMicro || kind == MetricClass::kPower || kind == MetricClass::kEnergy;
}

std::string micro_refusal(const Setup& s) {
  if (s.pools.empty()) return "no device is named";
  const Accelerator& a = s.device();
  const MetricClass kind = s.row->metric->kind;
  const bool power = kind == MetricClass::kPower || kind == MetricClass::kEnergy;
  if (power && !a.tdp) return "the TDP of " + a.name + " is not known";
  if (power && s.row->role != MeasuredRole::kMicro && !s.model) return "no model is named";
  if (kind == MetricClass::kGemm && !product(s))
    return "a product without a shape, or no published peak for its format";
  if (kind == MetricClass::kCollective && s.pools.front().pool.devices() < 2) return "a collective of one device";
  if (s.row->role == MeasuredRole::kMicro && kind == MetricClass::kMemory && !memory(s)) {
    return "memory in use by something that is not named";
  }
  return {};
}

std::optional<double> micro_value(const Setup& s, const EngineProfile& engine) {
  if (s.pools.empty()) return std::nullopt;
  switch (s.row->metric->kind) {
    case MetricClass::kCollective:
      return collective(s);
    case MetricClass::kBandwidth:
      return s.row->metric->name == std::string("link_bytes_per_s") ? link_rate(s) : memory_rate(s);
    case MetricClass::kGemm:
      return product(s);
    case MetricClass::kAttention:
      return s.row->metric->name == std::string("attention_decode_s") ? attention_decode(s) : attention_rate(s);
    case MetricClass::kPower:
    case MetricClass::kEnergy:
      return power(s, engine);
    case MetricClass::kMemory:
      return memory(s);
    default:
      return std::nullopt;
  }
}

}  // namespace fathom
