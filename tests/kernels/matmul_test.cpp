// Every path that this processor runs, against plain loops over value() in double.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "host/convert.h"
#include "host/matmul_paths.h"

namespace fathom::host {
namespace {

constexpr Storage kStorages[] = {Storage::kFp32, Storage::kBf16, Storage::kFp8Block128, Storage::kInt4G128,
                                 Storage::kInt4G128Asym};

const char* name_of(Storage storage) {
  switch (storage) {
    case Storage::kFp32:
      return "fp32";
    case Storage::kBf16:
      return "bf16";
    case Storage::kFp8Block128:
      return "fp8";
    case Storage::kInt4G128:
      return "int4";
    case Storage::kInt4G128Asym:
      return "int4 asymmetric";
  }
  return "";
}

bool is_int4(Storage storage) { return storage == Storage::kInt4G128 || storage == Storage::kInt4G128Asym; }

// Random weights. Each part is an allocation of exactly its size, so that the address sanitizer sees a read beyond it.
class Weights {
 public:
  Weights(Storage storage, std::int64_t rows, std::int64_t cols, unsigned seed = 1) : random_(seed) {
    const MatrixBytes bytes = matrix_bytes(storage, rows, cols);
    codes_ = std::make_unique<unsigned char[]>(bytes.codes);
    scales_ = std::make_unique<unsigned char[]>(bytes.scales);
    zeros_ = std::make_unique<unsigned char[]>(bytes.zeros);
    view = {.storage = storage, .rows = rows, .cols = cols, .codes = codes_.get()};
    if (bytes.scales > 0) view.scales = scales_.get();
    if (bytes.zeros > 0) view.zeros = zeros_.get();
    for (std::size_t i = 0; i < bytes.zeros; ++i) zeros_[i] = static_cast<unsigned char>(random_());
    if (storage == Storage::kFp32) {
      fill(codes_.get(), bytes.codes, [this] { return normal(); });
    } else if (storage == Storage::kBf16) {
      fill(codes_.get(), bytes.codes, [this] { return to_bf16(normal()); });
    } else {
      fill(codes_.get(), bytes.codes, [this] { return code(); });
    }
    if (storage == Storage::kFp8Block128) {
      fill(scales_.get(), bytes.scales, [this] { return 0.01f + std::abs(normal()); });
    } else {
      fill(scales_.get(), bytes.scales, [this] { return to_fp16(0.01f + std::abs(normal())); });
    }
  }

  Matrix view;

 private:
  float normal() { return normal_(random_); }

  unsigned char code() {  // no NaN of E4M3
    const auto byte = static_cast<unsigned char>(random_());
    return (byte & 0x7f) == 0x7f ? 0x55 : byte;
  }

  template <class Make>
  static void fill(unsigned char* at, std::size_t bytes, const Make& make) {
    for (std::size_t i = 0; i < bytes; i += sizeof(make())) {
      const auto value = make();
      std::memcpy(at + i, &value, sizeof(value));
    }
  }

  std::mt19937 random_;
  std::normal_distribution<float> normal_;
  std::unique_ptr<unsigned char[]> codes_, scales_, zeros_;
};

// [rows][stride], the last row without its padding: reading or writing past it is past the allocation.
struct Rows {
  std::int64_t rows, width, stride;
  std::unique_ptr<float[]> data;

  Rows(std::int64_t row_count, std::int64_t row_width, std::int64_t padding)
      : rows(row_count), width(row_width), stride(row_width + padding), data(new float[size()]) {
    for (std::int64_t i = 0; i < size(); ++i) data[i] = std::nanf("");  // whoever reads the padding shows it
  }
  std::int64_t size() const { return (rows - 1) * stride + width; }
  float* row(std::int64_t i) const { return data.get() + i * stride; }

