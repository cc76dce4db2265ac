#include "units/fact.h"

#include <array>

namespace fathom {

namespace {

constexpr std::array kWords = {"measured", "datasheet", "derived", "reported", "stated", "assumed"};

}  // namespace

std::string to_string(Confidence confidence) { return kWords.at(static_cast<std::size_t>(confidence)); }

std::optional<Confidence> parse_confidence(const std::string& text) {
  for (std::size_t i = 0; i < kWords.size(); ++i) {
    if (text == kWords[i]) return static_cast<Confidence>(i);
  }
  return std::nullopt;
}

}  // namespace fathom
