#include "cases/storage.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "checklist/checklist.h"
#include "importers/importers.h"
#include "importers/tool_json.h"
#include "inventory/surroundings.h"
#include "units/text.h"

namespace fathom::probe {

namespace {

namespace fs = std::filesystem;

// A name nobody else has, gone when the measurement ends; when the program is ended first, fio (--unlink) removes it.
class ScratchFile {
 public:
  explicit ScratchFile(const fs::path& folder) : path_(folder / fmt::format("fathom-probe-{}.tmp", ::getpid())) {}
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::vector<std::string> fio_command(const StorageRules& rules, const fs::path& file, const char* pattern, int block,
                                     int depth, int jobs, const char* engine) {
  return {"fio",
          "--name=probe",
          "--unlink=1",
          "--filename=" + file.string(),
          fmt::format("--size={:.0f}", rules.file.value),
          fmt::format("--rw={}", pattern),
          fmt::format("--bs={}", block),
          fmt::format("--iodepth={}", depth),
          fmt::format("--numjobs={}", jobs),
          fmt::format("--ioengine={}", engine),
          "--direct=1",
          "--time_based",
          fmt::format("--runtime={:.0f}", rules.run.value),
          fmt::format("--ramp_time={:.0f}", rules.ramp.value),
          "--group_reporting",
          "--refill_buffers",
          "--output-format=json"};
}

// What the figure stands for: fio does not tell what it read to warm up, which the device counts too.
Bytes asked_for(const StorageRules& rules, const Result& r) {
  if (!r.figure) return Bytes(0);
  const double rate = r.figure->median;
  return Bytes((r.unit == Unit::kBytesPerSecond ? rate : rate * number_of(r, "block_bytes").value_or(0)) *
               rules.run.value);
}

// io_uring is often forbidden in containers; libaio is everywhere.
std::vector<Result> run_fio(const StorageRules& rules, const fs::path& file, const char* name, const char* pattern,
                            int block, int depth, int jobs, const System& system, DeviceCount& device) {
  const Seconds limit =
      rules.run + rules.ramp + Seconds(60) + rules.file / BytesPerSecond(20e6);  // a slow disk's layout
  CommandOutcome said;
  for (const char* engine : {"io_uring", "libaio", "psync"}) {
    device.begin();
    said = system.run(fio_command(rules, file, pattern, block, depth, jobs, engine), limit);
    if (said.succeeded() || said.end != CommandOutcome::End::kExited) break;
  }
  if (!said.succeeded()) return {without_figure(name, "host", Status::kUnknown, trouble_with("fio", said))};
  std::vector<Result> results = results_of_fio(parse_tool_json(said.out, "the output of fio"));
  for (Result& r : results) {
    r.shape["file_bytes"] = fmt::format("{:.0f}", rules.file.value);
    r.protocol.pattern = "random";
    r.protocol.warm_up = rules.ramp;
    device.end(asked_for(rules, r), r);
  }
  return results;
}

std::vector<Result> measure_with_fio(const StorageRules& rules, const fs::path& file, const System& system,
                                     DeviceCount& device) {
  std::vector<Result> results =
      run_fio(rules, file, "host.storage.random_read", "randread", 4096, rules.depth, rules.jobs, system, device);
  for (Result& r : run_fio(rules, file, "host.storage.read", "read", 1 << 20, 16, rules.streams, system, device)) {
    results.push_back(std::move(r));
  }
  return results;
}

constexpr double kLeastFromDevice = 0.95;

}  // namespace

DeviceCount::DeviceCount(const System& system, const fs::path& folder) : system_(system) {
  std::error_code ignored;
  device_ = mount_of(system, fs::weakly_canonical(folder, ignored).string()).device;
}

void DeviceCount::begin() { before_ = read_from_device(system_, device_); }

void DeviceCount::end(Bytes asked, Result& r) const {
  const std::optional<Bytes> after = read_from_device(system_, device_);
  if (!before_ || !after || asked <= Bytes(0) || r.protocol.cache != "O_DIRECT") return;
  const double share = (*after - *before_) / asked;
  r.protocol.cache = share >= kLeastFromDevice ? kByDevice : kByCache;
  r.notes.push_back(fmt::format("device {} read {:.3g} of what was asked for (/proc/diskstats)", device_, share));
}

std::vector<Result> measure_storage(const StorageRules& rules, const fs::path& folder, const std::string& file_system,
                                    const System& system) {
  const auto nothing = [](Status status, const std::string& why) {
    return std::vector{without_figure("host.storage", "host", status, why)};
  };
  std::error_code trouble;
  if (!fs::is_directory(folder, trouble)) return nothing(Status::kUnknown, "there is no folder " + folder.string());
  if (!is_storage(file_system)) {
    return nothing(Status::kNotSupported,
                   fmt::format("{} is on {}, which is no storage", folder.string(), file_system));
  }
  if (::access(folder.c_str(), W_OK) != 0)
    return nothing(Status::kUnknown, "no permission to write into " + folder.string());
  const fs::space_info space = fs::space(folder, trouble);
  if (trouble || static_cast<double>(space.available) < 2 * rules.file.value) {
    return nothing(Status::kUnknown, fmt::format("{} needs {} of room", folder.string(), to_string(rules.file * 2)));
  }
  const ScratchFile scratch(folder);
  DeviceCount device(system, folder);
  if (system.run({"fio", "--version"}, Seconds(10)).succeeded())
    return measure_with_fio(rules, scratch.path(), system, device);
  return read_directly(rules, scratch.path(), device);
}

}  // namespace fathom::probe
