// Synthetic and integer weights: the same model however it is cut, with the spread that keeps activations in range.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>

#include "host/convert.h"
#include "input/error.h"
#include "weights/integer.h"
#include "weights/synthetic.h"

namespace fathom {
namespace {

constexpr Format kFormats[] = {Format::kFp32, Format::kBf16, Format::kFp8Block128, Format::kInt4G128,
                               Format::kInt4G128Asym};

TensorSlice whole(std::int64_t rows, std::int64_t cols, Format format, const std::string& op = "attention.qkv") {
  TensorSlice s;
  s.name = "model.layers.3." + op;
  s.op = op;
  s.rows = s.row_count = rows;
  s.cols = s.col_count = cols;
  s.format = format;
  s.role = Role::kAttention;
  s.model_layers = 8;
  return s;
}

TensorSlice cut(TensorSlice s, std::int64_t row, std::int64_t rows, std::int64_t col, std::int64_t cols) {
  s.row = row;
  s.row_count = rows;
  s.col = col;
  s.col_count = cols;
  return s;
}

TensorSlice vector_of(std::int64_t size, Role role, const std::string& name, Format format = Format::kBf16) {
  TensorSlice s = whole(size, 1, format, "x");
  s.name = name;
  s.role = role;
  s.vector = true;
  return s;
}

void expect_part(const WeightSource& source, const TensorSlice& all, const LoadedMatrix& expected,
                 const TensorSlice& part) {
  Account account;
  const LoadedMatrix m = source.matrix(part, account);
  for (std::int64_t r = 0; r < part.row_count; ++r) {
    for (std::int64_t c = 0; c < part.col_count; ++c) {
      ASSERT_EQ(host::value(m.view, r, c), host::value(expected.view, part.row + r, part.col + c))
          << to_string(all.format) << " row " << part.row + r << " column " << part.col + c;
    }
  }
}

class EverySource : public testing::TestWithParam<Format> {
 protected:
  const SyntheticWeights synthetic_{7};
  const IntegerWeights integer_{7};
  Account account_;
};
INSTANTIATE_TEST_SUITE_P(MadeUpWeights, EverySource, testing::ValuesIn(kFormats));

TEST_P(EverySource, GivesTheSameValuesUnderAnySharding) {
  constexpr std::int64_t kRows = 1024, kCols = 1024;
  const TensorSlice all = whole(kRows, kCols, GetParam());
  for (const WeightSource* source :
       {static_cast<const WeightSource*>(&synthetic_), static_cast<const WeightSource*>(&integer_)}) {
    const LoadedMatrix expected = source->matrix(all, account_);
    for (std::int64_t tp : {2, 4, 8}) {
      for (std::int64_t rank : {std::int64_t{0}, tp / 2, tp - 1}) {
        expect_part(*source, all, expected, cut(all, rank * kRows / tp, kRows / tp, 0, kCols));
        expect_part(*source, all, expected, cut(all, 0, kRows, rank * kCols / tp, kCols / tp));
      }
    }
    expect_part(*source, all, expected, cut(all, 333, 5, 256, 384));  // an fp8 tile is cut along its rows
    if (GetParam() == Format::kBf16 || GetParam() == Format::kFp32) {
      expect_part(*source, all, expected, cut(all, 7, 9, 3, 998));  // and words of random bits anywhere
    }
  }
}

TEST_P(EverySource, TakesAsMuchMemoryAsThePlanCounts) {
  const TensorSlice s = whole(512, 768, GetParam());
  const LoadedMatrix m = synthetic_.matrix(s, account_);
  EXPECT_EQ(static_cast<double>(account_.held(Purpose::kWeights)), bytes(GetParam(), 512, 768).value);
}

// A last tile that is not full, and an odd number of groups, whose zeros leave half a byte free.
TEST_P(EverySource, TakesShapesThatDoNotFillTheirBlocks) {
  const bool four_bit = GetParam() == Format::kInt4G128 || GetParam() == Format::kInt4G128Asym;
  const TensorSlice all = whole(200, four_bit ? 384 : 300, GetParam());
  const LoadedMatrix expected = synthetic_.matrix(all, account_);
  expect_part(synthetic_, all, expected, cut(all, 128, 72, 256, all.cols - 256));
}

// Columns have variance 1/K so that outputs are as large as inputs; 1/(2 layers K) for what is added to the residual.
TEST_P(EverySource, HasTheVarianceOfATrainedModel) {
  constexpr std::int64_t kRows = 1024, kCols = 2048;
  for (const auto& [op, variance] : {std::pair<std::string, double>{"attention.qkv", 1.0 / kCols},
                                     {"moe.router", 1.0 / kCols},
                                     {"attention.out", 1.0 / kCols / 16},
                                     {"ffn.down", 1.0 / kCols / 16},
                                     {"moe.experts.down", 1.0 / kCols / 16}}) {
    const LoadedMatrix m = synthetic_.matrix(whole(kRows, kCols, GetParam(), op), account_);
    double sum = 0, squares = 0;
    for (std::int64_t r = 0; r < kRows; ++r) {
      for (std::int64_t c = 0; c < kCols; ++c) {
        const double w = host::value(m.view, r, c);
        sum += w;
        squares += w * w;
      }
    }
    const double count = static_cast<double>(kRows * kCols);
    EXPECT_NEAR(squares / count / variance, 1, 0.05) << op;
    EXPECT_NEAR(sum / count / std::sqrt(variance), 0, 0.01) << op;
  }
}

TEST_P(EverySource, IntegersMeanTheSameInEveryStorage) {
  const LoadedMatrix m = integer_.matrix(whole(64, 384, GetParam()), account_);
  const LoadedMatrix reference = integer_.matrix(whole(64, 384, Format::kFp32), account_);
  int nonzero = 0;
  for (std::int64_t r = 0; r < 64; ++r) {
    for (std::int64_t c = 0; c < 384; ++c) {
      const float w = host::value(m.view, r, c);
      ASSERT_EQ(w, host::value(reference.view, r, c));
      ASSERT_TRUE(w == -1 || w == 0 || w == 1) << w;
      nonzero += w != 0;
    }
  }
  EXPECT_NEAR(nonzero / (64.0 * 384), 0.25, 0.01);
}

TEST(SyntheticWeights, DependOnSeedAndNameAlone) {
  Account account;
  const TensorSlice s = whole(128, 128, Format::kFp32);
  TensorSlice other_name = s;
  other_name.name += "2";
  const auto sum = [&](const SyntheticWeights& w, const TensorSlice& slice) {
    const LoadedMatrix m = w.matrix(slice, account);
    double total = 0;
    for (std::int64_t r = 0; r < 128; ++r) total += host::value(m.view, r, r) * static_cast<double>(r + 1);
    return total;
  };
  EXPECT_EQ(sum(SyntheticWeights(1), s), sum(SyntheticWeights(1), s));
  EXPECT_NE(sum(SyntheticWeights(1), s), sum(SyntheticWeights(2), s));
  EXPECT_NE(sum(SyntheticWeights(1), s), sum(SyntheticWeights(1), other_name));
}

TEST(SyntheticWeights, EmbeddingsHaveVarianceOneUnlessTheyAreTheHeadToo) {
  Account account;
  TensorSlice s = whole(512, 256, Format::kBf16, "embed");
  s.role = Role::kEmbedding;
  for (const bool tied : {false, true}) {
    const LoadedMatrix m = SyntheticWeights(1, tied).matrix(s, account);
    double squares = 0;
    for (std::int64_t i = 0; i < 512 * 256; ++i) squares += std::pow(host::value(m.view, i / 256, i % 256), 2);
    EXPECT_NEAR(squares / (512 * 256), tied ? 1.0 / 256 : 1.0, tied ? 0.05 / 256 : 0.05);
  }
}

// synthetic.h tells how to make these numbers elsewhere; here it is done once more, one element at a time.
namespace recipe {

std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}
std::uint64_t word(std::uint64_t seed, const std::string& name, std::uint64_t stream, std::uint64_t i) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (unsigned char c : name) hash = (hash ^ c) * 0x100000001B3u;
  return mix(mix((hash ^ mix(seed)) + stream) + i * 0x9E3779B97F4A7C15u);
}
float v(std::uint64_t seed, const std::string& name, std::uint64_t stream, std::uint64_t i) {
  return static_cast<float>(word(seed, name, stream, i / 4) >> (16 * (i % 4)) & 0xFFFF) - 32767.5f;
}

}  // namespace recipe

