// Checkpoints as they are published, made small: every stored format into every planned one, and what is refused.
#include "weights/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <random>

#include "host/convert.h"
#include "input/error.h"
#include "support/mutation.h"
#include "support/scratch_folder.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

const std::string kName = "model.layers.3.self_attn.q_proj.weight";
const std::string kModule = "model.layers.3.self_attn.q_proj";

// Tensors with bytes of their own, written as one file.
class Tensors {
 public:
  template <class T>
  Tensors& add(const std::string& name, const std::string& dtype, std::vector<std::int64_t> shape,
               const std::vector<T>& values) {
    std::vector<std::byte> bytes(values.size() * sizeof(T));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    bytes_.push_back(std::move(bytes));
    list_.push_back({name, dtype, std::move(shape), {}});
    return *this;
  }
  void write(const fs::path& path) {
    for (std::size_t i = 0; i < list_.size(); ++i) list_[i].bytes = bytes_[i];
    write_safetensors(path, list_);
  }

 private:
  std::vector<std::vector<std::byte>> bytes_;
  std::vector<TensorToWrite> list_;
};

TensorSlice slice_of(std::int64_t rows, std::int64_t cols, Format format, const std::string& name = kName) {
  TensorSlice s;
  s.name = name;
  s.rows = s.row_count = rows;
  s.cols = s.col_count = cols;
  s.format = format;
  s.role = Role::kAttention;
  return s;
}

TensorSlice cut(TensorSlice s, std::int64_t row, std::int64_t rows, std::int64_t col, std::int64_t cols) {
  s.row = row;
  s.row_count = rows;
  s.col = col;
  s.col_count = cols;
  return s;
}

TensorSlice vector_of(std::int64_t size, const std::string& name) {
  TensorSlice s = slice_of(size, 1, Format::kBf16, name);
  s.vector = true;
  return s;
}

std::vector<float> noise(std::size_t count) {
  std::mt19937 random(static_cast<unsigned>(count));
  std::vector<float> values(count);
  for (float& x : values) x = static_cast<float>(random() % 2000001) * 1e-6F - 1;
  return values;
}

template <class T>
std::vector<T> converted(const std::vector<float>& values, T (*to)(float)) {
  std::vector<T> out;
  for (float x : values) out.push_back(to(x));
  return out;
}

using Expected = std::function<float(std::int64_t row, std::int64_t col)>;  // of the whole tensor

class Checkpoint : public testing::Test {
 protected:
  void write(Tensors& tensors, const std::string& config = {}) const {
    tensors.write(folder_.path() / "model.safetensors");
    if (!config.empty()) folder_.write("config.json", config);
  }
  void expect_values(const TensorSlice& s, const Expected& expected) const {
    const CheckpointWeights source(folder_.path());
    ASSERT_NO_THROW(source.check({s})) << s.name;
    Account account;
    const LoadedMatrix m = source.matrix(s, account);
    EXPECT_EQ(m.view.storage, storage_of(s.format));
    for (std::int64_t r = 0; r < s.row_count; ++r) {
      for (std::int64_t c = 0; c < s.col_count; ++c) {
        ASSERT_EQ(host::value(m.view, r, c), expected(s.row + r, s.col + c))
            << to_string(s.format) << " row " << s.row + r << " column " << s.col + c;
      }
    }
  }
  // By check() alone, or when the contents tell, by loading.
  void expect_refused(const TensorSlice& s, const std::string& message, const std::string& hint,
                      bool only_when_loaded = false) const {
    SCOPED_TRACE(message);
    try {
      const CheckpointWeights source(folder_.path());
      source.check({s});
      EXPECT_TRUE(only_when_loaded) << "check() accepts it";
      Account account;
      source.matrix(s, account);
      FAIL() << "accepted";
    } catch (const InputError& error) {
      EXPECT_NE(error.message().find(message), std::string::npos) << error.what();
      EXPECT_NE(error.hint().find(hint), std::string::npos) << error.hint();
      EXPECT_TRUE(error.file().starts_with(folder_.path().string())) << error.file();
    }
  }

