#include <string>

#include "cuda/linear.h"
#include "families.h"
#include "rotation.h"

namespace fathom::cuda {
namespace {

struct Shape {
  const char* name;
  std::int64_t rows, cols;
  bool gated = false;  // two matrices of so many rows
};

constexpr Shape kShapes[] = {
    {"llama-8b qkv", 6144, 4096},
    {"llama-8b out", 4096, 4096},
    {"llama-8b gate,up", 14336, 4096, true},
    {"llama-8b down", 4096, 14336},
    {"llama-8b head", 128256, 4096},
    {"qwen-32b qkv", 7168, 5120},
    {"qwen-32b out", 5120, 5120},
    {"qwen-32b gate,up", 27648, 5120, true},
    {"qwen-32b down", 5120, 27648},
    {"v2-lite q", 3072, 2048},
    {"v2-lite latent", 576, 2048},
    {"v2-lite out", 2048, 2048},
    {"v2-lite shared gate,up", 2816, 2048, true},
    {"v2-lite shared down", 2048, 2816},
    {"r1/4 out", 7168, 4096},
};

const char* name_of(LinearPath path) {
  switch (path) {
    case LinearPath::kDot:
      return "dot";
    case LinearPath::kRows:
      return "rows";
    case LinearPath::kStream:
      return "stream";
    case LinearPath::kWide:
      return "wide";
    default:
      return "mma";
  }
}

bool meant_for(LinearPath path, WeightFormat format, int tokens) {
  switch (path) {
    case LinearPath::kDot:
    case LinearPath::kRows:
      return tokens == 1;
    case LinearPath::kStream:
      return tokens <= 8 || (tokens <= kMostLinearTokens && format != WeightFormat::kBf16);
    case LinearPath::kWide:
      return tokens >= 8 && format != WeightFormat::kBf16;
    default:
      return tokens <= kMostLinearTokens;
  }
}

void product(Bench& bench, const Shape& s, const RotatingWeights& weights, int tokens, LinearPath path) {
  const int matrices = s.gated ? 2 : 1;
  Line line{.kernel = "linear", .format = name_of(weights.w[0].format), .variant = name_of(path)};
  line.shape = std::string(s.name) + " " + std::to_string(s.rows * matrices) + "x" + std::to_string(s.cols) + " T" +
               std::to_string(tokens);
  line.bytes = static_cast<double>(weights.bytes) + 2.0 * tokens * (s.rows + s.cols);
  line.flops = tokens > 1 ? 2.0 * tokens * s.rows * s.cols * matrices : 0;
  const auto launch = [&](const Launch& how, int i) {
    const std::size_t n = i % weights.w.size();
    linear(how,
           {.w = weights.w[n],
            .up = weights.up[n],
            .x = bench.activations(),
            .x_stride = s.cols,
            .tokens = tokens,
            .y = bench.activations() + (1 << 25),
            .y_stride = s.rows,
            .path = path},
           bench.workspace());
  };
  bench.time(line, weights.launches, launch);
  if (tokens == 1 || tokens == 8 || path == LinearPath::kWide) bench.time(line, weights.launches, launch, true);
}

}  // namespace

void linears(Bench& bench, WeightFormat format) {
  bench.fill(format);
  for (const Shape& s : kShapes) {
    if (format == WeightFormat::kInt4G128 && s.cols % 128 != 0) continue;
    const RotatingWeights weights(bench, format, s.rows, s.cols, s.gated);
    for (int tokens : {1, 2, 4, 8, 16, 32, 64, 128}) {
      for (LinearPath path :
           {LinearPath::kDot, LinearPath::kRows, LinearPath::kStream, LinearPath::kMma, LinearPath::kWide}) {
        if (meant_for(path, format, tokens)) product(bench, s, weights, tokens, path);
      }
    }
  }
}

}  // namespace fathom::cuda
