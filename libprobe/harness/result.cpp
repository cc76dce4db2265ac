#include "harness/result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "units/number.h"
#include "units/text.h"

namespace fathom::probe {

const char* key_of(Unit unit) {
  switch (unit) {
    case Unit::kBytesPerSecond:
      return "bytes_per_s";
    case Unit::kFlopsPerSecond:
      return "flops_per_s";
    case Unit::kTime:
      return "time_s";
    case Unit::kOperationsPerSecond:
      return "operations_per_s";
    case Unit::kTokensPerSecond:
      return "tokens_per_s";
    case Unit::kWatts:
      return "power_w";
  }
  return "";
}

std::string text_of(Unit unit, double value) {
  switch (unit) {
    case Unit::kBytesPerSecond:
      return to_string(BytesPerSecond(value));
    case Unit::kFlopsPerSecond:
      return to_string(FlopsPerSecond(value));
    case Unit::kTime:
      return to_string(Seconds(value));
    case Unit::kOperationsPerSecond:
      return count_text(value) + " operations/s";
    case Unit::kTokensPerSecond:
      return count_text(value) + " tokens/s";
    case Unit::kWatts:
      return to_string(Watts(value));
  }
  return "";
}

std::string Result::shape_text() const {
  std::string text;
  for (const auto& [key, value] : shape) text += (text.empty() ? "" : ", ") + key + " " + value;
  return text;
}

std::string Protocol::text() const {
  std::string text;
  for (const std::string& word : {engine, kernel, pattern, cache, launch, statistic}) {
    if (!word.empty()) text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

Result without_figure(std::string name, std::string device, Status status, std::string why) {
  Result result;
  result.name = std::move(name);
  result.device = std::move(device);
  result.status = status;
  result.why = std::move(why);
  return result;
}

void sum_up(Result& result, const std::vector<double>& samples) {
  const auto no_data = [](double sample) { return !std::isfinite(sample) || sample <= 0; };
  const auto absurd = [](double sample) { return sample > kLargestFigure; };
  if (samples.empty() || std::any_of(samples.begin(), samples.end(), no_data)) {
    result.status = Status::kImplausible;
    result.why = "zeros are no data";
    return;
  }
  if (std::any_of(samples.begin(), samples.end(), absurd)) {
    result.status = Status::kImplausible;
    result.why = "no figure is so large";
    return;
  }
  result.figure = statistics(samples);
  result.protocol.statistic = "median";
  result.protocol.repeats = result.figure->samples;
  result.status = Status::kPassed;
  if (result.figure->flutter() > kMostFlutter) {
    result.status = Status::kUnstable;
    result.why =
        fmt::format("the middle half of the samples is {} of the median wide", percent(result.figure->flutter()));
  } else if (std::abs(result.figure->drift) > kMostFlutter) {
    result.status = Status::kUnstable;
    result.why = fmt::format("the last samples are {:+.1f} % off the first", result.figure->drift * 100);
  }
}

bool exceeds(const Result& result, const Peak& peak) {
  if (!result.figure) return false;
  const double median = result.figure->median;
  const bool from_above = more_is_better(result.unit) || result.unit == Unit::kWatts;
  return from_above ? median > kMostOfPeak * peak.value : median * kMostOfPeak < peak.value;
}

std::optional<Peak> gross_limit(const Result& result) {
  const bool device = result.name.starts_with("gpu.") || result.name.starts_with("collective.");
  if (device && result.unit == Unit::kTime) return Peak{5e-8, "what anything on a device takes at least"};
  if (device && result.unit == Unit::kBytesPerSecond) return Peak{1e14, "what any cache of a device gives"};
  if (device && result.unit == Unit::kWatts) return Peak{5e3, "what any device may draw"};
  if (result.name.starts_with("host.memory") || result.name.starts_with("host.gemv")) {
    return Peak{1e14, "what the memory of any host gives"};
  }
  const bool storage = result.name.starts_with("host.storage");
  const bool network = result.name.starts_with("host.network") || result.name.starts_with("host.rdma");
  if (!storage && !network) return std::nullopt;
  const std::string source = storage ? "what storage can answer" : "what a network card can carry";
  if (result.unit == Unit::kBytesPerSecond) return Peak{1e12, source};
  if (result.unit == Unit::kOperationsPerSecond) return Peak{1e9, source};
  return std::nullopt;
}

bool is_wrong(const Result& result) {
  return result.status == Status::kIncorrect || (result.correctness && !result.correctness->correct);
}

bool was_on_zeros(const Result& result) {
  return result.protocol.pattern == "zeros" && !result.shape.contains("numbers");
}

bool has_no_data(const Result& result) {
  const auto nothing = [](double value) { return !std::isfinite(value) || value <= 0; };
  return result.figure && (nothing(result.figure->median) || nothing(result.figure->min) || was_on_zeros(result));
}

bool is_usable(const Result& result, const std::optional<Peak>& peak) {
  return result.figure && has_data(result.status) && !is_wrong(result) && !has_no_data(result) &&
         !(peak && exceeds(result, *peak));
}

void hold_against(Result& result, const std::optional<Peak>& peak) {
  if (!has_data(result.status) || is_usable(result, peak)) return;
  result.status = is_wrong(result) ? Status::kIncorrect : Status::kImplausible;
  if (is_wrong(result)) {
    result.why = "the data is wrong: " + result.correctness->method;
  } else if (!result.figure || has_no_data(result)) {
    result.why = "zeros are no data";
  } else {
    result.why = fmt::format("better than the {} of {}", text_of(result.unit, peak->value), peak->source);
  }
}

std::vector<std::string> devices_of(const std::string& device) {
  std::vector<std::string> devices(1);
  for (const char c : device) {
    if (c == '>' || c == ',') {
      devices.emplace_back();
    } else {
      devices.back() += c;
    }
  }
  return devices;
}

bool is_gpu_key(const std::string& device) {
  return device.size() > 3 && device.starts_with("gpu") &&
         device.find_first_not_of("0123456789", 3) == std::string::npos;
}

std::optional<double> number_of(const Result& result, const std::string& key) {
  const auto text = result.shape.find(key);
  if (text == result.shape.end()) return std::nullopt;
  const auto number = scan_number(text->second);
  return number && number->in_range && number->rest.empty() ? std::optional(number->value) : std::nullopt;
}

}  // namespace fathom::probe
