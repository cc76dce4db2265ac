// The processor, its memory, and what surrounds them: storage, network, clock, power.
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "cases/host_memory.h"
#include "cases/host_products.h"
#include "cases/network.h"
#include "cases/storage.h"
#include "host/team.h"
#include "inventory/clock_state.h"
#include "inventory/processor.h"
#include "inventory/surroundings.h"
#include "machine/machine.h"

namespace fathom::probe {

namespace {

RepeatRules repeats(Depth depth) {
  switch (depth) {
    case Depth::kQuick:
      return {.budget = Seconds(0.3)};
    case Depth::kStandard:
      return {.least = 15, .budget = Seconds(1)};
    case Depth::kFull:
      return {.least = 30, .budget = Seconds(3)};
  }
  return {};
}

// One thread, all of them, and for a full profile the powers of two between.
std::vector<int> thread_counts(int all, Depth depth) {
  std::set<int> counts = {1, all};
  for (int threads = 2; depth == Depth::kFull && threads < all; threads *= 2) counts.insert(threads);
  return {counts.begin(), counts.end()};
}

std::vector<host::Storage> formats(Depth depth) {
  if (depth == Depth::kQuick) return {host::Storage::kBf16};
  return {host::Storage::kBf16, host::Storage::kFp8Block128, host::Storage::kInt4G128};
}

StorageRules storage_rules(Depth depth, const System& system) {
  switch (depth) {
    case Depth::kQuick:
      return {};
    case Depth::kStandard:
      return {.file = Bytes(16e9), .run = Seconds(60), .ramp = Seconds(10)};
    case Depth::kFull: {
      const Bytes memory = memory_limit(system).value_or(memory_figure(system, "MemTotal").value_or(Bytes(0)));
      return {.file = std::max(Bytes(64e9), memory * 2), .run = Seconds(60), .ramp = Seconds(10)};
    }
  }
  return {};
}

NetworkRules network_rules(Depth depth) {
  if (depth == Depth::kQuick) return {};
  return {.run = Seconds(20)};
}

// Without links: mounts are told by their real paths.
std::string real_path(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::weakly_canonical(path, ignored).string();
}

std::string name_of_node() {
  utsname system{};
  return uname(&system) == 0 ? system.nodename : "unknown";
}

std::string name_of_system() {
  utsname system{};
  return uname(&system) == 0 ? std::string(system.sysname) + " " + system.release + " " + system.machine : "";
}

class HostMachine : public Machine {
 public:
  HostMachine(const System& system, const ProbeOptions& options) : system_(system), options_(options) {}

  void describe(MachineRecord& record) const override {
    record.node = name_of_node();
    record.system = name_of_system();
    record.hypervisor = find_hypervisor(system_);
    record.processor = find_processor(system_);
    record.memory = memory_figure(system_, "MemTotal");
    record.memory_limit = memory_limit(system_);
    record.numa = find_numa(system_);
    record.settings = find_settings(system_);
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    find_clock(system_, std::chrono::duration<double>(now).count(), record);
    record.ups = find_ups(system_);
    if (options_.redfish) find_power(system_, *options_.redfish, record);
    if (options_.storage) {
      record.storage = {.path = options_.storage->string(),
                        .file_system = file_system_of(system_, real_path(*options_.storage))};
    }
  }

  std::vector<Case> cases() const override {
    const Processor processor = find_processor(system_);
    const HostRules rules{.repeat = repeats(options_.depth),
                          .last_level_cache = processor.last_level_cache.value_or(Bytes(0)),
                          .most_memory = free_memory(system_) / 2,
                          .threads = thread_counts(processor.threads_allowed, options_.depth)};
    return {{"host.memory", [this, rules] { return measure_host_memory(rules, system_); }},
            {"host.gemv", [this, rules] { return measure_host_gemv(rules, system_, formats(options_.depth)); }},
            {"host.gemm", [this, rules] { return measure_host_gemm(rules, system_, formats(options_.depth)); }},
            {"host.storage", [this] { return storage(); }},
            {"host.network", [this] { return network(); }}};
  }

 private:
  std::vector<Result> storage() const {
    if (!options_.storage) {
      return {without_figure("host.storage", "host", Status::kNotRun, "no folder was named: --storage DIR")};
    }
    const std::string type = file_system_of(system_, real_path(*options_.storage));
    return measure_storage(storage_rules(options_.depth, system_), *options_.storage, type, system_);
  }

  std::vector<Result> network() const {
    if (options_.peer.empty()) {
      return {without_figure("host.network", "host", Status::kNotRun, "no other node was named: --peer HOST")};
    }
    return measure_network(network_rules(options_.depth), options_.peer, system_);
  }

  const System& system_;
  const ProbeOptions options_;
};

}  // namespace

std::unique_ptr<Machine> host_machine(const System& system, const ProbeOptions& options) {
  return std::make_unique<HostMachine>(system, options);
}

}  // namespace fathom::probe
