#include "manifests/quantity.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace fathom::manifests {

namespace {

constexpr std::array<std::pair<std::string_view, double>, 16> kSuffixes = {{{"n", 1e-9},
                                                                            {"u", 1e-6},
                                                                            {"m", 1e-3},
                                                                            {"", 1},
                                                                            {"k", 1e3},
                                                                            {"M", 1e6},
                                                                            {"G", 1e9},
                                                                            {"T", 1e12},
                                                                            {"P", 1e15},
                                                                            {"E", 1e18},
                                                                            {"Ki", 0x1p10},
                                                                            {"Mi", 0x1p20},
                                                                            {"Gi", 0x1p30},
                                                                            {"Ti", 0x1p40},
                                                                            {"Pi", 0x1p50},
                                                                            {"Ei", 0x1p60}}};

// Digits with at most one point; the rest is what follows.
std::optional<double> leading_decimal(std::string_view text, std::string_view& rest) {
  const std::size_t end = text.find_first_not_of("0123456789.");
  const std::string_view digits = text.substr(0, end);
  double value = 0;
  const auto [last, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || last != digits.data() + digits.size()) return std::nullopt;
  rest = end == std::string_view::npos ? std::string_view{} : text.substr(end);
  return value;
}

std::optional<double> exponent(std::string_view text) {
  if (text.size() < 2 || (text[0] != 'e' && text[0] != 'E')) return std::nullopt;
  text.remove_prefix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  int power = 0;
  const auto [last, error] = std::from_chars(text.data(), text.data() + text.size(), power);
  if (error != std::errc{} || last != text.data() + text.size() || std::abs(power) > 30) return std::nullopt;
  return std::pow(10.0, power);
}

}  // namespace

std::optional<KubernetesQuantity> parse_kubernetes_quantity(std::string_view text) {
  double sign = 1;
  if (text.starts_with('+') || text.starts_with('-')) {
    sign = text[0] == '-' ? -1 : 1;
    text.remove_prefix(1);
  }
  std::string_view rest;
  const auto value = leading_decimal(text, rest);
  if (!value) return std::nullopt;
  for (const auto& [suffix, factor] : kSuffixes) {
    if (suffix == rest) return KubernetesQuantity{sign * *value * factor, std::string(suffix)};
  }
  if (const auto factor = exponent(rest)) return KubernetesQuantity{sign * *value * *factor, std::string(rest)};
  return std::nullopt;
}

std::string nearest_quantity(std::string_view text) {
  std::string_view rest;
  if (!leading_decimal(text, rest)) return {};
  const std::string digits(text.substr(0, text.size() - rest.size()));
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  if (rest.ends_with('B') || rest.ends_with('b')) rest.remove_suffix(1);
  if (rest.empty()) return digits;
  std::string suffix(rest);
  const char first = suffix[0];
  if (first >= 'a' && first <= 'z') suffix[0] = static_cast<char>(first - 32);
  if (suffix.size() == 2 && suffix[1] == 'I') suffix[1] = 'i';
  if (suffix == "K") suffix = "k";
  return parse_kubernetes_quantity(digits + suffix) ? digits + suffix : std::string();
}

}  // namespace fathom::manifests