  const ScratchFolder folder_;
};

TEST_F(Checkpoint, FloatsAreKeptOrRoundedToNearestEven) {
  const std::vector<float> values = noise(40 * 300);
  const auto bf16 = converted(values, host::to_bf16), fp16 = converted(values, host::to_fp16);
  Tensors tensors;
  tensors.add("f32.weight", "F32", {40, 300}, values)
      .add("bf16.weight", "BF16", {40, 300}, bf16)
      .add("f16.weight", "F16", {40, 300}, fp16);
  write(tensors);
  for (const auto& [row, rows, col, cols] :
       {std::array<std::int64_t, 4>{0, 40, 0, 300}, {7, 20, 0, 300}, {0, 40, 31, 77}, {39, 1, 299, 1}}) {
    const auto part = [&, row = row, rows = rows, col = col, cols = cols](const char* name, Format format) {
      return cut(slice_of(40, 300, format, name), row, rows, col, cols);
    };
    const auto at = [](const auto& list, std::int64_t r, std::int64_t c) {
      return list[static_cast<std::size_t>(r * 300 + c)];
    };
    const auto rounded = [](float x) { return host::from_bf16(host::to_bf16(x)); };
    expect_values(part("f32.weight", Format::kFp32), [&](auto r, auto c) { return at(values, r, c); });
    expect_values(part("f32.weight", Format::kBf16), [&](auto r, auto c) { return rounded(at(values, r, c)); });
    expect_values(part("bf16.weight", Format::kFp32), [&](auto r, auto c) { return host::from_bf16(at(bf16, r, c)); });
    expect_values(part("bf16.weight", Format::kBf16), [&](auto r, auto c) { return host::from_bf16(at(bf16, r, c)); });
    expect_values(part("f16.weight", Format::kFp32), [&](auto r, auto c) { return host::from_fp16(at(fp16, r, c)); });
    expect_values(part("f16.weight", Format::kBf16),
                  [&](auto r, auto c) { return rounded(host::from_fp16(at(fp16, r, c))); });
  }
}

TEST_F(Checkpoint, VectorsBecomeFloats) {
  const std::vector<float> values = noise(100);
  Tensors tensors;
  tensors.add("f32", "F32", {100}, values)
      .add("bf16", "BF16", {100}, converted(values, host::to_bf16))
      .add("f16", "F16", {100}, converted(values, host::to_fp16))
      .add("int", "I64", {100}, std::vector<std::int64_t>(100));
  write(tensors);
  const CheckpointWeights source(folder_.path());
  Account account;
  for (const char* name : {"f32", "bf16", "f16"}) {
    TensorSlice s = vector_of(100, name);
    source.check({s});
    const LoadedVector all = source.vector(s, account);
    EXPECT_NEAR(all.data()[99], values[99], 0.005);
    if (name == std::string("f32")) {
      EXPECT_EQ(all.data()[5], values[5]) << "not rounded";
    }
    s.row = 40, s.row_count = 30;
    const LoadedVector part = source.vector(s, account);
    EXPECT_TRUE(std::equal(part.data(), part.data() + 30, all.data() + 40));
  }
  EXPECT_THROW(source.vector(vector_of(100, "int"), account), InputError);
  EXPECT_THROW(source.vector(vector_of(99, "f32"), account), InputError);
}