  static Rows random(std::int64_t row_count, std::int64_t row_width, std::int64_t padding) {
    Rows result(row_count, row_width, padding);
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    for (std::int64_t i = 0; i < row_count; ++i) {
      for (std::int64_t k = 0; k < row_width; ++k) result.row(i)[k] = normal(random);
    }
    return result;
  }
};

Rows product(const MatmulPath& path, Team& team, const Matrix& w, const Rows& x, std::int64_t tokens,
             std::int64_t y_padding = 0) {
  Rows y(tokens, w.rows, y_padding);
  matmul_on(path, team, w, x.data.get(), x.stride, tokens, y.data.get(), y.stride);
  return y;
}

std::vector<float> dense(const Matrix& w) {
  std::vector<float> values;
  for (std::int64_t row = 0; row < w.rows; ++row) {
    for (std::int64_t col = 0; col < w.cols; ++col) values.push_back(value(w, row, col));
  }
  return values;
}

// |y - reference| / |reference| over all tokens, for y = x W^T with W dense [y.width][x.width].
double error_of(const Rows& y, const Rows& x, const std::vector<float>& w, bool transposed = false) {
  double difference = 0, norm = 0;
  for (std::int64_t t = 0; t < y.rows; ++t) {
    for (std::int64_t n = 0; n < y.width; ++n) {
      double sum = 0;
      for (std::int64_t k = 0; k < x.width; ++k) {
        sum += static_cast<double>(x.row(t)[k]) * w[transposed ? k * y.width + n : n * x.width + k];
      }
      difference += (y.row(t)[n] - sum) * (y.row(t)[n] - sum);
      norm += sum * sum;
    }
  }
  return std::sqrt(difference / norm);
}

bool same_bits(const Rows& a, const Rows& b, std::int64_t tokens) {
  for (std::int64_t t = 0; t < tokens; ++t) {
    if (std::memcmp(a.row(t), b.row(t), static_cast<std::size_t>(a.width) * sizeof(float)) != 0) return false;
  }
  return true;
}

struct Shape {
  std::int64_t rows, cols;
};

std::vector<Shape> shapes(Storage storage) {
  std::vector<Shape> result;
  for (std::int64_t rows : {1, 7, 130}) {
    for (std::int64_t cols : {128, 256, 384}) result.push_back({rows, cols});
    if (!is_int4(storage)) {
      for (std::int64_t cols : {1, 15, 72, 100, 143, 200}) result.push_back({rows, cols});
    }
  }
  result.push_back({20, 1152});  // more than two panels of 512 columns
  if (!is_int4(storage)) result.push_back({20, 1037});
  return result;
}

template <class Body>
void for_all(const Body& body) {
  for (const MatmulPath& path : matmul_paths()) {
    for (Storage storage : kStorages) {
      for (const Shape& shape : shapes(storage)) {
        SCOPED_TRACE(std::string(path.name) + ", " + name_of(storage) + " " + std::to_string(shape.rows) + " x " +
                     std::to_string(shape.cols));
        body(path, storage, shape);
      }
    }
  }
}

TEST(Matmul, EqualsTheReferenceForEveryStorageAndOddShapes) {
  Team team(2);
  for_all([&](const MatmulPath& path, Storage storage, Shape shape) {
    const Weights w(storage, shape.rows, shape.cols);
    const std::vector<float> values = dense(w.view);
    for (std::int64_t tokens : {1, 2, 3, 4, 5, 6, 8, 13, 70}) {
      const Rows x = Rows::random(tokens, shape.cols, 3);
      ASSERT_LT(error_of(product(path, team, w.view, x, tokens, 5), x, values), 1e-6) << tokens << " tokens";
    }
  });
}

TEST(Matmul, OfManyTokensAgreesToTheBitWithOneTokenAtATime) {
  Team team(1);
  for_all([&](const MatmulPath& path, Storage storage, Shape shape) {
    const Weights w(storage, shape.rows, shape.cols);
    const Rows x = Rows::random(200, shape.cols, 0);
    Rows one_by_one(200, shape.rows, 0);
    for (std::int64_t t = 0; t < 200; ++t) {
      path.multiply(w.view, x.row(t), x.stride, 1, one_by_one.row(t), one_by_one.stride);
    }
    for (std::int64_t tokens = 2; tokens <= 70; tokens += tokens < 14 ? 1 : 8) {
      ASSERT_TRUE(same_bits(product(path, team, w.view, x, tokens), one_by_one, tokens)) << tokens << " tokens";
    }
    ASSERT_TRUE(same_bits(product(path, team, w.view, x, 200), one_by_one, 200));  // more than a batch of tokens
  });
}

TEST(Matmul, DoesNotDependOnTheTeam) {
  for (const MatmulPath& path : matmul_paths()) {
    for (Storage storage : kStorages) {
      const Weights w(storage, 333, 1280);  // 426,240 multiply-adds: worth several workers at one token already
      Team alone(1);
      for (std::int64_t tokens : {1, 3, 20}) {
        const Rows x = Rows::random(tokens, w.view.cols, 0);
        const Rows y = product(path, alone, w.view, x, tokens);
        for (int size = 2; size <= 4; ++size) {
          Team team(size);
          ASSERT_TRUE(same_bits(product(path, team, w.view, x, tokens), y, tokens))
              << path.name << ", " << name_of(storage) << ", " << size << " workers";
        }
      }
    }
  }
}

// Sixteen lanes in the same order and fused multiply-adds in both: a cluster of unlike processors gets the same digits.
TEST(Matmul, AgreesToTheBitBetweenAvx2AndAvx512) {
  if (matmul_paths().size() < 3) GTEST_SKIP() << "waived: no AVX-512";
  Team team(1);
  for (Storage storage : kStorages) {
    for (const Shape& shape : shapes(storage)) {
      const Weights w(storage, shape.rows, shape.cols);
      for (std::int64_t tokens : {1, 20}) {
        const Rows x = Rows::random(tokens, shape.cols, 0);
        ASSERT_TRUE(same_bits(product(matmul_paths()[0], team, w.view, x, tokens),
                              product(matmul_paths()[1], team, w.view, x, tokens), tokens))
            << name_of(storage) << " " << shape.rows << " x " << shape.cols;
      }
    }
  }
}

// Rows 5 and 100 and 128 of 300 lie in a tile of fp8 scales that starts above them, in its middle and at it.
TEST(Matmul, OfARangeOfRowsIsThatPartOfTheWhole) {
  Team team(2);
  for (const MatmulPath& path : matmul_paths()) {
    for (Storage storage : kStorages) {
      const Weights w(storage, 300, 384);
      const Rows x = Rows::random(9, 384, 0);
      for (std::int64_t tokens : {1, 9}) {
        const Rows whole = product(path, team, w.view, x, tokens);
        for (std::int64_t first : {0, 5, 100, 128, 299}) {
          for (std::int64_t count : {1, 60, 200}) {
            if (first + count > 300) continue;
            const Matrix part = w.view.row_range(first, count);
            const Rows y = product(path, team, part.row_range(0, count), x, tokens);
            for (std::int64_t t = 0; t < tokens; ++t) {
              ASSERT_EQ(std::memcmp(y.row(t), whole.row(t) + first, static_cast<std::size_t>(count) * sizeof(float)), 0)
                  << path.name << ", " << name_of(storage) << ", rows " << first << " + " << count;
            }
          }
        }
      }
    }
  }
}

TEST(Matmul, TransposedEqualsTheReference) {
  for (int size : {1, 3}) {
    Team team(size);
    for_all([&](const MatmulPath& path, Storage storage, Shape shape) {
      const Weights w(storage, shape.rows, shape.cols);
      const std::vector<float> values = dense(w.view);
      for (std::int64_t tokens : {1, 2, 5, 9}) {
        const Rows x = Rows::random(tokens, shape.rows, 3);
        Rows y(tokens, shape.cols, 5);
        matmul_transposed_on(path, team, w.view, x.data.get(), x.stride, tokens, y.data.get(), y.stride);
        ASSERT_LT(error_of(y, x, values, true), 1e-6) << tokens << " tokens";
      }
    });
  }
}

TEST(Matmul, TransposedDependsNeitherOnTheTeamNorOnTheOtherTokens) {
  for (const MatmulPath& path : matmul_paths()) {
    for (Storage storage : kStorages) {
      const Weights w(storage, 300, 1280);
      const Rows x = Rows::random(9, 300, 0);
      Rows one_by_one(9, 1280, 0);
      for (std::int64_t t = 0; t < 9; ++t) {
        path.multiply_transposed(w.view, 0, 1280, x.row(t), x.stride, 1, one_by_one.row(t), one_by_one.stride);
      }
      for (int size = 1; size <= 4; ++size) {
        Team team(size);
        Rows y(9, 1280, 0);
        matmul_transposed_on(path, team, w.view, x.data.get(), x.stride, 9, y.data.get(), y.stride);
        ASSERT_TRUE(same_bits(y, one_by_one, 9)) << path.name << ", " << name_of(storage) << ", " << size;
      }
    }
  }
}

TEST(Matmul, WritesNothingBesideItsRows) {
  Team team(2);
  for (const MatmulPath& path : matmul_paths()) {
    const Weights w(Storage::kBf16, 37, 200);
    const Rows x = Rows::random(11, 200, 0);
    const Rows y = product(path, team, w.view, x, 11, 4);
    for (std::int64_t t = 0; t < 10; ++t) {
      for (std::int64_t n = 37; n < 41; ++n) ASSERT_TRUE(std::isnan(y.row(t)[n])) << path.name;
    }
  }
}

TEST(Matmul, ReferenceAndPublicFunctionsAgree) {
  Team team(2);
  for (Storage storage : kStorages) {
    const Weights w(storage, 33, 256);
    const Rows x = Rows::random(3, 256, 1);
    Rows plain(3, 33, 2), fast(3, 33, 2);
    matmul_reference(w.view, x.data.get(), x.stride, 3, plain.data.get(), plain.stride);
    matmul(team, w.view, x.data.get(), x.stride, 3, fast.data.get(), fast.stride);
    EXPECT_LT(error_of(plain, x, dense(w.view)), 1e-7);
    EXPECT_LT(error_of(fast, x, dense(w.view)), 1e-6);
  }
  EXPECT_STREQ(matmul_path(), matmul_paths().front().name);
  EXPECT_STREQ(matmul_paths().back().name, "portable");
}

// Word i holds columns i, 16 + i, ... in its nibbles, low first: nibble 3 of word 5 is column 16 x 3 + 5 = 53. Group 2
// of a row takes the low nibble of the row's second byte of zeros; rows of three groups take two bytes.
TEST(Value, FollowsTheFourBitLayout) {
  std::vector<std::uint32_t> words(2 * 3 * 16, 0x88888888u);
  std::vector<std::uint16_t> scales(2 * 3, to_fp16(1));
  std::vector<std::uint8_t> zeros(2 * 2, 0x88);
  words[(1 * 3 + 2) * 16 + 5] = 0x8888d888u;  // row 1, group 2, word 5, nibble 3: 13
  scales[1 * 3 + 2] = to_fp16(0.5f);
  zeros[1 * 2 + 1] = 0x83;
  const std::int64_t col = 2 * 128 + 53;
  const Matrix symmetric{Storage::kInt4G128, 2, 384, words.data(), scales.data()};
  EXPECT_EQ(value(symmetric, 1, col), 0.5f * (13 - 8));
  EXPECT_EQ(value(symmetric, 1, col + 1), 0);
  EXPECT_EQ(value(symmetric, 0, col), 0);
  const Matrix asymmetric{Storage::kInt4G128Asym, 2, 384, words.data(), scales.data(), zeros.data()};
  EXPECT_EQ(value(asymmetric, 1, col), 0.5f * (13 - 3));
  EXPECT_EQ(value(asymmetric, 1, col + 1), 0.5f * (8 - 3));
  EXPECT_EQ(value(asymmetric, 1, 0), 0);
  EXPECT_EQ(matrix_bytes(Storage::kInt4G128Asym, 2, 384).zeros, zeros.size());
}

// 130 x 200 is 2 x 2 tiles: row 129, column 199 is in the last one, also in a view from row 129, whose phase is 1.
TEST(Value, FollowsTheTilesOfFp8) {
  std::vector<std::uint8_t> codes(130 * 200, 0x38);  // 1.0
  const std::vector<float> scales = {2, 3, 5, 7};
  codes.back() = 0xbc;  // -1.5
  const Matrix w{Storage::kFp8Block128, 130, 200, codes.data(), scales.data()};
  EXPECT_EQ(value(w, 127, 127), 2);
  EXPECT_EQ(value(w, 127, 128), 3);
  EXPECT_EQ(value(w, 128, 127), 5);
  EXPECT_EQ(value(w, 129, 199), -1.5f * 7);
  const Matrix last = w.row_range(129, 1);
  EXPECT_EQ(last.row_phase, 1);
  EXPECT_EQ(value(last, 0, 199), -1.5f * 7);
  EXPECT_EQ(matrix_bytes(Storage::kFp8Block128, 130, 200).scales, 4 * sizeof(float));
}

}  // namespace
}  // namespace fathom::host
