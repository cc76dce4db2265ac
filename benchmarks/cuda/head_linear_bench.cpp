// V2-Lite's products of every head with the latent space, strides as in the engine.
#include <algorithm>
#include <string>

#include "cuda/head_linear.h"
#include "families.h"

namespace fathom::cuda {
namespace {

constexpr int kHeads = 16, kLatent = 512, kOwn = 128, kTurned = 64, kMostLaunches = 200;

// Queries to latents; keys were turned to a matrix of their own.
HeadLinear absorb(int tokens) {
  return {.tokens = tokens,
          .heads = kHeads,
          .rows = kLatent,
          .cols = kOwn,
          .w_stride = kLatent * kOwn,
          .x_stride = kHeads * (kOwn + kTurned),
          .x_head_stride = kOwn + kTurned,
          .y_stride = kHeads * (kLatent + kTurned),
          .y_head_stride = kLatent + kTurned};
}

// Summed latents to values; a head's matrix comes after that of its keys.
HeadLinear expand(int tokens) {
  return {.tokens = tokens,
          .heads = kHeads,
          .rows = kOwn,
          .cols = kLatent,
          .w_stride = (kOwn + kOwn) * kLatent,
          .x_stride = kHeads * kLatent,
          .x_head_stride = kLatent,
          .y_stride = kHeads * kOwn,
          .y_head_stride = kOwn};
}

void time(Bench& bench, const char* name, HeadLinear op) {
  Line line{.kernel = "heads", .format = "bf16"};
  line.shape = "v2-lite " + std::string(name) + " 16 " + std::to_string(op.rows) + "x" + std::to_string(op.cols) +
               " T" + std::to_string(op.tokens);
  line.bytes = 2.0 * op.heads * (op.rows * op.cols + op.tokens * (op.rows + op.cols));
  line.flops = op.tokens > 1 ? 2.0 * op.tokens * op.heads * op.rows * op.cols : 0;
  const std::int64_t layer = op.heads * op.w_stride;
  const int launches = static_cast<int>(std::min<std::int64_t>(Bench::kPoolBytes / 2 / layer, kMostLaunches));
  op.x = bench.activations();
  op.y = bench.activations() + (1 << 25);
  for (bool overlap : {false, true}) {
    bench.time(
        line, launches,
        [&](const Launch& how, int i) {
          op.w = reinterpret_cast<const std::uint16_t*>(bench.pool()) + i * layer;
          head_linear(how, op);
        },
        overlap);
  }
}

}  // namespace

void head_linears(Bench& bench) {
  bench.fill(WeightFormat::kBf16);
  for (int tokens : {1, 64}) {
    time(bench, "absorb", absorb(tokens));
    time(bench, "expand", expand(tokens));
  }
}

}  // namespace fathom::cuda
