// Small checkpoints written by a test, and what is expected of their tensors.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "host/convert.h"
#include "input/error.h"
#include "support/scratch_folder.h"
#include "weights/checkpoint.h"

namespace fathom {

inline const std::string kName = "model.layers.3.self_attn.q_proj.weight";

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
  void write(const std::filesystem::path& path) {
    for (std::size_t i = 0; i < list_.size(); ++i) list_[i].bytes = bytes_[i];
    write_safetensors(path, list_);
  }

 private:
  std::vector<std::vector<std::byte>> bytes_;
  std::vector<TensorToWrite> list_;
};

inline TensorSlice slice_of(std::int64_t rows, std::int64_t cols, Format format, const std::string& name = kName) {
  TensorSlice s;
  s.name = name;
  s.rows = s.row_count = rows;
  s.cols = s.col_count = cols;
  s.format = format;
  s.role = Role::kAttention;
  return s;
}

inline TensorSlice cut(TensorSlice s, std::int64_t row, std::int64_t rows, std::int64_t col, std::int64_t cols) {
  s.row = row;
  s.row_count = rows;
  s.col = col;
  s.col_count = cols;
  return s;
}

inline TensorSlice vector_of(std::int64_t size, const std::string& name) {
  TensorSlice s = slice_of(size, 1, Format::kBf16, name);
  s.vector = true;
  return s;
}

inline std::vector<float> noise(std::size_t count) {
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

}  // namespace fathom
