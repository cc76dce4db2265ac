#include "timing/host_experts.h"

#include <algorithm>

namespace fathom {

namespace {

bool has_amx(const Cpu& cpu) {
  return std::any_of(cpu.instruction_sets.begin(), cpu.instruction_sets.end(),
                     [](const std::string& set) { return set.rfind("AMX", 0) == 0; });
}

FlopsPerSecond rate_of(const Peaks& peaks, PeakRate kind) {
  const auto found = peaks.find(kind);
  return found == peaks.end() ? FlopsPerSecond(0) : found->second.value;
}

// Blocks that are looked up in a code book, not shifted and scaled.
bool has_code_book(Format f) { return f == Format::kIq1S; }

bool is_fp8(Format f) { return f == Format::kFp8 || f == Format::kFp8Block128; }

// How kernels differ from their own vector products, host_gemm_share of catalogs/engines.yaml.
struct Kernels {
  double tiles;          // share of AMX peak over share of vector peak; 0: none
  double fp8;            // fp8 weights, expanded value by value; 0: through bf16 tiles
  double experts;        // prompts over many experts, a few tokens each
  double second_socket;  // of the memory bandwidth, when two sockets work on one model
};

// KTransformers: 35 TOPS int8 and 21 TFLOPS bf16 per fourth-generation Xeon are 12 and 15 % of its tiles' peak, 0.27 of the
// 0.48 that its vector kernels reach; "about 4x PyTorch's AMX kernel" (its AMX.md), which SGLang's processor backend builds on.
// fp8: MiniMax-M2.1, 2,048 tokens at 129 tok/s on two Xeon 8488C. Experts of llama.cpp: DeepSeek-R1 and Qwen3-235B in q8_0 read
// 1,024 tokens at 3.1 and 2.7 TFLOPS on two Xeon 6980P, a dense 70B model at 7.1.
// Second socket: KTransformers copies or splits experts by socket, SGLang has a rank per NUMA domain, llama.cpp reads across.
Kernels kernels(const std::string& engine) {
  if (engine == "ktransformers") return {.tiles = 0.27, .fp8 = 0.27, .experts = 1, .second_socket = 0.87};
  if (engine == "sglang-host") return {.tiles = 0.07, .fp8 = 0, .experts = 1, .second_socket = 1};
  return {.tiles = 0, .fp8 = 1, .experts = 0.28, .second_socket = 0.67};
}

// One operator of ours is about three and a half nodes of an engine's graph, each of which ends where all threads of a NUMA
// domain meet; a meeting costs 0.3 us per thread (Xeon 6980P, llama.cpp: 3B to 235B decode at 55 to 215 ms whatever their bytes).
constexpr Seconds kMeetingPerCore = 1_us;

// A look-up for every few weights: DeepSeek-R1 in IQ1_S on an EPYC 9654 decodes 3.3 and reads 4.9 tok/s, 3 to 5 % of its peak.
constexpr double kCodeBook = 0.2;

}  // namespace

bool is_processor(const Accelerator& accelerator) { return accelerator.stack.rfind("CPU", 0) == 0; }

std::optional<HostProcessor> host_processor(const Pool& pool) {
  const Node& node = pool.group->node;
  HostProcessor out;
  out.memory = pool.host_memory_bandwidth;
  if (const Cpu* cpu = node.cpu) {
    out.sockets = std::max(1, node.cpus);
    out.cores = cpu->cores.value_or(8);
    out.vector = rate_of(cpu->peak, PeakRate::kFp32) * out.sockets;
    if (has_amx(*cpu)) {
      out.tile_bf16 = rate_of(cpu->peak, PeakRate::kBf16) * out.sockets;
      out.tile_int8 = rate_of(cpu->peak, PeakRate::kInt8) * out.sockets;
    }
  } else if (is_processor(*pool.accelerator)) {
    out.cores = pool.accelerator->compute_units.count.value_or(4);
    out.vector = rate_of(pool.accelerator->peak, PeakRate::kFp32);
  } else {
    return std::nullopt;
  }
  if (is_processor(*pool.accelerator) && out.memory <= BytesPerSecond(0) && pool.accelerator->memory_bandwidth)
    out.memory = pool.accelerator->memory_bandwidth->value;
  if (out.memory <= BytesPerSecond(0)) return std::nullopt;
  return out;
}

HostRates::HostRates(const HostProcessor& processor, const EngineProfile& engine, double ranks)
    : processor_(processor), engine_(engine.id), vector_share_(engine.host_gemm_share.value) {
  const double numa = processor.sockets > 1 ? kernels(engine_).second_socket : 1;
  memory_ = processor.memory * (engine.host_memory_share.value * numa);
  const double domains = std::max<double>(processor.sockets, ranks);
  barrier_ = kMeetingPerCore * (processor.cores * processor.sockets / domains);
}

FlopsPerSecond HostRates::products(Format weights, bool few_rows) const {
  const Kernels k = kernels(engine_);
  const bool fp8 = is_fp8(weights);
  if (has_code_book(weights)) return processor_.vector * (vector_share_ * kCodeBook);
  const double share = vector_share_ * (few_rows ? k.experts : 1);
  // No engine multiplies GGUF blocks with tiles.
  if (processor_.has_tiles() && k.tiles > 0 && !is_gguf(weights) && (!fp8 || k.fp8 == 0)) {
    const bool bytes = !fp8 && bits_per_weight(weights) < 12;
    return (bytes ? processor_.tile_int8 : processor_.tile_bf16) * (share * k.tiles);
  }
  return processor_.vector * (share * (fp8 && k.fp8 > 0 ? k.fp8 : 1));
}

Seconds HostRates::time(const Operator& op) const {
  // Experts that several rows of a prompt reach; one row each, as in decoding, is a matrix times a vector.
  const double read = op.weight_bytes.value * 8 / bits_per_weight(op.weights);
  const bool shared = op.kind == OperatorKind::kGroupedLinear && op.tokens * op.weight_elements > 1.5 * read;
  const FlopsPerSecond rate = products(op.weights, shared);
  const Seconds compute = rate > FlopsPerSecond(0) ? flops(op) / rate : Seconds(0);
  return std::max(compute, op.weight_bytes / memory_);
}

}  // namespace fathom
