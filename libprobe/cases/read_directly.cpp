// Readers of our own: plain threads, each with one pread in flight, past the page cache.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

#include "cases/storage.h"
#include "harness/repeat.h"

namespace fathom::probe {

namespace {

constexpr std::int64_t kSmall = 4096, kLong = 1 << 20;
constexpr int kWindows = 20;  // of the run: a rate for each, of which the median is reported

[[noreturn]] void fail(const std::filesystem::path& file, const char* what) {
  throw std::runtime_error(fmt::format("cannot {} {}: {}", what, file.string(), std::strerror(errno)));
}

class File {
 public:
  File(const std::filesystem::path& path, int flags)
      : path_(path), descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {
    if (descriptor_ < 0) fail(path, "open");
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { ::close(descriptor_); }
  int get() const { return descriptor_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  const std::filesystem::path path_;
  int descriptor_;
};

struct Free {
  void operator()(std::uint64_t* p) const { std::free(p); }
};
using Block = std::unique_ptr<std::uint64_t[], Free>;

Block aligned_block(std::int64_t bytes) {
  auto* p = static_cast<std::uint64_t*>(std::aligned_alloc(4096, static_cast<std::size_t>(bytes)));
  if (p == nullptr) throw std::bad_alloc();
  return Block(p);
}

std::uint64_t next(std::uint64_t& state) {  // splitmix64
  std::uint64_t x = state += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

// Random content, so that nothing compresses it away; each 4 KiB begin with their own number, which readers check.
void lay_out(const File& file, std::int64_t bytes) {
  const Block block = aligned_block(kLong);
  std::uint64_t state = 1;
  for (std::int64_t at = 0; at < bytes; at += kLong) {
    for (std::int64_t i = 0; i < kLong / 8; ++i) {
      block[static_cast<std::size_t>(i)] =
          i % (kSmall / 8) == 0 ? static_cast<std::uint64_t>((at + i * 8) / kSmall) : next(state);
    }
    if (::pwrite(file.get(), block.get(), kLong, at) != kLong) fail(file.path(), "write");
  }
  if (::fsync(file.get()) != 0) fail(file.path(), "write");
}

struct Pattern {
  const char* name;
  std::int64_t block;
  bool random;
  int threads;
};

struct Counts {
  std::vector<std::atomic<std::int64_t>> windows = std::vector<std::atomic<std::int64_t>>(kWindows);
  std::atomic<std::int64_t> wrong = 0, all = 0;  // all: with those of the warm-up
  std::atomic<int> error = 0;
};

// One thread: its share of the file in order, or anywhere in it.
void read_on(const File& file, const Pattern& pattern, std::int64_t blocks, int thread, double begin, double window,
             Counts& counts) {
  const Now now = steady_clock();
  const Block buffer = aligned_block(pattern.block);
  std::uint64_t state = static_cast<std::uint64_t>(thread) + 77;
  for (std::int64_t i = blocks * thread / pattern.threads;; ++i) {
    const auto at = static_cast<std::int64_t>(pattern.random ? next(state) % static_cast<std::uint64_t>(blocks)
                                                             : static_cast<std::uint64_t>(i % blocks));
    const ssize_t got = ::pread(file.get(), buffer.get(), static_cast<std::size_t>(pattern.block), at * pattern.block);
    if (got != pattern.block) {
      counts.error = got < 0 ? errno : EIO;
      return;
    }
    ++counts.all;
    if (buffer[0] != static_cast<std::uint64_t>(at * pattern.block / kSmall)) ++counts.wrong;
    const double since = now() - begin;
    if (since >= window * kWindows) return;
    if (since >= 0) ++counts.windows[static_cast<std::size_t>(since / window)];
  }
}

Result measure(const StorageRules& rules, const File& file, const Pattern& pattern, std::int64_t bytes,
               DeviceCount& device) {
  Counts counts;
  device.begin();
  const double begin = steady_clock()() + rules.ramp.value, window = rules.run.value / kWindows;
  std::vector<std::thread> threads;
  for (int t = 0; t < pattern.threads; ++t) {
    threads.emplace_back([&, t] { read_on(file, pattern, bytes / pattern.block, t, begin, window, counts); });
  }
  for (std::thread& thread : threads) thread.join();
  if (counts.error != 0) {
    return without_figure(pattern.name, "host", Status::kUnknown,
                          std::string("reading failed: ") + std::strerror(counts.error));
  }
  Result r = without_figure(pattern.name, "host", Status::kNotRun, "");
  r.shape = {{"block_bytes", fmt::format("{}", pattern.block)},
             {"depth", "1"},
             {"jobs", fmt::format("{}", pattern.threads)},
             {"file_bytes", fmt::format("{}", bytes)}};
  r.unit = pattern.random ? Unit::kOperationsPerSecond : Unit::kBytesPerSecond;
  std::vector<double> rates;
  for (const auto& done : counts.windows) {
    rates.push_back(static_cast<double>(done) / window * (pattern.random ? 1 : static_cast<double>(pattern.block)));
  }
  sum_up(r, rates);
  r.protocol.engine = "builtin";
  r.protocol.pattern = "random";
  r.protocol.cache = "O_DIRECT";
  r.protocol.launch = "threads";
  r.protocol.warm_up = rules.ramp;
  device.end(Bytes(static_cast<double>(counts.all * pattern.block)), r);
  r.correctness = Correctness{.method = "the number of each block",
                              .worst_error = static_cast<double>(counts.wrong),
                              .correct = counts.wrong == 0};
  if (counts.wrong != 0) {
    r.status = Status::kIncorrect;
    r.why = "blocks came back that were not asked for";
  }
  return r;
}

}  // namespace

// The file loses its name at once, so that nothing is left behind whatever ends the program.
std::vector<Result> read_directly(const StorageRules& rules, const std::filesystem::path& path, DeviceCount& device) {
  const auto blocks = static_cast<std::int64_t>(std::ceil(rules.file.value / kLong));
  const std::int64_t bytes = std::max(blocks, std::int64_t{64}) * kLong;
  std::optional<File> file;
  try {
    file.emplace(path, O_RDWR | O_CREAT | O_EXCL | O_DIRECT);
    ::unlink(path.c_str());
    lay_out(*file, bytes);
  } catch (const std::runtime_error& error) {
    return {
        without_figure("host.storage", "host", Status::kNotSupported, std::string(error.what()) + " (with O_DIRECT)")};
  }
  const Pattern random{"host.storage.random_read", kSmall, true, rules.jobs * 4};
  const Pattern in_order{"host.storage.read", kLong, false, rules.streams};
  return {measure(rules, *file, random, bytes, device), measure(rules, *file, in_order, bytes, device)};
}

}  // namespace fathom::probe
