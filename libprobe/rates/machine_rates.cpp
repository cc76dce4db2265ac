#include "rates/machine_rates.h"

#include <algorithm>
#include <functional>

#include "health/limits_of_parts.h"

namespace fathom::probe {

namespace {

std::string word(const Result& r, const char* key) {
  const auto found = r.shape.find(key);
  return found == r.shape.end() ? "" : found->second;
}

using Figures = std::vector<const Result*>;

Figures usable(const MachineRecord& record, const Catalog& catalog, const std::string& name) {
  Figures found;
  for (const Result& r : record.results) {
    if (r.name == name && is_usable(r, peak_of(r, record, catalog))) found.push_back(&r);
  }
  return found;
}

// The median over the devices of those that are meant; of each device the best.
std::optional<double> over_devices(const Figures& results, const std::function<bool(const Result&)>& is_meant) {
  std::map<std::string, double> of_device;
  for (const Result* r : results) {
    if (!is_meant(*r)) continue;
    double& best = of_device[r->device];
    best = std::max(best, r->figure->median);
  }
  if (of_device.empty()) return std::nullopt;
  std::vector<double> medians;
  for (const auto& [device, best] : of_device) medians.push_back(best);
  return median_of(medians);
}

// ---------------------------------------------------------------------------------------------------------------------
// Processors

// A fit to many shapes missed steps of other loads by up to 13 % on such a machine (docs/measurements, host engine).
constexpr double kHostSpread = 1.15;

// With all threads, by the instructions that the engine chooses where the record tells which.
Figures as_the_engine_runs(Figures results, const MachineRecord& record) {
  double most = 0;
  for (const Result* r : results) most = std::max(most, number_of(*r, "threads").value_or(0));
  const bool told = record.processor && !record.processor->instruction_sets.empty();
  std::erase_if(results, [&](const Result* r) {
    const bool other = told && word(*r, "isa") != record.processor->instruction_sets.front();
    return other || number_of(*r, "threads").value_or(0) < most;
  });
  return results;
}

// The median over the cards that tell.
std::optional<Watts> limit_of(const MachineRecord& record) {
  std::vector<double> limits;
  for (const Gpu& gpu : record.gpus) {
    if (gpu.power_limit) limits.push_back(gpu.power_limit->value);
  }
  return limits.empty() ? std::nullopt : std::optional(Watts(median_of(limits)));
}

}  // namespace

std::optional<ProfileWatts> watts_of(const MachineRecord& record, const Catalog& catalog,
                                     std::set<std::string>& unused) {
  const Figures watts = usable(record, catalog, "gpu.power");
  if (watts.empty()) return std::nullopt;
  const auto drawn = [&](const char* load) {
    return over_devices(watts, [&](const Result& r) { return word(r, "load") == load; });
  };
  const auto idle = drawn("idle, with a context"), reading = drawn("memory"), multiplying = drawn("arithmetic");
  const auto memory = over_devices(usable(record, catalog, "gpu.memory.read"), [&](const Result& r) {
    const Gpu* gpu = record.gpu(r.device);
    return gpu != nullptr && is_from_memory(r, catalog_entry(*gpu, catalog));
  });
  const auto compute = over_devices(usable(record, catalog, "gpu.gemm"), [](const Result& r) {
    return word(r, "dtype") == "bf16" && word(r, "numbers") != "zeros" && r.protocol.pattern != "zeros";
  });
  if (!idle || !reading || !multiplying || !memory || !compute) {
    unused.insert(
        "gpu.power: a plan needs its three loads, and gpu.memory.read and gpu.gemm in bf16 for how busy they kept a "
        "card");
    return std::nullopt;
  }
  if (std::min(*reading, *multiplying) <= *idle) {
    unused.insert("gpu.power: a load drew no more than a card at rest");
    return std::nullopt;
  }
  return ProfileWatts{.idle = Watts(*idle),
                      .reading = Watts(*reading),
                      .multiplying = Watts(*multiplying),
                      .memory = BytesPerSecond(*memory),
                      .compute = FlopsPerSecond(*compute),
                      .limit = limit_of(record)};
}

std::optional<BytesPerSecond> storage_read(const MachineRecord& record) {
  std::optional<BytesPerSecond> slowest;
  for (const Result& r : record.results) {
    const bool meant = r.name == "host.storage.read" && r.unit == Unit::kBytesPerSecond;
    if (!meant || !r.protocol.cache.starts_with("O_DIRECT") || r.protocol.cache == kByCache ||
        !is_usable(r, gross_limit(r)))
      continue;
    const BytesPerSecond rate(r.figure->median);
    slowest = slowest ? std::min(*slowest, rate) : rate;
  }
  return slowest;
}

std::vector<ProfileRow> host_products(const MachineRecord& record, const Catalog& catalog) {
  const Figures one = as_the_engine_runs(usable(record, catalog, "host.gemv"), record);
  const Figures many = as_the_engine_runs(usable(record, catalog, "host.gemm"), record);
  std::vector<ProfileRow> rows;
  for (const Format format : {Format::kBf16, Format::kFp8Block128, Format::kInt4G128}) {
    const auto meant = [&](const Result& r) { return word(r, "dtype") == to_string(format); };
    const auto memory = over_devices(one, meant), compute = over_devices(many, meant);
    if (!memory || !compute) continue;
    rows.push_back({.kind = OperatorKind::kLinear,
                    .weights = format,
                    .form = ProfileForm::kLongest,
                    .memory = BytesPerSecond(*memory),
                    .compute = FlopsPerSecond(*compute),
                    .fit = {.samples = 2, .fast = 1 / kHostSpread, .slow = kHostSpread}});
  }
  return rows;
}

}  // namespace fathom::probe