TEST(SyntheticWeights, FollowTheirRecipe) {
  Account account;
  constexpr std::uint64_t kSeed = 42, kCols = 640;
  const double s = 1 / std::sqrt(640.0);
  for (const auto& [row, col] :
       {std::pair<std::uint64_t, std::uint64_t>{0, 0}, {1, 1}, {130, 639}, {299, 413}, {77, 128}}) {
    const std::uint64_t i = row * kCols + col;
    const auto expect = [&, r = row, c = col](Format format, float expected) {
      const LoadedMatrix m = SyntheticWeights(kSeed).matrix(whole(300, kCols, format), account);
      EXPECT_EQ(host::value(m.view, static_cast<std::int64_t>(r), static_cast<std::int64_t>(c)), expected)
          << to_string(format);
    };
    const std::string name = whole(1, 1, Format::kFp32).name;
    const float uniform = recipe::v(kSeed, name, 0, i) * static_cast<float>(s * std::sqrt(3.0) / 32768);
    expect(Format::kFp32, uniform);
    expect(Format::kBf16, host::from_bf16(host::to_bf16(uniform)));

    double square = 0;  // of the 64 magnitudes with the exponent's highest bit clear
    for (int code = 0; code < 64; ++code) square += std::pow(host::from_e4m3(static_cast<std::uint8_t>(code)), 2) / 64;
    EXPECT_NEAR(square, 0.35806, 1e-5);
    const double spread = 1 + 1.0 / 192;
    const auto scale = [&](double mean_square, std::uint64_t block) {
      return static_cast<float>(s / std::sqrt(mean_square * spread)) *
             (1.0f + recipe::v(kSeed, name, 1, block) * 0x1p-18f);
    };
    const auto code = static_cast<std::uint8_t>(recipe::word(kSeed, name, 0, i / 8) >> (8 * (i % 8)) & 0xBF);
    expect(Format::kFp8Block128, host::from_e4m3(code) * scale(square, row / 128 * 5 + col / 128));

    // Nibble j of 32-bit word w of the group is column 16 j + w.
    const std::uint64_t group = row * 5 + col / 128, in_group = col % 128, w = in_group % 16, j = in_group / 16;
    const auto nibble =
        static_cast<int>(recipe::word(kSeed, name, 0, 8 * group + w / 2) >> (32 * (w % 2) + 4 * j) & 15);
    const auto fp16 = [](float x) { return host::from_fp16(host::to_fp16(x)); };
    expect(Format::kInt4G128, static_cast<float>((nibble == 0 ? 8 : nibble) - 8) * fp16(scale(17.5, group)));
    const auto zero = 6 + static_cast<int>(recipe::word(kSeed, name, 2, group / 8) >> (8 * (group % 8)) & 3);
    expect(Format::kInt4G128Asym, static_cast<float>(nibble - zero) * fp16(scale(22.5, group)));
  }
}

