#include "host/matrix.h"

#include <cstring>

#include "host/convert.h"

namespace fathom::host {
namespace {

constexpr std::int64_t kGroup = 128;  // columns per scale; rows too, for fp8

std::int64_t divided_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

template <class T>
T at(const void* base, std::int64_t index) {
  T result;
  std::memcpy(&result, static_cast<const char*>(base) + index * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return result;
}

// Bytes of one row of each part; fp8 scales are counted per row of tiles.
struct RowBytes {
  std::int64_t codes = 0, scales = 0, zeros = 0;
};

RowBytes row_bytes(Storage storage, std::int64_t cols) {
  switch (storage) {
    case Storage::kFp32:
      return {.codes = 4 * cols};
    case Storage::kBf16:
      return {.codes = 2 * cols};
    case Storage::kFp8Block128:
      return {.codes = cols, .scales = 4 * divided_up(cols, kGroup)};
    case Storage::kInt4G128:
      return {.codes = cols / 2, .scales = 2 * (cols / kGroup)};
    case Storage::kInt4G128Asym:
      return {.codes = cols / 2, .scales = 2 * (cols / kGroup), .zeros = divided_up(cols / kGroup, 2)};
  }
  return {};
}

const void* moved(const void* base, std::int64_t bytes) {
  return base == nullptr ? nullptr : static_cast<const char*>(base) + bytes;
}

int nibble(const Matrix& w, std::int64_t row, std::int64_t col) {
  const std::int64_t word = (row * w.cols + col) / kGroup * 16 + col % 16;
  return static_cast<int>(at<std::uint32_t>(w.codes, word) >> (4 * (col % kGroup / 16)) & 15);
}

}  // namespace

Matrix Matrix::row_range(std::int64_t first, std::int64_t count) const {
  const RowBytes step = row_bytes(storage, cols);
  Matrix part = *this;
  part.rows = count;
  part.codes = moved(codes, first * step.codes);
  part.zeros = moved(zeros, first * step.zeros);
  if (storage == Storage::kFp8Block128) {
    part.scales = moved(scales, (row_phase + first) / kGroup * step.scales);
    part.row_phase = (row_phase + first) % kGroup;
  } else {
    part.scales = moved(scales, first * step.scales);
  }
  return part;
}

MatrixBytes matrix_bytes(Storage storage, std::int64_t rows, std::int64_t cols) {
  const RowBytes step = row_bytes(storage, cols);
  const std::int64_t scale_rows = storage == Storage::kFp8Block128 ? divided_up(rows, kGroup) : rows;
  return {.codes = static_cast<std::size_t>(rows * step.codes),
          .scales = static_cast<std::size_t>(scale_rows * step.scales),
          .zeros = static_cast<std::size_t>(rows * step.zeros)};
}

float value(const Matrix& w, std::int64_t row, std::int64_t col) {
  const std::int64_t element = row * w.cols + col, groups = w.cols / kGroup;
  switch (w.storage) {
    case Storage::kFp32:
      return at<float>(w.codes, element);
    case Storage::kBf16:
      return from_bf16(at<std::uint16_t>(w.codes, element));
    case Storage::kFp8Block128: {
      const std::int64_t tile = (w.row_phase + row) / kGroup * divided_up(w.cols, kGroup) + col / kGroup;
      return from_e4m3(at<std::uint8_t>(w.codes, element)) * at<float>(w.scales, tile);
    }
    case Storage::kInt4G128:
      return static_cast<float>(nibble(w, row, col) - 8) * from_fp16(at<std::uint16_t>(w.scales, element / kGroup));
    case Storage::kInt4G128Asym: {
      const std::int64_t group = col / kGroup;
      const int zeros = at<std::uint8_t>(w.zeros, row * divided_up(groups, 2) + group / 2);
      const int zero = zeros >> (4 * (group % 2)) & 15;
      return static_cast<float>(nibble(w, row, col) - zero) * from_fp16(at<std::uint16_t>(w.scales, element / kGroup));
    }
  }
  return 0;
}

}  // namespace fathom::host
