#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include "cuda/gemm_proposals.h"
#include "cuda/large_linear.h"
#include "families.h"
#include "rotation.h"

namespace fathom::cuda {
namespace {

constexpr int kShortReplays = 5, kFinalists = 4;

struct Product {
  const char* name;
  std::int64_t rows, cols;
  int tokens;
};

std::vector<Product> products_of(WeightFormat format) {
  std::vector<Product> products;
  const bool all = format == WeightFormat::kBf16;  // others differ by the widening only
  for (int tokens : {2, 8, 16, 32, 64, 128, 256, 1024, 2048, 4096, 8192}) {
    if (!all && (tokens < 32 || (tokens > 128 && tokens != 2048 && tokens != 8192))) continue;
    products.push_back({"llama-8b qkv", 6144, 4096, tokens});
    products.push_back({"llama-8b out", 4096, 4096, tokens});
    products.push_back({"llama-8b up", 14336, 4096, tokens});
    products.push_back({"llama-8b down", 4096, 14336, tokens});
    if (all) products.push_back({"llama-8b head", 128256, 4096, tokens});
    if (!all && tokens <= 128) {
      products.push_back({"qwen-32b qkv", 7168, 5120, tokens});
      products.push_back({"qwen-32b out", 5120, 5120, tokens});
      products.push_back({"qwen-32b up", 27648, 5120, tokens});
      products.push_back({"qwen-32b down", 5120, 27648, tokens});
    }
  }
  return products;
}

Line line_of(const Product& p, WeightFormat format, std::size_t weight_bytes) {
  Line line{.kernel = "large", .format = name_of(format)};
  line.shape = std::string(p.name) + " " + std::to_string(p.rows) + "x" + std::to_string(p.cols) + " T" +
               std::to_string(p.tokens);
  line.bytes = static_cast<double>(weight_bytes) + 2.0 * p.tokens * (p.rows + p.cols);
  line.flops = 2.0 * p.tokens * p.rows * p.cols;
  return line;
}

// Numbers of the fastest proposals by a short measurement.
template <class Measured>
std::vector<int> fastest(int proposals, const Measured& measured) {
  std::vector<std::pair<double, int>> ranking;
  for (int n = 0; n < proposals; ++n) ranking.emplace_back(measured(n), n);
  std::sort(ranking.begin(), ranking.end());
  std::vector<int> numbers;
  for (const auto& [us, n] : ranking) numbers.push_back(n);
  numbers.resize(std::min<std::size_t>(numbers.size(), kFinalists));
  return numbers;
}

struct Rivals {
  Line first, best;  // of cuBLASLt's proposals
  explicit Rivals(const Line& line) : first(line), best(line) {
    first.variant = "cublaslt first";
    best.variant = "cublaslt best";
  }
};

// `own`, then its rivals, measured as it is and right after it: on a device as warm. What `own` loses to the first, it loses
// by what LargeLinear asks for; what the first loses to the best, by not measuring.
void time_beside(Bench& bench, Rivals lines, const Product& p, const RotatingWeights& weights, void* y, int launches,
                 const std::function<void()>& own) {
  const GemmProposals proposals(NumberType::kBf16, p.rows, p.cols, p.tokens, bench.workspace().data,
                                LargeLinear::kWorkspaceBytes);
  if (proposals.count() == 0) throw std::runtime_error("cuBLASLt has no algorithm for a product");
  const auto measured = [&](int proposal, int count, int replays) {
    return bench.measure(
        count,
        [&](const Launch& how, int i) {
          proposals.run(proposal, weights.w[i % weights.w.size()].codes, bench.activations(), y, how.stream);
        },
        false, replays);
  };
  const std::vector<int> finalists =
      fastest(proposals.count(), [&](int n) { return measured(n, (launches + 3) / 4, kShortReplays); });
  own();
  lines.first.us = lines.best.us = measured(0, launches, Bench::kReplays);
  for (int n : finalists) lines.best.us = std::min(lines.best.us, measured(n, launches, Bench::kReplays));
  bench.report(lines.first);
  bench.report(lines.best);
}

void time_product(Bench& bench, const Product& p, WeightFormat format) {
  const RotatingWeights weights(bench, format, p.rows, p.cols, false);
  const Line line = line_of(p, format, weights.bytes);
  const Rivals rivals(line);
  const bool compared = format == WeightFormat::kBf16 && (p.tokens == 2048 || p.tokens == 8192) &&
                        (bench.wants(rivals.first) || bench.wants(rivals.best));
  if (!compared && !bench.wants(line)) return;
  const std::size_t widened = format == WeightFormat::kBf16 ? 0 : std::size_t{2} * p.rows * p.cols;
  const Buffer y(std::size_t{2} * p.tokens * p.rows), scratch(widened);
  LargeLinear large({bench.workspace().data, scratch.as<std::uint16_t>(), widened});
  const int launches = launches_of(line, weights.launches);
  const auto own = [&] {
    bench.time(line, launches, [&](const Launch& how, int i) {
      large(how, {.w = weights.w[i % weights.w.size()],
                  .x = bench.activations(),
                  .x_stride = p.cols,
                  .tokens = p.tokens,
                  .y = y.as<void>(),
                  .y_stride = p.rows});
    });
  };
  compared ? time_beside(bench, rivals, p, weights, y.as<void>(), launches, own) : own();
}

}  // namespace

void large_linears(Bench& bench, WeightFormat format) {
  bench.fill(format);
  for (const Product& p : products_of(format)) time_product(bench, p, format);
}

}  // namespace fathom::cuda
