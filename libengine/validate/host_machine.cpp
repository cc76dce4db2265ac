#include "validate/host_machine.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <limits>
#include <optional>

#include "host/matrix.h"
#include "host/team.h"

namespace fathom {

namespace {

// The text after "key" and a separator on the first line of a file that begins with it.
std::optional<std::string> field(const std::string& path, const std::string& key) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(key, 0) != 0) continue;
    const std::size_t at = line.find_first_not_of(" \t:", key.size());
    return at == std::string::npos ? std::string() : line.substr(at);
  }
  return std::nullopt;
}

std::optional<std::int64_t> number_in(const std::string& path) {
  std::ifstream in(path);
  std::int64_t number = 0;
  if (in >> number) return number;
  return std::nullopt;  // absent, or the word "max"
}

}  // namespace

std::string describe_host() {
  const std::string name = field("/proc/cpuinfo", "model name").value_or("unknown processor");
  return fmt::format("{}, {} threads, {}", name, host::hardware_threads(), host::matmul_path());
}

std::int64_t available_memory() {
  std::int64_t free = std::numeric_limits<std::int64_t>::max();
  if (const auto text = field("/proc/meminfo", "MemAvailable")) free = std::stoll(*text) * 1024;  // the file says kB
  const auto limit = number_in("/sys/fs/cgroup/memory.max"), used = number_in("/sys/fs/cgroup/memory.current");
  if (limit && used) free = std::min(free, *limit - *used);
  return std::max<std::int64_t>(0, free);
}

std::string today() { return fmt::format("{:%F}", fmt::gmtime(std::chrono::system_clock::now())); }

}  // namespace fathom
