// Sixteen- and eight-bit floats to and from fp32, bit by bit: nothing here needs special instructions.
#pragma once

#include <bit>
#include <cstdint>

namespace fathom::host {

inline constexpr std::uint32_t kFp32Infinity = 0x7f800000u;

inline float from_bf16(std::uint16_t code) { return std::bit_cast<float>(static_cast<std::uint32_t>(code) << 16); }

// Nearest, ties to even; a NaN stays a NaN.
inline std::uint16_t to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7fffffffu) > kFp32Infinity) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Exponent and mantissa land in fp32's places with the bias of fp16, 15; 2^112 makes it 127, and subnormals with it.
inline float from_fp16(std::uint16_t code) {
  const std::uint32_t sign = static_cast<std::uint32_t>(code & 0x8000) << 16;
  const std::uint32_t magnitude = static_cast<std::uint32_t>(code & 0x7fff) << 13;
  if ((code & 0x7c00) == 0x7c00) return std::bit_cast<float>(sign | kFp32Infinity | magnitude);
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f));
}

// Nearest, ties to even; 65,520 and above become infinity.
inline std::uint16_t to_fp16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffffu;
  std::uint32_t code;
  if (magnitude > kFp32Infinity) {
    code = 0x7e00 | (magnitude >> 13 & 0x1ff);
  } else if (magnitude >= std::bit_cast<std::uint32_t>(0x1p16f)) {
    code = 0x7c00;
  } else if (magnitude < std::bit_cast<std::uint32_t>(0x1p-14f)) {
    // Beside 0.5 fp32 counts in steps of 2^-24, which is fp16's smallest number: the addition rounds.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    code = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5f);
  } else {
    code = (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
  }
  return static_cast<std::uint16_t>(sign | code);
}

// E4M3 without infinities (OCP 8-bit floating point specification 1.0, 2023): bias 7, largest 448, NaN 0x7f and 0xff.
inline float from_e4m3(std::uint8_t code) {
  const std::uint32_t sign = static_cast<std::uint32_t>(code & 0x80) << 24;
  const std::uint32_t magnitude = static_cast<std::uint32_t>(code & 0x7f);
  if (magnitude == 0x7f) return std::bit_cast<float>(sign | 0x7fc00000u);
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude << 20) * 0x1p120f));
}

// Nearest, ties to even; whatever is beyond 448, infinity too, becomes 448.
inline std::uint8_t to_e4m3(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = bits >> 24 & 0x80, magnitude = bits & 0x7fffffffu;
  std::uint32_t code;
  if (magnitude > kFp32Infinity) {
    code = 0x7f;
  } else if (magnitude >= std::bit_cast<std::uint32_t>(448.f)) {
    code = 0x7e;
  } else if (magnitude < std::bit_cast<std::uint32_t>(0x1p-6f)) {
    const float shifted = std::bit_cast<float>(magnitude) + 0x1p14f;  // there fp32 counts in steps of 2^-9
    code = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0x1p14f);
  } else {
    code = (magnitude - (120u << 23) + 0x7ffff + (magnitude >> 20 & 1)) >> 20;
  }
  return static_cast<std::uint8_t>(sign | code);
}

}  // namespace fathom::host
