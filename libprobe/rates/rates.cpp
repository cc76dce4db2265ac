#include "rates/rates.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "health/limits_of_parts.h"
#include "input/error.h"
#include "rates/machine_rates.h"
#include "shapes/case_operators.h"

namespace fathom::probe {

namespace {

// ---------------------------------------------------------------------------------------------------------------------
// Results of one case and shape: of one device the fastest of its kernels, as engines choose; of all devices the slowest

struct Measured {
  const Result* result = nullptr;
  double figure = 0;
};

bool is_slower(const Measured& one, const Measured& other) {
  return more_is_better(one.result->unit) ? one.figure < other.figure : one.figure > other.figure;
}

// Libraries and kernels sum in ways of their own.
std::string way_of(const Protocol& p) {
  std::string way = p.engine;
  for (const std::string& word : {p.kernel, p.launch}) way += (way.empty() || word.empty() ? "" : " ") + word;
  return way;
}

// Ways to sum stay apart: each has a curve.
std::string way_in_key(const Result& r) { return r.name.starts_with("collective.") ? way_of(r.protocol) : ""; }

std::vector<Measured> slowest_of_devices(const MachineRecord& record, const Catalog& catalog) {
  using Key = std::tuple<std::string, std::map<std::string, std::string>, std::string, Unit>;
  std::map<std::pair<Key, std::string>, Measured> of_devices;
  for (const Result& r : record.results) {
    if (r.protocol.pattern == "zeros") continue;  // they draw less power: 12 % faster on an H200
    if (!is_usable(r, peak_of(r, record, catalog))) continue;
    const Measured here{&r, r.figure->median};
    const Key key{r.name, r.shape, way_in_key(r), r.unit};
    const auto [at, is_new] = of_devices.emplace(std::pair(key, r.device), here);
    if (!is_new && is_slower(at->second, here)) at->second = here;
  }
  std::map<Key, Measured> slowest;
  for (const auto& [key, here] : of_devices) {
    const auto [at, is_new] = slowest.emplace(key.first, here);
    if (!is_new && is_slower(here, at->second)) at->second = here;
  }
  std::vector<Measured> all;
  for (const auto& [key, measured] : slowest) all.push_back(measured);
  return all;
}

// ---------------------------------------------------------------------------------------------------------------------
// One result as samples

void add(const Operator& op, Seconds time, const Protocol& protocol, ProfileMeasurements& out) {
  if (is_collective(op.kind)) {
    out.curves.push_back(collective_sample_of(op, time));
    out.curves.back().way = way_of(protocol);
  } else if (op.kind == OperatorKind::kLinear) {
    out.products.push_back({.weights = op.weights, .point = {.shape = product_shape(op), .time = time}});
  } else {
    out.operators.push_back(sample_of(op, time));
  }
}

// Operators that were timed together share the time by the bytes that they move. False when the figure is no time.
bool take(const Measured& measured, const std::vector<Operator>& operators, ProfileMeasurements& out) {
  const std::optional<Seconds> time = time_of(*measured.result, measured.figure, operators);
  if (!time) return false;
  Bytes all{};
  for (const Operator& op : operators) all += bytes_moved(op);
  for (const Operator& op : operators)
    add(op, all > Bytes(0) ? *time * (bytes_moved(op) / all) : *time, measured.result->protocol, out);
  return true;
}

// A law needs more shapes than it has numbers.
constexpr std::size_t kLeastShapes = 4;

void name_short_surfaces(const ProfileMeasurements& measurements, std::set<std::string>& unused) {
  std::map<Format, std::vector<ProductPoint>> points;
  for (const ProductSample& s : measurements.products) points[s.weights].push_back(s.point);
  for (const auto& [format, of] : points) {
    if (distinct_shapes(of) < kLeastSurfacePoints)
      unused.insert("linear " + to_string(format) + ": fewer than four shapes");
  }
}

void drop_short_rows(ProfileMeasurements& out, std::set<std::string>& unused) {
  std::map<std::pair<OperatorKind, Format>, std::set<std::pair<double, double>>> shapes;
  for (const ProfileSample& s : out.operators) shapes[{s.kind, s.weights}].emplace(s.bytes.value, s.flops.value);
  for (const auto& [key, of] : shapes) {
    if (of.size() < kLeastShapes)
      unused.insert(fmt::format("{} {}: fewer than four shapes", to_string(key.first), to_string(key.second)));
  }
  std::erase_if(out.operators, [&](const ProfileSample& s) {
    return shapes[{s.kind, s.weights}].size() < kLeastShapes;
  });
}

std::string format_name(const Result& r) {
  const auto text = r.shape.find("dtype");
  return text == r.shape.end() ? "" : text->second;
}

// Kernels as an engine runs them before those of a library alone: their surfaces are different ones.
std::vector<Measured> without_second_choice(std::vector<Measured> all) {
  std::set<std::string> linear;  // formats
  for (const Measured& m : all) {
    if (m.result->name == "gpu.linear") linear.insert(format_name(*m.result));
  }
  std::erase_if(
      all, [&](const Measured& m) { return m.result->name == "gpu.gemm" && linear.contains(format_name(*m.result)); });
  return all;
}

// `record` has GPUs.
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
  return *first;
}

// Activations that the products before them do on the way: of experts always; beside gate and up as far as the kernels of every format that
// was measured join them. And norms of a single row, which on Hopper the products norm that read it (kernels/cuda/linear.h, takes_norm);
// that a router's norm is not among them costs a microsecond of its layer.
std::vector<ProfilePart> parts_of(const std::vector<Measured>& all, const Accelerator& accelerator) {
  std::vector<ProfilePart> parts;
  std::map<std::string, double> joined;  // most tokens, by format
  bool experts = false;
  for (const Measured& m : all) {
    experts |= m.result->name == "gpu.experts";
    if (m.result->name != "gpu.linear" || !m.result->shape.contains("gated")) continue;
    double& most = joined[format_name(*m.result)];
    most = std::max(most, number_of(*m.result, "m").value_or(0));
  }
  if (experts) parts.push_back({.name = "moe.experts.activation", .tokens = std::numeric_limits<double>::infinity()});
  if (joined.empty()) return parts;
  const auto least =
      std::min_element(joined.begin(), joined.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  for (const char* name : {"ffn.activation", "moe.shared.activation"}) {
    parts.push_back({.name = name, .tokens = least->second});
  }
  if (accelerator.architecture.starts_with("Hopper")) {
    for (const char* name : {"attention.norm", "ffn.norm"}) parts.push_back({.name = name, .tokens = 1});
  }
  return parts;
}

// Of a machine without a GPU: its processor as what runs the model, with the engine whose kernels were measured.
RecordRates rates_of_host(const MachineRecord& record, const Catalog& catalog) {
  RecordRates rates;
  ProfileMeasurements& m = rates.measurements;
  m.accelerator = kHostAccelerator;
  m.machine = record.processor ? fmt::format("{}, {}", record.node, record.processor->name) : record.node;
  m.backend = "host";
  m.engine = "fathom-host";
  m.date = record.date;
  m.rows = host_products(record, catalog);
  m.storage = storage_read(record);
  if (m.rows.empty()) {
    throw InputError(record.file, {}, "the record has no GPU, and no products of its processor to plan with",
                     fmt::format("of a machine without GPUs a plan with part: {} takes host.gemv and host.gemm of one "
                                 "format, and host.storage.read",
                                 kHostAccelerator));
  }
  rates.unused = {
      fmt::format("anything but the products of its processor, for groups of part: {}, and long reads of storage",
                  kHostAccelerator)};
  return rates;
}

}  // namespace

RecordRates rates_of(const MachineRecord& record, const Catalog& catalog) {
  if (record.gpus.empty()) return rates_of_host(record, catalog);
  const Accelerator& accelerator = accelerator_of(record, catalog);
  RecordRates rates;
  ProfileMeasurements& m = rates.measurements;
  m.accelerator = accelerator.id;
  m.machine = fmt::format("{}, {} x {}", record.node, record.gpus.size(), record.gpus.front().name);
  m.backend = "cuda";
  m.alone = true;
  m.date = record.date;
  std::set<std::string> unused, foreign;
  const std::vector<Measured> all = without_second_choice(slowest_of_devices(record, catalog));
  m.parts = parts_of(all, accelerator);
  m.watts = watts_of(record, catalog, unused);
  m.storage = storage_read(record);
  for (const Measured& measured : all) {
    const std::string& name = measured.result->name;
    if (name.starts_with("host.") || name == "gpu.power" || (m.watts && name == "gpu.memory.read")) continue;
    const CaseOperators operators = operators_of(*measured.result);
    if (operators.list.empty()) {
      operators.why.empty() ? foreign.insert(name) : unused.insert(name + ": " + operators.why);
    } else if (!take(measured, operators.list, m)) {
      unused.insert(name + ": its figure is no time");
    }
  }
  drop_short_rows(m, unused);
  name_short_surfaces(m, unused);
  rates.unused.assign(unused.begin(), unused.end());
  if (!foreign.empty()) rates.unused.push_back(fmt::format("{}: no operator of a plan", fmt::join(foreign, ", ")));
  return rates;
}

}  // namespace fathom::probe