// 300 x 520: three by five tiles, the last of each not full.
TEST_F(Checkpoint, Fp8TilesAreKeptAsTheyAreOrMultipliedOut) {
  std::mt19937 random(1);
  std::vector<std::uint8_t> codes(300 * 520);
  for (auto& code : codes) code = static_cast<std::uint8_t>(random() % 127 | (random() % 2) << 7);
  std::vector<float> scales(3 * 5);
  for (float& scale : scales) scale = static_cast<float>(1 + random() % 1000) * 1e-4F;
  Tensors tensors;
  tensors.add(kName, "F8_E4M3", {300, 520}, codes).add(kName + "_scale_inv", "F32", {3, 5}, scales);
  write(tensors);
  const auto value = [&](std::int64_t r, std::int64_t c) {
    return host::from_e4m3(codes[static_cast<std::size_t>(r * 520 + c)]) *
           scales[static_cast<std::size_t>(r / 128 * 5 + c / 128)];
  };
  for (const auto& [row, rows, col, cols] :
       {std::array<std::int64_t, 4>{0, 300, 0, 520}, {128, 172, 0, 520}, {0, 300, 256, 264}, {128, 128, 128, 256}}) {
    const auto part = [&, row = row, rows = rows, col = col, cols = cols](Format format) {
      return cut(slice_of(300, 520, format), row, rows, col, cols);
    };
    expect_values(part(Format::kFp8Block128), value);
    expect_values(part(Format::kFp32), value);
    expect_values(part(Format::kBf16), [&](auto r, auto c) { return host::from_bf16(host::to_bf16(value(r, c))); });
  }
  expect_values(cut(slice_of(300, 520, Format::kBf16), 77, 99, 200, 201),
                [&](auto r, auto c) { return host::from_bf16(host::to_bf16(value(r, c))); });
  expect_refused(cut(slice_of(300, 520, Format::kFp8Block128), 0, 300, 64, 128), "cut a block of 128", "");
}

TEST_F(Checkpoint, Fp8WithoutTileScalesIsRefused) {
  Tensors tensors;
  tensors.add(kName, "F8_E4M3", {256, 256}, std::vector<std::uint8_t>(256 * 256))
      .add(kName + "_scale", "F32", {1}, std::vector<float>(1));
  write(tensors);
  expect_refused(slice_of(256, 256, Format::kFp8Block128), "there is no " + kName + "_scale_inv", "128 x 128 tile");
  tensors.add(kName + "_scale_inv", "F32", {2, 1}, std::vector<float>(2));
  write(tensors);
  expect_refused(slice_of(256, 256, Format::kFp8Block128), "_scale_inv is F32 [2, 1]; the planned model needs [2, 2]",
                 "");
}

// One matrix quantised to four bits, and how the two tools write it: a number at a time, from their definitions.
struct FourBits {
  static constexpr std::int64_t kOutputs = 48, kInputs = 640, kGroups = 5;
  std::vector<unsigned> q = std::vector<unsigned>(kOutputs * kInputs);
  std::vector<unsigned> zero = std::vector<unsigned>(kOutputs * kGroups);
  std::vector<std::uint16_t> scale = std::vector<std::uint16_t>(kOutputs * kGroups);

