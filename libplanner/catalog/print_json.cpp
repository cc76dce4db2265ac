#include <cmath>
#include <nlohmann/json.hpp>

#include "catalog/print.h"

namespace fathom {

namespace {

using Json = nlohmann::ordered_json;

// ---------------------------------------------------------------------------------------------------------------------
// What each type is called: the end of its key, its unit, its number

struct UnitName {
  const char* suffix;
  const char* symbol;
};
constexpr UnitName unit_of(double) { return {"", ""}; }
constexpr UnitName unit_of(Bytes) { return {"_bytes", "B"}; }
constexpr UnitName unit_of(BytesPerSecond) { return {"_bytes_per_s", "B/s"}; }
constexpr UnitName unit_of(FlopsPerSecond) { return {"_flops_per_s", "FLOP/s"}; }
constexpr UnitName unit_of(Seconds) { return {"_s", "s"}; }
constexpr UnitName unit_of(Watts) { return {"_w", "W"}; }
constexpr UnitName unit_of(Joules) { return {"_j", "J"}; }
constexpr UnitName unit_of(Metres) { return {"_m", "m"}; }
constexpr UnitName unit_of(Hertz) { return {"_per_s", "1/s"}; }
constexpr UnitName unit_of(Celsius) { return {"_c", "C"}; }

std::string symbol_of(const Money& money) { return money.currency(); }
std::string symbol_of(const UnitPrice& price) { return price.currency + "/" + price.per; }
std::string symbol_of(const AnyQuantity& any);
template <class T>
requires requires(T t) { unit_of(t); }
std::string symbol_of(const T& value) { return unit_of(value).symbol; }
std::string symbol_of(const AnyQuantity& any) {
  return std::visit([](const auto& value) { return symbol_of(value); }, any);
}

std::string suffix_of(const Money&) { return ""; }
std::string suffix_of(const UnitPrice&) { return ""; }
std::string suffix_of(const AnyQuantity& any);
template <class T>
requires requires(T t) { unit_of(t); }
std::string suffix_of(const T& value) { return unit_of(value).suffix; }
std::string suffix_of(const AnyQuantity& any) {
  return std::visit([](const auto& value) { return suffix_of(value); }, any);
}

Json number(double value) {
  if (value == std::floor(value) && std::abs(value) < 0x1p53) return static_cast<std::int64_t>(value);
  return value;
}
Json number(const Money& money) { return decimal(money); }
Json number(const UnitPrice& price) { return number(price.major()); }
Json number(const AnyQuantity& any);
template <class T>
requires requires(T t) { t.value; }
Json number(const T& quantity) { return number(quantity.value); }
Json number(const AnyQuantity& any) {
  return std::visit([](const auto& value) { return number(value); }, any);
}

template <class T>
concept Measured = requires(const T& value) {
  suffix_of(value);
}
&&!std::is_arithmetic_v<T>;

template <class T>
constexpr bool is_fact = false;
template <class T>
constexpr bool is_fact<Fact<T>> = true;

// ---------------------------------------------------------------------------------------------------------------------
// JSON

class JsonPrinter {
 public:
  template <class T>
  void operator()(const std::string& key, const T& value, const Range& = {}) {
    put(key, value);
  }
  template <class T>
  void defaulted(const std::string& key, const T& value, const Range& = {}) {
    put(key, value);
  }
  void origin(const Origin& origin) {
    out_["source"] = origin.source;
    if (!origin.date.empty()) out_["date"] = origin.date;
    out_["confidence"] = to_string(origin.confidence);
  }
  Json take() { return std::move(out_); }

 private:
  template <class T>
  static Json entry(const T& value) {
    JsonPrinter nested;
    fields(nested, value);
    return nested.take();
  }

