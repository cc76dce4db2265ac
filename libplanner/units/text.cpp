#include "units/text.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include "units/number.h"

namespace fathom {

namespace {

enum class Dimension {
  kBytes,
  kBandwidth,
  kWork,
  kComputeRate,
  kDuration,
  kPower,
  kEnergy,
  kLength,
  kCount,  // tokens, requests: only as the upper half of a rate
  kRate,
  kTemperature,
};

struct Wording {
  std::string_view name;
  std::string_view example;
};

Wording wording(Dimension dimension) {
  switch (dimension) {
    case Dimension::kBytes:
      return {"an amount of bytes", "80 GiB"};
    case Dimension::kBandwidth:
      return {"a bandwidth", "400 Gb/s"};
    case Dimension::kWork:
      return {"an amount of work", "73 GFLOP"};
    case Dimension::kComputeRate:
      return {"a compute rate", "989.4 TFLOPS"};
    case Dimension::kDuration:
      return {"a duration", "24 h"};
    case Dimension::kPower:
      return {"a power", "10.2 kW"};
    case Dimension::kEnergy:
      return {"an energy", "5 kWh"};
    case Dimension::kLength:
      return {"a length", "120 m"};
    case Dimension::kCount:
      return {"a count", "100 tokens"};
    case Dimension::kRate:
      return {"a rate", "0.5 /s"};
    case Dimension::kTemperature:
      return {"a temperature", "27 C"};
  }
  return {};
}

struct Unit {
  Dimension dimension;
  double scale;  // to the coherent SI unit
};

// ---------------------------------------------------------------------------------------------------------------------
// Symbols

struct Symbol {
  std::string_view text;
  Unit unit;
  std::string_view prefixes = "";  // SI prefixes that may stand before it
  bool binary = false;             // Ki, Mi, Gi, Ti, Pi as well
};

constexpr double kMinute = 60, kHour = 3600, kDay = 86400;

// "K" is missing before B: half of the world writes KB for 1024 bytes.
constexpr Symbol kSymbols[] = {
    {"B", {Dimension::kBytes, 1}, "kMGTPE", true},
    {"byte", {Dimension::kBytes, 1}},
    {"bytes", {Dimension::kBytes, 1}},
    {"b", {Dimension::kBytes, 0.125}, "kKMGTPE", true},
    {"bit", {Dimension::kBytes, 0.125}, "kKMGTPE", true},
    {"bits", {Dimension::kBytes, 0.125}},
    {"Bps", {Dimension::kBandwidth, 1}, "kMGTPE", true},
    {"bps", {Dimension::kBandwidth, 0.125}, "kKMGTPE", true},
    {"FLOP", {Dimension::kWork, 1}, "kKMGTPE"},
    {"OP", {Dimension::kWork, 1}, "kKMGTPE"},
    {"FLOPS", {Dimension::kComputeRate, 1}, "kKMGTPE"},
    {"OPS", {Dimension::kComputeRate, 1}, "kKMGTPE"},
    {"s", {Dimension::kDuration, 1}, "mun"},
    {"sec", {Dimension::kDuration, 1}},
    {"second", {Dimension::kDuration, 1}},
    {"seconds", {Dimension::kDuration, 1}},
    {"min", {Dimension::kDuration, kMinute}},
    {"minute", {Dimension::kDuration, kMinute}},
    {"minutes", {Dimension::kDuration, kMinute}},
    {"h", {Dimension::kDuration, kHour}},
    {"hour", {Dimension::kDuration, kHour}},
    {"hours", {Dimension::kDuration, kHour}},
    {"d", {Dimension::kDuration, kDay}},
    {"day", {Dimension::kDuration, kDay}},
    {"days", {Dimension::kDuration, kDay}},
    {"week", {Dimension::kDuration, 7 * kDay}},
    {"weeks", {Dimension::kDuration, 7 * kDay}},
    {"month", {Dimension::kDuration, 730 * kHour}},  // a twelfth of 8760 h
    {"months", {Dimension::kDuration, 730 * kHour}},
    {"year", {Dimension::kDuration, 8760 * kHour}},
    {"years", {Dimension::kDuration, 8760 * kHour}},
    {"W", {Dimension::kPower, 1}, "mkKMG"},
    {"VA", {Dimension::kPower, 1}, "kKM"},
    {"J", {Dimension::kEnergy, 1}, "numkKMGT"},
    {"Wh", {Dimension::kEnergy, kHour}, "kKMGT"},
    {"m", {Dimension::kLength, 1}, "mckK"},
    {"Hz", {Dimension::kRate, 1}, "kKMG"},
    {"token", {Dimension::kCount, 1}},
    {"tokens", {Dimension::kCount, 1}},
    {"tok", {Dimension::kCount, 1}, "kKM"},
    {"request", {Dimension::kCount, 1}},
    {"requests", {Dimension::kCount, 1}},
    {"req", {Dimension::kCount, 1}},
    {"call", {Dimension::kCount, 1}},
    {"calls", {Dimension::kCount, 1}},
    {"C", {Dimension::kTemperature, 1}},
    {"°C", {Dimension::kTemperature, 1}},
    {"℃", {Dimension::kTemperature, 1}},
};

double si_factor(char prefix) {
  switch (prefix) {
    case 'n':
      return 1e-9;
    case 'u':
      return 1e-6;
    case 'm':
      return 1e-3;
    case 'c':
      return 1e-2;
    case 'k':
    case 'K':
      return 1e3;
    case 'M':
      return 1e6;
    case 'G':
      return 1e9;
    case 'T':
      return 1e12;
    case 'P':
      return 1e15;
    case 'E':
      return 1e18;
    default:
      return 0;
  }
}

double binary_factor(std::string_view prefix) {
  if (prefix == "Ki") return 0x1p10;
  if (prefix == "Mi") return 0x1p20;
  if (prefix == "Gi") return 0x1p30;
  if (prefix == "Ti") return 0x1p40;
  if (prefix == "Pi") return 0x1p50;
  return 0;
}

// 0 when `prefix` may not stand before `symbol`.
double prefix_factor(std::string_view prefix, const Symbol& symbol) {
  if (prefix.empty()) return 1;
  if (prefix.size() == 1 && symbol.prefixes.find(prefix[0]) != std::string_view::npos) return si_factor(prefix[0]);
  return symbol.binary ? binary_factor(prefix) : 0;
}

std::optional<Unit> find_simple_unit(std::string_view text) {
  for (const Symbol& symbol : kSymbols) {
    if (!text.ends_with(symbol.text)) continue;
    const double factor = prefix_factor(text.substr(0, text.size() - symbol.text.size()), symbol);
    if (factor != 0) return Unit{symbol.unit.dimension, symbol.unit.scale * factor};
  }
  return std::nullopt;
}

std::optional<Dimension> per_time(Dimension dimension) {
  switch (dimension) {
    case Dimension::kBytes:
      return Dimension::kBandwidth;
    case Dimension::kWork:
      return Dimension::kComputeRate;
    case Dimension::kCount:
      return Dimension::kRate;
    default:
      return std::nullopt;
  }
}

std::optional<Unit> find_unit(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return find_simple_unit(text);
  const std::string_view above = trimmed(text.substr(0, slash));
  const std::optional<Unit> upper = above.empty() ? Unit{Dimension::kCount, 1} : find_simple_unit(above);
  const std::optional<Unit> lower = find_simple_unit(trimmed(text.substr(slash + 1)));
  if (!upper || !lower || lower->dimension != Dimension::kDuration) return std::nullopt;
  const std::optional<Dimension> ratio = per_time(upper->dimension);
  if (!ratio) return std::nullopt;
  return Unit{*ratio, upper->scale / lower->scale};
}

// The micro sign exists twice in Unicode; inside, it is "u".
std::string with_plain_micro(std::string_view text) {
  for (const std::string_view micro : {"\u00B5", "\u03BC"}) {
    if (text.starts_with(micro)) return "u" + std::string(text.substr(micro.size()));
  }
  return std::string(text);
}

// ---------------------------------------------------------------------------------------------------------------------
// Reading

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Capitals are what people get wrong ("gb/s"): tries every way to write them and keeps the units that would be welcome.
std::string other_capitals(std::string_view symbol, Dimension expected) {
  constexpr std::size_t kMostLetters = 8;  // 256 ways
  std::vector<std::size_t> letters;
  for (std::size_t i = 0; i < symbol.size(); ++i) {
    if (is_letter(symbol[i])) letters.push_back(i);
  }
  if (letters.size() > kMostLetters) return {};
  std::vector<std::string> found;
  for (unsigned bits = 0; bits < 1u << letters.size() && found.size() < 3; ++bits) {
    std::string candidate(symbol);
    for (std::size_t i = 0; i < letters.size(); ++i) {
      char& c = candidate[letters[i]];
      c = static_cast<char>(bits >> i & 1u ? c | 0x20 : c & ~0x20);
    }
    if (candidate.starts_with('K') && find_unit("k" + candidate.substr(1))) continue;  // taken for kilo, never proposed
    const std::optional<Unit> unit = find_unit(candidate);
    if (unit && unit->dimension == expected) found.push_back(in_quotes(candidate));
  }
  return found.empty() ? std::string() : fmt::format("; did you mean {}?", listed(found, " or "));
}

std::string unknown_unit(std::string_view symbol, Dimension expected) {
  if (symbol.starts_with(',')) return "; a comma separates thousands (1,000), the decimal point is \".\"";
  if (symbol.starts_with("KB")) return "; write kB for 1000 bytes or KiB for 1024";
  return fmt::format("; {} is no known unit{}", in_quotes(symbol), other_capitals(symbol, expected));
}

[[noreturn]] void refuse(Dimension expected, std::string_view text, const std::string& why) {
  const Wording wanted = wording(expected);
  throw UnitError(
      fmt::format("expected {} such as \"{}\", got {}{}", wanted.name, wanted.example, in_quotes(text), why));
}

// The number in SI units, of either sign.
double parse_signed(std::string_view text, Dimension expected) {
  text = trimmed(text);
  if (text.empty()) refuse(expected, text, ", an empty text");
  const std::optional<ScannedNumber> number = scan_number(text);
  if (!number) refuse(expected, text, ", which does not start with a number");
  if (number->rest.empty()) {
    const Wording wanted = wording(expected);
    throw UnitError(
        fmt::format("expected {} such as \"{}\", but {} has no unit", wanted.name, wanted.example, in_quotes(text)));
  }
  const std::optional<Unit> unit = find_unit(with_plain_micro(number->rest));
  if (!unit) refuse(expected, text, unknown_unit(number->rest, expected));
  if (unit->dimension != expected) refuse(expected, text, fmt::format(", {}", wording(unit->dimension).name));
  const double value = number->value * unit->scale;
  if (!number->in_range || !std::isfinite(value)) refuse(expected, text, ", which is out of range");
  return value;
}

double parse(std::string_view text, Dimension expected) {
  const double value = parse_signed(text, expected);
  if (value < 0) refuse(expected, text, ", which is negative");
  return value + 0.0;  // turns -0 into 0
}

}  // namespace

Bytes parse_bytes(std::string_view text) { return Bytes(parse(text, Dimension::kBytes)); }
BytesPerSecond parse_bandwidth(std::string_view text) { return BytesPerSecond(parse(text, Dimension::kBandwidth)); }
FlopsPerSecond parse_compute_rate(std::string_view text) {
  return FlopsPerSecond(parse(text, Dimension::kComputeRate));
}
Seconds parse_duration(std::string_view text) { return Seconds(parse(text, Dimension::kDuration)); }
Watts parse_power(std::string_view text) { return Watts(parse(text, Dimension::kPower)); }
Joules parse_energy(std::string_view text) { return Joules(parse(text, Dimension::kEnergy)); }
Metres parse_length(std::string_view text) { return Metres(parse(text, Dimension::kLength)); }
Hertz parse_rate(std::string_view text) { return Hertz(parse(text, Dimension::kRate)); }

Celsius parse_temperature(std::string_view text) {
  const double value = parse_signed(text, Dimension::kTemperature);
  if (value < -273.15) refuse(Dimension::kTemperature, text, ", which is below absolute zero");
  return Celsius{value};
}

void parse_quantity(std::string_view text, Bytes& out) { out = parse_bytes(text); }
void parse_quantity(std::string_view text, BytesPerSecond& out) { out = parse_bandwidth(text); }
void parse_quantity(std::string_view text, FlopsPerSecond& out) { out = parse_compute_rate(text); }
void parse_quantity(std::string_view text, Seconds& out) { out = parse_duration(text); }
void parse_quantity(std::string_view text, Watts& out) { out = parse_power(text); }
void parse_quantity(std::string_view text, Joules& out) { out = parse_energy(text); }
void parse_quantity(std::string_view text, Metres& out) { out = parse_length(text); }
void parse_quantity(std::string_view text, Hertz& out) { out = parse_rate(text); }
void parse_quantity(std::string_view text, Celsius& out) { out = parse_temperature(text); }

// ---------------------------------------------------------------------------------------------------------------------
// Printing

namespace {

struct Step {
  double scale;
  std::string_view symbol;
};

// Three significant digits without exponent where people would not write one.
std::string significant(double value) {
  const double size = std::abs(value);
  if (size >= 999.5 && size < 1e15) return grouped(std::llround(value));
  return fmt::format("{:.3g}", value);
}

// Uses the largest step, of a descending list, that leaves a number from 1 up. 999.6 GB is printed as 1 TB.
std::string scaled(double value, std::span<const Step> steps) {
  if (value == 0) {
    // Zero has no size; write it in the unit itself.
    for (const Step& step : steps) {
      if (step.scale == 1) return fmt::format("0 {}", step.symbol);
    }
  }
  for (const Step& step : steps) {
    const bool last = &step == &steps.back();
    if (last || std::abs(value) >= step.scale * 0.9995) {
      return fmt::format("{} {}", significant(value / step.scale), step.symbol);
    }
  }
  return {};
}

constexpr Step kByteSteps[] = {{1e18, "EB"}, {1e15, "PB"}, {1e12, "TB"}, {1e9, "GB"},
                               {1e6, "MB"},  {1e3, "kB"},  {1, "B"}};
constexpr Step kBandwidthSteps[] = {{1e15, "PB/s"}, {1e12, "TB/s"}, {1e9, "GB/s"},
                                    {1e6, "MB/s"},  {1e3, "kB/s"},  {1, "B/s"}};
constexpr Step kComputeSteps[] = {{1e18, "EFLOPS"}, {1e15, "PFLOPS"}, {1e12, "TFLOPS"}, {1e9, "GFLOPS"},
                                  {1e6, "MFLOPS"},  {1e3, "kFLOPS"},  {1, "FLOPS"}};
constexpr Step kWorkSteps[] = {{1e18, "EFLOP"}, {1e15, "PFLOP"}, {1e12, "TFLOP"}, {1e9, "GFLOP"},
                               {1e6, "MFLOP"},  {1e3, "kFLOP"},  {1, "FLOP"}};
// Days need no step: to_string(Seconds) prints them itself.
constexpr Step kTimeSteps[] = {
    {8760 * kHour, "years"}, {kHour, "h"}, {kMinute, "min"}, {1, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {1e-9, "ns"}};
constexpr Step kPowerSteps[] = {{1e9, "GW"}, {1e6, "MW"}, {1e3, "kW"}, {1, "W"}, {1e-3, "mW"}};
constexpr Step kWattHourSteps[] = {
    {1e12 * kHour, "TWh"}, {1e9 * kHour, "GWh"}, {1e6 * kHour, "MWh"}, {1e3 * kHour, "kWh"}};
constexpr Step kJouleSteps[] = {{1e6, "MJ"}, {1e3, "kJ"}, {1, "J"}, {1e-3, "mJ"}, {1e-6, "uJ"}, {1e-9, "nJ"}};
constexpr Step kLengthSteps[] = {{1e3, "km"}, {1, "m"}, {1e-3, "mm"}};
constexpr Step kCountSteps[] = {{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}};

std::string without_trailing_zeros(std::string number) {
  if (number.find('.') == std::string::npos) return number;
  number.erase(number.find_last_not_of('0') + 1);
  if (number.ends_with('.')) number.pop_back();
  return number;
}

}  // namespace

std::string to_string(Bytes bytes) { return scaled(bytes.value, kByteSteps); }

std::string to_string_binary(Bytes bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = bytes.value;
  std::size_t unit = 0;
  // 1023.95 would be rounded to 1024.0, which is one of the next unit.
  while (std::abs(value) >= 1023.95 && std::isfinite(value) && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  const int decimals = std::abs(value) < 9.995 ? 2 : 1;
  return fmt::format("{} {}", without_trailing_zeros(fmt::format("{:.{}f}", value, decimals)), kUnits[unit]);
}

std::string to_string(BytesPerSecond bandwidth) { return scaled(bandwidth.value, kBandwidthSteps); }
std::string to_string(FlopsPerSecond rate) { return scaled(rate.value, kComputeSteps); }
std::string to_string(Flops work) { return scaled(work.value, kWorkSteps); }

std::string to_string(Seconds time) {
  const double size = std::abs(time.value);
  if (size >= 2 * kDay && size < 8760 * kHour * 0.9995) return significant(time.value / kDay) + " days";
  const std::string text = scaled(time.value, kTimeSteps);
  return text == "1 years" ? "1 year" : text;
}

std::string to_string(Watts power) { return scaled(power.value, kPowerSteps); }

std::string to_string(Joules energy) {
  if (std::abs(energy.value) >= 1e3 * kHour) return scaled(energy.value, kWattHourSteps);
  return scaled(energy.value, kJouleSteps);
}

std::string to_string(Metres length) { return scaled(length.value, kLengthSteps); }
std::string percent(double share) { return fmt::format("{:.4g} %", share * 100); }

std::string to_string(Celsius temperature) { return significant(temperature.value) + " C"; }

std::string count_text(double count) {
  return std::abs(count) < 999.5 ? significant(count) : scaled(count, kCountSteps);
}

std::string grouped(long long count) {
  std::string digits = std::to_string(count);
  const std::size_t sign = count < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > sign + 3;) digits.insert(at -= 3, ",");
  return digits;
}

}  // namespace fathom
