#include "weights/slice_memory.h"

#include <fmt/format.h>

#include <stdexcept>

#include "input/error.h"

namespace fathom {

std::string unsupported(Format format) {
  switch (format) {
    case Format::kFp32:
    case Format::kBf16:
    case Format::kFp8Block128:
    case Format::kInt4G128:
    case Format::kInt4G128Asym:
      return {};
    default:
      break;
  }
  return fmt::format("the engine has no {} kernels; it runs bf16, fp8-block128 and int4-g128", to_string(format));
}

host::Storage storage_of(Format format) {
  switch (format) {
    case Format::kFp32:
      return host::Storage::kFp32;
    case Format::kBf16:
      return host::Storage::kBf16;
    case Format::kFp8Block128:
      return host::Storage::kFp8Block128;
    case Format::kInt4G128:
      return host::Storage::kInt4G128;
    case Format::kInt4G128Asym:
      return host::Storage::kInt4G128Asym;
    default:
      throw std::invalid_argument(unsupported(format));
  }
}

std::string unstorable(const TensorSlice& s) {
  const bool inside = s.row >= 0 && s.col >= 0 && s.row_count >= 0 && s.col_count >= 0 &&
                      s.row_count <= s.rows - s.row && s.col_count <= s.cols - s.col;
  if (!inside) return fmt::format("{}: the slice is not part of its {} x {} tensor", s.name, s.rows, s.cols);
  if (s.vector) return s.cols == 1 ? "" : fmt::format("{}: a vector has one column, not {}", s.name, s.cols);
  if (const std::string why = unsupported(s.format); !why.empty()) return fmt::format("{}: {}", s.name, why);
  const bool four_bit = s.format == Format::kInt4G128 || s.format == Format::kInt4G128Asym;
  if (!four_bit && s.format != Format::kFp8Block128) return {};
  if (four_bit && s.cols % kBlock != 0) {
    return fmt::format("{}: {} needs a multiple of 128 inputs, not {}", s.name, to_string(s.format), s.cols);
  }
  const bool ends_at_block = s.col_count % kBlock == 0 || s.col + s.col_count == s.cols;
  if (s.col % kBlock != 0 || !ends_at_block) {
    return fmt::format("{}: columns {} to {} cut a block of 128, which {} does not allow", s.name, s.col,
                       s.col + s.col_count, to_string(s.format));
  }
  return {};
}

void check_storable(const std::vector<TensorSlice>& slices, const std::string& source) {
  for (const TensorSlice& slice : slices) {
    if (const std::string why = unstorable(slice); !why.empty()) {
      throw InputError(source, {}, why, "choose weights that the engine runs, or another degree of parallelism");
    }
  }
}

LoadedMatrix matrix_memory(const TensorSlice& s, Account& account) {
  if (const std::string why = unstorable(s); !why.empty()) throw std::invalid_argument(why);
  LoadedMatrix m;
  m.view.storage = storage_of(s.format);
  m.view.rows = s.row_count;
  m.view.cols = s.col_count;
  if (s.format == Format::kFp8Block128) m.view.row_phase = s.row % kBlock;
  host::MatrixBytes bytes = host::matrix_bytes(m.view.storage, s.row_count, s.col_count);
  if (m.view.row_phase > 0) {  // the first tile is there in part
    bytes.scales = host::matrix_bytes(m.view.storage, m.view.row_phase + s.row_count, s.col_count).scales;
  }
  m.codes = Buffer(account, Purpose::kWeights, bytes.codes);
  m.scales = Buffer(account, Purpose::kWeights, bytes.scales);
  m.zeros = Buffer(account, Purpose::kWeights, bytes.zeros);
  m.view.codes = m.codes.data();
  m.view.scales = m.scales.data();
  m.view.zeros = m.zeros.data();
  return m;
}

LoadedVector vector_memory(const TensorSlice& s, Account& account) {
  if (const std::string why = unstorable(s); !why.empty()) throw std::invalid_argument(why);
  return {Buffer(account, Purpose::kWeights, static_cast<std::size_t>(s.row_count) * sizeof(float))};
}

}  // namespace fathom
