// Flash decoding against attention in double over the same pages, one row at a time.
#include "cuda/decode_attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "attention_reference.h"
#include "on_device.h"

namespace fathom::cuda {
namespace {

template <class Op>
void run_thrice(const Op& op, const OnDevice<std::uint16_t>& out, std::vector<std::uint16_t>& values,
                void (*kernel)(const Launch&, const Op&, const Workspace&)) {
  OnDevice<std::uint8_t> data(attention_workspace_bytes(op, device_traits()));
  for (int run = 0; run < 3; ++run) {
    out.poison();
    kernel({.overlap = run == 2}, op, {data.data(), data.bytes(), nullptr, 0});
    const std::vector<std::uint16_t> now = out.values();
    if (run == 0) values = now;
    ASSERT_EQ(now, values) << "run " << run << " differs";
  }
}

struct GqaCase {
  std::vector<int> lengths;
  int heads, kv_heads, dim, rows = 1, window = 0;
};

void check(const GqaCase& c) {
  Random random;
  SCOPED_TRACE("heads " + std::to_string(c.heads) + "/" + std::to_string(c.kv_heads) + " dim " + std::to_string(c.dim) +
               " rows " + std::to_string(c.rows) + " window " + std::to_string(c.window) + " first length " +
               std::to_string(c.lengths.front()) + " seed " + std::to_string(random.seed()));
  const int sequences = static_cast<int>(c.lengths.size()), d = c.dim, group = c.heads / c.kv_heads;
  Paged paged(c.lengths, 2 * c.kv_heads * 64 * d, random);
  std::vector<std::uint16_t> q(sequences * c.rows * c.heads * d);
  for (std::uint16_t& v : q) v = random.bf16();
  const float scale = 1 / std::sqrt(static_cast<float>(d));
  std::vector<float> expected(q.size()), wide = widened(q);
  for (int s = 0; s < sequences; ++s) {
    for (int h = 0; h < c.kv_heads; ++h) {
      std::vector<double> keys, values;
      for (int token = 0; token < c.lengths[s]; ++token) {
        for (int i = 0; i < 2 * d; ++i) {
          const std::uint16_t code = random.bf16();
          paged.page_of(s, token)[((i / d * c.kv_heads + h) * 64 + token % 64) * d + i % d] = code;
          (i < d ? keys : values).push_back(host::from_bf16(code));
        }
      }
      for (int r = 0; r < c.rows; ++r) {
        const int last = c.lengths[s] - (c.rows - 1 - r), first = c.window > 0 ? std::max(0, last - c.window) : 0;
        for (int g = 0; g < group; ++g) {
          const std::int64_t at = ((s * c.rows + r) * c.heads + h * group + g) * d;
          const std::vector<float> out = reference(wide.data() + at, d, keys, values, d, first, last, scale);
          std::copy(out.begin(), out.end(), expected.begin() + at);
        }
      }
    }
  }
  const OnDevice<std::uint16_t> q_device(q), pages(paged.pages), out(q.size());
  const OnDevice<std::int32_t> table(paged.table), lengths(c.lengths);
  std::vector<std::uint16_t> values;
  DecodeAttention op{.sequences = sequences,
                     .rows = c.rows,
                     .heads = c.heads,
                     .kv_heads = c.kv_heads,
                     .head_dim = d,
                     .scale = scale,
                     .window = c.window,
                     .q = q_device.data(),
                     .pages = pages.data(),
                     .page_stride = paged.page_values,
                     .table = table.data(),
                     .table_stride = paged.table_stride,
                     .lengths = lengths.data(),
                     .out = out.data()};
  for (bool plain : {false, true}) {
    for (int longest : {0, *std::max_element(c.lengths.begin(), c.lengths.end()), 1}) {
      op.plain = plain;
      op.longest = longest;
      run_thrice<DecodeAttention>(op, out, values, decode_attention);
      SCOPED_TRACE((plain ? "plain, longest " : "tensor cores, longest ") + std::to_string(longest));
      expect_close(widened(values), expected);
    }
  }
}

TEST(CudaDecodeAttention, EqualsAttentionInDouble) {
  check({{1}, 4, 1, 128});
  check({{200}, 32, 8, 128});
  check({{1, 64, 65, 130, 1000}, 40, 8, 128});
  check({{4097}, 8, 2, 128});
  check({{300, 17}, 14, 2, 64});
  check({{129, 90}, 4, 4, 64});
}

TEST(CudaDecodeAttention, DraftedRowsSeeOnlyWhatPrecedesThem) {
  check({{66, 3, 500}, 16, 2, 128, 3});
  check({{70}, 32, 1, 128, 2});
}

TEST(CudaDecodeAttention, AWindowHidesWhatIsOlder) {
  check({{1000, 100, 30}, 8, 2, 128, 1, 90});
  check({{1000}, 8, 2, 128, 2, 64});
}

void check_latent(const std::vector<int>& all, int heads, int rows) {
  Random random;
  SCOPED_TRACE("heads " + std::to_string(heads) + " rows " + std::to_string(rows) + " first length " +
               std::to_string(all.front()) + " seed " + std::to_string(random.seed()));
  constexpr int kKey = 576, kValue = 512;
  const int sequences = static_cast<int>(all.size());
  Paged paged(all, 64 * kKey, random);
  std::vector<std::uint16_t> q(sequences * rows * heads * kKey);
  for (std::uint16_t& v : q) v = random.bf16();
  const float scale = 1 / std::sqrt(192.0f);
  std::vector<float> expected(sequences * rows * heads * kValue), wide = widened(q);
  for (int s = 0; s < sequences; ++s) {
    std::vector<double> keys, values;
    for (int token = 0; token < all[s]; ++token) {
      for (int i = 0; i < kKey; ++i) {
        const std::uint16_t code = random.bf16();
        paged.page_of(s, token)[token % 64 * kKey + i] = code;
        keys.push_back(host::from_bf16(code));
        if (i < kValue) values.push_back(keys.back());
      }
    }
    for (int r = 0; r < rows; ++r) {
      for (int h = 0; h < heads; ++h) {
        const std::int64_t row = (s * rows + r) * heads + h;
        const std::vector<float> out =
            reference(wide.data() + row * kKey, kKey, keys, values, kValue, 0, all[s] - (rows - 1 - r), scale);
        std::copy(out.begin(), out.end(), expected.begin() + row * kValue);
      }
    }
  }
  const OnDevice<std::uint16_t> q_device(q), pages(paged.pages), out(expected.size());
  const OnDevice<std::int32_t> table(paged.table), lengths(all);
  std::vector<std::uint16_t> values;
  LatentAttention op{.sequences = sequences,
                     .rows = rows,
                     .heads = heads,
                     .scale = scale,
                     .q = q_device.data(),
                     .pages = pages.data(),
                     .page_stride = paged.page_values,
                     .table = table.data(),
                     .table_stride = paged.table_stride,
                     .lengths = lengths.data(),
                     .out = out.data()};
  for (bool plain : {false, true}) {
    for (int longest : {0, *std::max_element(all.begin(), all.end()), 1}) {
      op.plain = plain;
      op.longest = longest;
      run_thrice<LatentAttention>(op, out, values, latent_attention);
      SCOPED_TRACE((plain ? "plain, longest " : "tensor cores, longest ") + std::to_string(longest));
      expect_close(widened(values), expected);
    }
  }
}

TEST(CudaLatentAttention, EqualsAttentionInDouble) {
  check_latent({1}, 16, 1);
  check_latent({64, 65, 700}, 16, 1);
  check_latent({130, 2}, 5, 1);
  check_latent({333, 64}, 32, 1);
  check_latent({190, 77}, 128, 1);
  check_latent({70, 128}, 16, 2);
}

TEST(CudaLatentAttention, GivesABlockMoreRowsWhereThereAreManySequences) {
  check_latent(std::vector<int>(20, 67), 128, 1);
  check_latent(std::vector<int>(36, 3), 128, 1);
}

}  // namespace
}  // namespace fathom::cuda
