#include <algorithm>

#include "catalog/print.h"
#include "input/value.h"
#include "model/tensors.h"
#include "units/number.h"

namespace fathom {

namespace {

// Calls `act` with a null pointer of the type whose kind this is.
template <class Act, class... T>
void with_type(const Kind& kind, Act act, std::tuple<T...>*) {
  ((kind.name == std::string_view(kKind<T>.name) ? act(static_cast<T*>(nullptr)) : void()), ...);
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return text;
}

bool contains(const std::string& text, const std::string& part) {
  return lower(text).find(lower(part)) != std::string::npos;
}

// "switches", "switch", "switch_asic", "network card".
bool names_kind(const std::string& normalised, const Kind& kind) {
  const std::string plural = normalised_name(kind.name);
  return normalised == plural || normalised + "s" == plural || normalised + "es" == plural ||
         normalised == normalised_name(kind.noun);
}

[[noreturn]] void lacks(const Kind& kind, const std::string& property) {
  throw LookupError("entries of " + std::string(kind.name) + " have no " + property, {});
}

template <class T>
bool passes_one(const T& entry, const CatalogFilter& filter) {
  if (filter.vendor) {
    if constexpr (requires { contains(entry.vendor, ""); }) {
      if (!contains(entry.vendor, *filter.vendor)) return false;
    } else if constexpr (requires { entry.developer; }) {
      if (!contains(entry.developer, *filter.vendor)) return false;
    } else {
      lacks(kKind<T>, "vendor");
    }
  }
  if (filter.architecture) {
    if constexpr (requires { entry.architecture; }) {
      if (!contains(entry.architecture, *filter.architecture)) return false;
    } else if constexpr (requires { contains(entry.family, ""); }) {
      if (!contains(entry.family, *filter.architecture)) return false;
    } else {
      lacks(kKind<T>, "architecture");
    }
  }
  if (filter.year) {
    if constexpr (requires { entry.year; }) {
      if (entry.year != *filter.year) return false;
    } else {
      lacks(kKind<T>, "year");
    }
  }
  if (filter.min_memory) {
    if constexpr (requires {
                    entry.memory.value;
                    entry.memory.origin;
                  }) {
      if (entry.memory.value < *filter.min_memory) return false;
    } else {
      lacks(kKind<T>, "memory");
    }
  }
  return true;
}

}  // namespace

std::vector<Kind> catalog_kinds() {
  const auto list = []<class... T>(std::tuple<T...>*) { return std::vector<Kind>{kKind<T>...}; };
  return list(static_cast<AllKinds*>(nullptr));
}

const Kind& find_kind(const std::string& name) {
  static const std::vector<Kind> kinds = catalog_kinds();
  std::vector<std::string> names;
  for (const Kind& kind : kinds) {
    if (names_kind(normalised_name(name), kind)) return kind;
    names.emplace_back(kind.name);
  }
  const std::string close = did_you_mean(name, names);
  throw LookupError("there is no catalog kind " + in_quotes(name) + "; kinds are " + listed(names, " and "),
                    close.empty() ? std::vector<std::string>{} : std::vector<std::string>{close});
}

std::vector<AnyEntry> entries_of(const Catalog& catalog, const Kind& kind) {
  std::vector<AnyEntry> entries;
  const auto collect = [&]<class T>(T*) {
    for (const T& entry : catalog.all<T>()) entries.emplace_back(&entry);
  };
  with_type(kind, collect, static_cast<AllKinds*>(nullptr));
  return entries;
}

AnyEntry find_entry(const Catalog& catalog, const Kind& kind, const std::string& name) {
  AnyEntry entry;
  const auto find = [&]<class T>(T*) { entry = &catalog.find<T>(name); };
  with_type(kind, find, static_cast<AllKinds*>(nullptr));
  return entry;
}

CatalogSources used_sources(const Catalog& catalog, const Kind& kind, const AnyEntry& entry) {
  CatalogSources all, used;
  with_type(
      kind, [&]<class T>(T*) { all = catalog.sources<T>(); }, static_cast<AllKinds*>(nullptr));
  for (const CatalogRow& row : rows(entry)) {
    for (std::size_t start = 0; start < row.source_codes.size();) {
      const std::size_t end = std::min(row.source_codes.find('+', start), row.source_codes.size());
      if (const auto known = all.find(row.source_codes.substr(start, end - start)); known != all.end())
        used.insert(*known);
      start = end + 1;
    }
  }
  return used;
}

std::vector<std::pair<std::string, double>> model_sizes(const Architecture& model) {
  const ParameterCounts counts = count_parameters(model);
  std::vector<std::pair<std::string, double>> sizes = {
      {"parameters", static_cast<double>(counts.total)},
      {"active_parameters", static_cast<double>(counts.active)},
      {"active_parameters_without_input_embedding", static_cast<double>(counts.active_without_input_embedding)},
      {"mtp_parameters", static_cast<double>(counts.mtp)},
      {"kv_bytes_per_token", kv_bytes_per_token(model, KvFormat::kBf16).value},
      {"kv_fp8_bytes_per_token", kv_bytes_per_token(model, KvFormat::kFp8).value}};
  for (const WeightScheme& scheme : weight_schemes()) {
    sizes.emplace_back("weights_" + scheme.name + "_bytes", checkpoint_bytes(model, scheme, /*with_mtp=*/false).value);
  }
  return sizes;
}

bool passes(const AnyEntry& entry, const CatalogFilter& filter) {
  return std::visit([&filter](const auto* one) { return passes_one(*one, filter); }, entry);
}

}  // namespace fathom
