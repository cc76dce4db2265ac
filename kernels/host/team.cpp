#include "host/team.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <fstream>
#include <limits>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fathom::host {
namespace {

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

std::atomic<int> members = 0;  // of all teams with workers

// Being woken by the kernel costs about 50 us in a virtual machine, so while every member has a core of its own they look
// for some 200 us (4096 times 40 to 140 cycles of `pause`): the next loop of a step follows within that. Members without
// a core of their own would take it from those who work: they look for 3 us and sleep.
void wait_while(const std::atomic<std::uint32_t>& word, std::uint32_t old) {
  static const int cores = hardware_threads();
  const int looks = members.load(std::memory_order_relaxed) <= cores ? 4096 : 64;
  for (int look = 0; look < looks; ++look) {
    if (word.load(std::memory_order_acquire) != old) return;
    relax();
  }
  word.wait(old, std::memory_order_acquire);
}

}  // namespace

struct Team::Shared {
  struct Loop {
    std::int64_t count = 0, grain = 1;
    const std::function<void(std::int64_t, std::int64_t)>* body = nullptr;
  };

  explicit Shared(int workers) : size(workers) {
    members += size;
    try {
      for (int worker = 1; worker < size; ++worker) threads.emplace_back([this, worker] { serve(worker); });
    } catch (...) {  // the system has no more threads to give: send home those that started
      dismiss();
      throw;
    }
  }

  ~Shared() { dismiss(); }

  void dismiss() {
    stop = true;
    start_round();
    for (std::thread& thread : threads) thread.join();
    members -= size;
  }

  void start_round() {
    round.fetch_add(1, std::memory_order_release);
    round.notify_all();
  }

  void serve(int worker) {
    for (std::uint32_t seen = 0;; ++seen) {
      wait_while(round, seen);
      if (stop) return;
      run_part(worker);
      if (busy.fetch_sub(1, std::memory_order_acq_rel) == 1) busy.notify_one();
    }
  }

  void run_part(int worker) {
    const std::int64_t units = (loop.count + loop.grain - 1) / loop.grain;
    const std::int64_t begin = units * worker / size * loop.grain;
    const std::int64_t end = std::min(units * (worker + 1) / size * loop.grain, loop.count);
    if (begin >= end) return;
    try {
      (*loop.body)(begin, end);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(error_mutex);
      if (!error) error = std::current_exception();
    }
  }

  void run(const Loop& next) {
    loop = next;
    busy.store(static_cast<std::uint32_t>(size - 1), std::memory_order_relaxed);
    start_round();
    run_part(0);
    for (std::uint32_t left; (left = busy.load(std::memory_order_acquire)) != 0;) wait_while(busy, left);
    if (error) std::rethrow_exception(std::exchange(error, nullptr));
  }

  const int size;
  Loop loop;          // written before `round` moves, read after
  bool stop = false;  // likewise
  std::mutex error_mutex;
  std::exception_ptr error;
  alignas(64) std::atomic<std::uint32_t> round = 0;
  alignas(64) std::atomic<std::uint32_t> busy = 0;  // workers that have not finished this round
  std::vector<std::thread> threads;
};

Team::Team(int threads) : size_(std::max(threads, 1)) {
  if (size_ > 1) shared_ = std::make_unique<Shared>(size_);
}

Team::~Team() = default;

void Team::for_ranges(std::int64_t count, std::int64_t grain,
                      const std::function<void(std::int64_t begin, std::int64_t end)>& body) {
  if (count <= 0) return;
  if (size_ == 1 || count <= grain) return body(0, count);
  shared_->run({.count = count, .grain = std::max<std::int64_t>(grain, 1), .body = &body});
}

namespace {

int threads_of_affinity() {
  for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {  // EINVAL: the kernel knows more processors than the mask holds
    cpu_set_t* mask = CPU_ALLOC(cpus);
    if (mask == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(cpus);
    const int count = sched_getaffinity(0, bytes, mask) == 0 ? CPU_COUNT_S(bytes, mask) : 0;
    CPU_FREE(mask);
    if (count > 0) return count;
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

// Processors' worth of time per period: cgroup v2 keeps "quota period" in one file, v1 in two; "max" and -1 are no
// limit.
double quota_of(const std::string& folder) {
  double quota = -1, period = -1;
  if (std::ifstream both(folder + "/cpu.max"); both >> quota >> period && quota > 0 && period > 0)
    return quota / period;
  std::ifstream first(folder + "/cpu.cfs_quota_us"), second(folder + "/cpu.cfs_period_us");
  if (first >> quota && second >> period && quota > 0 && period > 0) return quota / period;
  return std::numeric_limits<double>::infinity();
}

// The tightest quota from this process' group up to the root. A container may see only the root, as its own group.
double quota_of_groups() {
  double quota = std::numeric_limits<double>::infinity();
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "0::/path" is v2, "8:cpu,cpuacct:/path" v1
    std::istringstream fields(line);
    std::string id, controllers, path;
    std::getline(fields, id, ':');
    std::getline(fields, controllers, ':');
    std::getline(fields, path);
    if (!controllers.empty() && ("," + controllers + ",").find(",cpu,") == std::string::npos) continue;
    const std::string mount = controllers.empty() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    while (!path.empty() && path != "/") {
      quota = std::min(quota, quota_of(mount + path));
      path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    }
    quota = std::min(quota, quota_of(mount));
  }
  return quota;
}

}  // namespace

// A team waits for its slowest thread, and the quota stops all of them at once when it is used up: round it down.
int hardware_threads() {
  const double allowed = std::min<double>(threads_of_affinity(), std::floor(quota_of_groups()));
  return std::max(static_cast<int>(allowed), 1);
}

}  // namespace fathom::host