// A change of the recipe changes every recorded run: this must be on purpose.
TEST(SyntheticWeights, StayWhatTheyWere) {
  Account account;
  const LoadedMatrix m = SyntheticWeights(1).matrix(whole(2, 128, Format::kFp32), account);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(host::value(m.view, 0, 0)), 0xBE0B54DCu);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(host::value(m.view, 1, 127)), 0xBE0A8AC7u);
}

TEST(SyntheticWeights, VectorsAreNormsAroundOneAndSmallBiases) {
  Account account;
  const auto range = [&](const WeightSource& source, const TensorSlice& s) {
    const LoadedVector v = source.vector(s, account);
    return std::pair{*std::min_element(v.data(), v.data() + s.row_count),
                     *std::max_element(v.data(), v.data() + s.row_count)};
  };
  const TensorSlice norm = vector_of(1000, Role::kNorm, "model.norm.weight");
  const TensorSlice bias = vector_of(1000, Role::kAttention, "model.layers.0.self_attn.q_proj.bias");
  const TensorSlice router =
      vector_of(1000, Role::kRouterBias, "model.layers.0.mlp.gate.e_score_correction_bias", Format::kFp32);
  const SyntheticWeights synthetic(1);
  EXPECT_NEAR(range(synthetic, norm).first, 0.9, 0.01);
  EXPECT_NEAR(range(synthetic, norm).second, 1.1, 0.01);
  EXPECT_NEAR(range(synthetic, bias).first, -0.1, 0.001);
  EXPECT_NEAR(range(synthetic, bias).second, 0.1, 0.001);
  EXPECT_GE(range(synthetic, router).first, 0);
  EXPECT_NEAR(range(synthetic, router).second, 0.01, 0.001);
  const IntegerWeights integer(1);
  EXPECT_EQ(range(integer, norm), (std::pair{1.0f, 1.0f}));
  EXPECT_EQ(range(integer, bias), (std::pair{-1.0f, 1.0f}));
  EXPECT_GE(range(integer, router).first, 0);
  EXPECT_EQ(std::fmod(range(integer, router).second, 1.0f / 64), 0);

  for (const WeightSource* source :
       {static_cast<const WeightSource*>(&synthetic), static_cast<const WeightSource*>(&integer)}) {
    const LoadedVector all = source->vector(bias, account);
    const LoadedVector part = source->vector(cut(bias, 301, 77, 0, 1), account);
    for (int i = 0; i < 77; ++i) EXPECT_EQ(part.data()[i], all.data()[301 + i]);
    for (int i = 0; i < 1000; ++i) {  // a bf16 checkpoint of it would lose nothing
      EXPECT_EQ(host::from_bf16(host::to_bf16(all.data()[i])), all.data()[i]);
    }
  }
}

