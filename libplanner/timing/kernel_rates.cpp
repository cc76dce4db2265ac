#include "timing/kernel_rates.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace fathom {
namespace {

// Shares of the data sheet by architecture; the first whose name begins the accelerator's is taken.
//
// Products: best shape that a search finds (stas00/ml-engineering, MAMF table @744d01e), one value for 16 and one for 8 bits;
// DaVinci from FlagOpen/FlagPerf @1b5a030 (computation-BF16). Weights, cache: ai-dynamo/aiconfigurator @095f58a, products of
// few rows and decode attention of vLLM 0.14 and TensorRT-LLM. A row without a measurement carries that of its neighbour.
struct Shares {
  std::string_view architecture;
  double product16, product8;     // of the dense peak
  double weights;                 // of memory bandwidth, products of few rows
  double cache;                   // of memory bandwidth, attention over a cache
  double engine8, engine8_block;  // of the dense peak, a serving engine's 8-bit linear layer
};
constexpr std::array kShares = {
    Shares{"Hopper", 0.84, 0.75, 0.91, 0.92, 0.46, 0.375},
    Shares{"Ada", 0.72, 0.58, 0.84, 0.83, 0.40, 0.35},
    Shares{"Ampere GA100", 0.93, 0.90, 0.74, 0.82, 0.75, 0.55},
    Shares{"Ampere", 0.85, 0.80, 0.84, 0.83, 0.75, 0.55},
    Shares{"Blackwell GB100", 0.79, 0.78, 0.85, 0.88, 0.46, 0.375},
    Shares{"Blackwell Ultra", 0.79, 0.78, 0.85, 0.88, 0.46, 0.375},
    Shares{"CDNA3", 0.53, 0.50, 0.80, 0.75, 0.46, 0.375},
    Shares{"CDNA4", 0.63, 0.60, 0.80, 0.75, 0.46, 0.375},
    Shares{"Gaudi2", 0.97, 0.96, 0.80, 0.75, 0.75, 0.55},
    Shares{"Gaudi3", 0.77, 0.77, 0.80, 0.75, 0.75, 0.55},
    Shares{"DaVinci", 0.98, 0.98, 0.80, 0.75, 0.75, 0.55},
};
constexpr Shares kOther = {"", 0.80, 0.75, 0.82, 0.80, 0.60, 0.45};

const Shares& shares_of(const Accelerator& a) {
  for (const Shares& shares : kShares) {
    if (a.architecture.rfind(shares.architecture, 0) == 0) return shares;
  }
  return kOther;
}

bool starts_with(const std::string& text, std::string_view head) { return text.rfind(head, 0) == 0; }

// A kernel inside a CUDA graph; 4 us on the A100 nodes of the same tables.
constexpr double kStart = 2.5e-6, kStartAmpere = 4e-6;
double start_of(const Accelerator& a) { return starts_with(a.architecture, "Ampere") ? kStartAmpere : kStart; }

bool is_fp8(Format f) { return f == Format::kFp8 || f == Format::kFp8Block128; }
bool is_eight_bit(Format f) { return is_fp8(f) || f == Format::kInt8; }

// What the operands are multiplied in. Formats that the part does not multiply are widened to 16 bits on the way.
struct Arithmetic {
  FlopsPerSecond peak{};
  bool widened = false;
};
Dtype wanted(Format operands) {
  if (is_fp8(operands)) return Dtype::kFp8;
  if (operands == Format::kInt8) return Dtype::kInt8;
  if (operands == Format::kNvfp4 || operands == Format::kMxfp4) return Dtype::kFp4;
  if (operands == Format::kFp32) return Dtype::kFp32;
  return operands == Format::kFp16 ? Dtype::kFp16 : Dtype::kBf16;
}
std::optional<Arithmetic> arithmetic(const Accelerator& a, Format operands) {
  if (const auto* rate = peak(a, wanted(operands))) return Arithmetic{.peak = rate->value};
  const auto* sixteen = peak(a, a.native.bf16 ? Dtype::kBf16 : Dtype::kFp16);
  if (sixteen == nullptr || operands == Format::kFp32) return std::nullopt;
  return Arithmetic{.peak = sixteen->value, .widened = bits_per_weight(operands) < 16};
}

// Tiles of the result that one unit computes, and how much of the unit's rate they reach: small tiles load operands more
// often (judgement).
struct Tile {
  double m, n, efficiency;
};
constexpr std::array kTiles = {Tile{256, 128, 1},   Tile{128, 256, 1},  Tile{128, 128, 0.97}, Tile{128, 64, 0.90},
                               Tile{64, 128, 0.90}, Tile{64, 64, 0.80}, Tile{128, 32, 0.75},  Tile{64, 32, 0.70},
                               Tile{32, 128, 0.65}, Tile{16, 128, 0.50}};

// Of the units' rate, what is left after tiles that hang over the edge and a last round that does not fill the units.
double tiling(const Accelerator& a, const MatrixProduct& p) {
  const bool known = a.compute_units.kind == "SM" || a.compute_units.kind == "CU";
  if (!known || !a.compute_units.count) return 1;
  const double units = *a.compute_units.count;
  double best = 0;
  for (const Tile& tile : kTiles) {
    const double tiles = std::ceil(p.m / tile.m) * std::ceil(p.n / tile.n) * p.groups;
    const double computed = std::ceil(tiles / units) * units * tile.m * tile.n;
    best = std::max(best, tile.efficiency * p.m * p.n * p.groups / computed);
  }
  return best;
}

// The pipeline over k fills once per tile: some hundred elements deep. Fitted to the six DeepGEMM products of 4,096 rows.
constexpr double kFillDepth = 100;

constexpr double kWidened = 0.85;  // of the 16-bit rate, while weights are widened in registers: judgement

double product_share(const Shares& s, Format operands, MatrixLibrary library, bool widened) {
  if (widened) return s.product16 * kWidened;
  if (!is_eight_bit(operands)) return s.product16;
  if (library != MatrixLibrary::kEngine) return s.product8;
  return operands == Format::kFp8Block128 ? s.engine8_block : s.engine8;
}

// Activations become 8 bit in the same call: absolute maximum, scaling, packing. Fitted to vLLM 0.14 on H100 and L40S (18
// products of 8,192 x 8,192): 10 us with one scale, 24 us with a scale per 128 (the call leaves the graph), five bytes an element.
struct Quantisation {
  double start = 0, bytes_per_element = 0;
};
Quantisation quantisation(Format operands, MatrixLibrary library, bool widened) {
  if (library != MatrixLibrary::kEngine || !is_eight_bit(operands) || widened) return {};
  return {.start = operands == Format::kFp8Block128 ? 24e-6 : 10e-6, .bytes_per_element = 5};
}

// Loads and arithmetic overlap, though not wholly: a product that needs both alike takes a quarter longer than either.
double overlapped(double a, double b) { return std::cbrt(a * a * a + b * b * b); }

}  // namespace

