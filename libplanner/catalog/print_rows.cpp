#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "catalog/print.h"
#include "units/text.h"

namespace fathom {

namespace {

std::string words_of(double value) { return fmt::format("{:g}", value); }
// Device memory is made in binary sizes, disks in decimal ones.
std::string words_of(Bytes bytes) {
  return std::fmod(bytes.value, 0x1p20) == 0 ? to_string_binary(bytes) : to_string(bytes);
}
// Clocks, tokens per second, failures per year: one dimension, three ways to say it.
std::string words_of(Hertz rate) {
  constexpr double kYear = 365 * 86400.0;
  if (rate.value >= 1e8) return fmt::format("{:g} GHz", rate.value / 1e9);
  if (rate.value < 1e-3) return fmt::format("{:.4g} /year", rate.value * kYear);
  return fmt::format("{:.6g} /s", rate.value);
}
std::string words_of(const UnitPrice& price) {
  return fmt::format("{:g} {}/{}", price.major(), price.currency, price.per);
}
std::string words_of(const AnyQuantity& any);
template <class T>
std::string words_of(const T& value) {
  return to_string(value);
}
std::string words_of(const AnyQuantity& any) {
  return std::visit([](const auto& value) { return words_of(value); }, any);
}

template <class T>
constexpr bool is_fact = false;
template <class T>
constexpr bool is_fact<Fact<T>> = true;

// Network gear is bought in Gb/s and memory in GB/s; a cluster file writes them so too.
template <class T>
bool is_network(const T& entry) {
  if constexpr (std::is_same_v<T, LinkGeneration>) {
    return entry.family == LinkFamily::kInfiniband || entry.family == LinkFamily::kEthernet;
  } else {
    return std::is_same_v<T, NetworkCard> || std::is_same_v<T, Switch> || std::is_same_v<T, Optic>;
  }
}

class RowPrinter {
 public:
  explicit RowPrinter(bool network) : network_(network) {}

  template <class T>
  void operator()(const std::string& key, const T& value, const Range& = {}) {
    put(prefix_ + key, value);
  }
  template <class T>
  void defaulted(const std::string& key, const T& value, const Range& = {}) {
    if (value != T{}) put(prefix_ + key, value);
  }
  void origin(const Origin& origin) { add(prefix_ + "origin", text_of(origin), {}, origin.source); }
  std::vector<CatalogRow> take() { return std::move(rows_); }

 private:
  static std::string text_of(const Origin& origin) {
    return fmt::format("{}, {}{}{}", to_string(origin.confidence), origin.source, origin.date.empty() ? "" : " ",
                       origin.date);
  }
  void add(std::string key, std::string value, std::string origin = {}, std::string source_codes = {}) {
    rows_.push_back({std::move(key), std::move(value), std::move(origin), std::move(source_codes)});
  }

  template <class T>
  std::string text_of_value(const T& value) const {
    if constexpr (std::is_same_v<T, BytesPerSecond>) {
      if (network_) return fmt::format("{:.5g} Gb/s", value.value * 8 / 1e9);
    }
    return words_of(value);
  }

  template <class T>
  void put(const std::string& key, const T& value) {
    if constexpr (std::is_same_v<T, SourceCodes>) {
      add(key, value.text, {}, value.text);
    } else if constexpr (std::is_same_v<T, Confidence>) {
      add(key, to_string(value));
    } else if constexpr (std::is_same_v<T, std::string>) {
      add(key, value);
    } else if constexpr (std::is_same_v<T, bool>) {
      add(key, value ? "yes" : "no");
    } else if constexpr (std::is_enum_v<T>) {
      add(key, std::string(words(value)[static_cast<std::size_t>(value)]));
    } else if constexpr (std::is_integral_v<T>) {
      add(key, std::to_string(value));
    } else if constexpr (is_fact<T>) {
      put_fact(key, value);
    } else if constexpr (requires { fields(*this, value); }) {
      const std::string outer = std::exchange(prefix_, key + ".");
      fields(*this, value);
      prefix_ = outer;
    } else {
      add(key, text_of_value(value));
    }
  }
  template <class T>
  void put(const std::string& key, const std::optional<T>& value) {
    if (value) put(key, *value);
  }
  template <class T>
  void put(const std::string& key, const std::vector<T>& list) {
    for (const T& item : list) put(key, item);
  }
  void put(const std::string& key, const std::vector<SwitchPorts>& list) {  // "48 x 25 Gb/s SFP28, 8 x 100 Gb/s QSFP28"
    std::string text;
    for (const SwitchPorts& ports : list) {
      text += fmt::format("{}{} x {}{}{}", text.empty() ? "" : ", ", ports.count, text_of_value(ports.rate),
                          ports.form ? " " : "", ports.form.value_or(""));
    }
    if (!text.empty()) add(key, text);
  }
  void put(const std::string& key, const Peaks& peaks) {
    for (const auto& [rate, fact] : peaks) {
      put_fact(key + "." + std::string(words(rate)[static_cast<std::size_t>(rate)]), fact);
    }
  }
  template <class T>
  void put(const std::string& key, const std::map<std::string, T>& named) {
    for (const auto& [name, value] : named) put(key + "." + name, value);
  }

  template <class T>
  void put_fact(const std::string& key, const Fact<T>& fact) {
    std::string text = text_of_value(fact.value);
    if (fact.low || fact.high)
      text += fmt::format(" ({} to {})", text_of_value(fact.low_or_value()), text_of_value(fact.high_or_value()));
    add(key, text, text_of(fact.origin), fact.origin.source);
  }

  bool network_;  // rates in Gb/s
  std::string prefix_;
  std::vector<CatalogRow> rows_;
};

}  // namespace

std::vector<CatalogRow> rows(const AnyEntry& any) {
  return std::visit(
      [](const auto* entry) {
        RowPrinter printer(is_network(*entry));
        fields(printer, *entry);
        std::vector<CatalogRow> lines = printer.take();
        if constexpr (requires { model_sizes(*entry); }) {
          for (const auto& [key, value] : model_sizes(*entry)) {
            lines.push_back({key, grouped(static_cast<long long>(value)), {}, {}});
          }
        }
        return lines;
      },
      any);
}

}  // namespace fathom