  template <class T>
  void put(const std::string& key, const T& value) {
    if constexpr (std::is_same_v<T, SourceCodes>) {
      out_[key] = value.text;
    } else if constexpr (std::is_same_v<T, Confidence>) {
      out_[key] = to_string(value);
    } else if constexpr (std::is_enum_v<T>) {
      out_[key] = std::string(words(value)[static_cast<std::size_t>(value)]);
    } else if constexpr (is_fact<T>) {
      put_fact(key, value);
    } else if constexpr (requires { fields(*this, value); }) {
      out_[key] = entry(value);
    } else if constexpr (Measured<T>) {
      out_[key + suffix_of(value)] = number(value);
    } else {
      out_[key] = value;
    }
  }
  void put(const std::string& key, double value) { out_[key] = number(value); }
  void put(const std::string& key, const Money& money) {
    out_[key] = decimal(money);
    out_["currency"] = money.currency();
  }

  template <class T>
  void put(const std::string& key, const std::optional<T>& value) {
    if (value) put(key, *value);
  }

  template <class T>
  void put(const std::string& key, const std::vector<T>& list) {
    if (list.empty()) return;
    std::string full_key = key;
    Json items = Json::array();
    for (const T& item : list) {
      if constexpr (Measured<T>) {
        full_key = key + suffix_of(item);
        items.push_back(number(item));
      } else if constexpr (requires { fields(*this, item); }) {
        items.push_back(entry(item));
      } else {
        items.push_back(item);
      }
    }
    out_[full_key] = std::move(items);
  }

  // Peaks become keys of the entry itself: "peak_bf16_flops_per_s".
  void put(const std::string& key, const Peaks& peaks) {
    for (const auto& [rate, fact] : peaks) {
      put_fact(key + "_" + std::string(words(rate)[static_cast<std::size_t>(rate)]), fact);
    }
  }
  template <class T>
  void put(const std::string& key, const std::map<std::string, T>& named) {
    if (named.empty()) return;
    JsonPrinter nested;
    for (const auto& [name, value] : named) nested.put(name, value);
    out_[key] = nested.take();
  }

  template <class T>
  void put_fact(const std::string& key, const Fact<T>& fact) {
    Json& out = out_[key + suffix_of(fact.value)];
    out["value"] = number(fact.value);
    if (const std::string unit = symbol_of(fact.value); !unit.empty()) out["unit"] = unit;
    if (fact.low) out["low"] = number(*fact.low);
    if (fact.high) out["high"] = number(*fact.high);
    out["source"] = fact.origin.source;
    if (!fact.origin.date.empty()) out["date"] = fact.origin.date;
    out["confidence"] = to_string(fact.origin.confidence);
  }

  Json out_ = Json::object();
};

Json json_of(const AnyEntry& any) {
  return std::visit(
      [](const auto* entry) {
        JsonPrinter printer;
        fields(printer, *entry);
        Json out = printer.take();
        if constexpr (requires { model_sizes(*entry); }) {
          for (const auto& [key, value] : model_sizes(*entry)) out[key] = number(value);
        }
        return out;
      },
      any);
}

constexpr const char* kFormatVersion = "1.0";

Json document(const Kind& kind) { return {{"format_version", kFormatVersion}, {"catalog", kind.name}}; }

}  // namespace

std::string kinds_json(const Catalog& catalog) {
  Json out = {{"format_version", kFormatVersion}, {"kinds", Json::array()}};
  for (const Kind& kind : catalog_kinds()) {
    out["kinds"].push_back({{"kind", kind.name},
                            {"file", std::string(kind.file) + ".yaml"},
                            {"entries", entries_of(catalog, kind).size()}});
  }
  return out.dump(2) + "\n";
}

std::string entry_json(const Catalog& catalog, const Kind& kind, const AnyEntry& entry) {
  Json out = document(kind);
  out.update(json_of(entry));  // its keys at the top, where scripts look first
  Json& sources = out["sources"] = Json::object();
  for (const auto& [code, source] : used_sources(catalog, kind, entry)) {
    sources[code]["title"] = source.title;
    if (!source.date.empty()) sources[code]["date"] = source.date;
  }
  return out.dump(2) + "\n";
}

std::string list_json(const Kind& kind, const std::vector<AnyEntry>& entries) {
  Json out = document(kind);
  Json& list = out["entries"] = Json::array();
  for (const AnyEntry& entry : entries) list.push_back(json_of(entry));
  return out.dump(2) + "\n";
}

}  // namespace fathom