  explicit FourBits(bool symmetric) {
    std::mt19937 random(3);
    for (auto& x : q) x = random() % 16;
    for (auto& x : zero) x = symmetric ? 8 : random() % 16;
    for (auto& x : scale) x = host::to_fp16(static_cast<float>(1 + random() % 1000) * 1e-4F);
  }
  float value(std::int64_t n, std::int64_t k) const {
    const auto group = static_cast<std::size_t>(n * kGroups + k / 128);
    return host::from_fp16(scale[group]) *
           (static_cast<float>(q[static_cast<std::size_t>(n * kInputs + k)]) - static_cast<float>(zero[group]));
  }
  std::vector<std::uint16_t> scales() const {  // [K/128, N]
    std::vector<std::uint16_t> out;
    for (std::int64_t g = 0; g < kGroups; ++g) {
      for (std::int64_t n = 0; n < kOutputs; ++n) out.push_back(scale[static_cast<std::size_t>(n * kGroups + g)]);
    }
    return out;
  }
  // Nibble i of word [g, w] belongs to output 8 w + order[i].
  std::vector<std::uint32_t> zeros(const std::array<int, 8>& order, unsigned less) const {
    std::vector<std::uint32_t> out;
    for (std::int64_t g = 0; g < kGroups; ++g) {
      for (std::int64_t w = 0; w < kOutputs / 8; ++w) {
        std::uint32_t word = 0;
        for (int i = 0; i < 8; ++i) {
          const auto n = static_cast<std::size_t>(8 * w + order[static_cast<std::size_t>(i)]);
          word |= ((zero[n * kGroups + static_cast<std::size_t>(g)] - less) & 15) << (4 * i);
        }
        out.push_back(word);
      }
    }
    return out;
  }
  std::vector<std::uint32_t> gptq_weights() const {  // [K/8, N]
    std::vector<std::uint32_t> out;
    for (std::int64_t k8 = 0; k8 < kInputs / 8; ++k8) {
      for (std::int64_t n = 0; n < kOutputs; ++n) {
        std::uint32_t word = 0;
        for (int i = 0; i < 8; ++i) word |= q[static_cast<std::size_t>(n * kInputs + 8 * k8 + i)] << (4 * i);
        out.push_back(word);
      }
    }
    return out;
  }
  std::vector<std::uint32_t> awq_weights() const {  // [K, N/8]
    std::vector<std::uint32_t> out;
    for (std::int64_t k = 0; k < kInputs; ++k) {
      for (std::int64_t n8 = 0; n8 < kOutputs / 8; ++n8) {
        std::uint32_t word = 0;
        for (int i = 0; i < 8; ++i) {
          word |= q[static_cast<std::size_t>((8 * n8 + kAwqOrder[static_cast<std::size_t>(i)]) * kInputs + k)]
                  << (4 * i);
        }
        out.push_back(word);
      }
    }
    return out;
  }
  Tensors gptq(unsigned less = 1) const {
    Tensors tensors;
    std::vector<std::int32_t> groups(kInputs);
    for (std::size_t k = 0; k < groups.size(); ++k) groups[k] = static_cast<std::int32_t>(k / 128);
    tensors.add(kModule + ".qweight", "I32", {kInputs / 8, kOutputs}, gptq_weights())
        .add(kModule + ".qzeros", "I32", {kGroups, kOutputs / 8}, zeros({0, 1, 2, 3, 4, 5, 6, 7}, less))
        .add(kModule + ".scales", "F16", {kGroups, kOutputs}, scales())
        .add(kModule + ".g_idx", "I32", {kInputs}, groups);
    return tensors;
  }
  Tensors awq() const {
    Tensors tensors;
    tensors.add(kModule + ".qweight", "I32", {kInputs, kOutputs / 8}, awq_weights())
        .add(kModule + ".qzeros", "I32", {kGroups, kOutputs / 8}, zeros(kAwqOrder, 0))
        .add(kModule + ".scales", "F16", {kGroups, kOutputs}, scales());
    return tensors;
  }
  TensorSlice slice(Format format) const { return slice_of(kOutputs, kInputs, format); }

  static constexpr std::array<int, 8> kAwqOrder = {0, 2, 4, 6, 1, 3, 5, 7};
};

const std::string kGptqConfig =
    R"({"model_type": "qwen2", "quantization_config": {"quant_method": "gptq", "bits": 4}})";
const std::string kGptq2Config =
    R"({"quantization_config": {"quant_method": "gptq", "bits": 4, "checkpoint_format": "gptq_v2"}})";
const std::string kAwqConfig = R"({"quantization_config": {"quant_method": "awq", "bits": 4, "version": "GEMM"}})";

TEST_F(Checkpoint, GptqAndAwqMeanTheSameMatrixAfterRepacking) {
  const FourBits symmetric(true), asymmetric(false);
  const auto expect_all = [&](const FourBits& m, Format format, const std::string& config) {
    folder_.write("config.json", config);
    for (const auto& [row, rows, col, cols] : {std::array<std::int64_t, 4>{0, 48, 0, 640},
                                               {24, 24, 0, 640},
                                               {0, 48, 256, 384},
                                               {13, 7, 128, 128},
                                               {5, 30, 512, 128}}) {
      expect_values(cut(m.slice(format), row, rows, col, cols), [&](auto r, auto c) { return m.value(r, c); });
    }
  };
  for (const FourBits* m : {&symmetric, &asymmetric}) {
    Tensors gptq = m->gptq(), gptq2 = m->gptq(0), awq = m->awq();
    write(gptq);
    expect_all(*m, Format::kInt4G128Asym, kGptqConfig);
    expect_all(*m, Format::kInt4G128Asym, "{}");  // told by its shape
    write(awq);
    expect_all(*m, Format::kInt4G128Asym, kAwqConfig);
    expect_all(*m, Format::kInt4G128Asym, "{}");
    write(gptq2);
    expect_all(*m, Format::kInt4G128Asym, kGptq2Config);
  }
  Tensors gptq = symmetric.gptq(), awq = symmetric.awq();
  write(gptq);
  expect_all(symmetric, Format::kInt4G128, kGptqConfig);
  write(awq);
  expect_all(symmetric, Format::kInt4G128, kAwqConfig);
}

