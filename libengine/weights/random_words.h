// Random bits that depend on a tensor's name and a position in it, and on nothing else: word i of a stream is
//
//   mix(key + i * 0x9E3779B97F4A7C15),  key = mix((fnv1a(name) ^ mix(seed)) + stream)
//
// in 64-bit arithmetic that wraps, mix being the finaliser of splitmix64 and fnv1a the 64-bit FNV-1a hash of the name's
// bytes. Any part of a tensor can be made anywhere, on any device, without the rest.
#pragma once

#include <cstdint>
#include <string_view>

namespace fathom {

constexpr std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

constexpr std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return hash;
}

enum class Stream { kValues = 0, kScales = 1, kZeros = 2 };

class RandomWords {
 public:
  constexpr RandomWords(std::uint64_t seed, std::string_view name, Stream stream)
      : key_(mix((fnv1a(name) ^ mix(seed)) + static_cast<std::uint64_t>(stream))) {}

  constexpr std::uint64_t key() const { return key_; }
  constexpr std::uint64_t word(std::int64_t i) const {
    return mix(key_ + static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15);
  }
  // Words cut into small pieces, low bits first.
  constexpr std::uint16_t sixteen_bits(std::int64_t i) const {
    return static_cast<std::uint16_t>(word(i / 4) >> (16 * (i % 4)));
  }
  constexpr std::uint8_t byte(std::int64_t i) const { return static_cast<std::uint8_t>(word(i / 8) >> (8 * (i % 8))); }

 private:
  std::uint64_t key_;
};

}  // namespace fathom
