// Attention of a prompt, or of its last chunk. Flops are of the pairs that the mask leaves.
#include <algorithm>
#include <string>

#include "cuda/prefill_attention.h"
#include "families.h"
#include "rotation.h"

namespace fathom::cuda {
namespace {

constexpr int kMostLaunches = 20;

// The last `rows` tokens of `context`.
struct Chunk {
  int rows, context;
  int cached() const { return context - rows; }
  double causal_pairs() const { return 1.0 * rows * cached() + 0.5 * rows * (rows + 1.0); }
};

// The longest contexts first, as the engine cuts them.
std::vector<PrefillTile> tiles_of(const Chunk& c) {
  std::vector<PrefillTile> tiles;
  for (int first = 0; first < c.rows; first += kPrefillRows) {
    tiles.push_back(
        {.first_row = first, .rows = std::min(kPrefillRows, c.rows - first), .position = c.cached() + first});
  }
  std::reverse(tiles.begin(), tiles.end());
  return tiles;
}

Line line_of(const char* name, const Chunk& c, int heads, int key, int value) {
  Line line{.kernel = "prefill", .format = "bf16"};
  line.shape = std::string(name) + " T" + std::to_string(c.rows) + " ctx " + std::to_string(c.context);
  line.bytes = 2.0 * c.rows * heads * (key + value);  // queries and what comes out
  line.flops = 2.0 * heads * (key + value) * c.causal_pairs();
  return line;
}

void grouped_queries(Bench& bench, const char* name, int heads, int kv_heads, const Chunk& c) {
  constexpr int kDim = 128;
  const std::int64_t page = 2 * kv_heads * kPageTokens * kDim;
  Line line = line_of(name, c, heads, kDim, kDim);
  line.bytes += 4.0 * c.context * kv_heads * kDim;
  if (!bench.wants(line)) return;
  const std::vector<PrefillTile> tiles = tiles_of(c);
  const std::size_t bytes = std::size_t{2} * c.rows * heads * kDim;
  const Buffer tile(tiles), q(bytes), out(bytes);
  fill_bf16(q, bytes);
  const RotatingPages pages(1, c.context, 2 * page);
  bench.time(line, launches_of(line, kMostLaunches), [&](const Launch& how, int i) {
    prefill_attention(how, {.tiles = static_cast<int>(tiles.size()),
                            .tile = tile.as<PrefillTile>(),
                            .rows = c.rows,
                            .heads = heads,
                            .kv_heads = kv_heads,
                            .head_dim = kDim,
                            .scale = 0.0884f,
                            .q = q.as<std::uint16_t>(),
                            .pages = reinterpret_cast<const std::uint16_t*>(bench.pool()),
                            .page_stride = page,
                            .table = pages.table(i),
                            .table_stride = pages.stride,
                            .out = out.as<std::uint16_t>()});
  });
}

// Keys and values stay in the cache where they fit: in the engine they have just been made.
void expanded(Bench& bench, const char* name, int heads, const Chunk& c) {
  constexpr int kKey = 192, kOwn = 128, kValue = 128, kCached = 576;
  Line line = line_of(name, c, heads, kKey, kValue);
  line.bytes += 2.0 * c.context * (heads * (kOwn + kValue) + kKey - kOwn);
  if (!bench.wants(line)) return;
  const std::vector<PrefillTile> tiles = tiles_of(c);
  const std::size_t q_bytes = std::size_t{2} * c.rows * heads * kKey;
  const Buffer tile(tiles), first_expanded(std::vector<std::int32_t>{0}), q(q_bytes),
      out(std::size_t{2} * c.rows * heads * kValue);
  fill_bf16(q, q_bytes);
  bench.time(line, launches_of(line, kMostLaunches), [&](const Launch& how, int) {
    expanded_attention(how, {.tiles = static_cast<int>(tiles.size()),
                             .tile = tile.as<PrefillTile>(),
                             .rows = c.rows,
                             .tokens = c.context,
                             .heads = heads,
                             .scale = 0.0722f,
                             .q = q.as<std::uint16_t>(),
                             .expanded = reinterpret_cast<const std::uint16_t*>(bench.pool()),
                             .rotary = bench.activations(),
                             .rotary_stride = kCached,
                             .first_expanded = first_expanded.as<std::int32_t>(),
                             .out = out.as<std::uint16_t>()});
  });
}

}  // namespace

void prefill_attentions(Bench& bench) {
  bench.fill(WeightFormat::kBf16);
  for (int tokens : {2048, 4096, 8192, 16384}) grouped_queries(bench, "llama-8b 32/8", 32, 8, {tokens, tokens});
  grouped_queries(bench, "llama-8b 32/8", 32, 8, {2048, 16384});
  for (int tokens : {2048, 8192}) {
    expanded(bench, "v2-lite 16", 16, {tokens, tokens});
    expanded(bench, "r1 128", 128, {tokens, tokens});
  }
}

}  // namespace fathom::cuda