TEST_F(Checkpoint, ZerosThatASymmetricFormatCannotHoldAreRefused) {
  const FourBits m(false);
  Tensors gptq = m.gptq();
  write(gptq, kGptqConfig);
  expect_refused(m.slice(Format::kInt4G128), "the plan wants int4-g128 with zero 8 throughout",
                 "plan with int4 weights", true);
}

TEST_F(Checkpoint, ActOrderAndOtherGroupsAreRefused) {
  const FourBits m(true);
  Tensors shuffled = m.gptq();
  std::vector<std::int32_t> order(FourBits::kInputs);
  for (std::size_t k = 0; k < order.size(); ++k) order[k] = static_cast<std::int32_t>(k % 5);
  Tensors other;
  other.add(kModule + ".qweight", "I32", {80, 48}, m.gptq_weights())
      .add(kModule + ".qzeros", "I32", {5, 6}, m.zeros({0, 1, 2, 3, 4, 5, 6, 7}, 1))
      .add(kModule + ".scales", "F16", {5, 48}, m.scales())
      .add(kModule + ".g_idx", "I32", {640}, order);
  write(other, kGptqConfig);
  expect_refused(m.slice(Format::kInt4G128), "act-order: input 1 belongs to group 1, not 0", "desc_act false", true);

  Tensors fine_groups;
  fine_groups.add(kModule + ".qweight", "I32", {80, 48}, m.gptq_weights())
      .add(kModule + ".qzeros", "I32", {10, 6}, std::vector<std::uint32_t>(60))
      .add(kModule + ".scales", "F16", {10, 48}, std::vector<std::uint16_t>(480));
  write(fine_groups, kGptqConfig);
  expect_refused(m.slice(Format::kInt4G128), "has groups of 64", "group size 128");

  folder_.write("config.json", R"({"quantization_config": {"quant_method": "gptq", "bits": 8}})");
  expect_refused(m.slice(Format::kInt4G128), "holds 8-bit weights", "");
  Tensors awq = m.awq();
  write(awq, R"({"quantization_config": {"quant_method": "awq", "bits": 4, "version": "gemv"}})");
  expect_refused(m.slice(Format::kInt4G128), "AWQ packing \"gemv\" is not known", "");
}

TEST_F(Checkpoint, NothingIsQuantisedBehindThePlannersBack) {
  Tensors tensors;
  tensors.add(kName, "BF16", {48, 640}, std::vector<std::uint16_t>(48 * 640));
  write(tensors);
  for (Format format : {Format::kInt4G128, Format::kInt4G128Asym, Format::kFp8Block128}) {
    expect_refused(slice_of(48, 640, format), "the checkpoint holds BF16, the plan wants " + to_string(format),
                   "plan with bf16 weights, or quantise the checkpoint first");
  }
  Tensors awq = FourBits(true).awq();
  write(awq, kAwqConfig);
  expect_refused(slice_of(48, 640, Format::kBf16), "the checkpoint holds 4-bit weights, the plan wants bf16",
                 "plan with int4 weights");
}

