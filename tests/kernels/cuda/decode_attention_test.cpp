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

// Against rope_heads() and then attention: to the bit, pages too.
void check_turning(const GqaCase& c, int dims, bool interleaved, bool normed) {
  Random random;
  SCOPED_TRACE("heads " + std::to_string(c.heads) + "/" + std::to_string(c.kv_heads) + " dim " + std::to_string(c.dim) +
               " turned " + std::to_string(dims) + (interleaved ? " interleaved" : "") + (normed ? " normed" : "") +
               " first length " + std::to_string(c.lengths.front()) + " seed " + std::to_string(random.seed()));
  const int sequences = static_cast<int>(c.lengths.size()), d = c.dim, width = (c.heads + 2 * c.kv_heads) * d;
  Paged paged(c.lengths, 2 * c.kv_heads * 64 * d, random);
  for (int s = 0; s < sequences; ++s) {
    for (int token = 0; token + 1 < c.lengths[s]; ++token) {
      for (int head = 0; head < 2 * c.kv_heads; ++head) {
        for (int i = 0; i < d; ++i) paged.page_of(s, token)[(head * 64 + token % 64) * d + i] = random.bf16();
      }
    }
  }
  std::vector<std::uint16_t> qkv(sequences * width);
  for (std::uint16_t& v : qkv) v = random.bf16();
  std::vector<std::int32_t> position, sequence;
  for (int s = 0; s < sequences; ++s) position.push_back(c.lengths[s] - 1), sequence.push_back(s);
  std::vector<double> frequencies;
  for (int i = 0; i < dims / 2; ++i) frequencies.push_back(std::pow(1e4, -2.0 * i / dims));
  std::vector<float> norm(d);
  for (float& n : norm) n = random.normal();

  const OnDevice<std::uint16_t> from(qkv), q(sequences * c.heads * d), pages(paged.pages), own_pages(paged.pages);
  const OnDevice<std::uint16_t> out(q.values().size()), own_out(q.values().size());
  const OnDevice<std::int32_t> table(paged.table), lengths(c.lengths), positions(position), lines(sequence);
  const OnDevice<double> turning(frequencies);
  const OnDevice<float> angles(sequences * dims), norms(norm);
  const RopeRows rows{.rows = sequences,
                      .position = positions.data(),
                      .sequence = lines.data(),
                      .table = table.data(),
                      .table_stride = paged.table_stride,
                      .dims = dims,
                      .interleaved = interleaved,
                      .frequencies = turning.data(),
                      .angles = angles.data()};
  rope_angles({}, rows);
  RopeHeads rope{.rows = rows,
                 .heads = c.heads,
                 .kv_heads = c.kv_heads,
                 .head_dim = d,
                 .q = from.data(),
                 .k = from.data() + c.heads * d,
                 .v = from.data() + (c.heads + c.kv_heads) * d,
                 .q_stride = width,
                 .k_stride = width,
                 .v_stride = width,
                 .q_norm = normed ? norms.data() : nullptr,
                 .k_norm = normed ? norms.data() : nullptr,
                 .epsilon = 1e-5f,
                 .q_out = q.data(),
                 .pages = pages.data(),
                 .page_stride = paged.page_values};
  rope_heads({}, rope);
  DecodeAttention op{.sequences = sequences,
                     .heads = c.heads,
                     .kv_heads = c.kv_heads,
                     .head_dim = d,
                     .scale = 1 / std::sqrt(static_cast<float>(d)),
                     .window = c.window,
                     .q = q.data(),
                     .pages = pages.data(),
                     .page_stride = paged.page_values,
                     .table = table.data(),
                     .table_stride = paged.table_stride,
                     .lengths = lengths.data()};
  OnDevice<std::uint8_t> data(attention_workspace_bytes(op, device_traits()));
  const Workspace workspace{data.data(), data.bytes(), nullptr, 0};
  for (bool plain : {false, true}) {
    for (int longest : {0, 1}) {
      SCOPED_TRACE((plain ? "plain, longest " : "tensor cores, longest ") + std::to_string(longest));
      op.plain = plain, op.longest = longest;
      op.rope = {}, op.pages = pages.data(), op.out = out.data();
      decode_attention({}, op, workspace);
      op.rope = rope, op.rope.pages = own_pages.data(), op.pages = own_pages.data(), op.out = own_out.data();
      ok(cudaMemcpy(own_pages.data(), paged.pages.data(), own_pages.bytes(), cudaMemcpyHostToDevice));
      decode_attention({.overlap = longest == 1}, op, workspace);
      ASSERT_EQ(own_out.values(), out.values());
      ASSERT_EQ(own_pages.values(), pages.values());
    }
  }
}

TEST(CudaDecodeAttention, TurnsItsHeadsAsTheyWouldBeBefore) {
  for (bool normed : {false, true}) {
    for (bool interleaved : {false, true}) check_turning({{1, 17, 64, 65, 200}, 32, 8, 128}, 128, interleaved, normed);
  }
  check_turning({{4097, 1, 700}, 40, 8, 128}, 64, false, false);  // as many splits as the longest asks for
  check_turning({{300, 16, 48}, 14, 2, 64}, 64, false, true);
  check_turning({{129, 90}, 32, 1, 128}, 128, false, false);  // two tiles of heads
  check_turning({{1000, 100, 30}, 8, 2, 128, 1, 90}, 128, false, false);
}

TEST(CudaDecodeAttention, TurnsOneNewRowOfEachSequence) {
  DecodeAttention op{
      .sequences = 2, .rows = 2, .heads = 4, .kv_heads = 1, .head_dim = 128, .rope = {.rows = {.rows = 4}}};
  EXPECT_THROW(decode_attention({}, op, {}), CudaError);
  op.rows = 1;
  EXPECT_THROW(decode_attention({}, op, {}), CudaError);
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