TEST(WeightSource, RefusesWhatTheHostCannotHoldBeforeLoading) {
  const auto refused = [](const TensorSlice& s, const std::string& part) {
    Account account;
    EXPECT_THROW(SyntheticWeights(1).matrix(s, account), std::invalid_argument);
    try {
      SyntheticWeights(1).check({s});
      FAIL() << "accepted: " << part;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  refused(whole(8, 128, Format::kInt8), "the engine has no int8 kernels");
  refused(whole(8, 128, Format::kFp16), "the engine has no fp16 kernels");
  refused(whole(8, 200, Format::kInt4G128), "needs a multiple of 128 inputs, not 200");
  refused(cut(whole(8, 256, Format::kInt4G128), 0, 8, 0, 64), "columns 0 to 64 cut a block");
  refused(cut(whole(8, 256, Format::kFp8Block128), 0, 8, 64, 192), "columns 64 to 256 cut a block");
  refused(cut(whole(8, 256, Format::kBf16), 4, 5, 0, 256), "not part of its 8 x 256 tensor");
  EXPECT_TRUE(unsupported(Format::kInt4G128Asym).empty());
  EXPECT_NO_THROW(SyntheticWeights(1).check({whole(8, 256, Format::kInt4G128)}));
}

}  // namespace
}  // namespace fathom