TEST_F(Checkpoint, FusedExpertsAreReadAsIfTheyWereApart) {
  constexpr std::int64_t kExperts = 3, kWidth = 4, kHidden = 6;
  const std::vector<float> gate_up = noise(kExperts * 2 * kWidth * kHidden),
                           down = noise(kExperts * kHidden * kWidth + 1);
  const std::vector<float> downs(down.begin(), down.end() - 1);
  Tensors tensors;
  tensors.add("model.layers.0.mlp.experts.gate_up_proj", "F32", {kExperts, 2 * kWidth, kHidden}, gate_up)
      .add("model.layers.0.mlp.experts.down_proj", "F32", {kExperts, kHidden, kWidth}, downs);
  write(tensors);
  const auto expert = [](int e, const std::string& block, const std::string& part, std::int64_t rows,
                         std::int64_t cols) {
    TensorSlice s = slice_of(rows, cols, Format::kFp32,
                             "model.layers.0." + block + ".experts." + std::to_string(e) + "." + part + ".weight");
    s.expert = e;
    return s;
  };
  for (int e = 0; e < kExperts; ++e) {
    const auto first = [&, e](std::int64_t half) {
      return [&gate_up, half, e](std::int64_t r, std::int64_t c) {
        return gate_up[static_cast<std::size_t>(((e * 2 + half) * kWidth + r) * kHidden + c)];
      };
    };
    const auto second = [&downs, e](std::int64_t r, std::int64_t c) {
      return downs[static_cast<std::size_t>((e * kHidden + r) * kWidth + c)];
    };
    expect_values(expert(e, "mlp", "gate_proj", kWidth, kHidden), first(0));
    expect_values(cut(expert(e, "mlp", "up_proj", kWidth, kHidden), 2, 2, 0, kHidden), first(1));
    expect_values(cut(expert(e, "mlp", "down_proj", kHidden, kWidth), 0, kHidden, 2, 2), second);
    expect_values(expert(e, "block_sparse_moe", "w1", kWidth, kHidden), first(0));
    expect_values(expert(e, "block_sparse_moe", "w3", kWidth, kHidden), first(1));
    expect_values(expert(e, "block_sparse_moe", "w2", kHidden, kWidth), second);
  }
  expect_refused(expert(3, "mlp", "gate_proj", kWidth, kHidden), "needs [more than 3, 8, 6]", "");
  expect_refused(expert(0, "mlp", "down_proj", kHidden, kWidth + 1), "is F32 [3, 6, 4]", "");
}

TEST_F(Checkpoint, SaysWhichTensorIsMissingAndWhatTheCheckpointIs) {
  Tensors tensors;
  tensors.add("model.layers.2.self_attn.q_proj.weight", "BF16", {4, 4}, std::vector<std::uint16_t>(16))
      .add("model.layers.3.self_attn.q_porj.weight", "BF16", {4, 4}, std::vector<std::uint16_t>(16))
      .add("language.model.layers.5.mlp.up_proj.weight", "BF16", {4, 4}, std::vector<std::uint16_t>(16))
      .add("extra", "BOOL", {1}, std::vector<std::uint8_t>(1));
  write(tensors, R"({"model_type": "qwen2", "hidden_size": 4, "num_hidden_layers": 9, "vocab_size": 11})");
  expect_refused(slice_of(4, 4, Format::kBf16), "there is no tensor " + kName,
                 "did you mean model.layers.3.self_attn.q_porj.weight?");  // not the same of layer 2
  expect_refused(slice_of(4, 4, Format::kBf16, "model.layers.5.mlp.up_proj.weight"), "there is no tensor",
                 "did you mean language.model.layers.5.mlp.up_proj.weight?");
  expect_refused(slice_of(8, 4, Format::kBf16, "model.layers.2.self_attn.q_proj.weight"),
                 "is BF16 [4, 4]; the planned model needs [8, 4]",
                 "config.json says model_type qwen2, hidden_size 4, num_hidden_layers 9, vocab_size 11");
  expect_refused(slice_of(1, 1, Format::kBf16, "extra"), "extra is BOOL [1]; the planned model needs [1, 1]", "");
}

