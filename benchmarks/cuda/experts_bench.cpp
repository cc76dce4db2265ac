// V2-Lite's routed experts, 64 of 1408, six per token: tokens spread evenly; a few as in decoding, many as in prompts.
#include <algorithm>
#include <string>

#include "cuda/linear.h"
#include "families.h"
#include "rotation.h"

namespace fathom::cuda {
namespace {

constexpr int kExperts = 64, kChosen = 6, kHidden = 2048, kInner = 1408;

// What list_experts() would find.
struct Routing {
  std::vector<std::int32_t> first, used;
  int slots, likely, count = 0;  // count: experts with tokens
  explicit Routing(int tokens) : first(kExperts + 1), used(kExperts, -1) {
    const int pairs = tokens * kChosen;
    slots = std::min(kExperts, pairs);
    likely = (pairs + slots - 1) / slots;
    for (int e = 0; e < kExperts; ++e) {
      const int own = pairs * (e + 1) / kExperts - pairs * e / kExperts;
      first[e + 1] = first[e] + own;
      if (own > 0) used[count++] = e;
    }
  }
};

// Which row of x a pair reads: each of `tokens` as often as the others.
std::vector<std::int32_t> scattered(int pairs, int tokens) {
  constexpr std::int64_t kPrime = 7919;
  std::vector<std::int32_t> rows(pairs);
  for (int p = 0; p < pairs; ++p) rows[p] = static_cast<std::int32_t>(p * kPrime % tokens);
  return rows;
}

void product(Bench& bench, WeightFormat format, int tokens, bool down) {
  const std::int64_t rows = down ? kHidden : kInner, cols = down ? kInner : kHidden;
  const int pairs = tokens * kChosen;
  const bool prompt = tokens > 64;
  Line line{.kernel = "experts", .format = name_of(format)};
  line.shape = std::string(down ? "v2-lite down" : "v2-lite gate,up") + " T" + std::to_string(tokens);
  if (!bench.wants(line)) return;
  const Routing routing(tokens);
  const Buffer first(routing.first), used(routing.used), read(scattered(pairs, tokens));
  const std::size_t x_bytes = 2 * cols * (prompt && !down ? tokens : pairs);
  const Buffer x(x_bytes), y(2 * rows * pairs);
  fill_bf16(x, x_bytes);
  RotatingWeights layers(bench, format, kExperts * rows, cols, !down);
  for (Weights& w : layers.w) w.rows = rows;
  for (Weights& up : layers.up) up.rows = down ? 0 : rows;
  line.bytes = static_cast<double>(layers.bytes) * routing.count / kExperts;
  if (prompt) line.flops = 2.0 * pairs * rows * cols * (down ? 1 : 2);
  for (bool overlap : {false, true}) {
    if (prompt && overlap) continue;
    bench.time(
        line, prompt ? launches_of(line, layers.launches) : layers.launches,
        [&](const Launch& how, int i) {
          const std::size_t n = i % layers.w.size();
          grouped_linear(how, {.w = layers.w[n],
                               .up = layers.up[n],
                               .experts = kExperts,
                               .first_pair = first.as<std::int32_t>(),
                               .used = used.as<std::int32_t>(),
                               .slots = routing.slots,
                               .likely_pairs = routing.likely,
                               .x = x.as<std::uint16_t>(),
                               .x_stride = cols,
                               .x_rows = prompt && !down ? read.as<std::int32_t>() : nullptr,
                               .y = y.as<std::uint16_t>(),
                               .y_stride = rows});
        },
        overlap);
  }
}

}  // namespace

void experts(Bench& bench, WeightFormat format) {
  bench.fill(format);
  for (int tokens : {1, 8, 64, 171, 342, 683, 1365, 4096, 10923}) {
    for (bool down : {false, true}) product(bench, format, tokens, down);
  }
}

}  // namespace fathom::cuda
