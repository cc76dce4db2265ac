#include "weights/stored_floats.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <type_traits>

#include "host/convert.h"
#include "weights/slice_memory.h"

namespace fathom {

namespace {

using Part = SafetensorsFile::Part;

// Calls use(rows of the part, their stored items) for a few rows at a time, so that a copy in another format never
// needs the memory of the whole.
template <class Item, class Use>
void for_batches(const SafetensorsFile& file, const StoredTensor& tensor, const Part& part, Use use) {
  constexpr std::int64_t kItems = 1 << 20;
  const std::int64_t rows_at_once = std::max<std::int64_t>(1, kItems / std::max<std::int64_t>(1, part.cols));
  std::vector<Item> items;
  for (std::int64_t row = 0; row < part.rows; row += rows_at_once) {
    const Part batch{part.row + row, std::min(rows_at_once, part.rows - row), part.col, part.cols};
    items.resize(static_cast<std::size_t>(batch.rows * batch.cols));
    file.read(tensor, batch, items.data());
    use(batch, items);
  }
}

void store(float value, float& out) { out = value; }
void store(float value, std::uint16_t& out) { out = host::to_bf16(value); }

template <class Out>
void read_any(const SafetensorsFile& file, const StoredTensor& tensor, const Part& part, Out* out) {
  const auto sixteen = [&](float (*decode)(std::uint16_t)) {
    for_batches<std::uint16_t>(file, tensor, part, [&](const Part&, const std::vector<std::uint16_t>& items) {
      for (std::uint16_t item : items) store(decode(item), *out++);
    });
  };
  const std::string_view own_type = std::is_same_v<Out, float> ? "F32" : "BF16";
  if (tensor.dtype == own_type) {
    file.read(tensor, part, out);
  } else if (tensor.dtype == "BF16") {
    sixteen(host::from_bf16);
  } else if (tensor.dtype == "F16") {
    sixteen(host::from_fp16);
  } else if (tensor.dtype == "F32") {
    for_batches<float>(file, tensor, part, [&](const Part&, const std::vector<float>& items) {
      for (float item : items) store(item, *out++);
    });
  } else {
    throw std::invalid_argument(tensor.name + " is no float tensor");
  }
}

template <class Out>
void read_tiles(const SafetensorsFile& file, const StoredTensor& tensor, const Part& part, const TileScales& scales,
                Out* out) {
  std::array<float, 256> values;
  for (std::size_t code = 0; code < values.size(); ++code)
    values[code] = host::from_e4m3(static_cast<std::uint8_t>(code));
  for_batches<std::uint8_t>(file, tensor, part, [&](const Part& batch, const std::vector<std::uint8_t>& items) {
    auto item = items.begin();
    for (std::int64_t row = batch.row; row < batch.row + batch.rows; ++row) {
      const float* scale = &scales.values[static_cast<std::size_t>((row / kBlock - scales.first_row) * scales.across)];
      for (std::int64_t col = batch.col; col < batch.col + batch.cols; ++col) {
        store(values[*item++] * scale[col / kBlock - scales.first_col], *out++);
      }
    }
  });
}

}  // namespace

bool is_float(const std::string& dtype) { return dtype == "F32" || dtype == "F16" || dtype == "BF16"; }

void read_floats(const SafetensorsFile& file, const StoredTensor& tensor, const Part& part, float* out) {
  read_any(file, tensor, part, out);
}
void read_bf16(const SafetensorsFile& file, const StoredTensor& tensor, const Part& part, std::uint16_t* out) {
  read_any(file, tensor, part, out);
}
void read_dequantized(const SafetensorsFile& file, const StoredTensor& tensor, const Part& part,
                      const TileScales& scales, float* out) {
  read_tiles(file, tensor, part, scales, out);
}
void read_dequantized(const SafetensorsFile& file, const StoredTensor& tensor, const Part& part,
                      const TileScales& scales, std::uint16_t* out) {
  read_tiles(file, tensor, part, scales, out);
}

}  // namespace fathom
