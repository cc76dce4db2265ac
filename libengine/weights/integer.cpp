#include "weights/integer.h"

#include <fmt/format.h>

#include <algorithm>

#include "host/convert.h"
#include "weights/random_words.h"
#include "weights/slice_memory.h"

namespace fathom {

namespace {

constexpr std::uint16_t kFp16One = 0x3C00;
constexpr std::uint8_t kE4m3One = 0x38, kE4m3Sign = 0x80;

int integer(std::uint8_t byte) { return byte < 32 ? 1 : byte < 64 ? -1 : 0; }

std::uint8_t e4m3(int number) {
  return number == 0 ? std::uint8_t{0} : number > 0 ? kE4m3One : static_cast<std::uint8_t>(kE4m3One | kE4m3Sign);
}

}  // namespace

LoadedMatrix IntegerWeights::matrix(const TensorSlice& s, Account& account) const {
  LoadedMatrix m = matrix_memory(s, account);
  std::fill_n(m.codes.data(), m.codes.bytes(), std::byte{0});
  const RandomWords values(seed_, s.name, Stream::kValues);
  for (std::int64_t r = 0; r < s.row_count; ++r) {
    for (std::int64_t c = 0; c < s.col_count; ++c) {
      const int number = integer(values.byte((s.row + r) * s.cols + s.col + c));
      const std::int64_t at = r * s.col_count + c;
      switch (m.view.storage) {
        case host::Storage::kFp32:
          m.codes.as<float>()[at] = static_cast<float>(number);
          break;
        case host::Storage::kBf16:
          m.codes.as<std::uint16_t>()[at] = host::to_bf16(static_cast<float>(number));
          break;
        case host::Storage::kFp8Block128:
          m.codes.as<std::uint8_t>()[at] = e4m3(number);
          break;
        case host::Storage::kInt4G128:
        case host::Storage::kInt4G128Asym:
          put_four_bits(m.codes.as<std::uint8_t>() + code_bytes(at - at % kBlock), at % kBlock,
                        static_cast<unsigned>(8 + number));
          break;
      }
    }
  }
  if (m.view.storage == host::Storage::kFp8Block128) {
    std::fill_n(m.scales.as<float>(), m.scales.bytes() / sizeof(float), 1.0F);
  } else {
    std::fill_n(m.scales.as<std::uint16_t>(), m.scales.bytes() / sizeof(std::uint16_t), kFp16One);
  }
  std::fill_n(m.zeros.data(), m.zeros.bytes(), std::byte{0x88});
  return m;
}

LoadedVector IntegerWeights::vector(const TensorSlice& s, Account& account) const {
  LoadedVector v = vector_memory(s, account);
  const RandomWords values(seed_, s.name, Stream::kValues);
  for (std::int64_t i = 0; i < s.row_count; ++i) {
    const std::uint8_t byte = values.byte(s.row + i);
    float& out = v.values.as<float>()[i];
    if (s.role == Role::kRouterBias) {
      out = static_cast<float>(byte) / 64;
    } else {
      out = s.role == Role::kNorm && s.name.ends_with(".weight") ? 1.0F : static_cast<float>(integer(byte));
    }
  }
  return v;
}

void IntegerWeights::check(const std::vector<TensorSlice>& slices) const { check_storable(slices, describe()); }

std::string IntegerWeights::describe() const { return fmt::format("integer test weights, seed {}", seed_); }

}  // namespace fathom
