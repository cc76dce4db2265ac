// Attention of prompts against attention in double over the same pages, one row at a time.
#include "cuda/prefill_attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "attention_reference.h"
#include "on_device.h"

namespace fathom::cuda {
namespace {

constexpr PrefillKernel kKernels[] = {PrefillKernel::kNewest, PrefillKernel::kWarpProducts, PrefillKernel::kPlain};

// New rows of a sequence that has `cached` tokens before them.
struct Chunk {
  int cached, rows;
};

// Tiles in any order: here the last rows first, as a step would have them.
std::vector<PrefillTile> tiles_of(const std::vector<Chunk>& chunks) {
  std::vector<PrefillTile> tiles;
  int row = 0;
  for (std::size_t s = 0; s < chunks.size(); ++s) {
    for (int first = 0; first < chunks[s].rows; first += kPrefillRows) {
      tiles.push_back({.first_row = row + first,
                       .rows = std::min(kPrefillRows, chunks[s].rows - first),
                       .sequence = static_cast<std::int32_t>(s),
                       .position = chunks[s].cached + first});
    }
    row += chunks[s].rows;
  }
  std::reverse(tiles.begin(), tiles.end());
  return tiles;
}

int rows_of(const std::vector<Chunk>& chunks) {
  return std::accumulate(chunks.begin(), chunks.end(), 0, [](int sum, const Chunk& c) { return sum + c.rows; });
}

std::vector<int> lengths_of(const std::vector<Chunk>& chunks) {
  std::vector<int> lengths;
  for (const Chunk& c : chunks) lengths.push_back(c.cached + c.rows);
  return lengths;
}

// Three runs, the last one overlapping: the same bits each time.
template <class Op>
std::vector<float> run_thrice(Op op, const OnDevice<std::uint16_t>& out, void (*kernel)(const Launch&, const Op&)) {
  op.out = out.data();
  std::vector<std::uint16_t> values;
  for (int run = 0; run < 3; ++run) {
    out.poison();
    kernel({.overlap = run == 2}, op);
    const std::vector<std::uint16_t> now = out.values();
    if (run == 0) values = now;
    EXPECT_EQ(now, values) << "run " << run << " differs";
  }
  return widened(values);
}

void check(const std::vector<Chunk>& chunks, int heads, int kv_heads, int d, int window = 0) {
  Random random;
  SCOPED_TRACE("heads " + std::to_string(heads) + "/" + std::to_string(kv_heads) + " dim " + std::to_string(d) +
               " window " + std::to_string(window) + " seed " + std::to_string(random.seed()));
  const int group = heads / kv_heads;
  Paged paged(lengths_of(chunks), 2 * kv_heads * 64 * d, random);
  std::vector<std::uint16_t> q(static_cast<std::size_t>(rows_of(chunks)) * heads * d);
  for (std::uint16_t& v : q) v = random.bf16();
  const float scale = 1 / std::sqrt(static_cast<float>(d));
  std::vector<float> expected(q.size()), wide = widened(q);
  int first_row = 0;
  for (std::size_t s = 0; s < chunks.size(); ++s) {
    for (int h = 0; h < kv_heads; ++h) {
      std::vector<double> keys, values;
      for (int token = 0; token < paged.lengths[s]; ++token) {
        for (int i = 0; i < 2 * d; ++i) {
          const std::uint16_t code = random.bf16();
          paged.page_of(s, token)[((i / d * kv_heads + h) * 64 + token % 64) * d + i % d] = code;
          (i < d ? keys : values).push_back(host::from_bf16(code));
        }
      }
      for (int r = 0; r < chunks[s].rows; ++r) {
        const int last = chunks[s].cached + r + 1, first = window > 0 ? std::max(0, last - window) : 0;
        for (int g = 0; g < group; ++g) {
          const std::int64_t at = (static_cast<std::int64_t>(first_row + r) * heads + h * group + g) * d;
          const std::vector<float> out = reference(wide.data() + at, d, keys, values, d, first, last, scale);
          std::copy(out.begin(), out.end(), expected.begin() + at);
        }
      }
    }
    first_row += chunks[s].rows;
  }
  const std::vector<PrefillTile> tiles = tiles_of(chunks);
  const OnDevice<PrefillTile> tile(tiles);
  const OnDevice<std::uint16_t> q_device(q), pages(paged.pages), out(q.size());
  const OnDevice<std::int32_t> table(paged.table);
  PrefillAttention op{.tiles = static_cast<int>(tiles.size()),
                      .tile = tile.data(),
                      .rows = rows_of(chunks),
                      .heads = heads,
                      .kv_heads = kv_heads,
                      .head_dim = d,
                      .scale = scale,
                      .window = window,
                      .q = q_device.data(),
                      .pages = pages.data(),
                      .page_stride = paged.page_values,
                      .table = table.data(),
                      .table_stride = paged.table_stride};
  for (PrefillKernel kernel : kKernels) {
    op.kernel = kernel;
    SCOPED_TRACE("kernel " + std::to_string(static_cast<int>(kernel)));
    expect_close(run_thrice<PrefillAttention>(op, out, prefill_attention), expected);
  }
}

TEST(CudaPrefillAttention, EqualsAttentionInDouble) {
  check({{0, 1}}, 4, 1, 128);
  check({{0, 128}}, 4, 2, 128);
  check({{0, 65}, {0, 300}, {0, 2}}, 8, 2, 128);
  check({{0, 200}}, 14, 2, 64);
}

TEST(CudaPrefillAttention, AChunkSeesWhatWasCachedBefore) {
  check({{64, 64}}, 4, 2, 128);
  check({{1000, 130}, {63, 1}, {1, 129}}, 8, 2, 128);
  check({{333, 77}}, 4, 4, 64);
}

// More items than an H200 has multiprocessors, so that blocks take several.
TEST(CudaPrefillAttention, BlocksTakeManyItems) {
  check({{0, 513}, {100, 130}, {129, 1}, {0, 127}, {640, 255}}, 20, 10, 128);
  check({{90, 400}, {0, 33}}, 32, 8, 128, 200);
}

// Keys and values of more than the second-level cache: of heads, five and then four.
TEST(CudaPrefillAttention, HeadsGoBySections) { check(std::vector<Chunk>(60, {66, 3}), 9, 9, 128); }

TEST(CudaPrefillAttention, AWindowHidesWhatIsOlder) {
  check({{0, 400}, {500, 40}}, 4, 2, 128, 90);
  check({{300, 200}}, 4, 2, 64, 64);
}

void check_expanded(const std::vector<Chunk>& chunks, int heads) {
  Random random;
  SCOPED_TRACE("heads " + std::to_string(heads) + " seed " + std::to_string(random.seed()));
  constexpr int kKey = 192, kOwn = 128, kValue = 128, kStride = 576, kBefore = 3;  // rows that nobody may read
  std::vector<std::int32_t> first_expanded;
  int tokens = kBefore, first_row = 0;
  for (const Chunk& c : chunks) first_expanded.push_back(tokens), tokens += c.cached + c.rows + kBefore;
  std::vector<std::uint16_t> expanded(static_cast<std::size_t>(tokens) * heads * (kOwn + kValue), 0xffff),
      rotary(static_cast<std::size_t>(tokens) * kStride, 0xffff);
  std::vector<std::uint16_t> q(static_cast<std::size_t>(rows_of(chunks)) * heads * kKey);
  for (std::uint16_t& v : q) v = random.bf16();
  const float scale = 1 / std::sqrt(static_cast<float>(kKey));
  std::vector<float> expected(q.size() / kKey * kValue), wide = widened(q);
  for (std::size_t s = 0; s < chunks.size(); ++s) {
    const int length = chunks[s].cached + chunks[s].rows;
    for (int token = 0; token < length; ++token) {
      for (int i = 0; i < kKey - kOwn; ++i) rotary[(first_expanded[s] + token) * kStride + i] = random.bf16();
    }
    for (int h = 0; h < heads; ++h) {
      std::vector<double> keys, values;
      for (int token = 0; token < length; ++token) {
        std::uint16_t* at =
            expanded.data() + ((first_expanded[s] + token) * static_cast<std::int64_t>(heads) + h) * 256;
        for (int i = 0; i < kOwn + kValue; ++i) {
          at[i] = random.bf16();
          (i < kOwn ? keys : values).push_back(host::from_bf16(at[i]));
        }
        for (int i = 0; i < kKey - kOwn; ++i) {
          keys.push_back(host::from_bf16(rotary[(first_expanded[s] + token) * kStride + i]));
        }
      }
      for (int r = 0; r < chunks[s].rows; ++r) {
        const std::int64_t row = static_cast<std::int64_t>(first_row + r) * heads + h;
        const std::vector<float> out =
            reference(wide.data() + row * kKey, kKey, keys, values, kValue, 0, chunks[s].cached + r + 1, scale);
        std::copy(out.begin(), out.end(), expected.begin() + row * kValue);
      }
    }
    first_row += chunks[s].rows;
  }
  const std::vector<PrefillTile> tiles = tiles_of(chunks);
  const OnDevice<PrefillTile> tile(tiles);
  const OnDevice<std::uint16_t> q_device(q), expanded_device(expanded), rotary_device(rotary), out(expected.size());
  const OnDevice<std::int32_t> first_device(first_expanded);
  ExpandedAttention op{.tiles = static_cast<int>(tiles.size()),
                       .tile = tile.data(),
                       .rows = rows_of(chunks),
                       .tokens = tokens,
                       .heads = heads,
                       .scale = scale,
                       .q = q_device.data(),
                       .expanded = expanded_device.data(),
                       .rotary = rotary_device.data(),
                       .rotary_stride = kStride,
                       .first_expanded = first_device.data()};
  for (PrefillKernel kernel : kKernels) {
    op.kernel = kernel;
    SCOPED_TRACE("kernel " + std::to_string(static_cast<int>(kernel)));
    expect_close(run_thrice<ExpandedAttention>(op, out, expanded_attention), expected);
  }
}

TEST(CudaExpandedAttention, EqualsAttentionInDouble) {
  check_expanded({{0, 1}}, 2);
  check_expanded({{0, 300}, {70, 131}}, 3);
  check_expanded({{1000, 64}}, 16);
}

TEST(CudaExpandedAttention, BlocksTakeManyItems) {
  check_expanded({{0, 513}, {100, 130}, {129, 1}, {0, 127}, {640, 255}}, 12);
}

// Seven and then six.
TEST(CudaExpandedAttention, HeadsGoBySections) { check_expanded(std::vector<Chunk>(24, {250, 30}), 13); }

}  // namespace
}  // namespace fathom::cuda
