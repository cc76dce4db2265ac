#include "checklist/checklist.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <iterator>
#include <set>
#include <sstream>

#include "checklist/figures.h"
#include "checklist/network_line.h"
#include "checklist/power_line.h"
#include "input/reader.h"
#include "units/number.h"
#include "units/text.h"

namespace fathom::probe {

namespace {

// ---------------------------------------------------------------------------------------------------------------------
// Storage

constexpr Bytes kLeastFile(64e9);  // beyond what drives, controllers and hosts of virtual machines usually cache

// Why a cache may have answered instead of the device; empty: none can. Where the device is known to have answered, this node's memory has not.
std::string doubt(const Result& random, const MachineRecord& record) {
  if (random.protocol.cache == kByCache) return "less than 0.95 of the bytes came from the device: a cache answered";
  const std::optional<double> file = number_of(random, "file_bytes");
  if (!file) return "the size of the file is not known, so a cache may have answered";
  const Bytes memory = record.memory_limit.value_or(record.memory.value_or(Bytes(0)));
  const Bytes least = random.protocol.cache == kByDevice ? kLeastFile : std::max(kLeastFile, memory * 2);
  if (Bytes(*file) >= least) return "";
  return fmt::format("a file of {} may lie in a cache of the drive, of a controller or of the host: {} are needed",
                     to_string(Bytes(*file)), to_string(least));
}

ChecklistLine storage(const MachineRecord& record, const Requirements& required) {
  ChecklistLine line{
      .id = "storage",
      .item = "storage operations",
      .required = fmt::format("{} random reads/s of 4 KiB", grouped(static_cast<long long>(required.storage.value))),
      .status = Status::kPassed,
      .measured = {},
      .why = {},
      .next = {}};
  if (record.storage && !is_storage(record.storage->file_system)) {
    line.status = Status::kNotSupported;
    line.measured = record.storage->file_system;
    line.why = fmt::format("{} is on {}, which is no storage", record.storage->path, record.storage->file_system);
    line.next = "name a folder on the storage that will hold the weights: --storage DIR";
    return line;
  }
  const std::vector<Result> results = results_named(record, "host.storage");
  const Result* random = worst_figure(results, [](const Result& r) {
    return has_shape(r, "block_bytes", "4096") && r.unit == Unit::kOperationsPerSecond &&
           r.name == "host.storage.random_read";
  });
  if (random == nullptr) {
    nothing_measured(line, results, "name a folder on the storage that will hold the weights: --storage DIR");
    return line;
  }
  line.measured = fmt::format("{} ({}, {})", text_of(random->unit, random->figure->median), random->protocol.engine,
                              random->shape_text());
  if (!has_data(random->status)) {
    line.status = random->status;
    line.why = random->why;
  } else if (!random->protocol.cache.starts_with("O_DIRECT")) {
    line.status = Status::kUnknown;
    line.why = "it was not read past the page cache, so memory may have answered";
    line.next = "measure it with direct=1";
  } else if (random->figure->median < required.storage.value) {
    line.status = Status::kFailed;
    line.why = "below what is required";
    line.next = random->protocol.engine == "builtin"
                    ? "install fio, which keeps more reads in flight than our own readers, then measure again"
                    : "more drives or more jobs in flight; weights need bytes per second rather than operations";
  } else if (line.why = doubt(*random, record); !line.why.empty()) {
    line.status = Status::kUnknown;
    line.next =
        "fathom probe --checklist --profile full --storage DIR lays out such a file; of an imported run: fio --size";
  }
  return line;
}

// ---------------------------------------------------------------------------------------------------------------------
// Clock

constexpr double kMostIntervals = 4;  // since the last answer of the server
constexpr double kClockStep = 1;  // seconds that an answer may seem to come from the future: its time is read after it

bool is_reference_id(const std::string& id) {
  return id.size() == 8 && std::all_of(id.begin(), id.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

std::string microseconds(double seconds) { return fmt::format("{:.1f} us", seconds * 1e6); }

void judge(const ClockState& c, Seconds most, ChecklistLine& line) {
  const double bound = std::abs(c.offset_s) + c.root_dispersion_s + std::abs(c.root_delay_s) / 2;
  line.measured = fmt::format("off by {}, at most {} (stratum {}, reference {})", microseconds(std::abs(c.offset_s)),
                              microseconds(bound), c.stratum, c.reference_id);
  line.next = "use a stratum 1 server in this network, or PTP";
  if (is_free_running(c)) {
    line.status = Status::kFailed;
    line.why = "the clock follows no server: it is compared with itself, or with none";
    line.next = "name a server in chrony.conf; \"local stratum\" alone always reports an offset of 0";
  } else if (c.leap != "Normal") {
    line.status = Status::kFailed;
    line.why = "leap status " + c.leap;
  } else if (std::max(std::abs(c.offset_s), std::abs(c.rms_offset_s)) > most.value) {
    line.status = Status::kFailed;
    line.why = fmt::format("off by {} (RMS {})", microseconds(std::abs(c.offset_s)), microseconds(c.rms_offset_s));
  } else if (!is_reference_id(c.reference_id) || c.root_dispersion_s < 0) {
    line.status = Status::kUnknown;
    line.why = "what chronyd says of its server is no reference id of eight digits, or a negative dispersion";
  } else if (c.reference_age_s < -kClockStep) {
    line.status = Status::kUnknown;
    line.why = fmt::format("the server's last answer is {:.0f} s ahead of this clock", -c.reference_age_s);
    line.next = "the clock was set back: wait for the next answers, then ask again";
  } else if (c.update_interval_s <= 0 || c.reference_age_s >= kMostIntervals * c.update_interval_s) {
    line.status = Status::kUnknown;
    line.why = fmt::format("the server last answered {:.0f} s ago", c.reference_age_s);
  } else if (bound > most.value) {
    line.status = Status::kUnknown;
    line.why = "not proven: the way to the server leaves more room than that";
  } else {
    line.status = Status::kPassed;
    line.next.clear();
  }
}

ChecklistLine clock(const MachineRecord& record, const Requirements& required) {
  ChecklistLine line{.id = "clock",
                     .item = "clock synchronisation",
                     .required = fmt::format("within {}", to_string(required.clock.value)),
                     .status = Status::kUnknown,
                     .measured = {},
                     .why = record.no_clock.empty() ? "it was not asked" : record.no_clock,
                     .next = "install and start chrony"};
  if (record.clock) {
    line.why.clear();
    judge(*record.clock, required.clock.value, line);
  }
  return line;
}

}  // namespace

std::vector<Result> results_named(const MachineRecord& record, const std::string& name) {
  std::vector<Result> found;
  for (const Result& r : record.results) {
    if (!r.name.starts_with(name)) continue;
    found.push_back(r);
    hold_against(found.back(), gross_limit(r));
  }
  return found;
}

bool has_shape(const Result& r, const char* key, const char* value) {
  const auto found = r.shape.find(key);
  return found != r.shape.end() && found->second == value;
}

void nothing_measured(ChecklistLine& line, const std::vector<Result>& results, const std::string& how) {
  const auto without = std::find_if(results.begin(), results.end(), [](const Result& r) { return !r.figure; });
  line.status = without == results.end() ? Status::kNotRun : without->status;
  line.why = without == results.end() || without->why.empty() ? "it was not measured" : without->why;
  line.next = how;
}

// 127.127.x.y and 127.0.0.1 are the machine itself, LOCL and LCL its own clock as a driver, INIT and STEP no answer yet. A clock that
// follows another has its stratum and one more, 15 at most; 0 and 16 mean that there is none (RFC 5905).
bool is_free_running(const ClockState& clock) {
  static const char* const kOwn[] = {"00000000", "7F000001", "4C4F434C", "4C434C00", "494E4954", "53544550"};
  std::string id = clock.reference_id;
  std::transform(id.begin(), id.end(), id.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const bool is_own = std::any_of(std::begin(kOwn), std::end(kOwn), [&](const char* own) { return id == own; });
  return is_own || id.starts_with("7F7F") || clock.stratum < 1 || clock.stratum > 15;
}

// With FUSE in front or not: "fuse.overlayfs".
bool is_storage(const std::string& file_system) {
  static const char* const kOthers[] = {"tmpfs", "ramfs",   "devtmpfs",     "overlay", "overlayfs",
                                        "aufs",  "unionfs", "unionfs-fuse", "rootfs",  "squashfs"};
  const bool by_fuse = file_system.starts_with("fuse.") || file_system.starts_with("fuse-");
  const std::string type = by_fuse ? file_system.substr(5) : file_system;
  return std::none_of(std::begin(kOthers), std::end(kOthers), [&](const char* other) { return type == other; });
}

Requirements read_requirements(const std::filesystem::path& path) {
  const Document document = read_yaml(path);
  MapReader file(document.file, document.root, "a file of requirements");
  file.choice("format", {"fathom-checklist/1"});
  file.take("sources");
  Requirements r{.network = file.required<Fact<BytesPerSecond>>("network"),
                 .storage = file.required<Fact<double>>("storage_operations"),
                 .clock = file.required<Fact<Seconds>>("clock"),
                 .feed_load = file.required<Fact<double>>("feed_load"),
                 .ups_runtime = file.required<Fact<Seconds>>("ups_runtime"),
                 .attestation_age = file.required<Fact<Seconds>>("attestation_age")};
  file.finish();
  check_range(file.context(file.need("feed_load")), r.feed_load.value, 0.01, 1, "\"feed_load\"");
  check_range(file.context(file.need("storage_operations")), r.storage.value, 1, 1e12, "\"storage_operations\"");
  return r;
}

std::vector<ChecklistLine> check_environment(const MachineRecord& record, const Requirements& requirements) {
  return {power_line(record, requirements), network_line(record, requirements), storage(record, requirements),
          clock(record, requirements)};
}

}  // namespace fathom::probe
