// Attention of one new row per sequence. `bounded` lines say how long the longest context is, as the engine does.
#include <algorithm>
#include <string>

#include "cuda/decode_attention.h"
#include "families.h"
#include "rotation.h"

namespace fathom::cuda {
namespace {

constexpr int kLatent = 512, kTurned = 64, kFewestLaunches = 20;

std::string shape_of(const char* name, int sequences, int length) {
  return std::string(name) + " B" + std::to_string(sequences) + " ctx " + std::to_string(length);
}

// `op` with all but what depends on the launch.
template <class Op>
void time(Bench& bench, Line line, const RotatingPages& pages, int length, Op op,
          void (*kernel)(const Launch&, const Op&, const Workspace&)) {
  op.q = bench.activations();
  op.pages = reinterpret_cast<const std::uint16_t*>(bench.pool());
  op.table_stride = pages.stride;
  op.lengths = pages.lengths.as<std::int32_t>();
  op.out = bench.activations() + (1 << 26);
  for (int longest : {0, length}) {
    op.longest = longest;
    line.variant = longest > 0 ? "bounded" : "";
    for (bool overlap : {false, true}) {
      bench.time(
          line, std::max(pages.launches, kFewestLaunches),
          [&](const Launch& how, int i) {
            op.table = pages.table(i);
            kernel(how, op, bench.workspace());
          },
          overlap);
    }
  }
}

void grouped_queries(Bench& bench, const char* name, int heads, int kv_heads, int sequences, int length) {
  const std::int64_t page = 2 * kv_heads * kPageTokens * 128;
  Line line{.kernel = "decode", .format = "bf16", .shape = shape_of(name, sequences, length)};
  line.bytes = 4.0 * sequences * length * kv_heads * 128;
  time<DecodeAttention>(bench, line, RotatingPages(sequences, length, 2 * page), length,
                        {.sequences = sequences,
                         .heads = heads,
                         .kv_heads = kv_heads,
                         .head_dim = 128,
                         .scale = 0.0884f,
                         .page_stride = page},
                        decode_attention);
}

void latents(Bench& bench, const char* name, int heads, int sequences, int length) {
  const std::int64_t page = kPageTokens * (kLatent + kTurned);
  Line line{.kernel = "latent", .format = "bf16", .shape = shape_of(name, sequences, length)};
  line.bytes = 2.0 * (kLatent + kTurned) * sequences * length;
  line.flops = 2.0 * (kLatent + kTurned + kLatent) * heads * sequences * length;
  time<LatentAttention>(bench, line, RotatingPages(sequences, length, 2 * page), length,
                        {.sequences = sequences, .heads = heads, .scale = 0.0722f, .page_stride = page},
                        latent_attention);
}

}  // namespace

void decode_attentions(Bench& bench) {
  bench.fill(WeightFormat::kBf16);
  grouped_queries(bench, "llama-8b 32/8", 32, 8, 1, 128);
  grouped_queries(bench, "llama-8b 32/8", 32, 8, 1, 4096);
  grouped_queries(bench, "llama-8b 32/8", 32, 8, 1, 32768);
  grouped_queries(bench, "llama-8b 32/8", 32, 8, 8, 2048);
  grouped_queries(bench, "llama-8b 32/8", 32, 8, 64, 2048);
  grouped_queries(bench, "qwen-32b 40/8", 40, 8, 1, 4096);
  grouped_queries(bench, "qwen-32b 40/8", 40, 8, 32, 4096);
  latents(bench, "v2-lite 16", 16, 1, 128);
  latents(bench, "v2-lite 16", 16, 1, 4096);
  latents(bench, "v2-lite 16", 16, 8, 2048);
  latents(bench, "v2-lite 16", 16, 64, 2048);
  latents(bench, "v2-lite 16", 16, 32, 4096);
  latents(bench, "r1 32", 32, 1, 4096);
  latents(bench, "r1 32", 32, 32, 4096);
  latents(bench, "r1 128", 128, 1, 4096);
  latents(bench, "r1 128", 128, 32, 4096);
}

}  // namespace fathom::cuda
