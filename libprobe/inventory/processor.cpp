#include "inventory/processor.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <sstream>

#include "host/matmul_paths.h"
#include "host/team.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

const std::string kCpus = "/sys/devices/system/cpu";

std::optional<double> number_in(const std::optional<std::string>& text) {
  const auto number = text ? scan_number(*text) : std::nullopt;
  return number && number->in_range ? std::optional(number->value) : std::nullopt;
}

// "Key   : value" lines, all of them.
std::multimap<std::string, std::string> fields_of(const System& system, const std::string& path) {
  std::multimap<std::string, std::string> fields;
  std::istringstream lines(system.file(path).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    fields.emplace(trimmed(std::string_view(line).substr(0, colon)), trimmed(std::string_view(line).substr(colon + 1)));
  }
  return fields;
}

std::string field(const std::multimap<std::string, std::string>& fields, const std::string& key) {
  const auto it = fields.find(key);
  return it == fields.end() ? std::string() : it->second;
}

// "cpu0", "cpu17": not "cpufreq".
std::vector<std::string> cpu_folders(const System& system) {
  std::vector<std::string> folders;
  for (const std::string& name : system.names_in(kCpus)) {
    const bool numbered = name.size() > 3 && name.starts_with("cpu") &&
                          std::all_of(name.begin() + 3, name.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (numbered) folders.push_back(kCpus + "/" + name);
  }
  return folders;
}

// "32768K" to bytes.
std::optional<Bytes> cache_size(const std::string& text) {
  const auto number = scan_number(text);
  if (!number || !number->in_range || number->value <= 0) return std::nullopt;
  const double unit = number->rest == "K" ? 1024 : number->rest == "M" ? 1048576 : number->rest.empty() ? 1 : 0;
  return unit > 0 ? std::optional(Bytes(number->value * unit)) : std::nullopt;
}

// The deepest level, each cache counted once however many processors share it.
std::optional<Bytes> last_level_cache(const System& system) {
  std::map<int, std::map<std::string, Bytes>> caches;  // by level, then by the processors that share one
  for (const std::string& cpu : cpu_folders(system)) {
    for (const std::string& index : system.names_in(cpu + "/cache")) {
      const std::string folder = cpu + "/cache/" + index;
      const auto level = number_in(line_of_file(system, folder + "/level"));
      const auto size = cache_size(line_of_file(system, folder + "/size").value_or(""));
      if (!level || !size || line_of_file(system, folder + "/type") == "Instruction") continue;
      caches[static_cast<int>(*level)][line_of_file(system, folder + "/shared_cpu_list").value_or(cpu)] = *size;
    }
  }
  if (caches.empty()) return std::nullopt;
  Bytes sum{};
  for (const auto& [sharers, size] : caches.rbegin()->second) sum += size;
  return sum;
}

std::optional<int> different(const std::vector<std::string>& folders, const System& system,
                             const std::vector<std::string>& files) {
  std::set<std::string> seen;
  for (const std::string& cpu : folders) {
    std::string key;
    for (const std::string& file : files) {
      const auto id = line_of_file(system, cpu + "/topology/" + file);
      if (!id) return std::nullopt;
      key += *id + "/";
    }
    seen.insert(key);
  }
  return seen.empty() ? std::nullopt : std::optional(static_cast<int>(seen.size()));
}

}  // namespace

Processor find_processor(const System& system) {
  const auto fields = fields_of(system, "/proc/cpuinfo");
  const std::vector<std::string> cpus = cpu_folders(system);
  Processor p;
  p.name = field(fields, "model name");
  if (p.name.empty()) p.name = field(fields, "CPU part");  // Arm tells numbers only
  if (p.name.empty()) p.name = "unknown processor";
  p.sockets = different(cpus, system, {"physical_package_id"});
  p.cores = different(cpus, system, {"physical_package_id", "core_id"});
  p.threads_allowed = host::hardware_threads();
  p.threads = std::max<int>(static_cast<int>(fields.count("processor")), p.threads_allowed);
  for (const host::MatmulPath& path : host::matmul_paths()) p.instruction_sets.emplace_back(path.name);
  p.last_level_cache = last_level_cache(system);
  return p;
}

std::vector<NumaNode> find_numa(const System& system) {
  const std::string root = "/sys/devices/system/node";
  std::vector<NumaNode> nodes;
  for (const std::string& name : system.names_in(root)) {
    NumaNode node;
    const std::string digits = name.starts_with("node") ? name.substr(4) : "";
    if (std::from_chars(digits.data(), digits.data() + digits.size(), node.node).ec != std::errc() || digits.empty())
      continue;
    const std::string folder = root + "/" + name;
    node.cpus = line_of_file(system, folder + "/cpulist").value_or("");
    for (const auto& [key, value] : fields_of(system, folder + "/meminfo")) {  // "Node 0 MemTotal": "32 kB"
      if (!key.ends_with(" MemTotal")) continue;
      if (const auto kib = scan_number(value)) node.memory = Bytes(kib->value * 1024);
    }
    std::istringstream distances(line_of_file(system, folder + "/distance").value_or(""));
    for (int distance = 0; distances >> distance;) node.distances.push_back(distance);
    nodes.push_back(std::move(node));
  }
  std::sort(nodes.begin(), nodes.end(), [](const NumaNode& a, const NumaNode& b) { return a.node < b.node; });
  return nodes;
}

std::optional<Bytes> memory_figure(const System& system, const std::string& key) {
  const std::string text = field(fields_of(system, "/proc/meminfo"), key);
  const auto kib = scan_number(text);
  return kib && kib->in_range ? std::optional(Bytes(kib->value * 1024)) : std::nullopt;
}

std::optional<Bytes> memory_limit(const System& system) {
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const auto limit = number_in(line_of_file(system, path));
    if (limit && *limit < 9e18) return Bytes(*limit);  // v1 says "no limit" as 2^63 less a page
  }
  return std::nullopt;
}

Bytes free_memory(const System& system) {
  Bytes free = memory_figure(system, "MemAvailable").value_or(Bytes(0));
  const auto used = number_in(line_of_file(system, "/sys/fs/cgroup/memory.current"));
  if (const auto limit = memory_limit(system)) free = std::min(free, *limit - Bytes(used.value_or(0)));
  return std::max(free, Bytes(0));
}

ClockRange clocks_now(const System& system) {
  ClockRange range;
  const auto fields = fields_of(system, "/proc/cpuinfo");
  const auto [first, last] = fields.equal_range("cpu MHz");
  for (auto it = first; it != last; ++it) {
    const auto mhz = scan_number(it->second);
    if (!mhz || !mhz->in_range || mhz->value <= 0) continue;
    const Hertz clock(mhz->value * 1e6);
    range.low = range.low ? std::min(*range.low, clock) : clock;
    range.high = range.high ? std::max(*range.high, clock) : clock;
  }
  return range;
}

}  // namespace fathom::probe
