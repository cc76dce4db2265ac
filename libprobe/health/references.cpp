#include "health/references.h"

#include <fmt/format.h>

#include "health/limits_of_parts.h"

namespace fathom::probe {

namespace {

// ---------------------------------------------------------------------------------------------------------------------
// What this kind of device showed elsewhere, or must show

bool is_large_product(const Result& result) {
  const auto large = [&](const char* key) { return number_of(result, key).value_or(0) >= 8192; };
  // What a card keeps up for long is not what the others' references were measured for: that is for its peers to tell.
  const bool is_long = result.shape.contains("load");
  return result.name == "gpu.gemm" && !is_long && result.unit == Unit::kFlopsPerSecond &&
         result.shape.contains("dtype") && large("m") && large("n") && large("k");
}

// All cards of a node at once share what is in front of them.
bool is_large_copy(const Result& result) {
  const bool is_copy = result.name.starts_with("gpu.copy.") || result.name.starts_with("gpu.peer.");
  return is_copy && result.unit == Unit::kBytesPerSecond && !result.shape.contains("together") &&
         number_of(result, "bytes").value_or(0) >= 64e6;
}

// Shares of what healthy devices showed. The best matrix product over all shapes (MAMF) is above that of any one shape, 271
// against 257 TFLOPS for 8192 cubed on an A100, so its lines are lower. Where the power limit held a product down, chips differ: PyTorch on
// an H200 that was well showed 0.84 of MAMF with normally distributed numbers (672 of 794, 1214 of 1453 TFLOPS).
struct Lines {
  double suspect = 0.95, degraded = 0.90;
};
constexpr Lines kLinesOfBest{.suspect = 0.90, .degraded = 0.85};
constexpr Lines kLinesOfBestCapped{.suspect = 0.75, .degraded = 0.70};

Reference of_measured(double value, const Lines& lines, const std::string& source) {
  return {.value = value, .suspect = lines.suspect * value, .degraded = lines.degraded * value, .source = source};
}

// The least that an operator accepts: below it there is nothing to wait for.
Reference of_threshold(double value, const std::string& source) {
  return {.value = value, .suspect = value, .degraded = value, .source = source};
}

std::optional<Reference> measured_reference(const Accelerator& entry, const std::string& key, const Lines& lines,
                                            const Catalog& catalog) {
  const auto fact = entry.measured.find(key);
  if (fact == entry.measured.end()) return std::nullopt;
  const std::string source = origin_text(fact->second.origin, catalog.sources<Accelerator>(), entry.name);
  if (const auto* rate = std::get_if<BytesPerSecond>(&fact->second.value))
    return of_measured(rate->value, lines, source);
  if (const auto* rate = std::get_if<FlopsPerSecond>(&fact->second.value))
    return of_measured(rate->value, lines, source);
  return std::nullopt;
}

const HealthThreshold* threshold_of(const Accelerator& entry, const Catalog& catalog) {
  for (const HealthThreshold& t : catalog.all<HealthThreshold>()) {
    if (t.accelerator == entry.id) return &t;
  }
  return nullptr;
}

std::optional<Reference> threshold_reference(const std::optional<Fact<BytesPerSecond>>& fact, const Accelerator& entry,
                                             const Catalog& catalog) {
  if (!fact) return std::nullopt;
  return of_threshold(fact->value.value,
                      "least accepted of " + origin_text(fact->origin, catalog.sources<HealthThreshold>(), entry.name));
}

// A large all-reduce over as many ranks as the threshold is for, as a time. The thresholds are for 16 GiB; from 8 GiB on the curve is flat,
// and at 512 MiB eight H100 and H200 that pass show 445 and 460 GB/s of the 460 and 431 (AIConfigurator's tables).
std::optional<Reference> all_reduce_reference(const Result& result, const HealthThreshold& t, const Accelerator& entry,
                                              const Catalog& catalog) {
  constexpr double kFlat = 8589934592.0, kLarge = 536870912.0, kShareOfFlat = 0.95;
  const auto bytes = number_of(result, "bytes"), ranks = number_of(result, "ranks");
  const std::optional<BytesPerSecond> bus = bus_bandwidth(result);
  if (!bytes || !ranks || !bus || *bytes < kLarge || !t.accelerators || *ranks != *t.accelerators) return std::nullopt;
  std::optional<Reference> least = threshold_reference(t.all_reduce, entry, catalog);
  if (least && *bytes < kFlat) least->value *= kShareOfFlat;
  if (!least || result.unit != Unit::kTime) return std::nullopt;
  least->value = result.figure->median * bus->value / least->value;
  least->suspect = least->degraded = least->value;
  return least;
}

std::optional<Reference> known_of_the_device(const Result& result, const Accelerator& entry, const Catalog& catalog) {
  const bool one_way = !result.shape.contains("directions") || result.shape.at("directions") == "1";
  if (const std::string memory = "gpu.memory.";
      result.name.starts_with(memory) && result.unit == Unit::kBytesPerSecond) {
    if (!is_from_memory(result, &entry)) return std::nullopt;
    return measured_reference(entry, "memory_" + result.name.substr(memory.size()), Lines{}, catalog);
  }
  if (is_large_product(result)) {
    const Lines& lines = was_capped(result) ? kLinesOfBestCapped : kLinesOfBest;
    return measured_reference(entry, "mamf_" + result.shape.at("dtype"), lines, catalog);
  }
  const HealthThreshold* t = threshold_of(entry, catalog);
  if (t == nullptr) return std::nullopt;
  if (is_large_copy(result) && one_way) {
    if (result.name == "gpu.copy.h2d") return threshold_reference(t->host_to_device, entry, catalog);
    if (result.name == "gpu.peer.copy") return threshold_reference(t->peer_to_peer, entry, catalog);
  }
  if (result.name == "collective.all_reduce") return all_reduce_reference(result, *t, entry, catalog);
  return std::nullopt;
}

// ---------------------------------------------------------------------------------------------------------------------
// Shares of the physical limit, which devices of other kinds showed

// Below the least share that is credible by a twentieth a device is suspect, by a tenth degraded.
constexpr Lines kLinesOfShares{};

const CaseShare* share_of(const Result& result, const Accelerator& entry, const Catalog& catalog) {
  for (const CaseShare& s : catalog.all<CaseShare>()) {
    const auto dtype = result.shape.find("dtype");
    const bool same_type = !s.dtype || (dtype != result.shape.end() && dtype->second == *s.dtype);
    if (s.case_name == result.name && same_type && (!s.boards || entry.form_factor.starts_with(*s.boards))) return &s;
  }
  return nullptr;
}

// Large enough that neither a cache nor a start counts, and alone on its way.
bool reaches_a_share(const Result& result, const Accelerator& entry) {
  constexpr double kLargeWeights = 200e6, kLargeCache = 512e6;
  const auto number = [&](const char* key) { return number_of(result, key).value_or(0); };
  if (result.name == "gpu.gemm") return is_large_product(result);
  if (result.name == "gpu.linear" && result.protocol.cache != "beyond L2") return false;
  if (result.name == "gpu.linear") return number("m") == 1 && 2 * number("n") * number("k") >= kLargeWeights;
  if (result.name == "gpu.attention.decode") {
    return 4 * number("batch") * number("context") * number("kv_heads") * number("head_dim") >= kLargeCache;
  }
  if (result.name.starts_with("gpu.memory.")) return is_from_memory(result, &entry);
  return is_large_copy(result);
}

bool joined_by_nvlink(const Result& result, const MachineRecord& record) {
  const std::vector<std::string> devices = devices_of(result.device);
  const Link* link = link_between(record, {devices.front(), devices.back()});
  return link != nullptr && link->kind == "nvlink";
}

// The time in which a message would pass at the share's bus bandwidth. Behind switches any device reaches any other over all of its links.
std::optional<Peak> limit_of_bus(const Result& result, const MachineRecord& record, const Accelerator& entry,
                                 const Catalog& catalog) {
  constexpr double kLargeMessage = 268435456.0;
  const bool switched = entry.scale_up.kind == ScaleUpKind::kSwitch && joined_by_nvlink(result, record);
  const std::optional<BytesPerSecond> bus = bus_bandwidth(result);
  const std::optional<Peak> link = link_peak(devices_of(result.device), record, catalog);
  if (!switched || !bus || !link || number_of(result, "bytes").value_or(0) < kLargeMessage) return std::nullopt;
  if (result.protocol.launch == "eager" || result.shape.contains("by")) return std::nullopt;
  return Peak{result.figure->median * bus->value / link->value, link->source};
}

std::optional<Peak> limit_of(const Result& result, const MachineRecord& record, const Accelerator& entry,
                             const Catalog& catalog) {
  if (result.name.starts_with("collective.")) return limit_of_bus(result, record, entry, catalog);
  if (!reaches_a_share(result, entry)) return std::nullopt;
  if (result.name.starts_with("gpu.peer.") && !joined_by_nvlink(result, record)) return std::nullopt;
  return peak_of(result, record, catalog);
}

std::optional<Reference> reference_by_share(const Result& result, const MachineRecord& record, const Accelerator& entry,
                                            const Catalog& catalog) {
  const CaseShare* s = share_of(result, entry, catalog);
  const std::optional<Peak> limit = s == nullptr ? std::nullopt : limit_of(result, record, entry, catalog);
  if (!limit || limit->value <= 0) return std::nullopt;
  const auto at = [&](double share) {
    return more_is_better(result.unit) ? limit->value * share : limit->value / share;
  };
  return Reference{.value = at(s->share.value),
                   .suspect = at(s->share.low_or_value() * kLinesOfShares.suspect),
                   .degraded = at(s->share.low_or_value() * kLinesOfShares.degraded),
                   .source = origin_text(s->share.origin, catalog.sources<CaseShare>(),
                                         fmt::format("{:.2f} of the limit ({})", s->share.value, limit->source))};
}

}  // namespace

std::optional<Reference> reference_of(const Result& result, const MachineRecord& record, const Catalog& catalog) {
  const Gpu* gpu = record.gpu(devices_of(result.device).front());
  const Accelerator* entry = gpu == nullptr ? nullptr : catalog_entry(*gpu, catalog);
  if (entry == nullptr || !result.figure || result.protocol.pattern == "zeros") return std::nullopt;
  if (auto known = known_of_the_device(result, *entry, catalog)) return known;
  return reference_by_share(result, record, *entry, catalog);
}

}  // namespace fathom::probe
