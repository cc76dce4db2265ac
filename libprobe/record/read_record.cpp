// A record read back, strictly: a key that nobody knows, a word outside its list or a number out of any range is refused.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <utility>

#include "input/content.h"
#include "input/reader.h"
#include "input/utf8.h"
#include "record/check_record.h"
#include "record/machine_record.h"
#include "record/record_version.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

constexpr double kLargest = kLargestFigure;
constexpr double kLongest = 1e12;  // s

double number(MapReader& reader, const std::string& key, double lowest, double highest) {
  const Context at = reader.context(reader.need(key));
  double out = 0;
  read(at, out);
  check_range(at, out, lowest, highest, in_quotes(key));
  return out;
}

std::optional<double> maybe_number(MapReader& reader, const std::string& key, double lowest, double highest) {
  if (reader.take(key) == nullptr) return std::nullopt;
  return number(reader, key, lowest, highest);
}

int whole(MapReader& reader, const std::string& key, int lowest, int highest) {
  const Context at = reader.context(reader.need(key));
  int out = 0;
  read(at, out);
  check_range(at, out, lowest, highest, in_quotes(key));
  return out;
}

std::optional<int> maybe_whole(MapReader& reader, const std::string& key, int lowest, int highest) {
  if (reader.take(key) == nullptr) return std::nullopt;
  return whole(reader, key, lowest, highest);
}

template <class Quantity>
std::optional<Quantity> maybe(MapReader& reader, const std::string& key) {
  const std::optional<double> value = maybe_number(reader, key, 0, kLargest);
  return value ? std::optional(Quantity(*value)) : std::nullopt;
}

template <class ReadOne>
auto list(MapReader& reader, const std::string& key, ReadOne read_one) {
  std::vector<decltype(read_one(std::declval<Context>()))> out;
  const Value* value = reader.take(key);
  if (value == nullptr) return out;
  const Context at = reader.context(*value);
  if (at.value.kind != Value::Kind::kSequence) fail_kind(at, "a list");
  if (at.value.items.size() > kMostFileResults) at.fail("the list is absurdly long");
  for (const Value& item : at.value.items) out.push_back(read_one(reader.context(item)));
  return out;
}

// ---------------------------------------------------------------------------------------------------------------------
// Results