Flops flops(const MatrixProduct& p) { return Flops(2 * p.m * p.n * p.k * p.groups); }

// Of the data sheet, by pattern: medians of five cards (A100 40 and 80 GB, A40, H100 PCIe, V100) of te42kyfo/gpu-benches
// @1c36d50; copies of A100 (FlagPerf, nvbandwidth) and MetaX C550 lie at 0.78 to 0.85.
BytesPerSecond stream_rate(const Accelerator& a, Stream stream) {
  const BytesPerSecond sheet = a.memory_bandwidth->value;
  switch (stream) {
    case Stream::kRead:
      return sheet * 0.95;
    case Stream::kScale:
      return sheet * 0.88;
    case Stream::kTriad:
      return sheet * 0.90;
    case Stream::kCopy:
      return sheet * 0.82;
  }
  return sheet;
}

std::optional<Seconds> matrix_product_time(const Accelerator& a, const MatrixProduct& p, Format operands,
                                           MatrixLibrary library) {
  const std::optional<Arithmetic> how = arithmetic(a, operands);
  if (!how) return std::nullopt;
  const Shares& shares = shares_of(a);
  const double element = bits_per_weight(operands) / 8;
  const double in = p.groups * (p.m * p.k * (how->widened ? 2 : element) + p.n * p.k * element);
  const double out = p.groups * p.m * p.n * 2;
  const double fill = library == MatrixLibrary::kDeepGemm ? 1 + kFillDepth / p.k : 1;
  const double share = product_share(shares, operands, library, how->widened) * tiling(a, p);
  const double compute = (flops(p) / how->peak).value * fill / share;
  const Quantisation quantise = quantisation(operands, library, how->widened);
  const double quantised = p.m * p.k * p.groups * quantise.bytes_per_element;
  const double before = quantise.start + quantised / stream_rate(a, Stream::kCopy).value;
  // DeepGEMM's tiles write their result when they are done, and nothing computes meanwhile; libraries overlap it.
  const bool apart = library == MatrixLibrary::kDeepGemm;
  const double moved = (apart ? in : in + out) / (a.memory_bandwidth->value.value * shares.weights);
  const double after = apart ? out / stream_rate(a, Stream::kScale).value : 0;
  return Seconds(start_of(a) + before + overlapped(compute, moved) + after);
}

