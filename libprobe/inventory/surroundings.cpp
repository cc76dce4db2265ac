#include "inventory/surroundings.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "input/reader.h"
#include "units/number.h"

namespace fathom::probe {

namespace {

// "Max locked memory    8388608    8388608    bytes": the soft limit, with its unit.
std::string limit_named(const std::string& limits, const std::string& name) {
  std::istringstream lines(limits);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    std::istringstream words(line.substr(name.size()));
    std::string soft;
    words >> soft;
    return soft;
  }
  return {};
}

// "always [madvise] never": what stands in brackets, or the line.
std::string chosen(const std::string& line) {
  const std::size_t open = line.find('['), close = line.find(']');
  return open == std::string::npos || close == std::string::npos || close < open
             ? line
             : line.substr(open + 1, close - open - 1);
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

// mountinfo writes blanks, tabs, line ends and backslashes as "\040".
std::string unescaped(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto octal = [&](std::size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '7'; };
    if (text[at] == '\\' && octal(at + 1) && octal(at + 2) && octal(at + 3)) {
      out += static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + (text[at + 3] - '0'));
      at += 3;
    } else {
      out += text[at];
    }
  }
  return out;
}

bool is_within(const std::string& path, const std::string& folder) {
  if (folder == "/") return path.starts_with('/');
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

Ups parse_ups(const std::string& name, const std::string& text) {
  Ups ups{.name = name, .status = {}, .why = {}, .charge = {}, .load = {}, .runtime = {}};
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    const std::string key = line.substr(0, colon), value(trimmed(line.substr(colon + 2)));
    const auto number = scan_number(value);
    const bool usable = number && number->in_range && number->rest.empty() && number->value >= 0;
    if (key == "ups.status") ups.status = value;
    if (key == "battery.charge" && usable) ups.charge = number->value / 100;
    if (key == "ups.load" && usable) ups.load = number->value / 100;
    if (key == "battery.runtime" && usable) ups.runtime = Seconds(number->value);
  }
  return ups;
}

// Display controllers of NVIDIA, whatever its driver says: one that fell off the bus since the start stays listed.
int pci_gpus(const System& system) {
  int gpus = 0;
  const std::string devices = "/sys/bus/pci/devices";
  for (const std::string& name : system.names_in(devices)) {
    const std::string folder = devices + "/" + name;
    const bool displays = line_of_file(system, folder + "/class").value_or("").starts_with("0x03");
    gpus += displays && line_of_file(system, folder + "/vendor") == "0x10de" ? 1 : 0;
  }
  return gpus;
}

}  // namespace

std::vector<Setting> find_settings(const System& system) {
  std::vector<Setting> settings;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) settings.push_back({name, value});
  };
  const auto add_file = [&](const char* name, const std::string& path) {
    add(name, chosen(line_of_file(system, path).value_or("")));
  };
  const std::string limits = system.file("/proc/self/limits").value_or("");
  add("memlock_bytes", limit_named(limits, "Max locked memory"));
  add("open_files", limit_named(limits, "Max open files"));
  add("stack_bytes", limit_named(limits, "Max stack size"));
  add_file("cgroup_cpu_max", "/sys/fs/cgroup/cpu.max");
  add_file("cgroup_memory_max", "/sys/fs/cgroup/memory.max");
  add_file("governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  add_file("transparent_hugepages", "/sys/kernel/mm/transparent_hugepage/enabled");
  add_file("swappiness", "/proc/sys/vm/swappiness");
  add_file("numa_balancing", "/proc/sys/kernel/numa_balancing");
  add_file("clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource");
  const std::vector<std::string> load = words_of(line_of_file(system, "/proc/loadavg").value_or(""));
  if (!load.empty()) add("load_average", load.front());
  add_file("smt", "/sys/devices/system/cpu/smt/control");
  add_file("boot_id", "/proc/sys/kernel/random/boot_id");  // one for each start of a kernel: which machine it was
  if (const int gpus = pci_gpus(system); gpus > 0) add("pci_gpus", std::to_string(gpus));
  return settings;
}

std::string find_hypervisor(const System& system) {
  const std::string cpu = system.file("/proc/cpuinfo").value_or("");
  if (cpu.find(" hypervisor") == std::string::npos) return {};
  const std::string maker = line_of_file(system, "/sys/class/dmi/id/sys_vendor").value_or("");
  return maker.empty() ? "yes" : maker;
}

Mount mount_of(const System& system, const std::string& path) {
  Mount found;
  std::string longest;
  std::istringstream lines(system.file("/proc/self/mountinfo").value_or(""));
  for (std::string line;
       std::getline(lines, line);) {  // "36 35 98:0 /root /mount options optional… - type source options"
    const std::vector<std::string> words = words_of(line);
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 5 || dash == words.end() || dash + 1 == words.end()) continue;
    const std::string mount = unescaped(words[4]);
    if (!is_within(path, mount) || mount.size() < longest.size()) continue;
    longest = mount;
    found = {.file_system = *(dash + 1), .device = words[2]};
  }
  return found;
}

std::string file_system_of(const System& system, const std::string& path) { return mount_of(system, path).file_system; }

// "259 3 nvme0n1p3 reads merged sectors …"; a sector is 512 bytes there, whatever the device's are.
std::optional<Bytes> read_from_device(const System& system, const std::string& device) {
  std::istringstream lines(system.file("/proc/diskstats").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const std::vector<std::string> words = words_of(line);
    if (words.size() < 6 || words[0] + ":" + words[1] != device) continue;
    const auto sectors = scan_number(words[5]);
    if (!sectors || !sectors->in_range || !sectors->rest.empty()) return std::nullopt;
    return Bytes(sectors->value * 512);
  }
  return std::nullopt;
}

std::vector<Ups> find_ups(const System& system) {
  const CommandOutcome names = system.run({"upsc", "-l"}, Seconds(10));
  std::vector<Ups> found;
  if (!names.succeeded()) return found;
  for (const std::string& name : words_of(names.out)) {
    const CommandOutcome said = system.run({"upsc", name}, Seconds(10));
    Ups ups = parse_ups(name, said.succeeded() ? said.out : "");
    if (ups.status.empty()) ups.why = said.succeeded() ? "no ups.status" : trouble_with("upsc", said);
    found.push_back(std::move(ups));
  }
  return found;
}

Attestation read_power_attestation(const std::filesystem::path& path) {
  const Document document = read_yaml(path);
  MapReader reader(document.file, document.root, "an attestation");
  reader.choice("format", {"fathom-attestation/1"});
  reader.choice("subject", {"power redundancy"});
  Attestation a{.date = reader.required<std::string>("date"),
                .person = reader.required<std::string>("person"),
                .evidence = reader.required<std::string>("evidence")};
  reader.finish();
  if (!day_of(a.date)) reader.fail("the date of the drill is no day", "write it as 2026-06-01");
  return a;
}

}  // namespace fathom::probe
