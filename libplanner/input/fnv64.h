// FNV-1a, 64 bits: names a content in a few digits. No protection against those who want two contents to collide.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom {

class Fnv64 {
 public:
  void add(char c) { hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3u; }
  void add(std::string_view text) {
    for (const char c : text) add(c);
  }
  std::string hex() const {  // 16 digits
    std::string out(16, '0');
    for (int i = 0; i < 16; ++i) out[15 - i] = "0123456789abcdef"[hash_ >> (4 * i) & 15u];
    return out;
  }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

}  // namespace fathom