namespace {

// Attention reads from the second cache when a benchmark repeats on keys that stay there: 3 TB/s on an L40S of 142 units.
constexpr double kCachedPerUnit = 20e9;
constexpr double kCachedShare = 0.8;  // of its size

double cache_read_time(const Accelerator& a, double bytes, double share) {
  double rate = a.memory_bandwidth->value.value * share;
  if (a.l2_cache && bytes < kCachedShare * a.l2_cache->value.value && a.compute_units.count) {
    rate = std::max(rate, kCachedPerUnit * *a.compute_units.count);
  }
  return bytes / rate;
}

// Fitted to vLLM 0.14 on H100 and L40S (16-bit cache: eight shapes; fp8 on H100: four).
constexpr double kAttentionStart = 13e-6, kFp8Start = 3e-6;
constexpr double kFp8PerUnit = 20e9;  // elements that a unit widens in a second: 2.6 TB/s on an H100 of 3.35

}  // namespace

Seconds attention_time(const Accelerator& a, const GroupedAttention& g) {
  const double elements = g.sequences * g.context * 2 * g.kv_heads * g.head_dim;
  const double share = shares_of(a).cache;
  if (!g.fp8_cache) return Seconds(kAttentionStart + cache_read_time(a, 2 * elements, share));
  const double widening = a.compute_units.count ? elements / (kFp8PerUnit * *a.compute_units.count) : 0;
  return Seconds(kAttentionStart + kFp8Start + std::max(cache_read_time(a, elements, share), widening));
}

namespace {

// 16 shapes of SGLang 0.5.9 on H200; above 64 heads the arithmetic decides: 608 to 630 TFLOPS on Hopper.
constexpr double kLatentStart = 19e-6;
// The widening of an fp8 cache reads 1 and writes 2 bytes an element at a fifth of memory bandwidth, plus two kernels' start.
constexpr double kWideningStart = 7e-6, kWideningShare = 0.22;
// No kernel for it: 515 GB/s of 2,039 on A100 (aiconfigurator, TensorRT-LLM).
constexpr double kLatentShareAmpere = 0.26;

}  // namespace

std::optional<FlopsPerSecond> best_rate(const Accelerator& a, AttentionKernel kernel) {
  const Fact<FlopsPerSecond>* sheet = peak(a, a.native.bf16 ? Dtype::kBf16 : Dtype::kFp16);
  if (sheet == nullptr) return std::nullopt;
  // deepseek-ai/FlashMLA's README, "up to" on H800: 660, 410, 640 of 989 TFLOPS; prefill 1,460 of 2,250 on B200.
  switch (kernel) {
    case AttentionKernel::kPrefill:
    case AttentionKernel::kSparsePrefill:
      return sheet->value * 0.65;
    case AttentionKernel::kLatentDecode:
      return sheet->value * 0.66;
    case AttentionKernel::kSparseDecode:
      return sheet->value * 0.41;
  }
  return std::nullopt;
}

std::optional<Seconds> attention_time(const Accelerator& a, const LatentAttention& l) {
  const std::optional<FlopsPerSecond> best = best_rate(a, AttentionKernel::kLatentDecode);
  if (!best) return std::nullopt;
  constexpr double kOfBest = 0.93;  // 608 to 630 TFLOPS in tables, 660 at best
  const double tokens = l.sequences * l.context;
  const bool ampere = starts_with(a.architecture, "Ampere");
  const double moved = cache_read_time(a, tokens * l.latent * 2, ampere ? kLatentShareAmpere : shares_of(a).cache);
  const double compute = 2 * tokens * l.heads * (2 * l.latent - l.rope) / (best->value * kOfBest);
  const double widening =
      l.converts_cache ? kWideningStart + tokens * l.latent * 3 / (a.memory_bandwidth->value.value * kWideningShare)
                       : 0;
  return Seconds(kLatentStart + widening + std::max(compute, moved));
}

}  // namespace fathom
