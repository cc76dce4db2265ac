// The safetensors format: a length, a JSON header that lists named arrays, and their bytes
// (github.com/huggingface/safetensors).
//
// Reading is strict about the header and lazy about the bytes: a damaged file is an InputError when it is opened, and
// only the part of a tensor that is asked for is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace fathom {

std::optional<int> bits_of(
    const std::string& dtype);  // of "F32", "BF16", "F8_E4M3" …; empty when there is no such type
std::string shape_text(const std::vector<std::int64_t>& shape);  // "[4096, 14336]"

struct StoredTensor {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::int64_t begin = 0, end = 0;  // bytes of the file

  // As a matrix: the last dimension are the columns, all others together the rows; a vector has one column.
  std::int64_t rows() const;
  std::int64_t cols() const;
};

class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;
  ~SafetensorsFile();

  const std::string& name() const { return name_; }  // as it was opened
  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  const StoredTensor* find(const std::string& name) const;  // nullptr when absent

  // Part of a tensor seen as a matrix, row after row without gaps. Thread-safe.
  struct Part {
    std::int64_t row = 0, rows = 0;
    std::int64_t col = 0, cols = 0;
  };
  void read(const StoredTensor& tensor, const Part& part, void* out) const;

 private:
  void read_bytes(const StoredTensor& tensor, std::int64_t from, std::int64_t count, void* out) const;

  std::string name_;
  int descriptor_ = -1;
  std::vector<StoredTensor> tensors_;
  std::unordered_map<std::string, std::size_t> by_name_;
};

struct TensorToWrite {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  // of the caller
};

// Complete or not at all: written beside the target, then renamed. Throws std::runtime_error when the disk refuses and
// std::invalid_argument when bytes and shape disagree or a name comes twice.
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors);

}  // namespace fathom