Statistics read_figure(const Context& at) {
  MapReader reader(at, "a figure");
  Statistics s = single_figure(number(reader, "median", -kLargest, kLargest));
  s.samples = maybe_whole(reader, "samples", 1, 1'000'000'000).value_or(1);
  const auto take = [&](const char* key, double& out) {
    out = maybe_number(reader, key, -kLargest, kLargest).value_or(out);
  };
  take("low", s.low);
  take("high", s.high);
  take("q1", s.q1);
  take("q3", s.q3);
  take("min", s.min);
  take("max", s.max);
  take("mad", s.mad);
  take("drift", s.drift);
  reader.finish();
  if (s.low > s.high || s.q1 > s.q3 || s.min > s.max) reader.fail("low, q1 and min must not be above high, q3 and max");
  return s;
}

Protocol read_protocol(const Context& at) {
  MapReader reader(at, "a protocol");
  Protocol p;
  p.engine = reader.get<std::string>("engine", {});
  p.kernel = reader.get<std::string>("kernel", {});
  p.pattern = reader.get<std::string>("pattern", {});
  p.cache = reader.get<std::string>("cache", {});
  p.launch = reader.get<std::string>("launch", {});
  p.statistic = reader.get<std::string>("statistic", {});
  p.warm_up_runs = maybe_whole(reader, "warm_up_runs", 0, 1'000'000'000).value_or(0);
  p.warm_up = maybe<Seconds>(reader, "warm_up_s").value_or(Seconds(0));
  p.repeats = maybe_whole(reader, "repeats", 0, 1'000'000'000).value_or(0);
  p.clock_low = maybe<Hertz>(reader, "clock_low_hz");
  p.clock_high = maybe<Hertz>(reader, "clock_high_hz");
  p.power = maybe<Watts>(reader, "power_w");
  p.temperature = maybe_number(reader, "temperature_c", -100, 1000);
  if (const auto mask = maybe_number(reader, "throttle_reasons", 0, 4294967295.0)) {
    p.throttle_reasons = static_cast<unsigned>(*mask);
  }
  reader.finish();
  return p;
}

Correctness read_correctness(const Context& at) {
  MapReader reader(at, "what was compared");
  Correctness c;
  c.method = reader.required<std::string>("method");
  c.worst_error = maybe_number(reader, "worst_error", 0, kLargest).value_or(0);
  c.correct = reader.required<bool>("correct");
  reader.finish();
  return c;
}

std::map<std::string, std::string> read_shape(const Context& at) {
  if (at.value.kind != Value::Kind::kMapping) fail_kind(at, "a mapping");
  std::map<std::string, std::string> shape;
  for (const Entry& entry : at.value.entries) {
    if (entry.value.kind != Value::Kind::kScalar) fail_kind({at.file, entry.value}, "a number or a word");
    shape[entry.key] = entry.value.text;
  }
  return shape;
}

// A result has at most one figure, under the key that is its unit.
void read_figures(MapReader& reader, Result& result) {
  for (int i = 0; i <= static_cast<int>(kLastUnit); ++i) {
    const Value* value = reader.take(key_of(static_cast<Unit>(i)));
    if (value == nullptr) continue;
    if (result.figure) reader.context(*value).fail("a result has one figure, and this is its second");
    result.unit = static_cast<Unit>(i);
    result.figure = read_figure(reader.context(*value));
  }
}

Result read_result(const Context& at) {
  MapReader reader(at, "a result");
  Result result;
  result.name = reader.required<std::string>("case");
  result.device = reader.required<std::string>("device");
  if (const Value* value = reader.take("shape")) result.shape = read_shape(reader.context(*value));
  result.status = static_cast<Status>(reader.choice("status", status_words()));
  result.why = reader.get<std::string>("why", {});
  read_figures(reader, result);
  if (const Value* value = reader.take("protocol")) result.protocol = read_protocol(reader.context(*value));
  if (const Value* value = reader.take("correctness")) result.correctness = read_correctness(reader.context(*value));
  result.notes = reader.get<std::vector<std::string>>("notes", {});
  reader.finish();
  if (result.figure && (result.status == Status::kNotRun || result.status == Status::kNotSupported)) {
    reader.fail(fmt::format("a result that is {} has no figure", to_string(result.status)));
  }
  if (has_data(result.status) && !result.figure) {
    std::string units;
    for (int i = 0; i <= static_cast<int>(kLastUnit); ++i) {
      units += (i == 0 ? "" : ", ") + std::string(key_of(static_cast<Unit>(i)));
    }
    reader.fail(fmt::format("a result that is {} needs its figure", to_string(result.status)), "one of " + units);
  }
  return result;
}

// ---------------------------------------------------------------------------------------------------------------------
// Inventory

Processor read_processor(const Context& at) {
  MapReader reader(at, "a processor");
  Processor p;
  p.name = reader.required<std::string>("name");
  p.sockets = maybe_whole(reader, "sockets", 1, 1024);
  p.cores = maybe_whole(reader, "cores", 1, 1'000'000);
  p.threads = whole(reader, "threads", 1, 1'000'000);
  p.threads_allowed = whole(reader, "threads_allowed", 1, 1'000'000);
  p.instruction_sets = reader.get<std::vector<std::string>>("instruction_sets", {});
  p.last_level_cache = maybe<Bytes>(reader, "last_level_cache_bytes");
  reader.finish();
  return p;
}

NumaNode read_numa(const Context& at) {
  MapReader reader(at, "a NUMA node");
  NumaNode n;
  n.node = whole(reader, "node", 0, 1'000'000);
  n.cpus = reader.get<std::string>("cpus", {});
  n.memory = maybe<Bytes>(reader, "memory_bytes");
  n.distances = reader.get<std::vector<int>>("distances", {});
  reader.finish();
  return n;
}

Gpu read_gpu(const Context& at) {
  MapReader reader(at, "a GPU");
  Gpu g;
  g.device = reader.required<std::string>("device");
  g.name = reader.required<std::string>("name");
  g.uuid = reader.get<std::string>("uuid", {});
  g.bus = reader.get<std::string>("bus", {});
  g.memory = maybe<Bytes>(reader, "memory_bytes");
  g.memory_peak = maybe<BytesPerSecond>(reader, "memory_peak_bytes_per_s");
  g.clock = maybe<Hertz>(reader, "clock_hz");
  g.clock_max = maybe<Hertz>(reader, "clock_max_hz");
  g.power_limit = maybe<Watts>(reader, "power_limit_w");
  g.power_limit_default = maybe<Watts>(reader, "power_limit_default_w");
  g.temperature = maybe_number(reader, "temperature_c", -100, 1000);
  g.temperature_slowdown = maybe_number(reader, "temperature_slowdown_c", -100, 1000);
  g.pcie_generation = maybe_whole(reader, "pcie_generation", 0, 20);
  g.pcie_generation_max = maybe_whole(reader, "pcie_generation_max", 0, 20);
  g.pcie_width = maybe_whole(reader, "pcie_width", 0, 64);
  g.pcie_width_max = maybe_whole(reader, "pcie_width_max", 0, 64);
  g.nvlinks = maybe_whole(reader, "nvlinks", 0, 1000);
  g.nvlinks_expected = maybe_whole(reader, "nvlinks_expected", 0, 1000);
  if (const auto mask = maybe_number(reader, "throttle_reasons", 0, 4294967295.0)) {
    g.throttle_reasons = static_cast<unsigned>(*mask);
  }
  if (const auto errors = maybe_number(reader, "ecc_uncorrected", 0, 1e15)) {
    g.ecc_uncorrected = static_cast<std::int64_t>(*errors);
  }
  g.remap_pending = reader.optional<bool>("remap_pending");
  g.remap_failed = reader.optional<bool>("remap_failed");
  g.ecc = reader.optional<bool>("ecc");
  g.persistence = reader.optional<bool>("persistence");
  g.mig = reader.optional<bool>("mig");
  reader.finish();
  return g;
}

Link read_link(const Context& at) {
  MapReader reader(at, "a link");
  Link l;
  l.from = reader.required<std::string>("from");
  l.to = reader.required<std::string>("to");
  l.kind = reader.get<std::string>("kind", {});
  if (!l.kind.empty() && l.kind != "nvlink" && l.kind != "pcie" && l.kind != "sys") {
    reader.fail("a link is \"nvlink\", \"pcie\" (one host bridge) or \"sys\" (beyond it), found " + in_quotes(l.kind));
  }
  l.peer_access = reader.optional<bool>("peer_access");
  l.peer_access_expected = reader.optional<bool>("peer_access_expected");
  reader.finish();
  return l;
}

CaseTime read_case_time(const Context& at) {
  MapReader reader(at, "the time of a case");
  CaseTime t{.name = reader.required<std::string>("case"), .time = Seconds(number(reader, "duration_s", 0, kLongest))};
  reader.finish();
  return t;
}

void read_inventory(const Context& at, MachineRecord& record) {
  MapReader reader(at, "the inventory");
  if (const Value* value = reader.take("processor")) record.processor = read_processor(reader.context(*value));
  record.memory = maybe<Bytes>(reader, "memory_bytes");
  record.memory_limit = maybe<Bytes>(reader, "memory_limit_bytes");
  record.numa = list(reader, "numa", read_numa);
  record.gpus = list(reader, "gpus", read_gpu);
  record.links = list(reader, "links", read_link);
  reader.finish();
  std::set<std::string> devices;
  for (const Gpu& gpu : record.gpus) {
    if (!devices.insert(gpu.device).second) {
      reader.context(reader.need("gpus")).fail("two GPUs are called " + in_quotes(gpu.device));
    }
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Environment

ClockState read_clock(const Context& at) {
  MapReader reader(at, "a clock's state");
  ClockState c;
  c.tool = reader.required<std::string>("tool");
  c.reference_id = reader.required<std::string>("reference_id");
  c.stratum = whole(reader, "stratum", 0, 255);
  c.leap = reader.required<std::string>("leap");
  c.offset_s = number(reader, "offset_s", -kLongest, kLongest);
  c.rms_offset_s = number(reader, "rms_offset_s", -kLongest, kLongest);
  c.root_delay_s = number(reader, "root_delay_s", -kLongest, kLongest);
  c.root_dispersion_s = number(reader, "root_dispersion_s", 0, kLongest);
  c.reference_age_s = number(reader, "reference_age_s", -kLongest, kLongest);
  c.update_interval_s = number(reader, "update_interval_s", 0, kLongest);
  reader.finish();
  return c;
}

StoragePlace read_storage(const Context& at) {
  MapReader reader(at, "a place of storage");
  StoragePlace place{.path = reader.required<std::string>("path"),
                     .file_system = reader.required<std::string>("file_system")};
  reader.finish();
  return place;
}

Ups read_ups(const Context& at) {
  MapReader reader(at, "a UPS");
  Ups u;
  u.name = reader.required<std::string>("name");
  u.status = reader.required<std::string>("status");
  u.why = reader.get<std::string>("why", {});
  u.charge = maybe_number(reader, "charge", 0, 10);
  u.load = maybe_number(reader, "load", 0, 10);
  u.runtime = maybe<Seconds>(reader, "runtime_s");
  reader.finish();
  return u;
}

PowerSupply read_supply(const Context& at) {
  MapReader reader(at, "a power supply");
  PowerSupply s;
  s.name = reader.required<std::string>("name");
  s.state = reader.get<std::string>("state", {});
  s.health = reader.get<std::string>("health", {});
  s.input = reader.get<std::string>("input", {});
  s.capacity = maybe<Watts>(reader, "capacity_w");
  reader.finish();
  return s;
}

SupplyGroup read_group(const Context& at) {
  MapReader reader(at, "a group of power supplies");
  SupplyGroup g;
  g.kind = reader.required<std::string>("kind");
  g.health = reader.get<std::string>("health", {});
  g.members = whole(reader, "members", 0, 1000);
  g.needed = maybe_whole(reader, "needed", 0, 1000);
  reader.finish();
  return g;
}

NodePower read_power(const Context& at) {
  MapReader reader(at, "the power");
  NodePower power{.supplies = list(reader, "supplies", read_supply), .groups = list(reader, "groups", read_group)};
  reader.finish();
  return power;
}

Attestation read_attestation(const Context& at) {
  MapReader reader(at, "an attestation");
  Attestation a{.date = reader.required<std::string>("date"),
                .person = reader.required<std::string>("person"),
                .evidence = reader.required<std::string>("evidence")};
  reader.finish();
  return a;
}

std::vector<Setting> read_settings(const Context& at) {
  std::vector<Setting> settings;
  for (const auto& [name, value] : read_shape(at)) settings.push_back({name, value});
  return settings;
}

void read_environment(const Context& at, MachineRecord& record) {
  MapReader reader(at, "the environment");
  if (const Value* value = reader.take("settings")) record.settings = read_settings(reader.context(*value));
  if (const Value* value = reader.take("clock")) record.clock = read_clock(reader.context(*value));
  record.no_clock = reader.get<std::string>("no_clock", {});
  if (const Value* value = reader.take("storage")) record.storage = read_storage(reader.context(*value));
  record.ups = list(reader, "ups", read_ups);
  if (const Value* value = reader.take("power")) record.power = read_power(reader.context(*value));
  record.no_power = reader.get<std::string>("no_power", {});
  if (const Value* value = reader.take("power_attestation")) {
    record.power_attestation = read_attestation(reader.context(*value));
  }
  reader.finish();
}

// ---------------------------------------------------------------------------------------------------------------------
// The record

MachineRecord read_known(const Document& document, std::vector<std::string>* unread) {
  const Context at{document.file, document.root, unread};
  MapReader root(at, "the record");
  root.take("format");
  root.take("format_version");
  MachineRecord record;
  record.file = document.file;
  record.node = root.required<std::string>("node");
  record.date = root.required<std::string>("date");
  if (!day_of(record.date)) root.context(root.need("date")).fail("the date is no day", "write it as 2026-06-01");
  record.tool = root.get<std::string>("tool", {});
  record.profile = root.get<std::string>("profile", {});
  record.system = root.get<std::string>("system", {});
  record.hypervisor = root.get<std::string>("hypervisor", {});
  record.duration = maybe<Seconds>(root, "duration_s");
  record.case_times = list(root, "case_durations", read_case_time);
  if (const Value* value = root.take("inventory")) read_inventory(root.context(*value), record);
  if (const Value* value = root.take("environment")) read_environment(root.context(*value), record);
  root.need("results");
  record.results = list(root, "results", read_result);
  root.finish();
  check_record(record, at);
  return record;
}

// What this program refuses may be right in the record's own version.
MachineRecord read_newer(const Document& document, int minor) {
  std::vector<std::string> unread;
  try {
    MachineRecord record = read_known(document, &unread);
    record.notes.push_back(left_unread(minor, std::move(unread), record));
    return record;
  } catch (const InputError& error) {
    throw InputError(
        error.file(), error.at(), error.message(),
        fmt::format("{}{}{}: update it", error.hint(), error.hint().empty() ? "" : "; ", newer_than_known(minor)));
  }
}

}  // namespace

std::optional<std::chrono::sys_days> day_of(const std::string& date) {
  int year = 0;
  unsigned month = 0, day = 0;
  int length = 0;
  const bool is_plain = date.size() == 10 && date.find_first_not_of("0123456789-") == std::string::npos;
  if (!is_plain || std::sscanf(date.c_str(), "%4d-%2u-%2u%n", &year, &month, &day, &length) != 3 || length != 10)
    return std::nullopt;
  const std::chrono::year_month_day ymd{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  return ymd.ok() ? std::optional(std::chrono::sys_days(ymd)) : std::nullopt;
}

const Gpu* MachineRecord::gpu(const std::string& device) const {
  const auto it = std::find_if(gpus.begin(), gpus.end(), [&](const Gpu& g) { return g.device == device; });
  return it == gpus.end() ? nullptr : &*it;
}

const Setting* MachineRecord::setting(const std::string& name) const {
  const auto it = std::find_if(settings.begin(), settings.end(), [&](const Setting& s) { return s.name == name; });
  return it == settings.end() ? nullptr : &*it;
}

void check_texts(const std::string& file, const Value& value) {
  const auto drives = [](const std::string& text) { return find_steering(text, "\n\t") != std::string::npos; };
  if (drives(value.text)) throw InputError(file, value.at, "the text has a control character");
  for (const Value& item : value.items) check_texts(file, item);
  for (const Entry& entry : value.entries) {
    if (drives(entry.key)) throw InputError(file, entry.at, "the key has a control character");
    check_texts(file, entry.value);
  }
}

MachineRecord parse_record(std::string text, const std::string& file_name) {
  const Document document = parse_yaml(std::move(text), file_name, kMostRecordValues);
  check_format(document);
  const int minor = check_version(document);
  check_texts(document.file, document.root);
  return minor > kRecordMinor ? read_newer(document, minor) : read_known(document, nullptr);
}

MachineRecord read_record(const std::filesystem::path& path) { return parse_record(text_of_file(path), path.string()); }

}  // namespace fathom::probe
