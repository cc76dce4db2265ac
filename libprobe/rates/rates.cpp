#include "rates/rates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "health/limits_of_parts.h"
#include "input/error.h"

namespace fathom::probe {

namespace {

// ---------------------------------------------------------------------------------------------------------------------
// Results of one case, shape and kernel, of all devices: the slowest

struct Measured {
  const Result* result = nullptr;
  double figure = 0;
};

std::vector<Measured> slowest_of_devices(const MachineRecord& record, const Catalog& catalog) {
  using Key = std::tuple<std::string, std::map<std::string, std::string>, std::string, std::string, std::string, Unit>;
  std::map<Key, Measured> found;
  for (const Result& r : record.results) {
    if (!is_usable(r, peak_of(r, record, catalog))) continue;
    const Protocol& p = r.protocol;
    const Measured here{&r, r.figure->median};
    const auto [at, is_new] = found.emplace(Key{r.name, r.shape, p.engine, p.kernel, p.launch, r.unit}, here);
    const bool slower = more_is_better(r.unit) == (here.figure < at->second.figure);
    if (!is_new && slower) at->second = here;
  }
  std::vector<Measured> slowest;
  for (const auto& [key, measured] : found) slowest.push_back(measured);
  return slowest;
}

// ---------------------------------------------------------------------------------------------------------------------
// One result as a sample. A text says why it is none.

using Why = std::string;

constexpr double kWidestShape = 1e9;  // no matrix is wider, and what is computed of it fits an integer

std::optional<double> positive(const Result& r, const std::string& key, double most = kWidestShape) {
  const std::optional<double> number = number_of(r, key);
  return number && *number >= 1 && *number <= most ? number : std::nullopt;
}

std::string text_of(const Result& r, const std::string& key) {
  const auto text = r.shape.find(key);
  return text == r.shape.end() ? "" : text->second;
}

std::optional<Format> format_of(const Result& r) {
  const std::string name = text_of(r, r.shape.contains("weights") ? "weights" : "dtype");
  for (std::size_t i = 0; i < kFormats; ++i) {
    if (to_string(static_cast<Format>(i)) == name) return static_cast<Format>(i);
  }
  return std::nullopt;
}

std::optional<Seconds> time_of(const Measured& measured, Flops flops) {
  if (measured.result->unit == Unit::kTime) return Seconds(measured.figure);
  if (measured.result->unit == Unit::kFlopsPerSecond) return flops / FlopsPerSecond(measured.figure);
  return std::nullopt;
}

Why take_product(const Measured& measured, ProfileMeasurements& out) {
  const Result& r = *measured.result;
  const auto m = positive(r, "m"), n = positive(r, "n"), k = positive(r, "k");
  const std::optional<Format> format = format_of(r);
  if (!m || !n || !k) return "it does not tell m, n and k";
  if (!format) return "no weights are stored so";
  Operator op{.name = "product", .kind = OperatorKind::kLinear, .math = *format, .weights = *format, .tokens = *m};
  op.width_in = *k, op.width_out = *n, op.weight_elements = *n * *k;
  op.weight_bytes = bytes(*format, static_cast<std::int64_t>(*n), static_cast<std::int64_t>(*k));
  const ProductShape shape = product_shape(op);
  const std::optional<Seconds> time = time_of(measured, shape.flops);
  if (!time) return "its figure is no time";
  out.products.push_back({.weights = *format, .point = {.shape = shape, .time = *time}});
  return {};
}

// `bytes` of a record are those of nccl-tests: of a gather what every rank has at the end.
Why take_collective(const Measured& measured, OperatorKind kind, ProfileMeasurements& out) {
  const Result& r = *measured.result;
  const auto message = positive(r, "bytes", 1e15), ranks = positive(r, "ranks", 1e6);
  if (!message || !ranks || *ranks < 2) return "it does not tell bytes and ranks";
  if (r.unit != Unit::kTime) return "its figure is no time";
  Operator op{.name = "collective", .kind = kind};
  op.ranks = static_cast<int>(*ranks);
  op.payload = Bytes(kind == OperatorKind::kAllGather ? *message / *ranks : *message);
  out.curves.push_back(collective_sample_of(op, Seconds(measured.figure)));
  return {};
}

constexpr struct {
  const char* name;
  OperatorKind kind;
} kCollectives[] = {{"collective.all_reduce", OperatorKind::kAllReduce},
                    {"collective.all_gather", OperatorKind::kAllGather},
                    {"collective.all_to_all", OperatorKind::kAllToAll},
                    {"collective.send_recv", OperatorKind::kSendRecv}};

Why take(const Measured& measured, ProfileMeasurements& out) {
  const std::string& name = measured.result->name;
  if (name == "gpu.gemm" || name == "gpu.linear") return take_product(measured, out);
  for (const auto& collective : kCollectives) {
    if (name == collective.name) return take_collective(measured, collective.kind, out);
  }
  return "no operator of a plan is timed by it";
}

// Kernels as an engine runs them before those of a library alone: their surfaces are different ones.
std::vector<Measured> without_second_choice(std::vector<Measured> all) {
  std::set<std::string> linear;  // formats
  for (const Measured& m : all) {
    const std::optional<Format> format = format_of(*m.result);
    if (m.result->name == "gpu.linear" && format) linear.insert(to_string(*format));
  }
  std::erase_if(all, [&](const Measured& m) {
    const std::optional<Format> format = format_of(*m.result);
    return m.result->name == "gpu.gemm" && format && linear.contains(to_string(*format));
  });
  return all;
}

const Accelerator& accelerator_of(const MachineRecord& record, const Catalog& catalog) {
  const Accelerator* first = nullptr;
  for (const Gpu& gpu : record.gpus) {
    const Accelerator* entry = catalog_entry(gpu, catalog);
    if (entry == nullptr) {
      throw InputError(record.file, {}, fmt::format("the catalog has no accelerator called '{}'", gpu.name),
                       "its rates belong to an accelerator that a cluster file can name");
    }
    if (first != nullptr && first != entry)
      throw InputError(record.file, {}, "its GPUs are of different kinds: no group of a cluster has such devices");
    first = entry;
  }
  if (first == nullptr)
    throw InputError(record.file, {}, "the record has no GPU: a plan takes rates of accelerators from it");
  return *first;
}

}  // namespace

RecordRates rates_of(const MachineRecord& record, const Catalog& catalog) {
  RecordRates rates;
  ProfileMeasurements& m = rates.measurements;
  m.accelerator = accelerator_of(record, catalog).id;
  m.machine = fmt::format("{}, {} x {}", record.node, record.gpus.size(), record.gpus.front().name);
  m.backend = "cuda";
  m.date = record.date;
  std::set<std::string> unused;
  for (const Measured& measured : without_second_choice(slowest_of_devices(record, catalog))) {
    const std::string& name = measured.result->name;
    if (name.starts_with("host.")) continue;
    if (const Why why = take(measured, m); !why.empty()) unused.insert(name + ": " + why);
  }
  rates.unused.assign(unused.begin(), unused.end());
  return rates;
}

}  // namespace fathom::probe