TEST_F(Checkpoint, FilesOfAnIndexAreReadAsOne) {
  const std::vector<float> a = noise(8), b = noise(12);
  Tensors first, second;
  first.add("a", "F32", {2, 4}, a).add("b", "F32", {2, 6}, std::vector<float>(12));
  second.add("b", "F32", {2, 6}, b);
  first.write(folder_.path() / "one.safetensors");
  second.write(folder_.path() / "two.safetensors");
  folder_.write("model.safetensors.index.json",
                R"({"metadata": {"total_size": 80}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  expect_values(slice_of(2, 4, Format::kFp32, "a"),
                [&](auto r, auto c) { return a[static_cast<std::size_t>(r * 4 + c)]; });
  expect_values(slice_of(2, 6, Format::kFp32, "b"),
                [&](auto r, auto c) { return b[static_cast<std::size_t>(r * 6 + c)]; });
  EXPECT_EQ(CheckpointWeights(folder_.path()).describe(), "checkpoint " + folder_.path().string());
}

TEST_F(Checkpoint, AFolderThatIsNotCompleteIsRefusedWhenItIsOpened) {
  const auto refused = [&](const fs::path& path, const std::string& message) {
    SCOPED_TRACE(message);
    try {
      const CheckpointWeights source(path);
      FAIL() << "accepted";
    } catch (const InputError& error) {
      EXPECT_NE(error.message().find(message), std::string::npos) << error.what();
    }
  };
  refused(folder_.path() / "absent", "there is no such folder");
  refused(folder_.write("file", ""), "is not a folder");
  refused(folder_.path(), "holds neither model.safetensors nor model.safetensors.index.json");
  Tensors tensors;
  tensors.add("a", "F32", {1}, std::vector<float>(1)).write(folder_.path() / "one.safetensors");
  const auto with_index = [&](const std::string& text, const std::string& message) {
    folder_.write("model.safetensors.index.json", text);
    refused(folder_.path(), message);
  };
  with_index(R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})",
             "two.safetensors is missing, which should hold b");
  with_index(R"({"weight_map": {"b": "one.safetensors"}})", "one.safetensors should hold b, but does not");
  with_index(R"({"weight_map": {"a": "../one.safetensors"}})", "is no file of this folder");
  with_index(R"({"weight_map": {"a": ".."}})", "is no file of this folder");
  with_index(R"({"weight_map": {"a": ""}})", "is no file of this folder");
  with_index(R"({"weight_map": {"a": 1}})", "\"a\": expected a file name");
  with_index(R"({"weight_map": {"a": "one.safetensors", "a": "one.safetensors"}})", "\"a\" comes twice");
  with_index(R"({"weight_map": [1]})", "has no \"weight_map\"");
  with_index(R"({})", "has no \"weight_map\"");
  with_index(R"([])", "expected a JSON object");
  with_index("{\n  \"weight_map\": }", "is not JSON");
  with_index(R"({"a": 1e999})", "beyond all limits");
  with_index(std::string(100'000, '['), "nested too deep");
  try {
    folder_.write("model.safetensors.index.json", "{\n  \"weight_map\": }");
    const CheckpointWeights source(folder_.path());
  } catch (const InputError& error) {
    EXPECT_EQ(error.at().line, 2);
    EXPECT_EQ(error.at().column, 17);
  }
}

TEST_F(Checkpoint, SurvivesMutationsOfItsJson) {
  Tensors tensors;
  tensors.add("a", "F32", {1}, std::vector<float>(1)).write(folder_.path() / "one.safetensors");
  const std::string index = R"({"metadata": {"total_size": 4}, "weight_map": {"a": "one.safetensors"}})";
  std::mt19937 random(2);
  for (int i = 0; i < 3000 / kThinning; ++i) {
    folder_.write("model.safetensors.index.json", i % 2 == 0 ? mutated(index, random) : index);
    folder_.write("config.json", i % 2 == 0 ? kGptq2Config : mutated(kGptq2Config, random));
    try {
      const CheckpointWeights source(folder_.path());
      source.check({vector_of(1, "a")});
    } catch (const InputError& error) {
      EXPECT_FALSE(render(error).empty());
    } catch (const std::exception& error) {
      ADD_FAILURE() << "not an InputError: " << error.what();
    }
  }
}

}  // namespace
}  // namespace fathom
