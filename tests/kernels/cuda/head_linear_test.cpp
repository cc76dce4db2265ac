// Products of heads, and latents gathered from pages, against plain loops.
#include "cuda/head_linear.h"

#include <gtest/gtest.h>

#include <numeric>

#include "cuda/decode_attention.h"
#include "cuda/gather_latents.h"
#include "on_device.h"

namespace fathom::cuda {
namespace {

struct Shape {
  int tokens, heads, rows, cols;
};

void check_product(const Shape& s) {
  Random random;
  SCOPED_TRACE(std::to_string(s.tokens) + " tokens " + std::to_string(s.heads) + " heads " + std::to_string(s.rows) +
               "x" + std::to_string(s.cols) + " seed " + std::to_string(random.seed()));
  // Heads lie in wider ones, and what lies between is NaN.
  const std::int64_t w_stride = static_cast<std::int64_t>(s.rows) * s.cols + 64;
  const std::int64_t x_head = s.cols + 8, x_stride = s.heads * x_head + 16;
  const std::int64_t y_head = s.rows + 64, y_stride = s.heads * y_head;
  std::vector<std::uint16_t> w(s.heads * w_stride, 0xffff), x(s.tokens * x_stride, 0xffff);
  std::vector<float> expected;
  for (int h = 0; h < s.heads; ++h) {
    for (int i = 0; i < s.rows * s.cols; ++i) w[h * w_stride + i] = random.bf16();
    for (int t = 0; t < s.tokens; ++t) {
      for (int i = 0; i < s.cols; ++i) x[t * x_stride + h * x_head + i] = random.bf16();
    }
  }
  for (int t = 0; t < s.tokens; ++t) {
    for (int h = 0; h < s.heads; ++h) {
      for (int r = 0; r < s.rows; ++r) {
        double sum = 0;
        for (int i = 0; i < s.cols; ++i) {
          sum += static_cast<double>(host::from_bf16(w[h * w_stride + r * s.cols + i])) *
                 host::from_bf16(x[t * x_stride + h * x_head + i]);
        }
        expected.push_back(static_cast<float>(sum));
      }
    }
  }
  const OnDevice<std::uint16_t> w_device(w), x_device(x);
  const OnDevice<std::uint16_t> y(s.tokens * y_stride);
  head_linear({}, {.tokens = s.tokens,
                   .heads = s.heads,
                   .rows = s.rows,
                   .cols = s.cols,
                   .w = w_device.data(),
                   .w_stride = w_stride,
                   .x = x_device.data(),
                   .x_stride = x_stride,
                   .x_head_stride = x_head,
                   .y = y.data(),
                   .y_stride = y_stride,
                   .y_head_stride = y_head});
  std::vector<float> actual;
  const std::vector<std::uint16_t> all = y.values();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (static_cast<std::int64_t>(i) % y_head < s.rows) {
      actual.push_back(host::from_bf16(all[i]));
    } else {
      ASSERT_EQ(all[i], 0xffff) << "padding was written";
    }
  }
  EXPECT_LT(distance(actual, expected), 5e-3);
}

TEST(CudaHeadLinear, EqualsPlainLoops) {
  if (device_traits().compute < 80) GTEST_SKIP() << "waived: no tensor cores for bf16";
  for (int tokens : {1, 2, 7, 8, 9, 31, 33, 64}) {
    check_product({tokens, 3, 512, 128});
    check_product({tokens, 2, 128, 512});
    check_product({tokens, 1, 16, 32});
    check_product({tokens, 5, 80, 96});
  }
}

TEST(CudaHeadLinear, TurnsHeads) {
  const int heads = 3, rows = 24, cols = 40, stride = rows * cols + 17;
  std::vector<std::uint16_t> from(heads * stride);
  std::iota(from.begin(), from.end(), std::uint16_t{0});
  const OnDevice<std::uint16_t> device(from);
  const OnDevice<std::uint16_t> to(heads * rows * cols);
  turn_heads({}, device.data(), stride, heads, rows, cols, to.data());
  const std::vector<std::uint16_t> found = to.values();
  for (int h = 0; h < heads; ++h) {
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < cols; ++c) {
        ASSERT_EQ(found[(h * cols + c) * rows + r], from[h * stride + r * cols + c]) << h << " " << r << " " << c;
      }
    }
  }
}

TEST(CudaGatherLatents, TakesPagesInOrder) {
  Random random;
  const int width = 576, pages = 9, table_stride = 4;
  const std::int64_t page_stride = 2 * kPageTokens * width;
  std::vector<std::uint16_t> cache(pages * page_stride);
  for (std::uint16_t& v : cache) v = static_cast<std::uint16_t>(random.bits());
  // Line 0 is of a sequence that decodes: it is left out.
  const std::vector<std::int32_t> table = {8, 8, 8, 8, 3, 0, 7, -1, 5, 1, -1, -1};
  const std::vector<std::int32_t> lengths = {200, 130, 65}, first = {0, 65, 0};
  const OnDevice<std::uint16_t> cache_device(cache);
  const OnDevice<std::int32_t> table_device(table), lengths_device(lengths), first_device(first);
  const OnDevice<std::uint16_t> out(195 * width + 8);
  gather_latents({}, {.sequences = 2,
                      .first_sequence = 1,
                      .longest = 130,
                      .width = width,
                      .pages = cache_device.data(),
                      .page_stride = page_stride,
                      .table = table_device.data(),
                      .table_stride = table_stride,
                      .lengths = lengths_device.data(),
                      .first = first_device.data(),
                      .out = out.data()});
  const std::vector<std::uint16_t> found = out.values();
  for (int s : {1, 2}) {
    for (int t = 0; t < lengths[s]; ++t) {
      for (int i = 0; i < width; ++i) {
        const std::int64_t page = table[s * table_stride + t / kPageTokens];
        ASSERT_EQ(found[(first[s] + t) * width + i], cache[page * page_stride + t % kPageTokens * width + i])
            << s << " " << t << " " << i;
      }
    }
  }
  for (int i = 0; i < 8; ++i) ASSERT_EQ(found[195 * width + i], 0xffff);
}

}  // namespace
}  // namespace fathom::cuda
